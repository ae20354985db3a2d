//! The edge for browsers.
//!
//! [`render`] turns views into HTML and [`assets`] holds what a page refers to. Both are plain
//! functions from values to bytes; neither decides who may see what.

pub mod assets;
pub mod render;

#[cfg(test)]
mod tests;
