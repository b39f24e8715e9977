//! The Cognito adapter: the only place that speaks to the SDK, and that reads its errors.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::config::http::HttpResponse;
use aws_sdk_cognitoidentityprovider::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeTransmitInterceptorContextMut,
};
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::{
    BehaviorVersion, ConfigBag, Intercept, Region, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_sdk_cognitoidentityprovider::{Client, Config};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body::Body;
use http_body_util::Limited;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::UserPoolId;
use crate::credentials::{AccessToken, Password};
use crate::error::{Error, Source};
use crate::policy::{PersonalAttribute, PoolRequirement, Rule};
use crate::token::TokenFault;

/// The longest wait for a connection in advance: in its own region, Cognito takes some milliseconds.
const LONGEST_ADVANCE: Duration = Duration::from_millis(500);

/// Less time than this is not enough to hear from Cognito, so nothing is sent.
const SHORTEST_CALL: Duration = Duration::from_millis(250);

/// The longest word, in bytes, of a message of Cognito's that is logged; its own are shorter.
const LONGEST_WORD: usize = 40;

/// The longest answer, in bytes, that is read to its end. Cognito's longest is to `GetUser`: about 70
/// attributes of at most 2,048 characters each.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// The one status that does not end a request: a gateway has stopped waiting for Cognito, which may
/// still be at work.
const GATEWAY_TIMEOUT: u16 = 504;

/// How Cognito is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The region of the pool's endpoint.
    pub region: String,
    /// The URL of an endpoint other than AWS's.
    pub endpoint: Option<String>,
    /// Whether to call AWS's endpoint whose cryptography is validated by FIPS 140.
    pub use_fips: bool,
    /// Whether to call AWS's endpoint that can be reached by IPv6.
    pub use_dual_stack: bool,
    /// The longest wait for a connection, name look-up and TLS included.
    pub connect_timeout: Duration,
    /// The longest wait for one answer.
    pub call_timeout: Duration,
}

/// A client of Cognito's user pools API that needs no AWS credentials.
#[derive(Debug, Clone)]
pub struct Cognito {
    client: Client,
    call_timeout: Duration,
}

/// How a call ended, and Cognito's own id of it where it answered.
#[derive(Debug)]
pub struct Reply<T, E> {
    /// What came of it.
    pub result: Result<T, E>,
    /// The value of `x-amzn-requestid`, for AWS support.
    pub request_id: Option<String>,
}

/// Why a change of password was not confirmed.
#[derive(Debug)]
pub enum Failure {
    /// Nothing was changed, for this reason.
    Certain(Error),
    /// The request was sent, and what came back does not tell whether the password changed.
    InDoubt {
        /// Whether an answer shows that the request is over, so that it can change nothing any more.
        answered: bool,
        /// What happened, for the log.
        source: Source,
    },
}

/// An error that Cognito named, fit for the log.
#[derive(Debug, Error)]
#[error("{code} (HTTP {status}): {message}")]
struct Refusal {
    code: String,
    status: u16,
    message: String,
}

#[derive(Debug, Error)]
enum TimeFault {
    #[error("too little time is left in this invocation")]
    NoneLeft,
    #[error("no answer in time")]
    RanOut,
}

impl Cognito {
    /// Makes a client; nothing is connected or looked up yet.
    ///
    /// There are no credentials: `ChangePassword` and `GlobalSignOut` are not signed. Retries are off,
    /// because the standard ones would send a change again whose answer was lost, and then report
    /// the old password as wrong.
    #[must_use]
    pub fn new(settings: &Settings, connector: SharedHttpConnector) -> Self {
        let Settings { region, endpoint, use_fips, use_dual_stack, .. } = settings.clone();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .use_fips(use_fips)
            .use_dual_stack(use_dual_stack)
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(BoundedAnswer)
            .http_client(http_client_fn(move |_, _| connector.clone()));
        config.set_endpoint_url(endpoint);
        Self { client: Client::from_conf(config.build()), call_timeout: settings.call_timeout }
    }

    /// Opens the connection that the first call will use, before there is a call that waits for it.
    ///
    /// It asks for the pool's public keys, a request that changes nothing and that anyone may make. As
    /// an operation of the SDK's that is sent elsewhere, it takes the way of all others to the same
    /// host. What comes of it does not matter: a call without a connection opens its own.
    pub async fn connect(&self, user_pool_id: &UserPoolId) {
        let path = format!("/{}/.well-known/jwks.json", user_pool_id.as_str());
        let ask_for_keys = move |request: HttpRequest| {
            HttpRequest::get(request.uri().trim_end_matches('/').to_owned() + &path)
        };
        let call = self.client.get_user().access_token("none");
        let call = call.customize().map_request(ask_for_keys).send();
        match timeout(LONGEST_ADVANCE, call).await {
            Ok(Err(SdkError::DispatchFailure(_))) | Err(_) => {
                tracing::warn!("there is no connection to Cognito yet");
            }
            // Public keys are no answer to `GetUser`, but they are an answer.
            Ok(_) => {}
        }
    }

    /// Sends one `ChangePassword`, once.
    ///
    /// A second connection is tried where the first was certainly not used, so that a user is not
    /// asked to send again what we can. `previous` is left out for a user who has no password yet.
    pub async fn change_password(
        &self,
        token: &AccessToken,
        previous: Option<&Password>,
        proposed: &Password,
        deadline: Instant,
    ) -> Reply<(), Failure> {
        let secrets = [
            token.expose_secret(),
            proposed.expose_secret(),
            previous.map_or("", |password| password.expose_secret()),
        ];
        let mut may_try_again = true;
        loop {
            let Some(time_limit) = self.time_limit(deadline) else {
                let error = Error::UpstreamUnavailable(TimeFault::NoneLeft.into());
                return Reply::local(Err(Failure::Certain(error)));
            };
            let exchange = Exchange::default();
            let call = self
                .client
                .change_password()
                .access_token(token.expose_secret())
                .set_previous_password(previous.map(|password| password.expose_secret().to_owned()))
                .proposed_password(proposed.expose_secret())
                .customize()
                .interceptor(exchange.clone())
                .send();
            return match timeout_at(time_limit, call).await {
                Ok(Ok(output)) => {
                    Reply { result: Ok(()), request_id: output.request_id().map(str::to_owned) }
                }
                Ok(Err(error)) if may_try_again && exchange.has_not_begun(&error) => {
                    tracing::warn!(cause = %source_of(error), "nothing was sent; trying again");
                    may_try_again = false;
                    continue;
                }
                Ok(Err(error)) => Reply {
                    request_id: error.request_id().map(str::to_owned),
                    result: Err(read_failure(error, &exchange, &secrets)),
                },
                Err(_elapsed) => Reply::local(Err(exchange.unanswered(TimeFault::RanOut.into()))),
            };
        }
    }

    /// Reads what the pool knows of the token's user, as far as a policy can ask for it.
    ///
    /// # Errors
    ///
    /// None of them can have changed anything.
    pub async fn get_user(
        &self,
        token: &AccessToken,
        deadline: Instant,
    ) -> Result<BTreeMap<PersonalAttribute, String>, Error> {
        let unavailable = |fault: TimeFault| Error::UpstreamUnavailable(fault.into());
        let time_limit = self.time_limit(deadline).ok_or(unavailable(TimeFault::NoneLeft))?;
        let call = self.client.get_user().access_token(token.expose_secret()).send();
        match timeout_at(time_limit, call).await {
            Ok(Ok(user)) => {
                let attributes = user.user_attributes.into_iter().filter_map(|attribute| {
                    let name = PersonalAttribute::from_cognito(&attribute.name)?;
                    Some((name, attribute.value?))
                });
                Ok(attributes.collect())
            }
            // An unwatched exchange counts as never sent, which for a call that only reads comes to
            // the same: it is safe to send again.
            Ok(Err(error)) => {
                match read_failure(error, &Exchange::default(), &[token.expose_secret()]) {
                    Failure::Certain(error) => Err(error),
                    Failure::InDoubt { source, .. } => Err(Error::Upstream(source)),
                }
            }
            Err(_elapsed) => Err(unavailable(TimeFault::RanOut)),
        }
    }

    /// Ends every session of the token's user, and tells whether Cognito did so.
    ///
    /// A failure is logged here: it never turns a finished change of password into an error.
    pub async fn global_sign_out(&self, token: &AccessToken, deadline: Instant) -> bool {
        let Some(time_limit) = self.time_limit(deadline) else {
            tracing::warn!(cause = %TimeFault::NoneLeft, "GlobalSignOut was not sent");
            return false;
        };
        let call = self
            .client
            .global_sign_out()
            .access_token(token.expose_secret())
            .customize()
            .interceptor(Exchange::default())
            .send();
        let code = match timeout_at(time_limit, call).await {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => error.code().unwrap_or("no answer that could be read").to_owned(),
            Err(_elapsed) => TimeFault::RanOut.to_string(),
        };
        tracing::warn!(cause = code, "GlobalSignOut failed after the password had changed");
        false
    }

    /// When to give up on a call that starts now; none when it is not worth starting.
    fn time_limit(&self, deadline: Instant) -> Option<Instant> {
        let now = Instant::now();
        (now + SHORTEST_CALL <= deadline).then(|| deadline.min(now + self.call_timeout))
    }
}

impl<T, E> Reply<T, E> {
    /// A result that was reached without an answer from Cognito.
    pub fn local(result: Result<T, E>) -> Self {
        Self { result, request_id: None }
    }
}

/// Tells what an SDK error means for the password.
fn read_failure<E>(
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
            let refusal = Refusal {
                code: error.code().unwrap_or("no code").to_owned(),
                status,
                message: redact(error.message().unwrap_or("no message"), secrets),
            };
            // Below 500 is a refusal whatever its code. From 500 on, Cognito's own failure may have
            // come before the change or after it.
            if status < 500 {
                Failure::Certain(read_refusal(refusal, error.message().unwrap_or_default()))
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
        _ => exchange.unanswered(source_of(error)),
    }
}

/// The cause without the SDK's wrapper, whose own text is only "dispatch failure" and the like.
fn source_of<E>(error: SdkError<E, HttpResponse>) -> Source
where
    E: std::error::Error + Send + Sync + 'static,
{
    error.into_source().unwrap_or_else(Into::into)
}

/// Translates Cognito's exceptions: the one table of them.
///
/// Messages are matched by how they begin, as public reports have them; a text that has changed
/// falls to the safe side (`not_authorized`, `rejected_by_pool`, `internal_error`) and is logged.
fn read_refusal(refusal: Refusal, message: &str) -> Error {
    match refusal.code.as_str() {
        "NotAuthorizedException" => match message {
            m if m.starts_with("Incorrect username or password") => {
                Error::PreviousPasswordIncorrect
            }
            m if m.starts_with("Access Token does not have required scopes") => {
                Error::InsufficientScope
            }
            m if m.contains("Access Token") => Error::InvalidToken(TokenFault::RefusedByCognito),
            m if m.starts_with("User is disabled") => Error::UserDisabled,
            m if m.starts_with("Password attempts exceeded") => Error::AttemptLimitExceeded,
            _ => Error::NotAuthorized(refusal.into()),
        },
        "UserNotFoundException" => Error::InvalidToken(TokenFault::UserGone),
        "InvalidPasswordException" => rejected_by_pool(pool_requirement(message)),
        "PasswordHistoryPolicyViolationException" => {
            Error::PolicyViolation(vec![Rule::NotUsedBefore.into()])
        }
        // Cognito names the parameter, e.g. "Value at 'proposedPassword' failed to satisfy
        // constraint". One that Cognito cannot even read is not the user's password or token.
        "InvalidParameterException" => match message {
            m if m.contains("'proposedPassword'") => rejected_by_pool(PoolRequirement::Other),
            m if m.contains("'previousPassword'") => Error::PreviousPasswordIncorrect,
            m if m.contains("'accessToken'") => Error::InvalidToken(TokenFault::RefusedByCognito),
            _ => Error::Internal(refusal.into()),
        },
        "LimitExceededException" => Error::AttemptLimitExceeded,
        "TooManyRequestsException" | "ThrottlingException" | "Throttling" => Error::TooManyRequests,
        "PasswordResetRequiredException" => Error::PasswordResetRequired,
        "UserNotConfirmedException" => Error::UserNotConfirmed,
        "ForbiddenException" => Error::RequestBlocked(refusal.into()),
        // No client can cause or mend these: the pool is gone, or this is not where it lives.
        "ResourceNotFoundException" | "OperationNotEnabledException" => {
            Error::Internal(refusal.into())
        }
        _ => Error::Upstream(refusal.into()),
    }
}

fn rejected_by_pool(requirement: PoolRequirement) -> Error {
    Error::PolicyViolation(vec![Rule::AcceptedByPool(requirement).into()])
}

/// The rule in e.g. "Password did not conform with policy: Password must have symbol characters".
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

/// Keeps a message out of the log that repeats what was sent: an emulator's may be the token itself,
/// so no message with a word as long as part of one is logged either.
fn redact(message: &str, secrets: &[&str]) -> String {
    let repeats = |secret: &&str| !secret.is_empty() && message.contains(*secret);
    let is_long = |word: &str| word.len() > LONGEST_WORD;
    if secrets.iter().any(repeats) || message.split_whitespace().any(is_long) {
        "[redacted]".into()
    } else {
        message.to_owned()
    }
}

/// Watches one exchange from the inside: whether the request left, and whether a `200` is Cognito's.
#[derive(Debug, Clone, Default)]
struct Exchange {
    /// Whether the connection has asked for the request's body, which it does only once it is made.
    ///
    /// Until then not a byte has left, whatever went wrong: name look-up, connection, TLS, a pooled
    /// connection that had gone, or our own time limit.
    sent: Arc<AtomicBool>,
}

impl Exchange {
    /// Whether a failure came before anything was sent, and took no time limit to come.
    fn has_not_begun<E>(&self, error: &SdkError<E, HttpResponse>) -> bool {
        !self.sent.load(Ordering::Relaxed)
            && matches!(error, SdkError::DispatchFailure(failure) if failure.is_io())
    }

    fn unanswered(&self, source: Source) -> Failure {
        if self.sent.load(Ordering::Relaxed) {
            Failure::InDoubt { answered: false, source }
        } else {
            Failure::Certain(Error::UpstreamUnavailable(source))
        }
    }
}

impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "Exchange"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Source> {
        let body = context.request_mut().body_mut();
        let inner = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(WatchedBody { inner, sent: Arc::clone(&self.sent) });
        Ok(())
    }

    /// Refuses a success that Cognito did not write.
    ///
    /// The SDK takes any `200` for one, since the output has no members: a proxy's page as well, and
    /// the `{"Output":{"__type":…}}` with which some AWS front ends answer what they do not know.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Source> {
        let response = context.response();
        let body = response.body().bytes().unwrap_or_default();
        let is_output = |fields: Map<String, Value>| {
            !["__type", "Output"].iter().any(|name| fields.contains_key(*name))
        };
        if response.status().is_success() && !serde_json::from_slice(body).is_ok_and(is_output) {
            return Err("a success without Cognito's JSON object".into());
        }
        Ok(())
    }
}

/// Breaks off an answer that is longer than any of Cognito's: the SDK would read it into memory whole.
#[derive(Debug)]
struct BoundedAnswer;

impl Intercept for BoundedAnswer {
    fn name(&self) -> &'static str {
        "BoundedAnswer"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Source> {
        let body = context.response_mut().body_mut();
        let inner = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(inner, LONGEST_ANSWER));
        Ok(())
    }
}

struct WatchedBody {
    inner: SdkBody,
    sent: Arc<AtomicBool>,
}

impl Body for WatchedBody {
    type Data = <SdkBody as Body>::Data;
    type Error = <SdkBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        self.sent.store(true, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        Body::size_hint(&self.inner)
    }
}
