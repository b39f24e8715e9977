//! Properties of the policy that hold for random input.

use std::sync::Arc;
use std::time::Duration;

use change_password::language::Language;
use change_password::policy::{
    BreachSettings, OnFailure, PersonalAttribute, PersonalWords, Policy, Rules, Violation,
};
use change_password::policy_document::PolicyDocument;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use crate::codes;

const EVERY_RULE: &str = include_str!("data/every-rule.toml");

/// Text from a keyboard, a password manager or an attacker.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,40}",
        vec(any::<char>(), 0..300).prop_map(String::from_iter),
        "(a|ab|abc|password|Contoso|12345|\u{301}){0,60}",
    ]
}

/// Text with accents from people and attackers. No form of it exceeds Cognito's maximum length.
fn accented() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9!éèàùâêîôłşěāñ]{0,40}",
        "(Z[uü]rich|J[uü]rgen|Ren[eé]|P[aāáą]ssw[oōøö]rd|C[oó]nt[oö]s[oő]|\u{301}|\u{308}|각|é|ế|24|25|26|!|-| ){0,8}",
        "[가-힣]{0,80}",
        "\\PC{0,60}",
    ]
}

/// The composed and the decomposed form of a text (NFC and NFD).
fn forms(text: &str) -> [String; 2] {
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(text);
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(text);
    [composed.into_owned(), decomposed.into_owned()]
}

/// The numbers of a policy: minimum length, four counts, classes, run, sequence, distance.
fn numbers() -> impl Strategy<Value = [usize; 9]> {
    (1..12_usize, [0..3_usize, 0..3, 0..3, 0..3], 0..5_usize, 0..4_usize, 0..5_usize, 0..3_usize)
        .prop_map(|(min, [a, b, c, d], classes, run, sequence, distance)| {
            [min, a, b, c, d, classes, run, sequence, distance.min(min)]
        })
}

/// The same, with counts up to the size of each class, the maximum in a policy.
fn large_numbers() -> impl Strategy<Value = [usize; 9]> {
    let counts = [0..=26_usize, 0..=26, 0..=10, 0..=32];
    (numbers(), counts).prop_map(|([min, _, _, _, _, rest @ ..], [a, b, c, d])| {
        let [classes, run, sequence, distance] = rest;
        [min, a, b, c, d, classes, run, sequence, distance]
    })
}

fn tables(place: &str, [min, a, b, c, d, classes, run, sequence, distance]: [usize; 9]) -> String {
    format!(
        "[{place}length]\nmin = {min}\n[{place}characters]\nlowercase = {a}\nuppercase = {b}\n\
         digit = {c}\nsymbol = {d}\nclasses = {classes}\n[{place}patterns]\nmax_run = {run}\n\
         max_sequence = {sequence}\n[{place}previous]\nmin_distance = {distance}\n"
    )
}

/// The breach settings of a group: threshold, timeout in milliseconds, and `on_failure`.
fn breaches() -> impl Strategy<Value = Option<(u64, u64, &'static str)>> {
    let check = (1..4_u64, 1..4_u64, prop_oneof![Just("allow"), Just("refuse")]);
    prop::option::of(check)
}

/// The settings of one group.
fn group() -> impl Strategy<Value = Group> {
    let banned = prop_oneof![Just(None), "[a-c]{4}".prop_map(Some)];
    (numbers(), breaches(), banned).prop_map(|(numbers, breaches, banned)| Group {
        numbers,
        breaches,
        banned,
    })
}

#[derive(Debug, Clone)]
struct Group {
    numbers: [usize; 9],
    breaches: Option<(u64, u64, &'static str)>,
    banned: Option<String>,
}

impl Group {
    fn tables(&self, name: &str) -> String {
        let place = format!("groups.{name}.");
        let breaches = self.breaches.map(|(threshold, timeout, on_failure)| {
            format!(
                "[{place}breaches]\ncheck = true\nthreshold = {threshold}\n\
                 timeout_ms = {timeout}\non_failure = \"{on_failure}\"\n"
            )
        });
        let banned = self.banned.as_ref();
        let banned = banned.map(|word| format!("[{place}words]\nbanned = [\"{word}\"]\n"));
        let more = [breaches, banned].into_iter().flatten();
        tables(&place, self.numbers) + &more.collect::<String>()
    }
}

/// A policy with these groups and a base that requires one character.
fn with_groups(groups: &[(&str, &Group)]) -> Policy {
    let groups: String = groups.iter().map(|(name, group)| group.tables(name)).collect();
    Policy::from_toml(&format!("[length]\nmin = 1\n{groups}")).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Whether a breach check passes for a password that was seen `seen` times, if the service responds
/// after the time `answer`.
fn passes(settings: Option<&BreachSettings>, seen: u64, answer: Duration) -> bool {
    settings.is_none_or(|settings| {
        if answer > settings.timeout {
            settings.on_failure == OnFailure::Allow
        } else {
            seen < settings.threshold
        }
    })
}

proptest! {
    #[test]
    fn no_password_causes_a_panic(proposed in text(), previous in text()) {
        let policy = Policy::from_toml(EVERY_RULE).unwrap();
        let found = codes(&policy, &proposed, Some(&previous));
        prop_assert!(found.len() <= policy.base().list().len());
    }

    /// `é` is one or two code points. Neither form here exceeds Cognito's maximum, above which
    /// `too_long` would differ.
    #[test]
    fn the_composed_and_decomposed_forms_of_a_password_break_the_same_rules(
        proposed in accented(),
        previous in accented(),
    ) {
        let policy = Policy::from_toml(EVERY_RULE).unwrap();
        let verdict = |proposed: &str, previous: &str| -> Vec<_> {
            let known = [(PersonalAttribute::UserName, "Jürgen"), (PersonalAttribute::Email, "rene\u{301}@example.com")];
            let (proposed, previous) = (proposed.into(), previous.into());
            let found =
                policy.base().violations(&proposed, Some(&previous), &PersonalWords::new(known));
            found.iter().map(Violation::code).filter(|code| *code != "hard_to_type").collect()
        };
        let [one, two] = [&proposed, &previous].map(|text| forms(text));
        let expected = verdict(&one[0], &two[0]);
        for (proposed, previous) in [(&one[1], &two[0]), (&one[0], &two[1]), (&one[1], &two[1])] {
            prop_assert_eq!(&verdict(proposed, previous), &expected, "{:?}", proposed);
        }
    }

    #[test]
    fn a_stricter_group_never_accepts_a_password_that_the_base_rejects(
        base in numbers(),
        group in numbers(),
        proposed in "[a-c1-3!]{0,14}",
        previous in "[a-c1-3!]{0,14}",
    ) {
        let text = tables("", base) + &tables("groups.g.", group);
        // A looser group is an error, which other tests cover.
        if let Ok(policy) = Policy::from_toml(&text) {
            let password = |text: &String| text.as_str().into();
            let stricter = policy.for_groups(&["g".into()]);
            let (proposed, previous) = (password(&proposed), password(&previous));
            let nobody = PersonalWords::new([]);
            let of_base = policy.base().violations(&proposed, Some(&previous), &nobody);
            let of_group = stricter.violations(&proposed, Some(&previous), &nobody);
            prop_assert!(of_base.is_empty() || !of_group.is_empty());
        }
    }

    /// A token can name thousands of groups, but the rules of a combination are built only once.
    #[test]
    fn repeated_and_unknown_groups_in_a_token_build_no_further_rules(
        groups in vec(group(), 4),
        order in vec(0..7_usize, 0..200),
    ) {
        let named = ["a", "b", "c", "d"];
        let policy = with_groups(&named.into_iter().zip(&groups).collect::<Vec<_>>());
        let of_token = names(&order.iter().map(|&i| ["a", "b", "c", "d", "x", "", "A"][i])
            .collect::<Vec<_>>());
        let reduced = names(&named.into_iter()
            .filter(|name| of_token.iter().any(|group| group == name))
            .collect::<Vec<_>>());
        let (of_reduced, of_token) = (policy.for_groups(&reduced), policy.for_groups(&of_token));
        prop_assert!(Arc::ptr_eq(&of_reduced, &of_token), "{:?}", reduced);
    }

    /// Groups are combined in the order of their names, so renaming them changes the order.
    #[test]
    fn the_rules_for_a_set_of_groups_do_not_depend_on_their_order(groups in vec(group(), 3)) {
        let [one, two, three] = groups.as_slice() else { unreachable!() };
        let all = names(&["a", "b", "c"]);
        let rules = [[one, two, three], [three, one, two], [two, three, one], [three, two, one]]
            .map(|[a, b, c]| {
                let policy = with_groups(&[("a", a), ("b", b), ("c", c)]);
                format!("{:?}", policy.for_groups(&all))
            });
        for other in &rules[1..] {
            prop_assert_eq!(&rules[0], other);
        }
    }

    #[test]
    fn a_member_of_two_groups_cannot_set_a_password_that_either_group_rejects(
        a in group(),
        b in group(),
        proposed in "[a-c1-3!]{0,14}",
        previous in "[a-c1-3!]{0,14}",
    ) {
        let policy = with_groups(&[("a", &a), ("b", &b)]);
        let both = policy.for_groups(&names(&["a", "b"]));
        let (proposed, previous) = (proposed.as_str().into(), previous.as_str().into());
        let nobody = PersonalWords::new([]);
        let accept =
            |rules: &Rules| rules.violations(&proposed, Some(&previous), &nobody).is_empty();
        for name in ["a", "b"] {
            let one = policy.for_groups(&names(&[name]));
            prop_assert!(!accept(&both) || accept(&one), "{}", name);
            for (seen, answer) in (0..5).flat_map(|seen| (0..5).map(move |answer| (seen, answer))) {
                let answer = Duration::from_millis(answer);
                prop_assert!(
                    !passes(both.breaches(), seen, answer) || passes(one.breaches(), seen, answer),
                    "{}: seen {} times, answered after {:?}", name, seen, answer
                );
            }
            if let Some(one) = one.breaches() {
                let both = both.breaches().expect("one of them checks");
                prop_assert!(both.threshold <= one.threshold);
                prop_assert!(one.on_failure == OnFailure::Allow || both.on_failure == one.on_failure);
            }
        }
    }

    /// Generates passwords from `passwordRules` like the generator of iOS, as Apple documents it.
    #[test]
    fn a_password_generated_by_the_password_rules_string_satisfies_all_composition_rules(
        numbers in prop_oneof![numbers(), large_numbers()],
        choices in vec(any::<prop::sample::Index>(), 64),
        extra in 0..20_usize,
    ) {
        let policy = Policy::from_toml(&tables("", numbers)).unwrap();
        let document: Value =
            serde_json::from_str(&PolicyDocument::new(policy.base(), Language::En).json).unwrap();
        let rules = document["passwordRules"].as_str().unwrap();
        let password = generate(rules, &choices, extra);
        for code in codes(&policy, &password, None) {
            prop_assert_eq!(code, "sequence", "{:?} by {:?}", password, rules);
        }
    }
}

/// Generates a password with one character of each required set, others from any set, and no run
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
