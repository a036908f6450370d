//! Backups in a bucket.

use std::{
    fmt,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use faciliauto_service::{
    backup::{
        restore::{Request, Stage},
        shelf::Shelf,
        target::{Target, s3::S3Target},
        write::{self, Surroundings},
    },
    clock::Clock,
    configuration::backup::{Credentials, S3Settings, Wanted},
    state::{State, events::Deed},
};
use futures::{
    FutureExt,
    future::{pending, ready},
    stream::BoxStream,
};
use jiff::{SignedDuration, Timestamp};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, memory::InMemory, path::Path,
};
use tokio_util::sync::CancellationToken;

use super::{around, backed_up, digests, empty, furnish, hurried, process::change, request, restore, wish};
use crate::{harness::eventually, state_events::liked};

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
        let store = Arc::new(Failing::after(writes));
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
    let store = Arc::new(Failing::after(usize::MAX));
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
        let store = Arc::new(Failing::after(usize::MAX));
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

/// Bytes of a part, a piece of a file at least: the largest family here has several.
const PART: usize = 64 << 10;

/// Something of every family, and feedback that takes a megabyte however it is packed.
pub(super) async fn furnish_at_length(state: &dyn State, comments: usize) {
    furnish(state).await;
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut letter = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
        char::from(letters[(random >> 58) as usize])
    };
    for comment in 0..comments {
        let mut event = liked(&format!("at length {comment}"), "rui", "a-0");
        if let Deed::Feedback { comment, .. } = &mut event.deed {
            *comment = Some((0..300_000).map(|_| letter()).collect());
        }
        crate::state_events::store(state, &event).await;
    }
}

/// The backup that a restore asks for by its name.
pub(super) fn of_backup(report: &write::Report, target: &Arc<dyn Target>) -> Request {
    Request {
        name: Wanted::Named(report.backup.clone()),
        ..request("r1", target)
    }
}

/// Prevents a family that is larger than a part from coming back as anything else than it was; and one of which a part, or the
/// word that it is whole, does not get through from counting, and from being paid for for ever: what was sent of it is no
/// object that a listing shows. Every write fails in turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_family_goes_in_parts_which_all_come_or_go() {
    let state = empty();
    furnish_at_length(state.as_ref(), 4).await;
    let mut given_up = 0;
    for writes in 0..60 {
        let store = Arc::new(Failing::after(writes));
        let target = S3Target::over(store.clone(), "bucket", "shops/one").in_parts_of(PART);
        let target: Arc<dyn Target> = Arc::new(target);
        let made = write::run(state.as_ref(), &target, &hurried(), &around()).await;
        let is_let_go = store.left.swap(usize::MAX, Ordering::SeqCst) > 0;
        let Parts {
            begun,
            sent,
            completed,
            aborted,
        } = *store.parts.lock().unwrap();
        assert_eq!(completed + aborted, begun, "{writes}: parts were left");
        match made {
            Ok(report) => {
                assert_eq!((begun, completed), (1, 1));
                if !is_let_go {
                    continue;
                }
                assert!(sent >= 3 && given_up >= 4, "{sent} and {given_up}");
                let fresh = empty();
                restore(&fresh, &of_backup(&report, &target)).await.unwrap();
                assert_eq!(digests(fresh.as_ref()).await, digests(state.as_ref()).await);
                return;
            }
            Err(error) => {
                assert_eq!((error.code(), error.exit_code()), ("full-target", 1), "{writes}");
                given_up += aborted;
                let shelf = Shelf::look(&target).await.unwrap();
                assert!(shelf.entries().iter().all(|entry| !entry.is_good()), "{writes}");
            }
        }
    }
    panic!("sixty writes are not enough");
}

/// Prevents a backup that is told to stop from leaving the parts that it sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_stopped_takes_its_parts_back() {
    let state = empty();
    furnish_at_length(state.as_ref(), 4).await;
    let around = around();
    let store = Arc::new(Failing {
        stopped_by_a_part: Some(around.stop.clone()),
        ..Failing::after(usize::MAX)
    });
    let target = S3Target::over(store.clone(), "bucket", "shops/one").in_parts_of(PART);
    let target: Arc<dyn Target> = Arc::new(target);
    let stopped = write::run(state.as_ref(), &target, &hurried(), &around).await;
    assert!(stopped.is_err_and(|error| error.to_string() == "stopped by a signal"));
    eventually("its parts are gone", async || {
        let parts = *store.parts.lock().unwrap();
        ((parts.begun, parts.completed, parts.aborted) == (1, 0, 1)).then_some(())
    })
    .await;
}

/// Prevents a server that is overloaded or starting from failing a backup, though it is there a moment later.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_late_is_asked_again() {
    let impatient = Some(Duration::ZERO);
    for (refusals, patience, expected) in [(0, impatient, Some(1)), (3, None, Some(4)), (3, impatient, None)]
    {
        let (endpoint, asked) = late_server(refusals);
        let variables = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let settings = S3Settings {
            endpoint: Some(endpoint),
            path_style: true,
            credentials: Credentials::of(&variables.map(|name| (name.to_owned(), "x".to_owned()))),
            ..S3Settings::default()
        };
        let target = match patience {
            Some(patience) => S3Target::trying_for(patience, "bucket", "shop", &settings),
            None => S3Target::new("bucket", "shop", &settings),
        };
        let target = target.unwrap();
        let found = target.look("lock").await;
        let asked = asked.load(Ordering::SeqCst);
        match expected {
            Some(times) => {
                let (content, _) = found.unwrap().expect("it is there");
                assert_eq!((content.as_slice(), asked), (&b"whole"[..], times));
            }
            None => {
                let error = found.expect_err("it was asked once");
                assert!(error.to_string().contains("s3://bucket/shop"), "{error}");
                assert_eq!(asked, 1);
            }
        }
    }
}

/// A server that is unavailable so many times, and then has what is asked for.
fn late_server(refusals: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&client).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let answer = if counted.fetch_add(1, Ordering::SeqCst) < refusals {
                "HTTP/1.1 503 Slow Down\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\nconnection: close\r\netag: \"1\"\r\nlast-modified: Thu, 26 Nov 2026 02:00:00 \
                 GMT\r\ncontent-length: 5\r\n\r\nwhole"
            };
            let _ = (&client).write_all(answer.as_bytes());
        }
    });
    (endpoint, asked)
}

/// A store that takes so many writes and then no more, and has something that cannot be read.
#[derive(Debug)]
struct Failing {
    inner: InMemory,
    left: Arc<AtomicUsize>,
    /// How its name ends; empty = nothing.
    unread: Mutex<String>,
    parts: Arc<Mutex<Parts>>,
    /// What the first part stops, for which there is no answer then.
    stopped_by_a_part: Option<CancellationToken>,
}

/// What became of objects that are sent in parts.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    begun: usize,
    sent: usize,
    completed: usize,
    aborted: usize,
}

impl Failing {
    fn after(writes: usize) -> Self {
        Self {
            inner: InMemory::new(),
            left: Arc::new(AtomicUsize::new(writes)),
            unread: Mutex::default(),
            parts: Arc::default(),
            stopped_by_a_part: None,
        }
    }
}

/// Counts a write, or refuses it.
fn write_one(left: &AtomicUsize) -> Result<()> {
    let left = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    left.map(|_| ()).map_err(|_| object_store::Error::Generic {
        store: "test",
        source: "QuotaExceeded: the bucket is full".into(),
    })
}

/// An object of such a store that is sent in parts.
#[derive(Debug)]
struct FailingUpload {
    inner: Box<dyn MultipartUpload>,
    left: Arc<AtomicUsize>,
    parts: Arc<Mutex<Parts>>,
    stopped_by_a_part: Option<CancellationToken>,
}

#[async_trait]
impl MultipartUpload for FailingUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        if let Err(error) = write_one(&self.left) {
            return ready(Err(error)).boxed();
        }
        if let Some(stop) = &self.stopped_by_a_part {
            stop.cancel();
            return pending().boxed();
        }
        self.parts.lock().unwrap().sent += 1;
        self.inner.put_part(part)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        write_one(&self.left)?;
        self.parts.lock().unwrap().completed += 1;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.lock().unwrap().aborted += 1;
        self.inner.abort().await
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
        write_one(&self.left)?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        write_one(&self.left)?;
        self.parts.lock().unwrap().begun += 1;
        Ok(Box::new(FailingUpload {
            inner: self.inner.put_multipart_opts(location, options).await?,
            left: Arc::clone(&self.left),
            parts: Arc::clone(&self.parts),
            stopped_by_a_part: self.stopped_by_a_part.clone(),
        }))
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
