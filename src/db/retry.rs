//! Running a write again when it met others at the same moment.
//!
//! Guarantees: a conflict that any statement of a transaction reports ends that transaction, whatever the work made
//! of the error; the whole work is run again on a fresh state, a bounded number of times within a bounded time, after
//! a pause of random length; what it computed in the abandoned transaction reaches nobody.
//! Deliberately not here: waiting for locks, which the database bounds itself, and errors that a second run would
//! meet again.

use super::DbError;
use crate::clock::Clock;
use crate::crypto::random_bytes;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often work is run at most.
const MOST_RUNS: u32 = 10;
/// From this run on nobody else in this process writes beside it.
const ALONE_FROM: u32 = 4;
/// After this long no further run begins.
const MOST_TIME: Duration = Duration::from_secs(8);
/// The first pause is at most this long, and each further one at most twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

// INVARIANT: one thread works in one write transaction at a time, and every error of the database becomes a
// `DbError` on the thread that met it. So a flag of the thread is a flag of its transaction.
thread_local! {
    static CONFLICT: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the database ended the present transaction in favour of another.
pub(super) fn note_conflict() {
    CONFLICT.set(true);
}

/// Whether the present transaction met a conflict.
pub(super) fn has_conflict() -> bool {
    CONFLICT.get()
}

/// Runs one transaction; says whether it met a conflict.
pub(super) fn watched<T>(run: impl FnOnce() -> T) -> (T, bool) {
    // A transaction on another connection may be open on this thread: its flag is not this one's.
    let outer = CONFLICT.replace(false);
    let _restored = Restored(outer);
    let done = run();
    (done, CONFLICT.get())
}

/// Puts the flag back, also when the work panics.
struct Restored(bool);

impl Drop for Restored {
    fn drop(&mut self) {
        CONFLICT.set(self.0);
    }
}

/// How writes fared against each other since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contention {
    /// Write transactions that were wanted.
    pub writes: u64,
    /// Runs that were abandoned for a conflict and followed by another.
    pub retries: u64,
    /// Writes that were given up after all their runs.
    pub given_up: u64,
}

/// The same, while it is counted.
#[derive(Default)]
pub(super) struct Counters {
    pub writes: AtomicU64,
    pub retries: AtomicU64,
    pub given_up: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Contention {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Contention { writes: read(&self.writes), retries: read(&self.retries), given_up: read(&self.given_up) }
    }
}

/// The runs of one write.
pub(super) struct Runs {
    made: u32,
    began: Instant,
}

impl Runs {
    pub(super) fn begin() -> Self {
        Self { made: 1, began: Clock::system().instant() }
    }

    /// Whether the present run is one that nobody should write beside.
    pub(super) fn is_hard(&self) -> bool {
        self.made >= ALONE_FROM
    }

    /// Waits before the next run; an error when there is to be none.
    pub(super) fn pause(&mut self) -> Result<(), DbError> {
        if self.made >= MOST_RUNS || Clock::system().instant().duration_since(self.began) >= MOST_TIME {
            return Err(DbError::Contended { runs: self.made });
        }
        std::thread::sleep(pause_after(self.made, u32::from_le_bytes(random_bytes())));
        self.made += 1;
        Ok(())
    }
}

/// A pause anywhere between nothing and a bound that doubles, so that those who met once do not meet again.
fn pause_after(run: u32, random: u32) -> Duration {
    let bound = FIRST_PAUSE.saturating_mul(1 << (run - 1).min(16)).min(LONGEST_PAUSE);
    bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_random_and_stay_bounded() {
        assert_eq!(pause_after(1, 0), Duration::ZERO);
        assert_eq!(pause_after(1, u32::MAX), FIRST_PAUSE);
        assert_eq!(pause_after(3, u32::MAX), FIRST_PAUSE * 4);
        assert!(pause_after(3, u32::MAX / 2) < FIRST_PAUSE * 3);
        for run in [8, 20, 200] {
            assert_eq!(pause_after(run, u32::MAX), LONGEST_PAUSE);
        }
    }

    #[test]
    fn runs_end_after_a_bounded_number() {
        let mut runs = Runs::begin();
        let made = (0..100).take_while(|_| runs.pause().is_ok()).count() + 1;
        assert_eq!(made, 10);
        assert!(matches!(runs.pause(), Err(DbError::Contended { runs: 10 })));
    }

    #[test]
    fn the_flag_of_an_inner_transaction_is_not_that_of_the_outer_one() {
        let (inner, outer) = watched(|| watched(note_conflict).1);
        assert!(inner && !outer && !has_conflict());
        let (inner, outer) = watched(|| {
            note_conflict();
            watched(|| ()).1
        });
        assert!(!inner && outer);
    }
}
