//! What a failed call means for the password: certainly not changed, or in doubt.

use aws_sdk_cognitoidentityprovider::config::http::HttpResponse;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use serde::Deserialize;
use thiserror::Error;

use super::exchange::{ERROR_TYPE, Exchange};
use super::refusal::Refusal;
use crate::error::{Error, Source};

/// Why Cognito did not confirm a call.
#[derive(Debug)]
pub enum Failure {
    /// The request certainly did not reach Cognito.
    NotSent(Source),
    /// Cognito itself refused the request, which changed nothing.
    Refused(Error),
    /// The request was sent, and no response from Cognito itself shows what became of it.
    InDoubt(Source),
}

/// Why there was no response.
#[derive(Debug, Error)]
pub(super) enum TimeFault {
    #[error("too little time is left in this invocation")]
    NoneLeft,
    #[error("no answer in time")]
    RanOut,
}

impl Failure {
    /// The failure of an exchange without a response.
    pub(super) fn of_silence(exchange: &Exchange, source: Source) -> Self {
        if exchange.was_sent() { Self::InDoubt(source) } else { Self::NotSent(source) }
    }
}

/// Translates an SDK error.
///
/// Only a status from 400 to 499 with the type of an exception counts as Cognito's refusal. Any
/// other response (another status, an HTML page, JSON of another shape) may come from something
/// between us and Cognito, and Cognito may still have made the change.
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

/// Whether a response names an exception as Cognito does; the SDK also accepts other members.
fn has_exception_type(response: &HttpResponse) -> bool {
    #[derive(Deserialize)]
    struct Body {
        __type: String,
    }
    let is_named =
        |body| serde_json::from_slice(body).is_ok_and(|Body { __type }| !__type.is_empty());
    response.headers().contains_key(ERROR_TYPE) || response.body().bytes().is_some_and(is_named)
}

/// Whether an exception is a failure of the service, whatever its status. It may have occurred
/// before the change or after it.
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

/// The cause without the SDK's wrapper, whose own text is no more than, for example, "dispatch
/// failure".
fn source_of<E>(error: SdkError<E, HttpResponse>) -> Source
where
    E: std::error::Error + Send + Sync + 'static,
{
    error.into_source().unwrap_or_else(Into::into)
}
