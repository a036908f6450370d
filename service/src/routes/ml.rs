//! `GET /ml/stats` and `GET /ml/export-data`: what was collected, for administrators who train a model with it.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, LINK},
    },
    web,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{
    cars::{IGNORED, IGNORED_TEXT, named_unknown, next_page},
    dealer::let_admin,
    event_answer::EventAnswer,
    openapi::{Access, Description, Group},
    query::Query,
};
use crate::{
    error::ApiError,
    fields::Fields,
    startup::Shared,
    state::events::{Cursor, EventTotals, FeedbackAction, InteractionKind},
};

/// Fewer teach a model nothing.
const LEAST_FOR_TRAINING: u64 = 500;

const DEFAULT_LIMIT: usize = 1_000;
const LARGEST_LIMIT: i64 = 10_000;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CollectionStats")]
struct StatsAnswer {
    status: &'static str,
    data_collection: Collection,
    ml_readiness: Readiness,
    ml_model: Model,
}

#[derive(Serialize, JsonSchema)]
struct Collection {
    total_interactions: u64,
    click_count: u64,
    view_details_count: u64,
    whatsapp_contact_count: u64,
    unique_sessions: u64,
    unique_users: u64,
    unique_cars: u64,
    avg_duration_seconds: Option<f64>,
    last_interaction: Option<String>,
    total_feedbacks: u64,
    feedback_counts: BTreeMap<&'static str, u64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TrainingReadiness")]
struct Readiness {
    ready_for_training: bool,
    min_required_interactions: u64,
    progress_percentage: f64,
    interactions_needed: u64,
}

/// There is none yet: recommendations follow a published formula.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TrainedModel")]
struct Model {
    available: bool,
    version: Option<String>,
    last_trained: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventExport")]
struct ExportAnswer<'a> {
    events: Vec<EventAnswer<'a>>,
    /// The cursor of the next page.
    next: Option<String>,
}

pub(super) fn describe_stats() -> Description {
    Description::new(Group::Operation, "Quanto se coletou para treinar um modelo")
        .details("Ainda não há modelo: as recomendações seguem uma fórmula publicada.")
        .only(Access::Administrators)
        .answers::<StatsAnswer>(StatusCode::OK, "Os números.")
}

pub(super) fn describe_export() -> Description {
    Description::new(
        Group::Operation,
        "As avaliações e interações, das mais novas às mais velhas",
    )
    .details("A página seguinte está em next e no cabeçalho Link, com rel=\"next\".")
    .only(Access::Administrators)
    .query(|fields| {
        page(fields);
    })
    .answers::<ExportAnswer<'static>>(StatusCode::OK, "Uma página.")
    .with_optional_header("Link", "A página seguinte, quando há.")
    .with_optional_header(IGNORED, IGNORED_TEXT)
}

/// `GET /ml/stats`
pub(super) async fn stats(request: HttpRequest, shared: web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    let_admin(&request, &shared).await?;
    let totals = shared.journal.totals().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(StatsAnswer::from(&totals)))
}

/// `GET /ml/export-data`
pub(super) async fn export(
    request: HttpRequest,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let_admin(&request, &shared).await?;
    let ((limit, cursor), unknown) = Query::parse(request.query_string())?.read(&["limit"], &[], page)?;
    let events = shared.journal.state().export(limit, cursor).await?;
    let last = events.last().filter(|_| events.len() == limit);
    let next = last.map(|event| event.cursor().to_string());
    tracing::info!(events = events.len(), "events were exported");
    let mut response = named_unknown(HttpResponse::Ok(), &unknown);
    if let Some(next) = &next {
        let link = next_page(&request, next);
        response.insert_header((LINK, format!("<{link}>; rel=\"next\"")));
    }
    Ok(response
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(ExportAnswer {
            events: events.iter().map(EventAnswer::from).collect(),
            next,
        }))
}

/// How many events a page has at most, and where the page before ended.
fn page(fields: &mut Fields<'_>) -> (usize, Option<Cursor>) {
    let limit = fields.integer("limit", 1..=LARGEST_LIMIT);
    (limit.unwrap_or(DEFAULT_LIMIT), cursor(fields))
}

fn cursor(fields: &mut Fields<'_>) -> Option<Cursor> {
    fields.narrow("cursor", || json!({"pattern": "^[0-9]{1,14}-[0-9a-f]{32}$"}));
    let text = fields.text("cursor")?;
    let cursor = text.parse().ok();
    if cursor.is_none() {
        fields.error("cursor", "format", "deve vir de next em uma página anterior");
    }
    cursor
}

impl From<&EventTotals> for StatsAnswer {
    fn from(totals: &EventTotals) -> Self {
        let EventTotals {
            deeds,
            users,
            sessions,
            cars,
            durations,
            duration_seconds,
            last_at,
        } = totals;
        let count = |word| deeds.get(word).copied().unwrap_or_default();
        let interactions: u64 = InteractionKind::ALL
            .into_iter()
            .map(|kind| count(kind.word()))
            .sum();
        let feedback_counts: BTreeMap<_, _> = FeedbackAction::ALL
            .into_iter()
            .map(|action| (action.word(), count(action.word())))
            .collect();
        let progress = 100.0 * interactions.min(LEAST_FOR_TRAINING) as f64 / LEAST_FOR_TRAINING as f64;
        Self {
            status: "operational",
            data_collection: Collection {
                total_interactions: interactions,
                click_count: count(InteractionKind::Click.word()),
                view_details_count: count(InteractionKind::ViewDetails.word()),
                whatsapp_contact_count: count(InteractionKind::WhatsappContact.word()),
                unique_sessions: *sessions,
                unique_users: *users,
                unique_cars: *cars,
                avg_duration_seconds: (*durations > 0)
                    .then(|| (*duration_seconds as f64 / *durations as f64 * 10.0).round() / 10.0),
                last_interaction: last_at.map(|at| at.to_string()),
                total_feedbacks: feedback_counts.values().sum(),
                feedback_counts,
            },
            ml_readiness: Readiness {
                ready_for_training: interactions >= LEAST_FOR_TRAINING,
                min_required_interactions: LEAST_FOR_TRAINING,
                progress_percentage: (progress * 10.0).round() / 10.0,
                interactions_needed: LEAST_FOR_TRAINING.saturating_sub(interactions),
            },
            ml_model: Model {
                available: false,
                version: None,
                last_trained: None,
            },
        }
    }
}
