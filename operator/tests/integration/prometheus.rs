//! Dashboards, asked of a real Prometheus that reads a real service.
//!
//! It needs a Prometheus beside promtool, and so is left out of a plain `cargo test` as those tests are.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use faciliauto_service::{clock::Clock, configuration::Settings, startup::Application};
use serde_json::{Value, json};

use crate::promtool::dashboard_queries;

/// A rate needs two readings, a second apart.
const ANSWERS: Duration = Duration::from_secs(60);

/// What there is nothing of here: no Redis, nothing that fires, and no route that fails.
const EMPTY_HERE: [&str; 3] = ["redis_", "ALERTS", "Failed requests by route"];

/// A Prometheus that ends with the test, and its folder with it.
struct Prometheus {
    process: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let folder = env::temp_dir().join(format!("faciliauto-prometheus-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let labels = json!({"namespace": "faciliauto", "service": "faciliauto", "pod": "faciliauto-1"});
        let configuration = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "faciliauto", "static_configs": [{"targets": [target], "labels": labels}]}],
        });
        // JSON is YAML.
        fs::write(folder.join("prometheus.yml"), configuration.to_string()).expect("the configuration");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let promtool = env::var("PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
        let program = Path::new(&promtool).with_file_name("prometheus");
        let process = Command::new(&program)
            .arg(format!(
                "--config.file={}",
                folder.join("prometheus.yml").display()
            ))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; `make test-alerts` finds one", program.display()));
        Self {
            process,
            folder,
            address,
        }
    }

    /// What Prometheus answers to a query; nothing while it does not answer at all.
    fn query(&self, query: &str) -> Option<Value> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = ask(self.address, "GET", &format!("/api/v1/query?query={encoded}"), "")?;
        serde_json::from_str(&answer).ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A request in HTTP/1.0, of which the answer comes in one piece.
fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

/// Prevents: a dashboard that a Prometheus refuses, or whose first page stays empty while everything works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Prometheus: make test-alerts"]
async fn prometheus_answers_every_query_of_the_dashboards() {
    let environment = [
        ("FACILIAUTO_LISTEN", "127.0.0.1:0"),
        ("FACILIAUTO_METRICS_LISTEN", "127.0.0.1:0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
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
    let asking = tokio::task::spawn_blocking(move || {
        let prometheus = Prometheus::start(metrics);
        let buyer = r#"{"orcamento_min": 50000, "orcamento_max": 90000, "uso_principal": "familia"}"#;
        let deadline = Instant::now() + ANSWERS;
        // Traffic all the while, or rates are of nothing.
        let traffic = || {
            for _ in 0..2 {
                ask(address, "POST", "/recommend", buyer).expect("an answer");
            }
            ask(address, "GET", "/absent", "");
            std::thread::sleep(Duration::from_millis(600));
        };
        let mut left = dashboard_queries();
        assert!(left.len() > 60, "{}", left.len());
        while !left.is_empty() && Instant::now() < deadline {
            traffic();
            left.retain(|(place, query)| {
                let query = query
                    .replace("$__rate_interval", "6s")
                    .replace("$__range", "1m")
                    .replace("$namespace", "faciliauto")
                    .replace("$instance", "faciliauto")
                    .replace("$pod", ".*");
                assert!(!query.contains('$'), "{query}");
                let Some(answer) = prometheus.query(&query) else {
                    return true;
                };
                assert_eq!(answer["status"], "success", "{place}: {query}: {answer}");
                let is_of = |word: &&str| query.contains(*word) || place.contains(*word);
                let may_be_empty = !place.starts_with("overview") || EMPTY_HERE.iter().any(is_of);
                answer["data"]["result"].as_array().is_some_and(Vec::is_empty) && !may_be_empty
            });
        }
        assert!(left.is_empty(), "nothing to see within {ANSWERS:?}: {left:#?}");
    });
    asking.await.expect("no panic");
    stop.send(()).expect("it still runs");
    running.await.expect("no panic").expect("a clean end");
}
