//! Answers that are sent again.

use faciliauto_service::state::Basis;
use serde_json::json;

use crate::{
    harness::{application::TestApplication, eventually, fixtures::dealer, redis_server::RedisServer},
    state::{commit, redis_state},
};

async fn misses(application: &TestApplication, reason: &str) -> f64 {
    let series = format!("cache_misses_total{{reason=\"{reason}\"}}");
    application.metric(&series).await.expect("the counter")
}

async fn hits(application: &TestApplication) -> f64 {
    application.metric("cache_hits_total").await.expect("the counter")
}

/// Prevents the same questions from costing twice, a sent answer from going uncounted, and an income from being kept.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_questions_are_answered_from_memory() {
    let application = TestApplication::embedded().await;
    let first = application
        .recommend(json!({"tamanho_familia": 4, "limit": 3}))
        .await;
    let again = application
        .recommend(json!({"limit": 3, "tamanho_familia": 4}))
        .await;
    assert_eq!(first.text, again.text);
    assert_eq!(
        (hits(&application).await, misses(&application, "first").await),
        (1.0, 1.0)
    );
    assert_eq!(
        application
            .metric("recommendations_total{usage=\"familia\"}")
            .await,
        Some(2.0)
    );
    assert_eq!(
        application.metric("recommendation_duration_seconds_count").await,
        Some(1.0)
    );
    assert_eq!(
        application.metric("recommendation_match_score_count").await,
        Some(6.0)
    );

    let disclosed =
        json!({"financial_capacity": {"monthly_income_range": "3000-5000", "is_disclosed": true}});
    for _ in 0..2 {
        application.recommend(disclosed.clone()).await.ok();
    }
    assert_eq!(
        (hits(&application).await, misses(&application, "first").await),
        (1.0, 1.0)
    );
    let refused = application.recommend(json!({"limit": 0})).await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        application.recommend(json!({"limit": 0})).await.text.len(),
        refused.text.len()
    );
    assert_eq!(hits(&application).await, 1.0, "a refusal is no answer to keep");
}

/// Prevents a sold car from being recommended out of memory.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_outlives_its_catalogue() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    let url = server.url();
    let application =
        TestApplication::start(&[("FACILIAUTO_REDIS_URL", &url), ("FACILIAUTO_KEY_PREFIX", "test")]).await;
    let everything = json!({"orcamento_min": 0, "orcamento_max": 1_000_000});
    let of_version = async |version: &str| {
        eventually("the version is served", async || {
            let answer = application.recommend(everything.clone()).await;
            (answer.status == 200 && answer.json()["catalog_version"] == version).then_some(())
        })
        .await;
    };
    of_version(&head.version.to_string()).await;
    let next = commit(&state, Basis::Version(head.version), vec![dealer("b", 3)], &[])
        .await
        .unwrap();
    of_version(&next.version.to_string()).await;
    assert_eq!(misses(&application, "version").await, 1.0);
}

/// Prevents an answer from being sent again after its time, and a cache that was switched off from holding any.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_sent_again_for_as_long_as_was_set() {
    let short = TestApplication::start(&[("FACILIAUTO_CACHE_TTL_SECONDS", "1")]).await;
    short.recommend(json!({})).await.ok();
    eventually("the answer is made anew", async || {
        short.recommend(json!({})).await.ok();
        (misses(&short, "expired").await == 1.0).then_some(())
    })
    .await;

    let off = TestApplication::start(&[("FACILIAUTO_CACHE_MAX_BYTES", "0")]).await;
    for _ in 0..2 {
        off.recommend(json!({})).await.ok();
    }
    assert_eq!((hits(&off).await, misses(&off, "first").await), (0.0, 0.0));
}
