//! What is made for every table, which sets of rights are prepared, and comparing note and database.
//!
//! Guarantees: when tables change, or something was changed by others, all that was generated goes; pieces and the roles
//! of sets come again when they are needed. Their names contain a digest of their text, so another model needs no clearing up:
//! what it does not use any more is dropped once nobody can be at work with it.
//! Deliberately not here: making pieces and sets (`crate::db`), which happens outside of any request's transaction.

use super::catalogue::{self, digest};
use super::roles::everywhere;
use super::{remove, sets};
use crate::access::Grants;
use crate::db::sql::{Param, Params, Sql, execute, fetch};
use crate::db::{self, Conn, DbError, Dialect, EVERY, Need};
use crate::domain::{Kind, Name, Value};
use crate::store::statements::Statements;
use crate::store::sync::{Step, SyncError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Stands before the digest of what is made for every table: what earlier versions made is replaced without a report.
const FORM: &str = "2 ";
/// What is held against what it was, and never made or dropped here.
const KEPT: &str = "server role ";
/// What earlier versions noted here, and `Db::guard_faults` looks after now.
const NOTED_BEFORE: &str = "guard ";

/// What has to be done about generated objects.
#[derive(Debug, Default)]
pub(in crate::store) struct Preparation {
    /// Whether all that was generated before goes.
    anew: bool,
    drops: Vec<Step>,
    /// What is made for every table; nothing where it is there.
    makes: Vec<Step>,
    digest: String,
    /// How what is there differs from what was noted when it was made.
    drift: Vec<String>,
    /// How many sets are held and not prepared.
    unprepared: usize,
}

impl Preparation {
    pub(in crate::store) fn is_empty(&self) -> bool {
        !self.anew && self.makes.is_empty() && self.unprepared == 0
    }
    /// Whether sets are missing only.
    pub(in crate::store) fn only_adds(&self) -> bool {
        !self.anew && self.makes.is_empty()
    }
    /// How what is there differs from what was noted when it was made.
    pub(in crate::store) fn drift(&self) -> &[String] {
        &self.drift
    }
    /// What goes, before tables change.
    pub(in crate::store) fn before(&self) -> impl Iterator<Item = &Step> {
        self.drops.iter()
    }
    /// What comes, after they did.
    pub(in crate::store) fn after(&self) -> impl Iterator<Item = &Step> {
        self.makes.iter()
    }

    /// What goes and what comes, in counts.
    pub(in crate::store) fn summary(&self, dialect: Dialect) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.drops.is_empty() {
            lines.push(format!("Drops what was generated before: {}", counted(self.before(), dialect, "DROP ")));
        }
        if !self.makes.is_empty() {
            lines.push(format!("Prepares every table: {}", counted(self.after(), dialect, "CREATE ")));
        }
        match self.unprepared {
            0 => {}
            1 => lines.push("Prepares 1 set of rights".to_owned()),
            sets => lines.push(format!("Prepares {sets} sets of rights")),
        }
        lines
    }
}

/// How many objects of each kind these steps create, or drop.
fn counted<'s>(steps: impl Iterator<Item = &'s Step>, dialect: Dialect, verb: &str) -> String {
    let mut counts = [("VIEW", "view", 0_usize), ("TRIGGER", "trigger", 0), ("ROLE", "role", 0), ("POLICY", "policy", 0)];
    for statement in steps.flat_map(|step| step.sql(dialect)) {
        let object = statement.strip_prefix(verb).and_then(|object| object.split(' ').next());
        for (word, _, count) in &mut counts {
            *count += usize::from(object == Some(*word));
        }
    }
    let lines = counts.iter().filter(|(.., count)| *count > 0).map(|(_, kind, count)| match (*kind, *count) {
        (kind, 1) => format!("1 {kind}"),
        ("policy", count) => format!("{count} policies"),
        (kind, count) => format!("{count} {kind}s"),
    });
    lines.collect::<Vec<_>>().join(", ")
}

/// Waits for other nodes that prepare; the transaction's end lets them go on.
pub(in crate::store) fn lock(conn: &mut Conn, longest: Duration) -> Result<(), DbError> {
    db::preparing(conn, longest)
}

/// Each user role, each combination that is held, and jobs.
pub(in crate::store) fn foreseen(
    conn: &mut Conn,
    statements: &Statements,
    params: &Params,
) -> Result<Vec<sets::Foreseen>, DbError> {
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

/// Which sets of rights a plan looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Unprepared {
    /// All that are held: for the operator, and where nobody makes them while the server runs.
    Counted,
    /// None: each is made when it is first used.
    Left,
}

/// What has to be done about generated objects. On SQLite nothing is stored: what is there goes, because an earlier
/// version or somebody else made it.
pub(in crate::store) fn plan(
    conn: &mut Conn,
    statements: &Statements,
    tables_change: bool,
    unprepared: Unprepared,
    params: &Params,
) -> Result<Preparation, SyncError> {
    let noted = noted_for_every_table(conn, params)?;
    let Some(roles) = conn.roles().cloned() else {
        let stored = catalogue::stored(conn, params)?;
        let (anew, drift) = (!stored.is_empty() || noted.is_some(), differences(conn, params)?);
        return Ok(Preparation { anew, drops: remove::all(&stored), drift, ..Preparation::default() });
    };
    let earlier = noted.as_ref().is_some_and(|noted| !noted.starts_with(FORM));
    let drift = if earlier { Vec::new() } else { differences(conn, params)? };
    let makes = everywhere(statements, &roles);
    let text: Vec<String> = makes.iter().flat_map(|step| step.sql(Dialect::Postgres)).collect();
    let digest = format!("{FORM}{}", digest(&text.join("\n")));
    let there = noted.as_ref() == Some(&digest) && !tables_change && drift.is_empty();
    let anew = !there && (noted.is_some() || !drift.is_empty());
    let drops = if anew { remove::all(&db::there(conn, params)?) } else { Vec::new() };
    let unprepared = match unprepared {
        Unprepared::Left => 0,
        Unprepared::Counted => unprepared_sets(conn, statements, anew, params)?,
    };
    let makes = if there { Vec::new() } else { makes };
    Ok(Preparation { anew, drops, makes, digest, drift, unprepared })
}

fn unprepared_sets(conn: &mut Conn, statements: &Statements, anew: bool, params: &Params) -> Result<usize, SyncError> {
    let mut wanted = held(conn, statements, params)?;
    if !anew {
        let noted = noted_ids(conn, params)?;
        wanted.retain(|set| !noted.contains(set));
    }
    Ok(wanted.len())
}

/// The ids of all sets that work can run under for somebody's roles, or for jobs.
fn held(conn: &mut Conn, statements: &Statements, params: &Params) -> Result<BTreeSet<String>, DbError> {
    let mut all = BTreeSet::new();
    for who in foreseen(conn, statements, params)? {
        let ids = statements.families.get(&who).unwrap_or_else(|| {
            let family = sets::family(&who.grants(statements.model()));
            let ids: Arc<[Arc<str>]> = family.iter().map(|wanted| statements.set_id(&wanted.rights.key)).collect();
            statements.families.keep(who, ids.clone());
            ids
        });
        all.extend(ids.iter().map(ToString::to_string));
    }
    Ok(all)
}

fn noted_for_every_table(conn: &mut Conn, params: &Params) -> Result<Option<String>, DbError> {
    let mut sql = Sql::new();
    sql.raw("SELECT max(CASE WHEN set_id = ")
        .bind(&Value::text(EVERY), &Kind::Text)
        .raw(" THEN digest ELSE '' END) FROM engine_set");
    let rows = fetch(conn, &sql, params, &[Kind::Text])?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Value::as_text).map(str::to_owned))
}

/// The ids of everything that is noted: sets, and pieces.
fn noted_ids(conn: &mut Conn, params: &Params) -> Result<BTreeSet<String>, DbError> {
    let mut sql = Sql::new();
    sql.raw("SELECT set_id FROM engine_set");
    let rows = fetch(conn, &sql, params, &[Kind::Text])?;
    Ok(rows.iter().filter_map(|row| row.first()?.as_text()).map(str::to_owned).collect())
}

/// How what is there differs from what was noted when it was made.
pub(in crate::store) fn differences(conn: &mut Conn, params: &Params) -> Result<Vec<String>, SyncError> {
    if conn.dialect() == Dialect::Sqlite {
        return stored_by_others(conn, params);
    }
    let found = db::compared(conn, params)?;
    let words = |found: &db::Difference| {
        let object = &found.object;
        match &found.noted {
            Some(_) if object.starts_with(NOTED_BEFORE) => None,
            Some(of) if found.there => Some(format!("{object} of {of} was changed")),
            Some(of) => Some(format!("{object} of {of} is gone")),
            // The server's roles are there before anything is generated.
            None if !found.known && object.starts_with(KEPT) => None,
            None => Some(format!("{object} is there but was not made here")),
        }
    };
    Ok(found.iter().filter_map(words).collect())
}

/// On SQLite everything that is stored and was not noted by an earlier version, and what such a note lists and is gone.
fn stored_by_others(conn: &mut Conn, params: &Params) -> Result<Vec<String>, SyncError> {
    let (mut found, stored) = (Vec::new(), catalogue::stored(conn, params)?);
    let mut sql = Sql::new();
    sql.raw("SELECT set_id, rights, made FROM engine_set");
    let mut notes: BTreeMap<String, db::Made> = BTreeMap::new();
    for row in fetch(conn, &sql, params, &[Kind::Text, Kind::Text, Kind::Text])? {
        let [Value::Text(id), Value::Text(of), Value::Text(made)] = row.as_slice() else { continue };
        let mut made: db::Made = serde_json::from_str(made).map_err(SyncError::State)?;
        made.retain(|object, _| !object.starts_with(NOTED_BEFORE));
        for (object, digest) in &made {
            match stored.get(&**id).and_then(|stored| stored.get(object)) {
                Some(there) if there == digest => {}
                Some(_) => found.push(format!("{object} of {of} was changed")),
                None => found.push(format!("{object} of {of} is gone")),
            }
        }
        notes.insert(id.to_string(), made);
    }
    for (id, made) in &stored {
        let strange = made.keys().filter(|object| notes.get(id).is_none_or(|note| !note.contains_key(*object)));
        found.extend(strange.map(|object| format!("{object} is there but was not made here")));
    }
    Ok(found)
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

/// Makes what every table needs, and notes it.
pub(in crate::store) fn make_objects(
    conn: &mut Conn,
    statements: &Statements,
    done: &Preparation,
    params: &Params,
) -> Result<(), SyncError> {
    if done.makes.is_empty() {
        return Ok(());
    }
    run(conn, done.after())?;
    let tables = statements.tables.names();
    let tables: Vec<&str> = tables.iter().map(Name::as_str).collect();
    let mut made = db::there_of(conn, &[EVERY], &tables, params)?.remove(EVERY).unwrap_or_default();
    made.retain(|object, _| !object.starts_with(db::OTHER));
    let made = serde_json::to_string(&made).map_err(SyncError::State)?;
    let mut sql = Sql::new();
    sql.raw("INSERT INTO engine_set (set_id, rights, digest, made, at) VALUES (");
    for text in [EVERY, "every table", &done.digest, &made] {
        sql.bind(&Value::text(text), &Kind::Text).raw(", ");
    }
    sql.param(Param::Now).raw(")");
    execute(conn, &sql, params)?;
    Ok(())
}

/// All in one message: a round trip for each would be felt.
fn run<'s>(conn: &mut Conn, steps: impl Iterator<Item = &'s Step>) -> Result<(), DbError> {
    let dialect = conn.dialect();
    let text: Vec<String> = steps.flat_map(|step| step.sql(dialect)).collect();
    if text.is_empty() { Ok(()) } else { conn.batch(&text.join(";\n")) }
}

/// Whether the sets of these grants may be used: they are prepared, or need not be.
pub(in crate::store) fn is_made(
    conn: &mut Conn,
    statements: &Statements,
    grants: &Grants,
    params: &Params,
) -> Result<bool, SyncError> {
    if conn.dialect() == Dialect::Postgres && !db::missing_needs(conn, &needs(statements, grants), params)?.is_empty() {
        return Ok(false);
    }
    statements.announce(grants, conn.dialect())?;
    Ok(true)
}

/// The sets of these grants.
pub(in crate::store) fn needs(statements: &Statements, grants: &Grants) -> Vec<Need> {
    let need = |wanted: &sets::Wanted| {
        let rights = wanted.rights.key.clone();
        Need { set: statements.set_id(&rights), rights, piece: None }
    };
    sets::family(grants).iter().map(need).collect()
}

/// The same with every piece that they may ever need.
pub(in crate::store) fn whole(statements: &Statements, grants: &Grants) -> Result<Vec<Need>, SyncError> {
    let pieces = statements.pieces(Dialect::Postgres);
    let mut all = needs(statements, grants);
    for wanted in sets::family(grants) {
        let found = pieces.everything(statements, &wanted.rights).map_err(|error| SyncError::Rules(error.to_string()))?;
        let (rights, set) = (wanted.rights.key.clone(), statements.set_id(&wanted.rights.key));
        all.extend(found.into_iter().map(|piece| Need { set: set.clone(), rights: rights.clone(), piece: Some(piece) }));
    }
    Ok(all)
}

/// Drops the roles of sets that nobody holds any more, and the pieces that no set uses.
pub(in crate::store) fn sweep(conn: &mut Conn, statements: &Statements, params: &Params) -> Result<usize, SyncError> {
    if conn.dialect() == Dialect::Sqlite {
        return Ok(0);
    }
    // What roles come to is compiled before anybody has to wait for it.
    held(conn, statements, params)?;
    // Nobody is given roles meanwhile, so what is not held now is not held until this is kept.
    conn.batch("LOCK TABLE account_role IN SHARE MODE")?;
    let kept = held(conn, statements, params)?;
    let gone = db::unused(conn, &kept, params)?;
    if gone.is_empty() {
        return Ok(0);
    }
    run(conn, remove::all(&gone).iter())?;
    let ids: Vec<&str> = gone.keys().map(String::as_str).collect();
    db::forget(conn, &ids, params)?;
    Ok(gone.len())
}

/// Takes everything away that was generated, as others could.
#[cfg(test)]
pub(in crate::store) fn strip(conn: &mut Conn) -> Result<(), DbError> {
    let there: BTreeMap<String, db::Made> = match conn.dialect() {
        Dialect::Sqlite => catalogue::stored(conn, &nobody())?,
        Dialect::Postgres => db::there(conn, &nobody())?,
    };
    run(conn, remove::all(&there).iter())
}

#[cfg(test)]
fn nobody() -> Params {
    let never = chrono::NaiveDateTime::default();
    Params::new(None, never, never.date())
}
