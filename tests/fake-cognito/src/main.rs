//! Serves a fake pool with two users until it receives a signal.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use fake_cognito::{FakeCognito, Issuer, Options, User};

const USAGE: &str = "\
Usage: fake-cognito [--host 127.0.0.1] [--port 9229]
                    [--pool-id eu-west-1_LocalDev0] [--client-id ID]
                    [--password PASSWORD] [--issuer aws|local]
                    [--function-url http://127.0.0.1:9000]

Serves Cognito's API, and a page that calls the function. The users are demo,
and admin, who is in the group administrators. Both have the password
Correct-Horse-7-Battery, or the one in --password.";

/// The time that pending requests get to finish after a signal. A fault may be stalling them.
const GRACE: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fake-cognito: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut options = Options { port: 9229, log: true, ..Options::default() };
    let mut password = "Correct-Horse-7-Battery".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        if flag == "--help" {
            println!("{USAGE}");
            return Ok(());
        }
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value, see --help"))?;
        match flag.as_str() {
            "--host" => options.host = value.parse().map_err(|_| "--host must be an IP address")?,
            "--port" => options.port = value.parse().map_err(|_| "--port must be 0 to 65535")?,
            "--pool-id" => options.pool_id = value,
            "--client-id" => options.client_id = value,
            "--password" => password = value,
            "--function-url" => options.function_url = value,
            "--issuer" => {
                options.issuer = match value.as_str() {
                    "aws" => Issuer::Aws,
                    "local" => Issuer::Local,
                    _ => return Err("--issuer must be aws or local".into()),
                }
            }
            _ => return Err(format!("unknown flag: {flag}, see --help").into()),
        }
    }

    let fake = FakeCognito::start_with(options).await?;
    fake.add_user(User::new("demo", &password));
    let groups = vec!["administrators".to_owned()];
    fake.add_user(User { groups, ..User::new("admin", &password) });
    println!("fake-cognito listening on {}", fake.endpoint_url());
    told_to_stop().await?;
    // Requests that are still pending after the timeout are dropped.
    let _ = tokio::time::timeout(GRACE, fake.shut_down()).await;
    Ok(())
}

#[cfg(unix)]
async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
