//! What the stock is like as a whole: `GET /stats`, `/categories`, `/brands`, `/brands-models`. All but the
//! totals speak of cars on offer.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CACHE_CONTROL},
    web,
};
use faciliauto_engine::{
    catalogue::{Catalogue, CatalogueCar},
    stock::Centavos,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    dealerships::average,
    openapi::{Description, Group},
};
use crate::{error::ApiError, startup::Shared, stock::rows::reais};

#[derive(Clone, Copy, Serialize, JsonSchema)]
struct Totals {
    total_dealerships: usize,
    active_dealerships: usize,
    total_cars: usize,
    available_cars: usize,
}

#[derive(Serialize, JsonSchema)]
struct PriceRange {
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct Stats<'a> {
    platform: Totals,
    // The same four flat, since older apps read them there.
    #[serde(flatten)]
    flat: Totals,
    avg_price: Option<f64>,
    price_range: PriceRange,
    cars_by_category: BTreeMap<&'a str, usize>,
    cars_by_brand: BTreeMap<&'a str, usize>,
    dealerships_by_state: BTreeMap<&'a str, usize>,
    last_updated: String,
    catalog_version: &'a str,
}

pub(super) fn describe() -> Description {
    Description::new(Group::Stock, "Números do estoque como um todo")
        .answers::<Stats<'static>>(StatusCode::OK, "Os números.")
        .refuses([ApiError::NoCatalogue])
}

pub(super) fn describe_categories() -> Description {
    Description::new(Group::Stock, "As categorias à venda, em ordem")
        .answers::<BTreeSet<&'static str>>(StatusCode::OK, "As categorias.")
        .refuses([ApiError::NoCatalogue])
}

pub(super) fn describe_brands() -> Description {
    Description::new(Group::Stock, "As marcas à venda, em ordem")
        .answers::<BTreeSet<&'static str>>(StatusCode::OK, "As marcas.")
        .refuses([ApiError::NoCatalogue])
}

pub(super) fn describe_brands_models() -> Description {
    Description::new(Group::Stock, "As marcas à venda com seus modelos")
        .answers::<BTreeMap<&'static str, BTreeSet<&'static str>>>(StatusCode::OK, "Modelos por marca.")
        .refuses([ApiError::NoCatalogue])
}

fn on_offer(catalogue: &Catalogue) -> impl Iterator<Item = &CatalogueCar> {
    catalogue.cars().filter(|item| catalogue.is_available(item))
}

pub(super) async fn show(shared: web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    let served = shared.showroom.open()?;
    let catalogue = &served.catalogue;
    let totals = Totals {
        total_dealerships: catalogue.dealerships().len(),
        active_dealerships: catalogue
            .dealerships()
            .iter()
            .filter(|dealership| dealership.active)
            .count(),
        total_cars: catalogue.len(),
        available_cars: served.available,
    };
    let mut stats = Stats {
        platform: totals,
        flat: totals,
        avg_price: None,
        price_range: PriceRange { min: None, max: None },
        cars_by_category: BTreeMap::new(),
        cars_by_brand: BTreeMap::new(),
        dealerships_by_state: BTreeMap::new(),
        last_updated: served.head.changed_at.to_string(),
        catalog_version: catalogue.version(),
    };
    let (mut sum, mut cheapest, mut dearest): (u64, Option<Centavos>, Option<Centavos>) = (0, None, None);
    for item in on_offer(catalogue) {
        let price = item.car.price;
        sum += price.0;
        cheapest = Some(cheapest.map_or(price, |least| least.min(price)));
        dearest = dearest.max(Some(price));
        *stats
            .cars_by_category
            .entry(item.car.category.word())
            .or_default() += 1;
        *stats.cars_by_brand.entry(&item.car.brand).or_default() += 1;
    }
    for dealership in catalogue.dealerships() {
        *stats.dealerships_by_state.entry(&dealership.state).or_default() += 1;
    }
    stats.avg_price = average(sum, served.available);
    stats.price_range = PriceRange {
        min: cheapest.map(reais),
        max: dearest.map(reais),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(stats))
}

pub(super) async fn categories(shared: web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    let served = shared.showroom.open()?;
    let words: BTreeSet<&str> = on_offer(&served.catalogue)
        .map(|item| item.car.category.word())
        .collect();
    Ok(HttpResponse::Ok().json(words))
}

pub(super) async fn brands(shared: web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    let served = shared.showroom.open()?;
    let brands: BTreeSet<&str> = on_offer(&served.catalogue)
        .map(|item| item.car.brand.as_str())
        .collect();
    Ok(HttpResponse::Ok().json(brands))
}

pub(super) async fn brands_models(shared: web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    let served = shared.showroom.open()?;
    let mut models: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for item in on_offer(&served.catalogue) {
        models.entry(&item.car.brand).or_default().insert(&item.car.model);
    }
    Ok(HttpResponse::Ok().json(models))
}
