//! What this cluster has beyond what every cluster has, as the watches see it at this moment.
//!
//! Nothing is asked for at a reconcile: each optional kind's own watch is the detector, and a change
//! makes every resource be looked at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::{Stream, stream};
use tokio::sync::watch;

use crate::{area::Area, resources::Kind};

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

/// What is known, by where it was looked for: rights may differ from namespace to namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    kinds: BTreeMap<(Kind, Area), Availability>,
    ingress_classes: IngressClasses,
}

/// What the cluster has, kept current by watches.
#[derive(Debug)]
pub struct LiveCapabilities(watch::Sender<Known>);

impl LiveCapabilities {
    /// Begins with what is known already.
    pub fn new(known: Capabilities) -> Self {
        let Capabilities {
            kinds,
            ingress_classes,
        } = known;
        let kinds = kinds.into_iter();
        Self(watch::Sender::new(Known {
            kinds: kinds
                .map(|(kind, availability)| ((kind, Area::Everywhere), availability))
                .collect(),
            ingress_classes,
        }))
    }

    /// What is known now to whoever looks in `namespace`.
    pub fn within(&self, namespace: &str) -> Capabilities {
        let known = self.0.borrow();
        let concerns = |area: &Area| match area {
            Area::Everywhere => true,
            Area::Namespace(name) => name == namespace,
        };
        let kinds = known.kinds.iter().filter(|((_, area), _)| concerns(area));
        Capabilities {
            kinds: kinds
                .map(|((kind, _), availability)| (*kind, availability.clone()))
                .collect(),
            ingress_classes: known.ingress_classes.clone(),
        }
    }

    /// Whether the cluster has `kind`, to whoever looks in `area`.
    pub fn of(&self, kind: Kind, area: &Area) -> Availability {
        let known = self.0.borrow();
        known
            .kinds
            .get(&(kind, area.clone()))
            .cloned()
            .unwrap_or_default()
    }

    /// Whether nobody has looked for ingress classes yet.
    pub fn classes_are_unread(&self) -> bool {
        self.0.borrow().ingress_classes == IngressClasses::NotRead
    }

    /// Waits until somebody has looked for ingress classes, with whatever outcome. Optional kinds are
    /// waited for as all stores are.
    pub async fn wait_until_known(&self) {
        let is_known = |known: &Known| known.ingress_classes != IngressClasses::NotRead;
        // It cannot fail while `self` holds the sender.
        let _ = self.0.subscribe().wait_for(is_known).await;
    }

    /// Notes whether the cluster has `kind`, as far as one may look in `area`. True when that is news.
    pub fn note(&self, kind: Kind, area: &Area, availability: Availability) -> bool {
        self.0.send_if_modified(|known| {
            let before = known.kinds.insert((kind, area.clone()), availability.clone());
            before.as_ref() != Some(&availability)
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
        const EVERYWHERE: &Area = &Area::Everywhere;
        let live = LiveCapabilities::new(Capabilities::default());
        let mut changes = Box::pin(live.changes());
        assert!(
            live.note(Kind::HttpRoute, EVERYWHERE, Availability::Absent),
            "the first answer"
        );
        assert_eq!(changes.next().now_or_never(), Some(Some(())));
        assert!(!live.note(Kind::HttpRoute, EVERYWHERE, Availability::Absent));
        assert_eq!(changes.next().now_or_never(), None);
        assert_eq!(live.within("lojas").present(), BTreeSet::new());
        assert!(live.note(Kind::HttpRoute, EVERYWHERE, Availability::Present));
        assert!(live.note_ingress_classes(IngressClasses::Known(BTreeMap::new())));
        assert_eq!(changes.next().now_or_never(), Some(Some(())), "both at once");
        assert_eq!(changes.next().now_or_never(), None);
        assert_eq!(live.within("lojas").present(), BTreeSet::from([Kind::HttpRoute]));
    }

    /// Prevents: a right that is missing in one namespace taking a kind away from the others.
    #[test]
    fn each_namespace_knows_what_may_be_read_in_it() {
        let live = LiveCapabilities::new(Capabilities::default());
        let [lojas, norte] = ["lojas", "norte"].map(|name| Area::Namespace(name.to_owned()));
        let refused = Availability::Unknown {
            reason: Availability::NOT_PERMITTED,
        };
        live.note(Kind::HttpRoute, &lojas, Availability::Present);
        live.note(Kind::HttpRoute, &norte, refused.clone());
        assert_eq!(live.within("lojas").of(Kind::HttpRoute), Availability::Present);
        assert_eq!(live.within("norte").of(Kind::HttpRoute), refused);
        assert_eq!(live.within("sul").of(Kind::HttpRoute), Availability::Absent);
    }
}
