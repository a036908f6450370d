//! Backups and restores as the operator keeps them: the volume that outlives everything, the CronJob, what
//! Jobs say, and when a restore begins.

use faciliauto_operator::{
    cli::{backup, restore},
    resources::Kind,
};
use serde_json::{Value, json};

use crate::{
    fake_api::FakeApi,
    harness::{
        Harness, NAME, NAMESPACE, UID, path, resource_path, run_controllers, run_controllers_but, writes,
    },
};

const BACKUP: &str = "producao-backup";

fn cron_job(harness: &Harness) -> Value {
    harness.child(Kind::CronJob, BACKUP).expect("the CronJob")
}

fn claim(harness: &Harness) -> Value {
    harness
        .child(Kind::PersistentVolumeClaim, BACKUP)
        .expect("the claim")
}

/// How a child is listed in the status.
fn listed(harness: &Harness, kind: &str) -> Vec<(Value, Value)> {
    let children = harness.status()["children"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    children
        .into_iter()
        .filter(|child| child["kind"] == kind)
        .map(|child| (child["ready"].clone(), child["reason"].clone()))
        .collect()
}

/// All controllers but those of Jobs, which the tests play themselves.
fn without_jobs(api: &FakeApi) {
    run_controllers_but(api, &["Job"]);
}

/// A Job with a pod that says something, as a cluster would have made them from the CronJob.
fn backup_job(harness: &Harness, name: &str, condition: &str, at: &str, (code, report): (i32, Value)) {
    let cron_job = cron_job(harness);
    let labels = cron_job["spec"]["jobTemplate"]["metadata"]["labels"].clone();
    let uid = format!("uid of {name}");
    // Nobody gives UIDs in the API server of these tests.
    harness.api.edit(&path(Kind::CronJob, BACKUP), |object| {
        object["metadata"]["uid"] = json!("cron-job");
    });
    harness.api.put(
        &path(Kind::Job, name),
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": uid, "labels": labels, "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "CronJob", "name": BACKUP, "uid": "cron-job", "controller": true},
            ]},
            "spec": cron_job["spec"]["jobTemplate"]["spec"],
            "status": {
                "completionTime": (condition == "Complete").then_some(at),
                "conditions": [{"type": condition, "status": "True", "lastTransitionTime": at}],
            },
        }),
    );
    said(harness, name, &uid, "backup", at, (code, report));
}

/// The pod of a Job, whose container ended and said something.
fn said(harness: &Harness, job: &str, uid: &str, component: &str, at: &str, (code, report): (i32, Value)) {
    let name = format!("{job}-1");
    harness.api.put(
        &path(Kind::Pod, &name),
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "uid": format!("uid of {name}"), "labels": {
                    "app.kubernetes.io/managed-by": "faciliauto-operator",
                    "app.kubernetes.io/instance": NAME, "app.kubernetes.io/component": component,
                },
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid, "controller": true}],
            },
            "status": {"phase": "Succeeded", "containerStatuses": [{
                "name": "load", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": code, "finishedAt": at, "message": report.to_string()}},
            }]},
        }),
    );
}

fn restore_jobs(harness: &Harness) -> Vec<String> {
    let jobs = harness.names(Kind::Job).into_iter();
    jobs.filter(|name| name.contains("-restore-")).collect()
}

/// Ends a restore's Job, whose program said this.
fn end_restore(harness: &Harness, name: &str, condition: &str, report: (i32, Value)) {
    let at = "2026-02-01T09:01:00Z";
    harness.api.edit(&path(Kind::Job, name), |job| {
        job["metadata"]["uid"] = json!(format!("uid of {name}"));
        job["status"] = json!({
            "startTime": "2026-02-01T09:00:00Z",
            "completionTime": (condition == "Complete").then_some(at),
            "conditions": [{"type": condition, "status": "True", "lastTransitionTime": at}],
        });
    });
    said(harness, name, &format!("uid of {name}"), "restore", at, report);
}

fn restored(id: &str) -> (i32, Value) {
    (
        0,
        json!({"restore": id, "phase": "Succeeded", "from": "B1", "safety": "S1", "cars": 7, "events": 9}),
    )
}

/// Prevents: backups that go with the resource, or with an edit; and a volume that is made again beside
/// the one that holds them.
#[tokio::test]
async fn volume_outlives_everything_and_is_adopted() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    assert_eq!(claim(&harness)["metadata"]["ownerReferences"], Value::Null);
    assert_eq!(
        listed(&harness, "PersistentVolumeClaim"),
        [(json!(true), Value::Null)]
    );

    harness.change_spec(|spec| spec["backup"] = json!({"enabled": false}));
    harness.settle().await;
    assert_eq!(harness.child(Kind::CronJob, BACKUP), None);
    assert_eq!(claim(&harness)["spec"]["resources"]["requests"]["storage"], "2Gi");
    assert_eq!(
        listed(&harness, "PersistentVolumeClaim"),
        [(json!(false), json!("Retained"))]
    );
    assert_eq!(harness.condition("BackupReady")["reason"], "Disabled");
    assert_eq!(harness.condition("Ready")["status"], "True");

    harness.change_spec(|spec| {
        spec["backup"] = json!({});
        spec["deletionPolicy"] = json!("Delete");
    });
    harness.settle().await;
    assert_eq!(claim(&harness)["metadata"]["ownerReferences"][0]["uid"], UID);
    harness.change_spec(|spec| spec["deletionPolicy"] = json!("Retain"));
    harness.settle().await;
    assert_eq!(claim(&harness)["metadata"]["ownerReferences"], Value::Null);

    // Another resource of the same name finds a larger volume of another class.
    let mut claim = claim(&harness);
    claim["spec"]["resources"]["requests"]["storage"] = json!("9Gi");
    claim["spec"]["storageClassName"] = json!("slow");
    let mut harness = Harness::new(json!({"backup": {"storage": {"storageClassName": "fast"}}}));
    harness
        .api
        .put(&path(Kind::PersistentVolumeClaim, BACKUP), claim.clone());
    harness.settle().await;
    let adopted = self::claim(&harness);
    assert_eq!(adopted["spec"], claim["spec"]);
    assert_eq!(harness.condition("NameConflict"), Value::Null);
    harness.restart();
    harness.api.take_calls();
    harness.look().await.expect("a look");
    assert_eq!(writes(&harness.api.take_calls()), Vec::<String>::new(), "at rest");

    let mut harness = Harness::new(json!({}));
    claim["metadata"]["labels"] = json!({"app.kubernetes.io/instance": NAME});
    harness
        .api
        .put(&path(Kind::PersistentVolumeClaim, BACKUP), claim.clone());
    for _ in 0..3 {
        let _ = harness.look().await;
        run_controllers(&harness.api);
    }
    assert_eq!(self::claim(&harness)["spec"], claim["spec"], "somebody else's");
    assert_eq!(harness.condition("NameConflict")["status"], "True");
}

/// Prevents: a backup that is believed in although none was made or proven, and a failure that nobody hears of.
#[tokio::test]
async fn status_and_condition_tell_what_jobs_said() {
    let mut harness = Harness::new(json!({"backup": {"timeZone": "UTC"}}));
    harness.settle().await;
    assert_eq!(harness.condition("BackupReady")["reason"], "NeverRan");
    let next = harness.status()["backup"]["nextScheduleTime"].clone();
    assert!(next.as_str().expect("a time").ends_with("T02:00:00Z"), "{next}");

    let now = k8s_openapi::jiff::Timestamp::now();
    let at = |seconds: i64| {
        let second = now.as_second() - seconds;
        let time = k8s_openapi::jiff::Timestamp::from_second(second).expect("a time");
        time.to_string()
    };
    let report = |at: &str, verified: Option<&str>| json!({"backup": "B1", "kind": "scheduled", "finished_at": at, "verified_at": verified, "bytes": 77});
    let first = at(3000);
    backup_job(
        &harness,
        "run-1",
        "Complete",
        &first,
        (0, report(&first, Some(&first))),
    );
    harness.settle().await;
    let ready = harness.condition("BackupReady");
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("True"), &json!("Succeeded"))
    );
    let status = harness.status()["backup"].clone();
    assert_eq!(
        (
            &status["lastSuccessTime"],
            &status["lastVerifiedTime"],
            &status["lastBackup"],
            &status["size"]
        ),
        (&json!(first), &json!(first), &json!("B1"), &json!(77))
    );

    let second = at(2000);
    let failure = json!({"error": "The volume is full: give it more room.", "code": "full-target"});
    backup_job(&harness, "run-2", "Failed", &second, (1, failure));
    harness.settle().await;
    let ready = harness.condition("BackupReady");
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("False"), &json!("TargetFull"))
    );
    let message = ready["message"].as_str().expect("a message");
    assert!(
        message.contains("give it more room") && message.contains("kubectl faciliauto backup producao"),
        "{message}"
    );
    let last = format!("The last backup is B1, made {first} and proven {first}.");
    assert!(message.contains(&last), "{message}");
    let told = harness
        .told()
        .into_iter()
        .filter(|reason| reason == "BackupFailed")
        .count();
    assert_eq!(told, 1, "once");
    assert_eq!(harness.condition("Ready")["status"], "True", "it gates nothing");

    let third = at(1000);
    backup_job(&harness, "run-3", "Complete", &third, (0, report(&third, None)));
    harness.settle().await;
    let ready = harness.condition("BackupReady");
    assert_eq!(ready["reason"], "NotVerified");
    let message = ready["message"].as_str().expect("a message");
    let last = format!("The last backup is B1, made {third}; one was last proven {first}.");
    assert!(message.starts_with(&last), "{message}");
    harness.change_spec(|spec| spec["backup"] = json!({"timeZone": "UTC", "suspend": true}));
    harness.settle().await;
    assert_eq!(harness.condition("BackupReady")["reason"], "Suspended");
    assert_eq!(cron_job(&harness)["spec"]["suspend"], true);
}

/// Prevents: a backup that is missed in silence.
#[tokio::test]
async fn missed_backup_is_told() {
    let mut harness = Harness::new(json!({"backup": {"timeZone": "UTC"}}));
    harness.settle().await;
    harness.api.edit(&path(Kind::CronJob, BACKUP), |object| {
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    harness.settle().await;
    assert_eq!(harness.condition("BackupReady")["reason"], "Missed");
    assert!(harness.told().contains(&"BackupMissed".to_owned()));
}

/// Prevents: a mistyped time zone that is found out at two in the morning, and a Secret that is missed then.
#[tokio::test]
async fn what_cannot_work_is_told_at_once() {
    let mut harness = Harness::new(json!({"backup": {"timeZone": "America/Sao_Paolo"}}));
    let error = harness.look().await.expect_err("there is none");
    assert!(
        error
            .to_string()
            .contains("backup.timeZone: \"America/Sao_Paolo\" is no time zone"),
        "{error}"
    );
    assert_eq!(harness.condition("Stalled")["reason"], "Invalid");

    let store = json!({"objectStore": {"url": "s3://b/p", "credentialsSecret": "chaves"}});
    let mut harness = Harness::new(json!({"backup": store}));
    harness.settle().await;
    let ready = harness.condition("BackupReady");
    assert_eq!(ready["reason"], "ReferenceMissing");
    assert!(
        ready["message"]
            .as_str()
            .expect("a message")
            .contains("The Secret chaves that backup.objectStore.credentialsSecret names does not exist"),
        "{ready}"
    );
    assert_eq!(harness.child(Kind::PersistentVolumeClaim, BACKUP), None);
    assert_eq!(
        harness.condition("Ready")["status"],
        "True",
        "everything else is up"
    );
    let keys = json!({"AWS_ACCESS_KEY_ID": "YQ==", "AWS_SECRET_ACCESS_KEY": "Yg=="});
    harness.api.put(
        &path(Kind::Secret, "chaves"),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chaves", "namespace": NAMESPACE}, "data": keys}),
    );
    harness.settle().await;
    assert_eq!(harness.condition("BackupReady")["reason"], "NeverRan");
}

/// Prevents: a restore that runs twice or never, a backup that meets it, a stock that is imported beside it,
/// and one that is cancelled half-way.
#[tokio::test]
async fn each_id_runs_one_restore_once() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    harness.change_spec(|spec| spec["restore"] = json!({"id": "um"}));
    harness.settle_with(without_jobs).await;
    let [first] = restore_jobs(&harness).try_into().expect("one Job");
    assert_eq!(cron_job(&harness)["spec"]["suspend"], true);
    assert_eq!(harness.status()["restore"]["phase"], "Pending");
    assert_eq!(harness.condition("Restoring")["status"], "True");
    assert_eq!(harness.condition("Reconciling")["reason"], "Restoring");

    // A later one waits, and what is taken away goes on.
    harness.change_spec(|spec| spec["restore"] = json!({"id": "dois", "from": "B0"}));
    harness.settle_with(without_jobs).await;
    assert_eq!(restore_jobs(&harness), std::slice::from_ref(&first));
    assert_eq!(harness.status()["restore"]["id"], "um");
    harness.change_spec(|spec| {
        spec.as_object_mut().expect("a spec").remove("restore");
    });
    harness.settle_with(without_jobs).await;
    assert_eq!(harness.status()["restore"]["id"], "um");
    assert_eq!(cron_job(&harness)["spec"]["suspend"], true);

    end_restore(&harness, &first, "Complete", restored("um"));
    harness.change_spec(|spec| spec["restore"] = json!({"id": "um"}));
    harness.settle_with(without_jobs).await;
    let status = harness.status()["restore"].clone();
    assert_eq!(
        (&status["phase"], &status["from"]),
        (&json!("Succeeded"), &json!("B1"))
    );
    assert_eq!(harness.condition("Restored")["reason"], "RestoreSucceeded");
    assert_eq!(harness.condition("Restoring"), Value::Null);
    assert_eq!(cron_job(&harness)["spec"]["suspend"], false);
    for reason in ["RestoreBegun", "RestoreSucceeded"] {
        let told = harness.told().into_iter().filter(|told| told == reason).count();
        assert_eq!(told, 1, "{reason}");
    }

    // Its Job is cleared away: it is not made again.
    harness.api.remove(&path(Kind::Job, &first));
    harness.restart();
    harness.settle_with(without_jobs).await;
    assert_eq!(restore_jobs(&harness), Vec::<String>::new());
    assert_eq!(harness.status()["restore"], status);

    // The status is lost: the Job is made again, and says that it was done.
    harness
        .api
        .edit(&resource_path(), |resource| resource["status"] = json!({}));
    harness.restart();
    harness.settle_with(without_jobs).await;
    assert_eq!(restore_jobs(&harness), std::slice::from_ref(&first));
    end_restore(&harness, &first, "Complete", restored("um"));
    harness.settle_with(without_jobs).await;
    assert_eq!(harness.status()["restore"]["phase"], "Succeeded");
}

/// Prevents: a failed restore that is tried for ever, that reads as current, or that nobody is told of.
#[tokio::test]
async fn failed_restore_waits_for_a_person() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    harness.change_spec(|spec| spec["restore"] = json!({"id": "um"}));
    harness.settle_with(without_jobs).await;
    let [job] = restore_jobs(&harness).try_into().expect("one Job");
    let report = json!({"error": "The backup B1 is damaged: take another.", "code": "damaged"});
    end_restore(&harness, &job, "Failed", (3, report));
    harness.settle_with(without_jobs).await;
    assert_eq!(harness.status()["restore"]["phase"], "Failed");
    let outcome = harness.condition("Restored");
    assert_eq!(
        (&outcome["status"], &outcome["reason"]),
        (&json!("False"), &json!("BackupDamaged"))
    );
    assert_eq!(harness.condition("Stalled")["reason"], "RestoreFailed");
    assert!(harness.told().contains(&"RestoreFailed".to_owned()));
    harness.api.remove(&path(Kind::Job, &job));
    harness.settle_with(without_jobs).await;
    assert_eq!(restore_jobs(&harness), Vec::<String>::new());
    assert_eq!(harness.condition("Restored")["reason"], "BackupDamaged", "still");

    harness.change_spec(|spec| spec["restore"] = json!({"id": "dois", "from": "B0"}));
    harness.settle_with(without_jobs).await;
    assert_eq!(restore_jobs(&harness).len(), 1, "another id, another restore");
    assert_eq!(harness.condition("Stalled"), Value::Null);
}

/// Prevents: a sample stock beside what a restore brings; and an import after it.
#[tokio::test]
async fn into_nothing_no_stock_is_imported() {
    let mut harness = Harness::new(json!({"restore": {"id": "um", "source": {"claimName": "outro-backup"}}}));
    harness.settle_with(without_jobs).await;
    let [job] = restore_jobs(&harness).try_into().expect("one Job");
    assert_eq!(harness.names(Kind::Job), std::slice::from_ref(&job), "no import");
    assert_eq!(harness.condition("StockSeeded")["reason"], "WaitingForRestore");
    end_restore(&harness, &job, "Complete", restored("um"));
    harness.settle_with(without_jobs).await;
    assert_eq!(harness.status()["stock"]["seeded"], true);
    harness.change_spec(|spec| {
        spec.as_object_mut().expect("a spec").remove("restore");
    });
    harness.settle_with(without_jobs).await;
    assert_eq!(harness.names(Kind::Job), [job], "nor afterwards");
}

/// Prevents: a restore that begins while a person has said that nothing is to be touched.
#[tokio::test]
async fn paused_resource_begins_no_restore() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    harness.change_spec(|spec| {
        spec["paused"] = json!(true);
        spec["restore"] = json!({"id": "um"});
    });
    harness.settle_with(without_jobs).await;
    assert_eq!(restore_jobs(&harness), Vec::<String>::new());
    let status = harness.status()["restore"].clone();
    assert_eq!(
        (&status["phase"], &status["message"]),
        (&json!("Pending"), &json!("It waits until spec.paused is false."))
    );
    harness.change_spec(|spec| spec["paused"] = json!(false));
    harness.settle_with(without_jobs).await;
    assert_eq!(restore_jobs(&harness).len(), 1);
}

/// Prevents: another server over the only copy of the data; and one that never comes, for want of a backup
/// that nobody wants.
#[tokio::test]
async fn another_redis_image_waits_for_a_backup() {
    let image = |harness: &Harness| {
        let set = harness.child(Kind::StatefulSet, "producao-redis").expect("Redis");
        set["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let before = |harness: &Harness| -> Vec<String> {
        let jobs = harness.names(Kind::Job).into_iter();
        jobs.filter(|name| name.contains("-backup-before-")).collect()
    };
    let valkey = "docker.io/valkey/valkey:8.1";
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    let old = image(&harness);
    harness.change_spec(|spec| spec["redis"] = json!({"managed": {"image": valkey}}));
    harness.settle_with(without_jobs).await;
    assert_eq!(image(&harness), old);
    let [job] = before(&harness).try_into().expect("one Job");
    let arguments =
        &harness.child(Kind::Job, &job).expect("it")["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(*arguments, json!(["backup", "run", "--kind", "before-upgrade"]));
    let waits = harness.condition("Reconciling");
    assert_eq!(waits["reason"], "WaitingForBackup");
    assert!(
        waits["message"].as_str().expect("a message").contains(&job),
        "{waits}"
    );

    let failed = json!({"conditions": [{"type": "Failed", "status": "True",
        "lastTransitionTime": "2026-02-01T09:01:00Z"}]});
    harness
        .api
        .edit(&path(Kind::Job, &job), |object| object["status"] = failed);
    harness.settle_with(without_jobs).await;
    assert_eq!(image(&harness), old, "no backup, no other image");
    let waits = harness.condition("Reconciling")["message"].clone();
    assert!(
        waits
            .as_str()
            .expect("a message")
            .contains("backup.suspend: true"),
        "{waits}"
    );

    harness.api.remove(&path(Kind::Job, &job));
    harness.settle_with(without_jobs).await;
    assert_eq!(before(&harness), [job], "it is tried again");
    run_controllers(&harness.api);
    harness.settle_with(without_jobs).await;
    assert_eq!(image(&harness), valkey);
    assert_eq!(harness.condition("Reconciling"), Value::Null);

    harness.change_spec(|spec| {
        spec["redis"] = json!({});
        spec["backup"] = json!({"suspend": true});
    });
    harness.settle_with(without_jobs).await;
    assert_eq!(image(&harness), old, "as a person declared it");
}

/// Prevents: a command that declares a restore which then never runs, or that leaves the source of an earlier
/// one in place; and a backup by hand that nobody knows.
#[tokio::test]
async fn commands_write_what_the_operator_reads() {
    let mut harness = Harness::new(json!({"restore": {"source": {"claimName": "outro-backup"}}}));
    harness.settle().await;
    let client = harness.api.client();
    let job = backup::make(&client, NAMESPACE, NAME).await.expect("a Job");
    let name = job.metadata.name.expect("a name");
    assert!(name.starts_with("producao-backup-manual-"), "{name}");
    let made = harness.child(Kind::Job, &name).expect("the Job");
    let container = &made["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"], json!(["backup", "run", "--kind", "manual"]));
    assert_eq!(made["metadata"]["ownerReferences"][0]["kind"], "CronJob");

    let wish = restore::Wish {
        id: "um".to_owned(),
        from: "latest".to_owned(),
        claim: None,
    };
    restore::declare(&client, NAMESPACE, NAME, &wish)
        .await
        .expect("it is declared");
    let declared = harness.api.get(&resource_path()).expect("the resource")["spec"]["restore"].clone();
    assert_eq!(
        declared,
        json!({"id": "um", "from": "latest"}),
        "the source is gone"
    );

    harness.api.edit(&resource_path(), |resource| {
        resource["spec"]["restore"] = json!({});
        resource["status"]["restore"] = json!({"id": "um", "from": "B1", "phase": "Failed"});
    });
    let refused = restore::declare(&client, NAMESPACE, NAME, &wish).await;
    let refused = refused.expect_err("each id runs once").to_string();
    assert!(
        refused.contains("restore um has ended already (Failed)"),
        "{refused}"
    );
    harness.change_spec(|spec| spec["backup"] = json!({"enabled": false}));
    let refused = restore::declare(&client, NAMESPACE, NAME, &wish).await;
    let refused = refused.expect_err("no place for a safety backup").to_string();
    assert!(
        refused.contains("backup.enabled of producao is false"),
        "{refused}"
    );
    let nothing = backup::make(&client, NAMESPACE, "ensaio").await;
    let nothing = nothing.expect_err("there is none").to_string();
    assert!(
        nothing.contains("there is no CronJob ensaio-backup in the namespace lojas"),
        "{nothing}"
    );
}
