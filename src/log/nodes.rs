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
    /// What the settings say.
    configured: (Level, BTreeMap<String, Level>),
    root: Level,
    own: BTreeMap<String, Level>,
    heard: BTreeSet<String>,
}

impl Nodes {
    pub(super) fn new(settings: &config::Log) -> Self {
        let configured = (settings.level, settings.nodes.clone());
        Self(RwLock::new(State { configured, root: settings.level, own: settings.nodes.clone(), heard: BTreeSet::new() }))
    }

    pub(super) fn replace(&self, settings: &config::Log) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.configured = (settings.level, settings.nodes.clone());
        state.root = settings.level;
        state.own = settings.nodes.clone();
    }

    /// The levels of the settings with those that were set while running; says whether anything changed.
    pub(super) fn share(&self, set: &BTreeMap<String, Option<Level>>) -> bool {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (mut root, mut own) = state.configured.clone();
        for (node, level) in set.iter().filter(|(node, _)| node.is_empty() || named(node)) {
            match level {
                Some(level) if node.is_empty() => root = *level,
                Some(level) if own.len() < MOST => drop(own.insert(node.clone(), *level)),
                _ => drop(own.remove(node)),
            }
        }
        let changed = (state.root, &state.own) != (root, &own);
        (state.root, state.own) = (root, own);
        changed
    }

    /// Whether a level can be set.
    pub(super) fn check(&self, node: &str, level: Option<Level>) -> Result<(), NodeError> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match level {
            None if node.is_empty() => Err(NodeError::Root),
            Some(_) if !node.is_empty() && !named(node) => Err(NodeError::Name),
            Some(_) if state.own.len() >= MOST && !state.own.contains_key(node) => Err(NodeError::TooMany),
            _ => Ok(()),
        }
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
        self.check(node, level)?;
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match level {
            Some(level) if node.is_empty() => state.root = level,
            Some(level) => drop(state.own.insert(node.to_owned(), level)),
            None => drop(state.own.remove(node)),
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
