//! One car changes: the catalogue that is served stays as it is, the next one has the change and nothing else.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use faciliauto_engine::{
    Catalogue, Centavos,
    catalogue::{CarChange, ChangeError},
    synthetic,
};
use jiff::civil::date;
use proptest::prelude::*;

use crate::fixtures::{TODAY, catalogue, onix, order, questionnaire, reais, stock, tables};

fn price(price: Centavos) -> CarChange {
    CarChange {
        price: Some(price),
        ..CarChange::default()
    }
}

/// Prevents a change from showing in a catalogue that a request is reading, or from missing in the next.
#[test]
fn a_change_makes_another_catalogue() {
    let before = catalogue(["a", "b", "c"].map(onix).to_vec());
    let cheaper = before
        .with_change("c", price(reais(60_000)), "test.2".to_owned())
        .unwrap();
    let ids = |catalogue: &Catalogue| -> Vec<String> {
        order(catalogue, &questionnaire())
            .into_iter()
            .map(|(id, _)| id)
            .collect()
    };
    assert_eq!(ids(&before), ["a", "b", "c"]);
    assert_eq!(
        (ids(&cheaper), cheaper.version()),
        (["c", "a", "b"].map(str::to_owned).to_vec(), "test.2")
    );
    assert_eq!(cheaper.car("c").unwrap().car.price, reais(60_000));
    let sold = CarChange {
        available: Some(false),
        ..CarChange::default()
    };
    let sold = cheaper.with_change("c", sold, "test.3".to_owned()).unwrap();
    assert_eq!(ids(&sold), ["a", "b"]);
    assert!(!sold.is_available(sold.car("c").unwrap()));
}

/// Prevents a car that its seller has just spoken of from staying off the list for want of news, or from being listed
/// otherwise than after a whole build.
#[test]
fn a_confirmation_brings_a_stale_car_back() {
    let stale = |day| faciliauto_engine::Car {
        sample: false,
        confirmed_on: Some(day),
        ..onix("a")
    };
    let before = catalogue(vec![stale(date(2026, 1, 1))]);
    let is_on_offer = |catalogue: &Catalogue| catalogue.is_available(catalogue.car("a").unwrap());
    assert!(!is_on_offer(&before));
    let confirmed = CarChange {
        confirmed_on: Some(TODAY),
        ..CarChange::default()
    };
    let version = before.version().to_owned();
    let after = before.with_change("a", confirmed, version).unwrap();
    assert!(is_on_offer(&after));
    let built = catalogue(vec![stale(TODAY)]);
    assert_eq!(
        format!("{:?}", after.recommend(&questionnaire()).cars),
        format!("{:?}", built.recommend(&questionnaire()).cars)
    );
}

/// Prevents a change of nothing, or one that cannot be, from passing for done.
#[test]
fn what_cannot_be_changed_is_refused() {
    let before = catalogue(vec![onix("a")]);
    let unknown = before
        .with_change("z", price(reais(1)), String::new())
        .unwrap_err();
    assert_eq!(unknown, ChangeError::UnknownCar { id: "z".to_owned() });
    for wrong in [Centavos(0), Centavos(10_000_000_001)] {
        let error = before.with_change("a", price(wrong), String::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "preco must be above 0 and at most R$ 100000000"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]

    /// Prevents a changed catalogue from differing from one that was built with the change, in any block.
    #[test]
    fn a_change_equals_a_build_with_it(
        which in 0_usize..1300,
        new_price in 1_u64..20_000_000,
        available in any::<bool>(),
    ) {
        static BUILT: std::sync::LazyLock<(faciliauto_engine::Stock, Catalogue)> = std::sync::LazyLock::new(|| {
            let stock = synthetic::stock(tables(), 1300, TODAY, 7);
            let catalogue = Catalogue::build(stock.clone(), tables(), TODAY, "built".to_owned()).unwrap();
            (stock, catalogue)
        });
        let (stock, before) = &*BUILT;
        let id = stock.cars[which].id.clone();
        let change = CarChange {
            price: Some(Centavos(new_price)), available: Some(available), ..CarChange::default()
        };
        let changed = before.with_change(&id, change, "built".to_owned()).unwrap();
        let buyer = faciliauto_engine::Questionnaire { budget_maximum: reais(300_000), ..questionnaire() };
        let answer = faciliauto_engine::reference::search(&changed, &buyer, 50);
        let scanned = faciliauto_engine::reference::scan(
            &changed, &buyer, 50, faciliauto_engine::InstructionSet::widest());
        prop_assert_eq!(answer, scanned);
        let car = changed.car(&id).unwrap();
        prop_assert_eq!((car.car.price, changed.is_available(car)), (Centavos(new_price), available));
        let others = before.cars().zip(changed.cars()).filter(|(old, new)| !std::ptr::eq(*old, *new)).count();
        prop_assert_eq!(others, 1, "every other car is the same object");
    }
}

/// Prevents a reader from ever seeing half a change, or from waiting for one: readers take what is served by one
/// short lock, as a service does, while changes and whole builds go on.
#[test]
fn readers_see_whole_catalogues_while_they_change() {
    let first = Catalogue::build(
        stock(vec![onix("a"), onix("b")]),
        tables(),
        TODAY,
        "v0".to_owned(),
    )
    .unwrap();
    let served = Mutex::new(Arc::new(first));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0_u32;
                    while !done.load(Ordering::Relaxed) || seen == 0 {
                        let catalogue = Arc::clone(&served.lock().unwrap());
                        let price = |id| catalogue.car(id).unwrap().car.price;
                        // Each version sets both prices to its number.
                        if catalogue.version() != "v0" {
                            let number: u64 = catalogue.version()[1..].parse().unwrap();
                            assert_eq!(
                                (price("a"), price("b")),
                                (reais(50_000 + number), reais(50_000 + number))
                            );
                            assert_eq!(catalogue.recommend(&questionnaire()).cars.len(), 2);
                        }
                        seen += 1;
                    }
                    seen
                })
            })
            .collect();
        for number in 1..200 {
            let current = Arc::clone(&served.lock().unwrap());
            let next = current
                .with_change("a", price(reais(50_000 + number)), String::new())
                .and_then(|half| half.with_change("b", price(reais(50_000 + number)), format!("v{number}")))
                .unwrap();
            *served.lock().unwrap() = Arc::new(next);
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
}
