//! `openapi.yaml` describes what the code does: each code, status and member, and no other.

use std::collections::{BTreeMap, BTreeSet};

use change_password::language::Language;
use change_password::policy::Rule;
use change_password::problem::ProblemCode;
use fake_cognito::{Fault, Operation};
use serde_json::{Value, json};

use crate::harness::{Function, OLD, post, sample};
use crate::problems::{provoke, table};

fn openapi() -> Value {
    serde_saphyr::from_str(include_str!("../../openapi.yaml")).unwrap()
}

/// Resolves a `$ref`, and returns anything else unchanged.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    &document["components"]["schemas"][name]
}

/// The members of an object, or the strings of a list.
fn names(value: &Value) -> BTreeSet<&str> {
    let members =
        value.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str));
    members.chain(value.as_array().into_iter().flatten().filter_map(Value::as_str)).collect()
}

/// Each example of a problem, with its status, its name and its text.
fn examples(document: &Value) -> BTreeSet<(u64, String, String)> {
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let responses = operations.flat_map(|operation| operation["responses"].as_object().unwrap());
    responses
        .flat_map(|(status, response)| {
            let content = &resolve(document, response)["content"]["application/problem+json"];
            let examples = content["examples"].as_object().into_iter().flatten();
            examples.map(|(code, example)| {
                (status.parse().unwrap(), code.clone(), example["value"].to_string())
            })
        })
        .collect()
}

#[track_caller]
fn assert_conforms(value: &Value, schema: &Value) {
    let (found, known) = (names(value), names(&schema["properties"]));
    assert!(found.is_subset(&known), "{value} has more than {known:?}");
    assert!(found.is_superset(&names(&schema["required"])), "{value} has too little");
}

#[tokio::test]
async fn each_problem_is_described_and_each_example_is_a_real_response() {
    let document = openapi();
    let (problem, violation) = (schema(&document, "Problem"), schema(&document, "Violation"));
    let mut answers = BTreeSet::new();
    for (status, code, cause) in table() {
        let answer = provoke(&cause).await.json();
        assert_conforms(&answer, problem);
        for broken in answer["violations"].as_array().into_iter().flatten() {
            assert_conforms(broken, violation);
            assert_conforms(&broken["params"], schema(&document, "RuleParams"));
        }
        answers.insert((status, code.to_owned(), answer.to_string()));
    }
    let examples = examples(&document);
    let invented: Vec<_> = examples.difference(&answers).collect();
    assert!(invented.is_empty(), "the function never returns {invented:#?}");
    let codes: BTreeMap<_, _> = answers.iter().map(|(status, code, _)| (code, status)).collect();
    let described = examples.iter().map(|(status, code, _)| (code, status)).collect();
    assert_eq!(codes, described);
}

#[test]
fn the_document_lists_every_problem_code() {
    let codes = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names(&schema(&openapi(), "ProblemCode")["enum"]), codes);
}

#[test]
fn the_document_lists_every_violation_code() {
    let described = openapi();
    assert_eq!(names(&schema(&described, "ViolationCode")["enum"]), BTreeSet::from(Rule::CODES));
}

#[test]
fn the_document_lists_every_language() {
    let tags = Language::ALL.map(Language::tag);
    let document = openapi();
    let header = &document["components"]["headers"]["ContentLanguage"]["schema"]["enum"];
    assert_eq!(names(header), BTreeSet::from(tags));
    let parameter = document["components"]["parameters"]["Lang"]["description"].as_str().unwrap();
    assert!(tags.iter().all(|tag| parameter.contains(&format!("`{tag}`"))), "{parameter}");
}

#[tokio::test]
async fn the_document_describes_every_parameter_of_a_rule_and_no_other() {
    let mut found = BTreeSet::new();
    let mut add = |violations: &Value| {
        for violation in violations.as_array().unwrap() {
            found.extend(violation["params"].as_object().unwrap().keys().cloned());
        }
    };
    let function =
        Function::start_with_policy(include_str!("../policy/data/every-rule.toml")).await;
    add(&function.invoke(&sample("password-policy")).await.json()["rules"]);
    let weak = json!({ "previousPassword": OLD, "proposedPassword": "demo" });
    add(&function.post(&weak).await.json()["violations"]);
    let refused = Fault::exception("InvalidPasswordException");
    function.cognito.fail_next(Operation::ChangePassword, refused);
    add(&function.change().await.json()["violations"]);
    let document = openapi();
    let described = names(&schema(&document, "RuleParams")["properties"]);
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), described);
}

#[tokio::test]
async fn the_example_of_a_violation_is_a_real_response() {
    let function = Function::start().await;
    // A no-break space, and an accent separate from its letter.
    let proposed = "Sentinel-e\u{301}\u{a0}8-Cow";
    let body = json!({ "previousPassword": OLD, "proposedPassword": proposed });
    let violations = function.post(&body).await.json()["violations"].clone();
    assert_eq!(schema(&openapi(), "Violation")["examples"], violations);
}

#[tokio::test]
async fn the_members_of_the_policy_are_described() {
    let document = openapi();
    let function = Function::start().await;
    let policy = function.invoke(&sample("password-policy")).await.json();
    assert_conforms(&policy, schema(&document, "PasswordPolicy"));
    for rule in policy["rules"].as_array().unwrap() {
        assert_conforms(rule, schema(&document, "Rule"));
        assert_conforms(&rule["params"], schema(&document, "RuleParams"));
    }
}

#[tokio::test]
async fn the_members_of_a_check_are_described() {
    let document = openapi();
    let function =
        Function::start_with_policy(include_str!("../policy/data/every-rule.toml")).await;
    let mut event = post(&function.token, &json!({ "proposedPassword": "demo" }));
    event["rawPath"] = "/check-password".into();
    let checked = function.invoke(&event).await.json();
    assert_conforms(&checked, schema(&document, "Checked"));
    for (list, name) in [("rules", "Rule"), ("violations", "Violation")] {
        let entries = checked[list].as_array().unwrap();
        assert!(!entries.is_empty(), "{list}");
        for entry in entries {
            assert_conforms(entry, schema(&document, name));
            assert_conforms(&entry["params"], schema(&document, "RuleParams"));
        }
    }
}
