//! The similarity of two texts, to compare a password with the previous one.

use zeroize::Zeroizing;

use super::normalize::secret;

/// The maximum number of digits of a counter: those of a year.
///
/// A longer number is the main part of a password, such as `ab9384756102`, and a different number makes
/// a different password.
const MAX_COUNTER: usize = 4;

/// Returns whether the Levenshtein distance of two texts, in code points, is at most `edits`.
///
/// Only a band of the matrix of prefixes is computed, because two prefixes whose lengths differ by
/// more than `edits` are more than `edits` apart. The time is proportional to the length times
/// `edits`.
pub(super) fn within(a: &str, b: &str, edits: usize) -> bool {
    if a.chars().count().abs_diff(b.chars().count()) > edits {
        return false;
    }
    let b = secret(b.len(), b.chars());
    // The distance of each prefix of `b` from the prefix of `a` read so far.
    let mut distances: Vec<usize> = (0..=b.len()).collect();
    for (row, x) in (1usize..).zip(a.chars()) {
        let first = row.saturating_sub(edits).max(1);
        let last = row.saturating_add(edits).min(b.len());
        let mut diagonal = distances[first - 1];
        // Left of the band: the distance from the empty prefix, or one that is too large to matter.
        distances[first - 1] = row;
        for at in first..=last {
            let above = distances[at];
            let substituted = diagonal + usize::from(x != b[at - 1]);
            distances[at] = substituted.min(above.min(distances[at - 1]) + 1);
            diagonal = above;
        }
    }
    distances[b.len()] <= edits
}

/// Returns whether two passwords differ only by a counter and letter case: `Winter24!` and
/// `WINTER25!`, `abc9` and `abc10`, `Winter!` and `Winter!1`.
///
/// The counter is the last run of digits, at any position. It may be higher, lower or missing: an
/// attacker who knows the old password tries all of these.
pub(super) fn differ_only_by_counter(previous: &str, proposed: &str) -> bool {
    without_counter(previous) == without_counter(proposed)
}

fn without_counter(text: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(text.to_lowercase());
    let end = text.rfind(|c: char| c.is_ascii_digit()).map_or(text.len(), |last| last + 1);
    let run = text[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
    text.drain(run.max(end.saturating_sub(MAX_COUNTER))..end);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_distance_is_in_code_points() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("abcdef", "abcdeg", 1),
            ("abcdef", "abcdefg", 1),
            ("abcdef", "abcde", 1),
            ("abcdef", "bcdefa", 2),
            ("ab", "ba", 2),
            ("a", "A", 1),
            ("e\u{301}", "é", 2),
            ("🔑ab", "🔒ab", 1),
            ("שלום", "שלומ", 1),
            ("ışık", "isik", 3),
            ("straße", "strasse", 2),
        ];
        for (a, b, distance) in cases {
            for (a, b) in [(a, b), (b, a)] {
                assert!(within(a, b, distance), "{a} {b}");
                assert!(distance == 0 || !within(a, b, distance - 1), "{a} {b}");
                assert!(within(a, b, usize::MAX), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_counter_is_the_last_run_of_at_most_four_digits() {
        for (previous, proposed) in [
            ("Winter24!", "Winter25!"),
            ("Winter24!", "WINTER23!"),
            ("Winter2024!", "Winter2025!"),
            ("Password1", "Password2"),
            ("abc9", "abc10"),
            ("Winter!", "Winter!1"),
            ("Winter!1", "Winter!"),
            ("24winter", "25winter"),
            ("win24ter", "winter25"),
            ("a1b2", "a1b3"),
            ("Winter20240101", "Winter20240102"),
            ("éé🔑1", "ÉÉ🔑2"),
            ("שלום1", "שלום2"),
            ("Winter24!", "Winter24!"),
        ] {
            assert!(differ_only_by_counter(previous, proposed), "{previous} {proposed}");
            assert!(differ_only_by_counter(proposed, previous), "{proposed} {previous}");
        }
        for (previous, proposed) in [
            ("Winter24!", "Summer24!"),
            ("Winter24!", "Winter24?"),
            ("a1b2", "a2b2"),
            ("20481234", "99887766"),
            ("ab9384756102", "ab1029384756"),
            ("abc١", "abc٢"),
            ("ıı1", "ii1"),
            ("ß1", "ss1"),
            ("", "a1"),
        ] {
            assert!(!differ_only_by_counter(previous, proposed), "{previous} {proposed}");
            assert!(!differ_only_by_counter(proposed, previous), "{proposed} {previous}");
        }
    }

    fn levenshtein(a: &[char], b: &[char]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([x, a @ ..], [y, b @ ..]) if x == y => levenshtein(a, b),
            ([_, left @ ..], [_, right @ ..]) => {
                1 + levenshtein(left, right).min(levenshtein(left, b)).min(levenshtein(a, right))
            }
        }
    }

    proptest! {
        #[test]
        fn within_agrees_with_the_definition(a in "[abé🔑]{0,7}", b in "[abé🔑]{0,7}") {
            let [left, right] = [&a, &b].map(|text| text.chars().collect::<Vec<_>>());
            let distance = levenshtein(&left, &right);
            for edits in 0..9 {
                prop_assert_eq!(within(&a, &b, edits), distance <= edits);
            }
        }

        #[test]
        fn no_text_panics_and_both_functions_are_symmetric(a in "\\PC{0,300}", b in "\\PC{0,300}", k in 0..9usize) {
            prop_assert_eq!(within(&a, &b, k), within(&b, &a, k));
            prop_assert_eq!(differ_only_by_counter(&a, &b), differ_only_by_counter(&b, &a));
        }

        #[test]
        fn passwords_with_different_numbers_after_the_same_stem_differ_only_by_counter(stem in "\\PC{0,40}[a-z]", a in 0..10_000, b in 0..10_000) {
            for end in ["", "!"] {
                let [previous, proposed] = [a, b].map(|counter| format!("{stem}{counter}{end}"));
                prop_assert!(differ_only_by_counter(&previous, &proposed));
            }
        }
    }
}
