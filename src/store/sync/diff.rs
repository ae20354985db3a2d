//! From one layout to another.

use super::changes::{Act, Changes, Thing};
use super::layout::{Column, ColumnKind, Former, Index, Layout, TableLayout};
use super::state::Ask;
use super::{Loss, Plan, Step, SyncError, ddl};
use crate::db::Dialect;
use crate::db::sql::Sql;
use crate::domain::{Kind, QName, Value};
use crate::expr::Node;
use crate::model::{Attribute, AttributeKind, Model};
use std::collections::{BTreeMap, BTreeSet};

/// Makes the plan; steps are kept apart by what must come first.
pub(super) struct Diff<'a> {
    pub(super) ask: Ask<'a>,
    pub(super) dialect: Dialect,
    model: &'a Model,
    old: &'a Layout,
    new: &'a Layout,
    former: &'a Former,
    /// Old table → new name.
    tables: BTreeMap<String, String>,
    phases: [Vec<Step>; 8],
    losses: Vec<Loss>,
    missing: Vec<String>,
    /// Rows in the way of what may not overlap.
    pub(super) overlaps: Vec<String>,
    /// Whether PostgreSQL's extension for that is among the steps.
    pub(super) extended: bool,
    /// What the steps come to.
    pub(super) changes: Changes,
}

/// The order of things.
#[derive(Clone, Copy)]
pub(super) enum Phase {
    Unindex,
    Rename,
    Create,
    Shape,
    Fill,
    Drop,
    Refer,
    Index,
}

/// What becomes of a column's values.
enum Change {
    Same,
    Widen { digits: u32, scale: u32, more: u32 },
    Shorten(u32),
    ReferAnew,
    Lose,
}

impl<'a> Diff<'a> {
    pub(super) fn new(
        ask: Ask<'a>,
        dialect: Dialect,
        model: &'a Model,
        old: &'a Layout,
        new: &'a Layout,
        former: &'a Former,
    ) -> Self {
        let (tables, phases) = (BTreeMap::new(), Default::default());
        let (losses, missing, overlaps) = (Vec::new(), Vec::new(), Vec::new());
        // What compared something before has made the extension.
        let extended = old.tables.values().flat_map(|table| table.exclusions.values()).any(|of| !of.same.is_empty());
        let changes = Changes::default();
        Self { ask, dialect, model, old, new, former, tables, phases, losses, missing, overlaps, extended, changes }
    }

    pub(super) fn plan(mut self) -> Result<Plan, SyncError> {
        let mut pairs = Vec::new();
        for (name, table) in &self.new.tables {
            let old = self.ancestor(table);
            if let Some(old) = &old {
                self.tables.insert(old.clone(), name.clone());
            }
            pairs.push((name, table, old));
        }
        for (name, table, old) in pairs {
            match old.and_then(|old| self.old.tables.get(&old).map(|layout| (old, layout))) {
                Some((old_name, old)) => self.alter(&old_name, old, name, table)?,
                None => self.create(name, table),
            }
        }
        self.drop_tables()?;
        let steps = self.phases.into_iter().flatten().collect();
        let Self { losses, missing, overlaps, changes, .. } = self;
        Ok(Plan { steps, losses, missing, overlaps, changes, ..Plan::default() })
    }

    pub(super) fn step(&mut self, phase: Phase, what: String, sql: Vec<Sql>) {
        if let Some(steps) = self.phases.get_mut(phase as usize) {
            steps.push(Step::new(what, sql));
        }
    }

    /// The old table that a wanted one goes on with.
    fn ancestor(&self, table: &TableLayout) -> Option<String> {
        let named = |object: &str| self.old.tables.iter().find(|(_, t)| t.object == object && t.link == table.link);
        let key = if table.link { format!("link {}", table.object) } else { table.object.clone() };
        let found = named(&table.object).or_else(|| {
            let old = self.former.get(&key)?;
            let still_wanted = self.new.tables.values().any(|t| t.object == *old);
            if still_wanted { None } else { named(old) }
        });
        found.map(|(name, _)| name.clone())
    }

    fn create(&mut self, name: &str, table: &TableLayout) {
        self.changes.note(Act::Adds, Thing::of_table(table), &table.object);
        self.step(
            Phase::Create,
            format!("create table {name} for {}", table.object),
            vec![ddl::create_table(name, table, self.dialect)],
        );
        if self.dialect == Dialect::Postgres {
            let references: Vec<Sql> = table.columns.iter().filter_map(|(c, of)| ddl::add_reference(name, c, of)).collect();
            if !references.is_empty() {
                self.step(Phase::Refer, format!("add the references of {name}"), references);
            }
        }
        for (index, of) in &table.indexes {
            self.step(
                Phase::Index,
                format!("index {name} by {}", of.columns.join(", ")),
                vec![ddl::create_index(name, index, of)],
            );
        }
        self.exclude(name, table);
    }

    fn alter(&mut self, old_name: &str, old: &TableLayout, name: &str, table: &TableLayout) -> Result<(), SyncError> {
        if old_name != name {
            if old.object != table.object {
                self.changes.note(Act::Renames, Thing::of_table(table), format!("{} to {}", old.object, table.object));
            }
            let what = format!("rename table {old_name} to {name}");
            self.step(Phase::Rename, what, vec![ddl::rename_table(old_name, name)]);
            self.move_numbers(&old.object, &table.object);
        }
        let (mut kept, mut touched) = (BTreeSet::new(), BTreeSet::new());
        for (column, of) in &table.columns {
            match self.before(old, table, of) {
                Some((before, was)) => {
                    kept.insert(before.to_owned());
                    if before != column {
                        touched.extend([before.to_owned(), column.clone()]);
                        let named = format!("{}.{} to {}", table.object, was.member, of.member);
                        self.changes.note(Act::Renames, Thing::of_column(of), named);
                        let what = format!("rename column {name}.{before} to {column}");
                        self.step(Phase::Rename, what, vec![ddl::rename_column(name, before, column)]);
                        let member = |m: &str| format!("{}.{m}", table.object);
                        self.move_numbers(&member(&was.member), &member(&of.member));
                    }
                    if self.reshape((old_name, before, was), (name, column, of), &table.object)? {
                        touched.insert(column.clone());
                        touched.insert(before.to_owned());
                    }
                }
                None => self.add(old_name, (name, column, of), &table.object)?,
            }
        }
        for (column, of) in old.columns.iter().filter(|(column, _)| !kept.contains(*column)) {
            touched.insert(column.clone());
            self.changes.note(Act::Drops, Thing::of_column(of), format!("{}.{}", old.object, of.member));
            if self.ask.has_values(old_name, column)? {
                let what = format!("the values of {}.{}", old.object, of.member);
                self.losses.push(Loss { name: format!("{}.{}", old.object, of.member), what });
            }
            self.step(Phase::Drop, format!("drop column {name}.{column}"), vec![ddl::drop_column(name, column)]);
        }
        self.reindex(old_name, old, name, table, &touched);
        self.exclude_anew((old_name, old), (name, table), &touched)?;
        Ok(())
    }

    /// The old column that a wanted one goes on with.
    pub(super) fn before<'l>(&self, old: &'l TableLayout, table: &TableLayout, of: &Column) -> Option<(&'l str, &'l Column)> {
        let named = |member: &str| old.columns.iter().find(|(_, c)| c.member == member);
        let found = named(&of.member).or_else(|| {
            let was = self.former.get(&format!("{}.{}", table.object, of.member))?;
            let still_wanted = table.columns.values().any(|c| c.member == *was);
            if still_wanted { None } else { named(was) }
        });
        found.map(|(name, column)| (name.as_str(), column))
    }

    /// Numbers given by the server go on where they were.
    fn move_numbers(&mut self, from: &str, to: &str) {
        let mut sql = Sql::new();
        let text = |text: &str| Value::text(text);
        sql.raw("UPDATE autonumber SET entity_member = ").bind(&text(to), &Kind::Text);
        sql.raw(" || substr(entity_member, length(").bind(&text(from), &Kind::Text).raw(") + 1) WHERE entity_member = ");
        sql.bind(&text(from), &Kind::Text).raw(" OR substr(entity_member, 1, length(").bind(&text(from), &Kind::Text);
        sql.raw(") + 1) = ").bind(&text(&format!("{from}.")), &Kind::Text);
        self.step(Phase::Rename, format!("move the numbers of {from} to {to}"), vec![sql]);
    }

    fn add(&mut self, old_name: &str, (name, column, of): (&str, &str, &Column), object: &str) -> Result<(), SyncError> {
        let sql = ddl::add_column(name, column, of, self.dialect);
        self.changes.note(Act::Adds, Thing::of_column(of), format!("{object}.{}", of.member));
        self.step(Phase::Shape, format!("add column {name}.{column}"), sql);
        if self.ask.has_rows(old_name)? {
            self.fill(name, column, of, object);
        }
        Ok(())
    }

    /// Gives existing rows the constant default; tells when a required member has none.
    fn fill(&mut self, name: &str, column: &str, of: &Column, object: &str) {
        let attribute = self.attribute(object, &of.member);
        let constant = attribute.and_then(|a| match a.default.as_ref().map(|d| &d.node) {
            Some(Node::Literal(value)) if !value.is_empty() => Some((value.clone(), a.kind())),
            _ => None,
        });
        let numbered = attribute.is_some_and(|a| a.kind == AttributeKind::Autonumber);
        let mut sql = Sql::new();
        sql.uncacheable().raw("UPDATE ").ident(name).raw(" SET ").ident(column).raw(" = ");
        let filled = format!("{object}.{}", of.member);
        if numbered {
            self.changes.note(Act::Fills, Thing::Attribute, format!("{filled} (with numbers)"));
            sql.ident("id");
            let mut next = Sql::new();
            next.raw("INSERT INTO autonumber (entity_member, next) SELECT ");
            next.bind(&Value::text(format!("{object}.{}", of.member)), &Kind::Text);
            next.raw(", COALESCE(max(id), 0) + 1 FROM ").ident(name);
            self.step(Phase::Fill, format!("number the rows of {name}"), vec![sql, next]);
        } else if let Some((value, kind)) = constant {
            self.changes.note(Act::Fills, Thing::Attribute, format!("{filled} (with its default)"));
            sql.bind(&value, &kind).raw(" WHERE ").ident(column);
            sql.raw(if kind == Kind::Boolean { " IS NOT TRUE" } else { " IS NULL" });
            self.step(Phase::Fill, format!("fill {name}.{column} with its default"), vec![sql]);
        } else if of.required && of.kind != ColumnKind::Boolean {
            self.missing.push(filled);
        }
    }

    fn attribute(&self, object: &str, member: &str) -> Option<&'a Attribute> {
        self.model.entity(&QName::parse(object)?)?.attributes.get(member)
    }

    /// Changes a column's type; tells whether indexes on it must be made anew.
    fn reshape(
        &mut self,
        (old_name, before, was): (&str, &str, &Column),
        (name, column, of): (&str, &str, &Column),
        object: &str,
    ) -> Result<bool, SyncError> {
        let (place, member) = (format!("{name}.{column}"), format!("{object}.{}", of.member));
        let loss = |what: &str| Loss { name: format!("{object}.{}", of.member), what: what.to_owned() };
        let change = self.change(&was.kind, &of.kind);
        match change {
            Change::Same => {}
            Change::Widen { digits, scale, more } => {
                self.changes.note(Act::Changes, Thing::Attribute, format!("{member} (more digits)"));
                let sql = ddl::widen(name, column, digits, scale, more, self.dialect);
                self.step(Phase::Shape, format!("give {place} more digits"), sql);
            }
            Change::Shorten(length) => {
                if self.ask.has_longer(old_name, before, length)? {
                    self.losses.push(loss(&format!("what is longer than {length} characters")));
                    self.changes.note(Act::Changes, Thing::Attribute, format!("{member} (at most {length} characters)"));
                    self.step(Phase::Shape, format!("cut {place} to {length} characters"), vec![ddl::cut(name, column, length)]);
                }
            }
            Change::ReferAnew => {
                let what = format!("{member} (what happens when its target goes)");
                self.changes.note(Act::Changes, Thing::Association, what);
                let sql = ddl::refer_anew(name, column, of, self.dialect);
                self.step(Phase::Shape, format!("change what happens to {place} when its target goes"), sql);
            }
            Change::Lose => {
                if self.ask.has_values(old_name, before)? {
                    self.losses.push(loss("its values, which its new type cannot hold"));
                }
                self.changes.note(Act::Changes, Thing::of_column(of), format!("{member} (type changed: column recreated)"));
                let mut sql = vec![ddl::drop_column(name, column)];
                sql.extend(ddl::add_column(name, column, of, self.dialect));
                self.step(Phase::Shape, format!("make {place} anew"), sql);
                if self.ask.has_rows(old_name)? {
                    self.fill(name, column, of, object);
                }
                return Ok(true);
            }
        }
        if of.required && !was.required && self.ask.has_gaps(old_name, before)? {
            self.fill(name, column, of, object);
        }
        Ok(matches!(change, Change::ReferAnew))
    }

    fn change(&self, was: &ColumnKind, of: &ColumnKind) -> Change {
        use ColumnKind::{Decimal, Enumeration, Integer, Reference, String, Text};
        match (was, of) {
            (Reference { table: old, on_delete: before }, Reference { table, on_delete }) => {
                let target = self.tables.get(old).unwrap_or(old);
                match (target == table, before == on_delete) {
                    (true, true) => Change::Same,
                    (true, false) => Change::ReferAnew,
                    _ => Change::Lose,
                }
            }
            (a, b) if a == b => Change::Same,
            (String(_) | Enumeration, Text) | (Enumeration, String(_)) => Change::Same,
            (String(a), String(b)) if a <= b => Change::Same,
            (String(_) | Text, String(length)) => Change::Shorten(*length),
            (Integer, Decimal(digits, scale)) if digits.saturating_sub(*scale) >= 15 => {
                Change::Widen { digits: *digits, scale: *scale, more: *scale }
            }
            (Decimal(d, s), Decimal(digits, scale)) if scale >= s && digits.saturating_sub(*scale) >= d.saturating_sub(*s) => {
                Change::Widen { digits: *digits, scale: *scale, more: scale.saturating_sub(*s) }
            }
            _ => Change::Lose,
        }
    }

    fn reindex(&mut self, old_name: &str, old: &TableLayout, name: &str, table: &TableLayout, touched: &BTreeSet<String>) {
        let stays = |index: &str| {
            let same = old.indexes.get(index).is_some_and(|of| table.indexes.get(index) == Some(of));
            let free = |columns: &[String]| !columns.iter().any(|c| touched.contains(c));
            same && old_name == name && old.indexes.get(index).is_some_and(|of| free(&of.columns))
        };
        let named = |object: &str, of: &Index| format!("{object} ({})", of.columns.join(", "));
        for (index, of) in old.indexes.iter().filter(|(index, _)| !stays(index)) {
            self.changes.note(Act::Drops, Thing::Index, named(&old.object, of));
            self.step(Phase::Unindex, format!("drop index {index}"), vec![ddl::drop_index(index)]);
        }
        for (index, of) in table.indexes.iter().filter(|(index, _)| !stays(index)) {
            self.changes.note(Act::Adds, Thing::Index, named(&table.object, of));
            self.step(
                Phase::Index,
                format!("index {name} by {}", of.columns.join(", ")),
                vec![ddl::create_index(name, index, of)],
            );
        }
    }

    fn drop_tables(&mut self) -> Result<(), SyncError> {
        let gone: Vec<_> = self.old.tables.iter().filter(|(name, _)| !self.tables.contains_key(*name)).collect();
        for (name, table) in &gone {
            self.changes.note(Act::Drops, Thing::of_table(table), &table.object);
            if self.ask.has_rows(name)? {
                self.losses.push(Loss { name: table.object.clone(), what: format!("all of {}", table.object) });
            }
        }
        for (name, _) in gone.iter().filter(|(_, table)| table.link) {
            self.step(Phase::Drop, format!("drop table {name}"), vec![ddl::drop_table(name)]);
        }
        // What points at a table goes before it, so that dropping one takes nothing with it.
        for (name, table) in gone.iter().filter(|(_, table)| !table.link) {
            let indexes = table.indexes.keys().map(|index| ddl::drop_index(index));
            let pointing = table.columns.iter().filter(|(_, of)| matches!(of.kind, ColumnKind::Reference { .. }));
            let sql: Vec<Sql> = indexes.chain(pointing.map(|(column, _)| ddl::drop_column(name, column))).collect();
            if !sql.is_empty() {
                self.step(Phase::Drop, format!("detach {name}"), sql);
            }
        }
        for (name, _) in gone.iter().filter(|(_, table)| !table.link) {
            self.step(Phase::Drop, format!("drop table {name}"), vec![ddl::drop_table(name)]);
        }
        Ok(())
    }
}
