//! The store, on both databases.

mod agree;
mod alone;
mod apps;
mod changed;
mod explain;
mod fixture;
mod golden;
mod numbers;
mod prepared;
mod reader;
mod release;
mod schema;
mod speed;
mod writing;
