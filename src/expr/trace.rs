//! The evaluation that remembers: a condition part by part, with what each part read.
//!
//! Guarantees: the outcome of the whole is what [`evaluate`](super::evaluate) gives, error for error (the tests
//! `a_traced_condition_comes_to_what_the_evaluator_says` and those below); a part that logic does not need is traced
//! all the same, for whoever explains, and its failure changes nothing; every member that a part read stands in its
//! `reads`, those that failed too.
//! Deliberately not here: who may be told what. A trace holds values as the system has them.

use super::evaluate::{Data, Environment, EvalError, evaluate};
use super::typed::{Node, Typed};
use crate::domain::{Name, ObjectId, QName, Value};

/// How the parts of a condition are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    /// All of them: `a && b && c`.
    All,
    /// Any of them: `a || b || c`.
    Any,
    /// Not the one: `!a`.
    Not,
    /// The first decides between the two others: `if(c, a, b)`.
    If,
    /// No parts: a comparison, a function, a member.
    Leaf,
}

/// One member that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The entity.
    pub entity: QName,
    /// The object.
    pub object: ObjectId,
    /// The member, or the name of the other side of an association.
    pub name: Name,
    /// Where it led.
    pub led: Vec<ObjectId>,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Side<'e> {
    /// The expression.
    pub part: &'e Typed,
    /// What it came to.
    pub value: Result<Value, EvalError>,
    /// What it read.
    pub reads: Vec<Read>,
}

/// A condition, or a part of one.
#[derive(Clone, Debug)]
pub struct Trace<'e> {
    /// The expression.
    pub part: &'e Typed,
    /// How its parts are joined.
    pub logic: Logic,
    /// Whether it holds.
    pub outcome: Result<bool, EvalError>,
    /// Its parts.
    pub parts: Vec<Trace<'e>>,
    /// What a leaf compares.
    pub sides: Vec<Side<'e>>,
    /// What a leaf read, its sides together.
    pub reads: Vec<Read>,
}

/// Evaluates a condition and remembers how.
pub fn trace<'e>(condition: &'e Typed, environment: &Environment<'_>, data: &mut dyn Data) -> Trace<'e> {
    let mut parts = Vec::new();
    let logic = split(condition, &mut parts);
    if logic == Logic::Leaf {
        return leaf(condition, environment, data);
    }
    let parts: Vec<Trace<'e>> = parts.into_iter().map(|part| trace(part, environment, data)).collect();
    Trace { part: condition, logic, outcome: joined(logic, &parts), parts, sides: Vec::new(), reads: Vec::new() }
}

/// The parts of a condition, chains of the same word as one.
fn split<'e>(condition: &'e Typed, into: &mut Vec<&'e Typed>) -> Logic {
    match &condition.node {
        Node::And(..) => chain(condition, Logic::All, into),
        Node::Or(..) => chain(condition, Logic::Any, into),
        // `a != b` may be kept as the opposite of another comparison: to its author it is one.
        Node::Not(inner) if inner.span != condition.span => {
            into.push(inner);
            Logic::Not
        }
        Node::If(c, a, b) => {
            into.extend([&**c, &**a, &**b]);
            Logic::If
        }
        _ => Logic::Leaf,
    }
}

fn chain<'e>(condition: &'e Typed, logic: Logic, into: &mut Vec<&'e Typed>) -> Logic {
    match (&condition.node, logic) {
        (Node::And(a, b), Logic::All) | (Node::Or(a, b), Logic::Any) => {
            chain(a, logic, into);
            chain(b, logic, into);
        }
        _ => into.push(condition),
    }
    logic
}

/// As the evaluator does it: from left to right, and no further than is needed.
fn joined(logic: Logic, parts: &[Trace<'_>]) -> Result<bool, EvalError> {
    let mut outcomes = parts.iter().map(|part| &part.outcome);
    match logic {
        Logic::All | Logic::Any => {
            let decisive = logic == Logic::Any;
            for outcome in outcomes {
                match outcome {
                    Ok(holds) if *holds == decisive => return Ok(decisive),
                    Ok(_) => {}
                    Err(error) => return Err(error.clone()),
                }
            }
            Ok(!decisive)
        }
        Logic::Not => outcomes.next().cloned().unwrap_or(Ok(false)).map(|holds| !holds),
        Logic::If => match outcomes.next() {
            Some(Ok(chosen)) => outcomes.nth(usize::from(!chosen)).cloned().unwrap_or(Ok(false)),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(false),
        },
        Logic::Leaf => Ok(false),
    }
}

fn leaf<'e>(condition: &'e Typed, environment: &Environment<'_>, data: &mut dyn Data) -> Trace<'e> {
    let (value, reads) = remembered(condition, environment, data);
    let mut sides = Vec::new();
    for part in compared(condition) {
        let (value, reads) = remembered(part, environment, data);
        sides.push(Side { part, value, reads });
    }
    let outcome = value.map(|value| value.holds());
    Trace { part: condition, logic: Logic::Leaf, outcome, parts: Vec::new(), sides, reads }
}

fn remembered(e: &Typed, environment: &Environment<'_>, data: &mut dyn Data) -> (Result<Value, EvalError>, Vec<Read>) {
    let mut memory = Memory { data, reads: Vec::new() };
    let value = evaluate(e, environment, &mut memory);
    (value, memory.reads)
}

/// What a leaf compares: its direct parts, but constants, lists, and what stands below another `item`.
fn compared(leaf: &Typed) -> Vec<&Typed> {
    let mut found = Vec::new();
    let leaf = if let Node::Not(inner) = &leaf.node { inner } else { leaf };
    match &leaf.node {
        Node::Aggregate(..) | Node::Filter(..) => {}
        Node::Member { .. } => found.push(leaf),
        _ => leaf.children(&mut |part| found.push(part)),
    }
    found.retain(|part| !matches!(part.node, Node::Literal(_) | Node::Many { .. } | Node::Filter(..)));
    found
}

/// Data that notes what is asked of it.
struct Memory<'d> {
    data: &'d mut dyn Data,
    reads: Vec<Read>,
}

impl Memory<'_> {
    fn note(&mut self, entity: &QName, object: ObjectId, name: &Name, led: Vec<ObjectId>) {
        let read = Read { entity: entity.clone(), object, name: name.clone(), led };
        if !self.reads.contains(&read) {
            self.reads.push(read);
        }
    }
}

impl Data for Memory<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        let value = self.data.member(entity, object, name);
        let led = value.as_ref().ok().and_then(Value::as_object);
        self.note(entity, object, name, led.into_iter().collect());
        value
    }
    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        let list = self.data.many(entity, object, name);
        self.note(entity, object, name, list.clone().unwrap_or_default());
        list
    }
    fn calculated(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Option<Result<Value, EvalError>> {
        let value = self.data.calculated(entity, object, name)?;
        self.note(entity, object, name, Vec::new());
        Some(value)
    }
}
