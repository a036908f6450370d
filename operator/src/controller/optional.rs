//! Watches on what a cluster may lack, get or lose while we run.
//!
//! Each is its own detector: a list that is answered with 404 means that the kind is not there, and is
//! tried again when the kind's definition is made. Where the definition may not be watched, it is tried
//! again at the pace of the backoff, at most every 30 s. Nothing waits for one of these, and no failure
//! of one reaches another watch.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt, future, stream};
use k8s_openapi::api::networking::v1::IngressClass;
use kube::{Api, Client, ResourceExt, api::DynamicObject};
use kube_runtime::{
    WatchStreamExt,
    reflector::{self, store::Writer},
    watcher::{self, DefaultBackoff, Event, watcher},
};

use crate::{
    capabilities::{Availability, IngressClasses, LiveCapabilities},
    children::{Children, project},
    controller::definition::{Sight, sight},
    health::Health,
    metrics::Metrics,
    names,
    resources::Kind,
};

/// Annotation of the class that serves an Ingress which names none.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// As long as the longest pause of the backoff.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Plural name of ingress classes.
pub(super) const INGRESS_CLASSES: &str = "ingressclasses";

/// What an optional watch works with.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) children: Arc<Children>,
    pub(super) capabilities: Arc<LiveCapabilities>,
    pub(super) metrics: Metrics,
    pub(super) health: Arc<Health>,
}

/// One optional kind's watch.
struct OptionalWatch {
    kind: Kind,
    shared: Shared,
    writer: Writer<DynamicObject>,
    events: Option<stream::BoxStream<'static, watcher::Result<Event<DynamicObject>>>>,
    backoff: DefaultBackoff,
}

/// Objects of an optional kind that were touched, for as long as the process lives.
pub(super) fn objects(
    kind: Kind,
    writer: Writer<DynamicObject>,
    shared: Shared,
) -> stream::BoxStream<'static, DynamicObject> {
    let watch = OptionalWatch {
        kind,
        shared,
        writer,
        events: None,
        backoff: DefaultBackoff::default(),
    };
    stream::unfold(watch, |mut watch| async move {
        let object = watch.next().await;
        Some((object, watch))
    })
    .boxed()
}

impl OptionalWatch {
    /// The next object that was touched.
    async fn next(&mut self) -> DynamicObject {
        loop {
            let (kind, client) = (self.kind, self.shared.client.clone());
            let events = self.events.get_or_insert_with(|| {
                let ours = watcher::Config::default().labels(&format!(
                    "{}={}",
                    names::MANAGED_BY,
                    names::FIELD_MANAGER
                ));
                watcher(Api::all_with(client, &kind.api_resource()), ours).boxed()
            });
            match events.next().await {
                Some(Ok(mut event)) => {
                    if let Event::Apply(object) | Event::Delete(object) | Event::InitApply(object) =
                        &mut event
                    {
                        project(kind, object);
                    }
                    self.writer.apply_watcher_event(&event);
                    match event {
                        Event::Apply(object) | Event::Delete(object) | Event::InitApply(object) => {
                            self.shared.children.event(kind, &object);
                            return object;
                        }
                        Event::InitDone => self.answered(Availability::Present),
                        Event::Init => {}
                    }
                }
                Some(Err(error)) => self.failed(&error).await,
                None => self.events = None,
            }
        }
    }

    /// Notes whether the kind is there; the rest of the operator waits no longer for it.
    fn answered(&self, availability: Availability) {
        let Shared {
            children,
            capabilities,
            health,
            ..
        } = &self.shared;
        let word = self.kind.word();
        if capabilities.note(self.kind, availability.clone()) {
            tracing::info!(kind = word, ?availability, "an optional kind of this cluster");
        }
        children.filled(self.kind);
        if health.store_filled(&self.kind.api_resource().plural) {
            tracing::info!("the first lists are complete");
        }
    }

    async fn failed(&mut self, error: &watcher::Error) {
        let code = code_of(error);
        match code {
            Some(404) => {
                // What was there went with its kind.
                self.empty();
                self.answered(Availability::Absent);
                if sight(&self.shared.client, self.kind).await == Sight::Changed {
                    // The definition comes a moment before the kind is served.
                    self.backoff = DefaultBackoff::default();
                }
            }
            Some(403) => {
                self.empty();
                self.answered(Availability::Unknown {
                    reason: Availability::NOT_PERMITTED,
                });
            }
            _ => {
                let plural = self.kind.api_resource().plural;
                self.shared.metrics.count_watch_error(&plural);
                tracing::warn!(kind = plural, %error, "a watch failed and is begun again");
                // What is known stays; before anything is known, nobody waits for it.
                if matches!(error, watcher::Error::InitialListFailed(_))
                    && self.shared.capabilities.now().of(self.kind) != Availability::Present
                {
                    self.answered(Availability::Unknown {
                        reason: Availability::NO_ANSWER,
                    });
                }
            }
        }
        // It never ends; if it did, this must not become a loop without a pause.
        let pause = self.backoff.next().unwrap_or(LONGEST_PAUSE);
        tokio::time::sleep(pause).await;
    }

    /// Begins anew with a list: a watch that goes on from where it was would not notice a kind that
    /// was removed and made again.
    fn empty(&mut self) {
        self.events = None;
        self.writer.apply_watcher_event(&Event::Init);
        self.writer.apply_watcher_event(&Event::InitDone);
    }
}

fn code_of(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => Some(status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

/// Keeps the names of ingress classes current. They belong to no resource, so nothing is handed on.
pub(super) fn ingress_classes(shared: Shared) -> stream::BoxStream<'static, DynamicObject> {
    let Shared {
        client,
        capabilities,
        metrics,
        health,
        ..
    } = shared;
    let (store, writer) = reflector::store();
    watcher(Api::<IngressClass>::all(client), watcher::Config::default())
        .modify(|class| class.metadata.managed_fields = None)
        .reflect(writer)
        .inspect(move |result| {
            match result {
                Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_)) => {
                    let classes: BTreeMap<String, bool> = store
                        .state()
                        .iter()
                        .map(|class| {
                            let is_default = class.annotations().get(DEFAULT_CLASS);
                            (class.name_any(), is_default.is_some_and(|value| value == "true"))
                        })
                        .collect();
                    capabilities.note_ingress_classes(IngressClasses::Known(classes));
                }
                Ok(_) => return,
                Err(error) if code_of(error) == Some(403) => {
                    capabilities.note_ingress_classes(IngressClasses::Unknown);
                }
                Err(error) => {
                    metrics.count_watch_error(INGRESS_CLASSES);
                    tracing::warn!(kind = INGRESS_CLASSES, %error, "a watch failed and is begun again");
                    // What is known stays; before anything is known, nobody waits for it.
                    if capabilities.now().ingress_classes == IngressClasses::NotRead {
                        capabilities.note_ingress_classes(IngressClasses::Unknown);
                    }
                }
            }
            if health.store_filled(INGRESS_CLASSES) {
                tracing::info!("the first lists are complete");
            }
        })
        .touched_objects()
        .backoff(DefaultBackoff::default())
        .filter_map(|_| future::ready(None))
        .boxed()
}

#[cfg(test)]
mod tests;
