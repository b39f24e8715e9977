//! The policy file: parses TOML into the base settings and the settings of each group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Uri;
use serde::Deserialize;

use super::error::PolicyError;
use super::personal_words::PersonalAttribute;
use super::settings::{BreachSettings, DEFAULT_ENDPOINT, OnFailure, Profile, Settings};
use super::strength::MAX_GUESSES_LOG10;
use crate::endpoint::is_private;
use crate::language::Language;

/// The policy file; `password-policy.toml` documents each key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    profile: Option<Profile>,
    #[serde(default)]
    groups: BTreeMap<String, Tables>,
    // Not `#[serde(flatten)]`, which does not work with `deny_unknown_fields`.
    #[serde(default)]
    length: Length,
    #[serde(default)]
    characters: Characters,
    #[serde(default)]
    patterns: Patterns,
    #[serde(default)]
    words: Words,
    #[serde(default)]
    strength: StrengthTable,
    #[serde(default)]
    previous: Previous,
    #[serde(default)]
    breaches: Breaches,
}

/// The tables of a group. The file itself has the same ones.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Tables {
    length: Length,
    characters: Characters,
    patterns: Patterns,
    words: Words,
    strength: StrengthTable,
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
    hard_to_type: Option<bool>,
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
struct StrengthTable {
    min_guesses_log10: Option<f64>,
    languages: Option<BTreeSet<Language>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Previous {
    min_distance: Option<usize>,
    counter: Option<bool>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default)]
struct Breaches {
    check: Option<bool>,
    endpoint: Option<String>,
    threshold: Option<u64>,
    timeout_ms: Option<u64>,
    on_failure: Option<OnFailure>,
}

/// The base settings, and those of each group.
#[derive(Debug)]
pub(super) struct ParsedFile {
    pub(super) base: Settings,
    pub(super) groups: BTreeMap<String, Settings>,
}

impl ParsedFile {
    pub(super) fn read(text: &str) -> Result<Self, PolicyError> {
        let PolicyFile {
            profile,
            groups,
            length,
            characters,
            patterns,
            words,
            strength,
            previous,
            breaches,
        } = toml::from_str(text)?;
        let groups = groups.into_iter().map(|(name, tables)| {
            let breaches = tables.breaches.or(&breaches);
            (name, Tables { breaches, ..tables })
        });
        let groups: BTreeMap<_, _> = groups.collect();
        check_one_service(&breaches, &groups)?;
        let tables = Tables { length, characters, patterns, words, strength, previous, breaches };
        let base = tables.over(Settings::of(profile), "")?;
        base.check("")?;
        let groups = groups.into_iter().map(|(name, tables)| {
            let place = format!("groups.{name}.");
            let settings = tables.over(base.clone(), &place)?;
            settings.check(&place)?;
            match settings.looser_than(&base) {
                Some(key) => Err(PolicyError::LooserGroup { group: name, key }),
                None => Ok((name, settings)),
            }
        });
        Ok(Self { groups: groups.collect::<Result<_, _>>()?, base })
    }
}

/// Rejects a second breach service: a user in the groups of both would be checked against only one.
fn check_one_service(
    base: &Breaches,
    groups: &BTreeMap<String, Tables>,
) -> Result<(), PolicyError> {
    let key = |place: String| format!("{place}breaches.endpoint");
    let of_groups =
        groups.iter().map(|(name, tables)| (format!("groups.{name}."), &tables.breaches));
    let mut services = std::iter::once((String::new(), base))
        .chain(of_groups)
        .filter_map(|(place, breaches)| Some((place, breaches.service()?)));
    let Some((first, service)) = services.next() else { return Ok(()) };
    match services.find(|(_, other)| *other != service) {
        Some((place, _)) => Err(PolicyError::TwoServices { key: key(place), other: key(first) }),
        None => Ok(()),
    }
}

impl Tables {
    /// Returns the settings of these tables, with the base's value for each key that they do not set.
    ///
    /// `place` is the prefix of the tables' keys.
    fn over(self, base: Settings, place: &str) -> Result<Settings, PolicyError> {
        let Self { length, characters, patterns, words, strength, previous, breaches } = self;
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
            hard_to_type: characters.hard_to_type.unwrap_or(base.hard_to_type),
            max_run: patterns.max_run.unwrap_or(base.max_run),
            max_sequence: patterns.max_sequence.unwrap_or(base.max_sequence),
            repeated_block: patterns.repeated_block.unwrap_or(base.repeated_block),
            common: words.common.unwrap_or(base.common),
            min_guesses: strength.min_guesses(place)?.unwrap_or(base.min_guesses),
            languages: strength.languages.unwrap_or(base.languages),
            banned: &base.banned | &words.banned.unwrap_or_default(),
            personal: words.personal.unwrap_or(base.personal),
            min_distance: previous.min_distance.unwrap_or(base.min_distance),
            counter: previous.counter.unwrap_or(base.counter),
            breaches: breaches.settings(place)?,
        })
    }
}

impl StrengthTable {
    /// The minimum in thousandths.
    fn min_guesses(&self, place: &str) -> Result<Option<u32>, PolicyError> {
        let Some(min) = self.min_guesses_log10 else { return Ok(None) };
        if !(0.0..=MAX_GUESSES_LOG10).contains(&min) {
            let key = format!("{place}strength.min_guesses_log10");
            return Err(PolicyError::Guesses { key, value: min, max: MAX_GUESSES_LOG10 });
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let thousandths = (min * 1_000.0).round() as u32;
        Ok(Some(thousandths))
    }
}

impl Breaches {
    /// Returns this table, with the base's value for each key that it does not set.
    ///
    /// A group that turns the check on inherits the base's other keys, even if the base leaves it off.
    fn or(self, base: &Self) -> Self {
        let Self { check, endpoint, threshold, timeout_ms, on_failure } = self;
        Self {
            check: check.or(base.check),
            endpoint: endpoint.or_else(|| base.endpoint.clone()),
            threshold: threshold.or(base.threshold),
            timeout_ms: timeout_ms.or(base.timeout_ms),
            on_failure: on_failure.or(base.on_failure),
        }
    }

    fn is_on(&self) -> bool {
        self.check.unwrap_or(false)
    }

    /// The service that this table names, or the default service if the check is on; else `None`.
    fn service(&self) -> Option<&str> {
        let default = self.is_on().then_some(DEFAULT_ENDPOINT);
        self.endpoint.as_deref().or(default).map(|service| service.trim_end_matches('/'))
    }

    /// Returns the settings of the check; `None` if it is off.
    ///
    /// Values are validated even if the check is off, so that turning it on cannot fail because of
    /// an old mistake.
    fn settings(self, place: &str) -> Result<Option<BreachSettings>, PolicyError> {
        let key = |name: &str| format!("{place}breaches.{name}");
        let endpoint = self.service().unwrap_or(DEFAULT_ENDPOINT).to_owned();
        if !is_allowed(&endpoint) {
            return Err(PolicyError::Endpoint { key: key("endpoint") });
        }
        let timeout = self.timeout_ms.unwrap_or(1_000);
        if !(1..=10_000).contains(&timeout) {
            return Err(PolicyError::out_of_range(key("timeout_ms"), timeout, 1, 10_000));
        }
        let threshold = self.threshold.unwrap_or(1);
        if threshold == 0 {
            return Err(PolicyError::out_of_range(key("threshold"), 0, 1, u64::MAX));
        }
        Ok(self.is_on().then_some(BreachSettings {
            endpoint,
            threshold,
            timeout: Duration::from_millis(timeout),
            on_failure: self.on_failure.unwrap_or(OnFailure::Allow),
        }))
    }
}

/// Returns whether a breach service may be called at this address.
///
/// Over plain HTTP, anyone on the network path could read the digits that are sent, and forge a
/// response that no password is breached. Loopback traffic does not leave the machine.
fn is_allowed(endpoint: &str) -> bool {
    let Ok(url) = endpoint.parse::<Uri>() else { return false };
    let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    // `/range/` is appended to the endpoint, and would become part of a query or a fragment.
    is_private(&url) && !has_user && !endpoint.contains(['?', '#'])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::characters::SYMBOLS;
    use super::super::hard_to_type::HardToType;
    use super::super::rule::Rule;
    use super::*;

    fn base(text: &str) -> Settings {
        ParsedFile::read(text).unwrap().base
    }

    fn codes(text: &str) -> Vec<&'static str> {
        base(text).rules().unwrap().iter().map(Rule::code).collect()
    }

    #[test]
    fn each_key_turns_on_its_own_rule_and_no_other() {
        let always = [
            ("too_short", json!({ "minLength": 1 })),
            ("too_long", json!({ "maxLength": 256 })),
            ("leading_or_trailing_space", json!({})),
            ("hard_to_type", json!({ "kinds": ["control", "invisible_end"] })),
        ];
        let cases = [
            ("length.max", "64", "too_long", json!({ "maxLength": 64 })),
            ("characters.lowercase", "2", "missing_lowercase", json!({ "minCount": 2 })),
            ("characters.uppercase", "2", "missing_uppercase", json!({ "minCount": 2 })),
            ("characters.digit", "2", "missing_digit", json!({ "minCount": 2 })),
            (
                "characters.symbol",
                "2",
                "missing_symbol",
                json!({ "minCount": 2, "symbols": SYMBOLS }),
            ),
            (
                "characters.classes",
                "2",
                "too_few_classes",
                json!({ "minClasses": 2, "symbols": SYMBOLS }),
            ),
            (
                "characters.hard_to_type",
                "true",
                "hard_to_type",
                json!({ "kinds": HardToType::ALL }),
            ),
            ("patterns.max_run", "2", "repeated_character", json!({ "maxRun": 2 })),
            ("patterns.repeated_block", "true", "repeated_block", json!({})),
            ("patterns.max_sequence", "2", "sequence", json!({ "maxSequence": 2 })),
            ("words.common", "true", "common_password", json!({})),
            (
                "strength.min_guesses_log10",
                "8.5",
                "too_easy_to_guess",
                json!({ "minGuessesLog10": 8.5 }),
            ),
            ("words.banned", "['contoso']", "banned_word", json!({})),
            ("words.personal", "['email']", "personal_word", json!({ "attributes": ["email"] })),
            (
                "words.personal",
                "['custom:team', 'nickname']",
                "personal_word",
                json!({ "attributes": ["nickname", "custom:team"] }),
            ),
            ("previous.min_distance", "1", "same_as_previous", json!({ "minDistance": 1 })),
            ("previous.min_distance", "2", "too_similar_to_previous", json!({ "minDistance": 2 })),
            ("previous.counter", "true", "previous_with_other_number", json!({})),
            ("breaches.check", "true", "breached_password", json!({})),
        ];
        for (key, value, code, params) in cases {
            let text = format!("length.min = 1\n{key} = {value}");
            let rules = base(&text).rules().unwrap();
            let mut found: Vec<_> = rules.iter().map(|rule| (rule.code(), rule.params())).collect();
            found.retain(|rule| !always.contains(rule));
            assert_eq!(found, [(code, params)], "{text}");
        }
    }

    #[test]
    fn an_invalid_policy_is_rejected_with_the_name_of_the_invalid_key() {
        let cases = [
            ("", "`length.min` is not set"),
            ("[length]\nmin = 0", "`length.min` is not set"),
            ("profile = \"nist\"", "unknown variant `nist`"),
            ("[length]\nmin = 9\nmax = 8", "`length.min` is 9; it must be from 1 to 8"),
            ("[length]\nmin = 8\nmax = 257", "`length.max` is 257; it must be from 1 to 256"),
            ("[length]\nmin = \"8\"", "invalid type"),
            ("[length]\nmin = 8\nmimimum = 8", "unknown field `mimimum`"),
            ("[length]\nmin = 8\n[character]", "unknown field `character`"),
            ("[length]\nmin = 8\n[characters]\nletter = 1", "unknown field `letter`"),
            ("[length]\nmin = 8\n[characters]\nclasses = 5", "`characters.classes` is 5"),
            (
                "[length]\nmin = 8\n[characters]\ndigit = 11",
                "`characters.digit` is 11; it must be from 0 to 10",
            ),
            (
                "[length]\nmin = 8\n[characters]\nlowercase = 27",
                "`characters.lowercase` is 27; it must be from 0 to 26",
            ),
            (
                "[length]\nmin = 8\n[characters]\nuppercase = 27",
                "`characters.uppercase` is 27; it must be from 0 to 26",
            ),
            (
                "[length]\nmin = 8\n[groups.a.characters]\nsymbol = 33",
                "`groups.a.characters.symbol` is 33; it must be from 0 to 32",
            ),
            (
                "[length]\nmin = 1\nmax = 3\n[characters]\ndigit = 2\nsymbol = 2",
                "requires 4 characters",
            ),
            ("[length]\nmin = 1\nmax = 3\n[characters]\nclasses = 4", "requires 4 characters"),
            ("[length]\nmin = 8\n[previous]\nmin_distance = 257", "`previous.min_distance` is 257"),
            ("[length]\nmin = 8\n[words]\npersonal = [\"age\"]", "unknown attribute `age`"),
            (
                "[length]\nmin = 8\n[strength]\nlanguages = [\"en\", \"xx\"]",
                "languages = [\"en\", \"xx\"]",
            ),
            (
                "[length]\nmin = 8\n[strength]\nlanguages = [\"xx\"]",
                "unknown variant `xx`, expected one of `en`, `de`, `fr`, `es`, `it`, `pt`, `pl`",
            ),
            (
                "[length]\nmin = 8\n[strength]\nmin_guesses_log10 = 16.5",
                "`strength.min_guesses_log10` is 16.5; it must be from 0 to 16",
            ),
            (
                "[length]\nmin = 8\n[groups.a.strength]\nmin_guesses_log10 = -1",
                "`groups.a.strength.min_guesses_log10` is -1; it must be from 0 to 16",
            ),
            ("[length]\nmin = 8\n[strength]\nmin_guesses_log10 = nan", "is NaN; it must be from 0"),
            ("[length]\nmin = 8\n[breaches]\ncheck = true\nthreshold = 0", "`breaches.threshold`"),
            (
                "[length]\nmin = 8\n[breaches]\ncheck = true\ntimeout_ms = 0",
                "`breaches.timeout_ms`",
            ),
            ("[length]\nmin = 8\n[groups.a]\nprofile = \"asvs-5\"", "unknown field `profile`"),
            ("[length]\nmin = 8\n[groups.a.length]\nmax = 7", "`groups.a.length.min` is 8"),
            (
                "[length]\nmin = 8\n[groups.a.breaches]\ncheck = true\nthreshold = 0",
                "`groups.a.breaches.threshold` is 0",
            ),
        ];
        for (text, expected) in cases {
            let error = ParsedFile::read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_group_with_a_stricter_setting_is_accepted_and_with_a_looser_one_rejected() {
        let base = "
            [length]
            min = 8
            max = 100
            [characters]
            lowercase = 1
            uppercase = 1
            digit = 1
            symbol = 1
            classes = 3
            hard_to_type = true
            [patterns]
            max_run = 3
            max_sequence = 4
            repeated_block = true
            [words]
            common = true
            personal = [\"email\"]
            [strength]
            min_guesses_log10 = 10
            languages = [\"en\", \"pl\"]
            [previous]
            min_distance = 2
            counter = true
            [breaches]
            check = true
            threshold = 5
            on_failure = \"refuse\"
        ";
        let cases = [
            ("length.min", "min = 9", "min = 7"),
            ("length.max", "max = 99", "max = 101"),
            ("characters.lowercase", "lowercase = 2", "lowercase = 0"),
            ("characters.uppercase", "uppercase = 2", "uppercase = 0"),
            ("characters.digit", "digit = 2", "digit = 0"),
            ("characters.symbol", "symbol = 2", "symbol = 0"),
            ("characters.classes", "classes = 4", "classes = 2"),
            ("characters.hard_to_type", "hard_to_type = true", "hard_to_type = false"),
            ("patterns.max_run", "max_run = 2", "max_run = 4"),
            ("patterns.max_run", "max_run = 1", "max_run = 0"),
            ("patterns.max_sequence", "max_sequence = 3", "max_sequence = 0"),
            ("patterns.repeated_block", "repeated_block = true", "repeated_block = false"),
            ("words.common", "common = true", "common = false"),
            ("words.personal", "personal = [\"email\", \"username\"]", "personal = [\"username\"]"),
            ("strength.min_guesses_log10", "min_guesses_log10 = 10.5", "min_guesses_log10 = 9.999"),
            ("strength.min_guesses_log10", "min_guesses_log10 = 11", "min_guesses_log10 = 0"),
            (
                "strength.languages",
                "languages = [\"en\", \"de\", \"pl\"]",
                "languages = [\"en\", \"de\"]",
            ),
            ("previous.min_distance", "min_distance = 3", "min_distance = 1"),
            ("previous.counter", "counter = true", "counter = false"),
            ("breaches.check", "check = true", "check = false"),
            ("breaches.threshold", "threshold = 4", "threshold = 6"),
            ("breaches.on_failure", "on_failure = \"refuse\"", "on_failure = \"allow\""),
            ("breaches.timeout_ms", "timeout_ms = 999", "timeout_ms = 1001"),
        ];
        for (key, stricter, looser) in cases {
            let (table, _) = key.split_once('.').unwrap_or((key, ""));
            let with =
                |line: &str| ParsedFile::read(&format!("{base}[groups.ops.{table}]\n{line}"));
            assert!(with(stricter).is_ok(), "{stricter}: {:?}", with(stricter));
            let error = with(looser).unwrap_err().to_string();
            assert!(error.contains(&format!("`groups.ops.{key}`")), "{looser}: {error}");
        }
    }

    #[test]
    fn a_longer_timeout_is_stricter_if_a_failed_check_allows_the_change() {
        let group = |lines: &str| {
            let base = "length.min = 8\nbreaches.check = true\n[groups.a.breaches]\n";
            ParsedFile::read(&format!("{base}{lines}"))
        };
        assert!(group("timeout_ms = 1001").is_ok());
        let error = group("timeout_ms = 999").unwrap_err().to_string();
        assert!(error.contains("`groups.a.breaches.timeout_ms`"), "{error}");
        for timeout in ["timeout_ms = 1001", "timeout_ms = 999"] {
            assert!(group(&format!("{timeout}\non_failure = \"refuse\"")).is_ok(), "{timeout}");
        }
    }

    #[test]
    fn a_group_that_turns_the_breach_check_on_inherits_the_bases_settings_for_it() {
        let text = "
            [length]
            min = 8
            [breaches]
            endpoint = \"https://ranges.example/\"
            threshold = 7
            timeout_ms = 50
            on_failure = \"refuse\"
            [groups.ops.breaches]
            check = true
        ";
        let ParsedFile { base, groups } = ParsedFile::read(text).unwrap();
        assert_eq!(base.breaches, None);
        let expected = BreachSettings {
            endpoint: "https://ranges.example".into(),
            threshold: 7,
            timeout: Duration::from_millis(50),
            on_failure: OnFailure::Refuse,
        };
        assert_eq!(groups["ops"].breaches, Some(expected));
    }

    #[test]
    fn a_policy_with_two_breach_services_is_rejected_with_the_name_of_the_key() {
        let one = "breaches.endpoint = \"https://one.example\"\n";
        let checks = "breaches.check = true\n";
        let a = "[groups.a]\nbreaches.check = true\nbreaches.endpoint = \"https://one.example/\"\n";
        let b = "[groups.b]\nbreaches.check = true\nbreaches.endpoint = \"https://two.example\"\n";
        let default = "[groups.c]\nbreaches.check = true\n";
        let read =
            |parts: &[&str]| ParsedFile::read(&format!("length.min = 8\n{}", parts.concat()));
        for parts in [[one, a, ""], [one, checks, a], ["", "", a], ["", b, ""], [one, a, default]] {
            assert!(read(&parts).is_ok(), "{parts:?}: {:?}", read(&parts));
        }
        for (parts, key) in [
            ([one, b, ""], "`groups.b.breaches.endpoint`"),
            ([one, checks, b], "`groups.b.breaches.endpoint`"),
            ([checks, b, ""], "`groups.b.breaches.endpoint`"),
            ([a, b, ""], "`groups.b.breaches.endpoint`"),
            ([a, default, ""], "`groups.c.breaches.endpoint`"),
        ] {
            let error = read(&parts).unwrap_err().to_string();
            assert!(error.contains(key), "{parts:?}: {error}");
        }
    }

    #[test]
    fn a_breach_service_must_use_https_except_on_loopback() {
        let read = |place: &str, endpoint: &str| {
            let text = format!("length.min = 8\n{place}breaches.endpoint = \"{endpoint}\"");
            ParsedFile::read(&text)
        };
        for endpoint in [
            "https://api.pwnedpasswords.com",
            "https://ranges.example:8443/pwned/",
            "https://[2001:db8::1]",
            "http://localhost:8080",
            "http://LocalHost",
            "http://127.0.0.1:8080/",
            "http://127.255.0.3",
            "http://[::1]:8080",
        ] {
            assert!(read("", endpoint).is_ok(), "{endpoint}: {:?}", read("", endpoint));
        }
        for endpoint in [
            "",
            "/",
            "api.pwnedpasswords.com",
            "//api.pwnedpasswords.com",
            "http://api.pwnedpasswords.com",
            "HTTP://api.pwnedpasswords.com",
            "ftp://localhost",
            "https://",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://127.1",
            "http://126.0.0.1",
            "http://0.0.0.0",
            "http://10.0.0.1",
            "http://[::]",
            "http://[::ffff:127.0.0.1]",
            "http://[2001:db8::1]",
            "http://localhost@example.com",
            "http://127.0.0.1:80@example.com",
            "https://user:secret@ranges.example",
            "https://ranges.example?for=us",
            "https://ranges.example/#here",
            "https://ranges.example/a b",
        ] {
            for place in ["", "[groups.a]\n"] {
                let error = read(place, endpoint).map(|_| ()).unwrap_err().to_string();
                let key = if place.is_empty() { "`" } else { "`groups.a." };
                assert!(error.contains(&format!("{key}breaches.endpoint`")), "{endpoint}: {error}");
                assert!(!error.contains("secret"), "{error}");
            }
        }
    }

    #[test]
    fn keys_in_the_file_override_the_profile() {
        let nist = base("profile = \"nist-800-63b-4\"");
        assert_eq!((nist.min_length, nist.max_length), (15, 256));
        let blocklist = [
            "too_short",
            "too_long",
            "leading_or_trailing_space",
            "hard_to_type",
            "common_password",
            "too_easy_to_guess",
            "personal_word",
            "same_as_previous",
        ];
        assert_eq!(codes("profile = \"nist-800-63b-4\""), blocklist);
        assert_eq!(codes("profile = \"asvs-5\""), blocklist);
        assert_eq!(
            codes(
                "profile = \"nist-800-63b-4\"\n[words]\ncommon = false\npersonal = []\n[strength]\nmin_guesses_log10 = 0"
            ),
            [
                "too_short",
                "too_long",
                "leading_or_trailing_space",
                "hard_to_type",
                "same_as_previous"
            ]
        );
        // Users who sign in with an e-mail address or a phone number have a UUID as their user name.
        for profile in ["nist-800-63b-4", "asvs-5"] {
            let settings = base(&format!("profile = \"{profile}\""));
            assert_eq!(json!(settings.personal), json!(["username", "email", "phone_number"]));
        }
        // NIST and ASVS allow any character.
        for profile in ["nist-800-63b-4", "asvs-5", "cognito-default"] {
            assert!(!base(&format!("profile = \"{profile}\"")).hard_to_type, "{profile}");
        }
        let cognito = base("profile = \"cognito-default\"\n[length]\nmin = 10");
        assert_eq!((cognito.min_length, cognito.characters), (10, [1; 4]));
    }
}
