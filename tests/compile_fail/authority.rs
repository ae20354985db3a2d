//! Nobody else is an authority.
use portcullis::access::{Authority, Rights};
use std::sync::Arc;

pub struct Mine(Arc<Rights>);

impl Authority for Mine { //~ E0277
    fn rights(&self) -> &Arc<Rights> {
        &self.0
    }
}
