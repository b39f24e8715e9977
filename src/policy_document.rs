//! The responses to `GET /password-policy`, each generated once from the enforced policy.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::language::Language;
use crate::policy::{Rule, Rules, SYMBOLS};

/// The policy for clients in each language, generated at the first request for it.
#[derive(Debug, Default)]
pub struct PolicyDocuments([OnceLock<PolicyDocument>; Language::ALL.len()]);

impl PolicyDocuments {
    /// The document for these rules, which must be the same in every call.
    pub fn get(&self, rules: &Rules, language: Language) -> &PolicyDocument {
        self.0[language as usize].get_or_init(|| PolicyDocument::new(rules, language))
    }
}

/// The policy for clients: JSON and its strong entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    /// The document's bytes.
    pub json: String,
    /// Its `ETag`, quotes included.
    pub etag: String,
    /// The language of its messages.
    pub language: Language,
}

impl PolicyDocument {
    /// Describes each rule by its code, its parameters and its message.
    ///
    /// The document does not contain the organisation's banned words.
    #[must_use]
    pub fn new(rules: &Rules, language: Language) -> Self {
        let json = json!({
            "minLength": rules.min_length(),
            "maxLength": rules.max_length(),
            "symbols": SYMBOLS,
            "passwordRules": password_rules(rules),
            "rules": describe(rules, language),
        })
        .to_string();
        // Any hash will do; this one is in the standard library.
        let mut hasher = DefaultHasher::new();
        json.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Self { json, etag, language }
    }
}

/// Describes the rules for clients.
#[must_use]
pub fn describe(rules: &Rules, language: Language) -> Value {
    let describe = |rule: &Rule| {
        json!({
            "code": rule.code(),
            "message": rule.instruction(language),
            "params": rule.params(),
            "clientCheckable": rule.is_client_checkable(),
        })
    };
    rules.list().iter().map(describe).collect()
}

/// The rules in Apple's `passwordRules` language, for the password generator of iOS.
///
/// The language can require one character of a set, but not several. So if the policy requires
/// several characters of a class, the class is split into as many sets, and one character of each
/// is required. In a set, `-` must come first and `]` last. Source: Apple, "Customizing Password
/// `AutoFill` Rules".
///
/// A class cannot be split into more sets than it has characters, so a policy cannot require more.
/// A generator may use the minimum length, so that has room for a character of each set.
fn password_rules(rules: &Rules) -> String {
    let required: usize = rules.required_characters().into_iter().map(|(_, count)| count).sum();
    let mut text = vec![
        format!("minlength: {};", rules.min_length().max(required)),
        format!("maxlength: {};", rules.max_length()),
    ];
    for rule in rules.list() {
        if let Rule::MaxRun(max) = rule {
            text.push(format!("max-consecutive: {max};"));
        }
    }
    for (class, count) in rules.required_characters() {
        let members: Vec<char> = class.members().chars().collect();
        if count == 0 {
            text.push(format!("allowed: {};", set(&members)));
        }
        text.extend(parts(&members, count).map(|part| format!("required: {};", set(&part))));
    }
    text.join(" ")
}

/// Splits a class into `count` disjoint parts by dealing out its members in turn.
fn parts(members: &[char], count: usize) -> impl Iterator<Item = Vec<char>> {
    (0..count).map(move |first| members.iter().copied().skip(first).step_by(count).collect())
}

fn set(members: &[char]) -> String {
    let has = |c: char| if members.contains(&c) { c.to_string() } else { String::new() };
    let others: String = members.iter().filter(|c| !['-', ']'].contains(c)).collect();
    format!("[{}{others}{}]", has('-'), has(']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn document(policy: &str) -> PolicyDocument {
        PolicyDocument::new(Policy::from_toml(policy).unwrap().base(), Language::En)
    }

    #[test]
    fn the_etag_changes_only_if_the_rules_change() {
        let plain = document("[length]\nmin = 8");
        assert_eq!(document("# The same.\n[length]\nmin = 8"), plain);
        assert_ne!(document("[length]\nmin = 9").etag, plain.etag);
        assert!(plain.etag.starts_with('"') && plain.etag.ends_with('"'));
    }

    #[test]
    fn each_language_has_its_own_etag_and_its_document_is_generated_once() {
        let policy = Policy::from_toml("length.min = 8").unwrap();
        let documents = PolicyDocuments::default();
        let get = |language| documents.get(policy.base(), language);
        let tags: std::collections::BTreeSet<_> = Language::ALL.map(|it| &get(it).etag).into();
        assert_eq!(tags.len(), Language::ALL.len());
        for language in Language::ALL {
            assert_eq!(get(language).language, language);
            assert!(std::ptr::eq(get(language), get(language)));
        }
    }

    #[test]
    fn every_count_that_a_policy_may_require_becomes_as_many_non_empty_sets() {
        for (class, most) in [("lowercase", 26), ("uppercase", 26), ("digit", 10), ("symbol", 32)] {
            for count in 1..=most {
                let policy = format!("length.min = 8\ncharacters.{class} = {count}");
                let json: Value = serde_json::from_str(&document(&policy).json).unwrap();
                let rules = json["passwordRules"].as_str().unwrap();
                assert_eq!(rules.matches("required: [").count(), count, "{rules}");
                assert!(!rules.contains(": [];"), "{rules}");
                // A password of the minimum length has room for all of them.
                assert!(rules.starts_with(&format!("minlength: {};", count.max(8))), "{rules}");
            }
        }
    }

    #[test]
    fn password_rules_require_each_class_as_often_as_the_policy_does() {
        let policy = "[length]\nmin = 8\nmax = 64\n[characters]\ndigit = 2\nsymbol = 1\nclasses = 3\n[patterns]\nmax_run = 3";
        let json: Value = serde_json::from_str(&document(policy).json).unwrap();
        let expected = [
            "minlength: 8",
            "maxlength: 64",
            "max-consecutive: 3",
            "required: [abcdefghijklmnopqrstuvwxyz]",
            "allowed: [ABCDEFGHIJKLMNOPQRSTUVWXYZ]",
            "required: [02468]",
            "required: [13579]",
            r#"required: [-^$*.[{}()?"!@#%&/\,><':;|_~`=+]];"#,
        ];
        assert_eq!(json["passwordRules"], expected.join("; "));
    }
}
