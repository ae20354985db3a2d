//! Where the rows of grids, lists and figures come from.

use super::PageError;
use super::facts::Facts;
use super::paths::{Step, step};
use super::query::{path, url};
use super::told::Told;
use super::view::Paging;
use super::walk::{Life, Scope, This, Walk};
use crate::access::{Inside, Permit, Query, Rows, View};
use crate::domain::{Name, Value};
use crate::expr::{Node, Root, Typed, settle};
use crate::model::{ListFrom, ListSource, Path};
use std::rc::Rc;

/// Totals are counted up to this.
pub(super) const MOST_COUNTED: u32 = 10_000;
/// Pages further than this are not asked for.
const LAST_PAGE: u32 = 100_000;

/// An opened source: a question that only needs its members, order and range.
pub(super) struct Source {
    pub(super) permit: Rc<Permit<View>>,
    pub(super) query: Query,
    /// There can be no rows (the surrounding object is new, or a filter can match nothing).
    pub(super) nothing: bool,
}

impl Source {
    /// Opens a source; `None` when the reader's roles give no access to it.
    pub(super) fn open(walk: &mut Walk<'_, '_>, source: &ListSource, scope: &Scope) -> Result<Option<Self>, PageError> {
        let permit = match &source.from {
            ListFrom::Snapshot(name) => walk.context.grants.snapshot(name).ok().map(Rc::new),
            _ => walk.view_permit(&source.entity),
        };
        let Some(permit) = permit else { return Ok(None) };
        let mut query = Query::of(&source.entity, Vec::new());
        let mut nothing = false;
        if let ListFrom::Association(name) = &source.from {
            let Some(this) = &scope.this else { return Ok(None) };
            if !may_follow(walk, this, name) {
                return Ok(None);
            }
            nothing = this.life == Life::New;
            query.along = Some((this.entity.clone(), this.id, name.clone()));
        }
        if let Some(condition) = &source.condition {
            match inside(walk, condition, scope)? {
                Some(inside) => query.inside = Some(inside),
                None => return Ok(None),
            }
        }
        let sort = source.sort.clone();
        query.sort = sort.into_iter().filter(|(path, _)| walk.permits.readable(walk.context, &source.entity, path)).collect();
        Ok(Some(Self { permit, query, nothing }))
    }

    /// Asks.
    pub(super) fn rows(&self, walk: &mut Walk<'_, '_>) -> Result<Told<Rows>, PageError> {
        if self.nothing {
            return Ok(Told::fixed(Rows::default()));
        }
        Ok(walk.context.objects.view(&self.permit, &self.query)?.into())
    }

    /// Sets the members asked for and gives the place of each wanted one among them.
    pub(super) fn ask(
        &mut self,
        walk: &mut Walk<'_, '_>,
        columns: &[Option<Path>],
        others: impl IntoIterator<Item = Path>,
    ) -> Vec<Option<usize>> {
        let entity = self.query.entity.clone();
        let mut paths: Vec<Path> = Vec::new();
        let mut place = |path: Path, walk: &mut Walk<'_, '_>| {
            if !walk.permits.readable(walk.context, &entity, &path) {
                return None;
            }
            Some(paths.iter().position(|known| *known == path).unwrap_or_else(|| {
                paths.push(path);
                paths.len() - 1
            }))
        };
        let places = columns.iter().map(|path| path.clone().and_then(|path| place(path, walk))).collect();
        others.into_iter().for_each(|path| {
            place(path, walk);
        });
        self.query.paths = paths;
        places
    }

    /// Learns the rows, so that expressions can be computed over them.
    pub(super) fn learn(&self, facts: &mut Facts, rows: &Told<Rows>) {
        facts.learn_rows(&self.query.entity, &self.query.paths, rows);
    }
}

/// A constraint of the model, ready for the store; `None` when it depends on something of a page
/// parameter that the reader may not know.
///
/// What a parameter leads to is read here, under the reader's own rights, so that the store never
/// reads it for itself.
pub(super) fn inside(walk: &mut Walk<'_, '_>, condition: &Typed, scope: &Scope) -> Result<Option<Inside>, PageError> {
    if !reads_a_parameter(condition) {
        return Ok(Some(Inside { condition: condition.clone(), variables: walk.variables() }));
    }
    let scope = Scope { this: None, ..scope.clone() };
    let mut withheld = false;
    let settled = settle(condition, &mut |part| {
        let value = walk.value(part, &scope)?.peek().clone();
        withheld |= value.is_err();
        Ok::<_, PageError>(value.unwrap_or(Value::Empty))
    });
    let (condition, variables) = settled?;
    Ok((!withheld).then_some(Inside { condition, variables }))
}

/// Whether a member of a page parameter is used.
fn reads_a_parameter(condition: &Typed) -> bool {
    let mut found = false;
    condition.visit(&mut |node| {
        if let Node::Member { of, .. } | Node::Many { of, .. } = &node.node {
            found |= matches!(of.node, Node::Root(Root::Variable(_)));
        }
    });
    found
}

/// Whether the reader may follow an association: the right to the member on the owning side.
fn may_follow(walk: &mut Walk<'_, '_>, this: &This, name: &Name) -> bool {
    let (owner, member) = match step(&walk.model, &this.entity, name) {
        Some(Step::ToMany(_) | Step::ToOne(_)) => (this.entity.clone(), name.clone()),
        Some(Step::Inverse { owner, association, .. }) => (owner, association),
        _ => return false,
    };
    walk.view_permit(&owner).is_some_and(|permit| permit.may_read(&member))
}

/// The number of the asked page of a list, from 1.
pub(super) fn asked_page(walk: &Walk<'_, '_>, id: &str) -> Result<u32, PageError> {
    let Some(text) = walk.context.query.value(&format!("{id}.p")) else { return Ok(1) };
    let number = text.parse().ok().filter(|number| (1..=LAST_PAGE).contains(number));
    number.ok_or(PageError::BadRequest("an impossible page number"))
}

/// An address of the same page with some keys of its lists changed.
pub(super) fn list_href(walk: &Walk<'_, '_>, drop: impl Fn(&str) -> bool, add: &[(&str, &str)]) -> String {
    let kept = walk.context.query.changed(|key| !key.contains('.') || drop(key), add);
    let arguments = walk.stored_arguments();
    let all = arguments.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(kept.pairs());
    url(&walk.page.name, all)
}

/// The path of the page, for a form that asks its lists something.
pub(super) fn base(walk: &Walk<'_, '_>) -> String {
    path(&walk.page.name)
}

/// Asks for one page of rows; one beyond the end becomes the first.
pub(super) fn page_of_rows(
    walk: &mut Walk<'_, '_>,
    source: &mut Source,
    id: &str,
    size: u32,
) -> Result<(Told<Rows>, Paging), PageError> {
    let mut number = asked_page(walk, id)?;
    source.query.limit = size;
    source.query.offset = (number - 1).saturating_mul(size);
    let mut rows = source.rows(walk)?;
    if rows.peek().rows.is_empty() && number > 1 {
        number = 1;
        source.query.offset = 0;
        rows = source.rows(walk)?;
    }
    let key = format!("{id}.p");
    let offset = source.query.offset;
    let link = |to: u32| {
        let text = if to > 1 { to.to_string() } else { String::new() };
        list_href(walk, |known| known == key, &[(key.as_str(), text.as_str())])
    };
    let paging = Paging {
        from: u64::from(offset) + 1,
        to: rows.derive(|rows| u64::from(offset) + rows.rows.len() as u64),
        total: rows.peek().total.is_some().then(|| rows.derive(|rows| rows.total.map_or(0, |total| total.count))),
        capped: rows.derive(|rows| rows.total.is_some_and(|total| total.capped)),
        prev: (number > 1).then(|| link(number - 1)),
        next: (rows.peek().more && number < LAST_PAGE).then(|| link(number + 1)),
    };
    Ok((rows, paging))
}
