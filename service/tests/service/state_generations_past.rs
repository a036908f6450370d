//! How generations end, whichever adapter holds them: what must not come back in them, how one goes back to them, and how
//! they are dropped.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use faciliauto_service::{
    clock::Clock,
    housekeeping,
    state::{
        Basis, State, StateError,
        dealers::TokenDigest,
        events::EventTotals,
        generations::{Epoch, Private},
        memory::MemoryState,
    },
};

use crate::{
    harness::{
        eventually,
        fixtures::dealer,
        generations::{KEEP, Whole, current, lived_in},
        redis_server::RedisServer,
    },
    state::{commit, on_both, redis_state, set_token},
    state_events::{liked, store},
    state_generations::is_unready,
};

on_both! {
    /// Prevents a restore from bringing back people who were erased and tokens that were revoked.
    what_a_ledger_names_does_not_come_back;
    /// Prevents erased people from coming back from a backup of another store, whose names are made otherwise.
    ledgers_of_stores_with_other_secrets_are_united;
    /// Prevents a restore from being for good, and the way back from bringing back what was erased meanwhile.
    one_can_go_back_to_the_generation_before;
    /// Prevents an erasure from being undone by going back.
    an_erasure_covers_the_generation_that_is_kept;
    /// Prevents what a dead restore left from lying there for ever, and what is needed from being dropped.
    generations_that_nobody_needs_are_dropped;
    /// Prevents a generation from being kept, and gone back to, for longer than promised.
    a_generation_is_kept_for_its_time;
}

async fn what_a_ledger_names_does_not_come_back(state: Arc<dyn State>) {
    let head = lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    // After the backup: maria is erased, a's token replaced, and c gone with its token.
    state.erase(&["maria".to_owned()]).await.unwrap();
    let new = TokenDigest::of("new");
    assert!(set_token(&*state, "a", Some(new)).await);
    commit(&*state, Basis::Version(head.version), vec![], &["c"])
        .await
        .unwrap();
    let again = store(&*state, &liked("after", "maria", "a-0")).await;
    let live = state.ledger().await.unwrap();
    // Elsewhere, later: ana is erased.
    let keys = state.person_keys().await.unwrap();
    let elsewhere = Private {
        ledger: BTreeMap::from([(format!("erased:{}", keys.ledger_name("ana")), again.at)]),
        person_secret: whole.private.person_secret.clone(),
        former_secrets: vec![],
    };

    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill_only(&*state, &fence).await.unwrap();
    let further = [elsewhere.clone()];
    state.apply_ledgers(&fence, &generation, &further).await.unwrap();
    state.switch(&fence, &generation, "r1", KEEP).await.unwrap();
    let restored = Whole::of(&*state, &generation).await;
    let expected = Whole {
        events: whole.without_events_of("maria"),
        ..whole.clone()
    };
    assert_eq!(restored.events, expected.without_events_of("ana"));
    assert_eq!(restored.events.len(), 1, "a visit of nobody in particular");
    let mut united = live;
    united.extend(elsewhere.ledger);
    assert_eq!(restored.private.ledger, united);
    let tokens: Vec<_> = restored.dealers.iter().map(|(dealer, _)| dealer.token).collect();
    assert_eq!(tokens, [None, None, None], "all were revoked or replaced since");
    let totals = state.totals().await.unwrap();
    assert_eq!(
        (totals.events(), totals.users, totals.sessions, totals.cars),
        (1, 0, 1, 1)
    );
    assert_eq!(state.events_of("maria").await.unwrap(), []);
    assert_eq!(state.events_of("visit").await.unwrap(), restored.events);
}

async fn ledgers_of_stores_with_other_secrets_are_united(state: Arc<dyn State>) {
    let elsewhere = MemoryState::new(Clock::system());
    lived_in(&elsewhere).await;
    let foreign = Whole::of_current(&elsewhere).await;
    lived_in(&*state).await;
    let own = Whole::of_current(&*state).await;
    assert_ne!(own.private.person_secret, foreign.private.person_secret);
    state
        .erase(&["ana".to_owned(), "maria".to_owned()])
        .await
        .unwrap();

    foreign.restore(&*state, "r1").await;
    let restored = Whole::of_current(&*state).await;
    let expected = Whole {
        events: foreign.without_events_of("maria"),
        ..foreign.clone()
    };
    assert_eq!(
        restored.events,
        expected.without_events_of("ana"),
        "erased here, found by the other name"
    );
    assert_eq!(restored.private.person_secret, foreign.private.person_secret);
    let former = own.private.person_secret.clone().into_iter().collect::<Vec<_>>();
    assert_eq!(restored.private.former_secrets, former);
    // A backup of here, older than the erasures, is restored after that.
    own.restore(&*state, "r2").await;
    let restored = Whole::of_current(&*state).await;
    let expected = Whole {
        events: own.without_events_of("maria"),
        ..own.clone()
    };
    assert_eq!(restored.events, expected.without_events_of("ana"));
    let former = foreign
        .private
        .person_secret
        .clone()
        .into_iter()
        .collect::<Vec<_>>();
    assert_eq!(restored.private.former_secrets, former);
}

async fn one_can_go_back_to_the_generation_before(state: Arc<dyn State>) {
    let before = lived_in(&*state).await;
    let old = Whole::of_current(&*state).await;
    let emptied = Whole {
        dealers: vec![],
        events: vec![],
        ..old.clone()
    };
    let restored = emptied.restore(&*state, "r1").await;
    assert_eq!(state.totals().await.unwrap(), EventTotals::none());
    state.erase(&["ana".to_owned()]).await.unwrap();
    let live = state.ledger().await.unwrap();

    let kept = state.kept().await.unwrap().unwrap();
    let fence = state.raise_fence("u1").await.unwrap();
    is_unready(state.switch(&fence, &kept.epoch, "u1", KEEP).await);
    state.apply_ledgers(&fence, &kept.epoch, &[]).await.unwrap();
    let head = state.switch(&fence, &kept.epoch, "u1", KEEP).await.unwrap();
    assert_eq!(head.version.epoch, before.version.epoch);
    assert!(
        head.version.counter > before.version.counter,
        "replicas follow: {head:?}"
    );
    let back = Whole::of_current(&*state).await;
    assert_eq!(back.dealers, old.dealers);
    assert_eq!(back.events, old.without_events_of("ana"));
    assert!(back.private.ledger.keys().eq(live.keys()));
    let outline = state.generation_outline(&kept.epoch).await.unwrap();
    assert_eq!(outline.restored_as.as_deref(), Some("u1"));
    let kept = state.kept().await.unwrap().unwrap();
    assert_eq!(kept.epoch.as_str(), restored.version.epoch, "and there again");
    // A change that was decided on before all this is of a stock that nobody sees any more.
    let stale = commit(&*state, Basis::Version(before.version), vec![dealer("a", 1)], &[]).await;
    assert!(matches!(stale, Err(StateError::Moved)), "{stale:?}");
    commit(&*state, Basis::Version(head.version), vec![dealer("a", 1)], &[])
        .await
        .unwrap();
}

async fn an_erasure_covers_the_generation_that_is_kept(state: Arc<dyn State>) {
    lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let emptied = Whole {
        events: whole.without_events_of("maria"),
        ..whole.clone()
    };
    emptied.restore(&*state, "r1").await;
    let kept = state.kept().await.unwrap().unwrap().epoch;
    assert_eq!(Whole::of(&*state, &kept).await, whole);
    let erased = state
        .erase(&["maria".to_owned(), "ana".to_owned()])
        .await
        .unwrap();
    assert_eq!(erased.events, 1, "of what is served");
    let kept = Whole::of(&*state, &kept).await;
    let expected = Whole {
        events: whole.without_events_of("maria"),
        ..whole.clone()
    };
    assert_eq!(kept.events, expected.without_events_of("ana"));
    assert_eq!(kept.private.ledger.len(), whole.private.ledger.len() + 2);
}

fn is_in_use<T: std::fmt::Debug>(answer: Result<T, StateError>) {
    assert!(
        matches!(answer, Err(StateError::GenerationInUse(_))),
        "{answer:?}"
    );
}

async fn generations_that_nobody_needs_are_dropped(state: Arc<dyn State>) {
    let before = lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let abandoned = whole.fill(&*state, &fence).await.unwrap();
    let filled = whole.fill(&*state, &fence).await.unwrap();
    is_in_use(state.drop_generation(&filled).await);
    is_in_use(
        state
            .drop_generation(&Epoch::new(before.version.epoch.clone()))
            .await,
    );
    assert_eq!(state.sweep_generations().await.unwrap(), 1, "the first");
    let gone = state.generation_outline(&abandoned).await;
    assert!(matches!(gone, Err(StateError::NoGeneration(_))), "{gone:?}");
    is_unready(state.switch(&fence, &abandoned, "r1", KEEP).await);
    state.switch(&fence, &filled, "r1", KEEP).await.unwrap();
    is_in_use(state.drop_generation(&filled).await);
    is_in_use(
        state
            .drop_generation(&Epoch::new(before.version.epoch.clone()))
            .await,
    );
    assert_eq!(state.sweep_generations().await.unwrap(), 0);
    // One that failed is dropped by whoever began it.
    let fence = state.raise_fence("r2").await.unwrap();
    let failed = whole.fill_only(&*state, &fence).await.unwrap();
    state.lower_fence(&fence).await.unwrap();
    state.drop_generation(&failed).await.unwrap();
    state.drop_generation(&failed).await.unwrap();
    state.drop_generation(&Epoch::new("nowhere")).await.unwrap();
    assert_eq!(state.sweep_generations().await.unwrap(), 0);
    // The next restore takes the place of what is kept.
    whole.restore(&*state, "r3").await;
    assert_eq!(state.kept().await.unwrap().unwrap().epoch, filled);
    assert_eq!(housekeeping::take_turn(&*state).await.unwrap(), Some(0));
    let gone = state.generation_outline(&Epoch::new(before.version.epoch)).await;
    assert!(matches!(gone, Err(StateError::NoGeneration(_))), "{gone:?}");
    assert_eq!(Whole::of_current(&*state).await, whole);
    assert_eq!(Whole::of(&*state, &filled).await, whole);
}

async fn a_generation_is_kept_for_its_time(state: Arc<dyn State>) {
    lived_in(&*state).await;
    let whole = Whole::of_current(&*state).await;
    let before = current(&*state).await;
    let fence = state.raise_fence("r1").await.unwrap();
    let generation = whole.fill(&*state, &fence).await.unwrap();
    let moment = Duration::from_millis(1);
    state.switch(&fence, &generation, "r1", moment).await.unwrap();
    eventually("its time is over", async || {
        state.kept().await.unwrap().is_none().then_some(())
    })
    .await;
    let fence = state.raise_fence("u1").await.unwrap();
    let applied = state.apply_ledgers(&fence, &before, &[]).await;
    assert!(matches!(applied, Err(StateError::NoGeneration(_))), "{applied:?}");
    state.erase(&["maria".to_owned()]).await.unwrap_err();
    state.lower_fence(&fence).await.unwrap();
    assert_eq!(state.erase(&["maria".to_owned()]).await.unwrap().events, 2);
    assert_eq!(state.sweep_generations().await.unwrap(), 1);
    let gone = state.private(&before).await;
    assert!(matches!(gone, Err(StateError::NoGeneration(_))), "{gone:?}");
    assert_eq!(state.erase(&["ana".to_owned()]).await.unwrap().events, 1);
}
