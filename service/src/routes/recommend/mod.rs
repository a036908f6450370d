//! `POST /recommend`: answers of a buyer in, cars with reasons and costs out.
//!
//! ```text
//!   bytes ▶ the very same answered before? ▶ JSON ▶ answered before? ▶ questionnaire (every mistake named) ▶ engine ▶ answer
//! ```

use std::{sync::Arc, time::Instant};

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
    car_texts::CarTexts,
    catalogue::ServedCatalogue,
    document::Value,
    error::ApiError,
    metrics::Metrics,
    response_cache::{Counted, Miss, Remembered},
    startup::Shared,
};
use questionnaire::Asked;

pub(super) mod answer;
pub(super) mod questionnaire;
mod whereabouts;

/// Where it is asked.
pub(super) const PATH: &str = "/recommend";

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
    says_json(&request)?;
    let served = shared.showroom.open()?;
    let responses = &shared.responses;
    let spelling = responses.spelling(&body);
    if let Some(found) = responses.known_by(spelling, &served.catalogue) {
        return Ok(again(&shared.metrics, &found));
    }
    let body = json(&body)?;
    let key = responses.key(&body);
    let mut miss = Miss::First;
    if let Some(key) = key {
        match responses.get(key, &served.catalogue) {
            Ok(found) => {
                responses.know_by(spelling, key);
                return Ok(again(&shared.metrics, &found));
            }
            Err(why) => miss = why,
        }
        shared.metrics.cached(Err(miss));
    }
    let asked = questionnaire::read(body, &served.catalogue)?;
    let small = served.catalogue.len() <= CARS_AT_ONCE;
    let (body, counted) = if small {
        made(&served, &asked, &shared.metrics)
    } else {
        let (lent, served) = (shared.clone(), Arc::clone(&served));
        let make = move || made(&served, &asked, &lent.metrics);
        shared.gate.run(make).await?
    }?;
    count(&shared.metrics, &counted);
    if let Some(key) = key
        && responses.admits(key, miss)
    {
        // As long as the text and no longer: answers that are kept are counted by their length.
        let kept = Bytes::copy_from_slice(&body);
        responses.put(key, Remembered::new(kept, counted, &served.catalogue));
        responses.know_by(spelling, key);
    }
    Ok(answered(body))
}

/// An answer that was made before.
fn again(metrics: &Metrics, remembered: &Remembered) -> HttpResponse {
    metrics.cached(Ok(()));
    count(metrics, &remembered.counted);
    answered(remembered.body.clone())
}

fn made(served: &ServedCatalogue, asked: &Asked, metrics: &Metrics) -> Result<(Bytes, Counted), ApiError> {
    let started = Instant::now();
    let recommendation = served.catalogue.recommend(&asked.questionnaire);
    metrics.recommendation_made(started.elapsed());
    let body = answer::write(&served.catalogue, &served.texts, asked, &recommendation);
    let body = body.map_err(|_| ApiError::Internal)?;
    Ok((body, counted(asked, &recommendation)))
}

/// What is counted of an answer.
pub(super) fn counted(asked: &Asked, recommendation: &Recommendation<'_>) -> Counted {
    let empty = recommendation.cars.is_empty();
    Counted {
        usage: asked.questionnaire.usage,
        matches: recommendation.cars.iter().map(|car| car.match_tenths).collect(),
        diversity_thousandths: recommendation.diversity_thousandths,
        empty_cause: empty.then(|| cause(recommendation).into()),
    }
}

/// An answer counts whenever it is sent.
pub(super) fn count(metrics: &Metrics, counted: &Counted) {
    metrics.recommendation(
        counted.usage,
        counted.matches.iter().copied(),
        counted.diversity_thousandths,
    );
    if let Some(cause) = &counted.empty_cause {
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
    let written = answer::write(catalogue, &CarTexts::none(), &asked, &recommendation);
    written.map_err(|_| ApiError::Internal)
}

/// The body as JSON, when it says that it is.
pub(super) fn parse<'body>(request: &HttpRequest, body: &'body [u8]) -> Result<Value<'body>, ApiError> {
    says_json(request)?;
    json(body)
}

/// Refuses a body that is not said to be JSON.
fn says_json(request: &HttpRequest) -> Result<(), ApiError> {
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
    if essence.eq_ignore_ascii_case("application/json") || is_json() {
        Ok(())
    } else {
        Err(ApiError::UnsupportedMediaType)
    }
}

fn json(body: &[u8]) -> Result<Value<'_>, ApiError> {
    // Looked at once as a whole, and not text by text.
    let read = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    };
    read.map_err(|error| ApiError::BrokenJson {
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
