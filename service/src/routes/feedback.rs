//! `POST /feedback` and `GET /feedback/history/{user_id}`: what a buyer thinks of cars, and what is remembered of it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CACHE_CONTROL},
    web,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use self::history::History;
use super::{
    identity::{id_of_path, may_read_history},
    once::{KEY_TEXT, Once},
    openapi::{Access, Description, Group},
    recommend::parse,
    seen_car::{SeenCar, match_tenths, position},
};
use crate::{
    document::Value,
    error::ApiError,
    fields::{Fields, Findings, Warning, id_schema},
    idempotency::{IdempotencyKey, KEY},
    startup::Shared,
    state::events::{Deed, FeedbackAction, NewEvent, Recorded},
};

mod history;

/// Letters of the longest comment.
const LONGEST_COMMENT: usize = 1_000;

/// What is sent.
struct Given {
    user_id: String,
    session_id: Option<String>,
    car_id: String,
    action: FeedbackAction,
    rating: Option<u8>,
    comment: Option<String>,
    position: Option<u16>,
    match_tenths: Option<u16>,
    said: SeenCar,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FeedbackReceipt")]
struct FeedbackAnswer<'a> {
    status: &'static str,
    message: &'static str,
    user_id: &'a str,
    action: &'static str,
    car_id: &'a str,
    history: Option<history::InAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

pub(super) fn describe() -> Description {
    let example = json!({
        "user_id": "9f0c2a4e-5b7d-4e1f-8a3b-0c1d2e3f4a5b", "car_id": "amostra-renault-kwid-1-0-2", "action": "liked",
    });
    let shape = Fields::describe(|fields| drop(Given::of(fields)));
    Description::new(Group::Buyers, "O que um comprador achou de um carro")
        .details(
            "user_id é inventado pelo app; melhor um UUID ao acaso, que ninguém adivinha. A primeira resposta sobre ele \
             traz user_key, que depois abre o que se guarda dele. O que se guarda some em 90 dias.",
        )
        .only(Access::KeyTellsMore)
        .header_like(KEY, KEY_TEXT, IdempotencyKey::schema())
        .sent(&shape, example)
        .answers::<FeedbackAnswer<'static>>(StatusCode::OK, "Já estava registrada, com o mesmo conteúdo.")
        .answers::<FeedbackAnswer<'static>>(StatusCode::CREATED, "Está registrada.")
        .refuses([ApiError::CarNotFound, ApiError::IdempotencyMismatch])
}

pub(super) fn describe_history() -> Description {
    Description::new(Group::Buyers, "O que se lembra das avaliações de um comprador")
        .details(
            "Com a chave do id, ou sem ela quando o id é um UUID ao acaso (versão 4). Todo o resto é o mesmo 404, para \
             que ninguém descubra que ids existem.",
        )
        .only(Access::KeyTellsMore)
        .path("user_id", id_schema())
        .answers::<history::Whole<'static>>(StatusCode::OK, "O histórico.")
        .refuses([ApiError::HistoryNotFound, ApiError::InvalidFields(Vec::new())])
}

/// `POST /feedback`
pub(super) async fn give(
    request: HttpRequest,
    body: web::Bytes,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let (given, warnings) = Given::read(parse(&request, &body)?)?;
    let once = given.once(&request, &shared)?;
    let car = SeenCar::find(&shared, &given.car_id, given.said.clone())?;
    let may_read = may_read_history(&request, &shared, &given.user_id).await?;
    // Before anything is written: a key that could not be told would be lost for ever.
    let keys = shared.journal.person_keys().await?;
    let recorded = shared.journal.record(given.event(once, &car)).await?;
    let (repeated, receipt) = match recorded {
        Recorded::Stored(receipt) => (false, Some(receipt)),
        Recorded::Repeated(receipt) => (true, Some(receipt)),
        Recorded::Differs if once.named => return Err(ApiError::IdempotencyMismatch),
        // The same deed within seconds, with another remark beside it: the first stands.
        Recorded::Differs => (true, None),
    };
    // Whoever knows its secret name made the request; any other repetition may be somebody's guess.
    let is_first = receipt.is_some_and(|receipt| receipt.first_of_user) && (!repeated || once.is_secret);
    let user_key = is_first.then(|| keys.user_key(&given.user_id));
    // It is written: that the rest cannot be read now changes nothing about it.
    let events = shared.journal.state().events_of(&given.user_id).await;
    let events = events
        .inspect_err(|error| tracing::warn!(%error, "a history cannot be read"))
        .ok();
    let history = events
        .as_deref()
        .map(|events| History::of(&given.user_id, events));
    let own_car = (given.action == FeedbackAction::Liked).then_some(&car);
    let answer = FeedbackAnswer {
        status: "success",
        message: if repeated {
            "Esta avaliação já estava registrada."
        } else {
            "Avaliação registrada."
        },
        user_id: &given.user_id,
        action: given.action.word(),
        car_id: &given.car_id,
        history: history
            .as_ref()
            .map(|history| history.in_answer(may_read || is_first, own_car)),
        user_key,
        repeated,
        warnings,
    };
    let mut response = if repeated {
        HttpResponse::Ok()
    } else {
        HttpResponse::Created()
    };
    Ok(response.insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

/// `GET /feedback/history/{user_id}`
pub(super) async fn show_history(
    request: HttpRequest,
    path: web::Path<String>,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let id = id_of_path("user_id", path.into_inner())?;
    if !may_read_history(&request, &shared, &id).await? {
        return Err(ApiError::HistoryNotFound);
    }
    let events = shared.journal.state().events_of(&id).await?;
    let history = History::of(&id, &events);
    if history.is_empty() {
        return Err(ApiError::HistoryNotFound);
    }
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(history.whole(&id)))
}

impl Given {
    fn read(body: Value<'_>) -> Result<(Self, Vec<Warning>), ApiError> {
        let mut findings = Findings::default();
        let given = Fields::new(body, "", &mut findings).and_then(|mut fields| {
            let given = Self::of(&mut fields);
            fields.finish();
            given
        });
        match given {
            Some(given) if findings.error_count == 0 => Ok((given, findings.warnings)),
            _ => Err(ApiError::InvalidFields(findings.errors)),
        }
    }

    /// `None` only when a required field is missing or ill-typed, which is noted.
    fn of(fields: &mut Fields<'_>) -> Option<Self> {
        let user_id = fields.required("user_id", Fields::id);
        let car_id = fields.required("car_id", Fields::id);
        let words = FeedbackAction::ALL.map(FeedbackAction::word);
        let action = fields.required("action", |fields, name| {
            fields.word(name, &words, FeedbackAction::from_word)
        });
        let session_id = fields.id("session_id");
        let rating = fields.integer("rating", 1..=5);
        let comment = fields
            .free_text("comment", LONGEST_COMMENT)
            .filter(|comment| !comment.trim().is_empty());
        let position = position(fields);
        let match_tenths = match_tenths(fields, "car_score");
        let said = SeenCar {
            dealership: None,
            brand: fields.free_text("car_marca", 128),
            category: fields.free_text("car_categoria", 128),
            price: fields.money("car_preco"),
            year: fields.integer("car_ano", 1900..=2100),
        };
        // When it was, the store says: clocks of phones are wrong.
        fields.pass_over(&["timestamp"]);
        Some(Self {
            user_id: user_id?,
            session_id,
            car_id: car_id?,
            action: action?,
            rating,
            comment,
            position,
            match_tenths,
            said,
        })
    }

    /// A rating or a comment that comes after a like is something new to say, not the like sent again.
    fn once(&self, request: &HttpRequest, shared: &Shared) -> Result<Once, ApiError> {
        let rating = self.rating.map(|rating| rating.to_string()).unwrap_or_default();
        let comment = self.comment.as_deref().unwrap_or_default();
        let deed = [self.car_id.as_str(), self.action.word(), rating.as_str(), comment];
        Once::of(request, "feedback", &self.user_id, &deed, shared.journal.now())
    }

    fn event(&self, once: Once, car: &SeenCar) -> NewEvent {
        NewEvent {
            once: once.key,
            age: std::time::Duration::ZERO,
            user: Some(self.user_id.clone()),
            session: self.session_id.clone(),
            car: self.car_id.clone(),
            dealership: car.dealership.clone(),
            deed: Deed::Feedback {
                action: self.action,
                rating: self.rating,
                comment: self.comment.clone(),
            },
            facts: car.facts(self.position, self.match_tenths),
        }
    }
}
