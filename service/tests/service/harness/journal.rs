//! Buyers and a dealer who use two replicas at a steady rate and write down what was acknowledged.
//!
//! Load is open: a request leaves when its turn comes, however slow the answers before it are, and its time counts from
//! its turn. Whoever gets no answer, or 503 or 507, sends the same request again with the same `Idempotency-Key`, as a
//! good client does.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use super::dealers::ADMIN;

/// How long a client waits for an answer before it calls it none.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client waits before it sends a request again.
const PAUSE: Duration = Duration::from_millis(300);

/// The dealership whose prices change, and the cars that it has.
pub(crate) const DEALERSHIP: &str = "loja-do-diario";
pub(crate) const CARS: usize = 8;

/// What became of one request.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Which.
    pub(crate) deed: Deed,
    /// When its turn was.
    pub(crate) at: Instant,
    /// How long its last answer took, counted from the turn when it was the first.
    pub(crate) took: Duration,
    /// Statuses in their order; 0 = no answer.
    pub(crate) statuses: Vec<u16>,
    /// Whether the last answer says that it is done and remembered.
    pub(crate) acknowledged: bool,
}

/// One thing that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A list of cars.
    Recommend,
    /// A like of a user who does nothing else.
    Feedback { user: String },
    /// A click in a session in which nothing else happens.
    Interaction { session: String },
    /// A new price for a car.
    Price { car: usize, reais: u64 },
}

/// The load while it runs.
pub(crate) struct Load {
    journal: Arc<Mutex<Vec<Entry>>>,
    stopped: Arc<AtomicBool>,
    give_up: watch::Sender<bool>,
    running: tokio::task::JoinHandle<()>,
}

/// Everything a request needs.
#[derive(Clone)]
struct Sender {
    client: Client,
    replicas: Arc<Vec<String>>,
    /// Of which car a change of price is still under way: one at a time, so that their order is known.
    busy: Arc<Vec<AtomicBool>>,
    price: Arc<AtomicU64>,
    journal: Arc<Mutex<Vec<Entry>>>,
    give_up: watch::Receiver<bool>,
}

impl Load {
    /// Begins to send `rate` requests a second to the replicas in turns.
    pub(crate) fn start(replicas: &[String], rate: u32) -> Self {
        let journal = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (give_up, given_up) = watch::channel(false);
        let sender = Sender {
            client: Client::builder().timeout(PATIENCE).build().expect("a client"),
            replicas: Arc::new(replicas.to_vec()),
            busy: Arc::new((0..CARS).map(|_| AtomicBool::new(false)).collect()),
            price: Arc::new(AtomicU64::new(60_000)),
            journal: Arc::clone(&journal),
            give_up: given_up,
        };
        let running = tokio::spawn(run(sender, rate, Arc::clone(&stopped)));
        Self {
            journal,
            stopped,
            give_up,
            running,
        }
    }

    /// Sends nothing new, lets what is under way end within `patience`, and gives the journal.
    pub(crate) async fn finish(self, patience: Duration) -> Vec<Entry> {
        self.stopped.store(true, Ordering::Relaxed);
        let deadline = tokio::time::sleep(patience);
        tokio::pin!(deadline);
        let mut running = self.running;
        tokio::select! {
            ended = &mut running => ended.expect("the load runs"),
            () = &mut deadline => {
                self.give_up.send_replace(true);
                running.await.expect("the load ends");
            }
        }
        std::mem::take(&mut *self.journal.lock().expect("a journal"))
    }
}

async fn run(sender: Sender, rate: u32, stopped: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut requests = JoinSet::new();
    for number in 0_u64.. {
        let turn = ticks.tick().await.into_std();
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        while requests.try_join_next().is_some() {}
        let deed = match number % 20 {
            0 | 10 => Deed::Feedback {
                user: format!("buyer-{number}"),
            },
            5 => Deed::Interaction {
                session: format!("visit-{number}"),
            },
            15 => {
                let car = (number / 20) as usize % CARS;
                if sender.busy[car].swap(true, Ordering::Relaxed) {
                    continue;
                }
                let reais = sender.price.fetch_add(1, Ordering::Relaxed);
                Deed::Price { car, reais }
            }
            _ => Deed::Recommend,
        };
        requests.spawn(sender.clone().send(number, turn, deed));
    }
    while requests.join_next().await.is_some() {}
}

impl Sender {
    async fn send(mut self, number: u64, turn: Instant, deed: Deed) {
        let mut statuses = Vec::new();
        let mut begun = turn;
        let (took, acknowledged) = loop {
            let status = self.ask(number, &deed, statuses.len()).await;
            let took = begun.elapsed();
            statuses.push(status.map_or(0, |status| status.as_u16()));
            let acknowledged = matches!(status, Some(StatusCode::OK | StatusCode::CREATED));
            let again = matches!(
                status,
                None | Some(StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE)
            );
            if !again || deed == Deed::Recommend {
                break (took, acknowledged);
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = self.give_up.wait_for(|given_up| *given_up) => break (took, acknowledged),
            }
            begun = Instant::now();
        };
        if let Deed::Price { car, .. } = deed {
            self.busy[car].store(false, Ordering::Relaxed);
        }
        self.journal.lock().expect("a journal").push(Entry {
            deed,
            at: turn,
            took,
            statuses,
            acknowledged,
        });
    }

    async fn ask(&self, number: u64, deed: &Deed, attempt: usize) -> Option<StatusCode> {
        // A client that sends again is led to another replica, as by a Service.
        let replica = &self.replicas[(number as usize + attempt) % self.replicas.len()];
        let (method, path, body) = match deed {
            Deed::Recommend => (Method::POST, "/recommend".to_owned(), questionnaire(number)),
            Deed::Feedback { user } => (
                Method::POST,
                "/feedback".to_owned(),
                json!({"user_id": user, "car_id": car_id(number as usize % CARS), "action": "liked"}),
            ),
            Deed::Interaction { session } => (
                Method::POST,
                "/api/interactions/track".to_owned(),
                json!({"session_id": session, "car_id": car_id(0), "interaction_type": "click"}),
            ),
            Deed::Price { car, reais } => (
                Method::PATCH,
                format!("/api/dealerships/{DEALERSHIP}/cars/{}", car_id(*car)),
                json!({"preco": reais}),
            ),
        };
        let mut request = self
            .client
            .request(method, format!("{replica}{path}"))
            // A thousand addresses: nobody is refused for asking too often.
            .header(
                "x-forwarded-for",
                format!("203.0.{}.{}", number % 4, number / 4 % 250),
            )
            .json(&body);
        if *deed != Deed::Recommend {
            request = request.header("idempotency-key", format!("request-{number}"));
        }
        if matches!(deed, Deed::Price { .. }) {
            request = request.bearer_auth(ADMIN);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        // An answer counts when it was read to its end.
        answer.bytes().await.ok().map(|_| status)
    }
}

/// Id of a car of the dealership.
pub(crate) fn car_id(index: usize) -> String {
    format!("{DEALERSHIP}-{index}")
}

fn questionnaire(number: u64) -> Value {
    json!({"orcamento_min": 30_000, "orcamento_max": 60_000 + number % 40_000, "uso_principal": "familia"})
}

/// How long 99 of 100 lists took at most, of those whose turn was within a span.
pub(crate) fn recommendation_p99(journal: &[Entry], from: Instant, until: Instant) -> Duration {
    let mut times: Vec<Duration> = journal
        .iter()
        .filter(|entry| entry.deed == Deed::Recommend && (from..until).contains(&entry.at))
        .map(|entry| entry.took)
        .collect();
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// How often each status was the answer to something, for a report.
pub(crate) fn statuses(journal: &[Entry]) -> BTreeMap<(&'static str, u16), usize> {
    let mut counts = BTreeMap::new();
    for entry in journal {
        let what = match entry.deed {
            Deed::Recommend => "recommend",
            Deed::Feedback { .. } => "feedback",
            Deed::Interaction { .. } => "interaction",
            Deed::Price { .. } => "price",
        };
        for status in &entry.statuses {
            *counts.entry((what, *status)).or_insert(0) += 1;
        }
    }
    counts
}
