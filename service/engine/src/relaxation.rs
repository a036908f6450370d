//! What comes close when too little passes: wishes are given up one after another, in a fixed order, until enough cars
//! are found.
//!
//! The order is radius, automatic gearbox, each required category, and at last a maximum budget that is exceeded a
//! little. Steps add up; only those count whose filter the buyer set. Nothing else is given up: seats, brands, year,
//! odometer, fuel, equipment and the class of an app stay as asked.

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    figures::{count, list},
    filters::Filters,
    labels::filter_phrase,
    questionnaire::{MustHave, Questionnaire},
    ranking::{Scoring, TopKeys, rank_key},
    recommendation::Filter,
    stock::Centavos,
};

/// Bits of a rank key above the score: 124 are taken.
const STEPS_BITS: u32 = 4;
const STEPS_SHIFT: u32 = u128::BITS - STEPS_BITS;

/// The steps that a questionnaire allows.
pub(crate) struct Relaxation<'a> {
    filters: &'a Filters<'a>,
    /// A bit of [`Filters`] each, in the order in which they are given up.
    steps: Vec<u64>,
    budget: u64,
    budget_percent: u32,
    most: Centavos,
}

/// A car that passes once some wishes are given up.
pub(crate) struct Near {
    pub(crate) ordinal: usize,
    pub(crate) relaxed: Vec<Filter>,
}

/// What the first step that yields a car brings.
struct FirstStep {
    /// Bits of the filters that these cars need given up.
    relaxed: u64,
    cars: usize,
}

impl<'a> Relaxation<'a> {
    pub(crate) fn of(filters: &'a Filters<'a>, questionnaire: &Questionnaire, catalogue: &Catalogue) -> Self {
        let percent = catalogue.tables().criteria.relaxed_budget_percent;
        let bits = |wanted: fn(&Filter) -> bool| -> Vec<u64> { filters.bits(wanted).collect() };
        let mut steps = bits(|filter| *filter == Filter::Radius);
        steps.extend(bits(|filter| {
            *filter == Filter::MustHave(MustHave::AutomaticGearbox)
        }));
        steps.extend(bits(|filter| {
            matches!(filter, Filter::MustHave(MustHave::Category(_)))
        }));
        let budget = bits(|filter| *filter == Filter::Budget);
        steps.extend(&budget);
        debug_assert!(steps.len() < 1 << STEPS_BITS, "the step fits above the score");
        let maximum = questionnaire.budget_maximum.0;
        Self {
            filters,
            steps,
            budget: budget.into_iter().sum(),
            budget_percent: percent,
            most: Centavos(maximum.saturating_add(maximum.saturating_mul(u64::from(percent)) / 100)),
        }
    }

    /// How many steps it takes until a car passes, with the filters that it needs given up; `None` for a car that
    /// passes anyway or never does.
    fn steps_needed(&self, car: &CatalogueCar) -> Option<(usize, u64)> {
        let failed = self.filters.failures(car).bits();
        if failed & self.budget != 0 && car.car.price > self.most {
            return None;
        }
        let mut left = failed;
        for (index, step) in self.steps.iter().enumerate() {
            left &= !step;
            if left == 0 {
                return (failed != 0).then_some((index + 1, failed));
            }
        }
        None
    }

    /// At most `limit` cars: those that need the fewest steps first, then in the usual order.
    pub(crate) fn nearest(&self, catalogue: &Catalogue, scoring: &Scoring<'_>, limit: usize) -> Vec<Near> {
        let mut best = TopKeys::new(limit);
        for (ordinal, car) in catalogue.cars().iter().enumerate() {
            if !car.available {
                continue;
            }
            if let Some((steps, _)) = self.steps_needed(car) {
                let fewest_first = ((1 << STEPS_BITS) - 1 - steps as u128) << STEPS_SHIFT;
                best.offer(fewest_first | rank_key(scoring.score(car), car, ordinal), ordinal);
            }
        }
        best.into_ordinals()
            .into_iter()
            .map(|ordinal| {
                let needed = self.steps_needed(&catalogue.cars()[ordinal]);
                let relaxed = needed.map_or(0, |(_, relaxed)| relaxed);
                Near {
                    ordinal,
                    relaxed: self.filters.named(relaxed).cloned().collect(),
                }
            })
            .collect()
    }

    /// What to change when nothing passes and no single filter is to blame: the first step that yields a car, with
    /// the number of cars. `None` when no step does.
    pub(crate) fn suggestion(&self, catalogue: &Catalogue, questionnaire: &Questionnaire) -> Option<String> {
        let FirstStep { relaxed, cars } = self.first_step(catalogue)?;
        let phrases: Vec<String> = self
            .filters
            .named(relaxed)
            .map(|filter| self.phrase(filter, questionnaire))
            .collect();
        let together = if phrases.len() > 1 { " ao mesmo tempo" } else { "" };
        let verb = if cars == 1 { "atende" } else { "atendem" };
        Some(format!(
            "Reveja{together} {}: assim, {} {verb} a todo o resto do seu pedido.",
            list(&phrases),
            count(cars as u64, "carro", "carros")
        ))
    }

    fn first_step(&self, catalogue: &Catalogue) -> Option<FirstStep> {
        let needed = || {
            let on_offer = catalogue.cars().iter().filter(|car| car.available);
            on_offer.filter_map(|car| self.steps_needed(car))
        };
        let fewest = needed().map(|(steps, _)| steps).min()?;
        let first = needed().filter(|(steps, _)| *steps == fewest);
        Some(
            first.fold(FirstStep { relaxed: 0, cars: 0 }, |sum, (_, relaxed)| FirstStep {
                relaxed: sum.relaxed | relaxed,
                cars: sum.cars + 1,
            }),
        )
    }

    /// What was given up for a car, in Portuguese.
    pub(crate) fn given_up(&self, relaxed: &[Filter], questionnaire: &Questionnaire) -> String {
        let phrases: Vec<String> = relaxed
            .iter()
            .map(|filter| self.phrase(filter, questionnaire))
            .collect();
        format!("Fora do que você pediu: deixamos de lado {}.", list(&phrases))
    }

    fn phrase(&self, filter: &Filter, questionnaire: &Questionnaire) -> String {
        let phrase = filter_phrase(filter, questionnaire);
        match filter {
            Filter::Budget => format!("{phrase} (até {}% acima)", self.budget_percent),
            _ => phrase,
        }
    }
}
