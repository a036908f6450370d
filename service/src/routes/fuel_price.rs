//! `GET /fuel-price`: what energy is reckoned to cost, and since when.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::startup::Shared;

#[derive(Serialize)]
struct EnergyPriceAnswer<'a> {
    energy: &'a str,
    /// R$ for one unit.
    price: f64,
    unit: &'a str,
    valid_from: String,
    source: &'a str,
    confidence: &'a str,
}

#[derive(Serialize)]
struct EnergyPrices<'a> {
    currency: &'a str,
    prices: Vec<EnergyPriceAnswer<'a>>,
}

pub(super) async fn show(shared: web::Data<Shared>) -> HttpResponse {
    let prices = shared
        .tables
        .energy_prices()
        .iter()
        .map(|price| EnergyPriceAnswer {
            energy: price.energy.word(),
            price: price.price,
            unit: price.energy.unit(),
            valid_from: price.valid_from.to_string(),
            source: &price.source,
            confidence: &price.confidence,
        })
        .collect();
    HttpResponse::Ok().json(EnergyPrices {
        currency: "BRL",
        prices,
    })
}
