//! Where the API and Redis answer.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{names, reconcile::validate::Validated, resources::metadata};

/// The API's Service: port 80 for clients, the metrics port for Prometheus.
pub(crate) fn api(validated: &Validated) -> Service {
    let owner = &validated.owner;
    service(
        validated,
        owner.name.clone(),
        names::API,
        vec![
            port("http", names::SERVICE_PORT),
            port("metrics", names::METRICS_PORT),
        ],
    )
}

/// Redis's Service. It has an address of its own: with a headless one the name would not resolve
/// while Redis restarts, and clients tell "refused" apart from "no such host" slowly.
pub(crate) fn redis(validated: &Validated) -> Service {
    let name = names::redis(&validated.owner.name);
    service(
        validated,
        name,
        names::REDIS,
        vec![port("redis", names::REDIS_PORT)],
    )
}

fn service(validated: &Validated, name: String, component: &str, ports: Vec<ServicePort>) -> Service {
    Service {
        metadata: metadata(&validated.owner, name, component),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(names::selector(&validated.owner.name, component)),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// A port that leads to the container port of the same name.
fn port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}
