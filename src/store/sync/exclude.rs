//! Ranges that may not overlap: how they come and go, and which stored rows stand in their way.

use super::changes::{Act, Thing};
use super::ddl;
use super::diff::{Diff, Phase};
use super::layout::{ColumnKind, Exclusion, Layout, TableLayout};
use super::state::Ask;
use crate::db::sql::Sql;
use crate::db::{DbError, Dialect};
use crate::domain::Kind;
use std::collections::BTreeSet;

/// The step that makes PostgreSQL compare other columns together with ranges.
pub(super) const EXTENSION: &str = "create extension btree_gist";
/// At most so many rows are named for each `exclude`.
const MOST_NAMED: i64 = 20;

impl Diff<'_> {
    /// What a new table keeps apart.
    pub(super) fn exclude(&mut self, name: &str, table: &TableLayout) {
        for (exclusion, of) in &table.exclusions {
            self.add_exclusion(name, exclusion, of, table);
        }
    }

    fn add_exclusion(&mut self, name: &str, exclusion: &str, of: &Exclusion, table: &TableLayout) {
        if self.dialect == Dialect::Postgres && !of.same.is_empty() && !self.extended {
            self.extended = true;
            self.step(Phase::Create, EXTENSION.to_owned(), vec![ddl::extension()]);
        }
        self.changes.note(Act::Adds, Thing::Exclusion, format!("{} ({})", table.object, described(of)));
        let what = format!("exclude rows of {name} that overlap: {}", described(of));
        self.step(Phase::Index, what, vec![ddl::create_exclusion(name, exclusion, of, table, self.dialect)]);
    }

    /// What an existing table keeps apart from now on, and what no longer.
    pub(super) fn exclude_anew(
        &mut self,
        (old_name, old): (&str, &TableLayout),
        (name, table): (&str, &TableLayout),
        touched: &BTreeSet<String>,
    ) -> Result<(), DbError> {
        let stays = |exclusion: &str| {
            let free = |of: &Exclusion| !of.same.iter().chain([&of.from, &of.to]).any(|column| touched.contains(column));
            let same = old.exclusions.get(exclusion).filter(|of| table.exclusions.get(exclusion) == Some(*of));
            old_name == name && same.is_some_and(free)
        };
        for (exclusion, of) in old.exclusions.iter().filter(|(exclusion, _)| !stays(exclusion)) {
            self.changes.note(Act::Drops, Thing::Exclusion, format!("{} ({})", old.object, described(of)));
            let sql = ddl::drop_exclusion(old_name, exclusion, self.dialect);
            self.step(Phase::Unindex, format!("drop exclusion {exclusion}"), vec![sql]);
        }
        for (exclusion, of) in table.exclusions.iter().filter(|(exclusion, _)| !stays(exclusion)) {
            self.add_exclusion(name, exclusion, of, table);
            if let Some(before) = self.former_columns(old, table, of) {
                let found = in_the_way(&mut self.ask, old_name, old, &before, &table.object)?;
                self.overlaps.extend(found);
            }
        }
        Ok(())
    }

    /// The same with the columns as they are called now; `None` when one is new or of another type.
    fn former_columns(&self, old: &TableLayout, table: &TableLayout, of: &Exclusion) -> Option<Exclusion> {
        let former = |column: &String| {
            let wanted = table.columns.get(column)?;
            let (name, was) = self.before(old, table, wanted)?;
            (was.kind == wanted.kind).then(|| name.to_owned())
        };
        let same = of.same.iter().map(former).collect::<Option<_>>()?;
        Some(Exclusion { same, from: former(&of.from)?, to: former(&of.to)? })
    }
}

/// All rows of a layout that overlap although they may not: after a change that was not foreseen row by row.
pub(super) fn all_in_the_way(ask: &mut Ask<'_>, layout: &Layout) -> Result<Vec<String>, DbError> {
    let mut found = Vec::new();
    for (name, table) in &layout.tables {
        for of in table.exclusions.values() {
            found.extend(in_the_way(ask, name, table, of, &table.object)?);
        }
    }
    Ok(found)
}

fn described(of: &Exclusion) -> String {
    let range = format!("{} to {}", of.from, of.to);
    if of.same.is_empty() { range } else { format!("{range} with the same {}", of.same.join(", ")) }
}

/// Rows that overlap an earlier one, or end before they begin.
fn in_the_way(
    ask: &mut Ask<'_>,
    table: &str,
    layout: &TableLayout,
    of: &Exclusion,
    object: &str,
) -> Result<Vec<String>, DbError> {
    let dates = layout.columns.get(&of.from).is_some_and(|column| column.kind == ColumnKind::Date);
    let mut found = Vec::new();
    let mut named = |ask: &mut Ask<'_>, sql: &Sql, what: &str| -> Result<(), DbError> {
        let rows = ask.rows(sql, &[Kind::INTEGER])?;
        let keys: Vec<String> = rows.iter().filter_map(|row| row.first()).map(|key| format!("#{}", key.canonical())).collect();
        if !keys.is_empty() {
            found.push(format!("{object}: {} {what} ({})", keys.join(", "), described(of)));
        }
        Ok(())
    };
    named(ask, &backwards(table, of, dates), "end before they begin")?;
    named(ask, &overlapping(table, of, dates), "overlap with an earlier row")?;
    Ok(found)
}

fn backwards(table: &str, of: &Exclusion, dates: bool) -> Sql {
    let mut sql = Sql::new();
    sql.uncacheable().raw("SELECT id FROM ").ident(table).raw(" WHERE ").ident(&of.to).raw(if dates { " < " } else { " <= " });
    sql.ident(&of.from).raw(" ORDER BY id LIMIT ").int(MOST_NAMED);
    sql
}

/// In order of their beginnings, each row against how far those before it reach: one walk, however many rows.
fn overlapping(table: &str, of: &Exclusion, dates: bool) -> Sql {
    let mut sql = Sql::new();
    sql.uncacheable().raw("SELECT id FROM (SELECT id, ").ident(&of.from).raw(" AS starts, max(COALESCE(").ident(&of.to);
    sql.raw_by(", 'z'", ", 'infinity'").raw(")) OVER (");
    for (at, column) in of.same.iter().enumerate() {
        sql.raw(if at == 0 { "PARTITION BY " } else { ", " }).ident(column);
    }
    sql.raw(" ORDER BY (").ident(&of.from).raw(" IS NOT NULL), ").ident(&of.from);
    sql.raw(", id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach FROM ").ident(table).raw(" WHERE TRUE");
    for column in &of.same {
        sql.raw(" AND ").ident(column).raw(" IS NOT NULL");
    }
    sql.raw(" AND (").ident(&of.from).raw(" IS NULL OR ").ident(&of.to).raw(" IS NULL OR ").ident(&of.from);
    sql.raw(if dates { " <= " } else { " < " }).ident(&of.to);
    sql.raw(")) AS rows_in_order WHERE reach IS NOT NULL AND (starts IS NULL OR reach ").raw(if dates { ">=" } else { ">" });
    sql.raw(" starts) ORDER BY id LIMIT ").int(MOST_NAMED);
    sql
}
