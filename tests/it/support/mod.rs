//! What several subjects need.

pub mod actor;
pub mod chromium;
pub mod golden;
pub mod html;
pub mod http;
pub mod notes;
pub mod process;
pub mod server;
pub mod skip;
pub mod synthetic;
pub mod town;

use portcullis::model::{self, Files, Model};
use std::path::PathBuf;
use std::sync::Arc;

/// A file or folder of the project.
pub fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The model of an app of the project.
pub fn app(path: &str) -> Arc<Model> {
    let (model, findings) = model::load(&Files::read(&project(path)).unwrap());
    Arc::new(model.unwrap_or_else(|| panic!("{path}:\n{}", findings.human())))
}
