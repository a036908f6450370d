//! The arithmetic of a rate limit: what is remembered of an address and the time in, a decision out.
//!
//! The generic cell rate algorithm remembers one number: when the address, left alone, would have its whole
//! burst again. It decides exactly as a token bucket that fills by one token each interval, without a bucket
//! to fill. All times are whole microseconds, so that no rounding adds up and a Lua script can do the same.

use std::str::FromStr;

const MICROSECONDS: u64 = 1_000_000;

/// Requests a second at most: an interval stays well above the microsecond in which it is counted.
const MOST_A_SECOND: u64 = 10_000;

/// Requests at once at most: a whole burst stays a number that a Lua script counts exactly.
const MOST_AT_ONCE: u64 = 100_000;

/// How often an address may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Microseconds until a spent request is given back.
    pub(crate) interval: u64,
    /// Requests that an idle address may make at once.
    pub(crate) burst: u64,
}

impl Quota {
    /// So many requests a second in the long run, and so many at once from idle. Neither may be zero.
    pub(crate) const fn new(per_second: u64, burst: u64) -> Self {
        Self {
            interval: MICROSECONDS / per_second,
            burst,
        }
    }

    /// Microseconds from a spent burst to a whole one.
    pub(crate) const fn whole(self) -> u64 {
        self.interval * self.burst
    }
}

impl FromStr for Quota {
    type Err = String;

    /// Reads `2/5`: two requests a second, five at once.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str, most: u64| {
            let number = text.trim().parse().ok();
            number.filter(|number| (1..=most).contains(number))
        };
        let read = text.split_once('/').and_then(|(per_second, burst)| {
            Some(Self::new(
                number(per_second, MOST_A_SECOND)?,
                number(burst, MOST_AT_ONCE)?,
            ))
        });
        read.ok_or_else(|| {
            format!(
                "write 2/5 for two requests a second and five at once: 1 to {MOST_A_SECOND}, then 1 to {MOST_AT_ONCE}"
            )
        })
    }
}

/// What was decided, with what a client may be told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) allowed: bool,
    /// Requests that would still be let through at this instant.
    pub(crate) remaining: u64,
    /// Microseconds until the next would be let through.
    pub(crate) wait: u64,
    /// Microseconds until the whole burst is there again.
    pub(crate) whole_after: u64,
}

impl Decision {
    /// Describes a decision by what is remembered after it.
    pub(crate) fn describe(allowed: bool, whole_at: u64, now: u64, quota: Quota) -> Self {
        let owed = whole_at.saturating_sub(now).min(quota.whole());
        Self {
            allowed,
            remaining: (quota.whole() - owed) / quota.interval,
            wait: (owed + quota.interval).saturating_sub(quota.whole()),
            whole_after: owed,
        }
    }

    /// As `Retry-After` says it: whole seconds, never too few, and never none.
    pub(crate) fn retry_after_seconds(&self) -> u64 {
        in_seconds(self.wait).max(1)
    }
}

/// Whole seconds that are no shorter than so many microseconds.
pub(crate) const fn in_seconds(microseconds: u64) -> u64 {
    microseconds.div_ceil(MICROSECONDS)
}

/// Decides about a request at `now`, given when the address would have its whole burst again (`None` = nothing
/// is remembered), and gives what to remember.
pub(crate) fn decide(whole_at: Option<u64>, now: u64, quota: Quota) -> (u64, Decision) {
    // A clock that was set back must lock nobody out for longer than a burst takes.
    let whole_at = whole_at.unwrap_or(now).clamp(now, now + quota.whole());
    let allowed = whole_at + quota.interval <= now + quota.whole();
    let whole_at = if allowed {
        whole_at + quota.interval
    } else {
        whole_at
    };
    (whole_at, Decision::describe(allowed, whole_at, now, quota))
}

/// A token bucket that counts its tokens in microseconds: the model that both implementations must equal.
#[cfg(test)]
pub(super) struct TokenBucket {
    quota: Quota,
    credit: u64,
    at: u64,
}

#[cfg(test)]
impl TokenBucket {
    pub(super) fn full(quota: Quota, at: u64) -> Self {
        Self {
            quota,
            credit: quota.whole(),
            at,
        }
    }

    pub(super) fn decide(&mut self, now: u64) -> Decision {
        let whole = self.quota.whole();
        self.credit = (self.credit + (now - self.at)).min(whole);
        self.at = now;
        let allowed = self.credit >= self.quota.interval;
        if allowed {
            self.credit -= self.quota.interval;
        }
        Decision {
            allowed,
            remaining: self.credit / self.quota.interval,
            wait: self.quota.interval.saturating_sub(self.credit),
            whole_after: whole - self.credit,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Quotas, and gaps between requests from none to longer than a burst takes, often exact multiples.
    pub(in crate::limits) fn traffic() -> impl Strategy<Value = (Quota, Vec<u64>)> {
        (1..=50_u64, 1..=30_u64).prop_flat_map(|(per_second, burst)| {
            let quota = Quota::new(per_second, burst);
            let gap = prop_oneof![
                3 => 0..=quota.interval * 2,
                2 => Just(0),
                2 => (0..=burst).prop_map(move |times| times * quota.interval),
                1 => 0..=quota.whole() * 2,
            ];
            (Just(quota), vec(gap, 1..120))
        })
    }

    proptest! {
        /// Prevents a decision, or what a client is told with it, that a token bucket would not have made.
        #[test]
        fn it_decides_as_a_token_bucket((quota, gaps) in traffic(), start in 0..u64::from(u32::MAX)) {
            let mut bucket = TokenBucket::full(quota, start);
            let (mut now, mut remembered) = (start, None);
            for gap in gaps {
                now += gap;
                let (whole_at, decision) = decide(remembered, now, quota);
                prop_assert_eq!(decision, bucket.decide(now));
                remembered = Some(whole_at);
            }
        }

        /// Prevents a client that waits as long as it was told from being refused again.
        #[test]
        fn who_waits_as_told_is_let_through((quota, gaps) in traffic()) {
            let (mut now, mut remembered) = (0, None);
            for gap in gaps {
                now += gap;
                let (whole_at, decision) = decide(remembered, now, quota);
                remembered = Some(whole_at);
                prop_assert!(decide(remembered, now + decision.wait, quota).1.allowed);
                if decision.wait > 0 {
                    prop_assert!(!decide(remembered, now + decision.wait - 1, quota).1.allowed);
                }
            }
        }
    }

    /// Prevents a server whose clock is set back by a day from locking out everybody for a day.
    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let quota = Quota::new(2, 5);
        let (_, decision) = decide(Some(86_400 * MICROSECONDS), 0, quota);
        assert_eq!(
            decision,
            Decision {
                allowed: false,
                remaining: 0,
                wait: 500_000,
                whole_after: 2_500_000
            }
        );
    }

    /// Prevents `Retry-After: 0`, on which a client would ask again at once.
    #[test]
    fn a_refusal_names_at_least_a_second() {
        let decision = |wait| Decision {
            allowed: false,
            remaining: 0,
            wait,
            whole_after: 0,
        };
        assert_eq!(
            [0, 1, 1_000_000, 1_000_001].map(|wait| decision(wait).retry_after_seconds()),
            [1, 1, 1, 2]
        );
    }
}
