//! Both adapters do the same, whatever is done to them and in whichever order.

use std::{fmt::Debug, time::Duration};

use faciliauto_service::{
    clock::Clock,
    state::{
        State,
        events::{
            Deed, Event, EventTotals, Events, FeedbackAction, InteractionKind, NewEvent, Receipt, Recorded,
        },
        memory::MemoryState,
    },
};
use jiff::Timestamp;
use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    harness::redis_server::RedisServer,
    state::redis_state,
    state_events::{aged, liked, open},
};

const PEOPLE: [&str; 4] = ["maria", "mario", "visit", "another visit"];

#[derive(Clone, Debug)]
struct Sent {
    once: u8,
    user: Option<usize>,
    session: Option<usize>,
    car: u8,
    deed: u8,
}

#[derive(Clone, Debug)]
enum Step {
    Record(Vec<Sent>),
    Erase(Vec<usize>),
    /// So many days before tomorrow.
    Forget(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = || prop::option::of(0..PEOPLE.len());
    let sent =
        (0..12_u8, person(), person(), 0..3_u8, 0..8_u8).prop_map(|(once, user, session, car, deed)| Sent {
            once,
            user,
            session,
            car,
            deed,
        });
    let step = prop_oneof![
        6 => prop::collection::vec(sent, 1..6).prop_map(Step::Record),
        2 => prop::collection::vec(0..PEOPLE.len(), 1..3).prop_map(Step::Erase),
        1 => (0..4_i64).prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 1..14)
}

fn event(sent: &Sent, age: Duration) -> NewEvent {
    let person = |index: Option<usize>| index.map(|index| PEOPLE[index].to_owned());
    let deed = match sent.deed {
        action @ 0..5 => Deed::Feedback {
            action: FeedbackAction::ALL[usize::from(action)],
            rating: (action == 1).then_some(5),
            comment: None,
        },
        kind => Deed::Interaction {
            kind: InteractionKind::ALL[usize::from(kind) - 5],
            duration_seconds: (kind != 6).then_some(u32::from(kind) * 10),
        },
    };
    NewEvent {
        user: person(sent.user),
        session: person(sent.session),
        deed,
        ..aged(
            liked(&sent.once.to_string(), "", &format!("car {}", sent.car)),
            age,
        )
    }
}

/// Two stores have two clocks: what happened is compared, not at which millisecond.
fn timeless_event(event: Event) -> Event {
    Event {
        at: Timestamp::UNIX_EPOCH,
        ..event
    }
}

fn timeless(recorded: Recorded) -> Recorded {
    let receipt = |receipt: Receipt| Receipt {
        at: Timestamp::UNIX_EPOCH,
        ..receipt
    };
    match recorded {
        Recorded::Stored(of) => Recorded::Stored(receipt(of)),
        Recorded::Repeated(of) => Recorded::Repeated(receipt(of)),
        Recorded::Differs => Recorded::Differs,
    }
}

fn equal<T: PartialEq + Debug>(memory: T, redis: T, what: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(memory, redis, "{} in memory, in Redis", what);
    Ok(())
}

async fn compare(memory: &dyn State, redis: &dyn State, steps: &[Step]) -> Result<(), TestCaseError> {
    open(memory).await;
    open(redis).await;
    let mut number = 0_u64;
    for step in steps {
        match step {
            Step::Record(sent) => {
                // All ages differ by minutes, so that both stores have one order; half a step keeps them off the
                // full day.
                let events: Vec<NewEvent> = sent
                    .iter()
                    .map(|sent| {
                        number += 1;
                        event(sent, Duration::from_secs((number * 577 % 1440) * 60))
                    })
                    .collect();
                let answers = async |state: &dyn State| -> Vec<Recorded> {
                    let answers = state.record(&events).await.unwrap();
                    answers.into_iter().map(timeless).collect()
                };
                equal(answers(memory).await, answers(redis).await, "recorded")?;
            }
            Step::Erase(people) => {
                let ids: Vec<String> = people.iter().map(|index| PEOPLE[*index].to_owned()).collect();
                let erased = async |state: &dyn State| state.erase(&ids).await.unwrap().events;
                equal(erased(memory).await, erased(redis).await, "erased")?;
            }
            Step::Forget(days) => {
                let day = memory.today().await.unwrap();
                let day = day
                    .tomorrow()
                    .and_then(|tomorrow| tomorrow.checked_sub(jiff::Span::new().days(*days)))
                    .unwrap();
                let forgotten = async |state: &dyn State| state.forget_before(day).await.unwrap();
                equal(forgotten(memory).await, forgotten(redis).await, "forgotten")?;
            }
        }
        let totals = async |state: &dyn State| {
            let totals = state.totals().await.unwrap();
            let is_empty = totals.last_at.is_none();
            (
                EventTotals {
                    last_at: None,
                    ..totals
                },
                is_empty,
            )
        };
        equal(totals(memory).await, totals(redis).await, "totals")?;
        let all = async |state: &dyn State| -> Vec<Event> {
            let events = state.export(1000, None).await.unwrap();
            events.into_iter().map(timeless_event).collect()
        };
        equal(all(memory).await, all(redis).await, "export")?;
        for id in PEOPLE {
            let of = async |state: &dyn State| -> Vec<Event> {
                let events = state.events_of(id).await.unwrap();
                events.into_iter().map(timeless_event).collect()
            };
            equal(of(memory).await, of(redis).await, id)?;
        }
    }
    Ok(())
}

/// Prevents what works without a shared store from working differently with one, and anything of an event from
/// staying behind in Redis once all of them are gone.
#[test]
fn both_adapters_do_the_same() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let redis = runtime.block_on(async { redis_state(&server) });
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 40,
        max_shrink_iters: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&steps(), |steps| {
        server.ask::<()>(&["FLUSHALL"]);
        let memory = MemoryState::new(Clock::system());
        runtime.block_on(compare(&memory, &redis, &steps))?;
        let last_day = jiff::civil::date(9999, 1, 1);
        runtime.block_on(redis.forget_before(last_day)).unwrap();
        let left: Vec<String> = server
            .keys("*")
            .into_iter()
            .filter(|key| key.contains("event") || key.contains("person:"))
            .collect();
        let totals = |left: &[String]| left.iter().all(|key| key.ends_with(":event-totals"));
        prop_assert!(totals(&left), "left: {:?}", left);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
