//! `diff`: what the operator would change if the resources in a file were applied.
//!
//! The API server is asked for everything and nothing is written: the resource itself goes through its
//! validation, then each child that is built from it through a server-side apply, both as a dry run.
//! What the operator would delete is found as it finds it.

pub mod text;

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::{Context as _, ensure};
use faciliauto_api::{FaciliAutoDeployment, Quantity, Seed};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    args::DiffSettings,
    children::project,
    cli::{
        declared,
        render::{NO_PASSWORD, NO_TOKEN, first_passwords},
        terminal::Palette,
    },
    client::{self, bounded},
    names,
    reconcile::{
        apply::{
            controller_uid,
            credentials::{self, Generated},
            is_ours, replicas, volume,
        },
        dereference::{Referenced, dereference},
        passwords::{Password, Passwords, keep::present},
        validate::{RedisSettings, ReleaseDefaults, Scaling, Validated, validate},
    },
    resources::{BackupInputs, Child, Inputs, Kind, build, common, redis_login},
};

/// Requests at the same time: a resource has a dozen children, and an API server other users.
const REQUESTS: usize = 6;

/// An object as it is and as it would be.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is.
    pub kind: &'static str,
    /// Where.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As it is; absent if it would be made.
    pub live: Option<Value>,
    /// As it would be; absent if it would be deleted.
    pub declared: Option<Value>,
}

/// What would change, and what a person should know about what would not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// In the order in which the operator would write, deletions last.
    pub changes: Vec<Change>,
    /// A sentence each.
    pub notes: Vec<String>,
}

/// Prints what would change. Exits with 1 if anything would, as `kubectl diff` does.
///
/// # Errors
/// When the file or the cluster cannot be read, or the API server refuses what is declared.
pub fn print(settings: &DiffSettings) -> anyhow::Result<ExitCode> {
    let declared = declared::read(&settings.file)?;
    let defaults = settings
        .images
        .clone()
        .defaults(settings.operator.operator_namespace.clone());
    let changes = super::talk(async {
        let config = client::find_cluster(&settings.cluster).await?;
        let namespace = config.default_namespace.clone();
        let is_asked_for = settings.cluster.namespace.is_some();
        let client = client::for_a_person(config)?;
        changes(&client, &declared, (&namespace, is_asked_for), &defaults).await
    })?;
    for note in &changes.notes {
        super::note(note);
    }
    let drawn = text::draw(&changes.changes, Palette::of_standard_output());
    super::print(&drawn)?;
    Ok(if drawn.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// What would change if the resources in `text` were applied. A resource without a namespace belongs
/// to the given one; the flag beside it says whether a person asked for that one, for then a resource
/// may not name another.
///
/// # Errors
/// As [`print`].
pub async fn changes(
    client: &Client,
    text: &str,
    (namespace, is_asked_for): (&str, bool),
    defaults: &ReleaseDefaults,
) -> anyhow::Result<Changes> {
    let mut found = Changes::default();
    for mut resource in declared::resources(text)? {
        let name = resource.name_any();
        let own = resource
            .metadata
            .namespace
            .get_or_insert_with(|| namespace.to_owned());
        ensure!(
            !is_asked_for || own == namespace,
            "{name} names the namespace {own}, not {namespace}: leave one of them out"
        );
        let is_paused = resource.spec.paused;
        let mut of_this = Changes::default();
        of_resource(client, resource, defaults, &mut of_this)
            .await
            .with_context(|| name.clone())?;
        if is_paused {
            found.notes.push(paused(&name, &of_this));
        } else {
            found.changes.append(&mut of_this.changes);
        }
        found.notes.append(&mut of_this.notes);
    }
    Ok(found)
}

/// What a person should know about a resource that the file pauses: nothing changes, whatever differs.
fn paused(name: &str, would: &Changes) -> String {
    let differing: Vec<String> = would
        .changes
        .iter()
        .filter(|change| !text::draw(std::slice::from_ref(*change), Palette::PLAIN).is_empty())
        .map(|change| format!("{} {}", change.kind, change.name))
        .collect();
    if differing.is_empty() {
        return format!("{name} is paused in the file; nothing differs.");
    }
    format!(
        "{name} is paused in the file: the operator leaves everything as it is until spec.paused is false. It would change {}.",
        differing.join(", ")
    )
}

async fn of_resource(
    client: &Client,
    declared: FaciliAutoDeployment,
    defaults: &ReleaseDefaults,
    found: &mut Changes,
) -> anyhow::Result<()> {
    let (resource, is_new) = admitted(client, declared).await?;
    let referenced = dereference(client, &resource).await?;
    let validated = validate(&resource, &referenced, defaults)?;
    let mut children = Vec::new();
    let passwords = passwords(&validated, &referenced, &mut children, found)?;
    if validated.api.admin_tokens_secret == Generated::AdminToken.name(&validated.owner.name) {
        let existing = referenced.admin_tokens.as_ref();
        generated(&validated, Generated::AdminToken, existing, &mut children)?;
    }
    let optional_kinds = optional_kinds(client, &validated.owner.namespace).await?;
    let is_seeded = resource
        .status
        .as_ref()
        .and_then(|status| status.stock.as_ref())
        .is_some_and(|stock| stock.seeded);
    let restore = &resource.spec.restore;
    let known = resource
        .status
        .as_ref()
        .and_then(|status| status.restore.as_ref());
    let has_ended = known.is_some_and(|known| known.id == restore.id && known.phase.is_final());
    let restore_is_due = !restore.id.is_empty() && !has_ended;
    let inputs = Inputs {
        passwords,
        tell: None,
        seed_is_due: !is_seeded
            && resource.spec.stock.seed != Seed::None
            && resource.spec.restore.id.is_empty(),
        backups: BackupInputs {
            is_held: restore_is_due,
            restore_is_due,
        },
        optional_kinds,
    };
    let built = build(&validated, &inputs)
        .into_children()
        .context("failed to write the children")?;
    children.extend(built);

    let compared: Vec<Compared> = stream::iter(&children)
        .map(|child| compare(client, &validated, child))
        .buffered(REQUESTS)
        .try_collect()
        .await?;
    for compared in compared {
        match compared {
            Compared::Changes(changes) => found.changes.extend(changes),
            Compared::LeftAlone(note) => found.notes.push(note),
        }
    }
    if !is_new {
        found
            .changes
            .extend(unwanted(client, &validated, &children, &inputs.optional_kinds).await?);
    }
    Ok(())
}

/// The passwords of a managed Redis as they are in use, or those that it would be made with. A change of
/// them takes its time on the cluster, and is told in words.
fn passwords(
    validated: &Validated,
    referenced: &Referenced,
    made: &mut Vec<Child>,
    found: &mut Changes,
) -> anyhow::Result<Option<Passwords>> {
    let RedisSettings::Managed(managed) = &validated.redis else {
        return Ok(None);
    };
    let wanted = match &managed.password {
        Some(password) => password.clone(),
        None => {
            let existing = referenced.credentials.as_ref();
            Password::new(generated(validated, Generated::RedisPassword, existing, made)?)
        }
    };
    if let Some(passwords) = present(validated, referenced.login.as_ref())? {
        if passwords.known.get(&passwords.serving) != Some(&wanted) {
            found.notes.push(
                "the Redis password changes: the old one stays valid until every API pod uses the new one"
                    .to_owned(),
            );
        }
        return Ok(Some(passwords));
    }
    let passwords = first_passwords(&wanted);
    let secret = redis_login::secret(validated, &passwords);
    let object = secret.and_then(|secret| Ok((secret.name_any(), serde_json::to_value(secret)?)));
    let (name, object) = object.context("failed to write the Secret with the Redis passwords")?;
    made.push(Child::new(Kind::Secret, name, object));
    Ok(Some(passwords))
}

/// A generated secret: the one that is stored, or a stand-in, whose Secret would be made.
fn generated(
    validated: &Validated,
    what: Generated,
    existing: Option<&Secret>,
    made: &mut Vec<Child>,
) -> anyhow::Result<String> {
    if let Some(existing) = existing {
        return Ok(credentials::read(validated, what, existing)?.value);
    }
    let value = match what {
        Generated::RedisPassword => NO_PASSWORD,
        Generated::AdminToken => NO_TOKEN,
    };
    let secret = credentials::secret(validated, what, value);
    let object = serde_json::to_value(&secret).context("failed to write the generated secrets")?;
    made.push(Child::new(Kind::Secret, secret.name_any(), object));
    Ok(value.to_owned())
}

/// The optional kinds that the cluster has.
async fn optional_kinds(client: &Client, namespace: &str) -> anyhow::Result<BTreeSet<Kind>> {
    let mut present = BTreeSet::new();
    for kind in Kind::OPTIONAL {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind.api_resource());
        match bounded(api.list(&ListParams::default().limit(1))).await {
            Ok(_) => drop(present.insert(kind)),
            // By its number: an API group that the server does not know is answered in plain text, without a reason.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => {
                let what = format!(
                    "failed to find out whether the cluster has the kind {}",
                    kind.word()
                );
                return Err(error).context(what);
            }
        }
    }
    Ok(present)
}

/// The resource as the API server would take it, with defaults, and whether it would be made anew. The
/// file is taken for the whole truth: what it leaves out is not kept.
async fn admitted(
    client: &Client,
    declared: FaciliAutoDeployment,
) -> anyhow::Result<(FaciliAutoDeployment, bool)> {
    let namespace = declared.namespace().unwrap_or_default();
    let api: Api<FaciliAutoDeployment> = Api::namespaced(client.clone(), &namespace);
    let parameters = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let name = declared.name_any();
    let live = bounded(api.get_opt(&name))
        .await
        .with_context(|| format!("failed to read the resource in the namespace {namespace}"))?;
    let Some(live) = live else {
        let made = bounded(api.create(&parameters, &declared)).await;
        return Ok((made.context("the API server refuses the resource")?, true));
    };
    let changed = FaciliAutoDeployment {
        spec: declared.spec,
        ..live
    };
    let taken = bounded(api.replace(&name, &parameters, &changed)).await;
    Ok((taken.context("the API server refuses the resource")?, false))
}

/// What comparing a child led to.
enum Compared {
    Changes(Vec<Change>),
    LeftAlone(String),
}

async fn compare(client: &Client, validated: &Validated, child: &Child) -> anyhow::Result<Compared> {
    let (kind, owner) = (child.kind, &validated.owner);
    let title = format!("{} {}", kind.word(), child.name);
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &owner.namespace, &kind.api_resource());
    let live = bounded(api.get_opt(&child.name))
        .await
        .with_context(|| format!("failed to read {title}"))?;
    if let Some(live) = &live {
        if !is_ours(kind, live, owner) {
            return Ok(Compared::LeftAlone(format!(
                "{title} exists and is not ours: the operator leaves it alone"
            )));
        }
        if live.metadata.deletion_timestamp.is_some() {
            return Ok(Compared::LeftAlone(format!(
                "{title} is being deleted: the operator makes it again"
            )));
        }
        // A Job is made once, never changed.
        if kind == Kind::Job {
            return Ok(Compared::Changes(Vec::new()));
        }
    }
    let mut desired = child.object.clone();
    if let (Kind::Deployment, Scaling::Automatic { min, .. }) = (kind, &validated.scaling) {
        let projected = live.clone().map(|mut live| {
            project(kind, &mut live);
            live
        });
        replicas::carry(&mut desired, projected.as_ref(), *min);
    }
    if let (Kind::Deployment | Kind::StatefulSet, Some(live)) = (kind, &live) {
        common::carry(&mut desired, live);
    }
    if let (Kind::PersistentVolumeClaim, Some(live)) = (kind, &live) {
        // Whether the cluster lets it grow is what the dry run tells.
        volume::fit_claim(&mut desired, live);
    }
    let growth = live
        .as_ref()
        .filter(|_| kind == Kind::StatefulSet)
        .and_then(|live| volume::fit(&mut desired, live));
    let answer = bounded(dry_run(&api, &child.name, &desired, live.as_ref(), kind))
        .await
        .with_context(|| format!("the API server refuses {title}"))?;
    let mut change = Change {
        kind: kind.word(),
        namespace: owner.namespace.clone(),
        name: child.name.clone(),
        live: live.map(value).transpose()?,
        declared: Some(value(answer)?),
    };
    let Some(wanted) = growth else {
        return Ok(Compared::Changes(vec![change]));
    };
    // A claim template cannot change: the operator grows the volume and makes the StatefulSet again.
    if let Some(declared) = &mut change.declared {
        volume::set_size(declared, &wanted);
    }
    let claim = grown_claim(client, validated, &wanted).await?;
    Ok(Compared::Changes(claim.into_iter().chain([change]).collect()))
}

async fn dry_run(
    api: &Api<DynamicObject>,
    name: &str,
    desired: &Value,
    live: Option<&DynamicObject>,
    kind: Kind,
) -> Result<DynamicObject, kube::Error> {
    let number = |port: &Value| port["port"].as_i64();
    let ports = |object: &Value| object["spec"]["ports"].as_array().cloned().unwrap_or_default();
    let wanted = ports(desired);
    let is_foreign = |port: &Value| !wanted.iter().any(|ours| number(ours) == number(port));
    if kind == Kind::Service && live.is_some_and(|live| ports(&live.data).iter().any(is_foreign)) {
        // Server-side apply merges ports by their number, so that an edited one would come back under a
        // name that is taken; the operator takes foreign ones out first.
        let parameters = PatchParams {
            dry_run: true,
            field_manager: Some(names::FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = json!({"spec": {"ports": wanted}});
        return api.patch(name, &parameters, &Patch::Merge(patch)).await;
    }
    let parameters = PatchParams::apply(names::FIELD_MANAGER).force().dry_run();
    api.patch(name, &parameters, &Patch::Apply(desired)).await
}

/// Redis's volume claim, as it is and with the size that is wanted.
async fn grown_claim(
    client: &Client,
    validated: &Validated,
    wanted: &Quantity,
) -> anyhow::Result<Option<Change>> {
    let owner = &validated.owner;
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &owner.namespace);
    let name = names::redis_volume(&owner.name);
    let found = bounded(api.get_opt(&name))
        .await
        .with_context(|| format!("failed to read the volume claim {name}"))?;
    let Some(claim) = found else { return Ok(None) };
    let live = value(claim)?;
    let mut declared = live.clone();
    declared["spec"]["resources"]["requests"]["storage"] = json!(wanted.0);
    Ok(Some(Change {
        kind: Kind::PersistentVolumeClaim.word(),
        namespace: owner.namespace.clone(),
        name,
        live: Some(live),
        declared: Some(declared),
    }))
}

/// What is live, ours, and would no longer be wanted.
async fn unwanted(
    client: &Client,
    validated: &Validated,
    wanted: &[Child],
    optional_kinds: &BTreeSet<Kind>,
) -> anyhow::Result<Vec<Change>> {
    let owner = &validated.owner;
    let ours = ListParams::default().labels(&format!(
        "{}={},{}={}",
        names::MANAGED_BY,
        names::FIELD_MANAGER,
        names::INSTANCE,
        owner.name
    ));
    let mut changes = Vec::new();
    let is_there = |kind: &Kind| !kind.is_optional() || optional_kinds.contains(kind);
    for kind in Kind::PRUNED.into_iter().filter(is_there) {
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &owner.namespace, &kind.api_resource());
        let found = bounded(api.list(&ours))
            .await
            .with_context(|| format!("failed to list objects of the kind {}", kind.word()))?;
        for mut object in found {
            let name = object.name_any();
            let is_wanted = wanted
                .iter()
                .any(|child| child.kind == kind && child.name == name);
            let is_ours = controller_uid(&object.metadata) == Some(owner.uid.as_str());
            if is_wanted || !is_ours || object.metadata.deletion_timestamp.is_some() {
                continue;
            }
            // The items of a list do not say their kind.
            object.types.get_or_insert_with(|| kube::api::TypeMeta {
                api_version: kind.api_resource().api_version,
                kind: kind.word().to_owned(),
            });
            changes.push(Change {
                kind: kind.word(),
                namespace: owner.namespace.clone(),
                name,
                live: Some(value(object)?),
                declared: None,
            });
        }
    }
    Ok(changes)
}

fn value(object: impl serde::Serialize) -> anyhow::Result<Value> {
    serde_json::to_value(object).context("failed to read the API server's answer")
}
