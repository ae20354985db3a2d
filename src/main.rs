//! The command `portcullis`.

fn main() {}
