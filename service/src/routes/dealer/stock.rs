//! A dealer's stock: the whole of it in and out, and one car.

use actix_web::{
    HttpRequest, HttpResponse,
    dev::Decompress,
    http::{
        StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, VARY},
    },
    web,
};
use futures::StreamExt;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::json;

use super::{ANSWERED_BEFORE, KEY_TEXT, let_dealer, parts_of, tell_replay, writing};
use crate::{
    desk::{Answered, CarReceipt, IfMatch, StockReceipt, aside},
    error::ApiError,
    fields::{Fields, Warning},
    idempotency::{IdempotencyKey, Identity, KEY},
    routes::{
        openapi::{Access, Description, Group},
        query::Query,
        recommend::parse,
    },
    startup::Shared,
    state::once::Fingerprint,
    stock::{
        rows,
        upload::{CarPatch, LineReader, MOST_CARS, Unreadable, Upload},
    },
    unpacking,
};

/// The largest array, unpacked: it is held whole while it is read.
const LARGEST_ARRAY: usize = 64 << 20;

/// The largest NDJSON, unpacked: it is never held, so this only bounds the work.
const LARGEST_LINES: usize = 256 << 20;

/// How much is read before other requests of the same thread get their turn: about a millisecond of work.
const TURN_BYTES: usize = 64 << 10;

const NDJSON: &str = "application/x-ndjson";

/// How rows come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Array,
    Lines,
}

impl From<Unreadable> for ApiError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::TooManyCars | Unreadable::LongLine(_) | Unreadable::LongRow(_) => Self::BodyTooLarge,
            Unreadable::Broken { line, column } => Self::BrokenJson { line, column },
        }
    }
}

/// A receipt with what was sent and not used.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{Receipt}Answer")]
struct Answer<Receipt> {
    #[serde(flatten)]
    receipt: Receipt,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

const ETAG_TEXT: &str = "O estoque como está: para If-Match e If-None-Match.";
const IF_MATCH_TEXT: &str =
    "A ETag que se leu: a gravação só vale sobre este estoque, senão é 412. * vale sobre qualquer um.";

pub(in crate::routes) fn describe() -> Description {
    Description::new(Group::Dealers, "O estoque de uma concessionária")
        .only(Access::Dealers)
        .details("Uma linha por carro com Accept: application/x-ndjson.")
        .header("If-None-Match", "ETag que já se tem.")
        .answers_as(
            StatusCode::OK,
            "O estoque.",
            &[
                (
                    "application/json",
                    Some(SchemaGenerator::subschema_for::<Vec<rows::CarRow<'static>>>),
                ),
                (NDJSON, None),
            ],
        )
        .with_header("ETag", ETAG_TEXT)
        .answers_as(StatusCode::NOT_MODIFIED, "É o que já se tem.", &[])
        .with_header("ETag", ETAG_TEXT)
        .refuses([ApiError::DealershipNotFound])
}

pub(in crate::routes) fn describe_put() -> Description {
    let row = json!({
        "id": "argo-17", "marca": "Fiat", "modelo": "Argo", "versao": "1.0 Drive", "ano": 2021, "preco": 61_990,
        "quilometragem": 41_000, "combustivel": "flex", "cambio": "manual", "categoria": "Hatch",
    });
    Description::new(Group::Dealers, "Grava o estoque inteiro de uma concessionária")
        .details(
            "Tudo ou nada: cada linha com erro é citada. Também com Content-Encoding: gzip. Sem If-Match, um carro \
             marcado como vendido nas últimas 24 horas continua vendido e é citado em kept_sold. A lista vazia esvazia o \
             estoque. Ids são únicos entre concessionárias.",
        )
        .only(Access::Dealers)
        .query(|fields| {
            dry_run(fields);
        })
        .header("If-Match", IF_MATCH_TEXT)
        .header_like(KEY, KEY_TEXT, IdempotencyKey::schema())
        .sent_as(
            "application/json",
            json!({"type": "array", "maxItems": MOST_CARS, "items": {"$ref": "#/components/schemas/StockRowSent"}}),
            json!([row]),
        )
        .sent_as(
            NDJSON,
            json!({
                "type": "array", "minItems": 1, "maxItems": MOST_CARS,
                "items": {"$ref": "#/components/schemas/StockRowSent"},
                "description": "Um carro por linha, sem lista em volta: cada item é uma linha.",
            }),
            json!([row]),
        )
        .answers::<Answer<StockReceipt>>(StatusCode::OK, "O estoque foi gravado, ou seria sem dry_run.")
        .with_header("ETag", ETAG_TEXT)
        .with_optional_header(ANSWERED_BEFORE.0, ANSWERED_BEFORE.1)
        .refuses(writing().chain([
            ApiError::IdempotencyMismatch,
            ApiError::DealershipNotFound,
            ApiError::EtagMismatch,
            ApiError::Busy,
            ApiError::InvalidRows {
                errors: Vec::new(),
                total: 0,
            },
        ]))
}

pub(in crate::routes) fn describe_patch_car() -> Description {
    Description::new(Group::Dealers, "Muda o preço ou a disponibilidade de um carro")
        .details("Vale em todas as réplicas em um segundo, e confirma o carro.")
        .only(Access::Dealers)
        .header("If-Match", IF_MATCH_TEXT)
        .header_like(KEY, KEY_TEXT, IdempotencyKey::schema())
        .sent(&CarPatch::shape(), json!({"disponivel": false}))
        .answers::<Answer<CarReceipt>>(StatusCode::OK, "O carro mudou.")
        .with_header("ETag", ETAG_TEXT)
        .with_optional_header(ANSWERED_BEFORE.0, ANSWERED_BEFORE.1)
        .refuses(writing().chain([
            ApiError::IdempotencyMismatch,
            ApiError::DealershipNotFound,
            ApiError::CarNotFound,
            ApiError::EtagMismatch,
        ]))
}

/// Whether all is checked and nothing changed.
fn dry_run(fields: &mut Fields<'_>) -> bool {
    fields.flag("dry_run").unwrap_or(false)
}

/// `GET /dealerships/{id}/stock`
pub(in crate::routes) async fn show(
    request: HttpRequest,
    path: web::Path<String>,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let_dealer(&request, &shared, &path).await?;
    let page = shared.desk.page(&path).await?;
    let headers = [
        (ETAG, page.etag.as_str()),
        // Always asked again: a sale must show.
        (CACHE_CONTROL, "private, no-cache"),
        (VARY, "Accept, Authorization"),
    ];
    let known = condition_of(&request, &IF_NONE_MATCH);
    if known.is_some_and(|known| known.names(&page.etag)) {
        let mut answer = HttpResponse::NotModified();
        for header in headers {
            answer.insert_header(header);
        }
        return Ok(answer.finish());
    }
    let lines = text_of(&request, &ACCEPT).is_some_and(|accept| accept.contains(NDJSON));
    let mut answer = HttpResponse::Ok();
    for header in headers {
        answer.insert_header(header);
    }
    if lines {
        return Ok(answer.insert_header((CONTENT_TYPE, NDJSON)).body(page.lines));
    }
    let mut array = page.lines;
    // No text of JSON holds a line break, so each one that there is ends a row.
    array.pop();
    for byte in array.iter_mut().filter(|byte| **byte == b'\n') {
        *byte = b',';
    }
    array.insert(0, b'[');
    array.push(b']');
    Ok(answer
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(array))
}

/// `PUT /dealerships/{id}/stock`
pub(in crate::routes) async fn put(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let id = path.into_inner();
    let_dealer(&request, &shared, &id).await?;
    // A trial that is misspelt must not replace the stock.
    let dry_run = Query::parse(request.query_string())?.read_strictly(&[], &["dry_run"], dry_run)?;
    let form = form(&request)?;
    // A trial does nothing that could be done twice.
    let key = IdempotencyKey::of(&request)?.filter(|_| !dry_run);
    let condition = condition_of(&request, &IF_MATCH);
    // Who does not exist need not send a hundred thousand cars to learn it.
    let dealership = shared.desk.record(&id).await?;
    let place = shared.desk.place()?;
    let mut fingerprint = key.is_some().then(|| {
        let mut fingerprint = Fingerprint::default();
        for part in parts_of(&request, "", b"") {
            fingerprint.part(part);
        }
        fingerprint
    });
    let mut upload = receive(&request, payload, form, &id, &shared, fingerprint.as_mut()).await?;
    let identity = key.zip(fingerprint).map(|(key, fingerprint)| Identity {
        key: key.within("stock", &id),
        fingerprint: fingerprint.finish(),
    });
    let warnings = std::mem::take(&mut upload.findings.warnings);
    let written = shared
        .desk
        .put_stock(dealership, upload, condition, dry_run, identity.as_ref())
        .await?;
    // Whoever waits for the disk holds no rows.
    drop(place);
    let Answered::<StockReceipt> { receipt, replayed } = written.confirmed().await?;
    tracing::info!(cars = receipt.cars, dry_run, replayed, "a stock was handed in");
    let mut answer = HttpResponse::Ok();
    tell_replay(&mut answer, replayed);
    Ok(answer
        .insert_header((ETAG, receipt.etag.as_str()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Answer { receipt, warnings }))
}

/// `PATCH /dealerships/{id}/cars/{car_id}`
pub(in crate::routes) async fn patch_car(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Bytes,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let (id, car) = path.into_inner();
    let_dealer(&request, &shared, &id).await?;
    let (patch, findings) = CarPatch::read(parse(&request, &body)?, shared.desk.clock.today());
    if findings.error_count > 0 {
        return Err(ApiError::InvalidFields(findings.errors));
    }
    let identity = IdempotencyKey::of(&request)?
        .map(|key| Identity::of_parts(key.within("car", &id), &parts_of(&request, &car, &body)));
    let condition = condition_of(&request, &IF_MATCH);
    let written = shared
        .desk
        .patch_car(&id, &car, patch, condition, identity.as_ref())
        .await?;
    let Answered::<CarReceipt> { receipt, replayed } = written.confirmed().await?;
    let mut answer = HttpResponse::Ok();
    tell_replay(&mut answer, replayed);
    Ok(answer
        .insert_header((ETAG, receipt.etag.as_str()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Answer {
            receipt,
            warnings: findings.warnings,
        }))
}

fn text_of<'request>(request: &'request HttpRequest, name: &HeaderName) -> Option<&'request str> {
    request.headers().get(name)?.to_str().ok()
}

/// The tags that a header names, on however many lines; `None` without the header. What is no text names no tag of ours:
/// such a condition is there, and is not met.
fn condition_of(request: &HttpRequest, name: &HeaderName) -> Option<IfMatch> {
    let mut lines = request.headers().get_all(name).peekable();
    lines.peek()?;
    let texts: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    Some(IfMatch::parse(&texts.join(",")))
}

/// What the body says it is.
fn form(request: &HttpRequest) -> Result<Form, ApiError> {
    if !unpacking::is_known(request.headers()) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let declared = text_of(request, &CONTENT_TYPE).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/json" => Ok(Form::Array),
        NDJSON | "application/ndjson" => Ok(Form::Lines),
        _ => Err(ApiError::UnsupportedMediaType),
    }
}

/// Reads the body as it arrives, unpacked; what is sent packed once and plain the next time is the same.
async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    form: Form,
    dealership: &str,
    shared: &Shared,
    mut fingerprint: Option<&mut Fingerprint>,
) -> Result<Upload, ApiError> {
    let today = shared.desk.clock.today();
    let mut body = Decompress::from_headers(payload, request.headers());
    let mut lines = LineReader::new(dealership, today);
    let mut array = Vec::new();
    let mut received = 0;
    let largest = match form {
        Form::Array => LARGEST_ARRAY,
        Form::Lines => LARGEST_LINES,
    };
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| ApiError::BrokenBody)?;
        received += chunk.len();
        if received > largest {
            return Err(ApiError::BodyTooLarge);
        }
        if let Some(fingerprint) = &mut fingerprint {
            fingerprint.more(&chunk);
        }
        match form {
            Form::Array => array.extend_from_slice(&chunk),
            Form::Lines => {
                for part in chunk.chunks(TURN_BYTES) {
                    lines.push(part)?;
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    let upload = match form {
        Form::Lines => lines.finish()?,
        Form::Array => {
            let dealership = dealership.to_owned();
            aside(move || Upload::from_array(&array, &dealership, today)).await??
        }
    };
    Ok(upload)
}
