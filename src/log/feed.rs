//! The last lines, and the live log.

use super::{Entry, Level};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// So many lines are kept.
const KEPT: usize = 1_000;
/// A reader may lag so many lines behind before it loses the oldest.
const LAG: usize = 512;

/// Which lines a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// This level and graver ones; all if left out.
    pub level: Option<Level>,
    /// This node and those below it; all if left out.
    pub node: Option<String>,
    /// Of this request only.
    pub request_id: Option<String>,
}

impl Filter {
    /// Whether the line is wanted.
    pub fn wants(&self, entry: &Entry) -> bool {
        let below =
            |node: &String| entry.node.strip_prefix(node.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.level.is_none_or(|level| entry.level >= level)
            && self.node.as_ref().filter(|node| !node.is_empty()).is_none_or(below)
            && self.request_id.as_ref().is_none_or(|id| entry.request_id.as_ref() == Some(id))
    }
}

/// What a reader of the live log gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// An entry.
    Entry(Arc<Entry>),
    /// So many lines were lost, because the reader was too slow; not all of them need have been wanted.
    Lost(u64),
}

/// A reader of the live log. Dropping it ends it.
pub struct Feed {
    filter: Filter,
    before: VecDeque<Arc<Entry>>,
    live: broadcast::Receiver<Arc<Entry>>,
}

impl Feed {
    /// The next line, when there is one; `None` when the log is at its end.
    pub async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(entry) = self.before.pop_front() {
                return Some(Line::Entry(entry));
            }
            match self.live.recv().await {
                Ok(entry) if self.filter.wants(&entry) => return Some(Line::Entry(entry)),
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => return Some(Line::Lost(count)),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The next line, if it is there already.
    pub fn ready(&mut self) -> Option<Line> {
        loop {
            if let Some(entry) = self.before.pop_front() {
                return Some(Line::Entry(entry));
            }
            match self.live.try_recv() {
                Ok(entry) if self.filter.wants(&entry) => return Some(Line::Entry(entry)),
                Ok(_) => {}
                Err(TryRecvError::Lagged(count)) => return Some(Line::Lost(count)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }
}

pub(super) struct Lines {
    ring: Mutex<Ring>,
    live: broadcast::Sender<Arc<Entry>>,
}

struct Ring {
    entries: VecDeque<Arc<Entry>>,
    last: u64,
}

impl Lines {
    pub(super) fn new() -> Self {
        let ring = Ring { entries: VecDeque::with_capacity(KEPT), last: 0 };
        Self { ring: Mutex::new(ring), live: broadcast::Sender::new(LAG) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers the entry, keeps it and tells the readers.
    pub(super) fn push(&self, mut entry: Entry) -> Arc<Entry> {
        let mut ring = self.ring();
        ring.last += 1;
        entry.number = ring.last;
        let entry = Arc::new(entry);
        if ring.entries.len() == KEPT {
            ring.entries.pop_front();
        }
        ring.entries.push_back(entry.clone());
        // INVARIANT: told while the ring is held, so that lines come in the order of their numbers and a reader
        // who takes the ring and then listens misses none. Having no reader is no fault.
        let _ = self.live.send(entry.clone());
        entry
    }

    pub(super) fn recent(&self, filter: &Filter) -> Vec<Arc<Entry>> {
        self.ring().entries.iter().filter(|entry| filter.wants(entry)).cloned().collect()
    }

    pub(super) fn subscribe(&self, filter: Filter, after: Option<u64>) -> Feed {
        let ring = self.ring();
        // A number that was never given comes from before a restart: everything is new to that reader.
        let after = after.map(|number| if number > ring.last { 0 } else { number });
        let wanted = |entry: &&Arc<Entry>| after.is_some_and(|after| entry.number > after) && filter.wants(entry);
        let before = ring.entries.iter().filter(wanted).cloned().collect();
        let live = self.live.subscribe();
        Feed { filter, before, live }
    }
}
