//! Who is asking is proved by identity.
use portcullis::domain::Name;
use portcullis::identity::{AccountId, Caller, SessionId, User};
use std::collections::BTreeSet;

pub fn out_of_thin_air(id: AccountId, session: SessionId) -> Caller {
    Caller::User(User::proved(id, String::new(), String::new(), BTreeSet::new(), session)) //~ E0624
}
pub fn promoted(user: &mut User) {
    user.user_roles.insert(Name::new("Administrator")); //~ E0616
}
pub fn for_tests_only() -> User {
    User::for_test(1, "x", &[]) //~ E0599
}
