//! Whether the API can be reached from outside, and which of two ways stays until the other works. Pure.

use std::time::Duration;

use faciliauto_api::{Exposure, GatewayExposure, IngressExposure};
use k8s_openapi::{
    api::networking::v1::Ingress,
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta},
    jiff::Timestamp,
};
use serde::Deserialize;

use crate::{
    capabilities::{Availability, Capabilities, IngressClasses},
    reconcile::observe::Observed,
    resources::{Kind, http_route, third_party::RouteParent},
};

/// How long the old way stays at most while the new one does not work.
const HANDOVER: Duration = Duration::from_secs(300);

/// How one way stands, as conditions tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// True, False or Unknown.
    pub status: &'static str,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
}

impl Standing {
    fn new(status: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn works(&self) -> bool {
        self.status == "True"
    }
}

/// An HTTPRoute as far as we read it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HttpRoute {
    /// Name, generation and when it was made.
    pub metadata: ObjectMeta,
    /// What the Gateways' controllers say.
    pub status: HttpRouteStatus,
}

/// What the controllers of the Gateways say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HttpRouteStatus {
    /// One entry for each Gateway and controller.
    pub parents: Vec<ParentStatus>,
}

/// What one controller says about one Gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentStatus {
    /// Which Gateway.
    pub parent_ref: RouteParent,
    /// What holds.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// How all declared ways stand: the worst of them; none when none is declared.
pub fn standing(exposure: &Exposure, observed: &Observed, capabilities: &Capabilities) -> Option<Standing> {
    let ways = [
        ingress_standing(
            &exposure.ingress,
            observed.ingress.as_ref(),
            &capabilities.ingress_classes,
        ),
        gateway_standing(
            &exposure.gateway,
            observed.http_route.as_ref(),
            &capabilities.of(Kind::HttpRoute),
        ),
    ];
    let rank = |standing: &Standing| match standing.status {
        "False" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    ways.into_iter().flatten().min_by_key(rank)
}

/// An Ingress works when it is there and somebody serves its class.
pub fn ingress_standing(
    declared: &IngressExposure,
    ingress: Option<&Ingress>,
    classes: &IngressClasses,
) -> Option<Standing> {
    if !declared.enabled {
        return None;
    }
    let Some(ingress) = ingress else {
        return Some(Standing::new(
            "False",
            "IngressMissing",
            "The Ingress does not exist yet.",
        ));
    };
    let IngressClasses::Known(classes) = classes else {
        return Some(Standing::new(
            "Unknown",
            Availability::NOT_PERMITTED,
            "The operator may not read the cluster's ingress classes; whether one serves the Ingress is not known.",
        ));
    };
    // The API server fills in the default class when an Ingress is made.
    let filled_in = ingress
        .spec
        .as_ref()
        .and_then(|spec| spec.ingress_class_name.as_deref());
    let class = declared
        .class_name
        .as_deref()
        .filter(|class| !class.is_empty())
        .or(filled_in);
    Some(match class {
        Some(class) if classes.contains_key(class) => Standing::new(
            "True",
            "IngressApplied",
            format!("The Ingress is served by class {class}."),
        ),
        Some(class) => Standing::new(
            "False",
            "IngressClassMissing",
            format!(
                "The cluster has no IngressClass {class}: install its ingress controller, or name another in exposure.ingress.className."
            ),
        ),
        None if classes.values().any(|is_default| *is_default) => Standing::new(
            "True",
            "IngressApplied",
            "The Ingress is served by the cluster's default class.",
        ),
        None => Standing::new(
            "False",
            "IngressClassMissing",
            "The cluster has no default IngressClass: name one in exposure.ingress.className.",
        ),
    })
}

/// An HTTPRoute works when every Gateway has accepted it, as it is now, and found the Service.
pub fn gateway_standing(
    declared: &GatewayExposure,
    route: Option<&HttpRoute>,
    availability: &Availability,
) -> Option<Standing> {
    if !declared.enabled {
        return None;
    }
    match availability {
        Availability::Present => {}
        Availability::Absent => {
            return Some(Standing::new(
                "False",
                "GatewayApiMissing",
                "The cluster has no HTTPRoute (gateway.networking.k8s.io/v1): install the Gateway API, or use exposure.ingress.",
            ));
        }
        Availability::Unknown { reason } => {
            return Some(Standing::new(
                "Unknown",
                reason,
                "The operator cannot read HTTPRoutes; whether the API is reached through the Gateway is not known.",
            ));
        }
    }
    let Some(route) = route else {
        return Some(Standing::new(
            "False",
            "HttpRouteMissing",
            "The HTTPRoute does not exist yet.",
        ));
    };
    let trouble = declared
        .parent_refs
        .iter()
        .find_map(|parent| parent_trouble(&http_route::parent(parent), route));
    Some(trouble.unwrap_or_else(|| {
        Standing::new(
            "True",
            "HttpRouteAccepted",
            "Every Gateway has accepted the HTTPRoute.",
        )
    }))
}

/// What keeps one Gateway from serving the route.
fn parent_trouble(parent: &RouteParent, route: &HttpRoute) -> Option<Standing> {
    let is_this = |status: &&ParentStatus| {
        let RouteParent {
            name,
            namespace,
            section_name,
            port,
        } = &status.parent_ref;
        let own = route.metadata.namespace.as_ref();
        *name == parent.name
            && namespace.as_ref().or(own) == parent.namespace.as_ref().or(own)
            && *section_name == parent.section_name
            && *port == parent.port
    };
    let generation = route.metadata.generation.unwrap_or(0);
    let statuses: Vec<_> = route.status.parents.iter().filter(is_this).collect();
    let mut found = Standing::new(
        "False",
        "WaitingForGateway",
        format!(
            "Gateway {} has not answered for the HTTPRoute yet: check that it exists and that its controller runs.",
            parent.name
        ),
    );
    // Several controllers may answer for one Gateway; one that serves it is enough.
    for status in statuses {
        let of = |kind: &str| {
            let current = |condition: &&Condition| {
                condition.type_ == kind && condition.observed_generation.unwrap_or(0) >= generation
            };
            status.conditions.iter().find(current)
        };
        let conditions = [of("Accepted"), of("ResolvedRefs")];
        if conditions
            .iter()
            .all(|condition| condition.is_some_and(|condition| condition.status == "True"))
        {
            return None;
        }
        if let Some(bad) = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition.status == "False")
        {
            let message = format!("Gateway {}: {}", parent.name, bad.message);
            found = Standing::new("False", &bad.reason, message);
        }
    }
    Some(found)
}

/// The way that is no longer declared and stays all the same, because the other one does not work
/// yet; with the time after which it goes at the latest, as soon as that is known.
pub fn kept_until_the_other_works(
    exposure: &Exposure,
    observed: &Observed,
    capabilities: &Capabilities,
    now: Timestamp,
) -> Option<(Kind, Option<Duration>)> {
    let Exposure { ingress, gateway } = exposure;
    let (old, made, standing) = if gateway.enabled && !ingress.enabled && observed.ingress.is_some() {
        let route = observed.http_route.as_ref();
        let standing = gateway_standing(gateway, route, &capabilities.of(Kind::HttpRoute));
        (Kind::Ingress, route.map(|route| &route.metadata), standing)
    } else if ingress.enabled && !gateway.enabled && observed.http_route.is_some() {
        let new = observed.ingress.as_ref();
        let standing = ingress_standing(ingress, new, &capabilities.ingress_classes);
        (Kind::HttpRoute, new.map(|new| &new.metadata), standing)
    } else {
        return None;
    };
    if standing.is_some_and(|standing| standing.works()) {
        return None;
    }
    let Some(made) = made.and_then(|metadata| metadata.creation_timestamp.as_ref()) else {
        return Some((old, None));
    };
    let age = Duration::from_secs(u64::try_from(now.as_second() - made.0.as_second()).unwrap_or(0));
    let left = HANDOVER.checked_sub(age).filter(|left| !left.is_zero())?;
    Some((old, Some(left)))
}

/// Where the API answers: the first host name that is no pattern; within the cluster else.
pub fn url(exposure: &Exposure, namespace: &str, name: &str) -> String {
    let first = |names: &[String]| names.iter().find(|name| !name.starts_with('*')).cloned();
    let Exposure { ingress, gateway } = exposure;
    if let Some(host) = first(&ingress.hosts).filter(|_| ingress.enabled) {
        let is_encrypted = !(ingress.tls.secret_name.is_empty() && ingress.tls.cluster_issuer.is_empty());
        let scheme = if is_encrypted { "https" } else { "http" };
        return format!("{scheme}://{host}");
    }
    // Its certificate is the Gateway's own matter; one in production has one.
    if let Some(host) = first(&gateway.hostnames).filter(|_| gateway.enabled) {
        return format!("https://{host}");
    }
    format!("http://{name}.{namespace}.svc")
}

#[cfg(test)]
mod tests;
