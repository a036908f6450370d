//! Who is next when a new operator changes pods: one resource at a time, each a guarded rollout, those
//! that are not ready last. A failure stops the wave until somebody has seen to it.
//!
//! Nothing here outlives the process. What has begun and what has failed stands in annotations, and each
//! look brings it here; until every resource has been looked at, nobody takes a turn.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, PoisonError},
};

/// A resource: namespace and name.
pub type Name = (String, String);

/// How a resource stands in the wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has what the operator builds, or cannot get it for reasons of its own.
    Settled,
    /// It would get other pods.
    Wanting {
        /// Whether it is ready now.
        ready: bool,
    },
    /// It has had its turn, and its rollout goes on.
    Rolling,
    /// It has had its turn, and its rollout failed.
    Failed,
}

/// What a resource may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Go.
    Go,
    /// Wait until the ones before it are done.
    Wait,
    /// Wait until somebody has seen to this resource.
    Held(Name),
}

/// Keeps the turns. Cheap to ask at each look.
pub struct Waves {
    known: Box<dyn Fn() -> BTreeSet<Name> + Send + Sync>,
    nudge: Box<dyn Fn(&Name) + Send + Sync>,
    standings: Mutex<BTreeMap<Name, Standing>>,
}

impl fmt::Debug for Waves {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Waves")
            .field("standings", &self.standings)
            .finish_non_exhaustive()
    }
}

impl Waves {
    /// Turns among the resources that `known` names; `nudge` has one looked at again.
    pub fn new(
        known: impl Fn() -> BTreeSet<Name> + Send + Sync + 'static,
        nudge: impl Fn(&Name) + Send + Sync + 'static,
    ) -> Self {
        Self {
            known: Box::new(known),
            nudge: Box::new(nudge),
            standings: Mutex::default(),
        }
    }

    /// Notes how a resource stands and answers whether it may go. Who may go is `Rolling` from then on.
    pub fn ask(&self, me: &Name, standing: Standing) -> Turn {
        let mut known = (self.known)();
        known.insert(me.clone());
        let (turn, nudged) = {
            let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
            let before = standings.insert(me.clone(), standing);
            standings.retain(|name, _| known.contains(name));
            let next = next(&standings, &known);
            match next {
                Next::Go(name) if name == *me => {
                    standings.insert(name, Standing::Rolling);
                    (Turn::Go, Vec::new())
                }
                Next::Go(name) => (Turn::Wait, vec![name]),
                // Those that wait are to tell people why.
                Next::Held(name) if name == *me && before != Some(standing) => {
                    let waiting = standings.iter().filter(|(_, standing)| is_wanting(**standing));
                    (Turn::Held(name), waiting.map(|(name, _)| name.clone()).collect())
                }
                Next::Held(name) => (Turn::Held(name), Vec::new()),
                Next::Nobody => (Turn::Wait, Vec::new()),
            }
        };
        for name in &nudged {
            (self.nudge)(name);
        }
        turn
    }

    /// A look ended before it could ask: what was known of the resource stays known.
    pub fn looked_at(&self, me: &Name) {
        let standing = {
            let standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
            standings.get(me).copied().unwrap_or(Standing::Settled)
        };
        // One that cannot be built must not keep the others waiting.
        let standing = if is_wanting(standing) {
            Standing::Settled
        } else {
            standing
        };
        self.ask(me, standing);
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, gone: &Name) {
        let next = {
            let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
            standings.remove(gone);
            let mut known = (self.known)();
            known.remove(gone);
            next(&standings, &known)
        };
        if let Next::Go(name) = next {
            (self.nudge)(&name);
        }
    }
}

fn is_wanting(standing: Standing) -> bool {
    matches!(standing, Standing::Wanting { .. })
}

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    Go(Name),
    Held(Name),
    Nobody,
}

/// The first by readiness and name, once everybody's standing is known and nobody's turn goes on.
fn next(standings: &BTreeMap<Name, Standing>, known: &BTreeSet<Name>) -> Next {
    if let Some((name, _)) = standings
        .iter()
        .find(|(_, standing)| **standing == Standing::Failed)
    {
        return Next::Held(name.clone());
    }
    let is_busy = standings.values().any(|standing| *standing == Standing::Rolling);
    if is_busy || known.iter().any(|name| !standings.contains_key(name)) {
        return Next::Nobody;
    }
    let wanting = standings.iter().filter_map(|(name, standing)| match standing {
        Standing::Wanting { ready } => Some((!ready, name)),
        Standing::Settled | Standing::Rolling | Standing::Failed => None,
    });
    wanting
        .min()
        .map_or(Next::Nobody, |(_, name)| Next::Go(name.clone()))
}

#[cfg(test)]
mod tests;
