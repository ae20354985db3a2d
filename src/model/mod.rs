//! The app as declared: files → [`source`] shapes → checks → [`Model`].
//!
//! All findings are reported at once, each with code, place, excerpt and hint. A model with an
//! error does not run. The module reads files and nothing else; it decides nothing at run time.

mod check;
mod files;
mod finding;
mod questions;
pub mod source;
#[cfg(test)]
mod tests;
mod types;

pub use check::{each_activity, each_widget, load};
pub use files::Files;
pub use finding::{Finding, Findings, Severity};
pub use types::*;
