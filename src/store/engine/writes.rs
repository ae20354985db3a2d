//! What a set may write, as tables and columns: for SQLite's guard, and for PostgreSQL's grants.
//!
//! SQLite asks its guard also about what follows from foreign keys: rows that go, or are cleared, with one that is
//! deleted. So each of these is listed for the guard, and a trigger refuses it unless the row that it points at has just
//! gone: a statement that names them does nothing.

use super::Set;
use super::checks::{Check, When};
use crate::access::{EntityRights, Rights};
use crate::db::TableWrites;
use crate::db::sql::Sql;
use crate::domain::{Name, QName};
use crate::model::OnDelete;
use crate::store::tables::{OWNER, Place, TARGET, Table, Tables};
use std::collections::{BTreeMap, BTreeSet};

/// What a set may do with rows of an entity at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deeds {
    pub create: bool,
    pub change: bool,
    pub delete: bool,
}

/// What follows from foreign keys only.
#[derive(Debug, Default)]
pub(super) struct Implied {
    deletes: BTreeSet<Name>,
    clears: BTreeSet<(Name, Name)>,
}

impl Implied {
    /// Refuses what is listed for the guard's sake only.
    pub(super) fn refuse(&self) -> BTreeMap<Name, Vec<Check>> {
        let mut all: BTreeMap<Name, Vec<Check>> = BTreeMap::new();
        let mut always = Sql::new();
        always.raw("TRUE");
        for table in &self.deletes {
            let message = format!("rows of {table} go by the system's hand only");
            all.entry(table.clone()).or_default().push(Check { when: When::BeforeDelete, refuses: always.clone(), message });
        }
        for (table, column) in &self.clears {
            let mut refuses = Sql::new();
            refuses.ident("new").raw(".").ident(column).raw(" IS DISTINCT FROM ").ident("old").raw(".").ident(column);
            let message = format!("{column} of {table} is cleared by the system's hand only");
            all.entry(table.clone()).or_default().push(Check { when: When::BeforeUpdate, refuses, message });
        }
        all
    }
}

impl Set<'_> {
    /// What the set may do with an entity.
    pub(super) fn deeds(of: &EntityRights) -> Deeds {
        Deeds {
            create: of.rules.iter().any(|rule| rule.create),
            change: !of.writable.is_empty(),
            delete: of.rules.iter().any(|rule| rule.delete),
        }
    }

    /// The columns that a change may touch: what may be written, and what the server writes with it.
    pub(super) fn changed_columns(of: &EntityRights, table: &Table) -> BTreeSet<Name> {
        let entity = &table.entity;
        let stamp =
            |name: &Name| entity.server_kept(name) && !matches!(name.as_str(), "created" | "owner") && is_stamp(table, name);
        let columns = table.columns().filter(|(member, _, _)| {
            let written = of.writable.contains_key(*member) && !entity.server_kept(member);
            written || stamp(member)
        });
        columns.map(|(_, column, _)| column.clone()).chain([Name::new("version")]).collect()
    }
}

/// What the guard allows for the rights on one entity: by table, its own, those of its links, and those that change with it.
#[derive(Debug)]
pub(super) struct Allowed {
    pub tables: BTreeMap<Name, TableWrites>,
    pub implied: Implied,
}

/// What rights let be written of an entity, and what of it follows from foreign keys only.
pub(super) fn writes(tables: &Tables, rights: &Rights, entity: &QName) -> Allowed {
    let mut reach = Reach { tables, rights, writes: BTreeMap::new(), deleted: BTreeSet::new(), implied: Implied::default() };
    let stored = tables.get(entity).filter(|table| !table.entity.system);
    if let (Some(of), Some(table)) = (rights.entities.get(entity), stored) {
        reach.direct(of, table);
        if Set::deeds(of).delete {
            reach.follow(entity);
        }
    }
    Allowed { tables: reach.writes, implied: reach.implied }
}

fn is_stamp(table: &Table, member: &Name) -> bool {
    let entity = &table.entity;
    entity.attributes.get(member).is_some_and(|a| a.server) || entity.associations.get(member).is_some_and(|a| a.server)
}

struct Reach<'a> {
    tables: &'a Tables,
    rights: &'a Rights,
    writes: BTreeMap<Name, TableWrites>,
    deleted: BTreeSet<QName>,
    implied: Implied,
}

impl Reach<'_> {
    fn table(&mut self, name: &Name) -> &mut TableWrites {
        self.writes.entry(name.clone()).or_default()
    }

    /// The rights on an entity, where they can be to write.
    fn of(&self, entity: &QName) -> Option<&EntityRights> {
        let of = self.rights.entities.get(entity)?;
        (!of.entity.system).then_some(of)
    }

    /// Whether the rights themselves let rows of an entity be deleted.
    fn deletes(&self, entity: &QName) -> bool {
        self.of(entity).is_some_and(|of| Set::deeds(of).delete)
    }

    /// Whether the rights themselves let a member be written.
    fn member(&self, entity: &QName, member: &Name) -> bool {
        self.of(entity).is_some_and(|of| of.writable.contains_key(member))
    }

    /// Whether the rights themselves let a column be changed.
    fn changes(&self, table: &Table, column: &Name) -> bool {
        let of = self.of(&table.entity.name);
        of.is_some_and(|of| Set::deeds(of).change && Set::changed_columns(of, table).contains(column))
    }

    fn direct(&mut self, of: &EntityRights, table: &Table) {
        let deeds = Set::deeds(of);
        if !deeds.create && !deeds.change && !deeds.delete {
            return;
        }
        let own = self.table(&table.name);
        own.insert |= deeds.create;
        own.delete |= deeds.delete;
        if deeds.change {
            own.update.extend(Set::changed_columns(of, table).iter().map(ToString::to_string));
        }
        for (member, place) in &table.members {
            let Place::Link(link) = place else { continue };
            let written = of.writable.contains_key(member);
            let of_link = self.table(&link.table);
            of_link.insert |= written;
            of_link.delete |= written;
            of_link.keys.extend([OWNER.to_owned(), TARGET.to_owned()]);
        }
        self.look_around(table);
    }

    /// What SQLite compares when a row of the table comes or goes: keys of both ends of each reference.
    fn look_around(&mut self, table: &Table) {
        let tables = self.tables;
        for association in table.entity.associations.values() {
            if let Some(target) = tables.get(&association.target) {
                self.table(&target.name);
            }
            if let Some(Place::Column { column, .. }) = table.members.get(&association.name) {
                let column = column.to_string();
                self.table(&table.name).keys.insert(column);
            }
        }
        for (owner, association) in tables.pointing_at(&table.entity.name) {
            match owner.members.get(&association.name) {
                Some(Place::Column { column, .. }) => {
                    let column = column.to_string();
                    self.table(&owner.name).keys.insert(column);
                }
                Some(Place::Link(link)) => self.table(&link.table).keys.extend([OWNER.to_owned(), TARGET.to_owned()]),
                _ => {}
            }
        }
    }

    /// What goes, or is cleared, with a row of this entity.
    fn follow(&mut self, entity: &QName) {
        if !self.deleted.insert(entity.clone()) {
            return;
        }
        let tables = self.tables;
        let Some(table) = tables.get(entity) else { return };
        self.look_around(table);
        for (member, place) in &table.members {
            if let Place::Link(link) = place {
                self.goes(&link.table, self.member(entity, member));
                self.table(&link.table).keys.extend([OWNER.to_owned(), TARGET.to_owned()]);
            }
        }
        for (owner, association) in tables.pointing_at(entity) {
            match (owner.members.get(&association.name), association.on_delete) {
                (Some(Place::Link(link)), _) => {
                    self.goes(&link.table, self.member(&owner.entity.name, &association.name));
                    // The link that goes also refers to its owner, whose key SQLite compares.
                    self.table(&owner.name);
                }
                (Some(Place::Column { .. }), OnDelete::Cascade) => {
                    self.goes(&owner.name, self.deletes(&owner.entity.name));
                    self.follow(&owner.entity.name);
                }
                (Some(Place::Column { column, .. }), OnDelete::Clear) => {
                    self.table(&owner.name).update.insert(column.to_string());
                    if !self.changes(owner, column) {
                        self.implied.clears.insert((owner.name.clone(), column.clone()));
                    }
                }
                _ => {}
            }
        }
    }

    /// Rows of a table go; `granted` is whether the rights let them be removed anyway.
    fn goes(&mut self, table: &Name, granted: bool) {
        self.table(table).delete = true;
        if !granted {
            self.implied.deletes.insert(table.clone());
        }
    }
}
