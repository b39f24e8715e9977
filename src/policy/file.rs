//! The policy file: TOML in, rules out, with profiles, overrides and groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::words::{BannedWordError, BannedWords, PersonalAttribute};
use super::{COGNITO_MAX_LENGTH, CharacterClass, Rule};

/// What is wrong with a policy file, by the key's name.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// Neither the file nor a profile says how short a password may be.
    #[error("`length.min` is not set, and there is no `profile` that sets it")]
    NoMinimum,
    /// A number that no policy can have.
    #[error("`{key}` is {value}; it must be from {min} to {max}")]
    OutOfRange {
        /// The key's full name.
        key: String,
        /// What the file says.
        value: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
    /// The required characters do not fit into the longest password.
    #[error("`{place}characters` asks for {required} characters, and `length.max` is {max}")]
    Unsatisfiable {
        /// The group, with its dot, or nothing.
        place: String,
        /// How many characters are required in all.
        required: usize,
        /// The longest password.
        max: usize,
    },
    /// A group asks for less than everybody has to keep.
    #[error(
        "`groups.{group}.{key}` is looser than the base policy's; a group can only be stricter"
    )]
    LooserGroup {
        /// The group's name.
        group: String,
        /// The key within the group.
        key: &'static str,
    },
    /// A word that cannot be banned.
    #[error("`words.banned`: {0}")]
    BannedWords(#[from] BannedWordError),
}

/// How known breaches are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreachSettings {
    /// The address before `/range/`, without a slash at its end.
    pub endpoint: String,
    /// In how many breached accounts a password must have been seen to be refused.
    pub threshold: u64,
    /// The longest wait for an answer.
    pub timeout: Duration,
    /// What becomes of the change when there is no answer.
    pub on_failure: OnFailure,
}

/// What to do when a check cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Go on, and log it.
    Allow,
    /// Refuse, and say that it is safe to try again.
    Refuse,
}

/// A well-known set of rules to begin with.
#[derive(Debug, Clone, Copy, Deserialize)]
enum Profile {
    /// NIST SP 800-63B-4, section 3.1.1.2, for passwords that are the only factor.
    #[serde(rename = "nist-800-63b-4")]
    Nist80063B4,
    /// OWASP ASVS 5.0, section V6.2.
    #[serde(rename = "asvs-5")]
    Asvs5,
    /// What the Cognito console proposes for a new user pool.
    #[serde(rename = "cognito-default")]
    CognitoDefault,
}

/// Every switch of a policy, set. A number of 0 is a rule that is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) min_length: usize,
    pub(super) max_length: usize,
    /// By [`CharacterClass::ALL`].
    pub(super) characters: [usize; 4],
    pub(super) classes: usize,
    max_run: usize,
    max_sequence: usize,
    repeated_block: bool,
    common: bool,
    banned: BTreeSet<String>,
    pub(super) personal: BTreeSet<PersonalAttribute>,
    min_distance: usize,
    counter: bool,
    pub(super) breaches: Option<BreachSettings>,
}

/// The policy file as it is written; see `password-policy.toml` for each key's meaning.
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

/// What a group, like the file itself, may set.
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

/// The settings of everybody, and of the members of each group that has stricter ones.
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
    /// What is set here, over what was set before.
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
        let milliseconds = match self.timeout_ms {
            None => base.timeout,
            Some(value @ 1..=10_000) => Duration::from_millis(value),
            Some(value) => return Err(out_of_range("breaches.timeout_ms", value, 1, 10_000)),
        };
        let threshold = self.threshold.unwrap_or(base.threshold);
        if threshold == 0 {
            return Err(out_of_range("breaches.threshold", 0, 1, u64::MAX));
        }
        let endpoint = self.endpoint.unwrap_or(base.endpoint).trim_end_matches('/').to_owned();
        let on_failure = self.on_failure.unwrap_or(base.on_failure);
        Ok(Some(BreachSettings { endpoint, threshold, timeout: milliseconds, on_failure }))
    }
}

impl Settings {
    /// What a profile sets; without one, nothing but what Cognito itself refuses is.
    fn of(profile: Option<Profile>) -> Self {
        let bare = Self {
            min_length: 0,
            max_length: COGNITO_MAX_LENGTH,
            characters: [0; 4],
            classes: 0,
            max_run: 0,
            max_sequence: 0,
            repeated_block: false,
            common: false,
            banned: BTreeSet::new(),
            personal: BTreeSet::new(),
            min_distance: 0,
            counter: false,
            breaches: None,
        };
        match profile {
            None => bare,
            // 15 where the password is the only factor; at least 64 permitted; no composition
            // rules; a blocklist of "commonly used, expected, or compromised" values, with
            // "context-specific words, such as the name of the service, the username, and
            // derivatives thereof".
            Some(Profile::Nist80063B4) => Self {
                min_length: 15,
                common: true,
                personal: [PersonalAttribute::UserName].into(),
                min_distance: 1,
                ..bare
            },
            // V6.2.1 at least 8; V6.2.4 the commonest passwords; V6.2.5 no composition rules; V6.2.9
            // at least 64 permitted; V6.2.11 context-specific words. V6.2.12, breaches, is level 2
            // and takes a service: `breaches.check`.
            Some(Profile::Asvs5) => Self {
                min_length: 8,
                common: true,
                personal: [PersonalAttribute::UserName].into(),
                min_distance: 1,
                ..bare
            },
            // Amazon Cognito developer guide, "Adding user pool password requirements".
            Some(Profile::CognitoDefault) => Self { min_length: 8, characters: [1; 4], ..bare },
        }
    }

    /// Refuses what no password could satisfy.
    pub(super) fn check(&self, place: &str) -> Result<(), PolicyError> {
        if self.min_length == 0 {
            return Err(PolicyError::NoMinimum);
        }
        let max = self.max_length;
        let ranges = [
            ("length.max", max, 1, COGNITO_MAX_LENGTH),
            ("length.min", self.min_length, 1, max),
            ("characters.classes", self.classes, 0, CharacterClass::ALL.len()),
            ("previous.min_distance", self.min_distance, 0, max),
        ];
        for (key, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                return Err(out_of_range(
                    &format!("{place}{key}"),
                    value as u64,
                    min as u64,
                    max as u64,
                ));
            }
        }
        let required = self.required_characters().iter().sum();
        if required > max {
            return Err(PolicyError::Unsatisfiable { place: place.into(), required, max });
        }
        Ok(())
    }

    /// The fewest characters of each class that satisfy the counts and the number of classes.
    pub(super) fn required_characters(&self) -> [usize; 4] {
        let mut required = self.characters;
        let present = required.iter().filter(|count| **count > 0).count();
        let missing = self.classes.saturating_sub(present);
        required.iter_mut().filter(|count| **count == 0).take(missing).for_each(|count| *count = 1);
        required
    }

    /// The first key, if any, that allows what `base` refuses.
    fn looser_than(&self, base: &Self) -> Option<&'static str> {
        // Where 0 is off, any bound is stricter than none.
        let bound = |ours: usize, base: usize| base != 0 && (ours == 0 || ours > base);
        let looser = [
            ("length.min", self.min_length < base.min_length),
            ("length.max", self.max_length > base.max_length),
            ("characters.lowercase", self.characters[0] < base.characters[0]),
            ("characters.uppercase", self.characters[1] < base.characters[1]),
            ("characters.digit", self.characters[2] < base.characters[2]),
            ("characters.symbol", self.characters[3] < base.characters[3]),
            ("characters.classes", self.classes < base.classes),
            ("patterns.max_run", bound(self.max_run, base.max_run)),
            ("patterns.max_sequence", bound(self.max_sequence, base.max_sequence)),
            ("patterns.repeated_block", base.repeated_block && !self.repeated_block),
            ("words.common", base.common && !self.common),
            ("words.personal", !self.personal.is_superset(&base.personal)),
            ("previous.min_distance", self.min_distance < base.min_distance),
            ("previous.counter", base.counter && !self.counter),
            ("breaches", breaches_are_looser(self.breaches.as_ref(), base.breaches.as_ref())),
        ];
        looser.into_iter().find_map(|(key, looser)| looser.then_some(key))
    }

    /// What satisfies both: the settings of a user who is in two groups.
    pub(super) fn and(&self, other: &Self) -> Self {
        let bound = |a: usize, b: usize| if a == 0 || b == 0 { a.max(b) } else { a.min(b) };
        let stricter_breaches =
            breaches_are_looser(self.breaches.as_ref(), other.breaches.as_ref());
        Self {
            min_length: self.min_length.max(other.min_length),
            max_length: self.max_length.min(other.max_length),
            characters: std::array::from_fn(|i| self.characters[i].max(other.characters[i])),
            classes: self.classes.max(other.classes),
            max_run: bound(self.max_run, other.max_run),
            max_sequence: bound(self.max_sequence, other.max_sequence),
            repeated_block: self.repeated_block || other.repeated_block,
            common: self.common || other.common,
            banned: &self.banned | &other.banned,
            personal: &self.personal | &other.personal,
            min_distance: self.min_distance.max(other.min_distance),
            counter: self.counter || other.counter,
            breaches: if stricter_breaches { &other.breaches } else { &self.breaches }.clone(),
        }
    }

    /// The rules that are on, in the order in which they are reported.
    pub(super) fn rules(&self) -> Result<Vec<Rule>, PolicyError> {
        let mut rules = vec![Rule::MinLength(self.min_length), Rule::MaxLength(self.max_length)];
        let classes = CharacterClass::ALL.into_iter().zip(self.characters);
        rules.extend(classes.filter(|(_, min)| *min > 0).map(|(c, min)| Rule::Requires(c, min)));
        let banned = BannedWords::new(&Vec::from_iter(&self.banned))?;
        let personal = self.personal.iter().copied().collect();
        let switched = [
            (self.classes > 0, Rule::RequiresClasses(self.classes)),
            (true, Rule::NoEdgeSpace),
            (self.max_run > 0, Rule::MaxRun(self.max_run)),
            (self.repeated_block, Rule::NoRepeatedBlock),
            (self.max_sequence > 0, Rule::MaxSequence(self.max_sequence)),
            (self.common, Rule::NotCommon),
            (!self.banned.is_empty(), Rule::NoBannedWords(Arc::new(banned))),
            (!self.personal.is_empty(), Rule::NoPersonalWords(personal)),
            (self.min_distance > 0, Rule::DiffersFromPrevious(self.min_distance)),
            (self.counter, Rule::NotACounter),
            (self.breaches.is_some(), Rule::NotBreached),
        ];
        rules.extend(switched.into_iter().filter_map(|(on, rule)| on.then_some(rule)));
        Ok(rules)
    }
}

fn breaches_are_looser(ours: Option<&BreachSettings>, base: Option<&BreachSettings>) -> bool {
    match (ours, base) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(ours), Some(base)) => {
            ours.threshold > base.threshold
                || (base.on_failure == OnFailure::Refuse && ours.on_failure == OnFailure::Allow)
        }
    }
}

fn out_of_range(key: &str, value: u64, min: u64, max: u64) -> PolicyError {
    PolicyError::OutOfRange { key: key.into(), value, min, max }
}
