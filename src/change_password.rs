//! The use case: check the proposed password, forward the change, and find out how it ended.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::breaches::Breaches;
use crate::cognito::{Cognito, Failure};
use crate::credentials::Password;
use crate::error::{Error, Source};
use crate::outcome::{Record, Spent};
use crate::policy::{OnFailure, PersonalAttribute, PersonalWords, Policy, Rule, Rules, Violation};
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

/// Who is asked on the way.
#[derive(Debug)]
pub struct Services {
    /// The user pool.
    pub cognito: Cognito,
    /// Known breaches, for policies that look at them.
    pub breaches: Breaches,
}

impl ChangePassword {
    /// Changes the password, or says why not, before the deadline.
    ///
    /// What our own rules refuse never reaches `ChangePassword`, where it would cost the user one of
    /// five tries an hour.
    pub async fn run(
        &self,
        policy: &Policy,
        services: &Services,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Changed, Error> {
        let rules = policy.for_groups(&self.token.user.groups);
        self.check(&rules, services, deadline, record).await?;
        let start = Instant::now();
        let result = self.change(&services.cognito, deadline, record).await;
        record.cognito_latency.add_since(start);
        result
    }

    /// Makes the change that the policy allows.
    async fn change(
        &self,
        cognito: &Cognito,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Changed, Error> {
        let token = &self.token.secret;
        let reply =
            cognito.change_password(token, self.previous.as_ref(), &self.proposed, deadline).await;
        record.cognito_request_id = reply.request_id;
        match reply.result {
            Ok(()) => {}
            Err(Failure::Certain(error)) => return Err(error),
            Err(Failure::InDoubt { source, answered }) => {
                self.settle(cognito, deadline, answered, source).await?;
            }
        }
        let signed_out_everywhere = if self.sign_out_everywhere {
            Some(cognito.global_sign_out(token, deadline).await)
        } else {
            None
        };
        record.signed_out_everywhere = signed_out_everywhere;
        Ok(Changed { signed_out_everywhere })
    }

    /// Finds every rule that the proposed password breaks.
    ///
    /// What has to be fetched is fetched at the same time: the user's data where the policy asks for
    /// more than the token tells, and known breaches where nothing else is wrong so far.
    async fn check(
        &self,
        rules: &Rules,
        services: &Services,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<(), Error> {
        let policy_time = &mut record.policy_time;
        let at_once = self.violations(rules, &BTreeMap::new(), policy_time);
        let (attributes, breached) = tokio::join!(
            self.attributes(rules, &services.cognito, deadline, &mut record.cognito_latency),
            self.is_breached(rules, at_once.is_empty(), &services.breaches, deadline),
        );
        let mut violations = match attributes {
            Ok(attributes) if attributes.is_empty() => at_once,
            Ok(attributes) => self.violations(rules, &attributes, policy_time),
            // What is known to be wrong is worth more than what could not be found out.
            Err(error) if at_once.is_empty() => return Err(error),
            Err(_) => at_once,
        };
        if breached? {
            violations.push(Violation::from(Rule::NotBreached));
        }
        if violations.is_empty() { Ok(()) } else { Err(Error::PolicyViolation(violations)) }
    }

    fn violations(
        &self,
        rules: &Rules,
        attributes: &BTreeMap<PersonalAttribute, String>,
        time: &mut Spent,
    ) -> Vec<Violation> {
        let start = Instant::now();
        let user_name = self
            .token
            .user
            .username
            .iter()
            .map(|name| (PersonalAttribute::UserName, name.as_str()));
        let others = attributes.iter().map(|(attribute, value)| (*attribute, value.as_str()));
        let wanted = rules.personal_attributes();
        let personal =
            PersonalWords::new(user_name.chain(others).filter(|(name, _)| wanted.contains(name)));
        let violations = rules.violations(&self.proposed, self.previous.as_ref(), &personal);
        time.add_since(start);
        violations
    }

    /// What the rules ask for beside the user name, which the token has.
    async fn attributes(
        &self,
        rules: &Rules,
        cognito: &Cognito,
        deadline: Instant,
        latency: &mut Spent,
    ) -> Result<BTreeMap<PersonalAttribute, String>, Error> {
        let in_token = PersonalAttribute::UserName;
        if rules.personal_attributes().iter().all(|attribute| *attribute == in_token) {
            return Ok(BTreeMap::new());
        }
        let start = Instant::now();
        let attributes = cognito.get_user(&self.token.secret, deadline).await;
        latency.add_since(start);
        attributes
    }

    async fn is_breached(
        &self,
        rules: &Rules,
        worth_asking: bool,
        breaches: &Breaches,
        deadline: Instant,
    ) -> Result<bool, Error> {
        let Some(settings) = rules.breaches().filter(|_| worth_asking) else { return Ok(false) };
        match (breaches.contain(&self.proposed, settings, deadline).await, settings.on_failure) {
            (Ok(known), _) => Ok(known),
            (Err(cause), OnFailure::Allow) => {
                tracing::warn!(cause, breach_check = "failed", "the change goes on without it");
                Ok(false)
            }
            (Err(cause), OnFailure::Refuse) => {
                tracing::warn!(cause, breach_check = "failed", "the change is refused without it");
                Err(Error::UpstreamUnavailable(cause))
            }
        }
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
