//! Aggregate a list: count, or sum, min, max, average of a member.

use crate::domain::{Kind, Name, Number, QName};
use crate::expr::{Aggregate, Arithmetic, Node, Root, Span, Typed};
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::model::ListFunction;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    output: &Name,
    (list, entity): (&Name, &QName),
    function: ListFunction,
    of: Option<&Name>,
) -> Result<(), FlowError> {
    let ids = frame.list(list)?;
    let elements = make(Node::Root(Root::Variable(list.clone())), Kind::List(entity.clone()));
    let member = of.map(|of| member(run, entity, of)).transpose()?;
    if member.is_some() {
        run.prefetch(frame, entity, &ids)?;
    }
    let expression = match (function, member) {
        (ListFunction::Plain(plain), member) => {
            let kind = match (plain, &member) {
                (Aggregate::Exists, _) => Kind::Boolean,
                (Aggregate::Count, _) | (_, None) => Kind::INTEGER,
                (_, Some(member)) => member.kind.clone(),
            };
            make(Node::Aggregate(plain, Box::new(elements), member.map(Box::new)), kind)
        }
        (ListFunction::Average, Some(member)) => average(elements, member),
        (ListFunction::Average, None) => return Err(FlowError::Broken("an average is of a member".into())),
    };
    let value = run.value(frame, &expression)?;
    frame.put(output, &expression.kind, value)
}

fn make(node: Node, kind: Kind) -> Typed {
    Typed { node, kind, span: Span::default() }
}

fn member(run: &Interpreter<'_, '_>, entity: &QName, name: &Name) -> Result<Typed, FlowError> {
    let attribute = run.model.entity(entity).and_then(|found| found.attributes.get(name));
    let attribute = attribute.ok_or_else(|| FlowError::Broken(format!("{entity} has no attribute {name}")))?;
    let of = Box::new(make(Node::Root(Root::Item), Kind::Object(entity.clone())));
    let (name, calculated) = (name.clone(), attribute.calculated.clone());
    Ok(make(Node::Member { of, entity: entity.clone(), name, calculated }, attribute.kind()))
}

/// The sum over the number of elements that have a value; empty when none has.
fn average(elements: Typed, member: Typed) -> Typed {
    let kind = Kind::Number(Number { digits: 28, scale: 8 });
    let empty = make(Node::IsEmpty(Box::new(member.clone())), Kind::Boolean);
    let present = make(Node::Not(Box::new(empty)), Kind::Boolean);
    let counted = make(Node::Filter(Box::new(elements.clone()), Box::new(present)), elements.kind.clone());
    let count = make(Node::Aggregate(Aggregate::Count, Box::new(counted), None), Kind::INTEGER);
    let sum = make(Node::Aggregate(Aggregate::Sum, Box::new(elements), Some(Box::new(member))), kind.clone());
    make(Node::Arithmetic(Arithmetic::Divide, Box::new(sum), Box::new(count)), kind)
}
