//! Requests that no client of ours sends: a table of them with the expected responses, and
//! properties of all others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fake_cognito::Operation;
use http::{HeaderName, HeaderValue};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::{
    Function, NEW, OLD, REQUEST_ID, Reply, Way, assert_no_secret, change, claims_of, log, post,
    sample,
};

/// A status, a problem's code unless the request succeeds, and the number of calls to Cognito.
type Expected = (u64, Option<&'static str>, usize);

const CHANGED: Expected = (204, None, 1);
const POLICY: Expected = (200, None, 0);
const MALFORMED: Expected = (400, Some("malformed_request"), 0);
const MISSING_TOKEN: Expected = (401, Some("missing_token"), 0);
const INVALID_TOKEN: Expected = (401, Some("invalid_token"), 0);
const REFUSED_BY_COGNITO: Expected = (401, Some("invalid_token"), 1);
const NOT_FOUND: Expected = (404, Some("not_found"), 0);
const METHOD: Expected = (405, Some("method_not_allowed"), 0);
const TOO_LARGE: Expected = (413, Some("payload_too_large"), 0);
const NOT_JSON: Expected = (415, Some("unsupported_media_type"), 0);
const VIOLATION: Expected = (422, Some("password_policy_violation"), 0);

/// A request's name, its event as text, and the expected response.
type Row = (String, String, Expected);

fn row(name: &str, event: &Value, expected: Expected) -> Row {
    (name.into(), event.to_string(), expected)
}

/// A valid request of each kind of event.
fn kinds(function: &Function) -> [(&'static str, Value); 3] {
    let bearer = json!(format!("Bearer {}", function.token));
    let body = json!(change().to_string());
    let [mut http, mut rest, mut alb] = ["http-api", "rest-api", "alb"].map(sample);
    http["headers"]["authorization"] = bearer.clone();
    rest["headers"]["Authorization"] = bearer.clone();
    rest["multiValueHeaders"]["Authorization"] = json!([bearer]);
    alb["headers"]["authorization"] = bearer;
    for event in [&mut http, &mut rest, &mut alb] {
        event["body"] = body.clone();
    }
    [("HTTP API", http), ("REST API", rest), ("load balancer", alb)]
}

/// A valid HTTP API event with one edit.
fn edited(function: &Function, edit: impl FnOnce(&mut Value)) -> Value {
    let mut event = post(&function.token, &change());
    edit(&mut event);
    event
}

fn bodies(function: &Function) -> Vec<Row> {
    let proposed =
        |text: &str| format!(r#"{{"previousPassword":"{OLD}","proposedPassword":{text}}}"#);
    let plain = [
        ("no text", String::new(), MALFORMED),
        ("a BOM", format!("\u{feff}{}", change()), MALFORMED),
        ("a NUL", "\0".into(), MALFORMED),
        ("a NUL after it", format!("{}\0", change()), MALFORMED),
        ("two bodies", change().to_string().repeat(2), MALFORMED),
        ("deep arrays", "[".repeat(8000), MALFORMED),
        ("deep objects", r#"{"a":"#.repeat(1600), MALFORMED),
        ("a deep value", proposed(&("[".repeat(3000) + &"]".repeat(3000))), MALFORMED),
        (
            "null as an optional password",
            r#"{"previousPassword":null,"proposedPassword":"x"}"#.into(),
            VIOLATION,
        ),
        (
            "null as the sign-out",
            proposed(&format!(r#""{NEW}","signOutEverywhere":null"#)),
            CHANGED,
        ),
        ("null as the new password", proposed("null"), MALFORMED),
        ("a repeated key", proposed(r#""x","proposedPassword":"x""#), MALFORMED),
        ("a key repeated by an escape", proposed(r#""x","proposed\u0050assword":"x""#), MALFORMED),
        ("a huge exponent", proposed("1e999999999"), MALFORMED),
        ("a huge integer", proposed(&"9".repeat(7000)), MALFORMED),
        ("NaN", proposed("NaN"), MALFORMED),
        ("a lone high surrogate", proposed(r#""\ud800""#), MALFORMED),
        ("a lone low surrogate", proposed(r#""\udc00""#), MALFORMED),
        ("surrogates the wrong way round", proposed(r#""\udc00\ud800""#), MALFORMED),
        ("a raw newline in a string", proposed("\"a\nb\""), MALFORMED),
        ("a password of NULs", proposed(&format!("\"{}\"", r"\u0000".repeat(20))), VIOLATION),
        (
            "a password of 1,000 code points",
            proposed(&format!("\"{}\"", "é".repeat(1000))),
            VIOLATION,
        ),
        ("8 KiB and one byte", format!("{:8193}", change().to_string()), TOO_LARGE),
        ("five megabytes", "[".repeat(5 << 20), TOO_LARGE),
    ];
    let plain = plain.into_iter().map(|(name, body, expected)| {
        row(name, &edited(function, |event| event["body"] = body.into()), expected)
    });
    let utf16: Vec<u8> = change().to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bytes: [(&str, &[u8], Expected); 5] = [
        ("bytes that are not UTF-8", b"\xff\xfe\xfd", MALFORMED),
        ("a string that is not UTF-8", b"{\"proposedPassword\":\"\xff\"}", MALFORMED),
        ("an overlong NUL", b"{\"proposedPassword\":\"\xc0\x80\"}", MALFORMED),
        ("a surrogate in UTF-8", b"{\"proposedPassword\":\"\xed\xa0\x80\"}", MALFORMED),
        ("UTF-16", &utf16, MALFORMED),
    ];
    let bytes =
        bytes.into_iter().map(|(name, body, expected)| (name, STANDARD.encode(body), expected));
    let not_base64 = [
        ("base64 without its padding", STANDARD.encode("{}x").replace('=', "") + "A", MALFORMED),
        ("base64 of URLs", "-_-_".into(), MALFORMED),
        ("base64 in lines", format!("{}\n", STANDARD.encode("{}")), MALFORMED),
        ("JSON marked as base64", change().to_string(), MALFORMED),
        ("valid base64", STANDARD.encode(change().to_string()), CHANGED),
    ];
    let base64 = bytes.chain(not_base64).map(|(name, body, expected)| {
        let event = edited(function, |event| {
            event["isBase64Encoded"] = true.into();
            event["body"] = body.into();
        });
        row(name, &event, expected)
    });
    plain.chain(base64).collect()
}

fn tokens(function: &Function) -> Vec<Row> {
    let mint = |claim: &str, value: Value| {
        function.cognito.mint("demo", |jwt| drop(jwt.claims.insert(claim.into(), value)))
    };
    let alg = |alg: &str| {
        function.cognito.mint("demo", |jwt| drop(jwt.header.insert("alg".into(), alg.into())))
    };
    let crit = |value: Value| {
        function.cognito.mint("demo", |jwt| drop(jwt.header.insert("crit".into(), value)))
    };
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let header = part(r#"{"alg":"RS256"}"#);
    let sound = &function.token;
    let rows = [
        ("100 KB of one letter", "x".repeat(100_000), INVALID_TOKEN),
        ("100 KB of dots", ".".repeat(100_000), INVALID_TOKEN),
        ("a valid token with 100 KB after it", sound.clone() + &"A".repeat(100_000), INVALID_TOKEN),
        ("a claim of 100 KB", mint("pad", "x".repeat(100_000).into()), INVALID_TOKEN),
        ("10,000 groups", mint("cognito:groups", vec!["g"; 10_000].into()), INVALID_TOKEN),
        ("a claim of 5 KB", mint("pad", "x".repeat(5_000).into()), CHANGED),
        (
            "deeply nested claims",
            format!("{header}.{}.c2ln", part(&"[".repeat(9_000))),
            INVALID_TOKEN,
        ),
        (
            "a claim given twice",
            format!("{header}.{}.c2ln", part(r#"{"exp":1,"exp":9e9}"#)),
            INVALID_TOKEN,
        ),
        (
            "claims with a lone surrogate",
            format!("{header}.{}.c2ln", part(r#"{"sub":"\ud800"}"#)),
            INVALID_TOKEN,
        ),
        (
            "claims as a list",
            format!("{header}.{}.c2ln", part(&list_of_claims(sound))),
            INVALID_TOKEN,
        ),
        (
            "a header as a list",
            sound.replacen(sound.split('.').next().unwrap(), &part(r#"["RS256"]"#), 1),
            INVALID_TOKEN,
        ),
        ("an unknown claim given twice", repeat_claim(sound), INVALID_TOKEN),
        ("nbf in an hour", mint("nbf", json!(in_an_hour())), INVALID_TOKEN),
        ("nbf an hour ago", mint("nbf", json!(in_an_hour() - 7200)), CHANGED),
        ("critical extensions", crit(json!(["b64"])), INVALID_TOKEN),
        ("an empty list of critical extensions", crit(json!([])), INVALID_TOKEN),
        ("groups as text", mint("cognito:groups", json!("admins")), INVALID_TOKEN),
        ("groups as an object", mint("cognito:groups", json!({ "admins": true })), INVALID_TOKEN),
        ("groups with a number", mint("cognito:groups", json!(["admins", 7])), INVALID_TOKEN),
        ("groups as null", mint("cognito:groups", Value::Null), INVALID_TOKEN),
        ("claims that are not UTF-8", format!("{header}._w.c2ln"), INVALID_TOKEN),
        (
            "alg none, unsigned",
            format!("{}.{}.", part(r#"{"alg":"none"}"#), part("{}")),
            INVALID_TOKEN,
        ),
        ("alg none, signed", alg("none"), INVALID_TOKEN),
        ("alg HS256", alg("HS256"), INVALID_TOKEN),
        ("exp below zero", mint("exp", json!(-1)), INVALID_TOKEN),
        ("exp far below zero", mint("exp", json!(-1e308)), INVALID_TOKEN),
        ("exp as text", mint("exp", json!("9999999999")), INVALID_TOKEN),
        (
            "exp beyond a double",
            format!("{header}.{}.c2ln", part(r#"{"exp":1e999}"#)),
            INVALID_TOKEN,
        ),
        ("exp in 300,000 years", mint("exp", json!(9_999_999_999_999_u64)), CHANGED),
        // It passes verification, and Cognito refuses it, since it issues no such token.
        ("exp in 10^300 years", mint("exp", json!(1e308)), REFUSED_BY_COGNITO),
        ("a header's name in it", format!("{sound}\r\nX-Forged: 1"), MISSING_TOKEN),
        ("a NUL in it", format!("{sound}\0"), MISSING_TOKEN),
        ("a space in it", sound.replacen('.', " .", 1), INVALID_TOKEN),
        ("spaces around it", format!("  {sound} "), CHANGED),
        ("not ASCII", format!("{sound}é"), MISSING_TOKEN),
        ("nothing but spaces", "   ".into(), MISSING_TOKEN),
    ];
    rows.map(|(name, token, expected)| row(name, &post(&token, &change()), expected)).into()
}

/// The claims of a token as the array that derived code would accept as this object.
fn list_of_claims(token: &str) -> String {
    let claims = claims_of(token);
    let names =
        ["token_use", "iss", "client_id", "scope", "sub", "username", "cognito:groups", "exp"];
    let value = |name| claims.get(name).cloned().unwrap_or(json!([]));
    Value::from_iter(names.map(value)).to_string()
}

/// A token with an additional claim that appears twice.
fn repeat_claim(token: &str) -> String {
    let claims = claims_of(token).to_string().replacen('{', r#"{"device":1,"device":2,"#, 1);
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts[1] = URL_SAFE_NO_PAD.encode(claims);
    parts.join(".")
}

fn in_an_hour() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    now.as_secs() + 3600
}

/// A valid HTTP API event with one header changed.
fn with_header(function: &Function, name: &str, value: Value, expected: Expected) -> Row {
    let title = format!("{name}: {value:.60}");
    row(&title, &edited(function, |event| event["headers"][name] = value), expected)
}

/// Headers that a change does not read, so that their values may be anything.
fn unread_headers(function: &Function) -> Vec<Row> {
    let rows = [
        ("x-note", json!("naïve 🔑")),
        ("x-note", json!("\u{1}")),
        ("x-note", Value::Null),
        ("x-note", json!({ "a": [1] })),
        ("x-note", json!("x".repeat(1 << 20))),
        ("x note", json!("a name with a space")),
        ("", json!("no name")),
        ("content-length", json!("-1")),
        ("if-none-match", json!("\"".repeat(9_000))),
        ("host", json!("")),
        ("host", json!("a b")),
        ("host", json!("[::1")),
        ("host", json!("x:99999")),
        ("host", json!("user:secret@x/../y?z#")),
        ("host", json!("bücher.example")),
        ("x-forwarded-proto", json!("")),
        ("x-forwarded-proto", json!("1://")),
        ("x-forwarded-proto", json!("https,http")),
        ("x-forwarded-proto", json!("javascript")),
    ];
    rows.map(|(name, value)| with_header(function, name, value, CHANGED)).into()
}

fn headers(function: &Function) -> Vec<Row> {
    let bearer = format!("Bearer {}", function.token);
    let other = format!("Bearer {}", function.cognito.access_token("demo"));
    let header = |name, value, expected| with_header(function, name, value, expected);
    let [_, (_, mut rest), (_, mut alb)] = kinds(function);
    rest["headers"]["Authorization"] = json!(other);
    rest["multiValueHeaders"]["Authorization"] = json!([bearer, other]);
    let mut cases = kinds(function)[1].1.clone();
    cases["multiValueHeaders"]["authorization"] = json!([other]);
    alb["headers"] = Value::Null;
    alb["multiValueHeaders"] =
        json!({ "authorization": [bearer, other], "content-type": ["application/json"] });
    let mut alb_single = alb.clone();
    alb_single["multiValueHeaders"]["authorization"] = json!([bearer]);
    let repeated = kinds(function).into_iter().flat_map(|(kind, event)| {
        // In `multiValueHeaders` if the event has them, and in `headers` only.
        let mut lists = event.clone();
        let mut single = event;
        if lists["multiValueHeaders"].is_object() {
            lists["multiValueHeaders"]["AUTHORIZATION"] = json!([bearer]);
        } else {
            lists["headers"]["AUTHORIZATION"] = json!([bearer]);
        }
        single["multiValueHeaders"] = Value::Null;
        single["headers"]["AUTHORIZATION"] = json!(bearer);
        let again =
            format!("\"headers\":{{\"AUTHORIZATION\":{0},\"AUTHORIZATION\":{0},", json!(bearer));
        let mut twice = single.clone();
        twice["headers"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
        let twice = twice.to_string().replacen("\"headers\":{", &again, 1);
        [
            row(
                &format!("{kind}, a token in two lists whose names differ in case"),
                &lists,
                MISSING_TOKEN,
            ),
            row(
                &format!("{kind}, a token in two headers whose names differ in case"),
                &single,
                MISSING_TOKEN,
            ),
            (format!("{kind}, a token in a header that appears twice"), twice, MISSING_TOKEN),
        ]
    });
    let bare = kinds(function).into_iter().map(|(kind, event)| {
        let event: Value = serde_json::from_str(&event.to_string().replace("Bearer ", "")).unwrap();
        row(&format!("{kind}, a token without its scheme"), &event, CHANGED)
    });
    let escaped = kinds(function).into_iter().map(|(kind, event)| {
        let event = event.to_string().replace("Bearer ", r"Be\u0061rer\u0020");
        (format!("{kind}, a token in a value with escapes"), event, CHANGED)
    });
    let mut apart = kinds(function)[1].1.clone();
    apart["headers"]["Authorization"] = json!(other);
    let rows = vec![
        row("two tokens, as REST APIs send them", &rest, MISSING_TOKEN),
        row("two tokens in headers whose names differ in case", &cases, MISSING_TOKEN),
        row("a token in the list that differs from the single one", &apart, MISSING_TOKEN),
        header("authorization", json!("not-a-token"), MISSING_TOKEN),
        header("authorization", json!(format!("{0},{0}", function.token)), MISSING_TOKEN),
        header("authorization", json!(format!("Basic {}", function.token)), MISSING_TOKEN),
        header("authorization", json!(format!(" {} ", function.token)), CHANGED),
        row("two tokens, as load balancers send them", &alb, MISSING_TOKEN),
        row("one token in a list, as load balancers send it", &alb_single, CHANGED),
        // HTTP APIs join repeated headers with commas, which no token contains.
        header("authorization", json!(format!("{bearer},{other}")), INVALID_TOKEN),
        header("authorization", json!([bearer, other]), MISSING_TOKEN),
        header("authorization", json!([]), MISSING_TOKEN),
        header("authorization", json!(""), MISSING_TOKEN),
        header("authorization", json!("Bearer"), MISSING_TOKEN),
        header("authorization", json!("Basic ZGVtbzpkZW1v"), MISSING_TOKEN),
        header("authorization", json!(bearer.replace("Bearer", "bEARER")), CHANGED),
        header("authorization", json!(bearer.replace("Bearer", "Bearér")), MISSING_TOKEN),
        header("authorization", Value::Null, MISSING_TOKEN),
        header("authorization", json!(7), MISSING_TOKEN),
        header("content-type", json!(""), NOT_JSON),
        header("content-type", json!("é"), NOT_JSON),
        header("content-type", json!("application/json, text/plain"), NOT_JSON),
        header("content-type", json!("text/plain; application/json"), NOT_JSON),
        header("content-type", json!("application/json\u{a0}"), NOT_JSON),
        header("content-type", json!(" APPLICATION/JSON ;;; charset=\"utf-16"), CHANGED),
    ];
    repeated.chain(bare).chain(escaped).chain(rows).collect()
}

fn paths(function: &Function) -> Vec<Row> {
    let paths = [
        ("", NOT_FOUND),
        ("/", NOT_FOUND),
        ("//", NOT_FOUND),
        ("change-password", NOT_FOUND),
        ("//change-password", NOT_FOUND),
        ("/change-password//", NOT_FOUND),
        ("/../change-password", NOT_FOUND),
        ("/a/../change-password", NOT_FOUND),
        ("/./change-password", NOT_FOUND),
        ("/.well-known/change-password", NOT_FOUND),
        ("/a//change-password", NOT_FOUND),
        ("/a%2Fchange-password", NOT_FOUND),
        ("/a%2fb/change-password", NOT_FOUND),
        ("/accounts/prod/change-password", CHANGED),
        ("/v1/my_accounts/prod-2/change-password/", CHANGED),
        ("/CHANGE-PASSWORD", NOT_FOUND),
        ("/change-password;x=1", NOT_FOUND),
        ("/change%2Dpassword", NOT_FOUND),
        ("/%63hange-password", NOT_FOUND),
        ("/%2Fchange-password", NOT_FOUND),
        ("/change-password%00", NOT_FOUND),
        ("/change-password%", NOT_FOUND),
        ("/change-password%zz", NOT_FOUND),
        ("/change-password ", NOT_FOUND),
        ("/change-password\0", NOT_FOUND),
        ("/change-password\r\nX: y", NOT_FOUND),
        ("/change\\password", NOT_FOUND),
        ("/change-pässword/🔑", NOT_FOUND),
        ("@[", NOT_FOUND),
        (":99999/change-password", NOT_FOUND),
        ("https://elsewhere/change-password", NOT_FOUND),
    ];
    let long = format!("/{}", "x".repeat(70_000));
    let prefixed = format!("{long}/change-password");
    let named = paths.into_iter().chain([(long.as_str(), NOT_FOUND), (&prefixed, CHANGED)]);
    let mut rows: Vec<_> = named
        .map(|(path, expected)| {
            let event = edited(function, |event| event["rawPath"] = path.into());
            row(&format!("path {path:.40?}"), &event, expected)
        })
        .collect();
    for (query, expected) in
        [("a=%zz&&&==", POLICY), ("a=b c", POLICY), ("\0", POLICY), ("<\">", POLICY)]
    {
        let mut event = sample("password-policy");
        event["rawQueryString"] = query.into();
        rows.push(row(&format!("query {query:?}"), &event, expected));
    }
    for (method, expected) in [
        ("post", METHOD),
        ("GET", METHOD),
        ("BREW", METHOD),
        ("CONNECT", METHOD),
        ("*", METHOD),
        ("", MALFORMED),
        ("PO ST", MALFORMED),
        ("POST\r\n", MALFORMED),
        ("PÖST", MALFORMED),
    ] {
        let event =
            edited(function, |event| event["requestContext"]["http"]["method"] = method.into());
        rows.push(row(&format!("method {method:?}"), &event, expected));
    }
    rows
}

fn events(function: &Function) -> Vec<Row> {
    let text = |name: &str, text: &str, expected| (name.into(), text.into(), expected);
    let mut rows = vec![
        text("null", "null", MALFORMED),
        text("a number", "1e999", MALFORMED),
        text("an empty object", "{}", MALFORMED),
        text("an empty list", "[]", MALFORMED),
        text("a lone surrogate", r#""\ud800""#, MALFORMED),
        text("another kind of event", r#"{"Records":[{"eventSource":"aws:s3"}]}"#, MALFORMED),
        text("100,000 levels", &("[".repeat(100_000) + &"]".repeat(100_000)), MALFORMED),
    ];
    for (kind, event) in kinds(function) {
        rows.push(row(&format!("{kind}, valid"), &event, CHANGED));
        let edits: [(&str, &str, Value); 7] = [
            ("no context", "requestContext", Value::Null),
            ("a list as the context", "requestContext", json!([])),
            ("an empty context", "requestContext", json!({})),
            ("a number as the body", "body", json!(7)),
            ("an object as the body", "body", change()),
            ("text as a flag", "isBase64Encoded", json!("false")),
            ("a list as the headers", "headers", json!([["host", "x"]])),
        ];
        for (name, field, value) in edits {
            let mut event = event.clone();
            event[field] = value;
            rows.push(row(&format!("{kind}, {name}"), &event, MALFORMED));
        }
        let mut unused = event.clone();
        unused["extra"] = json!([[[[{}]]]]);
        rows.push(row(&format!("{kind}, an additional field"), &unused, CHANGED));
        let again = event.to_string().replacen('{', r#"{"body":"{}","#, 1);
        rows.push((format!("{kind}, a repeated field"), again, MALFORMED));
    }
    rows
}

#[tokio::test]
async fn every_hostile_request_gets_its_expected_response() {
    let mut wrong = Vec::new();
    for rows in [bodies, tokens, headers, unread_headers, paths, events] {
        let mut function = Function::start().await;
        let (mut left, mut done) = (rows(&function).into_iter(), 0);
        while let Some((name, event, expected)) = left.next() {
            let reply = function.invoke_text(event).await;
            let code = reply.code();
            let calls = function.cognito.calls(Operation::ChangePassword);
            let found = (reply.status, code.as_deref(), calls);
            if found != expected {
                wrong.push(format!("{name}: {found:?}, not {expected:?}"));
            }
            done += 1;
            if calls > 0 {
                function = Function::start().await;
                left = rows(&function).into_iter();
                left.nth(done - 1);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_malformed_event_gets_a_400_in_the_shape_of_its_source() {
    let function = Function::start().await;
    for (kind, mut event) in kinds(&function) {
        event["isBase64Encoded"] = "false".into();
        let reply = function.invoke(&event).await;
        reply.assert_problem(400, "malformed_request");
        let has = |field: &str| reply.raw[field].as_object().is_some_and(|map| !map.is_empty());
        let shape =
            (has("headers"), has("multiValueHeaders"), reply.raw["statusDescription"].is_string());
        let expected = match kind {
            "HTTP API" => (true, false, false),
            "REST API" => (false, true, false),
            _ => (true, true, true),
        };
        assert_eq!(shape, expected, "{kind}");
    }
}

#[derive(Debug)]
struct PanicsOnce {
    panicked: AtomicBool,
    connector: SharedHttpConnector,
}

impl HttpConnector for PanicsOnce {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_call = request.method() == "POST";
        let panics = is_call && !self.panicked.swap(true, Ordering::Relaxed);
        assert!(!panics, "Sentinel of a panic: {OLD}");
        self.connector.call(request)
    }
}

#[tokio::test]
async fn a_panic_returns_500_without_its_message_and_the_next_request_succeeds() {
    let function = Function::start_by_way_of(|way| {
        let panicking = PanicsOnce { panicked: false.into(), connector: way.connector };
        Way { connector: SharedHttpConnector::new(panicking), ..way }
    })
    .await;
    let mut event = post(&function.token, &change());
    event["headers"]["user-agent"] = "Panic/1".into();
    function.invoke(&event).await.assert_problem(500, "internal_error");
    assert_eq!(function.change().await.status, 204);
    let log = log();
    let line =
        log.lines().find(|line| line.contains("Panic/1")).expect("a panic has an audit event");
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["code"], "internal_error");
    assert_eq!(line["operation"], "changePassword");
    assert_eq!(line["source_ip"], sample("http-api")["requestContext"]["http"]["sourceIp"]);
    assert!(line["sub"].is_string() && line["client_id"].is_string());
    assert!(log.lines().any(|line| line.contains("hostile.rs") && line.contains("panic")), "{log}");
    assert_no_secret(&log, "the log");
}

#[tokio::test]
async fn an_event_with_25000_headers_gets_a_response() {
    // `http::HeaderMap` panics above 24,576 entries.
    let headers: serde_json::Map<_, _> =
        (0..25_000).map(|number| (format!("x-{number}"), json!(["1"]))).collect();
    let function = Function::start().await;
    for (kind, event) in kinds(&function) {
        for place in ["headers", "multiValueHeaders"] {
            let mut event = event.clone();
            event["body"] = "{}".into();
            let mut all = event[place].as_object().cloned().unwrap_or_default();
            all.extend(headers.clone());
            event[place] = Value::Object(all);
            let reply = function.invoke(&event).await;
            reply.assert_problem(400, "malformed_request");
            assert!(reply.body.contains("`proposedPassword` is missing"), "{kind}, {place}");
        }
    }
}

/// One function for all cases of a property, since starting one takes longer than a case.
fn with_function(property: impl FnOnce(&dyn Fn(&Value) -> Reply, &Function)) {
    let runtime = Runtime::new().unwrap();
    let function = runtime.block_on(Function::start());
    property(&|event| runtime.block_on(function.invoke(event)), &function);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any_text(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        vec(any::<char>(), 0..40).prop_map(String::from_iter),
        "[ -~]{0,40}",
        "(/|\\.|:|@|\\[|%|#|\\?|password|x){0,12}",
    ]
}

/// The name and the value of a header that the function reads, or of any other.
fn any_header() -> impl Strategy<Value = (String, Value)> {
    let known = ["authorization", "content-type", "host", "x-forwarded-proto", "if-none-match"];
    let name = prop_oneof![4 => select(known.to_vec()).prop_map(str::to_owned), 1 => any_text()];
    let value = prop_oneof![
        any_text().prop_map(Value::from),
        any_text().prop_map(|text| format!("Bearer {text}").into()),
        vec(any_text(), 0..3).prop_map(Value::from),
        any_json(),
    ];
    (name, value)
}

/// The JSON pointers of all nodes in a value, except itself.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<_> = match value {
        Value::Object(fields) => fields.iter().map(|(name, child)| (name.clone(), child)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect()
        }
        _ => return,
    };
    for (name, child) in children {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        pointers(child, &at, found);
        found.push(at);
    }
}

/// Replaces a node, or removes it.
fn mutate(event: &mut Value, at: Index, replacement: Option<Value>) {
    let mut all = Vec::new();
    pointers(event, "", &mut all);
    let Some(pointer) = all.get(at.index(all.len().max(1))) else { return };
    match (replacement, pointer.rsplit_once('/').unwrap()) {
        (Some(value), _) => *event.pointer_mut(pointer).unwrap() = value,
        (None, (parent, name)) => match event.pointer_mut(parent).unwrap() {
            Value::Object(fields) => drop(fields.remove(name)),
            Value::Array(items) => drop(items.remove(name.parse().unwrap())),
            _ => unreachable!("{parent} has children"),
        },
    }
}

/// Asserts that a response is a success or a 4xx, in a form that a gateway passes on.
fn assert_well_formed(reply: &Reply) -> Result<(), TestCaseError> {
    prop_assert!([200, 204, 304].contains(&reply.status) || (400..500).contains(&reply.status));
    for headers in ["headers", "multiValueHeaders"] {
        for (name, value) in reply.raw[headers].as_object().into_iter().flatten() {
            prop_assert!(name.parse::<HeaderName>().is_ok(), "{}", name);
            let mut values =
                value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter();
            prop_assert!(
                values.all(|value| value.as_str().unwrap().parse::<HeaderValue>().is_ok())
            );
        }
    }
    prop_assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    if reply.header("x-amzn-requestid").is_some() {
        // In Cognito's wire format.
        let is_exception = reply.status >= 400;
        prop_assert_eq!(is_exception, reply.json()["__type"].is_string());
        prop_assert_eq!(is_exception, reply.header("x-amzn-errortype").is_some());
        prop_assert_eq!(reply.header("content-type"), Some("application/x-amz-json-1.1"));
    } else if reply.status >= 400 {
        let problem = reply.json();
        prop_assert_eq!(&problem["status"], reply.status);
        prop_assert_eq!(&problem["requestId"], REQUEST_ID);
        for field in ["type", "title", "detail", "code"] {
            prop_assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()));
        }
        prop_assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    }
    Ok(())
}

#[test]
fn any_body_gets_a_well_formed_response() {
    with_function(|invoke, function| {
        let text = prop_oneof![any_text(), any_json().prop_map(|json| json.to_string())];
        let encoded = vec(any::<u8>(), 0..200).prop_map(|bytes| STANDARD.encode(bytes));
        let body = prop_oneof![text.clone().prop_map(|text| STANDARD.encode(text)), encoded, text];
        proptest!(|(kind in 0..3_usize, body in body, base64: bool)| {
            let mut event = kinds(function)[kind].1.clone();
            event["body"] = body.into();
            event["isBase64Encoded"] = base64.into();
            assert_well_formed(&invoke(&event))?;
        });
    });
}

#[test]
fn any_headers_get_a_well_formed_response() {
    with_function(|invoke, function| {
        let headers = vec((any_header(), any::<bool>()), 1..4);
        proptest!(|(kind in 0..3_usize, headers in headers)| {
            let mut event = kinds(function)[kind].1.clone();
            for ((name, value), multiple) in headers {
                let place = if multiple { "multiValueHeaders" } else { "headers" };
                event[place][name] = value;
            }
            assert_well_formed(&invoke(&event))?;
        });
    });
}

#[test]
fn any_shape_of_event_gets_a_well_formed_response() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/events")).unwrap();
    let samples: Vec<Value> = files
        .map(|file| sample(file.unwrap().path().file_stem().unwrap().to_str().unwrap()))
        .collect();
    with_function(|invoke, _| {
        let edits = vec((any::<Index>(), proptest::option::of(any_json())), 1..6);
        proptest!(|(event in select(samples), edits in edits)| {
            let mut event = event;
            for (at, replacement) in edits {
                mutate(&mut event, at, replacement);
            }
            assert_well_formed(&invoke(&event))?;
        });
        proptest!(|(event in any_json())| assert_well_formed(&invoke(&event))?);
    });
}
