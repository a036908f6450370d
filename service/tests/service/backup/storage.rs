//! Backups in a bucket.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use faciliauto_service::{
    backup::{
        restore::Stage,
        shelf::Shelf,
        target::{Target, s3::S3Target},
        write::{self, Surroundings},
    },
    clock::Clock,
};
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

use super::{around, backed_up, digests, empty, furnish, process::change, request, restore, wish};
use crate::state_events::liked;

fn bucket(store: Arc<dyn ObjectStore>) -> Arc<dyn Target> {
    Arc::new(S3Target::over(store, "bucket", "shops/one"))
}

/// Prevents a deployment whose cluster is gone from having no way back.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_in_a_bucket_comes_back() {
    let store = Arc::new(InMemory::new());
    let target = bucket(store.clone());
    let (state, report) = backed_up(&target).await;
    let manifest = Path::from(format!("shops/one/{}/manifest.json", report.backup));
    assert!(store.head(&manifest).await.is_ok());
    let fresh = empty();
    restore(&fresh, &request("r1", &target)).await.unwrap();
    assert_eq!(digests(fresh.as_ref()).await, digests(state.as_ref()).await);
}

/// Prevents a backup whose manifest never came from being one, and its parts from staying for ever.
#[tokio::test(flavor = "multi_thread")]
async fn half_an_upload_is_no_backup_and_goes_with_the_next_run() {
    let store = Arc::new(InMemory::new());
    let half = Path::from("shops/one/20261126T020000Z-ab12cd34/stock.jsonl.zst");
    store.put(&half, "half".into()).await.unwrap();
    let foreign = Path::from("shops/one/20261126/holiday.jpg");
    store.put(&foreign, "not ours".into()).await.unwrap();
    let target = bucket(store.clone());
    let shelf = Shelf::look(&target).await.unwrap();
    assert!(shelf.latest().is_err());
    let said = shelf.entries()[0]
        .manifest
        .as_ref()
        .expect_err("it has no manifest");
    assert!(said.to_string().contains("never finished"), "{said}");
    backed_up(&target).await;
    assert!(store.head(&half).await.is_err());
    assert!(store.head(&foreign).await.is_ok(), "what is not ours stays");
}

/// Prevents a bucket that dies or fills up half-way from leaving half a backup that looks whole. Every write fails in
/// turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_takes_no_more_leaves_no_backup() {
    let state = empty();
    furnish(state.as_ref()).await;
    for writes in 0..40 {
        let store = Arc::new(Failing {
            inner: InMemory::new(),
            left: AtomicUsize::new(writes),
            unread: Mutex::default(),
        });
        let target = bucket(store.clone());
        let made = write::run(state.as_ref(), &target, &wish(), &around()).await;
        store.left.store(usize::MAX, Ordering::SeqCst);
        let shelf = Shelf::look(&target).await.unwrap();
        match made {
            Ok(report) => {
                assert_eq!(
                    shelf.latest().map(|manifest| manifest.name.clone()).ok(),
                    Some(report.backup)
                );
                assert!(writes > 10, "{writes} writes are enough");
                return;
            }
            Err(error) => {
                assert!(
                    matches!(error.code(), "full-target" | "target-away"),
                    "{writes}: {error}"
                );
                assert_eq!(error.exit_code(), 1, "{writes}: {error}");
                assert!(
                    shelf.latest().is_err(),
                    "{writes}: what was not proven does not count"
                );
            }
        }
    }
    panic!("forty writes are not enough");
}

/// Prevents a proof that cannot be read at this moment from being taken for one that was never made: an older backup would
/// be the latest good one then, and the last good one be removed for its age.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_cannot_be_read_costs_no_backup() {
    let store = Arc::new(Failing {
        inner: InMemory::new(),
        left: AtomicUsize::new(usize::MAX),
        unread: Mutex::default(),
    });
    let target = bucket(store.clone());
    let state = empty();
    furnish(state.as_ref()).await;
    let mut made = Vec::new();
    for days in [30, 20] {
        let clock = Clock::new(move || Timestamp::now() - SignedDuration::from_hours(24 * days));
        let then = Surroundings { clock, ..around() };
        let report = write::run(state.as_ref(), &target, &wish(), &then).await.unwrap();
        made.push(report.backup);
    }
    *store.unread.lock().unwrap() = format!("{}/proof.json", made[1]);
    let looked = Shelf::look(&target).await.expect_err("it cannot be told");
    assert_eq!((looked.code(), looked.exit_code()), ("target-away", 1));
    assert!(looked.to_string().contains("s3://bucket/shops/one"), "{looked}");
    let refused = write::prune(&target, 7, &around())
        .await
        .expect_err("nor what may go");
    assert_eq!(refused.code(), "target-away");
    store.unread.lock().unwrap().clear();
    let pruned = write::prune(&target, 7, &around()).await.unwrap();
    assert_eq!(pruned, made[..1]);
    let shelf = Shelf::look(&target).await.unwrap();
    assert_eq!(shelf.latest().unwrap().name, made[1]);
}

/// Prevents a bucket that dies during a restore from leaving a mixture, or a store that takes no writes; and the same
/// restore from not being finished later. Every write fails in turn, and all after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_dies_during_a_restore_leaves_the_old_state_or_the_restored_one() {
    let mut went_through = 0;
    for writes in 0..60 {
        let store = Arc::new(Failing {
            inner: InMemory::new(),
            left: AtomicUsize::new(usize::MAX),
            unread: Mutex::default(),
        });
        let target = bucket(store.clone());
        let (state, _) = backed_up(&target).await;
        let restored = digests(state.as_ref()).await;
        change(state.as_ref()).await;
        let old = digests(state.as_ref()).await;
        store.left.store(writes, Ordering::SeqCst);
        let outcome = restore(&state, &request("r1", &target)).await;
        let found = digests(state.as_ref()).await;
        match &outcome {
            Ok(_) => {
                assert_eq!(found, restored, "{writes}");
                went_through += 1;
            }
            Err(error) => {
                assert_eq!(found, old, "{writes}: {error}");
                assert_eq!(error.exit_code(), 1, "{writes}: {error}");
            }
        }
        let event = liked("writes go through", "rui", "a-0");
        crate::state_events::store(state.as_ref(), &event).await;
        let whole = store.left.swap(usize::MAX, Ordering::SeqCst) > 0;
        let again = restore(&state, &request("r1", &target)).await.unwrap();
        assert_eq!(again.phase, Stage::Succeeded, "{writes}");
        if whole {
            assert!(writes > 10 && went_through > 1, "{writes} and {went_through}");
            return;
        }
    }
    panic!("sixty writes are not enough");
}

/// A store that takes so many writes and then no more, and has something that cannot be read.
#[derive(Debug)]
struct Failing {
    inner: InMemory,
    left: AtomicUsize,
    /// How its name ends; empty = nothing.
    unread: Mutex<String>,
}

impl Failing {
    fn write(&self) -> Result<()> {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| object_store::Error::Generic {
            store: "test",
            source: "QuotaExceeded: the bucket is full".into(),
        })
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Failing")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.write()?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.write()?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let unread = self.unread.lock().unwrap().clone();
        if !unread.is_empty() && location.as_ref().ends_with(&unread) {
            return Err(object_store::Error::Generic {
                store: "test",
                // As a time and a name may have them: not what a full bucket says.
                source: "no answer to GET …-ab507d34/proof.json in 1.507s".into(),
            });
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
