//! `GET /` to programs: what answers here. To browsers it is the buyers' page.

use actix_web::HttpResponse;
use serde_json::json;

pub(super) async fn show() -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "status": "online",
        "service": "FacilIAuto API",
        "version": env!("CARGO_PKG_VERSION"),
    }))
}
