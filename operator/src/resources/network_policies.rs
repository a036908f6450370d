//! Who may talk to whom. Everything that is not in this table is refused, in both directions.
//!
//! | from | to | why |
//! | --- | --- | --- |
//! | anyone, or `ingressFrom` and the operator | API, 8000 | what the system is for |
//! | every pod, or `metricsFrom` | API, 9090 | metrics |
//! | API, Jobs | Redis, 6379 | state |
//! | API, Jobs | anywhere, the port of the URL | an external Redis |
//! | API, Jobs | anywhere, 53 | names |
//! | backups, a restore | anywhere, the port of the object storage | backups that go there |
//!
//! What a node asks its own pods, such as probes, is let through by every network that keeps policies.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
        NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
        util::intstr::IntOrString,
    },
};

use crate::{
    names,
    reconcile::validate::{BackupPlace, NetworkAccess, RedisSettings, RestorePlace, Validated},
    resources::metadata,
};

/// Label that every namespace carries: its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Port of name servers.
const DNS_PORT: i32 = 53;

/// One policy for each part of the system.
pub(crate) fn build(validated: &Validated, access: &NetworkAccess) -> Vec<NetworkPolicy> {
    let instance = &validated.owner.name;
    let mut policies = vec![
        policy(
            validated,
            names::api_policy(instance),
            names::API,
            &[names::API],
            vec![clients(access), metrics_readers(access)],
            client_egress(validated),
        ),
        policy(
            validated,
            names::jobs_policy(instance),
            names::SEED,
            &names::JOBS,
            Vec::new(),
            client_egress(validated),
        ),
    ];
    let ports = object_store_ports(validated);
    if !ports.is_empty() {
        let stores = NetworkPolicyEgressRule {
            // A name whose addresses change, as with an external Redis.
            to: None,
            ports: Some(ports.into_iter().map(tcp).collect()),
        };
        policies.push(policy(
            validated,
            names::backup(instance),
            names::BACKUP,
            &[names::BACKUP, names::RESTORE],
            Vec::new(),
            vec![stores],
        ));
    }
    if matches!(validated.redis, RedisSettings::Managed(_)) {
        let clients = NetworkPolicyIngressRule {
            from: Some(vec![pods_of(instance, &names::REDIS_CLIENTS)]),
            ports: Some(vec![tcp(names::REDIS_PORT)]),
        };
        // It answers and never asks.
        policies.push(policy(
            validated,
            names::redis(instance),
            names::REDIS,
            &[names::REDIS],
            vec![clients],
            Vec::new(),
        ));
    }
    policies
}

fn policy(
    validated: &Validated,
    name: String,
    component: &str,
    pods: &[&str],
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Vec<NetworkPolicyEgressRule>,
) -> NetworkPolicy {
    NetworkPolicy {
        metadata: metadata(&validated.owner, name, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(components(&validated.owner.name, pods)),
            ingress: (!ingress.is_empty()).then_some(ingress),
            egress: (!egress.is_empty()).then_some(egress),
            // Both are named: a direction without a rule is refused whole.
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        }),
    }
}

fn clients(access: &NetworkAccess) -> NetworkPolicyIngressRule {
    let from = (!access.api_clients.is_empty()).then(|| {
        let mut peers = access.api_clients.clone();
        peers.push(operator(&access.operator_namespace));
        peers
    });
    NetworkPolicyIngressRule {
        from,
        ports: Some(vec![tcp(names::HTTP_PORT)]),
    }
}

fn metrics_readers(access: &NetworkAccess) -> NetworkPolicyIngressRule {
    let from = if access.metrics_readers.is_empty() {
        vec![NetworkPolicyPeer {
            namespace_selector: Some(LabelSelector::default()),
            ..NetworkPolicyPeer::default()
        }]
    } else {
        access.metrics_readers.clone()
    };
    NetworkPolicyIngressRule {
        from: Some(from),
        ports: Some(vec![tcp(names::METRICS_PORT)]),
    }
}

/// What the API and Jobs ask: Redis and name servers.
fn client_egress(validated: &Validated) -> Vec<NetworkPolicyEgressRule> {
    let redis = match &validated.redis {
        RedisSettings::Managed(_) => NetworkPolicyEgressRule {
            to: Some(vec![pods_of(&validated.owner.name, &[names::REDIS])]),
            ports: Some(vec![tcp(names::REDIS_PORT)]),
        },
        // A name whose addresses change is nothing that a policy can say; its port is.
        RedisSettings::External(external) => NetworkPolicyEgressRule {
            to: None,
            ports: Some(vec![tcp(i32::from(external.port))]),
        },
    };
    // Anywhere: name servers run in pods, on nodes and outside, as each cluster has it.
    let names = NetworkPolicyEgressRule {
        to: None,
        ports: Some(vec![port("UDP", DNS_PORT), tcp(DNS_PORT)]),
    };
    vec![redis, names]
}

/// Ports at which backups and a restore find object storage; none when they go nowhere else.
fn object_store_ports(validated: &Validated) -> BTreeSet<i32> {
    let backup = validated.backup.as_ref();
    let target = backup.and_then(|backup| match &backup.place {
        BackupPlace::ObjectStore(store) => Some(store),
        BackupPlace::Volume { .. } => None,
    });
    let restore = validated.restore.as_ref();
    let source = restore.and_then(|restore| match &restore.source {
        Some(RestorePlace::ObjectStore(store)) => Some(store),
        Some(RestorePlace::Claim(_)) | None => None,
    });
    let stores = || target.into_iter().chain(source);
    let mut ports: BTreeSet<i32> = stores().map(|store| port_of(&store.endpoint)).collect();
    if stores().any(|store| store.credentials_secret.is_empty()) {
        // Where a cloud gives a pod its identity: its token service, or an address of the node.
        ports.extend([443, 80]);
    }
    ports
}

/// The port in `https://host:port`, or the scheme's own.
fn port_of(endpoint: &str) -> i32 {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("https", endpoint));
    let port = rest.trim_end_matches('/').rsplit_once(':');
    let usual = if scheme == "http" { 80 } else { 443 };
    port.and_then(|(_, port)| port.parse().ok()).unwrap_or(usual)
}

/// The operator's pods: they ask the API how it is.
fn operator(namespace: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(labelled(NAMESPACE_NAME, namespace)),
        pod_selector: Some(labelled(names::NAME, names::FIELD_MANAGER)),
        ip_block: None,
    }
}

fn pods_of(instance: &str, component_names: &[&str]) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(components(instance, component_names)),
        ..NetworkPolicyPeer::default()
    }
}

/// The pods of one or several parts of a system.
fn components(instance: &str, component_names: &[&str]) -> LabelSelector {
    if let [component] = component_names {
        return LabelSelector {
            match_labels: Some(names::selector(instance, component)),
            ..LabelSelector::default()
        };
    }
    let mut labels = names::selector(instance, "");
    labels.remove(names::COMPONENT);
    LabelSelector {
        match_labels: Some(labels),
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: names::COMPONENT.to_owned(),
            operator: "In".to_owned(),
            values: Some(component_names.iter().map(|name| (*name).to_owned()).collect()),
        }]),
    }
}

fn labelled(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some([(key.to_owned(), value.to_owned())].into()),
        ..LabelSelector::default()
    }
}

fn tcp(number: i32) -> NetworkPolicyPort {
    port("TCP", number)
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number)),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    }
}
