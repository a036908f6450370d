//! Health means that reconciling works: each watch and the lease have lately been attempted.
//!
//! Attempts count, not successes: an API server that is away for minutes must restart nobody. They
//! are read off the client's requests, for a watch on which nothing happens yields nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{area::Area, lease::Timing};

/// Plural name of Leases.
const LEASE: &str = "leases";

/// A healthy watch is renewed at least this often: the API server ends it after 290 s, and a failing
/// one is tried again after five minutes at most.
const LONGEST_SILENCE: Duration = Duration::from_secs(3 * 320);

/// A watch: the plural name of what is watched, and where.
pub type Watch = (String, Area);

/// When each watch and the lease were last attempted, and whether the stores are filled.
#[derive(Debug)]
pub struct Health {
    attempts: Mutex<BTreeMap<Watch, Instant>>,
    unfilled: Mutex<BTreeSet<Watch>>,
    lease_attempt: Mutex<Instant>,
}

impl Health {
    /// Health of `watches`; each counts as attempted now.
    pub fn new(watches: impl IntoIterator<Item = Watch>) -> Self {
        let now = Instant::now();
        let attempts: BTreeMap<_, _> = watches.into_iter().map(|watch| (watch, now)).collect();
        Self {
            unfilled: Mutex::new(attempts.keys().cloned().collect()),
            attempts: Mutex::new(attempts),
            lease_attempt: Mutex::new(now),
        }
    }

    /// Notes an attempt to take, keep or look at the lease.
    pub fn lease_attempted(&self) {
        *self.lease_attempt.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Notes that a watch was begun or renewed.
    pub fn watch_attempted(&self, resource: &str, area: &Area) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attempt) = attempts.get_mut(&(resource.to_owned(), area.clone())) {
            *attempt = Instant::now();
        }
    }

    /// Notes that the first list of a watch is complete. True when it was the last one missing.
    pub fn store_filled(&self, resource: &str, area: &Area) -> bool {
        let mut unfilled = self.unfilled.lock().unwrap_or_else(PoisonError::into_inner);
        unfilled.remove(&(resource.to_owned(), area.clone())) && unfilled.is_empty()
    }

    /// Whether every store has finished its first list.
    pub fn is_ready(&self) -> bool {
        self.unfilled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    /// What nobody has attempted for too long: watches by plural name and namespace, and the lease.
    pub fn stalled(&self) -> Vec<String> {
        let ages = self.ages();
        let watches = ages.into_iter().filter(|(_, age)| *age > LONGEST_SILENCE).map(
            |((resource, area), _)| match area {
                Area::Everywhere => resource,
                Area::Namespace(namespace) => format!("{resource} in {namespace}"),
            },
        );
        let lease_age = self
            .lease_attempt
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed();
        let lease = (lease_age > Timing::DEFAULT.longest_silence()).then(|| LEASE.to_owned());
        watches.chain(lease).collect()
    }

    /// Time since each kind's watch was attempted; of several namespaces the longest.
    pub fn watch_ages(&self) -> Vec<(String, Duration)> {
        let mut oldest = BTreeMap::<String, Duration>::new();
        for ((resource, _), age) in self.ages() {
            let entry = oldest.entry(resource).or_default();
            *entry = age.max(*entry);
        }
        oldest.into_iter().collect()
    }

    fn ages(&self) -> Vec<(Watch, Duration)> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts
            .iter()
            .map(|(watch, attempt)| (watch.clone(), attempt.elapsed()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYWHERE: Area = Area::Everywhere;

    fn everywhere(resources: [&str; 2]) -> [Watch; 2] {
        resources.map(|resource| (resource.to_owned(), EVERYWHERE))
    }

    /// Prevents: one namespace's watch that hangs behind another's that goes on.
    #[tokio::test(start_paused = true)]
    async fn each_namespace_counts_by_itself() {
        let [lojas, norte] = ["lojas", "norte"].map(|name| Area::Namespace(name.to_owned()));
        let health = Health::new([
            ("pods".to_owned(), lojas.clone()),
            ("pods".to_owned(), norte.clone()),
        ]);
        assert!(!health.store_filled("pods", &lojas));
        assert!(health.store_filled("pods", &norte));
        tokio::time::advance(LONGEST_SILENCE).await;
        health.watch_attempted("pods", &lojas);
        tokio::time::advance(Duration::from_secs(1)).await;
        health.lease_attempted();
        assert_eq!(health.stalled(), ["pods in norte"]);
        let age = LONGEST_SILENCE + Duration::from_secs(1);
        assert_eq!(
            health.watch_ages(),
            [("pods".to_owned(), age)],
            "one series a kind"
        );
    }

    /// Prevents: a pod that counts as ready while a store is empty, and builds from what is not there.
    #[test]
    fn ready_means_that_every_store_is_filled() {
        let health = Health::new(everywhere(["pods", "services"]));
        assert!(!health.is_ready());
        assert!(!health.store_filled("pods", &EVERYWHERE));
        assert!(
            !health.store_filled("pods", &EVERYWHERE),
            "a list that is begun again fills nothing new"
        );
        assert!(!health.is_ready());
        assert!(health.store_filled("services", &EVERYWHERE));
        assert!(health.is_ready());
        assert_eq!(health.stalled(), Vec::<String>::new());
    }

    /// Prevents: an operator that nobody restarts although one of its tasks hangs; and one that is
    /// restarted because the API server is away, when attempts go on and fail.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_watch_or_of_the_lease_is_noticed() {
        let health = Health::new(everywhere(["pods", "services"]));
        let lease_limit = Timing::DEFAULT.longest_silence();
        tokio::time::advance(lease_limit).await;
        assert_eq!(health.stalled(), Vec::<String>::new());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(health.stalled(), ["leases"]);
        health.lease_attempted();
        assert_eq!(health.stalled(), Vec::<String>::new());

        tokio::time::advance(LONGEST_SILENCE).await;
        health.lease_attempted();
        health.watch_attempted("pods", &EVERYWHERE);
        assert_eq!(health.stalled(), ["services"]);
    }
}
