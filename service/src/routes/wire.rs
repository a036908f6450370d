//! What several answers show: a car, its seller.

use faciliauto_engine::{
    catalogue::{Catalogue, CatalogueCar},
    questionnaire::Quality,
    stock::Dealership,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::stock::rows::reais;

/// A car, as every answer shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Car")]
pub(super) struct CarAnswer<'a> {
    id: &'a str,
    nome: String,
    marca: &'a str,
    modelo: &'a str,
    versao: Option<&'a str>,
    ano: u16,
    preco: f64,
    quilometragem: u32,
    combustivel: &'a str,
    cambio: &'a str,
    cor: Option<&'a str>,
    portas: Option<u8>,
    categoria: &'a str,
    imagens: &'a [String],
    disponivel: bool,
    destaque: bool,
    score_familia: f64,
    score_economia: f64,
    score_performance: f64,
    score_conforto: f64,
    score_seguranca: f64,
    amostra: bool,
    equipamentos: Option<&'a [String]>,
    leilao: Option<bool>,
    sinistro: Option<bool>,
    unico_dono: Option<bool>,
    blindado: Option<bool>,
    ipva_pago: Option<bool>,
    preco_fipe: Option<f64>,
    dealership_id: &'a str,
    dealership_name: &'a str,
    dealership_city: &'a str,
    dealership_state: &'a str,
    dealership_phone: Option<&'a str>,
    dealership_whatsapp: Option<&'a str>,
    dealership: Seller<'a>,
}

/// The seller within a car. The same facts stand flat beside it, since older apps read them there.
#[derive(Serialize, JsonSchema)]
struct Seller<'a> {
    id: &'a str,
    name: &'a str,
    city: &'a str,
    state: &'a str,
    phone: Option<&'a str>,
    whatsapp: Option<&'a str>,
}

impl<'a> CarAnswer<'a> {
    /// `None` when the catalogue does not have the car's seller, which building it rules out.
    pub(super) fn new(catalogue: &'a Catalogue, item: &'a CatalogueCar) -> Option<Self> {
        let seller = catalogue.dealership(&item.car.dealership_id)?;
        Some(Self::of(catalogue, item, seller))
    }

    pub(super) fn of(catalogue: &'a Catalogue, item: &'a CatalogueCar, seller: &'a Dealership) -> Self {
        let car = &item.car;
        let score = |quality| round(f64::from(item.quality(quality)) / 255.0);
        Self {
            id: &car.id,
            nome: item.display_name(),
            marca: &car.brand,
            modelo: &car.model,
            versao: car.version.as_deref(),
            ano: car.year,
            preco: reais(car.price),
            quilometragem: car.odometer_km,
            combustivel: car.fuel.word(),
            cambio: car.gearbox.word(),
            cor: car.colour.as_deref(),
            portas: car.doors,
            categoria: car.category.word(),
            imagens: &car.images,
            disponivel: catalogue.is_available(item),
            destaque: car.featured,
            score_familia: round(item.score_family()),
            score_economia: score(Quality::Economy),
            score_performance: score(Quality::Performance),
            score_conforto: score(Quality::Comfort),
            score_seguranca: score(Quality::Safety),
            amostra: car.sample,
            equipamentos: car.equipment.as_deref(),
            leilao: car.auction,
            sinistro: car.accident,
            unico_dono: car.single_owner,
            blindado: car.armoured,
            ipva_pago: car.ipva_paid,
            preco_fipe: car.fipe_price.map(reais),
            dealership_id: &seller.id,
            dealership_name: &seller.name,
            dealership_city: &seller.city,
            dealership_state: &seller.state,
            dealership_phone: seller.phone.as_deref(),
            dealership_whatsapp: seller.whatsapp.as_deref(),
            dealership: Seller {
                id: &seller.id,
                name: &seller.name,
                city: &seller.city,
                state: &seller.state,
                phone: seller.phone.as_deref(),
                whatsapp: seller.whatsapp.as_deref(),
            },
        }
    }
}

/// Three decimals: as fine as a scale of 256 steps has meaning.
fn round(score: f64) -> f64 {
    (score * 1000.0).round() / 1000.0
}
