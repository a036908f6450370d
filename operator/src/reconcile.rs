//! One look at one resource: the six steps in order, then the answer.
//!
//! | step | kind | does |
//! | --- | --- | --- |
//! | dereference | async, client | reads what the resource refers to |
//! | validate | pure | raw resource and what was read → one validated type |
//! | build | pure | validated type → every child (`resources`) |
//! | rollout | pure | which pod templates the children may have now |
//! | apply | async, client | server-side apply in order; prunes |
//! | conditions, status | pure, then async | live children → conditions; one patch, if it differs |
//!
//! A failure of an early step does not skip the last one: what went wrong is told in the conditions.

pub mod apply;
pub mod backups;
pub mod conditions;
pub mod dereference;
pub mod exposure;
pub mod job_ends;
pub mod observe;
pub mod passwords;
pub mod refusals;
pub mod restores;
pub mod rollout;
pub mod status;
pub mod trouble;
pub mod validate;
pub mod waves;

mod guard;
mod inputs;
mod notices;
mod paused;
mod secrets;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use faciliauto_api::{FaciliAutoDeployment, FaciliAutoDeploymentStatus, RedisMode};
use k8s_openapi::{api::core::v1::Secret, jiff::Timestamp};
use kube::{Client, Resource, ResourceExt, api::DynamicObject, core::DeserializeGuard};
use kube_runtime::{controller::Action, reflector::ObjectRef};

use crate::{
    backoff::{Backoff, jitter},
    capabilities::LiveCapabilities,
    children::{Children, project},
    events::{Events, Notice},
    memory::Memory,
    metrics::Metrics,
    probe::Reports,
    reconcile::{
        apply::{Outcome, Scope, apply, credentials::Generated, delete_pods},
        conditions::{Look, autoscaling},
        dereference::dereference,
        inputs::{backup_inputs, is_seeded, retained, seed_is_due},
        observe::Observed,
        passwords::{Step, keep::UnderWay},
        rollout::Report,
        validate::{ReleaseDefaults, SeedSource, Validated, validate},
        waves::Waves,
    },
    resources::{Inputs, Kind, backup_before, build},
};

/// Longest time that one look may take; every call within has a bound of its own.
const LONGEST_LOOK: Duration = Duration::from_secs(180);

/// How often a healthy resource is looked at when nothing happens: Secrets are not watched, and one
/// that was deleted is missed by the next pod that starts.
const REST: Duration = Duration::from_secs(600);

/// The same for a resource that refers to a Secret of the user's.
const REST_WITH_REFERENCES: Duration = Duration::from_secs(60);

/// Pause in a namespace that is going away.
const NAMESPACE_ENDING: Duration = Duration::from_secs(60);

/// Two status writes of one resource are at least this far apart, unless readiness changes.
const STATUS_HOLD: Duration = Duration::from_secs(2);

/// The same where only numbers and sentences differ: pods come and go one by one, and the next number is
/// often the last.
const DETAILS_HOLD: Duration = Duration::from_secs(10);

/// What reconciling works with; one for the process.
pub struct Context {
    /// Client of the API server.
    pub client: Client,
    /// Live children.
    pub children: Arc<Children>,
    /// What the cluster has beyond what every cluster has.
    pub capabilities: Arc<LiveCapabilities>,
    /// What is remembered between looks.
    pub memory: Memory,
    /// Whose turn it is when a new operator changes pods.
    pub waves: Waves,
    /// What APIs say of their stores.
    pub reports: Arc<Reports>,
    /// Where people are told.
    pub events: Events,
    /// What is counted.
    pub metrics: Metrics,
    /// What resources that name no image get.
    pub defaults: ReleaseDefaults,
}

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource does not read as one.
    #[error("failed to read the resource: {0}")]
    Decode(String),
    /// What it refers to could not be read.
    #[error(transparent)]
    Dereference(#[from] dereference::Error),
    /// It cannot be built from.
    #[error(transparent)]
    Validate(#[from] validate::Error),
    /// What it refers to is not there; the rest was done.
    #[error("{0}")]
    Waiting(String),
    /// Objects that are not ours stand in the way; the rest was done.
    #[error("{0} objects that are not ours stand in the way")]
    NameConflict(usize),
    /// The children could not be brought to what was built.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// The status could not be written.
    #[error(transparent)]
    Status(#[from] status::Error),
    /// It took too long.
    #[error("failed to finish within {LONGEST_LOOK:?}")]
    TooLong,
}

/// When to look again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing helps but a change of the resource.
    OnChange,
    /// Soon, and then less often: somebody will put something there.
    Missing,
    /// With growing pauses.
    Failure,
    /// The namespace is going away: leave it alone.
    NamespaceEnding,
}

/// A failure as conditions tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The resource itself is at fault.
    Invalid {
        /// What to change.
        message: String,
    },
    /// The API server refuses an object that the resource asks for.
    Refused {
        /// What it says.
        message: String,
    },
    /// Something that the resource refers to is not there.
    MissingReference {
        /// What for.
        of: validate::Reference,
        /// What is missing.
        message: String,
    },
    /// Something failed that may pass.
    Failed {
        /// What.
        message: String,
    },
}

impl Error {
    /// A stable word for metrics.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Decode(_) => "decode",
            Self::Dereference(_) => "dereference",
            Self::Validate(validate::Error::Invalid { .. }) => "invalid",
            Self::Validate(validate::Error::MissingReference { .. }) | Self::Waiting(_) => {
                "missing_reference"
            }
            Self::NameConflict(_) | Self::Apply(apply::Error::CredentialsNotOurs { .. }) => "name_conflict",
            Self::Apply(_) => "apply",
            Self::Status(_) => "status",
            Self::TooLong => "timeout",
        }
    }

    /// When to look again.
    pub fn retry(&self) -> Retry {
        if self.namespace_is_ending() {
            return Retry::NamespaceEnding;
        }
        match self {
            Self::Decode(_) | Self::Validate(validate::Error::Invalid { .. }) => Retry::OnChange,
            Self::Validate(validate::Error::MissingReference { .. })
            | Self::Waiting(_)
            | Self::NameConflict(_)
            | Self::Apply(apply::Error::CredentialsNotOurs { .. }) => Retry::Missing,
            Self::Apply(error) if is_invalid(error) => Retry::OnChange,
            Self::Dereference(_) | Self::Apply(_) | Self::Status(_) | Self::TooLong => Retry::Failure,
        }
    }

    fn namespace_is_ending(&self) -> bool {
        let answer = match self {
            Self::Apply(error) => error.api_error(),
            Self::Dereference(error) => Some(error.api_error()),
            _ => None,
        };
        matches!(answer, Some(kube::Error::Api(status)) if status.code == 403 && status.message.contains("being terminated"))
    }

    /// The failure as conditions tell it; none when conditions say it otherwise.
    fn failure(&self) -> Option<Failure> {
        Some(match self {
            Self::Validate(validate::Error::Invalid { problems }) => Failure::Invalid {
                message: problems.join("; "),
            },
            Self::Validate(validate::Error::MissingReference { of, message }) => Failure::MissingReference {
                of: *of,
                message: message.clone(),
            },
            Self::Waiting(_)
            | Self::NameConflict(_)
            | Self::Apply(apply::Error::CredentialsNotOurs { .. }) => {
                return None;
            }
            Self::Apply(error) if is_invalid(error) => Failure::Refused {
                message: with_cause(self),
            },
            _ => Failure::Failed {
                message: format!("{}. It is tried again.", with_cause(self)),
            },
        })
    }
}

/// Whether the API server finds fault with an object itself.
fn is_invalid(error: &apply::Error) -> bool {
    matches!(error, apply::Error::Apply { source: kube::Error::Api(status), .. } if status.code == 422 || status.code == 400)
}

/// An error with what caused it, in one line.
fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// Looks at one resource and brings its children to what it declares.
///
/// # Errors
/// At the first step that fails; its conditions tell of it.
pub async fn reconcile(
    resource: Arc<DeserializeGuard<FaciliAutoDeployment>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let began = Instant::now();
    let mut progress = Progress::default();
    let result = match tokio::time::timeout(LONGEST_LOOK, look(&resource, &context, &mut progress)).await {
        Ok(result) => result,
        Err(_) => Err(Error::TooLong),
    };
    let is_stuck = result
        .as_ref()
        .is_err_and(|error| error.retry() == Retry::OnChange);
    let is_paused = resource.0.as_ref().is_ok_and(|resource| resource.spec.paused);
    if progress.rollout.is_none() || is_stuck || is_paused {
        // It takes no turn, and none waits for it.
        context.waves.looked_at(&guard::wave_name(resource.as_ref()));
    }
    context
        .metrics
        .count_reconciliation(began.elapsed(), result.as_ref().err().map(Error::category));
    if result.is_ok()
        && let Ok(resource) = &resource.0
    {
        let uid = resource.uid().unwrap_or_default();
        context
            .memory
            .with(&ObjectRef::from_obj(resource), &uid, |remembered| {
                remembered.failures = 0
            });
    }
    result
}

async fn look(
    guard: &DeserializeGuard<FaciliAutoDeployment>,
    context: &Context,
    progress: &mut Progress,
) -> Result<Action, Error> {
    // Never from a store that has not finished its first list: what is missing there may exist.
    let namespace = guard.meta().namespace.clone().unwrap_or_default();
    context.children.wait_until_filled(&namespace).await;
    context.capabilities.wait_until_known().await;
    let resource = match &guard.0 {
        Ok(resource) => resource,
        Err(invalid) => {
            let note = format!(
                "The resource cannot be read, and is left alone until it changes: {}",
                invalid.error
            );
            context
                .events
                .publish(guard, &Notice::warning("Rejected", note))
                .await;
            return Err(Error::Decode(invalid.error.clone()));
        }
    };
    if resource.metadata.deletion_timestamp.is_some() {
        // The cluster removes what we own; nothing outside it needs us.
        return Ok(Action::await_change());
    }
    let (reference, uid) = (ObjectRef::from_obj(resource), resource.uid().unwrap_or_default());
    let left_alone = context
        .memory
        .with(&reference, &uid, |remembered| remembered.left_alone_until);
    if left_alone.is_some_and(|until| until > Instant::now()) {
        // Each child that goes announces its end; none is to be made again.
        return Ok(Action::requeue(NAMESPACE_ENDING));
    }
    let result = steps(context, resource, progress).await;
    if let Err(error) = &result
        && error.retry() == Retry::NamespaceEnding
    {
        let until = Some(Instant::now() + NAMESPACE_ENDING);
        context
            .memory
            .with(&reference, &uid, |remembered| remembered.left_alone_until = until);
        return Ok(Action::requeue(NAMESPACE_ENDING));
    }
    let held = answer(context, resource, progress, result.as_ref().err()).await?;
    result?;
    let refers = resource.spec.redis.mode == RedisMode::External
        || !resource.spec.api.admin_tokens_secret.is_empty()
        || !dereference::backup_references(resource).secrets.is_empty()
        || dereference::users_password_secret(resource).is_some();
    let rest = jitter(if refers { REST_WITH_REFERENCES } else { REST });
    let pauses = [held, progress.look_again, Some(rest)];
    Ok(Action::requeue(
        pauses.into_iter().flatten().min().unwrap_or(rest),
    ))
}

/// How far the steps came.
#[derive(Debug, Default)]
struct Progress {
    wanted: Vec<(Kind, String)>,
    outcome: Outcome,
    seed_missing: Option<String>,
    /// What a paused resource leaves undone.
    pending: Vec<(Kind, String)>,
    /// How rollouts stand.
    rollout: Option<Report>,
    /// Secrets that were gone and were generated anew.
    remade: Vec<Generated>,
    /// Whether the Secret with the passwords in use was.
    login_remade: bool,
    /// Steps of a change of the Redis password that were taken.
    password_steps: Vec<Step>,
    /// What of it is under way.
    password_change: Option<UnderWay>,
    /// What backups cannot do without and is not there.
    backup_missing: Option<String>,
    /// What the restore that is declared waits for.
    restore_waits: Option<String>,
    /// When something is due.
    look_again: Option<Duration>,
}

async fn steps(
    context: &Context,
    resource: &FaciliAutoDeployment,
    progress: &mut Progress,
) -> Result<(), Error> {
    if resource.spec.paused {
        return paused::steps(context, resource, progress).await;
    }
    let referenced = dereference(&context.client, resource).await?;
    let validated = validate(resource, &referenced, &context.defaults)?;
    let before = observe(context, &validated);
    let kept = secrets::passwords(context, resource, &validated, &referenced, &before, progress).await?;
    let name = Generated::AdminToken.name(&validated.owner.name);
    if validated.api.admin_tokens_secret == name {
        let was_used = before.api_mounts_secret(&name);
        let existing = referenced.admin_tokens.as_ref();
        secrets::generated(
            context,
            &validated,
            Generated::AdminToken,
            existing,
            was_used,
            progress,
        )
        .await?;
    }
    let capabilities = context.capabilities.within(&validated.owner.namespace);
    let inputs = Inputs {
        tell: kept.as_ref().and_then(|kept| kept.tell.clone()),
        passwords: kept.map(|kept| kept.passwords),
        seed_is_due: seed_is_due(resource, &before),
        backups: backup_inputs(resource, &validated, &before, progress),
        optional_kinds: capabilities.present(),
    };
    let mut children = build(&validated, &inputs)
        .into_children()
        .map_err(apply::Error::Serialize)?;
    let report = guard::guarded(context, resource, &validated, &before, &mut children);
    if let Some(name) = &report.backup_before {
        let job = backup_before(&validated, &inputs, name).map_err(apply::Error::Serialize)?;
        children.extend(job);
    }
    let report = progress.rollout.insert(report);
    progress
        .wanted
        .extend(children.iter().map(|child| (child.kind, child.name.clone())));
    progress.wanted.extend(retained(&validated, &before));
    let exposure = &resource.spec.exposure;
    let kept = exposure::kept_until_the_other_works(exposure, &before, &capabilities, Timestamp::now());
    let due = report.look_again.map(guard::until);
    progress.look_again = [due, kept.and_then(|(_, left)| left)].into_iter().flatten().min();
    let scope = Scope {
        client: &context.client,
        children: &context.children,
        validated: &validated,
        acl: referenced.acl.and_then(secret_as_live),
        kept: kept.map(|(kind, _)| kind),
    };
    progress.outcome = apply(&scope, children).await?;
    delete_pods(&scope, &report.in_the_way).await?;
    if !progress.outcome.conflicts.is_empty() {
        return Err(Error::NameConflict(progress.outcome.conflicts.len()));
    }
    if let SeedSource::Missing { message } = &validated.seed
        && !is_seeded(resource)
    {
        progress.seed_missing = Some(message.clone());
        return Err(Error::Waiting(message.clone()));
    }
    Ok(())
}

fn observe(context: &Context, validated: &Validated) -> Observed {
    let owner = &validated.owner;
    Observed::of(&context.children, &owner.namespace, &owner.name, &owner.uid)
}

/// A Secret that was read by name, in the shape in which stores hold live children.
fn secret_as_live(secret: Secret) -> Option<DynamicObject> {
    let value = serde_json::to_value(secret).ok()?;
    let mut object: DynamicObject = serde_json::from_value(value).ok()?;
    project(Kind::Secret, &mut object);
    Some(object)
}

/// Draws conditions and status, writes them if they differ, and tells people what changed. Returns
/// when to look again, if a write was put off or something is to be asked for then.
async fn answer(
    context: &Context,
    resource: &FaciliAutoDeployment,
    progress: &Progress,
    error: Option<&Error>,
) -> Result<Option<Duration>, Error> {
    let (name, namespace) = (resource.name_any(), resource.namespace().unwrap_or_default());
    let uid = resource.uid().unwrap_or_default();
    let reference = ObjectRef::from_obj(resource);
    let observed = Observed::of(&context.children, &namespace, &name, &uid);
    let missing = context
        .memory
        .with(&reference, &uid, |remembered| remembered.redis_missing.take());
    let (missing, redis_refused, ask_again) =
        refusals::of_redis(&context.client, observed.stateful_set.as_ref(), missing).await;
    context
        .memory
        .with(&reference, &uid, |remembered| remembered.redis_missing = missing);
    let found = Look {
        redis_refused,
        failure: error.and_then(Error::failure),
        conflicts: progress.outcome.conflicts.clone(),
        volume_refused: progress.outcome.volume_refused.clone(),
        seed_missing: progress.seed_missing.clone(),
        pending: progress.pending.clone(),
        capabilities: context.capabilities.within(&namespace),
        rollout: progress.rollout.clone(),
        password_change: progress.password_change.clone(),
        backup_missing: progress.backup_missing.clone(),
        restore_waits: progress.restore_waits.clone(),
        store_trouble: context.reports.store_trouble(&reference, &uid),
    };
    let (previous, since_write) = context.memory.with(&reference, &uid, |remembered| {
        let ours = remembered
            .status
            .as_ref()
            .filter(|(base, _)| *base == resource.resource_version());
        let stored = resource.status.clone().unwrap_or_default();
        let previous = ours.map_or(stored, |(_, status)| status.clone());
        (
            previous,
            remembered.status_written.map(|written| written.elapsed()),
        )
    });
    let status = status::status(
        resource,
        &observed,
        &found,
        &progress.wanted,
        &previous,
        Timestamp::now(),
    );

    let mut notices = notices::of_progress(progress);
    notices.extend(notices::of_ignored_scale(context, resource, &reference, &uid));
    let mut held = None;
    if status != previous {
        let urgent = status::ready_changed(&previous, &status) || generation_moved(&previous, &status);
        let hold = if status::only_details_changed(&previous, &status) {
            DETAILS_HOLD
        } else {
            STATUS_HOLD
        };
        held = since_write
            .filter(|_| !urgent)
            .and_then(|since| hold.checked_sub(since));
        if held.is_none() {
            status::patch(&context.client, resource, &status).await?;
            notices.extend(notices::of_status(&previous, &status));
            context.memory.with(&reference, &uid, |remembered| {
                remembered.status = Some((resource.resource_version(), status));
                remembered.status_written = Some(Instant::now());
            });
        }
    }
    context.events.publish_all(resource, &notices).await;
    let patience = autoscaling::patience_until(&observed, Timestamp::now()).map(guard::until);
    Ok([held, ask_again, patience].into_iter().flatten().min())
}

/// A new generation is acknowledged at once: tools wait for it.
fn generation_moved(previous: &FaciliAutoDeploymentStatus, status: &FaciliAutoDeploymentStatus) -> bool {
    previous.observed_generation != status.observed_generation
}

/// When to look again at a resource after a failure.
pub fn error_policy(
    guard: Arc<DeserializeGuard<FaciliAutoDeployment>>,
    error: &Error,
    context: Arc<Context>,
) -> Action {
    let (name, namespace) = (guard.name_any(), guard.namespace().unwrap_or_default());
    let reference: ObjectRef<FaciliAutoDeployment> = ObjectRef::new(&name).within(&namespace);
    let uid = guard.uid().unwrap_or_default();
    let failures = context.memory.with(&reference, &uid, |remembered| {
        remembered.failures = remembered.failures.saturating_add(1);
        remembered.failures
    });
    let pause = match error.retry() {
        Retry::OnChange => jitter(REST),
        Retry::Missing => Backoff::MISSING.after(failures),
        Retry::Failure => Backoff::FAILURE.after(failures),
        Retry::NamespaceEnding => NAMESPACE_ENDING,
    };
    tracing::warn!(
        namespace,
        name,
        category = error.category(),
        failures,
        ?pause,
        error = with_cause(error),
        "a resource could not be brought to what it declares"
    );
    Action::requeue(pause)
}
