//! Guesses as integers: thousandths of their decimal logarithm.

/// The decimal logarithm of a number of guesses, in thousandths.
///
/// An integer, so that an estimate is the same on every machine and sums are exact.
pub(super) type Cost = u32;

/// Ten guesses.
pub(super) const GUESSES_10: Cost = 1_000;
