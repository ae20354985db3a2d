//! What was not released does not leave.
use portcullis::access::{Cell, LoadedObject, Row, Rows};
use portcullis::domain::Value;
use portcullis::identity::password::Password;
use portcullis::identity::SessionToken;

fn leave<T: serde::Serialize>(_: &T) {}

pub fn values(value: &Value, cell: &Cell, row: &Row, rows: &Rows, object: &LoadedObject) {
    leave(value); //~ E0277
    leave(cell); //~ E0277
    leave(row); //~ E0277
    leave(rows); //~ E0277
    leave(object); //~ E0277
}
pub fn secrets(token: &SessionToken, password: &Password) {
    leave(token); //~ E0277
    leave(password); //~ E0277
}
