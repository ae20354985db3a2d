//! The seal itself is out of reach.
pub struct Mine;
impl portcullis::access::rights::sealed::Sealed for Mine {} //~ E0603
