//! The command as a Job or a person meets it: codes, reports, tables.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::{backed_up, directory};
use crate::harness::process;

fn run(arguments: &[&str]) -> Output {
    process::run(&[&["backup"], arguments].concat())
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Prevents a Job from trying again what can never work, and a person from not being told what to change.
#[test]
fn wrong_usage_ends_with_two_and_says_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let target = text(folder.path());
    let cases: [(&[&str], &str); 11] = [
        (&["list"], "--target"),
        (&["run", "--target", target], "--redis-url"),
        (&["list", "--target", "ftp://host/path"], "s3://BUCKET/PREFIX"),
        (&["list", "--target", "s3://"], "must name a bucket"),
        (&["prune", "--target", target], "--keep-days"),
        (&["prune", "--target", target, "--keep-days", "0"], "--keep-days"),
        (
            &["verify", "yesterday", "--target", target],
            "20261126T020000Z-ab12cd34",
        ),
        (
            &["verify", "latest", "--target", target],
            "make one by `backup run`",
        ),
        (&["restore", "latest", "--target", target], "--id"),
        (
            &[
                "restore",
                "latest",
                "--id",
                "../up",
                "--target",
                target,
                "--redis-url",
                "redis://127.0.0.1:1",
            ],
            "--id",
        ),
        (
            &[
                "restore",
                "latest",
                "--id",
                "r1",
                "--phase",
                "load",
                "--target",
                target,
                "--redis-url",
                "redis://127.0.0.1:1",
            ],
            "--work-dir",
        ),
    ];
    for (arguments, expected) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", error(&output));
        assert!(
            error(&output).contains(expected),
            "{arguments:?}: {}",
            error(&output)
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Prevents a variable of the Job from being ignored, or from reaching a command that does not know it.
#[test]
fn flags_come_from_variables_too() {
    let folder = tempfile::tempdir().unwrap();
    let listed = process::command(&["backup", "list"])
        .env("FACILIAUTO_BACKUP_TARGET", folder.path())
        .env("FACILIAUTO_BACKUP_ENCRYPT_TO", "age1a,age1b")
        .env("FACILIAUTO_BACKUP_S3_PATH_STYLE", "true")
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", error(&listed));
    let wrong = process::command(&["backup", "list"])
        .env("FACILIAUTO_BACKUP_TARGET", "s3://")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let flag_wins = process::command(&["backup", "list", "--target", text(folder.path())])
        .env("FACILIAUTO_BACKUP_TARGET", "s3://")
        .output()
        .unwrap();
    assert!(flag_wins.status.success(), "{}", error(&flag_wins));
    let another = process::command(&["schema", "stock-row"])
        .env("FACILIAUTO_BACKUP_TARGET", "s3://")
        .output()
        .unwrap();
    assert!(another.status.success(), "{}", error(&another));
}

/// Prevents a person or a program from having to open files to know which backups are good.
#[tokio::test(flavor = "multi_thread")]
async fn backups_are_shown_verified_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let place = text(folder.path());
    let empty = run(&["list", "--target", place]);
    assert!(
        String::from_utf8_lossy(&empty.stdout).contains("backup run"),
        "{empty:?}"
    );
    let target = directory(folder.path());
    let (_, first) = backed_up(&target).await;
    let (_, second) = backed_up(&target).await;
    let list = run(&["list", "--target", place]);
    let table = String::from_utf8(list.stdout).unwrap();
    let names: Vec<&str> = table.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["NAME", second.backup.as_str(), first.backup.as_str()]);

    let report = folder.path().join("report.json");
    let verified = run(&[
        "verify",
        "latest",
        "--target",
        place,
        "--report-file",
        text(&report),
    ]);
    assert!(verified.status.success(), "{}", error(&verified));
    let told: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(
        (&told["backup"], &told["cars"]),
        (&second.backup.as_str().into(), &7.into())
    );

    let stock = folder.path().join(second.backup.as_str()).join("stock.jsonl.zst");
    let mut content = fs::read(&stock).unwrap();
    content[20] ^= 1;
    fs::write(&stock, content).unwrap();
    let refused = run(&[
        "verify",
        second.backup.as_str(),
        "--target",
        place,
        "--report-file",
        text(&report),
    ]);
    assert_eq!(refused.status.code(), Some(3), "{}", error(&refused));
    let told: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(told["code"], "damaged");
    assert!(
        told["error"].as_str().unwrap().contains("stock.jsonl.zst"),
        "{told}"
    );
    let latest = run(&["verify", "latest", "--target", place]);
    let told: Value = serde_json::from_slice(&latest.stdout).unwrap();
    assert_eq!(
        told["backup"],
        first.backup.as_str(),
        "what failed does not count"
    );

    let json = run(&["list", "--target", place, "--output", "json"]);
    let rows: Vec<Value> = String::from_utf8(json.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&rows[0]["good"], &rows[1]["good"]),
        (&false.into(), &true.into())
    );
    let pruned = run(&["prune", "--target", place, "--keep-days", "1"]);
    assert!(pruned.status.success(), "{}", error(&pruned));
    let told: Value = serde_json::from_slice(&pruned.stdout).unwrap();
    assert_eq!(told, serde_json::json!({"pruned": [], "pruned_in_all": 0}));
}

/// Prevents a log from having what only a terminal understands, and a person from having to read JSON.
#[tokio::test(flavor = "multi_thread")]
async fn progress_is_json_but_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    backed_up(&directory(folder.path())).await;
    let arguments = ["verify", "latest", "--target", text(folder.path())];
    let verified = run(&arguments);
    let steps: Vec<Value> = error(&verified)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let stock = steps
        .iter()
        .find(|step| step["step"] == "stock" && step["state"] == "done");
    let stock = stock.expect("the stock was read");
    assert_eq!((&stock["records"], &stock["of"]), (&7.into(), &7.into()));

    // On a terminal, which `script` makes.
    let program = env!("CARGO_BIN_EXE_faciliauto-service");
    let typed = format!("{program} backup {}", arguments.join(" "));
    let shown = Command::new("script")
        .args(["--quiet", "--return", "--command", &typed, "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .expect("script runs");
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("\r\x1b[Kstock: 7 of 7 records, "), "{shown:?}");
    assert!(!shown.contains("\"step\""), "{shown:?}");
}
