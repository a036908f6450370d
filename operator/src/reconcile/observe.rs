//! The live children of one resource, typed, as conditions are drawn from them. Pure but for stores.

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::{CronJob, Job},
    core::v1::{PersistentVolumeClaim, Pod},
    networking::v1::Ingress,
};
use kube::{ResourceExt, api::DynamicObject};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    children::{Children, Place},
    names,
    reconcile::{apply::controller_uid, exposure::HttpRoute},
    resources::Kind,
};

/// What is live.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The API.
    pub deployment: Option<Deployment>,
    /// The managed Redis.
    pub stateful_set: Option<StatefulSet>,
    /// What sets the number of API pods.
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    /// How the API is reached from outside.
    pub ingress: Option<Ingress>,
    /// The same, by the Gateway API.
    pub http_route: Option<HttpRoute>,
    /// What makes backups by the clock.
    pub cron_job: Option<CronJob>,
    /// The volume of backups, whether it is wanted now or not.
    pub backup_claim: Option<PersistentVolumeClaim>,
    /// Jobs: stock imports, what tells Redis of its users, backups and restores.
    pub jobs: Vec<Job>,
    /// All pods.
    pub pods: Vec<Pod>,
}

impl Observed {
    /// Reads the stores for the resource `name` with `uid`. Objects of others do not count.
    pub fn of(children: &Children, namespace: &str, name: &str, uid: &str) -> Self {
        let one = |kind: Kind, name: String| {
            let place = Place {
                kind,
                namespace: namespace.to_owned(),
                name,
            };
            children
                .get(&place)
                .filter(|object| controller_uid(&object.metadata) == Some(uid))
        };
        let jobs = children.of_instance(Kind::Job, namespace, name);
        let cron_job = one(Kind::CronJob, names::backup(name));
        let cron_job_uid = cron_job.as_ref().and_then(|object| object.uid());
        // A CronJob owns what it makes, or what a person makes from it.
        let is_ours = |object: &DynamicObject| {
            let controller = controller_uid(&object.metadata);
            controller == Some(uid) || (controller.is_some() && controller == cron_job_uid.as_deref())
        };
        // It has no owner unless it goes with the resource.
        let claim = children.get(&Place {
            kind: Kind::PersistentVolumeClaim,
            namespace: namespace.to_owned(),
            name: names::backup(name),
        });
        let pods = children.of_instance(Kind::Pod, namespace, name);
        Self {
            deployment: one(Kind::Deployment, name.to_owned()).and_then(|object| typed(&object)),
            stateful_set: one(Kind::StatefulSet, names::redis(name)).and_then(|object| typed(&object)),
            autoscaler: one(Kind::HorizontalPodAutoscaler, name.to_owned()).and_then(|object| typed(&object)),
            ingress: one(Kind::Ingress, name.to_owned()).and_then(|object| typed(&object)),
            http_route: one(Kind::HttpRoute, name.to_owned()).and_then(|object| typed(&object)),
            cron_job: cron_job.and_then(|object| typed(&object)),
            backup_claim: claim.and_then(|object| typed(&object)),
            jobs: jobs
                .iter()
                .filter(|object| is_ours(object))
                .filter_map(|object| typed(object))
                .collect(),
            pods: pods.iter().filter_map(|object| typed(object)).collect(),
        }
    }

    /// The pods of one part of the system.
    pub fn pods_of(&self, component: &str) -> impl Iterator<Item = &Pod> {
        self.pods
            .iter()
            .filter(move |pod| pod.labels().get(names::COMPONENT).map(String::as_str) == Some(component))
    }

    /// Whether the API's pods mount a Secret of this name.
    pub fn api_mounts_secret(&self, name: &str) -> bool {
        let spec = self
            .deployment
            .as_ref()
            .and_then(|deployment| deployment.spec.as_ref());
        let pod = spec.and_then(|spec| spec.template.spec.as_ref());
        let volumes = pod.and_then(|pod| pod.volumes.as_ref()).into_iter().flatten();
        volumes
            .filter_map(|volume| volume.secret.as_ref()?.secret_name.as_deref())
            .any(|mounted| mounted == name)
    }

    /// Whether the managed Redis answers.
    pub fn redis_is_ready(&self) -> bool {
        let status = self.stateful_set.as_ref().and_then(|set| set.status.as_ref());
        status.and_then(|status| status.ready_replicas).unwrap_or(0) > 0
    }

    /// Whether an import of the stock has finished well.
    pub fn seeded(&self) -> bool {
        self.jobs_of(names::SEED)
            .any(|job| job_condition(job, "Complete"))
    }

    /// The Jobs of one part of the system.
    pub fn jobs_of(&self, component: &str) -> impl Iterator<Item = &Job> {
        self.jobs
            .iter()
            .filter(move |job| job.labels().get(names::COMPONENT).map(String::as_str) == Some(component))
    }

    /// What the last pod of a component said at its end.
    pub fn last_words(&self, component: &str) -> Option<String> {
        let ended = self.pods_of(component).filter_map(|pod| {
            let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
            statuses
                .iter()
                .find_map(|status| status.state.as_ref()?.terminated.clone())
        });
        ended
            .max_by_key(|ended| ended.finished_at.as_ref().map(|time| time.0))?
            .message
    }

    /// Why the Job of this name failed, if it did, and what happens next.
    pub fn job_failure(&self, component: &str, name: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Report {
            error: String,
        }
        let job = self.jobs_of(component).find(|job| job.name_any() == name)?;
        let conditions = job.status.as_ref()?.conditions.as_ref()?;
        let failed = conditions
            .iter()
            .find(|condition| condition.type_ == "Failed" && condition.status == "True")?;
        let report = self
            .last_words(component)
            .and_then(|words| serde_json::from_str::<Report>(words.trim()).ok());
        let why = report
            .map(|report| report.error)
            .or_else(|| failed.message.clone())
            .unwrap_or_default();
        Some(format!(
            "That failed: {why}. It is tried again when Job {name} has been cleared away."
        ))
    }
}

/// Whether a Job's condition is true.
pub fn job_condition(job: &Job, kind: &str) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == kind && condition.status == "True")
}

/// An object that does not read as its own type is treated as absent: the next event brings it anew.
fn typed<K: DeserializeOwned>(object: &DynamicObject) -> Option<K> {
    let value = serde_json::to_value(object).ok()?;
    serde_json::from_value(value)
        .map_err(|error| tracing::warn!(%error, "a child cannot be read"))
        .ok()
}
