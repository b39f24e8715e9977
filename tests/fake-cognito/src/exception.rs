//! Cognito's exceptions and their usual texts.

use std::fmt;

/// An error that Cognito answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The HTTP status.
    pub status: u16,
    /// The name, such as `NotAuthorizedException`.
    pub code: String,
    /// The text, which is left out of the answer when empty.
    pub message: String,
    /// Headers to answer with besides the usual ones.
    pub headers: Vec<(&'static str, &'static str)>,
}

impl Exception {
    /// An exception with a text of its own and the status that Cognito gives it.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            status: match code.as_str() {
                "ForbiddenException" => 403,
                "InternalErrorException" => 500,
                _ => 400,
            },
            code,
            message: message.into(),
            headers: Vec::new(),
        }
    }

    /// An exception with the text that it usually has; one without a usual text has none.
    pub fn usual(code: &str) -> Self {
        let message = match code {
            "ForbiddenException" => "Request not allowed due to WAF block.",
            "InternalErrorException" => "Something went wrong",
            "InvalidParameterException" => {
                "1 validation error detected: Value at 'proposedPassword' failed to satisfy \
                 constraint: Member must satisfy regular expression pattern: ^[\\S]+.*[\\S]+$"
            }
            "InvalidPasswordException" => {
                "Password did not conform with policy: Password must have symbol characters"
            }
            "LimitExceededException" => "Attempt limit exceeded, please try after some time.",
            "NotAuthorizedException" => "Incorrect username or password.",
            "PasswordHistoryPolicyViolationException" => "Password has been used before.",
            "PasswordResetRequiredException" => "Password reset required for the user",
            "ResourceNotFoundException" => "User pool client does not exist.",
            "TooManyRequestsException" => "Too many requests",
            "UserNotConfirmedException" => "User is not confirmed.",
            "UserNotFoundException" => "User does not exist.",
            _ => "",
        };
        Self::new(code, message)
    }

    /// Shorthand for the exception that Cognito has the most texts for.
    pub(crate) fn not_authorized(message: &str) -> Self {
        Self::new("NotAuthorizedException", message)
    }

    /// Shorthand for a request that makes no sense as it stands.
    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Exception {}
