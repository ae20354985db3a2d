//! Planning and carrying out.

use super::diff::Diff;
use super::layout::wanted;
use super::state::{self, Ask};
use super::{Plan, Step, SyncError, exclude};
use crate::access::Grants;
use crate::db::sql::{Params, Sql, execute};
use crate::db::{Conn, Db, DbError, Dialect};
use crate::domain::{Kind, Value};
use crate::model::Model;
use crate::store::engine;
use crate::store::statements::Statements;
use crate::store::statistics::{self, Sizes};
use crate::store::trees;
use chrono::NaiveDateTime;
use std::collections::BTreeSet;
use std::time::Duration;

/// One node at a time ("pcschema" in ASCII).
const LOCK: i64 = 0x7063_7363_6865_6d61;

/// How long a start, or `migrate`, waits for other nodes that are at it: making tables and preparing takes minutes.
const START: Duration = Duration::from_secs(600);
/// How long a request waits for them.
const REQUEST: Duration = Duration::from_secs(30);

/// What would have to be done to bring this database to the model's shape, and to prepare every set of rights that is held.
pub fn plan(conn: &mut Conn, statements: &Statements, now: NaiveDateTime) -> Result<Plan, SyncError> {
    planned(conn, statements, engine::Unprepared::Counted, now)
}

/// The same, where each set of rights is prepared when it is first used.
pub fn plan_tables(conn: &mut Conn, statements: &Statements, now: NaiveDateTime) -> Result<Plan, SyncError> {
    planned(conn, statements, engine::Unprepared::Left, now)
}

fn planned(
    conn: &mut Conn,
    statements: &Statements,
    unprepared: engine::Unprepared,
    now: NaiveDateTime,
) -> Result<Plan, SyncError> {
    let (params, model, tables) = (Params::new(None, now, now.date()), statements.model(), &statements.tables);
    let dialect = conn.dialect();
    let (wanted, former) = wanted(model, tables);
    let mut ask = Ask { conn, params: &params };
    let (applied, text) = state::applied(&mut ask)?;
    let in_force = state::in_force(&mut ask)?;
    state::check(&mut ask, &applied, &wanted)?;
    let mut plan = Diff::new(ask, dialect, model, &applied, &wanted, &former).plan()?;
    plan.first = text.is_empty();
    plan.applied = serde_json::to_string(&wanted).map_err(SyncError::State)?;
    if plan.steps.is_empty() && plan.applied != text {
        // Only notes differ (a longer text, say): the note is renewed without a statement of its own.
        plan.steps.push(super::Step::new("note the new limits", Vec::new()));
    }
    let there = |table: &str, column: &str| {
        let held = applied.tables.get(table).is_some_and(|of| of.columns.contains_key(column));
        held && wanted.tables.contains_key(table)
    };
    let circles = trees::circles_where(conn, statements, now, there)?;
    plan.warnings = circles.iter().map(ToString::to_string).collect();
    let params = &params;
    plan.engine = engine::plan(conn, statements, plan.changes.reshape(), unprepared, params)?;
    if plan.steps.is_empty() && in_force != model.fingerprint {
        // The tables stay as they are; rules, pages or flows differ, and all nodes must run the same.
        plan.steps.push(super::Step::new("put this model in force (no table changes)", Vec::new()));
    }
    Ok(plan)
}

/// The fingerprint of the model that was applied last: every node must run that one. Empty if none was.
pub fn model_in_force(conn: &mut Conn) -> Result<String, DbError> {
    let now = NaiveDateTime::default();
    state::in_force(&mut Ask { conn, params: &Params::new(None, now, now.date()) })
}

/// Brings the database to the model's shape in one transaction, with what is generated for every table. Losses must be
/// named in `accepted`.
pub fn apply(db: &Db, statements: &Statements, accepted: &BTreeSet<String>, now: NaiveDateTime) -> Result<Plan, SyncError> {
    let params = Params::new(None, now, now.date());
    let done = db.owner(|conn| {
        conn.take_turn(LOCK, START)?;
        engine::lock(conn, START)?;
        let plan = plan_tables(conn, statements, now)?;
        let unnamed: Vec<_> = plan.losses.iter().filter(|loss| !accepted.contains(&loss.name)).cloned().collect();
        if !unnamed.is_empty() {
            return Err(SyncError::Losses(unnamed));
        }
        if !plan.missing.is_empty() {
            return Err(SyncError::Required(plan.missing));
        }
        if !plan.overlaps.is_empty() {
            return Err(SyncError::Overlaps(plan.overlaps));
        }
        engine::drop_objects(conn, &plan.engine, &params)?;
        if !plan.steps.is_empty() {
            carry_out(conn, statements.model(), &plan, now)?;
            let (wanted, _) = wanted(statements.model(), &statements.tables);
            let overlaps = exclude::all_in_the_way(&mut Ask { conn, params: &params }, &wanted)?;
            if !overlaps.is_empty() {
                return Err(SyncError::Overlaps(overlaps));
            }
        }
        engine::make_objects(conn, statements, &plan.engine, &params)?;
        if !plan.first && !plan.steps.is_empty() {
            // Tables and indexes that were made anew are unknown to the database.
            let grown = statistics::outgrown(conn, statements, &Sizes::new())?;
            if !grown.is_empty() {
                statistics::gather_as_owner(conn, statements, &grown)?;
            }
        }
        Ok(plan)
    })?;
    if !done.is_empty() {
        db.bump_generation();
    }
    Ok(done)
}

/// How what was generated for sets of rights differs from what was noted when it was made.
pub fn drift(conn: &mut Conn, now: NaiveDateTime) -> Result<Vec<String>, SyncError> {
    engine::differences(conn, &Params::new(None, now, now.date()))
}

/// Whether the server may make what is generated while it runs: with a connection of the owner, or as one who may.
pub fn can_prepare(db: &Db) -> Result<bool, DbError> {
    Ok(db.dialect() == Dialect::Sqlite || db.has_owner() || !db.too_mighty()?.is_empty())
}

/// Prepares these grants in the database, and every elevation that work for them can reach. What their rules come to is
/// made when it is first needed; what was changed by others is not made again here.
pub fn prepare(db: &Db, statements: &Statements, grants: &Grants) -> Result<(), SyncError> {
    statements.announce(grants, db.dialect())?;
    if db.dialect() == Dialect::Postgres {
        db.provide(&engine::needs(statements, grants))?;
    }
    statements.know_prepared(grants);
    Ok(())
}

/// Makes all that every set of rights which is held may ever need, and drops what nobody needs any more: where the server
/// may not make it itself, so that nothing is missing while it runs.
pub fn prepare_all(db: &Db, statements: &Statements, now: NaiveDateTime) -> Result<(), SyncError> {
    if db.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let params = Params::new(None, now, now.date());
    for who in db.read(|conn| engine::foreseen(conn, statements, &params))? {
        let grants = who.grants(statements.model());
        statements.announce(&grants, Dialect::Postgres)?;
        db.provide(&engine::whole(statements, &grants)?)?;
    }
    drop_unused(db, statements, now)?;
    Ok(())
}

/// Drops what was made for sets of rights that nobody has held for a while, and returns how much that was.
pub fn drop_unused(db: &Db, statements: &Statements, now: NaiveDateTime) -> Result<usize, SyncError> {
    let params = Params::new(None, now, now.date());
    db.owner(|conn| {
        engine::lock(conn, REQUEST)?;
        engine::sweep(conn, statements, &params)
    })
}

fn carry_out(conn: &mut Conn, model: &Model, plan: &Plan, now: NaiveDateTime) -> Result<(), SyncError> {
    let params = Params::new(None, now, now.date());
    for step in &plan.steps {
        for sql in &step.sql {
            execute(conn, sql, &params).map_err(|error| failed(step, error))?;
        }
    }
    let text = |value: &str| {
        let mut sql = Sql::new();
        sql.bind(&Value::text(value), &Kind::Text);
        sql
    };
    let mut sql = Sql::new();
    sql.raw("INSERT INTO schema_state (id, fingerprint, applied, at) VALUES (1, ");
    sql.append(&text(&format!("{}{}", state::MODEL, model.fingerprint))).raw(", ").append(&text(&plan.applied)).raw(", ");
    sql.param(crate::db::sql::Param::Now).raw(") ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, ");
    sql.raw("applied = excluded.applied, at = excluded.at");
    execute(conn, &sql, &params)?;
    Ok(())
}

/// Why a step was not done, where its author or operator can do something about it.
fn failed(step: &Step, error: DbError) -> SyncError {
    match error {
        DbError::Overlap { .. } => SyncError::Overlaps(vec![step.what.clone()]),
        error if step.what == exclude::EXTENSION && !error.is_passing() => SyncError::Extension(error),
        error => error.into(),
    }
}
