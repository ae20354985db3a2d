//! What generated objects are called where one text speaks of them.
//!
//! INVARIANT: a name that was not given leads nowhere: no object has the id in it, so the text fails and shows nothing.

use super::roles::EVERY;
use crate::domain::Name;
use crate::store::names;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The ids of views by the tables that they are of.
pub(super) type Ids = BTreeMap<Name, Arc<str>>;

/// The names that one text may use.
#[derive(Clone, Debug)]
pub(in crate::store) struct Names(By);

#[derive(Clone, Debug)]
enum By {
    /// Everything bears the id of the set (PostgreSQL).
    Set(Arc<str>),
    /// Each object bears the id of its own text, and is shared by the sets whose rights come to the same (SQLite).
    Text { own: Arc<str>, witnesses: Arc<Ids>, readers: Arc<Ids> },
}

impl Names {
    /// All of one set.
    pub(in crate::store) fn of_set(id: Arc<str>) -> Self {
        Self(By::Set(id))
    }

    /// The names in a text whose own objects bear `own`.
    pub(super) fn of_texts(own: Arc<str>, witnesses: Arc<Ids>, readers: Arc<Ids>) -> Self {
        Self(By::Text { own, witnesses, readers })
    }

    /// What the text's own objects bear.
    pub(in crate::store) fn own(&self) -> &str {
        match &self.0 {
            By::Set(id) => id,
            By::Text { own, .. } => own,
        }
    }

    /// The view through which rules look at a table.
    pub(in crate::store) fn witness(&self, table: &Name) -> Name {
        names::witness(self.id(table, |ids| ids.0), table)
    }

    /// The view through which a table, or a link table, is read.
    pub(in crate::store) fn reader(&self, table: &Name) -> Name {
        names::reader(self.id(table, |ids| ids.1), table)
    }

    fn id<'a>(&'a self, table: &Name, of: impl FnOnce(&(&'a Ids, &'a Ids)) -> &'a Ids) -> &'a str {
        match &self.0 {
            By::Set(id) => id,
            By::Text { witnesses, readers, .. } => of(&(witnesses, readers)).get(table).map_or(EVERY, |id| id),
        }
    }
}
