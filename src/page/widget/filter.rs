//! What a reader may ask of a grid: search, filters and order, over members they may read only.

use super::super::paths::{kind_at, label_at};
use crate::access::{Cell, Filter, FilterOp, Query};
use crate::domain::{Kind, QName, Value, parse_value};
use crate::model::{ColumnShow, DataGrid, Path};
use crate::page::PageError;
use crate::page::source::Source;
use crate::page::told::Told;
use crate::page::view::{Choice, FilterNode};
use crate::page::walk::Walk;
use chrono::NaiveTime;

/// Longest search or filter text.
const LONGEST: usize = 200;
/// At most so many objects are offered in a filter.
const MOST_OFFERED: u32 = 500;

/// What was asked of one grid.
pub(super) struct Asked {
    pub(super) search: String,
    /// The column's path as written, and whether descending.
    pub(super) sort: Option<(String, bool)>,
    /// Filter path as written → text.
    filters: Vec<(String, String)>,
}

impl Asked {
    /// Reads the keys of a grid. SECURITY: a member that the grid does not offer and one that this
    /// reader may not read are refused alike (test
    /// `sorting_by_a_hidden_member_is_refused_exactly_like_an_unknown_one`).
    pub(super) fn read(walk: &mut Walk<'_, '_>, id: &str, grid: &DataGrid) -> Result<Self, PageError> {
        const REFUSED: PageError = PageError::BadRequest("something that the grid does not offer");
        let keys = walk.context.query.pairs().filter_map(|(key, value)| Some((key.strip_prefix(id)?.strip_prefix('.')?, value)));
        let keys: Vec<(String, String)> = keys.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let mut asked = Self { search: String::new(), sort: None, filters: Vec::new() };
        for (key, value) in keys {
            if value.chars().count() > LONGEST && !key.starts_with("f.") || value.chars().any(char::is_control) {
                return Err(REFUSED);
            }
            match key.as_str() {
                "p" => {}
                "q" if !searchable(walk, grid).is_empty() => asked.search = value.trim().to_owned(),
                "sort" => {
                    let (path, down) = value.strip_prefix('-').map_or((value.as_str(), false), |path| (path, true));
                    let found = grid.columns.iter().any(|column| match &column.show {
                        ColumnShow::Path(known) => known.join(".") == path && sortable(walk, grid, known),
                        _ => false,
                    });
                    if !found && !value.is_empty() {
                        return Err(REFUSED);
                    }
                    asked.sort = found.then(|| (path.to_owned(), down));
                }
                other => {
                    let name = other.strip_prefix("f.").ok_or(REFUSED)?;
                    let offered = grid.filters.iter().any(|path| path.join(".") == name && filterable(walk, grid, path));
                    if !offered {
                        return Err(REFUSED);
                    }
                    if !value.is_empty() {
                        asked.filters.push((name.to_owned(), value));
                    }
                }
            }
        }
        Ok(asked)
    }

    /// Whether rows are left out because of it.
    pub(super) fn narrows(&self) -> bool {
        !self.search.is_empty() || !self.filters.is_empty()
    }

    /// The present text of a filter.
    fn text(&self, path: &Path) -> String {
        let name = path.join(".");
        self.filters.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone()).unwrap_or_default()
    }

    /// Puts it into the question.
    pub(super) fn apply(&self, walk: &mut Walk<'_, '_>, grid: &DataGrid, source: &mut Source) -> Result<(), PageError> {
        if !self.search.is_empty() {
            source.query.search = Some((self.search.clone(), searchable(walk, grid)));
        }
        for path in &grid.filters {
            let text = self.text(path);
            if text.is_empty() {
                continue;
            }
            match conditions(walk, &grid.source.entity, path, &text)? {
                Some(filters) => source.query.filters.extend(filters),
                None => source.nothing = true,
            }
        }
        if let Some((wanted, down)) = &self.sort {
            let paths = grid.columns.iter().filter_map(|column| match &column.show {
                ColumnShow::Path(path) if path.join(".") == *wanted => Some(effective(walk, &grid.source.entity, path)),
                _ => None,
            });
            let mut order: Vec<_> = paths.take(1).map(|path| (path, *down)).collect();
            order.append(&mut source.query.sort);
            source.query.sort = order;
        }
        Ok(())
    }

    /// The filters to show.
    pub(super) fn nodes(&self, walk: &mut Walk<'_, '_>, id: &str, grid: &DataGrid) -> Result<Vec<FilterNode>, PageError> {
        let mut nodes = Vec::new();
        for path in &grid.filters {
            let Some(kind) = kind_at(&walk.model, &grid.source.entity, path).filter(|_| filterable(walk, grid, path)) else {
                continue;
            };
            let value = self.text(path);
            let label = walk.say(label_at(&walk.model, &grid.source.entity, path).unwrap_or_default());
            let (control, options) = match &kind {
                Kind::Enumeration(name) => ("select", enumeration(walk, name, &value)),
                Kind::Object(target) => ("select", objects(walk, target, &value)?),
                Kind::Boolean => ("boolean", Told::fixed(Vec::new())),
                Kind::Date | Kind::DateTime => ("date", Told::fixed(Vec::new())),
                _ => ("text", Told::fixed(Vec::new())),
            };
            nodes.push(FilterNode { name: format!("{id}.f.{}", path.join(".")), label, control, value, options });
        }
        Ok(nodes)
    }
}

/// The path that stands for a column: an object is shown by its display member.
pub(super) fn effective(walk: &Walk<'_, '_>, entity: &QName, path: &Path) -> Path {
    let mut path = path.clone();
    if let Some(Kind::Object(target)) = kind_at(&walk.model, entity, &path) {
        path.extend(walk.model.entity(&target).and_then(|entity| entity.display.clone()));
    }
    path
}

/// Whether the reader may sort by a column.
pub(super) fn sortable(walk: &mut Walk<'_, '_>, grid: &DataGrid, path: &Path) -> bool {
    let path = effective(walk, &grid.source.entity, path);
    let kind = kind_at(&walk.model, &grid.source.entity, &path);
    sortable_as(walk, grid, &path, kind.as_ref())
}

/// The same of what a column shows, whose kind is known.
pub(super) fn sortable_as(walk: &mut Walk<'_, '_>, grid: &DataGrid, path: &Path, kind: Option<&Kind>) -> bool {
    let computed = walk.model.memory_only(&grid.source.entity, path).is_none();
    kind.is_some_and(Kind::is_plain) && computed && walk.permits.readable(walk.context, &grid.source.entity, path)
}

fn filterable(walk: &mut Walk<'_, '_>, grid: &DataGrid, path: &Path) -> bool {
    let kind = kind_at(&walk.model, &grid.source.entity, path);
    kind.is_some_and(|kind| !matches!(kind, Kind::List(_))) && walk.permits.readable(walk.context, &grid.source.entity, path)
}

/// The members that a reader's search looks into.
pub(super) fn searchable(walk: &mut Walk<'_, '_>, grid: &DataGrid) -> Vec<Path> {
    let paths = grid.search.iter().filter(|path| walk.permits.readable(walk.context, &grid.source.entity, path));
    paths.cloned().collect()
}

/// The conditions of a filter; `None` when its text can match nothing.
fn conditions(walk: &mut Walk<'_, '_>, entity: &QName, path: &Path, text: &str) -> Result<Option<Vec<Filter>>, PageError> {
    let Some(kind) = kind_at(&walk.model, entity, path) else { return Ok(None) };
    let filter = |op, value| Filter { path: path.clone(), op, value };
    Ok(match &kind {
        Kind::Text => Some(vec![filter(FilterOp::Contains, Value::text(text))]),
        Kind::Object(target) => {
            let id = walk.context.handles.read(target, text).ok_or(PageError::BadRequest("a foreign handle"))?;
            Some(vec![filter(FilterOp::Equal, Value::Object(id))])
        }
        Kind::Enumeration(name) => {
            let known = walk.model.enumerations.get(name).is_some_and(|found| found.values.contains_key(text));
            if !known {
                return Err(PageError::BadRequest("an unknown value"));
            }
            Some(vec![filter(FilterOp::Equal, Value::text(text))])
        }
        Kind::DateTime => day(text).map(|(from, to)| vec![filter(FilterOp::From, from), filter(FilterOp::To, to)]),
        Kind::Number(_) => {
            let number = walk.speak(|speech| speech.plain_number(text)).and_then(|text| parse_value(&kind, &text));
            number.map(|number| vec![filter(FilterOp::Equal, number)])
        }
        _ => parse_value(&kind, text).map(|value| vec![filter(FilterOp::Equal, value)]),
    })
}

/// The first and the last moment of a day.
fn day(text: &str) -> Option<(Value, Value)> {
    let Value::Date(date) = parse_value(&Kind::Date, text)? else { return None };
    let last = NaiveTime::from_hms_milli_opt(23, 59, 59, 999)?;
    Some((Value::DateTime(date.and_time(NaiveTime::MIN)), Value::DateTime(date.and_time(last))))
}

fn any(walk: &Walk<'_, '_>, value: &str) -> Choice {
    Choice { value: String::new(), label: walk.say("Any"), selected: value.is_empty() }
}

fn enumeration(walk: &Walk<'_, '_>, name: &QName, value: &str) -> Told<Vec<Choice>> {
    let values = walk.model.enumerations.get(name).into_iter().flat_map(|found| &found.values);
    let values = values.map(|(name, shown)| Choice {
        value: name.to_string(),
        label: walk.say(&shown.caption),
        selected: name.as_str() == value,
    });
    Told::fixed(std::iter::once(any(walk, value)).chain(values).collect())
}

fn objects(walk: &mut Walk<'_, '_>, target: &QName, value: &str) -> Result<Told<Vec<Choice>>, PageError> {
    let first = any(walk, value);
    let display = walk.model.entity(target).and_then(|entity| entity.display.clone());
    let (Some(display), Some(permit)) = (display, walk.view_permit(target)) else { return Ok(Told::fixed(vec![first])) };
    let path = vec![display];
    if !walk.permits.readable(walk.context, target, &path) {
        return Ok(Told::fixed(vec![first]));
    }
    let mut query = Query::of(target, vec![path.clone()]);
    query.sort = vec![(path, false)];
    query.limit = MOST_OFFERED;
    let rows = Told::from(walk.context.objects.view(&permit, &query)?);
    let kind = kind_at(&walk.model, target, query.paths.first().map_or(&[][..], Vec::as_slice)).unwrap_or(Kind::Text);
    Ok(rows.map(|rows| {
        let shown = rows.rows.iter().filter_map(|row| match row.cells.first() {
            Some(Cell::Shown(text)) => Some((row.id, walk.speak(|speech| speech.text(&kind, text)))),
            _ => None,
        });
        let choices = shown.map(|(id, label)| {
            let handle = walk.context.handles.write(target, id);
            Choice { selected: handle == value, value: handle, label }
        });
        std::iter::once(first).chain(choices).collect()
    }))
}
