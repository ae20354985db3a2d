//! Making what is generated, noting it, and comparing model, note and database.

use super::catalogue::{self, Made, digest};
use super::roles::{EVERY, everywhere};
use super::{Set, remove, sets};
use crate::access::Grants;
use crate::db::sql::{Param, Params, Sql, execute, fetch};
use crate::db::{Conn, DbError, Dialect, Roles};
use crate::domain::{Kind, Name, Value};
use crate::store::statements::Statements;
use crate::store::sync::{Step, SyncError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One preparing at a time ("pcengine" in ASCII).
const LOCK: i64 = 0x7063_656e_6769_6e65;

/// What is held against what it was, and never made or dropped here.
const KEPT: &str = "server role ";
/// What earlier versions noted here, and `Db::guard_faults` looks after now.
const NOTED_BEFORE: &str = "guard ";

/// What is noted of a set.
struct Note {
    rights: String,
    digest: String,
    made: Made,
}

/// A set as the model wants it.
#[derive(Debug)]
struct Script {
    id: Arc<str>,
    rights: Arc<str>,
    steps: Vec<Step>,
    digest: String,
}

/// What has to be done about generated objects.
#[derive(Debug, Default)]
pub(in crate::store) struct Preparation {
    /// Whether all that was generated before goes.
    anew: bool,
    drops: Vec<Step>,
    makes: Vec<Script>,
    /// Sets that are there already.
    kept: usize,
}

impl Preparation {
    pub(in crate::store) fn is_empty(&self) -> bool {
        !self.anew && self.makes.is_empty()
    }
    /// Whether sets are missing only, and none is of another model.
    pub(in crate::store) fn only_adds(&self) -> bool {
        !self.anew
    }
    /// How many sets there are when it is done.
    pub(in crate::store) fn sets(&self) -> usize {
        self.kept + self.makes.len()
    }
    /// What goes, before tables change.
    pub(in crate::store) fn before(&self) -> impl Iterator<Item = &Step> {
        self.drops.iter()
    }
    /// What comes, after they did.
    pub(in crate::store) fn after(&self) -> impl Iterator<Item = &Step> {
        self.makes.iter().flat_map(|script| &script.steps)
    }
}

/// The sets of one family as the model wants them on PostgreSQL.
fn scripts(statements: &Statements, grants: &Grants, roles: &Roles) -> Result<Vec<Script>, SyncError> {
    let make = |wanted: &sets::Wanted| {
        let set = Set::new(statements, wanted);
        let steps = set.objects(statements, roles).map_err(|error| SyncError::Rules(error.to_string()))?;
        Ok(Script::new(set.id, set.rights.key.clone(), steps))
    };
    sets::family(grants).iter().map(make).collect()
}

impl Script {
    fn new(id: Arc<str>, rights: Arc<str>, steps: Vec<Step>) -> Self {
        let text: Vec<String> = steps.iter().flat_map(|step| step.sql(Dialect::Postgres)).collect();
        Self { id, rights, steps, digest: digest(&text.join("\n")) }
    }
}

/// Waits for other nodes that prepare; the transaction's end lets them go on.
pub(in crate::store) fn lock(conn: &mut Conn) -> Result<(), DbError> {
    match conn.dialect() {
        Dialect::Postgres => conn.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})")),
        // A write transaction is alone.
        Dialect::Sqlite => Ok(()),
    }
}

/// The grants whose sets are made beforehand: of each user role, of each combination that is held, of jobs.
pub(in crate::store) fn foreseen(conn: &mut Conn, statements: &Statements, params: &Params) -> Result<Vec<Grants>, DbError> {
    let mut sql = Sql::new();
    sql.raw("SELECT account_id, user_role FROM account_role ORDER BY account_id, user_role");
    let mut held: BTreeMap<i64, BTreeSet<Name>> = BTreeMap::new();
    for row in fetch(conn, &sql, params, &[Kind::INTEGER, Kind::Text])? {
        if let [Value::Integer(account), Value::Text(role)] = row.as_slice() {
            held.entry(*account).or_default().insert(Name::new(role));
        }
    }
    let model = statements.model();
    let demo = model.demo_users.iter().map(|user| user.user_roles.clone());
    Ok(sets::foreseen(model, &held.into_values().chain(demo).collect()))
}

/// What has to be done so that all these grants are prepared. When a set is of another model, or tables change, all
/// that was generated goes, and what is asked for here is made anew; the rest is made when it is used.
///
/// On SQLite nothing is stored: what is there goes, because an earlier version or another hand made it.
pub(in crate::store) fn plan(
    conn: &mut Conn,
    statements: &Statements,
    all: &[Grants],
    tables_change: bool,
    params: &Params,
) -> Result<Preparation, SyncError> {
    let (notes, there) = (noted(conn, params)?, catalogue::there(conn, params)?);
    let Some(roles) = &conn.roles().cloned() else {
        let anew = !there.is_empty() || !notes.is_empty();
        return Ok(Preparation { anew, drops: remove::all(&there), ..Preparation::default() });
    };
    let mut wanted = BTreeMap::new();
    wanted.insert(EVERY.into(), Script::new(EVERY.into(), "every table".into(), everywhere(statements, roles)));
    for grants in all {
        wanted.extend(scripts(statements, grants, roles)?.into_iter().map(|script| (script.id.clone(), script)));
    }
    let stale = wanted.values().any(|script| notes.get(&*script.id).is_some_and(|note| note.digest != script.digest));
    let anew = stale || (tables_change && !notes.is_empty()) || !drift(&notes, &there).is_empty();
    let drops = if anew { remove::all(&there) } else { Vec::new() };
    let makes = wanted.into_values().filter(|script| anew || !notes.contains_key(&*script.id)).collect();
    Ok(Preparation { anew, drops, makes, kept: if anew { 0 } else { notes.len() } })
}

/// How what is there differs from what was noted when it was made.
pub(in crate::store) fn differences(conn: &mut Conn, params: &Params) -> Result<Vec<String>, SyncError> {
    Ok(drift(&noted(conn, params)?, &catalogue::there(conn, params)?))
}

fn drift(notes: &BTreeMap<String, Note>, there: &BTreeMap<String, Made>) -> Vec<String> {
    let mut found = Vec::new();
    let none = Made::new();
    for (set, note) in notes {
        let made = there.get(set).unwrap_or(&none);
        for (object, digest) in note.made.iter().filter(|(object, _)| !object.starts_with(NOTED_BEFORE)) {
            match made.get(object) {
                None => found.push(format!("{object} of {} is gone", note.rights)),
                Some(now) if now != digest => found.push(format!("{object} of {} was changed", note.rights)),
                Some(_) => {}
            }
        }
    }
    for (set, made) in there {
        // The server's roles are there before anything is generated.
        let kept = |object: &String| object.starts_with(KEPT);
        let known = |object: &String| notes.get(set).map_or_else(|| kept(object), |note| note.made.contains_key(object));
        found
            .extend(made.keys().filter(|object| !known(object)).map(|object| format!("{object} is there but was not made here")));
    }
    found
}

/// Drops what goes. Call it before tables change.
pub(in crate::store) fn drop_objects(conn: &mut Conn, done: &Preparation, params: &Params) -> Result<(), DbError> {
    if !done.anew {
        return Ok(());
    }
    run(conn, done.before())?;
    let mut sql = Sql::new();
    sql.raw("DELETE FROM engine_set");
    execute(conn, &sql, params).map(drop)
}

/// Makes what comes, and notes it.
pub(in crate::store) fn make_objects(conn: &mut Conn, done: &Preparation, params: &Params) -> Result<(), SyncError> {
    if done.makes.is_empty() {
        return Ok(());
    }
    run(conn, done.after())?;
    let mut there = catalogue::there(conn, params)?;
    for script in &done.makes {
        let mut made = there.remove(&*script.id).unwrap_or_default();
        made.retain(|object, _| !object.starts_with(catalogue::OTHER));
        let made = serde_json::to_string(&made).map_err(SyncError::State)?;
        let mut sql = Sql::new();
        sql.raw("INSERT INTO engine_set (set_id, rights, digest, made, at) VALUES (");
        for text in [&*script.id, &*script.rights, &*script.digest, &*made] {
            sql.bind(&Value::text(text), &Kind::Text).raw(", ");
        }
        sql.param(Param::Now).raw(")");
        execute(conn, &sql, params)?;
    }
    Ok(())
}

/// All in one message: a round trip for each would be felt.
fn run<'s>(conn: &mut Conn, steps: impl Iterator<Item = &'s Step>) -> Result<(), DbError> {
    let dialect = conn.dialect();
    let text: Vec<String> = steps.flat_map(|step| step.sql(dialect)).collect();
    if text.is_empty() { Ok(()) } else { conn.batch(&text.join(";\n")) }
}

/// Whether every set of a family was made from what the model says now.
pub(in crate::store) fn is_made(
    conn: &mut Conn,
    statements: &Statements,
    grants: &Grants,
    params: &Params,
) -> Result<bool, SyncError> {
    let Some(roles) = conn.roles().cloned() else {
        statements.announce(grants)?;
        return Ok(true);
    };
    let notes = noted(conn, params)?;
    let all = scripts(statements, grants, &roles)?;
    Ok(all.iter().all(|script| notes.get(&*script.id).is_some_and(|note| note.digest == script.digest)))
}

fn noted(conn: &mut Conn, params: &Params) -> Result<BTreeMap<String, Note>, SyncError> {
    let mut sql = Sql::new();
    sql.raw("SELECT set_id, rights, digest, made FROM engine_set");
    let mut notes = BTreeMap::new();
    for row in fetch(conn, &sql, params, &[Kind::Text, Kind::Text, Kind::Text, Kind::Text])? {
        let [Value::Text(set), Value::Text(rights), Value::Text(digest), Value::Text(made)] = row.as_slice() else { continue };
        let made = serde_json::from_str(made).map_err(SyncError::State)?;
        notes.insert(set.to_string(), Note { rights: rights.to_string(), digest: digest.to_string(), made });
    }
    Ok(notes)
}

/// Takes everything away that was generated, as other hands could.
#[cfg(test)]
pub(in crate::store) fn strip(conn: &mut Conn) -> Result<(), DbError> {
    let there = catalogue::there(conn, &nobody())?;
    run(conn, remove::all(&there).iter())
}

#[cfg(test)]
fn nobody() -> Params {
    let never = chrono::NaiveDateTime::default();
    Params::new(None, never, never.date())
}
