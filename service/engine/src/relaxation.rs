//! What comes close when too little passes: wishes are given up one after another, in a fixed order, until enough cars
//! are found.
//!
//! The order is radius, automatic gearbox, each required category, and at last a maximum budget that is exceeded a
//! little. Steps add up; only those count whose filter the buyer set. Nothing else is given up: seats, brands, year,
//! odometer, fuel, equipment and the class of an app stay as asked.

use crate::{
    catalogue::Catalogue,
    figures::{count, list},
    filters::Filters,
    labels::filter_phrase,
    questionnaire::{MustHave, Questionnaire},
    ranking::{Scoring, ordinal_of},
    recommendation::Filter,
    scan::{self, InstructionSet},
    stock::Centavos,
};

/// The steps that a questionnaire allows.
pub(crate) struct Relaxation<'a> {
    catalogue: &'a Catalogue,
    filters: &'a Filters<'a>,
    scoring: &'a Scoring<'a>,
    /// A bit of [`Filters`] each, in the order in which they are given up.
    steps: Vec<u64>,
    budget_percent: u32,
    most: Centavos,
}

/// A car that passes once some wishes are given up.
pub(crate) struct Near {
    pub(crate) ordinal: usize,
    pub(crate) relaxed: Vec<Filter>,
}

impl<'a> Relaxation<'a> {
    pub(crate) fn of(
        catalogue: &'a Catalogue,
        questionnaire: &Questionnaire,
        filters: &'a Filters<'a>,
        scoring: &'a Scoring<'a>,
    ) -> Self {
        let percent = catalogue.tables().criteria.relaxed_budget_percent;
        let bits = |wanted: fn(&Filter) -> bool| -> Vec<u64> { filters.bits(wanted).collect() };
        let mut steps = bits(|filter| *filter == Filter::Radius);
        steps.extend(bits(|filter| {
            *filter == Filter::MustHave(MustHave::AutomaticGearbox)
        }));
        steps.extend(bits(|filter| {
            matches!(filter, Filter::MustHave(MustHave::Category(_)))
        }));
        steps.extend(bits(|filter| *filter == Filter::Budget));
        let maximum = questionnaire.budget_maximum.0;
        Self {
            catalogue,
            filters,
            scoring,
            steps,
            budget_percent: percent,
            most: Centavos(maximum.saturating_add(maximum.saturating_mul(u64::from(percent)) / 100)),
        }
    }

    /// The bits that each step in turn has given up, with those before it.
    fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.steps.iter().scan(0, |given_up, step| {
            *given_up |= step;
            Some(*given_up)
        })
    }

    /// At most `limit` cars beside the `found` ones, which are all that pass: those that need the fewest steps first,
    /// then in the usual order. One scan a step, until there are enough.
    pub(crate) fn nearest(&self, found: &[usize], limit: usize) -> Vec<Near> {
        let mut known = found.to_vec();
        let enough = found.len() + limit;
        for given_up in self.cumulative() {
            let relaxed = self.filters.relaxed(given_up, self.most);
            // Whatever passed before passes now: among so many there are as many others as are missing.
            let best = scan::rank(
                self.catalogue,
                &relaxed,
                self.scoring,
                enough,
                self.instruction_set(),
            );
            for ordinal in best.into_descending().map(ordinal_of) {
                if known.len() < enough && !known.contains(&ordinal) {
                    known.push(ordinal);
                }
            }
            if known.len() == enough {
                break;
            }
        }
        let near = known.split_off(found.len());
        near.into_iter()
            .map(|ordinal| {
                let failed = self.filters.failures(self.catalogue.at(ordinal)).bits();
                Near {
                    ordinal,
                    relaxed: self.filters.named(failed).cloned().collect(),
                }
            })
            .collect()
    }

    /// What to change when nothing passes and no single filter is to blame: the first step that yields a car, with
    /// the number of cars. `None` when no step does.
    pub(crate) fn suggestion(&self, questionnaire: &Questionnaire) -> Option<String> {
        let (given_up, cars) = self
            .cumulative()
            .map(|given_up| (given_up, self.passing(given_up)))
            .find(|(_, cars)| *cars > 0)?;
        // A step that came before but without which as many pass is nothing to reconsider.
        let needed = self
            .steps
            .iter()
            .filter(|step| given_up & **step != 0 && self.passing(given_up & !**step) < cars)
            .fold(0, |needed, step| needed | step);
        let phrases: Vec<String> = self
            .filters
            .named(needed)
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

    fn instruction_set(&self) -> InstructionSet {
        InstructionSet::for_blocks(self.catalogue.blocks().len())
    }

    /// How many cars pass with some filters given up.
    fn passing(&self, given_up: u64) -> usize {
        let relaxed = self.filters.relaxed(given_up, self.most);
        scan::search(self.catalogue, &relaxed, self.scoring, 0, self.instruction_set()).matching
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
