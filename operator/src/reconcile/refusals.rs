//! Why the cluster refuses Redis's pod. A StatefulSet, unlike a Deployment, has no condition for that:
//! only its Events tell, and they are listed once for each generation of it that stays without its pod.

use std::time::{Duration, Instant};

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Event};
use kube::{Api, Client, ResourceExt, api::ListParams};

use crate::{
    client::bounded,
    reconcile::trouble::{Trouble, refusal},
};

/// How long a StatefulSet may be without its pod before anybody asks why.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most Events that are read: those of one object are aggregated.
const MOST_EVENTS: u32 = 50;

/// What is remembered of a StatefulSet that lacks its pod.
#[derive(Clone, Debug)]
pub struct Missing {
    /// UID and generation of the StatefulSet.
    of: (String, i64),
    /// Since when.
    since: Instant,
    /// What its Events said, once they were read.
    answer: Option<Option<Trouble>>,
}

/// What to do about a StatefulSet.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It has its pod.
    Nothing,
    /// It may come yet: look again after this time.
    Wait(Duration),
    /// Read its Events.
    Ask,
    /// They were read.
    Known(Option<Trouble>),
}

fn step(set: Option<&StatefulSet>, missing: &mut Option<Missing>, now: Instant) -> Step {
    let lacks_pods = |set: &&StatefulSet| {
        let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let pods = set.status.as_ref().map_or(0, |status| status.replicas);
        pods < wanted
    };
    let Some(set) = set.filter(lacks_pods) else {
        *missing = None;
        return Step::Nothing;
    };
    let of = (
        set.uid().unwrap_or_default(),
        set.metadata.generation.unwrap_or(0),
    );
    let known = missing.take().filter(|missing| missing.of == of);
    let known = missing.insert(known.unwrap_or(Missing {
        of,
        since: now,
        answer: None,
    }));
    match (
        &known.answer,
        PATIENCE.checked_sub(now.saturating_duration_since(known.since)),
    ) {
        (Some(answer), _) => Step::Known(answer.clone()),
        (None, Some(left)) if !left.is_zero() => Step::Wait(left),
        (None, _) => Step::Ask,
    }
}

/// Why `set` lacks its pod, as far as it is known, and when to look again. A list that fails is made
/// again at the next look.
pub async fn of_redis(
    client: &Client,
    set: Option<&StatefulSet>,
    mut missing: Option<Missing>,
) -> (Option<Missing>, Option<Trouble>, Option<Duration>) {
    match step(set, &mut missing, Instant::now()) {
        Step::Nothing => (missing, None, None),
        Step::Wait(left) => (missing, None, Some(left)),
        Step::Known(answer) => (missing, answer, None),
        Step::Ask => {
            let Some(set) = set else {
                return (missing, None, None);
            };
            match read(client, set).await {
                Ok(answer) => {
                    if let Some(missing) = &mut missing {
                        missing.answer = Some(answer.clone());
                    }
                    (missing, answer, None)
                }
                Err(error) => {
                    tracing::warn!(%error, "the Events of a StatefulSet without its pod could not be listed");
                    (missing, None, Some(PATIENCE))
                }
            }
        }
    }
}

async fn read(client: &Client, set: &StatefulSet) -> Result<Option<Trouble>, kube::Error> {
    let api: Api<Event> = Api::namespaced(client.clone(), &set.namespace().unwrap_or_default());
    let uid = set.uid().unwrap_or_default();
    let of_the_set = ListParams::default()
        .fields(&format!("involvedObject.uid={uid},reason=FailedCreate"))
        .limit(MOST_EVENTS);
    let mut events = bounded(api.list(&of_the_set)).await?.items;
    events.sort_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0));
    let said = events.pop().and_then(|event| event.message);
    Ok(said.map(|said| refusal(&format!("StatefulSet {}", set.name_any()), &said)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(generation: i64, pods: i32) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "a-redis", "uid": "1", "generation": generation},
            "spec": {"replicas": 1},
            "status": {"replicas": pods},
        }))
        .expect("a StatefulSet")
    }

    /// Prevents: a list of Events at each look, or for a pod that is only slow; and an old answer that
    /// outlives what it was about.
    #[test]
    fn events_are_asked_for_once_a_generation_and_after_a_while() {
        let (mut missing, began) = (None, Instant::now());
        let mut at =
            |set: &StatefulSet, seconds| step(Some(set), &mut missing, began + Duration::from_secs(seconds));
        assert_eq!(at(&set(1, 1), 0), Step::Nothing);
        assert_eq!(at(&set(1, 0), 10), Step::Wait(PATIENCE));
        assert_eq!(at(&set(1, 0), 20), Step::Wait(Duration::from_secs(20)));
        assert_eq!(at(&set(1, 0), 40), Step::Ask);
        assert_eq!(at(&set(2, 0), 41), Step::Wait(PATIENCE), "another generation");
        assert_eq!(at(&set(2, 1), 50), Step::Nothing);
        assert_eq!(
            at(&set(2, 0), 60),
            Step::Wait(PATIENCE),
            "it had its pod in between"
        );
        let answer = Some(refusal("StatefulSet a-redis", "no"));
        missing.as_mut().expect("it is missing").answer = Some(answer.clone());
        assert_eq!(
            step(Some(&set(2, 0)), &mut missing, began + Duration::from_secs(999)),
            Step::Known(answer)
        );
        assert_eq!(step(None, &mut missing, began), Step::Nothing);
        assert!(missing.is_none());
    }
}
