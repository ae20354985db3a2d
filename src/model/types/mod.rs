//! The model as the server runs it: immutable, every name resolved, every expression typed.

mod app;
mod entity;
mod microflow;
mod page;

pub use app::*;
pub use entity::*;
pub use microflow::*;
pub use page::*;
