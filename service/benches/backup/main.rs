//! `make bench-backup`: what the commands for backups take with a million cars and a million events: time, and memory at
//! its most, which is bounded.
//!
//! A Redis that syncs once a second, a target in a directory, all on this machine; each command is the real program, in a
//! process of its own. Lines on standard output read `BENCH backup.<name> <value> <unit>`; what goes on is said on
//! standard error. Ends with an error when a command takes more memory than it may. FACILIAUTO_BENCH_QUICK=1 takes a
//! twentieth of everything.

// Printing is what a benchmark is for, and a broken set-up may end it.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod command;
mod fill;
#[path = "../shared/memory.rs"]
mod memory;
#[path = "../shared/redis_server.rs"]
mod redis_server;

use std::{fs, path::Path, process::ExitCode};

use faciliauto_service::{
    backup::format::{
        manifest::{self, Manifest},
        name::BackupName,
    },
    state::redis::{Patience, RedisState},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use command::{Step, Taken, backup};
use fill::CARS_OF_A_DEALER;
use redis_server::{free_port, redis};

const DEALERS: usize = 200;
const EVENTS: usize = 1_000_000;

/// What everything but a proof may take, however much is backed up.
const MOST_MEBIBYTES: f64 = 256.0;

/// What a car takes in the catalogue that a proof builds, as `make bench-engine` measures it.
const BYTES_OF_A_CAR: f64 = 556.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let part = if std::env::var_os("FACILIAUTO_BENCH_QUICK").is_some() {
        20
    } else {
        1
    };
    let (dealers, events) = (DEALERS / part, EVENTS / part);
    let cars = dealers * CARS_OF_A_DEALER;
    let with_catalogue = MOST_MEBIBYTES + cars as f64 * BYTES_OF_A_CAR / f64::from(1 << 20);

    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = redis(port, folder.path());
    let url = format!("redis://127.0.0.1:{port}");
    let client = ::redis::Client::open(url.as_str()).unwrap();
    let state = RedisState::new(
        client.get_connection_info().clone(),
        "faciliauto",
        Patience::IMPORTING,
    )
    .unwrap();
    fill::fill(&state, dealers, events).await;
    drop(state);
    let resident = memory::mebibytes(server.0.id(), "VmRSS:").unwrap();
    eprintln!("Redis has {resident:.0} MiB");

    let place = folder.path().join("backups");
    let target = place.to_str().unwrap();
    let mut all_within = true;
    let mut measure = |name: &str, most: f64, arguments: &[&str]| -> Taken {
        let taken = backup(&url, target, arguments);
        let Taken {
            seconds,
            peak_mebibytes,
            report,
            steps,
        } = &taken;
        println!("BENCH backup.{name}.seconds {seconds:.1} s");
        println!("BENCH backup.{name}.peak_mib {peak_mebibytes:.1} MiB");
        let within = *peak_mebibytes <= most;
        all_within &= within;
        let judged = if within { "met" } else { "not met" };
        eprintln!("{name}: {seconds:.1} s, {peak_mebibytes:.1} MiB of {most:.0} ({judged}), {report}");
        for Step { name, seconds } in steps {
            eprintln!("  {name} {seconds:.1} s");
        }
        taken
    };

    let run = measure("run", MOST_MEBIBYTES, &["run", "--no-verify"]);
    let counts = |report: &Value| (report["cars"].clone(), report["events"].clone());
    let all = (json!(cars), json!(events));
    assert_eq!(counts(&run.report), all);
    println!("BENCH backup.run.bytes {} bytes", run.report["bytes"]);
    let name = run.report["backup"].as_str().unwrap().to_owned();
    let proven = measure("run_proven", with_catalogue, &["run"]);
    assert!(proven.report["verified_at"].is_string());
    let verified = measure("verify", with_catalogue, &["verify", &name]);
    assert_eq!(counts(&verified.report), all);
    let restored = measure(
        "restore",
        MOST_MEBIBYTES,
        &["restore", &name, "--id", "benchmark-2"],
    );
    assert_eq!(counts(&restored.report), all);
    let old = make_old_copy(&place, &name.parse().unwrap());
    let pruned = measure("prune", MOST_MEBIBYTES, &["prune", "--keep-days", "7"]);
    assert_eq!(pruned.report["pruned"], json!([old.as_str()]));

    // The safety backup of a restore reads the same store by the same code, and does not rest.
    let (gentle, hurried) = (reading(&run.steps[..2]), reading(&restored.steps[3..5]));
    println!("BENCH backup.run.reading_hurried {hurried:.1} s");
    println!(
        "BENCH backup.run.pace_share {:.2} x",
        (gentle - hurried) / run.seconds
    );
    if all_within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// How long a store was read: its stock, then its events.
fn reading(steps: &[Step]) -> f64 {
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["stock", "events"]);
    steps.iter().map(|step| step.seconds).sum()
}

/// A copy of a backup that says it was made a month ago.
fn make_old_copy(place: &Path, name: &BackupName) -> BackupName {
    let from = place.join(name.as_str());
    let manifest = Manifest::read(&fs::read(from.join(manifest::FILE)).unwrap(), name).unwrap();
    let started_at = Timestamp::now() - SignedDuration::from_hours(30 * 24);
    let old = Manifest {
        name: BackupName::new(started_at),
        started_at,
        finished_at: started_at,
        ..manifest
    };
    let to = place.join(old.name.as_str());
    fs::create_dir(&to).unwrap();
    for file in old.families.iter().map(|facts| &facts.file) {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    fs::write(to.join(manifest::FILE), old.to_text().unwrap()).unwrap();
    old.name
}
