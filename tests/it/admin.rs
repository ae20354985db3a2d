//! The administration over HTTP: who may use which part, and that nobody raises themselves or others with it.

mod browser;
mod parts;
mod record;
mod users;
