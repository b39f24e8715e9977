//! `POST /check-password`: checks while the user types, which change nothing and use up no attempt.

use std::collections::BTreeSet;

use fake_cognito::{Fault, Operation, User};
use serde_json::{Value, json};

use crate::harness::{Function, NEW, OLD, Reply, log, post, sample};
use crate::range_server::{Answer, RangeServer};

/// Stricter rules for administrators, and a rule on the user's email address.
const POLICY: &str = r#"
    [length]
    min = 8
    [words]
    common = true
    personal = ["username", "email"]
    [groups.admins.length]
    min = 20
"#;

/// The event of a check with this token and body.
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

    /// How many changes reached Cognito.
    fn changes(&self) -> usize {
        self.cognito.calls(Operation::ChangePassword)
    }
}

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_check_returns_the_rules_and_the_violations_and_changes_nothing() {
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
async fn a_check_returns_the_same_violations_as_a_change_with_the_same_passwords() {
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
async fn a_check_applies_the_rules_for_the_users_groups_and_attributes() {
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
    // A user who is not in the group gets the base rules.
    let checked = function.check("wolkenstein-7!").await.json();
    assert_eq!(checked["violations"], json!([]));
    assert_eq!(checked["rules"][0]["params"]["minLength"], 8);
}

#[tokio::test]
async fn the_checks_of_a_minute_call_get_user_once_and_the_breach_service_never() {
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
async fn a_check_that_cannot_read_the_users_attributes_fails_like_a_change() {
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
async fn the_estimate_is_the_same_for_a_banned_word_and_any_other_word() {
    let policy = "[length]\nmin = 8\n[words]\nbanned = [\"zyxomvqa\"]";
    let mut guesses = Vec::new();
    for policy in [policy, "[length]\nmin = 8"] {
        let function = Function::start_with_policy(policy).await;
        guesses.push(function.check("zyxomvqa-19").await.json()["guessesLog10"].clone());
    }
    assert_eq!(guesses[0], guesses[1]);
}

#[tokio::test]
async fn the_thirty_first_check_of_a_user_within_a_minute_returns_429() {
    let function = Function::start().await;
    for _ in 0..30 {
        assert_eq!(function.check(NEW).await.status, 200);
    }
    let refused = function.check(NEW).await;
    refused.assert_problem(429, "too_many_requests");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // The limit is for the user, not for the token.
    let again = function.cognito.access_token("demo");
    let body = json!({ "proposedPassword": NEW });
    function.invoke(&check(&again, &body)).await.assert_problem(429, "too_many_requests");
    function.cognito.add_user(User::new("another", OLD));
    let other = function.cognito.access_token("another");
    assert_eq!(function.invoke(&check(&other, &body)).await.status, 200);
    // The limit does not apply to the change itself.
    assert_eq!(function.change().await.status, 204);
}

#[tokio::test]
async fn a_check_rejects_the_same_faulty_requests_as_a_change() {
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
async fn a_check_writes_an_audit_event() {
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
