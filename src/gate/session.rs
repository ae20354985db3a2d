//! The session cookie, through `actix-session` with a store of our own.
//!
//! The cookie holds the opaque session token (signed by the middleware); the state behind it lives
//! in the database and is proved per request by `identity`, in the same transaction as the work.
//! So this store keeps nothing: loading gives the token back, saving names the new one.

use crate::crypto::Keys;
use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::Key;
use actix_web::cookie::time::Duration;
use std::collections::HashMap;

/// The name of the token inside the middleware's state.
pub const COOKIE_TOKEN: &str = "token";
/// The longest token that is looked at.
const LONGEST: usize = 64;

/// The store: see the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokens;

/// The key that signs the cookie.
pub fn cookie_key(keys: &Keys) -> Key {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&keys.mac("session cookie", b"first half"));
    bytes.extend_from_slice(&keys.mac("session cookie", b"second half"));
    Key::from(&bytes)
}

fn token_of(state: &HashMap<String, String>) -> Result<SessionKey, anyhow::Error> {
    let json = state.get(COOKIE_TOKEN).ok_or_else(|| anyhow::anyhow!("a session without a token"))?;
    let token: String = serde_json::from_str(json)?;
    Ok(SessionKey::try_from(token)?)
}

impl SessionStore for Tokens {
    async fn load(&self, session_key: &SessionKey) -> Result<Option<HashMap<String, String>>, LoadError> {
        let token = session_key.as_ref();
        if token.len() > LONGEST {
            return Ok(None);
        }
        let json = serde_json::to_string(token).map_err(|error| LoadError::Deserialization(error.into()))?;
        Ok(Some(HashMap::from([(COOKIE_TOKEN.to_owned(), json)])))
    }
    async fn save(&self, state: HashMap<String, String>, _: &Duration) -> Result<SessionKey, SaveError> {
        token_of(&state).map_err(SaveError::Other)
    }
    async fn update(&self, _: SessionKey, state: HashMap<String, String>, _: &Duration) -> Result<SessionKey, UpdateError> {
        token_of(&state).map_err(UpdateError::Other)
    }
    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }
    async fn delete(&self, _: &SessionKey) -> Result<(), anyhow::Error> {
        Ok(())
    }
}
