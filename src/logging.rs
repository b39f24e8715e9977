//! The log: JSON lines in Lambda, plain text elsewhere, and never a secret.

use std::str::FromStr as _;

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use crate::config::ConfigError;

/// The most verbose level at which other crates may log.
///
/// At `TRACE` the Lambda runtime logs whole events and the SDK whole requests, with passwords and
/// tokens in them, so no setting overrides this. At `INFO` they have only the runtime's span, which
/// costs time in every invocation and is not written in Lambda.
const OTHERS: LevelFilter = LevelFilter::WARN;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, as `CloudWatch` Logs reads them.
    Json,
    /// Text for people.
    Text,
}

/// The settings of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `AWS_LAMBDA_LOG_FORMAT`: `JSON` or `Text` (the default).
    pub format: Format,
    /// `AWS_LAMBDA_LOG_LEVEL`: `TRACE` to `FATAL`, by default `INFO`.
    pub level: LevelFilter,
}

/// Logs the location of each panic, but not its message, which may contain data of the request.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(location = panic.location().map(tracing::field::display), "panic");
    }));
}

impl Settings {
    /// Reads the two variables that Lambda sets from the function's logging configuration.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name| lookup(name).filter(|value| !value.is_empty());
        let format = match get("AWS_LAMBDA_LOG_FORMAT") {
            Some(value) if value.eq_ignore_ascii_case("json") => Format::Json,
            Some(value) if !value.eq_ignore_ascii_case("text") => {
                let name = "AWS_LAMBDA_LOG_FORMAT";
                return Err(ConfigError::Invalid { name, value, expected: "JSON or Text" });
            }
            _ => Format::Text,
        };
        let level = match get("AWS_LAMBDA_LOG_LEVEL") {
            None => LevelFilter::INFO,
            // Lambda has a level above `ERROR`, which `tracing` lacks.
            Some(value) if value.eq_ignore_ascii_case("fatal") => LevelFilter::ERROR,
            Some(value) => LevelFilter::from_str(&value).map_err(|_| ConfigError::Invalid {
                name: "AWS_LAMBDA_LOG_LEVEL",
                value,
                expected: "TRACE, DEBUG, INFO, WARN, ERROR or FATAL",
            })?,
        };
        Ok(Self { format, level })
    }

    /// A subscriber that writes to `writer`.
    pub fn subscriber<W>(self, writer: W) -> Box<dyn Subscriber + Send + Sync>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let filter = Targets::new()
            .with_default(self.level.min(OTHERS))
            .with_target(env!("CARGO_CRATE_NAME"), self.level);
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
        let lines = match self.format {
            // Lambda filters by `level` and `timestamp` at the top of each object.
            Format::Json => lines
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .boxed(),
            Format::Text => lines.boxed(),
        };
        Box::new(Registry::default().with(lines.with_filter(filter)))
    }
}
