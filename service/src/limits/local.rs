//! Decides in this process alone: a map in shards, bounded in entries.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use futures::future::{BoxFuture, FutureExt, ready};

use super::{
    Class, Decider, Quotas,
    client_address::Client,
    gcra::{self, Decision},
};
use crate::metrics::Metrics;

/// Requests of different addresses rarely wait for each other.
const SHARDS: usize = 16;

/// Some 40 bytes each: all shards together stay below 4 MiB, whatever number of addresses asks.
const LARGEST_SHARD: usize = 4096;

/// How often a shard forgets the addresses that have their whole burst again; by default the longest burst takes 2.5 s.
const SWEEP_EVERY: u64 = 5_000_000;

/// A full shard is swept no more often than this: a flood of addresses must not cost a scan for each.
const SWEEP_FULL_EVERY: u64 = 100_000;

/// How many entries are looked at for the one that a full shard gives up.
const LOOKED_AT: usize = 8;

type Key = (Class, Client);

#[derive(Default)]
struct Shard {
    whole_at: HashMap<Key, u64>,
    swept: u64,
}

impl Shard {
    /// Remembers, and makes room where there is none.
    fn remember(&mut self, key: Key, whole_at: u64, now: u64) {
        let full = self.whole_at.len() >= LARGEST_SHARD && !self.whole_at.contains_key(&key);
        let since = now.saturating_sub(self.swept);
        if since >= SWEEP_EVERY || full && since >= SWEEP_FULL_EVERY {
            self.swept = now;
            self.whole_at.retain(|_, whole_at| *whole_at > now);
        }
        if full && self.whole_at.len() >= LARGEST_SHARD {
            // Who is nearest to a whole burst loses least; order in the map is random, so nobody can aim.
            let next = self.whole_at.iter().take(LOOKED_AT).min_by_key(|(_, at)| **at);
            if let Some(key) = next.map(|(key, _)| *key) {
                self.whole_at.remove(&key);
            }
        }
        self.whole_at.insert(key, whole_at);
    }
}

/// Decides by what this process has seen.
pub(crate) struct LocalDecider {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    /// Time is counted from here: a clock that only goes forward.
    begun: Instant,
    quotas: Quotas,
    metrics: Metrics,
}

impl LocalDecider {
    pub(crate) fn new(quotas: Quotas, metrics: Metrics) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            begun: Instant::now(),
            quotas,
            metrics,
        }
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }

    fn shard(&self, key: &Key) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    fn decide_at(&self, class: Class, client: Client, now: u64) -> Decision {
        let key = (class, client);
        let mut shard = self.shard(&key).lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = shard.whole_at.get(&key).copied();
        let (whole_at, decision) = gcra::decide(remembered, now, self.quotas.of(class));
        shard.remember(key, whole_at, now);
        decision
    }

    /// Takes over what others decided, so that who has spent a burst gets no second one from here.
    pub(crate) fn adopt(&self, class: Class, client: Client, decision: &Decision) {
        let (key, now) = ((class, client), self.now());
        let mut shard = self.shard(&key).lock().unwrap_or_else(PoisonError::into_inner);
        shard.remember(key, now + decision.whole_after, now);
    }

    pub(crate) fn decide_now(&self, class: Class, client: Client) -> Decision {
        self.metrics.limit_decided("local");
        self.decide_at(class, client, self.now())
    }
}

impl Decider for LocalDecider {
    fn decide(&self, class: Class, client: Client) -> BoxFuture<'_, Decision> {
        ready(self.decide_now(class, client)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    fn decider() -> LocalDecider {
        LocalDecider::new(Quotas::default(), Metrics::register(&mut Registry::default()))
    }

    fn entries(decider: &LocalDecider) -> usize {
        let shards = decider.shards.iter();
        shards.map(|shard| shard.lock().unwrap().whole_at.len()).sum()
    }

    /// Prevents classes or addresses from spending each other's requests.
    #[test]
    fn each_address_has_each_quota_to_itself() {
        let decider = decider();
        for class in Class::ALL {
            for address in [1, 2] {
                let allowed = (0..40)
                    .filter(|_| decider.decide_at(class, Client::V4(address), 0).allowed)
                    .count();
                assert_eq!(allowed as u64, Quotas::default().of(class).burst, "{class:?}");
            }
        }
    }

    /// Prevents a flood from many networks from taking the memory, and what is idle from being kept.
    #[test]
    fn a_flood_of_addresses_is_bounded_and_forgotten() {
        let decider = decider();
        for network in 0..200_000 {
            assert!(decider.decide_at(Class::Other, Client::V6(network), 1).allowed);
        }
        assert!(
            entries(&decider) <= SHARDS * LARGEST_SHARD,
            "{}",
            entries(&decider)
        );
        for network in 0..1_000 {
            decider.decide_at(Class::Other, Client::V6(network), 1 + 2 * SWEEP_EVERY);
        }
        assert_eq!(entries(&decider), 1_000);
    }

    /// Prevents a spent burst from being given again when deciding moves from the shared store to here.
    #[test]
    fn what_others_decided_is_taken_over() {
        let decider = decider();
        let (class, client) = (Class::Recommend, Client::V4(1));
        let spent = Decision {
            allowed: true,
            remaining: 0,
            wait: 500_000,
            whole_after: 2_500_000,
        };
        decider.adopt(class, client, &spent);
        assert!(!decider.decide_now(class, client).allowed);
    }
}
