//! Every problem of the API, provoked through the real SDK client and a real socket.

use std::collections::BTreeSet;
use std::time::Duration;

use change_password::problem::ProblemCode;
use fake_cognito::{Fault, Operation, User, UserState};
use serde_json::{Value, json};

use crate::harness::{Function, NEW, OLD, REQUEST_ID, Reply, change, post, sample};

/// What provokes a problem: an event in `events/`, or what happens to a change.
pub(crate) enum Cause {
    Sample(&'static str),
    Cognito(Fault),
    /// The same fault for two requests.
    Twice(Fault),
    State(UserState),
    Unreachable,
}

fn refusal(code: &str, message: &str) -> Cause {
    Cause::Cognito(Fault::error(code, message))
}

fn usual(code: &str) -> Cause {
    Cause::Cognito(Fault::exception(code))
}

fn twice(fault: Fault) -> Cause {
    Cause::Twice(fault)
}

/// Every problem: its status, its code and its causes.
pub(crate) fn table() -> Vec<(u64, &'static str, Cause)> {
    let not_authorized = |message| refusal("NotAuthorizedException", message);
    let invalid_parameter = |parameter| {
        let message = format!(
            "1 validation error detected: Value at '{parameter}' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: ^[\\S]+.*[\\S]+$"
        );
        refusal("InvalidParameterException", &message)
    };
    vec![
        (400, "malformed_request", Cause::Sample("malformed-json")),
        (400, "malformed_request", Cause::Sample("unknown-field")),
        (400, "malformed_request", Cause::Sample("bad-base64")),
        (401, "missing_token", Cause::Sample("missing-token")),
        (401, "invalid_token", Cause::Sample("id-token")),
        (401, "invalid_token", Cause::Sample("expired-token")),
        (401, "invalid_token", Cause::Sample("token-of-another-pool")),
        (401, "invalid_token", not_authorized("Access Token has been revoked")),
        (401, "invalid_token", not_authorized("Access Token has expired")),
        (401, "invalid_token", not_authorized("Invalid Access Token")),
        (401, "invalid_token", not_authorized("Could not verify signature for Access Token")),
        (401, "invalid_token", usual("UserNotFoundException")),
        (401, "invalid_token", invalid_parameter("accessToken")),
        (403, "insufficient_scope", Cause::Sample("token-without-scope")),
        (403, "insufficient_scope", not_authorized("Access Token does not have required scopes")),
        (403, "previous_password_incorrect", not_authorized("Incorrect username or password.")),
        (403, "previous_password_incorrect", invalid_parameter("previousPassword")),
        (403, "user_disabled", not_authorized("User is disabled.")),
        (403, "user_disabled", Cause::State(UserState::Disabled)),
        (403, "not_authorized", not_authorized("The moon is in the wrong phase")),
        (403, "not_authorized", not_authorized("")),
        (
            403,
            "password_managed_elsewhere",
            not_authorized("User is not authorized to change password"),
        ),
        (403, "request_blocked", usual("ForbiddenException")),
        (403, "request_blocked", usual("AccessDeniedException")),
        (404, "not_found", Cause::Sample("not-found")),
        (405, "method_not_allowed", Cause::Sample("method-not-allowed")),
        (409, "password_reset_required", usual("PasswordResetRequiredException")),
        (409, "password_reset_required", Cause::State(UserState::ResetRequired)),
        (409, "password_reset_required", not_authorized("User must reset password")),
        (409, "user_not_confirmed", usual("UserNotConfirmedException")),
        (409, "user_not_confirmed", Cause::State(UserState::Unconfirmed)),
        (413, "payload_too_large", Cause::Sample("too-large")),
        (415, "unsupported_media_type", Cause::Sample("not-json")),
        (422, "password_policy_violation", Cause::Sample("weak-password")),
        (422, "password_policy_violation", usual("InvalidPasswordException")),
        (422, "password_policy_violation", usual("PasswordHistoryPolicyViolationException")),
        (422, "password_policy_violation", invalid_parameter("proposedPassword")),
        (429, "attempt_limit_exceeded", usual("LimitExceededException")),
        (429, "attempt_limit_exceeded", not_authorized("Password attempts exceeded")),
        (429, "too_many_requests", usual("TooManyRequestsException")),
        (500, "internal_error", usual("ResourceNotFoundException")),
        (500, "internal_error", invalid_parameter("clientMetadata")),
        (502, "upstream_error", usual("BrandNewException")),
        (503, "upstream_unavailable", Cause::Unreachable),
        (503, "upstream_unavailable", usual("OperationNotEnabledException")),
        // Two requests without a definite response from Cognito: each may still take effect.
        (504, "outcome_unknown", twice(Fault::DropBefore)),
        (504, "outcome_unknown", twice(Fault::exception("InternalErrorException"))),
        (504, "outcome_unknown", twice(Fault::html())),
    ]
}

pub(crate) async fn provoke(cause: &Cause) -> Reply {
    let function = match cause {
        // Nothing listens on the port for "discard", and only root could.
        Cause::Unreachable => Function::start_calling("http://127.0.0.1:9").await,
        _ => Function::start().await,
    };
    match cause {
        Cause::Sample(name) => return function.invoke(&function.signed(name)).await,
        Cause::Cognito(fault) => {
            function.cognito.fail_next(Operation::ChangePassword, fault.clone());
        }
        Cause::Twice(fault) => {
            for _ in 0..2 {
                function.cognito.fail_next(Operation::ChangePassword, fault.clone());
            }
        }
        Cause::State(state) => function.cognito.set_state("demo", *state),
        Cause::Unreachable => {}
    }
    let reply = function.change().await;
    function.assert_password(OLD);
    reply
}

#[tokio::test]
async fn every_cause_of_a_problem_returns_its_status_and_code() {
    let mut seen = BTreeSet::new();
    for (row, (status, code, cause)) in table().into_iter().enumerate() {
        let reply = provoke(&cause).await;
        assert_eq!((reply.status, reply.code().as_deref()), (status, Some(code)), "row {row}");
        assert_is_problem(&reply.json(), status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "row {row}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "row {row}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "row {row}");
        assert_eq!(
            reply.header("retry-after").map(str::to_owned),
            reply.json().get("retryAfterSeconds").map(Value::to_string),
            "row {row}"
        );
        seen.insert(code);
    }
    assert_eq!(seen, ProblemCode::ALL.iter().map(|code| code.as_str()).collect());
}

#[track_caller]
fn assert_is_problem(problem: &Value, status: u64) {
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(problem["status"], status);
    assert_eq!(text("requestId"), REQUEST_ID);
    assert_eq!(text("type"), format!("urn:change-password:problem:{}", text("code")));
    assert!(!text("title").is_empty() && !text("detail").is_empty(), "{problem}");
}

#[tokio::test]
async fn a_problem_with_the_token_has_a_www_authenticate_challenge() {
    let function = Function::start().await;
    for (name, challenge) in [
        ("missing-token", "Bearer"),
        ("expired-token", r#"Bearer error="invalid_token""#),
        (
            "token-without-scope",
            r#"Bearer error="insufficient_scope", scope="aws.cognito.signin.user.admin""#,
        ),
    ] {
        let reply = function.invoke(&function.signed(name)).await;
        assert_eq!(reply.header("www-authenticate"), Some(challenge), "{name}");
    }
    let reply = function.invoke(&sample("method-not-allowed")).await;
    assert_eq!(reply.header("allow"), Some("POST"));
    let wrong_password = json!({ "previousPassword": "Sentinel-Wrong-1", "proposedPassword": NEW });
    let reply = function.post(&wrong_password).await;
    reply.assert_problem(403, "previous_password_incorrect");
    assert_eq!(reply.header("www-authenticate"), None);
}

#[tokio::test]
async fn the_detail_distinguishes_the_faults_of_a_token() {
    let function = Function::start().await;
    let mint = |claim: &str, value: Value| {
        function.cognito.mint("demo", |jwt| drop(jwt.claims.insert(claim.into(), value)))
    };
    let of_unknown_key =
        function.cognito.mint("demo", |jwt| drop(jwt.header.insert("kid".into(), "other".into())));
    for (token, detail) in [
        ("not-a-token".into(), "not a JSON Web Token"),
        (function.cognito.id_token("demo"), "send the access token"),
        (mint("exp", json!(1)), "expired"),
        (mint("nbf", json!(9_999_999_999_u64)), "not valid yet"),
        (mint("cognito:groups", json!("staff")), "`cognito:groups`"),
        (mint("iss", json!("https://elsewhere")), "not issued by this"),
        (mint("client_id", json!("elsewhere")), "an app client"),
        (function.cognito.forged_token("demo"), "signature is not valid"),
        (of_unknown_key, "`kid`"),
    ] {
        let reply = function.invoke(&post(&token, &change())).await;
        reply.assert_problem(401, "invalid_token");
        let problem = reply.json();
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 0);
}

#[tokio::test]
async fn all_violations_are_reported_together_and_cognito_is_not_called() {
    let function = Function::start().await;
    let reply =
        function.post(&json!({ "previousPassword": OLD, "proposedPassword": "demo " })).await;
    reply.assert_problem(422, "password_policy_violation");
    let codes: Vec<_> =
        reply.json()["violations"].as_array().unwrap().iter().map(|v| v["code"].clone()).collect();
    assert_eq!(
        codes,
        [
            "too_short",
            "missing_uppercase",
            "missing_digit",
            "missing_symbol",
            "leading_or_trailing_space",
            "too_easy_to_guess",
            "personal_word"
        ]
    );
    assert_eq!(reply.json()["violations"][0]["params"], json!({ "minLength": 12, "length": 5 }));
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 0);
}

#[tokio::test]
async fn a_password_that_only_the_pool_rejects_is_reported_as_a_violation() {
    for (code, message, expected) in [
        ("InvalidPasswordException", "Password not long enough", json!("length")),
        ("InvalidPasswordException", "Password must have lowercase characters", json!("lowercase")),
        ("InvalidPasswordException", "Password must have uppercase characters", json!("uppercase")),
        ("InvalidPasswordException", "Password must have numeric characters", json!("digit")),
        ("InvalidPasswordException", "Password must have symbol characters", json!("symbol")),
        ("InvalidPasswordException", "Try harder", json!("other")),
        ("InvalidPasswordException", "cannot be used for security reasons", json!("breached")),
        ("PasswordHistoryPolicyViolationException", "Used before", Value::Null),
    ] {
        let function = Function::start().await;
        let message = format!("Password did not conform with policy: {message}");
        function.cognito.fail_next(Operation::ChangePassword, Fault::error(code, &message));
        let violations = function.change().await.json()["violations"].clone();
        let code = match expected.as_str() {
            None => "used_before",
            Some("breached") => "breached_password",
            Some(_) => {
                assert_eq!(violations[0]["params"]["requirement"], expected, "{message}");
                "rejected_by_pool"
            }
        };
        assert_eq!(violations[0]["code"], code, "{message}");
    }
}

#[tokio::test]
async fn an_impossible_previous_password_is_rejected_without_a_call_to_cognito() {
    // A policy that would call `GetUser`.
    let function = Function::start_with_policy("profile = \"nist-800-63b-4\"").await;
    let long = format!("{OLD}{}", "x".repeat(257 - OLD.len()));
    for previous in [
        format!("{OLD} "),
        format!(" {OLD}"),
        format!("{OLD}\n"),
        format!("{OLD}\0"),
        format!("Sentinel\t{OLD}"),
        format!("Sentinel\u{2028}{OLD}"),
        " ".into(),
        long,
    ] {
        // This is reported first, whatever the new password is.
        for proposed in [NEW, "weak"] {
            let body = json!({ "previousPassword": previous, "proposedPassword": proposed });
            let reply = function.post(&body).await;
            reply.assert_problem(403, "previous_password_incorrect");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("a space"), "{detail}");
        }
    }
    for operation in [Operation::ChangePassword, Operation::GetUser] {
        assert_eq!(function.cognito.calls(operation), 0);
    }
    // None of them used up an attempt.
    for _ in 0..4 {
        let wrong = json!({ "previousPassword": "Sentinel-Wrong-1", "proposedPassword": NEW });
        function.post(&wrong).await.assert_problem(403, "previous_password_incorrect");
    }
    assert_eq!(function.change().await.status, 204);
}

#[tokio::test]
async fn a_possible_previous_password_is_sent_to_cognito_unchanged() {
    for previous in
        ["Sentinel- 7 Horse", "\u{a0}Sentinel-7-Horse\u{3000}", "Sentinel-e\u{301}-\u{200b}"]
    {
        let function = Function::start().await;
        function.cognito.add_user(User::new("demo", previous));
        let token = function.cognito.access_token("demo");
        let body = json!({ "previousPassword": previous, "proposedPassword": NEW });
        assert_eq!(function.invoke(&post(&token, &body)).await.status, 204, "{previous:?}");
    }
    let function = Function::start().await;
    let longest = format!("{OLD}{}", "🔑".repeat(256 - OLD.len()));
    let body = json!({ "previousPassword": longest, "proposedPassword": NEW });
    function.post(&body).await.assert_problem(403, "previous_password_incorrect");
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 1);
}

#[tokio::test]
async fn the_sixth_attempt_within_an_hour_returns_429_with_retry_after() {
    let function = Function::start().await;
    let wrong = json!({ "previousPassword": "Sentinel-Wrong-1", "proposedPassword": NEW });
    for _ in 0..5 {
        function.post(&wrong).await.assert_problem(403, "previous_password_incorrect");
    }
    let reply = function.change().await;
    reply.assert_problem(429, "attempt_limit_exceeded");
    assert_eq!(reply.header("retry-after"), Some("3600"));
    function.cognito.advance(Duration::from_hours(1));
    // The function remembers the limit for one minute.
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    tokio::time::resume();
    // An hour later the first token has expired too.
    let token = function.cognito.access_token("demo");
    assert_eq!(function.invoke(&post(&token, &change())).await.status, 204);
}
