//! What buyers did, on several replicas, and while the store cannot take it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::{
    dealer_stock::on,
    harness::{
        application::TestApplication,
        buyers::{cars, feedback, interaction, post_once, with_key},
        dealers::{ADMIN, Market},
        eventually,
        process::{self, ServingProcess},
        redis_server::RedisServer,
    },
};

const TRACK: &str = "/api/interactions/track";

/// Two replicas with sample stock.
async fn two_replicas(server: &RedisServer) -> (Market, Market) {
    let imported = process::run(&[
        "--redis-url",
        &server.url(),
        "--key-prefix",
        "test",
        "import",
        "--sample",
    ]);
    assert!(imported.status.success(), "{imported:?}");
    let (one, other) = (Market::on(server).await, Market::on(server).await);
    for replica in [&one, &other] {
        eventually("it has stock", async || {
            (replica.application.get("/readyz").await.status == 200).then_some(())
        })
        .await;
    }
    (one, other)
}

async fn interactions_stored(market: &Market) -> u64 {
    let stats = market
        .send(market.request(Method::GET, "/api/ml/stats", ADMIN))
        .await
        .ok();
    stats["data_collection"]["total_interactions"]
        .as_u64()
        .expect("a count")
}

async fn metric(application: &TestApplication, name: &str) -> f64 {
    application.metric(name).await.expect(name)
}

/// Prevents a buyer from being somebody else on every replica: counts, keys, repetitions and erasures are of all.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_what_buyers_did() {
    let server = RedisServer::start();
    let (one, other) = two_replicas(&server).await;
    let cars = cars(&one.application, 3).await;
    let liked = feedback("maria", &cars[0], "liked");
    let first = post_once(&one.application, "/feedback", &liked, "1").await;
    assert_eq!(first.status, 201, "{}", first.text);
    let key = first.json()["user_key"].as_str().expect("a key").to_owned();
    let again = post_once(&other.application, "/feedback", &liked, "1").await;
    assert_eq!(again.status, 200, "{}", again.text);
    post_once(
        &other.application,
        "/feedback",
        &feedback("maria", &cars[1], "liked"),
        "1",
    )
    .await
    .problem(422);
    // Sent to both at the same time it counts once.
    let compared = feedback("maria", &cars[1], "compared");
    let answers = futures::future::join_all(
        [&one, &other, &one, &other]
            .map(|replica| post_once(&replica.application, "/feedback", &compared, "2")),
    )
    .await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1);
    let clicked = interaction("sessao", &cars[2], "click");
    assert_eq!(one.application.post(TRACK, &clicked).await.status, 201);

    let path = "/feedback/history/maria";
    let history = with_key(&other.application, Method::GET, path, &key).await.ok();
    assert_eq!(history["total_interactions"], 2);
    let export = "/api/ml/export-data";
    let exported = other.send(other.request(Method::GET, export, ADMIN)).await.ok();
    assert_eq!(exported["events"].as_array().map(Vec::len), Some(3));
    let data = "/api/users/maria/data";
    let shown = with_key(&other.application, Method::GET, data, &key).await.ok();
    assert_eq!(shown["events"].as_array().map(Vec::len), Some(2));
    let erased = with_key(&other.application, Method::DELETE, data, &key)
        .await
        .ok();
    assert_eq!(erased["erased_events"], 2);
    with_key(&one.application, Method::GET, path, &key)
        .await
        .problem(404);
    assert_eq!(interactions_stored(&one).await, 1, "others stay");
}

/// Prevents a store that is away from failing a page, from losing what was done meanwhile, or from being taken for one
/// that has it.
#[tokio::test(flavor = "multi_thread")]
async fn interactions_wait_for_a_store_that_is_away() {
    let mut server = RedisServer::start();
    let (market, _) = two_replicas(&server).await;
    let application = &market.application;
    let cars = cars(application, 5).await;
    let first = application
        .post(TRACK, &interaction("s", &cars[0], "click"))
        .await;
    let key = first.json()["user_key"].as_str().expect("a key").to_owned();
    server.kill();

    let begun = Instant::now();
    for (index, car) in cars.iter().enumerate() {
        let clicked = interaction("s", car, "view_details");
        let answer = post_once(application, TRACK, &clicked, &index.to_string()).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(
            answer.json(),
            json!({"status": "partial_success", "stored": false, "interaction_type": "view_details", "car_id": car,
                "message": "Interação recebida, à espera do armazenamento; ainda não está registrada."})
        );
        // Sent again, it waits once.
        let again = post_once(application, TRACK, &clicked, &index.to_string()).await;
        assert_eq!(again.status, 202);
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let came = application
        .post(TRACK, &interaction("new", &cars[0], "click"))
        .await;
    assert_eq!(came.status, 202, "{}", came.text);
    assert_eq!(metric(application, "interactions_buffered").await, 6.0);
    let series = "interactions_total{type=\"view_details\"}";
    assert_eq!(metric(application, series).await, 0.0, "not stored yet");
    for refused in [
        application
            .post("/feedback", &feedback("maria", &cars[0], "liked"))
            .await,
        with_key(application, Method::DELETE, "/api/users/s/data", &key).await,
        market
            .send(market.request(Method::GET, "/api/ml/stats", ADMIN))
            .await,
    ] {
        let problem = refused.problem(503);
        assert_eq!(problem["type"], "urn:problem-type:faciliauto:store-unavailable");
    }

    server.start_again();
    eventually("what waited is written", async || {
        (application.metric("interactions_buffered").await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(interactions_stored(&market).await, 7);
    assert_eq!(metric(application, series).await, 5.0);
    assert_eq!(metric(application, "interactions_dropped_total").await, 0.0);
    let now_stored = post_once(application, TRACK, &interaction("s", &cars[0], "click"), "later").await;
    assert_eq!(now_stored.status, 201, "it writes at once again");
    assert!(now_stored.json().get("user_key").is_none(), "s has its key");
    // Whoever came while the store was away was given none.
    for again in ["later", "much later"] {
        let clicked = interaction("new", &cars[1], "click");
        let answer = post_once(application, TRACK, &clicked, again).await.json();
        assert_eq!(answer["user_key"].is_string(), again == "later", "{answer}");
    }
}

/// Prevents a store that hangs from holding pages up, and what it had taken after all from being counted twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_holds_no_page_up() {
    let server = RedisServer::start();
    let (market, _) = two_replicas(&server).await;
    let application = &market.application;
    let cars = cars(application, 4).await;
    server.signal("STOP");
    let begun = Instant::now();
    for car in &cars {
        let answer = application.post(TRACK, &interaction("s", car, "click")).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "only the first waits: {:?}",
        begun.elapsed()
    );
    server.signal("CONT");
    eventually("what waited is written", async || {
        (application.metric("interactions_buffered").await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(interactions_stored(&market).await, 4);
}

/// Prevents a restore from losing what visitors did while it held writes back, and feedback from being acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_fence_makes_interactions_wait() {
    let server = RedisServer::start();
    let (market, _) = two_replicas(&server).await;
    let application = &market.application;
    let cars = cars(application, 2).await;
    server.ask::<()>(&["HSET", "test:fence", "id", "r-1", "deadline", "99999999999999"]);
    let answer = application
        .post(TRACK, &interaction("s", &cars[0], "click"))
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let refused = application
        .post("/feedback", &feedback("maria", &cars[0], "liked"))
        .await;
    let problem = refused.problem(503);
    assert_eq!(problem["type"], "urn:problem-type:faciliauto:writes-held-back");
    server.ask::<()>(&["DEL", "test:fence"]);
    eventually("what waited is written", async || {
        (application.metric("interactions_buffered").await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(interactions_stored(&market).await, 1);
}

/// Prevents a full store, or one that was never opened, from taking what it then does not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_room_or_generation_says_so() {
    let server = RedisServer::start();
    let (market, _) = two_replicas(&server).await;
    let application = &market.application;
    let cars = cars(application, 1).await;
    let answer = application
        .post("/feedback", &feedback("joao", &cars[0], "liked"))
        .await;
    let key = answer.json()["user_key"].as_str().expect("a key").to_owned();
    server.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    for answer in [
        application
            .post("/feedback", &feedback("maria", &cars[0], "liked"))
            .await,
        application
            .post(TRACK, &interaction("s", &cars[0], "click"))
            .await,
    ] {
        assert_eq!(
            answer.problem(507)["type"],
            "urn:problem-type:faciliauto:store-full"
        );
    }
    let erased = with_key(application, Method::DELETE, "/api/users/joao/data", &key)
        .await
        .ok();
    assert_eq!(erased["erased_events"], 1, "erasing needs no room");
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);

    let unopened = RedisServer::start();
    let lonely = Market::on(&unopened).await;
    for answer in [
        lonely
            .application
            .post("/feedback", &feedback("maria", "x", "liked"))
            .await,
        lonely
            .application
            .post(TRACK, &interaction("s", "x", "click"))
            .await,
        lonely
            .application
            .get("/feedback/history/9f0c2a4e-5b7d-4e1f-8a3b-0c1d2e3f4a5b")
            .await,
    ] {
        assert_eq!(
            answer.problem(503)["type"],
            "urn:problem-type:faciliauto:store-not-open"
        );
    }
}

/// Prevents a process that stops from taking along what only waited for the store to come back.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_written_before_the_process_ends() {
    let mut server = RedisServer::start();
    let market = on(&server).await;
    let token = market.dealership("a").await;
    let stock = json!([crate::harness::dealers::row("a-1", 60_000)]);
    market.put_stock("a", &token, &stock).await.ok();
    let url = server.url();
    let mut serving = ServingProcess::start(&["--redis-url", &url, "--key-prefix", "test"]);
    let client = reqwest::Client::new();
    let address = format!("http://{}", serving.address);
    eventually("it has stock", async || {
        let answer = client.get(format!("{address}/cars/a-1")).send().await;
        answer.is_ok_and(|answer| answer.status() == 200).then_some(())
    })
    .await;
    server.kill();
    let answer = client
        .post(format!("{address}{TRACK}"))
        .json(&interaction("s", "a-1", "click"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 202);
    serving.process.signal("TERM");
    server.start_again();
    let status = serving.process.wait(Duration::from_secs(20)).expect("it ends");
    assert!(status.success(), "{status}: {:#?}", serving.rest_of_log());
    eventually("another replica reaches the store", async || {
        let request = market.request(Method::GET, "/api/ml/stats", ADMIN);
        (market.send(request).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(interactions_stored(&market).await, 1);
}
