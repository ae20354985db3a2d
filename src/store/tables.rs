//! Where the model's entities, members and associations are kept.

use super::names;
use crate::db::DbError;
use crate::domain::{ByName, Kind, Name, QName};
use crate::expr::Typed;
use crate::model::{Association, Entity, Model, Multiplicity};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The names of a model cannot all be kept apart in the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{first} and {second} would both be `{name}` in the database: rename one of them")]
pub struct Collision {
    /// The name in the database.
    pub name: String,
    /// Who has it.
    pub first: String,
    /// Who would have it too.
    pub second: String,
}

/// The table of every persistable entity.
#[derive(Debug, Default)]
pub(super) struct Tables {
    entities: HashMap<QName, Arc<Table>>,
}

/// The table of one entity.
#[derive(Debug)]
pub(super) struct Table {
    pub entity: Arc<Entity>,
    pub name: Name,
    /// Own members in the order declared.
    pub members: ByName<Name, Place>,
}

/// Where an own member is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Column { column: Name, kind: Kind, required: bool },
    Calculated { expression: Arc<Typed>, kind: Kind },
    Link(Link),
}

/// The table of a many-to-many association, read from one side.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub table: Name,
    pub from: &'static str,
    pub to: &'static str,
}

/// How an association leads from one row to others.
#[derive(Clone, Debug)]
pub(super) enum Hop {
    /// This row's column holds the key of the other.
    Column(Name),
    /// The other rows' column holds this row's key.
    Back { column: Name, many: bool },
    /// By a link table.
    Link(Link),
}

/// The side of a link table that owns the association.
pub(super) const OWNER: &str = "owner_id";
/// Its other side.
pub(super) const TARGET: &str = "target_id";
/// The system's own tables, which no entity may have.
const SYSTEM: [&str; 19] = [
    "account",
    "account_role",
    "session",
    "one_time_link",
    "throttle",
    "audit_record",
    "audit_seal",
    "audit_head",
    "setting",
    "schema_state",
    "autonumber",
    "mail_queue",
    "engine_set",
    "node_log_level",
    "node_snapshot",
    "node_run",
    "node_letter",
    "form_once",
    "__diesel_schema_migrations",
];

impl Tables {
    pub(super) fn of(model: &Model) -> Result<Self, Collision> {
        let mut taken: HashMap<String, String> = SYSTEM.iter().map(|t| ((*t).to_owned(), "the system".to_owned())).collect();
        let mut claim = |name: &Name, whose: String| match taken.insert(name.to_string(), whose.clone()) {
            Some(first) => Err(Collision { name: name.to_string(), first, second: whose }),
            None if name.starts_with("sqlite_") => {
                Err(Collision { name: name.to_string(), first: "the system".into(), second: whose })
            }
            None => Ok(()),
        };
        let mut entities = HashMap::new();
        for (name, entity) in model.entities.iter().filter(|(_, e)| e.persistable) {
            let table = Table::of(entity)?;
            if !entity.system {
                claim(&table.name, name.to_string())?;
            }
            for (member, place) in &table.members {
                if let Place::Link(link) = place {
                    claim(&link.table, format!("{name}.{member}"))?;
                }
            }
            entities.insert(name.clone(), Arc::new(table));
        }
        Ok(Self { entities })
    }

    pub(super) fn get(&self, entity: &QName) -> Option<&Arc<Table>> {
        self.entities.get(entity)
    }

    /// All tables of entities.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.entities.values()
    }

    /// The names of all tables, those of links too, in order.
    pub(super) fn names(&self) -> BTreeSet<Name> {
        let link = |place: &Place| if let Place::Link(link) = place { Some(link.table.clone()) } else { None };
        let of = |table: &Arc<Table>| table.members.values().filter_map(link).chain([table.name.clone()]).collect::<Vec<_>>();
        self.entities.values().flat_map(of).collect()
    }

    /// How an association (own or inverse name) leads on, and to which entity.
    pub(super) fn hop(&self, entity: &QName, name: &str) -> Option<(Hop, QName)> {
        let table = self.get(entity)?;
        if let Some(association) = table.entity.associations.get(name) {
            let hop = match table.members.get(name)? {
                Place::Column { column, .. } => Hop::Column(column.clone()),
                Place::Link(link) => Hop::Link(link.clone()),
                Place::Calculated { .. } => return None,
            };
            return Some((hop, association.target.clone()));
        }
        let inverse = table.entity.inverses.get(name)?;
        let hop = match self.get(&inverse.owner)?.members.get(&inverse.association)? {
            Place::Column { column, .. } => Hop::Back { column: column.clone(), many: inverse.many },
            Place::Link(link) => Hop::Link(Link { table: link.table.clone(), from: link.to, to: link.from }),
            Place::Calculated { .. } => return None,
        };
        Some((hop, inverse.owner.clone()))
    }

    /// Every association that points at an entity, with its owner.
    pub(super) fn pointing_at<'a>(&'a self, target: &'a QName) -> impl Iterator<Item = (&'a Arc<Table>, &'a Association)> {
        self.entities.values().flat_map(move |table| {
            table.entity.associations.values().filter(move |a| a.target == *target).map(move |a| (table, a))
        })
    }
}

impl Tables {
    /// The columns of a table, of an entity or of links, that hold keys of rows that can be deleted, each with the table
    /// of those rows.
    pub(super) fn references_of(&self, name: &Name) -> Vec<(Name, Name)> {
        let mut found = Vec::new();
        for table in self.entities.values() {
            for (member, association) in &table.entity.associations {
                let Some(target) = self.get(&association.target).filter(|target| !target.entity.system) else { continue };
                match table.members.get(member) {
                    Some(Place::Column { column, .. }) if table.name == *name => {
                        found.push((column.clone(), target.name.clone()))
                    }
                    Some(Place::Link(link)) if link.table == *name => {
                        found.push((Name::new(OWNER), table.name.clone()));
                        found.push((Name::new(TARGET), target.name.clone()));
                    }
                    _ => {}
                }
            }
        }
        found
    }
}

impl Table {
    fn of(entity: &Arc<Entity>) -> Result<Self, Collision> {
        let name = if entity.system { Name::from("account") } else { names::table(&entity.name) };
        let mut members = ByName::default();
        for (name, attribute) in &entity.attributes {
            let kind = attribute.kind();
            let place = match &attribute.calculated {
                Some(expression) => Place::Calculated { expression: expression.clone(), kind },
                None => {
                    let required = attribute.required || kind == Kind::Boolean;
                    Place::Column { column: names::attribute(name), kind, required }
                }
            };
            members.insert(name.clone(), place);
        }
        for (member, association) in &entity.associations {
            let place = match association.multiplicity {
                Multiplicity::ManyToMany => {
                    Place::Link(Link { table: names::link(&entity.name, member), from: OWNER, to: TARGET })
                }
                _ => {
                    Place::Column { column: names::association(member), kind: association.kind(), required: association.required }
                }
            };
            members.insert(member.clone(), place);
        }
        let mut seen = BTreeSet::new();
        for (member, place) in &members {
            if let Place::Column { column, .. } = place
                && !seen.insert(column.clone())
            {
                let (first, second) = (entity.name.to_string(), format!("{}.{member}", entity.name));
                return Err(Collision { name: column.to_string(), first, second });
            }
        }
        Ok(Self { entity: entity.clone(), name, members })
    }

    /// The stored columns: member, column, kind.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&Name, &Name, &Kind)> {
        self.members.iter().filter_map(|(member, place)| match place {
            Place::Column { column, kind, .. } => Some((member, column, kind)),
            _ => None,
        })
    }

    /// A violation with its columns: PostgreSQL does not tell them where row-level security is on, but the index is one of ours.
    pub(super) fn told(&self, failed: DbError) -> DbError {
        match failed {
            DbError::Unique { constraint: Some(index), columns } if columns.is_empty() => {
                let members = self.unique_by(&index).unwrap_or_default();
                let columns = self.columns().filter(|(member, _, _)| members.contains(member));
                DbError::Unique { columns: columns.map(|(_, column, _)| column.to_string()).collect(), constraint: Some(index) }
            }
            other => other,
        }
    }

    /// The sets of members that are unique together.
    pub(super) fn unique_sets(&self) -> impl Iterator<Item = Vec<&Name>> {
        let entity = &self.entity;
        let single = entity.associations.values().filter(|a| a.multiplicity == Multiplicity::OneToOne).map(|a| vec![&a.name]);
        entity.unique.iter().map(|members| members.iter().collect::<Vec<_>>()).chain(single)
    }

    /// The members that an index of this name keeps unique together.
    fn unique_by(&self, index: &str) -> Option<Vec<&Name>> {
        self.unique_sets().find(|members| {
            let column = |member: &&Name| match self.members.get(member.as_str()) {
                Some(Place::Column { column, .. }) => Some(column.clone()),
                _ => None,
            };
            let columns: Vec<Name> = members.iter().map_while(column).collect();
            names::index("ux", &self.name, &columns).as_str() == index
        })
    }

    /// The member that a column holds.
    pub(super) fn member_of(&self, column: &str) -> Option<&Name> {
        self.columns().find(|(_, c, _)| c.as_str() == column).map(|(member, _, _)| member)
    }
}
