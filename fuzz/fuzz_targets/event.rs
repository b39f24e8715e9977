//! Fuzzes the whole handler with any event. Cognito cannot be reached.

#![no_main]

use std::sync::LazyLock;

use change_password::app::App;
use change_password::config::Config;
use change_password::event;
use lambda_http::{Context, LambdaEvent};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};

/// Nothing listens on the port for "discard", so no case leaves this machine.
const NOBODY: &str = "http://127.0.0.1:9";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

static APP: LazyLock<App> = LazyLock::new(|| {
    let config = Config::from_lookup(|name| match name {
        "USER_POOL_ID" => Some("eu-west-1_LocalDev0".into()),
        "USER_POOL_CLIENT_IDS" => Some("4localdevclient0000000000".into()),
        "AWS_ENDPOINT_URL" => Some(NOBODY.into()),
        "COGNITO_WIRE_PROTOCOL" => Some("true".into()),
        _ => None,
    })
    .unwrap();
    App::build(config, std::io::sink())
});

fuzz_target!(|input: &str| {
    // Lambda itself rejects an event that is not JSON.
    let Ok(payload) = RawValue::from_string(input.to_owned()) else { return };
    let event = LambdaEvent::new(payload, Context::default());
    let answer = RUNTIME.block_on(event::answer(&APP, event)).unwrap();
    let answer = serde_json::to_value(&answer).unwrap();
    let status = answer["statusCode"].as_u64().unwrap();
    assert!(status < 500 || status == 503, "{answer}");
    if status >= 400 {
        let error: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let is_problem = error["status"] == status && error["code"].is_string();
        // Or an exception in Cognito's wire format.
        assert!(is_problem || error["__type"].is_string(), "{answer}");
    }
});
