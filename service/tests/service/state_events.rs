//! How a store keeps what buyers did, whichever adapter it is.

use std::{sync::Arc, time::Duration};

use faciliauto_engine::stock::Centavos;
use faciliauto_service::{
    clock::Clock,
    state::{
        Basis, Head, State, StateError,
        events::{
            Deed, Event, EventTotals, Facts, FeedbackAction, InteractionKind, MOST_AT_ONCE, NewEvent, OLDEST,
            OnceKey, Receipt, Recorded,
        },
        memory::MemoryState,
    },
};
use jiff::Timestamp;

use crate::{
    harness::{fixtures::dealer, redis_server::RedisServer},
    state::{commit, on_both, redis_state},
};

/// Opens a store, empty.
pub(crate) async fn open(state: &dyn State) -> Head {
    commit(state, Basis::Unopened, vec![], &[]).await.unwrap()
}

/// A user likes a car.
pub(crate) fn liked(once: &str, user: &str, car: &str) -> NewEvent {
    NewEvent {
        once: OnceKey::of(&[once]),
        age: Duration::ZERO,
        user: Some(user.to_owned()),
        session: None,
        car: car.to_owned(),
        dealership: None,
        deed: Deed::Feedback {
            action: FeedbackAction::Liked,
            rating: None,
            comment: None,
        },
        facts: Facts::default(),
    }
}

/// A visitor looks at a car for a while.
pub(crate) fn viewed(once: &str, session: &str, car: &str, seconds: u32) -> NewEvent {
    NewEvent {
        user: None,
        session: Some(session.to_owned()),
        deed: Deed::Interaction {
            kind: InteractionKind::ViewDetails,
            duration_seconds: Some(seconds),
        },
        ..liked(once, "nobody", car)
    }
}

/// The same, done by a user in a session.
pub(crate) fn by(event: NewEvent, user: &str, session: &str) -> NewEvent {
    NewEvent {
        user: Some(user.to_owned()),
        session: Some(session.to_owned()),
        ..event
    }
}

/// The same, so long ago.
pub(crate) fn aged(event: NewEvent, age: Duration) -> NewEvent {
    NewEvent { age, ..event }
}

pub(crate) async fn store(state: &dyn State, event: &NewEvent) -> Receipt {
    match record(state, event).await {
        Recorded::Stored(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

async fn record(state: &dyn State, event: &NewEvent) -> Recorded {
    let answers = state.record(std::slice::from_ref(event)).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers[0]
}

pub(crate) async fn everything(state: &dyn State) -> Vec<Event> {
    state.export(10_000, None).await.unwrap()
}

on_both! {
    /// Prevents an event from being counted twice because its answer was lost and it was sent again.
    an_event_that_is_sent_twice_is_stored_once;
    /// Prevents two replicas that are sent one event at once from both storing it.
    of_many_at_once_one_stores_it;
    /// Prevents a repetition from being stored because a day ended in between, in whichever order they arrive.
    a_repetition_is_found_over_midnight;
    /// Prevents a client that uses one key for two requests from losing the second without a word, and a
    /// repetition from being refused because the price of its car changed.
    another_event_under_one_key_is_told_apart;
    /// Prevents the key of a person from being given to whoever comes later with the same id.
    the_first_event_of_an_id_says_so;
    what_had_to_wait_leaves_the_key_to_the_next;
    /// Prevents events from coming back different from how they went in.
    events_come_back_as_they_were;
    /// Prevents what a person did from being missed because they were known by another of their ids.
    events_are_found_by_either_role;
    /// Prevents an export from missing events, having some twice, or ending where a page happens to.
    pages_of_an_export_hold_everything_once;
    /// Prevents counts from drifting away from what is kept.
    totals_are_of_what_is_kept;
    /// Prevents events from landing in a store that nobody opened.
    a_closed_store_keeps_nothing;
    /// Prevents a batch from being cut short without a word.
    a_batch_is_taken_whole_or_refused;
    /// Prevents a person's key from changing from one request to the next.
    keys_of_people_stay;
}

async fn an_event_that_is_sent_twice_is_stored_once(state: Arc<dyn State>) {
    open(&*state).await;
    let event = liked("1", "maria", "car");
    let receipt = store(&*state, &event).await;
    assert_eq!(record(&*state, &event).await, Recorded::Repeated(receipt));
    let both = [viewed("2", "visit", "car", 1), viewed("2", "visit", "car", 1)];
    let answers = state.record(&both).await.unwrap();
    assert!(
        matches!(answers[..], [Recorded::Stored(one), Recorded::Repeated(two)] if one == two),
        "{answers:?}"
    );
    assert_eq!(everything(&*state).await.len(), 2);
}

async fn of_many_at_once_one_stores_it(state: Arc<dyn State>) {
    open(&*state).await;
    let answers = futures::future::join_all((0..16).map(|_| {
        let state = Arc::clone(&state);
        tokio::spawn(async move { record(&*state, &liked("1", "maria", "car")).await })
    }))
    .await;
    let stored = answers
        .into_iter()
        .filter(|answer| matches!(answer.as_ref().unwrap(), Recorded::Stored(_)));
    assert_eq!(stored.count(), 1);
    assert_eq!(everything(&*state).await.len(), 1);
}

async fn a_repetition_is_found_over_midnight(state: Arc<dyn State>) {
    open(&*state).await;
    let (now, yesterday) = (liked("1", "maria", "car"), liked("2", "maria", "car"));
    store(&*state, &now).await;
    let earlier = store(&*state, &aged(yesterday.clone(), OLDEST)).await;
    assert_eq!(record(&*state, &yesterday).await, Recorded::Repeated(earlier));
    let repeated = record(&*state, &aged(now, OLDEST)).await;
    assert!(matches!(repeated, Recorded::Repeated(_)), "{repeated:?}");
    // Older than the oldest counts as the oldest.
    let older = store(&*state, &aged(liked("3", "maria", "car"), 10 * OLDEST)).await;
    assert!(older.at >= earlier.at, "{older:?}");
    assert_eq!(everything(&*state).await.len(), 3);
}

async fn another_event_under_one_key_is_told_apart(state: Arc<dyn State>) {
    open(&*state).await;
    let event = liked("1", "maria", "car");
    store(&*state, &event).await;
    assert_eq!(
        record(&*state, &liked("1", "maria", "another")).await,
        Recorded::Differs
    );
    assert_eq!(
        record(&*state, &liked("1", "mario", "car")).await,
        Recorded::Differs
    );
    let cheaper = NewEvent {
        facts: Facts {
            price: Some(Centavos(1)),
            ..Facts::default()
        },
        ..event.clone()
    };
    let repeated = record(&*state, &cheaper).await;
    assert!(matches!(repeated, Recorded::Repeated(_)), "{repeated:?}");
    let kept = everything(&*state).await;
    assert_eq!(kept, [event.at(kept[0].at)], "the first stays as it was");
}

async fn the_first_event_of_an_id_says_so(state: Arc<dyn State>) {
    open(&*state).await;
    let firsts = |receipt: Receipt| (receipt.first_of_user, receipt.first_of_session);
    let begun = by(liked("1", "", "car"), "maria", "visit");
    assert_eq!(firsts(store(&*state, &begun).await), (true, true));
    let next = by(liked("2", "", "car"), "maria", "next visit");
    assert_eq!(firsts(store(&*state, &next).await), (false, true));
    assert_eq!(
        firsts(store(&*state, &liked("3", "mario", "car")).await),
        (true, false),
        "no session, no first one"
    );
    assert_eq!(
        firsts(store(&*state, &liked("4", "visit", "car")).await),
        (false, false),
        "an id that is known as that of a session is not new as a user's"
    );
    let Recorded::Repeated(again) = record(&*state, &begun).await else {
        panic!("a repetition");
    };
    assert_eq!(
        firsts(again),
        (true, true),
        "the answer is the same when asked again"
    );
    let batch = [liked("5", "ana", "car"), liked("6", "ana", "car")];
    let answers = state.record(&batch).await.unwrap();
    assert!(
        matches!(answers[..], [Recorded::Stored(one), Recorded::Stored(two)]
            if one.first_of_user && !two.first_of_user),
        "{answers:?}"
    );
}

/// Prevents a key from being lost with the answer to an event that had to wait, which could not carry it, and an id that
/// somebody has the key of from being given to the next.
async fn what_had_to_wait_leaves_the_key_to_the_next(state: Arc<dyn State>) {
    open(&*state).await;
    let waited = |event| aged(event, Duration::from_millis(1));
    let held = [
        waited(by(liked("1", "", "car"), "maria", "visit")),
        waited(by(liked("2", "", "car"), "maria", "visit")),
    ];
    state.record(&held).await.unwrap();
    let firsts = |receipt: Receipt| (receipt.first_of_user, receipt.first_of_session);
    let next = by(liked("3", "", "car"), "maria", "visit");
    assert_eq!(firsts(store(&*state, &next).await), (true, true));
    let later = by(liked("4", "", "car"), "maria", "visit");
    assert_eq!(firsts(store(&*state, &later).await), (false, false));
    for index in 0..9 {
        let held = waited(by(liked(&format!("held {index}"), "", "car"), "maria", "visit"));
        assert_eq!(
            firsts(store(&*state, &held).await),
            (false, false),
            "maria has hers"
        );
    }
    let later = by(liked("5", "", "car"), "maria", "visit");
    assert_eq!(firsts(store(&*state, &later).await), (false, false));
    // However many wait, the store does not look through all of them.
    for (count, is_first) in [(50, true), (51, false)] {
        let session = format!("visit of {count}");
        let held = |index| waited(viewed(&format!("{count} {index}"), &session, "car", 1));
        let held: Vec<NewEvent> = (0..count).map(held).collect();
        let (one, rest) = held.split_first().unwrap();
        store(&*state, one).await;
        state.record(rest).await.unwrap();
        let next = viewed(&format!("after {count}"), &session, "car", 1);
        assert_eq!(firsts(store(&*state, &next).await), (false, is_first), "{count}");
    }
}

async fn events_come_back_as_they_were(state: Arc<dyn State>) {
    open(&*state).await;
    let odd = "\"quoted\" \\ \n\t\u{1} ção 🚗 </script> {\"at\":1}";
    let full = NewEvent {
        dealership: Some("seller".to_owned()),
        deed: Deed::Feedback {
            action: FeedbackAction::Compared,
            rating: Some(4),
            comment: Some(odd.to_owned()),
        },
        facts: Facts {
            brand: Some("Fiat".to_owned()),
            category: Some("hatch".to_owned()),
            price: Some(Centavos(9_007_199_254_740_993)),
            year: Some(2021),
            position: Some(3),
            match_tenths: Some(873),
        },
        ..by(liked("1", "", odd), odd, "a/b:c")
    };
    let bare = NewEvent {
        user: None,
        ..liked("2", "", "car")
    };
    let mut sent = vec![full, bare, viewed("3", "visit", "car", u32::MAX)];
    for (index, action) in FeedbackAction::ALL.into_iter().enumerate() {
        sent.push(NewEvent {
            deed: Deed::Feedback {
                action,
                rating: None,
                comment: None,
            },
            ..liked(&format!("action {index}"), "maria", "car")
        });
    }
    for (index, kind) in InteractionKind::ALL.into_iter().enumerate() {
        sent.push(NewEvent {
            deed: Deed::Interaction {
                kind,
                duration_seconds: None,
            },
            ..liked(&format!("kind {index}"), "maria", "car")
        });
    }
    let before = Timestamp::now();
    let answers = state.record(&sent).await.unwrap();
    let mut expected: Vec<Event> = sent
        .iter()
        .zip(&answers)
        .map(|(event, answer)| match answer {
            Recorded::Stored(receipt) => event.at(receipt.at),
            other => panic!("{other:?}"),
        })
        .collect();
    expected.sort_by_key(|event| std::cmp::Reverse(event.cursor()));
    let kept = everything(&*state).await;
    assert_eq!(kept, expected);
    let near = |at: Timestamp| (at.duration_since(before)).abs() < jiff::SignedDuration::from_secs(30);
    assert!(kept.iter().all(|event| near(event.at)), "{kept:?}");
    assert_eq!(state.events_of(odd).await.unwrap().len(), 1);
    assert_eq!(state.events_of("a/b:c").await.unwrap().len(), 1);
}

async fn events_are_found_by_either_role(state: Arc<dyn State>) {
    open(&*state).await;
    assert_eq!(
        state.events_of("maria").await.unwrap(),
        [],
        "nothing was recorded yet"
    );
    let sent = [
        aged(liked("1", "maria", "a"), OLDEST),
        aged(by(liked("2", "", "b"), "maria", "visit"), Duration::from_secs(20)),
        aged(viewed("3", "visit", "c", 7), Duration::from_secs(10)),
        by(liked("4", "", "d"), "both", "both"),
    ];
    state.record(&sent).await.unwrap();
    let cars = async |id: &str| {
        let events = state.events_of(id).await.unwrap();
        events.into_iter().map(|event| event.car).collect::<Vec<_>>()
    };
    assert_eq!(cars("maria").await, ["a", "b"], "oldest first");
    assert_eq!(cars("visit").await, ["b", "c"]);
    assert_eq!(cars("both").await, ["d"]);
    assert_eq!(cars("mari").await, [""; 0]);
    assert_eq!(cars("").await, [""; 0]);
}

async fn pages_of_an_export_hold_everything_once(state: Arc<dyn State>) {
    open(&*state).await;
    assert_eq!(everything(&*state).await, []);
    // Two days, many within one millisecond, and more than the store reads at once.
    for part in 0..5 {
        let sent: Vec<NewEvent> = (0..300)
            .map(|index| {
                let age = Duration::from_secs(3600 * [0, 0, 0, 24, 24, 5][index % 6]);
                aged(liked(&format!("{part} {index}"), "maria", "car"), age)
            })
            .collect();
        state.record(&sent).await.unwrap();
    }
    let whole = everything(&*state).await;
    assert_eq!(whole.len(), 1500);
    assert!(whole.is_sorted_by(|newer, older| newer.cursor() > older.cursor()));
    for limit in [1, 7, 250, 1500] {
        let (mut paged, mut before) = (Vec::new(), None);
        while paged.len() < whole.len() {
            let page = state.export(limit, before).await.unwrap();
            assert_eq!(page.len(), limit.min(whole.len() - paged.len()));
            before = page.last().map(Event::cursor);
            paged.extend(page);
            if limit == 1 && paged.len() == 40 {
                paged.extend_from_slice(&whole[40..]);
            }
        }
        assert_eq!(paged, whole, "pages of {limit}");
        let end = whole.last().map(Event::cursor);
        assert_eq!(state.export(limit, end).await.unwrap(), []);
    }
    assert_eq!(state.export(0, None).await.unwrap(), []);
    // A place stays good when what stood there is gone.
    state
        .record(&[aged(liked("later", "mario", "car"), Duration::from_secs(60))])
        .await
        .unwrap();
    let place = everything(&*state)
        .await
        .into_iter()
        .find(|event| event.user.as_deref() == Some("mario"));
    let place = place.unwrap().cursor();
    let after = state.export(3, Some(place)).await.unwrap();
    state.erase(&["mario".to_owned()]).await.unwrap();
    assert_eq!(state.export(3, Some(place)).await.unwrap(), after);
}

async fn totals_are_of_what_is_kept(state: Arc<dyn State>) {
    open(&*state).await;
    assert_eq!(state.totals().await.unwrap(), EventTotals::none());
    let sent = [
        aged(viewed("1", "visit", "a", 30), OLDEST),
        viewed("2", "visit", "b", 0),
        viewed("3", "another", "b", 12),
        liked("4", "maria", "c"),
        aged(by(liked("5", "", "a"), "mario", "visit"), Duration::from_secs(5)),
    ];
    let answers = state.record(&sent).await.unwrap();
    let at = |index: usize| match answers[index] {
        Recorded::Stored(receipt) => Some(receipt.at),
        other => panic!("{other:?}"),
    };
    let totals = |deeds: [(&'static str, u64); 2]| {
        let mut totals = EventTotals::none();
        totals.deeds.extend(deeds);
        totals
    };
    let all = EventTotals {
        users: 2,
        sessions: 2,
        cars: 3,
        durations: 3,
        duration_seconds: 42,
        last_at: at(1),
        ..totals([("view_details", 3), ("liked", 2)])
    };
    assert_eq!(state.totals().await.unwrap(), all);
    assert_eq!(all.events(), 5);
    // Takes all but those of 3 and 4: also a duration of nothing counts as one.
    state.erase(&["visit".to_owned()]).await.unwrap();
    let left = EventTotals {
        users: 1,
        sessions: 1,
        cars: 2,
        durations: 1,
        duration_seconds: 12,
        last_at: at(2),
        ..totals([("view_details", 1), ("liked", 1)])
    };
    assert_eq!(state.totals().await.unwrap(), left);
    state
        .erase(&["another".to_owned(), "maria".to_owned()])
        .await
        .unwrap();
    assert_eq!(state.totals().await.unwrap(), EventTotals::none());
}

async fn a_closed_store_keeps_nothing(state: Arc<dyn State>) {
    let event = liked("1", "maria", "car");
    fn closed<T: std::fmt::Debug>(answer: Result<T, StateError>) {
        assert!(matches!(answer, Err(StateError::NotOpen)), "{answer:?}");
    }
    closed(state.record(std::slice::from_ref(&event)).await);
    closed(state.events_of("maria").await);
    closed(state.export(1, None).await);
    closed(state.totals().await);
    closed(state.erase(&["maria".to_owned()]).await);
    closed(state.person_keys().await);
    closed(state.ledger().await);
    closed(state.today().await);
    closed(state.forget_before(jiff::civil::date(2026, 1, 1)).await);
    closed(state.take_housekeeping_turn().await);
    open(&*state).await;
    assert_eq!(everything(&*state).await, []);
}

async fn a_batch_is_taken_whole_or_refused(state: Arc<dyn State>) {
    open(&*state).await;
    let many = |number: usize| -> Vec<NewEvent> {
        (0..number)
            .map(|index| liked(&index.to_string(), "maria", "car"))
            .collect()
    };
    let refused = state.record(&many(MOST_AT_ONCE + 1)).await;
    assert!(matches!(refused, Err(StateError::Refused(_))), "{refused:?}");
    assert_eq!(everything(&*state).await, []);
    assert_eq!(
        state.record(&many(MOST_AT_ONCE)).await.unwrap().len(),
        MOST_AT_ONCE
    );
    assert_eq!(everything(&*state).await.len(), MOST_AT_ONCE);
    assert_eq!(state.record(&[]).await.unwrap(), []);
}

async fn keys_of_people_stay(state: Arc<dyn State>) {
    let head = open(&*state).await;
    let key = state.person_keys().await.unwrap().user_key("maria");
    store(&*state, &liked("1", "maria", "car")).await;
    commit(&*state, Basis::Version(head.version), vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    let keys = state.person_keys().await.unwrap();
    assert!(keys.verify("maria", &key));
    assert_eq!(everything(&*state).await.len(), 1, "also what was recorded stays");
}
