//! Whose a session was when it was last proved: a hint for budgets, and never a proof.

use super::App;
use crate::crypto::sha256;
use crate::domain::ObjectId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many sessions are remembered; beyond that all are forgotten, which costs a hint and nothing else.
const MOST: usize = 10_000;

/// Sessions, by the hash of their tokens, and their accounts.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<[u8; 32], ObjectId>>);

impl Known {
    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], ObjectId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers whose a session is.
    pub(super) fn note(&self, token: &str, account: ObjectId) {
        let mut all = self.all();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(sha256(token.as_bytes()), account);
    }
}

impl App {
    /// The account that a session token was proved for last, if this node remembers. The session may have ended
    /// since: good for counting, and for nothing that is decided.
    pub fn account_hint(&self, token: Option<&str>) -> Option<ObjectId> {
        self.known.all().get(&sha256(token?.as_bytes())).copied()
    }
}
