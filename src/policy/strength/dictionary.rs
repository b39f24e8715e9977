//! The dictionary of common words with their ranks, and a search for them in a text.
//!
//! The dictionary is an FST, a trie that shares suffixes too. `build.rs` makes it, and it is read in
//! place from the binary. One walk of a trie tries every reading of every character and turns back
//! where no entry continues. A hash table would need a look-up for each combination of readings.

use fst::raw::{Fst, Node, Output};

use super::super::normalize::looks_like;
use super::cost::{Cost, GUESSES_10};
use super::{Kind, Languages};

static DICTIONARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dictionary.fst"));

/// The properties of each entry, indexed by its value in the FST.
static ENTRIES: &[u16] = &include!(concat!(env!("OUT_DIR"), "/dictionary-entries.rs"));

/// The cost of each class of ranks: the middle of the class, in the order of `build.rs`.
const RANK_COSTS: [u16; 15] = [
    400, 850, 1_150, 1_500, 1_850, 2_150, 2_500, 2_850, 3_150, 3_400, 3_650, 3_900, 4_100, 4_350,
    4_600,
];

/// Each look-alike that replaces a letter. Most letters have at most two.
pub(super) const LOOK_ALIKE: Cost = 200;

/// The minimum length of a word with look-alikes, in code points: shorter ones occur by chance.
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

/// A dictionary word at the start of a text.
#[derive(Clone, Copy)]
pub(super) struct Found {
    /// In code points.
    pub(super) length: usize,
    pub(super) kind: Kind,
    /// The cost of the word and its look-alikes, without letter case.
    pub(super) cost: Cost,
}

/// The dictionary in the binary.
pub(super) struct Dictionary {
    fst: Fst<&'static [u8]>,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        // This checks only the length and the version. It neither copies nor parses the data.
        Self { fst: Fst::new(DICTIONARY).expect("build.rs wrote it") }
    }

    /// Returns whether a lower-case text is on the list of common passwords.
    pub(super) fn is_common_password(&self, text: &str) -> bool {
        let value = self.fst.get(text).map(Output::value);
        value.is_some_and(|value| entry(value).is_password())
    }

    /// Calls `found` with each word that begins at the first character. Returns the number of steps
    /// along the FST, which may exceed `most` slightly.
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
    // Every value is an index of the table. An invalid one would yield an entry in no language.
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
    /// Continues from a node with every reading of the next character.
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

/// The letters by which the dictionary spells a letter that it does not contain.
fn written_as(c: char) -> Option<&'static str> {
    match c {
        'ß' => Some("ss"),
        'æ' => Some("ae"),
        'œ' => Some("oe"),
        _ => None,
    }
}

const _: () = assert!(RANK_COSTS[1] as Cost <= GUESSES_10);
