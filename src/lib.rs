//! Portcullis: a low-code business-app server that falls shut.
//!
//! The modules stand in layer order: **a module imports only modules listed above it**, and
//! `tests/it/layers.rs` proves it. See `docs/ARCHITECTURE.md` for the map.

pub mod access;
pub mod domain;
pub mod expr;
pub mod model;
pub mod page;
pub mod web;
