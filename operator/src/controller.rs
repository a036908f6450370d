//! Watches, concurrency and the life of the process.
//!
//! Each kind of child has one watch, filtered by our label, which fills a store and points at the
//! resource that the child belongs to. Every watch backs off by itself and keeps its errors to
//! itself: `Controller` shares one backoff among all triggers, so that one failing watch would
//! delay every reconcile.

mod optional;

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use faciliauto_api::FaciliAutoDeployment;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use kube::{Api, Client, Resource, ResourceExt, api::DynamicObject, core::DeserializeGuard};
use kube_runtime::{
    Config, Controller, Predicate, WatchStreamExt,
    controller::Error as ControllerError,
    predicates,
    reflector::{self, ObjectRef, Store},
    watcher::{self, DefaultBackoff, watcher},
};
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    args::RunSettings,
    capabilities::{Capabilities, LiveCapabilities},
    children::{Children, project},
    client,
    events::Events,
    health::Health,
    http,
    memory::Memory,
    metrics::{Metrics, ResourcesByReadiness, WatchAges},
    names,
    reconcile::{Context, conditions::find, error_policy, reconcile},
    resources::Kind,
};

type Guarded = DeserializeGuard<FaciliAutoDeployment>;

/// Events that come together, as in a rollout, are looked at together. Short, for drift must be put
/// right within two seconds.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// Time that running reconciles get to finish after SIGTERM: below the grace period of the pod.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Runs the operator until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, or one of its tasks ends by itself: the process then ends too, for a pod
/// that reconciles nothing must not look alive.
pub fn run_process(settings: RunSettings) -> anyhow::Result<()> {
    // One provider of cryptography in the whole tree; a second call would mean it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let outcome = runtime.block_on(run(settings));
    // What still runs, such as a connection to a scraper, is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn run(settings: RunSettings) -> anyhow::Result<()> {
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!(
            "failed to listen on {}: choose another with --listen",
            settings.listen
        )
    })?;
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let health = Arc::new(Health::new(watched_resources()));
    registry.register_collector(Box::new(WatchAges(health.clone())));
    let client = client::connect(metrics.clone(), health.clone()).await?;

    let (main_store, main_stream) = watch_resources(client.clone(), metrics.clone(), health.clone());
    let capabilities = Arc::new(LiveCapabilities::new(Capabilities::default()));
    let (children, child_stream) = watch_children(&client, &capabilities, &metrics, &health);
    let counted = main_store.clone();
    registry.register_collector(Box::new(ResourcesByReadiness(move || by_readiness(&counted))));

    let context = Arc::new(Context {
        events: Events::new(client.clone(), std::env::var("HOSTNAME").ok()),
        client,
        children,
        capabilities,
        memory: Memory::default(),
        metrics,
        defaults: settings.images.clone().defaults(settings.namespace.clone()),
    });
    let (stop, stopped) = watch::channel(false);
    let controller = control(
        settings.concurrency,
        main_store,
        main_stream,
        child_stream,
        context,
        stopped,
    );
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), address = %listener.local_addr()?, "the operator starts"
    );
    supervise(
        controller,
        http::serve(listener, health, Arc::new(registry)),
        stop,
    )
    .await
}

/// Runs the tasks until a signal asks to stop. A task that ends by itself ends the process.
async fn supervise(
    controller: impl Future<Output = ()> + Send + 'static,
    server: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    stop: watch::Sender<bool>,
) -> anyhow::Result<()> {
    let mut controller = tokio::spawn(controller);
    let mut server = tokio::spawn(server);
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    tokio::select! {
        ended = &mut controller => bail!("the controller ended by itself: {ended:?}"),
        ended = &mut server => bail!("the HTTP server ended by itself: {ended:?}"),
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result.context("failed to listen for SIGINT")?,
    }
    tracing::info!("stopping: no new reconciles, running ones finish");
    stop.send_replace(true);
    if tokio::time::timeout(SHUTDOWN, controller).await.is_err() {
        tracing::warn!("some reconciles did not finish in time; the next start goes on with them");
    }
    Ok(())
}

async fn control(
    concurrency: u16,
    store: Store<Guarded>,
    resources: impl Stream<Item = watcher::Result<Guarded>> + Send + 'static,
    children: impl Stream<Item = ObjectRef<Guarded>> + Send + 'static,
    context: Arc<Context>,
    mut stopped: watch::Receiver<bool>,
) {
    let memory = context.clone();
    let changes = context.capabilities.changes();
    Controller::for_stream(resources, store)
        .with_config(Config::default().concurrency(concurrency).debounce(DEBOUNCE))
        .reconcile_on(children)
        .reconcile_all_on(changes)
        .graceful_shutdown_on(async move {
            // A sender that is gone means that the process is ending anyway.
            let _ = stopped.wait_for(|stop| *stop).await;
        })
        .run(reconcile, error_policy, context)
        .for_each(|result| {
            match result {
                Ok((resource, action)) => tracing::debug!(%resource, ?action, "looked at"),
                // A child of a resource that is gone announced its end.
                Err(ControllerError::ObjectNotFound(gone)) => {
                    let namespace = gone.namespace.clone().unwrap_or_default();
                    memory
                        .memory
                        .forget(&ObjectRef::new(&gone.name).within(&namespace));
                }
                // The error policy has told of it.
                Err(ControllerError::ReconcilerFailed(..)) => {}
                Err(error) => tracing::warn!(%error, "the controller failed"),
            }
            future::ready(())
        })
        .await;
}

/// The watch on our own resource: a look at each change of its spec, and at each change of a label or
/// an annotation, by which a person can ask for one.
fn watch_resources(
    client: Client,
    metrics: Metrics,
    health: Arc<Health>,
) -> (
    Store<Guarded>,
    impl Stream<Item = watcher::Result<Guarded>> + Send + 'static,
) {
    let (store, writer) = reflector::store();
    let plural = FaciliAutoDeployment::plural(&()).into_owned();
    let stream = watcher(Api::<Guarded>::all(client), watcher::Config::default())
        .modify(|resource| resource.meta_mut().managed_fields = None)
        .reflect(writer)
        .inspect_ok(note_first_list(plural.clone(), health))
        .applied_objects()
        .backoff(DefaultBackoff::default())
        .filter(move |result| future::ready(keep(result, &plural, &metrics)))
        .predicate_filter(
            predicates::generation
                .combine(predicates::labels)
                .combine(predicates::annotations),
            Default::default(),
        );
    (store, stream)
}

/// One watch a kind of child; the merged stream names the resource that a child belongs to.
fn watch_children(
    client: &Client,
    capabilities: &Arc<LiveCapabilities>,
    metrics: &Metrics,
    health: &Arc<Health>,
) -> (
    Arc<Children>,
    impl Stream<Item = ObjectRef<Guarded>> + Send + 'static,
) {
    let mut stores = HashMap::new();
    let mut writers = Vec::new();
    for kind in Kind::WATCHED.into_iter().chain(Kind::OPTIONAL) {
        let writer = reflector::store::Writer::new(kind.api_resource());
        stores.insert(kind, writer.as_reader());
        writers.push((kind, writer));
    }
    let children = Arc::new(Children::new(stores));
    let shared = optional::Shared {
        client: client.clone(),
        children: children.clone(),
        capabilities: capabilities.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
    };
    let classes = optional::ingress_classes(shared.clone());
    let streams = writers.into_iter().map(|(kind, writer)| {
        if kind.is_optional() {
            return optional::objects(kind, writer, shared.clone());
        }
        let api = Api::<DynamicObject>::all_with(client.clone(), &kind.api_resource());
        child_stream(
            api,
            kind,
            writer,
            children.clone(),
            metrics.clone(),
            health.clone(),
        )
    });
    let merged =
        stream::select_all(streams.chain([classes])).filter_map(|object| future::ready(owner_of(&object)));
    (children.clone(), merged)
}

fn child_stream(
    api: Api<DynamicObject>,
    kind: Kind,
    writer: reflector::store::Writer<DynamicObject>,
    children: Arc<Children>,
    metrics: Metrics,
    health: Arc<Health>,
) -> stream::BoxStream<'static, DynamicObject> {
    let plural = kind.api_resource().plural;
    let ours = watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY, names::FIELD_MANAGER));
    let mut note_first_list = note_first_list(plural.clone(), health);
    let (filled, seen) = (children.clone(), children);
    watcher(api, ours)
        .modify(move |object| project(kind, object))
        .reflect(writer)
        .inspect_ok(move |event| {
            note_first_list(event);
            if matches!(event, watcher::Event::InitDone) {
                filled.filled(kind);
            }
        })
        .touched_objects()
        // After `touched_objects`: before it, the backoff would be reset by each attempt's first event.
        .backoff(DefaultBackoff::default())
        .filter(move |result| future::ready(keep(result, &plural, &metrics)))
        .filter_map(|result| future::ready(result.ok()))
        .inspect(move |object| seen.event(kind, object))
        .boxed()
}

/// Notes in the health of the process that a first list is complete.
fn note_first_list<K>(
    plural: String,
    health: Arc<Health>,
) -> impl FnMut(&watcher::Event<K>) + Send + 'static {
    move |event| {
        if matches!(event, watcher::Event::InitDone) && health.store_filled(&plural) {
            tracing::info!("the first lists are complete");
        }
    }
}

/// Lets objects through; counts and logs errors, which the watch recovers from by itself.
fn keep<K>(result: &watcher::Result<K>, plural: &str, metrics: &Metrics) -> bool {
    if let Err(error) = result {
        metrics.count_watch_error(plural);
        tracing::warn!(kind = plural, %error, "a watch failed and is begun again");
    }
    result.is_ok()
}

/// The resource that a child belongs to, by its label: pods and ReplicaSets have other owners.
fn owner_of(object: &DynamicObject) -> Option<ObjectRef<Guarded>> {
    let instance = object.labels().get(names::INSTANCE)?;
    Some(ObjectRef::new(instance).within(&object.namespace()?))
}

/// Plural names of everything that is watched.
fn watched_resources() -> Vec<String> {
    let kinds = Kind::WATCHED.into_iter().chain(Kind::OPTIONAL);
    kinds
        .map(|kind| kind.api_resource().plural)
        .chain([
            FaciliAutoDeployment::plural(&()).into_owned(),
            optional::INGRESS_CLASSES.to_owned(),
        ])
        .collect()
}

fn by_readiness(store: &Store<Guarded>) -> Vec<(&'static str, i64)> {
    let mut counts = [("True", 0), ("False", 0), ("Unknown", 0)];
    for resource in store.state() {
        let status = resource
            .0
            .as_ref()
            .ok()
            .and_then(|resource| resource.status.as_ref());
        let ready = status.and_then(|status| find(&status.conditions, "Ready"));
        let word = ready.map_or("Unknown", |ready| ready.status.as_str());
        if let Some((_, count)) = counts.iter_mut().find(|(name, _)| *name == word) {
            *count += 1;
        }
    }
    counts.to_vec()
}
