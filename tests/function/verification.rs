//! The function trusts no token before it has verified the signature, whatever is in front of it.

use fake_cognito::{Fault, Jwt, Operation, User};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Function, OLD, change, claims_of, log, post, sample};

/// A policy that needs the user's attributes from Cognito.
const POLICY: &str = r#"
    [length]
    min = 12
    [words]
    personal = ["username", "email"]
"#;

/// The lines of the audit trail with this user agent.
fn lines(user_agent: &str) -> Vec<Value> {
    let lines =
        log().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let is_its = |line: &Value| line["message"] == "outcome" && line["user_agent"] == user_agent;
    lines.into_iter().filter(is_its).collect()
}

/// The number of calls to Cognito, not counting the fetches of its keys.
fn calls(function: &Function) -> usize {
    let operations = [Operation::ChangePassword, Operation::GetUser, Operation::GlobalSignOut];
    operations.into_iter().map(|operation| function.cognito.calls(operation)).sum()
}

/// A sample with another token and another user agent, wherever the source has them.
fn with_token(name: &str, token: &str, user_agent: &str) -> Value {
    let mut event = sample(name);
    let bearer = json!(format!("Bearer {token}"));
    for (headers, value, agent) in [
        ("headers", bearer.clone(), json!(user_agent)),
        ("multiValueHeaders", json!([bearer]), json!([user_agent])),
    ] {
        for (name, found) in event[headers].as_object_mut().into_iter().flatten() {
            match name.to_ascii_lowercase().as_str() {
                "authorization" => *found = value.clone(),
                "user-agent" => *found = agent.clone(),
                _ => {}
            }
        }
    }
    event
}

#[tokio::test]
async fn a_forged_token_returns_401_from_every_source_without_a_call_and_is_not_recorded() {
    let function = Function::start_with_policy(POLICY).await;
    let forged = function.cognito.forged_token("demo");
    for (source, user_agent) in
        [("http-api", "F/1"), ("rest-api", "F/2"), ("function-url", "F/3"), ("alb", "F/4")]
    {
        for new in ["x", "A-Good-Passphrase-42"] {
            let mut event = with_token(source, &forged, user_agent);
            let body = json!({ "previousPassword": OLD, "proposedPassword": new });
            event["body"] = body.to_string().into();
            event["isBase64Encoded"] = false.into();
            let reply = function.invoke(&event).await;
            reply.assert_problem(401, "invalid_token");
            assert_eq!(reply.json()["detail"], "The token's signature is not valid.", "{source}");
        }
        let lines = lines(user_agent);
        assert_eq!(lines.len(), 2, "{source}");
        for line in lines {
            for claim in ["sub", "client_id", "token_verified_by"] {
                assert!(line.get(claim).is_none(), "{line}");
            }
        }
    }
    assert_eq!(calls(&function), 0);
    function.assert_password(OLD);
}

#[tokio::test]
async fn a_token_with_a_replaced_part_is_rejected() {
    let function = Function::start().await;
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let sound = parts(&function.token);
    let mint = |edit: fn(&mut Jwt)| parts(&function.cognito.mint("demo", edit));
    let with_groups =
        mint(|jwt| drop(jwt.claims.insert("cognito:groups".into(), json!(["admins"]))));
    let with_header = mint(|jwt| drop(jwt.header.insert("typ".into(), json!("JWT"))));
    let without_scope = mint(|jwt| drop(jwt.claims.remove("scope")));
    for forged in [
        [&sound[0], &with_groups[1], &sound[2]],
        [&with_header[0], &sound[1], &sound[2]],
        [&sound[0], &sound[1], &with_groups[2]],
        [&sound[0], &without_scope[1], &sound[2]],
        [&sound[0], &sound[1], &sound[2][..8].to_owned()],
        [&sound[0], &sound[1], &format!("{}AAAA", sound[2])],
        [&sound[0], &sound[1], &sound[1]],
        [&sound[0], &sound[1], &"A".repeat(342)],
    ] {
        let forged = forged.map(String::as_str).join(".");
        let reply = function.invoke(&post(&forged, &change())).await;
        reply.assert_problem(401, "invalid_token");
    }
    assert_eq!(calls(&function), 0);
    assert_eq!(function.change().await.status, 204);
}

#[tokio::test]
async fn a_verified_token_is_recorded_as_verified_by_the_function() {
    let function = Function::start().await;
    let event = with_token("http-api", &function.token, "Verified/1");
    function.invoke(&event).await;
    let [line] = &lines("Verified/1")[..] else { panic!("one line") };
    assert_eq!(line["token_verified_by"], "function");
    assert!(line["sub"].is_string() && line["client_id"].is_string(), "{line}");
}

#[tokio::test]
async fn the_keys_are_fetched_once_for_all_requests() {
    let function = Function::start().await;
    for _ in 0..3 {
        function.change().await;
    }
    assert_eq!(function.cognito.calls(Operation::Jwks), 1);
    assert_eq!(function.cognito.connections(), 1);
}

#[tokio::test]
async fn concurrent_requests_fetch_the_keys_once() {
    let function = Function::start().await;
    let unknown = |kid: String| {
        function.cognito.mint("demo", |jwt| drop(jwt.header.insert("kid".into(), kid.into())))
    };
    let forged = (0..8).map(|number| post(&unknown(format!("forged-{number}")), &change()));
    let events: Vec<_> = forged.collect();
    let replies = join_all(events.iter().map(|event| function.invoke(event))).await;
    for reply in replies {
        reply.assert_problem(401, "invalid_token");
    }
    assert_eq!(function.cognito.calls(Operation::Jwks), 1);
}

#[tokio::test]
async fn a_request_without_the_keys_returns_503_and_the_next_one_fetches_them() {
    let key_set = |body| Fault::Raw { status: 200, content_type: "application/json", body };
    let long = format!(r#"{{"keys":[],"pad":"{}"}}"#, "x".repeat(100_000));
    for fault in [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::CutAnswer,
        Fault::html(),
        Fault::empty(),
        Fault::exception("ResourceNotFoundException"),
        key_set(r#"{"keys":[]}"#),
        key_set(long.leak()),
    ] {
        let function = Function::start().await;
        function.cognito.fail_always(Operation::Jwks, fault.clone());
        let reply = function.change().await;
        reply.assert_problem(503, "upstream_unavailable");
        assert!(reply.header("retry-after").is_some());
        assert_eq!(calls(&function), 0, "{fault:?}");
        function.assert_password(OLD);
        function.cognito.clear_faults();
        assert_eq!(function.change().await.status, 204, "{fault:?}");
    }
}

#[tokio::test]
async fn a_failed_fetch_of_the_keys_is_retried_on_a_new_connection() {
    let function = Function::start().await;
    function.cognito.fail_next(Operation::Jwks, Fault::DropBefore);
    assert_eq!(function.change().await.status, 204);
    assert_eq!(function.cognito.calls(Operation::Jwks), 2);
}

#[tokio::test]
async fn the_claims_of_an_authorizer_that_read_another_token_are_ignored_and_logged() {
    let function = Function::start_with_policy(POLICY).await;
    function.cognito.add_user(User::new("Another-user-of-the-log", OLD));
    let read = claims_of(&function.token);
    let sent = function.cognito.access_token("Another-user-of-the-log");
    // No other test has an authorizer with the claims of a token.
    let is_its = |line: &&str| line.contains("another token") && line.contains("jti");
    let is_logged = || log().lines().filter(is_its).count();
    for (source, place) in [
        ("http-api", json!({ "jwt": { "claims": read } })),
        ("rest-api", json!({ "claims": read })),
    ] {
        for (token, count) in [(&function.token, 0), (&sent, 1)] {
            let before = is_logged();
            let mut event = with_token(source, token, "Authorizer/1");
            event["requestContext"]["authorizer"] = place.clone();
            event["body"] = json!({ "proposedPassword": "x" }).to_string().into();
            event["isBase64Encoded"] = false.into();
            function.invoke(&event).await.assert_problem(422, "password_policy_violation");
            assert_eq!(is_logged() - before, count, "{source}");
        }
    }
    let line = lines("Authorizer/1").pop().unwrap();
    assert_eq!(line["sub"], claims_of(&sent)["sub"]);
    let forged = function.cognito.forged_token("demo");
    let mut event = with_token("http-api", &forged, "Authorizer/2");
    event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": read } });
    function.invoke(&event).await.assert_problem(401, "invalid_token");
}
