//! What a restore leaves behind, in memory: everything as it was, or nothing changed.

use std::{fs, sync::Arc};

use faciliauto_service::{
    backup::{
        restore::{Request, Stage, undo},
        shelf::Shelf,
        target::lock::Lock,
        write::{self, Wish},
    },
    configuration::backup::{Phase, Wanted},
    state::{Basis, State, StateError},
};

use super::{around, backed_up, digests, directory, empty, request, restore, wish};
use crate::{
    harness::fixtures::dealer,
    state::commit,
    state_events::{liked, store},
};

async fn change_everything(state: &dyn State) {
    let head = state.head().await.unwrap().expect("an open store");
    commit(
        state,
        Basis::Version(head.version),
        vec![dealer("z", 2)],
        &["a", "b", "c"],
    )
    .await
    .unwrap();
    store(state, &liked("later", "bia", "z-1")).await;
}

pub(super) async fn epoch(state: &dyn State) -> Option<String> {
    state.generation().await.unwrap().map(|epoch| epoch.to_string())
}

/// Prevents a restore from changing, losing or mixing a record, and what the store held before from being lost.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_takes_the_place_of_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, backup) = backed_up(&target).await;
    let then = digests(state.as_ref()).await;
    change_everything(state.as_ref()).await;
    let before = digests(state.as_ref()).await;

    let report = restore(&state, &request("r1", &target)).await.unwrap();
    assert_eq!(
        (report.phase, report.from.as_ref()),
        (Stage::Succeeded, Some(&backup.backup))
    );
    assert_eq!((report.cars, report.events), (7, 4));
    let now = digests(state.as_ref()).await;
    assert_eq!(without_people(&now), without_people(&then));
    store(state.as_ref(), &liked("after", "bia", "a-0")).await;

    // The safety backup holds what was there, and is not the latest.
    let shelf = Shelf::look(&target).await.unwrap();
    assert_eq!(shelf.latest().unwrap().name, backup.backup);
    let safety = report.safety.expect("there was something to be lost");
    let named = Request {
        name: Wanted::Named(safety),
        ..request("r2", &target)
    };
    restore(&state, &named).await.unwrap();
    assert_eq!(
        without_people(&digests(state.as_ref()).await),
        without_people(&before)
    );
}

/// The ledger of a restored store has more than the backup's: tokens that were revoked since.
fn without_people(digests: &[(String, u64, String)]) -> Vec<&(String, u64, String)> {
    let of_people = ["ledger", "tokens", "person-secret"];
    digests
        .iter()
        .filter(|(family, ..)| !of_people.contains(&family.as_str()))
        .collect()
}

/// Prevents a deployment that lost everything from staying empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_never_opened_takes_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, _) = backed_up(&target).await;
    let then = digests(state.as_ref()).await;
    let fresh = empty();
    let report = restore(&fresh, &request("r1", &target)).await.unwrap();
    assert_eq!((report.safety, report.phase), (None, Stage::Succeeded));
    assert_eq!(digests(fresh.as_ref()).await, then);
}

/// Prevents a restore from being done twice, or by an id that was used for another backup.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, backup) = backed_up(&target).await;
    let first = restore(&state, &request("r1", &target)).await.unwrap();
    let after = epoch(state.as_ref()).await;
    change_everything(state.as_ref()).await;
    let again = restore(&state, &request("r1", &target)).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(epoch(state.as_ref()).await, after);
    assert!(state.dealer("z").await.unwrap().stock.is_some());
    // Also when its note of the end was lost: the store knows.
    let note = folder.path().join("restores/r1.json");
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    text["finished_at"] = serde_json::Value::Null;
    fs::write(&note, text.to_string()).unwrap();
    let again = restore(&state, &request("r1", &target)).await.unwrap();
    assert_eq!(
        (again.phase, epoch(state.as_ref()).await),
        (Stage::Succeeded, after)
    );
    let other = Request {
        name: Wanted::Named("20200101T000000Z-00000000".parse().unwrap()),
        ..request("r1", &target)
    };
    let refused = restore(&state, &other).await.expect_err("another backup");
    assert_eq!(refused.exit_code(), 2);
    assert!(refused.to_string().contains(backup.backup.as_str()), "{refused}");
}

/// Prevents a new store beside old backups from staying empty and being called restored, or from being given what was the
/// latest long ago.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_in_a_store_that_is_gone_is_not_taken_for_done() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, backup) = backed_up(&target).await;
    restore(&state, &request("r1", &target)).await.unwrap();
    let fresh = empty();
    for phase in [None, Some((Phase::Verify, folder.path().join("work")))] {
        let again = Request {
            phase,
            ..request("r1", &target)
        };
        let refused = restore(&fresh, &again).await.expect_err("another store");
        assert_eq!((refused.code(), refused.exit_code()), ("usage", 2));
        let said = refused.to_string();
        assert!(
            said.contains("give another id") && said.contains(backup.backup.as_str()),
            "{said}"
        );
    }
    assert_eq!(epoch(fresh.as_ref()).await, None);
    let report = restore(&fresh, &request("r2", &target)).await.unwrap();
    assert_eq!(
        (report.phase, report.from.as_ref()),
        (Stage::Succeeded, Some(&backup.backup))
    );
}

/// Prevents an archive that is refused from costing anything: not the data, not a moment without writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, backup) = backed_up(&target).await;
    let before = (epoch(state.as_ref()).await, digests(state.as_ref()).await);
    let stock = folder.path().join(backup.backup.as_str()).join("stock.jsonl.zst");
    let mut content = fs::read(&stock).unwrap();
    content[30] ^= 1;
    fs::write(&stock, content).unwrap();
    let refused = restore(&state, &request("r1", &target))
        .await
        .expect_err("damaged");
    assert_eq!((refused.code(), refused.exit_code()), ("damaged", 3));
    assert_eq!(
        (epoch(state.as_ref()).await, digests(state.as_ref()).await),
        before
    );
    store(state.as_ref(), &liked("at once", "bia", "a-0")).await;
    // Nothing holds the target either, and the id is free.
    assert!(!folder.path().join("restores/r1.json").exists());
    let report = write::run(state.as_ref(), &target, &wish(), &around())
        .await
        .unwrap();
    assert_eq!(
        restore(&state, &request("r1", &target)).await.unwrap().from,
        Some(report.backup)
    );
}

/// Prevents `latest` from restoring anything where there is nothing.
#[tokio::test(flavor = "multi_thread")]
async fn no_backup_is_told_apart_from_a_bad_one() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(&folder.path().join("never-made"));
    let state = empty();
    let refused = restore(&state, &request("r1", &target))
        .await
        .expect_err("nothing there");
    assert_eq!((refused.code(), refused.exit_code()), ("not-found", 2));
    let named = Request {
        name: Wanted::Named("20200101T000000Z-00000000".parse().unwrap()),
        ..request("r1", &target)
    };
    let refused = restore(&state, &named).await.expect_err("nothing there");
    assert_eq!(refused.code(), "not-found");
    assert_eq!(epoch(state.as_ref()).await, None);
}

/// Prevents two restores, or a restore and a backup, from working against each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_waits_for_others_and_holds_writes_back() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, _) = backed_up(&target).await;
    let fence = state.raise_fence("another").await.unwrap();
    let refused = restore(&state, &request("r1", &target))
        .await
        .expect_err("fenced");
    assert_eq!((refused.code(), refused.exit_code()), ("fenced", 4));
    assert!(refused.to_string().contains("another"), "{refused}");
    let written = state.record(&[liked("meanwhile", "bia", "a-0")]).await;
    assert!(matches!(written, Err(StateError::Fenced { holder }) if holder == "another"));
    state.lower_fence(&fence).await.unwrap();
    restore(&state, &request("r1", &target)).await.unwrap();
}

/// Prevents the phases of one restore, each a process of its own, from losing what the others hold.
#[tokio::test(flavor = "multi_thread")]
async fn phases_go_on_where_the_last_ended() {
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = directory(folder.path());
    let (state, _) = backed_up(&target).await;
    let then = digests(state.as_ref()).await;
    change_everything(state.as_ref()).await;
    let phase = |phase| Request {
        phase: Some((phase, work.path().to_owned())),
        ..request("r1", &target)
    };
    let early = restore(&state, &phase(Phase::Load))
        .await
        .expect_err("verify comes first");
    assert_eq!(early.exit_code(), 2);
    let verified = restore(&state, &phase(Phase::Verify)).await.unwrap();
    assert_eq!((verified.phase, verified.safety), (Stage::Verifying, None));
    store(state.as_ref(), &liked("not yet held back", "bia", "z-0")).await;
    let safe = restore(&state, &phase(Phase::Snapshot)).await.unwrap();
    assert!(safe.phase == Stage::Snapshotting && safe.safety.is_some());
    let written = state.record(&[liked("held back", "bia", "z-0")]).await;
    assert!(matches!(written, Err(StateError::Fenced { .. })));
    let locked = write::run(state.as_ref(), &target, &wish(), &around()).await;
    assert_eq!(locked.expect_err("locked").code(), "locked");
    let done = restore(&state, &phase(Phase::Load)).await.unwrap();
    assert_eq!((done.phase, &done.safety), (Stage::Succeeded, &safe.safety));
    assert_eq!(
        without_people(&digests(state.as_ref()).await),
        without_people(&then)
    );
    for again in [Phase::Verify, Phase::Snapshot, Phase::Load] {
        let report = restore(&state, &phase(again)).await.unwrap();
        assert_eq!(report.phase, Stage::Succeeded, "what is done is done");
    }
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
    write::run(state.as_ref(), &target, &wish(), &around())
        .await
        .unwrap();
}

/// Prevents a restore that died and is tried again from bringing another backup than the one that somebody asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_brings_what_was_the_latest_when_it_was_begun() {
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = directory(folder.path());
    let (state, first) = backed_up(&target).await;
    let then = digests(state.as_ref()).await;
    change_everything(state.as_ref()).await;
    let verify = Request {
        phase: Some((Phase::Verify, work.path().to_owned())),
        ..request("r1", &target)
    };
    let begun = restore(&state, &verify).await.unwrap();
    assert_eq!(begun.from.as_ref(), Some(&first.backup));
    // As after the minutes for which the lock of what died holds.
    Lock::let_go_of_left(target.as_ref(), "restore r1").await;
    let second = write::run(state.as_ref(), &target, &wish(), &around())
        .await
        .unwrap();
    let shelf = Shelf::look(&target).await.unwrap();
    assert_eq!(shelf.latest().unwrap().name, second.backup);
    // Whoever looks at it notices.
    let stock = folder.path().join(second.backup.as_str()).join("stock.jsonl.zst");
    fs::write(stock, "half").unwrap();

    let done = restore(&state, &request("r1", &target)).await.unwrap();
    assert_eq!(done.from, Some(first.backup));
    assert_eq!(
        without_people(&digests(state.as_ref()).await),
        without_people(&then)
    );
    let another = restore(&state, &request("r2", &target)).await;
    let refused = another.expect_err("it asks for the second").to_string();
    assert!(refused.contains(second.backup.as_str()), "{refused}");
}

/// Prevents a load that comes late, when writes went on meanwhile, from losing them.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_whose_fence_fell_makes_another_safety_backup() {
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = directory(folder.path());
    let (state, _) = backed_up(&target).await;
    let phase = |phase| Request {
        phase: Some((phase, work.path().to_owned())),
        ..request("r1", &target)
    };
    restore(&state, &phase(Phase::Verify)).await.unwrap();
    let safe = restore(&state, &phase(Phase::Snapshot)).await.unwrap();
    let taken = state.raise_fence("r1").await.unwrap();
    state.lower_fence(&taken).await.unwrap();
    change_everything(state.as_ref()).await;
    let done = restore(&state, &phase(Phase::Load)).await.unwrap();
    assert_ne!(done.safety, safe.safety);
    let named = Request {
        name: Wanted::Named(done.safety.unwrap()),
        ..request("r2", &target)
    };
    restore(&state, &named).await.unwrap();
    assert!(state.dealer("z").await.unwrap().stock.is_some());
}

/// Prevents who was erased from coming back: by the live ledger, and by that of a newer backup where the store is lost.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_stays_erased() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, old) = backed_up(&target).await;
    let events = async |state: &Arc<dyn State>| state.events_of("ana").await.unwrap().len();
    assert_eq!(events(&state).await, 2);
    state.erase(&["ana".to_owned()]).await.unwrap();
    let of_old = |id: &str| Request {
        name: Wanted::Named(old.backup.clone()),
        ..request(id, &target)
    };
    restore(&state, &of_old("r1")).await.unwrap();
    assert_eq!(events(&state).await, 0);
    assert_eq!(state.events_of("rui").await.unwrap().len(), 1);
    let unproven = Wish {
        verify: false,
        ..wish()
    };
    write::run(state.as_ref(), &target, &unproven, &around())
        .await
        .unwrap();
    let fresh = empty();
    restore(&fresh, &of_old("r2")).await.unwrap();
    assert_eq!(events(&fresh).await, 0);
    assert_eq!(fresh.events_of("rui").await.unwrap().len(), 1);
}

/// Prevents a restore that was a mistake from being for ever, and from being undone twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_can_be_undone() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, _) = backed_up(&target).await;
    let none = undo::undo(Arc::clone(&state), "u1", &around())
        .await
        .expect_err("nothing to go back to");
    assert_eq!((none.code(), none.exit_code()), ("not-found", 2));
    change_everything(state.as_ref()).await;
    let before = digests(state.as_ref()).await;
    restore(&state, &request("r1", &target)).await.unwrap();
    let report = undo::undo(Arc::clone(&state), "u1", &around()).await.unwrap();
    assert_eq!(report.phase, Stage::Reverted);
    assert_eq!(
        without_people(&digests(state.as_ref()).await),
        without_people(&before)
    );
    let after = epoch(state.as_ref()).await;
    undo::undo(Arc::clone(&state), "u1", &around()).await.unwrap();
    assert_eq!(
        epoch(state.as_ref()).await,
        after,
        "the same id again changes nothing"
    );
}
