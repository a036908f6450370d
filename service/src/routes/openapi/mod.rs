//! `GET /openapi.json`: the API described for programs, as OpenAPI 3.1.
//!
//! ```text
//!   ENDPOINTS ─ describe() ▶ Description ─┬─ readers of bodies and queries, run on nothing ▶ Shape
//!                                         ├─ types of answers ▶ schemars
//!                                         └─ errors ▶ the table of errors ▶ statuses and headers
//! ```
//!
//! A route cannot be served without a description, and a field cannot be read or answered without standing in it.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EntityTag},
    },
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{ENDPOINTS, MANAGED_ENDPOINTS, assets, identity};
use crate::{error::Problem, stock::rows};

pub(crate) use description::{Access, Description, Group};

mod description;
mod glossary;
mod operation;

/// Every program that knows OpenAPI knows this type; few know the one of its own.
const MEDIA_TYPE: &str = "application/json";

/// The document as it is sent.
struct Sent {
    text: String,
    tag: String,
}

static DOCUMENT: LazyLock<Sent> = LazyLock::new(|| {
    let text = document().to_string();
    let tag = assets::digest(&text);
    Sent { text, tag }
});

/// The whole description.
#[must_use]
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = SchemaGenerator::new(settings);
    let problem = generator.subschema_for::<Problem<'static>>();

    let mut paths: Map<String, Value> = Map::new();
    for endpoint in ENDPOINTS.iter().chain(MANAGED_ENDPOINTS) {
        let operation = operation::write(
            endpoint,
            &(endpoint.describe)(),
            problem.as_value(),
            &mut generator,
        );
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.to_lowercase()] = operation;
    }
    let mut schemas = generator.take_definitions(true);
    for schema in schemas.values_mut() {
        glossary::translate(schema);
    }
    schemas.insert("StockRowSent".to_owned(), rows::car_shape().schema());
    let mut document = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "FacilIAuto",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Recomenda carros usados do estoque de muitas concessionárias.",
            "description": "Cada endereço atende com e sem /api à frente. Campos desconhecidos são aceitos e citados em \
                            warnings; maiúsculas e acentos de palavras conhecidas não importam. Uma recusa é sempre \
                            application/problem+json (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}, {"url": "/api"}],
        "tags": Group::ALL.map(|group| json!({"name": group.label()})),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "administrator": {
                    "type": "http", "scheme": "bearer",
                    "description": "Uma linha do arquivo de --admin-token-file.",
                },
                "dealer": {
                    "type": "http", "scheme": "bearer",
                    "description": "O token da concessionária, que um administrador cria.",
                },
                "user": {
                    "type": "apiKey", "in": "header", "name": identity::USER_KEY,
                    "description": "O user_key que veio na primeira resposta sobre o id.",
                },
            },
        },
    });
    glossary::explain(&mut document);
    document
}

/// The JSON Schema of a row of a dealer's stock, as a document of its own.
#[must_use]
pub fn stock_row() -> Value {
    let mut schema = rows::car_shape().schema();
    glossary::explain(&mut schema);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Um carro do estoque de uma concessionária");
    schema
}

/// Describes itself.
pub(super) fn describe() -> Description {
    Description::new(Group::Operation, "Esta descrição da API, em OpenAPI 3.1")
        .header("If-None-Match", "ETag que já se tem.")
        .answers_as(StatusCode::OK, "A descrição.", &[(MEDIA_TYPE, None)])
        .with_header("ETag", "Muda com a descrição.")
        .answers_as(StatusCode::NOT_MODIFIED, "É a que já se tem.", &[])
}

pub(super) async fn show(request: HttpRequest) -> HttpResponse {
    // Weak, since it also leaves compressed.
    let tag = EntityTag::new_weak(DOCUMENT.tag.clone());
    let known = assets::is_known(&request, &tag);
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((ETAG, tag.to_string()))
        .insert_header((CACHE_CONTROL, "no-cache"));
    if known {
        return response.finish();
    }
    response
        .insert_header((CONTENT_TYPE, MEDIA_TYPE))
        .body(DOCUMENT.text.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(members) => {
                if let Some(Value::Object(properties)) = members.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                members.values().for_each(|member| names(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            _ => {}
        }
    }

    /// Prevents a field, a parameter or a header from standing in the description without an explanation.
    #[test]
    fn every_name_is_explained() {
        let document = document();
        let mut found = BTreeSet::new();
        names(&document, &mut found);
        for path in document["paths"].as_object().unwrap().values() {
            for operation in path.as_object().unwrap().values() {
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let explained = parameter["description"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty());
                    assert!(explained, "{parameter}");
                }
            }
        }
        let unexplained: Vec<_> = found.iter().filter(|name| glossary::of(name).is_none()).collect();
        assert_eq!(unexplained, Vec::<&String>::new());
    }

    /// Prevents explanations of fields that are gone from staying behind.
    #[test]
    fn every_explanation_is_of_a_name_in_use() {
        let text = document().to_string();
        let unused: Vec<_> = glossary::names()
            .filter(|name| !text.contains(&format!("\"{name}\"")))
            .collect();
        assert_eq!(unused, Vec::<&str>::new());
    }

    /// Prevents a reference to a schema that is not there, and a questionnaire that could not be described.
    #[test]
    fn references_lead_somewhere() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let asked = document
            .pointer("/paths/~1recommend/post/requestBody/content/application~1json/schema")
            .unwrap();
        assert!(asked["properties"]["financial_capacity"]["properties"]["is_disclosed"].is_object());
        assert_eq!(
            asked["required"],
            json!(["orcamento_min", "orcamento_max", "uso_principal"])
        );
    }
}
