//! `POST /recommend`: answers of a buyer in, cars with reasons and costs out.
//!
//! ```text
//!   bytes ▶ JSON ▶ answered before? ▶ questionnaire (every mistake named) ▶ engine ▶ answer
//! ```

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    web::{self, Bytes},
};
use faciliauto_engine::{catalogue::Catalogue, recommendation::Recommendation};
use serde_json::json;

use super::openapi::{Description, Group};
use crate::{
    document::Value, error::ApiError, metrics::Metrics, response_cache::Remembered, startup::Shared,
};
use questionnaire::Asked;

pub(super) mod answer;
pub(super) mod questionnaire;
mod whereabouts;

/// Up to how many cars a list is made on the thread that serves: it takes less time than handing it to another would.
pub(super) const CARS_AT_ONCE: usize = 10_000;

pub(super) fn describe() -> Description {
    let example = json!({
        "orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia", "tamanho_familia": 4,
        "city": "Campinas", "state": "SP", "prioridades": {"seguranca": 5, "economia": 4},
    });
    Description::new(Group::Buyers, "Os melhores carros para as respostas de um comprador")
        .details(
            "Uma cidade desconhecida é 422, com três nomes parecidos; respostas que se contradizem são 400. A renda é \
             usada e descartada. Sem resultado, message e suggestion dizem que desejo esvaziou a lista.",
        )
        .sent(&questionnaire::shape(), example)
        .answers::<answer::Answer<'static>>(StatusCode::OK, "Os carros, do melhor ao pior.")
        .refuses([
            ApiError::Contradiction(Vec::new()),
            ApiError::NoCatalogue,
            ApiError::Busy,
        ])
}

pub(super) async fn recommend(
    request: HttpRequest,
    body: web::Bytes,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let body = parse(&request, &body)?;
    let served = shared.showroom.open()?;
    let key = shared.responses.key(&body);
    if let Some(key) = key {
        let found = shared.responses.get(key, &served.catalogue);
        shared
            .metrics
            .cached(found.as_ref().map(|_| ()).map_err(|miss| *miss));
        if let Ok(remembered) = found {
            count(&shared.metrics, &remembered);
            return Ok(answered(remembered.body));
        }
    }
    let asked = questionnaire::read(body, &served.catalogue)?;
    let small = served.catalogue.len() <= CARS_AT_ONCE;
    let remembered = if small {
        made(&served.catalogue, &asked, &shared.metrics)
    } else {
        let lent = shared.clone();
        let make = move || made(&served.catalogue, &asked, &lent.metrics);
        shared.gate.run(make).await?
    }?;
    count(&shared.metrics, &remembered);
    let body = remembered.body.clone();
    if let Some(key) = key {
        shared.responses.put(key, remembered);
    }
    Ok(answered(body))
}

fn made(catalogue: &Catalogue, asked: &Asked, metrics: &Metrics) -> Result<Remembered, ApiError> {
    let started = Instant::now();
    let recommendation = catalogue.recommend(&asked.questionnaire);
    metrics.recommendation_made(started.elapsed());
    let body = answer::write(catalogue, asked, &recommendation).map_err(|_| ApiError::Internal)?;
    Ok(remembered(body, catalogue, asked, &recommendation))
}

/// An answer with what is counted of it.
pub(super) fn remembered(
    body: Bytes,
    catalogue: &Catalogue,
    asked: &Asked,
    recommendation: &Recommendation<'_>,
) -> Remembered {
    let empty_cause = recommendation
        .cars
        .is_empty()
        .then(|| cause(recommendation).into());
    let matches = recommendation.cars.iter().map(|car| car.match_tenths).collect();
    Remembered::new(
        body,
        asked.questionnaire.usage,
        matches,
        recommendation.diversity_thousandths,
        empty_cause,
        catalogue,
    )
}

/// An answer counts whenever it is sent.
pub(super) fn count(metrics: &Metrics, answer: &Remembered) {
    metrics.recommendation(
        answer.usage,
        answer.matches.iter().copied(),
        answer.diversity_thousandths,
    );
    if let Some(cause) = &answer.empty_cause {
        metrics.empty_recommendation(cause.to_string());
    }
}

pub(super) fn answered(body: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        // What a buyer answered is nobody else's, and may name an income.
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body)
}

/// What a body of JSON is answered with, without HTTP around it: for fuzzing, and for tests of bodies alone.
///
/// # Errors
/// What is wrong with the body.
pub fn answer_to(body: &[u8], catalogue: &Catalogue) -> Result<Bytes, ApiError> {
    let asked = questionnaire::read(json(body)?, catalogue)?;
    let recommendation = catalogue.recommend(&asked.questionnaire);
    let written = answer::write(catalogue, &asked, &recommendation);
    written.map_err(|_| ApiError::Internal)
}

/// The body as JSON, when it says that it is.
pub(super) fn parse<'body>(request: &HttpRequest, body: &'body [u8]) -> Result<Value<'body>, ApiError> {
    let declared = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    let is_json = || {
        let essence = essence.to_ascii_lowercase();
        essence.starts_with("application/") && essence.ends_with("+json")
    };
    if !essence.eq_ignore_ascii_case("application/json") && !is_json() {
        return Err(ApiError::UnsupportedMediaType);
    }
    json(body)
}

fn json(body: &[u8]) -> Result<Value<'_>, ApiError> {
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
