//! Proofs of identity are made by proving.
use portcullis::identity::password::ChosenPassword;
use portcullis::identity::{AccountId, DemoMode, PasswordVerified, SessionToken, VisitorId};

pub fn demo() -> DemoMode {
    DemoMode(()) //~ E0423
}
pub fn token() -> SessionToken {
    SessionToken(String::new()) //~ E0423
}
pub fn password() -> ChosenPassword {
    ChosenPassword(String::new()) //~ E0423
}
pub fn compared(account: AccountId) -> PasswordVerified {
    PasswordVerified(account) //~ E0423
}
pub fn visitor() -> VisitorId {
    VisitorId([0; 16]) //~ E0423
}
