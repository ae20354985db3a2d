//! Putting a server together and running it.
//!
//! [`Mode::Demo`] makes what is missing (secret, schema, data, users) and listens on this machine
//! only. [`Mode::Serve`] makes nothing up: it refuses to start, naming each gap, unless the model
//! passes the production gate and the settings are safe.

mod assemble;
mod door;
mod http;
mod process;
mod signals;
mod wire;

pub use assemble::{Fill, Mode, StartError, Use, assemble, assemble_with, load, open_database};
pub use http::{Running, run, start, start_at_pace};
pub use process::keep_secrets_in_memory;
pub use wire::Pace;
