//! How a store holds generations, whichever adapter it is: how they are read, filled and switched to.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use faciliauto_engine::stock::Car;
use faciliauto_service::{
    clock::Clock,
    state::{
        Basis, DealerStock, State, StateError,
        dealers::TokenDigest,
        events::Events,
        generations::{Epoch, FillError, FilledDealer, Private, SourceError},
        memory::MemoryState,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::{
    harness::{
        fixtures::{cars_of, dealer},
        generations::{KEEP, Whole, current, lived_in},
        redis_server::RedisServer,
    },
    state::{commit, on_both, redis_state, set_token},
    state_events::{everything, liked, store},
};

on_both! {
    /// Prevents a backup from having something else than the store, or leaving something out.
    a_generation_reads_as_what_is_served;
    /// Prevents a restore from changing what it carries over, or their order, and from showing before it is whole.
    a_filled_generation_has_what_it_was_given;
    /// Prevents writes from being lost that are made while a restore copies what there is.
    a_fence_holds_every_write_back_and_no_read;
    /// Prevents two restores from working at once, and one that died from hindering its own repetition.
    a_fence_is_held_by_one;
    /// Prevents a restore that lost its fence from going on.
    without_the_fence_nothing_is_filled_or_switched;
    /// Prevents a half-filled generation, or one with people who were erased, from being served.
    a_generation_is_switched_to_once_its_ledgers_are_applied;
    /// Prevents a restore whose answer was lost from being done again, or from failing.
    a_switch_may_be_asked_for_again;
    /// Prevents a deployment that lost everything, or is new, from having no way to a backup.
    a_store_that_is_not_open_is_restored_into;
    /// Prevents half a dealership from standing in a generation because its cars could not be read to the end.
    a_dealership_is_filled_in_whole_or_not_at_all;
    /// Prevents a repetition from doubling what it gives.
    what_is_filled_in_twice_is_there_once;
    /// Prevents a write decided on what a restore replaced from landing in what it restored.
    a_change_of_the_generation_before_is_refused;
}

async fn a_generation_reads_as_what_is_served(state: Arc<dyn State>) {
    assert_eq!(state.generation().await.unwrap(), None);
    let head = lived_in(&*state).await;
    let generation = current(&*state).await;
    assert_eq!(generation.as_str(), head.version.epoch);
    let outline = state.generation_outline(&generation).await.unwrap();
    assert_eq!(
        (outline.version, outline.dealers, outline.restored_as),
        (head.version, ["a", "b", "c"].map(str::to_owned).to_vec(), None)
    );
    let whole = Whole::of(&*state, &generation).await;
    let served = state.stock().await.unwrap().unwrap().dealers;
    let stock: Vec<DealerStock> = whole
        .dealers
        .iter()
        .map(|(dealer, cars)| DealerStock {
            dealership: dealer.dealership.clone(),
            cars: cars.clone().into(),
        })
        .collect();
    assert_eq!(stock, served, "updates are in it");
    for (dealer, _) in &whole.dealers {
        let id = &dealer.dealership.id;
        assert_eq!(dealer.sold, state.dealer(id).await.unwrap().sold);
        assert_eq!(dealer.token, state.dealer_token(id).await.unwrap());
    }
    assert_eq!(whole.events, everything(&*state).await);
    assert_eq!(whole.private.ledger, state.ledger().await.unwrap());
    assert_eq!(whole.private.ledger.len(), 2, "somebody and a token");
    assert!(
        state
            .dealer_records(&generation, "nobody")
            .await
            .unwrap()
            .is_none()
    );
    let nowhere = Epoch::new("nowhere");
    let missing = |error: Option<StateError>| {
        assert!(
            matches!(&error, Some(StateError::NoGeneration(name)) if name == "nowhere"),
            "{error:?}"
        );
    };
    missing(state.generation_outline(&nowhere).await.err());
    missing(state.dealer_records(&nowhere, "a").await.err());
    missing(state.events_page(&nowhere, 1, None).await.err());
    missing(state.private(&nowhere).await.err());
}

async fn a_filled_generation_has_what_it_was_given(state: Arc<dyn State>) {
    let before = lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let (totals, ledger) = (state.totals().await.unwrap(), state.ledger().await.unwrap());
    let keys = state.person_keys().await.unwrap();
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill(&*state, &fence).await.unwrap();
    assert_ne!(generation.as_str(), before.version.epoch);
    assert_eq!(Whole::of(&*state, &generation).await, whole);
    assert_eq!(
        state.head().await.unwrap(),
        Some(before.clone()),
        "and nothing else shows yet"
    );
    assert_eq!(Whole::of_current(&*state).await, whole);

    while tokio::time::timeout(Duration::from_millis(300), state.changed())
        .await
        .is_ok()
    {}
    let waiting = tokio::spawn({
        let state = Arc::clone(&state);
        async move { state.changed().await }
    });
    let head = state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), waiting)
        .await
        .expect("announced")
        .unwrap();
    assert_eq!(
        (head.version.epoch.as_str(), head.version.counter),
        (generation.as_str(), 1)
    );
    assert_eq!(state.head().await.unwrap(), Some(head.clone()));
    assert_eq!(Whole::of_current(&*state).await, whole);
    let outline = state.generation_outline(&generation).await.unwrap();
    assert_eq!(
        (outline.version, outline.restored_as.as_deref()),
        (head.version.clone(), Some("r1"))
    );
    assert_eq!(
        (state.totals().await.unwrap(), state.ledger().await.unwrap()),
        (totals, ledger)
    );
    assert_eq!(state.events_of("visit").await.unwrap().len(), 2, "by either role");
    assert_eq!(
        state.person_keys().await.unwrap().user_key("maria"),
        keys.user_key("maria")
    );
    let kept = state.kept().await.unwrap().unwrap();
    assert_eq!(kept.epoch.as_str(), before.version.epoch);
    assert!(kept.until > kept.replaced_at && kept.replaced_at == head.changed_at);
    assert_eq!(
        Whole::of(&*state, &kept.epoch).await,
        whole,
        "what was before is still there"
    );

    // What was restored is lived in on.
    commit(
        &*state,
        Basis::Version(head.version),
        vec![dealer("a", 1)],
        &["b"],
    )
    .await
    .unwrap();
    store(&*state, &liked("6", "maria", "a-0")).await;
    assert_eq!(state.events_of("maria").await.unwrap().len(), 3);
    assert_eq!(state.erase(&["maria".to_owned()]).await.unwrap().events, 3);
    assert_eq!(state.totals().await.unwrap().events(), 2);
}

fn is_fenced<T: std::fmt::Debug>(answer: Result<T, StateError>) {
    assert!(
        matches!(&answer, Err(StateError::Fenced { holder }) if holder == "r1"),
        "{answer:?}"
    );
}

async fn a_fence_holds_every_write_back_and_no_read(state: Arc<dyn State>) {
    let head = lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let version = || Basis::Version(head.version.clone());
    is_fenced(commit(&*state, version(), vec![dealer("a", 9)], &[]).await);
    is_fenced(commit(&*state, version(), vec![], &["a"]).await);
    is_fenced(state.set_dealer_token("a", None, None).await.map(|_| ()));
    is_fenced(state.record(&[liked("9", "maria", "a-0")]).await);
    is_fenced(state.erase(&["maria".to_owned()]).await);
    is_fenced(state.forget_before("2100-01-01".parse().unwrap()).await);
    assert_eq!(Whole::of_current(&*state).await, whole);
    assert_eq!(state.head().await.unwrap(), Some(head.clone()));
    let renewed = state.renew_fence(&fence).await.unwrap();
    assert_eq!((&renewed.id, &renewed.token), (&fence.id, &fence.token));
    assert!(renewed.deadline >= fence.deadline);
    state.lower_fence(&fence).await.unwrap();
    state.lower_fence(&fence).await.unwrap();
    store(&*state, &liked("9", "maria", "a-0")).await;
    commit(&*state, version(), vec![dealer("a", 9)], &[])
        .await
        .unwrap();
}

fn is_lost<T: std::fmt::Debug>(answer: Result<T, StateError>) {
    assert!(matches!(answer, Err(StateError::FenceLost)), "{answer:?}");
}

async fn a_fence_is_held_by_one(state: Arc<dyn State>) {
    lived_in(&*state).await;
    let first = state.raise_fence("r1").await.unwrap();
    is_fenced(state.raise_fence("r2").await);
    let second = state.raise_fence("r1").await.unwrap();
    assert_ne!(first.token, second.token);
    is_lost(state.renew_fence(&first).await);
    is_lost(state.begin_generation(&first).await);
    state.lower_fence(&first).await.unwrap();
    is_fenced(state.record(&[liked("9", "maria", "a-0")]).await);
    state.renew_fence(&second).await.unwrap();
    state.lower_fence(&second).await.unwrap();
    is_lost(state.renew_fence(&second).await);
    state.raise_fence("r2").await.unwrap();
}

async fn without_the_fence_nothing_is_filled_or_switched(state: Arc<dyn State>) {
    lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill(&*state, &fence).await.unwrap();
    state.raise_fence("r1").await.unwrap();
    let (dealer, cars) = whole.dealers[0].clone();
    let filled = state
        .fill_dealer(&fence, &generation, dealer, stream::iter([Ok(cars)]).boxed())
        .await;
    assert!(
        matches!(filled, Err(FillError::Store(StateError::FenceLost))),
        "{filled:?}"
    );
    is_lost(state.fill_events(&fence, &generation, &whole.events).await);
    is_lost(state.fill_private(&fence, &generation, &whole.private).await);
    is_lost(state.apply_ledgers(&fence, &generation, &[]).await);
    is_lost(state.switch(&fence, &generation, "r1", KEEP).await);
    assert_ne!(current(&*state).await, generation);
}

pub(crate) fn is_unready<T: std::fmt::Debug>(answer: Result<T, StateError>) {
    assert!(matches!(answer, Err(StateError::NotReady { .. })), "{answer:?}");
}

async fn a_generation_is_switched_to_once_its_ledgers_are_applied(state: Arc<dyn State>) {
    lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let before = current(&*state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill_only(&*state, &fence).await.unwrap();
    is_unready(state.switch(&fence, &generation, "r1", KEEP).await);
    state.apply_ledgers(&fence, &generation, &[]).await.unwrap();
    state
        .fill_events(&fence, &generation, &whole.events[..1])
        .await
        .unwrap();
    is_unready(state.switch(&fence, &generation, "r1", KEEP).await);
    is_unready(state.switch(&fence, &before, "r1", KEEP).await);
    assert_eq!(current(&*state).await, before);
    state.apply_ledgers(&fence, &generation, &[]).await.unwrap();
    state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
    assert_eq!(current(&*state).await, generation);
}

async fn a_switch_may_be_asked_for_again(state: Arc<dyn State>) {
    lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill(&*state, &fence).await.unwrap();
    let head = state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
    assert_eq!(state.switch(&fence, &generation, "r1", KEEP).await.unwrap(), head);
    is_lost(state.switch(&fence, &generation, "r2", KEEP).await);
    is_lost(state.renew_fence(&fence).await);
    assert_eq!(state.head().await.unwrap(), Some(head));
}

async fn a_store_that_is_not_open_is_restored_into(state: Arc<dyn State>) {
    let elsewhere = MemoryState::new(Clock::system());
    lived_in(&elsewhere).await;
    let whole = Whole::of_current(&elsewhere).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill(&*state, &fence).await.unwrap();
    assert_eq!(state.head().await.unwrap(), None);
    is_fenced(commit(&*state, Basis::Unopened, vec![], &[]).await);
    state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
    assert_eq!(Whole::of_current(&*state).await, whole);
    assert_eq!(state.kept().await.unwrap(), None, "there was nothing");
    let opened = commit(&*state, Basis::Unopened, vec![], &[]).await;
    assert!(matches!(opened, Err(StateError::AlreadyOpen)), "{opened:?}");
    assert_eq!(state.totals().await.unwrap(), elsewhere.totals().await.unwrap());
}

async fn a_dealership_is_filled_in_whole_or_not_at_all(state: Arc<dyn State>) {
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = state.begin_generation(&fence).await.unwrap();
    let large = dealer("large", 2_501);
    let filled = |stock: &DealerStock| FilledDealer {
        dealership: stock.dealership.clone(),
        token: Some(TokenDigest::of("t")),
        sold: BTreeMap::from([(
            "gone".to_owned(),
            Timestamp::from_millisecond(1_790_000_000_123).unwrap(),
        )]),
    };
    let broken: Vec<Result<Vec<Car>, SourceError>> =
        vec![Ok(cars_of(&large)[..1500].to_vec()), Err("the file ends".into())];
    let refused = state
        .fill_dealer(&fence, &generation, filled(&large), stream::iter(broken).boxed())
        .await;
    assert!(
        matches!(&refused, Err(FillError::Source { dealership, reason })
            if dealership == "large" && reason.to_string() == "the file ends"),
        "{refused:?}"
    );
    assert_eq!(
        state.generation_outline(&generation).await.unwrap().dealers,
        [""; 0]
    );
    // As many as its source gives at a time, and none at all among them.
    let all = cars_of(&large);
    let batches = [&all[..1], &[], &all[1..2400], &all[2400..]];
    let batches = stream::iter(batches.map(|batch| Ok(batch.to_vec()))).boxed();
    state
        .fill_dealer(&fence, &generation, filled(&large), batches)
        .await
        .unwrap();
    let records = state.dealer_records(&generation, "large").await.unwrap().unwrap();
    let batches: Vec<Vec<Car>> = records.cars.try_collect().await.unwrap();
    assert!(batches.iter().all(|batch| (1..=1000).contains(&batch.len())));
    assert_eq!(batches.concat(), all);
    assert_eq!(
        (records.token, records.sold),
        (filled(&large).token, filled(&large).sold)
    );
}

async fn what_is_filled_in_twice_is_there_once(state: Arc<dyn State>) {
    lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let totals = state.totals().await.unwrap();
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill_only(&*state, &fence).await.unwrap();
    state
        .fill_private(&fence, &generation, &whole.private)
        .await
        .unwrap();
    state
        .fill_events(&fence, &generation, &whole.events)
        .await
        .unwrap();
    let (mut dealer, cars) = whole.dealers[0].clone();
    dealer.sold.insert(
        "more".to_owned(),
        Timestamp::from_millisecond(1_790_000_000_000).unwrap(),
    );
    for dealer in [dealer, whole.dealers[0].0.clone()] {
        let cars = stream::iter([Ok(cars.clone())]).boxed();
        state
            .fill_dealer(&fence, &generation, dealer, cars)
            .await
            .unwrap();
    }
    let other = Private {
        person_secret: None,
        ..whole.private.clone()
    };
    let refused = state.fill_private(&fence, &generation, &other).await;
    assert!(
        matches!(refused, Err(StateError::Refused(_))),
        "names were made with it: {refused:?}"
    );
    state.apply_ledgers(&fence, &generation, &[]).await.unwrap();
    state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
    assert_eq!(Whole::of_current(&*state).await, whole);
    assert_eq!(state.totals().await.unwrap(), totals);
}

async fn a_change_of_the_generation_before_is_refused(state: Arc<dyn State>) {
    let before = lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    whole.restore(&*state, "r1").await;
    let stale = commit(&*state, Basis::Version(before.version), vec![dealer("a", 1)], &[]).await;
    assert!(matches!(stale, Err(StateError::Moved)), "{stale:?}");
    // What names no version goes where the store is now.
    store(&*state, &liked("7", "maria", "a-0")).await;
    assert!(set_token(&*state, "a", None).await);
    assert_eq!(everything(&*state).await.len(), whole.events.len() + 1);
    let kept = state.kept().await.unwrap().unwrap().epoch;
    assert_eq!(Whole::of(&*state, &kept).await, whole);
}
