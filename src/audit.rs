//! The audit event: one line of JSON for each request, which also carries the metrics.
//!
//! `docs/audit-event.md` describes the line's members. `CloudWatch` turns those that `_aws` names
//! into metrics (the embedded metric format). The line goes to standard output whatever the log
//! level, so that nobody turns the audit trail off by accident.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::error::{Error, with_sources};
use crate::policy::Violation;
use crate::settlement::{Doubt, SettledBy};
use crate::token::User;

/// Raised when a member is removed or changes its meaning, but not for a new member.
const VERSION: u32 = 1;

const NAMESPACE: &str = "ChangePassword";

/// The length, in code points, to which a request's texts are cut; real clients send shorter ones.
const MAX_TEXT: usize = 256;

/// The facts about a request, apart from its outcome.
#[derive(Debug, Default)]
pub struct Record {
    /// The `operationId` in `openapi.yaml`; none if no route matched.
    pub operation: Option<&'static str>,
    /// The address that the request came from, as the gateway saw it.
    pub source_ip: Option<IpAddr>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The token's user; none if the token was not verified.
    pub user: Option<User>,
    /// Whether Cognito ended the user's sessions; none if the client did not request that or the
    /// password did not change.
    pub signed_out_everywhere: Option<bool>,
    /// Cognito's request id of the last `ChangePassword` that it answered.
    pub cognito_request_id: Option<String>,
    /// Why the change was in doubt and how the doubt was settled; none if there was no doubt.
    pub doubt: Option<Doubt>,
    /// The time that the policy took, without network calls; none if it did not run.
    pub policy_time: Option<Duration>,
    /// The time spent waiting for Cognito, over all calls; none if it was not called.
    pub cognito_latency: Option<Duration>,
}

/// Where audit events are written.
pub struct Journal {
    function: String,
    is_cold: AtomicBool,
    writer: Mutex<Box<dyn Write + Send>>,
}

/// How a request ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// Lambda's id of the request, which problems repeat.
    pub request_id: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// The error that the response reports; none for a success.
    pub error: Option<&'a Error>,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    audit_version: u32,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_out_everywhere: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_verified_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cognito_request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cognito_request_ids: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    function: &'a str,
    version: &'static str,
    #[serde(flatten)]
    metrics: &'a Metrics,
    #[serde(rename = "_aws")]
    embedded: EmbeddedMetrics<'a>,
}

/// The values that become metrics.
struct Metrics(Vec<Metric>);

/// A metric. The line has its definition and its value in different places.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: Cow<'static, str>,
    unit: &'static str,
    #[serde(skip)]
    value: u128,
}

/// The metadata of the embedded metric format. Source: the `CloudWatch` user guide, "Embedded
/// metric format specification".
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EmbeddedMetrics<'a> {
    timestamp: i64,
    cloud_watch_metrics: [Directive<'a>; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: &'static [&'static [&'static str]],
    metrics: &'a [Metric],
}

impl Journal {
    /// Creates a journal for the function with this name.
    pub fn new(function: String, writer: impl Write + Send + 'static) -> Self {
        Self { function, is_cold: AtomicBool::new(true), writer: Mutex::new(Box::new(writer)) }
    }

    /// Writes how one request ended.
    pub fn write(&self, outcome: &Outcome, record: &Record) {
        let metrics = self.metrics(outcome, record);
        let (user, doubt) = (record.user.as_ref(), record.doubt.as_ref());
        let now = DateTime::from(SystemTime::now()).to_millis().unwrap_or_default();
        let line = Line {
            timestamp: timestamp(now),
            level: outcome.level(),
            message: "outcome",
            audit_version: VERSION,
            request_id: outcome.request_id,
            operation: record.operation,
            status: outcome.status,
            code: outcome.error.map_or("ok", |error| error.code().as_str()),
            violations: outcome.violations().map(|broken| broken.map(Violation::code).collect()),
            signed_out_everywhere: record.signed_out_everywhere,
            sub: user.and_then(|user| user.sub.as_deref()).map(recorded),
            client_id: user.and_then(|user| user.client_id.as_deref()).map(recorded),
            token_verified_by: user.map(|_| "function"),
            source_ip: record.source_ip,
            user_agent: record.user_agent.as_deref().map(recorded),
            cognito_request_id: record.cognito_request_id.as_deref(),
            cognito_request_ids: doubt.map(|doubt| doubt.request_ids.as_slice()),
            doubt: doubt.map(|doubt| doubt.cause.as_str()),
            settled_by: doubt.and_then(|doubt| doubt.settled_by).map(SettledBy::as_str),
            cause: outcome.error.and_then(std::error::Error::source).map(with_sources),
            function: &self.function,
            version: env!("CARGO_PKG_VERSION"),
            embedded: metrics.describe(now),
            metrics: &metrics,
        };
        let mut line = match serde_json::to_vec(&line) {
            Ok(line) => line,
            Err(error) => return tracing::error!(%error, "an audit event could not be written"),
        };
        line.push(b'\n');
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // If standard output fails, there is nowhere to report it.
        let _ = writer.write_all(&line).and_then(|()| writer.flush());
    }

    fn metrics(&self, outcome: &Outcome, record: &Record) -> Metrics {
        let is_cold = self.is_cold.swap(false, Ordering::Relaxed);
        let mut metrics = vec![
            Metric::new("outcomes", "Count", 1),
            Metric::new("cold_start", "Count", is_cold.into()),
        ];
        if let Some(time) = record.policy_time {
            metrics.push(Metric::new("policy_time", "Microseconds", time.as_micros()));
        }
        if let Some(time) = record.cognito_latency {
            metrics.push(Metric::new("cognito_latency", "Milliseconds", time.as_millis()));
        }
        if let Some(Error::ReadOnlyReplica(_)) = outcome.error {
            metrics.push(Metric::new("read_only_replica", "Count", 1));
        }
        for broken in outcome.violations().into_iter().flatten() {
            metrics.push(Metric::new(format!("violation_{}", broken.code()), "Count", 1));
        }
        Metrics(metrics)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("function", &self.function).finish_non_exhaustive()
    }
}

impl<'a> Outcome<'a> {
    /// `ERROR` if the service failed, `WARN` if Cognito gave an unknown reason, otherwise `INFO`.
    fn level(&self) -> &'static str {
        match self.error {
            // By the code, since the status is 400 for nearly every error in Cognito's wire format.
            Some(error) if error.code().status().is_server_error() => "ERROR",
            Some(Error::NotAuthorized(_)) => "WARN",
            _ => "INFO",
        }
    }

    fn violations(&self) -> Option<std::slice::Iter<'a, Violation>> {
        match self.error {
            Some(Error::PolicyViolation(violations)) => Some(violations.iter()),
            _ => None,
        }
    }
}

impl Metrics {
    fn describe(&self, timestamp: i64) -> EmbeddedMetrics<'_> {
        // The first metric, `outcomes`, is counted for each code.
        let (outcomes, others) = self.0.split_at(1);
        let cloud_watch_metrics = [
            Directive::new(&[&["function", "code"]], outcomes),
            Directive::new(&[&["function"]], others),
        ];
        EmbeddedMetrics { timestamp, cloud_watch_metrics }
    }
}

impl<'a> Directive<'a> {
    fn new(dimensions: &'static [&'static [&'static str]], metrics: &'a [Metric]) -> Self {
        Self { namespace: NAMESPACE, dimensions, metrics }
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for metric in &self.0 {
            map.serialize_entry(&metric.name, &metric.value)?;
        }
        map.end()
    }
}

impl Metric {
    fn new(name: impl Into<Cow<'static, str>>, unit: &'static str, value: u128) -> Self {
        Self { name: name.into(), unit, value }
    }
}

/// A request's text as the audit event records it: cut to [`MAX_TEXT`], and without invisible
/// characters, which could make one line look like another.
///
/// A text that contains a token is replaced, since some broken clients send theirs as `User-Agent`.
fn recorded(text: &str) -> Cow<'_, str> {
    if text.contains("eyJ") {
        Cow::Borrowed("(a token)")
    } else if text.len() <= MAX_TEXT && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Cow::Borrowed(text)
    } else {
        text.chars().filter(|&c| !is_invisible(c)).take(MAX_TEXT).collect()
    }
}

/// Whether a character is invisible: a control character, a format character (Unicode's
/// category `Cf`, which includes those that set the direction of text), or a line or paragraph
/// separator.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0001}'
                | '\u{e0020}'..='\u{e007f}'
        )
}

/// Formats milliseconds since 1970, always with three decimal places, so that timestamps sort as
/// text.
fn timestamp(milliseconds: i64) -> String {
    let (seconds, rest) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    let time = DateTime::from_secs(seconds).to_string();
    format!("{}.{rest:03}Z", time.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use icu_properties::props::{EnumeratedProperty as _, GeneralCategory};

    use super::*;

    #[test]
    fn a_recorded_text_loses_its_invisible_characters_and_is_cut_to_256_code_points() {
        let plain = "ExampleApp/4.2 (naïve 🔑 한국어 עברית\u{a0}ab)";
        assert_eq!(recorded(plain), plain);
        let controls = ('\u{0}'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        let bidi = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        let separators = ['\u{2028}', '\u{2029}'];
        let is_format = |c: &char| GeneralCategory::for_char(*c) == GeneralCategory::Format;
        let formats = ('\0'..=char::MAX).filter(is_format);
        for c in controls.chain(bidi).chain(separators).chain(formats) {
            assert_eq!(recorded(&format!("a{c}b")), "ab", "{c:?}");
        }
        for c in ["x", "é", "🔑"] {
            assert_eq!(recorded(&c.repeat(256)), c.repeat(256));
            assert_eq!(recorded(&c.repeat(257)), c.repeat(256));
        }
    }

    #[test]
    fn a_text_that_contains_a_token_is_not_recorded() {
        for text in ["eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln"] {
            assert_eq!(recorded(text), "(a token)");
        }
    }

    #[test]
    fn a_timestamp_always_has_three_decimal_places() {
        assert_eq!(timestamp(1_795_521_600_120), "2026-11-24T12:00:00.120Z");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
    }
}
