//! The app as declared: files → [`source`] shapes → checks → [`Model`].
//!
//! All findings are reported at once, each with code, place, excerpt and hint. A model with an
//! error does not run. The module reads files and nothing else; it decides nothing at run time.

mod types;

pub use types::*;
