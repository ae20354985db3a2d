//! Checks as triggers: SQLite's in SQL, PostgreSQL's as functions that run as whoever writes.

use super::Set;
use super::checks::{Check, Checks, When, of_links};
use super::writes::writes;
use crate::db::Roles;
use crate::db::sql::Sql;
use crate::domain::{Kind, Name, Value};
use crate::store::lower::Lowered;
use crate::store::names;
use crate::store::statements::{Footing, Statements};
use crate::store::sync::Step;
use crate::store::tables::Place;
use std::collections::BTreeMap;

impl Set {
    /// The triggers of every table that the set may write, and (on SQLite) of those that go with a row that it deletes.
    pub(super) fn triggers(&self, statements: &Statements, roles: Option<&Roles>) -> Lowered<Vec<Step>> {
        let mut steps = Vec::new();
        let mut all = self.checks(statements)?;
        if roles.is_none() {
            writes(&statements.tables, &self.rights).1.refuse(&mut all);
        }
        for (table, checks) in all {
            let mut by_moment: BTreeMap<When, Vec<Check>> = BTreeMap::new();
            for check in checks {
                by_moment.entry(check.when).or_default().push(check);
            }
            for (when, checks) in by_moment {
                let name = names::trigger(&self.id, &table, short(when));
                let sql = match roles {
                    None => vec![sqlite(&self.id, &name, &table, when, &follows(statements, &table, when), &checks)],
                    Some(roles) => postgres(&roles.writer(&self.id), &name, &table, when, &checks),
                };
                let what = format!("trigger {name}: what {} may not write in {table}", self.rights.key);
                steps.push(Step::new(what, sql));
            }
        }
        Ok(steps)
    }

    /// All checks, by table.
    fn checks(&self, statements: &Statements) -> Lowered<BTreeMap<Name, Vec<Check>>> {
        let mut all: BTreeMap<Name, Vec<Check>> = BTreeMap::new();
        for entity in self.rights.entities.keys() {
            let Some(table) = statements.tables.get(entity).filter(|table| !table.entity.system) else { continue };
            let Some(compiled) = statements.compiled_on(&self.rights, entity, Footing::Maker)? else { continue };
            let mut checks = Checks { set: self, statements, compiled: &compiled, all: Vec::new() };
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
        }
        Ok(all)
    }
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
fn follows(statements: &Statements, table: &Name, when: When) -> Sql {
    let mut sql = Sql::new();
    if matches!(when, When::BeforeInsert | When::AfterInsert) {
        return sql;
    }
    for (at, (column, target)) in statements.tables.references_of(table).into_iter().enumerate() {
        sql.raw(if at == 0 { " AND NOT (" } else { " OR " });
        sql.ident("old").raw(".").ident(&column).raw(" IS NOT NULL");
        if when != When::BeforeDelete {
            sql.raw(" AND ").ident("new").raw(".").ident(&column).raw(" IS NULL");
        }
        sql.raw(" AND NOT EXISTS (SELECT 1 FROM ").ident(&target).raw(" AS ").ident("gone").raw(" WHERE ");
        sql.ident("gone").raw(".").ident("id").raw(" = ").ident("old").raw(".").ident(&column).raw(")");
    }
    if !sql.is_empty() {
        sql.raw(")");
    }
    sql
}

fn sqlite(set: &str, name: &Name, table: &Name, when: When, follows: &Sql, checks: &[Check]) -> Sql {
    let mut sql = Sql::new();
    sql.raw("CREATE TRIGGER ").ident(name).raw(moment(when)).ident(table).raw(" WHEN portcullis_set() = ");
    text(&mut sql, set);
    sql.append(follows);
    sql.raw(" BEGIN");
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
