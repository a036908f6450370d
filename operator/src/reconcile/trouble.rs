//! Why pods do not become ready, in words for people. Pure.
//!
//! The words must stay the same while the reason does: Kubernetes alternates between `ErrImagePull`
//! and `ImagePullBackOff`, and counts seconds in its messages, which would write the status for ever.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

/// The reason of a pod whose image the node cannot get.
pub const IMAGE_PULL: &str = "ImagePullBackOff";

/// The reason of pods that a quota refuses.
pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";

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
    // Of a claim that waits for a volume, and of a StorageClass that does not exist.
    if ["persistentvolumeclaim", "storageclass"]
        .iter()
        .any(|word| detail.to_lowercase().contains(word))
    {
        return Some(Trouble {
            reason: "VolumeUnbound".to_owned(),
            message: format!(
                "Pod {} waits for its volume: PersistentVolumeClaim {} is not bound. Check that its StorageClass exists and makes volumes ({detail}).",
                pod.name_any(),
                claims(pod).join(", ")
            ),
        });
    }
    Some(Trouble {
        reason: "Unschedulable".to_owned(),
        message: format!("No node takes pod {}: {detail}", pod.name_any()),
    })
}

/// Names of the claims that a pod mounts.
fn claims(pod: &Pod) -> Vec<&str> {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()))
        .collect()
}

/// Why the cluster refuses the pods of `owner`, from what was said to its controller.
pub fn refusal(owner: &str, said: &str) -> Trouble {
    // It begins with the name of a pod, which is another at each attempt.
    let detail = said
        .split_once("is forbidden: ")
        .map_or(said, |(_, detail)| detail);
    match detail.split_once("exceeded quota: ") {
        Some((_, rest)) => {
            let (quota, numbers) = rest.split_once(", ").unwrap_or((rest, ""));
            Trouble {
                reason: QUOTA_EXCEEDED.to_owned(),
                message: format!(
                    "ResourceQuota {quota} leaves no room for a pod of {owner} ({numbers}): raise the quota, or ask for less with resources.requests and fewer replicas."
                ),
            }
        }
        None => Trouble {
            reason: "PodsRefused".to_owned(),
            message: format!("The cluster refuses the pods of {owner}: {detail}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-a-redis-0"}}]);
        serde_json::from_value(json!({
            "metadata": {"name": "a-1"}, "spec": {"containers": [], "volumes": volumes}, "status": status,
        }))
        .expect("a pod")
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
                    "message": "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."}]}),
                Some((
                    "VolumeUnbound",
                    "PersistentVolumeClaim data-a-redis-0 is not bound",
                )),
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

    /// Prevents: a status written at each attempt, for the name of the pod that was refused is in it; and
    /// one that does not say which quota.
    #[test]
    fn refusals_name_what_stands_in_the_way_and_no_pod() {
        let at =
            |pod: &str, rest: &str| refusal("Deployment a", &format!("pods \"{pod}\" is forbidden: {rest}"));
        let quota = "exceeded quota: tight, requested: pods=1, used: pods=1, limited: pods=1";
        assert_eq!(at("a-1", quota), at("a-2", quota));
        let found = at("a-1", quota);
        assert_eq!(found.reason, "QuotaExceeded");
        assert!(found.message.contains("ResourceQuota tight") && found.message.contains("limited: pods=1"));
        let policy = at(
            "a-1",
            "ValidatingAdmissionPolicy 'no-pods' with binding 'b' denied request: not here",
        );
        assert_eq!(policy.reason, "PodsRefused");
        assert!(
            policy.message.contains("'no-pods'") && !policy.message.contains("a-1"),
            "{policy:?}"
        );
        assert_eq!(
            refusal("Deployment a", "no").message,
            "The cluster refuses the pods of Deployment a: no"
        );
    }
}
