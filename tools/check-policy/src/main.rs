//! Compares the password policy with a user pool, before a user or an attacker finds the difference.
//!
//! ```sh
//! cargo run --package check-policy -- eu-west-1_Ab12Cd34E
//! cargo run --package check-policy -- --json eu-west-1_Ab12Cd34E
//! cargo run --package check-policy -- --lint
//! ```
//!
//! The policy is the one that the function would use with the same `PASSWORD_POLICY` or
//! `PASSWORD_POLICY_FILE`, or else the built-in one. The pool is read with the operator's
//! credentials, which the function itself never has:
//!
//! - `cognito-idp:DescribeUserPool` is required.
//! - `cognito-idp:ListUserPoolClients` and `cognito-idp:DescribeUserPoolClient`,
//!   `cognito-idp:DescribeRiskConfiguration`, and `wafv2:GetWebACLForResource` with
//!   `cognito-idp:GetWebACLForResource` and `wafv2:GetRuleGroup` are for one part of the report each.
//!   A part whose permission is missing is listed as not checked.
//!
//! It exits with 1 where Cognito would refuse what the policy allows, and with 2 where it cannot tell.
//! What Cognito allows and the policy refuses does not change the status: Cognito has fewer rules, so
//! there is always something. `--lint` reads the policy alone, without AWS, and exits with 1 if the
//! function would not start with it.

mod comparison;
mod pool;
mod report;
mod web_acl;

use std::process::ExitCode;

use change_password::config::{ConfigError, read_policy};
use change_password::policy::{Policy, Rule, Rules};
use serde_json::json;

use pool::Pool;
use report::Report;

const USAGE: &str = "Usage: check-policy [--json] USER_POOL_ID, or check-policy [--json] --lint";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    /// To compare the policy with the user pool of this id.
    Compare(String),
    /// To read the policy alone.
    Lint,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some((task, is_json)) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let policy = read_policy(|name| std::env::var(name).ok());
    match task {
        Task::Lint => lint(policy, is_json),
        Task::Compare(id) => match compare(policy, &id).await {
            Ok(report) => {
                let json = || serde_json::to_string_pretty(&report).unwrap_or_default();
                print!("{}", if is_json { json() + "\n" } else { report.to_string() });
                ExitCode::from(u8::from(!report.refused_by_pool.is_empty()))
            }
            Err(error) => cannot_tell(&error),
        },
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Option<(Task, bool)> {
    let (mut is_json, mut is_lint, mut id) = (false, false, None);
    for argument in arguments {
        match argument.as_str() {
            "--json" => is_json = true,
            "--lint" => is_lint = true,
            _ if argument.starts_with('-') || id.is_some() => return None,
            _ => id = Some(argument),
        }
    }
    match (is_lint, id) {
        (true, None) => Some((Task::Lint, is_json)),
        (false, Some(id)) => Some((Task::Compare(id), is_json)),
        _ => None,
    }
}

async fn compare(policy: Result<Policy, ConfigError>, id: &str) -> Result<Report, String> {
    let id = id.parse().map_err(|error| format!("{error}"))?;
    let policy = policy.map_err(|error| with_sources(&error))?;
    Ok(Report::new(&policy, Pool::read(&id).await?))
}

fn lint(policy: Result<Policy, ConfigError>, is_json: bool) -> ExitCode {
    let (text, found, status) = match policy {
        Ok(policy) => {
            let everybody = std::iter::once(("everybody", policy.base()));
            let codes: Vec<_> = everybody
                .chain(policy.groups())
                .map(|(name, rules)| (name, codes(rules)))
                .collect();
            let lines = codes.iter().map(|(name, codes)| format!("{name}: {}", codes.join(", ")));
            let lines = std::iter::once("The policy is sound.".to_owned()).chain(lines);
            let rules: serde_json::Map<_, _> =
                codes.iter().map(|(name, codes)| ((*name).to_owned(), json!(codes))).collect();
            (lines.collect::<Vec<_>>().join("\n"), json!({ "rules": rules, "fault": null }), 0)
        }
        Err(error @ ConfigError::Policy { .. }) => {
            let fault = with_sources(&error);
            let found = json!({ "rules": null, "fault": fault });
            (fault, found, 1)
        }
        Err(error) => return cannot_tell(&with_sources(&error)),
    };
    println!("{}", if is_json { found.to_string() } else { text });
    ExitCode::from(status)
}

/// The codes of the rules that are on.
fn codes(rules: &Rules) -> Vec<&'static str> {
    rules.list().iter().map(Rule::code).collect()
}

fn cannot_tell(error: &str) -> ExitCode {
    eprintln!("check-policy: {error}");
    ExitCode::from(2)
}

/// An error's text with those of its causes.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_names_a_pool_or_asks_for_a_lint() {
        let compare = || Task::Compare("eu-west-1_Ab12".to_owned());
        for (line, expected) in [
            ("eu-west-1_Ab12", Some((compare(), false))),
            ("--json eu-west-1_Ab12", Some((compare(), true))),
            ("eu-west-1_Ab12 --json", Some((compare(), true))),
            ("--lint", Some((Task::Lint, false))),
            ("--lint --json", Some((Task::Lint, true))),
            ("", None),
            ("--json", None),
            ("--lint eu-west-1_Ab12", None),
            ("one two", None),
            ("--unknown eu-west-1_Ab12", None),
        ] {
            assert_eq!(parse(line.split_whitespace().map(str::to_owned)), expected, "{line}");
        }
    }
}
