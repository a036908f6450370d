//! `POST /recommend`: answers of a buyer in, cars with reasons and costs out.
//!
//! ```text
//!   bytes ▶ JSON ▶ questionnaire (every mistake named) ▶ engine, on a bounded number of threads ▶ answer
//! ```

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web,
};
use faciliauto_engine::recommendation::Recommendation;
use serde_json::Value;

use crate::{error::ApiError, startup::Shared};

mod answer;
mod questionnaire;
mod whereabouts;

pub(super) async fn recommend(
    request: HttpRequest,
    body: web::Bytes,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let body = parse(&request, &body)?;
    let served = shared.showroom.open()?;
    let asked = questionnaire::read(body, &served.catalogue)?;
    let metrics = shared.metrics.clone();
    let answer = shared
        .gate
        .run(move || {
            let started = Instant::now();
            let recommendation = served.catalogue.recommend(&asked.questionnaire);
            let matches = recommendation.cars.iter().map(|car| car.match_tenths);
            metrics.recommendation(asked.questionnaire.usage, started.elapsed(), matches);
            if recommendation.cars.is_empty() {
                metrics.empty_recommendation(cause(&recommendation));
            }
            answer::write(&served.catalogue, &asked, &recommendation)
        })
        .await?
        .map_err(|_| ApiError::Internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        // What a buyer answered is nobody else's, and may name an income.
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(answer))
}

/// The body as JSON, when it says that it is.
pub(super) fn parse(request: &HttpRequest, body: &[u8]) -> Result<Value, ApiError> {
    let declared = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = declared
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_json =
        essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json");
    if !is_json {
        return Err(ApiError::UnsupportedMediaType);
    }
    serde_json::from_slice(body).map_err(|error| ApiError::BrokenJson {
        line: error.line(),
        column: error.column(),
    })
}

/// Why a list is empty, as one of a closed list of words: the filter that alone excluded most cars.
fn cause(recommendation: &Recommendation<'_>) -> String {
    if recommendation.available == 0 {
        return "sem_estoque".to_owned();
    }
    recommendation
        .filters
        .iter()
        .filter(|count| count.removed_only > 0)
        .max_by_key(|count| count.removed_only)
        .map_or_else(
            || "combinacao".to_owned(),
            |count| count.filter.word().into_owned(),
        )
}
