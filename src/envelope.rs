//! Reads a Lambda event as an HTTP request, which borrows from the payload.
//!
//! Reading never fails: the audit event records what can be read even if the event is not a
//! request, and unused members may have any type. Only the payload contains the request's secrets.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::audit::Record;
use crate::error::Error;
use crate::headers::Headers;
use crate::json::{Members, items, text};
use crate::language::Language;
use crate::request::{OPERATION_HEADER, Route};

const NOT_HTTP: &str = "The event is not an HTTP request.";
const NOT_BASE64: &str = "The body is not valid base64.";

/// The kind of service that sent an event, which determines the shapes of event and response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An HTTP API or a function URL, which have the same format; also any unknown source.
    HttpApi,
    /// A REST API.
    RestApi,
    /// An Application Load Balancer.
    LoadBalancer,
}

/// A request whose body is not decoded yet.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The kind of service that expects the response.
    pub source: Source,
    /// The method; `GET` if the event has none.
    pub method: Method,
    /// The request's route, or the error if it has none.
    pub route: Result<Route, Error>,
    /// The request's headers.
    pub headers: Headers<'a>,
    /// The language of the messages: from `?lang=` if present, otherwise from `Accept-Language`.
    pub language: Language,
    /// The claims that API Gateway's authorizer read; empty if there is no authorizer. They prove
    /// nothing, since it may have read another token.
    pub authorizer_claims: Members<'a>,
    /// The client's address as the gateway saw it, which no client can forge.
    pub source_ip: Option<IpAddr>,
    /// The request's body.
    pub body: SealedBody<'a>,
}

/// A body that is not decoded yet.
#[derive(Debug)]
pub struct SealedBody<'a> {
    event: Members<'a>,
    is_of_a_known_source: bool,
}

impl<'a> Envelope<'a> {
    /// Reads an event of any kind.
    #[must_use]
    pub fn read(payload: &'a str) -> Self {
        let event = Members::parse(payload).unwrap_or_default();
        let context = event.object("requestContext").unwrap_or_default();
        let http = context.object("http").unwrap_or_default();
        let source = Source::of(&context);
        let method = http.text("method").or_else(|| event.text("httpMethod"));
        let method = method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
        let path = event.text("rawPath").or_else(|| event.text("path"));
        let headers = |name| event.object(name).unwrap_or_default();
        let headers = Headers::new(headers("headers"), headers("multiValueHeaders"));
        let route = match (&method, path) {
            (Some(method), Some(path)) => match Route::find(method, &path) {
                Err(Error::NotFound) if headers.get(OPERATION_HEADER).is_some() => {
                    Route::find_wire(method, &path)
                }
                found => found,
            },
            _ => Err(malformed(NOT_HTTP)),
        };
        let source_ip = match source {
            None => None,
            Some(Source::HttpApi) => http.text("sourceIp"),
            Some(Source::RestApi) => context.object("identity").and_then(|at| at.text("sourceIp")),
            Some(Source::LoadBalancer) => headers.get_all("x-forwarded-for").next_back(),
        };
        let authorizer = context.object("authorizer").unwrap_or_default();
        // From an HTTP API's JWT authorizer, or from a REST API's authorizer for user pools.
        let authorizer_claims = match authorizer.object("jwt") {
            Some(jwt) => jwt.object("claims"),
            None => authorizer.object("claims"),
        };
        // A load balancer appends the address to the list that the client sent.
        let source_ip = source_ip.and_then(|list| address(list.rsplit(',').next()?.trim()));
        Self {
            source: source.unwrap_or(Source::HttpApi),
            method: method.unwrap_or_default(),
            route,
            source_ip,
            language: language(&event, &headers),
            headers,
            authorizer_claims: authorizer_claims.unwrap_or_default(),
            body: SealedBody { event, is_of_a_known_source: source.is_some() },
        }
    }

    /// Starts the audit event's record with the facts from the envelope.
    #[must_use]
    pub fn record(&self) -> Record {
        Record {
            operation: self.route.as_ref().ok().map(Route::operation_id),
            source_ip: self.source_ip,
            user_agent: self.headers.get("user-agent").map(|agent| agent.to_owned()),
            ..Record::default()
        }
    }
}

impl SealedBody<'_> {
    /// Decodes the body into a buffer that is wiped when dropped; it is empty if there is no body.
    ///
    /// # Errors
    ///
    /// [`Error::MalformedRequest`] if the event is not an HTTP request, or if its body is marked as
    /// base64 and is not.
    pub fn open(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let is_object =
            |name| self.event.optional(name).is_none_or(|value| value.get().starts_with('{'));
        if !self.is_of_a_known_source
            || self.event.has_repeated_names()
            || !is_object("headers")
            || !is_object("multiValueHeaders")
        {
            return Err(malformed(NOT_HTTP));
        }
        let body = match self.event.optional("body").map(text) {
            None => return Ok(Zeroizing::default()),
            Some(None) => return Err(malformed(NOT_HTTP)),
            Some(Some(body)) => body,
        };
        match self.event.optional("isBase64Encoded").map(RawValue::get) {
            None | Some("false") => Ok(Zeroizing::new(body.as_bytes().to_vec())),
            Some("true") => {
                let decoded = STANDARD.decode(body.as_bytes()).map(Zeroizing::new);
                decoded.map_err(|_| malformed(NOT_BASE64))
            }
            _ => Err(malformed(NOT_HTTP)),
        }
    }
}

impl Source {
    fn of(context: &Members) -> Option<Self> {
        if context.get("http").is_some() {
            Some(Self::HttpApi)
        } else if context.get("identity").is_some() {
            Some(Self::RestApi)
        } else {
            context.get("elb").map(|_| Self::LoadBalancer)
        }
    }
}

/// The language that a request prefers; English if none of its languages is supported.
fn language(event: &Members, headers: &Headers) -> Language {
    let language = match queried(event, "lang") {
        Some(range) => Language::look_up(&range),
        None => Language::preferred(headers.get_all("accept-language")),
    };
    language.unwrap_or_default()
}

/// The first value of a query parameter, without decoding: a language tag needs no escapes.
///
/// HTTP APIs and function URLs send the raw query, REST APIs and load balancers its parameters.
fn queried(event: &Members, name: &str) -> Option<String> {
    if let Some(query) = event.text("rawQueryString") {
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        return pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned());
    }
    let listed = event.object("multiValueQueryStringParameters").and_then(|all| all.get(name));
    let listed = listed.and_then(|values| items(values)?.into_iter().next());
    let single = || event.object("queryStringParameters")?.get(name);
    text(listed.or_else(single)?).map(|value| value.to_string())
}

fn malformed(detail: &str) -> Error {
    Error::MalformedRequest(detail.to_owned())
}

/// Reads an address; load balancers can be configured to add the client's port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_each_source_is_read_as_the_same_request() {
        for (source, event) in [
            (
                Source::HttpApi,
                r#"{"requestContext":{"http":{"method":"POST","sourceIp":"192.0.2.7"}},
                    "rawPath":"/change-password","headers":{"user-agent":"App/1"},"body":"{}"}"#,
            ),
            (
                Source::RestApi,
                r#"{"requestContext":{"identity":{"sourceIp":"192.0.2.7"}},"httpMethod":"POST",
                    "path":"/change-password","headers":{"User-Agent":"App/1"},"body":"{}"}"#,
            ),
            (
                Source::LoadBalancer,
                r#"{"requestContext":{"elb":{}},"httpMethod":"POST","path":"/change-password",
                    "multiValueHeaders":{"user-agent":["App/1"],
                    "x-forwarded-for":["192.0.2.9, 192.0.2.8","198.51.100.1, 192.0.2.7"]},
                    "body":"e30=","isBase64Encoded":true}"#,
            ),
        ] {
            let envelope = Envelope::read(event);
            assert_eq!((envelope.source, &envelope.method), (source, &Method::POST));
            assert_eq!(*envelope.route.as_ref().unwrap(), Route::ChangePassword);
            assert_eq!(envelope.record().user_agent.as_deref(), Some("App/1"));
            assert_eq!(envelope.source_ip, "192.0.2.7".parse().ok());
            assert_eq!(**envelope.body.open().unwrap(), *b"{}");
        }
    }

    #[test]
    fn an_event_of_unknown_source_has_an_operation_for_the_record_but_no_body() {
        for context in ["null", "[]", "{}", r#"{"elasticsearch":{}}"#] {
            let event = format!(
                r#"{{"requestContext":{context},"httpMethod":"POST","path":"/change-password"}}"#
            );
            let envelope = Envelope::read(&event);
            assert_eq!(envelope.record().operation, Some("changePassword"));
            assert!(envelope.body.open().is_err(), "{context}");
        }
    }
}
