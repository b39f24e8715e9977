//! The shapes that make a password easy to type and to guess: runs, repeated blocks and sequences.

use super::characters::COGNITO_MAX_LENGTH;
use super::normalize::secret;

/// The orders that memory and fingers follow, in Latin-1, which has all these keys.
///
/// The digits close into a ring: 0 comes before 1 in counting and after 9 on a keyboard.
const LINES: [&[u8]; 15] = [
    b"abcdefghijklmnopqrstuvwxyz",
    b"01234567890",
    // QWERTY (US, UK): letters, then the digits' row with shift.
    b"qwertyuiop",
    b"asdfghjkl",
    b"zxcvbnm",
    b"!@#$%^&*()",
    b"!\"\xA3$%^&*()",
    // QWERTZ (German, then Swiss): its home row is QWERTY's.
    b"qwertzuiop",
    b"yxcvbnm",
    b"!\"\xA7$%&/()=",
    b"+\"*\xE7%&/()=",
    // AZERTY (French): its digits' row needs shift for the digits, none for these.
    b"azertyuiop",
    b"qsdfghjklm",
    b"wxcvbn",
    b"&\xE9\"'(-\xE8_\xE7\xE0",
];

/// For each line, which key comes after each key; 0 where none does.
static NEXT: [[u8; 256]; LINES.len()] = {
    let mut next = [[0; 256]; LINES.len()];
    let mut line = 0;
    while line < LINES.len() {
        let mut at = 1;
        while at < LINES[line].len() {
            next[line][LINES[line][at - 1] as usize] = LINES[line][at];
            at += 1;
        }
        line += 1;
    }
    next
};

/// The maximum number of code points in the lower case of one (`char::to_lowercase`).
const MAX_LOWERCASE: usize = 3;

/// The length of the longest run of one character, in code points.
///
/// `a` and `A` are two characters here, as they are to the `max-consecutive` of Apple's password
/// rules: a password generated under those must pass. `aAaAaA` is a repeated block all the same.
pub(super) fn longest_run(text: &str) -> usize {
    let characters = secret(text.len(), text.chars());
    longest(characters.chunk_by(char::eq))
}

/// Tells whether the whole text is one block at least twice over, the last time perhaps cut short.
///
/// Letter case does not hide a repetition. What follows 256 code points is not looked at: this is
/// the one check here whose time is not linear, and such a password is too long anyway.
pub(super) fn is_repeated_block(text: &str) -> bool {
    let lower = text.chars().take(COGNITO_MAX_LENGTH).flat_map(char::to_lowercase);
    let characters = secret(MAX_LOWERCASE * COGNITO_MAX_LENGTH, lower);
    let length = characters.len();
    // A text repeats every `period` characters if it is itself when moved by as many.
    (1..=length / 2).any(|period| characters[period..] == characters[..length - period])
}

/// The length of the longest part that goes along the alphabet, the digits or a keyboard's row, in
/// either direction and whatever the letter case, in code points.
pub(super) fn longest_sequence(text: &str) -> usize {
    let keys = text.chars().map(|c| u8::try_from(c).unwrap_or(0).to_ascii_lowercase());
    let keys = secret(text.len(), keys);
    let along = |next: &[u8; 256]| {
        let follows = |a: &u8, b: &u8| *b != 0 && next[usize::from(*a)] == *b;
        longest(keys.chunk_by(follows)).max(longest(keys.chunk_by(|a, b| follows(b, a))))
    };
    NEXT.iter().map(along).max().unwrap_or(0)
}

fn longest<'a, T: 'a>(parts: impl Iterator<Item = &'a [T]>) -> usize {
    parts.map(<[T]>::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_run_is_of_one_code_point() {
        let cases = [
            ("", 0),
            ("a", 1),
            ("ab", 1),
            ("aab", 2),
            ("baaa", 3),
            ("aabbb11", 3),
            ("aAaA", 1),
            ("🔑🔑🔑x", 3),
            ("e\u{301}e\u{301}", 1),
            ("e\u{301}\u{301}", 2),
            ("שששלום", 3),
            ("ıiIİ", 1),
            ("ßßss", 2),
        ];
        for (text, length) in cases {
            assert_eq!(longest_run(text), length, "{text}");
        }
    }

    #[test]
    fn a_block_is_repeated_when_it_stands_twice_in_full_and_nothing_else_does() {
        for text in [
            "aa",
            "abab",
            "abcabcabc",
            "abcabcab",
            "passpass",
            "PassPASS",
            "aAaAaA",
            "11111",
            "שלוםשלום",
            "🔑x🔑x",
            "e\u{301}e\u{301}",
            "ßẞ",
        ] {
            assert!(is_repeated_block(text), "{text}");
        }
        for text in ["", "a", "ab", "aba", "abcab", "passpas", "passpass!", "xabcabc", "ıi", "ßss"]
        {
            assert!(!is_repeated_block(text), "{text}");
        }
    }

    #[test]
    fn a_sequence_is_as_long_as_it_goes_one_way_along_one_line() {
        let cases = [
            ("", 0),
            ("x", 1),
            ("ac", 1),
            ("aa", 1),
            ("ab", 2),
            ("abcdef", 6),
            ("fedcba", 6),
            ("AbCdEf", 6),
            ("abcba", 3),
            ("xyzabc", 3),
            ("--efgh--", 4),
            ("123", 3),
            ("7890123", 7),
            ("3210987", 7),
            ("qwerty", 6),
            ("qwertz", 6),
            ("azerty", 6),
            ("QWERTYUIOP", 10),
            ("poiuytrewq", 10),
            ("asdfghjkl", 9),
            ("qsdfghjklm", 10),
            ("mnbvcxy", 7),
            ("nbvcxw", 6),
            ("qwezxc", 3),
            ("!@#$%^&*()", 10),
            (")(*&^", 5),
            ("!\"£$%", 5),
            ("!\"§$%&/()=", 10),
            ("+\"*ç%", 5),
            ("&é\"'(-è_çà", 10),
            ("àç_è", 4),
            ("a\u{301}b", 1),
            ("\0\0p\0", 1),
            ("אבגד", 1),
            ("🔑🔒", 1),
            ("ghıjk", 2),
            ("ßtu", 2),
        ];
        for (text, length) in cases {
            assert_eq!(longest_sequence(text), length, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_length_is_beyond_the_texts(text in "\\PC{0,300}") {
            let length = text.chars().count();
            prop_assert!(longest_run(&text) <= length);
            prop_assert!(longest_sequence(&text) <= length);
        }

        #[test]
        fn what_is_written_twice_is_found_and_a_sequence_either_way(text in "\\PC{1,128}") {
            prop_assert!(is_repeated_block(&text.repeat(2)));
            let backwards: String = text.chars().rev().collect();
            prop_assert_eq!(longest_sequence(&text), longest_sequence(&backwards));
            prop_assert_eq!(longest_run(&text), longest_run(&backwards));
        }
    }
}
