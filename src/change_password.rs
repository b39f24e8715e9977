//! The use case: check the proposed password, forward the change, and find out how it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::breaches::Breaches;
use crate::cognito::{Cognito, Failure, Reply};
use crate::credentials::Password;
use crate::error::{Error, Source};
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

/// How a request for a change ended, and what it took.
#[derive(Debug)]
pub struct Report {
    /// The change, or why there is none.
    pub result: Result<Changed, Error>,
    /// The time that the policy took, without what had to be fetched for it.
    pub policy_time: Duration,
    /// The time spent waiting for Cognito, over all calls; none where it was not called.
    pub cognito_latency: Option<Duration>,
    /// Cognito's own id of the call that changes the password.
    pub cognito_request_id: Option<String>,
}

/// How the policy's check ended, and what it took: see [`Report`].
struct Checked {
    result: Result<(), Error>,
    policy_time: Duration,
    cognito_latency: Option<Duration>,
}

impl ChangePassword {
    /// Changes the password, or reports why not, before the deadline.
    ///
    /// A password that our own rules refuse never reaches `ChangePassword`, where it would cost the
    /// user one of five tries an hour.
    pub async fn run(&self, policy: &Policy, services: &Services, deadline: Instant) -> Report {
        let rules = policy.for_groups(&self.token.user.groups);
        let Checked { result, policy_time, mut cognito_latency } =
            self.check(&rules, services, deadline).await;
        let (result, cognito_request_id) = if let Err(error) = result {
            (Err(error), None)
        } else {
            let start = Instant::now();
            let changed = self.change(&services.cognito, deadline).await;
            *cognito_latency.get_or_insert_default() += start.elapsed();
            changed
        };
        Report { result, policy_time, cognito_latency, cognito_request_id }
    }

    /// Makes the change that the policy allows; also returns Cognito's id of it.
    async fn change(
        &self,
        cognito: &Cognito,
        deadline: Instant,
    ) -> (Result<Changed, Error>, Option<String>) {
        let token = &self.token.secret;
        let Reply { result, request_id } =
            cognito.change_password(token, self.previous.as_ref(), &self.proposed, deadline).await;
        let result = match result {
            Ok(()) => Ok(()),
            Err(Failure::Certain(error)) => Err(error),
            Err(Failure::InDoubt { source, answered }) => {
                self.settle(cognito, deadline, answered, source).await
            }
        };
        if let Err(error) = result {
            return (Err(error), request_id);
        }
        let signed_out_everywhere = if self.sign_out_everywhere {
            Some(cognito.global_sign_out(token, deadline).await)
        } else {
            None
        };
        (Ok(Changed { signed_out_everywhere }), request_id)
    }

    /// Finds every rule that the proposed password breaks.
    ///
    /// Two fetches run at the same time: the user's attributes, where the policy needs more than the
    /// token holds, and known breaches, where nothing else is wrong so far.
    async fn check(&self, rules: &Rules, services: &Services, deadline: Instant) -> Checked {
        let (at_once, mut policy_time) = self.violations(rules, &BTreeMap::new());
        let ((attributes, cognito_latency), breached) = tokio::join!(
            self.attributes(rules, &services.cognito, deadline),
            self.is_breached(rules, at_once.is_empty(), &services.breaches, deadline),
        );
        let violations = match attributes {
            Ok(attributes) if attributes.is_empty() => Ok(at_once),
            Ok(attributes) => {
                let (violations, time) = self.violations(rules, &attributes);
                policy_time += time;
                Ok(violations)
            }
            // Violations that are known are worth more than the failure of the fetch.
            Err(error) if at_once.is_empty() => Err(error),
            Err(_) => Ok(at_once),
        };
        let result = violations.and_then(|mut violations| {
            if breached? {
                violations.push(Violation::from(Rule::NotBreached));
            }
            if violations.is_empty() { Ok(()) } else { Err(Error::PolicyViolation(violations)) }
        });
        Checked { result, policy_time, cognito_latency }
    }

    /// The violations that can be found without waiting, and the time that it took.
    fn violations(
        &self,
        rules: &Rules,
        attributes: &BTreeMap<PersonalAttribute, String>,
    ) -> (Vec<Violation>, Duration) {
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
        (violations, start.elapsed())
    }

    /// The attributes that the rules need beside the user name, which the token has, and the time
    /// spent waiting for them.
    async fn attributes(
        &self,
        rules: &Rules,
        cognito: &Cognito,
        deadline: Instant,
    ) -> (Result<BTreeMap<PersonalAttribute, String>, Error>, Option<Duration>) {
        let in_token = PersonalAttribute::UserName;
        if rules.personal_attributes().iter().all(|attribute| *attribute == in_token) {
            return (Ok(BTreeMap::new()), None);
        }
        let start = Instant::now();
        let attributes = cognito.get_user(&self.token.secret, deadline).await;
        (attributes, Some(start.elapsed()))
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
