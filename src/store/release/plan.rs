//! What a set of rights says of one entity, made ready for deciding row after row.
//!
//! Guarantees: made from the rules alone, by nobody but this layer; a plan serves the very rights that
//! it was made of and no others, whatever they are called.
//! Deliberately not here: anything of a caller or of a row.

use super::held::Layout;
use super::inputs::Inputs;
use crate::access::EntityRights;
use crate::domain::Name;
use crate::expr::{Split, Typed, split};
use crate::store::tables::Table;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules that give something; `None` when one of them is without a condition.
pub(super) type Granting<'p> = Option<&'p [usize]>;

/// The rules about one entity.
#[derive(Debug)]
pub(super) struct Plan {
    pub table: Arc<Table>,
    /// What is read of each row for certain.
    pub layout: Arc<Layout>,
    rights: Option<Arc<EntityRights>>,
    /// The rules that let anything be read of a row.
    giving: Option<Vec<usize>>,
    /// The rules that let a member be read; a member that is not here is never shown.
    members: BTreeMap<Name, Option<Vec<usize>>>,
    rules: Vec<Option<Condition>>,
}

/// The condition of a rule.
#[derive(Debug)]
pub(super) struct Condition {
    /// As its author wrote it.
    pub written: Arc<Typed>,
    /// Divided into what depends on the row and what does not.
    pub split: Split,
}

impl Condition {
    fn of(written: &Arc<Typed>) -> Self {
        Self { written: written.clone(), split: split(written) }
    }
}

impl Plan {
    pub(super) fn of(table: &Arc<Table>, rights: Option<&Arc<EntityRights>>, inputs: &Inputs) -> Self {
        let rules = rights.map(|rights| rights.rules.as_slice()).unwrap_or_default();
        let free = |numbers: &[usize]| numbers.iter().filter_map(|n| rules.get(*n)).any(|rule| rule.condition.is_none());
        let granting = |numbers: Vec<usize>| if free(&numbers) { None } else { Some(numbers) };
        let mut members: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
        for (number, rule) in rules.iter().enumerate() {
            rule.read.iter().for_each(|member| members.entry(member.clone()).or_default().push(number));
        }
        let giving = rules.iter().enumerate().filter(|(_, rule)| !rule.read.is_empty()).map(|(number, _)| number);
        Self {
            table: table.clone(),
            layout: Arc::new(Layout::of(table, inputs.members(&table.entity.name))),
            rights: rights.cloned(),
            giving: granting(giving.collect()),
            members: members.into_iter().map(|(member, numbers)| (member, granting(numbers))).collect(),
            rules: rules.iter().map(|rule| rule.condition.as_ref().map(Condition::of)).collect(),
        }
    }

    /// Whether it was made of these rights.
    pub(super) fn is_of(&self, rights: Option<&Arc<EntityRights>>) -> bool {
        match (&self.rights, rights) {
            (Some(own), Some(rights)) => Arc::ptr_eq(own, rights),
            (own, rights) => own.is_none() && rights.is_none(),
        }
    }

    /// The rules that let anything be read of a row.
    pub(super) fn giving(&self) -> Granting<'_> {
        self.giving.as_deref()
    }

    /// The rules that let a member be read.
    pub(super) fn granting(&self, member: &str) -> Granting<'_> {
        self.members.get(member).map_or(Some(&[]), Option::as_deref)
    }

    /// How many rules there are.
    pub(super) fn rules(&self) -> usize {
        self.rules.len()
    }

    /// A rule: its condition, or that it has none.
    pub(super) fn rule(&self, number: usize) -> Option<Option<&Condition>> {
        self.rules.get(number).map(Option::as_ref)
    }
}
