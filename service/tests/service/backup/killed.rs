//! A restore that is killed after any of its steps, and a backup: what the store serves is what it served, or all that
//! the backup has. The line to Redis is cut before a command, and the process killed there; for every command in turn.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use faciliauto_service::{
    backup::{restore::undo, shelf::Shelf},
    state::State,
};

use super::{
    around, digests, directory, furnish,
    process::{backup, change, command},
};
use crate::{
    harness::{cutter::Cutter, process::Process, redis_server::RedisServer},
    state::redis_state,
};

/// Runs it over a line that is cut after so many commands, and kills it there; true when it came to its end.
async fn killed_after(redis: &RedisServer, folder: &Path, arguments: &[&str], commands: usize) -> bool {
    let cutter = Cutter::to(redis.port, commands);
    let url = format!("redis://127.0.0.1:{}", cutter.port);
    let child = command(&url, folder, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut process = Process(child);
    let begun = Instant::now();
    loop {
        let cut = tokio::time::timeout(Duration::from_millis(5), cutter.is_cut()).await;
        if cut.is_ok() {
            process.signal("KILL");
            process.wait(Duration::from_secs(5)).expect("it is dead");
            return false;
        }
        if let Some(status) = process.0.try_wait().expect("a child") {
            assert!(status.success(), "{commands}: {status}");
            return true;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{commands}: it neither ends nor goes on"
        );
    }
}

/// Prevents a restore that dies from leaving a mixture, nothing, or a store that takes no writes for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_at_any_command_leaves_the_old_or_the_restored_state() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let state: std::sync::Arc<dyn State> = std::sync::Arc::new(redis_state(&redis));
    furnish(state.as_ref()).await;
    let restored = digests(state.as_ref()).await;
    assert!(backup(&redis, folder.path(), &["run"]).status.success());
    change(state.as_ref()).await;
    let old = digests(state.as_ref()).await;
    assert_ne!(old, restored);
    let (mut kept_old, mut went_through) = (0, 0);
    for commands in 0..1000 {
        let id = format!("r{commands}");
        let arguments = ["restore", "latest", "--id", &id];
        let ended = killed_after(&redis, folder.path(), &arguments, commands).await;
        let found = digests(state.as_ref()).await;
        if found == old {
            assert!(!ended, "{commands}: it said that it was done");
            kept_old += 1;
        } else {
            assert_eq!(found, restored, "{commands}: neither");
            went_through += 1;
            // The same again is done, and does nothing.
            let again = backup(&redis, folder.path(), &arguments);
            assert!(
                again.status.success(),
                "{commands}: {}",
                String::from_utf8_lossy(&again.stderr)
            );
            undo::undo(std::sync::Arc::clone(&state), &format!("u{commands}"), &around())
                .await
                .unwrap();
            assert_eq!(digests(state.as_ref()).await, old, "{commands}: not undone");
        }
        if ended {
            assert!(kept_old > 20 && went_through > 0, "{kept_old} and {went_through}");
            return;
        }
        // As if two minutes passed: what the dead one held ends by itself.
        redis.ask::<i64>(&["DEL", "test:fence"]);
        let _ = std::fs::remove_file(folder.path().join("lock"));
    }
    panic!("a thousand commands are not enough");
}

/// Prevents a backup that dies from being taken for one, and from keeping the next from being made.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_at_any_command_is_none_or_whole() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let state = redis_state(&redis);
    furnish(&state).await;
    let target = directory(folder.path());
    for commands in 0..1000 {
        let ended = killed_after(&redis, folder.path(), &["run"], commands).await;
        let shelf = Shelf::look(&target).await.unwrap();
        for entry in shelf.entries() {
            assert!(entry.manifest.is_ok(), "{commands}: {entry:?}");
        }
        assert_eq!(shelf.latest().is_ok(), ended, "{commands}");
        let _ = std::fs::remove_file(folder.path().join("lock"));
        if ended {
            assert!(commands > 5);
            return;
        }
    }
    panic!("a thousand commands are not enough");
}
