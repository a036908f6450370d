//! The scan finds what the definitions say, to the place and the tie, on every instruction set of this processor.

use std::sync::LazyLock;

use faciliauto_engine::{
    Catalogue, Category, Centavos, Fuel, Gearbox, InstructionSet, MustHave, Payment, PlaceSearch, Priorities,
    Questionnaire, Usage, equipment::VOCABULARY, reference, synthetic, synthetic::Numbers,
};
use proptest::prelude::*;

use crate::fixtures::{TODAY, questionnaire, reais, tables};

/// Stocks of several blocks, and of blocks that are not full; built once, asked often.
static STOCKS: LazyLock<Vec<Catalogue>> = LazyLock::new(|| {
    [0, 1, 63, 64, 65, 300, 1023, 1024, 1025, 5000]
        .into_iter()
        .map(|cars| {
            let stock = synthetic::stock(tables(), cars, TODAY, cars as u64);
            Catalogue::build(stock, tables(), TODAY, format!("synthetic.{cars}")).unwrap()
        })
        .collect()
});

fn some<Item: Copy>(numbers: &mut Numbers, all: &[Item], one_in: u64) -> Vec<Item> {
    all.iter()
        .copied()
        .filter(|_| numbers.below(one_in) == 0)
        .collect()
}

fn maybe<Value>(
    numbers: &mut Numbers,
    one_in: u64,
    value: impl FnOnce(&mut Numbers) -> Value,
) -> Option<Value> {
    (numbers.below(one_in) == 0).then(|| value(numbers))
}

/// Every input of the scan, set or not; budgets at the edges of what the coarse prices hold.
fn any_buyer(seed: u64) -> Questionnaire {
    let numbers = &mut Numbers::new(seed);
    let minimum = match numbers.below(8) {
        0 => 0,
        1 => 7_000_000_000,
        // Of the synthetic stock, most prices are whole reais.
        2 => 5_000_000 + numbers.below(100) * 10_000,
        _ => numbers.below(20_000_000),
    };
    let range = match numbers.below(8) {
        0 => 0,
        1 => 9_000_000_000,
        2 => numbers.below(10_000),
        _ => numbers.below(10_000_000),
    };
    let mut must_haves = Vec::new();
    must_haves.extend(maybe(numbers, 6, |_| MustHave::AutomaticGearbox));
    must_haves.extend(some(numbers, &Fuel::ALL, 40).into_iter().map(MustHave::Fuel));
    must_haves.extend(
        some(numbers, &Category::ALL, 20)
            .into_iter()
            .map(MustHave::Category),
    );
    must_haves.extend(some(numbers, VOCABULARY, 80).into_iter().map(MustHave::Equipment));
    let brands = |numbers: &mut Numbers| {
        let known = ["fiat", "vw", "gm", "toyota", "lada", "saab", "honda", "hyundai"];
        some(numbers, &known, 4).into_iter().map(str::to_owned).collect()
    };
    Questionnaire {
        budget_minimum: Centavos(minimum),
        budget_maximum: Centavos(minimum + range),
        city: maybe(numbers, 2, |numbers| {
            let city = ["São Paulo", "Curitiba", "Recife", "Manaus"][numbers.below(4) as usize];
            match tables().find_place(city, None) {
                PlaceSearch::Found(place) => place,
                other => panic!("{other:?}"),
            }
        }),
        state: maybe(numbers, 4, |_| "PR".to_owned()),
        prioritise_near: numbers.below(4) != 0,
        radius_metres: maybe(numbers, 2, |numbers| numbers.below(900_000) as u32),
        usage: Usage::ALL[numbers.below(6) as usize],
        family_size: maybe(numbers, 3, |numbers| 1 + numbers.below(8) as u8),
        needs_space: numbers.below(2) == 0,
        has_children: numbers.below(2) == 0,
        priorities: Priorities(std::array::from_fn(|_| 1 + numbers.below(5) as u8)),
        preferred_brands: maybe(numbers, 3, brands).unwrap_or_default(),
        rejected_brands: maybe(numbers, 3, brands).unwrap_or_default(),
        preferred_categories: some(numbers, &Category::ALL, 8),
        preferred_fuels: some(numbers, &Fuel::ALL, 10),
        preferred_gearboxes: some(numbers, &Gearbox::ALL, 8),
        year_minimum: maybe(numbers, 4, |numbers| 2008 + numbers.below(16) as u16),
        year_maximum: maybe(numbers, 6, |numbers| 2012 + numbers.below(16) as u16),
        odometer_maximum_km: maybe(numbers, 4, |numbers| numbers.below(200_000) as u32),
        must_haves,
        payment: Payment::default(),
        ..questionnaire()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]

    /// Prevents a fast answer that is not the answer: counts, places, scores and ties.
    #[test]
    fn the_scan_is_the_reference(
        stock in any::<prop::sample::Index>(),
        seed in any::<u64>(),
        limit in prop_oneof![Just(1_usize), Just(20), Just(200), 0_usize..6000],
    ) {
        reference::assert_scan_agrees(stock.get(&STOCKS), &any_buyer(seed), limit);
    }
}

/// Prevents ties from being decided by where a car lies: a thousand equal cars come in the order of their ids.
#[test]
fn equal_cars_come_in_the_order_of_their_ids() {
    let cars = (0..2500)
        .map(|number| crate::fixtures::onix(&format!("carro-{number:04}")))
        .collect();
    let catalogue = crate::fixtures::catalogue(cars);
    for limit in [1, 64, 1500] {
        reference::assert_scan_agrees(&catalogue, &questionnaire(), limit);
    }
    let best = reference::rank(&catalogue, &questionnaire(), 1500, InstructionSet::widest());
    assert!(best.iter().map(|(ordinal, _)| *ordinal).eq(0..1500));
}

/// Prevents a dearer car of the same hundred from passing a budget to the centavo.
#[test]
fn the_budget_holds_to_the_centavo() {
    let cars = [8_999_999, 9_000_000, 9_000_001, 9_009_999]
        .map(|price| faciliauto_engine::Car {
            price: Centavos(price),
            ..crate::fixtures::onix(&price.to_string())
        })
        .to_vec();
    let catalogue = crate::fixtures::catalogue(cars);
    let buyer = Questionnaire {
        budget_maximum: reais(90_000),
        ..questionnaire()
    };
    reference::assert_scan_agrees(&catalogue, &buyer, 4);
    assert_eq!(
        reference::rank(&catalogue, &buyer, 4, InstructionSet::widest()).len(),
        2
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]

    /// Prevents what few cars have in common, and thousands do not, from going wrong: ties, gaps, equal cars.
    #[test]
    fn the_scan_of_a_few_cars_is_the_reference(
        cars in crate::relations::any_cars(24),
        buyer in crate::relations::any_buyer(),
        limit in 0_usize..30,
    ) {
        reference::assert_scan_agrees(&crate::fixtures::catalogue(cars), &buyer, limit);
    }
}
