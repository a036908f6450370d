//! A real Redis on a free port of this machine, with a folder of its own: `redis-server` from the PATH, or the
//! program that `FACILIAUTO_TEST_REDIS_SERVER` names, such as another version or Valkey.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use redis::{Client, Connection, FromRedisValue};
use tempfile::TempDir;

/// Ends with the test.
pub(crate) struct RedisServer {
    child: Option<Child>,
    pub(crate) port: u16,
    folder: TempDir,
    /// Beside those that every server gets.
    arguments: Vec<String>,
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

impl RedisServer {
    /// Starts one that remembers nothing yet.
    pub(crate) fn start() -> Self {
        // Another process can take the port between our look and the server's: then it is tried again.
        for _ in 0..5 {
            let mut server = Self::not_started();
            if server.try_start() {
                return server;
            }
        }
        panic!("redis-server did not start on five ports in a row");
    }

    /// Starts one that also answers over TLS, on the port that comes with it.
    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> (Self, u16) {
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = free.local_addr().expect("an address").port();
            let mut server = Self::not_started();
            drop(free);
            let path = |name: &str| server.folder.path().join(name);
            std::fs::write(path("tls.crt"), certificate).expect("a file");
            std::fs::write(path("tls.key"), key).expect("a file");
            let text = |name: &str| path(name).to_str().expect("a path").to_owned();
            server.arguments = [
                ("--tls-port", port.to_string()),
                ("--tls-cert-file", text("tls.crt")),
                ("--tls-key-file", text("tls.key")),
                ("--tls-ca-cert-file", text("tls.crt")),
                ("--tls-auth-clients", "no".to_owned()),
            ]
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value])
            .collect();
            if server.try_start() {
                return (server, port);
            }
        }
        panic!("redis-server did not start with TLS on five ports in a row: was it built with TLS?");
    }

    /// Reserves a port where a server may start later.
    pub(crate) fn not_started() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        Self {
            child: None,
            port,
            folder: tempfile::tempdir().expect("a folder"),
            arguments: Vec::new(),
        }
    }

    /// Starts it, again or for the first time, with what it remembered.
    pub(crate) fn start_again(&mut self) {
        assert!(self.try_start(), "redis-server starts on port {}", self.port);
    }

    fn try_start(&mut self) -> bool {
        let program = std::env::var_os("FACILIAUTO_TEST_REDIS_SERVER");
        let child = Command::new(program.unwrap_or_else(|| "redis-server".into()))
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("these tests need redis-server on the PATH (Debian: apt-get install redis-server): {error}")
            });
        self.child = Some(child);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten())
                .is_some();
            if ended {
                self.child = None;
                return false;
            }
            let answer = Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            if answer.is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Ends it as its administrator would.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("a running server").id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.expect("kill runs").success(), "the server is there");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn connection(&self) -> Connection {
        Client::open(self.url())
            .and_then(|client| client.get_connection())
            .expect("a connection")
    }

    /// Runs a command, written as a person would.
    pub(crate) fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query(&mut self.connection())
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Whether this server can tell what is on its disk (`WAITAOF`): Redis since 7.2, and Valkey.
    pub(crate) fn confirms(&self) -> bool {
        let known: Vec<Option<redis::Value>> = self.ask(&["COMMAND", "INFO", "waitaof"]);
        known.iter().all(Option::is_some)
    }

    /// Names of keys, sorted.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", pattern]);
        keys.sort();
        keys
    }

    /// Every key with its value, or its fields or members in order, for comparing whole stores and for looking into them: two
    /// dumps by the server of one hash may differ, for it moves its fields about while it is read.
    pub(crate) fn dump(&self, pattern: &str) -> Vec<(String, Vec<u8>)> {
        let keys = self.keys(pattern);
        keys.into_iter()
            .map(|key| {
                let content = self.content(&key);
                (key, content)
            })
            .collect()
    }

    fn content(&self, key: &str) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = match self.ask::<String>(&["TYPE", key]).as_str() {
            "string" => vec![self.ask(&["GET", key])],
            "hash" => {
                let fields: BTreeMap<Vec<u8>, Vec<u8>> = self.ask(&["HGETALL", key]);
                fields.into_iter().flat_map(<[_; 2]>::from).collect()
            }
            "set" => self
                .ask::<BTreeSet<Vec<u8>>>(&["SMEMBERS", key])
                .into_iter()
                .collect(),
            "zset" => self.ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
            // It went between the two questions.
            "none" => Vec::new(),
            other => panic!("{key} is a {other}"),
        };
        parts.join(&0)
    }

    /// Seconds that a key has left; -1 = it stays.
    pub(crate) fn seconds_left(&self, key: &str) -> i64 {
        self.ask(&["TTL", key])
    }
}
