//! Passwords: which ones are accepted, and how they are kept and verified.
//!
//! Guarantees: a password is compared exactly, never cut or folded (ASVS 6.2.8); it is kept only as
//! an Argon2id hash; hashing never takes more memory than the configured number of permits allows.
//!
//! Deliberately absent: composition rules (6.2.5), forced rotation (6.2.10), hints (6.4.2).

mod behind;
mod choice;
mod hash;
mod permits;
mod rules;

pub use choice::{ChoiceError, ChosenPassword};
pub(in crate::identity) use hash::Compared;
pub use hash::{HashError, HashSettings, Hasher, PasswordHash};
pub use permits::HashPermits;
pub use rules::{LEAST, MOST, Password, PasswordContext, PasswordProblem};
