//! What holders of tokens do with one dealership: its record, its token and, in [`stock`], its cars.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, IF_MATCH},
    },
    web,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{
    openapi::{Access, Description, Group},
    recommend::parse,
};
use crate::{
    desk::Answered,
    document::Value,
    error::ApiError,
    fields::{Findings, Warning},
    idempotency::{IdempotencyKey, Identity, KEY, REPLAYED},
    random,
    startup::Shared,
    state::dealers::TokenDigest,
    stock::{rows, upload::in_portuguese},
};

pub(super) mod stock;

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;

/// What tokens of dealers begin with, so that tools that look for lost secrets know one.
const TOKEN_PREFIX: &str = "fad_";

/// The digest of the token that came with a request; the token itself goes no further.
fn bearer(request: &HttpRequest) -> Option<TokenDigest> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| TokenDigest::of(token))
}

/// Whether a request shows a token, anybody's.
pub(super) fn has_bearer(request: &HttpRequest) -> bool {
    bearer(request).is_some()
}

/// Refuses whoever is no administrator.
pub(super) async fn let_admin(request: &HttpRequest, shared: &Shared) -> Result<(), ApiError> {
    let state = shared.desk.store.current();
    shared.desk.admins.let_admin(&*state, bearer(request)).await
}

/// Refuses whoever is neither this dealer nor an administrator.
async fn let_dealer(request: &HttpRequest, shared: &Shared, id: &str) -> Result<(), ApiError> {
    let state = shared.desk.store.current();
    shared.desk.admins.let_dealer(&*state, bearer(request), id).await
}

/// What tells a request from others under the same key, besides its path: its condition and its body.
fn parts_of<'a>(request: &'a HttpRequest, path: &'a str, body: &'a [u8]) -> [&'a [u8]; 3] {
    let condition = request.headers().get(IF_MATCH);
    [
        path.as_bytes(),
        condition.map_or(b"", |value| value.as_bytes()),
        body,
    ]
}

/// Says on an answer that it was given before.
fn tell_replay(answer: &mut HttpResponseBuilder, replayed: bool) {
    if replayed {
        answer.insert_header(REPLAYED);
    }
}

#[derive(Serialize, JsonSchema)]
struct DealershipReceipt {
    id: String,
    created: bool,
    catalog_version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

pub(super) fn describe_put() -> Description {
    let example =
        json!({"name": "Loja do Centro", "city": "Curitiba", "state": "PR", "whatsapp": "(41) 98765-4321"});
    Description::new(Group::Dealers, "Cria uma concessionária ou muda seus dados")
        .details("Substitui os dados por inteiro; o estoque fica. O id é o do endereço.")
        .only(Access::Administrators)
        .path("id", rows::identifier_schema())
        .header_like(KEY, KEY_TEXT, IdempotencyKey::schema())
        .sent(&rows::dealership_shape().without("id"), example)
        .answers::<DealershipReceipt>(StatusCode::OK, "Os dados mudaram.")
        .with_optional_header(ANSWERED_BEFORE.0, ANSWERED_BEFORE.1)
        .answers::<DealershipReceipt>(StatusCode::CREATED, "A concessionária foi criada.")
        .with_optional_header(ANSWERED_BEFORE.0, ANSWERED_BEFORE.1)
        .refuses(writing().chain([ApiError::IdempotencyMismatch]))
}

pub(super) fn describe_make_token() -> Description {
    Description::new(Group::Dealers, "Cria o token de uma concessionária")
        .details("O token é mostrado uma só vez, e o anterior deixa de valer.")
        .only(Access::Administrators)
        .header_like(
            KEY,
            "Uma chave à escolha: com ela o token é feito uma só vez.",
            IdempotencyKey::schema(),
        )
        .answers::<NewToken>(StatusCode::CREATED, "O token.")
        .refuses(writing().chain([
            ApiError::DealershipNotFound,
            ApiError::IdempotencyKeyUsed,
            ApiError::InvalidFields(Vec::new()),
        ]))
}

pub(super) fn describe_revoke_token() -> Description {
    Description::new(Group::Dealers, "Revoga o token de uma concessionária")
        .only(Access::Administrators)
        .answers_as(
            StatusCode::NO_CONTENT,
            "Não há mais token, também quando já não havia.",
            &[],
        )
        .refuses(writing().chain([ApiError::DealershipNotFound]))
}

const KEY_TEXT: &str =
    "Uma chave à escolha: o mesmo pedido com a mesma chave é feito uma só vez em 24 horas.";
/// The header that tells a repetition.
const ANSWERED_BEFORE: (&str, &str) = (
    "Idempotency-Replayed",
    "true quando a resposta é a de antes e nada foi feito agora.",
);

/// Why a store may not take what is written.
fn writing() -> impl Iterator<Item = ApiError> {
    [
        ApiError::StockMoved,
        ApiError::WritesHeldBack,
        ApiError::StoreFull,
    ]
    .into_iter()
}

/// A token, shown this once.
#[derive(Serialize, JsonSchema)]
struct NewToken {
    dealership_id: String,
    token: String,
}

/// `PUT /dealerships/{id}`
pub(super) async fn put_dealership(
    request: HttpRequest,
    path: web::Path<String>,
    body: web::Bytes,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let_admin(&request, &shared).await?;
    let id = path.into_inner();
    let identity = IdempotencyKey::of(&request)?
        .map(|key| Identity::of_parts(key.within("record", &id), &parts_of(&request, "", &body)));
    let mut value = parse(&request, &body)?;
    let mut findings = Findings::default();
    if let Some(fields) = value.as_object_mut() {
        let named = fields.insert("id", Value::String(id.as_str().into()));
        if named.is_some_and(|named| named.as_str() != Some(id.as_str())) {
            findings.error("/id", "other_dealership", "deve ser o id deste endereço");
        }
    }
    let dealership = rows::dealership(value, String::new(), &mut findings);
    if let Some(dealership) = &dealership
        && dealership.latitude.is_some() != dealership.longitude.is_some()
    {
        let (code, message) = in_portuguese("latitude", shared.desk.clock.today());
        findings.error("/latitude", code, message);
    }
    let Some(dealership) = dealership.filter(|_| findings.error_count == 0) else {
        return Err(ApiError::InvalidFields(findings.errors));
    };
    let written = shared.desk.put_dealership(dealership, identity.as_ref()).await?;
    let Answered { receipt, replayed } = written.confirmed().await?;
    let mut answer = if receipt.created {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    tell_replay(&mut answer, replayed);
    Ok(answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(DealershipReceipt {
            id,
            created: receipt.created,
            catalog_version: receipt.catalog_version,
            warnings: findings.warnings,
        }))
}

/// `POST /dealerships/{id}/token`: a new token in place of the one before.
pub(super) async fn make_token(
    request: HttpRequest,
    path: web::Path<String>,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let_admin(&request, &shared).await?;
    let token = format!("{TOKEN_PREFIX}{}", random::hexadecimal(TOKEN_BYTES));
    let id = path.into_inner();
    let once = IdempotencyKey::of(&request)?.map(|key| key.within("token", &id));
    shared
        .desk
        .set_token(&id, Some(TokenDigest::of(&token)), once.as_ref())
        .await?;
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(NewToken {
            dealership_id: id,
            token,
        }))
}

/// `DELETE /dealerships/{id}/token`
pub(super) async fn revoke_token(
    request: HttpRequest,
    path: web::Path<String>,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let_admin(&request, &shared).await?;
    // What is revoked twice is revoked: no key is needed.
    shared.desk.set_token(&path, None, None).await?;
    Ok(HttpResponse::NoContent()
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish())
}
