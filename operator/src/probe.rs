//! Asks each API how it is, by its own `/health`: it knows what no Kubernetes object shows, such as a
//! Redis that runs well and has lost its stock.
//!
//! Only the leader asks, every 30 s. Where the API cannot be reached from here, as from outside the
//! cluster, nothing is known and nothing is said.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use faciliauto_api::FaciliAutoDeployment;
use futures::{StreamExt, stream};
use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{ResourceExt, core::DeserializeGuard};
use kube_runtime::reflector::{ObjectRef, Store};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use crate::{backoff::jitter, names};

/// How often an API is asked, within 20 % either way.
const INTERVAL: Duration = Duration::from_secs(30);

/// The pause before a bad answer is asked for once more: a Redis that restarts is away for moments.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// How long an answer counts when no other follows.
const LIFETIME: Duration = INTERVAL.saturating_mul(3);

/// Longest time for one answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many are asked at the same time.
const AT_ONCE: usize = 16;

/// The pause between two looks at who is due.
const PACE: Duration = Duration::from_secs(1);

/// Largest answer that is read, in bytes.
const LARGEST: usize = 64 * 1024;

/// What is wrong with the store behind an API, as the API sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreTrouble {
    /// It answers and holds no stock.
    Empty,
    /// It does not answer the API.
    Unreachable,
    /// What it holds cannot be used.
    Unusable,
}

/// What APIs said last.
#[derive(Debug, Default)]
pub struct Reports(Mutex<HashMap<ObjectRef<FaciliAutoDeployment>, Heard>>);

#[derive(Debug)]
struct Heard {
    /// UID of the resource this is about; a namesake made later starts afresh.
    uid: String,
    /// When it is asked again.
    due: Instant,
    /// What was heard last, and when.
    last: Option<(Option<StoreTrouble>, Instant)>,
    /// What was heard twice in a row.
    trouble: Option<StoreTrouble>,
}

impl Reports {
    /// What is wrong with the store of a resource, if its API said so twice in a row and lately.
    pub fn store_trouble(
        &self,
        resource: &ObjectRef<FaciliAutoDeployment>,
        uid: &str,
    ) -> Option<StoreTrouble> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = heard.get(resource).filter(|heard| heard.uid == uid)?;
        let (_, when) = heard.last?;
        heard.trouble.filter(|_| when.elapsed() < LIFETIME)
    }

    /// Notes an answer. True when something else is to be said now than before.
    pub fn note(
        &self,
        resource: &ObjectRef<FaciliAutoDeployment>,
        uid: &str,
        trouble: Option<StoreTrouble>,
    ) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = entry(&mut all, resource, uid);
        let now = Instant::now();
        let again = matches!(heard.last, Some((before, when)) if before == trouble && now - when < LIFETIME);
        heard.last = Some((trouble, now));
        if trouble.is_some() && !again {
            heard.due = now + SECOND_LOOK;
            return false;
        }
        let is_news = heard.trouble != trouble;
        heard.trouble = trouble;
        is_news
    }

    /// The resources whose turn it is; each is given its next turn. What is not among `resources` any
    /// more is forgotten.
    fn take_due(&self, resources: &[Asked]) -> Vec<Asked> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|reference, _| resources.iter().any(|asked| asked.reference == *reference));
        let now = Instant::now();
        let mut due = Vec::new();
        for asked in resources {
            let heard = entry(&mut all, &asked.reference, &asked.uid);
            if heard.due <= now {
                heard.due = now + jitter(INTERVAL);
                due.push(asked.clone());
            }
        }
        due
    }
}

fn entry<'a>(
    all: &'a mut HashMap<ObjectRef<FaciliAutoDeployment>, Heard>,
    resource: &ObjectRef<FaciliAutoDeployment>,
    uid: &str,
) -> &'a mut Heard {
    let fresh = || Heard {
        uid: uid.to_owned(),
        // Those that are found together are not asked together.
        due: Instant::now() + jitter(INTERVAL) / 2,
        last: None,
        trouble: None,
    };
    let heard = all.entry(resource.clone()).or_insert_with(fresh);
    if heard.uid != uid {
        *heard = fresh();
    }
    heard
}

/// A resource whose API is asked.
#[derive(Clone, Debug)]
struct Asked {
    reference: ObjectRef<FaciliAutoDeployment>,
    uid: String,
}

/// Asks until it is dropped, and calls `tell` with each resource of which there is news.
pub async fn run(
    store: Store<DeserializeGuard<FaciliAutoDeployment>>,
    reports: Arc<Reports>,
    tell: impl Fn(&str, &str),
) {
    let client = Client::builder(TokioExecutor::new())
        // Each answer from whichever pod the Service chooses, and no connection kept for half a minute.
        .pool_max_idle_per_host(0)
        .build_http();
    loop {
        let due = reports.take_due(&asked(&store));
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, |asked| {
                let (client, reports, tell) = (&client, &reports, &tell);
                async move {
                    let (name, namespace) = (&asked.reference.name, asked.reference.namespace.as_deref());
                    let namespace = namespace.unwrap_or_default();
                    match timeout(PATIENCE, read(client, namespace, name)).await {
                        Ok(Ok(trouble)) => {
                            if reports.note(&asked.reference, &asked.uid, trouble) {
                                tracing::info!(namespace, name, ?trouble, "what the API says of its store");
                                tell(namespace, name);
                            }
                        }
                        Ok(Err(error)) => {
                            tracing::debug!(namespace, name, error = %format!("{error:#}"), "no answer to /health")
                        }
                        Err(_) => tracing::debug!(namespace, name, "no answer to /health in time"),
                    }
                }
            })
            .await;
        sleep(PACE).await;
    }
}

fn asked(store: &Store<DeserializeGuard<FaciliAutoDeployment>>) -> Vec<Asked> {
    let resources = store.state();
    let readable = resources.iter().filter_map(|guard| guard.0.as_ref().ok());
    readable
        .filter(|resource| resource.metadata.deletion_timestamp.is_none())
        .map(|resource| Asked {
            reference: ObjectRef::from_obj(resource),
            uid: resource.uid().unwrap_or_default(),
        })
        .collect()
}

/// The part of `/health` that is read.
#[derive(Deserialize)]
struct Health {
    store: String,
}

async fn read(
    client: &Client<HttpConnector, Empty<Bytes>>,
    namespace: &str,
    name: &str,
) -> anyhow::Result<Option<StoreTrouble>> {
    let uri: Uri = format!("http://{name}.{namespace}.svc:{}/health", names::SERVICE_PORT)
        .parse()
        .context("failed to write the address of the API")?;
    let answer = client.get(uri).await.context("failed to ask the API")?;
    ensure!(
        answer.status() == StatusCode::OK,
        "the API answers {}",
        answer.status()
    );
    let body = Limited::new(answer.into_body(), LARGEST).collect().await;
    let body = body
        .map_err(|error| anyhow::anyhow!(error))
        .context("failed to read the answer")?;
    trouble(&body.to_bytes())
}

/// What an answer says of the store.
fn trouble(body: &[u8]) -> anyhow::Result<Option<StoreTrouble>> {
    let health: Health = serde_json::from_slice(body).context("failed to understand the answer")?;
    Ok(match health.store.as_str() {
        "not_open" => Some(StoreTrouble::Empty),
        "unreachable" => Some(StoreTrouble::Unreachable),
        "unusable" => Some(StoreTrouble::Unusable),
        // Followed, in memory, not known yet, or a word of a version to come.
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> ObjectRef<FaciliAutoDeployment> {
        ObjectRef::new("producao").within("lojas")
    }

    /// Prevents: an alarm at each restart of Redis, and one that stays when all is well again.
    #[tokio::test(start_paused = true)]
    async fn trouble_counts_when_it_is_heard_twice_and_only_lately() {
        let reports = Reports::default();
        let resource = reference();
        let said = || reports.store_trouble(&resource, "1");
        let empty = Some(StoreTrouble::Empty);
        assert!(!reports.note(&resource, "1", empty));
        assert_eq!(said(), None, "heard once");
        assert!(reports.note(&resource, "1", empty));
        assert_eq!(said(), empty);
        assert!(!reports.note(&resource, "1", empty), "no news");
        assert!(!reports.note(&resource, "1", Some(StoreTrouble::Unreachable)));
        assert_eq!(said(), empty, "until the other is heard twice");
        assert!(reports.note(&resource, "1", None), "well-being counts at once");
        assert_eq!(said(), None);

        reports.note(&resource, "1", empty);
        reports.note(&resource, "1", empty);
        assert_eq!(reports.store_trouble(&resource, "2"), None, "a namesake");
        tokio::time::advance(LIFETIME).await;
        assert_eq!(said(), None, "too long ago");
        assert!(!reports.note(&resource, "1", empty), "and so heard once again");
    }

    /// Prevents: APIs asked more often than they should be, and memory of resources that are gone.
    #[tokio::test(start_paused = true)]
    async fn each_is_asked_at_its_interval() {
        let reports = Reports::default();
        let all = [Asked {
            reference: reference(),
            uid: "1".to_owned(),
        }];
        assert_eq!(
            reports.take_due(&all).len(),
            0,
            "not all at once when the operator starts"
        );
        tokio::time::advance(INTERVAL).await;
        assert_eq!(reports.take_due(&all).len(), 1);
        assert_eq!(reports.take_due(&all).len(), 0);
        reports.note(&reference(), "1", Some(StoreTrouble::Empty));
        tokio::time::advance(SECOND_LOOK).await;
        assert_eq!(
            reports.take_due(&all).len(),
            1,
            "a bad answer is asked for again soon"
        );
        reports.take_due(&[]);
        assert!(reports.0.lock().expect("the reports").is_empty());
    }

    /// Prevents: a word of the service's that the operator does not know the meaning of.
    #[test]
    fn answers_are_understood() {
        let of = |store: &str| trouble(format!(r#"{{"status": "x", "store": "{store}"}}"#).as_bytes()).ok();
        assert_eq!(of("not_open"), Some(Some(StoreTrouble::Empty)));
        assert_eq!(of("unreachable"), Some(Some(StoreTrouble::Unreachable)));
        assert_eq!(of("unusable"), Some(Some(StoreTrouble::Unusable)));
        for well in ["followed", "memory", "unknown"] {
            assert_eq!(of(well), Some(None));
        }
        assert!(trouble(b"<html>").is_err());
    }
}
