//! Each request writes one line, which is its audit event and carries its metrics.

use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use fake_cognito::{Fault, Operation};
use serde_json::{Value, json};

use crate::harness::{Function, OLD, change, log, post, sample};

/// The audit events of one client, which its user agent identifies.
struct Trail {
    function: Function,
    user_agent: &'static str,
}

impl Trail {
    async fn start(user_agent: &'static str) -> Self {
        Self { function: Function::start().await, user_agent }
    }

    async fn post(&self, body: &Value) {
        let mut event = post(&self.function.token, body);
        event["headers"]["user-agent"] = self.user_agent.into();
        self.function.invoke(&event).await;
    }

    fn lines(&self) -> Vec<Value> {
        outcomes().filter(|line| line["user_agent"] == self.user_agent).collect()
    }
}

pub(crate) fn outcomes() -> impl Iterator<Item = Value> {
    let lines: Vec<Value> = log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.into_iter().filter(|line| line["message"] == "outcome")
}

fn weak() -> Value {
    json!({ "previousPassword": OLD, "proposedPassword": "sentinel" })
}

#[tokio::test]
async fn each_request_writes_one_line_with_its_user_address_and_outcome() {
    let trail = Trail::start("Who-and-what/1").await;
    trail.post(&weak()).await;
    let unknown = Fault::error("NotAuthorizedException", "The moon is in the wrong phase");
    trail.function.cognito.fail_next(Operation::ChangePassword, unknown);
    trail.post(&change()).await;
    trail.post(&change()).await;

    let lines = trail.lines();
    let [refused, unknown, changed] = lines.as_slice() else { panic!("{lines:?}") };
    for line in &lines {
        assert_eq!(line["operation"], "changePassword");
        assert_eq!(line["client_id"], trail.function.cognito.client_id());
        assert_eq!(line["source_ip"], sample("http-api")["requestContext"]["http"]["sourceIp"]);
        assert!(line["sub"].as_str().is_some_and(|sub| !sub.is_empty()));
        assert!(line["timestamp"].is_string() && line["request_id"].is_string());
    }

    assert_eq!((&refused["level"], &refused["status"]), (&json!("INFO"), &json!(422)));
    assert_eq!(refused["code"], "password_policy_violation");
    let broken = [
        "too_short",
        "missing_uppercase",
        "missing_digit",
        "missing_symbol",
        "common_password",
        "too_easy_to_guess",
    ];
    assert_eq!(refused["violations"], json!(broken));
    assert!(refused.get("cognito_request_id").is_none());

    assert_eq!((&unknown["level"], &unknown["code"]), (&json!("WARN"), &json!("not_authorized")));
    let cause = "NotAuthorizedException (HTTP 400): an unknown message of 30 characters";
    assert_eq!(unknown["cause"], cause);
    assert!(unknown["cognito_request_id"].as_str().is_some_and(|id| !id.is_empty()));

    assert_eq!((&changed["level"], &changed["code"]), (&json!("INFO"), &json!("ok")));
    assert!(changed.get("cause").is_none());
}

#[tokio::test]
async fn a_doubt_is_recorded_with_its_cause_its_settlement_and_all_of_cognitos_request_ids() {
    let internal = || Fault::exception("InternalErrorException");
    let rows = [
        (vec![internal()], "ok", Some("second_change"), 2),
        (vec![Fault::DropAfter], "ok", Some("probe"), 2),
        (vec![internal(), internal()], "outcome_unknown", None, 2),
    ];
    for (row, (faults, code, settled_by, ids)) in rows.into_iter().enumerate() {
        let trail = Trail::start(["Doubt/0", "Doubt/1", "Doubt/2"][row]).await;
        for fault in faults {
            trail.function.cognito.fail_next(Operation::ChangePassword, fault);
        }
        trail.post(&change()).await;
        let [line] = &trail.lines()[..] else { panic!("one line") };
        assert_eq!(line["code"], code);
        assert!(line["doubt"].as_str().is_some_and(|doubt| !doubt.is_empty()), "{line}");
        assert_eq!(line["settled_by"].as_str(), settled_by, "{line}");
        let found = line["cognito_request_ids"].as_array().unwrap();
        assert_eq!(found.len(), ids, "{line}");
        assert_eq!(found.last(), Some(&line["cognito_request_id"]), "{line}");
    }
}

#[tokio::test]
async fn the_recorded_address_is_the_one_that_the_gateway_saw() {
    let function = Function::start().await;
    for (event, address) in [
        ("http-api", "/requestContext/http/sourceIp"),
        ("rest-api", "/requestContext/identity/sourceIp"),
        ("function-url", "/requestContext/http/sourceIp"),
        ("alb", "/headers/x-forwarded-for"),
    ] {
        let mut event = sample(event);
        let seen = "203.0.113.77";
        // The client wrote everything before the last address.
        let sent = if address.ends_with("for") { format!("10.0.0.1, {seen}") } else { seen.into() };
        *event.pointer_mut(address).unwrap() = sent.into();
        let before = outcomes().filter(|line| line["source_ip"] == seen).count();
        function.invoke(&event).await;
        let after = outcomes().filter(|line| line["source_ip"] == seen).count();
        assert_eq!(after, before + 1, "{event}");
    }
}

/// A valid event of each source, also with the headers in lists if the source supports lists.
fn sources(user_agent: &str, address: &str) -> [(&'static str, Value); 4] {
    let forwarded = format!("192.0.2.1, {address}");
    let mut http = sample("http-api");
    http["requestContext"]["http"]["sourceIp"] = address.into();
    http["headers"]["user-agent"] = user_agent.into();
    let mut rest = sample("rest-api");
    rest["requestContext"]["identity"]["sourceIp"] = address.into();
    rest["headers"]["User-Agent"] = user_agent.into();
    rest["multiValueHeaders"]["User-Agent"] = json!([user_agent]);
    let mut alb = sample("alb");
    alb["headers"]["user-agent"] = user_agent.into();
    alb["headers"]["x-forwarded-for"] = forwarded.clone().into();
    let mut lists = sample("alb");
    let headers = lists["headers"].as_object().unwrap();
    let headers: serde_json::Map<_, _> =
        headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    lists["headers"] = Value::Null;
    lists["multiValueHeaders"] = headers.into();
    lists["multiValueHeaders"]["user-agent"] = json!([user_agent]);
    lists["multiValueHeaders"]["x-forwarded-for"] = json!(["192.0.2.2", forwarded]);
    [("HTTP API", http), ("REST API", rest), ("load balancer", alb), ("lists", lists)]
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_recorded_with_its_operation_address_and_agent() {
    let function = Function::start().await;
    let faults = ["flag", "body", "base64", "headers", "repeated member"];
    for (number, fault) in faults.into_iter().enumerate() {
        let user_agent = format!("Unreadable/{number}");
        for (source, mut event) in sources(&user_agent, "203.0.113.90") {
            let in_lists = event["headers"].is_null();
            match fault {
                "flag" => event["isBase64Encoded"] = json!("false"),
                "body" => event["body"] = json!({ "a": 7 }),
                "base64" => event["isBase64Encoded"] = json!(true),
                "headers" if in_lists => event["headers"] = json!([]),
                "headers" => event["multiValueHeaders"] = json!("none"),
                _ => {}
            }
            let mut event = event.to_string();
            if fault == "repeated member" {
                event = event.replacen('{', r#"{"body":"{}","#, 1);
            }
            let before = outcomes().filter(|line| line["user_agent"] == user_agent).count();
            function.invoke_text(event).await.assert_problem(400, "malformed_request");
            let lines: Vec<_> =
                outcomes().filter(|line| line["user_agent"] == user_agent).collect();
            assert_eq!(lines.len(), before + 1, "{source}, {fault}");
            let line = lines.last().unwrap();
            assert_eq!(line["operation"], "changePassword", "{source}, {fault}");
            assert_eq!(line["source_ip"], "203.0.113.90", "{source}, {fault}");
            assert_eq!(line["code"], "malformed_request", "{source}, {fault}");
        }
    }
}

#[tokio::test]
async fn recorded_texts_are_cut_and_lose_their_invisible_characters() {
    let function = Function::start().await;
    let odd = "\u{0}\n\u{1b}[2J\u{7f}\u{85}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\
        \u{202e}\u{2066}\u{2069}";
    let long = format!("{odd}{}", "é".repeat(300));
    let clean = |prefix: &str| format!("{prefix}[2J{}", "é".repeat(256 - prefix.len() - 3));
    // Header values of a request have no line breaks, but an event may contain any text.
    let mut event = sample("http-api");
    event["headers"]["user-agent"] = format!("Deceive/1{long}").into();
    event["requestContext"]["http"]["sourceIp"] = "203.0.113.92".into();
    function.invoke(&event).await;
    let agent = clean("Deceive/1");
    let line = outcomes().find(|line| line["user_agent"] == agent.as_str());
    assert!(line.is_some_and(|line| line["source_ip"] == "203.0.113.92"));

    let open = Function::start_for_any_client().await;
    let token = open.cognito.mint("demo", |jwt| {
        jwt.claims.insert("sub".into(), format!("sub-of-deceiver{long}").into());
        jwt.claims.insert("client_id".into(), format!("client-of-deceiver{long}").into());
    });
    open.invoke(&post(&token, &change())).await;
    let sub = clean("sub-of-deceiver");
    let line = outcomes().find(|line| line["sub"] == sub.as_str()).expect("the sub is cleaned");
    assert_eq!(line["client_id"], clean("client-of-deceiver"));
}

#[tokio::test]
async fn an_address_that_is_not_an_ip_address_is_left_out() {
    let function = Function::start().await;
    let rows = [
        ("198.51.100.7", Some("198.51.100.7")),
        ("2001:db8::7", Some("2001:db8::7")),
        ("198.51.100.7:41234", Some("198.51.100.7")),
        ("[2001:db8::7]:41234", Some("2001:db8::7")),
        ("198.51.100", None),
        ("unknown", None),
        ("", None),
        ("<script>", None),
    ];
    for (number, (address, expected)) in rows.into_iter().enumerate() {
        let user_agent = format!("Address/{number}");
        for (source, event) in sources(&user_agent, address) {
            let before = outcomes().filter(|line| line["user_agent"] == user_agent).count();
            function.invoke(&event).await;
            let lines: Vec<_> =
                outcomes().filter(|line| line["user_agent"] == user_agent).collect();
            let found = lines[before].get("source_ip").and_then(Value::as_str);
            assert_eq!(found, expected, "{source}, {address:?}");
        }
    }
}

#[tokio::test]
async fn the_claims_of_a_rejected_token_are_not_recorded() {
    let trail = Trail::start("Unproven/1").await;
    for (claim, value) in [("exp", json!(1)), ("iss", json!("https://elsewhere"))] {
        let cognito = &trail.function.cognito;
        let token = cognito.mint("demo", |jwt| drop(jwt.claims.insert(claim.into(), value)));
        let mut event = post(&token, &change());
        event["headers"]["user-agent"] = trail.user_agent.into();
        trail.function.invoke(&event).await.assert_problem(401, "invalid_token");
    }
    let lines = trail.lines();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert!(line.get("sub").is_none() && line.get("client_id").is_none(), "{line}");
    }
}

#[tokio::test]
async fn a_line_defines_exactly_the_metrics_that_it_has_values_for() {
    let trail = Trail::start("Metrics/1").await;
    trail.post(&weak()).await;
    trail.post(&change()).await;

    let lines = trail.lines();
    let metrics: Vec<_> = lines.iter().map(described).collect();
    let of_all = ["outcomes", "cold_start", "policy_time"];
    let violations = lines[0]["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| format!("violation_{}", code.as_str().unwrap()));
    let of_all = || of_all.iter().map(ToString::to_string);
    assert_eq!(metrics[0], of_all().chain(violations).collect());
    assert_eq!(metrics[1], of_all().chain(["cognito_latency".to_owned()]).collect());
    let cold: Vec<_> = lines.iter().map(|line| &line["cold_start"]).collect();
    assert_eq!(cold, [1, 0]);
}

/// The names of a line's metrics. Asserts that each metric has a number and each dimension a text.
fn described(line: &Value) -> BTreeSet<String> {
    let embedded = &line["_aws"];
    assert!(embedded["Timestamp"].as_u64().is_some_and(|time| time > 1_700_000_000_000));
    let mut names = BTreeSet::new();
    for directive in embedded["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "ChangePassword");
        for dimension in directive["Dimensions"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|set| set.as_array().unwrap())
        {
            assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension}");
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_u64(), "{name}");
            assert!(names.insert(name.to_owned()), "{name} is described twice");
        }
    }
    names
}

/// The table of `docs/audit-event.md`: when each member is present, and its type.
fn table() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let page = include_str!("../../docs/audit-event.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        (cells[0].trim_end_matches('`'), (cells[2], cells[1]))
    })
    .collect()
}

#[track_caller]
fn assert_documented(line: &Value) {
    let table = table();
    for (name, value) in line.as_object().unwrap() {
        let row = if name.starts_with("violation_") { "violation_<code>" } else { name };
        let (_, r#type) = table.get(row).unwrap_or_else(|| panic!("{name} is not described"));
        let found = match value {
            Value::String(_) => "string",
            Value::Number(number) if number.is_u64() => "integer",
            Value::Array(_) => "array",
            Value::Bool(_) => "boolean",
            Value::Object(_) => "object",
            _ => "something else",
        };
        assert_eq!(found, *r#type, "{name}");
    }
    for (name, (presence, _)) in table {
        assert!(presence != "always" || !line[name].is_null(), "{name} is missing in {line}");
    }
    described(line);
}

/// The sample lines of `docs/audit-event.md`.
fn sample_lines() -> Vec<Value> {
    let page = include_str!("../../docs/audit-event.md");
    let (_, block) = page.split_once("```jsonl\n").unwrap();
    let (lines, _) = block.split_once("```").unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_sample_line_matches_the_table_and_is_consistent() {
    let lines = sample_lines();
    assert!(lines.len() > 10);
    for line in &lines {
        assert_documented(line);
        let time =
            DateTime::from_str(line["timestamp"].as_str().unwrap(), Format::DateTime).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], time.to_millis().unwrap(), "{line}");
        let level = match (&line["status"], &line["code"]) {
            (status, _) if status.as_u64() >= Some(500) => "ERROR",
            (_, code) if code == "not_authorized" => "WARN",
            _ => "INFO",
        };
        assert_eq!(line["level"], level, "{line}");
        assert_eq!(line["status"].as_u64() < Some(400), line["code"] == "ok", "{line}");
        let violations = line["violations"].as_array().into_iter().flatten();
        let expected: BTreeSet<_> =
            violations.map(|code| format!("violation_{}", code.as_str().unwrap())).collect();
        let keys = line.as_object().unwrap().keys();
        let found = keys.filter(|key| key.starts_with("violation_")).cloned().collect();
        assert_eq!(expected, found, "{line}");
    }
}

#[tokio::test]
async fn the_page_describes_every_member_and_no_other() {
    let trail = Trail::start("Page/1").await;
    trail.post(&weak()).await;
    let replica = Fault::exception("OperationNotEnabledException");
    trail.function.cognito.fail_next(Operation::ChangePassword, replica);
    trail.post(&change()).await;
    trail.function.cognito.fail_next(Operation::ChangePassword, Fault::DropBefore);
    let mut everywhere = change();
    everywhere["signOutEverywhere"] = true.into();
    trail.post(&everywhere).await;

    let lines = trail.lines();
    lines.iter().for_each(assert_documented);
    let written: BTreeSet<_> = lines
        .iter()
        .flat_map(|line| line.as_object().unwrap().keys().map(String::as_str))
        .collect();
    assert!(written.contains("violation_too_short"));
    let described: BTreeSet<_> = table().into_keys().collect();
    let unwritten: Vec<_> = described.difference(&written).copied().collect();
    assert_eq!(unwritten, ["violation_<code>"]);
}
