//! Every way a request can fail, and the problem that reports each failure to the client.

use std::time::Duration;

use thiserror::Error;

use crate::policy::{Rule, Violation};
use crate::problem::ProblemCode;
use crate::token::TokenFault;

/// The underlying error, for the log only; it must not contain a secret.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a request failed.
///
/// `Display` is the problem's `detail`. It is written for the client's developer and repeats
/// nothing from the request except the names of JSON fields.
#[derive(Debug, Error)]
pub enum Error {
    /// The body or the event cannot be read.
    #[error("{0}")]
    MalformedRequest(String),
    /// There is no `Authorization` header with exactly one bearer token.
    #[error("Send the access token in exactly one `Authorization: Bearer <token>` header.")]
    MissingToken,
    /// The token is invalid; the client needs another one.
    #[error("{0}")]
    InvalidToken(TokenFault),
    /// The token lacks the scope that a password change requires.
    #[error("{}", TokenFault::MissingScope)]
    InsufficientScope,
    /// Cognito reports that the previous password is wrong.
    #[error("The previous password is not correct.")]
    PreviousPasswordIncorrect,
    /// No Cognito user can have this previous password.
    #[error(
        "The previous password is not correct: no password begins or ends with a space, contains a \
         control character or is longer than 256 characters."
    )]
    PreviousPasswordUnusable,
    /// Cognito reports that the user is disabled.
    #[error("This account is disabled.")]
    UserDisabled,
    /// Cognito refused the change for an unknown reason.
    #[error("Cognito refused the change.")]
    NotAuthorized(#[source] Source),
    /// The user signs in through another identity provider.
    #[error("This account signs in through another identity provider and has no password here.")]
    PasswordManagedElsewhere,
    /// Cognito's web ACL, a resource control policy or an endpoint policy blocked the request.
    #[error("A web ACL or an access policy blocked the request before it reached the user pool.")]
    RequestBlocked(#[source] Source),
    /// No such route.
    #[error("This path does not exist.")]
    NotFound,
    /// The route exists, but not for this method.
    #[error("Allowed methods: {allow}.")]
    MethodNotAllowed {
        /// The allowed methods, as the `Allow` header lists them.
        allow: &'static str,
    },
    /// The user must go through the forgotten-password flow.
    #[error("An administrator requires a password reset: use the forgotten-password flow.")]
    PasswordResetRequired,
    /// The account is not confirmed.
    #[error("This account is not confirmed yet.")]
    UserNotConfirmed,
    /// The body is longer than any valid one.
    #[error("The body is longer than {max} bytes.")]
    PayloadTooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// The content type is not JSON.
    #[error("Send the body as `Content-Type: application/json`.")]
    UnsupportedMediaType,
    /// The proposed password breaks these rules; never empty.
    #[error("The proposed password breaks the password policy.")]
    PolicyViolation(Vec<Violation>),
    /// The user has used up the attempts that Cognito allows.
    #[error("Too many attempts to change this password; wait before the next one.")]
    AttemptLimitExceeded,
    /// The user has sent too many requests to this execution environment.
    #[error("Too many requests from this user; wait before the next one. Nothing was changed.")]
    TooManyOfThisUser {
        /// The time until the next request is accepted.
        wait: Duration,
    },
    /// The user pool has exceeded its request quota.
    #[error("The service is busy; try again in a moment. Nothing was changed.")]
    TooManyRequests,
    /// A fault of the service or of its deployment.
    #[error("The service failed; nothing was changed.")]
    Internal(#[source] Source),
    /// A panic, possibly after a change; the log has its location.
    #[error(
        "The service failed; if a change was in progress, try to sign in with the new password."
    )]
    Panicked,
    /// Cognito failed, and certainly did not change the password.
    #[error("The sign-in service failed; the password was not changed.")]
    Upstream(#[source] Source),
    /// Cognito was not reached, so nothing was changed.
    #[error(
        "The sign-in service was not reached; nothing was changed and it is safe to try again."
    )]
    UpstreamUnavailable(#[source] Source),
    /// The policy requires a check for known breaches, and the service for it did not answer.
    #[error(
        "The check for known breaches failed; nothing was changed and it is safe to try again."
    )]
    BreachesUnavailable(#[source] Source),
    /// Only a read-only replica of the user pool was reached, so nothing was changed.
    #[error(
        "The sign-in service cannot change passwords at the moment; nothing was changed and it is \
         safe to try again."
    )]
    ReadOnlyReplica(#[source] Source),
    /// The function could not find out whether the password changed.
    #[error("The password may or may not have changed: try to sign in with the new one.")]
    OutcomeUnknown(#[source] Source),
}

/// The texts of an error and of its sources, outermost first.
#[must_use]
pub fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    let errors = std::iter::successors(Some(error), |error| error.source());
    errors.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An upper bound: Cognito limits a user's attempts per hour and does not report when the hour
/// began.
const ATTEMPT_WINDOW_SECONDS: u32 = 3600;

/// How long a client waits before it retries when Cognito was busy or unreachable.
const RETRY_SECONDS: u32 = 2;

impl Error {
    /// The problem's code, which determines its status and title.
    #[must_use]
    pub fn code(&self) -> ProblemCode {
        match self {
            Self::MalformedRequest(_) => ProblemCode::MalformedRequest,
            Self::MissingToken => ProblemCode::MissingToken,
            Self::InvalidToken(_) => ProblemCode::InvalidToken,
            Self::InsufficientScope => ProblemCode::InsufficientScope,
            Self::PreviousPasswordIncorrect | Self::PreviousPasswordUnusable => {
                ProblemCode::PreviousPasswordIncorrect
            }
            Self::UserDisabled => ProblemCode::UserDisabled,
            Self::NotAuthorized(_) => ProblemCode::NotAuthorized,
            Self::PasswordManagedElsewhere => ProblemCode::PasswordManagedElsewhere,
            Self::RequestBlocked(_) => ProblemCode::RequestBlocked,
            Self::NotFound => ProblemCode::NotFound,
            Self::MethodNotAllowed { .. } => ProblemCode::MethodNotAllowed,
            Self::PasswordResetRequired => ProblemCode::PasswordResetRequired,
            Self::UserNotConfirmed => ProblemCode::UserNotConfirmed,
            Self::PayloadTooLarge { .. } => ProblemCode::PayloadTooLarge,
            Self::UnsupportedMediaType => ProblemCode::UnsupportedMediaType,
            Self::PolicyViolation(_) => ProblemCode::PasswordPolicyViolation,
            Self::AttemptLimitExceeded => ProblemCode::AttemptLimitExceeded,
            Self::TooManyOfThisUser { .. } | Self::TooManyRequests => ProblemCode::TooManyRequests,
            Self::Internal(_) | Self::Panicked => ProblemCode::InternalError,
            Self::Upstream(_) => ProblemCode::UpstreamError,
            Self::UpstreamUnavailable(_)
            | Self::BreachesUnavailable(_)
            | Self::ReadOnlyReplica(_) => ProblemCode::UpstreamUnavailable,
            Self::OutcomeUnknown(_) => ProblemCode::OutcomeUnknown,
        }
    }

    /// After how many seconds the same request may succeed; none if waiting does not help.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::AttemptLimitExceeded => Some(ATTEMPT_WINDOW_SECONDS),
            Self::TooManyRequests
            | Self::UpstreamUnavailable(_)
            | Self::BreachesUnavailable(_)
            | Self::ReadOnlyReplica(_) => Some(RETRY_SECONDS),
            // Rounded up, so that the client does not retry too early.
            Self::TooManyOfThisUser { wait } => {
                Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
            }
            _ => None,
        }
    }

    /// Whether Cognito rejected the proposed password because of its password history.
    #[must_use]
    pub fn is_used_before(&self) -> bool {
        let is_history = |violation: &Violation| violation.code() == Rule::NotUsedBefore.code();
        matches!(self, Self::PolicyViolation(violations) if violations.iter().any(is_history))
    }
}

impl From<TokenFault> for Error {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::MissingScope => Self::InsufficientScope,
            other => Self::InvalidToken(other),
        }
    }
}
