//! The operator itself: whether it keeps up, and what it asks of the API server. It comes once, with the install.

use super::board::{Board, Panel, Row};

pub(super) fn board() -> Board {
    Board {
        word: "operator",
        title: "operator",
        description: "Whether the operator keeps up: who leads, what it looks after, how its looks go, what it asks of \
                      the API server, and how fresh its watches are.",
        rows: vec![now(), looks(), api_server(), watches(), process()],
    }
}

fn now() -> Row {
    Row {
        title: "Now",
        panels: vec![
            Panel::stat("Leaders", "none", "sum(faciliauto_leader{¶}) or vector(0)")
                .about("Processes that hold the lease. One is right; none for five minutes: alert OperatorDown.")
                .thresholds(1.0, 0.5),
            Panel::stat("Ready", "none", "max(faciliauto_resources{¶,ready=\"True\"})")
                .about("Systems whose condition Ready is True."),
            Panel::stat("Not ready", "none", "max(faciliauto_resources{¶,ready=\"False\"})")
                .about("Systems whose condition Ready is False; kubectl get fad -A shows which, and why.")
                .thresholds(1.0, 5.0),
            Panel::stat("Not judged yet", "none", "max(faciliauto_resources{¶,ready=\"Unknown\"})")
                .about("Systems without a condition Ready. More than a moment after they were made, nobody looks at them.")
                .thresholds(1.0, 5.0),
            Panel::stat("Paused", "none", "max(faciliauto_paused_resources{¶})")
                .about("Systems with spec.paused: what is declared of them is not what runs, by somebody's wish.")
                .thresholds(1.0, 20.0),
            Panel::stat(
                "Failed looks",
                "none",
                "sum(increase(faciliauto_reconcile_errors_total{¶}[1h])) or vector(0)",
            )
            .about("Looks at systems that failed within the last hour. By category below; again and again: alert ReconcileErrors.")
            .thresholds(1.0, 60.0),
        ],
    }
}

fn looks() -> Row {
    Row {
        title: "Looks at systems",
        panels: vec![
            Panel::graph(
                "Looks",
                "reqps",
                &[("sum by (pod) (rate(faciliauto_reconciliations_total{¶}[$__rate_interval]))", "{{pod}}")],
            )
            .about("Looks each second. With nothing to do it is one every few minutes for each system; a steady rise is a quarrel with somebody else's controller.")
            .width(8),
            Panel::graph(
                "Time of a look",
                "s",
                &[
                    ("histogram_quantile(0.50, sum by (le) (rate(faciliauto_reconcile_duration_seconds_bucket{¶}[$__rate_interval])))", "p50"),
                    ("histogram_quantile(0.99, sum by (le) (rate(faciliauto_reconcile_duration_seconds_bucket{¶}[$__rate_interval])))", "p99"),
                ],
            )
            .about("Milliseconds when nothing has changed; with changes it is the API server's time.")
            .width(8),
            Panel::graph(
                "Failed looks by category",
                "reqps",
                &[("sum by (category) (rate(faciliauto_reconcile_errors_total{¶}[$__rate_interval]))", "{{category}}")],
            )
            .about("What failed: reading what a system refers to, applying, or writing the status. What a person must change in a system is shown by its condition Stalled.")
            .width(8),
        ],
    }
}

fn api_server() -> Row {
    Row {
        title: "API server",
        panels: vec![
            Panel::graph(
                "Requests by verb",
                "reqps",
                &[("sum by (verb) (rate(faciliauto_api_requests_total{¶}[$__rate_interval]))", "{{verb}}")],
            )
            .about("What the operator asks of the API server. With nothing to do it renews its lease and watches, and reads Secrets by name."),
            Panel::graph(
                "Writes by kind",
                "reqps",
                &[(
                    "sum by (verb, kind) (rate(faciliauto_api_requests_total{¶,verb=~\"patch|create|delete|update\",kind!=\"leases\"}[$__rate_interval]))",
                    "{{verb}} {{kind}}",
                )],
            )
            .about("Writes, the lease apart. At rest there are none: what never ends here is changed back by somebody else."),
        ],
    }
}

fn watches() -> Row {
    Row {
        title: "Watches",
        panels: vec![
            Panel::graph(
                "Age",
                "s",
                &[("max by (kind) (faciliauto_watch_age_seconds{¶})", "{{kind}}")],
            )
            .about("Time since a watch was begun or renewed, which happens every five minutes. Over fifteen: alert WatchStalled.")
            .thresholds(600.0, 900.0),
            Panel::graph(
                "Failures",
                "reqps",
                &[("sum by (kind) (rate(faciliauto_watch_errors_total{¶}[$__rate_interval]))", "{{kind}}")],
            )
            .about("Watches that failed and were begun again. A few are an API server that restarts; many of one kind are rights that are missing."),
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
                &[("rate(process_cpu_seconds_total{¶}[$__rate_interval])", "{{pod}}")],
            )
            .about("Cores in use by each process.")
            .width(8),
            Panel::graph(
                "Memory",
                "bytes",
                &[("process_resident_memory_bytes{¶}", "{{pod}}")],
            )
            .about(
                "Memory that each process really holds. It grows with the number of objects that it watches.",
            )
            .width(8),
            Panel::graph(
                "Time since the start",
                "s",
                &[("time() - process_start_time_seconds{¶}", "{{pod}}")],
            )
            .about("A line that falls to zero is a process that began anew.")
            .width(8),
        ],
    }
}
