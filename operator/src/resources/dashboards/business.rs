//! What buyers get: recommendations, how well they fit, and the stock that they come from.

use super::board::{Board, Panel, Row};

pub(super) fn board() -> Board {
    Board {
        word: "business",
        title: "business",
        description: "What buyers get: how many recommendations, how well the cars fit, which wishes no car meets, and the stock behind it.",
        rows: vec![recommendations(), fit(), stock()],
    }
}

fn recommendations() -> Row {
    Row {
        title: "Recommendations",
        panels: vec![
            Panel::stat("Recommendations", "short", "sum(increase(recommendations_total{§}[$__range]))")
                .about("Questionnaires answered in the time that is shown.")
                .width(6),
            Panel::stat(
                "Without any car",
                "percentunit",
                "(sum(increase(recommendations_empty_total{§}[$__range])) or vector(0)) / sum(increase(recommendations_total{§}[$__range]))",
            )
            .about("Share of questionnaires that no car matched, in the time that is shown.")
            .width(6)
            .thresholds(0.05, 0.2),
            Panel::stat(
                "Mean match",
                "percentunit",
                "sum(increase(recommendation_match_score_sum{§}[$__range])) / sum(increase(recommendation_match_score_count{§}[$__range]))",
            )
            .about("How well the recommended cars fit the wishes, in the time that is shown.")
            .width(6)
            .thresholds(0.7, 0.5),
            Panel::stat("Cars on offer", "short", "max(cars_total{§})")
                .about("Cars in the catalogue that is served.")
                .width(6)
                .thresholds(1.0, 0.5),
            Panel::graph(
                "Recommendations by use",
                "reqps",
                &[("sum by (usage) (rate(recommendations_total{§}[$__rate_interval]))", "{{usage}}")],
            )
            .about("Questionnaires answered each second, by what the car is for."),
            Panel::graph(
                "Wishes that no car meets",
                "reqps",
                &[("sum by (cause) (rate(recommendations_empty_total{§}[$__rate_interval]))", "{{cause}}")],
            )
            .about("Questionnaires that no car matched each second, by the wish that excluded most cars: what the stock lacks."),
        ],
    }
}

fn fit() -> Row {
    Row {
        title: "Fit",
        panels: vec![
            Panel::graph(
                "Match of recommended cars",
                "percentunit",
                &[
                    ("histogram_quantile(0.10, sum by (le) (rate(recommendation_match_score_bucket{§}[$__rate_interval])))", "worst tenth"),
                    ("histogram_quantile(0.50, sum by (le) (rate(recommendation_match_score_bucket{§}[$__rate_interval])))", "median"),
                    ("histogram_quantile(0.90, sum by (le) (rate(recommendation_match_score_bucket{§}[$__rate_interval])))", "best tenth"),
                ],
            )
            .about("How well the recommended cars fit the wishes. A fall after a new stock means that it fits buyers less."),
            Panel::graph(
                "Cars in an answer",
                "short",
                &[(
                    "sum(rate(recommendation_match_score_count{§}[$__rate_interval])) / sum(rate(recommendations_total{§}[$__rate_interval]))",
                    "mean",
                )],
            )
            .about("Cars that a questionnaire is answered with, on the average."),
        ],
    }
}

fn stock() -> Row {
    Row {
        title: "Stock",
        panels: vec![
            Panel::graph("Cars on offer", "short", &[("max(cars_total{§})", "cars"), ("max(cars_without_image{§})", "without a picture")])
                .about("Cars in the catalogue that is served, and those that buyers see without a picture.")
                .width(8),
            Panel::graph("Age of the stock", "s", &[("catalog_age_seconds{§}", "{{pod}}")])
                .about("Time since any dealer's stock was changed. Replicas that differ do not follow; a week is alert StockStale.")
                .width(8),
            Panel::graph(
                "Changes of the stock",
                "short",
                &[("sum by (result) (increase(stock_imports_total{§}[$__rate_interval]))", "{{result}}")],
            )
            .about("Stocks that the store announced to replicas. Refused or unreadable ones are not served: the old stock stays.")
            .width(8),
        ],
    }
}
