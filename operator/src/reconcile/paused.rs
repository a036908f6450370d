//! A look at a paused resource: everything is read and judged as ever, and nothing but the status is
//! written. What would be done is told, for a spec that is not what serves must not read as current.

use faciliauto_api::FaciliAutoDeployment;
use k8s_openapi::{api::core::v1::Secret, jiff::Timestamp};

use super::{
    Context, Error, Progress,
    apply::{
        self, Scope,
        credentials::{self, Generated},
        pending::pending,
    },
    dereference::{Referenced, dereference},
    exposure, guard,
    inputs::{backup_inputs, retained, seed_is_due},
    observe,
    passwords::{Password, Passwords, keep::present},
    secret_as_live,
    validate::{RedisSettings, Validated, validate},
};
use crate::{
    names,
    resources::{Inputs, Kind, build},
};

/// The steps of a look, up to the first write.
pub(super) async fn steps(
    context: &Context,
    resource: &FaciliAutoDeployment,
    progress: &mut Progress,
) -> Result<(), Error> {
    let referenced = dereference(&context.client, resource).await?;
    let validated = validate(resource, &referenced, &context.defaults)?;
    let before = observe(context, &validated);
    let passwords = passwords(&validated, &referenced, progress)?;
    if validated.api.admin_tokens_secret == Generated::AdminToken.name(&validated.owner.name) {
        let existing = referenced.admin_tokens.as_ref();
        generated(&validated, Generated::AdminToken, existing, progress)?;
    }
    let capabilities = context.capabilities.within(&validated.owner.namespace);
    let inputs = Inputs {
        passwords,
        tell: None,
        seed_is_due: seed_is_due(resource, &before),
        backups: backup_inputs(resource, &validated, &before, progress),
        optional_kinds: capabilities.present(),
    };
    let mut children = build(&validated, &inputs)
        .into_children()
        .map_err(apply::Error::Serialize)?;
    progress.rollout = Some(guard::without_a_turn(
        context,
        resource,
        &validated,
        &before,
        &mut children,
    ));
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
    progress.wanted.extend(retained(&validated, &before));
    progress.pending.extend(pending.objects().cloned());
    progress.outcome.conflicts = pending.conflicts;
    if !progress.outcome.conflicts.is_empty() {
        return Err(Error::NameConflict(progress.outcome.conflicts.len()));
    }
    Ok(())
}

/// The passwords of a managed Redis as they are stored; stand-ins where they would be made.
fn passwords(
    validated: &Validated,
    referenced: &Referenced,
    progress: &mut Progress,
) -> Result<Option<Passwords>, Error> {
    let RedisSettings::Managed(managed) = &validated.redis else {
        return Ok(None);
    };
    let wanted = match &managed.password {
        Some(password) => Some(password.clone()),
        None => {
            let existing = referenced.credentials.as_ref();
            generated(validated, Generated::RedisPassword, existing, progress)?.map(Password::new)
        }
    };
    let login = (Kind::Secret, names::login(&validated.owner.name));
    let found = present(validated, referenced.login.as_ref());
    let found = found.inspect_err(|error| progress.note_conflict(error))?;
    let Some(passwords) = found else {
        progress.pending.push(login);
        let nothing = || Password::new(String::new());
        return Ok(Some(Passwords::first(nothing(), nothing(), 1)));
    };
    if wanted.is_some() && passwords.known.get(&passwords.serving) != wanted.as_ref() {
        progress.pending.push(login.clone());
    }
    progress.wanted.push(login);
    Ok(Some(passwords))
}

/// A generated secret that exists; one that does not would be made.
fn generated(
    validated: &Validated,
    what: Generated,
    existing: Option<&Secret>,
    progress: &mut Progress,
) -> Result<Option<String>, Error> {
    let secret = (Kind::Secret, what.name(&validated.owner.name));
    let Some(existing) = existing else {
        progress.pending.push(secret);
        return Ok(None);
    };
    let found = credentials::read(validated, what, existing);
    let found = found.inspect_err(|error| progress.note_conflict(error))?;
    progress.wanted.push(secret);
    Ok(Some(found.value))
}
