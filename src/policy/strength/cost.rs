//! Costs: numbers of guesses as integers, in thousandths of their decimal logarithm.

/// The decimal logarithm of a number of guesses, in thousandths.
///
/// An integer makes sums exact and estimates the same on every machine.
pub(super) type Cost = u32;

/// Ten guesses.
pub(super) const GUESSES_10: Cost = 1_000;

/// The cost of one character, if an attacker tries all characters of its kind.
pub(super) fn character(c: char) -> Cost {
    match c {
        'a'..='z' | 'A'..='Z' => 1_415,
        '!' => 500,
        '0'..='9' | '.' | '?' | '@' | '#' | '$' | '*' | '-' | '_' | ' ' | '&' | '+' | '%' => 1_000,
        '\0'..='\u{7f}' => 1_500,
        '\u{80}'..='\u{5ff}' => 1_800,
        _ => 2_500,
    }
}

/// An additional part: the attacker also has to try which parts are combined, and in which order.
pub(super) const PART: Cost = 477;
