//! What `kubectl apply -k manifests/install` takes fits the program that it installs.

use std::{collections::BTreeSet, fs};

use clap::Parser;
use faciliauto_operator::{
    args::{Arguments, Command},
    names,
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
    add("persistentvolumeclaims", &["get", "patch"]);
    add("faciliautodeployments", &["list", "watch"]);
    add("faciliautodeployments/status", &["patch"]);
    add("events", &["list", "create", "patch"]);
    used
}

/// Prevents: an operator that may not do what it has to, and one that may do more than it does.
#[test]
fn rights_are_exactly_what_is_used() {
    let role = documents("rbac.yaml")
        .into_iter()
        .find(|object| object["kind"] == "ClusterRole")
        .expect("a role");
    let strings = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
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
    let used = used();
    let missing: Vec<_> = used.difference(&granted).collect();
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(
        missing.is_empty() && unused.is_empty(),
        "missing: {missing:?}\nunused: {unused:?}"
    );
}
