//! What the Redis adapter promises beyond the port: what lies where, for how long, and what a commit refuses.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use faciliauto_service::state::{
    Basis, CatalogVersion, Change, State, StateError,
    connection::{ConnectionSettings, Secret, UrlSource},
    redis::{Patience, RedisState},
};

use crate::{
    harness::{eventually, fixtures::dealer, redis_server::RedisServer},
    state::{commit, redis_state},
};

/// A store with dealers `a` (2 cars) and `b` (3 cars).
async fn opened(server: &RedisServer) -> (RedisState, CatalogVersion) {
    let state = redis_state(server);
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 2), dealer("b", 3)], &[])
        .await
        .unwrap();
    (state, head.version)
}

fn pieces_of(server: &RedisServer, version: &CatalogVersion, id: &str) -> Vec<String> {
    server.keys(&format!("test:{}:stock:{id}:*", version.epoch))
}

/// Prevents stock from vanishing after an hour, and an eviction from taking anything durable: only keys with
/// a time to live are ever evicted.
#[tokio::test(flavor = "multi_thread")]
async fn durable_keys_stay_and_superseded_pieces_go_after_an_hour() {
    let server = RedisServer::start();
    let (state, version) = opened(&server).await;
    for key in server.keys("*") {
        assert!(key.starts_with("test:"), "{key}");
        assert_eq!(server.seconds_left(&key), -1, "{key}");
    }
    let superseded = pieces_of(&server, &version, "a");
    let removed = pieces_of(&server, &version, "b");
    let put = vec![dealer("a", 5)];
    commit(&state, Basis::Version(version), put, &["b"])
        .await
        .unwrap();
    for key in server.keys("*") {
        let expected = if superseded.contains(&key) || removed.contains(&key) {
            3590..=3600
        } else {
            -1..=-1
        };
        assert!(expected.contains(&server.seconds_left(&key)), "{key}");
    }
}

/// Prevents a piece that nobody will commit from lying in memory for ever, and a half-written stock from
/// being committed: what a script finds missing or altered changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_is_missing_or_altered_refuses_the_commit() {
    let server = RedisServer::start();
    let (state, version) = opened(&server).await;
    let before = server.dump("*");
    let old_pieces = pieces_of(&server, &version, "a");
    for harm in [&["DEL"][..], &["APPEND", "x"]] {
        let harmed = |progress: faciliauto_service::state::Progress<'_>| {
            if progress.written < progress.pieces {
                return;
            }
            for key in pieces_of(&server, &version, "a") {
                if !old_pieces.contains(&key) {
                    assert!(
                        (3590..=3600).contains(&server.seconds_left(&key)),
                        "uncommitted pieces expire"
                    );
                    let words: Vec<&str> = [harm[0], &key]
                        .into_iter()
                        .chain(harm[1..].iter().copied())
                        .collect();
                    server.ask::<redis::Value>(&words);
                }
            }
        };
        let change = Change {
            basis: Basis::Version(version.clone()),
            put: vec![dealer("a", 9).into()],
            remove: vec![],
            marks: Vec::new(),
            updates: Vec::new(),
            once: None,
        };
        let refused = state.commit(change, &harmed).await;
        assert!(
            matches!(&refused, Err(StateError::Commit { dealership, .. }) if dealership == "a"),
            "{harm:?}: {refused:?}"
        );
        for key in pieces_of(&server, &version, "a") {
            if !old_pieces.contains(&key) {
                server.ask::<()>(&["DEL", &key]);
            }
        }
        assert_eq!(server.dump("*"), before, "{harm:?}: nothing has changed");
    }
}

/// Prevents a write from slipping into a store while a restore switches it, and a restore that died from
/// blocking writers for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_fence_holds_writes_back_until_its_deadline() {
    let server = RedisServer::start();
    let (state, version) = opened(&server).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let fence = |deadline: i64| {
        let deadline = deadline.to_string();
        server.ask::<()>(&[
            "HMSET",
            "test:fence",
            "id",
            "restore-7",
            "token",
            "t",
            "deadline",
            &deadline,
        ]);
    };
    fence(now + 60_000);
    let refused = commit(&state, Basis::Version(version.clone()), vec![dealer("a", 4)], &[]).await;
    assert!(
        matches!(&refused, Err(StateError::Fenced { holder }) if holder == "restore-7"),
        "{refused:?}"
    );
    assert_eq!(state.head().await.unwrap().unwrap().version, version);
    fence(now - 1);
    commit(&state, Basis::Version(version), vec![dealer("a", 4)], &[])
        .await
        .unwrap();
}

/// Prevents a write decided on one generation from landing in another that was switched to meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_another_generation_is_refused() {
    let server = RedisServer::start();
    let (state, version) = opened(&server).await;
    server.ask::<()>(&["SET", "test:generation", "another"]);
    let refused = commit(&state, Basis::Version(version), vec![dealer("a", 4)], &[]).await;
    assert!(matches!(refused, Err(StateError::Moved)), "{refused:?}");
    assert_eq!(server.keys("test:another:*"), Vec::<String>::new());
}

/// Prevents a damaged store from being served as if it were whole.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_when_read() {
    let server = RedisServer::start();
    let (state, version) = opened(&server).await;
    let piece = pieces_of(&server, &version, "b").remove(0);
    server.ask::<i64>(&["APPEND", &piece, "x"]);
    let damaged = state.stock().await;
    assert!(
        matches!(&damaged, Err(StateError::Damaged { dealership, .. }) if dealership == "b"),
        "{damaged:?}"
    );
    server.ask::<i64>(&["DEL", &piece]);
    let damaged = state.stock().await;
    assert!(
        matches!(&damaged, Err(StateError::Damaged { dealership, .. }) if dealership == "b"),
        "{damaged:?}"
    );
}

/// Prevents a full server from taking half of a change: there is no room for the first write, so there is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_keeps_the_old_stock() {
    let server = RedisServer::start();
    let (state, version) = opened(&server).await;
    let before = server.dump("test:*");
    let full = |progress: faciliauto_service::state::Progress<'_>| {
        if progress.written == progress.pieces {
            server.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
            server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        }
    };
    let change = Change {
        basis: Basis::Version(version.clone()),
        put: vec![dealer("a", 9).into()],
        remove: vec![],
        marks: Vec::new(),
        updates: Vec::new(),
        once: None,
    };
    let refused = state.commit(change, &full).await;
    assert!(
        matches!(&refused, Err(StateError::Full(reason)) if reason.contains("OOM")),
        "{refused:?}"
    );
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let after = server.dump("test:*");
    assert!(
        before.iter().all(|entry| after.contains(entry)),
        "the old stock is whole"
    );
    assert_eq!(
        state.stock().await.unwrap().unwrap().dealers,
        [dealer("a", 2), dealer("b", 3)]
    );
}

/// Lets in a user `api` with a password, limited as the operator limits it, and nobody else.
pub(crate) fn limit(server: &RedisServer) {
    server.ask::<()>(&[
        "ACL",
        "SETUSER",
        "api",
        "on",
        ">secret",
        "~test:*",
        "resetchannels",
        "&test:*",
        "+@all",
        "-@admin",
        "-@dangerous",
    ]);
    server.ask::<()>(&["ACL", "SETUSER", "default", "off"]);
}

/// A store as that user has it.
pub(crate) fn limited(server: &RedisServer, prefix: &str, password: &str) -> RedisState {
    let url = format!("redis://api:{password}@127.0.0.1:{}", server.port);
    let settings = ConnectionSettings {
        url: UrlSource::Given(Secret::new(url)),
        password_file: None,
        trust_ca_file: None,
        key_prefix: prefix.to_owned(),
    };
    RedisState::new(settings.resolve().unwrap(), prefix, Patience::SERVING).unwrap()
}

/// Prevents the service from needing more of a managed Redis than keys and channels under its prefix.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_limited_to_the_prefix_is_enough() {
    let server = RedisServer::start();
    limit(&server);
    let settings = |prefix: &str, password: &str| limited(&server, prefix, password);
    let state = settings("test", "secret");
    let listener = tokio::spawn(state.listen());
    tokio::time::timeout(Duration::from_secs(5), state.changed())
        .await
        .expect("may subscribe");
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    commit(&state, Basis::Version(head.version), vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    assert_eq!(state.stock().await.unwrap().unwrap().dealers, [dealer("a", 2)]);
    listener.abort();

    let elsewhere = settings("elsewhere", "secret").head().await;
    assert!(matches!(elsewhere, Err(StateError::Refused(_))), "{elsewhere:?}");
    let wrong = settings("test", "wrong").head().await;
    assert!(
        wrong.is_err_and(|error| !error.to_string().contains("secret")),
        "no secret in a message"
    );
}

/// Prevents the last writes of a process from being lost: threads that answer requests end before it does, and one of
/// them may just be making the connection that the others wait for.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_outlives_the_thread_that_asked_for_it() {
    let mut server = RedisServer::start();
    let (state, _) = opened(&server).await;
    let state = Arc::new(state);
    for milliseconds in [5, 20, 60, 120] {
        server.kill();
        let asking = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let patience = Duration::from_millis(milliseconds);
                // The first finds the connection lost, which begins the next one.
                let asked = async { while asking.head().await.is_err() {} };
                let _ = tokio::time::timeout(patience, asked).await;
            });
        });
        thread.join().expect("it ends");
        server.start_again();
        eventually("the store answers again", async || {
            state.head().await.ok().flatten()
        })
        .await;
    }
}
