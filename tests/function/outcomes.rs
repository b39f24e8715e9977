//! The response agrees with what happened to the password.

use std::time::Duration;

use fake_cognito::{Fault, Operation, Options, PasswordPolicy, User};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Function, LONG, NEW, OLD, Setup, change, post, sample};

fn signing_out() -> Value {
    json!({ "previousPassword": OLD, "proposedPassword": NEW, "signOutEverywhere": true })
}

#[tokio::test]
async fn a_change_returns_204_and_the_new_password_signs_in() {
    let function = Function::start().await;
    let reply = function.change().await;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(function.cognito.sign_in("demo", NEW).is_ok());
    assert!(function.cognito.sign_in("demo", OLD).is_err());
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 1);
}

#[tokio::test]
async fn passwords_reach_cognito_byte_for_byte() {
    // A profile that allows characters that are hard to type.
    let function = Function::start_with_policy("profile = \"cognito-default\"").await;
    // A combining accent, its composed twin, an astral code point, a no-break space and inner
    // spaces.
    let odd = "Sentinel-e\u{301}\u{e9}🔑\u{a0}  7";
    let reply = function.post(&json!({ "previousPassword": OLD, "proposedPassword": odd })).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    function.assert_password(odd);
}

#[tokio::test]
async fn a_user_without_a_password_can_set_the_first_one() {
    let function = Function::start().await;
    function.cognito.add_user(User { password: None, ..User::new("demo", "") });
    let token = function.cognito.access_token("demo");
    let reply = function.invoke(&post(&token, &json!({ "proposedPassword": NEW }))).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    function.assert_password(NEW);
}

#[tokio::test]
async fn a_sign_out_everywhere_is_made_after_the_change_and_reported() {
    let function = Function::start().await;
    let reply = function.post(&signing_out()).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "signedOutEverywhere": true })));
    function.assert_password(NEW);
    let reply = function.post(&json!({ "previousPassword": NEW, "proposedPassword": OLD })).await;
    reply.assert_problem(401, "invalid_token");
}

#[tokio::test]
async fn a_failed_sign_out_never_turns_a_change_into_an_error() {
    for (fault, tries) in [
        (Fault::exception("TooManyRequestsException"), 1),
        (Fault::exception("InternalErrorException"), 2),
        (Fault::html(), 2),
        (Fault::empty(), 2),
        (Fault::DropBefore, 2),
        (Fault::StallBefore(LONG), 1),
    ] {
        let function = Function::start().await;
        function.cognito.fail_always(Operation::GlobalSignOut, fault.clone());
        let reply = function.post(&signing_out()).await;
        let expected = (200, json!({ "signedOutEverywhere": false }));
        assert_eq!((reply.status, reply.json()), expected, "{fault:?}");
        assert_eq!(function.cognito.calls(Operation::GlobalSignOut), tries, "{fault:?}");
        function.assert_password(NEW);
    }
}

#[tokio::test]
async fn nobody_is_signed_out_if_the_password_did_not_change() {
    let function = Function::start().await;
    let mut wrong = signing_out();
    wrong["previousPassword"] = "Sentinel-Wrong-1".into();
    function.post(&wrong).await.assert_problem(403, "previous_password_incorrect");
    assert_eq!(function.cognito.calls(Operation::GlobalSignOut), 0);
}

#[tokio::test]
async fn an_outcome_that_stays_in_doubt_returns_504() {
    let mut rows = JoinSet::new();
    for first in [Fault::DropAfter, Fault::DropBefore, Fault::exception("InternalErrorException")] {
        for then in [
            Fault::DropBefore,
            Fault::html(),
            Fault::exception("LimitExceededException"),
            Fault::StallBefore(LONG),
        ] {
            let first = first.clone();
            rows.spawn(async move {
                let function = Function::start().await;
                function.cognito.fail_next(Operation::ChangePassword, first);
                function.cognito.fail_next(Operation::ChangePassword, then);
                function.change().await.assert_problem(504, "outcome_unknown");
                assert_eq!(function.cognito.calls(Operation::ChangePassword), 2);
            });
        }
    }
    rows.join_all().await;
}

#[tokio::test]
async fn a_password_in_the_pools_history_is_rejected_as_used_before() {
    let policy = PasswordPolicy { history_size: 3, ..PasswordPolicy::default() };
    let options = Options { policy, ..Options::default() };
    let function = Function::start_behind(Setup { options, ..Setup::default() }).await;
    assert_eq!(function.change().await.status, 204);
    let back = json!({ "previousPassword": NEW, "proposedPassword": OLD });
    let reply = function.post(&back).await;
    reply.assert_problem(422, "password_policy_violation");
    assert_eq!(reply.json()["violations"][0]["code"], "used_before");
}

#[tokio::test]
async fn a_change_that_cognito_refused_is_not_sent_again() {
    for code in ["LimitExceededException", "TooManyRequestsException", "NotAuthorizedException"] {
        let function = Function::start().await;
        function.cognito.fail_next(Operation::ChangePassword, Fault::exception(code));
        assert!(function.change().await.status < 500);
        assert_eq!(function.cognito.calls(Operation::ChangePassword), 1, "{code}");
        function.assert_password(OLD);
    }
}

#[tokio::test]
async fn nothing_is_sent_if_the_invocation_is_about_to_end() {
    let function = Function::start().await.with_time_limit(Duration::from_millis(400));
    function.change().await.assert_problem(503, "upstream_unavailable");
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 0);
    function.assert_password(OLD);
}

#[tokio::test]
async fn a_stalled_call_ends_before_the_invocation_does() {
    let function = Function::start().await.with_time_limit(Duration::from_secs(2));
    let stall = Fault::StallBefore(LONG);
    function.cognito.fail_always(Operation::ChangePassword, stall);
    // The harness would wait for ever; Lambda would not, and 2 s are less than the call timeout.
    function.change().await.assert_problem(504, "outcome_unknown");
}

#[tokio::test]
async fn a_deadline_in_1970_as_from_cargo_lambda_watch_is_ignored() {
    let function = Function::start().await.with_deadline(600_000);
    assert_eq!(function.change().await.status, 204);
}

#[tokio::test]
async fn consecutive_changes_use_one_connection() {
    let function = Function::start().await;
    assert_eq!(function.change().await.status, 204);
    let token = function.cognito.access_token("demo");
    let back = json!({ "previousPassword": NEW, "proposedPassword": OLD });
    assert_eq!(function.invoke(&post(&token, &back)).await.status, 204);
    assert_eq!(function.cognito.connections(), 1);
}

#[tokio::test]
async fn a_change_succeeds_after_cognito_closed_the_pooled_connection() {
    let function = Function::start().await;
    assert_eq!(function.change().await.status, 204);
    function.cognito.close_connections();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let back = json!({ "previousPassword": NEW, "proposedPassword": OLD });
    assert_eq!(function.post(&back).await.status, 204);
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 2);
}

#[tokio::test]
async fn an_event_that_is_not_http_returns_400() {
    let function = Function::start().await;
    for event in [json!({ "key1": "value1" }), json!(null), json!([]), json!("text")] {
        function.invoke(&event).await.assert_problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn the_policy_needs_no_token_is_cacheable_and_has_no_body_for_head() {
    let function = Function::start().await;
    let mut event = sample("password-policy");
    let full = function.invoke(&event).await;
    assert_eq!(full.status, 200);
    assert_eq!(full.json()["minLength"], 12);
    assert_eq!(full.header("content-type"), Some("application/json"));
    assert_eq!(full.header("cache-control"), Some("public, max-age=300"));
    let etag = full.header("etag").unwrap().to_owned();
    for (value, status) in [
        (etag.clone(), 304),
        (format!("\"x\", W/{etag}"), 304),
        ("*".into(), 304),
        ("\"x\"".into(), 200),
    ] {
        event["headers"]["if-none-match"] = value.clone().into();
        let reply = function.invoke(&event).await;
        assert_eq!(reply.status, status, "{value}");
        assert_eq!(reply.header("etag"), Some(etag.as_str()));
        assert_eq!(reply.body.is_empty(), status == 304);
    }
    let mut head = sample("password-policy");
    head["requestContext"]["http"]["method"] = "HEAD".into();
    let reply = function.invoke(&head).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.header("etag"), Some(etag.as_str()));
}

#[tokio::test]
async fn a_stage_prefix_and_a_trailing_slash_reach_the_same_route() {
    for path in ["/prod/change-password", "/change-password/", "/prod/change-password/"] {
        for (name, field) in [("http-api", "rawPath"), ("rest-api", "path"), ("alb", "path")] {
            let function = Function::start().await;
            let mut event = sample(name);
            event[field] = path.into();
            for headers in ["headers", "multiValueHeaders"] {
                if let Some(headers) = event.get_mut(headers).and_then(Value::as_object_mut) {
                    headers.retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
                }
            }
            event["headers"]["authorization"] = format!("Bearer {}", function.token).into();
            event["body"] = change().to_string().into();
            assert_eq!(function.invoke(&event).await.status, 204, "{name} {path}");
        }
    }
}

#[tokio::test]
async fn a_user_over_the_limit_of_changes_gets_429_and_other_users_do_not() {
    let setup = Setup { user_changes_per_minute: Some(3), ..Setup::default() };
    let function = Function::start_behind(setup).await;
    let wrong = json!({ "previousPassword": "Sentinel-Wrong-1", "proposedPassword": NEW });
    let weak = json!({ "previousPassword": OLD, "proposedPassword": "x" });
    for _ in 0..3 {
        function.post(&wrong).await.assert_problem(403, "previous_password_incorrect");
        // A password that breaks the policy is not forwarded, and not counted.
        function.post(&weak).await.assert_problem(422, "password_policy_violation");
    }
    let refused = function.post(&wrong).await;
    refused.assert_problem(429, "too_many_requests");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    function.post(&weak).await.assert_problem(422, "password_policy_violation");
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 3);
    // Other users do not have to wait.
    function.cognito.add_user(User::new("another", OLD));
    let token = function.cognito.access_token("another");
    assert_eq!(function.invoke(&post(&token, &change())).await.status, 204);
}
