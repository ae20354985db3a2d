//! Questions that were put before: their statements, kept with the rules that they were composed of.
//!
//! Guarantees: a kept statement has in it what the rules, the model and the shape of the question say, and no value of
//! Guarantees: a kept statement has in it what the rules, the model and the shape of the question say, and no value of
//! a question or of a caller, all of which are bound when it runs; it is kept inside the compiled rules about one entity,
//! and where sets of rights share these, it serves the one set that it was composed for; so it serves no other rights, no
//! other model and no other authority; their number is bounded.
//! Deliberately not here: questions with filters, a search or variables, and those of checks that ask everything once,
//! which are composed each time.

use super::ask::{self, Composed};
use super::frame::Frame;
use crate::access::{ObjectError, Order, Query, Rights};
use crate::domain::{Name, QName};
use crate::expr::{Node, Root, Typed};
use crate::model::Path;
use crate::store::Store;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// So many shapes are kept for the rules about one entity. Pages give some; beyond that they are forgotten.
const MOST: usize = 200;

/// What the text of a statement depends on, beside the rules and what the model asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    /// The set of rights that it was composed for. Others share the rules about the entity, but perhaps not those about
    /// what the question leads to, nor what the set reaches.
    set: Option<u64>,
    what: What,
    object: bool,
    along: Option<(QName, Name)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum What {
    Rows(Vec<Path>, Vec<Order>, u32),
    Total(u32),
}

/// The statements of one entity's rules, by shape, each with what the model asks.
#[derive(Default)]
pub(in crate::store) struct Shapes(RwLock<HashMap<Shape, Kept>>);

type Kept = Vec<(Option<Typed>, Arc<Composed>)>;

impl Shapes {
    fn find(&self, shape: &Shape, inside: Option<&Typed>) -> Option<Arc<Composed>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get(shape)?.iter().find(|(condition, _)| condition.as_ref() == inside)?;
        Some(kept.1.clone())
    }

    fn keep(&self, shape: Shape, inside: Option<Typed>, made: &Arc<Composed>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = all.values().map(Vec::len).sum();
        if kept >= MOST {
            all.clear();
        }
        all.entry(shape).or_default().push((inside, made.clone()));
    }

    #[cfg(test)]
    pub(in crate::store) fn count(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().map(Vec::len).sum()
    }
}

/// The statement for the rows of a question.
pub(super) fn rows(store: &Store<'_>, rights: &Rights, query: &Query, paths: &[Path]) -> Result<Arc<Composed>, ObjectError> {
    let shape = || What::Rows(paths.to_vec(), query.sort.clone(), query.limit);
    let again = query.offset == 0;
    kept(store, rights, query, again.then(shape), || ask::compose(store, rights, query, paths))
}

/// The statement for their number.
pub(super) fn total(store: &Store<'_>, rights: &Rights, query: &Query, cap: u32) -> Result<Arc<Composed>, ObjectError> {
    kept(store, rights, query, Some(What::Total(cap)), || ask::compose_total(store, rights, query, cap))
}

fn kept(
    store: &Store<'_>,
    rights: &Rights,
    query: &Query,
    what: Option<What>,
    compose: impl FnOnce() -> Result<Composed, ObjectError>,
) -> Result<Arc<Composed>, ObjectError> {
    let plain = query.filters.is_empty() && query.search.is_none() && !store.params.is_passing();
    let inside = query.inside.as_ref().map(|inside| &inside.condition);
    let Some(what) = what.filter(|_| plain && !inside.is_some_and(has_variables)) else { return compose().map(Arc::new) };
    let along = query.along.as_ref().map(|(entity, _, name)| (entity.clone(), name.clone()));
    let set = store.statements.asked_as(rights, store.footing);
    let shape = Shape { set, what, object: query.object.is_some(), along };
    let compiled = Frame::root(store, rights, &query.entity)?;
    if let Some(found) = compiled.shapes.find(&shape, inside) {
        return Ok(found);
    }
    let mut made = compose()?;
    made.sql = made.sql.written(store.conn.dialect());
    let made = Arc::new(made);
    compiled.shapes.keep(shape, inside.cloned(), &made);
    Ok(made)
}

/// Whether the value of a variable is in it, on which the text may depend.
fn has_variables(condition: &Typed) -> bool {
    let mut found = false;
    condition.visit(&mut |node| found |= matches!(node.node, Node::Root(Root::Variable(_))));
    found
}
