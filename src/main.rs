//! The cold start.

use std::env;
use std::process::ExitCode;

use change_password::app::App;
use change_password::config::Config;
use change_password::{event, logging};

/// Printed when somebody starts the binary by hand.
const NOT_IN_LAMBDA: &str = "this is an AWS Lambda function, and AWS_LAMBDA_RUNTIME_API is not set. \
    It runs in Lambda, under `cargo lambda watch`, or with `make dev`, which needs no AWS account.";

// One thread is enough, even for concurrent invocations: each needs well under a millisecond of
// processor time and otherwise waits for Cognito. A classic Lambda has a fraction of a core anyway.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--version") {
        println!("change-password {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let checks_only = env::args().any(|argument| argument == "--check-settings");
    let result = if checks_only { check_settings() } else { run().await };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // To standard error, since the settings of the log may be invalid.
            eprintln!("change-password: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the settings and the policy as a start does, and calls nothing.
fn check_settings() -> Result<(), lambda_runtime::Error> {
    logging::Settings::from_lookup(|name| env::var(name).ok())?;
    Config::from_env()?;
    println!("The settings are valid.");
    Ok(())
}

async fn run() -> Result<(), lambda_runtime::Error> {
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Err(NOT_IN_LAMBDA.into());
    }
    let log = logging::Settings::from_lookup(|name| env::var(name).ok())?;
    tracing::subscriber::set_global_default(log.subscriber(std::io::stdout))?;
    logging::log_panics();
    let app = App::build(Config::from_env()?, std::io::stdout());
    app.connect().await;
    event::serve(app).await
}
