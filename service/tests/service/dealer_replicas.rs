//! What dealers hand in, on several replicas, over time, and while the store cannot take it.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use faciliauto_service::state::{Basis, State, StateError, dealers::Dealers};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    dealer_stock::on,
    harness::{
        dealers::{ADMIN, Market, row},
        eventually,
        redis_server::RedisServer,
    },
    state::{commit, redis_state},
};

/// Prevents a sold car from being offered on by another replica.
#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_seen_by_every_replica_within_a_second() {
    let server = RedisServer::start();
    let (market, replica) = (on(&server).await, Market::on(&server).await);
    let token = market.dealership("a").await;
    market
        .put_stock("a", &token, &json!([row("a-1", 60_000), row("a-2", 61_000)]))
        .await
        .ok();
    for (fields, name, expected) in [
        (json!({"disponivel": false}), "disponivel", json!(false)),
        (json!({"preco": 55_000}), "preco", json!(55_000.0)),
    ] {
        let asked = Instant::now();
        market.patch("a", "a-1", &token, fields).await.ok();
        for replica in [&market, &replica] {
            eventually("the change is served", async || {
                let car = replica.application.get("/cars/a-1").await;
                (car.status == 200 && car.json()[name] == expected).then_some(())
            })
            .await;
        }
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
}

/// Prevents a replica that reads only what has changed from showing other stock than one that reads all.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_follows_shows_what_a_new_one_does() {
    let server = RedisServer::start();
    let market = on(&server).await;
    let mut tokens = Vec::new();
    for id in ["a", "b", "c"] {
        tokens.push(market.dealership(id).await);
    }
    let mut last = String::new();
    for round in 0..3_u32 {
        for (id, token) in ["a", "b", "c"].iter().zip(&tokens) {
            let rows: Vec<Value> = (round..round + 4)
                .map(|index| row(&format!("{id}-{index}"), 60_000 + round))
                .collect();
            if (*id, round) != ("c", 1) {
                market.put_stock(id, token, &json!(rows)).await.ok();
            }
        }
        let car = format!("b-{}", round + 1);
        let sold = market.patch("b", &car, &tokens[1], json!({"disponivel": false}));
        let sold = sold.await.ok();
        last = sold["catalog_version"].as_str().unwrap().to_owned();
        eventually("it follows", async || {
            let health = market.application.get("/health").await.ok();
            (health["catalog_version"] == last.as_str()).then_some(())
        })
        .await;
    }
    let head = redis_state(&server).head().await.unwrap().unwrap();
    commit(
        &redis_state(&server),
        Basis::Version(head.version),
        vec![],
        &["c"],
    )
    .await
    .unwrap();
    let fresh = Market::on(&server).await;
    let shown = async |market: &Market| {
        eventually("both have the last stock", async || {
            let health = market.application.get("/health").await;
            (health.json()["dealerships"] == 2).then_some(())
        })
        .await;
        let mut texts = Vec::new();
        for path in ["/cars?limit=200", "/dealerships"] {
            texts.push(market.application.get(path).await.text);
        }
        texts
    };
    assert_eq!(shown(&market).await, shown(&fresh).await);
    assert!(!last.is_empty());
}

/// Prevents two dealers that hand in one id at the same moment, on two replicas, from both having it.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_dealers_with_one_id_the_first_has_it() {
    let server = RedisServer::start();
    let replicas = [on(&server).await, Market::on(&server).await];
    let tokens = [
        replicas[0].dealership("a").await,
        replicas[0].dealership("b").await,
    ];
    let rows = json!([row("same", 60_000)]);
    let (first, second) = futures::future::join(
        replicas[0].put_stock("a", &tokens[0], &rows),
        replicas[1].put_stock("b", &tokens[1], &rows),
    )
    .await;
    let (lost, won): (Vec<_>, Vec<_>) = [first, second]
        .into_iter()
        .partition(|answer| answer.status != 200);
    assert_eq!((lost.len(), won.len()), (1, 1));
    for lost in lost {
        assert_eq!(lost.problem(422)["errors"][0]["code"], "id_taken");
    }
}

/// Prevents a sale at one dealership from making every replica read the cars of all the others again: here
/// another's cannot be read at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_sale_makes_nobody_read_what_has_not_changed() {
    let server = RedisServer::start();
    let market = on(&server).await;
    let (a, b) = (market.dealership("a").await, market.dealership("b").await);
    market.put_stock("b", &b, &json!([row("b-1", 50_000)])).await.ok();
    let put = market.put_stock("a", &a, &json!([row("a-1", 60_000)])).await.ok();
    eventually("it is served", async || {
        let health = market.application.get("/health").await.ok();
        (health["catalog_version"] == put["catalog_version"]).then_some(())
    })
    .await;
    let epoch: String = server.ask(&["GET", "test:generation"]);
    for piece in server.keys(&format!("test:{epoch}:stock:b:*")) {
        server.ask::<()>(&["DEL", &piece]);
    }
    assert!(redis_state(&server).stock().await.is_err());
    market
        .patch("a", "a-1", &a, json!({"disponivel": false}))
        .await
        .ok();
    eventually("the sale is served", async || {
        let car = market.application.get("/cars/a-1").await.ok();
        (car["disponivel"] == false).then_some(())
    })
    .await;
    assert_eq!(market.application.get("/cars/b-1").await.status, 200);
    assert_eq!(market.application.get("/health").await.ok()["status"], "healthy");
}

/// Prevents a sale from being written, or read by any replica, with the whole stock around it, which for a large one
/// takes seconds: here no piece of it can be read at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_sale_leaves_the_stock_that_it_is_in_alone() {
    let server = RedisServer::start();
    let replicas = [on(&server).await, Market::on(&server).await];
    let token = replicas[0].dealership("a").await;
    let rows = json!([row("a-1", 60_000), row("a-2", 61_000)]);
    let put = replicas[0].put_stock("a", &token, &rows).await.ok();
    let serve = async |version: &Value| {
        for replica in &replicas {
            eventually("it is served", async || {
                let health = replica.application.get("/health").await.ok();
                (health["catalog_version"] == *version).then_some(())
            })
            .await;
        }
    };
    serve(&put["catalog_version"]).await;
    let epoch: String = server.ask(&["GET", "test:generation"]);
    let pieces = server.keys(&format!("test:{epoch}:stock:a:*"));
    let hidden: Vec<(String, String)> = pieces
        .iter()
        .map(|piece| (piece.clone(), format!("hidden:{piece}")))
        .collect();
    for (piece, hidden) in &hidden {
        server.ask::<()>(&["RENAME", piece, hidden]);
    }
    // The same twice, and on either replica: what is so already is an update too.
    for (turn, (car, fields)) in [
        ("a-1", json!({"disponivel": false})),
        ("a-2", json!({"preco": 59_990.5})),
        ("a-2", json!({"preco": 59_990.5})),
        ("a-1", json!({"disponivel": true})),
    ]
    .into_iter()
    .enumerate()
    {
        let patched = replicas[turn % 2]
            .patch("a", car, &token, fields.clone())
            .await
            .ok();
        serve(&patched["catalog_version"]).await;
        for replica in &replicas {
            let served = replica.application.get(&format!("/cars/{car}")).await.ok();
            for (name, value) in fields.as_object().unwrap() {
                assert_eq!(&served[name], value, "{car}");
            }
        }
    }
    let updates = format!("test:{epoch}:updates:a");
    assert_eq!(server.seconds_left(&updates), -1, "durable");
    for (piece, hidden) in &hidden {
        server.ask::<()>(&["RENAME", hidden, piece]);
    }
    // A replica that starts now reads both, and so does the dealer.
    let late = Market::on(&server).await;
    let stock = replicas[0].stock("a", &token).await.ok();
    assert_eq!(
        (&stock[0]["disponivel"], &stock[1]["preco"]),
        (&json!(true), &json!(59_990.5))
    );
    eventually("the new replica serves the price", async || {
        let car = late.application.get("/cars/a-2").await;
        (car.status == 200 && car.json()["preco"] == 59_990.5).then_some(())
    })
    .await;
    // A record that is put takes the updates along, and the cars are the same.
    let before = replicas[0].stock("a", &token).await;
    replicas[0].dealership("a").await;
    assert!(!server.keys("*").contains(&updates));
    let token = replicas[0].token("a").await;
    let after = replicas[0].stock("a", &token).await;
    assert_eq!(
        (before.header("etag"), &before.text),
        (after.header("etag"), &after.text)
    );
}

/// Prevents uploads that are sent slowly from filling the memory of a process.
#[tokio::test(flavor = "multi_thread")]
async fn more_uploads_than_fit_are_asked_to_come_back() {
    let market = Market::in_memory().await;
    let token = market.dealership("a").await;
    let address = market.application.api.trim_start_matches("http://").to_owned();
    let head = format!(
        "PUT /api/dealerships/a/stock HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n["
    );
    // One more each time: the request that asks takes a place too, and so may turn a slow one away.
    let mut slow = Vec::new();
    eventually("all places are taken", async || {
        let mut connection = std::net::TcpStream::connect(&address).unwrap();
        connection.write_all(head.as_bytes()).unwrap();
        slow.push(connection);
        let answer = market.put_stock("a", &token, &json!([])).await;
        (answer.status == 503 && answer.header("retry-after") == "1").then_some(())
    })
    .await;
    assert_eq!(market.stock("a", &token).await.status, 200);
    drop(slow);
    eventually("the places are free again", async || {
        (market.put_stock("a", &token, &json!([])).await.status == 200).then_some(())
    })
    .await;
}

/// Prevents writers on several replicas from overwriting each other's cars.
#[tokio::test(flavor = "multi_thread")]
async fn patches_on_two_replicas_are_all_kept() {
    let server = RedisServer::start();
    let replicas = [on(&server).await, Market::on(&server).await];
    let token = replicas[0].dealership("a").await;
    let rows: Vec<Value> = (0..8).map(|index| row(&format!("a-{index}"), 60_000)).collect();
    replicas[0].put_stock("a", &token, &json!(rows)).await.ok();
    let patches = (0..8).map(|index| {
        let (replica, token) = (&replicas[index % 2], &token);
        async move {
            let car = format!("a-{index}");
            replica
                .patch("a", &car, token, json!({"preco": 1000 + index}))
                .await
                .ok()
        }
    });
    futures::future::join_all(patches).await;
    let stock = replicas[1].stock("a", &token).await.ok();
    for (index, car) in stock.as_array().unwrap().iter().enumerate() {
        assert_eq!(car["preco"], 1000.0 + index as f64);
    }
}

/// Prevents a sale from hiding a car for ever: after a day the dealer's own list counts again.
#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_remembered_for_a_day() {
    let server = RedisServer::start();
    let market = on(&server).await;
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000)]);
    market.put_stock("a", &token, &rows).await.ok();
    market
        .patch("a", "a-1", &token, json!({"disponivel": false}))
        .await
        .ok();
    let epoch: String = server.ask(&["GET", "test:generation"]);
    let marks = format!("test:{epoch}:sold:a");
    assert_eq!(server.seconds_left(&marks), -1, "durable");
    let at: i64 = server.ask(&["HGET", &marks, "a-1"]);
    let earlier = |hours: i64| (at - hours * 3_600_000).to_string();
    server.ask::<()>(&["HSET", &marks, "a-1", &earlier(23)]);
    let kept = market.put_stock("a", &token, &rows).await.ok();
    assert_eq!(kept["kept_sold"], json!(["a-1"]));
    server.ask::<()>(&["HSET", &marks, "a-1", &earlier(25)]);
    let after = market.put_stock("a", &token, &rows).await.ok();
    assert_eq!(
        (&after["kept_sold"], &after["available"]),
        (&json!([]), &json!(1))
    );
    assert!(!server.keys("*").contains(&marks), "old marks are cleared away");
}

/// Prevents a write from being acknowledged that went nowhere, and reads of the catalogue from going with the
/// store.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_take_a_write_says_so() {
    let mut server = RedisServer::start();
    let market = Market::on(&server).await;
    let record = json!({"name": "Nova", "city": "Recife", "state": "PE"});
    let path = "/api/dealerships/a";
    let put = async |status: u16| {
        let answer = market
            .send(market.request(Method::PUT, path, ADMIN).json(&record))
            .await;
        let wait = answer.header("retry-after").to_owned();
        (answer.problem(status)["type"].as_str().unwrap().to_owned(), wait)
    };
    let kind = |name: &str| format!("urn:problem-type:faciliauto:{name}");
    assert_eq!(put(503).await, (kind("store-not-open"), "1".to_owned()));
    assert_eq!(
        server.keys("*"),
        Vec::<String>::new(),
        "a server never opens a store"
    );

    let state = redis_state(&server);
    commit(&state, Basis::Unopened, vec![], &[]).await.unwrap();
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000)]);
    let before = market.put_stock("a", &token, &rows).await.ok();
    let patch = json!({"preco": 1000});

    server.ask::<()>(&["HSET", "test:fence", "id", "r-1", "deadline", "99999999999999"]);
    assert_eq!(put(503).await, (kind("writes-held-back"), "10".to_owned()));
    market.put_stock("a", &token, &rows).await.problem(503);
    market.patch("a", "a-1", &token, patch.clone()).await.problem(503);
    market
        .send(market.request(Method::POST, "/api/dealerships/a/token", ADMIN))
        .await
        .problem(503);
    server.ask::<()>(&["DEL", "test:fence"]);

    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let full = market.put_stock("a", &token, &rows).await.problem(507);
    assert_eq!(full["type"], kind("store-full"));
    market.patch("a", "a-1", &token, patch.clone()).await.problem(507);
    market
        .send(market.request(Method::POST, "/api/dealerships/a/token", ADMIN))
        .await
        .problem(507);
    assert!(
        state.stock().await.unwrap().is_some(),
        "a full store is still read"
    );
    let stock = market.stock("a", &token).await;
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(
        stock.header("etag"),
        before["etag"].as_str().unwrap(),
        "the old stock stays"
    );

    let generation: String = server.ask(&["GET", "test:generation"]);
    server.ask::<()>(&["DEL", "test:generation"]);
    market.put_stock("a", ADMIN, &rows).await.problem(503);
    market.patch("a", "a-1", ADMIN, patch.clone()).await.problem(503);
    assert!(matches!(state.dealer_token("a").await, Err(StateError::NotOpen)));
    server.ask::<()>(&["SET", "test:generation", &generation]);
    assert_eq!(
        state.head().await.unwrap().unwrap().version.to_string(),
        before["catalog_version"]
    );

    server.kill();
    let away = market.put_stock("a", &token, &rows).await.problem(503);
    assert_eq!(away["type"], kind("store-unavailable"));
    market.patch("a", "a-1", ADMIN, patch).await.problem(503);
    assert_eq!(market.application.get("/cars/a-1").await.status, 200);
}
