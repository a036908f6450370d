//! What the law promises to people (LGPD), looked for in the real thing: processes, their logs and metrics, and every byte
//! that the store holds.

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use redis::Value as RedisValue;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    dealers::{ADMIN, AdminFile},
    eventually,
    process::{self, Process},
    redis_server::RedisServer,
};

const USER: &str = "usuario-marca-dagua-7731";
const SESSION: &str = "sessao-marca-dagua-8842";
const COMMENT: &str = "comentario-marca-dagua-9953";
/// As an app would send them; none of them is a figure of the stock.
const INCOMES: [&str; 3] = ["8000-12000", "77771234", "66661234"];

/// The program with its log in a file, so that it never waits for a reader.
struct LoggingProcess {
    process: Process,
    log: PathBuf,
    api: String,
    metrics: String,
}

impl LoggingProcess {
    async fn start(folder: &TempDir, name: &str, redis: &str, admins: &AdminFile) -> Self {
        let log = folder.path().join(name);
        let file = fs::File::create(&log).expect("a file");
        let tokens = admins.path();
        let child = process::command(&[
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "127.0.0.1:0",
            "--redis-url",
            redis,
            // Nobody is refused, and what is kept of an address stays for seconds, to be searched.
            "--limit-recommend",
            "1/1000",
            "--limit-default",
            "1/1000",
            "--log-level",
            "debug",
            "--admin-token-file",
            tokens.to_str().expect("a path"),
        ])
        .stdout(Stdio::from(file.try_clone().expect("a file")))
        .stderr(Stdio::from(file))
        .spawn()
        .expect("the program runs");
        let process = Process(child);
        let serving = eventually("it says where it serves", async || {
            let text = fs::read_to_string(&log).expect("a log");
            let mut lines = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["message"] == "serving")
        })
        .await;
        let address = |field: &str| format!("http://{}", serving[field].as_str().expect("an address"));
        Self {
            process,
            api: address("address"),
            metrics: address("metrics_address"),
            log,
        }
    }
}

/// Every name and every value of every key, as text in which other bytes are gone.
fn everything_in(server: &RedisServer) -> String {
    let mut whole = String::new();
    for key in server.keys("*") {
        let kind: String = server.ask(&["TYPE", &key]);
        let value: RedisValue = match kind.as_str() {
            "string" => server.ask(&["GET", &key]),
            "hash" => server.ask(&["HGETALL", &key]),
            "set" => server.ask(&["SMEMBERS", &key]),
            "zset" => server.ask(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
            "list" => server.ask(&["LRANGE", &key, "0", "-1"]),
            "stream" => server.ask(&["XRANGE", &key, "-", "+"]),
            other => panic!("{key} is a {other}, which this test cannot read"),
        };
        whole.push_str(&key);
        whole.push('\n');
        append(&value, &mut whole);
    }
    whole
}

fn append(value: &RedisValue, whole: &mut String) {
    match value {
        RedisValue::BulkString(bytes) => {
            whole.push_str(&String::from_utf8_lossy(bytes));
            // What is packed is searched as well.
            if let Ok(unpacked) = zstd::decode_all(bytes.as_slice()) {
                whole.push_str(&String::from_utf8_lossy(&unpacked));
            }
        }
        RedisValue::SimpleString(text) => whole.push_str(text),
        RedisValue::Array(items) | RedisValue::Set(items) => {
            items.iter().for_each(|item| append(item, whole))
        }
        RedisValue::Map(pairs) => pairs.iter().for_each(|(name, value)| {
            append(name, whole);
            append(value, whole);
        }),
        other => whole.push_str(&format!("{other:?}")),
    }
    whole.push('\n');
}

async fn sent(client: &Client, url: String, body: Value, name: &str) -> Value {
    let answer = client
        .post(url)
        .header("idempotency-key", name)
        .json(&body)
        .send()
        .await
        .expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Prevents an id, a comment or an income from staying anywhere that nobody thought of.
#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_found_nowhere_and_an_income_never() {
    let server = RedisServer::start();
    let url = server.url();
    let imported = process::run(&["--redis-url", &url, "import", "--sample"]);
    assert!(imported.status.success(), "{imported:?}");
    let (folder, admins) = (tempfile::tempdir().expect("a folder"), AdminFile::new());
    let mut replicas = [
        LoggingProcess::start(&folder, "one.log", &url, &admins).await,
        LoggingProcess::start(&folder, "other.log", &url, &admins).await,
    ];
    let client = Client::new();
    for replica in &replicas {
        eventually("it has stock", async || {
            let answer = client.get(format!("{}/readyz", replica.api)).send().await;
            answer.is_ok_and(|answer| answer.status() == 200).then_some(())
        })
        .await;
    }
    let list: Value = client
        .get(format!("{}/cars?limit=3", replicas[0].api))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let cars: Vec<&str> = (0..3)
        .map(|index| list[index]["id"].as_str().expect("an id"))
        .collect();

    // The id, everywhere that takes one, on both.
    let profile = json!({"orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia",
        "financial_capacity": {"monthly_income_range": INCOMES[0], "max_monthly_tco": 77_771_234,
            "is_disclosed": true}});
    let mut key = None;
    for (index, replica) in replicas.iter().enumerate() {
        let api = &replica.api;
        let name = |what: &str| format!("{USER}-{what}-{index}");
        let given = sent(
            &client,
            format!("{api}/feedback"),
            json!({"user_id": USER, "session_id": SESSION, "car_id": cars[index], "action": "liked",
                "comment": COMMENT, "rating": 5}),
            &name("feedback"),
        )
        .await;
        key = key.or(given["user_key"].as_str().map(str::to_owned));
        for (user, kind) in [(Some(USER), "click"), (None, "whatsapp_contact")] {
            let body = json!({"session_id": SESSION, "user_id": user, "car_id": cars[2], "interaction_type": kind,
                "user_preferences": {"budget": 66_661_234, "monthly_income": INCOMES[0]}});
            sent(
                &client,
                format!("{api}/api/interactions/track"),
                body,
                &name(kind),
            )
            .await;
        }
        sent(
            &client,
            format!("{api}/recommend"),
            profile.clone(),
            &name("recommend"),
        )
        .await;
        let feedbacks = json!([{"user_id": USER, "car_id": cars[0], "action": "liked", "comment": COMMENT}]);
        let body = json!({"user_id": USER, "session_id": SESSION, "current_profile": profile,
            "feedbacks": feedbacks});
        sent(
            &client,
            format!("{api}/refine-recommendations"),
            body,
            &name("refine"),
        )
        .await;
        // Refusals name ids as well.
        for path in [
            format!("/feedback/history/{USER}"),
            format!("/api/users/{USER}/data"),
        ] {
            let refused = client
                .get(format!("{api}{path}"))
                .send()
                .await
                .expect("an answer");
            assert!(refused.status().is_client_error());
        }
        let broken = json!({"user_id": USER, "car_id": cars[0], "action": COMMENT});
        let refused = client.post(format!("{api}/feedback")).json(&broken).send().await;
        assert_eq!(refused.expect("an answer").status(), 422);
    }
    let before = everything_in(&server);
    let limiter = ["limit-secret", "limit:recommend:", "limit:default:"];
    for mark in [USER, SESSION, COMMENT].into_iter().chain(limiter) {
        assert!(before.contains(mark), "the search finds what is there: {mark}");
    }
    assert!(!before.contains("127.0.0.1"), "an address is never kept");
    for income in INCOMES {
        assert!(!before.contains(income), "an income is never kept: {income}");
    }
    assert!(
        server
            .keys("*")
            .iter()
            .all(|name| !name.contains(USER) && !name.contains(SESSION)),
        "names of keys hold no id"
    );

    let path = format!("/api/users/{USER}/data");
    let data = client
        .get(format!("{}{path}", replicas[0].api))
        .header("x-user-key", key.as_deref().expect("a key"))
        .send()
        .await
        .expect("an answer");
    let data: Value = data.json().await.expect("JSON");
    assert_eq!(data["events"].as_array().map(Vec::len), Some(6));
    let erased: Value = client
        .delete(format!("{}{path}", replicas[1].api))
        .bearer_auth(ADMIN)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(erased["erased_events"], 6);
    assert_eq!(erased["ids_erased"], json!([USER, SESSION]));

    let marks = || [USER, SESSION, COMMENT].into_iter().chain(INCOMES);
    let after = everything_in(&server);
    for mark in marks() {
        assert!(!after.contains(mark), "{mark} is still in the store");
    }
    for replica in &mut replicas {
        let metrics = client.get(format!("{}/metrics", replica.metrics)).send().await;
        let metrics = metrics.expect("an answer").text().await.expect("a body");
        replica.process.signal("TERM");
        let status = replica.process.wait(Duration::from_secs(15));
        assert!(status.expect("it ends").success());
        let log = fs::read_to_string(&replica.log).expect("a log");
        assert!(
            log.contains("request answered"),
            "the log is there to be searched"
        );
        for mark in marks() {
            assert!(!metrics.contains(mark), "{mark} is in the metrics");
            assert!(!log.contains(mark), "{mark} is in the log");
        }
    }
}
