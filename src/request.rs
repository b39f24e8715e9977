//! HTTP in: which route a request is for, and what it asks for, with every fault named.

use std::fmt;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde::de::{DeserializeSeed, MapAccess, Visitor};

use crate::credentials::Password;
use crate::error::Error;

/// The longest body read, in bytes: two passwords of 256 code points fit, each code point escaped
/// as a surrogate pair of 12 bytes.
pub const MAX_BODY: usize = 8 * 1024;

/// The longest field name that is repeated to the client, in code points.
const MAX_FIELD_NAME: usize = 40;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /change-password`
    ChangePassword,
    /// `GET /password-policy`, and `HEAD`
    PasswordPolicy,
}

/// The JSON body of `POST /change-password`.
#[derive(Debug)]
pub struct ChangePasswordBody {
    /// `previousPassword`
    pub previous: Option<Password>,
    /// `proposedPassword`
    pub proposed: Password,
    /// `signOutEverywhere`
    pub sign_out_everywhere: bool,
}

impl Route {
    /// Finds the route by the last segment of the path.
    ///
    /// A stage and the base path of a domain name may stand before it, and a slash after it. Anything
    /// that a gateway could have read as another path is no route.
    pub fn find(method: &Method, path: &str) -> Result<Self, Error> {
        let relative = path.strip_prefix('/').ok_or(Error::NotFound)?;
        let mut segments = relative.strip_suffix('/').unwrap_or(relative).rsplit('/');
        let (route, allow) = match segments.next() {
            Some("change-password") => (Self::ChangePassword, "POST"),
            Some("password-policy") => (Self::PasswordPolicy, "GET, HEAD"),
            _ => return Err(Error::NotFound),
        };
        if !segments.all(is_plain_segment) {
            return Err(Error::NotFound);
        }
        if allow.split(", ").any(|allowed| allowed == method.as_str()) {
            Ok(route)
        } else {
            Err(Error::MethodNotAllowed { allow })
        }
    }

    /// The name by which `openapi.yaml` knows what is asked for; a `HEAD` counts as its `GET`.
    #[must_use]
    pub fn operation_id(&self) -> &'static str {
        match self {
            Self::ChangePassword => "changePassword",
            Self::PasswordPolicy => "getPasswordPolicy",
        }
    }
}

/// Whether a segment of a path reads the same to everyone: letters, digits, `-` and `_`.
fn is_plain_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Reads the one bearer token of the `Authorization` header (RFC 6750, section 2.1).
///
/// A token may also stand there without `Bearer`. API Gateway's authorizer accepts that, and a client
/// that got a 401 after it would fetch one new token after another.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Error::MissingToken);
    };
    let value = value.to_str().map_err(|_| Error::MissingToken)?.trim();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        None if is_jwt_like(value) => Ok(value),
        _ => Err(Error::MissingToken),
    }
}

/// Whether a text is three parts of base64url, with dots between them.
fn is_jwt_like(text: &str) -> bool {
    // The alphabet of base64url happens to be that of plain segments.
    text.split('.').count() == 3 && text.split('.').all(is_plain_segment)
}

/// Refuses a body that does not say it is JSON; parameters such as `charset` are ignored.
pub fn require_json(headers: &HeaderMap) -> Result<(), Error> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Error::UnsupportedMediaType)
    }
}

impl ChangePasswordBody {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`Error::PayloadTooLarge`], or [`Error::MalformedRequest`] with the field's name. No error
    /// ever holds a value: serde's own texts would.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.len() > MAX_BODY {
            return Err(Error::PayloadTooLarge { max: MAX_BODY });
        }
        let mut fault = None;
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = BodyReader { fault: &mut fault }.deserialize(&mut json);
        let read = read.and_then(|body| json.end().map(|()| body));
        read.map_err(|error| {
            Error::MalformedRequest(match fault {
                Some(fault) if error.is_data() => fault.to_string(),
                _ if error.is_data() => Fault::NotAnObject.to_string(),
                _ => format!(
                    "The body is not valid JSON (line {}, column {}).",
                    error.line(),
                    error.column()
                ),
            })
        })
    }
}

/// What is wrong with a body that is JSON.
enum Fault {
    NotAnObject,
    Unknown(String),
    Repeated(&'static str),
    Missing(&'static str),
    NotAString(&'static str),
    NotABoolean(&'static str),
    Empty(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("The body is not a JSON object."),
            Self::Unknown(name) if is_field_name(name) => {
                write!(f, "The field `{name}` is not known.")
            }
            Self::Unknown(_) => f.write_str("The body has a field that is not known."),
            Self::Repeated(name) => write!(f, "The field `{name}` is there more than once."),
            Self::Missing(name) => write!(f, "The field `{name}` is missing."),
            Self::NotAString(name) => write!(f, "The field `{name}` is not a string."),
            Self::NotABoolean(name) => write!(f, "The field `{name}` is not true or false."),
            Self::Empty(name) => write!(f, "The field `{name}` is empty."),
        }
    }
}

/// Tells a field's name, which helps to be repeated, from text that went astray into one.
fn is_field_name(text: &str) -> bool {
    text.len() <= MAX_FIELD_NAME
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
}

const PREVIOUS: &str = "previousPassword";
const PROPOSED: &str = "proposedPassword";
const SIGN_OUT: &str = "signOutEverywhere";

/// Reads the body by hand, because derived code would name values in its errors, and would take an
/// array for an object.
struct BodyReader<'a> {
    fault: &'a mut Option<Fault>,
}

impl<'de> DeserializeSeed<'de> for BodyReader<'_> {
    type Value = ChangePasswordBody;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BodyReader<'_> {
    type Value = ChangePasswordBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Self::Value, A::Error> {
        // An optional field that is `null` is absent, but still appears.
        let (mut previous, mut proposed, mut sign_out) = (None, None, None);
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                PREVIOUS => {
                    self.refuse_if(previous.is_some(), Fault::Repeated(PREVIOUS))?;
                    let text: Option<String> =
                        self.value(Fault::NotAString(PREVIOUS), &mut fields)?;
                    let is_empty = text.as_ref().is_some_and(String::is_empty);
                    self.refuse_if(is_empty, Fault::Empty(PREVIOUS))?;
                    previous = Some(text.map(Password::from));
                }
                PROPOSED => {
                    self.refuse_if(proposed.is_some(), Fault::Repeated(PROPOSED))?;
                    let text: String = self.value(Fault::NotAString(PROPOSED), &mut fields)?;
                    proposed = Some(Password::from(text));
                }
                SIGN_OUT => {
                    self.refuse_if(sign_out.is_some(), Fault::Repeated(SIGN_OUT))?;
                    let value: Option<bool> =
                        self.value(Fault::NotABoolean(SIGN_OUT), &mut fields)?;
                    sign_out = Some(value);
                }
                _ => self.refuse_if(true, Fault::Unknown(name))?,
            }
        }
        proposed
            .map(|proposed| ChangePasswordBody {
                previous: previous.flatten(),
                proposed,
                sign_out_everywhere: sign_out.flatten().unwrap_or(false),
            })
            .ok_or_else(|| self.fault(Fault::Missing(PROPOSED)))
    }
}

impl BodyReader<'_> {
    /// Reads a field's value, or leaves the fault behind if it is of another type.
    fn value<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
        &mut self,
        wrong_type: Fault,
        fields: &mut A,
    ) -> Result<T, A::Error> {
        fields.next_value().inspect_err(|_| *self.fault = Some(wrong_type))
    }

    fn refuse_if<E: serde::de::Error>(&mut self, refuse: bool, fault: Fault) -> Result<(), E> {
        if refuse { Err(self.fault(fault)) } else { Ok(()) }
    }

    /// Leaves a fault behind; the error itself says nothing.
    fn fault<E: serde::de::Error>(&mut self, fault: Fault) -> E {
        *self.fault = Some(fault);
        E::custom("refused")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn routes_are_found_behind_plain_prefixes_and_before_a_trailing_slash() {
        let found = [
            ("POST", "/change-password", Route::ChangePassword),
            ("POST", "/change-password/", Route::ChangePassword),
            ("POST", "/prod/change-password", Route::ChangePassword),
            ("POST", "/prod/change-password/", Route::ChangePassword),
            ("POST", "/accounts/prod/change-password", Route::ChangePassword),
            ("POST", "/v1/My_Accounts/eu-west-1/change-password/", Route::ChangePassword),
            ("POST", "/change-password/change-password", Route::ChangePassword),
            ("GET", "/password-policy", Route::PasswordPolicy),
            ("HEAD", "/v1/password-policy", Route::PasswordPolicy),
        ];
        for (method, path, route) in found {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(Route::find(&method, path).unwrap(), route, "{method} {path}");
        }
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        for path in [
            "",
            "/",
            "//",
            "change-password",
            "prod/change-password",
            "/change-passwords",
            "/change-password//",
            "//change-password",
            "/prod//change-password",
            "/./change-password",
            "/../change-password",
            "/prod/../change-password",
            "/.well-known/change-password",
            "/v1.2/change-password",
            "/a%2Fb/change-password",
            "/%2e%2e/change-password",
            "/a b/change-password",
            "/a;b/change-password",
            "/a\\b/change-password",
            "/ä/change-password",
            "/\0/change-password",
        ] {
            let found = Route::find(&Method::POST, path);
            assert!(matches!(found, Err(Error::NotFound)), "{path}: {found:?}");
        }
        for (method, path, expected) in [
            (Method::GET, "/change-password", "POST"),
            (Method::OPTIONS, "/change-password", "POST"),
            (Method::POST, "/password-policy", "GET, HEAD"),
        ] {
            let found = Route::find(&method, path);
            let Err(Error::MethodNotAllowed { allow }) = found else { panic!("{found:?}") };
            assert_eq!(allow, expected);
        }
    }

    fn headers(name: &http::HeaderName, values: &[&[u8]]) -> HeaderMap {
        let value = |bytes: &&[u8]| http::HeaderValue::from_bytes(bytes).unwrap();
        values.iter().map(|bytes| (name.clone(), value(bytes))).collect()
    }

    #[test]
    fn exactly_one_token_is_usable_with_or_without_its_scheme() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c ", "a.b.c", " a.b.c "] {
            let headers = headers(&AUTHORIZATION, &[value.as_bytes()]);
            assert_eq!(bearer_token(&headers).unwrap(), "a.b.c", "{value}");
        }
        let unusable: [&[&[u8]]; 17] = [
            &[],
            &[b""],
            &[b"Bearer"],
            &[b"Bearer "],
            &[b"a.b"],
            &[b"a.b.c.d"],
            &[b"a..c"],
            &[b"a.b.c="],
            &[b"a.b c"],
            &[b"a.b.c,d.e.f"],
            &[b"a.b.c, Bearer d.e.f"],
            &[b"Basic ZGVtbzpkZW1v"],
            &[b"Basic a.b.c"],
            &[b"Bearer:a.b.c"],
            &[b"Bearer \xff\xfe"],
            &[b"Bearer a.b.c", b"Bearer d.e.f"],
            &[b"a.b.c", b"a.b.c"],
        ];
        for values in unusable {
            let found = headers(&AUTHORIZATION, values);
            assert!(matches!(bearer_token(&found), Err(Error::MissingToken)), "{values:?}");
        }
    }

    #[test]
    fn only_json_is_read() {
        for value in
            ["application/json", "Application/JSON; charset=utf-8", "application/json ;a=b"]
        {
            assert!(require_json(&headers(&CONTENT_TYPE, &[value.as_bytes()])).is_ok(), "{value}");
        }
        let others: [&[&[u8]]; 5] =
            [&[], &[b"text/plain"], &[b"application/jsonp"], &[b"json"], &[b"\xff"]];
        for values in others {
            let found = require_json(&headers(&CONTENT_TYPE, values));
            assert!(matches!(found, Err(Error::UnsupportedMediaType)), "{values:?}");
        }
    }

    #[test]
    fn passwords_arrive_unchanged() {
        let body = r#" {"signOutEverywhere":true,"previousPassword":" \u0000old\ud83d\udd11 ",
            "proposedPassword":"e\u0301 \u00e9"} "#;
        let body = ChangePasswordBody::parse(body.as_bytes()).unwrap();
        assert_eq!(body.previous.unwrap().expose_secret(), " \0old🔑 ");
        assert_eq!(body.proposed.expose_secret(), "e\u{301} \u{e9}");
        assert!(body.sign_out_everywhere);
    }

    #[test]
    fn null_means_that_an_optional_field_is_absent() {
        let body = r#"{"previousPassword":null,"proposedPassword":"x","signOutEverywhere":null}"#;
        let body = ChangePasswordBody::parse(body.as_bytes()).unwrap();
        assert!(body.previous.is_none() && !body.sign_out_everywhere);
    }

    #[test]
    fn two_passwords_of_256_escaped_code_points_fit() {
        let password = r"\ud83d\udd11".repeat(256);
        let body = format!(
            r#"{{"previousPassword":"{password}","proposedPassword":"{password}","signOutEverywhere":false}}"#
        );
        assert!(ChangePasswordBody::parse(body.as_bytes()).is_ok());
        let padded = body + &" ".repeat(MAX_BODY);
        let found = ChangePasswordBody::parse(padded.as_bytes());
        assert!(matches!(found, Err(Error::PayloadTooLarge { max: 8192 })));
    }

    #[test]
    fn a_malformed_body_is_told_its_fault_and_none_of_its_values() {
        let cases = [
            ("", "not valid JSON (line 1, column 0)"),
            ("hunter2", "not valid JSON (line 1, column 1)"),
            ("\u{feff}{}", "not valid JSON (line 1, column 1)"),
            (r#""hunter2""#, "not a JSON object"),
            (r#"["hunter2", "hunter2", false]"#, "not a JSON object"),
            (r#"{"proposedPassword":"hunter2"} hunter2"#, "not valid JSON (line 1, column 32)"),
            (r#"{"proposedPassword":"hunter2\ud800"}"#, "not valid JSON"),
            (r#"{"proposedPassword":7331}"#, "`proposedPassword` is not a string"),
            (r#"{"proposedPassword":null}"#, "`proposedPassword` is not a string"),
            (r#"{"proposedPassword":1e999}"#, "not valid JSON"),
            (r#"{"previousPassword":["hunter2"]}"#, "`previousPassword` is not a string"),
            (r#"{"previousPassword":""}"#, "`previousPassword` is empty"),
            (r#"{"previousPassword":"hunter2"}"#, "`proposedPassword` is missing"),
            (r#"{"signOutEverywhere":"hunter2"}"#, "`signOutEverywhere` is not true or false"),
            (r#"{"proposedPassword":"hunter2","proposedPassword":"hunter2"}"#, "more than once"),
            (r#"{"previousPassword":null,"previousPassword":"hunter2"}"#, "more than once"),
            (r#"{"signOutEverywhere":null,"signOutEverywhere":null}"#, "more than once"),
            (r#"{"newPassword":"hunter2"}"#, "`newPassword` is not known"),
            (r#"{"hunter2":1}"#, "a field that is not known"),
        ];
        for (body, expected) in cases {
            let error = ChangePasswordBody::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{body}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("7331"), "{body}: {error}");
        }
        let deep = format!(r#"{{"proposedPassword":{}"#, "[".repeat(4000));
        assert!(ChangePasswordBody::parse(deep.as_bytes()).is_err());
        assert!(ChangePasswordBody::parse(b"{\"proposedPassword\":\"\xff\"}").is_err());
    }
}
