//! Cognito's wire format at `POST /`: the responses themselves, and what the AWS SDK for Rust
//! reports.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_cognitoidentityprovider::config::{BehaviorVersion, Region};
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId as _;
use aws_sdk_cognitoidentityprovider::operation::change_password::ChangePasswordError;
use aws_sdk_cognitoidentityprovider::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_cognito::{Fault, Operation};
use serde_json::{Value, json};

use crate::audit::outcomes;
use crate::harness::{Function, NEW, OLD, REQUEST_ID, Reply, change, sample};

const TARGET: &str = "AWSCognitoIdentityProviderService.ChangePassword";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// A request in Cognito's wire format, as an HTTP API passes it on.
pub(crate) fn event(body: &Value) -> Value {
    let mut event = sample("http-api");
    event["rawPath"] = "/".into();
    event["headers"] = json!({ "x-amz-target": TARGET, "content-type": CONTENT_TYPE });
    event["requestContext"]["authorizer"] = Value::Null;
    event["body"] = body.to_string().into();
    event
}

pub(crate) fn body(token: &str) -> Value {
    json!({ "AccessToken": token, "PreviousPassword": OLD, "ProposedPassword": NEW })
}

#[track_caller]
fn assert_exception(reply: &Reply, status: u64, name: &str, part: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.json()["__type"], name, "{reply:?}");
    assert!(reply.json()["message"].as_str().unwrap().contains(part), "{reply:?}");
    assert_eq!(reply.header("x-amzn-errortype"), Some(name));
    assert_headers(reply);
}

#[track_caller]
fn assert_headers(reply: &Reply) {
    assert_eq!(reply.header("content-type"), Some(CONTENT_TYPE));
    assert_eq!(reply.header("x-amzn-requestid"), Some(REQUEST_ID));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("retry-after"), None);
}

/// The last audit event of a request from this address.
fn audit_of(address: &str) -> Value {
    outcomes().filter(|line| line["source_ip"] == address).last().unwrap()
}

#[tokio::test]
async fn a_change_returns_200_and_an_empty_object_from_every_source_and_with_prefixes() {
    for source in ["http-api", "rest-api", "alb", "function-url"] {
        for path in ["/", "/prod", "/prod/", "/v1/accounts/prod"] {
            for base64 in [false, true] {
                let function = Function::start().await;
                let mut event = sample(source);
                for member in ["rawPath", "path"] {
                    if !event[member].is_null() {
                        event[member] = path.into();
                    }
                }
                event["headers"] = json!({ "X-Amz-Target": TARGET, "Content-Type": CONTENT_TYPE });
                if !event["multiValueHeaders"].is_null() {
                    event["multiValueHeaders"] =
                        json!({ "X-Amz-Target": [TARGET], "Content-Type": [CONTENT_TYPE] });
                }
                let text = body(&function.token).to_string();
                event["isBase64Encoded"] = base64.into();
                event["body"] = if base64 { STANDARD.encode(&text) } else { text }.into();
                let reply = function.invoke(&event).await;
                assert_eq!((reply.status, reply.body.as_str()), (200, "{}"), "{source} {path}");
                assert_headers(&reply);
                function.assert_password(NEW);
            }
        }
    }
}

#[tokio::test]
async fn without_the_setting_or_the_header_or_at_another_path_a_change_returns_404() {
    let function = Function::start_without_wire_protocol().await;
    function.invoke(&event(&body(&function.token))).await.assert_problem(404, "not_found");
    let function = Function::start().await;
    let mut no_header = event(&body(&function.token));
    no_header["headers"].as_object_mut().unwrap().remove("x-amz-target");
    function.invoke(&no_header).await.assert_problem(404, "not_found");
    for path in ["//", "/prod//", "/a.b", "/%2e", "/../", "/prod/../", "prod", ""] {
        let mut elsewhere = event(&body(&function.token));
        elsewhere["rawPath"] = path.into();
        function.invoke(&elsewhere).await.assert_problem(404, "not_found");
    }
    let mut get = event(&body(&function.token));
    get["requestContext"]["http"]["method"] = "GET".into();
    function.invoke(&get).await.assert_problem(404, "not_found");
    function.assert_password(OLD);
}

#[tokio::test]
async fn another_operation_returns_unknown_operation_exception() {
    let function = Function::start().await;
    for target in [
        "AWSCognitoIdentityProviderService.GlobalSignOut",
        "AWSCognitoIdentityProviderService.changepassword",
        "ChangePassword",
        "",
    ] {
        let mut other = event(&body(&function.token));
        other["headers"]["x-amz-target"] = target.into();
        let reply = function.invoke(&other).await;
        assert_exception(&reply, 400, "UnknownOperationException", "ChangePassword");
    }
    function.assert_password(OLD);
}

#[tokio::test]
async fn a_path_of_the_api_takes_precedence_over_the_header() {
    let function = Function::start().await;
    let mut both = crate::harness::post(&function.token, &change());
    both["headers"]["x-amz-target"] = TARGET.into();
    assert_eq!(function.invoke(&both).await.status, 204);
}

#[tokio::test]
async fn the_error_of_a_malformed_body_names_the_field_and_cognito_is_not_called() {
    let function = Function::start().await;
    let token = &function.token;
    let invalid = "InvalidParameterException";
    for (body, part) in [
        (json!({ "PreviousPassword": OLD, "ProposedPassword": NEW }), "`AccessToken` is missing"),
        (json!({ "AccessToken": 7, "ProposedPassword": NEW }), "`AccessToken` is not a string"),
        (json!({ "AccessToken": token }), "`ProposedPassword` is missing"),
        (json!({ "AccessToken": token, "ProposedPassword": 7 }), "`ProposedPassword` is not a str"),
        (json!([]), "not a JSON object"),
    ] {
        assert_exception(&function.invoke(&event(&body)).await, 400, invalid, part);
    }
    let mut twice = event(&json!({}));
    twice["body"] =
        format!(r#"{{"AccessToken":"{token}","AccessToken":"x","ProposedPassword":"{NEW}"}}"#)
            .into();
    assert_exception(&function.invoke(&twice).await, 400, invalid, "more than once");
    let mut not_json = event(&body(token));
    not_json["headers"]["content-type"] = "application/json".into();
    assert_exception(&function.invoke(&not_json).await, 400, invalid, CONTENT_TYPE);
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 0);
}

#[tokio::test]
async fn fields_that_cognito_ignores_are_ignored() {
    let function = Function::start().await;
    let mut body = body(&function.token);
    body["ClientMetadata"] = json!({ "a": "b" });
    assert_eq!(function.invoke(&event(&body)).await.status, 200);
    function.assert_password(NEW);
}

#[tokio::test]
async fn a_body_over_24_kib_is_rejected() {
    let function = Function::start().await;
    let mut body = body(&function.token);
    let length = body.to_string().len() + r#","Filler":"""#.len();
    body["Filler"] = "x".repeat(24 * 1024 + 1 - length).into();
    let reply = function.invoke(&event(&body)).await;
    assert_exception(&reply, 400, "InvalidParameterException", "24576 bytes");
    body["Filler"] = "x".repeat(24 * 1024 - length).into();
    assert_eq!(function.invoke(&event(&body)).await.status, 200);
}

#[tokio::test]
async fn an_invalid_token_is_rejected_without_a_call_and_is_not_recorded() {
    let function = Function::start().await;
    let fake = &function.cognito;
    let no_scope = fake.mint("demo", |jwt| drop(jwt.claims.remove("scope")));
    for (number, (token, part)) in [
        (fake.forged_token("demo"), "Could not verify signature"),
        (fake.id_token("demo"), "ID token"),
        (fake.mint("demo", |jwt| jwt.claims["exp"] = 1.into()), "Access Token has expired"),
        (no_scope, "does not have required scopes"),
        ("not-a-token".into(), "Invalid Access Token"),
        (String::new(), "Invalid Access Token"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event = event(&body(&token));
        let address = format!("203.0.113.{}", 210 + number);
        event["requestContext"]["http"]["sourceIp"] = address.as_str().into();
        let reply = function.invoke(&event).await;
        assert_exception(&reply, 400, "NotAuthorizedException", part);
        let audit = audit_of(&address);
        assert_eq!(audit["operation"], "changePasswordWire");
        assert_eq!((&audit["sub"], &audit["client_id"]), (&Value::Null, &Value::Null), "{audit}");
    }
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 0);
}

#[tokio::test]
async fn a_token_in_the_authorization_header_is_ignored() {
    let function = Function::start().await;
    let mut event = event(&json!({ "PreviousPassword": OLD, "ProposedPassword": NEW }));
    event["headers"]["authorization"] = format!("Bearer {}", function.token).into();
    let reply = function.invoke(&event).await;
    assert_exception(&reply, 400, "InvalidParameterException", "`AccessToken` is missing");
}

#[tokio::test]
async fn all_violations_are_reported_with_their_codes_and_audited_as_at_the_other_route() {
    let function = Function::start().await;
    let mut weak = body(&function.token);
    weak["ProposedPassword"] = "demo ".into();
    let mut event = event(&weak);
    event["requestContext"]["http"]["sourceIp"] = "203.0.113.221".into();
    let reply = function.invoke(&event).await;
    let codes = [
        "too_short",
        "missing_uppercase",
        "missing_digit",
        "missing_symbol",
        "leading_or_trailing_space",
        "too_easy_to_guess",
        "personal_word",
    ];
    let listed = format!("({})", codes.join(", "));
    assert_exception(&reply, 400, "InvalidPasswordException", &listed);
    let audit = audit_of("203.0.113.221");
    assert_eq!(audit["code"], "password_policy_violation");
    assert_eq!((&audit["violations"], &audit["status"]), (&json!(codes), &json!(400)));
    assert!(audit["sub"].is_string());
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 0);
}

#[tokio::test]
async fn an_unknown_outcome_is_400_for_the_client_and_an_error_in_the_audit_event() {
    let function = Function::start().await;
    for fault in [Fault::DropAfter, Fault::DropBefore] {
        function.cognito.fail_next(Operation::ChangePassword, fault);
    }
    let mut event = event(&body(&function.token));
    event["requestContext"]["http"]["sourceIp"] = "203.0.113.222".into();
    let reply = function.invoke(&event).await;
    assert_exception(&reply, 400, "OutcomeUnknownException", "try to sign in with the new one");
    let audit = audit_of("203.0.113.222");
    assert_eq!((&audit["level"], &audit["code"]), (&json!("ERROR"), &json!("outcome_unknown")));
}

#[tokio::test]
async fn a_reached_limit_is_remembered_at_both_routes_for_one_minute_and_for_its_user_only() {
    let function = Function::start().await;
    function
        .cognito
        .fail_next(Operation::ChangePassword, Fault::exception("LimitExceededException"));
    let wire = event(&body(&function.token));
    for _ in 0..3 {
        let reply = function.invoke(&wire).await;
        assert_exception(&reply, 400, "LimitExceededException", "Attempt limit exceeded");
    }
    function.change().await.assert_problem(429, "attempt_limit_exceeded");
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 1);
    function.cognito.add_user(fake_cognito::User::new("other", OLD));
    let other = function.cognito.access_token("other");
    assert_eq!(function.invoke(&event(&body(&other))).await.status, 200);
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    tokio::time::resume();
    assert_eq!(function.invoke(&wire).await.status, 200);
}

/// The AWS SDK for Rust, which sends its requests to the function.
struct Sdk {
    client: Client,
    function: Arc<Function>,
    requests: Arc<std::sync::Mutex<usize>>,
}

/// An in-process gateway: turns each request into an event, and the function's answer into a
/// response.
#[derive(Clone)]
struct Gateway {
    function: Arc<Function>,
    requests: Arc<std::sync::Mutex<usize>>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gateway")
    }
}

impl HttpConnector for Gateway {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let gateway = self.clone();
        HttpConnectorFuture::new(async move { Ok(gateway.answer(&request).await) })
    }
}

impl Gateway {
    async fn answer(&self, request: &HttpRequest) -> HttpResponse {
        *self.requests.lock().unwrap() += 1;
        let mut event = event(&Value::Null);
        event["rawPath"] = request.uri().parse::<http::Uri>().unwrap().path().into();
        event["headers"] = request.headers().iter().collect();
        event["body"] = str::from_utf8(request.body().bytes().unwrap()).unwrap().into();
        let reply = self.function.invoke(&event).await;
        let status = StatusCode::try_from(u16::try_from(reply.status).unwrap()).unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(reply.body.clone()));
        for (name, value) in reply.raw["headers"].as_object().unwrap() {
            response.headers_mut().insert(name.clone(), value.as_str().unwrap().to_owned());
        }
        response
    }
}

impl Sdk {
    async fn start() -> Self {
        Self::pointed_at(Function::start().await)
    }

    fn pointed_at(function: Function) -> Self {
        let (function, requests) = (Arc::new(function), Arc::default());
        let gateway = Gateway { function: Arc::clone(&function), requests: Arc::clone(&requests) };
        let connector = SharedHttpConnector::new(gateway);
        // The gateway has no connections that the SDK could close, which it would log as an error.
        let retries = RetryConfig::standard()
            .with_initial_backoff(Duration::from_millis(1))
            .with_reconnect_mode(ReconnectMode::ReuseAllConnections);
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .endpoint_url("https://api.example.com/prod")
            .retry_config(retries)
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        Self { client: Client::from_conf(config), function, requests }
    }

    /// Requests a change from [`OLD`]. Returns the SDK's result, the number of requests that it has
    /// sent so far, and the number of changes that Cognito has received.
    async fn change(
        &self,
        token: &str,
        new: &str,
    ) -> (Result<(), ChangePasswordError>, usize, usize) {
        self.change_from(OLD, token, new).await
    }

    async fn change_from(
        &self,
        old: &str,
        token: &str,
        new: &str,
    ) -> (Result<(), ChangePasswordError>, usize, usize) {
        let request = self.client.change_password().access_token(token);
        let result = request.previous_password(old).proposed_password(new).send().await;
        let result = match result {
            Ok(output) => {
                assert_eq!(output.request_id(), Some(REQUEST_ID));
                Ok(())
            }
            Err(error @ SdkError::ServiceError(_)) => Err(error.into_service_error()),
            Err(error) => panic!("{error:?}"),
        };
        let calls = self.function.cognito.calls(Operation::ChangePassword);
        (result, *self.requests.lock().unwrap(), calls)
    }
}

#[tokio::test]
async fn the_sdk_changes_a_password() {
    let sdk = Sdk::start().await;
    let (result, requests, calls) = sdk.change(&sdk.function.token, NEW).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((requests, calls), (1, 1));
    sdk.function.assert_password(NEW);
}

#[tokio::test]
async fn the_sdk_has_a_type_for_each_refusal_and_retries_none() {
    let sdk = Sdk::start().await;
    let (token, fake) = (sdk.function.token.as_str(), &sdk.function.cognito);
    let (error, _, calls) = sdk.change(token, "Sentinel weak").await;
    let error = error.unwrap_err();
    assert!(error.is_invalid_password_exception(), "{error:?}");
    assert!(error.message().unwrap().contains("(missing_digit, too_easy_to_guess)"), "{error:?}");
    assert_eq!(calls, 0);
    for (token, part) in [
        (fake.forged_token("demo"), "Could not verify signature"),
        (fake.id_token("demo"), "ID token"),
    ] {
        let (error, _, calls) = sdk.change(&token, NEW).await;
        let error = error.unwrap_err();
        assert!(error.is_not_authorized_exception(), "{error:?}");
        assert!(error.message().unwrap().contains(part), "{error:?}");
        assert_eq!(calls, 0);
    }
    let (error, requests, calls) = sdk.change_from("Sentinel-Wrong-1", token, NEW).await;
    let error = error.unwrap_err();
    assert!(error.is_not_authorized_exception(), "{error:?}");
    assert_eq!(error.message(), Some("Incorrect username or password."));
    assert_eq!((requests, calls), (4, 1));
    sdk.function.assert_password(OLD);
}

#[tokio::test]
async fn the_sdk_reports_success_after_cognitos_response_to_a_change_was_lost() {
    let sdk = Sdk::start().await;
    sdk.function.cognito.fail_next(Operation::ChangePassword, Fault::DropAfter);
    let (result, requests, calls) = sdk.change(&sdk.function.token, NEW).await;
    assert!(result.is_ok(), "{result:?}");
    // The change, the same change once more, and the probe.
    assert_eq!((requests, calls), (1, 3));
    sdk.function.assert_password(NEW);
}

#[tokio::test]
async fn the_sdk_does_not_retry_a_change_with_an_unknown_outcome() {
    let sdk = Sdk::start().await;
    for fault in [Fault::DropAfter, Fault::DropBefore] {
        sdk.function.cognito.fail_next(Operation::ChangePassword, fault);
    }
    let (error, requests, calls) = sdk.change(&sdk.function.token, NEW).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Some("OutcomeUnknownException"), "{error:?}");
    assert!(error.message().unwrap().contains("try to sign in with the new one"), "{error:?}");
    assert_eq!((requests, calls), (1, 2));
}

#[tokio::test]
async fn three_attempts_of_the_sdk_at_a_limit_cause_one_call_to_cognito() {
    let sdk = Sdk::start().await;
    let limit = Fault::exception("LimitExceededException");
    sdk.function.cognito.fail_always(Operation::ChangePassword, limit);
    let (error, requests, calls) = sdk.change(&sdk.function.token, NEW).await;
    let error = error.unwrap_err();
    assert!(error.is_limit_exceeded_exception(), "{error:?}");
    assert_eq!(error.message(), Some("Attempt limit exceeded, please try after some time."));
    assert_eq!((requests, calls), (3, 1));
}

#[tokio::test]
async fn the_sdk_retries_a_change_that_did_not_reach_cognito() {
    let sdk = Sdk::pointed_at(Function::start_calling("http://127.0.0.1:9").await);
    let (error, requests, calls) = sdk.change(&sdk.function.token, NEW).await;
    assert_eq!(error.unwrap_err().code(), Some("ServiceUnavailableException"));
    assert_eq!((requests, calls), (3, 0));
    sdk.function.assert_password(OLD);
}
