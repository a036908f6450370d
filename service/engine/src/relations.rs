//! Relations of the pure order that cannot be tried from outside, because no fact of a car moves one utility alone.

use std::sync::LazyLock;

use jiff::civil::date;
use proptest::prelude::*;

use crate::{
    Car, Catalogue, Category, Centavos, Dealership, Fuel, Gearbox, Priorities, Quality, Questionnaire, Stock,
    Tables, Usage, ranking::Scoring,
};

fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::bundled().unwrap());
    &TABLES
}

fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.max(1_000),
        ..usual
    }
}

/// Utilities of a car that are set apart from any fact: `None` = not known.
type Worths = [Option<u8>; 8];

fn car(index: usize, price: u64, km: u32) -> Car {
    Car {
        id: format!("carro-{index:02}"),
        dealership_id: "loja".to_owned(),
        name: None,
        brand: "Lada".to_owned(),
        model: "Niva".to_owned(),
        version: None,
        year: 2020,
        price: Centavos(price),
        odometer_km: km,
        fuel: Fuel::Gasoline,
        gearbox: Gearbox::Manual,
        category: Category::Suv,
        colour: None,
        doors: None,
        images: Vec::new(),
        available: true,
        featured: false,
        sample: true,
        equipment: None,
        auction: None,
        accident: None,
        single_owner: None,
        armoured: None,
        ipva_paid: None,
        fipe_price: None,
        confirmed_on: None,
    }
}

fn catalogue(cars: &[(u64, u32, Worths)]) -> Catalogue {
    let dealership = Dealership {
        id: "loja".to_owned(),
        name: "Loja".to_owned(),
        city: "Curitiba".to_owned(),
        state: "PR".to_owned(),
        phone: None,
        whatsapp: None,
        email: None,
        website: None,
        latitude: None,
        longitude: None,
        active: true,
        verified: false,
        premium: false,
    };
    let stock = Stock {
        dealerships: vec![dealership],
        cars: cars
            .iter()
            .enumerate()
            .map(|(index, (price, km, _))| car(index, *price, *km))
            .collect(),
    };
    let mut catalogue = Catalogue::build(stock, tables(), date(2026, 11, 25), "test".to_owned()).unwrap();
    for (index, (_, _, worths)) in cars.iter().enumerate() {
        catalogue.set_utilities(index, worths);
    }
    catalogue
}

/// Scores lie close together, so that orders change easily.
fn any_cars() -> impl Strategy<Value = Vec<(u64, u32, Worths)>> {
    let worth = prop::option::weighted(0.9, 60_u8..200);
    let car = (
        4_000_000_u64..9_000_000,
        0_u32..200_000,
        prop::array::uniform8(worth),
    );
    prop::collection::vec(car, 1..12)
}

fn any_buyer() -> impl Strategy<Value = Questionnaire> {
    // An unknown model drives for no app.
    let uses: Vec<Usage> = Usage::ALL
        .into_iter()
        .filter(|usage| *usage != Usage::PassengerTransport)
        .collect();
    let usage = prop::sample::select(uses);
    (prop::array::uniform8(1_u8..6), usage, any::<[bool; 4]>()).prop_map(|(priorities, usage, flags)| {
        Questionnaire {
            needs_space: flags[0],
            has_children: flags[1],
            has_elderly: flags[2],
            first_car: flags[3],
            priorities: Priorities(priorities),
            limit: 50,
            diversify: false,
            ..Questionnaire::new(Centavos(5_000_000), Centavos(10_000_000), usage)
        }
    })
}

fn rank(cars: &[(u64, u32, Worths)], buyer: &Questionnaire, which: usize) -> usize {
    let catalogue = catalogue(cars);
    let answer = catalogue.recommend(buyer);
    let id = &catalogue.at(which).car.id;
    answer
        .cars
        .iter()
        .position(|best| best.car.car.id == *id)
        .unwrap()
}

proptest! {
    #![proptest_config(cases())]

    /// Prevents a car from losing places by being better in anything.
    #[test]
    fn a_higher_utility_is_never_worse(
        mut cars in any_cars(),
        buyer in any_buyer(),
        which in any::<prop::sample::Index>(),
        quality in 0_usize..8,
        more in 1_u8..=255,
    ) {
        let which = which.index(cars.len());
        let before = rank(&cars, &buyer, which);
        let worth = &mut cars[which].2[quality];
        *worth = worth.map(|worth| worth.saturating_add(more));
        prop_assert!(rank(&cars, &buyer, which) <= before);
    }

    /// Prevents keeping quiet from paying: a gap counts 102, so what turns out as good as that or better never hurts.
    #[test]
    fn a_gap_filled_well_is_never_worse(
        mut cars in any_cars(),
        buyer in any_buyer(),
        which in any::<prop::sample::Index>(),
        quality in 0_usize..8,
        worth in 102_u8..=255,
    ) {
        let which = which.index(cars.len());
        cars[which].2[quality] = None;
        let before = rank(&cars, &buyer, which);
        cars[which].2[quality] = Some(worth);
        prop_assert!(rank(&cars, &buyer, which) <= before);
    }

    /// Prevents a priority that is raised from weighing less, or from turning two cars that differ in nothing else.
    #[test]
    fn a_higher_priority_never_turns_against_the_better_car(
        worths in prop::array::uniform8(prop::option::weighted(0.9, any::<u8>())),
        buyer in any_buyer(),
        quality in 0_usize..8,
        (worse, better) in (any::<u8>(), any::<u8>()),
        raised in 1_u8..=5,
    ) {
        let (worse, better) = (worse.min(better), worse.max(better));
        let with = |worth| {
            let mut worths = worths;
            worths[quality] = Some(worth);
            (7_000_000, 50_000, worths)
        };
        let catalogue = catalogue(&[with(worse), with(better)]);
        let (worse, better) = (catalogue.at(0), catalogue.at(1));
        let mut higher = buyer.clone();
        higher.priorities.0[quality] = buyer.priorities.0[quality].max(raised);
        let (before, after) = (Scoring::of(&buyer, &catalogue), Scoring::of(&higher, &catalogue));
        prop_assert!(before.weights.all()[quality] <= after.weights.all()[quality]);
        prop_assert!(after.score(better) >= after.score(worse));
        prop_assert_eq!(Quality::ALL[quality].index(), quality);
    }
}
