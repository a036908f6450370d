//! Watches, concurrency and the life of the process.
//!
//! Each kind of child has one watch, filtered by our label, which fills a store and points at the
//! resource that the child belongs to. Every watch backs off by itself and keeps its errors to
//! itself: `Controller` shares one backoff among all triggers, so that one failing watch would
//! delay every reconcile.
//!
//! Watches run in every process, so that one which stands by has its stores filled and takes over at
//! once. Looks run only in the one that leads: each of its terms begins with a look at everything.

mod definition;
mod optional;
mod several;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use faciliauto_api::FaciliAutoDeployment;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Resource, ResourceExt, api::DynamicObject, core::DeserializeGuard};
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
    sync::{mpsc, watch},
};

use crate::{
    area::Area,
    args::{Cluster, RunSettings},
    capabilities::{Capabilities, LiveCapabilities},
    children::{Children, project},
    client,
    events::Events,
    health::{Health, Watch},
    http,
    lease::{Candidate, Timing, lead},
    memory::Memory,
    metrics::{BackupTimes, Backups, Leader, Metrics, PausedResources, ResourcesByReadiness, WatchAges},
    names,
    probe::{self, Reports},
    reconcile::{Context, conditions::find, error_policy, reconcile, waves::Waves},
    resources::Kind,
    tasks::Tasks,
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
    let areas = settings.watch_namespaces.areas();
    let health = Arc::new(Health::new(watches(&areas)));
    registry.register_collector(Box::new(WatchAges(health.clone())));
    let config = client::find_cluster(&Cluster::default()).await?;
    let namespace = settings
        .namespace
        .unwrap_or_else(|| config.default_namespace.clone());
    let lease_namespace = settings.lease_namespace.unwrap_or_else(|| namespace.clone());
    let identity = match settings.identity {
        Some(identity) => identity,
        None => names::unique_identity().context("failed to make up a name for this process")?,
    };
    let (candidate, leadership) = Candidate::new(
        client::connect(config.clone(), metrics.clone(), health.clone(), None)?,
        &lease_namespace,
        identity.clone(),
        Timing::DEFAULT,
        Timestamp::now,
        health.clone(),
    );
    registry.register_collector(Box::new(Leader(leadership.clone())));
    let client = client::connect(config, metrics.clone(), health.clone(), Some(leadership.clone()))?;

    let (main_store, main_stream) = watch_resources(&client, &areas, &metrics, &health);
    let capabilities = Arc::new(LiveCapabilities::new(Capabilities::default()));
    let changes = capabilities.changes();
    let (children, child_stream) = watch_children(&client, &areas, &capabilities, &metrics, &health);
    let (counted, leads) = (main_store.clone(), leadership.clone());
    // Of the leader alone, or a sum over pods would count each resource twice.
    let by_readiness = move || {
        if leads.is_held() {
            by_readiness(&counted)
        } else {
            Vec::new()
        }
    };
    registry.register_collector(Box::new(ResourcesByReadiness(by_readiness)));
    let (counted, leads) = (main_store.clone(), leadership.clone());
    let paused = move || leads.is_held().then(|| paused(&counted));
    registry.register_collector(Box::new(PausedResources(paused)));
    let (counted, leads) = (main_store.clone(), leadership.clone());
    let backups = move || {
        if leads.is_held() {
            backups(&counted)
        } else {
            Vec::new()
        }
    };
    registry.register_collector(Box::new(Backups(backups)));

    let triggers = Triggers::default();
    let watching = {
        let triggers = triggers.clone();
        let events = stream::select(
            stream::select(main_stream, child_stream),
            all_on(changes, main_store.clone()),
        );
        async move {
            events
                .for_each(|reference| {
                    triggers.send(reference);
                    future::ready(())
                })
                .await;
            Ok(())
        }
    };
    let (stop, stopped) = watch::channel(false);
    let looking = {
        let events = Events::new(client.clone(), Some(identity.clone()));
        let (defaults, stopped) = (settings.images.defaults(namespace), stopped.clone());
        async move {
            let work = || {
                let reports = Arc::new(Reports::default());
                let context = Arc::new(Context {
                    client: client.clone(),
                    children: children.clone(),
                    capabilities: capabilities.clone(),
                    // What another process did meanwhile is not in it: each term begins without any.
                    memory: Memory::default(),
                    waves: waves(&main_store, &triggers),
                    reports: reports.clone(),
                    events: events.clone(),
                    metrics: metrics.clone(),
                    defaults: defaults.clone(),
                });
                let references = triggers.begin(&main_store);
                let looks = control(
                    settings.concurrency,
                    main_store.clone(),
                    references,
                    context,
                    stopped.clone(),
                );
                let triggers = triggers.clone();
                let probes = probe::run(main_store.clone(), reports, move |namespace, name| {
                    triggers.send(ObjectRef::new(name).within(namespace));
                });
                async move {
                    tokio::select! {
                        () = looks => {}
                        () = probes => {}
                    }
                }
            };
            ensure!(
                lead(leadership, stopped.clone(), work).await,
                "it takes no more events"
            );
            Ok(())
        }
    };
    let (release, released) = watch::channel(false);
    let electing = async move {
        candidate.run(asked(released)).await;
        Ok(())
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), address = %listener.local_addr()?, identity, lease_namespace,
        areas = ?areas.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "the operator starts"
    );
    let mut tasks = Tasks::default();
    tasks.spawn(SERVER, http::serve(listener, health, Arc::new(registry)));
    tasks.spawn(WATCHES, watching);
    tasks.spawn(CONTROLLER, looking);
    tasks.spawn(ELECTION, electing);
    supervise(tasks, stop, release).await
}

const SERVER: &str = "the HTTP server";
const WATCHES: &str = "the watches";
const CONTROLLER: &str = "the controller";
const ELECTION: &str = "the election";

/// Runs the tasks until a signal asks to stop. A task that ends by itself ends the process.
async fn supervise(
    mut tasks: Tasks,
    stop: watch::Sender<bool>,
    release: watch::Sender<bool>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    tokio::select! {
        error = tasks.first_end() => return Err(error),
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result.context("failed to listen for SIGINT")?,
    }
    tracing::info!("stopping: no new reconciles, running ones finish");
    stop.send_replace(true);
    // The lease is renewed meanwhile, and given back only when nothing of ours is still being written.
    if let Ok(true) = tokio::time::timeout(SHUTDOWN, tasks.end_of(CONTROLLER)).await {
        release.send_replace(true);
        tasks.end_of(ELECTION).await;
    } else {
        tracing::warn!("some reconciles did not finish in time; the next leader goes on with them");
    }
    Ok(())
}

/// Waits until the other side asks. A sender that is gone means that the process is ending anyway.
async fn asked(mut question: watch::Receiver<bool>) {
    let _ = question.wait_for(|asked| *asked).await;
}

/// What the watches have noticed, on its way to the looks of the current term. Without one it is
/// dropped: the next begins with everything.
#[derive(Clone, Default)]
struct Triggers(Arc<Mutex<Option<mpsc::UnboundedSender<ObjectRef<Guarded>>>>>);

impl Triggers {
    /// Everything that there is, and from then on what the watches notice.
    fn begin(&self, store: &Store<Guarded>) -> impl Stream<Item = ObjectRef<Guarded>> + Send + 'static {
        // Unbounded, but drained at once: the controller keeps one entry a resource.
        let (sender, mut receiver) = mpsc::unbounded_channel();
        // Before the store is read, or what changes in between would be missed.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        stream::iter(references(store)).chain(stream::poll_fn(move |context| receiver.poll_recv(context)))
    }

    fn send(&self, reference: ObjectRef<Guarded>) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sender
            .as_ref()
            .is_some_and(|sender| sender.send(reference).is_err())
        {
            *sender = None;
        }
    }
}

/// Every resource that is known.
fn references(store: &Store<Guarded>) -> Vec<ObjectRef<Guarded>> {
    let resources = store.state();
    resources
        .iter()
        .map(|resource| ObjectRef::from_obj(resource.as_ref()))
        .collect()
}

/// Turns among all resources that are known.
fn waves(store: &Store<Guarded>, triggers: &Triggers) -> Waves {
    let (store, triggers) = (store.clone(), triggers.clone());
    let known = move || {
        let resources = references(&store).into_iter();
        resources
            .map(|reference| (reference.namespace.unwrap_or_default(), reference.name))
            .collect()
    };
    Waves::new(known, move |(namespace, name)| {
        triggers.send(ObjectRef::new(name).within(namespace));
    })
}

/// Every resource, each time that the cluster gets or loses what they may use.
fn all_on(
    changes: impl Stream<Item = ()> + Send + 'static,
    store: Store<Guarded>,
) -> impl Stream<Item = ObjectRef<Guarded>> + Send + 'static {
    changes.flat_map(move |()| stream::iter(references(&store)))
}

/// Looks at what `references` name, until it is asked to stop.
async fn control(
    concurrency: u16,
    store: Store<Guarded>,
    references: impl Stream<Item = ObjectRef<Guarded>> + Send + 'static,
    context: Arc<Context>,
    stopped: watch::Receiver<bool>,
) {
    let memory = context.clone();
    Controller::for_stream(stream::pending(), store)
        .with_config(Config::default().concurrency(concurrency).debounce(DEBOUNCE))
        .reconcile_on(references)
        .graceful_shutdown_on(asked(stopped))
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
                    memory.waves.forget(&(namespace, gone.name));
                }
                // The error policy has told of it.
                Err(ControllerError::ReconcilerFailed(..)) => {}
                Err(error) => tracing::warn!(%error, "the controller failed"),
            }
            future::ready(())
        })
        .await;
}

/// The watches on our own resource, one an area: a look at each change of its spec, and at each change of a
/// label or an annotation, by which a person can ask for one.
fn watch_resources(
    client: &Client,
    areas: &[Area],
    metrics: &Metrics,
    health: &Arc<Health>,
) -> (
    Store<Guarded>,
    impl Stream<Item = ObjectRef<Guarded>> + Send + 'static,
) {
    let (store, writer) = reflector::store();
    let plural = FaciliAutoDeployment::plural(&()).into_owned();
    let mut watches: Vec<_> = areas
        .iter()
        .map(|area| {
            let note = note_first_list(plural.clone(), area.clone(), health.clone());
            watcher(area.api::<Guarded>(client.clone()), watcher::Config::default())
                .inspect(note)
                .boxed()
        })
        .collect();
    let trim = |resource: &mut Guarded| resource.meta_mut().managed_fields = None;
    let touched = match (watches.pop(), watches.is_empty()) {
        (Some(watch), true) => watch
            .modify(trim)
            .reflect(writer)
            .applied_objects()
            .backoff(DefaultBackoff::default())
            .boxed(),
        (last, _) => several::as_one(watches.into_iter().chain(last).collect())
            .modify(trim)
            .reflect(writer)
            .applied_objects()
            .boxed(),
    };
    let metrics = metrics.clone();
    let stream = touched
        .filter(move |result| future::ready(keep(result, &plural, &metrics)))
        .predicate_filter(
            predicates::generation
                .combine(predicates::labels)
                .combine(predicates::annotations),
            Default::default(),
        )
        .filter_map(|result| future::ready(result.ok().map(|resource| ObjectRef::from_obj(&resource))));
    (store, stream)
}

/// One watch a kind of child and area; the merged stream names the resource that a child belongs to.
fn watch_children(
    client: &Client,
    areas: &[Area],
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
        for area in areas {
            let writer = reflector::store::Writer::new(kind.api_resource());
            stores.insert((kind, area.clone()), writer.as_reader());
            writers.push((kind, area.clone(), writer));
        }
    }
    let children = Arc::new(Children::new(stores));
    let shared = optional::Shared {
        client: client.clone(),
        children: children.clone(),
        capabilities: capabilities.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
    };
    let classes = optional::ingress_classes(shared.clone(), areas.contains(&Area::Everywhere));
    let streams = writers.into_iter().map(|(kind, area, writer)| {
        if kind.is_optional() {
            optional::objects(kind, area, writer, shared.clone())
        } else {
            child_stream(kind, area, writer, shared.clone())
        }
    });
    let merged =
        stream::select_all(streams.chain([classes])).filter_map(|object| future::ready(owner_of(&object)));
    (children.clone(), merged)
}

fn child_stream(
    kind: Kind,
    area: Area,
    writer: reflector::store::Writer<DynamicObject>,
    shared: optional::Shared,
) -> stream::BoxStream<'static, DynamicObject> {
    let optional::Shared {
        client,
        children,
        metrics,
        health,
        capabilities: _,
    } = shared;
    let resource = kind.api_resource();
    let plural = resource.plural.clone();
    let ours = watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY, names::FIELD_MANAGER));
    let note_first_list = note_first_list(plural.clone(), area.clone(), health);
    let (filled, seen) = (children.clone(), children);
    watcher(area.objects(client, &resource), ours)
        .modify(move |object| project(kind, object))
        .reflect(writer)
        .inspect(note_first_list)
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                filled.filled(kind, &area);
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

/// Notes in the health of the process that a first list is complete; in a namespace of several also that it
/// is refused, for one that does not exist yet must not keep the process from being ready for the others.
fn note_first_list<K>(
    plural: String,
    area: Area,
    health: Arc<Health>,
) -> impl FnMut(&watcher::Result<watcher::Event<K>>) + Send + 'static {
    move |result| {
        let is_answered = match result {
            Ok(event) => matches!(event, watcher::Event::InitDone),
            Err(error) => area != Area::Everywhere && optional::code_of(error) == Some(403),
        };
        if is_answered && health.store_filled(&plural, &area) {
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

/// Everything that is watched, and where.
fn watches(areas: &[Area]) -> Vec<Watch> {
    let kinds = Kind::WATCHED.into_iter().chain(Kind::OPTIONAL);
    let plurals = kinds
        .map(|kind| kind.api_resource().plural)
        .chain([FaciliAutoDeployment::plural(&()).into_owned()]);
    plurals
        .flat_map(|plural| areas.iter().map(move |area| (plural.clone(), area.clone())))
        // They belong to no namespace.
        .chain([(optional::INGRESS_CLASSES.to_owned(), Area::Everywhere)])
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

fn paused(store: &Store<Guarded>) -> i64 {
    let resources = store.state();
    let paused = resources
        .iter()
        .filter(|resource| resource.0.as_ref().is_ok_and(|resource| resource.spec.paused));
    i64::try_from(paused.count()).unwrap_or(i64::MAX)
}

/// The times of every resource's backups, where they are on.
fn backups(store: &Store<Guarded>) -> Vec<BackupTimes> {
    let resources = store.state();
    let declared = resources
        .iter()
        .filter_map(|resource| resource.0.as_ref().ok())
        .filter(|resource| resource.spec.backup.enabled);
    declared.map(BackupTimes::of).collect()
}
