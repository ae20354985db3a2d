//! The in-memory reading of a typed expression.

use super::numbers::{arithmetic, declared_value, round, sum};
use super::sql_gap::sql_gap;
use super::typed::{Aggregate, Comparison, Function, Node, Root, Typed};
use crate::domain::{Decimal, Kind, Name, Number, ObjectId, QName, Value};
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Why an expression has no value. Whoever asked must treat it as a refusal (ASVS 16.5.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A value that the reader may not see was needed.
    #[error("{0}.{1} is withheld")]
    Withheld(QName, Name),
    /// A number left its range.
    #[error("a number became too large")]
    Overflow,
    /// The data could not be read.
    #[error("{0}")]
    Data(String),
}

/// Where member values come from.
pub trait Data {
    /// The value of an attribute or a to-one association; `Empty` when there is none.
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError>;
    /// The objects along a to-many association.
    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError>;
    /// The value of a calculated attribute, where the reader's right is to the attribute itself;
    /// `None` computes it from the members it is made of.
    fn calculated(&mut self, _entity: &QName, _object: ObjectId, _name: &Name) -> Option<Result<Value, EvalError>> {
        None
    }
    /// Whether the error that was just returned means that a value was noted to be read, and that the same will be
    /// evaluated again. Then the other elements of a list are looked at too, so that what all of them need is read at once.
    fn is_noting(&self) -> bool {
        false
    }
}

/// What is in reach while evaluating.
#[derive(Clone, Debug)]
pub struct Environment<'a> {
    /// The current object.
    pub this: Option<ObjectId>,
    /// The signed-in user's account; `None` for visitors and jobs.
    pub user: Option<ObjectId>,
    /// The caller's user roles.
    pub roles: &'a BTreeSet<Name>,
    /// The moment of the run.
    pub now: NaiveDateTime,
    /// Parameters and variables.
    pub variables: &'a BTreeMap<Name, Value>,
}

/// Evaluates an expression. What needs more digits than a number has is [`Value::Uncomputable`], and no comparison
/// with it is true.
pub fn evaluate(expression: &Typed, environment: &Environment<'_>, data: &mut dyn Data) -> Result<Value, EvalError> {
    Run { environment, data, depth: 0, strict: false }.value(expression, environment.this, None)
}

/// The same, but what cannot be computed is an error wherever it is met.
///
/// SECURITY: for steps that act on the outcome, such as decisions of microflows: a limit that is compared with a number
/// too large to compute must end the run, not count as "not exceeded"
/// (`a_decision_over_a_number_that_cannot_be_computed_ends_the_run`).
pub fn evaluate_strictly(expression: &Typed, environment: &Environment<'_>, data: &mut dyn Data) -> Result<Value, EvalError> {
    Run { environment, data, depth: 0, strict: true }.value(expression, environment.this, None)
}

/// Evaluates a condition: true only when it is true.
pub fn holds(condition: &Typed, environment: &Environment<'_>, data: &mut dyn Data) -> Result<bool, EvalError> {
    evaluate(condition, environment, data).map(|value| value.holds())
}

/// How two values compare; `None` when a side is empty or the kinds differ.
pub fn compare_values(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (Value::Object(a), Value::Object(b)) => Some(a.cmp(b)),
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (a, b) => Some(a.as_decimal()?.cmp(&b.as_decimal()?)),
    }
}

/// How far a calculated member may refer to calculated members.
const DEEPEST: usize = 32;

struct Run<'r, 'e> {
    environment: &'e Environment<'e>,
    data: &'r mut dyn Data,
    depth: usize,
    strict: bool,
}

type Object = Option<ObjectId>;

impl<'e> Run<'_, 'e> {
    fn value(&mut self, e: &Typed, this: Object, item: Object) -> Result<Value, EvalError> {
        let value = self.node(e, this, item)?;
        let value = if bounded(&e.node) { within_digits(e, value) } else { value };
        if self.strict && value == Value::Uncomputable { Err(EvalError::Overflow) } else { Ok(value) }
    }

    fn node(&mut self, e: &Typed, this: Object, item: Object) -> Result<Value, EvalError> {
        Ok(match &e.node {
            Node::Literal(value) => value.clone(),
            Node::Now => Value::DateTime(self.environment.now),
            Node::Today => Value::Date(self.environment.now.date()),
            Node::Root(root) => self.root(root, this, item),
            Node::Member { of, entity, name, calculated } => {
                let Value::Object(object) = *self.near(of, this, item)? else { return Ok(Value::Empty) };
                match calculated {
                    None => self.data.member(entity, object, name)?,
                    Some(expression) => match self.data.calculated(entity, object, name) {
                        Some(known) => known?,
                        None => self.nested(expression, object)?,
                    },
                }
            }
            Node::Many { .. } | Node::Filter(..) => Value::List(self.list(e, this, item)?),
            Node::Aggregate(aggregate, list, of) => self.aggregate(*aggregate, list, of.as_deref(), this, item)?,
            Node::Not(a) => Value::Boolean(!self.value(a, this, item)?.holds()),
            Node::And(a, b) => Value::Boolean(self.value(a, this, item)?.holds() && self.value(b, this, item)?.holds()),
            Node::Or(a, b) => Value::Boolean(self.value(a, this, item)?.holds() || self.value(b, this, item)?.holds()),
            Node::If(c, a, b) => {
                let chosen = if self.value(c, this, item)?.holds() { a } else { b };
                self.value(chosen, this, item)?
            }
            Node::Compare(op, a, b) => {
                let (a, b) = (self.near(a, this, item)?, self.near(b, this, item)?);
                Value::Boolean(compare_values(&a, &b).is_some_and(|order| op.accepts(order)))
            }
            Node::IsEmpty(a) => Value::Boolean(self.value(a, this, item)?.is_empty()),
            Node::Arithmetic(op, a, b) => arithmetic(*op, &self.value(a, this, item)?, &self.value(b, this, item)?),
            Node::Declared(of) => match (&e.kind, self.value(of, this, item)?) {
                (Kind::Number(number), value) => declared_value(*number, &value),
                (_, value) => value,
            },
            Node::Concat(a, b) => {
                let (a, b) = (self.value(a, this, item)?, self.value(b, this, item)?);
                if a == Value::Uncomputable || b == Value::Uncomputable {
                    return Ok(Value::Uncomputable);
                }
                Value::text(format!("{}{}", a.as_text().unwrap_or_default(), b.as_text().unwrap_or_default()))
            }
            Node::InValues(a, values) => {
                let a = self.value(a, this, item)?;
                let mut found = false;
                for value in values {
                    found |= compare_values(&a, &self.value(value, this, item)?) == Some(Ordering::Equal);
                }
                Value::Boolean(found)
            }
            Node::InList(a, list) => match self.value(a, this, item)? {
                Value::Object(id) => Value::Boolean(self.list(list, this, item)?.contains(&id)),
                _ => Value::Boolean(false),
            },
            Node::Within { object, roots, entity, parent } => self.within(object, roots, entity, parent, this, item)?,
            Node::HasRole(role) => Value::Boolean(self.environment.roles.contains(role)),
            Node::SignedIn => Value::Boolean(self.environment.user.is_some()),
            Node::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument, this, item)?);
                }
                call(*function, &values)
            }
        })
    }

    /// The same, without copying what is at hand: most comparisons are of a member with something fixed.
    fn near<'v>(&mut self, e: &'v Typed, this: Object, item: Object) -> Result<Cow<'v, Value>, EvalError>
    where
        'e: 'v,
    {
        match &e.node {
            Node::Literal(value) => Ok(Cow::Borrowed(value)),
            Node::Root(Root::Variable(name)) => {
                Ok(self.environment.variables.get(name).map_or(Cow::Owned(Value::Empty), Cow::Borrowed))
            }
            Node::Root(root) => Ok(Cow::Owned(self.root(root, this, item))),
            _ => self.value(e, this, item).map(Cow::Owned),
        }
    }

    fn root(&self, root: &Root, this: Object, item: Object) -> Value {
        let object = |id: Object| id.map_or(Value::Empty, Value::Object);
        match root {
            Root::This => object(this),
            Root::Item => object(item),
            Root::User => object(self.environment.user),
            Root::Variable(name) => self.environment.variables.get(name).cloned().unwrap_or(Value::Empty),
        }
    }

    fn nested(&mut self, expression: &Typed, this: ObjectId) -> Result<Value, EvalError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(EvalError::Overflow);
        }
        let value = self.value(expression, Some(this), None);
        self.depth -= 1;
        value
    }

    fn list(&mut self, e: &Typed, this: Object, item: Object) -> Result<Vec<ObjectId>, EvalError> {
        match &e.node {
            Node::Many { of, entity, name } => match self.value(of, this, item)? {
                Value::Object(object) => self.data.many(entity, object, name),
                _ => Ok(Vec::new()),
            },
            Node::Filter(list, condition) => {
                let elements = self.list(list, this, item)?;
                let met = self.each(condition, this, &elements)?;
                Ok(elements.into_iter().zip(met).filter_map(|(element, met)| met.holds().then_some(element)).collect())
            }
            _ => match self.value(e, this, item)? {
                Value::List(ids) => Ok(ids),
                Value::Object(id) => Ok(vec![id]),
                _ => Ok(Vec::new()),
            },
        }
    }

    /// The value for each element, or the first error.
    fn each(&mut self, e: &Typed, this: Object, elements: &[ObjectId]) -> Result<Vec<Value>, EvalError> {
        let (mut values, mut failed) = (Vec::with_capacity(elements.len()), None);
        for element in elements {
            match self.value(e, this, Some(*element)) {
                Ok(value) => values.push(value),
                Err(error) if self.data.is_noting() => drop(failed.get_or_insert(error)),
                Err(error) => return Err(failed.unwrap_or(error)),
            }
        }
        failed.map_or(Ok(values), Err)
    }

    fn aggregate(
        &mut self,
        aggregate: Aggregate,
        list: &Typed,
        of: Option<&Typed>,
        this: Object,
        item: Object,
    ) -> Result<Value, EvalError> {
        let elements = self.list(list, this, item)?;
        let Some(of) = of else {
            return Ok(match aggregate {
                Aggregate::Exists => Value::Boolean(!elements.is_empty()),
                _ => Value::Integer(i64::try_from(elements.len()).map_err(|_| EvalError::Overflow)?),
            });
        };
        let values = self.each(of, this, &elements)?;
        Ok(match aggregate {
            Aggregate::Sum => sum(&values),
            // Nothing can be said of the others when one of them is not known.
            _ if values.contains(&Value::Uncomputable) => Value::Uncomputable,
            _ => best(if aggregate == Aggregate::Min { Ordering::Less } else { Ordering::Greater }, values),
        })
    }

    fn within(
        &mut self,
        object: &Typed,
        roots: &Typed,
        entity: &QName,
        parent: &Name,
        this: Object,
        item: Object,
    ) -> Result<Value, EvalError> {
        let Value::Object(mut at) = self.value(object, this, item)? else { return Ok(Value::Boolean(false)) };
        let roots = self.list(roots, this, item)?;
        let (mut seen, mut found) = (BTreeSet::new(), false);
        loop {
            found |= roots.contains(&at);
            // INVARIANT: a circle in the tree ends the walk, it does not hang it.
            // SECURITY: where the way up never ends, nothing is within anything: a circle must not widen what is
            // granted (`a_circle_in_a_tree_shows_nothing_and_is_named`).
            if !seen.insert(at) {
                return Ok(Value::Boolean(false));
            }
            match self.data.member(entity, at, parent) {
                Ok(Value::Object(up)) => at = up,
                Ok(_) => return Ok(Value::Boolean(found)),
                // What is above a root that was found need not be readable.
                Err(EvalError::Withheld(..)) if found => return Ok(Value::Boolean(true)),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Comparison {
    /// Whether the order satisfies the comparison.
    pub fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Whether a node can give a number with more digits than its parts.
fn bounded(node: &Node) -> bool {
    use Function::{Abs, Max, Min, Round};
    match node {
        Node::Arithmetic(..) | Node::If(..) | Node::Aggregate(Aggregate::Sum, ..) => true,
        Node::Call(function, _) => matches!(function, Abs | Max | Min | Round),
        _ => false,
    }
}

/// A number that needs more than 18 digits is uncomputable, as it is in the database. What only memory computes may have
/// as many as a decimal holds.
fn within_digits(e: &Typed, value: Value) -> Value {
    let (Kind::Number(number), Some(exact)) = (&e.kind, value.as_decimal()) else { return value };
    let whole = Number::MOST_DIGITS.saturating_sub(number.scale);
    let fits = 10_i64.checked_pow(whole).is_some_and(|most| exact.abs() < Decimal::from(most));
    if fits || sql_gap(e).is_some() { value } else { Value::Uncomputable }
}

/// The least or the greatest of values that have an order; empty over nothing.
fn best(wanted: Ordering, values: Vec<Value>) -> Value {
    let better = |kept: Value, value: Value| match compare_values(&value, &kept) {
        _ if value.is_empty() => kept,
        Some(order) if order != wanted => kept,
        _ => value,
    };
    values.into_iter().fold(Value::Empty, better)
}

fn call(function: Function, values: &[Value]) -> Value {
    let at = |index: usize| values.get(index).unwrap_or(&Value::Empty);
    let condition = matches!(function, Function::Contains | Function::StartsWith | Function::EndsWith);
    if values.iter().any(Value::is_empty) {
        return if condition { Value::Boolean(false) } else { Value::Empty };
    }
    if values.contains(&Value::Uncomputable) {
        return match function {
            _ if condition => Value::Boolean(false),
            // A day so far away lies outside the years 1 to 9999.
            Function::AddDays => Value::Empty,
            _ => Value::Uncomputable,
        };
    }
    let text = |index: usize| at(index).as_text().unwrap_or_default();
    let whole = |index: usize| if let Value::Integer(n) = at(index) { *n } else { 0 };
    match function {
        Function::Lower => Value::text(text(0).to_ascii_lowercase()),
        Function::Upper => Value::text(text(0).to_ascii_uppercase()),
        Function::Trim => Value::text(text(0).trim_matches(' ')),
        Function::Length => Value::Integer(i64::try_from(text(0).chars().count()).unwrap_or(i64::MAX)),
        Function::Contains => Value::Boolean(text(0).contains(text(1))),
        Function::StartsWith => Value::Boolean(text(0).starts_with(text(1))),
        Function::EndsWith => Value::Boolean(text(0).ends_with(text(1))),
        Function::Substring => {
            let (skip, count) = (usize::try_from(whole(1) - 1).unwrap_or(0), usize::try_from(whole(2)).unwrap_or(0));
            Value::text(text(0).chars().skip(skip).take(count).collect::<String>())
        }
        Function::Abs => match at(0) {
            Value::Integer(n) => n.checked_abs().map_or(Value::Uncomputable, Value::Integer),
            other => other.as_decimal().map_or(Value::Empty, |d| Value::Decimal(d.abs())),
        },
        Function::Min | Function::Max => {
            let wanted = if function == Function::Min { Ordering::Less } else { Ordering::Greater };
            let second = compare_values(at(1), at(0)) == Some(wanted);
            at(usize::from(second)).clone()
        }
        Function::Round => round(at(0), whole(1)),
        Function::Text => Value::text(at(0).canonical()),
        _ => dates(function, at(0), at(1)),
    }
}

fn dates(function: Function, first: &Value, second: &Value) -> Value {
    let (date, time) = match first {
        Value::Date(date) => (*date, None),
        Value::DateTime(moment) => (moment.date(), Some(moment.time())),
        _ => return Value::Empty,
    };
    let of = |date: Option<NaiveDate>| date.map_or(Value::Empty, Value::Date);
    match (function, second) {
        (Function::Date, _) => Value::Date(date),
        (Function::AddDays, Value::Integer(days)) => match (shift(date, *days), time) {
            (Some(date), Some(time)) => Value::DateTime(date.and_time(time)),
            (moved, _) => of(moved),
        },
        (Function::DaysBetween, Value::Date(to)) => Value::Integer(to.signed_duration_since(date).num_days()),
        (Function::WorkdaysBetween, Value::Date(to)) => Value::Integer(workdays(date, *to)),
        (Function::Year, _) => Value::Integer(i64::from(date.year())),
        (Function::Month, _) => Value::Integer(i64::from(date.month())),
        (Function::Day, _) => Value::Integer(i64::from(date.day())),
        (Function::Weekday, _) => Value::Integer(i64::from(date.weekday().number_from_monday())),
        (Function::StartOfMonth, _) => of(date.with_day(1)),
        (Function::StartOfYear, _) => of(NaiveDate::from_ymd_opt(date.year(), 1, 1)),
        _ => Value::Empty,
    }
}

fn shift(date: NaiveDate, days: i64) -> Option<NaiveDate> {
    let size = Days::new(days.unsigned_abs());
    let moved = if days < 0 { date.checked_sub_days(size) } else { date.checked_add_days(size) };
    moved.filter(|date| (1..=9999).contains(&date.year()))
}

/// Monday to Friday between two dates, both included; negative never, 0 when they are out of order.
fn workdays(from: NaiveDate, to: NaiveDate) -> i64 {
    let days = to.signed_duration_since(from).num_days() + 1;
    if days <= 0 {
        return 0;
    }
    let start = i64::from(from.weekday().num_days_from_monday());
    let rest = (0..days % 7).filter(|offset| (start + offset) % 7 < 5).count();
    days / 7 * 5 + i64::try_from(rest).unwrap_or(0)
}

/// Whether a kind can be shown by a template.
impl Kind {
    /// Objects and lists have no text of their own.
    pub fn is_plain(&self) -> bool {
        !matches!(self, Self::Object(_) | Self::List(_))
    }
}
