//! `backup`: a backup now, as `kubectl create job --from=cronjob/…` makes one, but that it is noted in the
//! backup that somebody asked for it, and that one can wait for its end.

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::{
    api::{
        batch::v1::{CronJob, Job},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PostParams},
};

use crate::{
    args::BackupSettings,
    client::{self, bounded},
    names,
    reconcile::{
        job_ends::{self, Report, Standing, standing},
        observe::Observed,
    },
    resources::backup::Occasion,
};

/// Pause between two looks at something that is waited for.
pub(super) const PACE: Duration = Duration::from_secs(1);

/// Looks in a row that may fail before nothing is waited for any more: a minute.
pub(super) const PATIENCE: u32 = 60;

/// What Kubernetes itself notes of a Job that a person made from a CronJob.
const INSTANTIATE: &str = "cronjob.kubernetes.io/instantiate";

/// Makes a backup, and waits for its end if that is asked for.
///
/// # Errors
/// When the Job cannot be made, or the backup that is waited for fails.
pub fn print(settings: &BackupSettings) -> anyhow::Result<()> {
    super::talk(async {
        let config = client::find_cluster(&settings.cluster).await?;
        let namespace = config.default_namespace.clone();
        let client = client::for_a_person(config)?;
        let job = make(&client, &namespace, &settings.name).await?;
        let name = job.name_any();
        if !settings.wait {
            return super::print(&format!(
                "Job {name} makes a backup: kubectl --namespace {namespace} logs --follow job/{name}\n"
            ));
        }
        super::note(&format!("Job {name} makes a backup."));
        let report = wait(&client, &namespace, &job).await?;
        super::print(&format!("{}\n", sentence(&report)))
    })
}

/// Makes the Job of a backup of the resource `name`.
///
/// # Errors
/// When the resource has no backups, or the API server refuses.
pub async fn make(client: &Client, namespace: &str, name: &str) -> anyhow::Result<Job> {
    let cron_job = template(client, namespace, name).await?;
    let job = from(&cron_job, &unique(name, "manual")?);
    create(client, namespace, &job).await
}

pub(super) async fn create(client: &Client, namespace: &str, job: &Job) -> anyhow::Result<Job> {
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let made = bounded(jobs.create(&PostParams::default(), job)).await;
    made.with_context(|| {
        format!(
            "failed to make Job {} in the namespace {namespace}",
            job.name_any()
        )
    })
}

/// The CronJob of a resource, from which Jobs are made.
pub(super) async fn template(client: &Client, namespace: &str, name: &str) -> anyhow::Result<CronJob> {
    let cron_jobs: Api<CronJob> = Api::namespaced(client.clone(), namespace);
    let known_as = names::backup(name);
    let found = bounded(cron_jobs.get_opt(&known_as))
        .await
        .with_context(|| format!("failed to read CronJob {known_as} in the namespace {namespace}"))?;
    let Some(found) = found else {
        bail!(
            "there is no CronJob {known_as} in the namespace {namespace}: is {name} a FaciliAutoDeployment there, and backup.enabled true?"
        )
    };
    Ok(found)
}

/// A name that no other Job has.
pub(super) fn unique(name: &str, word: &str) -> anyhow::Result<String> {
    let mut chance = [0; 4];
    getrandom::fill(&mut chance).context("failed to get randomness from the operating system")?;
    Ok(format!("{}-{word}-{}", names::backup(name), names::hex(&chance)))
}

/// The Job that a CronJob would make, under a name, as one that was asked for by hand.
pub(super) fn from(cron_job: &CronJob, name: &str) -> Job {
    let template = cron_job.spec.clone().unwrap_or_default().job_template;
    let metadata = template.metadata.unwrap_or_default();
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.insert(INSTANTIATE.to_owned(), "manual".to_owned());
    let mut spec = template.spec.unwrap_or_default();
    let pod = spec.template.spec.get_or_insert_default();
    let arguments = pod
        .containers
        .iter_mut()
        .flat_map(|container| container.args.iter_mut().flatten());
    for argument in arguments.filter(|argument| *argument == Occasion::Scheduled.word()) {
        *argument = Occasion::Manual.word().to_owned();
    }
    Job {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: cron_job.namespace(),
            labels: metadata.labels,
            annotations: Some(annotations),
            // As kubectl has it: it goes with the CronJob's other Jobs.
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "CronJob".to_owned(),
                name: cron_job.name_any(),
                uid: cron_job.uid().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: None,
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        ..Job::default()
    }
}

/// Waits for the end of a Job; returns what its program said.
pub(super) async fn wait(client: &Client, namespace: &str, job: &Job) -> anyhow::Result<Report> {
    let name = job.name_any();
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let mut failures = 0;
    // The Job's own deadline is what ends it at the latest.
    loop {
        tokio::time::sleep(PACE).await;
        let found = match bounded(jobs.get_opt(&name)).await {
            Ok(found) => found,
            Err(error) if failures >= PATIENCE => {
                return Err(error).with_context(|| format!("failed to read Job {name}, which goes on"));
            }
            Err(_) => {
                failures += 1;
                continue;
            }
        };
        failures = 0;
        let Some(job) = found else {
            bail!("Job {name} was deleted before it ended")
        };
        match standing(&job) {
            Standing::Unfinished => {}
            Standing::Complete => {
                let observed = seen(client, namespace, &job).await;
                let ends = job_ends::ends(&observed, &job);
                return Ok(ends
                    .into_iter()
                    .next()
                    .map(|(_, report)| report)
                    .unwrap_or_default());
            }
            Standing::Failed => {
                let observed = seen(client, namespace, &job).await;
                bail!("{}", job_ends::why(&observed, &job).1)
            }
        }
    }
}

/// The pods of a Job, as far as they can be read.
async fn seen(client: &Client, namespace: &str, job: &Job) -> Observed {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let label = format!("batch.kubernetes.io/job-name={}", job.name_any());
    let found = bounded(pods.list(&ListParams::default().labels(&label))).await;
    Observed {
        pods: found.map(|list| list.items).unwrap_or_default(),
        ..Observed::default()
    }
}

/// A backup that was made, in a sentence.
fn sentence(report: &Report) -> String {
    let Some(name) = &report.backup else {
        return "The backup was made; what it says about itself is in the log of its pod.".to_owned();
    };
    let mut text = format!("Backup {name}");
    if let (Some(cars), Some(events)) = (report.cars, report.events) {
        text += &format!(": {cars} cars, {events} events");
    }
    if let Some(bytes) = report.bytes {
        text += &format!(", {bytes} bytes");
    }
    text + match report.verified_at {
        Some(_) => ". It was restored aside, and is as it was.",
        None => ". It was not proven.",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Prevents: a backup by hand that is taken for one of the schedule's, or that the operator and the
    /// CronJob do not know.
    #[test]
    fn job_by_hand_is_the_cron_jobs_but_for_its_occasion() {
        let cron_job: CronJob = serde_json::from_value(json!({
            "metadata": {"name": "a-backup", "namespace": "lojas", "uid": "c"},
            "spec": {"schedule": "", "jobTemplate": {
                "metadata": {"labels": {"l": "1"}},
                "spec": {"backoffLimit": 4, "template": {"spec": {"containers": [
                    {"name": "backup", "args": ["backup", "run", "--kind", "scheduled", "--no-verify"]},
                ]}}},
            }},
        }))
        .expect("a CronJob");
        let job = serde_json::to_value(from(&cron_job, "a-backup-manual-1")).expect("JSON");
        let expected = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": "a-backup-manual-1", "namespace": "lojas", "labels": {"l": "1"},
                "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "CronJob", "name": "a-backup", "uid": "c", "controller": true},
                ],
            },
            "spec": {"backoffLimit": 4, "template": {"spec": {"containers": [
                {"name": "backup", "args": ["backup", "run", "--kind", "manual", "--no-verify"]},
            ]}}},
        });
        assert_eq!(job, expected);
    }
}
