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

use crate::lease::Timing;

/// Plural name of Leases.
const LEASE: &str = "leases";

/// A healthy watch is renewed at least this often: the API server ends it after 290 s, and a failing
/// one is tried again after 30 s at most.
const LONGEST_SILENCE: Duration = Duration::from_secs(3 * 320);

/// When each watch and the lease were last attempted, and whether the stores are filled.
#[derive(Debug)]
pub struct Health {
    attempts: Mutex<BTreeMap<String, Instant>>,
    unfilled: Mutex<BTreeSet<String>>,
    lease_attempt: Mutex<Instant>,
}

impl Health {
    /// Health of watches on `resources`, by plural name; each counts as attempted now.
    pub fn new(resources: impl IntoIterator<Item = String>) -> Self {
        let now = Instant::now();
        let attempts: BTreeMap<_, _> = resources.into_iter().map(|resource| (resource, now)).collect();
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
    pub fn watch_attempted(&self, resource: &str) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attempt) = attempts.get_mut(resource) {
            *attempt = Instant::now();
        }
    }

    /// Notes that the first list of a resource is complete. True when it was the last one missing.
    pub fn store_filled(&self, resource: &str) -> bool {
        let mut unfilled = self.unfilled.lock().unwrap_or_else(PoisonError::into_inner);
        unfilled.remove(resource) && unfilled.is_empty()
    }

    /// Whether every store has finished its first list.
    pub fn is_ready(&self) -> bool {
        self.unfilled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    /// What nobody has attempted for too long: watches by plural name, and the lease.
    pub fn stalled(&self) -> Vec<String> {
        let ages = self.watch_ages();
        let watches = ages
            .into_iter()
            .filter(|(_, age)| *age > LONGEST_SILENCE)
            .map(|(resource, _)| resource);
        let lease_age = self
            .lease_attempt
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed();
        let lease = (lease_age > Timing::DEFAULT.longest_silence()).then(|| LEASE.to_owned());
        watches.chain(lease).collect()
    }

    /// Time since each watch was attempted.
    pub fn watch_ages(&self) -> Vec<(String, Duration)> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts
            .iter()
            .map(|(resource, attempt)| (resource.clone(), attempt.elapsed()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: a pod that counts as ready while a store is empty, and builds from what is not there.
    #[test]
    fn ready_means_that_every_store_is_filled() {
        let health = Health::new(["pods".to_owned(), "services".to_owned()]);
        assert!(!health.is_ready());
        assert!(!health.store_filled("pods"));
        assert!(
            !health.store_filled("pods"),
            "a list that is begun again fills nothing new"
        );
        assert!(!health.is_ready());
        assert!(health.store_filled("services"));
        assert!(health.is_ready());
        assert_eq!(health.stalled(), Vec::<String>::new());
    }

    /// Prevents: an operator that nobody restarts although one of its tasks hangs; and one that is
    /// restarted because the API server is away, when attempts go on and fail.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_watch_or_of_the_lease_is_noticed() {
        let health = Health::new(["pods".to_owned(), "services".to_owned()]);
        let lease_limit = Timing::DEFAULT.longest_silence();
        tokio::time::advance(lease_limit).await;
        assert_eq!(health.stalled(), Vec::<String>::new());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(health.stalled(), ["leases"]);
        health.lease_attempted();
        assert_eq!(health.stalled(), Vec::<String>::new());

        tokio::time::advance(LONGEST_SILENCE).await;
        health.lease_attempted();
        health.watch_attempted("pods");
        assert_eq!(health.stalled(), ["services"]);
    }
}
