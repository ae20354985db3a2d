//! The root secret and the keys made of it.

use super::{random_bytes, require};
use crate::config::weakness;
use crate::domain::QName;
use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::{cipher, hkdf, hmac};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// The file in the data folder that holds the root secret.
pub const SECRET_FILE: &str = "secret.key";
const LENGTH: usize = 32;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no file.
    #[error("{0}: there is no secret here")]
    Missing(PathBuf),
    /// Others may read the file, so it is no secret.
    #[error("{0}: others than the owner may read the secret; run chmod 600 on it and consider a new one")]
    Open(PathBuf),
    /// The file is not what was written.
    #[error("{0}: the secret must be exactly 32 bytes")]
    Length(PathBuf),
    /// The file holds no secret that was made by chance.
    #[error("{0}: the secret {1}, so it can be guessed; remove the file and make another with `portcullis secret create`")]
    Weak(PathBuf, &'static str),
    /// The file cannot be read or written.
    #[error("{path}: the secret cannot be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// The keys of this installation. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    root: hkdf::Prk,
    handle_encrypt: cipher::EncryptingKey,
    handle_decrypt: cipher::DecryptingKey,
    handle_tag: hmac::Key,
    tags: Tags,
    macs: Made<hmac::Key>,
    seals: Made<LessSafeKey>,
}

/// The keys that were made of the root, by purpose: making one takes longer than using it. They live as long as the root.
pub(super) struct Made<K>(RwLock<HashMap<Box<str>, Arc<K>>>);

/// Keys that are kept of a kind: more than there are purposes.
const MOST_MADE: usize = 100;

impl<K> Made<K> {
    /// The key for a purpose.
    pub(super) fn of(&self, purpose: &str, make: impl FnOnce() -> K) -> Arc<K> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(purpose) {
            return known.clone();
        }
        let made = Arc::new(make());
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST_MADE {
            all.insert(purpose.into(), made.clone());
        }
        made
    }
}

/// The tag of each entity whose handles were asked for.
pub(super) type Tags = RwLock<HashMap<QName, [u8; 8]>>;

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(***)")
    }
}

impl Keys {
    /// Reads the secret in this folder, or makes one on the first start.
    pub fn load_or_create(dir: &Path) -> Result<Self, KeyError> {
        Self::load_or_create_file(&dir.join(SECRET_FILE))
    }

    /// Reads the secret in this file, or makes one when there is none.
    pub fn load_or_create_file(path: &Path) -> Result<Self, KeyError> {
        match Self::load_file(path) {
            Err(KeyError::Missing(_)) => {
                create(path).map_err(|source| KeyError::Io { path: path.into(), source })?;
                Self::load_file(path)
            }
            other => other,
        }
    }

    /// Reads the secret in this folder; never makes one.
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        Self::load_file(&dir.join(SECRET_FILE))
    }

    /// Reads the secret in this file; refuses one that others may read.
    pub fn load_file(path: &Path) -> Result<Self, KeyError> {
        let io = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => KeyError::Missing(path.into()),
            _ => KeyError::Io { path: path.into(), source },
        };
        let file = std::fs::File::open(path).map_err(io)?;
        check_mode(path, &file.metadata().map_err(io)?)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH + 1));
        file.take(LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        let secret: &[u8; LENGTH] = bytes.as_slice().try_into().map_err(|_| KeyError::Length(path.into()))?;
        match weakness(secret) {
            Some(why) => Err(KeyError::Weak(path.into(), why)),
            None => Ok(Self::from_secret(secret)),
        }
    }

    /// Keys that nobody can have again.
    pub fn ephemeral() -> Self {
        Self::from_secret(&random_bytes())
    }

    fn from_secret(secret: &[u8; LENGTH]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"portcullis root v1").extract(secret);
        let block = derive(&root, &["handle block"]);
        let block = || require(cipher::UnboundCipherKey::new(&cipher::AES_256, block.as_ref()));
        Self(Arc::new(Inner {
            handle_encrypt: require(cipher::EncryptingKey::ecb(block())),
            handle_decrypt: require(cipher::DecryptingKey::ecb(block())),
            handle_tag: hmac::Key::new(hmac::HMAC_SHA256, derive(&root, &["handle tag"]).as_ref()),
            tags: Tags::default(),
            macs: Made(RwLock::default()),
            seals: Made(RwLock::default()),
            root,
        }))
    }

    /// The key for one kind of use of one purpose.
    pub(super) fn key(&self, usage: &str, purpose: &str) -> Zeroizing<[u8; LENGTH]> {
        derive(&self.0.root, &[usage, "\0", purpose])
    }
    pub(super) fn handle_encrypt(&self) -> &cipher::EncryptingKey {
        &self.0.handle_encrypt
    }
    pub(super) fn handle_decrypt(&self) -> &cipher::DecryptingKey {
        &self.0.handle_decrypt
    }
    pub(super) fn tags(&self) -> &Tags {
        &self.0.tags
    }
    pub(super) fn macs(&self) -> &Made<hmac::Key> {
        &self.0.macs
    }
    pub(super) fn seals(&self) -> &Made<LessSafeKey> {
        &self.0.seals
    }
    pub(super) fn handle_tag(&self) -> &hmac::Key {
        &self.0.handle_tag
    }
}

fn derive(root: &hkdf::Prk, info: &[&str]) -> Zeroizing<[u8; LENGTH]> {
    let parts: Vec<&[u8]> = info.iter().map(|part| part.as_bytes()).collect();
    let mut key = Zeroizing::new([0; LENGTH]);
    require(root.expand(&parts, hkdf::HKDF_SHA256).and_then(|out| out.fill(key.as_mut_slice())));
    key
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &std::fs::Metadata) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o077 == 0 { Ok(()) } else { Err(KeyError::Open(path.into())) }
}
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &std::fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}

/// Writes a new secret beside its place and links it in, so that a reader never sees half of one
/// and of two processes that start at once both use the first.
fn create(path: &Path) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    crate::config::create_private_dir(dir)?;
    let draft = dir.join(format!(".{SECRET_FILE}.{}", super::random_token()));
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let secret = Zeroizing::new(random_bytes::<LENGTH>());
    let linked =
        file.write_all(secret.as_slice()).and_then(|()| file.sync_all()).and_then(|()| match std::fs::hard_link(&draft, path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        });
    std::fs::remove_file(&draft)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &Keys, b: &Keys) -> bool {
        a.mac("test", b"x") == b.mac("test", b"x")
    }

    #[test]
    fn the_secret_is_made_once_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("var");
        assert!(matches!(Keys::load(&data), Err(KeyError::Missing(_))));
        let first = Keys::load_or_create(&data).unwrap();
        let again = Keys::load_or_create(&data).unwrap();
        assert!(same(&first, &again) && same(&first, &Keys::load(&data).unwrap()));
        assert!(!same(&first, &Keys::ephemeral()));
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "no draft is left behind");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = data.join(SECRET_FILE);
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            for mode in [0o640, 0o604, 0o660] {
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
                assert!(matches!(Keys::load_or_create(&data), Err(KeyError::Open(_))), "{mode:o}");
            }
        }
    }

    #[test]
    fn many_first_starts_at_once_agree_on_one_secret() {
        let dir = tempfile::tempdir().unwrap();
        let all: Vec<Keys> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| Keys::load_or_create(dir.path()).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(all.windows(2).all(|pair| same(&pair[0], &pair[1])));
    }

    #[test]
    fn a_secret_of_another_length_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for length in [0, 31, 33, 4096] {
            let data = dir.path().join(length.to_string());
            Keys::load_or_create(&data).unwrap();
            std::fs::write(data.join(SECRET_FILE), vec![7; length]).unwrap();
            assert!(matches!(Keys::load(&data), Err(KeyError::Length(_))), "{length}");
        }
    }

    #[test]
    fn a_secret_that_was_not_made_by_chance_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let good = Keys::load_or_create_file(&dir.path().join("own/name.key")).unwrap();
        assert!(same(&good, &Keys::load_file(&dir.path().join("own/name.key")).unwrap()));
        for weak in [[0; LENGTH], [0xff; LENGTH], *b"correct horse battery staple 123"] {
            std::fs::write(dir.path().join("own/name.key"), weak).unwrap();
            assert!(matches!(Keys::load_file(&dir.path().join("own/name.key")), Err(KeyError::Weak(..))), "{weak:?}");
        }
    }

    #[test]
    fn keys_do_not_print_themselves() {
        assert_eq!(format!("{:?}", Keys::ephemeral()), "Keys(***)");
    }
}
