//! Cognito's exceptions: the one table that translates them.

use thiserror::Error;

use crate::error::Error;
use crate::policy::{PoolRequirement, Rule};
use crate::token::TokenFault;

/// The longest word, in bytes, of a message that is logged; Cognito's own words are shorter.
const MAX_WORD: usize = 40;

/// An exception that Cognito named, fit for the log.
#[derive(Debug, Error)]
#[error("{code} (HTTP {status}): {message}")]
pub(super) struct Refusal {
    code: String,
    status: u16,
    /// Without secrets: see [`redact`].
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: Option<&str>, message: &str, secrets: &[&str]) -> Self {
        let logged =
            if message.is_empty() { "no message".into() } else { redact(message, secrets) };
        Self { code: code.unwrap_or("no code").to_owned(), status, message: logged }
    }

    /// Translates the exception; `message` is Cognito's text, before redaction.
    ///
    /// Messages are matched by how they begin, as public reports quote them. A text that has changed
    /// falls to the safe side (`not_authorized`, `rejected_by_pool`, `internal_error`) and is logged.
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
            // Cognito's check for compromised credentials, which reads like a rule of the policy.
            "InvalidPasswordException" if message.contains("for security reasons") => {
                Error::PolicyViolation(vec![Rule::NotBreached.into()])
            }
            "InvalidPasswordException" => rejected_by_pool(pool_requirement(message)),
            "PasswordHistoryPolicyViolationException" => {
                Error::PolicyViolation(vec![Rule::NotUsedBefore.into()])
            }
            // Cognito names the parameter, for example "Value at 'proposedPassword' failed to satisfy
            // constraint". A fault of any other parameter is ours, not the user's.
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
            "ForbiddenException" | "AccessDeniedException" => Error::RequestBlocked(self.into()),
            // A replica of the pool, while only the primary in another region takes changes.
            "OperationNotEnabledException" => Error::ReadOnlyReplica(self.into()),
            // No client can cause or mend this: the pool is gone, or it lives elsewhere.
            "ResourceNotFoundException" => Error::Internal(self.into()),
            _ => Error::Upstream(self.into()),
        }
    }
}

fn rejected_by_pool(requirement: PoolRequirement) -> Error {
    Error::PolicyViolation(vec![Rule::AcceptedByPool(requirement).into()])
}

/// The rule in, for example, "Password did not conform with policy: Password must have symbol
/// characters".
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

/// Keeps a message out of the log that repeats a secret.
///
/// An emulator's message may be the token itself, so a message with a word as long as a part of a
/// token is not logged either.
fn redact(message: &str, secrets: &[&str]) -> String {
    let repeats = |secret: &&str| !secret.is_empty() && message.contains(*secret);
    let is_long = |word: &str| word.len() > MAX_WORD;
    if secrets.iter().any(repeats) || message.split_whitespace().any(is_long) {
        "[redacted]".into()
    } else {
        message.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ProblemCode;

    fn code(exception: &str, message: &str) -> ProblemCode {
        Refusal::new(400, Some(exception), message, &[]).into_error(message).code()
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
            ("InternalErrorException", ProblemCode::UpstreamError),
            ("BrandNewException", ProblemCode::UpstreamError),
            ("", ProblemCode::UpstreamError),
        ] {
            assert_eq!(code(exception, ""), expected, "{exception}");
        }
    }

    #[test]
    fn not_authorized_is_told_apart_by_the_beginning_of_its_message() {
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
    fn an_invalid_parameter_is_told_apart_by_its_name() {
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
    fn the_rule_of_the_pool_is_read_from_the_message() {
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
    fn a_compromised_password_is_a_breached_one() {
        let message = "Provided password cannot be used for security reasons.";
        let refusal = Refusal::new(400, Some("InvalidPasswordException"), message, &[]);
        let Error::PolicyViolation(violations) = refusal.into_error(message) else { panic!() };
        assert_eq!(violations[0].code(), "breached_password");
    }

    #[test]
    fn a_message_that_repeats_a_secret_is_not_logged() {
        let logged = |message: &str| {
            Refusal::new(400, Some("XException"), message, &["hunter2", ""]).to_string()
        };
        assert_eq!(logged("No such user"), "XException (HTTP 400): No such user");
        assert_eq!(logged(""), "XException (HTTP 400): no message");
        assert_eq!(logged("not hunter2!"), "XException (HTTP 400): [redacted]");
        assert_eq!(logged(&"e".repeat(41)), "XException (HTTP 400): [redacted]");
    }
}
