//! How long to wait before the next attempt, per resource, with jitter.

use std::time::Duration;

/// A doubling wait between two bounds.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// For what may pass by itself: an API server that is busy, a conflict.
    pub const FAILURE: Self = Self {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(240),
    };

    /// For what somebody will probably put there soon: a Secret, a name that is taken.
    pub const MISSING: Self = Self {
        first: Duration::from_secs(2),
        longest: Duration::from_secs(60),
    };

    /// For a kind of object that a cluster does not have: it is noticed soon when it appears.
    pub const ABSENT: Self = Self {
        first: Duration::from_millis(800),
        longest: Duration::from_secs(30),
    };

    /// The same where each of several namespaces asks for it.
    pub const ABSENT_IN_NAMESPACE: Self = Self {
        first: Duration::from_millis(800),
        longest: Duration::from_secs(250),
    };

    /// The wait after `failures` attempts that failed in a row (1 is the first), within 20 % either
    /// way: resources that failed together must not come back together.
    pub fn after(self, failures: u32) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(16));
        jitter(doubled.min(self.longest))
    }
}

/// `wait`, up to 20 % shorter or longer.
pub fn jitter(wait: Duration) -> Duration {
    // Without randomness, which only a broken system lacks, everything waits the middle.
    let random = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
    wait.mul_f64(0.8 + 0.4 * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: an overflow or an endless wait after many failures, and a first retry that is late.
    #[test]
    fn waits_double_up_to_the_bound() {
        for (failures, expected) in [(1, 0.5), (2, 1.0), (3, 2.0), (10, 240.0), (u32::MAX, 240.0)] {
            let wait = Backoff::FAILURE.after(failures).as_secs_f64();
            assert!(
                (expected * 0.79..=expected * 1.21).contains(&wait),
                "{failures}: {wait}"
            );
        }
    }
}
