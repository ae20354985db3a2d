//! The agreement check: what the reader's table gives of some rows, against what memory decides.
//!
//! Requests decide only what the reader's table gave. Here the question is put the other way round too:
//! a row or a cell that memory would show and the table does not give is a difference as well, and so is
//! a rule that was dropped while another layer hides it.

use super::question::Question;
use super::{decide, differ, reader, settled};
use crate::access::{Disagreement, EntityRights, Inside, ObjectError, Query, Rights};
use crate::db::sql::{Sql, fetch};
use crate::domain::{Kind, ObjectId, QName, Value};
use crate::store::error::{fault, wire};
use crate::store::statements::Footing;
use crate::store::{Store, read};

/// Half of the rows that are compared are the newest, the other half begins at a place that moves.
const HALF: u32 = 100;
/// At most so many differences are told of one entity and one caller.
pub(super) const MOST_TOLD: usize = 5;

/// What was compared, and what differed.
#[derive(Debug, Default)]
pub struct Compared {
    /// Entities that were looked at, counted for each caller,
    pub entities: usize,
    /// and their rows.
    pub rows: usize,
    /// Differences between layers.
    pub differences: Vec<Disagreement>,
}

impl Store<'_> {
    /// Compares the reader's table with the decision in memory over a bounded sample of each entity's
    /// rows. `turn` moves the sample on from one check to the next.
    ///
    /// The table is asked without the views of the set, so that what those hide is found too.
    pub fn compare(&mut self, rights: &Rights, turn: u64) -> Result<Compared, ObjectError> {
        let footing = std::mem::replace(&mut self.footing, Footing::System);
        let compared = self.compare_tables(rights, turn);
        self.footing = footing;
        compared
    }

    fn compare_tables(&mut self, rights: &Rights, turn: u64) -> Result<Compared, ObjectError> {
        let mut all = Compared::default();
        let mut entities: Vec<&EntityRights> = rights.entities.values().map(|rights| &**rights).collect();
        entities.sort_by(|a, b| a.entity.name.cmp(&b.entity.name));
        for entity in entities.into_iter().filter(|found| found.entity.persistable && !found.readable.is_empty()) {
            all.entities += 1;
            let sample = sample(self, &entity.entity.name, turn)?;
            if !sample.is_empty() {
                all.rows += sample.len();
                compare(self, rights, entity, sample, &mut all.differences)?;
            }
        }
        Ok(all)
    }
}

/// The newest rows, and some from a place that moves with each turn.
pub(super) fn sample(store: &mut Store<'_>, entity: &QName, turn: u64) -> Result<Vec<ObjectId>, ObjectError> {
    let table = store.statements.tables.get(entity).ok_or_else(|| fault("this entity is not stored"))?.clone();
    let kind = [Kind::Object(entity.clone())];
    let mut newest = Sql::new();
    newest.raw("SELECT id FROM ").ident(&table.name).raw(" ORDER BY id DESC LIMIT ").int(i64::from(HALF));
    let mut found = fetch(store.conn, &newest, &store.params, &kind).map_err(wire)?;
    let last = found.first().and_then(|row| row.first()).and_then(Value::as_object).map_or(0, |id| id.0);
    if found.len() == HALF as usize {
        let start = i64::try_from(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1).unwrap_or(0).checked_rem(last).unwrap_or(0);
        let mut further = Sql::new();
        further.raw("SELECT id FROM ").ident(&table.name).raw(" WHERE id >= ").int(start).raw(" ORDER BY id LIMIT ");
        further.int(i64::from(HALF));
        // The place differs from turn to turn, so the statement is not kept.
        further.uncacheable();
        found.extend(fetch(store.conn, &further, &store.params, &kind).map_err(wire)?);
    }
    let mut ids: Vec<ObjectId> = found.iter().filter_map(|row| row.first()?.as_object()).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn compare(
    store: &mut Store<'_>,
    rights: &Rights,
    entity: &EntityRights,
    sample: Vec<ObjectId>,
    into: &mut Vec<Disagreement>,
) -> Result<(), ObjectError> {
    let name = &entity.entity.name;
    let paths = entity.readable.keys().filter(|member| entity.entity.has_member(member)).map(|member| vec![member.clone()]);
    let mut query = Query::of(name, paths.collect());
    query.limit = u32::try_from(sample.len()).unwrap_or(u32::MAX);
    query.inside = Some(Inside::one_of(name, &sample));
    let (answer, _) = read::view(store, rights, &query)?;
    let (mut reader, at) = reader(store, rights, name)?;
    let question = Question { query: &query, at, plan: reader.values.plan(at)?.clone() };
    query.paths.iter().for_each(|path| reader.prepare(at, path, false));
    reader.prepare_caller();
    reader.values.want(at, sample.iter().copied());
    let missed: Vec<ObjectId> = sample.into_iter().filter(|id| !answer.rows.iter().any(|row| row.id == *id)).collect();
    let told = settled(store, &mut reader, |reader, found| {
        decide::rows(reader, &question, &answer, found)?;
        for id in &missed {
            // A row that memory would show and the reader's table did not give.
            let hidden =
                |why: Option<&str>| why.is_none().then(|| differ(decide::about(&question, *id), "not given", "to be shown"));
            found.take(question.refuses(reader, *id, None).map(hidden))?;
        }
        Ok(())
    })?;
    into.extend(told.into_iter().take(MOST_TOLD));
    Ok(())
}
