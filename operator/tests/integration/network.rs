//! The built NetworkPolicies let through every pair that the system needs and no other. They are
//! evaluated here, for not every cluster keeps them.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde_json::{Value, json};

use crate::golden::{rendered, repository};

/// Where a connection begins or ends.
#[derive(Clone)]
enum End {
    /// A pod with its labels, in a namespace with its name for a label.
    Pod {
        namespace: &'static str,
        labels: BTreeMap<String, String>,
    },
    /// An address outside the cluster.
    Address(Ipv4Addr),
}

fn pod(namespace: &'static str, labels: &[(&str, &str)]) -> End {
    let labels = labels
        .iter()
        .map(|(key, value)| (format!("app.kubernetes.io/{key}"), (*value).to_owned()));
    End::Pod {
        namespace,
        labels: labels.collect(),
    }
}

/// A pod of one part of a system.
fn part(instance: &str, component: &str) -> End {
    pod(
        "faciliauto",
        &[
            ("name", "faciliauto"),
            ("instance", instance),
            ("component", component),
        ],
    )
}

fn outside(address: &str) -> End {
    End::Address(address.parse().expect("an address"))
}

fn policies(sample: &str) -> Vec<Value> {
    let path = repository().join("manifests/samples").join(sample);
    let documents: Vec<Value> = serde_yaml::from_multiple(&rendered(&path)).expect("YAML");
    documents
        .into_iter()
        .filter(|object| object["kind"] == "NetworkPolicy")
        .collect()
}

fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let among = selector["matchExpressions"].as_array().into_iter().flatten();
    equal
        .into_iter()
        .all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
        && among.into_iter().all(|expression| {
            assert_eq!(expression["operator"], "In", "nothing else is evaluated here");
            let label = labels.get(expression["key"].as_str().expect("a key"));
            label.is_some_and(|label| {
                expression["values"]
                    .as_array()
                    .expect("values")
                    .contains(&json!(label))
            })
        })
}

fn is_peer(peer: &Value, policy_namespace: &str, end: &End) -> bool {
    match end {
        End::Address(address) => peer["ipBlock"]["cidr"].as_str().is_some_and(|block| {
            let (network, length) = block.split_once('/').expect("a block");
            let network: Ipv4Addr = network.parse().expect("a network");
            let length: u32 = length.parse().expect("a length");
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            u32::from(network) & mask == u32::from(*address) & mask
        }),
        End::Pod { namespace, labels } => {
            let in_namespace = if peer["namespaceSelector"].is_null() {
                *namespace == policy_namespace
            } else {
                let of_namespace = [("kubernetes.io/metadata.name".to_owned(), (*namespace).to_owned())];
                selects(&peer["namespaceSelector"], &of_namespace.into())
            };
            peer["ipBlock"].is_null()
                && in_namespace
                && (peer["podSelector"].is_null() || selects(&peer["podSelector"], labels))
        }
    }
}

/// Whether the policies let `this` end of a connection with `other` through.
fn side(
    policies: &[Value],
    direction: &str,
    peers: &str,
    this: &End,
    other: &End,
    port: (&str, i64),
) -> bool {
    let End::Pod { namespace, labels } = this else {
        return true;
    };
    let applying: Vec<_> = policies
        .iter()
        .filter(|policy| policy["metadata"]["namespace"] == *namespace)
        .filter(|policy| selects(&policy["spec"]["podSelector"], labels))
        .filter(|policy| {
            policy["spec"]["policyTypes"]
                .as_array()
                .expect("types")
                .contains(&json!(direction))
        })
        .collect();
    let rules = |policy: &&Value| {
        policy["spec"][direction.to_lowercase()]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    applying.is_empty()
        || applying.iter().flat_map(rules).any(|rule| {
            let list = |key: &str| rule[key].as_array().cloned().unwrap_or_default();
            let (ports, named) = (list("ports"), list(peers));
            let with_port = |allowed: &Value| allowed["protocol"] == port.0 && allowed["port"] == port.1;
            (ports.is_empty() || ports.iter().any(with_port))
                && (named.is_empty() || named.iter().any(|peer| is_peer(peer, namespace, other)))
        })
}

fn is_allowed(policies: &[Value], from: &End, to: &End, port: (&str, i64)) -> bool {
    side(policies, "Egress", "to", from, to, port) && side(policies, "Ingress", "from", to, from, port)
}

const HTTP: (&str, i64) = ("TCP", 8000);
const METRICS: (&str, i64) = ("TCP", 9090);
const REDIS: (&str, i64) = ("TCP", 6379);
const DNS: (&str, i64) = ("UDP", 53);

/// A pair, the port, and whether it is let through.
type Row = (&'static str, End, End, (&'static str, i64), bool);

fn check(sample: &str, rows: Vec<Row>) {
    let policies = policies(sample);
    assert!(policies.len() >= 2, "{sample}");
    for (what, from, to, port, expected) in rows {
        assert_eq!(
            is_allowed(&policies, &from, &to, port),
            expected,
            "{sample}: {what}"
        );
    }
}

/// Prevents: a default that cuts the API off from its Redis, or leaves Redis open to the namespace.
#[test]
fn default_policies_allow_what_is_needed_and_nothing_else() {
    let system = |component: &str| part("faciliauto", component);
    let shop = || pod("shop", &[("name", "shop")]);
    let neighbour = || pod("faciliauto", &[("name", "other")]);
    let other_system = || part("ensaio", "api");
    let names = || pod("kube-system", &[("name", "coredns")]);
    check(
        "minimal.yaml",
        vec![
            ("anyone asks the API", shop(), system("api"), HTTP, true),
            (
                "the internet asks the API",
                outside("203.0.113.9"),
                system("api"),
                HTTP,
                true,
            ),
            (
                "the operator asks the API",
                pod("faciliauto-system", &[("name", "faciliauto-operator")]),
                system("api"),
                HTTP,
                true,
            ),
            ("any pod reads metrics", shop(), system("api"), METRICS, true),
            (
                "the internet reads metrics",
                outside("203.0.113.9"),
                system("api"),
                METRICS,
                false,
            ),
            ("the API asks Redis", system("api"), system("redis"), REDIS, true),
            (
                "the import asks Redis",
                system("seed"),
                system("redis"),
                REDIS,
                true,
            ),
            (
                "who tells Redis of its users asks it",
                system("acl-sync"),
                system("redis"),
                REDIS,
                true,
            ),
            (
                "who tells Redis of its users asks for a name",
                system("acl-sync"),
                names(),
                DNS,
                true,
            ),
            (
                "who tells Redis of its users asks the internet",
                system("acl-sync"),
                outside("203.0.113.9"),
                ("TCP", 443),
                false,
            ),
            (
                "a backup asks Redis",
                system("backup"),
                system("redis"),
                REDIS,
                true,
            ),
            (
                "a restore asks Redis",
                system("restore"),
                system("redis"),
                REDIS,
                true,
            ),
            ("a backup asks for a name", system("backup"), names(), DNS, true),
            (
                "a backup to a volume asks the internet",
                system("backup"),
                outside("203.0.113.9"),
                ("TCP", 443),
                false,
            ),
            ("somebody asks a backup", shop(), system("backup"), HTTP, false),
            (
                "a neighbour asks Redis",
                neighbour(),
                system("redis"),
                REDIS,
                false,
            ),
            (
                "another system asks Redis",
                other_system(),
                system("redis"),
                REDIS,
                false,
            ),
            (
                "the internet asks Redis",
                outside("203.0.113.9"),
                system("redis"),
                REDIS,
                false,
            ),
            (
                "the API asks Redis's host on another port",
                system("api"),
                system("redis"),
                ("TCP", 22),
                false,
            ),
            ("the API asks for a name", system("api"), names(), DNS, true),
            (
                "the API asks for a long name",
                system("api"),
                names(),
                ("TCP", 53),
                true,
            ),
            (
                "the import asks for a name",
                system("seed"),
                outside("192.0.2.53"),
                DNS,
                true,
            ),
            (
                "the API asks the internet",
                system("api"),
                outside("203.0.113.9"),
                ("TCP", 443),
                false,
            ),
            (
                "the import asks the API",
                system("seed"),
                system("api"),
                HTTP,
                false,
            ),
            ("somebody asks the import", shop(), system("seed"), HTTP, false),
            ("Redis asks anybody", system("redis"), system("api"), HTTP, false),
            ("Redis asks for a name", system("redis"), names(), DNS, false),
        ],
    );
}

/// Prevents: named clients beside whom everybody else gets in too, or an operator that is shut out.
#[test]
fn named_clients_are_the_only_ones() {
    let api = || part("vitrine", "api");
    check(
        "ingress-tls.yaml",
        vec![
            (
                "the ingress controller asks",
                pod("traefik", &[("name", "traefik")]),
                api(),
                HTTP,
                true,
            ),
            ("a partner asks", outside("192.0.2.200"), api(), HTTP, true),
            ("the internet asks", outside("203.0.113.9"), api(), HTTP, false),
            (
                "another pod asks",
                pod("shop", &[("name", "shop")]),
                api(),
                HTTP,
                false,
            ),
            (
                "the operator asks",
                pod("faciliauto-system", &[("name", "faciliauto-operator")]),
                api(),
                HTTP,
                true,
            ),
            (
                "a pod that calls itself so asks",
                pod("shop", &[("name", "faciliauto-operator")]),
                api(),
                HTTP,
                false,
            ),
            (
                "a neighbour of the operator asks",
                pod("faciliauto-system", &[("name", "other")]),
                api(),
                HTTP,
                false,
            ),
            (
                "the ingress controller reads metrics",
                pod("traefik", &[("name", "traefik")]),
                api(),
                METRICS,
                true,
            ),
        ],
    );
    let api = || part("medido", "api");
    check(
        "namespaced-monitoring.yaml",
        vec![
            (
                "Prometheus reads",
                pod("monitoring", &[("name", "prometheus")]),
                api(),
                METRICS,
                true,
            ),
            (
                "its neighbour reads",
                pod("monitoring", &[("name", "grafana")]),
                api(),
                METRICS,
                false,
            ),
            (
                "a namesake elsewhere reads",
                pod("shop", &[("name", "prometheus")]),
                api(),
                METRICS,
                false,
            ),
            (
                "anyone asks the API",
                pod("shop", &[("name", "shop")]),
                api(),
                HTTP,
                true,
            ),
        ],
    );
}

/// Prevents: an API that cannot reach the Redis of somebody else.
#[test]
fn external_redis_is_reached_on_its_port() {
    let api = || part("compartilhado", "api");
    check(
        "external-redis.yaml",
        vec![
            ("the API asks Redis", api(), outside("203.0.113.9"), REDIS, true),
            (
                "the import asks Redis",
                part("compartilhado", "seed"),
                pod("redis", &[("name", "redis")]),
                REDIS,
                true,
            ),
            (
                "the API asks something else",
                api(),
                outside("203.0.113.9"),
                ("TCP", 443),
                false,
            ),
        ],
    );
}

/// Prevents: backups that never reach their storage; and an API that may go where only they have to.
#[test]
fn object_storage_is_reached_by_backups_alone() {
    const STORAGE: (&str, i64) = ("TCP", 9000);
    const HTTPS: (&str, i64) = ("TCP", 443);
    let of = |component: &str| part("guardado", component);
    let storage = || outside("203.0.113.9");
    check(
        "object-storage-backup.yaml",
        vec![
            (
                "a backup asks its storage",
                of("backup"),
                storage(),
                STORAGE,
                true,
            ),
            ("a restore asks it", of("restore"), storage(), STORAGE, true),
            ("a backup asks Redis", of("backup"), of("redis"), REDIS, true),
            ("a backup asks elsewhere", of("backup"), storage(), HTTPS, false),
            ("the API asks the storage", of("api"), storage(), STORAGE, false),
            ("the import asks it", of("seed"), storage(), STORAGE, false),
        ],
    );
    let of = |component: &str| part("renascido", component);
    check(
        "restored.yaml",
        vec![
            ("a restore asks its source", of("restore"), storage(), HTTPS, true),
            ("the API asks it", of("api"), storage(), HTTPS, false),
        ],
    );
}
