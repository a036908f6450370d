//! The formula for one buyer as plain numbers, and the cars as the formula sees them: enough for any other program to
//! compute the same order.

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    questionnaire::{Quality, Questionnaire},
    ranking::Scoring,
    recommendation::Criterion,
    stock::Category,
};

/// What a score is made of.
///
/// `score = Σ weight · utility`, where the utility of the price is `255` when `b ≤ minimum`, else
/// `(clamp(maximum − b, 0, range) · step + 32768) >> 16`, with `b = price in centavos / 10000` rounded down; that of a
/// guarded criterion is `guarded_gap` when nothing is known, else `max(0, u − max(0, threshold − u))`. The order is
/// score descending, price, odometer, year descending, ordinal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    /// The criteria that have a weight, with it; they sum to 256.
    pub weights: Vec<(Criterion, u16)>,
    /// The criteria that no other can make up for.
    pub guarded: Vec<Criterion>,
    /// Below this worth a guarded criterion loses double.
    pub threshold: u8,
    /// What a guarded criterion counts of which nothing is known.
    pub guarded_gap: u8,
    /// Minimum budget in whole hundreds of reais.
    pub price_minimum: u64,
    /// Maximum budget in whole hundreds of reais.
    pub price_maximum: u64,
    /// Maximum less minimum, at least 1.
    pub price_range: u64,
    /// Worth of R$ 100 below the maximum, in 65,536ths.
    pub price_step: u64,
}

/// The formula of a buyer's answers.
#[must_use]
pub fn formula(catalogue: &Catalogue, questionnaire: &Questionnaire) -> Formula {
    let scoring = Scoring::of(questionnaire, catalogue);
    let (price_maximum, price_range) = scoring.price.parts();
    let guarded = Quality::ALL
        .into_iter()
        .filter(|quality| scoring.guarded[quality.index()]);
    Formula {
        weights: scoring.weights.taking_part().collect(),
        guarded: guarded.map(Criterion::Quality).collect(),
        threshold: scoring.criteria.guard_threshold,
        guarded_gap: scoring.criteria.missing_guarded_utility,
        price_minimum: questionnaire.budget_minimum.0 / 10_000,
        price_maximum,
        price_range,
        price_step: scoring.price.step(),
    }
}

/// One car as the formula sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Place in the order of ids.
    pub ordinal: usize,
    /// Whether it may be sold today.
    pub on_offer: bool,
    /// Body.
    pub category: Category,
    /// Asking price in centavos.
    pub price: u64,
    /// Odometer in km.
    pub odometer_km: u32,
    /// Model year.
    pub year: u16,
    /// What each of [`Formula::weights`] is worth before the guard, in their order; 0 in the place of the price, which
    /// the formula computes.
    pub utilities: Vec<u8>,
    /// Whether each of them rests on facts.
    pub known: Vec<bool>,
}

/// Every car of a catalogue, on offer or not, by id.
pub fn rows<'catalogue>(
    catalogue: &'catalogue Catalogue,
    questionnaire: &Questionnaire,
) -> impl Iterator<Item = Row> + use<'catalogue> {
    let scoring = Scoring::of(questionnaire, catalogue);
    catalogue
        .cars()
        .enumerate()
        .map(move |(ordinal, item)| row(&scoring, ordinal, item))
}

fn row(scoring: &Scoring<'_>, ordinal: usize, item: &CatalogueCar) -> Row {
    let (mut utilities, mut known) = (Vec::new(), Vec::new());
    for (criterion, _) in scoring.weights.taking_part() {
        utilities.push(match criterion {
            Criterion::Price => 0,
            other => scoring.raw_utility(other, item),
        });
        known.push(match criterion {
            Criterion::Quality(quality) => item.is_known(quality),
            _ => true,
        });
    }
    Row {
        ordinal,
        on_offer: item.available,
        category: item.car.category,
        price: item.car.price.0,
        odometer_km: item.car.odometer_km,
        year: item.car.year,
        utilities,
        known,
    }
}
