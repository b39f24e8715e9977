//! Words that a password must not be made of: the organisation's and the user's own.
//!
//! Words and passwords are compared after [`unleet`], in both readings of `1`, `!` and `|`.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::COGNITO_MAX_LENGTH;
use super::normal::{plain, secret, secret_text, unleet};
use super::similarity::within;

/// The fewest code points in which a word can be recognised.
///
/// Source: Microsoft Entra Password Protection, both the shortest term of a custom list and the
/// shortest name that is looked for as a part.
const MIN_WORD: usize = 4;

/// The longest banned word, in code points. Source: as above, custom banned passwords.
const MAX_WORD: usize = 16;

/// The most banned words. Source: as above, custom banned passwords.
const MAX_WORDS: usize = 1000;

/// The points from which a password is accepted. Source: as above, score calculation.
pub(super) const ENOUGH_POINTS: usize = 5;

/// The length of a name that is looked for only where it stands alone, in code points.
///
/// Windows ("Password must meet complexity requirements") looks for names from three on, within
/// words too. But of 100,000 passphrases of four diceware words, 2,005 have "ann" or its reverse
/// within a word, and none has either alone.
const SHORT_NAME: usize = MIN_WORD - 1;

/// What stands for the characters of a text that no word has.
const GAP: char = '\0';

/// How many edits may stand between a password and a long enough word of the user's.
const MAX_EDITS: usize = 2;

/// The organisation's banned words: its name, products and places.
#[derive(Clone, PartialEq, Eq)]
pub struct BannedWords {
    /// As [`unleet`] has them.
    words: BTreeSet<Vec<char>>,
}

/// What is wrong with a list of banned words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BannedWordError {
    /// A longer list than can be checked in no time.
    #[error("{0} banned words; there may be at most {MAX_WORDS}")]
    TooMany(usize),
    /// A word that is found everywhere, or is a password rather than a word.
    #[error("banned word `{word}` has {length} code points; it must have {MIN_WORD} to {MAX_WORD}")]
    Length {
        /// The word as the file has it.
        word: String,
        /// Its length after normalisation, in code points.
        length: usize,
    },
}

impl BannedWords {
    /// Reads the words of a policy file.
    pub(super) fn new(list: &[impl AsRef<str>]) -> Result<Self, BannedWordError> {
        if list.len() > MAX_WORDS {
            return Err(BannedWordError::TooMany(list.len()));
        }
        let mut words = BTreeSet::new();
        for word in list.iter().map(AsRef::as_ref) {
            for reading in readings(word) {
                let reading: Vec<char> = reading.chars().collect();
                let length = reading.len();
                if !(MIN_WORD..=MAX_WORD).contains(&length) {
                    return Err(BannedWordError::Length { word: word.to_owned(), length });
                }
                words.insert(reading);
            }
        }
        Ok(Self { words })
    }

    /// Scores a password: one point for each banned word in it, one for each character besides, in
    /// the reading and the division that make the fewest; counted no further than
    /// [`ENOUGH_POINTS`].
    pub(super) fn points(&self, password: &str) -> usize {
        let points = |reading: &Zeroizing<String>| {
            self.fewest_points(&secret(reading.len(), reading.chars()))
        };
        readings(password).iter().map(points).min().unwrap_or(0)
    }

    /// The fewest points to get through a text, place by place.
    ///
    /// Four words, each with a character added, reach no further than 4 × 17: from most places of an
    /// ordinary password no word can save the score, and in a text of 69 none is looked for.
    fn fewest_points(&self, text: &[char]) -> usize {
        let mut points: Vec<usize> = (0..=text.len()).collect();
        for start in 0..text.len() {
            let (before, rest) = (points[start], &text[start..]);
            points[start + 1] = points[start + 1].min(before + 1);
            let words_left = (ENOUGH_POINTS - 1).saturating_sub(before);
            if rest.len() > words_left * (MAX_WORD + 1) {
                continue;
            }
            for length in self.words.iter().flat_map(|word| lengths_found(word, rest)) {
                points[start + length] = points[start + length].min(before + 1);
            }
        }
        points[text.len()].min(ENOUGH_POINTS)
    }
}

/// The lengths of the parts, from the text's start, that are the word within one edit.
///
/// Two bounds keep the edit from finding words where there are none. At least [`MIN_WORD`] of the
/// word's characters stand, so a word of four must be there in full. And a character added is within
/// the word: one at its end is the next character, or Entra's own example `ContoS0Bl@nkf9!` would
/// lose its `f` to `blank`, and with it the fifth point.
fn lengths_found(word: &[char], text: &[char]) -> impl Iterator<Item = usize> {
    let same = word.iter().zip(text).take_while(|(a, b)| a == b).count();
    // The edit is where word and text part, or at the word's last character.
    let edit = same.min(word.len() - 1);
    let (from_edit, after_edit) = (&word[edit..], &word[edit + 1..]);
    let goes_on = |at: usize, part| text.get(at..).is_some_and(|rest| rest.starts_with(part));
    let may_lose = word.len() > MIN_WORD;
    let missing = may_lose && goes_on(edit, after_edit);
    let changed = (may_lose || same == word.len()) && goes_on(edit + 1, after_edit);
    let added = edit > 0 && goes_on(edit + 1, from_edit);
    [(missing, word.len() - 1), (changed, word.len()), (added, word.len() + 1)]
        .into_iter()
        .filter_map(|(found, length)| found.then_some(length))
}

/// Says how many words there are, and none of them.
impl fmt::Debug for BannedWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BannedWords({})", self.words.len())
    }
}

/// What a user's word is taken from, spelt as Cognito spells it.
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
    /// No more of a value is read than a password could hold: Cognito allows it 2,048 characters.
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

    /// The attributes of which the password contains a word, or is one but for a few edits.
    pub(super) fn found_in(&self, password: &str) -> BTreeSet<PersonalAttribute> {
        let mut texts = readings(password);
        texts.extend([joined_digits(password), standing_alone(password)]);
        let found = |word: &str| texts.iter().any(|text| text.contains(word) || near(text, word));
        self.words.iter().filter(|(_, word)| found(word)).map(|(attribute, _)| *attribute).collect()
    }
}

/// Tells whether the whole text is the word but for some edits, fewer where they would leave less
/// than [`MIN_WORD`] characters of it.
fn near(text: &str, word: &str) -> bool {
    within(text, word, word.chars().count().saturating_sub(MIN_WORD).min(MAX_EDITS))
}

/// Both readings of a text, or its only one.
fn readings(text: &str) -> Vec<Zeroizing<String>> {
    let mut readings = ['i', 'l'].map(|one| unleet(text, one)).to_vec();
    readings.dedup();
    readings
}

/// The name as a whole, without its separators, and its parts; of an e-mail address not the
/// top-level domain, since `.info` is no one's own.
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
            SHORT_NAME if plain(name).all(char::is_alphabetic) => vec![standing_alone(name)],
            _ => Vec::new(),
        })
        .map(|word| word.to_string())
        .collect()
}

/// All digits of the number, and the last four, which are the same with the country's code and
/// without, and the ones shown where a number is masked.
fn phone_numbers(value: &str) -> Vec<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let last = digits.len().checked_sub(4).map(|at| digits[at..].to_owned());
    last.into_iter().chain([digits]).filter(|word| word.len() >= MIN_WORD).collect()
}

/// The spellings of a date that Cognito keeps as `YYYY-MM-DD`.
///
/// The year alone is none: it is one guess in a hundred, and stuck to a word it does not make that
/// word any stronger to the rule on common passwords.
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

/// The text's digits, joined over what is written between those of dates and phone numbers, with a
/// [`GAP`] for each letter.
fn joined_digits(text: &str) -> Zeroizing<String> {
    let joined = plain(text)
        .filter(|c| !c.is_whitespace() && !c.is_ascii_punctuation())
        .map(|c| if c.is_ascii_digit() { c } else { GAP });
    secret_text(text.len(), joined)
}

/// The text with a [`GAP`] for whatever is no letter, and one on either side.
fn standing_alone(text: &str) -> Zeroizing<String> {
    let letters = plain(text).map(|c| if c.is_alphabetic() { c } else { GAP });
    secret_text(text.len() + 2, [GAP].into_iter().chain(letters).chain([GAP]))
}

/// Tells whether a user name is one that Cognito generated: in a pool whose users sign in with an
/// e-mail address or a phone number it is the `sub`, which no one knows by heart.
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

    fn banned(words: &[&str]) -> BannedWords {
        BannedWords::new(words).unwrap()
    }

    #[test]
    fn the_worked_examples_of_entra_have_entras_points() {
        // learn.microsoft.com/entra/identity/authentication/concept-password-ban-bad
        let entra = banned(&["contoso", "blank", "abcdef", "London", "Widget"]);
        for (password, points) in [
            ("C0ntos0Blank12", 4),
            ("ContoS0Bl@nkf9!", 5),
            ("Bl@nK", 1),
            ("abcdeg", 1),
            ("abcdefg", 2),
            ("abcde", 1),
            ("Contoso!1", 3),
            ("Contoso@London", 3),
            ("ContosoWidget", 2),
            ("!Contoso", 2),
            ("LondonHQ", 3),
        ] {
            assert_eq!(entra.points(password), points, "{password}");
        }
    }

    #[test]
    fn a_password_has_the_points_of_its_cheapest_division() {
        let words =
            banned(&["contoso", "contosoblank", "blank", "ällan", "🔑🔒🔑🔒", "שלום", "L1on"]);
        for (password, points) in [
            ("", 0),
            ("abcd", 4),
            ("abcde", 5),
            ("ContosoBlank123", 4),
            ("ContosoBlank1234", 5),
            ("contoso contoso", 3),
            ("contoso-blank-contoso", 3),
            ("blankcontosoblankcontoso", 3),
            ("correct horse battery staple", 5),
            // Within one edit: changed, missing, added; first, within and last.
            ("xontoso", 1),
            ("conxoso", 1),
            ("contosx", 1),
            ("ontoso", 1),
            ("conoso", 1),
            ("contos", 1),
            ("conxtoso", 1),
            ("contosoo", 1),
            ("xcontoso", 2),
            ("contosox", 2),
            // Two edits.
            ("conxosx", 5),
            ("contoos", 2),
            // A word of four in full only.
            ("lion", 1),
            ("llon", 1),
            ("li0n", 1),
            ("l!xon", 1),
            ("lian", 4),
            ("lio", 3),
            ("liom-", 5),
            // Beyond ASCII: an accent, apart or not, hides no word.
            ("ÄLLAN99", 3),
            ("a\u{308}llan99", 3),
            ("🔑🔒🔑🔒🔑🔑🔑", 4),
            ("🔑🔒🔑🔒🔑🔑🔑🔑", 5),
            ("שלוםשלום12", 4),
            ("שלו!!", 5),
            ("blankıß12", 5),
            ("blankıß1", 4),
        ] {
            assert_eq!(words.points(password), points, "{password}");
        }
    }

    #[test]
    fn four_of_the_longest_words_are_refused_and_one_character_more_is_not() {
        let word = "abcdefghijklmnop";
        let words = banned(&[word]);
        let longest = "abcdefgh-ijklmnop".repeat(4);
        assert_eq!(longest.len(), 4 * (MAX_WORD + 1));
        assert_eq!(words.points(&longest), 4);
        assert_eq!(words.points(&format!("{longest}x")), 5);
        assert_eq!(banned(&[]).points("abcd"), 4);
    }

    #[test]
    fn a_list_that_cannot_be_is_refused_by_its_word() {
        let error = |words: &[String]| BannedWords::new(words).unwrap_err().to_string();
        for (word, length) in [("abc", 3), ("", 0), ("🔑🔑🔑", 3), ("abcdefghijklmnopq", 17)]
        {
            let expected =
                format!("banned word `{word}` has {length} code points; it must have 4 to 16");
            assert_eq!(error(&["fine".to_owned(), word.to_owned()]), expected);
        }
        assert_eq!(
            error(&vec!["acme".to_owned(); 1001]),
            "1001 banned words; there may be at most 1000"
        );
        for list in [vec!["acme"; 1000], vec!["abcdefghijklmnop"], vec!["🔑🔑🔑🔑"], vec!["ßßßß"]]
        {
            assert!(BannedWords::new(&list).is_ok());
        }
    }

    #[test]
    fn no_word_is_printed() {
        assert_eq!(format!("{:?}", banned(&["contoso", "acme"])), "BannedWords(2)");
    }

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

    /// The definition, without a thought for time.
    fn naive_points(words: &[&str], text: &[char]) -> usize {
        let edited = |part: &[char], word: &str| {
            let (part, length) = (part.iter().collect::<String>(), word.chars().count());
            let ends = |a: &str, b: &str| {
                a.chars().next() == b.chars().next() && a.chars().last() == b.chars().last()
            };
            part == word
                || within(&part, word, 1)
                    && if part.chars().count() > length { ends(&part, word) } else { length > 4 }
        };
        (1..=text.len())
            .filter(|&end| end == 1 || words.iter().any(|word| edited(&text[..end], word)))
            .map(|end| 1 + naive_points(words, &text[end..]))
            .min()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn points_agree_with_the_definition(
            words in prop::collection::vec("[abé]{4,6}", 0..4),
            text in "[abé]{0,10}",
        ) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let characters: Vec<char> = text.chars().collect();
            let expected = naive_points(&words, &characters).min(ENOUGH_POINTS);
            prop_assert_eq!(banned(&words).points(&text), expected);
        }

        #[test]
        fn another_banned_word_never_raises_points(
            words in prop::collection::vec("[ab1!]{4,16}", 1..9),
            text in "[ab1!]{0,80}",
        ) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (_, fewer) = words.split_first().unwrap();
            prop_assert!(banned(&words).points(&text) <= banned(fewer).points(&text));
        }

        #[test]
        fn no_text_panics(word in "\\PC{0,20}", value in "\\PC{0,300}", text in "\\PC{0,300}") {
            if let Ok(words) = BannedWords::new(&[word]) {
                prop_assert!(words.points(&text) <= ENOUGH_POINTS);
            }
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
