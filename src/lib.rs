//! Portcullis: a low-code business-app server that falls shut.
//!
//! The modules stand in layer order: **a module imports only modules listed above it**, and
//! `tests/it/layers.rs` proves it. See `docs/ARCHITECTURE.md` for the map.

// A reader that has gone must not end a command halfway: see `cli::say`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

// ground: time, words, settings, keys and sealing
pub mod clock;

pub mod recent;

pub mod domain;

pub mod config;

pub mod log;

pub mod crypto;

// the app as declared
pub mod expr;

pub mod model;

// the wire, the record, outgoing mail
pub mod db;

pub mod audit;

pub mod mail;

// who is asking
pub mod identity;

// who may do what
pub mod access;

// objects in memory, objects in the database
pub mod workspace;

pub mod store;

// behaviour
pub mod flow;

pub mod page;

// the use cases
pub mod app;

// edges and commands
pub mod gate;

pub mod web;

pub mod schedule;

pub mod server;

pub mod attack;

pub mod cli;
