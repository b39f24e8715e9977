//! HTTP out: the one place where our results become statuses, headers and bodies.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;
use serde_json::json;

use crate::change_password::Changed;
use crate::error::Error;
use crate::policy::Violation;
use crate::policy_document::PolicyDocument;
use crate::token::REQUIRED_SCOPE;

/// Cognito counts a user's tries by the hour, and does not say when the hour began: an upper bound.
const ATTEMPT_WINDOW_SECONDS: u32 = 3600;

/// How long to wait before sending again what met a busy or unreachable Cognito.
const RETRY_SECONDS: u32 = 2;

/// How long clients may keep the policy, in seconds; they ask again with `If-None-Match` after that.
const POLICY_MAX_AGE: &str = "public, max-age=300";

/// An answer, with the problem's code where there is one.
#[derive(Debug)]
pub struct Answer {
    /// The whole HTTP response.
    pub response: Response<Body>,
    /// `code` of the problem; none for a success.
    pub code: Option<&'static str>,
}

/// What a problem is to a client, apart from the text of the error itself.
struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    retry_after_seconds: Option<u32>,
}

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
    violations: Option<&'a [Violation]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
}

impl Error {
    /// The status and the code of each error: the only table of them.
    fn problem(&self) -> Problem {
        let (status, code, title) = match self {
            Self::MalformedRequest(_) => (400, "malformed_request", "Malformed request"),
            Self::MissingToken => (401, "missing_token", "Access token missing"),
            Self::InvalidToken(_) => (401, "invalid_token", "Access token not accepted"),
            Self::InsufficientScope => (403, "insufficient_scope", "Scope missing"),
            Self::PreviousPasswordIncorrect => {
                (403, "previous_password_incorrect", "Previous password incorrect")
            }
            Self::UserDisabled => (403, "user_disabled", "Account disabled"),
            Self::NotAuthorized(_) => (403, "not_authorized", "Not authorized"),
            Self::RequestBlocked(_) => (403, "request_blocked", "Request blocked"),
            Self::NotFound => (404, "not_found", "Not found"),
            Self::MethodNotAllowed { .. } => (405, "method_not_allowed", "Method not allowed"),
            Self::PasswordResetRequired => {
                (409, "password_reset_required", "Password reset required")
            }
            Self::UserNotConfirmed => (409, "user_not_confirmed", "Account not confirmed"),
            Self::PayloadTooLarge { .. } => (413, "payload_too_large", "Body too large"),
            Self::UnsupportedMediaType => (415, "unsupported_media_type", "Not JSON"),
            Self::PolicyViolation(_) => {
                (422, "password_policy_violation", "Password policy violated")
            }
            Self::AttemptLimitExceeded => (429, "attempt_limit_exceeded", "Too many attempts"),
            Self::TooManyRequests => (429, "too_many_requests", "Too many requests"),
            Self::Internal(_) | Self::Panicked => (500, "internal_error", "Internal error"),
            Self::Upstream(_) => (502, "upstream_error", "Sign-in service failed"),
            Self::UpstreamUnavailable(_) => {
                (503, "upstream_unavailable", "Sign-in service not reached")
            }
            Self::OutcomeUnknown(_) => (504, "outcome_unknown", "Outcome unknown"),
        };
        let retry_after_seconds = match self {
            Self::AttemptLimitExceeded => Some(ATTEMPT_WINDOW_SECONDS),
            Self::TooManyRequests | Self::UpstreamUnavailable(_) => Some(RETRY_SECONDS),
            _ => None,
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Problem { status, code, title, retry_after_seconds }
    }
}

/// `204`, or `200` with a body when the sign-out was asked for.
#[must_use]
pub fn changed(changed: &Changed) -> Answer {
    let response = match changed.signed_out_everywhere {
        None => respond(StatusCode::NO_CONTENT, None, String::new()),
        Some(signed_out) => respond(
            StatusCode::OK,
            Some("application/json"),
            json!({ "signedOutEverywhere": signed_out }).to_string(),
        ),
    };
    Answer { response, code: None }
}

/// The policy, or `304` when the client has it already.
#[must_use]
pub fn policy(document: &PolicyDocument, headers: &HeaderMap, with_body: bool) -> Answer {
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| names(value, &document.etag));
    let mut response = if known {
        respond(StatusCode::NOT_MODIFIED, None, String::new())
    } else {
        let body = if with_body { document.json.clone() } else { String::new() };
        respond(StatusCode::OK, Some("application/json"), body)
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(POLICY_MAX_AGE));
    insert(headers, ETAG, &document.etag);
    Answer { response, code: None }
}

/// Tells whether an `If-None-Match` value names this tag, by RFC 9110's weak comparison.
fn names(value: &HeaderValue, etag: &str) -> bool {
    let mut tags = value.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// An error as `application/problem+json` (RFC 9457).
#[must_use]
pub fn problem(error: &Error, request_id: &str) -> Answer {
    let Problem { status, code, title, retry_after_seconds } = error.problem();
    let body = ProblemDocument {
        r#type: format!("urn:change-password:problem:{code}"),
        title,
        status: status.as_u16(),
        detail: error.to_string(),
        code,
        request_id,
        violations: match error {
            Error::PolicyViolation(violations) => Some(violations),
            _ => None,
        },
        retry_after_seconds,
    };
    // Strings and numbers always have a JSON form.
    let body = serde_json::to_string(&body).unwrap_or_default();
    let mut response = respond(status, Some("application/problem+json"), body);
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
        _ => {}
    }
    Answer { response, code: Some(code) }
}

fn respond(status: StatusCode, content_type: Option<&'static str>, body: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}

fn insert(headers: &mut HeaderMap, name: http::HeaderName, value: &str) {
    // Each value is made above from ASCII constants, so that none is ever left out here.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
