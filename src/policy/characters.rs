//! Cognito's rules on characters: valid passwords, character classes and symbols.

use secrecy::ExposeSecret as _;

use crate::credentials::Password;

/// The longest password Cognito accepts, in code points.
///
/// Source: Amazon Cognito user pools API reference, `ChangePassword`, `ProposedPassword`.
pub const COGNITO_MAX_LENGTH: usize = 256;

/// Cognito's symbol characters; a space that is neither first nor last counts as one too.
///
/// Source: Amazon Cognito developer guide, "Adding user pool password requirements".
pub const SYMBOLS: &str = r#"^$*.[]{}()?"!@#%&/\,><':;|_~`=+-"#;

/// A class of characters that a policy can require, exactly as Cognito counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterClass {
    /// `a` to `z`.
    Lowercase,
    /// `A` to `Z`.
    Uppercase,
    /// `0` to `9`.
    Digit,
    /// One of [`SYMBOLS`], or a space that is neither first nor last.
    Symbol,
}

impl CharacterClass {
    /// All four, in the order in which they are reported.
    pub const ALL: [Self; 4] = [Self::Lowercase, Self::Uppercase, Self::Digit, Self::Symbol];

    /// Every character of this class except the space.
    #[must_use]
    pub fn members(self) -> &'static str {
        match self {
            Self::Lowercase => "abcdefghijklmnopqrstuvwxyz",
            Self::Uppercase => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Self::Digit => "0123456789",
            Self::Symbol => SYMBOLS,
        }
    }

    /// The number of characters of this class in a text.
    pub(super) fn count(self, text: &str) -> usize {
        let bytes = |is: fn(&u8) -> bool| text.bytes().filter(is).count();
        match self {
            Self::Lowercase => bytes(u8::is_ascii_lowercase),
            Self::Uppercase => bytes(u8::is_ascii_uppercase),
            Self::Digit => bytes(u8::is_ascii_digit),
            Self::Symbol => {
                text.trim().chars().filter(|&c| c == ' ' || SYMBOLS.contains(c)).count()
            }
        }
    }
}

/// Returns whether a Cognito user can have this password. A change from a previous password that no
/// user can have always fails, and would cost the user one of five tries an hour.
///
/// Returns `false` only if that is certain. Cognito requires the pattern `^[\S]+.*[\S]+$`, in which
/// `\S` excludes only ASCII white space and `.` excludes line ends, and at most [`COGNITO_MAX_LENGTH`]
/// code points. The other control characters match the pattern, but no form can type them. Source:
/// Amazon Cognito user pools API reference, `ChangePassword`, `PreviousPassword`, and the constraint
/// in its `InvalidParameterException`.
#[must_use]
pub fn can_be_a_password(password: &Password) -> bool {
    let text = password.expose_secret();
    let is_control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.contains(is_control)
        && text.chars().count() <= COGNITO_MAX_LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_counts(text: &str, expected: [usize; 4]) {
        assert_eq!(CharacterClass::ALL.map(|class| class.count(text)), expected, "{text}");
    }

    #[test]
    fn letters_and_digits_beyond_ascii_and_other_symbols_belong_to_no_class() {
        for text in ["é", "É", "٣", "§", "€", "🔑"] {
            assert_counts(text, [0; 4]);
        }
        assert_counts("aéA1٣!§bB2", [2, 2, 2, 1]);
    }

    #[test]
    fn each_of_the_32_symbols_counts_as_a_symbol_and_nothing_else() {
        assert_eq!(SYMBOLS.chars().count(), 32);
        for symbol in SYMBOLS.chars() {
            assert_counts(&symbol.to_string(), [0, 0, 0, 1]);
        }
    }

    #[test]
    fn a_space_counts_as_a_symbol_except_at_either_end() {
        for (text, symbols) in [("a b c", 2), (" ab", 0), ("ab ", 0), ("a\tb", 0), ("a\u{a0}b", 0)]
        {
            assert_eq!(CharacterClass::Symbol.count(text), symbols, "{text:?}");
        }
    }
}
