//! What a failed call means for the password: whether it certainly did not change, or may have.

use aws_sdk_cognitoidentityprovider::config::http::HttpResponse;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use thiserror::Error;

use super::exchange::Exchange;
use super::refusal::Refusal;
use crate::error::{Error, Source};

/// A gateway stopped waiting for Cognito, which may still be at work: the only status that does not
/// end a request.
const GATEWAY_TIMEOUT: u16 = 504;

/// Why a change of password was not confirmed.
#[derive(Debug)]
pub enum Failure {
    /// Nothing was changed, for this reason.
    Certain(Error),
    /// The request was sent, and its answer does not say whether the password changed.
    InDoubt {
        /// Whether an answer shows that the request has ended and can no longer change anything.
        answered: bool,
        /// What happened, for the log.
        source: Source,
    },
}

/// Why there was no answer.
#[derive(Debug, Error)]
pub(super) enum TimeFault {
    #[error("too little time is left in this invocation")]
    NoneLeft,
    #[error("no answer in time")]
    RanOut,
}

impl Failure {
    /// The failure of an exchange that Cognito did not answer.
    pub(super) fn of_silence(exchange: &Exchange, source: Source) -> Self {
        if exchange.was_sent() {
            Self::InDoubt { answered: false, source }
        } else {
            Self::Certain(Error::UpstreamUnavailable(source))
        }
    }
}

/// Reads what an SDK error means for the password.
///
/// `secrets` are the passwords and the token that were sent; an upstream text that repeats one is
/// not kept.
pub(super) fn read_failure<E>(
    error: SdkError<E, HttpResponse>,
    exchange: &Exchange,
    secrets: &[&str],
) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let (status, error) = (context.raw().status().as_u16(), context.err());
            let (code, message) = (error.code(), error.message().unwrap_or_default());
            let refusal = Refusal::new(status, code, message, secrets);
            // A status below 500 is a refusal, whatever its code. From 500 on, Cognito's own failure
            // may have come before the change or after it.
            if status < 500 {
                Failure::Certain(refusal.into_error(message))
            } else {
                Failure::InDoubt { answered: status != GATEWAY_TIMEOUT, source: refusal.into() }
            }
        }
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            let source = format!("an answer that cannot be read (HTTP {status})").into();
            match status {
                429 => Failure::Certain(Error::TooManyRequests),
                400..=499 => Failure::Certain(Error::Upstream(source)),
                _ => Failure::InDoubt { answered: status != GATEWAY_TIMEOUT, source },
            }
        }
        SdkError::ConstructionFailure(_) => Failure::Certain(Error::Internal(source_of(error))),
        _ => Failure::of_silence(exchange, source_of(error)),
    }
}

/// The cause without the SDK's wrapper, whose own text is only "dispatch failure" and the like.
pub(super) fn source_of<E>(error: SdkError<E, HttpResponse>) -> Source
where
    E: std::error::Error + Send + Sync + 'static,
{
    error.into_source().unwrap_or_else(Into::into)
}
