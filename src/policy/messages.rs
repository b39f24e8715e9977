//! The texts that users read: a catalogue for each language, in `messages/`.
//!
//! A catalogue is TOML with one key and one quoted text per line, without escapes: a scan of the lines
//! finds a text, and nothing is parsed at start-up. Keys begin with the code of a rule. `rule` is the
//! instruction for a checklist, and `rule_one` is used instead if the rule's number is 1. `violation`
//! states the fault and what to do next. Its placeholder `{rule}` is the instruction; all other
//! placeholders are names of `params`. All catalogues have the same keys, and a text has the same
//! placeholders in each of them. No text blames the user.

use crate::language::Language;

/// The text of a key. Tests check that every catalogue has every key.
pub(super) fn text(language: Language, key: &str) -> &'static str {
    find(language, key).unwrap_or_default()
}

/// The text of a key; `None` if the catalogue lacks it.
fn find(language: Language, key: &str) -> Option<&'static str> {
    catalogue(language).lines().find_map(|line| {
        let text = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        text.strip_suffix('"')
    })
}

/// Replaces each placeholder of a text by the value that `value` returns for its name.
pub(super) fn fill(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(2 * text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        filled.push_str(before);
        filled.push_str(&value(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn catalogue(language: Language) -> &'static str {
    match language {
        Language::En => include_str!("messages/en.toml"),
        Language::De => include_str!("messages/de.toml"),
        Language::Fr => include_str!("messages/fr.toml"),
        Language::Es => include_str!("messages/es.toml"),
        Language::It => include_str!("messages/it.toml"),
        Language::Pt => include_str!("messages/pt.toml"),
        Language::Pl => include_str!("messages/pl.toml"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::policy::Rule;

    /// The texts of a catalogue as a TOML parser reads them, by their dotted keys.
    fn texts(language: Language) -> BTreeMap<String, String> {
        fn flatten(prefix: &str, table: toml::Table, texts: &mut BTreeMap<String, String>) {
            for (name, value) in table {
                let key = format!("{prefix}{name}");
                match value {
                    toml::Value::String(text) => drop(texts.insert(key, text)),
                    toml::Value::Table(table) => flatten(&format!("{key}."), table, texts),
                    other => panic!("{key} is {other:?}"),
                }
            }
        }
        let mut texts = BTreeMap::new();
        flatten("", catalogue(language).parse().unwrap(), &mut texts);
        texts
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).map(|part| part.split_once('}').unwrap().0).collect()
    }

    #[test]
    fn the_catalogues_have_the_same_keys_and_each_text_the_same_placeholders() {
        let english = texts(Language::En);
        for language in Language::ALL {
            let texts = texts(language);
            assert!(texts.keys().eq(english.keys()), "{language:?}");
            for (key, text) in &texts {
                let place = format!("{language:?} {key}");
                assert_eq!(placeholders(text), placeholders(&english[key]), "{place}");
                assert_eq!(find(language, key), Some(text.as_str()), "{place}");
                let is_sentence = !key.contains(".kinds.");
                assert_eq!(text.ends_with(['.', '}']), is_sentence, "{place}");
                assert_eq!(text.trim(), text, "{place}");
                assert!(!text.contains("  ") && !text.contains("..."), "{place}");
            }
        }
    }

    #[test]
    fn every_code_has_an_instruction_and_a_violation() {
        let texts = texts(Language::En);
        for code in Rule::CODES {
            assert!(texts.contains_key(&format!("{code}.rule")), "{code}");
            let kinds = format!("{code}.violations.");
            let has_kinds = texts.keys().any(|key| key.starts_with(&kinds));
            assert_ne!(texts.contains_key(&format!("{code}.violation")), has_kinds, "{code}");
        }
    }

    #[test]
    fn no_two_languages_have_the_same_text() {
        let all: Vec<_> = Language::ALL.into_iter().map(texts).collect();
        for key in all[0].keys() {
            let found: BTreeSet<_> = all.iter().map(|texts| &texts[key]).collect();
            assert_eq!(found.len(), all.len(), "{key}: {found:?}");
        }
    }

    #[test]
    fn fill_replaces_each_placeholder_by_its_value() {
        let value = |name: &str| name.to_uppercase();
        for (text, expected) in [("a", "a"), ("{a}", "A"), ("a {b}, {c}.", "a B, C."), ("{", "")] {
            assert_eq!(fill(text, value), expected);
        }
    }
}
