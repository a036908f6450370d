//! Relations that must hold for any stock and any buyer.

use std::collections::HashMap;

use faciliauto_engine::{
    Accounts, Car, Catalogue, Category, Centavos, Frequency, Fuel, Gearbox, MustHave, Payment, Priorities,
    Questionnaire, Usage, UsualBuyer,
};
use proptest::prelude::*;

use crate::{
    cost::cost_of_first,
    explanation::written,
    fixtures::{Adjectives, car_of, catalogue, order, questionnaire, reais, stranger, tables},
};

/// At least a thousand random cases of each relation; more by the variable PROPTEST_CASES.
pub(crate) fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.max(1_000),
        ..usual
    }
}

/// One car in eight is of a model that the table does not know; one in two names its equipment.
pub(crate) fn any_car() -> impl Strategy<Value = Car> {
    let models = tables().models().count();
    (
        0..models,
        any::<u16>(),
        0_u32..260_000,
        20_000_u64..160_000,
        0_u8..8,
        any::<[bool; 5]>(),
    )
        .prop_map(|(model, year, km, price, kind, has)| {
            let mut car = car_of("", model, year, km, reais(price));
            if kind == 0 {
                car = Car {
                    price: car.price,
                    odometer_km: km,
                    year: car.year,
                    ..stranger("")
                };
            }
            let words = [
                "ar_condicionado",
                "camera_re",
                "isofix",
                "controle_estabilidade",
                "airbag_lateral",
            ];
            let named = words
                .iter()
                .zip(has)
                .filter(|(_, has)| *has)
                .map(|(word, _)| (*word).to_owned());
            car.equipment = (kind % 2 == 1).then(|| named.collect());
            car
        })
}

/// Ids rise with the place in the list.
pub(crate) fn any_cars(most: usize) -> impl Strategy<Value = Vec<Car>> {
    prop::collection::vec(any_car(), 1..most).prop_map(|mut cars| {
        for (index, car) in cars.iter_mut().enumerate() {
            car.id = format!("carro-{index:03}");
        }
        cars
    })
}

pub(crate) fn any_buyer() -> impl Strategy<Value = Questionnaire> {
    let frequency = prop::option::of(prop::sample::select(vec![
        Frequency::Daily,
        Frequency::Weekly,
        Frequency::Occasional,
    ]));
    let flags = (any::<[bool; 4]>(), frequency, prop::option::of(0_u8..12));
    let wishes = (
        prop::collection::vec(
            prop::sample::select(vec!["vw", "fiat", "toyota", "ferrari"]),
            0..3,
        ),
        prop::collection::vec(prop::sample::select(Category::ALL.to_vec()), 0..3),
        prop::collection::vec(prop::sample::select(Fuel::ALL.to_vec()), 0..3),
        prop::collection::vec(prop::sample::select(Gearbox::ALL.to_vec()), 0..2),
    );
    let budget = (0_u64..80_000, 0_u64..120_000);
    let usage = prop::sample::select(Usage::ALL.to_vec());
    (
        budget,
        usage,
        any::<[u8; 8]>(),
        flags,
        wishes,
        prop::option::of(1_u8..8),
        // The fixtures' dealership is in the first.
        prop::option::of(prop::sample::select(vec!["PR", "SP"])),
    )
        .prop_map(
            |((minimum, range), usage, priorities, (flags, frequency, years), wishes, family_size, state)| {
                let (brands, categories, fuels, gearboxes) = wishes;
                Questionnaire {
                    budget_minimum: reais(minimum),
                    budget_maximum: reais(minimum + range),
                    usage,
                    frequency,
                    family_size,
                    needs_space: flags[0],
                    has_children: flags[1],
                    has_elderly: flags[2],
                    first_car: flags[3],
                    years_driving: years,
                    priorities: Priorities(priorities.map(|priority| priority % 5 + 1)),
                    preferred_brands: brands.into_iter().map(str::to_owned).collect(),
                    preferred_categories: categories,
                    preferred_fuels: fuels,
                    preferred_gearboxes: gearboxes,
                    state: state.map(str::to_owned),
                    limit: 50,
                    ..questionnaire()
                }
            },
        )
}

pub(crate) fn rank(catalogue: &Catalogue, buyer: &Questionnaire, id: &str) -> usize {
    let order = order(catalogue, buyer);
    order
        .iter()
        .position(|(known, _)| known == id)
        .unwrap_or(usize::MAX)
}

/// The order without the cars that a condition names.
pub(crate) fn without(order: Vec<(String, u16)>, gone: impl Fn(&str) -> bool) -> Vec<(String, u16)> {
    order.into_iter().filter(|(id, _)| !gone(id)).collect()
}

proptest! {
    #![proptest_config(cases())]

    /// Prevents a dealer from losing places by asking less.
    #[test]
    fn a_lower_price_is_never_worse(
        cars in any_cars(16),
        buyer in any_buyer(),
        which in any::<prop::sample::Index>(),
        cut in 1_u64..5_000_000,
    ) {
        let which = which.index(cars.len());
        let id = cars[which].id.clone();
        let before = rank(&catalogue(cars.clone()), &buyer, &id);
        let mut cheaper = cars;
        cheaper[which].price = Centavos(cheaper[which].price.0.saturating_sub(cut).max(1));
        prop_assert!(rank(&catalogue(cheaper), &buyer, &id) <= before);
    }

    /// Prevents a car from gaining by having been driven more: wear, reliability and maintenance all fall.
    #[test]
    fn fewer_km_are_never_worse(
        cars in any_cars(16),
        buyer in any_buyer(),
        which in any::<prop::sample::Index>(),
        fewer in 1_u32..100_000,
    ) {
        let which = which.index(cars.len());
        let id = cars[which].id.clone();
        let before = rank(&catalogue(cars.clone()), &buyer, &id);
        let mut fresher = cars;
        fresher[which].odometer_km = fresher[which].odometer_km.saturating_sub(fewer);
        prop_assert!(rank(&catalogue(fresher), &buyer, &id) <= before);
    }

    /// Prevents rank reversal: what others are in stock moves neither order nor match.
    #[test]
    fn an_unrelated_car_changes_nothing_for_the_others(
        cars in any_cars(16),
        buyer in any_buyer(),
        mut other in any_car(),
    ) {
        other.id = "outro".to_owned();
        let before = order(&catalogue(cars.clone()), &buyer);
        let with_other = cars.into_iter().chain([other]).collect();
        let after = order(&catalogue(with_other), &buyer);
        prop_assert_eq!(without(after, |id| id == "outro"), before);
    }

    /// Prevents the order in which dealers send their stock from showing in the answer.
    #[test]
    fn the_order_of_the_stock_changes_nothing(
        (cars, shuffled) in any_cars(16).prop_flat_map(|cars| (Just(cars.clone()), Just(cars).prop_shuffle())),
        buyer in any_buyer(),
    ) {
        let (first, second) = (catalogue(cars), catalogue(shuffled));
        prop_assert_eq!(written(&first, &buyer), written(&second, &buyer));
    }

    /// Prevents a longer list from beginning otherwise than a shorter one.
    #[test]
    fn a_shorter_list_is_the_beginning_of_a_longer(
        cars in any_cars(24),
        buyer in any_buyer(),
        limit in 1_usize..24,
    ) {
        let catalogue = catalogue(cars);
        let all = order(&catalogue, &buyer);
        let some = order(&catalogue, &buyer.with_limit(limit));
        prop_assert_eq!(&some[..], &all[..limit.min(all.len())]);
    }

    /// Prevents a car from being shown twice, or never, to someone who reads page after page.
    #[test]
    fn pages_one_after_another_are_the_whole_list(
        cars in any_cars(24),
        buyer in any_buyer(),
        diversify in any::<bool>(),
        size in 1_usize..8,
    ) {
        let catalogue = catalogue(cars);
        let buyer = Questionnaire { diversify, ..buyer };
        let all = order(&catalogue, &buyer);
        let mut pages = Vec::new();
        for begin in (0..all.len()).step_by(size) {
            pages.extend(order(&catalogue, &buyer.clone().with_limit(begin + size)).split_off(begin));
        }
        prop_assert_eq!(pages, all);
    }

    /// Prevents anything shared between threads from showing in an answer.
    #[test]
    fn threads_change_nothing(cars in any_cars(16), buyer in any_buyer(), diversify in any::<bool>()) {
        let catalogue = catalogue(cars);
        let buyer = Questionnaire { diversify, ..buyer };
        let alone = written(&catalogue, &buyer);
        let together: Vec<String> = std::thread::scope(|scope| {
            let answer = || written(&catalogue, &buyer);
            let threads = [(); 3].map(|()| scope.spawn(answer));
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        prop_assert!(together.iter().all(|answer| *answer == alone));
    }

    /// Prevents a filter from doing anything but take cars away, and its counts from disagreeing with what it took.
    #[test]
    fn a_filter_only_takes_away(
        cars in any_cars(24),
        buyer in any_buyer(),
        year in 2005_u16..2026,
        km in 10_000_u32..200_000,
    ) {
        let catalogue = catalogue(cars);
        let before = order(&catalogue, &buyer);
        let tighter = Questionnaire {
            year_minimum: Some(year),
            odometer_maximum_km: Some(km),
            must_haves: vec![MustHave::AutomaticGearbox],
            rejected_brands: vec!["fiat".to_owned()],
            ..buyer
        };
        let answer = catalogue.recommend(&tighter);
        let fails = |id: &str| {
            let car = &catalogue.car(id).unwrap().car;
            car.year < year
                || car.odometer_km > km
                || car.gearbox == Gearbox::Manual
                || car.brand == "Fiat"
        };
        prop_assert_eq!(order(&catalogue, &tighter), without(before, fails));
        prop_assert_eq!(answer.matching, answer.cars.len());
        let most = answer.filters.iter().map(|count| count.removed).max().unwrap_or(0);
        let alone: usize = answer.filters.iter().map(|count| count.removed_only).sum();
        let gone = answer.available - answer.matching;
        prop_assert!(most <= gone && alone <= gone);
        prop_assert!(answer.filters.iter().all(|count| count.unknown <= count.removed));
    }

    /// Prevents points that do not add up to the match that is shown, or weights that do not add up to the whole.
    #[test]
    fn points_misses_and_weights_sum_exactly(cars in any_cars(16), buyer in any_buyer()) {
        let catalogue = catalogue(cars);
        let answer = catalogue.recommend(&buyer);
        prop_assert_eq!(answer.weights.iter().map(|(_, weight)| weight).sum::<u16>(), 256);
        for best in &answer.cars {
            let points: u16 = best.contributions.iter().map(|part| part.points_tenths).sum();
            let missed: u16 = best.contributions.iter().map(|part| part.missed_tenths).sum();
            prop_assert_eq!(points, best.match_tenths);
            prop_assert_eq!(points + missed, 1000);
            prop_assert_eq!(best.contributions.len(), answer.weights.len());
        }
    }

    /// Prevents someone who rates everything 4 from getting other cars than someone who rates everything 1.
    #[test]
    fn equal_priorities_give_one_order(cars in any_cars(16), buyer in any_buyer()) {
        let catalogue = catalogue(cars);
        let with = |priority| Questionnaire { priorities: Priorities([priority; 8]), ..buyer.clone() };
        let first = order(&catalogue, &with(1));
        for priority in 2..=4 {
            prop_assert_eq!(&order(&catalogue, &with(priority)), &first);
        }
    }

    /// Prevents a seller from being better off by keeping quiet about good equipment.
    #[test]
    fn saying_more_of_a_gap_is_never_worse(cars in any_cars(16), buyer in any_buyer()) {
        let mut silent = cars;
        silent.push(stranger("quieto"));
        let before = rank(&catalogue(silent.clone()), &buyer, "quieto");
        // Four comfort items are worth 102, as much as a gap; airbags and ESC make safety known, and better.
        let words = [
            "ar_condicionado", "camera_re", "central_multimidia", "bancos_couro", "airbag_lateral",
            "controle_estabilidade",
        ];
        silent.last_mut().unwrap().equipment = Some(words.map(str::to_owned).to_vec());
        prop_assert!(rank(&catalogue(silent), &buyer, "quieto") <= before);
    }

    /// Prevents anything but the id from telling two equal cars apart.
    #[test]
    fn a_duplicate_comes_directly_after(
        cars in any_cars(16),
        buyer in any_buyer(),
        which in any::<prop::sample::Index>(),
    ) {
        let original = cars[which.index(cars.len())].clone();
        let copy_id = format!("{}a", original.id);
        let copy = Car { id: copy_id.clone(), ..original.clone() };
        let catalogue = catalogue(cars.into_iter().chain([copy]).collect());
        let order = order(&catalogue, &buyer);
        if let Some(place) = order.iter().position(|(id, _)| *id == original.id) {
            prop_assert_eq!(&order[place + 1].0, &copy_id);
        }
    }

    /// Prevents a dearer car, a longer way or a higher rate from costing less, and totals from leaving out a part.
    #[test]
    fn cost_rises_with_price_distance_and_rate(
        mut car in any_car(),
        more in 0_u64..5_000_000,
        km in 100_u32..4_000,
        further in 0_u32..2_000,
        rate in 0.0..0.05_f64,
        higher in 0.0..0.05_f64,
        months in 1_u16..96,
    ) {
        car.id = "a".to_owned();
        let cost = |price: u64, km, rate| {
            let car = Car { price: Centavos(price), ..car.clone() };
            let payment = Payment {
                km_per_month: Some(km),
                monthly_rate: Some(rate),
                months: Some(months),
                ..Payment::default()
            };
            let everything = reais(1_000_000);
            let buyer = Questionnaire { budget_maximum: everything, payment, ..questionnaire() };
            let catalogue = catalogue(vec![car]);
            cost_of_first(&catalogue, &buyer)
        };
        let price = car.price.0;
        let base = cost(price, km, rate);
        for dearer in [cost(price + more, km, rate), cost(price, km + further, rate), cost(price, km, rate + higher)]
        {
            prop_assert!(dearer.total_monthly >= base.total_monthly);
            prop_assert!(dearer.economic_total_monthly >= base.economic_total_monthly);
        }
        let shared = base.fuel_monthly.0
            + base.maintenance_monthly.0
            + base.insurance_monthly.0
            + base.ipva_monthly.0
            + base.licensing_monthly.0;
        prop_assert_eq!(base.total_monthly.0, base.financing_monthly.0 + shared);
        prop_assert_eq!(
            base.economic_total_monthly.0,
            base.interest_monthly.0 + base.depreciation_monthly.0 + shared
        );
    }

    /// Prevents one buyer from being told the costs of another: what is shared between usual buyers of one kind must be
    /// the same for all of them, and whoever says anything of money is none.
    #[test]
    fn a_car_costs_usual_buyers_of_one_kind_the_same(
        car in any_car(),
        buyers in prop::collection::vec((any_buyer(), prop::sample::select(vec!["SP", "RJ", "ZZ", ""])), 2..6),
        months in 1_u16..96,
    ) {
        let catalogue = catalogue(vec![Car { id: "a".to_owned(), ..car }]);
        let car = catalogue.cars().next().unwrap();
        let seller = &catalogue.dealerships()[0];
        let mut known = HashMap::new();
        for (buyer, state) in buyers {
            let state = (!state.is_empty()).then(|| state.to_owned());
            let mut buyer = Questionnaire { state, payment: Payment::default(), ..buyer };
            let accounts = Accounts::of(&catalogue, &buyer);
            let cost = accounts.of_car(car, seller);
            let kind = accounts.usual_buyer().unwrap();
            prop_assert!(kind.number() < UsualBuyer::KINDS);
            prop_assert_eq!(known.entry(kind).or_insert_with(|| cost.clone()), &cost);
            buyer.payment.months = Some(months);
            prop_assert_eq!(Accounts::of(&catalogue, &buyer).usual_buyer(), None);
        }
    }
}
