//! Authenticated encryption and keyed hashes, by purpose.

use super::{Keys, random_bytes, require};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;

/// What was sealed was altered, cut, made elsewhere, or belongs to another purpose or context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value is not one of ours")]
pub struct Forged;

impl Keys {
    /// Encrypts so that [`Keys::open`] takes it back for the same purpose and the same context
    /// (`aad`) only. The result is base64url and differs each time.
    pub fn seal(&self, purpose: &str, aad: &[u8], plaintext: &[u8]) -> String {
        let nonce = random_bytes::<NONCE_LEN>();
        let mut text = Vec::with_capacity(NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        text.extend_from_slice(plaintext);
        let key = self.sealing_key(purpose);
        require(key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut text));
        text.splice(0..0, nonce);
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Decrypts what [`Keys::seal`] made.
    pub fn open(&self, purpose: &str, aad: &[u8], text: &str) -> Result<Vec<u8>, Forged> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Forged)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(Forged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Forged)?;
        let plain = self.sealing_key(purpose).open_in_place(nonce, Aad::from(aad), sealed).map_err(|_| Forged)?;
        Ok(plain.to_vec())
    }

    /// A keyed hash for one purpose (HMAC-SHA-256).
    pub fn mac(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        let key = self.macs().of(purpose, || hmac::Key::new(hmac::HMAC_SHA256, self.key("mac", purpose).as_slice()));
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&key, data).as_ref());
        out
    }

    fn sealing_key(&self, purpose: &str) -> Arc<LessSafeKey> {
        let make = || LessSafeKey::new(require(UnboundKey::new(&AES_256_GCM, self.key("seal", purpose).as_slice())));
        self.seals().of(purpose, make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_for_its_purpose_and_context_only() {
        let keys = Keys::ephemeral();
        let sealed = keys.seal("registration", b"page 1", b"hello");
        assert_eq!(keys.open("registration", b"page 1", &sealed).as_deref(), Ok(b"hello".as_slice()));
        assert_ne!(sealed, keys.seal("registration", b"page 1", b"hello"));
        assert!(!sealed.contains("hello"));
        assert_eq!(keys.open("link", b"page 1", &sealed), Err(Forged));
        assert_eq!(keys.open("registration", b"page 2", &sealed), Err(Forged));
        assert_eq!(Keys::ephemeral().open("registration", b"page 1", &sealed), Err(Forged));
        assert_eq!(keys.open("p", b"", &keys.seal("p", b"", b"")).as_deref(), Ok(b"".as_slice()));
    }

    #[test]
    fn a_sealed_value_with_one_bit_changed_or_cut_anywhere_is_forged() {
        let keys = Keys::ephemeral();
        let bytes = URL_SAFE_NO_PAD.decode(keys.seal("p", b"aad", b"some secret")).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(keys.open("p", b"aad", &URL_SAFE_NO_PAD.encode(&changed)), Err(Forged), "{at}.{bit}");
            }
            assert_eq!(keys.open("p", b"aad", &URL_SAFE_NO_PAD.encode(&bytes[..at])), Err(Forged), "cut at {at}");
        }
        for garbage in ["", "=", "A", "not base64 !", "\u{1F512}", &"A".repeat(100_000)] {
            assert_eq!(keys.open("p", b"aad", garbage), Err(Forged));
        }
    }

    #[test]
    fn a_key_that_was_made_before_serves_its_own_purpose_and_use_only() {
        let keys = Keys::ephemeral();
        let purposes: Vec<String> = (0..300).map(|n| format!("purpose {n}")).collect();
        let all = || purposes.iter().map(|purpose| keys.mac(purpose, b"x")).collect::<Vec<_>>();
        let first = all();
        assert_eq!(first, all(), "kept, and derived again beyond the bound");
        let different: std::collections::BTreeSet<_> = first.iter().collect();
        assert_eq!(different.len(), 300);
        for (n, purpose) in purposes.iter().enumerate() {
            let sealed = keys.seal(purpose, b"", b"x");
            assert_eq!(keys.open(purpose, b"", &sealed).as_deref(), Ok(b"x".as_slice()));
            assert_eq!(keys.open(&purposes[(n + 1) % 300], b"", &sealed), Err(Forged));
        }
    }

    #[test]
    fn a_keyed_hash_depends_on_key_purpose_and_data() {
        let keys = Keys::ephemeral();
        let mac = keys.mac("audit", b"data");
        assert_eq!(mac, keys.mac("audit", b"data"));
        assert!(
            mac != keys.mac("csrf", b"data")
                && mac != keys.mac("audit", b"dato")
                && mac != Keys::ephemeral().mac("audit", b"data")
        );
    }
}
