//! The report, as text for operators and as JSON for programs.

use std::fmt::{self, Display};

use change_password::policy::{PersonalAttribute, Policy, Rules};
use serde::Serialize;

use crate::comparison::{allowed_by_pool, refused_by_pool};
use crate::pool::{BreachedPasswords, Client, Pool};
use crate::web_acl::DirectChanges;

/// The result of comparing the policy with a pool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Where the pool is stricter than the policy.
    pub(crate) refused_by_pool: Vec<String>,
    /// Where the policy is stricter than the pool.
    allowed_by_pool: Vec<String>,
    /// Whether the pool's web ACL blocks direct `ChangePassword` calls; `None` if it was not read.
    direct_changes: Option<DirectChanges>,
    /// The pool's app clients; `None` if they were not read.
    clients: Option<Vec<Client>>,
    /// The number of previous passwords that the pool rejects.
    password_history: usize,
    /// Whether the pool rejects a new password that is known from breaches; `None` if it was not read.
    breached_passwords: Option<BreachedPasswords>,
    /// Whether the policy relies on user names but they are UUIDs, which it ignores.
    relies_on_uuid_names: bool,
    /// The parts that could not be read, with the reasons.
    not_checked: Vec<String>,
}

impl Report {
    /// Compares the policy with the pool.
    pub(crate) fn new(policy: &Policy, pool: Pool) -> Self {
        let mut not_checked = Vec::new();
        let relies_on_names =
            |rules: &Rules| rules.personal_attributes().contains(&PersonalAttribute::UserName);
        let mut groups = policy.groups();
        let relies_on_names =
            relies_on_names(policy.base()) || groups.any(|(_, rules)| relies_on_names(rules));
        Self {
            refused_by_pool: refused_by_pool(policy, &pool.policy),
            allowed_by_pool: allowed_by_pool(policy, &pool.policy),
            password_history: pool.policy.history,
            relies_on_uuid_names: pool.has_uuid_names && relies_on_names,
            direct_changes: read(pool.direct_changes, &mut not_checked),
            clients: read(pool.clients, &mut not_checked),
            breached_passwords: read(pool.breached_passwords, &mut not_checked),
            not_checked,
        }
    }
}

/// Returns the value, or adds the reason for its absence to `not_checked`.
fn read<T>(result: Result<T, String>, not_checked: &mut Vec<String>) -> Option<T> {
    result.map_err(|reason| not_checked.push(reason)).ok()
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refused_by_pool.is_empty() {
            writeln!(f, "Cognito accepts every password that the policy accepts.")?;
        } else {
            let title = "Cognito rejects passwords that the policy accepts:";
            list(f, title, &self.refused_by_pool)?;
        }
        if self.allowed_by_pool.is_empty() {
            writeln!(f, "The policy accepts every password that Cognito accepts.")?;
        } else {
            let title = "Cognito accepts passwords that the policy rejects, in direct calls and when a \
                         user resets a forgotten password:";
            list(f, title, &self.allowed_by_pool)?;
        }
        if let Some(direct_changes) = &self.direct_changes {
            writeln!(f, "Direct ChangePassword calls: {direct_changes}.")?;
        }
        if let Some(clients) = &self.clients {
            let lines: Vec<_> = clients.iter().map(Client::to_string).collect();
            list(f, "App clients:", &lines)?;
        }
        match self.password_history {
            0 => writeln!(f, "Password history: none.")?,
            kept => writeln!(f, "Password history: {kept}.")?,
        }
        if let Some(breached) = self.breached_passwords {
            writeln!(f, "Breached passwords: {breached}.")?;
        }
        if self.relies_on_uuid_names {
            writeln!(
                f,
                "words.personal contains \"username\", but the pool's user names are UUIDs, which the \
                 policy ignores. Add \"email\" or another attribute."
            )?;
        }
        if !self.not_checked.is_empty() {
            list(f, "Not checked:", &self.not_checked)?;
        }
        Ok(())
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    writeln!(f, "{title}")?;
    lines.iter().try_for_each(|line| writeln!(f, "- {line}"))
}

impl Display for DirectChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked(by) => write!(f, "blocked by {by}"),
            Self::Counted(by) => write!(f, "counted by {by}, but not blocked"),
            Self::Unclear(by) => {
                write!(f, "unclear; {by} has conditions besides the operation")
            }
            Self::Open(by) => write!(f, "not blocked; {by} allows them"),
            Self::NoWebAcl => write!(f, "not blocked; the pool has no web ACL"),
        }
    }
}

impl Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, changes_passwords_by } = self;
        match &changes_passwords_by[..] {
            [] => write!(f, "{id} ({name}): its tokens cannot change passwords"),
            ways => {
                write!(f, "{id} ({name}): its tokens can change passwords ({})", ways.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::PoolPolicy;

    fn pool() -> Pool {
        Pool {
            policy: PoolPolicy { min_length: 8, required: [true; 4], ..PoolPolicy::default() },
            has_uuid_names: false,
            breached_passwords: Ok(BreachedPasswords::NotChecked),
            clients: Ok(vec![Client {
                id: "1example".to_owned(),
                name: "app".to_owned(),
                changes_passwords_by: vec!["ALLOW_USER_SRP_AUTH".to_owned()],
            }]),
            direct_changes: Ok(DirectChanges::NoWebAcl),
        }
    }

    fn policy(text: &str) -> Policy {
        Policy::from_toml(text).unwrap()
    }

    #[test]
    fn the_text_lists_differences_in_both_directions_direct_calls_and_clients() {
        let policy = policy("[length]\nmin = 6\n[characters]\nclasses = 4\n[words]\ncommon = true");
        assert_eq!(
            Report::new(&policy, pool()).to_string(),
            "Cognito rejects passwords that the policy accepts:\n\
             - length.min is 6, but the pool's minimum length is 8\n\
             Cognito accepts passwords that the policy rejects, in direct calls and when a user resets \
             a forgotten password:\n\
             - the pool does not check hard_to_type, common_password\n\
             Direct ChangePassword calls: not blocked; the pool has no web ACL.\n\
             App clients:\n\
             - 1example (app): its tokens can change passwords (ALLOW_USER_SRP_AUTH)\n\
             Password history: none.\n\
             Breached passwords: not checked: the pool has no threat protection.\n"
        );
    }

    #[test]
    fn a_part_that_could_not_be_read_is_listed_in_the_text_and_null_in_json() {
        let reason = "GetWebACLForResource: AccessDeniedException: no".to_owned();
        let pool = Pool { direct_changes: Err(reason.clone()), ..pool() };
        let report = Report::new(&policy("profile = \"cognito-default\""), pool);
        assert!(report.to_string().ends_with(&format!("Not checked:\n- {reason}\n")));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["directChanges"], serde_json::Value::Null);
        assert_eq!(json["notChecked"], serde_json::json!([reason]));
        assert_eq!(json["clients"][0]["changesPasswordsBy"][0], "ALLOW_USER_SRP_AUTH");
    }

    #[test]
    fn the_report_warns_if_the_policy_relies_on_user_names_that_are_uuids() {
        for (text, has_uuid_names, expected) in [
            ("[length]\nmin = 8\n[words]\npersonal = [\"username\"]", true, true),
            ("[length]\nmin = 8\n[words]\npersonal = [\"username\"]", false, false),
            ("[length]\nmin = 8\n[words]\npersonal = [\"email\"]", true, false),
        ] {
            let report = Report::new(&policy(text), Pool { has_uuid_names, ..pool() });
            assert_eq!(report.relies_on_uuid_names, expected, "{text}");
            assert_eq!(report.to_string().contains("UUIDs"), expected, "{text}");
        }
    }

    #[test]
    fn json_contains_the_state_of_direct_changes() {
        for (found, expected) in [
            (DirectChanges::NoWebAcl, serde_json::json!({ "state": "noWebAcl" })),
            (
                DirectChanges::Blocked("r".to_owned()),
                serde_json::json!({ "state": "blocked", "by": "r" }),
            ),
        ] {
            assert_eq!(serde_json::to_value(found).unwrap(), expected);
        }
    }
}
