//! The envelope of a request: what the audit event records of a raw event, even if the event cannot be
//! read as a request.
//!
//! Translating an event fails on many odd requests. This reads only a few members, and skips those
//! that are missing or of another type.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::Method;
use serde_json::value::RawValue;

use crate::audit::Record;
use crate::json::{Members, text};
use crate::request::Route;

/// What is known of an event before it is read as a request.
#[derive(Debug, Default)]
pub struct Envelope {
    /// The `operationId` in `openapi.yaml`; none when there is no such route.
    pub operation: Option<&'static str>,
    /// The client's address as the gateway saw it, which no client can forge.
    pub source_ip: Option<IpAddr>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// Whether the event has more than one `Authorization` header, in any case of its letters.
    ///
    /// A translated event does not show this: of two names that differ only in case, it keeps one.
    pub has_several_tokens: bool,
}

/// The members of an event that are read here.
struct Event<'a> {
    members: Members<'a>,
    context: Members<'a>,
    headers: Members<'a>,
    lists: Members<'a>,
}

impl Envelope {
    /// Reads an event of any kind.
    #[must_use]
    pub fn read(payload: &str) -> Self {
        let members = Members::parse(payload).unwrap_or_default();
        let object = |name| members.object(name).unwrap_or_default();
        let (context, headers, lists) =
            (object("requestContext"), object("headers"), object("multiValueHeaders"));
        let event = Event { members, context, headers, lists };
        Self {
            operation: event.operation(),
            source_ip: event.source_ip(),
            user_agent: event.header("user-agent").first().and_then(|value| owned(value)),
            has_several_tokens: event.has_several("authorization"),
        }
    }

    /// A record for the audit event, with what the envelope says.
    #[must_use]
    pub fn record(&self) -> Record {
        Record {
            operation: self.operation,
            source_ip: self.source_ip,
            user_agent: self.user_agent.clone(),
            ..Record::default()
        }
    }
}

impl<'a> Event<'a> {
    fn operation(&self) -> Option<&'static str> {
        let http = self.context.object("http").unwrap_or_default();
        let method = http.text("method").or_else(|| self.members.text("httpMethod"))?;
        let path = self.members.text("rawPath").or_else(|| self.members.text("path"))?;
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        Route::find(&method, &path).ok().map(|route| route.operation_id())
    }

    fn source_ip(&self) -> Option<IpAddr> {
        let seen = |place| self.context.object(place).map(|place| place.text("sourceIp"));
        let address = match seen("http").or_else(|| seen("identity")) {
            Some(address) => address?,
            None => self.context.get("elb").and_then(|_| self.forwarded_for())?,
        };
        let with_port = || address.parse().ok().map(|address: SocketAddr| address.ip());
        // Load balancers can be configured to add the client's port.
        address.parse().ok().or_else(with_port)
    }

    /// The address that a load balancer appended to the header that the client sent.
    fn forwarded_for(&self) -> Option<Cow<'a, str>> {
        let addresses = text(self.header("x-forwarded-for").last()?)?;
        let last = addresses.rsplit(',').next()?.trim();
        Some(last.to_owned().into())
    }

    /// All values of a header: those of the lists, if the event has lists, or else the single ones.
    fn header(&self, name: &str) -> Vec<&'a RawValue> {
        let values = values(&self.lists, name);
        if values.is_empty() { self::values(&self.headers, name) } else { values }
    }

    /// Whether a header has several names, or other values in the lists than beside them.
    fn has_several(&self, name: &str) -> bool {
        let is_repeated = |headers: &Members| headers.get_all(name).nth(1).is_some();
        let (single, listed) = (values(&self.headers, name), values(&self.lists, name));
        let is_other = |value: &&RawValue| listed.iter().all(|known| known.get() != value.get());
        is_repeated(&self.headers)
            || is_repeated(&self.lists)
            || !listed.is_empty() && single.iter().any(is_other)
    }
}

fn values<'a>(headers: &Members<'a>, name: &str) -> Vec<&'a RawValue> {
    let list = |value: &'a RawValue| serde_json::from_str(value.get());
    headers.get_all(name).flat_map(|value| list(value).unwrap_or_else(|_| vec![value])).collect()
}

fn owned(value: &RawValue) -> Option<String> {
    text(value).map(Cow::into_owned)
}
