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

/// What a signed-in user asks for.
#[derive(Debug)]
pub struct ChangePassword {
    /// Who asks for which password.
    pub proposal: Proposal,
    /// Whether every session of the user is to end once the password has changed.
    pub sign_out_everywhere: bool,
}

/// A password that did change.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// Whether the user's sessions were ended; none when that was not asked for.
    pub signed_out_everywhere: Option<bool>,
}

/// The services that a change depends on.
#[derive(Debug)]
pub struct Services {
    /// The user pool.
    pub cognito: Cognito,
    /// Known breaches, for policies that look at them.
    pub breaches: Breaches,
    /// How many changes of one user are forwarded.
    pub changes: Limit,
    /// The users whose tries are used up, as Cognito said a moment ago.
    ///
    /// SDKs send a request up to three times that Cognito answers with `LimitExceededException`. The
    /// second and third time is answered from here.
    pub exhausted: Limit,
}

/// How a request for a change ended, and what it took.
#[derive(Debug)]
pub struct Report {
    /// The change, or why there is none.
    pub result: Result<Changed, Error>,
    /// The time that the policy took, without what had to be fetched for it; none where it did not run.
    pub policy_time: Option<Duration>,
    /// The time spent waiting for Cognito, over all calls; none where it was not called.
    pub cognito_latency: Option<Duration>,
    /// Cognito's own id of the last `ChangePassword` that it answered.
    pub cognito_request_id: Option<String>,
    /// What left the change in doubt, and how that was settled; none where nothing did.
    pub doubt: Option<Doubt>,
}

/// How the change itself ended: see [`Report`].
struct Made {
    result: Result<Changed, Error>,
    request_id: Option<String>,
    doubt: Option<Doubt>,
}

/// How the policy's check ended, and what it took: see [`Report`].
struct Checked {
    result: Result<(), Error>,
    policy_time: Duration,
    cognito_latency: Option<Duration>,
}

impl Report {
    /// A request that was refused before anything was done for it.
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
    /// A password that our own rules refuse never reaches `ChangePassword`, where it would cost the
    /// user one of five tries an hour.
    pub async fn run(&self, policy: &Policy, services: &Services, deadline: Instant) -> Report {
        let user = self.proposal.token.user.sub.as_deref();
        if user.is_some_and(|user| services.exhausted.is_reached(user, Instant::now())) {
            return Report::refused(Error::AttemptLimitExceeded);
        }
        let selection = Instant::now();
        let rules = policy.for_groups(&self.proposal.token.user.groups);
        let selection_time = selection.elapsed();
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
            // An invocation at the same time may have counted already.
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
    /// One caller could otherwise use up what Cognito accepts from all users together.
    fn count(&self, changes: &Limit) -> Result<(), Error> {
        let user = self.proposal.token.user.sub.as_deref().unwrap_or_default();
        changes.count(user, Instant::now()).map_err(|wait| Error::TooManyOfThisUser { wait })
    }

    /// Makes the change that the policy allows, and signs the user out if that was asked for.
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

    /// Finds out what became of a change that left a doubt: see [`crate::settlement`].
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

    /// Finds every rule that the proposed password breaks.
    ///
    /// A previous password that nobody can have comes first: it would cost a try or a fetch, and the
    /// rules cannot compare the proposed password with the one in force.
    ///
    /// Two fetches run at the same time: the user's attributes, where the policy needs more than the
    /// token holds, and known breaches, where nothing else is wrong so far.
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
                tracing::warn!(cause, breach_check = "failed", "the change goes on without it");
                Ok(false)
            }
            (Err(cause), OnFailure::Refuse) => {
                tracing::warn!(cause, breach_check = "failed", "the change is refused without it");
                Err(Error::BreachesUnavailable(cause))
            }
        }
    }
}

/// What something returns, and the time that it took.
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (run(), start.elapsed())
}
