//! Tells a running Redis of its users, in place of a restart: one Job for each change and each Redis
//! process that may not know it.

use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec},
        core::v1::{Container, EnvVar, PodSpec, ResourceRequirements, Secret, VolumeMount},
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::ResourceExt;

use crate::{
    names,
    reconcile::{passwords::Passwords, validate::Validated},
    resources::{metadata, pod, redis_acl, redis_config::ACL_FOLDER},
};

/// It takes a second; what is not done after this is stuck, and a new Job follows.
const DEADLINE_SECONDS: i64 = 300;

/// How long a finished Job can be looked at. After a failure this is also the pause before the next.
const KEEP_SECONDS: i32 = 300;

/// The Job that tells the Redis process `server` of the users.
pub fn build(validated: &Validated, passwords: &Passwords, acl: &Secret, server: &str) -> Job {
    let owner = &validated.owner;
    let users = redis_acl::fingerprint(&redis_acl::users(validated, passwords));
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let variable = |name: &str, value: String| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    };
    let container = Container {
        name: names::ACL_SYNC.to_owned(),
        image: Some(validated.image.reference.clone()),
        image_pull_policy: Some(validated.image.pull_policy.to_owned()),
        args: Some(["redis", "acl", "sync"].map(str::to_owned).into()),
        env: Some(vec![
            variable(
                "FACILIAUTO_REDIS_URL",
                format!(
                    "redis://{}@{}:{}",
                    names::REDIS_ADMIN,
                    names::redis(&owner.name),
                    names::REDIS_PORT
                ),
            ),
            variable(
                "FACILIAUTO_REDIS_PASSWORD_FILE",
                format!("{}/{}", names::REDIS_SECRET_FOLDER, names::PASSWORD_KEY),
            ),
            variable(
                "FACILIAUTO_REDIS_ACL_FILE",
                format!("{ACL_FOLDER}/{}", names::ACL_KEY),
            ),
            variable("FACILIAUTO_REDIS_OWN_USERS", names::REDIS_USERS.join(",")),
            variable("FACILIAUTO_REPORT_FILE", "/dev/termination-log".to_owned()),
        ]),
        resources: Some(resources()),
        security_context: Some(pod::security_context()),
        volume_mounts: Some(vec![
            mount("admin", names::REDIS_SECRET_FOLDER),
            mount("acl", ACL_FOLDER),
        ]),
        ..Container::default()
    };
    let spec = PodSpec {
        containers: vec![container],
        volumes: Some(vec![
            pod::secret_file(
                "admin",
                &names::login(&owner.name),
                names::ADMIN_PASSWORD_KEY,
                names::PASSWORD_KEY,
            ),
            // The key of exactly these users: a node that holds an older copy of the Secret has to wait.
            pod::secret_file(
                "acl",
                &acl.name_any(),
                &redis_acl::exact_key(&users),
                names::ACL_KEY,
            ),
        ]),
        restart_policy: Some("Never".to_owned()),
        ..PodSpec::default()
    };
    let name = name(validated, passwords, &users, server);
    Job {
        metadata: metadata(owner, name, names::ACL_SYNC),
        spec: Some(JobSpec {
            backoff_limit: Some(4),
            active_deadline_seconds: Some(DEADLINE_SECONDS),
            ttl_seconds_after_finished: Some(KEEP_SECONDS),
            template: pod::template(
                validated,
                names::ACL_SYNC,
                &validated.api.pod,
                Default::default(),
                spec,
            ),
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// The Job's name, by what makes it unique: which resource, which change, which users, which Redis
/// process, which image. A Job is never changed, and one that is done says nothing about another.
pub(crate) fn name(validated: &Validated, passwords: &Passwords, users: &str, server: &str) -> String {
    let change = passwords.change.to_string();
    let unique = names::short_hash([
        validated.owner.uid.as_str(),
        &change,
        users,
        server,
        &validated.image.reference,
    ]);
    names::acl_sync(&validated.owner.name, &unique)
}

/// A few commands need next to nothing.
fn resources() -> ResourceRequirements {
    let list = |pairs: &[(&str, &str)]| {
        let list = pairs
            .iter()
            .map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned())));
        Some(list.collect())
    };
    ResourceRequirements {
        requests: list(&[("cpu", "10m"), ("memory", "32Mi")]),
        limits: list(&[("memory", "64Mi")]),
        claims: None,
    }
}
