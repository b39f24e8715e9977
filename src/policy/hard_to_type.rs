//! Characters that can lock a user out, because other devices type them differently or not at all.
//!
//! Cognito compares passwords byte for byte, and the function forwards them unchanged. So a password
//! with such a character may work on the phone that set it and fail on a computer.

use std::collections::BTreeSet;
use std::iter;

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::Serialize;

use super::normalize::{is_virama, secret};

/// A kind of character that is hard to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HardToType {
    /// A control character, or a line or paragraph separator.
    Control,
    /// An invisible character at either end, including text direction marks.
    InvisibleEnd,
    /// An invisible character elsewhere.
    Invisible,
    /// A text direction mark elsewhere.
    BidirectionalMark,
    /// A space other than the space bar's, such as a no-break space.
    OddSpace,
    /// A quote, dash or ellipsis that phones substitute for a typed one.
    SmartPunctuation,
    /// A special form of a common character, such as a full-width letter or a ligature.
    CompatibilityForm,
    /// A character in an unusual encoding, such as a letter with a combining accent: the text is not
    /// in NFC.
    NotNfc,
}

impl HardToType {
    /// The kinds that no form can type. Every policy rejects them.
    pub const ALWAYS: &[Self] = &[Self::Control, Self::InvisibleEnd];

    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Control,
        Self::InvisibleEnd,
        Self::Invisible,
        Self::BidirectionalMark,
        Self::OddSpace,
        Self::SmartPunctuation,
        Self::CompatibilityForm,
        Self::NotNfc,
    ];

    /// The message key of this kind's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Control => "hard_to_type.kinds.control",
            Self::InvisibleEnd => "hard_to_type.kinds.invisible_end",
            Self::Invisible => "hard_to_type.kinds.invisible",
            Self::BidirectionalMark => "hard_to_type.kinds.bidirectional_mark",
            Self::OddSpace => "hard_to_type.kinds.odd_space",
            Self::SmartPunctuation => "hard_to_type.kinds.smart_punctuation",
            Self::CompatibilityForm => "hard_to_type.kinds.compatibility_form",
            Self::NotNfc => "hard_to_type.kinds.not_nfc",
        }
    }
}

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const TEXT_STYLE: char = '\u{fe0e}';
const EMOJI_STYLE: char = '\u{fe0f}';
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';

/// The maximum number of tags in an emoji, such as the flag of England: five for the country and one
/// at the end.
///
/// Source: Unicode Technical Standard #51, `emoji-sequences.txt`.
const MAX_TAGS: usize = 6;

/// The kinds of hard-to-type characters in a password as sent. `form` is the password in
/// [`nfc`](super::normalize::nfc).
pub(super) fn found_in(sent: &str, form: &str) -> BTreeSet<HardToType> {
    let text = secret(sent.len(), sent.chars());
    let mut found: BTreeSet<HardToType> =
        (0..text.len()).filter_map(|at| kind(&text[..at], text[at], &text[at + 1..])).collect();
    if sent != form {
        found.insert(HardToType::NotNfc);
    }
    found
}

/// The kind of one character, given the text before and after it; `None` if it is easy to type.
fn kind(before: &[char], c: char, after: &[char]) -> Option<HardToType> {
    if matches!(c, ' '..='~') {
        return None;
    }
    let is_at_end = before.is_empty() || after.is_empty();
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        Some(HardToType::Control)
    } else if is_bidirectional_mark(c) || is_invisible(c) && !is_part_of(before, c, after) {
        Some(match c {
            _ if is_at_end => HardToType::InvisibleEnd,
            _ if is_bidirectional_mark(c) => HardToType::BidirectionalMark,
            _ => HardToType::Invisible,
        })
    } else if c.is_whitespace() {
        Some(HardToType::OddSpace)
    } else if matches!(c, '\u{2010}'..='\u{2015}' | '\u{2018}'..='\u{201f}' | '\u{2026}') {
        Some(HardToType::SmartPunctuation)
    } else if is_compatibility_form(c) && !is_key(c) && !is_emoji(c, after) {
        Some(HardToType::CompatibilityForm)
    } else {
        None
    }
}

/// Unicode's `Bidi_Control`.
fn is_bidirectional_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Unicode's `Default_Ignorable_Code_Point`, and other characters without a visible shape: annotations,
/// the object replacement character that dictation leaves behind, and the blank Braille pattern.
///
/// Source: Unicode Character Database, `DerivedCoreProperties.txt`.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Returns whether an invisible character is a regular part of the text around it: a joiner, a
/// variation selector or a tag.
fn is_part_of(before: &[char], c: char, after: &[char]) -> bool {
    let Some(&previous) = before.last() else { return false };
    let next = after.first().copied();
    match c {
        ZERO_WIDTH_NON_JOINER => {
            is_virama(previous) || is_arabic(previous) && next.is_some_and(is_arabic)
        }
        // In Bengali and Sinhala, it can also precede the virama.
        ZERO_WIDTH_JOINER => {
            is_virama(previous)
                || previous.is_alphabetic() && next.is_some_and(is_virama)
                || ends_pictograph(before) && next.is_some_and(is_pictograph)
        }
        TEXT_STYLE | EMOJI_STYLE => {
            is_pictograph(previous) || matches!(previous, '0'..='9' | '#' | '*')
        }
        // The other variation selectors choose the shape of an ideograph, symbol or letter.
        '\u{180b}'..='\u{180d}'
        | '\u{180f}'
        | '\u{fe00}'..='\u{fe0d}'
        | '\u{e0100}'..='\u{e01ef}' => {
            !previous.is_ascii() && !previous.is_whitespace() && !is_invisible(previous)
        }
        _ if is_tag(c) => {
            let base = before.iter().rev().take(MAX_TAGS).find(|c| !is_tag(**c));
            let end = iter::once(&c)
                .chain(after)
                .take(MAX_TAGS)
                .find(|c| **c == CANCEL_TAG || !is_tag(**c));
            base == Some(&BLACK_FLAG) && end == Some(&CANCEL_TAG)
        }
        _ => false,
    }
}

/// Returns whether a letter or mark belongs to the Arabic script, in which a non-joiner separates the
/// parts of Persian compounds, such as می‌خواهم.
fn is_arabic(c: char) -> bool {
    let is_in_block =
        matches!(c, '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{870}'..='\u{8ff}');
    is_in_block && c.is_alphabetic()
}

/// Returns whether the text ends with an emoji that a joiner can follow: a pictograph, optionally with
/// a style or tags.
fn ends_pictograph(text: &[char]) -> bool {
    let last = text.iter().rev().find(|c| !matches!(**c, EMOJI_STYLE) && !is_tag(**c));
    last.is_some_and(|c| is_pictograph(*c))
}

/// The blocks and characters that contain Unicode's `Extended_Pictographic` characters.
///
/// The blocks contain other characters too. The only effect is that a joiner or a style next to one
/// of those counts as part of an emoji. Source: Unicode Character Database, `emoji-data.txt`.
fn is_pictograph(c: char) -> bool {
    matches!(
        c,
        '©' | '®' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21ff}'
        | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25a0}'..='\u{27bf}' | '\u{2900}'..='\u{297f}'
        | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{1f000}'..='\u{1faff}'
    )
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// Returns whether Normalization Form KC, which unifies the forms of a character, changes a character
/// that NFC leaves as it is.
fn is_compatibility_form(c: char) -> bool {
    let mut bytes = [0; 4];
    let text = &*c.encode_utf8(&mut bytes);
    ComposingNormalizerBorrowed::new_nfc().is_normalized(text)
        && !ComposingNormalizerBorrowed::new_nfkc().is_normalized(text)
}

/// Compatibility characters that have keys on national keyboards, and so are easy to type.
fn is_key(c: char) -> bool {
    matches!(
        c,
        // ² ³ µ ª º ½ ´ ¨ and others, in western Europe.
        '\u{a0}'..='\u{ff}'
        // ˘ ˙ ˚ ˛ ˜ ˝, in central Europe, and the Greek tonos.
        | '\u{2d8}'..='\u{2dd}' | '\u{384}'
        // The Armenian ligature և, the Thai and Lao vowel am, two Lao letters.
        | '\u{587}' | '\u{e33}' | '\u{eb3}' | '\u{edc}' | '\u{edd}'
        // № on Russian keyboards; single Korean letters.
        | '\u{2116}' | '\u{3131}'..='\u{318e}'
    )
}

/// Returns whether a compatibility character is an emoji: 🈁 and similar ones always are, and others,
/// such as ™️, are if an emoji style follows.
fn is_emoji(c: char, after: &[char]) -> bool {
    matches!(c, '\u{1f200}'..='\u{1f265}')
        || is_pictograph(c) && after.first() == Some(&EMOJI_STYLE)
}

#[cfg(test)]
mod tests {
    use HardToType::{
        BidirectionalMark, CompatibilityForm, Control, Invisible, InvisibleEnd, NotNfc, OddSpace,
        SmartPunctuation,
    };
    use icu_properties::CodePointSetData;
    use icu_properties::props::{
        BidiControl, DefaultIgnorableCodePoint, Emoji, ExtendedPictographic,
    };
    use proptest::prelude::*;

    use super::super::normalize::nfc;
    use super::*;

    fn found_in(text: &str) -> BTreeSet<HardToType> {
        super::found_in(text, &nfc(text))
    }

    #[track_caller]
    fn assert_kinds(text: &str, kinds: &[HardToType]) {
        assert_eq!(found_in(text), kinds.iter().copied().collect(), "{text:?}");
    }

    #[test]
    fn the_lists_of_characters_match_unicodes_properties() {
        let bidirectional = CodePointSetData::new::<BidiControl>();
        let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let emoji = CodePointSetData::new::<Emoji>();
        let pictograph = CodePointSetData::new::<ExtendedPictographic>();
        for c in '\0'..=char::MAX {
            assert_eq!(is_bidirectional_mark(c), bidirectional.contains(c), "{c:?}");
            let is_shapeless = matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffc}');
            assert_eq!(is_invisible(c), ignorable.contains(c) || is_shapeless, "{c:?}");
            assert!(is_pictograph(c) || !emoji.contains(c) || !pictograph.contains(c), "{c:?}");
        }
    }

    #[test]
    fn each_kind_of_hard_to_type_character_is_found() {
        for (kind, texts) in [
            (
                Control,
                &["a\0b", "a\tb", "ab\n", "\u{7f}ab", "a\u{85}b", "a\u{2028}b", "ab\u{2029}"][..],
            ),
            (
                InvisibleEnd,
                &[
                    "\u{feff}ab",
                    "ab\u{200b}",
                    "ab\u{200d}",
                    "\u{200e}ab",
                    "ab\u{2069}",
                    "ab\u{3164}",
                    "ab\u{2800}",
                    "\u{fe0f}ab",
                ],
            ),
            (
                Invisible,
                &[
                    "a\u{ad}b",
                    "a\u{200b}b",
                    "a\u{2060}b",
                    "a\u{feff}b",
                    "a\u{3164}b",
                    "a\u{fffc}b",
                    "a\u{2800}b",
                    "a\u{e0001}b",
                ],
            ),
            (
                BidirectionalMark,
                &["a\u{200e}b", "ש\u{200f}ל", "a\u{202e}b", "a\u{2066}b", "س\u{61c}ل"],
            ),
            (OddSpace, &["a\u{a0}b", "a\u{202f}b", "a\u{2003}b", "a\u{3000}b", "a\u{1680}b"]),
            (
                SmartPunctuation,
                &["don’t", "“ab”", "„ab‟", "‚ab‛", "a–b", "a—b", "a‑b", "a―b", "ab…"],
            ),
            (
                CompatibilityForm,
                &["ｐａｓｓ", "！", "ﾊﾝｶｸ", "ﬁsh", "𝐏𝐚𝐬𝐬", "①②", "Ⅳ", "㎏", "ﷺ", "⼀", "ſ"],
            ),
            (
                NotNfc,
                &["e\u{301}", "\u{212b}", "a\u{301}\u{328}", "\u{958}", "\u{1112}\u{1161}\u{11ab}"],
            ),
        ] {
            for text in texts {
                assert_kinds(text, &[kind]);
            }
        }
        assert_kinds(
            "\u{feff}e\u{301}\u{a0}’\u{200b}",
            &[InvisibleEnd, OddSpace, SmartPunctuation, NotNfc],
        );
        assert_eq!(HardToType::ALL.iter().collect::<BTreeSet<_>>().len(), 8);
    }

    #[test]
    fn letters_marks_and_symbols_of_national_keyboards_pass() {
        for text in [
            "",
            "Correct horse, 7 batteries: ~!",
            "Grüße! mañana? ça île œuvre £5 §3 €9 ½ x² 1º ª µ ´ ¨ ¿¡ «ici»",
            "zażółć gęślą jaźń ˛ ˝ ěščřžýáíé ő ű ş ğ ı İ ʻokina",
            "Пароль №1 йёїґ ўћџ",
            "Mật khẩu của tôi: đường ế ộ ữ",
            "한국어 비밀번호 ㅋㅋㅋ ㅏㅏ",
            "सुरक्षित पासवर्ड পাসওয়ার্ড ภาษาไทย รหัสผ่านน้ำ ລະຫັດຜ່ານນ້ຳ ໜ",
            "סיסמה שָׁלוֹם كلمة المرور رمز عبور",
            "パスワード ひらがな が 密码 密碼 、。「」",
            "κωδικός ΄ գաղտնաբառ և",
        ] {
            assert_kinds(text, &[]);
        }
    }

    #[test]
    fn a_non_joiner_passes_only_between_persian_letters_and_after_a_virama() {
        for text in ["می‌خواهم", "کتاب‌ها", "نمی‌دانم۱۲", "क्‌ष", "ര്‍", "അവന്‍"]
        {
            assert_kinds(text, &[]);
        }
        for text in [
            "a\u{200c}b",
            "می\u{200c} خواهم",
            "۱\u{200c}۲",
            "कख\u{200c}ग",
            "가\u{200c}나",
            "1\u{200c}2",
        ] {
            assert_kinds(text, &[Invisible]);
        }
        assert_kinds("می\u{200c}", &[InvisibleEnd]);
    }

    #[test]
    fn a_joiner_passes_only_next_to_a_virama_and_inside_an_emoji() {
        for text in ["क्‍ष", "ශ්‍රී ලංකා", "র‍্যাব", "👩‍💻", "👨‍👩‍👧‍👦", "👩🏽‍🚀", "🏳️‍🌈", "❤️‍🔥", "🏴‍☠️", "🧑‍⚕️"]
        {
            assert_kinds(text, &[]);
        }
        for text in [
            "a\u{200d}b",
            "س\u{200d}ل",
            "👩\u{200d}a",
            "a\u{200d}👩",
            "👩\u{200d}\u{200d}👩",
            "कख\u{200d}ग",
        ] {
            assert_kinds(text, &[Invisible]);
        }
        assert_kinds("👩\u{200d}", &[InvisibleEnd]);
    }

    #[test]
    fn variation_selectors_and_tags_pass_only_after_a_matching_character() {
        for text in [
            "❤️",
            "☎︎",
            "1️⃣ #️⃣",
            "™️",
            "㊗️",
            "‼️",
            "🈁🈚🈶",
            "🅰️🆎",
            "🇩🇪",
            "👍🏿",
            "葛\u{e0100}",
            "≨\u{fe00}",
            "ᠠ\u{180b}ᠠ",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ] {
            assert_kinds(text, &[]);
        }
        for text in [
            "a\u{fe0f}b",
            "é\u{fe0f}b",
            "❤\u{fe0f}\u{fe0f}b",
            "a\u{fe00}b",
            "a\u{e0100}b",
            " \u{fe0f}b",
        ] {
            assert_kinds(text, &[Invisible]);
        }
        // Tags without a flag, without the cancel tag, and too many.
        for text in [
            "a\u{e0067}\u{e007f}b",
            "🏴\u{e0067}\u{e0062}b",
            "🏴\u{e0067}\u{e0067}\u{e0067}\u{e0067}\u{e0067}\u{e0067}\u{e007f}b",
        ] {
            assert_kinds(text, &[Invisible]);
        }
        assert_kinds("a™b", &[CompatibilityForm]);
    }

    proptest! {
        #[test]
        fn printable_ascii_is_never_hard_to_type(text in "[ -~]{0,60}") {
            prop_assert!(found_in(&text).is_empty());
        }

        #[test]
        fn no_text_panics(text in prop::collection::vec(any::<char>(), 0..60)) {
            found_in(&String::from_iter(text));
        }

        #[test]
        fn a_control_character_is_found_in_any_text(before in "\\PC{0,20}", after in "\\PC{0,20}") {
            let text = [&before, "\u{1}", &after].concat();
            prop_assert!(found_in(&text).contains(&Control));
        }
    }
}
