//! What answers say of a car whoever asks, and what it costs everyone who says nothing of money: written once for each
//! catalogue and copied into one answer after the other.
//!
//! Texts are written when they are first needed, and there is room for so many: the first of a place keeps it, any
//! other is written anew each time. A catalogue of another version begins without any.

use std::sync::OnceLock;

use faciliauto_engine::UsualBuyer;

/// Room for a small stock whole, and for what a large one shows most. A car takes some 1.5 KB.
const MOST_CARS: usize = 1024;

/// Room for the costs of what is shown most in a few states: those of a car take some 1.3 KB. A prime, so that neither
/// the cars for one kind of buyer nor the kinds of buyers for one car crowd at the same places.
const MOST_COSTS: usize = 509;

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
    cars: Places<CarText>,
    costs: Places<Box<str>>,
}

impl CarTexts {
    /// Room for the texts of a catalogue of so many cars.
    #[must_use]
    pub fn of(cars: usize) -> Self {
        Self {
            cars: Places::of(cars.min(MOST_CARS)),
            costs: Places::of(cars.saturating_mul(UsualBuyer::KINDS).min(MOST_COSTS)),
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
        self.cars.get(ordinal, write)
    }

    /// What that car costs a buyer who says nothing of money, as JSON; `None` as for the car.
    pub(crate) fn of_costs(
        &self,
        ordinal: usize,
        buyer: UsualBuyer,
        write: impl FnOnce() -> Option<Box<str>>,
    ) -> Option<&str> {
        let number = ordinal * UsualBuyer::KINDS + buyer.number();
        self.costs.get(number, write).map(AsRef::as_ref)
    }
}

/// Texts with the number of what each is of, which says where it stands.
#[derive(Debug)]
struct Places<Text>(Box<[OnceLock<(usize, Text)>]>);

impl<Text> Places<Text> {
    fn of(count: usize) -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(count).collect())
    }

    /// The text of a number, written now if its place is free; `None` when it cannot be written or another is there.
    fn get(&self, number: usize, write: impl FnOnce() -> Option<Text>) -> Option<&Text> {
        let place = self.0.get(number.checked_rem(self.0.len())?)?;
        let (of, text) = match place.get() {
            Some(known) => known,
            None => {
                let text = write()?;
                place.get_or_init(|| (number, text))
            }
        };
        (*of == number).then_some(text)
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

    /// Prevents costs from being kept without a bound, and from finding no room though there is much.
    #[test]
    fn costs_of_a_catalogue_have_room_for_so_many() {
        let kept = |cars: usize, kinds: usize| {
            let costs: Places<()> = Places::of(CarTexts::of(cars).costs.0.len());
            let numbers =
                (0..cars).flat_map(|car| (0..kinds).map(move |kind| car * UsualBuyer::KINDS + kind));
            numbers
                .filter(|number| costs.get(*number, || Some(())).is_some())
                .count()
        };
        assert_eq!(kept(0, 1), 0);
        assert_eq!(kept(1, UsualBuyer::KINDS), UsualBuyer::KINDS);
        assert_eq!(kept(500, 1), 500);
        assert_eq!(kept(10_000, 20), MOST_COSTS);
    }
}
