//! The live revisions of the API, as the Deployment, its ReplicaSets and their pods show them. Pure.

use k8s_openapi::{
    api::core::v1::Pod,
    jiff::{SignedDuration, Timestamp},
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use super::{
    judge::{Judgement, Refusal, judge},
    state::State,
    template::is_made_from,
};
use crate::reconcile::{apply::controller_uid, trouble};

/// A ReplicaSet of the API's Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its name.
    pub name: String,
    /// What its pods are made from.
    pub template: Value,
    /// Pods that it shall have.
    pub replicas: i64,
    /// Pods of it that are ready.
    pub ready: i64,
}

/// What is live of the API.
#[derive(Clone, Debug)]
pub struct Live {
    /// What was remembered.
    pub state: State,
    /// What pods are made from.
    pub template: Value,
    /// The ReplicaSet made from that; absent until the cluster's controller has made it.
    pub current: Option<Revision>,
    /// The others.
    pub others: Vec<Revision>,
    /// How the current one does.
    pub judgement: Judgement,
}

impl Live {
    /// Reads a Deployment, the ReplicaSets beside it and all pods.
    pub fn read(
        deployment: &DynamicObject,
        replica_sets: &[std::sync::Arc<DynamicObject>],
        pods: &[Pod],
        deadline: SignedDuration,
        now: Timestamp,
    ) -> Self {
        let template = deployment.data["spec"]["template"].clone();
        let owner = deployment.metadata.uid.as_deref();
        let ours = replica_sets
            .iter()
            .filter(|set| owner.is_some() && controller_uid(&set.metadata) == owner);
        let (mut current, mut others) = (None, Vec::new());
        for set in ours {
            let revision = revision(set);
            if current.is_none() && is_made_from(&revision.template, &template) {
                current = Some((revision, set.metadata.uid.clone()));
            } else {
                others.push(revision);
            }
        }
        let judgement = match &current {
            Some((current, uid)) if is_observed(deployment) => {
                if is_complete(deployment, current, &others) {
                    Judgement::Complete
                } else {
                    let of_current = |pod: &&Pod| controller_uid(&pod.metadata) == uid.as_deref();
                    let pods: Vec<&Pod> = pods.iter().filter(of_current).collect();
                    judge(&pods, refusal(deployment).as_ref(), deadline, now)
                }
            }
            // What the cluster's controller has not looked at cannot have failed.
            _ => Judgement::Progressing { due: None },
        };
        Self {
            state: State::read(deployment.annotations()),
            template,
            current: current.map(|(current, _)| current),
            others,
            judgement,
        }
    }

    /// The revision to go back to: the one that was noted, while it has pods or at least its ReplicaSet,
    /// or else the one that serves.
    pub fn last_good(&self) -> Option<&Revision> {
        let noted = self
            .others
            .iter()
            .find(|revision| Some(&revision.name) == self.state.last_good.as_ref());
        let serving = || self.others.iter().filter(|revision| revision.ready > 0);
        noted.or_else(|| serving().max_by_key(|revision| revision.ready))
    }

    /// A revision by its ReplicaSet's name.
    pub fn revision(&self, name: &str) -> Option<&Revision> {
        let all = self.current.iter().chain(&self.others);
        all.into_iter().find(|revision| revision.name == name)
    }
}

fn revision(set: &DynamicObject) -> Revision {
    let count = |value: &Value| value.as_i64().unwrap_or(0);
    Revision {
        name: set.name_any(),
        template: set.data["spec"]["template"].clone(),
        replicas: count(&set.data["spec"]["replicas"]),
        ready: count(&set.data["status"]["readyReplicas"]),
    }
}

/// Whether the status speaks of what the object asks for now.
pub(super) fn is_observed(object: &DynamicObject) -> bool {
    let seen = object.data["status"]["observedGeneration"].as_i64().unwrap_or(0);
    seen >= object.metadata.generation.unwrap_or(0)
}

/// Whether no pod of another revision is left, and all of this one are ready or once were: the cluster's
/// controller keeps the reason of `Progressing` from then on, whatever becomes of the pods later.
fn is_complete(deployment: &DynamicObject, current: &Revision, others: &[Revision]) -> bool {
    let status = &deployment.data["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let wanted = deployment.data["spec"]["replicas"].as_i64().unwrap_or(1);
    let is_alone = others.iter().all(|other| other.replicas == 0)
        && count("replicas") == count("updatedReplicas")
        && current.replicas > 0;
    let all_ready = count("readyReplicas") >= wanted && count("updatedReplicas") >= wanted;
    let were_ready = condition(deployment, "Progressing")
        .is_some_and(|condition| condition["reason"] == "NewReplicaSetAvailable");
    is_alone && (all_ready || were_ready)
}

fn refusal(deployment: &DynamicObject) -> Option<Refusal> {
    let condition =
        condition(deployment, "ReplicaFailure").filter(|condition| condition["status"] == "True")?;
    let since = condition["lastTransitionTime"].as_str();
    Some(Refusal {
        trouble: trouble::refusal(
            &format!("Deployment {}", deployment.name_any()),
            condition["message"].as_str().unwrap_or_default(),
        ),
        since: since
            .and_then(|time| time.parse().ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

fn condition<'a>(deployment: &'a DynamicObject, kind: &str) -> Option<&'a Value> {
    let conditions = deployment.data["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).expect("an object")
    }

    fn template(image: &str) -> Value {
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "api", "image": image}]}})
    }

    fn deployment(status: Value) -> DynamicObject {
        object(json!({
            "metadata": {"name": "producao", "uid": "d", "generation": 4},
            "spec": {"replicas": 2, "template": template("api:2")},
            "status": status,
        }))
    }

    fn replica_set(name: &str, owner: &str, image: &str, replicas: i32) -> std::sync::Arc<DynamicObject> {
        let mut template = template(image);
        template["metadata"]["labels"]["pod-template-hash"] = json!(name);
        std::sync::Arc::new(object(json!({
            "metadata": {"name": name, "uid": name, "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": owner, "controller": true},
            ]},
            "spec": {"replicas": replicas, "template": template},
            "status": {"readyReplicas": replicas},
        })))
    }

    fn read(status: Value, sets: &[std::sync::Arc<DynamicObject>]) -> Live {
        let now = Timestamp::from_second(1_000_000).expect("a time");
        Live::read(
            &deployment(status),
            sets,
            &[],
            SignedDuration::from_secs(300),
            now,
        )
    }

    /// Prevents: a good revision taken for one that is still on trial, which would be put back as soon as
    /// a node goes down, and one on trial taken for good.
    #[test]
    fn complete_is_what_was_ready_once() {
        let old = |replicas| replica_set("old", "d", "api:1", replicas);
        let new = |replicas| replica_set("new", "d", "api:2", replicas);
        let status = |observed: i32, all: i32, updated: i32, ready: i32| {
            json!({"observedGeneration": observed,
            "replicas": all, "updatedReplicas": updated, "readyReplicas": ready})
        };
        let mut once_ready = status(4, 2, 2, 0);
        once_ready["conditions"] = json!([{"type": "Progressing", "reason": "NewReplicaSetAvailable"}]);
        for (what, status, sets, expected) in [
            ("all are ready", status(4, 2, 2, 2), vec![old(0), new(2)], true),
            ("not all are", status(4, 2, 2, 1), vec![old(0), new(2)], false),
            (
                "they were, before a node went down",
                once_ready.clone(),
                vec![old(0), new(2)],
                true,
            ),
            (
                "an old one is left",
                status(4, 3, 2, 3),
                vec![old(1), new(2)],
                false,
            ),
            (
                "the status is that of another template",
                status(3, 2, 2, 2),
                vec![old(0), new(2)],
                false,
            ),
            (
                "its ReplicaSet is not there yet",
                status(4, 2, 2, 2),
                vec![old(2)],
                false,
            ),
            (
                "it is somebody else's",
                status(4, 2, 2, 2),
                vec![replica_set("new", "e", "api:2", 2)],
                false,
            ),
        ] {
            let live = read(status, &sets);
            assert_eq!(
                live.judgement == Judgement::Complete,
                expected,
                "{what}: {live:?}"
            );
        }
    }

    /// Prevents: going back to a revision that never worked.
    #[test]
    fn last_good_is_the_noted_one_or_the_one_that_serves() {
        let sets = [
            replica_set("bad", "d", "api:0", 0),
            replica_set("old", "d", "api:1", 2),
            replica_set("new", "d", "api:2", 1),
            replica_set("theirs", "e", "api:3", 9),
        ];
        let name = |live: &Live| live.last_good().map(|revision| revision.name.clone());
        let mut live = read(json!({}), &sets);
        assert_eq!(
            live.current.as_ref().map(|revision| revision.name.as_str()),
            Some("new")
        );
        assert_eq!(name(&live).as_deref(), Some("old"), "it serves");
        live.state.last_good = Some("bad".to_owned());
        assert_eq!(name(&live).as_deref(), Some("bad"), "it was noted");
        live.state.last_good = Some("gone".to_owned());
        assert_eq!(name(&live).as_deref(), Some("old"));
        assert_eq!(
            name(&read(json!({}), &sets[2..3])),
            None,
            "there is none before the first"
        );
    }

    /// Prevents: a refusal of pods that nobody hears of.
    #[test]
    fn refusal_is_read_from_the_deployment() {
        let refused = json!({"observedGeneration": 4, "conditions": [{"type": "ReplicaFailure", "status": "True",
            "message": "denied the request", "lastTransitionTime": "1970-01-01T00:00:00Z"}]});
        let live = read(
            refused,
            &[
                replica_set("old", "d", "api:1", 2),
                replica_set("new", "d", "api:2", 1),
            ],
        );
        assert!(matches!(live.judgement, Judgement::Failed(fault) if fault.message.contains("denied")));
    }
}
