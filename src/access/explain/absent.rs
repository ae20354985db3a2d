//! Whether it may be told how many objects a constraint of the model admits that the reader does not see.

use crate::access::rights::Rights;
use crate::domain::{Name, QName};
use crate::expr::{Node, Root, Typed};
use crate::model::Model;

/// Whether the reader can steer a constraint: by an object or a value of the page, or by writing a member that it
/// compares. Then a count of hidden rows would answer questions about them one by one, and is not told.
// SECURITY: the count of absent rows is no oracle (`what_a_reader_can_steer_is_never_counted`,
// `the_count_of_absent_rows_cannot_be_steered`).
pub fn depends_on_choice(model: &Model, rights: &Rights, condition: &Typed) -> bool {
    let mut steered = false;
    condition.visit(&mut |part| {
        steered |= match &part.node {
            Node::Root(Root::Variable(_)) => true,
            // A member of the counted row itself is no choice: whoever could write it sees the row.
            Node::Member { of, calculated: None, .. } if matches!(of.node, Node::Root(Root::This)) => false,
            Node::Member { entity, name, calculated, .. } => {
                writes(model, rights, entity, name)
                    || calculated.as_ref().is_some_and(|inner| depends_on_choice(model, rights, inner))
            }
            Node::Many { entity, name, .. } => writes(model, rights, entity, name) || grows(model, rights, entity, name),
            Node::Within { entity, parent, .. } => writes(model, rights, entity, parent),
            _ => false,
        };
    });
    steered
}

/// Whether the reader may write a member in some row: of the other side of an association, at its owner.
fn writes(model: &Model, rights: &Rights, entity: &QName, name: &Name) -> bool {
    let inverse = model.entity(entity).and_then(|found| found.inverses.get(name));
    let (owner, member) = inverse.map_or((entity, name), |inverse| (&inverse.owner, &inverse.association));
    rights.entities.get(owner).is_some_and(|found| found.writable.contains_key(member))
}

/// Whether the reader may add to a list or take from it, by creating or deleting what is in it.
fn grows(model: &Model, rights: &Rights, entity: &QName, name: &Name) -> bool {
    let Some(inverse) = model.entity(entity).and_then(|found| found.inverses.get(name)) else { return false };
    let rules = rights.entities.get(&inverse.owner).map(|found| found.rules.as_slice()).unwrap_or_default();
    rules.iter().any(|rule| rule.create || rule.delete)
}
