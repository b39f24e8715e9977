//! The organisation's password policy: a list of rules, read from TOML, checked all at once.
//!
//! A [`Rule`] is the one source of its code, its parameters, its message and its check, so what
//! `GET /password-policy` describes cannot drift from what is enforced. Every length is in Unicode
//! code points.
//!
//! The policy knows Cognito's limits, character classes and attribute names, and it holds the
//! settings of the breach check. It makes no network call and waits for nothing:
//! [`crate::change_password`] fetches the user's attributes and queries the breach service.

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

/// What everybody must keep, and what the members of some groups must keep.
#[derive(Debug, Clone)]
pub struct Policy {
    base: Arc<Rules>,
    groups: BTreeMap<String, Arc<Rules>>,
    /// What all groups ask for together.
    strictest: Arc<Rules>,
    combinations: Combinations,
}

impl Policy {
    /// Reads a policy from the text of a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with the key's name: unknown, missing, of a wrong type, out of range, looser
    /// for a group than for everybody, in conflict with another group's, or such that no password
    /// could satisfy it.
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

    /// The groups that have rules of their own, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Rules)> {
        self.groups.iter().map(|(name, rules)| (name.as_str(), &**rules))
    }

    /// The rules for a member of these Cognito groups: the strictest value of each key.
    ///
    /// A token may name a group thousands of times, and groups that are unknown to the policy. The
    /// list is first reduced to the set of groups that the policy names, and the rules of each set
    /// are built once.
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
            // All groups together were found sound at the start, so any of them together are.
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
    fn the_number_of_guesses_knows_the_users_words_and_no_banned_one() {
        let with = |more: &str| Policy::from_toml(&format!("length.min = 8\n{more}")).unwrap();
        let (bare, bans) = (with(""), with("words.banned = [\"zyxomvqa\"]"));
        let password = Password::from("zyxomvqa-2026!");
        let nobody = PersonalWords::new([]);
        let guesses = |policy: &Policy, of| policy.base().guesses_log10(&password, of);
        assert_eq!(
            guesses(&bare, &nobody).to_bits(),
            guesses(&bans, &nobody).to_bits(),
            "banned words must not show"
        );
        let user = PersonalWords::new([(PersonalAttribute::UserName, "zyxomvqa")]);
        assert!(guesses(&bare, &user) + 2.0 < guesses(&bare, &nobody));
    }

    #[test]
    fn an_invalid_banned_word_is_rejected_with_its_key() {
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
