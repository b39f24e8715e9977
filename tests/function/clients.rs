//! `docs/clients` tells on each page what an app does with each code, and its listings do it.

use std::collections::BTreeSet;

use change_password::problem::ProblemCode;

use crate::problems::table;

const KOTLIN: &str = include_str!("../../docs/clients/kotlin.md");
const SWIFT: &str = include_str!("../../docs/clients/swift.md");
const TYPESCRIPT: &str = include_str!("../../docs/clients/typescript.md");

/// The page's table, without its head.
fn rows(page: &str) -> Vec<&str> {
    let table = page.lines().skip_while(|line| !line.starts_with("| status |"));
    table.skip(2).take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn each_page_has_the_same_table() {
    assert!(rows(KOTLIN).len() > ProblemCode::ALL.len());
    assert_eq!(rows(KOTLIN), rows(SWIFT));
    assert_eq!(rows(KOTLIN), rows(TYPESCRIPT));
}

#[test]
fn the_table_has_each_code_once_and_with_its_status() {
    let mut told: Vec<_> = rows(KOTLIN)
        .into_iter()
        .filter_map(|row| {
            let (status, rest) = row.strip_prefix("| ")?.split_once(" | `")?;
            let (code, _) = rest.split_once("` |")?;
            Some((status.parse().ok()?, code))
        })
        .collect();
    told.sort_unstable();
    let answered: BTreeSet<_> = table().iter().map(|(status, code, _)| (*status, *code)).collect();
    assert_eq!(told, Vec::from_iter(answered));
}

#[test]
fn each_listing_handles_each_code_by_name() {
    for page in [KOTLIN, SWIFT, TYPESCRIPT] {
        let listing = page.split("```").nth(1).unwrap();
        let handled = |code: &ProblemCode| listing.contains(&format!("\"{}\"", code.as_str()));
        let forgotten: Vec<_> = ProblemCode::ALL.iter().filter(|code| !handled(code)).collect();
        assert!(forgotten.is_empty(), "{} forgets {forgotten:?}", page.lines().next().unwrap());
    }
}
