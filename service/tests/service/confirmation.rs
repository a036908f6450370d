//! When a write is acknowledged: after the store has it on its disk, where the store can tell.
//!
//! Redis before 7.2 cannot; these tests hold for it as well, and `make test-redis-matrix` runs them against
//! servers that can.

use std::time::{Duration, Instant};

use faciliauto_service::state::{
    Basis, StateError,
    dealers::{Dealers, TokenDigest},
};
use futures::future::join_all;
use serde_json::json;

use crate::{
    dealer_stock::on,
    harness::{dealers::row, eventually, fixtures::dealer, redis_server::RedisServer},
    state::{commit, redis_state, set_token},
};

/// How often the server has confirmed; `None` where it cannot.
fn rounds(server: &RedisServer) -> Option<u64> {
    server.confirms().then(|| {
        let rounds: Option<u64> = server.ask(&["GET", "test:confirmed"]);
        rounds.unwrap_or(0)
    })
}

/// Prevents a dealer from being told "written" while the disk does not have it, and a server that cannot
/// tell from being waited for.
#[tokio::test(flavor = "multi_thread")]
async fn every_durable_write_is_confirmed() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    assert_eq!(rounds(&server), server.confirms().then_some(0));
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    assert_eq!(rounds(&server), server.confirms().then_some(1));
    assert!(set_token(&state, "a", Some(TokenDigest::of("one"))).await);
    assert_eq!(rounds(&server), server.confirms().then_some(2));
    commit(&state, Basis::Version(head.version), vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    assert_eq!(rounds(&server), server.confirms().then_some(3));
}

/// Prevents a disk that is synced once a second from taking one dealer a second: those who wait are answered
/// together, and nobody's turn to write waits for the disk.
#[tokio::test(flavor = "multi_thread")]
async fn writers_share_one_wait() {
    let server = RedisServer::start();
    let market = on(&server).await;
    let mut tokens = Vec::new();
    for index in 0..12 {
        tokens.push(market.dealership(&format!("d{index}")).await);
    }
    server.ask::<()>(&["CONFIG", "SET", "appendfsync", "everysec"]);
    let begun = Instant::now();
    let upload = async |index: usize| {
        let id = format!("d{index}");
        let rows = json!([row(&format!("{id}-1"), 60_000)]);
        market.put_stock(&id, &tokens[index], &rows).await.ok();
    };
    // Four uploads are taken at once, so they come in three waves.
    for wave in [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]] {
        join_all(wave.map(&upload)).await;
    }
    // One after the other they would take twelve.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

/// Prevents a write from being acknowledged that the disk did not take, and a wait without end.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_confirmed_in_time_is_not_acknowledged() {
    let server = RedisServer::start();
    let market = on(&server).await;
    let token = market.dealership("a").await;
    // The server then never syncs by itself.
    server.ask::<()>(&["CONFIG", "SET", "appendfsync", "no"]);
    let asked = Instant::now();
    let answer = market.put_stock("a", &token, &json!([row("a-1", 60_000)])).await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    if server.confirms() {
        assert_eq!(answer.header("retry-after"), "1");
        let problem = answer.problem(503);
        assert_eq!(problem["type"], "urn:problem-type:faciliauto:store-unavailable");
        let text = problem["detail"].as_str().unwrap();
        assert!(text.contains("não se sabe se o pedido foi gravado"), "{text}");
    } else {
        answer.ok();
    }
    server.ask::<()>(&["CONFIG", "SET", "appendfsync", "always"]);
    market
        .put_stock("a", &token, &json!([row("a-1", 60_000)]))
        .await
        .ok();
}

/// Prevents writes from failing for good on a server whose append-only file is off, and from going
/// unconfirmed for good once it is on.
#[tokio::test(flavor = "multi_thread")]
async fn without_an_append_only_file_there_is_nothing_to_wait_for() {
    let server = RedisServer::start();
    let (first, second) = (TokenDigest::of("one"), TokenDigest::of("two"));
    let state = redis_state(&server);
    server.ask::<()>(&["CONFIG", "SET", "appendonly", "no"]);
    commit(&state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    assert!(set_token(&state, "a", Some(first)).await);
    assert_eq!(rounds(&server), server.confirms().then_some(0));
    server.ask::<()>(&["CONFIG", "SET", "appendonly", "yes"]);
    assert!(set_token(&state, "a", Some(second)).await);
    assert_eq!(rounds(&server), server.confirms().then_some(1));
}

/// Prevents a token from staying valid because the server is too full to confirm that it is revoked.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_confirms_what_it_still_does() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    commit(&state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    assert!(set_token(&state, "a", Some(TokenDigest::of("one"))).await);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = state
        .set_dealer_token("a", Some(TokenDigest::of("two")), None)
        .await;
    assert!(matches!(refused, Err(StateError::Full(_))), "{refused:?}");
    assert!(set_token(&state, "a", None).await);
    assert_eq!(state.dealer_token("a").await.unwrap(), None);
    assert_eq!(rounds(&server), server.confirms().then_some(3));
}

/// Prevents a cut connection from ending all writes, and a restarted server from being taken for the one that
/// was written to.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_made_anew() {
    let mut server = RedisServer::start();
    let state = redis_state(&server);
    commit(&state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    let write = async |token: &str| {
        let written = state
            .set_dealer_token("a", Some(TokenDigest::of(token)), None)
            .await;
        match written {
            Ok(written) => written.confirmed().await.ok(),
            Err(_) => None,
        }
    };
    for round in 0..3 {
        if round < 2 {
            server.ask::<redis::Value>(&["CLIENT", "KILL", "TYPE", "normal"]);
        } else {
            server.kill();
            server.start_again();
        }
        let token = format!("after-{round}");
        eventually("writes are confirmed again", async || write(&token).await).await;
        let kept = state.dealer_token("a").await.unwrap();
        assert_eq!(kept, Some(TokenDigest::of(&token)));
    }
}
