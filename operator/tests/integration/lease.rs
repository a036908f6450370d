//! Leader election between operators that share an API server, on a clock that jumps: what takes
//! minutes in a cluster takes none here.
//!
//! What is held throughout: **a write arrives only while the lease names the one who sent it**.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use faciliauto_operator::{
    health::Health,
    lease::{Candidate, Leadership, Timing, fence::FenceLayer, lead},
};
use http::{Request, Response};
use k8s_openapi::{api::core::v1::ConfigMap, jiff::Timestamp};
use kube::{Api, Client, api::PostParams, client::Body};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower::{BoxError, Layer};

use crate::{
    fake_api::{FakeApi, Link},
    harness::{Harness, writes},
};

const SYSTEM: &str = "faciliauto-system";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/faciliauto-system/leases/faciliauto-operator";

/// Pause between two writes of one that leads.
const BEAT: Duration = Duration::from_millis(50);

/// A write that arrived: when, whose, and whom the lease named then.
#[derive(Clone, Debug)]
struct Arrival {
    at: Instant,
    from: String,
    holder: String,
}

type Journal = Arc<Mutex<Vec<Arrival>>>;

/// An API server and what was written to it.
#[derive(Clone, Default)]
struct World {
    api: FakeApi,
    journal: Journal,
}

impl World {
    fn holder(&self) -> String {
        let lease = self.api.get(LEASE).unwrap_or_default();
        lease["spec"]["holderIdentity"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Every write so far, after it was checked that only holders wrote.
    fn arrivals(&self) -> Vec<Arrival> {
        let arrivals = self.journal.lock().expect("the journal").clone();
        for arrival in &arrivals {
            assert_eq!(
                arrival.from,
                arrival.holder,
                "at {:?} of {:?}",
                arrival.at,
                self.api.get(LEASE)
            );
        }
        arrivals
    }

    /// Writes since `then`, by writer.
    fn wrote_since(&self, then: Instant) -> Vec<String> {
        let arrivals = self.arrivals();
        let mut writers: Vec<_> = arrivals.into_iter().filter(|arrival| arrival.at > then).collect();
        writers.sort_by(|left, right| left.from.cmp(&right.from));
        writers.dedup_by(|left, right| left.from == right.from);
        writers.into_iter().map(|arrival| arrival.from).collect()
    }

    /// An operator joins.
    fn start(&self, identity: &str, clock: fn() -> Timestamp) -> Operator {
        let link = Link::default();
        let (candidate, leadership) = Candidate::new(
            self.api.client_over(&link, None),
            SYSTEM,
            identity.to_owned(),
            Timing::DEFAULT,
            clock,
            Arc::new(Health::new([])),
        );
        let (release, released) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let election = tokio::spawn(candidate.run(asked(released)));
        let client = self.writing_client(identity, &link, leadership.clone());
        let leading = leadership.clone();
        let work = tokio::spawn(lead(leading, stopped.clone(), move || {
            work(client.clone(), stopped.clone())
        }));
        Operator {
            link,
            leadership,
            stop,
            release,
            election,
            work,
        }
    }

    /// A client whose writes go into the journal when they arrive, and as they are cannot be called back.
    fn writing_client(&self, identity: &str, link: &Link, leadership: Leadership) -> Client {
        let (world, link, identity) = (self.clone(), link.clone(), identity.to_owned());
        let service = tower::service_fn(move |_: Request<Body>| {
            let (world, link, identity) = (world.clone(), link.clone(), identity.clone());
            async move {
                let arrive = move || {
                    let arrival = Arrival {
                        at: Instant::now(),
                        from: identity,
                        holder: world.holder(),
                    };
                    world.journal.lock().expect("the journal").push(arrival);
                };
                link.carry(arrive).await;
                let made = json!({"metadata": {"name": "a"}}).to_string();
                Ok::<_, BoxError>(Response::new(Body::from(made.into_bytes())))
            }
        });
        Client::new(FenceLayer(Some(leadership)).layer(service), SYSTEM)
    }
}

struct Operator {
    link: Link,
    leadership: Leadership,
    stop: watch::Sender<bool>,
    release: watch::Sender<bool>,
    election: JoinHandle<()>,
    work: JoinHandle<bool>,
}

impl Operator {
    /// A clean stop, as on SIGTERM.
    async fn terminate(self) {
        self.stop.send_replace(true);
        assert!(self.work.await.expect("no panic"), "asked to stop");
        self.release.send_replace(true);
        self.election.await.expect("no panic");
    }

    /// The process is gone from one moment to the next.
    fn kill(self) {
        self.link.cut(true);
        self.election.abort();
        self.work.abort();
    }
}

async fn asked(mut question: watch::Receiver<bool>) {
    let _ = question.wait_for(|asked| *asked).await;
}

/// Writes and writes, until it is asked to stop.
async fn work(client: Client, stopped: watch::Receiver<bool>) {
    let api: Api<ConfigMap> = Api::namespaced(client, SYSTEM);
    while !*stopped.borrow() {
        let _ = api.create(&PostParams::default(), &ConfigMap::default()).await;
        sleep(BEAT).await;
    }
}

/// A clock that is decades behind.
fn long_ago() -> Timestamp {
    "1999-12-31T23:59:59Z".parse::<Timestamp>().expect("a time") + ticks()
}

/// A clock that is decades ahead.
fn ahead() -> Timestamp {
    "2099-01-01T00:00:00Z".parse::<Timestamp>().expect("a time") + ticks()
}

/// Each time is another, as those of real clocks are; real time hardly passes here.
fn ticks() -> Duration {
    static TICKS: AtomicU64 = AtomicU64::new(0);
    Duration::from_millis(TICKS.fetch_add(1, Ordering::SeqCst))
}

/// Waits until somebody leads. Panics after `within`.
async fn leads(operator: &Operator, within: Duration) {
    let held = tokio::time::timeout(within, operator.leadership.gained()).await;
    assert!(held.is_ok(), "it does not lead within {within:?}");
}

const SOON: Duration = Duration::from_secs(2);

/// Prevents: a rolling update of the operator during which nobody looks after anything.
#[tokio::test(start_paused = true)]
async fn planned_change_of_leader_takes_less_than_two_seconds() {
    let world = World::default();
    let mut first = world.start("first", Timestamp::now);
    leads(&first, SOON).await;
    for round in 0..20 {
        let next = world.start(&format!("next-{round}"), Timestamp::now);
        sleep(Duration::from_millis(7_300 + 130 * round)).await;
        assert!(!next.leadership.is_held());
        let stopped = Instant::now();
        first.terminate().await;
        leads(&next, SOON).await;
        sleep(SOON.saturating_sub(stopped.elapsed())).await;
        let writers = world.wrote_since(stopped);
        assert!(writers.contains(&format!("next-{round}")), "{writers:?}");
        first = next;
    }
    let lease = world.api.get(LEASE).expect("the lease");
    assert_eq!(lease["spec"]["leaseTransitions"], 20);
}

/// Prevents: two leaders when the first is cut off, which still believes that it leads; and a first
/// that goes on where it was when the network is back.
#[tokio::test(start_paused = true)]
async fn leader_that_is_cut_off_stops_before_another_begins() {
    // Neither's clock is right, and they differ by a century.
    let world = World::default();
    let first = world.start("first", ahead);
    leads(&first, SOON).await;
    let second = world.start("second", long_ago);
    sleep(Duration::from_secs(60)).await;

    first.link.cut(true);
    let cut = Instant::now();
    let held = first.leadership.held().expect("it leads");
    held.lost().await;
    assert!(
        cut.elapsed() <= Timing::DEFAULT.renew_deadline,
        "{:?}",
        cut.elapsed()
    );
    assert!(!second.leadership.is_held());
    leads(&second, Timing::DEFAULT.duration).await;
    assert!(
        cut.elapsed() >= Timing::DEFAULT.duration - Timing::DEFAULT.renew_every,
        "{:?}",
        cut.elapsed()
    );
    let mended = Instant::now();
    first.link.cut(false);
    sleep(Duration::from_secs(60)).await;
    assert!(!first.leadership.is_held() && second.leadership.is_held());
    assert_eq!(world.wrote_since(mended), ["second"]);
}

/// Prevents: a crash of the leader after which nobody ever leads, or the same pod waits for itself.
#[tokio::test(start_paused = true)]
async fn killed_leader_is_followed_and_its_own_restart_goes_on_at_once() {
    let world = World::default();
    let first = world.start("first", Timestamp::now);
    leads(&first, SOON).await;
    first.kill();
    let again = world.start("first", Timestamp::now);
    leads(&again, Duration::from_millis(1)).await;
    let second = world.start("second", Timestamp::now);
    sleep(Duration::from_secs(5)).await;
    again.kill();
    leads(&second, Timing::DEFAULT.duration + SOON).await;
    world.arrivals();
}

/// Prevents: losing the lease because somebody annotates it, because the API server takes its time, or
/// because it fails now and then.
#[tokio::test(start_paused = true)]
async fn conflicts_slowness_and_failures_cost_no_leadership() {
    let world = World::default();
    let first = world.start("first", Timestamp::now);
    leads(&first, SOON).await;
    let _second = world.start("second", Timestamp::now);
    let held = first.leadership.held().expect("it leads");
    let disturb = async {
        for number in 0..600 {
            // A version that nobody has read: the next renewal is a conflict.
            world.api.edit(LEASE, |lease| {
                lease["metadata"]["annotations"] = json!({"example.com/number": number.to_string()});
            });
            sleep(Duration::from_millis(310)).await;
        }
        for milliseconds in [100, 700, 1_300] {
            first.link.delay(Duration::from_millis(milliseconds));
            sleep(Duration::from_secs(60)).await;
        }
        first.link.delay(Duration::ZERO);
        sleep(Duration::from_secs(5)).await;
        for _ in 0..10 {
            first.link.cut(true);
            sleep(Duration::from_millis(3_500)).await;
            first.link.cut(false);
            sleep(Duration::from_secs(7)).await;
        }
    };
    tokio::select! {
        () = held.lost() => panic!("it lost the lease: {:?}", world.api.get(LEASE)),
        () = disturb => {}
    }
    world.arrivals();
}

/// Prevents: a leader that goes on although the lease is another's, or is gone.
#[tokio::test(start_paused = true)]
async fn lease_that_was_taken_or_deleted_is_noticed() {
    let world = World::default();
    let first = world.start("first", Timestamp::now);
    leads(&first, SOON).await;
    let held = first.leadership.held().expect("it leads");
    // By hand, while nothing of the leader's is on its way: the fence cannot know before it asks.
    world.journal.lock().expect("the journal").clear();
    world
        .api
        .edit(LEASE, |lease| lease["spec"]["holderIdentity"] = json!("somebody"));
    let taken = Instant::now();
    held.lost().await;
    assert!(taken.elapsed() <= SOON + BEAT, "{:?}", taken.elapsed());
    world.journal.lock().expect("the journal").clear();
    leads(&first, Timing::DEFAULT.duration + SOON).await;

    let held = first.leadership.held().expect("it leads");
    world.api.remove(LEASE);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(world.holder(), "first", "made anew");
    drop(held);
    assert!(first.leadership.is_held());
}

/// Prevents: a process without an election task that goes on to act.
#[tokio::test(start_paused = true)]
async fn leadership_ends_with_the_election_task() {
    let world = World::default();
    let first = world.start("first", Timestamp::now);
    leads(&first, SOON).await;
    let held = first.leadership.held().expect("it leads");
    first.election.abort();
    let killed = Instant::now();
    held.lost().await;
    assert!(killed.elapsed() < BEAT);
    assert!(!first.leadership.is_held());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.wrote_since(killed + BEAT), Vec::<String>::new());
}

/// Prevents: two leaders in an order of events that nobody thought of. A quarter of an hour of three operators
/// whose links fail, slow down and recover at random, and who are killed and stopped.
#[tokio::test(start_paused = true)]
async fn no_two_lead_whatever_the_network_does() {
    for seed in 1..=4_u64 {
        let world = World::default();
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let names = ["a", "b", "c"];
        let mut operators: Vec<Operator> = names
            .iter()
            .map(|name| world.start(name, if chance.below(2) == 0 { ahead } else { long_ago }))
            .collect();
        for step in 0..150 {
            let index = usize::try_from(chance.below(3)).expect("an index");
            let link = operators[index].link.clone();
            match chance.below(10) {
                0..=2 => link.cut(true),
                3..=6 => {
                    link.cut(false);
                    link.delay(Duration::ZERO);
                }
                // Below what a lease outlasts the right to act: beyond that no election without the
                // server's help holds.
                7..=8 => link.delay(Duration::from_millis(chance.below(2_000))),
                _ => {
                    let operator = operators.remove(index);
                    let name = format!("{}-{step}", names[index]);
                    if chance.below(2) == 0 {
                        operator.kill();
                    } else {
                        operator.link.cut(false);
                        operator.terminate().await;
                    }
                    operators.insert(index, world.start(&name, Timestamp::now));
                }
            }
            sleep(Duration::from_millis(chance.below(12_000))).await;
            let leading = operators
                .iter()
                .filter(|operator| operator.leadership.is_held())
                .count();
            assert!(leading <= 1, "seed {seed}, step {step}: {leading} lead");
        }
        for operator in &operators {
            operator.link.cut(false);
            operator.link.delay(Duration::ZERO);
        }
        sleep(Timing::DEFAULT.duration + SOON).await;
        assert!(
            operators.iter().any(|operator| operator.leadership.is_held()),
            "seed {seed}: nobody leads although nothing is wrong"
        );
        assert!(world.arrivals().len() > 1_000, "seed {seed}: they were at work");
    }
}

/// A source of numbers that is the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Prevents: the rest of a look being written by an operator that lost the lease in the middle of it.
#[tokio::test(start_paused = true)]
async fn look_writes_nothing_more_once_the_lease_is_lost() {
    for after in 0..6 {
        let mut harness = Harness::new(json!({}));
        let link = Link::default();
        let (candidate, leadership) = Candidate::new(
            harness.api.client_over(&Link::default(), None),
            SYSTEM,
            "first".to_owned(),
            Timing::DEFAULT,
            Timestamp::now,
            Arc::new(Health::new([])),
        );
        let election = tokio::spawn(candidate.run(pending()));
        leadership.gained().await;
        harness.restart_with(harness.api.client_over(&link, Some(leadership)));
        harness.api.take_calls();
        link.delay(Duration::from_millis(10));
        let api = harness.api.clone();
        let lost = tokio::spawn(async move {
            // Between a request and its answer, so that something is always under way.
            sleep(Duration::from_millis(20 * after + 15)).await;
            election.abort();
            api.take_calls()
        });
        let looked = harness.look().await;
        assert!(looked.is_err(), "it could not finish");
        lost.await.expect("no panic");
        let late = writes(&harness.api.take_calls());
        assert!(late.len() <= 1, "only what had left already: {late:?}");
    }
}

/// Prevents: work of one term that goes on in the next, and a controller that ends unnoticed.
#[tokio::test(start_paused = true)]
async fn work_lives_as_long_as_its_term() {
    let world = World::default();
    let first = world.start("first", Timestamp::now);
    leads(&first, SOON).await;

    let (stop, stopped) = watch::channel(false);
    let ended = lead(first.leadership.clone(), stopped.clone(), || {
        std::future::ready(())
    });
    assert!(!ended.await, "it ended although nobody asked it to");

    let dropped = Arc::new(AtomicBool::new(false));
    let seen = dropped.clone();
    let leading = tokio::spawn(lead(first.leadership.clone(), stopped, move || {
        let guard = OnDrop(seen.clone());
        async move {
            pending::<()>().await;
            drop(guard);
        }
    }));
    sleep(Duration::from_secs(1)).await;
    assert!(!dropped.load(Ordering::SeqCst));
    let held = first.leadership.held().expect("it leads");
    first.link.cut(true);
    held.lost().await;
    sleep(BEAT).await;
    assert!(dropped.load(Ordering::SeqCst), "it was dropped where it was");
    stop.send_replace(true);
    assert!(
        leading.await.expect("no panic"),
        "a stop between two terms is one, too"
    );
}

struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Prevents: a record that people, and other tools that show leases, cannot read.
#[tokio::test(start_paused = true)]
async fn record_says_who_leads_and_a_release_says_nobody() {
    let world = World::default();
    let first = world.start("first", ahead);
    leads(&first, SOON).await;
    let mut lease = world.api.get(LEASE).expect("the lease");
    for field in ["uid", "resourceVersion"] {
        lease["metadata"][field] = Value::Null;
    }
    let time = lease["spec"]["renewTime"].take();
    assert!(
        time.as_str()
            .is_some_and(|time| time.starts_with("2099-01-01T00:")),
        "{time}"
    );
    lease["spec"]["renewTime"] = time.clone();
    assert_eq!(
        lease,
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": "faciliauto-operator", "uid": null, "resourceVersion": null,
                "labels": {"app.kubernetes.io/name": "faciliauto-operator", "app.kubernetes.io/part-of": "faciliauto"},
            },
            "spec": {
                "holderIdentity": "first", "leaseDurationSeconds": 15, "leaseTransitions": 0,
                "acquireTime": time, "renewTime": time,
            },
        })
    );
    first.terminate().await;
    let spec = &world.api.get(LEASE).expect("the lease")["spec"];
    assert_eq!(
        (&spec["holderIdentity"], &spec["leaseDurationSeconds"]),
        (&json!(""), &json!(1))
    );
}
