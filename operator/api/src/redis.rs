//! The Redis that holds the stock and everything the API remembers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ComputeQuantities, PodSettings, Quantity};

/// The Redis that holds the stock and everything the API remembers.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.mode == oldSelf.mode",
        "message": "redis.mode cannot change: the data would stay behind; make a new resource instead",
    },
    {
        "rule": "self.mode != 'External' || (has(self.external) && size(self.external.urlSecret.name) > 0)",
        "message": "redis.mode External needs redis.external.urlSecret.name: a Secret whose key holds the redis:// or rediss:// URL",
    },
    {
        "rule": "self.mode != 'External' || !has(self.managed) || !has(self.managed.passwordSecret) || size(self.managed.passwordSecret) == 0",
        "message": "redis.managed.passwordSecret has no effect with redis.mode External: remove it, and put the password into the URL",
    },
    {
        "rule": "self.mode != 'Managed' || !has(self.external) || size(self.external.urlSecret.name) == 0",
        "message": "redis.external.urlSecret has no effect with redis.mode Managed: remove it, or set redis.mode: External in a new resource",
    },
]))]
pub struct Redis {
    /// Managed runs one Redis with a volume beside the API; External uses one of yours. It cannot
    /// change later.
    pub mode: RedisMode,

    /// The Redis that the operator runs, in mode Managed.
    pub managed: ManagedRedis,

    /// The Redis of yours, in mode External.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalRedis>,
}

/// Who runs Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RedisMode {
    /// The operator.
    #[default]
    Managed,
    /// Somebody else.
    External,
}

/// The Redis that the operator runs.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedRedis {
    /// Image with tag or digest: any Redis 7 or newer, or Valkey 8 or newer, whose entry point takes
    /// the path of a configuration file. Default: the one that belongs to the operator's release.
    #[schemars(length(max = 512), regex(pattern = r"^([a-zA-Z0-9][a-zA-Z0-9.:/_@-]*)?$"))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,

    /// Name of a Secret whose key `password` holds the password, 16 to 512 characters in one line, as a
    /// secrets manager may fill and change it. Default: the operator makes `<name>-redis-credentials`. A
    /// change is followed within two minutes, and no request is refused meanwhile.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password_secret: String,

    /// Redis's volume.
    pub storage: RedisStorage,

    /// Compute resources of Redis. Redis keeps its data under half of the memory limit, so that a
    /// rewrite of its file fits beside them.
    pub resources: RedisResources,

    /// Labels, annotations and placement of Redis's pod.
    pub pod: PodSettings,
}

/// Redis's volume.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
        "message": "redis.managed.storage.size may grow but never shrink: give at least the present size",
    },
    {
        "rule": "quantity(string(self.size)).isGreaterThan(quantity('0'))",
        "message": "redis.managed.storage.size must be more than 0",
    },
    {
        "rule": "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
        "message": "redis.managed.storage.storageClassName cannot change: a volume stays in its class; make a new resource instead",
    },
]))]
pub struct RedisStorage {
    /// Size of the volume. It may grow where the StorageClass allows that, and never shrinks.
    pub size: Quantity,

    /// StorageClass of the volume. Default: the cluster's default class. It cannot change later.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
}

impl Default for RedisStorage {
    fn default() -> Self {
        Self {
            size: Quantity::from("1Gi"),
            storage_class_name: None,
        }
    }
}

/// Compute resources of Redis.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.limits.memory)",
        "message": "redis.managed.resources.limits.memory is needed: Redis keeps its data under half of it",
    },
    {
        "rule": "!has(self.limits.memory) || quantity(string(self.limits.memory)).compareTo(quantity('32Mi')) >= 0",
        "message": "redis.managed.resources.limits.memory must be at least 32Mi: Redis does not start with less",
    },
    {
        "rule": "!has(self.requests.cpu) || !has(self.limits.cpu) || quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0",
        "message": "redis.managed.resources.requests.cpu must not exceed redis.managed.resources.limits.cpu: raise the limit or lower the request",
    },
    {
        "rule": "!has(self.requests.memory) || !has(self.limits.memory) || quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0",
        "message": "redis.managed.resources.requests.memory must not exceed redis.managed.resources.limits.memory: raise the limit or lower the request",
    },
]))]
pub struct RedisResources {
    /// What the pod is guaranteed.
    pub requests: ComputeQuantities,

    /// What the pod may use at most; memory is required.
    pub limits: ComputeQuantities,
}

impl Default for RedisResources {
    fn default() -> Self {
        Self {
            requests: ComputeQuantities::of(Some("50m"), Some("128Mi")),
            limits: ComputeQuantities::of(None, Some("256Mi")),
        }
    }
}

/// A Redis that somebody else runs.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.keyPrefix) || self.keyPrefix.matches('^[A-Za-z0-9:._-]*$')",
        "message": "redis.external.keyPrefix may hold letters, digits and : . _ - only",
        "fieldPath": ".keyPrefix",
    },
]))]
pub struct ExternalRedis {
    /// The Secret that holds the URL, `redis://…` or `rediss://…`, user and password included.
    pub url_secret: SecretKey,

    /// What every key starts with, so that several systems can share one Redis.
    /// Default: `<namespace>:<name>`.
    #[schemars(length(max = 128))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key_prefix: String,
}

/// A key of a Secret in the resource's namespace.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    pub name: String,

    /// Key within the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

impl Default for SecretKey {
    fn default() -> Self {
        Self {
            name: String::new(),
            key: "url".to_owned(),
        }
    }
}
