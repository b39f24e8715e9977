//! Compares the password policy with the user pool's own, before a user finds the difference.
//!
//! ```sh
//! cargo run --package check-policy -- eu-west-1_Ab12Cd34E
//! ```
//!
//! It reads the pool with the operator's credentials (`cognito-idp:DescribeUserPool`), which the
//! function itself never has. The policy is the built-in one or `PASSWORD_POLICY_FILE`. It exits
//! with 1 where Cognito would refuse what the policy allows, and with 2 where it cannot tell.

use std::process::ExitCode;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::PasswordPolicyType;
use aws_smithy_runtime_api::client::http::http_client_fn;
use change_password::config::read_policy;
use change_password::connector::{Trust, connector};
use change_password::policy::{CharacterClass, Rules};
use change_password::user_pool::UserPoolId;

/// The longest wait for a connection; an operator's network may be slower than Lambda's.
const TIMEOUT: Duration = Duration::from_secs(5);

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(weaker) if weaker.is_empty() => {
            println!("Cognito allows all that the policy allows.");
            ExitCode::SUCCESS
        }
        Ok(weaker) => {
            println!("{}", weaker.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("check-policy: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<Vec<String>, Error> {
    let pool_id = std::env::args().nth(1).ok_or("Usage: check-policy USER_POOL_ID")?.parse()?;
    let policy = read_policy(std::env::var("PASSWORD_POLICY_FILE").ok())?;
    let pool = describe(&pool_id).await?;
    let groups = policy.groups().map(|(name, rules)| (format!("group {name}: "), rules));
    let all = std::iter::once((String::new(), policy.base())).chain(groups);
    Ok(all
        .flat_map(|(place, rules)| {
            weaker_than(rules, &pool).into_iter().map(move |text| format!("{place}{text}"))
        })
        .collect())
}

async fn describe(pool_id: &UserPoolId) -> Result<PasswordPolicyType, Error> {
    let connector = connector(TIMEOUT, Trust::System);
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(pool_id.region().to_owned()))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .load()
        .await;
    let pool = Client::new(&sdk)
        .describe_user_pool()
        .user_pool_id(pool_id.as_str())
        .send()
        .await
        .map_err(aws_sdk_cognitoidentityprovider::Error::from)?;
    let policies = pool.user_pool.and_then(|pool| pool.policies);
    let policy = policies.and_then(|policies| policies.password_policy);
    policy
        .ok_or_else(|| format!("the user pool {} has no password policy", pool_id.as_str()).into())
}

/// What the pool asks for and these rules do not, a line each.
fn weaker_than(rules: &Rules, pool: &PasswordPolicyType) -> Vec<String> {
    let mut lines = Vec::new();
    let min_length = usize::try_from(pool.minimum_length.unwrap_or_default()).unwrap_or_default();
    if rules.min_length() < min_length {
        let ours = rules.min_length();
        lines.push(format!("length.min is {ours}, and the pool's minimum length is {min_length}"));
    }
    for class in CharacterClass::ALL {
        let (name, needed) = match class {
            CharacterClass::Lowercase => ("lowercase", pool.require_lowercase),
            CharacterClass::Uppercase => ("uppercase", pool.require_uppercase),
            CharacterClass::Digit => ("digit", pool.require_numbers),
            CharacterClass::Symbol => ("symbol", pool.require_symbols),
        };
        if needed && !rules.always_requires(class) {
            lines.push(format!("characters.{name} is 0, and the pool requires one"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use change_password::policy::Policy;

    #[test]
    fn what_the_pool_asks_for_and_the_policy_does_not_is_named() {
        let pool = PasswordPolicyType::builder()
            .minimum_length(12)
            .require_lowercase(true)
            .require_symbols(true)
            .build();
        let weaker = |text: &str| weaker_than(Policy::from_toml(text).unwrap().base(), &pool);
        assert_eq!(weaker("[length]\nmin = 12\n[characters]\nlowercase = 1\nsymbol = 2"), [""; 0]);
        // Three classes of four may leave out any one of them.
        assert_eq!(
            weaker("[length]\nmin = 11\n[characters]\nlowercase = 1\nclasses = 3"),
            [
                "length.min is 11, and the pool's minimum length is 12",
                "characters.symbol is 0, and the pool requires one"
            ]
        );
        assert_eq!(weaker("[length]\nmin = 12\n[characters]\nclasses = 4"), [""; 0]);
    }
}
