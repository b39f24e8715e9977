//! The words that people build passwords from, with their ranks, and where a text spells one.
//!
//! The dictionary is an FST: a trie whose endings are shared too, made by `build.rs` and read where
//! it lies in the binary. A trie lets one walk try every reading of every character at once and turn
//! back where no entry goes on; of a hash each combination of readings would have to be asked.

use fst::raw::{Fst, Node, Output};

use super::super::normalize::looks_like;
use super::cost::{Cost, GUESSES_10};
use super::{Kind, Languages};

static DICTIONARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dictionary.fst"));

/// What is known of an entry, by the value that the FST has for it.
static ENTRIES: &[u16] = &include!(concat!(env!("OUT_DIR"), "/dictionary-entries.rs"));

/// The guesses that each class of ranks takes: the middle of the class, in `build.rs`'s order.
const RANK_COSTS: [u16; 15] = [
    400, 850, 1_150, 1_500, 1_850, 2_150, 2_500, 2_850, 3_150, 3_400, 3_650, 3_900, 4_100, 4_350,
    4_600,
];

/// Each character that is read as a letter that it is not: at most two ways to write that letter.
pub(super) const LOOK_ALIKE: Cost = 200;

/// The shortest word that look-alikes disguise, in code points: shorter ones are chance.
const SHORTEST_DISGUISED: usize = 4;

/// An entry of the dictionary, packed by `build.rs`.
#[derive(Clone, Copy)]
struct Entry(u16);

impl Entry {
    fn guesses(self) -> Cost {
        RANK_COSTS[usize::from(self.0 & 15)].into()
    }

    fn kind(self) -> Kind {
        match self.0 >> 4 & 3 {
            0 => Kind::CommonPassword,
            1 => Kind::CommonWord,
            _ => Kind::Name,
        }
    }

    fn is_in(self, languages: Languages) -> bool {
        (self.0 >> 6) & u16::from(languages.bits()) != 0
    }

    fn is_password(self) -> bool {
        self.0 >> 14 & 1 == 1
    }
}

/// A word that a text spells.
#[derive(Clone, Copy)]
pub(super) struct Found {
    /// In code points.
    pub(super) length: usize,
    pub(super) kind: Kind,
    /// The guesses for the word and its look-alikes, without its letter case.
    pub(super) cost: Cost,
}

/// The dictionary in the binary.
pub(super) struct Dictionary {
    fst: Fst<&'static [u8]>,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        // Checks the length and the version, nothing more: the bytes are used as they are.
        Self { fst: Fst::new(DICTIONARY).expect("build.rs wrote it") }
    }

    /// Whether a text in lower case is on the list of common passwords, as it is.
    pub(super) fn is_common_password(&self, text: &str) -> bool {
        let value = self.fst.get(text).map(Output::value);
        value.is_some_and(|value| entry(value).is_password())
    }

    /// Calls `found` with each word that the characters spell from the first one on, and returns how
    /// many steps along the FST that took: `most` and a few.
    pub(super) fn words<'t>(
        &self,
        characters: impl Iterator<Item = &'t char> + Clone,
        languages: Languages,
        most: usize,
        mut found: impl FnMut(Found),
    ) -> usize {
        let mut walk = Walk { dictionary: self, languages, found: &mut found, steps: 0, most };
        walk.on(characters, self.fst.root(), Output::zero(), 0, 0);
        walk.steps
    }
}

fn entry(value: u64) -> Entry {
    // Every value is a place in the table; a wrong one would be no word.
    Entry(usize::try_from(value).ok().and_then(|at| ENTRIES.get(at)).copied().unwrap_or(0))
}

struct Walk<'a, F> {
    dictionary: &'a Dictionary,
    languages: Languages,
    found: &'a mut F,
    steps: usize,
    most: usize,
}

impl<'a, F: FnMut(Found)> Walk<'a, F> {
    /// Goes on from a node with every reading of the next character.
    fn on<'t>(
        &mut self,
        mut rest: impl Iterator<Item = &'t char> + Clone,
        node: Node<'a>,
        output: Output,
        length: usize,
        cost: Cost,
    ) {
        if node.is_final() {
            let entry = entry(output.cat(node.final_output()).value());
            if entry.is_in(self.languages) && (cost == 0 || length >= SHORTEST_DISGUISED) {
                let cost = cost + entry.guesses();
                (self.found)(Found { length, kind: entry.kind(), cost });
            }
        }
        let Some(&c) = rest.next() else { return };
        if self.steps >= self.most {
            return;
        }
        let mut read = |reading: &str, cost: Cost| {
            if let Some((node, output)) = self.step(node, output, reading) {
                self.on(rest.clone(), node, output, length + 1, cost);
            }
        };
        read(c.encode_utf8(&mut [0; 4]), cost);
        for letter in looks_like(c).chars() {
            read(letter.encode_utf8(&mut [0; 4]), cost + LOOK_ALIKE);
        }
        if let Some(letters) = written_as(c) {
            read(letters, cost);
        }
    }

    fn step(
        &mut self,
        node: Node<'a>,
        output: Output,
        letters: &str,
    ) -> Option<(Node<'a>, Output)> {
        letters.bytes().try_fold((node, output), |(node, output), byte| {
            self.steps += 1;
            let transition = node.transition(node.find_input(byte)?);
            Some((self.dictionary.fst.node(transition.addr), output.cat(transition.out)))
        })
    }
}

/// The letters that the dictionary has for one that it has not.
fn written_as(c: char) -> Option<&'static str> {
    match c {
        'ß' => Some("ss"),
        'æ' => Some("ae"),
        'œ' => Some("oe"),
        _ => None,
    }
}

const _: () = assert!(RANK_COSTS[1] as Cost <= GUESSES_10);
