//! Released data is released where it is read, and nowhere else.
use portcullis::access::Released;
use portcullis::page::Told;

pub fn released(value: String) -> Released<String> {
    Released(value) //~ E0423
}
pub fn told(value: String) -> Told<String> {
    Told(value) //~ E0423
}
