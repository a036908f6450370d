//! What answers say of a car whoever asks, written once for each catalogue and copied into one answer after the other.
//!
//! Texts are written when they are first needed, and there is room for so many: the first car of a place keeps it, any
//! other is written anew each time. A catalogue of another version begins without any.

use std::sync::OnceLock;

/// Room for a small stock whole, and for what a large one shows most. A car takes some 1.5 KB.
const MOST_CARS: usize = 1024;

/// One car.
#[derive(Debug)]
pub(crate) struct CarText {
    /// The car as JSON.
    pub(crate) json: Box<str>,
    /// Opens a conversation with its seller, when they have a number for it.
    pub(crate) whatsapp_url: Option<Box<str>>,
}

/// The cars of one catalogue.
#[derive(Debug)]
pub struct CarTexts {
    places: Box<[OnceLock<(usize, CarText)>]>,
}

impl CarTexts {
    /// Room for the texts of a catalogue of so many cars.
    #[must_use]
    pub fn of(cars: usize) -> Self {
        Self {
            places: std::iter::repeat_with(OnceLock::new)
                .take(cars.min(MOST_CARS))
                .collect(),
        }
    }

    /// Room for none, so that each text is written where it is needed.
    #[must_use]
    pub fn none() -> Self {
        Self::of(0)
    }

    /// The text of the car at a place of the catalogue, written now if need be; `None` when there is no room for it, or
    /// when it cannot be written.
    pub(crate) fn of_car(&self, ordinal: usize, write: impl FnOnce() -> Option<CarText>) -> Option<&CarText> {
        let place = self.places.get(ordinal.checked_rem(self.places.len())?)?;
        let (of, text) = match place.get() {
            Some(known) => known,
            None => {
                let text = write()?;
                place.get_or_init(|| (ordinal, text))
            }
        };
        (*of == ordinal).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: &str) -> Option<CarText> {
        Some(CarText {
            json: of.into(),
            whatsapp_url: None,
        })
    }

    /// Prevents a car from being shown as another that stands at the same place, and a text from being written twice.
    #[test]
    fn a_place_keeps_its_first_car() {
        let texts = CarTexts::of(MOST_CARS * 2);
        let json = |found: Option<&CarText>| found.map(|text| text.json.to_string());
        assert_eq!(json(texts.of_car(3, || text("3"))).as_deref(), Some("3"));
        assert_eq!(
            json(texts.of_car(3, || panic!("written twice"))).as_deref(),
            Some("3")
        );
        assert_eq!(json(texts.of_car(3 + MOST_CARS, || text("other"))), None);
        assert_eq!(json(texts.of_car(4, || None)), None);
        assert_eq!(json(texts.of_car(4, || text("4"))).as_deref(), Some("4"));
        assert_eq!(json(CarTexts::none().of_car(0, || text("0"))), None);
    }
}
