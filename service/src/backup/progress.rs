//! How far it has come: a line that overwrites itself for a person, lines of JSON for everybody else.

use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::telemetry;

/// How often a person is told.
const FOR_A_PERSON: Duration = Duration::from_millis(200);

/// How often a log is told.
const FOR_A_LOG: Duration = Duration::from_secs(5);

/// Tells, on the standard error.
#[derive(Debug)]
pub struct Progress {
    form: Form,
    quiet: bool,
    current: Mutex<Option<Step>>,
}

/// Whom it suits.
#[derive(Clone, Copy, Debug)]
enum Form {
    Person,
    Log,
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
        let form = if telemetry::on_terminal() {
            Form::Person
        } else {
            Form::Log
        };
        Self {
            form,
            quiet: false,
            current: Mutex::new(None),
        }
    }

    /// To nobody.
    #[must_use]
    pub fn to_nobody() -> Self {
        Self {
            form: Form::Log,
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
        if let Some(step) = current.as_mut() {
            step.done += records;
            if step.told.elapsed() >= self.form.every() {
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
        print(&self.form.warning(text));
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
        print(&self.form.step(step, state, step.begun.elapsed()));
    }
}

impl Form {
    fn warning(self, text: &str) -> String {
        match self {
            Self::Person => format!("\r\x1b[Kwarning: {text}\n"),
            Self::Log => format!("{}\n", json!({"level": "WARN", "message": text})),
        }
    }

    fn step(self, step: &Step, state: &str, took: Duration) -> String {
        let Step {
            name, total, done, ..
        } = step;
        let seconds = took.as_secs_f64();
        match self {
            Self::Person => {
                let of = total.map_or_else(String::new, |total| format!(" of {total}"));
                let end = if state == "done" { "\n" } else { "" };
                format!("\r\x1b[K{name}: {done}{of} records, {seconds:.1} s{end}")
            }
            Self::Log => {
                let line = json!({"step": name, "state": state, "records": done, "of": total,
                    "seconds": (seconds * 1000.0).round() / 1000.0});
                format!("{line}\n")
            }
        }
    }

    const fn every(self) -> Duration {
        match self {
            Self::Person => FOR_A_PERSON,
            Self::Log => FOR_A_LOG,
        }
    }
}

/// Whoever closed the other end does not want to know.
fn print(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a log from having lines that no program reads, and a terminal from being filled line by line.
    #[test]
    fn a_log_has_lines_of_json_and_a_person_one_that_overwrites_itself() {
        let step = |total| Step {
            name: "stock",
            total,
            done: 7,
            begun: Instant::now(),
            told: Instant::now(),
        };
        let took = Duration::from_micros(2_345_678);
        let log = |total| Form::Log.step(&step(total), "going", took);
        let read = |line: String| -> serde_json::Value {
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line:?}");
            serde_json::from_str(&line).unwrap()
        };
        let expected = json!({"step": "stock", "state": "going", "records": 7, "of": 9, "seconds": 2.346});
        assert_eq!(read(log(Some(9))), expected);
        assert_eq!(read(log(None))["of"], serde_json::Value::Null);
        let text = "a \"b\"\nc";
        assert_eq!(
            read(Form::Log.warning(text)),
            json!({"level": "WARN", "message": text})
        );
        let person = |total, state| Form::Person.step(&step(total), state, took);
        assert_eq!(person(Some(9), "going"), "\r\x1b[Kstock: 7 of 9 records, 2.3 s");
        assert_eq!(person(None, "done"), "\r\x1b[Kstock: 7 records, 2.3 s\n");
        assert_eq!(Form::Person.warning("late"), "\r\x1b[Kwarning: late\n");
    }
}
