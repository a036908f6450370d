//! A restore that is killed after any of its steps, and a backup: what the store serves is what it served, or all that
//! the backup has. The line to Redis is cut before a command, and the process or the server killed there; for every command
//! in turn.

use std::{
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use faciliauto_service::backup::{restore::undo, shelf::Shelf};
use tempfile::TempDir;

use super::{
    around, digests, directory, furnish,
    process::{backup, change, command},
};
use crate::{
    harness::{
        cutter::{Cutter, IsMeant},
        process::Process,
        redis_server::RedisServer,
    },
    state::redis_state,
};
use figures::bench;

#[path = "../../load/figures.rs"]
#[allow(dead_code, reason = "drills print more of them")]
mod figures;

/// How long a program may take, one that waits for a server that is away among them.
const LONGEST: Duration = Duration::from_secs(60);

/// A backup, and a store that holds something else by now.
struct Shop {
    redis: RedisServer,
    folder: TempDir,
    old: Digests,
    restored: Digests,
}

type Digests = Vec<(String, u64, String)>;

impl Shop {
    async fn open() -> Self {
        let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
        let state = redis_state(&redis);
        furnish(&state).await;
        let restored = digests(&state).await;
        assert!(backup(&redis, folder.path(), &["run"]).status.success());
        change(&state).await;
        let old = digests(&state).await;
        assert_ne!(old, restored);
        Self {
            redis,
            folder,
            old,
            restored,
        }
    }

    /// Whether it holds what was restored; anything else than that or the old state must not be.
    async fn is_restored(&self, commands: usize) -> bool {
        // Anew, for the server may be another process.
        let found = digests(&redis_state(&self.redis)).await;
        assert!(
            found == self.old || found == self.restored,
            "{commands}: {found:?}"
        );
        found == self.restored
    }

    /// The same restore until it is done, and back to the old state. Gives how often it had to be started.
    async fn end(&self, id: &str, commands: usize) -> usize {
        let arguments = ["restore", "latest", "--id", id];
        let ended = (1..=3).find(|_| {
            let again = backup(&self.redis, self.folder.path(), &arguments);
            let error = String::from_utf8_lossy(&again.stderr);
            assert!(matches!(again.status.code(), Some(0 | 1)), "{commands}: {error}");
            again.status.success()
        });
        assert!(
            self.is_restored(commands).await,
            "{commands}: not restored in the end"
        );
        let undone = undo::undo(
            Arc::new(redis_state(&self.redis)),
            &format!("undo-{id}"),
            &around(),
        )
        .await;
        undone.unwrap_or_else(|error| panic!("{commands}: {error}"));
        assert!(!self.is_restored(commands).await, "{commands}: not undone");
        ended.unwrap_or_else(|| panic!("{commands}: it is not done after three times"))
    }
}

/// Whether a command has this in it.
fn has(command: &[u8], part: &str) -> bool {
    String::from_utf8_lossy(command).contains(part)
}

/// A program that talks to Redis over a line which is cut after so many commands.
struct Cut {
    line: Cutter,
    process: Process,
}

impl Cut {
    fn start(redis: &RedisServer, folder: &Path, arguments: &[&str], commands: usize) -> Self {
        let line = Cutter::to(redis.port, commands);
        let url = format!("redis://127.0.0.1:{}", line.port);
        let child = command(&url, folder, arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let process = Process(child);
        Self { line, process }
    }

    /// Waits until the line is cut; false when the program came to its end before.
    async fn is_cut(&mut self) -> bool {
        let begun = Instant::now();
        loop {
            let cut = tokio::time::timeout(Duration::from_millis(5), self.line.is_cut()).await;
            if cut.is_ok() {
                return true;
            }
            if let Some(status) = self.process.0.try_wait().expect("a child") {
                assert!(status.success(), "{status}");
                return false;
            }
            assert!(begun.elapsed() < LONGEST, "it neither ends nor goes on");
        }
    }
}

/// Runs it over a line that is cut after so many commands, and kills it there; true when it came to its end.
async fn killed_after(redis: &RedisServer, folder: &Path, arguments: &[&str], commands: usize) -> bool {
    let mut cut = Cut::start(redis, folder, arguments, commands);
    if !cut.is_cut().await {
        return true;
    }
    cut.process.signal("KILL");
    cut.process.wait(Duration::from_secs(5)).expect("it is dead");
    false
}

/// Prevents a restore that dies from leaving a mixture, nothing, or something that keeps the same restore from being done
/// when it is started again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_at_any_command_leaves_the_old_or_the_restored_state() {
    let shop = Shop::open().await;
    let (mut kept_old, mut went_through) = (0, 0);
    for commands in 0..1000 {
        let id = format!("r{commands}");
        let arguments = ["restore", "latest", "--id", &id];
        let ended = killed_after(&shop.redis, shop.folder.path(), &arguments, commands).await;
        if shop.is_restored(commands).await {
            went_through += 1;
        } else {
            assert!(!ended, "{commands}: it said that it was done");
            kept_old += 1;
        }
        let times = shop.end(&id, commands).await;
        assert_eq!(times, 1, "{commands}: nothing is in the way of the same restore");
        if ended {
            assert!(kept_old > 20 && went_through > 0, "{kept_old} and {went_through}");
            bench("drill.crash.job_commands", commands, "count");
            return;
        }
    }
    panic!("a thousand commands are not enough");
}

/// Prevents a Redis that dies during a restore from coming back with a mixture or with nothing, and the restore from
/// taking what it lost for what it did.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_killed_at_any_command_comes_back_with_the_old_or_the_restored_state() {
    let mut shop = Shop::open().await;
    let (mut went_on, mut gave_up) = (0, 0);
    for commands in 0..1000 {
        let id = format!("r{commands}");
        let arguments = ["restore", "latest", "--id", &id];
        let mut cut = Cut::start(&shop.redis, shop.folder.path(), &arguments, commands);
        if !cut.is_cut().await {
            assert!(shop.is_restored(commands).await, "{commands}");
            assert!(
                commands > 20 && went_on + gave_up == commands,
                "{went_on} and {gave_up}"
            );
            bench("drill.crash.redis_commands", commands, "count");
            return;
        }
        shop.redis.kill();
        shop.redis.start_again();
        cut.line.mend();
        shop.is_restored(commands).await;
        // It finds the server again, or says what kept it from being done.
        let status = cut.process.wait(LONGEST).expect("it ends");
        match status.code() {
            Some(0) => {
                assert!(
                    shop.is_restored(commands).await,
                    "{commands}: it said that it was done"
                );
                went_on += 1;
            }
            Some(1) => gave_up += 1,
            other => panic!("{commands}: it ended with {other:?}"),
        }
        shop.end(&id, commands).await;
    }
    panic!("a thousand commands are not enough");
}

/// Prevents a restore from saying that nothing was switched though it was, because the fence that falls with the switch was
/// about to be renewed before the answer was there.
#[tokio::test(flavor = "multi_thread")]
async fn a_fence_that_is_renewed_while_it_falls_is_not_lost() {
    let shop = Shop::open().await;
    let is_switch: IsMeant = |command| has(command, ":kept\r\n") && has(command, ":catalog\r\n");
    let line = Cutter::holding(shop.redis.port, is_switch, |command| has(command, "renew\r\n"));
    let url = format!("redis://127.0.0.1:{}", line.port);
    let done = command(&url, shop.folder.path(), &["restore", "latest", "--id", "r1"])
        .output()
        .expect("the program runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(shop.is_restored(0).await);
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
