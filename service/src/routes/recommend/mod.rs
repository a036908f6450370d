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
    unpacking,
};
use questionnaire::Asked;

pub(super) mod answer;
pub(super) mod questionnaire;
mod whereabouts;

/// Where it is asked.
pub(super) const PATH: &str = "/recommend";

/// Up to how many cars a list is made on the thread that serves: it takes less time than handing it to another would.
///
/// The gate does not bound these, and need not: a thread that serves makes one at a time, so that there are never more at
/// once than such threads, and what arrives meanwhile waits in its connection. A larger list would keep a thread from its
/// other connections for milliseconds.
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

/// Refuses a body that is not said to be JSON, or is packed in a way that nobody here unpacks.
fn says_json(request: &HttpRequest) -> Result<(), ApiError> {
    if !unpacking::is_known(request.headers()) {
        return Err(ApiError::UnsupportedMediaType);
    }
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

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_and_read_body, call_service, init_service};
    use faciliauto_engine::stock::Stock;
    use jiff::Timestamp;

    use super::*;
    use crate::{
        gate::Gate,
        startup,
        state::{CatalogVersion, Head},
        stock::{SAMPLE, StockFile},
    };

    /// The sample stock over and over.
    fn served(shared: &Shared, cars: usize) -> ServedCatalogue {
        let today = shared.desk.clock.today();
        let sample = StockFile::whole(SAMPLE, today).unwrap();
        let again = sample.cars.iter().cycle().take(cars).enumerate();
        let stock = Stock {
            cars: again
                .map(|(number, car)| faciliauto_engine::stock::Car {
                    id: format!("car-{number}"),
                    ..car.clone()
                })
                .collect(),
            dealerships: sample.dealerships,
        };
        let catalogue = Catalogue::build(stock, &shared.tables, today, "e.1".to_owned()).unwrap();
        let version = CatalogVersion {
            epoch: "e".to_owned(),
            counter: 1,
        };
        let changed_at = Timestamp::UNIX_EPOCH;
        ServedCatalogue::new(catalogue, Head { version, changed_at })
    }

    /// Prevents lists from large stocks from keeping every thread that serves busy at once, and those from small ones from
    /// waiting for a turn that they do not need.
    #[actix_web::test]
    async fn a_list_from_a_large_stock_waits_for_its_turn() {
        let body = json!({"orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia"});
        let refinement =
            json!({"current_profile": body, "feedbacks": [{"car_id": "car-0", "action": "liked"}]});
        for (cars, turns, status) in [
            (CARS_AT_ONCE, 0, 200),
            (CARS_AT_ONCE + 1, 0, 503),
            (CARS_AT_ONCE + 1, 1, 200),
        ] {
            let shared = web::Data::new(Shared {
                gate: Gate::new(turns),
                ..Shared::without_catalogue(1)
            });
            shared.showroom.show(served(&shared, cars));
            let app = init_service(startup::app(shared, |_| {})).await;
            for (path, body) in [("/recommend", &body), ("/refine-recommendations", &refinement)] {
                let ask = || TestRequest::post().uri(path).set_json(body).to_request();
                let answer = call_service(&app, ask()).await;
                assert_eq!(answer.status(), status, "{path}: {cars} cars, {turns} turns");
                let answer = call_and_read_body(&app, ask()).await;
                let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
                if status == 200 {
                    assert_eq!(answer["total_recommendations"], 5, "{answer}");
                } else {
                    assert_eq!(answer["type"], "urn:problem-type:faciliauto:busy");
                }
            }
        }
    }
}
