//! What was computed lately: a memory with a bound.
//!
//! Guarantees: it keeps twice as many values as it was made for, at most; what was asked for among the last so many is
//! there. Deliberately not here: computing anything, and whether a value is still true.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

/// Values by keys. What was not asked for while the newer half filled up goes with the older half.
pub struct Recent<K, V> {
    most: usize,
    halves: RwLock<Halves<K, V>>,
}

struct Halves<K, V> {
    newer: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// Keeps the last so many, and as many again of before.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), halves: RwLock::new(Halves { newer: HashMap::new(), older: HashMap::new() }) }
    }

    /// The value of a key, if it is kept.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let halves = self.halves.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = halves.newer.get(key) {
            return Some(found.clone());
        }
        if !halves.older.contains_key(key) {
            return None;
        }
        drop(halves);
        let mut halves = self.halves.write().unwrap_or_else(PoisonError::into_inner);
        let (key, value) = halves.older.remove_entry(key)?;
        halves.add(key, value.clone(), self.most);
        Some(value)
    }

    /// Keeps a value.
    pub fn keep(&self, key: K, value: V) {
        let mut halves = self.halves.write().unwrap_or_else(PoisonError::into_inner);
        halves.older.remove(&key);
        halves.add(key, value, self.most);
    }

    /// How many values are kept.
    pub fn len(&self) -> usize {
        let halves = self.halves.read().unwrap_or_else(PoisonError::into_inner);
        halves.newer.len() + halves.older.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Eq + Hash, V> Halves<K, V> {
    fn add(&mut self, key: K, value: V, most: usize) {
        if self.newer.len() >= most && !self.newer.contains_key(&key) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_what_is_not_goes_however_many_come() {
        let all = Recent::new(4);
        all.keep(0, "asked for".to_owned());
        for n in 1..1_000 {
            all.keep(n, n.to_string());
            assert_eq!(all.get(&0).as_deref(), Some("asked for"), "after {n}");
            assert!(all.len() <= 8, "{} are kept", all.len());
        }
        assert_eq!(all.get(&1), None);
        assert_eq!(all.get(&999).as_deref(), Some("999"));
        all.keep(0, "another".to_owned());
        assert_eq!(all.get(&0).as_deref(), Some("another"), "there is one value for a key");
    }
}
