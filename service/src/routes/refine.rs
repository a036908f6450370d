//! `POST /refine-recommendations`: a questionnaire and what its buyer thought of some cars in, adjusted priorities with
//! the reason and new recommendations out.
//!
//! ```text
//!   bytes ▶ JSON ▶ profile, feedbacks (every mistake named) ▶ refine ▶ recommend: before, after ▶ answer
//! ```
//!
//! Nothing is remembered: one request is one step, taken from all the feedbacks that it carries. Taking several steps
//! from the same feedbacks would count each of them several times.

use std::{collections::BTreeMap, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes},
};
use faciliauto_engine::{
    catalogue::Catalogue,
    questionnaire::Quality,
    recommendation::{Criterion, Recommendation},
    refinement::{Feedback, Refinement, refine},
    stock::Category,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{
    openapi::{Description, Group},
    recommend::{
        self,
        answer::Answer,
        questionnaire::{Asked, Draft, described},
    },
};
use crate::{
    catalogue::ServedCatalogue,
    document::Value,
    error::ApiError,
    fields::{Fields, Findings},
    json::{WriteError, body_of},
    metrics::Metrics,
    response_cache::Counted,
    startup::Shared,
    state::events::FeedbackAction,
};

/// Far more than a person judges, and few enough to compare each with each.
const MOST_FEEDBACKS: usize = 500;

/// The match of the best car from which a buyer needs no further step, where nothing was said.
const DEFAULT_TARGET: f64 = 0.85;

/// From this many judged cars on, more of them make what was learnt no surer.
const SURE_FROM: usize = 10;

/// All weights of a recommendation together.
const WHOLE_WEIGHT: f64 = 256.0;

/// What is asked.
struct Step {
    user_id: Option<String>,
    session_id: Option<String>,
    asked: Asked,
    /// As they were typed: the questionnaire has them folded.
    preferred_brands: Vec<String>,
    judged: Vec<Judged>,
    target_score: f64,
}

/// The fields as they were read; what is missing or ill-typed is noted beside them.
struct Given {
    user_id: Option<String>,
    session_id: Option<String>,
    draft: Option<Draft>,
    judged: Option<Vec<Judged>>,
    target_score: f64,
}

/// What a buyer did with a car, and what that says.
struct Judged {
    car_id: String,
    liked: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Refinement")]
struct RefinementAnswer<'a> {
    user_id: Option<&'a str>,
    session_id: Option<&'a str>,
    iteration: u32,
    converged: bool,
    best_score: f64,
    target_score: f64,
    weight_adjustments: WeightAdjustments<'a>,
    insights: Vec<String>,
    next_steps: &'static str,
    updated_profile: UpdatedProfile<'a>,
    #[serde(flatten)]
    recommendation: Answer<'a>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WeightAdjustments")]
struct WeightAdjustments<'a> {
    original_weights: BTreeMap<&'static str, f64>,
    adjusted_weights: BTreeMap<&'static str, f64>,
    adjustment_reason: &'a str,
    confidence_score: f64,
}

/// What the app sends as its profile from now on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UpdatedProfile")]
struct UpdatedProfile<'a> {
    prioridades: BTreeMap<&'static str, u8>,
    marcas_preferidas: &'a [String],
    tipos_preferidos: Vec<&'static str>,
}

pub(super) fn describe() -> Description {
    let example = json!({
        "current_profile": {"orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia"},
        "feedbacks": [{"car_id": "amostra-renault-kwid-1-0-2", "action": "liked"}],
    });
    let shape = described(|fields, catalogue| drop(Given::read(fields, catalogue)));
    Description::new(Group::Buyers, "Prioridades ajustadas ao que o comprador achou dos carros")
        .details(
            "Um pedido é um passo, tirado de todas as avaliações que vêm nele; nada é guardado. liked e \
             clicked_whatsapp contam como agrado, disliked como desagrado, os outros não ensinam nada. Uma lista vazia \
             de avaliações é 400, assim como respostas que se contradizem.",
        )
        .sent(&shape, example)
        .answers::<RefinementAnswer<'static>>(StatusCode::OK, "As prioridades, por que mudaram, e os carros.")
        .refuses([
            ApiError::Contradiction(Vec::new()),
            ApiError::NoFeedback,
            ApiError::NoCatalogue,
            ApiError::Busy,
        ])
}

pub(super) async fn refine_recommendations(
    request: HttpRequest,
    body: web::Bytes,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let body = recommend::parse(&request, &body)?;
    let served = shared.showroom.open()?;
    let step = Step::read(body, &served.catalogue)?;
    let small = served.catalogue.len() <= recommend::CARS_AT_ONCE;
    let metrics = shared.metrics.clone();
    let make = move || step.take(&served, &metrics);
    let (body, counted) = if small {
        make()
    } else {
        shared.gate.run(make).await?
    }?;
    recommend::count(&shared.metrics, &counted);
    Ok(recommend::answered(body))
}

/// The brands of the profile as they were written: what the app sends again should look like what it sent.
fn brands_as_typed(body: &Value<'_>) -> Option<Vec<String>> {
    let profile = body.as_object()?.get("current_profile")?.as_object()?;
    let Value::Array(brands) = profile.get("marcas_preferidas")? else {
        return None;
    };
    brands
        .iter()
        .map(|brand| brand.as_str().map(str::to_owned))
        .collect()
}

impl Step {
    fn read(body: Value<'_>, catalogue: &Catalogue) -> Result<Self, ApiError> {
        let preferred_brands = brands_as_typed(&body).unwrap_or_default();
        let mut findings = Findings::default();
        let given = Fields::new(body, "", &mut findings).map(|mut fields| {
            let given = Given::read(&mut fields, catalogue);
            fields.finish();
            given
        });
        let Some(Given {
            user_id,
            session_id,
            draft: Some(draft),
            judged: Some(judged),
            target_score,
        }) = given
        else {
            return Err(ApiError::InvalidFields(findings.errors));
        };
        let asked = draft.finish(findings)?;
        if judged.is_empty() {
            return Err(ApiError::NoFeedback);
        }
        Ok(Self {
            user_id,
            session_id,
            asked,
            preferred_brands,
            judged,
            target_score,
        })
    }

    /// Learns, recommends and writes the answer.
    fn take(mut self, served: &ServedCatalogue, metrics: &Metrics) -> Result<(Bytes, Counted), ApiError> {
        let catalogue = &served.catalogue;
        let feedbacks: Vec<Feedback<'_>> = self
            .judged
            .iter()
            .filter_map(|Judged { car_id, liked }| {
                let liked = (*liked)?;
                Some(Feedback { car_id, liked })
            })
            .collect();
        let refinement = refine(catalogue, &self.asked.questionnaire, &feedbacks);
        let started = Instant::now();
        let before = catalogue.recommend(&self.asked.questionnaire);
        metrics.recommendation_made(started.elapsed());
        self.asked.questionnaire.priorities = refinement.priorities;
        let moved = !refinement.changes.is_empty();
        let after = moved.then(|| catalogue.recommend(&self.asked.questionnaire));
        let after = after.as_ref().unwrap_or(&before);
        let confidence = if moved {
            confidence(catalogue, &self.judged)
        } else {
            0.0
        };
        let body = self
            .write(served, &refinement, confidence, &before, after)
            .map_err(|_| ApiError::Internal)?;
        Ok((body, recommend::counted(&self.asked, after)))
    }

    fn write(
        &self,
        served: &ServedCatalogue,
        refinement: &Refinement,
        confidence: f64,
        before: &Recommendation<'_>,
        after: &Recommendation<'_>,
    ) -> Result<Bytes, WriteError> {
        let mut recommendation = Answer::new(&served.catalogue, &served.texts, &self.asked, after);
        recommendation.mark_improved(|place| is_better_placed(before, after, place));
        let best_score = after
            .cars
            .iter()
            .map(|car| f64::from(car.match_tenths) / 1000.0)
            .fold(0.0, f64::max);
        let converged = best_score >= self.target_score;
        let wanted = &self.asked.questionnaire;
        let answer = RefinementAnswer {
            user_id: self.user_id.as_deref(),
            session_id: self.session_id.as_deref(),
            iteration: 1,
            converged,
            best_score,
            target_score: self.target_score,
            weight_adjustments: WeightAdjustments {
                original_weights: shares(before),
                adjusted_weights: shares(after),
                adjustment_reason: &refinement.text,
                confidence_score: confidence,
            },
            insights: self.insights(refinement, before, after),
            next_steps: next_steps(after.cars.is_empty(), converged),
            updated_profile: UpdatedProfile {
                prioridades: Quality::ALL
                    .map(|quality| (quality.word(), wanted.priorities.0[quality.index()]))
                    .into(),
                marcas_preferidas: &self.preferred_brands,
                tipos_preferidos: wanted
                    .preferred_categories
                    .iter()
                    .copied()
                    .map(Category::word)
                    .collect(),
            },
            recommendation,
        };
        body_of(&answer)
    }

    fn insights(
        &self,
        refinement: &Refinement,
        before: &Recommendation<'_>,
        after: &Recommendation<'_>,
    ) -> Vec<String> {
        let mut insights = vec![refinement.text.clone()];
        let silent = self.judged.iter().filter(|judged| judged.liked.is_none()).count();
        if silent > 0 {
            let counted = if silent == 1 {
                "1 avaliação não diz"
            } else {
                &format!("{silent} avaliações não dizem")
            };
            insights.push(format!(
                "{counted} se você gostou do carro e por isso não contou para as prioridades."
            ));
        }
        if let (Some(was), Some(is)) = (before.cars.first(), after.cars.first())
            && was.car.car.id != is.car.car.id
        {
            insights.push(format!(
                "O primeiro da lista agora é {} {}, no lugar de {} {}.",
                is.car.display_name(),
                is.car.car.year,
                was.car.display_name(),
                was.car.car.year
            ));
        }
        insights
    }
}

impl Given {
    fn read(fields: &mut Fields<'_>, catalogue: &Catalogue) -> Self {
        let user_id = fields.id("user_id");
        let session_id = fields.id("session_id");
        let mut draft = None;
        fields.required("current_profile", |fields, name| {
            fields.object(name, |inner| draft = Some(Draft::read(inner, catalogue)));
            Some(())
        });
        // Without one it is a refusal of its own, which says so.
        fields.narrow("feedbacks", || json!({"minItems": 1}));
        let judged = fields.required("feedbacks", |fields, name| {
            fields.objects(name, MOST_FEEDBACKS, judged)
        });
        // One step is taken whatever is asked for; older apps send how many they would take.
        fields.integer::<u32>("max_iterations", 1..=1_000);
        let target_score = fields.number("target_score", 0.0..=1.0).unwrap_or(DEFAULT_TARGET);
        Self {
            user_id,
            session_id,
            draft,
            judged,
            target_score,
        }
    }
}

/// One feedback. Fields that older apps copy from the car are accepted; the car is looked up in the catalogue.
fn judged(fields: &mut Fields<'_>) -> Option<Judged> {
    let car_id = fields.required("car_id", Fields::id);
    let words = FeedbackAction::ALL.map(FeedbackAction::word);
    let action = fields.required("action", |fields, name| {
        fields.word(name, &words, FeedbackAction::from_word)
    });
    fields.pass_over(&[
        "user_id",
        "session_id",
        "rating",
        "comment",
        "recommendation_position",
        "car_marca",
        "car_categoria",
        "car_preco",
        "car_ano",
        "car_score",
        "timestamp",
    ]);
    Some(Judged {
        car_id: car_id?,
        liked: match action? {
            FeedbackAction::Liked | FeedbackAction::ClickedWhatsapp => Some(true),
            FeedbackAction::Disliked => Some(false),
            // To look closer says nothing of what one saw.
            FeedbackAction::ViewedDetails | FeedbackAction::Compared => None,
        },
    })
}

/// What each criterion weighs, as a share of the whole.
fn shares(recommendation: &Recommendation<'_>) -> BTreeMap<&'static str, f64> {
    let weights = recommendation.weights.iter();
    weights
        .map(|(criterion, weight)| (Criterion::word(*criterion), f64::from(*weight) / WHOLE_WEIGHT))
        .collect()
}

/// Grows with the number of cars that were judged and are still in the stock.
fn confidence(catalogue: &Catalogue, judged: &[Judged]) -> f64 {
    let mut cars: Vec<&str> = judged
        .iter()
        .filter(|judged| judged.liked.is_some() && catalogue.car(&judged.car_id).is_some())
        .map(|judged| judged.car_id.as_str())
        .collect();
    cars.sort_unstable();
    cars.dedup();
    cars.len().min(SURE_FROM) as f64 / SURE_FROM as f64
}

/// Whether the car at a place stood lower before, or not in the list at all.
fn is_better_placed(before: &Recommendation<'_>, after: &Recommendation<'_>, place: usize) -> bool {
    let id = &after.cars[place].car.car.id;
    before
        .cars
        .iter()
        .position(|car| car.car.car.id == *id)
        .is_none_or(|was| was > place)
}

fn next_steps(empty: bool, converged: bool) -> &'static str {
    if empty {
        "Nenhum carro atende ao que você pediu: veja em suggestion o que mudar."
    } else if converged {
        "Encontramos carros que combinam muito com você: veja os detalhes e fale com a loja."
    } else {
        "Avalie mais carros da lista, dizendo de quais gostou e de quais não gostou, para ajustarmos melhor."
    }
}
