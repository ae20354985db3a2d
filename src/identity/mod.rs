//! Who is asking.
pub mod password;
