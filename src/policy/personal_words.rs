//! The words of the user's attributes, and a search for them in a password.
//!
//! Words and passwords are compared in all their [`readings`].

use std::collections::BTreeSet;
use std::iter;

use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

use super::characters::COGNITO_MAX_LENGTH;
use super::normalize::{MIN_WORD, nfc, plain, plain_char, readings, secret, secret_text};
use super::similarity::within;

/// The minimum length of a name that consists of letters, in code points. Other words need
/// [`MIN_WORD`].
///
/// Windows ("Password must meet complexity requirements") searches for names of three or more.
const MIN_NAME: usize = MIN_WORD - 1;

/// The minimum length of a word that is found inside another word, and backwards, in code points.
///
/// Shorter words occur in too many unrelated ones, such as `anna` in "Savannah" and `emma` in "Hammer"
/// backwards. They count only if they stand alone.
const MIN_WITHIN: usize = 6;

/// The maximum length of a custom attribute's name after its prefix, in code points.
///
/// Source: Amazon Cognito user pools API reference, `SchemaAttributeType`.
const MAX_CUSTOM_NAME: usize = 20;

const CUSTOM_PREFIX: &str = "custom:";

/// The prefixes, in lower case, that Cognito adds to the user names of users who sign in through
/// another identity provider.
///
/// Source: Amazon Cognito developer guide, "Linking federated users to an existing user profile".
const PROVIDER_PREFIXES: [&str; 4] =
    ["google_", "facebook_", "signinwithapple_", "loginwithamazon_"];

/// Parts of domains that millions of users share: public mail services, and the second-level domains
/// of some countries.
///
/// If a service is missing here, the only effect is that its name counts as the user's own word.
const SHARED_DOMAINS: [&str; 39] = [
    "aol",
    "bol",
    "com",
    "comcast",
    "daum",
    "edu",
    "fastmail",
    "free",
    "freenet",
    "gmail",
    "gmx",
    "googlemail",
    "gov",
    "hotmail",
    "icloud",
    "interia",
    "laposte",
    "libero",
    "live",
    "mac",
    "mail",
    "msn",
    "naver",
    "net",
    "online",
    "onet",
    "orange",
    "org",
    "outlook",
    "proton",
    "protonmail",
    "sapo",
    "uol",
    "verizon",
    "wanadoo",
    "web",
    "yahoo",
    "yandex",
    "zoho",
];

/// Replaces the characters that cannot be part of a number.
const GAP: char = '\0';

/// The maximum number of edits between a password and a word of the user that still counts as equal.
const MAX_EDITS: usize = 2;

/// An attribute of the user whose words a password must not contain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum PersonalAttribute {
    /// The user name, unless Cognito generated it.
    UserName,
    /// The e-mail address and its parts.
    Email,
    /// The full name.
    Name,
    /// The given name.
    GivenName,
    /// The family name.
    FamilyName,
    /// The preferred user name, which the user can change and sign in with.
    PreferredUserName,
    /// The nickname.
    Nickname,
    /// The phone number and its last four digits.
    PhoneNumber,
    /// The birth date in its usual spellings.
    BirthDate,
    /// A custom attribute of the user pool, by its full name, such as `custom:team`.
    Custom(Box<str>),
}

impl PersonalAttribute {
    /// The attribute with this name in a user pool; `None` if a policy cannot name it.
    #[must_use]
    pub fn from_cognito(name: &str) -> Option<Self> {
        Some(match name {
            "email" => Self::Email,
            "name" => Self::Name,
            "given_name" => Self::GivenName,
            "family_name" => Self::FamilyName,
            "preferred_username" => Self::PreferredUserName,
            "nickname" => Self::Nickname,
            "phone_number" => Self::PhoneNumber,
            "birthdate" => Self::BirthDate,
            _ => {
                let length = name.strip_prefix(CUSTOM_PREFIX)?.chars().count();
                let is_name = (1..=MAX_CUSTOM_NAME).contains(&length);
                return is_name.then(|| Self::Custom(name.into()));
            }
        })
    }

    /// The name of the attribute.
    fn as_str(&self) -> &str {
        match self {
            Self::UserName => "username",
            Self::Email => "email",
            Self::Name => "name",
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::PreferredUserName => "preferred_username",
            Self::Nickname => "nickname",
            Self::PhoneNumber => "phone_number",
            Self::BirthDate => "birthdate",
            Self::Custom(name) => name,
        }
    }
}

impl TryFrom<String> for PersonalAttribute {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let username = || (name == Self::UserName.as_str()).then_some(Self::UserName);
        username().or_else(|| Self::from_cognito(&name)).ok_or_else(|| {
            format!(
                "unknown attribute `{name}`; it must be username, email, name, given_name, \
                 family_name, preferred_username, nickname, phone_number, birthdate, or custom: \
                 followed by a name of 1 to {MAX_CUSTOM_NAME} characters"
            )
        })
    }
}

impl Serialize for PersonalAttribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The user's own words, normalised; long words are included backwards too.
pub struct PersonalWords {
    names: BTreeSet<(PersonalAttribute, String)>,
    /// Phone numbers and dates, as digits only.
    numbers: BTreeSet<(PersonalAttribute, String)>,
}

impl PersonalWords {
    /// Extracts the words from a user's attributes.
    ///
    /// Cognito allows values of 2,048 characters. Only the first 256 code points of a value are read,
    /// the maximum length of a password.
    pub fn new<'a>(attributes: impl IntoIterator<Item = (PersonalAttribute, &'a str)>) -> Self {
        let mut own = Self { names: BTreeSet::new(), numbers: BTreeSet::new() };
        for (attribute, value) in attributes {
            let value: String = nfc(value).chars().take(COGNITO_MAX_LENGTH).collect();
            let (kept, words) = match attribute {
                PersonalAttribute::PhoneNumber => (&mut own.numbers, phone_numbers(&value)),
                PersonalAttribute::BirthDate => (&mut own.numbers, birth_dates(&value)),
                _ => (&mut own.names, names(&value)),
            };
            for word in words {
                if word.chars().count() >= MIN_WITHIN {
                    kept.insert((attribute.clone(), word.chars().rev().collect()));
                }
                kept.insert((attribute.clone(), word));
            }
        }
        own
    }

    /// The words in all their readings, including those backwards.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.names.iter().chain(&self.numbers).map(|(_, word)| word.as_str())
    }

    /// The attributes whose words the password contains, or equals within a few edits.
    ///
    /// A short name counts only if it stands alone: between word boundaries, or in a password with
    /// fewer than [`MIN_WORD`] characters besides the user's own words.
    pub(super) fn found_in(&self, password: &str) -> BTreeSet<PersonalAttribute> {
        let texts = readings(password);
        let edges = word_edges(password);
        let mut is_own = secret(edges.len(), iter::repeat_n(false, edges.len()));
        let (mut found, mut contained) = (BTreeSet::new(), BTreeSet::new());
        for (attribute, word) in &self.names {
            let is_long = word.chars().count() >= MIN_WITHIN;
            for text in &texts {
                for (start, end) in places(text, word) {
                    is_own[start..end].fill(true);
                    let stands_alone = edges[start] && edges[end];
                    let kept = if is_long || stands_alone { &mut found } else { &mut contained };
                    kept.insert(attribute.clone());
                }
                if near(text, word) {
                    found.insert(attribute.clone());
                }
            }
        }
        let besides = texts[0].char_indices().filter(|(at, _)| !is_own[*at]);
        if besides.count() < MIN_WORD {
            found.append(&mut contained);
        }
        let digits = joined_digits(password);
        let is_in_digits = |word: &str| digits.contains(word) || near(&digits, word);
        let numbers = self.numbers.iter().filter(|(_, number)| is_in_digits(number));
        found.extend(numbers.map(|(attribute, _)| attribute.clone()));
        found
    }
}

/// The occurrences of a word in a text, as byte ranges, which may overlap.
fn places(text: &str, word: &str) -> impl Iterator<Item = (usize, usize)> {
    text.char_indices()
        .filter(move |(start, _)| text[*start..].starts_with(word))
        .map(move |(start, _)| (start, start + word.len()))
}

/// Whether there is a word boundary at each byte position of a password's [`readings`], the end
/// included.
///
/// Word boundaries are both ends, each side of a character that is not a letter, and the position
/// between a lower-case and an upper-case letter.
fn word_edges(password: &str) -> Zeroizing<Vec<bool>> {
    let mut edges = secret(password.len() * char::MAX.len_utf8() + 1, iter::empty());
    let mut previous: Option<char> = None;
    for (c, plain) in password.chars().filter_map(|c| Some((c, plain_char(c)?))) {
        let are_letters = |p: char| p.is_alphabetic() && c.is_alphabetic();
        edges
            .push(previous.is_none_or(|p| !are_letters(p) || p.is_lowercase() && c.is_uppercase()));
        edges.extend(iter::repeat_n(false, plain.len_utf8() - 1));
        previous = Some(c);
    }
    edges.push(true);
    edges
}

/// Returns whether the whole text equals the word within at most [`MAX_EDITS`] edits, and few enough
/// that at least [`MIN_WORD`] characters of the word are unchanged.
fn near(text: &str, word: &str) -> bool {
    within(text, word, word.chars().count().saturating_sub(MIN_WORD).min(MAX_EDITS))
}

/// The words of a value: the whole value, with and without its separators, and its parts.
///
/// Parts that do not identify the user are left out: UUIDs, the prefix of an identity provider, the
/// top-level domain of an e-mail address, and [`SHARED_DOMAINS`].
fn names(value: &str) -> Vec<String> {
    if is_uuid(value) {
        return Vec::new();
    }
    let has_prefix = |prefix: &&str| {
        value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let prefix = PROVIDER_PREFIXES.iter().find(|prefix| has_prefix(prefix));
    let value = &value[prefix.map_or(0, |prefix| prefix.len())..];
    let is_separator = |c: char| c.is_whitespace() || c.is_ascii_punctuation();
    let (local, domain) = value.split_once('@').unwrap_or((value, ""));
    let domain = domain.rsplit_once('.').map_or(domain, |(rest, _)| rest).to_lowercase();
    let joined: String = local.split(is_separator).collect();
    let of_domain = domain.split(is_separator).filter(|part| !SHARED_DOMAINS.contains(part));
    let is_name = |name: &&str| match plain(name).count() {
        MIN_WORD.. => true,
        MIN_NAME..MIN_WORD => plain(name).all(char::is_alphabetic),
        _ => false,
    };
    [value, &joined]
        .into_iter()
        .chain(local.split(is_separator))
        .chain(of_domain)
        .filter(is_name)
        .flat_map(readings)
        .map(|word| word.to_string())
        .collect()
}

/// All digits of the number, and its last four, which do not depend on the country code and stay
/// visible when a number is masked.
fn phone_numbers(value: &str) -> Vec<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let last = digits.len().checked_sub(4).map(|at| digits[at..].to_owned());
    last.into_iter().chain([digits]).filter(|word| word.len() >= MIN_WORD).collect()
}

/// The common spellings of a date that Cognito stores as `YYYY-MM-DD`.
///
/// The year alone is left out: it is only one of about a hundred, and the estimate of guesses covers
/// it.
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

/// The text without white space and punctuation, and with a [`GAP`] for each character that is not a
/// digit.
fn joined_digits(text: &str) -> Zeroizing<String> {
    let joined = plain(text)
        .filter(|c| !c.is_whitespace() && !c.is_ascii_punctuation())
        .map(|c| if c.is_ascii_digit() { c } else { GAP });
    secret_text(text.len(), joined)
}

/// Returns whether a value is a UUID. If users sign in with an e-mail address or a phone number, the
/// user name is the `sub`, a UUID that nobody remembers.
fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use PersonalAttribute::{
        BirthDate, Custom, Email, FamilyName, GivenName, Name, Nickname, PhoneNumber,
        PreferredUserName, UserName,
    };
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_found(attribute: &PersonalAttribute, value: &str, password: &str, expected: bool) {
        let found = PersonalWords::new([(attribute.clone(), value)]).found_in(password);
        assert_eq!(found.contains(attribute), expected, "{value} in {password}");
    }

    #[test]
    fn a_name_is_found_as_a_whole_or_part_disguised_reversed_or_misspelt() {
        for (attribute, value, password) in [
            (UserName, "demo", "demo"),
            (UserName, "demo", "xDEM0-1xx"),
            (UserName, "demo", "4xDemo"),
            (UserName, "demo", "horseDemo battery"),
            (UserName, "demo", "xdemoxx"),
            (UserName, "Ann", "2Ann-2026"),
            (UserName, "Ann", "correct-Ann-horse"),
            (UserName, "Google_maria.rossi", "xxRossi!"),
            (GivenName, "Anna Smith", "annasmith77"),
            (GivenName, "Harold", "battery-dlorah"),
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
            (FamilyName, "IŞIK", "xışıkx"),
            (FamilyName, "Wałęsa", "walesa-12"),
            (FamilyName, "Dvořák", "Dvor\u{30c}a\u{301}k12"),
            (FamilyName, "שלום", "1שלום1"),
            (FamilyName, "e\u{301}le\u{301}", "1e\u{301}lé1"),
            (FamilyName, "🔑🔑🔑🔒🔑🔑", "x🔑🔑🔒🔑🔑🔑x"),
            (Name, "Jane Roe", "xx-janeroe-xx"),
            (PreferredUserName, "roadrunner", "Roadrunner-77"),
            (Nickname, "Bugsy", "the-Bugsy-77"),
            (Custom("custom:team".into()), "Falcons", "go-falcons-go"),
            (Custom("custom:staff".into()), "00123456", "x00123456x"),
            (Email, "jane@gmail-example.com", "gmail-example-77"),
            (Email, "jane.roe+work@example.com", "jane-77777"),
            (Email, "jane.roe+work@example.com", "777work777"),
            (Email, "jane.roe+work@example.com", "3xample-77777"),
            (Email, "jr@ab.info", "xxjr@ab.infoxx"),
            (Email, "jane.roe@intranet", "x-intranet-x"),
        ] {
            assert_found(&attribute, value, password, true);
        }
    }

    #[test]
    fn words_that_are_too_short_too_different_or_shared_by_many_are_not_found() {
        for (attribute, value, password) in [
            (UserName, "", "anything"),
            (UserName, "jo", "jo-jo-jo"),
            // Short words inside other words, and backwards.
            (GivenName, "Emma", "Hammer-12"),
            (GivenName, "Anna", "Savannah"),
            (GivenName, "Anna", "hannah-horse"),
            (Email, "info@work.io", "Network-12"),
            (UserName, "demo", "correct-omed-horse"),
            (UserName, "Ann", "correct-nna-horse"),
            (GivenName, "Clara", "declarations"),
            // Words that many users share.
            (UserName, "Google_113097248915226", "google-horse"),
            (UserName, "SignInWithApple_001234", "signinwithapple-horse"),
            (UserName, "loginwithamazon_amzn1", "loginwithamazon"),
            (Email, "jr@gmail.com", "gmail-horse-7"),
            (Email, "jr@yahoo.co.uk", "yahoo-horse-7"),
            (Email, "jr@example.com.au", "horse-com-7"),
            (Custom("custom:id".into()), "0b5c7a1e-3f7d-4a61-9d0c-2f1f6a9f8e77", "x0b5c7a1ex"),
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
            (Email, "jr@example.info", "information"),
            (Email, "ro@example.com", "x-ro-com-x"),
            (UserName, "---", "-- -- -- --"),
            (UserName, "\u{301}\u{301}\u{301}\u{301}", "anything"),
            (GivenName, "    ", "horse 4 horse"),
        ] {
            assert_found(&attribute, value, password, false);
        }
        assert_found(&UserName, "0b5c7a1e-3f7d-4a61-9d0c-2f1f6a9f8e7", "xx0b5c7a1exx", true);
        assert_found(&UserName, "0b5c7a1e-3f7d-4a61-9d0c-2f1f6a9f8e7g", "xx0b5c7a1exx", true);
    }

    #[test]
    fn a_phone_number_is_found_as_a_whole_or_by_its_last_four_digits() {
        let number = "+15551234567";
        for password in [
            "4567",
            "x-4567-x",
            "(555) 123-4567",
            "x45.67x",
            "x7654321555x-1",
            "15559994567",
            "1555123456",
        ] {
            assert_found(&PhoneNumber, number, password, true);
        }
        for password in ["567", "45a67", "5551234", "4568", "155512399", "٤٥٦٧", "7654aaa"] {
            assert_found(&PhoneNumber, number, password, false);
        }
        assert_found(&PhoneNumber, "+12", "12", false);
        assert_found(&PhoneNumber, "", "", false);
    }

    #[test]
    fn a_birth_date_is_found_in_its_common_spellings() {
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
            assert_found(&BirthDate, "1987-05-09", password, true);
        }
        for password in ["Anna1987", "x0509x", "09ab05ab1987", "x19870510x", "19781210"] {
            assert_found(&BirthDate, "1987-05-09", password, false);
        }
        for value in ["", "1987", "--", "é-é-é", "a-b-c", "  -  -  "] {
            assert_found(&BirthDate, value, "1987", false);
        }
    }

    #[test]
    fn attribute_names_are_read_and_written_in_cognitos_spelling() {
        for name in [
            "username",
            "email",
            "name",
            "given_name",
            "family_name",
            "preferred_username",
            "nickname",
            "phone_number",
            "birthdate",
            "custom:a",
            "custom:employee_number_1234",
        ] {
            let attribute = PersonalAttribute::try_from(name.to_owned());
            assert_eq!(attribute.as_ref().map(PersonalAttribute::as_str), Ok(name));
            let from_pool = PersonalAttribute::from_cognito(name);
            assert_eq!(from_pool, attribute.ok().filter(|attribute| *attribute != UserName));
        }
        for name in [
            "",
            "age",
            "Email",
            "custom:",
            "custom",
            "dev:custom:a",
            "custom:123456789012345678901",
        ] {
            let error = PersonalAttribute::try_from(name.to_owned()).unwrap_err();
            assert!(error.contains(&format!("`{name}`")) && error.contains("custom:"), "{error}");
        }
    }

    #[test]
    fn each_found_attribute_is_listed_once_in_cognitos_spelling() {
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
            let words = PersonalWords::new(all.map(|attribute| (attribute, &*value)));
            words.found_in(&text);
            words.found_in(&value);
        }

        #[test]
        fn adding_an_attribute_never_hides_another(a in "[ab1@. ]{0,9}", b in "[ab1@. ]{0,9}", text in "[ab1]{0,12}") {
            let fewer = PersonalWords::new([(Email, &*a)]).found_in(&text);
            let more = PersonalWords::new([(Email, &*a), (UserName, &*b)]).found_in(&text);
            prop_assert!(more.is_superset(&fewer));
        }
    }
}
