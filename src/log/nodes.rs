//! Levels by node.

use super::Level;
use crate::config;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

/// The most nodes that are set or remembered.
const MOST: usize = 500;
/// The longest name of a node that can be set.
const LONGEST: usize = 100;

/// A node and its level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLevel {
    /// The dotted name; empty for the root.
    pub node: String,
    /// The level in force.
    pub level: Level,
    /// Whether it is the node's own, not that of a node above.
    pub own: bool,
}

/// Why a level was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The name is none.
    #[error("a node is a dotted name of letters, digits, `_` and `-`, at most 100 characters")]
    Name,
    /// The root has to have a level.
    #[error("the root has no node above it to follow")]
    Root,
    /// Too many.
    #[error("too many nodes have a level of their own")]
    TooMany,
}

pub(super) struct Nodes(RwLock<State>);

struct State {
    root: Level,
    own: BTreeMap<String, Level>,
    heard: BTreeSet<String>,
}

impl Nodes {
    pub(super) fn new(settings: &config::Log) -> Self {
        Self(RwLock::new(State { root: settings.level, own: settings.nodes.clone(), heard: BTreeSet::new() }))
    }

    pub(super) fn replace(&self, settings: &config::Log) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.root = settings.level;
        state.own = settings.nodes.clone();
    }

    pub(super) fn level_of(&self, node: &str) -> Level {
        self.0.read().unwrap_or_else(PoisonError::into_inner).level_of(node)
    }

    /// The least grave level that any node asks for.
    pub(super) fn least(&self) -> Level {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.own.values().copied().fold(state.root, Level::min)
    }

    pub(super) fn set(&self, node: &str, level: Option<Level>) -> Result<(), NodeError> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if node.is_empty() {
            state.root = level.ok_or(NodeError::Root)?;
            return Ok(());
        }
        match level {
            None => {
                state.own.remove(node);
            }
            Some(_) if !named(node) => return Err(NodeError::Name),
            Some(_) if state.own.len() >= MOST && !state.own.contains_key(node) => return Err(NodeError::TooMany),
            Some(level) => {
                state.own.insert(node.to_owned(), level);
            }
        }
        Ok(())
    }

    /// Remembers that a node exists, so that it can be listed.
    pub(super) fn heard(&self, node: &str) {
        let known = |state: &State| state.heard.contains(node) || state.heard.len() >= MOST;
        if !named(node) || known(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).heard.insert(node.to_owned());
    }

    pub(super) fn list(&self) -> Vec<NodeLevel> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let names: BTreeSet<&String> = state.own.keys().chain(&state.heard).collect();
        let root = NodeLevel { node: String::new(), level: state.root, own: true };
        let nodes = names.into_iter().map(|node| NodeLevel {
            node: node.clone(),
            level: state.level_of(node),
            own: state.own.contains_key(node),
        });
        std::iter::once(root).chain(nodes).collect()
    }
}

impl State {
    fn level_of(&self, node: &str) -> Level {
        let mut at = node;
        loop {
            if let Some(level) = self.own.get(at) {
                return *level;
            }
            match at.rsplit_once('.') {
                Some((above, _)) => at = above,
                None => return self.root,
            }
        }
    }
}

fn named(node: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    node.len() <= LONGEST && node.split('.').all(part)
}
