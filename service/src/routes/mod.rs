//! The HTTP surface: one table of what is served, one file for each resource. A file has its wire types,
//! their way to and from the engine's values, and a thin handler.

use actix_web::{Route, guard, web};

use crate::edge;

mod cars;
mod dealer;
mod dealerships;
mod fuel_price;
mod health;
mod page;
mod query;
mod recommend;
mod root;
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
];

/// What is served to holders of tokens: dealers and administrators.
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
];

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
    for (path, endpoints) in paths {
        let under = format!("{ALSO_UNDER}{path}");
        // The root under the prefix is known both as /api/ and as /api.
        let bare = (path == "/").then(|| ALSO_UNDER.to_owned());
        let allow: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.allow()).collect();
        let allow = allow.join(", ");
        for path in [Some(path.to_owned()), Some(under), bare].into_iter().flatten() {
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
