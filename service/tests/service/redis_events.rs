//! What the Redis adapter promises of buyers' events beyond the port: what lies where, and what is refused.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use faciliauto_service::{
    housekeeping,
    state::{
        State, StateError,
        events::{Events, NewEvent, OLDEST, Recorded},
        redis::RedisState,
    },
};

use crate::{
    harness::{application::TestApplication, eventually, redis_server::RedisServer},
    state::{redis_state, set_token},
    state_events::{aged, liked, open, viewed},
};

/// An open store with events of two days; its epoch comes with it.
async fn recorded(server: &RedisServer) -> (RedisState, String) {
    let state = redis_state(server);
    let head = open(&state).await;
    let events = [
        liked("1", "maria", "car"),
        aged(viewed("2", "visit", "car", 7), OLDEST),
    ];
    state.record(&events).await.unwrap();
    (state, head.version.epoch)
}

/// Prevents an eviction from taking what buyers did, and anything from lying outside the prefix.
#[tokio::test(flavor = "multi_thread")]
async fn durable_keys_have_no_time_to_live() {
    let server = RedisServer::start();
    let (state, epoch) = recorded(&server).await;
    state.erase(&["unknown".to_owned()]).await.unwrap();
    let keys = server.keys("*");
    for name in [
        "event-days",
        "event-totals",
        "event-users",
        "event-sessions",
        "event-cars",
        "person-secret",
        "ledger",
    ] {
        assert!(keys.contains(&format!("test:{epoch}:{name}")), "{name}: {keys:?}");
    }
    for pattern in ["events", "event-times", "person"] {
        let some = server.keys(&format!("test:{epoch}:{pattern}:*"));
        assert_eq!(some.len(), 2, "{pattern}: {keys:?}");
    }
    for key in keys {
        assert!(key.starts_with("test:"), "{key}");
        assert_eq!(server.seconds_left(&key), -1, "{key}");
    }
    assert!(state.take_housekeeping_turn().await.unwrap());
    assert!((3590..=3600).contains(&server.seconds_left("test:housekeeping")));
}

/// Prevents whoever lists the keys of a server, or the fields of what counts ids, from learning an id.
#[tokio::test(flavor = "multi_thread")]
async fn no_id_is_in_a_name() {
    let server = RedisServer::start();
    let (state, epoch) = recorded(&server).await;
    state.erase(&["someone".to_owned()]).await.unwrap();
    let mut names = server.keys("*");
    for hash in [
        "event-users",
        "event-sessions",
        "event-cars",
        "event-totals",
        "ledger",
    ] {
        names.extend(server.ask::<Vec<String>>(&["HKEYS", &format!("test:{epoch}:{hash}")]));
    }
    for name in names {
        let named = ["maria", "visit", "someone", ":car"]
            .iter()
            .any(|id| name.contains(id));
        assert!(!named, "{name}");
    }
}

/// Prevents anything of an erased person from staying behind in the server, under whatever name.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_person_is_left() {
    let server = RedisServer::start();
    let (state, epoch) = recorded(&server).await;
    let before = server.keys("*");
    // Of the same car and session as what stays, so that counts move and nothing else.
    let counts = |name: &str| server.ask::<Vec<String>>(&["HGETALL", &format!("test:{epoch}:{name}")]);
    let names = ["event-users", "event-sessions", "event-cars"];
    let stays: Vec<_> = names.map(counts).into();
    let both = NewEvent {
        user: Some("marked-person".to_owned()),
        ..viewed("3", "visit", "car", 9)
    };
    state.record(&[both]).await.unwrap();
    assert_ne!(server.keys("*"), before);
    let erased = state.erase(&["marked-person".to_owned()]).await.unwrap();
    assert_eq!(erased.events, 1);
    let mut expected = before;
    expected.push(format!("test:{epoch}:ledger"));
    expected.sort();
    let mut keys = server.keys("*");
    // The day may have had nothing before, and has nothing now.
    keys.sort();
    assert_eq!(keys, expected);
    assert_eq!(Vec::from(names.map(counts)), stays);
    for (key, dump) in server.dump("*") {
        let found = dump.windows(13).any(|window| window == b"marked-person");
        assert!(!found, "{key}");
    }
}

/// Prevents an event from slipping into a store while a restore switches it, and reading from being held back.
#[tokio::test(flavor = "multi_thread")]
async fn a_fence_holds_events_back() {
    let server = RedisServer::start();
    let (state, _) = recorded(&server).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let fence = |deadline: i64| {
        let deadline = deadline.to_string();
        server.ask::<()>(&["HMSET", "test:fence", "id", "restore-7", "deadline", &deadline]);
    };
    fence(now + 60_000);
    let before = server.dump("*");
    fn fenced<T: std::fmt::Debug>(answer: Result<T, StateError>) {
        assert!(
            matches!(&answer, Err(StateError::Fenced { holder }) if holder == "restore-7"),
            "{answer:?}"
        );
    }
    fenced(state.record(&[liked("3", "maria", "car")]).await);
    fenced(state.erase(&["maria".to_owned()]).await);
    fenced(state.forget_before(jiff::civil::date(9999, 1, 1)).await);
    assert_eq!(server.dump("*"), before);
    assert_eq!(state.events_of("maria").await.unwrap().len(), 1);
    assert_eq!(redis_state(&server).events_of("maria").await.unwrap().len(), 1);
    assert!(redis_state(&server).person_keys().await.is_ok());
    fence(now - 1);
    state.record(&[liked("3", "maria", "car")]).await.unwrap();
}

/// Prevents an event from landing in a generation that was switched away, a key of that generation from being
/// used in the next, and a store whose generation is gone from taking anything.
#[tokio::test(flavor = "multi_thread")]
async fn events_follow_the_generation() {
    let server = RedisServer::start();
    let (state, epoch) = recorded(&server).await;
    let user_key = state.person_keys().await.unwrap().user_key("maria");
    let before = server.dump(&format!("test:{epoch}:*"));
    server.ask::<()>(&["SET", "test:generation", "another"]);
    let answers = state.record(&[liked("1", "maria", "car")]).await.unwrap();
    assert!(
        matches!(answers[..], [Recorded::Stored(receipt)] if receipt.first_of_user),
        "{answers:?}"
    );
    assert!(!state.person_keys().await.unwrap().verify("maria", &user_key));
    assert_eq!(state.totals().await.unwrap().events(), 1);
    assert_eq!(state.erase(&["visit".to_owned()]).await.unwrap().events, 0);
    assert_eq!(server.dump(&format!("test:{epoch}:*")), before);
    server.ask::<()>(&["SET", "test:generation", &epoch]);
    assert!(
        state.person_keys().await.unwrap().verify("maria", &user_key),
        "back again"
    );
    server.ask::<()>(&["DEL", "test:generation"]);
    let refused = state.record(&[liked("3", "maria", "car")]).await;
    assert!(matches!(refused, Err(StateError::NotOpen)), "{refused:?}");
    assert_eq!(server.dump(&format!("test:{epoch}:*")), before);
}

/// Prevents a full server from taking half of an event, and from holding on to somebody who wants to be erased or
/// to what should be forgotten, which is what would make room.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_records_nothing_and_erases_all_the_same() {
    let server = RedisServer::start();
    let (state, epoch) = recorded(&server).await;
    server.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let before = server.dump("*");
    let refused = state
        .record(&[liked("3", "maria", "car"), liked("4", "mario", "car")])
        .await;
    assert!(matches!(&refused, Err(StateError::Full(_))), "{refused:?}");
    assert_eq!(server.dump("*"), before);
    let repeated = state.record(&[liked("1", "maria", "car")]).await.unwrap();
    assert!(matches!(repeated[..], [Recorded::Repeated(_)]), "{repeated:?}");
    assert_eq!(state.export(10, None).await.unwrap().len(), 2);
    assert_eq!(state.erase(&["maria".to_owned()]).await.unwrap().events, 1);
    assert_eq!(state.ledger().await.unwrap().len(), 1);
    assert!(state.take_housekeeping_turn().await.unwrap());
    assert_eq!(
        state.forget_before(jiff::civil::date(9999, 1, 1)).await.unwrap(),
        1
    );
    assert_eq!(server.keys(&format!("test:{epoch}:event-cars")), [""; 0]);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    state.record(&[liked("3", "maria", "car")]).await.unwrap();
}

/// Prevents a revocation from being refused because there is no room for noting it.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_revoked_on_a_full_server() {
    use faciliauto_service::state::{
        Basis,
        dealers::{Dealers, TokenDigest},
    };
    let server = RedisServer::start();
    let state = redis_state(&server);
    let dealers = vec![crate::harness::fixtures::dealer("a", 1)];
    crate::state::commit(&state, Basis::Unopened, dealers, &[])
        .await
        .unwrap();
    let [one, two] = ["one", "two"].map(TokenDigest::of);
    assert!(set_token(&state, "a", Some(one)).await);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = state.set_dealer_token("a", Some(two), None).await;
    assert!(matches!(refused, Err(StateError::Full(_))), "{refused:?}");
    assert_eq!(state.dealer_token("a").await.unwrap(), Some(one));
    assert!(state.ledger().await.unwrap().is_empty());
    assert!(set_token(&state, "a", None).await);
    assert_eq!(state.ledger().await.unwrap().len(), 1);
}

/// Prevents two replicas from doing the same work.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_replicas_keeps_house() {
    let server = RedisServer::start();
    let (one, _) = recorded(&server).await;
    let (one, two): (Arc<dyn State>, Arc<dyn State>) = (Arc::new(one), Arc::new(redis_state(&server)));
    let turns = futures::future::join_all(
        [one, two].map(|state| tokio::spawn(async move { housekeeping::take_turn(&*state).await.unwrap() })),
    )
    .await;
    let taken = turns.into_iter().filter(|turn| turn.as_ref().unwrap().is_some());
    assert_eq!(taken.count(), 1);
}

/// Prevents two replicas from making two secrets: keys that one gave out would mean nothing to the other.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_keys_of_people() {
    let server = RedisServer::start();
    open(&redis_state(&server)).await;
    let keys = futures::future::join_all((0..8).map(|_| {
        let state = redis_state(&server);
        tokio::spawn(async move { state.person_keys().await.unwrap().user_key("maria") })
    }))
    .await;
    let keys: Vec<String> = keys.into_iter().map(Result::unwrap).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

/// Prevents what nobody can read, be it damaged or of a newer version, from hiding the rest, or from staying for
/// ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_left_out_and_goes_in_the_end() {
    let server = RedisServer::start();
    let (state, epoch) = recorded(&server).await;
    state.record(&[liked("3", "maria", "another")]).await.unwrap();
    let day = state.today().await.unwrap();
    for (once, text) in [("1", "damaged"), ("3", "[7]")] {
        let id = liked(once, "", "").once.to_string();
        for day in [day, day.yesterday().unwrap()] {
            let key = format!("test:{epoch}:events:{day}");
            if server.ask::<i64>(&["HEXISTS", &key, &id]) == 1 {
                server.ask::<i64>(&["HSET", &key, &id, text]);
            }
        }
    }
    assert_eq!(state.events_of("maria").await.unwrap(), []);
    assert_eq!(
        state.export(10, None).await.unwrap().len(),
        1,
        "the rest is there"
    );
    let answers = state.record(&[liked("1", "maria", "car")]).await.unwrap();
    assert_eq!(answers, [Recorded::Differs]);
    assert_eq!(state.erase(&["maria".to_owned()]).await.unwrap().events, 2);
    assert_eq!(
        state.forget_before(jiff::civil::date(9999, 1, 1)).await.unwrap(),
        1
    );
    assert_eq!(server.keys(&format!("test:{epoch}:event-days")), [""; 0]);
    assert_eq!(server.keys(&format!("test:{epoch}:event*:*")), [""; 0]);
}

/// Prevents somebody who did very much from stopping the server for everybody while they are erased.
#[tokio::test(flavor = "multi_thread")]
async fn much_is_erased_in_pieces() {
    let server = RedisServer::start();
    let (state, _) = recorded(&server).await;
    for part in 0..5 {
        let events: Vec<NewEvent> = (0..500)
            .map(|index| liked(&format!("{part} {index}"), "busy", "car"))
            .collect();
        state.record(&events).await.unwrap();
    }
    server.ask::<()>(&["CONFIG", "RESETSTAT"]);
    assert_eq!(state.erase(&["busy".to_owned()]).await.unwrap().events, 2500);
    let statistics: String = server.ask(&["INFO", "commandstats"]);
    let evaluations = statistics
        .lines()
        .find(|line| line.starts_with("cmdstat_spop:calls=3,"));
    assert!(evaluations.is_some(), "{statistics}");
    assert_eq!(state.totals().await.unwrap().events(), 2);
}

/// Prevents days from being named differently by the scripts and by the service.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_and_service_name_days_alike() {
    let server = RedisServer::start();
    let (state, epoch) = recorded(&server).await;
    let mut days: Vec<String> = server.ask(&["SMEMBERS", &format!("test:{epoch}:event-days")]);
    days.sort();
    let mut expected: Vec<String> = state
        .export(10, None)
        .await
        .unwrap()
        .iter()
        .map(|event| event.day().to_string())
        .collect();
    expected.sort();
    assert_eq!(days, expected);
    // The script's own computation, at days where such computations fail.
    let script = include_str!("../../src/state/record.lua");
    let begin = script.find("local function date").expect("the computation");
    let end = begin + script[begin..].find("\nend\n").expect("its end") + 5;
    for date in [
        "1970-01-01",
        "2000-02-29",
        "2000-03-01",
        "2026-12-31",
        "2028-02-29",
        "2100-03-01",
        "2400-02-29",
    ] {
        let date: jiff::civil::Date = date.parse().unwrap();
        let number = date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24;
        let text = format!("{}return date(tonumber(ARGV[1]))", &script[begin..end]);
        let named: String = server.ask(&["EVAL", &text, "0", &number.to_string()]);
        assert_eq!(named, date.to_string());
    }
}

/// Prevents the service from promising ninety days and never keeping house.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_forgets_what_is_old() {
    let server = RedisServer::start();
    let state = redis_state(&server);
    let epoch = open(&state).await.version.epoch;
    state.record(&[liked("1", "maria", "car")]).await.unwrap();
    // As if it had happened long ago.
    let (then, key) = ("2020-02-29", |name: &str| format!("test:{epoch}:{name}"));
    let day = state.export(1, None).await.unwrap()[0].day().to_string();
    let id = liked("1", "", "").once.to_string();
    let person = server.keys(&key("person:*")).remove(0);
    for kind in ["events", "event-times"] {
        server.ask::<()>(&[
            "RENAME",
            &key(&format!("{kind}:{day}")),
            &key(&format!("{kind}:{then}")),
        ]);
    }
    for (set, old, new) in [
        (key("event-days"), day.clone(), then.to_owned()),
        (person, format!("{day}/{id}"), format!("{then}/{id}")),
    ] {
        server.ask::<i64>(&["SADD", &set, &new]);
        assert_eq!(server.ask::<i64>(&["SREM", &set, &old]), 1);
    }
    state.record(&[liked("2", "maria", "car")]).await.unwrap();
    assert_eq!(state.events_of("maria").await.unwrap().len(), 2);
    let url = server.url();
    let _application =
        TestApplication::start(&[("FACILIAUTO_REDIS_URL", &url), ("FACILIAUTO_KEY_PREFIX", "test")]).await;
    eventually("the old event is gone", async || {
        let events = state.events_of("maria").await.unwrap();
        (events.len() == 1).then_some(())
    })
    .await;
    assert_eq!(server.keys(&key("*2020*")), [""; 0]);
    assert_eq!(state.totals().await.unwrap().events(), 1);
}
