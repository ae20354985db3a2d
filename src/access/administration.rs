//! The parts of the administration.

use crate::domain::Name;
use crate::model::Administration;
use std::collections::BTreeSet;

/// A part of the administration; a part that the model names nobody for is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Users and the roles they hold.
    Users,
    /// The effective rights matrix.
    Matrix,
    /// The record of what happened.
    Audit,
    /// The live log and its levels.
    Log,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Users, Self::Matrix, Self::Audit, Self::Log];

    /// The word for it, as in `app.yaml`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Matrix => "matrix",
            Self::Audit => "audit",
            Self::Log => "log",
        }
    }

    /// The user roles it is open to.
    pub(super) fn open_to(self, administration: &Administration) -> &BTreeSet<Name> {
        match self {
            Self::Users => &administration.users,
            Self::Matrix => &administration.matrix,
            Self::Audit => &administration.audit,
            Self::Log => &administration.log,
        }
    }
}
