//! `/metrics`: names are a contract with dashboards and alerts.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{application::TestApplication, eventually, redis_server::RedisServer};

/// Prevents a dashboard or an alert from watching a name that no longer exists.
#[tokio::test(flavor = "multi_thread")]
async fn every_promised_name_is_there() {
    let application = TestApplication::embedded().await;
    application.recommend(json!({})).await.ok();
    application
        .recommend(json!({"orcamento_min": 1, "orcamento_max": 2}))
        .await
        .ok();
    application.get("/nada/secret").await.problem(404);
    let response = application
        .client
        .get(format!("{}/metrics", application.metrics))
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = response.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"));
    for beginning in [
        "http_requests_total{method=\"POST\",route=\"/recommend\",status=\"200\"} 2",
        "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "http_request_duration_seconds_bucket{le=\"0.5\",method=\"POST\",route=\"/recommend\"} 2",
        "http_request_duration_seconds_bucket{le=\"1.0\",method=\"POST\",route=\"/recommend\"} 2",
        "http_request_duration_seconds_count{method=\"POST\",route=\"/recommend\"} 2",
        "http_requests_in_flight 0",
        "recommendations_total{usage=\"familia\"} 2",
        "recommendation_duration_seconds_count 2",
        "recommendation_match_score_count 5",
        "recommendation_diversity_score_count 1",
        "recommendations_empty_total{cause=\"orcamento_max\"} 1",
        "cars_total 378",
        "cars_without_image 378",
        "catalog_age_seconds ",
        "stock_imports_total{result=\"applied\"} 0",
        "stock_imports_total{result=\"refused\"} 0",
        "interactions_total{type=\"whatsapp_contact\"} 0",
        "interactions_buffered 0",
        "interactions_dropped_total 0",
        "rate_limited_total{class=\"recommend\"} 0",
        "rate_limited_total{class=\"stats\"} 0",
        "rate_limited_total{class=\"default\"} 0",
        "rate_limit_decisions_total{decider=\"local\"} 0",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_start_time_seconds ",
        "build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(beginning)),
            "{beginning}\n{text}"
        );
    }
    assert!(
        !text.contains("redis_"),
        "there is no Redis to be up or down, or to have figures"
    );
    assert!(!text.contains("secret"), "labels are patterns");
    let lost = application
        .client
        .get(format!("{}/nada", application.metrics))
        .send()
        .await
        .unwrap();
    assert_eq!(lost.status(), 404);
    let page = format!("{}/metrics", application.metrics);
    let head = application.client.head(&page).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.text().await.unwrap(), "");
    let posted = application.client.post(&page).send().await.unwrap();
    assert_eq!(
        (posted.status().as_u16(), &posted.headers()["allow"]),
        (405, &"GET, HEAD".parse().unwrap())
    );
}

/// Prevents the figures of the store's server from being missing, from going when it hangs, and a scrape from
/// waiting for it.
#[tokio::test(flavor = "multi_thread")]
async fn figures_of_the_store_outlive_its_server() {
    const FIGURES: [&str; 3] = [
        "redis_memory_used_bytes",
        "redis_evicted_keys",
        "redis_last_save_timestamp_seconds",
    ];
    let server = RedisServer::start();
    let application = TestApplication::on(&server.url()).await;
    let figures = async || {
        let mut figures = Vec::new();
        for name in FIGURES {
            figures.push(application.metric(name).await?);
        }
        Some(figures)
    };
    let known = eventually("the server has given figures", figures).await;
    let saved: f64 = server.ask::<i64>(&["LASTSAVE"]) as f64;
    assert!(known[0] > 100_000.0, "{known:?}");
    assert_eq!(known[1..], [0.0, saved]);
    assert!(application.metric("redis_command_duration_seconds_count").await > Some(0.0));
    server.signal("STOP");
    eventually("the server is missed", async || {
        (application.metric("redis_up").await == Some(0.0)).then_some(())
    })
    .await;
    let begun = Instant::now();
    assert_eq!(figures().await, Some(known));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    server.signal("CONT");
}
