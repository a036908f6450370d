//! Which requests the log names: every refusal and every error, and of the others one in so many.

use std::sync::atomic::{AtomicU32, Ordering};

/// Chooses.
#[derive(Debug)]
pub(crate) struct AccessLog {
    one_in: u32,
    /// Requests until the next that is named.
    left: AtomicU32,
}

impl Default for AccessLog {
    /// Names every request.
    fn default() -> Self {
        Self::one_in(1)
    }
}

impl AccessLog {
    /// Names one in so many, the first at once; with 0 none but refusals and errors.
    pub(crate) const fn one_in(one_in: u32) -> Self {
        Self {
            one_in,
            left: AtomicU32::new(0),
        }
    }

    /// Whether a request that ended with this status is named.
    pub(crate) fn takes(&self, status: u16) -> bool {
        if self.one_in == 1 || status >= 400 {
            return true;
        }
        if self.one_in == 0 {
            return false;
        }
        let next = |left: u32| Some(left.checked_sub(1).unwrap_or(self.one_in - 1));
        // Nothing else is read on the strength of it, so no order is needed.
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok_and(|left| left == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(one_in: u32, statuses: &[u16]) -> Vec<bool> {
        let log = AccessLog::one_in(one_in);
        statuses.iter().map(|status| log.takes(*status)).collect()
    }

    /// Prevents a sample from being none, or all, or from leaving out what went wrong.
    #[test]
    fn one_in_so_many_and_everything_that_went_wrong() {
        assert_eq!(taken(1, &[200; 4]), [true; 4]);
        assert_eq!(
            taken(3, &[200, 304, 201, 200, 200, 200, 200]),
            [true, false, false, true, false, false, true]
        );
        assert_eq!(
            taken(3, &[429, 200, 503, 200, 404, 500]),
            [true, true, true, false, true, true]
        );
        assert_eq!(taken(0, &[200, 422, 200]), [false, true, false]);
    }
}
