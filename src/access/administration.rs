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
    /// Reasons on every page: the overlay that says which rule released or withheld what.
    Explain,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Users, Self::Matrix, Self::Audit, Self::Log, Self::Explain];

    /// The word for it, as in `app.yaml`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Matrix => "matrix",
            Self::Audit => "audit",
            Self::Log => "log",
            Self::Explain => "explain",
        }
    }

    /// Whether it has a page below `/admin`; the overlay lies over all other pages.
    pub fn has_page(self) -> bool {
        self != Self::Explain
    }

    /// The user roles it is open to.
    pub(super) fn open_to(self, administration: &Administration) -> &BTreeSet<Name> {
        match self {
            Self::Users => &administration.users,
            Self::Matrix => &administration.matrix,
            Self::Audit => &administration.audit,
            Self::Log => &administration.log,
            Self::Explain => &administration.explain,
        }
    }
}
