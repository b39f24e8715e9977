//! Every file in `events/` gets the response that its name promises.

use std::collections::BTreeSet;

use crate::harness::{Function, sample};

/// Each sample with its status and its problem's code.
const EXPECTED: [(&str, u64, Option<&str>); 24] = [
    ("alb", 204, None),
    ("bad-base64", 400, Some("malformed_request")),
    ("cognito-wire", 200, None),
    ("expired-token", 401, Some("invalid_token")),
    ("function-url", 204, None),
    ("health-check", 200, None),
    ("http-api", 204, None),
    ("http-api-base64", 204, None),
    ("id-token", 401, Some("invalid_token")),
    ("malformed-json", 400, Some("malformed_request")),
    ("method-not-allowed", 405, Some("method_not_allowed")),
    ("missing-token", 401, Some("missing_token")),
    ("not-found", 404, Some("not_found")),
    ("not-json", 415, Some("unsupported_media_type")),
    ("password-policy", 200, None),
    ("rest-api", 204, None),
    ("same-password", 422, Some("password_policy_violation")),
    ("sign-out-everywhere", 200, None),
    ("token-of-another-pool", 401, Some("invalid_token")),
    ("token-without-scope", 403, Some("insufficient_scope")),
    ("too-large", 413, Some("payload_too_large")),
    ("unknown-field", 400, Some("malformed_request")),
    ("weak-password", 422, Some("password_policy_violation")),
    ("wrong-previous-password", 403, Some("previous_password_incorrect")),
];

#[test]
fn every_sample_has_an_expectation() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let files: BTreeSet<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = EXPECTED.iter().map(|(name, ..)| format!("{name}.json")).collect();
    assert_eq!(files, expected);
}

#[tokio::test]
async fn every_sample_event_gets_its_expected_response() {
    for (name, status, code) in EXPECTED {
        let function = Function::start().await;
        function.cognito.add_user(fake_cognito::User::new("demo", "Correct-Horse-7-Battery"));
        let reply = function.invoke(&function.signed(name)).await;
        assert_eq!((reply.status, reply.code().as_deref()), (status, code), "{name}: {reply:?}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{name}");
        if status == 204 || name == "cognito-wire" {
            assert_eq!(reply.body, if status == 204 { "" } else { "{}" }, "{name}");
            function.assert_password("Wrong-Cow-8-Generator");
        }
    }
}

#[tokio::test]
async fn a_sample_event_with_an_unsigned_token_is_rejected() {
    for (name, status, code) in EXPECTED {
        let function = Function::start().await;
        // Bodies and paths are checked before the token.
        let is_early = ["bad-base64", "method-not-allowed", "not-found"].contains(&name);
        let is_refused = sample(name).to_string().contains("eyJ") && !is_early;
        let expected = match name {
            // An exception of Cognito's has no code.
            "cognito-wire" => (400, None),
            _ if is_refused => (401, Some("invalid_token")),
            _ => (status, code),
        };
        let reply = function.invoke(&sample(name)).await;
        assert_eq!((reply.status, reply.code().as_deref()), expected, "{name}: {reply:?}");
    }
}
