//! A tiny interpreter of typed expressions over rows in memory, written from the language's description.

use super::number::{calculate, declared, held_to, rounded, total};
use super::{Oracle, Who};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Aggregate, Comparison, Function, Node, Root, Typed};
use chrono::{Datelike, Days, NaiveDate, Weekday};
use std::cmp::Ordering;

/// An expression that has no value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

type Computed = Result<Value, Fault>;

#[derive(Clone, Copy)]
struct Place<'p> {
    who: &'p Who,
    this: Option<ObjectId>,
    item: Option<ObjectId>,
    deep: u8,
}

impl Oracle<'_> {
    /// The value of an expression about an object, for somebody.
    pub fn compute(&self, expression: &Typed, who: &Who, this: Option<ObjectId>) -> Computed {
        self.eval(expression, Place { who, this, item: None, deep: 0 })
    }

    fn eval(&self, e: &Typed, at: Place<'_>) -> Computed {
        self.node(e, at).map(|value| held_to(e, value))
    }

    fn node(&self, e: &Typed, at: Place<'_>) -> Computed {
        let yes = |answer: bool| Ok(Value::Boolean(answer));
        match &e.node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Now => Ok(Value::DateTime(self.now)),
            Node::Today => Ok(Value::Date(self.now.date())),
            Node::Root(Root::This) => Ok(object(at.this)),
            Node::Root(Root::Item) => Ok(object(at.item)),
            Node::Root(Root::User) => Ok(object(at.who.user)),
            Node::Root(Root::Variable(_)) => Err(Fault),
            Node::Member { of, entity, name, calculated } => match self.eval(of, at)? {
                Value::Object(id) => match calculated {
                    Some(_) if at.deep > 20 => Err(Fault),
                    Some(inner) => self.eval(inner, Place { this: Some(id), item: None, deep: at.deep + 1, ..at }),
                    None => Ok(self.step(entity, id, name)),
                },
                _ => Ok(Value::Empty),
            },
            Node::Many { .. } | Node::Filter(..) => Ok(Value::List(self.list(e, at)?)),
            Node::Aggregate(aggregate, list, of) => self.aggregate(*aggregate, list, of.as_deref(), at),
            Node::Not(a) => yes(!self.is_true(a, at)?),
            Node::And(a, b) => yes(self.is_true(a, at)? && self.is_true(b, at)?),
            Node::Or(a, b) => yes(self.is_true(a, at)? || self.is_true(b, at)?),
            Node::If(c, a, b) => self.eval(if self.is_true(c, at)? { a } else { b }, at),
            Node::Compare(op, a, b) => yes(order(&self.eval(a, at)?, &self.eval(b, at)?).is_some_and(|found| fits(*op, found))),
            Node::IsEmpty(a) => yes(self.eval(a, at)? == Value::Empty),
            Node::Arithmetic(op, a, b) => Ok(calculate(*op, &self.eval(a, at)?, &self.eval(b, at)?)),
            Node::Declared(inner) => match (&e.kind, self.eval(inner, at)?) {
                (Kind::Number(number), value) => Ok(declared(*number, &value)),
                (_, value) => Ok(value),
            },
            Node::Concat(a, b) => {
                let (a, b) = (self.eval(a, at)?, self.eval(b, at)?);
                if [&a, &b].contains(&&Value::Uncomputable) {
                    return Ok(Value::Uncomputable);
                }
                Ok(Value::text([a.as_text().unwrap_or(""), b.as_text().unwrap_or("")].concat()))
            }
            Node::InValues(a, values) => {
                let a = self.eval(a, at)?;
                let all: Result<Vec<Value>, Fault> = values.iter().map(|value| self.eval(value, at)).collect();
                yes(all?.iter().any(|value| order(&a, value) == Some(Ordering::Equal)))
            }
            Node::InList(a, list) => match self.eval(a, at)? {
                Value::Object(id) => yes(self.list(list, at)?.contains(&id)),
                _ => yes(false),
            },
            Node::Within { object, roots, entity, parent } => self.within(object, roots, entity, parent, at),
            Node::HasRole(role) => yes(at.who.role == *role),
            Node::SignedIn => yes(at.who.user.is_some()),
            Node::Call(function, arguments) => {
                let values: Result<Vec<Value>, Fault> = arguments.iter().map(|argument| self.eval(argument, at)).collect();
                call(*function, &values?)
            }
        }
    }

    fn is_true(&self, e: &Typed, at: Place<'_>) -> Result<bool, Fault> {
        Ok(self.eval(e, at)? == Value::Boolean(true))
    }

    /// One step along a member; the other side of a to-one association is looked for row by row.
    fn step(&self, entity: &QName, id: ObjectId, name: &Name) -> Value {
        let inverse = self.model.entities.get(entity).and_then(|entity| entity.inverses.get(name));
        match inverse {
            Some(inverse) => object(self.owners(&inverse.owner, &inverse.association, id).first().copied()),
            None => self.world.value(entity, id, name),
        }
    }

    /// The rows whose association leads to an object.
    fn owners(&self, owner: &QName, association: &Name, to: ObjectId) -> Vec<ObjectId> {
        let leads = |id: &ObjectId| match self.world.value(owner, *id, association) {
            Value::Object(target) => target == to,
            Value::List(targets) => targets.contains(&to),
            _ => false,
        };
        self.world.ids(owner).into_iter().filter(leads).collect()
    }

    fn list(&self, e: &Typed, at: Place<'_>) -> Result<Vec<ObjectId>, Fault> {
        match &e.node {
            Node::Many { of, entity, name } => {
                let Value::Object(id) = self.eval(of, at)? else { return Ok(Vec::new()) };
                let inverse = self.model.entities.get(entity).and_then(|entity| entity.inverses.get(name));
                Ok(match inverse {
                    Some(inverse) => self.owners(&inverse.owner, &inverse.association, id),
                    None => match self.world.value(entity, id, name) {
                        Value::List(all) => all,
                        _ => Vec::new(),
                    },
                })
            }
            Node::Filter(list, condition) => {
                let mut kept = Vec::new();
                for id in self.list(list, at)? {
                    if self.is_true(condition, Place { item: Some(id), ..at })? {
                        kept.push(id);
                    }
                }
                Ok(kept)
            }
            _ => Ok(match self.eval(e, at)? {
                Value::List(all) => all,
                Value::Object(id) => vec![id],
                _ => Vec::new(),
            }),
        }
    }

    fn aggregate(&self, aggregate: Aggregate, list: &Typed, of: Option<&Typed>, at: Place<'_>) -> Computed {
        let all = self.list(list, at)?;
        let count = Value::Integer(i64::try_from(all.len()).map_err(|_| Fault)?);
        let Some(of) = of else {
            return Ok(if aggregate == Aggregate::Exists { Value::Boolean(!all.is_empty()) } else { count });
        };
        let values: Result<Vec<Value>, Fault> = all.iter().map(|id| self.eval(of, Place { item: Some(*id), ..at })).collect();
        let values: Vec<Value> = values?.into_iter().filter(|value| *value != Value::Empty).collect();
        if values.contains(&Value::Uncomputable) {
            return Ok(Value::Uncomputable);
        }
        let best = |wanted: Ordering| {
            move |kept: Value, value: Value| {
                if kept == Value::Empty || order(&value, &kept) == Some(wanted) { value } else { kept }
            }
        };
        match aggregate {
            Aggregate::Count => Ok(count),
            Aggregate::Exists => Ok(Value::Boolean(!all.is_empty())),
            Aggregate::Sum => Ok(total(&values)),
            Aggregate::Min => Ok(values.into_iter().fold(Value::Empty, best(Ordering::Less))),
            Aggregate::Max => Ok(values.into_iter().fold(Value::Empty, best(Ordering::Greater))),
        }
    }

    fn within(&self, object: &Typed, roots: &Typed, entity: &QName, parent: &Name, at: Place<'_>) -> Computed {
        let roots = self.list(roots, at)?;
        let (mut up, mut found) = (self.eval(object, at)?, false);
        // No way up is longer than there are rows; a longer one is a circle, in which nothing is within anything.
        for _ in 0..=self.world.ids(entity).len() {
            let Value::Object(id) = up else { return Ok(Value::Boolean(found)) };
            found |= roots.contains(&id);
            up = self.world.value(entity, id, parent);
        }
        Ok(Value::Boolean(false))
    }
}

fn object(id: Option<ObjectId>) -> Value {
    id.map_or(Value::Empty, Value::Object)
}

/// How two values stand to each other; nothing can be said of an empty one.
pub(in crate::attack) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (Value::Object(a), Value::Object(b)) => Some(a.cmp(b)),
        _ => Some(a.as_decimal()?.cmp(&b.as_decimal()?)),
    }
}

fn fits(op: Comparison, found: Ordering) -> bool {
    match op {
        Comparison::Equal => found == Ordering::Equal,
        Comparison::NotEqual => found != Ordering::Equal,
        Comparison::Less => found == Ordering::Less,
        Comparison::LessOrEqual => found != Ordering::Greater,
        Comparison::Greater => found == Ordering::Greater,
        Comparison::GreaterOrEqual => found != Ordering::Less,
    }
}

fn call(function: Function, values: &[Value]) -> Computed {
    let asks = matches!(function, Function::Contains | Function::StartsWith | Function::EndsWith);
    if values.contains(&Value::Empty) {
        return Ok(if asks { Value::Boolean(false) } else { Value::Empty });
    }
    if values.contains(&Value::Uncomputable) {
        // A day too far away to be counted is none.
        return Ok(match function {
            Function::AddDays => Value::Empty,
            _ if asks => Value::Boolean(false),
            _ => Value::Uncomputable,
        });
    }
    let at = |index: usize| values.get(index).cloned().unwrap_or(Value::Empty);
    let (first, second) = (at(0), at(1));
    let (text, other) = (first.as_text().unwrap_or(""), second.as_text().unwrap_or(""));
    let number = |value: &Value| if let Value::Integer(number) = value { *number } else { 0 };
    let size = |number: i64| usize::try_from(number).unwrap_or(0);
    match function {
        Function::Lower => Ok(Value::text(text.to_ascii_lowercase())),
        Function::Upper => Ok(Value::text(text.to_ascii_uppercase())),
        Function::Trim => Ok(Value::text(text.trim_matches(' '))),
        Function::Length => Ok(Value::Integer(i64::try_from(text.chars().count()).map_err(|_| Fault)?)),
        Function::Contains => Ok(Value::Boolean(text.contains(other))),
        Function::StartsWith => Ok(Value::Boolean(text.starts_with(other))),
        Function::EndsWith => Ok(Value::Boolean(text.ends_with(other))),
        Function::Substring => {
            let part: String = text.chars().skip(size(number(&second) - 1)).take(size(number(&at(2)))).collect();
            Ok(Value::text(part))
        }
        Function::Abs => match first {
            Value::Integer(whole) => whole.checked_abs().map(Value::Integer).ok_or(Fault),
            other => Ok(other.as_decimal().map_or(Value::Empty, |number| Value::Decimal(number.abs()))),
        },
        Function::Min => Ok(if order(&second, &first) == Some(Ordering::Less) { second } else { first }),
        Function::Max => Ok(if order(&second, &first) == Some(Ordering::Greater) { second } else { first }),
        Function::Round => Ok(rounded(&first, number(&second))),
        Function::Text => Ok(Value::text(first.canonical())),
        _ => Ok(calendar(function, &first, &second)),
    }
}

fn calendar(function: Function, first: &Value, second: &Value) -> Value {
    let (date, time) = match first {
        Value::Date(date) => (*date, None),
        Value::DateTime(moment) => (moment.date(), Some(moment.time())),
        _ => return Value::Empty,
    };
    let on = |date: Option<NaiveDate>| date.map_or(Value::Empty, Value::Date);
    match (function, second) {
        (Function::Date, _) => Value::Date(date),
        (Function::AddDays, Value::Integer(days)) => {
            let by = Days::new(days.unsigned_abs());
            let moved = if *days < 0 { date.checked_sub_days(by) } else { date.checked_add_days(by) };
            match (moved.filter(|date| (1..=9999).contains(&date.year())), time) {
                (Some(date), Some(time)) => Value::DateTime(date.and_time(time)),
                (moved, _) => on(moved),
            }
        }
        (Function::DaysBetween, Value::Date(to)) => Value::Integer((*to - date).num_days()),
        (Function::WorkdaysBetween, Value::Date(to)) => {
            let mut count = 0;
            let mut day = date;
            while day <= *to {
                count += i64::from(!matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
                let Some(next) = day.succ_opt() else { break };
                day = next;
            }
            Value::Integer(count)
        }
        (Function::Year, _) => Value::Integer(i64::from(date.year())),
        (Function::Month, _) => Value::Integer(i64::from(date.month())),
        (Function::Day, _) => Value::Integer(i64::from(date.day())),
        (Function::Weekday, _) => Value::Integer(i64::from(date.weekday().number_from_monday())),
        (Function::StartOfMonth, _) => on(date.with_day(1)),
        (Function::StartOfYear, _) => on(NaiveDate::from_ymd_opt(date.year(), 1, 1)),
        _ => Value::Empty,
    }
}
