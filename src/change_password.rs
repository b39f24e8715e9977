//! The use case: check the proposed password, forward the change, and find out how it ended.

use std::time::Duration;

use tokio::time::Instant;

use crate::breaches::Breaches;
use crate::cognito::{Cognito, Connection, Failure, Reply};
use crate::credentials::Password;
use crate::error::{Error, with_sources};
use crate::limits::Limit;
use crate::policy::{OnFailure, Policy, Rule, Rules, Violation};
use crate::proposal::{Attributes, Proposal};
use crate::settlement::{self, Doubt, Next, SettledBy, Verdict};

/// A signed-in user's request to change their password.
#[derive(Debug)]
pub struct ChangePassword {
    /// The user and the passwords.
    pub proposal: Proposal,
    /// Whether to end every session of the user after the change.
    pub sign_out_everywhere: bool,
}

/// A completed change.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// Whether Cognito ended the user's sessions; none if the request did not ask for it.
    pub signed_out_everywhere: Option<bool>,
}

/// The services that a change depends on.
#[derive(Debug)]
pub struct Services {
    /// The user pool.
    pub cognito: Cognito,
    /// The breach service, for policies that use it.
    pub breaches: Breaches,
    /// The limit of changes that are forwarded for one user.
    pub changes: Limit,
    /// The users whose attempts are used up, as Cognito reported within the last minute.
    ///
    /// SDKs send a request up to three times if the response is a `LimitExceededException`. The
    /// second and third are refused here.
    pub exhausted: Limit,
}

/// The result of a request for a change, and its timings.
#[derive(Debug)]
pub struct Report {
    /// The completed change, or the error.
    pub result: Result<Changed, Error>,
    /// The time that the policy took, without network calls; none if it did not run.
    pub policy_time: Option<Duration>,
    /// The time spent waiting for Cognito, over all calls; none if it was not called.
    pub cognito_latency: Option<Duration>,
    /// Cognito's request id of the last `ChangePassword` that it answered.
    pub cognito_request_id: Option<String>,
    /// Why the change was in doubt and how the doubt was settled; none if there was no doubt.
    pub doubt: Option<Doubt>,
}

/// The part of a [`Report`] about the change itself.
struct Made {
    result: Result<Changed, Error>,
    request_id: Option<String>,
    doubt: Option<Doubt>,
}

/// The part of a [`Report`] about the policy's check.
struct Checked {
    result: Result<(), Error>,
    policy_time: Duration,
    cognito_latency: Option<Duration>,
}

impl Report {
    /// Reports a request that was refused before any work.
    fn refused(error: Error) -> Self {
        Self {
            result: Err(error),
            policy_time: None,
            cognito_latency: None,
            cognito_request_id: None,
            doubt: None,
        }
    }
}

impl ChangePassword {
    /// Changes the password, or reports why not, before the deadline.
    ///
    /// A password that breaks our own rules never reaches Cognito's `ChangePassword`, where it
    /// would use up one of the user's five attempts an hour.
    pub async fn run(&self, policy: &Policy, services: &Services, deadline: Instant) -> Report {
        let user = self.proposal.token.user.sub.as_deref();
        if user.is_some_and(|user| services.exhausted.is_reached(user, Instant::now())) {
            return Report::refused(Error::AttemptLimitExceeded);
        }
        let (rules, selection_time) = timed(|| policy.for_groups(&self.proposal.token.user.groups));
        let Checked { result, mut policy_time, mut cognito_latency } =
            self.check(&rules, services, deadline).await;
        policy_time += selection_time;
        let made = if let Err(error) = result.and_then(|()| self.count(&services.changes)) {
            Made { result: Err(error), request_id: None, doubt: None }
        } else {
            let start = Instant::now();
            let made = self.change(&services.cognito, deadline).await;
            *cognito_latency.get_or_insert_default() += start.elapsed();
            made
        };
        let Made { result, request_id, doubt } = made;
        if let (Err(Error::AttemptLimitExceeded), Some(user)) = (&result, user) {
            // A concurrent invocation may have counted already.
            let _ = services.exhausted.count(user, Instant::now());
        }
        Report {
            result,
            policy_time: Some(policy_time),
            cognito_latency,
            cognito_request_id: request_id,
            doubt,
        }
    }

    /// Counts a change that is about to be forwarded.
    ///
    /// Without this limit, one user could exhaust Cognito's request quota for all users.
    fn count(&self, changes: &Limit) -> Result<(), Error> {
        let user = self.proposal.token.user.sub.as_deref().unwrap_or_default();
        changes.count(user, Instant::now()).map_err(|wait| Error::TooManyOfThisUser { wait })
    }

    /// Makes the change that the policy allows, and then signs the user out if requested.
    async fn change(&self, cognito: &Cognito, deadline: Instant) -> Made {
        let Reply { result, request_id, .. } =
            self.send(cognito, self.proposal.previous.as_ref(), Connection::Pooled, deadline).await;
        let mut made =
            Made { result: Ok(Changed { signed_out_everywhere: None }), request_id, doubt: None };
        match result {
            Ok(()) => {}
            Err(Failure::Refused(error)) => made.result = Err(error),
            Err(Failure::NotSent(source)) => made.result = Err(Error::UpstreamUnavailable(source)),
            Err(Failure::InDoubt(source)) => {
                let request_ids = made.request_id.take().into_iter().collect();
                let cause = with_sources(source.as_ref());
                let mut doubt = Doubt { cause, settled_by: None, request_ids };
                match self.settle(cognito, &mut doubt, deadline).await {
                    Verdict::Changed => {}
                    Verdict::Refused(error) => made.result = Err(error),
                    Verdict::Unknown => made.result = Err(Error::OutcomeUnknown(source)),
                }
                made.request_id = doubt.request_ids.last().cloned();
                made.doubt = Some(doubt);
            }
        }
        if let Ok(changed) = &mut made.result
            && self.sign_out_everywhere
        {
            let sign_out = cognito.global_sign_out(&self.proposal.token.secret, deadline);
            changed.signed_out_everywhere = Some(sign_out.await);
        }
        made
    }

    /// Finds out whether a doubtful change was made: see [`crate::settlement`].
    async fn settle(&self, cognito: &Cognito, doubt: &mut Doubt, deadline: Instant) -> Verdict {
        let second =
            self.send(cognito, self.proposal.previous.as_ref(), Connection::Fresh, deadline).await;
        doubt.request_ids.extend(second.request_id);
        let (verdict, by) = match settlement::after_second_change(second.result) {
            Next::Settled(verdict) => (verdict, SettledBy::SecondChange),
            Next::Probe(probe) => {
                let new = Some(&self.proposal.proposed);
                let answer = self.send(cognito, new, Connection::Fresh, deadline).await;
                doubt.request_ids.extend(answer.request_id);
                (probe.settle(answer.result), SettledBy::Probe)
            }
        };
        let is_known = !matches!(verdict, Verdict::Unknown);
        doubt.settled_by = is_known.then_some(by);
        verdict
    }

    async fn send(
        &self,
        cognito: &Cognito,
        previous: Option<&Password>,
        connection: Connection,
        deadline: Instant,
    ) -> Reply<()> {
        let Proposal { token, proposed, .. } = &self.proposal;
        cognito.change_password(&token.secret, previous, proposed, connection, deadline).await
    }

    /// Checks the proposed password against every rule.
    ///
    /// An impossible previous password is rejected first: it would cost an attempt or a fetch, and
    /// the rules could not compare the proposed password with the current one.
    ///
    /// Two fetches run concurrently: the user's attributes, if the policy needs more than the token
    /// contains, and the breach check, if no rule is broken so far.
    async fn check(&self, rules: &Rules, services: &Services, deadline: Instant) -> Checked {
        let Self { proposal, .. } = self;
        if let Err(error) = proposal.require_possible_previous() {
            let (result, policy_time) = (Err(error), Duration::ZERO);
            return Checked { result, policy_time, cognito_latency: None };
        }
        let (at_once, mut policy_time) = timed(|| proposal.violations(rules, &Attributes::new()));
        let ((attributes, cognito_latency), breached) = tokio::join!(
            proposal.attributes(rules, &services.cognito, deadline),
            self.is_breached(rules, at_once.is_empty(), &services.breaches, deadline),
        );
        let violations = match attributes {
            Ok(attributes) if attributes.is_empty() => Ok(at_once),
            Ok(attributes) => {
                let (violations, time) = timed(|| proposal.violations(rules, &attributes));
                policy_time += time;
                Ok(violations)
            }
            // Known violations are more useful than the error of the fetch.
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

    async fn is_breached(
        &self,
        rules: &Rules,
        worth_asking: bool,
        breaches: &Breaches,
        deadline: Instant,
    ) -> Result<bool, Error> {
        let Some(settings) = rules.breaches().filter(|_| worth_asking) else { return Ok(false) };
        match (
            breaches.contain(&self.proposal.proposed, settings, deadline).await,
            settings.on_failure,
        ) {
            (Ok(known), _) => Ok(known),
            (Err(cause), OnFailure::Allow) => {
                tracing::warn!(cause, breach_check = "failed", "the change continues unchecked");
                Ok(false)
            }
            (Err(cause), OnFailure::Refuse) => {
                tracing::warn!(cause, breach_check = "failed", "the change is refused");
                Err(Error::BreachesUnavailable(cause))
            }
        }
    }
}

/// Runs a function, and returns its result and the time that it took.
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (run(), start.elapsed())
}
