//! Redis is away: at the start, in between, or silent.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    application::TestApplication,
    eventually,
    process::{self, ServingProcess},
    redis_server::RedisServer,
};

fn import_sample(url: &str) {
    let imported = process::run(&["--redis-url", url, "import", "--sample"]);
    assert!(imported.status.success(), "{imported:?}");
}

async fn wait_for_status(application: &TestApplication, status: &str) {
    eventually(&format!("health is {status}"), async || {
        (application.get("/health").await.ok()["status"] == status).then_some(())
    })
    .await;
}

/// Prevents a Redis that starts later than the service from ending the service.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_at_the_start_is_waited_for() {
    let mut redis = RedisServer::not_started();
    let application = TestApplication::on(&redis.url()).await;
    eventually("it has tried", async || {
        let answer = application.get("/readyz").await;
        answer.text.contains("o Redis não responde").then_some(())
    })
    .await;
    application.get("/readyz").await.problem(503);
    assert_eq!(application.get("/livez").await.status, 200);
    assert_eq!(application.get("/health").await.ok()["status"], "degraded");
    assert_eq!(application.metric("redis_up").await, Some(0.0));

    redis.start_again();
    import_sample(&redis.url());
    wait_for_status(&application, "healthy").await;
    assert_eq!(application.get("/readyz").await.status, 200);
    assert_eq!(application.metric("redis_up").await, Some(1.0));
}

/// Prevents a dead Redis from taking recommendations with it, and a restart of Redis from going unnoticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_dies_is_done_without() {
    let mut redis = RedisServer::start();
    import_sample(&redis.url());
    let application = TestApplication::on(&redis.url()).await;
    wait_for_status(&application, "healthy").await;
    let before = application.recommend(json!({})).await.ok();

    redis.kill();
    wait_for_status(&application, "degraded").await;
    assert_eq!(application.metric("redis_up").await, Some(0.0));
    assert_eq!(
        application.get("/readyz").await.status,
        200,
        "it serves from memory"
    );
    assert_eq!(application.recommend(json!({})).await.ok(), before);

    redis.start_again();
    wait_for_status(&application, "healthy").await;
    assert_eq!(application.metric("redis_up").await, Some(1.0));
}

/// Prevents a Redis that accepts and never answers from holding requests up.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_holds_no_request_up() {
    let redis = RedisServer::start();
    import_sample(&redis.url());
    let application = TestApplication::on(&redis.url()).await;
    wait_for_status(&application, "healthy").await;
    redis.signal("STOP");
    wait_for_status(&application, "degraded").await;
    let begun = Instant::now();
    for _ in 0..20 {
        application.recommend(json!({})).await.ok();
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    redis.signal("CONT");
    wait_for_status(&application, "healthy").await;
}

/// Prevents a wrong password from being logged, or from ending a process that may yet be put right.
#[test]
fn a_wrong_password_is_told_without_the_password() {
    let redis = RedisServer::start();
    redis.ask::<()>(&["ACL", "SETUSER", "api", "on", ">right", "~*", "&*", "+@all"]);
    let url = format!("redis://api:hunter2@127.0.0.1:{}", redis.port);
    let mut serving = ServingProcess::start(&["--redis-url", &url, "--log-level", "trace"]);
    std::thread::sleep(Duration::from_secs(2));
    assert!(serving.process.0.try_wait().unwrap().is_none(), "it lives");
    serving.process.signal("TERM");
    let log = format!("{:?}", serving.rest_of_log());
    assert!(log.contains("unreachable"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}
