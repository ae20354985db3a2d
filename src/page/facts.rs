//! What is known about the objects on a page, and evaluation over exactly that.
//!
//! Facts come from released rows only (and from model text, the caller's own name, and what the
//! caller typed). Whatever is evaluated over them is derived, so it is released too. A value that
//! is needed but was not asked for is fetched through the reader's own grants, never around them.

use super::paths::{Step, step};
use super::told::Told;
use super::{PageContext, PageError};
use crate::access::{Cell, Permit, Query, Row, Rows, View};
use crate::domain::{Name, ObjectId, QName, Spread, Value};
use crate::expr::{Data, EvalError};
use crate::model::{Model, Path};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;
use std::sync::Arc;

/// At most so many values are fetched one by one for a page; what exceeds that stays withheld.
const MOST_FETCHED: u32 = 300;
/// Lists longer than this are not aggregated by a page.
const LONGEST_LIST: u32 = 1_000;

type Object = (QName, ObjectId);
/// By names of the model and keys of objects.
type Known<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// Cells of objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    members: Known<Object, Known<Name, Cell>>,
    lists: Known<Object, Known<Name, Option<Vec<ObjectId>>>>,
}

impl Cells {
    /// Adds one cell.
    pub(super) fn put(&mut self, entity: &QName, id: ObjectId, member: &Name, cell: Cell) {
        self.members.entry((entity.clone(), id)).or_default().insert(member.clone(), cell);
    }
    /// One cell, if it is known.
    pub(super) fn cell(&self, entity: &QName, id: ObjectId, member: &str) -> Option<&Cell> {
        self.members.get(&(entity.clone(), id))?.get(member)
    }
    fn extend(&mut self, other: Self) {
        for (object, cells) in other.members {
            self.members.entry(object).or_default().extend(cells);
        }
        for (object, lists) in other.lists {
            self.lists.entry(object).or_default().extend(lists);
        }
    }
    /// The cells of a row, each at the object it belongs to.
    fn row(&mut self, model: &Model, entity: &QName, paths: &[Path], row: &Row) {
        for (path, cell) in paths.iter().zip(&row.cells) {
            let Some((last, way)) = path.split_last() else { continue };
            let owner = way.iter().enumerate().try_fold((entity.clone(), row.id), |(at, _), (index, name)| {
                let Some(Step::ToOne(target)) = step(model, &at, name) else { return None };
                let before: &[Name] = path.get(..=index)?;
                let link = paths.iter().position(|p| p.as_slice() == before)?;
                Some((target, row.cells.get(link)?.value()?.as_object()?))
            });
            if let Some((entity, id)) = owner {
                self.put(&entity, id, last, cell.clone());
            }
        }
    }
}

/// A value that an evaluation needed and that is not known yet.
#[derive(Debug)]
enum Missing {
    Member(QName, ObjectId, Name),
    List(QName, ObjectId, Name),
}

/// Cells as an evaluation reads them.
pub(super) struct Reading<'c> {
    cells: &'c Cells,
    missing: Option<Missing>,
}

impl Reading<'_> {
    fn cell(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        match self.cells.cell(entity, object, name) {
            Some(Cell::Shown(value)) => Ok(value.clone()),
            Some(Cell::Withheld) => Err(EvalError::Withheld(entity.clone(), name.clone())),
            None => {
                self.missing.get_or_insert_with(|| Missing::Member(entity.clone(), object, name.clone()));
                Err(EvalError::Data("not read yet".into()))
            }
        }
    }
    /// A cell for showing: withheld where it cannot be had.
    pub(super) fn shown(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Cell {
        self.cell(entity, object, name).map_or(Cell::Withheld, Cell::Shown)
    }
}

impl Data for Reading<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        self.cell(entity, object, name)
    }
    fn calculated(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Option<Result<Value, EvalError>> {
        Some(self.cell(entity, object, name))
    }
    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        match self.cells.lists.get(&(entity.clone(), object)).and_then(|lists| lists.get(name)) {
            Some(Some(ids)) => Ok(ids.clone()),
            Some(None) => Err(EvalError::Withheld(entity.clone(), name.clone())),
            None => {
                self.missing.get_or_insert_with(|| Missing::List(entity.clone(), object, name.clone()));
                Err(EvalError::Data("not read yet".into()))
            }
        }
    }
}

/// The reader's permits to view, each decided once.
pub(super) struct Permits {
    decided: Known<QName, Option<Rc<Permit<View>>>>,
}

impl Permits {
    /// None decided yet.
    pub(super) fn new() -> Self {
        Self { decided: Known::default() }
    }
    /// The permit to view an entity, if the reader has one.
    pub(super) fn view(&mut self, context: &PageContext<'_>, entity: &QName) -> Option<Rc<Permit<View>>> {
        if let Some(known) = self.decided.get(entity) {
            return known.clone();
        }
        let permit = context.grants.view(entity).ok().map(Rc::new);
        self.decided.insert(entity.clone(), permit.clone());
        permit
    }
    /// Whether a path may be asked for: every member on it may be read in some row. The right to
    /// the other side of an association is the right to the member that owns it; it can be passed
    /// through, not asked for itself.
    pub(super) fn readable(&mut self, context: &PageContext<'_>, entity: &QName, path: &[Name]) -> bool {
        let model = context.grants.model();
        let mut at = entity.clone();
        for (index, name) in path.iter().enumerate() {
            let last = index + 1 == path.len();
            let (owner, member, next) = match step(model, &at, name) {
                Some(Step::ToOne(target)) => (at.clone(), name.clone(), target),
                Some(Step::Inverse { owner, association, many: false }) if !last => (owner.clone(), association, owner),
                Some(Step::Attribute | Step::ToMany(_)) if last => (at.clone(), name.clone(), at.clone()),
                _ => return false,
            };
            if !self.view(context, &owner).is_some_and(|permit| permit.may_read(&member)) {
                return false;
            }
            at = next;
        }
        !path.is_empty()
    }
}

/// All that is known so far.
pub(super) struct Facts {
    told: Told<Cells>,
    fetched: u32,
    model: Arc<Model>,
}

impl Facts {
    /// Nothing known but the reader's own name and address.
    pub(super) fn about(context: &PageContext<'_>) -> Self {
        let mut cells = Cells::default();
        if let Some(user) = context.reader.user {
            let entity = Model::user_entity();
            for (member, text) in [("name", &context.reader.name), ("email", &context.reader.email)] {
                cells.put(&entity, user, &Name::new(member), Cell::Shown(Value::text(text)));
            }
        }
        Self { told: Told::fixed(cells), fetched: 0, model: context.grants.model().clone() }
    }

    /// Adds cells.
    pub(super) fn learn(&mut self, cells: Told<Cells>) {
        let known = std::mem::replace(&mut self.told, Told::fixed(Cells::default()));
        self.told = known.join(cells).map(|(mut known, cells)| {
            known.extend(cells);
            known
        });
    }

    /// Adds the cells of released rows.
    pub(super) fn learn_rows(&mut self, entity: &QName, paths: &[Path], rows: &Told<Rows>) {
        let model = self.model.clone();
        let cells = rows.derive(|rows| {
            let mut cells = Cells::default();
            rows.rows.iter().for_each(|row| cells.row(&model, entity, paths, row));
            cells
        });
        self.learn(cells);
    }

    /// Makes something from the facts; what turns out to be missing is fetched, and it is made again.
    pub(super) fn tell<T>(
        &mut self,
        context: &mut PageContext<'_>,
        permits: &mut Permits,
        make: impl Fn(&mut Reading<'_>) -> T,
    ) -> Result<Told<T>, PageError> {
        loop {
            let mut missing = None;
            let told = self.told.derive(|cells| {
                let mut reading = Reading { cells, missing: None };
                let made = make(&mut reading);
                missing = reading.missing;
                made
            });
            let Some(missing) = missing else { return Ok(told) };
            let cells = match self.fetched < MOST_FETCHED {
                true => self.fetch(context, permits, &missing)?,
                false => withheld(&missing),
            };
            self.fetched += 1;
            self.learn(cells);
        }
    }

    fn fetch(&self, context: &mut PageContext<'_>, permits: &mut Permits, missing: &Missing) -> Result<Told<Cells>, PageError> {
        let (entity, id, name) = match missing {
            Missing::Member(entity, id, name) | Missing::List(entity, id, name) => (entity, *id, name),
        };
        if *entity == Model::user_entity() && context.reader.user == Some(id) {
            return Ok(identity(context.objects.identity(name), missing));
        }
        let Some(found) = step(&self.model, entity, name) else { return Ok(withheld(missing)) };
        let (asked, reads, of) = match &found {
            Step::Attribute | Step::ToOne(_) => (entity, entity, name),
            Step::ToMany(target) => (target, entity, name),
            Step::Inverse { owner, association, .. } => (owner, owner, association),
        };
        let allowed = permits.view(context, reads).is_some_and(|permit| permit.may_read(of));
        let permit = match permits.view(context, asked) {
            Some(permit) if allowed => permit,
            _ => return Ok(withheld(missing)),
        };
        let direct = matches!(found, Step::Attribute | Step::ToOne(_));
        let mut query = Query::of(asked, if direct { vec![vec![name.clone()]] } else { Vec::new() });
        if direct {
            query.object = Some(id);
        } else {
            query.along = Some((entity.clone(), id, name.clone()));
        }
        query.limit = if matches!(missing, Missing::List(..)) { LONGEST_LIST } else { 1 };
        let rows = Told::from(context.objects.view(&permit, &query)?);
        Ok(rows.derive(|rows| answer(missing, direct, rows)))
    }
}

/// The cell or list that rows say about a missing value.
fn answer(missing: &Missing, direct: bool, rows: &Rows) -> Cells {
    let mut cells = Cells::default();
    match missing {
        Missing::Member(entity, id, name) => {
            let first = rows.rows.first();
            let cell = match (direct, first) {
                (true, Some(row)) => row.cells.first().cloned().unwrap_or(Cell::Withheld),
                (true, None) => Cell::Withheld,
                (false, row) => Cell::Shown(row.map_or(Value::Empty, |row| Value::Object(row.id))),
            };
            cells.put(entity, *id, name, cell);
        }
        Missing::List(entity, id, name) => {
            let list = (!rows.more).then(|| rows.rows.iter().map(|row| row.id).collect());
            cells.lists.entry((entity.clone(), *id)).or_default().insert(name.clone(), list);
        }
    }
    cells
}

/// Who the caller is: their own account and where an association leads from it, told without a
/// right to read accounts.
fn identity(told: Result<Value, EvalError>, missing: &Missing) -> Told<Cells> {
    let mut cells = Cells::default();
    match (missing, told) {
        (Missing::Member(entity, id, name), Ok(value)) => cells.put(entity, *id, name, Cell::Shown(value)),
        (Missing::List(entity, id, name), Ok(value)) => {
            let ids = match value {
                Value::List(ids) => ids,
                other => other.as_object().into_iter().collect(),
            };
            cells.lists.entry((entity.clone(), *id)).or_default().insert(name.clone(), Some(ids));
        }
        _ => return withheld(missing),
    }
    Told::fixed(cells)
}

fn withheld(missing: &Missing) -> Told<Cells> {
    let mut cells = Cells::default();
    match missing {
        Missing::Member(entity, id, name) => cells.put(entity, *id, name, Cell::Withheld),
        Missing::List(entity, id, name) => {
            cells.lists.entry((entity.clone(), *id)).or_default().insert(name.clone(), None);
        }
    }
    Told::fixed(cells)
}
