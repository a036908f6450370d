//! How the pods of a new revision do: they become ready, they only wait, or they have failed. Pure; time
//! is a parameter.

use k8s_openapi::{
    api::core::v1::{Pod, PodCondition},
    jiff::{SignedDuration, Timestamp},
};
use kube::ResourceExt;

use crate::reconcile::trouble::{IMAGE_PULL, QUOTA_EXCEEDED, Trouble, pod_trouble};

/// How a revision does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// All pods are of this revision, and have been ready.
    Complete,
    /// Pods may still become ready.
    Progressing {
        /// When they will have had their time, once that is known.
        due: Option<Timestamp>,
    },
    /// Nothing is wrong with the revision: no node takes its pods, or a quota refuses them.
    Waiting {
        /// Why.
        message: String,
        /// When that will have lasted as long as pods get to become ready.
        due: Timestamp,
    },
    /// Pods have had their time and are not ready.
    Failed(Fault),
}

/// What is wrong with a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A sentence.
    pub message: String,
    /// Whether its image could not be had.
    pub image: bool,
}

/// What the cluster says when it does not make pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub trouble: Trouble,
    /// Since when.
    pub since: Timestamp,
}

/// Judges the pods of a revision that is not complete. They get `deadline`, counted from the last of them
/// to become ready or from the moment at which the first of the others found a node.
pub fn judge(
    pods: &[&Pod],
    refusal: Option<&Refusal>,
    deadline: SignedDuration,
    now: Timestamp,
) -> Judgement {
    let pods: Vec<&Pod> = pods.iter().copied().filter(|pod| counts(pod)).collect();
    let last_ready = pods.iter().filter_map(|pod| since(pod, "Ready")).max();
    let due_from = |begin: Timestamp| {
        let begin = last_ready.map_or(begin, |ready| ready.max(begin));
        begin.checked_add(deadline).unwrap_or(Timestamp::MAX)
    };
    let unready = || pods.iter().copied().filter(|pod| since(pod, "Ready").is_none());
    let stuck: Vec<&Pod> = unready()
        .filter(|pod| since(pod, "PodScheduled").is_some())
        .collect();
    if let Some(first) = stuck.iter().filter_map(|pod| since(pod, "PodScheduled")).min() {
        let due = due_from(first);
        if now < due {
            return Judgement::Progressing { due: Some(due) };
        }
        return Judgement::Failed(fault(&stuck));
    }
    if let Some(refusal) = refusal {
        let due = due_from(refusal.since);
        let message = refusal.trouble.message.clone();
        // A quota is the cluster's business and passes; another refusal is of these very pods.
        return if refusal.trouble.reason == QUOTA_EXCEEDED {
            Judgement::Waiting { message, due }
        } else if now < due {
            Judgement::Progressing { due: Some(due) }
        } else {
            Judgement::Failed(Fault {
                message,
                image: false,
            })
        };
    }
    let waiting: Vec<&Pod> = unready().collect();
    match waiting.iter().map(|pod| created(pod)).min() {
        Some(first) => Judgement::Waiting {
            message: pod_trouble(waiting.into_iter()).map_or_else(
                || "No node has taken the pods yet.".to_owned(),
                |trouble| trouble.message,
            ),
            due: due_from(first),
        },
        None => Judgement::Progressing { due: None },
    }
}

/// Whether the pod stands for its revision: one that is leaving, was evicted or ended is replaced.
fn counts(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Failed" | "Succeeded"))
}

fn fault(stuck: &[&Pod]) -> Fault {
    match pod_trouble(stuck.iter().copied()) {
        Some(Trouble { reason, message }) => Fault {
            message,
            image: reason == IMAGE_PULL,
        },
        None => Fault {
            message: format!(
                "Pod {pod} runs and does not become ready: see `kubectl logs {pod}`.",
                pod = stuck.iter().map(|pod| pod.name_any()).min().unwrap_or_default()
            ),
            image: false,
        },
    }
}

/// Since when a condition of the pod is true.
fn since(pod: &Pod, kind: &str) -> Option<Timestamp> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let is_true = |condition: &&PodCondition| condition.type_ == kind && condition.status == "True";
    let condition = conditions.iter().find(is_true)?;
    let time = condition.last_transition_time.as_ref();
    Some(time.map_or_else(|| created(pod), |time| time.0))
}

fn created(pod: &Pod) -> Timestamp {
    let time = pod.metadata.creation_timestamp.as_ref();
    time.map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

/// Whether the pod is ready.
pub fn is_ready(pod: &Pod) -> bool {
    since(pod, "Ready").is_some()
}

#[cfg(test)]
mod tests;
