//! What a failed call means for the password: certainly not changed, or in doubt.

use aws_sdk_cognitoidentityprovider::config::http::HttpResponse;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use serde::Deserialize;
use thiserror::Error;

use super::exchange::{ERROR_TYPE, Exchange};
use super::refusal::Refusal;
use crate::error::{Error, Source};

/// Why a call was not confirmed.
#[derive(Debug)]
pub enum Failure {
    /// The request certainly did not reach Cognito.
    NotSent(Source),
    /// The request was refused, by Cognito itself, and changed nothing.
    Refused(Error),
    /// The request was sent, and what came back is not Cognito's word on it.
    InDoubt(Source),
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
    /// The failure of an exchange that got no answer.
    pub(super) fn of_silence(exchange: &Exchange, source: Source) -> Self {
        if exchange.was_sent() { Self::InDoubt(source) } else { Self::NotSent(source) }
    }
}

/// Reads what an SDK error means.
///
/// Only Cognito's own word counts as a refusal: a status from 400 to 499 with the type of an exception.
/// Everything else that was answered may come from something between us and Cognito, which may have
/// acted all the same: any other status, a page, JSON of another shape.
pub(super) fn read_failure<E>(error: SdkError<E, HttpResponse>, exchange: &Exchange) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let (response, error) = (context.raw(), context.err());
            let status = response.status().as_u16();
            let (code, message) = (error.code(), error.message().unwrap_or_default());
            let refusal = Refusal::new(status, code, message);
            let is_named = code.is_some_and(|code| !code.is_empty() && !is_server_fault(code));
            if (400..500).contains(&status) && is_named && has_exception_type(response) {
                Failure::Refused(refusal.into_error(message))
            } else {
                Failure::InDoubt(refusal.into())
            }
        }
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            Failure::InDoubt(format!("an answer that cannot be read (HTTP {status})").into())
        }
        SdkError::ConstructionFailure(_) => Failure::Refused(Error::Internal(source_of(error))),
        _ => Failure::of_silence(exchange, source_of(error)),
    }
}

/// Whether a response names an exception as Cognito does; the SDK would also read other members.
fn has_exception_type(response: &HttpResponse) -> bool {
    #[derive(Deserialize)]
    struct Body {
        __type: String,
    }
    let is_named =
        |body| serde_json::from_slice(body).is_ok_and(|Body { __type }| !__type.is_empty());
    response.headers().contains_key(ERROR_TYPE) || response.body().bytes().is_some_and(is_named)
}

/// Whether an exception is a failure of the service, whatever its status: it may have come before the
/// change or after it.
fn is_server_fault(code: &str) -> bool {
    const BEGINNINGS: [&str; 6] = [
        "ConcurrentModification",
        "Internal",
        "RequestTimeout",
        "ServiceUnavailable",
        "Timeout",
        "TransactionInProgress",
    ];
    BEGINNINGS.iter().any(|beginning| code.starts_with(beginning))
}

/// The cause without the SDK's wrapper, whose own text is only "dispatch failure" and the like.
fn source_of<E>(error: SdkError<E, HttpResponse>) -> Source
where
    E: std::error::Error + Send + Sync + 'static,
{
    error.into_source().unwrap_or_else(Into::into)
}
