//! Every way in which a request can fail, with the problem that the client gets for it.

use std::time::Duration;

use thiserror::Error;

use crate::policy::{Rule, Violation};
use crate::problem::ProblemCode;
use crate::token::TokenFault;

/// What went wrong underneath, for the log only; whoever makes one keeps secrets out of it.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a request was not answered with what it asked for.
///
/// `Display` is the problem's `detail`: it is written for the client's developer and repeats nothing
/// of a request but the names of JSON fields.
#[derive(Debug, Error)]
pub enum Error {
    /// The body or the event cannot be read.
    #[error("{0}")]
    MalformedRequest(String),
    /// No `Authorization` header that holds one bearer token.
    #[error("Send the access token as `Authorization: Bearer <token>`, once.")]
    MissingToken,
    /// The token is no good; another one is needed.
    #[error("{0}")]
    InvalidToken(TokenFault),
    /// The token does not carry the scope that a change of password takes.
    #[error("{}", TokenFault::MissingScope)]
    InsufficientScope,
    /// Cognito says that the previous password is wrong.
    #[error("The previous password is not correct.")]
    PreviousPasswordIncorrect,
    /// The previous password is one that no Cognito user can have.
    #[error(
        "The previous password is not correct: no password begins or ends with a space, contains a \
         control character or is longer than 256 characters."
    )]
    PreviousPasswordUnusable,
    /// Cognito says that the user is disabled.
    #[error("This account is disabled.")]
    UserDisabled,
    /// Cognito refused for a reason that we do not know.
    #[error("Cognito refused the change.")]
    NotAuthorized(#[source] Source),
    /// The user signs in through another identity provider.
    #[error("This account signs in through another identity provider and has no password here.")]
    PasswordManagedElsewhere,
    /// Cognito's web ACL refused, or a resource control or endpoint policy.
    #[error(
        "The request was blocked before it reached the user pool, by a web ACL or an access policy."
    )]
    RequestBlocked(#[source] Source),
    /// No such route.
    #[error("There is nothing at this path.")]
    NotFound,
    /// The route exists, but not for this method.
    #[error("Allowed methods: {allow}.")]
    MethodNotAllowed {
        /// The methods that it does answer, as the `Allow` header lists them.
        allow: &'static str,
    },
    /// The user must go through the forgotten-password flow.
    #[error(
        "An administrator asked for this password to be reset: use the forgotten-password flow."
    )]
    PasswordResetRequired,
    /// The account is not confirmed.
    #[error("This account is not confirmed yet.")]
    UserNotConfirmed,
    /// The body is longer than a change of password can be.
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
    /// This user has tried too often.
    #[error("Too many attempts to change this password; wait before the next one.")]
    AttemptLimitExceeded,
    /// This user has sent too many requests, as far as this function has seen.
    #[error("Too many requests of this user; wait before the next one. Nothing was changed.")]
    TooManyOfThisUser {
        /// How long until the next one is accepted.
        wait: Duration,
    },
    /// The user pool is over its quota of requests.
    #[error("The service is busy; try again in a moment. Nothing was changed.")]
    TooManyRequests,
    /// Our fault or the deployment's.
    #[error("The service failed; nothing was changed.")]
    Internal(#[source] Source),
    /// A bug of ours, which may have shown itself after a change; the log has its place.
    #[error("The service failed; if a change was under way, try to sign in with the new password.")]
    Panicked,
    /// Cognito failed, and is known not to have changed the password.
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
    /// Only a replica of the user pool was reached, which takes no changes.
    #[error(
        "The sign-in service cannot change passwords at the moment; nothing was changed and it is \
         safe to try again."
    )]
    ReadOnlyReplica(#[source] Source),
    /// Whether the change was made could not be settled.
    #[error("The password may or may not have changed: try to sign in with the new one.")]
    OutcomeUnknown(#[source] Source),
}

/// The text of an error and of all that lies under it, outermost first.
#[must_use]
pub fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    let errors = std::iter::successors(Some(error), |error| error.source());
    errors.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Cognito counts a user's tries by the hour and does not say when the hour began: an upper bound.
const ATTEMPT_WINDOW_SECONDS: u32 = 3600;

/// How long to wait before sending again what met a busy or unreachable Cognito.
const RETRY_SECONDS: u32 = 2;

impl Error {
    /// The problem's code, from which its status and title follow.
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

    /// After how many seconds the same request may succeed; none where waiting does not help.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::AttemptLimitExceeded => Some(ATTEMPT_WINDOW_SECONDS),
            Self::TooManyRequests
            | Self::UpstreamUnavailable(_)
            | Self::BreachesUnavailable(_)
            | Self::ReadOnlyReplica(_) => Some(RETRY_SECONDS),
            // Rounded up, so that the client does not come too early.
            Self::TooManyOfThisUser { wait } => {
                Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
            }
            _ => None,
        }
    }

    /// Whether Cognito's password history refused the proposed password.
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
