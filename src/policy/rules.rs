//! The rules that hold for one user, checked all at once.

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

    /// Lists every rule that the proposed password breaks, in order.
    ///
    /// Each rule judges the password in Unicode's Normalization Form C, so that both ways of typing `é`
    /// get the same verdict. The rules that Cognito has too must hold for the password as it is sent as
    /// well, and [`Rule::Typable`] judges that alone.
    ///
    /// What only a service can tell ([`Rule::NotBreached`]) is not looked at.
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

    /// The number of guesses that an attacker needs for a password, as its decimal logarithm: an
    /// estimate.
    ///
    /// The user's own words count, the organisation's banned words do not, so that no answer made of
    /// it reveals one. A password of more than 256 code points is as strong as its characters.
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

    /// What of the user's data must not be in a password.
    #[must_use]
    pub fn personal_attributes(&self) -> &BTreeSet<PersonalAttribute> {
        &self.settings.personal
    }

    /// How to ask about known breaches; none when that is off.
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

    /// Tells whether every password that keeps the rules has a character of this class.
    #[must_use]
    pub fn always_requires(&self, class: CharacterClass) -> bool {
        let all = self.settings.classes == CharacterClass::ALL.len();
        all || self.settings.characters[class as usize] > 0
    }

    /// How many characters of each class a password has that keeps [`Rule::Requires`] and
    /// [`Rule::RequiresClasses`] with as few as may be.
    #[must_use]
    pub fn required_characters(&self) -> [(CharacterClass, usize); 4] {
        let required = self.settings.required_characters();
        std::array::from_fn(|i| (CharacterClass::ALL[i], required[i]))
    }
}
