//! Faults of operations, and when they occur.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::time::Duration;

use crate::{Exception, Operation};

/// A fault of one operation.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The operation is not performed. The response is this exception, which need not be one of
    /// Cognito's.
    Error(Exception),
    /// The operation is not performed. The response is this one.
    Raw {
        /// The HTTP status.
        status: u16,
        /// The `Content-Type` header.
        content_type: &'static str,
        /// The whole body.
        body: &'static str,
    },
    /// The operation is not performed. The connection closes without a response after the request
    /// has been read.
    DropBefore,
    /// The operation is performed. The connection closes without a response.
    DropAfter,
    /// The operation is performed. The connection closes after half of the response body.
    CutAnswer,
    /// The operation is performed and the response is sent after this delay.
    StallBefore(Duration),
    /// The operation is performed at once. The response is sent after this delay.
    StallAfter(Duration),
}

impl Fault {
    /// An exception with its usual message, such as `LimitExceededException`.
    pub fn exception(code: &str) -> Self {
        Self::Error(Exception::usual(code))
    }

    /// An exception with this message.
    pub fn error(code: &str, message: &str) -> Self {
        Self::Error(Exception::new(code, message))
    }

    /// A load balancer's error page instead of JSON.
    pub fn html() -> Self {
        Self::Raw {
            status: 503,
            content_type: "text/html",
            body: "<html><body><h1>503 Service Unavailable</h1></body></html>",
        }
    }

    /// A `200` with an empty body.
    pub fn empty() -> Self {
        Self::Raw { status: 200, content_type: "application/x-amz-json-1.1", body: "" }
    }
}

/// Parses the notation for `/_fake/faults` in the crate's documentation.
impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, detail) = text.split_once(':').unwrap_or((text, ""));
        let (name, detail) = (name.trim(), detail.trim());
        let pause = || match detail.parse() {
            Ok(millis) => Ok(Duration::from_millis(millis)),
            Err(_) => Err(format!("{name} needs milliseconds, as in {name}:3000")),
        };
        match name {
            "drop-before" => Ok(Self::DropBefore),
            "drop-after" => Ok(Self::DropAfter),
            "cut-answer" => Ok(Self::CutAnswer),
            "stall-before" => pause().map(Self::StallBefore),
            "stall-after" => pause().map(Self::StallAfter),
            "html" => Ok(Self::html()),
            "empty" => Ok(Self::empty()),
            code if code.ends_with("Exception") && detail.is_empty() => Ok(Self::exception(code)),
            code if code.ends_with("Exception") => Ok(Self::error(code, detail)),
            _ => Err(format!(
                "unknown fault: {name}; the faults are drop-before, drop-after, cut-answer, \
                 stall-before:<ms>, stall-after:<ms>, html, empty and <Name>Exception[: message]"
            )),
        }
    }
}

/// The faults set for each operation.
#[derive(Default)]
pub(crate) struct Faults {
    /// One-shot faults, each for a request whose body contains a text.
    about: Vec<(Operation, String, Fault)>,
    once: HashMap<Operation, VecDeque<Fault>>,
    always: HashMap<Operation, Fault>,
}

impl Faults {
    pub(crate) fn push(&mut self, operation: Operation, fault: Fault) {
        self.once.entry(operation).or_default().push_back(fault);
    }

    pub(crate) fn push_about(&mut self, operation: Operation, text: &str, fault: Fault) {
        self.about.push((operation, text.to_owned(), fault));
    }

    pub(crate) fn stick(&mut self, operation: Operation, fault: Fault) {
        self.always.insert(operation, fault);
    }

    pub(crate) fn next(&mut self, operation: Operation, body: &[u8]) -> Option<Fault> {
        let body = String::from_utf8_lossy(body);
        let is_meant = |(meant, text, _): &(Operation, String, Fault)| {
            *meant == operation && body.contains(text.as_str())
        };
        if let Some(index) = self.about.iter().position(is_meant) {
            return Some(self.about.remove(index).2);
        }
        let once = self.once.get_mut(&operation).and_then(VecDeque::pop_front);
        once.or_else(|| self.always.get(&operation).cloned())
    }
}
