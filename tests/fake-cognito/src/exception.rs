//! Cognito's exceptions and their usual messages.

use std::fmt;

/// An error response of Cognito.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The HTTP status.
    pub status: u16,
    /// The name, such as `NotAuthorizedException`.
    pub code: String,
    /// The message; an empty one is left out of the response.
    pub message: String,
    /// Additional headers of the response.
    pub headers: Vec<(&'static str, &'static str)>,
}

impl Exception {
    /// An exception with this message and the status that Cognito uses for it.
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

    /// An exception with its usual message, which may be empty.
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

    /// Shorthand for `NotAuthorizedException`, which has many messages.
    pub(crate) fn not_authorized(message: &str) -> Self {
        Self::new("NotAuthorizedException", message)
    }

    /// Shorthand for the exception for an invalid request.
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
