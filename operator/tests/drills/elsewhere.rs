//! What becomes of a backup in a system that never held anything, on another server.

use std::{
    env,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::{
    archive::Archive,
    harness::eventually,
    stock::CARS,
    system::{Made, System, addresses, say},
};

/// The image of another server than the drill's: Valkey, or Redis where the drill runs on Valkey.
const OTHER: &str = "FACILIAUTO_DRILL_OTHER_REDIS_IMAGE";

/// The image of the drill's own.
const OWN: &str = "FACILIAUTO_TEST_REDIS_IMAGE";

/// The resources that are made, one out of the other's backup.
const NAMES: [&str; 2] = ["moved", "returned"];

/// Pods that end in order.
const GONE: Duration = Duration::from_secs(120);

/// Into a system that is only just being brought up.
const RESTORED: Duration = Duration::from_secs(300);

/// What came of a backup that went to another server, and from there back to one of the first kind.
pub(crate) struct Moved {
    /// From the making of a resource until its replicas serve, the slower of the two.
    pub(crate) whole: Duration,
    /// Records that are not as in the backup.
    pub(crate) different: usize,
}

/// Restores a backup of `from` into new resources, one after the other.
pub(crate) async fn there_and_back(system: &System, from: &str, made: &Made) -> Moved {
    let image = |variable| {
        env::var(variable).unwrap_or_else(|_| panic!("{variable}, as `make drill-restore` sets it"))
    };
    let before = Archive::read(&system.backups_of(from).await.join(made.name()));
    let [moved, returned] = NAMES;
    let (there, there_made) = into_nothing(system, moved, &image(OTHER), from, made.name()).await;
    let (back, _) = into_nothing(system, returned, &image(OWN), moved, there_made.name()).await;
    let mut different = 0;
    for (name, archive) in [(moved, &there.1), (returned, &back.1)] {
        let differences = before.differences(archive);
        for difference in differences.iter().take(5) {
            say(&format!("{name} differs: {difference}"));
        }
        different += differences.len();
    }
    say(&format!(
        "there in {:.0?} and back in {:.0?}: {different} of {CARS} cars and all else differ",
        there.0, back.0
    ));
    Moved {
        whole: there.0.max(back.0),
        different,
    }
}

/// Takes the resources away again, so that what follows has the machine to itself.
pub(crate) async fn take_away(system: &System) {
    let sandbox = &system.sandbox;
    for name in NAMES {
        let deleted = sandbox.resources().delete(name, &DeleteParams::default()).await;
        deleted.expect("the resource is deleted");
    }
    let pods = sandbox.api::<Pod>();
    eventually("their pods are gone", GONE, || async {
        let labels = format!("app.kubernetes.io/instance in ({})", NAMES.join(","));
        let left = pods.list(&ListParams::default().labels(&labels)).await.ok()?;
        left.items.is_empty().then_some(())
    })
    .await;
}

/// Brings a resource up out of another's backup, and gives how long that took, what it holds and its own backup.
async fn into_nothing(
    system: &System,
    name: &str,
    image: &str,
    source: &str,
    from: &str,
) -> ((Duration, Archive), Made) {
    say(&format!("restoring {from} of {source} into nothing, on {image}"));
    let sandbox = &system.sandbox;
    let begun = Instant::now();
    let spec = json!({
        "autoscaling": {"enabled": false}, "replicas": 2, "stock": {"seed": "None"},
        "redis": {"managed": {"image": image, "resources": {"limits": {"memory": "2Gi"}}}},
        "restore": {"id": "from-elsewhere", "from": from, "source": {"claimName": format!("{source}-backup")}},
    });
    sandbox
        .apply_named(name, spec)
        .await
        .expect("the resource is accepted");
    eventually("it has been restored", RESTORED, || async {
        let found = sandbox.resources().get(name).await.ok()?;
        let restore = &found.data["status"]["restore"];
        assert_ne!(restore["phase"], "Failed", "{restore}");
        (restore["phase"] == "Succeeded").then_some(())
    })
    .await;
    for address in addresses(sandbox, name).await {
        eventually("every replica serves it", RESTORED, || async {
            let health = system.get(&address, "/health").await.ok()?;
            (health["cars"] == json!(CARS)).then_some(())
        })
        .await;
    }
    let whole = begun.elapsed();
    let made = system.back_up_of(name).await;
    let archive = Archive::read(&system.backups_of(name).await.join(made.name()));
    ((whole, archive), made)
}
