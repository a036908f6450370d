//! Who may write: tokens of administrators and of dealers.

use std::time::Duration;

use faciliauto_service::state::Basis;
use reqwest::Method;
use serde_json::json;

use crate::{
    harness::{
        application::TestApplication,
        dealers::{ADMIN, Market, row},
        eventually,
        process::ServingProcess,
        redis_server::RedisServer,
    },
    state::{commit, redis_state},
};

/// Everything that needs a token, with whether only an administrator's will do.
const GUARDED: [(&str, &str, bool); 6] = [
    ("PUT", "/api/dealerships/a", true),
    ("POST", "/api/dealerships/a/token", true),
    ("DELETE", "/api/dealerships/a/token", true),
    ("GET", "/api/dealerships/a/stock", false),
    ("PUT", "/api/dealerships/a/stock", false),
    ("PATCH", "/api/dealerships/a/cars/a-1", false),
];

fn method(name: &str) -> Method {
    name.parse().unwrap()
}

/// Prevents a store of dealers from standing open because nobody configured an administrator.
#[tokio::test(flavor = "multi_thread")]
async fn without_administrators_there_are_no_routes_for_them() {
    let application = TestApplication::embedded().await;
    for (name, path, admin_only) in GUARDED {
        let request = application
            .client
            .request(method(name), format!("{}{path}", application.api))
            .bearer_auth("")
            .json(&json!({}));
        let expected = if admin_only { 404 } else { 401 };
        application.send(request).await.problem(expected);
    }
}

/// Prevents one dealer from reading or changing another's stock, or from making itself an administrator.
async fn every_route_asks_for_the_right_token(market: Market) {
    let (a, b) = (market.dealership("a").await, market.dealership("b").await);
    for (name, path, admin_only) in GUARDED {
        for path in [path, path.trim_start_matches("/api")] {
            let with = |token: &str| {
                let request = market.request(method(name), path, token);
                request.json(&json!({}))
            };
            let url = format!("{}{path}", market.application.api);
            let nameless = market.application.client.request(method(name), url);
            for request in [
                nameless.try_clone().unwrap(),
                nameless.header("authorization", "Basic YTpi"),
                with("nobody's"),
            ] {
                let answer = market.send(request).await;
                assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"faciliauto\"");
                answer.problem(401);
            }
            market.send(with(&b)).await.problem(403);
            if admin_only {
                market.send(with(&a)).await.problem(403);
            }
        }
    }
    let own = market.stock("a", &a).await;
    assert_eq!(own.status, 200);
    assert_eq!(
        market.stock("a", ADMIN).await.text,
        own.text,
        "an administrator may"
    );
    assert_eq!(market.stock("a", "another-administrator").await.status, 200);
    market.stock("nobody", ADMIN).await.problem(404);
}

/// Prevents a lost or stolen token from working after it was replaced or revoked.
async fn a_token_ends_with_the_next_and_with_its_revocation(market: Market) {
    let first = market.dealership("a").await;
    let second = market.token("a").await;
    assert_ne!(first, second);
    market.stock("a", &first).await.problem(401);
    assert_eq!(market.stock("a", &second).await.status, 200);
    let path = "/api/dealerships/a/token";
    for _ in 0..2 {
        let revoked = market.send(market.request(Method::DELETE, path, ADMIN)).await;
        assert_eq!((revoked.status.as_u16(), revoked.text.as_str()), (204, ""));
    }
    market.stock("a", &second).await.problem(401);
    for name in [Method::POST, Method::DELETE] {
        let unknown = market.request(name, "/api/dealerships/nobody/token", ADMIN);
        market.send(unknown).await.problem(404);
    }
}

/// Prevents a record from being taken with a mistake in it, and stock from going when its dealer moves house.
async fn a_dealership_is_created_and_changed(market: Market) {
    let put = async |id: &str, record: serde_json::Value| {
        let path = format!("/api/dealerships/{id}");
        market
            .send(market.request(Method::PUT, &path, ADMIN).json(&record))
            .await
    };
    let made = put(
        "n",
        json!({"name": "Nova", "city": "Recife", "state": "pe", "x": 1}),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["warnings"][0]["pointer"], "/x");
    let token = market.token("n").await;
    market
        .put_stock("n", &token, &json!([row("n-1", 60_000)]))
        .await
        .ok();
    let changed = put(
        "n",
        json!({"id": "n", "name": "Nova", "city": "Olinda", "state": "PE"}),
    )
    .await
    .ok();
    assert_eq!(changed["created"], false);
    eventually("the change is served", async || {
        let shown = market.application.get("/dealerships/n").await;
        (shown.status == 200 && shown.json()["city"] == "Olinda" && shown.json()["total_cars"] == 1)
            .then_some(())
    })
    .await;
    for (record, pointer) in [
        (json!({"name": "Nova", "city": "Recife"}), "/state"),
        (
            json!({"id": "m", "name": "Nova", "city": "Recife", "state": "PE"}),
            "/id",
        ),
        (
            json!({"name": "Nova", "city": "Recife", "state": "PE", "latitude": -8}),
            "/latitude",
        ),
    ] {
        assert_eq!(
            put("n", record).await.problem(422)["errors"][0]["pointer"],
            pointer
        );
    }
    put("a%20b", json!({"name": "Nova", "city": "Recife", "state": "PE"}))
        .await
        .problem(422);
    let text = market
        .request(Method::PUT, "/api/dealerships/n", ADMIN)
        .body("{}");
    market.send(text).await.problem(415);
}

macro_rules! on_both {
    ($($behaviour:ident;)+) => {
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
                commit(&redis_state(&server), Basis::Unopened, vec![], &[]).await.unwrap();
                super::$behaviour(Market::on(&server).await).await;
            })+
        }
    };
}

on_both! {
    every_route_asks_for_the_right_token;
    a_token_ends_with_the_next_and_with_its_revocation;
    a_dealership_is_created_and_changed;
}

/// Prevents a changed token of an administrator from needing a restart; a file that is away takes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_read_again() {
    let market = Market::in_memory().await;
    let token = market.dealership("a").await;
    std::fs::remove_file(market.admins.path()).unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(market.stock("a", ADMIN).await.status, 200);
    market.admins.write("a-new-one");
    eventually("the new token counts", async || {
        (market.stock("a", "a-new-one").await.status == 200).then_some(())
    })
    .await;
    market.stock("a", ADMIN).await.problem(401);
    assert_eq!(market.stock("a", &token).await.status, 200);
    market.admins.write("\n");
    let path = "/api/dealerships/a/token";
    eventually("nobody is an administrator", async || {
        let answer = market.send(market.request(Method::POST, path, "a-new-one")).await;
        (answer.status == 404).then_some(())
    })
    .await;
}

/// Prevents whoever reads the log or the store from writing in a dealer's name.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_in_neither_the_log_nor_the_store() {
    let server = RedisServer::start();
    commit(&redis_state(&server), Basis::Unopened, vec![], &[])
        .await
        .unwrap();
    let admins = crate::harness::dealers::AdminFile::new();
    let (file, url) = (admins.path(), server.url());
    let mut process = ServingProcess::start(&[
        "--admin-token-file",
        file.to_str().unwrap(),
        "--redis-url",
        &url,
        "--key-prefix",
        "test",
        "--log-level",
        "trace",
    ]);
    let client = reqwest::Client::new();
    let at = |path: &str| format!("http://{}/api/dealerships/a{path}", process.address);
    let record = json!({"name": "Nova", "city": "Recife", "state": "PE"});
    let put = client.put(at("")).bearer_auth(ADMIN).json(&record).send().await;
    assert_eq!(put.unwrap().status(), 201);
    let made = client.post(at("/token")).bearer_auth(ADMIN).send().await.unwrap();
    assert_eq!(made.headers()["cache-control"], "no-store");
    let made: serde_json::Value = made.json().await.unwrap();
    let token = made["token"].as_str().unwrap();
    let used = client
        .put(at("/stock"))
        .bearer_auth(token)
        .json(&json!([row("a-1", 60_000)]));
    assert_eq!(used.send().await.unwrap().status(), 200);

    let digest = faciliauto_service::state::dealers::TokenDigest::of(token).to_hexadecimal();
    let epoch: String = server.ask(&["GET", "test:generation"]);
    let kept: Vec<String> = server.ask(&["HGETALL", &format!("test:{epoch}:tokens")]);
    assert_eq!(kept, ["a", &digest]);
    assert_eq!(server.seconds_left(&format!("test:{epoch}:tokens")), -1);
    for (key, value) in server.dump("*") {
        let value = String::from_utf8_lossy(&value).into_owned();
        for secret in [token, ADMIN] {
            assert!(!value.contains(secret) && !key.contains(secret), "{key}");
        }
    }
    process.process.signal("TERM");
    process.process.wait(Duration::from_secs(15)).expect("an end");
    let log = process.rest_of_log();
    assert!(!log.is_empty());
    for line in log {
        let line = line.to_string();
        assert!(
            !line.contains(token) && !line.contains(ADMIN) && !line.contains(&digest),
            "{line}"
        );
    }
}
