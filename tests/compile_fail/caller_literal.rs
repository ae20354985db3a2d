//! No user is written down by hand.
use portcullis::identity::{AccountId, SessionId, User};
use std::collections::BTreeSet;

pub fn forged(id: AccountId, session: SessionId) -> User {
    User { id, name: String::new(), email: String::new(), user_roles: BTreeSet::new(), session } //~ E0451
}
