//! Serves the function's binary over HTTP, like an HTTP API of API Gateway.
//!
//! The local checks use it instead of `cargo lambda watch`, because it starts a binary that is already
//! built, forwards bodies that are not UTF-8, and gives each invocation a deadline. It has no authorizer
//! and no throttling, and forwards every method and path to the function, which has its own routes.

mod cors;
mod event;

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;

use runtime_api::{Answer, RuntimeApi};

const USAGE: &str = "\
Usage: gateway BINARY [--host 127.0.0.1] [--port 9000]

Starts BINARY as a Lambda function, with the environment of this process and the
variables that Lambda sets, and serves it over HTTP.";

/// The function's timeout, as in template.yaml.
const TIME_LIMIT: Duration = Duration::from_secs(28);

/// The state that all connections share.
struct Gateway {
    api: RuntimeApi,
    /// Held during an invocation. Like an execution environment of Lambda, the function handles one
    /// invocation at a time, and the time limit must not run while an event waits.
    turn: Mutex<()>,
    count: AtomicUsize,
}

struct Arguments {
    binary: String,
    address: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let Some(Arguments { binary, address }) = Arguments::read(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(());
    };
    // The handlers are installed before the function starts. Without them, a signal would leave the
    // function running.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("{address}: {error}"))?;
    let api = RuntimeApi::start(TIME_LIMIT).await?;
    let mut function = start(&binary, &api)?;
    println!("gateway listening on http://{}", listener.local_addr()?);
    let gateway = Gateway { api, turn: Mutex::new(()), count: AtomicUsize::new(0) };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        status = function.wait() => return Err(format!("the function ended: {}", status?).into()),
        () = accept(listener, Arc::new(gateway)) => {}
    }
    Ok(function.kill().await?)
}

impl Arguments {
    /// Parses the command line; `None` for `--help`.
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut binary, mut host, mut port) = (None, Ipv4Addr::LOCALHOST.into(), 9000);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" => return Ok(None),
                "--host" => host = parse::<IpAddr>(&value()?, "--host must be an IP address")?,
                "--port" => port = parse(&value()?, "--port must be 0 to 65535")?,
                _ if argument.starts_with('-') => return Err(format!("unknown flag: {argument}")),
                _ => binary = Some(argument),
            }
        }
        let binary = binary.ok_or("BINARY is missing, see --help")?;
        Ok(Some(Self { binary, address: SocketAddr::new(host, port) }))
    }
}

fn parse<T: std::str::FromStr>(value: &str, expected: &str) -> Result<T, String> {
    value.parse().map_err(|_| expected.to_owned())
}

/// Starts the function with the variables that Lambda sets.
fn start(binary: &str, api: &RuntimeApi) -> Result<Child, String> {
    let mut command = Command::new(binary);
    command.envs([
        ("AWS_LAMBDA_FUNCTION_NAME", "change-password"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_RUNTIME_API", api.address()),
    ]);
    // In its own process group, so that Ctrl-C reaches only this process, which then stops the function.
    command.process_group(0).kill_on_drop(true);
    command.spawn().map_err(|error| format!("{binary}: {error}"))
}

async fn accept(listener: TcpListener, gateway: Arc<Gateway>) {
    // Accepting fails if the client has already gone or descriptors run out. Both are temporary.
    loop {
        if let Ok((stream, client)) = listener.accept().await {
            tokio::spawn(serve(stream, client.ip(), Arc::clone(&gateway)));
        }
    }
}

async fn serve(stream: TcpStream, client: IpAddr, gateway: Arc<Gateway>) {
    let service = service_fn(|request| respond(&gateway, request, client));
    // Connection errors are ignored: the client has gone.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    gateway: &Arc<Gateway>,
    request: Request<Incoming>,
    client: IpAddr,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    if let Some(response) = cors::preflight(&head) {
        return Ok(response);
    }
    let body = body.collect().await?.to_bytes();
    let event = event::from_request(&head, &body, client);
    // In its own task, because an invocation continues if the client disconnects.
    let gateway = Arc::clone(gateway);
    let answer = tokio::spawn(async move { gateway.invoke(event).await }).await;
    let response = answer.ok().flatten().and_then(|answer| event::to_response(&answer));
    let mut response = response.unwrap_or_else(event::internal_server_error);
    cors::allow(&head, response.headers_mut());
    Ok(response)
}

impl Gateway {
    /// Invokes the function with an event; `None` if it fails or exceeds its time limit.
    async fn invoke(&self, event: String) -> Option<Bytes> {
        let _turn = self.turn.lock().await;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("00000000-0000-4000-8000-{number:012}");
        match self.api.invoke(&id, event).await {
            Some(Answer { result: Ok(answer), .. }) => return Some(answer),
            Some(Answer { result: Err(error), .. }) => {
                eprintln!("gateway: {id} failed: {}", String::from_utf8_lossy(&error));
            }
            None => eprintln!("gateway: {id} has no response after {TIME_LIMIT:?}"),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Arguments>, String> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_command_line_needs_a_binary_and_can_set_the_address() {
        let arguments = read("target/debug/change-password --port 80").unwrap().unwrap();
        assert_eq!(arguments.binary, "target/debug/change-password");
        assert_eq!(arguments.address.to_string(), "127.0.0.1:80");
        let arguments = read("--host 0.0.0.0 binary").unwrap().unwrap();
        assert_eq!(arguments.address.to_string(), "0.0.0.0:9000");
        assert!(read("--help").unwrap().is_none());
        for line in ["", "binary --port", "binary --port 65536", "--host here binary", "binary -p"]
        {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_time_limit_equals_the_templates_timeout() {
        let template = include_str!("../../../../../template.yaml");
        let function = template.split("\n  ChangePassword:\n").nth(1).unwrap();
        let timeout = function.lines().find_map(|line| line.trim().strip_prefix("Timeout: "));
        assert_eq!(timeout, Some(TIME_LIMIT.as_secs().to_string().as_str()));
    }
}
