//! The functions that make proofs are for identity alone.
use portcullis::identity::password::{ChosenPassword, Hasher, Password, PasswordContext};
use portcullis::identity::{AccountId, PasswordVerified};

pub fn compared(account: AccountId) -> PasswordVerified {
    PasswordVerified::of(account) //~ E0624
}
pub fn unchecked(hasher: &Hasher, password: &Password, about: PasswordContext<'_>) {
    let _ = ChosenPassword::choose(hasher, password, about); //~ E0624
}
