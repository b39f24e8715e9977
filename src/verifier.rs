//! Verifies access tokens: their claims, and their signature with the user pool's own keys.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::{Instant, timeout_at};

use crate::cognito::{self, Connection};
use crate::config::Config;
use crate::connector::FreshConnection;
use crate::endpoint::is_private;
use crate::error::{Error, Source};
use crate::jwks::KeySet;
use crate::token::{Expected, TokenFault, UnverifiedToken, VerifiedToken};

/// How long after a successful fetch an unknown key id is rejected without another fetch.
///
/// Cognito publishes a new key before it signs with it, so an unknown id is most likely a forgery,
/// and forgeries must not cause requests to Cognito.
const MIN_TIME_BETWEEN_FETCHES: Duration = Duration::from_secs(30);

/// How long after a failed fetch an unknown key id is rejected without another fetch.
///
/// Otherwise an attacker who invents ids while the keys cannot be fetched would make every other
/// request wait.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long keys are trusted before they are fetched again, in case Cognito has withdrawn one.
const MAX_AGE: Duration = Duration::from_hours(1);

/// The longest wait for the keys at the cold start, whatever the settings: Lambda allows ten
/// seconds for a start.
const MAX_WAIT_AT_START: Duration = Duration::from_secs(5);

/// The maximum length of a key set, in bytes; Cognito's has two keys of about 500 bytes each.
const MAX_KEY_SET: usize = 64 * 1024;

/// Where a user pool publishes its keys, below its issuer's URL.
///
/// Source: Amazon Cognito developer guide, "Verifying JSON web tokens".
const PATH_OF_KEYS: &str = "/.well-known/jwks.json";

const NO_ANSWER: &str = "no answer in time";
const JUST_FAILED: &str = "the keys could not be fetched a moment ago";

/// Verifies the access tokens of one user pool.
///
/// An authorizer in front of the function proves nothing: it may have read another header, or there
/// may be none at all. So every signature is verified here.
#[derive(Debug)]
pub struct TokenVerifier {
    expected: Expected,
    key_source: KeySource,
    kept: Mutex<Option<Kept>>,
    /// The time of the last failure. The invocation that fetches keys holds the lock, so that only
    /// one does at a time.
    fetching: tokio::sync::Mutex<Option<Instant>>,
}

/// The keys of the last successful fetch.
#[derive(Debug, Clone)]
struct Kept {
    keys: Arc<KeySet>,
    since: Instant,
}

impl TokenVerifier {
    /// Creates a verifier without keys, which fetches them through this connector.
    #[must_use]
    pub fn new(config: &Config, connector: SharedHttpConnector) -> Self {
        let key_source = KeySource {
            connector,
            settings: config.cognito.clone(),
            path: format!("/{}{PATH_OF_KEYS}", config.user_pool_id.as_str()),
            issuer: config.token.issuer.clone(),
        };
        let expected = config.token.clone();
        Self {
            expected,
            key_source,
            kept: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// Fetches the keys before the first request needs them, over the connection that the first
    /// call to Cognito will use.
    ///
    /// A failure is not an error: the first request then fetches them. So this waits only half as
    /// long as a request waits for a connection.
    pub async fn fetch_keys_at_start(&self) {
        let wait = MAX_WAIT_AT_START.min(self.key_source.settings.connect_timeout / 2);
        if let Err(cause) = self.fetch(Instant::now() + wait).await {
            tracing::warn!(%cause, "the user pool's keys could not be fetched at the start");
        }
    }

    /// Verifies a token.
    ///
    /// The claims are checked first, so that a token of another pool causes no fetch.
    ///
    /// # Errors
    ///
    /// `InvalidToken` with the first fault found, or `InsufficientScope`; `UpstreamUnavailable` if
    /// the token names an unknown key and the keys cannot be fetched.
    pub async fn verify(&self, raw: &str, deadline: Instant) -> Result<VerifiedToken, Error> {
        let token = UnverifiedToken::parse(raw, &self.expected, SystemTime::now())?;
        let keys = self.keys_with(token.key_id(), deadline).await?;
        let key = keys.get(token.key_id()).ok_or(TokenFault::UnknownKey)?;
        Ok(token.verify(key)?)
    }

    /// The pool's keys: the cached ones if the id is among them, otherwise the newest.
    async fn keys_with(&self, id: &str, deadline: Instant) -> Result<Arc<KeySet>, Error> {
        if let Some(keys) = self.kept_with(id) {
            return Ok(keys);
        }
        let unavailable = Error::UpstreamUnavailable;
        let since = Instant::now();
        let turn = timeout_at(deadline, self.fetching.lock()).await;
        let mut last_failure = turn.map_err(|_| unavailable(NO_ANSWER.into()))?;
        // Meanwhile another invocation may have fetched them, or failed to.
        if let Some(keys) = self.kept_with(id) {
            return Ok(keys);
        }
        let old = self.kept().map(|kept| kept.keys);
        let pause = if old.is_some() { PAUSE_AFTER_FAILURE } else { Duration::ZERO };
        let fetched = if last_failure.is_some_and(|failure| failure + pause >= since) {
            Err(JUST_FAILED.into())
        } else {
            let time_limit = deadline.min(Instant::now() + self.key_source.settings.call_timeout);
            let fetched = self.fetch(time_limit).await;
            *last_failure = fetched.is_err().then(Instant::now);
            fetched
        };
        // Outdated keys are better than none.
        let old = old.filter(|keys| keys.get(id).is_some());
        fetched.or_else(|cause| old.ok_or_else(|| unavailable(cause)))
    }

    /// The cached keys, if the id is among them or they are too new to be fetched again.
    fn kept_with(&self, id: &str) -> Option<Arc<KeySet>> {
        let Kept { keys, since } = self.kept()?;
        let max_age = if keys.get(id).is_some() { MAX_AGE } else { MIN_TIME_BETWEEN_FETCHES };
        (since.elapsed() < max_age).then_some(keys)
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self, time_limit: Instant) -> Result<Arc<KeySet>, Source> {
        let fetched = timeout_at(time_limit, self.key_source.fetch()).await;
        let keys = Arc::new(fetched.map_err(|_| NO_ANSWER)??);
        let kept = Kept { keys: Arc::clone(&keys), since: Instant::now() };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(keys)
    }
}

/// Where the keys are fetched.
///
/// The endpoint of Cognito's operations serves them too, but AWS documents this only for its
/// standard endpoints. If a FIPS or dual-stack endpoint does not serve them, the issuer does. A
/// custom endpoint must serve them, so that no request bypasses it.
#[derive(Debug)]
struct KeySource {
    connector: SharedHttpConnector,
    settings: cognito::Settings,
    /// The path at the endpoint.
    path: String,
    /// The `iss` claim, which is a URL.
    issuer: String,
}

impl KeySource {
    async fn fetch(&self) -> Result<KeySet, Source> {
        let endpoint = self.settings.endpoint_url().await?;
        let at_endpoint = endpoint.trim_end_matches('/').to_owned() + &self.path;
        let pooled = self.get(&at_endpoint, Connection::Pooled).await;
        let Err(cause) = pooled else { return pooled };
        // The pooled connection may have been closed without notice.
        let fresh = self.get(&at_endpoint, Connection::Fresh).await;
        match self.at_issuer().filter(|url| fresh.is_err() && *url != at_endpoint) {
            None => fresh.map_err(|_| cause),
            Some(url) => self.get(&url, Connection::Pooled).await.map_err(|_| cause),
        }
    }

    /// The URL at the issuer, if keys may be fetched there.
    fn at_issuer(&self) -> Option<String> {
        let url = self.issuer.clone() + PATH_OF_KEYS;
        let is_allowed =
            self.settings.endpoint.is_none() && url.parse().is_ok_and(|url| is_private(&url));
        is_allowed.then_some(url)
    }

    /// Requests the keys at one URL. Redirects are not followed.
    async fn get(&self, url: &str, connection: Connection) -> Result<KeySet, Source> {
        let mut request = HttpRequest::get(url)?;
        if connection == Connection::Fresh {
            request.add_extension(FreshConnection);
        }
        let response = self.connector.call(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_KEY_SET).collect().await?.to_bytes();
        let keys = KeySet::parse(&body).filter(|_| status == 200);
        keys.ok_or_else(|| format!("an answer without keys (HTTP {status})").into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use serde_json::json;

    use super::*;

    /// The issuer of a pool whose `IssuerConfiguration` is `UPDATED`.
    const UPDATED_ISSUER: &str =
        "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12";

    /// A network that returns the next key set of a list for each request, and records the URLs.
    #[derive(Debug, Clone, Default)]
    struct Network(Arc<Mutex<(VecDeque<Answer>, Vec<String>)>>);

    type Settings = &'static [(&'static str, &'static str)];

    /// The ids of the keys that are served; none is a `404`.
    type Answer = Option<&'static [&'static str]>;

    impl HttpConnector for Network {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let mut state = self.0.lock().unwrap();
            state.1.push(request.uri().to_owned());
            let answer = state.0.pop_front().flatten();
            let n = format!("_{}Q", "A".repeat(340));
            let key = |id| json!({ "kty": "RSA", "kid": id, "n": n, "e": "AQAB" });
            let keys: Vec<_> = answer.unwrap_or_default().iter().map(key).collect();
            let status = StatusCode::try_from(if answer.is_some() { 200 } else { 404 }).unwrap();
            let body = SdkBody::from(json!({ "keys": keys }).to_string());
            HttpConnectorFuture::new(async move {
                // Lets other invocations queue for the lock.
                tokio::task::yield_now().await;
                Ok(HttpResponse::new(status, body))
            })
        }
    }

    impl Network {
        fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
            Self(Arc::new(Mutex::new((answers.into_iter().collect(), Vec::new()))))
        }

        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap().1)
        }
    }

    fn verifier(settings: &[(&str, &str)], network: &Network) -> TokenVerifier {
        let find = |name: &str| settings.iter().find(|(key, _)| *key == name);
        let lookup = |name: &str| find(name).map(|(_, value)| (*value).to_owned());
        let config = Config::from_lookup(lookup).unwrap();
        TokenVerifier::new(&config, SharedHttpConnector::new(network.clone()))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    async fn knows(verifier: &TokenVerifier, id: &str) -> bool {
        verifier.keys_with(id, soon()).await.unwrap().get(id).is_some()
    }

    fn pretend_that_time_passed(verifier: &TokenVerifier, time: Duration) {
        let mut kept = verifier.kept.lock().unwrap();
        kept.as_mut().unwrap().since -= time;
    }

    #[tokio::test]
    async fn an_unknown_key_causes_another_fetch_only_after_30_seconds() {
        let network = Network::new([Some(&["a"][..]), Some(&["a", "b"]), Some(&["b"])]);
        let verifier = verifier(&[("USER_POOL_ID", "eu-west-1_Ab12")], &network);
        assert!(knows(&verifier, "a").await);
        assert!(!knows(&verifier, "b").await);
        pretend_that_time_passed(&verifier, Duration::from_secs(28));
        assert!(!knows(&verifier, "b").await);
        assert_eq!(network.asked().len(), 1);
        pretend_that_time_passed(&verifier, Duration::from_secs(2));
        assert!(knows(&verifier, "b").await);
        assert!(knows(&verifier, "a").await && knows(&verifier, "b").await);
        assert_eq!(network.asked().len(), 1);
        // Keys that Cognito no longer publishes are forgotten with the next fetch.
        pretend_that_time_passed(&verifier, Duration::from_secs(30));
        assert!(!knows(&verifier, "c").await);
        assert!(!knows(&verifier, "a").await && knows(&verifier, "b").await);
    }

    #[tokio::test]
    async fn a_failed_fetch_returns_upstream_unavailable_and_keeps_the_known_keys() {
        let network = Network::new([Some(&["a"][..])]);
        let verifier = verifier(&[("USER_POOL_ID", "eu-west-1_Ab12")], &network);
        assert!(knows(&verifier, "a").await);
        pretend_that_time_passed(&verifier, Duration::from_secs(30));
        for _ in 0..2 {
            let error = verifier.keys_with("b", soon()).await.unwrap_err();
            assert!(matches!(error, Error::UpstreamUnavailable(_)), "{error:?}");
        }
        assert!(knows(&verifier, "a").await);
        // Two tries on two connections, and none in the second that follows.
        assert_eq!(network.asked().len(), 3);
    }

    #[tokio::test]
    async fn invocations_that_wait_for_a_fetch_share_its_failure() {
        let network = Network::default();
        let verifier = verifier(&[("USER_POOL_ID", "eu-west-1_Ab12")], &network);
        let all = (0..8).map(|_| verifier.keys_with("a", soon()));
        for keys in futures_util::future::join_all(all).await {
            assert!(matches!(keys, Err(Error::UpstreamUnavailable(_))));
        }
        assert_eq!(network.asked().len(), 2);
        // The next request tries again, since there are no keys at all.
        verifier.keys_with("a", soon()).await.unwrap_err();
        assert_eq!(network.asked().len(), 2);
    }

    #[tokio::test]
    async fn keys_are_fetched_again_after_an_hour_and_kept_if_that_fails() {
        let network = Network::new([Some(&["a", "b"][..]), None, None, Some(&["b"])]);
        let verifier = verifier(&[("USER_POOL_ID", "eu-west-1_Ab12")], &network);
        assert!(knows(&verifier, "a").await);
        pretend_that_time_passed(&verifier, MAX_AGE);
        assert!(knows(&verifier, "a").await);
        assert_eq!(network.asked().len(), 3);
        *verifier.fetching.lock().await = None;
        // Cognito has withdrawn the key.
        assert!(!knows(&verifier, "a").await);
        assert!(knows(&verifier, "b").await);
        assert_eq!(network.asked().len(), 1);
    }

    #[tokio::test]
    async fn keys_are_fetched_from_cognitos_endpoint_and_then_from_the_issuer() {
        let of = |host: &str, pool: &str| format!("https://{host}/{pool}/.well-known/jwks.json");
        let cases: [(&str, Settings, &str, Option<String>); 8] = [
            ("eu-west-1_Ab12", &[], "cognito-idp.eu-west-1.amazonaws.com", None),
            ("cn-north-1_Ab12", &[], "cognito-idp.cn-north-1.amazonaws.com.cn", None),
            ("eusc-de-east-1_Ab12", &[], "cognito-idp.eusc-de-east-1.amazonaws.eu", None),
            ("us-gov-west-1_Ab12", &[], "cognito-idp.us-gov-west-1.amazonaws.com", None),
            (
                "us-gov-west-1_Ab12",
                &[("AWS_USE_FIPS_ENDPOINT", "true")],
                "cognito-idp-fips.us-gov-west-1.amazonaws.com",
                Some(of("cognito-idp.us-gov-west-1.amazonaws.com", "us-gov-west-1_Ab12")),
            ),
            (
                "eu-west-1_Ab12",
                &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
                "cognito-idp.eu-west-1.amazonaws.com",
                None,
            ),
            (
                "eu-west-1_Ab12",
                &[("TOKEN_ISSUER", UPDATED_ISSUER)],
                "cognito-idp.eu-west-1.amazonaws.com",
                Some(format!("{UPDATED_ISSUER}/.well-known/jwks.json")),
            ),
            (
                "eu-west-1_Ab12",
                &[("AWS_ENDPOINT_URL", "https://proxy.example/cognito/")],
                "proxy.example/cognito",
                None,
            ),
        ];
        for (pool, settings, host, at_issuer) in cases {
            let network = Network::default();
            let settings = [&[("USER_POOL_ID", pool)], settings].concat();
            verifier(&settings, &network).keys_with("a", soon()).await.unwrap_err();
            let mut asked = network.asked();
            asked.dedup();
            let expected: Vec<_> = [of(host, pool)].into_iter().chain(at_issuer).collect();
            assert_eq!(asked, expected, "{settings:?}");
        }
    }
}
