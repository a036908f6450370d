//! What build is told beside the declaration, drawn from what is live. Pure.

use faciliauto_api::{FaciliAutoDeployment, RedisMode, Seed};
use kube::ResourceExt;

use super::{
    Progress,
    observe::Observed,
    restores,
    validate::{BackupPlace, Validated},
};
use crate::resources::{BackupInputs, Kind};

/// What is under way with backups, as it decides what is built.
pub(super) fn backup_inputs(
    resource: &FaciliAutoDeployment,
    validated: &Validated,
    observed: &Observed,
    progress: &mut Progress,
) -> BackupInputs {
    let plan = restores::plan(resource, validated, observed);
    let restore_is_due = plan == restores::Plan::Run;
    if let restores::Plan::Wait { message } = plan {
        progress.restore_waits = Some(message);
    }
    let backup = validated.backup.as_ref();
    progress.backup_missing = backup.and_then(|backup| backup.missing.clone());
    BackupInputs {
        is_held: restore_is_due || restores::is_running(observed),
        restore_is_due,
    }
}

/// The volume of backups, where it is there and no longer wanted: it is listed, and left as it is.
pub(super) fn retained(validated: &Validated, observed: &Observed) -> Option<(Kind, String)> {
    let is_wanted = validated
        .backup
        .as_ref()
        .is_some_and(|backup| matches!(backup.place, BackupPlace::Volume { .. }));
    let claim = observed.backup_claim.as_ref().filter(|_| !is_wanted)?;
    Some((Kind::PersistentVolumeClaim, claim.name_any()))
}

/// The import is due once, and only when there is a Redis to take it: a Job that starts before fails
/// and backs off for longer than Redis takes. Where a restore is to bring the stock, none is imported.
pub(super) fn seed_is_due(resource: &FaciliAutoDeployment, observed: &Observed) -> bool {
    let redis = resource.spec.redis.mode == RedisMode::External || observed.redis_is_ready();
    redis
        && resource.spec.restore.id.is_empty()
        && resource.spec.stock.seed != Seed::None
        && !is_seeded(resource)
        && !observed.seeded()
}

pub(super) fn is_seeded(resource: &FaciliAutoDeployment) -> bool {
    resource
        .status
        .as_ref()
        .and_then(|status| status.stock.as_ref())
        .is_some_and(|stock| stock.seeded)
}
