//! Layers taken away one by one: what then happens, and that such a build serves nobody.
//!
//! A binary of its own, because what is taken away is away for the whole process:
//! `cargo test --features knockout --test knockout`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod build;
mod engine;
mod planted;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "what several tests share; some of it is for the others")]
mod support;

use portcullis::domain::knockout::{Removable, remove};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time; when it ends all layers stand again.
pub(crate) struct Alone(#[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Alone {
    pub(crate) fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        remove(&[]);
        Self(turn)
    }
    pub(crate) fn without(&self, layers: &[Removable]) {
        remove(layers);
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        remove(&[]);
    }
}
