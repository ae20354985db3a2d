//! Visitors: a random identity in a signed cookie, and nothing in the database.

use super::Identity;
use crate::crypto::{FormSecret, constant_time_eq, random_bytes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One visitor's browser, as its cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VisitorId([u8; 16]);

impl VisitorId {
    /// Its bytes, to bind sealed state to it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for VisitorId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Identity {
    /// A new visitor, and the value of the cookie that proves it.
    pub fn welcome_visitor(&self) -> (VisitorId, String) {
        let id = VisitorId(random_bytes());
        (id, format!("{id}.{}", URL_SAFE_NO_PAD.encode(self.keys.mac("visitor cookie", &id.0))))
    }

    /// The visitor of a cookie that this server signed.
    pub fn prove_visitor(&self, cookie: &str) -> Option<VisitorId> {
        if cookie.len() > 100 {
            return None;
        }
        let (id, mac) = cookie.split_once('.')?;
        let id = URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok().map(VisitorId)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        constant_time_eq(&mac, &self.keys.mac("visitor cookie", &id.0)).then_some(id)
    }

    /// What the forms of a visitor carry.
    pub fn visitor_csrf(&self, visitor: VisitorId) -> FormSecret {
        FormSecret::new(self.keys.mac("visitor csrf", &visitor.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::identity;
    use super::{Engine, URL_SAFE_NO_PAD};

    #[test]
    fn a_visitor_is_known_by_its_cookie_and_no_two_are_the_same() {
        let identity = identity();
        let (ada, cookie) = identity.welcome_visitor();
        let (bob, _) = identity.welcome_visitor();
        assert_eq!(identity.prove_visitor(&cookie), Some(ada));
        assert_ne!(ada, bob);
        let token = identity.visitor_csrf(ada).masked();
        assert!(identity.visitor_csrf(ada).is_in(&token) && !identity.visitor_csrf(bob).is_in(&token));
        let plain = URL_SAFE_NO_PAD.encode(identity.keys.mac("visitor csrf", ada.as_bytes()));
        assert!(!cookie.contains(&plain), "the cookie does not tell what the forms carry");
    }

    #[test]
    fn a_forged_cookie_is_nobody() {
        let (ours, other) = (identity(), identity());
        let (_, cookie) = ours.welcome_visitor();
        let (_, foreign) = other.welcome_visitor();
        let swapped = format!("{}.{}", foreign.split('.').next().unwrap(), cookie.split('.').next_back().unwrap());
        let huge = "A".repeat(1_000_000);
        for forged in
            [foreign.as_str(), &swapped, "", ".", "a.b", &cookie[..cookie.len() - 2], &huge, "🦊.🦊", &format!("{cookie}A")]
        {
            assert_eq!(ours.prove_visitor(forged), None, "{forged:.60}");
        }
    }
}
