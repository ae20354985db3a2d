//! What triggers look at when a set of rights writes: the row as it was, the row as it becomes, and references.
//!
//! INVARIANT: a check is a condition for refusing that is true or not; what cannot be known is refused
//! by a condition that is written to be true then.

use super::Set;
use crate::access::EntityRights;
use crate::db::sql::{Param, Sql};
use crate::domain::{Kind, Name, QName, Value};
use crate::model::{AttributeKind, Model};
use crate::store::lower::{Condition, Lower, LowerError, Lowered};
use crate::store::names;
use crate::store::statements::{Compiled, ROW, Statements};
use crate::store::tables::{Place, Table};
use std::collections::{BTreeMap, BTreeSet};

/// The row as it becomes, and as it was.
const NEW: &str = "new";
const OLD: &str = "old";

/// When a check is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    BeforeInsert,
    AfterInsert,
    BeforeUpdate,
    AfterUpdate,
    BeforeDelete,
}

/// A condition under which a write is refused, and what is said then.
pub(super) struct Check {
    pub when: When,
    pub refuses: Sql,
    pub message: String,
}

/// Makes the checks of one table for one set.
pub(super) struct Checks<'a> {
    pub set: &'a Set<'a>,
    pub statements: &'a Statements,
    pub compiled: &'a Compiled,
    pub all: Vec<Check>,
}

impl Checks<'_> {
    fn table(&self) -> &Table {
        &self.compiled.table
    }
    fn entity(&self) -> &QName {
        &self.compiled.table.entity.name
    }
    fn rights(&self) -> &EntityRights {
        &self.compiled.rights
    }

    fn add(&mut self, when: When, refuses: Sql, message: String) {
        self.all.push(Check { when, refuses, message });
    }

    /// Rules of which one must hold, where the database can tell: a rule about links of the row itself is left to
    /// the layer above, because they are written after it.
    fn any(&self, rules: &[usize]) -> Condition {
        let own: BTreeSet<&Name> = self.table().members.values().filter_map(link_table).collect();
        let rests_on_links = |index: &usize| {
            let condition = self.rights().rules.get(*index).and_then(|rule| rule.condition.as_deref());
            condition.is_some_and(|condition| self.set.links_of(self.statements, condition).iter().any(|link| own.contains(link)))
        };
        if rules.iter().any(rests_on_links) { Condition::Always } else { self.compiled.any(rules) }
    }

    /// ` AND NOT` the row with the key of `row` satisfies the condition; `None` when it always does.
    fn unless(&self, row: &str, holds: &Condition) -> Option<Sql> {
        let mut out = Sql::new();
        match holds {
            Condition::Always => return None,
            Condition::Never => out.raw("TRUE"),
            Condition::When(rule) => {
                out.raw("NOT EXISTS (SELECT 1 FROM ").append(&names::temporary(&self.set.names.witness(&self.table().name)));
                out.raw(" AS ").ident(ROW).raw(" WHERE ").ident(ROW).raw(".").ident("id").raw(" = ").append(&column(row, "id"));
                out.raw(" AND ").append(rule).raw(")")
            }
        };
        Some(out)
    }

    /// Each distinct set of rules that lets columns be written, with those columns.
    fn groups(&self) -> BTreeMap<&Vec<usize>, Vec<&Name>> {
        let mut groups: BTreeMap<&Vec<usize>, Vec<&Name>> = BTreeMap::new();
        for (member, rules) in &self.rights().writable {
            if let Some(Place::Column { column, .. }) = self.writable(member) {
                groups.entry(rules).or_default().push(column);
            }
        }
        groups
    }

    /// The place of a member that the set may write in some row.
    fn writable(&self, member: &Name) -> Option<&Place> {
        let entity = &self.table().entity;
        let granted = self.rights().writable.contains_key(member) && entity.has_member(member) && !entity.server_kept(member);
        self.table().members.get(member).filter(|_| granted)
    }

    pub(super) fn changes(&mut self) {
        let groups: Vec<(Vec<usize>, Vec<Name>)> =
            self.groups().into_iter().map(|(rules, columns)| (rules.clone(), columns.into_iter().cloned().collect())).collect();
        for (rules, columns) in groups {
            for (when, row, holds) in
                [(When::BeforeUpdate, OLD, self.compiled.any(&rules)), (When::AfterUpdate, NEW, self.any(&rules))]
            {
                let Some(unless) = self.unless(row, &holds) else { continue };
                let mut refuses = Sql::new();
                refuses.raw("(").append(&any_of(&columns, |name| differs(&column(NEW, name), &column(OLD, name))));
                refuses.raw(") AND ").append(&unless);
                let names: Vec<&str> = columns.iter().map(Name::as_str).collect();
                let message = format!("{} of this {} may not be changed", names.join(", "), self.entity());
                self.add(when, refuses, message);
            }
        }
        for (name, target) in self.references() {
            let mut moved = Sql::new();
            moved.append(&differs(&column(NEW, &name), &column(OLD, &name)));
            self.reference(When::BeforeUpdate, &name, &target, moved);
        }
    }

    pub(super) fn creation(&mut self) -> Lowered<()> {
        let rules = self.rights().rules_where(|rule| rule.create);
        let any = self.any(&rules);
        if let Some(refuses) = self.unless(NEW, &any) {
            self.add(When::AfterInsert, refuses, format!("this {} may not be created", self.entity()));
        }
        let references: BTreeMap<Name, QName> = self.references().into_iter().collect();
        let columns: Vec<(Name, Name, Kind)> =
            self.table().columns().map(|(member, column, kind)| (member.clone(), column.clone(), kind.clone())).collect();
        for (member, name, kind) in columns {
            let Some(first) = self.first_value(&member, &kind)? else { continue };
            let given = differs(&column(NEW, &name), &first);
            if self.writable(&member).is_none() {
                self.add(When::BeforeInsert, given, format!("{name} of a new {} may not be given", self.entity()));
                continue;
            }
            let rules = self.rights().writable.get(&member).cloned().unwrap_or_default();
            if let Some(unless) = self.unless(NEW, &self.any(&rules)) {
                let mut refuses = Sql::new();
                refuses.append(&given).raw(" AND ").append(&unless);
                self.add(When::AfterInsert, refuses, format!("{name} of this new {} may not be given", self.entity()));
            }
            if let Some(target) = references.get(&name) {
                self.reference(When::BeforeInsert, &name, target, given);
            }
        }
        Ok(())
    }

    pub(super) fn deletion(&mut self) {
        let rules = self.rights().rules_where(|rule| rule.delete);
        if let Some(refuses) = self.unless(OLD, &self.compiled.any(&rules)) {
            self.add(When::BeforeDelete, refuses, format!("this {} may not be deleted", self.entity()));
        }
    }

    /// Columns of references that the set may write, with where they point.
    fn references(&self) -> Vec<(Name, QName)> {
        let associations = self.table().entity.associations.values();
        let written = associations.filter_map(|a| match self.writable(&a.name) {
            Some(Place::Column { column, .. }) => Some((column.clone(), a.target.clone())),
            _ => None,
        });
        written.collect()
    }

    /// A new reference points at what the set reads, or at the caller's own account.
    fn reference(&mut self, when: When, name: &Name, target: &QName, moved: Sql) {
        let mut refuses = Sql::new();
        refuses.append(&moved).raw(" AND ").append(&column(NEW, name)).raw(" IS NOT NULL");
        refuses.append(&self.set.unreadable(self.statements, target, &column(NEW, name)));
        self.add(when, refuses, format!("{name} of this {} may not point there", self.entity()));
    }

    /// What the server puts into a column of a new row by itself; `None` when only memory knows.
    fn first_value(&self, member: &Name, kind: &Kind) -> Lowered<Option<Sql>> {
        let entity = &self.table().entity;
        let mut out = Sql::new();
        let attribute = entity.attributes.get(member);
        if attribute.is_some_and(|a| a.kind == AttributeKind::Autonumber) {
            return Ok(None);
        }
        if attribute.is_some_and(|a| a.server) {
            out.param(Param::Now);
            return Ok(Some(out));
        }
        if entity.associations.get(member).is_some_and(|a| a.server && a.target == Model::user_entity()) {
            out.param(Param::User);
            return Ok(Some(out));
        }
        let default =
            attribute.map(|a| a.default.as_ref()).or_else(|| entity.associations.get(member).map(|a| a.default.as_ref()));
        let none = BTreeMap::new();
        match default.flatten() {
            Some(expression) => {
                let names = Some(&self.set.names);
                let lower = Lower::new(&self.statements.tables, self.set.rights, &none).through(names).generated(true);
                match lower.value_as(expression, kind, NEW) {
                    Ok(value) => Ok(Some(value)),
                    Err(LowerError::Beyond(_)) => Ok(None),
                    Err(other) => Err(other),
                }
            }
            None => {
                let first = if *kind == Kind::Boolean { Value::Boolean(false) } else { Value::Empty };
                out.bind(&first, kind);
                Ok(Some(out))
            }
        }
    }
}

/// The checks of a link table: its owner may be changed in that member, and a new link leads to what the set reads.
pub(super) fn of_links(checks: &Checks<'_>, member: &Name, target: &QName) -> Vec<Check> {
    let mut all = Vec::new();
    let rules = checks.rights().writable.get(member).cloned().unwrap_or_default();
    let holds = checks.any(&rules);
    for (when, row) in [(When::BeforeInsert, NEW), (When::BeforeDelete, OLD)] {
        let mut refuses = Sql::new();
        match &holds {
            Condition::Always => continue,
            Condition::Never => refuses.raw("TRUE"),
            Condition::When(rule) => {
                refuses
                    .raw("NOT EXISTS (SELECT 1 FROM ")
                    .append(&names::temporary(&checks.set.names.witness(&checks.table().name)));
                refuses.raw(" AS ").ident(ROW).raw(" WHERE ").ident(ROW).raw(".").ident("id").raw(" = ");
                refuses.append(&column(row, crate::store::tables::OWNER)).raw(" AND ").append(rule).raw(")")
            }
        };
        all.push(Check { when, refuses, message: format!("{member} of this {} may not be changed", checks.entity()) });
    }
    let points = column(NEW, crate::store::tables::TARGET);
    let mut refuses = Sql::new();
    refuses.append(&points).raw(" IS NOT NULL").append(&checks.set.unreadable(checks.statements, target, &points));
    let message = format!("{member} of this {} may not point there", checks.entity());
    all.push(Check { when: When::BeforeInsert, refuses, message });
    all
}

impl Set<'_> {
    /// ` AND` the object with this key is none that the set reads.
    fn unreadable(&self, statements: &Statements, target: &QName, key: &Sql) -> Sql {
        let mut out = Sql::new();
        if *target == Model::user_entity() {
            let mut caller = Sql::new();
            caller.param(Param::User);
            out.raw(" AND ").append(&differs(key, &caller));
        }
        let read = self.rights.entities.get(target).is_some_and(|of| !of.readable.is_empty());
        if let Some(table) = statements.tables.get(target).filter(|_| read) {
            let view = names::temporary(&self.names.reader(&table.name));
            out.raw(" AND NOT EXISTS (SELECT 1 FROM ").append(&view).raw(" AS ").ident(ROW);
            out.raw(" WHERE ").ident(ROW).raw(".").ident("id").raw(" = ").append(key).raw(")");
        }
        out
    }
}

fn link_table(place: &Place) -> Option<&Name> {
    if let Place::Link(link) = place { Some(&link.table) } else { None }
}

fn column(row: &str, name: &str) -> Sql {
    let mut out = Sql::new();
    out.ident(row).raw(".").ident(name);
    out
}

fn differs(a: &Sql, b: &Sql) -> Sql {
    let mut out = Sql::new();
    out.append(a).raw(" IS DISTINCT FROM ").append(b);
    out
}

fn any_of(columns: &[Name], test: impl Fn(&Name) -> Sql) -> Sql {
    let mut out = Sql::new();
    for (at, name) in columns.iter().enumerate() {
        out.raw(if at == 0 { "" } else { " OR " }).append(&test(name));
    }
    out
}
