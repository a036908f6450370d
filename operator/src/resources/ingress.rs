//! The API's Ingress: every host, every path, to the API's Service.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};

use crate::{
    names,
    reconcile::validate::{IngressSettings, Validated},
    resources::metadata,
};

/// By this cert-manager knows that it has to make the certificate.
const CLUSTER_ISSUER: &str = "cert-manager.io/cluster-issuer";

pub(crate) fn build(validated: &Validated, settings: &IngressSettings) -> Ingress {
    let owner = &validated.owner;
    let IngressSettings {
        class,
        hosts,
        tls_secret,
        cluster_issuer,
        annotations,
    } = settings;
    let mut annotations = annotations.clone();
    if let Some(issuer) = cluster_issuer {
        annotations.insert(CLUSTER_ISSUER.to_owned(), issuer.clone());
    }
    let mut metadata = metadata(owner, owner.name.clone(), names::API);
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    let rule = |host: &String| IngressRule {
        host: Some(host.clone()),
        http: Some(HTTPIngressRuleValue {
            paths: vec![HTTPIngressPath {
                path: Some("/".to_owned()),
                path_type: "Prefix".to_owned(),
                backend: IngressBackend {
                    service: Some(IngressServiceBackend {
                        name: owner.name.clone(),
                        port: Some(ServiceBackendPort {
                            name: Some("http".to_owned()),
                            number: None,
                        }),
                    }),
                    resource: None,
                },
            }],
        }),
    };
    Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: class.clone(),
            rules: Some(hosts.iter().map(rule).collect()),
            tls: tls_secret.as_ref().map(|secret| {
                vec![IngressTLS {
                    hosts: Some(hosts.clone()),
                    secret_name: Some(secret.clone()),
                }]
            }),
            ..IngressSpec::default()
        }),
        ..Ingress::default()
    }
}
