//! A dealer's stock over HTTP: the whole of it, and one car.

use std::io::Write;

use faciliauto_service::state::Basis;
use flate2::{Compression, write::GzEncoder};
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};

use crate::{
    harness::{
        dealers::{ADMIN, Market, row},
        eventually,
        redis_server::RedisServer,
    },
    state::{commit, redis_state},
};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn ids(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

pub(crate) async fn on(server: &RedisServer) -> Market {
    commit(&redis_state(server), Basis::Unopened, vec![], &[])
        .await
        .unwrap();
    Market::on(server).await
}

/// Prevents a stock from coming back other than it went in, in any of the forms it may take.
async fn a_stock_is_taken_in_every_form_and_comes_back(market: Market) {
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000), row("a-2", 70_000)]);
    let lines =
        "\u{20}\n".to_owned() + &row("a-1", 60_000).to_string() + "\n" + &row("a-2", 70_000).to_string();
    let mut etags = Vec::new();
    for (body, kind, packed) in [
        (rows.to_string(), "application/json", false),
        (lines.clone(), "application/x-ndjson", false),
        (rows.to_string(), "application/json; charset=utf-8", true),
        (lines, "application/x-ndjson", true),
    ] {
        let emptied = market.put_stock("a", &token, &json!([])).await.ok();
        assert_eq!(emptied["cars"], 0);
        let request = market.put("a", &token).header("content-type", kind);
        let request = if packed {
            request.header("content-encoding", "gzip").body(gzip(&body))
        } else {
            request.body(body)
        };
        let answer = market.send(request).await;
        let etag = answer.header("etag").to_owned();
        let receipt = answer.ok();
        let version = receipt["catalog_version"].as_str().unwrap().to_owned();
        let expected = json!({
            "dealership_id": "a", "dry_run": false, "cars": 2, "available": 2, "added": 2, "changed": 0,
            "removed": 0, "kept_sold": [], "catalog_version": version, "etag": etag,
        });
        assert_eq!(receipt, expected);
        let stock = market.stock("a", &token).await;
        assert_eq!(stock.header("etag"), etag);
        let stock = stock.ok();
        assert_eq!(ids(&stock), ["a-1", "a-2"]);
        assert_eq!(stock[1]["preco"], 70_000.0);
        assert!(
            stock[0]["confirmado_em"].is_string(),
            "handing a car in confirms it"
        );
        eventually("it is served", async || {
            let health = market.application.get("/health").await.ok();
            (health["catalog_version"] == version.as_str()).then_some(())
        })
        .await;
        assert_eq!(market.application.get("/cars/a-2").await.status, 200);
        etags.push(etag);
    }
    etags.dedup();
    assert_eq!(etags.len(), 1, "the same cars have the same tag: {etags:?}");

    let path = "/api/dealerships/a/stock";
    let head = market.send(market.request(Method::HEAD, path, &token)).await;
    assert_eq!(
        (head.status.as_u16(), head.header("etag"), head.text.as_str()),
        (200, etags[0].as_str(), "")
    );
    let known = market
        .request(Method::GET, path, &token)
        .header("if-none-match", &etags[0]);
    assert_eq!(market.send(known).await.status, 304);
    let lines = market
        .request(Method::GET, path, &token)
        .header("accept", "application/x-ndjson");
    let lines = market.send(lines).await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    assert_eq!(lines.text.lines().count(), 2);
    // What was given may be sent back.
    let again = market
        .put("a", &token)
        .header("content-type", "application/x-ndjson");
    let again = market.send(again.body(lines.text)).await.ok();
    assert_eq!((&again["changed"], &again["warnings"]), (&json!(0), &Value::Null));
}

/// Prevents a bad row from entering, from being reported without its place, or from spoiling what was there.
async fn mistakes_change_nothing_and_are_all_named(market: Market) {
    let token = market.dealership("a").await;
    let other = market.dealership("b").await;
    market
        .put_stock("b", &other, &json!([row("b-1", 50_000)]))
        .await
        .ok();
    let before = market
        .put_stock("a", &token, &json!([row("a-1", 60_000)]))
        .await
        .ok();
    let mut ill = row("a-2", 1);
    ill["preco"] = json!("caro");
    let bad = json!([row("a-1", 0), ill, row("b-1", 61_000), row("a-1", 62_000), 7]);
    let problem = market.put_stock("a", &token, &bad).await.problem(422);
    assert_eq!(problem["type"], "urn:problem-type:faciliauto:invalid-rows");
    let mut named: Vec<(String, String)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["pointer"].as_str().unwrap().to_owned(),
                error["code"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    named.sort();
    let expected = [
        ("/0/preco", "range"),
        ("/1/preco", "type"),
        ("/2/id", "id_taken"),
        ("/3/id", "id_repeated"),
        ("/4", "type"),
    ];
    assert_eq!(
        named,
        expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()))
    );
    assert_eq!(problem["error_count"], 5);

    let many: String = (0..250).map(|_| "{}\n").collect();
    let request = market
        .put("a", &token)
        .header("content-type", "application/x-ndjson");
    let problem = market.send(request.body(many)).await.problem(422);
    assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
    assert_eq!(problem["error_count"], 250 * 9);
    assert!(
        problem["errors"][9]["message"]
            .as_str()
            .unwrap()
            .starts_with("linha 2: ")
    );

    for (kind, encoding, body, status) in [
        ("text/csv", "identity", "a;b".as_bytes().to_vec(), 415),
        ("application/json", "compress", b"[]".to_vec(), 415),
        ("application/json", "gzip", b"[]".to_vec(), 400),
        ("application/json", "identity", b"[".to_vec(), 400),
        ("application/json", "identity", b"{}".to_vec(), 422),
        ("application/x-ndjson", "identity", b"".to_vec(), 422),
        ("application/x-ndjson", "identity", vec![b' '; 70_000], 413),
        ("application/json", "gzip", gzip(&" ".repeat((64 << 20) + 1)), 413),
    ] {
        let request = market.put("a", &token).header("content-type", kind);
        let request = request.header("content-encoding", encoding).body(body);
        market.send(request).await.problem(status);
    }
    let query = market.request(Method::PUT, "/api/dealerships/a/stock?dry_run=talvez", &token);
    market.send(query.json(&json!([]))).await.problem(422);
    market
        .send(market.put("nobody", ADMIN).json(&json!([])))
        .await
        .problem(404);
    let stock = market.stock("a", &token).await;
    assert_eq!(
        stock.header("etag"),
        before["etag"].as_str().unwrap(),
        "nothing was changed"
    );
}

/// Prevents a trial from changing anything, or from promising what the real upload would not do.
async fn a_trial_says_what_would_become(market: Market) {
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000), row("a-2", 61_000)]);
    let before = market.put_stock("a", &token, &rows).await.ok();
    let path = "/api/dealerships/a/stock?dry_run=true";
    let rows = json!([row("a-2", 59_000), row("a-3", 62_000), row("a-4", 63_000)]);
    let trial = market
        .send(market.request(Method::PUT, path, &token).json(&rows))
        .await
        .ok();
    let expected = json!({
        "dealership_id": "a", "dry_run": true, "cars": 3, "available": 3, "added": 2, "changed": 1, "removed": 1,
        "kept_sold": [], "catalog_version": before["catalog_version"], "etag": before["etag"],
    });
    assert_eq!(trial, expected);
    for (query, pointer) in [("dryrun=true", "/dryrun"), ("dry_run", "/dry_run")] {
        let path = format!("/api/dealerships/a/stock?{query}");
        let misspelt = market.request(Method::PUT, &path, &token).json(&rows);
        let problem = market.send(misspelt).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let stock = market.stock("a", &token).await;
    assert_eq!(stock.header("etag"), before["etag"].as_str().unwrap());
}

/// Prevents a nightly upload from selling a car twice, and a writer from undoing what it did not see.
async fn sold_cars_stay_sold_unless_the_writer_saw_it(market: Market) {
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000), row("a-2", 61_000)]);
    let first = market.put_stock("a", &token, &rows).await.ok();
    let answer = market
        .patch("a", "a-1", &token, json!({"disponivel": false, "y": 1}))
        .await;
    let etag = answer.header("etag").to_owned();
    let sold = answer.ok();
    assert_eq!(
        (
            &sold["id"],
            &sold["disponivel"],
            &sold["preco"],
            &sold["warnings"][0]["pointer"]
        ),
        (&json!("a-1"), &json!(false), &json!(60_000.0), &json!("/y"))
    );
    assert_ne!(etag, first["etag"].as_str().unwrap(), "PATCH changes the tag");

    let put = async |condition: &str, rows: &Value| {
        let request = market.put("a", &token).header("if-match", condition);
        market.send(request.json(rows)).await
    };
    put(first["etag"].as_str().unwrap(), &rows).await.problem(412);
    let unreadable = || HeaderValue::from_bytes(b"\"\xe7\xe3o\"").unwrap();
    let request = market.put("a", &token).header("if-match", unreadable());
    market.send(request.json(&rows)).await.problem(412);
    let path = "/api/dealerships/a/cars/a-1";
    let request = market
        .request(Method::PATCH, path, &token)
        .header("if-match", unreadable());
    market.send(request.json(&json!({"preco": 1}))).await.problem(412);
    let kept = market.put_stock("a", &token, &rows).await.ok();
    assert_eq!(
        (&kept["kept_sold"], &kept["available"]),
        (&json!(["a-1"]), &json!(1))
    );
    assert_eq!(kept["etag"], etag.as_str(), "nothing has changed");
    // It also stays sold when it was away in between.
    let without = market
        .put_stock("a", &token, &json!([row("a-2", 61_000)]))
        .await
        .ok();
    assert_eq!(without["removed"], 1);
    let kept = market.put_stock("a", &token, &rows).await.ok();
    assert_eq!(kept["kept_sold"], json!(["a-1"]));

    let weak = format!("\"other\", W/{}", kept["etag"].as_str().unwrap());
    let won = put(&weak, &rows).await.ok();
    assert_eq!((&won["kept_sold"], &won["available"]), (&json!([]), &json!(2)));
    let later = market.put_stock("a", &token, &rows).await.ok();
    assert_eq!(later["kept_sold"], json!([]), "the mark is gone");

    market
        .patch("a", "a-2", &token, json!({"disponivel": false}))
        .await
        .ok();
    market
        .patch("a", "a-2", &token, json!({"disponivel": true}))
        .await
        .ok();
    let back = market.put_stock("a", &token, &rows).await.ok();
    assert_eq!(back["kept_sold"], json!([]), "it was no sale after all");
}

/// Prevents a patch from being taken for something else than it is.
async fn a_patch_changes_one_car_or_nothing(market: Market) {
    let token = market.dealership("a").await;
    let rows = json!([row("a-1", 60_000), row("a-2", 61_000)]);
    let before = market.put_stock("a", &token, &rows).await.ok();
    for (fields, pointer) in [
        (json!({}), ""),
        (json!([]), ""),
        (json!({"preco": 0}), "/preco"),
        (json!({"preco": 200_000_000}), "/preco"),
        (json!({"disponivel": "sim"}), "/disponivel"),
    ] {
        let problem = market
            .patch("a", "a-1", &token, fields.clone())
            .await
            .problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{fields}");
    }
    market
        .patch("a", "a-9", &token, json!({"preco": 1}))
        .await
        .problem(404);
    market
        .patch("nobody", "a-1", ADMIN, json!({"preco": 1}))
        .await
        .problem(404);
    let path = "/api/dealerships/a/cars/a-2";
    let late = market
        .request(Method::PATCH, path, &token)
        .header("if-match", "\"old\"");
    market.send(late.json(&json!({"preco": 1}))).await.problem(412);
    market
        .send(market.request(Method::PATCH, path, &token).body("{}"))
        .await
        .problem(415);
    assert_eq!(
        market.stock("a", &token).await.header("etag"),
        before["etag"].as_str().unwrap()
    );
    let patched = market
        .patch("a", "a-2", &token, json!({"preco": 58_990.55}))
        .await
        .ok();
    let stock = market.stock("a", &token).await;
    assert_eq!(stock.header("etag"), patched["etag"].as_str().unwrap());
    let stock = stock.ok();
    assert_eq!(
        (&stock[0]["preco"], &stock[1]["preco"]),
        (&json!(60_000.0), &json!(58_990.55))
    );
}

/// Prevents two uploads at once from becoming a mixture, or one of them from being lost without a word.
async fn uploads_at_once_never_mix(market: Market) {
    let token = market.dealership("a").await;
    let uploads = (0..2).map(|writer| {
        let rows: Vec<Value> = (0..50)
            .map(|index| row(&format!("a-{writer}-{index}"), 60_000 + writer))
            .collect();
        let request = market.put("a", &token).json(&rows);
        let market = &market;
        async move { (writer, market.send(request).await) }
    });
    let patches = async {
        let other = market.dealership("b").await;
        market.put_stock("b", &other, &json!([row("b-1", 1_000)])).await;
    };
    let (answers, ()) = futures::future::join(futures::future::join_all(uploads), patches).await;
    let mut last = None;
    for (writer, answer) in answers {
        if answer.status == 200 {
            let version = answer.json()["catalog_version"].as_str().unwrap().to_owned();
            let counter: u64 = version.rsplit('.').next().unwrap().parse().unwrap();
            last = last.max(Some((counter, writer)));
        } else {
            assert!(
                [409, 412, 503].contains(&answer.status.as_u16()),
                "{}",
                answer.text
            );
        }
    }
    let (_, winner) = last.expect("one of them wins");
    let stock = market.stock("a", &token).await.ok();
    assert_eq!(stock.as_array().unwrap().len(), 50);
    let prefix = format!("a-{winner}-");
    assert!(ids(&stock).iter().all(|id| id.starts_with(&prefix)), "{stock}");
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
                super::$behaviour(on(&server).await).await;
            })+
        }
    };
}

on_both! {
    a_stock_is_taken_in_every_form_and_comes_back;
    mistakes_change_nothing_and_are_all_named;
    a_trial_says_what_would_become;
    sold_cars_stay_sold_unless_the_writer_saw_it;
    a_patch_changes_one_car_or_nothing;
    uploads_at_once_never_mix;
}

/// Prevents a writer whom others overtake again and again from waiting without end, from being told something else, and
/// from changing anything.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_comes_first_is_told() {
    let server = RedisServer::start();
    let market = on(&server).await;
    let token = market.dealership("a").await;
    let before = market
        .put_stock("a", &token, &json!([row("a-1", 60_000)]))
        .await
        .ok();
    // Whatever version a change is decided on, another stock was put after it.
    let catalog = &server.keys("test:*:catalog")[0];
    let put_at: String = server.ask(&["HGET", catalog, "put_at"]);
    server.ask::<()>(&["HSET", catalog, "put_at", "1000000"]);
    let record = json!({"name": "Outra", "city": "Recife", "state": "PE"});
    let record = market
        .request(Method::PUT, "/api/dealerships/a", ADMIN)
        .json(&record);
    for answer in [
        market.put_stock("a", &token, &json!([row("a-2", 61_000)])).await,
        market.patch("a", "a-1", &token, json!({"preco": 1})).await,
        market.send(record).await,
    ] {
        assert_eq!(
            answer.problem(409)["type"],
            "urn:problem-type:faciliauto:stock-moved"
        );
    }
    server.ask::<()>(&["HSET", catalog, "put_at", &put_at]);
    let stock = market.stock("a", &token).await;
    assert_eq!(stock.header("etag"), before["etag"].as_str().unwrap());
    market
        .put_stock("a", &token, &json!([row("a-2", 61_000)]))
        .await
        .ok();
}

/// Prevents invented cars from standing beside real ones, and from going before there are any.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_real_stock_drives_the_sample_out() {
    let market = Market::in_memory().await;
    let token = market.dealership("a").await;
    market.put_stock("a", &token, &json!([])).await.ok();
    let sample = market.application.get("/cars?limit=1").await.ok();
    let car = sample[0]["id"].as_str().unwrap();
    market
        .put_stock("a", &token, &json!([row(car, 60_000)]))
        .await
        .ok();
    eventually("only the real car is served", async || {
        let health = market.application.get("/health").await.ok();
        (health["cars"] == 1 && health["dealerships"] == 1 && health["sample"] == false).then_some(())
    })
    .await;
}
