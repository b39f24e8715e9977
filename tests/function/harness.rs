//! A function that calls a fake Cognito, and everything that it logs.

use std::io;
use std::panic;
use std::sync::{Mutex, Once};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use change_password::app::App;
use change_password::config::Config;
use change_password::connector::{Trust, connector};
use change_password::event;
use change_password::logging::{self, Format, Settings};
use change_password::origin::OriginSecrets;
use change_password::policy::Policy;
use fake_cognito::{FakeCognito, Options, User};
use lambda_http::{Context, LambdaEvent};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;

use crate::proxy;

/// The demo user's password, and the new one. No response and no log line may contain a part of
/// them.
pub(crate) const OLD: &str = "Sentinel-Old-7-Horse";
pub(crate) const NEW: &str = "Sentinel-New-8-Cow";

pub(crate) const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// How long the function waits for Cognito: long enough that even on a slow machine only a response
/// that never arrives times out.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Longer than any timeout.
pub(crate) const LONG: Duration = Duration::from_mins(10);

pub(crate) struct Function {
    pub(crate) app: App,
    pub(crate) cognito: FakeCognito,
    pub(crate) token: String,
    /// The requests that a proxy in front of the fake holds back.
    pub(crate) late: proxy::Late,
    deadline: Deadline,
}

/// A test's changes to the function, its pool and the network between them.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    pub(crate) options: Options,
    /// A policy other than the built-in one.
    pub(crate) policy: Option<&'a str>,
    /// The secrets of a proxy in front of the API.
    pub(crate) origin_secrets: Option<&'a str>,
    /// Whether the tokens of every app client are accepted.
    pub(crate) any_client: bool,
    /// Whether Cognito's wire format is switched off, which is the default of a deployment.
    pub(crate) without_wire_protocol: bool,
    /// A call timeout other than [`CALL_TIMEOUT`].
    pub(crate) call_timeout: Option<Duration>,
    /// The limit of changes for each user and minute; by default there is none.
    pub(crate) user_changes_per_minute: Option<u32>,
    /// The faults of requests, each once and in this order.
    pub(crate) faults: Vec<proxy::Fault>,
    /// The fault of every later request.
    pub(crate) lasting: Option<proxy::Fault>,
}

/// How the function reaches Cognito.
pub(crate) struct Way {
    pub(crate) endpoint: String,
    pub(crate) connector: SharedHttpConnector,
}

impl Way {
    /// Calls another endpoint, but fetches the keys from the original one, so that only calls meet
    /// the faults of the new endpoint.
    fn with_keys_apart(self, endpoint: String) -> Self {
        let Self { endpoint: keys, connector } = self;
        let apart = KeysApart { calls: endpoint.clone(), keys, connector };
        Self { endpoint, connector: SharedHttpConnector::new(apart) }
    }
}

/// Sends requests for the keys to another server than calls.
#[derive(Debug)]
struct KeysApart {
    calls: String,
    keys: String,
    connector: SharedHttpConnector,
}

impl HttpConnector for KeysApart {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if request.method() == "GET" {
            let url = request.uri().replacen(&self.calls, &self.keys, 1);
            request.set_uri(url).unwrap();
        }
        self.connector.call(request)
    }
}

enum Deadline {
    In(Duration),
    At(u64),
}

/// The function's response, as API Gateway would pass it on.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u64,
    pub(crate) body: String,
    pub(crate) raw: Value,
}

impl Function {
    pub(crate) async fn start() -> Self {
        Self::start_as(Setup::default(), |way| way).await
    }

    /// A function with a policy other than the built-in one.
    pub(crate) async fn start_with_policy(policy: &str) -> Self {
        Self::start_as(Setup { policy: Some(policy), ..Setup::default() }, |way| way).await
    }

    /// A function that accepts the tokens of every app client of the pool.
    pub(crate) async fn start_for_any_client() -> Self {
        Self::start_as(Setup { any_client: true, ..Setup::default() }, |way| way).await
    }

    /// A function behind a proxy with these secrets.
    pub(crate) async fn start_with_origin_secrets(secrets: &str) -> Self {
        let setup = Setup { origin_secrets: Some(secrets), ..Setup::default() };
        Self::start_as(setup, |way| way).await
    }

    /// A function with Cognito's wire format switched off.
    pub(crate) async fn start_without_wire_protocol() -> Self {
        Self::start_as(Setup { without_wire_protocol: true, ..Setup::default() }, |way| way).await
    }

    /// A function that calls another address than the fake's, but fetches the fake's keys.
    pub(crate) async fn start_calling(endpoint: &str) -> Self {
        Self::start_by_way_of(|way| way.with_keys_apart(endpoint.to_owned())).await
    }

    /// A function that reaches the fake in another way.
    pub(crate) async fn start_by_way_of(change: impl FnOnce(Way) -> Way) -> Self {
        Self::start_as(Setup::default(), change).await
    }

    /// A function with a proxy in front of the fake, which causes the faults of the setup.
    pub(crate) async fn start_behind(mut setup: Setup<'_>) -> Self {
        let (faults, lasting) = (std::mem::take(&mut setup.faults), setup.lasting.take());
        let late = proxy::Late::default();
        let function = Self::start_as(setup, |way| {
            let endpoint = proxy::start(&way.endpoint, faults, lasting, late.clone());
            way.with_keys_apart(endpoint)
        })
        .await;
        Self { late, ..function }
    }

    async fn start_as(setup: Setup<'_>, change: impl FnOnce(Way) -> Way) -> Self {
        capture_log();
        let cognito = FakeCognito::start_with(setup.options).await.unwrap();
        cognito.add_user(User::new("demo", OLD));
        let mut config = Config::from_lookup(|name| match name {
            "USER_POOL_ID" => Some(cognito.pool_id().to_owned()),
            "USER_POOL_CLIENT_IDS" if !setup.any_client => Some(cognito.client_id().to_owned()),
            "COGNITO_WIRE_PROTOCOL" => Some((!setup.without_wire_protocol).to_string()),
            "COGNITO_CONNECT_TIMEOUT_MS" => Some("1500".into()),
            _ => None,
        })
        .unwrap();
        config.cognito.call_timeout = setup.call_timeout.unwrap_or(CALL_TIMEOUT);
        config.user_changes_per_minute = setup.user_changes_per_minute.unwrap_or(u32::MAX);
        if let Some(policy) = setup.policy {
            config.policy = Policy::from_toml(policy).unwrap();
        }
        if let Some(secrets) = setup.origin_secrets {
            config.origin = OriginSecrets::parse(secrets).unwrap();
        }
        // Plain HTTP needs no roots, and reading the system's would take longer than a test.
        config.trust = Trust::Amazon;
        let connector = connector(config.cognito.connect_timeout, config.trust.clone());
        let way = change(Way { endpoint: cognito.endpoint_url().to_owned(), connector });
        config.cognito.endpoint = Some(way.endpoint);
        let app = App::build_over(way.connector, config, Memory);
        let token = cognito.access_token("demo");
        let deadline = Deadline::In(Duration::from_secs(15));
        Self { app, cognito, token, late: proxy::Late::default(), deadline }
    }

    /// The same function with this much time left in every invocation.
    pub(crate) fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { deadline: Deadline::In(time_limit), ..self }
    }

    /// The same function with this as every invocation's deadline, in milliseconds since 1970.
    pub(crate) fn with_deadline(self, deadline: u64) -> Self {
        Self { deadline: Deadline::At(deadline), ..self }
    }

    pub(crate) async fn invoke(&self, event: &Value) -> Reply {
        self.invoke_text(event.to_string()).await
    }

    /// Sends an event that a [`Value`] cannot represent exactly.
    pub(crate) async fn invoke_text(&self, event: String) -> Reply {
        let mut context = Context::default();
        context.request_id = REQUEST_ID.into();
        context.deadline = match self.deadline {
            Deadline::At(deadline) => deadline,
            Deadline::In(time_limit) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                u64::try_from((now + time_limit).as_millis()).unwrap()
            }
        };
        let payload = RawValue::from_string(event).unwrap();
        let raw = event::answer(&self.app, LambdaEvent::new(payload, context)).await.unwrap();
        let raw = serde_json::to_value(&raw).unwrap();
        assert_no_secret(&raw.to_string(), "the response");
        let body = raw["body"].as_str().unwrap_or_default().to_owned();
        Reply { status: raw["statusCode"].as_u64().unwrap(), body, raw }
    }

    /// The event in `events/{name}.json`, with its token signed.
    pub(crate) fn signed(&self, name: &str) -> Value {
        let text = sample(name).to_string();
        serde_json::from_str(&self.cognito.sign_token_in(&text, "demo")).unwrap()
    }

    /// Sends a body with the user's token.
    pub(crate) async fn post(&self, body: &Value) -> Reply {
        self.invoke(&post(&self.token, body)).await
    }

    /// Requests the change from [`OLD`] to [`NEW`].
    pub(crate) async fn change(&self) -> Reply {
        self.post(&change()).await
    }

    #[track_caller]
    pub(crate) fn assert_password(&self, password: &str) {
        assert_eq!(self.cognito.password_of("demo").as_deref(), Some(password));
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    /// A header, in whichever form the event's source expects it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let single = self.raw["headers"][name].as_str();
        single.or_else(|| self.raw["multiValueHeaders"][name][0].as_str())
    }

    pub(crate) fn code(&self) -> Option<String> {
        let problem: Value = serde_json::from_str(&self.body).ok()?;
        problem["code"].as_str().map(str::to_owned)
    }

    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u64, code: &str) {
        assert_eq!((self.status, self.code().as_deref()), (status, Some(code)), "{self:?}");
    }
}

pub(crate) fn change() -> Value {
    json!({ "previousPassword": OLD, "proposedPassword": NEW })
}

/// An HTTP API's event with this token and body.
pub(crate) fn post(token: &str, body: &Value) -> Value {
    let mut event = sample("http-api");
    event["headers"]["authorization"] = format!("Bearer {token}").into();
    event["body"] = body.to_string().into();
    event
}

/// The event in `events/{name}.json`, unchanged.
pub(crate) fn sample(name: &str) -> Value {
    let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The claims of a token.
pub(crate) fn claims_of(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[track_caller]
pub(crate) fn assert_no_secret(text: &str, place: &str) {
    let lower = text.to_lowercase();
    // Without its first letter, to find a password that was cut too.
    let is_password = |line: &&str| line.contains("entinel-");
    let found = lower.lines().find(is_password);
    assert!(found.is_none(), "{place} contains a password: {found:?}");
    assert!(!text.contains("eyJ"), "{place} contains a token: {text}");
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Everything logged so far, by every test of this binary.
pub(crate) fn log() -> String {
    String::from_utf8(LOG.lock().unwrap().clone()).unwrap()
}

/// Logs at `TRACE` into memory: what `AWS_LAMBDA_LOG_LEVEL=TRACE` would print.
pub(crate) fn capture_log() {
    static START: Once = Once::new();
    START.call_once(|| {
        let settings = Settings { format: Format::Json, level: LevelFilter::TRACE };
        let subscriber = settings.subscriber(|| Memory);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        // Panics are logged as in Lambda, and printed too: failed assertions are panics.
        let print = panic::take_hook();
        logging::log_panics();
        let log = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            log(panic);
            print(panic);
        }));
    });
}

struct Memory;

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
