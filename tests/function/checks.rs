//! `POST /check-password`: what the policy says while the user types, without a change and without a try.

use std::collections::BTreeSet;

use fake_cognito::{Fault, Operation, User};
use serde_json::{Value, json};

use crate::harness::{Function, NEW, OLD, Reply, log, post, sample};
use crate::range_server::{Answer, RangeServer};

/// Stricter rules for administrators, and the user's own address.
const POLICY: &str = r#"
    [length]
    min = 8
    [words]
    common = true
    personal = ["username", "email"]
    [groups.admins.length]
    min = 20
"#;

/// A check of this body, with this token.
fn check(token: &str, body: &Value) -> Value {
    let mut event = post(token, body);
    event["rawPath"] = "/check-password".into();
    event
}

impl Function {
    async fn check(&self, proposed: &str) -> Reply {
        let body = json!({ "previousPassword": OLD, "proposedPassword": proposed });
        self.invoke(&check(&self.token, &body)).await
    }

    /// How often Cognito was asked to change a password.
    fn changes(&self) -> usize {
        self.cognito.calls(Operation::ChangePassword)
    }
}

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_check_returns_the_rules_and_what_is_broken_and_changes_nothing() {
    let function = Function::start().await;
    let weak = function.check("password").await;
    assert_eq!(weak.status, 200, "{weak:?}");
    assert_eq!(weak.header("content-type"), Some("application/json"));
    assert_eq!(weak.header("cache-control"), Some("no-store"));
    let weak = weak.json();
    let expected =
        ["too_short", "missing_uppercase", "missing_digit", "missing_symbol", "common_password"];
    let found = codes(&weak["violations"]);
    assert!(expected.iter().all(|code| found.contains(code)), "{weak}");
    assert_eq!(weak["notChecked"], json!(["rejected_by_pool", "used_before"]));
    let good = function.check(NEW).await.json();
    assert_eq!(good["violations"], json!([]));
    let guesses = |checked: &Value| checked["guessesLog10"].as_f64().unwrap();
    assert!(guesses(&weak) < 3.0 && guesses(&good) > 10.0, "{weak} {good}");
    for checked in [&weak, &good] {
        assert!((2.0 * guesses(checked)).fract() < f64::EPSILON, "{checked}");
    }
    let policy = function.invoke(&sample("password-policy")).await.json();
    assert_eq!(good["rules"], policy["rules"]);
    assert_eq!(function.changes(), 0);
    function.assert_password(OLD);
}

#[tokio::test]
async fn a_check_finds_what_a_change_with_the_same_passwords_is_refused_for() {
    let function =
        Function::start_with_policy(include_str!("../policy/data/every-rule.toml")).await;
    let mut seen = BTreeSet::new();
    for proposed in
        ["demo", "Sentinel-Old-8-Horse", "aaaaaaaa", "abcdefgh-1A", "password", "", " Contoso1! "]
    {
        let checked = function.check(proposed).await.json();
        let body = json!({ "previousPassword": OLD, "proposedPassword": proposed });
        let refused = function.post(&body).await;
        refused.assert_problem(422, "password_policy_violation");
        assert_eq!(checked["violations"], refused.json()["violations"], "{proposed}");
        seen.extend(codes(&checked["violations"]).into_iter().map(str::to_owned));
    }
    assert!(seen.len() > 10, "{seen:?}");
    assert_eq!(function.changes(), 0);
}

#[tokio::test]
async fn a_check_follows_the_rules_of_the_users_groups_and_attributes() {
    let function = Function::start_with_policy(POLICY).await;
    let email = ("email".to_owned(), "wolkenstein@example.com".to_owned());
    function.cognito.add_user(User {
        groups: vec!["admins".to_owned()],
        attributes: [email].into(),
        ..User::new("admin", OLD)
    });
    let token = function.cognito.access_token("admin");
    let body = json!({ "proposedPassword": "wolkenstein-7!" });
    let checked = function.invoke(&check(&token, &body)).await.json();
    assert_eq!(codes(&checked["violations"]), ["too_short", "personal_word"]);
    assert_eq!(checked["rules"][0]["params"]["minLength"], 20);
    // Whoever is in no such group gets the rules for everybody.
    let checked = function.check("wolkenstein-7!").await.json();
    assert_eq!(checked["violations"], json!([]));
    assert_eq!(checked["rules"][0]["params"]["minLength"], 8);
}

#[tokio::test]
async fn get_user_is_asked_once_for_the_checks_of_a_minute_and_the_breach_service_never() {
    let range = RangeServer::start(Answer::Status(500)).await;
    let policy = format!(
        "{POLICY}\n[breaches]\ncheck = true\nendpoint = \"{}\"\non_failure = \"refuse\"",
        range.endpoint
    );
    let function = Function::start_with_policy(&policy).await;
    for length in 1..NEW.len() {
        let checked = function.check(&NEW[..length]).await;
        assert_eq!(checked.status, 200);
        let expected = json!(["breached_password", "rejected_by_pool", "used_before"]);
        assert_eq!(checked.json()["notChecked"], expected);
    }
    assert_eq!(function.cognito.calls(Operation::GetUser), 1);
    assert!(range.requests().is_empty());
    assert_eq!(function.changes(), 0);
}

#[tokio::test]
async fn a_check_without_the_users_attributes_fails_as_the_change_would() {
    let function = Function::start_with_policy(POLICY).await;
    let cases = [
        (
            Fault::error("NotAuthorizedException", "Access Token has been revoked"),
            401,
            "invalid_token",
        ),
        (Fault::exception("TooManyRequestsException"), 429, "too_many_requests"),
    ];
    for (fault, status, code) in cases {
        function.cognito.fail_next(Operation::GetUser, fault);
        function.check(NEW).await.assert_problem(status, code);
    }
    assert_eq!(function.check(NEW).await.status, 200);
}

#[tokio::test]
async fn the_estimate_does_not_tell_a_banned_word_from_any_other() {
    let policy = "[length]\nmin = 8\n[words]\nbanned = [\"zyxomvqa\"]";
    let mut guesses = Vec::new();
    for policy in [policy, "[length]\nmin = 8"] {
        let function = Function::start_with_policy(policy).await;
        guesses.push(function.check("zyxomvqa-19").await.json()["guessesLog10"].clone());
    }
    assert_eq!(guesses[0], guesses[1]);
}

#[tokio::test]
async fn a_user_gets_thirty_checks_a_minute() {
    let function = Function::start().await;
    for _ in 0..30 {
        assert_eq!(function.check(NEW).await.status, 200);
    }
    let refused = function.check(NEW).await;
    refused.assert_problem(429, "too_many_requests");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Another token of the same user is no other user, and another user is.
    let again = function.cognito.access_token("demo");
    let body = json!({ "proposedPassword": NEW });
    function.invoke(&check(&again, &body)).await.assert_problem(429, "too_many_requests");
    function.cognito.add_user(User::new("another", OLD));
    let other = function.cognito.access_token("another");
    assert_eq!(function.invoke(&check(&other, &body)).await.status, 200);
    // The change itself is not held up.
    assert_eq!(function.change().await.status, 204);
}

#[tokio::test]
async fn a_check_is_refused_for_the_same_faults_as_a_change() {
    let function = Function::start().await;
    let body = json!({ "proposedPassword": NEW });
    let forged = function.cognito.forged_token("demo");
    function.invoke(&check(&forged, &body)).await.assert_problem(401, "invalid_token");
    let mut event = check(&function.token, &body);
    event["headers"].as_object_mut().unwrap().remove("authorization");
    function.invoke(&event).await.assert_problem(401, "missing_token");
    let unscoped = function.cognito.mint("demo", |jwt| drop(jwt.claims.remove("scope")));
    function.invoke(&check(&unscoped, &body)).await.assert_problem(403, "insufficient_scope");
    let mut event = check(&function.token, &body);
    event["headers"]["content-type"] = "text/plain".into();
    function.invoke(&event).await.assert_problem(415, "unsupported_media_type");
    let mut event = check(&function.token, &body);
    event["requestContext"]["http"]["method"] = "GET".into();
    let reply = function.invoke(&event).await;
    reply.assert_problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    for (body, status, code) in [
        (json!({}), 400, "malformed_request"),
        (json!({ "proposedPassword": 7 }), 400, "malformed_request"),
        (json!({ "proposedPassword": NEW, "signOutEverywhere": true }), 400, "malformed_request"),
        (json!({ "proposedPassword": "x".repeat(9_000) }), 413, "payload_too_large"),
    ] {
        function.invoke(&check(&function.token, &body)).await.assert_problem(status, code);
    }
    assert_eq!(function.cognito.calls(Operation::GetUser) + function.changes(), 0);
}

#[tokio::test]
async fn a_check_leaves_an_audit_event_of_its_own() {
    let function = Function::start().await;
    let mut event = check(&function.token, &json!({ "proposedPassword": "sentinel" }));
    event["headers"]["user-agent"] = "Check/1".into();
    function.invoke(&event).await;
    let log = log();
    let line = log.lines().find(|line| line.contains("Check/1")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["operation"], &line["code"]), (&json!("checkPassword"), &json!("ok")));
    assert!(line["sub"].is_string() && line["policy_time"].is_u64(), "{line}");
}
