//! One command for backups as a process of its own, and what it took.

use std::{
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::memory::mebibytes;

/// How often the most memory so far is asked for: a rise in the last moment of a process is not seen.
const POLL: Duration = Duration::from_millis(5);

/// What a command took.
pub(crate) struct Taken {
    pub(crate) seconds: f64,
    /// The most that Linux counted as resident at any moment.
    pub(crate) peak_mebibytes: f64,
    /// What it said on the standard output.
    pub(crate) report: Value,
    /// What it said on the standard error of the steps that are done, in order.
    pub(crate) steps: Vec<Step>,
}

/// A step that a command did.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) seconds: f64,
}

/// Runs `faciliauto-service backup` with these arguments.
pub(crate) fn backup(redis_url: &str, target: &str, arguments: &[&str]) -> Taken {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_faciliauto-service"))
        .arg("backup")
        .args(arguments)
        .env_clear()
        .env("FACILIAUTO_REDIS_URL", redis_url)
        .env("FACILIAUTO_BACKUP_TARGET", target)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut output, mut errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let output = thread::spawn(move || whole(&mut output));
    let errors = thread::spawn(move || whole(&mut errors));
    let mut peak_mebibytes = 0.0;
    let status = loop {
        // One that has ended and was not waited for has no memory.
        peak_mebibytes = mebibytes(child.id(), "VmHWM:").unwrap_or(peak_mebibytes);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        thread::sleep(POLL);
    };
    let seconds = begun.elapsed().as_secs_f64();
    let (output, errors) = (output.join().unwrap(), errors.join().unwrap());
    assert!(status.success(), "backup {arguments:?}: {errors}");
    Taken {
        seconds,
        peak_mebibytes,
        report: serde_json::from_str(&output).unwrap(),
        steps: errors.lines().filter_map(step).collect(),
    }
}

fn whole(from: &mut impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

fn step(line: &str) -> Option<Step> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["state"] == "done").then(|| Step {
        name: line["step"].as_str().unwrap_or_default().to_owned(),
        seconds: line["seconds"].as_f64().unwrap_or_default(),
    })
}
