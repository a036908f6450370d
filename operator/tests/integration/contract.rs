//! Where operator and service meet: what the operator builds is fed to the service's own settings and
//! routes. The two programs share no code; this is what keeps them from drifting apart.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use faciliauto_service::{
    clock::Clock,
    configuration::{CacheSettings, Command, ImportFile, ImportSource, Settings},
    limits::Quotas,
    startup::Application,
    state::connection::UrlSource,
};
use serde_json::Value;

use crate::golden::{rendered, samples};

/// The objects of one sample.
struct Built {
    sample: String,
    objects: Vec<Value>,
}

impl Built {
    fn all() -> Vec<Self> {
        let build = |path: &std::path::PathBuf| Self {
            sample: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            objects: serde_yaml::from_multiple(&rendered(path)).expect("YAML"),
        };
        samples().iter().map(build).collect()
    }

    fn find(&self, kind: &str, name_part: &str) -> Option<&Value> {
        self.objects.iter().find(|object| {
            object["kind"] == kind
                && object["metadata"]["name"]
                    .as_str()
                    .is_some_and(|name| name.contains(name_part))
        })
    }

    fn pod(&self, kind: &str) -> Option<&Value> {
        self.find(kind, "")
            .map(|object| &object["spec"]["template"]["spec"])
    }

    /// The environment of a pod's container, as the node would make it: first from ConfigMaps, then
    /// the container's own, but for what only a node knows.
    fn environment(&self, container: &Value) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        for source in container["envFrom"].as_array().into_iter().flatten() {
            let name = source["configMapRef"]["name"].as_str().expect("a ConfigMap");
            let config_map = self.find("ConfigMap", name).expect("the ConfigMap is built too");
            for (key, value) in config_map["data"].as_object().expect("data") {
                environment.insert(key.clone(), value.as_str().expect("text").to_owned());
            }
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            if let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) {
                environment.insert(name.to_owned(), value.to_owned());
            }
        }
        environment
    }

    fn settings(&self, kind: &str) -> Option<Settings> {
        let container = &self.pod(kind)?["containers"][0];
        let arguments = container["args"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let line = ["faciliauto-service"].into_iter().chain(arguments);
        let settings = Settings::parse(line, self.environment(container));
        Some(settings.unwrap_or_else(|error| panic!("{}: {kind}: {error}", self.sample)))
    }
}

/// Files that a pod's container sees, by the mounts of its Secrets.
fn mounted_files(pod: &Value) -> Vec<String> {
    let mut files = Vec::new();
    for mount in pod["containers"][0]["volumeMounts"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let volumes = pod["volumes"].as_array().into_iter().flatten();
        for volume in volumes.filter(|volume| volume["name"] == mount["name"]) {
            for item in volume["secret"]["items"].as_array().into_iter().flatten() {
                let (folder, path) = (mount["mountPath"].as_str(), item["path"].as_str());
                files.push(format!("{}/{}", folder.expect("a folder"), path.expect("a path")));
            }
        }
    }
    files
}

/// Files with certificate authorities that a pod's container sees.
fn mounted_authorities(pod: &Value) -> Vec<String> {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mounts = items(&pod["containers"][0]["volumeMounts"]);
    let trust = |list: Vec<Value>| list.into_iter().find(|item| item["name"] == "trust");
    let (Some(volume), Some(mount)) = (trust(items(&pod["volumes"])), trust(mounts)) else {
        return Vec::new();
    };
    let folder = mount["mountPath"].as_str().expect("a folder").to_owned();
    items(&volume["configMap"]["items"])
        .iter()
        .map(|item| format!("{folder}/{}", item["path"].as_str().expect("a path")))
        .collect()
}

/// Prevents: limits and memory that are declared and do not reach the service, or reach one another's place.
#[test]
fn declared_limits_and_cache_are_what_the_service_keeps() {
    let quotas = |recommend: &str, stats: &str, other: &str| Quotas {
        recommend: recommend.parse().expect("a quota"),
        stats: stats.parse().expect("a quota"),
        other: other.parse().expect("a quota"),
    };
    let cache = |seconds: u64, most_bytes: u64| CacheSettings {
        lifetime: Duration::from_secs(seconds),
        most_bytes,
    };
    for (sample, quotas, cache) in [
        ("minimal", Quotas::default(), cache(300, 8 << 20)),
        ("production", quotas("3/9", "4/16", "12/24"), cache(600, 64 << 20)),
    ] {
        let built = Built::all()
            .into_iter()
            .find(|built| built.sample == sample)
            .expect(sample);
        let settings = built.settings("Deployment").expect("a Deployment");
        assert_eq!((settings.quotas, settings.cache), (quotas, cache), "{sample}");
    }
}

fn probe_paths(container: &Value) -> Vec<(&'static str, String)> {
    ["startupProbe", "livenessProbe", "readinessProbe"]
        .into_iter()
        .map(|probe| {
            (
                probe,
                container[probe]["httpGet"]["path"]
                    .as_str()
                    .expect("a path")
                    .to_owned(),
            )
        })
        .collect()
}

/// Prevents: an environment that the service refuses, warns about, or reads otherwise than it was meant.
#[test]
fn service_reads_its_settings_as_they_were_meant() {
    for built in Built::all() {
        let settings = built.settings("Deployment").expect("a Deployment");
        let pod = built.pod("Deployment").expect("a pod");
        let container = &pod["containers"][0];
        let sample = &built.sample;
        assert_eq!(settings.command, Command::Serve, "{sample}");
        assert_eq!(settings.unknown_variables, Vec::<String>::new(), "{sample}");
        let port = |name: &str| {
            let mut ports = container["ports"].as_array().expect("ports").iter();
            ports.find(|port| port["name"] == name).expect("a port")["containerPort"].clone()
        };
        assert_eq!(port("http"), settings.listen.port(), "{sample}");
        assert_eq!(port("metrics"), settings.metrics_listen.port(), "{sample}");

        let grace = pod["terminationGracePeriodSeconds"]
            .as_u64()
            .expect("a grace period");
        let leave = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            .as_u64()
            .expect("a sleep");
        let needed = leave + settings.readiness_delay.as_secs() + settings.drain.as_secs();
        assert!(grace > needed, "{sample}: {grace} s of grace, {needed} s needed");

        let redis = settings
            .redis
            .as_ref()
            .expect("a replica among many keeps its state in Redis");
        let files = mounted_files(pod);
        match &redis.url {
            UrlSource::File(path) => assert_eq!(path.display().to_string(), files[0], "{sample}"),
            UrlSource::Given(_) => {
                let path = redis.password_file.as_ref().expect("a password file");
                assert_eq!(path.display().to_string(), files[0], "{sample}");
            }
        }
        let trusted = redis
            .trust_ca_file
            .as_ref()
            .map(|path| path.display().to_string());
        assert_eq!(
            trusted.into_iter().collect::<Vec<_>>(),
            mounted_authorities(pod),
            "{sample}"
        );
        let tokens = settings.admin_token_file.as_ref().expect("a file of tokens");
        assert_eq!([tokens.display().to_string()], files[1..], "{sample}");
    }
}

/// Prevents: a service that cannot log in to the Redis that was built for it, or may not touch its keys.
#[test]
fn managed_redis_lets_the_service_in() {
    for built in Built::all() {
        let Some(acl) = built.find("Secret", "-redis-acl") else {
            continue;
        };
        let users: k8s_openapi::api::core::v1::Secret =
            serde_json::from_value(acl.clone()).expect("a Secret");
        let users = users.data.expect("data")["users.acl"].0.clone();
        let users = String::from_utf8(users).expect("text");
        let environment = built.environment(&built.pod("Deployment").expect("a pod")["containers"][0]);
        let prefix = &environment["FACILIAUTO_KEY_PREFIX"];
        let url = environment["FACILIAUTO_REDIS_URL"]
            .strip_prefix("redis://")
            .expect("a URL");
        let (user, address) = url.split_once('@').expect("a user");
        let (host, port) = address.split_once(':').expect("a port");
        let line = users
            .lines()
            .find(|line| line.starts_with(&format!("user {user} on #")))
            .expect("the user");
        let words: Vec<_> = line.split(' ').collect();
        for word in [format!("~{prefix}:*"), format!("&{prefix}:*")] {
            assert!(words.contains(&word.as_str()), "{}: {line}", built.sample);
        }
        assert!(
            users
                .lines()
                .any(|line| line == "user default off resetpass allkeys allchannels +@all"),
            "nobody else may log in, and the append-only file is replayed whole"
        );
        let service = built.find("Service", host).expect("the Service is built too");
        assert_eq!(service["spec"]["ports"][0]["port"].to_string(), port);
    }
}

/// Prevents: an import Job whose arguments the service does not know, or whose report nobody reads.
#[test]
fn service_understands_its_import() {
    let mut seen = 0;
    for built in Built::all() {
        if built.find("Job", "-seed-").is_none() {
            continue;
        }
        let settings = built
            .settings("Job")
            .expect("the import is the only Job of its sample");
        seen += 1;
        let expected = match built.find("Job", "").expect("a Job")["spec"]["template"]["spec"]["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|volume| volume["name"] == "stock")
        {
            Some(_) => ImportSource::File(ImportFile {
                path: "/etc/faciliauto/stock/stock.json".into(),
                dealership: None,
                if_match: None,
                dry_run: false,
            }),
            None => ImportSource::Sample,
        };
        assert_eq!(settings.command, Command::Import(expected), "{}", built.sample);
        assert_eq!(
            settings.report_file,
            Some("/dev/termination-log".into()),
            "{}",
            built.sample
        );
        assert_eq!(
            settings.redis,
            built.settings("Deployment").expect("a Deployment").redis,
            "the same store"
        );
        assert_eq!(settings.unknown_variables, Vec::<String>::new());
    }
    assert!(seen >= 3, "{seen}");
}

/// Prevents: a backup or a restore whose arguments or variables the service does not know, or that works on
/// another store than the API.
#[test]
fn service_understands_its_backups_and_restores() {
    let mut seen = 0;
    for built in Built::all() {
        let sample = &built.sample;
        let cron_job = built.find("CronJob", "-backup").expect("a CronJob");
        let restore = built.find("Job", "-restore-");
        let pods = [
            Some(&cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]),
            restore.map(|job| &job["spec"]["template"]["spec"]),
        ];
        let lists = pods.into_iter().flatten().flat_map(|pod| {
            let lists = ["initContainers", "containers"].map(|list| pod[list].as_array());
            lists.into_iter().flatten().flatten()
        });
        for container in lists {
            seen += 1;
            let arguments = container["args"].as_array().into_iter().flatten();
            let line = ["faciliauto-service"]
                .into_iter()
                .chain(arguments.filter_map(Value::as_str));
            let settings = Settings::parse(line, built.environment(container))
                .unwrap_or_else(|error| panic!("{sample}: {error}"));
            assert_eq!(settings.unknown_variables, Vec::<String>::new(), "{sample}");
            assert_eq!(
                settings.report_file,
                Some("/dev/termination-log".into()),
                "{sample}"
            );
            let api = built.settings("Deployment").expect("a Deployment");
            assert_eq!(settings.redis, api.redis, "{sample}: the same store");
        }
        // As the runbook of a full volume has it.
        let container = &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
        let by_hand = Settings::parse(
            ["faciliauto-service", "backup", "prune"],
            built.environment(container),
        );
        assert!(by_hand.is_ok(), "{sample}: {by_hand:?}");
    }
    assert!(seen >= 14, "{seen}");
}

/// Prevents: a person who is told that their data is gone from the backups days before it is.
#[test]
fn erasures_speak_of_the_days_for_which_backups_are_kept() {
    let mut seen = Vec::new();
    for built in Built::all() {
        let sample = &built.sample;
        let cron_job = built.find("CronJob", "-backup").expect("a CronJob");
        let pod = &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let kept = built.environment(&pod["containers"][0])["FACILIAUTO_BACKUP_KEEP_DAYS"].clone();
        let api = built.settings("Deployment").expect("a Deployment");
        assert_eq!(api.backup_retention_days.to_string(), kept, "{sample}");
        seen.push(kept);
    }
    assert!(
        seen.contains(&"7".to_owned()) && seen.contains(&"30".to_owned()),
        "{seen:?}"
    );
}

/// Prevents: probes that ask for a page which is not there: pods that never start or are killed for ever.
///
/// Once with a stock at hand, when every probe must pass; once with a Redis that is away, when the
/// process must stay alive all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_ask_for_pages_that_exist() {
    let built = Built::all()
        .into_iter()
        .find(|built| built.sample == "minimal")
        .expect("the minimal sample");
    let container = &built.pod("Deployment").expect("a pod")["containers"][0];
    let folder = std::env::temp_dir().join(format!("faciliauto-contract-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let password = folder.join("password");
    std::fs::write(&password, "secret").expect("a password");
    let tokens = folder.join("admin");
    std::fs::write(&tokens, "a token").expect("a token");

    for redis_is_set in [false, true] {
        let mut environment = built.environment(container);
        environment.insert("FACILIAUTO_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
        environment.insert("FACILIAUTO_METRICS_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
        environment.insert(
            "FACILIAUTO_ADMIN_TOKEN_FILE".to_owned(),
            tokens.display().to_string(),
        );
        if redis_is_set {
            // Nothing listens on port 1.
            environment.insert(
                "FACILIAUTO_REDIS_URL".to_owned(),
                "redis://api@127.0.0.1:1".to_owned(),
            );
            environment.insert(
                "FACILIAUTO_REDIS_PASSWORD_FILE".to_owned(),
                password.display().to_string(),
            );
        } else {
            environment.retain(|name, _| !name.contains("REDIS"));
        }
        let settings = Settings::parse(["faciliauto-service"], environment).expect("settings");
        let application = Application::build(settings, Clock::system())
            .await
            .expect("an application");
        let address = application.address().expect("an address");
        let metrics = application.metrics_address().expect("an address");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(application.run(async move {
            let _ = stopped.await;
        }));
        for (probe, path) in probe_paths(container) {
            let status = get(address, path.clone()).await;
            if redis_is_set && probe == "readinessProbe" {
                assert!([200, 503].contains(&status), "{probe} {path}: {status}");
            } else {
                assert_eq!(status, 200, "{probe} {path}, redis set: {redis_is_set}");
            }
        }
        assert_eq!(get(metrics, "/metrics".to_owned()).await, 200);
        assert_eq!(
            get(address, "/no-such-page".to_owned()).await,
            404,
            "not everything is there"
        );
        stop.send(()).expect("it still runs");
        running.await.expect("no panic").expect("a clean end");
    }
    std::fs::remove_dir_all(folder).expect("the folder goes");
}

/// The status of a page, asked for as a kubelet does.
async fn get(address: SocketAddr, path: String) -> u16 {
    let answer = page(address, path).await;
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status")
}

/// A page with its head.
pub(crate) async fn page(address: SocketAddr, path: String) -> String {
    let ask = move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a bound");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    tokio::task::spawn_blocking(ask).await.expect("no panic")
}
