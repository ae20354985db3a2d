//! What is compiled once: the tables of a model, and per set of rights what its holder may do with a row.

use super::engine::{Names, Pieces};
use super::lower::{Condition, Lower, LowerError, Lowered};
use super::names;
use super::read::Shapes;
use super::release::Known;
use super::tables::{Collision, Place, Table, Tables};
use super::{Caller, SyncError, engine};
use crate::access::{Authority, EntityRights, Grants, Rights};
use crate::db::sql::{Params, Sql};
use crate::db::{Conn, Dialect, Standing, set_id};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Kind, Name, QName};
use crate::expr::{Node, Typed, sql_gap};
use crate::model::Model;
use crate::recent::Recent;
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// Compiled statements. One value lives with one model; it is shared by all requests.
pub struct Statements {
    model: Arc<Model>,
    pub(super) tables: Tables,
    compiled: Recent<Key, Arc<Compiled>>,
    /// What is generated, for each kind of database.
    pieces: [Pieces; 2],
    /// The keys of rights whose families are known to be prepared.
    prepared: RwLock<HashSet<Arc<str>>>,
    /// The ids of the sets that work runs under for somebody's roles.
    pub(super) families: Recent<engine::sets::Foreseen, Arc<[Arc<str>]>>,
    /// What the rules of each set of rights compare.
    pub(super) known: Known,
}

/// Which rights, about which entity, and where they look.
type Key = (Arc<str>, QName, Footing, bool);

/// So much is at work at a time: the pages of some dozens of sets of rights.
const MOST: usize = 1_500;
/// As many combinations of roles as are prepared at most.
const MOST_FAMILIES: usize = 2_000;
/// The alias of the row that a compiled condition is about.
pub(super) const ROW: &str = "t";

/// Where compiled rules look at data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Footing {
    /// The tables: the tests of writes, which are the system's own work.
    System,
    /// The views of the set of rights, with their names in such a database: for everything that is read in its name.
    Reader(Dialect),
    /// What those views are made of: the row from its table, what paths lead to from the witness views.
    Maker,
}

impl Footing {
    /// Whether it looks at the views of the set.
    pub(super) fn is_reader(self) -> bool {
        matches!(self, Self::Reader(_))
    }
    /// Whether it looks from inside the database, where rules always count.
    fn is_generated(self) -> bool {
        self == Self::Maker
    }
}

/// The rules about one entity, as SQL over the row `t`.
pub(super) struct Compiled {
    pub table: Arc<Table>,
    /// What the row `t` is a row of: the table, or the reader's view of it.
    pub from: Name,
    pub rights: Arc<EntityRights>,
    /// One condition per rule.
    rules: Vec<Condition>,
    /// The rows of which anything may be read.
    pub visible: Condition,
    /// The members that may be read in some row.
    pub readable: BTreeMap<Name, Readable>,
    /// Whether rules count at all.
    pub heeded: bool,
    /// Statements that were composed of these rules.
    pub shapes: Shapes,
}

/// A member that may be read in some row.
pub(super) struct Readable {
    pub kind: Kind,
    /// Never empty in a row where it is shown.
    pub required: bool,
    /// Whether it can be a number that cannot be computed.
    pub overflows: bool,
    /// In which of the visible rows.
    pub shown: Condition,
    pub value: Source,
}

/// How a readable member's value is had.
pub(super) enum Source {
    /// From the row, by this.
    Sql(Sql),
    /// From a link table, or the reader's view of it.
    Link(Name),
    /// Calculated in a way that only memory can.
    Memory(Arc<Typed>),
}

impl Statements {
    /// Lays out the tables of a model.
    pub fn new(model: &Arc<Model>) -> Result<Self, Collision> {
        Ok(Self {
            model: model.clone(),
            tables: Tables::of(model)?,
            compiled: Recent::new(MOST),
            pieces: [Pieces::new(Dialect::Sqlite), Pieces::new(Dialect::Postgres)],
            prepared: RwLock::default(),
            families: Recent::new(MOST_FAMILIES),
            known: Known::default(),
        })
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Whether these grants are prepared in the database, and every elevation that work for them can reach.
    pub fn is_prepared(&self, conn: &mut Conn, grants: &Grants, now: NaiveDateTime) -> Result<bool, SyncError> {
        let key = &grants.rights().key;
        let known = || {
            let prepared = || self.prepared.read().unwrap_or_else(PoisonError::into_inner).contains(key);
            self.pieces(conn.dialect()).knows(key) && (conn.dialect() == Dialect::Sqlite || prepared())
        };
        if !stands(Removable::DatabaseEngine) || known() {
            return Ok(true);
        }
        let made = engine::is_made(conn, self, grants, &Params::new(None, now, now.date()))?;
        if made && conn.dialect() == Dialect::Postgres {
            self.know_prepared(grants);
        }
        Ok(made)
    }

    /// What is composed for a kind of database.
    pub(super) fn pieces(&self, dialect: Dialect) -> &Pieces {
        let [sqlite, postgres] = &self.pieces;
        if dialect == Dialect::Sqlite { sqlite } else { postgres }
    }

    /// Makes these grants usable as far as that is this process's to do.
    pub(super) fn announce(&self, grants: &Grants, dialect: Dialect) -> Result<(), SyncError> {
        self.pieces(dialect).announce(self, grants).map_err(|error| SyncError::Rules(error.to_string()))
    }

    /// What stands for a set of rights of this model in names: what a set of the same name may do changes with the model.
    pub(super) fn set_id(&self, key: &str) -> Arc<str> {
        set_id(&format!("{key} of {}", self.model.fingerprint))
    }

    /// The names of everything that has been composed so far for a kind of database.
    pub fn generated_names(&self, dialect: Dialect) -> Vec<String> {
        self.pieces(dialect).names()
    }

    /// These rights, in the name of somebody.
    pub(super) fn standing(&self, rights: &Rights, caller: Caller, dialect: Dialect) -> Standing {
        let known = self.pieces(dialect).standing(rights);
        let (set, reach) = known.unwrap_or_else(|| (self.set_id(&rights.key), Arc::default()));
        Standing { set, rights: rights.key.clone(), user: caller.user, now: caller.now, reach, watch: None }
    }

    /// The same, about to write in the table of an entity, or in one of its links.
    pub(super) fn standing_to_write(
        &self,
        rights: &Rights,
        (entity, table): (&QName, &Name),
        caller: Caller,
        dialect: Dialect,
    ) -> Lowered<Standing> {
        let pieces = self.pieces(dialect);
        let watch = match dialect {
            Dialect::Sqlite => pieces.list(self, rights, entity).map(|()| None)?,
            Dialect::Postgres => pieces.watch(self, rights, entity, table)?,
        };
        Ok(Standing { watch, ..self.standing(rights, caller, dialect) })
    }

    /// What the views of a set are called for what is read of an entity; nothing where tables are looked at.
    pub(super) fn names(&self, rights: &Rights, entity: &QName, footing: Footing) -> Lowered<Option<Names>> {
        Ok(match footing {
            Footing::System => None,
            Footing::Reader(dialect) => Some(self.pieces(dialect).portion(self, rights, entity)?.names.clone()),
            Footing::Maker => Some(Names::none()),
        })
    }

    /// What the views are called that questions of the model look through under a set.
    pub(super) fn names_asked(&self, rights: &Rights, footing: Footing) -> Lowered<Option<Names>> {
        match footing {
            Footing::Reader(dialect) => self.pieces(dialect).asked(rights).map(Some),
            Footing::System => Ok(None),
            Footing::Maker => Ok(Some(Names::none())),
        }
    }

    /// Distinguishes sets of rights whose rules about an entity are compiled once for all of them.
    pub(super) fn asked_as(&self, rights: &Rights, footing: Footing) -> Option<u64> {
        if let Footing::Reader(dialect) = footing { self.pieces(dialect).serial(rights) } else { None }
    }

    /// A question of the model is about to be asked under a set.
    pub(super) fn about_to_ask(&self, rights: &Rights, footing: Footing, question: &Sql) {
        if let Footing::Reader(dialect) = footing {
            self.pieces(dialect).give_asked(rights, question);
        }
    }

    pub(super) fn know_prepared(&self, grants: &Grants) {
        self.prepared.write().unwrap_or_else(PoisonError::into_inner).insert(grants.rights().key.clone());
    }

    /// From now on the statements about an entity are those of other rights by mistake, and the database knows better.
    #[cfg(test)]
    pub(super) fn mistake(&self, rights: &Rights, wrong: &Rights, entity: &QName, dialect: Dialect) {
        for footing in [Footing::System, Footing::Reader(dialect)] {
            let names = self.names(rights, entity, footing).unwrap();
            let made = Compiled::new(&self.tables, wrong, &wrong.entities[entity], footing, names.as_ref()).unwrap();
            let key = (self.rights_key(rights, entity, footing).unwrap(), entity.clone(), footing, true);
            self.compiled.keep(key, Arc::new(made));
        }
    }

    /// From now on the statements of these rights are as if there were no rules: only the database knows them.
    #[cfg(test)]
    pub(super) fn unheed(&self, rights: &Rights) {
        for (entity, rules) in rights.entities.iter().filter(|(entity, _)| self.tables.get(entity).is_some()) {
            for footing in [Footing::System, Footing::Reader(Dialect::Sqlite), Footing::Reader(Dialect::Postgres)] {
                let Ok(names) = self.names(rights, entity, footing) else { continue };
                let made = Compiled::new(&self.tables, rights, rules, footing, names.as_ref()).unwrap().unheeded();
                let key = (self.rights_key(rights, entity, footing).unwrap(), entity.clone(), footing, true);
                self.compiled.keep(key, Arc::new(made));
            }
        }
    }

    /// What stands for the rights on an entity: the same key means the same statements.
    fn rights_key(&self, rights: &Rights, entity: &QName, footing: Footing) -> Lowered<Arc<str>> {
        match footing {
            Footing::Reader(dialect) => Ok(self.pieces(dialect).portion(self, rights, entity)?.key.clone()),
            // Tables have the same names for everybody.
            Footing::System => {
                let shared = self.pieces.iter().find_map(|pieces| pieces.shared_key(self, rights, entity));
                Ok(shared.unwrap_or_else(|| rights.key.clone()))
            }
            _ => Ok(rights.key.clone()),
        }
    }

    /// The rules about an entity on a footing; `None` when there are none.
    pub(super) fn compiled_on(&self, rights: &Rights, entity: &QName, footing: Footing) -> Lowered<Option<Arc<Compiled>>> {
        let heeded = footing.is_generated() || stands(Removable::EntityAccess);
        let rules = match rights.entities.get(entity) {
            Some(rules) => rules.clone(),
            None if heeded => return Ok(None),
            None => match self.tables.get(entity) {
                Some(table) => Arc::new(unruled(table)),
                None => return Ok(None),
            },
        };
        let key = (self.rights_key(rights, entity, footing)?, entity.clone(), footing, heeded);
        if let Some(found) = self.compiled.get(&key) {
            return Ok(Some(found));
        }
        let names = self.names(rights, entity, footing)?;
        let made = Compiled::new(&self.tables, rights, &rules, footing, names.as_ref())?;
        let made = Arc::new(if heeded { made } else { made.unheeded() });
        self.compiled.keep(key, made.clone());
        Ok(Some(made))
    }
}

/// No rules at all.
fn unruled(table: &Table) -> EntityRights {
    EntityRights { entity: table.entity.clone(), rules: Vec::new(), readable: BTreeMap::new(), writable: BTreeMap::new() }
}

impl Compiled {
    /// The rules on a footing, with the names that views have there.
    pub(super) fn new(
        tables: &Tables,
        rights: &Rights,
        of: &Arc<EntityRights>,
        footing: Footing,
        names: Option<&Names>,
    ) -> Lowered<Self> {
        let table = tables.get(&of.entity.name).ok_or_else(|| LowerError::Unstored(of.entity.name.to_string()))?.clone();
        let none = BTreeMap::new();
        let lower = || Lower::new(tables, rights, &none).through(names).generated(footing.is_generated());
        let mut rules = Vec::with_capacity(of.rules.len());
        for rule in &of.rules {
            rules.push(match &rule.condition {
                Some(condition) => lower().condition_at(condition, ROW)?,
                None => Condition::Always,
            });
        }
        let view = names.filter(|_| footing.is_reader());
        let from = view.map_or_else(|| table.name.clone(), |names| names.reader(&table.name));
        let mut made = Self {
            table,
            from,
            rights: of.clone(),
            rules,
            visible: Condition::Never,
            readable: BTreeMap::new(),
            heeded: true,
            shapes: Shapes::default(),
        };
        let reading = made.needed(&of.rules_where(|rule| !rule.read.is_empty()));
        made.visible = made.any(&reading);
        let table = made.table.clone();
        for (name, place) in &table.members {
            let granting = of.readable.get(name);
            if granting.is_none() && (footing.is_generated() || stands(Removable::EntityAccess)) {
                continue;
            }
            let shown = match granting {
                Some(granting) if made.needed(granting) != reading => made.any(granting),
                _ => Condition::Always,
            };
            let value = made.source(name, place, view, &lower())?;
            made.readable.insert(name.clone(), readable(&table, name, place, shown, value));
        }
        Ok(made)
    }

    /// How the value of a member is had.
    fn source(&self, name: &Name, place: &Place, view: Option<&Names>, lower: &Lower<'_>) -> Lowered<Source> {
        let column = |column: &str| {
            let mut value = Sql::new();
            value.ident(ROW).raw(".").ident(column);
            Source::Sql(value)
        };
        Ok(match (place, view) {
            (Place::Column { column: of, .. }, None) => column(of),
            (Place::Column { column: of, .. }, Some(_)) => column(&names::masked(of)),
            (Place::Link(link), None) => Source::Link(link.table.clone()),
            (Place::Link(link), Some(names)) => Source::Link(names.reader(&link.table)),
            // What has a gap may have more digits in memory than the database has.
            (Place::Calculated { expression, .. }, _) if sql_gap(expression).is_some() => Source::Memory(expression.clone()),
            (Place::Calculated { expression, .. }, view) => match lower.value_at(expression, ROW) {
                Ok(_) if view.is_some() => column(&names::masked(&names::attribute(name))),
                Ok(sql) => Source::Sql(sql),
                Err(LowerError::Beyond(_)) => Source::Memory(expression.clone()),
                Err(other) => return Err(other),
            },
        })
    }

    /// The same as if there were no rules: every row, every member.
    fn unheeded(self) -> Self {
        // What the views withhold is empty here, even where a column never is.
        let all = |(name, readable)| (name, Readable { shown: Condition::Always, required: false, ..readable });
        Self { visible: Condition::Always, readable: self.readable.into_iter().map(all).collect(), heeded: false, ..self }
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
        if !self.heeded {
            return Condition::Always;
        }
        let needed = self.needed(rules);
        let conditions = needed.iter().filter_map(|index| self.rules.get(*index)).cloned();
        conditions.fold(Condition::Never, Condition::or)
    }

    /// The rules that let a member be read hold.
    pub(super) fn shows(&self, member: &str) -> Condition {
        match self.rights.readable.get(member) {
            Some(rules) => self.any(rules),
            None => Condition::known(!self.heeded),
        }
    }
}

fn readable(table: &Table, name: &Name, place: &Place, shown: Condition, value: Source) -> Readable {
    let (kind, required) = match place {
        Place::Column { kind, required, .. } => (kind.clone(), *required),
        Place::Calculated { kind, .. } => (kind.clone(), false),
        Place::Link(_) => (table.entity.member_kind(name).unwrap_or(Kind::Empty), false),
    };
    let overflows = matches!(place, Place::Calculated { expression, .. } if expression.may_overflow());
    Readable { kind, required, overflows, shown, value }
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
