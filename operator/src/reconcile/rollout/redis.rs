//! Which template Redis's StatefulSet gets. Redis is one pod: a new image takes the place of the old one,
//! so that an image which does not work must go back before anything else. Only the image does; a server
//! that refuses the data has not changed them. Pure; time is a parameter.

use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use super::{
    decide::{Decision, Standing, Wish, applied, follow, is_operators_doing},
    judge::{Fault, Judgement, is_ready, judge},
    revisions::is_observed,
    state::{Failure, State},
    template::{Identity, again},
};
use crate::{names, reconcile::trouble::pod_trouble};

/// Label of a StatefulSet's pods: the revision that they were made from.
const REVISION_HASH: &str = "controller-revision-hash";

/// What is live of Redis.
#[derive(Clone, Debug)]
pub struct Live {
    /// What was remembered.
    pub state: State,
    /// What its pod is made from.
    pub template: Value,
    /// The newest revision, as the cluster names it.
    pub revision: String,
    /// Whether the cluster's controller has looked at what the StatefulSet asks for.
    pub is_observed: bool,
    /// How it does, until its pod was ready for the first time.
    pub judgement: Judgement,
    /// How its pod does now.
    pub pod: Judgement,
    /// Whether Redis answers.
    pub is_ready: bool,
    /// Pods that are not ready.
    pub unready: Vec<UnreadyPod>,
}

/// A pod of Redis that is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadyPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The revision that it was made from.
    pub revision: String,
    /// Whether it will not become ready by itself: no image, no node, or it keeps ending.
    pub is_stuck: bool,
}

impl Live {
    /// Reads a StatefulSet and Redis's pods.
    pub fn read(set: &DynamicObject, pods: &[&Pod], deadline: SignedDuration, now: Timestamp) -> Self {
        let text = |field: &str| set.data["status"][field].as_str().unwrap_or_default().to_owned();
        let revision = text("updateRevision");
        let of_newest = pods.iter().copied().filter(|pod| revision_of(pod) == revision);
        let pod = judge(&of_newest.collect::<Vec<_>>(), None, deadline, now);
        let judgement = if !is_observed(set) {
            Judgement::Progressing { due: None }
        } else if text("currentRevision") == revision {
            // So it is from the moment at which the pod of the newest revision became ready, and of the
            // very first revision from the beginning.
            Judgement::Complete
        } else {
            pod.clone()
        };
        let is_left = |pod: &&&Pod| !is_ready(pod) && pod.metadata.deletion_timestamp.is_none();
        Self {
            state: State::read(set.annotations()),
            template: set.data["spec"]["template"].clone(),
            unready: pods
                .iter()
                .filter(is_left)
                .map(|pod| UnreadyPod {
                    name: pod.name_any(),
                    uid: pod.uid().unwrap_or_default(),
                    revision: revision_of(pod).to_owned(),
                    is_stuck: pod_trouble([*pod].into_iter()).is_some(),
                })
                .collect(),
            is_observed: is_observed(set),
            is_ready: set.data["status"]["readyReplicas"].as_i64().unwrap_or(0) > 0,
            judgement,
            pod,
            revision,
        }
    }

    /// The pods in the way of a newer template: a StatefulSet does not replace a pod that never became
    /// ready. Only once its controller makes others, or it would make the same again.
    pub fn in_the_way(&self, decided: &State) -> Vec<UnreadyPod> {
        let failed = decided.failure.as_ref().map(|failure| failure.revision.as_str());
        // One that only takes its time, as with a large file, is left to the cluster.
        let is_in_the_way = |pod: &&UnreadyPod| {
            let is_older = self.is_observed && pod.revision != self.revision;
            is_older && (pod.is_stuck || Some(pod.revision.as_str()) == failed)
        };
        self.unready.iter().filter(is_in_the_way).cloned().collect()
    }
}

fn revision_of(pod: &Pod) -> &str {
    pod.labels().get(REVISION_HASH).map_or("", String::as_str)
}

/// The image of Redis in a template.
pub fn image(template: &Value) -> &str {
    let containers = template["spec"]["containers"].as_array().into_iter().flatten();
    containers
        .into_iter()
        .find(|container| container["name"] == names::REDIS)
        .and_then(|container| container["image"].as_str())
        .unwrap_or_default()
}

fn with_image(template: &Value, image: &str) -> Value {
    let mut template = template.clone();
    let containers = template["spec"]["containers"]
        .as_array_mut()
        .into_iter()
        .flatten();
    for container in containers.filter(|container| container["name"] == names::REDIS) {
        container["image"] = json!(image);
    }
    template
}

/// Decides for a StatefulSet, `live` if it exists.
pub fn decide(wish: &Wish<'_>, live: Option<&Live>) -> Decision {
    let identity = Identity::of(wish.template);
    let begun = State {
        generation: Some(wish.generation),
        template: Some(identity.clone()),
        ..State::default()
    };
    let Some(live) = live else {
        return applied(wish, begun, Standing::Followed, None);
    };
    let is_upgrade = is_operators_doing(&live.state, &identity, wish.generation);
    if is_upgrade && !wish.may_upgrade {
        return hold(wish, live);
    }
    let is_same = live.state.template.as_ref() == Some(&identity);
    let state = State {
        last_good: live.state.last_good.clone(),
        upgrade: is_upgrade || (live.state.upgrade && live.state.generation == Some(wish.generation)),
        ..begun
    };
    let wanted = image(wish.template);
    if live.state.failed.as_deref() == Some(wanted)
        && let Some(failure) = &live.state.failure
    {
        let state = State {
            failed: live.state.failed.clone(),
            failure: Some(failure.clone()),
            upgrade: state.upgrade || live.state.upgrade,
            ..state
        };
        // Not by itself, unlike the API: each attempt takes the Redis away that serves.
        let is_asked_for = wish.retry.is_some() && wish.retry != failure.retry.as_deref();
        return match (failure.retrying, is_asked_for) {
            (true, _) => follow(wish, &live.judgement, state, |state, fault| {
                fail(wish, live, state, fault)
            }),
            (false, true) => {
                let failure = Failure {
                    retrying: true,
                    ..failure.clone()
                };
                let state = State {
                    failure: Some(failure),
                    ..state
                };
                applied(wish, state, Standing::Followed, None)
            }
            (false, false) => put_back(wish, live, state, failure),
        };
    }
    if image(&live.template) == wanted {
        return if is_same {
            follow(wish, &live.judgement, state, |state, fault| {
                fail(wish, live, state, fault)
            })
        } else {
            // The image stays, so there is none to go back to.
            applied(wish, state, Standing::Followed, None)
        };
    }
    new_image(wish, live, state)
}

/// Another image goes in, once there is a backup; the one that it replaces is noted in the same write, if Redis ran with it.
fn new_image(wish: &Wish<'_>, live: &Live, state: State) -> Decision {
    if let Some(message) = wish.image_waits {
        // All of the template waits: nothing is noted of one that was not applied.
        return Decision {
            template: again(&live.template, wish.template),
            state: live.state.clone(),
            standing: Standing::Waiting(message.to_owned()),
            look_again: None,
        };
    }
    let is_first = live.state.last_good.is_none();
    let worked = live.judgement == Judgement::Complete && (live.is_ready || !is_first);
    let before = Some(image(&live.template).to_owned()).filter(|image| worked && !image.is_empty());
    let state = State {
        last_good: before.or(state.last_good),
        ..state
    };
    applied(wish, state, Standing::Followed, None)
}

fn fail(wish: &Wish<'_>, live: &Live, state: State, fault: &Fault) -> Decision {
    let wanted = image(wish.template);
    let before = state.last_good.clone().filter(|good| good != wanted);
    let Some(_) = before.filter(|_| wish.automatic) else {
        let message = format!(
            "Redis does not start with what is declared, image {wanted}: {}",
            fault.message
        );
        return applied(wish, state, Standing::Failed(message), None);
    };
    let attempts = state.failure.as_ref().map_or(0, |failure| failure.attempts);
    let failure = Failure {
        revision: live.revision.clone(),
        message: fault.message.clone(),
        at: Time(wish.now),
        attempts: attempts.saturating_add(1),
        upgrade: state.upgrade,
        image: fault.image,
        retry: wish.retry.map(str::to_owned),
        retrying: false,
    };
    let state = State {
        failed: Some(wanted.to_owned()),
        failure: Some(failure.clone()),
        ..state
    };
    put_back(wish, live, state, &failure)
}

fn put_back(wish: &Wish<'_>, live: &Live, state: State, failure: &Failure) -> Decision {
    let wanted = image(wish.template);
    // Without a note of it, which somebody removed, the StatefulSet itself still has the image.
    let before = state.last_good.clone().filter(|good| good != wanted);
    let before = before.unwrap_or_else(|| image(&live.template).to_owned());
    let is_back = image(&live.template) == before;
    let outcome = match &live.pod {
        Judgement::Failed(fault) if is_back => format!(
            "{before} was put back and does not start either: {} The data may be damaged: restore a backup.",
            fault.message
        ),
        _ => format!("{before} was put back."),
    };
    let message = format!(
        "Redis did not start with the image {wanted}: {} {outcome} Change redis.managed.image, or give the annotation {} a new value to try it again.",
        failure.message,
        names::RETRY,
    );
    let look_again = match &live.pod {
        Judgement::Progressing { due } if is_back => *due,
        _ => None,
    };
    Decision {
        template: with_image(wish.template, &before),
        state,
        standing: Standing::RolledBack(message),
        look_again,
    }
}

/// Until its turn the StatefulSet keeps what it has.
fn hold(wish: &Wish<'_>, live: &Live) -> Decision {
    let standing = match &live.state.failure {
        Some(failure) if !failure.retrying => Standing::RolledBack(format!(
            "Redis did not start with the image {}: {} {} was put back.",
            live.state.failed.as_deref().unwrap_or_default(),
            failure.message,
            live.state.last_good.as_deref().unwrap_or("The one before"),
        )),
        _ => Standing::Held,
    };
    Decision {
        template: again(&live.template, wish.template),
        state: live.state.clone(),
        standing,
        look_again: None,
    }
}

#[cfg(test)]
mod tests;
