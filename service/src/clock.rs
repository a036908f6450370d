//! The time, as a value that is handed in.

use std::{fmt, sync::Arc};

use jiff::{
    Timestamp,
    civil::Date,
    tz::{self, TimeZone},
};

/// What tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    /// A clock of one's own.
    #[must_use]
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// The date in Brasília: the day on which a car's age and an advertisement's freshness are counted.
    ///
    /// The offset is fixed, since Brazil gave up summer time in 2019, so no time zone database is needed.
    #[must_use]
    pub fn today(&self) -> Date {
        self.now().to_zoned(TimeZone::fixed(tz::offset(-3))).date()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents the day from changing at nine in the evening in Brazil.
    #[test]
    fn the_day_changes_at_midnight_in_brasilia() {
        let at = |text: &str| {
            let instant: Timestamp = text.parse().unwrap();
            Clock::new(move || instant).today().to_string()
        };
        assert_eq!(at("2026-11-25T02:59:59Z"), "2026-11-24");
        assert_eq!(at("2026-11-25T03:00:00Z"), "2026-11-25");
    }
}
