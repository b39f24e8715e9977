//! The policy file: TOML in, the settings of everybody and of each group out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::error::PolicyError;
use super::personal_words::PersonalAttribute;
use super::settings::{BreachSettings, OnFailure, Profile, Settings};

/// The policy file; `password-policy.toml` documents each key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    profile: Option<Profile>,
    #[serde(default)]
    groups: BTreeMap<String, Tables>,
    // Not `flatten`ed, which would lose `deny_unknown_fields`.
    #[serde(default)]
    length: Length,
    #[serde(default)]
    characters: Characters,
    #[serde(default)]
    patterns: Patterns,
    #[serde(default)]
    words: Words,
    #[serde(default)]
    previous: Previous,
    #[serde(default)]
    breaches: Breaches,
}

/// The tables that a group and the file itself can set.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Tables {
    length: Length,
    characters: Characters,
    patterns: Patterns,
    words: Words,
    previous: Previous,
    breaches: Breaches,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Length {
    min: Option<usize>,
    max: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Characters {
    lowercase: Option<usize>,
    uppercase: Option<usize>,
    digit: Option<usize>,
    symbol: Option<usize>,
    classes: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Patterns {
    max_run: Option<usize>,
    max_sequence: Option<usize>,
    repeated_block: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Words {
    common: Option<bool>,
    banned: Option<BTreeSet<String>>,
    personal: Option<BTreeSet<PersonalAttribute>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Previous {
    min_distance: Option<usize>,
    counter: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Breaches {
    check: Option<bool>,
    endpoint: Option<String>,
    threshold: Option<u64>,
    timeout_ms: Option<u64>,
    on_failure: Option<OnFailure>,
}

/// The settings of everybody, and of each group that has settings of its own.
pub(super) struct ParsedFile {
    pub(super) base: Settings,
    pub(super) groups: BTreeMap<String, Settings>,
}

impl ParsedFile {
    pub(super) fn read(text: &str) -> Result<Self, PolicyError> {
        let PolicyFile { profile, groups, length, characters, patterns, words, previous, breaches } =
            toml::from_str(text)?;
        let tables = Tables { length, characters, patterns, words, previous, breaches };
        let base = tables.over(Settings::of(profile))?;
        base.check("")?;
        let groups = groups.into_iter().map(|(name, tables)| {
            let settings = tables.over(base.clone())?;
            settings.check(&format!("groups.{name}."))?;
            match settings.looser_than(&base) {
                Some(key) => Err(PolicyError::LooserGroup { group: name, key }),
                None => Ok((name, settings)),
            }
        });
        Ok(Self { groups: groups.collect::<Result<_, _>>()?, base })
    }
}

impl Tables {
    /// These tables' settings, and the base's for each key that they do not set.
    fn over(self, base: Settings) -> Result<Settings, PolicyError> {
        let Self { length, characters, patterns, words, previous, breaches } = self;
        let [lowercase, uppercase, digit, symbol] = base.characters;
        Ok(Settings {
            min_length: length.min.unwrap_or(base.min_length),
            max_length: length.max.unwrap_or(base.max_length),
            characters: [
                characters.lowercase.unwrap_or(lowercase),
                characters.uppercase.unwrap_or(uppercase),
                characters.digit.unwrap_or(digit),
                characters.symbol.unwrap_or(symbol),
            ],
            classes: characters.classes.unwrap_or(base.classes),
            max_run: patterns.max_run.unwrap_or(base.max_run),
            max_sequence: patterns.max_sequence.unwrap_or(base.max_sequence),
            repeated_block: patterns.repeated_block.unwrap_or(base.repeated_block),
            common: words.common.unwrap_or(base.common),
            banned: &base.banned | &words.banned.unwrap_or_default(),
            personal: words.personal.unwrap_or(base.personal),
            min_distance: previous.min_distance.unwrap_or(base.min_distance),
            counter: previous.counter.unwrap_or(base.counter),
            breaches: breaches.over(base.breaches)?,
        })
    }
}

impl Breaches {
    fn over(self, base: Option<BreachSettings>) -> Result<Option<BreachSettings>, PolicyError> {
        if !self.check.unwrap_or(base.is_some()) {
            return Ok(None);
        }
        let base = base.unwrap_or_else(|| BreachSettings {
            endpoint: "https://api.pwnedpasswords.com".into(),
            threshold: 1,
            timeout: Duration::from_secs(1),
            on_failure: OnFailure::Allow,
        });
        let timeout = match self.timeout_ms {
            None => base.timeout,
            Some(value @ 1..=10_000) => Duration::from_millis(value),
            Some(value) => {
                return Err(PolicyError::out_of_range("breaches.timeout_ms", value, 1, 10_000));
            }
        };
        let threshold = self.threshold.unwrap_or(base.threshold);
        if threshold == 0 {
            return Err(PolicyError::out_of_range("breaches.threshold", 0, 1, u64::MAX));
        }
        let endpoint = self.endpoint.unwrap_or(base.endpoint).trim_end_matches('/').to_owned();
        let on_failure = self.on_failure.unwrap_or(base.on_failure);
        Ok(Some(BreachSettings { endpoint, threshold, timeout, on_failure }))
    }
}
