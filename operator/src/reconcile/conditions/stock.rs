//! The condition about the first stock.

use faciliauto_api::{FaciliAutoDeployment, FaciliAutoDeploymentStatus, RestoreStatus, Seed};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use serde::Deserialize;

use super::{Draft, FALSE, Look, TRUE, find};
use crate::{
    names,
    reconcile::{
        observe::{Observed, job_condition},
        status::is_seeded,
        trouble::{Trouble, pod_trouble},
    },
};

/// What an import says about itself, in its termination message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ImportReport {
    created: Option<bool>,
    /// Whether stock was written, into a store that was open before or not.
    imported: Option<bool>,
    cars: Option<u64>,
    dealerships: Option<u64>,
    error: Option<String>,
}

/// Whether the first stock was imported; absent when none is to be.
pub(super) fn seeded(
    resource: &FaciliAutoDeployment,
    observed: &Observed,
    look: &Look,
    restore: Option<&RestoreStatus>,
    previous: &FaciliAutoDeploymentStatus,
) -> Option<Draft> {
    const KIND: &str = "StockSeeded";
    let report = import_report(observed);
    if is_seeded(observed, restore, previous) {
        let before = find(&previous.conditions, KIND).filter(|condition| condition.status == TRUE);
        let message = match (report, before) {
            (_, Some(before)) => before.message.clone(),
            (
                Some(ImportReport {
                    created: Some(true),
                    cars: Some(cars),
                    dealerships: Some(dealerships),
                    ..
                }),
                _,
            ) => {
                format!("{cars} cars of {dealerships} dealerships were imported.")
            }
            (
                Some(ImportReport {
                    created: Some(false),
                    imported: Some(true),
                    cars: Some(cars),
                    dealerships: Some(dealerships),
                    ..
                }),
                _,
            ) => format!(
                "Redis held a stock already; with what was imported it is {cars} cars of {dealerships} dealerships."
            ),
            (
                Some(ImportReport {
                    created: Some(false), ..
                }),
                _,
            ) => "Redis held a stock already; it was kept.".to_owned(),
            _ if observed.seeded() || restore.is_none() => "The stock was imported.".to_owned(),
            _ => "The stock came from a backup.".to_owned(),
        };
        return Some(Draft::new(KIND, TRUE, "Imported", message));
    }
    if resource.spec.stock.seed == Seed::None {
        return None;
    }
    let id = &resource.spec.restore.id;
    if !id.is_empty() {
        let message = format!(
            "No stock is imported: the restore {id} is to bring one. Without restore.id the import begins."
        );
        return Some(Draft::new(KIND, FALSE, "WaitingForRestore", message));
    }
    if let Some(message) = &look.seed_missing {
        return Some(Draft::new(KIND, FALSE, "SeedConfigMapMissing", message));
    }
    let failed = observed
        .jobs_of(names::SEED)
        .find(|job| job_condition(job, "Failed"));
    let running = observed
        .jobs_of(names::SEED)
        .any(|job| !job_condition(job, "Failed"));
    if let (Some(job), false) = (failed, running) {
        return Some(Draft::new(KIND, FALSE, "ImportFailed", failure_of(job, report)));
    }
    if running {
        let trouble = pod_trouble(observed.pods_of(names::SEED));
        return Some(match trouble {
            Some(Trouble { reason, message }) => Draft::new(KIND, FALSE, reason, message),
            None => Draft::new(KIND, FALSE, "Importing", "The stock is being imported."),
        });
    }
    Some(Draft::new(
        KIND,
        FALSE,
        "WaitingForRedis",
        "The stock is imported as soon as Redis is ready.",
    ))
}

fn failure_of(job: &Job, report: Option<ImportReport>) -> String {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten();
    let condition = conditions
        .into_iter()
        .find(|condition| condition.type_ == "Failed");
    let why = report
        .and_then(|report| report.error)
        .or_else(|| condition.and_then(|condition| condition.message.clone()))
        .unwrap_or_default();
    format!(
        "The import of the stock failed: {why} It is tried again when Job {} has been cleared away.",
        job.name_any()
    )
}

/// The report of the import that ended last.
fn import_report(observed: &Observed) -> Option<ImportReport> {
    serde_json::from_str(observed.last_words(names::SEED)?.trim()).ok()
}
