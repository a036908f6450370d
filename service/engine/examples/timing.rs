//! How long one whole answer takes: `cargo run --release -p faciliauto-engine --example timing [-- STOCK.json]`.
//!
//! Each line `BENCH name value us` is a median over rounds, on one thread; the spread (10th to 90th percentile) follows
//! in a line of its own. A round is many calls, so that the clock's own cost does not show.

// A program that measures reports on standard output, and stops where its own fixture is broken.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use faciliauto_engine::{
    Car, Catalogue, Category, Centavos, Dealership, Fuel, Gearbox, MustHave, Payment, Priorities, Quality,
    Questionnaire, Stock, Tables, Usage,
};
use jiff::civil::date;
use serde_json::Value;

const SAMPLE: &str = include_str!("../../data/sample-stock.json");
const CARS: usize = 300;
const ROUNDS: usize = 401;
const CALLS: u32 = 50;

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

fn stock() -> Stock {
    let read = std::env::args()
        .nth(1)
        .map(|path| std::fs::read_to_string(path).unwrap());
    let root: Value = serde_json::from_str(read.as_deref().unwrap_or(SAMPLE)).unwrap();
    let dealership = |value: &Value| Dealership {
        id: text(value, "id"),
        name: text(value, "name"),
        city: text(value, "city"),
        state: text(value, "state"),
        phone: None,
        whatsapp: None,
        email: None,
        website: None,
        latitude: value["latitude"].as_f64(),
        longitude: value["longitude"].as_f64(),
        active: true,
        verified: false,
        premium: false,
    };
    let car = |value: &Value| Car {
        id: text(value, "id"),
        dealership_id: text(value, "dealership_id"),
        name: None,
        brand: text(value, "marca"),
        model: text(value, "modelo"),
        version: Some(text(value, "versao")),
        year: value["ano"].as_u64().unwrap() as u16,
        price: Centavos(value["preco"].as_u64().unwrap() * 100),
        odometer_km: value["quilometragem"].as_u64().unwrap() as u32,
        fuel: Fuel::from_word(&text(value, "combustivel")).unwrap(),
        gearbox: Gearbox::from_word(&text(value, "cambio")).unwrap(),
        category: Category::from_word(&text(value, "categoria")).unwrap(),
        colour: None,
        doors: None,
        images: Vec::new(),
        available: true,
        featured: false,
        sample: true,
        equipment: value["equipamentos"].as_array().map(|words| {
            let words = words.iter().map(|word| word.as_str().unwrap().to_owned());
            words.collect()
        }),
        auction: value["leilao"].as_bool(),
        accident: value["sinistro"].as_bool(),
        single_owner: value["unico_dono"].as_bool(),
        armoured: None,
        ipva_paid: value["ipva_pago"].as_bool(),
        fipe_price: None,
        confirmed_on: None,
    };
    let list = |name: &str| root[name].as_array().unwrap().clone();
    Stock {
        dealerships: list("dealerships").iter().map(dealership).collect(),
        cars: list("cars").iter().take(CARS).map(car).collect(),
    }
}

/// A family of four with children, up to R$ 90.000, with filters and wishes.
fn buyer(limit: usize) -> Questionnaire {
    let mut priorities = Priorities([3; 8]);
    priorities.0[Quality::Safety.index()] = 5;
    priorities.0[Quality::Space.index()] = 4;
    Questionnaire {
        budget_minimum: Centavos(5_000_000),
        budget_maximum: Centavos(9_000_000),
        usage: Usage::Family,
        frequency: None,
        family_size: Some(4),
        needs_space: false,
        has_children: true,
        has_elderly: false,
        first_car: false,
        years_driving: None,
        priorities,
        state: None,
        preferred_brands: vec!["fiat".to_owned()],
        rejected_brands: vec!["renault".to_owned()],
        preferred_categories: vec![Category::Sedan, Category::Suv],
        preferred_fuels: Vec::new(),
        preferred_gearboxes: Vec::new(),
        year_minimum: Some(2015),
        year_maximum: None,
        odometer_maximum_km: Some(150_000),
        must_haves: vec![MustHave::from_word("ar_condicionado").unwrap()],
        payment: Payment::default(),
        limit,
        diversify: true,
    }
}

/// Median, 10th and 90th percentile of the time of one call, in µs.
fn time(mut call: impl FnMut()) -> (f64, f64, f64) {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..CALLS {
                call();
            }
            started.elapsed() / CALLS
        })
        .collect();
    rounds.sort();
    let at = |per_cent: usize| rounds[ROUNDS * per_cent / 100].as_secs_f64() * 1e6;
    (at(50), at(10), at(90))
}

fn report(name: &str, call: impl FnMut()) -> f64 {
    let (median, low, high) = time(call);
    println!("BENCH {name} {median:.2} us");
    println!("      spread {low:.2} to {high:.2} us");
    median
}

fn main() {
    let tables = Tables::bundled().unwrap();
    let catalogue = Catalogue::build(stock(), &tables, date(2026, 11, 25), "timing".to_owned()).unwrap();
    let answer = catalogue.recommend(&buyer(5));
    println!("{} of {} cars match", answer.matching, answer.available);
    let recommend = |buyer: Questionnaire| {
        let catalogue = &catalogue;
        move || drop(black_box(catalogue.recommend(black_box(&buyer))))
    };
    let whole = report("engine.recommend_300.us", recommend(buyer(5)));
    let pure = |limit| Questionnaire {
        diversify: false,
        ..buyer(limit)
    };
    let scan = report("engine.scan_300.us", recommend(pure(0)));
    let one = report("engine.pure_1_of_300.us", recommend(pure(1)));
    let five = report("engine.pure_5_of_300.us", recommend(pure(5)));
    let diverse = report("engine.diverse_0_of_300.us", recommend(buyer(0)));
    println!(
        "BENCH engine.explanation_and_cost_per_car.us {:.2} us",
        (five - one) / 4.0
    );
    println!("BENCH engine.diversity_of_6_places.us {:.2} us", whole - five);
    println!(
        "BENCH engine.diversity_without_places.us {:.2} us",
        diverse - scan
    );
    println!(
        "BENCH engine.recommend_300_without_scan.us {:.2} us",
        whole - scan
    );
}
