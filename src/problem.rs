//! The problems of the public API: one table of their codes, statuses and titles.

use http::StatusCode;

/// Declares [`ProblemCode`] from a table with one row for each code.
macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $status:ident, $code:literal, $title:literal;)*) => {
        /// The stable `code` of a problem, which clients branch on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ProblemCode {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as clients see it, in `snake_case`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status of every problem with this code.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The short text of RFC 9457's `title`, the same for every problem with this code.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problem_codes! {
    /// The body or the event cannot be read.
    MalformedRequest = BAD_REQUEST, "malformed_request", "Malformed request";
    /// There is no usable `Authorization` header.
    MissingToken = UNAUTHORIZED, "missing_token", "Access token missing";
    /// The token is invalid; the client needs another one.
    InvalidToken = UNAUTHORIZED, "invalid_token", "Access token not accepted";
    /// The token lacks the scope that a password change requires.
    InsufficientScope = FORBIDDEN, "insufficient_scope", "Scope missing";
    /// The previous password is wrong.
    PreviousPasswordIncorrect =
        FORBIDDEN, "previous_password_incorrect", "Previous password incorrect";
    /// The user is disabled.
    UserDisabled = FORBIDDEN, "user_disabled", "Account disabled";
    /// Cognito refused the change for an unknown reason.
    NotAuthorized = FORBIDDEN, "not_authorized", "Not authorized";
    /// The user signs in through another identity provider and has no password here.
    PasswordManagedElsewhere =
        FORBIDDEN, "password_managed_elsewhere", "Password managed elsewhere";
    /// Cognito's web ACL or an access policy of the organisation blocked the request.
    RequestBlocked = FORBIDDEN, "request_blocked", "Request blocked";
    /// No such route.
    NotFound = NOT_FOUND, "not_found", "Not found";
    /// The route exists, but not for this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed";
    /// The user must go through the forgotten-password flow.
    PasswordResetRequired = CONFLICT, "password_reset_required", "Password reset required";
    /// The account is not confirmed.
    UserNotConfirmed = CONFLICT, "user_not_confirmed", "Account not confirmed";
    /// The body is too long.
    PayloadTooLarge = PAYLOAD_TOO_LARGE, "payload_too_large", "Body too large";
    /// The content type is not JSON.
    UnsupportedMediaType =
        UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type";
    /// The proposed password breaks rules.
    PasswordPolicyViolation =
        UNPROCESSABLE_ENTITY, "password_policy_violation", "Password policy violated";
    /// The user has made too many attempts.
    AttemptLimitExceeded = TOO_MANY_REQUESTS, "attempt_limit_exceeded", "Too many attempts";
    /// The user or the user pool has sent too many requests.
    TooManyRequests = TOO_MANY_REQUESTS, "too_many_requests", "Too many requests";
    /// This service or its deployment is at fault.
    InternalError = INTERNAL_SERVER_ERROR, "internal_error", "Internal error";
    /// Cognito failed, and did not change the password.
    UpstreamError = BAD_GATEWAY, "upstream_error", "Sign-in service failed";
    /// Cognito or the breach service was not reached, so nothing was changed.
    UpstreamUnavailable = SERVICE_UNAVAILABLE, "upstream_unavailable", "Service not reached";
    /// The function could not find out whether the password changed.
    OutcomeUnknown = GATEWAY_TIMEOUT, "outcome_unknown", "Outcome unknown";
}
