//! Figures of the store's server, as they were when it last gave them. A scrape reads them from memory: it never
//! waits for a server, and a dead one takes none away.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
    registry::Unit,
};
use tokio::time::sleep;

use crate::{
    state::{StateError, figures::ServerFigures},
    store::Store,
};

/// How old figures may be: scrapes come every 15 to 60 seconds, and `INFO` costs a server little but something.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// The last known figures. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreServer(Arc<Mutex<Option<ServerFigures>>>);

impl StoreServer {
    fn last_known(&self) -> Option<ServerFigures> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the server of the current connection again and again, until dropped.
    pub(crate) async fn watch(self, store: Arc<Store>) {
        let mut may_ask = true;
        loop {
            let state = store.current();
            match state.server_figures().await {
                Ok(Some(figures)) => {
                    *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(figures);
                    may_ask = true;
                }
                // Users of a managed server may be barred from `INFO`: said once, and no figures.
                Err(StateError::Refused(reason)) if may_ask => {
                    tracing::warn!(reason, "the store's server gives no figures of itself");
                    may_ask = false;
                }
                Ok(None) | Err(_) => {}
            }
            drop(state);
            sleep(ASK_EVERY).await;
        }
    }
}

impl Collector for StoreServer {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(ServerFigures {
            memory_used_bytes,
            evicted_keys,
            last_save,
        }) = self.last_known()
        else {
            return Ok(());
        };
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        for (name, help, unit, value) in [
            (
                "redis_memory_used",
                "Memory that the store's server has taken",
                Some(&Unit::Bytes),
                whole(memory_used_bytes),
            ),
            (
                "redis_evicted_keys",
                "Keys that the store's server dropped to make room, since it was started",
                None,
                whole(evicted_keys),
            ),
            (
                "redis_last_save_timestamp",
                "When the store's server last wrote all to its disk, since the Unix epoch",
                Some(&Unit::Seconds),
                last_save.as_second(),
            ),
        ] {
            let gauge = ConstGauge::<i64>::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
