//! Runs many invocations of the function's binary and counts errors.
//!
//! Everything runs on loopback: a stand-in for Lambda's Runtime API and a fake Cognito in this process,
//! and the function in its own. There are many clients, so that none exceeds Cognito's five attempts an
//! hour. Each client has at most one pending request, so that its password is always known.

mod mix;

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fake_cognito::{FakeCognito, Operation, Options};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use mix::{Client, Kind, TOKEN_LIFETIME};
use runtime_api::{Answer, RuntimeApi};

const USAGE: &str = "Usage: load BINARY [INVOCATIONS [CONCURRENCY]]";

/// The number of clients. It is far above any sensible concurrency, so that no client's turns follow
/// each other quickly.
const CLIENTS: usize = 64;

/// The number of invocations after which caches and connection pools are warm, and memory should not
/// grow any more.
const WARM: usize = 1_000;

/// The maximum growth of memory after warm-up. The allocator causes some growth without a leak.
const MAX_GROWTH: f64 = 1.1;

/// The function's timeout.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The timeout of the whole run. 100,000 invocations take minutes.
const RUN_LIMIT: Duration = Duration::from_mins(20);

/// The number of wrong statuses that are printed in full. The rest are only counted.
const SHOWN: usize = 5;

/// The fake's clock advances by this each time about half of the clients have had a turn. A client then
/// has at most one turn an hour, with at most three attempts, and Cognito allows five.
const HOUR: Duration = Duration::from_hours(1);

struct Load {
    cognito: FakeCognito,
    api: RuntimeApi,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clients: VecDeque<Client>,
    random: fastrand::Rng,
    begun: usize,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    lost: usize,
    crossed: usize,
    wrong_statuses: usize,
    wrong_passwords: usize,
    /// Requests that the function must reject without calling Cognito.
    refused: usize,
    /// The expected number of `ChangePassword` calls for the other requests.
    expected_calls: usize,
    latencies: Vec<Duration>,
}

/// The resources of the function's process.
struct Usage {
    rss_kib: u32,
    descriptors: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match tokio::time::timeout(RUN_LIMIT, run()).await {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(error)) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
        Err(_elapsed) => {
            eprintln!("load: not finished after {RUN_LIMIT:?}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let binary = arguments.next().ok_or(USAGE)?;
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<usize>());
    let invocations = number(100_000).map_err(|_| USAGE)?;
    let concurrency = number(1).map_err(|_| USAGE)?.clamp(1, CLIENTS / 4);

    let options = Options { token_lifetime: TOKEN_LIFETIME, ..Options::default() };
    let cognito = FakeCognito::start_with(options).await?;
    let api = RuntimeApi::start(TIME_LIMIT).await?;
    let clients = (0..CLIENTS).map(|number| Client::sign_up(number, &cognito)).collect();
    // A fixed seed: every run sends the same requests in the same order.
    let random = fastrand::Rng::with_seed(4);
    let mut function = start(&binary, &cognito, &api, concurrency)?;
    let process = function.id().ok_or("the function has ended")?;
    let state = Mutex::new(State { clients, random, ..State::default() });
    let load = Arc::new(Load { cognito, api, state });

    let drive = async {
        load.drive(WARM.min(invocations), concurrency).await;
        let early = Usage::of(process)?;
        load.drive(invocations, concurrency).await;
        Ok::<_, Box<dyn Error>>((early, Usage::of(process)?))
    };
    let (early, late) = tokio::select! {
        usage = drive => usage?,
        status = function.wait() => return Err(format!("the function ended: {}", status?).into()),
    };
    Ok(load.report(&early, &late, concurrency))
}

/// Starts the function with only the variables that Lambda and a deployment set.
fn start(
    binary: &str,
    cognito: &FakeCognito,
    api: &RuntimeApi,
    concurrency: usize,
) -> Result<Child, Box<dyn Error>> {
    let mut command = Command::new(binary);
    command.env_clear().envs([
        ("AWS_REGION", "eu-west-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "change-password"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_RUNTIME_API", api.address()),
        ("AWS_ENDPOINT_URL", cognito.endpoint_url()),
        ("USER_CHANGES_PER_MINUTE", "1000000"),
        ("USER_POOL_ID", cognito.pool_id()),
        ("USER_POOL_CLIENT_IDS", cognito.client_id()),
    ]);
    if concurrency > 1 {
        command.env("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string());
    }
    command.stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().map_err(|error| format!("{binary}: {error}").into())
}

impl Load {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes invocations until their total number is `until` and all have finished.
    async fn drive(self: &Arc<Self>, until: usize, concurrency: usize) {
        let work = |load: Arc<Self>| async move { while load.turn(until).await {} };
        let workers: JoinSet<()> = (0..concurrency).map(|_| work(Arc::clone(self))).collect();
        workers.join_all().await;
    }

    /// Makes one invocation. Returns `false` if there have been enough.
    async fn turn(&self, until: usize) -> bool {
        let (number, kind, mut client) = {
            let state = &mut *self.state();
            if state.begun == until {
                return false;
            }
            state.begun += 1;
            let kind = Kind::random(&mut state.random);
            let client = state.clients.pop_front().expect("there are more clients than workers");
            (state.begun, kind, client)
        };
        if number.is_multiple_of(CLIENTS / 2) {
            self.cognito.advance(HOUR);
        }
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let answer = self.api.invoke(&id, client.event(kind, &self.cognito)).await;
        let in_force = client.settle(kind, &self.cognito);
        let state = &mut *self.state();
        state.clients.push_back(client);
        state.tally.add(&id, kind, answer);
        state.tally.wrong_passwords += usize::from(!in_force);
        true
    }

    /// Prints the results, and returns whether there were no errors and no leaks.
    fn report(&self, early: &Usage, late: &Usage, concurrency: usize) -> bool {
        let state = &mut *self.state();
        let (invocations, tally) = (state.begun, &mut state.tally);
        // The number of calls for the other requests is known, so surplus calls were for rejected ones.
        let surplus = self.cognito.calls(Operation::ChangePassword).abs_diff(tally.expected_calls);
        tally.latencies.sort_unstable();
        let latency = |percent| {
            let last = tally.latencies.len().saturating_sub(1);
            tally.latencies.get(last * percent / 100).copied().unwrap_or_default()
        };
        let noughts = [
            ("answers lost", tally.lost),
            ("answers doubled", self.api.strays()),
            ("answers crossed", tally.crossed),
            ("wrong statuses", tally.wrong_statuses),
            ("wrong passwords in force", tally.wrong_passwords),
            ("calls for rejected requests", surplus),
        ];
        println!("{:<28}{invocations}, {concurrency} at once", "invocations");
        for (name, count) in noughts {
            println!("{name:<28}{count}");
        }
        println!("{:<28}{}", "rejected before Cognito", tally.refused);
        println!("{:<28}{}", "connections to Cognito", self.cognito.connections());
        let [p50, p99, max] = [50, 99, 100].map(latency);
        println!("{:<28}{p50:.1?} / {p99:.1?} / {max:.1?}", "latency p50 / p99 / max");
        let growth = f64::from(late.rss_kib) / f64::from(early.rss_kib);
        println!(
            "{:<28}{} KiB / {} KiB (x {growth:.3})",
            format!("memory at {WARM} / the end"),
            early.rss_kib,
            late.rss_kib
        );
        let descriptors = format!("descriptors at {WARM} / end");
        println!("{descriptors:<28}{} / {}", early.descriptors, late.descriptors);
        // Each concurrent invocation may hold a connection to Cognito. Their number is random.
        let leaks = late.descriptors >= early.descriptors + concurrency;
        noughts.iter().all(|(_, count)| *count == 0) && growth <= MAX_GROWTH && !leaks
    }
}

impl Tally {
    fn add(&mut self, id: &str, kind: Kind, answer: Option<Answer>) {
        let outcome = kind.outcome();
        self.expected_calls += outcome.calls;
        self.refused += usize::from(outcome.status >= 400 && outcome.calls == 0);
        let Some(Answer { result, latency }) = answer else {
            self.lost += 1;
            return;
        };
        self.latencies.push(latency);
        let (Ok(bytes) | Err(bytes)) = &result;
        let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let problem = answer["body"].as_str().unwrap_or_default();
        let problem: Value = serde_json::from_str(problem).unwrap_or_default();
        // A success contains no id, but a crossed one leaves a wrong password in force.
        self.crossed += usize::from(outcome.status >= 400 && problem["requestId"] != id);
        if answer["statusCode"] != outcome.status {
            self.wrong_statuses += 1;
            if self.wrong_statuses <= SHOWN {
                eprintln!("{kind:?} should return {}: {answer}", outcome.status);
            }
        }
    }
}

impl Usage {
    fn of(process: u32) -> Result<Self, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let rss_kib = rss.trim().trim_end_matches(" kB").parse()?;
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.count();
        Ok(Self { rss_kib, descriptors })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tally(answer: Option<Value>) -> [usize; 3] {
        let mut tally = Tally::default();
        let answer = answer.map(|answer| Answer {
            result: Ok(answer.to_string().into()),
            latency: Duration::ZERO,
        });
        tally.add("mine", Kind::WeakPassword, answer);
        [tally.lost, tally.crossed, tally.wrong_statuses]
    }

    fn problem(status: u16, id: &str) -> Value {
        json!({ "statusCode": status, "body": json!({ "requestId": id }).to_string() })
    }

    #[test]
    fn lost_and_crossed_answers_and_wrong_statuses_are_counted() {
        assert_eq!(tally(Some(problem(422, "mine"))), [0, 0, 0]);
        assert_eq!(tally(None), [1, 0, 0]);
        assert_eq!(tally(Some(problem(422, "another's"))), [0, 1, 0]);
        assert_eq!(tally(Some(problem(500, "mine"))), [0, 0, 1]);
        assert_eq!(tally(Some(json!({ "errorMessage": "a panic" }))), [0, 1, 1]);
    }
}
