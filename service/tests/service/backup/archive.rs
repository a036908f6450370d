//! A backup comes back as it was made, or is refused by name.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use faciliauto_service::backup::{
    archive::Archive,
    encryption::Keys,
    error::BackupError,
    format::{families::Family, manifest::Manifest, name::BackupName},
    load::{Nowhere, load},
    progress::Progress,
    proof::{self, Noting},
    shelf::Shelf,
    target::Target,
    write::{self, Wish},
};
use sha2::{Digest, Sha256};

use super::{around, backed_up, directory, empty, request, restore, wish};
use crate::state_events::open;

async fn check(target: &Arc<dyn Target>, name: &BackupName) -> Result<(), BackupError> {
    let archive = Archive::open(Arc::clone(target), name, Keys::default()).await?;
    load(&archive, &mut Nowhere, &Progress::to_nobody()).await
}

async fn code(target: &Arc<dyn Target>, name: &BackupName) -> &'static str {
    check(target, name)
        .await
        .map_or_else(|error| error.code(), |()| "good")
}

pub(super) fn files_of(folder: &Path, name: &BackupName) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(name.as_str())).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.ends_with("proof.json"));
    files.sort();
    files
}

/// Writes a manifest anew that was changed on purpose.
pub(super) fn lie(folder: &Path, name: &BackupName, change: impl FnOnce(&mut Manifest)) {
    let path = folder.join(name.as_str()).join("manifest.json");
    let mut manifest = Manifest::read(&fs::read(&path).unwrap(), name).unwrap();
    change(&mut manifest);
    fs::write(&path, manifest.to_text().unwrap()).unwrap();
}

/// Prevents a backup from leaving something out, or from being called proven when nobody read it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_holds_every_family_and_is_proven() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (_, report) = backed_up(&target).await;
    assert_eq!((report.cars, report.dealerships, report.events), (7, 3, 4));
    assert!(report.verified_at.is_some() && !report.encrypted && report.bytes > 0);
    let shelf = Shelf::look(&target).await.unwrap();
    let manifest = shelf.latest().unwrap();
    let records: Vec<(Family, u64)> = Family::ALL
        .into_iter()
        .map(|family| (family, manifest.records(family)))
        .collect();
    assert_eq!(
        records,
        [
            (Family::Dealerships, 3),
            (Family::Tokens, 2),
            (Family::Sold, 2),
            (Family::Stock, 7),
            (Family::Feedback, 2),
            (Family::Interactions, 2),
            (Family::Ledger, 2),
            (Family::PersonSecret, 1),
            (Family::Declared, 1),
        ]
    );
    assert_eq!(files_of(folder.path(), &report.backup).len(), 10);
    assert_eq!(code(&target, &report.backup).await, "good");
}

/// Prevents an empty deployment from having no backup, and a closed store from having an empty one.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_has_a_backup_and_a_closed_one_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let state = empty();
    let closed = write::run(state.as_ref(), &target, &wish(), &around()).await;
    assert_eq!(closed.expect_err("refused").code(), "empty-store");
    assert!(Shelf::look(&target).await.unwrap().entries().is_empty());
    open(state.as_ref()).await;
    let report = write::run(state.as_ref(), &target, &wish(), &around())
        .await
        .unwrap();
    assert_eq!((report.cars, report.events), (0, 0));
    assert!(report.verified_at.is_some());
}

/// Prevents a change of a single bit, or a file that was cut off, from being restored as if it were the backup.
#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_a_backup_counts() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (_, report) = backed_up(&target).await;
    for path in files_of(folder.path(), &report.backup) {
        let whole = fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut changed = whole.clone();
            changed[index] ^= 1 << (index % 8);
            fs::write(&path, changed).unwrap();
            let found = code(&target, &report.backup).await;
            let expected = ["damaged", "foreign"];
            assert!(
                expected.contains(&found),
                "{} byte {index}: {found}",
                path.display()
            );
        }
        for length in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            let found = code(&target, &report.backup).await;
            let expected = ["damaged", "foreign"];
            assert!(
                expected.contains(&found),
                "{} cut at {length}: {found}",
                path.display()
            );
        }
        fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
        assert_eq!(code(&target, &report.backup).await, "damaged");
        fs::remove_file(&path).unwrap();
        let gone = if path.ends_with("manifest.json") {
            "not-found"
        } else {
            "damaged"
        };
        assert_eq!(code(&target, &report.backup).await, gone, "{}", path.display());
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(code(&target, &report.backup).await, "good");
}

/// Prevents a manifest that was made to fit a changed file, or that lies of a count, from being believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_lies_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (_, report) = backed_up(&target).await;
    let path = folder.path().join(report.backup.as_str()).join("manifest.json");
    let honest = fs::read(&path).unwrap();
    type Lie = fn(&mut Manifest);
    let changes: [(&str, Lie); 7] = [
        ("fewer records", |manifest| manifest.families[3].records -= 1),
        ("more records", |manifest| manifest.families[3].records += 1),
        ("fewer bytes", |manifest| manifest.families[4].bytes -= 1),
        ("more bytes", |manifest| manifest.families[4].bytes += 1),
        ("another digest", |manifest| {
            manifest.families[5].sha256 = "0".repeat(64)
        }),
        ("a shorter file", |manifest| manifest.families[6].file_bytes -= 1),
        ("another file", |manifest| {
            manifest.families[6].file_sha256 = manifest.families[5].file_sha256.clone();
        }),
    ];
    for (what, change) in changes {
        lie(folder.path(), &report.backup, change);
        let error = check(&target, &report.backup).await.expect_err(what);
        assert_eq!(
            (error.code(), error.exit_code()),
            ("damaged", 3),
            "{what}: {error}"
        );
        fs::write(&path, &honest).unwrap();
    }
}

/// Puts other lines in place of a family's, with a manifest that vouches for them.
pub(super) fn replace_family(folder: &Path, name: &BackupName, family: Family, lines: &str) {
    let packed = zstd::encode_all(lines.as_bytes(), 3).unwrap();
    let digest = |bytes: &[u8]| -> String {
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    lie(folder, name, |manifest| {
        let facts = manifest
            .families
            .iter_mut()
            .find(|facts| facts.family == family)
            .unwrap();
        facts.records = lines.lines().count() as u64;
        facts.bytes = lines.len() as u64;
        facts.sha256 = digest(lines.as_bytes());
        facts.file_bytes = packed.len() as u64;
        facts.file_sha256 = digest(&packed);
    });
    fs::write(folder.join(name.as_str()).join(family.file(false)), packed).unwrap();
}

pub(super) fn lines_of(folder: &Path, name: &BackupName, family: Family) -> String {
    let packed = fs::read(folder.join(name.as_str()).join(family.file(false))).unwrap();
    String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
}

/// Prevents records that stand twice, out of order, or of nobody from being restored, when every digest fits.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_do_not_go_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (_, report) = backed_up(&target).await;
    for family in Family::ALL
        .into_iter()
        .filter(|family| *family != Family::Declared)
    {
        let honest = lines_of(folder.path(), &report.backup, family);
        let mut lines: Vec<&str> = honest.lines().collect();
        lines.push(lines[lines.len() - 1]);
        replace_family(
            folder.path(),
            &report.backup,
            family,
            &format!("{}\n", lines.join("\n")),
        );
        let error = check(&target, &report.backup).await.expect_err("a record twice");
        assert_eq!(error.code(), "damaged", "{family:?}: {error}");
        lines.pop();
        if lines.len() > 1 && family != Family::Stock {
            lines.reverse();
            replace_family(
                folder.path(),
                &report.backup,
                family,
                &format!("{}\n", lines.join("\n")),
            );
            let error = check(&target, &report.backup).await.expect_err("out of order");
            assert_eq!(error.code(), "damaged", "{family:?}: {error}");
        }
        replace_family(folder.path(), &report.backup, family, "{\"who\":\"knows\"}\n");
        let error = check(&target, &report.backup).await.expect_err("no record");
        assert_eq!(error.code(), "damaged", "{family:?}: {error}");
        replace_family(folder.path(), &report.backup, family, &honest);
        assert_eq!(code(&target, &report.backup).await, "good", "{family:?}");
    }
    let stock = lines_of(folder.path(), &report.backup, Family::Stock);
    let orphans = stock.replace("\"dealership_id\":\"c\"", "\"dealership_id\":\"d\"");
    replace_family(folder.path(), &report.backup, Family::Stock, &orphans);
    let error = check(&target, &report.backup).await.expect_err("cars of nobody");
    assert!(
        error.to_string().contains("which is no dealership of it"),
        "{error}"
    );
    let twice = stock.replace("\"id\":\"c-0\"", "\"id\":\"a-0\"");
    replace_family(folder.path(), &report.backup, Family::Stock, &twice);
    let error = check(&target, &report.backup).await.expect_err("an id twice");
    assert!(error.to_string().contains("a-0 a second time"), "{error}");
}

/// Prevents stock of which no server could make a catalogue from counting as a good backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_which_no_catalogue_can_be_made_is_not_proven() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (_, report) = backed_up(&target).await;
    let stock = lines_of(folder.path(), &report.backup, Family::Stock);
    let dear = stock.replace("\"preco\":60000.0", "\"preco\":200000000.0");
    assert_ne!(dear, stock);
    replace_family(folder.path(), &report.backup, Family::Stock, &dear);
    let archive = Archive::open(Arc::clone(&target), &report.backup, Keys::default())
        .await
        .unwrap();
    let error = proof::prove_and_note(&archive, Noting::Wished, &around().clock, &Progress::to_nobody())
        .await
        .expect_err("no catalogue");
    assert_eq!(error.code(), "damaged", "{error}");
    let shelf = Shelf::look(&target).await.unwrap();
    assert!(shelf.latest().is_err(), "it does not count any more");
}

/// Prevents a small file that unpacks to gigabytes from taking all memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_unpacks_to_more_than_it_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (_, report) = backed_up(&target).await;
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(b' '), 64 << 20), 3).unwrap();
    assert!(bomb.len() < 64 << 10);
    fs::write(
        folder
            .path()
            .join(report.backup.as_str())
            .join(Family::Stock.file(false)),
        &bomb,
    )
    .unwrap();
    assert_eq!(code(&target, &report.backup).await, "damaged");
}

/// Prevents a backup of another name, or two under one, from taking each other's place.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_under_another_name_is_refused_and_no_name_is_used_twice() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (_, report) = backed_up(&target).await;
    let copy: BackupName = "20200101T000000Z-00000000".parse().unwrap();
    fs::create_dir(folder.path().join(copy.as_str())).unwrap();
    for path in files_of(folder.path(), &report.backup) {
        fs::copy(
            &path,
            folder.path().join(copy.as_str()).join(path.file_name().unwrap()),
        )
        .unwrap();
    }
    assert_eq!(code(&target, &copy).await, "damaged");
    let again = target.begin(&report.backup).await;
    assert!(again.is_err_and(|error| error.to_string().contains("there already")));
    let shelf = Shelf::look(&target).await.unwrap();
    assert_eq!(shelf.latest().unwrap().name, report.backup);
    assert_eq!(shelf.entries().len(), 2);
}

/// Prevents what an aborted run left from piling up, and from being taken for a backup.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_committed_is_no_backup_and_goes_with_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let name: BackupName = "20261126T020000Z-ab12cd34".parse().unwrap();
    let draft = target.begin(&name).await.unwrap();
    let mut upload = draft.create("stock.jsonl.zst").await.unwrap();
    upload.write("half".into()).await.unwrap();
    drop((upload, draft));
    assert!(Shelf::look(&target).await.unwrap().entries().is_empty());
    assert!(folder.path().join(format!(".draft-{name}")).exists());
    backed_up(&target).await;
    assert!(!folder.path().join(format!(".draft-{name}")).exists());
    assert_eq!(Shelf::look(&target).await.unwrap().entries().len(), 1);
}

/// Prevents small files that were never whole, of a run that was killed while it wrote one, from piling up beside those that
/// are.
#[tokio::test(flavor = "multi_thread")]
async fn small_files_that_were_never_whole_go_with_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, report) = backed_up(&target).await;
    restore(&state, &request("r1", &target)).await.unwrap();
    let places = ["", "restores/", &format!("{}/", report.backup)];
    let left = places.map(|place| folder.path().join(format!("{place}.new-0123456789abcdef")));
    let others = places.map(|place| folder.path().join(format!("{place}renewed-by-somebody")));
    for path in left.iter().chain(&others) {
        fs::write(path, "half").unwrap();
    }
    write::run(state.as_ref(), &target, &wish(), &around())
        .await
        .unwrap();
    for path in &left {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in &others {
        assert!(path.exists(), "{} is not ours", path.display());
    }
    assert_eq!(code(&target, &report.backup).await, "good");
}

/// Prevents backups from being removed by a run that proved nothing, and old ones from staying after one that did.
#[tokio::test(flavor = "multi_thread")]
async fn old_backups_go_only_after_a_proof() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, first) = backed_up(&target).await;
    lie(folder.path(), &first.backup, |manifest| {
        manifest.started_at = "2020-01-01T00:00:00Z".parse().unwrap();
    });
    let unproven = Wish {
        verify: false,
        keep_days: Some(1),
        ..wish()
    };
    let second = write::run(state.as_ref(), &target, &unproven, &around())
        .await
        .unwrap();
    assert_eq!(second.pruned.names, []);
    assert_eq!(Shelf::look(&target).await.unwrap().entries().len(), 2);
    let proven = Wish {
        keep_days: Some(1),
        ..wish()
    };
    let third = write::run(state.as_ref(), &target, &proven, &around())
        .await
        .unwrap();
    assert_eq!(third.pruned.names, [first.backup]);
    let left: Vec<BackupName> = Shelf::look(&target)
        .await
        .unwrap()
        .entries()
        .iter()
        .map(|entry| entry.name.clone())
        .collect();
    assert_eq!(left, [third.backup, second.backup]);
}
