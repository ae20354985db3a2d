//! Answers to questions: the reader's objects first, the client's filters on what is shown of them.

use super::cells::no_member;
use super::reading::Reading;
use super::{Held, Workspace, snapshots};
use crate::access::{
    Act, Cell, Filter, FilterOp, Load, LoadedObject, ObjectError, Objects, Permit, Query, Released, Row, Rows, Total, View,
};
use crate::domain::{Name, ObjectId, Value};
use crate::expr::{compare_values, sum_values};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A row on its way: what it shows, and what it is sorted by.
struct Candidate {
    id: ObjectId,
    version: i64,
    cells: Vec<Cell>,
    keys: Vec<Value>,
}

impl Workspace {
    pub(super) fn view(
        &mut self,
        beyond: &mut dyn Objects,
        permit: &Permit<View>,
        query: &Query,
    ) -> Result<Released<Rows>, ObjectError> {
        self.open_snapshot(permit);
        let mut found = self.matching(beyond, permit, query)?;
        let total = query.total.map(|most| {
            let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
            Total { count: count.min(most), capped: count > most }
        });
        let (from, most) = (query.offset as usize, query.limit as usize);
        let more = found.len() > from.saturating_add(most);
        let page = found.drain(..).skip(from).take(most);
        let rows = page.map(|c| Row { id: c.id, version: c.version, cells: c.cells }).collect();
        Ok(permit.release(Rows { rows, more, total }))
    }

    pub(super) fn figure(
        &mut self,
        beyond: &mut dyn Objects,
        permit: &Permit<View>,
        query: &Query,
        sum: Option<&Name>,
    ) -> Result<Released<Cell>, ObjectError> {
        self.open_snapshot(permit);
        let paths = sum.map(|name| vec![vec![name.clone()]]).unwrap_or_default();
        let found = self.matching(beyond, permit, &Query { paths, ..query.clone() })?;
        if sum.is_none() {
            return Ok(permit.release(Cell::Shown(Value::Integer(i64::try_from(found.len()).unwrap_or(i64::MAX)))));
        }
        let values: Vec<Value> = found.iter().flat_map(|found| &found.cells).filter_map(Cell::value).cloned().collect();
        Ok(permit.release(Cell::Shown(sum_values(&values))))
    }

    pub(super) fn load(
        &self,
        beyond: &mut dyn Objects,
        permit: &Permit<Load>,
        query: &Query,
    ) -> Result<Vec<LoadedObject>, ObjectError> {
        let mut found = Vec::new();
        for (id, held) in self.candidates(permit, query)? {
            if !self.inside(beyond, None, query, id)? {
                continue;
            }
            let mut members = BTreeMap::new();
            for name in permit.entity_rights().into_iter().flat_map(|rights| rights.readable.keys()) {
                members.insert(name.clone(), self.own_cell(beyond, permit, None, id, name)?);
            }
            found.push(LoadedObject { entity: held.entity.clone(), id, version: held.version, members });
        }
        let mut keyed: Vec<(Vec<Value>, LoadedObject)> =
            found.into_iter().map(|object| (loaded_keys(query, &object), object)).collect();
        keyed.sort_by(|a, b| ordered(query, (&a.0, a.1.id), (&b.0, b.1.id)));
        let page = keyed.into_iter().skip(query.offset as usize).take(query.limit as usize);
        Ok(page.map(|(_, object)| object).collect())
    }

    /// Pins the snapshot that a permit is for, so that its objects can be read in this request.
    fn open_snapshot(&mut self, permit: &Permit<View>) {
        if let (Some(name), Some(snapshots)) = (permit.snapshot(), &self.snapshots) {
            self.opened.entry(name.clone()).or_insert_with(|| snapshots.list(name));
        }
    }

    fn matching(&self, beyond: &mut dyn Objects, permit: &Permit<View>, query: &Query) -> Result<Vec<Candidate>, ObjectError> {
        let mut found = Vec::new();
        let of_snapshot = permit.snapshot();
        let candidates = match of_snapshot {
            Some(name) => {
                let list = self.opened.get(name).map(|list| list.as_slice()).unwrap_or_default().iter().enumerate();
                let ids = list.filter_map(|(at, held)| Some((snapshots::id_at(&self.model, name, at)?, held)));
                ids.filter(|(id, held)| held.entity == *permit.target() && query.object.is_none_or(|o| o == *id)).collect()
            }
            None => self.candidates(permit, query)?,
        };
        for (id, held) in candidates {
            if !self.inside(beyond, Some(permit), query, id)? || !self.outside(beyond, permit, query, id)? {
                continue;
            }
            let cells = query.paths.iter().map(|path| self.cell(beyond, permit, id, path)).collect::<Result<_, _>>()?;
            let mut keys = Vec::new();
            for (path, _) in &query.sort {
                keys.push(self.cell(beyond, permit, id, path)?.value().cloned().unwrap_or(Value::Empty));
            }
            found.push(Candidate { id, version: held.version, cells, keys });
        }
        found.sort_by(|a, b| ordered(query, (&a.keys, a.id), (&b.keys, b.id)));
        Ok(found)
    }

    /// The objects a question is about, before any condition.
    fn candidates<A: Act>(&self, permit: &Permit<A>, query: &Query) -> Result<Vec<(ObjectId, &Held)>, ObjectError> {
        let of_entity = |(id, held): &(ObjectId, &Held)| held.entity == *permit.target() && query.object.is_none_or(|o| o == *id);
        if let Some((owner, object, name)) = &query.along {
            // The right to an association is the right to the member on the owning side.
            let rights = permit.rights().entities.get(owner);
            if !rights.is_some_and(|rights| rights.readable.contains_key(name)) {
                return Err(no_member(permit, name));
            }
            let ids = self.along(*object, name).into_iter();
            return Ok(ids.filter_map(|id| Some((id, self.held(id)?))).filter(of_entity).collect());
        }
        if let Some(object) = query.object {
            return Ok(self.held(object).map(|held| (object, held)).into_iter().filter(of_entity).collect());
        }
        Ok(self.objects.iter().rev().map(|(id, held)| (*id, held)).filter(of_entity).collect())
    }

    fn inside(
        &self,
        beyond: &mut dyn Objects,
        reader: Option<&Permit<View>>,
        query: &Query,
        id: ObjectId,
    ) -> Result<bool, ObjectError> {
        let Some(inside) = &query.inside else { return Ok(true) };
        let mut reading = Reading { workspace: self, beyond, reader, failure: None };
        reading.value(&inside.condition, Some(id), &inside.variables).map(|value| value.holds())
    }

    /// The client's filters and search see only what the reader is shown.
    fn outside(&self, beyond: &mut dyn Objects, permit: &Permit<View>, query: &Query, id: ObjectId) -> Result<bool, ObjectError> {
        for filter in &query.filters {
            let cell = self.cell(beyond, permit, id, &filter.path)?;
            if !cell.value().is_some_and(|value| passes(filter, value)) {
                return Ok(false);
            }
        }
        let Some((text, paths)) = &query.search else { return Ok(true) };
        for path in paths {
            let cell = self.cell(beyond, permit, id, path)?;
            if cell.value().is_some_and(|value| contains(value, text)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn passes(filter: &Filter, value: &Value) -> bool {
    let order = compare_values(value, &filter.value);
    match filter.op {
        FilterOp::Equal => order == Some(Ordering::Equal),
        FilterOp::From => order.is_some_and(Ordering::is_ge),
        FilterOp::To => order.is_some_and(Ordering::is_le),
        FilterOp::Contains => filter.value.as_text().is_some_and(|text| contains(value, text)),
        FilterOp::Empty => value.is_empty(),
    }
}

fn contains(value: &Value, text: &str) -> bool {
    value.as_text().is_some_and(|value| value.to_ascii_lowercase().contains(&text.to_ascii_lowercase()))
}

fn loaded_keys(query: &Query, object: &LoadedObject) -> Vec<Value> {
    let key = |path: &Vec<Name>| match path.as_slice() {
        [name] => object.members.get(name).and_then(Cell::value).cloned().unwrap_or(Value::Empty),
        _ => Value::Empty,
    };
    query.sort.iter().map(|(path, _)| key(path)).collect()
}

/// By the keys, empty ones and those that cannot be computed last either way; then in the order in which the objects came to be.
fn ordered(query: &Query, a: (&[Value], ObjectId), b: (&[Value], ObjectId)) -> Ordering {
    for ((x, y), (_, descending)) in a.0.iter().zip(b.0).zip(&query.sort) {
        let order = match (x.has_order(), y.has_order()) {
            (false, false) => Ordering::Equal,
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            _ if *descending => compare_values(y, x).unwrap_or(Ordering::Equal),
            _ => compare_values(x, y).unwrap_or(Ordering::Equal),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    b.1.cmp(&a.1)
}
