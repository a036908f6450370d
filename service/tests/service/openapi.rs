//! The description of the API, and whether answers are as it says.

use faciliauto_service::routes::{ENDPOINTS, MANAGED_ENDPOINTS, openapi};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    application::{Answer, TestApplication},
    buyers::{cars, feedback, interaction, post_once, with, with_key},
    dealers::{ADMIN, Market, row},
    process,
};

/// Prevents programs from being given no description, an old one, or one of other routes than are served.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_where_programs_look() {
    let application = TestApplication::embedded().await;
    for path in ["/openapi.json", "/api/openapi.json"] {
        let answer = application.get(path).await;
        assert_eq!(answer.header("content-type"), "application/json");
        let tag = answer.header("etag").to_owned();
        let known = application
            .client
            .get(format!("{}{path}", application.api))
            .header("if-none-match", &tag);
        assert_eq!(application.send(known).await.status, 304);
        let document = answer.ok();
        assert_eq!(document, openapi::document());
        for endpoint in ENDPOINTS.iter().chain(MANAGED_ENDPOINTS) {
            let operation = &document["paths"][endpoint.path][endpoint.method.to_lowercase()];
            assert!(
                operation["summary"].is_string(),
                "{} {}",
                endpoint.method,
                endpoint.path
            );
        }
    }
}

/// Prevents the command that scripts take descriptions from from printing something else.
#[test]
fn the_program_prints_its_descriptions() {
    for (which, expected) in [
        ("openapi", openapi::document()),
        ("stock-row", openapi::stock_row()),
    ] {
        let output = process::run(&["schema", which]);
        assert!(output.status.success());
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed, expected);
    }
}

/// Panics when an answer is not as the document says of its operation and status.
fn check(document: &Value, operation: (&str, &str), answer: &Answer) {
    let (method, path) = operation;
    let status = answer.status.as_u16().to_string();
    let response = &document["paths"][path][method]["responses"][&status];
    assert!(
        response.is_object(),
        "{method} {path}: {status} is not described: {}",
        answer.text
    );
    for (name, header) in response["headers"].as_object().unwrap() {
        assert!(
            header["required"] == false || !answer.header(name).is_empty(),
            "{method} {path} {status}: {name}"
        );
    }
    let Some(contents) = response["content"].as_object() else {
        assert_eq!(answer.text, "", "{method} {path} {status}");
        return;
    };
    let kind = answer.header("content-type").split(';').next().unwrap().trim();
    let content = contents
        .get(kind)
        .unwrap_or_else(|| panic!("{method} {path} {status}: {kind:?} is not described"));
    if let Some(schema) = content.get("schema") {
        let whole = json!({"allOf": [schema], "components": document["components"]});
        let validator = jsonschema::validator_for(&whole).unwrap();
        let body = answer.json();
        let mistakes: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{} {error}", error.instance_path()))
            .collect();
        assert!(
            mistakes.is_empty(),
            "{method} {path} {status}: {mistakes:?}: {body}"
        );
    }
}

/// Prevents answers, good and bad, from being other than described.
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_described() {
    let market = Market::in_memory().await;
    let document = openapi::document();
    let application = &market.application;
    let car = application.get("/cars?limit=1").await.ok()[0].clone();
    let (id, seller) = (
        car["id"].as_str().unwrap(),
        car["dealership_id"].as_str().unwrap(),
    );
    let paths = [
        ("/", "/".to_owned()),
        ("/openapi.json", "/openapi.json".to_owned()),
        ("/docs", "/docs".to_owned()),
        ("/assets/{name}", "/assets/page-0123456789abcdef.css".to_owned()),
        ("/assets/{name}", "/assets/nada".to_owned()),
        ("/health", "/health".to_owned()),
        ("/livez", "/livez".to_owned()),
        ("/readyz", "/readyz".to_owned()),
        ("/dealerships", "/dealerships?active_only=1".to_owned()),
        ("/dealerships", "/dealerships?active_only=talvez".to_owned()),
        ("/dealerships/{id}", format!("/dealerships/{seller}")),
        ("/dealerships/{id}", "/dealerships/ninguem".to_owned()),
        ("/cars", "/cars?limit=2&marca=fiat".to_owned()),
        ("/cars", "/cars?limit=0&cursor=x".to_owned()),
        ("/cars/{id}", format!("/cars/{id}")),
        ("/cars/{id}", "/cars/nenhum".to_owned()),
        ("/stats", "/stats".to_owned()),
        ("/categories", "/categories".to_owned()),
        ("/brands", "/brands".to_owned()),
        ("/brands-models", "/brands-models".to_owned()),
        ("/fuel-price", "/fuel-price".to_owned()),
    ];
    for (pattern, path) in paths {
        check(&document, ("get", pattern), &application.get(&path).await);
    }
    for fields in [
        json!({"limit": 3, "financial_capacity": {"monthly_income_range": "5000-8000", "max_monthly_tco": 3_000}}),
        json!({"orcamento_max": 51_000, "city": "Campinas", "state": "SP", "campo": 1}),
        json!({"orcamento_min": 1, "orcamento_max": 2}),
        json!({"orcamento_min": 90_000, "orcamento_max": 10_000}),
        json!({"city": "Nenhuma", "limit": "x"}),
    ] {
        check(
            &document,
            ("post", "/recommend"),
            &application.recommend(fields).await,
        );
    }

    let token = market.dealership("a").await;
    let record = json!({"name": "Loja", "city": "Recife", "state": "PE", "desconhecido": 1});
    for (body, status) in [(record.clone(), 200), (json!({"name": ""}), 422)] {
        let put = market.request(Method::PUT, "/dealerships/a", ADMIN).json(&body);
        let answer = market.send(put).await;
        assert_eq!(answer.status, status);
        check(&document, ("put", "/dealerships/{id}"), &answer);
    }
    let token_path = ("post", "/dealerships/{id}/token");
    let made = market.request(Method::POST, "/dealerships/b/token", ADMIN);
    check(&document, token_path, &market.send(made).await);
    let stock = "/dealerships/{id}/stock";
    for (rows, token) in [
        (json!([row("a-1", 60_000)]), token.as_str()),
        (json!([row("a-1", 0), 7]), token.as_str()),
        (json!([]), "nobody's"),
    ] {
        check(
            &document,
            ("put", stock),
            &market.put_stock("a", token, &rows).await,
        );
    }
    check(&document, ("get", stock), &market.stock("a", &token).await);
    let car = "/dealerships/{id}/cars/{car_id}";
    for (id, fields) in [
        ("a-1", json!({"preco": 59_000, "x": 1})),
        ("a-1", json!({})),
        ("a-2", json!({"disponivel": true})),
    ] {
        check(
            &document,
            ("patch", car),
            &market.patch("a", id, &token, fields).await,
        );
    }
    let gone = market.request(Method::DELETE, "/dealerships/a/token", ADMIN);
    check(
        &document,
        ("delete", "/dealerships/{id}/token"),
        &market.send(gone).await,
    );
}

/// Prevents answers to buyers about what they did, good and bad, from being other than described.
#[tokio::test(flavor = "multi_thread")]
async fn answers_about_people_are_as_described() {
    let market = Market::in_memory().await;
    let document = openapi::document();
    let application = &market.application;
    let cars = cars(application, 2).await;
    let user = "2b1f6c3e-8d4a-4f0b-9c7e-5a6d7e8f9a0b";
    let full = with(
        feedback(user, &cars[0], "liked"),
        json!({"session_id": "visita", "rating": 4, "comment": "Bom", "recommendation_position": 2, "car_score": 0.71,
            "campo": 1}),
    );
    let seen = with(
        interaction("visita", &cars[1], "click"),
        json!({"user_id": user, "duration_seconds": 3, "score": 0.5}),
    );
    let profile = json!({"orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia"});
    let judged = json!([{"car_id": cars[0], "action": "liked"}, {"car_id": cars[1], "action": "disliked"}]);
    let mut key = String::new();
    for (path, bodies) in [
        (
            "/feedback",
            vec![
                (full.clone(), 201),
                (full.clone(), 200),
                (feedback("joao", &cars[1], "compared"), 201),
                (feedback("joao", "nenhum", "liked"), 404),
                (json!({"user_id": "a\nb"}), 422),
            ],
        ),
        (
            "/interactions/track",
            vec![
                (seen.clone(), 201),
                (seen, 200),
                (interaction("outra", &cars[1], "whatsapp_contact"), 201),
                (interaction("outra", "nenhum", "click"), 404),
                (json!({}), 422),
            ],
        ),
        (
            "/refine-recommendations",
            vec![
                (
                    json!({"user_id": user, "current_profile": profile, "feedbacks": judged, "x": 1}),
                    200,
                ),
                (json!({"current_profile": profile, "feedbacks": []}), 400),
                (json!({"feedbacks": [{}]}), 422),
            ],
        ),
    ] {
        for (body, status) in &bodies {
            // The same body comes under the same name: a window of time may end between the two.
            let name = format!("{path}-{:?}", bodies.iter().position(|(other, _)| other == body));
            let answer = post_once(application, path, body, &name).await;
            assert_eq!(answer.status, *status, "{path}: {}", answer.text);
            check(&document, ("post", path), &answer);
            if *body == full && *status == 201 {
                key = answer.json()["user_key"].as_str().expect("a key").to_owned();
            }
        }
    }
    let once = post_once(application, "/feedback", &full, "a b").await;
    check(&document, ("post", "/feedback"), &once);

    let history = "/feedback/history/{user_id}";
    for (id, status) in [(user, 200), ("joao", 404), ("%0A", 422)] {
        let answer = application.get(&format!("/feedback/history/{id}")).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        check(&document, ("get", history), &answer);
    }
    for path in ["/ml/stats", "/ml/export-data"] {
        for query in ["", "?limit=2&nada=1", "?limit=0"] {
            let asked = market.request(Method::GET, &format!("{path}{query}"), ADMIN);
            check(&document, ("get", path), &market.send(asked).await);
        }
        check(&document, ("get", path), &application.get(path).await);
    }
    let data = "/users/{id}/data";
    let held = format!("/users/{user}/data");
    for (method, word) in [(Method::GET, "get"), (Method::DELETE, "delete")] {
        for (key, path, status) in [
            ("", held.as_str(), 401),
            (&key, &held, 200),
            ("", "/users/%0A/data", 422),
        ] {
            let answer = with_key(application, method.clone(), path, key).await;
            assert_eq!(answer.status, status, "{}", answer.text);
            check(&document, (word, data), &answer);
        }
    }
}
