//! Figures as a Brazilian reads them: `R$ 62.900`, `13,8`, `01/03/2026`.

use jiff::civil::Date;

use crate::stock::Centavos;

/// `45.000`
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}

/// `R$ 62.900`, with centavos only where there are any: `R$ 1.512,62`.
pub(crate) fn money(amount: Centavos) -> String {
    let (reais, centavos) = (amount.0 / 100, amount.0 % 100);
    if centavos == 0 {
        format!("R$ {}", thousands(reais))
    } else {
        format!("R$ {},{centavos:02}", thousands(reais))
    }
}

/// `R$ 0,41`: a price per unit, always with centavos.
pub(crate) fn unit_price(reais: f64) -> String {
    format!("R$ {}", decimal(reais, 2))
}

/// `13,8`: a fixed number of decimals.
pub(crate) fn decimal(number: f64, decimals: usize) -> String {
    format!("{number:.decimals$}").replace('.', ",")
}

/// `8,5` or `28`: at most `decimals`, without zeros at the end.
pub(crate) fn shortest(number: f64, decimals: usize) -> String {
    let text = decimal(number, decimals);
    if text.contains(',') {
        text.trim_end_matches('0').trim_end_matches(',').to_owned()
    } else {
        text
    }
}

/// `01/03/2026`
pub(crate) fn date(date: Date) -> String {
    format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
}

/// `1 carro`, `3 carros`: the number with the noun that agrees with it.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
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
}
