//! One dealership as the store knows it, and who may speak for it.
//!
//! A token is never kept: only its SHA-256, which is enough to recognise it and of no use to a reader.

use std::{collections::BTreeMap, fmt};

use faciliauto_engine::stock::{Car, Centavos, Dealership};
use futures::future::BoxFuture;
use jiff::{Timestamp, civil::Date};
use sha2::{Digest, Sha256};

use super::{
    CatalogVersion, DealerStock, Head, StateError, Written,
    once::{OnceKey, Remembered},
};
use crate::stock::fingerprint::Fingerprint;

/// The SHA-256 of a token.
#[derive(Clone, Copy, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of a token as its holder sends it.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// As stores keep it; `None` when the text is no digest.
    #[must_use]
    pub fn from_hexadecimal(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut digest = [0; 32];
        for (index, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(digest))
    }

    /// 64 lower-case digits.
    #[must_use]
    pub fn to_hexadecimal(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// In constant time: how long it takes says nothing about where two digests differ.
impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        let difference = self
            .0
            .iter()
            .zip(&other.0)
            .fold(0, |difference, (left, right)| difference | (left ^ right));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenDigest(…)")
    }
}

/// One dealership at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct DealerView {
    /// The version of the whole stock at that moment: what a change of this dealership is decided on.
    pub head: Head,
    /// Its record and cars; `None` when there is no such dealership.
    pub stock: Option<DealerStock>,
    /// Of the cars.
    pub fingerprint: Fingerprint,
    /// When cars were marked sold, by their ids; also of cars that have left the stock since.
    pub sold: BTreeMap<String, Timestamp>,
}

/// One dealership at one moment, without its cars.
#[derive(Clone, Debug, PartialEq)]
pub struct DealerOutline {
    /// The version of the whole stock at that moment.
    pub head: Head,
    /// Its record, and which stock it has; `None` when there is no such dealership.
    pub dealership: Option<(Dealership, DealerVersion)>,
    /// Of the cars.
    pub fingerprint: Fingerprint,
    /// As [`DealerView::sold`].
    pub sold: BTreeMap<String, Timestamp>,
}

/// Which stock every dealership has, without the stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The version of the whole.
    pub head: Head,
    /// By the ids of dealerships.
    pub dealers: BTreeMap<String, DealerVersion>,
}

/// Which stock a dealership has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealerVersion {
    /// Another after every change of the record or of the stock as a whole. While it stays there are the same cars.
    pub put: String,
    /// Another after every update of one of them.
    pub updated: String,
}

/// One car of a dealership at one moment, as far as the store tells it without reading the stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarGlance {
    /// The version of the whole stock at that moment.
    pub head: Head,
    /// `None` when there is no such dealership.
    pub dealership: Option<DealershipGlance>,
}

/// What [`CarGlance`] says of the dealership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealershipGlance {
    /// Its stock.
    pub version: DealerVersion,
    /// Of its cars.
    pub fingerprint: Fingerprint,
    /// What was made of the car since the stock was put; `None` when nothing was, or there is no such car.
    pub facts: Option<CarFacts>,
}

/// What was made of a dealership's cars since its stock was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updates {
    /// Of the stock that these are updates of; `None` when there is no such dealership.
    pub version: Option<DealerVersion>,
    /// By the ids of cars.
    pub cars: BTreeMap<String, CarFacts>,
}

/// What of a car may change while its stock stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarFacts {
    /// Whether it is on sale.
    pub available: bool,
    /// What it costs.
    pub price: Centavos,
    /// When its seller last spoke of it.
    pub confirmed_on: Option<Date>,
}

impl CarFacts {
    /// As a car has them.
    #[must_use]
    pub fn of(car: &Car) -> Self {
        Self {
            available: car.available,
            price: car.price,
            confirmed_on: car.confirmed_on,
        }
    }

    /// Gives them to a car.
    pub fn give(self, car: &mut Car) {
        let Self {
            available,
            price,
            confirmed_on,
        } = self;
        car.available = available;
        car.price = price;
        car.confirmed_on = confirmed_on;
    }
}

/// Gives a car other facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarUpdate {
    /// Whose car; it must have stock.
    pub dealership: String,
    /// Which.
    pub car: String,
    /// What is so from now on.
    pub facts: CarFacts,
    /// Of the dealership's stock with it.
    pub fingerprint: Fingerprint,
}

/// Says that a car was sold just now, by the clock of the store, or that it is on sale after all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoldMark {
    /// Whose car.
    pub dealership: String,
    /// Which.
    pub car: String,
    /// Sold, or no longer marked so.
    pub sold: bool,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenChange {
    /// It is the dealership's, or the one before is revoked.
    Done,
    /// There is no such dealership.
    NoDealership,
    /// The key was used before, and nothing was changed now.
    UsedBefore,
}

/// The part of the port that concerns single dealerships. All answer [`StateError::NotOpen`] for a store
/// without a generation.
pub trait Dealers {
    /// A dealership with its stock, as at one moment.
    fn dealer<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DealerView, StateError>>;

    /// A dealership without its cars, which are neither read nor unpacked, as at one moment.
    fn outline<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DealerOutline, StateError>>;

    /// A car of a dealership, as at one moment.
    fn glance<'a>(&'a self, id: &'a str, car: &'a str) -> BoxFuture<'a, Result<CarGlance, StateError>>;

    /// What was made of a dealership's cars since its stock was put, as at one moment.
    fn updates<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Updates, StateError>>;

    /// Which stock every dealership has, as at one moment.
    fn versions(&self) -> BoxFuture<'_, Result<Versions, StateError>>;

    /// The digest of a dealership's token; `None` when it has none, or there is no such dealership.
    fn dealer_token<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<TokenDigest>, StateError>>;

    /// The digests of all tokens, by dealership.
    fn dealer_tokens(&self) -> BoxFuture<'_, Result<BTreeMap<String, TokenDigest>, StateError>>;

    /// Gives a dealership a token in place of the one it had, or revokes it with `None`; under a key, only
    /// the first time.
    fn set_dealer_token<'a>(
        &'a self,
        id: &'a str,
        token: Option<TokenDigest>,
        once: Option<&'a OnceKey>,
    ) -> BoxFuture<'a, Result<Written<TokenChange>, StateError>>;

    /// What was done under a key, in the generation of this version. Ask for it after the version was read: a
    /// change that is decided on that version is then refused when somebody used the key meanwhile.
    fn remembered<'a>(
        &'a self,
        version: &'a CatalogVersion,
        key: &'a OnceKey,
    ) -> BoxFuture<'a, Result<Option<Written<Remembered>>, StateError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a digest from being kept in a form that is not recognised again, or a damaged one from being
    /// taken for a token's.
    #[test]
    fn digests_come_back_as_they_were() {
        let digest = TokenDigest::of("abc");
        let text = digest.to_hexadecimal();
        assert_eq!(
            text,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(TokenDigest::from_hexadecimal(&text), Some(digest));
        assert_ne!(digest, TokenDigest::of("abd"));
        for damaged in [
            "",
            "ba78",
            &text[1..],
            &text.replace('b', "x"),
            &format!("{text}0"),
        ] {
            assert_eq!(TokenDigest::from_hexadecimal(damaged), None, "{damaged}");
        }
    }
}
