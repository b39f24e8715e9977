//! Cognito's wire format (AWS JSON 1.1) out: the responses that Cognito's own clients understand.
//!
//! The statuses follow from when those clients retry. They send a request again after `429` or
//! `5xx`, and none of them does after `400` with an unknown type. So every error is a `400`, unless
//! the request certainly never reached Cognito.

use http::header::HeaderName;
use http::{HeaderValue, Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;

use crate::error::Error;
use crate::language::Language;
use crate::policy::Violation;
use crate::response::{respond, to_json};
use crate::token::TokenFault;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The headers in which AWS's clients look for an exception's name and for the request's id.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// An error's body.
#[derive(Serialize)]
struct Exception<'a> {
    #[serde(rename = "__type")]
    name: &'static str,
    message: &'a str,
}

/// `200 {}`.
///
/// Some clients report an empty body as an error, although the password has changed.
#[must_use]
pub fn changed() -> Response<Body> {
    respond(StatusCode::OK, Some(CONTENT_TYPE), "{}".to_owned())
}

/// An error as the exception that Cognito would return, or the closest one.
///
/// `Retry-After` is left out: an SDK would wait for that long before it retries, and the user gets
/// new attempts only after an hour.
#[must_use]
pub fn exception(error: &Error) -> Response<Body> {
    let name = name(error);
    let status = match error {
        // The clients retry these, which is safe.
        Error::UpstreamUnavailable(_) | Error::BreachesUnavailable(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::BAD_REQUEST,
    };
    let body = to_json(&Exception { name, message: &message(error) });
    let mut response = respond(status, Some(CONTENT_TYPE), body);
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(name));
    response
}

/// Adds the request's id, which the clients' errors and logs show.
#[must_use]
pub fn with_request_id(mut response: Response<Body>, request_id: &str) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The name of the exception.
///
/// All but `OutcomeUnknownException`, `ServiceUnavailableException` and `UnknownOperationException`
/// are exceptions of Cognito's `ChangePassword`, so that SDKs have a type for them. Source: Amazon
/// Cognito user pools API reference, `ChangePassword`.
fn name(error: &Error) -> &'static str {
    match error {
        Error::NotFound | Error::MethodNotAllowed { .. } => "UnknownOperationException",
        Error::MalformedRequest(_)
        | Error::PayloadTooLarge { .. }
        | Error::UnsupportedMediaType => "InvalidParameterException",
        Error::MissingToken
        | Error::InvalidToken(_)
        | Error::InsufficientScope
        | Error::PreviousPasswordIncorrect
        | Error::PreviousPasswordUnusable
        | Error::UserDisabled
        | Error::NotAuthorized(_)
        | Error::PasswordManagedElsewhere => "NotAuthorizedException",
        Error::RequestBlocked(_) => "ForbiddenException",
        Error::PasswordResetRequired => "PasswordResetRequiredException",
        Error::UserNotConfirmed => "UserNotConfirmedException",
        Error::PolicyViolation(_) => "InvalidPasswordException",
        Error::AttemptLimitExceeded => "LimitExceededException",
        Error::TooManyOfThisUser { .. } | Error::TooManyRequests => "TooManyRequestsException",
        Error::Internal(_) | Error::Upstream(_) => "InternalErrorException",
        Error::UpstreamUnavailable(_) | Error::BreachesUnavailable(_) => {
            "ServiceUnavailableException"
        }
        Error::ReadOnlyReplica(_) => "OperationNotEnabledException",
        Error::Panicked | Error::OutcomeUnknown(_) => "OutcomeUnknownException",
    }
}

/// The text of the exception: Cognito's own if apps may compare it, otherwise ours.
fn message(error: &Error) -> String {
    let text = match error {
        Error::NotFound => "The only operation of this service is ChangePassword.",
        Error::UnsupportedMediaType => {
            return format!("Send the body as `Content-Type: {CONTENT_TYPE}`.");
        }
        Error::InvalidToken(fault) => return token_message(*fault),
        Error::InsufficientScope => "Access Token does not have required scopes",
        Error::PreviousPasswordIncorrect | Error::PreviousPasswordUnusable => {
            "Incorrect username or password."
        }
        Error::UserDisabled => "User is disabled.",
        Error::PolicyViolation(violations) => return policy_message(violations),
        Error::AttemptLimitExceeded => "Attempt limit exceeded, please try after some time.",
        _ => return error.to_string(),
    };
    text.to_owned()
}

fn token_message(fault: TokenFault) -> String {
    match fault {
        TokenFault::Expired => "Access Token has expired".to_owned(),
        TokenFault::Revoked => "Access Token has been revoked".to_owned(),
        TokenFault::InvalidSignature => "Could not verify signature for Access Token".to_owned(),
        other => format!("Invalid Access Token. {other}"),
    }
}

/// Every violation's message, for users, followed by the codes, for programs: in the last pair of
/// parentheses, separated by commas.
fn policy_message(violations: &[Violation]) -> String {
    let joined = |separator, texts: Vec<String>| texts.join(separator);
    // Cognito's own clients show messages unchanged, and Cognito's are in English.
    let message = |violation: &Violation| violation.message(Language::En);
    let messages = joined(" ", violations.iter().map(message).collect());
    let codes = joined(", ", violations.iter().map(|broken| broken.code().to_owned()).collect());
    format!("Password did not conform with policy: {messages} ({codes})")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::policy::Rule;

    /// Each error with its exception, the status, and a part of the message.
    fn table() -> Vec<(Error, u16, &'static str, &'static str)> {
        let source = || "the cause".into();
        let not_authorized = "NotAuthorizedException";
        vec![
            (Error::NotFound, 400, "UnknownOperationException", "ChangePassword"),
            (Error::MethodNotAllowed { allow: "POST" }, 400, "UnknownOperationException", "POST"),
            (Error::MalformedRequest("A b.".into()), 400, "InvalidParameterException", "A b."),
            (Error::PayloadTooLarge { max: 7 }, 400, "InvalidParameterException", "7 bytes"),
            (Error::UnsupportedMediaType, 400, "InvalidParameterException", "x-amz-json-1.1"),
            (Error::MissingToken, 400, not_authorized, "access token"),
            (Error::InvalidToken(TokenFault::Expired), 400, not_authorized, "has expired"),
            (Error::InvalidToken(TokenFault::Revoked), 400, not_authorized, "has been revoked"),
            (Error::InvalidToken(TokenFault::InvalidSignature), 400, not_authorized, "signature"),
            (Error::InvalidToken(TokenFault::IdToken), 400, not_authorized, "an ID token"),
            (Error::InsufficientScope, 400, not_authorized, "required scopes"),
            (Error::PreviousPasswordIncorrect, 400, not_authorized, "Incorrect username"),
            (Error::PreviousPasswordUnusable, 400, not_authorized, "Incorrect username"),
            (Error::UserDisabled, 400, not_authorized, "User is disabled."),
            (Error::NotAuthorized(source()), 400, not_authorized, "Cognito refused"),
            (Error::PasswordManagedElsewhere, 400, not_authorized, "another identity provider"),
            (Error::RequestBlocked(source()), 400, "ForbiddenException", "blocked"),
            (Error::PasswordResetRequired, 400, "PasswordResetRequiredException", "forgotten"),
            (Error::UserNotConfirmed, 400, "UserNotConfirmedException", "not confirmed"),
            (
                Error::PolicyViolation(vec![Rule::MinLength(12).into(), Rule::NotCommon.into()]),
                400,
                "InvalidPasswordException",
                "(too_short, common_password)",
            ),
            (Error::AttemptLimitExceeded, 400, "LimitExceededException", "Attempt limit exceeded"),
            (
                Error::TooManyOfThisUser { wait: Duration::from_secs(9) },
                400,
                "TooManyRequestsException",
                "Nothing was changed",
            ),
            (Error::TooManyRequests, 400, "TooManyRequestsException", "Nothing was changed"),
            (Error::Internal(source()), 400, "InternalErrorException", "nothing was changed"),
            (Error::Upstream(source()), 400, "InternalErrorException", "was not changed"),
            (
                Error::UpstreamUnavailable(source()),
                503,
                "ServiceUnavailableException",
                "nothing was changed",
            ),
            (
                Error::BreachesUnavailable(source()),
                503,
                "ServiceUnavailableException",
                "known breaches failed; nothing was changed",
            ),
            (
                Error::ReadOnlyReplica(source()),
                400,
                "OperationNotEnabledException",
                "nothing was changed",
            ),
            (Error::Panicked, 400, "OutcomeUnknownException", "try to sign in with the new"),
            (
                Error::OutcomeUnknown(source()),
                400,
                "OutcomeUnknownException",
                "try to sign in with the new",
            ),
        ]
    }

    #[test]
    fn each_error_becomes_an_exception_that_clients_know_or_do_not_retry() {
        for (error, status, name, part) in table() {
            let response = exception(&error);
            assert_eq!(response.status(), status, "{error:?}");
            assert_eq!(response.headers()[ERROR_TYPE], name, "{error:?}");
            assert_eq!(response.headers()["content-type"], CONTENT_TYPE, "{error:?}");
            assert!(!response.headers().contains_key("retry-after"), "{error:?}");
            let Body::Text(body) = response.body() else { panic!("{response:?}") };
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["__type"], name, "{error:?}");
            let message = body["message"].as_str().unwrap();
            assert!(message.contains(part), "{error:?}: {message}");
            assert!(!message.contains("the cause"), "{error:?}: {message}");
        }
    }

    #[test]
    fn the_table_has_each_error() {
        let variants = include_str!("error.rs").split("pub enum Error {").nth(1).unwrap();
        let variants = variants.split("\n}\n").next().unwrap();
        let is_variant = |line: &&str| {
            line.strip_prefix("    ").is_some_and(|line| line.starts_with(char::is_uppercase))
        };
        for variant in variants.lines().filter(is_variant) {
            let name = variant.trim().split(['(', ' ', ',']).next().unwrap();
            let is_it =
                |(error, ..): &(Error, u16, &str, &str)| format!("{error:?}").starts_with(name);
            assert!(table().iter().any(is_it), "{name}");
        }
    }

    #[test]
    fn the_text_of_several_violations_has_every_message_and_then_every_code() {
        let violations: [Violation; 2] = [Rule::MinLength(12).into(), Rule::NoEdgeSpace.into()];
        let [first, second]: [String; 2] =
            violations.each_ref().map(|violation| violation.message(Language::En));
        assert_eq!(
            policy_message(&violations),
            format!(
                "Password did not conform with policy: {first} {second} \
                 (too_short, leading_or_trailing_space)"
            )
        );
    }
}
