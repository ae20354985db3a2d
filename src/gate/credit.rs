//! How much of a body a connection may read before the body has its place in the budget.

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Bytes of a body that are read before it has its place.
const FIRST: u64 = 16 * 1024;

/// Shared by the connection, which asks, and the gate, which grants. Clones are the same credit.
// SECURITY: a form that no handler has admitted costs its connection's first bytes and no more, however long it is.
#[derive(Clone, Debug, Default)]
pub struct Credit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    left: AtomicU64,
    waker: AtomicWaker,
}

impl Default for Inner {
    fn default() -> Self {
        Self { left: AtomicU64::new(FIRST), waker: AtomicWaker::new() }
    }
}

impl Credit {
    /// A body begins that was not admitted yet.
    pub fn begin(&self) {
        self.0.left.store(FIRST, Ordering::SeqCst);
    }
    /// The body is admitted, or is about to be thrown away: it may be read to its end.
    pub fn grant(&self) {
        self.0.left.store(u64::MAX, Ordering::SeqCst);
        self.0.waker.wake();
    }
    /// So much of the body was read.
    pub fn spend(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let less = |left: u64| (left != u64::MAX).then(|| left.saturating_sub(bytes));
        // An unlimited credit stays as it is.
        let _ = self.0.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }
    /// Ready while more may be read; else the task is woken when it may.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.left.load(Ordering::SeqCst) > 0 {
            return Poll::Ready(());
        }
        self.0.waker.register(cx.waker());
        if self.0.left.load(Ordering::SeqCst) > 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn a_body_stops_after_its_first_bytes_until_it_is_admitted() {
        let credit = Credit::default();
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(credit.poll(cx).is_ready());
        credit.spend(10 * 1024);
        assert!(credit.poll(cx).is_ready());
        credit.spend(10 * 1024);
        assert!(credit.poll(cx).is_pending());
        credit.clone().grant();
        credit.spend(usize::MAX);
        assert!(credit.poll(cx).is_ready(), "once admitted, it is read to its end");
        credit.begin();
        credit.spend(usize::MAX);
        assert!(credit.poll(cx).is_pending(), "the next body is asked for anew");
    }
}
