//! The step between build and apply: which pod templates the children may have now. It brings together
//! what is live, whose turn it is, and the time. What all objects have in common comes first: it is carried
//! over, so that a change of that alone is no other template.

use std::{sync::Arc, time::Duration};

use faciliauto_api::FaciliAutoDeployment;
use k8s_openapi::jiff::Timestamp;
use kube::{ResourceExt, api::DynamicObject};

use crate::{
    children::Place,
    names,
    reconcile::{
        Context,
        apply::controller_uid,
        backups::before_image,
        conditions::is_true,
        observe::Observed,
        rollout::{Live, Report, Request, revise},
        validate::{Owner, Validated},
        waves,
    },
    resources::{Child, Kind, common},
};

/// Gives the children the pod templates that they may have now.
pub(super) fn guarded(
    context: &Context,
    resource: &FaciliAutoDeployment,
    validated: &Validated,
    observed: &Observed,
    children: &mut [Child],
) -> Report {
    let ask = |standing| context.waves.ask(&wave_name(resource), standing);
    guard(context, resource, validated, observed, children, ask)
}

/// The same for a resource that takes no turn: what would be applied if it did not have to wait.
pub(super) fn without_a_turn(
    context: &Context,
    resource: &FaciliAutoDeployment,
    validated: &Validated,
    observed: &Observed,
    children: &mut [Child],
) -> Report {
    guard(context, resource, validated, observed, children, |_| {
        waves::Turn::Wait
    })
}

fn guard(
    context: &Context,
    resource: &FaciliAutoDeployment,
    validated: &Validated,
    observed: &Observed,
    children: &mut [Child],
    ask: impl FnOnce(waves::Standing) -> waves::Turn,
) -> Report {
    carry_common(context, &validated.owner, children);
    let before_image = before_image(resource, validated, observed);
    let request = Request {
        before_image: &before_image,
        owner: &validated.owner,
        settings: &validated.rollout,
        generation: resource.metadata.generation.unwrap_or_default(),
        retry: resource.annotations().get(names::RETRY).map(String::as_str),
        now: Timestamp::now(),
    };
    let ready = resource
        .status
        .as_ref()
        .is_some_and(|status| is_true(&status.conditions, "Ready"));
    let live = Live::read(&context.children, observed, &request);
    let standing = live.standing(children, &request, ready);
    let turn = ask(standing);
    revise(children, &live, &context.children, &request, &turn)
}

/// Leaves the labels and annotations that all objects have in common in pod templates as they are live,
/// where nothing else in them changes.
fn carry_common(context: &Context, owner: &Owner, children: &mut [Child]) {
    let have_pods = |kind| matches!(kind, Kind::Deployment | Kind::StatefulSet);
    for child in children.iter_mut().filter(|child| have_pods(child.kind)) {
        let live = context.children.get(&Place {
            kind: child.kind,
            namespace: owner.namespace.clone(),
            name: child.name.clone(),
        });
        let is_ours =
            |object: &Arc<DynamicObject>| controller_uid(&object.metadata) == Some(owner.uid.as_str());
        if let Some(live) = live.filter(is_ours) {
            *child = child.changed(|object| common::carry(object, &live));
        }
    }
}

/// The resource, as turns name it.
pub(super) fn wave_name(resource: &impl ResourceExt) -> waves::Name {
    (resource.namespace().unwrap_or_default(), resource.name_any())
}

/// Time until a moment; the API keeps whole seconds, so a little longer.
pub(super) fn until(moment: Timestamp) -> Duration {
    let left = Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or_default();
    left + Duration::from_millis(500)
}
