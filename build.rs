//! Makes a new migration file count as a change of the program that embeds it.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
