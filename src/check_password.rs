//! Checks a password while the user types it. Nothing is changed, and no attempt is used up.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::cognito::Cognito;
use crate::error::Error;
use crate::policy::{Policy, PoolRequirement, Rule, Rules, Violation};
use crate::proposal::{Attributes, Proposal};

/// The result of checking a password against the policy.
#[derive(Debug)]
pub struct Verdict {
    /// The rules for this user and their groups.
    pub rules: Arc<Rules>,
    /// The rules that the password breaks.
    pub violations: Vec<Violation>,
    /// The codes of the rules that only Cognito or the breach service can check.
    pub not_checked: Vec<&'static str>,
    /// The decimal logarithm of the estimated number of guesses that the password withstands.
    ///
    /// It is rounded to 0.5 and ignores the organisation's banned words, so that it reveals little
    /// about any single word.
    pub guesses_log10: f64,
}

/// The result of a check, and its timings.
#[derive(Debug)]
pub struct Report {
    /// The verdict, or the error.
    pub result: Result<Verdict, Error>,
    /// The time that the policy took, without network calls.
    pub policy_time: Duration,
    /// The time spent waiting for Cognito; none if it was not called.
    pub cognito_latency: Option<Duration>,
}

/// Checks a password.
///
/// The breach service is never called: one hash prefix after another, sent while the user types,
/// would reveal the password letter by letter.
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

/// How long a user's attributes are cached.
const MAX_AGE: Duration = Duration::from_mins(1);

/// The maximum number of users whose attributes are cached, each about 2 KB if they are long.
const MAX_USERS: usize = 1_000;

/// A cache of the attributes of users who are typing, so that `GetUser` is called once per token
/// and minute, not for each letter.
#[derive(Default)]
pub struct RecentUsers(Mutex<HashMap<String, Recent>>);

struct Recent {
    attributes: Attributes,
    since: Instant,
}

impl RecentUsers {
    /// Returns the attributes that the rules need besides the user name, and the time spent waiting
    /// for them.
    async fn attributes(
        &self,
        proposal: &Proposal,
        rules: &Rules,
        cognito: &Cognito,
        deadline: Instant,
    ) -> (Result<Attributes, Error>, Option<Duration>) {
        let token = &proposal.token;
        let key = key(token.user.sub.as_deref(), token.id.as_deref())
            .filter(|_| Proposal::needs_attributes(rules));
        if let Some(attributes) = key.as_ref().and_then(|key| self.get(key, Instant::now())) {
            return (Ok(attributes), None);
        }
        let (attributes, latency) = proposal.attributes(rules, cognito, deadline).await;
        if let (Some(key), Ok(attributes)) = (&key, &attributes) {
            self.keep(key, attributes.clone(), Instant::now());
        }
        (attributes, latency)
    }

    fn get(&self, key: &str, now: Instant) -> Option<Attributes> {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = users.get(key).filter(|recent| now - recent.since < MAX_AGE)?;
        Some(recent.attributes.clone())
    }

    /// Caches the attributes for a minute, and drops older ones.
    fn keep(&self, key: &str, attributes: Attributes, now: Instant) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, recent| now - recent.since < MAX_AGE);
        if users.len() < MAX_USERS {
            users.insert(key.to_owned(), Recent { attributes, since: now });
        }
    }
}

/// The key under which the attributes of a token's user are cached; none if the token has no id.
///
/// Only Cognito is known to give each token another `jti`, so the user is part of the key.
fn key(sub: Option<&str>, jti: Option<&str>) -> Option<String> {
    match (sub, jti) {
        (Some(sub), Some(jti)) if !jti.is_empty() => Some(format!("{sub} {jti}")),
        _ => None,
    }
}

/// Prints no user's attributes.
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
    fn users_with_the_same_jti_and_tokens_without_one_share_no_attributes() {
        assert_ne!(key(Some("one"), Some("1")), key(Some("two"), Some("1")));
        assert_eq!(key(Some("one"), Some("1")), key(Some("one"), Some("1")));
        for (sub, jti) in [(Some("one"), None), (Some("one"), Some("")), (None, Some("1"))] {
            assert_eq!(key(sub, jti), None);
        }
    }

    #[test]
    fn attributes_are_cached_for_a_minute_and_for_a_bounded_number_of_users() {
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
