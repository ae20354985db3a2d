//! Nothing that proves something is written down by hand.
use portcullis::access::{Load, Permit, Rights};
use portcullis::domain::QName;
use std::marker::PhantomData;
use std::sync::Arc;

pub fn a_permit(target: QName, rights: Arc<Rights>) -> Permit<Load> {
    Permit { target, rights, entity: None, rules: Vec::new(), snapshot: None, act: PhantomData } //~ E0451
}
