//! The user's own words, taken from the user's attributes, and where a password contains them.
//!
//! Words and passwords are compared in all their [`readings`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::characters::COGNITO_MAX_LENGTH;
use super::normalize::{MIN_WORD, plain, readings, secret_text};
use super::similarity::within;

/// The shortest name that is found, in code points: shorter than [`MIN_WORD`], a name counts only
/// where it stands alone.
///
/// Windows ("Password must meet complexity requirements") looks for names from three on, within
/// words too. But of 100,000 passphrases of four diceware words, 2,005 have "ann" or its reverse
/// within a word, and none has either alone.
const MIN_NAME: usize = MIN_WORD - 1;

/// Replaces the characters of a text that no word contains.
const GAP: char = '\0';

/// The maximum number of edits between a password and a long enough word of the user's.
const MAX_EDITS: usize = 2;

/// A source of the user's own words, spelt as Cognito spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonalAttribute {
    /// The user name, unless it is one that Cognito generated.
    #[serde(rename = "username")]
    UserName,
    /// The e-mail address and its parts.
    Email,
    /// The given name.
    GivenName,
    /// The family name.
    FamilyName,
    /// The phone number and its last four digits.
    PhoneNumber,
    /// The birth date in its usual spellings.
    #[serde(rename = "birthdate")]
    BirthDate,
}

impl PersonalAttribute {
    /// The attribute of this name in a user pool; none if it is not one that a policy can ask for.
    #[must_use]
    pub fn from_cognito(name: &str) -> Option<Self> {
        match name {
            "email" => Some(Self::Email),
            "given_name" => Some(Self::GivenName),
            "family_name" => Some(Self::FamilyName),
            "phone_number" => Some(Self::PhoneNumber),
            "birthdate" => Some(Self::BirthDate),
            _ => None,
        }
    }
}

/// The user's own words, normalised, forwards and backwards.
pub struct PersonalWords {
    words: BTreeSet<(PersonalAttribute, String)>,
}

impl PersonalWords {
    /// Takes the words out of a user's attributes.
    ///
    /// Cognito allows values of 2,048 characters; only as much of a value is read as a password can
    /// hold.
    pub fn new<'a>(attributes: impl IntoIterator<Item = (PersonalAttribute, &'a str)>) -> Self {
        let words = attributes.into_iter().flat_map(|(attribute, value)| {
            let value: String = value.chars().take(COGNITO_MAX_LENGTH).collect();
            let words = match attribute {
                PersonalAttribute::UserName if is_uuid(&value) => Vec::new(),
                PersonalAttribute::PhoneNumber => phone_numbers(&value),
                PersonalAttribute::BirthDate => birth_dates(&value),
                PersonalAttribute::UserName
                | PersonalAttribute::Email
                | PersonalAttribute::GivenName
                | PersonalAttribute::FamilyName => names(&value),
            };
            let both_ways = |word: String| [word.chars().rev().collect(), word];
            words.into_iter().flat_map(both_ways).map(move |word| (attribute, word))
        });
        Self { words: words.collect() }
    }

    /// The words themselves, in all their readings, forwards and backwards.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|(_, word)| word.as_str())
    }

    /// The attributes whose words the password contains, or equals within a few edits.
    pub(super) fn found_in(&self, password: &str) -> BTreeSet<PersonalAttribute> {
        let mut texts = readings(password);
        texts.extend([joined_digits(password), standing_alone(password)]);
        let found = |word: &str| texts.iter().any(|text| text.contains(word) || near(text, word));
        self.words.iter().filter(|(_, word)| found(word)).map(|(attribute, _)| *attribute).collect()
    }
}

/// Tells whether the whole text equals the word within some edits: at most [`MAX_EDITS`], and so
/// few that [`MIN_WORD`] characters of the word remain.
fn near(text: &str, word: &str) -> bool {
    within(text, word, word.chars().count().saturating_sub(MIN_WORD).min(MAX_EDITS))
}

/// The whole name, with and without its separators, and its parts. Of an e-mail address the
/// top-level domain is left out, since `.info` identifies nobody.
fn names(value: &str) -> Vec<String> {
    let is_separator = |c: char| c.is_whitespace() || c.is_ascii_punctuation();
    let (local, domain) = value.split_once('@').unwrap_or((value, ""));
    let domain = domain.rsplit_once('.').map_or(domain, |(rest, _)| rest);
    let joined: String = local.split(is_separator).collect();
    [value, &joined]
        .into_iter()
        .chain(local.split(is_separator))
        .chain(domain.split(is_separator))
        .flat_map(|name| match plain(name).count() {
            MIN_WORD.. => readings(name),
            MIN_NAME..MIN_WORD if plain(name).all(char::is_alphabetic) => {
                vec![standing_alone(name)]
            }
            _ => Vec::new(),
        })
        .map(|word| word.to_string())
        .collect()
}

/// All digits of the number, and its last four, which are the same with and without the country
/// code and stay visible where a number is masked.
fn phone_numbers(value: &str) -> Vec<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let last = digits.len().checked_sub(4).map(|at| digits[at..].to_owned());
    last.into_iter().chain([digits]).filter(|word| word.len() >= MIN_WORD).collect()
}

/// The spellings of a date that Cognito keeps as `YYYY-MM-DD`.
///
/// The year alone is left out: it is one guess in a hundred, and to the rule on common passwords a
/// year beside a word does not make the word any stronger.
fn birth_dates(value: &str) -> Vec<String> {
    let [year, month, day] = value.split('-').collect::<Vec<_>>()[..] else { return Vec::new() };
    let short_year = year.get(2..).unwrap_or(year);
    let [short_month, short_day] = [month, day].map(|number| number.trim_start_matches('0'));
    [(year, month, day), (short_year, month, day), (year, short_month, short_day)]
        .into_iter()
        .flat_map(|(y, m, d)| [format!("{y}{m}{d}"), format!("{d}{m}{y}"), format!("{m}{d}{y}")])
        .filter(|word| word.len() >= MIN_WORD && word.bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

/// The text's digits, without the separators of dates and phone numbers, and with a [`GAP`] for
/// each letter.
fn joined_digits(text: &str) -> Zeroizing<String> {
    let joined = plain(text)
        .filter(|c| !c.is_whitespace() && !c.is_ascii_punctuation())
        .map(|c| if c.is_ascii_digit() { c } else { GAP });
    secret_text(text.len(), joined)
}

/// The text with a [`GAP`] for each character that is not a letter, and one on either side.
fn standing_alone(text: &str) -> Zeroizing<String> {
    let letters = plain(text).map(|c| if c.is_alphabetic() { c } else { GAP });
    secret_text(text.len() + 2, [GAP].into_iter().chain(letters).chain([GAP]))
}

/// Tells whether Cognito generated the user name: in a pool whose users sign in with an e-mail
/// address or a phone number it is the `sub`, which nobody remembers.
fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use PersonalAttribute::{BirthDate, Email, FamilyName, GivenName, PhoneNumber, UserName};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_found(attribute: PersonalAttribute, value: &str, password: &str, expected: bool) {
        let found = PersonalWords::new([(attribute, value)]).found_in(password);
        assert_eq!(found.contains(&attribute), expected, "{value} in {password}");
    }

    #[test]
    fn a_name_is_found_whole_contained_disguised_reversed_and_nearly_the_same() {
        for (attribute, value, password) in [
            (UserName, "demo", "demo"),
            (UserName, "demo", "xDEM0-1xx"),
            (UserName, "demo", "x-omed-x"),
            (UserName, "Ann", "2Ann-2026"),
            (UserName, "Ann", "correct-nna-horse"),
            (UserName, "J. Roe", "ROE1987"),
            (UserName, "jdoe.smith", "99jdoesmith99"),
            (UserName, "jdoe.smith", "99jdoe99"),
            (UserName, "8123-4567", "x8123-4567x"),
            (UserName, "Will1am", "xW1lliamx"),
            (GivenName, "Alexander", "Alexandre"),
            (GivenName, "Alexander", "4lexandr"),
            (GivenName, "Oliver", "xO1iv3rx"),
            (GivenName, "Oliver", "0llverr"),
            (GivenName, "Clara", "C1arx"),
            (GivenName, "Mary Ann", "my-maryann-x"),
            (FamilyName, "O'Neill", "xxoneillxx"),
            (FamilyName, "Ärger", "ÄRGER-12a"),
            (FamilyName, "Straße", "xSTRAẞEx"),
            (FamilyName, "Işık", "xışık-IŞık"),
            (FamilyName, "שלום", "1שלום1"),
            (FamilyName, "e\u{301}le\u{301}", "1e\u{301}lé1"),
            (FamilyName, "🔑🔑🔑🔒", "x🔒🔑🔑🔑x"),
            (Email, "jane.roe+work@example.com", "jane-77777"),
            (Email, "jane.roe+work@example.com", "777work777"),
            (Email, "jane.roe+work@example.com", "3xample-77777"),
            (Email, "jr@ab.info", "xxjr@ab.infoxx"),
            (Email, "jane.roe@intranet", "x-intranet-x"),
        ] {
            assert_found(attribute, value, password, true);
        }
    }

    #[test]
    fn what_is_too_short_too_far_or_no_ones_own_is_not_found() {
        for (attribute, value, password) in [
            (UserName, "", "anything"),
            (UserName, "jo", "jo-jo-jo"),
            (UserName, "aA", "aA1!aA1!"),
            (UserName, "🔑🔑", "🔑🔑🔑"),
            (UserName, "demo", "dem"),
            (UserName, "demo", "dexo"),
            (UserName, "J. Roe", "j-heroes-j"),
            (UserName, "Ann", "planning-2"),
            (
                UserName,
                "0b5c7a1e-3f7d-4a61-9d0c-2f1f6a9f8e77",
                "0b5c7a1e-3f7d-4a61-9d0c-2f1f6a9f8e77",
            ),
            (GivenName, "Clara", "cxaxa"),
            (GivenName, "Oliver", "olxxxr"),
            (GivenName, "Alexander", "alexxxxer"),
            (GivenName, "Alexander", "alex-horse"),
            (FamilyName, "Straße", "STRASSE-1"),
            (FamilyName, "IŞIK", "xışıkx"),
            (Email, "jr@example.info", "information"),
            (Email, "ro@example.com", "x-ro-com-x"),
            (UserName, "---", "-- -- -- --"),
            (UserName, "\u{301}\u{301}\u{301}\u{301}", "anything"),
            (GivenName, "    ", "horse 4 horse"),
        ] {
            assert_found(attribute, value, password, false);
        }
        assert_found(UserName, "0b5c7a1e-3f7d-4a61-9d0c-2f1f6a9f8e7", "xx0b5c7a1exx", true);
        assert_found(UserName, "0b5c7a1e-3f7d-4a61-9d0c-2f1f6a9f8e7g", "xx0b5c7a1exx", true);
    }

    #[test]
    fn a_phone_number_is_found_by_its_last_four_digits() {
        let number = "+15551234567";
        for password in [
            "4567",
            "x-4567-x",
            "(555) 123-4567",
            "x45.67x",
            "7654aaa",
            "15559994567",
            "1555123456",
        ] {
            assert_found(PhoneNumber, number, password, true);
        }
        for password in ["567", "45a67", "5551234", "4568", "155512399", "٤٥٦٧"] {
            assert_found(PhoneNumber, number, password, false);
        }
        assert_found(PhoneNumber, "+12", "12", false);
        assert_found(PhoneNumber, "", "", false);
    }

    #[test]
    fn a_birth_date_is_found_in_its_usual_spellings() {
        for password in [
            "x19870509x",
            "09051987",
            "05-09-1987",
            "9/5/1987",
            "5.9.1987",
            "1987 5 9",
            "870509",
            "aa09.05.87aa",
            "05/09/87",
            "90507891",
            "19870510",
        ] {
            assert_found(BirthDate, "1987-05-09", password, true);
        }
        for password in ["Anna1987", "x0509x", "09ab05ab1987", "x19870510x", "19781210"] {
            assert_found(BirthDate, "1987-05-09", password, false);
        }
        for value in ["", "1987", "--", "é-é-é", "a-b-c", "  -  -  "] {
            assert_found(BirthDate, value, "1987", false);
        }
    }

    #[test]
    fn every_attribute_that_is_found_is_named_once_and_as_cognito_spells_it() {
        let words = PersonalWords::new([
            (BirthDate, "1987-05-09"),
            (Email, "jane@example.com"),
            (UserName, "jane"),
            (GivenName, "Jane"),
            (FamilyName, "Roe"),
            (PhoneNumber, "+15551234567"),
        ]);
        let all = words.found_in("Jane.Roe-09051987-4567");
        assert_eq!(
            serde_json::to_value(all).unwrap(),
            serde_json::json!([
                "username",
                "email",
                "given_name",
                "family_name",
                "phone_number",
                "birthdate"
            ])
        );
        assert!(words.found_in("correct horse battery staple").is_empty());
    }

    proptest! {
        #[test]
        fn no_text_panics(value in "\\PC{0,300}", text in "\\PC{0,300}") {
            let all = [UserName, Email, GivenName, FamilyName, PhoneNumber, BirthDate];
            PersonalWords::new(all.map(|attribute| (attribute, &*value))).found_in(&text);
        }

        #[test]
        fn another_attribute_never_hides_one(a in "[ab1@. ]{0,9}", b in "[ab1@. ]{0,9}", text in "[ab1]{0,12}") {
            let fewer = PersonalWords::new([(Email, &*a)]).found_in(&text);
            let more = PersonalWords::new([(Email, &*a), (UserName, &*b)]).found_in(&text);
            prop_assert!(more.is_superset(&fewer));
        }
    }
}
