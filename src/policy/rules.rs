//! The rules for one user, checked together.

use std::collections::BTreeSet;

use secrecy::ExposeSecret as _;

use super::characters::CharacterClass;
use super::error::PolicyError;
use super::normalize::nfc;
use super::personal_words::{PersonalAttribute, PersonalWords};
use super::rule::{Candidate, Rule, Violation};
use super::settings::{BreachSettings, Settings};
use super::strength;
use crate::credentials::Password;

/// The rules for one user, in the order in which they are reported.
#[derive(Debug, Clone)]
pub struct Rules {
    settings: Settings,
    list: Vec<Rule>,
}

impl Rules {
    pub(super) fn new(settings: Settings) -> Result<Self, PolicyError> {
        Ok(Self { list: settings.rules()?, settings })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns a violation for each rule that the proposed password breaks, in order.
    ///
    /// Each rule checks the password in Unicode's Normalization Form C, so that both ways of typing
    /// `é` get the same result. The rules that Cognito has too must also hold for the password as it
    /// is sent. [`Rule::Typable`] checks only the password as sent.
    ///
    /// Rules that only a service can check ([`Rule::NotBreached`]) are skipped.
    #[must_use]
    pub fn violations(
        &self,
        proposed: &Password,
        previous: Option<&Password>,
        personal: &PersonalWords,
    ) -> Vec<Violation> {
        let previous = previous.map(|previous| nfc(previous.expose_secret()));
        let candidate = Candidate {
            text: &nfc(proposed.expose_secret()),
            sent: proposed.expose_secret(),
            previous: previous.as_ref().map(|previous| previous.as_str()),
            personal,
        };
        self.list.iter().filter_map(|rule| rule.violation(&candidate)).collect()
    }

    /// Estimates the number of guesses that an attacker needs for a password, as its decimal
    /// logarithm.
    ///
    /// The user's own words lower the estimate. The organisation's banned words do not, so that no
    /// response reveals one. A password of more than 256 code points gets the highest estimate.
    #[must_use]
    pub fn guesses_log10(&self, proposed: &Password, personal: &PersonalWords) -> f64 {
        let text = nfc(proposed.expose_secret());
        strength::guesses_log10(&text, &self.settings.languages, personal)
    }

    /// The rules themselves.
    #[must_use]
    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// The attributes of the user that a password must not contain.
    #[must_use]
    pub fn personal_attributes(&self) -> &BTreeSet<PersonalAttribute> {
        &self.settings.personal
    }

    /// The settings of the breach check; `None` if it is off.
    #[must_use]
    pub fn breaches(&self) -> Option<&BreachSettings> {
        self.settings.breaches.as_ref()
    }

    /// The shortest password allowed, in code points.
    #[must_use]
    pub fn min_length(&self) -> usize {
        self.settings.min_length
    }

    /// The longest password allowed, in code points.
    #[must_use]
    pub fn max_length(&self) -> usize {
        self.settings.max_length
    }

    /// Returns whether every password that satisfies the rules has a character of this class.
    #[must_use]
    pub fn always_requires(&self, class: CharacterClass) -> bool {
        let all = self.settings.classes == CharacterClass::ALL.len();
        all || self.settings.characters[class as usize] > 0
    }

    /// The fewest characters of each class that satisfy [`Rule::Requires`] and
    /// [`Rule::RequiresClasses`].
    #[must_use]
    pub fn required_characters(&self) -> [(CharacterClass, usize); 4] {
        let required = self.settings.required_characters();
        std::array::from_fn(|i| (CharacterClass::ALL[i], required[i]))
    }
}
