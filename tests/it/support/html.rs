//! A page as a person without script has it: the reader that the attack uses too.

pub use portcullis::attack::html::*;
