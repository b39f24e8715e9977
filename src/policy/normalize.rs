//! A text in one form: Unicode's Normalization Form C, and what a person reads, with case, width,
//! accents and look-alikes made one.

use icu_normalizer::properties::{
    CanonicalCombiningClassMapBorrowed, CanonicalCompositionBorrowed,
    CanonicalDecompositionBorrowed, Decomposed,
};
use zeroize::{Zeroize, Zeroizing};

/// The shortest word that is found in a password, in code points.
///
/// Source: Microsoft Entra Password Protection, both the shortest term of a custom list and the
/// shortest name that is looked for as a part.
pub(super) const MIN_WORD: usize = 4;

/// The longest canonical decomposition of one code point, in code points.
const MAX_DECOMPOSITION: usize = 4;

/// Unicode's canonical combining class of marks such as accents: 0 for a letter or a symbol.
const COMBINING_CLASS: CanonicalCombiningClassMapBorrowed<'static> =
    CanonicalCombiningClassMapBorrowed::new();

/// The canonical combining class of a virama, which suppresses an Indic consonant's vowel.
const VIRAMA: u8 = 9;

/// The text in Unicode's Normalization Form C: with `é` as one code point, however it was typed.
///
/// Devices differ in the form that they type, and people do not see it. Every rule judges this form,
/// so that a password gets the same verdict from each of them. Source: Unicode Standard Annex #15.
///
/// The crate's own normalizer keeps marks in a buffer that it does not wipe, so this is the algorithm
/// on the crate's data.
pub(crate) fn nfc(text: &str) -> Zeroizing<String> {
    if text.is_ascii() {
        return Zeroizing::new(text.to_owned());
    }
    let most = MAX_DECOMPOSITION * text.chars().count();
    let mut decomposed = secret(most, text.chars().flat_map(decompose));
    // A mark's place among the others of its class matters, among those of other classes it does not.
    let mut ordered =
        secret(most, decomposed.drain(..).enumerate().map(|(at, c)| (combining_class(c), at, c)));
    for letter_with_marks in ordered.chunk_by_mut(|_, (class, ..)| *class != 0) {
        letter_with_marks.sort_unstable();
    }
    let mut composed: Zeroizing<Vec<char>> = secret(most, std::iter::empty());
    let (mut letter, mut last_class) = (None, 0);
    for &(class, _, c) in ordered.iter() {
        // Only a mark of a lower class, or none, may stand between a letter and its mark.
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
    // Only the first code point of a decomposition has one itself, so the parts come last one first.
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

/// Whether a code point is a virama: a sign with which joiners are used in Indic scripts.
pub(super) fn is_virama(c: char) -> bool {
    combining_class(c) == VIRAMA
}

/// The text in lower case and half width, without accents. The text is in [`nfc`].
///
/// One code point gives at most one, so a text never grows.
pub(super) fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter_map(plain_char)
}

/// The [`plain`] form of one code point: the first of its lower case. None for an accent that stands
/// apart (U+0300 to U+036F), because there is no code point for its letter with it.
pub(super) fn plain_char(c: char) -> Option<char> {
    let narrow = match c {
        '\u{300}'..='\u{36f}' => return None,
        // The full-width forms are ASCII from `!` to `~`, in its order.
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    };
    let letter = without_accents(narrow);
    Some(letter.to_lowercase().next().unwrap_or(letter))
}

/// A Latin letter without its accents, and anything else as it is: in other scripts a letter with a
/// mark is another letter, such as Cyrillic `й`.
fn without_accents(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    match decompose(c).next().unwrap_or(c) {
        // Letters with a stroke, and the dotless one, have no decomposition.
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

/// The letters that a digit or a symbol stands for.
///
/// Source: zxcvbn's table, `L33T_TABLE` in `zxcvbn` 3.1.1, `src/matching/mod.rs`, which has every
/// substitution that Microsoft Entra documents (`0` o, `1` l, `$` s, `@` a). Left out of it: `7` for
/// l, which is t far more often.
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

/// Both readings of a text: with `1`, `!` and `|` as `i`, and as `l`; one if they are the same.
pub(super) fn readings(text: &str) -> Vec<Zeroizing<String>> {
    let mut readings = ['i', 'l'].map(|one| unleet(text, one)).to_vec();
    readings.dedup();
    readings
}

/// The [`plain`] text with every look-alike read as its letter; where that may be `i` or `l`, as
/// `one`.
fn unleet(text: &str, one: char) -> Zeroizing<String> {
    let read = |c| match looks_like(c) {
        "il" => one,
        letters => letters.chars().next().unwrap_or(c),
    };
    secret_text(text.len(), plain(text).map(read))
}

/// Collects what is made of a password into a buffer that is wiped when dropped.
///
/// It has room for the `most` items from the start: one that grows leaves copies behind.
pub(super) fn secret<T: Zeroize>(most: usize, items: impl Iterator<Item = T>) -> Zeroizing<Vec<T>> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(most));
    buffer.extend(items);
    buffer
}

/// Like [`secret`], for text of `most` code points.
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
    fn case_width_and_accents_make_no_difference() {
        for text in ["Müller", "MÜLLER", "mu\u{308}ller", "ｍｕｌｌｅｒ", "ＭＵＬＬＥＲ"]
        {
            assert_eq!(plain(text).collect::<String>(), "muller", "{text}");
        }
        assert_eq!(plain("ÅÇÉÎÑØÜŸ ＠！～\u{3000}÷").collect::<String>(), "aceinouy @!~ ÷");
        assert_eq!(plain("āĄěĘğİıķŁňŌőøŘšŞțůŻđħŧ").collect::<String>(), "aaeegiiklnooorsstuzdht");
        // Two accents, one that has no code point with its letter, and a ligature.
        assert_eq!(plain("ếǿǻẍ\u{301}Ǽ").collect::<String>(), "eoaxæ");
        // Other scripts keep their letters, and what has no lower case stays.
        assert_eq!(
            plain("ПАРОЛЬ Йё Σ Ά 가각 密码 🔑").collect::<String>(),
            "пароль йё σ ά 가각 密码 🔑"
        );
    }

    #[test]
    fn one_code_point_gives_at_most_one() {
        for c in '\0'..=char::MAX {
            assert!(plain(c.encode_utf8(&mut [0; 4])).count() <= 1, "{c:?}");
        }
    }

    #[test]
    fn a_decomposition_fits_the_buffer_and_ends_where_unicode_says() {
        let nfd = DecomposingNormalizerBorrowed::new_nfd();
        for c in '\0'..=char::MAX {
            let expected = nfd.normalize_iter(std::iter::once(c));
            // Of a few marks alone the library keeps no order that matters.
            assert!(decompose(c).eq(expected), "{c:?}");
        }
    }

    #[test]
    fn a_text_has_one_form_however_it_was_typed() {
        for (typed, form) in [
            ("e\u{301}", "é"),
            ("a\u{328}\u{301}", "ą\u{301}"),
            ("a\u{301}\u{328}", "ą\u{301}"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("\u{212b}\u{37e}", "Å;"),
            ("e\u{302}\u{301} ê\u{301} é\u{302}", "ế ế é\u{302}"),
            // No composition: an exclusion, a mark without a letter, a letter between.
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
        fn the_form_is_that_of_the_library(
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
    fn look_alikes_are_read_as_letters() {
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
