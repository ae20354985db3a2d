//! The shape of the model's tables, as it is wanted and as it is noted once applied.

use super::indexes;
use crate::domain::Name;
use crate::model::{AttributeKind, Entity, Model, OnDelete};
use crate::store::ranges::Range;
use crate::store::tables::{OWNER, Place, TARGET, Table, Tables};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Tables by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub tables: IndexMap<String, TableLayout>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TableLayout {
    /// `hr.Employee`, or `hr.Employee.skills` for the table of an association.
    pub object: String,
    /// Whether it is the table of an association.
    pub link: bool,
    pub columns: IndexMap<String, Column>,
    pub indexes: IndexMap<String, Index>,
    /// Ranges that may not overlap.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub exclusions: IndexMap<String, Exclusion>,
}

/// One column besides `id` and `version`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Column {
    pub member: String,
    pub kind: ColumnKind,
    pub required: bool,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ColumnKind {
    String(u32),
    Text,
    Enumeration,
    Integer,
    Decimal(u32, u32),
    Boolean,
    Date,
    DateTime,
    Reference { table: String, on_delete: Removal },
}

/// What the database does when the row pointed at goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Removal {
    Restrict,
    Cascade,
    Clear,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Index {
    pub columns: Vec<String>,
    pub unique: bool,
}

/// Rows with the same in some columns may not overlap in a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exclusion {
    pub same: Vec<String>,
    pub from: String,
    pub to: String,
}

/// Former names: `hr.Employee` or `hr.Employee.salary` → the name it had.
pub(super) type Former = HashMap<String, String>;

/// The layout that a model wants.
pub(super) fn wanted(model: &Model, tables: &Tables) -> (Layout, Former) {
    let (mut layout, mut former) = (Layout::default(), Former::new());
    for entity in model.entities.values().filter(|e| e.persistable && !e.system) {
        let Some(table) = tables.get(&entity.name) else { continue };
        layout.tables.insert(table.name.to_string(), entity_table(entity, table, tables));
        for (member, place) in &table.members {
            let Place::Link(link) = place else { continue };
            let Some(target) = entity.associations.get(member).and_then(|a| tables.get(&a.target)) else { continue };
            let object = format!("{}.{member}", entity.name);
            layout.tables.insert(link.table.to_string(), link_table(&object, &link.table, &table.name, &target.name));
        }
        note_former(entity, &mut former);
    }
    indexes::for_rules(model, tables, &mut layout);
    (layout, former)
}

fn note_former(entity: &Entity, former: &mut Former) {
    let name = &entity.name;
    let old_entity = entity.was.as_ref().map(|was| format!("{}.{was}", name.module));
    former.extend(old_entity.clone().map(|old| (name.to_string(), old)));
    let was =
        entity.attributes.values().map(|a| (&a.name, &a.was)).chain(entity.associations.values().map(|a| (&a.name, &a.was)));
    for (member, was) in was {
        if let Some(was) = was {
            former.insert(format!("{name}.{member}"), was.to_string());
        }
        if let Some(old) = &old_entity {
            // The table of an association moves with its entity.
            let before = was.as_ref().unwrap_or(member);
            former.entry(format!("link {name}.{member}")).or_insert_with(|| format!("{old}.{before}"));
        } else if let Some(was) = was {
            former.insert(format!("link {name}.{member}"), format!("{name}.{was}"));
        }
    }
}

fn entity_table(entity: &Entity, table: &Table, tables: &Tables) -> TableLayout {
    let mut columns = IndexMap::new();
    for (member, place) in &table.members {
        let Place::Column { column, required, .. } = place else { continue };
        let kind = match entity.attributes.get(member) {
            Some(attribute) => attribute_kind(&attribute.kind),
            None => match entity.associations.get(member).and_then(|a| tables.get(&a.target).map(|t| (a, t))) {
                Some((association, target)) => {
                    let on_delete = match association.on_delete {
                        OnDelete::Refuse => Removal::Restrict,
                        OnDelete::Cascade => Removal::Cascade,
                        OnDelete::Clear => Removal::Clear,
                    };
                    ColumnKind::Reference { table: target.name.to_string(), on_delete }
                }
                None => continue,
            },
        };
        columns.insert(column.to_string(), Column { member: member.to_string(), kind, required: *required });
    }
    let (indexes, exclusions) = (IndexMap::new(), IndexMap::new());
    let mut layout = TableLayout { object: entity.name.to_string(), link: false, columns, indexes, exclusions };
    indexes::declared(entity, table, &mut layout);
    for range in Range::of(table) {
        let name = |column: &Name| column.to_string();
        let exclusion = Exclusion {
            same: range.same.iter().map(|(_, column, _)| name(column)).collect(),
            from: name(range.from),
            to: name(range.to),
        };
        layout.exclusions.insert(range.name().to_string(), exclusion);
    }
    layout
}

fn attribute_kind(kind: &AttributeKind) -> ColumnKind {
    match kind {
        AttributeKind::String(length) => ColumnKind::String(*length),
        AttributeKind::Text => ColumnKind::Text,
        AttributeKind::Enumeration(_) => ColumnKind::Enumeration,
        AttributeKind::Integer | AttributeKind::Autonumber => ColumnKind::Integer,
        AttributeKind::Decimal(number) => ColumnKind::Decimal(number.digits, number.scale),
        AttributeKind::Boolean => ColumnKind::Boolean,
        AttributeKind::Date => ColumnKind::Date,
        AttributeKind::DateTime => ColumnKind::DateTime,
    }
}

fn link_table(object: &str, name: &Name, owner: &Name, target: &Name) -> TableLayout {
    let side = |member: &str, table: &Name| Column {
        member: member.to_owned(),
        kind: ColumnKind::Reference { table: table.to_string(), on_delete: Removal::Cascade },
        required: true,
    };
    let columns = [(OWNER.to_owned(), side("owner", owner)), (TARGET.to_owned(), side("target", target))];
    let (columns, indexes, exclusions) = (columns.into_iter().collect(), IndexMap::new(), IndexMap::new());
    let mut layout = TableLayout { object: object.to_owned(), link: true, columns, indexes, exclusions };
    indexes::add(&mut layout, name, vec![TARGET.into(), OWNER.into()], false);
    layout
}
