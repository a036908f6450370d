//! `POST /interactions/track`: what a visitor did with a car. Nobody should notice when it fails, so while the store is
//! away it waits in this process, and the answer says so.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CACHE_CONTROL},
    web,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{
    once::{KEY_TEXT, Once},
    openapi::{Description, Group},
    recommend::parse,
    seen_car::{SeenCar, match_tenths, position},
};
use crate::{
    document::Value,
    error::ApiError,
    fields::{Fields, Findings, Warning},
    idempotency::{IdempotencyKey, KEY},
    journal::Outcome,
    startup::Shared,
    state::events::{Deed, InteractionKind, NewEvent, Recorded},
};

/// A day: nobody looks at a car for longer.
const LONGEST_LOOK_SECONDS: i64 = 86_400;

/// What is sent.
struct Tracked {
    session_id: String,
    user_id: Option<String>,
    car_id: String,
    kind: InteractionKind,
    duration_seconds: Option<u32>,
    position: Option<u16>,
    match_tenths: Option<u16>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InteractionReceipt")]
struct TrackedAnswer<'a> {
    status: &'static str,
    message: &'static str,
    stored: bool,
    interaction_type: &'static str,
    car_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

pub(super) fn describe() -> Description {
    let example = json!({
        "session_id": "1b4e28ba-2fa1-4d2b-883f-0016d3cca427", "car_id": "amostra-renault-kwid-1-0-2",
        "interaction_type": "view_details", "duration_seconds": 12,
    });
    let shape = Fields::describe(|fields| drop(Tracked::of(fields)));
    Description::new(Group::Buyers, "O que um visitante fez com um carro")
        .details(
            "session_id é inventado pelo app. A primeira resposta com stored: true sobre user_id, ou sobre session_id \
             onde não há usuário, traz user_key. O que se guarda some em 90 dias.",
        )
        .header_like(KEY, KEY_TEXT, IdempotencyKey::schema())
        .sent(&shape, example)
        .answers::<TrackedAnswer<'static>>(StatusCode::OK, "Já estava registrada, com o mesmo conteúdo.")
        .answers::<TrackedAnswer<'static>>(StatusCode::CREATED, "Está registrada.")
        .answers::<TrackedAnswer<'static>>(
            StatusCode::ACCEPTED,
            "Espera na memória pelo armazenamento, e ainda pode se perder: stored é false.",
        )
        .refuses([
            ApiError::CarNotFound,
            ApiError::IdempotencyMismatch,
            ApiError::StoreUnavailable,
            ApiError::StoreNotOpen,
            ApiError::BufferFull,
            ApiError::StoreFull,
        ])
}

/// `POST /interactions/track`
pub(super) async fn track(
    request: HttpRequest,
    body: web::Bytes,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let (tracked, warnings) = Tracked::read(parse(&request, &body)?)?;
    let once = tracked.once(&request, &shared)?;
    let car = SeenCar::find(&shared, &tracked.car_id, SeenCar::default())?;
    let outcome = shared.journal.record_or_hold(tracked.event(once, &car)).await?;
    let (repeated, receipt) = match outcome {
        // Without a key: whether the id is new, or somebody has its key already, only the store knows. The next answer of
        // the store about it carries the key.
        Outcome::Held => (false, None),
        Outcome::Recorded(Recorded::Stored(receipt)) => (false, Some(receipt)),
        Outcome::Recorded(Recorded::Repeated(receipt)) => (true, Some(receipt)),
        Outcome::Recorded(Recorded::Differs) if once.named => return Err(ApiError::IdempotencyMismatch),
        Outcome::Recorded(Recorded::Differs) => (true, None),
    };
    let is_first = receipt.is_some_and(|receipt| match tracked.user_id {
        Some(_) => receipt.first_of_user,
        None => receipt.first_of_session,
    });
    let user_key = if is_first && (!repeated || once.is_secret) {
        // It is written, and the next first answer is of another id: without the key an erasure takes an administrator.
        let keys = shared.journal.person_keys().await;
        keys.ok().map(|keys| keys.user_key(tracked.person()))
    } else {
        None
    };
    let stored = outcome != Outcome::Held;
    let (status, message) = match (stored, repeated) {
        (true, true) => ("success", "Esta interação já estava registrada."),
        (true, false) => ("success", "Interação registrada."),
        (false, _) => (
            "partial_success",
            "Interação recebida, à espera do armazenamento; ainda não está registrada.",
        ),
    };
    let mut response = match (stored, repeated) {
        (true, true) => HttpResponse::Ok(),
        (true, false) => HttpResponse::Created(),
        (false, _) => HttpResponse::Accepted(),
    };
    Ok(response
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(TrackedAnswer {
            status,
            message,
            stored,
            interaction_type: tracked.kind.word(),
            car_id: &tracked.car_id,
            user_key,
            repeated,
            warnings,
        }))
}

impl Tracked {
    fn read(body: Value<'_>) -> Result<(Self, Vec<Warning>), ApiError> {
        let mut findings = Findings::default();
        let tracked = Fields::new(body, "", &mut findings).and_then(|mut fields| {
            let tracked = Self::of(&mut fields);
            fields.finish();
            tracked
        });
        match tracked {
            Some(tracked) if findings.error_count == 0 => Ok((tracked, findings.warnings)),
            _ => Err(ApiError::InvalidFields(findings.errors)),
        }
    }

    /// `None` only when a required field is missing or ill-typed, which is noted.
    fn of(fields: &mut Fields<'_>) -> Option<Self> {
        let session_id = fields.required("session_id", Fields::id);
        let user_id = fields.id("user_id");
        let car_id = fields.required("car_id", Fields::id);
        let words = InteractionKind::ALL.map(InteractionKind::word);
        let kind = fields.required("interaction_type", |fields, name| {
            fields.word(name, &words, InteractionKind::from_word)
        });
        let duration_seconds = fields.integer("duration_seconds", 0..=LONGEST_LOOK_SECONDS);
        let position = position(fields);
        let match_tenths = match_tenths(fields, "score");
        // Older apps send these. Preferences may tell an income, the car is looked up, the store has a clock.
        fields.pass_over(&["timestamp", "user_preferences", "car_snapshot"]);
        Some(Self {
            session_id: session_id?,
            user_id,
            car_id: car_id?,
            kind: kind?,
            duration_seconds,
            position,
            match_tenths,
        })
    }

    /// Whom it belongs to: the user, where there is one.
    fn person(&self) -> &str {
        self.user_id.as_deref().unwrap_or(&self.session_id)
    }

    fn once(&self, request: &HttpRequest, shared: &Shared) -> Result<Once, ApiError> {
        let deed = [self.session_id.as_str(), self.car_id.as_str(), self.kind.word()];
        Once::of(request, "interaction", self.person(), &deed, shared.journal.now())
    }

    fn event(&self, once: Once, car: &SeenCar) -> NewEvent {
        NewEvent {
            once: once.key,
            age: std::time::Duration::ZERO,
            user: self.user_id.clone(),
            session: Some(self.session_id.clone()),
            car: self.car_id.clone(),
            dealership: car.dealership.clone(),
            deed: Deed::Interaction {
                kind: self.kind,
                duration_seconds: self.duration_seconds,
            },
            facts: car.facts(self.position, self.match_tenths),
        }
    }
}
