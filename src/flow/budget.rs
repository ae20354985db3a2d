//! How much one request's flows may do.

use super::FlowError;
use crate::clock::Clock;
use std::time::{Duration, Instant};

/// Steps of all flows of one request.
const STEPS: u32 = 10_000;
/// How deep flows call and handlers nest.
const DEPTH: u32 = 20;
/// How long all of it takes.
const TIME: Duration = Duration::from_secs(10);
/// The most elements of a list.
pub(super) const LONGEST_LIST: u32 = 10_000;
/// The longest text a variable or message holds, in bytes.
pub(super) const LONGEST_TEXT: usize = 1024 * 1024;

/// What is left. One budget serves a whole request: a page's deeds and the flow it runs share it.
#[derive(Clone, Debug)]
pub struct Budget {
    clock: Clock,
    until: Option<Instant>,
    steps: u32,
    depth: u32,
}

impl Budget {
    /// A full budget, beginning now.
    pub fn start(clock: &Clock) -> Self {
        Self { clock: clock.clone(), until: clock.instant().checked_add(TIME), steps: STEPS, depth: 0 }
    }

    pub(super) fn step(&mut self) -> Result<(), FlowError> {
        self.steps = self.steps.checked_sub(1).ok_or(FlowError::Exhausted("it takes more than 10 000 steps"))?;
        self.time()
    }

    pub(super) fn time(&self) -> Result<(), FlowError> {
        match self.until {
            Some(until) if self.clock.instant() <= until => Ok(()),
            _ => Err(FlowError::Exhausted("it takes more than 10 seconds")),
        }
    }

    pub(super) fn enter(&mut self) -> Result<(), FlowError> {
        if self.depth >= DEPTH {
            return Err(FlowError::Exhausted("its calls are nested more than 20 deep"));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}
