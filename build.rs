//! Compiles data into forms that the function reads in place from its binary: the words that people
//! build passwords from as an FST, Amazon's root certificates as DER, and the built-in policy
//! without its comments.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, error, fs};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

const PASSWORDS: &str = "data/common-passwords.txt";
const WORDS: &str = "data/words";
const ROOTS: &str = "data/amazon-roots.pem";
const POLICY: &str = "password-policy.toml";

fn main() -> Result<(), Box<dyn error::Error>> {
    for path in [PASSWORDS, WORDS, ROOTS, POLICY] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);

    dictionary(out)?;

    let roots = CertificateDer::pem_file_iter(ROOTS)?
        .map(|root| root.map(|root| format!("&{:?}, ", root.as_ref())))
        .collect::<Result<String, _>>()?;
    fs::write(out.join("amazon-roots.rs"), format!("[{roots}]"))?;

    // Comments take a third of the time that the policy takes at a cold start. Their lines stay, so
    // that errors report the right line numbers.
    let policy = fs::read_to_string(POLICY)?;
    let without_comment = |line| if str::starts_with(line, '#') { "\n" } else { line };
    let policy: String = policy.split_inclusive('\n').map(without_comment).collect();
    fs::write(out.join(POLICY), policy)?;
    Ok(())
}

/// The languages, in the order of an entry's language bits and of `Language::ALL`.
const LANGUAGES: [&str; 7] = ["en", "de", "fr", "es", "it", "pt", "pl"];

/// The bit of an entry that belongs to every language: a common password, or a name known
/// everywhere.
const EVERYWHERE: u32 = 1 << 7;

/// The kinds of entry, in the order of `strength::dictionary::Kind`.
const PASSWORD: u32 = 0;
const WORD: u32 = 1;
const NAME: u32 = 2;

/// The last rank of each class of ranks. Only the class of a rank is stored: each limit is about
/// twice the one before it, and an estimate is no more precise than that.
const RANKS: [usize; 15] =
    [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 3_500, 6_000, 10_000, 16_000, 30_000, usize::MAX];

/// The properties of an entry of the dictionary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// The class of its best rank, and below it the kind of the list with that rank.
    rank: u32,
    kind: u32,
    languages: u32,
    /// Whether it is on the list of common passwords.
    password: bool,
}

#[derive(Default)]
struct Dictionary(BTreeMap<String, Entry>);

impl Dictionary {
    fn add(&mut self, word: &str, rank: usize, kind: u32, languages: u32) {
        let rank = RANKS.iter().position(|last| rank <= *last);
        let rank = rank.and_then(|class| class.try_into().ok()).expect("RANKS covers each rank");
        let new = Entry { rank, kind, languages, password: kind == PASSWORD };
        let entry = self.0.entry(word.to_owned()).or_insert(new);
        let better = if new.rank < entry.rank { new } else { *entry };
        *entry = Entry {
            languages: entry.languages | languages,
            password: entry.password || new.password,
            ..better
        };
    }
}

/// Writes `dictionary.fst`, whose values are indices into `dictionary-entries.rs`.
fn dictionary(out: &Path) -> Result<(), Box<dyn error::Error>> {
    let mut dictionary = Dictionary::default();
    for (place, password) in fs::read_to_string(PASSWORDS)?.lines().enumerate() {
        dictionary.add(password, place + 1, PASSWORD, EVERYWHERE);
    }
    for (bit, language) in LANGUAGES.iter().enumerate() {
        let text = fs::read_to_string(format!("{WORDS}/{language}.txt"))?;
        for section in text.split("# ").filter(|section| !section.is_empty()) {
            let mut lines = section.lines();
            let kind = if lines.next() == Some("words") { WORD } else { NAME };
            for (place, word) in lines.enumerate() {
                dictionary.add(word, place + 1, kind, 1 << bit);
            }
        }
    }
    let mut languages = EVERYWHERE;
    let (mut kind, mut rank) = (WORD, 0);
    for line in fs::read_to_string(format!("{WORDS}/expected.txt"))?.lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let (language, names) = section.split_once(' ').unwrap_or((section, ""));
            let bit = LANGUAGES.iter().position(|known| *known == language);
            languages = bit.map_or(EVERYWHERE, |bit| 1 << bit);
            kind = if names.is_empty() { WORD } else { NAME };
            rank = 0;
            continue;
        }
        rank += line.split(' ').count();
        for word in line.split(' ') {
            assert!(word.bytes().all(|b| b.is_ascii_graphic()), "{word} in {line}");
            dictionary.add(word, rank, kind, languages);
        }
    }

    // The most frequent combination first: a small value takes one byte in the FST, a larger one
    // two.
    let mut counts = BTreeMap::<Entry, usize>::new();
    for entry in dictionary.0.values() {
        *counts.entry(*entry).or_default() += 1;
    }
    let mut entries: Vec<_> = counts.into_iter().collect();
    entries.sort_by_key(|(entry, count)| (std::cmp::Reverse(*count), *entry));
    let codes: BTreeMap<Entry, u64> = entries.iter().map(|(e, _)| *e).zip(0..).collect();
    let keys = dictionary.0.iter().map(|(word, entry)| (word, codes[entry]));
    let fst = fst::Map::from_iter(keys)?;
    fs::write(out.join("dictionary.fst"), fst.as_fst().as_bytes())?;
    let packed = |entry: &Entry| {
        entry.rank | entry.kind << 4 | entry.languages << 6 | u32::from(entry.password) << 14
    };
    let entries: Vec<_> = entries.iter().map(|(entry, _)| packed(entry)).collect();
    fs::write(out.join("dictionary-entries.rs"), format!("{entries:?}"))?;
    Ok(())
}
