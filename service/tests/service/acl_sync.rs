//! `faciliauto-service redis acl sync`, the real program, against a real Redis that runs on.

use std::{fs, process::Output};

use redis::{Client, Connection, RedisResult};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::harness::{process, redis_server::RedisServer};

const ADMIN: &str = "the-password-of-who-tells-redis";
const OLD: &str = "the-old-password";
const NEW: &str = "the-new-password";

/// A Redis with an administrator of users, and the folder of the files.
struct Guarded {
    redis: RedisServer,
    folder: TempDir,
}

impl Guarded {
    /// Starts one to which the users with the old password were brought.
    fn start() -> Self {
        let guarded = Self {
            redis: RedisServer::start(),
            folder: tempfile::tempdir().unwrap(),
        };
        // As the file of users says it, of which this server was started without.
        let rule = format!("#{}", digest(ADMIN));
        let rights = ["+acl|setuser", "+acl|getuser", "+acl|users", "+acl|deluser"];
        let words: Vec<&str> = ["ACL", "SETUSER", "acl-sync", "on", &rule, "-@all"]
            .into_iter()
            .chain(rights)
            .collect();
        guarded.redis.ask::<()>(&words);
        assert!(guarded.sync(&[OLD]).status.success());
        guarded
    }

    /// Brings users of which `api` has these passwords.
    fn sync(&self, passwords: &[&str]) -> Output {
        let digests: Vec<String> = passwords
            .iter()
            .map(|password| format!("#{}", digest(password)))
            .collect();
        self.sync_users(&format!(
            "user health on nopass -@all +ping\n\
             user acl-sync on #{} -@all +acl|setuser +acl|getuser +acl|users +acl|deluser\n\
             user api on {} ~p:* resetchannels &p:* +@all -@admin -@dangerous +info\n",
            digest(ADMIN),
            digests.join(" ")
        ))
    }

    fn sync_users(&self, users: &str) -> Output {
        let file = |name: &str, content: &str| {
            let path = self.folder.path().join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (users, password) = (file("users.acl", users), file("password", ADMIN));
        let url = format!("redis://acl-sync@127.0.0.1:{}", self.redis.port);
        let report = self.folder.path().join("report");
        process::run(&[
            "--redis-url",
            &url,
            "--redis-password-file",
            &password,
            "--redis-acl-file",
            &users,
            "--redis-own-users",
            "api,health,acl-sync,former",
            "--report-file",
            report.to_str().unwrap(),
            "redis",
            "acl",
            "sync",
        ])
    }

    fn report(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.folder.path().join("report")).unwrap()).unwrap()
    }

    fn log_in(&self, password: &str) -> RedisResult<Connection> {
        Client::open(format!("redis://api:{password}@127.0.0.1:{}", self.redis.port))?.get_connection()
    }
}

fn digest(password: &str) -> String {
    Sha256::digest(password)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn works(connection: &mut Connection) -> bool {
    redis::cmd("INCR").arg("p:count").query::<i64>(connection).is_ok()
}

/// Prevents a password change from refusing anybody: the old password works until it is dropped, the new one from the
/// moment it is told, and who is connected is never cut.
#[test]
fn one_password_takes_the_place_of_another() {
    let guarded = Guarded::start();
    let mut old = guarded.log_in(OLD).expect("the old password");
    let mut listener = guarded.log_in(OLD).expect("the old password");
    let mut subscription = listener.as_pubsub();
    subscription.subscribe("p:changes").unwrap();
    assert!(guarded.log_in(NEW).is_err(), "not yet");

    let told = guarded.sync(&[OLD, NEW]);
    assert!(told.status.success(), "{told:?}");
    let expected = json!({"users": ["acl-sync", "api", "health"], "removed": []});
    assert_eq!(guarded.report(), expected);
    let printed = String::from_utf8(told.stdout).unwrap();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), expected);
    assert!(works(&mut old), "who was connected goes on");
    assert!(works(&mut guarded.log_in(OLD).expect("both work")));
    let mut new = guarded.log_in(NEW).expect("both work");
    assert!(works(&mut new));

    for _ in 0..2 {
        assert!(guarded.sync(&[NEW]).status.success(), "told twice it is the same");
        assert!(guarded.log_in(OLD).is_err(), "the old password is refused");
        assert!(works(&mut new) && works(&mut guarded.log_in(NEW).expect("the new password")));
    }
    guarded.redis.ask::<i64>(&["PUBLISH", "p:changes", "x"]);
    assert!(subscription.get_message().is_ok(), "who listened still does");
}

/// Prevents rights of an older release from staying, and people's own users from being taken away.
#[test]
fn rights_are_those_of_the_file_and_others_users_stay() {
    let guarded = Guarded::start();
    for name in ["former", "somebodys"] {
        guarded
            .redis
            .ask::<()>(&["ACL", "SETUSER", name, "on", "nopass", "+ping"]);
    }
    guarded
        .redis
        .ask::<()>(&["ACL", "SETUSER", "api", "~*", "+flushall", "nopass"]);
    assert!(guarded.sync(&[OLD]).status.success());
    assert_eq!(guarded.report()["removed"], json!(["former"]));
    let users: Vec<String> = guarded.redis.ask(&["ACL", "USERS"]);
    assert!(
        users.contains(&"somebodys".to_owned()) && !users.contains(&"former".to_owned()),
        "{users:?}"
    );
    let mut api = guarded.log_in(OLD).unwrap();
    for forbidden in [&["FLUSHALL"][..], &["GET", "other:key"]] {
        let mut command = redis::cmd(forbidden[0]);
        let refused = command.arg(&forbidden[1..]).query::<redis::Value>(&mut api);
        assert!(refused.is_err(), "{forbidden:?}");
    }
    assert!(guarded.log_in("anything").is_err());
}

/// Prevents a failure that nobody understands, and half a change: what is wrong is said, in the report too, with an exit
/// code that starts a Job again.
#[test]
fn what_cannot_be_done_is_said() {
    let mut guarded = Guarded::start();
    let fails = |output: Output, guarded: &Guarded, part: &str| {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let error = guarded.report()["error"].as_str().expect("an error").to_owned();
        assert!(error.contains(part), "{error}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(part),
            "{output:?}"
        );
    };
    fails(
        guarded.sync_users("user api off\nmaxmemory 5\n"),
        &guarded,
        "line 2 must be",
    );
    assert!(guarded.log_in(OLD).is_ok(), "nothing was done");
    fails(
        guarded.sync_users("user api on +no-such-command\n"),
        &guarded,
        "failed to tell Redis of the user api",
    );
    assert!(guarded.log_in(OLD).is_ok(), "a user changes whole or not at all");
    guarded
        .redis
        .ask::<()>(&["ACL", "SETUSER", "acl-sync", "resetpass", ">another"]);
    fails(guarded.sync(&[OLD]), &guarded, "failed to log in to Redis");
    guarded.redis.stop();
    fails(guarded.sync(&[OLD]), &guarded, "failed to reach Redis");
}
