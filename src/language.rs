//! The languages of messages and of the estimate's words, and the choice of one for a request.

use std::ops::Deref;

use serde::Deserialize;

/// A language of messages, whose words the estimate of guesses also includes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English, the default.
    #[default]
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Italian.
    It,
    /// Portuguese.
    Pt,
    /// Polish.
    Pl,
}

/// The default weight of a language range, in thousandths.
const FULL_WEIGHT: u16 = 1_000;

impl Language {
    /// All languages, in the order of `build.rs`.
    pub const ALL: [Self; 7] =
        [Self::En, Self::De, Self::Fr, Self::Es, Self::It, Self::Pt, Self::Pl];

    /// The language's tag (RFC 5646), for `Content-Language`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::It => "it",
            Self::Pt => "pt",
            Self::Pl => "pl",
        }
    }

    /// Looks up one language range, such as `de-AT` (RFC 4647, section 3.4).
    ///
    /// The look-up drops subtags from the end until a language matches. Each of our tags is a
    /// single subtag, so only the first one is compared. None if the range is malformed or for
    /// another language.
    #[must_use]
    pub fn look_up(range: &str) -> Option<Self> {
        let is_subtag = |subtag: &str| {
            (1..=8).contains(&subtag.len()) && subtag.bytes().all(|c| c.is_ascii_alphanumeric())
        };
        if !range.split('-').all(is_subtag) {
            return None;
        }
        let primary = range.split('-').next()?;
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// Chooses the supported language with the highest weight; the first one wins a tie.
    ///
    /// `values` are those of `Accept-Language` (RFC 9110, section 12.5.4). Ranges that are
    /// malformed or have a weight of 0 are skipped. So is `*`, which means the default if no other
    /// range matches.
    #[must_use]
    pub fn preferred(values: impl IntoIterator<Item: Deref<Target = str>>) -> Option<Self> {
        let mut best: Option<(Self, u16)> = None;
        for value in values {
            for (language, weight) in value.split(',').filter_map(weighted) {
                if weight > best.map_or(0, |(_, weight)| weight) {
                    best = Some((language, weight));
                }
            }
        }
        best.map(|(language, _)| language)
    }
}

/// Parses an element of `Accept-Language`, such as `de-AT;q=0.7`.
fn weighted(element: &str) -> Option<(Language, u16)> {
    let (range, weight) = match element.split_once(';') {
        None => (element, FULL_WEIGHT),
        Some((range, weight)) => {
            let (name, value) = trim(weight).split_once('=')?;
            if !name.eq_ignore_ascii_case("q") {
                return None;
            }
            (range, thousandths(value)?)
        }
    };
    Some((Language::look_up(trim(range))?, weight))
}

/// Parses a weight of at most 1 with at most three decimals (RFC 9110, section 12.4.2).
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let whole = match whole {
        "0" => 0,
        "1" => FULL_WEIGHT,
        _ => return None,
    };
    if decimals.len() > 3 || !decimals.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let digits = decimals.bytes().chain(std::iter::repeat(b'0')).take(3);
    let decimals = digits.fold(0, |sum, digit| 10 * sum + u16::from(digit - b'0'));
    Some(whole + decimals).filter(|weight| *weight <= FULL_WEIGHT)
}

/// Removes HTTP's optional white space only, which is a subset of Unicode's.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_subtag_of_a_range_determines_the_language() {
        for (range, language) in [
            ("de", Language::De),
            ("de-AT", Language::De),
            ("DE-at", Language::De),
            ("de-Latn-DE-1996", Language::De),
            ("de-x-private", Language::De),
            ("pt-BR", Language::Pt),
            ("en-GB-oxendict", Language::En),
        ] {
            assert_eq!(Language::look_up(range), Some(language), "{range}");
        }
        for range in [
            "",
            "-",
            "de-",
            "-de",
            "de--AT",
            "de_AT",
            "deu",
            "d",
            "x-de",
            "i-default",
            "*",
            "*-de",
            "nl",
            " de",
            "de;q=1",
            "de-abcdefghi",
            "de-Ä",
            "%64e",
        ] {
            assert_eq!(Language::look_up(range), None, "{range}");
        }
    }

    #[test]
    fn the_supported_range_with_the_highest_weight_is_preferred() {
        for (list, language) in [
            ("de", Some(Language::De)),
            ("nl, de-AT;q=0.8, fr;q=0.9", Some(Language::Fr)),
            ("fr, de", Some(Language::Fr)),
            ("fr;q=0.5,de;q=0.5", Some(Language::Fr)),
            ("de;q=0.001, pl;q=0.002", Some(Language::Pl)),
            ("de ; Q=1.000\t, fr", Some(Language::De)),
            ("*, es;q=0.1", Some(Language::Es)),
            ("de;q=0, es;q=0.", None),
            (",, it ,", Some(Language::It)),
            (
                "de;q=2, de;q=1.001, de;q=.5, de;q=0.1234, de;q=-1, de;q=, de;q, de;, it;q=0.1",
                Some(Language::It),
            ),
            ("de;level=1, it;q=0.1", Some(Language::It)),
            ("de;q=1;q=0, it;q=0.1", Some(Language::It)),
            ("\u{a0}de, it;q=0.1", Some(Language::It)),
            ("*", None),
            ("nl", None),
            ("", None),
        ] {
            assert_eq!(Language::preferred([list]), language, "{list}");
        }
    }

    #[test]
    fn the_policy_file_names_each_language_by_its_tag() {
        for language in Language::ALL {
            let text = format!("language = {:?}", language.tag());
            let read: std::collections::BTreeMap<String, Language> = toml::from_str(&text).unwrap();
            assert_eq!(read["language"], language);
            assert_eq!(Language::look_up(language.tag()), Some(language));
        }
    }

    proptest! {
        #[test]
        fn no_list_causes_a_panic(list in any::<String>(), ascii in "[-a-zA-Z0-9*;,=.q \t]*") {
            for text in [&list, &ascii] {
                let _ = (Language::look_up(text), Language::preferred([text.as_str()]));
            }
        }

        #[test]
        fn the_first_range_with_the_highest_weight_wins(
            weights in proptest::collection::vec((0..7_usize, 1..=1000_u16), 1..20)
        ) {
            let element = |(at, weight): &(usize, u16)| {
                let tag = Language::ALL[*at].tag();
                format!("{tag}-XX;q={}.{:03}", weight / 1000, weight % 1000)
            };
            let list: Vec<_> = weights.iter().map(element).collect();
            let most = weights.iter().map(|(_, weight)| *weight).max().unwrap();
            let (first, _) = weights.iter().find(|(_, weight)| *weight == most).unwrap();
            prop_assert_eq!(Language::preferred([list.join(", ").as_str(), "*"]), Some(Language::ALL[*first]));
        }
    }
}
