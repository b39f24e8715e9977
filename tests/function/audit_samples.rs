//! The sample lines of `docs/audit-event.md`, which the function writes for one story.
//!
//! Values that differ between runs (times, ids, addresses) are replaced by the story's. `UPDATE=1`
//! writes the lines into the page.

use std::fs;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use fake_cognito::{Fault, Operation};
use serde_json::{Value, json};

use crate::harness::{Function, LONG, NEW, OLD, REQUEST_ID, log, post, sample};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit-event.md");

/// A user in the story.
struct Person {
    sub: &'static str,
    source_ip: &'static str,
    user_agent: &'static str,
}

const FIRST: Person = Person {
    sub: "11111111-2222-4333-8444-555555555555",
    source_ip: "198.51.100.7",
    user_agent: "ExampleApp/4.2 (iPhone; iOS 27.1)",
};
const ATTACKED: Person = Person {
    sub: "22222222-3333-4444-8555-666666666666",
    source_ip: "203.0.113.99",
    user_agent: "curl/8.11",
};
const UNLUCKY: Person = Person {
    sub: "33333333-4444-4555-8666-777777777777",
    source_ip: "192.0.2.44",
    user_agent: "ExampleApp/4.2 (iPhone; iOS 27.1)",
};
const SETTLED: Person = Person {
    sub: "44444444-5555-4666-8777-888888888888",
    source_ip: "198.51.100.20",
    user_agent: "ExampleApp/4.2 (Android 17)",
};

/// One request of the story.
struct Scene {
    /// On 24 November 2026.
    time: &'static str,
    person: &'static Person,
    request: Request,
    /// In milliseconds.
    cognito_latency: u32,
}

enum Request {
    Policy,
    /// To this new password, with the correct previous one.
    Change(&'static str),
    WrongPrevious,
    /// With these faults of the requests to Cognito.
    Faulty(Vec<Fault>),
    SignOutEverywhere,
}

fn story() -> Vec<Scene> {
    let scene =
        |time, person, cognito_latency, request| Scene { time, person, request, cognito_latency };
    let refusal = |message| Fault::error("NotAuthorizedException", message);
    let stalled = || Fault::StallBefore(LONG);
    let internal = || Fault::error("InternalErrorException", "");
    let limit = || Fault::exception("LimitExceededException");
    vec![
        scene("12:00:00.123", &FIRST, 0, Request::Policy),
        scene("12:00:31.870", &FIRST, 0, Request::Change("Password-1")),
        scene("12:00:55.014", &FIRST, 0, Request::Change("Password-2026")),
        scene("12:01:20.502", &FIRST, 92, Request::Change(NEW)),
        scene("12:10:04.310", &ATTACKED, 98, Request::WrongPrevious),
        scene("12:10:19.002", &ATTACKED, 99, Request::WrongPrevious),
        scene("12:10:40.777", &ATTACKED, 100, Request::WrongPrevious),
        scene("12:11:02.450", &ATTACKED, 101, Request::WrongPrevious),
        scene("12:11:30.091", &ATTACKED, 102, Request::WrongPrevious),
        scene("12:11:58.600", &ATTACKED, 62, Request::Faulty(vec![limit()])),
        scene(
            "12:20:00.000",
            &UNLUCKY,
            61,
            Request::Faulty(vec![refusal("Access Token has been revoked")]),
        ),
        scene("12:31:07.250", &UNLUCKY, 10_011, Request::Faulty(vec![stalled(), stalled()])),
        scene(
            "12:33:15.900",
            &UNLUCKY,
            88,
            Request::Faulty(vec![refusal("The moon is in the wrong phase")]),
        ),
        scene("12:40:12.345", &UNLUCKY, 205, Request::SignOutEverywhere),
        scene("12:45:33.210", &SETTLED, 1_388, Request::Faulty(vec![internal()])),
        scene("12:52:47.905", &SETTLED, 5_203, Request::Faulty(vec![Fault::StallAfter(LONG)])),
    ]
}

/// The line that the function writes for a scene, unchanged.
async fn line_of(scene: Scene, user_agent: &str) -> String {
    let function = Function::start().await;
    let change = |proposed| json!({ "previousPassword": OLD, "proposedPassword": proposed });
    let body = match scene.request {
        Request::Policy => Value::Null,
        Request::Change(proposed) => change(proposed),
        Request::WrongPrevious => {
            json!({ "previousPassword": "Sentinel-Wrong-9-Horse", "proposedPassword": NEW })
        }
        Request::Faulty(faults) => {
            for fault in faults {
                function.cognito.fail_next(Operation::ChangePassword, fault);
            }
            change(NEW)
        }
        Request::SignOutEverywhere => json!({
            "previousPassword": OLD,
            "proposedPassword": NEW,
            "signOutEverywhere": true,
        }),
    };
    let mut event =
        if body.is_null() { sample("password-policy") } else { post(&function.token, &body) };
    event["headers"]["user-agent"] = user_agent.into();
    event["requestContext"]["http"]["sourceIp"] = scene.person.source_ip.into();
    function.invoke(&event).await;
    let mark = format!(r#""user_agent":"{user_agent}""#);
    let log = log();
    let line = log.lines().find(|line| line.contains(&mark) && line.contains("\"_aws\""));
    line.expect("each request leaves a line").to_owned()
}

/// Replaces the value of a member if the line has it.
fn tell(line: &mut String, name: &str, told: &Value) {
    let real: Value = serde_json::from_str(line).unwrap();
    if let Some(real) = real.get(name) {
        *line = line.replacen(&format!("\"{name}\":{real}"), &format!("\"{name}\":{told}"), 1);
    }
}

#[tokio::test]
async fn the_sample_lines_match_those_that_the_function_writes() {
    let mut lines = Vec::new();
    let mut ids = (1..).map(|number| format!("c0ffee00-0000-4000-8000-{number:012x}"));
    for (number, scene) in story().into_iter().enumerate() {
        let Scene { time, person, cognito_latency, .. } = scene;
        let user_agent = format!("Sample/{number:02}");
        let mut line = line_of(scene, &user_agent).await;
        let timestamp = format!("2026-11-24T{time}Z");
        let milliseconds = DateTime::from_str(&timestamp, Format::DateTime).unwrap().to_millis();
        let real: Value = serde_json::from_str(&line).unwrap();
        let real_ids = real["cognito_request_ids"].as_array().cloned();
        let real_ids = real_ids.unwrap_or_else(|| vec![real["cognito_request_id"].clone()]);
        for id in real_ids.iter().filter_map(Value::as_str) {
            line = line.replace(id, &ids.next().unwrap());
        }
        line = line.replace(REQUEST_ID, &format!("8476a536-e9f4-11e8-9739-{:012x}", number + 1));
        line = line.replace(&user_agent, person.user_agent);
        for (name, told) in [
            ("timestamp", json!(timestamp)),
            ("sub", json!(person.sub)),
            ("function", json!("change-password-prod")),
            // Each scene starts its own function, but the story has only one.
            ("cold_start", json!(u8::from(number == 0))),
            ("policy_time", json!(85)),
            ("cognito_latency", json!(cognito_latency)),
        ] {
            tell(&mut line, name, &told);
        }
        let stamp = real["_aws"]["Timestamp"].to_string();
        line = line.replace(&stamp, &milliseconds.unwrap().to_string());
        lines.push(line + "\n");
    }
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, block) = page.split_once("```jsonl\n").unwrap();
    let (found, after) = block.split_once("```").unwrap();
    let written = lines.concat();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PAGE, format!("{before}```jsonl\n{written}```{after}")).unwrap();
    } else {
        for (found, written) in found.lines().zip(written.lines()) {
            assert_eq!(found, written, "run this test with UPDATE=1");
        }
        assert_eq!(found.len(), written.len(), "run this test with UPDATE=1");
    }
}
