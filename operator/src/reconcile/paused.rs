//! A look at a paused resource: everything is read and judged as ever, and nothing but the status is
//! written. What would be done is told, for a spec that is not what serves must not read as current.

use faciliauto_api::{FaciliAutoDeployment, RedisMode};
use k8s_openapi::jiff::Timestamp;

use super::{
    Context, Error, Progress,
    apply::{
        self, Scope,
        credentials::{self, Generated},
        pending::pending,
    },
    dereference::dereference,
    exposure, observe, secret_as_live, seed_is_due,
    validate::validate,
};
use crate::resources::{Inputs, Kind, build};

/// The steps of a look, up to the first write.
pub(super) async fn steps(
    context: &Context,
    resource: &FaciliAutoDeployment,
    progress: &mut Progress,
) -> Result<(), Error> {
    let referenced = dereference(&context.client, resource).await?;
    let validated = validate(resource, &referenced, &context.defaults)?;
    let before = observe(context, &validated);
    let name = &validated.owner.name;
    let mut generated = Vec::new();
    if resource.spec.redis.mode == RedisMode::Managed {
        generated.push((Generated::RedisPassword, referenced.credentials.as_ref()));
    }
    if validated.api.admin_tokens_secret == Generated::AdminToken.name(name) {
        generated.push((Generated::AdminToken, referenced.admin_tokens.as_ref()));
    }
    let mut password = None;
    for (what, existing) in generated {
        let Some(existing) = existing else {
            progress.pending.push((Kind::Secret, what.name(name)));
            continue;
        };
        let found = credentials::read(&validated, what, existing);
        let found = found.inspect_err(|error| progress.note_conflict(error))?;
        if what == Generated::RedisPassword {
            password = Some(found.value);
        }
        progress.wanted.push((Kind::Secret, what.name(name)));
    }
    let capabilities = context.capabilities.within(&validated.owner.namespace);
    let inputs = Inputs {
        password,
        seed_is_due: seed_is_due(resource, &before),
        optional_kinds: capabilities.present(),
    };
    let children = build(&validated, &inputs)
        .into_children()
        .map_err(apply::Error::Serialize)?;
    let kept = exposure::kept_until_the_other_works(
        &resource.spec.exposure,
        &before,
        &capabilities,
        Timestamp::now(),
    );
    let scope = Scope {
        client: &context.client,
        children: &context.children,
        validated: &validated,
        acl: referenced.acl.and_then(secret_as_live),
        kept: kept.map(|(kind, _)| kind),
    };
    let pending = pending(&scope, &children).await?;
    // What is there, wanted or not, is what the status lists.
    let built = children.iter().map(|child| (child.kind, child.name.clone()));
    let live = built.filter(|child| !pending.missing.contains(child));
    progress
        .wanted
        .extend(live.chain(pending.unwanted.iter().cloned()));
    progress.pending.extend(pending.objects().cloned());
    progress.outcome.conflicts = pending.conflicts;
    if !progress.outcome.conflicts.is_empty() {
        return Err(Error::NameConflict(progress.outcome.conflicts.len()));
    }
    Ok(())
}
