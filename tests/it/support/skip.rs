//! What a machine lacks: a test that needs it counts itself, visibly, as skipped.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

static SKIPPED: AtomicU32 = AtomicU32::new(0);

/// Counts a test as skipped for want of something, or fails it when `PORTCULLIS_REQUIRE` names the `requirement`.
///
/// The line goes past the test harness, which would keep it to itself when the test passes.
pub fn skipped(requirement: &str, what: &str) {
    let required = std::env::var("PORTCULLIS_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|part| part.trim() == requirement), "{what} is required but is not there");
    let count = SKIPPED.fetch_add(1, Ordering::SeqCst) + 1;
    let line = format!("skipped: no {what} ({count} skipped so far)\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
