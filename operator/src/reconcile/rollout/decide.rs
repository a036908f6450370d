//! Which template the API's Deployment gets: the one that was built, the last one that worked, or, until
//! it is the resource's turn to be upgraded, the one that it has. Pure; time is a parameter.
//!
//! ```text
//!              another template           all pods ready
//!   ┌─────────────────────────────► tried ──────────────► good
//!   │                                │ ▲
//!   │               past the deadline│ │retry is due, or asked for
//!   └──────────────────────── put back ┘
//! ```

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use serde_json::Value;

use super::{
    judge::{Fault, Judgement},
    revisions::Live,
    state::{Failure, State},
    template::{Identity, again},
};
use crate::names;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The template as it was built.
    pub template: &'a Value,
    /// The resource's generation.
    pub generation: i64,
    /// Whether what fails is put back.
    pub automatic: bool,
    /// The value of [`names::RETRY`] on the resource.
    pub retry: Option<&'a str>,
    /// Whether a new operator's template may be applied.
    pub may_upgrade: bool,
    /// Why another image of Redis has to wait.
    pub image_waits: Option<&'a str>,
    /// Whether somebody else changed the live template, so that it does well or badly without us.
    pub is_edited: bool,
    /// The time.
    pub now: Timestamp,
}

/// What is to be applied, and what to tell of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The template.
    pub template: Value,
    /// What to remember.
    pub state: State,
    /// How it stands.
    pub standing: Standing,
    /// When to look again.
    pub look_again: Option<Timestamp>,
}

/// How the rollout stands, for conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// What was asked for serves or is on its way.
    #[default]
    Followed,
    /// Nothing is wrong, and pods wait.
    Waiting(String),
    /// What was asked for failed, and stays.
    Failed(String),
    /// What was asked for failed, and the last that worked is back.
    RolledBack(String),
    /// What a new operator asks for has to wait for its turn.
    Held,
}

/// Pauses between attempts to get an image, which may appear.
const IMAGE_PAUSES: [SignedDuration; 3] = [
    SignedDuration::from_mins(10),
    SignedDuration::from_mins(30),
    SignedDuration::from_mins(60),
];

/// Whether a template that was built is the doing of a new operator: nobody edited the resource, nor did
/// a Secret change, and yet it is another.
pub fn is_operators_doing(state: &State, template: &Identity, generation: i64) -> bool {
    let applied = state.template.as_ref().map(|applied| &applied.shape);
    state.generation == Some(generation) && applied.is_some_and(|applied| *applied != template.shape)
}

/// Decides for a Deployment, `live` if it exists.
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
    let state = State {
        last_good: live.state.last_good.clone(),
        upgrade: live.state.upgrade && live.state.generation == Some(wish.generation),
        ..begun
    };
    if live.state.failed == Some(identity.to_string())
        && let Some(failure) = &live.state.failure
    {
        let state = State {
            failed: live.state.failed.clone(),
            failure: Some(failure.clone()),
            // An edit of something else changes nothing about whose doing it was.
            upgrade: live.state.upgrade,
            ..state
        };
        return if failure.retrying {
            follow(wish, &live.judgement, state, |state, fault| {
                fail(wish, live, state, fault)
            })
        } else {
            stay_back(wish, live, state, failure)
        };
    }
    if live.state.template.as_ref() == Some(&identity) {
        return follow(wish, &live.judgement, state, |state, fault| {
            fail(wish, live, state, fault)
        });
    }
    // Something new. What it replaces is noted in the same write, if it worked.
    let good = live
        .current
        .as_ref()
        .filter(|_| live.judgement == Judgement::Complete);
    let state = State {
        last_good: good.map(|revision| revision.name.clone()).or(state.last_good),
        upgrade: is_upgrade,
        ..state
    };
    applied(wish, state, Standing::Followed, None)
}

/// The template that was built, and what is to be remembered beside it.
pub(super) fn applied(
    wish: &Wish<'_>,
    state: State,
    standing: Standing,
    look_again: Option<Timestamp>,
) -> Decision {
    Decision {
        template: wish.template.clone(),
        state,
        standing,
        look_again,
    }
}

/// What was asked for has been applied: how does it do? `fail` decides what becomes of it when it failed.
pub(super) fn follow(
    wish: &Wish<'_>,
    judgement: &Judgement,
    state: State,
    fail: impl FnOnce(State, &Fault) -> Decision,
) -> Decision {
    if wish.is_edited {
        return applied(wish, state, Standing::Followed, None);
    }
    match judgement {
        Judgement::Complete => {
            let state = State {
                failed: None,
                failure: None,
                ..state
            };
            applied(wish, state, Standing::Followed, None)
        }
        Judgement::Progressing { due } => applied(wish, state, Standing::Followed, *due),
        Judgement::Waiting { message, due } => {
            let look_again = Some(*due).filter(|due| *due > wish.now);
            applied(wish, state, Standing::Waiting(message.clone()), look_again)
        }
        Judgement::Failed(fault) => fail(state, fault),
    }
}

fn fail(wish: &Wish<'_>, live: &Live, state: State, fault: &Fault) -> Decision {
    let revision = live
        .current
        .as_ref()
        .map(|revision| revision.name.clone())
        .unwrap_or_default();
    let good = live.last_good();
    let Some(good) = good.filter(|_| wish.automatic) else {
        let serves = match good {
            Some(good) => format!("{} goes on serving.", good.name),
            None => "There is no earlier revision to go back to.".to_owned(),
        };
        let message = format!("Revision {revision} failed: {} {serves}", fault.message);
        return applied(wish, state, Standing::Failed(message), None);
    };
    let attempts = state
        .failure
        .as_ref()
        .map_or(0, |failure| failure.attempts)
        .saturating_add(1);
    let failure = Failure {
        revision,
        message: fault.message.clone(),
        at: Time(wish.now),
        attempts,
        upgrade: state.upgrade,
        image: fault.image,
        retry: wish.retry.map(str::to_owned),
        retrying: false,
    };
    let state = State {
        last_good: Some(good.name.clone()),
        failed: Some(Identity::of(wish.template).to_string()),
        failure: Some(failure.clone()),
        ..state
    };
    put_back(wish, live, state, &failure)
}

/// What was asked for failed before: it is tried again when that is due, and until then it stays away.
fn stay_back(wish: &Wish<'_>, live: &Live, state: State, failure: &Failure) -> Decision {
    let is_asked_for = wish.retry.is_some() && wish.retry != failure.retry.as_deref();
    let is_due = wish.automatic && retry_at(failure).is_some_and(|at| at <= wish.now);
    if !is_asked_for && !is_due {
        return put_back(wish, live, state, failure);
    }
    let good = live
        .current
        .as_ref()
        .filter(|_| live.judgement == Judgement::Complete);
    let state = State {
        last_good: good.map(|revision| revision.name.clone()).or(state.last_good),
        failure: Some(Failure {
            retrying: true,
            ..failure.clone()
        }),
        ..state
    };
    applied(wish, state, Standing::Followed, None)
}

fn put_back(wish: &Wish<'_>, live: &Live, state: State, failure: &Failure) -> Decision {
    let noted = state.last_good.as_deref();
    let revision = noted.and_then(|name| live.revision(name));
    // Without its ReplicaSet, which somebody deleted, the Deployment itself still has the template.
    let old = revision.map_or(&live.template, |revision| &revision.template);
    let retry = retry_at(failure).filter(|_| wish.automatic);
    let by_itself = retry.map_or_else(String::new, |at| {
        format!(
            " The image is tried again at {}.",
            Time(at).0.strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    });
    let message = format!(
        "Revision {} failed: {} {} serves instead. Change what is declared, or give the annotation {} a new value to try it again.{by_itself}",
        failure.revision,
        failure.message,
        noted.unwrap_or("The one before"),
        names::RETRY,
    );
    Decision {
        template: again(old, wish.template),
        standing: Standing::RolledBack(message),
        look_again: retry,
        state,
    }
}

/// When an image is tried again by itself.
fn retry_at(failure: &Failure) -> Option<Timestamp> {
    let pause = IMAGE_PAUSES
        .get(usize::try_from(failure.attempts.saturating_sub(1)).unwrap_or(usize::MAX))
        .or(IMAGE_PAUSES.last())?;
    failure
        .image
        .then(|| failure.at.0.checked_add(*pause).unwrap_or(Timestamp::MAX))
}

/// Until its turn the Deployment keeps what it has: the template of a ReplicaSet rather than its own, so
/// that an edit of somebody's is still put right.
fn hold(wish: &Wish<'_>, live: &Live) -> Decision {
    let name = live.state.held.clone();
    let name = name.or_else(|| live.current.as_ref().map(|revision| revision.name.clone()));
    let revision = name.as_deref().and_then(|name| live.revision(name));
    let old = revision.map_or(&live.template, |revision| &revision.template);
    let is_put_back = live.state.failed.is_some()
        && live
            .state
            .failure
            .as_ref()
            .is_some_and(|failure| !failure.retrying);
    let standing = match (&live.state.failure, &live.judgement) {
        (Some(failure), _) if is_put_back => Standing::RolledBack(format!(
            "Revision {} failed: {} {} serves instead.",
            failure.revision,
            failure.message,
            live.state.last_good.as_deref().unwrap_or("The one before"),
        )),
        (_, Judgement::Failed(fault)) => Standing::Failed(fault.message.clone()),
        _ => Standing::Held,
    };
    let look_again = match &live.judgement {
        Judgement::Progressing { due } => *due,
        Judgement::Complete | Judgement::Waiting { .. } | Judgement::Failed(_) => None,
    };
    Decision {
        template: again(old, wish.template),
        state: State {
            held: revision.map(|revision| revision.name.clone()),
            ..live.state.clone()
        },
        standing,
        look_again,
    }
}

#[cfg(test)]
mod tests;
