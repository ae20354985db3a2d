//! How many passwords are hashed at once, and the memory they are hashed in.

use argon2::Block;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroize;

/// A counting permit: at most so many hashes at once, a bounded queue behind them, a bounded wait.
///
/// Each hash takes the configured memory (19 MiB by default) and a core; without a bound, a burst of
/// sign-ins would take the machine from everyone else. A permit hands out that memory too, and takes
/// it back: there are never more work buffers than permits.
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
    /// Work memory that nobody uses at the moment, wiped.
    idle: Vec<Buffer>,
}

/// Work memory of one hash. Its content is never printed.
#[derive(Default)]
struct Buffer(Vec<Block>);

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} KiB)", self.0.len())
    }
}

/// The right to hash one password, with memory to do it in; both are given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Shared>,
    buffer: Buffer,
    /// Blocks of the buffer that were written to.
    used: usize,
    /// What is kept for the next; a larger buffer is returned to the system.
    usual: usize,
}

impl Permit {
    /// Work memory of `blocks` KiB. What is left over for the next is `usual` KiB at most.
    pub(super) fn memory(&mut self, blocks: usize, usual: usize) -> &mut [Block] {
        if self.buffer.0.len() < blocks {
            // Not grown in place: that would copy, and hold both for a moment.
            self.buffer.0 = Vec::new();
            self.buffer.0 = vec![Block::new(); blocks];
        }
        self.used = self.used.max(blocks);
        self.usual = usual;
        self.buffer.0.get_mut(..blocks).unwrap_or_default()
    }
}

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
        let buffer = state.idle.pop().unwrap_or_default();
        Some(Permit { shared: Arc::clone(shared), buffer, used: 0, usual: 0 })
    }

    /// Returns memory that nobody uses to the system.
    pub(super) fn release_idle(&self) {
        let idle = std::mem::take(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner).idle);
        drop(idle);
    }

    /// Work memory that waits for the next hash, in KiB.
    #[cfg(test)]
    pub(in crate::identity) fn idle_kib(&self) -> Vec<usize> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle.iter().map(|buffer| buffer.0.len()).collect()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        // SECURITY: what a password was mixed into does not stay in memory: `work_memory_is_wiped_and_used_again`.
        buffer.0.iter_mut().take(self.used).for_each(Zeroize::zeroize);
        let keep = !buffer.0.is_empty() && buffer.0.len() <= self.usual.max(1);
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running -= 1;
        if keep {
            state.idle.push(buffer);
        }
        drop(state);
        self.shared.freed.notify_one();
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
    fn work_memory_is_wiped_and_used_again() {
        let permits = HashPermits::new(2, 100, Duration::from_secs(60));
        for _ in 0..20 {
            let (mut one, mut other) = (permits.acquire().unwrap(), permits.acquire().unwrap());
            for permit in [&mut one, &mut other] {
                let memory = permit.memory(8, 8);
                assert!(memory.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)), "wiped");
                memory[7].as_mut()[3] = 0x5ec_2e7;
            }
        }
        assert_eq!(permits.idle_kib(), [8, 8], "two buffers for forty hashes");
        let mut large = permits.acquire().unwrap();
        assert_eq!(large.memory(1_000, 8).len(), 1_000);
        drop(large);
        assert_eq!(permits.idle_kib(), [8], "what an unusual hash took is not kept");
        permits.release_idle();
        assert_eq!(permits.idle_kib(), [] as [usize; 0]);
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
