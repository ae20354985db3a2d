//! What the operator may set about identity.

use super::password::{HashPermits, HashSettings};
use super::throttle::Allowance;
use crate::config::Settings;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Limits and costs. The defaults are the documented ones (ASVS 6.1.1, 7.1.1, 7.1.2).
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// The title of the app, which no password may contain.
    pub app: String,
    /// Cost of a password hash.
    pub hash: HashSettings,
    /// How many passwords are hashed at once.
    pub hashes_at_once: usize,
    /// How many may wait for that.
    pub hashes_waiting: usize,
    /// For how long they wait before they are told that the server is busy.
    pub hash_patience: Duration,
    /// Wrong passwords per account.
    pub account_allowance: Allowance,
    /// Wrong passwords per network.
    pub address_allowance: Allowance,
    /// Reset links per account, and ten times as many per network.
    pub reset_allowance: Allowance,
    /// A session ends when it was not used for this long.
    pub session_idle: Duration,
    /// A session ends this long after sign-in, however much it is used.
    pub session_absolute: Duration,
    /// Sessions of one account at once; the one unused for longest ends when there would be more.
    pub sessions_per_account: usize,
    /// How long an invitation is good.
    pub invitation_lifetime: Duration,
    /// How long a reset link is good.
    pub reset_lifetime: Duration,
    /// How long the link for the first administrator is good.
    pub bootstrap_lifetime: Duration,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            app: String::new(),
            hash: HashSettings::default(),
            hashes_at_once: std::thread::available_parallelism().map_or(2, |n| n.get()).clamp(1, 8),
            hashes_waiting: 64,
            hash_patience: Duration::from_secs(5),
            account_allowance: Allowance { attempts: 10, window: 15 * MINUTE },
            address_allowance: Allowance { attempts: 50, window: 15 * MINUTE },
            reset_allowance: Allowance { attempts: 3, window: 60 * MINUTE },
            session_idle: 30 * MINUTE,
            session_absolute: 12 * 60 * MINUTE,
            sessions_per_account: 20,
            invitation_lifetime: 72 * 60 * MINUTE,
            reset_lifetime: 60 * MINUTE,
            bootstrap_lifetime: 24 * 60 * MINUTE,
        }
    }
}

impl IdentitySettings {
    /// What the operator set, for an app of this title.
    pub fn configured(settings: &Settings, app: &str) -> Self {
        let attempts = |failures: u32| i32::try_from(failures).unwrap_or(i32::MAX);
        let window = settings.throttle.window;
        Self {
            app: app.to_owned(),
            hash: HashSettings {
                memory_kib: settings.argon2.memory,
                passes: settings.argon2.iterations,
                lanes: settings.argon2.parallelism,
            },
            hashes_at_once: usize::try_from(settings.argon2.concurrent).unwrap_or(1),
            account_allowance: Allowance { attempts: attempts(settings.throttle.account_failures), window },
            address_allowance: Allowance { attempts: attempts(settings.throttle.address_failures), window },
            session_idle: settings.session.idle,
            session_absolute: settings.session.absolute,
            ..Self::default()
        }
    }

    /// The longest window of any limit.
    pub(super) fn longest_window(&self) -> Duration {
        self.account_allowance.window.max(self.address_allowance.window).max(self.reset_allowance.window)
    }

    pub(super) fn permits(&self) -> HashPermits {
        HashPermits::new(self.hashes_at_once, self.hashes_waiting, self.hash_patience)
    }
}
