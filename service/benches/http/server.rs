//! Servers on the first core; everything else is on the second.

use std::{
    ffi::OsStr,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::memory;

/// More than a thousand connections need.
const FILES: &str = "--nofile=8192:8192";

/// A server that is ended when dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

/// A free address of this machine.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    /// The service on one worker. Requests that went well are logged one in a thousand.
    pub(crate) fn service(arguments: &[&str]) -> Self {
        let (address, metrics) = (free(), free());
        let mut command = pinned("0", env!("CARGO_BIN_EXE_faciliauto-service"));
        command.args([
            &format!("--listen={address}"),
            &format!("--metrics-listen={metrics}"),
            "--workers=1",
            "--access-log-sample=1000",
        ]);
        command.args(arguments);
        Self::start(command, address)
    }

    /// A bare handler that answers everything with the content of a file.
    pub(crate) fn floor(file: &str) -> Self {
        let address = free();
        let mut command = pinned("0", std::env::current_exe().unwrap());
        command.args(["--floor", &address.to_string(), file]);
        Self::start(command, address)
    }

    /// A Redis beside the load, and a store in it with the sample stock.
    pub(crate) fn redis(folder: &std::path::Path) -> (Self, String) {
        let address = free();
        let mut command = pinned("1", "redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--port").arg(address.port().to_string());
        command.arg("--dir").arg(folder);
        let server = Self::start(command, address);
        let url = format!("redis://{address}");
        let imported = Command::new(env!("CARGO_BIN_EXE_faciliauto-service"))
            .args(["import", "--sample", &format!("--redis-url={url}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(imported.unwrap().success(), "the sample stock is not imported");
        (server, url)
    }

    fn start(mut command: Command, address: SocketAddr) -> Self {
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("taskset and prlimit, of util-linux");
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "the server does not come up"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Self { process, address }
    }

    /// What its threads have had of a processor so far.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let nanoseconds = threads.map(|thread| {
            // A thread may end meanwhile.
            let spent = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
            let first = spent.split_whitespace().next();
            first.map_or(0.0, |number| number.parse().unwrap())
        });
        nanoseconds.sum::<f64>() / 1e9
    }

    pub(crate) fn resident_mebibytes(&self) -> f64 {
        memory::mebibytes(self.process.id(), "VmRSS:").unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn pinned(core: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("prlimit");
    command
        .args([FILES, "taskset", "--cpu-list", core])
        .arg(program.as_ref());
    command
}

/// Moves the load off the servers' core.
pub(crate) fn pin_the_load() {
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", "1", &own])
        .stdout(Stdio::null())
        .status();
    if !pinned.is_ok_and(|status| status.success()) {
        eprintln!("load and server share the core: there is but one");
    }
    let allowed = Command::new("prlimit")
        .args([FILES, &format!("--pid={own}")])
        .status();
    assert!(
        allowed.is_ok_and(|status| status.success()),
        "prlimit, of util-linux"
    );
}
