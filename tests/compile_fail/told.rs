//! What is told was released, or is no data.
use portcullis::access::{Cell, Released};
use portcullis::page::Told;

pub fn fixed(value: Cell) -> Told<Cell> {
    Told::fixed(value) //~ E0624
}
pub fn converted(value: Cell) -> Told<Cell> {
    value.into() //~ E0277
}
pub fn released_from(value: Cell) -> Released<Cell> {
    value.into() //~ E0277
}
