//! The self-attack: attacks derived from a model, run over real HTTP against a throw-away instance with canary data.
//!
//! Guarantees: what each person may see and do is told by an oracle that shares no code with the server's decisions;
//! every answer is searched for what its reader may not know, and after every write the stored data is compared with
//! what was allowed; each attack begins from the same data and has an id by which it alone can be run again.
//! Deliberately not here: deciding anything for the server, and attacking a server that serves others.

pub mod canary;
pub mod class;
mod crew;
mod guard;
pub mod html;
mod http;
mod instance;
#[cfg(feature = "knockout")]
pub mod knockout;
pub mod oracle;
mod probe;
mod raid;
mod report;
#[cfg(test)]
mod tests;
pub mod world;

pub use class::Class;
pub use report::{Finding, Report, Tally};

use crate::config::Secret;
use crate::db::DbError;
use crate::model::Model;
use crate::server::StartError;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use world::WorldError;

/// What to attack, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The app's folder.
    pub app: PathBuf,
    /// A PostgreSQL server on which the throw-away database is made; else SQLite.
    pub database: Option<Secret>,
    /// What the data and the choices follow from.
    pub seed: u64,
    /// Only attackers of this user role.
    pub role: Option<String>,
    /// Only this class.
    pub class: Option<Class>,
    /// Only the attack of this id, or those whose ids begin with it.
    pub only: Option<String>,
    /// Of so many attacks of one kind one, chosen by the seed; each kind is tried at least once. 1 tries all.
    pub thin: u64,
    /// Whether everything that one user role tries of a class counts as one kind, on any object: for models that
    /// are too large for trying each kind.
    pub coarse: bool,
    /// Raised to end early; the instance is removed all the same.
    pub stop: Arc<AtomicBool>,
}

impl Options {
    /// Everything against one app.
    pub fn of(app: impl Into<PathBuf>) -> Self {
        Self {
            app: app.into(),
            database: None,
            seed: 1,
            role: None,
            class: None,
            only: None,
            thin: 1,
            coarse: false,
            stop: Arc::default(),
        }
    }
}

/// Why there was no attack, or none that can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum AttackError {
    /// The instance does not start.
    #[error("{0}")]
    Start(#[from] StartError),
    /// There is no place for it.
    #[error("{0}")]
    Place(String),
    /// The database.
    #[error("{0}")]
    Db(#[from] DbError),
    /// Its data.
    #[error("{0}")]
    World(#[from] WorldError),
    /// Somebody cannot sign in, or a page of the attack itself is missing.
    #[error("{0}")]
    Crew(String),
    /// It was told to end.
    #[error("stopped; the throw-away instance is removed")]
    Stopped,
}

/// Attacks an app.
pub fn run(options: &Options) -> Result<Report, AttackError> {
    run_altered(options, &|_| ())
}

/// Attacks a server that runs the app's model as `alter` leaves it, while the oracle knows it as it is written: how it is
/// shown that a rule which does not do what it says is found.
pub fn run_altered(options: &Options, alter: &dyn Fn(&mut Model)) -> Result<Report, AttackError> {
    let instance = instance::Instance::start(&options.app, options.database.as_ref(), options.seed, alter)?;
    let mut raid = raid::Raid::prepare(&instance, options)?;
    class::run(&mut raid)?;
    Ok(raid.report())
}
