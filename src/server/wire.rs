//! A connection as the HTTP parser gets it: framed strictly, and neither its head nor its answer may take for ever.

use crate::gate::{Credit, Framing, Place};
use actix_web::rt::net::TcpStream;
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How slow a client may be.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// For the client to take the next 16 KiB of an answer.
    pub taking: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), taking: Duration::from_secs(20) }
    }
}

/// Bytes of an answer that a client has to take in each span of patience.
const LEAST: usize = 16 * 1024;
/// After a refused head so much of what still comes is thrown away, for so long: else the operating system resets
/// the connection, and the answer is lost on its way.
const DRAINED: usize = 64 * 1024;
const DRAINING: Duration = Duration::from_secs(1);

/// A connection.
// SECURITY: slow heads, slow readers and heads that can be read in two ways end here, for every request of a
// connection (`tests/it/pressure.rs`, `src/gate/framing.rs`).
pub(super) struct Wire {
    stream: TcpStream,
    framing: Framing,
    credit: Credit,
    pace: Pace,
    head_ends: Option<Pin<Box<Sleep>>>,
    taken_by: Option<Pin<Box<Sleep>>>,
    taken: usize,
    drained_by: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, place: Place, pace: Pace) -> Self {
        Self {
            stream,
            framing: Framing::default(),
            credit: Credit::default(),
            pace,
            head_ends: None,
            taken_by: None,
            taken: 0,
            drained_by: None,
            _place: place,
        }
    }

    /// The credit of the bodies of this connection.
    pub(super) fn credit(&self) -> Credit {
        self.credit.clone()
    }

    /// Whether a head has taken too long.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.framing.is_within_head() {
            self.head_ends = None;
            return Poll::Pending;
        }
        let patience = self.pace.head;
        self.head_ends.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx)
    }

    /// Whether the client has taken too little for too long.
    fn poll_taking(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.pace.taking;
        self.taken_by.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx)
    }

    /// Throws away what still comes; ready when there is no more, or it was enough.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waste = [0; 4 * 1024];
        let mut left = DRAINED;
        while left > 0 {
            let mut into = ReadBuf::new(&mut waste);
            match Pin::new(&mut self.stream).poll_read(cx, &mut into) {
                Poll::Ready(Ok(())) if !into.filled().is_empty() => left = left.saturating_sub(into.filled().len()),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let end = self.drained_by.get_or_insert_with(|| Box::pin(sleep(DRAINING)));
                    return end.as_mut().poll(cx);
                }
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        if this.framing.is_closed() {
            // What has come already is thrown away; the parser sees the end.
            let _ = this.poll_drain(cx);
            return Poll::Ready(Ok(()));
        }
        if this.framing.is_within_body() {
            ready!(this.credit.poll(cx));
        }
        let before = into.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, into) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending if this.poll_head(cx).is_ready() => return Poll::Ready(Err(Error::from(ErrorKind::TimedOut))),
            Poll::Pending => return Poll::Pending,
        }
        let fresh = into.filled_mut().get_mut(before..).unwrap_or_default();
        if fresh.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let in_body = this.framing.is_within_body();
        let passed = this.framing.pass(fresh);
        into.set_filled(before + passed);
        match (in_body, this.framing.is_within_body()) {
            (false, true) => this.credit.begin(),
            (true, true) => this.credit.spend(passed),
            _ => {}
        }
        if this.poll_head(cx).is_ready() {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = &mut *self;
        if this.taken_by.is_some() && this.poll_taking(cx).is_ready() {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        match Pin::new(&mut this.stream).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                this.taken = this.taken.saturating_add(count);
                if this.taken >= LEAST {
                    (this.taken, this.taken_by) = (0, None);
                }
                Poll::Ready(Ok(count))
            }
            Poll::Pending if this.poll_taking(cx).is_ready() => Poll::Ready(Err(Error::from(ErrorKind::TimedOut))),
            other => other,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // All that was to be written is on its way.
        (self.taken, self.taken_by) = (0, None);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        if this.framing.is_closed() {
            ready!(this.poll_drain(cx));
        }
        Poll::Ready(Ok(()))
    }
}
