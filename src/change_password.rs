//! The use case: check the proposed password, forward the change, and find out how it ended.

use tokio::time::Instant;

use crate::cognito::{Cognito, Failure, Reply};
use crate::credentials::Password;
use crate::error::{Error, Source};
use crate::policy::Policy;
use crate::token::CheckedToken;

/// What a signed-in user asks for.
#[derive(Debug)]
pub struct ChangePassword {
    /// Who asks.
    pub token: CheckedToken,
    /// The password in force; none for a user who never had one.
    pub previous: Option<Password>,
    /// The password to put in force.
    pub proposed: Password,
    /// Whether every session of the user is to end once the password has changed.
    pub sign_out_everywhere: bool,
}

/// A password that did change.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// Whether the user's sessions were ended; none when that was not asked for.
    pub signed_out_everywhere: Option<bool>,
}

impl ChangePassword {
    /// Changes the password, or says why not, before the deadline.
    ///
    /// What our own rules refuse never reaches Cognito, where it would cost the user one of five
    /// tries an hour. Cognito's request id comes with the answer, where there was one.
    pub async fn run(
        &self,
        policy: &Policy,
        cognito: &Cognito,
        deadline: Instant,
    ) -> Reply<Changed, Error> {
        let violations =
            policy.violations(&self.proposed, self.previous.as_ref(), &self.token.user);
        if !violations.is_empty() {
            return Reply::local(Err(Error::PolicyViolation(violations)));
        }
        let token = &self.token.secret;
        let reply =
            cognito.change_password(token, self.previous.as_ref(), &self.proposed, deadline).await;
        let result = match reply.result {
            Ok(()) => Ok(()),
            Err(Failure::Certain(error)) => Err(error),
            Err(Failure::InDoubt { source, answered }) => {
                self.settle(cognito, deadline, answered, source).await
            }
        };
        let result = match result {
            Ok(()) if self.sign_out_everywhere => {
                let signed_out = cognito.global_sign_out(token, deadline).await;
                Ok(Changed { signed_out_everywhere: Some(signed_out) })
            }
            Ok(()) => Ok(Changed { signed_out_everywhere: None }),
            Err(error) => Err(error),
        };
        Reply { result, request_id: reply.request_id }
    }

    /// Finds out whether a change that was sent, and not properly answered, was made.
    ///
    /// Cognito accepts a change from a password to itself, so a change from the new one to the new
    /// one tells whether it is in force. It costs the user one more of five tries an hour, and is
    /// made only when there is doubt.
    ///
    /// "Not in force" proves that nothing was changed only if the first request has ended, which
    /// its answer shows; one without an answer may still be on its way.
    async fn settle(
        &self,
        cognito: &Cognito,
        deadline: Instant,
        answered: bool,
        source: Source,
    ) -> Result<(), Error> {
        let new = &self.proposed;
        let probe = cognito.change_password(&self.token.secret, Some(new), new, deadline).await;
        match probe.result {
            Ok(()) => Ok(()),
            Err(Failure::Certain(Error::PreviousPasswordIncorrect)) if answered => {
                Err(Error::Upstream(source))
            }
            Err(_) => Err(Error::OutcomeUnknown(source)),
        }
    }
}
