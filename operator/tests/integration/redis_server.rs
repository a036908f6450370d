//! A real Redis takes the configuration and the users that are built for it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use faciliauto_api::FaciliAutoDeployment;
use faciliauto_operator::{
    names,
    reconcile::{
        dereference::Referenced,
        passwords::{Password, Passwords},
        validate::validate,
    },
    resources::{Inputs, build},
};
use faciliauto_service::{
    cli::acl_sync,
    configuration::{Command as ServiceCommand, Settings},
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::Value;

use crate::golden::{defaults, rendered, repository};

/// A Redis process in a folder of its own; both go when it is dropped.
struct Redis {
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
    password: String,
    /// The Secret with every password that it was started with.
    login: Secret,
}

impl Redis {
    /// Starts one as the minimal sample's pod would, but for paths, port and address.
    fn start(purpose: &str) -> Self {
        let objects: Vec<Value> =
            serde_yaml::from_multiple(&rendered(&repository().join("manifests/samples/minimal.yaml")))
                .expect("YAML");
        let find = |kind: &str, part: &str| {
            let found = objects.iter().find(|object| {
                object["kind"] == kind
                    && object["metadata"]["name"]
                        .as_str()
                        .is_some_and(|name| name.contains(part))
            });
            found.cloned().expect(part)
        };
        let read = |part: &str| -> Secret { serde_json::from_value(find("Secret", part)).expect("a Secret") };
        let secret = |part: &str, key: &str| {
            String::from_utf8(read(part).data.expect("data")[key].0.clone()).expect("text")
        };
        let config: ConfigMap =
            serde_json::from_value(find("ConfigMap", "-redis-config-")).expect("a ConfigMap");
        let folder = std::env::temp_dir().join(format!("faciliauto-redis-{purpose}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .expect("a free port")
            .port();
        let file = config.data.expect("data")["redis.conf"].clone();
        let moved = file
            .replace(
                "aclfile /etc/faciliauto/redis-acl/",
                &format!("aclfile {}/", folder.display()),
            )
            .replace("dir /data", &format!("dir {}", folder.display()))
            .replace("port 6379", &format!("port {port}"))
            .replace("bind * -::*", "bind 127.0.0.1");
        fs::write(folder.join("users.acl"), secret("-redis-acl", "users.acl")).expect("the users");
        fs::write(folder.join("redis.conf"), moved).expect("the configuration");
        let password = secret("-redis-credentials", "password");
        let mut redis = Self {
            folder,
            port,
            process: None,
            password,
            login: read("-redis-login"),
        };
        redis.start_again();
        redis
    }

    fn start_again(&mut self) {
        let log = fs::File::create(self.log()).expect("a log");
        let process = Command::new("redis-server")
            .arg(self.folder.join("redis.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .spawn()
            .expect("redis-server on the PATH (Debian: apt-get install redis-server)");
        self.process = Some(process);
        let deadline = Instant::now() + Duration::from_secs(10);
        while self
            .ask(&["AUTH health health", "PING"])
            .last()
            .map(String::as_str)
            != Some("+PONG")
        {
            assert!(
                Instant::now() < deadline,
                "{}",
                fs::read_to_string(self.log()).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it as a kubelet that has lost patience does.
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn log(&self) -> PathBuf {
        Path::new(&self.folder).join("log")
    }

    /// The first line of each answer on one connection; empty when nobody listens.
    fn ask(&self, commands: &[&str]) -> Vec<String> {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return Vec::new();
        };
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a bound");
        let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut line = || {
            let mut line = String::new();
            answers
                .read_line(&mut line)
                .map(|_| line.trim_end().to_owned())
                .unwrap_or_default()
        };
        let mut heard = Vec::new();
        for command in commands {
            stream
                .write_all(format!("{command}\r\n").as_bytes())
                .expect("it is sent");
            let answer = line();
            // A text comes on a line of its own; so does each answer of a transaction.
            let more = match answer.split_at_checked(1) {
                Some(("$", length)) if length != "-1" => 1,
                Some(("*", count)) => count.parse().unwrap_or(0),
                _ => 0,
            };
            let rest: Vec<String> = (0..more).map(|_| line()).collect();
            heard.push(if more == 1 && answer.starts_with('$') {
                rest.concat()
            } else {
                answer
            });
        }
        heard
    }

    fn ask_as_api(&self, commands: &[&str]) -> Vec<String> {
        let login = format!("AUTH api {}", self.password);
        let all: Vec<&str> = [login.as_str()]
            .into_iter()
            .chain(commands.iter().copied())
            .collect();
        let mut heard = self.ask(&all);
        assert_eq!(heard.remove(0), "+OK", "the generated password lets the API in");
        heard
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Prevents: a Redis that comes back without what was acknowledged. Redis 7.0 replays its file as the
/// default user and skips the transactions which that user may not execute.
#[test]
fn everything_written_survives_a_kill() {
    let mut redis = Redis::start("kill");
    let key = |name: &str| format!("faciliauto:faciliauto:{name}");
    let plain = format!("SET {} alone", key("plain"));
    let inside = format!("SET {} together", key("inside"));
    // Two commands: a transaction of one is written to the file as that command alone.
    let beside = format!("SET {} beside", key("beside"));
    let heard = redis.ask_as_api(&[&plain, "MULTI", &inside, &beside, "EXEC"]);
    assert_eq!(heard, ["+OK", "+OK", "+QUEUED", "+QUEUED", "*2"]);
    // appendfsync everysec: what is older than a second is on the disk.
    std::thread::sleep(Duration::from_millis(1_200));
    for _ in 0..2 {
        redis.kill();
        redis.start_again();
        let (plain, inside) = (format!("GET {}", key("plain")), format!("GET {}", key("inside")));
        assert_eq!(redis.ask_as_api(&[&plain, &inside]), ["alone", "together"]);
    }
    let log = fs::read_to_string(redis.log()).expect("a log");
    assert!(!log.contains("CRITICAL"), "{log}");
}

/// Prevents: a door left open: each user may do what it is for, and nobody else may do anything.
#[test]
fn users_may_do_what_they_are_for() {
    let redis = Redis::start("users");
    let refused = |answer: &str, word: &str| assert!(answer.starts_with(&format!("-{word}")), "{answer}");
    refused(&redis.ask(&["PING"])[0], "NOAUTH");
    refused(&redis.ask(&["AUTH default anything"])[0], "WRONGPASS");
    refused(&redis.ask(&["AUTH api wrong"])[0], "WRONGPASS");
    refused(
        &redis.ask(&["AUTH health health", "GET faciliauto:faciliauto:a"])[1],
        "NOPERM",
    );
    let api = redis.ask_as_api(&[
        "SET faciliauto:other:a 1",
        "PUBLISH faciliauto:other:changes 1",
        "CONFIG GET maxmemory",
        "FLUSHALL",
        "KEYS *",
        "ACL LIST",
    ]);
    for answer in &api {
        refused(answer, "NOPERM");
    }
    let passwords = Passwords::read(&redis.login).expect("passwords");
    let login = format!("AUTH {} {}", names::REDIS_ADMIN, passwords.admin.reveal());
    let admin = redis.ask(&[
        &login,
        "GET faciliauto:faciliauto:a",
        "ACL LIST",
        "FLUSHALL",
        "PING",
    ]);
    assert_eq!(admin[0], "+OK");
    for answer in &admin[1..] {
        refused(answer, "NOPERM");
    }
    let api = redis.ask_as_api(&[
        "SET faciliauto:faciliauto:a 1",
        "PUBLISH faciliauto:faciliauto:changes 1",
        "TIME",
    ]);
    assert_eq!(api, ["+OK", ":0", "*2"]);
}

/// Prevents: a Job that cannot log in, or may not tell, or tells something else than the file; and a Redis
/// that knows less after a restart than it was told.
#[tokio::test]
async fn running_redis_is_told_of_another_password() {
    let mut redis = Redis::start("told");
    let sample = fs::read_to_string(repository().join("manifests/samples/minimal.yaml")).expect("a sample");
    let resource: FaciliAutoDeployment = serde_yaml::from_str(&sample).expect("a resource");
    let validated = validate(&resource, &Referenced::default(), &defaults()).expect("it is valid");
    let mut passwords = Passwords::read(&redis.login).expect("passwords");
    let admin = redis.folder.join("admin");
    fs::write(&admin, passwords.admin.reveal()).expect("a file");
    let (old, new) = (redis.password.clone(), "another password, with spaces");
    let lets_in =
        |redis: &Redis, password: &str| redis.ask(&[&format!("AUTH api \"{password}\"")])[0] == "+OK";
    assert!(lets_in(&redis, &old) && !lets_in(&redis, new));
    passwords.known.insert(2, Password::new(new));
    for known in [[true, true], [false, true]] {
        if !known[0] {
            passwords.known.remove(&1);
        }
        let inputs = Inputs {
            passwords: Some(passwords.clone()),
            tell: Some("pod/0".to_owned()),
            seed_is_due: false,
            backups: Default::default(),
            optional_kinds: Default::default(),
        };
        let built = build(&validated, &inputs).redis.expect("a managed Redis");
        let file = redis.folder.join("users.acl");
        fs::write(&file, &built.acl.data.expect("data")[names::ACL_KEY].0).expect("a file");
        let pod = built
            .acl_sync
            .expect("a Job")
            .spec
            .expect("a spec")
            .template
            .spec
            .expect("a pod");
        let container = &pod.containers[0];
        let environment = container.env.iter().flatten().map(|variable| {
            let value = match variable.name.as_str() {
                "FACILIAUTO_REDIS_PASSWORD_FILE" => admin.display().to_string(),
                "FACILIAUTO_REDIS_ACL_FILE" => file.display().to_string(),
                "FACILIAUTO_REPORT_FILE" => String::new(),
                _ => variable.value.clone().expect("a value"),
            };
            let here = format!("127.0.0.1:{}", redis.port);
            (
                variable.name.clone(),
                value.replace("faciliauto-redis:6379", &here),
            )
        });
        let arguments = container.args.iter().flatten().map(String::as_str);
        let settings = Settings::parse(["faciliauto-service"].into_iter().chain(arguments), environment);
        let settings = settings.expect("settings");
        let ServiceCommand::SyncUsers(source) = &settings.command else {
            panic!("another command");
        };
        acl_sync::run(&settings, source).await.expect("it is told");
        for _ in 0..2 {
            assert_eq!([lets_in(&redis, &old), lets_in(&redis, new)], known);
            redis.kill();
            redis.start_again();
        }
    }
}
