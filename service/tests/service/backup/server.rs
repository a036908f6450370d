//! A real server of S3-compatible storage, which the variables `FACILIAUTO_TEST_S3_ENDPOINT`, `…_BUCKET`, `…_KEY` and
//! `…_SECRET` name: an empty bucket, with the bucket in the path. Without them there is nothing to try.

use std::process::{Command, Output};

use serde_json::Value;

use super::{digests, furnish};
use crate::{
    harness::{process, redis_server::RedisServer},
    state::redis_state,
};

mod deaths;

fn setting(name: &str) -> String {
    std::env::var(format!("FACILIAUTO_TEST_S3_{name}"))
        .unwrap_or_else(|_| panic!("this test needs a server for S3: set FACILIAUTO_TEST_S3_{name}"))
}

fn command(redis: &RedisServer, prefix: &str, arguments: &[&str]) -> Command {
    let mut command = process::command(&[&["backup"], arguments].concat());
    command
        .args(["--redis-url", &redis.url(), "--key-prefix", "test"])
        .env(
            "FACILIAUTO_BACKUP_TARGET",
            format!("s3://{}/{prefix}", setting("BUCKET")),
        )
        .env("FACILIAUTO_BACKUP_S3_ENDPOINT", setting("ENDPOINT"))
        .env("FACILIAUTO_BACKUP_S3_PATH_STYLE", "true")
        .env("AWS_ACCESS_KEY_ID", setting("KEY"))
        .env("AWS_SECRET_ACCESS_KEY", setting("SECRET"));
    command
}

fn told(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

/// Prevents a server's own idea of conditions, parts and listings from showing up only when a backup is needed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server for S3: FACILIAUTO_TEST_S3_ENDPOINT, _BUCKET, _KEY, _SECRET"]
async fn a_real_server_keeps_and_gives_back() {
    let redis = RedisServer::start();
    let state = redis_state(&redis);
    furnish(&state).await;
    let then = digests(&state).await;
    let prefix = format!("test-{}", std::process::id());
    let run = |arguments: &[&str]| command(&redis, &prefix, arguments).output().unwrap();
    let first = told(&run(&["run"]));
    let second = told(&run(&["run", "--keep-days", "1"]));
    assert_eq!(told(&run(&["verify", "latest"]))["backup"], second["backup"]);
    // Two at once: at least one is made, and whoever was refused says why.
    let both = [(); 2].map(|()| {
        command(&redis, &prefix, &["run"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    });
    let codes = both.map(|mut child| child.wait().unwrap().code().unwrap());
    assert!(
        codes.contains(&0) && codes.iter().all(|code| [0, 4].contains(code)),
        "{codes:?}"
    );
    redis.ask::<String>(&["FLUSHALL"]);
    let name = first["backup"].as_str().unwrap();
    assert_eq!(told(&run(&["restore", name, "--id", "r1"]))["phase"], "Succeeded");
    assert_eq!(told(&run(&["restore", name, "--id", "r1"]))["phase"], "Succeeded");
    assert_eq!(digests(&redis_state(&redis)).await, then);
    let wrong = command(&redis, &prefix, &["list"])
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    let away = command(&redis, &prefix, &["list"])
        .env("FACILIAUTO_BACKUP_TARGET", "s3://no-such-bucket-here/x")
        .output()
        .unwrap();
    assert_eq!(
        away.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&away.stderr)
    );
}
