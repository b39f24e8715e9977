//! The copies of a request's secrets that stay in the function's memory after the response: those
//! that SECURITY.md lists, and none of the function's own.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_cognito::{FakeCognito, User};
use runtime_api::RuntimeApi;
use serde_json::{Value, json};

use crate::harness::{post, sample};

/// Each ends with a character that JSON escapes, so that it passes through the code for escapes.
const PREVIOUS: &str = "Mnemosyne-4-keeps-an-old-Secret\"";
const PROPOSED: &str = "Lethe-9-forgets-the-new-Secret\"";

/// The policy rejects this: it has no digit, and no symbol except the quotation mark.
const REFUSED: &str = "LetheForgetsTheRefusedSecret\"";

/// How many bytes from the middle of a secret to search for. Freed memory loses its first bytes.
const PART: usize = 12;

/// The text before a secret in an event, whose body is a string of JSON.
const IN_AN_EVENT: [&str; 3] =
    [r#"\"previousPassword\":\""#, r#"\"proposedPassword\":\""#, r#""Bearer "#];

/// The function's binary between a stand-in for Lambda and a fake Cognito.
struct Process {
    cognito: FakeCognito,
    api: RuntimeApi,
    child: Child,
    invocations: usize,
}

impl Process {
    async fn start() -> Self {
        let cognito = FakeCognito::start().await;
        cognito.add_user(User::new("demo", PREVIOUS));
        let api = RuntimeApi::start(Duration::from_mins(1)).await.unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_change-password"))
            .env_clear()
            .envs([
                ("AWS_ENDPOINT_URL", cognito.endpoint_url()),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
                ("AWS_LAMBDA_FUNCTION_NAME", "change-password"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_RUNTIME_API", api.address()),
                ("USER_POOL_CLIENT_IDS", cognito.client_id()),
                ("USER_POOL_ID", cognito.pool_id()),
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        api.polled(1).await;
        Self { cognito, api, child, invocations: 0 }
    }

    /// Sends an event, and returns the response's status once the function polls for the next
    /// event.
    async fn invoke(&mut self, event: &Value) -> Value {
        self.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        let answer = self.api.invoke(&id, event.to_string()).await.unwrap();
        self.api.polled(self.invocations + 1).await;
        serde_json::from_slice::<Value>(&answer.result.unwrap()).unwrap()["statusCode"].take()
    }

    /// The text before each copy of a secret in the process's writable memory.
    ///
    /// None if this machine does not let a process read another's memory.
    fn find(&self, secret: &str) -> Option<Vec<String>> {
        let folder = format!("/proc/{}", self.child.id());
        let memory = File::open(format!("{folder}/mem")).ok()?;
        let maps = fs::read_to_string(format!("{folder}/maps")).ok()?;
        let start = secret.len() / 2 - PART / 2;
        let part = &secret.as_bytes()[start..start + PART];
        let mut found = Vec::new();
        for map in maps.lines().filter(|map| map.contains(" rw")) {
            let (from, to) = map.split_once(' ')?.0.split_once('-')?;
            let (from, to) =
                (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
            let mut bytes = vec![0; usize::try_from(to - from).ok()?];
            // Some mappings of the kernel's cannot be read.
            if memory.read_exact_at(&mut bytes, from).is_ok() {
                let places = (0..=bytes.len() - PART).filter(|&at| &bytes[at..at + PART] == part);
                found.extend(places.map(|at| {
                    let before = &bytes[at.saturating_sub(start + 32)..at.saturating_sub(start)];
                    String::from_utf8_lossy(before).into_owned()
                }));
            }
        }
        Some(found)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Requests for a change in each form in which events carry secrets.
fn events(token: &str, proposed: &str) -> Vec<(&'static str, Value)> {
    let body = json!({ "previousPassword": PREVIOUS, "proposedPassword": proposed });
    let http = post(token, &body);
    let mut encoded = http.clone();
    encoded["isBase64Encoded"] = true.into();
    encoded["body"] = STANDARD.encode(body.to_string()).into();
    let mut rest = sample("rest-api");
    rest["headers"]["Authorization"] = format!("Bearer {token}").into();
    rest["multiValueHeaders"]["Authorization"] = json!([format!("Bearer {token}")]);
    rest["body"] = body.to_string().into();
    let mut alb = sample("alb");
    alb["headers"]["authorization"] = format!("Bearer {token}").into();
    alb["body"] = body.to_string().into();
    vec![("HTTP API", http), ("base64", encoded), ("REST API", rest), ("load balancer", alb)]
}

fn is_in_an_event(before: &str) -> bool {
    IN_AN_EVENT.iter().any(|text| before.ends_with(text))
}

#[tokio::test]
async fn after_a_rejected_change_only_the_events_own_bytes_contain_its_secrets() {
    for source in 0..4 {
        let mut process = Process::start().await;
        let token = process.cognito.access_token("demo");
        let (source, event) = events(&token, REFUSED).swap_remove(source);
        assert_eq!(process.invoke(&event).await, 422, "{source}");
        for secret in [PREVIOUS, REFUSED, &token] {
            let Some(found) = process.find(secret) else { return };
            let others: Vec<_> = found.iter().filter(|before| !is_in_an_event(before)).collect();
            assert!(others.is_empty(), "{source}: {secret:.12}… after {others:?}");
        }
    }
}

#[tokio::test]
async fn after_a_change_only_the_event_and_requests_to_cognito_leave_a_body_in_memory() {
    for source in 0..4 {
        let mut process = Process::start().await;
        let token = process.cognito.access_token("demo");
        let (source, event) = events(&token, PROPOSED).swap_remove(source);
        assert_eq!(process.invoke(&event).await, 204, "{source}");
        for secret in [PREVIOUS, PROPOSED] {
            let Some(found) = process.find(secret) else { return };
            let is_ours = |before: &&String| {
                before.ends_with(r#"reviousPassword":""#) && before.contains("\"previous")
                    || before.ends_with(r#"roposedPassword":""#) && before.contains("\"proposed")
            };
            let ours: Vec<_> = found.iter().filter(is_ours).collect();
            assert!(ours.is_empty(), "{source}: {secret:.12}… after {ours:?}");
        }
    }
}

#[test]
fn security_md_lists_each_copy_that_is_not_wiped() {
    let page = include_str!("../../SECURITY.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for copy in [
        "the event's bytes in the Lambda runtime's buffers",
        "the AWS SDK's copies of its requests to Cognito",
        "the HTTP and TLS clients' buffers of what they send",
    ] {
        assert!(page.contains(copy), "SECURITY.md lacks {copy:?}");
    }
}
