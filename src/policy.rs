//! The organisation's password policy: a list of rules, read from TOML, checked all at once.
//!
//! A [`Rule`] is the one source of its code, its parameters, its message and its check, so what
//! `GET /password-policy` describes cannot drift from what is enforced. Every length is in Unicode
//! code points. Nothing here knows of HTTP or AWS.

use std::fmt;

use secrecy::ExposeSecret as _;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use thiserror::Error;

use crate::credentials::Password;
use crate::token::User;

/// The longest password Cognito takes, in code points.
///
/// Source: Amazon Cognito user pools API reference, `ChangePassword`, `ProposedPassword`.
pub const COGNITO_MAX_LENGTH: usize = 256;

/// Cognito's symbol characters; a space that is neither first nor last counts as one too.
///
/// Source: Amazon Cognito developer guide, "Adding user pool password requirements".
pub const SYMBOLS: &str = r#"^$*.[]{}()?"!@#%&/\,><':;|_~`=+-"#;

/// The shortest user name worth looking for in a password, in code points: one or two letters are
/// found in too many good passwords.
const MIN_USER_NAME: usize = 3;

/// The rules a new password must keep, in the order in which they are reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    min_length: usize,
    max_length: usize,
}

/// A kind of character that a policy can require, exactly as Cognito counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterClass {
    /// `a` to `z`.
    Lowercase,
    /// `A` to `Z`.
    Uppercase,
    /// `0` to `9`.
    Digit,
    /// One of [`SYMBOLS`], or a space within the password.
    Symbol,
}

/// One rule: what breaks it, under which code, and how it is told to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// At least so many code points.
    MinLength(usize),
    /// At most so many code points.
    MaxLength(usize),
    /// At least one character of a class.
    Requires(CharacterClass),
    /// No white space at either end, which Cognito refuses and no one sees on a screen.
    NoEdgeSpace,
    /// Not the previous password again.
    DiffersFromPrevious,
    /// Not around the user's own name, in whatever case.
    ExcludesUserName,
    /// The user pool's own policy, which only Cognito checks: a policy here that is weaker than the
    /// pool's lets passwords through that Cognito then refuses.
    AcceptedByPool(PoolRequirement),
    /// Not used before, which only Cognito's password history knows.
    NotUsedBefore,
}

/// The part of a user pool's own policy that Cognito says was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolRequirement {
    /// The pool's minimum length.
    Length,
    /// A lower-case letter.
    Lowercase,
    /// An upper-case letter.
    Uppercase,
    /// A digit.
    Digit,
    /// A symbol.
    Symbol,
    /// Cognito did not say in words that we know.
    Other,
}

/// A rule that a proposed password breaks.
///
/// It holds the password's length where the rule is about length, and nothing else of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    rule: Rule,
    length: Option<usize>,
}

/// What is wrong with a policy file, by the key's name.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A number that no policy can have.
    #[error("`{key}` is {value}; it must be from {min} to {max}")]
    OutOfRange {
        /// The key's full name.
        key: &'static str,
        /// What the file says.
        value: usize,
        /// The least that is allowed.
        min: usize,
        /// The most that is allowed.
        max: usize,
    },
}

/// The policy file as it is written; see `password-policy.toml` for each key's meaning.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    length: LengthTable,
    #[serde(default)]
    characters: CharactersTable,
    #[serde(default)]
    personal: PersonalTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LengthTable {
    min: usize,
    #[serde(default = "cognito_max_length")]
    max: usize,
}

const fn cognito_max_length() -> usize {
    COGNITO_MAX_LENGTH
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "a table of switches is what the file holds")]
struct CharactersTable {
    lowercase: bool,
    uppercase: bool,
    digit: bool,
    symbol: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PersonalTable {
    differs_from_previous: bool,
    excludes_user_name: bool,
}

impl Default for PersonalTable {
    fn default() -> Self {
        Self { differs_from_previous: true, excludes_user_name: true }
    }
}

impl Policy {
    /// Reads a policy from the text of a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with the key's name: unknown, missing, of a wrong type or out of range.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let file: PolicyFile = toml::from_str(text)?;
        let LengthTable { min, max } = file.length;
        check_range("length.max", max, 1, COGNITO_MAX_LENGTH)?;
        check_range("length.min", min, 1, max)?;
        let CharactersTable { lowercase, uppercase, digit, symbol } = file.characters;
        let switched = [
            (lowercase, Rule::Requires(CharacterClass::Lowercase)),
            (uppercase, Rule::Requires(CharacterClass::Uppercase)),
            (digit, Rule::Requires(CharacterClass::Digit)),
            (symbol, Rule::Requires(CharacterClass::Symbol)),
            (true, Rule::NoEdgeSpace),
            (file.personal.differs_from_previous, Rule::DiffersFromPrevious),
            (file.personal.excludes_user_name, Rule::ExcludesUserName),
        ];
        let mut rules = vec![Rule::MinLength(min), Rule::MaxLength(max)];
        rules.extend(switched.into_iter().filter_map(|(on, rule)| on.then_some(rule)));
        Ok(Self { rules, min_length: min, max_length: max })
    }

    /// Lists every rule that the proposed password breaks, in the policy's order.
    #[must_use]
    pub fn violations(
        &self,
        proposed: &Password,
        previous: Option<&Password>,
        user: &User,
    ) -> Vec<Violation> {
        let candidate = Candidate {
            text: proposed.expose_secret(),
            length: proposed.expose_secret().chars().count(),
            previous: previous.map(Password::expose_secret),
            user_name: user.username.as_deref(),
        };
        self.rules.iter().filter_map(|rule| rule.violation(&candidate)).collect()
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The shortest password allowed, in code points.
    #[must_use]
    pub fn min_length(&self) -> usize {
        self.min_length
    }

    /// The longest password allowed, in code points.
    #[must_use]
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Tells whether a character of this class is required.
    #[must_use]
    pub fn requires(&self, class: CharacterClass) -> bool {
        self.rules.contains(&Rule::Requires(class))
    }
}

fn check_range(key: &'static str, value: usize, min: usize, max: usize) -> Result<(), PolicyError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(PolicyError::OutOfRange { key, value, min, max })
    }
}

/// A proposed password with what the rules compare it to.
struct Candidate<'a> {
    text: &'a str,
    length: usize,
    previous: Option<&'a str>,
    user_name: Option<&'a str>,
}

impl Rule {
    /// The stable code of the violation of this rule.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::MinLength(_) => "too_short",
            Self::MaxLength(_) => "too_long",
            Self::Requires(CharacterClass::Lowercase) => "missing_lowercase",
            Self::Requires(CharacterClass::Uppercase) => "missing_uppercase",
            Self::Requires(CharacterClass::Digit) => "missing_digit",
            Self::Requires(CharacterClass::Symbol) => "missing_symbol",
            Self::NoEdgeSpace => "leading_or_trailing_space",
            Self::DiffersFromPrevious => "same_as_previous",
            Self::ExcludesUserName => "contains_user_name",
            Self::AcceptedByPool(_) => "rejected_by_pool",
            Self::NotUsedBefore => "used_before",
        }
    }

    /// The rule's numbers and sets, from which an app writes its own message.
    #[must_use]
    pub fn params(&self) -> Value {
        match self {
            Self::MinLength(min) => json!({ "minLength": min }),
            Self::MaxLength(max) => json!({ "maxLength": max }),
            Self::Requires(CharacterClass::Symbol) => json!({ "symbols": SYMBOLS }),
            Self::AcceptedByPool(requirement) => json!({ "requirement": requirement }),
            Self::Requires(_)
            | Self::NoEdgeSpace
            | Self::DiffersFromPrevious
            | Self::ExcludesUserName
            | Self::NotUsedBefore => json!({}),
        }
    }

    fn violation(&self, candidate: &Candidate<'_>) -> Option<Violation> {
        let (broken, about_length) = match self {
            Self::MinLength(min) => (candidate.length < *min, true),
            Self::MaxLength(max) => (candidate.length > *max, true),
            Self::Requires(class) => (!class.occurs_in(candidate.text), false),
            Self::NoEdgeSpace => (candidate.text.trim().len() != candidate.text.len(), false),
            Self::DiffersFromPrevious => (candidate.previous == Some(candidate.text), false),
            Self::ExcludesUserName => (candidate.contains_user_name(), false),
            Self::AcceptedByPool(_) | Self::NotUsedBefore => (false, false),
        };
        broken.then(|| Violation {
            rule: self.clone(),
            length: about_length.then_some(candidate.length),
        })
    }
}

/// The rule as an instruction to the user, in English.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinLength(min) => write!(f, "Use at least {min} characters."),
            Self::MaxLength(max) => write!(f, "Use at most {max} characters."),
            Self::Requires(CharacterClass::Lowercase) => {
                f.write_str("Use at least one lower-case letter (a to z).")
            }
            Self::Requires(CharacterClass::Uppercase) => {
                f.write_str("Use at least one upper-case letter (A to Z).")
            }
            Self::Requires(CharacterClass::Digit) => {
                f.write_str("Use at least one digit (0 to 9).")
            }
            Self::Requires(CharacterClass::Symbol) => {
                write!(f, "Use at least one of {SYMBOLS} or a space within the password.")
            }
            Self::NoEdgeSpace => f.write_str("Do not begin or end with a space."),
            Self::DiffersFromPrevious => f.write_str("Choose another password than the last one."),
            Self::ExcludesUserName => f.write_str("Do not use your user name in the password."),
            Self::AcceptedByPool(requirement) => f.write_str(match requirement {
                PoolRequirement::Length => "Use more characters.",
                PoolRequirement::Lowercase => "Use at least one lower-case letter.",
                PoolRequirement::Uppercase => "Use at least one upper-case letter.",
                PoolRequirement::Digit => "Use at least one digit.",
                PoolRequirement::Symbol => "Use at least one symbol.",
                PoolRequirement::Other => "The sign-in service does not accept this password.",
            }),
            Self::NotUsedBefore => f.write_str("Choose a password that you have not used before."),
        }
    }
}

impl Violation {
    /// What Cognito refused although our own rules allowed it.
    #[must_use]
    pub fn found_by_cognito(rule: Rule) -> Self {
        Self { rule, length: None }
    }

    /// The stable code of the broken rule.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.rule.code()
    }
}

/// `code`, `message` and `params`, as the public contract has them.
impl Serialize for Violation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut params = self.rule.params();
        if let Some(length) = self.length {
            params["length"] = length.into();
        }
        let mut violation = serializer.serialize_struct("Violation", 3)?;
        violation.serialize_field("code", self.code())?;
        violation.serialize_field("message", &self.rule.to_string())?;
        violation.serialize_field("params", &params)?;
        violation.end()
    }
}

impl CharacterClass {
    fn occurs_in(self, text: &str) -> bool {
        match self {
            Self::Lowercase => text.bytes().any(|byte| byte.is_ascii_lowercase()),
            Self::Uppercase => text.bytes().any(|byte| byte.is_ascii_uppercase()),
            Self::Digit => text.bytes().any(|byte| byte.is_ascii_digit()),
            Self::Symbol => text.contains(|c| SYMBOLS.contains(c)) || text.trim().contains(' '),
        }
    }
}

impl Candidate<'_> {
    fn contains_user_name(&self) -> bool {
        self.user_name.is_some_and(|name| {
            name.chars().count() >= MIN_USER_NAME
                && self.text.to_lowercase().contains(&name.to_lowercase())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: &str = "
        [length]
        min = 8
        max = 10
        [characters]
        lowercase = true
        uppercase = true
        digit = true
        symbol = true
    ";

    fn codes(
        policy: &str,
        proposed: &str,
        previous: Option<&str>,
        name: &str,
    ) -> Vec<&'static str> {
        let password = |text: &str| Password::from(text.to_owned());
        let user = User { username: Some(name.into()), ..User::default() };
        Policy::from_toml(policy)
            .unwrap()
            .violations(&password(proposed), previous.map(password).as_ref(), &user)
            .iter()
            .map(Violation::code)
            .collect()
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
                "contains_user_name",
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
    fn the_previous_password_and_the_user_name_are_refused() {
        assert_codes("Previous-1", &["same_as_previous"]);
        assert_codes("previous-1", &["missing_uppercase"]);
        assert_codes("xDEMO-1xx", &["contains_user_name"]);
        assert_eq!(codes(STRICT, "aA1!aA1!", None, "aA"), [""; 0]);
        assert_eq!(codes(STRICT, "ÄRGER-12a", None, "Ärger"), ["contains_user_name"]);
        let off = format!(
            "{STRICT}[personal]\nexcludes_user_name = false\ndiffers_from_previous = false"
        );
        assert_eq!(codes(&off, "Demo-demo1", Some("Demo-demo1"), "demo"), [""; 0]);
    }

    #[test]
    fn a_violation_tells_its_numbers_and_never_the_password() {
        let policy = Policy::from_toml(STRICT).unwrap();
        let found = policy.violations(&Password::from("aA1!".to_owned()), None, &User::default());
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
            ("", "missing field `length`"),
            ("[length]", "missing field `min`"),
            ("[length]\nmin = 0", "`length.min` is 0; it must be from 1 to 256"),
            ("[length]\nmin = 9\nmax = 8", "`length.min` is 9; it must be from 1 to 8"),
            ("[length]\nmin = 8\nmax = 257", "`length.max` is 257; it must be from 1 to 256"),
            ("[length]\nmin = \"8\"", "invalid type"),
            ("[length]\nmin = 8\nmimimum = 8", "unknown field `mimimum`"),
            ("[length]\nmin = 8\n[character]", "unknown field `character`"),
            ("[length]\nmin = 8\n[characters]\nletter = true", "unknown field `letter`"),
        ];
        for (text, expected) in cases {
            let error = Policy::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
