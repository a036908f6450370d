//! A Redis that runs as a process of this machine with what it remembers in a folder, so that it can be killed and started
//! again at any moment.

use std::{
    env,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use faciliauto_service::state::{
    connection::{ConnectionSettings, Secret, UrlSource},
    redis::{Patience, RedisState},
};
use tempfile::TempDir;

/// What keys begin with.
pub(crate) const PREFIX: &str = "drill";

/// How long a server may take to read what it remembers.
const STARTED: Duration = Duration::from_secs(20);

/// One that takes longer to answer is asked again.
const ANSWERED: Duration = Duration::from_secs(1);

/// A server, with the settings that the operator gives to one of its own.
pub(crate) struct RedisServer {
    child: Option<Child>,
    pub(crate) port: u16,
    folder: TempDir,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut server = Self {
            child: None,
            port,
            folder: tempfile::tempdir().expect("a folder"),
        };
        server.start_again();
        server
    }

    /// Starts it with what it remembers, and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        let program = env::var_os("FACILIAUTO_TEST_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let child = Command::new(program)
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args([
                "--appendonly",
                "yes",
                "--appendfsync",
                "everysec",
                "--loglevel",
                "warning",
            ])
            .arg("--dir")
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = self.child.insert(child.expect("redis-server is installed"));
        let begun = Instant::now();
        while !answers(self.port) {
            // Whoever else took the port would answer in its place.
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "redis-server ended: {ended:?}");
            assert!(begun.elapsed() < STARTED, "redis-server answers");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as a power cut would that spares the disk.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("SIGKILL");
            child.wait().expect("it is dead");
        }
    }

    /// What it holds, for reading and writing past the line.
    pub(crate) fn state(&self) -> RedisState {
        let settings = ConnectionSettings {
            url: UrlSource::Given(Secret::new(format!("redis://127.0.0.1:{}", self.port))),
            password_file: None,
            trust_ca_file: None,
            key_prefix: PREFIX.to_owned(),
        };
        let info = settings.resolve().expect("a good address");
        RedisState::new(info, PREFIX, Patience::IMPORTING).expect("a state")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn answers(port: u16) -> bool {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("a URL");
    let asked = client
        .get_connection_with_timeout(ANSWERED)
        .and_then(|mut connection| {
            connection.set_read_timeout(Some(ANSWERED))?;
            redis::cmd("PING").query::<String>(&mut connection)
        });
    asked.is_ok()
}
