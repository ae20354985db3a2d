//! Keys, sealing, handles and random tokens.
//!
//! Guarantees: one root secret per installation, from which every purpose gets a key of its own,
//! so that what was made for one purpose is worthless for another; whatever was sealed is refused
//! when a single bit of it, its purpose or its context differs; nothing here prints a key.
//! Deliberately not here: passwords (they need a slow hash) and TLS.

mod handle;
mod keys;
mod mask;
mod seal;

pub use keys::{KeyError, Keys, SECRET_FILE};
pub use mask::FormSecret;
pub use seal::Forged;

use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token of 256 random bits as base64url: 43 characters.
pub fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

/// SHA-256, as base64url: what is stored of a token, so that the table does not hold the token.
pub fn hash_token(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(token.as_bytes()))
}

/// SHA-256.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// Compares without telling by its duration where the first difference is.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// Random bytes of the operating system's quality.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    require(rand::fill(&mut bytes));
    bytes
}

/// The library fails only when memory or the machine's randomness is gone; going on would be unsafe.
#[allow(clippy::expect_used, reason = "without randomness or memory nothing may be answered")]
fn require<T>(result: Result<T, aws_lc_rs::error::Unspecified>) -> T {
    result.expect("the cryptographic library works")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let tokens: std::collections::HashSet<String> = (0..1000).map(|_| random_token()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|token| token.len() == 43));
    }

    #[test]
    fn a_token_is_stored_as_its_hash_only() {
        assert_eq!(hash_token("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert!(constant_time_eq(b"same", b"same") && !constant_time_eq(b"same", b"sane") && !constant_time_eq(b"a", b"ab"));
    }
}
