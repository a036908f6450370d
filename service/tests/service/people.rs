//! `GET` and `DELETE /users/{id}/data`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    application::{Answer, TestApplication},
    buyers::{cars, feedback, interaction, with, with_key},
    dealers::{ADMIN, Market},
};

/// Sends a document; gives the key that the answer carries, if any.
async fn key_of(application: &TestApplication, path: &str, body: &Value) -> Option<String> {
    let answer = application.post(path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["user_key"].as_str().map(str::to_owned)
}

async fn as_admin(market: &Market, method: Method, id: &str) -> Answer {
    let path = format!("/api/users/{id}/data");
    market.send(market.request(method, &path, ADMIN)).await
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|item| item.as_str().expect("a text"))
        .collect()
}

/// For how long a backup may still hold who was erased.
fn days_of_backups(erased: &Value) -> i64 {
    let time =
        |field: &str| -> jiff::Timestamp { erased[field].as_str().expect("a time").parse().expect("a time") };
    let kept = time("backups_gone_by").duration_since(time("erased_at"));
    assert_eq!(kept.as_secs() % 86_400, 0, "whole days: {erased}");
    kept.as_hours() / 24
}

fn cars_of(data: &Value) -> Vec<&str> {
    data["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["car_id"].as_str().expect("an id"))
        .collect()
}

/// Prevents a person from being shown or erased in part: what was done in their sessions before they said who they are
/// is theirs too.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_and_erases_everything_of_theirs() {
    let market = Market::in_memory().await;
    let application = &market.application;
    let cars = cars(application, 4).await;
    let track = "/api/interactions/track";
    key_of(application, track, &interaction("sessao-1", &cars[0], "click")).await;
    let liked = with(
        feedback("maria", &cars[1], "liked"),
        json!({"session_id": "sessao-1"}),
    );
    let key = key_of(application, "/feedback", &liked).await.expect("the first");
    key_of(application, "/feedback", &feedback("maria", &cars[2], "compared")).await;
    key_of(application, "/feedback", &feedback("joao", &cars[3], "liked")).await;

    let path = "/api/users/maria/data";
    let shown = with_key(application, Method::GET, path, &key).await;
    assert_eq!(shown.header("cache-control"), "no-store");
    let shown = shown.ok();
    assert_eq!(shown["id"], "maria");
    assert_eq!(shown["linked_ids"], json!(["sessao-1"]));
    let mut seen = cars_of(&shown);
    seen.sort_unstable();
    let mut own: Vec<&str> = cars[..3].iter().map(String::as_str).collect();
    own.sort_unstable();
    assert_eq!(seen, own);
    let held = |shown: &Value, place: &str| -> bool {
        let places = shown["places"].as_array().expect("a list");
        let found = places.iter().find(|item| item["place"] == place);
        found.and_then(|item| item["held"].as_bool()).expect(place)
    };
    assert!(held(&shown, "events") && held(&shown, "backups"));
    assert!(!held(&shown, "erasure_ledger") && !held(&shown, "logs"));

    let erased = with_key(application, Method::DELETE, path, &key).await.ok();
    assert_eq!(erased["erased_events"], 3);
    assert_eq!(texts(&erased["ids_erased"]), ["maria", "sessao-1"]);
    assert_eq!(
        texts(&erased["searched"]),
        [
            "events",
            "index",
            "totals",
            "erasure_ledger",
            "interaction_buffer",
            "response_cache",
            "rate_limits",
            "logs",
            "metrics"
        ]
    );
    assert_eq!(
        days_of_backups(&erased),
        30,
        "a safety backup may be kept for 30 days"
    );

    let after = with_key(application, Method::GET, path, &key).await.ok();
    assert_eq!(after["events"], json!([]));
    assert!(held(&after, "erasure_ledger") && !held(&after, "events"));
    with_key(application, Method::GET, "/feedback/history/maria", &key)
        .await
        .problem(404);
    let again = with_key(application, Method::DELETE, path, &key).await.ok();
    assert_eq!(again["erased_events"], 0, "erased again, nothing is wrong");
    let others = as_admin(&market, Method::GET, "joao").await.ok();
    assert_eq!(cars_of(&others), [cars[3].as_str()]);
}

/// Prevents a person from being told a day on which a backup still has them, where backups are kept for longer than the
/// month that those from before a restore may be kept.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_backup_is_as_late_as_backups_are_kept() {
    for (retention, days) in [("7", 30), ("30", 30), ("31", 31), ("90", 90)] {
        let market = Market::start(&[("FACILIAUTO_BACKUP_RETENTION_DAYS", retention)]).await;
        let erased = as_admin(&market, Method::DELETE, "maria").await.ok();
        assert_eq!(days_of_backups(&erased), days, "{retention}");
    }
}

/// Prevents a session that two people used from giving one's history to the other, or from being erased with one of
/// them.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_session_links_nobody() {
    let market = Market::in_memory().await;
    let application = &market.application;
    let cars = cars(application, 3).await;
    let track = "/api/interactions/track";
    let session_key = key_of(application, track, &interaction("balcao", &cars[0], "click"))
        .await
        .expect("a session of its own");
    let mut keys = Vec::new();
    for (user, car) in [("maria", &cars[1]), ("joao", &cars[2])] {
        let body = with(feedback(user, car, "liked"), json!({"session_id": "balcao"}));
        keys.push(key_of(application, "/feedback", &body).await.expect("the first"));
    }
    // The session's key shows what nobody said was theirs.
    let path = "/api/users/balcao/data";
    let shown = with_key(application, Method::GET, path, &session_key).await.ok();
    assert_eq!(cars_of(&shown), [cars[0].as_str()]);
    assert_eq!(shown["linked_ids"], json!([]));
    // One of the users does not get the other's, nor the session.
    let shown = with_key(application, Method::GET, "/api/users/maria/data", &keys[0])
        .await
        .ok();
    assert_eq!(cars_of(&shown), [cars[1].as_str()]);
    let erased = with_key(application, Method::DELETE, "/api/users/maria/data", &keys[0])
        .await
        .ok();
    assert_eq!(texts(&erased["ids_erased"]), ["maria"]);
    let left = as_admin(&market, Method::GET, "joao").await.ok();
    // Now the session is his alone.
    assert_eq!(left["linked_ids"], json!(["balcao"]));
    // An administrator comes from a session to its only user.
    let from_session = as_admin(&market, Method::GET, "balcao").await.ok();
    assert_eq!(from_session["linked_ids"], json!(["joao"]));
    let erased = as_admin(&market, Method::DELETE, "balcao").await.ok();
    assert_eq!(erased["erased_events"], 2);
}

/// Prevents a refusal from telling whether an id is known, and anybody but the owner and administrators from coming in.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_nothing() {
    let market = Market::in_memory().await;
    let application = &market.application;
    let car = &cars(application, 1).await[0];
    let key = key_of(application, "/feedback", &feedback("maria", car, "liked"))
        .await
        .expect("the first");
    for method in [Method::GET, Method::DELETE] {
        for id in ["maria", "unknown"] {
            let path = format!("/api/users/{id}/data");
            let without = application
                .send(
                    application
                        .client
                        .request(method.clone(), format!("{}{path}", application.api)),
                )
                .await;
            let wrong = with_key(application, method.clone(), &path, &"a".repeat(64)).await;
            for refusal in [without, wrong] {
                let mut problem = refusal.problem(401);
                problem["request_id"] = Value::Null;
                assert_eq!(
                    problem,
                    json!({"type": "urn:problem-type:faciliauto:key-needed", "title": "Acesso não identificado",
                        "status": 401, "request_id": null, "detail":
                        "Envie a chave deste id no cabeçalho X-User-Key, ou o token de um administrador."})
                );
            }
        }
    }
    with_key(application, Method::GET, "/api/users/joao/data", &key)
        .await
        .problem(401);
    let dealer = market.dealership("loja-1").await;
    market
        .send(market.request(Method::GET, "/api/users/maria/data", &dealer))
        .await
        .problem(403);
    market
        .send(market.request(Method::DELETE, "/api/users/maria/data", "nobody"))
        .await
        .problem(401);
    as_admin(&market, Method::GET, &"x".repeat(129))
        .await
        .problem(422);
    as_admin(&market, Method::PUT, "maria").await.problem(405);
    let nobody = as_admin(&market, Method::GET, "unknown").await.ok();
    assert_eq!(nobody["events"], json!([]));
    // Where there is no administrator there is still the key.
    let alone = TestApplication::embedded().await;
    let request = alone
        .client
        .get(format!("{}/api/users/maria/data", alone.api))
        .bearer_auth("x");
    alone.send(request).await.problem(401);
}
