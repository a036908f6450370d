//! The HTTP surface: one table of what is served, one file for each resource. A file has its wire types,
//! their way to and from the engine's values, and a thin handler.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use actix_web::{Route, dev::ServiceRequest, guard, web};

use crate::edge;

mod cars;
mod dealer;
mod dealerships;
mod event_answer;
mod feedback;
mod fuel_price;
mod health;
mod identity;
mod interactions;
mod ml;
mod once;
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
    route: fn() -> Route,
}

impl Endpoint {
    const fn get(path: &'static str, route: fn() -> Route) -> Self {
        Self {
            method: "GET",
            path,
            route,
        }
    }

    const fn managed(method: &'static str, path: &'static str, route: fn() -> Route) -> Self {
        Self { method, path, route }
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
    Endpoint::get("/", || web::to(page::show)),
    Endpoint::get("/assets/{name}", || web::to(page::asset)),
    Endpoint::get("/health", || web::to(health::show)),
    Endpoint::get(LIVENESS, || web::to(health::live)),
    Endpoint::get(READINESS, || web::to(health::ready)),
    Endpoint::get("/dealerships", || web::to(dealerships::list)),
    Endpoint::get("/dealerships/{id}", || web::to(dealerships::show)),
    Endpoint::get("/cars", || web::to(cars::list)),
    Endpoint::get("/cars/{id}", || web::to(cars::show)),
    Endpoint::get("/stats", || web::to(stats::show)),
    Endpoint::get("/categories", || web::to(stats::categories)),
    Endpoint::get("/brands", || web::to(stats::brands)),
    Endpoint::get("/brands-models", || web::to(stats::brands_models)),
    Endpoint::get("/fuel-price", || web::to(fuel_price::show)),
    Endpoint {
        method: "POST",
        path: "/recommend",
        route: || web::to(recommend::recommend),
    },
    Endpoint {
        method: "POST",
        path: "/refine-recommendations",
        route: || web::to(refine::refine_recommendations),
    },
    Endpoint {
        method: "POST",
        path: "/feedback",
        route: || web::to(feedback::give),
    },
    Endpoint::get("/feedback/history/{user_id}", || web::to(feedback::show_history)),
    Endpoint {
        method: "POST",
        path: "/interactions/track",
        route: || web::to(interactions::track),
    },
];

/// What is served to holders of tokens or keys: dealers, administrators, and people about themselves.
pub const MANAGED_ENDPOINTS: &[Endpoint] = &[
    Endpoint::managed("PUT", "/dealerships/{id}", || web::to(dealer::put_dealership)),
    Endpoint::managed("POST", "/dealerships/{id}/token", || web::to(dealer::make_token)),
    Endpoint::managed("DELETE", "/dealerships/{id}/token", || {
        web::to(dealer::revoke_token)
    }),
    Endpoint::managed("GET", "/dealerships/{id}/stock", || web::to(dealer::stock::show)),
    Endpoint::managed("PUT", "/dealerships/{id}/stock", || web::to(dealer::stock::put)),
    Endpoint::managed("PATCH", "/dealerships/{id}/cars/{car_id}", || {
        web::to(dealer::stock::patch_car)
    }),
    Endpoint::managed("GET", "/users/{id}/data", || web::to(people::show)),
    Endpoint::managed("DELETE", "/users/{id}/data", || web::to(people::erase)),
    Endpoint::managed("GET", "/ml/stats", || web::to(ml::stats)),
    Endpoint::managed("GET", "/ml/export-data", || web::to(ml::export)),
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
    // The router looks at one pattern after the other: those that are compared before those that are searched.
    paths.sort_by_key(|(path, _)| path.contains('{'));
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
