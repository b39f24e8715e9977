//! One process of a contestant, from its start to its end.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use runtime_api::RuntimeApi;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Failure;
use crate::contestants::Contestant;
use crate::upstream::Upstream;

/// The pool and the client of the event's token.
const POOL: &str = "eu-west-1_LocalDev0";
const CLIENT: &str = "4localdevclient0000000000";

/// The limit of a start or an answer. Valgrind is slow, and so is a fourteenth of a processor.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// A running function.
pub(crate) struct Function {
    api: RuntimeApi,
    process: Child,
    pid: Pid,
    cpu: ClockId,
    event: String,
    invocations: usize,
}

/// The time that something took.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

impl Function {
    /// Starts a process, and waits until it polls for its first invocation.
    pub(crate) async fn start(
        contestant: &Contestant,
        upstream: &Upstream,
        log: &Path,
    ) -> Result<(Self, Cost), Failure> {
        let api = RuntimeApi::start(TIME_LIMIT).await?;
        let mut command = command(contestant, upstream, &api);
        command.stdout(Stdio::null()).stderr(File::create(log)?).kill_on_drop(true);
        let start = Instant::now();
        let mut process = command.spawn()?;
        let pid = process.id().ok_or("it has ended")?;
        let pid = Pid::from_raw(pid.try_into()?);
        let polled = tokio::select! {
            polled = timeout(TIME_LIMIT, api.polled(1)) => polled?,
            status = process.wait() => return Err(format!("it ended: {}", status?).into()),
        };
        let cpu = clock_getcpuclockid(pid)?;
        let event = upstream.event.clone();
        let function = Self { api, process, pid, cpu, event, invocations: 0 };
        let cost = Cost { wall: polled - start, cpu: function.cpu()? };
        Ok((function, cost))
    }

    /// Invokes it with the event.
    pub(crate) async fn invoke(&mut self) -> Result<Cost, Failure> {
        self.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        let before = self.cpu()?;
        let answer = tokio::select! {
            answer = self.api.invoke(&id, self.event.clone()) => answer.ok_or("it did not answer")?,
            status = self.process.wait() => return Err(format!("it ended: {}", status?).into()),
        };
        let cpu = self.cpu()?.saturating_sub(before);
        let body = answer.result.map_err(|_| "it answered with an error")?;
        let answered: Value = serde_json::from_slice(&body)?;
        if answered["statusCode"] == 204 {
            Ok(Cost { wall: answer.latency, cpu })
        } else {
            Err(format!("it answered {answered}").into())
        }
    }

    /// Waits until it has finished all invocations, and polls for the next one.
    pub(crate) async fn settle(&self) -> Result<(), Failure> {
        timeout(TIME_LIMIT, self.api.polled(self.invocations + 1)).await?;
        Ok(())
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The processor time of all its threads until now.
    pub(crate) fn cpu(&self) -> nix::Result<Duration> {
        self.cpu.now().map(Duration::from)
    }

    /// Its peak memory, in bytes.
    pub(crate) fn peak_memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no VmHWM"))
    }

    /// Ends it with a signal, and waits for its end.
    pub(crate) async fn end(mut self, signal: nix::sys::signal::Signal) -> io::Result<()> {
        nix::sys::signal::kill(self.pid, signal)?;
        self.process.wait().await.map(drop)
    }
}

/// The command with the variables that Lambda and a deployment set, the same for each contestant.
fn command(contestant: &Contestant, upstream: &Upstream, api: &RuntimeApi) -> Command {
    let mut command = Command::new(&contestant.program);
    command.args(&contestant.arguments).current_dir(&contestant.folder).env_clear();
    command.envs([
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_NAME", "change-password"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/change-password"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/24/[$LATEST]0123456789abcdef"),
        ("AWS_LAMBDA_RUNTIME_API", api.address()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "example"),
        ("AWS_SESSION_TOKEN", "example"),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "handler.handler"),
    ]);
    command.env("LAMBDA_TASK_ROOT", &contestant.folder);
    command.env("AWS_ENDPOINT_URL", &upstream.url);
    // Ours, bare hyper and boto3 read the first, Node.js the second, and the Rust SDK by default
    // the third, which is as long as the system's own bundle.
    command.env("AWS_CA_BUNDLE", &upstream.authority);
    command.env("NODE_EXTRA_CA_CERTS", &upstream.authority);
    command.env("SSL_CERT_FILE", &upstream.system_and_authority);
    command.envs([("USER_POOL_ID", POOL), ("USER_POOL_CLIENT_IDS", CLIENT)]);
    command.env("USER_CHANGES_PER_MINUTE", "1000000");
    // Counting instructions is slow, and must not cause a timeout.
    command.envs([("COGNITO_CONNECT_TIMEOUT_MS", "30000"), ("COGNITO_CALL_TIMEOUT_MS", "30000")]);
    command
}
