//! The edge for browsers: addresses, cookies, answers. Handlers of a few lines.
//!
//! [`render`] turns views into HTML and [`assets`] holds what a page refers to. A handler makes one
//! hop to the blocking pool, where a plain function of [`Web`] gives a [`Reply`]. Every refusal is
//! answered in one place (`refused`). The module decides nothing about rights.

mod account;
mod admin;
pub mod assets;
mod cells;
mod dev;
mod frame;
mod grid;
mod handlers;
mod hop;
mod links;
mod packed;
mod pages;
mod plain;
mod reasons;
mod refused;
pub mod render;
mod reply;
mod request;
mod sign_in;
mod spoken;
mod state;
mod xray;

/// The cookie that says that reasons are wanted on every page. It is a wish, not a right.
const XRAY: &str = "portcullis_xray";

pub use handlers::{guard, routes};
pub use reply::{Body, Reply, SessionAct};
pub use request::Request;
pub use state::Web;

#[cfg(test)]
mod tests;
