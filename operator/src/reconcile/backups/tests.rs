use serde_json::{Value, json};

use super::*;

fn resource(backup: Value) -> FaciliAutoDeployment {
    serde_json::from_value(json!({
        "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
        "metadata": {"name": "producao", "namespace": "lojas", "uid": "u"},
        "spec": {"backup": backup},
    }))
    .expect("a resource")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// The Job of a backup that ended at this time, and its pod with what it said, if it is still there.
fn ended(name: &str, condition: &str, at: &str, said: Option<(i32, Value)>) -> Observed {
    let job = json!({
        "metadata": {"name": name, "uid": format!("uid of {name}"), "labels": {names::COMPONENT: names::BACKUP}},
        "status": {
            "completionTime": (condition == "Complete").then_some(at),
            "conditions": [{"type": condition, "status": "True", "lastTransitionTime": at,
                "reason": "BackoffLimitExceeded", "message": "it has had its attempts"}],
        },
        "spec": {"template": {"spec": {"containers": [
            {"name": "backup", "args": ["backup", "run", "--kind", "scheduled"]},
        ]}}},
    });
    let pods = said.map(|(code, report)| {
        json!({
            "metadata": {"name": format!("{name}-1"), "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": format!("uid of {name}")},
            ]},
            "status": {"containerStatuses": [{
                "name": "backup", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": code, "finishedAt": at, "message": report.to_string()}},
            }]},
        })
    });
    Observed {
        jobs: vec![serde_json::from_value(job).expect("a Job")],
        pods: pods
            .into_iter()
            .map(|pod| serde_json::from_value(pod).expect("a pod"))
            .collect(),
        ..Observed::default()
    }
}

fn success(name: &str, at: &str, verified_at: Option<&str>) -> Observed {
    let report = json!({
        "backup": format!("backup of {name}"), "kind": "scheduled", "started_at": "2026-01-01T00:00:00Z",
        "finished_at": at, "verified_at": verified_at, "cars": 1, "dealerships": 2, "events": 3,
        "bytes": 4096, "encrypted": false, "pruned": [], "pruned_in_all": 0,
    });
    ended(name, "Complete", at, Some((0, report)))
}

const NOW: &str = "2026-02-01T12:00:00Z";

fn after(observed: &Observed, previous: Option<&BackupStatus>) -> BackupStatus {
    status(
        &resource(json!({"timeZone": "UTC"})),
        observed,
        previous,
        time(NOW),
    )
    .expect("a status")
}

/// Prevents: a backup that counts although it failed or was something else, one that is forgotten when its
/// Job is cleared away, and a failure that is told for ever.
#[test]
fn what_jobs_say_is_what_the_status_says() {
    let made = after(
        &success("a", "2026-02-01T02:00:09Z", Some("2026-02-01T02:00:10Z")),
        None,
    );
    let expected = BackupStatus {
        last_success_time: Some(Time(time("2026-02-01T02:00:09Z"))),
        last_verified_time: Some(Time(time("2026-02-01T02:00:10Z"))),
        next_schedule_time: Some(Time(time("2026-02-02T02:00:00Z"))),
        since: None,
        last_backup: "backup of a".to_owned(),
        last_failure: None,
        size: Some(4096),
    };
    assert_eq!(made, expected);
    assert_eq!(after(&Observed::default(), Some(&made)), made, "its Job is gone");
    let older = success("b", "2026-01-31T02:00:09Z", Some("2026-01-31T02:00:10Z"));
    assert_eq!(after(&older, Some(&made)), made, "an older one");

    let report = json!({"error": "The volume is full: give it more room.", "code": "full-target"});
    let failed = ended("c", "Failed", "2026-02-01T03:00:00.5Z", Some((1, report)));
    let failed = after(&failed, Some(&made));
    let failure = BackupFailure {
        time: Time(time("2026-02-01T03:00:00Z")),
        code: "full-target".to_owned(),
        message: "The volume is full: give it more room.".to_owned(),
    };
    assert_eq!(
        failed,
        BackupStatus {
            last_failure: Some(failure),
            ..made.clone()
        }
    );
    let again = success("d", "2026-02-01T04:00:00Z", None);
    let again = after(&again, Some(&failed));
    assert_eq!(again.last_failure, None, "made good");
    assert_eq!(
        again.last_verified_time, made.last_verified_time,
        "and not proven"
    );

    let listed = ended(
        "e",
        "Complete",
        "2026-02-01T05:00:00Z",
        Some((0, json!({"backups": 3}))),
    );
    assert_eq!(after(&listed, Some(&made)), made, "something else was done");
    let proof = json!({"backup": "backup of a", "verified_at": "2026-02-01T05:30:00.25Z", "cars": 1});
    let proven = after(
        &ended("v", "Complete", "2026-02-01T05:30:01Z", Some((0, proof))),
        Some(&made),
    );
    let expected = BackupStatus {
        last_verified_time: Some(Time(time("2026-02-01T05:30:00Z"))),
        ..made.clone()
    };
    assert_eq!(proven, expected, "it was proven again, not made");
    let silent = ended("f", "Complete", "2026-02-01T05:00:00Z", None);
    let silent = after(&silent, Some(&made));
    assert_eq!(
        silent.last_success_time,
        Some(Time(time("2026-02-01T05:00:00Z"))),
        "its pod is gone, and the Job tells when"
    );
    assert_eq!(
        (silent.last_backup.as_str(), silent.size),
        ("", None),
        "nobody knows which it made"
    );
    let killed = after(&ended("g", "Failed", "2026-02-01T06:00:00Z", None), Some(&made));
    let failure = killed.last_failure.expect("a failure");
    assert_eq!(failure.code, "other");
    assert!(
        failure
            .message
            .contains("Job g failed and left no word: it has had its attempts")
    );
}

/// Prevents: a backup that nobody can find taken for one that counts, a run that leaves no trace at all, and
/// one that loses its name and its proof with its pod.
#[test]
fn report_that_cannot_be_read_counts_as_no_backup() {
    let made = after(
        &success("a", "2026-02-01T02:00:09Z", Some("2026-02-01T02:00:10Z")),
        None,
    );
    let at = "2026-02-01T05:00:00Z";
    let mut cut = ended("b", "Complete", at, Some((0, json!({}))));
    let said = |observed: &mut Observed, text: &str| {
        let status = observed.pods[0].status.as_mut().expect("a status");
        let container = &mut status.container_statuses.as_mut().expect("containers")[0];
        let state = container.state.as_mut().expect("a state");
        state.terminated.as_mut().expect("an end").message = Some(text.to_owned());
    };
    let expected = BackupStatus {
        last_failure: Some(BackupFailure {
            time: Time(time(at)),
            code: "unreadable".to_owned(),
            message: "Job b ended well, but what it says of its backup cannot be read, so none is counted: see `kubectl logs job/b`.".to_owned(),
        }),
        ..made.clone()
    };
    for text in [r#"{"backup":"B","kind":"scheduled","pruned":["20260"#, ""] {
        said(&mut cut, text);
        assert_eq!(after(&cut, Some(&made)), expected, "{text:?}");
    }
    let mut without_pod = cut.clone();
    without_pod.pods.clear();
    let status = without_pod.jobs[0].status.as_mut().expect("a status");
    status.start_time = Some(Time(time("2026-02-01T04:00:00Z")));
    assert_eq!(
        after(&without_pod, Some(&expected)),
        expected,
        "nor without its pod"
    );
    let spec = cut.jobs[0].spec.as_mut().expect("a spec");
    let pod = spec.template.spec.as_mut().expect("a pod");
    pod.containers[0].args = Some(["backup", "list"].map(str::to_owned).to_vec());
    assert_eq!(after(&cut, Some(&made)), made, "a list says nothing");

    let mut without_pod = success("a", "2026-02-01T02:00:11Z", None);
    without_pod.pods.clear();
    let status = without_pod.jobs[0].status.as_mut().expect("a status");
    status.start_time = Some(Time(time("2026-02-01T02:00:00Z")));
    assert_eq!(after(&without_pod, Some(&made)), made, "it was understood before");
}

/// Prevents: an alarm before a run is late, none when it is, and one about proofs that nobody wants.
#[test]
fn deadlines_follow_the_schedule() {
    let known = |success: Option<&str>, since: &str| BackupStatus {
        last_success_time: success.map(|at| Time(time(at))),
        last_verified_time: success.map(|at| Time(time(at))),
        since: Some(Time(time(since))),
        ..BackupStatus::default()
    };
    let daily = resource(json!({"timeZone": "UTC"}));
    let weekly = resource(json!({"timeZone": "UTC", "schedule": "0 2 * * 0", "verify": false}));
    let long_ago = "2025-12-01T00:00:00Z";
    for (resource, status, backup, proof) in [
        (
            &daily,
            known(Some("2026-02-01T02:00:09Z"), long_ago),
            Some("2026-02-02T04:00:00Z"),
            Some("2026-02-02T14:00:00Z"),
        ),
        // None yet: awaited from the beginning on, and no earlier than that.
        (
            &daily,
            known(None, "2026-02-01T10:00:00Z"),
            Some("2026-02-02T04:00:00Z"),
            Some("2026-02-02T14:00:00Z"),
        ),
        (
            &daily,
            known(Some("2025-01-01T00:00:00Z"), "2026-02-01T10:00:00Z"),
            Some("2026-02-02T04:00:00Z"),
            Some("2026-02-02T14:00:00Z"),
        ),
        (
            &weekly,
            known(Some("2026-02-01T02:00:09Z"), long_ago),
            Some("2026-02-08T04:00:00Z"),
            None,
        ),
        (&daily, BackupStatus::default(), None, None),
    ] {
        let expected = Deadlines {
            backup: backup.map(time),
            proof: proof.map(time),
        };
        assert_eq!(deadlines(resource, &status), expected);
    }
    let off = resource(json!({"enabled": false}));
    assert_eq!(deadlines(&off, &known(None, long_ago)), Deadlines::default());
}
