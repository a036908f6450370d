//! `status`: what became of a resource, as a tree: its conditions, its objects with their pods, what
//! scales it, and what was last told about it.
//!
//! ```text
//!   read ──▶ Snapshot ──▶ view (pure, also what `-o json` prints) ──▶ tree (pure)
//! ```

pub mod tree;
pub mod view;

use anyhow::{Context as _, bail};
use faciliauto_api::FaciliAutoDeployment;
use k8s_openapi::{
    api::{
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::{Event, PersistentVolumeClaim, Pod},
    },
    jiff::Timestamp,
};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    args::{OutputFormat, StatusSettings},
    cli::{
        status::view::{View, view},
        terminal::Palette,
    },
    client::{self, bounded},
    names,
};

/// Events that are asked for in one request; a namespace may hold many more, and the next request
/// would still be served from the same moment.
const EVENTS_A_PAGE: u32 = 500;

/// Pages of events that are read at most: a person waits.
const PAGES: usize = 8;

/// Everything that was read about one resource.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The resource.
    pub resource: FaciliAutoDeployment,
    /// Pods with its label.
    pub pods: Vec<Pod>,
    /// Autoscalers with its label.
    pub autoscalers: Vec<HorizontalPodAutoscaler>,
    /// Volume claims with its label.
    pub claims: Vec<PersistentVolumeClaim>,
    /// Events of its namespace.
    pub events: Vec<Event>,
    /// What could not be read, a sentence each.
    pub problems: Vec<String>,
}

/// Which resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// One, by namespace and name.
    One(String, String),
    /// All of a namespace.
    Namespace(String),
    /// All.
    All,
}

/// Prints what became of the resources.
///
/// # Errors
/// When the cluster cannot be read, or the resource that was asked for does not exist.
pub fn print(settings: &StatusSettings) -> anyhow::Result<()> {
    let (which, views) = super::talk(async {
        let config = client::find_cluster(&settings.cluster).await?;
        let namespace = config.default_namespace.clone();
        let which = match (&settings.name, settings.all_namespaces) {
            (Some(name), _) => Which::One(namespace, name.clone()),
            (None, false) => Which::Namespace(namespace),
            (None, true) => Which::All,
        };
        let views = read(&client::for_a_person(config)?, &which, Timestamp::now()).await?;
        anyhow::Ok((which, views))
    })?;
    if settings.output == OutputFormat::Json {
        let items = json!({"items": views});
        let text = serde_json::to_string_pretty(&items).context("failed to write JSON")?;
        return super::print(&format!("{text}\n"));
    }
    if views.is_empty() {
        super::note(&match which {
            Which::All => "There is no FaciliAutoDeployment in the cluster.".to_owned(),
            Which::Namespace(namespace) | Which::One(namespace, _) => {
                format!("There is no FaciliAutoDeployment in the namespace {namespace}.")
            }
        });
    }
    super::print(&tree::draw(&views, Palette::of_standard_output()))
}

/// What became of the resources, as of `now`.
///
/// # Errors
/// As [`print`].
pub async fn read(client: &Client, which: &Which, now: Timestamp) -> anyhow::Result<Vec<View>> {
    let resources = match which {
        Which::One(namespace, name) => {
            let api: Api<FaciliAutoDeployment> = Api::namespaced(client.clone(), namespace);
            let found = bounded(api.get_opt(name)).await;
            match found.with_context(|| format!("failed to read {name} in the namespace {namespace}"))? {
                Some(resource) => vec![resource],
                None => bail!("there is no FaciliAutoDeployment {name} in the namespace {namespace}"),
            }
        }
        Which::Namespace(namespace) => list(Api::namespaced(client.clone(), namespace)).await?,
        Which::All => list(Api::all(client.clone())).await?,
    };
    let mut views = Vec::new();
    let mut told: Option<(String, Vec<Event>, Option<String>)> = None;
    for resource in resources {
        let namespace = resource.namespace().unwrap_or_default();
        // Resources come sorted by namespace; its events are read once.
        if told.as_ref().is_none_or(|(known, ..)| *known != namespace) {
            let (events, problem) = match events(client, &namespace).await {
                Ok(events) => (events, None),
                Err(error) => (Vec::new(), Some(cannot("events", &error))),
            };
            told = Some((namespace.clone(), events, problem));
        }
        let (_, events, problem) = told.clone().unwrap_or_default();
        let mut problems: Vec<String> = problem.into_iter().collect();
        let snapshot = Snapshot {
            pods: children(client, &resource, "pods", &mut problems).await,
            autoscalers: children(client, &resource, "autoscalers", &mut problems).await,
            claims: children(client, &resource, "volume claims", &mut problems).await,
            events,
            resource,
            problems,
        };
        views.push(view(&snapshot, now));
    }
    Ok(views)
}

async fn list(api: Api<FaciliAutoDeployment>) -> anyhow::Result<Vec<FaciliAutoDeployment>> {
    let found = bounded(api.list(&ListParams::default())).await;
    let mut resources = found.context("failed to list FaciliAutoDeployments")?.items;
    resources.sort_by_key(|resource| (resource.namespace(), resource.name_any()));
    Ok(resources)
}

/// Objects with the label of the resource. What may not be read is told beside the rest.
async fn children<K>(
    client: &Client,
    resource: &FaciliAutoDeployment,
    what: &str,
    problems: &mut Vec<String>,
) -> Vec<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), &resource.namespace().unwrap_or_default());
    let label = format!("{}={}", names::INSTANCE, resource.name_any());
    match bounded(api.list(&ListParams::default().labels(&label))).await {
        Ok(found) => found.items,
        Err(error) => {
            problems.push(cannot(what, &error));
            Vec::new()
        }
    }
}

async fn events(client: &Client, namespace: &str) -> Result<Vec<Event>, kube::Error> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let mut parameters = ListParams::default().limit(EVENTS_A_PAGE);
    let mut events = Vec::new();
    for _ in 0..PAGES {
        let page = bounded(api.list(&parameters)).await?;
        let next = page.metadata.continue_.clone().filter(|next| !next.is_empty());
        events.extend(page.items);
        match next {
            Some(next) => parameters = parameters.continue_token(&next),
            None => break,
        }
    }
    Ok(events)
}

fn cannot(what: &str, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("The {what} cannot be read: {}", status.message),
        other => format!("The {what} cannot be read: {other}"),
    }
}
