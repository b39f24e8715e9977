//! Tests of the whole policy through its public API: properties on random input, and rates on a corpus.

mod corpus;
mod kinds;
mod properties;

use change_password::credentials::Password;
use change_password::policy::{PersonalWords, Policy, Violation};

/// The codes of the rules that a password breaks, for a user without attributes.
fn codes(policy: &Policy, proposed: &str, previous: Option<&str>) -> Vec<&'static str> {
    let password = |text: &str| Password::from(text);
    let personal = PersonalWords::new([]);
    let previous = previous.map(password);
    let found = policy.base().violations(&password(proposed), previous.as_ref(), &personal);
    found.iter().map(Violation::code).collect()
}
