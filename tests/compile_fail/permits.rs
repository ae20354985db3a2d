//! A permit comes from grants alone, and for one act alone.
use portcullis::access::{Elevation, Grants, Load, Open, Permit, Released, Rows, View};
use portcullis::domain::QName;
use std::sync::Arc;

pub fn from_nothing(name: QName, grants: &Grants) -> Permit<Open> {
    Permit::place(name, Arc::default()) //~ E0624
}
pub fn a_load_is_no_view(permit: Permit<Load>) -> Permit<View> {
    permit //~ E0308
}
pub fn a_load_converts_to_no_view(permit: Permit<Load>) -> Permit<View> {
    permit.into() //~ E0277
}
pub fn a_load_leads_on_to_no_view(permit: &Permit<Load>, name: &QName) {
    let _ = permit.onward(name); //~ E0599
}
pub fn a_permit_is_not_copied(permit: &Permit<View>) -> Permit<View> {
    permit.clone() //~ E0308
}
pub fn an_elevation_shows_nothing(elevation: &Elevation, name: &QName) {
    let _ = elevation.view(name); //~ E0599
}
pub fn nobody_outside_releases(permit: &Permit<View>, rows: Rows) -> Released<Rows> {
    permit.release(rows) //~ E0624
}
pub fn a_load_releases_nothing(permit: &Permit<Load>, rows: Rows) {
    let _ = permit.release(rows); //~ E0599
}
pub fn a_snapshot_permit_is_made_by_grants(permit: Permit<View>, name: &QName) -> Permit<View> {
    permit.of_snapshot(name) //~ E0624
}
