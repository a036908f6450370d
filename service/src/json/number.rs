//! Numbers with at most three decimals, from an integer: three digits at a time, out of a table.

/// Below this many thousandths, each double that stands for one has no other decimal of fifteen digits beside it.
const MOST_THOUSANDTHS: f64 = 1e15;

/// Three digits with what is needed to write them.
#[derive(Clone, Copy)]
struct Group {
    digits: [u8; 3],
    /// How many zeros they begin with, but for the last digit.
    zeros: u8,
    /// How many of them are written behind a point: without zeros at the end, at least one.
    decimals: u8,
}

static GROUPS: [Group; 1000] = {
    let mut groups = [Group {
        digits: [b'0'; 3],
        zeros: 2,
        decimals: 1,
    }; 1000];
    let mut number = 1;
    while number < 1000 {
        groups[number] = Group {
            digits: [
                b'0' + (number / 100) as u8,
                b'0' + (number / 10 % 10) as u8,
                b'0' + (number % 10) as u8,
            ],
            zeros: (number < 100) as u8 + (number < 10) as u8,
            decimals: 1 + !number.is_multiple_of(100) as u8 * (1 + !number.is_multiple_of(10) as u8),
        };
        number += 1;
    }
    groups
};

/// Writes a number when it has at most three decimals; says whether it has.
#[inline]
pub(super) fn push_thousandths(out: &mut Vec<u8>, number: f64) -> bool {
    let scaled = number * 1000.0;
    if !(0.0..MOST_THOUSANDTHS).contains(&scaled) {
        return false;
    }
    let thousandths = (scaled + 0.5) as i64;
    // The very double that stands for this decimal, so this decimal is its shortest text. -0.0 is not 0.0 here.
    if (thousandths as f64 / 1000.0).to_bits() != number.to_bits() {
        return false;
    }
    let thousandths = thousandths as u64;
    let (whole, rest) = (thousandths / 1000, (thousandths % 1000) as usize);
    let Group { digits, decimals, .. } = GROUPS[rest];
    if whole < 1_000_000 {
        let (thousands, ones) = ((whole / 1000) as usize, (whole % 1000) as usize);
        let mut text = [0; 10];
        text[..3].copy_from_slice(&GROUPS[thousands].digits);
        text[3..6].copy_from_slice(&GROUPS[ones].digits);
        text[6] = b'.';
        text[7..].copy_from_slice(&digits);
        let zeros = if thousands > 0 {
            GROUPS[thousands].zeros
        } else {
            3 + GROUPS[ones].zeros
        };
        push_part(out, text, usize::from(zeros), 7 + usize::from(decimals));
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        out.push(b'.');
        out.extend_from_slice(&digits[..usize::from(decimals)]);
    }
    true
}

/// Appends what stands between two places, by moves of a known size: copying by length is a call.
#[inline]
fn push_part(out: &mut Vec<u8>, text: [u8; 10], begin: usize, end: usize) {
    let mut padded = [0; 16];
    padded[..10].copy_from_slice(&text);
    let shifted = (u128::from_le_bytes(padded) >> (8 * begin)).to_le_bytes();
    let length = out.len() + end - begin;
    out.extend_from_slice(&shifted);
    out.truncate(length);
}
