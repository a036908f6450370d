//! What `kubectl apply -k manifests/install` takes fits the program that it installs.

use std::{collections::BTreeSet, fs};

use clap::Parser;
use faciliauto_operator::{
    area::WatchedNamespaces,
    args::{Arguments, Command},
    names, rbac,
    resources::Kind,
};
use serde_json::Value;

use crate::{golden::repository, restricted::faults};

fn documents(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(repository().join("manifests/install").join(file)).expect(file);
    serde_yaml::from_multiple(&text).expect(file)
}

fn deployment() -> Value {
    documents("deployment.yaml")
        .into_iter()
        .find(|object| object["kind"] == "Deployment")
        .expect("a Deployment")
}

/// Prevents: an operator that its own namespace does not let start.
#[test]
fn operator_passes_the_restricted_standard() {
    assert_eq!(
        faults(&deployment()["spec"]["template"]["spec"]),
        Vec::<String>::new()
    );
}

/// Prevents: a renamed flag or port that leaves the installed operator crashing or never ready.
#[test]
fn installed_arguments_and_probes_fit_the_program() {
    let deployment = deployment();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let flags: Vec<_> = container["args"]
        .as_array()
        .expect("arguments")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let parsed =
        Arguments::try_parse_from(["faciliauto-operator"].into_iter().chain(flags)).expect("arguments");
    let Command::Run(settings) = parsed.command else {
        panic!("the installed operator does not run")
    };
    let port = &container["ports"][0];
    assert_eq!(port["containerPort"], settings.listen.port());
    for (probe, path) in [
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
        assert_eq!(container[probe]["httpGet"]["port"], port["name"]);
    }
    let image = container["image"].as_str().expect("an image");
    assert!(
        image.ends_with(concat!(":", env!("CARGO_PKG_VERSION"))),
        "{image}"
    );
    assert_eq!(deployment["metadata"]["name"], names::FIELD_MANAGER);
}

/// Prevents: one leader with nobody to follow it, a rolling update that waits for a lease which the old
/// process holds, and a process that cannot say who it is.
#[test]
fn two_operators_take_turns() {
    let deployment = deployment();
    let spec = &deployment["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["strategy"]["type"], "RollingUpdate");
    assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let pod = &spec["template"]["spec"];
    let fields: Vec<_> = pod["containers"][0]["env"]
        .as_array()
        .expect("an environment")
        .iter()
        .map(|variable| {
            let field = &variable["valueFrom"]["fieldRef"]["fieldPath"];
            (variable["name"].as_str(), field.as_str())
        })
        .collect();
    assert_eq!(
        fields,
        [
            (Some("FACILIAUTO_OPERATOR_NAMESPACE"), Some("metadata.namespace")),
            (Some("FACILIAUTO_OPERATOR_IDENTITY"), Some("metadata.name")),
        ]
    );
    let budget = documents("deployment.yaml")
        .into_iter()
        .find(|object| object["kind"] == "PodDisruptionBudget")
        .expect("a budget");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    assert_eq!(budget["spec"]["selector"], spec["selector"]);
    assert_eq!(
        pod["topologySpreadConstraints"][0]["labelSelector"],
        spec["selector"]
    );
}

/// Prevents: an operator that may not take its lease, so that nobody leads; and one that may touch
/// others' leases.
#[test]
fn rights_to_the_lease_are_exactly_what_is_used() {
    let role = documents("rbac.yaml")
        .into_iter()
        .find(|object| object["kind"] == "Role")
        .expect("a role");
    assert_eq!(
        role["metadata"]["namespace"],
        deployment()["metadata"]["namespace"]
    );
    assert_eq!(
        role["rules"],
        serde_json::json!([
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
             "resourceNames": [names::FIELD_MANAGER], "verbs": ["get", "update"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        ])
    );
}

/// What the operator asks of the API server; each entry was seen in a run or stands in the code.
fn used() -> BTreeSet<(String, String)> {
    let mut used = BTreeSet::new();
    let mut add = |resource: &str, verbs: &[&str]| {
        used.extend(verbs.iter().map(|verb| (resource.to_owned(), (*verb).to_owned())));
    };
    for kind in Kind::WATCHED.into_iter().chain(Kind::OPTIONAL) {
        add(&kind.api_resource().plural, &["list", "watch"]);
    }
    for kind in Kind::PRUNED {
        add(&kind.api_resource().plural, &["get", "create", "patch", "delete"]);
    }
    add("ingressclasses", &["list", "watch"]);
    add("customresourcedefinitions", &["list", "watch"]);
    add("jobs", &["get", "create", "patch"]);
    add("pods", &["delete"]);
    add("secrets", &["get", "create", "patch"]);
    add("persistentvolumeclaims", &["get", "create", "patch"]);
    add("faciliautodeployments", &["list", "watch"]);
    add("faciliautodeployments/status", &["patch"]);
    add("events", &["list", "create", "patch"]);
    used
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What a role lets its holder do.
fn granted(role: &Value) -> BTreeSet<(String, String)> {
    let mut granted = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for resource in strings(&rule["resources"]) {
            granted.extend(
                strings(&rule["verbs"])
                    .into_iter()
                    .map(|verb| (resource.clone(), verb)),
            );
        }
    }
    granted
}

/// Prevents: an operator of named namespaces that may look beyond them, or may not do its work in one.
#[test]
fn named_namespaces_get_the_same_rights_and_no_others() {
    let namespaces = "vitrine,lojas".parse().expect("namespaces");
    let text = rbac::in_namespaces(&namespaces, "plataforma");
    let documents: Vec<Value> = serde_yaml::from_multiple(&text).expect("YAML");
    let kinds: Vec<_> = documents
        .iter()
        .map(|object| {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (word(&object["kind"]), word(&object["metadata"]["namespace"]))
        })
        .collect();
    let of = |kind: &str, namespace: &str| (kind.to_owned(), namespace.to_owned());
    assert_eq!(
        kinds,
        [
            of("Role", "lojas"),
            of("RoleBinding", "lojas"),
            of("Role", "vitrine"),
            of("RoleBinding", "vitrine"),
        ]
    );
    let mut expected = used();
    // These belong to no namespace.
    let elsewhere = ["ingressclasses", "customresourcedefinitions"];
    expected.retain(|(resource, _)| !elsewhere.contains(&resource.as_str()));
    for pair in documents.chunks(2) {
        assert_eq!(granted(&pair[0]), expected);
        assert_eq!(pair[1]["roleRef"]["name"], pair[0]["metadata"]["name"]);
        assert_eq!(pair[1]["roleRef"]["kind"], "Role");
        assert_eq!(
            pair[1]["subjects"],
            serde_json::json!([{"kind": "ServiceAccount", "name": names::FIELD_MANAGER, "namespace": "plataforma"}])
        );
    }
}

/// Prevents: the namespaced form watching other namespaces than it has rights in, or keeping the rights to
/// the whole cluster.
#[test]
fn namespaced_form_names_the_namespaces_that_its_roles_are_in() {
    let read =
        |file: &str| fs::read_to_string(repository().join("manifests/namespaced").join(file)).expect(file);
    let overlay: Value = serde_yaml::from_str(&read("kustomization.yaml")).expect("YAML");
    let patches = overlay["patches"].as_array().expect("patches");
    let patch = |kind: &str| -> Vec<Value> {
        let patches = patches.iter().filter(|patch| patch["target"]["kind"] == kind);
        patches
            .map(|patch| serde_yaml::from_str(patch["patch"].as_str().expect("a patch")).expect("YAML"))
            .collect()
    };
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        let [patch] = patch(kind).try_into().expect("one patch");
        assert_eq!(
            (&patch["$patch"], &patch["metadata"]["name"]),
            (&"delete".into(), &names::FIELD_MANAGER.into())
        );
    }
    let [patch] = patch("Deployment").try_into().expect("one patch");
    let watched = patch["spec"]["template"]["spec"]["containers"][0]["env"][0].clone();
    assert_eq!(watched["name"], "FACILIAUTO_OPERATOR_WATCH_NAMESPACES");
    let watched: WatchedNamespaces = watched["value"].as_str().expect("a text").parse().expect("names");
    let roles: Vec<Value> = serde_yaml::from_multiple(&read("roles.yaml")).expect("YAML");
    let named: BTreeSet<&str> = roles
        .iter()
        .filter_map(|object| object["metadata"]["namespace"].as_str())
        .collect();
    assert_eq!(
        named.into_iter().collect::<Vec<_>>(),
        watched.names().collect::<Vec<_>>()
    );
}

/// Prevents: an operator that may not do what it has to, and one that may do more than it does.
#[test]
fn rights_are_exactly_what_is_used() {
    let role = documents("rbac.yaml")
        .into_iter()
        .find(|object| object["kind"] == "ClusterRole")
        .expect("a role");
    let (granted, used) = (granted(&role), used());
    let definitions = role["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|rule| strings(&rule["resources"]) == ["customresourcedefinitions"])
        .map(|rule| strings(&rule["resourceNames"]));
    assert_eq!(
        definitions,
        Some(Kind::OPTIONAL.map(Kind::definition).to_vec()),
        "none but those that are watched"
    );
    let missing: Vec<_> = used.difference(&granted).collect();
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(
        missing.is_empty() && unused.is_empty(),
        "missing: {missing:?}\nunused: {unused:?}"
    );
}
