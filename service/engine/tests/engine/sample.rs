//! The sample stock in `service/data`: it parses, is large and varied enough, and nearly all of it is known.

use std::collections::BTreeSet;

use faciliauto_engine::{
    Car, Catalogue, Category, Centavos, Dealership, Fuel, Gearbox, MustHave, Quality, Questionnaire, Stock,
};
use serde_json::Value;

use crate::fixtures::{Adjectives, TODAY, questionnaire, reais, tables};

/// Compares with the file that the service embeds, not with a copy of it.
const SAMPLE: &str = include_str!("../../../data/sample-stock.json");

pub(crate) fn stock() -> Stock {
    let root: Value = serde_json::from_str(SAMPLE).unwrap();
    let list = |name: &str| root[name].as_array().unwrap().clone();
    Stock {
        dealerships: list("dealerships").iter().map(dealership).collect(),
        cars: list("cars").iter().map(car).collect(),
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} of {value}"))
        .to_owned()
}

fn number(value: &Value, field: &str) -> u64 {
    value[field]
        .as_u64()
        .unwrap_or_else(|| panic!("{field} of {value}"))
}

fn dealership(value: &Value) -> Dealership {
    Dealership {
        id: text(value, "id"),
        name: text(value, "name"),
        city: text(value, "city"),
        state: text(value, "state"),
        phone: Some(text(value, "phone")),
        whatsapp: Some(text(value, "whatsapp")),
        email: Some(text(value, "email")),
        website: Some(text(value, "website")),
        latitude: value["latitude"].as_f64(),
        longitude: value["longitude"].as_f64(),
        active: value["active"].as_bool().unwrap(),
        verified: value["verified"].as_bool().unwrap(),
        premium: value["premium"].as_bool().unwrap(),
    }
}

fn car(value: &Value) -> Car {
    let equipment = value["equipamentos"].as_array().map(|words| {
        words
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    });
    Car {
        id: text(value, "id"),
        dealership_id: text(value, "dealership_id"),
        name: None,
        brand: text(value, "marca"),
        model: text(value, "modelo"),
        version: Some(text(value, "versao")),
        year: number(value, "ano") as u16,
        price: Centavos(number(value, "preco") * 100),
        odometer_km: number(value, "quilometragem") as u32,
        fuel: Fuel::from_word(&text(value, "combustivel")).unwrap(),
        gearbox: Gearbox::from_word(&text(value, "cambio")).unwrap(),
        category: Category::from_word(&text(value, "categoria")).unwrap(),
        colour: Some(text(value, "cor")),
        doors: Some(number(value, "portas") as u8),
        images: Vec::new(),
        available: true,
        featured: false,
        sample: value["amostra"].as_bool().unwrap(),
        equipment,
        auction: value["leilao"].as_bool(),
        accident: value["sinistro"].as_bool(),
        single_owner: value["unico_dono"].as_bool(),
        armoured: None,
        ipva_paid: value["ipva_pago"].as_bool(),
        fipe_price: None,
        confirmed_on: None,
    }
}

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::build(stock(), tables(), TODAY, "sample".to_owned()).unwrap()
}

/// Prevents a sample too small or too uniform to try the product with.
#[test]
fn the_sample_is_large_and_varied() {
    let stock = stock();
    let states: BTreeSet<&str> = stock
        .dealerships
        .iter()
        .map(|dealership| dealership.state.as_str())
        .collect();
    let selling: BTreeSet<&str> = stock.cars.iter().map(|car| car.dealership_id.as_str()).collect();
    let categories: BTreeSet<Category> = stock.cars.iter().map(|car| car.category).collect();
    assert!(stock.cars.len() >= 300, "{} cars", stock.cars.len());
    assert!(selling.len() >= 8, "{} dealerships with cars", selling.len());
    assert!(states.len() >= 5, "{states:?}");
    assert_eq!(categories.len(), Category::ALL.len());
    assert!(
        stock.cars.iter().all(|car| car.sample),
        "every car is marked as a sample"
    );
    assert!(
        stock
            .dealerships
            .iter()
            .all(|dealership| dealership.name.contains("fictícia"))
    );
    let cheap = stock
        .cars
        .iter()
        .filter(|car| (2_500_000..=5_000_000).contains(&car.price.0))
        .count();
    assert!(cheap >= 30, "{cheap} cars of R$ 25.000 to R$ 50.000");
}

/// Prevents a sample dealership whose number would ring at a real person's.
#[test]
fn no_sample_number_can_ring() {
    for dealership in stock().dealerships {
        let phone = dealership.phone.unwrap();
        assert!(phone.contains(") 0000-"), "{phone}");
        let whatsapp = dealership.whatsapp.unwrap();
        assert_eq!((&whatsapp[..3], &whatsapp[5..9]), ("+55", "0000"), "{whatsapp}");
        assert!(dealership.website.unwrap().ends_with(".example"));
    }
}

/// Prevents a criterion that mostly weighs gaps instead of facts.
#[test]
fn each_quality_is_known_for_four_fifths_of_the_sample() {
    let catalogue = catalogue();
    for quality in Quality::ALL {
        let known = catalogue.cars().filter(|car| car.is_known(quality)).count();
        assert!(
            known * 5 >= catalogue.len() * 4,
            "{} is known for {known} of {}",
            quality.word(),
            catalogue.len()
        );
    }
}

/// Prevents a sample car from being joined with the facts of another model.
#[test]
fn every_sample_car_has_the_facts_of_its_own_model() {
    for car in catalogue().cars() {
        let model = car
            .model
            .as_ref()
            .unwrap_or_else(|| panic!("{} has no model", car.car.id));
        let slug = faciliauto_engine::fold(&format!("amostra {} {}", model.brand, model.name));
        let id = faciliauto_engine::fold(&car.car.id);
        assert_eq!(id.rsplit_once(' ').unwrap().0, slug, "{}", car.display_name());
    }
}

/// A family with children that wants safety above all, up to R$ 90.000.
pub(crate) fn family() -> Questionnaire {
    Questionnaire {
        family_size: Some(4),
        has_children: true,
        ..questionnaire()
    }
    .with_priority(Quality::Safety, 5)
    .with_priority(Quality::Space, 4)
    .with_priority(Quality::Economy, 4)
}

/// Prevents a change of figures or sentences from passing unread: the answer is reviewed as a Brazilian buyer sees it.
#[test]
fn the_answer_for_a_family_reads_well() {
    let catalogue = catalogue();
    insta::assert_snapshot!(crate::explanation::written(&catalogue, &family()));
}

/// Prevents distances and alternatives from reading badly: three automatics are within 100 km of Campinas, the fourth
/// car of the answer is not.
#[test]
fn the_answer_with_a_place_reads_well() {
    let catalogue = catalogue();
    let buyer = Questionnaire {
        radius_metres: Some(100_000),
        budget_maximum: reais(56_000),
        must_haves: vec![MustHave::AutomaticGearbox],
        ..family().living_in("Campinas/SP").with_limit(4)
    };
    insta::assert_snapshot!(crate::explanation::written(&catalogue, &buyer));
}
