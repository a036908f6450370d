//! Requests that are sent again under one `Idempotency-Key`: done once, answered every time.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    dealer_stock::on,
    harness::{
        application::Answer,
        dealers::{ADMIN, Market, row},
        redis_server::RedisServer,
    },
};

const KEY: &str = "idempotency-key";

/// Sends a request under a key.
async fn send(market: &Market, request: RequestBuilder, key: &str) -> Answer {
    market.send(request.header(KEY, key)).await
}

/// An answer that was given before: the same, and it says so.
fn assert_replayed(again: &Answer, first: &Answer) {
    assert_eq!(again.header("idempotency-replayed"), "true", "{}", again.text);
    assert_eq!(
        (again.status, &again.text, again.header("etag")),
        (first.status, &first.text, first.header("etag"))
    );
}

fn kind(answer: Answer, status: u16) -> String {
    let problem = answer.problem(status);
    let kind = problem["type"].as_str().unwrap();
    kind.rsplit(':').next().unwrap().to_owned()
}

fn put_record(market: &Market, id: &str, name: &str) -> RequestBuilder {
    let record = json!({"name": name, "city": "Recife", "state": "PE", "phone": "(81) 3333-4444"});
    market
        .request(Method::PUT, &format!("/api/dealerships/{id}"), ADMIN)
        .json(&record)
}

fn patch(market: &Market, car: &str, token: &str, fields: &Value) -> RequestBuilder {
    let path = format!("/api/dealerships/a/cars/{car}");
    market.request(Method::PATCH, &path, token).json(fields)
}

async fn prices(market: &Market, token: &str) -> Vec<f64> {
    let stock = market.stock("a", token).await.ok();
    let rows = stock.as_array().unwrap();
    rows.iter().map(|row| row["preco"].as_f64().unwrap()).collect()
}

/// Prevents an upload whose answer was lost from undoing, when it is sent again, what came after it.
async fn a_stock_sent_again_is_not_taken_again(market: Market) {
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000), row("a-2", 61_000)]);
    let first = send(&market, market.put("a", &token).json(&rows), "one").await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotency-replayed")),
        (200, "")
    );
    market
        .patch("a", "a-1", &token, json!({"preco": 55_000}))
        .await
        .ok();
    let again = send(&market, market.put("a", &token).json(&rows), "one").await;
    assert_replayed(&again, &first);
    assert_eq!(prices(&market, &token).await, [55_000.0, 61_000.0]);
    // Without a key, or with another, it is another upload.
    let other = send(&market, market.put("a", &token).json(&rows), "two").await;
    assert_eq!(other.header("idempotency-replayed"), "");
    assert_eq!(other.ok()["changed"], 1);
    assert_eq!(prices(&market, &token).await, [60_000.0, 61_000.0]);
}

/// Prevents the condition of a request, which its own success has made false, from refusing its repetition.
async fn a_repetition_is_answered_whatever_its_condition(market: Market) {
    let token = market.dealership("a").await;
    let put = market.put_stock("a", &token, &json!([row("a-1", 60_000)])).await;
    let etag = put.header("etag").to_owned();
    let sold = json!({"disponivel": false});
    let request = || patch(&market, "a-1", &token, &sold).header("if-match", &etag);
    let first = send(&market, request(), "one").await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_replayed(&send(&market, request(), "one").await, &first);
    market.send(request()).await.problem(412);
    // The condition is part of what is asked.
    let otherwise = patch(&market, "a-1", &token, &sold).header("if-match", "*");
    assert_eq!(
        kind(send(&market, otherwise, "one").await, 422),
        "idempotency-mismatch"
    );
}

/// Prevents a price that was raised by one request from being set again by its repetition, and a key from
/// carrying over to another car unnoticed.
async fn a_patch_sent_again_changes_nothing(market: Market) {
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000), row("a-2", 61_000)]);
    market.put_stock("a", &token, &rows).await.ok();
    let cheap = json!({"preco": 50_000});
    let first = send(&market, patch(&market, "a-1", &token, &cheap), "one").await;
    assert_eq!(first.status, 200, "{}", first.text);
    market
        .patch("a", "a-1", &token, json!({"preco": 52_000}))
        .await
        .ok();
    let again = send(&market, patch(&market, "a-1", &token, &cheap), "one").await;
    assert_replayed(&again, &first);
    for other in [
        patch(&market, "a-2", &token, &cheap),
        patch(&market, "a-1", &token, &json!({"preco": 50_001})),
    ] {
        assert_eq!(
            kind(send(&market, other, "one").await, 422),
            "idempotency-mismatch"
        );
    }
    assert_eq!(prices(&market, &token).await, [52_000.0, 61_000.0]);
}

/// Prevents a record from being created or overwritten twice, and one dealership's key from being another's.
async fn a_record_sent_again_is_answered_as_at_first(market: Market) {
    let first = send(&market, put_record(&market, "a", "Loja A"), "one").await;
    assert_eq!(first.status, 201, "{}", first.text);
    let changed = market.send(put_record(&market, "a", "Loja B")).await;
    assert_eq!(changed.ok()["created"], false);
    let again = send(&market, put_record(&market, "a", "Loja A"), "one").await;
    assert_replayed(&again, &first);
    let other = send(&market, put_record(&market, "a", "Loja C"), "one").await;
    assert_eq!(kind(other, 422), "idempotency-mismatch");
    let elsewhere = send(&market, put_record(&market, "b", "Loja A"), "one").await;
    assert_eq!(
        (
            elsewhere.status.as_u16(),
            elsewhere.header("idempotency-replayed")
        ),
        (201, "")
    );
}

/// Prevents a repetition from making a second token, which would end the first one: it cannot be shown again.
async fn a_token_is_made_once_under_a_key(market: Market) {
    let request = || market.request(Method::POST, "/api/dealerships/a/token", ADMIN);
    send(&market, request(), "one").await.problem(404);
    market.dealership("a").await;
    let first = send(&market, request(), "one").await;
    assert_eq!(first.status, 201, "a refusal uses no key up: {}", first.text);
    let token = first.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(
        kind(send(&market, request(), "one").await, 409),
        "idempotency-key-used"
    );
    assert_eq!(market.stock("a", &token).await.status, 200, "the first stays");
    let second = send(&market, request(), "two").await;
    assert_eq!(second.status, 201);
    assert_eq!(market.stock("a", &token).await.status, 401);
}

/// Prevents a refused request from being remembered, a trial from using a key up, and a bad key from being
/// ignored.
async fn only_what_was_done_is_remembered(market: Market) {
    let token = market.dealership("a").await;
    let good = json!([row("a-1", 60_000)]);
    let bad = send(
        &market,
        market.put("a", &token).json(&json!([{"id": "a-1"}])),
        "one",
    )
    .await;
    bad.problem(422);
    for _ in 0..2 {
        let path = "/api/dealerships/a/stock?dry_run=true";
        let trial = market.request(Method::PUT, path, &token).json(&good);
        let trial = send(&market, trial, "one").await;
        assert_eq!(trial.header("idempotency-replayed"), "");
        assert_eq!(trial.ok()["dry_run"], true);
    }
    assert_eq!(prices(&market, &token).await, [0.0; 0]);
    let done = send(&market, market.put("a", &token).json(&good), "one").await;
    assert_eq!(done.header("idempotency-replayed"), "");
    assert_eq!(done.ok()["added"], 1);
    for key in ["", "a b", &"k".repeat(256)] {
        let refused = send(&market, market.put("a", &token).json(&good), key).await;
        let problem = refused.problem(422);
        assert_eq!(problem["errors"][0]["code"], "idempotency_key", "{key}");
    }
    let longest = send(&market, market.put("a", &token).json(&good), &"k".repeat(255)).await;
    assert_eq!(longest.status, 200);
}

/// Prevents two of the same request, sent at the same moment, from both being carried out.
async fn of_the_same_request_at_once_one_is_done(market: Market) {
    let token = market.dealership("a").await;
    market
        .put_stock("a", &token, &json!([row("a-1", 60_000)]))
        .await
        .ok();
    let cheap = json!({"preco": 50_000});
    let answers = futures::future::join_all(
        (0..8).map(|_| send(&market, patch(&market, "a-1", &token, &cheap), "one")),
    )
    .await;
    let first = answers
        .iter()
        .find(|answer| answer.header("idempotency-replayed").is_empty())
        .expect("one is done");
    let replayed: Vec<_> = answers
        .iter()
        .filter(|answer| !answer.header("idempotency-replayed").is_empty())
        .collect();
    assert_eq!(replayed.len(), 7);
    for again in replayed {
        assert_replayed(again, first);
    }
}

/// Runs each behaviour on both adapters.
macro_rules! on_both {
    ($($behaviour:ident)+) => {
        mod memory {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")] async fn $behaviour() {
                super::$behaviour(Market::in_memory().await).await;
            })+
        }
        mod redis {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")] async fn $behaviour() {
                let server = RedisServer::start();
                super::$behaviour(on(&server).await).await;
            })+
        }
    };
}

on_both! {
    a_stock_sent_again_is_not_taken_again
    a_repetition_is_answered_whatever_its_condition
    a_patch_sent_again_changes_nothing
    a_record_sent_again_is_answered_as_at_first
    a_token_is_made_once_under_a_key
    only_what_was_done_is_remembered
    of_the_same_request_at_once_one_is_done
}

/// Prevents a repetition that reaches another replica from being carried out there.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_remember_together() {
    let server = RedisServer::start();
    let replicas = [on(&server).await, Market::on(&server).await];
    let token = replicas[0].dealership("a").await;
    let rows = json!([row("a-1", 60_000)]);
    replicas[0].put_stock("a", &token, &rows).await.ok();
    for round in 0..4 {
        let (key, fields) = (format!("key-{round}"), json!({"preco": 50_000 + round}));
        let sent = (0..6).map(|index| {
            let market = &replicas[index % 2];
            send(market, patch(market, "a-1", &token, &fields), &key)
        });
        let answers = futures::future::join_all(sent).await;
        let done: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 200 && answer.header("idempotency-replayed").is_empty())
            .collect();
        assert_eq!(done.len(), 1, "round {round}: {answers:?}");
        for answer in &answers {
            assert_eq!((answer.status, &answer.text), (done[0].status, &done[0].text));
        }
    }
}

/// Prevents what is remembered from staying for ever, or from being forgotten before a day is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_remembered() {
    let server = RedisServer::start();
    let market = on(&server).await;
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000)]);
    send(&market, market.put("a", &token).json(&rows), "one")
        .await
        .ok();
    let made = market.request(Method::POST, "/api/dealerships/a/token", ADMIN);
    assert_eq!(send(&market, made, "one").await.status, 201);
    let epoch: String = server.ask(&["GET", "test:generation"]);
    let kept = server.keys(&format!("test:{epoch}:once:*"));
    assert_eq!(kept.len(), 2);
    for key in kept {
        assert!((86_390..=86_400).contains(&server.seconds_left(&key)), "{key}");
    }
    assert!(
        !format!("{:?}", server.keys("*")).contains("one\""),
        "keys are kept as digests"
    );
}
