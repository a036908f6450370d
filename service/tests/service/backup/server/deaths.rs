//! A real server that dies at any request of a backup, a proof or a pruning, or is replaced there: what counts is whole, the
//! last good backup is as it was, and the next run goes through and tidies up.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use faciliauto_service::{
    backup::{
        archive::Archive,
        encryption::Keys,
        error::BackupError,
        pace::Pace,
        progress::Progress,
        proof::{self, Noting},
        restore::Stage,
        shelf::Shelf,
        target::{Target, lock, s3::S3Target},
        write::{self, Surroundings, Wish},
    },
    clock::Clock,
    configuration::backup::{Credentials, S3Settings},
    state::State,
};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use object_store::{ObjectStore, ObjectStoreExt, aws::AmazonS3Builder, path::Path};

use super::{
    super::{
        around, backed_up, digests, empty, furnish, hurried,
        process::change,
        request, restore,
        storage::{furnish_at_length, of_backup},
        wish,
    },
    setting,
};
use crate::{
    harness::mortal::{Death, Fate, Mortal},
    state_events::{liked, store},
};

/// A way to die, and whether another server is there at once, by the number of requests that were answered.
type Way = (Death, fn(usize) -> bool);

const NEVER: fn(usize) -> bool = |_| false;
const ALWAYS: fn(usize) -> bool = |_| true;
const EVERY_SECOND_TIME: fn(usize) -> bool = |after| after % 2 == 1;

/// Every death, with another server at once or not.
const fn every_death(has_successor: fn(usize) -> bool) -> [Way; 4] {
    [
        (Death::Unheard, has_successor),
        (Death::HalfHeard, has_successor),
        (Death::Unanswered, has_successor),
        (Death::HalfAnswered, has_successor),
    ]
}

/// More requests than anything here needs.
const MOST: usize = 500;

/// Objects below a prefix, by their names.
type Objects = BTreeMap<String, Bytes>;

/// A place of its own in the bucket, and the ways to it.
struct Place {
    prefix: String,
    /// Past everything that is tried.
    store: Box<dyn ObjectStore>,
    target: Arc<dyn Target>,
}

/// `HOST:PORT` of the server.
fn server() -> String {
    setting("ENDPOINT").trim_start_matches("http://").to_owned()
}

/// Nothing is tried again: what is back a moment later is a server of its own here.
fn target(address: &str, prefix: &str) -> Arc<dyn Target> {
    Arc::new(trying_for(Duration::ZERO, address, prefix))
}

fn trying_for(patience: Duration, address: &str, prefix: &str) -> S3Target {
    let variables = [
        ("AWS_ACCESS_KEY_ID".to_owned(), setting("KEY")),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), setting("SECRET")),
    ];
    let settings = S3Settings {
        endpoint: Some(format!("http://{address}")),
        path_style: true,
        credentials: Credentials::of(&variables),
        ..S3Settings::default()
    };
    S3Target::trying_for(patience, &setting("BUCKET"), prefix, &settings).unwrap()
}

impl Place {
    /// With these objects in it and no others.
    async fn with(what: &str, objects: &Objects) -> Self {
        let prefix = format!("deaths-{}/{what}", std::process::id());
        let store = AmazonS3Builder::new()
            .with_bucket_name(setting("BUCKET"))
            .with_endpoint(format!("http://{}", server()))
            .with_allow_http(true)
            .with_access_key_id(setting("KEY"))
            .with_secret_access_key(setting("SECRET"))
            .with_http_connector(faciliauto_service::backup::target::http::Connector::new(None).unwrap())
            .build()
            .unwrap();
        let place = Self {
            target: target(&server(), &prefix),
            store: Box::new(store),
            prefix,
        };
        for (name, content) in objects {
            place
                .store
                .put(&place.path(name), content.clone().into())
                .await
                .unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.prefix))
    }

    /// All of its objects but the lock.
    async fn objects(&self) -> Objects {
        let prefix = Path::from(self.prefix.clone());
        let listed: Vec<_> = self.store.list(Some(&prefix)).try_collect().await.unwrap();
        let mut found = Objects::new();
        for object in listed {
            let name = object.location.as_ref()[self.prefix.len() + 1..].to_owned();
            if name != lock::PATH {
                let content = self
                    .store
                    .get(&object.location)
                    .await
                    .unwrap()
                    .bytes()
                    .await
                    .unwrap();
                found.insert(name, content);
            }
        }
        found
    }

    /// As after the minutes in which the lock of what died holds; that it does is tried elsewhere.
    async fn without_lock(&self) {
        match self.store.delete(&self.path(lock::PATH)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// That whatever the list calls good is whole, and which of them is the latest. Those that are known to be are not
    /// proven again.
    async fn latest(&self, known: &[String], case: &str) -> Option<String> {
        let shelf = Shelf::look(&self.target).await.unwrap();
        for entry in shelf.entries() {
            if !entry.is_good() || known.contains(&entry.name.to_string()) {
                continue;
            }
            let archive = Archive::open(Arc::clone(&self.target), &entry.name, Keys::default());
            let archive = archive.await.unwrap_or_else(|error| panic!("{case}: {error}"));
            proof::prove(&archive, &Clock::system(), &Progress::to_nobody(), Pace::Hurried)
                .await
                .unwrap_or_else(|error| panic!("{case}: {error}"));
        }
        shelf.latest().ok().map(|manifest| manifest.name.to_string())
    }

    /// That nothing is there but backups with all that belongs to them.
    async fn assert_tidy(&self, case: &str) {
        let objects = self.objects().await;
        for name in objects.keys() {
            let (backup, _) = name.split_once('/').unwrap_or_else(|| panic!("{case}: {name}"));
            let manifest = format!("{backup}/manifest.json");
            assert!(objects.contains_key(&manifest), "{case}: {name} was left");
        }
    }
}

/// Days before now.
fn days_ago(days: i64) -> Surroundings {
    Surroundings {
        clock: Clock::new(move || Timestamp::now() - SignedDuration::from_hours(24 * days)),
        ..around()
    }
}

/// Objects of backups of these ages, made one after the other.
async fn backups(state: &dyn State, what: &str, ages: &[i64]) -> (Objects, Vec<String>) {
    let place = Place::with(what, &Objects::new()).await;
    let mut names = Vec::new();
    for age in ages {
        let report = write::run(state, &place.target, &wish(), &days_ago(*age))
            .await
            .unwrap();
        names.push(report.backup.to_string());
    }
    (place.objects().await, names)
}

/// That an error tells a Job to try again, and a person where.
fn assert_says_where(error: &BackupError, place: &Place, case: &str) {
    assert_eq!(
        (error.code(), error.exit_code()),
        ("target-away", 1),
        "{case}: {error}"
    );
    let (bucket, text) = (setting("BUCKET"), error.to_string());
    assert!(
        text.contains(&format!("s3://{bucket}/{}", place.prefix)),
        "{case}: {text}"
    );
}

/// Whether all that was there before is there as it was.
fn assert_kept(before: &Objects, backup: &str, now: &Objects, case: &str) {
    for (name, content) in before.iter().filter(|(name, _)| name.starts_with(backup)) {
        // When it was proven is noted anew by whoever proves it.
        let is_same = name.ends_with("/proof.json") || now.get(name) == Some(content);
        assert!(
            is_same && now.contains_key(name),
            "{case}: {name} of the last good backup"
        );
    }
}

/// One death of the server.
struct Case {
    name: String,
    /// With what was there before.
    place: Place,
    /// By the server that dies.
    through: Arc<dyn Target>,
}

/// Has the server die in each of these ways, at each request of some work in turn, until it outlives the work. What the
/// work leaves behind is its own to look at; an error has to say where, and more than `least` cases have to end in one.
/// `next` comes after each death, when the server is back.
async fn at_every_request(
    what: &str,
    before: &Objects,
    ways: &[Way],
    least: usize,
    work: impl AsyncFn(&Case) -> Result<(), BackupError>,
    next: impl AsyncFn(&Case),
) {
    for &(death, has_successor) in ways {
        let mut refused = 0;
        for after in 0..=MOST {
            assert!(after < MOST, "{MOST} requests are not enough");
            let has_successor = has_successor(after);
            let name = format!("{what}-{death:?}-{has_successor}-{after}");
            let place = Place::with(&name, before).await;
            let fate = Fate {
                after,
                death,
                has_successor,
            };
            let line = Mortal::to(&server(), fate);
            let case = Case {
                through: target(&line.address, &place.prefix),
                name,
                place,
            };
            let outcome = work(&case).await;
            if let Err(error) = &outcome {
                assert_says_where(error, &case.place, &case.name);
                refused += 1;
            }
            if !line.has_died() {
                assert!(outcome.is_ok() && refused > least, "{}: {refused}", case.name);
                break;
            }
            next(&case).await;
        }
    }
}

/// Prevents a server that dies during a backup from leaving half of one that counts, from costing the last good one, and
/// from keeping the next from being made.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server for S3: FACILIAUTO_TEST_S3_ENDPOINT, _BUCKET, _KEY, _SECRET"]
async fn a_server_that_dies_during_a_backup_leaves_none_or_a_whole_one() {
    let state = empty();
    furnish(state.as_ref()).await;
    let (before, names) = backups(state.as_ref(), "run", &[1]).await;
    let good = &names[0];
    let daily = Wish {
        keep_days: Some(7),
        ..wish()
    };
    let work = async |Case { name, place, through }: &Case| {
        let outcome = write::run(state.as_ref(), through, &daily, &around()).await;
        let latest = place.latest(&names, name).await;
        if let Ok(report) = &outcome {
            assert_eq!(latest, Some(report.backup.to_string()), "{name}");
        }
        assert_kept(&before, good, &place.objects().await, name);
        outcome.map(drop)
    };
    let next = async |Case { name, place, .. }: &Case| {
        let mut next = write::run(state.as_ref(), &place.target, &daily, &around()).await;
        if matches!(next, Err(BackupError::Locked { .. })) {
            place.without_lock().await;
            next = write::run(state.as_ref(), &place.target, &daily, &around()).await;
        }
        let next = next.unwrap_or_else(|error| panic!("{name}: {error}"));
        let known = [good.clone(), next.backup.to_string()];
        let latest = place.latest(&known, name).await;
        assert_eq!(latest.as_ref(), Some(&known[1]), "{name}");
        place.assert_tidy(name).await;
        assert_kept(&before, good, &place.objects().await, name);
    };
    at_every_request("run", &before, &every_death(NEVER), 20, work, next).await;
}

/// Prevents a server that dies while a backup is proven from making a bad one of it, or from being taken for an archive
/// that is refused for good.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server for S3: FACILIAUTO_TEST_S3_ENDPOINT, _BUCKET, _KEY, _SECRET"]
async fn a_server_that_dies_during_a_proof_proves_nothing() {
    let state = empty();
    furnish(state.as_ref()).await;
    let (before, names) = backups(state.as_ref(), "verify", &[2, 1]).await;
    let work = async |Case { name, place, through }: &Case| {
        let outcome = verify_latest(through).await;
        if let Ok(verified) = &outcome {
            assert_eq!(verified, &names[1], "{name}");
        }
        let latest = place.latest(&names, name).await;
        assert_eq!(latest.as_ref(), Some(&names[1]), "{name}");
        assert_kept(&before, "", &place.objects().await, name);
        outcome.map(drop)
    };
    let ways = every_death(EVERY_SECOND_TIME);
    at_every_request("verify", &before, &ways, 5, work, async |_| {}).await;
}

/// As `backup verify latest`.
async fn verify_latest(target: &Arc<dyn Target>) -> Result<String, BackupError> {
    let name = Shelf::look(target).await?.latest()?.name.clone();
    let archive = Archive::open(Arc::clone(target), &name, Keys::default()).await?;
    let around = around();
    proof::prove_and_note(&archive, Noting::Wished, &around.clock, &around.progress).await?;
    Ok(name.to_string())
}

/// Prevents a server that dies while old backups are removed, or that misses one answer, from costing the last good one, and
/// from leaving a backup that looks whole and is not. The last good one is old itself: nothing but its proof keeps it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server for S3: FACILIAUTO_TEST_S3_ENDPOINT, _BUCKET, _KEY, _SECRET"]
async fn a_server_that_dies_during_a_pruning_keeps_the_last_good_backup() {
    let state = empty();
    furnish(state.as_ref()).await;
    let (before, names) = backups(state.as_ref(), "prune", &[30, 20]).await;
    let ways = [
        (Death::Unheard, NEVER),
        (Death::Unanswered, NEVER),
        (Death::Unheard, ALWAYS),
        (Death::HalfAnswered, ALWAYS),
    ];
    let work = async |Case { name, place, through }: &Case| {
        let outcome = write::prune(through, 7, &around()).await;
        if let Ok(pruned) = &outcome {
            let pruned: Vec<_> = pruned.iter().map(ToString::to_string).collect();
            assert_eq!(pruned, names[..1], "{name}");
        }
        let latest = place.latest(&names, name).await;
        assert_eq!(latest.as_ref(), Some(&names[1]), "{name}");
        assert_kept(&before, &names[1], &place.objects().await, name);
        outcome.map(drop)
    };
    let next = async |Case { name, place, .. }: &Case| {
        place.without_lock().await;
        let again = write::prune(&place.target, 7, &around()).await;
        again.unwrap_or_else(|error| panic!("{name}: {error}"));
        let left = place.objects().await;
        let others: Vec<_> = left.keys().filter(|path| !path.starts_with(&names[1])).collect();
        assert!(others.is_empty(), "{name}: {others:?}");
        assert_kept(&before, &names[1], &left, name);
    };
    at_every_request("prune", &before, &ways, 5, work, next).await;
}

/// Prevents a server that dies during a restore from leaving a mixture, or a store that takes no writes; and the same restore
/// from not being finished later.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server for S3: FACILIAUTO_TEST_S3_ENDPOINT, _BUCKET, _KEY, _SECRET"]
async fn a_server_that_dies_during_a_restore_leaves_the_old_state_or_the_restored_one() {
    let ways = [
        (Death::Unanswered, NEVER),
        (Death::HalfAnswered, EVERY_SECOND_TIME),
    ];
    let work = async |Case { name, place, through }: &Case| {
        let (state, _) = backed_up(&place.target).await;
        let restored = digests(state.as_ref()).await;
        change(state.as_ref()).await;
        let old = digests(state.as_ref()).await;
        let outcome = restore(&state, &request("r1", through)).await;
        let found = digests(state.as_ref()).await;
        let expected = if outcome.is_ok() { &restored } else { &old };
        assert_eq!(&found, expected, "{name}: {outcome:?}");
        store(state.as_ref(), &liked("writes go through", "rui", "a-0")).await;
        // By itself: of its own lock it need not wait for the end.
        let again = restore(&state, &request("r1", &place.target)).await;
        let again = again.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(again.phase, Stage::Succeeded, "{name}");
        if outcome.is_err() {
            assert_eq!(digests(state.as_ref()).await, restored, "{name}");
        }
        outcome.map(drop)
    };
    at_every_request("restore", &Objects::new(), &ways, 20, work, async |_| {}).await;
}

/// Prevents a server that is replaced during a backup from failing it, though its successor answers at once. Half an answer is
/// the one thing that cannot be asked for again everywhere.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server for S3: FACILIAUTO_TEST_S3_ENDPOINT, _BUCKET, _KEY, _SECRET"]
async fn a_server_that_is_replaced_during_a_backup_is_asked_again() {
    let state = empty();
    furnish(state.as_ref()).await;
    for death in [Death::Unheard, Death::HalfHeard, Death::Unanswered] {
        for after in 0..=MOST {
            let name = format!("replaced-{death:?}-{after}");
            let place = Place::with(&name, &Objects::new()).await;
            let fate = Fate {
                after,
                death,
                has_successor: true,
            };
            let line = Mortal::to(&server(), fate);
            let through = trying_for(Duration::from_secs(20), &line.address, &place.prefix);
            let through: Arc<dyn Target> = Arc::new(through);
            let report = write::run(state.as_ref(), &through, &wish(), &around()).await;
            let report = report.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                place.latest(&[], &name).await,
                Some(report.backup.to_string()),
                "{name}"
            );
            if !line.has_died() {
                assert!(after > 20, "{name}");
                break;
            }
        }
    }
}

/// Prevents a real server's idea of parts from showing up only with the first large shop.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server for S3: FACILIAUTO_TEST_S3_ENDPOINT, _BUCKET, _KEY, _SECRET"]
async fn a_real_server_takes_a_large_family_in_parts() {
    let state = empty();
    furnish_at_length(state.as_ref(), 50).await;
    let place = Place::with("parts", &Objects::new()).await;
    // The least that S3 takes.
    let target = trying_for(Duration::ZERO, &server(), &place.prefix).in_parts_of(5 << 20);
    let target: Arc<dyn Target> = Arc::new(target);
    let report = write::run(state.as_ref(), &target, &hurried(), &around())
        .await
        .unwrap();
    assert!(report.bytes > 10 << 20, "{}", report.bytes);
    let fresh = empty();
    restore(&fresh, &of_backup(&report, &target)).await.unwrap();
    assert_eq!(digests(fresh.as_ref()).await, digests(state.as_ref()).await);
}
