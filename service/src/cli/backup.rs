//! Makes, shows, proves and restores backups. Progress goes to the standard error, the outcome to the standard output
//! and to the report file.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::report;
use crate::{
    backup::{
        archive::Archive,
        encryption::{Keys, Seal},
        error::BackupError,
        format::{families::Family, manifest::Kind},
        progress::Progress,
        proof::{self, Noting},
        restore::{self, Request, undo},
        shelf::{Entry, Shelf},
        target,
        write::{self, Pruned, Surroundings, Wish},
    },
    clock::Clock,
    configuration::{
        Settings,
        backup::{BackupCommand, ListOutput, Phase, RestoreSettings, Wanted},
    },
    signals,
    state::{
        State, StateError,
        generations::Generations,
        redis::{Patience, RedisState},
    },
};

/// How long to wait for a store that is just starting.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A declaration is a resource of Kubernetes, which is no larger.
const LONGEST_DECLARED: u64 = 2 << 20;

/// Does as the settings say; the code tells a Job whether to try again.
#[must_use]
pub async fn run(settings: &Settings, command: &BackupCommand) -> ExitCode {
    let outcome = from_settings(settings, command).await;
    let line = match &outcome {
        Ok(Outcome::Report(report)) => Some(report.clone()),
        Ok(Outcome::Lines(_)) => None,
        Err(error) => {
            let text = error.to_string();
            Some(json!({"error": report::beginning(&text), "code": error.code(), "phase": phase_of(command)}))
        }
    };
    if let Some(line) = &line
        && let Err(error) = report::write(settings.report_file.as_deref(), &line.to_string())
    {
        eprintln!("faciliauto-service: {error:#}");
    }
    match outcome {
        Ok(outcome) => {
            let text = match outcome {
                Outcome::Report(report) => format!("{report}\n"),
                Outcome::Lines(lines) => lines,
            };
            // Whoever closed the other end has seen enough.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("faciliauto-service: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

enum Outcome {
    Report(Value),
    Lines(String),
}

fn report_of(report: &impl Serialize) -> Result<Outcome, BackupError> {
    serde_json::to_value(report)
        .map(Outcome::Report)
        .map_err(|error| BackupError::Other(error.to_string()))
}

fn phase_of(command: &BackupCommand) -> Option<&'static str> {
    let BackupCommand::Restore(restore) = command else {
        return None;
    };
    let (phase, _) = restore.phase.as_ref()?;
    Some(match phase {
        Phase::Verify => "Verifying",
        Phase::Snapshot => "Snapshotting",
        Phase::Load => "Loading",
    })
}

async fn from_settings(settings: &Settings, command: &BackupCommand) -> Result<Outcome, BackupError> {
    let around = Surroundings {
        clock: Clock::system(),
        progress: Arc::new(Progress::on_standard_error()),
        stop: CancellationToken::new(),
    };
    let signal = signals::stop()
        .map_err(|error| BackupError::Other(format!("failed to wait for signals: {error}")))?;
    let stop = around.stop.clone();
    let waiting = tokio::spawn(async move {
        signal.await;
        stop.cancel();
    });
    let outcome = dispatch(settings, command, &around).await;
    waiting.abort();
    around.progress.end();
    outcome
}

async fn dispatch(
    settings: &Settings,
    command: &BackupCommand,
    around: &Surroundings,
) -> Result<Outcome, BackupError> {
    match command {
        BackupCommand::Run {
            target,
            keep_days,
            verify,
            encrypt_to,
            declared,
            kind,
        } => {
            let target = target::open(target)?;
            let wish = Wish {
                kind: *kind,
                verify: *verify,
                keep_days: *keep_days,
                seal: Seal::to(encrypt_to).map_err(BackupError::Usage)?,
                declared: declared.as_deref().map(read_declared).transpose()?,
                key_prefix: key_prefix(settings),
            };
            let state = store(settings, around).await?;
            report_of(&write::run(state.as_ref(), &target, &wish, around).await?)
        }
        BackupCommand::List { target, output } => {
            let shelf = Shelf::look(&target::open(target)?).await?;
            Ok(Outcome::Lines(match output {
                ListOutput::Table => table(shelf.entries()),
                ListOutput::Json => {
                    let lines = shelf.entries().iter().map(|entry| format!("{}\n", row(entry)));
                    lines.collect()
                }
            }))
        }
        BackupCommand::Verify {
            target,
            name,
            identity_file,
        } => {
            let target = target::open(target)?;
            let name = match name {
                Wanted::Named(name) => name.clone(),
                Wanted::Latest => Shelf::look(&target).await?.latest()?.name.clone(),
            };
            let archive = Archive::open(target, &name, keys(identity_file.as_deref())?).await?;
            let proving = proof::prove_and_note(&archive, Noting::Wished, &around.clock, &around.progress);
            let at = around.unless_stopped(proving).await?;
            let manifest = archive.manifest();
            Ok(Outcome::Report(json!({"backup": name, "verified_at": at,
                "cars": manifest.records(Family::Stock),
                "dealerships": manifest.records(Family::Dealerships),
                "events": manifest.events(), "encrypted": manifest.is_encrypted()})))
        }
        BackupCommand::Prune { target, keep_days } => {
            let pruned = write::prune(&target::open(target)?, *keep_days, around).await?;
            report_of(&Pruned::of(pruned))
        }
        BackupCommand::Restore(wanted) => {
            let request = request(settings, wanted)?;
            let state = store(settings, around).await?;
            report_of(&restore::restore(state, &request, around).await?)
        }
        BackupCommand::Undo { id } => {
            let state = store(settings, around).await?;
            report_of(&undo::undo(state, id, around).await?)
        }
    }
}

fn request(settings: &Settings, wanted: &RestoreSettings) -> Result<Request, BackupError> {
    let RestoreSettings {
        name,
        id,
        target,
        source,
        identity_file,
        encrypt_to,
        phase,
    } = wanted;
    let target = target::open(target)?;
    Ok(Request {
        id: id.clone(),
        name: name.clone(),
        source: match source {
            Some(source) => target::open(source)?,
            None => Arc::clone(&target),
        },
        target,
        keys: keys(identity_file.as_deref())?,
        seal: Seal::to(encrypt_to).map_err(BackupError::Usage)?,
        key_prefix: key_prefix(settings),
        phase: phase.clone(),
    })
}

fn keys(identity_file: Option<&Path>) -> Result<Keys, BackupError> {
    identity_file.map_or_else(
        || Ok(Keys::default()),
        |path| Keys::read(path).map_err(BackupError::Usage),
    )
}

fn key_prefix(settings: &Settings) -> String {
    settings
        .redis
        .as_ref()
        .map(|connection| connection.key_prefix.clone())
        .unwrap_or_default()
}

fn read_declared(path: &Path) -> Result<String, BackupError> {
    let place = path.display();
    let length = fs::metadata(path).map(|about| about.len());
    if length.is_ok_and(|length| length > LONGEST_DECLARED) {
        return Err(BackupError::Usage(format!(
            "{place} is larger than {LONGEST_DECLARED} bytes: it is no declared resource"
        )));
    }
    fs::read_to_string(path).map_err(|error| BackupError::Usage(format!("failed to read {place}: {error}")))
}

/// A store that starts at the same time is worth waiting for; one that refuses is not.
async fn store(settings: &Settings, around: &Surroundings) -> Result<Arc<dyn State>, BackupError> {
    let connection = settings
        .redis
        .as_ref()
        .ok_or_else(|| BackupError::Usage("there is no store: give --redis-url".to_owned()))?;
    let made = connection
        .resolve()
        .context("failed to read where the store is")
        .map_err(|error| BackupError::Usage(format!("{error:#}")))?;
    let state = RedisState::new(made, &connection.key_prefix, Patience::IMPORTING)?;
    let begun = Instant::now();
    loop {
        match state.generation().await {
            Err(StateError::Reach(reason)) if begun.elapsed() < LONGEST_WAIT => {
                around.progress.warn(&format!("waiting for the store: {reason}"));
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    () = around.stop.cancelled() => return Err(BackupError::Other("stopped by a signal".to_owned())),
                }
            }
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(Arc::new(state)),
        }
    }
}

/// One backup for programs.
fn row(entry: &Entry) -> Value {
    let proven = entry.proof.as_ref();
    let verified_at = proven
        .filter(|proof| proof.failure.is_none())
        .map(|proof| proof.at);
    let failure = proven.and_then(|proof| proof.failure.as_deref());
    match &entry.manifest {
        Ok(manifest) => json!({
            "backup": entry.name, "good": entry.is_good(), "kind": manifest.kind, "sequence": manifest.sequence,
            "started_at": manifest.started_at, "finished_at": manifest.finished_at, "verified_at": verified_at,
            "cars": manifest.records(Family::Stock), "dealerships": manifest.records(Family::Dealerships),
            "events": manifest.events(), "bytes": manifest.file_bytes(), "encrypted": manifest.is_encrypted(),
            "program": manifest.program, "error": failure,
        }),
        Err(error) => {
            json!({"backup": entry.name, "good": false, "error": error.to_string(), "code": error.code()})
        }
    }
}

/// Backups for people: one a line, newest first.
fn table(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "there is no backup yet: make one by `backup run`\n".to_owned();
    }
    let mut rows = vec![
        ["NAME", "KIND", "PROVEN", "CARS", "EVENTS", "SIZE", "ENCRYPTED"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for entry in entries {
        let Ok(manifest) = &entry.manifest else {
            rows.push(vec![entry.name.to_string(), "refused".to_owned()]);
            continue;
        };
        let proven = match &entry.proof {
            Some(proof) if proof.failure.is_none() => proof.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Some(_) => "failed".to_owned(),
            None if manifest.kind == Kind::Safety => "read back".to_owned(),
            None if manifest.needs_proof => "never".to_owned(),
            None => "not wanted".to_owned(),
        };
        rows.push(vec![
            entry.name.to_string(),
            manifest.kind.word().to_owned(),
            proven,
            manifest.records(Family::Stock).to_string(),
            manifest.events().to_string(),
            format!("{:.1} MiB", manifest.file_bytes() as f64 / f64::from(1 << 20)),
            if manifest.is_encrypted() { "yes" } else { "no" }.to_owned(),
        ]);
    }
    let widths: Vec<usize> = (0..7)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(String::len)
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    for entry in entries {
        let reason = match (
            &entry.manifest,
            entry.proof.as_ref().and_then(|proof| proof.failure.as_ref()),
        ) {
            (Err(error), _) => error.to_string(),
            (Ok(_), Some(failure)) => failure.clone(),
            (Ok(_), None) => continue,
        };
        text.push_str(&format!("{}: {reason}\n", entry.name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::format::name::BackupName;

    /// Prevents a report of success from being cut off by Kubernetes, which keeps 4 KiB of it: a backup that was made would
    /// not be known of.
    #[test]
    fn the_longest_reports_fit_into_a_termination_message() {
        let (name, now): (BackupName, _) = (
            "20261126T020000Z-ab12cd34".parse().unwrap(),
            "2026-11-26T02:00:00.123456789Z".parse().unwrap(),
        );
        let made = write::Report {
            backup: name.clone(),
            kind: Kind::BeforeUpgrade,
            started_at: now,
            finished_at: now,
            verified_at: Some(now),
            cars: u64::MAX,
            dealerships: u64::MAX,
            events: u64::MAX,
            bytes: u64::MAX,
            encrypted: false,
            pruned: Pruned::of(vec![name.clone(); 5000]),
        };
        let restored = restore::Report {
            restore: "r".repeat(63),
            phase: restore::Stage::Snapshotting,
            from: Some(name.clone()),
            safety: Some(name.clone()),
            cars: u64::MAX,
            events: u64::MAX,
            finished_at: Some(now),
        };
        for outcome in [report_of(&made), report_of(&restored)] {
            let Ok(Outcome::Report(report)) = outcome else {
                panic!("a report");
            };
            assert!(report.to_string().len() < 2048, "{report}");
        }
        let told = serde_json::to_value(&made).unwrap();
        assert_eq!(told["pruned"].as_array().map(Vec::len), Some(20));
        assert_eq!(
            (&told["pruned"][19], &told["pruned_in_all"]),
            (&json!(name), &json!(5000))
        );
    }
}
