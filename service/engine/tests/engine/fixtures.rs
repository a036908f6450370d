//! Cars, dealerships and questionnaires to start from, changed by adjectives.

use std::sync::LazyLock;

use faciliauto_engine::{
    Car, Catalogue, Category, Centavos, Dealership, Fuel, Gearbox, Place, PlaceSearch, Quality,
    Questionnaire, Stock, Tables, Usage,
};
use jiff::civil::{Date, date};

pub(crate) const TODAY: Date = date(2026, 11, 25);

pub(crate) fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::bundled().unwrap());
    &TABLES
}

pub(crate) fn dealership(id: &str) -> Dealership {
    Dealership {
        id: id.to_owned(),
        name: format!("Loja {id}"),
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
    }
}

/// A car that the model table knows: an Onix 1.0 of 2022, 40,000 km, R$ 70.000.
pub(crate) fn onix(id: &str) -> Car {
    Car {
        id: id.to_owned(),
        dealership_id: "loja".to_owned(),
        name: None,
        brand: "Chevrolet".to_owned(),
        model: "Onix".to_owned(),
        version: Some("1.0 12V".to_owned()),
        year: 2022,
        price: reais(70_000),
        odometer_km: 40_000,
        fuel: Fuel::Flex,
        gearbox: Gearbox::Manual,
        category: Category::Hatch,
        colour: None,
        doors: Some(4),
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

/// A model of the table as a car of a year, odometer and price.
pub(crate) fn car_of(id: &str, model: usize, year_offset: u16, odometer_km: u32, price: Centavos) -> Car {
    let model = tables().models().nth(model).unwrap();
    Car {
        brand: model.brand.clone(),
        model: model.family.clone(),
        version: Some(model.version.clone()),
        year: model.years.0 + year_offset % (model.years.1 - model.years.0 + 1),
        price,
        odometer_km,
        fuel: model.fuel,
        gearbox: model.gearbox,
        category: model.category,
        ..onix(id)
    }
}

/// A car of a make that the model table does not know.
pub(crate) fn stranger(id: &str) -> Car {
    Car {
        brand: "Lada".to_owned(),
        model: "Niva".to_owned(),
        version: None,
        category: Category::Suv,
        ..onix(id)
    }
}

pub(crate) fn stock(cars: Vec<Car>) -> Stock {
    Stock {
        dealerships: vec![dealership("loja")],
        cars: cars.into(),
    }
}

pub(crate) fn catalogue(cars: Vec<Car>) -> Catalogue {
    Catalogue::build(stock(cars), tables(), TODAY, "test.1".to_owned()).unwrap()
}

/// R$ 50.000 to 90.000, for a family, nothing else said; in the pure order, which most relations are about.
pub(crate) fn questionnaire() -> Questionnaire {
    Questionnaire {
        diversify: false,
        ..Questionnaire::new(reais(50_000), reais(90_000), Usage::Family)
    }
}

/// A municipality of the table, written `Santos/SP`.
pub(crate) fn place(label: &str) -> Place {
    let (name, state) = label.split_once('/').unwrap();
    match tables().find_place(name, Some(state)) {
        PlaceSearch::Found(place) => place,
        other => panic!("{label} is {other:?}"),
    }
}

/// A catalogue where each car is for sale in a city of its own, written `Santos/SP`.
pub(crate) fn catalogue_in(cars: Vec<(Car, &str)>) -> Catalogue {
    let mut stock = stock(Vec::new());
    for (mut car, label) in cars {
        let (city, state) = label.split_once('/').unwrap();
        car.dealership_id = format!("loja-{}", car.id);
        let mut dealership = dealership(&car.dealership_id);
        (dealership.city, dealership.state) = (city.to_owned(), state.to_owned());
        stock.dealerships.push(dealership);
        stock.cars.push(car);
    }
    Catalogue::build(stock, tables(), TODAY, "test.1".to_owned()).unwrap()
}

pub(crate) trait Adjectives {
    fn with_priority(self, quality: Quality, priority: u8) -> Self;
    fn with_limit(self, limit: usize) -> Self;
    /// From a city, written `Santos/SP`.
    fn living_in(self, label: &str) -> Self;
}

impl Adjectives for Questionnaire {
    fn with_priority(mut self, quality: Quality, priority: u8) -> Self {
        self.priorities.0[quality.index()] = priority;
        self
    }

    fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    fn living_in(self, label: &str) -> Self {
        Self {
            city: Some(place(label)),
            ..self
        }
    }
}

pub(crate) fn reais(amount: u64) -> Centavos {
    Centavos(amount * 100)
}

/// Ids and matches in the order of the answer.
pub(crate) fn order(catalogue: &Catalogue, questionnaire: &Questionnaire) -> Vec<(String, u16)> {
    let answer = catalogue.recommend(questionnaire);
    answer
        .cars
        .iter()
        .map(|recommended| (recommended.car.car.id.clone(), recommended.match_tenths))
        .collect()
}
