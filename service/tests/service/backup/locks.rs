//! One at a time at a target.

use std::{sync::Arc, time::Duration};

use faciliauto_service::{
    backup::{
        error::BackupError,
        progress::Progress,
        target::{
            Target,
            lock::{self, Lock},
            s3::S3Target,
        },
        write,
    },
    clock::Clock,
};
use jiff::Timestamp;
use object_store::memory::InMemory;
use tokio::time::Instant;

use super::{around, directory, empty, furnish, wish};

/// What whoever finds a lock of which the time does not tell waits to see whether its holder lives.
const WATCHED: Duration = Duration::from_secs(60);

/// A clock that stands.
fn at(text: &str) -> Clock {
    let now: Timestamp = text.parse().unwrap();
    Clock::new(move || now)
}

/// A clock that goes on from there.
fn from(text: &str) -> Clock {
    let (then, begun): (Timestamp, _) = (text.parse().unwrap(), Instant::now());
    Clock::new(move || then + begun.elapsed())
}

async fn take(target: &Arc<dyn Target>, holder: &str, clock: &Clock) -> Result<Lock, BackupError> {
    Lock::take(Arc::clone(target), holder, clock, &Progress::to_nobody()).await
}

fn targets() -> Vec<(tempfile::TempDir, Arc<dyn Target>)> {
    let folder = tempfile::tempdir().unwrap();
    let place = directory(folder.path());
    let bucket: Arc<dyn Target> = Arc::new(S3Target::over(Arc::new(InMemory::new()), "bucket", "shop"));
    vec![(folder, place), (tempfile::tempdir().unwrap(), bucket)]
}

/// Prevents two from working at one target at once, and one that was killed from blocking it for ever.
#[tokio::test(start_paused = true)]
async fn a_lock_is_held_by_one_until_it_is_let_go_or_past_its_deadline() {
    for (_folder, target) in targets() {
        let noon = at("2026-11-26T12:00:00Z");
        let first = take(&target, "first", &noon).await.unwrap();
        let refused = take(&target, "second", &noon).await.map(|_| ());
        let refused = refused.expect_err("it is held");
        assert_eq!((refused.code(), refused.exit_code()), ("locked", 4));
        assert!(refused.to_string().contains("first"), "{refused}");
        first.check().await.unwrap();
        first.let_go().await;
        let second = take(&target, "second", &noon).await.unwrap();
        // As if it was killed: nobody says that it ended.
        drop(second);
        let soon = at("2026-11-26T12:01:59Z");
        assert!(take(&target, "third", &soon).await.is_err());
        let later = at("2026-11-26T12:02:00Z");
        let begun = Instant::now();
        let third = take(&target, "third", &later).await.unwrap();
        assert!(
            (WATCHED..WATCHED * 2).contains(&begun.elapsed()),
            "{:?}",
            begun.elapsed()
        );
        third.check().await.unwrap();
    }
}

/// Prevents whoever was thought dead from going on beside its successor.
#[tokio::test(start_paused = true)]
async fn whoever_lost_the_lock_notices() {
    for (_folder, target) in targets() {
        let noon = at("2026-11-26T12:00:00Z");
        let first = take(&target, "first", &noon).await.unwrap();
        let claim = first.claim().clone();
        let second = r#"{"holder":"second","token":"its own","deadline":"2026-11-26T12:02:00Z"}"#;
        target.put(lock::PATH, second.into()).await.unwrap();
        let lost = first.check().await.expect_err("it is somebody else's");
        assert_eq!(lost.code(), "locked");
        assert!(lost.to_string().contains("second"), "{lost}");
        let resumed = Lock::resume(Arc::clone(&target), claim, &noon).await.unwrap();
        assert!(resumed.is_none());
        // Letting go of what one has no more takes it from nobody.
        first.let_go().await;
        let (found, _) = target.look(lock::PATH).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&found), second);
    }
}

/// Prevents a holder that died, and whose clock was wrong, from keeping the target for as long as its clock was ahead; and
/// half a lock from keeping it for ever.
#[tokio::test(start_paused = true)]
async fn whoever_died_is_taken_over_from_whatever_its_clock_said() {
    for theirs in [
        "2026-11-26T11:00:00Z",
        "2026-11-26T13:00:00Z",
        "2027-11-26T12:00:00Z",
    ] {
        for (_folder, target) in targets() {
            drop(take(&target, "dead", &from(theirs)).await.unwrap());
            let (begun, ours) = (Instant::now(), from("2026-11-26T12:00:00Z"));
            let heir = take(&target, "heir", &ours).await.unwrap();
            assert!(
                (WATCHED..WATCHED * 2).contains(&begun.elapsed()),
                "{theirs}: {:?}",
                begun.elapsed()
            );
            // It lasts from now on, and not from when the other one was first looked at.
            let refused = take(&target, "another", &ours).await.map(|_| ());
            assert_eq!(refused.expect_err("it is held").code(), "locked", "{theirs}");
            heir.check().await.unwrap();
        }
    }
    for (_folder, target) in targets() {
        target
            .put(lock::PATH, b"{\"holder\":\"de".to_vec())
            .await
            .unwrap();
        let begun = Instant::now();
        take(&target, "heir", &at("2026-11-26T12:00:00Z")).await.unwrap();
        assert!(
            (WATCHED..WATCHED * 2).contains(&begun.elapsed()),
            "{:?}",
            begun.elapsed()
        );
    }
}

/// Prevents a backup or a restore that is under way from being broken by one whose clock differs from its own.
#[tokio::test(start_paused = true)]
async fn whoever_lives_keeps_the_lock_whatever_its_clock_says() {
    for theirs in [
        "2026-11-26T11:00:00Z",
        "2026-11-26T13:00:00Z",
        "2027-11-26T12:00:00Z",
    ] {
        for (_folder, target) in targets() {
            let held = take(&target, "alive", &from(theirs)).await.unwrap();
            let (begun, ours) = (Instant::now(), from("2026-11-26T12:00:00Z"));
            let refused = take(&target, "heir", &ours).await.map(|_| ()).expect_err(theirs);
            assert_eq!((refused.code(), refused.exit_code()), ("locked", 4), "{theirs}");
            let text = refused.to_string();
            assert!(
                text.contains("alive") && text.contains("clocks is wrong"),
                "{text}"
            );
            assert!(begun.elapsed() < WATCHED, "{theirs}: {:?}", begun.elapsed());
            held.check().await.unwrap();
            held.let_go().await;
            // What was let go is free, whatever the time.
            let begun = Instant::now();
            take(&target, "heir", &ours).await.unwrap();
            assert_eq!(begun.elapsed(), Duration::ZERO, "{theirs}");
        }
    }
}

/// Prevents one that watches from being refused when the other one only ends.
#[tokio::test(start_paused = true)]
async fn what_is_let_go_while_it_is_watched_is_free() {
    for (_folder, target) in targets() {
        let held = take(&target, "alive", &from("2026-11-26T11:00:00Z"))
            .await
            .unwrap();
        let (begun, ours) = (Instant::now(), from("2026-11-26T12:00:00Z"));
        let ending = async {
            tokio::time::sleep(Duration::from_secs(12)).await;
            held.let_go().await;
        };
        let (taken, ()) = tokio::join!(take(&target, "heir", &ours), ending);
        taken.unwrap().check().await.unwrap();
        assert!(begun.elapsed() < WATCHED / 2, "{:?}", begun.elapsed());
    }
}

/// Prevents a retry from waiting for its own predecessor, which was killed and lets nothing go.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_holder_takes_over_at_once() {
    for (_folder, target) in targets() {
        let noon = at("2026-11-26T12:00:00Z");
        let first = take(&target, "restore r1", &noon).await.unwrap();
        let second = take(&target, "restore r1", &noon).await.unwrap();
        assert!(first.check().await.is_err());
        second.check().await.unwrap();
    }
}

/// Prevents a restore that was killed once it was done from keeping backups out for two minutes although the same restore,
/// started again, says that it is done; and anybody from letting go of somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_holder_left_can_be_let_go() {
    for (_folder, target) in targets() {
        let noon = at("2026-11-26T12:00:00Z");
        let dead = take(&target, "restore r1", &noon).await.unwrap();
        Lock::let_go_of_left(target.as_ref(), "restore r2").await;
        dead.check().await.unwrap();
        drop(dead);
        assert!(take(&target, "backup", &noon).await.is_err());
        Lock::let_go_of_left(target.as_ref(), "restore r1").await;
        take(&target, "backup", &noon).await.unwrap();
    }
}

/// Prevents ten that find a dead one's lock at the same moment from all taking it.
#[tokio::test(start_paused = true)]
async fn of_many_that_take_over_one_does() {
    for (_folder, target) in targets() {
        drop(take(&target, "dead", &at("2026-11-26T12:00:00Z")).await.unwrap());
        let later = at("2026-11-26T13:00:00Z");
        let attempts = (0..10).map(|index| {
            let (target, later) = (Arc::clone(&target), later.clone());
            tokio::spawn(async move { take(&target, &format!("heir {index}"), &later).await.ok() })
        });
        let mut heirs = Vec::new();
        for attempt in attempts.collect::<Vec<_>>() {
            heirs.extend(attempt.await.unwrap());
        }
        assert_eq!(heirs.len(), 1);
        heirs[0].check().await.unwrap();
    }
}

/// Prevents two backups at once from both being made, or either from being half.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_backups_at_once_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let state = empty();
    furnish(state.as_ref()).await;
    let _held = take(&target, "a restore", &Clock::system()).await.unwrap();
    let refused = write::run(state.as_ref(), &target, &wish(), &around()).await;
    assert_eq!(refused.expect_err("locked").exit_code(), 4);
    assert_eq!(target.names().await.unwrap(), []);
}
