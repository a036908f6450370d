//! Amounts as Kubernetes writes them: `500m`, `2`, `256Mi`, `1e3`.

use std::{borrow::Cow, cmp::Ordering, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// An amount of CPU, memory or storage. A manifest may write it as text or as a bare number.
///
/// It keeps the text it was written with; use [`Quantity::compare`] to compare amounts, for `2Gi`
/// and `2048Mi` are one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl Quantity {
    /// The amount in units of 10⁻⁹, rounded up as Kubernetes does; `None` when it is no quantity.
    pub fn nanos(&self) -> Option<i128> {
        parse_nanos(&self.0)
    }

    /// The amount in whole units (bytes, cores), rounded down.
    pub fn units(&self) -> Option<i128> {
        self.nanos().map(|nanos| nanos.div_euclid(NANOS))
    }

    /// Which of two amounts is more; `None` when one of them is no quantity.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.nanos()?.cmp(&other.nanos()?))
    }
}

impl From<&str> for Quantity {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

const NANOS: i128 = 1_000_000_000;

/// Parses `<sign><digits>[.<digits>]<suffix>`; the suffix is binary, decimal or an exponent.
fn parse_nanos(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    // More digits than this cannot matter: Kubernetes keeps nine decimals and 2^63.
    let fraction = &fraction[..fraction.len().min(18)];
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let (numerator, denominator) = factor(suffix)?;
    let top = digits.checked_mul(numerator)?.checked_mul(NANOS)?;
    let bottom = scale.checked_mul(denominator)?;
    let rounded_up = top.checked_add(bottom - 1)? / bottom;
    Some(if negative { -rounded_up } else { rounded_up })
}

/// What a suffix multiplies by, as a fraction.
fn factor(suffix: &str) -> Option<(i128, i128)> {
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let magnitude = 10_i128.checked_pow(power.unsigned_abs().min(19))?;
            if power >= 0 {
                (magnitude, 1)
            } else {
                (1, magnitude)
            }
        }
    })
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a quantity such as 500m, 2 or 256Mi")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Ok(Quantity(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 32,
            "pattern": r"^[0-9]+(\.[0-9]{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE]-?[0-9]{1,2})?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: a write at every reconcile because the server prints an amount differently.
    #[test]
    fn amounts_written_differently_are_equal() {
        for (left, right) in [
            ("2Gi", "2048Mi"),
            ("1000m", "1"),
            ("1e3", "1k"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1E", "1e18"),
            ("0", "0Mi"),
        ] {
            let equal = Quantity::from(left).compare(&Quantity::from(right));
            assert_eq!(equal, Some(Ordering::Equal), "{left} = {right}");
        }
    }

    /// Prevents: decimal and binary units, or their powers, being swapped.
    #[test]
    fn order_follows_the_amount_not_the_text() {
        let ascending = [
            "-1", "1n", "1u", "1m", "1", "1k", "1Ki", "1M", "1Mi", "1G", "1Gi", "1T", "1Ti", "1P", "1Pi",
        ];
        for pair in ascending.windows(2) {
            let order = Quantity::from(pair[0]).compare(&Quantity::from(pair[1]));
            assert_eq!(order, Some(Ordering::Less), "{} < {}", pair[0], pair[1]);
        }
    }

    /// Prevents: nonsense read as zero, which would make a Redis without memory.
    #[test]
    fn nonsense_is_no_amount() {
        for text in ["", "m", "1x", "1.2.3", ".", "1Kib", "--1", "1e", "1 Gi"] {
            assert_eq!(Quantity::from(text).nanos(), None, "{text:?}");
        }
    }

    /// Prevents: a manifest with `cpu: 2` failing to be read.
    #[test]
    fn bare_numbers_are_read() {
        assert_eq!(
            serde_json::from_str::<Quantity>("2").unwrap(),
            Quantity::from("2")
        );
        assert_eq!(
            serde_json::from_str::<Quantity>("\"2\"").unwrap(),
            Quantity::from("2")
        );
    }
}
