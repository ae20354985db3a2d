//! Rights on entities, compiled: which rules give what.

use crate::domain::{Name, QName};
use crate::expr::Typed;
use crate::model::Entity;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Where a rule comes from, for explanations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RuleOrigin {
    /// Rule number so-and-so of an entity.
    Entity(QName, usize),
    /// Grant number so-and-so of an elevated microflow.
    Elevation(QName, usize),
}

/// One rule after narrowing by guardrails.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where it comes from.
    pub(crate) origin: RuleOrigin,
    /// May create.
    pub(crate) create: bool,
    /// May delete.
    pub(crate) delete: bool,
    /// Members that may be read.
    pub(crate) read: BTreeSet<Name>,
    /// Members that may be written.
    pub(crate) write: BTreeSet<Name>,
    /// Which rows; `None` for all.
    pub(crate) condition: Option<Arc<Typed>>,
    /// The condition as its author wrote it, for explanations.
    pub(crate) condition_text: Option<Arc<str>>,
}

/// All rules that concern one entity, with the members each gives.
#[derive(Clone, Debug)]
pub struct EntityRights {
    /// The entity.
    pub(crate) entity: Arc<Entity>,
    /// The rules.
    pub(crate) rules: Vec<Arc<Rule>>,
    /// Member → indexes of the rules that let it be read.
    pub(crate) readable: BTreeMap<Name, Vec<usize>>,
    /// Member → indexes of the rules that let it be written.
    pub(crate) writable: BTreeMap<Name, Vec<usize>>,
}

impl EntityRights {
    /// Compiles rules.
    pub(super) fn new(entity: Arc<Entity>, rules: Vec<Arc<Rule>>) -> Self {
        let (mut readable, mut writable) = (BTreeMap::new(), BTreeMap::new());
        for (index, rule) in rules.iter().enumerate() {
            for (members, into) in [(&rule.read, &mut readable), (&rule.write, &mut writable)] {
                for member in members {
                    into.entry(member.clone()).or_insert_with(Vec::new).push(index);
                }
            }
        }
        Self { entity, rules, readable, writable }
    }
    /// The rules at these indexes.
    pub fn at<'a>(&'a self, indexes: &'a [usize]) -> impl Iterator<Item = Arc<Rule>> + 'a {
        indexes.iter().filter_map(|index| self.rules.get(*index).cloned())
    }
    /// Indexes of the rules that pass a test.
    pub fn rules_where(&self, test: impl Fn(&Rule) -> bool) -> Vec<usize> {
        self.rules.iter().enumerate().filter(|(_, rule)| test(rule)).map(|(index, _)| index).collect()
    }
}

/// Rights per entity; an entity that is not in it is closed.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// What a compiled statement is cached under: the same key means the same rules.
    pub(crate) key: Arc<str>,
    /// The caller's user roles.
    pub(crate) roles: Arc<BTreeSet<Name>>,
    /// Whether the caller is signed in (folds `signedIn()` in rules).
    pub(crate) signed_in: bool,
    /// Entity → rules.
    pub(crate) entities: HashMap<QName, Arc<EntityRights>>,
}

/// Whoever can hand out permits to load, create, change and delete: the caller's own grants, or
/// an elevation. (Viewing is not among them: only [`super::Grants`] can.)
///
// SECURITY: sealed, so that no other module can hand out permits on rights of its own making
// (`forgeries_do_not_compile`).
pub trait Authority: sealed::Sealed {
    /// The rights it stands on.
    fn rights(&self) -> &Arc<Rights>;
    /// The microflow that acts with it, if one does.
    fn flow(&self) -> Option<&QName> {
        None
    }
}

pub(super) mod sealed {
    /// Only what `access` says is an authority is one.
    pub trait Sealed {}
}
