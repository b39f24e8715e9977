//! Keyboard walks: along rows, columns and diagonals, with or without shift.

use zeroize::{Zeroize, Zeroizing};

use super::super::normalize::secret;
use super::cost::Cost;

/// A layout: its four rows, without and with shift. A key is above and slightly to the left of the key
/// at the same index of the next row.
type Layout = [(&'static str, &'static str); 4];

const LAYOUTS: [Layout; 3] = [
    // US.
    [
        ("`1234567890-=", "~!@#$%^&*()_+"),
        (" qwertyuiop[]\\", " QWERTYUIOP{}|"),
        (" asdfghjkl;'", " ASDFGHJKL:\""),
        (" zxcvbnm,./", " ZXCVBNM<>?"),
    ],
    // German.
    [
        ("^1234567890ß´", "°!\"§$%&/()=?`"),
        (" qwertzuiopü+", " QWERTZUIOPÜ*"),
        (" asdfghjklöä#", " ASDFGHJKLÖÄ'"),
        ("<yxcvbnm,.-", ">YXCVBNM;:_"),
    ],
    // French.
    [
        ("²&é\"'(-è_çà)=", " 1234567890°+"),
        (" azertyuiop^$", " AZERTYUIOP¨£"),
        (" qsdfghjklmù*", " QSDFGHJKLM%µ"),
        ("<wxcvbn,;:!", ">WXCVBN?./§"),
    ],
];

/// The Russian letters, in the order of the US keys at their positions.
const CYRILLIC: &str = "йцукенгшщзхъфывапролджэячсмитьбю";
const CYRILLIC_KEYS: &[u8; 32] = b"qwertyuiop[]asdfghjkl;'zxcvbnm,.";

/// The maximum length of a walk. A longer one counts as several.
pub(super) const LONGEST: usize = 32;

/// The minimum length of a walk: two adjacent keys occur by chance.
pub(super) const SHORTEST: usize = 3;

/// The first key, one of about thirty common ones, and the direction.
const START: Cost = 1_800;

/// A change of direction: one of five.
const TURN: Cost = 700;

/// A change back to the previous direction, as in a zigzag.
const TURN_BACK: Cost = 300;

/// A new stroke that begins next to the start of the last one, as in `1qaz2wsx`.
const NEXT_STROKE: Cost = 600;

/// Shift is pressed or released.
const SHIFT: Cost = 300;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    row: i8,
    column: i8,
    shift: bool,
}

impl Key {
    /// The offset from another key: rows down and columns to the right.
    fn from(self, other: Self) -> (i8, i8) {
        (self.row - other.row, self.column - other.column)
    }
}

impl Zeroize for Key {
    fn zeroize(&mut self) {
        *self = Self { row: 0, column: 0, shift: false };
    }
}

/// For each layout, the key of each Latin-1 character: row, column and shift in a byte; 255 if there
/// is no key.
static KEYS: [[u8; 256]; LAYOUTS.len()] = {
    let mut keys = [[255; 256]; LAYOUTS.len()];
    let mut layout = 0;
    while layout < LAYOUTS.len() {
        let (mut row, mut place) = (0, 0);
        while row < 4 {
            let (plain, shifted) = LAYOUTS[layout][row];
            put(&mut keys[layout], plain.as_bytes(), place);
            put(&mut keys[layout], shifted.as_bytes(), place | 16);
            row += 1;
            place += 32;
        }
        layout += 1;
    }
    keys
};

/// Adds a row of characters, each of at most two bytes in UTF-8.
const fn put(keys: &mut [u8; 256], row: &[u8], place: u8) {
    let (mut at, mut column) = (0, 0);
    while at < row.len() {
        let mut c = row[at];
        if c >= 0xc2 {
            at += 1;
            c = (c - 0xc2) * 64 + row[at];
        }
        if c != b' ' {
            keys[c as usize] = place | column;
        }
        at += 1;
        column += 1;
    }
}

/// The key of a character in a layout.
fn key(keys: &[u8; 256], c: char) -> Option<Key> {
    let (typed, is_cyrillic) = match c {
        'А'..='я' => {
            let lower = c.to_lowercase().next().unwrap_or(c);
            let place = CYRILLIC.chars().position(|letter| letter == lower)?;
            (CYRILLIC_KEYS[place].into(), true)
        }
        _ => (c, false),
    };
    let place = *keys.get(u32::from(typed) as usize)?;
    let shift = place & 16 > 0 || is_cyrillic && c.is_uppercase();
    let row = (place >> 5).cast_signed();
    (place != 255).then(|| Key { row, column: (place & 15).cast_signed(), shift })
}

/// The keys of a text on each layout.
pub(super) struct Walks([Zeroizing<Vec<Option<Key>>>; LAYOUTS.len()]);

impl Walks {
    pub(super) fn new(text: &[char]) -> Self {
        Self(KEYS.each_ref().map(|keys| secret(text.len(), text.iter().map(|&c| key(keys, c)))))
    }

    /// Calls `found` with the length, in code points, and the cost of each walk from a position.
    pub(super) fn find(&self, place: usize, mut found: impl FnMut(usize, Cost)) {
        for text in &self.0 {
            let mut keys = text[place..].iter().take(LONGEST).map_while(|key| *key);
            let Some(first) = keys.next() else { continue };
            let (mut stroke, mut last) = (first, first);
            let (mut step, mut step_before) = (None, None);
            let mut cost = START;
            for (key, length) in keys.zip(2..) {
                let to = key.from(last);
                if is_neighbour(to) {
                    if step.is_some_and(|step| step != to) {
                        cost += if step_before == Some(to) { TURN_BACK } else { TURN };
                        stroke = last;
                    }
                    (step_before, step) = (step, Some(to));
                } else if length > SHORTEST && matches!(key.from(stroke), (0, -1 | 1) | (-1 | 1, 0))
                {
                    cost += NEXT_STROKE;
                    stroke = key;
                } else {
                    break;
                }
                if key.shift != last.shift {
                    cost += SHIFT;
                }
                last = key;
                if length >= SHORTEST {
                    found(length, cost);
                }
            }
        }
    }
}

/// Returns whether an offset leads to an adjacent key or to the same key.
fn is_neighbour((down, right): (i8, i8)) -> bool {
    matches!((down, right), (0, -1..=1) | (1, -1 | 0) | (-1, 0 | 1))
}
