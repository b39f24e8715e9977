//! The organisation's banned words, and the score of a password that contains them.
//!
//! Words and passwords are compared in all their [`readings`].
//!
//! The scoring is that of Microsoft Entra Password Protection.

use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::normalize::{MIN_WORD, nfc, readings, secret};

/// The maximum length of a banned word, in code points.
///
/// Source: Microsoft Entra Password Protection, custom banned passwords.
const MAX_WORD: usize = 16;

/// The maximum number of banned words. Source: as above.
const MAX_WORDS: usize = 1000;

/// The lowest score of a password that passes. Source: as above, score calculation.
pub(super) const MIN_POINTS: usize = 5;

/// The organisation's banned words: its name, products and places.
#[derive(Clone, PartialEq, Eq)]
pub struct BannedWords {
    /// All [`readings`] of each word.
    words: BTreeSet<Vec<char>>,
}

/// An error in a list of banned words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BannedWordError {
    /// Too many words to check quickly.
    #[error("{0} banned words; the maximum is {MAX_WORDS}")]
    TooMany(usize),
    /// A word that is so short that many passwords contain it by chance, or too long.
    #[error("banned word `{word}` has {length} code points; it must have {MIN_WORD} to {MAX_WORD}")]
    Length {
        /// The word as it is written in the file.
        word: String,
        /// Its length after normalisation, in code points.
        length: usize,
    },
}

impl BannedWords {
    /// Reads the banned words of a policy file.
    pub(super) fn new(list: &[impl AsRef<str>]) -> Result<Self, BannedWordError> {
        if list.len() > MAX_WORDS {
            return Err(BannedWordError::TooMany(list.len()));
        }
        let mut words = BTreeSet::new();
        for word in list.iter().map(AsRef::as_ref) {
            for reading in readings(&nfc(word)) {
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

    /// The words, in order.
    pub(super) fn words(&self) -> impl Iterator<Item = &[char]> {
        self.words.iter().map(Vec::as_slice)
    }

    /// Scores a password: one point for each banned word in it, and one for each other character. Of
    /// all readings and divisions, the lowest score counts. Scores above [`MIN_POINTS`] are returned
    /// as [`MIN_POINTS`].
    pub(super) fn points(&self, password: &str) -> usize {
        let points = |reading: &Zeroizing<String>| {
            self.fewest_points(&secret(reading.len(), reading.chars()))
        };
        readings(password).iter().map(points).min().unwrap_or(0)
    }

    /// The lowest score of a text, found position by position.
    ///
    /// To score below five, at most four words, each with one character added, must cover the text:
    /// at most 4 × 17 characters. Words are searched only at positions from which such a score is
    /// still possible: at few positions of an ordinary password, and at none in a text of 69.
    fn fewest_points(&self, text: &[char]) -> usize {
        let mut points: Vec<usize> = (0..=text.len()).collect();
        for start in 0..text.len() {
            let (before, rest) = (points[start], &text[start..]);
            points[start + 1] = points[start + 1].min(before + 1);
            let words_left = (MIN_POINTS - 1).saturating_sub(before);
            if rest.len() > words_left * (MAX_WORD + 1) {
                continue;
            }
            for length in self.words.iter().flat_map(|word| lengths_found(word, rest)) {
                points[start + length] = points[start + length].min(before + 1);
            }
        }
        points[text.len()].min(MIN_POINTS)
    }
}

/// The lengths of the prefixes of the text that equal the word within one edit.
///
/// Two conditions prevent false matches. At least [`MIN_WORD`] of the word's characters must match, so
/// a word of four must match exactly. And an added character must be inside the word, because one at
/// its end is simply the next character. Otherwise `blank` would match `Bl@nkf` in Entra's example
/// `ContoS0Bl@nkf9!`, whose score would then be four instead of five.
fn lengths_found(word: &[char], text: &[char]) -> impl Iterator<Item = usize> {
    let same = word.iter().zip(text).take_while(|(a, b)| a == b).count();
    // The edit is at the first difference between word and text, or at the word's last character.
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

/// Prints the number of words, but none of them.
impl fmt::Debug for BannedWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BannedWords({})", self.words.len())
    }
}
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::similarity::within;
    use super::*;

    fn banned(words: &[&str]) -> BannedWords {
        BannedWords::new(words).unwrap()
    }

    #[test]
    fn entras_worked_examples_get_the_documented_points() {
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
    fn a_password_gets_the_lowest_score_of_all_divisions() {
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
            // One edit: a character changed, missing or added; at the start, inside, at the end.
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
            // A word of four characters matches only in full.
            ("lion", 1),
            ("llon", 1),
            ("li0n", 1),
            ("l!xon", 1),
            ("lian", 4),
            ("lio", 3),
            ("liom-", 5),
            // Beyond ASCII: accents, combining or not, do not hide a word.
            ("ÄLLAN99", 3),
            ("āłłan99", 3),
            ("🔑🔒🔑🔒🔑🔑🔑", 4),
            ("🔑🔒🔑🔒🔑🔑🔑🔑", 5),
            ("שלוםשלום12", 4),
            ("שלו!!", 5),
            ("blankıß12", 5),
            ("blańķ1234", 5),
            ("blankıß1", 4),
        ] {
            assert_eq!(words.points(password), points, "{password}");
        }
    }

    #[test]
    fn four_words_of_maximum_length_score_four_points_and_one_more_character_makes_five() {
        let word = "abcdefghijklmnop";
        let words = banned(&[word]);
        let longest = "abcdefgh-ijklmnop".repeat(4);
        assert_eq!(longest.len(), 4 * (MAX_WORD + 1));
        assert_eq!(words.points(&longest), 4);
        assert_eq!(words.points(&format!("{longest}x")), 5);
        assert_eq!(banned(&[]).points("abcd"), 4);
    }

    #[test]
    fn a_word_of_invalid_length_and_more_than_1000_words_are_rejected() {
        let error = |words: &[String]| BannedWords::new(words).unwrap_err().to_string();
        for (word, length) in [("abc", 3), ("", 0), ("🔑🔑🔑", 3), ("abcdefghijklmnopq", 17)]
        {
            let expected =
                format!("banned word `{word}` has {length} code points; it must have 4 to 16");
            assert_eq!(error(&["fine".to_owned(), word.to_owned()]), expected);
        }
        assert_eq!(error(&vec!["acme".to_owned(); 1001]), "1001 banned words; the maximum is 1000");
        for list in [vec!["acme"; 1000], vec!["abcdefghijklmnop"], vec!["🔑🔑🔑🔑"], vec!["ßßßß"]]
        {
            assert!(BannedWords::new(&list).is_ok());
        }
    }

    #[test]
    fn debug_output_contains_the_number_of_words_and_no_word() {
        assert_eq!(format!("{:?}", banned(&["contoso", "acme"])), "BannedWords(2)");
    }

    /// The score by its definition, without regard to speed.
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
            let expected = naive_points(&words, &characters).min(MIN_POINTS);
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
        fn no_text_panics(word in "\\PC{0,20}", text in "\\PC{0,300}") {
            if let Ok(words) = BannedWords::new(&[word]) {
                prop_assert!(words.points(&text) <= MIN_POINTS);
            }
        }
    }
}
