//! What commands say.
//!
//! Guarantees: a reader that has gone (`| head`) has what it wanted, so the command goes on with its work and ends as if
//! everything had been read; whatever else cannot be written makes the command fail. Nothing here panics.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a text to standard output as it is.
pub(super) fn text(text: impl Display) {
    put(io::stdout().lock(), format_args!("{text}"));
}

/// Prints a line to standard output.
pub(super) fn line(text: impl Display) {
    put(io::stdout().lock(), format_args!("{text}\n"));
}

/// Prints a line to standard error.
pub(super) fn aside(text: impl Display) {
    put(io::stderr().lock(), format_args!("{text}\n"));
}

/// Says what went wrong.
pub(super) fn complain(error: impl Display) -> ExitCode {
    aside(format_args!("portcullis: {error}"));
    ExitCode::FAILURE
}

/// The exit code of a command that came to this one.
pub(super) fn ended(code: ExitCode) -> ExitCode {
    if LOST.load(Ordering::SeqCst) { ExitCode::FAILURE } else { code }
}

fn put(mut to: impl Write, text: std::fmt::Arguments<'_>) {
    let written = to.write_fmt(text).and_then(|()| to.flush());
    if written.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe) {
        LOST.store(true, Ordering::SeqCst);
    }
}
