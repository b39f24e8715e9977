//! One rule: its code, parameters, message and check in one place, so that they always agree.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::banned_words::{BannedWords, MIN_POINTS};
use super::characters::{COGNITO_MAX_LENGTH, CharacterClass, SYMBOLS};
use super::hard_to_type::{self, HardToType};
use super::messages;
use super::patterns;
use super::personal_words::{PersonalAttribute, PersonalWords};
use super::similarity::{differ_only_by_counter, within};
use super::strength::{self, Kind, Strength};
use crate::language::Language;

/// One rule of a policy.
///
/// Lengths and counts are in code points.
#[derive(Debug, Clone)]
pub enum Rule {
    /// The minimum length.
    MinLength(usize),
    /// The maximum length.
    MaxLength(usize),
    /// The minimum number of characters of a class.
    Requires(CharacterClass, usize),
    /// The minimum number of the four character classes.
    RequiresClasses(usize),
    /// No white space at either end: Cognito rejects it, and users cannot see it.
    NoEdgeSpace,
    /// No characters of these kinds, which are hard to type on another device.
    Typable(&'static [HardToType]),
    /// The maximum length of a run of one character.
    MaxRun(usize),
    /// Not one block repeated, such as `abcabcabc`.
    NoRepeatedBlock,
    /// The maximum length of an alphabetical, numerical or keyboard sequence, in either direction.
    MaxSequence(usize),
    /// Not on the list of common passwords.
    NotCommon,
    /// The minimum number of guesses that an attacker needs, by an estimate.
    MinGuesses(Arc<Strength>),
    /// Not made mostly of the organisation's banned words, which no response reveals.
    NoBannedWords(Arc<BannedWords>),
    /// No words from these attributes of the user.
    NoPersonalWords(Vec<PersonalAttribute>),
    /// The minimum number of edits from the previous password; 1 allows any other password.
    DiffersFromPrevious(usize),
    /// Not the previous password with only its number changed.
    NotACounter,
    /// Not in a known breach; only the breach service can check this.
    NotBreached,
    /// Accepted by the user pool's own policy, which only Cognito checks. Cognito rejects a password
    /// that passes all other rules if the pool's policy is stricter.
    AcceptedByPool(PoolRequirement),
    /// Not used before; only Cognito has the password history.
    NotUsedBefore,
}

/// The requirement of the user pool's own policy that a password breaks, as reported by Cognito.
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
    /// A requirement that Cognito's message does not name in a known form.
    Other,
}

/// A rule that a proposed password breaks, with details.
///
/// The details are a length, kinds of characters or parts, or names of attributes. No part of the
/// password is kept.
#[derive(Debug, Clone)]
pub struct Violation {
    rule: Rule,
    found: Option<Found>,
}

/// The details of a violation.
#[derive(Debug, Clone)]
enum Found {
    /// The length of the password, in code points.
    Length(usize),
    /// The kinds of characters that are hard to type.
    HardToType(BTreeSet<HardToType>),
    /// The kinds of parts that are easy to guess.
    WeakParts(BTreeSet<Kind>),
    /// The user's attributes whose words the password contains.
    Attributes(BTreeSet<PersonalAttribute>),
}

/// A proposed password, with the previous password and the user's words.
pub(super) struct Candidate<'a> {
    /// The password in [`nfc`](super::normalize::nfc).
    pub(super) text: &'a str,
    /// The password as it is sent to Cognito.
    pub(super) sent: &'a str,
    /// The previous password, in the same form as `text`.
    pub(super) previous: Option<&'a str>,
    pub(super) personal: &'a PersonalWords,
}

impl Candidate<'_> {
    /// The number of characters of a class, in `text` or in `sent`, whichever has fewer.
    ///
    /// Cognito counts the characters of `sent`. The Greek question mark, for example, becomes a
    /// semicolon in NFC, but is not a symbol as sent.
    fn count(&self, class: CharacterClass) -> usize {
        class.count(self.text).min(class.count(self.sent))
    }
}

impl Rule {
    /// All codes, in the order of [`Self::code`].
    pub const CODES: [&'static str; 22] = [
        "too_short",
        "too_long",
        "missing_lowercase",
        "missing_uppercase",
        "missing_digit",
        "missing_symbol",
        "too_few_classes",
        "leading_or_trailing_space",
        "hard_to_type",
        "repeated_character",
        "repeated_block",
        "sequence",
        "common_password",
        "too_easy_to_guess",
        "banned_word",
        "personal_word",
        "same_as_previous",
        "too_similar_to_previous",
        "previous_with_other_number",
        "breached_password",
        "rejected_by_pool",
        "used_before",
    ];

    /// The stable code of this rule and its violations.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::MinLength(_) => "too_short",
            Self::MaxLength(_) => "too_long",
            Self::Requires(CharacterClass::Lowercase, _) => "missing_lowercase",
            Self::Requires(CharacterClass::Uppercase, _) => "missing_uppercase",
            Self::Requires(CharacterClass::Digit, _) => "missing_digit",
            Self::Requires(CharacterClass::Symbol, _) => "missing_symbol",
            Self::RequiresClasses(_) => "too_few_classes",
            Self::NoEdgeSpace => "leading_or_trailing_space",
            Self::Typable(_) => "hard_to_type",
            Self::MaxRun(_) => "repeated_character",
            Self::NoRepeatedBlock => "repeated_block",
            Self::MaxSequence(_) => "sequence",
            Self::NotCommon => "common_password",
            Self::MinGuesses(_) => "too_easy_to_guess",
            Self::NoBannedWords(_) => "banned_word",
            Self::NoPersonalWords(_) => "personal_word",
            Self::DiffersFromPrevious(1) => "same_as_previous",
            Self::DiffersFromPrevious(_) => "too_similar_to_previous",
            Self::NotACounter => "previous_with_other_number",
            Self::NotBreached => "breached_password",
            Self::AcceptedByPool(_) => "rejected_by_pool",
            Self::NotUsedBefore => "used_before",
        }
    }

    /// The rule's parameters, from which an app can write its own message.
    #[must_use]
    pub fn params(&self) -> Value {
        match self {
            Self::MinLength(min) => json!({ "minLength": min }),
            Self::MaxLength(max) => json!({ "maxLength": max }),
            Self::Requires(CharacterClass::Symbol, min) => {
                json!({ "minCount": min, "symbols": SYMBOLS })
            }
            Self::Requires(_, min) => json!({ "minCount": min }),
            Self::RequiresClasses(min) => json!({ "minClasses": min, "symbols": SYMBOLS }),
            Self::Typable(kinds) => json!({ "kinds": kinds }),
            Self::MaxRun(max) => json!({ "maxRun": max }),
            Self::MaxSequence(max) => json!({ "maxSequence": max }),
            Self::MinGuesses(strength) => {
                json!({ "minGuessesLog10": strength.min_guesses_log10() })
            }
            Self::NoPersonalWords(attributes) => json!({ "attributes": attributes }),
            Self::DiffersFromPrevious(min) => json!({ "minDistance": min }),
            Self::AcceptedByPool(requirement) => json!({ "requirement": requirement }),
            Self::NoEdgeSpace
            | Self::NoRepeatedBlock
            | Self::NotCommon
            | Self::NoBannedWords(_)
            | Self::NotACounter
            | Self::NotBreached
            | Self::NotUsedBefore => json!({}),
        }
    }

    /// Returns whether an app can check this rule itself, from the rule's parameters and the two
    /// passwords that the user types.
    #[must_use]
    pub fn is_client_checkable(&self) -> bool {
        match self {
            Self::MinLength(_)
            | Self::MaxLength(_)
            | Self::Requires(..)
            | Self::RequiresClasses(_)
            | Self::NoEdgeSpace
            | Self::MaxRun(_)
            | Self::NoRepeatedBlock
            | Self::DiffersFromPrevious(_) => true,
            Self::Typable(_)
            | Self::MaxSequence(_)
            | Self::NotCommon
            | Self::MinGuesses(_)
            | Self::NoBannedWords(_)
            | Self::NoPersonalWords(_)
            | Self::NotACounter
            | Self::NotBreached
            | Self::AcceptedByPool(_)
            | Self::NotUsedBefore => false,
        }
    }

    /// Checks one password. Returns `None` for the rules that only a service or Cognito can check.
    pub(super) fn violation(&self, candidate: &Candidate<'_>) -> Option<Violation> {
        let text = candidate.text;
        let [length, sent_length] = [text, candidate.sent].map(|text| text.chars().count());
        match self {
            Self::MinLength(min) => {
                let length = length.min(sent_length);
                self.broken_if(length < *min).map(|broken| broken.with(Found::Length(length)))
            }
            Self::MaxLength(max) => {
                let fits = sent_length <= COGNITO_MAX_LENGTH;
                let length = if fits { length } else { sent_length };
                self.broken_if(length > *max).map(|broken| broken.with(Found::Length(length)))
            }
            Self::Requires(class, min) => self.broken_if(candidate.count(*class) < *min),
            Self::RequiresClasses(min) => {
                let classes =
                    CharacterClass::ALL.iter().filter(|class| candidate.count(**class) > 0);
                self.broken_if(classes.count() < *min)
            }
            Self::NoEdgeSpace => self.broken_if(text.trim().len() != text.len()),
            Self::Typable(kinds) => {
                let mut found = hard_to_type::found_in(candidate.sent, text);
                found.retain(|kind| kinds.contains(kind));
                self.broken_if(!found.is_empty())
                    .map(|broken| broken.with(Found::HardToType(found)))
            }
            Self::MaxRun(max) => self.broken_if(patterns::longest_run(text) > *max),
            Self::NoRepeatedBlock => self.broken_if(patterns::is_repeated_block(text)),
            Self::MaxSequence(max) => self.broken_if(patterns::longest_sequence(text) > *max),
            Self::NotCommon => self.broken_if(strength::is_common_password(text)),
            Self::MinGuesses(strength) => {
                let parts = strength.weak_parts(text, candidate.personal);
                parts.map(|parts| Violation::from(self.clone()).with(Found::WeakParts(parts)))
            }
            Self::NoBannedWords(words) => self.broken_if(words.points(text) < MIN_POINTS),
            Self::NoPersonalWords(_) => {
                let found = candidate.personal.found_in(text);
                self.broken_if(!found.is_empty())
                    .map(|broken| broken.with(Found::Attributes(found)))
            }
            Self::DiffersFromPrevious(1) => self.broken_if(candidate.previous == Some(text)),
            Self::DiffersFromPrevious(min) => self.broken_if(
                candidate.previous.is_some_and(|previous| within(previous, text, min - 1)),
            ),
            Self::NotACounter => self.broken_if(
                candidate.previous.is_some_and(|previous| differ_only_by_counter(previous, text)),
            ),
            Self::NotBreached | Self::AcceptedByPool(_) | Self::NotUsedBefore => None,
        }
    }

    fn broken_if(&self, broken: bool) -> Option<Violation> {
        broken.then(|| self.clone().into())
    }

    /// The rule as an instruction to the user.
    #[must_use]
    pub fn instruction(&self, language: Language) -> String {
        let key = match self {
            Self::Typable(HardToType::ALWAYS) => "rule_always",
            Self::MinLength(1)
            | Self::MaxLength(1)
            | Self::Requires(_, 1)
            | Self::MaxRun(1)
            | Self::MaxSequence(1) => "rule_one",
            _ => "rule",
        };
        let params = self.params();
        let text = messages::text(language, &format!("{}.{key}", self.code()));
        messages::fill(text, |name| params[name].to_string())
    }
}

/// A violation without details, such as of Cognito's own policy.
impl From<Rule> for Violation {
    fn from(rule: Rule) -> Self {
        Self { rule, found: None }
    }
}

impl Violation {
    /// The stable code of the rule.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.rule.code()
    }

    /// A message for the user: what is wrong, and what to do next.
    #[must_use]
    pub fn message(&self, language: Language) -> String {
        let text = |key: &str| messages::text(language, key);
        let code = self.code();
        let message = match self.rule {
            Rule::AcceptedByPool(requirement) => text(requirement.violation()),
            _ => text(&format!("{code}.violation")),
        };
        messages::fill(message, |name| match (name, &self.found) {
            ("kinds", Some(Found::HardToType(kinds))) => {
                let names: Vec<_> = kinds.iter().map(|kind| text(kind.name())).collect();
                names.join("; ")
            }
            _ => self.rule.instruction(language),
        })
    }

    /// The violation for clients, as a JSON object with `code`, `message` and `params`.
    #[must_use]
    pub fn describe(&self, language: Language) -> Value {
        let mut params = self.rule.params();
        match &self.found {
            None => {}
            Some(Found::Length(length)) => params["length"] = json!(length),
            Some(Found::HardToType(kinds)) => params["kinds"] = json!(kinds),
            Some(Found::Attributes(attributes)) => params["attributes"] = json!(attributes),
            Some(Found::WeakParts(kinds)) => {
                params["weakParts"] = kinds.iter().map(|kind| kind.describe(language)).collect();
            }
        }
        json!({ "code": self.code(), "message": self.message(language), "params": params })
    }

    fn with(self, found: Found) -> Self {
        Self { found: Some(found), ..self }
    }
}

impl PoolRequirement {
    /// The key of the message for a password that Cognito rejected.
    fn violation(self) -> &'static str {
        match self {
            Self::Length => "rejected_by_pool.violations.length",
            Self::Lowercase => "rejected_by_pool.violations.lowercase",
            Self::Uppercase => "rejected_by_pool.violations.uppercase",
            Self::Digit => "rejected_by_pool.violations.digit",
            Self::Symbol => "rejected_by_pool.violations.symbol",
            Self::Other => "rejected_by_pool.violations.other",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::super::normalize::nfc;
    use super::*;
    use crate::policy::Policy;

    const EVERY_RULE: &str = include_str!("../../tests/policy/data/every-rule.toml");

    /// A rule, its code, and pairs of a password that breaks it and a similar one that does not.
    type Boundary = (Rule, &'static str, &'static [(&'static str, &'static str)]);

    /// The previous password is `Winter24!`. The user is `jane.roe`, jane@example.com, born on
    /// 21 June 1987.
    #[expect(clippy::too_many_lines, reason = "it is one table")]
    fn boundaries() -> Vec<Boundary> {
        use CharacterClass::{Digit, Lowercase, Symbol, Uppercase};
        use PersonalAttribute::{BirthDate, Email, UserName};
        let personal = |attribute| Rule::NoPersonalWords(vec![attribute]);
        vec![
            // ASCII, combining accents (composed with their letter, so one code point), emoji outside
            // the BMP (one code point each), right-to-left text.
            (
                Rule::MinLength(4),
                "too_short",
                &[
                    ("abc", "abcd"),
                    ("e\u{301}e\u{301}e", "e\u{301}e\u{301}ee\u{301}"),
                    // U+0958 is one code point as sent and two in NFC. It counts as one.
                    ("ab\u{958}", "abc\u{958}"),
                    ("🔑🔒🔑", "🔑🔒🔑🔒"),
                    ("של\u{5b7}", "שלום"),
                ],
            ),
            (
                Rule::MaxLength(4),
                "too_long",
                &[
                    ("abcde", "abcd"),
                    ("🔑🔒🔑🔒x", "🔑🔒🔑🔒"),
                    ("שלוםx", "שלום"),
                    ("e\u{301}eeee", "e\u{301}eee"),
                ],
            ),
            // Cognito's classes are ASCII only: é, É, ٣ and § belong to none.
            (
                Rule::Requires(Lowercase, 1),
                "missing_lowercase",
                &[("A1!é", "A1!z"), ("A1!e\u{301}", "A1!ee\u{301}")],
            ),
            (Rule::Requires(Lowercase, 2), "missing_lowercase", &[("aA1!", "azA1")]),
            (Rule::Requires(Uppercase, 1), "missing_uppercase", &[("a1!É", "a1!Z")]),
            (Rule::Requires(Digit, 1), "missing_digit", &[("aA!٣", "aA!0")]),
            (Rule::Requires(Digit, 3), "missing_digit", &[("a1b2", "1a23")]),
            (
                Rule::Requires(Symbol, 1),
                "missing_symbol",
                &[("aA1§", "aA1-"), ("aA1€", "a A1"), ("aA1 ", "a A1"), ("aA1\u{37e}", "aA1;")],
            ),
            (Rule::Requires(Symbol, 2), "missing_symbol", &[("1a!b", "1a!b2 c")]),
            (Rule::RequiresClasses(3), "too_few_classes", &[("abAB", "abA1")]),
            (Rule::RequiresClasses(4), "too_few_classes", &[("abA1", "aA1!")]),
            // Any kind of white space, at either end and inside.
            (
                Rule::NoEdgeSpace,
                "leading_or_trailing_space",
                &[
                    (" abcd", "ab cd"),
                    ("abcd\t", "ab\tcd"),
                    ("\u{2003}abcd", "ab\u{2003}cd"),
                    ("שלום\u{a0}", "ש\u{a0}לום"),
                ],
            ),
            (
                Rule::Typable(HardToType::ALWAYS),
                "hard_to_type",
                &[
                    ("a\tb", "a\u{a0}b"),
                    ("ab\u{200b}", "a\u{200b}b"),
                    ("a\u{2028}b", "e\u{301}“ﬁ”"),
                ],
            ),
            (
                Rule::Typable(HardToType::ALL),
                "hard_to_type",
                &[
                    ("a\u{a0}b", "a b"),
                    ("a\u{200b}b", "می\u{200c}خواهم"),
                    ("e\u{301}", "é"),
                    ("\u{1112}\u{1161}\u{11ab}", "한"),
                    ("“ﬁ”", "\"fi\""),
                ],
            ),
            (
                Rule::MaxRun(2),
                "repeated_character",
                &[("xaaax", "xaaxa"), ("🔑🔑🔑", "🔑🔑🔒"), ("ששש", "ששל")],
            ),
            (
                Rule::NoRepeatedBlock,
                "repeated_block",
                &[
                    ("abcabcabc", "abcabxabc"),
                    ("שלוםשלום", "שלוםשלוא"),
                    ("e\u{301}🔑e\u{301}🔑", "e\u{301}🔑e🔑"),
                ],
            ),
            // The alphabet, digits and keyboards, in either direction and any letter case.
            (
                Rule::MaxSequence(3),
                "sequence",
                &[
                    ("x-abcd", "x-abce"),
                    ("x-DcbA", "x-DcbB"),
                    ("x-7890", "x-7891"),
                    ("x-qwer", "x-qwet"),
                    ("x-wxcv", "x-wxcb"),
                    ("x-tzui", "x-tzuo"),
                    ("🔑qwer", "🔑qweש"),
                ],
            ),
            (
                Rule::NotCommon,
                "common_password",
                &[
                    ("password", "passwolf"),
                    ("PassWord", "Password2026!"),
                    ("ｐａｓｓｗｏｒｄ", "ｐａｓｓwølf"),
                    ("Pa\u{301}ssword", "пассворд"),
                ],
            ),
            // 10^10 guesses.
            (
                min_guesses(10_000, &["contoso"]),
                "too_easy_to_guess",
                &[
                    ("P@ssw0rd2026!", "P@ssw0rk2026!hT"),
                    ("monkey-tiger-428", "monkey-tiger-4283"),
                    ("Kowalski1987!", "Kowalski-19h7!qxw"),
                    ("wtbhvqs", "wtbhvqsk"),
                    ("hvbtwq7", "7hvbtwq7"),
                    ("C0ntoso-jane.roe", "C0ntoso-jame.roke"),
                    ("密码🔑", "密码🔑🔒"),
                ],
            ),
            // Four points are too few; five are enough.
            (
                banned(&["contoso", "blank", "שלום"]),
                "banned_word",
                &[
                    ("C0ntos0Blank12", "ContoS0Bl@nkf9!"),
                    ("Contosx123", "Contosx1234"),
                    ("שלום123", "שלום1234"),
                ],
            ),
            (personal(UserName), "personal_word", &[("x-J4neRoe-x", "x-JmneRme-x")]),
            (
                personal(Email),
                "personal_word",
                &[("99elpmaxe99", "99elpmbxe99"), ("x-Jane-x", "xx-janet-x")],
            ),
            (personal(BirthDate), "personal_word", &[("x-21.06.1987-x", "x-21.06.1994-x")]),
            (Rule::DiffersFromPrevious(1), "same_as_previous", &[("Winter24!", "winter24!")]),
            (
                Rule::DiffersFromPrevious(3),
                "too_similar_to_previous",
                &[("Vinter2!", "Vimter2!"), ("Winter24🔑ש", "Winter2🔑שs")],
            ),
            (Rule::NotACounter, "previous_with_other_number", &[("Winter25!", "Winter25?")]),
        ]
    }

    fn min_guesses(thousandths: u32, banned: &[&str]) -> Rule {
        let banned = Arc::new(BannedWords::new(banned).unwrap());
        Rule::MinGuesses(Arc::new(Strength::new(thousandths, &Language::ALL.into(), banned)))
    }

    fn banned(words: &[&str]) -> Rule {
        Rule::NoBannedWords(Arc::new(BannedWords::new(words).unwrap()))
    }

    fn check(rule: &Rule, text: &str, previous: Option<&str>) -> Option<Violation> {
        let known = [
            (PersonalAttribute::UserName, "jane.roe"),
            (PersonalAttribute::Email, "jane@example.com"),
            (PersonalAttribute::BirthDate, "1987-06-21"),
        ];
        let wanted: &[_] = match rule {
            Rule::NoPersonalWords(attributes) => attributes,
            Rule::MinGuesses(_) => &[PersonalAttribute::UserName],
            _ => &[],
        };
        let known = known.into_iter().filter(|(attribute, _)| wanted.contains(attribute));
        let personal = &PersonalWords::new(known);
        let (form, previous) = (nfc(text), previous.map(nfc));
        let previous = previous.as_ref().map(|previous| previous.as_str());
        rule.violation(&Candidate { text: &form, sent: text, previous, personal })
    }

    /// Every rule that the function itself checks, as in `every-rule.toml`.
    ///
    /// The match returns each rule's successor and has no `_` arm, so a new variant of [`Rule`] does
    /// not compile until it is added to this list.
    fn every_rule() -> impl Iterator<Item = Rule> {
        let next = |rule: &Rule| {
            Some(match rule {
                Rule::MinLength(_) => Rule::MaxLength(256),
                Rule::MaxLength(_) => Rule::Requires(CharacterClass::Lowercase, 1),
                Rule::Requires(CharacterClass::Lowercase, _) => {
                    Rule::Requires(CharacterClass::Uppercase, 1)
                }
                Rule::Requires(CharacterClass::Uppercase, _) => {
                    Rule::Requires(CharacterClass::Digit, 1)
                }
                Rule::Requires(CharacterClass::Digit, _) => {
                    Rule::Requires(CharacterClass::Symbol, 1)
                }
                Rule::Requires(CharacterClass::Symbol, _) => Rule::RequiresClasses(4),
                Rule::RequiresClasses(_) => Rule::NoEdgeSpace,
                Rule::NoEdgeSpace => Rule::Typable(HardToType::ALL),
                Rule::Typable(_) => Rule::MaxRun(3),
                Rule::MaxRun(_) => Rule::NoRepeatedBlock,
                Rule::NoRepeatedBlock => Rule::MaxSequence(4),
                Rule::MaxSequence(_) => Rule::NotCommon,
                Rule::NotCommon => {
                    min_guesses(10_000, &["contoso", "fabrikam", "redmond", "northwind"])
                }
                Rule::MinGuesses(_) => banned(&["contoso", "fabrikam", "redmond", "northwind"]),
                Rule::NoBannedWords(_) => Rule::NoPersonalWords(vec![
                    PersonalAttribute::UserName,
                    PersonalAttribute::Email,
                ]),
                Rule::NoPersonalWords(_) => Rule::DiffersFromPrevious(4),
                Rule::DiffersFromPrevious(_) => Rule::NotACounter,
                // Only a service or Cognito can check the others.
                Rule::NotACounter
                | Rule::NotBreached
                | Rule::AcceptedByPool(_)
                | Rule::NotUsedBefore => return None,
            })
        };
        iter::successors(Some(Rule::MinLength(12)), next)
    }

    #[test]
    fn each_rule_rejects_a_password_just_beyond_its_boundary_and_accepts_one_on_it() {
        for (rule, code, cases) in boundaries() {
            for (rejected, accepted) in cases {
                let code_of = |text| check(&rule, text, Some("Winter24!")).map(|v| v.code());
                assert_eq!(code_of(rejected), Some(code), "{rule:?} rejects {rejected:?}");
                assert_eq!(code_of(accepted), None, "{rule:?} accepts {accepted:?}");
            }
        }
    }

    #[test]
    fn every_rule_that_the_function_checks_has_a_boundary_in_the_table() {
        let boundaries = boundaries();
        for rule in every_rule() {
            let code = rule.code();
            assert!(boundaries.iter().any(|(_, tested, _)| *tested == code), "{code}");
        }
    }

    #[test]
    fn every_rule_toml_turns_on_every_rule_that_the_function_checks() {
        let policy = Policy::from_toml(EVERY_RULE).unwrap();
        let details = |rule: &Rule| format!("{rule:?}");
        let turned_on: Vec<String> = policy.base().list().iter().map(details).collect();
        let expected: Vec<String> = every_rule().map(|rule| details(&rule)).collect();
        assert_eq!(turned_on, expected);
    }

    #[test]
    fn the_list_of_codes_contains_the_code_of_each_rule() {
        let others = [
            Rule::DiffersFromPrevious(1),
            Rule::NotBreached,
            Rule::AcceptedByPool(PoolRequirement::Other),
            Rule::NotUsedBefore,
        ];
        let mut codes: Vec<_> = every_rule().chain(others).map(|rule| rule.code()).collect();
        let mut listed = Rule::CODES;
        codes.sort_unstable();
        listed.sort_unstable();
        assert_eq!(codes, listed);
    }

    #[test]
    fn composed_and_combining_accents_are_equal_when_compared_with_the_previous_password() {
        let cases = [
            (Rule::DiffersFromPrevious(1), "Zürich24!", "Zu\u{308}rich24!"),
            (Rule::DiffersFromPrevious(2), "Zürich24!", "Zu\u{308}rich24?"),
            (Rule::NotACounter, "Zürich24!", "Zu\u{308}rich25!"),
        ];
        for (rule, one, other) in cases {
            assert!(check(&rule, one, Some(other)).is_some(), "{rule:?}");
            assert!(check(&rule, other, Some(one)).is_some(), "{rule:?}");
        }
    }

    #[test]
    fn a_password_that_as_sent_exceeds_cognitos_maximum_is_too_long() {
        let sent = "e\u{301}".repeat(129);
        let violation = check(&Rule::MaxLength(200), &sent, None);
        let params = &violation.unwrap().describe(Language::En)["params"];
        assert_eq!(*params, json!({ "maxLength": 200, "length": 258 }));
        assert!(check(&Rule::MaxLength(200), &"e\u{301}".repeat(128), None).is_none());
        assert!(check(&Rule::MaxLength(200), &"é".repeat(200), None).is_none());
    }

    #[test]
    fn rules_on_the_previous_password_pass_when_there_is_none() {
        for rule in [Rule::DiffersFromPrevious(1), Rule::DiffersFromPrevious(3), Rule::NotACounter]
        {
            assert!(check(&rule, "Winter24!", None).is_none(), "{rule:?}");
        }
    }

    #[test]
    fn a_hard_to_type_violation_lists_the_rejected_kinds_that_the_password_contains() {
        let kinds = |rejected, text| {
            let violation = check(&Rule::Typable(rejected), text, None);
            violation.unwrap().describe(Language::En)["params"]["kinds"].clone()
        };
        let text = "e\u{301}\u{a0}’\u{200b}";
        let all = json!(["invisible_end", "odd_space", "smart_punctuation", "not_nfc"]);
        assert_eq!(kinds(HardToType::ALL, text), all);
        assert_eq!(kinds(HardToType::ALWAYS, text), json!(["invisible_end"]));
    }

    #[test]
    fn a_too_easy_to_guess_violation_lists_the_kinds_of_parts_and_never_a_banned_word() {
        let rule = min_guesses(10_000, &["contoso"]);
        for (text, kinds) in [
            ("Contoso2026!", vec!["common_word", "date"]),
            ("xjane.roex", vec!["personal_word"]),
            ("Sommer-Sommer", vec!["common_word", "repeat"]),
            ("Kowalski1qaz", vec!["name", "keyboard_pattern"]),
        ] {
            let violation = check(&rule, text, None).unwrap().describe(Language::En);
            let parts = violation["params"]["weakParts"].as_array().unwrap();
            let found: Vec<_> = parts.iter().map(|part| part["kind"].as_str().unwrap()).collect();
            assert_eq!(found, kinds, "{text}");
            assert!(parts.iter().all(|part| part["suggestion"].is_string()));
            assert_eq!(violation["params"]["minGuessesLog10"], 10.0);
            assert!(!violation.to_string().to_lowercase().contains("contoso"));
        }
    }

    #[test]
    fn every_instruction_and_message_is_complete_in_every_language_for_any_count() {
        let of_pool = [
            PoolRequirement::Length,
            PoolRequirement::Lowercase,
            PoolRequirement::Uppercase,
            PoolRequirement::Digit,
            PoolRequirement::Symbol,
            PoolRequirement::Other,
        ];
        let of_classes = CharacterClass::ALL.into_iter();
        let others = of_classes.flat_map(|class| [1, 2].map(|min| Rule::Requires(class, min)));
        let others = others.chain(of_pool.map(Rule::AcceptedByPool)).chain([
            Rule::MinLength(1),
            Rule::MaxLength(1),
            Rule::Typable(HardToType::ALWAYS),
            Rule::MaxRun(1),
            Rule::MaxSequence(1),
            Rule::DiffersFromPrevious(1),
            Rule::NotBreached,
            Rule::NotUsedBefore,
        ]);
        for rule in every_rule().chain(others) {
            let found = match rule {
                Rule::Typable(kinds) => Some(Found::HardToType(kinds.iter().copied().collect())),
                _ => None,
            };
            for language in Language::ALL {
                let violation = Violation { rule: rule.clone(), found: found.clone() };
                for text in [rule.instruction(language), violation.message(language)] {
                    assert!(text.ends_with('.'), "{language:?} {rule:?}: {text}");
                    assert!(!text.contains(['{', '}']) && !text.contains("null"), "{text}");
                }
                assert_ne!(rule.instruction(language), violation.message(language));
            }
        }
    }

    #[test]
    fn a_hard_to_type_message_names_the_kinds_of_characters() {
        let violation = check(&Rule::Typable(HardToType::ALL), "e\u{301}\u{a0}e", None).unwrap();
        assert_eq!(
            violation.message(Language::De),
            "Einige Zeichen lassen sich auf anderen Geräten schwer eingeben: besondere Leerzeichen; \
             Akzente, die getrennt von ihrem Buchstaben eingegeben wurden. Ersetzen oder entfernen Sie sie."
        );
    }

    #[test]
    fn a_violation_contains_the_rules_parameters_and_never_the_password() {
        let violation = check(&Rule::MinLength(8), "aA1!", None);
        assert_eq!(
            violation.unwrap().describe(Language::En),
            json!({
                "code": "too_short",
                "message": "This password is too short. Use at least 8 characters.",
                "params": { "minLength": 8, "length": 4 },
            })
        );
    }
}
