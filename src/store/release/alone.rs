//! The database asked alone: what the generated views of a set of rights give of some rows, and what else its
//! role reaches, against what memory decides.
//!
//! Guarantees: a policy that is gone or lets every row through, row-level security that is switched off, a view
//! that forgot its rows or a mask is found over the rows of the sample, because the question has no rule of the
//! layers above in it, which would hide it; a table or a view of others that the set's reader reaches is found.
//! Deliberately not here: what a set may write. For that what was generated is compared with the catalogue: here with
//! that of the connection that was asked (SQLite), else in `store::drift`.

use super::agreement::{MOST_TOLD, sample};
use super::decide::about;
use super::question::{Question, alike};
use super::reader::{Decided, Reader, Stop};
use super::values::At;
use super::{Compared, reader, settled};
use crate::access::{Disagreement, EntityRights, Grants, Layer, ObjectError, Query, Rights};
use crate::db::sql::{Sql, fetch};
use crate::db::{self, DbError, Dialect, Need, Piece, Purpose};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::store::error::{fault, lowering, wire};
use crate::store::statements::{Footing, Readable, Source};
use crate::store::tables::{OWNER, TARGET, Table};
use crate::store::{Store, SyncError, engine, model_in_force, names};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What a role of users may read at all: views that were given to its set, in no schema anything else but what extensions
/// show.
const REACH: &str = "
    SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND has_schema_privilege(n.oid, 'USAGE') AND (n.nspname = current_schema() OR NOT EXISTS (SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
        AND (has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') OR has_table_privilege(c.oid, 'DELETE, TRUNCATE'))
    UNION ALL SELECT 'every table' FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";

/// What the database answered, or why it did not.
type Answered = Result<Vec<Vec<Value>>, String>;

/// What the views of a set gave of an entity.
#[derive(Default)]
struct Given<'r> {
    /// Rows, with a value for each of the members.
    rows: HashMap<ObjectId, Vec<Value>>,
    members: Vec<&'r Name>,
    /// Rows that are not given themselves, but some of whose links are.
    linked: BTreeSet<ObjectId>,
}

impl Store<'_> {
    /// Compares what the database alone gives with the decision in memory, for the set of these grants and each
    /// elevated set of its family. Sets that were not made of this model are left out: nobody works with them.
    pub fn compare_alone(&mut self, grants: &Grants, turn: u64) -> Result<Compared, ObjectError> {
        let mut all = Compared::default();
        let made = |error| match error {
            SyncError::Db(error) => wire(error),
            other => ObjectError::Fault(other.into()),
        };
        if !self.footing.is_reader() || !engine::is_made(self.conn, self.statements, grants, &self.params).map_err(made)? {
            return Ok(all);
        }
        // Before a model was applied there are no tables (SQLite, where nothing has to be made for a set).
        if model_in_force(self.conn).map_err(wire)?.is_empty() {
            return Ok(all);
        }
        for wanted in engine::sets::family(grants) {
            let rights = &wanted.rights;
            // On SQLite both connections see one state of the data from here on.
            match ask(self, rights, None)? {
                Ok(_) => self.compare_set(rights, turn, &mut all)?,
                Err(why) => all.differences.push(shut(format!("the set {}", rights.key), &why)),
            }
        }
        let changed = self.conn.shelf_faults().map_err(wire)?;
        all.differences.extend(changed.into_iter().map(|what| engine_differs(what, "not as it was made", "made of the rules")));
        Ok(all)
    }

    fn compare_set(&mut self, rights: &Rights, turn: u64, all: &mut Compared) -> Result<(), ObjectError> {
        let own = rights.entities.values().filter(|of| of.entity.persistable && !of.readable.is_empty());
        let mut entities = made(self, rights, own.map(|of| &**of).collect())?;
        all.differences.extend(reached(self, rights, &entities)?);
        entities.sort_by(|a, b| a.entity.name.cmp(&b.entity.name));
        for of in entities {
            let rows = sample(self, &of.entity.name, turn)?;
            if !rows.is_empty() {
                all.rows += rows.len();
                all.differences.extend(compare(self, rights, of, &rows)?);
            }
        }
        Ok(())
    }
}

/// The entities for which the views of this set were made in PostgreSQL: of the others nobody has read anything yet.
fn made<'r>(
    store: &mut Store<'_>,
    rights: &Rights,
    entities: Vec<&'r EntityRights>,
) -> Result<Vec<&'r EntityRights>, ObjectError> {
    if store.conn.dialect() == Dialect::Sqlite {
        return Ok(entities);
    }
    let (statements, set) = (store.statements, store.statements.set_id(&rights.key));
    let given = db::given(store.conn, &set, &store.params).map_err(wire)?;
    let (mut needs, mut found) = (Vec::new(), BTreeMap::new());
    for of in entities {
        // What nobody has used is not composed only to be looked for.
        let Some(table) = statements.tables.get(&of.entity.name) else { continue };
        if !given.iter().any(|view| names::is_of(view, &table.name)) {
            continue;
        }
        let portion = statements.pieces(Dialect::Postgres).portion(statements, rights, &of.entity.name).map_err(lowering)?;
        if let Some(reader) = &portion.reader {
            found.insert(reader.id.clone(), of);
            needs.push(Need { set: set.clone(), rights: rights.key.clone(), piece: Some(reader.clone()) });
        }
    }
    let missing = db::missing_needs(store.conn, &needs, &store.params).map_err(wire)?;
    let missing: BTreeSet<&str> = missing.iter().filter_map(|need| Some(&*need.piece.as_ref()?.id)).collect();
    Ok(found.into_iter().filter(|(id, _)| !missing.contains(&**id)).map(|(_, of)| of).collect())
}

/// Asks as the reader of a set, with nothing but the question; nothing at all only takes its rights on.
fn ask(store: &mut Store<'_>, rights: &Rights, question: Option<(&Sql, &[Kind])>) -> Result<Answered, ObjectError> {
    let (standing, params) = (store.statements.standing(rights, store.caller, store.conn.dialect()), store.params.clone());
    let ask = |conn: &mut crate::db::Conn| {
        conn.within(&standing, Purpose::Read, |conn| match question {
            Some((sql, kinds)) => fetch(conn, sql, &params, kinds),
            None => conn.take_on().map(|()| Vec::new()),
        })
    };
    // PostgreSQL goes on after an error only from a savepoint; SQLite lends users a connection outside of one.
    let answered = match store.conn.dialect() {
        Dialect::Postgres => store.conn.savepoint(|conn| conn.as_it_is(ask)),
        Dialect::Sqlite => ask(store.conn),
    };
    match answered {
        Err(passing) if passing.is_passing() => Err(wire(passing)),
        // What is forbidden is told by name. Other errors may repeat values, which are not for the trail.
        Err(DbError::Forbidden(source)) => Ok(Err(source.to_string())),
        answered => Ok(answered.map_err(|_| "an error of the database".to_owned())),
    }
}

/// What the reader of a set reaches beyond its views (PostgreSQL; SQLite's guard reads no grants).
fn reached(store: &mut Store<'_>, rights: &Rights, made: &[&EntityRights]) -> Result<Vec<Disagreement>, ObjectError> {
    if store.conn.dialect() == Dialect::Sqlite {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new();
    sql.raw(REACH);
    let found: Vec<String> = match ask(store, rights, Some((&sql, &[Kind::Text])))? {
        Ok(rows) => rows.iter().filter_map(|row| row.first()?.as_text()).map(str::to_owned).collect(),
        Err(why) => return Ok(vec![shut(format!("the set {}", rights.key), &why)]),
    };
    let (pieces, made) = (store.statements.pieces(Dialect::Postgres), made.iter().map(|of| &of.entity.name));
    let own = pieces.readable(store.statements, rights, &mut made.into_iter()).map_err(lowering)?;
    let strange = |own: &[Arc<Piece>], found: Vec<String>| -> Vec<String> {
        // SECURITY: views only. A piece also lists the table that is written through it, which no reader reaches
        // (`whatever_the_owner_takes_out_of_postgresql_gives_nobody_anything_and_is_recorded`).
        let own: BTreeSet<&str> = own.iter().flat_map(|piece| piece.views()).collect();
        found.into_iter().filter(|what| !own.contains(what.as_str())).collect()
    };
    let mut found = strange(&own, found);
    if !found.is_empty() {
        // All that the set may ever be given.
        found = strange(&pieces.everything(store.statements, rights).map_err(lowering)?, found);
    }
    let told = |what: String| engine_differs(format!("{what} before {}", rights.key), "within reach", "no view of this set");
    Ok(found.into_iter().take(MOST_TOLD).map(told).collect())
}

fn compare(
    store: &mut Store<'_>,
    rights: &Rights,
    of: &EntityRights,
    rows: &[ObjectId],
) -> Result<Vec<Disagreement>, ObjectError> {
    let name = &of.entity.name;
    let compiled = store.statements.compiled_on(rights, name, Footing::Maker).map_err(lowering)?;
    let compiled = compiled.ok_or_else(|| fault("a set without rules"))?;
    let readable: Vec<(&Name, &Readable)> = compiled.readable.iter().collect();
    let given = match given(store, rights, &compiled.table, &readable, rows)? {
        Ok(answered) => answered,
        Err(why) => return Ok(vec![shut(name.to_string(), &why)]),
    };
    let query = Query::of(name, Vec::new());
    let (mut reader, at) = reader(store, rights, name)?;
    let question = Question { query: &query, at, plan: reader.values.plan(at)?.clone() };
    given.members.iter().for_each(|member| reader.prepare(at, std::slice::from_ref(*member), true));
    reader.prepare_caller();
    reader.values.want(at, rows.iter().copied());
    let mut told = settled(store, &mut reader, |reader, found| {
        for id in rows {
            let about = || about(&question, *id);
            let line = given.rows.get(id);
            let there = |visible: bool| line.is_some() || (!visible && given.linked.contains(id));
            let differs = reader.visible(at, *id).map(|visible| row(visible, there(visible)));
            found.take(differs.map(|differs| differs.map(|(gave, ought)| engine_differs(about(), gave, ought))))?;
            for (member, value) in given.members.iter().zip(line.into_iter().flatten()) {
                let told = |(gave, ought)| engine_differs(format!("{}.{member}", about()), gave, ought);
                found.take(cell(reader, at, *id, member, value).map(|differs| differs.map(told)))?;
            }
        }
        Ok(())
    })?;
    told.truncate(MOST_TOLD);
    Ok(told)
}

/// What the set's views give of these rows, and of which members: one statement, and one for each list of links.
fn given<'r>(
    store: &mut Store<'_>,
    rights: &Rights,
    table: &Table,
    readable: &[(&'r Name, &'r Readable)],
    rows: &[ObjectId],
) -> Result<Result<Given<'r>, String>, ObjectError> {
    let mut all = Given::default();
    let names = store.statements.names(rights, &table.entity.name, store.footing).map_err(lowering)?;
    let names = names.ok_or_else(|| fault("a set without views"))?;
    let (mut sql, mut kinds) = (Sql::new(), vec![Kind::Object(table.entity.name.clone())]);
    sql.raw("SELECT v.id");
    for (member, of) in readable.iter().filter(|(_, of)| matches!(of.value, Source::Sql(_))) {
        let column = engine::masked_column(table, member).ok_or_else(|| fault("a member has no column in its view"))?;
        sql.raw(", v.").ident(&column);
        kinds.push(of.kind.clone());
        all.members.push(*member);
    }
    sql.raw(" FROM ").ident(names.reader(&table.name)).raw(" AS v WHERE v.id IN ").append(&keys(rows)).uncacheable();
    match ask(store, rights, Some((&sql, &kinds)))? {
        Ok(found) => found.into_iter().for_each(|line| {
            let mut line = line.into_iter();
            if let Some(Value::Object(id)) = line.next() {
                all.rows.insert(id, line.collect());
            }
        }),
        Err(why) => return Ok(Err(why)),
    }
    for (member, of) in readable {
        let Source::Link(link) = &of.value else { continue };
        let mut lists = match links(store, rights, &names.reader(link), rows)? {
            Ok(lists) => lists,
            Err(why) => return Ok(Err(why)),
        };
        all.rows.iter_mut().for_each(|(id, line)| line.push(Value::List(lists.remove(id).unwrap_or_default())));
        all.members.push(*member);
        all.linked.extend(lists.into_keys());
    }
    Ok(Ok(all))
}

fn links(
    store: &mut Store<'_>,
    rights: &Rights,
    view: &Name,
    rows: &[ObjectId],
) -> Result<Result<BTreeMap<ObjectId, Vec<ObjectId>>, String>, ObjectError> {
    let key = Kind::Object(crate::model::Model::user_entity());
    let mut sql = Sql::new();
    sql.raw("SELECT v.").ident(OWNER).raw(", v.").ident(TARGET).raw(" FROM ").ident(view).raw(" AS v WHERE v.").ident(OWNER);
    sql.raw(" IN ").append(&keys(rows)).uncacheable();
    let answered = ask(store, rights, Some((&sql, &[key.clone(), key])))?;
    Ok(answered.map(|found| {
        let mut lists: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
        for pair in found {
            if let [Value::Object(from), Value::Object(to)] = pair.as_slice() {
                lists.entry(*from).or_default().push(*to);
            }
        }
        lists.values_mut().for_each(|list| list.sort_unstable());
        lists
    }))
}

/// `(1, 2, 3)`: keys that the database itself gave out. A set may call no function that takes a list apart.
fn keys(rows: &[ObjectId]) -> Sql {
    let mut sql = Sql::new();
    sql.raw("(");
    for (at, id) in rows.iter().enumerate() {
        sql.raw(if at == 0 { "" } else { ", " }).int(id.0);
    }
    sql.raw(")");
    sql
}

/// What the database did with a row, and what was to be done.
fn row(visible: bool, given: bool) -> Option<(&'static str, &'static str)> {
    match (visible, given) {
        (false, true) => Some(("given", "no rule that lets it be read holds")),
        (true, false) => Some(("not given", "to be shown")),
        _ => None,
    }
}

/// The same with a cell of a row that is given.
fn cell(
    reader: &mut Reader<'_>,
    at: At,
    id: ObjectId,
    member: &Name,
    given: &Value,
) -> Decided<Option<(&'static str, &'static str)>> {
    if !reader.visible(at, id)? {
        // That the row is given has been said.
        return Ok(None);
    }
    if !reader.shown(at, id, member)? {
        let nothing = given.is_empty() || matches!(given, Value::List(all) if all.is_empty());
        return Ok((!nothing).then_some(("given", "withheld: no rule that lets it be read holds")));
    }
    let stored = match reader.value(at, id, member) {
        // A calculated member that cannot be computed is nobody's to compare.
        Err(Stop::Failed(_)) => return Ok(None),
        stored => stored?,
    };
    Ok((!alike(given, &stored)).then_some(("another value, or none", "shown as it is")))
}

fn engine_differs(about: String, gave: &str, ought: &str) -> Disagreement {
    let (first, second) = ((Layer::DatabaseEngine, gave.to_owned()), (Layer::Release, ought.to_owned()));
    Disagreement { about, first, second }
}

/// The database did not answer what it was told to answer.
fn shut(about: String, why: &str) -> Disagreement {
    engine_differs(about, &format!("not answered: {why}"), "to be answered")
}
