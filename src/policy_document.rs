//! The answer to `GET /password-policy`, made once from the policy that is enforced.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Value, json};

use crate::policy::{CharacterClass, Policy, Rule, SYMBOLS};

/// The policy for clients: JSON and its strong entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    /// The document's bytes.
    pub json: String,
    /// Its `ETag`, quotes included.
    pub etag: String,
}

impl PolicyDocument {
    /// Describes each rule of the policy by its code, its parameters and its message.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let json = json!({
            "minLength": policy.min_length(),
            "maxLength": policy.max_length(),
            "symbols": SYMBOLS,
            "passwordRules": password_rules(policy),
            "rules": policy.rules().iter().map(describe).collect::<Vec<_>>(),
        })
        .to_string();
        // Any function of the bytes will do; this one is in the standard library.
        let mut hasher = DefaultHasher::new();
        json.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Self { json, etag }
    }
}

fn describe(rule: &Rule) -> Value {
    json!({ "code": rule.code(), "message": rule.to_string(), "params": rule.params() })
}

/// The rules in Apple's `passwordRules` language, for the password generator of iOS.
///
/// Source: Apple, "Customizing Password `AutoFill` Rules". In a set of characters, `-` has to stand
/// first and `]` last.
fn password_rules(policy: &Policy) -> String {
    let symbols: String = SYMBOLS.chars().filter(|c| !['-', ']'].contains(c)).collect();
    let symbols = format!("[-{symbols}]]");
    let classes = [
        (CharacterClass::Lowercase, "lower"),
        (CharacterClass::Uppercase, "upper"),
        (CharacterClass::Digit, "digit"),
        (CharacterClass::Symbol, &symbols),
    ];
    let lengths = [
        format!("minlength: {};", policy.min_length()),
        format!("maxlength: {};", policy.max_length()),
    ];
    let classes = classes.map(|(class, name)| {
        let verb = if policy.requires(class) { "required" } else { "allowed" };
        format!("{verb}: {name};")
    });
    lengths.into_iter().chain(classes).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_every_rule_and_changes_its_tag_with_them() {
        let strict = Policy::from_toml("[length]\nmin = 8\n[characters]\nsymbol = true").unwrap();
        let plain = Policy::from_toml("[length]\nmin = 8").unwrap();
        let document = PolicyDocument::new(&strict);
        let json: Value = serde_json::from_str(&document.json).unwrap();
        let codes: Vec<_> =
            json["rules"].as_array().unwrap().iter().map(|rule| &rule["code"]).collect();
        assert_eq!(
            codes,
            [
                "too_short",
                "too_long",
                "missing_symbol",
                "leading_or_trailing_space",
                "same_as_previous",
                "contains_user_name"
            ]
        );
        assert_eq!(
            json["passwordRules"],
            r#"minlength: 8; maxlength: 256; allowed: lower; allowed: upper; allowed: digit; required: [-^$*.[{}()?"!@#%&/\,><':;|_~`=+]];"#
        );
        assert_eq!(PolicyDocument::new(&strict), document);
        assert_ne!(PolicyDocument::new(&plain).etag, document.etag);
    }
}
