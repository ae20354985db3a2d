//! Checks as triggers: SQLite's in SQL, PostgreSQL's as functions that run as whoever writes.

use super::Set;
use super::checks::{Check, Checks, When, of_links};
use crate::db::Roles;
use crate::db::sql::Sql;
use crate::domain::{Kind, Name, Value};
use crate::store::lower::Lowered;
use crate::store::names;
use crate::store::statements::{Compiled, Footing, Statements};
use crate::store::sync::Step;
use crate::store::tables::{Place, Tables};
use std::collections::BTreeMap;

/// The checks of several tables.
pub(super) type ByTable = BTreeMap<Name, Vec<Check>>;

impl Set<'_> {
    /// The triggers of every table that the set may write on PostgreSQL.
    pub(super) fn triggers(&self, statements: &Statements, roles: &Roles) -> Lowered<Vec<Step>> {
        let (mut steps, mut all) = (Vec::new(), ByTable::new());
        for entity in self.rights.entities.keys() {
            if statements.tables.get(entity).is_none_or(|table| table.entity.system) {
                continue;
            }
            let Some(compiled) = statements.compiled_on(self.rights, entity, Footing::Maker)? else { continue };
            self.checks(statements, &compiled, &mut all)?;
        }
        for (table, checks) in all {
            for (when, checks) in by_moment(checks) {
                let name = names::trigger(&self.id, &table, short(when));
                let sql = postgres(&roles.writer(&self.id), &name, &table, when, &checks);
                let what = format!("trigger {name}: what {} may not write in {table}", self.rights.key);
                steps.push(Step::new(what, sql));
            }
        }
        Ok(steps)
    }

    /// The triggers of one table on SQLite.
    pub(super) fn temporary_triggers(&self, tables: &Tables, table: &Name, checks: Vec<Check>) -> Vec<(Name, Sql)> {
        let one = |(when, checks): (When, Vec<Check>)| {
            let name = names::trigger(&self.id, table, short(when));
            let sql = sqlite(&self.id, &name, table, when, &follows(tables, table, when), &checks);
            (name, sql)
        };
        by_moment(checks).into_iter().map(one).collect()
    }

    /// The checks of one entity, by table: its own, and those of its links.
    pub(super) fn checks(&self, statements: &Statements, compiled: &Compiled, all: &mut ByTable) -> Lowered<()> {
        let table = &compiled.table;
        let mut checks = Checks { set: self, statements, compiled, all: Vec::new() };
        let writes = Self::deeds(&compiled.rights);
        if writes.change {
            checks.changes();
        }
        if writes.create {
            checks.creation()?;
        }
        if writes.delete {
            checks.deletion();
        }
        for (member, place) in &table.members {
            let (Place::Link(link), Some(association)) = (place, table.entity.associations.get(member)) else { continue };
            if compiled.rights.writable.contains_key(member) {
                all.entry(link.table.clone()).or_default().extend(of_links(&checks, member, &association.target));
            }
        }
        all.entry(table.name.clone()).or_default().extend(checks.all);
        Ok(())
    }
}

fn by_moment(checks: Vec<Check>) -> BTreeMap<When, Vec<Check>> {
    let mut all: BTreeMap<When, Vec<Check>> = BTreeMap::new();
    for check in checks {
        all.entry(check.when).or_default().push(check);
    }
    all
}

fn short(when: When) -> &'static str {
    match when {
        When::BeforeInsert => "bi",
        When::AfterInsert => "ai",
        When::BeforeUpdate => "bu",
        When::AfterUpdate => "au",
        When::BeforeDelete => "bd",
    }
}

fn moment(when: When) -> &'static str {
    match when {
        When::BeforeInsert => " BEFORE INSERT ON ",
        When::AfterInsert => " AFTER INSERT ON ",
        When::BeforeUpdate => " BEFORE UPDATE ON ",
        When::AfterUpdate => " AFTER UPDATE ON ",
        When::BeforeDelete => " BEFORE DELETE ON ",
    }
}

fn text(sql: &mut Sql, text: &str) {
    sql.bind(&Value::text(text), &Kind::Text);
}

/// ` AND NOT (…)`: that a row goes, or loses a reference, because the row that it pointed at has just gone. SQLite does so
/// in the name of whoever deletes that row; elsewhere a reference to a row that is not there cannot be.
fn follows(tables: &Tables, table: &Name, when: When) -> Sql {
    let mut sql = Sql::new();
    if matches!(when, When::BeforeInsert | When::AfterInsert) {
        return sql;
    }
    for (at, (column, target)) in tables.references_of(table).into_iter().enumerate() {
        sql.raw(if at == 0 { " AND NOT (" } else { " OR " });
        sql.ident("old").raw(".").ident(&column).raw(" IS NOT NULL");
        if when != When::BeforeDelete {
            sql.raw(" AND ").ident("new").raw(".").ident(&column).raw(" IS NULL");
        }
        sql.raw(" AND NOT EXISTS (SELECT 1 FROM ").append(&names::stored(&target)).raw(" AS ").ident("gone").raw(" WHERE ");
        sql.ident("gone").raw(".").ident("id").raw(" = ").ident("old").raw(".").ident(&column).raw(")");
    }
    if !sql.is_empty() {
        sql.raw(")");
    }
    sql
}

/// It looks at what sets write to which its piece belongs, and at nothing else.
fn sqlite(id: &str, name: &Name, table: &Name, when: When, follows: &Sql, checks: &[Check]) -> Sql {
    let mut sql = Sql::new();
    sql.raw("CREATE TEMP TRIGGER ").ident(name).raw(moment(when)).append(&names::stored(table));
    sql.raw(" WHEN portcullis_watched_by(");
    text(&mut sql, id);
    sql.raw(")").append(follows).raw(" BEGIN");
    for check in checks {
        sql.raw(" SELECT RAISE(ABORT, ");
        text(&mut sql, &format!("portcullis: {}", check.message));
        sql.raw(") WHERE ").append(&check.refuses).raw(";");
    }
    sql.raw(" END");
    sql
}

fn postgres(writer: &str, name: &Name, table: &Name, when: When, checks: &[Check]) -> Vec<Sql> {
    let mut body = Sql::new();
    body.raw("BEGIN");
    for check in checks {
        body.raw(" IF ").append(&check.refuses).raw(" THEN RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = ");
        text(&mut body, &format!("portcullis: {}", check.message));
        body.raw("; END IF;");
    }
    body.raw(if when == When::BeforeDelete { " RETURN OLD; END" } else { " RETURN NEW; END" });
    let mut function = Sql::new();
    function.raw("CREATE FUNCTION ").ident(name).raw("() RETURNS trigger LANGUAGE plpgsql AS ").quoted(&body);
    let mut trigger = Sql::new();
    trigger.raw("CREATE TRIGGER ").ident(name).raw(moment(when)).ident(table).raw(" FOR EACH ROW WHEN (current_user = ");
    text(&mut trigger, writer);
    trigger.raw(") EXECUTE FUNCTION ").ident(name).raw("()");
    vec![function, trigger]
}
