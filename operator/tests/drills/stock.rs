//! Made-up stock of many dealers: the same each time, and varied enough that every questionnaire finds something.

use serde_json::{Value, json};

/// Dealerships of the stock.
pub(crate) const DEALERS: usize = 50;

/// Cars of each.
pub(crate) const CARS_OF_EACH: usize = 1_000;

/// Cars of the stock.
pub(crate) const CARS: usize = DEALERS * CARS_OF_EACH;

const MODELS: [(&str, &str, &str); 10] = [
    ("Fiat", "Argo", "Hatch"),
    ("Chevrolet", "Onix", "Hatch"),
    ("Volkswagen", "Polo", "Hatch"),
    ("Toyota", "Corolla", "Sedan"),
    ("Honda", "Civic", "Sedan"),
    ("Hyundai", "Creta", "SUV"),
    ("Jeep", "Compass", "SUV"),
    ("Renault", "Kwid", "Compacto"),
    ("Chevrolet", "Spin", "Van"),
    ("Fiat", "Toro", "Pickup"),
];
const PLACES: [(&str, &str, f64, f64); 5] = [
    ("São Paulo", "SP", -23.55, -46.63),
    ("Recife", "PE", -8.05, -34.9),
    ("Curitiba", "PR", -25.43, -49.27),
    ("Belo Horizonte", "MG", -19.92, -43.94),
    ("Porto Alegre", "RS", -30.03, -51.23),
];

/// Id of a dealership.
pub(crate) fn dealer_id(dealer: usize) -> String {
    format!("loja-{dealer}")
}

/// Id of a car.
pub(crate) fn car_id(dealer: usize, car: usize) -> String {
    format!("loja-{dealer}-{car}")
}

/// A dealership as an administrator writes it.
pub(crate) fn dealership(dealer: usize) -> Value {
    let (city, state, latitude, longitude) = PLACES[dealer % PLACES.len()];
    json!({
        "name": format!("Loja {dealer}"), "city": city, "state": state, "latitude": latitude,
        "longitude": longitude, "whatsapp": format!("(81) 98765-{dealer:04}"),
    })
}

/// The whole stock of a dealership.
pub(crate) fn rows(dealer: usize) -> Value {
    (0..CARS_OF_EACH).map(|car| row(dealer, car)).collect()
}

fn row(dealer: usize, car: usize) -> Value {
    let chance = mixed((dealer * CARS_OF_EACH + car) as u64);
    let (brand, model, category) = MODELS[(chance % 10) as usize];
    let equipment = [
        "ar_condicionado",
        "isofix",
        "camera_re",
        "controle_estabilidade",
        "central_multimidia",
    ];
    let has: Vec<&str> = (0..equipment.len())
        .filter(|place| chance >> (8 + place) & 1 == 1)
        .map(|place| equipment[place])
        .collect();
    json!({
        "id": car_id(dealer, car), "marca": brand, "modelo": model, "versao": format!("1.{}", chance % 7),
        "ano": 2012 + (chance >> 16) % 14, "preco": 28_000 + (chance >> 24) % 140_000,
        "quilometragem": (chance >> 32) % 150_000, "combustivel": "flex",
        "cambio": if chance >> 40 & 1 == 0 { "manual" } else { "automatico" }, "categoria": category,
        "equipamentos": has, "portas": 4, "unico_dono": chance >> 41 & 1 == 1,
        "imagens": [format!("https://fotos.example.com/{dealer}/{car}.jpg")],
    })
}

/// A number that looks like chance, made of another: the finaliser of SplitMix64.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
