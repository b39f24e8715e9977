//! Messages in the user's language, for every source of events.

use std::collections::BTreeSet;

use change_password::language::Language;
use fake_cognito::{Fault, Operation};
use serde_json::{Value, json};

use crate::harness::{Function, OLD, Reply, post, sample};

const SOURCES: [&str; 4] = ["http-api", "function-url", "rest-api", "alb"];

/// The languages that a request asks for, in `?lang=` and in `Accept-Language`.
type Asked<'a> = (Option<&'a str>, Option<&'a str>);

/// An event of a source with this method, path and languages.
fn event(source: &str, method: &str, path: &str, (lang, accepted): Asked) -> Value {
    let mut event = sample(source);
    let is_http = event["rawPath"].is_string();
    if is_http {
        event["rawPath"] = path.into();
        event["requestContext"]["http"]["method"] = method.into();
        event["rawQueryString"] = lang.map(|lang| format!("a=b&lang={lang}&c")).into();
    } else {
        event["path"] = path.into();
        event["httpMethod"] = method.into();
        let query = lang.map(|lang| json!({ "a": "b", "lang": lang }));
        let lists = lang.map(|lang| json!({ "a": ["b"], "lang": [lang, "pl"] }));
        let is_rest = source == "rest-api";
        // A load balancer sends only one of the two.
        event["queryStringParameters"] = query.into();
        event["multiValueQueryStringParameters"] = lists.filter(|_| is_rest).into();
    }
    for (headers, is_list) in [("headers", false), ("multiValueHeaders", true)] {
        if let (Some(headers), Some(accepted)) = (event[headers].as_object_mut(), accepted) {
            let value = if is_list { json!([accepted]) } else { json!(accepted) };
            headers.insert("Accept-Language".to_owned(), value);
        }
    }
    event
}

fn policy(source: &str, asked: Asked) -> Value {
    event(source, "GET", "/password-policy", asked)
}

/// The message of a policy's first rule, which is about the length.
fn first_rule(reply: &Reply) -> String {
    reply.json()["rules"][0]["message"].as_str().unwrap().to_owned()
}

const GERMAN: &str = "Verwenden Sie mindestens 12 Zeichen.";

#[tokio::test]
async fn the_policy_is_in_the_language_of_lang_or_otherwise_of_accept_language() {
    let function = Function::start().await;
    for source in SOURCES {
        for (asked, language) in [
            ((None, None), "en"),
            ((Some("de"), None), "de"),
            ((None, Some("de-AT, en;q=0.5")), "de"),
            ((Some("de"), Some("fr")), "de"),
            ((Some("nl"), Some("fr")), "en"),
            ((Some(""), Some("fr")), "en"),
            ((Some("de_AT"), Some("fr")), "en"),
            ((None, Some("nl, de;q=0")), "en"),
            ((None, Some("*")), "en"),
            ((None, Some(";;q,=\u{e9}")), "en"),
            ((Some("PT-br"), None), "pt"),
        ] {
            let reply = function.invoke(&policy(source, asked)).await;
            assert_eq!(reply.status, 200);
            assert_eq!(reply.header("content-language"), Some(language), "{source} {asked:?}");
            assert_eq!(reply.header("vary"), Some("Accept-Language"));
            assert_eq!(first_rule(&reply) == GERMAN, language == "de", "{source} {asked:?}");
        }
    }
}

#[tokio::test]
async fn only_the_first_of_several_langs_counts_and_only_if_it_is_text() {
    let function = Function::start().await;
    let language = async |event: &Value| {
        let reply = function.invoke(event).await;
        reply.header("content-language").unwrap().to_owned()
    };
    let mut event = policy("http-api", (None, Some("fr")));
    for (query, expected) in [
        ("lang=de&lang=pl", "de"),
        ("lang", "en"),
        ("lang=de=pl", "en"),
        ("Lang=de", "fr"),
        ("xlang=de", "fr"),
        ("", "fr"),
    ] {
        event["rawQueryString"] = query.into();
        assert_eq!(language(&event).await, expected, "{query}");
    }
    let mut event = policy("rest-api", (None, Some("fr")));
    for (single, lists, expected) in [
        (json!({ "lang": "pl" }), json!({ "lang": ["de", "pl"] }), "de"),
        (json!({ "lang": "pl" }), Value::Null, "pl"),
        (Value::Null, json!({ "lang": ["de"] }), "de"),
        (json!({ "lang": 7 }), json!([]), "fr"),
        (json!("de"), json!({ "lang": [] }), "fr"),
    ] {
        event["queryStringParameters"] = single;
        event["multiValueQueryStringParameters"] = lists;
        assert_eq!(language(&event).await, expected, "{event}");
    }
}

#[tokio::test]
async fn each_language_has_its_own_etag_which_head_and_304_return_too() {
    let function = Function::start().await;
    let mut tags = BTreeSet::new();
    let mut messages = BTreeSet::new();
    for language in Language::ALL {
        let asked = (Some(language.tag()), None);
        let reply = function.invoke(&policy("http-api", asked)).await;
        let tag = reply.header("etag").unwrap().to_owned();
        assert!(tag.starts_with('"'), "{tag}");
        messages.insert(first_rule(&reply));
        let head = event("http-api", "HEAD", "/password-policy", asked);
        let head = function.invoke(&head).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        for name in ["etag", "vary", "content-language", "cache-control"] {
            assert_eq!(head.header(name), reply.header(name), "{name}");
        }
        for method in ["GET", "HEAD"] {
            let mut event = event("http-api", method, "/password-policy", asked);
            event["headers"]["if-none-match"] = tag.as_str().into();
            let unchanged = function.invoke(&event).await;
            assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));
            assert_eq!(unchanged.header("etag"), Some(tag.as_str()));
            assert_eq!(unchanged.header("vary"), Some("Accept-Language"));
            // The tag does not match the policy in another language.
            event["rawQueryString"] = format!("lang={}", other(language).tag()).into();
            assert_eq!(function.invoke(&event).await.status, 200);
        }
        tags.insert(tag);
    }
    assert_eq!((tags.len(), messages.len()), (Language::ALL.len(), Language::ALL.len()));
}

fn other(language: Language) -> Language {
    if language == Language::En { Language::De } else { Language::En }
}

#[tokio::test]
async fn violations_and_suggestions_are_in_the_users_language_but_title_and_detail_are_not() {
    let function = Function::start().await;
    let weak = json!({ "previousPassword": OLD, "proposedPassword": "abc123" });
    let mut answers = Vec::new();
    for (query, accepted) in [("", "en"), ("lang=de", "fr"), ("", "de-CH")] {
        let mut event = post(&function.token, &weak);
        event["rawQueryString"] = query.into();
        event["headers"]["accept-language"] = accepted.into();
        let refused = function.invoke(&event).await;
        refused.assert_problem(422, "password_policy_violation");
        event["rawPath"] = "/check-password".into();
        let checked = function.invoke(&event).await;
        let language = if accepted == "en" { "en" } else { "de" };
        for reply in [&refused, &checked] {
            assert_eq!(reply.header("content-language"), Some(language));
        }
        let (refused, checked) = (refused.json(), checked.json());
        assert_eq!(refused["violations"], checked["violations"]);
        assert_eq!(checked["rules"][0]["message"] == GERMAN, language == "de");
        answers.push(refused);
    }
    assert_eq!(answers[1], answers[2]);
    let [mut english, mut german, _]: [Value; 3] = answers.try_into().unwrap();
    let violation = german["violations"][0].take();
    assert_eq!(violation["message"], format!("Dieses Passwort ist zu kurz. {GERMAN}"));
    assert_eq!(violation["params"], english["violations"][0]["params"]);
    let suggestion = |answer: &Value| {
        let violations = answer["violations"].as_array().unwrap();
        let weak = violations.iter().find(|violation| violation["code"] == "too_easy_to_guess");
        weak.unwrap()["params"]["weakParts"][0]["suggestion"].as_str().unwrap().to_owned()
    };
    assert_eq!(suggestion(&english), "Do not build on a password that many people use.");
    assert_eq!(suggestion(&german), "Bauen Sie nicht auf einem Passwort auf, das viele verwenden.");
    for answer in [&mut english, &mut german] {
        answer["violations"] = Value::Null;
    }
    assert_eq!(english, german, "title and detail stay in English");
}

#[tokio::test]
async fn a_violation_from_cognito_is_in_the_users_language_and_other_problems_have_no_language() {
    let function = Function::start().await;
    let refused = Fault::error("InvalidPasswordException", "Password did not conform with policy");
    function.cognito.fail_next(Operation::ChangePassword, refused);
    let mut event = post(&function.token, &crate::harness::change());
    event["rawQueryString"] = "lang=de".into();
    let reply = function.invoke(&event).await;
    reply.assert_problem(422, "password_policy_violation");
    assert_eq!(reply.header("content-language"), Some("de"));
    let message = reply.json()["violations"][0]["message"].clone();
    assert_eq!(
        message,
        "Der Anmeldedienst nimmt dieses Passwort nicht an. Wählen Sie ein anderes."
    );
    event["body"] = "{}".into();
    let reply = function.invoke(&event).await;
    reply.assert_problem(400, "malformed_request");
    assert_eq!(reply.header("content-language"), None);
}

#[tokio::test]
async fn no_message_in_any_language_contains_a_part_of_the_password_or_a_banned_word() {
    let policy = "length.min = 30\nwords.banned = ['zyxomvqa']\nwords.common = true\n\
        characters.hard_to_type = true\npatterns.max_run = 2\npatterns.max_sequence = 3\n\
        patterns.repeated_block = true\nstrength.min_guesses_log10 = 12\n\
        words.personal = ['username']\nprevious.min_distance = 4\nprevious.counter = true";
    let function = Function::start_with_policy(policy).await;
    let proposed =
        ["zyxomvqa", "Qjwkx\u{a0}qjwkx", "wvvvwvvvwvvv", "Sentinel-Old-8-Horse", "demo~jkqz"];
    for language in Language::ALL {
        for proposed in proposed {
            let body = json!({ "previousPassword": OLD, "proposedPassword": proposed });
            let mut event = post(&function.token, &body);
            event["rawQueryString"] = format!("lang={}", language.tag()).into();
            let reply = function.invoke(&event).await;
            reply.assert_problem(422, "password_policy_violation");
            let answer = reply.json()["violations"].to_string().to_lowercase();
            let proposed = proposed.to_lowercase();
            let letters: Vec<char> = proposed.chars().collect();
            for part in letters.windows(5) {
                let part: String = part.iter().collect();
                assert!(!answer.contains(&part), "{language:?}: {part} is in {answer}");
            }
            assert!(!answer.contains("zyxomvqa"));
        }
    }
}
