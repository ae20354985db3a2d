//! Taking layers away, to show that the others hold alone. Only a build with the feature `knockout` can.
//!
//! Guarantees: in every other build each layer stands, and the compiler removes the question; a
//! process with the feature never serves (`portcullis serve` refuses), and the marker text below is
//! in no binary that is shipped (`.ci/run` looks for it).
//! Deliberately not here: what a layer does. Each asks [`stands`] at its one entrance.

/// A layer that can be taken away (the table in docs/SECURITY.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Removable {
    /// Who may open a page.
    PageAccess = 1,
    /// Who may press a button and run a microflow.
    ActionAccess = 2,
    /// Rules on rows and members in the statements and in the tests of writes.
    EntityAccess = 4,
    /// The second decision, in memory, before anything leaves.
    Release = 8,
    /// Views, roles, row-level security, the authorizer.
    DatabaseEngine = 16,
}

impl Removable {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::PageAccess, Self::ActionAccess, Self::EntityAccess, Self::Release, Self::DatabaseEngine];

    /// The word for it: in tables and on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::PageAccess => "page-access",
            Self::ActionAccess => "action-access",
            Self::EntityAccess => "entity-access",
            Self::Release => "release",
            Self::DatabaseEngine => "database-engine",
        }
    }
}

/// Whether the layer stands. Always, in a build that is shipped.
#[cfg(not(feature = "knockout"))]
#[inline(always)]
pub fn stands(_layer: Removable) -> bool {
    true
}

/// The text by which a build that can take layers away is known; there is none in a build that is shipped.
#[cfg(not(feature = "knockout"))]
pub fn marker() -> Option<&'static str> {
    None
}

#[cfg(feature = "knockout")]
pub use switch::{MARKER, marker, remove, stands};

#[cfg(feature = "knockout")]
mod switch {
    use super::Removable;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// Stands in every binary that can take a layer away, and in no other.
    pub const MARKER: &str = "PORTCULLIS-KNOCKOUT-BUILD";

    /// [`MARKER`]
    pub fn marker() -> Option<&'static str> {
        Some(MARKER)
    }

    static REMOVED: AtomicU8 = AtomicU8::new(0);

    /// Takes these layers away, for the whole process, and puts all others back.
    pub fn remove(layers: &[Removable]) {
        REMOVED.store(layers.iter().fold(0, |all, layer| all | *layer as u8), Ordering::SeqCst);
    }

    /// Whether the layer stands.
    pub fn stands(layer: Removable) -> bool {
        REMOVED.load(Ordering::SeqCst) & layer as u8 == 0
    }
}
