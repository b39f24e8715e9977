//! A password as a person reads it: case, width, accents and look-alikes made one.

use zeroize::{Zeroize, Zeroizing};

/// The shortest word that is found in a password, in code points.
///
/// Source: Microsoft Entra Password Protection, both the shortest term of a custom list and the
/// shortest name that is looked for as a part.
pub(super) const MIN_WORD: usize = 4;

/// The text in lower case and half width, without accents.
///
/// One code point gives at most one (the first of its lower case), so a text never grows. Accents
/// are taken off where they stand apart (U+0300 to U+036F) and off the letters of Latin-1 and of
/// Polish, which are those of the languages whose words are built in.
pub(super) fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !('\u{300}'..='\u{36f}').contains(c)).map(|c| {
        let narrow = match c {
            // The full-width forms are ASCII from `!` to `~`, in its order.
            '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            _ => c,
        };
        match narrow.to_lowercase().next().unwrap_or(narrow) {
            'à'..='å' | 'ą' => 'a',
            'ç' | 'ć' => 'c',
            'è'..='ë' | 'ę' => 'e',
            'ì'..='ï' => 'i',
            'ł' => 'l',
            'ñ' | 'ń' => 'n',
            'ò'..='ö' | 'ø' => 'o',
            'ś' => 's',
            'ù'..='ü' => 'u',
            'ý' | 'ÿ' => 'y',
            'ź' | 'ż' => 'z',
            lower => lower,
        }
    })
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
    use super::*;

    #[test]
    fn case_width_and_accents_make_no_difference() {
        for text in ["Müller", "MÜLLER", "mu\u{308}ller", "ｍｕｌｌｅｒ", "ＭＵＬＬＥＲ"]
        {
            assert_eq!(plain(text).collect::<String>(), "muller", "{text}");
        }
        assert_eq!(plain("ÅÇÉÎÑØÜŸ ＠！～\u{3000}÷").collect::<String>(), "aceinouy @!~ ÷");
        // Other scripts keep their letters, and what has no lower case stays.
        assert_eq!(plain("ПАРОЛЬ Σ 密码 🔑").collect::<String>(), "пароль σ 密码 🔑");
    }

    #[test]
    fn one_code_point_gives_at_most_one() {
        for c in '\0'..=char::MAX {
            assert!(plain(c.encode_utf8(&mut [0; 4])).count() <= 1, "{c:?}");
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
