//! How the API is reached from outside, from the spec.

use std::collections::BTreeMap;

use faciliauto_api::{Exposure, GatewayExposure, IngressExposure, IngressTls, ParentRef};

use super::Owner;
use crate::names;

/// How the API is reached from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExposureSettings {
    /// By an Ingress.
    pub ingress: Option<IngressSettings>,
    /// By an HTTPRoute.
    pub gateway: Option<GatewaySettings>,
}

/// An Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressSettings {
    /// IngressClass; absent means the cluster's default.
    pub class: Option<String>,
    /// Host names.
    pub hosts: Vec<String>,
    /// The Secret with the certificate; absent means plain HTTP.
    pub tls_secret: Option<String>,
    /// cert-manager's issuer of that certificate.
    pub cluster_issuer: Option<String>,
    /// The user's annotations.
    pub annotations: BTreeMap<String, String>,
}

/// An HTTPRoute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Gateways.
    pub parents: Vec<ParentRef>,
    /// Host names; none means the listener's.
    pub hostnames: Vec<String>,
    /// The user's annotations.
    pub annotations: BTreeMap<String, String>,
}

pub(super) fn validate(exposure: Exposure, owner: &Owner, problems: &mut Vec<String>) -> ExposureSettings {
    let Exposure { ingress, gateway } = exposure;
    ExposureSettings {
        ingress: validate_ingress(ingress, owner, problems),
        gateway: validate_gateway(gateway, problems),
    }
}

fn validate_ingress(
    ingress: IngressExposure,
    owner: &Owner,
    problems: &mut Vec<String>,
) -> Option<IngressSettings> {
    let IngressExposure {
        enabled,
        class_name,
        hosts,
        tls: IngressTls {
            secret_name,
            cluster_issuer,
        },
        annotations,
    } = ingress;
    if !enabled {
        return None;
    }
    if hosts.is_empty() {
        problems.push("exposure.ingress.enabled needs exposure.ingress.hosts".to_owned());
    }
    let cluster_issuer = Some(cluster_issuer).filter(|issuer| !issuer.is_empty());
    let tls_secret = Some(secret_name)
        .filter(|secret| !secret.is_empty())
        .or_else(|| cluster_issuer.as_ref().map(|_| names::tls(&owner.name)));
    Some(IngressSettings {
        class: class_name.filter(|class| !class.is_empty()),
        hosts,
        tls_secret,
        cluster_issuer,
        annotations,
    })
}

fn validate_gateway(gateway: GatewayExposure, problems: &mut Vec<String>) -> Option<GatewaySettings> {
    let GatewayExposure {
        enabled,
        parent_refs,
        hostnames,
        annotations,
    } = gateway;
    if !enabled {
        return None;
    }
    if parent_refs.is_empty() {
        problems.push("exposure.gateway.enabled needs exposure.gateway.parentRefs".to_owned());
    }
    Some(GatewaySettings {
        parents: parent_refs,
        hostnames,
        annotations,
    })
}
