//! A backup on a real cluster, everything lost, and back again.

use std::{env, process::Command, time::Duration};

use k8s_openapi::api::{
    batch::v1::CronJob,
    core::v1::{PersistentVolumeClaim, Secret},
};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    harness::{NAME, Sandbox, condition, eventually, with_operator},
    redis_client,
};

/// A Job's pod, a small stock, and its proof.
const BACKED_UP: Duration = Duration::from_secs(120);

/// Three containers one after another, each on an image that is on the node.
pub(crate) const RESTORED: Duration = Duration::from_secs(180);

/// Replicas follow within seconds.
pub(crate) const FOLLOWED: Duration = Duration::from_secs(30);

/// Figures of the stock without which version they are of, and since when.
pub(crate) fn undated(mut figures: Value) -> Value {
    if let Some(fields) = figures.as_object_mut() {
        fields.retain(|name, _| !["catalog_version", "last_updated"].contains(&name.as_str()));
    }
    figures
}

/// Prevents: a backup that cannot be restored; and a status that tells another story than what happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_stock_comes_back_from_a_backup() {
    with_operator("backup", |sandbox| async move {
        let spec = json!({"autoscaling": {"enabled": false}, "replicas": 2, "api": {"rateLimits": {"enabled": false}}});
        sandbox.apply(spec).await;
        sandbox.wait_until_ready().await;
        let before = sandbox.call_api("GET", "/stats", None).await.expect("figures");

        let name = backup_now(&sandbox).await;
        println!("backup {name}");
        let claim = sandbox
            .api::<PersistentVolumeClaim>()
            .get(&format!("{NAME}-backup"))
            .await
            .expect("the claim");
        assert!(claim.owner_references().is_empty(), "it outlives the resource");

        delete_every_key(&sandbox).await;
        let restore = json!({"spec": {"restore": {"id": "depois", "from": name}}});
        sandbox
            .resources()
            .patch(NAME, &PatchParams::default(), &Patch::Merge(restore))
            .await
            .expect("the restore is declared");
        let restored = eventually("the restore has ended", RESTORED, || async {
            let found = sandbox.resources().get(NAME).await.ok()?;
            let restore = found.data["status"]["restore"].clone();
            let is_ended = ["Succeeded", "Failed"].contains(&restore["phase"].as_str()?);
            (restore["id"] == "depois" && is_ended).then_some(found)
        })
        .await;
        let restore = &restored.data["status"]["restore"];
        assert_eq!(restore["phase"], "Succeeded", "{restore}");
        assert_eq!(restore["from"], json!(name));
        let after = eventually("the API serves what was restored", FOLLOWED, || async {
            let figures = sandbox.call_api("GET", "/stats", None).await.ok()?;
            (figures["catalog_version"] != before["catalog_version"]).then_some(figures)
        })
        .await;
        assert_eq!(undated(after), undated(before));
        let done = eventually("the conditions say so", FOLLOWED, || async {
            let found = sandbox.resources().get(NAME).await.ok()?;
            let reason = |kind: &str| condition(&found, kind).map(|one| one["reason"].clone());
            let is_over = reason("Restoring").is_none() && reason("Reconciling").is_none();
            (is_over && reason("Restored") == Some(json!("RestoreSucceeded"))).then_some(found)
        })
        .await;
        assert_eq!(condition(&done, "Ready").expect("Ready")["status"], "True");
        let cron_job = sandbox.api::<CronJob>().get(&format!("{NAME}-backup")).await;
        let spec = cron_job.expect("the CronJob").spec.expect("a spec");
        assert_eq!(spec.suspend, Some(false), "backups go on");
        assert_ne!(backup_by_kubectl(&sandbox, &name).await, name);
    })
    .await;
}

/// Makes a backup as the documents say for whoever has no plugin, and waits until another than `before` counts.
async fn backup_by_kubectl(sandbox: &Sandbox, before: &str) -> String {
    let kubectl = env::var("FACILIAUTO_TEST_KUBECTL").unwrap_or_else(|_| "kubectl".to_owned());
    let (from, job) = (
        format!("--from=cronjob/{NAME}-backup"),
        format!("{NAME}-backup-now"),
    );
    let done = Command::new(kubectl)
        .args(["--namespace", &sandbox.namespace, "create", "job", &from, &job])
        .output()
        .expect("kubectl runs");
    assert!(done.status.success(), "{done:?}");
    eventually("the backup of kubectl's Job counts", BACKED_UP, || async {
        let found = sandbox.resources().get(NAME).await.ok()?;
        let ready = condition(&found, "BackupReady")?;
        let last = found.data["status"]["backup"]["lastBackup"].as_str()?;
        (ready["reason"] == "Succeeded" && last != before).then(|| last.to_owned())
    })
    .await
}

/// Makes a backup as `kubectl faciliauto backup` does, and waits until the status tells of it.
pub(crate) async fn backup_now(sandbox: &Sandbox) -> String {
    faciliauto_operator::cli::backup::make(&sandbox.client, &sandbox.namespace, NAME)
        .await
        .expect("the Job");
    let status = eventually("the backup counts", BACKED_UP, || async {
        let found = sandbox.resources().get(NAME).await.ok()?;
        let ready = condition(&found, "BackupReady")?;
        let backup = found.data["status"]["backup"].clone();
        (ready["status"] == "True" && !backup["lastBackup"].is_null()).then_some(backup)
    })
    .await;
    for field in ["lastSuccessTime", "lastVerifiedTime", "nextScheduleTime", "size"] {
        assert!(!status[field].is_null(), "{field}: {status}");
    }
    assert_eq!(status["lastFailure"], Value::Null);
    status["lastBackup"].as_str().expect("a name").to_owned()
}

/// Takes everything out of Redis, as a person by mistake does.
async fn delete_every_key(sandbox: &Sandbox) {
    let login = sandbox
        .api::<Secret>()
        .get(&format!("{NAME}-redis-login"))
        .await
        .expect("the Secret with the passwords");
    let password = login.data.expect("data")["password-1"].0.clone();
    let password = String::from_utf8(password).expect("text");
    let script = "$REDIS --scan | xargs -n 100 $REDIS unlink && test -z \"$($REDIS --scan)\"";
    assert!(
        redis_client::run(sandbox, &password, script).await,
        "every key is deleted"
    );
}
