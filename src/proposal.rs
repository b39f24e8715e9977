//! The new password that a verified user proposes, and the input for checking it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::cognito::Cognito;
use crate::credentials::Password;
use crate::error::Error;
use crate::policy::{PersonalAttribute, PersonalWords, Rules, Violation, can_be_a_password};
use crate::token::VerifiedToken;

/// The attributes of a user that a policy can refer to.
pub type Attributes = BTreeMap<PersonalAttribute, String>;

/// A proposed password, and the user who proposes it.
#[derive(Debug)]
pub struct Proposal {
    /// The user.
    pub token: VerifiedToken,
    /// The current password; none for a user who never had one.
    pub previous: Option<Password>,
    /// The new password.
    pub proposed: Password,
}

impl Proposal {
    /// Rejects a previous password that no Cognito user can have.
    ///
    /// # Errors
    ///
    /// [`Error::PreviousPasswordUnusable`].
    pub fn require_possible_previous(&self) -> Result<(), Error> {
        let is_possible = self.previous.as_ref().is_none_or(can_be_a_password);
        if is_possible { Ok(()) } else { Err(Error::PreviousPasswordUnusable) }
    }

    /// The violations that can be found without a network call.
    #[must_use]
    pub fn violations(&self, rules: &Rules, attributes: &Attributes) -> Vec<Violation> {
        let personal = self.personal_words(rules, attributes);
        rules.violations(&self.proposed, self.previous.as_ref(), &personal)
    }

    /// The user's personal words that the rules look for.
    #[must_use]
    pub fn personal_words(&self, rules: &Rules, attributes: &Attributes) -> PersonalWords {
        let user_name = self.token.user.username.iter();
        let user_name = user_name.map(|name| (PersonalAttribute::UserName, name.as_str()));
        let others =
            attributes.iter().map(|(attribute, value)| (attribute.clone(), value.as_str()));
        let wanted = rules.personal_attributes();
        PersonalWords::new(user_name.chain(others).filter(|(name, _)| wanted.contains(name)))
    }

    /// Whether the rules need attributes of the user that the token does not contain.
    #[must_use]
    pub fn needs_attributes(rules: &Rules) -> bool {
        let in_token = PersonalAttribute::UserName;
        rules.personal_attributes().iter().any(|attribute| *attribute != in_token)
    }

    /// Fetches the attributes that the rules need besides the user name, which the token contains.
    /// Also returns the time spent waiting for them.
    pub async fn attributes(
        &self,
        rules: &Rules,
        cognito: &Cognito,
        deadline: Instant,
    ) -> (Result<Attributes, Error>, Option<Duration>) {
        if !Self::needs_attributes(rules) {
            return (Ok(Attributes::new()), None);
        }
        let start = Instant::now();
        let attributes = cognito.get_user(&self.token.secret, deadline).await;
        (attributes, Some(start.elapsed()))
    }
}
