//! Compares the policy with the pool's own, in both directions.

use aws_sdk_cognitoidentityprovider::types::PasswordPolicyType;
use change_password::policy::{COGNITO_MAX_LENGTH, CharacterClass, Policy, Rule, Rules};

/// The user pool's own password policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct PoolPolicy {
    /// The minimum length, in characters.
    pub(crate) min_length: usize,
    /// The required classes, in the order of [`CharacterClass::ALL`].
    pub(crate) required: [bool; 4],
    /// The number of previous passwords that the pool rejects; 0 if it keeps no history.
    pub(crate) history: usize,
    /// Whether the pool rejects a new password that is known from breaches.
    pub(crate) refuses_breached: bool,
}

impl From<&PasswordPolicyType> for PoolPolicy {
    fn from(policy: &PasswordPolicyType) -> Self {
        let number =
            |number: Option<i32>| number.unwrap_or_default().try_into().unwrap_or_default();
        Self {
            min_length: number(policy.minimum_length),
            required: [
                policy.require_lowercase,
                policy.require_uppercase,
                policy.require_numbers,
                policy.require_symbols,
            ],
            history: number(policy.password_history_size),
            refuses_breached: false,
        }
    }
}

/// Lists where the pool is stricter than the policy. Cognito rejects such passwords after the policy
/// accepts them.
pub(crate) fn refused_by_pool(policy: &Policy, pool: &PoolPolicy) -> Vec<String> {
    each(policy, |rules| {
        let mut lines = Vec::new();
        if rules.min_length() < pool.min_length {
            let (ours, theirs) = (rules.min_length(), pool.min_length);
            lines.push(format!("length.min is {ours}, but the pool's minimum length is {theirs}"));
        }
        for (class, required) in CharacterClass::ALL.into_iter().zip(pool.required) {
            if required && !rules.always_requires(class) {
                let name = name(class);
                lines.push(format!("characters.{name} is 0, but the pool requires one"));
            }
        }
        lines
    })
}

/// Lists where the policy is stricter than the pool. A change that bypasses the function can set such
/// passwords.
pub(crate) fn allowed_by_pool(policy: &Policy, pool: &PoolPolicy) -> Vec<String> {
    each(policy, |rules| {
        let mut lines = Vec::new();
        let mut codes = Vec::new();
        for rule in rules.list() {
            match rule {
                Rule::MinLength(ours) if pool.min_length < *ours => lines.push(format!(
                    "the pool's minimum length is {}, but length.min is {ours}",
                    pool.min_length
                )),
                Rule::MaxLength(ours) if *ours < COGNITO_MAX_LENGTH => lines.push(format!(
                    "the pool's maximum length is {COGNITO_MAX_LENGTH}, but length.max is {ours}"
                )),
                Rule::Requires(class, ours) => {
                    let theirs = usize::from(pool.required[*class as usize]);
                    if theirs < *ours {
                        let name = name(*class);
                        lines.push(format!(
                            "the pool requires {theirs} of {name}, but characters.{name} is {ours}"
                        ));
                    }
                }
                Rule::RequiresClasses(ours) => {
                    let theirs = pool.required.into_iter().filter(|required| *required).count();
                    if theirs < *ours {
                        lines.push(format!(
                            "the pool requires {theirs} classes, but characters.classes is {ours}"
                        ));
                    }
                }
                // Cognito itself rejects white space at either end and, with a history, the current
                // password.
                Rule::MinLength(_) | Rule::MaxLength(_) | Rule::NoEdgeSpace => {}
                Rule::DiffersFromPrevious(1) if pool.history > 0 => {}
                Rule::NotBreached if pool.refuses_breached => {}
                rule => codes.push(rule.code()),
            }
        }
        if !codes.is_empty() {
            lines.push(format!("the pool does not check {}", codes.join(", ")));
        }
        lines
    })
}

/// Returns the lines for everybody, then those that each group adds, with its name.
fn each(policy: &Policy, compare: impl Fn(&Rules) -> Vec<String>) -> Vec<String> {
    let mut lines = compare(policy.base());
    let everybody = lines.clone();
    for (name, rules) in policy.groups() {
        let of_group = compare(rules).into_iter().filter(|line| !everybody.contains(line));
        lines.extend(of_group.map(|line| format!("group {name}: {line}")));
    }
    lines
}

fn name(class: CharacterClass) -> &'static str {
    match class {
        CharacterClass::Lowercase => "lowercase",
        CharacterClass::Uppercase => "uppercase",
        CharacterClass::Digit => "digit",
        CharacterClass::Symbol => "symbol",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        Policy::from_toml(text).unwrap()
    }

    #[test]
    fn each_way_in_which_the_pool_is_stricter_is_listed() {
        let pool = PoolPolicy {
            min_length: 12,
            required: [true, false, false, true],
            ..PoolPolicy::default()
        };
        let refused = |text: &str| refused_by_pool(&policy(text), &pool);
        assert_eq!(refused("[length]\nmin = 12\n[characters]\nlowercase = 1\nsymbol = 2"), [""; 0]);
        // A password with three of the four classes may lack any one of them.
        assert_eq!(
            refused("[length]\nmin = 11\n[characters]\nlowercase = 1\nclasses = 3"),
            [
                "length.min is 11, but the pool's minimum length is 12",
                "characters.symbol is 0, but the pool requires one"
            ]
        );
        assert_eq!(refused("[length]\nmin = 12\n[characters]\nclasses = 4"), [""; 0]);
    }

    #[test]
    fn each_way_in_which_the_policy_is_stricter_is_listed() {
        let pool = PoolPolicy {
            min_length: 8,
            required: [true, true, true, false],
            ..PoolPolicy::default()
        };
        let text = "
            [length]
            min = 12
            max = 100
            [characters]
            digit = 2
            symbol = 1
            classes = 4
            [words]
            common = true
            [previous]
            min_distance = 1
            [breaches]
            check = true
        ";
        assert_eq!(
            allowed_by_pool(&policy(text), &pool),
            [
                "the pool's minimum length is 8, but length.min is 12",
                "the pool's maximum length is 256, but length.max is 100",
                "the pool requires 1 of digit, but characters.digit is 2",
                "the pool requires 0 of symbol, but characters.symbol is 1",
                "the pool requires 3 classes, but characters.classes is 4",
                "the pool does not check hard_to_type, common_password, same_as_previous, breached_password",
            ]
        );
        let strict = PoolPolicy { history: 5, refuses_breached: true, ..pool };
        let lines = allowed_by_pool(&policy(text), &strict);
        assert_eq!(lines.last().unwrap(), "the pool does not check hard_to_type, common_password");
    }

    #[test]
    fn for_a_pool_with_the_same_rules_only_rules_that_no_pool_has_are_listed() {
        let pool =
            PoolPolicy { min_length: 8, required: [true; 4], history: 1, ..PoolPolicy::default() };
        assert_eq!(
            allowed_by_pool(&policy("profile = \"cognito-default\""), &pool),
            ["the pool does not check hard_to_type, too_easy_to_guess"]
        );
    }

    #[test]
    fn a_group_adds_only_lines_that_the_base_does_not_have() {
        let pool = PoolPolicy { min_length: 8, ..PoolPolicy::default() };
        let text = "
            [length]
            min = 10
            [words]
            common = true
            [groups.staff.length]
            min = 16
        ";
        assert_eq!(
            allowed_by_pool(&policy(text), &pool),
            [
                "the pool's minimum length is 8, but length.min is 10",
                "the pool does not check hard_to_type, common_password",
                "group staff: the pool's minimum length is 8, but length.min is 16",
            ]
        );
    }
}
