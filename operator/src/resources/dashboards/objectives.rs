//! Alerts and service level objectives: what fires, how fast the budgets go, what is left, what was.

use super::{
    board::{Board, Panel, Row},
    system_query,
};

pub(super) fn board() -> Board {
    Board {
        word: "objectives",
        title: "alerts and SLO",
        description: "What fires now, how fast the error budgets of 30 days are used up, what is left of them, and what fired before.",
        rows: vec![alerts(), budgets(), burn_rates()],
    }
}

fn alerts() -> Row {
    Row {
        title: "Alerts",
        panels: vec![
            Panel::table(
                "Firing now",
                system_query("sum by (alertname, severity, objective, window, pod) (ALERTS{§,alertstate=\"firing\"})"),
            )
            .about("Alerts about this system that fire now. Each has a page that says what to do: docs/runbooks."),
            Panel::timeline(
                "History",
                system_query("sum by (alertname) (ALERTS{§,alertstate=\"firing\"})"),
                "{{alertname}}",
            )
            .about("When which alert fired in the time that is shown.")
            .thresholds(0.5, 1.0),
        ],
    }
}

fn budgets() -> Row {
    let failed = "1 - (sum(rate(http_requests_total{§,status=~\"5..\"}[30d])) or vector(0)) / sum(rate(http_requests_total{§}[30d])) / 0.005";
    let slow = "1 - (1 - sum(rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\",le=\"0.5\"}[30d])) / sum(rate(http_request_duration_seconds_count{§,method!~\"PUT|PATCH|DELETE\"}[30d]))) / 0.05";
    Row {
        title: "Budgets of 30 days",
        panels: vec![
            Panel::stat(
                "Availability",
                "percentunit",
                "1 - (sum(rate(http_requests_total{§,status=~\"5..\"}[30d])) or vector(0)) / sum(rate(http_requests_total{§}[30d]))",
            )
            .about("Share of the requests of 30 days that did not fail. The objective is 99.5 %.")
            .width(6)
            .thresholds(0.996, 0.995),
            Panel::stat("Left for failures", "percentunit", failed)
                .about("What is left of the failures that 30 days may have.")
                .width(6)
                .thresholds(0.5, 0.1),
            Panel::stat(
                "Under 500 ms",
                "percentunit",
                "sum(rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\",le=\"0.5\"}[30d])) / sum(rate(http_request_duration_seconds_count{§,method!~\"PUT|PATCH|DELETE\"}[30d]))",
            )
            .about("Share of the requests of 30 days answered within half a second, PUT, PATCH and DELETE apart. The objective is 95 %.")
            .width(6)
            .thresholds(0.96, 0.95),
            Panel::stat("Left for slow answers", "percentunit", slow)
                .about("What is left of the slow answers that 30 days may have.")
                .width(6)
                .thresholds(0.5, 0.1),
        ],
    }
}

fn burn_rates() -> Row {
    Row {
        title: "Burn rates",
        panels: vec![
            Panel::graph(
                "Availability",
                "none",
                &[
                    ("(sum(rate(http_requests_total{§,status=~\"5..\"}[1h])) or vector(0)) / sum(rate(http_requests_total{§}[1h])) / 0.005", "1 h"),
                    ("(sum(rate(http_requests_total{§,status=~\"5..\"}[6h])) or vector(0)) / sum(rate(http_requests_total{§}[6h])) / 0.005", "6 h"),
                    ("(sum(rate(http_requests_total{§,status=~\"5..\"}[1d])) or vector(0)) / sum(rate(http_requests_total{§}[1d])) / 0.005", "1 d"),
                    ("(sum(rate(http_requests_total{§,status=~\"5..\"}[3d])) or vector(0)) / sum(rate(http_requests_total{§}[3d])) / 0.005", "3 d"),
                ],
            )
            .about("How many times as fast as allowed the budget for failures goes, over several windows. At 1 it lasts 30 days; at 14.4 over an hour somebody is called.")
            .thresholds(1.0, 14.4),
            Panel::graph(
                "Latency",
                "none",
                &[
                    ("(1 - sum(rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\",le=\"0.5\"}[1h])) / sum(rate(http_request_duration_seconds_count{§,method!~\"PUT|PATCH|DELETE\"}[1h]))) / 0.05", "1 h"),
                    ("(1 - sum(rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\",le=\"0.5\"}[6h])) / sum(rate(http_request_duration_seconds_count{§,method!~\"PUT|PATCH|DELETE\"}[6h]))) / 0.05", "6 h"),
                    ("(1 - sum(rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\",le=\"0.5\"}[1d])) / sum(rate(http_request_duration_seconds_count{§,method!~\"PUT|PATCH|DELETE\"}[1d]))) / 0.05", "1 d"),
                    ("(1 - sum(rate(http_request_duration_seconds_bucket{§,method!~\"PUT|PATCH|DELETE\",le=\"0.5\"}[3d])) / sum(rate(http_request_duration_seconds_count{§,method!~\"PUT|PATCH|DELETE\"}[3d]))) / 0.05", "3 d"),
                ],
            )
            .about("How many times as fast as allowed the budget for slow answers goes, over several windows. The most that can be is 20: every answer slow.")
            .thresholds(1.0, 14.4),
        ],
    }
}
