//! Logs: what the server is doing, for those who run it.
//!
//! Mendix's six levels; nodes are dotted names (`portcullis.identity`, `hr.Leave`), and a node without a level of
//! its own has that of the nearest one above it. Product code logs with the macros of `tracing`: the target (the
//! module path, if none is given) is the node, an error with the field `critical = true` is critical, and the field
//! `request_id`, on the event or on a span around it, is the request. Apps log through [`Logs::write`].
//!
//! Guarantees: one entry is one line, whatever was logged, because control characters are escaped when the entry is
//! made (so the terminal, the collector and the browser all get the escaped text); fields that are named like secrets
//! and passwords in URLs are withheld; memory is bounded; a reader that is slow loses lines and is told how many.
//! Deliberately not here: who did what. That is the audit trail, which is kept; logs may be lost.

mod entry;
mod feed;
mod format;
mod layer;
mod nodes;
mod panics;
#[cfg(test)]
mod tests;

pub use crate::config::Level;
pub use entry::Entry;
pub use feed::{Feed, Filter, Line};
pub use format::SCHEMA;
pub use nodes::{NodeError, NodeLevel};

use crate::clock::Clock;
use crate::config;
use feed::Lines;
use format::Output;
use layer::Collector;
use nodes::Nodes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, OnceLock};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

/// An error with what is behind it, for operators: that something is out of reach helps nobody who is not told why.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let told = cause.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        next = cause.source();
    }
    text
}

/// The logs of this process. Cheap to clone.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

struct Inner {
    clock: Clock,
    nodes: Nodes,
    lines: Lines,
    output: Output,
}

/// The logs that the macros of `tracing` reach; there is one place for them in a process.
static STARTED: OnceLock<Logs> = OnceLock::new();

impl Logs {
    /// Starts logging to standard error and has panics logged. Called again, it gives the logs that were started
    /// first, with the levels of the new settings.
    pub fn start(settings: &config::Log) -> Self {
        let logs = STARTED.get_or_init(|| {
            let output = Output::stderr(settings.format);
            let logs = Self::new(settings, Clock::system(), output);
            // Another subscriber can be there only when this library is part of a program that has its own:
            // then what product code logs goes there, and apps still log here.
            if tracing::subscriber::set_global_default(logs.subscriber()).is_ok() {
                panics::hook(logs.clone());
            }
            logs
        });
        logs.0.nodes.replace(settings);
        tracing::callsite::rebuild_interest_cache();
        logs.clone()
    }

    /// Logs that print nothing and that no macro reaches but under [`Logs::subscriber`], for tests.
    pub fn detached() -> Self {
        Self::new(&config::Log::default(), Clock::system(), Output::none())
    }

    /// Logs of their own, printed to a writer.
    pub fn to(settings: &config::Log, clock: Clock, writer: Box<dyn Write + Send>) -> Self {
        Self::new(settings, clock, Output::to(settings.format, writer))
    }

    fn new(settings: &config::Log, clock: Clock, output: Output) -> Self {
        Self(Arc::new(Inner { clock, nodes: Nodes::new(settings), lines: Lines::new(), output }))
    }

    /// What hands the events of `tracing` to these logs.
    pub fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        Registry::default().with(Collector::new(self.clone()))
    }

    /// Logs a text, as the `log` activity of an app does.
    pub fn write(&self, node: &str, level: Level, text: &str, request_id: Option<&str>) {
        if self.admits(node, level) {
            self.push(node, level, text, request_id, Vec::new());
        }
    }

    /// Whether an entry of this node and level would be kept.
    pub fn admits(&self, node: &str, level: Level) -> bool {
        level >= self.0.nodes.level_of(node)
    }

    /// Gives a node a level of its own, or lets it follow the node above it again. Acts at once.
    pub fn set_level(&self, node: &str, level: Option<Level>) -> Result<(), NodeError> {
        self.0.nodes.set(node, level)?;
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// Whether a level can be set.
    pub fn check_level(&self, node: &str, level: Option<Level>) -> Result<(), NodeError> {
        self.0.nodes.check(node, level)
    }

    /// Takes the levels that were set while running, here or by another process: they win over the settings, and a
    /// node that is not among them has its level of the settings.
    pub fn share(&self, set: &BTreeMap<String, Option<Level>>) {
        if self.0.nodes.share(set) {
            tracing::callsite::rebuild_interest_cache();
        }
    }

    /// Every node that was ever heard of or set, with the level it has; the root, which has no name, first.
    pub fn levels(&self) -> Vec<NodeLevel> {
        self.0.nodes.list()
    }

    /// The last lines, oldest first.
    pub fn recent(&self, filter: &Filter) -> Vec<Arc<Entry>> {
        self.0.lines.recent(filter)
    }

    /// The lines from now on; with `after`, first those still kept that came after that entry number.
    pub fn subscribe(&self, filter: Filter, after: Option<u64>) -> Feed {
        self.0.lines.subscribe(filter, after)
    }

    fn push(&self, node: &str, level: Level, text: &str, request_id: Option<&str>, fields: Vec<(String, Value)>) {
        self.0.nodes.heard(node);
        let entry = Entry::new(self.0.clock.now(), level, node, text, request_id, fields);
        let entry = self.0.lines.push(entry);
        self.0.output.print(&entry);
    }
}
