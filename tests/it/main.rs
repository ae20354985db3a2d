//! The integration tests: one binary, a module per subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod admin;
mod advisories;
mod attack;
mod browser;
mod closure;
mod commands;
mod compile_fail;
mod compose;
mod cost;
mod crash;
mod documents;
mod failures;
mod findings;
mod floods;
mod isolation;
mod layers;
mod matrix;
mod nodes;
mod packed;
mod planted;
mod planted_engine;
mod pressure;
mod reload;
mod routes;
mod scale;
mod serial;
mod support;
mod tls;
mod trail;
mod turns;
mod tutorial;
mod twice;
mod two_databases;
mod walk;
mod xray;
