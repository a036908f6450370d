//! How a store lets go of what buyers did: when somebody asks for it, and in time.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use faciliauto_service::{
    clock::Clock,
    housekeeping,
    state::{
        Basis, State,
        dealers::TokenDigest,
        events::{Erased, EventTotals, NewEvent, OLDEST, Recorded},
        memory::MemoryState,
    },
};
use jiff::{Timestamp, ToSpan};

use crate::{
    harness::{fixtures::dealer, redis_server::RedisServer},
    state::{commit, on_both, redis_state, set_token},
    state_events::{aged, by, everything, liked, open, store, viewed},
};

on_both! {
    /// Prevents an erasure from leaving something of its person, or from taking something of another.
    an_erasure_takes_what_is_of_its_id_and_nothing_else;
    /// Prevents a restore from bringing back somebody who was erased, also when there was nothing to erase.
    an_erasure_is_in_the_ledger_and_may_be_done_again;
    /// Prevents a restore from bringing back a token that was revoked or replaced.
    tokens_that_are_gone_are_in_the_ledger;
    /// Prevents events from being kept longer than promised, or newer ones from going with them.
    days_before_are_forgotten_with_all_that_is_of_them;
    /// Prevents every replica from keeping house, and none.
    one_turn_of_keeping_house_is_taken_an_hour;
}

async fn an_erasure_takes_what_is_of_its_id_and_nothing_else(state: Arc<dyn State>) {
    open(&*state).await;
    let sent = [
        liked("1", "maria", "a"),
        by(liked("2", "", "b"), "maria", "visit"),
        aged(by(liked("3", "", "c"), "maria", "visit"), OLDEST),
        viewed("4", "visit", "d", 7),
        liked("5", "mari", "e"),
        viewed("6", "maria", "f", 8),
    ];
    state.record(&sent).await.unwrap();
    let erased = state.erase(&["maria".to_owned()]).await.unwrap();
    assert_eq!(erased.events, 4, "as a user and as a session");
    assert_eq!(state.events_of("maria").await.unwrap(), []);
    let mut cars: Vec<String> = everything(&*state)
        .await
        .into_iter()
        .map(|event| event.car)
        .collect();
    cars.sort();
    assert_eq!(cars, ["d", "e"]);
    let visit = state.events_of("visit").await.unwrap();
    assert_eq!(visit.len(), 1, "{visit:?}");
    let again = store(&*state, &liked("1", "maria", "a")).await;
    assert!(again.first_of_user, "erased is as never known");
}

async fn an_erasure_is_in_the_ledger_and_may_be_done_again(state: Arc<dyn State>) {
    open(&*state).await;
    assert_eq!(state.ledger().await.unwrap(), BTreeMap::new());
    store(&*state, &liked("1", "maria", "a")).await;
    let ids = ["maria".to_owned(), "unknown".to_owned(), "maria".to_owned()];
    let Erased { events, at } = state.erase(&ids).await.unwrap();
    assert_eq!(events, 1);
    let keys = state.person_keys().await.unwrap();
    let entry = |id: &str| format!("erased:{}", keys.ledger_name(id));
    let first = state.ledger().await.unwrap();
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        BTreeMap::from([(entry("maria"), ()), (entry("unknown"), ())])
            .keys()
            .collect::<Vec<_>>()
    );
    assert!(first.values().all(|time| *time <= at), "{first:?}, {at}");
    tokio::time::sleep(Duration::from_millis(3)).await;
    let again = state.erase(&["maria".to_owned()]).await.unwrap();
    assert_eq!(again.events, 0);
    assert!(again.at > at);
    assert_eq!(state.ledger().await.unwrap()[&entry("maria")], again.at);
    assert_eq!(state.erase(&[]).await.unwrap().events, 0);
}

async fn tokens_that_are_gone_are_in_the_ledger(state: Arc<dyn State>) {
    let dealers = vec![dealer("a", 1), dealer("b", 1)];
    let head = commit(&*state, Basis::Unopened, dealers, &[]).await.unwrap();
    let [one, two, three] = ["one", "two", "three"].map(TokenDigest::of);
    let entries = async || {
        let ledger = state.ledger().await.unwrap();
        ledger.into_keys().collect::<Vec<_>>()
    };
    let named = |digests: &[TokenDigest]| {
        let mut named: Vec<String> = digests
            .iter()
            .map(|digest| format!("token:{}", digest.to_hexadecimal()))
            .collect();
        named.sort();
        named
    };
    set_token(&*state, "a", Some(one)).await;
    set_token(&*state, "a", Some(one)).await;
    set_token(&*state, "b", None).await;
    assert_eq!(entries().await, named(&[]), "in use, and never there");
    set_token(&*state, "a", Some(two)).await;
    assert_eq!(entries().await, named(&[one]), "replaced");
    set_token(&*state, "a", None).await;
    assert_eq!(entries().await, named(&[one, two]), "revoked");
    set_token(&*state, "a", Some(two)).await;
    assert_eq!(entries().await, named(&[one]), "in use again");
    set_token(&*state, "b", Some(three)).await;
    commit(&*state, Basis::Version(head.version), vec![], &["b"])
        .await
        .unwrap();
    assert_eq!(entries().await, named(&[one, three]), "gone with its dealership");
}

async fn days_before_are_forgotten_with_all_that_is_of_them(state: Arc<dyn State>) {
    open(&*state).await;
    assert_eq!(
        state.forget_before(state.today().await.unwrap()).await.unwrap(),
        0
    );
    for part in 0..3 {
        // More than the store removes at once.
        let old: Vec<NewEvent> = (0..500)
            .map(|index| {
                let event = viewed(&format!("{part} {index}"), &format!("visit {index}"), "a", 3);
                aged(event, OLDEST)
            })
            .collect();
        state.record(&old).await.unwrap();
    }
    let both = [
        aged(liked("old", "maria", "a"), OLDEST),
        liked("new", "maria", "b"),
    ];
    let answers = state.record(&both).await.unwrap();
    let Recorded::Stored(newest) = answers[1] else {
        panic!("{answers:?}");
    };
    let kept = both[1].at(newest.at);
    assert_eq!(
        state
            .forget_before(kept.day().yesterday().unwrap())
            .await
            .unwrap(),
        0
    );
    assert_eq!(state.forget_before(kept.day()).await.unwrap(), 1501);
    let left = std::slice::from_ref(&kept);
    assert_eq!(everything(&*state).await, left);
    assert_eq!(state.events_of("maria").await.unwrap(), left);
    assert_eq!(state.events_of("visit 7").await.unwrap(), []);
    let totals = state.totals().await.unwrap();
    let counts = (
        totals.events(),
        totals.users,
        totals.sessions,
        totals.cars,
        totals.durations,
    );
    assert_eq!(counts, (1, 1, 0, 1, 0));
    assert_eq!(
        state.forget_before(kept.day().tomorrow().unwrap()).await.unwrap(),
        1
    );
    assert_eq!(state.totals().await.unwrap(), EventTotals::none());
    assert_eq!(
        state.ledger().await.unwrap(),
        BTreeMap::new(),
        "age is no erasure"
    );
}

async fn one_turn_of_keeping_house_is_taken_an_hour(state: Arc<dyn State>) {
    open(&*state).await;
    store(&*state, &liked("1", "maria", "car")).await;
    assert_eq!(housekeeping::take_turn(&*state).await.unwrap(), Some(0));
    assert_eq!(housekeeping::take_turn(&*state).await.unwrap(), None);
    assert_eq!(everything(&*state).await.len(), 1);
}

/// Prevents the ninetieth day from being lost, and the ninety-first from being kept.
#[tokio::test]
async fn ninety_days_are_kept() {
    let days = Arc::new(AtomicI64::new(0));
    let clock = Clock::new({
        let days = Arc::clone(&days);
        move || {
            let begin: Timestamp = "2026-03-01T23:30:00Z".parse().unwrap();
            begin + (24 * days.load(Ordering::Relaxed)).hours()
        }
    });
    let state = MemoryState::new(clock);
    open(&state).await;
    store(&state, &liked("1", "maria", "car")).await;
    for (day, forgotten) in [(0, 0), (90, 0), (91, 1), (92, 0)] {
        days.store(day, Ordering::Relaxed);
        assert_eq!(
            housekeeping::take_turn(&state).await.unwrap(),
            Some(forgotten),
            "after {day} days"
        );
    }
    // The same request, long after, is another.
    store(&state, &liked("2", "maria", "car")).await;
    days.store(94, Ordering::Relaxed);
    store(&state, &liked("2", "maria", "car")).await;
    assert_eq!(everything(&state).await.len(), 2);
}
