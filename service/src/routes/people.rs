//! `GET` and `DELETE /users/{id}/data`: everything that is held of a person, and its erasure (LGPD).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CACHE_CONTROL},
    web,
};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    event_answer::EventAnswer,
    identity::{asker, id_of_path},
    openapi::{Access, Description, Group},
};
use crate::{
    error::ApiError,
    fields::id_schema,
    journal::people::{Asker, Traces, was_erased},
    startup::Shared,
};

/// Backups from before a restore are kept for this long at most, however short the others are kept.
const LONGEST_SAFETY_BACKUP_DAYS: u16 = 30;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PersonData")]
struct DataAnswer<'a> {
    id: &'a str,
    linked_ids: &'a [String],
    events: Vec<EventAnswer<'a>>,
    places: Vec<PlaceAnswer>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Place")]
struct PlaceAnswer {
    place: &'static str,
    held: bool,
    note: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Erasure")]
struct ErasureAnswer<'a> {
    erased_events: usize,
    ids_erased: &'a [String],
    searched: Vec<&'static str>,
    erased_at: String,
    backups_gone_by: String,
}

/// Where something about a person could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Events,
    Index,
    Totals,
    Ledger,
    Buffer,
    ResponseCache,
    RateLimits,
    Logs,
    Metrics,
    Backups,
}

impl Place {
    const ALL: [Self; 10] = [
        Self::Events,
        Self::Index,
        Self::Totals,
        Self::Ledger,
        Self::Buffer,
        Self::ResponseCache,
        Self::RateLimits,
        Self::Logs,
        Self::Metrics,
        Self::Backups,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Index => "index",
            Self::Totals => "totals",
            Self::Ledger => "erasure_ledger",
            Self::Buffer => "interaction_buffer",
            Self::ResponseCache => "response_cache",
            Self::RateLimits => "rate_limits",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Backups => "backups",
        }
    }

    /// For the person, in Portuguese.
    const fn note(self) -> &'static str {
        match self {
            Self::Events => "Avaliações e interações, guardadas por 90 dias.",
            Self::Index => "Índice das avaliações e interações, sem o id legível.",
            Self::Totals => "Contagens de pessoas e carros distintos, sem o id legível.",
            Self::Ledger => {
                "Registro de que o id foi apagado, sem o id legível, para que um backup não o traga de volta."
            }
            Self::Buffer => "Interações à espera do armazenamento, na memória deste processo.",
            Self::ResponseCache => "Recomendações prontas: não guardam ids nem renda.",
            Self::RateLimits => "Contagem de pedidos por endereço de rede, por minutos: não guarda ids.",
            Self::Logs => "Registros de funcionamento: não trazem ids, conteúdo de pedidos nem renda.",
            Self::Metrics => "Medições: não trazem ids.",
            Self::Backups => "Cópias de segurança: somem no prazo que a exclusão informa.",
        }
    }
}

pub(super) fn describe() -> Description {
    Description::new(Group::Buyers, "Tudo o que se guarda de uma pessoa")
        .details(
            "De um usuário ou de uma sessão (LGPD). As sessões de um usuário vêm junto, salvo as em que outro foi visto. \
             Sem a chave e sem token é 401, exista o id ou não.",
        )
        .only(Access::Person)
        .path("id", id_schema())
        .answers::<DataAnswer<'static>>(StatusCode::OK, "O que se guarda, e onde.")
        .refuses([ApiError::InvalidFields(Vec::new())])
}

pub(super) fn describe_erasure() -> Description {
    Description::new(Group::Buyers, "Apaga tudo o que se guarda de uma pessoa")
        .details(
            "De um usuário ou de uma sessão (LGPD), com as sessões que são só dele. backups_gone_by diz até quando uma \
             cópia de segurança ainda pode ter algo. Depois de um erro, uma parte pode estar apagada: envie de novo.",
        )
        .only(Access::Person)
        .path("id", id_schema())
        .answers::<ErasureAnswer<'static>>(StatusCode::OK, "Está apagado, também quando já não havia nada.")
        .refuses([ApiError::InvalidFields(Vec::new())])
}

/// `GET /users/{id}/data`
pub(super) async fn show(
    request: HttpRequest,
    path: web::Path<String>,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let id = id_of_path("id", path.into_inner())?;
    let asker = asker(&request, &shared, &id).await?;
    let traces = shared.journal.traces_of(&id, asker).await?;
    let in_ledger = was_erased(&*shared.journal.state(), &id).await?;
    let is_waiting = shared.journal.waiting_of(&traces.ids) > 0;
    tracing::info!(events = traces.events.len(), "what is held of a person was shown");
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(DataAnswer {
            id: &id,
            linked_ids: traces.ids.get(1..).unwrap_or_default(),
            events: traces.events.iter().map(EventAnswer::from).collect(),
            places: places(&traces, in_ledger, is_waiting),
        }))
}

/// `DELETE /users/{id}/data`
///
/// Without `Idempotency-Key`: who is erased is erased, however often it is asked, and what came since goes as well. An
/// answer that is remembered would keep the id of somebody who wants to be forgotten.
pub(super) async fn erase(
    request: HttpRequest,
    path: web::Path<String>,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let id = id_of_path("id", path.into_inner())?;
    let asker = asker(&request, &shared, &id).await?;
    let Traces { ids, .. } = shared.journal.traces_of(&id, asker).await?;
    let (erased_events, erased) = shared.journal.erase(&ids).await?;
    let by_administrator = asker == Asker::Administrator;
    tracing::info!(
        erased_events,
        ids = ids.len(),
        by_administrator,
        "a person was erased"
    );
    let days = shared
        .journal
        .terms
        .backup_retention_days
        .max(LONGEST_SAFETY_BACKUP_DAYS);
    let kept = SignedDuration::from_hours(24 * i64::from(days));
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(ErasureAnswer {
            erased_events,
            ids_erased: &ids,
            searched: Place::ALL
                .into_iter()
                .filter(|place| *place != Place::Backups)
                .map(Place::word)
                .collect(),
            erased_at: erased.at.to_string(),
            backups_gone_by: erased
                .at
                .saturating_add(kept)
                .unwrap_or(Timestamp::MAX)
                .to_string(),
        }))
}

fn places(traces: &Traces, in_ledger: bool, is_waiting: bool) -> Vec<PlaceAnswer> {
    let has_events = !traces.events.is_empty();
    Place::ALL
        .into_iter()
        .map(|place| PlaceAnswer {
            place: place.word(),
            held: match place {
                // A backup of before an erasure still has what the store has no more.
                Place::Backups => has_events || in_ledger,
                Place::Events | Place::Index | Place::Totals => has_events,
                Place::Ledger => in_ledger,
                Place::Buffer => is_waiting,
                Place::ResponseCache | Place::RateLimits | Place::Logs | Place::Metrics => false,
            },
            note: place.note(),
        })
        .collect()
}
