//! Argon2id hashes, made and verified under a permit.

use super::{HashPermits, Password};
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

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
    permits: HashPermits,
    /// The hash that stands in for an unknown account's, so that the work is the same.
    dummy: PasswordHash,
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Compared {
    /// Another password.
    Differs,
    /// The password, hashed at the configured cost.
    Same,
    /// The password, but hashed at another cost: hash it anew.
    SameButOutdated,
}

impl Hasher {
    /// Checks the settings and prepares the stand-in hash.
    pub fn new(settings: HashSettings, permits: HashPermits) -> Result<Self, HashError> {
        let HashSettings { memory_kib, passes, lanes } = settings;
        let params = Params::new(memory_kib, passes, lanes, None).map_err(|e| HashError::Settings(e.to_string()))?;
        let dummy = hash_with(&params, b"this is nobody's password")?;
        Ok(Self { params, permits, dummy })
    }

    /// Hashes a password with a fresh salt.
    pub fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let _permit = self.permits.acquire().ok_or(HashError::Busy)?;
        apart(|| hash_with(&self.params, password.expose().as_bytes()))?
    }

    /// Hashes a random password at the least cost: nobody can try them all, so slowness adds nothing.
    pub(in crate::identity) fn hash_random(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let least = Params::new(Params::MIN_M_COST, 1, 1, None).map_err(|_| HashError::Broken)?;
        hash_with(&least, password.expose().as_bytes())
    }

    /// Compares; without a stored hash the same work is done for nothing.
    pub(in crate::identity) fn compare(&self, password: &Password, stored: Option<&PasswordHash>) -> Result<Compared, HashError> {
        let _permit = self.permits.acquire().ok_or(HashError::Busy)?;
        let phc = Phc::new(&stored.unwrap_or(&self.dummy).0).map_err(|_| HashError::Broken)?;
        let known = stored.is_some();
        match apart(|| Argon2::default().verify_password(password.expose().as_bytes(), &phc))? {
            Ok(()) if !known => Ok(Compared::Differs),
            Ok(()) if self.is_current(&phc) => Ok(Compared::Same),
            Ok(()) => Ok(Compared::SameButOutdated),
            Err(Error::PasswordInvalid) => Ok(Compared::Differs),
            Err(_) => Err(HashError::Broken),
        }
    }

    /// Takes a permit and keeps it, as a long hash would.
    #[cfg(test)]
    pub(in crate::identity) fn hold(&self) -> Option<impl Drop + use<>> {
        self.permits.acquire()
    }

    fn is_current(&self, phc: &Phc) -> bool {
        let same_cost = Params::try_from(phc).is_ok_and(|p| {
            (p.m_cost(), p.t_cost(), p.p_cost()) == (self.params.m_cost(), self.params.t_cost(), self.params.p_cost())
        });
        same_cost && phc.algorithm.as_str() == "argon2id" && phc.version == Some(Version::V0x13.into())
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").field("params", &self.params).finish_non_exhaustive()
    }
}

/// Hashes on a thread that ends: its memory (19 MiB by default) is then there for the next hash. On
/// the threads that requests run on, each of them would keep as much.
fn apart<T: Send>(hash: impl FnOnce() -> T + Send) -> Result<T, HashError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("password".into()).spawn_scoped(scope, hash);
        thread.map_err(|_| HashError::Busy)?.join().map_err(|_| HashError::Broken)
    })
}

fn hash_with(params: &Params, password: &[u8]) -> Result<PasswordHash, HashError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2.hash_password(password).map(|phc| PasswordHash(phc.to_string())).map_err(|_| HashError::Broken)
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
    fn a_broken_hash_is_an_error_and_never_a_match() {
        let hasher = hasher(64);
        for broken in
            ["", "plain", "$argon2id$v=19$m=64,t=1,p=1$", "$2b$12$abc", "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$aGFzaA"]
        {
            let result = hasher.compare(&Password::new(broken), Some(&PasswordHash(broken.into())));
            assert!(!matches!(result, Ok(Compared::Same | Compared::SameButOutdated)), "{broken}");
        }
    }

    #[test]
    fn impossible_settings_are_refused() {
        let permits = HashPermits::new(1, 1, Duration::ZERO);
        let settings = HashSettings { memory_kib: 1, passes: 0, lanes: 9 };
        assert!(matches!(Hasher::new(settings, permits), Err(HashError::Settings(_))));
    }
}
