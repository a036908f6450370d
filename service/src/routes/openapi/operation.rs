//! Writes one route as an operation of OpenAPI.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{
    description::{Access, Answer, Description},
    glossary,
};
use crate::{error::ApiError, routes::Endpoint};

/// The operation of an endpoint. `problem` refers to the schema of refusals; types of answers go into `generator`.
pub(super) fn write(
    endpoint: &Endpoint,
    description: &Description,
    problem: &Value,
    generator: &mut SchemaGenerator,
) -> Value {
    let path_names = path_names(endpoint.path);
    let mut responses: Map<String, Value> = Map::new();
    for answer in &description.answers {
        responses.insert(answer.status.as_u16().to_string(), answer_of(answer, generator));
    }
    responses.extend(refusals(&description.all_errors(!path_names.is_empty()), problem));
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "tags": [description.group.label()],
        "summary": description.summary,
        "parameters": parameters(description, &path_names),
        "responses": responses,
        "security": match description.access {
            Access::Everybody => json!([]),
            Access::Administrators => json!([{"administrator": []}]),
            Access::Dealers => json!([{"dealer": []}, {"administrator": []}]),
            Access::Person => json!([{"user": []}, {"administrator": []}]),
            Access::KeyTellsMore => json!([{}, {"user": []}]),
        },
    });
    if !description.details.is_empty() {
        operation["description"] = json!(description.details);
    }
    if !description.sent.is_empty() {
        let content: Map<String, Value> = description
            .sent
            .iter()
            .map(|sent| {
                let content = json!({"schema": sent.schema, "example": sent.example});
                (sent.media_type.to_owned(), content)
            })
            .collect();
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

/// `get_dealerships_id_stock`
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint
        .path
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    std::iter::once(endpoint.method.to_lowercase().as_str())
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

fn path_names(path: &str) -> Vec<&str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}

fn parameters(description: &Description, path_names: &[&str]) -> Vec<Value> {
    let explained = |name: &str| glossary::of(name).unwrap_or_default();
    let mut parameters: Vec<Value> = path_names
        .iter()
        .map(|name| {
            let schema = description.path.get(name).cloned();
            json!({
                "name": name, "in": "path", "required": true, "description": explained(name),
                "schema": schema.unwrap_or_else(|| json!({"type": "string", "minLength": 1})),
            })
        })
        .collect();
    for (name, schema) in description.query.iter().flat_map(|shape| shape.fields()) {
        parameters.push(json!({
            "name": name, "in": "query", "required": false, "allowEmptyValue": true,
            "description": explained(name), "schema": schema,
        }));
    }
    for (name, text, schema) in &description.headers {
        parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": text, "schema": schema,
        }));
    }
    parameters
}

fn header(text: &str, required: bool, kind: &str) -> Value {
    json!({"description": text, "required": required, "schema": {"type": kind}})
}

fn answer_of(answer: &Answer, generator: &mut SchemaGenerator) -> Value {
    let mut headers: Map<String, Value> = answer
        .headers
        .iter()
        .map(|(name, text, required)| ((*name).to_owned(), header(text, *required, "string")))
        .collect();
    headers.insert("X-Request-Id".to_owned(), request_id());
    let mut response = json!({"description": answer.text, "headers": headers});
    if !answer.contents.is_empty() {
        let content: Map<String, Value> = answer
            .contents
            .iter()
            .map(|(media_type, schema)| {
                let content = schema.map_or_else(|| json!({}), |schema| json!({"schema": schema(generator)}));
                ((*media_type).to_owned(), content)
            })
            .collect();
        response["content"] = Value::Object(content);
    }
    response
}

fn request_id() -> Value {
    header("O número do pedido no registro do serviço.", true, "string")
}

/// The refusals of each status: their types, and the headers that the table of errors gives them.
fn refusals(errors: &[ApiError], problem: &Value) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<(&ApiError, HttpResponse)>> = BTreeMap::new();
    for error in errors {
        let response = error.response(None);
        by_status
            .entry(response.status().as_u16())
            .or_default()
            .push((error, response));
    }
    by_status
        .into_iter()
        .map(|(status, errors)| {
            let kinds: Vec<String> = errors.iter().map(|(error, _)| error.kind()).collect();
            let titles: Vec<&str> = errors.iter().map(|(error, _)| error.title()).collect();
            let mut headers = Map::from_iter([("X-Request-Id".to_owned(), request_id())]);
            for (_, response) in &errors {
                for name in response.headers().keys().filter(|name| **name != CONTENT_TYPE) {
                    let everywhere = errors.iter().all(|(_, other)| other.headers().contains_key(name));
                    let (text, kind) = match name.as_str() {
                        "retry-after" => ("Segundos até valer a pena tentar de novo.", "integer"),
                        "www-authenticate" => ("Como se identificar.", "string"),
                        "allow" => ("Os métodos deste endereço.", "string"),
                        _ if *name == CACHE_CONTROL => continue,
                        _ => ("", "string"),
                    };
                    headers.insert(name.to_string(), header(text, everywhere, kind));
                }
            }
            let schema = json!({"allOf": [problem, {"properties": {"type": {"enum": kinds}}}]});
            let response = json!({
                "description": format!("{}.", titles.join("; ")),
                "headers": headers,
                "content": {"application/problem+json": {"schema": schema}},
            });
            (status.to_string(), response)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents two operations of one path from having one name in the clients that programs generate.
    #[test]
    fn an_operation_is_named_after_method_and_path() {
        assert_eq!(path_names("/dealerships/{id}/cars/{car_id}"), ["id", "car_id"]);
        assert_eq!(path_names("/openapi.json"), Vec::<&str>::new());
    }
}
