//! HTTP out: results and errors as statuses, headers and bodies.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, VARY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;
use serde_json::{Value, json};

use crate::change_password::Changed;
use crate::check_password::Verdict;
use crate::error::Error;
use crate::headers::Headers;
use crate::language::Language;
use crate::policy::Violation;
use crate::policy_document::{PolicyDocument, describe};
use crate::token::REQUIRED_SCOPE;

/// How long clients may cache the policy, in seconds; then they revalidate it with `If-None-Match`.
const POLICY_MAX_AGE: &str = "public, max-age=300";

/// A problem's body: the members of RFC 9457, then our own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProblemDocument<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
}

/// `204`, or `200` with a body if the client requested the sign-out.
#[must_use]
pub fn changed(changed: &Changed) -> Response<Body> {
    match changed.signed_out_everywhere {
        None => respond(StatusCode::NO_CONTENT, None, String::new()),
        Some(signed_out) => respond(
            StatusCode::OK,
            Some("application/json"),
            json!({ "signedOutEverywhere": signed_out }).to_string(),
        ),
    }
}

/// `200` with the result of checking a password.
#[must_use]
pub fn checked(verdict: &Verdict, language: Language) -> Response<Body> {
    let Verdict { rules, violations, not_checked, guesses_log10 } = verdict;
    let body = json!({
        "rules": describe(rules, language),
        "violations": in_language(violations, language),
        "notChecked": not_checked,
        "guessesLog10": guesses_log10,
    });
    let mut response = respond(StatusCode::OK, Some("application/json"), body.to_string());
    insert(response.headers_mut(), CONTENT_LANGUAGE, language.tag());
    response
}

fn in_language(violations: &[Violation], language: Language) -> Value {
    violations.iter().map(|violation| violation.describe(language)).collect()
}

/// The policy, or `304` if the client has it already.
#[must_use]
pub fn policy(document: &PolicyDocument, headers: &Headers<'_>, with_body: bool) -> Response<Body> {
    let known = headers.get_all("if-none-match").any(|value| names(&value, &document.etag));
    let mut response = if known {
        respond(StatusCode::NOT_MODIFIED, None, String::new())
    } else {
        let body = if with_body { document.json.clone() } else { String::new() };
        let mut response = respond(StatusCode::OK, Some("application/json"), body);
        insert(response.headers_mut(), CONTENT_LANGUAGE, document.language.tag());
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(POLICY_MAX_AGE));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language"));
    insert(headers, ETAG, &document.etag);
    response
}

/// `303` to the app's page for changing a password.
///
/// "A Well-Known URL for Changing Passwords" allows three redirections. This is the one that every
/// client follows with `GET`.
#[must_use]
pub fn change_password_page(url: &HeaderValue) -> Response<Body> {
    let mut response = respond(StatusCode::SEE_OTHER, None, String::new());
    response.headers_mut().insert(LOCATION, url.clone());
    response
}

/// `200` for a load balancer's health check.
#[must_use]
pub fn healthy(with_body: bool) -> Response<Body> {
    let body = if with_body { r#"{"status":"ok"}"# } else { "" };
    respond(StatusCode::OK, Some("application/json"), body.to_owned())
}

/// Whether an `If-None-Match` value contains this tag by RFC 9110's weak comparison.
fn names(value: &str, etag: &str) -> bool {
    let mut tags = value.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// An error as `application/problem+json` (RFC 9457), with violations' messages in this language.
#[must_use]
pub fn problem(error: &Error, request_id: &str, language: Language) -> Response<Body> {
    let (code, retry_after_seconds) = (error.code(), error.retry_after_seconds());
    let body = to_json(&ProblemDocument {
        r#type: format!("urn:change-password:problem:{}", code.as_str()),
        title: code.title(),
        status: code.status().as_u16(),
        detail: error.to_string(),
        code: code.as_str(),
        request_id,
        violations: match error {
            Error::PolicyViolation(violations) => Some(in_language(violations, language)),
            _ => None,
        },
        retry_after_seconds,
    });
    let mut response = respond(code.status(), Some("application/problem+json"), body);
    let headers = response.headers_mut();
    if let Some(seconds) = retry_after_seconds {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    match error {
        Error::MissingToken => insert(headers, WWW_AUTHENTICATE, "Bearer"),
        Error::InvalidToken(_) => {
            insert(headers, WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"");
        }
        Error::InsufficientScope => {
            let value = format!("Bearer error=\"insufficient_scope\", scope=\"{REQUIRED_SCOPE}\"");
            insert(headers, WWW_AUTHENTICATE, &value);
        }
        Error::MethodNotAllowed { allow } => insert(headers, ALLOW, allow),
        Error::PolicyViolation(_) => insert(headers, CONTENT_LANGUAGE, language.tag()),
        _ => {}
    }
    response
}

/// The JSON form of our own structures, which always have one.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers have a JSON form")
}

pub(crate) fn respond(
    status: StatusCode,
    content_type: Option<&'static str>,
    body: String,
) -> Response<Body> {
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}

fn insert(headers: &mut HeaderMap, name: http::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("our own header values are visible ASCII");
    headers.insert(name, value);
}
