//! Properties of the policy, on inputs that nobody would write down.

use change_password::policy::{PersonalWords, Policy};
use change_password::policy_document::PolicyDocument;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use crate::codes;

const EVERY_RULE: &str = include_str!("data/every-rule.toml");

/// Text as a keyboard, a password manager or an attacker makes it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,40}",
        vec(any::<char>(), 0..300).prop_map(String::from_iter),
        "(a|ab|abc|password|Contoso|12345|\u{301}){0,60}",
    ]
}

/// The numbers of a policy: minimum length, four counts, classes, run, sequence, distance.
fn numbers() -> impl Strategy<Value = [usize; 9]> {
    (1..12_usize, [0..3_usize, 0..3, 0..3, 0..3], 0..5_usize, 0..4_usize, 0..5_usize, 0..3_usize)
        .prop_map(|(min, [a, b, c, d], classes, run, sequence, distance)| {
            [min, a, b, c, d, classes, run, sequence, distance.min(min)]
        })
}

fn tables(place: &str, [min, a, b, c, d, classes, run, sequence, distance]: [usize; 9]) -> String {
    format!(
        "[{place}length]\nmin = {min}\n[{place}characters]\nlowercase = {a}\nuppercase = {b}\n\
         digit = {c}\nsymbol = {d}\nclasses = {classes}\n[{place}patterns]\nmax_run = {run}\n\
         max_sequence = {sequence}\n[{place}previous]\nmin_distance = {distance}\n"
    )
}

proptest! {
    #[test]
    fn no_password_makes_the_policy_panic(proposed in text(), previous in text()) {
        let policy = Policy::from_toml(EVERY_RULE).unwrap();
        let found = codes(&policy, &proposed, Some(&previous));
        prop_assert!(found.len() <= policy.base().list().len());
    }

    #[test]
    fn more_rules_never_accept_more(
        base in numbers(),
        group in numbers(),
        proposed in "[a-c1-3!]{0,14}",
        previous in "[a-c1-3!]{0,14}",
    ) {
        let text = tables("", base) + &tables("groups.g.", group);
        // A group that is looser is an error, and no matter here.
        if let Ok(policy) = Policy::from_toml(&text) {
            let password = |text: &String| text.clone().into();
            let stricter = policy.for_groups(&["g".into()]);
            let (proposed, previous) = (password(&proposed), password(&previous));
            let nobody = PersonalWords::new([]);
            let of_base = policy.base().violations(&proposed, Some(&previous), &nobody);
            let of_group = stricter.violations(&proposed, Some(&previous), &nobody);
            prop_assert!(of_base.is_empty() || !of_group.is_empty());
        }
    }

    /// The generator of iOS, as Apple describes it, against the string that we send it.
    #[test]
    fn what_obeys_the_password_rules_string_is_never_refused_for_composition(
        numbers in numbers(),
        choices in vec(any::<prop::sample::Index>(), 64),
        extra in 0..20_usize,
    ) {
        let policy = Policy::from_toml(&tables("", numbers)).unwrap();
        let document: Value =
            serde_json::from_str(&PolicyDocument::new(policy.base()).json).unwrap();
        let rules = document["passwordRules"].as_str().unwrap();
        let password = generate(rules, &choices, extra);
        for code in codes(&policy, &password, None) {
            prop_assert_eq!(code, "sequence", "{:?} by {:?}", password, rules);
        }
    }
}

/// A password that has one character of each required set, others from any set, and no run that is
/// longer than the rules allow.
fn generate(rules: &str, choices: &[prop::sample::Index], extra: usize) -> String {
    let (mut required, mut all, mut min, mut max_run) = (vec![], vec![], 0, usize::MAX);
    for rule in rules.trim_end_matches(';').split("; ") {
        let (name, value) = rule.split_once(": ").unwrap();
        match name {
            "minlength" => min = value.parse().unwrap(),
            "maxlength" => {}
            "max-consecutive" => max_run = value.parse().unwrap(),
            "required" | "allowed" => {
                let set: Vec<char> = value[1..value.len() - 1].chars().collect();
                if name == "required" {
                    required.push(set.clone());
                }
                all.extend(set);
            }
            _ => panic!("an unknown rule: {rule}"),
        }
    }
    let length = required.len().max(min) + extra;
    let mut choices = choices.iter().cycle();
    let mut password: Vec<char> = Vec::new();
    for at in 0..length {
        let set = required.get(at).unwrap_or(&all);
        let mut next = *choices.next().unwrap().get(set);
        let run = password.iter().rev().take_while(|c| c.eq_ignore_ascii_case(&next)).count();
        if run >= max_run {
            next = *set.iter().find(|c| !c.eq_ignore_ascii_case(&next)).unwrap();
        }
        password.push(next);
    }
    password.into_iter().collect()
}
