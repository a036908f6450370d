//! Where the time goes: by route, in the engine, in the cache, on the processor.

use super::board::{Board, Panel, Row};

pub(super) fn board() -> Board {
    Board {
        word: "performance",
        title: "performance",
        description: "Where the time goes: response time by route, the engine, the cache, limits, Redis, CPU and memory.",
        rows: vec![routes(), engine(), cache(), redis(), process()],
    }
}

fn routes() -> Row {
    let by_route = |title, text: &'static str, about| {
        Panel::graph(title, "s", &[(text, "{{method}} {{route}}")])
            .about(about)
            .width(8)
    };
    Row {
        title: "Response time by route",
        panels: vec![
            by_route(
                "Median",
                "histogram_quantile(0.50, sum by (le, method, route) (rate(http_request_duration_seconds_bucket{§}[$__rate_interval])))",
                "Half of the requests of a route are answered faster.",
            ),
            by_route(
                "95th percentile",
                "histogram_quantile(0.95, sum by (le, method, route) (rate(http_request_duration_seconds_bucket{§}[$__rate_interval])))",
                "One request in twenty of a route takes longer. Over a second for all routes together: alert HighResponseTime.",
            ),
            by_route(
                "99th percentile",
                "histogram_quantile(0.99, sum by (le, method, route) (rate(http_request_duration_seconds_bucket{§}[$__rate_interval])))",
                "One request in a hundred of a route takes longer.",
            ),
            Panel::graph(
                "Requests slower than 500 ms",
                "percentunit",
                &[(
                    "1 - sum by (method, route) (rate(http_request_duration_seconds_bucket{§,le=\"0.5\"}[$__rate_interval])) / sum by (method, route) (rate(http_request_duration_seconds_count{§}[$__rate_interval]))",
                    "{{method}} {{route}}",
                )],
            )
            .about("Share of the requests of each route that miss the objective.")
            .thresholds(0.05, 0.2),
            Panel::graph(
                "Requests by replica",
                "reqps",
                &[("sum by (pod) (rate(http_requests_total{§}[$__rate_interval]))", "{{pod}}")],
            )
            .about("Requests answered each second by each replica. Lines that are far apart mean that clients hold on to a connection."),
        ],
    }
}

fn engine() -> Row {
    Row {
        title: "Engine",
        panels: vec![
            Panel::graph(
                "Time of a recommendation",
                "s",
                &[
                    ("histogram_quantile(0.50, sum by (le) (rate(recommendation_duration_seconds_bucket{§}[$__rate_interval])))", "p50"),
                    ("histogram_quantile(0.95, sum by (le) (rate(recommendation_duration_seconds_bucket{§}[$__rate_interval])))", "p95"),
                    ("histogram_quantile(0.99, sum by (le) (rate(recommendation_duration_seconds_bucket{§}[$__rate_interval])))", "p99"),
                ],
            )
            .about("Time that the engine takes for a questionnaire, without HTTP. It grows with the number of cars."),
            Panel::graph(
                "Recommendations computed",
                "reqps",
                &[
                    ("sum(rate(recommendation_duration_seconds_count{§}[$__rate_interval]))", "computed"),
                    ("sum(rate(cache_hits_total{§}[$__rate_interval]))", "from the cache"),
                ],
            )
            .about("Questionnaires answered each second, computed anew or with an answer made before."),
        ],
    }
}

fn cache() -> Row {
    Row {
        title: "Cache and limits",
        panels: vec![
            Panel::graph(
                "Hits",
                "percentunit",
                &[(
                    "sum(rate(cache_hits_total{§}[$__rate_interval])) / (sum(rate(cache_hits_total{§}[$__rate_interval])) + sum(rate(cache_misses_total{§}[$__rate_interval])))",
                    "hits",
                )],
            )
            .about("Share of questionnaires answered with an answer made before.")
            .width(8),
            Panel::graph(
                "Misses by reason",
                "reqps",
                &[("sum by (reason) (rate(cache_misses_total{§}[$__rate_interval]))", "{{reason}}")],
            )
            .about("Answers that had to be made: never asked before, asked of an older stock, expired or evicted. Only the last two are the cache's fault.")
            .width(8),
            Panel::graph(
                "Requests refused",
                "reqps",
                &[("sum by (class) (rate(rate_limited_total{§}[$__rate_interval]))", "{{class}}")],
            )
            .about("Requests answered with 429 because their address asked too often, by the limit that they met.")
            .width(8),
            Panel::graph(
                "Who counts requests",
                "reqps",
                &[("sum by (decider) (rate(rate_limit_decisions_total{§}[$__rate_interval]))", "{{decider}}")],
            )
            .about("Decisions about limits by all replicas through Redis, or by each alone while Redis is late or away.")
            .width(8),
            Panel::graph("Redis as replicas see it", "none", &[("redis_up{§}", "{{pod}}")])
                .about("1 while a replica reaches Redis, 0 while it does not.")
                .width(8),
            Panel::graph("Open files", "short", &[("process_open_fds{§}", "{{pod}}")])
                .about("Files and sockets that each replica has open; mostly connections of clients.")
                .width(8),
        ],
    }
}

fn redis() -> Row {
    Row {
        title: "Redis",
        panels: vec![
            Panel::graph(
                "Time of a command",
                "s",
                &[
                    ("histogram_quantile(0.50, sum by (le) (rate(redis_command_duration_seconds_bucket{§}[$__rate_interval])))", "p50"),
                    ("histogram_quantile(0.99, sum by (le) (rate(redis_command_duration_seconds_bucket{§}[$__rate_interval])))", "p99"),
                ],
            )
            .about("Time that replicas wait for Redis, answered or not. A rise of both is Redis, of p99 alone mostly the network.")
            .width(8),
            Panel::graph("Memory", "bytes", &[("max(redis_memory_used_bytes{§})", "used")])
                .about("Memory that Redis has taken. A managed Redis keeps its data under half of its memory limit.")
                .width(8),
            Panel::graph(
                "Keys dropped",
                "short",
                &[("max(increase(redis_evicted_keys{§}[$__rate_interval]))", "dropped")],
            )
            .about("Keys that Redis dropped to make room. Only what can be made again is ever dropped; many mean too little memory.")
            .width(8),
            Panel::graph(
                "Time since Redis last wrote all",
                "s",
                &[("time() - max(redis_last_save_timestamp_seconds{§})", "last save")],
            )
            .about("Age of what Redis last wrote whole to its disk. Its log of changes is written all the time beside that.")
            .width(8),
        ],
    }
}

fn process() -> Row {
    Row {
        title: "Process",
        panels: vec![
            Panel::graph(
                "CPU",
                "short",
                &[("rate(process_cpu_seconds_total{§}[$__rate_interval])", "{{pod}}")],
            )
            .about("Cores in use by each replica.")
            .width(8),
            Panel::graph(
                "Memory",
                "bytes",
                &[("process_resident_memory_bytes{§}", "{{pod}}")],
            )
            .about("Memory that each replica really holds.")
            .width(8),
            Panel::graph(
                "Time since the start",
                "s",
                &[("time() - process_start_time_seconds{§}", "{{pod}}")],
            )
            .about("A line that falls to zero is a replica that began anew.")
            .width(8),
        ],
    }
}
