//! `GET /dealerships` and `GET /dealerships/{id}`.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use faciliauto_engine::{catalogue::Catalogue, stock::Dealership};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    cars::{IGNORED, IGNORED_TEXT, named_unknown},
    openapi::{Description, Group},
    query::Query,
};
use crate::{error::ApiError, fields::Fields, startup::Shared, stock::rows::reais};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Dealership")]
struct DealershipAnswer<'a> {
    id: &'a str,
    name: &'a str,
    city: &'a str,
    state: &'a str,
    region: &'static str,
    phone: Option<&'a str>,
    whatsapp: Option<&'a str>,
    email: Option<&'a str>,
    website: Option<&'a str>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    active: bool,
    verified: bool,
    premium: bool,
    /// On offer.
    total_cars: usize,
    /// Of the cars on offer; null without any.
    avg_price: Option<f64>,
}

/// Cars on offer and the sum of their prices in centavos, by dealership.
#[derive(Clone, Copy, Default)]
struct Offer {
    cars: usize,
    centavos: u64,
}

impl<'a> DealershipAnswer<'a> {
    fn new(dealership: &'a Dealership, offer: Offer) -> Self {
        let Dealership {
            id,
            name,
            city,
            state,
            phone,
            whatsapp,
            email,
            website,
            latitude,
            longitude,
            active,
            verified,
            premium,
        } = dealership;
        Self {
            id,
            name,
            city,
            state,
            region: region(state),
            phone: phone.as_deref(),
            whatsapp: whatsapp.as_deref(),
            email: email.as_deref(),
            website: website.as_deref(),
            latitude: *latitude,
            longitude: *longitude,
            active: *active,
            verified: *verified,
            premium: *premium,
            total_cars: offer.cars,
            avg_price: average(offer.centavos, offer.cars),
        }
    }
}

/// A mean price in reais, to the centavo.
pub(super) fn average(centavos: u64, cars: usize) -> Option<f64> {
    let cars = u64::try_from(cars).ok().filter(|cars| *cars > 0)?;
    Some(reais(faciliauto_engine::stock::Centavos(
        (centavos + cars / 2) / cars,
    )))
}

fn offers(catalogue: &Catalogue) -> HashMap<&str, Offer> {
    let mut offers: HashMap<&str, Offer> = HashMap::new();
    for item in catalogue.cars().filter(|item| catalogue.is_available(item)) {
        let offer = offers.entry(&item.car.dealership_id).or_default();
        offer.cars += 1;
        offer.centavos += item.car.price.0;
    }
    offers
}

/// The five regions of IBGE.
fn region(state: &str) -> &'static str {
    match state {
        "AC" | "AP" | "AM" | "PA" | "RO" | "RR" | "TO" => "Norte",
        "AL" | "BA" | "CE" | "MA" | "PB" | "PE" | "PI" | "RN" | "SE" => "Nordeste",
        "DF" | "GO" | "MT" | "MS" => "Centro-Oeste",
        "ES" | "MG" | "RJ" | "SP" => "Sudeste",
        _ => "Sul",
    }
}

/// Whether only those that sell are meant.
fn active_only(fields: &mut Fields<'_>) -> bool {
    fields.flag("active_only").unwrap_or(false)
}

pub(super) fn describe_list() -> Description {
    Description::new(Group::Stock, "As concessionárias")
        .query(|fields| {
            active_only(fields);
        })
        .answers::<Vec<DealershipAnswer<'static>>>(StatusCode::OK, "As concessionárias.")
        .with_optional_header(IGNORED, IGNORED_TEXT)
        .refuses([ApiError::NoCatalogue])
}

pub(super) fn describe() -> Description {
    Description::new(Group::Stock, "Uma concessionária")
        .answers::<DealershipAnswer<'static>>(StatusCode::OK, "A concessionária.")
        .refuses([ApiError::NoCatalogue, ApiError::DealershipNotFound])
}

pub(super) async fn list(request: HttpRequest, shared: web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    let (active_only, unknown) =
        Query::parse(request.query_string())?.read(&[], &["active_only"], active_only)?;
    let served = shared.showroom.open()?;
    let offers = offers(&served.catalogue);
    let answers: Vec<_> = served
        .catalogue
        .dealerships()
        .iter()
        .filter(|dealership| dealership.active || !active_only)
        .map(|dealership| {
            let offer = offers.get(dealership.id.as_str()).copied().unwrap_or_default();
            DealershipAnswer::new(dealership, offer)
        })
        .collect();
    Ok(named_unknown(HttpResponse::Ok(), &unknown).json(answers))
}

pub(super) async fn show(
    path: web::Path<String>,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let served = shared.showroom.open()?;
    let dealership = served
        .catalogue
        .dealership(&path)
        .ok_or(ApiError::DealershipNotFound)?;
    let offer = offers(&served.catalogue)
        .get(dealership.id.as_str())
        .copied()
        .unwrap_or_default();
    Ok(HttpResponse::Ok().json(DealershipAnswer::new(dealership, offer)))
}

#[cfg(test)]
mod tests {
    use faciliauto_engine::tables::STATES;

    use super::*;

    /// Prevents a state from falling into "Sul" because it was forgotten.
    #[test]
    fn every_state_has_its_region() {
        let southern: Vec<&str> = STATES
            .into_iter()
            .filter(|state| region(state) == "Sul")
            .collect();
        assert_eq!(southern, ["PR", "RS", "SC"]);
    }
}
