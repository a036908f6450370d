//! A dealer's stock: the whole of it in and out, and one car.

use actix_web::{
    HttpRequest, HttpResponse,
    dev::Decompress,
    http::header::{
        ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH,
        VARY,
    },
    web,
};
use futures::StreamExt;
use serde::Serialize;

use super::{let_dealer, parts_of, tell_replay};
use crate::{
    desk::{Answered, CarReceipt, IfMatch, StockReceipt, aside},
    error::ApiError,
    fields::Warning,
    idempotency::{IdempotencyKey, Identity},
    routes::{query::Query, recommend::parse},
    startup::Shared,
    state::once::Fingerprint,
    stock::upload::{CarPatch, LineReader, Unreadable, Upload},
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
            Unreadable::TooLarge => Self::BodyTooLarge,
            Unreadable::Broken { line, column } => Self::BrokenJson { line, column },
        }
    }
}

/// A receipt with what was sent and not used.
#[derive(Serialize)]
struct Answer<Receipt> {
    #[serde(flatten)]
    receipt: Receipt,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
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
    let known = text_of(&request, &IF_NONE_MATCH).map(IfMatch::parse);
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
    let (dry_run, _) = Query::parse(request.query_string())?.read(&[], &["dry_run"], |fields| {
        fields.flag("dry_run").unwrap_or(false)
    })?;
    let form = form(&request)?;
    // A trial does nothing that could be done twice.
    let key = IdempotencyKey::of(&request)?.filter(|_| !dry_run);
    let condition = text_of(&request, &IF_MATCH).map(IfMatch::parse);
    // Who does not exist need not send a hundred thousand cars to learn it.
    let dealership = shared.desk.dealer(&id).await?.dealership;
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
    let condition = text_of(&request, &IF_MATCH).map(IfMatch::parse);
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

/// What the body says it is.
fn form(request: &HttpRequest) -> Result<Form, ApiError> {
    let encoding = text_of(request, &CONTENT_ENCODING).unwrap_or("identity");
    if !["identity", "gzip", "br", "zstd", "deflate"].contains(&encoding.trim().to_ascii_lowercase().as_str())
    {
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
