//! Compares the policy with `zxcvbn` on the same passwords, including the start-up.

use std::hint::black_box;
use std::process::Command;

use change_password::credentials::Password;
use change_password::policy::{PersonalAttribute, PersonalWords, Policy};
use criterion::Criterion;

/// A weak one, a disguised one, a random one, a passphrase, the longest that is allowed, and the
/// slowest of that length that a search has found: look-alike characters, whose readings all begin
/// words.
fn passwords() -> [(&'static str, String); 6] {
    [
        ("weak", "password".into()),
        ("disguised", "!P@ssw0rd-2026!".into()),
        ("random", "k7#Vq!zR2m&Lx9@T".into()),
        ("passphrase", "purple monkey battery staple".into()),
        ("longest", "aB3$e\u{301}🔑-1!pass".chars().cycle().take(256).collect()),
        ("slowest", "88|88|888|48|8r|8!|i8|8888|8|".chars().cycle().take(256).collect()),
    ]
}

const EVERY_RULE: &str = include_str!("../tests/policy/data/every-rule.toml");

fn check(criterion: &mut Criterion) {
    let policy = Policy::from_toml(EVERY_RULE).expect("a sound policy");
    let previous = Password::from("Previous-Horse-7-Battery");
    for (name, text) in passwords() {
        let mut group = criterion.benchmark_group(name);
        let password = Password::from(text.as_str());
        group.bench_function("policy", |bencher| {
            bencher.iter(|| {
                let words = [
                    (PersonalAttribute::UserName, "demo.user"),
                    (PersonalAttribute::Email, "demo.user@example.com"),
                ];
                let personal = PersonalWords::new(words);
                policy.base().violations(black_box(&password), Some(&previous), &personal)
            });
        });
        group.bench_function("estimate", |bencher| {
            let personal = PersonalWords::new([]);
            bencher.iter(|| policy.base().guesses_log10(black_box(&password), &personal));
        });
        // It reads at most 100 characters, and gets the same words.
        group.bench_function("zxcvbn", |bencher| {
            let words = ["demo.user", "demo.user@example.com", "contoso", "fabrikam"];
            bencher.iter(|| zxcvbn::zxcvbn(black_box(&text), &words));
        });
        group.finish();
    }
}

/// Measures a fresh process until its first answer, for which `zxcvbn` builds its dictionaries and
/// the policy reads its file. `nothing` is the cost of the process itself.
fn start_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start-up");
    for name in ["nothing", "policy", "zxcvbn"] {
        group.bench_function(name, |bencher| {
            let this = std::env::current_exe().expect("a path");
            bencher.iter(|| Command::new(&this).env(FIRST_ANSWER, name).status());
        });
    }
    group.finish();
}

/// The variable that selects what a process started by [`start_up`] does before it ends.
const FIRST_ANSWER: &str = "POLICY_BENCH_FIRST_ANSWER";

fn first_answer(name: &str) {
    let text = "k7#Vq!zR2m&Lx9@T";
    match name {
        "policy" => {
            let policy = Policy::from_toml(EVERY_RULE).expect("a sound policy");
            let personal = PersonalWords::new([]);
            black_box(policy.base().violations(&text.into(), None, &personal));
        }
        "zxcvbn" => {
            black_box(zxcvbn::zxcvbn(text, &[]));
        }
        _ => {}
    }
}

fn main() {
    if let Ok(name) = std::env::var(FIRST_ANSWER) {
        return first_answer(&name);
    }
    let mut criterion = Criterion::default().configure_from_args();
    check(&mut criterion);
    start_up(&mut criterion);
    criterion.final_summary();
}
