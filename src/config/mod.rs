//! Settings: what the operator decides.

mod secret;

pub use secret::Secret;
use std::path::PathBuf;

/// Which database to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbTarget {
    /// A file; created when it is not there.
    Sqlite(PathBuf),
    /// A `postgres://` URL, which may hold a password.
    Postgres(Secret),
}
