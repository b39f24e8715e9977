//! Walks on a keyboard: along rows, columns and diagonals, with shift or without.

use super::cost::Cost;

/// A layout: its four rows without shift and with it. What is at the same place of two rows lies one
/// above the other, a little to the left.
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

/// The Russian letters in the order of the US layout's keys that type them.
const CYRILLIC: &str = "йцукенгшщзхъфывапролджэячсмитьбю";
const CYRILLIC_KEYS: &[u8; 32] = b"qwertyuiop[]asdfghjkl;'zxcvbnm,.";

/// The longest walk that is followed; what goes on after it is another one.
pub(super) const LONGEST: usize = 32;

/// The shortest walk that is one: two keys side by side are chance.
pub(super) const SHORTEST: usize = 3;

/// The first key, one of thirty that walks begin at, and its direction.
const START: Cost = 1_800;

/// Another direction than before: one of five.
const TURN: Cost = 700;

/// The direction before the last again, as in a zigzag.
const TURN_BACK: Cost = 300;

/// The next stroke begins beside the last one's beginning, as in `1qaz2wsx`.
const NEXT_STROKE: Cost = 600;

/// Shift pressed or let go.
const SHIFT: Cost = 300;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    row: i8,
    column: i8,
    shift: bool,
}

/// For each layout, the key of each character of Latin-1: row, column and shift in a byte; 255 where
/// there is none.
static KEYS: [[u8; 256]; LAYOUTS.len()] = {
    let mut keys = [[255; 256]; LAYOUTS.len()];
    let mut layout = 0;
    while layout < LAYOUTS.len() {
        let mut row = 0;
        while row < 4 {
            let (plain, shifted) = LAYOUTS[layout][row];
            put(&mut keys[layout], plain.as_bytes(), (row as u8) << 5);
            put(&mut keys[layout], shifted.as_bytes(), (row as u8) << 5 | 16);
            row += 1;
        }
        layout += 1;
    }
    keys
};

/// Puts a row in UTF-8 of at most two bytes a character.
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

fn key(layout: &[u8; 256], c: char) -> Option<Key> {
    let lower = c.to_lowercase().next().unwrap_or(c);
    let place = CYRILLIC.chars().position(|letter| letter == lower).filter(|_| !c.is_ascii());
    let typed = place.map_or(c, |place| CYRILLIC_KEYS[place].into());
    let place = *layout.get(u32::from(typed) as usize)?;
    let shift = place & 16 > 0 || lower != c && !c.is_ascii();
    (place != 255).then(|| Key { row: (place >> 5).cast_signed(), column: (place & 15).cast_signed(), shift })
}

/// Calls `found` with the length, in code points, and the cost of each walk from the first character on.
pub(super) fn walks(text: &[char], mut found: impl FnMut(usize, Cost)) {
    let text = &text[..text.len().min(LONGEST)];
    for layout in &KEYS {
        let mut keys = text.iter().map_while(|&c| key(layout, c));
        let Some(first) = keys.next() else { continue };
        let (mut stroke, mut last) = (first, first);
        let (mut step, mut step_before) = (None, None);
        let mut cost = START;
        for (key, length) in keys.zip(2..) {
            let to = (key.row - last.row, key.column - last.column);
            let beside = (key.row - stroke.row, key.column - stroke.column);
            if is_neighbour(to) {
                if step.is_some_and(|step| step != to) {
                    cost += if step_before == Some(to) { TURN_BACK } else { TURN };
                    stroke = last;
                }
                (step_before, step) = (step, Some(to));
            } else if length > SHORTEST && matches!(beside, (0, -1 | 1) | (-1 | 1, 0)) {
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

/// Whether a step of so many rows down and columns to the right ends on a key that touches the first,
/// or on that key again.
fn is_neighbour((down, right): (i8, i8)) -> bool {
    matches!((down, right), (0, -1..=1) | (1, -1 | 0) | (-1, 0 | 1))
}
