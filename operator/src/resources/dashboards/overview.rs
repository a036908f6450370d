//! The dashboard to look at first: is it well, how much is asked of it, how does it answer.

use super::{
    board::{Board, Panel, Row},
    system_query,
};

pub(super) fn board() -> Board {
    Board {
        word: "overview",
        title: "overview",
        description: "Whether the system is well: health, traffic, errors, latency, saturation and what is left of the error budget.",
        rows: vec![health(), traffic(), latency(), saturation()],
    }
}

fn health() -> Row {
    let budget = "1 - (sum(rate(http_requests_total{§,status=~\"5..\"}[30d])) or vector(0)) / sum(rate(http_requests_total{§}[30d])) / 0.005";
    let firing = system_query("count(ALERTS{§,alertstate=\"firing\"}) or vector(0)");
    Row {
        title: "Health",
        panels: vec![
            Panel::stat("Replicas that answer", "short", "sum(up{§})")
                .about("Replicas whose metrics Prometheus could read last time. None: alert ApiDown.")
                .thresholds(2.0, 1.0),
            Panel::stat("Redis", "none", "min(redis_up{§})")
                .about("Whether every replica reaches Redis. Down: recommendations go on from memory, nothing is kept.")
                .words(&[("0", "down"), ("1", "up")])
                .thresholds(1.0, 0.5),
            Panel::stat("Requests", "reqps", "sum(rate(http_requests_total{§}[$__rate_interval]))")
                .about("Requests answered each second, by all replicas together."),
            Panel::stat(
                "Failed requests",
                "percentunit",
                "(sum(rate(http_requests_total{§,status=~\"5..\"}[$__rate_interval])) or vector(0)) / sum(rate(http_requests_total{§}[$__rate_interval]))",
            )
            .about("Share of requests answered with a status of 500 or more. The objective is less than 0.5 %.")
            .thresholds(0.005, 0.05),
            Panel::stat("Error budget left", "percentunit", budget)
                .about("What is left of the failures that 30 days may have at an objective of 99.5 %. Below zero the objective is missed.")
                .thresholds(0.5, 0.1),
            Panel::stat("Alerts", "short", &firing)
                .about("Alerts about this system that fire now; the dashboard Alerts and SLO lists them.")
                .thresholds(1.0, 3.0),
        ],
    }
}

fn traffic() -> Row {
    Row {
        title: "Traffic",
        panels: vec![
            Panel::graph(
                "Requests by route",
                "reqps",
                &[("sum by (route) (rate(http_requests_total{§}[$__rate_interval]))", "{{route}}")],
            )
            .about("Requests answered each second, by the route that answers them."),
            Panel::graph(
                "Requests by status",
                "reqps",
                &[("sum by (status) (rate(http_requests_total{§}[$__rate_interval]))", "{{status}}")],
            )
            .about("Requests answered each second, by status. 429 are clients that ask too often, 503 mean that Redis is away."),
        ],
    }
}

fn latency() -> Row {
    Row {
        title: "Latency and errors",
        panels: vec![
            Panel::graph(
                "Response time",
                "s",
                &[
                    ("histogram_quantile(0.50, sum by (le) (rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\"}[$__rate_interval])))", "p50"),
                    ("histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\"}[$__rate_interval])))", "p95"),
                    ("histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\"}[$__rate_interval])))", "p99"),
                ],
            )
            .about("Time to answer, PUT, PATCH and DELETE apart: those carry a dealer's whole stock. The objective is 95 % under 500 ms.")
            .thresholds(0.5, 1.0),
            Panel::graph(
                "Failed requests by route",
                "percentunit",
                &[(
                    "sum by (route) (rate(http_requests_total{§,status=~\"5..\"}[$__rate_interval])) / sum by (route) (rate(http_requests_total{§}[$__rate_interval]))",
                    "{{route}}",
                )],
            )
            .about("Share of requests of each route answered with a status of 500 or more; a route without failures has no line.")
            .thresholds(0.005, 0.05),
        ],
    }
}

fn saturation() -> Row {
    Row {
        title: "Saturation",
        panels: vec![
            Panel::graph(
                "CPU",
                "short",
                &[("rate(process_cpu_seconds_total{§}[$__rate_interval])", "{{pod}}")],
            )
            .about("Cores in use by each replica. The autoscaler adds replicas when the mean passes its target.")
            .width(8),
            Panel::graph("Memory", "bytes", &[("process_resident_memory_bytes{§}", "{{pod}}")])
                .about("Memory that each replica really holds. At its limit the node ends it.")
                .width(8),
            Panel::graph("Requests in flight", "short", &[("http_requests_in_flight{§}", "{{pod}}")])
                .about("Requests that have no answer yet. A number that grows means that answers come later than questions.")
                .width(8),
        ],
    }
}
