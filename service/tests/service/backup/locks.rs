//! One at a time at a target.

use std::{fs, sync::Arc, time::Duration};

use faciliauto_service::{
    backup::{
        target::{
            Target,
            lock::{LASTS, Lock},
        },
        write,
    },
    clock::Clock,
};
use jiff::Timestamp;
use object_store::memory::InMemory;

use super::{around, backed_up, directory, empty, furnish, wish};
use faciliauto_service::backup::target::s3::S3Target;

fn at(text: &str) -> Clock {
    let now: Timestamp = text.parse().unwrap();
    Clock::new(move || now)
}

fn targets() -> Vec<(tempfile::TempDir, Arc<dyn Target>)> {
    let folder = tempfile::tempdir().unwrap();
    let place = directory(folder.path());
    let bucket: Arc<dyn Target> = Arc::new(S3Target::over(Arc::new(InMemory::new()), "bucket", "shop"));
    vec![(folder, place), (tempfile::tempdir().unwrap(), bucket)]
}

/// Prevents two from working at one target at once, and one that was killed from blocking it for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_held_by_one_until_it_is_let_go_or_past_its_deadline() {
    for (_folder, target) in targets() {
        let noon = at("2026-11-26T12:00:00Z");
        let first = Lock::take(Arc::clone(&target), "first", &noon).await.unwrap();
        let refused = Lock::take(Arc::clone(&target), "second", &noon).await.map(|_| ());
        let refused = refused.expect_err("it is held");
        assert_eq!((refused.code(), refused.exit_code()), ("locked", 4));
        assert!(refused.to_string().contains("first"), "{refused}");
        first.check().await.unwrap();
        first.let_go().await;
        let second = Lock::take(Arc::clone(&target), "second", &noon).await.unwrap();
        // As if it was killed: nobody says that it ended.
        drop(second);
        let soon = at("2026-11-26T12:01:59Z");
        assert!(Lock::take(Arc::clone(&target), "third", &soon).await.is_err());
        let later = at("2026-11-26T12:02:00Z");
        let third = Lock::take(Arc::clone(&target), "third", &later).await.unwrap();
        third.check().await.unwrap();
    }
}

/// Prevents whoever was thought dead from going on beside its successor.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_the_lock_notices() {
    for (_folder, target) in targets() {
        let first = Lock::take(Arc::clone(&target), "first", &at("2026-11-26T12:00:00Z"))
            .await
            .unwrap();
        let claim = first.claim().clone();
        let later = at("2026-11-26T13:00:00Z");
        let second = Lock::take(Arc::clone(&target), "second", &later).await.unwrap();
        let lost = first.check().await.expect_err("it is somebody else's");
        assert_eq!(lost.code(), "locked");
        assert!(lost.to_string().contains("second"), "{lost}");
        assert!(
            Lock::resume(Arc::clone(&target), claim, &later)
                .await
                .unwrap()
                .is_none()
        );
        // Letting go of what one has no more takes it from nobody.
        first.let_go().await;
        second.check().await.unwrap();
    }
}

/// Prevents a retry from waiting for its own predecessor, which was killed and lets nothing go.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_holder_takes_over_at_once() {
    for (_folder, target) in targets() {
        let noon = at("2026-11-26T12:00:00Z");
        let first = Lock::take(Arc::clone(&target), "restore r1", &noon)
            .await
            .unwrap();
        let second = Lock::take(Arc::clone(&target), "restore r1", &noon)
            .await
            .unwrap();
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
        let dead = Lock::take(Arc::clone(&target), "restore r1", &noon)
            .await
            .unwrap();
        Lock::let_go_of_left(target.as_ref(), "restore r2").await;
        dead.check().await.unwrap();
        drop(dead);
        assert!(Lock::take(Arc::clone(&target), "backup", &noon).await.is_err());
        Lock::let_go_of_left(target.as_ref(), "restore r1").await;
        Lock::take(Arc::clone(&target), "backup", &noon).await.unwrap();
    }
}

/// Prevents ten that find a dead one's lock at the same moment from all taking it.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_take_over_one_does() {
    for (_folder, target) in targets() {
        drop(
            Lock::take(Arc::clone(&target), "dead", &at("2026-11-26T12:00:00Z"))
                .await
                .unwrap(),
        );
        let later = at("2026-11-26T13:00:00Z");
        let attempts = (0..10).map(|index| {
            let (target, later) = (Arc::clone(&target), later.clone());
            tokio::spawn(async move { Lock::take(target, &format!("heir {index}"), &later).await.ok() })
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
    let _held = Lock::take(Arc::clone(&target), "a restore", &Clock::system())
        .await
        .unwrap();
    let refused = write::run(state.as_ref(), &target, &wish(), &around()).await;
    assert_eq!(refused.expect_err("locked").exit_code(), 4);
    assert_eq!(target.names().await.unwrap(), []);
}

/// Prevents a lock that a wrong clock wrote, a year ahead, from blocking backups for a year. It takes as long as a lock
/// lasts, so its end alone is tried here: one that is moved on by somebody who lives is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_a_wrong_clock_that_moves_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let held = Lock::take(Arc::clone(&target), "the future", &at("2027-11-26T12:00:00Z"))
        .await
        .unwrap();
    let now = at("2026-11-26T12:00:00Z");
    let trying = {
        let target = Arc::clone(&target);
        tokio::spawn(async move { Lock::take(target, "now", &now).await.map(|_| ()) })
    };
    // Whoever lives moves it on; every check does.
    let path = folder.path().join("lock");
    let begun = std::time::Instant::now();
    while !trying.is_finished() && begun.elapsed() < LASTS / 2 {
        let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        text["deadline"] = format!("2027-11-26T12:{:02}:00Z", begun.elapsed().as_secs() % 60).into();
        fs::write(&path, text.to_string()).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let refused = trying.await.unwrap().expect_err("it is alive");
    assert_eq!(refused.code(), "locked");
    held.check().await.unwrap();
    let (_, report) = {
        held.let_go().await;
        backed_up(&target).await
    };
    assert!(report.verified_at.is_some());
}
