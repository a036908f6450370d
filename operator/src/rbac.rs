//! What the operator may do: the one table, with a reason for each rule, from which the manifests are
//! made. A test holds it against what the code does.

use std::fmt::Write as _;

use crate::{area::WatchedNamespaces, names};

/// Verbs on some resources of one group.
struct Rule {
    /// Why; lines that become comments.
    reason: &'static [&'static str],
    group: &'static str,
    resources: &'static [&'static str],
    /// Only objects of these names; none means any.
    names: &'static [&'static str],
    verbs: &'static [&'static str],
    /// Whether the resources are in namespaces: a Role cannot speak of others.
    is_namespaced: bool,
}

impl Rule {
    const fn new(
        reason: &'static [&'static str],
        group: &'static str,
        resources: &'static [&'static str],
        verbs: &'static [&'static str],
    ) -> Self {
        Self {
            reason,
            group,
            resources,
            names: &[],
            verbs,
            is_namespaced: true,
        }
    }
}

/// Everything that is done to an object which we keep.
const KEEP: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// Where resources are.
const RULES: &[Rule] = &[
    Rule::new(
        &["The resource itself is watched and never written; only its status is."],
        "faciliauto.com",
        &["faciliautodeployments"],
        &["list", "watch"],
    ),
    Rule::new(
        &[],
        "faciliauto.com",
        &["faciliautodeployments/status"],
        &["patch"],
    ),
    Rule::new(
        &[
            "Children. list and watch by our label; get before the first apply of a name that may belong to",
            "somebody else; create and patch are one server-side apply; delete what is no longer wanted.",
        ],
        "",
        &["configmaps", "services", "serviceaccounts"],
        KEEP,
    ),
    Rule::new(
        &["A StatefulSet is also deleted, without its pod, to make it again with a larger volume."],
        "apps",
        &["deployments", "statefulsets"],
        KEEP,
    ),
    Rule::new(&[], "autoscaling", &["horizontalpodautoscalers"], KEEP),
    Rule::new(&[], "policy", &["poddisruptionbudgets"], KEEP),
    Rule::new(
        &["Network policies, and how the API is reached from outside."],
        "networking.k8s.io",
        &["ingresses", "networkpolicies"],
        KEEP,
    ),
    Rule::new(
        &["Kinds that a cluster may lack; the watch is what tells whether it has them."],
        "gateway.networking.k8s.io",
        &["httproutes"],
        KEEP,
    ),
    Rule::new(
        &[],
        "monitoring.coreos.com",
        &["servicemonitors", "prometheusrules"],
        KEEP,
    ),
    Rule {
        is_namespaced: false,
        names: &[
            "httproutes.gateway.networking.k8s.io",
            "servicemonitors.monitoring.coreos.com",
            "prometheusrules.monitoring.coreos.com",
        ],
        ..Rule::new(
            &[
                "When the definition of such a kind is made: these three alone, watched by name, and only their metadata.",
            ],
            "apiextensions.k8s.io",
            &["customresourcedefinitions"],
            &["list", "watch"],
        )
    },
    Rule {
        is_namespaced: false,
        ..Rule::new(
            &["Read for their names only: an Ingress whose class nobody serves leads nowhere."],
            "networking.k8s.io",
            &["ingressclasses"],
            &["list", "watch"],
        )
    },
    Rule::new(
        &["Jobs are made once and go by their own time to live: no delete."],
        "batch",
        &["jobs"],
        &["get", "list", "watch", "create", "patch"],
    ),
    Rule::new(
        &["Backups by the clock; one that is no longer declared goes, and what it wrote stays."],
        "batch",
        &["cronjobs"],
        KEEP,
    ),
    Rule::new(
        &["Secrets by name only, generated or referred to: no list, no watch, and none is ever deleted."],
        "",
        &["secrets"],
        &["get", "create", "patch"],
    ),
    Rule::new(
        &["The volumes of Redis and of backups: watched by our label, read, made and grown, never deleted."],
        "",
        &["persistentvolumeclaims"],
        &["get", "list", "watch", "create", "patch"],
    ),
    Rule::new(
        &[
            "Read for reasons that people need (image, crash loop, no room), and for which revisions still run. Deleted",
            "by UID where a StatefulSet does not replace a pod that never became ready.",
        ],
        "",
        &["pods"],
        &["list", "watch", "delete"],
    ),
    Rule::new(&[], "apps", &["replicasets"], &["list", "watch"]),
    Rule::new(
        &[
            "Why the cluster refuses the pod of a StatefulSet, which no condition of it tells: listed once, by its UID.",
        ],
        "",
        &["events"],
        &["list"],
    ),
    Rule::new(
        &["What `kubectl describe` shows; a repeated event is one that is patched."],
        "events.k8s.io",
        &["events"],
        &["create", "patch"],
    ),
];

/// In the operator's own namespace.
const LEASE_RULES: &[Rule] = &[
    Rule {
        names: &[names::FIELD_MANAGER],
        ..Rule::new(
            &[
                "get to see whether the leader still renews it; update to renew it, to take it over and to give it back.",
            ],
            "coordination.k8s.io",
            &["leases"],
            &["get", "update"],
        )
    },
    Rule::new(
        &["Made once. A right to create cannot be limited to a name."],
        "coordination.k8s.io",
        &["leases"],
        &["create"],
    ),
];

/// Name of the Role in each namespace that is named. Not that of the lease's: both may be in one.
const ROLE_IN_NAMESPACE: &str = "faciliauto-operator-systems";

/// Everything for an operator in `operator_namespace` that watches the whole cluster, as YAML.
pub fn everywhere(operator_namespace: &str) -> String {
    let mut text = String::from(
        "# What the operator may do: exactly the verbs that it uses, and the reason beside each. Generated by\n\
         # `make generate` from operator/src/rbac.rs; a test holds the table against the code.\n",
    );
    text += &account(operator_namespace);
    text += "---\n";
    text += &role("ClusterRole", names::FIELD_MANAGER, None, RULES.iter());
    text += "---\n";
    text += &binding("ClusterRole", names::FIELD_MANAGER, None, operator_namespace);
    text += "---\n";
    text += &lease(operator_namespace);
    text
}

/// What takes the place of the ClusterRole and its binding for an operator in `operator_namespace` that
/// watches only the named namespaces, as YAML.
pub fn in_namespaces(namespaces: &WatchedNamespaces, operator_namespace: &str) -> String {
    let mut text = String::from(
        "# What the operator may do in the namespaces that it watches, in place of the ClusterRole\n\
         # faciliauto-operator and its binding. Generated: see docs/command-line.md.\n",
    );
    for (index, namespace) in namespaces.names().enumerate() {
        if index > 0 {
            text += "---\n";
        }
        let rules = RULES.iter().filter(|rule| rule.is_namespaced);
        text += &role("Role", ROLE_IN_NAMESPACE, Some(namespace), rules);
        text += "---\n";
        text += &binding("Role", ROLE_IN_NAMESPACE, Some(namespace), operator_namespace);
    }
    text
}

/// The rights to the Lease, in the operator's own namespace, as YAML.
pub fn lease(operator_namespace: &str) -> String {
    let name = names::FIELD_MANAGER;
    format!(
        "# In the operator's own namespace only: the Lease by which one of its processes leads.\n{}---\n{}",
        role("Role", name, Some(operator_namespace), LEASE_RULES.iter()),
        binding("Role", name, Some(operator_namespace), operator_namespace)
    )
}

/// The operator's identity, as YAML.
pub fn account(operator_namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\n{}",
        metadata(names::FIELD_MANAGER, Some(operator_namespace))
    )
}

fn metadata(name: &str, namespace: Option<&str>) -> String {
    let namespace = namespace
        .map(|namespace| format!("  namespace: {namespace}\n"))
        .unwrap_or_default();
    let label = names::FIELD_MANAGER;
    format!(
        "metadata:\n  name: {name}\n{namespace}  labels: {{app.kubernetes.io/name: {label}, app.kubernetes.io/part-of: faciliauto}}\n"
    )
}

fn role<'a>(
    kind: &str,
    name: &str,
    namespace: Option<&str>,
    rules: impl Iterator<Item = &'a Rule>,
) -> String {
    let mut text = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\n{}rules:\n",
        metadata(name, namespace)
    );
    for rule in rules {
        let Rule {
            reason,
            group,
            resources,
            names,
            verbs,
            is_namespaced: _,
        } = rule;
        for line in *reason {
            text += &format!("# {line}\n");
        }
        let group = if group.is_empty() { "\"\"" } else { group };
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "- apiGroups: [{group}]\n  resources: [{}]",
            resources.join(", ")
        );
        match names.len() {
            0 => {}
            1 => {
                let _ = writeln!(text, "  resourceNames: [{}]", names.join(", "));
            }
            _ => {
                let _ = writeln!(text, "  resourceNames:\n  - {}", names.join("\n  - "));
            }
        }
        let _ = writeln!(text, "  verbs: [{}]", verbs.join(", "));
    }
    text
}

fn binding(kind: &str, name: &str, namespace: Option<&str>, operator_namespace: &str) -> String {
    let account = names::FIELD_MANAGER;
    let metadata = metadata(name, namespace);
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding\n{metadata}\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {name}}}\n\
         subjects:\n- {{kind: ServiceAccount, name: {account}, namespace: {operator_namespace}}}\n"
    )
}
