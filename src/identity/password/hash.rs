//! Argon2id hashes, made and verified under a permit.

use super::behind::behind_others;
use super::permits::Permit;
use super::{HashPermits, Password};
use crate::crypto::{constant_time_eq, random_bytes};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// The most that a stored hash may cost, unless the settings ask for more: a row of the database must not decide
/// how much memory and time a sign-in takes. In KiB, passes and lanes.
const CEILING: HashSettings = HashSettings { memory_kib: 65_536, passes: 8, lanes: 8 };
/// The longest stored hash that is read, in bytes of text.
const MOST_STORED: usize = 512;
/// The lengths of an accepted salt and result, in bytes.
const SALT_BYTES: std::ops::RangeInclusive<usize> = 8..=48;
const OUTPUT_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Cost of a hash. The defaults follow the OWASP password storage advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashSettings {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for HashSettings {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

/// Why no hash was made or compared.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many people sign in at this moment.
    #[error("too many passwords are being checked at the moment")]
    Busy,
    /// The settings are not ones that Argon2 takes.
    #[error("password hash settings: {0}")]
    Settings(String),
    /// A stored hash cannot be read, or hashing failed.
    #[error("a password hash could not be made or read")]
    Broken,
}

/// A password hash as text (PHC format): algorithm, parameters, salt and hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub(in crate::identity) String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Makes and verifies hashes with the configured cost.
#[derive(Clone)]
pub struct Hasher {
    params: Params,
    ceiling: HashSettings,
    permits: HashPermits,
    /// The hash that stands in for an unknown account's, so that the work is the same. It is of no password.
    dummy: Stored,
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Compared {
    /// Another password.
    Differs,
    /// The password, hashed at the configured cost.
    Same,
    /// The password, but hashed at another cost or as it was typed: hash it anew.
    SameButOutdated,
    /// The stored hash is none, or asks for more than the ceiling; it was not computed. The work was that of `Differs`.
    Unusable,
}

/// A stored hash that was read and costs no more than is admitted.
#[derive(Clone)]
struct Stored {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Hasher {
    /// Checks the settings and prepares the stand-in hash.
    pub fn new(settings: HashSettings, permits: HashPermits) -> Result<Self, HashError> {
        let HashSettings { memory_kib, passes, lanes } = settings;
        let params = Params::new(memory_kib, passes, lanes, None).map_err(|e| HashError::Settings(e.to_string()))?;
        let ceiling = HashSettings {
            memory_kib: CEILING.memory_kib.max(memory_kib),
            passes: CEILING.passes.max(passes),
            lanes: CEILING.lanes.max(lanes),
        };
        let (salt, output) = (random_bytes::<16>().to_vec(), random_bytes::<32>().to_vec());
        let dummy = Stored { algorithm: Algorithm::Argon2id, version: Version::V0x13, params: params.clone(), salt, output };
        Ok(Self { params, ceiling, permits, dummy })
    }

    /// Hashes a password with a fresh salt.
    pub fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let mut permit = self.permits.acquire().ok_or(HashError::Busy)?;
        let blocks = self.params.block_count();
        hash_with(&self.params, password.expose().as_bytes(), permit.memory(blocks, blocks))
    }

    /// Hashes a random password at the least cost: nobody can try them all, so slowness adds nothing.
    pub(in crate::identity) fn hash_random(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let least = Params::new(Params::MIN_M_COST, 1, 1, None).map_err(|_| HashError::Broken)?;
        hash_with(&least, password.expose().as_bytes(), &mut vec![argon2::Block::new(); least.block_count()])
    }

    /// Compares; without a stored hash, or with one that cannot be used, the same work is done for nothing.
    ///
    /// A password that was typed in parts is compared in its composed form, then as it was typed: hashes made before
    /// passwords were composed still open. Whether both are tried depends on what was typed only.
    pub(in crate::identity) fn compare(&self, password: &Password, stored: Option<&PasswordHash>) -> Result<Compared, HashError> {
        let mut permit = self.permits.acquire().ok_or(HashError::Busy)?;
        let read = stored.map(|hash| Stored::read(&hash.0, self.ceiling));
        let (against, known) = match &read {
            Some(Some(stored)) => (stored, true),
            _ => (&self.dummy, false),
        };
        let composed = self.is_of(against, password.expose(), &mut permit)?;
        let typed = match password.as_typed() {
            Some(typed) if !(composed && known) => self.is_of(against, typed, &mut permit)?,
            _ => false,
        };
        Ok(match read {
            Some(None) => Compared::Unusable,
            _ if !known || !(composed || typed) => Compared::Differs,
            _ if composed && self.is_current(against) => Compared::Same,
            _ => Compared::SameButOutdated,
        })
    }

    fn is_of(&self, stored: &Stored, text: &str, permit: &mut Permit) -> Result<bool, HashError> {
        let memory = permit.memory(stored.params.block_count(), self.params.block_count());
        let argon2 = Argon2::new(stored.algorithm, stored.version, stored.params.clone());
        let mut made = Zeroizing::new(vec![0; stored.output.len()]);
        let mut work = || argon2.hash_password_into_with_memory(text.as_bytes(), &stored.salt, &mut made, &mut *memory);
        behind_others(&mut work).map_err(|_| HashError::Broken)?;
        Ok(constant_time_eq(&made, &stored.output))
    }

    /// Returns work memory that nobody uses to the system.
    pub(in crate::identity) fn release_idle(&self) {
        self.permits.release_idle();
    }

    /// Takes a permit and keeps it, as a long hash would.
    #[cfg(test)]
    pub(in crate::identity) fn hold(&self) -> Option<impl Drop + use<>> {
        self.permits.acquire()
    }

    fn is_current(&self, stored: &Stored) -> bool {
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        let usual = stored.algorithm == Algorithm::Argon2id && stored.version == Version::V0x13;
        usual && cost(&stored.params) == cost(&self.params)
    }
}

impl Stored {
    /// Reads a stored hash; `None` for one that is none, or that costs more than `ceiling`. Computes nothing.
    // SECURITY: one altered row cannot make a sign-in take gigabytes or minutes, and is no oracle either:
    // `a_stored_hash_above_the_ceiling_is_never_computed`, `a_hash_that_cannot_be_used_looks_like_a_wrong_password`.
    fn read(text: &str, ceiling: HashSettings) -> Option<Self> {
        if text.len() > MOST_STORED {
            return None;
        }
        let phc = Phc::new(text).ok()?;
        let algorithm = Algorithm::try_from(phc.algorithm.as_str()).ok()?;
        let version = Version::try_from(phc.version.unwrap_or(Version::V0x13.into())).ok()?;
        let params = Params::try_from(&phc).ok()?;
        let (salt, output) = (phc.salt.as_ref()?.to_vec(), phc.hash.as_ref()?.as_bytes().to_vec());
        let cheap =
            params.m_cost() <= ceiling.memory_kib && params.t_cost() <= ceiling.passes && params.p_cost() <= ceiling.lanes;
        let fits = SALT_BYTES.contains(&salt.len()) && OUTPUT_BYTES.contains(&output.len());
        (cheap && fits).then_some(Self { algorithm, version, params, salt, output })
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").field("params", &self.params).finish_non_exhaustive()
    }
}

fn hash_with(params: &Params, password: &[u8], memory: &mut [argon2::Block]) -> Result<PasswordHash, HashError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let salt = random_bytes::<16>();
    let mut made = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
    let mut work = || argon2.hash_password_into_with_memory(password, &salt, made.as_mut(), &mut *memory);
    behind_others(&mut work).map_err(|_| HashError::Broken)?;
    let phc = Phc {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| HashError::Broken)?,
        salt: Some(Salt::new(&salt).map_err(|_| HashError::Broken)?),
        hash: Some(Output::new(made.as_ref()).map_err(|_| HashError::Broken)?),
    };
    Ok(PasswordHash(phc.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn hasher(memory_kib: u32) -> Hasher {
        let permits = HashPermits::new(2, 100, Duration::from_secs(60));
        Hasher::new(HashSettings { memory_kib, passes: 1, lanes: 1 }, permits).unwrap()
    }

    #[test]
    fn a_password_is_compared_exactly() {
        let hasher = hasher(64);
        let text = "ü".repeat(100);
        let hash = hasher.hash(&Password::new(&text)).unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", hash.0);
        let compare = |typed: &str| hasher.compare(&Password::new(typed), Some(&hash)).unwrap();
        assert_eq!(compare(&text), Compared::Same);
        for other in [format!("{text} "), text.to_uppercase(), "ü".repeat(99), format!("{}u", "ü".repeat(99)), String::new()] {
            assert_eq!(compare(&other), Compared::Differs, "{other}");
        }
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let hasher = hasher(64);
        let password = Password::new("correct horse battery");
        assert_ne!(hasher.hash(&password).unwrap(), hasher.hash(&password).unwrap());
    }

    #[test]
    fn an_old_cost_is_noticed_and_a_missing_hash_never_matches() {
        let password = Password::new("correct horse battery");
        let old = hasher(64).hash(&password).unwrap();
        assert_eq!(hasher(128).compare(&password, Some(&old)).unwrap(), Compared::SameButOutdated);
        assert_eq!(hasher(128).compare(&Password::new("this is nobody's password"), None).unwrap(), Compared::Differs);
    }

    #[test]
    fn a_stored_hash_above_the_ceiling_is_never_computed() {
        let hasher = hasher(64);
        let (salt, hash) = ("c2FsdHNhbHRzYWx0", "ERERERERERERERERERERERERERERERERERERERERERE");
        let long = "c2Fs".repeat(200);
        for unusable in [
            String::new(),
            "plain".into(),
            "$argon2id$v=19$m=64,t=1,p=1$".into(),
            "$2b$12$abcdefghijklmnopqrstuv".into(),
            format!("$argon2id$v=19$m=4294967295,t=1,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=65537,t=1,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=4294967295,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=9,p=1${salt}${hash}"),
            format!("$argon2i$v=16$m=1024,t=1,p=9${salt}${hash}"),
            format!("$argon2id$v=19$m=4294967295,t=1,p=16777215${salt}${hash}"),
            format!("$argon2id$v=19$m=64,t=1,p=1${salt}$ERERERE"),
            format!("$argon2id$v=19$m=64,t=1,p=1$c2Fs${hash}"),
            format!("$argon2id$v=19$m=64,t=1,p=1${long}${hash}"),
            format!("$argon2id$v=19$m=64,t=1,p=1${salt}${long}"),
            "$argon2id$".repeat(1_000_000),
        ] {
            let result = hasher.compare(&Password::new("correct horse battery"), Some(&PasswordHash(unusable.clone())));
            assert!(matches!(result, Ok(Compared::Unusable)), "{unusable:.80} {result:?}");
            assert_eq!(hasher.permits.idle_kib(), [64], "the work was the usual one");
        }
        assert!(Stored::read(&format!("$argon2id$v=19$m=65536,t=8,p=8${salt}${hash}"), CEILING).is_some(), "the ceiling itself");
        let more = HashSettings { memory_kib: 100_000, ..CEILING };
        assert!(Stored::read(&format!("$argon2id$v=19$m=100000,t=1,p=1${salt}${hash}"), more).is_some(), "as the settings ask");
    }

    #[test]
    fn a_hash_made_of_a_password_as_it_was_typed_still_opens() {
        let hasher = hasher(64);
        let typed = "cafe\u{301} au lait 99";
        let memory = &mut vec![argon2::Block::new(); 64];
        let old = hash_with(&hasher.params, typed.as_bytes(), memory).unwrap();
        let new = hasher.hash(&Password::new(typed)).unwrap();
        let compare = |text: &str, hash: &PasswordHash| hasher.compare(&Password::new(text), Some(hash)).unwrap();
        assert_eq!(compare(typed, &old), Compared::SameButOutdated);
        assert_eq!(compare(typed, &new), Compared::Same);
        assert_eq!(compare("caf\u{e9} au lait 99", &new), Compared::Same, "another keyboard");
        assert_eq!(compare("cafe au lait 99", &new), Compared::Differs);
        assert_eq!(compare("cafe\u{301}\u{301} au lait 99", &old), Compared::Differs);
        assert_eq!(hasher.compare(&Password::new(typed), None).unwrap(), Compared::Differs);
    }

    #[test]
    fn many_at_once_share_two_buffers() {
        let hasher = hasher(64);
        std::thread::scope(|scope| {
            (0..8).for_each(|n| {
                drop(scope.spawn({
                    let hasher = &hasher;
                    move || (0..5).for_each(|_| drop(hasher.hash(&Password::new(format!("correct horse {n}"))).unwrap()))
                }))
            });
        });
        let idle = hasher.permits.idle_kib();
        assert!((1..=2).contains(&idle.len()) && idle.iter().all(|kib| *kib == 64), "{idle:?}");
    }

    #[test]
    fn impossible_settings_are_refused() {
        let permits = HashPermits::new(1, 1, Duration::ZERO);
        let settings = HashSettings { memory_kib: 1, passes: 0, lanes: 9 };
        assert!(matches!(Hasher::new(settings, permits), Err(HashError::Settings(_))));
    }
}
