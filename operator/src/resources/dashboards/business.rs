//! What buyers get: recommendations, how well they fit, and the stock that they come from.

use super::board::{Board, Panel, Row};

pub(super) fn board() -> Board {
    Board {
        word: "business",
        title: "business",
        description: "What buyers get: how many recommendations, how well the cars fit, what buyers do next, which wishes no car meets, and the stock behind it.",
        rows: vec![recommendations(), fit(), interest(), stock()],
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
                "Difference within an answer",
                "percentunit",
                &[(
                    "sum(rate(recommendation_diversity_score_sum{§}[$__rate_interval])) / sum(rate(recommendation_diversity_score_count{§}[$__rate_interval]))",
                    "mean",
                )],
            )
            .about("How much the cars of an answer differ from each other. Close to zero buyers see the same car again and again."),
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

fn interest() -> Row {
    Row {
        title: "Interest",
        panels: vec![
            Panel::stat("Conversations opened", "short", "sum(increase(whatsapp_clicks_total{§}[$__range])) or vector(0)")
                .about("Conversations with sellers that buyers opened in WhatsApp, in the time that is shown.")
                .width(6),
            Panel::stat(
                "Click-through",
                "percentunit",
                "(sum(increase(whatsapp_clicks_total{§}[$__range])) or vector(0)) / sum(increase(recommendations_total{§}[$__range]))",
            )
            .about("Conversations opened for each questionnaire answered, in the time that is shown.")
            .width(6),
            Panel::stat("Interactions lost", "short", "sum(increase(interactions_dropped_total{§}[$__range]))")
                .about("What buyers did and nobody kept, in the time that is shown: Redis was away for longer than replicas remember.")
                .width(6)
                .thresholds(1.0, 100.0),
            Panel::stat("Interactions waiting", "short", "sum(interactions_buffered{§})")
                .about("What buyers did and replicas have not yet handed to Redis. A number that grows means that Redis is away.")
                .width(6)
                .thresholds(1_000.0, 10_000.0),
            Panel::graph(
                "What buyers do",
                "reqps",
                &[("sum by (type) (rate(interactions_total{§}[$__rate_interval]))", "{{type}}")],
            )
            .about("Interactions and feedback that were kept, each second, by what the buyer did."),
            Panel::graph(
                "Dealerships that buyers write to",
                "short",
                &[("topk(10, sum by (dealership) (increase(whatsapp_clicks_total{§}[1h])))", "{{dealership}}")],
            )
            .about("The ten dealerships with the most conversations opened within an hour."),
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
