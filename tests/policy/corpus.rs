//! Rejection rates of weak passwords, which should be high, and of strong ones, which should be low.

use std::iter;

use change_password::credentials::Password;
use change_password::policy::{PersonalAttribute, PersonalWords, Policy};

use crate::codes;
use crate::kinds::{self, Expected, Kind};

const COMMON: &str = include_str!("../../data/common-passwords.txt");
const DICEWARE: &str = include_str!("data/eff-large-wordlist.txt");

/// The profile `asvs-5` without its minimum length, so that only the content counts.
const ASVS: &str = "profile = \"asvs-5\"\nlength.min = 1";

/// Every rule on content except character classes, which passphrases do not satisfy.
const CONTENT: &str = r#"
    [length]
    min = 1
    [patterns]
    max_run = 3
    max_sequence = 4
    repeated_block = true
    [words]
    common = true
    banned = ["contoso", "fabrikam", "redmond"]
    [strength]
    min_guesses_log10 = 10
"#;

/// User names, given names, family names and addresses with short words. The first ones occur inside
/// other words, such as `Savannah`, `Hammer` (backwards) and `Network`.
const SHORT_NAMES: [&str; 50] = [
    "anna",
    "emma",
    "work",
    "lena",
    "nora",
    "erin",
    "lisa",
    "mina",
    "tina",
    "sara",
    "dana",
    "rena",
    "nina",
    "elle",
    "ella",
    "rita",
    "dora",
    "otto",
    "lars",
    "sven",
    "timo",
    "udo",
    "ana",
    "ann",
    "ian",
    "leo",
    "max",
    "eva",
    "tom",
    "kim",
    "lee",
    "ali",
    "diana",
    "peter",
    "marta",
    "oscar",
    "jonas",
    "clara",
    "elias",
    "irene",
    "Meyer",
    "Unger",
    "Braun",
    "Stone",
    "info@work.io",
    "anna@gmail.com",
    "tina@live.com",
    "lena.ring@mail.ru",
    "ed@port.net",
    "Google_113097248915226",
];

/// Prints the rate of each kind, and fails with a list of the unexpected rates.
#[track_caller]
fn assert_rates(kinds: Vec<Kind>) {
    let mut wrong = Vec::new();
    for Kind { name, expected, passwords } in kinds {
        let rate = percent_refused(ASVS, passwords.into_iter());
        let (bound, holds) = match expected {
            Expected::AtLeast(least) => (format!("at least {least}"), rate >= least),
            Expected::AtMost(most) => (format!("at most {most}"), rate <= most),
        };
        let line = format!("{name}: {rate:.2}% rejected ({bound})");
        println!("{line}");
        if !holds {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn passwords_that_people_make_are_rejected() {
    assert_rates(kinds::bad());
}

#[test]
fn for_languages_not_built_in_the_rates_are_at_least_those_of_the_list_alone() {
    assert_rates(kinds::foreign());
}

#[test]
fn passwords_from_generators_are_rarely_rejected() {
    assert_rates(kinds::good());
}

/// The percentage of passwords that the policy rejects.
fn percent_refused(policy: &str, passwords: impl Iterator<Item = String>) -> f64 {
    let policy = Policy::from_toml(policy).unwrap();
    let mut counts = [0_u32; 2];
    for password in passwords {
        counts[usize::from(!codes(&policy, &password, None).is_empty())] += 1;
    }
    100.0 * f64::from(counts[1]) / f64::from(counts[0] + counts[1])
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn leet(word: &str) -> String {
    let pairs = [('a', "@"), ('e', "3"), ('i', "1"), ('o', "0"), ('s', "$")];
    pairs.iter().fold(word.to_owned(), |word, &(letter, sign)| word.replace(letter, sign))
}

fn separated(word: &str) -> String {
    word.chars().map(String::from).collect::<Vec<_>>().join("-")
}

#[test]
fn at_least_99_percent_of_disguised_common_passwords_are_rejected() {
    type Change = fn(&str) -> String;
    let disguises: [(&str, Change); 5] = [
        ("capitalised, a year and '!'", |word| capitalised(word) + "2026!"),
        ("look-alikes", leet),
        ("digits appended", |word| format!("{word}{}", 7 + 13 * word.len())),
        ("symbols around", |word| format!("!{word}?!")),
        ("doubled or separated", |word| match word.len() % 2 {
            0 => capitalised(word) + word,
            _ => separated(word),
        }),
    ];
    let rates = disguises.map(|(name, disguise)| {
        let commonest = COMMON.lines().take(5_000).map(disguise);
        let rate = percent_refused(ASVS, commonest);
        println!("common passwords, {name}: {rate:.2}% rejected");
        rate
    });
    assert!(rates.iter().sum::<f64>() / 5.0 >= 99.0, "{rates:?}");
}

#[test]
fn at_most_one_in_a_thousand_random_passwords_is_rejected() {
    let mut rng = fastrand::Rng::with_seed(800_634);
    let random = iter::repeat_with(|| {
        iter::repeat_with(|| char::from(rng.u8(b'!'..=b'~'))).take(16).collect()
    });
    let rate = percent_refused(CONTENT, random.take(20_000));
    println!("random passwords of 16 characters: {rate:.3}% rejected");
    assert!(rate <= 0.1);
}

#[test]
fn at_most_one_in_a_thousand_four_word_passphrases_is_rejected() {
    let rate = percent_refused(CONTENT, passphrases().take(20_000));
    println!("passphrases of four words: {rate:.3}% rejected");
    assert!(rate <= 0.1);
}

#[test]
fn at_most_one_in_a_thousand_passphrases_is_rejected_for_containing_a_short_name() {
    let policy =
        Policy::from_toml("length.min = 1\nwords.personal = ['username', 'email']").unwrap();
    let passphrases: Vec<Password> =
        passphrases().take(2_000).map(|text| text.as_str().into()).collect();
    let (mut total, mut highest) = (0.0, ("", 0.0));
    for name in SHORT_NAMES {
        let is_address = name.contains('@');
        let attribute =
            if is_address { PersonalAttribute::Email } else { PersonalAttribute::UserName };
        let personal = PersonalWords::new([(attribute, name)]);
        let is_refused = |it: &&Password| !policy.base().violations(it, None, &personal).is_empty();
        let with_name = Password::from(&*format!("correct-{name}-horse"));
        assert!(is_refused(&&with_name), "{name}");
        let refused = u32::try_from(passphrases.iter().filter(is_refused).count()).unwrap();
        let rate = f64::from(refused) / 20.0;
        total += rate;
        if rate > highest.1 {
            highest = (name, rate);
        }
    }
    let rate = total / 50.0;
    let (name, most) = highest;
    println!("passphrases for short names: {rate:.3}% rejected; at most {most}%, for {name}");
    assert!(rate <= 0.1 && highest.1 <= 0.2, "{rate}, {highest:?}");
}

/// Passphrases of four words of the list, capitalised or not, joined or separated.
fn passphrases() -> impl Iterator<Item = String> {
    let words: Vec<&str> = DICEWARE.lines().collect();
    let mut rng = fastrand::Rng::with_seed(800_634);
    iter::repeat_with(move || {
        let write = if rng.bool() { capitalised } else { str::to_owned };
        let words = [(); 4].map(|()| write(rng.choice(&words).expect("there are words")));
        words.join(rng.choice(["", " ", "-"]).expect("there are separators"))
    })
}
