//! What this cluster has beyond what every cluster has, as the watches see it at this moment.
//!
//! Nothing is asked for at a reconcile: each optional kind's own watch is the detector, and a change
//! makes every resource be looked at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::{Stream, stream};
use tokio::sync::watch;

use crate::resources::Kind;

/// Whether the cluster has a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Availability {
    /// It has.
    Present,
    /// It has not.
    #[default]
    Absent,
    /// The operator may not look, or gets no answer.
    Unknown {
        /// Why, in one word.
        reason: &'static str,
    },
}

impl Availability {
    /// Reason of [`Availability::Unknown`] where rights are missing.
    pub const NOT_PERMITTED: &'static str = "NotPermitted";
    /// Reason of [`Availability::Unknown`] where the API server fails.
    pub const NO_ANSWER: &'static str = "NoAnswer";
}

/// The ingress classes of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IngressClasses {
    /// Nobody has looked yet.
    #[default]
    NotRead,
    /// The operator may not look, or gets no answer.
    Unknown,
    /// Their names, and whether each is the default.
    Known(BTreeMap<String, bool>),
}

/// What the cluster has at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    kinds: BTreeMap<Kind, Availability>,
    /// Its ingress classes.
    pub ingress_classes: IngressClasses,
}

impl Capabilities {
    /// A cluster with these ingress classes and without any optional kind.
    pub fn new(ingress_classes: IngressClasses) -> Self {
        Self {
            kinds: BTreeMap::new(),
            ingress_classes,
        }
    }

    /// Whether the cluster has `kind`.
    pub fn of(&self, kind: Kind) -> Availability {
        self.kinds.get(&kind).cloned().unwrap_or_default()
    }

    /// Says whether the cluster has `kind`.
    pub fn set(&mut self, kind: Kind, availability: Availability) {
        self.kinds.insert(kind, availability);
    }

    /// The optional kinds that are there.
    pub fn present(&self) -> BTreeSet<Kind> {
        let present = self
            .kinds
            .iter()
            .filter(|(_, availability)| **availability == Availability::Present);
        present.map(|(kind, _)| *kind).collect()
    }
}

/// What the cluster has, kept current by watches.
#[derive(Debug)]
pub struct LiveCapabilities(watch::Sender<Capabilities>);

impl LiveCapabilities {
    /// Begins with what is known already.
    pub fn new(known: Capabilities) -> Self {
        Self(watch::Sender::new(known))
    }

    /// What is known now.
    pub fn now(&self) -> Capabilities {
        self.0.borrow().clone()
    }

    /// Waits until somebody has looked for ingress classes, with whatever outcome. Optional kinds are
    /// waited for as all stores are.
    pub async fn wait_until_known(&self) {
        let is_known = |known: &Capabilities| known.ingress_classes != IngressClasses::NotRead;
        // It cannot fail while `self` holds the sender.
        let _ = self.0.subscribe().wait_for(is_known).await;
    }

    /// Notes whether the cluster has `kind`. True when that is news.
    pub fn note(&self, kind: Kind, availability: Availability) -> bool {
        self.0.send_if_modified(|known| {
            let is_news = known.kinds.get(&kind) != Some(&availability);
            known.set(kind, availability);
            is_news
        })
    }

    /// Notes the ingress classes. True when that is news.
    pub fn note_ingress_classes(&self, classes: IngressClasses) -> bool {
        self.0.send_if_modified(|known| {
            let is_news = known.ingress_classes != classes;
            known.ingress_classes = classes;
            is_news
        })
    }

    /// An item for each change, several close to each other counting as one.
    pub fn changes(&self) -> impl Stream<Item = ()> + Send + 'static {
        stream::unfold(self.0.subscribe(), |mut receiver| async move {
            // It ends with the sender, and so with the process.
            receiver.changed().await.ok()?;
            Some(((), receiver))
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    /// Prevents: every resource being looked at whenever an absent kind is asked for again, and none
    /// when it appears.
    #[test]
    fn only_news_is_announced() {
        let live = LiveCapabilities::new(Capabilities::default());
        let mut changes = Box::pin(live.changes());
        assert!(
            live.note(Kind::HttpRoute, Availability::Absent),
            "the first answer"
        );
        assert_eq!(changes.next().now_or_never(), Some(Some(())));
        assert!(!live.note(Kind::HttpRoute, Availability::Absent));
        assert_eq!(changes.next().now_or_never(), None);
        assert_eq!(live.now().present(), BTreeSet::new());
        assert!(live.note(Kind::HttpRoute, Availability::Present));
        assert!(live.note_ingress_classes(IngressClasses::Known(BTreeMap::new())));
        assert_eq!(changes.next().now_or_never(), Some(Some(())), "both at once");
        assert_eq!(changes.next().now_or_never(), None);
        assert_eq!(live.now().present(), BTreeSet::from([Kind::HttpRoute]));
    }
}
