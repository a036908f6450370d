//! The car that an event is about, as the catalogue has it.

use faciliauto_engine::stock::Centavos;

use crate::{error::ApiError, fields::Fields, startup::Shared, state::events::Facts};

/// Places of the longest list that is counted.
const MOST_POSITIONS: i64 = 10_000;

/// Whose car it is and what it is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SeenCar {
    pub(super) dealership: Option<String>,
    pub(super) brand: Option<String>,
    pub(super) category: Option<String>,
    pub(super) price: Option<Centavos>,
    pub(super) year: Option<u16>,
}

impl SeenCar {
    /// A car of the catalogue. Without a catalogue there is nothing to look it up in, and what the app says of it stands.
    ///
    /// # Errors
    /// [`ApiError::CarNotFound`]
    pub(super) fn find(shared: &Shared, id: &str, said: Self) -> Result<Self, ApiError> {
        let Some(served) = shared.showroom.served() else {
            return Ok(said);
        };
        let car = &served.catalogue.car(id).ok_or(ApiError::CarNotFound)?.car;
        Ok(Self {
            dealership: Some(car.dealership_id.clone()),
            brand: Some(car.brand.clone()),
            category: Some(car.category.word().to_owned()),
            price: Some(car.price),
            year: Some(car.year),
        })
    }

    /// What an event keeps of it, with how it was shown.
    pub(super) fn facts(&self, position: Option<u16>, match_tenths: Option<u16>) -> Facts {
        Facts {
            brand: self.brand.clone(),
            category: self.category.clone(),
            price: self.price,
            year: self.year,
            position,
            match_tenths,
        }
    }
}

/// The place in the list that was shown.
pub(super) fn position(fields: &mut Fields<'_>) -> Option<u16> {
    fields.integer("recommendation_position", 0..=MOST_POSITIONS)
}

/// A match from 0 to 1 as tenths of a percent.
pub(super) fn match_tenths(fields: &mut Fields<'_>, name: &str) -> Option<u16> {
    fields
        .number(name, 0.0..=1.0)
        .map(|score| (score * 1000.0).round() as u16)
}
