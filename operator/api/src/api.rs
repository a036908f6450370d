//! The API's own settings.

use k8s_openapi::api::core::v1::EnvVar;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ComputeQuantities, PodSettings, Quantity};

/// The API's settings, resources and pods.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.env) || self.env.all(e, !e.name.startsWith('FACILIAUTO_'))",
        "message": "api.env must not set variables that start with FACILIAUTO_: they belong to the operator, use the spec's fields instead",
        "fieldPath": ".env",
    },
    {
        "rule": "!has(self.resources.limits.memory) || quantity(string(self.cache.maxBytes)).compareTo(quantity(string(self.resources.limits.memory))) < 0",
        "message": "api.cache.maxBytes must be less than api.resources.limits.memory: lower the one or raise the other",
    },
]))]
pub struct ApiSpec {
    /// Compute resources of the API container.
    pub resources: ApiResources,

    /// How much the API logs.
    pub log_level: LogLevel,

    /// Pages of other sites that may call the API from a browser.
    pub cors: Cors,

    /// Answers that are sent again when the same is asked.
    pub cache: Cache,

    /// How often one client address may ask.
    pub rate_limits: RateLimits,

    /// Name of a Secret whose key `admin` holds the administrators' tokens, one a line. Default: the
    /// operator makes `<name>-admin-tokens` with one token. Pods follow a change within a minute or two.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub admin_tokens_secret: String,

    /// More environment variables for the API container.
    #[schemars(length(max = 64))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,

    /// Labels, annotations and placement of the API's pods.
    pub pod: PodSettings,
}

/// Pages of other sites that may call the API from a browser.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cors {
    /// Origins of those pages: `https://HOST` or `https://HOST:PORT`, without a path.
    #[schemars(length(max = 32))]
    #[schemars(inner(
        length(max = 300),
        regex(pattern = r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$")
    ))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
}

/// Answers that are sent again when the same is asked, kept by each pod for itself. No answer outlives the
/// stock that it was made of.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cache {
    /// For how many seconds an answer is sent again; 0 = never.
    #[schemars(range(min = 0, max = 86_400))]
    pub ttl_seconds: i32,

    /// How much memory the answers of one pod may take, part of its memory limit; 0 = none is kept.
    pub max_bytes: Quantity,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            ttl_seconds: 300,
            max_bytes: Quantity::from("8Mi"),
        }
    }
}

/// How often an address may ask for something.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// Requests a second in the long run.
    #[schemars(range(min = 1, max = 10_000))]
    pub requests_per_second: i32,

    /// Requests at once, from idle.
    #[schemars(range(min = 1, max = 100_000))]
    pub burst: i32,
}

impl Rate {
    const fn new(requests_per_second: i32, burst: i32) -> Self {
        Self {
            requests_per_second,
            burst,
        }
    }
}

/// How often one client address may ask, counted by all replicas together.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RateLimits {
    /// Whether an address that asks too often is refused.
    pub enabled: bool,

    /// Proxies of your own in front of the API that append to X-Forwarded-For; clients are told apart
    /// by the address that the outermost of them saw. Default: 1 with an ingress or gateway, else 0.
    #[schemars(range(min = 0, max = 16))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_proxy_hops: Option<i32>,

    /// For recommendations, which keep a processor busy.
    pub recommend: Rate,

    /// For figures about the stock, of which a dashboard asks for several at once.
    pub stats: Rate,

    /// For everything else.
    #[serde(rename = "default")]
    pub everything_else: Rate,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            trusted_proxy_hops: None,
            recommend: Rate::new(2, 5),
            stats: Rate::new(10, 20),
            everything_else: Rate::new(10, 10),
        }
    }
}

/// Compute resources of the API container.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.requests.cpu) || !has(self.limits.cpu) || quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0",
        "message": "api.resources.requests.cpu must not exceed api.resources.limits.cpu: raise the limit or lower the request",
    },
    {
        "rule": "!has(self.requests.memory) || !has(self.limits.memory) || quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0",
        "message": "api.resources.requests.memory must not exceed api.resources.limits.memory: raise the limit or lower the request",
    },
]))]
pub struct ApiResources {
    /// What each pod is guaranteed. Autoscaling measures use against it.
    pub requests: ComputeQuantities,

    /// What each pod may use at most.
    pub limits: ComputeQuantities,
}

impl Default for ApiResources {
    fn default() -> Self {
        Self {
            requests: ComputeQuantities::of(Some("100m"), Some("256Mi")),
            limits: ComputeQuantities::of(None, Some("512Mi")),
        }
    }
}

/// How much the API logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// And what looks wrong.
    Warn,
    /// And what happens.
    #[default]
    Info,
    /// And how.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word that the service's settings take.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
