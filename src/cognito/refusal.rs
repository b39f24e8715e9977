//! Translates Cognito's exceptions, in one table.

use thiserror::Error;

use crate::error::Error;
use crate::policy::{PoolRequirement, Rule};
use crate::token::TokenFault;

/// The longest exception name that is logged, in bytes; Cognito's longest has 41.
const MAX_CODE: usize = 64;

/// The beginnings of Cognito's messages, from public reports and from its API reference.
///
/// Only these are logged. The rest of a message, and any other message, may contain a secret: an
/// emulator adds the token, and a proxy might repeat a password in any encoding.
const KNOWN_MESSAGES: &[&str] = &[
    "1 validation error detected: Value at 'accessToken' failed to satisfy constraint",
    "1 validation error detected: Value at 'previousPassword' failed to satisfy constraint",
    "1 validation error detected: Value at 'proposedPassword' failed to satisfy constraint",
    "Access Token does not have required scopes",
    "Access Token has been revoked",
    "Access Token has expired",
    "Attempt limit exceeded",
    "Could not verify signature for Access Token",
    "Incorrect username or password",
    "Invalid Access Token",
    "Password attempts exceeded",
    "Password did not conform with",
    "Password has been used before",
    "Password reset required",
    "Provided password cannot be used for security reasons",
    "Rate exceeded",
    "Request not allowed due to WAF block",
    "Something went wrong",
    "Temporary password has expired",
    "Too many requests",
    "User does not exist",
    "User is disabled",
    "User is not authorized to change password",
    "User is not confirmed",
    "User must reset password",
];

/// An exception of Cognito's that is safe to log.
#[derive(Debug, Error)]
#[error("{code} (HTTP {status}): {message}")]
pub(super) struct Refusal {
    code: String,
    status: u16,
    /// Known text only: see [`KNOWN_MESSAGES`].
    message: String,
}

impl Refusal {
    /// Keeps the parts of an exception that are safe to log.
    pub(super) fn new(status: u16, code: Option<&str>, message: &str) -> Self {
        let code = match code {
            None | Some("") => "no code",
            Some(code) if is_exception_name(code) => code,
            Some(_) => "an unknown code",
        };
        let known = KNOWN_MESSAGES.iter().find(|known| message.starts_with(**known));
        let message = match known {
            Some(known) => (*known).to_owned(),
            None if message.is_empty() => "no message".to_owned(),
            None => format!("an unknown message of {} characters", message.chars().count()),
        };
        Self { code: code.to_owned(), status, message }
    }

    /// Translates the exception; `message` is Cognito's whole text.
    ///
    /// Messages are matched by their beginnings, as public reports quote them. A text that AWS has
    /// changed gets a safe code: `not_authorized`, `rejected_by_pool` or `internal_error`.
    pub(super) fn into_error(self, message: &str) -> Error {
        match self.code.as_str() {
            "NotAuthorizedException" => match message {
                m if m.starts_with("Incorrect username or password") => {
                    Error::PreviousPasswordIncorrect
                }
                m if m.starts_with("Access Token does not have required scopes") => {
                    Error::InsufficientScope
                }
                m if m.starts_with("Access Token has been revoked") => {
                    Error::InvalidToken(TokenFault::Revoked)
                }
                m if m.contains("Access Token") => {
                    Error::InvalidToken(TokenFault::RefusedByCognito)
                }
                m if m.starts_with("User is disabled") => Error::UserDisabled,
                m if m.starts_with("Password attempts exceeded") => Error::AttemptLimitExceeded,
                m if m.starts_with("User is not authorized to change password") => {
                    Error::PasswordManagedElsewhere
                }
                m if m.starts_with("User must reset password")
                    || m.starts_with("Temporary password has expired") =>
                {
                    Error::PasswordResetRequired
                }
                _ => Error::NotAuthorized(self.into()),
            },
            "UserNotFoundException" => Error::InvalidToken(TokenFault::UserGone),
            // Cognito's check for compromised credentials, which it reports like a policy rule.
            "InvalidPasswordException" if message.contains("for security reasons") => {
                Error::PolicyViolation(vec![Rule::NotBreached.into()])
            }
            "InvalidPasswordException" => rejected_by_pool(pool_requirement(message)),
            "PasswordHistoryPolicyViolationException" => {
                Error::PolicyViolation(vec![Rule::NotUsedBefore.into()])
            }
            // Cognito names the parameter, for example "Value at 'proposedPassword' failed to
            // satisfy constraint". An error in any other parameter is our fault, not the user's.
            "InvalidParameterException" => match message {
                m if m.contains("'proposedPassword'") => rejected_by_pool(PoolRequirement::Other),
                m if m.contains("'previousPassword'") => Error::PreviousPasswordUnusable,
                m if m.contains("'accessToken'") => {
                    Error::InvalidToken(TokenFault::RefusedByCognito)
                }
                _ => Error::Internal(self.into()),
            },
            "LimitExceededException" => Error::AttemptLimitExceeded,
            "TooManyRequestsException" | "ThrottlingException" | "Throttling" => {
                Error::TooManyRequests
            }
            "PasswordResetRequiredException" => Error::PasswordResetRequired,
            "UserNotConfirmedException" => Error::UserNotConfirmed,
            // A web ACL, or a resource control or endpoint policy.
            "ForbiddenException" | "AccessDeniedException" | "AccessDenied" => {
                Error::RequestBlocked(self.into())
            }
            // A replica of the pool; only the primary in another region accepts changes.
            "OperationNotEnabledException" => Error::ReadOnlyReplica(self.into()),
            // No client can cause or fix this: the pool was deleted or is in another region.
            "ResourceNotFoundException" => Error::Internal(self.into()),
            _ => Error::Upstream(self.into()),
        }
    }
}

fn rejected_by_pool(requirement: PoolRequirement) -> Error {
    Error::PolicyViolation(vec![Rule::AcceptedByPool(requirement).into()])
}

/// Finds the pool's rule in a message such as "Password did not conform with policy: Password must
/// have symbol characters".
fn pool_requirement(message: &str) -> PoolRequirement {
    let words = [
        ("not long enough", PoolRequirement::Length),
        ("lowercase", PoolRequirement::Lowercase),
        ("uppercase", PoolRequirement::Uppercase),
        ("numeric", PoolRequirement::Digit),
        ("symbol", PoolRequirement::Symbol),
    ];
    let found = words.into_iter().find(|(word, _)| message.contains(word));
    found.map_or(PoolRequirement::Other, |(_, requirement)| requirement)
}

/// Whether a code looks like an AWS exception's name, as hardly any password does.
fn is_exception_name(code: &str) -> bool {
    code.len() <= MAX_CODE
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && ["AccessDenied", "Error", "Exception", "Throttling"]
            .iter()
            .any(|ending| code.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ProblemCode;

    fn code(exception: &str, message: &str) -> ProblemCode {
        Refusal::new(400, Some(exception), message).into_error(message).code()
    }

    #[test]
    fn each_exception_has_its_code() {
        for (exception, expected) in [
            ("UserNotFoundException", ProblemCode::InvalidToken),
            ("InvalidPasswordException", ProblemCode::PasswordPolicyViolation),
            ("PasswordHistoryPolicyViolationException", ProblemCode::PasswordPolicyViolation),
            ("LimitExceededException", ProblemCode::AttemptLimitExceeded),
            ("TooManyRequestsException", ProblemCode::TooManyRequests),
            ("ThrottlingException", ProblemCode::TooManyRequests),
            ("PasswordResetRequiredException", ProblemCode::PasswordResetRequired),
            ("UserNotConfirmedException", ProblemCode::UserNotConfirmed),
            ("ForbiddenException", ProblemCode::RequestBlocked),
            ("ResourceNotFoundException", ProblemCode::InternalError),
            ("OperationNotEnabledException", ProblemCode::UpstreamUnavailable),
            ("AccessDeniedException", ProblemCode::RequestBlocked),
            ("AccessDenied", ProblemCode::RequestBlocked),
            ("InternalErrorException", ProblemCode::UpstreamError),
            ("BrandNewException", ProblemCode::UpstreamError),
            ("", ProblemCode::UpstreamError),
        ] {
            assert_eq!(code(exception, ""), expected, "{exception}");
        }
    }

    #[test]
    fn the_beginning_of_its_message_determines_the_code_of_not_authorized() {
        for (message, expected) in [
            ("Incorrect username or password.", ProblemCode::PreviousPasswordIncorrect),
            ("Access Token does not have required scopes", ProblemCode::InsufficientScope),
            ("Access Token has been revoked", ProblemCode::InvalidToken),
            ("Could not verify signature for Access Token", ProblemCode::InvalidToken),
            ("User is disabled.", ProblemCode::UserDisabled),
            ("Password attempts exceeded", ProblemCode::AttemptLimitExceeded),
            ("User is not authorized to change password", ProblemCode::PasswordManagedElsewhere),
            ("User must reset password", ProblemCode::PasswordResetRequired),
            (
                "Temporary password has expired and must be reset by an administrator.",
                ProblemCode::PasswordResetRequired,
            ),
            ("A message that AWS has changed", ProblemCode::NotAuthorized),
            ("", ProblemCode::NotAuthorized),
        ] {
            assert_eq!(code("NotAuthorizedException", message), expected, "{message}");
        }
    }

    #[test]
    fn the_parameters_name_determines_the_code_of_an_invalid_parameter() {
        for (parameter, expected) in [
            ("proposedPassword", ProblemCode::PasswordPolicyViolation),
            ("previousPassword", ProblemCode::PreviousPasswordIncorrect),
            ("accessToken", ProblemCode::InvalidToken),
            ("clientMetadata", ProblemCode::InternalError),
        ] {
            let message = format!("1 validation error detected: Value at '{parameter}' failed");
            assert_eq!(code("InvalidParameterException", &message), expected, "{parameter}");
        }
    }

    #[test]
    fn the_pools_rule_is_found_in_the_message() {
        for (message, expected) in [
            ("Password not long enough", PoolRequirement::Length),
            ("Password must have lowercase characters", PoolRequirement::Lowercase),
            ("Password must have uppercase characters", PoolRequirement::Uppercase),
            ("Password must have numeric characters", PoolRequirement::Digit),
            ("Password must have symbol characters", PoolRequirement::Symbol),
            ("Try harder", PoolRequirement::Other),
        ] {
            assert_eq!(pool_requirement(message), expected, "{message}");
        }
    }

    #[test]
    fn a_compromised_password_is_reported_as_breached_password() {
        let message = "Provided password cannot be used for security reasons.";
        let refusal = Refusal::new(400, Some("InvalidPasswordException"), message);
        let Error::PolicyViolation(violations) = refusal.into_error(message) else { panic!() };
        assert_eq!(violations[0].code(), "breached_password");
    }

    #[test]
    fn only_known_texts_are_logged() {
        let logged = |code: &str, message: &str| Refusal::new(400, Some(code), message).to_string();
        assert_eq!(
            logged("NotAuthorizedException", "Incorrect username or password."),
            "NotAuthorizedException (HTTP 400): Incorrect username or password"
        );
        assert_eq!(
            logged("InvalidPasswordException", "Password did not conform with hunter2"),
            "InvalidPasswordException (HTTP 400): Password did not conform with"
        );
        assert_eq!(logged("XException", ""), "XException (HTTP 400): no message");
        assert_eq!(
            logged("XException", "hünter2"),
            "XException (HTTP 400): an unknown message of 7 characters"
        );
        for code in ["hunter2", "hunter2 Exception", &("x".repeat(60) + "Exception")] {
            assert_eq!(logged(code, ""), "an unknown code (HTTP 400): no message", "{code}");
        }
        assert_eq!(logged("", ""), "no code (HTTP 400): no message");
    }
}
