//! Hard filters: which cars a questionnaire rules out, and what each filter alone is to blame for.

use crate::{
    catalogue::{Catalogue, CatalogueCar, Has, block::category_bit},
    proximity::{Proximity, radius_metres},
    questionnaire::{MustHave, Questionnaire, Usage},
    recommendation::{Filter, FilterCount},
    stock::{Centavos, Gearbox},
    tables::AppClass,
    utilities::app_class,
};

/// The filters that a questionnaire sets, in the order in which they are reported.
pub(crate) struct Filters<'questionnaire> {
    questionnaire: &'questionnaire Questionnaire,
    proximity: &'questionnaire Proximity<'questionnaire>,
    rejected_brands: Vec<usize>,
    budget_maximum: Centavos,
    /// From this many people on, a car of unknown seats is ruled out; smaller families fit nearly every car.
    large_family: u8,
    set: Vec<Filter>,
}

/// Which of the set filters a car fails: a bit each, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    failed: u64,
    unknown: u64,
}

#[cfg(feature = "reference")]
impl Failures {
    pub(crate) fn none(self) -> bool {
        self.failed == 0
    }

    pub(crate) fn failed(self, index: usize) -> bool {
        self.failed & (1 << index) != 0
    }

    pub(crate) fn failed_only(self, index: usize) -> bool {
        self.failed == 1 << index
    }

    pub(crate) fn unknown(self, index: usize) -> bool {
        self.unknown & (1 << index) != 0
    }
}

impl Failures {
    /// A bit for each failed filter, as [`Filters::bits`] and [`Filters::named`] have them.
    pub(crate) fn bits(self) -> u64 {
        self.failed
    }
}

impl<'questionnaire> Filters<'questionnaire> {
    pub(crate) fn of(
        questionnaire: &'questionnaire Questionnaire,
        catalogue: &Catalogue,
        proximity: &'questionnaire Proximity<'questionnaire>,
    ) -> Self {
        let rejected_brands = questionnaire
            .rejected_brands
            .iter()
            .filter_map(|brand| catalogue.brand(brand))
            .collect();
        // A thing required twice is one filter: as two, neither would be the only one that a car fails.
        let mut must_haves = questionnaire.must_haves.clone();
        must_haves.sort();
        must_haves.dedup();
        let optional = [
            (questionnaire.family_size.is_some(), Filter::Seats),
            (radius_metres(questionnaire).is_some(), Filter::Radius),
            (!questionnaire.rejected_brands.is_empty(), Filter::RejectedBrands),
            (questionnaire.year_minimum.is_some(), Filter::YearMinimum),
            (questionnaire.year_maximum.is_some(), Filter::YearMaximum),
            (
                questionnaire.odometer_maximum_km.is_some(),
                Filter::OdometerMaximum,
            ),
        ];
        let app_class = (questionnaire.usage == Usage::PassengerTransport).then_some(Filter::AppClass);
        let set: Vec<Filter> = std::iter::once(Filter::Budget)
            .chain(
                optional
                    .into_iter()
                    .filter(|(set, _)| *set)
                    .map(|(_, filter)| filter),
            )
            .chain(must_haves.into_iter().map(Filter::MustHave))
            .chain(app_class)
            .collect();
        debug_assert!(
            set.len() <= u64::BITS as usize,
            "every filter has a bit of its own"
        );
        let large_family = catalogue.tables().criteria.large_family;
        Self {
            questionnaire,
            proximity,
            rejected_brands,
            budget_maximum: questionnaire.budget_maximum,
            large_family,
            set,
        }
    }

    /// Which filters a car fails.
    pub(crate) fn failures(&self, car: &CatalogueCar) -> Failures {
        let mut failures = Failures::default();
        for (index, filter) in self.set.iter().enumerate() {
            let bit = 1 << index;
            match self.passes(filter, car) {
                Has::Yes => {}
                Has::No => failures.failed |= bit,
                Has::Unknown => {
                    failures.failed |= bit;
                    failures.unknown |= bit;
                }
            }
        }
        failures
    }

    fn passes(&self, filter: &Filter, car: &CatalogueCar) -> Has {
        let Questionnaire {
            family_size,
            year_minimum,
            year_maximum,
            odometer_maximum_km,
            ..
        } = self.questionnaire;
        let passes = match filter {
            Filter::Budget => car.car.price <= self.budget_maximum,
            Filter::Seats => match (family_size, car.model.as_ref().map(|model| model.seats)) {
                (Some(people), Some(seats)) => seats >= *people,
                (Some(people), None) if *people >= self.large_family => return Has::Unknown,
                _ => true,
            },
            Filter::Radius => return self.proximity.within_radius(car.place),
            Filter::RejectedBrands => !self.rejected_brands.contains(&car.brand),
            Filter::YearMinimum => year_minimum.is_none_or(|year| car.car.year >= year),
            Filter::YearMaximum => year_maximum.is_none_or(|year| car.car.year <= year),
            Filter::OdometerMaximum => odometer_maximum_km.is_none_or(|limit| car.car.odometer_km <= limit),
            Filter::MustHave(MustHave::AutomaticGearbox) => car.car.gearbox != Gearbox::Manual,
            Filter::MustHave(MustHave::Fuel(fuel)) => car.car.fuel == *fuel,
            Filter::MustHave(MustHave::Category(category)) => car.car.category == *category,
            Filter::MustHave(MustHave::Equipment(word)) => return car.has_equipment(word),
            Filter::AppClass => match app_class(car.model.as_deref()) {
                None => return Has::Unknown,
                Some(class) => class > AppClass::None,
            },
        };
        if passes { Has::Yes } else { Has::No }
    }

    /// The bits of the set filters that a condition names.
    pub(crate) fn bits(&self, wanted: impl Fn(&Filter) -> bool) -> impl Iterator<Item = u64> {
        let indexed = self.set.iter().enumerate();
        indexed.filter_map(move |(index, filter)| wanted(filter).then_some(1 << index))
    }

    /// The filters of some bits, in the order in which they are reported.
    pub(crate) fn named(&self, bits: u64) -> impl Iterator<Item = &Filter> {
        let indexed = self.set.iter().enumerate();
        indexed.filter_map(move |(index, filter)| (bits & (1 << index) != 0).then_some(filter))
    }

    /// These filters without those of some bits; instead of being given up, a budget is raised to `most`.
    pub(crate) fn relaxed(&self, bits: u64, most: Centavos) -> Self {
        let budget: u64 = self.bits(|filter| *filter == Filter::Budget).sum();
        Self {
            rejected_brands: self.rejected_brands.clone(),
            budget_maximum: if bits & budget == 0 {
                self.budget_maximum
            } else {
                most
            },
            set: self.named(!bits | budget).cloned().collect(),
            ..*self
        }
    }

    /// The highest price that passes.
    pub(crate) fn budget_maximum(&self) -> Centavos {
        self.budget_maximum
    }

    pub(crate) fn proximity(&self) -> &Proximity<'_> {
        self.proximity
    }

    /// By place of sale, when a radius is set.
    pub(crate) fn within_radius(&self) -> Option<&[bool]> {
        self.set
            .contains(&Filter::Radius)
            .then_some(self.proximity.within_radius.as_slice())
    }

    /// The filters that are set, in the order in which they are reported.
    pub(crate) fn set(&self) -> &[Filter] {
        &self.set
    }

    pub(crate) fn questionnaire(&self) -> &Questionnaire {
        self.questionnaire
    }

    pub(crate) fn rejected_brands(&self) -> &[usize] {
        &self.rejected_brands
    }

    pub(crate) fn large_family(&self) -> u8 {
        self.large_family
    }

    /// Categories that pass, a bit each: none when two are required at once.
    pub(crate) fn categories(&self) -> u8 {
        let required = self.set.iter().filter_map(|filter| match filter {
            Filter::MustHave(MustHave::Category(category)) => Some(category_bit(*category)),
            _ => None,
        });
        required.fold(u8::MAX, |passing, category| passing & category)
    }

    /// The report of what each filter took away, by filter.
    pub(crate) fn counts(
        &self,
        removed: &[usize],
        removed_only: &[usize],
        unknown: &[usize],
    ) -> Vec<FilterCount> {
        self.set
            .iter()
            .enumerate()
            .map(|(index, filter)| FilterCount {
                filter: filter.clone(),
                removed: removed[index],
                removed_only: removed_only[index],
                unknown: unknown[index],
            })
            .collect()
    }
}
