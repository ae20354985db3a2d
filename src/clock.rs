//! The only place that reads the time of day.
//!
//! Guarantees: every moment is UTC and truncated to the millisecond, which is what both databases
//! keep, so a moment that was stored compares equal to the one that was taken.
//! Deliberately not here: time zones. The model knows UTC only.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// What time it is. Cheap to clone; clones of a fixed clock move together.
#[derive(Clone, Debug)]
pub struct Clock(Reading);

#[derive(Clone, Debug)]
enum Reading {
    System,
    /// Milliseconds since 1970, and the real instant at which the clock was set up.
    Fixed(Arc<AtomicI64>, Instant, i64),
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(Reading::System)
    }
    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn fixed(at: NaiveDateTime) -> Self {
        let millis = at.and_utc().timestamp_millis();
        Self(Reading::Fixed(Arc::new(AtomicI64::new(millis)), Instant::now(), millis))
    }
    /// Moves a fixed clock on; a system clock does not care.
    pub fn advance(&self, by: Duration) {
        if let Reading::Fixed(millis, _, _) = &self.0 {
            millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
    /// The present moment in UTC, to the millisecond.
    pub fn now(&self) -> NaiveDateTime {
        let millis = match &self.0 {
            Reading::System => Utc::now().timestamp_millis(),
            Reading::Fixed(millis, _, _) => millis.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH).naive_utc()
    }
    /// The present date in UTC.
    pub fn today(&self) -> NaiveDate {
        self.now().date()
    }
    /// A reading that never goes back, for budgets and durations.
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Reading::System => Instant::now(),
            Reading::Fixed(millis, start, first) => {
                let passed = u64::try_from(millis.load(Ordering::SeqCst).saturating_sub(*first)).unwrap_or(0);
                start.checked_add(Duration::from_millis(passed)).unwrap_or(*start)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_stands_still_until_it_is_moved_and_its_clones_move_with_it() {
        let start = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_micro_opt(23, 59, 59, 999_999).unwrap();
        let clock = Clock::fixed(start);
        let clone = clock.clone();
        assert_eq!(clock.now().format("%H:%M:%S%.f").to_string(), "23:59:59.999");
        let before = clone.instant();
        clock.advance(Duration::from_millis(1));
        assert_eq!(clone.now().to_string(), "2026-03-02 00:00:00");
        assert_eq!(clone.today().to_string(), "2026-03-02");
        assert_eq!(clone.instant() - before, Duration::from_millis(1));
    }

    #[test]
    fn the_system_clock_is_cut_to_milliseconds() {
        use chrono::Timelike;
        assert_eq!(Clock::system().now().nanosecond() % 1_000_000, 0);
    }
}
