//! Years and dates in digits.

use super::cost::Cost;

/// A year close to the present, and any other year from 1900 to 2069, such as a year of birth.
const NEAR_YEAR: Cost = 1_600;
const YEAR: Cost = 2_050;

/// A day and a month: one of 366 pairs.
const DAY: Cost = 2_570;

/// A date: a day in one of about eighty years.
const DATE: Cost = 4_470;

/// The separators of a date: one of about four.
const SEPARATED: Cost = 600;

/// Calls `found` with the length, in code points, and the cost of each date at the start of the text.
pub(super) fn dates(text: &[char], mut found: impl FnMut(usize, Cost)) {
    let digits = Digits(text);
    if let Some(year) = digits.number(0, 4) {
        match year {
            2000..=2045 => found(4, NEAR_YEAR),
            1900..=1999 | 2046..=2069 => found(4, YEAR),
            _ => {}
        }
        if digits.is_day(0, 2, 2, 2) {
            found(4, DAY);
            if digits.number(4, 2).is_some() {
                found(6, DATE);
            }
            if digits.is_year(4) {
                found(8, DATE);
            }
        }
        if digits.is_day(2, 2, 4, 2) {
            found(6, DATE);
        }
        if is_year(year) && digits.is_day(4, 2, 6, 2) {
            found(8, DATE);
        }
    }
    // With separators: 24.12.2026, 1/2/26, 2026-12-24.
    for first in [1, 2, 4] {
        let Some(separator) = text.get(first).filter(|c| !c.is_alphanumeric()) else { continue };
        for second in [1, 2] {
            let at = first + 1 + second;
            let separated = text.get(at) == Some(separator);
            if first < 4 && digits.is_day(0, first, first + 1, second) {
                found(at, DAY + SEPARATED);
                if separated && digits.is_year(at + 1) {
                    found(at + 5, DATE + SEPARATED);
                } else if separated && digits.number(at + 1, 2).is_some() {
                    found(at + 3, DATE + SEPARATED);
                }
            }
            for third in [1, 2] {
                let is_date = separated && digits.is_day(first + 1, second, at + 1, third);
                if first == 4 && is_date && digits.is_year(0) {
                    found(at + 1 + third, DATE + SEPARATED);
                }
            }
        }
    }
}

struct Digits<'t>(&'t [char]);

impl Digits<'_> {
    /// The number in the `length` digits from a position.
    fn number(&self, at: usize, length: usize) -> Option<u32> {
        let digits = self.0.get(at..at + length)?;
        digits.iter().try_fold(0, |number, c| Some(number * 10 + c.to_digit(10)?))
    }

    /// Returns whether two numbers are a day and a month, in either order.
    fn is_day(&self, a: usize, a_length: usize, b: usize, b_length: usize) -> bool {
        let (Some(a), Some(b)) = (self.number(a, a_length), self.number(b, b_length)) else {
            return false;
        };
        let (month, day) = (a.min(b), a.max(b));
        (1..=12).contains(&month) && day <= 31
    }

    fn is_year(&self, at: usize) -> bool {
        self.number(at, 4).is_some_and(is_year)
    }
}

fn is_year(year: u32) -> bool {
    (1920..=2045).contains(&year)
}
