//! The organisation's password policy: a list of rules, read from TOML and checked together.
//!
//! A [`Rule`] is the only source of its code, parameters, message and check, so
//! `GET /password-policy` always describes the rules that are enforced. Every length is in Unicode
//! code points.
//!
//! This module defines Cognito's limits, character classes and attribute names, and the settings of
//! the breach check. It makes no network call: [`crate::change_password`] fetches the user's
//! attributes and queries the breach service.

mod banned_words;
mod characters;
mod combinations;
mod error;
mod file;
mod hard_to_type;
mod messages;
mod normalize;
mod patterns;
mod personal_words;
mod rule;
mod rules;
mod settings;
mod similarity;
mod strength;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use characters::{COGNITO_MAX_LENGTH, CharacterClass, SYMBOLS, can_be_a_password};
use combinations::Combinations;
pub use error::PolicyError;
use file::ParsedFile;
pub use hard_to_type::HardToType;
pub(crate) use normalize::nfc;
pub use personal_words::{PersonalAttribute, PersonalWords};
pub use rule::{PoolRequirement, Rule, Violation};
pub use rules::Rules;
pub use settings::{BreachSettings, OnFailure};

/// The rules for everybody, and the stricter rules for the members of some groups.
#[derive(Debug, Clone)]
pub struct Policy {
    base: Arc<Rules>,
    groups: BTreeMap<String, Arc<Rules>>,
    /// The rules for a member of all groups.
    strictest: Arc<Rules>,
    combinations: Combinations,
}

impl Policy {
    /// Reads a policy from the text of a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with the name of a key that is unknown or missing, has a value of the wrong
    /// type or out of range, is looser for a group than for everybody, conflicts with another group,
    /// or makes a rule that no password can satisfy.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let ParsedFile { base, groups } = ParsedFile::read(text)?;
        let strictest = groups.values().fold(base.clone(), |all, group| all.and(group));
        strictest.check("all groups together: ")?;
        let groups = groups.into_iter().map(|(name, group)| Ok((name, Rules::new(group)?.into())));
        Ok(Self {
            groups: groups.collect::<Result<_, PolicyError>>()?,
            base: Rules::new(base)?.into(),
            strictest: Rules::new(strictest)?.into(),
            combinations: Combinations::default(),
        })
    }

    /// The rules for everybody.
    #[must_use]
    pub fn base(&self) -> &Rules {
        &self.base
    }

    /// The groups with rules of their own, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Rules)> {
        self.groups.iter().map(|(name, rules)| (name.as_str(), &**rules))
    }

    /// The rules for a member of these Cognito groups: the strictest value of each key.
    ///
    /// A token may name a group thousands of times, and may name groups that are not in the policy.
    /// So the list is first reduced to the set of groups in the policy. The rules of each set are
    /// built once.
    #[must_use]
    pub fn for_groups(&self, groups: &[String]) -> Arc<Rules> {
        let named: BTreeMap<_, _> =
            groups.iter().filter_map(|group| self.groups.get_key_value(group)).collect();
        let mut each = named.values();
        let Some(first) = each.next() else { return Arc::clone(&self.base) };
        if each.len() == 0 {
            return Arc::clone(first);
        }
        self.combinations.get_or_build(named.keys().copied().cloned().collect(), || {
            let first = first.settings().clone();
            let all = each.fold(first, |all, group| all.and(group.settings()));
            // `from_toml` has checked all groups together, so any combination of them is valid.
            Rules::new(all).unwrap_or_else(|_| Rules::clone(&self.strictest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Password;

    #[track_caller]
    fn assert_rejected(policy: &str, expected: &str) {
        let error = Policy::from_toml(policy).unwrap_err().to_string();
        assert!(error.contains(expected), "{policy}: {error}");
    }

    #[test]
    fn all_violations_are_reported_together_and_in_order() {
        let policy = "
            [length]
            min = 8
            max = 10
            [characters]
            lowercase = 1
            uppercase = 1
            digit = 1
            symbol = 1
        ";
        let policy = Policy::from_toml(policy).unwrap();
        let cases: [(&str, &[&str]); 5] = [
            (
                "",
                &[
                    "too_short",
                    "missing_lowercase",
                    "missing_uppercase",
                    "missing_digit",
                    "missing_symbol",
                ],
            ),
            (
                " demodemodemo",
                &[
                    "too_long",
                    "missing_uppercase",
                    "missing_digit",
                    "missing_symbol",
                    "leading_or_trailing_space",
                ],
            ),
            ("aA1!aA1!", &[]),
            ("\u{200b}aA1!a\tA1!", &["hard_to_type"]),
            ("e\u{301}\u{a0}’ﬁaA1!", &[]),
        ];
        for (proposed, expected) in cases {
            let password = Password::from(proposed);
            let found = policy.base().violations(&password, None, &PersonalWords::new([]));
            let codes: Vec<&str> = found.iter().map(Violation::code).collect();
            assert_eq!(codes, expected, "{proposed}");
        }
    }

    #[test]
    fn the_estimate_of_guesses_counts_the_users_words_and_ignores_banned_words() {
        let with = |more: &str| Policy::from_toml(&format!("length.min = 8\n{more}")).unwrap();
        let (bare, bans) = (with(""), with("words.banned = [\"zyxomvqa\"]"));
        let password = Password::from("zyxomvqa-2026!");
        let nobody = PersonalWords::new([]);
        let guesses = |policy: &Policy, of| policy.base().guesses_log10(&password, of);
        assert_eq!(
            guesses(&bare, &nobody).to_bits(),
            guesses(&bans, &nobody).to_bits(),
            "the estimate must not reveal banned words"
        );
        let user = PersonalWords::new([(PersonalAttribute::UserName, "zyxomvqa")]);
        assert!(guesses(&bare, &user) + 2.0 < guesses(&bare, &nobody));
    }

    #[test]
    fn an_invalid_banned_word_is_rejected_with_the_name_of_its_key() {
        assert_rejected("[length]\nmin = 8\n[words]\nbanned = [\"abc\"]", "`words.banned`");
    }

    #[test]
    fn groups_that_contradict_each_other_are_rejected() {
        assert_rejected(
            "[length]\nmin = 8\n[groups.a.length]\nmin = 30\n[groups.b.length]\nmax = 20",
            "all groups together: length.min",
        );
    }
}
