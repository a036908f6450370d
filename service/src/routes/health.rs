//! How the process is: for people (`/health`), for whoever restarts it (`/livez`), for whoever sends it
//! traffic (`/readyz`).

use std::sync::atomic::Ordering;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CACHE_CONTROL},
    web,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::{Description, Group};
use crate::{catalogue::StoreCondition, error::ApiError, startup::Shared};

#[derive(Serialize, JsonSchema)]
struct Health<'a> {
    status: &'a str,
    dealerships: usize,
    cars: usize,
    sample: bool,
    catalog_version: Option<&'a str>,
    catalog_changed_at: Option<String>,
    /// `memory`, or how the shared store stands to what is served.
    store: &'a str,
    version: &'a str,
}

pub(super) fn describe() -> Description {
    Description::new(Group::Operation, "Como o serviço está, para pessoas")
        .details("Sempre 200: servir da memória enquanto o Redis está fora é servir.")
        .answers::<Health<'static>>(StatusCode::OK, "Como está.")
        .unlimited()
}

pub(super) fn describe_live() -> Description {
    Description::new(Group::Operation, "O processo vive")
        .answers_as(StatusCode::OK, "Vive.", &[("text/plain", None)])
        .unlimited()
}

pub(super) fn describe_ready() -> Description {
    Description::new(Group::Operation, "O processo pode receber pedidos")
        .answers_as(StatusCode::OK, "Pode.", &[("text/plain", None)])
        .refuses([ApiError::NotReady {
            reason: "está encerrando",
        }])
        .unlimited()
}

/// Always 200: it says how things are, and serving from memory while the store is away is service.
pub(super) async fn show(shared: web::Data<Shared>) -> HttpResponse {
    let served = shared.showroom.served();
    let served = served.as_deref();
    let condition = shared.showroom.store();
    let healthy = served.is_some() && condition == StoreCondition::Followed;
    let health = Health {
        status: if healthy { "healthy" } else { "degraded" },
        dealerships: served.map_or(0, |served| served.catalogue.dealerships().len()),
        cars: served.map_or(0, |served| served.catalogue.len()),
        sample: served.is_some_and(|served| served.sample),
        catalog_version: served.map(|served| served.catalogue.version()),
        catalog_changed_at: served.map(|served| served.head.changed_at.to_string()),
        store: if shared.store_is_shared {
            condition.word()
        } else {
            "memory"
        },
        version: env!("CARGO_PKG_VERSION"),
    };
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(health)
}

/// The process answers. The store plays no part: a restart would not bring it back.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body("alive\n")
}

/// A catalogue is in memory, be it an empty one, and the process is not about to stop.
///
/// A store with a generation is not enough: as long as its stock cannot be read, a replica that has none in memory can only
/// answer 503 to buyers, whom replicas that have one would serve. Not being ready keeps them there, and stops a rollout
/// that would replace those (`docs/adr/0011`). A generation without any stock is read as an empty catalogue, and so is ready.
pub(super) async fn ready(shared: web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    if shared.stopping.load(Ordering::Relaxed) {
        return Err(ApiError::NotReady {
            reason: "está encerrando",
        });
    }
    if shared.showroom.served().is_none() {
        return Err(ApiError::NotReady {
            reason: match shared.showroom.store() {
                StoreCondition::Unknown | StoreCondition::Followed => "o estoque ainda não foi lido",
                StoreCondition::Unreachable => "o Redis não responde",
                StoreCondition::NotOpen => "nenhum estoque foi importado, nem mesmo um vazio",
                StoreCondition::Unusable => "o estoque guardado não pode ser usado",
            },
        });
    }
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body("ready\n"))
}
