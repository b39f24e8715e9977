//! The client of Amazon Cognito's user pools API, the only part that calls the SDK's operations.
//!
//! What an answer means for the password is read in [`failure`], Cognito's own exceptions in
//! [`refusal`], and [`exchange`] watches each request on its way.

mod exchange;
mod failure;
mod refusal;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::{
    BehaviorVersion, Region, StalledStreamProtectionConfig,
};
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId as _;
use aws_sdk_cognitoidentityprovider::{Client, Config};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::credentials::{AccessToken, Password};
use crate::error::Error;
use crate::policy::PersonalAttribute;
use crate::user_pool::UserPoolId;

use exchange::{BoundedAnswer, Exchange};
pub use failure::Failure;
use failure::{TimeFault, read_failure, source_of};

/// The longest wait for the connection that is opened at the start. Within one region, Cognito
/// answers in milliseconds.
const MAX_CONNECT_AT_START: Duration = Duration::from_millis(500);

/// A call with less time left than this is not sent: Cognito could not answer it in time.
const MIN_CALL: Duration = Duration::from_millis(250);

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

/// How one `ChangePassword` ended.
#[derive(Debug)]
pub struct Reply {
    /// Whether Cognito confirmed the change, or why it did not.
    pub result: Result<(), Failure>,
    /// The value of `x-amzn-requestid`, for AWS support; none when Cognito did not answer.
    pub request_id: Option<String>,
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

    /// Opens the connection that the first call will use, so that no call waits for it.
    ///
    /// It requests the pool's public keys, which changes nothing and needs no permission. The request
    /// is an operation of the SDK with another path, so it takes the same way to the same host as all
    /// others. Its result does not matter: a call without a connection opens its own.
    pub async fn connect(&self, user_pool_id: &UserPoolId) {
        let path = format!("/{}/.well-known/jwks.json", user_pool_id.as_str());
        let request_keys = move |request: HttpRequest| {
            HttpRequest::get(request.uri().trim_end_matches('/').to_owned() + &path)
        };
        let call = self.client.get_user().access_token("none");
        let call = call.customize().map_request(request_keys).send();
        match timeout(MAX_CONNECT_AT_START, call).await {
            Ok(Err(SdkError::DispatchFailure(_))) | Err(_) => {
                tracing::warn!("no connection to Cognito could be opened at the start");
            }
            // The keys are no answer to `GetUser`, but they did arrive.
            Ok(_) => {}
        }
    }

    /// Sends one `ChangePassword`, once.
    ///
    /// If its connection certainly failed before anything was sent, one other connection is tried, so
    /// that the user need not repeat the request. `previous` is none for a user who has no password
    /// yet.
    pub async fn change_password(
        &self,
        token: &AccessToken,
        previous: Option<&Password>,
        proposed: &Password,
        deadline: Instant,
    ) -> Reply {
        let secrets = [
            token.expose_secret(),
            proposed.expose_secret(),
            previous.map_or("", |password| password.expose_secret()),
        ];
        let mut may_try_again = true;
        loop {
            let Some(time_limit) = self.time_limit(deadline) else {
                let error = Error::UpstreamUnavailable(TimeFault::NoneLeft.into());
                return Reply::unanswered(Failure::Certain(error));
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
                Err(_elapsed) => {
                    Reply::unanswered(Failure::of_silence(&exchange, TimeFault::RanOut.into()))
                }
            };
        }
    }

    /// Reads the attributes of the token's user that a policy can refer to.
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
            // An unwatched exchange counts as never sent. For a call that only reads, both are safe
            // to send again.
            Ok(Err(error)) => {
                match read_failure(error, &Exchange::default(), &[token.expose_secret()]) {
                    Failure::Certain(error) => Err(error),
                    Failure::InDoubt { source, .. } => Err(Error::Upstream(source)),
                }
            }
            Err(_elapsed) => Err(unavailable(TimeFault::RanOut)),
        }
    }

    /// Ends every session of the token's user, and returns whether Cognito did so.
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

    /// When to give up on a call that starts now; none when too little time is left to start it.
    fn time_limit(&self, deadline: Instant) -> Option<Instant> {
        let now = Instant::now();
        (now + MIN_CALL <= deadline).then(|| deadline.min(now + self.call_timeout))
    }
}

impl Reply {
    /// A call that got no answer from Cognito.
    fn unanswered(failure: Failure) -> Self {
        Self { result: Err(failure), request_id: None }
    }
}
