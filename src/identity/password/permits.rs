//! How many passwords are hashed at once.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A counting permit: at most so many hashes at once, a bounded queue behind them, a bounded wait.
///
/// Each hash takes the configured memory (19 MiB by default) and a core; without a bound, a burst of
/// sign-ins would take the machine from everyone else.
#[derive(Clone, Debug)]
pub struct HashPermits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    at_once: usize,
    most_waiting: usize,
    patience: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
}

/// The right to hash one password, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Shared>);

impl HashPermits {
    /// Admits `at_once` hashes (at least one), lets `most_waiting` wait behind them for `patience`.
    pub fn new(at_once: usize, most_waiting: usize, patience: Duration) -> Self {
        let at_once = at_once.max(1);
        Self(Arc::new(Shared { at_once, most_waiting, patience, state: Mutex::default(), freed: Condvar::new() }))
    }

    /// Waits for a permit; `None` when the queue is full or the wait was too long.
    pub(super) fn acquire(&self) -> Option<Permit> {
        let shared = &self.0;
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.running >= shared.at_once {
            if state.waiting >= shared.most_waiting {
                return None;
            }
            state.waiting += 1;
            let full = |state: &mut State| state.running >= shared.at_once;
            let waited = shared.freed.wait_timeout_while(state, shared.patience, full);
            let timeout;
            (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
            if timeout.timed_out() && state.running >= shared.at_once {
                return None;
            }
        }
        state.running += 1;
        Some(Permit(Arc::clone(shared)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn never_more_run_at_once_than_there_are_permits() {
        let permits = HashPermits::new(2, 100, Duration::from_secs(60));
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let _permit = permits.acquire().unwrap();
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    }

    #[test]
    fn a_full_queue_and_a_long_wait_say_busy() {
        let permits = HashPermits::new(1, 0, Duration::from_secs(60));
        let held = permits.acquire().unwrap();
        assert!(permits.acquire().is_none(), "nobody may wait");
        drop(held);
        assert!(permits.acquire().is_some());

        let permits = HashPermits::new(1, 5, Duration::from_millis(1));
        let _held = permits.acquire().unwrap();
        assert!(permits.acquire().is_none(), "the wait is bounded");
    }
}
