//! The HTTP surface: one table of what is served, one file for each resource. A file has its wire types,
//! their way to and from the engine's values, and a thin handler.

use actix_web::{Route, guard, web};

use crate::edge;

mod cars;
mod dealerships;
mod fuel_price;
mod health;
mod page;
mod query;
mod recommend;
mod root;
mod stats;
mod wire;

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
    /// The only method; a path for `GET` answers `HEAD` too.
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
            _ => route.guard(guard::Post()),
        }
    }
}

/// All that is served.
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

/// Puts every endpoint on an application, at its path and under `/api`.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.app_data(web::PayloadConfig::new(LARGEST_BODY));
    for endpoint in ENDPOINTS {
        let under = format!("{ALSO_UNDER}{}", endpoint.path);
        // The root under the prefix is known both as /api/ and as /api.
        let bare = (endpoint.path == "/").then(|| ALSO_UNDER.to_owned());
        for path in [Some(endpoint.path.to_owned()), Some(under), bare]
            .into_iter()
            .flatten()
        {
            let allow = endpoint.allow();
            let refuse = move || async move { edge::method_not_allowed(allow) };
            let resource = web::resource(path)
                .route(endpoint.guarded())
                .default_service(web::to(refuse));
            config.service(resource);
        }
    }
    config.default_service(web::to(edge::route_not_found));
}
