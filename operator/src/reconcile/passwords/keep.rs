//! Takes the steps: each is written into the Secret before anything that follows from it is built.

use k8s_openapi::{api::core::v1::Secret, jiff::Timestamp};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};

use super::{Facts, Password, Passwords, Step, Synced};
use crate::{
    client::bounded,
    names,
    reconcile::{
        apply::{Error, credentials, is_leftover},
        observe::Observed,
        validate::Validated,
    },
    resources::{Kind, acl_sync_job, redis_acl, redis_login},
};

/// Steps that one look takes at most; more would be a mistake that repeats itself.
const MOST_STEPS: usize = 4;

/// The passwords as they are stored now.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The passwords.
    pub passwords: Passwords,
    /// The Redis process that is to be told of the users; none when it knows them, or is away.
    pub tell: Option<String>,
    /// Steps that were taken.
    pub steps: Vec<Step>,
    /// Whether the Secret was gone, or spoiled, although it was in use.
    pub remade: bool,
    /// What is under way, for a person who waits.
    pub under_way: Option<UnderWay>,
}

/// A change that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Whether the last attempt to tell Redis failed.
    pub failed: bool,
    /// What a person wants to know.
    pub message: String,
}

/// What is there before a step.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// The Secret with the passwords.
    pub login: Option<&'a Secret>,
    /// The Secret with the users.
    pub acl: Option<&'a Secret>,
}

/// Reads the passwords, or makes the first, and takes the steps that can be taken now.
///
/// # Errors
/// When the Secret is somebody else's, or cannot be written.
pub async fn keep(
    client: &Client,
    validated: &Validated,
    wanted: &Password,
    stored: Stored<'_>,
    observed: &Observed,
) -> Result<Kept, Error> {
    let now = Timestamp::now().as_second();
    let mut version = stored
        .login
        .and_then(|secret| secret.metadata.resource_version.clone());
    let mut remade = false;
    let mut passwords = match present(validated, stored.login)? {
        Some(passwords) => passwords,
        None => {
            remade = observed.api_mounts_secret(&names::login(&validated.owner.name));
            let passwords = begin(validated, wanted, stored.acl, observed, now)?;
            version = write(client, validated, &passwords, version).await?;
            passwords
        }
    };
    let mut steps = Vec::new();
    let facts = |passwords: &Passwords| Facts::of(validated, passwords, wanted, observed, now);
    while let Some((step, next)) = passwords
        .next(&facts(&passwords))
        .filter(|_| steps.len() < MOST_STEPS)
    {
        version = write(client, validated, &next, version).await?;
        tracing::info!(
            namespace = validated.owner.namespace,
            name = validated.owner.name,
            ?step,
            number = next.serving,
            "a step of a change of the Redis password"
        );
        passwords = next;
        steps.push(step);
    }
    let facts = facts(&passwords);
    let can_log_in = has_admin(observed, &passwords);
    Ok(Kept {
        tell: facts
            .server
            .clone()
            .filter(|_| can_log_in && !passwords.are_synced(&facts)),
        under_way: under_way(validated, &passwords, &facts, observed),
        passwords,
        steps,
        remade,
    })
}

/// The passwords that a Secret holds.
///
/// # Errors
/// When the Secret is somebody else's.
pub fn present(validated: &Validated, login: Option<&Secret>) -> Result<Option<Passwords>, Error> {
    let Some(secret) = login else {
        return Ok(None);
    };
    let owners = secret.owner_references();
    if !owners.iter().any(|owner| owner.uid == validated.owner.uid) {
        return Err(Error::CredentialsNotOurs {
            name: secret.name_any(),
            leftover: is_leftover(owners, validated),
        });
    }
    Ok(Passwords::read(secret))
}

/// The first passwords. Where pods run already, as after somebody deleted the Secret, they go on: their
/// password keeps its number if it is still the one that Redis knows, or else gets another.
fn begin(
    validated: &Validated,
    wanted: &Password,
    acl: Option<&Secret>,
    observed: &Observed,
    now: i64,
) -> Result<Passwords, Error> {
    let used = observed.deployment.as_ref().and_then(|deployment| {
        let template = deployment.spec.as_ref()?.template.metadata.as_ref()?;
        let mark = template.annotations.as_ref()?.get(names::CREDENTIALS)?;
        mark.parse::<u32>().ok()
    });
    let is_known = acl.is_some_and(|acl| redis_acl::knows(acl, wanted));
    let number = match used {
        None => 1,
        Some(number) if is_known => number,
        Some(number) => number.saturating_add(1),
    };
    let admin = Password::new(credentials::generate()?);
    let mut passwords = Passwords::first(admin, wanted.clone(), number);
    if observed.stateful_set.is_none() {
        // Redis starts with them: there is nobody to tell.
        passwords.synced = Some(Synced {
            users: redis_acl::fingerprint(&redis_acl::users(validated, &passwords)),
            server: None,
            at: now,
        });
    }
    Ok(passwords)
}

/// Writes the Secret at the version at which it was read. Returns its version now.
async fn write(
    client: &Client,
    validated: &Validated,
    passwords: &Passwords,
    version: Option<String>,
) -> Result<Option<String>, Error> {
    let mut secret = redis_login::secret(validated, passwords).map_err(Error::Serialize)?;
    secret.metadata.resource_version = version;
    let name = secret.name_any();
    let api: Api<Secret> = Api::namespaced(client.clone(), &validated.owner.namespace);
    let parameters = PatchParams::apply(names::FIELD_MANAGER).force();
    match bounded(api.patch(&name, &parameters, &Patch::Apply(&secret))).await {
        Ok(answer) => Ok(answer.metadata.resource_version),
        Err(source) => Err(Error::Apply {
            kind: Kind::Secret,
            name,
            source,
        }),
    }
}

/// Whether Redis was started with the administrator of users that we have the password of.
fn has_admin(observed: &Observed, passwords: &Passwords) -> bool {
    let template = observed
        .stateful_set
        .as_ref()
        .and_then(|set| set.spec.as_ref()?.template.metadata.as_ref());
    let mark = template
        .and_then(|metadata| metadata.annotations.as_ref())
        .and_then(|annotations| annotations.get(names::CREDENTIALS));
    mark == Some(&redis_acl::admin_fingerprint(passwords))
}

fn under_way(
    validated: &Validated,
    passwords: &Passwords,
    facts: &Facts<'_>,
    observed: &Observed,
) -> Option<UnderWay> {
    let message = passwords.under_way(facts)?;
    let job = facts
        .server
        .as_ref()
        .map(|server| acl_sync_job::name(validated, passwords, &facts.users, server));
    let failure = job.and_then(|job| observed.job_failure(names::ACL_SYNC, &job));
    Some(match failure {
        Some(failure) => UnderWay {
            failed: true,
            message: format!("{message} {failure}"),
        },
        None => UnderWay {
            failed: false,
            message: message.to_owned(),
        },
    })
}
