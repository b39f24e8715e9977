//! The envelope of a request: what the audit event records of a raw event, even if the event cannot be
//! read as a request.
//!
//! Translating an event fails on many odd requests. This reads only a few members, and skips those
//! that are missing or of another type.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::Method;
use http::header::{AUTHORIZATION, USER_AGENT};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
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
    /// Takes the envelope of an HTTP API's event that was read already, which most events are; none if
    /// the event may have several tokens, which only its text shows.
    #[must_use]
    pub fn of_http_api(event: &ApiGatewayV2httpRequest, payload: &str) -> Option<Self> {
        if names_header_twice(payload, AUTHORIZATION.as_str()) {
            return None;
        }
        let http = &event.request_context.http;
        let route = Route::find(&http.method, event.raw_path.as_deref().unwrap_or_default());
        let user_agent = event.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Some(Self {
            operation: route.ok().map(|route| route.operation_id()),
            source_ip: http.source_ip.as_deref().and_then(address),
            user_agent: user_agent.map(str::to_owned),
            has_several_tokens: false,
        })
    }

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
        self::address(&address)
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

/// Reads an address; load balancers can be configured to add the client's port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse().ok().or_else(with_port)
}

/// Whether a text has the name of a header in quotes more than once, in any case of its letters.
fn names_header_twice(payload: &str, name: &str) -> bool {
    let is_name = |(quote, _): &(usize, &str)| {
        let rest = payload.as_bytes().get(quote + 1..quote + 2 + name.len());
        rest.is_some_and(|rest| {
            rest.ends_with(b"\"") && rest[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        })
    };
    payload.match_indices('"').filter(is_name).nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_was_read_has_the_envelope_of_its_text() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/events")).unwrap();
        let mut compared = 0;
        for file in files {
            let payload = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let Ok(event) = serde_json::from_str(&payload) else { continue };
            let of_event = Envelope::of_http_api(&event, &payload).unwrap();
            let of_text = Envelope::read(&payload);
            assert_eq!(format!("{of_event:?}"), format!("{of_text:?}"));
            compared += 1;
        }
        assert!(compared > 10);
    }

    #[test]
    fn a_second_name_is_found_in_any_case() {
        for (payload, expected) in [
            (r#"{"authorization":"a"}"#, false),
            (r#"{"authorization":"authorization-x"}"#, false),
            (r#"{"authorization":"a","Authorization":"b"}"#, true),
            (r#"{"authorization":"a","authorization":"b"}"#, true),
            ("\"", false),
            ("\"authorization", false),
        ] {
            assert_eq!(names_header_twice(payload, "authorization"), expected, "{payload}");
        }
    }
}
