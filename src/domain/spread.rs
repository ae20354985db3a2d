//! Maps whose keys are names of the model and numbers that the server gave out.
//!
//! A request looks up dozens of names, and the standard library's hash takes as long for each as reading a row's cell. It
//! is made for keys that somebody chooses so that they collide; these are chosen by the author of the app, and counted by
//! the server. **Deliberately not for anything else**: no key of such a map comes from a request, a form or a file that is
//! read before the model is checked.

use indexmap::IndexMap;
use std::hash::{BuildHasherDefault, Hasher};

/// By name, in the order of the model.
pub type ByName<K, V> = IndexMap<K, V, BuildHasherDefault<Spread>>;

/// Spreads keys that nobody chooses to collide.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread(u64);

impl Spread {
    fn add(&mut self, word: u64) {
        // Both halves of the product: the lower one alone would not know of the upper bits of the key.
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product ^ (product >> 64)) as u64;
    }
}

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.add(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            self.add(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }
    fn write_u8(&mut self, byte: u8) {
        self.add(byte.into());
    }
    fn write_u64(&mut self, key: u64) {
        self.add(key);
    }
    fn write_i64(&mut self, key: i64) {
        self.add(key.cast_unsigned());
    }
    fn write_usize(&mut self, key: usize) {
        self.add(key as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Name, ObjectId, QName};
    use std::collections::HashSet;
    use std::hash::{BuildHasher, Hash};

    fn spread(key: impl Hash) -> u64 {
        BuildHasherDefault::<Spread>::default().hash_one(key)
    }

    #[test]
    fn a_name_is_found_as_a_name_and_as_its_text() {
        let mut map: ByName<Name, usize> = ByName::default();
        let names: Vec<String> = (0..500).map(|n| format!("member{n}")).chain(["".into(), "é".into(), "a".repeat(99)]).collect();
        map.extend(names.iter().enumerate().map(|(n, name)| (Name::new(name), n)));
        for (n, name) in names.iter().enumerate() {
            assert_eq!((map.get(name.as_str()), map.get(&Name::new(name))), (Some(&n), Some(&n)));
        }
        assert_eq!(map.get("member500"), None);
    }

    #[test]
    fn names_and_numbers_as_apps_have_them_are_spread_over_the_whole_table() {
        let names = (0..1_000).map(|n| spread(QName::new("module", format!("Entity{n}").as_str())));
        let short = ["a", "b", "ab", "ba", "name", "code", "status", "parent"].map(|name| spread(Name::new(name)));
        let objects = (1..5_000).map(|id| spread((QName::new("hr", "Employee"), ObjectId(id))));
        for (what, all) in [("names", names.chain(short).collect::<Vec<_>>()), ("objects", objects.collect())] {
            let different: HashSet<u64> = all.iter().copied().collect();
            assert_eq!(different.len(), all.len(), "{what}");
            for bits in [0, 57] {
                let mut filled = [0_usize; 128];
                all.iter().for_each(|hash| filled[(hash >> bits & 127) as usize] += 1);
                let most = *filled.iter().max().unwrap();
                assert!(most < 4 * all.len() / 128 + 8, "{what}: {most} of {} in one of 128 places", all.len());
            }
        }
    }
}
