//! Policies that need more than the request: the user's data, groups, known breaches.

use std::time::Instant;

use change_password::policy::Policy;
use fake_cognito::{Fault, Operation, User};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use crate::harness::{Function, LONG, NEW, OLD, Reply, change, log, post, sample};
use crate::range_server::{Answer, RangeServer};

#[track_caller]
fn assert_violations(reply: &Reply, expected: &[&str]) {
    reply.assert_problem(422, "password_policy_violation");
    let problem = reply.json();
    let codes: Vec<_> =
        problem["violations"].as_array().unwrap().iter().map(|v| &v["code"]).collect();
    assert_eq!(codes, expected, "{problem}");
}

#[tokio::test]
async fn every_profile_and_the_built_in_policy_accept_a_good_password() {
    for policy in [
        "profile = \"nist-800-63b-4\"",
        "profile = \"asvs-5\"",
        "profile = \"cognito-default\"",
        "[length]\nmin = 8",
        include_str!("../../password-policy.toml"),
    ] {
        let function = Function::start_with_policy(policy).await;
        assert_eq!(function.change().await.status, 204, "{policy}");
        function.assert_password(NEW);
    }
}

const PERSONAL: &str = r#"
    [length]
    min = 8
    [words]
    personal = ["username", "email", "given_name", "family_name", "phone_number", "birthdate"]
"#;

fn with_data(function: &Function) {
    let mut user = User::new("demo", OLD);
    user.attributes = [
        ("email", "sentinella.vasquez@example.com"),
        ("given_name", "Marguerite"),
        ("family_name", "Okonkwo"),
        ("phone_number", "+4915112345678"),
        ("birthdate", "1987-06-21"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    function.cognito.add_user(user);
}

#[tokio::test]
async fn a_password_that_contains_the_users_attributes_is_rejected() {
    let function = Function::start_with_policy(PERSONAL).await;
    with_data(&function);
    let token = function.cognito.access_token("demo");
    for (proposed, attribute) in [
        ("xx-Demo-Horse-Sentinel", "username"),
        ("Vasquez!Sentinel", "email"),
        ("M4rguerite-Sentinel", "given_name"),
        ("owknokO-Sentinel", "family_name"),
        ("Sentinel15112345678", "phone_number"),
        ("Sentinel-19870621", "birthdate"),
    ] {
        let body = json!({ "previousPassword": OLD, "proposedPassword": proposed });
        let reply = function.invoke(&post(&token, &body)).await;
        assert_violations(&reply, &["personal_word"]);
        assert_eq!(
            reply.json()["violations"][0]["params"]["attributes"],
            json!([attribute]),
            "{proposed}"
        );
    }
    assert_eq!(function.cognito.calls(Operation::ChangePassword), 0);
    assert_eq!(function.invoke(&post(&token, &change())).await.status, 204);
}

#[tokio::test]
async fn either_profile_rejects_the_email_and_phone_number_of_a_user_named_by_a_uuid() {
    let uuid = "0b5c7a1e-3f7d-4a61-9d0c-2f1f6a9f8e77";
    for profile in ["nist-800-63b-4", "asvs-5"] {
        let function = Function::start_with_policy(&format!("profile = \"{profile}\"")).await;
        let mut user = User::new(uuid, OLD);
        user.attributes =
            [("email", "vasquez.sentinella@example.com"), ("phone_number", "+4915112345678")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        function.cognito.add_user(user);
        let token = function.cognito.access_token(uuid);
        let both = ["too_easy_to_guess", "personal_word"].as_slice();
        for (proposed, expected) in
            [("vasquez.sentinella@example.com", both), ("Sentinel-Cow-4915112345678", &both[1..])]
        {
            let body = json!({ "previousPassword": OLD, "proposedPassword": proposed });
            let reply = function.invoke(&post(&token, &body)).await;
            assert_violations(&reply, expected);
        }
        assert_eq!(function.invoke(&post(&token, &change())).await.status, 204, "{profile}");
    }
}

#[tokio::test]
async fn a_password_that_contains_a_custom_attribute_is_rejected_if_the_policy_names_it() {
    let policy = "length.min = 8\nwords.personal = ['custom:team', 'nickname', 'name']";
    let function = Function::start_with_policy(policy).await;
    let mut user = User::new("demo", OLD);
    user.attributes = [
        ("custom:team", "Falcons"),
        ("custom:other", "Horses"),
        ("nickname", "Roadrunner"),
        ("name", "Marguerite Okonkwo"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    function.cognito.add_user(user);
    let token = function.cognito.access_token("demo");
    for (proposed, attribute) in [
        ("Sentinel-Falcons", "custom:team"),
        ("Sentinel-roadrunner", "nickname"),
        ("Sentinel-Okonkwo", "name"),
    ] {
        let body = json!({ "previousPassword": OLD, "proposedPassword": proposed });
        let reply = function.invoke(&post(&token, &body)).await;
        assert_violations(&reply, &["personal_word"]);
        let attributes = &reply.json()["violations"][0]["params"]["attributes"];
        assert_eq!(*attributes, json!([attribute]), "{proposed}");
    }
    let horses = json!({ "previousPassword": OLD, "proposedPassword": "Sentinel-Horses-7" });
    assert_eq!(function.invoke(&post(&token, &horses)).await.status, 204);
}

#[tokio::test]
async fn get_user_is_called_only_if_the_policy_needs_more_than_the_token() {
    let function = Function::start().await;
    assert_eq!(function.change().await.status, 204);
    assert_eq!(function.cognito.calls(Operation::GetUser), 0);
}

#[tokio::test]
async fn a_failed_get_user_is_reported_and_nothing_is_changed() {
    for (fault, status, code) in [
        (
            Fault::error("NotAuthorizedException", "Access Token has been revoked"),
            401,
            "invalid_token",
        ),
        (Fault::exception("TooManyRequestsException"), 429, "too_many_requests"),
        (Fault::exception("InternalErrorException"), 503, "upstream_unavailable"),
        (Fault::DropAfter, 503, "upstream_unavailable"),
        (Fault::StallBefore(LONG), 503, "upstream_unavailable"),
    ] {
        let function = Function::start_with_policy(PERSONAL).await;
        function.cognito.fail_always(Operation::GetUser, fault);
        function.change().await.assert_problem(status, code);
        function.assert_password(OLD);
        assert_eq!(function.cognito.calls(Operation::ChangePassword), 0);
        // Known violations are reported nevertheless.
        let short = json!({ "previousPassword": OLD, "proposedPassword": "Short-1" });
        assert_violations(&function.post(&short).await, &["too_short"]);
    }
}

#[tokio::test]
async fn members_of_a_group_must_satisfy_its_stricter_rules() {
    let policy =
        "[length]\nmin = 8\n[groups.admins.length]\nmin = 24\n[groups.ops.characters]\ndigit = 3";
    let function = Function::start_with_policy(policy).await;
    let try_as = async |groups: Value| {
        let token = function.cognito.mint("demo", |jwt| {
            jwt.claims.insert("cognito:groups".into(), groups);
        });
        function.invoke(&post(&token, &change())).await
    };
    assert_violations(&try_as(json!(["admins"])).await, &["too_short"]);
    assert_violations(&try_as(json!(["ops", "users"])).await, &["missing_digit"]);
    assert_violations(&try_as(json!(["ops", "admins"])).await, &["too_short", "missing_digit"]);
    assert_eq!(try_as(json!(["users"])).await.status, 204);
    // The public policy has only the rules that apply to every user.
    assert_eq!(function.invoke(&sample("password-policy")).await.json()["minLength"], 8);
}

#[tokio::test]
async fn policy_time_covers_the_selection_of_the_rules() {
    // As many words as a policy may have, so that the rules of both groups take long to build.
    let words = |first: u32| -> Vec<String> {
        (first..first + 500).map(|n| format!("contoso{n:04}")).collect()
    };
    let policy = format!(
        "[length]\nmin = 8\n[groups.a.words]\nbanned = {:?}\n[groups.b.words]\nbanned = {:?}",
        words(1000),
        words(3000)
    );
    let both = ["a", "b"].map(String::from);
    let selection = [(); 3].map(|()| {
        let policy = Policy::from_toml(&policy).unwrap();
        let start = Instant::now();
        let _ = policy.for_groups(&both);
        start.elapsed()
    });
    let function = Function::start_with_policy(&policy).await;
    let token = function.cognito.mint("demo", |jwt| {
        jwt.claims.insert("cognito:groups".into(), json!(both));
    });
    // A short password takes little time to score.
    let mut event = post(&token, &json!({ "previousPassword": OLD, "proposedPassword": "x" }));
    event["headers"]["user-agent"] = "Policy-time/1".into();
    function.invoke(&event).await.assert_problem(422, "password_policy_violation");
    let lines: Vec<Value> = log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcome = |line: &&Value| line["user_agent"] == "Policy-time/1";
    let policy_time = lines.iter().find(outcome).unwrap()["policy_time"].as_u64().unwrap();
    let fastest = selection.iter().min().unwrap();
    assert!(u128::from(policy_time) > fastest.as_micros() / 2, "{policy_time} µs, {selection:?}");
}

fn hex_digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap().to_ascii_uppercase()
}

fn sha1(password: &str) -> String {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect()
}

fn breach_policy(server: &RangeServer, more: &str) -> String {
    let endpoint = &server.endpoint;
    format!(
        "[length]\nmin = 8\n[breaches]\ncheck = true\nendpoint = \"{endpoint}/\"\ntimeout_ms = 1000\n{more}"
    )
}

/// A response that lists [`NEW`] with this count, among others.
fn seen(count: u32) -> Answer {
    let padding = "0018A45C4D1DEF81644B54AB7F969B88D65:0\r\n";
    Answer::Lines(format!("{padding}{}:{count}\r\n{padding}", &sha1(NEW)[5..]))
}

#[tokio::test]
async fn a_breached_password_is_rejected_and_only_five_digits_of_its_digest_are_sent() {
    let server = RangeServer::start(seen(3)).await;
    let function = Function::start_with_policy(&breach_policy(&server, "")).await;
    assert_violations(&function.change().await, &["breached_password"]);
    function.assert_password(OLD);
    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    let lower = request.to_lowercase();
    assert!(
        request.starts_with(&format!("GET /range/{} HTTP/1.1\r\n", &sha1(NEW)[..5])),
        "{request}"
    );
    assert!(lower.contains("add-padding: true\r\n"), "{request}");
    assert!(lower.contains("user-agent: change-password\r\n"), "{request}");
    assert!(!lower.contains(&sha1(NEW)[5..15].to_lowercase()), "{request}");
}

#[tokio::test]
async fn a_breached_password_is_found_however_its_accents_are_typed() {
    let lines = format!("{}:3\r\n", &sha1("Sentinel-Zürich-9")[5..]);
    let server = RangeServer::start(Answer::Lines(lines)).await;
    let function = Function::start_with_policy(&breach_policy(&server, "")).await;
    for proposed in ["Sentinel-Zürich-9", "Sentinel-Zu\u{308}rich-9"] {
        let body = json!({ "previousPassword": OLD, "proposedPassword": proposed });
        assert_violations(&function.post(&body).await, &["breached_password"]);
    }
}

#[tokio::test]
async fn a_password_below_the_threshold_or_only_in_the_padding_is_accepted() {
    for (answer, threshold) in [(seen(9), 10), (seen(0), 1)] {
        let server = RangeServer::start(answer).await;
        let policy = breach_policy(&server, &format!("threshold = {threshold}"));
        let function = Function::start_with_policy(&policy).await;
        assert_eq!(function.change().await.status, 204);
    }
}

#[tokio::test]
async fn the_breach_service_is_called_only_if_no_other_rule_is_broken() {
    let server = RangeServer::start(seen(1)).await;
    let function = Function::start_with_policy(&breach_policy(&server, "")).await;
    let short = json!({ "previousPassword": OLD, "proposedPassword": "Short-1" });
    assert_violations(&function.post(&short).await, &["too_short"]);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_breached_password_is_found_with_either_line_ending_and_in_either_case() {
    let padding = "0018A45C4D1DEF81644B54AB7F969B88D65:0";
    let suffix = &sha1(NEW)[5..];
    for lines in [
        format!("{padding}\n{suffix}:1\n"),
        format!("{padding}\r\n{suffix}:1"),
        format!("{}:007\r\n", suffix.to_lowercase()),
        format!("{suffix}:{}", u64::MAX),
        format!("{suffix}:0\n{suffix}:3\n{suffix}:0\n"),
    ] {
        let server = RangeServer::start(Answer::Lines(lines.clone())).await;
        let function = Function::start_with_policy(&breach_policy(&server, "")).await;
        let reply = function.change().await;
        assert_eq!(reply.status, 422, "{lines:?}");
        assert_violations(&reply, &["breached_password"]);
    }
}

/// Responses that do not show whether the password occurs in known breaches.
fn failures() -> Vec<Answer> {
    let suffix = &sha1(NEW)[5..];
    let known = format!("{suffix}:3\r\n");
    let unknown = "0018A45C4D1DEF81644B54AB7F969B88D65:0\r\n".to_owned();
    let mut answers = vec![Answer::Stall, Answer::Drop];
    answers.extend([204, 205, 400, 403, 404, 429, 500, 503].map(Answer::Status));
    // Their bodies look like a valid response.
    answers.extend([201, 202, 203, 206, 404, 503].map(|it| Answer::Page(it, unknown.clone())));
    answers.extend([300, 301, 302, 303, 307, 308].map(|it| Answer::Redirect(it, unknown.clone())));
    let bodies = [
        // Nothing, and pages of a proxy, of a portal or about an error.
        String::new(),
        "\n".into(),
        "\r\n".into(),
        "<html>\r\n".into(),
        "<!doctype html><title>Sign in: guest network</title>".into(),
        "Service notice: 0".into(),
        r#"{"error":"unavailable"}"#.into(),
        r#"{"statusCode":429}"#.into(),
        // A malformed suffix or count.
        "0018A45C4D1DEF81644B54AB7F969B88D6:0".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D650:0".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D6G:0".into(),
        " 018A45C4D1DEF81644B54AB7F969B88D65:0".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65:".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65:0:0".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65: 0".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65:0 ".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65:0\r".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65:+0".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65:-1".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65:18446744073709551616".into(),
        "0018A45C4D1DEF81644B54AB7F969B88D65:٣".into(),
        format!("{suffix}:many\r\n"),
        // One malformed line among good ones, before or after the line that counts.
        format!("\u{feff}{unknown}"),
        format!("{unknown}\r\n{unknown}"),
        format!("{unknown}\r\n"),
        format!("{unknown}<!-- cut -->"),
        format!("garbage\r\n{known}"),
        format!("{known}garbage\r\n"),
    ];
    answers.extend(bodies.map(Answer::Lines));
    answers
}

#[tokio::test]
async fn a_failed_breach_check_allows_or_refuses_the_change_according_to_on_failure() {
    for answer in failures() {
        let server = RangeServer::start(answer.clone()).await;
        let lenient = breach_policy(&server, "on_failure = \"allow\"");
        let function = Function::start_with_policy(&lenient).await;
        assert_eq!(function.change().await.status, 204, "{answer:?}");
        let strict = breach_policy(&server, "on_failure = \"refuse\"");
        let function = Function::start_with_policy(&strict).await;
        let reply = function.change().await;
        assert_eq!(reply.status, 503, "{answer:?}");
        reply.assert_problem(503, "upstream_unavailable");
        // The service that failed is not the one that users sign in with.
        let problem = reply.json();
        assert_eq!(problem["title"], "Service not reached");
        assert!(
            problem["detail"].as_str().unwrap().starts_with("The check for known breaches failed;")
        );
        function.assert_password(OLD);
        // No redirect is followed and nothing is sent twice.
        assert_eq!(server.requests().len(), 2, "{answer:?}");
    }
}

#[tokio::test]
async fn the_policy_document_lists_the_rules_but_no_banned_words() {
    let policy = "[length]\nmin = 8\n[words]\nbanned = [\"sentinelcorp\"]\ncommon = true";
    let function = Function::start_with_policy(policy).await;
    let document = function.invoke(&sample("password-policy")).await.json();
    let codes: Vec<_> =
        document["rules"].as_array().unwrap().iter().map(|rule| &rule["code"]).collect();
    assert_eq!(
        codes,
        [
            "too_short",
            "too_long",
            "leading_or_trailing_space",
            "hard_to_type",
            "common_password",
            "banned_word"
        ]
    );
    assert_eq!(document["rules"][0]["clientCheckable"], true);
    assert_eq!(document["rules"][5]["clientCheckable"], false);
}
