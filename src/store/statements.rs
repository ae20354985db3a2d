//! What is compiled once: the tables of a model, and per set of rights what its holder may do with a row.

use super::lower::{Condition, Lower, LowerError, Lowered};
use super::release::Known;
use super::tables::{Collision, Place, Table, Tables};
use crate::access::{EntityRights, Rights};
use crate::db::sql::Sql;
use crate::domain::{Kind, Name, QName};
use crate::expr::{Node, Typed};
use crate::model::Model;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// Compiled statements. One value lives with one model; it is shared by all requests.
pub struct Statements {
    model: Arc<Model>,
    pub(super) tables: Tables,
    compiled: RwLock<HashMap<Key, Arc<Compiled>>>,
    /// What the rules of each set of rights compare.
    pub(super) known: Known,
}

/// Which rights, and about which entity.
type Key = (Arc<str>, QName);

/// Sets of rights are made of role sets and elevated flows, so their number is bounded; this is far beyond it.
const MOST: usize = 10_000;
/// The alias of the row that a compiled condition is about.
pub(super) const ROW: &str = "t";

/// The rules about one entity, as SQL over the row `t`.
pub(super) struct Compiled {
    pub table: Arc<Table>,
    pub rights: Arc<EntityRights>,
    /// One condition per rule.
    rules: Vec<Condition>,
    /// The rows of which anything may be read.
    pub visible: Condition,
    /// The members that may be read in some row.
    pub readable: BTreeMap<Name, Readable>,
}

/// A member that may be read in some row.
pub(super) struct Readable {
    pub kind: Kind,
    /// Never empty in a row where it is shown.
    pub required: bool,
    /// In which of the visible rows.
    pub shown: Condition,
    pub value: Source,
}

/// How a readable member's value is had.
pub(super) enum Source {
    /// From the row, by this.
    Sql(Sql),
    /// From a link table.
    Link,
    /// Calculated in a way that only memory can.
    Memory(Arc<Typed>),
}

impl Statements {
    /// Lays out the tables of a model.
    pub fn new(model: &Arc<Model>) -> Result<Self, Collision> {
        Ok(Self { model: model.clone(), tables: Tables::of(model)?, compiled: RwLock::default(), known: Known::default() })
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The rules about an entity; `None` when there are none.
    pub(super) fn compiled(&self, rights: &Rights, entity: &QName) -> Lowered<Option<Arc<Compiled>>> {
        let Some(rules) = rights.entities.get(entity) else { return Ok(None) };
        let key = (rights.key.clone(), entity.clone());
        if let Some(found) = self.compiled.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Some(found.clone()));
        }
        let made = Arc::new(Compiled::new(&self.tables, rights, rules)?);
        let mut all = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(key, made.clone());
        Ok(Some(made))
    }
}

impl Compiled {
    fn new(tables: &Tables, rights: &Rights, of: &Arc<EntityRights>) -> Lowered<Self> {
        let table = tables.get(&of.entity.name).ok_or_else(|| LowerError::Unstored(of.entity.name.to_string()))?.clone();
        let none = BTreeMap::new();
        let mut rules = Vec::with_capacity(of.rules.len());
        for rule in &of.rules {
            rules.push(match &rule.condition {
                Some(condition) => Lower::new(tables, rights, &none).condition_at(condition, ROW)?,
                None => Condition::Always,
            });
        }
        let mut made = Self { table, rights: of.clone(), rules, visible: Condition::Never, readable: BTreeMap::new() };
        let reading = made.needed(&of.rules_where(|rule| !rule.read.is_empty()));
        made.visible = made.any(&reading);
        for (name, granting) in &of.readable {
            let Some(place) = made.table.members.get(name) else { continue };
            let shown = if made.needed(granting) == reading { Condition::Always } else { made.any(granting) };
            let readable = match place {
                Place::Column { column, kind, required } => {
                    let mut value = Sql::new();
                    value.ident(ROW).raw(".").ident(column);
                    Readable { kind: kind.clone(), required: *required, shown, value: Source::Sql(value) }
                }
                Place::Calculated { expression, kind } => {
                    let value = match Lower::new(tables, rights, &none).value_at(expression, ROW) {
                        Ok(sql) => Source::Sql(sql),
                        Err(LowerError::Beyond(_)) => Source::Memory(expression.clone()),
                        Err(other) => return Err(other),
                    };
                    // The value is written with the digits of the expression, so it is read with them.
                    let kind = if matches!(kind, Kind::Number(_)) { expression.kind.clone() } else { kind.clone() };
                    Readable { kind, required: false, shown, value }
                }
                Place::Link(_) => {
                    let kind = made.table.entity.member_kind(name).unwrap_or(Kind::Empty);
                    Readable { kind, required: false, shown, value: Source::Link }
                }
            };
            made.readable.insert(name.clone(), readable);
        }
        Ok(made)
    }

    /// These rules without those that another of them already admits: `a || (a && b)` is `a`. What
    /// is left can use an index where the whole could not.
    fn needed(&self, rules: &[usize]) -> Vec<usize> {
        let parts = |index: &usize| self.rights.rules.get(*index).map(|rule| conjuncts(rule.condition.as_deref()));
        let admits = |wide: &usize, narrow: &usize| match (parts(wide), parts(narrow)) {
            (Some(wide), Some(narrow)) => wide.iter().all(|part| narrow.contains(part)),
            _ => false,
        };
        let superfluous =
            |one: &usize| rules.iter().any(|other| other != one && admits(other, one) && (other < one || !admits(one, other)));
        rules.iter().filter(|one| !superfluous(one)).copied().collect()
    }

    /// Any of these rules holds.
    pub(super) fn any(&self, rules: &[usize]) -> Condition {
        let needed = self.needed(rules);
        let conditions = needed.iter().filter_map(|index| self.rules.get(*index)).cloned();
        conditions.fold(Condition::Never, Condition::or)
    }

    /// The rules that let a member be read hold.
    pub(super) fn shows(&self, member: &str) -> Condition {
        self.rights.readable.get(member).map_or(Condition::Never, |rules| self.any(rules))
    }
}

/// The parts of a condition that must all hold; none when there is no condition.
fn conjuncts(condition: Option<&Typed>) -> Vec<&Typed> {
    let (mut parts, mut todo) = (Vec::new(), Vec::from_iter(condition));
    while let Some(one) = todo.pop() {
        match &one.node {
            Node::And(a, b) => todo.extend([&**a, &**b]),
            _ => parts.push(one),
        }
    }
    parts
}
