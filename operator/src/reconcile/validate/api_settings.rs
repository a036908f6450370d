//! The API's settings, from the spec.

use faciliauto_api::{ApiResources, ApiSpec, Cache, Cors, Exposure, LogLevel, PodSettings, Rate, RateLimits};
use k8s_openapi::api::core::v1::EnvVar;

use super::{Error, Owner, check_compute};
use crate::{names, reconcile::dereference::Referenced};

/// The API's settings.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Compute resources.
    pub resources: ApiResources,
    /// How much it logs.
    pub log_level: &'static str,
    /// Origins whose pages may call the API from a browser.
    pub allowed_origins: Vec<String>,
    /// Whether an address that asks too often is refused.
    pub limits_requests: bool,
    /// How often an address may ask for recommendations.
    pub recommend: Rate,
    /// For figures about the stock.
    pub stats: Rate,
    /// For everything else.
    pub everything_else: Rate,
    /// For how many seconds an answer is sent again.
    pub cache_seconds: i32,
    /// Bytes that such answers may take.
    pub cache_bytes: i128,
    /// Proxies in front of the API that append to X-Forwarded-For.
    pub trusted_hops: i32,
    /// The Secret with the administrators' tokens.
    pub admin_tokens_secret: String,
    /// The user's environment variables.
    pub env: Vec<EnvVar>,
    /// The user's wishes about pods.
    pub pod: PodSettings,
}

/// The most that the service takes.
const MOST_CACHE_BYTES: i128 = 1 << 40;

pub(super) fn validate(
    api: ApiSpec,
    exposure: &Exposure,
    owner: &Owner,
    problems: &mut Vec<String>,
) -> ApiSettings {
    let ApiSpec {
        resources,
        log_level,
        cors: Cors { allowed_origins },
        cache: Cache {
            ttl_seconds: cache_seconds,
            max_bytes,
        },
        rate_limits:
            RateLimits {
                enabled: limits_requests,
                trusted_proxy_hops,
                recommend,
                stats,
                everything_else,
            },
        admin_tokens_secret,
        env,
        pod,
    } = api;
    problems.extend(check_compute(
        "api",
        &resources.requests.cpu,
        &resources.limits.cpu,
    ));
    problems.extend(check_compute(
        "api",
        &resources.requests.memory,
        &resources.limits.memory,
    ));
    let cache_bytes = max_bytes.units();
    if cache_bytes.is_none_or(|bytes| !(0..=MOST_CACHE_BYTES).contains(&bytes)) {
        problems.push(format!(
            "api.cache.maxBytes {max_bytes} must be an amount from 0 to 1Ti, such as 8Mi"
        ));
    }
    // The service refuses to start with such an origin, and a pattern cannot count.
    let impossible = |origin: &&String| {
        origin
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u32>().is_ok_and(|port| port > u32::from(u16::MAX)))
    };
    problems.extend(
        allowed_origins
            .iter()
            .filter(impossible)
            .map(|origin| format!("api.cors.allowedOrigins: {origin} has a port above 65535")),
    );
    // One proxy stands in front of the API as soon as it is reached from outside.
    let exposed = exposure.ingress.enabled || exposure.gateway.enabled;
    ApiSettings {
        resources,
        log_level: LogLevel::word(log_level),
        allowed_origins,
        limits_requests,
        recommend,
        stats,
        everything_else,
        cache_seconds,
        cache_bytes: cache_bytes.unwrap_or_default(),
        trusted_hops: trusted_proxy_hops.unwrap_or(i32::from(exposed)),
        admin_tokens_secret: if admin_tokens_secret.is_empty() {
            names::admin_tokens(&owner.name)
        } else {
            admin_tokens_secret
        },
        env,
        pod,
    }
}

/// Without the file no pod starts, so a Secret of the user's must be there first. The generated one
/// is made before the pods are.
pub(super) fn check_admin_tokens(secret: &str, referenced: &Referenced, owner: &Owner) -> Result<(), Error> {
    if secret == names::admin_tokens(&owner.name) {
        return Ok(());
    }
    let missing = |message| Error::MissingReference {
        of: super::Reference::AdminTokens,
        message,
    };
    let Some(found) = &referenced.admin_tokens else {
        return Err(missing(format!(
            "The Secret {secret} that api.adminTokensSecret names is not in namespace {}: create it with the key {}, a token a line.",
            owner.namespace,
            names::ADMIN_TOKENS_KEY
        )));
    };
    if found
        .data
        .as_ref()
        .is_some_and(|data| data.contains_key(names::ADMIN_TOKENS_KEY))
    {
        return Ok(());
    }
    Err(missing(format!(
        "The Secret {secret} has no key {}: add it, a token a line.",
        names::ADMIN_TOKENS_KEY
    )))
}
