//! The store, on both databases.

mod agree;
mod alone;
mod apps;
mod changed;
mod clash;
mod explain;
mod fixture;
mod four_eyes;
mod golden;
mod links;
mod locks;
mod numbers;
mod planned;
mod prepared;
mod reader;
mod release;
mod schema;
mod speed;
mod statistics;
mod trees;
mod writing;
