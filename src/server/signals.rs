//! What the operating system tells the process.

use tokio::signal;

/// How it was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// By whoever looks after processes (SIGTERM).
    Terminate,
    /// By somebody at the terminal (Ctrl-C).
    Interrupt,
}

/// Listens from when it is made.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: signal::unix::Signal,
    interrupt: signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next time it is told.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Terminate,
            _ = self.interrupt.recv() => Told::Interrupt,
        }
    }
}

/// Listens for Ctrl-C, which is all there is.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// The next time it is told.
    pub(super) async fn next(&mut self) -> Told {
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Told::Interrupt
    }
}
