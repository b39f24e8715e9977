//! An estimate of the number of guesses that a well-equipped attacker needs for a password.
//!
//! An attacker tries common choices first: words and names by their rank, in the usual disguises,
//! combined with dates, repetitions, sequences and keyboard walks. A password can be divided into such
//! parts in many ways; the estimate is the cost of the cheapest division. The method is that of
//! `zxcvbn` (D. L. Wheeler, USENIX Security 2016), with three differences:
//!
//! - The dictionary has the words of seven languages.
//! - Costs are integers: thousandths of the decimal logarithm of the number of guesses.
//! - Each additional part multiplies the guesses by three, where `zxcvbn` multiplies them by the
//!   factorial of the number of parts. For the two to six parts of most passwords, the results are
//!   about the same. So only the cheapest division up to each position has to be kept, and the time
//!   is linear in the length.

mod cost;
mod dates;
mod dictionary;
mod keyboard;
mod sequences;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::banned_words::BannedWords;
use super::characters::COGNITO_MAX_LENGTH;
use super::messages;
use super::normalize::{looks_like, plain, plain_char, secret, secret_text};
use super::personal_words::PersonalWords;
use crate::language::Language;
use cost::{Cost, GUESSES_10, PART, character};
use dictionary::{Dictionary, LOOK_ALIKE};
use keyboard::Walks;

/// The first letter is a capital: the most common choice by far.
const FIRST_CAPITAL: Cost = 100;

/// The other common choices: the last letter is a capital, or all letters are.
const CAPITALS: Cost = 300;

/// Any other mixture of cases, in addition to [`CAPITALS`]: for each letter of the rarer case.
const MIXED_CASE: Cost = 500;

/// The maximum cost of letter case.
const ANY_CASE: Cost = 2_300;

/// The maximum estimate. The estimation stops when no division can be cheaper.
const MOST: Cost = 20_000;

/// The number of positions between two checks of whether the estimation can stop.
const LOOK_EVERY: usize = 8;

/// The maximum number of dictionary steps for one text. After them, no more words are found.
///
/// This limits the time. In the corpus test, the median is 200 steps and the maximum 1,100. Only long
/// texts that consist mostly of look-alikes need more.
const STEPS: usize = 2_048;

/// The longest entry of the dictionary, in code points.
const LONGEST_WORD: usize = 35;

/// A word is written backwards.
const BACKWARDS: Cost = 300;

/// The minimum length of a backwards word, in code points: shorter ones occur by chance.
const SHORTEST_BACKWARDS: usize = 4;

/// A repetition of an earlier part: one of about ten candidates.
const REPEAT: Cost = 1_000;

/// The minimum length of a repetition, in code points: two characters recur by chance.
const SHORTEST_REPEAT: usize = 3;

/// The maximum distance of a repetition from the original, in code points.
const REPEAT_WINDOW: usize = 64;

/// A separator between all letters or words of a password: one of ten characters.
const SEPARATOR: Cost = 1_000;

/// One of a hundred words of the organisation, and one of ten words of the user.
const BANNED_WORD: Cost = 2_000;
const PERSONAL_WORD: Cost = 1_000;

/// The highest minimum that a policy may set. A random passphrase of five words reaches it.
pub(super) const MAX_GUESSES_LOG10: f64 = 16.0;

/// A set of languages. Common passwords and internationally known names belong to every set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Languages(u8);

impl Languages {
    const EVERYWHERE: u8 = 1 << 7;

    pub(super) fn new(languages: &BTreeSet<Language>) -> Self {
        let bits = languages.iter().map(|language| 1 << *language as u8);
        Self(bits.fold(Self::EVERYWHERE, |all, bit| all | bit))
    }

    fn bits(self) -> u8 {
        self.0
    }
}

/// A kind of part that attackers try early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A common password.
    CommonPassword,
    /// A word of a language, a place, a club, a brand, a phrase, or a banned word.
    CommonWord,
    /// A given name or a family name.
    Name,
    /// A word of the user's attributes.
    PersonalWord,
    /// A year, a day or a date.
    Date,
    /// A keyboard walk.
    KeyboardPattern,
    /// A sequence of letters or digits.
    Sequence,
    /// A repetition of an earlier part.
    Repeat,
    /// No pattern, but too few characters.
    FewCharacters,
}

impl Kind {
    /// The message key of the suggestion for a stronger password.
    fn suggestion(self) -> &'static str {
        match self {
            Self::CommonPassword => "too_easy_to_guess.suggestions.common_password",
            Self::CommonWord => "too_easy_to_guess.suggestions.common_word",
            Self::Name => "too_easy_to_guess.suggestions.name",
            Self::PersonalWord => "too_easy_to_guess.suggestions.personal_word",
            Self::Date => "too_easy_to_guess.suggestions.date",
            Self::KeyboardPattern => "too_easy_to_guess.suggestions.keyboard_pattern",
            Self::Sequence => "too_easy_to_guess.suggestions.sequence",
            Self::Repeat => "too_easy_to_guess.suggestions.repeat",
            Self::FewCharacters => "too_easy_to_guess.suggestions.few_characters",
        }
    }

    /// The kind of a weak part and a suggestion, as a JSON object.
    pub(super) fn describe(self, language: Language) -> Value {
        json!({ "kind": self, "suggestion": messages::text(language, self.suggestion()) })
    }
}

/// The estimate for a password, and the kinds of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Estimate {
    /// In thousandths of the decimal logarithm.
    pub(super) cost: u32,
    /// The kinds of the parts in the cheapest division.
    pub(super) kinds: BTreeSet<Kind>,
    /// The number of dictionary steps, at most slightly more than [`STEPS`] for each division.
    steps: usize,
}

/// The settings of the rule on guesses: the minimum, the languages and the banned words.
#[derive(Debug)]
pub struct Strength {
    /// In thousandths of the decimal logarithm.
    min: Cost,
    languages: Languages,
    banned: Arc<BannedWords>,
}

impl Strength {
    pub(super) fn new(min: Cost, languages: &BTreeSet<Language>, banned: Arc<BannedWords>) -> Self {
        Self { min, languages: Languages::new(languages), banned }
    }

    /// The decimal logarithm of the minimum number of guesses.
    pub(super) fn min_guesses_log10(&self) -> f64 {
        f64::from(self.min) / f64::from(GUESSES_10)
    }

    /// The kinds of parts of a password that needs too few guesses; `None` if it needs enough.
    ///
    /// A banned word counts as a common word, so that only the rule on banned words reveals one.
    pub(super) fn weak_parts(
        &self,
        text: &str,
        personal: &PersonalWords,
    ) -> Option<BTreeSet<Kind>> {
        let own = OwnWords::new(Some(&self.banned), personal);
        let Estimate { cost, kinds, .. } = estimate(text, self.languages, &own);
        (cost < self.min).then_some(kinds)
    }
}

/// The decimal logarithm of the guesses for a password, estimated without banned words.
pub(super) fn guesses_log10(
    text: &str,
    languages: &BTreeSet<Language>,
    personal: &PersonalWords,
) -> f64 {
    let own = OwnWords::new(None, personal);
    f64::from(estimate(text, Languages::new(languages), &own).cost) / f64::from(GUESSES_10)
}

impl Estimate {
    fn most(steps: usize) -> Self {
        Self { cost: MOST, kinds: BTreeSet::new(), steps }
    }
}

/// The banned words and the user's own words, sorted by their first letters.
pub(super) struct OwnWords<'a>(Vec<OwnWord<'a>>);

struct OwnWord<'a> {
    word: Cow<'a, [char]>,
    kind: Kind,
    cost: Cost,
}

impl<'a> OwnWords<'a> {
    pub(super) fn new(banned: Option<&'a BannedWords>, personal: &PersonalWords) -> Self {
        let banned = banned.into_iter().flat_map(BannedWords::words).map(|word| OwnWord {
            word: word.into(),
            kind: Kind::CommonWord,
            cost: BANNED_WORD,
        });
        let personal = personal.words().map(|word| OwnWord {
            word: word.chars().collect(),
            kind: Kind::PersonalWord,
            cost: PERSONAL_WORD,
        });
        let mut words: Vec<_> = banned.chain(personal).collect();
        words.sort_by_key(|own| own.word.first().copied());
        Self(words)
    }

    /// Calls `found` with the length, cost and kind of each word at the start of the text.
    fn find(&self, text: &[char], mut found: impl FnMut(usize, Cost, Kind)) {
        let Some(&first) = text.first() else { return };
        for letter in iter::once(first).chain(looks_like(first).chars()) {
            let from = self.0.partition_point(|own| own.word.first() < Some(&letter));
            for own in self.0[from..].iter().take_while(|own| own.word.first() == Some(&letter)) {
                if let Some(cost) = spelled(&own.word, text) {
                    found(own.word.len(), own.cost + cost, own.kind);
                }
            }
        }
    }
}

/// Estimates the guesses for a password.
///
/// A password of more than 256 code points gets the maximum, because Cognito rejects it anyway.
pub(super) fn estimate(password: &str, languages: Languages, own: &OwnWords<'_>) -> Estimate {
    let text = Text::new(password);
    if text.folded.len() > COGNITO_MAX_LENGTH {
        return Estimate::most(0);
    }
    let whole = Division::cheapest(&text, languages, own);
    let joined = text.separator().map(|separator| {
        let joined = Division::cheapest(&text.without(separator), languages, own);
        let cost = (joined.cost + SEPARATOR + PART).min(MOST);
        Estimate { cost, steps: joined.steps + whole.steps, ..joined }
    });
    match joined {
        Some(joined) if joined.cost < whole.cost => joined,
        Some(joined) => Estimate { steps: joined.steps, ..whole },
        None => whole,
    }
}

/// Returns whether a password is on the list of common passwords. Case, width and accents are ignored.
pub(super) fn is_common_password(password: &str) -> bool {
    let text = secret_text(password.len(), plain(password));
    Dictionary::new().is_common_password(&text)
}

/// A password as written and in its [`plain`] form, character by character.
struct Text {
    written: Zeroizing<Vec<char>>,
    folded: Zeroizing<Vec<char>>,
}

impl Text {
    fn new(password: &str) -> Self {
        let length = password.len();
        let pairs = || password.chars().filter_map(|c| Some((c, plain_char(c)?)));
        Self {
            written: secret(length, pairs().map(|(c, _)| c)),
            folded: secret(length, pairs().map(|(_, c)| c)),
        }
    }

    /// The most frequent symbol or space between two letters or digits, if it occurs at least twice.
    fn separator(&self) -> Option<char> {
        let between = self.folded.windows(3).filter(|around| {
            !around[1].is_alphanumeric()
                && around[0].is_alphanumeric()
                && around[2].is_alphanumeric()
        });
        let mut separators = secret(self.folded.len(), between.map(|around| around[1]));
        separators.sort_unstable();
        let most = separators.chunk_by(char::eq).max_by_key(|same| same.len())?;
        (most.len() > 1).then_some(most[0])
    }

    fn without(&self, separator: char) -> Self {
        let length = self.folded.len();
        let kept = |which: &Zeroizing<Vec<char>>| {
            let both = which.iter().zip(self.folded.iter());
            secret(length, both.filter(|(_, c)| **c != separator).map(|(c, _)| *c))
        };
        Self { written: kept(&self.written), folded: kept(&self.folded) }
    }
}

/// The cheapest division of a text up to each position.
struct Division<'t> {
    text: &'t Text,
    dictionary: Dictionary,
    languages: Languages,
    /// The remaining dictionary steps.
    steps: usize,
    /// The number of capitals before each position.
    capitals: Vec<u16>,
    /// The number of letters before each position.
    letters: Vec<u16>,
    best: Vec<Step>,
    /// The cheapest division whose last part has no pattern.
    loose: Vec<Step>,
}

/// The last part of the cheapest division up to a position.
#[derive(Clone, Copy)]
struct Step {
    cost: Cost,
    start: usize,
    /// `None` for characters without a pattern.
    kind: Option<Kind>,
}

const UNREACHED: Step = Step { cost: Cost::MAX, start: 0, kind: None };

impl<'t> Division<'t> {
    fn cheapest(text: &'t Text, languages: Languages, own: &OwnWords<'_>) -> Estimate {
        let length = text.folded.len();
        let counts = |is: fn(&char) -> bool| {
            let counts = text.written.iter().scan(0, move |count, c| {
                *count += u16::from(is(c));
                Some(*count)
            });
            iter::once(0).chain(counts).collect()
        };
        let mut division = Self {
            text,
            capitals: counts(|c| c.is_uppercase()),
            letters: counts(|c| c.is_alphabetic()),
            dictionary: Dictionary::new(),
            languages,
            steps: STEPS,
            best: vec![UNREACHED; length + 1],
            loose: vec![UNREACHED; length + 1],
        };
        division.best[0].cost = 0;
        let repeats = text.repeats();
        let walks = Walks::new(&text.written);
        for (place, &repeat) in repeats.iter().enumerate() {
            division.settle(place);
            division.extend(place, repeat, &walks, own);
            if place % LOOK_EVERY == 0 && division.ahead(place) >= MOST {
                return Estimate::most(STEPS - division.steps);
            }
        }
        division.settle(length);
        division.estimate()
    }

    /// Decides the cheapest division up to a position, after all parts that begin earlier are known.
    fn settle(&mut self, place: usize) {
        let text = &self.text.folded;
        // Search backwards only from the end of a run of letters: searching from every letter would
        // double the work.
        if text.get(place).is_none_or(|c| !c.is_alphabetic()) {
            let mut found = Vec::new();
            let back = text[..place].iter().rev();
            let steps = self.dictionary.words(back, self.languages, self.steps, |word| {
                if word.length >= SHORTEST_BACKWARDS {
                    found.push(word);
                }
            });
            self.steps = self.steps.saturating_sub(steps);
            for word in found {
                self.reach(place - word.length, word.length, word.cost + BACKWARDS, word.kind);
            }
        }
        if self.loose[place].cost < self.best[place].cost {
            self.best[place] = self.loose[place];
        }
    }

    /// Extends the division with each part that begins at a position.
    fn extend(&mut self, place: usize, repeat: usize, walks: &Walks, own: &OwnWords<'_>) {
        let text = self.text;
        let (written, folded) = (&text.written[place..], &text.folded[place..]);
        // Adjacent characters without a pattern form one part.
        let cost = character(written[0]);
        let goes_on = self.loose[place].cost.saturating_add(cost);
        let begins = self.best[place].cost + Self::part(place) + cost;
        self.loose[place + 1] = if goes_on < begins {
            Step { cost: goes_on, start: self.loose[place].start, kind: None }
        } else {
            Step { cost: begins, start: place, kind: None }
        };

        if repeat > SHORTEST_REPEAT {
            self.reach(place, repeat, REPEAT, Kind::Repeat);
        }
        // Any word that begins here also begins at the original, so it need not be found again.
        if repeat >= LONGEST_WORD {
            return;
        }
        for length in SHORTEST_REPEAT..=repeat {
            self.reach(place, length, REPEAT, Kind::Repeat);
        }

        let mut found = Vec::new();
        let (dictionary, languages) = (&self.dictionary, self.languages);
        let steps = dictionary.words(folded.iter(), languages, self.steps, |word| found.push(word));
        self.steps = self.steps.saturating_sub(steps);
        for word in found {
            self.reach(place, word.length, word.cost, word.kind);
        }
        own.find(folded, |length, cost, kind| self.reach(place, length, cost, kind));
        walks.find(place, |length, cost| {
            self.reach_plain(place, length, cost, Kind::KeyboardPattern);
        });
        dates::dates(folded, |length, cost| self.reach_plain(place, length, cost, Kind::Date));
        sequences::sequences(folded, |length, cost, kind| self.reach(place, length, cost, kind));
    }

    /// A lower bound for the cost of every division that ends after a position.
    ///
    /// A backwards word across the position could be cheaper, which makes no difference at [`MOST`].
    fn ahead(&self, place: usize) -> Cost {
        let reached = self.best[place + 1..].iter().map(|step| step.cost);
        reached.min().unwrap_or(Cost::MAX).min(self.loose[place + 1].cost)
    }

    /// The additional cost of a part that begins at a position: none for the first part.
    fn part(place: usize) -> Cost {
        if place == 0 { 0 } else { PART }
    }

    /// Records a part, adding the cost of its letter case.
    fn reach(&mut self, start: usize, length: usize, cost: Cost, kind: Kind) {
        let cost = cost + self.case(start, start + length);
        self.reach_plain(start, length, cost, kind);
    }

    /// Records a part without letter case.
    fn reach_plain(&mut self, start: usize, length: usize, cost: Cost, kind: Kind) {
        let cost = self.best[start].cost + Self::part(start) + cost;
        let end = &mut self.best[start + length];
        if cost < end.cost {
            *end = Step { cost, start, kind: Some(kind) };
        }
    }

    /// The cost of the letter case of a part.
    fn case(&self, start: usize, end: usize) -> Cost {
        let count = |counts: &[u16]| usize::from(counts[end] - counts[start]);
        let (large, letters) = (count(&self.capitals), count(&self.letters));
        if large == 0 {
            return 0;
        }
        let is_large = |at: usize| self.capitals[at + 1] > self.capitals[at];
        if large == 1 && is_large(start) {
            return FIRST_CAPITAL;
        }
        if large == letters || large == 1 && is_large(end - 1) {
            return CAPITALS;
        }
        let rarer = Cost::try_from(large.min(letters - large)).unwrap_or(Cost::MAX);
        MIXED_CASE.saturating_mul(rarer).saturating_add(CAPITALS).min(ANY_CASE)
    }

    fn estimate(&self) -> Estimate {
        let mut place = self.best.len() - 1;
        let cost = self.best[place].cost;
        let mut kinds = BTreeSet::new();
        while place > 0 {
            let step = self.best[place];
            kinds.extend(step.kind);
            place = step.start;
        }
        if kinds.is_empty() {
            kinds.insert(Kind::FewCharacters);
        }
        Estimate { cost: cost.min(MOST), kinds, steps: STEPS - self.steps }
    }
}

impl Text {
    /// For each position, the length of the longest text from there that also begins at an earlier
    /// position within the window.
    fn repeats(&self) -> Vec<usize> {
        let text = &self.folded;
        let length = text.len();
        let mut longest = vec![0; length];
        for distance in 1..length.min(REPEAT_WINDOW + 1) {
            let mut same = 0;
            for place in (distance..length).rev() {
                same = if text[place] == text[place - distance] { same + 1 } else { 0 };
                longest[place] = longest[place].max(same);
            }
        }
        longest
    }
}

/// The cost of the look-alikes of a word at the start of the text; `None` if the text does not begin
/// with the word.
fn spelled(word: &[char], text: &[char]) -> Option<Cost> {
    let text = text.get(..word.len())?;
    word.iter().zip(text).try_fold(0, |cost, (&letter, &c)| {
        let added = if letter == c { 0 } else { LOOK_ALIKE };
        (added == 0 || looks_like(c).contains(letter)).then_some(cost + added)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::personal_words::PersonalAttribute;
    use super::*;

    const PASSWORDS: &str = include_str!("../../../data/common-passwords.txt");

    fn of(text: &str, banned: &[&str], user_name: &str) -> Estimate {
        let banned = BannedWords::new(banned).unwrap();
        let personal = PersonalWords::new([(PersonalAttribute::UserName, user_name)]);
        let own = OwnWords::new(Some(&banned), &personal);
        estimate(text, Languages::new(&Language::ALL.into()), &own)
    }

    fn cost(text: &str) -> Cost {
        of(text, &[], "").cost
    }

    #[track_caller]
    fn assert_kinds(text: &str, expected: &[Kind]) {
        let found = of(text, &[], "").kinds;
        assert_eq!(found, expected.iter().copied().collect(), "{text}");
    }

    #[test]
    fn each_kind_of_part_is_recognised() {
        use Kind::{
            CommonPassword, CommonWord, Date, FewCharacters, KeyboardPattern, Name, Repeat,
            Sequence,
        };
        for (text, kinds) in [
            ("dragon", &[CommonPassword][..]),
            ("Einfach", &[CommonWord]),
            ("einfachkowalska", &[CommonWord, Name]),
            ("Frühling2025", &[CommonWord, Date]),
            ("24.12.1987", &[Date]),
            ("1987-12-24", &[Date]),
            ("31121953", &[Date]),
            ("zaq1@WSXcde3", &[KeyboardPattern]),
            ("!QAZ@WSX#EDC", &[KeyboardPattern]),
            ("йцукенгшщ", &[KeyboardPattern]),
            ("qsdfghjklm", &[KeyboardPattern]),
            ("tzuiopü", &[KeyboardPattern]),
            ("jklmnopqrst", &[Sequence]),
            ("8765432", &[Sequence]),
            ("a1b2c3d4e5f6", &[Sequence]),
            ("☃☃☃☃☃☃☃☃", &[Repeat]),
            ("wtbwtbwtb", &[Repeat]),
            ("wtbhv", &[FewCharacters]),
        ] {
            assert_kinds(text, kinds);
        }
    }

    #[test]
    fn a_disguise_adds_little_to_a_word() {
        let word = cost("einfach");
        for disguise in [
            "Einfach",
            "EINFACH",
            "einfacH",
            "e1nf@ch",
            "hcafnie",
            "e-i-n-f-a-c-h",
            "e i n f a c h",
            "einfacheinfach",
            "einfach!!!!",
        ] {
            let cost = cost(disguise);
            assert!((word + 100..=word + 2_000).contains(&cost), "{disguise}: {cost}");
        }
        // Spellings that count as the same word.
        for (one, other) in [
            ("zürich", "zurich"),
            ("straße", "strasse"),
            ("łódź", "lodz"),
            ("ｅｉｎｆａｃｈ", "einfach"),
        ] {
            assert_eq!(cost(one), cost(other), "{one}");
        }
    }

    #[test]
    fn a_more_common_word_needs_fewer_guesses() {
        for (commoner, rarer) in [
            ("password", "octopus"),
            ("always", "cantilever"),
            ("und", "schadenfreude"),
            ("kowalski", "brzozowska"),
        ] {
            assert!(cost(commoner) < cost(rarer), "{commoner} {rarer}");
        }
    }

    #[test]
    fn words_of_languages_that_are_not_configured_are_not_recognised() {
        let own = OwnWords(Vec::new());
        let in_languages = |text, languages: &[Language]| {
            let languages = languages.iter().copied().collect();
            estimate(text, Languages::new(&languages), &own).cost
        };
        let polish = "przedsiebiorstwo";
        assert!(in_languages("najlepszego", &[Language::Pl]) < 5_000);
        assert!(in_languages("najlepszego", &[Language::De, Language::En]) > 8_000);
        assert!(in_languages(polish, &[]) > 15_000);
        // Common passwords are recognised without any language.
        assert!(in_languages("dragon", &[]) < 2_000);
    }

    #[test]
    fn disguised_banned_words_and_words_of_the_user_are_recognised() {
        let unknown = cost("fabrikam-zyxomvqa");
        let banned = of("F@brik4m-zyxomvqa", &["fabrikam"], "");
        let personal = of("fabrikam-Zyx0mvqa", &[], "zyxomvqa");
        assert!(
            banned.cost + 2_000 < unknown && personal.cost + 2_000 < unknown,
            "{banned:?} {personal:?} {unknown}"
        );
        assert!(banned.kinds.contains(&Kind::CommonWord));
        assert!(personal.kinds.contains(&Kind::PersonalWord));
    }

    #[test]
    fn every_entry_of_the_list_is_a_common_password_in_any_case_width_and_accents() {
        assert_eq!(PASSWORDS.lines().count(), 55_511);
        for entry in PASSWORDS.lines() {
            assert!(is_common_password(entry), "{entry}");
        }
        for other in ["PaSsWoRd", "Pássword", "ｐａｓｓｗｏｒｄ", "Пароль"] {
            assert!(is_common_password(other), "{other}");
        }
        for other in ["", "passwodr", "password!x", "p4ssw0rdd", "einfach", "密码🔑"] {
            assert!(!is_common_password(other), "{other}");
        }
    }

    #[test]
    fn longest_word_is_the_length_of_the_longest_entry() {
        let lists = ["en", "de", "fr", "es", "it", "pt", "pl", "expected"].map(|name| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/words");
            std::fs::read_to_string(format!("{folder}/{name}.txt")).unwrap()
        });
        let words = lists.iter().flat_map(|list| list.split_whitespace()).chain(PASSWORDS.lines());
        assert_eq!(words.map(|word| word.chars().count()).max(), Some(LONGEST_WORD));
    }

    #[test]
    fn a_password_of_more_than_256_code_points_gets_the_maximum_estimate() {
        assert!(cost(&"a".repeat(256)) < 5_000);
        assert_eq!(of(&"a".repeat(257), &[], ""), Estimate::most(0));
    }

    /// The cost of trying every combination of characters.
    fn brute_force(text: &str) -> Cost {
        text.chars().map(character).sum()
    }

    proptest! {
        #[test]
        fn an_estimate_and_its_number_of_steps_are_bounded(
            text in prop_oneof![
                "\\PC{0,256}",
                "[1!@03$5]{0,256}",
                "[il1!|]{0,256}",
                "([a-z]{1,9}[0-9!@]{0,3}){0,30}",
                "(1!|@0|l){0,128}",
            ],
        ) {
            let Estimate { cost, steps, .. } = of(&text, &[], "");
            prop_assert!(cost <= MOST && cost <= brute_force(&text));
            // The last dictionary search of each of the two divisions may exceed the limit slightly.
            prop_assert!(steps <= 2 * STEPS + 1_000, "{} steps", steps);
        }

        #[test]
        fn an_additional_known_word_never_raises_the_estimate(
            word in "[a-z1@]{4,9}",
            text in "[a-z1@A-Z -]{0,40}",
        ) {
            let text = format!("{text}{word}");
            let known = of(&text, &[], "").cost;
            prop_assert!(of(&text, &[&word], "").cost <= known);
            prop_assert!(of(&text, &[], &word).cost <= known);
        }

        #[test]
        fn capitals_never_lower_the_estimate_of_letters(text in "[a-zA-Z]{0,30}") {
            prop_assert!(cost(&text.to_lowercase()) <= cost(&text));
        }

        #[test]
        fn a_doubled_text_costs_at_most_a_repetition_more(text in "[ -~]{3,60}") {
            let (once, twice) = (cost(&text), cost(&text.repeat(2)));
            prop_assert!(twice <= once + REPEAT + PART + ANY_CASE, "{} {}", once, twice);
        }
    }
}
