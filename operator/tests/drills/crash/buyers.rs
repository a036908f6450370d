//! Buyers who ask every replica all the time, and what none of them may ever see: an error, an empty list, or cars of two
//! states in one list.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::join_all;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::stocks::Letter;
use crate::system::PORT;

/// How often each replica is asked.
const PACE: Duration = Duration::from_millis(100);

/// How long a buyer waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// Buyers come from so many addresses, behind a proxy.
const ADDRESSES: u64 = 1_000;

#[derive(Default)]
struct Seen {
    replicas: BTreeSet<IpAddr>,
    /// Those that may fail: they were killed.
    excused: BTreeSet<IpAddr>,
    /// What each showed last.
    shown: BTreeMap<IpAddr, Letter>,
    complaints: Vec<String>,
    asked: u64,
}

/// Buyers, until dropped.
pub(crate) struct Buyers {
    seen: Arc<Mutex<Seen>>,
    client: Client,
    running: JoinHandle<()>,
}

impl Buyers {
    pub(crate) fn start() -> Self {
        let client = Client::builder().timeout(PATIENCE).build().expect("a client");
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let running = tokio::spawn(ask_on(client.clone(), Arc::clone(&seen)));
        Self {
            seen,
            client,
            running,
        }
    }

    /// Begins a case: whom they ask from now on.
    pub(crate) fn ask(&self, replicas: impl IntoIterator<Item = IpAddr>) {
        let mut seen = self.seen.lock().expect("a lock");
        seen.replicas = replicas.into_iter().collect();
        seen.excused.clear();
        seen.shown.clear();
        seen.complaints.clear();
    }

    /// Expects nothing more of a replica that was killed.
    pub(crate) fn excuse(&self, replica: IpAddr) {
        self.seen.lock().expect("a lock").excused.insert(replica);
    }

    /// Whether all replicas show this state.
    pub(crate) fn all_see(&self, letter: Letter) -> bool {
        let seen = self.seen.lock().expect("a lock");
        let shows = |replica| seen.shown.get(replica) == Some(&letter);
        !seen.replicas.is_empty() && seen.replicas.iter().all(shows)
    }

    /// What was wrong since the case began.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.seen.lock().expect("a lock").complaints.clone()
    }

    /// How many lists were asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.seen.lock().expect("a lock").asked
    }

    /// Somebody likes a car; the status of the answer, none when there was none.
    pub(crate) async fn like(&self, replica: IpAddr, user: &str, car: &str) -> Option<StatusCode> {
        let like = json!({"user_id": user, "car_id": car, "action": "liked"});
        let request = self.client.post(format!("http://{replica}:{PORT}/feedback"));
        let sent = request.header("x-forwarded-for", "192.0.2.7").json(&like).send();
        Some(sent.await.ok()?.status())
    }
}

impl Drop for Buyers {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn ask_on(client: Client, seen: Arc<Mutex<Seen>>) {
    let mut turns = tokio::time::interval(PACE);
    for number in 0.. {
        turns.tick().await;
        let replicas = seen.lock().expect("a lock").replicas.clone();
        let asked = replicas.iter().map(|replica| look(&client, *replica, number));
        let answers: Vec<_> = replicas.iter().zip(join_all(asked).await).collect();
        let mut seen = seen.lock().expect("a lock");
        seen.asked += answers.len() as u64;
        if !answers.is_empty() && answers.iter().all(|(_, answer)| answer.is_err()) {
            seen.complaints.push("no replica answered".to_owned());
        }
        for (replica, answer) in answers {
            match answer {
                Ok(letter) => {
                    seen.shown.insert(*replica, letter);
                }
                Err(trouble) => {
                    seen.shown.remove(replica);
                    let matters = seen.replicas.contains(replica) && !seen.excused.contains(replica);
                    if matters || trouble.is_never_right {
                        seen.complaints.push(format!("{replica} {}", trouble.text));
                    }
                }
            }
        }
    }
}

/// What was wrong with an answer.
struct Trouble {
    text: String,
    /// Also for a replica that was killed.
    is_never_right: bool,
}

/// Whose cars a replica recommends.
async fn look(client: &Client, replica: IpAddr, number: u64) -> Result<Letter, Trouble> {
    let from = number % ADDRESSES;
    let request = client
        .post(format!("http://{replica}:{PORT}/recommend"))
        .header("x-forwarded-for", format!("198.51.{}.{}", from / 250, from % 250))
        .json(&json!({
            "orcamento_min": 45_000 + 100 * (number % 50), "orcamento_max": 120_000, "uso_principal": "familia",
        }));
    let missing = |text: String| Trouble {
        text,
        is_never_right: false,
    };
    let wrong = |text: String| Trouble {
        text,
        is_never_right: true,
    };
    let answer = request
        .send()
        .await
        .map_err(|error| missing(format!("did not answer: {error}")))?;
    let status = answer.status();
    if status.is_server_error() {
        return Err(missing(format!("answered {status}")));
    }
    let text = answer
        .text()
        .await
        .map_err(|error| missing(format!("broke off: {error}")))?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let cars = body["recommendations"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let ids: Vec<&str> = cars
        .iter()
        .filter_map(|item| item["car"]["id"].as_str())
        .collect();
    if ids.is_empty() {
        return Err(wrong(format!(
            "answered {status} without a car: {}",
            shorten(&text)
        )));
    }
    Letter::of_cars(ids.iter().copied()).ok_or_else(|| wrong(format!("mixed two states: {}", ids.join(" "))))
}

fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}
