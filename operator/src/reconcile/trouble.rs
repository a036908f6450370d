//! Why pods do not become ready, in words for people. Pure.
//!
//! The words must stay the same while the reason does: Kubernetes alternates between `ErrImagePull`
//! and `ImagePullBackOff`, and counts seconds in its messages, which would write the status for ever.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

/// The reason of a pod whose image the node cannot get.
pub const IMAGE_PULL: &str = "ImagePullBackOff";

/// A reason in one word and a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// The first trouble among `pods`, by name.
pub fn pod_trouble<'a>(pods: impl Iterator<Item = &'a Pod>) -> Option<Trouble> {
    let mut pods: Vec<_> = pods
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .collect();
    pods.sort_by_key(|pod| pod.name_any());
    pods.into_iter()
        .find_map(|pod| container_trouble(pod).or_else(|| scheduling_trouble(pod)))
}

fn container_trouble(pod: &Pod) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let containers = [&status.init_container_statuses, &status.container_statuses];
    containers
        .into_iter()
        .flatten()
        .flatten()
        .find_map(|container| trouble_of(pod, container))
}

fn trouble_of(pod: &Pod, container: &ContainerStatus) -> Option<Trouble> {
    let pod = pod.name_any();
    let state = container.state.as_ref();
    let waiting = state.and_then(|state| state.waiting.as_ref());
    let reason = waiting
        .and_then(|waiting| waiting.reason.as_deref())
        .unwrap_or_default();
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
            return Some(Trouble {
                reason: IMAGE_PULL.to_owned(),
                message: format!(
                    "The node cannot get the image {} for pod {pod}: check its name and tag, and image.pullSecrets if the registry asks for a login.",
                    container.image
                ),
            });
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            let detail = waiting
                .and_then(|waiting| waiting.message.clone())
                .unwrap_or_default();
            return Some(Trouble {
                reason: reason.to_owned(),
                message: format!("Container {} of pod {pod} cannot start: {detail}", container.name),
            });
        }
        _ => {}
    }
    if container.ready || container.restart_count == 0 {
        return None;
    }
    let ended = [state, container.last_state.as_ref()]
        .into_iter()
        .flatten()
        .find_map(|state| state.terminated.as_ref());
    let ended = ended.map_or_else(String::new, |ended| {
        let reason = ended.reason.as_deref().unwrap_or("Error");
        format!(" ({reason}, exit code {})", ended.exit_code)
    });
    Some(Trouble {
        reason: "CrashLoopBackOff".to_owned(),
        message: format!(
            "Container {name} of pod {pod} keeps ending{ended}: see `kubectl logs {pod} --container {name} --previous`.",
            name = container.name
        ),
    })
}

fn scheduling_trouble(pod: &Pod) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled")?;
    if scheduled.status != "False" || scheduled.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    let detail = scheduled.message.as_deref().unwrap_or_default();
    Some(Trouble {
        reason: "Unschedulable".to_owned(),
        message: format!("No node takes pod {}: {detail}", pod.name_any()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "a-1"}, "status": status})).expect("a pod")
    }

    fn container(state: Value, restarts: i32, last: Value) -> Value {
        json!({"containerStatuses": [{
            "name": "api", "image": "api:9", "imageID": "", "ready": false, "restartCount": restarts,
            "state": state, "lastState": last,
        }]})
    }

    /// Prevents: a status that changes for ever while nothing changes, and one that hides the reason.
    #[test]
    fn reasons_are_named_and_stay_the_same() {
        let terminated = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        let crash = Some(("CrashLoopBackOff", "exit code 3"));
        for (status, expected) in [
            (
                container(json!({"waiting": {"reason": "ErrImagePull"}}), 0, json!({})),
                Some(("ImagePullBackOff", "api:9")),
            ),
            (
                container(
                    json!({"waiting": {"reason": "ImagePullBackOff", "message": "in 10s"}}),
                    0,
                    json!({}),
                ),
                Some(("ImagePullBackOff", "api:9")),
            ),
            (
                container(
                    json!({"waiting": {"reason": "CrashLoopBackOff"}}),
                    2,
                    terminated.clone(),
                ),
                crash,
            ),
            (container(json!({"running": {}}), 2, terminated.clone()), crash),
            (container(terminated, 2, json!({})), crash),
            (container(json!({"running": {}}), 0, json!({})), None),
            (
                container(json!({"waiting": {"reason": "ContainerCreating"}}), 0, json!({})),
                None,
            ),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/1 nodes are available"}]}),
                Some(("Unschedulable", "0/1 nodes")),
            ),
        ] {
            let found = pod_trouble([&pod(status.clone())].into_iter());
            match (found, expected) {
                (Some(found), Some((reason, part))) => {
                    assert_eq!(found.reason, reason, "{status}");
                    assert!(found.message.contains(part), "{}", found.message);
                }
                (found, expected) => assert_eq!(
                    found.map(|found| found.reason),
                    expected.map(|(reason, _)| reason.to_owned())
                ),
            }
        }
    }
}
