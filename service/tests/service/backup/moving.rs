//! A backup of stock that moves while it is read: it is read again, or given up with nothing left.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use faciliauto_service::{
    backup::{shelf::Shelf, write},
    state::{
        Basis, CatalogVersion, Change, Head, Progress, State, StateError, StoredStock, Written,
        dealers::{
            CarGlance, DealerOutline, DealerView, Dealers, TokenChange, TokenDigest, Updates, Versions,
        },
        events::{Cursor, Erased, Event, EventTotals, Events, NewEvent, PersonKeys, Recorded},
        figures::ServerFigures,
        generations::{
            CarBatches, DealerRecords, Epoch, Fence, FillError, FilledDealer, GenerationOutline, Generations,
            KeptGeneration, Private, Room, SourceError,
        },
        once::{OnceKey, Remembered},
    },
};
use futures::{FutureExt, future::BoxFuture};
use jiff::{Timestamp, civil::Date};

use super::{around, digests, directory, empty, furnish, request, restore, wish};
use crate::{harness::fixtures::dealer, state::commit};

/// How often a backup is begun again, as it says itself.
const ATTEMPTS: usize = 5;

/// A store in which, so many times, a car goes from `a` to `c` after `a` was read and before `c` is.
struct Moving {
    inner: Arc<dyn State>,
    left: AtomicUsize,
}

impl Moving {
    fn times(inner: &Arc<dyn State>, times: usize) -> Self {
        Self {
            inner: Arc::clone(inner),
            left: AtomicUsize::new(times),
        }
    }

    async fn move_a_car(&self) {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            return;
        }
        let state = self.inner.as_ref();
        let stock = state.stock().await.unwrap().expect("an open store");
        let mut dealers = stock.dealers.into_iter();
        let mut from = dealers.find(|stock| stock.dealership.id == "a").unwrap();
        let mut to = dealers.find(|stock| stock.dealership.id == "c").unwrap();
        let mut left: Vec<_> = from.cars.into_iter().collect();
        let mut car = left.pop().expect("a car to be moved");
        from.cars = left.into();
        to.dealership.id.clone_into(&mut car.dealership_id);
        to.cars.push(car);
        commit(state, Basis::Version(stock.head.version), vec![from, to], &[])
            .await
            .unwrap();
    }
}

/// Prevents a car that changed its dealership while a backup was made from being in it twice, from making a backup fail that
/// had only to be begun again, and a backup that never came to its end from leaving anything.
#[tokio::test(flavor = "multi_thread")]
async fn stock_that_moves_is_read_again_and_given_up_in_the_end() {
    for (times, is_made) in [(1, true), (ATTEMPTS - 1, true), (ATTEMPTS, false)] {
        let folder = tempfile::tempdir().unwrap();
        let target = directory(folder.path());
        let state = empty();
        furnish(state.as_ref()).await;
        let head = state.head().await.unwrap().unwrap();
        let more = vec![dealer("a", ATTEMPTS + 1)];
        commit(state.as_ref(), Basis::Version(head.version), more, &[])
            .await
            .unwrap();
        let moving = Moving::times(&state, times);
        let made = write::run(&moving, &target, &wish(), &around()).await;
        assert_eq!(moving.left.load(Ordering::SeqCst), 0, "{times}");
        let shelf = Shelf::look(&target).await.unwrap();
        if is_made {
            let report = made.unwrap();
            assert_eq!((shelf.entries().len(), report.cars), (1, 10), "{times}");
            let fresh = empty();
            restore(&fresh, &request("r1", &target)).await.unwrap();
            assert_eq!(
                digests(fresh.as_ref()).await,
                digests(state.as_ref()).await,
                "{times}"
            );
        } else {
            let error = made.expect_err("it moves for ever");
            assert_eq!((error.code(), error.exit_code()), ("other", 1));
            let said = error.to_string();
            assert!(
                said.contains("moved while it was read, 5 times in a row") && said.contains("try again"),
                "{said}"
            );
            assert!(shelf.entries().is_empty());
            let names = std::fs::read_dir(folder.path()).unwrap();
            let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            assert!(
                names.iter().all(|name| name == "lock" || name == ".guard"),
                "{names:?}"
            );
            write::run(state.as_ref(), &target, &wish(), &around())
                .await
                .unwrap();
        }
    }
}

/// What is asked of the store behind.
macro_rules! pass_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name<'a>(&'a self $(, $argument: $type)*) -> BoxFuture<'a, $answer> {
            self.inner.$name($($argument),*)
        })*
    };
}

type Answer<T> = Result<T, StateError>;

impl State for Moving {
    pass_on! {
        head() -> Answer<Option<Head>>;
        stock() -> Answer<Option<StoredStock>>;
        commit(change: Change, progress: &'a (dyn Fn(Progress<'_>) + Send + Sync)) -> Answer<Written<Head>>;
        server_figures() -> Answer<Option<ServerFigures>>;
        changed() -> ();
    }
}

impl Dealers for Moving {
    pass_on! {
        dealer(id: &'a str) -> Answer<DealerView>;
        outline(id: &'a str) -> Answer<DealerOutline>;
        glance(id: &'a str, car: &'a str) -> Answer<CarGlance>;
        updates(id: &'a str) -> Answer<Updates>;
        versions() -> Answer<Versions>;
        dealer_token(id: &'a str) -> Answer<Option<TokenDigest>>;
        dealer_tokens() -> Answer<BTreeMap<String, TokenDigest>>;
        set_dealer_token(id: &'a str, token: Option<TokenDigest>, once: Option<&'a OnceKey>) -> Answer<Written<TokenChange>>;
        remembered(version: &'a CatalogVersion, key: &'a OnceKey) -> Answer<Option<Written<Remembered>>>;
    }
}

impl Events for Moving {
    pass_on! {
        record(events: &'a [NewEvent]) -> Answer<Vec<Recorded>>;
        events_of(id: &'a str) -> Answer<Vec<Event>>;
        export(limit: usize, before: Option<Cursor>) -> Answer<Vec<Event>>;
        totals() -> Answer<EventTotals>;
        erase(ids: &'a [String]) -> Answer<Erased>;
        person_keys() -> Answer<PersonKeys>;
        ledger() -> Answer<BTreeMap<String, Timestamp>>;
        today() -> Answer<Date>;
        forget_before(day: Date) -> Answer<usize>;
        take_housekeeping_turn() -> Answer<bool>;
    }
}

impl Generations for Moving {
    fn dealer_records<'a>(
        &'a self,
        generation: &'a Epoch,
        id: &'a str,
    ) -> BoxFuture<'a, Answer<Option<DealerRecords<'a>>>> {
        async move {
            if id == "b" {
                self.move_a_car().await;
            }
            self.inner.dealer_records(generation, id).await
        }
        .boxed()
    }

    pass_on! {
        generation() -> Answer<Option<Epoch>>;
        generation_outline(generation: &'a Epoch) -> Answer<GenerationOutline>;
        events_page(generation: &'a Epoch, limit: usize, before: Option<Cursor>) -> Answer<Vec<Event>>;
        private(generation: &'a Epoch) -> Answer<Private>;
        raise_fence(id: &'a str) -> Answer<Fence>;
        renew_fence(fence: &'a Fence) -> Answer<Fence>;
        lower_fence(fence: &'a Fence) -> Answer<()>;
        begin_generation(fence: &'a Fence) -> Answer<Epoch>;
        fill_dealer(fence: &'a Fence, generation: &'a Epoch, dealer: FilledDealer, cars: CarBatches<'a, SourceError>)
            -> Result<(), FillError>;
        fill_events(fence: &'a Fence, generation: &'a Epoch, events: &'a [Event]) -> Answer<()>;
        fill_private(fence: &'a Fence, generation: &'a Epoch, private: &'a Private) -> Answer<()>;
        apply_ledgers(fence: &'a Fence, generation: &'a Epoch, further: &'a [Private]) -> Answer<()>;
        switch(fence: &'a Fence, to: &'a Epoch, restored_as: &'a str, keep: Duration) -> Answer<Head>;
        kept() -> Answer<Option<KeptGeneration>>;
        drop_generation(generation: &'a Epoch) -> Answer<()>;
        sweep_generations() -> Answer<usize>;
        room() -> Answer<Option<Room>>;
    }
}
