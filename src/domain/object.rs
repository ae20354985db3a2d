//! Which object is meant.

use super::{Name, QName};

/// The key of a stored object, or a number that is unique within one run for a fresh one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub i64);

/// Where an object lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// In the database.
    Stored,
    /// In memory only: a non-persistable object, or a persistable one not saved yet.
    Fresh,
}

/// A member (attribute or association) of an entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The entity that owns the member.
    pub entity: QName,
    /// The member's name.
    pub name: Name,
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.entity, self.name)
    }
}
