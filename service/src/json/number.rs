//! Numbers with at most three decimals, from an integer: three digits at a time, out of a table.

/// Below this many thousandths, each double that stands for one has no other decimal of fifteen digits beside it.
const MOST_THOUSANDTHS: f64 = 1e15;

/// Three digits, the first lowest, and in the highest byte what is needed to write them: how many zeros they begin with
/// but for the last digit, and, four bits above, how many of them are written behind a point.
static GROUPS: [u32; 1000] = {
    let mut groups = [0; 1000];
    let mut number = 0;
    while number < 1000 {
        let digits = [number / 100, number / 10 % 10, number % 10];
        let zeros = (number < 100) as u32 + (number < 10) as u32;
        // Without zeros at the end, at least one.
        let decimals = match digits {
            [_, 0, 0] => 1,
            [_, _, 0] => 2,
            _ => 3,
        };
        let text = digits[0] | digits[1] << 8 | digits[2] << 16 | 0x30_30_30;
        groups[number as usize] = text | zeros << 24 | decimals << 28;
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
    // SAFETY: within the bounds that were just looked at.
    let thousandths = unsafe { (scaled + 0.5).to_int_unchecked::<i64>() };
    // The very double that stands for this decimal, so this decimal is its shortest text. -0.0 is not 0.0 here.
    if (thousandths as f64 / 1000.0).to_bits() != number.to_bits() {
        return false;
    }
    let thousandths = thousandths as u64;
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    let mut ones = group(whole % 1000);
    if whole >= 1000 {
        match whole / 1000 {
            thousands @ 1..1000 => {
                let thousands = group(thousands);
                push(
                    out,
                    thousands.digits >> (8 * thousands.zeros),
                    3 - thousands.zeros,
                );
            }
            more => out.extend_from_slice(itoa::Buffer::new().format(more).as_bytes()),
        }
        ones.zeros = 0;
    }
    let decimals = group(rest);
    let text = ones.digits | u64::from(b'.') << 24 | decimals.digits << 32;
    push(out, text >> (8 * ones.zeros), 4 - ones.zeros + decimals.decimals);
    true
}

/// Writes a number that is tenths divided by ten.
#[inline]
pub(super) fn push_tenths(out: &mut Vec<u8>, number: f64) {
    let tenths = (number * 10.0 + 0.5) as u32;
    debug_assert!(
        (f64::from(tenths) / 10.0).to_bits() == number.to_bits(),
        "{number} is no number of tenths"
    );
    let whole = tenths / 10;
    if whole >= 1000 {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        out.extend_from_slice(&[b'.', b'0' + (tenths % 10) as u8]);
        return;
    }
    let whole = group(u64::from(whole));
    let text = whole.digits | u64::from(b'.') << 24 | u64::from(b'0' + (tenths % 10) as u8) << 32;
    push(out, text >> (8 * whole.zeros), 5 - whole.zeros);
}

/// Three digits as they stand in a text.
struct Group {
    digits: u64,
    zeros: u32,
    decimals: u32,
}

/// Of a number below a thousand.
#[inline]
fn group(number: u64) -> Group {
    let group = GROUPS[number as usize];
    Group {
        digits: u64::from(group & 0xff_ff_ff),
        zeros: group >> 24 & 0xf,
        decimals: group >> 28,
    }
}

/// Appends the lowest bytes, by a move of a known size: copying by length is a call.
#[inline]
fn push(out: &mut Vec<u8>, text: u64, bytes: u32) {
    let length = out.len() + bytes as usize;
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(length);
}
