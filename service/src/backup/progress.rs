//! How far it has come: a line that overwrites itself for a person, lines of JSON for everybody else.

use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::telemetry;

/// How often a person is told.
const FOR_A_PERSON: Duration = Duration::from_millis(200);

/// How often a log is told.
const FOR_A_LOG: Duration = Duration::from_secs(5);

/// Tells, on the standard error.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    quiet: bool,
    current: Mutex<Option<Step>>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    told: Instant,
}

impl Progress {
    /// On the standard error, in the form that suits who reads it.
    #[must_use]
    pub fn on_standard_error() -> Self {
        Self {
            terminal: telemetry::on_terminal(),
            quiet: false,
            current: Mutex::new(None),
        }
    }

    /// To nobody.
    #[must_use]
    pub fn to_nobody() -> Self {
        Self {
            terminal: false,
            quiet: true,
            current: Mutex::new(None),
        }
    }

    /// Something new begins; the last is over.
    pub fn begin(&self, name: &'static str, total: Option<u64>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.close(current.take());
        let now = Instant::now();
        let step = Step {
            name,
            total,
            done: 0,
            begun: now,
            told: now,
        };
        self.tell(&step, "begun");
        *current = Some(step);
    }

    /// So many records more.
    pub fn add(&self, records: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let every = if self.terminal { FOR_A_PERSON } else { FOR_A_LOG };
        if let Some(step) = current.as_mut() {
            step.done += records;
            if step.told.elapsed() >= every {
                step.told = Instant::now();
                self.tell(step, "going");
            }
        }
    }

    /// Nothing more follows.
    pub fn end(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.close(current.take());
    }

    /// Says something that somebody should know.
    pub fn warn(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.terminal {
            print(&format!("\r\x1b[Kwarning: {text}\n"));
        } else {
            print(&format!(
                "{}\n",
                serde_json::json!({"level": "WARN", "message": text})
            ));
        }
    }

    fn close(&self, step: Option<Step>) {
        if let Some(step) = step {
            self.tell(&step, "done");
        }
    }

    fn tell(&self, step: &Step, state: &str) {
        if self.quiet {
            return;
        }
        let Step {
            name, total, done, ..
        } = step;
        let seconds = step.begun.elapsed().as_secs_f64();
        let line = if self.terminal {
            let of = total.map_or_else(String::new, |total| format!(" of {total}"));
            let end = if state == "done" { "\n" } else { "" };
            format!("\r\x1b[K{name}: {done}{of} records, {seconds:.1} s{end}")
        } else {
            let line = serde_json::json!({"step": name, "state": state, "records": done, "of": total,
                "seconds": (seconds * 1000.0).round() / 1000.0});
            format!("{line}\n")
        };
        print(&line);
    }
}

/// Whoever closed the other end does not want to know.
fn print(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
