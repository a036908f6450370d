//! Writes that the cluster refused and would refuse again. They are not sent anew at every look: only once something
//! else is wanted, the object changed, or a while has passed, for what it was refused by may have changed, and nobody
//! tells us of that.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::children::Place;

/// Below the time after which everything at rest is looked at again, so that each such look asks.
const ASK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// What was refused, by the object that stays as it is.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<Place, Refusal>>);

#[derive(Debug)]
struct Refusal {
    asked: Asked,
    reason: String,
    until: Instant,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What was wanted.
    pub wanted: String,
    /// The object's resourceVersion, where its store has it.
    pub version: Option<String>,
}

impl Refusals {
    /// Why this very thing was refused a short while ago.
    pub fn known(&self, place: &Place, asked: &Asked) -> Option<String> {
        self.known_at(place, asked, Instant::now())
    }

    fn known_at(&self, place: &Place, asked: &Asked, now: Instant) -> Option<String> {
        let refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = refusals.get(place)?;
        (refusal.asked == *asked && refusal.until > now).then(|| refusal.reason.clone())
    }

    /// Keeps in mind why something was refused.
    pub fn note(&self, place: Place, asked: Asked, reason: &str) {
        let now = Instant::now();
        let refusal = Refusal {
            asked,
            reason: reason.to_owned(),
            until: now + ASK_AGAIN,
        };
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Also of objects that are gone.
        refusals.retain(|_, refusal| refusal.until > now);
        refusals.insert(place, refusal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Kind;

    /// Prevents: a refused write at every look; and one that is never tried again.
    #[test]
    fn a_refusal_is_known_until_something_changes() {
        let place = |name: &str| Place {
            kind: Kind::PersistentVolumeClaim,
            namespace: "a".to_owned(),
            name: name.to_owned(),
        };
        let asked = |wanted: &str, version: &str| Asked {
            wanted: wanted.to_owned(),
            version: Some(version.to_owned()),
        };
        let refusals = Refusals::default();
        refusals.note(place("one"), asked("2Gi", "7"), "no");
        let now = Instant::now();
        let known = |name, wanted, version, at| refusals.known_at(&place(name), &asked(wanted, version), at);
        assert_eq!(known("one", "2Gi", "7", now).as_deref(), Some("no"));
        assert_eq!(known("one", "3Gi", "7", now), None, "another size");
        assert_eq!(known("one", "2Gi", "8", now), None, "another claim");
        assert_eq!(known("two", "2Gi", "7", now), None, "of another name");
        assert_eq!(known("one", "2Gi", "7", now + ASK_AGAIN), None, "a while later");
    }
}
