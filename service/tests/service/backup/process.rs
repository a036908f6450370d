//! The real program against a real Redis.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use faciliauto_service::state::{State, StateError, events::Events, generations::Generations};
use serde_json::Value;

use super::{digests, directory, furnish};
use crate::{
    harness::{
        application::TestApplication,
        eventually,
        fixtures::dealer,
        process::{self, Process},
        redis_server::RedisServer,
    },
    state::{commit, redis_state},
    state_events::{liked, store},
};

/// `backup …` against a server, without waiting for its end.
pub(crate) fn command(redis_url: &str, target: &Path, arguments: &[&str]) -> Command {
    let target = target.to_str().unwrap();
    let settings = [
        "--redis-url",
        redis_url,
        "--key-prefix",
        "test",
        "--target",
        target,
    ];
    let mut command = process::command(&[&["backup"], arguments].concat());
    command.args(settings);
    command
}

pub(crate) fn backup(redis: &RedisServer, target: &Path, arguments: &[&str]) -> Output {
    command(&redis.url(), target, arguments)
        .output()
        .expect("the program runs")
}

fn told(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

/// Stock and events of another kind, with the same people and tokens.
pub(crate) async fn change(state: &dyn State) {
    let head = state.head().await.unwrap().expect("an open store");
    let basis = faciliauto_service::state::Basis::Version(head.version);
    commit(state, basis, vec![dealer("a", 5), dealer("z", 2)], &[])
        .await
        .unwrap();
    store(state, &liked("later", "rui", "z-1")).await;
}

/// Prevents a lost Redis from being the end of a deployment: every record comes back as it was.
#[tokio::test(flavor = "multi_thread")]
async fn everything_lost_comes_back() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let state = redis_state(&redis);
    furnish(&state).await;
    let then = digests(&state).await;
    let made = told(&backup(&redis, folder.path(), &["run", "--kind", "scheduled"]));
    assert_eq!(
        (&made["kind"], &made["cars"], &made["events"]),
        (&"scheduled".into(), &7.into(), &4.into())
    );
    assert!(made["verified_at"].is_string(), "{made}");
    redis.ask::<String>(&["FLUSHALL"]);
    assert_eq!(redis_state(&redis).head().await.unwrap(), None);
    let done = told(&backup(
        &redis,
        folder.path(),
        &["restore", "latest", "--id", "r1"],
    ));
    assert_eq!(
        (&done["phase"], &done["safety"]),
        (&"Succeeded".into(), &Value::Null)
    );
    assert_eq!(digests(&redis_state(&redis)).await, then);
}

/// Prevents a restore in place from failing a single reader, and from leaving anything of what was there before.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_reads_notices_a_restore() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let state = redis_state(&redis);
    furnish(&state).await;
    let then = digests(&state).await;
    told(&backup(&redis, folder.path(), &["run"]));
    change(&state).await;
    let url = redis.url();
    let application = Arc::new(
        TestApplication::start(&[("FACILIAUTO_REDIS_URL", &url), ("FACILIAUTO_KEY_PREFIX", "test")]).await,
    );
    eventually("the changed stock is served", async || {
        (application.get("/cars/z-0").await.status == 200).then_some(())
    })
    .await;
    let (over, answered, failed) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let reader = {
        let (application, over) = (Arc::clone(&application), Arc::clone(&over));
        let (answered, failed) = (Arc::clone(&answered), Arc::clone(&failed));
        tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let status = application.get("/cars/c-0").await.status;
                let counter = if status == 200 { &answered } else { &failed };
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    let (path, arguments) = (folder.path().to_owned(), ["restore", "latest", "--id", "r1"]);
    let restoring = command(&url, &path, &arguments).output();
    let done = told(&restoring.unwrap());
    assert_eq!(done["phase"], "Succeeded");
    let switched = Instant::now();
    eventually("the restored stock is served", async || {
        let gone = application.get("/cars/z-0").await.status == 404;
        (gone && application.get("/cars/a-0").await.status == 200).then_some(())
    })
    .await;
    assert!(switched.elapsed() < Duration::from_secs(5));
    over.store(true, Ordering::SeqCst);
    reader.await.unwrap();
    assert_eq!(failed.load(Ordering::SeqCst), 0);
    assert!(answered.load(Ordering::SeqCst) > 10);
    assert_eq!(digests(&state).await, then);

    let undone = command(&url, &path, &["restore", "--undo", "--id", "u1"]).output();
    assert_eq!(told(&undone.unwrap())["phase"], "Reverted");
    eventually("what was there before is served again", async || {
        (application.get("/cars/z-0").await.status == 200).then_some(())
    })
    .await;
}

/// Prevents a restore into a store that has no room for it from taking the room of what is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_and_keeps_what_it_has() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let state = redis_state(&redis);
    furnish(&state).await;
    told(&backup(&redis, folder.path(), &["run"]));
    let before = digests(&state).await;
    let used: String = redis.ask(&["INFO", "memory"]);
    let used: u64 = used
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .and_then(|number| number.trim().parse().ok())
        .unwrap();
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", &(used + (1 << 20)).to_string()]);
    let refused = backup(&redis, folder.path(), &["restore", "latest", "--id", "r1"]);
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(error.contains("maxmemory") && error.contains("MiB"), "{error}");
    assert_eq!(digests(&state).await, before);
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "0"]);
    store(&state, &liked("writes go through", "rui", "a-0")).await;
    told(&backup(
        &redis,
        folder.path(),
        &["restore", "latest", "--id", "r1"],
    ));
}

/// Prevents a full disk from leaving half a backup, or costing the last good one.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_target_leaves_the_last_good_backup() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    furnish(&redis_state(&redis)).await;
    let good = told(&backup(&redis, folder.path(), &["run"]));
    let full = with_a_full_disk(&redis, folder.path(), &["run"]);
    let error = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{error}");
    assert!(error.contains("the target is full"), "{error}");
    let listed = backup(&redis, folder.path(), &["verify", "latest"]);
    assert_eq!(told(&listed)["backup"], good["backup"]);
    told(&backup(&redis, folder.path(), &["run"]));
}

/// Prevents a restore that has no room to make safe what is there from going on without, or from holding writes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_target_keeps_a_restore_from_touching_anything() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let state = redis_state(&redis);
    furnish(&state).await;
    let restored = digests(&state).await;
    told(&backup(&redis, folder.path(), &["run"]));
    change(&state).await;
    let (before, generation) = (digests(&state).await, state.generation().await.unwrap());
    let full = with_a_full_disk(&redis, folder.path(), &["restore", "latest", "--id", "r1"]);
    let error = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{error}");
    assert!(error.contains("the target is full"), "{error}");
    assert_eq!(digests(&state).await, before);
    assert_eq!(state.generation().await.unwrap(), generation);
    assert_eq!(state.sweep_generations().await.unwrap(), 0);
    store(&state, &liked("writes go through", "rui", "a-0")).await;
    let names = directory(folder.path()).names().await.unwrap();
    assert_eq!(names.len(), 1, "no half of a safety backup: {names:?}");
    let again = backup(&redis, folder.path(), &["restore", "latest", "--id", "r1"]);
    assert_eq!(told(&again)["phase"], "Succeeded");
    assert_eq!(digests(&state).await, restored);
}

/// The program where files may have 512 bytes: the system refuses more as a full disk does.
fn with_a_full_disk(redis: &RedisServer, target: &Path, arguments: &[&str]) -> Output {
    let whole = command(&redis.url(), target, arguments);
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"])
        .arg(whole.get_program())
        .args(whole.get_args())
        .env_clear()
        .output()
        .expect("the program runs")
}

/// Prevents a store that is away, or was never opened, from making a backup that looks good.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_of_a_closed_store() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let report = folder.path().join("report.json");
    let arguments = ["run", "--report-file", report.to_str().unwrap()];
    let refused = backup(&redis, folder.path(), &arguments);
    assert_eq!(refused.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(told["code"], "empty-store");
    let error = told["error"].as_str().unwrap();
    assert!(error.contains("import one, or restore a backup"), "{error}");
}

/// Prevents a Job that is told to stop from holding back writes and the target for two minutes more.
#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_lets_go_of_everything() {
    let (redis, folder, work) = (
        RedisServer::start(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let state = redis_state(&redis);
    furnish(&state).await;
    told(&backup(&redis, folder.path(), &["run"]));
    let directory = work.path().to_str().unwrap();
    for phase in ["verify", "snapshot"] {
        let arguments = [
            "restore",
            "latest",
            "--id",
            "r1",
            "--work-dir",
            directory,
            "--phase",
            phase,
        ];
        told(&backup(&redis, folder.path(), &arguments));
    }
    let written = state.record(&[liked("held back", "rui", "a-0")]).await;
    assert!(matches!(written, Err(StateError::Fenced { .. })), "{written:?}");
    // A line that takes everything and gives nothing back: it would wait for ever.
    let line = crate::harness::proxy::Line::to(redis.port, 0);
    let url = format!("redis://127.0.0.1:{}", line.port);
    let arguments = [
        "restore",
        "latest",
        "--id",
        "r1",
        "--work-dir",
        directory,
        "--phase",
        "load",
    ];
    let child = command(&url, folder.path(), &arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Process(child);
    assert!(line.wait_until_held());
    child.signal("TERM");
    let ended = child.wait(Duration::from_secs(30)).expect("it ends");
    assert_eq!(ended.code(), Some(1));
    // The store could not be told; the next of the same id takes over what is left at once.
    let arguments = ["restore", "latest", "--id", "r1"];
    assert_eq!(
        told(&backup(&redis, folder.path(), &arguments))["phase"],
        "Succeeded"
    );
    store(&state, &liked("not held back any more", "rui", "a-0")).await;
}
