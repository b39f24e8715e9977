//! HTTP in: finds a request's route, and parses its headers and body with an error for every fault.

use std::fmt;

use http::Method;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::credentials::Password;
use crate::error::Error;
use crate::headers::Headers;
use crate::json::{Members, text};

/// The maximum length of a body, in bytes. Two passwords of 256 code points fit, with each code
/// point escaped as a surrogate pair of 12 bytes.
pub const MAX_BODY: usize = 8 * 1024;

/// The maximum length of a body in Cognito's wire format, in bytes: those two passwords, and the
/// longest token.
pub const MAX_WIRE_BODY: usize = 24 * 1024;

/// The header that names the operation in the JSON protocol of AWS (AWS JSON 1.1).
pub const OPERATION_HEADER: &str = "x-amz-target";

/// The only operation that is supported in Cognito's wire format.
const WIRE_OPERATION: &str = "AWSCognitoIdentityProviderService.ChangePassword";

const WIRE_CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The longest field name that an error repeats, in code points.
const MAX_FIELD_NAME: usize = 40;

const PREVIOUS: &str = "previousPassword";
const PROPOSED: &str = "proposedPassword";
const SIGN_OUT: &str = "signOutEverywhere";

const WIRE_ACCESS_TOKEN: &str = "AccessToken";
const WIRE_PREVIOUS: &str = "PreviousPassword";
const WIRE_PROPOSED: &str = "ProposedPassword";

/// The path at which password managers look for the page for changing a password.
///
/// Source: W3C, "A Well-Known URL for Changing Passwords". It is at the root of an origin, so no
/// prefix is accepted.
pub const CHANGE_PASSWORD_PAGE: &str = "/.well-known/change-password";

/// The routes of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /change-password`
    ChangePassword,
    /// `POST /check-password`
    CheckPassword,
    /// `GET /password-policy`, and `HEAD`
    PasswordPolicy,
    /// `GET /.well-known/change-password`, and `HEAD`; also any other method, since without a
    /// configured page the path does not exist
    ChangePasswordPage,
    /// `GET /health`, and `HEAD`
    Health,
    /// `POST /` with [`OPERATION_HEADER`]: Cognito's wire format
    ChangePasswordWire,
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

/// The body of Cognito's own `ChangePassword` request.
#[derive(Debug)]
pub struct WireBody {
    /// `AccessToken`
    pub access_token: Zeroizing<String>,
    /// `PreviousPassword` and `ProposedPassword`
    pub passwords: PasswordsBody,
}

/// The JSON body of `POST /check-password`.
#[derive(Debug)]
pub struct PasswordsBody {
    /// `previousPassword`
    pub previous: Option<Password>,
    /// `proposedPassword`
    pub proposed: Password,
}

impl Route {
    /// Finds the route by the last segment of the path.
    ///
    /// A stage and the base path of a domain name may precede it, and a slash may follow. A path
    /// that a gateway could have read differently has no route.
    pub fn find(method: &Method, path: &str) -> Result<Self, Error> {
        if path == CHANGE_PASSWORD_PAGE {
            return Ok(Self::ChangePasswordPage);
        }
        let relative = path.strip_prefix('/').ok_or(Error::NotFound)?;
        let mut segments = relative.strip_suffix('/').unwrap_or(relative).rsplit('/');
        let (route, allow) = match segments.next() {
            Some("change-password") => (Self::ChangePassword, "POST"),
            Some("check-password") => (Self::CheckPassword, "POST"),
            Some("password-policy") => (Self::PasswordPolicy, "GET, HEAD"),
            Some("health") => (Self::Health, "GET, HEAD"),
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

    /// Finds the route of a request that names its operation in [`OPERATION_HEADER`].
    ///
    /// Its path may contain only a stage, the base path of a domain name and a trailing slash.
    pub fn find_wire(method: &Method, path: &str) -> Result<Self, Error> {
        let relative = path.strip_prefix('/').ok_or(Error::NotFound)?;
        let mut segments = relative.strip_suffix('/').unwrap_or(relative).split('/');
        if *method == Method::POST && (relative.is_empty() || segments.all(is_plain_segment)) {
            Ok(Self::ChangePasswordWire)
        } else {
            Err(Error::NotFound)
        }
    }

    /// The `operationId` in `openapi.yaml`; a `HEAD` counts as its `GET`.
    #[must_use]
    pub fn operation_id(&self) -> &'static str {
        match self {
            Self::ChangePassword => "changePassword",
            Self::CheckPassword => "checkPassword",
            Self::PasswordPolicy => "getPasswordPolicy",
            Self::ChangePasswordPage => "getChangePasswordPage",
            Self::Health => "getHealth",
            Self::ChangePasswordWire => "changePasswordWire",
        }
    }
}

/// Whether a path segment is unambiguous: only letters, digits, `-` and `_`.
fn is_plain_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Reads the single bearer token of the `Authorization` header (RFC 6750, section 2.1).
///
/// A token without `Bearer` is accepted too, as API Gateway's authorizer does. A client whose token
/// passed there and got a 401 here would fetch one new token after another.
pub fn bearer_token(headers: &Headers<'_>) -> Result<Zeroizing<String>, Error> {
    let value = headers.get_only("authorization").ok_or(Error::MissingToken)?;
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(Error::MissingToken);
    }
    let value = value.trim();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        None if is_jwt_like(value) => value,
        _ => return Err(Error::MissingToken),
    };
    Ok(Zeroizing::new(token.to_owned()))
}

/// Whether a text has three parts of base64url, separated by dots.
fn is_jwt_like(text: &str) -> bool {
    // Base64url has the same alphabet as plain segments.
    text.split('.').count() == 3 && text.split('.').all(is_plain_segment)
}

/// Rejects a content type other than JSON; parameters such as `charset` are ignored.
pub fn require_json(headers: &Headers<'_>) -> Result<(), Error> {
    require_content_type(headers, "application/json")
}

/// Rejects a request in Cognito's wire format with another operation or another content type.
///
/// # Errors
///
/// [`Error::NotFound`] for another operation, or [`Error::UnsupportedMediaType`].
pub fn require_wire(headers: &Headers<'_>) -> Result<(), Error> {
    if headers.get_only(OPERATION_HEADER).as_deref() != Some(WIRE_OPERATION) {
        return Err(Error::NotFound);
    }
    require_content_type(headers, WIRE_CONTENT_TYPE)
}

fn require_content_type(headers: &Headers<'_>, required: &str) -> Result<(), Error> {
    // Not `trim`, which would also remove white space that HTTP does not allow here.
    let is_required =
        |media_type: &str| media_type.trim_matches([' ', '\t']).eq_ignore_ascii_case(required);
    match headers.get("content-type") {
        Some(value) if value.split(';').next().is_some_and(is_required) => Ok(()),
        _ => Err(Error::UnsupportedMediaType),
    }
}

impl ChangePasswordBody {
    /// Parses a body.
    ///
    /// # Errors
    ///
    /// [`Error::PayloadTooLarge`], or [`Error::MalformedRequest`] with the field's name. No error
    /// ever contains a value, as serde's own texts would.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        read_fields(body, MAX_BODY, &[PREVIOUS, PROPOSED, SIGN_OUT], |members| {
            require_known(members, &[PREVIOUS, PROPOSED, SIGN_OUT])?;
            let sign_out_everywhere = match members.optional(SIGN_OUT).map(RawValue::get) {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(Fault::NotABoolean(SIGN_OUT)),
            };
            let PasswordsBody { previous, proposed } =
                PasswordsBody::from_members(members, PREVIOUS, PROPOSED)?;
            Ok(Self { previous, proposed, sign_out_everywhere })
        })
    }
}

impl PasswordsBody {
    /// Parses a body.
    ///
    /// # Errors
    ///
    /// Those of [`ChangePasswordBody::parse`].
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        read_fields(body, MAX_BODY, &[PREVIOUS, PROPOSED], |members| {
            require_known(members, &[PREVIOUS, PROPOSED])?;
            Self::from_members(members, PREVIOUS, PROPOSED)
        })
    }

    /// Reads the passwords from the fields with these names.
    fn from_members<'a>(
        members: &'a Members,
        previous: &'static str,
        proposed: &'static str,
    ) -> Result<Self, Fault<'a>> {
        let password = |field, value| match text(value) {
            Some(text) if text.is_empty() && field == previous => Err(Fault::Empty(field)),
            Some(text) => Ok(Password::from(&*text)),
            None => Err(Fault::NotAString(field)),
        };
        let old = members.optional(previous).map(|value| password(previous, value));
        let new = members.get(proposed).ok_or(Fault::Missing(proposed));
        Ok(Self {
            previous: old.transpose()?,
            proposed: new.and_then(|value| password(proposed, value))?,
        })
    }
}

impl WireBody {
    /// Parses a body. Like Cognito, it ignores unknown fields: clients send `ClientMetadata`, for
    /// example.
    ///
    /// # Errors
    ///
    /// Those of [`ChangePasswordBody::parse`].
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let fields = [WIRE_ACCESS_TOKEN, WIRE_PREVIOUS, WIRE_PROPOSED];
        read_fields(body, MAX_WIRE_BODY, &fields, |members| {
            let token = members.get(WIRE_ACCESS_TOKEN).ok_or(Fault::Missing(WIRE_ACCESS_TOKEN))?;
            let token = text(token).ok_or(Fault::NotAString(WIRE_ACCESS_TOKEN))?;
            Ok(Self {
                access_token: Zeroizing::new((*token).to_owned()),
                passwords: PasswordsBody::from_members(members, WIRE_PREVIOUS, WIRE_PROPOSED)?,
            })
        })
    }
}

/// Rejects fields other than these.
fn require_known<'a>(members: &'a Members, fields: &[&str]) -> Result<(), Fault<'a>> {
    members
        .names()
        .find(|name| !fields.contains(name))
        .map_or(Ok(()), |name| Err(Fault::Unknown(name)))
}

/// Parses a body of at most `max` bytes: a JSON object with each of these fields at most once.
fn read_fields<T>(
    body: &[u8],
    max: usize,
    fields: &[&'static str],
    read: impl for<'a> FnOnce(&'a Members<'_>) -> Result<T, Fault<'a>>,
) -> Result<T, Error> {
    if body.len() > max {
        return Err(Error::PayloadTooLarge { max });
    }
    let malformed = |detail: String| Error::MalformedRequest(detail);
    let body =
        str::from_utf8(body).map_err(|_| malformed("The body is not valid UTF-8.".to_owned()))?;
    // For other values, serde's errors would contain copies.
    if body.starts_with(|first: char| matches!(first, '"' | '[' | '-' | '0'..='9')) {
        return Err(malformed(Fault::NotAnObject.to_string()));
    }
    let members: Members = serde_json::from_str(body).map_err(|error| {
        malformed(if error.is_data() {
            Fault::NotAnObject.to_string()
        } else {
            let (line, column) = (error.line(), error.column());
            format!("The body is not valid JSON (line {line}, column {column}).")
        })
    })?;
    let fault = if let Some(field) = fields.iter().find(|field| members.repeats(field)) {
        Fault::Repeated(field)
    } else {
        match read(&members) {
            Ok(body) => return Ok(body),
            Err(fault) => fault,
        }
    };
    Err(malformed(fault.to_string()))
}

/// The fault of a body that is valid JSON.
enum Fault<'a> {
    NotAnObject,
    Unknown(&'a str),
    Repeated(&'static str),
    Missing(&'static str),
    NotAString(&'static str),
    NotABoolean(&'static str),
    Empty(&'static str),
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("The body is not a JSON object."),
            Self::Unknown(name) if is_field_name(name) => {
                write!(f, "The field `{name}` is unknown.")
            }
            Self::Unknown(_) => f.write_str("The body has an unknown field."),
            Self::Repeated(name) => write!(f, "The field `{name}` appears more than once."),
            Self::Missing(name) => write!(f, "The field `{name}` is missing."),
            Self::NotAString(name) => write!(f, "The field `{name}` is not a string."),
            Self::NotABoolean(name) => write!(f, "The field `{name}` is neither true nor false."),
            Self::Empty(name) => write!(f, "The field `{name}` is empty."),
        }
    }
}

/// Whether a name looks like a field's and is safe to repeat; it may be a misplaced secret instead.
fn is_field_name(text: &str) -> bool {
    text.len() <= MAX_FIELD_NAME
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn routes_are_found_after_plain_prefixes_and_with_a_trailing_slash() {
        let found = [
            ("POST", "/change-password", Route::ChangePassword),
            ("POST", "/change-password/", Route::ChangePassword),
            ("POST", "/prod/change-password", Route::ChangePassword),
            ("POST", "/prod/change-password/", Route::ChangePassword),
            ("POST", "/accounts/prod/change-password", Route::ChangePassword),
            ("POST", "/v1/My_Accounts/eu-west-1/change-password/", Route::ChangePassword),
            ("POST", "/change-password/change-password", Route::ChangePassword),
            ("POST", "/check-password", Route::CheckPassword),
            ("POST", "/prod/check-password/", Route::CheckPassword),
            ("GET", "/password-policy", Route::PasswordPolicy),
            ("HEAD", "/v1/password-policy", Route::PasswordPolicy),
            ("GET", "/health", Route::Health),
            ("HEAD", "/prod/health/", Route::Health),
            ("GET", "/.well-known/change-password", Route::ChangePasswordPage),
            ("POST", "/.well-known/change-password", Route::ChangePasswordPage),
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
            "/.well-known/check-password",
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
        for path in [
            "/prod/.well-known/change-password",
            "/.well-known/change-password/",
            "/.well-known/password-policy",
            "/.well-known/health",
        ] {
            assert!(matches!(Route::find(&Method::GET, path), Err(Error::NotFound)), "{path}");
        }
        for (method, path, expected) in [
            (Method::GET, "/change-password", "POST"),
            (Method::GET, "/check-password", "POST"),
            (Method::POST, "/health", "GET, HEAD"),
            (Method::OPTIONS, "/change-password", "POST"),
            (Method::POST, "/password-policy", "GET, HEAD"),
        ] {
            let found = Route::find(&method, path);
            let Err(Error::MethodNotAllowed { allow }) = found else { panic!("{found:?}") };
            assert_eq!(allow, expected);
        }
    }

    /// Calls `read` with the headers of a request that has one header with these values.
    fn with_headers<T>(name: &str, values: &[&str], read: impl Fn(&Headers) -> T) -> T {
        let headers = serde_json::json!({ name: values }).to_string();
        read(&Headers::new(Members::parse(&headers).unwrap(), Members::default()))
    }

    #[test]
    fn exactly_one_token_is_accepted_with_or_without_bearer() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c ", "a.b.c", " a.b.c "] {
            let token = with_headers("Authorization", &[value], bearer_token).unwrap();
            assert_eq!(*token, "a.b.c", "{value}");
        }
        let unusable: [&[&str]; 19] = [
            &[],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &["a."],
            &["a.b.c.d"],
            &["a..c"],
            &["a.b.c="],
            &["a.b c"],
            &["a.b.c,d.e.f"],
            &["a.b.c, Bearer d.e.f"],
            &["Basic ZGVtbzpkZW1v"],
            &["Basic a.b.c"],
            &["Bearer:a.b.c"],
            &["Bearer a.b.é"],
            &["Bearer a.b.c\r\nX-Forged: 1"],
            &["Bearer a.b.c\0"],
            &["Bearer a.b.c", "Bearer d.e.f"],
            &["a.b.c", "a.b.c"],
        ];
        for values in unusable {
            let found = with_headers("authorization", values, bearer_token);
            assert!(matches!(found, Err(Error::MissingToken)), "{values:?}");
        }
    }

    #[test]
    fn only_a_json_content_type_is_accepted() {
        for value in
            ["application/json", "Application/JSON; charset=utf-8", "application/json ;a=b"]
        {
            assert!(with_headers("Content-Type", &[value], require_json).is_ok(), "{value}");
        }
        let others: [&[&str]; 5] =
            [&[], &["text/plain"], &["application/jsonp"], &["json"], &["application/json\u{a0}"]];
        for values in others {
            let found = with_headers("content-type", values, require_json);
            assert!(matches!(found, Err(Error::UnsupportedMediaType)), "{values:?}");
        }
    }

    #[test]
    fn passwords_are_read_unchanged() {
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
    fn the_error_of_a_malformed_body_names_the_fault_but_no_value() {
        let cases = [
            ("", "not valid JSON (line 1, column 0)"),
            ("hunter2", "not valid JSON (line 1, column 1)"),
            ("\u{feff}{}", "not valid JSON (line 1, column 1)"),
            (r#""hunter2""#, "not a JSON object"),
            (r#"["hunter2", "hunter2", false]"#, "not a JSON object"),
            (r#"{"proposedPassword":"hunter2"} hunter2"#, "not valid JSON (line 1, column 32)"),
            (r#"{"proposedPassword":"hunter2\ud800"}"#, "`proposedPassword` is not a string"),
            (r#"{"proposedPassword":7331}"#, "`proposedPassword` is not a string"),
            (r#"{"proposedPassword":null}"#, "`proposedPassword` is not a string"),
            (r#"{"proposedPassword":1e999}"#, "`proposedPassword` is not a string"),
            (r#"{"previousPassword":["hunter2"]}"#, "`previousPassword` is not a string"),
            (r#"{"previousPassword":""}"#, "`previousPassword` is empty"),
            (r#"{"previousPassword":"hunter2"}"#, "`proposedPassword` is missing"),
            (r#"{"signOutEverywhere":"hunter2"}"#, "`signOutEverywhere` is neither true nor false"),
            (r#"{"proposedPassword":"hunter2","proposedPassword":"hunter2"}"#, "more than once"),
            (r#"{"previousPassword":null,"previousPassword":"hunter2"}"#, "more than once"),
            (r#"{"signOutEverywhere":null,"signOutEverywhere":null}"#, "more than once"),
            (r#"{"newPassword":"hunter2"}"#, "`newPassword` is unknown"),
            (r#"{"hunter2":1}"#, "an unknown field"),
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
