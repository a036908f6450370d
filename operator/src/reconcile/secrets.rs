//! What pods log in with: made once where it is generated, and changed step by step.

use faciliauto_api::FaciliAutoDeployment;
use k8s_openapi::api::core::v1::Secret;

use super::{Context, Error, Progress};
use crate::{
    names,
    reconcile::{
        apply::{
            self,
            credentials::{self, Generated},
        },
        dereference::Referenced,
        observe::Observed,
        passwords::{
            Password,
            keep::{Kept, Stored, keep},
        },
        validate::{RedisSettings, Validated},
    },
    resources::Kind,
};

/// The passwords of a managed Redis, after the steps of a change that can be taken now.
pub(super) async fn passwords(
    context: &Context,
    resource: &FaciliAutoDeployment,
    validated: &Validated,
    referenced: &Referenced,
    before: &Observed,
    progress: &mut Progress,
) -> Result<Option<Kept>, Error> {
    let RedisSettings::Managed(managed) = &validated.redis else {
        return Ok(None);
    };
    let wanted = match &managed.password {
        Some(password) => password.clone(),
        None => {
            let existing = referenced.credentials.as_ref();
            // Who has just stopped to name a Secret of their own has lost nothing.
            let status = resource.status.as_ref();
            let is_seen =
                status.and_then(|status| status.observed_generation) == resource.metadata.generation;
            let was_used = before.stateful_set.is_some() && is_seen;
            let what = Generated::RedisPassword;
            Password::new(generated(context, validated, what, existing, was_used, progress).await?)
        }
    };
    let stored = Stored {
        login: referenced.login.as_ref(),
        acl: referenced.acl.as_ref(),
    };
    let kept = keep(&context.client, validated, &wanted, stored, before).await;
    let kept = kept.inspect_err(|error| progress.note_conflict(error))?;
    progress
        .wanted
        .push((Kind::Secret, names::login(&validated.owner.name)));
    progress.login_remade = kept.remade;
    progress.password_steps.clone_from(&kept.steps);
    progress.password_change.clone_from(&kept.under_way);
    Ok(Some(kept))
}

/// A generated secret: the one that exists, or a new one.
pub(super) async fn generated(
    context: &Context,
    validated: &Validated,
    what: Generated,
    existing: Option<&Secret>,
    was_used: bool,
    progress: &mut Progress,
) -> Result<String, Error> {
    let ensured = credentials::ensure(&context.client, validated, what, existing).await;
    let credentials = ensured.inspect_err(|error| progress.note_conflict(error))?;
    if credentials.made_now && was_used {
        progress.remade.push(what);
    }
    progress
        .wanted
        .push((Kind::Secret, what.name(&validated.owner.name)));
    Ok(credentials.value)
}

impl Progress {
    fn note_conflict(&mut self, error: &apply::Error) {
        if let apply::Error::CredentialsNotOurs { name, leftover } = error {
            self.outcome.conflicts.push(apply::NameConflict {
                kind: Kind::Secret,
                name: name.clone(),
                leftover: *leftover,
            });
        }
    }
}
