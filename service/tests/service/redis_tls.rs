//! A Redis behind TLS whose certificate rests on an authority of the company's own.

use std::fs;

use faciliauto_service::state::Basis;

use crate::{
    harness::{
        application::TestApplication, eventually, fixtures::dealer, redis_server::RedisServer,
        tls::Certificate,
    },
    state::{commit, redis_state},
};

async fn replica(port: u16, trusted: &str) -> TestApplication {
    TestApplication::start(&[
        ("FACILIAUTO_REDIS_URL", &format!("rediss://127.0.0.1:{port}")),
        ("FACILIAUTO_KEY_PREFIX", "test"),
        ("FACILIAUTO_TRUST_CA_FILE", trusted),
        ("FACILIAUTO_LIMITS", "redis"),
    ])
    .await
}

async fn cars(application: &TestApplication) -> u64 {
    application.get("/health").await.json()["cars"]
        .as_u64()
        .unwrap_or_default()
}

/// Prevents a Redis of a company's own authority from being out of reach, a certificate that nobody trusts from being
/// believed, and a renewed authority from needing a restart.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_ones_own_is_trusted_and_followed() {
    let (served, stranger) = (Certificate::new(), Certificate::new());
    let (server, port) = RedisServer::start_with_tls(&served.pem, &served.key);
    let state = redis_state(&server);
    commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");
    let text = path.to_str().unwrap();

    fs::write(&path, &served.pem).unwrap();
    let trusting = replica(port, text).await;
    eventually("the stock is served", async || {
        (cars(&trusting).await == 2).then_some(())
    })
    .await;
    let decided = "rate_limit_decisions_total{decider=\"redis\"}";
    eventually("limits are shared over TLS, too", async || {
        trusting.get("/dealerships").await;
        (trusting.metric(decided).await? > 0.0).then_some(())
    })
    .await;

    fs::write(&path, &stranger.pem).unwrap();
    let distrusting = replica(port, text).await;
    // A client that trusted the server would have the stock at its first look, within milliseconds.
    let asked = eventually("the store was asked in vain", async || {
        let failures = distrusting.get("/health").await.json()["status"].clone();
        (failures == "degraded").then_some(())
    });
    asked.await;
    assert_eq!(cars(&distrusting).await, 0);
    fs::write(&path, format!("{}{}", stranger.pem, served.pem)).unwrap();
    eventually("the renewed authorities are used", async || {
        (cars(&distrusting).await == 2).then_some(())
    })
    .await;
}
