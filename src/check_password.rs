//! What the policy says of a password while the user types it: nothing is changed, and no try is spent.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::cognito::Cognito;
use crate::error::Error;
use crate::policy::{Policy, PoolRequirement, Rule, Rules, Violation};
use crate::proposal::{Attributes, Proposal};

/// What the policy says of a password.
#[derive(Debug)]
pub struct Verdict {
    /// The rules for this user and their groups.
    pub rules: Arc<Rules>,
    /// Those that the password breaks.
    pub violations: Vec<Violation>,
    /// The codes that only Cognito or the breach service decides.
    pub not_checked: Vec<&'static str>,
    /// The decimal logarithm of the guesses that the password withstands: an estimate, rounded to a half,
    /// without the organisation's banned words, so that it tells little of any one word.
    pub guesses_log10: f64,
}

/// How a check ended, and what it took.
#[derive(Debug)]
pub struct Report {
    /// The verdict, or why there is none.
    pub result: Result<Verdict, Error>,
    /// The time that the policy took, without what had to be fetched for it.
    pub policy_time: Duration,
    /// The time spent waiting for Cognito; none where it was not called.
    pub cognito_latency: Option<Duration>,
}

/// Checks a password.
///
/// The breach service is never asked: while a user types, one prefix after another would tell it the
/// password letter by letter.
pub async fn check(
    proposal: &Proposal,
    policy: &Policy,
    cognito: &Cognito,
    recent: &RecentUsers,
    deadline: Instant,
) -> Report {
    let start = Instant::now();
    let rules = policy.for_groups(&proposal.token.user.groups);
    let selection_time = start.elapsed();
    let (attributes, cognito_latency) =
        recent.attributes(proposal, &rules, cognito, deadline).await;
    let start = Instant::now();
    let result = attributes.map(|attributes| {
        let Proposal { previous, proposed, .. } = proposal;
        let personal = proposal.personal_words(&rules, &attributes);
        Verdict {
            violations: rules.violations(proposed, previous.as_ref(), &personal),
            not_checked: not_checked(&rules),
            guesses_log10: (2.0 * rules.guesses_log10(proposed, &personal)).round() / 2.0,
            rules,
        }
    });
    Report { result, policy_time: selection_time + start.elapsed(), cognito_latency }
}

fn not_checked(rules: &Rules) -> Vec<&'static str> {
    let breached = rules.breaches().map(|_| Rule::NotBreached);
    let cognitos = [Rule::AcceptedByPool(PoolRequirement::Other), Rule::NotUsedBefore];
    breached.iter().chain(&cognitos).map(Rule::code).collect()
}

/// How long the attributes of a user are kept.
const MAX_AGE: Duration = Duration::from_mins(1);

/// The maximum number of users whose attributes are kept: with long ones, some 2 KB each.
const MAX_USERS: usize = 1_000;

/// The attributes of the users who are typing, so that `GetUser` is called once a token and minute and
/// not for each letter.
#[derive(Default)]
pub struct RecentUsers(Mutex<HashMap<String, Recent>>);

struct Recent {
    attributes: Attributes,
    since: Instant,
}

impl RecentUsers {
    /// The attributes that the rules need beside the user name, and the time spent waiting for them.
    async fn attributes(
        &self,
        proposal: &Proposal,
        rules: &Rules,
        cognito: &Cognito,
        deadline: Instant,
    ) -> (Result<Attributes, Error>, Option<Duration>) {
        // A token without an id is not kept, because another one could be taken for it.
        let id = proposal.token.id.as_deref().filter(|_| Proposal::needs_attributes(rules));
        if let Some(attributes) = id.and_then(|id| self.get(id, Instant::now())) {
            return (Ok(attributes), None);
        }
        let (attributes, latency) = proposal.attributes(rules, cognito, deadline).await;
        if let (Some(id), Ok(attributes)) = (id, &attributes) {
            self.keep(id, attributes.clone(), Instant::now());
        }
        (attributes, latency)
    }

    fn get(&self, id: &str, now: Instant) -> Option<Attributes> {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = users.get(id).filter(|recent| now - recent.since < MAX_AGE)?;
        Some(recent.attributes.clone())
    }

    /// Keeps the attributes for a minute, and drops those that are older.
    fn keep(&self, id: &str, attributes: Attributes, now: Instant) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, recent| now - recent.since < MAX_AGE);
        if users.len() < MAX_USERS {
            users.insert(id.to_owned(), Recent { attributes, since: now });
        }
    }
}

/// Prints nobody's attributes.
impl fmt::Debug for RecentUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecentUsers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PersonalAttribute;

    #[test]
    fn attributes_are_kept_for_a_minute_and_for_a_bounded_number_of_users() {
        let recent = RecentUsers::default();
        let start = Instant::now();
        let attributes = Attributes::from([(PersonalAttribute::Email, "a@b.example".to_owned())]);
        recent.keep("a", attributes.clone(), start);
        assert_eq!(recent.get("a", start + Duration::from_secs(59)), Some(attributes.clone()));
        assert_eq!(recent.get("a", start + MAX_AGE), None);
        assert_eq!(recent.get("b", start), None);
        for number in 0..2 * MAX_USERS {
            recent.keep(&number.to_string(), attributes.clone(), start);
        }
        assert_eq!(recent.0.lock().unwrap().len(), MAX_USERS);
        recent.keep("b", attributes, start + MAX_AGE);
        assert_eq!(recent.0.lock().unwrap().len(), 1);
    }
}
