//! The HTTP surface: one table of what is served, one file for each resource. A file has its wire types,
//! their way to and from the engine's values, and a thin handler.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use actix_web::{Route, dev::ServiceRequest, guard, web};

use crate::edge;
use openapi::Description;

mod assets;
mod cars;
mod dealer;
mod dealerships;
mod docs;
mod event_answer;
mod feedback;
mod fuel_price;
mod health;
mod identity;
mod interactions;
mod ml;
mod once;
pub mod openapi;
mod page;
mod people;
mod query;
mod recommend;
mod refine;
mod root;
mod seen_car;
mod stats;
mod wire;

pub use recommend::answer_to;

/// Where Kubernetes asks whether the process lives.
pub const LIVENESS: &str = "/livez";
/// Where Kubernetes asks whether the process should get traffic.
pub const READINESS: &str = "/readyz";

/// Every path also answers under this.
const ALSO_UNDER: &str = "/api";

/// The largest body taken, in bytes. A questionnaire with every field is under 4 KiB.
pub(crate) const LARGEST_BODY: usize = 64 << 10;

/// A path with what it answers.
pub struct Endpoint {
    /// The method; a path for `GET` answers `HEAD` too.
    pub method: &'static str,
    /// The pattern of the path, without the prefix under which it answers as well.
    pub path: &'static str,
    /// What `/openapi.json` says of it.
    describe: fn() -> Description,
    route: fn() -> Route,
}

impl Endpoint {
    const fn new(
        method: &'static str,
        path: &'static str,
        describe: fn() -> Description,
        route: fn() -> Route,
    ) -> Self {
        Self {
            method,
            path,
            describe,
            route,
        }
    }

    const fn get(path: &'static str, describe: fn() -> Description, route: fn() -> Route) -> Self {
        Self::new("GET", path, describe, route)
    }

    fn allow(&self) -> &'static str {
        match self.method {
            "GET" => "GET, HEAD",
            other => other,
        }
    }

    fn guarded(&self) -> Route {
        let route = (self.route)();
        match self.method {
            "GET" => route.guard(guard::Any(guard::Get()).or(guard::Head())),
            "PUT" => route.guard(guard::Put()),
            "PATCH" => route.guard(guard::Patch()),
            "DELETE" => route.guard(guard::Delete()),
            _ => route.guard(guard::Post()),
        }
    }
}

/// All that is served to everybody.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/", page::describe, || web::to(page::show)),
    Endpoint::get("/assets/{name}", assets::describe, || web::to(assets::show)),
    Endpoint::get("/docs", docs::describe, || web::to(docs::show)),
    Endpoint::get("/openapi.json", openapi::describe, || web::to(openapi::show)),
    Endpoint::get("/health", health::describe, || web::to(health::show)),
    Endpoint::get(LIVENESS, health::describe_live, || web::to(health::live)),
    Endpoint::get(READINESS, health::describe_ready, || web::to(health::ready)),
    Endpoint::get("/dealerships", dealerships::describe_list, || {
        web::to(dealerships::list)
    }),
    Endpoint::get("/dealerships/{id}", dealerships::describe, || {
        web::to(dealerships::show)
    }),
    Endpoint::get("/cars", cars::describe_list, || web::to(cars::list)),
    Endpoint::get("/cars/{id}", cars::describe, || web::to(cars::show)),
    Endpoint::get("/stats", stats::describe, || web::to(stats::show)),
    Endpoint::get("/categories", stats::describe_categories, || {
        web::to(stats::categories)
    }),
    Endpoint::get("/brands", stats::describe_brands, || web::to(stats::brands)),
    Endpoint::get("/brands-models", stats::describe_brands_models, || {
        web::to(stats::brands_models)
    }),
    Endpoint::get("/fuel-price", fuel_price::describe, || web::to(fuel_price::show)),
    Endpoint::new("POST", recommend::PATH, recommend::describe, || {
        web::to(recommend::recommend)
    }),
    Endpoint::new("POST", "/refine-recommendations", refine::describe, || {
        web::to(refine::refine_recommendations)
    }),
    Endpoint::new("POST", "/feedback", feedback::describe, || {
        web::to(feedback::give)
    }),
    Endpoint::get("/feedback/history/{user_id}", feedback::describe_history, || {
        web::to(feedback::show_history)
    }),
    Endpoint::new("POST", "/interactions/track", interactions::describe, || {
        web::to(interactions::track)
    }),
];

/// What is served to holders of tokens or keys: dealers, administrators, and people about themselves.
pub const MANAGED_ENDPOINTS: &[Endpoint] = &[
    Endpoint::new("PUT", "/dealerships/{id}", dealer::describe_put, || {
        web::to(dealer::put_dealership)
    }),
    Endpoint::new(
        "POST",
        "/dealerships/{id}/token",
        dealer::describe_make_token,
        || web::to(dealer::make_token),
    ),
    Endpoint::new(
        "DELETE",
        "/dealerships/{id}/token",
        dealer::describe_revoke_token,
        || web::to(dealer::revoke_token),
    ),
    Endpoint::get("/dealerships/{id}/stock", dealer::stock::describe, || {
        web::to(dealer::stock::show)
    }),
    Endpoint::new(
        "PUT",
        "/dealerships/{id}/stock",
        dealer::stock::describe_put,
        || web::to(dealer::stock::put),
    ),
    Endpoint::new(
        "PATCH",
        "/dealerships/{id}/cars/{car_id}",
        dealer::stock::describe_patch_car,
        || web::to(dealer::stock::patch_car),
    ),
    Endpoint::get("/users/{id}/data", people::describe, || web::to(people::show)),
    Endpoint::new("DELETE", "/users/{id}/data", people::describe_erasure, || {
        web::to(people::erase)
    }),
    Endpoint::get("/ml/stats", ml::describe_stats, || web::to(ml::stats)),
    Endpoint::get("/ml/export-data", ml::describe_export, || web::to(ml::export)),
];

/// Label of requests for no route of ours, so that a scan of made-up paths is one series.
const NO_ROUTE: &str = "unmatched";

/// Every pattern. They live as long as the process, so that a label of one costs nothing.
static PATTERNS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let endpoints = ENDPOINTS.iter().chain(MANAGED_ENDPOINTS);
    endpoints.flat_map(|endpoint| addresses(endpoint.path)).collect()
});

/// The pattern of the route that a request is for.
///
/// By path: a request that panics never says which route it was given to. By the path as the router reads it: an escaped
/// letter must not take a request out of its class.
pub(crate) fn pattern_of(request: &ServiceRequest) -> Cow<'static, str> {
    let path = request.match_info().as_str();
    // A path that is a pattern, letter by letter, is for that route: no search through all of them.
    if let Some(pattern) = PATTERNS.get(path) {
        return Cow::Borrowed(pattern);
    }
    match request.resource_map().match_pattern(path) {
        None => Cow::Borrowed(NO_ROUTE),
        Some(pattern) => PATTERNS
            .get(&pattern)
            .map_or(Cow::Owned(pattern), |pattern| Cow::Borrowed(pattern)),
    }
}

/// Where a path is served: as it is and under the prefix.
fn addresses(path: &str) -> impl Iterator<Item = String> {
    let under = format!("{ALSO_UNDER}{path}");
    // The root under the prefix is known both as /api/ and as /api.
    let bare = (path == "/").then(|| ALSO_UNDER.to_owned());
    [Some(path.to_owned()), Some(under), bare].into_iter().flatten()
}

/// Puts every endpoint on an application, at its path and under `/api`.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.app_data(web::PayloadConfig::new(LARGEST_BODY));
    // The first resource of a path gets all its requests: methods of one path belong into one resource.
    let mut paths: Vec<(&str, Vec<&Endpoint>)> = Vec::new();
    for endpoint in ENDPOINTS.iter().chain(MANAGED_ENDPOINTS) {
        match paths.iter_mut().find(|(path, _)| *path == endpoint.path) {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => paths.push((endpoint.path, vec![endpoint])),
        }
    }
    // The router looks at one pattern after the other: what is asked for most, then those that are compared before those
    // that are searched.
    paths.sort_by_key(|(path, _)| (*path != recommend::PATH, path.contains('{')));
    for (path, endpoints) in paths {
        let allow: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.allow()).collect();
        let allow = allow.join(", ");
        for path in addresses(path) {
            let allow = allow.clone();
            let refuse = move || {
                let allow = allow.clone();
                async move { edge::method_not_allowed(allow) }
            };
            let mut resource = web::resource(path);
            for endpoint in &endpoints {
                resource = resource.route(endpoint.guarded());
            }
            config.service(resource.default_service(web::to(refuse)));
        }
    }
    config.default_service(web::to(edge::route_not_found));
}
