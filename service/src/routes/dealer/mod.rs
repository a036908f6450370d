//! What holders of tokens do with one dealership: its record, its token and, in [`stock`], its cars.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL},
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
    document::Value,
    error::ApiError,
    fields::{Findings, Warning},
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

/// Refuses whoever is no administrator.
async fn let_admin(request: &HttpRequest, shared: &Shared) -> Result<(), ApiError> {
    let state = shared.desk.store.current();
    shared.desk.admins.let_admin(&*state, bearer(request)).await
}

/// Refuses whoever is neither this dealer nor an administrator.
async fn let_dealer(request: &HttpRequest, shared: &Shared, id: &str) -> Result<(), ApiError> {
    let state = shared.desk.store.current();
    shared.desk.admins.let_dealer(&*state, bearer(request), id).await
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
        .sent(&rows::dealership_shape().without("id"), example)
        .answers::<DealershipReceipt>(StatusCode::OK, "Os dados mudaram.")
        .answers::<DealershipReceipt>(StatusCode::CREATED, "A concessionária foi criada.")
        .refuses(writing())
}

pub(super) fn describe_make_token() -> Description {
    Description::new(Group::Dealers, "Cria o token de uma concessionária")
        .details("O token é mostrado uma só vez, e o anterior deixa de valer.")
        .only(Access::Administrators)
        .answers::<NewToken>(StatusCode::CREATED, "O token.")
        .refuses(writing().chain([ApiError::DealershipNotFound]))
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
    let (created, head) = shared.desk.put_dealership(dealership).await?;
    let mut answer = if created {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    Ok(answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(DealershipReceipt {
            id,
            created,
            catalog_version: head.version.to_string(),
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
    shared.desk.set_token(&id, Some(TokenDigest::of(&token))).await?;
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
    shared.desk.set_token(&path, None).await?;
    Ok(HttpResponse::NoContent()
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish())
}
