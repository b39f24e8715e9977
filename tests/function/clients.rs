//! `docs/clients.md` lists how a client handles each code, and each package in `clients/` does so.

use std::collections::BTreeSet;

use change_password::problem::ProblemCode;

use crate::problems::table;

const PAGE: &str = include_str!("../../docs/clients.md");
const SCENARIOS: &str = include_str!("../../clients/scenarios.json");
const PACKAGES: [(&str, &str); 3] = [
    (
        "kotlin",
        include_str!("../../clients/kotlin/src/main/kotlin/changepassword/PasswordClient.kt"),
    ),
    ("swift", include_str!("../../clients/swift/Sources/ChangePassword/PasswordClient.swift")),
    ("typescript", include_str!("../../clients/typescript/src/client.ts")),
];

#[test]
fn the_table_lists_each_code_once_with_its_status() {
    let rows = PAGE.lines().filter(|line| line.starts_with("| "));
    let mut described: Vec<_> = rows
        .filter_map(|row| {
            let (status, rest) = row.strip_prefix("| ")?.split_once(" | `")?;
            let (code, _) = rest.split_once("` |")?;
            Some((status.parse().ok()?, code))
        })
        .collect();
    described.sort_unstable();
    let answered: BTreeSet<_> = table().iter().map(|(status, code, _)| (*status, *code)).collect();
    assert_eq!(described, Vec::from_iter(answered));
}

#[test]
fn each_package_handles_each_code_by_name() {
    for (package, source) in PACKAGES {
        let handled = |code: &ProblemCode| source.contains(&format!("\"{}\"", code.as_str()));
        let missing: Vec<_> = ProblemCode::ALL.iter().filter(|code| !handled(code)).collect();
        assert!(missing.is_empty(), "{package} does not handle {missing:?}");
    }
}

#[test]
fn each_code_has_a_scenario_that_every_package_runs() {
    let scenarios: Vec<serde_json::Value> = serde_json::from_str(SCENARIOS).unwrap();
    let names: Vec<_> = scenarios.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let covered = |code: &ProblemCode| {
        names.iter().any(|name| name.split_once([' ', ',']).is_some_and(|it| it.0 == code.as_str()))
    };
    let missing: Vec<_> = ProblemCode::ALL.iter().filter(|code| !covered(code)).collect();
    assert!(missing.is_empty(), "no scenario for {missing:?}");
}
