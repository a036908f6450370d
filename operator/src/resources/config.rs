//! The API's settings, as an immutable ConfigMap whose name carries the hash of its content: pods of
//! an older revision keep the settings they were started with.

use std::collections::BTreeMap;

use faciliauto_api::Rate;
use k8s_openapi::api::core::v1::ConfigMap;

use crate::{
    names,
    reconcile::validate::{RedisSettings, Validated},
    resources::metadata,
};

/// Seconds that requests in flight get to finish after SIGTERM.
pub(crate) const DRAIN_SECONDS: i64 = 20;

/// Days for which the service takes backups to be kept when nothing is said. Only others are said: this map's name is in the
/// pods' template, and one more line would replace them all for what they know.
const RETENTION_DAYS: i32 = 7;

pub(crate) fn build(validated: &Validated) -> ConfigMap {
    let settings = settings(validated);
    let hash = names::short_hash(
        settings
            .iter()
            .flat_map(|(key, value)| [key.as_str(), value.as_str()]),
    );
    ConfigMap {
        metadata: metadata(
            &validated.owner,
            names::config(&validated.owner.name, &hash),
            "config",
        ),
        data: Some(settings),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

/// The service's environment; its meaning is the service's `configuration.rs`.
fn settings(validated: &Validated) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> = [
        ("FACILIAUTO_LISTEN", format!("0.0.0.0:{}", names::HTTP_PORT)),
        (
            "FACILIAUTO_METRICS_LISTEN",
            format!("0.0.0.0:{}", names::METRICS_PORT),
        ),
        ("FACILIAUTO_DRAIN_SECONDS", DRAIN_SECONDS.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let api = &validated.api;
    let file = format!("{}/{}", names::ADMIN_TOKENS_FOLDER, names::ADMIN_TOKENS_KEY);
    settings.insert("FACILIAUTO_ADMIN_TOKEN_FILE".to_owned(), file);
    settings.insert(
        "FACILIAUTO_CACHE_TTL_SECONDS".to_owned(),
        api.cache_seconds.to_string(),
    );
    settings.insert(
        "FACILIAUTO_CACHE_MAX_BYTES".to_owned(),
        api.cache_bytes.to_string(),
    );
    for (name, rate) in [
        ("FACILIAUTO_LIMIT_RECOMMEND", api.recommend),
        ("FACILIAUTO_LIMIT_STATS", api.stats),
        ("FACILIAUTO_LIMIT_DEFAULT", api.everything_else),
    ] {
        let Rate {
            requests_per_second,
            burst,
        } = rate;
        settings.insert(name.to_owned(), format!("{requests_per_second}/{burst}"));
    }
    settings.extend(store_settings(validated));
    if api.trusted_hops > 0 {
        settings.insert("FACILIAUTO_TRUSTED_HOPS".to_owned(), api.trusted_hops.to_string());
    }
    if !api.allowed_origins.is_empty() {
        settings.insert(
            "FACILIAUTO_CORS_ORIGINS".to_owned(),
            api.allowed_origins.join(","),
        );
    }
    if !api.limits_requests {
        settings.insert("FACILIAUTO_LIMITS".to_owned(), "off".to_owned());
    }
    // By it an erasure tells a person when the last backup with their data is gone.
    let keep_days = validated.backup.as_ref().map(|backup| backup.keep_days);
    if let Some(days) = keep_days.filter(|days| *days != RETENTION_DAYS) {
        settings.insert("FACILIAUTO_BACKUP_RETENTION_DAYS".to_owned(), days.to_string());
    }
    settings
}

/// What every program of the service's needs to reach the store and to be heard.
pub(crate) fn store_settings(validated: &Validated) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> = [
        ("FACILIAUTO_KEY_PREFIX", validated.key_prefix.clone()),
        ("FACILIAUTO_LOG_LEVEL", validated.api.log_level.to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    if validated.trust.is_some() {
        let file = format!("{}/{}", names::TRUST_FOLDER, names::TRUST_KEY);
        settings.insert("FACILIAUTO_TRUST_CA_FILE".to_owned(), file);
    }
    match &validated.redis {
        RedisSettings::Managed(_) => {
            let url = format!(
                "redis://{}@{}:{}",
                names::REDIS_USER,
                names::redis(&validated.owner.name),
                names::REDIS_PORT
            );
            settings.insert("FACILIAUTO_REDIS_URL".to_owned(), url);
            let file = format!("{}/{}", names::REDIS_SECRET_FOLDER, names::PASSWORD_KEY);
            settings.insert("FACILIAUTO_REDIS_PASSWORD_FILE".to_owned(), file);
        }
        RedisSettings::External(external) => {
            let file = format!("{}/{}", names::REDIS_SECRET_FOLDER, external.key);
            settings.insert("FACILIAUTO_REDIS_URL_FILE".to_owned(), file);
        }
    }
    settings
}
