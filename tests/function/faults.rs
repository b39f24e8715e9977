//! The outcome is always true: every fault between the function and Cognito, made and not made.

use std::iter::{once, repeat};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use fake_cognito::{FakeCognito, Operation};
use futures_util::stream::{self, StreamExt as _};
use tokio::task::JoinSet;

use crate::harness::{Function, NEW, OLD, Reply, Way, assert_no_secret, log};
use crate::proxy::{self, Answer, Fault, Forwarded, Late};

use Forwarded::{AfterTheAnswer, BeforeTheAnswer, Never};

/// An invocation's time: enough for a call that is not answered, and for a probe that is not.
const TIME: Duration = Duration::from_secs(9);

/// For what nobody expects to be still under way once the function has answered.
const AFTERWARDS: Duration = Duration::from_millis(600);

/// Rows that go on side by side: most of a row is waiting, and too many would keep one another from
/// answering in time.
const AT_ONCE: usize = 4;

/// Where nothing listens, so that every connection is refused.
const REFUSED: &str = "http://127.0.0.1:9";

fn http(status: u16, content_type: &str, body: &str) -> Answer {
    Answer::Bytes(response(status, content_type, body))
}

fn response(status: u16, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn page(status: u16) -> Answer {
    http(status, "text/html", "<html><body><h1>Sorry</h1></body></html>")
}

fn json(status: u16, body: &str) -> Answer {
    http(status, "application/x-amz-json-1.1", body)
}

/// An answer of Cognito's that ends so many bytes early.
fn cut(status: u16, body: &str, missing: usize) -> Answer {
    let mut bytes = response(status, "application/x-amz-json-1.1", body);
    bytes.truncate(bytes.len() - missing);
    Answer::Bytes(bytes)
}

/// What goes wrong once the request is sent, where in its way, and the only right answers.
///
/// Each faulty answer closes its connection, so the probe that follows opens another one and finds
/// Cognito well again.
fn ambiguous() -> Vec<(&'static str, Answer, Forwarded, &'static [u64])> {
    let ok = response(200, "application/x-amz-json-1.1", "{}");
    let internal = r#"{"__type":"InternalErrorException"}"#;
    // Read to its end, it would be believed: 204, whether or not the change was made.
    let huge = format!("{{{}}}", " ".repeat(8 * 1024 * 1024));
    // Something answered, so that the request is over: a probe tells either way.
    let answered = [
        ("not JSON", page(200)),
        ("JSON, but not Cognito's", json(200, r#"{"Output":{"__type":"X"}}"#)),
        ("empty 200", json(200, "")),
        ("huge", json(200, &huge)),
        ("cut in the body", cut(200, "{}", 1)),
        ("500 of Cognito's own", json(500, internal)),
        ("500 of Cognito's own, cut", cut(500, internal, 9)),
        ("500, no body", json(500, "")),
        ("500, a page", page(500)),
        ("502, no body", json(502, "")),
        ("502, a page", page(502)),
        ("503, no body", json(503, "")),
        ("503, a page", page(503)),
    ];
    // Nothing did, or only to say so: whatever was not made yet may still be.
    let unanswered = [
        ("dropped once read", Answer::Bytes(Vec::new())),
        ("reset once read", Answer::Reset),
        ("garbage", Answer::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".into())),
        ("cut in the head", cut(200, "{}", 40)),
        ("stalled", Answer::Stall),
        ("byte by byte", Answer::Slow(ok)),
        ("504, no body", json(504, "")),
        ("504, a page", page(504)),
    ];
    let mut rows = Vec::new();
    for (name, answer) in answered {
        rows.push((name, answer.clone(), BeforeTheAnswer, [204].as_slice()));
        rows.push((name, answer, Never, &[502]));
    }
    for (name, answer) in unanswered {
        rows.push((name, answer.clone(), BeforeTheAnswer, &[204]));
        rows.push((name, answer.clone(), Never, &[504]));
        rows.push((name, answer, AfterTheAnswer, &[504]));
    }
    // A race: the function may see that the connection has gone before it sends, and take another.
    rows.push(("dropped unread", Answer::Unread, Never, &[204, 504]));
    rows
}

/// Asks for the change, and holds the answer against what Cognito says then and later.
async fn change_truly(name: &str, function: &Function, time: Duration, allowed: &[u64]) -> Reply {
    let started = Instant::now();
    let reply = function.change().await;
    assert!(started.elapsed() < time, "{name}: too late");
    assert!(allowed.contains(&reply.status), "{name}: {reply:?}");
    if reply.status != 204 {
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{name}");
        assert_eq!(reply.json()["status"], reply.status, "{name}");
    }
    let password = || function.cognito.password_of("demo").unwrap();
    let true_password = match reply.status {
        204 => Some(NEW),
        504 => None,
        _ => Some(OLD),
    };
    assert!(true_password.is_none_or(|truth| truth == password()), "{name}: {reply:?}");
    function.late.release().await;
    tokio::time::sleep(AFTERWARDS).await;
    assert!(true_password.is_none_or(|truth| truth == password()), "{name}, later: {reply:?}");
    reply
}

#[tokio::test]
async fn a_request_that_was_sent_is_answered_with_what_became_of_it() {
    let rows = stream::iter(ambiguous()).map(async |(name, answer, forwarded, allowed)| {
        let name = format!("{name}, forwarded: {forwarded:?}");
        let function = Function::start_behind(once(Fault { forwarded, answer })).await;
        let function = function.with_time_limit(TIME);
        let reply = change_truly(&name, &function, TIME, allowed).await;
        // The change where it was forwarded, one probe, and no more: a second change would have
        // made one of what never arrived.
        let calls = function.cognito.calls(Operation::ChangePassword);
        assert!(calls <= 1 + usize::from(forwarded != Never), "{name}: {calls} calls");
        (name, reply.status)
    });
    let mut ends: Vec<_> = rows.buffer_unordered(AT_ONCE).collect().await;
    ends.sort();
    for (name, status) in &ends {
        println!("{status}  {name}");
    }
    let racing = |name: &str| name.starts_with("dropped unread");
    let definite = ends.iter().filter(|(name, status)| *status != 504 && !racing(name)).count();
    println!("{definite} of {} ambiguous faults end with a definite answer", ends.len());
    assert_eq!((definite, ends.len()), (34, 51));
    assert_no_secret(&log(), "the log");
}

#[tokio::test]
async fn a_fault_that_lasts_leaves_the_outcome_unknown_and_is_not_sent_a_third_time() {
    let rows = stream::iter(ambiguous()).map(async |(name, answer, forwarded, _)| {
        let name = format!("{name}, forwarded: {forwarded:?}, every time");
        let function = Function::start_behind(repeat(Fault { forwarded, answer })).await;
        let function = function.with_time_limit(TIME);
        // "Dropped unread" is seen before anything is sent, twice, or not.
        let allowed: &[u64] = if name.contains("unread") { &[503, 504] } else { &[504] };
        change_truly(&name, &function, TIME, allowed).await;
        let calls = function.cognito.calls(Operation::ChangePassword);
        assert_eq!(calls, if forwarded == Never { 0 } else { 2 }, "{name}");
    });
    rows.buffer_unordered(AT_ONCE).collect::<()>().await;
}

#[tokio::test]
async fn a_refusal_means_that_nothing_was_changed_and_is_not_probed() {
    let throttled = r#"{"__type":"TooManyRequestsException","message":"Too many requests"}"#;
    for (name, answer, status) in [
        ("throttled", json(400, throttled), 429),
        ("throttled, cut", cut(429, throttled, 9), 429),
        ("throttled, a page", page(429), 429),
        ("refused, a page", page(403), 502),
    ] {
        let fault = Fault { forwarded: Never, answer };
        let function = Function::start_behind(once(fault)).await.with_time_limit(TIME);
        change_truly(name, &function, TIME, &[status]).await;
        assert_eq!(function.cognito.calls(Operation::ChangePassword), 0, "{name}");
    }
}

#[tokio::test]
async fn a_request_that_was_never_sent_is_said_to_be_safe_to_send_again() {
    let other = FakeCognito::start().await;
    let https = |endpoint: &str| endpoint.replace("http:", "https:");
    let failing = |answer| {
        https(&proxy::start("", repeat(Fault { forwarded: Never, answer }), Late::default()))
    };
    for (name, endpoint) in [
        ("name not resolved", "http://no-such-host.invalid".to_owned()),
        ("connection refused", REFUSED.to_owned()),
        ("TLS refused", https(other.endpoint_url())),
        ("closed before TLS", failing(Answer::Unread)),
        ("stalled before TLS", failing(Answer::Stall)),
    ] {
        let function = Function::start_calling(&endpoint).await.with_time_limit(TIME);
        let reply = change_truly(name, &function, TIME, &[503]).await;
        assert!(reply.header("retry-after").is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_fault_near_the_end_of_the_invocation_is_answered_before_it() {
    // 250 ms are kept for the answer, and no call is begun with less than 250 ms left for it.
    let mut rows = JoinSet::new();
    for (millis, forwarded, status, calls) in [
        (400, BeforeTheAnswer, 503, 0),
        (2_000, Never, 504, 0),
        (2_000, BeforeTheAnswer, 504, 1),
        (2_000, AfterTheAnswer, 504, 1),
        (5_500, BeforeTheAnswer, 204, 2),
    ] {
        rows.spawn(async move {
            let name = format!("{millis} ms, forwarded: {forwarded:?}");
            let time = Duration::from_millis(millis);
            let fault = Fault { forwarded, answer: Answer::Stall };
            let function = Function::start_behind(once(fault)).await.with_time_limit(time);
            change_truly(&name, &function, time, &[status]).await;
            assert_eq!(function.cognito.calls(Operation::ChangePassword), calls, "{name}");
        });
    }
    rows.join_all().await;
}

/// Sends its first request to where connections are refused.
#[derive(Debug)]
struct RefusedOnce {
    refused: AtomicBool,
    connector: SharedHttpConnector,
}

impl HttpConnector for RefusedOnce {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if !self.refused.swap(true, Ordering::Relaxed) {
            request.set_uri(REFUSED).unwrap();
        }
        self.connector.call(request)
    }
}

#[tokio::test]
async fn a_connection_that_was_refused_is_tried_once_more() {
    let function = Function::start_by_way_of(|way| {
        let refused_once = RefusedOnce { refused: false.into(), connector: way.connector };
        Way { connector: SharedHttpConnector::new(refused_once), ..way }
    })
    .await;
    assert_eq!(function.change().await.status, 204);
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 1);
    function.assert_password(NEW);
}
