//! A condition with everything settled that does not depend on the row.

use super::typed::{Node, Root, Typed};
use crate::domain::{Kind, Name, Value};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Replaces each part of a condition that is the same for every row by a variable with its value.
///
/// What is left asks the database about the row only: what a variable or the caller leads to was
/// read by whoever evaluates here, under their own rights. The variables are named `1`, `2`, …,
/// which no author can write. Lists stay as they are, with their start settled.
pub fn settle<E>(
    condition: &Typed,
    evaluate: &mut dyn FnMut(&Typed) -> Result<Value, E>,
) -> Result<(Typed, BTreeMap<Name, Value>), E> {
    let mut variables = BTreeMap::new();
    let mut take = |name: Name, part: &Typed| evaluate(part).map(|value| drop(variables.insert(name, value)));
    let settled = Settling { take: &mut take, taken: 0 }.part(condition)?;
    Ok((settled, variables))
}

/// A condition divided into what depends on the row, and what does not and is still to be evaluated.
#[derive(Clone, Debug)]
pub struct Split {
    /// The condition with a variable in the place of each part that is the same for every row.
    pub left: Typed,
    /// Those variables, and what gives their values.
    pub fixed: Vec<(Name, Typed)>,
}

/// Divides a condition as [`settle`] does, once for all callers: only the values are theirs.
pub fn split(condition: &Typed) -> Split {
    let mut fixed = Vec::new();
    let mut take = |name: Name, part: &Typed| {
        fixed.push((name, part.clone()));
        Ok::<_, Infallible>(())
    };
    let settled = Settling { take: &mut take, taken: 0 }.part(condition);
    let left = settled.unwrap_or_else(|never| match never {});
    Split { left, fixed }
}

struct Settling<'t, E> {
    take: &'t mut dyn FnMut(Name, &Typed) -> Result<(), E>,
    taken: usize,
}

impl<E> Settling<'_, E> {
    fn part(&mut self, e: &Typed) -> Result<Typed, E> {
        let plain = matches!(
            e.node,
            Node::Literal(_)
                | Node::Now
                | Node::Today
                | Node::HasRole(_)
                | Node::SignedIn
                | Node::Root(Root::User | Root::This | Root::Item)
        );
        if plain {
            return Ok(e.clone());
        }
        if !matches!(e.kind, Kind::List(_)) && !varies(e, false) {
            self.taken += 1;
            let name = Name::new(self.taken.to_string());
            (self.take)(name.clone(), e)?;
            return Ok(Typed { node: Node::Root(Root::Variable(name)), kind: e.kind.clone(), span: e.span });
        }
        Ok(Typed { node: self.inside(&e.node)?, kind: e.kind.clone(), span: e.span })
    }

    fn boxed(&mut self, e: &Typed) -> Result<Box<Typed>, E> {
        self.part(e).map(Box::new)
    }

    fn inside(&mut self, node: &Node) -> Result<Node, E> {
        Ok(match node {
            Node::Literal(_) | Node::Now | Node::Today | Node::HasRole(_) | Node::SignedIn => node.clone(),
            Node::Root(Root::Variable(name)) => {
                let kept = Typed { node: node.clone(), kind: Kind::Empty, span: Default::default() };
                (self.take)(name.clone(), &kept)?;
                node.clone()
            }
            Node::Root(_) => node.clone(),
            Node::Member { of, entity, name, calculated } => {
                Node::Member { of: self.boxed(of)?, entity: entity.clone(), name: name.clone(), calculated: calculated.clone() }
            }
            Node::Many { of, entity, name } => Node::Many { of: self.boxed(of)?, entity: entity.clone(), name: name.clone() },
            Node::Filter(a, b) => Node::Filter(self.boxed(a)?, self.boxed(b)?),
            Node::Aggregate(how, list, of) => {
                let list = self.boxed(list)?;
                Node::Aggregate(*how, list, of.as_ref().map(|of| self.boxed(of)).transpose()?)
            }
            Node::Not(a) => Node::Not(self.boxed(a)?),
            Node::Declared(a) => Node::Declared(self.boxed(a)?),
            Node::And(a, b) => Node::And(self.boxed(a)?, self.boxed(b)?),
            Node::Or(a, b) => Node::Or(self.boxed(a)?, self.boxed(b)?),
            Node::If(a, b, c) => Node::If(self.boxed(a)?, self.boxed(b)?, self.boxed(c)?),
            Node::Compare(op, a, b) => Node::Compare(*op, self.boxed(a)?, self.boxed(b)?),
            Node::IsEmpty(a) => Node::IsEmpty(self.boxed(a)?),
            Node::Arithmetic(op, a, b) => Node::Arithmetic(*op, self.boxed(a)?, self.boxed(b)?),
            Node::Concat(a, b) => Node::Concat(self.boxed(a)?, self.boxed(b)?),
            Node::InValues(a, values) => Node::InValues(self.boxed(a)?, values.clone()),
            Node::InList(a, b) => Node::InList(self.boxed(a)?, self.boxed(b)?),
            Node::Within { object, roots, entity, parent } => Node::Within {
                object: self.boxed(object)?,
                roots: self.boxed(roots)?,
                entity: entity.clone(),
                parent: parent.clone(),
            },
            Node::Call(function, arguments) => {
                Node::Call(*function, arguments.iter().map(|argument| self.part(argument)).collect::<Result<_, E>>()?)
            }
        })
    }
}

/// Whether the value can differ from row to row; `bound` inside a list whose `item` is meant.
fn varies(e: &Typed, bound: bool) -> bool {
    match &e.node {
        Node::Root(Root::This) => true,
        Node::Root(Root::Item) => !bound,
        Node::Filter(list, condition) => varies(list, bound) || varies(condition, true),
        Node::Aggregate(_, list, of) => varies(list, bound) || of.as_ref().is_some_and(|of| varies(of, true)),
        _ => {
            let mut found = false;
            e.children(&mut |child| found |= varies(child, bound));
            found
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::QName;
    use crate::expr::Comparison;

    fn make(node: Node, kind: Kind) -> Typed {
        Typed { node, kind, span: Default::default() }
    }
    fn object() -> Kind {
        Kind::Object(QName::new("d", "Order"))
    }
    fn list() -> Kind {
        Kind::List(QName::new("d", "Order"))
    }
    fn root(root: Root, kind: Kind) -> Typed {
        make(Node::Root(root), kind)
    }
    fn member(of: Typed, name: &str) -> Typed {
        let node = Node::Member { of: Box::new(of), entity: QName::new("d", "Order"), name: name.into(), calculated: None };
        make(node, Kind::INTEGER)
    }
    fn many(of: Typed) -> Typed {
        make(Node::Many { of: Box::new(of), entity: QName::new("d", "Order"), name: "lines".into() }, list())
    }
    fn compared(a: Typed, b: Typed) -> Typed {
        make(Node::Compare(Comparison::Less, Box::new(a), Box::new(b)), Kind::Boolean)
    }
    fn settled(e: &Typed) -> (Typed, BTreeMap<Name, Value>) {
        settle::<()>(e, &mut |_| Ok(Value::Integer(5))).unwrap()
    }
    fn one() -> Typed {
        root(Root::Variable("1".into()), Kind::INTEGER)
    }

    #[test]
    fn only_the_part_about_the_row_is_left_to_the_database() {
        let form = || root(Root::Variable("Form".into()), object());
        let row = member(root(Root::This, object()), "count");
        let (left, variables) = settled(&compared(row.clone(), member(form(), "count")));
        assert_eq!(left, compared(row, one()));
        assert_eq!(variables, [(Name::new("1"), Value::Integer(5))].into());
        let fixed = compared(member(root(Root::User, object()), "a"), member(form(), "b"));
        assert_eq!(settled(&fixed).0.node, Node::Root(Root::Variable("1".into())), "what is fixed is settled as a whole");
    }

    #[test]
    fn an_item_is_fixed_inside_its_own_list_and_a_list_keeps_its_shape() {
        let item = || root(Root::Item, object());
        let form = || root(Root::Variable("Form".into()), object());
        let count = |list| make(Node::Aggregate(crate::expr::Aggregate::Count, Box::new(list), None), Kind::INTEGER);
        let filtered = |from, condition| make(Node::Filter(Box::new(from), Box::new(condition)), list());
        let fixed = count(filtered(many(form()), compared(member(item(), "a"), member(form(), "b"))));
        assert_eq!(settled(&fixed).0.node, Node::Root(Root::Variable("1".into())));
        let varying = count(filtered(many(root(Root::This, object())), compared(member(item(), "a"), member(form(), "b"))));
        let (left, variables) = settled(&varying);
        assert_eq!(left, count(filtered(many(root(Root::This, object())), compared(member(item(), "a"), one()))));
        assert_eq!(variables.len(), 1);
        let within = make(Node::InList(Box::new(root(Root::This, object())), Box::new(many(form()))), Kind::Boolean);
        let Node::InList(_, left) = settled(&within).0.node else { panic!() };
        assert_eq!(*left, many(root(Root::Variable("1".into()), object())), "a list stays a list, from a settled start");
    }

    #[test]
    fn a_condition_is_divided_for_all_callers_as_it_is_settled_for_one() {
        let form = || root(Root::Variable("Form".into()), object());
        let row = member(root(Root::This, object()), "count");
        let whole =
            make(Node::And(Box::new(compared(row.clone(), member(form(), "a"))), Box::new(compared(form(), row))), Kind::Boolean);
        let (left, variables) = settled(&whole);
        let divided = split(&whole);
        assert_eq!(divided.left, left);
        assert_eq!(divided.fixed.iter().map(|(name, _)| name).collect::<Vec<_>>(), variables.keys().collect::<Vec<_>>());
        assert_eq!(divided.fixed.first().map(|(_, part)| part), Some(&member(form(), "a")));
    }

    #[test]
    fn what_cannot_be_evaluated_ends_the_settling() {
        let form = member(root(Root::Variable("Form".into()), object()), "secret");
        let row = member(root(Root::This, object()), "count");
        assert_eq!(settle(&compared(row, form), &mut |_| Err("withheld")).unwrap_err(), "withheld");
    }
}
