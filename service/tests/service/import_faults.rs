//! Imports while something goes wrong: a Redis that dies and comes back, one that has no room, and another import. What there
//! is afterwards is the old stock or the new one, never some of each.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use faciliauto_service::state::State;
use serde_json::{Value, json};

use crate::{
    harness::{
        application::TestApplication,
        cutter::Cutter,
        eventually,
        fixtures::{car_row, dealership_row},
        process::{self, Process},
        redis_server::RedisServer,
    },
    state::redis_state,
};

/// Cars of a stock that takes several pieces.
const CARS: usize = 1_000;

/// How long an import takes at most, in a build without optimisation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A stock that does not compress, some three KiB a car in pieces of a MiB, of cars that are called by a word of their own.
fn bulky(word: &str, cars: usize) -> Value {
    let hasher = RandomState::new();
    let noise = |seed: u64| -> String {
        let part = |index: u64| {
            let mut hasher = hasher.build_hasher();
            hasher.write_u64(seed * 64 + index);
            format!("{:016x}", hasher.finish())
        };
        (0..60).map(part).collect()
    };
    let cars: Vec<Value> = (0..cars as u64)
        .map(|index| {
            let pictures =
                (0..6).map(|picture| format!("https://example.com/{}.jpg", noise(index * 6 + picture)));
            let mut car = car_row(&format!("{word}-{index}"), "a");
            car["imagens"] = pictures.collect();
            car
        })
        .collect();
    json!({"dealerships": [dealership_row("a")], "cars": cars})
}

fn small() -> Value {
    json!({"dealerships": [dealership_row("a")], "cars": [car_row("old-1", "a"), car_row("old-2", "a")]})
}

fn importing(port: u16, file: &Path) -> Process {
    let url = format!("redis://127.0.0.1:{port}");
    let file = file.to_str().expect("a path");
    let arguments = ["--redis-url", &url, "--key-prefix", "test", "import", file];
    let mut command = process::command(&arguments);
    let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Process(started.expect("the program runs"))
}

async fn end_of(importer: &mut Process) -> ExitStatus {
    loop {
        if let Some(status) = importer.0.try_wait().expect("a child") {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn ids(redis: &RedisServer) -> Vec<String> {
    let stored = redis_state(redis)
        .stock()
        .await
        .expect("a stock that can be read");
    let stored = stored.expect("an open store");
    let cars = stored.dealers.iter().flat_map(|dealer| &dealer.cars);
    cars.map(|car| car.id.clone()).collect()
}

/// Which stock it is, by the word that all its cars have.
fn whole(ids: &[String]) -> &str {
    if ids == ["old-1", "old-2"] {
        return "old";
    }
    let word = ids.first().and_then(|id| id.split('-').next()).expect("cars");
    let begins = format!("{word}-");
    assert!(ids.iter().all(|id| id.starts_with(&begins)), "a mixture: {ids:?}");
    assert_eq!(ids.len(), CARS, "a part");
    word
}

fn pieces(redis: &RedisServer) -> Vec<String> {
    redis.keys("test:*:stock:a:*")
}

/// Prevents a Redis that restarts in the middle of an import from coming up with some of the old cars and some of the new,
/// and an import that then says it went well from not having.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_restarts_meanwhile_has_the_old_stock_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    fs::write(&old, small().to_string()).unwrap();
    fs::write(&new, bulky("new", CARS).to_string()).unwrap();
    let mut redis = RedisServer::start();
    assert!(end_of(&mut importing(redis.port, &old)).await.success());
    let application = TestApplication::start(&[
        ("FACILIAUTO_REDIS_URL", &redis.url()),
        ("FACILIAUTO_KEY_PREFIX", "test"),
    ])
    .await;
    let mut amid_pieces = 0;
    for commands in (5..).step_by(4) {
        let before = pieces(&redis).len();
        let line = Cutter::to(redis.port, commands);
        let mut importer = importing(line.port, &new);
        let is_cut = tokio::select! {
            () = line.is_cut() => true,
            _ = end_of(&mut importer) => false,
        };
        if is_cut {
            amid_pieces += usize::from(pieces(&redis).len() > before);
            redis.kill();
            redis.start_again();
            line.mend();
        }
        let status = importer.wait(PATIENCE).expect("it ends");
        let there = ids(&redis).await;
        let there = whole(&there);
        assert!(
            !status.success() || there == "new",
            "{commands}: it says it went well"
        );
        let cars = if there == "new" { CARS } else { 2 };
        eventually("what is there is served", async || {
            let health = application.get("/health").await.ok();
            (health["cars"] == cars && health["store"] == "followed").then_some(())
        })
        .await;
        if !is_cut {
            assert!(
                status.success(),
                "the test would notice an import that never works"
            );
            break;
        }
        if there == "new" {
            assert!(end_of(&mut importing(redis.port, &old)).await.success());
        }
    }
    assert!(amid_pieces >= 1, "it was cut between two pieces");
}

/// Prevents two imports at once from leaving some of each, or one of them from failing because of the other.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_imports_at_once_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start();
    let files = ["one", "two"].map(|name| {
        let file = folder.path().join(name);
        fs::write(&file, bulky(name, CARS).to_string()).unwrap();
        file
    });
    // The first round also opens the store, which only one of them can.
    for round in 0..2 {
        let mut importers = files.each_ref().map(|file| importing(redis.port, file));
        for importer in &mut importers {
            let status = importer.wait(PATIENCE).expect("it ends");
            assert!(status.success(), "{round}");
        }
        let there = ids(&redis).await;
        assert!(["one", "two"].contains(&whole(&there)), "{round}");
    }
}

/// Prevents a store that fills up in the middle of an import from losing the old stock, with the policy of a deployment as
/// with any other, and a piece that was evicted from being missed only by buyers.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fills_up_meanwhile_keeps_the_old_stock() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    fs::write(&old, small().to_string()).unwrap();
    fs::write(&new, bulky("new", 2 * CARS).to_string()).unwrap();
    let redis = RedisServer::start();
    assert!(end_of(&mut importing(redis.port, &old)).await.success());
    let before = redis_state(&redis).stock().await.unwrap();
    for policy in ["noeviction", "volatile-lru"] {
        let written = pieces(&redis);
        redis.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", policy]);
        let memory: String = redis.ask(&["INFO", "memory"]);
        let used = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
        let used: usize = used.expect("a figure").trim().parse().expect("a number");
        // Room for some of six pieces, and for what the server needs to read one.
        let most = (used + (4 << 20)).to_string();
        redis.ask::<()>(&["CONFIG", "SET", "maxmemory", &most]);
        let status = importing(redis.port, &new).wait(PATIENCE).expect("it ends");
        assert_eq!(status.code(), Some(1), "{policy}");
        redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
        let left: Vec<String> = pieces(&redis)
            .into_iter()
            .filter(|piece| !written.contains(piece))
            .collect();
        assert!(!left.is_empty(), "{policy}: it had begun to write");
        // They go by themselves; until then the next could have their room.
        for piece in left {
            redis.ask::<i64>(&["DEL", &piece]);
        }
        assert_eq!(redis_state(&redis).stock().await.unwrap(), before, "{policy}");
    }
    assert!(end_of(&mut importing(redis.port, &new)).await.success());
    assert_eq!(ids(&redis).await.len(), 2 * CARS);
}
