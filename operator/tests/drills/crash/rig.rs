//! A system whose Redis is a process of this machine behind a line that the drill holds in its hand.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use faciliauto_service::backup::error::BackupError;
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Node, Pod, Secret},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    buyers::Buyers,
    line::Line,
    server::{PREFIX, RedisServer},
    stocks::{Digests, Letter, digests_in, digests_of, furnish},
};
use crate::{
    harness::{NAME, OPERATOR, OPERATOR_NAMESPACE, Sandbox, condition, eventually, leader},
    system::folder_of_backups,
};

/// A Job's pod, a small stock, and its proof.
const BACKED_UP: Duration = Duration::from_secs(120);

/// Pods that come up, on a machine that does other things besides.
const UP: Duration = Duration::from_secs(120);

/// How often a store is asked what it holds, when it is just coming back.
const LOOKS: u32 = 20;

/// A replica of the API.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) address: IpAddr,
}

/// All that a case needs.
pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: RedisServer,
    pub(crate) line: Line,
    pub(crate) buyers: Buyers,
    /// Where the node has the volume of backups.
    pub(crate) folder: PathBuf,
    /// Backups of both states, by name.
    backups: [String; 2],
    /// What a store holds after a restore that nobody disturbs: the backup, but what its ledgers forbid.
    pub(crate) restored: [Digests; 2],
    /// Which state is served.
    pub(crate) current: Letter,
}

impl Rig {
    /// Brings it up, with a backup of each state; the second one is served.
    pub(crate) async fn furnish(sandbox: Sandbox) -> Self {
        let server = RedisServer::start();
        furnish(&server.state(), Letter::A).await;
        let line = Line::to(server.port, address_of_node(&sandbox).await).await;
        let url = format!("redis://{}", line.address);
        let secret = json!({"metadata": {"name": "redis-url"}, "stringData": {"url": url}});
        sandbox
            .api::<Secret>()
            .create(
                &PostParams::default(),
                &serde_json::from_value(secret).expect("a Secret"),
            )
            .await
            .expect("a Secret");
        sandbox
            .apply(json!({
                "autoscaling": {"enabled": false}, "replicas": 2, "stock": {"seed": "None"},
                "api": {
                    "rateLimits": {"enabled": true, "trustedProxyHops": 1},
                    "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
                },
                "redis": {
                    "mode": "External", "external": {"urlSecret": {"name": "redis-url"}, "keyPrefix": PREFIX},
                },
            }))
            .await;
        wait_until_ready(&sandbox).await;
        let first = back_up(&sandbox, "").await;
        furnish(&server.state(), Letter::B).await;
        let second = back_up(&sandbox, &first).await;
        let folder = folder_of_backups(&sandbox, NAME).await;
        let mut restored = Vec::new();
        for name in [&first, &second] {
            restored.push(digests_in(&folder, name).await);
        }
        let rig = Self {
            sandbox,
            server,
            line,
            buyers: Buyers::start(),
            folder,
            backups: [first, second],
            restored: restored.try_into().expect("two of them"),
            current: Letter::B,
        };
        rig.buyers
            .ask(rig.replicas().await.iter().map(|replica| replica.address));
        rig
    }

    pub(crate) fn backup(&self, letter: Letter) -> &str {
        &self.backups[letter as usize]
    }

    /// What the store holds, past the line.
    ///
    /// # Errors
    /// A store that cannot be read, however often it is asked.
    pub(crate) async fn digests(&self) -> Result<Digests, BackupError> {
        for _ in 1..LOOKS {
            match digests_of(&self.server.state()).await {
                Ok(digests) => return Ok(digests),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        digests_of(&self.server.state()).await
    }

    /// The API's pods that are ready; waits until there are two.
    pub(crate) async fn replicas(&self) -> Vec<Replica> {
        let labels = format!("app.kubernetes.io/instance={NAME},app.kubernetes.io/component=api");
        let pods = self.sandbox.api::<Pod>();
        eventually("two replicas are ready", UP, || async {
            let found = pods.list(&ListParams::default().labels(&labels)).await.ok()?;
            let ready: Vec<Replica> = found
                .iter()
                .filter(|pod| is_ready(pod))
                .filter_map(replica)
                .collect();
            (ready.len() == 2 && found.items.len() == 2).then_some(ready)
        })
        .await
    }

    /// Puts a fresh pod in the place of one that was killed: the longer the list of its restarts, the longer the node waits
    /// before it starts it again, and that is not what is tried here.
    pub(crate) async fn renew(&self, replica: &Replica) {
        let deleted = self
            .sandbox
            .api::<Pod>()
            .delete(&replica.name, &DeleteParams::default())
            .await;
        deleted.expect("the pod is deleted");
    }

    /// Declares a restore.
    pub(crate) async fn declare(&self, id: &str, from: &str) {
        let restore = json!({"spec": {"restore": {"id": id, "from": from}}});
        self.sandbox
            .resources()
            .patch(NAME, &PatchParams::default(), &Patch::Merge(restore))
            .await
            .expect("the restore is declared");
    }

    /// What the status says of a restore; `None` when it speaks of another.
    pub(crate) async fn status(&self, id: &str) -> Option<Value> {
        let found = self.sandbox.resources().get(NAME).await.ok()?;
        let restore = found.data["status"]["restore"].clone();
        (restore["id"] == id).then_some(restore)
    }

    /// The Job of a restore.
    pub(crate) async fn job(&self, id: &str) -> Option<Job> {
        let jobs = self
            .sandbox
            .api::<Job>()
            .list(&ListParams::default())
            .await
            .ok()?;
        let is_of = |job: &Job| {
            job.annotations()
                .get("faciliauto.com/restore-id")
                .is_some_and(|of| of == id)
        };
        jobs.items.into_iter().find(is_of)
    }

    /// How containers of a restore ended that did not end well, in order.
    pub(crate) async fn attempts(&self, id: &str) -> Vec<String> {
        let Some(job) = self.job(id).await else {
            return vec!["its Job is gone".to_owned()];
        };
        let labels = format!("batch.kubernetes.io/job-name={}", job.name_any());
        let pods = self
            .sandbox
            .api::<Pod>()
            .list(&ListParams::default().labels(&labels))
            .await;
        let pods = pods.map(|list| list.items).unwrap_or_default();
        let statuses = pods.into_iter().filter_map(|pod| pod.status).flat_map(|status| {
            let first = status.init_container_statuses.unwrap_or_default();
            first
                .into_iter()
                .chain(status.container_statuses.unwrap_or_default())
        });
        let mut ended: Vec<_> = statuses
            .filter_map(|container| Some((container.name, container.state?.terminated?)))
            .filter(|(_, ended)| ended.exit_code != 0)
            .collect();
        ended.sort_by_key(|(_, ended)| ended.finished_at.as_ref().map(|at| at.0));
        let said = ended.into_iter().map(|(name, ended)| {
            let message = ended.message.unwrap_or_default();
            format!("{name} with {}: {}", ended.exit_code, message.trim())
        });
        said.collect()
    }

    /// The pod of the operator that leads.
    pub(crate) async fn leading_operator(&self) -> Pod {
        let pods: Api<Pod> = Api::namespaced(self.sandbox.client.clone(), OPERATOR_NAMESPACE);
        eventually("an operator leads", UP, || async {
            let name = leader(&self.sandbox.client).await?;
            pods.get_opt(&name).await.ok()?
        })
        .await
    }

    /// Puts a fresh pod in the place of an operator that was killed, and waits until one leads again.
    pub(crate) async fn renew_operator(&self, name: &str) {
        let client = &self.sandbox.client;
        let pods: Api<Pod> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
        pods.delete(name, &DeleteParams::default())
            .await
            .expect("the pod is deleted");
        let labels = format!("app.kubernetes.io/name={OPERATOR}");
        eventually("both operators are ready, and one leads", UP, || async {
            let found = pods.list(&ListParams::default().labels(&labels)).await.ok()?;
            let ready: Vec<String> = found
                .iter()
                .filter(|pod| is_ready(pod))
                .map(ResourceExt::name_any)
                .collect();
            let leads = leader(client).await?;
            (ready.len() == 2 && found.items.len() == 2 && ready.contains(&leads)).then_some(())
        })
        .await;
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let is_ready = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    is_ready && pod.metadata.deletion_timestamp.is_none()
}

fn replica(pod: &Pod) -> Option<Replica> {
    Some(Replica {
        name: pod.name_any(),
        uid: pod.uid()?,
        address: pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?,
    })
}

async fn wait_until_ready(sandbox: &Sandbox) {
    eventually("the resource is Ready", UP, || async {
        let found = sandbox.resources().get(NAME).await.ok()?;
        let observed = found.data["status"]["observedGeneration"].as_i64() == found.metadata.generation;
        (observed && condition(&found, "Ready")?["status"] == "True").then_some(())
    })
    .await;
}

/// Makes a backup as `kubectl faciliauto backup` does, and waits until the status tells of it.
async fn back_up(sandbox: &Sandbox, last: &str) -> String {
    faciliauto_operator::cli::backup::make(&sandbox.client, &sandbox.namespace, NAME)
        .await
        .expect("the Job");
    eventually("the backup counts", BACKED_UP, || async {
        let found = sandbox.resources().get(NAME).await.ok()?;
        let name = found.data["status"]["backup"]["lastBackup"].as_str()?.to_owned();
        (name != last && !name.is_empty()).then_some(name)
    })
    .await
}

/// Where pods reach what listens on this machine.
async fn address_of_node(sandbox: &Sandbox) -> IpAddr {
    let nodes: Api<Node> = Api::all(sandbox.client.clone());
    let nodes = nodes.list(&ListParams::default()).await.expect("nodes");
    let addresses = nodes
        .into_iter()
        .filter_map(|node| node.status?.addresses)
        .flatten();
    let mut internal = addresses.filter(|address| address.type_ == "InternalIP");
    let address = internal.next().expect("the node's address").address;
    address.parse().expect("an address")
}
