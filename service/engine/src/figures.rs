//! Figures as a Brazilian reads them: `R$ 62.900`, `13,8`, `01/03/2026`.

use jiff::civil::Date;

use crate::stock::Centavos;

/// `.000.001.002` to `.999`: three digits behind a dot are a copy of four bytes.
const GROUPS: &str = match std::str::from_utf8(&GROUP_BYTES) {
    Ok(text) => text,
    Err(_) => panic!("digits and dots are UTF-8"),
};

static GROUP_BYTES: [u8; 4_000] = {
    let mut bytes = [b'.'; 4_000];
    let mut number = 0;
    while number < 1_000 {
        bytes[4 * number + 1] = b'0' + (number / 100) as u8;
        bytes[4 * number + 2] = b'0' + (number / 10 % 10) as u8;
        bytes[4 * number + 3] = b'0' + (number % 10) as u8;
        number += 1;
    }
    bytes
};

/// A group with its dot.
fn group(number: u64) -> &'static str {
    let start = 4 * (number % 1_000) as usize;
    &GROUPS[start..start + 4]
}

/// A number below a thousand without zeros before it.
fn first_group(number: u64) -> &'static str {
    let zeros = match number {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    &group(number)[1 + zeros..]
}

/// Appends `45.000`. By hand, because figures are most of what an answer says and `format!` is several times slower.
pub(crate) fn push_thousands(text: &mut String, number: u64) {
    if number >= 1_000_000 {
        push_thousands(text, number / 1_000);
    } else if number >= 1_000 {
        text.push_str(first_group(number / 1_000));
    } else {
        text.push_str(first_group(number));
        return;
    }
    text.push_str(group(number));
}

/// Appends `45000`.
pub(crate) fn push_whole(text: &mut String, number: u64) {
    if number >= 1_000 {
        push_whole(text, number / 1_000);
        text.push_str(&group(number)[1..]);
    } else {
        text.push_str(first_group(number));
    }
}

/// `45.000`
pub(crate) fn thousands(number: u64) -> String {
    let mut text = String::with_capacity(12);
    push_thousands(&mut text, number);
    text
}

/// Appends `R$ 62.900`, with centavos only where there are any: `R$ 1.512,62`.
pub(crate) fn push_money(text: &mut String, amount: Centavos) {
    let (reais, centavos) = (amount.0 / 100, amount.0 % 100);
    text.push_str("R$ ");
    push_thousands(text, reais);
    if centavos != 0 {
        push_decimals(text, centavos, 2);
    }
}

/// `R$ 62.900`, with centavos only where there are any: `R$ 1.512,62`.
pub(crate) fn money(amount: Centavos) -> String {
    let mut text = String::with_capacity(16);
    push_money(&mut text, amount);
    text
}

/// Appends `,05`, up to three decimals.
fn push_decimals(text: &mut String, number: u64, decimals: u32) {
    text.push(',');
    text.push_str(&group(number)[4 - decimals as usize..]);
}

/// Appends `R$ 0,41`: a price per unit, always with centavos.
pub(crate) fn push_unit_price(text: &mut String, reais: f64) {
    text.push_str("R$ ");
    push_decimal(text, reais, 2);
}

/// `R$ 0,41`: a price per unit, always with centavos.
pub(crate) fn unit_price(reais: f64) -> String {
    let mut text = String::with_capacity(12);
    push_unit_price(&mut text, reais);
    text
}

/// A number that is not negative in units of its last decimal, rounded as `format!` does: by its exact binary value.
/// `None` where scaling could have moved it across the half, or where it is too large.
pub(crate) fn in_last_decimals(number: f64, decimals: u32) -> Option<u64> {
    let scaled = number * f64::from(10_u32.pow(decimals.min(9)));
    if !(0.0..1e12).contains(&scaled) {
        return None;
    }
    let whole = scaled as u64;
    let rest = scaled - whole as f64;
    ((rest - 0.5).abs() > 1e-3).then_some(whole + u64::from(rest > 0.5))
}

/// Appends `13,8`: a fixed number of decimals, three at most.
pub(crate) fn push_decimal(text: &mut String, number: f64, decimals: u32) {
    let Some(rounded) = in_last_decimals(number, decimals) else {
        let exact = format!("{number:.decimals$}", decimals = decimals as usize);
        text.push_str(&exact.replace('.', ","));
        return;
    };
    let unit = 10_u64.pow(decimals);
    push_whole(text, rounded / unit);
    if decimals > 0 {
        push_decimals(text, rounded % unit, decimals);
    }
}

/// `13,8`: a fixed number of decimals.
pub(crate) fn decimal(number: f64, decimals: u32) -> String {
    let mut text = String::with_capacity(12);
    push_decimal(&mut text, number, decimals);
    text
}

/// Appends `8,5` or `28`: at most `decimals`, without zeros at the end.
pub(crate) fn push_shortest(text: &mut String, number: f64, decimals: u32) {
    let start = text.len();
    push_decimal(text, number, decimals);
    if text[start..].contains(',') {
        let zeros = text.len() - text.trim_end_matches('0').len();
        text.truncate(text.len() - zeros);
        if text.ends_with(',') {
            text.pop();
        }
    }
}

/// `8,5` or `28`: at most `decimals`, without zeros at the end.
pub(crate) fn shortest(number: f64, decimals: u32) -> String {
    let mut text = String::with_capacity(12);
    push_shortest(&mut text, number, decimals);
    text
}

/// Appends `1,9 ponto` or `2,0 pontos`: the noun is plural from two on.
pub(crate) fn push_points(text: &mut String, tenths: u16) {
    push_tenths(text, tenths);
    text.push_str(if tenths < 20 { " ponto" } else { " pontos" });
}

/// Appends `71,3`.
pub(crate) fn push_tenths(text: &mut String, tenths: u16) {
    push_whole(text, u64::from(tenths / 10));
    push_decimals(text, u64::from(tenths % 10), 1);
}

/// `01/03/2026`
pub(crate) fn date(date: Date) -> String {
    format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
}

/// Appends `1 carro`, `3 carros`: the number with the noun that agrees with it.
pub(crate) fn push_count(text: &mut String, number: u64, one: &str, many: &str) {
    push_thousands(text, number);
    text.push(' ');
    text.push_str(if number == 1 { one } else { many });
}

/// `1 carro`, `3 carros`: the number with the noun that agrees with it.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    let mut text = String::with_capacity(24);
    push_count(&mut text, number, one, many);
    text
}

/// `a`, `a e b`, `a, b e c`.
pub(crate) fn list<Item: AsRef<str>>(items: &[Item]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} e {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents money in the American way, or thousands that run together.
    #[test]
    fn figures_are_written_the_brazilian_way() {
        assert_eq!(money(Centavos(6_290_000)), "R$ 62.900");
        assert_eq!(money(Centavos(151_262)), "R$ 1.512,62");
        assert_eq!(money(Centavos(5)), "R$ 0,05");
        assert_eq!(thousands(1_234_567), "1.234.567");
        assert_eq!(thousands(999), "999");
        assert_eq!(unit_price(0.408), "R$ 0,41");
        assert_eq!(shortest(8.5, 2), "8,5");
        assert_eq!(shortest(28.0, 2), "28");
        assert_eq!(shortest(100.0, 0), "100");
        assert_eq!(date(Date::constant(2026, 3, 1)), "01/03/2026");
        assert_eq!(count(1, "carro", "carros"), "1 carro");
        assert_eq!(list(&["a", "b", "c"]), "a, b e c");
    }

    /// Prevents figures written by hand from differing from those of `format!`, at halves above all.
    #[test]
    fn decimals_are_rounded_as_by_format() {
        let halves = (0..2_000).map(|number| f64::from(number) / 200.0);
        let odd = (0..20_000).map(|number| f64::from(number) * 0.000_737_1);
        for number in halves
            .chain(odd)
            .chain([0.145, 2.675, 1e15, 123_456.785, 0.000_499_9])
        {
            for decimals in 0..3 {
                let expected = format!("{number:.decimals$}", decimals = decimals as usize).replace('.', ",");
                assert_eq!(decimal(number, decimals), expected, "{number} to {decimals}");
            }
        }
        assert_eq!(thousands(u64::MAX), "18.446.744.073.709.551.615");
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(10_010), "10.010");
        let mut text = String::new();
        push_points(&mut text, 19);
        text.push_str(" / ");
        push_points(&mut text, 20);
        assert_eq!(text, "1,9 ponto / 2,0 pontos");
    }
}
