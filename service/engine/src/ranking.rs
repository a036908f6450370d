//! The score of a car for one buyer and the order of cars: integers alone.

use std::collections::BinaryHeap;

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    proximity::Proximity,
    questionnaire::{Quality, Questionnaire},
    recommendation::Criterion,
    scan::Unranked,
    stock::{Category, Centavos, Fuel, Gearbox},
    tables::Criteria,
    weights::{Weights, priority},
};

/// The highest score: every criterion full.
pub(crate) const FULL_SCORE: u32 = 256 * 255;

/// Where a price stands in a budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PriceScale {
    minimum: u64,
    maximum: u64,
    range: u64,
    step: u64,
}

impl PriceScale {
    pub(crate) fn new(minimum: Centavos, maximum: Centavos) -> Self {
        let (minimum, maximum) = (hundreds(minimum), hundreds(maximum));
        let range = maximum.saturating_sub(minimum).max(1);
        Self {
            minimum,
            maximum,
            range,
            step: 255 * 65_536 / range,
        }
    }

    /// Whether every price within the budget has full utility: minimum and maximum share a hundred.
    pub(crate) fn is_a_point(&self) -> bool {
        self.minimum >= self.maximum
    }

    /// Maximum and range in whole hundreds of reais.
    pub(crate) fn parts(&self) -> (u64, u64) {
        (self.maximum, self.range)
    }

    /// What R$ 100 below the maximum are worth, in 65,536ths.
    #[cfg(feature = "reference")]
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// `b = floor(centavos / 10000)`, `d = clamp(bmax − b, 0, R)`, `u = (d · floor(255·65536 / R) + 32768) >> 16`;
    /// 255 at and below the minimum.
    pub(crate) fn utility(&self, price: Centavos) -> u8 {
        let price = hundreds(price);
        if price <= self.minimum {
            return 255;
        }
        let below = self.maximum.saturating_sub(price).min(self.range);
        ((below * self.step + 32_768) >> 16) as u8
    }
}

/// Centavos: prices within one step are worth the same.
pub(crate) const PRICE_STEP: u64 = 10_000;

/// Whole hundreds of reais.
fn hundreds(amount: Centavos) -> u64 {
    amount.0 / PRICE_STEP
}

/// What a buyer would like without requiring it.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    /// Places in the catalogue's list of brands; `None` = nothing wished.
    pub(crate) brands: Option<Vec<usize>>,
    pub(crate) categories: Vec<Category>,
    pub(crate) fuels: Vec<Fuel>,
    pub(crate) gearboxes: Vec<Gearbox>,
}

/// Kinds of wishes that can be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Category,
    Brand,
    Fuel,
    Gearbox,
}

impl Wishes {
    fn of(questionnaire: &Questionnaire, catalogue: &Catalogue) -> Self {
        let brands = &questionnaire.preferred_brands;
        let mut gearboxes = questionnaire.preferred_gearboxes.clone();
        if gearboxes.contains(&Gearbox::Automatic) {
            gearboxes.extend([Gearbox::Cvt, Gearbox::AutomatedManual]);
        }
        Self {
            brands: (!brands.is_empty())
                .then(|| brands.iter().filter_map(|brand| catalogue.brand(brand)).collect()),
            categories: questionnaire.preferred_categories.clone(),
            fuels: questionnaire.preferred_fuels.clone(),
            gearboxes,
        }
    }

    /// Each kind that was stated, with whether the car meets it.
    pub(crate) fn judge(&self, car: &CatalogueCar) -> impl Iterator<Item = (Wish, bool)> {
        let judged = |stated: bool, wish, met| stated.then_some((wish, met));
        [
            judged(
                !self.categories.is_empty(),
                Wish::Category,
                self.categories.contains(&car.car.category),
            ),
            self.brands
                .as_ref()
                .map(|brands| (Wish::Brand, brands.contains(&car.brand))),
            judged(
                !self.fuels.is_empty(),
                Wish::Fuel,
                self.fuels.contains(&car.car.fuel),
            ),
            judged(
                !self.gearboxes.is_empty(),
                Wish::Gearbox,
                self.gearboxes.contains(&car.car.gearbox),
            ),
        ]
        .into_iter()
        .flatten()
    }

    /// How many kinds were stated.
    pub(crate) fn stated(&self) -> u32 {
        u32::from(self.brands.is_some())
            + u32::from(!self.categories.is_empty())
            + u32::from(!self.fuels.is_empty())
            + u32::from(!self.gearboxes.is_empty())
    }

    fn utility(&self, car: &CatalogueCar) -> u8 {
        if self.stated() == 0 {
            return wishes_worth(0, 0);
        }
        let met = self.judge(car).filter(|(_, is_met)| *is_met).count();
        wishes_worth(met as u32, self.stated())
    }
}

/// `round(255 · met / stated)`; full when nothing is wished, and then without weight.
pub(crate) fn wishes_worth(met: u32, stated: u32) -> u8 {
    if stated == 0 {
        255
    } else {
        ((2 * 255 * met + stated) / (2 * stated)) as u8
    }
}

/// One buyer's view of every car: weights, guards and the columns to read.
#[derive(Clone, Debug)]
pub(crate) struct Scoring<'catalogue> {
    pub(crate) criteria: &'catalogue Criteria,
    pub(crate) weights: Weights,
    /// Qualities of the highest priority, which no other criterion can make up for.
    pub(crate) guarded: [bool; 8],
    pub(crate) economy_column: usize,
    pub(crate) price: PriceScale,
    pub(crate) proximity: Proximity<'catalogue>,
    pub(crate) wishes: Wishes,
}

impl<'catalogue> Scoring<'catalogue> {
    pub(crate) fn of(questionnaire: &Questionnaire, catalogue: &'catalogue Catalogue) -> Self {
        let tables = catalogue.tables();
        let wishes = Wishes::of(questionnaire, catalogue);
        let proximity = Proximity::of(questionnaire, &catalogue.places, &tables.criteria);
        Self {
            criteria: &tables.criteria,
            weights: Weights::of(questionnaire, proximity.counts, wishes.stated() > 0, tables),
            guarded: Quality::ALL.map(|quality| priority(&questionnaire.priorities, quality) == 5),
            economy_column: tables.criteria.economy_column(questionnaire.usage),
            price: PriceScale::new(questionnaire.budget_minimum, questionnaire.budget_maximum),
            proximity,
            wishes,
        }
    }

    /// What a criterion of a car is worth before the guard; a gap has the worth of a gap.
    pub(crate) fn raw_utility(&self, criterion: Criterion, car: &CatalogueCar) -> u8 {
        match criterion {
            Criterion::Quality(quality) => car.utilities.quality(quality, self.economy_column),
            Criterion::Wear => car.utilities.wear(),
            Criterion::Distance => self.proximity.worth(car.place),
            Criterion::Preferences => self.wishes.utility(car),
            Criterion::Price => self.price.utility(car.car.price),
        }
    }

    /// The same of every criterion, by [`Criterion::index`].
    pub(crate) fn raw_utilities(&self, car: &CatalogueCar) -> [u8; Criterion::ALL.len()] {
        let mut raw = [0; Criterion::ALL.len()];
        for quality in Quality::ALL {
            raw[quality.index()] = car.utilities.quality(quality, self.economy_column);
        }
        for criterion in [
            Criterion::Wear,
            Criterion::Distance,
            Criterion::Preferences,
            Criterion::Price,
        ] {
            raw[criterion.index()] = self.raw_utility(criterion, car);
        }
        raw
    }

    /// What counts of every criterion, given what each is worth before the guard.
    pub(crate) fn counted_utilities(
        &self,
        raw: &[u8; Criterion::ALL.len()],
        car: &CatalogueCar,
    ) -> [u8; Criterion::ALL.len()] {
        let mut counted = *raw;
        for quality in Quality::ALL {
            let index = quality.index();
            counted[index] = self.counted_quality(quality, raw[index], car.utilities.is_known(quality));
        }
        counted
    }

    /// What counts: guarded where the priority is the highest, a gap then a little less.
    #[cfg(any(test, feature = "reference"))]
    pub(crate) fn utility(&self, criterion: Criterion, car: &CatalogueCar) -> u8 {
        self.counted(criterion, self.raw_utility(criterion, car), car)
    }

    /// The same for a worth that is already known.
    #[cfg(any(test, feature = "reference"))]
    pub(crate) fn counted(&self, criterion: Criterion, raw: u8, car: &CatalogueCar) -> u8 {
        match criterion {
            Criterion::Quality(quality) => {
                self.counted_quality(quality, raw, car.utilities.is_known(quality))
            }
            _ => raw,
        }
    }

    /// What a quality's worth counts as, under the guard where there is one.
    fn counted_quality(&self, quality: Quality, raw: u8, known: bool) -> u8 {
        match (self.guarded[quality.index()], known) {
            (false, _) => raw,
            (true, true) => guard(raw, self.criteria.guard_threshold),
            (true, false) => self.criteria.missing_guarded_utility,
        }
    }

    /// Σ weight × utility, 0 to [`FULL_SCORE`].
    #[cfg(any(test, feature = "reference"))]
    pub(crate) fn score(&self, car: &CatalogueCar) -> u32 {
        Criterion::ALL
            .into_iter()
            .zip(self.weights.all())
            .filter(|(_, weight)| **weight > 0)
            .map(|(criterion, weight)| u32::from(*weight) * u32::from(self.utility(criterion, car)))
            .sum()
    }
}

/// `max(0, u − max(0, threshold − u))`: below the threshold a point lost counts twice.
pub(crate) fn guard(utility: u8, threshold: u8) -> u8 {
    utility.saturating_sub(threshold.saturating_sub(utility))
}

/// Tenths of a percent of the full score, rounded down.
pub(crate) fn match_tenths(score: u32) -> u16 {
    (score * 1000 / FULL_SCORE) as u16
}

/// Orders cars as one integer, the best the highest: score, then cheaper, driven less, newer, lower id.
pub(crate) fn rank_key(score: u32, car: &CatalogueCar, ordinal: usize) -> u128 {
    rank_key_at(score, car.car.price, car, ordinal)
}

/// The same, had the car this price; `score` must be its score at that price.
pub(crate) fn rank_key_at(score: u32, price: Centavos, car: &CatalogueCar, ordinal: usize) -> u128 {
    key(score, price, car.car.odometer_km, car.car.year, ordinal)
}

const PRICE_BITS: u32 = 40;
const ODOMETER_BITS: u32 = 24;
const YEAR_BITS: u32 = 12;
const ORDINAL_BITS: u32 = 32;
/// How far up in a key the score stands.
const SCORE_SHIFT: u32 = PRICE_BITS + ODOMETER_BITS + YEAR_BITS + ORDINAL_BITS;

/// 16 bits score, then what decides between equal scores; the catalogue holds each within its bits.
pub(crate) fn key(score: u32, price: Centavos, odometer_km: u32, year: u16, ordinal: usize) -> u128 {
    let below = |value: u64, bits: u32| u128::from((1_u64 << bits) - 1 - value);
    (((u128::from(score) << PRICE_BITS | below(price.0, PRICE_BITS)) << ODOMETER_BITS
        | below(u64::from(odometer_km), ODOMETER_BITS))
        << YEAR_BITS
        | u128::from(year))
        << ORDINAL_BITS
        | below(ordinal as u64, ORDINAL_BITS)
}

/// The score that a key begins with.
pub(crate) fn score_of(key: u128) -> u32 {
    (key >> SCORE_SHIFT) as u32
}

/// The place in the catalogue that a key ends with.
pub(crate) fn ordinal_of(key: u128) -> usize {
    (u32::MAX - key as u32) as usize
}

/// Keeps the best `limit` of the keys it is shown, in one allocation, however many cars.
pub(crate) struct TopKeys {
    limit: usize,
    kept: Vec<u128>,
    /// Below it no key can enter.
    least: u128,
    /// Cars that are ranked only when they are read, where that is so of all.
    pub(crate) unranked: Option<Vec<Unranked>>,
}

/// Half of what passes of a small catalogue, or more.
const LIKELY_UNRANKED: usize = 256;

/// How many keys beyond the limit are kept before the worst of them go: few, so that the bar is seldom behind.
const fn surplus(limit: usize) -> usize {
    limit / 4 + 8
}

impl TopKeys {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Vec::with_capacity(limit + surplus(limit)),
            least: 0,
            unranked: None,
        }
    }

    /// Takes all that it is shown, and ranks nothing.
    pub(crate) fn unranked(limit: usize) -> Self {
        Self {
            limit,
            kept: Vec::new(),
            least: 0,
            unranked: Some(Vec::with_capacity(LIKELY_UNRANKED)),
        }
    }

    pub(crate) fn offer(&mut self, key: u128) {
        if key < self.least || self.limit == 0 {
            return;
        }
        self.kept.push(key);
        if self.kept.len() == self.limit + surplus(self.limit) {
            self.drop_surplus();
        }
    }

    /// One more than a score that certainly enters no more, as bounds are counted: 1 while there is room for any.
    #[inline]
    pub(crate) fn least_bound(&self) -> u16 {
        if self.limit == 0 {
            u16::MAX
        } else {
            (self.least >> SCORE_SHIFT) as u16 + 1
        }
    }

    fn drop_surplus(&mut self) {
        if self.kept.len() > self.limit {
            let (_, least, _) = self
                .kept
                .select_nth_unstable_by(self.limit - 1, |one, other| other.cmp(one));
            self.least = *least;
            self.kept.truncate(self.limit);
        }
    }

    /// All of them, to be sorted only as far as they are read.
    pub(crate) fn into_heap(mut self) -> BinaryHeap<u128> {
        self.drop_surplus();
        BinaryHeap::from(self.kept)
    }

    /// The best first; sorted only as far as it is read.
    pub(crate) fn into_descending(self) -> impl Iterator<Item = u128> {
        let mut heap = self.into_heap();
        std::iter::from_fn(move || heap.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents poor safety from being bought back by a low price: below 77 of 255 a lost point counts twice.
    #[test]
    fn below_the_threshold_a_lost_point_counts_twice() {
        for (utility, guarded) in [(255, 255), (77, 77), (76, 75), (40, 3), (39, 1), (38, 0), (0, 0)] {
            assert_eq!(guard(utility, 77), guarded, "{utility}");
        }
    }

    /// Prevents a key from being lost when more are shown than are kept, or when fewer are.
    #[test]
    fn the_best_keys_are_kept_in_order() {
        let shown = (0_u128..500).map(|number| number * 7919 % 500);
        for limit in [0, 1, 7, 250, 500, 600] {
            let mut top = TopKeys::new(limit);
            shown.clone().for_each(|key| top.offer(key));
            let expected: Vec<u128> = (0..500).rev().take(limit).collect();
            assert_eq!(top.into_descending().collect::<Vec<_>>(), expected, "{limit}");
        }
    }

    /// Prevents a price scale that is off by one step, or that divides by an empty budget range.
    #[test]
    fn a_price_is_worth_its_place_in_the_budget() {
        let scale = PriceScale::new(Centavos(5_000_000), Centavos(9_000_000));
        // 400 steps of R$ 100, 41,779 each: (200 · 41,779 + 32,768) >> 16 = 127
        for (price, worth) in [
            (9_000_000, 0),
            (7_000_000, 127),
            (5_000_000, 255),
            (1, 255),
            (9_000_001, 0),
        ] {
            assert_eq!(scale.utility(Centavos(price)), worth, "{price}");
        }
        let point = PriceScale::new(Centavos(5_000_000), Centavos(5_000_000));
        assert_eq!(
            (
                point.utility(Centavos(5_000_000)),
                point.utility(Centavos(5_100_000))
            ),
            (255, 0)
        );
    }
}
