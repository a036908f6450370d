//! Variety: a list of five near twins helps nobody, so each place after the first pays for likeness to those above it.
//!
//! Greedy over the best of the pure order: the next place goes to the highest `score − points · likeness`, likeness in
//! tenths to the most alike car already chosen. Caps bound how often a model, a model of one year or a dealer may come
//! in each started stretch of places; when the stock is short they give way, the dealer's first. No choice looks at how
//! long the list is to be, so a longer list begins with a shorter one. Nothing here knows who pays.

use crate::{catalogue::CatalogueCar, stock::Category, tables::DiversityRules};

/// What makes two cars alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    /// A number for each family of models (`Onix`, `Onix Plus`), made when a catalogue is built.
    pub(crate) family: u32,
    pub(crate) brand: usize,
    pub(crate) category: Category,
    pub(crate) dealership: usize,
    pub(crate) year: u16,
}

impl Traits {
    pub(crate) fn of(car: &CatalogueCar) -> Self {
        Self {
            family: car.family,
            brand: car.brand,
            category: car.car.category,
            dealership: car.dealership,
            year: car.car.year,
        }
    }

    /// Tenths: 0 nothing in common, 10 everything that counts.
    fn likeness(self, other: Self, rules: &DiversityRules) -> u32 {
        let tenths = |same: bool, tenths: u32| if same { tenths } else { 0 };
        tenths(self.family == other.family, rules.same_model)
            + tenths(self.brand == other.brand, rules.same_brand)
            + tenths(self.category == other.category, rules.same_category)
            + tenths(self.dealership == other.dealership, rules.same_dealer)
    }
}

/// How much cars differ, in thousandths: 1000 less the mean likeness of each two; `None` for fewer than two.
pub(crate) fn unlikeness(cars: &[Traits], rules: &DiversityRules) -> Option<u16> {
    let pairs = cars.len() * cars.len().saturating_sub(1) / 2;
    if pairs == 0 {
        return None;
    }
    let likeness: u64 = cars
        .iter()
        .enumerate()
        .flat_map(|(place, car)| cars[place + 1..].iter().map(move |other| (car, other)))
        .map(|(car, other)| u64::from(car.likeness(*other, rules)))
        .sum();
    Some(1000_u64.saturating_sub(likeness * 100 / pairs as u64) as u16)
}

/// A car that could take a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) ordinal: usize,
    pub(crate) score: u32,
    pub(crate) traits: Traits,
}

/// A candidate with what it has in common with the chosen; brought up to date only when it is looked at.
struct Waiting {
    candidate: Candidate,
    /// To how many of the chosen it was compared.
    compared: usize,
    likeness: u32,
    same_model: usize,
    same_model_year: usize,
    same_dealer: usize,
}

impl Waiting {
    fn new(candidate: Candidate) -> Self {
        Self {
            candidate,
            compared: 0,
            likeness: 0,
            same_model: 0,
            same_model_year: 0,
            same_dealer: 0,
        }
    }

    fn compare_with(&mut self, chosen: &[Candidate], rules: &DiversityRules) {
        let own = self.candidate.traits;
        for Candidate { traits, .. } in &chosen[self.compared..] {
            let same_model = own.family == traits.family;
            self.likeness = self.likeness.max(own.likeness(*traits, rules));
            self.same_model += usize::from(same_model);
            self.same_model_year += usize::from(same_model && own.year == traits.year);
            self.same_dealer += usize::from(own.dealership == traits.dealership);
        }
        self.compared = chosen.len();
    }

    fn key(&self, rules: &DiversityRules) -> i64 {
        i64::from(self.candidate.score) - i64::from(rules.points_per_tenth * self.likeness)
    }

    /// How far the caps would have to give way: 0 not at all, 1 the dealer's, 2 the model's too, 3 all.
    fn relaxation(&self, stretches: usize, rules: &DiversityRules) -> usize {
        if self.same_model_year >= rules.per_model_year * stretches {
            3
        } else if self.same_model >= rules.per_model * stretches {
            2
        } else if self.same_dealer >= rules.per_dealer * stretches {
            1
        } else {
            0
        }
    }
}

/// The ordinals for the first `places`, given candidates in the pure order, which is read only as far as needed.
///
/// Only the first [`DiversityRules::candidates`] compete; should there be more places, the rest follows in its order.
pub(crate) fn diversify(
    mut pure_order: impl Iterator<Item = Candidate>,
    rules: &DiversityRules,
    places: usize,
) -> Vec<usize> {
    let mut unread = rules.candidates;
    let mut waiting: Vec<Waiting> = Vec::with_capacity(4 * places.min(rules.candidates));
    let mut chosen: Vec<Candidate> = Vec::with_capacity(places);
    while chosen.len() < places {
        let stretches = chosen.len() / rules.stretch + 1;
        // The best so far: how far the caps give way, its key, where it waits.
        let mut best: Option<(usize, i64, usize)> = None;
        let mut index = 0;
        loop {
            if index == waiting.len() {
                let Some(candidate) = (unread > 0).then(|| pure_order.next()).flatten() else {
                    break;
                };
                unread -= 1;
                waiting.push(Waiting::new(candidate));
            }
            let car = &mut waiting[index];
            // Nobody from here on has a higher score, and likeness only takes away.
            if best
                .is_some_and(|(relaxation, key, _)| relaxation == 0 && key >= i64::from(car.candidate.score))
            {
                break;
            }
            car.compare_with(&chosen, rules);
            let (relaxation, key) = (car.relaxation(stretches, rules), car.key(rules));
            // Of equals the earlier stays.
            if best.is_none_or(|(least, highest, _)| {
                relaxation < least || (relaxation == least && key > highest)
            }) {
                best = Some((relaxation, key, index));
            }
            index += 1;
        }
        let Some((_, _, index)) = best else { break };
        chosen.push(waiting.remove(index).candidate);
    }
    let left = places - chosen.len();
    chosen.extend(pure_order.take(left));
    chosen.into_iter().map(|candidate| candidate.ordinal).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::tables::Tables;

    fn rules() -> DiversityRules {
        static RULES: LazyLock<DiversityRules> =
            LazyLock::new(|| Tables::bundled().unwrap().criteria.diversity);
        *RULES
    }

    /// Few of each, so that caps bind; ordinals are not the places, so that a mix-up shows.
    fn any_stock(most: usize) -> impl Strategy<Value = Vec<Candidate>> {
        let any = (0_u32..400, 0_u32..8, 0_usize..3, 0_usize..4, 2018_u16..2021);
        prop::collection::vec(any, 0..most).prop_map(|cars| {
            let mut candidates: Vec<Candidate> = cars
                .into_iter()
                .enumerate()
                .map(|(index, (score, family, category, dealership, year))| Candidate {
                    ordinal: 1000 + index,
                    score: 40_000 + score * 20,
                    traits: Traits {
                        family,
                        brand: family as usize / 2,
                        category: Category::ALL[category],
                        dealership,
                        year,
                    },
                })
                .collect();
            candidates.sort_by_key(|car| (std::cmp::Reverse(car.score), car.ordinal));
            candidates
        })
    }

    fn diversified(stock: &[Candidate], places: usize) -> Vec<usize> {
        diversify(stock.iter().copied(), &rules(), places)
    }

    fn with_ordinal(stock: &[Candidate], ordinal: usize) -> &Candidate {
        stock.iter().find(|car| car.ordinal == ordinal).unwrap()
    }

    /// How often a car like this one is among the chosen: of its model and year, its model, its dealer.
    fn counts(chosen: &[&Candidate], car: &Candidate) -> (usize, usize, usize) {
        let (own, mut counts) = (car.traits, (0, 0, 0));
        for other in chosen.iter().map(|chosen| chosen.traits) {
            counts.0 += usize::from((other.family, other.year) == (own.family, own.year));
            counts.1 += usize::from(other.family == own.family);
            counts.2 += usize::from(other.dealership == own.dealership);
        }
        counts
    }

    /// Prevents the figure of a list's variety from being upside down, or from counting a pair twice.
    #[test]
    fn unlikeness_is_the_mean_over_pairs() {
        let car = |family, brand, category: usize, dealership| Traits {
            family,
            brand,
            category: Category::ALL[category],
            dealership,
            year: 2020,
        };
        let (one, stranger) = (car(1, 1, 1, 1), car(2, 2, 2, 2));
        assert_eq!(unlikeness(&[], &rules()), None);
        assert_eq!(unlikeness(&[one], &rules()), None);
        assert_eq!(unlikeness(&[one, one], &rules()), Some(0));
        assert_eq!(unlikeness(&[one, stranger], &rules()), Some(1000));
        // Likeness 10, 0 and 0 tenths: a mean of 3.33 tenths.
        assert_eq!(unlikeness(&[one, one, stranger], &rules()), Some(667));
        // The same brand alone: 2 tenths.
        assert_eq!(unlikeness(&[one, car(3, 1, 2, 2)], &rules()), Some(800));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: ProptestConfig::default().cases.max(1000),
            ..ProptestConfig::default()
        })]

        /// Prevents a longer list from beginning otherwise than a shorter one, and the best car from losing its place.
        #[test]
        fn a_longer_list_begins_with_a_shorter_one(stock in any_stock(260), places in 1_usize..60, more in 0_usize..250) {
            let short = diversified(&stock, places);
            let long = diversified(&stock, places + more);
            prop_assert_eq!(&short[..], &long[..short.len()]);
            prop_assert_eq!(short.first(), stock.first().map(|car| &car.ordinal));
        }

        /// Prevents variety from costing a place: as many cars as were asked for, each once.
        #[test]
        fn no_car_is_lost(stock in any_stock(260), places in 0_usize..300) {
            let mut list = diversified(&stock, places);
            prop_assert_eq!(list.len(), places.min(stock.len()));
            list.sort_unstable();
            list.dedup();
            prop_assert_eq!(list.len(), places.min(stock.len()));
        }

        /// Prevents a cap from being passed while a car is left that would keep it, and the caps from giving way in
        /// another order than dealer, model, model of a year.
        #[test]
        fn caps_hold_whenever_the_stock_allows(stock in any_stock(120), places in 1_usize..50) {
            let list = diversified(&stock, places);
            for place in 0..list.len() {
                let chosen: Vec<&Candidate> =
                    list[..place].iter().map(|ordinal| with_ordinal(&stock, *ordinal)).collect();
                let stretches = place / 20 + 1;
                let passes = |car: &Candidate| {
                    let (model_year, model, dealer) = counts(&chosen, car);
                    (model_year >= 2 * stretches, model >= 3 * stretches, dealer >= 4 * stretches)
                };
                let gravity = |car: &Candidate| match passes(car) {
                    (true, _, _) => 3,
                    (_, true, _) => 2,
                    (_, _, true) => 1,
                    _ => 0,
                };
                let least = stock.iter().filter(|car| !list[..place].contains(&car.ordinal)).map(gravity).min();
                prop_assert_eq!(Some(gravity(with_ordinal(&stock, list[place]))), least);
            }
        }

        /// Prevents the shortcut, which reads only as far as it must, from choosing otherwise than looking at all.
        #[test]
        fn reading_on_would_change_nothing(stock in any_stock(120), places in 1_usize..50) {
            let rules = rules();
            let mut left = stock.clone();
            let mut chosen: Vec<Candidate> = Vec::new();
            while chosen.len() < places && !left.is_empty() {
                let judged = left.iter().enumerate().map(|(index, car)| {
                    let mut waiting = Waiting::new(*car);
                    waiting.compare_with(&chosen, &rules);
                    let relaxation = waiting.relaxation(chosen.len() / rules.stretch + 1, &rules);
                    (relaxation, std::cmp::Reverse(waiting.key(&rules)), index)
                });
                let (_, _, index) = judged.min().unwrap();
                chosen.push(left.remove(index));
            }
            let expected: Vec<usize> = chosen.iter().map(|car| car.ordinal).collect();
            prop_assert_eq!(diversified(&stock, places), expected);
        }
    }
}
