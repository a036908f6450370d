//! A steady load on several replicas, and a journal of what was acknowledged.
//!
//! Load is open: a request leaves when its turn comes, however slow the answers before it are, and its time counts from
//! its turn. Whoever gets no answer, or 503 or 507, sends the same request again, as a good client does.
//!
//! The tests of the service and the drills on a cluster both take this file; what is asked for is a [`Script`] of each.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, RequestBuilder, StatusCode, header::RETRY_AFTER};
use tokio::{sync::watch, task::JoinSet};

/// How long a client waits for an answer before it calls it none.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client waits before it sends a request again when nobody told it how long.
const PAUSE: Duration = Duration::from_millis(300);

/// One thing that somebody wants.
pub(crate) trait Deed: Clone + Debug + Send + Sync + 'static {
    /// What kind of thing, for a report.
    fn kind(&self) -> &'static str;

    /// Whether somebody who was not answered asks again. Lists are not asked for twice: the buyer has gone.
    fn is_sent_again(&self) -> bool;
}

/// Who wants what.
pub(crate) trait Script: Send + Sync + 'static {
    /// What is wanted.
    type Deed: Deed;

    /// The wish whose turn it is; `None` when nobody wants anything now.
    fn next(&self, number: u64) -> Option<Self::Deed>;

    /// The request for it at a replica, `http://HOST:PORT`. The same each time that it is sent.
    fn request(&self, client: &Client, replica: &str, number: u64, deed: &Self::Deed) -> RequestBuilder;

    /// It was answered, or given up.
    fn settled(&self, deed: &Self::Deed);
}

/// What became of one request.
#[derive(Clone, Debug)]
pub(crate) struct Entry<D> {
    /// Which.
    pub(crate) deed: D,
    /// When its turn was.
    pub(crate) at: Instant,
    /// When it was sent for the last time; its turn, when that was the first.
    pub(crate) sent: Instant,
    /// How long its last answer took, counted from then.
    pub(crate) took: Duration,
    /// Statuses in their order; 0 = no answer.
    pub(crate) statuses: Vec<u16>,
    /// Whether the last answer says that it is done and remembered.
    pub(crate) acknowledged: bool,
}

impl<D> Entry<D> {
    /// When the last answer was there.
    pub(crate) fn answered(&self) -> Instant {
        self.sent + self.took
    }
}

/// The load while it runs.
pub(crate) struct Load<D> {
    journal: Arc<Mutex<Vec<Entry<D>>>>,
    stopped: Arc<AtomicBool>,
    give_up: watch::Sender<bool>,
    running: tokio::task::JoinHandle<()>,
}

/// Everything a request needs.
struct Sender<S: Script> {
    client: Client,
    replicas: Vec<String>,
    script: S,
    journal: Arc<Mutex<Vec<Entry<S::Deed>>>>,
    give_up: watch::Receiver<bool>,
}

impl<D: Deed> Load<D> {
    /// Begins to send `rate` requests a second to the replicas in turns.
    pub(crate) fn start(replicas: &[String], rate: u32, script: impl Script<Deed = D>) -> Self {
        let journal = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (give_up, given_up) = watch::channel(false);
        let sender = Sender {
            client: Client::builder().timeout(PATIENCE).build().expect("a client"),
            replicas: replicas.to_vec(),
            script,
            journal: Arc::clone(&journal),
            give_up: given_up,
        };
        let running = tokio::spawn(run(Arc::new(sender), rate, Arc::clone(&stopped)));
        Self {
            journal,
            stopped,
            give_up,
            running,
        }
    }

    /// Sends nothing new, lets what is under way end within `patience`, and gives the journal.
    pub(crate) async fn finish(self, patience: Duration) -> Vec<Entry<D>> {
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

async fn run<S: Script>(sender: Arc<Sender<S>>, rate: u32, stopped: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut requests = JoinSet::new();
    for number in 0_u64.. {
        let turn = ticks.tick().await.into_std();
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        while requests.try_join_next().is_some() {}
        if let Some(deed) = sender.script.next(number) {
            requests.spawn(Arc::clone(&sender).send(number, turn, deed));
        }
    }
    while requests.join_next().await.is_some() {}
}

impl<S: Script> Sender<S> {
    async fn send(self: Arc<Self>, number: u64, turn: Instant, deed: S::Deed) {
        let mut statuses = Vec::new();
        let mut sent = turn;
        let mut give_up = self.give_up.clone();
        let (took, acknowledged) = loop {
            let answer = self.ask(number, &deed, statuses.len()).await;
            let took = sent.elapsed();
            let (status, pause) = answer.map_or((None, PAUSE), |(status, pause)| (Some(status), pause));
            statuses.push(status.map_or(0, |status| status.as_u16()));
            let acknowledged = matches!(status, Some(StatusCode::OK | StatusCode::CREATED));
            let again = matches!(
                status,
                None | Some(StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE)
            );
            if !again || !deed.is_sent_again() {
                break (took, acknowledged);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = give_up.wait_for(|given_up| *given_up) => break (took, acknowledged),
            }
            sent = Instant::now();
        };
        self.script.settled(&deed);
        self.journal.lock().expect("a journal").push(Entry {
            deed,
            at: turn,
            sent,
            took,
            statuses,
            acknowledged,
        });
    }

    /// What the answer says, and when the request may be sent again.
    async fn ask(&self, number: u64, deed: &S::Deed, attempt: usize) -> Option<(StatusCode, Duration)> {
        // A client that sends again is led to another replica, as by a Service.
        let replica = &self.replicas[(number as usize + attempt) % self.replicas.len()];
        let request = self.script.request(&self.client, replica, number, deed);
        // A thousand addresses: nobody is refused for asking too often.
        let address = format!("203.0.{}.{}", number % 4, number / 4 % 250);
        let answer = request.header("x-forwarded-for", address).send().await.ok()?;
        let status = answer.status();
        let seconds = answer.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        // An answer counts when it was read to its end.
        answer.bytes().await.ok()?;
        Some((status, seconds.map_or(PAUSE, Duration::from_secs)))
    }
}

/// How long 99 of 100 things took at most, of those that are meant.
pub(crate) fn p99<D>(journal: &[Entry<D>], is_meant: impl Fn(&Entry<D>) -> bool) -> Duration {
    let mut times: Vec<Duration> = journal
        .iter()
        .filter(|entry| is_meant(entry))
        .map(|entry| entry.took)
        .collect();
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// How often each status was the answer to something, for a report.
pub(crate) fn statuses<D: Deed>(journal: &[Entry<D>]) -> BTreeMap<(&'static str, u16), usize> {
    let mut counts = BTreeMap::new();
    for entry in journal {
        for status in &entry.statuses {
            *counts.entry((entry.deed.kind(), *status)).or_insert(0) += 1;
        }
    }
    counts
}
