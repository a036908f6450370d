//! Alerts and dashboards, held against promtool and against what the service really exposes.
//!
//! Tests that need promtool are left out of a plain `cargo test`; `make test-alerts` finds one and runs
//! them.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use faciliauto_operator::resources::dashboards;
use faciliauto_service::{clock::Clock, configuration::Settings, startup::Application};
use serde_json::{Value, json};

use crate::golden::{rendered, repository};

/// What Prometheus makes itself.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];

/// The alerts of one system, as Prometheus reads them.
fn alert_groups() -> Value {
    let sample = repository().join("manifests/samples/minimal.yaml");
    let documents: Vec<Value> = serde_yaml::from_multiple(&rendered(&sample)).expect("YAML");
    documents
        .into_iter()
        .find(|object| object["kind"] == "PrometheusRule")
        .expect("alerts")["spec"]
        .take()
}

/// The alerts about the operator itself.
fn operator_alert_groups() -> Value {
    let file = repository().join("manifests/monitoring/prometheus-rule.yaml");
    let text = fs::read_to_string(file).expect("the alerts");
    let mut rule: Value = serde_yaml::from_str(&text).expect("YAML");
    rule["spec"].take()
}

fn alerts() -> Vec<Value> {
    alerts_of(&alert_groups())
}

fn alerts_of(groups: &Value) -> Vec<Value> {
    let groups = groups["groups"].as_array().expect("groups").iter();
    groups
        .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// Every query of every dashboard of a system, with the place where it stands.
pub(crate) fn dashboard_queries() -> Vec<(String, String)> {
    queries_of(dashboards::documents("faciliauto", "faciliauto"))
}

/// The same of the dashboard about the operator.
pub(crate) fn operator_dashboard_queries() -> Vec<(String, String)> {
    queries_of(vec![(
        "operator",
        dashboards::operator_document("faciliauto-system"),
    )])
}

fn queries_of(documents: Vec<(&'static str, Value)>) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for (word, document) in documents {
        for panel in document["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{word}: {}", panel["title"]);
                queries.push((place, target["expr"].as_str().expect("a query").to_owned()));
            }
        }
        for variable in document["templating"]["list"].as_array().expect("variables") {
            // label_values(SERIES, LABEL)
            let text = variable["query"]["query"]
                .as_str()
                .and_then(|text| text.strip_prefix("label_values("));
            if let Some((series, _)) = text.and_then(|text| text.rsplit_once(", ")) {
                queries.push((
                    format!("{word}: variable {}", variable["name"]),
                    series.to_owned(),
                ));
            }
        }
    }
    queries
}

/// Names of the metrics that a query reads. Each of ours is followed by its labels, which a test of
/// the queries themselves could not tell from a function otherwise.
fn metrics_of(query: &str) -> BTreeSet<String> {
    query
        .match_indices('{')
        .map(|(at, _)| {
            let before = &query[..at];
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            before
                .rsplit(|letter| !is_part(letter))
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

/// Names of the metrics that the service registers: its own page, and what its source names for what
/// that page shows only after something has happened.
async fn exposed() -> BTreeSet<String> {
    let environment = [
        ("FACILIAUTO_LISTEN", "127.0.0.1:0"),
        ("FACILIAUTO_METRICS_LISTEN", "127.0.0.1:0"),
        // Nothing listens on port 1: `redis_up` is there all the same.
        ("FACILIAUTO_REDIS_URL", "redis://api@127.0.0.1:1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::parse(["faciliauto-service"], environment).expect("settings");
    let application = Application::build(settings, Clock::system())
        .await
        .expect("an application");
    let metrics = application.metrics_address().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(application.run(async move {
        let _ = stopped.await;
    }));
    let page = crate::contract::page(metrics, "/metrics".to_owned()).await;
    stop.send(()).expect("it still runs");
    running.await.expect("no panic").expect("a clean end");
    let source = |file: &str| fs::read_to_string(repository().join("service/src").join(file)).expect(file);
    let mut names = with_suffixes(&page, &source("metrics.rs"));
    for file in ["metrics.rs", "metrics/store_server.rs"] {
        names.extend(collected(&source(file)));
    }
    names
}

/// Names of what the page shows only after a stock was loaded or a Redis has answered: each stands before
/// its description, and that before its unit.
fn collected(source: &str) -> BTreeSet<String> {
    let words: Vec<_> = source.split('"').collect();
    let mut names = BTreeSet::new();
    for part in words.windows(4) {
        let after = part[3].split_once('\n').map_or("", |(_, rest)| rest.trim_start());
        for (unit, suffix) in [
            ("Some(&Unit::Bytes)", "_bytes"),
            ("Some(&Unit::Seconds)", "_seconds"),
            ("None,", ""),
        ] {
            if after.starts_with(unit) {
                names.insert(format!("{}{suffix}", part[0]));
            }
        }
    }
    names
}

/// The series' names: a counter ends in `_total`, a histogram has three.
fn with_suffixes(page: &str, source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in page.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            add(&mut names, name, kind);
        }
    }
    // A family without a series has no line on the page: its name, and its unit, stand in the source.
    let words: Vec<_> = source.split('"').collect();
    for pair in words.windows(2).filter(|pair| {
        pair[0].trim_end().ends_with("register(") || pair[0].trim_end().ends_with("register_with_unit(")
    }) {
        let unit = if pair[0].trim_end().ends_with("register_with_unit(") {
            "_seconds"
        } else {
            ""
        };
        for kind in ["counter", "histogram"] {
            add(&mut names, &format!("{}{unit}", pair[1]), kind);
        }
    }
    names
}

fn add(names: &mut BTreeSet<String>, name: &str, kind: &str) {
    match kind {
        "counter" => drop(names.insert(format!("{name}_total"))),
        "histogram" => names.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}"))),
        _ => drop(names.insert(name.to_owned())),
    }
}

/// Prevents: an alert that never fires and a panel that is empty for ever, because the metric has
/// another name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_that_are_asked_for_exist() {
    let exposed = exposed().await;
    assert!(exposed.len() > 20, "{exposed:?}");
    let alerts = alerts();
    let of_alerts = alerts.iter().map(|alert| {
        let text = |field: &str| alert[field].as_str().expect("text").to_owned();
        (text("alert"), text("expr"))
    });
    for (place, query) in of_alerts.chain(dashboard_queries()) {
        let names = metrics_of(&query);
        assert!(!names.is_empty(), "{place}: {query}");
        for name in names {
            assert!(
                exposed.contains(&name) || OF_PROMETHEUS.contains(&name.as_str()),
                "{place}: {name} is exposed by nobody: {query}"
            );
        }
    }
}

/// Prevents: a call at night about something for which there is no page.
#[test]
fn every_alert_says_what_is_wrong_and_where_to_read_on() {
    let alerts = alerts();
    let names: BTreeSet<_> = alerts
        .iter()
        .map(|alert| alert["alert"].as_str().expect("a name"))
        .collect();
    let expected = [
        "ApiDown",
        "ErrorBudgetBurn",
        "HighErrorRate",
        "HighMemoryUsage",
        "HighResponseTime",
        "LowCacheHitRate",
        "RedisDown",
        "StockStale",
    ];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(alerts.len(), 7 + 8, "two objectives over four windows");
    let of_the_operator = alerts_of(&operator_alert_groups());
    assert_eq!(of_the_operator.len(), 5);
    let metrics = fs::read_to_string(repository().join("operator/src/metrics.rs")).expect("the source");
    let queries = of_the_operator
        .iter()
        .map(|alert| alert["expr"].as_str().expect("a query").to_owned());
    for query in queries.chain(operator_dashboard_queries().into_iter().map(|(_, query)| query)) {
        let names = metrics_of(&query);
        assert!(!names.is_empty(), "{query}");
        for name in names {
            let suffixes = ["_total", "_bucket", "_seconds", "_bytes"];
            let name = suffixes
                .iter()
                .fold(name.as_str(), |name, suffix| name.trim_end_matches(suffix));
            assert!(
                metrics.contains(&format!("\"{name}\"")),
                "{name} is exposed by nobody: {query}"
            );
        }
    }
    for alert in alerts.into_iter().chain(of_the_operator) {
        let severity = alert["labels"]["severity"].as_str().expect("a severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{alert}");
        for text in ["summary", "description"] {
            assert!(
                alert["annotations"][text].as_str().expect(text).len() > 20,
                "{alert}"
            );
        }
        let url = alert["annotations"]["runbook_url"].as_str().expect("a page");
        let (_, page) = url.split_once("/blob/main/").expect("a page of this repository");
        let page =
            fs::read_to_string(repository().join(page)).unwrap_or_else(|error| panic!("{url}: {error}"));
        for heading in ["## Look", "## Do"] {
            assert!(page.contains(heading), "{url} lacks {heading}");
        }
    }
}

/// Prevents: a case of an alert that nobody tried: each must be shown firing, and each silent.
#[test]
fn every_alert_is_tried_both_ways() {
    let mut tests = Vec::new();
    for file in [cases(), operator_cases()] {
        let text = fs::read_to_string(file).expect("the cases");
        let cases: Value = serde_yaml::from_str(&text).expect("YAML");
        tests.extend(cases["tests"].as_array().expect("tests").clone());
    }
    let mut seen: BTreeMap<String, (bool, bool)> = BTreeMap::new();
    for test in &tests {
        for case in test["alert_rule_test"].as_array().expect("cases") {
            let name = case["alertname"].as_str().expect("a name").to_owned();
            let fires = case["exp_alerts"]
                .as_array()
                .is_some_and(|alerts| !alerts.is_empty());
            let seen = seen.entry(name).or_default();
            seen.0 |= fires;
            seen.1 |= !fires;
        }
    }
    for alert in alerts().into_iter().chain(alerts_of(&operator_alert_groups())) {
        let name = alert["alert"].as_str().expect("a name");
        assert_eq!(seen.get(name), Some(&(true, true)), "{name}: (fires, is silent)");
    }
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alerts/cases.yaml")
}

fn operator_cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alerts/operator-cases.yaml")
}

/// A folder of this test's own.
fn folder(purpose: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("faciliauto-{purpose}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn promtool(arguments: &[&str], folder: &Path) {
    let program = env::var("PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let output = Command::new(&program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; `make test-alerts` finds one"));
    assert!(
        output.status.success(),
        "promtool {arguments:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Prevents: an alert that fires without a cause, or stays silent with one.
#[test]
#[ignore = "needs promtool: make test-alerts"]
fn promtool_sees_alerts_fire_when_they_should_and_only_then() {
    for (word, groups, cases) in [
        ("system", alert_groups(), cases()),
        ("operator", operator_alert_groups(), operator_cases()),
    ] {
        let folder = folder(&format!("alerts-{word}"));
        fs::write(folder.join("rules.yaml"), groups.to_string()).expect("the rules");
        fs::copy(cases, folder.join("cases.yaml")).expect("the cases");
        promtool(&["check", "rules", "rules.yaml"], &folder);
        promtool(&["test", "rules", "cases.yaml"], &folder);
        fs::remove_dir_all(folder).expect("the folder goes");
    }
}

/// Prevents: a panel that shows an error in place of a graph.
#[test]
#[ignore = "needs promtool: make test-alerts"]
fn promtool_understands_every_query_of_the_dashboards() {
    let folder = folder("dashboards");
    let mut queries = dashboard_queries();
    queries.extend(operator_dashboard_queries());
    assert!(queries.len() > 60, "{}", queries.len());
    // A query becomes a rule, which promtool parses as Prometheus would.
    let rules: Vec<_> = queries
        .iter()
        .enumerate()
        .map(|(number, (_, query))| {
            let query = query.replace("$__rate_interval", "2m").replace("$__range", "6h");
            assert!(!query.contains("[$"), "{query}");
            json!({"record": format!("query:{number}"), "expr": query})
        })
        .collect();
    let groups = json!({"groups": [{"name": "queries", "rules": rules}]});
    fs::write(folder.join("queries.yaml"), groups.to_string()).expect("the queries");
    promtool(&["check", "rules", "queries.yaml"], &folder);
    fs::remove_dir_all(folder).expect("the folder goes");
}
