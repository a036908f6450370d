//! What a command that runs as a Job tells of its end: one line of JSON, in the file that Kubernetes takes for the
//! termination message.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use serde::Serialize;

/// Kubernetes keeps 4 KiB of a termination message.
const LONGEST_ERROR: usize = 2048;

/// The line that tells how it went.
///
/// # Errors
/// When the report cannot be written as JSON.
pub(super) fn line(outcome: &anyhow::Result<impl Serialize>) -> serde_json::Result<String> {
    match outcome {
        Ok(report) => serde_json::to_string(report),
        Err(error) => {
            let text: String = format!("{error:#}").chars().take(LONGEST_ERROR).collect();
            serde_json::to_string(&serde_json::json!({ "error": text }))
        }
    }
}

/// Writes the line to the report file, if there is one.
///
/// # Errors
/// The system's, with the file's name.
pub(super) fn write(file: Option<&Path>, line: &str) -> anyhow::Result<()> {
    match file {
        None => Ok(()),
        Some(path) => write_in_place(path, line)
            .with_context(|| format!("failed to write the report to {}", path.display())),
    }
}

/// Written in place: what Kubernetes mounts for it can be neither replaced nor renamed.
fn write_in_place(path: &Path, line: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    writeln!(file, "{line}")
}
