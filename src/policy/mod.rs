//! The organisation's password policy: a list of rules, read from TOML, checked all at once.
//!
//! A [`Rule`] is the one source of its code, its parameters, its message and its check, so what
//! `GET /password-policy` describes cannot drift from what is enforced. Every length is in Unicode
//! code points.
//!
//! The policy knows Cognito's limits, character classes and attribute names, and it holds the
//! settings of the breach check. It makes no network call and waits for nothing:
//! [`crate::change_password`] fetches the user's attributes and queries the breach service.

mod banned_words;
mod characters;
mod common_passwords;
mod error;
mod file;
mod normalize;
mod patterns;
mod personal_words;
mod rule;
mod settings;
mod similarity;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use secrecy::ExposeSecret as _;

use crate::credentials::Password;

pub use characters::{COGNITO_MAX_LENGTH, CharacterClass, SYMBOLS};
pub use error::PolicyError;
use file::ParsedFile;
pub use personal_words::{PersonalAttribute, PersonalWords};
use rule::Candidate;
pub use rule::{PoolRequirement, Rule, Violation};
use settings::Settings;
pub use settings::{BreachSettings, OnFailure};

/// What everybody must keep, and what the members of some groups must keep.
#[derive(Debug, Clone)]
pub struct Policy {
    base: Rules,
    groups: BTreeMap<String, Rules>,
    /// What all groups ask for together.
    strictest: Rules,
}

/// The rules for one user, in the order in which they are reported.
#[derive(Debug, Clone)]
pub struct Rules {
    settings: Settings,
    list: Vec<Rule>,
}

impl Policy {
    /// Reads a policy from the text of a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with the key's name: unknown, missing, of a wrong type, out of range, looser
    /// for a group than for everybody, or such that no password could satisfy it.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let ParsedFile { base, groups } = ParsedFile::read(text)?;
        let strictest = groups.values().fold(base.clone(), |all, group| all.and(group));
        strictest.check("all groups together: ")?;
        let groups = groups.into_iter().map(|(name, group)| Ok((name, Rules::new(group)?)));
        Ok(Self {
            groups: groups.collect::<Result<_, PolicyError>>()?,
            base: Rules::new(base)?,
            strictest: Rules::new(strictest)?,
        })
    }

    /// The rules for everybody.
    #[must_use]
    pub fn base(&self) -> &Rules {
        &self.base
    }

    /// The groups that have rules of their own, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Rules)> {
        self.groups.iter().map(|(name, rules)| (name.as_str(), rules))
    }

    /// The rules for a member of these Cognito groups, all that any of them asks for.
    #[must_use]
    pub fn for_groups(&self, groups: &[String]) -> Cow<'_, Rules> {
        let mut stricter = groups.iter().filter_map(|group| self.groups.get(group));
        let first = Cow::Borrowed(stricter.next().unwrap_or(&self.base));
        stricter.fold(first, |rules, more| {
            let both = Rules::new(rules.settings.and(&more.settings));
            // All groups together were found sound at the start, so that two of them are.
            Cow::Owned(both.unwrap_or_else(|_| self.strictest.clone()))
        })
    }
}

impl Rules {
    fn new(settings: Settings) -> Result<Self, PolicyError> {
        Ok(Self { list: settings.rules()?, settings })
    }

    /// Lists every rule that the proposed password breaks, in order.
    ///
    /// What only a service can tell ([`Rule::NotBreached`]) is not looked at.
    #[must_use]
    pub fn violations(
        &self,
        proposed: &Password,
        previous: Option<&Password>,
        personal: &PersonalWords,
    ) -> Vec<Violation> {
        let candidate = Candidate {
            text: proposed.expose_secret(),
            length: proposed.expose_secret().chars().count(),
            previous: previous.map(Password::expose_secret),
            personal,
        };
        self.list.iter().filter_map(|rule| rule.violation(&candidate)).collect()
    }

    /// The rules themselves.
    #[must_use]
    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// What of the user's data must not be in a password.
    #[must_use]
    pub fn personal_attributes(&self) -> &BTreeSet<PersonalAttribute> {
        &self.settings.personal
    }

    /// How to ask about known breaches; none when that is off.
    #[must_use]
    pub fn breaches(&self) -> Option<&BreachSettings> {
        self.settings.breaches.as_ref()
    }

    /// The shortest password allowed, in code points.
    #[must_use]
    pub fn min_length(&self) -> usize {
        self.settings.min_length
    }

    /// The longest password allowed, in code points.
    #[must_use]
    pub fn max_length(&self) -> usize {
        self.settings.max_length
    }

    /// Tells whether every password that keeps the rules has a character of this class.
    #[must_use]
    pub fn always_requires(&self, class: CharacterClass) -> bool {
        let all = self.settings.classes == CharacterClass::ALL.len();
        all || self.settings.characters[class as usize] > 0
    }

    /// How many characters of each class a password has that keeps [`Rule::Requires`] and
    /// [`Rule::RequiresClasses`] with as few as may be.
    #[must_use]
    pub fn required_characters(&self) -> [(CharacterClass, usize); 4] {
        let required = self.settings.required_characters();
        std::array::from_fn(|i| (CharacterClass::ALL[i], required[i]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STRICT: &str = "
        [length]
        min = 8
        max = 10
        [characters]
        lowercase = 1
        uppercase = 1
        digit = 1
        symbol = 1
    ";

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    fn codes(
        policy: &str,
        proposed: &str,
        previous: Option<&str>,
        name: &str,
    ) -> Vec<&'static str> {
        let personal = PersonalWords::new([(PersonalAttribute::UserName, name)]);
        let previous = previous.map(password);
        let policy = Policy::from_toml(policy).unwrap();
        let found = policy.base().violations(&password(proposed), previous.as_ref(), &personal);
        found.iter().map(Violation::code).collect()
    }

    #[track_caller]
    fn assert_codes(proposed: &str, expected: &[&str]) {
        assert_eq!(codes(STRICT, proposed, Some("Previous-1"), "demo"), expected, "{proposed}");
    }

    #[test]
    fn every_broken_rule_is_reported_at_once_and_in_order() {
        assert_codes(
            "",
            &[
                "too_short",
                "missing_lowercase",
                "missing_uppercase",
                "missing_digit",
                "missing_symbol",
            ],
        );
        assert_codes(
            " demodemodemo",
            &[
                "too_long",
                "missing_uppercase",
                "missing_digit",
                "missing_symbol",
                "leading_or_trailing_space",
            ],
        );
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert_codes("aA1!aA1", &["too_short"]);
        assert_codes("aA1!aA1!", &[]);
        assert_codes("aA1!aA1!aA", &[]);
        assert_codes("aA1!aA1!aA1", &["too_long"]);
        // Seven code points of four bytes each; eight; a letter with its accent apart is two.
        assert_codes("aA1!🔑🔑🔑", &["too_short"]);
        assert_codes("aA1!🔑🔑🔑🔑", &[]);
        assert_codes("aA1!e\u{301}e\u{301}", &[]);
    }

    #[test]
    fn classes_are_cognitos_and_no_wider() {
        // Letters and digits beyond ASCII are none to Cognito, nor are symbols off its list.
        assert_codes("éA1!éA1!", &["missing_lowercase"]);
        assert_codes("aÉ1!aÉ1!", &["missing_uppercase"]);
        assert_codes("aA٣!aA٣!", &["missing_digit"]);
        assert_codes("aA1§aA1€", &["missing_symbol"]);
        for symbol in SYMBOLS.chars() {
            assert_codes(&format!("aA1aA1a{symbol}"), &[]);
        }
        assert_eq!(SYMBOLS.chars().count(), 32);
    }

    #[test]
    fn a_space_counts_as_a_symbol_only_within() {
        assert_codes("aA1 aA1a", &[]);
        assert_codes("aA1aA1a ", &["missing_symbol", "leading_or_trailing_space"]);
        assert_codes("aA1!aA1\t", &["leading_or_trailing_space"]);
        assert_codes("\u{2003}aA1!aA1", &["leading_or_trailing_space"]);
    }

    #[test]
    fn the_previous_password_is_refused() {
        let on = format!("{STRICT}[previous]\nmin_distance = 1");
        assert_eq!(codes(&on, "Previous-1", Some("Previous-1"), ""), ["same_as_previous"]);
        assert_eq!(codes(&on, "Previous-2", Some("Previous-1"), ""), [""; 0]);
        assert_eq!(codes(&on, "Previous-1", None, ""), [""; 0]);
        let apart = format!("{STRICT}[previous]\nmin_distance = 3");
        assert_eq!(
            codes(&apart, "Precious-2", Some("Previous-1"), ""),
            ["too_similar_to_previous"]
        );
        assert_eq!(codes(&apart, "Precioux-2", Some("Previous-1"), ""), [""; 0]);
    }

    #[test]
    fn counts_and_a_number_of_classes_can_be_asked_for() {
        let counts = "[length]\nmin = 4\n[characters]\ndigit = 2\nsymbol = 2";
        assert_eq!(codes(counts, "1a!b", None, ""), ["missing_digit", "missing_symbol"]);
        assert_eq!(codes(counts, "1a!b2 c", None, ""), [""; 0]);
        let classes = "[length]\nmin = 4\n[characters]\nclasses = 3";
        assert_eq!(codes(classes, "abcDEF", None, ""), ["too_few_classes"]);
        assert_eq!(codes(classes, "abcDE1", None, ""), [""; 0]);
    }

    #[test]
    fn a_violation_tells_its_numbers_and_never_the_password() {
        let policy = Policy::from_toml(STRICT).unwrap();
        let personal = PersonalWords::new([]);
        let found = policy.base().violations(&password("aA1!"), None, &personal);
        assert_eq!(
            serde_json::to_value(&found).unwrap(),
            json!([{
                "code": "too_short",
                "message": "Use at least 8 characters.",
                "params": { "minLength": 8, "length": 4 },
            }])
        );
    }

    #[test]
    fn a_policy_that_cannot_be_is_refused_by_its_key() {
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
                "[length]\nmin = 1\nmax = 3\n[characters]\ndigit = 2\nsymbol = 2",
                "asks for 4 characters",
            ),
            ("[length]\nmin = 1\nmax = 3\n[characters]\nclasses = 4", "asks for 4 characters"),
            ("[length]\nmin = 8\n[previous]\nmin_distance = 257", "`previous.min_distance` is 257"),
            ("[length]\nmin = 8\n[words]\npersonal = [\"age\"]", "unknown variant `age`"),
            ("[length]\nmin = 8\n[words]\nbanned = [\"abc\"]", "`words.banned`"),
            ("[length]\nmin = 8\n[breaches]\ncheck = true\nthreshold = 0", "`breaches.threshold`"),
            (
                "[length]\nmin = 8\n[breaches]\ncheck = true\ntimeout_ms = 0",
                "`breaches.timeout_ms`",
            ),
            ("[length]\nmin = 8\n[groups.a]\nprofile = \"asvs-5\"", "unknown field `profile`"),
            ("[length]\nmin = 8\n[groups.a.length]\nmax = 7", "`groups.a.length.min` is 8"),
        ];
        for (text, expected) in cases {
            let error = Policy::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_group_can_be_stricter_and_never_looser() {
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
            [patterns]
            max_run = 3
            max_sequence = 4
            repeated_block = true
            [words]
            common = true
            personal = [\"email\"]
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
            ("patterns.max_run", "max_run = 2", "max_run = 4"),
            ("patterns.max_run", "max_run = 1", "max_run = 0"),
            ("patterns.max_sequence", "max_sequence = 3", "max_sequence = 0"),
            ("patterns.repeated_block", "repeated_block = true", "repeated_block = false"),
            ("words.common", "common = true", "common = false"),
            ("words.personal", "personal = [\"email\", \"username\"]", "personal = [\"username\"]"),
            ("previous.min_distance", "min_distance = 3", "min_distance = 1"),
            ("previous.counter", "counter = true", "counter = false"),
            ("breaches", "threshold = 4", "threshold = 6"),
            ("breaches", "check = true", "check = false"),
            ("breaches", "on_failure = \"refuse\"", "on_failure = \"allow\""),
        ];
        for (key, stricter, looser) in cases {
            let (table, _) = key.split_once('.').unwrap_or((key, ""));
            let with =
                |line: &str| Policy::from_toml(&format!("{base}[groups.ops.{table}]\n{line}"));
            assert!(with(stricter).is_ok(), "{stricter}: {:?}", with(stricter));
            let error = with(looser).unwrap_err().to_string();
            assert!(error.contains(&format!("`groups.ops.{key}`")), "{looser}: {error}");
        }
    }

    #[test]
    fn groups_that_contradict_each_other_are_refused() {
        let text = "[length]\nmin = 8\n[groups.a.length]\nmin = 30\n[groups.b.length]\nmax = 20";
        let error = Policy::from_toml(text).unwrap_err().to_string();
        assert!(error.contains("all groups together: length.min"), "{error}");
    }

    #[test]
    fn a_profile_is_overridden_by_what_is_set_beside_it() {
        let codes_of = |text: &str| {
            let policy = Policy::from_toml(text).unwrap();
            policy.base().list().iter().map(Rule::code).collect::<Vec<_>>()
        };
        let nist = Policy::from_toml("profile = \"nist-800-63b-4\"").unwrap();
        assert_eq!((nist.base().min_length(), nist.base().max_length()), (15, 256));
        let blocklist = [
            "too_short",
            "too_long",
            "leading_or_trailing_space",
            "common_password",
            "personal_word",
            "same_as_previous",
        ];
        assert_eq!(codes_of("profile = \"nist-800-63b-4\""), blocklist);
        assert_eq!(codes_of("profile = \"asvs-5\""), blocklist);
        assert_eq!(
            codes_of("profile = \"nist-800-63b-4\"\n[words]\ncommon = false\npersonal = []"),
            ["too_short", "too_long", "leading_or_trailing_space", "same_as_previous"]
        );
        let cognito =
            Policy::from_toml("profile = \"cognito-default\"\n[length]\nmin = 10").unwrap();
        assert_eq!(cognito.base().min_length(), 10);
        assert!(CharacterClass::ALL.into_iter().all(|class| cognito.base().always_requires(class)));
    }
}
