//! The settings of a policy: profiles, allowed ranges, comparing and combining groups, and the rules
//! that the settings turn on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::banned_words::BannedWords;
use super::characters::{COGNITO_MAX_LENGTH, CharacterClass};
use super::error::PolicyError;
use super::hard_to_type::HardToType;
use super::personal_words::PersonalAttribute;
use super::rule::Rule;
use super::strength::Strength;
use crate::language::Language;

/// The service for the breach check if the policy file names none.
pub(super) const DEFAULT_ENDPOINT: &str = "https://api.pwnedpasswords.com";

/// The profiles' `strength.min_guesses_log10`, in thousandths: 10^10 guesses.
///
/// `docs/password-policy.md` lists how many passwords from people and from generators it rejects.
const MIN_GUESSES: u32 = 10_000;

/// The settings of the breach check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreachSettings {
    /// The service's address up to `/range/`, without a trailing slash.
    pub endpoint: String,
    /// Passwords that occur in at least this many breached accounts are rejected.
    pub threshold: u64,
    /// The timeout of a request to the service.
    pub timeout: Duration,
    /// Whether the change goes ahead if the check fails.
    pub on_failure: OnFailure,
}

impl BreachSettings {
    /// Combines two checks into one that no password passes unless it passes both.
    ///
    /// The stricter timeout depends on `on_failure`, because a check that times out fails. If a
    /// failure allows the change, the longer timeout is stricter: the check finds a breached
    /// password even when the service is slow. If a failure refuses the change, the shorter one is
    /// stricter. If one side allows and the other refuses, the timeout of the side that refuses
    /// applies. A shorter one from the other side would refuse changes that both sides allow.
    fn and(&self, other: &Self) -> Self {
        let (on_failure, timeout) = match (self.on_failure, other.on_failure) {
            (OnFailure::Allow, OnFailure::Allow) => {
                (OnFailure::Allow, self.timeout.max(other.timeout))
            }
            (OnFailure::Refuse, OnFailure::Refuse) => {
                (OnFailure::Refuse, self.timeout.min(other.timeout))
            }
            (OnFailure::Refuse, OnFailure::Allow) => (OnFailure::Refuse, self.timeout),
            (OnFailure::Allow, OnFailure::Refuse) => (OnFailure::Refuse, other.timeout),
        };
        Self {
            // The same on both sides, because a policy file has only one service.
            endpoint: self.endpoint.clone(),
            threshold: self.threshold.min(other.threshold),
            timeout,
            on_failure,
        }
    }
}

/// Whether a change goes ahead if its breach check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Allow the change, and log the failure.
    Allow,
    /// Refuse the change, with an error that states that a retry is safe.
    Refuse,
}

/// A published set of rules that a policy file can start from.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum Profile {
    /// NIST SP 800-63B-4, section 3.1.1.2, for passwords that are the only factor.
    #[serde(rename = "nist-800-63b-4")]
    Nist80063B4,
    /// OWASP ASVS 5.0, section V6.2.
    #[serde(rename = "asvs-5")]
    Asvs5,
    /// The Cognito console's defaults for a new user pool.
    #[serde(rename = "cognito-default")]
    CognitoDefault,
}

/// All settings of a policy, defaults included. A rule is off if its number is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the policy file")]
pub(super) struct Settings {
    pub(super) min_length: usize,
    pub(super) max_length: usize,
    /// The minimum count of each class, in the order of [`CharacterClass::ALL`].
    pub(super) characters: [usize; 4],
    pub(super) classes: usize,
    pub(super) hard_to_type: bool,
    pub(super) max_run: usize,
    pub(super) max_sequence: usize,
    pub(super) repeated_block: bool,
    pub(super) common: bool,
    /// In thousandths of the decimal logarithm.
    pub(super) min_guesses: u32,
    pub(super) languages: BTreeSet<Language>,
    pub(super) banned: BTreeSet<String>,
    pub(super) personal: BTreeSet<PersonalAttribute>,
    pub(super) min_distance: usize,
    pub(super) counter: bool,
    pub(super) breaches: Option<BreachSettings>,
}

/// The attributes that users can sign in with.
fn sign_in_names() -> BTreeSet<PersonalAttribute> {
    use PersonalAttribute::{Email, PhoneNumber, UserName};
    [UserName, Email, PhoneNumber].into()
}

impl Settings {
    /// The settings of a profile. Without a profile, only Cognito's own limits apply.
    pub(super) fn of(profile: Option<Profile>) -> Self {
        let bare = Self {
            min_length: 0,
            max_length: COGNITO_MAX_LENGTH,
            characters: [0; 4],
            classes: 0,
            hard_to_type: false,
            max_run: 0,
            max_sequence: 0,
            repeated_block: false,
            common: false,
            min_guesses: 0,
            languages: Language::ALL.into(),
            banned: BTreeSet::new(),
            personal: BTreeSet::new(),
            min_distance: 0,
            counter: false,
            breaches: None,
        };
        match profile {
            None => bare,
            // At least 15 characters if the password is the only factor; a maximum of at least 64; no
            // composition rules; a blocklist of "commonly used, expected, or compromised" values, with
            // "context-specific words, such as the name of the service, the username, and
            // derivatives thereof". If users sign in with an e-mail address or a phone number, they
            // regard that as their user name, and the user name in the token is a UUID.
            Some(Profile::Nist80063B4) => Self {
                min_length: 15,
                common: true,
                min_guesses: MIN_GUESSES,
                personal: sign_in_names(),
                min_distance: 1,
                ..bare
            },
            // V6.2.1 at least 8 characters; V6.2.4 common passwords; V6.2.5 no composition rules;
            // V6.2.9 a maximum of at least 64; V6.2.11 context-specific words. V6.2.12, breached
            // passwords, is level 2 and requires a service: `breaches.check`.
            Some(Profile::Asvs5) => Self {
                min_length: 8,
                common: true,
                min_guesses: MIN_GUESSES,
                personal: sign_in_names(),
                min_distance: 1,
                ..bare
            },
            // Amazon Cognito developer guide, "Adding user pool password requirements". The console
            // has no blocklist; the estimate of guesses is ours.
            Some(Profile::CognitoDefault) => {
                Self { min_length: 8, characters: [1; 4], min_guesses: MIN_GUESSES, ..bare }
            }
        }
    }

    /// Rejects numbers out of range and settings that no password could satisfy.
    pub(super) fn check(&self, place: &str) -> Result<(), PolicyError> {
        if self.min_length == 0 {
            return Err(PolicyError::NoMinimum);
        }
        let max = self.max_length;
        // A `passwordRules` string cannot require more characters of a class than the class has: see
        // `crate::policy_document`.
        let most = CharacterClass::ALL.map(|class| class.members().len());
        let ranges = [
            ("length.max", max, 1, COGNITO_MAX_LENGTH),
            ("length.min", self.min_length, 1, max),
            ("characters.lowercase", self.characters[0], 0, most[0]),
            ("characters.uppercase", self.characters[1], 0, most[1]),
            ("characters.digit", self.characters[2], 0, most[2]),
            ("characters.symbol", self.characters[3], 0, most[3]),
            ("characters.classes", self.classes, 0, CharacterClass::ALL.len()),
            ("previous.min_distance", self.min_distance, 0, max),
        ];
        for (key, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                let key = format!("{place}{key}");
                return Err(PolicyError::out_of_range(key, value as u64, min as u64, max as u64));
            }
        }
        let required = self.required_characters().iter().sum();
        if required > max {
            return Err(PolicyError::Unsatisfiable { place: place.into(), required, max });
        }
        Ok(())
    }

    /// The fewest characters of each class that satisfy the counts and the number of classes.
    pub(super) fn required_characters(&self) -> [usize; 4] {
        let mut required = self.characters;
        let present = required.iter().filter(|count| **count > 0).count();
        let missing = self.classes.saturating_sub(present);
        required.iter_mut().filter(|count| **count == 0).take(missing).for_each(|count| *count = 1);
        required
    }

    /// Returns the first key whose value is looser than in `base`, that is, whose value changes when
    /// both are combined.
    pub(super) fn looser_than(&self, base: &Self) -> Option<&'static str> {
        let Self {
            min_length,
            max_length,
            characters: [lowercase, uppercase, digit, symbol],
            classes,
            hard_to_type,
            max_run,
            max_sequence,
            repeated_block,
            common,
            min_guesses,
            languages,
            banned,
            personal,
            min_distance,
            counter,
            breaches,
        } = self.and(base);
        let (ours, both) = (self.breaches.as_ref(), breaches.as_ref());
        let changed = [
            ("length.min", self.min_length != min_length),
            ("length.max", self.max_length != max_length),
            ("characters.lowercase", self.characters[0] != lowercase),
            ("characters.uppercase", self.characters[1] != uppercase),
            ("characters.digit", self.characters[2] != digit),
            ("characters.symbol", self.characters[3] != symbol),
            ("characters.classes", self.classes != classes),
            ("characters.hard_to_type", self.hard_to_type != hard_to_type),
            ("patterns.max_run", self.max_run != max_run),
            ("patterns.max_sequence", self.max_sequence != max_sequence),
            ("patterns.repeated_block", self.repeated_block != repeated_block),
            ("words.common", self.common != common),
            ("strength.min_guesses_log10", self.min_guesses != min_guesses),
            ("strength.languages", self.languages != languages),
            ("words.banned", self.banned != banned),
            ("words.personal", self.personal != personal),
            ("previous.min_distance", self.min_distance != min_distance),
            ("previous.counter", self.counter != counter),
            ("breaches.check", ours.is_some() != both.is_some()),
            ("breaches.endpoint", ours.map(|it| &it.endpoint) != both.map(|it| &it.endpoint)),
            ("breaches.threshold", ours.map(|it| it.threshold) != both.map(|it| it.threshold)),
            ("breaches.on_failure", ours.map(|it| it.on_failure) != both.map(|it| it.on_failure)),
            ("breaches.timeout_ms", ours.map(|it| it.timeout) != both.map(|it| it.timeout)),
        ];
        changed.into_iter().find_map(|(key, changed)| changed.then_some(key))
    }

    /// Combines the settings of two groups for a user in both: the stricter value of each key.
    pub(super) fn and(&self, other: &Self) -> Self {
        // A limit of 0 is off, so any other limit is stricter.
        let bound = |a: usize, b: usize| if a == 0 || b == 0 { a.max(b) } else { a.min(b) };
        Self {
            min_length: self.min_length.max(other.min_length),
            max_length: self.max_length.min(other.max_length),
            characters: std::array::from_fn(|i| self.characters[i].max(other.characters[i])),
            classes: self.classes.max(other.classes),
            hard_to_type: self.hard_to_type || other.hard_to_type,
            max_run: bound(self.max_run, other.max_run),
            max_sequence: bound(self.max_sequence, other.max_sequence),
            repeated_block: self.repeated_block || other.repeated_block,
            common: self.common || other.common,
            min_guesses: self.min_guesses.max(other.min_guesses),
            languages: &self.languages | &other.languages,
            banned: &self.banned | &other.banned,
            personal: &self.personal | &other.personal,
            min_distance: self.min_distance.max(other.min_distance),
            counter: self.counter || other.counter,
            breaches: match (&self.breaches, &other.breaches) {
                (Some(ours), Some(theirs)) => Some(ours.and(theirs)),
                (one, None) | (None, one) => one.clone(),
            },
        }
    }

    /// The rules that are on, in the order in which they are reported.
    pub(super) fn rules(&self) -> Result<Vec<Rule>, PolicyError> {
        let mut rules = vec![Rule::MinLength(self.min_length), Rule::MaxLength(self.max_length)];
        let classes = CharacterClass::ALL.into_iter().zip(self.characters);
        rules.extend(classes.filter(|(_, min)| *min > 0).map(|(c, min)| Rule::Requires(c, min)));
        let banned = Arc::new(BannedWords::new(&Vec::from_iter(&self.banned))?);
        let strength = Strength::new(self.min_guesses, &self.languages, Arc::clone(&banned));
        let personal = self.personal.iter().cloned().collect();
        let typable = if self.hard_to_type { HardToType::ALL } else { HardToType::ALWAYS };
        let switched = [
            (self.classes > 0, Rule::RequiresClasses(self.classes)),
            (true, Rule::NoEdgeSpace),
            (true, Rule::Typable(typable)),
            (self.max_run > 0, Rule::MaxRun(self.max_run)),
            (self.repeated_block, Rule::NoRepeatedBlock),
            (self.max_sequence > 0, Rule::MaxSequence(self.max_sequence)),
            (self.common, Rule::NotCommon),
            (self.min_guesses > 0, Rule::MinGuesses(Arc::new(strength))),
            (!self.banned.is_empty(), Rule::NoBannedWords(banned)),
            (!self.personal.is_empty(), Rule::NoPersonalWords(personal)),
            (self.min_distance > 0, Rule::DiffersFromPrevious(self.min_distance)),
            (self.counter, Rule::NotACounter),
            (self.breaches.is_some(), Rule::NotBreached),
        ];
        rules.extend(switched.into_iter().filter_map(|(on, rule)| on.then_some(rule)));
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combined_checks_have_the_longer_timeout_if_failures_allow_and_the_shorter_if_they_refuse() {
        use OnFailure::{Allow, Refuse};
        let check = |on_failure, timeout, threshold| BreachSettings {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            threshold,
            timeout: Duration::from_millis(timeout),
            on_failure,
        };
        for (a, b, expected) in [
            (check(Allow, 10, 1), check(Allow, 20, 1), check(Allow, 20, 1)),
            (check(Refuse, 10, 1), check(Refuse, 20, 1), check(Refuse, 10, 1)),
            (check(Refuse, 10, 1), check(Allow, 20, 1), check(Refuse, 10, 1)),
            (check(Refuse, 20, 1), check(Allow, 10, 1), check(Refuse, 20, 1)),
            (check(Refuse, 10, 5), check(Allow, 20, 1), check(Refuse, 10, 1)),
            (check(Allow, 10, 5), check(Allow, 10, 6), check(Allow, 10, 5)),
        ] {
            assert_eq!(a.and(&b), expected);
            assert_eq!(b.and(&a), expected);
            assert_eq!(expected.and(&a), expected);
        }
    }
}
