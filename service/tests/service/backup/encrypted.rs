//! Backups that only the holder of a key reads.

use std::{fs, sync::Arc};

use faciliauto_service::backup::{
    archive::Archive,
    encryption::{Keys, Seal},
    error::BackupError,
    load::{Nowhere, load},
    progress::Progress,
    write::Wish,
};

use super::{backed_up_as, digests, directory, empty, request, restore, wish};

/// A pair as age-keygen makes it.
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
pub(crate) const IDENTITY: &str =
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
/// Of somebody else.
pub(crate) const OTHER_IDENTITY: &str =
    "AGE-SECRET-KEY-1N9JEPW6DWJ0ZQUDX63F5A03GX8QUW7PXDE39N8UYF82VZ9PC8UFS3M7XA9";

pub(super) fn keys(identity: &str) -> Keys {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.txt");
    fs::write(&path, format!("# public key: whatever\n{identity}\n")).unwrap();
    Keys::read(&path).unwrap()
}

async fn refused(
    folder: &std::path::Path,
    keys: Keys,
    name: &faciliauto_service::backup::format::name::BackupName,
) -> BackupError {
    let target = directory(folder);
    match Archive::open(target, name, keys).await {
        Err(error) => error,
        Ok(archive) => load(&archive, &mut Nowhere, &Progress::to_nobody())
            .await
            .expect_err("refused"),
    }
}

/// To whoever has the identity, and nobody else.
pub(crate) fn sealed() -> Wish {
    Wish {
        seal: Seal::to(&[RECIPIENT.to_owned()]).unwrap(),
        ..wish()
    }
}

/// Prevents a backup from being read without its key, from not being read with it, and from counting as proven though
/// nobody who makes it could read it back.
#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_backup_is_proven_and_restored_with_its_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (state, report) = backed_up_as(&target, &sealed()).await;
    assert!(report.encrypted && report.verified_at.is_some());
    for entry in fs::read_dir(folder.path().join(report.backup.as_str())).unwrap() {
        let path = entry.unwrap().path();
        let content = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains("Loja a") && !text.contains("FaciliAutoDeployment"));
        if path.extension().is_some_and(|extension| extension == "age") {
            assert!(text.starts_with("age-encryption.org/v1\n"), "{}", path.display());
        }
    }
    let none = refused(folder.path(), Keys::default(), &report.backup).await;
    assert_eq!((none.code(), none.exit_code()), ("wrong-key", 3));
    assert!(
        none.to_string().contains(RECIPIENT) && none.to_string().contains("--identity-file"),
        "{none}"
    );
    let other = keys(OTHER_IDENTITY);
    assert_eq!(
        refused(folder.path(), other.clone(), &report.backup).await.code(),
        "wrong-key"
    );

    let before = digests(state.as_ref()).await;
    let fresh = empty();
    let with_key = faciliauto_service::backup::restore::Request {
        keys: keys(IDENTITY),
        ..request("r1", &target)
    };
    restore(&fresh, &with_key).await.unwrap();
    assert_eq!(digests(fresh.as_ref()).await, before);

    // A file that was changed is damaged, and not a matter of keys.
    let stock = folder
        .path()
        .join(report.backup.as_str())
        .join("stock.jsonl.zst.age");
    let whole = fs::read(&stock).unwrap();
    for index in (0..whole.len()).step_by(5) {
        let mut changed = whole.clone();
        changed[index] ^= 4;
        fs::write(&stock, changed).unwrap();
        for keys in [keys(IDENTITY), other.clone()] {
            let found = refused(folder.path(), keys, &report.backup).await.code();
            assert!(matches!(found, "damaged" | "wrong-key"), "byte {index}: {found}");
        }
        assert_eq!(
            refused(folder.path(), keys(IDENTITY), &report.backup)
                .await
                .code(),
            "damaged"
        );
    }
}

/// Prevents a typing error in a recipient from making a backup that nobody can read, and a secret from being printed.
#[test]
fn what_is_no_key_is_refused_without_being_shown() {
    for wrong in ["", "age1", "ana@example.com", IDENTITY, &RECIPIENT[..60]] {
        let error = Seal::to(&[wrong.to_owned()]).map(|_| ()).expect_err("refused");
        assert!(
            error.contains("age1") && !error.contains("GFPYYSJZGFPYYSJZ"),
            "{error}"
        );
    }
    assert!(Seal::to(&[]).unwrap().is_none());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.txt");
    for wrong in ["", "# nothing\n", RECIPIENT, "AGE-SECRET-KEY-1QQQQQQSECRET"] {
        fs::write(&path, wrong).unwrap();
        let error = Keys::read(&path).map(|_| ()).expect_err("refused");
        assert!(
            error.contains("AGE-SECRET-KEY-1") && !error.contains("QQQQQQSECRET"),
            "{error}"
        );
    }
    let _ = Arc::new(());
}
