//! What is generated from rules, and what a set of rights reaches of it.
//!
//! A *piece* is what rights on one entity come to: a view that is read, a view that rules look through, or the triggers
//! that look at writes. It is named after a digest of its text, so sets whose rights come to the same share it.
//!
//! INVARIANT: a set reaches the pieces that were given to it, by their ids, and no others. A table in which it may write
//! is listed with all pieces that look at those writes; a write without them is refused (`admit`).
//! Deliberately not here: composing pieces (`crate::store::engine`), and on which connection they stand (`shelf`).

use super::TableWrites;
use super::admit::id_of;
use super::sql::Sql;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// Generated objects of one text.
#[derive(Debug)]
pub struct Piece {
    /// The id in their names: 16 lower-case hex digits.
    pub id: Arc<str>,
    /// The objects, in the order in which they are made.
    pub objects: Vec<Object>,
    /// The pieces that these texts name; they are made before.
    pub needs: Vec<Arc<Piece>>,
}

/// A view or a trigger.
#[derive(Debug)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ObjectKind,
    /// The statement that makes it.
    pub text: String,
}

/// What a generated object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A view.
    View,
    /// A trigger (SQLite).
    Trigger,
    /// What looks at writes (PostgreSQL).
    Function,
    /// What the role that writes through the piece may touch of the table of this name (PostgreSQL).
    Grant,
}

impl Piece {
    /// The names of its views.
    pub fn views(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().filter(|object| object.kind == ObjectKind::View).map(|object| object.name.as_str())
    }
    /// Whether it looks at writes on PostgreSQL, where a role of its own writes through it.
    pub(super) fn looks(&self) -> bool {
        self.objects.iter().any(|object| object.kind == ObjectKind::Function)
    }
    /// How much text there is of it.
    pub(super) fn size(&self) -> usize {
        self.objects.iter().map(|object| object.text.len()).sum()
    }
    /// On how many pieces, one on the other, it stands.
    pub(super) fn depth(&self) -> usize {
        self.needs.iter().map(|piece| piece.depth() + 1).max().unwrap_or(0)
    }
}

/// What a set may write in one table, and what looks at it.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// What may be written.
    pub writes: TableWrites,
    /// The pieces that look at each write.
    pub pieces: Vec<Arc<Piece>>,
    /// Tables that may change with this one, by foreign keys.
    pub follow: Vec<String>,
}

/// What one set of rights reaches. It grows while the set is used, and never beyond what its rights come to.
#[derive(Debug, Default)]
pub struct Reach(RwLock<Given>);

#[derive(Debug, Default)]
struct Given {
    pieces: HashMap<Arc<str>, Arc<Piece>>,
    tables: HashMap<String, Watched>,
    /// The ids of all pieces that look at writes.
    watching: HashSet<Arc<str>>,
}

impl Reach {
    /// Lets the set read a piece, and what that stands on.
    pub fn give(&self, piece: &Arc<Piece>) {
        if self.piece(&piece.id).is_some() {
            return;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).pieces.insert(piece.id.clone(), piece.clone());
        piece.needs.iter().for_each(|piece| self.give(piece));
    }

    /// Lets the set write in a table, in addition to what it could before. What looks at it counts from now on too.
    pub fn allow(&self, table: &str, more: Watched) {
        let mut given = self.0.write().unwrap_or_else(PoisonError::into_inner);
        given.watching.extend(more.pieces.iter().map(|piece| piece.id.clone()));
        let known = given.tables.entry(table.to_owned()).or_default();
        known.writes.add(more.writes);
        for piece in more.pieces {
            if !known.pieces.iter().any(|there| there.id == piece.id) {
                known.pieces.push(piece);
            }
        }
        for table in more.follow {
            if !known.follow.contains(&table) {
                known.follow.push(table);
            }
        }
    }

    /// Puts a piece in the place of one of the same id, as a bug would.
    #[cfg(test)]
    pub fn plant(&self, piece: Arc<Piece>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).pieces.insert(piece.id.clone(), piece);
    }

    /// A piece that the set reads.
    pub(super) fn piece(&self, id: &str) -> Option<Arc<Piece>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).pieces.get(id).cloned()
    }

    /// Whether the set may do this in a table.
    pub(super) fn may(&self, table: &str, test: impl FnOnce(&Watched) -> bool) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).tables.get(table).is_some_and(test)
    }

    /// Whether a piece looks at what this set writes.
    pub(super) fn is_watched_by(&self, id: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).watching.contains(id)
    }

    /// The pieces that a statement needs: those that it names, and those that look at what it writes.
    pub(super) fn wanted(&self, sql: &Sql, writes: bool) -> Vec<Arc<Piece>> {
        let given = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Arc<Piece>> = Vec::new();
        for name in sql.idents() {
            all.extend(id_of(name).and_then(|id| given.pieces.get(id)).cloned());
        }
        if writes {
            for watched in sql.words().filter_map(|word| given.tables.get(word)) {
                all.extend(watched.pieces.iter().cloned());
                let follow = watched.follow.iter().filter_map(|table| given.tables.get(table));
                all.extend(follow.flat_map(|table| table.pieces.iter().cloned()));
            }
        }
        all
    }
}
