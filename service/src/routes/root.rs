//! `GET /` to programs: what answers here. To browsers it is the buyers' page.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Serialize;

/// What answers here.
#[derive(Serialize, JsonSchema)]
pub(super) struct Service {
    status: &'static str,
    service: &'static str,
    version: &'static str,
}

pub(super) async fn show() -> HttpResponse {
    HttpResponse::Ok().json(Service {
        status: "online",
        service: "FacilIAuto API",
        version: env!("CARGO_PKG_VERSION"),
    })
}
