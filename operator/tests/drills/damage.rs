//! What happens to a system before it is restored.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::DeleteParams;

use crate::{
    harness::{NAME, eventually},
    system::{System, say},
};

/// A thousand keys may hold a thousand pieces of stock, and nobody hurries.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Nothing: somebody wants an older state.
    None,
    /// Every key is deleted.
    Emptied,
    /// Redis's volume and its pod are deleted.
    VolumeLost,
}

impl Damage {
    /// The restore's id, and part of the names of its figures.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "in_place",
            Self::Emptied => "emptied",
            Self::VolumeLost => "volume_lost",
        }
    }

    /// Does it.
    pub(crate) async fn happen(self, system: &System) {
        match self {
            Self::None => {}
            Self::Emptied => delete_every_key(system).await,
            Self::VolumeLost => delete_volume(system).await,
        }
    }
}

/// As somebody does by mistake.
async fn delete_every_key(system: &System) {
    let patience = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let client = system.redis().await;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&patience)
        .await
        .expect("a connection");
    let mut cursor = 0_u64;
    // The first thing to go is what names the generation: from then on nobody writes.
    let mut gone: usize = redis::cmd("UNLINK")
        .arg(format!("{}:generation", system.prefix()))
        .query_async(&mut connection)
        .await
        .expect("a deletion");
    loop {
        let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("COUNT")
            .arg(1000)
            .query_async(&mut connection)
            .await
            .expect("keys");
        if !keys.is_empty() {
            gone += redis::cmd("UNLINK")
                .arg(&keys)
                .query_async::<usize>(&mut connection)
                .await
                .expect("a deletion");
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    say(&format!("deleted {gone} keys"));
}

/// As when a disk is lost with the node that had it.
async fn delete_volume(system: &System) {
    let claims = system.sandbox.api::<PersistentVolumeClaim>();
    let (claim, pod) = (format!("data-{NAME}-redis-0"), format!("{NAME}-redis-0"));
    let old = claims.get(&claim).await.expect("the claim").metadata.uid;
    claims
        .delete(&claim, &DeleteParams::default())
        .await
        .expect("the deletion");
    let pods = system.sandbox.api::<Pod>();
    pods.delete(&pod, &DeleteParams::default().grace_period(0))
        .await
        .expect("the deletion");
    eventually("there is another volume", Duration::from_secs(60), || async {
        let found = claims.get_opt(&claim).await.ok()?;
        found.filter(|found| found.metadata.uid != old)
    })
    .await;
    say("Redis's volume is gone");
}
