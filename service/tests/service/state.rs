//! How a store behaves, whichever adapter it is.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use faciliauto_service::{
    clock::Clock,
    state::{
        Basis, CatalogVersion, Change, DealerStock, Head, State, StateError,
        connection::{ConnectionSettings, Secret, UrlSource},
        dealers::{DealerView, SoldMark, TokenChange, TokenDigest},
        memory::MemoryState,
        once::{Once, OnceKey, Remembered},
        redis::{Patience, RedisState},
    },
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use crate::harness::{fixtures::dealer, redis_server::RedisServer};

/// A Redis state on a server of the test.
pub(crate) fn redis_state(server: &RedisServer) -> RedisState {
    let settings = ConnectionSettings {
        url: UrlSource::Given(Secret::new(server.url())),
        password_file: None,
        trust_ca_file: None,
        key_prefix: "test".to_owned(),
    };
    let info = settings.resolve().expect("a good address");
    RedisState::new(info, "test", Patience::SERVING).expect("a state")
}

pub(crate) async fn commit(
    state: &dyn State,
    basis: Basis,
    put: Vec<DealerStock>,
    remove: &[&str],
) -> Result<Head, StateError> {
    let remove = remove.iter().map(|id| (*id).to_owned()).collect();
    let marks = Vec::new();
    let change = Change {
        basis,
        put: put.into_iter().map(Arc::new).collect(),
        remove,
        marks,
        updates: Vec::new(),
        once: None,
    };
    state.commit(change, &|_| {}).await?.confirmed().await
}

async fn mark(state: &dyn State, head: Head, put: DealerStock, marks: &[(&str, bool)]) -> Head {
    let marks = marks.iter().map(|(car, sold)| SoldMark {
        dealership: put.dealership.id.clone(),
        car: (*car).to_owned(),
        sold: *sold,
    });
    let change = Change {
        basis: Basis::Version(head.version),
        marks: marks.collect(),
        put: vec![put.into()],
        remove: vec![],
        updates: Vec::new(),
        once: None,
    };
    let written = state.commit(change, &|_| {}).await.unwrap();
    written.confirmed().await.unwrap()
}

/// Gives a dealership a token, confirmed; false when there is no such dealership.
pub(crate) async fn set_token(state: &dyn State, id: &str, token: Option<TokenDigest>) -> bool {
    set_token_once(state, id, token, None).await == TokenChange::Done
}

async fn set_token_once(
    state: &dyn State,
    id: &str,
    token: Option<TokenDigest>,
    once: Option<&OnceKey>,
) -> TokenChange {
    let written = state.set_dealer_token(id, token, once).await.unwrap();
    written.confirmed().await.unwrap()
}

async fn remembered(state: &dyn State, head: &Head, key: &OnceKey) -> Option<Remembered> {
    match state.remembered(&head.version, key).await.unwrap() {
        Some(written) => Some(written.confirmed().await.unwrap()),
        None => None,
    }
}

async fn dealers(state: &dyn State) -> Vec<DealerStock> {
    state
        .stock()
        .await
        .expect("an answer")
        .expect("an open store")
        .dealers
}

/// Runs each behaviour on both adapters.
macro_rules! on_both {
    ($($(#[$about:meta])* $behaviour:ident;)+) => {
        mod memory {
            use super::*;
            $($(#[$about])* #[tokio::test(flavor = "multi_thread")] async fn $behaviour() {
                super::$behaviour(Arc::new(MemoryState::new(Clock::system()))).await;
            })+
        }
        mod redis {
            use super::*;
            $($(#[$about])* #[tokio::test(flavor = "multi_thread")] async fn $behaviour() {
                let server = RedisServer::start();
                let state = redis_state(&server);
                tokio::spawn(state.listen());
                super::$behaviour(Arc::new(state)).await;
            })+
        }
    };
}
pub(crate) use on_both;

on_both! {
    /// Prevents a store that nobody opened from looking like one that is empty.
    a_store_is_closed_until_it_is_opened;
    /// Prevents a second deployment step from replacing the stock of a store in use.
    a_store_is_opened_once;
    /// Prevents stock from coming back different from how it went in, or in parts.
    what_is_put_comes_back;
    /// Prevents an import of one dealer from touching another's cars.
    a_change_leaves_other_dealerships_alone;
    /// Prevents a writer from undoing a change that it did not see.
    a_change_of_an_older_version_is_refused;
    /// Prevents a dealership that left from being shown on.
    removed_dealerships_are_gone;
    /// Prevents servers from learning of a change only by asking.
    changes_are_announced;
    /// Prevents two writers at once from both being told that they succeeded.
    of_two_changes_at_once_one_wins;
    /// Prevents a dealer's view from differing from the whole stock, and a store that nobody opened from
    /// looking like one without that dealer.
    one_dealer_is_seen_as_in_the_whole_stock;
    /// Prevents a server from going on showing what it has of a dealership that was put anew.
    every_put_gives_a_dealership_another_version;
    /// Prevents a revoked token, or one of a dealership that is gone, from opening anything.
    tokens_are_kept_replaced_and_revoked;
    /// Prevents a sale from being forgotten, or from outliving its dealership.
    sold_marks_come_and_go;
    /// Prevents a change from being made without a trace of its request, or the trace without the change.
    a_change_is_remembered_with_its_request;
    /// Prevents a token that was made from being replaced by the same request.
    a_token_is_changed_once_under_a_key;
}

async fn a_store_is_closed_until_it_is_opened(state: Arc<dyn State>) {
    assert_eq!(state.head().await.unwrap(), None);
    assert_eq!(state.stock().await.unwrap(), None);
    let nowhere = CatalogVersion {
        epoch: "0".to_owned(),
        counter: 1,
    };
    let refused = commit(&*state, Basis::Version(nowhere), vec![dealer("a", 1)], &[]).await;
    assert!(matches!(refused, Err(StateError::Moved)), "{refused:?}");
    assert_eq!(state.head().await.unwrap(), None);
}

async fn a_store_is_opened_once(state: Arc<dyn State>) {
    let head = commit(&*state, Basis::Unopened, vec![], &[]).await.unwrap();
    assert_eq!(head.version.counter, 1);
    assert_eq!(state.head().await.unwrap(), Some(head.clone()));
    assert_eq!(dealers(&*state).await, [], "open and empty");
    let refused = commit(&*state, Basis::Unopened, vec![dealer("a", 1)], &[]).await;
    assert!(matches!(refused, Err(StateError::AlreadyOpen)), "{refused:?}");
    assert_eq!(state.head().await.unwrap(), Some(head));
}

async fn what_is_put_comes_back(state: Arc<dyn State>) {
    let put = vec![dealer("a", 3), dealer("b", 0), dealer("c", 2)];
    commit(&*state, Basis::Unopened, put.clone(), &[]).await.unwrap();
    assert_eq!(dealers(&*state).await, put);
}

async fn a_change_leaves_other_dealerships_alone(state: Arc<dyn State>) {
    let head = commit(
        &*state,
        Basis::Unopened,
        vec![dealer("a", 3), dealer("b", 2)],
        &[],
    )
    .await
    .unwrap();
    let next = commit(
        &*state,
        Basis::Version(head.version.clone()),
        vec![dealer("b", 5)],
        &[],
    )
    .await
    .unwrap();
    assert_eq!(
        next.version,
        CatalogVersion {
            counter: 2,
            ..head.version
        }
    );
    assert_eq!(dealers(&*state).await, [dealer("a", 3), dealer("b", 5)]);
}

async fn a_change_of_an_older_version_is_refused(state: Arc<dyn State>) {
    let old = commit(&*state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    let new = commit(
        &*state,
        Basis::Version(old.version.clone()),
        vec![dealer("a", 2)],
        &[],
    )
    .await
    .unwrap();
    let refused = commit(&*state, Basis::Version(old.version), vec![dealer("a", 9)], &[]).await;
    assert!(matches!(refused, Err(StateError::Moved)), "{refused:?}");
    assert_eq!(state.head().await.unwrap(), Some(new));
    assert_eq!(dealers(&*state).await, [dealer("a", 2)]);
}

async fn removed_dealerships_are_gone(state: Arc<dyn State>) {
    let head = commit(
        &*state,
        Basis::Unopened,
        vec![dealer("a", 1), dealer("b", 2)],
        &[],
    )
    .await
    .unwrap();
    commit(
        &*state,
        Basis::Version(head.version),
        vec![dealer("c", 3)],
        &["a", "nobody"],
    )
    .await
    .unwrap();
    assert_eq!(dealers(&*state).await, [dealer("b", 2), dealer("c", 3)]);
}

async fn changes_are_announced(state: Arc<dyn State>) {
    // Making the connection is news too: wait until that is over.
    while timeout(Duration::from_millis(300), state.changed()).await.is_ok() {}
    let waiting = tokio::spawn({
        let state = Arc::clone(&state);
        async move { state.changed().await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    commit(&*state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    timeout(Duration::from_secs(5), waiting)
        .await
        .expect("announced")
        .unwrap();
}

async fn of_two_changes_at_once_one_wins(state: Arc<dyn State>) {
    let head = commit(&*state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    let outcomes = futures::future::join_all((2..6).map(|cars| {
        let (state, version) = (Arc::clone(&state), head.version.clone());
        tokio::spawn(async move {
            commit(&*state, Basis::Version(version), vec![dealer("a", cars)], &[])
                .await
                .map(|_| cars)
        })
    }))
    .await;
    let won: Vec<usize> = outcomes
        .into_iter()
        .filter_map(|outcome| outcome.unwrap().ok())
        .collect();
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(dealers(&*state).await, [dealer("a", won[0])]);
}

async fn one_dealer_is_seen_as_in_the_whole_stock(state: Arc<dyn State>) {
    let closed = state.dealer("a").await;
    assert!(matches!(closed, Err(StateError::NotOpen)), "{closed:?}");
    let head = commit(
        &*state,
        Basis::Unopened,
        vec![dealer("a", 3), dealer("b", 0)],
        &[],
    )
    .await
    .unwrap();
    for (id, stock) in [
        ("a", Some(dealer("a", 3))),
        ("b", Some(dealer("b", 0))),
        ("c", None),
    ] {
        let view = state.dealer(id).await.unwrap();
        let outline = state.outline(id).await.unwrap();
        let versions = state.versions().await.unwrap();
        let record = view.stock.as_ref().map(|stock| stock.dealership.clone());
        assert_eq!(
            (outline.head, outline.fingerprint, outline.dealership),
            (
                view.head.clone(),
                view.fingerprint,
                record.zip(versions.dealers.get(id).cloned())
            ),
            "{id}: an outline says the same"
        );
        assert_eq!((view.head, view.stock), (head.clone(), stock), "{id}");
        assert_eq!(view.sold, BTreeMap::new());
    }
}

async fn tokens_are_kept_replaced_and_revoked(state: Arc<dyn State>) {
    let (one, two) = (TokenDigest::of("one"), TokenDigest::of("two"));
    let closed = state.set_dealer_token("a", Some(one), None).await;
    assert!(matches!(closed, Err(StateError::NotOpen)), "{closed:?}");
    let head = commit(
        &*state,
        Basis::Unopened,
        vec![dealer("a", 1), dealer("b", 1)],
        &[],
    )
    .await
    .unwrap();
    assert!(!set_token(&*state, "nobody", Some(one)).await);
    assert_eq!(state.dealer_token("nobody").await.unwrap(), None);
    assert!(set_token(&*state, "a", Some(one)).await);
    assert!(set_token(&*state, "a", Some(two)).await);
    assert!(set_token(&*state, "b", Some(one)).await);
    assert_eq!(state.dealer_token("a").await.unwrap(), Some(two));
    let both = BTreeMap::from([("a".to_owned(), two), ("b".to_owned(), one)]);
    assert_eq!(state.dealer_tokens().await.unwrap(), both);
    assert!(set_token(&*state, "b", None).await);
    assert_eq!(state.dealer_token("b").await.unwrap(), None);
    commit(&*state, Basis::Version(head.version), vec![], &["a"])
        .await
        .unwrap();
    assert_eq!(state.dealer_tokens().await.unwrap(), BTreeMap::new());
}

async fn sold_marks_come_and_go(state: Arc<dyn State>) {
    let head = commit(&*state, Basis::Unopened, vec![dealer("a", 3)], &[])
        .await
        .unwrap();
    let head = mark(&*state, head, dealer("a", 3), &[("a-0", true), ("a-1", true)]).await;
    let marked = |view: DealerView| view.sold.into_keys().collect::<Vec<_>>();
    assert_eq!(marked(state.dealer("a").await.unwrap()), ["a-0", "a-1"]);
    assert_eq!(
        state.outline("a").await.unwrap().sold,
        state.dealer("a").await.unwrap().sold
    );
    let head = mark(&*state, head, dealer("a", 1), &[("a-0", false)]).await;
    let view = state.dealer("a").await.unwrap();
    assert!(view.sold.values().all(|at| *at <= head.changed_at));
    assert_eq!(marked(view), ["a-1"], "also of a car that has left");
    commit(&*state, Basis::Version(head.version), vec![], &["a"])
        .await
        .unwrap();
    assert_eq!(state.dealer("a").await.unwrap().sold, BTreeMap::new());
}

fn once(key: &str, answer: &str) -> Once {
    Once {
        key: OnceKey::of(&[key]),
        remembered: Remembered {
            fingerprint: format!("of-{key}"),
            answer: answer.to_owned(),
        },
    }
}

async fn a_change_is_remembered_with_its_request(state: Arc<dyn State>) {
    let head = commit(&*state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    let (kept, lost) = (
        once("kept", "{\"a b\": \"ção\", \"v\": \"{catalog_version}\"}"),
        once("lost", "{}"),
    );
    let change = |basis: &Head, once: &Once| Change {
        basis: Basis::Version(basis.version.clone()),
        put: vec![dealer("a", 2).into()],
        remove: vec![],
        marks: vec![],
        updates: Vec::new(),
        once: Some(once.clone()),
    };
    let written = state.commit(change(&head, &kept), &|_| {}).await.unwrap();
    let next = written.confirmed().await.unwrap();
    let refused = state.commit(change(&head, &lost), &|_| {}).await;
    assert!(matches!(refused, Err(StateError::Moved)), "{refused:?}");
    assert_eq!(remembered(&*state, &next, &lost.key).await, None);
    let made = next.version.to_string();
    let last = commit(&*state, Basis::Version(next.version), vec![dealer("a", 3)], &[])
        .await
        .unwrap();
    assert_eq!(
        remembered(&*state, &last, &kept.key).await,
        Some(Remembered {
            answer: format!("{{\"a b\": \"ção\", \"v\": \"{made}\"}}"),
            ..kept.remembered
        }),
        "also after others wrote"
    );
    let mut elsewhere = last;
    elsewhere.version.epoch = "another".to_owned();
    assert_eq!(
        remembered(&*state, &elsewhere, &kept.key).await,
        None,
        "another generation remembers nothing of this one"
    );
}

async fn a_token_is_changed_once_under_a_key(state: Arc<dyn State>) {
    let (one, two) = (TokenDigest::of("one"), TokenDigest::of("two"));
    let (key, other) = (OnceKey::of(&["key"]), OnceKey::of(&["other"]));
    commit(&*state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    for (id, token, key, expected, kept) in [
        ("nobody", one, &key, TokenChange::NoDealership, None),
        ("a", one, &key, TokenChange::Done, Some(one)),
        ("a", two, &key, TokenChange::UsedBefore, Some(one)),
        ("a", two, &other, TokenChange::Done, Some(two)),
    ] {
        let change = set_token_once(&*state, id, Some(token), Some(key)).await;
        assert_eq!(change, expected, "{id}");
        assert_eq!(state.dealer_token("a").await.unwrap(), kept);
    }
}

/// Prevents what is kept in memory from growing for as long as the process lives, and from being forgotten
/// too soon.
#[tokio::test]
async fn memory_forgets_after_a_day() {
    let now = Arc::new(std::sync::Mutex::new(
        Timestamp::from_second(1_900_000_000).unwrap(),
    ));
    let clock = Arc::clone(&now);
    let state = MemoryState::new(Clock::new(move || *clock.lock().unwrap()));
    let head = commit(&state, Basis::Unopened, vec![], &[]).await.unwrap();
    let kept = once("kept", "{}");
    let change = Change {
        basis: Basis::Version(head.version),
        put: vec![],
        remove: vec![],
        marks: vec![],
        updates: Vec::new(),
        once: Some(kept.clone()),
    };
    let head = state
        .commit(change, &|_| {})
        .await
        .unwrap()
        .confirmed()
        .await
        .unwrap();
    for (seconds, expected) in [(86_399, Some(kept.remembered.clone())), (1, None)] {
        *now.lock().unwrap() += SignedDuration::from_secs(seconds);
        assert_eq!(remembered(&state, &head, &kept.key).await, expected);
    }
}

async fn every_put_gives_a_dealership_another_version(state: Arc<dyn State>) {
    let closed = state.versions().await;
    assert!(matches!(closed, Err(StateError::NotOpen)), "{closed:?}");
    let both = vec![dealer("a", 1), dealer("b", 1)];
    let head = commit(&*state, Basis::Unopened, both, &[]).await.unwrap();
    let first = state.versions().await.unwrap();
    assert_eq!(first.head, head);
    let next = commit(&*state, Basis::Version(head.version), vec![dealer("b", 1)], &[])
        .await
        .unwrap();
    let second = state.versions().await.unwrap();
    assert_eq!(second.head, next);
    assert_eq!(first.dealers["a"], second.dealers["a"]);
    assert_ne!(
        first.dealers["b"], second.dealers["b"],
        "the same cars, put again"
    );
    commit(&*state, Basis::Version(next.version), vec![], &["b"])
        .await
        .unwrap();
    let third = state.versions().await.unwrap();
    assert_eq!(third.dealers.into_keys().collect::<Vec<_>>(), ["a"]);
}
