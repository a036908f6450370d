//! `docs/api.md`: every route stands in it, what it shows to type works, and its table of errors is the program's.

use std::{
    env, fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use faciliauto_service::{
    error::ApiError,
    routes::{ENDPOINTS, MANAGED_ENDPOINTS},
};
use flate2::{Compression, write::GzEncoder};
use reqwest::Client;
use serde_json::{Value, json};

use crate::harness::{
    dealers::{ADMIN, AdminFile, row},
    process::ServingProcess,
};

const BEFORE_ERRORS: &str = "<!-- errors: written by `make generate` -->\n";
const AFTER_ERRORS: &str = "<!-- end of errors -->";

/// Tells on standard error with which status curl was answered.
const CURL: &str = r#"curl() { command curl --silent --show-error --max-time 10 --write-out '%{stderr}%{http_code}\n' "$@"; }"#;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md")
}

fn text() -> String {
    fs::read_to_string(path()).expect("docs/api.md")
}

/// An example to type: its first line is a comment with the status of the answer.
struct Example {
    status: u16,
    script: String,
}

fn examples(document: &str) -> Vec<Example> {
    let blocks = document.split("\n```sh\n").skip(1);
    blocks
        .map(|rest| {
            let (script, _) = rest.split_once("\n```").expect("an end of the example");
            let status = script
                .strip_prefix("# ")
                .and_then(|rest| rest.get(..3)?.parse().ok());
            Example {
                status: status.unwrap_or_else(|| panic!("no status in the first line of: {script}")),
                script: script.to_owned(),
            }
        })
        .collect()
}

/// The method and the path that a script asks with curl.
fn asks(script: &str) -> Option<(String, String)> {
    let joined = script.replace("\\\n", " ");
    let command = joined.lines().find(|line| line.contains("curl "))?;
    let (_, after) = command.split_once("$API")?;
    let path = after.split(['"', '\'', ' ', '?']).next()?.to_owned();
    let words: Vec<&str> = command.split_whitespace().collect();
    let named = words.windows(2).find(|pair| pair[0] == "-X").map(|pair| pair[1]);
    let sends = ["-d", "--json", "--data-binary"];
    let method = named.unwrap_or(if words.iter().any(|word| sends.contains(word)) {
        "POST"
    } else {
        "GET"
    });
    Some((method.to_owned(), path))
}

fn matches(pattern: &str, path: &str) -> bool {
    let path = path
        .strip_prefix("/api")
        .filter(|rest| !rest.is_empty())
        .unwrap_or(path);
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(&path)
            .all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
}

/// Prevents a route from being served that no reader of the document learns of.
#[test]
fn every_route_has_an_example() {
    let asked: Vec<_> = examples(&text())
        .iter()
        .filter_map(|example| asks(&example.script))
        .collect();
    let missing: Vec<_> = ENDPOINTS
        .iter()
        .chain(MANAGED_ENDPOINTS)
        .filter(|endpoint| {
            !asked
                .iter()
                .any(|(method, path)| method == endpoint.method && matches(endpoint.path, path))
        })
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "no example in docs/api.md");
}

/// Prevents an error from missing in the document, or from standing there as it was once.
#[test]
fn the_table_of_errors_is_the_program_s() {
    let mut table = String::from("\n| status | `type` ends in | title |\n| --- | --- | --- |\n");
    for error in ApiError::all() {
        let kind = error.kind();
        let kind = kind.rsplit(':').next().unwrap();
        let status = error.response(None).status().as_u16();
        table.push_str(&format!("| {status} | `{kind}` | {} |\n", error.title()));
    }
    table.push('\n');
    let document = text();
    let (before, rest) = document.split_once(BEFORE_ERRORS).expect("where errors begin");
    let (written, after) = rest.split_once(AFTER_ERRORS).expect("where errors end");
    if env::var_os("FACILIAUTO_UPDATE_GOLDEN").is_some() {
        let whole = format!("{before}{BEFORE_ERRORS}{table}{AFTER_ERRORS}{after}");
        fs::write(path(), whole).unwrap();
    } else {
        assert!(
            written == table,
            "the table in docs/api.md is old: run `make generate`"
        );
    }
}

/// A token of the dealership of the examples, once it is there: what an example makes or revokes does not end the next.
async fn token(client: &Client, api: &str) -> String {
    let asked = client
        .post(format!("{api}/dealerships/loja-1/token"))
        .bearer_auth(ADMIN);
    let answer: Value = asked.send().await.unwrap().json().await.unwrap();
    answer["token"].as_str().unwrap_or("none-yet").to_owned()
}

/// The key of the user of the examples, as the first answer about them carries it.
async fn key(client: &Client, api: &str, car: &str) -> String {
    let given = json!({"user_id": "maria", "car_id": car, "action": "compared"});
    let asked = client.post(format!("{api}/feedback")).json(&given);
    let answer: Value = asked.send().await.unwrap().json().await.unwrap();
    answer["user_key"].as_str().expect("a key").to_owned()
}

/// Prevents an example that a reader types from doing something else than the document says.
#[tokio::test(flavor = "multi_thread")]
async fn every_example_answers_as_documented() {
    let admins = AdminFile::new();
    let file = admins.path();
    let service = ServingProcess::start(&["--limits", "off", "--admin-token-file", file.to_str().unwrap()]);
    let api = format!("http://{}", service.address);
    let client = Client::new();
    let car = "amostra-renault-kwid-1-0-2";
    let key = key(&client, &api, car).await;
    let folder = tempfile::tempdir().unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for car in ["argo-17", "argo-18"] {
        writeln!(packed, "{}", row(car, 61_990)).unwrap();
    }
    fs::write(folder.path().join("estoque.ndjson.gz"), packed.finish().unwrap()).unwrap();

    let examples = examples(&text());
    assert!(examples.len() > 20);
    for Example { status, script } in examples {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &format!("{CURL}\n{script}")])
            .current_dir(folder.path())
            .env("API", &api)
            .env("ADMIN", ADMIN)
            .env("TOKEN", token(&client, &api).await)
            .env("CAR", car)
            .env("KEY", &key)
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{script}\n{out}\n{err}");
        assert_eq!(err.trim(), status.to_string(), "{script}\n{out}");
    }
}
