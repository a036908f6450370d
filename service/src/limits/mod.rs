//! How often an address may ask: classes of routes, whom a request counts for, and who decides.
//!
//! ```text
//!   edge ▶ class of the route, client_address ▶ Decider ─┬─ redis ── decide.lua, shared by all replicas
//!                                                        └─ local ◀─ when the store is late or away
//!                                       gcra: the arithmetic of both
//! ```

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use futures::future::BoxFuture;

pub(crate) mod client_address;
pub mod gcra;
pub(crate) mod local;
pub(crate) mod redis;

use client_address::Client;
use gcra::{Decision, Quota, in_seconds};

/// As draft-ietf-httpapi-ratelimit-headers names them since its eighth revision.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Routes that share a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Keeps a processor busy.
    Recommend,
    /// Dashboards ask for several at once.
    Stats,
    /// Everything else, paths that do not exist included.
    Other,
}

impl Class {
    pub(crate) const ALL: [Self; 3] = [Self::Recommend, Self::Stats, Self::Other];

    /// The class of a route's pattern; `None` = no limit, for those who watch the process.
    pub(crate) fn of(pattern: &str) -> Option<Self> {
        match pattern.strip_prefix("/api").unwrap_or(pattern) {
            "/health" | "/livez" | "/readyz" | "/metrics" => None,
            "/recommend" | "/refine-recommendations" => Some(Self::Recommend),
            "/stats" => Some(Self::Stats),
            _ => Some(Self::Other),
        }
    }

    /// As metrics, headers and keys name it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Recommend => "recommend",
            Self::Stats => "stats",
            Self::Other => "default",
        }
    }
}

/// How often an address may ask, by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// For recommendations.
    pub recommend: Quota,
    /// For figures about the stock.
    pub stats: Quota,
    /// For everything else.
    pub other: Quota,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            recommend: Quota::new(2, 5),
            stats: Quota::new(10, 20),
            other: Quota::new(10, 10),
        }
    }
}

impl Quotas {
    pub(crate) const fn of(&self, class: Class) -> Quota {
        match class {
            Class::Recommend => self.recommend,
            Class::Stats => self.stats,
            Class::Other => self.other,
        }
    }
}

/// Whoever decides. It always decides: a limiter that fails must not fail the request.
pub(crate) trait Decider: Send + Sync {
    /// Counts a request of a client, and says whether it may go on.
    fn decide(&self, class: Class, client: Client) -> BoxFuture<'_, Decision>;
}

/// Tells a client how it stands, refused or not.
pub(crate) fn add_headers(headers: &mut HeaderMap, class: Class, quota: Quota, decision: &Decision) {
    let name = class.word();
    // The window is rounded up: a client that keeps to it is never refused.
    let policy = format!("\"{name}\";q={};w={}", quota.burst, in_seconds(quota.whole()));
    let standing = format!(
        "\"{name}\";r={};t={}",
        decision.remaining,
        in_seconds(decision.whole_after)
    );
    for (header, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, standing)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header, value);
        }
    }
}
