//! Settings: what the operator decides.
//!
//! Defaults, then `portcullis.toml`, then `PORTCULLIS_*` variables, then flags; the later wins.
//! Guarantees: an unknown key or variable is an error with a suggestion, never ignored; secrets do
//! not show in what is printed; [`Settings::check_production`] names every gap that `serve` must refuse.
//! Deliberately not here: anything the model decides (roles, rules, security level).

mod bounds;
mod display;
mod draft;
mod level;
mod origin;
mod priority;
mod production;
mod resolve;
mod secret;
mod strength;
mod surroundings;
mod variables;

pub use level::Level;
pub use origin::Origin;
pub use priority::step_back;
pub use production::Gap;
pub use secret::Secret;
pub use strength::weakness;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings file looked for in the working folder.
pub const FILE: &str = "portcullis.toml";

/// Which database to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbTarget {
    /// A file; created when it is not there.
    Sqlite(PathBuf),
    /// A `postgres://` URL, which may hold a password.
    Postgres(Secret),
}

/// Where mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailTarget {
    /// Files in this folder, to be read in the browser while developing.
    Outbox(PathBuf),
    /// A mail server: `smtp://` (upgraded to TLS) or `smtps://` (TLS from the start), with credentials.
    Smtp(Secret),
}

/// Mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Where it goes.
    pub target: MailTarget,
    /// Whom it is from; derived from the public host when not set.
    pub from: String,
    /// Whether `from` was set.
    pub from_is_set: bool,
}

/// Whether the session cookie is for TLS only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CookieSecure {
    /// When the public address is `https`.
    #[default]
    Auto,
    /// Always.
    True,
    /// Never.
    False,
}

/// Sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whether the cookie is for TLS only.
    pub cookie_secure: CookieSecure,
    /// How long a session lives without a request.
    pub idle: Duration,
    /// How long a session lives in any case.
    pub absolute: Duration,
}

/// The cost of a password hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2 {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// Hashes computed at once; further ones wait.
    pub concurrent: u32,
}

/// What requests may weigh, each and together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub body: u32,
    /// Fields of a form.
    pub fields: u32,
    /// Bytes of one field.
    pub field: u32,
    /// Bytes of all forms that are being read or worked on.
    pub bodies: u32,
    /// The same for one client: a network, and an account.
    pub bodies_per_client: u32,
    /// Connections.
    pub connections: u32,
    /// Connections of one network; a trusted proxy is not counted as one.
    pub connections_per_address: u32,
    /// Streams that stay open, such as the live log.
    pub streams: u32,
    /// The same for one client: a network, and an account.
    pub streams_per_client: u32,
    /// Requests that are worked on at once.
    pub working: u32,
    /// Requests that are worked on or wait for it.
    pub requests: u32,
    /// The same for one client: an account, or the network of who is not signed in.
    pub requests_per_client: u32,
}

/// How many failed proofs are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Per account and window.
    pub account_failures: u32,
    /// Per network address and window.
    pub address_failures: u32,
    /// The window.
    pub window: Duration,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a terminal.
    #[default]
    Pretty,
    /// For a collector.
    Json,
}

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// How it is written.
    pub format: LogFormat,
    /// The level of nodes that are not named.
    pub level: Level,
    /// The level of each named node.
    pub nodes: BTreeMap<String, Level>,
}

/// Everything the operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where requests are taken.
    pub listen: SocketAddr,
    /// The folder for what the server writes.
    pub data: PathBuf,
    /// The folder of the app's model.
    pub app: PathBuf,
    /// The database.
    pub database: DbTarget,
    /// The same database as the owner of its schema, for migration and preparing (PostgreSQL).
    pub database_owner: Option<DbTarget>,
    /// The most database connections.
    pub pool: u32,
    /// The file with the root secret.
    pub secret_file: PathBuf,
    /// Mail.
    pub mail: Mail,
    /// The address people see, for links in mails and for checks of the origin.
    pub base_url: Origin,
    /// Proxies whose word about the client's address is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// Host names that requests may carry, without port.
    pub hosts: Vec<String>,
    /// Sessions.
    pub session: Session,
    /// Password hashing.
    pub argon2: Argon2,
    /// Limits of a request.
    pub limits: Limits,
    /// Limits of guessing.
    pub throttle: Throttle,
    /// The log.
    pub log: Log,
    /// The name of this node; each node writes its own audit chain.
    pub node: String,
    /// How long a node that is told to stop goes on serving, while it is no longer ready for more.
    pub drain: Duration,
    /// Whether `serve` may run as root.
    pub allow_root: bool,
    /// The settings file, when it holds a secret itself.
    pub(crate) file_with_secret: Option<PathBuf>,
}

/// Flags, which win over everything.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config FILE`: must exist, unlike `portcullis.toml`.
    pub file: Option<PathBuf>,
    /// `--listen ADDR:PORT`
    pub listen: Option<SocketAddr>,
    /// `--data DIR`
    pub data: Option<PathBuf>,
    /// `--app DIR`
    pub app: Option<PathBuf>,
}

/// Why there are no settings: every fault found, a line each, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Creates a folder, and those above it, that only its owner may enter; one that exists stays as it is.
pub fn create_private_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

impl Settings {
    /// Resolves the settings of this process.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let path = overrides.file.clone().unwrap_or_else(|| FILE.into());
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => Some((path, text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && overrides.file.is_none() => None,
            Err(error) => return Err(ConfigError(vec![format!("{}: {error}", path.display())])),
        };
        let file = file.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
        let variables = std::env::vars_os().map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.into_string().map_err(|_| "is not valid UTF-8".to_owned()))
        });
        resolve::resolve(file, variables, overrides)
    }

    /// Resolves settings from a text in place of a file and of this process's variables.
    pub fn of_text(text: &str, overrides: &Overrides) -> Result<Self, ConfigError> {
        resolve::resolve(Some((Path::new(FILE), text)), std::iter::empty(), overrides)
    }

    /// Whether the session cookie is for TLS only.
    pub fn secure_cookie(&self) -> bool {
        match self.session.cookie_secure {
            CookieSecure::Auto => self.base_url.secure,
            CookieSecure::True => true,
            CookieSecure::False => false,
        }
    }
}

#[cfg(test)]
mod tests;
