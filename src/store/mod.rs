//! Persistent objects: the reader's table, and every write tested before and after.
//!
//! Guarantees: whoever views or loads gets exactly the rows and members their rules give, and no
//! question a client can ask touches more; a write happens only when rules grant it for the row as
//! it was *and* as it becomes; each deed is recorded in its own transaction; after a write that
//! failed half-way nothing of the transaction can be finished.
//! Deliberately not here: deciding who may do what (the permit brings the rules), beginning and
//! ending transactions (the caller owns them), and objects that are not stored.

mod bulk;
mod called;
mod data;
mod engine;
mod error;
mod explain;
mod inside;
mod links;
mod lower;
mod names;
mod offers;
mod ranges;
mod read;
mod release;
mod statements;
mod statistics;
mod sync;
mod tables;
#[cfg(test)]
mod tests;
mod trees;
mod whole;
mod write;

pub use bulk::{Bulk, value_faults};
pub use called::Called;
pub use data::SystemData;
pub use explain::explain;
pub use release::Compared;
pub use statements::Statements;
pub use statistics::{Sizes, gather, gather_outgrown, outgrown};
pub use sync::{
    Loss, Plan, Step, SyncError, apply, can_prepare, drift, drop_unused, model_in_force, plan, plan_tables, prepare, prepare_all,
};
pub use tables::Collision;
pub use trees::{Circle, circles};
pub use whole::{Pulse, StoredRow};

use crate::access::explain::{Inspected, Inspection};
use crate::access::{
    Authority, Cell, Change, Create, Delete, Denied, Grants, Ground, Holding, Layer, Load, LoadedObject, ObjectError, Objects,
    Permit, Query, Reason, Released, Rights, Rows, View, WriteError,
};
use crate::audit::{self, AuditError, Event, Who};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, Dialect, Need, Piece, Purpose};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Data, Environment, EvalError, Typed, evaluate, evaluate_strictly};
use crate::model::Model;
use chrono::NaiveDateTime;
use statements::Footing;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tables::Hop;

/// In whose name and at what moment a transaction runs.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The signed-in account; `None` for visitors and jobs.
    pub user: Option<ObjectId>,
    /// The moment the request came, in UTC.
    pub now: NaiveDateTime,
}

/// What the audit trail needs to know to record this transaction's deeds.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// The installation's keys.
    pub keys: Keys,
    /// The node whose chain is written.
    pub node: String,
    /// The clock.
    pub clock: Clock,
    /// Who acts.
    pub who: Option<Who>,
    /// The request in which they do.
    pub request_id: Option<String>,
}

/// The persistent objects inside one transaction.
#[must_use = "deeds are recorded by finish()"]
pub struct Store<'c> {
    conn: &'c mut Conn,
    statements: &'c Statements,
    caller: Caller,
    /// Where questions look: at the views of the set, or only at the tables.
    footing: Footing,
    params: Params,
    recorder: &'c Recorder,
    events: Vec<Event>,
    /// What was read to decide, for the next question of the same read transaction.
    kept: release::Kept,
    broken: bool,
}

impl<'c> Store<'c> {
    /// The objects as this caller meets them, in the transaction that the connection is in.
    pub fn new(conn: &'c mut Conn, statements: &'c Statements, caller: Caller, recorder: &'c Recorder) -> Self {
        let params = Params::new(caller.user, caller.now, caller.now.date());
        let footing = if stands(Removable::DatabaseEngine) { Footing::Reader(conn.dialect()) } else { Footing::System };
        Self { conn, statements, caller, footing, params, recorder, events: Vec::new(), kept: Default::default(), broken: false }
    }

    /// The same, for a check that asks everything once and seldom: none of its statements is kept prepared.
    pub fn passing(mut self) -> Self {
        self.params = self.params.passing();
        self
    }

    /// What a page shows something of, where its work is run again because something that it needs was not generated yet
    /// (PostgreSQL): the rest of that is made at once, and not one after the other.
    pub fn foresee(&mut self, grants: &Grants, entities: impl FnOnce() -> BTreeSet<QName>) -> Result<(), ObjectError> {
        if self.footing != Footing::Reader(Dialect::Postgres) || !self.conn.runs_again() {
            return Ok(());
        }
        let (rights, pieces) = (grants.rights(), self.statements.pieces(Dialect::Postgres));
        let (set, mut needs) = (self.statements.set_id(&rights.key), Vec::new());
        for entity in &entities() {
            let portion = pieces.portion(self.statements, rights, entity).map_err(error::lowering)?;
            let need = |piece: &Arc<Piece>| Need { set: set.clone(), rights: rights.key.clone(), piece: Some(piece.clone()) };
            // A question repeats the rules above the view, and looks through the same views as that.
            needs.extend(portion.reader.iter().chain(portion.witnesses.values()).map(need));
        }
        self.conn.foresee(needs).map_err(error::wire)
    }

    /// Records the deeds. Call it last, and commit only when it succeeded: it refuses after a write
    /// that failed half-way.
    pub fn finish(self) -> Result<(), ObjectError> {
        if self.broken {
            return Err(error::fault("a write failed half-way, so nothing of this transaction may stay"));
        }
        for mut event in self.events {
            event.caller = self.recorder.who.clone();
            event.request_id = self.recorder.request_id.clone();
            let Recorder { keys, node, clock, .. } = self.recorder;
            audit::record(self.conn, keys, node, clock, &event).map_err(|AuditError::Db(error)| error::wire(error))?;
        }
        Ok(())
    }

    /// The trusted reader of members: for deciding, never for showing.
    pub fn system_data(&mut self) -> SystemData<'_> {
        SystemData::new(self.conn, self.statements, &self.params)
    }

    /// Computes an expression over stored members, whoever may see them: for deciding, or for a
    /// calculated member that the reader may see.
    fn compute(&mut self, expression: &Typed, this: Option<ObjectId>, rights: &Rights) -> Result<Value, ObjectError> {
        let none = BTreeMap::new();
        let environment =
            Environment { this, user: self.caller.user, roles: &rights.roles, now: self.caller.now, variables: &none };
        let mut data = self.system_data();
        evaluate(expression, &environment, &mut data).map_err(|error| data.failed(error))
    }

    /// Whether a rule of the model about a stored object holds. One that cannot be computed does not.
    fn satisfies(&mut self, rule: &Typed, object: ObjectId, rights: &Rights) -> Result<bool, ObjectError> {
        let none = BTreeMap::new();
        let (this, user, now) = (Some(object), self.caller.user, self.caller.now);
        let environment = Environment { this, user, roles: &rights.roles, now, variables: &none };
        let mut data = self.system_data();
        match evaluate_strictly(rule, &environment, &mut data) {
            Ok(value) => Ok(value.holds()),
            Err(EvalError::Overflow) => Ok(false),
            Err(error) => Err(data.failed(error)),
        }
    }

    /// Asks in the name of a set of rights: through its views, and with nothing more.
    fn asked(&mut self, rights: &Rights, sql: &Sql, kinds: &[Kind]) -> Result<Vec<Vec<Value>>, ObjectError> {
        let params = self.params.clone();
        self.asked_with(rights, sql, &params, kinds)
    }

    /// The same about the objects that a query names.
    fn asked_about(&mut self, rights: &Rights, query: &Query, sql: &Sql, kinds: &[Kind]) -> Result<Vec<Vec<Value>>, ObjectError> {
        let params = self.params.about(query.object, query.along.as_ref().map(|(_, object, _)| *object));
        self.asked_with(rights, sql, &params, kinds)
    }

    fn asked_with(
        &mut self,
        rights: &Rights,
        sql: &Sql,
        params: &Params,
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Value>>, ObjectError> {
        if !self.footing.is_reader() {
            return fetch(self.conn, sql, params, kinds).map_err(error::wire);
        }
        let standing = self.statements.standing(rights, self.caller, self.conn.dialect());
        let found = self.conn.within(&standing, Purpose::Read, |conn| fetch(conn, sql, params, kinds));
        found.map_err(|error| error::granted(|| format!("a question of {}", rights.key), error))
    }

    /// The connection, for other work in the same transaction.
    pub fn conn(&mut self) -> &mut Conn {
        self.conn
    }

    /// A write that failed after it began leaves something behind: then nothing may stay.
    fn guarded<T>(&mut self, deed: impl FnOnce(&mut Self) -> Result<T, WriteError>) -> Result<T, WriteError> {
        let done = deed(self);
        self.broken |= done.is_err();
        done
    }
}

/// A permit is good for the entity it names only.
fn matches(target: &QName, entity: &QName) -> Result<(), ObjectError> {
    if target == entity {
        return Ok(());
    }
    let reason = Reason::Other(Ground::ForeignPermit, format!("a permit for {target} was shown for {entity}"));
    Err(Denied::new(Layer::EntityAccess, reason).into())
}

/// Rows that both hands give: the reader's table, and the decision in memory.
fn released(store: &mut Store<'_>, rights: &Rights, query: &Query) -> Result<Rows, ObjectError> {
    let (rows, next) = read::view(store, rights, query)?;
    release::rows(store, rights, query, &rows, next)?;
    Ok(rows)
}

/// A figure over rows that both give, if they are few; else what the reader's table gives.
fn released_figure(store: &mut Store<'_>, rights: &Rights, query: &Query, sum: Option<&Name>) -> Result<Cell, ObjectError> {
    match release::of_few(store, rights, query, sum)? {
        Some(figure) => Ok(figure),
        None => read::figure(store, rights, query, sum),
    }
}

impl Objects for Store<'_> {
    fn view(&mut self, permit: &Permit<View>, query: &Query) -> Result<Released<Rows>, ObjectError> {
        matches(permit.target(), &query.entity)?;
        Ok(permit.release(release::decided(|| released(self, permit.rights(), query))?))
    }

    fn figure(&mut self, permit: &Permit<View>, query: &Query, sum: Option<&Name>) -> Result<Released<Cell>, ObjectError> {
        matches(permit.target(), &query.entity)?;
        Ok(permit.release(release::decided(|| released_figure(self, permit.rights(), query, sum))?))
    }

    fn load(&mut self, permit: &Permit<Load>, query: &Query) -> Result<Vec<LoadedObject>, ObjectError> {
        matches(permit.target(), &query.entity)?;
        read::load(self, permit.rights(), query)
    }

    fn create(&mut self, permit: &Permit<Create>, values: &BTreeMap<Name, Value>) -> Result<ObjectId, WriteError> {
        self.guarded(|store| write::create(store, permit, values))
    }

    fn change(
        &mut self,
        permit: &Permit<Change>,
        object: ObjectId,
        version: Option<i64>,
        values: &BTreeMap<Name, Value>,
    ) -> Result<(), WriteError> {
        self.guarded(|store| write::change(store, permit, object, version, values))
    }

    fn delete(&mut self, permit: &Permit<Delete>, object: ObjectId, version: Option<i64>) -> Result<(), WriteError> {
        self.guarded(|store| write::delete(store, permit, object, version))
    }

    fn lock(&mut self, permit: &Permit<Load>, object: ObjectId) -> Result<(), WriteError> {
        write::lock(self, permit, object)
    }

    fn inspect(&mut self, permit: &Permit<View>, asked: &Inspection) -> Result<Option<Released<Inspected>>, ObjectError> {
        Ok(Some(permit.release(explain::inspect(self, permit.rights(), permit.target(), asked)?)))
    }

    fn holding(&mut self, permit: &Permit<View>, objects: &[ObjectId]) -> Result<Option<Released<Holding>>, ObjectError> {
        Ok(Some(permit.release(offers::holding(self, permit.rights(), permit.target(), objects)?)))
    }

    fn identity(&mut self, name: &Name) -> Result<Value, EvalError> {
        let (entity, Some(user)) = (Model::user_entity(), self.caller.user) else { return Ok(Value::Empty) };
        let hop = self.statements.tables.hop(&entity, name);
        let mut data = self.system_data();
        match hop {
            Some((Hop::Link(_) | Hop::Back { many: true, .. }, _)) => data.many(&entity, user, name).map(Value::List),
            _ => data.member(&entity, user, name),
        }
    }
}
