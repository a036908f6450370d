//! What a store and its replicas show from one moment to the next, and when each of it was first seen.
//!
//! Redis is asked itself: the moment of a switch is that at which the name of the generation changes there, and not when
//! somebody tells of it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::system::System;

/// Between two looks: the error of every moment.
const POLL: Duration = Duration::from_millis(10);

/// A replica or a store that does not answer for so long is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that was not so before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// The generation that the store names; `None` = it is not open.
    Generation(Option<String>),
    /// Whether writes are held back.
    Fenced(bool),
    /// A replica serves from this generation.
    Served {
        /// Its place among the addresses.
        replica: usize,
        /// Which.
        generation: String,
    },
}

/// Looks for as long as it lives.
pub(crate) struct Watch {
    sights: Arc<Mutex<Vec<(Instant, Sight)>>>,
    _looking: JoinSet<()>,
}

impl Watch {
    /// Begins to look at the store and at every replica.
    pub(crate) async fn begin(system: &System) -> Self {
        let sights = Arc::new(Mutex::new(Vec::new()));
        let mut looking = JoinSet::new();
        looking.spawn(look_at_store(
            system.redis().await,
            system.prefix(),
            Arc::clone(&sights),
        ));
        for (replica, address) in system.addresses.iter().enumerate() {
            let url = format!("http://{address}/health");
            let client = system.client.clone();
            looking.spawn(look_at_replica(client, url, replica, Arc::clone(&sights)));
        }
        Self {
            sights,
            _looking: looking,
        }
    }

    /// The first moment from `since` on at which something was seen.
    pub(crate) fn first(&self, since: Instant, is_meant: impl Fn(&Sight) -> bool) -> Option<Instant> {
        let sights = self.sights.lock().expect("sights");
        let found = sights.iter().find(|(at, sight)| *at >= since && is_meant(sight));
        found.map(|(at, _)| *at)
    }

    /// The generation that the store named last.
    pub(crate) fn generation(&self) -> Option<String> {
        let sights = self.sights.lock().expect("sights");
        sights.iter().rev().find_map(|(_, sight)| match sight {
            Sight::Generation(generation) => Some(generation.clone()),
            _ => None,
        })?
    }
}

/// Notes what is not as it was.
fn note(sights: &Mutex<Vec<(Instant, Sight)>>, known: &mut Option<Sight>, sight: Sight) {
    if known.as_ref() != Some(&sight) {
        sights
            .lock()
            .expect("sights")
            .push((Instant::now(), sight.clone()));
        *known = Some(sight);
    }
}

async fn look_at_store(client: redis::Client, prefix: String, sights: Arc<Mutex<Vec<(Instant, Sight)>>>) {
    let (mut generation, mut fence) = (None, None);
    loop {
        let connecting = timeout(PATIENCE, client.get_multiplexed_async_connection()).await;
        if let Ok(Ok(mut connection)) = connecting {
            while let Ok(Ok((named, fenced))) = timeout(PATIENCE, ask(&mut connection, &prefix)).await {
                note(&sights, &mut generation, Sight::Generation(named));
                note(&sights, &mut fence, Sight::Fenced(fenced));
                sleep(POLL).await;
            }
        }
        sleep(POLL * 10).await;
    }
}

/// In one step, so that a switch is never seen before the fence that it lowers.
async fn ask(
    connection: &mut MultiplexedConnection,
    prefix: &str,
) -> redis::RedisResult<(Option<String>, bool)> {
    redis::pipe()
        .atomic()
        .get(format!("{prefix}:generation"))
        .exists(format!("{prefix}:fence"))
        .query_async(connection)
        .await
}

async fn look_at_replica(
    client: reqwest::Client,
    url: String,
    replica: usize,
    sights: Arc<Mutex<Vec<(Instant, Sight)>>>,
) {
    let mut known = None;
    loop {
        let asked = async {
            let answer = client.get(&url).timeout(PATIENCE).send().await.ok()?;
            let health: Value = answer.json().await.ok()?;
            let version = health["catalog_version"].as_str()?;
            version
                .rsplit_once('.')
                .map(|(generation, _)| generation.to_owned())
        };
        if let Some(generation) = asked.await {
            note(&sights, &mut known, Sight::Served { replica, generation });
        }
        sleep(POLL * 2).await;
    }
}
