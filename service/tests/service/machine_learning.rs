//! `GET /ml/stats` and `GET /ml/export-data`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    buyers::{cars, feedback, interaction, with},
    dealers::{ADMIN, Market},
};

async fn asked(market: &Market, path: &str) -> Value {
    market.send(market.request(Method::GET, path, ADMIN)).await.ok()
}

/// Prevents figures that nobody can train by, and feedback from being counted as interactions.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_collected_is_counted() {
    let market = Market::in_memory().await;
    let empty = asked(&market, "/api/ml/stats").await;
    assert_eq!(empty["data_collection"]["avg_duration_seconds"], Value::Null);
    assert_eq!(empty["data_collection"]["last_interaction"], Value::Null);
    let application = &market.application;
    let cars = cars(application, 2).await;
    for (session, car, kind, seconds) in [
        ("a", &cars[0], "click", None),
        ("a", &cars[0], "view_details", Some(10)),
        ("b", &cars[1], "view_details", Some(21)),
        ("b", &cars[1], "whatsapp_contact", None),
    ] {
        let body = with(
            interaction(session, car, kind),
            json!({"duration_seconds": seconds}),
        );
        let answer = application.post("/api/interactions/track", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    application
        .post("/feedback", &feedback("maria", &cars[0], "liked"))
        .await;
    let mut stats = asked(&market, "/ml/stats").await;
    let last = stats["data_collection"]["last_interaction"].take();
    assert!(last.is_string());
    assert_eq!(
        stats,
        json!({
            "status": "operational",
            "data_collection": {
                "total_interactions": 4, "click_count": 1, "view_details_count": 2, "whatsapp_contact_count": 1,
                "unique_sessions": 2, "unique_users": 1, "unique_cars": 2, "avg_duration_seconds": 15.5,
                "last_interaction": null, "total_feedbacks": 1,
                "feedback_counts": {"liked": 1, "disliked": 0, "clicked_whatsapp": 0, "viewed_details": 0,
                    "compared": 0},
            },
            "ml_readiness": {"ready_for_training": false, "min_required_interactions": 500,
                "progress_percentage": 0.8, "interactions_needed": 496},
            "ml_model": {"available": false, "version": null, "last_trained": null},
        })
    );
}

/// Prevents an export from losing or repeating events between its pages.
#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_walked_through_in_pages() {
    let market = Market::in_memory().await;
    let application = &market.application;
    let cars = cars(application, 7).await;
    for car in &cars {
        let body = with(
            feedback("maria", car, "liked"),
            json!({"rating": 4, "comment": "bom", "car_score": 0.5, "recommendation_position": 2}),
        );
        application.post("/feedback", &body).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/ml/export-data?limit=3".to_owned();
    loop {
        let page = market.send(market.request(Method::GET, &path, ADMIN)).await;
        let link = page.header("link").to_owned();
        let page = page.ok();
        let events = page["events"].as_array().expect("a list");
        seen.extend(
            events
                .iter()
                .map(|event| event["car_id"].as_str().expect("an id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            assert!(link.is_empty(), "{link}");
            break;
        };
        assert!(link.contains(next) && link.ends_with(">; rel=\"next\""), "{link}");
        path = link
            .split_once('>')
            .map(|(url, _)| url.trim_start_matches('<').to_owned())
            .expect("a link");
    }
    let mut newest_first = cars.clone();
    newest_first.reverse();
    // Events of one millisecond stand in the order of their ids.
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    assert_eq!(sorted(&seen), sorted(&newest_first));

    let page = asked(&market, "/api/ml/export-data").await;
    let event = &page["events"][0];
    for (field, value) in [
        ("kind", json!("feedback")),
        ("type", json!("liked")),
        ("user_id", json!("maria")),
        ("rating", json!(4)),
        ("comment", json!("bom")),
        ("score", json!(0.5)),
        ("recommendation_position", json!(2)),
        ("session_id", Value::Null),
        ("duration_seconds", Value::Null),
    ] {
        assert_eq!(event[field], value, "{field}");
    }
    for query in ["limit=0", "limit=10001", "limit=x", "cursor=x"] {
        let path = format!("/api/ml/export-data?{query}");
        let answer = market.send(market.request(Method::GET, &path, ADMIN)).await;
        answer.problem(422);
    }
}

/// Prevents what buyers did from being read by whoever is no administrator.
#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_read_it() {
    let market = Market::in_memory().await;
    let dealer = market.dealership("loja-1").await;
    for path in ["/api/ml/stats", "/api/ml/export-data"] {
        market.application.get(path).await.problem(401);
        market
            .send(market.request(Method::GET, path, "nobody"))
            .await
            .problem(401);
        market
            .send(market.request(Method::GET, path, &dealer))
            .await
            .problem(403);
        market
            .send(market.request(Method::POST, path, ADMIN))
            .await
            .problem(405);
    }
    let without_admins = crate::harness::application::TestApplication::embedded().await;
    without_admins.get("/api/ml/stats").await.problem(404);
}
