//! Every pod that is built passes the *restricted* pod security standard, and our own rules.

use serde_json::Value;

use crate::golden::{rendered, samples};

/// All documents of all samples.
fn objects() -> Vec<(String, Value)> {
    samples()
        .iter()
        .flat_map(|sample| {
            let documents: Vec<Value> = serde_yaml::from_multiple(&rendered(sample)).expect("YAML");
            let name = sample.file_stem().expect("a name").to_string_lossy().into_owned();
            documents
                .into_iter()
                .map(move |document| (name.clone(), document))
        })
        .collect()
}

/// What is wrong with a pod by the standard (https://kubernetes.io/docs/concepts/security/pod-security-standards)
/// and by the rules that every pod of ours keeps.
pub(crate) fn faults(pod: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    let context = &pod["securityContext"];
    expect(context["runAsNonRoot"] == true, "runAsNonRoot");
    // Named, or left to a platform that assigns one; `runAsNonRoot` holds in both cases.
    expect(
        context["runAsUser"].is_null() || context["runAsUser"].as_i64().is_some_and(|user| user > 0),
        "runAsUser",
    );
    expect(
        context["seccompProfile"]["type"] == "RuntimeDefault",
        "seccompProfile",
    );
    for field in ["hostNetwork", "hostPID", "hostIPC", "hostUsers"] {
        expect(pod[field].is_null(), field);
    }
    expect(pod["enableServiceLinks"] == false, "enableServiceLinks");
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let plain = [
            "configMap",
            "secret",
            "emptyDir",
            "projected",
            "downwardAPI",
            "persistentVolumeClaim",
        ];
        expect(plain.iter().any(|kind| volume.get(kind).is_some()), "volume type");
    }
    let lists = ["initContainers", "containers"];
    for container in lists
        .into_iter()
        .flat_map(|list| pod[list].as_array().into_iter().flatten())
    {
        let context = &container["securityContext"];
        expect(
            context["allowPrivilegeEscalation"] == false,
            "allowPrivilegeEscalation",
        );
        expect(
            context["capabilities"]["drop"] == serde_json::json!(["ALL"]),
            "capabilities",
        );
        expect(context["capabilities"]["add"].is_null(), "added capabilities");
        expect(
            context["readOnlyRootFilesystem"] == true,
            "readOnlyRootFilesystem",
        );
        expect(!container["resources"]["requests"].is_null(), "requests");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            expect(container[probe]["httpGet"]["host"].is_null(), "probe host");
            expect(container[probe]["tcpSocket"]["host"].is_null(), "probe host");
        }
        for port in container["ports"].as_array().into_iter().flatten() {
            expect(port["hostPort"].is_null(), "hostPort");
        }
    }
    faults
}

/// Prevents: a namespace that enforces the standard in which no pod of ours starts.
#[test]
fn every_pod_passes_the_restricted_standard() {
    let mut pods = 0;
    for (sample, object) in objects() {
        let maker = match object["kind"].as_str() {
            Some("CronJob") => &object["spec"]["jobTemplate"],
            _ => &object,
        };
        let pod = &maker["spec"]["template"]["spec"];
        if pod["containers"].is_array() {
            pods += 1;
            let name = &object["metadata"]["name"];
            assert_eq!(
                faults(pod),
                Vec::<String>::new(),
                "{sample}: {} {name}",
                object["kind"]
            );
            assert_eq!(pod["automountServiceAccountToken"], false, "{sample}: {name}");
        }
    }
    assert!(pods >= 10, "{pods} pods were looked at");
}

/// Prevents: a test of the standard that finds nothing wrong with anything.
#[test]
fn faults_are_found() {
    let (_, object) = objects()
        .into_iter()
        .find(|(_, object)| object["kind"] == "Deployment")
        .expect("one");
    let pod = object["spec"]["template"]["spec"].clone();
    for (pointer, value) in [
        ("/securityContext/runAsNonRoot", Value::Null),
        ("/securityContext/seccompProfile", Value::Null),
        ("/containers/0/securityContext/capabilities/drop", Value::Null),
        (
            "/containers/0/securityContext/allowPrivilegeEscalation",
            Value::from(true),
        ),
        ("/enableServiceLinks", Value::from(true)),
    ] {
        let mut broken = pod.clone();
        *broken.pointer_mut(pointer).expect(pointer) = value;
        assert_eq!(faults(&broken).len(), 1, "{pointer}");
    }
}

/// Prevents: a Service or budget that selects no pod, or pods of another part of the system.
#[test]
fn selectors_meet_the_pods_they_mean() {
    let objects = objects();
    for (sample, object) in &objects {
        let selector = match object["kind"].as_str() {
            Some("Service") => &object["spec"]["selector"],
            Some("PodDisruptionBudget" | "Deployment" | "StatefulSet") => {
                &object["spec"]["selector"]["matchLabels"]
            }
            _ => continue,
        };
        let selected: Vec<_> = objects
            .iter()
            .filter(|(other, workload)| {
                let labels = &workload["spec"]["template"]["metadata"]["labels"];
                let selector = selector.as_object().expect("a selector");
                other == sample
                    && labels.is_object()
                    && selector.iter().all(|(key, value)| labels[key] == *value)
            })
            .map(|(_, workload)| workload["metadata"]["name"].clone())
            .collect();
        assert_eq!(
            selected,
            [object["metadata"]["name"].clone()],
            "{sample}: {}",
            object["kind"]
        );
    }
}
