//! `GET /fuel-price`: what energy is reckoned to cost, and since when.

use actix_web::{HttpResponse, http::StatusCode, web};
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::{Description, Group};
use crate::startup::Shared;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EnergyPrice")]
struct EnergyPriceAnswer<'a> {
    energy: &'a str,
    /// R$ for one unit.
    price: f64,
    unit: &'a str,
    valid_from: String,
    source: &'a str,
    confidence: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct EnergyPrices<'a> {
    currency: &'a str,
    prices: Vec<EnergyPriceAnswer<'a>>,
}

pub(super) fn describe() -> Description {
    Description::new(Group::Stock, "Os preços de energia em uso, com suas datas")
        .answers::<EnergyPrices<'static>>(StatusCode::OK, "Os preços.")
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
