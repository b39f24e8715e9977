//! Compares the function with others that do the same job, and counts its instructions.
//!
//! Each runs as a separate process between a stand-in for Lambda's Runtime API and a TLS server in
//! Cognito's place, all on loopback.

mod compare;
mod contestants;
mod count;
mod function;
mod quota;
mod upstream;

use std::error::Error;
use std::process::ExitCode;

/// An error that prevents the measurement.
type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "Usage: measure compare\n       measure count BINARY [--update]";

// One thread, so that measuring takes at most one processor from the measured process.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["compare"] => compare::run().await.map(|()| ExitCode::SUCCESS),
        ["count", binary] => count::run(binary.as_ref(), false).await,
        ["count", binary, "--update"] => count::run(binary.as_ref(), true).await,
        _ => Err(USAGE.into()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("measure: {error}");
        ExitCode::FAILURE
    })
}
