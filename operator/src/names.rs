//! Every name that other programs and people rely on: children, labels, annotations, ports, paths.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The one field manager of everything that this operator writes.
pub const FIELD_MANAGER: &str = "faciliauto-operator";

/// Hash of the canonical object as we last wanted it; catches what we stopped setting.
pub const APPLIED: &str = "faciliauto.com/applied";
/// Of a Deployment or StatefulSet: the resource's generation whose template was applied last.
pub const GENERATION: &str = "faciliauto.com/generation";
/// The same: the template that was built for it, as a hash and the credentials beside it.
pub const TEMPLATE: &str = "faciliauto.com/template";
/// What to go back to: of a Deployment the ReplicaSet, of a StatefulSet the image.
pub const LAST_GOOD: &str = "faciliauto.com/last-good";
/// What failed and is not tried again by itself: of a Deployment the template, as [`TEMPLATE`] has it, of
/// a StatefulSet the image.
pub const FAILED: &str = "faciliauto.com/failed";
/// How that failed, as JSON.
pub const FAILURE: &str = "faciliauto.com/failure";
/// The ReplicaSet whose template a Deployment keeps until it is its turn to be upgraded.
pub const HELD: &str = "faciliauto.com/held";
/// Present when the template that was applied last is the doing of a new operator.
pub const UPGRADE: &str = "faciliauto.com/upgrade";
/// Of the resource, a person's: each new value has what failed tried again at once.
pub const RETRY: &str = "faciliauto.com/retry";
/// Which Redis password a pod was given, by its number, or a hash of the URL: pods are replaced when it
/// changes, and an old password goes when no pod has its number. On Redis's pod, a hash of the user that
/// tells Redis of the others.
pub const CREDENTIALS: &str = "faciliauto.com/credentials";

/// Of a Job that restores a backup: the id of the restore.
pub const RESTORE_ID: &str = "faciliauto.com/restore-id";
/// The same: the backup, as declared.
pub const RESTORE_FROM: &str = "faciliauto.com/restore-from";

/// Hash of the pod template without the labels and annotations that all objects have in common: while it
/// stays, pods are not replaced on account of those.
pub const POD_TEMPLATE: &str = "faciliauto.com/pod-template";
/// The common labels and annotations that the pod template has.
pub const POD_METADATA: &str = "faciliauto.com/pod-metadata";

/// Label: which system an object belongs to, the name of its resource.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label: which part of the system.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Label: the product.
pub const NAME: &str = "app.kubernetes.io/name";
/// Label: who keeps the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label: the larger whole.
pub const PART_OF: &str = "app.kubernetes.io/part-of";

/// The API's container and its component label.
pub const API: &str = "api";
/// Redis's container and its component label.
pub const REDIS: &str = "redis";
/// The seed Job's component label.
pub const SEED: &str = "seed";
/// Component label of the Jobs that tell Redis of its users.
pub const ACL_SYNC: &str = "acl-sync";
/// Component label of backups: of the CronJob, its Jobs and the volume. Also the container's name.
pub const BACKUP: &str = "backup";
/// Component label of the Jobs that restore a backup.
pub const RESTORE: &str = "restore";
/// Component label of what Prometheus and Grafana read.
pub const MONITORING: &str = "monitoring";

/// Components whose pods use Redis.
pub const REDIS_CLIENTS: [&str; 5] = [API, SEED, ACL_SYNC, BACKUP, RESTORE];
/// Components whose pods are Jobs.
pub const JOBS: [&str; 4] = [SEED, ACL_SYNC, BACKUP, RESTORE];

/// Port of the API, by number; its name is `http`.
pub const HTTP_PORT: i32 = 8000;
/// Port of the API's metrics, by number; its name is `metrics`.
pub const METRICS_PORT: i32 = 9090;
/// Port that clients of the API's Service use.
pub const SERVICE_PORT: i32 = 80;
/// Port of Redis.
pub const REDIS_PORT: i32 = 6379;

/// Folder in which the API finds its Redis password or URL.
pub const REDIS_SECRET_FOLDER: &str = "/etc/faciliauto/redis";
/// Folder in which the seed Job finds a stock of the user's.
pub const STOCK_FOLDER: &str = "/etc/faciliauto/stock";
/// Key of a seed ConfigMap.
pub const STOCK_FILE: &str = "stock.json";
/// Folder in which pods find certificate authorities of the user's.
pub const TRUST_FOLDER: &str = "/etc/faciliauto/trust";
/// Key of those authorities in their ConfigMap.
pub const TRUST_KEY: &str = "ca.crt";
/// Folder in which backups are written to a volume.
pub const BACKUP_FOLDER: &str = "/backups";
/// Folder in which a restore finds the backups of another system.
pub const SOURCE_FOLDER: &str = "/source";
/// Folder in which a backup finds what the resource declares.
pub const DECLARED_FOLDER: &str = "/etc/faciliauto/declared";
/// Key of that in its ConfigMap.
pub const DECLARED_FILE: &str = "resource.yaml";
/// Folder in which a restore finds the private key of encrypted backups.
pub const IDENTITY_FOLDER: &str = "/etc/faciliauto/identity";
/// Key of that key in its Secret.
pub const IDENTITY_KEY: &str = "identity.txt";
/// Folder with the certificate authorities of the object storage that backups are written to.
pub const S3_CA_FOLDER: &str = "/etc/faciliauto/s3-ca";
/// The same for the object storage that a restore reads from.
pub const SOURCE_S3_CA_FOLDER: &str = "/etc/faciliauto/source-s3-ca";
/// Folder in which the containers of a restore leave each other notes.
pub const WORK_FOLDER: &str = "/work";
/// Keys of a Secret that opens object storage, and the variables in which programs look for them.
pub const S3_KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// Key of a Redis password, generated or the user's, and the file that pods find it in.
pub const PASSWORD_KEY: &str = "password";
/// Key of the password of who tells Redis of its users.
pub const ADMIN_PASSWORD_KEY: &str = "admin";
/// Folder in which the API finds the administrators' tokens.
pub const ADMIN_TOKENS_FOLDER: &str = "/etc/faciliauto/admin";
/// Key of the administrators' tokens, one a line.
pub const ADMIN_TOKENS_KEY: &str = "admin";
/// Key of Redis's users.
pub const ACL_KEY: &str = "users.acl";
/// Redis's user that the API logs in as.
pub const REDIS_USER: &str = "api";
/// Redis's user of the readiness probe. It may do nothing but PING, so its password is no secret.
pub const REDIS_HEALTH: &str = "health";
/// Redis's user that tells a running Redis of the others.
pub const REDIS_ADMIN: &str = "acl-sync";
/// Every user of Redis that the operator ever made; what it no longer wants of them goes.
pub const REDIS_USERS: [&str; 3] = [REDIS_USER, REDIS_HEALTH, REDIS_ADMIN];

/// Labels of a child: `instance` is the resource's name, `component` the part of the system.
pub fn labels(instance: &str, component: &str) -> BTreeMap<String, String> {
    let mut labels = selector(instance, component);
    labels.insert(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
    labels.insert(PART_OF.to_owned(), "faciliauto".to_owned());
    labels
}

/// The labels by which pods are selected. They can never change: a Deployment's selector is immutable.
pub fn selector(instance: &str, component: &str) -> BTreeMap<String, String> {
    [(NAME, "faciliauto"), (INSTANCE, instance), (COMPONENT, component)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The label selector of the API's pods as one line.
pub fn selector_line(instance: &str, component: &str) -> String {
    let pairs: Vec<_> = selector(instance, component)
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// A name for this process that no other has: that of the machine, and chance.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn unique_identity() -> Result<String, getrandom::Error> {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut chance = [0; 4];
    getrandom::fill(&mut chance)?;
    Ok(format!("{}-{}", machine.trim(), hex(&chance)))
}

/// Name of Redis's StatefulSet and Service.
pub fn redis(instance: &str) -> String {
    format!("{instance}-redis")
}

/// Name of the Secret with Redis's generated password.
pub fn credentials(instance: &str) -> String {
    format!("{instance}-redis-credentials")
}

/// Name of the Secret with the passwords that Redis knows, of which pods mount one each.
pub fn login(instance: &str) -> String {
    format!("{instance}-redis-login")
}

/// Name of the Secret with Redis's users.
pub fn acl(instance: &str) -> String {
    format!("{instance}-redis-acl")
}

/// Name of the generated Secret with an administrator's token.
pub fn admin_tokens(instance: &str) -> String {
    format!("{instance}-admin-tokens")
}

/// Name of the Secret that cert-manager fills for an Ingress.
pub fn tls(instance: &str) -> String {
    format!("{instance}-tls")
}

/// Name of the NetworkPolicy for the API's pods.
pub fn api_policy(instance: &str) -> String {
    format!("{instance}-api")
}

/// Name of the NetworkPolicy for the pods of Jobs.
pub fn jobs_policy(instance: &str) -> String {
    format!("{instance}-jobs")
}

/// Name of the ConfigMap with one of the dashboards.
pub fn dashboard(instance: &str, board: &str) -> String {
    format!("{instance}-dashboard-{board}")
}

/// Grafana's identifier of a dashboard: the same for ever, so that links to it stay good.
pub fn dashboard_uid(namespace: &str, instance: &str, board: &str) -> String {
    let digest = Sha256::digest(format!("{namespace}/{instance}/{board}").as_bytes());
    format!("fad-{}", hex(&digest[..5]))
}

/// Name of the immutable ConfigMap with the API's settings.
pub fn config(instance: &str, hash: &str) -> String {
    format!("{instance}-config-{hash}")
}

/// Name of the immutable ConfigMap with Redis's configuration file.
pub fn redis_config(instance: &str, hash: &str) -> String {
    format!("{instance}-redis-config-{hash}")
}

/// Name of the seed Job.
pub fn seed(instance: &str, hash: &str) -> String {
    format!("{instance}-seed-{hash}")
}

/// Name of a Job that tells Redis of its users.
pub fn acl_sync(instance: &str, hash: &str) -> String {
    format!("{instance}-{ACL_SYNC}-{hash}")
}

/// Name of the CronJob that makes backups, of their volume claim, and of the policy by which they reach
/// object storage.
pub fn backup(instance: &str) -> String {
    format!("{instance}-{BACKUP}")
}

/// Name of the Job that makes a backup before something is changed.
pub fn backup_before(instance: &str, hash: &str) -> String {
    format!("{instance}-{BACKUP}-before-{hash}")
}

/// Name of the ConfigMap with what the resource declares, which goes into each backup.
pub fn declared(instance: &str) -> String {
    format!("{instance}-declared")
}

/// Name of the Job that restores a backup.
pub fn restore(instance: &str, hash: &str) -> String {
    format!("{instance}-{RESTORE}-{hash}")
}

/// Name of Redis's volume claim, which the StatefulSet makes from its template.
pub fn redis_volume(instance: &str) -> String {
    format!("{REDIS_VOLUME}-{}-0", redis(instance))
}

/// Name of Redis's volume within its pod.
pub const REDIS_VOLUME: &str = "data";

/// A hash of `parts` as 8 hexadecimal digits: enough to tell the few configurations of one resource
/// apart, short enough for a name. Parts are kept apart by their length.
pub fn short_hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize()[..4])
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
