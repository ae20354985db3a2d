//! A fresh identity with cheap hashes and a clock that stands still.
use super::password::HashSettings;
use super::{Identity, IdentitySettings};
use crate::clock::Clock;
use crate::crypto::Keys;

pub(super) fn settings() -> IdentitySettings {
    IdentitySettings {
        app: "People".into(),
        hash: HashSettings { memory_kib: 64, passes: 1, lanes: 1 },
        hash_patience: std::time::Duration::from_secs(60),
        hashes_waiting: 1000,
        ..IdentitySettings::default()
    }
}
pub(super) fn identity() -> Identity {
    let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap().naive_utc();
    Identity::new(Keys::ephemeral(), Clock::fixed(start), "test", settings()).unwrap()
}
