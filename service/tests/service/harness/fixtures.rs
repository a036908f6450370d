//! Stock by adjectives. Every value differs, so that a swap shows.

use faciliauto_engine::stock::{Car, Category, Centavos, Dealership, Fuel, Gearbox};
use faciliauto_service::state::DealerStock;
use jiff::civil::date;
use serde_json::{Value, json};

/// A dealership with cars `<id>-0`, `<id>-1`, ….
pub(crate) fn dealer(id: &str, cars: usize) -> DealerStock {
    DealerStock {
        dealership: Dealership {
            id: id.to_owned(),
            name: format!("Loja {id}"),
            city: "Recife".to_owned(),
            state: "PE".to_owned(),
            phone: Some("(81) 3333-4444".to_owned()),
            whatsapp: Some("+5581987654321".to_owned()),
            email: None,
            website: None,
            latitude: Some(-8.05),
            longitude: Some(-34.9),
            active: true,
            verified: true,
            premium: false,
        },
        cars: (0..cars).map(|index| car(id, index)).collect(),
    }
}

fn car(dealership: &str, index: usize) -> Car {
    Car {
        id: format!("{dealership}-{index}"),
        dealership_id: dealership.to_owned(),
        name: None,
        brand: "Fiat".to_owned(),
        model: "Argo".to_owned(),
        version: Some("1.0 Drive".to_owned()),
        year: 2021,
        price: Centavos(6_000_000 + index as u64),
        odometer_km: 41_000,
        fuel: Fuel::Flex,
        gearbox: Gearbox::Manual,
        category: Category::Hatch,
        colour: Some("Prata".to_owned()),
        doors: Some(4),
        images: vec![],
        available: true,
        featured: false,
        sample: false,
        equipment: Some(vec!["isofix".to_owned()]),
        auction: None,
        accident: None,
        single_owner: Some(true),
        armoured: None,
        ipva_paid: None,
        fipe_price: None,
        confirmed_on: Some(date(2026, 11, 20)),
    }
}

/// A row of a stock file for a dealership.
pub(crate) fn dealership_row(id: &str) -> Value {
    json!({"id": id, "name": format!("Loja {id}"), "city": "Recife", "state": "PE", "whatsapp": "(81) 98765-4321"})
}

/// A row of a stock file for a car.
pub(crate) fn car_row(id: &str, dealership: &str) -> Value {
    json!({
        "id": id, "dealership_id": dealership, "marca": "Fiat", "modelo": "Argo", "versao": "1.0 Drive",
        "ano": 2021, "preco": 61_990.5, "quilometragem": 41_000, "combustivel": "flex", "cambio": "manual",
        "categoria": "Hatch",
    })
}

/// The cars of a dealership, to be cut.
pub(crate) fn cars_of(stock: &DealerStock) -> Vec<Car> {
    stock.cars.iter().cloned().collect()
}
