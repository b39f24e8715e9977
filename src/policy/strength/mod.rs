//! How many guesses a well-equipped attacker needs for a password: an estimate.
//!
//! An attacker tries what people choose, the commonest first: words and names by their rank, in the
//! disguises that people know, with dates, repetitions, sequences and walks on a keyboard beside
//! them. A password can be divided into such parts in many ways; the estimate is the cheapest. In
//! spirit it is `zxcvbn`'s (D. L. Wheeler, USENIX Security 2016), with three differences. The words
//! are those of seven languages. Guesses are integers, thousandths of their decimal logarithm. And
//! each further part takes three times the guesses, where `zxcvbn` takes the factorial of their
//! number, which is about the same for the two to six parts of most passwords: so the cheapest
//! division up to each place is all that needs to be known, and the time is linear in the length.

mod cost;
mod dates;
mod dictionary;
mod keyboard;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::banned_words::BannedWords;
use super::characters::COGNITO_MAX_LENGTH;
use super::normalize::{looks_like, plain, secret, secret_text};
use super::personal_words::PersonalWords;
use cost::{Cost, GUESSES_10};
use dictionary::{Dictionary, LOOK_ALIKE};

/// One part more: the attacker also has to try what is put together, and in which order.
const PART: Cost = 477;

/// The first letter large: where nearly every password that needs a capital has it.
const FIRST_CAPITAL: Cost = 100;

/// The other usual ways to write letters large: the last one, or all.
const CAPITALS: Cost = 300;

/// Letters large and small with no such rule, beside [`CAPITALS`]: for each of the rarer case.
const MIXED_CASE: Cost = 500;

/// The highest cost of letter case.
const ANY_CASE: Cost = 2_300;

/// A word read backwards.
const BACKWARDS: Cost = 300;

/// The shortest word that is read backwards, in code points: shorter ones are chance.
const SHORTEST_BACKWARDS: usize = 4;

/// Something of the text once more: one of about ten things before it.
const REPEAT: Cost = 1_000;

/// The shortest repetition, in code points: two characters turn up twice by chance.
const SHORTEST_REPEAT: usize = 3;

/// How far before a place a repetition is looked for, and the longest, in code points.
const REPEAT_WINDOW: usize = 64;

/// A character several times in a row, beside the character.
const RUN: Cost = 400;

/// A sequence from one of its usual ends on (a, z, 0, 1, 9), and from elsewhere.
const SEQUENCE: Cost = 1_200;
const INNER_SEQUENCE: Cost = 2_000;

/// Two sequences by turns, such as `a1b2c3` and `112233`.
const TWO_SEQUENCES: Cost = 2_500;

/// The longest sequence or run that is followed; what goes on after it is another one.
const LONGEST_SEQUENCE: usize = 32;

/// A character between all letters or words of a password, one of ten.
const SEPARATOR: Cost = 1_000;

/// One of the organisation's words, and one of the user's own: of a hundred, and of ten.
const BANNED_WORD: Cost = 2_000;
const PERSONAL_WORD: Cost = 1_000;

/// The highest minimum that a policy may set: a passphrase of five words reaches it.
pub(super) const MAX_GUESSES_LOG10: f64 = 16.0;

/// A language whose words the estimate knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Italian.
    It,
    /// Portuguese.
    Pt,
    /// Polish.
    Pl,
}

impl Language {
    /// All, in the order of `build.rs`.
    pub(super) const ALL: [Self; 7] =
        [Self::En, Self::De, Self::Fr, Self::Es, Self::It, Self::Pt, Self::Pl];
}

/// A set of languages; common passwords and names known everywhere are in each.
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
    /// A password that many people have.
    CommonPassword,
    /// A word of a language, a place, a club, a brand or a phrase, or one of the organisation's.
    CommonWord,
    /// A given name or a family name.
    Name,
    /// A word of the user's own.
    PersonalWord,
    /// A year, a day or a date.
    Date,
    /// A walk on a keyboard.
    KeyboardPattern,
    /// A sequence of letters or digits.
    Sequence,
    /// A part that is there more than once.
    Repeat,
    /// Nothing but characters, and too few of them.
    FewCharacters,
}

impl Kind {
    /// How to make the password stronger, in English.
    pub(super) fn suggestion(self) -> &'static str {
        match self {
            Self::CommonPassword => "Do not build on a password that many people use.",
            Self::CommonWord => "Use several words that have nothing to do with each other.",
            Self::Name => "Avoid the names of people.",
            Self::PersonalWord => "Avoid words that have to do with you.",
            Self::Date => "Avoid years and dates.",
            Self::KeyboardPattern => "Avoid keys that lie side by side.",
            Self::Sequence => "Avoid sequences such as abc or 123.",
            Self::Repeat => "Avoid repeating characters or words.",
            Self::FewCharacters => "Use more characters.",
        }
    }
}

/// How many guesses a password takes, and why not more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Estimate {
    /// In thousandths of the decimal logarithm.
    pub(super) cost: u32,
    /// The kinds of its parts, none of them twice.
    pub(super) kinds: BTreeSet<Kind>,
}

/// The rule on guesses: the fewest, the languages, and the organisation's words.
#[derive(Debug)]
pub struct Strength {
    /// In thousandths of the decimal logarithm.
    min: Cost,
    languages: Languages,
    banned: Arc<BannedWords>,
}

/// A kind of part that makes a password weak, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WeakPart {
    kind: Kind,
    suggestion: &'static str,
}

impl Strength {
    pub(super) fn new(min: Cost, languages: &BTreeSet<Language>, banned: Arc<BannedWords>) -> Self {
        Self { min, languages: Languages::new(languages), banned }
    }

    /// The decimal logarithm of the fewest guesses.
    pub(super) fn min_guesses_log10(&self) -> f64 {
        f64::from(self.min) / f64::from(GUESSES_10)
    }

    /// Why a password takes fewer guesses; none if it takes as many.
    ///
    /// A banned word is told as a common word: the rule on banned words alone tells of them.
    pub(super) fn weak_parts(&self, text: &str, personal: &PersonalWords) -> Option<Vec<WeakPart>> {
        let own = OwnWords::new(Some(&self.banned), personal);
        let Estimate { cost, kinds } = estimate(text, self.languages, &own);
        let part = |kind: Kind| WeakPart { kind, suggestion: kind.suggestion() };
        (cost < self.min).then(|| kinds.into_iter().map(part).collect())
    }
}

/// The decimal logarithm of the guesses for a password, the organisation's words left out.
pub(super) fn guesses_log10(
    text: &str,
    languages: &BTreeSet<Language>,
    personal: &PersonalWords,
) -> f64 {
    let own = OwnWords::new(None, personal);
    f64::from(estimate(text, Languages::new(languages), &own).cost) / f64::from(GUESSES_10)
}

/// The words of the organisation and of the user, in the order of their first letters.
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

    /// Calls `found` with each word that the text begins with: length, cost and kind.
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

/// Estimates the guesses for a password of at most 256 code points.
///
/// A longer one takes as many as its characters do; no function that Cognito serves takes it.
pub(super) fn estimate(password: &str, languages: Languages, own: &OwnWords<'_>) -> Estimate {
    let text = Text::new(password);
    if text.folded.len() > COGNITO_MAX_LENGTH {
        let cost = text.written.iter().map(|&c| character(c)).sum();
        return Estimate { cost, kinds: BTreeSet::new() };
    }
    let whole = Division::cheapest(&text, languages, own);
    let joined = text.most_frequent_separator().map(|separator| {
        let joined = Division::cheapest(&text.without(separator), languages, own);
        Estimate { cost: joined.cost + SEPARATOR + PART, ..joined }
    });
    match joined {
        Some(joined) if joined.cost < whole.cost => joined,
        _ => whole,
    }
}

/// Whether a password is on the list of common ones, whatever its case, width and accents.
pub(super) fn is_common_password(password: &str) -> bool {
    let text = secret_text(password.len(), plain(password));
    Dictionary::new().is_common_password(&text)
}

/// A password as it is written and as a person reads it, character by character.
struct Text {
    written: Zeroizing<Vec<char>>,
    folded: Zeroizing<Vec<char>>,
}

impl Text {
    fn new(password: &str) -> Self {
        let length = password.len();
        let pairs = || {
            password.chars().filter_map(|c| {
                Some((c, plain(c.encode_utf8(&mut [0; 4])).next()?))
            })
        };
        Self {
            written: secret(length, pairs().map(|(c, _)| c)),
            folded: secret(length, pairs().map(|(_, c)| c)),
        }
    }

    /// The symbol or space that is there most often, at least twice, or once between letters.
    fn most_frequent_separator(&self) -> Option<char> {
        let count = |separator: char| self.folded.iter().filter(|c| **c == separator).count();
        let candidates: BTreeSet<char> =
            self.folded.iter().copied().filter(|c| !c.is_alphanumeric()).collect();
        candidates.into_iter().map(|c| (count(c), c)).filter(|(n, _)| *n > 1).max().map(|(_, c)| c)
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

/// The cheapest division of a text up to each place.
struct Division<'t> {
    text: &'t Text,
    /// How many letters are large before each place.
    capitals: Vec<u16>,
    /// How many characters are letters before each place.
    letters: Vec<u16>,
    best: Vec<Step>,
    /// The cheapest whose last part is of characters without a pattern.
    loose: Vec<Step>,
}

/// The last part of the cheapest division up to a place.
#[derive(Clone, Copy)]
struct Step {
    cost: Cost,
    start: usize,
    /// None where it is of characters without a pattern.
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
            best: vec![UNREACHED; length + 1],
            loose: vec![UNREACHED; length + 1],
        };
        division.best[0].cost = 0;
        let dictionary = Dictionary::new();
        let repeats = text.repeats();
        for place in 0..length {
            division.settle(place, &dictionary, languages);
            division.extend(place, &dictionary, languages, repeats[place], own);
        }
        division.settle(length, &dictionary, languages);
        division.estimate()
    }

    /// Decides the cheapest division up to a place that all parts from before it have reached.
    fn settle(&mut self, place: usize, dictionary: &Dictionary, languages: Languages) {
        let mut found = Vec::new();
        dictionary.words(self.text.folded[..place].iter().rev(), languages, |word| {
            if word.length >= SHORTEST_BACKWARDS {
                found.push(word);
            }
        });
        for word in found {
            self.reach(place - word.length, word.length, word.cost + BACKWARDS, word.kind);
        }
        if self.loose[place].cost < self.best[place].cost {
            self.best[place] = self.loose[place];
        }
    }

    /// Reaches on from a place with each part that begins there.
    fn extend(
        &mut self,
        place: usize,
        dictionary: &Dictionary,
        languages: Languages,
        repeat: usize,
        own: &OwnWords<'_>,
    ) {
        let text = self.text;
        let (written, folded) = (&text.written[place..], &text.folded[place..]);
        // Characters without a pattern: one part, however many.
        let cost = character(written[0]);
        let goes_on = self.loose[place].cost.saturating_add(cost);
        let begins = self.best[place].cost + self.part(place) + cost;
        self.loose[place + 1] = if goes_on < begins {
            Step { cost: goes_on, start: self.loose[place].start, kind: None }
        } else {
            Step { cost: begins, start: place, kind: None }
        };

        dictionary.words(folded.iter(), languages, |word| {
            self.reach(place, word.length, word.cost, word.kind);
        });
        own.find(folded, |length, cost, kind| self.reach(place, length, cost, kind));
        keyboard::walks(written, |length, cost| {
            self.reach_plain(place, length, cost, Kind::KeyboardPattern);
        });
        dates::dates(folded, |length, cost| self.reach_plain(place, length, cost, Kind::Date));
        sequences(folded, |length, cost, kind| self.reach(place, length, cost, kind));
        for length in SHORTEST_REPEAT..=repeat {
            self.reach(place, length, REPEAT, Kind::Repeat);
        }
    }

    /// What a part costs beside the part, by where it begins.
    fn part(&self, place: usize) -> Cost {
        if place == 0 { 0 } else { PART }
    }

    /// Reaches the end of a part of letters, whose case costs something too.
    fn reach(&mut self, start: usize, length: usize, cost: Cost, kind: Kind) {
        let cost = cost + self.case(start, start + length);
        self.reach_plain(start, length, cost, kind);
    }

    fn reach_plain(&mut self, start: usize, length: usize, cost: Cost, kind: Kind) {
        let cost = self.best[start].cost + self.part(start) + cost;
        let end = &mut self.best[start + length];
        if cost < end.cost {
            *end = Step { cost, start, kind: Some(kind) };
        }
    }

    /// The guesses for the letter case of a part.
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
        let rarer = large.min(letters - large) as Cost;
        (CAPITALS + MIXED_CASE * rarer).min(ANY_CASE)
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
        Estimate { cost, kinds }
    }
}

impl Text {
    /// For each place, the length of the longest text from there on that is also to be found from an
    /// earlier place on, within the window.
    fn repeats(&self) -> Vec<usize> {
        let text = &self.folded;
        let length = text.len();
        let mut longest = vec![0; length];
        for distance in 1..length.min(REPEAT_WINDOW + 1) {
            let mut same = 0;
            for place in (distance..length).rev() {
                same = if text[place] == text[place - distance] { same + 1 } else { 0 };
                longest[place] = longest[place].max(same.min(REPEAT_WINDOW));
            }
        }
        longest
    }
}

/// The guesses for one character, if an attacker tries all of its kind.
fn character(c: char) -> Cost {
    match c {
        'a'..='z' | 'A'..='Z' => 1_415,
        '0'..='9' => 1_000,
        '!' => 500,
        '.' | '?' | '@' | '#' | '$' | '*' | '-' | '_' | ' ' | '&' | '+' | '%' => 1_000,
        '\0'..='\u{7f}' => 1_500,
        '\u{80}'..='\u{5ff}' => 1_800,
        _ => 2_500,
    }
}

/// The guesses for the look-alikes of a word that the text begins with; none if it does not.
fn spelled(word: &[char], text: &[char]) -> Option<Cost> {
    let text = text.get(..word.len())?;
    word.iter().zip(text).try_fold(0, |cost, (&letter, &c)| match letter == c {
        true => Some(cost),
        false => looks_like(c).contains(letter).then_some(cost + LOOK_ALIKE),
    })
}

/// Calls `found` with the length, cost and kind of each run and sequence that the text begins with.
fn sequences(text: &[char], mut found: impl FnMut(usize, Cost, Kind)) {
    let text = &text[..text.len().min(LONGEST_SEQUENCE)];
    let step = |at: usize, by: usize| {
        Some(i64::from(u32::from(*text.get(at + by)?)) - i64::from(u32::from(text[at])))
    };
    let Some(first) = step(0, 1) else { return };
    let longest = (1..).take_while(|&at| step(at, 1) == Some(first)).count() + 2;
    if first == 0 {
        for length in 2..=longest {
            found(length, character(text[0]) + RUN, Kind::Repeat);
        }
    } else if first.abs() <= 2 {
        let usual = matches!(text[0], 'a' | 'z' | '0' | '1' | '9');
        let cost = if usual { SEQUENCE } else { INNER_SEQUENCE };
        let cost = if first.abs() == 1 { cost } else { cost + PART };
        for length in 3..=longest {
            found(length, cost, Kind::Sequence);
        }
    }
    // By turns, each with a step of its own.
    let (Some(odd), Some(even)) = (step(0, 2), step(1, 2)) else { return };
    if odd.abs() <= 1 && even.abs() <= 1 {
        let goes_on = |&at: &usize| step(at, 2) == Some(if at % 2 == 0 { odd } else { even });
        let longest = (2..).take_while(goes_on).count() + 4;
        for length in 6..=longest {
            found(length, TWO_SEQUENCES, Kind::Sequence);
        }
    }
}
