//! What can go wrong with the database, in words a caller can act on.

use super::retry;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// It cannot be reached, or is closed. Answer 503; a later try may succeed.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It went away while a transaction was being kept: all of it is there, or nothing. Answer 503, and say so.
    #[error("the database went away while a change was being kept; whether it was is not known")]
    Unsettled(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its disk is full. Answer 503; nothing was written.
    #[error("the database has no room left")]
    Full(#[source] Error),
    /// Others hold what was needed for too long. Answer 503; a later try may succeed.
    #[error("the database is busy")]
    Busy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Others changed the same data at the same moment, run after run. Answer 503; nothing was written, and a later
    /// try will succeed.
    #[error("others changed the same data at the same moment, {runs} times in a row")]
    Contended {
        /// How often it was tried.
        runs: u32,
    },
    /// The rights that were to be used are not prepared in it, and cannot be prepared now. Answer 503.
    #[error("these rights are not prepared in the database")]
    Unprepared,
    /// A row with the same values exists.
    #[error("a row with the same {} exists", .columns.join(", "))]
    Unique {
        /// The constraint or index, where the database names it.
        constraint: Option<String>,
        /// The columns that must be unique together.
        columns: Vec<String>,
    },
    /// A row's range overlaps that of another row.
    #[error("another row overlaps in {constraint}")]
    Overlap {
        /// The constraint.
        constraint: String,
    },
    /// A row points to one that is not there, or is still pointed to.
    #[error("a referenced row is missing or still in use")]
    ForeignKey(#[source] Error),
    /// The engine's own rules do not allow it: the guard, a missing privilege, row-level security, a generated trigger.
    #[error("the database engine does not allow it")]
    Forbidden(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The target or its settings are not acceptable.
    #[error("{0}")]
    Refused(String),
    /// Anything else: a fault of ours.
    #[error("the database refused a statement")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DbError {
    /// Whether the same request may succeed later without anybody changing anything here.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Unsettled(_) | Self::Full(_) | Self::Busy(_) | Self::Contended { .. } | Self::Unprepared
        )
    }
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        use DatabaseErrorKind as Kind;
        if is_conflict(&error) {
            retry::note_conflict();
        }
        match &error {
            Error::DatabaseError(Kind::UniqueViolation, info) => unique(info.as_ref()),
            Error::DatabaseError(Kind::ForeignKeyViolation | Kind::RestrictViolation, _) => Self::ForeignKey(error),
            Error::DatabaseError(Kind::SerializationFailure, _) => Self::Busy(error.into()),
            Error::DatabaseError(Kind::UnableToSendCommand | Kind::ClosedConnection, _) => Self::Unavailable(error.into()),
            Error::DatabaseError(Kind::ExclusionViolation, info) => {
                Self::Overlap { constraint: info.constraint_name().unwrap_or_default().to_owned() }
            }
            // SQLite keeps a reference that refuses to be taken away by a trigger of its own, and says so in these words only.
            Error::DatabaseError(_, info) if info.message() == "FOREIGN KEY constraint failed" => Self::ForeignKey(error),
            Error::DatabaseError(_, info) => match passing(info.message()) {
                Some(Passing::Busy) => Self::Busy(error.into()),
                Some(Passing::Full) => Self::Full(error),
                Some(Passing::Unavailable) => Self::Unavailable(error.into()),
                None if forbids(info.message()) => Self::Forbidden(error.into()),
                None => Self::Other(error.into()),
            },
            Error::BrokenTransactionManager => Self::Unavailable(error.into()),
            _ => Self::Other(error.into()),
        }
    }
}

/// Whether the database ended the transaction in favour of another, so that running it again may succeed at once:
/// SQLSTATE 40001 and 40P01.
fn is_conflict(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        Error::DatabaseError(_, info) => {
            let message = info.message();
            message.starts_with("could not serialize access") || message.starts_with("deadlock detected")
        }
        Error::RollbackErrorOnCommit { commit_error, .. } => is_conflict(commit_error),
        _ => false,
    }
}

enum Passing {
    Busy,
    Full,
    Unavailable,
}

/// Reads the kinds that Diesel does not tell apart from the engine's own fixed message.
fn passing(message: &str) -> Option<Passing> {
    let starts = |texts: &[&str]| texts.iter().any(|text| message.starts_with(text));
    // SQLite: sqlite3_errstr; PostgreSQL: the server's messages, in English (see `postgres`).
    if starts(&["database is locked", "database table is locked", "locking protocol"])
        || starts(&["deadlock detected", "canceling statement due to", "could not serialize", "could not obtain lock"])
    {
        Some(Passing::Busy)
    } else if starts(&["database or disk is full"]) || message.contains("No space left on device") {
        Some(Passing::Full)
    } else if starts(&["unable to open database file", "disk I/O error"])
        || starts(&["terminating connection", "the database system is", "sorry, too many clients", "connection closed"])
        || starts(&["remaining connection slots", "terminating background worker"])
    {
        Some(Passing::Unavailable)
    } else {
        None
    }
}

/// Whether the engine's own rules are what speaks: SQLite's guard, PostgreSQL's privileges and row-level security,
/// generated triggers on both.
pub(super) fn forbids(message: &str) -> bool {
    let starts = |texts: &[&str]| texts.iter().any(|text| message.starts_with(text));
    starts(&["not authorized", "portcullis:"])
        || (message.starts_with("access to ") && message.ends_with(" is prohibited"))
        || starts(&["permission denied", "must be owner of", "must be superuser", "must be able to SET ROLE", "must be member of role"])
        || (message.contains("row-level security policy") && starts(&["new row violates", "query would be affected"]))
        // A set of rights whose role was never made.
        || (message.starts_with("role \"pc_") && message.ends_with(" does not exist"))
}

/// SQLite says `UNIQUE constraint failed: t.a, t.b` (or `index 'name'`); PostgreSQL names the
/// constraint and says `Key (a, b)=(…) already exists.`, of which the values are dropped.
fn unique(info: &dyn DatabaseErrorInformation) -> DbError {
    let mut constraint = info.constraint_name().map(str::to_owned);
    let listed = match info.details().and_then(|text| text.strip_prefix("Key (")) {
        Some(rest) => rest.split_once(")=(").map(|(columns, _)| columns).unwrap_or_default(),
        None => info.message().strip_prefix("UNIQUE constraint failed: ").unwrap_or_default(),
    };
    if let Some(name) = listed.strip_prefix("index '") {
        constraint = Some(name.trim_end_matches('\'').to_owned());
        return DbError::Unique { constraint, columns: Vec::new() };
    }
    let columns = listed
        .split(", ")
        .filter(|column| !column.is_empty())
        .map(|column| column.rsplit('.').next().unwrap_or(column).trim_matches('"').to_owned())
        .collect();
    DbError::Unique { constraint, columns }
}
