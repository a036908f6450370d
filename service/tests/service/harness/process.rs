//! The real program as a process.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Where it is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_faciliauto-service");

/// The program with an environment of its own, so that a developer's settings change no test.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program runs")
}

/// A process that is ended when dropped.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.0.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success(), "the process is there");
    }

    /// The most memory that it has held.
    pub(crate) fn peak_mebibytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("a process");
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
            .expect("its peak");
        kibibytes.parse::<f64>().expect("a number") / 1024.0
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.0.try_wait().expect("a child") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

/// The program, serving.
pub(crate) struct ServingProcess {
    pub(crate) process: Process,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// Read as it is written, since a pipe that nobody empties stops who writes into it.
    log: Option<JoinHandle<Vec<Value>>>,
}

impl ServingProcess {
    /// Starts it on free ports and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let free = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
        let arguments: Vec<&str> = free.iter().chain(arguments).copied().collect();
        let mut child = command(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut log = BufReader::new(child.stdout.take().expect("its output"));
        let address = loop {
            let line = next_line(&mut log).expect("it says where it serves");
            if line["message"] == "serving" {
                break line["address"].as_str().expect("an address").to_owned();
            }
        };
        let rest = move || std::iter::from_fn(|| next_line(&mut log)).collect();
        Self {
            process: Process(child),
            address,
            log: Some(std::thread::spawn(rest)),
        }
    }

    /// The rest of its log, once it has ended.
    pub(crate) fn rest_of_log(&mut self) -> Vec<Value> {
        let log = self.log.take().expect("read once");
        log.join().expect("a log of JSON")
    }
}

/// A line of the log, which must be JSON.
fn next_line(log: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut line = String::new();
    log.read_line(&mut line).expect("readable output");
    (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
}
