//! Alerts about one system, as a PrometheusRule. Every alert has a severity to route it by, says what
//! is wrong in words, and points at a page that says what to do.
//!
//! Series are those of the API's Service: `namespace` and `service` are the labels that a ServiceMonitor
//! gives them.

use std::collections::BTreeMap;

use super::{
    Kind,
    third_party::{Alert, PrometheusRuleSpec, RuleGroup, ThirdParty},
};
use crate::{
    names,
    reconcile::validate::{Alerts, Owner, Validated},
};

/// Where the pages of `docs/runbooks` are read.
const RUNBOOKS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/runbooks");

/// Share of requests that may fail: the objective is 99.5 %.
const ERROR_BUDGET: &str = "0.005";

/// Share of requests that may take longer than half a second: the objective is 95 %.
const LATENCY_BUDGET: &str = "0.05";

/// Requests of dealers that carry a whole stock take as long as it is large: no latency is promised.
pub(crate) const NOT_BULK: &str = "method!~\"PUT|PATCH|DELETE\"";

/// How fast an error budget of 30 days is used up, over which windows, and how bad that is. The short
/// window ends an alert soon after its cause. From the Site Reliability Workbook, chapter 5.
const BURN_RATES: [Burn; 4] = [
    Burn {
        rate: "14.4",
        long: "1h",
        short: "5m",
        lasting: "2m",
        severity: "critical",
    },
    Burn {
        rate: "6",
        long: "6h",
        short: "30m",
        lasting: "15m",
        severity: "critical",
    },
    Burn {
        rate: "3",
        long: "1d",
        short: "2h",
        lasting: "1h",
        severity: "warning",
    },
    Burn {
        rate: "1",
        long: "3d",
        short: "6h",
        lasting: "3h",
        severity: "warning",
    },
];

struct Burn {
    rate: &'static str,
    long: &'static str,
    short: &'static str,
    lasting: &'static str,
    severity: &'static str,
}

pub(crate) fn build(validated: &Validated, alerts: &Alerts) -> ThirdParty<PrometheusRuleSpec> {
    let Alerts { memory_bytes, labels } = alerts;
    let owner = &validated.owner;
    let series = series_of(owner);
    let spec = PrometheusRuleSpec {
        groups: vec![
            RuleGroup {
                name: format!("{}.api", owner.name),
                rules: api(owner, &series, *memory_bytes),
            },
            RuleGroup {
                name: format!("{}.state", owner.name),
                rules: state(owner, &series),
            },
            RuleGroup {
                name: format!("{}.objectives", owner.name),
                rules: objectives(owner, &series),
            },
        ],
    };
    ThirdParty::new(
        Kind::PrometheusRule,
        owner,
        names::MONITORING,
        labels,
        &Default::default(),
        spec,
    )
}

/// The labels that all series of one system carry.
fn series_of(owner: &Owner) -> String {
    format!("namespace=\"{}\",service=\"{}\"", owner.namespace, owner.name)
}

fn api(owner: &Owner, series: &str, memory_bytes: i128) -> Vec<Alert> {
    let by = "by (namespace, service)";
    vec![
        alert(
            owner,
            "ApiDown",
            "critical",
            "1m",
            format!("sum {by} (up{{{series}}}) == 0 or absent(up{{{series}}})"),
            "No replica of the API answers",
            "Prometheus reached none of the API's replicas for a minute: buyers get no recommendations.",
        ),
        alert(
            owner,
            "HighErrorRate",
            "critical",
            "5m",
            format!(
                "sum {by} (rate(http_requests_total{{{series},status=~\"5..\"}}[5m])) / sum {by} (rate(http_requests_total{{{series}}}[5m])) > 0.05"
            ),
            "More than 5 % of requests fail",
            "{{ $value | humanizePercentage }} of the requests of the last five minutes were answered with a status of 500 or more.",
        ),
        alert(
            owner,
            "HighResponseTime",
            "warning",
            "5m",
            format!(
                "histogram_quantile(0.95, sum by (namespace, service, le) (rate(http_request_duration_seconds_bucket{{{series},{NOT_BULK}}}[5m]))) > 1"
            ),
            "One request in twenty takes longer than a second",
            "The 95th percentile of the last five minutes is {{ $value | humanizeDuration }}.",
        ),
        alert(
            owner,
            "HighMemoryUsage",
            "warning",
            "10m",
            format!("process_resident_memory_bytes{{{series}}} > {memory_bytes}"),
            "A replica is about to run out of memory",
            "Pod {{ $labels.pod }} holds {{ $value | humanize1024 }}B, more than 1.5 GB or nine tenths of its limit: the node ends it when it passes the limit.",
        ),
        alert(
            owner,
            "LowCacheHitRate",
            "info",
            "30m",
            // What was never asked before, and a new stock, are not the cache's fault.
            format!(
                "sum {by} (rate(cache_hits_total{{{series}}}[5m])) / (sum {by} (rate(cache_hits_total{{{series}}}[5m])) + sum {by} (rate(cache_misses_total{{{series},reason=~\"evicted|expired\"}}[5m]))) < 0.8 and (sum {by} (rate(cache_hits_total{{{series}}}[5m])) + sum {by} (rate(cache_misses_total{{{series}}}[5m]))) > 1"
            ),
            "The cache of answers is too small or too short-lived",
            "Only {{ $value | humanizePercentage }} of the answers that a larger or longer-lived cache would have had were in it.",
        ),
    ]
}

fn state(owner: &Owner, series: &str) -> Vec<Alert> {
    vec![
        alert(
            owner,
            "RedisDown",
            "warning",
            "2m",
            format!("min by (namespace, service) (redis_up{{{series}}}) == 0"),
            "A replica of the API cannot reach Redis",
            "Recommendations go on from what is in memory; stock does not change, and nothing that buyers do is kept.",
        ),
        alert(
            owner,
            "StockStale",
            "warning",
            "15m",
            format!("max by (namespace, service) (catalog_age_seconds{{{series}}}) > 604800"),
            "The stock has not changed for a week",
            "The last change of any dealer's stock is {{ $value | humanizeDuration }} old: buyers see cars that may be sold.",
        ),
    ]
}

/// Alerts on how fast the error budgets are used up.
fn objectives(owner: &Owner, series: &str) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for (objective, budget, share) in [
        ("availability", ERROR_BUDGET, failed as fn(&str, &str) -> String),
        ("latency", LATENCY_BUDGET, slow),
    ] {
        for Burn {
            rate,
            long,
            short,
            lasting,
            severity,
        } in BURN_RATES
        {
            let over = |window: &str| format!("{} > {rate} * {budget}", share(series, window));
            let mut alert = alert(
                owner,
                "ErrorBudgetBurn",
                severity,
                lasting,
                format!("{} and {}", over(long), over(short)),
                &format!("The budget for {objective} goes {rate} times as fast as it may"),
                &format!(
                    "Over the last {long} {{{{ $value | humanizePercentage }}}} of the requests missed the objective of {objective}; at this pace the budget of 30 days is gone too early."
                ),
            );
            alert.labels.insert("objective".to_owned(), objective.to_owned());
            alert.labels.insert("window".to_owned(), long.to_owned());
            alerts.push(alert);
        }
    }
    alerts
}

/// Share of requests that failed.
fn failed(series: &str, window: &str) -> String {
    format!(
        "sum by (namespace, service) (rate(http_requests_total{{{series},status=~\"5..\"}}[{window}])) / sum by (namespace, service) (rate(http_requests_total{{{series}}}[{window}]))"
    )
}

/// Share of requests that took longer than half a second.
fn slow(series: &str, window: &str) -> String {
    format!(
        "(1 - sum by (namespace, service) (rate(http_request_duration_seconds_bucket{{{series},{NOT_BULK},le=\"0.5\"}}[{window}])) / sum by (namespace, service) (rate(http_request_duration_seconds_count{{{series},{NOT_BULK}}}[{window}])))"
    )
}

fn alert(
    owner: &Owner,
    name: &str,
    severity: &str,
    lasting: &str,
    expr: String,
    summary: &str,
    description: &str,
) -> Alert {
    let text = |pairs: &[(&str, String)]| -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect()
    };
    let system = format!("{}/{}", owner.namespace, owner.name);
    Alert {
        alert: name.to_owned(),
        expr,
        lasting: lasting.to_owned(),
        labels: text(&[("severity", severity.to_owned())]),
        annotations: text(&[
            ("summary", format!("{summary} ({system})")),
            ("description", description.to_owned()),
            ("runbook_url", format!("{RUNBOOKS}/{name}.md")),
        ]),
    }
}
