//! Documents lead somewhere: each file that they link to or name as the home of a concept exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use faciliauto_operator::reconcile::conditions::glossary::CONDITIONS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every document of the repository that a person may start from.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "docs/adr", "docs/runbooks"];
    let files = folders
        .into_iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).expect("the folder"));
    files
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// What a line links to within the repository, code left out.
fn links(line: &str) -> Vec<String> {
    let text = line.split('`').step_by(2).collect::<Vec<_>>().concat();
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    targets
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}

/// Prevents: a document that sends its reader to a file that was moved.
#[test]
fn links_lead_to_files() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for target in text.lines().flat_map(links) {
            seen += 1;
            if !document.with_file_name(&target).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(
        seen > 30,
        "{seen} links found: are they still written as [text](target)?"
    );
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Prevents: a map of concepts that shows where things used to be.
#[test]
fn concepts_are_where_the_architecture_says() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("the document");
    let (mut folder, mut seen, mut missing) = (None, 0, Vec::new());
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("| file under `") {
            folder = rest.split_once('`').map(|(folder, _)| folder);
        } else if !line.starts_with('|') {
            folder = None;
        } else if let (Some(folder), Some(files)) = (folder, line.split('|').nth(2)) {
            for file in files.split('`').skip(1).step_by(2) {
                seen += 1;
                if !root().join(folder).join(file).exists() {
                    missing.push(format!("{folder}/{file}"));
                }
            }
        }
    }
    assert!(
        seen > 25,
        "{seen} files found: are the tables still written as before?"
    );
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The words in bold of the runbooks' points: what they say what to do about.
fn words_in_bold(runbooks: &[&str]) -> BTreeSet<String> {
    let texts = runbooks.iter().map(|name| {
        let path = root().join(format!("docs/runbooks/{name}.md"));
        fs::read_to_string(path).expect("the runbook")
    });
    let is_part = |c: char| !c.is_ascii_alphanumeric();
    texts
        .flat_map(|text| {
            let bold = text.split("**").skip(1).step_by(2).map(str::to_owned);
            bold.collect::<Vec<_>>()
        })
        .flat_map(|bold| bold.split(is_part).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Prevents: somebody who is woken, reads a reason in a status, and finds it in no runbook.
#[test]
fn reasons_to_act_stand_in_runbooks() {
    let backups = ["BackupMissed", "BackupUnverified"];
    // Of BackupReady only: `Restored` has what a restore's program gives for a reason.
    let not_of_restores = [
        "Missed",
        "NotVerified",
        "Suspended",
        "BackupFailed",
        "ReportUnreadable",
        "StoreEmpty",
    ];
    // All is well or as declared, or it is about to be.
    let no_trouble: &[&str] = &[
        "Succeeded",
        "Unproven",
        "NeverRan",
        "Disabled",
        "RestoreSucceeded",
        "RestoreReverted",
        "Ready",
        "NotProbed",
        "MinimumReplicasReady",
        "IngressApplied",
        "HttpRouteAccepted",
        "NotPermitted",
        "NoAnswer",
    ];
    // Stands in the glossary of BackupReady for the sake of `Restored`.
    let only_of_restores = [
        "StoreFull",
        "BackupNotFound",
        "BackupForeign",
        "BackupTooNew",
        "WrongKey",
    ];
    for (kind, runbooks, others) in [
        ("Available", &["ApiDown"][..], &[][..]),
        ("RedisReady", &["RedisDown"], &[]),
        ("Exposed", &["ApiDown"], &[]),
        ("BackupReady", &backups, &only_of_restores),
        ("BackupReady", &["RestoreFailed"], &not_of_restores),
        ("Restored", &["RestoreFailed"], &[]),
    ] {
        let known = words_in_bold(runbooks);
        let condition = CONDITIONS.iter().find(|condition| condition.kind == kind);
        let reasons = condition
            .expect("the condition")
            .reasons
            .iter()
            .map(|(reason, _)| *reason);
        let missing: Vec<_> = reasons
            .filter(|reason| !no_trouble.contains(reason) && !others.contains(reason))
            .filter(|reason| !known.contains(*reason))
            .collect();
        assert_eq!(missing, Vec::<&str>::new(), "{kind} in {runbooks:?}");
    }
    let waits = words_in_bold(&backups);
    assert!(
        waits.contains("WaitingForBackup"),
        "an image that waits for a backup"
    );
}
