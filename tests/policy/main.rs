//! The policy as a whole: what must hold for any password, and for the passwords people choose.

mod boundaries;
mod corpus;
mod properties;

use change_password::credentials::Password;
use change_password::policy::{PersonalWords, Policy, Violation};

/// The codes of the rules that a password breaks, for a user of whom nothing is known.
fn codes(policy: &Policy, proposed: &str, previous: Option<&str>) -> Vec<&'static str> {
    let password = |text: &str| Password::from(text.to_owned());
    let personal = PersonalWords::new([]);
    let previous = previous.map(password);
    let found = policy.base().violations(&password(proposed), previous.as_ref(), &personal);
    found.iter().map(Violation::code).collect()
}
