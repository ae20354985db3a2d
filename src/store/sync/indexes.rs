//! Which indexes there are: declared ones, one per reference, and those that access rules need.

use super::layout::{Index, Layout, TableLayout};
use crate::domain::{Kind, Name};
use crate::expr::{Node, Typed};
use crate::model::{Entity, Model, Multiplicity};
use crate::store::names;
use crate::store::tables::{Place, Table, Tables};

/// Adds an index, unless one that begins with the same columns is there.
pub(super) fn add(layout: &mut TableLayout, table: &str, columns: Vec<Name>, unique: bool) {
    let wanted: Vec<String> = columns.iter().map(Name::to_string).collect();
    let served = |index: &Index| index.columns.starts_with(&wanted) && (!unique || index.columns == wanted && index.unique);
    if wanted.is_empty() || layout.indexes.values().any(served) {
        return;
    }
    let name = names::index(if unique { "ux" } else { "ix" }, table, &columns);
    layout.indexes.insert(name.to_string(), Index { columns: wanted, unique });
}

/// Unique combinations, declared indexes, and one for each association.
pub(super) fn declared(entity: &Entity, table: &Table, layout: &mut TableLayout) {
    let columns = |members: &[Name]| -> Vec<Name> {
        let place = |member: &Name| match table.members.get(member) {
            Some(Place::Column { column, .. }) => Some(column.clone()),
            _ => None,
        };
        members.iter().map_while(place).collect()
    };
    for members in &entity.unique {
        add(layout, &table.name, columns(members), true);
    }
    for (name, association) in &entity.associations {
        if association.multiplicity == Multiplicity::OneToOne {
            add(layout, &table.name, columns(std::slice::from_ref(name)), true);
        }
    }
    for members in &entity.indexes {
        add(layout, &table.name, columns(members), false);
    }
    for name in entity.associations.keys() {
        add(layout, &table.name, columns(std::slice::from_ref(name)), false);
    }
}

/// Whatever an access rule compares gets an index, at whichever entity the path ends.
pub(super) fn for_rules(model: &Model, tables: &Tables, layout: &mut Layout) {
    let own = model.entities.values().flat_map(|entity| entity.rules.iter());
    let elevated = model.microflows.values().flat_map(|flow| flow.elevation.values().flatten());
    for condition in own.chain(elevated).filter_map(|rule| rule.condition.as_ref()) {
        condition.visit(&mut |node| match &node.node {
            Node::Compare(_, a, b) => {
                compared(a, tables, layout);
                compared(b, tables, layout);
            }
            Node::InValues(a, _) | Node::InList(a, _) | Node::IsEmpty(a) | Node::Within { object: a, .. } => {
                compared(a, tables, layout);
            }
            _ => {}
        });
    }
}

fn compared(e: &Typed, tables: &Tables, layout: &mut Layout) {
    let Node::Member { entity, name, calculated: None, .. } = &e.node else { return };
    // Half of the rows have either truth: an index would be read for nothing.
    if e.kind == Kind::Boolean {
        return;
    }
    let Some(table) = tables.get(entity).filter(|t| !t.entity.system) else { return };
    if let Some(Place::Column { column, .. }) = table.members.get(name)
        && let Some(of) = layout.tables.get_mut(table.name.as_str())
    {
        add(of, &table.name, vec![column.clone()], false);
    }
}
