//! Pages over a small app, with objects in memory that are read by brute force.

pub(crate) mod app;
pub(crate) mod desk;
mod reading;
mod sending;
mod store;
