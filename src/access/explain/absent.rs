//! Whether it may be told how many objects a constraint of the model admits that the reader does not see.

use crate::access::rights::Rights;
use crate::domain::{Name, QName};
use crate::expr::{Node, Root, Typed};

/// Whether the reader can steer a constraint: by an object or a value of the page, or by writing a member that it
/// compares. Then a count of hidden rows would answer questions about them one by one, and is not told.
// SECURITY: the count of absent rows is no oracle (`what_a_reader_can_steer_is_never_counted`,
// `the_count_of_absent_rows_cannot_be_steered`).
pub fn depends_on_choice(rights: &Rights, condition: &Typed) -> bool {
    let mut steered = false;
    condition.visit(&mut |part| {
        steered |= match &part.node {
            Node::Root(Root::Variable(_)) => true,
            // A member of the counted row itself is no choice: whoever could write it sees the row.
            Node::Member { of, .. } if matches!(of.node, Node::Root(Root::This)) => false,
            Node::Member { entity, name, calculated, .. } => {
                writes(rights, entity, name) || calculated.as_ref().is_some_and(|inner| any_written(rights, inner))
            }
            // Lists and trees follow members that many hands keep.
            Node::Many { .. } | Node::Within { .. } | Node::Filter(..) => any_association(rights, part),
            _ => false,
        };
    });
    steered
}

fn writes(rights: &Rights, entity: &QName, member: &Name) -> bool {
    rights.entities.get(entity).is_some_and(|found| found.writable.contains_key(member))
}

fn any_written(rights: &Rights, inner: &Typed) -> bool {
    let mut found = false;
    inner.visit(&mut |part| {
        if let Node::Member { entity, name, .. } = &part.node {
            found |= writes(rights, entity, name);
        }
        found |= matches!(part.node, Node::Many { .. });
    });
    found
}

/// Whether the reader may write what a list or a tree is made of.
fn any_association(rights: &Rights, part: &Typed) -> bool {
    match &part.node {
        Node::Within { entity, parent, .. } => writes(rights, entity, parent),
        // The other side of an association is written at its owner: any right to create or change there counts.
        Node::Many { entity, name, .. } => writes(rights, entity, name) || inverse_written(rights, part),
        _ => false,
    }
}

fn inverse_written(rights: &Rights, part: &Typed) -> bool {
    let crate::domain::Kind::List(target) = &part.kind else { return true };
    rights.entities.get(target).is_some_and(|found| found.rules.iter().any(|rule| rule.create || rule.delete) || !found.writable.is_empty())
}
