//! What the Redis adapter promises of generations beyond the port: that nothing durable expires, that a full server and a
//! death at any moment leave what was served, and that nothing is left behind.

use std::{collections::BTreeSet, time::Duration};

use faciliauto_engine::stock::Car;
use faciliauto_service::state::{
    Basis, Head, State, StateError,
    dealers::TokenDigest,
    events::Events,
    generations::{Epoch, FillError, Generations, SourceError},
    redis::{Patience, RedisState},
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    harness::{
        application::TestApplication,
        cutter::Cutter,
        eventually,
        fixtures::{cars_of, dealer},
        generations::{KEEP, Whole, current, lived_in},
        redis_server::RedisServer,
    },
    redis_state::{limit, limited},
    state::{commit, redis_state, set_token},
    state_events::{liked, store},
};

/// The generations of which there are keys.
fn generations(server: &RedisServer) -> BTreeSet<String> {
    let keys = server.keys("test:*:*");
    keys.iter()
        .filter_map(|key| key.split(':').nth(1).map(str::to_owned))
        .collect()
}

/// Prevents what was restored from vanishing, and the fence from staying.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_restored_stays() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    let before = lived_in(&state).await;
    let whole = Whole::of_current(&state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    assert_eq!(server.seconds_left("test:fence"), -1, "it falls by its deadline");
    let abandoned = whole.fill(&state, &fence).await.unwrap();
    let generation = whole.fill(&state, &fence).await.unwrap();
    state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
    let root = format!("test:{generation}:*");
    let keys = server.keys(&root);
    assert!(keys.len() > 12, "{keys:?}");
    for key in keys
        .iter()
        .map(String::as_str)
        .chain(["test:kept", "test:generations"])
    {
        assert_eq!(server.seconds_left(key), -1, "{key}");
    }
    assert_eq!(server.keys("test:fence"), [""; 0]);
    state.drop_generation(&abandoned).await.unwrap();
    assert_eq!(
        generations(&server),
        BTreeSet::from([before.version.epoch, generation.to_string()]),
        "nothing of the abandoned one is left"
    );
}

/// Prevents a fence whose holder died from holding writes back for ever, and its holder from going on behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_fence_falls_by_its_deadline() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    lived_in(&state).await;
    let whole = Whole::of_current(&state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill(&state, &fence).await.unwrap();
    server.ask::<i64>(&["HSET", "test:fence", "deadline", "1"]);
    store(&state, &liked("meanwhile", "maria", "a-0")).await;
    let switched = state.switch(&fence, &generation, "r1", KEEP).await;
    assert!(matches!(switched, Err(StateError::FenceLost)), "{switched:?}");
    let renewed = state.renew_fence(&fence).await;
    assert!(matches!(renewed, Err(StateError::FenceLost)), "{renewed:?}");
    assert_eq!(
        state.sweep_generations().await.unwrap(),
        1,
        "nobody fills it any more"
    );
    assert_eq!(
        Whole::of_current(&state).await.events.len(),
        whole.events.len() + 1
    );
    state.raise_fence("r2").await.unwrap();
}

/// Prevents a restore that finds no room from harming what is served, from leaving what it filled, and, once all is filled,
/// from failing at its last steps.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_keeps_what_it_serves_and_lets_go_of_the_rest() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    lived_in(&state).await;
    let whole = Whole::of_current(&state).await;
    let full = |is_full: bool| {
        server.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        server.ask::<()>(&["CONFIG", "SET", "maxmemory", if is_full { "1" } else { "0" }]);
    };
    let root = format!("test:{}:*", current(&state).await);
    let before = server.dump(&root);
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill_only(&state, &fence).await.unwrap();
    let (dealer, cars) = whole.dealers[0].clone();
    let filled_up = stream::iter(cars.chunks(2)).map(|batch| {
        full(true);
        Ok::<Vec<Car>, SourceError>(batch.to_vec())
    });
    let refused = state
        .fill_dealer(&fence, &generation, dealer, filled_up.boxed())
        .await;
    assert!(
        matches!(refused, Err(FillError::Store(StateError::Full(_)))),
        "{refused:?}"
    );
    let refused = state.fill_events(&fence, &generation, &whole.events).await;
    assert!(matches!(refused, Err(StateError::Full(_))), "{refused:?}");
    let refused = state.begin_generation(&fence).await;
    assert!(matches!(refused, Err(StateError::Full(_))), "{refused:?}");
    let room = state.room().await.unwrap().unwrap();
    assert_eq!((room.max, room.left()), (1, 0));
    // Who gives up makes room.
    let fence = state.renew_fence(&fence).await.unwrap();
    state.lower_fence(&fence).await.unwrap();
    state.drop_generation(&generation).await.unwrap();
    assert_eq!(generations(&server).len(), 1);
    full(false);
    assert_eq!(server.dump(&root), before);
    assert_eq!(state.room().await.unwrap(), None, "no bound");

    // Who has filled it all may end it.
    state.erase(&["maria".to_owned()]).await.unwrap();
    let fence = state.raise_fence("r2").await.unwrap();
    let generation = whole.fill_only(&state, &fence).await.unwrap();
    full(true);
    state.apply_ledgers(&fence, &generation, &[]).await.unwrap();
    state.switch(&fence, &generation, "r2", KEEP).await.unwrap();
    let restored = Whole::of_current(&state).await;
    assert_eq!(restored.dealers, whole.dealers);
    assert_eq!(restored.events, whole.without_events_of("maria"));
}

/// Prevents a backup from having a dealership as it was at two moments, or cars that are not those that were put.
#[tokio::test(flavor = "multi_thread")]
async fn a_dealership_is_read_as_at_one_moment_or_not_at_all() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    let head = commit(&state, Basis::Unopened, vec![dealer("a", 3)], &[])
        .await
        .unwrap();
    let generation = current(&state).await;
    let pieces = || server.keys(&format!("test:{generation}:stock:a:*"));
    let old = pieces();
    let read = async || state.dealer_records(&generation, "a").await.unwrap().unwrap();
    let [first, second] = [read().await, read().await];
    commit(&state, Basis::Version(head.version), vec![dealer("a", 5)], &[])
        .await
        .unwrap();
    let cars: Vec<Car> = first.cars.try_concat().await.unwrap();
    assert_eq!(cars, cars_of(&dealer("a", 3)), "as it was when it was asked for");
    for piece in &old {
        server.ask::<()>(&["DEL", piece]);
    }
    let late = second.cars.try_concat().await;
    assert!(
        matches!(late, Err(StateError::Moved)),
        "an hour later it is to be read again: {late:?}"
    );

    let mut piece = pieces();
    piece.retain(|piece| !old.contains(piece));
    server.ask::<i64>(&["APPEND", &piece[0], "x"]);
    let damaged = read().await.cars.try_concat().await;
    assert!(matches!(damaged, Err(StateError::Damaged { .. })), "{damaged:?}");
    server.ask::<()>(&["DEL", &piece[0]]);
    let damaged = read().await.cars.try_concat().await;
    assert!(matches!(damaged, Err(StateError::Damaged { .. })), "{damaged:?}");
}

/// Prevents a piece that was evicted or lost while a dealership is filled in from being found out only when it is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_piece_refuses_the_dealership() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    lived_in(&state).await;
    let whole = Whole::of_current(&state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = state.begin_generation(&fence).await.unwrap();
    // Incompressible, so that there is a piece before the end.
    let mut cars = cars_of(&dealer("a", 3_000));
    for (index, car) in cars.iter_mut().enumerate() {
        car.images = (0..24)
            .map(|image| TokenDigest::of(&format!("{index} {image}")).to_hexadecimal())
            .collect();
    }
    let pieces = || server.keys(&format!("test:{generation}:stock:a:*"));
    let last = cars.split_off(2_900);
    let batches: Vec<Vec<Car>> = cars.chunks(1000).map(<[Car]>::to_vec).chain([last]).collect();
    let number = batches.len();
    let lost = stream::iter(batches.into_iter().enumerate()).map(|(index, batch)| {
        if index + 1 == number {
            let written = pieces();
            assert!(!written.is_empty(), "a piece is written before all is read");
            assert!(
                (3590..=3600).contains(&server.seconds_left(&written[0])),
                "and goes by itself"
            );
            server.ask::<()>(&["DEL", &written[0]]);
        }
        Ok::<_, SourceError>(batch)
    });
    let refused = state
        .fill_dealer(&fence, &generation, whole.dealers[0].0.clone(), lost.boxed())
        .await;
    assert!(
        matches!(&refused, Err(FillError::Store(StateError::Commit { dealership, .. })) if dealership == "a"),
        "{refused:?}"
    );
    assert_eq!(
        state.generation_outline(&generation).await.unwrap().dealers,
        [""; 0]
    );
}

/// Prevents a restore from needing more rights than the API's user has.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_limited_to_the_prefix_may_restore() {
    let server = RedisServer::start();
    limit(&server);
    let state = limited(&server, "test", "secret");
    lived_in(&state).await;
    let whole = Whole::of_current(&state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let abandoned = whole.fill(&state, &fence).await.unwrap();
    let generation = whole.fill(&state, &fence).await.unwrap();
    state.renew_fence(&fence).await.unwrap();
    assert_eq!(state.sweep_generations().await.unwrap(), 1);
    state.drop_generation(&abandoned).await.unwrap();
    state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
    assert!(state.kept().await.unwrap().is_some());
    state.erase(&["maria".to_owned()]).await.unwrap();
    let fence = state.raise_fence("r2").await.unwrap();
    state.lower_fence(&fence).await.unwrap();
    assert_eq!(state.room().await.unwrap(), None, "INFO is not among its rights");
}

/// Prevents replicas from showing what was before a restore, or before it was taken back, until they are restarted.
#[tokio::test(flavor = "multi_thread")]
async fn every_replica_follows_a_switch_and_a_switch_back() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    commit(&state, Basis::Unopened, vec![dealer("a", 2)], &[])
        .await
        .unwrap();
    let url = server.url();
    let settings = [
        ("FACILIAUTO_REDIS_URL", url.as_str()),
        ("FACILIAUTO_KEY_PREFIX", "test"),
    ];
    let replicas = [
        TestApplication::start(&settings).await,
        TestApplication::start(&settings).await,
    ];
    let shown = async |head: &Head, cars: usize| {
        for replica in &replicas {
            eventually(&format!("{cars} cars are served"), async || {
                let health = replica.get("/health").await.ok();
                let is_shown =
                    health["cars"] == cars && health["catalog_version"] == head.version.to_string();
                is_shown.then_some(())
            })
            .await;
        }
    };
    shown(&state.head().await.unwrap().unwrap(), 2).await;
    let mut whole = Whole::of_current(&state).await;
    whole.dealers[0].1 = cars_of(&dealer("a", 7));
    let head = whole.restore(&state, "r1").await;
    shown(&head, 7).await;
    let kept = state.kept().await.unwrap().unwrap().epoch;
    let fence = state.raise_fence("u1").await.unwrap();
    state.apply_ledgers(&fence, &kept, &[]).await.unwrap();
    let head = state.switch(&fence, &kept, "u1", KEEP).await.unwrap();
    shown(&head, 2).await;
}

/// Asks nobody for long: whoever is cut off here is to end.
const IMPATIENT: Patience = Patience {
    connect: Duration::from_secs(2),
    respond: Duration::from_secs(5),
    whole: Duration::from_secs(6),
    confirm: Duration::from_secs(5),
};

/// Prevents a restore that dies after any of its steps, alone or together with the server, from leaving a mixture, or
/// anything that hinders the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_dies_at_any_command_leaves_the_old_or_the_new() {
    let mut server = RedisServer::start();
    let (mut was_old, mut was_new, mut step) = (0, 0, 0);
    loop {
        let state = redis_state(&server);
        lived_in(&state).await;
        let mut restored = Whole::of_current(&state).await;
        let head = state.head().await.unwrap().unwrap();
        commit(&state, Basis::Version(head.version), vec![dealer("d", 1)], &["c"])
            .await
            .unwrap();
        assert!(set_token(&state, "d", Some(TokenDigest::of("four"))).await);
        state.erase(&["ana".to_owned()]).await.unwrap();
        store(&state, &liked("later", "joão", "d-0")).await;
        let old = Whole::of_current(&state).await;
        let whole = restored.clone();
        restored.events = restored.without_events_of("ana");
        restored.dealers[2].0.token = None;
        restored.private.ledger = old.private.ledger.clone();

        let line = Cutter::to(server.port, step);
        let dying = async {
            let url = format!("redis://127.0.0.1:{}", line.port);
            let state = RedisState::new(url.parse().unwrap(), "test", IMPATIENT).unwrap();
            let fence = state.raise_fence("r1").await?;
            let generation = whole.fill(&state, &fence).await?;
            state.switch(&fence, &generation, "r1", KEEP).await?;
            Ok::<Epoch, FillError>(generation)
        };
        let ended = tokio::select! {
            biased;
            () = line.is_cut() => None,
            ended = dying => ended.ok(),
        };
        if step % 2 == 1 {
            server.kill();
            server.start_again();
        }
        let state = redis_state(&server);
        let found = Whole::of_current(&state).await;
        let outline = state.generation_outline(&current(&state).await).await.unwrap();
        let is_new = outline.restored_as.as_deref() == Some("r1");
        assert_eq!(
            found,
            if is_new { restored.clone() } else { old },
            "after {step} commands"
        );
        assert!(is_new || ended.is_none(), "what was promised is there");
        if is_new {
            was_new += 1;
            store(&state, &liked("on", "maria", "a-0")).await;
        } else {
            was_old += 1;
            // The same restore, begun again at once: the fence is taken over.
            let fence = state.raise_fence("r1").await.unwrap();
            state.sweep_generations().await.unwrap();
            assert_eq!(
                generations(&server).len(),
                1,
                "after {step} commands nothing is left"
            );
            let generation = whole.fill(&state, &fence).await.unwrap();
            state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
            assert_eq!(Whole::of_current(&state).await, restored, "after {step} commands");
        }
        if ended.is_some() {
            break;
        }
        server.ask::<()>(&["FLUSHALL"]);
        step += 1;
    }
    assert!(was_old > 20 && was_new > 0, "{was_old} {was_new}");
}
