//! Generations of a store as wholes: read, compared, and filled again.

use std::time::Duration;

use faciliauto_engine::stock::{Car, Centavos};
use faciliauto_service::{
    state::{
        Basis, Change, Head, State,
        dealers::{CarFacts, CarUpdate, SoldMark, TokenDigest},
        events::Event,
        generations::{Epoch, Fence, FillError, FilledDealer, Private},
    },
    stock::fingerprint::Fingerprint,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    harness::fixtures::dealer,
    state::{commit, set_token},
    state_events::{by, liked, store, viewed},
};

/// How long a generation is kept that was switched away.
pub(crate) const KEEP: Duration = Duration::from_secs(24 * 3600);

/// All that a generation holds, as the port gives it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Whole {
    pub(crate) dealers: Vec<(FilledDealer, Vec<Car>)>,
    pub(crate) events: Vec<Event>,
    pub(crate) private: Private,
}

impl Whole {
    pub(crate) async fn of(state: &dyn State, generation: &Epoch) -> Self {
        let mut dealers = Vec::new();
        for id in state.generation_outline(generation).await.unwrap().dealers {
            let records = state.dealer_records(generation, &id).await.unwrap().unwrap();
            let cars: Vec<Car> = records.cars.try_concat().await.unwrap();
            assert_eq!(cars.len(), records.number_of_cars);
            assert_eq!(Fingerprint::of(&cars), records.fingerprint);
            let dealer = FilledDealer {
                dealership: records.dealership,
                token: records.token,
                sold: records.sold,
            };
            dealers.push((dealer, cars));
        }
        let mut events: Vec<Event> = Vec::new();
        loop {
            let before = events.last().map(Event::cursor);
            let page = state.events_page(generation, 3, before).await.unwrap();
            let is_last = page.len() < 3;
            events.extend(page);
            if is_last {
                break;
            }
        }
        Self {
            dealers,
            events,
            private: state.private(generation).await.unwrap(),
        }
    }

    pub(crate) async fn of_current(state: &dyn State) -> Self {
        Self::of(state, &current(state).await).await
    }

    /// Fills a new generation with it, ledgers applied.
    pub(crate) async fn fill(&self, state: &dyn State, fence: &Fence) -> Result<Epoch, FillError> {
        let generation = self.fill_only(state, fence).await?;
        state.apply_ledgers(fence, &generation, &[]).await?;
        Ok(generation)
    }

    pub(crate) async fn fill_only(&self, state: &dyn State, fence: &Fence) -> Result<Epoch, FillError> {
        let generation = state.begin_generation(fence).await?;
        state.fill_private(fence, &generation, &self.private).await?;
        for (dealer, cars) in &self.dealers {
            let cars = stream::iter(cars.chunks(2).map(|batch| Ok(batch.to_vec()))).boxed();
            state
                .fill_dealer(fence, &generation, dealer.clone(), cars)
                .await?;
        }
        for events in self.events.chunks(2) {
            state.fill_events(fence, &generation, events).await?;
        }
        Ok(generation)
    }

    /// Fills and switches.
    pub(crate) async fn restore(&self, state: &dyn State, id: &str) -> Head {
        let fence = state.raise_fence(id).await.unwrap();
        let generation = self.fill(state, &fence).await.unwrap();
        state.switch(&fence, &generation, id, KEEP).await.unwrap()
    }

    pub(crate) fn without_events_of(&self, id: &str) -> Vec<Event> {
        let of_id =
            |event: &&Event| event.user.as_deref() != Some(id) && event.session.as_deref() != Some(id);
        self.events.iter().filter(of_id).cloned().collect()
    }
}

pub(crate) async fn current(state: &dyn State) -> Epoch {
    state.generation().await.unwrap().expect("an open store")
}

/// Dealers with cars, updates, marks and tokens; events of people; somebody erased and a token revoked.
pub(crate) async fn lived_in(state: &dyn State) -> Head {
    let head = commit(
        state,
        Basis::Unopened,
        vec![dealer("a", 5), dealer("b", 0), dealer("c", 2)],
        &[],
    )
    .await
    .unwrap();
    let facts = CarFacts {
        available: false,
        price: Centavos(4_321),
        confirmed_on: None,
    };
    let mut updated = dealer("a", 5).cars;
    facts.give(&mut updated[3]);
    let change = Change {
        basis: Basis::Version(head.version),
        put: vec![],
        remove: vec![],
        marks: vec![SoldMark {
            dealership: "a".to_owned(),
            car: "a-3".to_owned(),
            sold: true,
        }],
        updates: vec![CarUpdate {
            dealership: "a".to_owned(),
            car: "a-3".to_owned(),
            facts,
            fingerprint: Fingerprint::of(&updated),
        }],
        once: None,
    };
    let written = state.commit(change, &|_| {}).await.unwrap();
    let head = written.confirmed().await.unwrap();
    for (id, token) in [("a", "one"), ("a", "two"), ("c", "three")] {
        assert!(set_token(state, id, Some(TokenDigest::of(token))).await);
    }
    let events = [
        liked("1", "maria", "a-0"),
        by(liked("2", "", "a-1"), "maria", "visit"),
        viewed("3", "visit", "c-0", 7),
        viewed("4", "gone", "c-0", 9),
        liked("5", "ana", "c-1"),
    ];
    for event in &events {
        store(state, event).await;
    }
    state.erase(&["gone".to_owned()]).await.unwrap();
    head
}
