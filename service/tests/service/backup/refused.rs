//! Every kind of bad backup, restored onto a store that serves: it is refused by name, and costs nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use faciliauto_service::{
    backup::{
        encryption::Keys,
        format::{families::Family, manifest::Manifest, name::BackupName},
        restore::Request,
        target::{Target, lock::Lock},
    },
    configuration::backup::Wanted,
    state::State,
};

use super::{
    archive::{files_of, lie, lines_of, replace_family},
    around, backed_up, backed_up_as, digests, directory,
    encrypted::{IDENTITY, OTHER_IDENTITY, keys, sealed},
    process::change,
    request, restore,
    restored::epoch,
};
use crate::state_events::{liked, store};

/// What is done to a target with one good backup, and which is asked for then.
type Spoil = fn(&Path, &BackupName) -> Wanted;

/// Code, exit code, and what the refusal names.
type Refusal = (&'static str, u8, &'static str);

const COPY: &str = "20200101T000000Z-00000000";

/// Writes over a file of the backup, or takes it away.
fn spoil(folder: &Path, name: &BackupName, file: &str, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
    let path = folder.join(name.as_str()).join(file);
    match change(fs::read(&path).unwrap()) {
        Some(content) => fs::write(&path, content).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }
}

fn half(mut content: Vec<u8>) -> Option<Vec<u8>> {
    content.truncate(content.len() / 2);
    Some(content)
}

/// Copies the files of a backup.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// A copy beside the backup, which lies under another name.
fn copy_beside(folder: &Path, name: &BackupName) -> BackupName {
    copy(&folder.join(name.as_str()), &folder.join(COPY));
    COPY.parse().unwrap()
}

/// Makes such a copy a backup of its own, made after the original by a clock that was set back.
fn make_later(folder: &Path, original: &BackupName, copy: &BackupName) {
    let place = |name: &BackupName| folder.join(name.as_str()).join("manifest.json");
    let original = Manifest::read(&fs::read(place(original)).unwrap(), original).unwrap();
    let later = Manifest {
        name: copy.clone(),
        sequence: original.sequence + 1,
        needs_proof: false,
        started_at: "2020-01-01T00:00:00Z".parse().unwrap(),
        ..original
    };
    fs::write(place(copy), later.to_text().unwrap()).unwrap();
}

fn named(name: &BackupName) -> Wanted {
    Wanted::Named(name.clone())
}

/// Whatever is at a target, but for what the lock leaves.
fn everything(folder: &Path) -> Vec<String> {
    let mut found: Vec<String> = below(folder)
        .into_iter()
        .map(|path| path.strip_prefix(folder).unwrap().display().to_string())
        .filter(|path| path != "lock" && path != ".guard")
        .collect();
    found.sort();
    found
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            let more = if path.is_dir() { below(&path) } else { vec![] };
            std::iter::once(path).chain(more)
        })
        .collect()
}

/// That a restore is refused in this way, and that afterwards everything is as before it.
async fn assert_refused(
    what: &str,
    state: &Arc<dyn State>,
    folder: &Path,
    request: &Request,
    (code, exit_code, named): Refusal,
) {
    let look = async || {
        let served = (epoch(state.as_ref()).await, digests(state.as_ref()).await);
        (served, state.kept().await.unwrap(), everything(folder))
    };
    let before = look().await;
    let refused = restore(state, request).await.expect_err(what);
    assert_eq!(
        (refused.code(), refused.exit_code()),
        (code, exit_code),
        "{what}: {refused}"
    );
    assert!(refused.to_string().contains(named), "{what}: {refused}");
    assert_eq!(look().await, before, "{what}");
    assert_eq!(
        state.sweep_generations().await.unwrap(),
        0,
        "{what}: a generation was left"
    );
    store(state.as_ref(), &liked(what, "rui", "a-0")).await;
    let (target, around) = (Arc::clone(&request.target), around());
    let lock = Lock::take(target, "the next", &around.clock, &around.progress).await;
    lock.expect("nobody holds the target").let_go().await;
}

/// Prevents anything that is no good backup of this program from being restored, from being refused without a word of why, and
/// from costing the live data, a moment without writes, or the id of the restore.
#[tokio::test(flavor = "multi_thread")]
async fn no_bad_backup_touches_a_store_that_serves() {
    let cases: [(&str, Refusal, Spoil); 16] = [
        (
            "a file cut off",
            ("damaged", 3, "stock.jsonl.zst has"),
            |folder, name| {
                spoil(folder, name, "stock.jsonl.zst", half);
                Wanted::Latest
            },
        ),
        (
            "a file that is gone",
            ("damaged", 3, "tokens.jsonl.zst is not there"),
            |folder, name| {
                spoil(folder, name, "tokens.jsonl.zst", |_| None);
                Wanted::Latest
            },
        ),
        (
            "a foreign file",
            ("damaged", 3, "feedback.jsonl.zst has 9 bytes"),
            |folder, name| {
                spoil(folder, name, "feedback.jsonl.zst", |_| {
                    Some(b"not ours\n".to_vec())
                });
                Wanted::Latest
            },
        ),
        (
            "a manifest cut off",
            ("damaged", 3, "manifest.json was changed or cut off"),
            |folder, name| {
                spoil(folder, name, "manifest.json", half);
                named(name)
            },
        ),
        (
            "a foreign manifest",
            ("foreign", 3, "its manifest.json is none of ours"),
            |folder, name| {
                spoil(folder, name, "manifest.json", |_| {
                    Some(b"{\"layers\": []}\n".to_vec())
                });
                named(name)
            },
        ),
        (
            "a manifest of gigabytes",
            ("foreign", 3, "longer than 1048576 bytes"),
            |folder, name| {
                spoil(folder, name, "manifest.json", |_| Some(vec![b' '; 2 << 20]));
                named(name)
            },
        ),
        (
            "a later format",
            ("newer-format", 3, "format 2, written by version 9.8.7"),
            |folder, name| {
                lie(folder, name, |manifest| {
                    (manifest.format, manifest.program) = (2, "9.8.7".to_owned());
                });
                named(name)
            },
        ),
        (
            "half an upload",
            ("not-found", 2, "there is no backup"),
            |folder, name| {
                spoil(folder, name, "manifest.json", |_| None);
                named(name)
            },
        ),
        (
            "half an upload as the latest",
            ("not-found", 2, "none of the 1 backups"),
            |folder, name| {
                spoil(folder, name, "manifest.json", |_| None);
                Wanted::Latest
            },
        ),
        (
            "a latest that nobody proved",
            ("not-found", 2, "none of the 1 backups"),
            |folder, name| {
                spoil(folder, name, "proof.json", |_| None);
                Wanted::Latest
            },
        ),
        (
            "a latest where there is nothing",
            ("not-found", 2, "there is no backup at"),
            |folder, name| {
                fs::remove_dir_all(folder.join(name.as_str())).unwrap();
                Wanted::Latest
            },
        ),
        (
            "a count that is too high",
            ("damaged", 3, "it has 7 records"),
            |folder, name| {
                lie(folder, name, |manifest| manifest.families[3].records += 1);
                named(name)
            },
        ),
        (
            "a count that is too low",
            ("damaged", 3, "more than the 6 records"),
            |folder, name| {
                lie(folder, name, |manifest| manifest.families[3].records -= 1);
                named(name)
            },
        ),
        (
            "a name twice",
            ("damaged", 3, "it was copied under another name"),
            |folder, name| named(&copy_beside(folder, name)),
        ),
        (
            "an id twice",
            ("damaged", 3, "a-0 a second time"),
            |folder, name| {
                let stock = lines_of(folder, name, Family::Stock);
                let twice = stock.replace("\"id\":\"c-0\"", "\"id\":\"a-0\"");
                replace_family(folder, name, Family::Stock, &twice);
                named(name)
            },
        ),
        // Made last, though its clock says first: it is the one that is meant, and no older one takes its place unasked.
        (
            "a clock set back",
            ("damaged", 3, "20200101T000000Z-00000000 is damaged"),
            |folder, name| {
                let later = copy_beside(folder, name);
                make_later(folder, name, &later);
                spoil(folder, &later, "ledger.jsonl.zst", half);
                Wanted::Latest
            },
        ),
    ];
    let made = tempfile::tempdir().unwrap();
    let (state, report) = backed_up(&directory(made.path())).await;
    change(state.as_ref()).await;
    for (what, refusal, spoil) in cases {
        let folder = tempfile::tempdir().unwrap();
        let target = directory(folder.path());
        let name = report.backup.as_str();
        copy(&made.path().join(name), &folder.path().join(name));
        let asked = Request {
            name: spoil(folder.path(), &report.backup),
            ..request("r1", &target)
        };
        assert_refused(what, &state, folder.path(), &asked, refusal).await;
    }
    // What was refused left the good one good, and the same id restores it.
    let target = directory(made.path());
    let done = restore(&state, &request("r1", &target)).await.unwrap();
    assert_eq!(done.from, Some(report.backup));
}

/// Prevents a backup to which somebody has the wrong key from costing anything either.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, _) = backed_up_as(&target, &sealed()).await;
    change(state.as_ref()).await;
    let with = |keys| Request {
        keys,
        ..request("r1", &target)
    };
    let none = with(Keys::default());
    let refusal = (
        "wrong-key",
        3,
        "give the file with its identity by --identity-file",
    );
    assert_refused("no key", &state, folder.path(), &none, refusal).await;
    let other = with(keys(OTHER_IDENTITY));
    let refusal = ("wrong-key", 3, "no identity in --identity-file fits");
    assert_refused("another key", &state, folder.path(), &other, refusal).await;
    restore(&state, &with(keys(IDENTITY))).await.unwrap();
}

/// Prevents a bit that flipped from reaching a store that serves. Every byte is tried where an archive is only read.
#[tokio::test(flavor = "multi_thread")]
async fn no_bit_that_flipped_reaches_a_store_that_serves() {
    let folder = tempfile::tempdir().unwrap();
    let target: Arc<dyn Target> = directory(folder.path());
    let (state, report) = backed_up(&target).await;
    change(state.as_ref()).await;
    let before = (epoch(state.as_ref()).await, digests(state.as_ref()).await);
    let asked = Request {
        name: named(&report.backup),
        ..request("r1", &target)
    };
    let left = everything(folder.path());
    for path in files_of(folder.path(), &report.backup) {
        let whole = fs::read(&path).unwrap();
        for index in (0..whole.len()).step_by(97) {
            let mut changed = whole.clone();
            changed[index] ^= 1 << (index % 8);
            fs::write(&path, changed).unwrap();
            let place = format!("{} byte {index}", path.display());
            let refused = restore(&state, &asked).await.expect_err(&place);
            assert!(
                matches!(refused.code(), "damaged" | "foreign"),
                "{place}: {refused}"
            );
            assert_eq!(refused.exit_code(), 3, "{place}: {refused}");
            assert_eq!(epoch(state.as_ref()).await, before.0, "{place}");
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(
        (epoch(state.as_ref()).await, digests(state.as_ref()).await),
        before
    );
    assert_eq!(everything(folder.path()), left);
    store(state.as_ref(), &liked("at once", "rui", "a-0")).await;
    restore(&state, &asked).await.unwrap();
}
