//! What happens to buyers and to acknowledged writes when the Redis under two replicas breaks.
//!
//! Each fault is made on a real server under two real processes with a steady load. Lists go on without a 5xx. Every
//! write that was acknowledged is in the store exactly once after healing; none is there twice.
//!
//! The everyday run is short and judges answers and records. `make test-redis-faults` takes the time to judge speed as
//! well: [`LONG`] set, 200 requests a second, 30 s of fault, and the slowest hundredth of lists within twice its normal.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{
    dealers::{ADMIN, AdminFile, row},
    eventually,
    fixtures::{car_row, dealership_row},
    journal::{self, CARS, DEALERSHIP, Deed, Entry, car_id, recommendation_p99, statuses},
    process::{self, ServingProcess},
    redis_server::RedisServer,
};

/// The variable that asks for the long run.
const LONG: &str = "FACILIAUTO_TEST_LONG_FAULTS";

/// How much slower the slowest hundredth of lists may be while the store is broken.
const SLOWER: f64 = 2.0;

/// How long each part of a run takes.
struct Plan {
    rate: u32,
    before: Duration,
    broken: Duration,
    after: Duration,
    judges_speed: bool,
}

impl Plan {
    fn read() -> Self {
        let long = std::env::var_os(LONG).is_some();
        let seconds = |short, as_long| Duration::from_secs(if long { as_long } else { short });
        Self {
            rate: if long { 200 } else { 60 },
            before: seconds(2, 20),
            broken: seconds(4, 30),
            after: seconds(2, 5),
            judges_speed: long,
        }
    }
}

/// Two replicas on one Redis, with a dealership whose prices change.
struct Shop {
    redis: RedisServer,
    replicas: [ServingProcess; 2],
    _admins: AdminFile,
}

impl Shop {
    fn addresses(&self) -> Vec<String> {
        self.replicas
            .iter()
            .map(|replica| format!("http://{}", replica.address))
            .collect()
    }

    async fn open() -> Self {
        let redis = RedisServer::start();
        // As in production: written at once, on the disk within a second.
        redis.ask::<()>(&["CONFIG", "SET", "appendfsync", "everysec"]);
        redis.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
        import(&redis);
        let admins = AdminFile::new();
        let path = admins.path();
        let url = redis.url();
        let arguments = [
            "--redis-url",
            &url,
            "--admin-token-file",
            path.to_str().expect("a path"),
            "--trusted-hops",
            "1",
            "--workers",
            "1",
            "--access-log-sample",
            "0",
        ];
        let replicas = [
            ServingProcess::start(&arguments),
            ServingProcess::start(&arguments),
        ];
        let shop = Self {
            redis,
            replicas,
            _admins: admins,
        };
        shop.furnish().await;
        shop
    }

    /// Makes the dealership, and waits until both replicas have its cars.
    async fn furnish(&self) {
        let client = reqwest::Client::new();
        let addresses = self.addresses();
        let base = format!("{}/api/dealerships/{DEALERSHIP}", addresses[0]);
        let record = json!({"name": "Loja do diário", "city": "Recife", "state": "PE"});
        let rows: Vec<Value> = (0..CARS).map(|index| row(&car_id(index), 50_000)).collect();
        for (url, body) in [(base.clone(), record), (format!("{base}/stock"), json!(rows))] {
            eventually("the dealership is written", async || {
                let put = client
                    .put(&url)
                    .bearer_auth(ADMIN)
                    .json(&body)
                    .send()
                    .await
                    .ok()?;
                put.status().is_success().then_some(())
            })
            .await;
        }
        for address in &addresses {
            eventually("both replicas have the cars", async || {
                let url = format!("{address}/cars/{}", car_id(CARS - 1));
                let answer = client.get(url).send().await.ok()?;
                (answer.status() == 200).then_some(())
            })
            .await;
        }
    }

    /// All that the store remembers of buyers: how often each user and each session stands in it.
    async fn remembered(&self) -> BTreeMap<String, usize> {
        let client = reqwest::Client::new();
        let mut counts = BTreeMap::new();
        let first = format!("{}/api/ml/export-data?limit=1000", self.addresses()[0]);
        let mut next = Some(first.clone());
        while let Some(url) = next.take() {
            let page: Value = eventually("the events are read", async || {
                let answer = client.get(&url).bearer_auth(ADMIN).send().await.ok()?;
                answer.error_for_status().ok()?.json().await.ok()
            })
            .await;
            for event in page["events"].as_array().expect("events") {
                for role in ["user_id", "session_id"] {
                    if let Some(id) = event[role].as_str() {
                        *counts.entry(id.to_owned()).or_insert(0) += 1;
                    }
                }
            }
            next = page["next"]
                .as_str()
                .map(|cursor| format!("{first}&cursor={cursor}"));
        }
        counts
    }

    async fn prices(&self) -> BTreeMap<String, u64> {
        let url = format!("{}/api/dealerships/{DEALERSHIP}/stock", self.addresses()[1]);
        let client = reqwest::Client::new();
        let rows: Value = eventually("the stock is read", async || {
            let answer = client.get(&url).bearer_auth(ADMIN).send().await.ok()?;
            answer.error_for_status().ok()?.json().await.ok()
        })
        .await;
        let row = |row: &Value| {
            let price = row["preco"].as_f64().expect("a price") as u64;
            (row["id"].as_str().expect("an id").to_owned(), price)
        };
        rows.as_array().expect("rows").iter().map(row).collect()
    }

    async fn healed(&self) {
        let client = reqwest::Client::new();
        for address in self.addresses() {
            eventually("both replicas are healthy again", async || {
                let answer = client.get(format!("{address}/health")).send().await.ok()?;
                let health: Value = answer.json().await.ok()?;
                (health["status"] == "healthy").then_some(())
            })
            .await;
        }
    }
}

fn import(redis: &RedisServer) {
    let imported = process::run(&["--redis-url", &redis.url(), "import", "--sample"]);
    assert!(imported.status.success(), "{imported:?}");
}

/// Brings the dealership itself back: of cars that are gone nothing is remembered, and then nothing could be lost.
fn import_the_dealership(redis: &RedisServer) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stock.json");
    let cars: Vec<Value> = (0..CARS)
        .map(|index| car_row(&car_id(index), DEALERSHIP))
        .collect();
    let stock = json!({"dealerships": [dealership_row(DEALERSHIP)], "cars": cars});
    std::fs::write(&path, stock.to_string()).expect("a file");
    let source = path.to_str().expect("a path");
    let imported = process::run(&["--redis-url", &redis.url(), "import", source]);
    assert!(imported.status.success(), "{imported:?}");
}

/// When what happened.
struct Course {
    begun: Instant,
    /// The fault is complete.
    broken: Instant,
    /// Healing begins.
    healing: Instant,
}

/// Lets the load run over a fault and its healing.
async fn live_through(
    shop: &mut Shop,
    break_it: impl FnOnce(&mut RedisServer),
    heal_it: impl FnOnce(&mut RedisServer),
) -> (Course, Vec<Entry>) {
    let plan = Plan::read();
    let load = journal::start(&shop.addresses(), plan.rate);
    let begun = Instant::now();
    tokio::time::sleep(plan.before).await;
    let breaking = Instant::now();
    tokio::task::block_in_place(|| break_it(&mut shop.redis));
    let broken = Instant::now();
    tokio::time::sleep(plan.broken).await;
    let healing = Instant::now();
    tokio::task::block_in_place(|| heal_it(&mut shop.redis));
    shop.healed().await;
    tokio::time::sleep(plan.after).await;
    let journal = load.finish(Duration::from_secs(15)).await;

    let normal = recommendation_p99(&journal, begun, breaking);
    let during = recommendation_p99(&journal, breaking, healing);
    let ratio = during.as_secs_f64() / normal.as_secs_f64();
    let counted = statuses(&journal);
    eprintln!("p99 {normal:?} before, {during:?} while broken ({ratio:.2} times); answers {counted:?}");
    let refused: Vec<_> = counted
        .iter()
        .filter(|((what, status), _)| *what == "recommend" && *status != 200)
        .collect();
    assert!(refused.is_empty(), "lists go on: {refused:?}");
    if plan.judges_speed {
        assert!(ratio <= SLOWER, "p99 {normal:?} before, {during:?} while broken");
    }
    let course = Course {
        begun,
        broken,
        healing,
    };
    (course, journal)
}

/// Compares the journal with the store, record by record, from a moment on.
async fn compare(shop: &Shop, journal: &[Entry], from: Instant) {
    let remembered = shop.remembered().await;
    let (mut acknowledged, mut missing, mut twice) = (0, Vec::new(), Vec::new());
    for entry in journal.iter().filter(|entry| entry.at >= from) {
        let id = match &entry.deed {
            Deed::Feedback { user } => user,
            Deed::Interaction { session } => session,
            Deed::Recommend | Deed::Price { .. } => continue,
        };
        let times = remembered.get(id).copied().unwrap_or(0);
        if entry.acknowledged {
            acknowledged += 1;
            if times == 0 {
                missing.push(entry);
            }
        }
        if times > 1 {
            twice.push((entry, times));
        }
    }
    assert!(missing.is_empty(), "acknowledged and not there: {missing:#?}");
    assert!(twice.is_empty(), "stored twice: {twice:#?}");
    assert!(acknowledged > 0, "somebody was answered: {:?}", statuses(journal));
}

/// Every car has the last price that was acknowledged, or one that was asked for after it.
async fn compare_prices(shop: &Shop, journal: &[Entry]) {
    let prices = shop.prices().await;
    for car in 0..CARS {
        let mut asked: Vec<(u64, bool)> = journal
            .iter()
            .filter_map(|entry| match entry.deed {
                Deed::Price { car: of, reais } if of == car => Some((reais, entry.acknowledged)),
                _ => None,
            })
            .collect();
        // Prices rise with time, and a car has one request at a time.
        asked.sort_unstable();
        let Some(last) = asked.iter().rposition(|(_, acknowledged)| *acknowledged) else {
            continue;
        };
        let possible: Vec<u64> = asked[last..].iter().map(|(reais, _)| *reais).collect();
        let price = prices[&car_id(car)];
        assert!(
            possible.contains(&price),
            "car {car} costs {price}, and may cost {possible:?}"
        );
    }
}

async fn nothing_is_lost(break_it: impl FnOnce(&mut RedisServer), heal_it: impl FnOnce(&mut RedisServer)) {
    let mut shop = Shop::open().await;
    let (course, journal) = live_through(&mut shop, break_it, heal_it).await;
    compare(&shop, &journal, course.begun).await;
    compare_prices(&shop, &journal).await;
}

/// Prevents an orderly restart of Redis from costing a buyer an answer or a record.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_nothing() {
    nothing_is_lost(RedisServer::stop, RedisServer::start_again).await;
}

/// Prevents a Redis that accepts and never answers from holding lists up, and what was under way from being stored twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_loses_nothing() {
    nothing_is_lost(|redis| redis.signal("STOP"), |redis| redis.signal("CONT")).await;
}

/// Prevents a kill from taking what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing() {
    nothing_is_lost(RedisServer::kill, RedisServer::start_again).await;
}

/// Prevents a full store from losing what it took, or from taking half of something.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_loses_nothing() {
    nothing_is_lost(
        |redis| redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]),
        |redis| redis.ask(&["CONFIG", "SET", "maxmemory", "0"]),
    )
    .await;
}

/// Prevents a store that has become somebody's replica, as in a failover, from being believed to have written.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_store_loses_nothing() {
    // Nothing listens on port 1: it never synchronises, and so keeps what it has.
    nothing_is_lost(
        |redis| redis.ask(&["REPLICAOF", "127.0.0.1", "1"]),
        |redis| redis.ask(&["REPLICAOF", "NO", "ONE"]),
    )
    .await;
}

/// Prevents an emptied store from emptying the catalogue in memory, and a write from being acknowledged that no
/// generation holds.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_store_is_noticed() {
    let mut shop = Shop::open().await;
    let (course, journal) = live_through(
        &mut shop,
        |redis| redis.ask(&["FLUSHALL"]),
        |redis| import_the_dealership(redis),
    )
    .await;
    let believed: Vec<_> = journal
        .iter()
        .filter(|entry| entry.deed != Deed::Recommend && entry.acknowledged)
        .filter(|entry| {
            entry.at > course.broken && entry.statuses.len() == 1 && entry.answered() < course.healing
        })
        .collect();
    assert!(believed.is_empty(), "acknowledged without a store: {believed:#?}");
    compare(&shop, &journal, course.healing).await;
}
