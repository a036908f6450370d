//! Build: the validated type in, the whole set of children out. Pure; one builder per kind of child.

pub mod acl_sync_job;
pub mod alerts;
pub mod autoscaler;
pub mod backup;
mod backup_pod;
pub mod common;
pub mod config;
pub mod dashboards;
pub mod deployment;
pub mod disruption_budget;
pub mod http_route;
pub mod ingress;
pub mod kind;
pub mod network_policies;
pub mod pod;
pub mod redis_acl;
pub mod redis_config;
pub mod redis_login;
pub mod redis_stateful_set;
pub mod restore_job;
pub mod seed_job;
pub mod service;
pub mod service_account;
pub mod service_monitor;
pub mod third_party;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::Job,
        core::v1::{ConfigMap, Secret, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use std::collections::BTreeSet;

use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    names,
    reconcile::{
        passwords::Passwords,
        validate::{Owner, RedisSettings, Validated},
    },
};

use backup::BackupResources;
use common::CommonMetadata;
use third_party::{HttpRouteSpec, PrometheusRuleSpec, ServiceMonitorSpec, ThirdParty};

pub use kind::Kind;

/// What build needs beside the declaration.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The managed Redis's passwords; absent for an external Redis.
    pub passwords: Option<Passwords>,
    /// The Redis process that is to be told of its users.
    pub tell: Option<String>,
    /// Whether the stock import is due: never done, and Redis is there to take it.
    pub seed_is_due: bool,
    /// What is under way with backups.
    pub backups: BackupInputs,
    /// Those of [`Kind::OPTIONAL`] that the cluster has; no object of another is built.
    pub optional_kinds: BTreeSet<Kind>,
}

/// What build needs to know of backups beside the declaration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupInputs {
    /// Whether a restore runs or is to begin, and no backup begins by the clock meanwhile.
    pub is_held: bool,
    /// Whether the Job of the restore that is declared is to be there.
    pub restore_is_due: bool,
}

/// Every child of one resource.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Identity of all pods; no token is mounted.
    pub service_account: Option<ServiceAccount>,
    /// The API's settings.
    pub config: ConfigMap,
    /// Who may talk to whom.
    pub network_policies: Vec<NetworkPolicy>,
    /// What a managed Redis consists of.
    pub redis: Option<RedisResources>,
    /// The stock import, while it is due.
    pub seed: Option<Job>,
    /// The API.
    pub deployment: Deployment,
    /// Where the API answers.
    pub service: Service,
    /// What keeps node drains from taking too many pods.
    pub disruption_budget: Option<PodDisruptionBudget>,
    /// What sets the number of API pods.
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    /// How the API is reached from outside.
    pub ingress: Option<Ingress>,
    /// The same, by the Gateway API.
    pub http_route: Option<ThirdParty<HttpRouteSpec>>,
    /// What makes Prometheus read the API's metrics.
    pub service_monitor: Option<ThirdParty<ServiceMonitorSpec>>,
    /// Alerts.
    pub alerts: Option<ThirdParty<PrometheusRuleSpec>>,
    /// Dashboards.
    pub dashboards: Vec<ConfigMap>,
    /// What backups consist of.
    pub backup: Option<BackupResources>,
    /// The restore, while it is due.
    pub restore: Option<Job>,
    /// What all of them carry.
    pub common: CommonMetadata,
}

/// What a managed Redis consists of, besides its generated credentials.
#[derive(Clone, Debug)]
pub struct RedisResources {
    /// Redis's users.
    pub acl: Secret,
    /// Redis's configuration file.
    pub config: ConfigMap,
    /// Where Redis answers.
    pub service: Service,
    /// Redis itself, with its volume.
    pub stateful_set: StatefulSet,
    /// What tells the running Redis of its users, while that is due.
    pub acl_sync: Option<Job>,
}

/// One child, ready to be compared with what is live.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The whole object as JSON, our hash among its annotations.
    pub object: Value,
    /// The hash.
    pub hash: String,
}

/// The whole set of children.
pub fn build(validated: &Validated, inputs: &Inputs) -> Resources {
    let config = config::build(validated);
    let redis = match (&validated.redis, &inputs.passwords) {
        (RedisSettings::Managed(managed), Some(passwords)) => {
            let acl = redis_acl::build(validated, passwords);
            let redis_config = redis_config::build(validated, managed);
            let tell = inputs.tell.as_ref();
            Some(RedisResources {
                stateful_set: redis_stateful_set::build(validated, managed, &redis_config, &acl, passwords),
                acl_sync: tell.map(|server| acl_sync_job::build(validated, passwords, &acl, server)),
                acl,
                config: redis_config,
                service: service::redis(validated),
            })
        }
        _ => None,
    };
    let login = redis_login::build(validated, inputs.passwords.as_ref());
    let has = |kind: Kind| inputs.optional_kinds.contains(&kind);
    let BackupInputs {
        is_held,
        restore_is_due,
    } = inputs.backups;
    let settings = validated.backup.as_ref();
    let exposure = &validated.exposure;
    let monitoring = &validated.monitoring;
    Resources {
        network_policies: validated
            .network_access
            .as_ref()
            .map(|access| network_policies::build(validated, access))
            .unwrap_or_default(),
        ingress: exposure
            .ingress
            .as_ref()
            .map(|settings| ingress::build(validated, settings)),
        http_route: exposure
            .gateway
            .as_ref()
            .filter(|_| has(Kind::HttpRoute))
            .map(|settings| http_route::build(validated, settings)),
        service_monitor: monitoring
            .service_monitor
            .as_ref()
            .filter(|_| has(Kind::ServiceMonitor))
            .map(|scrape| service_monitor::build(validated, scrape)),
        alerts: monitoring
            .alerts
            .as_ref()
            .filter(|_| has(Kind::PrometheusRule))
            .map(|settings| alerts::build(validated, settings)),
        dashboards: monitoring
            .dashboards
            .as_ref()
            .map(|labels| dashboards::build(validated, labels))
            .unwrap_or_default(),
        backup: settings.map(|settings| backup::build(validated, settings, &login, is_held)),
        restore: settings
            .zip(validated.restore.as_ref())
            .filter(|_| restore_is_due)
            .map(|(settings, restore)| restore_job::build(validated, settings, restore, &login)),
        service_account: service_account::build(validated),
        seed: inputs
            .seed_is_due
            .then(|| seed_job::build(validated, &config, &login))
            .flatten(),
        deployment: deployment::build(validated, &config, &login),
        service: service::api(validated),
        disruption_budget: disruption_budget::build(validated),
        autoscaler: autoscaler::build(validated),
        config,
        redis,
        common: validated.common.clone(),
    }
}

impl Resources {
    /// The children in the order in which they are applied.
    ///
    /// # Errors
    /// When an object cannot be written as JSON.
    pub fn into_children(self) -> Result<Vec<Child>, serde_json::Error> {
        // Destructured whole: a new kind of child does not compile until its place is decided.
        let Self {
            service_account,
            config,
            network_policies,
            redis,
            seed,
            deployment,
            service,
            disruption_budget,
            autoscaler,
            ingress,
            http_route,
            service_monitor,
            alerts,
            dashboards,
            backup,
            restore,
            common,
        } = self;
        let mut children = Vec::new();
        // Pods cannot be made without their identity, so it comes before everything that has pods.
        if let Some(service_account) = service_account {
            children.push(child(Kind::ServiceAccount, &service_account)?);
        }
        // What pods mount or read stands before the pods, or their first start fails and backs off.
        children.push(child(Kind::ConfigMap, &config)?);
        // A pod that started before its policy would be open for a moment.
        for policy in &network_policies {
            children.push(child(Kind::NetworkPolicy, policy)?);
        }
        if let Some(RedisResources {
            acl,
            config,
            service,
            stateful_set,
            acl_sync,
        }) = redis
        {
            children.push(child(Kind::Secret, &acl)?);
            children.push(child(Kind::ConfigMap, &config)?);
            // The name must resolve when the API starts to look for Redis.
            children.push(child(Kind::Service, &service)?);
            children.push(child(Kind::StatefulSet, &stateful_set)?);
            // It reads the users that were written above.
            if let Some(acl_sync) = acl_sync {
                children.push(child(Kind::Job, &acl_sync)?);
            }
        }
        if let Some(seed) = seed {
            children.push(child(Kind::Job, &seed)?);
        }
        // A budget that exists before the pods holds from the first of them on.
        if let Some(disruption_budget) = disruption_budget {
            children.push(child(Kind::PodDisruptionBudget, &disruption_budget)?);
        }
        children.push(child(Kind::Deployment, &deployment)?);
        children.push(child(Kind::Service, &service)?);
        // After it: an autoscaler whose target does not exist yet reports a failure that nobody can act on.
        if let Some(autoscaler) = autoscaler {
            children.push(child(Kind::HorizontalPodAutoscaler, &autoscaler)?);
        }
        // A route leads to a Service that exists, or its controller answers buyers with an error.
        if let Some(ingress) = ingress {
            children.push(child(Kind::Ingress, &ingress)?);
        }
        if let Some(http_route) = http_route {
            children.push(third_party_child(Kind::HttpRoute, &http_route)?);
        }
        // Last: what nobody who buys a car waits for.
        if let Some(service_monitor) = service_monitor {
            children.push(third_party_child(Kind::ServiceMonitor, &service_monitor)?);
        }
        if let Some(alerts) = alerts {
            children.push(third_party_child(Kind::PrometheusRule, &alerts)?);
        }
        for dashboard in &dashboards {
            children.push(child(Kind::ConfigMap, dashboard)?);
        }
        if let Some(BackupResources {
            declared,
            volume,
            cron_job,
        }) = backup
        {
            children.push(child(Kind::ConfigMap, &declared)?);
            if let Some(volume) = volume {
                children.push(child(Kind::PersistentVolumeClaim, &volume)?);
            }
            // Before a restore: from then on no backup begins by the clock.
            children.push(child(Kind::CronJob, &cron_job)?);
        }
        // It mounts what was written above.
        if let Some(restore) = restore {
            children.push(child(Kind::Job, &restore)?);
        }
        Ok(children
            .into_iter()
            .map(|built| finished(built, &common))
            .collect())
    }
}

/// The Job of this name that makes a backup before another image of Redis goes in; none while backups are
/// off.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn backup_before(
    validated: &Validated,
    inputs: &Inputs,
    name: &str,
) -> Result<Option<Child>, serde_json::Error> {
    let Some(settings) = &validated.backup else {
        return Ok(None);
    };
    let login = redis_login::build(validated, inputs.passwords.as_ref());
    let job = backup::before_upgrade(validated, settings, &login, name.to_owned());
    let built = child(Kind::Job, &job)?;
    Ok(Some(finished(built, &validated.common)))
}

/// An object with what all of them carry.
fn finished((kind, name, mut object): Built, common: &CommonMetadata) -> Child {
    // A volume outlives what its labels would speak of.
    if kind != Kind::PersistentVolumeClaim {
        common.add_to(kind, &mut object);
    }
    Child::new(kind, name, object)
}

/// An object with its kind and name, as JSON.
type Built = (Kind, String, Value);

fn child<K>(kind: Kind, object: &K) -> Result<Built, serde_json::Error>
where
    K: Resource + Serialize,
{
    Ok((kind, object.name_any(), serde_json::to_value(object)?))
}

fn third_party_child<S: Serialize>(kind: Kind, object: &ThirdParty<S>) -> Result<Built, serde_json::Error> {
    let name = object.metadata.name.clone().unwrap_or_default();
    Ok((kind, name, serde_json::to_value(object)?))
}

impl Child {
    /// The child after `change`, with the hash of what it is then.
    pub fn changed(&self, change: impl FnOnce(&mut Value)) -> Self {
        let mut object = self.object.clone();
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            annotations.remove(names::APPLIED);
        }
        change(&mut object);
        Self::new(self.kind, self.name.clone(), object)
    }

    /// A child whose hash is taken of `object` as it is given.
    pub fn new(kind: Kind, name: String, mut object: Value) -> Self {
        let hash = content_hash(&canonical(object.clone()).unwrap_or(Value::Null));
        // Sent as it was built, not canonically: an empty namespaceSelector says more than none.
        object["metadata"]["annotations"][names::APPLIED] = json!(hash);
        Self {
            kind,
            name,
            object,
            hash,
        }
    }
}

/// The object without nulls and empty values, which a server does not tell from absent ones.
pub fn canonical(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) => {
            // An item that is empty still holds its place.
            let items: Vec<_> = items
                .into_iter()
                .map(|item| {
                    if item.is_object() {
                        canonical(item).unwrap_or(json!({}))
                    } else {
                        item
                    }
                })
                .collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(fields) => {
            let fields: serde_json::Map<_, _> = fields
                .into_iter()
                .filter_map(|(key, value)| Some((key, canonical(value)?)))
                .collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        other => Some(other),
    }
}

/// A hash of the canonical object, the same whatever the order of its keys.
pub(crate) fn content_hash(object: &Value) -> String {
    use sha2::{Digest, Sha256};
    let mut text = String::new();
    write_sorted(object, &mut text);
    names::hex(&Sha256::digest(text.as_bytes())[..8])
}

fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in sorted {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_sorted(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

/// Metadata of a child: name, namespace, labels, and the owner reference by which the cluster
/// removes it together with the resource.
pub(crate) fn metadata(owner: &Owner, name: String, component: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(owner.namespace.clone()),
        labels: Some(names::labels(&owner.name, component)),
        owner_references: Some(vec![owner_reference(owner)]),
        ..ObjectMeta::default()
    }
}

/// The controller reference that every child but volumes carries.
pub(crate) fn owner_reference(owner: &Owner) -> OwnerReference {
    use faciliauto_api::FaciliAutoDeployment;
    OwnerReference {
        api_version: FaciliAutoDeployment::api_version(&()).into_owned(),
        kind: FaciliAutoDeployment::kind(&()).into_owned(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

#[cfg(test)]
mod tests;
