//! `POST /interactions/track`.

use serde_json::json;

use crate::harness::{
    application::TestApplication,
    buyers::{cars, feedback, interaction, post_once, with},
};

/// Prevents a page from losing a field of the answer, and what may tell an income from being warned about or kept.
#[tokio::test(flavor = "multi_thread")]
async fn interactions_are_stored() {
    let application = TestApplication::embedded().await;
    let car = &cars(&application, 1).await[0];
    let whole = json!({
        "session_id": "sessao-1", "car_id": car, "interaction_type": "whatsapp_contact", "user_id": "maria",
        "duration_seconds": 45, "recommendation_position": 1, "score": 0.92, "timestamp": "2024-10-14T15:30:00Z",
        "user_preferences": {"budget": 123_456, "usage": "urbano", "priorities": ["economia"]},
        "car_snapshot": {"marca": "Lada"},
    });
    let answer = application.post("/api/interactions/track", &whole).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = answer.json();
    assert!(answer["user_key"].as_str().is_some_and(|key| key.len() == 64));
    assert_eq!(
        answer,
        json!({"status": "success", "message": "Interação registrada.", "stored": true,
            "interaction_type": "whatsapp_contact", "car_id": car, "user_key": answer["user_key"]})
    );
    let other = application
        .post(
            "/interactions/track",
            &with(whole.clone(), json!({"interaction_type": "click", "x": 1})),
        )
        .await
        .json();
    assert!(other.get("user_key").is_none(), "maria is known: {other}");
    assert_eq!(other["warnings"][0]["pointer"], "/x");
    // A session without a user is a person of its own.
    let alone = |kind| interaction("sessao-2", car, kind);
    let first = application
        .post("/api/interactions/track", &alone("click"))
        .await
        .json();
    assert!(first["user_key"].is_string(), "{first}");
    let second = application
        .post("/api/interactions/track", &alone("view_details"))
        .await
        .json();
    assert!(second.get("user_key").is_none(), "{second}");
}

/// Prevents a page that sends again from counting twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_interaction_counts_once() {
    let application = TestApplication::embedded().await;
    let car = &cars(&application, 1).await[0];
    let track = "/api/interactions/track";
    let looked = with(
        interaction("s", car, "view_details"),
        json!({"duration_seconds": 3}),
    );
    assert_eq!(post_once(&application, track, &looked, "1").await.status, 201);
    let again = post_once(&application, track, &looked, "1").await;
    assert_eq!(again.status, 200, "{}", again.text);
    let again = again.json();
    assert_eq!(
        (&again["repeated"], &again["stored"]),
        (&json!(true), &json!(true))
    );
    let longer = with(looked.clone(), json!({"duration_seconds": 4}));
    let problem = post_once(&application, track, &longer, "1").await.problem(422);
    assert_eq!(
        problem["type"],
        "urn:problem-type:faciliauto:idempotency-mismatch"
    );
    let count = application
        .metric("interactions_total{type=\"view_details\"}")
        .await;
    assert_eq!(count, Some(1.0));
    // Without a name: one of two attempts lies within one window of ten seconds.
    let mut repeated = false;
    for session in ["a", "b"] {
        let clicked = interaction(session, car, "click");
        application.post(track, &clicked).await;
        repeated |= application.post(track, &clicked).await.json()["repeated"] == true;
        repeated |= application
            .post(track, &with(clicked, json!({"duration_seconds": 1})))
            .await
            .json()["repeated"]
            == true;
    }
    assert!(repeated);
}

/// Prevents a mistake from being stored, or from being refused without saying which field it is.
#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_named() {
    let application = TestApplication::embedded().await;
    let car = &cars(&application, 1).await[0];
    let good = interaction("s", car, "click");
    for (body, pointers) in [
        (json!({}), json!(["/session_id", "/car_id", "/interaction_type"])),
        (json!(null), json!([""])),
        (
            with(
                good.clone(),
                json!({"session_id": " ", "user_id": "\t", "interaction_type": "liked",
                "duration_seconds": -1, "score": 92, "recommendation_position": 1.5}),
            ),
            json!([
                "/session_id",
                "/user_id",
                "/interaction_type",
                "/duration_seconds",
                "/recommendation_position",
                "/score"
            ]),
        ),
    ] {
        let problem = application
            .post("/api/interactions/track", &body)
            .await
            .problem(422);
        let found: serde_json::Value = problem["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["pointer"].clone())
            .collect();
        assert_eq!(found, pointers);
    }
    let lost = interaction("s", "nenhum", "click");
    application
        .post("/api/interactions/track", &lost)
        .await
        .problem(404);
    application.get("/api/interactions/track").await.problem(405);
    post_once(&application, "/api/interactions/track", &good, "a b")
        .await
        .problem(422);
}

/// Prevents dashboards from counting clicks for nobody, for sellers that do not exist, or twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_counted() {
    let application = TestApplication::embedded().await;
    let cars = cars(&application, 2).await;
    let car = application.get(&format!("/cars/{}", cars[0])).await.ok();
    let seller = car["dealership_id"].as_str().expect("an id");
    for word in ["click", "view_details", "whatsapp_contact", "liked", "compared"] {
        let series = format!("interactions_total{{type=\"{word}\"}}");
        assert_eq!(application.metric(&series).await, Some(0.0), "{word}");
    }
    let track = "/api/interactions/track";
    let contact = interaction("s", &cars[0], "whatsapp_contact");
    for name in ["1", "1", "2"] {
        post_once(&application, track, &contact, name).await;
    }
    let wrote = feedback("maria", &cars[0], "clicked_whatsapp");
    application.post("/feedback", &wrote).await;
    let clicks = format!("whatsapp_clicks_total{{dealership=\"{seller}\"}}");
    assert_eq!(application.metric(&clicks).await, Some(3.0));
    for (series, value) in [
        ("interactions_total{type=\"whatsapp_contact\"}", 2.0),
        ("interactions_total{type=\"clicked_whatsapp\"}", 1.0),
        ("interactions_buffered", 0.0),
        ("interactions_dropped_total", 0.0),
    ] {
        assert_eq!(application.metric(series).await, Some(value), "{series}");
    }
}
