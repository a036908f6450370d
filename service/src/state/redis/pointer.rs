//! What the store says of a dealership's stock beside the pieces: where they lie, and what was made of single cars since.

use faciliauto_engine::stock::Centavos;

use crate::{
    state::dealers::{CarFacts, DealerVersion},
    stock::fingerprint::Fingerprint,
};

/// Where the current stock of a dealership lies: `version chunks digest cars fingerprint`, and `updated` beside them
/// once a car of it was updated.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// Random, made for each put.
    pub(super) version: String,
    pub(super) chunks: usize,
    /// Of the pieces.
    pub(super) digest: String,
    pub(super) cars: usize,
    /// Of the cars, with their updates.
    pub(super) fingerprint: Fingerprint,
    /// The counter of the last change that updated a car; empty = none has.
    pub(super) updated: String,
}

impl Pointer {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let pointer = Self {
            version: parts.next()?.to_owned(),
            chunks: parts.next()?.parse().ok()?,
            digest: parts.next()?.to_owned(),
            cars: parts.next()?.parse().ok()?,
            fingerprint: Fingerprint::from_hexadecimal(parts.next()?)?,
            updated: parts.next().unwrap_or_default().to_owned(),
        };
        parts.next().is_none().then_some(pointer)
    }
}

/// Which stock a pointer names. One that is not understood is told by its whole text: reading it says what is wrong.
pub(super) fn version(pointer: &str) -> DealerVersion {
    match Pointer::parse(pointer) {
        Some(Pointer { version, updated, .. }) => DealerVersion {
            put: version,
            updated,
        },
        None => DealerVersion {
            put: pointer.to_owned(),
            updated: String::new(),
        },
    }
}

/// As the store keeps them: `1 6299000 2026-11-25`, without a day `-`.
pub(super) fn facts_to_text(facts: CarFacts) -> String {
    let CarFacts {
        available,
        price,
        confirmed_on,
    } = facts;
    let day = confirmed_on.map_or_else(|| "-".to_owned(), |day| day.to_string());
    format!("{} {} {day}", u8::from(available), price.0)
}

pub(super) fn facts_from_text(text: &str) -> Option<CarFacts> {
    let mut parts = text.split(' ');
    let facts = CarFacts {
        available: match parts.next()? {
            "0" => false,
            "1" => true,
            _ => return None,
        },
        price: Centavos(parts.next()?.parse().ok()?),
        confirmed_on: match parts.next()? {
            "-" => None,
            day => Some(day.parse().ok()?),
        },
    };
    parts.next().is_none().then_some(facts)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// Prevents a price or a sale from coming out of the store as another.
    #[test]
    fn facts_come_back_as_they_were() {
        for confirmed_on in [None, Some(date(2026, 11, 25))] {
            for available in [false, true] {
                let facts = CarFacts {
                    available,
                    price: Centavos(6_299_050),
                    confirmed_on,
                };
                assert_eq!(facts_from_text(&facts_to_text(facts)), Some(facts));
            }
        }
        for damaged in ["", "1", "1 2", "2 3 -", "1 x -", "1 2 2026-13-01", "1 2 - 3"] {
            assert_eq!(facts_from_text(damaged), None, "{damaged}");
        }
    }

    /// Prevents a reader from taking an updated stock for one that was put, or either for another.
    #[test]
    fn a_pointer_tells_puts_and_updates_apart() {
        let put = format!("3f 2 ab 7 {}", Fingerprint::default());
        let parsed = Pointer::parse(&put).unwrap();
        assert_eq!((parsed.chunks, parsed.cars, parsed.updated.as_str()), (2, 7, ""));
        let named = |text: &str| {
            let DealerVersion { put, updated } = version(text);
            (put, updated)
        };
        assert_eq!(named(&put), ("3f".to_owned(), String::new()));
        assert_eq!(named(&format!("{put} 9")), ("3f".to_owned(), "9".to_owned()));
        for damaged in ["3f 2 ab 7", "3f x ab 7 00", &format!("{put} 9 9")] {
            assert_eq!(Pointer::parse(damaged), None);
            assert_eq!(named(damaged), (damaged.to_owned(), String::new()));
        }
    }
}
