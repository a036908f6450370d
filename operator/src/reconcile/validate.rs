//! Validate: the raw resource and what was read become one type in which every default is resolved
//! and every name parsed. Pure.

mod api_settings;
mod backup;
mod exposure;
mod identity;
mod monitoring;
mod network_policy;
mod password;

use faciliauto_api::{
    Autoscaling, DeletionPolicy, DisruptionBudget, FaciliAutoDeployment, FaciliAutoDeploymentSpec, Image,
    ManagedRedis, OnFailure, PodSettings, Quantity, Redis, RedisMode, RedisResources, RedisStorage, Rollout,
    Seed, Stock, Trust,
};
use k8s_openapi::api::{autoscaling::v2::HorizontalPodAutoscalerBehavior, core::v1::Secret};
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use crate::{
    names,
    reconcile::{dereference::Referenced, passwords::Password},
    resources::common::CommonMetadata,
};

pub use api_settings::ApiSettings;
pub use backup::{BackupPlace, BackupSettings, RestorePlace, RestoreSettings};
pub use exposure::{ExposureSettings, GatewaySettings, IngressSettings};
pub use identity::PodIdentity;
pub use monitoring::{Alerts, MonitoringSettings, Scrape};
pub use network_policy::NetworkAccess;

/// What belongs to this release and this installation, and stands in no resource.
#[derive(Clone, Debug)]
pub struct ReleaseDefaults {
    /// Registry and name of the API's image.
    pub service_repository: String,
    /// Its tag: the operator's own version.
    pub service_tag: String,
    /// Image of the managed Redis.
    pub redis_image: String,
    /// Where the operator runs: it must reach the API through any network policy.
    pub operator_namespace: String,
}

/// Why a resource cannot be built from.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource itself is at fault: nothing helps but a change of it.
    #[error("{}", problems.join("; "))]
    Invalid {
        /// What to change, a sentence each.
        problems: Vec<String>,
    },
    /// Something that the resource refers to is not there, and may appear.
    #[error("{message}")]
    MissingReference {
        /// What for.
        of: Reference,
        /// What is missing and what to do.
        message: String,
    },
}

/// What a resource refers to and no pod starts without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The URL of an external Redis.
    RedisUrl,
    /// The administrators' tokens.
    AdminTokens,
    /// Certificate authorities.
    TrustedAuthorities,
    /// The password of a managed Redis.
    RedisPassword,
}

/// The resource that children belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
}

/// A resource with every default resolved.
#[derive(Clone, Debug)]
pub struct Validated {
    /// The resource that children belong to.
    pub owner: Owner,
    /// The API's image.
    pub image: ContainerImage,
    /// Who sets the number of API pods.
    pub scaling: Scaling,
    /// The API's settings.
    pub api: ApiSettings,
    /// Where the first stock comes from.
    pub seed: SeedSource,
    /// The Redis in use.
    pub redis: RedisSettings,
    /// What every key in Redis starts with.
    pub key_prefix: String,
    /// What happens when pods do not become ready.
    pub rollout: RolloutSettings,
    /// Most API pods that may be away on purpose; absent without a budget.
    pub disruption_budget: Option<i32>,
    /// How the API is reached from outside.
    pub exposure: ExposureSettings,
    /// Who may talk to the pods; absent without policies.
    pub network_access: Option<NetworkAccess>,
    /// What Prometheus and Grafana are given.
    pub monitoring: MonitoringSettings,
    /// How backups are made; absent when they are off.
    pub backup: Option<BackupSettings>,
    /// The restore that is declared.
    pub restore: Option<RestoreSettings>,
    /// Whether volumes go with the resource.
    pub delete_volumes: bool,
    /// As whom the pods run.
    pub identity: PodIdentity,
    /// The ConfigMap with authorities that the pods trust; absent without any.
    pub trust: Option<String>,
    /// What every object of the system carries.
    pub common: CommonMetadata,
}

/// The API's image.
#[derive(Clone, Debug)]
pub struct ContainerImage {
    /// What the node pulls.
    pub reference: String,
    /// When it pulls.
    pub pull_policy: &'static str,
    /// Names of Secrets with registry credentials.
    pub pull_secrets: Vec<String>,
}

/// What happens when pods do not become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutSettings {
    /// Whether the last revision that worked is put back.
    pub automatic: bool,
    /// Seconds that pods get.
    pub deadline_seconds: i32,
}

/// Who sets the number of API pods.
#[derive(Clone, Debug)]
pub enum Scaling {
    /// The resource.
    Fixed {
        /// Number of pods.
        replicas: i32,
    },
    /// An autoscaler.
    Automatic {
        /// Fewest pods.
        min: i32,
        /// Most pods.
        max: i32,
        /// CPU to aim at, percent of the request.
        cpu: i32,
        /// Memory to aim at, percent of the request; absent leaves memory out.
        memory: Option<i32>,
        /// How fast, verbatim.
        behavior: Option<HorizontalPodAutoscalerBehavior>,
    },
}

/// Where the first stock comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeedSource {
    /// The image.
    Sample,
    /// Nowhere.
    Nothing,
    /// A ConfigMap that exists.
    ConfigMap {
        /// Its name.
        name: String,
    },
    /// A ConfigMap that does not exist; everything but the import goes on.
    Missing {
        /// What is missing and what to do.
        message: String,
    },
}

/// The Redis in use.
#[derive(Clone, Debug)]
pub enum RedisSettings {
    /// Ours.
    Managed(Box<ManagedRedisSettings>),
    /// Somebody else's.
    External(ExternalRedisSettings),
}

/// The Redis that the operator runs.
#[derive(Clone, Debug)]
pub struct ManagedRedisSettings {
    /// What the node pulls.
    pub image: String,
    /// Size of the volume.
    pub storage: Quantity,
    /// Class of the volume; absent means the cluster's default.
    pub storage_class: Option<String>,
    /// Compute resources.
    pub resources: RedisResources,
    /// The password in the Secret of the user's; absent means that it is generated.
    pub password: Option<Password>,
    /// Bytes of data that Redis may hold.
    pub max_memory_bytes: i128,
    /// The user's wishes about the pod.
    pub pod: PodSettings,
}

/// The Redis that somebody else runs.
#[derive(Clone, Debug)]
pub struct ExternalRedisSettings {
    /// The Secret with the URL.
    pub secret: String,
    /// Its key.
    pub key: String,
    /// Changes with the URL.
    pub fingerprint: String,
    /// The port in the URL.
    pub port: u16,
}

/// The smallest memory limit that a Redis starts with and has room for data.
const LEAST_REDIS_MEMORY_BYTES: i128 = 32 * 1024 * 1024;

/// Resolves every default and parses every name.
///
/// # Errors
/// [`Error::Invalid`] with all problems at once; [`Error::MissingReference`] for the first reference
/// without which no pod could start.
pub fn validate(
    resource: &FaciliAutoDeployment,
    referenced: &Referenced,
    defaults: &ReleaseDefaults,
) -> Result<Validated, Error> {
    // Destructured whole: a new field does not compile until it has an effect.
    let FaciliAutoDeploymentSpec {
        // It decides whether anything is written, not what: see `reconcile/paused.rs`.
        paused: _,
        image,
        replicas,
        autoscaling,
        api,
        stock,
        redis,
        exposure,
        network_policy,
        monitoring,
        rollout: Rollout {
            on_failure,
            deadline_seconds,
        },
        disruption_budget:
            DisruptionBudget {
                enabled: budget_enabled,
                max_unavailable,
            },
        deletion_policy,
        security_context,
        service_account,
        trust: Trust { ca_config_map: trust },
        backup,
        restore,
        common_labels,
        common_annotations,
    } = resource.spec.clone();
    let owner = Owner {
        name: resource.name_any(),
        namespace: resource.namespace().unwrap_or_default(),
        uid: resource.uid().unwrap_or_default(),
    };
    let mut problems = check_name(&owner.name);
    let key_prefix = key_prefix(&owner, &redis);
    let api = api_settings::validate(api, &exposure, &owner, &mut problems);
    let exposure = exposure::validate(exposure, &owner, &mut problems);
    let monitoring = monitoring::validate(monitoring, &api.resources, &mut problems);
    let scaling = scaling(autoscaling, replicas.0, &mut problems);
    let redis = validate_redis(redis, &owner, referenced, defaults, &mut problems);
    let identity = identity::validate(security_context, service_account, &owner, &mut problems);
    let backup = backup::backup(resource, backup, referenced, &mut problems);
    let restore = backup::restore(restore, backup.as_ref(), referenced, &mut problems);
    if !problems.is_empty() {
        return Err(Error::Invalid { problems });
    }
    let redis = redis?;
    api_settings::check_admin_tokens(&api.admin_tokens_secret, referenced, &owner)?;
    identity::check_trust(&trust, referenced, &owner)?;
    Ok(Validated {
        image: container_image(image, defaults),
        scaling,
        api,
        seed: seed_source(stock, referenced, &owner.namespace),
        redis,
        key_prefix,
        disruption_budget: budget_enabled.then_some(max_unavailable),
        rollout: RolloutSettings {
            automatic: on_failure == OnFailure::Automatic,
            deadline_seconds,
        },
        exposure,
        network_access: network_policy::validate(network_policy, &defaults.operator_namespace),
        monitoring,
        backup,
        restore,
        delete_volumes: deletion_policy == DeletionPolicy::Delete,
        identity,
        trust: (!trust.is_empty()).then_some(trust),
        common: CommonMetadata {
            labels: common_labels,
            annotations: common_annotations,
        },
        owner,
    })
}

/// The API server enforces the same; offline nobody else does, and names of children depend on it.
fn check_name(name: &str) -> Vec<String> {
    let fits = name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fits {
        return Vec::new();
    }
    vec![format!(
        "metadata.name {name:?} must be at most 40 lower-case letters, digits or '-', start with a letter and end with a letter or digit"
    )]
}

fn check_compute(part: &str, request: &Option<Quantity>, limit: &Option<Quantity>) -> Vec<String> {
    let both = [request, limit].into_iter().flatten();
    let mut problems: Vec<_> = both
        .filter(|quantity| quantity.nanos().is_none())
        .map(|quantity| format!("{part}: {quantity} is no amount such as 500m or 256Mi"))
        .collect();
    if let (Some(request), Some(limit)) = (request, limit)
        && request.compare(limit) == Some(std::cmp::Ordering::Greater)
    {
        problems.push(format!(
            "{part}: the request {request} must not exceed the limit {limit}"
        ));
    }
    problems
}

/// The image's name with the digest, or else with the tag, or else with the operator's version.
fn container_image(image: Image, defaults: &ReleaseDefaults) -> ContainerImage {
    let Image {
        repository,
        tag,
        digest,
        pull_policy,
        pull_secrets,
    } = image;
    let or = |value: String, default: &str| {
        if value.is_empty() {
            default.to_owned()
        } else {
            value
        }
    };
    let repository = or(repository, &defaults.service_repository);
    let reference = if digest.is_empty() {
        format!("{repository}:{}", or(tag, &defaults.service_tag))
    } else {
        format!("{repository}@{digest}")
    };
    ContainerImage {
        reference,
        pull_policy: pull_policy.word(),
        pull_secrets: pull_secrets.into_iter().map(|secret| secret.name).collect(),
    }
}

fn scaling(autoscaling: Autoscaling, replicas: i32, problems: &mut Vec<String>) -> Scaling {
    let Autoscaling {
        enabled,
        min_replicas,
        max_replicas,
        target_cpu_utilization,
        target_memory_utilization,
        behavior,
    } = autoscaling;
    if !enabled {
        return Scaling::Fixed { replicas };
    }
    if min_replicas > max_replicas {
        problems.push(format!(
            "autoscaling.minReplicas {min_replicas} must not exceed autoscaling.maxReplicas {max_replicas}"
        ));
    }
    Scaling::Automatic {
        min: min_replicas,
        max: max_replicas,
        cpu: target_cpu_utilization,
        memory: (target_memory_utilization > 0).then_some(target_memory_utilization),
        behavior,
    }
}

fn seed_source(stock: Stock, referenced: &Referenced, namespace: &str) -> SeedSource {
    let Stock {
        seed,
        seed_config_map: name,
    } = stock;
    match seed {
        Seed::Sample => SeedSource::Sample,
        Seed::None => SeedSource::Nothing,
        Seed::ConfigMap if referenced.seed_config_map_exists => SeedSource::ConfigMap { name },
        Seed::ConfigMap => SeedSource::Missing {
            message: format!(
                "The ConfigMap {name} that stock.seedConfigMap names is not in namespace {namespace}: create it with the key {}.",
                names::STOCK_FILE
            ),
        },
    }
}

fn key_prefix(owner: &Owner, redis: &Redis) -> String {
    let users = redis
        .external
        .as_ref()
        .filter(|_| redis.mode == RedisMode::External);
    match users.map(|external| external.key_prefix.as_str()) {
        Some(prefix) if !prefix.is_empty() => prefix.to_owned(),
        _ => format!("{}:{}", owner.namespace, owner.name),
    }
}

fn validate_redis(
    redis: Redis,
    owner: &Owner,
    referenced: &Referenced,
    defaults: &ReleaseDefaults,
    problems: &mut Vec<String>,
) -> Result<RedisSettings, Error> {
    let Redis {
        mode,
        managed,
        external,
    } = redis;
    match mode {
        RedisMode::Managed => {
            let password = password::users_password(&managed, owner, referenced);
            let mut settings = validate_managed(managed, defaults, problems);
            settings.password = password?;
            Ok(RedisSettings::Managed(Box::new(settings)))
        }
        RedisMode::External => {
            let key = external.map(|external| external.url_secret).unwrap_or_default();
            if key.name.is_empty() {
                problems.push("redis.mode External needs redis.external.urlSecret.name".to_owned());
            }
            let url = url(&key.name, &key.key, owner, referenced.url_secret.as_ref())?;
            Ok(RedisSettings::External(ExternalRedisSettings {
                fingerprint: url_fingerprint(url, owner),
                port: url_port(url),
                secret: key.name,
                key: key.key,
            }))
        }
    }
}

fn validate_managed(
    managed: ManagedRedis,
    defaults: &ReleaseDefaults,
    problems: &mut Vec<String>,
) -> ManagedRedisSettings {
    let ManagedRedis {
        image,
        storage: RedisStorage {
            size,
            storage_class_name,
        },
        resources,
        // Read beside this.
        password_secret: _,
        pod,
    } = managed;
    problems.extend(check_compute(
        "redis",
        &resources.requests.cpu,
        &resources.limits.cpu,
    ));
    problems.extend(check_compute(
        "redis",
        &resources.requests.memory,
        &resources.limits.memory,
    ));
    if size.units().is_none_or(|bytes| bytes <= 0) {
        problems.push(format!(
            "redis.managed.storage.size {size} must be an amount above 0, such as 1Gi"
        ));
    }
    let limit = resources
        .limits
        .memory
        .as_ref()
        .and_then(Quantity::units)
        .unwrap_or_default();
    if limit < LEAST_REDIS_MEMORY_BYTES {
        problems.push("redis.managed.resources.limits.memory must be at least 32Mi: Redis keeps its data under half of it".to_owned());
    }
    ManagedRedisSettings {
        image: if image.is_empty() {
            defaults.redis_image.clone()
        } else {
            image
        },
        storage: size,
        storage_class: storage_class_name.filter(|class| !class.is_empty()),
        resources,
        password: None,
        max_memory_bytes: limit / 2,
        pod,
    }
}

/// The URL of an external Redis.
fn url<'a>(name: &str, key: &str, owner: &Owner, secret: Option<&'a Secret>) -> Result<&'a [u8], Error> {
    let missing = |message| Error::MissingReference {
        of: Reference::RedisUrl,
        message,
    };
    let Some(secret) = secret else {
        return Err(missing(format!(
            "The Secret {name} that redis.external.urlSecret names is not in namespace {}: create it with the key {key}.",
            owner.namespace
        )));
    };
    let url = secret.data.as_ref().and_then(|data| data.get(key));
    url.map(|url| url.0.as_slice()).ok_or_else(|| {
        missing(format!(
            "The Secret {name} has no key {key}: add it, or name another in redis.external.urlSecret.key."
        ))
    })
}

/// What changes with the URL, so that pods are replaced when it does.
///
/// Everybody who may read Deployments sees it, and a URL may hold a guessable password: 16 bits of
/// its hash help nobody to guess, and miss one change in 65,536.
fn url_fingerprint(url: &[u8], owner: &Owner) -> String {
    names::hex(
        &Sha256::new()
            .chain_update(&owner.uid)
            .chain_update(url)
            .finalize()[..2],
    )
}

/// The port in `redis://user:password@host:port/database`, which a network policy must let through.
fn url_port(url: &[u8]) -> u16 {
    const USUAL: u16 = 6379;
    let text = String::from_utf8_lossy(url);
    let authority = text.trim().split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority
        .rsplit_once('@')
        .map_or(authority, |(_, address)| address);
    // Within brackets a colon belongs to the address.
    let port = address.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    port.and_then(|(_, port)| port.parse().ok()).unwrap_or(USUAL)
}

#[cfg(test)]
mod tests;
