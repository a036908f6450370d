//! The API's HTTPRoute: every path of its host names, to the API's Service. Standard fields of v1 only.

use faciliauto_api::ParentRef;

use super::{
    Kind,
    third_party::{HttpRouteSpec, PathMatch, RouteBackend, RouteMatch, RouteParent, RouteRule, ThirdParty},
};
use crate::{
    names,
    reconcile::validate::{GatewaySettings, Validated},
};

pub(crate) fn build(validated: &Validated, settings: &GatewaySettings) -> ThirdParty<HttpRouteSpec> {
    let owner = &validated.owner;
    let GatewaySettings {
        parents,
        hostnames,
        annotations,
    } = settings;
    let spec = HttpRouteSpec {
        parent_refs: parents.iter().map(parent).collect(),
        hostnames: hostnames.clone(),
        rules: vec![RouteRule {
            matches: vec![RouteMatch {
                path: PathMatch {
                    kind: "PathPrefix".to_owned(),
                    value: "/".to_owned(),
                },
            }],
            backend_refs: vec![RouteBackend {
                name: owner.name.clone(),
                port: names::SERVICE_PORT,
            }],
        }],
    };
    ThirdParty::new(
        Kind::HttpRoute,
        owner,
        names::API,
        &Default::default(),
        annotations,
        spec,
    )
}

/// A parent as the route names it.
pub(crate) fn parent(parent: &ParentRef) -> RouteParent {
    let ParentRef {
        name,
        namespace,
        section_name,
        port,
    } = parent.clone();
    RouteParent {
        name,
        namespace,
        section_name,
        port,
    }
}
