//! What a person would want to find in `kubectl describe`: few, and each once.

use faciliauto_api::{FaciliAutoDeployment, FaciliAutoDeploymentStatus, RestorePhase, RestoreStatus};
use kube_runtime::reflector::ObjectRef;

use super::{Context, Progress};
use crate::{
    events::Notice,
    reconcile::{
        apply::credentials::Generated,
        conditions::{find, is_true},
        passwords::Step,
    },
    resources::Kind,
};

/// What was written.
pub(super) fn of_progress(progress: &Progress) -> Vec<Notice> {
    let outcome = &progress.outcome;
    let mut notices = Vec::new();
    // A Job is told of when it has ended.
    let list = |objects: &[(Kind, String)]| {
        let words: Vec<_> = objects
            .iter()
            .filter(|(kind, _)| *kind != Kind::Job)
            .map(|(kind, name)| format!("{} {name}", kind.word()))
            .collect();
        words.join(", ")
    };
    for (reason, verb, objects) in [
        ("Created", "Created", &outcome.created),
        ("Updated", "Updated", &outcome.updated),
        ("Pruned", "Deleted, no longer wanted:", &outcome.pruned),
    ] {
        let names = list(objects);
        if !names.is_empty() {
            notices.push(Notice::normal(reason, format!("{verb} {names}.")));
        }
    }
    if !outcome.mutated.is_empty() {
        let note = format!(
            "Something in this cluster changes what is applied: {}.",
            list(&outcome.mutated)
        );
        notices.push(Notice::warning("Mutated", note));
    }
    for what in &progress.remade {
        let note = match what {
            Generated::RedisPassword => {
                "The Secret with the Redis password was gone. A new password was made and takes the place of the old one; no request is refused meanwhile."
            }
            Generated::AdminToken => {
                "The Secret with the administrator's token was gone. A new token was made; the API follows within a minute or two."
            }
        };
        notices.push(Notice::warning("SecretLost", note));
    }
    if progress.login_remade {
        let note = "The Secret with the Redis passwords in use was gone or spoiled, and was made anew; Redis is restarted, for nobody can tell it of its users any more.";
        notices.push(Notice::warning("SecretLost", note));
    }
    for step in &progress.password_steps {
        let (reason, note) = match step {
            Step::Begun => (
                "PasswordChanging",
                "Another Redis password takes the place of the old one; both are valid until every API pod uses the new one.",
            ),
            Step::Dropped => ("PasswordChanged", "The old Redis password is no longer valid."),
            Step::Told | Step::Handed => continue,
        };
        notices.push(Notice::normal(reason, note));
    }
    notices
}

/// What changed in the status.
pub(super) fn of_status(
    before: &FaciliAutoDeploymentStatus,
    after: &FaciliAutoDeploymentStatus,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    let message = |kind: &str| {
        find(&after.conditions, kind)
            .map(|condition| condition.message.clone())
            .unwrap_or_default()
    };
    match (
        is_true(&before.conditions, "Ready"),
        is_true(&after.conditions, "Ready"),
    ) {
        // A version was served before, so it is not the first time.
        (false, true) if before.version.is_some() => {
            notices.push(Notice::normal("Recovered", message("Ready")))
        }
        (false, true) => notices.push(Notice::normal("Ready", message("Ready"))),
        (true, false) => notices.push(Notice::warning("Degraded", message("Ready"))),
        _ => {}
    }
    let seeded =
        |status: &FaciliAutoDeploymentStatus| status.stock.as_ref().is_some_and(|stock| stock.seeded);
    if seeded(after) && !seeded(before) {
        notices.push(Notice::normal("StockImported", message("StockSeeded")));
    }
    let failed = |status| find_reason(status, "StockSeeded") == Some("ImportFailed");
    if failed(after) && !failed(before) {
        notices.push(Notice::warning("ImportFailed", message("StockSeeded")));
    }
    notices.extend(of_backups(before, after));
    notices.extend(of_restore(before, after));
    let refused = |status| find_reason(status, "Reconciling") == Some("PasswordChangeFailed");
    if refused(after) && !refused(before) {
        notices.push(Notice::warning("PasswordChangeFailed", message("Reconciling")));
    }
    match (
        is_true(&before.conditions, "Paused"),
        is_true(&after.conditions, "Paused"),
    ) {
        (false, true) => notices.push(Notice::normal("Paused", message("Paused"))),
        (true, false) => notices.push(Notice::normal(
            "Resumed",
            "spec.paused is no longer true: what is declared is kept again.",
        )),
        _ => {}
    }
    let stalled = find_reason(after, "Stalled");
    // That it is paused or a restore failed has been told.
    if stalled.is_some_and(|reason| !["Paused", "RestoreFailed"].contains(&reason))
        && stalled != find_reason(before, "Stalled")
    {
        let reason = match stalled {
            Some("Invalid" | "Rejected") => "Rejected",
            Some("NameConflict") => "NameConflict",
            Some("VolumeCannotGrow") => "VolumeCannotGrow",
            Some("RolledBack") => "RolledBack",
            _ => "RolloutFailed",
        };
        notices.push(Notice::warning(reason, message("Stalled")));
    }
    if is_true(&after.conditions, "UpgradeHeld") && !is_true(&before.conditions, "UpgradeHeld") {
        notices.push(Notice::warning("UpgradeHeld", message("UpgradeHeld")));
    }
    notices
}

/// A backup that failed or was missed, each once.
fn of_backups(before: &FaciliAutoDeploymentStatus, after: &FaciliAutoDeploymentStatus) -> Vec<Notice> {
    let mut notices = Vec::new();
    let failure = |status: &FaciliAutoDeploymentStatus| {
        let backup = status.backup.as_ref();
        backup.and_then(|backup| backup.last_failure.clone())
    };
    if let Some(failed) = failure(after)
        && failure(before).is_none_or(|known| known.time != failed.time)
    {
        let note = format!("A backup failed: {}", failed.message);
        notices.push(Notice::warning("BackupFailed", note));
    }
    let missed = |status| find_reason(status, "BackupReady") == Some("Missed");
    if missed(after) && !missed(before) {
        let message = find(&after.conditions, "BackupReady");
        let message = message.map(|condition| condition.message.clone());
        notices.push(Notice::warning("BackupMissed", message.unwrap_or_default()));
    }
    notices
}

/// A restore that began or ended.
fn of_restore(before: &FaciliAutoDeploymentStatus, after: &FaciliAutoDeploymentStatus) -> Vec<Notice> {
    let Some(now) = &after.restore else {
        return Vec::new();
    };
    let known = before.restore.as_ref().filter(|restore| restore.id == now.id);
    let mut notices = Vec::new();
    let has_begun = |restore: &RestoreStatus| restore.started_at.is_some();
    if has_begun(now) && !known.is_some_and(has_begun) {
        let note = format!(
            "Restore {} from {} has begun: reads go on, writes are refused once the backup is checked.",
            now.id, now.from
        );
        notices.push(Notice::normal("RestoreBegun", note));
    }
    if known.map(|restore| restore.phase) != Some(now.phase) {
        let note = format!("Restore {}: {}", now.id, now.message);
        match now.phase {
            RestorePhase::Succeeded => notices.push(Notice::normal("RestoreSucceeded", note)),
            RestorePhase::Reverted => notices.push(Notice::normal("RestoreReverted", note)),
            RestorePhase::Failed => notices.push(Notice::warning("RestoreFailed", note)),
            RestorePhase::Pending
            | RestorePhase::Verifying
            | RestorePhase::Snapshotting
            | RestorePhase::Loading => {}
        }
    }
    notices
}

fn find_reason<'a>(status: &'a FaciliAutoDeploymentStatus, kind: &str) -> Option<&'a str> {
    find(&status.conditions, kind).map(|condition| condition.reason.as_str())
}

/// `kubectl scale` sets a number that autoscaling ignores; silence would look like a failure.
pub(super) fn of_ignored_scale(
    context: &Context,
    resource: &FaciliAutoDeployment,
    reference: &ObjectRef<FaciliAutoDeployment>,
    uid: &str,
) -> Option<Notice> {
    let now = resource.spec.replicas.0;
    let before = context
        .memory
        .with(reference, uid, |remembered| remembered.replicas.replace(now));
    if !resource.spec.autoscaling.enabled || before.is_none_or(|before| before == now) {
        return None;
    }
    let note = format!(
        "spec.replicas is {now} now, and has no effect while autoscaling is on: change autoscaling.minReplicas and autoscaling.maxReplicas instead."
    );
    Some(Notice::warning("ScaleIgnored", note))
}
