//! Normal forms of a text: Unicode's Normalization Form C, and forms without case, width, accents and
//! look-alikes.

use icu_normalizer::properties::{
    CanonicalCombiningClassMapBorrowed, CanonicalCompositionBorrowed,
    CanonicalDecompositionBorrowed, Decomposed,
};
use zeroize::{Zeroize, Zeroizing};

/// The minimum length of a word that is searched for in a password, in code points.
///
/// Source: Microsoft Entra Password Protection: the minimum length of a custom banned word, and of a
/// name that is searched for as a substring.
pub(super) const MIN_WORD: usize = 4;

/// The longest canonical decomposition of one code point, in code points.
const MAX_DECOMPOSITION: usize = 4;

/// Unicode's canonical combining class: 0 for letters and symbols, and a higher number for most marks,
/// such as accents.
const COMBINING_CLASS: CanonicalCombiningClassMapBorrowed<'static> =
    CanonicalCombiningClassMapBorrowed::new();

/// The canonical combining class of a virama, which suppresses an Indic consonant's vowel.
const VIRAMA: u8 = 9;

/// The text in Unicode's Normalization Form C, in which `é` is always one code point.
///
/// Devices type different forms, and users cannot see the difference. Rules check this form, so that
/// a password gets the same result from every device. Source: Unicode Standard Annex #15.
///
/// The crate's own normalizer keeps marks in a buffer that it does not wipe, so this function
/// implements the algorithm on the crate's data.
pub(crate) fn nfc(text: &str) -> Zeroizing<String> {
    if text.is_ascii() {
        return Zeroizing::new(text.to_owned());
    }
    let most = MAX_DECOMPOSITION * text.chars().count();
    let mut decomposed = secret(most, text.chars().flat_map(decompose));
    // Marks are sorted by class; marks of the same class keep their order.
    let mut ordered =
        secret(most, decomposed.drain(..).enumerate().map(|(at, c)| (combining_class(c), at, c)));
    for letter_with_marks in ordered.chunk_by_mut(|_, (class, ..)| *class != 0) {
        letter_with_marks.sort_unstable();
    }
    let mut composed: Zeroizing<Vec<char>> = secret(most, std::iter::empty());
    let (mut letter, mut last_class) = (None, 0);
    for &(class, _, c) in ordered.iter() {
        // A mark composes with its letter only if all marks in between have a lower class.
        if let Some(letter) = letter
            && (letter + 1 == composed.len() || last_class < class)
            && let Some(both) = CanonicalCompositionBorrowed::new().compose(composed[letter], c)
        {
            composed[letter] = both;
            continue;
        }
        if class == 0 {
            letter = Some(composed.len());
        }
        last_class = class;
        composed.push(c);
    }
    secret_text(composed.len(), composed.iter().copied())
}

/// The full canonical decomposition of a code point.
fn decompose(c: char) -> impl Iterator<Item = char> {
    // Only the first code point of a decomposition can decompose further, so the buffer fills from
    // its end.
    let mut parts = ['\0'; MAX_DECOMPOSITION];
    let (mut first, mut start) = (c, MAX_DECOMPOSITION);
    loop {
        let (next, part) = match CanonicalDecompositionBorrowed::new().decompose(first) {
            Decomposed::Default => (None, first),
            Decomposed::Singleton(one) => {
                first = one;
                continue;
            }
            Decomposed::Expansion(next, part) => (Some(next), part),
        };
        start -= 1;
        parts[start] = part;
        match next {
            Some(next) => first = next,
            None => return parts.into_iter().skip(start),
        }
    }
}

fn combining_class(c: char) -> u8 {
    COMBINING_CLASS.get_u8(c)
}

/// Returns whether a code point is a virama, next to which Indic scripts use joiners.
pub(super) fn is_virama(c: char) -> bool {
    combining_class(c) == VIRAMA
}

/// A text in [`nfc`] in lower case and half width, without accents.
///
/// Each code point becomes at most one code point, so the text never grows.
pub(super) fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter_map(plain_char)
}

/// The [`plain`] form of one code point, the first one of its lower case. `None` for a combining accent
/// (U+0300 to U+036F), which NFC leaves only where no code point for the accented letter exists.
pub(super) fn plain_char(c: char) -> Option<char> {
    let narrow = match c {
        '\u{300}'..='\u{36f}' => return None,
        // The full-width forms have the same order as ASCII from `!` to `~`.
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    };
    let letter = without_accents(narrow);
    Some(letter.to_lowercase().next().unwrap_or(letter))
}

/// Removes the accents of a Latin letter, and returns any other character unchanged: in other scripts,
/// a letter with a mark is a different letter, such as Cyrillic `й`.
fn without_accents(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    match decompose(c).next().unwrap_or(c) {
        // Letters with a stroke and the dotless i have no decomposition.
        'Đ' | 'đ' => 'd',
        'Ħ' | 'ħ' => 'h',
        'ı' => 'i',
        'Ł' | 'ł' => 'l',
        'Ø' | 'ø' => 'o',
        'Ŧ' | 'ŧ' => 't',
        // Basic Latin to Latin Extended-B.
        latin @ ..='\u{24f}' => latin,
        _ => c,
    }
}

/// The letters that a digit or a symbol can replace.
///
/// Source: zxcvbn's table, `L33T_TABLE` in `zxcvbn` 3.1.1, `src/matching/mod.rs`, which contains every
/// substitution that Microsoft Entra documents (`0` o, `1` l, `$` s, `@` a). Its `7` for l is left out,
/// because `7` replaces t far more often.
pub(super) fn looks_like(c: char) -> &'static str {
    match c {
        '4' | '@' => "a",
        '8' => "b",
        '(' | '<' | '[' | '{' => "c",
        '3' => "e",
        '6' | '9' => "g",
        '1' | '!' | '|' => "il",
        '0' => "o",
        '5' | '$' => "s",
        '7' | '+' => "t",
        '%' => "x",
        '2' => "z",
        _ => "",
    }
}

/// The [`plain`] text with look-alikes replaced by letters, once with `1`, `!` and `|` read as `i` and
/// once as `l`. Returns one reading if both are equal.
pub(super) fn readings(text: &str) -> Vec<Zeroizing<String>> {
    let mut readings = ['i', 'l'].map(|one| unleet(text, one)).to_vec();
    readings.dedup();
    readings
}

/// The [`plain`] text with every look-alike replaced by its letter, and those that can be `i` or `l`
/// by `one`.
fn unleet(text: &str, one: char) -> Zeroizing<String> {
    let read = |c| match looks_like(c) {
        "il" => one,
        letters => letters.chars().next().unwrap_or(c),
    };
    secret_text(text.len(), plain(text).map(read))
}

/// Collects items derived from a password into a buffer that is wiped when dropped.
///
/// The buffer has room for `most` items from the start, because a buffer that grows leaves copies in
/// memory.
pub(super) fn secret<T: Zeroize>(most: usize, items: impl Iterator<Item = T>) -> Zeroizing<Vec<T>> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(most));
    buffer.extend(items);
    buffer
}

/// Like [`secret`], for a text of at most `most` code points.
pub(super) fn secret_text(most: usize, text: impl Iterator<Item = char>) -> Zeroizing<String> {
    let mut buffer = Zeroizing::new(String::with_capacity(most * char::MAX.len_utf8()));
    buffer.extend(text);
    buffer
}

#[cfg(test)]
mod tests {
    use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_removes_case_width_and_accents() {
        for text in ["Müller", "MÜLLER", "mu\u{308}ller", "ｍｕｌｌｅｒ", "ＭＵＬＬＥＲ"]
        {
            assert_eq!(plain(text).collect::<String>(), "muller", "{text}");
        }
        assert_eq!(plain("ÅÇÉÎÑØÜŸ ＠！～\u{3000}÷").collect::<String>(), "aceinouy @!~ ÷");
        assert_eq!(plain("āĄěĘğİıķŁňŌőøŘšŞțůŻđħŧ").collect::<String>(), "aaeegiiklnooorsstuzdht");
        // Letters with two accents, with an accent that does not compose, and a ligature.
        assert_eq!(plain("ếǿǻẍ\u{301}Ǽ").collect::<String>(), "eoaxæ");
        // Letters of other scripts keep their marks; characters without case are unchanged.
        assert_eq!(
            plain("ПАРОЛЬ Йё Σ Ά 가각 密码 🔑").collect::<String>(),
            "пароль йё σ ά 가각 密码 🔑"
        );
    }

    #[test]
    fn plain_returns_at_most_one_code_point_for_each() {
        for c in '\0'..=char::MAX {
            assert!(plain(c.encode_utf8(&mut [0; 4])).count() <= 1, "{c:?}");
        }
    }

    #[test]
    fn a_decomposition_fits_the_buffer_and_equals_the_librarys() {
        let nfd = DecomposingNormalizerBorrowed::new_nfd();
        for c in '\0'..=char::MAX {
            let expected = nfd.normalize_iter(std::iter::once(c));
            // The library also orders marks, which changes nothing within one decomposition.
            assert!(decompose(c).eq(expected), "{c:?}");
        }
    }

    #[test]
    fn nfc_composes_letters_with_their_marks() {
        for (typed, form) in [
            ("e\u{301}", "é"),
            ("a\u{328}\u{301}", "ą\u{301}"),
            ("a\u{301}\u{328}", "ą\u{301}"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("\u{212b}\u{37e}", "Å;"),
            ("e\u{302}\u{301} ê\u{301} é\u{302}", "ế ế é\u{302}"),
            // Not composed: a composition exclusion, a mark without a letter, a letter in between.
            ("\u{958}", "\u{915}\u{93c}"),
            ("\u{301}e", "\u{301}e"),
            ("ex\u{301}", "ex\u{301}"),
            ("plain 🔑", "plain 🔑"),
        ] {
            assert_eq!(*nfc(typed), form, "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn nfc_equals_the_librarys_normalizer(
            text in prop_oneof![
                "\\PC{0,60}",
                "[aeıkoAÅ\u{300}-\u{345}\u{5b0}-\u{5c4}\u{f71}-\u{f81}\u{1100}-\u{11ff}가-각]{0,60}",
                vec(any::<char>(), 0..60).prop_map(String::from_iter),
            ],
        ) {
            let expected = ComposingNormalizerBorrowed::new_nfc().normalize(&text).into_owned();
            prop_assert_eq!(&*nfc(&text), &expected);
            prop_assert_eq!(&*nfc(&expected), &expected);
        }
    }

    #[test]
    fn look_alikes_are_replaced_by_letters() {
        let cases = [
            ("P@$$w0rd", "password", "password"),
            ("Tr1ck|3!", "trickiei", "trlcklel"),
            ("(<[{ 4 8 3 69", "cccc a b e gg", "cccc a b e gg"),
            ("0 5$ 7+ % 2", "o ss tt x z", "o ss tt x z"),
            ("#&*-_.", "#&*-_.", "#&*-_."),
        ];
        for (text, i, l) in cases {
            assert_eq!([&*unleet(text, 'i'), &*unleet(text, 'l')], [i, l], "{text}");
        }
    }
}
