//! What generated objects are called where one text speaks of them.
//!
//! INVARIANT: a name that was not given leads nowhere: no object has the id in it, so the text fails and shows nothing.

use crate::db::EVERY;
use crate::domain::Name;
use crate::store::names;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The ids of views by the tables that they are of.
pub(super) type Ids = BTreeMap<Name, Arc<str>>;

/// The names that one text may use: each object has the id of its own text in its name.
#[derive(Clone, Debug)]
pub(in crate::store) struct Names {
    own: Arc<str>,
    witnesses: Arc<Ids>,
    readers: Arc<Ids>,
}

impl Names {
    /// The names in a text whose own objects have the id `own`.
    pub(super) fn of_texts(own: Arc<str>, witnesses: Arc<Ids>, readers: Arc<Ids>) -> Self {
        Self { own, witnesses, readers }
    }

    /// No names at all.
    pub(in crate::store) fn none() -> Self {
        Self::of_texts(EVERY.into(), Arc::default(), Arc::default())
    }

    /// The id of the text's own objects.
    pub(in crate::store) fn own(&self) -> &str {
        &self.own
    }

    /// The view through which rules look at a table.
    pub(in crate::store) fn witness(&self, table: &Name) -> Name {
        names::witness(self.witnesses.get(table).map_or(EVERY, |id| id), table)
    }

    /// The view through which a table, or a link table, is read.
    pub(in crate::store) fn reader(&self, table: &Name) -> Name {
        names::reader(self.readers.get(table).map_or(EVERY, |id| id), table)
    }
}
