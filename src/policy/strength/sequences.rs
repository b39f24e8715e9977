//! Runs of a character, and sequences of letters and digits.

use super::Kind;
use super::cost::{Cost, PART, character};

/// A run of one character, in addition to the character itself.
const RUN: Cost = 400;

/// A sequence that begins with a digit or at an end of the alphabet, and any other sequence.
const SEQUENCE: Cost = 1_200;
const INNER_SEQUENCE: Cost = 2_000;

/// Two alternating sequences, such as `a1b2c3` and `112233`.
const TWO_SEQUENCES: Cost = 2_500;

/// The maximum length of a sequence or run. A longer one counts as several.
const LONGEST: usize = 32;

/// Calls `found` with the length, cost and kind of each run and sequence at the start of the text.
pub(super) fn sequences(text: &[char], mut found: impl FnMut(usize, Cost, Kind)) {
    let text = &text[..text.len().min(LONGEST)];
    let step = |at: usize, by: usize| {
        Some(i64::from(u32::from(*text.get(at + by)?)) - i64::from(u32::from(text[at])))
    };
    let Some(first) = step(0, 1) else { return };
    let longest = (1..LONGEST).take_while(|&at| step(at, 1) == Some(first)).count() + 2;
    if first == 0 {
        for length in 2..=longest {
            found(length, character(text[0]) + RUN, Kind::Repeat);
        }
    } else if first.abs() <= 2 {
        let usual = matches!(text[0], 'a' | 'z' | '0'..='9');
        let cost = if usual { SEQUENCE } else { INNER_SEQUENCE };
        let cost = if first.abs() == 1 { cost } else { cost + PART };
        for length in 3..=longest {
            found(length, cost, Kind::Sequence);
        }
    }
    // Alternating sequences, each with its own step.
    let (Some(odd), Some(even)) = (step(0, 2), step(1, 2)) else { return };
    if odd.abs() <= 1 && even.abs() <= 1 && (odd, even) != (0, 0) {
        let goes_on = |&at: &usize| step(at, 2) == Some(if at % 2 == 0 { odd } else { even });
        let longest = (2..LONGEST).take_while(goes_on).count() + 4;
        for length in 6..=longest {
            found(length, TWO_SEQUENCES, Kind::Sequence);
        }
    }
}
