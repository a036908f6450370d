//! The cluster's controllers of Deployments and StatefulSets, as far as rollouts need them: a ReplicaSet a
//! template, one pod more at a time, none taken away before another is ready, and pods that do as the image
//! they run says. Times lie far back, so that any deadline has passed, unless a pod is said to be young.

use faciliauto_operator::{names, resources::Kind};
use serde_json::{Value, json};

use crate::{
    fake_api::FakeApi,
    harness::{path, run_controllers_but},
};

/// Part of an image that crashes.
pub(crate) const CRASHES: &str = "crashes";
/// Part of an image that no registry has.
pub(crate) const ABSENT: &str = "absent";
/// Part of an image that crashes, and has only begun to.
pub(crate) const YOUNG: &str = "young";
/// Part of an image for whose pods no node has room.
pub(crate) const NO_ROOM: &str = "no-room";
/// Part of an image whose pods a quota refuses.
pub(crate) const QUOTA: &str = "quota";

const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const LONG_AHEAD: &str = "2100-01-01T00:00:00Z";
/// Label of a Deployment's pods and ReplicaSets.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// Label of a StatefulSet's pods.
const REVISION_HASH: &str = "controller-revision-hash";

/// Images that do not work: a part of their names.
const FAULTY: [&str; 5] = [CRASHES, ABSENT, YOUNG, NO_ROOM, QUOTA];

/// Part of an image of which only the tag `9.8.7` works.
pub(crate) const NO_UPGRADE: &str = "no-upgrade";

/// Lets all controllers work once.
pub(crate) fn run(api: &FakeApi) {
    run_with(api, &FAULTY);
}

/// As `run`, after what made images crash is gone.
pub(crate) fn run_healed(api: &FakeApi) {
    run_with(api, &FAULTY[1..]);
}

fn run_with(api: &FakeApi, faulty: &[&str]) {
    run_controllers_but(api, &["Deployment", "StatefulSet"]);
    let objects: Vec<(String, Value)> = api.with(|state| {
        state
            .objects
            .iter()
            .map(|(path, object)| (path.clone(), object.clone()))
            .collect()
    });
    for (path, object) in objects {
        match object["kind"].as_str() {
            Some("Deployment") => deployment(api, faulty, &path, object),
            Some("StatefulSet") => stateful_set(api, faulty, &path, object),
            _ => {}
        }
    }
}

/// Puts an object there if it is not there like that.
fn put(api: &FakeApi, path: &str, object: Value) {
    let mut present = api.get(path).unwrap_or_default();
    if let Some(metadata) = present["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    let mut wanted = object.clone();
    if let Some(metadata) = wanted["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    if present != wanted {
        api.put(path, object);
    }
}

fn works(faulty: &[&str], image: &str) -> bool {
    let is_left_behind = image.contains(NO_UPGRADE) && !image.ends_with(":9.8.7");
    !is_left_behind && !faulty.iter().any(|part| image.contains(part))
}

fn image(template: &Value) -> String {
    let image = &template["spec"]["containers"][0]["image"];
    image.as_str().expect("an image").to_owned()
}

fn hash(template: &Value) -> String {
    names::short_hash([template.to_string().as_str()])
}

fn owned_by(object: &Value) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": object["kind"], "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"], "controller": true}])
}

/// A pod of a template, as its image lets it be.
fn pod(faulty: &[&str], name: &str, owner: &Value, template: &Value, label: (&str, &str)) -> Value {
    let image = image(template);
    let is = |part: &str| image.contains(part);
    let is_ready = works(faulty, &image);
    let since = if is(YOUNG) { LONG_AHEAD } else { LONG_AGO };
    let condition = |kind: &str, holds: bool, reason: &str| {
        json!({"type": kind, "status": if holds { "True" } else { "False" }, "reason": reason,
            "lastTransitionTime": since})
    };
    let placed = condition(
        "PodScheduled",
        !is(NO_ROOM),
        if is(NO_ROOM) { "Unschedulable" } else { "" },
    );
    let state = if is(ABSENT) {
        json!({"waiting": {"reason": "ImagePullBackOff"}})
    } else {
        json!({"running": {}})
    };
    let mut labels = template["metadata"]["labels"].clone();
    labels[label.0] = json!(label.1);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": owner["metadata"]["namespace"], "labels": labels,
            "uid": format!("uid-{name}-{}", label.1), "creationTimestamp": since, "ownerReferences": owned_by(owner)},
        "spec": template["spec"],
        "status": {
            "phase": if is_ready { "Running" } else { "Pending" },
            "conditions": [placed, condition("Ready", is_ready, "")],
            "containerStatuses": [{"name": template["spec"]["containers"][0]["name"], "image": image,
                "imageID": "", "ready": is_ready, "restartCount": i32::from(!is_ready), "state": state}],
        },
    })
}

fn replica_sets(api: &FakeApi, deployment: &Value) -> Vec<Value> {
    let folder = path(Kind::ReplicaSet, "");
    api.with(|state| {
        let found = state.objects.iter().filter(|(path, object)| {
            path.starts_with(&folder) && object["metadata"]["ownerReferences"] == owned_by(deployment)
        });
        found.map(|(_, object)| object.clone()).collect()
    })
}

fn deployment(api: &FakeApi, faulty: &[&str], at: &str, mut deployment: Value) {
    let template = deployment["spec"]["template"].clone();
    let wanted = deployment["spec"]["replicas"].as_i64().expect("a number");
    let hash = hash(&template);
    let name = format!(
        "{}-{hash}",
        deployment["metadata"]["name"].as_str().expect("a name")
    );
    let image = image(&template);
    let works = works(faulty, &image);
    let mut labelled = template.clone();
    labelled["metadata"]["labels"][TEMPLATE_HASH] = json!(hash);
    let present = api.get(&path(Kind::ReplicaSet, &name));
    let mut newest = present.unwrap_or_else(|| {
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": name, "namespace": deployment["metadata"]["namespace"], "uid": format!("uid-{name}"),
                "labels": labelled["metadata"]["labels"], "ownerReferences": owned_by(&deployment)},
            "spec": {"template": labelled},
        })
    });
    let others: Vec<_> = replica_sets(api, &deployment)
        .into_iter()
        .filter(|set| set["metadata"]["name"] != newest["metadata"]["name"])
        .collect();
    let serving = |set: &Value| set["status"]["readyReplicas"].as_i64().unwrap_or(0);
    let is_first = others.iter().all(|set| serving(set) == 0);
    let made = if works || is_first { wanted } else { 1 };
    newest["spec"]["replicas"] = json!(made);
    let existing = if image.contains(QUOTA) { 0 } else { made };
    let ready = if works { made } else { 0 };
    newest["status"] = json!({"replicas": existing, "readyReplicas": ready});
    put(api, &path(Kind::ReplicaSet, &name), newest.clone());
    let mut all = existing;
    let mut all_ready = ready;
    for mut other in others {
        let stays = if works { 0 } else { serving(&other) };
        other["spec"]["replicas"] = json!(stays);
        other["status"] = json!({"replicas": stays, "readyReplicas": stays});
        (all, all_ready) = (all + stays, all_ready + stays);
        set_pods(api, faulty, &other, stays);
        let name = other["metadata"]["name"].as_str().expect("a name");
        put(api, &path(Kind::ReplicaSet, name), other.clone());
    }
    set_pods(api, faulty, &newest, existing);
    let refused = json!({"type": "ReplicaFailure", "status": "True", "lastTransitionTime": LONG_AGO,
        "message": "pods \"a\" is forbidden: exceeded quota: small, requested: pods=1"});
    let available = json!({"type": "Available", "status": "True"});
    let conditions = if image.contains(QUOTA) {
        vec![available, refused]
    } else {
        vec![available]
    };
    deployment["status"] = json!({"observedGeneration": deployment["metadata"]["generation"], "replicas": all, "updatedReplicas": existing, "readyReplicas": all_ready,
        "availableReplicas": all_ready, "conditions": conditions});
    put(api, at, deployment);
}

/// Gives a ReplicaSet as many pods.
fn set_pods(api: &FakeApi, faulty: &[&str], set: &Value, count: i64) {
    let name = set["metadata"]["name"].as_str().expect("a name");
    let hash = set["metadata"]["labels"][TEMPLATE_HASH].as_str().expect("a hash");
    for number in 0..9 {
        let pod_name = format!("{name}-{number}");
        let at = path(Kind::Pod, &pod_name);
        if number < count {
            put(
                api,
                &at,
                pod(
                    faulty,
                    &pod_name,
                    set,
                    &set["spec"]["template"],
                    (TEMPLATE_HASH, hash),
                ),
            );
        } else {
            api.remove(&at);
        }
    }
}

fn stateful_set(api: &FakeApi, faulty: &[&str], at: &str, mut set: Value) {
    let template = set["spec"]["template"].clone();
    let update = hash(&template);
    let name = format!("{}-0", set["metadata"]["name"].as_str().expect("a name"));
    let pod_path = path(Kind::Pod, &name);
    let is_ready = |pod: &Value| pod["status"]["containerStatuses"][0]["ready"] == true;
    let present = api.get(&pod_path);
    // One that never became ready is not replaced.
    let stays =
        present.filter(|pod| !is_ready(pod) || pod["metadata"]["labels"][REVISION_HASH] == json!(update));
    let pod = stays.unwrap_or_else(|| pod(faulty, &name, &set, &template, (REVISION_HASH, &update)));
    put(api, &pod_path, pod.clone());
    let ready = is_ready(&pod);
    let is_new = pod["metadata"]["labels"][REVISION_HASH] == json!(update);
    let before = set["status"]["currentRevision"]
        .as_str()
        .unwrap_or(&update)
        .to_owned();
    set["status"] = json!({
        "observedGeneration": set["metadata"]["generation"], "replicas": 1, "readyReplicas": i32::from(ready), "updateRevision": update,
        "currentRevision": if ready && is_new { update.clone() } else { before },
    });
    put(api, at, set);
}
