//! No password and no token appears in the log or in a response, even at `TRACE`.

use fake_cognito::{Exception, Fault, Operation, UserState};
use serde_json::{Value, json};

use crate::harness::{Function, NEW, OLD, assert_no_secret, change, log, post};
use crate::wire;

/// Bodies that contain a password where it does not belong.
fn misplaced() -> Vec<Value> {
    vec![
        json!(OLD),
        json!([OLD, NEW, false]),
        json!({ OLD: NEW }),
        json!({ "proposedPassword": [NEW] }),
        json!({ "previousPassword": OLD, "proposedPassword": NEW, "signOutEverywhere": NEW }),
        json!({ "previousPassword": OLD, "proposedPassword": "sentinel" }),
    ]
}

/// Cognito's possible responses, with messages that contain secrets.
fn faults(token: &str) -> Vec<Fault> {
    let codes = [
        "AccessDeniedException",
        "ForbiddenException",
        "InternalErrorException",
        "InvalidParameterException",
        "InvalidPasswordException",
        "LimitExceededException",
        "NotAuthorizedException",
        "OperationNotEnabledException",
        "PasswordHistoryPolicyViolationException",
        "PasswordResetRequiredException",
        "ResourceNotFoundException",
        "TooManyRequestsException",
        "UserNotConfirmedException",
        "UserNotFoundException",
        "BrandNewException",
    ];
    let escaped = OLD.replace('S', "\\u0053");
    let messages = [
        OLD.to_owned(),
        format!("not {NEW}"),
        token.to_owned(),
        format!("({token})"),
        OLD.to_uppercase(),
        OLD[1..].to_owned(),
        escaped,
        format!("Incorrect username or password: {NEW}"),
    ];
    let refusals =
        codes.iter().flat_map(|code| messages.iter().map(|text| Fault::error(code, text)));
    let headers = vec![("x-amzn-requestid", OLD), ("x-amzn-errormessage", NEW)];
    let foreign = [
        Exception { headers: headers.clone(), ..Exception::new("InternalErrorException", NEW) },
        Exception { headers: headers.clone(), ..Exception::new("NotAuthorizedException", NEW) },
        Exception { headers, ..Exception::new(OLD, NEW) },
        Exception::new(OLD.replace('-', ""), ""),
        Exception::new(format!("{OLD}#NotAuthorizedException"), ""),
        Exception::new(format!("NotAuthorizedException:{OLD}"), ""),
    ];
    let refusals = refusals.chain(foreign.map(Fault::Error));
    let others =
        [Fault::DropBefore, Fault::DropAfter, Fault::CutAnswer, Fault::html(), Fault::empty()];
    refusals.chain(others).collect()
}

#[tokio::test]
async fn no_secret_appears_in_the_log_at_trace_or_in_a_response_on_any_path() {
    let function = Function::start().await;
    for body in misplaced() {
        function.post(&body).await;
    }
    for token in [OLD, &function.cognito.id_token("demo"), &function.cognito.forged_token("demo")] {
        function.invoke(&post(token, &change())).await;
        function.invoke(&wire::event(&wire::body(token))).await;
    }
    for fault in faults(&function.token) {
        // A new user each time, for whom the function remembers no limit.
        let token_of_a_new_user = || {
            function.cognito.add_user(fake_cognito::User::new("demo", OLD));
            function.cognito.access_token("demo")
        };
        function.cognito.fail_next(Operation::ChangePassword, fault.clone());
        function.invoke(&post(&token_of_a_new_user(), &change())).await;
        function.cognito.fail_next(Operation::ChangePassword, fault.clone());
        function.invoke(&wire::event(&wire::body(&token_of_a_new_user()))).await;
        function.cognito.fail_next(Operation::GlobalSignOut, fault);
        let mut change = change();
        change["signOutEverywhere"] = true.into();
        function.invoke(&post(&token_of_a_new_user(), &change)).await;
    }
    function.cognito.set_state("demo", UserState::Disabled);
    function.change().await;
    Function::start_calling("http://127.0.0.1:9").await.change().await;
    Function::start_calling("http://no-such-host.invalid").await.change().await;

    let log = log();
    assert!(log.lines().count() > 100, "the log was not captured");
    assert_no_secret(&log, "the log");
}
