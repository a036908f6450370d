//! Backups: made, proven, damaged, kept and restored, in memory and through the real program.

use std::{path::Path, sync::Arc};

use faciliauto_service::{
    backup::{
        encryption::Keys,
        error::BackupError,
        format::manifest::Kind,
        progress::Progress,
        restore::{self, Request},
        target::{Target, directory::DirectoryTarget},
        write::{self, Surroundings, Wish},
    },
    clock::Clock,
    configuration::backup::Wanted,
    state::{
        Basis, Change, State,
        dealers::{SoldMark, TokenDigest},
        memory::MemoryState,
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    harness::fixtures::dealer,
    state::{commit, set_token},
    state_events::{by, liked, store, viewed},
};

mod archive;
mod commands;
mod document;
mod encrypted;
mod killed;
mod locks;
mod moving;
mod process;
mod refused;
mod restored;
mod server;
mod storage;

/// What a run works with that nobody watches.
pub(crate) fn around() -> Surroundings {
    Surroundings {
        clock: Clock::system(),
        progress: Arc::new(Progress::to_nobody()),
        stop: CancellationToken::new(),
    }
}

/// A backup that is proven and not encrypted.
pub(crate) fn wish() -> Wish {
    Wish {
        kind: Kind::Manual,
        verify: true,
        keep_days: None,
        seal: None,
        declared: Some("kind: FaciliAutoDeployment\n".to_owned()),
        key_prefix: "test".to_owned(),
    }
}

/// One that is not proven, and takes no rest: others wait for it.
pub(crate) fn hurried() -> Wish {
    Wish {
        kind: Kind::Safety,
        verify: false,
        ..wish()
    }
}

pub(crate) fn directory(path: &Path) -> Arc<dyn Target> {
    Arc::new(DirectoryTarget::new(path.to_owned()))
}

/// A restore of the latest, in one process.
pub(crate) fn request(id: &str, target: &Arc<dyn Target>) -> Request {
    Request {
        id: id.to_owned(),
        name: Wanted::Latest,
        target: Arc::clone(target),
        source: Arc::clone(target),
        keys: Keys::default(),
        seal: None,
        key_prefix: "test".to_owned(),
        phase: None,
    }
}

pub(crate) fn empty() -> Arc<dyn State> {
    Arc::new(MemoryState::new(Clock::system()))
}

/// Something of every family, in a store that is not open yet.
pub(crate) async fn furnish(state: &dyn State) {
    let put = vec![dealer("a", 3), dealer("b", 0), dealer("c", 4)];
    let head = commit(state, Basis::Unopened, put, &[]).await.unwrap();
    let change = Change {
        basis: Basis::Version(head.version),
        put: vec![],
        remove: vec![],
        marks: ["a-1", "left-long-ago"]
            .map(|car| SoldMark {
                dealership: "a".to_owned(),
                car: car.to_owned(),
                sold: true,
            })
            .to_vec(),
        updates: vec![],
        once: None,
    };
    state
        .commit(change, &|_| {})
        .await
        .unwrap()
        .confirmed()
        .await
        .unwrap();
    assert!(set_token(state, "a", Some(TokenDigest::of("first"))).await);
    assert!(set_token(state, "a", Some(TokenDigest::of("second"))).await);
    assert!(set_token(state, "c", Some(TokenDigest::of("third"))).await);
    for event in [
        liked("1", "ana", "a-0"),
        by(viewed("2", "visit", "a-1", 12), "ana", "visit"),
        liked("3", "rui", "c-2"),
        viewed("4", "another visit", "c-3", 40),
        liked("5", "eva", "a-0"),
    ] {
        store(state, &event).await;
    }
    state.erase(&["eva".to_owned()]).await.unwrap();
}

/// A furnished store in memory, and a backup of it at the target.
pub(crate) async fn backed_up(target: &Arc<dyn Target>) -> (Arc<dyn State>, write::Report) {
    backed_up_as(target, &wish()).await
}

/// The same, made as is wished.
pub(crate) async fn backed_up_as(
    target: &Arc<dyn Target>,
    wish: &write::Wish,
) -> (Arc<dyn State>, write::Report) {
    let state = empty();
    furnish(state.as_ref()).await;
    let report = write::run(state.as_ref(), target, wish, &around()).await.unwrap();
    (state, report)
}

/// The digests of every family that a store has, as its own backup says them; the declaration aside.
pub(crate) async fn digests(state: &dyn State) -> Vec<(String, u64, String)> {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let report = write::run(state, &target, &hurried(), &around()).await.unwrap();
    let manifest = faciliauto_service::backup::archive::read_manifest(target.as_ref(), &report.backup)
        .await
        .unwrap();
    manifest
        .families
        .into_iter()
        .map(|facts| (facts.family.word().to_owned(), facts.records, facts.sha256))
        .collect()
}

/// Restores, and says how it ended in a word.
pub(crate) async fn restore(
    state: &Arc<dyn State>,
    request: &Request,
) -> Result<restore::Report, BackupError> {
    restore::restore(Arc::clone(state), request, &around()).await
}
