//! The importer is killed in the middle. A line between it and Redis holds after so many bytes, so the
//! moment is the same on every machine and in every run.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    process::Stdio,
    time::Duration,
};

use faciliauto_service::state::State;
use serde_json::{Value, json};

use crate::{
    harness::{
        application::TestApplication,
        eventually,
        fixtures::{car_row, dealership_row},
        process::{self, Process},
        proxy::Line,
        redis_server::RedisServer,
    },
    state::redis_state,
};

/// A dealer whose stock does not compress: some four megabytes, so four pieces of at most one.
fn large_stock() -> Value {
    let noise = |index: u64| -> String {
        (0..40)
            .map(|part| {
                let mut hasher = RandomState::new().build_hasher();
                hasher.write_u64(index * 40 + part);
                format!("{:016x}", hasher.finish())
            })
            .collect()
    };
    let cars: Vec<Value> = (0..12_000)
        .map(|index| {
            let mut car = car_row(&format!("new-{index}"), "a");
            car["imagens"] = json!([format!("https://example.com/{}.jpg", noise(index))]);
            car
        })
        .collect();
    json!({"dealerships": [dealership_row("a")], "cars": cars})
}

/// Kills an importer of the large stock once `bytes` have reached Redis.
fn kill_after(redis: &RedisServer, bytes: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stock.json");
    fs::write(&path, large_stock().to_string()).unwrap();
    let line = Line::to(redis.port, bytes);
    let url = format!("redis://127.0.0.1:{}", line.port);
    let arguments = [
        "--redis-url",
        &url,
        "--key-prefix",
        "test",
        "import",
        path.to_str().unwrap(),
    ];
    let mut importer = Process(
        process::command(&arguments)
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs"),
    );
    assert!(line.wait_until_held(), "it writes more than {bytes} bytes");
    importer.signal("KILL");
    let status = importer.wait(Duration::from_secs(5)).expect("it is dead");
    assert!(!status.success());
    assert!(line.passed() > bytes / 2, "{} of {bytes}", line.passed());
}

fn new_pieces(redis: &RedisServer, epoch: &str, old: &[String]) -> Vec<String> {
    let keys = redis.keys(&format!("test:{epoch}:stock:a:*"));
    keys.into_iter().filter(|key| !old.contains(key)).collect()
}

/// Prevents a killed import from leaving a dealer with half a stock, old and new mixed, or none.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_two_pieces_the_old_stock_is_whole() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stock.json");
    let old =
        json!({"dealerships": [dealership_row("a")], "cars": [car_row("old-1", "a"), car_row("old-2", "a")]});
    fs::write(&path, old.to_string()).unwrap();
    let url = redis.url();
    let import = [
        "--redis-url",
        &url,
        "--key-prefix",
        "test",
        "import",
        path.to_str().unwrap(),
    ];
    assert!(process::run(&import).status.success());
    let state = redis_state(&redis);
    let before = state.stock().await.unwrap().expect("an open store");
    // The running service takes its turn of keeping house when it likes.
    let content = || -> Vec<(String, Vec<u8>)> {
        let all = redis.dump("*").into_iter();
        all.filter(|(key, _)| key != "test:housekeeping").collect()
    };
    let (dump, epoch) = (content(), before.head.version.epoch.clone());
    let old_pieces = redis.keys(&format!("test:{epoch}:stock:a:*"));
    let application =
        TestApplication::start(&[("FACILIAUTO_REDIS_URL", &url), ("FACILIAUTO_KEY_PREFIX", "test")]).await;

    // After one piece, after two, and amid the third.
    for (bytes, at_least) in [(1_300_000, 1), (2_200_000, 2), (2_900_000, 2)] {
        kill_after(&redis, bytes);
        let pieces = new_pieces(&redis, &epoch, &old_pieces);
        assert!(
            pieces.len() >= at_least,
            "{bytes}: some pieces were written: {pieces:?}"
        );
        for piece in &pieces {
            assert!(
                (1..=3600).contains(&redis.seconds_left(piece)),
                "{piece} goes by itself"
            );
            redis.ask::<i64>(&["DEL", piece]);
        }
        assert_eq!(
            content(),
            dump,
            "{bytes}: everything else is as it was, byte for byte"
        );
        assert_eq!(state.stock().await.unwrap(), Some(before.clone()));
    }
    eventually("the old stock is served", async || {
        (application.get("/cars/old-2").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(application.get("/health").await.ok()["cars"], 2);

    // The same file, left alone, goes through: the test would notice an import that never works.
    fs::write(&path, large_stock().to_string()).unwrap();
    assert!(process::run(&import).status.success());
    eventually("the new stock is served", async || {
        (application.get("/health").await.ok()["cars"] == 12_000).then_some(())
    })
    .await;
    assert!(
        new_pieces(&redis, &epoch, &old_pieces).len() >= 4,
        "it has several pieces"
    );
}

/// Prevents a first import that died from leaving a store that looks open, which no seed would fill again.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_opening_the_store_stays_closed_and_can_be_opened() {
    let redis = RedisServer::start();
    kill_after(&redis, 1_300_000);
    assert!(!redis.keys("test:*:stock:a:*").is_empty(), "a piece was written");
    assert_eq!(redis_state(&redis).head().await.unwrap(), None);
    let url = redis.url();
    let sample = process::run(&["--redis-url", &url, "--key-prefix", "test", "import", "--sample"]);
    assert!(sample.status.success(), "{sample:?}");
    let stored = redis_state(&redis).stock().await.unwrap().expect("an open store");
    assert!(stored.dealers.len() >= 8 && stored.dealers.iter().all(|dealer| dealer.dealership.id != "a"));
}
