//! Known common passwords, whole and in their usual disguises.
//!
//! The list is an FST: a trie whose endings are shared too, made by `build.rs` and read where it
//! lies in the binary. A trie lets one walk try every reading of every character at once and turn
//! back where no entry goes on; of a hash each combination of readings would have to be asked.
//! Measured with all 55,511 entries, found and not (release, LTO, x86-64, rustc 1.95):
//!
//! | | in the binary | exact look-up | made in |
//! | --- | --- | --- | --- |
//! | `fst` | 0.26 MB | 0.19 µs | 0.25 s |
//! | sorted lines, binary search | 0.44 MB | 0.32 µs | 0.01 s |
//! | sorted `[&str]`, binary search | 2.6 MB, 0.9 of it relocated at start-up | 0.29 µs | 0.01 s |
//! | `phf` | 2.8 MB, 0.9 of it relocated at start-up | 0.04 µs | 0.8 s |

use std::collections::BTreeSet;
use std::iter;

use fst::raw::{Fst, Node};

use super::normalize::{looks_like, plain, secret};

static LIST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/common-passwords.fst"));

/// The longest entry, in code points.
const MAX_ENTRY: usize = 21;

/// The maximum number of additions with which an entry still counts as common.
///
/// Six additions cover the longest habit, a year between symbols (`Password#2026!`), and a date in
/// digits. They add little strength: the list has 16 bits and six digits have 20, so an attacker
/// who knows both needs at most 2³⁶ guesses. With more additions, the password is a secret with a
/// word beside it.
const MAX_ADDITIONS: usize = 6;

/// The longest disguise, in code points: the longest entry, its letters apart, twice, and the
/// additions. A longer password is not looked up, which bounds the time.
const MAX_DISGUISE: usize = 2 * (2 * MAX_ENTRY) + MAX_ADDITIONS;

/// Whether a password is a common one, as it is on the list or disguised: by letter case, accents
/// and look-alikes, by digits and symbols on either end, by a symbol between letters, by saying it
/// twice, and by these together.
pub(super) fn is_common(password: &str) -> bool {
    let text = secret(MAX_DISGUISE + 1, plain(password).take(MAX_DISGUISE + 1));
    if text.len() > MAX_DISGUISE {
        return false;
    }
    // Checks the length and the version, nothing more: the bytes are used as they are.
    let list = &Fst::new(LIST).expect("build.rs wrote it");
    let separators: BTreeSet<char> =
        text.iter().copied().filter(|c| !c.is_alphanumeric()).collect();
    Disguise { list, text: &text, separators: 0 }.is_of_an_entry()
        || separators.into_iter().any(|separator| {
            let joined = secret(text.len(), text.iter().copied().filter(|&c| c != separator));
            Disguise { list, text: &joined, separators: 1 }.is_of_an_entry()
        })
}

/// A text that may be an entry of the list with additions on either end.
struct Disguise<'a> {
    list: &'a Fst<&'static [u8]>,
    text: &'a [char],
    /// How many symbols were taken out from between its letters, which are additions as well.
    separators: usize,
}

impl<'a> Disguise<'a> {
    fn is_of_an_entry(&self) -> bool {
        let last_start = additions(self.text).take_while(|&n| n <= MAX_ADDITIONS).count();
        let (half, rest) = self.text.split_at(self.text.len() / 2);
        (0..=last_start).any(|start| self.spells_entry(self.list.root(), start, start))
            || !half.is_empty() && half == rest && Self { text: half, ..*self }.is_of_an_entry()
    }

    /// Whether the text from `start`, read up to `end` on the way to `node`, is or becomes an entry.
    fn spells_entry(&self, node: Node<'a>, start: usize, end: usize) -> bool {
        node.is_final() && self.is_mostly(start, end)
            || self.text.get(end).is_some_and(|&c| {
                iter::once(c)
                    .chain(looks_like(c).chars())
                    .filter_map(|letter| self.step(node, letter))
                    .any(|next| self.spells_entry(next, start, end + 1))
            })
    }

    fn step(&self, node: Node<'a>, letter: char) -> Option<Node<'a>> {
        letter.encode_utf8(&mut [0; 4]).bytes().try_fold(node, |node, byte| {
            Some(self.list.node(node.transition_addr(node.find_input(byte)?)))
        })
    }

    /// Whether the text is the word from `start` to `end`, perhaps repeated, and few additions.
    ///
    /// A word that has no letter, or that only came about by taking separators out, must be longer
    /// than what is at its ends: short ones of that kind turn up by chance in what is random.
    fn is_mostly(&self, start: usize, end: usize) -> bool {
        let (before, word) = self.text[..end].split_at(start);
        let mut after = &self.text[end..];
        while let Some(rest) = after.strip_prefix(word) {
            after = rest;
        }
        let stands_out = self.separators == 0 && word.iter().any(|c| c.is_alphabetic());
        let most = MAX_ADDITIONS - self.separators;
        additions(before.iter().chain(after))
            .all(|added| added <= most && (stands_out || added < word.len()))
    }
}

/// The number of additions up to each character; a letter is more than any number.
///
/// A character that repeats the one before it, or is its neighbour in Unicode, adds nothing to what
/// a guesser must try: `!!!` is one addition, and so are `123` and `321`.
fn additions<'t>(text: impl IntoIterator<Item = &'t char>) -> impl Iterator<Item = usize> {
    text.into_iter().scan((0_usize, None), |(count, previous), &c| {
        let goes_on = previous.replace(c).is_some_and(|p| u32::from(p).abs_diff(c.into()) <= 1);
        let cost = if c.is_alphabetic() { usize::MAX } else { (!goes_on).into() };
        *count = count.saturating_add(cost);
        Some(*count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: &str = include_str!("../../data/common-passwords.txt");

    #[track_caller]
    fn assert_common(passwords: &[&str]) {
        for password in passwords {
            assert!(is_common(password), "{password} is a common password in disguise");
        }
    }

    #[track_caller]
    fn assert_not_common(passwords: &[&str]) {
        for password in passwords {
            assert!(!is_common(password), "{password} is not a common password");
        }
    }

    #[test]
    fn every_entry_is_common_as_it_is() {
        let longest = ENTRIES.lines().map(|entry| entry.chars().count()).max();
        assert_eq!((ENTRIES.lines().count(), longest), (55_511, Some(MAX_ENTRY)));
        for entry in ENTRIES.lines() {
            assert!(is_common(entry), "{entry}");
        }
    }

    #[test]
    fn each_disguise_is_seen_through() {
        assert_common(&["password", "PaSsWoRd", "Pássword", "ｐａｓｓｗｏｒｄ", "Пароль"]);
        assert_common(&["P@ssw0rd", "p4$5w0rd", "+rustno1", "1loveyou", "foo7b@11", "a8c123"]);
        assert_common(&["password7", "password2026", "2026password", "!qwerty99!", "May2026!"]);
        assert_common(&["p-a-s-s-w-o-r-d", "pass word", "pass.word", "m o n k e y", "sum_mer"]);
        assert_common(&["passwordpassword", "dragonDragon", "LoveLoveLove", "monkey monkey"]);
    }

    #[test]
    fn disguises_are_seen_through_together() {
        assert_common(&["Password2026!", "P@ssw0rd123", "Summer-2026", "$umm3r_2026", "Winter24!"]);
        assert_common(&["p-@-s-s-w-0-r-d-2026!", "2026-dragon-dragon!", "Summer26!-Summer26!"]);
        assert_common(&["monkey1monkey1", "Qwerty!Qwerty!", "password!!!!!!!!!", "123456abc123"]);
    }

    #[test]
    fn six_additions_are_a_disguise_and_seven_are_not() {
        assert_common(&["octopus135792", "135octopus792", "!octopus#1357", "octopus!!!111999555"]);
        assert_not_common(&["octopus1357924", "1357octopus924", "!octopus#13579"]);
        // A word of digits, or put together, has to be longer than what is at its ends.
        assert_common(&["1701!#%", "j-u-d-y135", "o-c-t-o-p-u-s13579"]);
        assert_not_common(&["octopus 13579 0", "j-u-d-y1357", "o-c-t-o-p-u-s135792"]);
    }

    #[test]
    fn what_is_no_entry_is_not_common() {
        assert_not_common(&["", "a", "-", "kX8#qPz!mW3&vR7t", "tr0ub4dor&3xq"]);
        assert_not_common(&["correct horse battery staple", "correct-horse-battery-staple"]);
        assert_not_common(&["dragonsummer", "password is not enough", "xdragonx", "密码🔑密码🔑"]);
        assert_not_common(&[&"-".repeat(MAX_DISGUISE), &"password".repeat(12)]);
        assert_common(&[&"password".repeat(11)]);
    }

    #[test]
    fn repeats_and_runs_add_nothing() {
        for (text, expected) in
            [("", 0), ("!", 1), ("!!!", 1), ("123", 1), ("321", 1), ("2026", 4), ("#123!", 3)]
        {
            let text: Vec<char> = text.chars().collect();
            assert_eq!(additions(&text).last().unwrap_or(0), expected, "{text:?}");
        }
        assert!(additions(&['1', 'a', '1']).eq([1, usize::MAX, usize::MAX]));
    }
}
