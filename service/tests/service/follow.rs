//! A change of the stock reaches running servers.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use faciliauto_engine::tables::Tables;
use faciliauto_service::{
    catalogue::{Showroom, StoreCondition},
    clock::Clock,
    follow::Follower,
    metrics::Metrics,
    state::{Basis, State},
};
use jiff::{Timestamp, civil::date};
use prometheus_client::registry::Registry;

use crate::{
    harness::{application::TestApplication, eventually, fixtures::dealer, redis_server::RedisServer},
    state::{commit, redis_state},
};

async fn on(server: &RedisServer) -> TestApplication {
    let url = server.url();
    TestApplication::start(&[("FACILIAUTO_REDIS_URL", &url), ("FACILIAUTO_KEY_PREFIX", "test")]).await
}

async fn wait_for_cars(application: &TestApplication, cars: usize) {
    eventually(&format!("{cars} cars are served"), async || {
        let health = application.get("/health").await.ok();
        (health["cars"] == cars && health["status"] == "healthy").then_some(())
    })
    .await;
}

/// Prevents a deployment of several replicas from needing a restart to show new cars.
#[tokio::test(flavor = "multi_thread")]
async fn every_replica_follows_a_change_without_a_restart() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    let replicas = [on(&server).await, on(&server).await];
    for replica in &replicas {
        wait_for_cars(replica, 2).await;
        assert_eq!(replica.get("/readyz").await.status, 200);
        assert_eq!(replica.get("/health").await.ok()["store"], "followed");
        assert_eq!(replica.metric("redis_up").await, Some(1.0));
    }
    let next = commit(&state, Basis::Version(head.version), vec![dealer("b", 3)], &[])
        .await
        .unwrap();
    for replica in &replicas {
        wait_for_cars(replica, 5).await;
        let health = replica.get("/health").await.ok();
        assert_eq!(health["catalog_version"], next.version.to_string());
        assert_eq!(health["sample"], false);
        assert_eq!(replica.get("/cars/b-2").await.status, 200);
        assert_eq!(
            replica.metric("stock_imports_total{result=\"applied\"}").await,
            Some(1.0)
        );
    }
}

/// Prevents a lost announcement from leaving a replica behind for ever: this one may not even subscribe.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_announcement_is_made_up_for() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    server.ask::<()>(&[
        "ACL",
        "SETUSER",
        "deaf",
        "on",
        "nopass",
        "~*",
        "resetchannels",
        "+@all",
    ]);
    let url = format!("redis://deaf:x@127.0.0.1:{}", server.port);
    let application =
        TestApplication::start(&[("FACILIAUTO_REDIS_URL", &url), ("FACILIAUTO_KEY_PREFIX", "test")]).await;
    wait_for_cars(&application, 2).await;
    commit(&state, Basis::Version(head.version), vec![dealer("a", 7)], &[])
        .await
        .unwrap();
    wait_for_cars(&application, 7).await;
}

/// Prevents a change of Redis's password from needing a restart of every replica. A file that cannot be used
/// for a moment, as while it is being replaced, changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_is_taken_up_from_its_file() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    let only_password = |password: &str| {
        let rule = format!(">{password}");
        server.ask::<()>(&[
            "ACL",
            "SETUSER",
            "api",
            "on",
            "resetpass",
            &rule,
            "~*",
            "&*",
            "+@all",
        ]);
        // The server closes what the old password opened, as a restart would.
        let _: redis::Value = server.ask(&["CLIENT", "KILL", "USER", "api"]);
    };
    only_password("old");
    let folder = tempfile::tempdir().unwrap();
    let (password, url) = (
        folder.path().join("password"),
        format!("redis://api@127.0.0.1:{}", server.port),
    );
    std::fs::write(&password, "old\n").unwrap();
    let application = TestApplication::start(&[
        ("FACILIAUTO_REDIS_URL", &url),
        ("FACILIAUTO_REDIS_PASSWORD_FILE", password.to_str().unwrap()),
        ("FACILIAUTO_KEY_PREFIX", "test"),
    ])
    .await;
    wait_for_cars(&application, 2).await;

    std::fs::remove_file(&password).unwrap();
    only_password("new");
    eventually("the old password opens nothing", async || {
        (application.metric("redis_up").await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(application.get("/cars").await.status, 200, "served from memory");
    std::fs::write(&password, "new\n").unwrap();
    commit(&state, Basis::Version(head.version), vec![dealer("b", 3)], &[])
        .await
        .unwrap();
    wait_for_cars(&application, 5).await;
    assert_eq!(application.metric("redis_up").await, Some(1.0));
}

/// Prevents an empty deployment from never becoming ready, or from inventing cars.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_and_empty_store_is_served_as_it_is() {
    let server = RedisServer::start();
    let application = on(&server).await;
    eventually("it has asked", async || {
        let problem = application.get("/readyz").await;
        problem
            .text
            .contains("nenhum estoque foi importado")
            .then_some(())
    })
    .await;
    application.get("/cars").await.problem(503);
    let busy = application.recommend(serde_json::json!({})).await;
    assert_eq!(busy.header("retry-after"), "1");
    busy.problem(503);

    commit(&redis_state(&server), Basis::Unopened, vec![], &[])
        .await
        .unwrap();
    wait_for_cars(&application, 0).await;
    assert_eq!(application.get("/readyz").await.status, 200);
    let answer = application.recommend(serde_json::json!({})).await.ok();
    assert_eq!(answer["total_recommendations"], 0);
    assert!(answer["message"].is_string());
}

/// Prevents stock that makes no catalogue from replacing one that does.
#[tokio::test(flavor = "multi_thread")]
async fn stock_that_is_no_catalogue_is_refused_and_the_old_one_stays() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    let application = on(&server).await;
    wait_for_cars(&application, 2).await;
    let mut thief = dealer("b", 1);
    thief.cars[0].id = "a-0".to_owned();
    let bad = commit(&state, Basis::Version(head.version), vec![thief], &[])
        .await
        .unwrap();
    eventually("it is refused", async || {
        let health = application.get("/health").await.ok();
        (health["store"] == "unusable").then_some(())
    })
    .await;
    let health = application.get("/health").await.ok();
    assert_eq!(
        (&health["status"], &health["cars"]),
        (&"degraded".into(), &2.into())
    );
    assert_eq!(
        application
            .metric("stock_imports_total{result=\"refused\"}")
            .await,
        Some(1.0)
    );
    assert_eq!(
        application.metric("redis_up").await,
        Some(1.0),
        "the store itself answers"
    );

    commit(&state, Basis::Version(bad.version), vec![dealer("b", 4)], &[])
        .await
        .unwrap();
    wait_for_cars(&application, 6).await;
}

/// Prevents a store that lost everything from emptying the servers.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lost_everything_takes_no_catalogue_away() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    let application = on(&server).await;
    wait_for_cars(&application, 2).await;
    server.ask::<()>(&["FLUSHALL"]);
    eventually("it is noticed", async || {
        let health = application.get("/health").await.ok();
        (health["store"] == "not_open").then_some(())
    })
    .await;
    let health = application.get("/health").await.ok();
    assert_eq!(
        (&health["status"], &health["cars"]),
        (&"degraded".into(), &2.into())
    );
    assert_eq!(application.get("/readyz").await.status, 200);
    assert_eq!(
        server.keys("*"),
        Vec::<String>::new(),
        "a server never seeds a store"
    );
    assert_eq!(state.head().await.unwrap(), None);
}

/// Prevents ages and freshness from standing still in a process that runs for weeks, with the store there or
/// away.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_day_is_a_new_catalogue_of_the_same_stock() {
    let mut server = RedisServer::start();
    let state = redis_state(&server);
    commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    let noon = "2026-11-25T15:00:00Z".parse::<Timestamp>().unwrap().as_second();
    let seconds = Arc::new(AtomicI64::new(noon));
    let clock = {
        let seconds = Arc::clone(&seconds);
        Clock::new(move || Timestamp::from_second(seconds.load(Ordering::Relaxed)).unwrap())
    };
    let showroom = Arc::new(Showroom::default());
    let tables = Arc::new(Tables::bundled().unwrap());
    let metrics = Metrics::register(&mut Registry::default());
    let mut follower = Follower::new(Arc::new(state), Arc::clone(&showroom), tables, clock, metrics);
    for (days, day, condition) in [
        (0, date(2026, 11, 25), StoreCondition::Followed),
        (1, date(2026, 11, 26), StoreCondition::Followed),
        (2, date(2026, 11, 27), StoreCondition::Unreachable),
    ] {
        if condition == StoreCondition::Unreachable {
            server.kill();
        }
        seconds.store(noon + days * 86_400, Ordering::Relaxed);
        follower.check().await;
        let served = showroom.served().expect("a catalogue");
        assert_eq!(
            (served.catalogue.reference_date(), showroom.store()),
            (day, condition)
        );
        assert_eq!(served.catalogue.len(), 2);
    }
}
