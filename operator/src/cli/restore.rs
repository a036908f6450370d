//! `restore`: declares a restore in a resource and shows how far it is, until it ends; or takes the last one
//! back. What is declared goes on whether somebody watches or not.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use faciliauto_api::{FaciliAutoDeployment, RestorePhase, RestoreStatus};
use k8s_openapi::{api::batch::v1::Job, jiff::Timestamp};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::backup::{PACE, PATIENCE, create, from, template, unique, wait};
use crate::{
    args::RestoreSettings,
    client::{self, bounded},
    names,
};

/// Under this name a person's change of the resource is kept apart from what their files say.
const MANAGER: &str = "kubectl-faciliauto";

/// After this long without a look of the operator's a person is told.
const UNATTENDED: Duration = Duration::from_secs(15);

/// Restores a backup, or takes the last restore back.
///
/// # Errors
/// When it cannot be declared, or fails.
pub fn print(settings: &RestoreSettings) -> anyhow::Result<()> {
    super::talk(async {
        let config = client::find_cluster(&settings.cluster).await?;
        let namespace = config.default_namespace.clone();
        let client = client::for_a_person(config)?;
        if settings.undo {
            return undo(&client, &namespace, &settings.name).await;
        }
        let wish = Wish {
            id: settings.id.clone().unwrap_or_else(|| id_of(Timestamp::now())),
            from: settings.from.clone().unwrap_or_else(|| "latest".to_owned()),
            claim: settings.source_claim.clone(),
        };
        declare(&client, &namespace, &settings.name, &wish).await?;
        super::note(&format!("Restore {} from {} is declared.", wish.id, wish.from));
        if settings.no_wait {
            return Ok(());
        }
        follow(&client, &namespace, &settings.name, &wish.id).await
    })
}

/// A restore that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its id.
    pub id: String,
    /// The backup.
    pub from: String,
    /// A claim with backups of another system.
    pub claim: Option<String>,
}

/// An id that no other restore has, by the time.
fn id_of(now: Timestamp) -> String {
    let digits = now.to_string();
    let digits: String = digits
        .split('.')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("by-hand-{}", digits.trim_end_matches('Z').to_lowercase())
}

async fn read(client: &Client, namespace: &str, name: &str) -> anyhow::Result<FaciliAutoDeployment> {
    let api: Api<FaciliAutoDeployment> = Api::namespaced(client.clone(), namespace);
    let found = bounded(api.get_opt(name))
        .await
        .with_context(|| format!("failed to read {name} in the namespace {namespace}"))?;
    let Some(found) = found else {
        bail!("there is no FaciliAutoDeployment {name} in the namespace {namespace}")
    };
    Ok(found)
}

/// Declares a restore.
///
/// # Errors
/// When backups are off, the id has been used, or the API server refuses.
pub async fn declare(client: &Client, namespace: &str, name: &str, wish: &Wish) -> anyhow::Result<()> {
    let resource = read(client, namespace, name).await?;
    ensure!(
        resource.spec.backup.enabled,
        "backup.enabled of {name} is false: what is there could not be backed up before it is replaced; set it to true"
    );
    let known = resource
        .status
        .as_ref()
        .and_then(|status| status.restore.as_ref());
    if let Some(known) = known.filter(|known| known.id == wish.id && known.phase.is_final()) {
        bail!(
            "restore {} has ended already ({}); each id runs once: give another with --id, or none",
            known.id,
            known.phase.word()
        );
    }
    let Wish { id, from, claim } = wish;
    let source = claim.as_ref().map(|claim| json!({"claimName": claim}));
    // Null takes a source away that an earlier restore had.
    let change = json!({"spec": {"restore": {"id": id, "from": from, "source": source}}});
    let api: Api<FaciliAutoDeployment> = Api::namespaced(client.clone(), namespace);
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    bounded(api.patch(name, &parameters, &Patch::Merge(change)))
        .await
        .with_context(|| format!("failed to declare the restore in {name}"))?;
    Ok(())
}

/// Shows each phase of a restore until it ends.
async fn follow(client: &Client, namespace: &str, name: &str, id: &str) -> anyhow::Result<()> {
    let mut shown: Option<RestoreStatus> = None;
    let mut failures = 0;
    let mut unattended = Duration::ZERO;
    loop {
        let resource = match read(client, namespace, name).await {
            Ok(resource) => resource,
            Err(error) if failures >= PATIENCE => {
                return Err(error.context("the restore goes on, whether it is watched or not"));
            }
            Err(_) => {
                failures += 1;
                tokio::time::sleep(PACE).await;
                continue;
            }
        };
        failures = 0;
        let status = resource.status.clone().unwrap_or_default().restore;
        match status.filter(|status| status.id == id) {
            Some(status) => {
                let key = |status: &RestoreStatus| (status.phase, status.message.clone());
                if shown.as_ref().map(key) != Some(key(&status)) {
                    super::note(&line(&status));
                }
                match status.phase {
                    RestorePhase::Succeeded => return super::print(&format!("{}\n", status.message)),
                    RestorePhase::Failed => bail!("{}", status.message),
                    RestorePhase::Reverted => bail!("the restore was taken back: {}", status.message),
                    RestorePhase::Pending
                    | RestorePhase::Verifying
                    | RestorePhase::Snapshotting
                    | RestorePhase::Loading => {}
                }
                shown = Some(status);
            }
            None => {
                ensure!(
                    resource.spec.restore.id == id,
                    "another restore was declared meanwhile: {}",
                    resource.spec.restore.id
                );
                unattended += PACE;
                if unattended == UNATTENDED {
                    super::note(
                        "The operator has not looked at it yet: does it run? kubectl --namespace faciliauto-system get pods",
                    );
                }
            }
        }
        tokio::time::sleep(PACE).await;
    }
}

fn line(status: &RestoreStatus) -> String {
    format!("{:<12}  {}", status.phase.word(), status.message)
}

/// Makes the Job that takes the last restore back, and waits for its end.
async fn undo(client: &Client, namespace: &str, name: &str) -> anyhow::Result<()> {
    let resource = read(client, namespace, name).await?;
    let last = resource.status.as_ref().and_then(|status| status.restore.clone());
    let Some(last) = last.filter(|last| last.phase == RestorePhase::Succeeded) else {
        bail!("the status of {name} knows of no restore that succeeded and could be taken back")
    };
    let cron_job = template(client, namespace, name).await?;
    let job_name = unique(name, "undo")?;
    let job = undo_job(from(&cron_job, &job_name), &resource, &last.id);
    let made = create(client, namespace, &job).await?;
    super::note(&format!("Job {job_name} takes restore {} back.", last.id));
    wait(client, namespace, &made).await?;
    super::print(&format!(
        "What was there before restore {} is there again.\n",
        last.id
    ))
}

/// The Job that takes a restore back, made out of one that would make a backup: it reaches the same store.
fn undo_job(mut job: Job, resource: &FaciliAutoDeployment, id: &str) -> Job {
    let component = |labels: &mut Option<std::collections::BTreeMap<String, String>>| {
        labels
            .get_or_insert_default()
            .insert(names::COMPONENT.to_owned(), names::RESTORE.to_owned());
    };
    component(&mut job.metadata.labels);
    job.metadata
        .annotations
        .get_or_insert_default()
        .insert(names::RESTORE_ID.to_owned(), id.to_owned());
    // Not one of the CronJob's: those are backups.
    job.metadata.owner_references = resource.controller_owner_ref(&()).map(|owner| vec![owner]);
    if let Some(spec) = &mut job.spec {
        let metadata = spec.template.metadata.get_or_insert_default();
        component(&mut metadata.labels);
        let pod = spec.template.spec.get_or_insert_default();
        for container in &mut pod.containers {
            let id = format!("undo-{id}");
            // An id has 63 characters at most.
            let id: String = id.chars().take(63).collect();
            container.args = Some(
                ["backup", "restore", "--undo", "--id", &id]
                    .map(str::to_owned)
                    .into(),
            );
        }
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: an id that the API server refuses.
    #[test]
    fn ids_by_the_time_are_ids() {
        let now: Timestamp = "2026-11-26T21:42:05.123Z".parse().expect("a time");
        assert_eq!(id_of(now), "by-hand-20261126t214205");
    }

    /// Prevents: an undo that is taken for a backup, that no policy lets reach Redis, or that nobody sees.
    #[test]
    fn undo_is_a_restores_job() {
        let resource: FaciliAutoDeployment = serde_json::from_value(json!({
            "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
            "metadata": {"name": "a", "namespace": "lojas", "uid": "r"}, "spec": {},
        }))
        .expect("a resource");
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": "j", "labels": {"app.kubernetes.io/component": "backup", "l": "1"}},
            "spec": {"template": {
                "metadata": {"labels": {"app.kubernetes.io/component": "backup"}},
                "spec": {"containers": [{"name": "backup", "args": ["backup", "run"]}]},
            }},
        }))
        .expect("a Job");
        let made = serde_json::to_value(undo_job(job, &resource, "x")).expect("JSON");
        let expected = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": "j", "labels": {"app.kubernetes.io/component": "restore", "l": "1"},
                "annotations": {"faciliauto.com/restore-id": "x"},
                "ownerReferences": [{
                    "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment", "name": "a",
                    "uid": "r", "controller": true,
                }],
            },
            "spec": {"template": {
                "metadata": {"labels": {"app.kubernetes.io/component": "restore"}},
                "spec": {"containers": [
                    {"name": "backup", "args": ["backup", "restore", "--undo", "--id", "undo-x"]},
                ]},
            }},
        });
        assert_eq!(made, expected);
    }
}
