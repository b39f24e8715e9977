//! The client of Amazon Cognito's user pools API, the only module that calls the SDK's operations.
//!
//! [`failure`] determines what an error means for the password, [`refusal`] translates Cognito's
//! exceptions, and [`exchange`] watches each request.

mod exchange;
mod failure;
mod refusal;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::config::endpoint::{
    DefaultResolver, Params, ResolveEndpoint as _,
};
use aws_sdk_cognitoidentityprovider::config::http::HttpResponse;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::{
    BehaviorVersion, Region, StalledStreamProtectionConfig,
};
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_sdk_cognitoidentityprovider::{Client, Config};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout_at};

use crate::credentials::{AccessToken, Password};
use crate::error::{Error, Source};
use crate::policy::PersonalAttribute;
use crate::token::TokenFault;

pub use exchange::Connection;
use exchange::{BoundedAnswer, Exchange, Output};
pub use failure::Failure;
use failure::{TimeFault, read_failure};

/// A call with less time left than this is not sent: Cognito could not respond in time.
const MIN_CALL: Duration = Duration::from_millis(250);

/// The longest request id that is recorded, in bytes; AWS's are UUIDs of 36 bytes.
const MAX_REQUEST_ID: usize = 64;

/// How Cognito is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The region of the pool's endpoint.
    pub region: String,
    /// The URL of an endpoint other than AWS's.
    pub endpoint: Option<String>,
    /// Whether to call AWS's FIPS endpoint, whose cryptography is validated under FIPS 140.
    pub use_fips: bool,
    /// Whether to call AWS's dual-stack endpoint, which supports IPv6.
    pub use_dual_stack: bool,
    /// The longest wait for a connection, including name resolution and TLS.
    pub connect_timeout: Duration,
    /// The longest wait for one response, including a repeated request.
    pub call_timeout: Duration,
}

/// A client of Cognito's user pools API that needs no AWS credentials.
#[derive(Debug, Clone)]
pub struct Cognito {
    client: Client,
    call_timeout: Duration,
}

/// The result of a call.
#[derive(Debug)]
pub struct Reply<T> {
    /// Cognito's confirmation, or the failure.
    pub result: Result<T, Failure>,
    /// The value of `x-amzn-requestid`, for AWS support; none if Cognito did not respond.
    pub request_id: Option<String>,
    /// Whether an earlier attempt of the same request may have reached Cognito.
    is_repeated: bool,
}

/// When a request is sent once more, on a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// If it certainly did not reach Cognito.
    IfNotSent,
    /// If it may not have reached Cognito. Only for requests whose effect is the same once or
    /// twice.
    IfInDoubt,
}

/// How to send a request and recognise its success.
struct How {
    connection: Connection,
    repeat: Repeat,
    output: Output,
}

impl Settings {
    /// The URL of the endpoint that the SDK calls with these settings.
    ///
    /// # Errors
    ///
    /// If AWS has no such endpoint; then no call can be sent.
    pub async fn endpoint_url(&self) -> Result<String, Source> {
        let params = Params::builder()
            .region(&self.region)
            .use_fips(self.use_fips)
            .use_dual_stack(self.use_dual_stack)
            .set_endpoint(self.endpoint.clone())
            .build()?;
        Ok(DefaultResolver::new().resolve_endpoint(&params).await?.url().to_owned())
    }
}

impl Cognito {
    /// Creates a client without connecting to anything.
    ///
    /// It has no credentials: `ChangePassword` and `GlobalSignOut` are not signed. Retries are off,
    /// because the standard ones would repeat a change whose response was lost, and then report the
    /// old password as wrong.
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
        let client = Client::from_conf(config.build());
        Self { client, call_timeout: settings.call_timeout }
    }

    /// Sends one `ChangePassword`, of which at most one copy reaches Cognito.
    ///
    /// `previous` is none for a user who has no password yet.
    pub async fn change_password(
        &self,
        token: &AccessToken,
        previous: Option<&Password>,
        proposed: &Password,
        connection: Connection,
        deadline: Instant,
    ) -> Reply<()> {
        let send = |exchange| {
            self.client
                .change_password()
                .access_token(token.expose_secret())
                .set_previous_password(previous.map(|password| password.expose_secret().to_owned()))
                .proposed_password(proposed.expose_secret())
                .customize()
                .interceptor(exchange)
                .send()
        };
        let how = How { connection, repeat: Repeat::IfNotSent, output: Output::Empty };
        let Reply { result, request_id, is_repeated } = self.call(send, how, deadline).await;
        Reply { result: result.map(|_| ()), request_id, is_repeated }
    }

    /// Reads the attributes of the token's user that a policy can refer to.
    ///
    /// # Errors
    ///
    /// Cognito's refusal, or [`Error::UpstreamUnavailable`]. The call changes nothing.
    pub async fn get_user(
        &self,
        token: &AccessToken,
        deadline: Instant,
    ) -> Result<BTreeMap<PersonalAttribute, String>, Error> {
        let send = |exchange| {
            let call = self.client.get_user().access_token(token.expose_secret());
            call.customize().interceptor(exchange).send()
        };
        let connection = Connection::Pooled;
        let how = How { connection, repeat: Repeat::IfInDoubt, output: Output::User };
        match self.call(send, how, deadline).await.result {
            Ok(user) => {
                let attributes = user.user_attributes.into_iter().filter_map(|attribute| {
                    let name = PersonalAttribute::from_cognito(&attribute.name)?;
                    Some((name, attribute.value?))
                });
                Ok(attributes.collect())
            }
            Err(Failure::Refused(error)) => Err(error),
            // A call that only reads is as safe to repeat as one that was not sent.
            Err(Failure::NotSent(source) | Failure::InDoubt(source)) => {
                Err(Error::UpstreamUnavailable(source))
            }
        }
    }

    /// Ends every session of the token's user, and returns whether Cognito did so.
    ///
    /// A failure is logged here: it never turns a completed change into an error.
    pub async fn global_sign_out(&self, token: &AccessToken, deadline: Instant) -> bool {
        let send = |exchange| {
            let call = self.client.global_sign_out().access_token(token.expose_secret());
            call.customize().interceptor(exchange).send()
        };
        // Its success has the same bytes as the success of the change, so a second response to the
        // change on one connection would pass for a sign-out.
        let connection = Connection::Fresh;
        let how = How { connection, repeat: Repeat::IfInDoubt, output: Output::Empty };
        let reply = self.call(send, how, deadline).await;
        let cause = match reply.result {
            Ok(_) => return true,
            // The first of two requests arrived after all, and revoked this token too.
            Err(Failure::Refused(Error::InvalidToken(TokenFault::Revoked)))
                if reply.is_repeated =>
            {
                return true;
            }
            Err(Failure::Refused(error)) => error.code().as_str().into(),
            Err(Failure::NotSent(source) | Failure::InDoubt(source)) => source,
        };
        tracing::warn!(%cause, "GlobalSignOut failed after the password had changed");
        false
    }

    /// Makes one call within one time limit.
    ///
    /// A request that may be repeated is sent once more, on a new connection, if there is time: a
    /// pooled connection may have been closed without notice.
    async fn call<T, E, F>(
        &self,
        send: impl Fn(Exchange) -> F,
        How { mut connection, repeat, output }: How,
        deadline: Instant,
    ) -> Reply<T>
    where
        T: RequestId,
        E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut may_repeat = true;
        let mut is_repeated = false;
        let time_limit = deadline.min(Instant::now() + self.call_timeout);
        loop {
            if Instant::now() + MIN_CALL > time_limit {
                let failure = Failure::NotSent(TimeFault::NoneLeft.into());
                return Reply { result: Err(failure), request_id: None, is_repeated };
            }
            let exchange = Exchange::new(connection, output);
            let answer = timeout_at(time_limit, send(exchange.clone())).await;
            let request_id = answer.as_ref().ok().and_then(RequestId::request_id);
            let request_id = request_id.filter(is_request_id).map(str::to_owned);
            let result = match answer {
                Ok(answer) => answer.map_err(|error| read_failure(error, &exchange)),
                Err(_elapsed) => Err(Failure::of_silence(&exchange, TimeFault::RanOut.into())),
            };
            let cause = match &result {
                Err(Failure::NotSent(cause)) => cause,
                Err(Failure::InDoubt(cause)) if repeat == Repeat::IfInDoubt => cause,
                _ => return Reply { result, request_id, is_repeated },
            };
            if !may_repeat || Instant::now() + MIN_CALL > time_limit {
                return Reply { result, request_id, is_repeated };
            }
            tracing::warn!(%cause, "sending a request again on a new connection");
            is_repeated = matches!(result, Err(Failure::InDoubt(_)));
            may_repeat = false;
            connection = Connection::Fresh;
        }
    }
}

/// Whether a text looks like one of AWS's request ids, so that no other text is recorded as one.
fn is_request_id(text: &&str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    text.len() <= MAX_REQUEST_ID && text.bytes().all(is_part)
}
