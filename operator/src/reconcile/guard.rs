//! The step between build and apply: which pod templates the children may have now. It brings together
//! what is live, whose turn it is, and the time.

use std::time::Duration;

use faciliauto_api::FaciliAutoDeployment;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::{
    names,
    reconcile::{
        Context,
        conditions::is_true,
        observe::Observed,
        rollout::{Live, Report, Request, revise},
        validate::Validated,
        waves,
    },
    resources::Child,
};

/// Gives the children the pod templates that they may have now.
pub(super) fn guarded(
    context: &Context,
    resource: &FaciliAutoDeployment,
    validated: &Validated,
    observed: &Observed,
    children: &mut [Child],
) -> Report {
    let request = Request {
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
    let turn = context.waves.ask(&wave_name(resource), standing);
    revise(children, &live, &context.children, &request, &turn)
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
