//! The routes without a token, besides the policy: health checks and the redirect for password
//! managers.

use std::io;
use std::sync::{Arc, Mutex};

use change_password::app::App;
use change_password::config::Config;
use change_password::event;
use lambda_http::{Context, LambdaEvent};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::harness::{change, sample};

const PAGE: &str = "https://app.example.com/account/password";
const WELL_KNOWN: &str = "/.well-known/change-password";

/// A function that cannot reach Cognito, and its audit trail.
struct Function {
    app: App,
    trail: Trail,
}

#[derive(Clone, Default)]
struct Trail(Arc<Mutex<Vec<u8>>>);

impl io::Write for Trail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Function {
    fn start(change_password_url: Option<&str>) -> Self {
        let config = Config::from_lookup(|name| match name {
            "USER_POOL_ID" => Some("eu-west-1_LocalDev0".into()),
            "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:9".into()),
            "CHANGE_PASSWORD_URL" => change_password_url.map(str::to_owned),
            _ => None,
        });
        let trail = Trail::default();
        Self { app: App::build(config.unwrap(), trail.clone()), trail }
    }

    async fn invoke(&self, event: &Value) -> Value {
        let payload = RawValue::from_string(event.to_string()).unwrap();
        let event = LambdaEvent::new(payload, Context::default());
        serde_json::to_value(event::answer(&self.app, event).await.unwrap()).unwrap()
    }

    /// The operations of the audit trail.
    fn operations(&self) -> Vec<Value> {
        let trail = String::from_utf8(self.trail.0.lock().unwrap().clone()).unwrap();
        let line = |line| serde_json::from_str::<Value>(line).unwrap()["operation"].take();
        trail.lines().map(line).collect()
    }
}

/// An event of each source with this method and path.
fn events(method: &str, path: &str) -> Vec<Value> {
    let samples = ["http-api", "function-url", "rest-api", "alb"].map(sample);
    samples
        .into_iter()
        .map(|mut event| {
            let is_http = event["rawPath"].is_string();
            event[if is_http { "rawPath" } else { "path" }] = path.into();
            if is_http {
                event["requestContext"]["http"]["method"] = method.into();
            } else {
                event["httpMethod"] = method.into();
            }
            event["body"] = change().to_string().into();
            event
        })
        .collect()
}

fn header<'a>(answer: &'a Value, name: &str) -> Option<&'a str> {
    let single = answer["headers"][name].as_str();
    single.or_else(|| answer["multiValueHeaders"][name][0].as_str())
}

#[tokio::test]
async fn a_load_balancers_health_check_returns_200_and_leaves_no_audit_event() {
    let function = Function::start(None);
    let check = function.invoke(&sample("health-check")).await;
    assert_eq!(check["statusCode"], 200);
    for (method, body) in [("GET", r#"{"status":"ok"}"#), ("HEAD", "")] {
        for event in events(method, "/health") {
            let answer = function.invoke(&event).await;
            assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!(body)));
            assert_eq!(header(&answer, "cache-control"), Some("no-store"));
            assert_eq!(header(&answer, "content-type"), Some("application/json"));
        }
    }
    assert!(function.operations().is_empty());
}

#[tokio::test]
async fn another_method_on_the_health_check_returns_405_and_is_recorded() {
    let function = Function::start(None);
    for event in events("POST", "/health") {
        let answer = function.invoke(&event).await;
        assert_eq!(answer["statusCode"], 405);
        assert_eq!(header(&answer, "allow"), Some("GET, HEAD"));
    }
    assert_eq!(function.operations().len(), 4);
}

#[tokio::test]
async fn password_managers_are_redirected_to_the_configured_page() {
    let function = Function::start(Some(PAGE));
    for method in ["GET", "HEAD"] {
        for event in events(method, WELL_KNOWN) {
            let answer = function.invoke(&event).await;
            assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(303), &json!("")));
            assert_eq!(header(&answer, "location"), Some(PAGE));
            assert_eq!(header(&answer, "cache-control"), Some("no-store"));
        }
    }
    assert_eq!(function.operations(), vec!["getChangePasswordPage"; 8]);
}

#[tokio::test]
async fn without_a_configured_page_the_well_known_url_returns_404() {
    let function = Function::start(None);
    for method in ["GET", "HEAD", "POST"] {
        for event in events(method, WELL_KNOWN) {
            let answer = function.invoke(&event).await;
            assert_eq!(answer["statusCode"], 404, "{method}");
            assert_eq!(header(&answer, "location"), None);
        }
    }
}

#[tokio::test]
async fn a_method_other_than_get_or_head_returns_405_at_the_well_known_url() {
    let function = Function::start(Some(PAGE));
    for event in events("POST", WELL_KNOWN) {
        let answer = function.invoke(&event).await;
        assert_eq!(answer["statusCode"], 405);
        assert_eq!(header(&answer, "allow"), Some("GET, HEAD"));
        assert_eq!(header(&answer, "location"), None);
    }
}
