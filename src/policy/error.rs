//! The errors that a policy file can contain.

use thiserror::Error;

use super::banned_words::BannedWordError;

/// An error in a policy file, with the name of the invalid key.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Invalid TOML, an unknown key, or a value of the wrong type.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// Neither the file nor a profile sets the minimum length.
    #[error("`length.min` is not set; set it, or a `profile` that sets it")]
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
    /// A number of guesses outside its range.
    #[error("`{key}` is {value}; it must be from 0 to {max}")]
    Guesses {
        /// The key's full name.
        key: String,
        /// The value in the file.
        value: f64,
        /// The highest value allowed.
        max: f64,
    },
    /// The policy requires more characters than the longest password has.
    #[error("`{place}characters` requires {required} characters, but `length.max` is {max}")]
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
    /// An address to which no part of a password's hash may be sent.
    ///
    /// The address is not printed, because it may contain credentials.
    #[error(
        "`{key}` must be an https URL without a user name, a query or a fragment; http is allowed \
         only for localhost, 127.0.0.0/8 and [::1]"
    )]
    Endpoint {
        /// The key's full name.
        key: String,
    },
    /// Two breach services: a user in the groups of both would be checked against only one.
    #[error(
        "`{key}` is not the same service as `{other}`; all breach checks of a policy use one service, \
         by default Pwned Passwords"
    )]
    TwoServices {
        /// The full name of the key that sets the second service.
        key: String,
        /// The full name of the first key that sets another service.
        other: String,
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
