//! Turns of writers in this process: side by side, or one alone.
//!
//! Guarantees: work that met others several times runs while nobody else here writes, so that of many who change the
//! same row at the same moment each gets there; nobody waits for a turn longer than a bounded time, and whoever waited
//! so long goes on as before.
//! Deliberately not here: writers of other processes, whom only the database knows.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long anybody waits for a turn.
const PATIENCE: Duration = Duration::from_millis(500);

/// Who writes at present.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Writers side by side.
    together: usize,
    /// Whether somebody is alone, or waits for those who are at it.
    alone: bool,
}

/// A turn; it ends with its value.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    alone: bool,
}

impl Turns {
    /// A turn beside others.
    pub(super) fn together(&self) -> Turn<'_> {
        let mut state = self.wait(self.lock(), |state| state.alone);
        state.together += 1;
        Turn { turns: self, alone: false }
    }

    /// A turn alone: others wait from here on, and those who are at it are waited for.
    pub(super) fn alone(&self) -> Turn<'_> {
        let mut state = self.wait(self.lock(), |state| state.alone);
        if state.alone {
            state.together += 1;
            return Turn { turns: self, alone: false };
        }
        state.alone = true;
        drop(self.wait(state, |state| state.together > 0));
        Turn { turns: self, alone: true }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, state: MutexGuard<'g, State>, while_so: impl Fn(&State) -> bool) -> MutexGuard<'g, State> {
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| while_so(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        match self.alone {
            true => state.alone = false,
            false => state.together = state.together.saturating_sub(1),
        }
        drop(state);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn one_alone_has_nobody_beside_it() {
        let (turns, inside) = (Turns::default(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for n in 0..6 {
                let (turns, inside) = (&turns, &inside);
                scope.spawn(move || {
                    for round in 0..50 {
                        let alone = (n + round) % 3 == 0;
                        let turn = if alone { turns.alone() } else { turns.together() };
                        let before = inside.fetch_add(1, Ordering::SeqCst);
                        assert!(!turn.alone || before == 0, "somebody wrote beside one alone");
                        std::thread::yield_now();
                        assert!(!turn.alone || inside.load(Ordering::SeqCst) == 1);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        let state = turns.lock();
        assert!(state.together == 0 && !state.alone);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let turns = Turns::default();
        let first = turns.together();
        // Whoever is at it does not end: one alone goes on all the same, and so does the next beside it.
        let second = turns.alone();
        assert!(second.alone);
        let (third, fourth) = (turns.together(), turns.alone());
        assert!(!third.alone && !fourth.alone);
        drop((first, second, third, fourth));
        assert!(turns.alone().alone);
    }
}
