//! The cold start.

use std::process::ExitCode;

use change_password::breaches::Breaches;
use change_password::change_password::Services;
use change_password::cognito::Cognito;
use change_password::config::Config;
use change_password::connector::connector;
use change_password::handler::App;
use change_password::outcome::Journal;
use change_password::{event, logging};

// One thread, for concurrent invocations too: what takes processor time in each is well under a
// millisecond, and the rest is waiting for Cognito. A classic Lambda has a fraction of a core anyway.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error, since it may be the settings of the log that are wrong.
            eprintln!("change-password: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), lambda_http::Error> {
    let log = logging::Settings::from_lookup(|name| std::env::var(name).ok())?;
    tracing::subscriber::set_global_default(log.subscriber(std::io::stdout))?;
    logging::log_panics();
    let config = Config::from_env()?;
    let timeout = config.cognito.connect_timeout;
    let connector = connector(timeout, config.trust.clone());
    let cognito = Cognito::new(&config.cognito, connector);
    cognito.connect(&config.user_pool_id).await;
    let breaches = Breaches::new(timeout, config.trust.clone().beyond_aws());
    let journal = Journal::new(config.function_name.clone(), std::io::stdout());
    event::serve(App::new(config, Services { cognito, breaches }, journal)).await
}
