//! Several watches on our own resource, one a named namespace, as if they were one.
//!
//! A store begins anew with each list that its watch begins, so it takes only one watch. Here each
//! namespace's list is turned into what it changed: what is there is applied, what was there is deleted.

use std::{collections::HashMap, hash::Hash};

use futures::{Stream, StreamExt, stream};
use kube::Resource;
use kube_runtime::{
    WatchStreamExt,
    reflector::ObjectRef,
    watcher::{self, DefaultBackoff, Event},
};

/// The watches as one. It reads as filled from the start: whoever needs to know when each first list is
/// complete looks at the watches themselves.
///
/// Each backs off by itself. Their `Init` is gone before that, or it would reset the backoff at each
/// attempt.
pub(super) fn as_one<K, S>(watches: Vec<S>) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + Send + 'static,
    K::DynamicType: Default + Eq + Hash + Clone + Send,
    S: Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
{
    let parts = watches.into_iter().map(|watch| {
        watch
            .scan(Part::default(), |part, event| {
                let changes = match event {
                    Ok(event) => part.changes(event).into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                };
                futures::future::ready(Some(stream::iter(changes)))
            })
            .flatten()
            .backoff(DefaultBackoff::default())
            .boxed()
    });
    stream::iter([Ok(Event::Init), Ok(Event::InitDone)]).chain(stream::select_all(parts))
}

/// One namespace's part.
struct Part<K>
where
    K: Resource,
    K::DynamicType: Eq + Hash,
{
    /// What is there.
    known: HashMap<ObjectRef<K>, K>,
    /// What the list that is under way has shown so far.
    listed: Option<HashMap<ObjectRef<K>, K>>,
}

impl<K> Default for Part<K>
where
    K: Resource,
    K::DynamicType: Eq + Hash,
{
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            listed: None,
        }
    }
}

impl<K> Part<K>
where
    K: Resource + Clone,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    /// What an event changes.
    fn changes(&mut self, event: Event<K>) -> Vec<Event<K>> {
        match event {
            Event::Init => {
                self.listed = Some(HashMap::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let reference = ObjectRef::from_obj(&object);
                self.listed
                    .get_or_insert_default()
                    .insert(reference, object.clone());
                vec![Event::Apply(object)]
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let before = std::mem::replace(&mut self.known, listed);
                let gone = before
                    .into_iter()
                    .filter(|(reference, _)| !self.known.contains_key(reference));
                gone.map(|(_, object)| Event::Delete(object)).collect()
            }
            Event::Apply(object) => {
                self.known.insert(ObjectRef::from_obj(&object), object.clone());
                vec![Event::Apply(object)]
            }
            Event::Delete(object) => {
                self.known.remove(&ObjectRef::from_obj(&object));
                vec![Event::Delete(object)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, channel::mpsc};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube_runtime::reflector;

    use super::*;

    fn object(namespace: &str, name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some(namespace.to_owned());
        object.metadata.name = Some(name.to_owned());
        object
    }

    /// Prevents: the list of one namespace emptying the store of another, what was deleted while a watch
    /// was away staying for ever, and one watch that fails stopping another.
    #[tokio::test]
    async fn each_namespace_changes_only_its_own() {
        let (first, one) = mpsc::unbounded();
        let (second, other) = mpsc::unbounded();
        let (store, writer) = reflector::store::<ConfigMap>();
        let mut events = as_one(vec![one.boxed(), other.boxed()]).reflect(writer).boxed();
        let mut after = |sender: &mpsc::UnboundedSender<_>, sent: Vec<watcher::Result<Event<ConfigMap>>>| {
            sent.into_iter()
                .for_each(|event| sender.unbounded_send(event).expect("it listens"));
            while events.next().now_or_never().is_some() {}
            let mut names: Vec<String> = store.state().iter().map(|object| object.name_any()).collect();
            names.sort();
            names
        };
        let list = |namespace: &str, names: &[&str]| {
            let objects = names
                .iter()
                .map(|name| Ok(Event::InitApply(object(namespace, name))));
            [Ok(Event::Init)]
                .into_iter()
                .chain(objects)
                .chain([Ok(Event::InitDone)])
                .collect::<Vec<_>>()
        };
        assert_eq!(after(&first, list("a", &["a1", "a2"])), ["a1", "a2"]);
        assert_eq!(after(&second, list("b", &["b1"])), ["a1", "a2", "b1"]);
        assert_eq!(
            after(
                &first,
                vec![
                    Ok(Event::Delete(object("a", "a1"))),
                    Ok(Event::Apply(object("a", "a3")))
                ]
            ),
            ["a2", "a3", "b1"]
        );
        assert_eq!(after(&first, list("a", &["a3", "a4"])), ["a3", "a4", "b1"]);
        let failure = watcher::Error::NoResourceVersion;
        assert_eq!(
            after(&first, vec![Err(failure)]),
            ["a3", "a4", "b1"],
            "what is known stays"
        );
        assert_eq!(
            after(&second, list("b", &["b2"])),
            ["a3", "a4", "b2"],
            "and others go on"
        );
    }
}
