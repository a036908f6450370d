//! Tells stocks apart by their cars, and can follow the change of one car without looking at the others.

use std::{fmt, slice};

use faciliauto_engine::stock::Car;
use sha2::{Digest, Sha256};

use super::rows;

/// Half of a SHA-256 tells stocks apart for ever.
const BYTES: usize = 16;

/// The sum of what names each car: it changes with every fact of every car, and with nothing else; not with their order.
///
/// Sums of digests are no defence against whoever makes rows up for it. A dealer that did would only mislead itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint([u8; BYTES]);

impl Fingerprint {
    /// Of a whole stock.
    #[must_use]
    pub fn of<'a>(cars: impl IntoIterator<Item = &'a Car>) -> Self {
        Self::default().with(cars)
    }

    /// Of the stock with more cars.
    #[must_use]
    pub fn with<'a>(mut self, more: impl IntoIterator<Item = &'a Car>) -> Self {
        for car in more {
            self.turn(car);
        }
        self
    }

    /// Of the stock after one of its cars became another.
    #[must_use]
    pub fn after(mut self, before: &Car, now: &Car) -> Self {
        self.turn(before);
        self.turn(now);
        self
    }

    /// Adds a car, or takes it out again: the sum is bit by bit and without carry.
    fn turn(&mut self, car: &Car) {
        let mut digest = Sha256::new();
        // A digest takes everything, and a row of texts and numbers always serialises.
        let _ = rows::write_cars(&mut digest, slice::from_ref(car));
        for (byte, turned) in self.0.iter_mut().zip(digest.finalize()) {
            *byte ^= turned;
        }
    }

    /// As stores keep it; `None` when the text is no fingerprint.
    #[must_use]
    pub fn from_hexadecimal(text: &str) -> Option<Self> {
        if text.len() != 2 * BYTES || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; BYTES];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// 32 lower-case digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::fields::Findings;

    fn car(id: &str, price: u32) -> Car {
        let row = json!({"id": id, "marca": "Fiat", "modelo": "Argo", "ano": 2020, "preco": price,
            "quilometragem": 41_000, "combustivel": "flex", "cambio": "manual", "categoria": "Hatch"});
        rows::car(row.into(), String::new(), Some("d"), &mut Findings::default()).unwrap()
    }

    /// Prevents a dealer from overwriting a change that it did not see, or from being refused although it saw all.
    #[test]
    fn it_names_the_cars_and_nothing_else() {
        let (a, b) = (car("a", 1), car("b", 2));
        let both = Fingerprint::of(&[a.clone(), b.clone()]);
        assert_eq!(both, Fingerprint::of(&[b.clone(), a.clone()]));
        for other in [
            vec![],
            vec![a.clone()],
            vec![a.clone(), car("c", 2)],
            vec![a.clone(), car("b", 3)],
            // Each has the price of the other.
            vec![car("a", 2), car("b", 1)],
            vec![
                a.clone(),
                Car {
                    confirmed_on: Some(date(2026, 11, 25)),
                    ..b.clone()
                },
            ],
        ] {
            assert_ne!(Fingerprint::of(&other), both, "{other:?}");
        }
        let bit_by_bit = Fingerprint::of(slice::from_ref(&b)).with(slice::from_ref(&a));
        assert_eq!(bit_by_bit, both);
        let dearer = car("b", 3);
        assert_eq!(both.after(&b, &dearer), Fingerprint::of(&[a, dearer.clone()]));
        assert_eq!(both.after(&b, &dearer).after(&dearer, &b), both);
    }

    /// Prevents a fingerprint from being kept in a form that is not recognised again.
    #[test]
    fn it_comes_back_as_it_was() {
        let some = Fingerprint::of(&[car("a", 1)]);
        assert_eq!(Fingerprint::from_hexadecimal(&some.to_string()), Some(some));
        for damaged in ["", "00", &"x".repeat(32), &"0".repeat(33)] {
            assert_eq!(Fingerprint::from_hexadecimal(damaged), None, "{damaged}");
        }
    }
}
