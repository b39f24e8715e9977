//! The errors of a policy file.

use thiserror::Error;

use super::banned_words::BannedWordError;

/// An error in a policy file, with the name of the key at fault.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Invalid TOML, an unknown key, or a value of the wrong type.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// Neither the file nor a profile sets the minimum length.
    #[error("`length.min` is not set, and there is no `profile` that sets it")]
    NoMinimum,
    /// A number outside its range.
    #[error("`{key}` is {value}; it must be from {min} to {max}")]
    OutOfRange {
        /// The key's full name.
        key: String,
        /// The value in the file.
        value: u64,
        /// The lowest value allowed.
        min: u64,
        /// The highest value allowed.
        max: u64,
    },
    /// The policy requires more characters than the longest password has.
    #[error("`{place}characters` asks for {required} characters, and `length.max` is {max}")]
    Unsatisfiable {
        /// The prefix of the group's keys, such as `groups.admins.`; empty for the base policy.
        place: String,
        /// The number of required characters.
        required: usize,
        /// The maximum length.
        max: usize,
    },
    /// A group's setting is looser than the base policy's.
    #[error(
        "`groups.{group}.{key}` is looser than the base policy's; a group can only be stricter"
    )]
    LooserGroup {
        /// The group's name.
        group: String,
        /// The key within the group.
        key: &'static str,
    },
    /// An invalid list of banned words.
    #[error("`words.banned`: {0}")]
    BannedWords(#[from] BannedWordError),
}

impl PolicyError {
    pub(super) fn out_of_range(key: impl Into<String>, value: u64, min: u64, max: u64) -> Self {
        Self::OutOfRange { key: key.into(), value, min, max }
    }
}
