//! A new password, checked and hashed.

use super::{HashError, Hasher, Password, PasswordContext, PasswordHash, PasswordProblem};

/// Why a password was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// It breaks these rules.
    #[error("the password is not accepted")]
    Problems(Vec<PasswordProblem>),
    /// It could not be hashed now.
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// A password that passed every rule, as its hash.
///
/// INVARIANT: made only by `Identity::choose_password`, so no path sets a password that skipped the rules.
#[derive(Debug)]
pub struct ChosenPassword(PasswordHash);

impl ChosenPassword {
    /// Checks and hashes.
    pub(in crate::identity) fn choose(
        hasher: &Hasher,
        password: &Password,
        about: PasswordContext<'_>,
    ) -> Result<Self, ChoiceError> {
        let problems = password.problems(about);
        if !problems.is_empty() {
            return Err(ChoiceError::Problems(problems));
        }
        Ok(Self(hasher.hash(password)?))
    }
    /// The hash to keep.
    pub(in crate::identity) fn hash(&self) -> &str {
        &self.0.0
    }
}
