//! What explanations are computed from: rows as they are, read by the system, and never more than is asked for.
//!
//! Guarantees: an explanation reads and writes nothing on its own; of what it reads, only steps that were told to the
//! reader by their own rights leave ([`crate::access::explain`]); how many rows exist is counted over the model's
//! constraint alone, and not at all where the reader could steer it.
//! Deliberately not here: the client's filters. No count in this file knows them.

use super::data::SystemData;
use super::error::{fault, lowering, wire};
use super::lower::{Condition, Lower};
use super::statements::ROW;
use super::{Statements, Store};
use crate::access::explain::{self, Case, Explanation, Facts, Inspected, Inspection, Person, Question, depends_on_choice};
use crate::access::{Inside, ObjectError, Rights, Total};
use crate::db::Conn;
use crate::db::sql::{Params, Sql, fetch};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Data, EvalError};
use std::collections::BTreeMap;

/// Rows are counted up to this.
const MOST_COUNTED: u32 = 10_000;
/// One explanation, or those of one list, ask for at most so many values.
const MOST_READ: u32 = 5_000;

/// System data with a bound, that also knows what is there.
struct Bounded<'a> {
    data: SystemData<'a>,
    left: u32,
}

impl Bounded<'_> {
    fn step(&mut self) -> Result<(), EvalError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| EvalError::Data("too much to explain at once".into()))?;
        Ok(())
    }
}

impl Data for Bounded<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        self.step()?;
        self.data.member(entity, object, name)
    }
    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        self.step()?;
        self.data.many(entity, object, name)
    }
}

impl Facts for Bounded<'_> {
    fn exists(&mut self, entity: &QName, object: ObjectId) -> Result<bool, EvalError> {
        self.step()?;
        self.data.exists(entity, object)
    }
}

/// Explains a decision about stored objects, whoever it was made for.
pub fn explain(conn: &mut Conn, statements: &Statements, case: &Case<'_>, question: &Question) -> Explanation {
    let params = Params::new(case.subject.user, case.now, case.now.date());
    let mut facts = Bounded { data: SystemData::new(conn, statements, &params), left: MOST_READ };
    explain::explain(case, question, &mut facts)
}

/// The rules of a reader on some objects, told to that reader.
pub(super) fn inspect(
    store: &mut Store<'_>,
    rights: &Rights,
    entity: &QName,
    asked: &Inspection,
) -> Result<Inspected, ObjectError> {
    let existing = match &asked.existing {
        Some(inside) => existing(store, rights, entity, inside.as_ref())?,
        None => None,
    };
    let reader = Person { rights, user: store.caller.user };
    let model = store.statements.model().clone();
    let case = Case { model: &model, subject: reader, asker: Some(reader), now: store.caller.now };
    let mut facts = Bounded { data: store.system_data(), left: MOST_READ };
    let objects = explain::inspect(&case, entity, asked, &mut facts);
    let explanations = asked.questions.iter().map(|question| explain::explain(&case, question, &mut facts)).collect();
    Ok(Inspected { objects, explanations, existing })
}

/// How many rows the model's constraint admits, whoever may see them.
// SECURITY: no search, filter, order or page of the client comes here, and no constraint that the reader can steer
// (`the_count_of_absent_rows_cannot_be_steered`).
fn existing(
    store: &mut Store<'_>,
    rights: &Rights,
    entity: &QName,
    inside: Option<&Inside>,
) -> Result<Option<Total>, ObjectError> {
    if inside.is_some_and(|inside| depends_on_choice(store.statements.model(), rights, &inside.condition)) {
        return Ok(None);
    }
    let table = store.statements.tables.get(entity).ok_or_else(|| fault("this entity is not stored"))?.clone();
    let none = BTreeMap::new();
    let lower = Lower::new(&store.statements.tables, rights, &none);
    let admitted = match inside {
        Some(inside) => lower.condition_at(&inside.condition, ROW).map_err(lowering)?,
        None => Condition::Always,
    };
    let mut sql = Sql::new();
    sql.raw("SELECT count(*) FROM (SELECT 1 FROM ").ident(&table.name).raw(" AS ").ident(ROW);
    sql.raw(" WHERE ").append(&admitted.sql()).raw(" LIMIT ").int(i64::from(MOST_COUNTED) + 1).raw(") AS c");
    let found = fetch(store.conn, &sql, &store.params, &[Kind::INTEGER]).map_err(wire)?;
    let Some(Value::Integer(count)) = found.first().and_then(|row| row.first()) else { return Err(fault("a count has no row")) };
    let count = u32::try_from(*count).unwrap_or(u32::MAX);
    Ok(Some(Total { count: count.min(MOST_COUNTED), capped: count > MOST_COUNTED }))
}
