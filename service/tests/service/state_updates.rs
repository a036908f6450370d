//! How a store updates single cars, whichever adapter it is.

use std::{collections::BTreeMap, sync::Arc};

use faciliauto_engine::stock::Centavos;
use faciliauto_service::{
    clock::Clock,
    state::{
        Basis, CatalogVersion, Change, DealerStock, Head, State, StateError,
        dealers::{CarFacts, CarUpdate, DealershipGlance},
        memory::MemoryState,
    },
    stock::fingerprint::Fingerprint,
};
use jiff::civil::date;

use crate::{
    harness::{fixtures::dealer, redis_server::RedisServer},
    state::{commit, on_both, redis_state},
};

on_both! {
    /// Prevents an update of a car from being lost, from reaching another car, or from outliving the stock that it
    /// was an update of.
    a_car_is_updated_and_the_next_put_counts_for_more;
    /// Prevents a large stock, which takes seconds to put, from never winning against sales elsewhere, and a put from
    /// undoing a sale that it did not see.
    updates_elsewhere_do_not_matter_to_a_change;
    /// Prevents an update of nothing, or one of a stock that has moved on, from passing for done.
    an_update_of_no_stock_is_refused;
}

async fn dealers(state: &dyn State) -> Vec<DealerStock> {
    state
        .stock()
        .await
        .expect("an answer")
        .expect("an open store")
        .dealers
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
        once: None,
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
