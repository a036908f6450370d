//! How a store behaves, whichever adapter it is.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use faciliauto_engine::stock::Centavos;
use faciliauto_service::{
    clock::Clock,
    state::{
        Basis, CatalogVersion, Change, DealerStock, Head, State, StateError,
        connection::{ConnectionSettings, Secret, UrlSource},
        dealers::{CarFacts, CarUpdate, DealerView, DealershipGlance, SoldMark, TokenDigest},
        memory::MemoryState,
        redis::{Patience, RedisState},
    },
    stock::fingerprint::Fingerprint,
};
use jiff::civil::date;
use tokio::time::timeout;

use crate::harness::{fixtures::dealer, redis_server::RedisServer};

/// A Redis state on a server of the test.
pub(crate) fn redis_state(server: &RedisServer) -> RedisState {
    let settings = ConnectionSettings {
        url: UrlSource::Given(Secret::new(server.url())),
        password_file: None,
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
        put,
        remove,
        marks,
        updates: Vec::new(),
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
        put: vec![put],
        remove: vec![],
        updates: Vec::new(),
    };
    let written = state.commit(change, &|_| {}).await.unwrap();
    written.confirmed().await.unwrap()
}

/// Gives a dealership a token, confirmed.
async fn set_token(state: &dyn State, id: &str, token: Option<TokenDigest>) -> bool {
    let written = state.set_dealer_token(id, token).await.unwrap();
    written.confirmed().await.unwrap()
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
    /// Prevents an update of a car from being lost, from reaching another car, or from outliving the stock that it
    /// was an update of.
    a_car_is_updated_and_the_next_put_counts_for_more;
    /// Prevents a large stock, which takes seconds to put, from never winning against sales elsewhere, and a put from
    /// undoing a sale that it did not see.
    updates_elsewhere_do_not_matter_to_a_change;
    /// Prevents an update of nothing, or one of a stock that has moved on, from passing for done.
    an_update_of_no_stock_is_refused;
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
        assert_eq!((view.head, view.stock), (head.clone(), stock), "{id}");
        assert_eq!(view.sold, BTreeMap::new());
    }
}

async fn tokens_are_kept_replaced_and_revoked(state: Arc<dyn State>) {
    let (one, two) = (TokenDigest::of("one"), TokenDigest::of("two"));
    let closed = state.set_dealer_token("a", Some(one)).await;
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
    let head = mark(&*state, head, dealer("a", 1), &[("a-0", false)]).await;
    let view = state.dealer("a").await.unwrap();
    assert!(view.sold.values().all(|at| *at <= head.changed_at));
    assert_eq!(marked(view), ["a-1"], "also of a car that has left");
    commit(&*state, Basis::Version(head.version), vec![], &["a"])
        .await
        .unwrap();
    assert_eq!(state.dealer("a").await.unwrap().sold, BTreeMap::new());
}

/// Updates the first car of a dealer to a price, sold; gives the dealer as it is to be.
fn update(mut dealer: DealerStock, price: u64) -> (CarUpdate, DealerStock) {
    let facts = CarFacts {
        available: false,
        price: Centavos(price),
        confirmed_on: Some(date(2026, 11, 26)),
    };
    facts.give(&mut dealer.cars[0]);
    let update = CarUpdate {
        dealership: dealer.dealership.id.clone(),
        car: dealer.cars[0].id.clone(),
        facts,
        fingerprint: Fingerprint::of(&dealer.cars),
    };
    (update, dealer)
}

async fn commit_update(state: &dyn State, head: Head, update: CarUpdate) -> Result<Head, StateError> {
    let change = Change {
        basis: Basis::Version(head.version),
        put: vec![],
        remove: vec![],
        marks: vec![],
        updates: vec![update],
    };
    state.commit(change, &|_| {}).await?.confirmed().await
}

async fn a_car_is_updated_and_the_next_put_counts_for_more(state: Arc<dyn State>) {
    let put = vec![dealer("a", 3), dealer("b", 2)];
    let head = commit(&*state, Basis::Unopened, put, &[]).await.unwrap();
    let first = state.versions().await.unwrap().dealers;
    assert_eq!(
        state.dealer("a").await.unwrap().fingerprint,
        Fingerprint::of(&dealer("a", 3).cars)
    );
    let mut head = head;
    for price in [1, 2] {
        let (update, updated) = update(dealer("a", 3), price);
        let facts = update.facts;
        head = commit_update(&*state, head, update).await.unwrap();
        let view = state.dealer("a").await.unwrap();
        let fingerprint = Fingerprint::of(&updated.cars);
        assert_eq!(
            (view.head, view.stock, view.fingerprint),
            (head.clone(), Some(updated.clone()), fingerprint)
        );
        assert_eq!(dealers(&*state).await, [updated, dealer("b", 2)]);
        let versions = state.versions().await.unwrap().dealers;
        assert_eq!(versions["a"].put, first["a"].put);
        assert_ne!(versions["a"].updated, first["a"].updated);
        assert_eq!(versions["b"], first["b"]);
        let glance = state.glance("a", "a-0").await.unwrap();
        let expected = DealershipGlance {
            version: versions["a"].clone(),
            fingerprint,
            facts: Some(facts),
        };
        assert_eq!((glance.head, glance.dealership), (head.clone(), Some(expected)));
        let updates = state.updates("a").await.unwrap();
        assert_eq!(
            (updates.version.as_ref(), updates.cars),
            (Some(&versions["a"]), BTreeMap::from([("a-0".to_owned(), facts)]))
        );
    }
    assert_eq!(state.glance("nobody", "a-0").await.unwrap().dealership, None);
    let other = state.glance("a", "a-1").await.unwrap().dealership.unwrap();
    assert_eq!(other.facts, None);
    let head = commit(&*state, Basis::Version(head.version), vec![dealer("a", 3)], &[])
        .await
        .unwrap();
    assert_eq!(dealers(&*state).await, [dealer("a", 3), dealer("b", 2)]);
    assert_eq!(state.updates("a").await.unwrap().cars, BTreeMap::new());
    assert_ne!(state.versions().await.unwrap().dealers["a"].put, first["a"].put);
    // Who gets the id later is not met by what was made of the cars of who had it before.
    let (update, _) = update(dealer("a", 3), 3);
    let head = commit_update(&*state, head, update).await.unwrap();
    let head = commit(&*state, Basis::Version(head.version), vec![], &["a"])
        .await
        .unwrap();
    commit(&*state, Basis::Version(head.version), vec![dealer("a", 3)], &[])
        .await
        .unwrap();
    assert_eq!(dealers(&*state).await, [dealer("a", 3), dealer("b", 2)]);
    let updates = state.updates("a").await.unwrap();
    assert_eq!((updates.version.is_some(), updates.cars), (true, BTreeMap::new()));
    assert_eq!(state.updates("nobody").await.unwrap().version, None);
}

async fn updates_elsewhere_do_not_matter_to_a_change(state: Arc<dyn State>) {
    let both = vec![dealer("a", 2), dealer("b", 2)];
    let old = commit(&*state, Basis::Unopened, both, &[]).await.unwrap();
    let basis = || Basis::Version(old.version.clone());
    let (sale, sold) = update(dealer("a", 2), 7);
    commit_update(&*state, old.clone(), sale.clone()).await.unwrap();
    // What was decided before the sale: another's stock, a car of another, and the stock that the sale was in.
    commit_update(&*state, old.clone(), update(dealer("b", 2), 8).0)
        .await
        .unwrap();
    for refused in [
        commit(&*state, basis(), vec![dealer("a", 2)], &[]).await,
        commit(&*state, basis(), vec![], &["a"]).await,
        commit_update(&*state, old.clone(), sale).await,
        // Of the other a car was updated by now as well.
        commit(&*state, basis(), vec![dealer("b", 2)], &[]).await,
    ] {
        assert!(matches!(refused, Err(StateError::Moved)), "{refused:?}");
    }
    let new = commit(&*state, basis(), vec![dealer("c", 1)], &[]).await.unwrap();
    assert_eq!(new.version.counter, old.version.counter + 3);
    assert_eq!(
        dealers(&*state).await,
        [sold, update(dealer("b", 2), 8).1, dealer("c", 1)]
    );
    // A put since, whose ever, may have taken an id.
    let refused = commit(&*state, basis(), vec![dealer("d", 1)], &[]).await;
    assert!(matches!(refused, Err(StateError::Moved)), "{refused:?}");
    let ahead = CatalogVersion {
        counter: new.version.counter + 1,
        ..new.version
    };
    let refused = commit(&*state, Basis::Version(ahead), vec![dealer("d", 1)], &[]).await;
    assert!(matches!(refused, Err(StateError::Moved)), "{refused:?}");
}

async fn an_update_of_no_stock_is_refused(state: Arc<dyn State>) {
    assert!(matches!(state.glance("a", "a-0").await, Err(StateError::NotOpen)));
    assert!(matches!(state.updates("a").await, Err(StateError::NotOpen)));
    let old = commit(&*state, Basis::Unopened, vec![dealer("a", 1)], &[])
        .await
        .unwrap();
    let new = commit(
        &*state,
        Basis::Version(old.version.clone()),
        vec![dealer("a", 1)],
        &[],
    )
    .await
    .unwrap();
    let late = commit_update(&*state, old, update(dealer("a", 1), 1).0).await;
    assert!(matches!(late, Err(StateError::Moved)), "{late:?}");
    let nobody = commit_update(&*state, new.clone(), update(dealer("b", 1), 1).0).await;
    assert!(
        matches!(&nobody, Err(StateError::Commit { dealership, .. }) if dealership == "b"),
        "{nobody:?}"
    );
    assert_eq!(state.head().await.unwrap(), Some(new));
    assert_eq!(dealers(&*state).await, [dealer("a", 1)]);
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
