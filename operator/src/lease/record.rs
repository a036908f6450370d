//! What a lease says, and what to write into it. Pure.
//!
//! The times in a record are for people. Whether a holder is gone is seen by our own clock alone: a
//! record that has not changed for as long as it promises to. Clocks of two machines may then differ
//! by hours; only their rates must agree.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::LeaseSpec, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp,
};
use tokio::time::Instant;

use super::Timing;

/// Whose a lease is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ours: this process took it, or an earlier one of the same name, which is gone.
    Ours,
    /// Nobody's, or of a holder who has not touched it for as long as it promised to.
    Free,
    /// Somebody else's, by name.
    Taken(String),
}

/// A record of somebody else's, and since when we have seen it unchanged.
#[derive(Clone, Debug)]
pub struct Sighting {
    record: LeaseSpec,
    since: Instant,
}

impl Sighting {
    /// Judges a record that was read at `now`, remembering it in `seen`.
    pub fn judge(
        seen: &mut Option<Self>,
        record: &LeaseSpec,
        identity: &str,
        timing: &Timing,
        now: Instant,
    ) -> Verdict {
        let Some(holder) = holder(record) else {
            return Verdict::Free;
        };
        if holder == identity {
            return Verdict::Ours;
        }
        let since = match seen {
            Some(sighting) if sighting.record == *record => sighting.since,
            _ => {
                let record = record.clone();
                seen.insert(Self { record, since: now }).since
            }
        };
        let promised = record
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(timing.duration, |seconds| Duration::from_secs(seconds.max(1)));
        if now.duration_since(since) >= promised {
            Verdict::Free
        } else {
            Verdict::Taken(holder.to_owned())
        }
    }
}

/// Who holds the lease; nobody after a release.
pub fn holder(record: &LeaseSpec) -> Option<&str> {
    record
        .holder_identity
        .as_deref()
        .filter(|holder| !holder.is_empty())
}

/// The record that takes or renews the lease for `identity`.
pub fn held_by(identity: &str, record: LeaseSpec, timing: &Timing, now: Timestamp) -> LeaseSpec {
    let is_renewal = holder(&record) == Some(identity);
    let seconds = i32::try_from(timing.duration.as_secs()).unwrap_or(i32::MAX);
    let transitions = record.lease_transitions;
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(seconds),
        renew_time: Some(MicroTime(now)),
        acquire_time: if is_renewal {
            record.acquire_time.clone()
        } else {
            Some(MicroTime(now))
        },
        lease_transitions: if is_renewal {
            transitions
        } else {
            Some(transitions.map_or(0, |number| number.saturating_add(1)))
        },
        ..record
    }
}

/// The record of a lease that its holder gives back. The short duration is for candidates that do not
/// take an empty holder for nobody.
pub fn free(record: LeaseSpec, now: Timestamp) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime(now)),
        ..record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing::DEFAULT;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    /// Prevents: a record that counts a renewal as a change of leader, or forgets since when one leads.
    #[test]
    fn renewal_keeps_what_an_acquisition_sets() {
        let taken = held_by("a", LeaseSpec::default(), &TIMING, at(10));
        let renewed = held_by("a", taken.clone(), &TIMING, at(12));
        assert_eq!(
            renewed,
            LeaseSpec {
                holder_identity: Some("a".to_owned()),
                lease_duration_seconds: Some(15),
                acquire_time: Some(MicroTime(at(10))),
                renew_time: Some(MicroTime(at(12))),
                lease_transitions: Some(0),
                ..LeaseSpec::default()
            }
        );
        let freed = free(renewed, at(13));
        assert_eq!(holder(&freed), None);
        let next = held_by("b", freed, &TIMING, at(14));
        assert_eq!(
            (
                next.lease_transitions,
                next.acquire_time,
                next.lease_duration_seconds
            ),
            (Some(1), Some(MicroTime(at(14))), Some(15))
        );
    }

    /// Prevents: a live holder being pushed aside because its clock, or ours, is wrong.
    #[test]
    fn only_our_own_clock_says_that_a_holder_is_gone() {
        let now = Instant::now();
        let mut seen = None;
        let mut record = held_by("a", LeaseSpec::default(), &TIMING, at(0));
        let taken = Verdict::Taken("a".to_owned());
        let mut judge = |record: &LeaseSpec, seconds: u64| {
            Sighting::judge(
                &mut seen,
                record,
                "b",
                &TIMING,
                now + Duration::from_secs(seconds),
            )
        };
        assert_eq!(
            judge(&record, 0),
            taken,
            "decades old by the wall clock, seen only now"
        );
        assert_eq!(judge(&record, 14), taken);
        record = held_by("a", record, &TIMING, at(-5));
        assert_eq!(
            judge(&record, 15),
            taken,
            "renewed, by a clock that runs backwards"
        );
        assert_eq!(judge(&record, 29), taken);
        assert_eq!(judge(&record, 30), Verdict::Free);
        record.holder_identity = Some("b".to_owned());
        assert_eq!(judge(&record, 30), Verdict::Ours);
    }
}
