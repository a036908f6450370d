//! Conditions about backups and restores.

use faciliauto_api::{
    BackupStatus, FaciliAutoDeployment, FaciliAutoDeploymentStatus, RestorePhase, RestoreStatus,
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::{Draft, FALSE, Look, TRUE, UNKNOWN};
use crate::{
    names,
    reconcile::{
        backups::{self, deadlines},
        job_ends::{Standing, pods, standing},
        observe::Observed,
        restores,
        trouble::pod_trouble,
    },
};

/// What the program gives for a reason of a failure, and the reason in a condition.
const REASONS: [(&str, &str); 15] = [
    ("locked", "TargetLocked"),
    ("fenced", "RestoreUnderWay"),
    ("not-found", "BackupNotFound"),
    ("damaged", "BackupDamaged"),
    ("foreign", "BackupForeign"),
    ("newer-format", "BackupTooNew"),
    ("wrong-key", "WrongKey"),
    ("full-target", "TargetFull"),
    ("full-store", "StoreFull"),
    ("empty-store", "StoreEmpty"),
    ("store-away", "StoreUnreachable"),
    ("target-away", "TargetUnreachable"),
    ("usage", "SettingsRefused"),
    ("deadline", "TookTooLong"),
    ("unreadable", "ReportUnreadable"),
];

fn reason(code: &str, otherwise: &'static str) -> &'static str {
    let known = REASONS.iter().find(|(known, _)| *known == code);
    known.map_or(otherwise, |(_, reason)| reason)
}

/// Whether there is a backup that can be relied on.
pub(super) fn ready(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    look: &Look,
    previous: &FaciliAutoDeploymentStatus,
    now: Timestamp,
) -> Draft {
    const KIND: &str = "BackupReady";
    let declared = &resource.spec.backup;
    let name = resource.name_any();
    if !declared.enabled {
        let message = "backup.enabled is false: no backup is made.";
        return Draft::new(KIND, FALSE, "Disabled", message);
    }
    let status = backups::status(resource, observed, previous.backup.as_ref(), now).unwrap_or_default();
    let so_far = so_far(&status);
    if let Some(missing) = &look.backup_missing {
        return Draft::new(KIND, FALSE, "ReferenceMissing", format!("{missing} {so_far}"));
    }
    let running = observed
        .jobs_of(names::BACKUP)
        .filter(|job| standing(job) == Standing::Unfinished);
    let waiting = running.flat_map(|job| pods(observed, job));
    if let Some(trouble) = pod_trouble(waiting) {
        let message = format!("A backup cannot run. {} {so_far}", trouble.message);
        return Draft::new(KIND, FALSE, trouble.reason, message);
    }
    if let Some(failure) = &status.last_failure {
        let message = format!(
            "The last backup failed: {} {so_far} Try again with `kubectl faciliauto backup {name} --wait`.",
            failure.message
        );
        return Draft::new(KIND, FALSE, reason(&failure.code, "BackupFailed"), message);
    }
    if declared.suspend {
        let message = format!("backup.suspend is true: none is made by the schedule. {so_far}");
        return Draft::new(KIND, FALSE, "Suspended", message);
    }
    let due = deadlines(resource, &status);
    if due.backup.is_some_and(|due| due < now) {
        let message = format!(
            "No backup was made although one was due. {so_far} Make one with `kubectl faciliauto backup {name} --wait`, and see `kubectl describe cronjob {}`.",
            names::backup(&name)
        );
        return Draft::new(KIND, FALSE, "Missed", message);
    }
    let Some(last) = &status.last_success_time else {
        let message = "There is no backup yet: the first is due by the schedule.";
        return Draft::new(KIND, UNKNOWN, "NeverRan", message);
    };
    let is_proven = status
        .last_verified_time
        .as_ref()
        .is_some_and(|proof| proof.0 >= last.0);
    if !declared.verify {
        let message =
            format!("{so_far} None is proven, for backup.verify is false, and so none is ever removed.");
        return Draft::new(KIND, TRUE, "Unproven", message);
    }
    if !is_proven {
        let message = format!(
            "{so_far} It was not restored aside, so nobody knows that it can be restored. Make another with `kubectl faciliauto backup {name} --wait`."
        );
        return Draft::new(KIND, FALSE, "NotVerified", message);
    }
    Draft::new(
        KIND,
        TRUE,
        "Succeeded",
        format!("{so_far} It was restored aside, and is as it was."),
    )
}

/// The last backup in a sentence, with the last proof.
fn so_far(status: &BackupStatus) -> String {
    let Some(made) = &status.last_success_time else {
        return "There is no backup yet.".to_owned();
    };
    let last = match status.last_backup.as_str() {
        "" => format!("The last backup was made {}", made.0),
        name => format!("The last backup is {name}, made {}", made.0),
    };
    match &status.last_verified_time {
        None => format!("{last}."),
        Some(proof) if proof.0 >= made.0 => format!("{last} and proven {}.", proof.0),
        // Of the one that lies before it.
        Some(proof) => format!("{last}; one was last proven {}.", proof.0),
    }
}

/// The restore as people want to know of it.
pub(super) fn restore_status(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    look: &Look,
    previous: &FaciliAutoDeploymentStatus,
) -> Option<RestoreStatus> {
    restores::status(
        resource,
        observed,
        look.restore_waits.as_deref(),
        previous.restore.as_ref(),
    )
}

/// That a restore is under way; absent otherwise.
pub(super) fn restoring(restore: Option<&RestoreStatus>) -> Option<Draft> {
    let restore = restore.filter(|restore| !restore.phase.is_final())?;
    let message = format!(
        "Restore {} from {}: {}",
        restore.id, restore.from, restore.message
    );
    Some(Draft::new("Restoring", TRUE, restore.phase.word(), message))
}

/// What came of the last restore; absent while there was none.
pub(super) fn restored(
    restore: Option<&RestoreStatus>,
    observed: &Observed,
    previous: &FaciliAutoDeploymentStatus,
) -> Option<Draft> {
    const KIND: &str = "Restored";
    let restore = restore.filter(|restore| restore.phase.is_final())?;
    let message = format!("Restore {}: {}", restore.id, restore.message);
    Some(match restore.phase {
        RestorePhase::Succeeded => Draft::new(KIND, TRUE, "RestoreSucceeded", message),
        RestorePhase::Reverted => Draft::new(KIND, FALSE, "RestoreReverted", message),
        RestorePhase::Pending
        | RestorePhase::Verifying
        | RestorePhase::Snapshotting
        | RestorePhase::Loading
        | RestorePhase::Failed => {
            let known = super::find(&previous.conditions, KIND);
            let of_before = known.filter(|condition| condition.message == message);
            let reason = match restores::failure_code(observed, &restore.id) {
                Some(code) => reason(&code, "RestoreFailed").to_owned(),
                // The Job has been cleared away; what it said stands.
                None => of_before.map_or_else(|| "RestoreFailed".to_owned(), |known| known.reason.clone()),
            };
            Draft::new(KIND, FALSE, reason, message)
        }
    })
}

/// That the restore which is declared failed: only a person can go on from there.
pub(super) fn restore_failed(
    resource: &FaciliAutoDeployment,
    restore: Option<&RestoreStatus>,
) -> Option<Draft> {
    let failed = restore
        .filter(|restore| restore.phase == RestorePhase::Failed && restore.id == resource.spec.restore.id)?;
    let message = format!("Restore {}: {}", failed.id, failed.message);
    Some(Draft::new("Stalled", TRUE, "RestoreFailed", message))
}

/// The command that brings the last backup back, for somebody whose store is empty.
pub(super) fn way_back(resource: &FaciliAutoDeployment) -> Option<String> {
    let status = resource.status.as_ref()?.backup.as_ref()?;
    let last = status.last_success_time.as_ref()?;
    let name = resource.name_any();
    let namespace = resource.namespace().unwrap_or_default();
    Some(format!(
        "Bring back the backup of {} with `kubectl faciliauto restore {name} --namespace {namespace} --from latest`.",
        last.0
    ))
}
