//! Tree → typed tree: every name resolved, every kind agreed, or a fault under the token.

use super::parse::SyntaxNode;
use super::predicate::Predicate;
use super::typed::{Aggregate, Arithmetic, Comparison, Function, Node, Root, Typed};
use super::{Fault, Span, Syntax, parse};
use crate::domain::{Kind, Name, Number, QName, Value, did_you_mean, parse_value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a member is.
#[derive(Clone, Debug)]
pub enum MemberType {
    /// An attribute, with its expression when it is calculated.
    Attribute(Kind, Option<Arc<Typed>>),
    /// An association that leads to at most one object.
    ToOne(QName),
    /// An association that leads to any number of objects.
    ToMany(QName),
}

/// What the checker asks of the model.
pub trait Schema {
    /// The member of an entity, own or inverse.
    fn member(&self, entity: &QName, name: &str) -> Option<MemberType>;
    /// All members of an entity, for suggestions.
    fn members(&self, entity: &QName) -> Vec<Name>;
    /// The values of an enumeration.
    fn enumeration(&self, name: &QName) -> Option<Vec<Name>>;
    /// The kind of a constant (a secret has none here: it is no part of an expression).
    fn constant(&self, name: &QName) -> Option<(Kind, Value)>;
    /// All user roles.
    fn user_roles(&self) -> Vec<Name>;
    /// The self-association that spans the entity's tree.
    fn tree(&self, entity: &QName) -> Option<Name>;
    /// A named condition of an entity.
    fn predicate(&self, _entity: &QName, _name: &str) -> Option<Predicate> {
        None
    }
    /// All named conditions of an entity, for suggestions.
    fn predicates(&self, _entity: &QName) -> Vec<Name> {
        Vec::new()
    }
}

/// What is in reach of an expression.
#[derive(Clone)]
pub struct Scope<'a> {
    /// The model.
    pub schema: &'a dyn Schema,
    /// The module, for names without a prefix.
    pub module: Name,
    /// The entity of `this`.
    pub this: Option<QName>,
    /// The entity of `item`.
    pub item: Option<QName>,
    /// Parameters and variables.
    pub variables: BTreeMap<Name, Kind>,
}

impl<'a> Scope<'a> {
    /// A scope with nothing in reach but the user, the clock and constants.
    pub fn new(schema: &'a dyn Schema, module: Name) -> Self {
        Self { schema, module, this: None, item: None, variables: BTreeMap::new() }
    }
    /// The same with `this`.
    pub fn with_this(&self, entity: &QName) -> Self {
        Self { this: Some(entity.clone()), ..self.clone() }
    }
}

/// Parses and checks an expression that must give `expected`, if a kind is named.
pub fn check(text: &str, scope: &Scope<'_>, expected: Option<&Kind>) -> Result<Typed, Fault> {
    let typed = typed(&parse(text)?, scope)?;
    match expected {
        Some(kind) => fit(typed, kind, scope),
        None => Ok(typed),
    }
}

/// Parses and checks what a calculated member of this kind computes: a number gets the digits that the member declares.
pub fn check_calculated(text: &str, scope: &Scope<'_>, kind: &Kind) -> Result<Typed, Fault> {
    Ok(declared(fit(typed(&parse(text)?, scope)?, &any_digits(kind), scope)?, kind))
}

/// Parses and checks a value that is stored in a member of this kind. How many digits a computed one has is known only
/// when it is there: one with more than the member keeps is refused then, at the member; a written one is refused here.
pub fn check_assigned(text: &str, scope: &Scope<'_>, kind: &Kind) -> Result<Typed, Fault> {
    let typed = typed(&parse(text)?, scope)?;
    let written = matches!(typed.node, Node::Literal(_));
    fit(typed, &if written { kind.clone() } else { any_digits(kind) }, scope)
}

/// The kind with as many digits after the point as any number of an expression has.
fn any_digits(kind: &Kind) -> Kind {
    match kind {
        Kind::Number(number) if number.scale > 0 => {
            Kind::Number(Number { digits: Number::MOST_DIGITS, scale: Number::MOST_DIGITS })
        }
        other => other.clone(),
    }
}

fn declared(typed: Typed, kind: &Kind) -> Typed {
    let (Kind::Number(of), Kind::Number(declared)) = (&typed.kind, kind) else { return typed };
    if of.scale == declared.scale && of.whole() <= declared.whole() && !typed.may_overflow() {
        return typed;
    }
    let span = typed.span;
    Typed { node: Node::Declared(Box::new(typed)), kind: kind.clone(), span }
}

/// Parses and checks a condition.
pub fn check_condition(text: &str, scope: &Scope<'_>) -> Result<Typed, Fault> {
    check(text, scope, Some(&Kind::Boolean))
}

/// The entity of the built-in users.
pub(super) fn user_entity() -> QName {
    QName::new("system", "User")
}

fn fault<T>(span: Span, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::new(span, message))
}

/// Makes `typed` fit `kind`, reading a text literal as an enumeration value where one is wanted.
fn fit(typed: Typed, kind: &Kind, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let fits = match (kind, &typed.kind) {
        (_, Kind::Empty) => *kind != Kind::Boolean,
        (Kind::Number(to), Kind::Number(from)) => to.scale >= from.scale,
        (Kind::Enumeration(name), Kind::Text) => return enumeration_value(typed, name, scope),
        (a, b) => a == b,
    };
    if fits {
        return Ok(typed);
    }
    let message = format!("this gives {}, but {} is needed here", typed.kind.describe(), kind.describe());
    let fault = Fault::new(typed.span, message);
    Err(match (kind, &typed.kind) {
        (Kind::Number(to), Kind::Number(from)) if to.scale > 0 => {
            let message = format!("this can have {} digits after the point; {} are kept here", from.scale, to.scale);
            Fault::new(fault.span, message).hint(format!("round(x, {}) rounds it", to.scale))
        }
        (Kind::Number(_), Kind::Number(_)) => fault.hint("round(x, 0) gives a whole number"),
        (Kind::Date, Kind::Text) => fault.hint("write a date as date('2026-01-31')"),
        _ => fault,
    })
}

fn enumeration_value(typed: Typed, name: &QName, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let kind = Kind::Enumeration(name.clone());
    let Node::Literal(Value::Text(text)) = &typed.node else {
        return fault(typed.span, format!("a value of {name} is needed, not a computed text"));
    };
    let values = scope.schema.enumeration(name).unwrap_or_default();
    if values.iter().any(|value| value.as_str() == &**text) {
        return Ok(Typed { kind, ..typed });
    }
    let fault = Fault::new(typed.span, format!("{name} has no value `{text}`"));
    let near = did_you_mean(text, values.iter().map(Name::as_str)).map(|near| format!("did you mean '{near}'?"));
    Err(fault.hint(near.unwrap_or_else(|| format!("it has {}", join(&values)))))
}

fn join(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

fn typed(syntax: &Syntax, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let span = syntax.span;
    let make = |node, kind| Ok(Typed { node, kind, span });
    match &syntax.node {
        SyntaxNode::Text(text) if text.is_empty() => make(Node::Literal(Value::Empty), Kind::Empty),
        SyntaxNode::Text(text) => match parse_value(&Kind::Text, text) {
            Some(value) => make(Node::Literal(value), Kind::Text),
            None => fault(span, "a text may not hold control characters"),
        },
        SyntaxNode::Number(text) => number(text, span),
        SyntaxNode::Word(word) => word_node(word, span, scope),
        SyntaxNode::Variable(name) => match scope.variables.get(name.as_str()) {
            Some(kind) => make(Node::Root(Root::Variable(Name::new(name))), kind.clone()),
            None => {
                let near = did_you_mean(name, scope.variables.keys().map(Name::as_str)).map(|n| format!("did you mean ${n}?"));
                Err(Fault { span, message: format!("unknown variable ${name}"), hint: near })
            }
        },
        SyntaxNode::Constant(text) => {
            let name = QName::parse(text).unwrap_or_else(|| QName::new(scope.module.clone(), text.as_str()));
            match scope.schema.constant(&name) {
                Some((kind, value)) => make(Node::Literal(value), kind),
                None => fault(span, format!("unknown constant @{name}")),
            }
        }
        SyntaxNode::Member(of, name) => member(typed(of, scope)?, name, span, scope),
        SyntaxNode::Filter(list, condition) => {
            let list = typed(list, scope)?;
            let Kind::List(entity) = &list.kind else {
                return fault(list.span, "only a list can be filtered");
            };
            let inner = Scope { item: Some(entity.clone()), ..scope.clone() };
            let condition = fit(typed(condition, &inner)?, &Kind::Boolean, scope)?;
            let kind = list.kind.clone();
            make(Node::Filter(Box::new(list), Box::new(condition)), kind)
        }
        SyntaxNode::List(_) => fault(span, "a list of values stands only after `in`"),
        SyntaxNode::Prefix(operator, inner) => prefix(operator, typed(inner, scope)?, span, scope),
        SyntaxNode::Infix(operator, left, right) => infix(operator, left, right, span, scope),
        SyntaxNode::Call(name, arguments) => call(name, arguments, span, scope),
    }
}

fn number(text: &str, span: Span) -> Result<Typed, Fault> {
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u32);
    let digits = (text.bytes().filter(u8::is_ascii_digit).count() as u32).max(1);
    let number = Number { digits, scale };
    match parse_value(&Kind::Number(number), text) {
        Some(value) if digits <= Number::MOST_DIGITS => {
            Ok(Typed { node: Node::Literal(value), kind: Kind::Number(number), span })
        }
        _ => fault(span, "a number has at most 18 digits"),
    }
}

fn word_node(word: &str, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let make = |node, kind| Ok(Typed { node, kind, span });
    let rooted = |root, entity: &Option<QName>, why: &str| match entity {
        Some(entity) => make(Node::Root(root), Kind::Object(entity.clone())),
        None => fault(span, why),
    };
    match word {
        "true" | "false" => make(Node::Literal(Value::Boolean(word == "true")), Kind::Boolean),
        "empty" => make(Node::Literal(Value::Empty), Kind::Empty),
        "this" => rooted(Root::This, &scope.this, "there is no current object here"),
        "item" => rooted(Root::Item, &scope.item, "`item` stands only inside [ … ]"),
        "user" => make(Node::Root(Root::User), Kind::Object(user_entity())),
        "null" => Err(Fault::new(span, "there is no null").hint("write empty")),
        other => {
            let mut fault = Fault::new(span, format!("unknown name `{other}`"));
            let member = scope.this.as_ref().is_some_and(|this| scope.schema.member(this, other).is_some());
            fault.hint = match (member, did_you_mean(other, ["this", "user", "item", "empty", "true", "false"])) {
                (true, _) => Some(format!("did you mean this.{other}?")),
                (_, Some(near)) => Some(format!("did you mean `{near}`?")),
                _ => Some("a path starts with this, user, item or $Variable; a text stands in quotes".into()),
            };
            Err(fault)
        }
    }
}

fn member(of: Typed, name: &str, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let entity = match &of.kind {
        Kind::Object(entity) => entity.clone(),
        Kind::List(_) => {
            return Err(Fault::new(span, "this leads to several objects").hint("use count, sum, min, max, exists or in"));
        }
        other => return fault(of.span, format!("{} has no members", other.describe())),
    };
    let Some(found) = scope.schema.member(&entity, name) else {
        let members = scope.schema.members(&entity);
        let near = did_you_mean(name, members.iter().map(Name::as_str));
        let start = span.end.saturating_sub(name.len());
        let hint = near.map(|n| format!("did you mean `{n}`?")).unwrap_or_else(|| format!("it has {}", join(&members)));
        return Err(Fault::new(Span { start, end: span.end }, format!("{entity} has no member `{name}`")).hint(hint));
    };
    let (of, name) = (Box::new(of), Name::new(name));
    Ok(match found {
        MemberType::Attribute(kind, calculated) => Typed { node: Node::Member { of, entity, name, calculated }, kind, span },
        MemberType::ToOne(target) => {
            Typed { node: Node::Member { of, entity, name, calculated: None }, kind: Kind::Object(target), span }
        }
        MemberType::ToMany(target) => Typed { node: Node::Many { of, entity, name }, kind: Kind::List(target), span },
    })
}

fn prefix(operator: &str, inner: Typed, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    if operator == "!" {
        let inner = fit(inner, &Kind::Boolean, scope)?;
        return Ok(Typed { node: Node::Not(Box::new(inner)), kind: Kind::Boolean, span });
    }
    let Kind::Number(number) = inner.kind else {
        return fault(span, format!("a minus stands before a number, not before {}", inner.kind.describe()));
    };
    let node = match inner.node {
        Node::Literal(Value::Integer(n)) => Node::Literal(Value::Integer(-n)),
        Node::Literal(Value::Decimal(d)) => Node::Literal(Value::Decimal(-d)),
        _ => {
            let zero = Typed { node: Node::Literal(Value::Integer(0)), kind: Kind::Number(Number { digits: 1, scale: 0 }), span };
            Node::Arithmetic(Arithmetic::Subtract, Box::new(zero), Box::new(inner))
        }
    };
    Ok(Typed { node, kind: Kind::Number(number), span })
}

fn infix(operator: &str, left: &Syntax, right: &Syntax, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    if operator == "in" {
        return membership(left, right, span, scope);
    }
    let (left, right) = (typed(left, scope)?, typed(right, scope)?);
    let boolean = |node| Ok(Typed { node, kind: Kind::Boolean, span });
    let comparison = match operator {
        "&&" | "||" => {
            let left = Box::new(fit(left, &Kind::Boolean, scope)?);
            let right = Box::new(fit(right, &Kind::Boolean, scope)?);
            return boolean(if operator == "&&" { Node::And(left, right) } else { Node::Or(left, right) });
        }
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return arithmetic(operator, left, right, span),
    };
    compare(comparison, left, right, span, scope)
}

fn compare(op: Comparison, left: Typed, right: Typed, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let boolean = |node| Ok(Typed { node, kind: Kind::Boolean, span });
    let equality = matches!(op, Comparison::Equal | Comparison::NotEqual);
    let asked = match (&left.kind, &right.kind) {
        (Kind::List(_), _) | (_, Kind::List(_)) => {
            return Err(Fault::new(span, "a list cannot be compared").hint("use exists(…), count(…) or `in`"));
        }
        (Kind::Empty, Kind::Empty) => return fault(span, "this compares nothing with nothing"),
        (Kind::Empty, _) => Some(right.clone()),
        (_, Kind::Empty) => Some(left.clone()),
        _ => None,
    };
    if let Some(asked) = asked {
        if !equality {
            return fault(span, "empty has no order; use == or !=");
        }
        let is = Typed { node: Node::IsEmpty(Box::new(asked)), kind: Kind::Boolean, span };
        return if op == Comparison::Equal { Ok(is) } else { boolean(Node::Not(Box::new(is))) };
    }
    let (left, right) = agree(left, right, span, scope)?;
    if !equality && matches!(left.kind, Kind::Boolean | Kind::Enumeration(_) | Kind::Object(_)) {
        return fault(span, format!("{} has no order; use == or !=", left.kind.describe()));
    }
    boolean(Node::Compare(op, Box::new(left), Box::new(right)))
}

/// Makes both sides one kind (numbers may differ in digits).
fn agree(left: Typed, right: Typed, span: Span, scope: &Scope<'_>) -> Result<(Typed, Typed), Fault> {
    Ok(match (&left.kind, &right.kind) {
        (Kind::Number(_), Kind::Number(_)) => (left, right),
        (Kind::Enumeration(name), Kind::Text) => {
            let name = name.clone();
            (left, enumeration_value(right, &name, scope)?)
        }
        (Kind::Text, Kind::Enumeration(name)) => {
            let name = name.clone();
            (enumeration_value(left, &name, scope)?, right)
        }
        (a, b) if a == b => (left, right),
        (a, b) => {
            let fault = Fault::new(span, format!("{} cannot be compared with {}", a.describe(), b.describe()));
            return Err(match (a, b) {
                (Kind::Date, Kind::DateTime) | (Kind::DateTime, Kind::Date) => fault.hint("date(x) gives the date of a datetime"),
                (Kind::Date, Kind::Text) | (Kind::Text, Kind::Date) => fault.hint("write a date as date('2026-01-31')"),
                _ => fault,
            });
        }
    })
}

fn arithmetic(operator: &str, left: Typed, right: Typed, span: Span) -> Result<Typed, Fault> {
    let (Kind::Number(a), Kind::Number(b)) = (&left.kind, &right.kind) else {
        let joinable = |kind: &Kind| matches!(kind, Kind::Text | Kind::Enumeration(_) | Kind::Empty);
        if operator == "+" && joinable(&left.kind) && joinable(&right.kind) {
            return Ok(Typed { node: Node::Concat(Box::new(left), Box::new(right)), kind: Kind::Text, span });
        }
        let (a, b) = (left.kind.describe(), right.kind.describe());
        let fault = Fault::new(span, format!("`{operator}` does not work on {a} and {b}"));
        return Err(match (&left.kind, &right.kind) {
            (Kind::Date | Kind::DateTime, _) => fault.hint("use addDays(d, n) or daysBetween(from, to)"),
            (Kind::Text, Kind::Number(_)) | (Kind::Number(_), Kind::Text) => fault.hint("text(x) writes a number as text"),
            _ => fault,
        });
    };
    let scale = a.scale.max(b.scale);
    if operator == "*" && a.scale + b.scale > Number::MOST_DIGITS {
        let message = format!("this can have {} digits after the point; a number has at most 18", a.scale + b.scale);
        return Err(Fault::new(span, message).hint("round one of the factors: round(x, 2)"));
    }
    let (op, number) = match operator {
        "*" => (Arithmetic::Multiply, Number { digits: a.digits + b.digits, scale: a.scale + b.scale }),
        "/" => (Arithmetic::Divide, Number { digits: 28, scale: 8 }),
        _ => {
            let op = if operator == "+" { Arithmetic::Add } else { Arithmetic::Subtract };
            (op, Number { digits: a.whole().max(b.whole()) + scale + 1, scale })
        }
    };
    Ok(Typed { node: Node::Arithmetic(op, Box::new(left), Box::new(right)), kind: Kind::Number(number), span })
}

fn membership(left: &Syntax, right: &Syntax, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let left = typed(left, scope)?;
    let boolean = |node| Ok(Typed { node, kind: Kind::Boolean, span });
    if let SyntaxNode::List(values) = &right.node {
        if values.is_empty() || values.len() > 200 {
            return fault(right.span, "a list of values has 1 to 200 of them");
        }
        let mut out = Vec::new();
        for value in values {
            let value = typed(value, scope)?;
            if !matches!(value.node, Node::Literal(_)) || value.kind == Kind::Empty {
                return fault(value.span, "only literal values stand in this list");
            }
            out.push(agree(left.clone(), value, span, scope)?.1);
        }
        return boolean(Node::InValues(Box::new(left), out));
    }
    let list = typed(right, scope)?;
    match (&left.kind, &list.kind) {
        (Kind::Object(a), Kind::List(b)) if a == b => boolean(Node::InList(Box::new(left), Box::new(list))),
        (_, Kind::List(_)) => fault(span, format!("{} cannot be in {}", left.kind.describe(), list.kind.describe())),
        _ => fault(list.span, "after `in` stands a list: ['A', 'B'] or an association to many"),
    }
}

fn call(name: &str, arguments: &[Syntax], span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let aggregate = match name {
        "count" => Some(Aggregate::Count),
        "sum" => Some(Aggregate::Sum),
        "exists" => Some(Aggregate::Exists),
        "min" if arguments.len() == 1 => Some(Aggregate::Min),
        "max" if arguments.len() == 1 => Some(Aggregate::Max),
        _ => None,
    };
    if let Some(aggregate) = aggregate {
        return match arguments {
            [argument] => self::aggregate(aggregate, argument, span, scope),
            _ => fault(span, format!("{name}(…) takes one argument")),
        };
    }
    match (name, arguments) {
        ("if", [condition, a, b]) => choice(condition, a, b, span, scope),
        ("within", [object, roots]) => within(typed(object, scope)?, typed(roots, scope)?, span, scope),
        ("role", [Syntax { node: SyntaxNode::Text(role), span: at }]) => {
            let roles = scope.schema.user_roles();
            if !roles.iter().any(|r| r.as_str() == role) {
                let near = did_you_mean(role, roles.iter().map(Name::as_str)).map(|n| format!("did you mean '{n}'?"));
                return Err(Fault { span: *at, message: format!("there is no user role `{role}`"), hint: near });
            }
            Ok(Typed { node: Node::HasRole(Name::new(role)), kind: Kind::Boolean, span })
        }
        ("role", _) => fault(span, "role('Name') takes the name of a user role in quotes"),
        ("signedIn", []) => Ok(Typed { node: Node::SignedIn, kind: Kind::Boolean, span }),
        ("now", []) => Ok(Typed { node: Node::Now, kind: Kind::DateTime, span }),
        ("today", []) => Ok(Typed { node: Node::Today, kind: Kind::Date, span }),
        ("date", [Syntax { node: SyntaxNode::Text(text), span: at }]) => match parse_value(&Kind::Date, text) {
            Some(value @ Value::Date(_)) => Ok(Typed { node: Node::Literal(value), kind: Kind::Date, span }),
            _ => fault(*at, "write a date as date('2026-01-31')"),
        },
        _ => function(name, arguments, span, scope),
    }
}

/// What a function takes that works on every number.
fn any_number() -> Kind {
    Kind::Number(Number { digits: 28, scale: 28 })
}

/// The functions with plain arguments: name, kinds taken, kind given.
fn signature(name: &str) -> Option<(Function, Vec<Kind>, Kind)> {
    use Kind::{Boolean, Date, DateTime, Text};
    let any = any_number;
    let whole = || Kind::INTEGER;
    let small = || Kind::Number(Number { digits: 4, scale: 0 });
    Some(match name {
        "lower" => (Function::Lower, vec![Text], Text),
        "upper" => (Function::Upper, vec![Text], Text),
        "trim" => (Function::Trim, vec![Text], Text),
        "length" => (Function::Length, vec![Text], Kind::Number(Number { digits: 9, scale: 0 })),
        "contains" => (Function::Contains, vec![Text, Text], Boolean),
        "startsWith" => (Function::StartsWith, vec![Text, Text], Boolean),
        "endsWith" => (Function::EndsWith, vec![Text, Text], Boolean),
        "substring" => (Function::Substring, vec![Text, whole(), whole()], Text),
        "abs" => (Function::Abs, vec![any()], any()),
        "min" => (Function::Min, vec![any(), any()], any()),
        "max" => (Function::Max, vec![any(), any()], any()),
        "round" => (Function::Round, vec![any(), whole()], any()),
        "text" => (Function::Text, vec![any()], Text),
        "date" => (Function::Date, vec![DateTime], Date),
        "addDays" => (Function::AddDays, vec![Date, whole()], Date),
        "daysBetween" => (Function::DaysBetween, vec![Date, Date], Kind::Number(Number { digits: 8, scale: 0 })),
        "workdaysBetween" => (Function::WorkdaysBetween, vec![Date, Date], Kind::Number(Number { digits: 8, scale: 0 })),
        "year" => (Function::Year, vec![Date], small()),
        "month" => (Function::Month, vec![Date], small()),
        "day" => (Function::Day, vec![Date], small()),
        "weekday" => (Function::Weekday, vec![Date], small()),
        "startOfMonth" => (Function::StartOfMonth, vec![Date], Date),
        "startOfYear" => (Function::StartOfYear, vec![Date], Date),
        _ => return None,
    })
}

const NAMES: [&str; 32] = [
    "if",
    "role",
    "signedIn",
    "within",
    "count",
    "sum",
    "min",
    "max",
    "exists",
    "now",
    "today",
    "date",
    "lower",
    "upper",
    "trim",
    "length",
    "contains",
    "startsWith",
    "endsWith",
    "substring",
    "abs",
    "round",
    "text",
    "addDays",
    "daysBetween",
    "workdaysBetween",
    "year",
    "month",
    "day",
    "weekday",
    "startOfMonth",
    "startOfYear",
];

/// Whether a name is that of a function, and so of no predicate.
pub fn is_function(name: &str) -> bool {
    NAMES.contains(&name)
}

/// `inMyWard(this)`: the named condition of the object's entity.
fn predicate(name: &str, arguments: &[Syntax], span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let object = match arguments {
        [argument] => Some(typed(argument, scope)?),
        _ => None,
    };
    let known = |entity: &QName| scope.schema.predicates(entity);
    let own = match object.as_ref().map(|object| &object.kind) {
        Some(Kind::Object(entity)) => {
            if let (Some(found), Some(object)) = (scope.schema.predicate(entity, name), &object) {
                return found.of(object, span);
            }
            known(entity)
        }
        Some(Kind::List(entity)) if known(entity).iter().any(|known| known.as_str() == name) => {
            let fault = Fault::new(span, format!("`{name}` is asked of one {}, and this leads to several", entity.name));
            return Err(fault.hint(format!("filter the list, as in exists(…[{name}(item)])")));
        }
        _ => scope.this.as_ref().map(known).unwrap_or_default(),
    };
    if arguments.is_empty() && own.iter().any(|known| known.as_str() == name) {
        return Err(Fault::new(span, format!("`{name}` is asked of an object")).hint(format!("write {name}(this)")));
    }
    let near = did_you_mean(name, NAMES.into_iter().chain(own.iter().map(Name::as_str)));
    let near = near.map(|n| format!("did you mean {n}(…)?"));
    Err(Fault { span, message: format!("there is no function or predicate `{name}`"), hint: near })
}

fn function(name: &str, arguments: &[Syntax], span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let Some((function, takes, gives)) = signature(name) else {
        return predicate(name, arguments, span, scope);
    };
    if takes.len() != arguments.len() {
        return fault(span, format!("{name} takes {} argument(s), not {}", takes.len(), arguments.len()));
    }
    let mut out = Vec::new();
    for (argument, kind) in arguments.iter().zip(&takes) {
        let argument = typed(argument, scope)?;
        // A date function takes a moment too where that has a plain meaning.
        let flexible = function == Function::AddDays && argument.kind == Kind::DateTime;
        let text = *kind == Kind::Text && matches!(argument.kind, Kind::Enumeration(_));
        let number = *kind == any_number() && matches!(argument.kind, Kind::Number(_));
        out.push(if flexible || text || number { argument } else { fit(argument, kind, scope)? });
    }
    if function == Function::Substring {
        let fixed =
            |at: usize, least: i64| matches!(out.get(at).map(|a| &a.node), Some(Node::Literal(Value::Integer(n))) if *n >= least);
        if !fixed(1, 1) || !fixed(2, 0) {
            return fault(span, "substring(s, from, count) takes literal numbers, from at least 1");
        }
    }
    let kind = numeric_kind(function, &out)
        .or_else(|| (function == Function::AddDays).then(|| out.first().map_or(Kind::Date, |first| first.kind.clone())));
    Ok(Typed { node: Node::Call(function, out), kind: kind.filter(|k| *k != Kind::Empty).unwrap_or(gives), span })
}

/// The exact digits of a number function's result.
fn numeric_kind(function: Function, arguments: &[Typed]) -> Option<Kind> {
    let numbers: Vec<Number> =
        arguments.iter().filter_map(|a| if let Kind::Number(n) = a.kind { Some(n) } else { None }).collect();
    let first = *numbers.first()?;
    Some(Kind::Number(match function {
        Function::Abs => first,
        Function::Round => match arguments.get(1).map(|a| &a.node) {
            // Rounding up may need one digit more before the point.
            Some(Node::Literal(Value::Integer(digits))) if *digits < i64::from(first.scale) => {
                let scale = u32::try_from(*digits).unwrap_or(0);
                Number { digits: first.whole() + 1 + scale, scale }
            }
            Some(Node::Literal(_)) => first,
            _ => Number { digits: first.digits + 1, scale: first.scale },
        },
        Function::Min | Function::Max => numbers.iter().fold(first, |a, b| {
            let scale = a.scale.max(b.scale);
            Number { digits: a.whole().max(b.whole()) + scale, scale }
        }),
        _ => return None,
    }))
}

fn choice(condition: &Syntax, a: &Syntax, b: &Syntax, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let condition = fit(typed(condition, scope)?, &Kind::Boolean, scope)?;
    let (a, b) = (typed(a, scope)?, typed(b, scope)?);
    let (a, b) = match (&a.kind, &b.kind) {
        (Kind::Empty, _) | (_, Kind::Empty) => (a, b),
        (Kind::Enumeration(_), Kind::Text) if !matches!(b.node, Node::Literal(_)) => (a, b),
        _ => agree(a, b, span, scope)?,
    };
    let kind = match (&a.kind, &b.kind) {
        (Kind::Empty, Kind::Boolean) | (Kind::Boolean, Kind::Empty) => return fault(span, "a boolean is never empty"),
        (Kind::Empty, kind) => kind.clone(),
        (Kind::Number(x), Kind::Number(y)) => {
            let scale = x.scale.max(y.scale);
            Kind::Number(Number { digits: x.whole().max(y.whole()) + scale, scale })
        }
        (kind, _) => kind.clone(),
    };
    Ok(Typed { node: Node::If(Box::new(condition), Box::new(a), Box::new(b)), kind, span })
}

fn within(object: Typed, roots: Typed, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let Kind::Object(entity) = object.kind.clone() else {
        return fault(object.span, "within(object, roots) asks where an object stands in a tree");
    };
    let same = matches!(&roots.kind, Kind::Object(e) | Kind::List(e) if *e == entity);
    if !same {
        return fault(roots.span, format!("the roots must be of {entity}"));
    }
    let Some(parent) = scope.schema.tree(&entity) else {
        return Err(Fault::new(span, format!("{entity} declares no tree")).hint("add `tree: <association to itself>`"));
    };
    let node = Node::Within { object: Box::new(object), roots: Box::new(roots), entity, parent };
    Ok(Typed { node, kind: Kind::Boolean, span })
}

fn aggregate(aggregate: Aggregate, argument: &Syntax, span: Span, scope: &Scope<'_>) -> Result<Typed, Fault> {
    let (list, of) = split_list(argument, scope)?;
    let kind = match (aggregate, &of) {
        (Aggregate::Count | Aggregate::Exists, Some(of)) => {
            return Err(Fault::new(of.span, "count and exists take a list, not a member of its elements"));
        }
        (Aggregate::Count, None) => Kind::Number(Number { digits: 12, scale: 0 }),
        (Aggregate::Exists, None) => Kind::Boolean,
        (_, None) => return Err(Fault::new(span, "name the member, as in sum(this.lines.amount)")),
        (Aggregate::Sum, Some(of)) => match of.kind {
            Kind::Number(n) => Kind::Number(Number { digits: Number::MOST_DIGITS.max(n.digits), scale: n.scale }),
            _ => return fault(of.span, "only numbers can be summed"),
        },
        (_, Some(of)) => match &of.kind {
            kind @ (Kind::Number(_) | Kind::Date | Kind::DateTime) => kind.clone(),
            other => return fault(of.span, format!("{} has no least or greatest here", other.describe())),
        },
    };
    Ok(Typed { node: Node::Aggregate(aggregate, Box::new(list), of.map(Box::new)), kind, span })
}

/// Splits `this.lines.category.limit` into the list and the path over `item`.
fn split_list(argument: &Syntax, scope: &Scope<'_>) -> Result<(Typed, Option<Typed>), Fault> {
    let mut names = Vec::new();
    let mut at = argument;
    loop {
        if let Ok(list) = typed(at, scope)
            && let Kind::List(entity) = &list.kind
        {
            let entity = entity.clone();
            if names.is_empty() {
                return Ok((list, None));
            }
            let mut path = Typed { node: Node::Root(Root::Item), kind: Kind::Object(entity), span: at.span };
            for (name, span) in names.into_iter().rev() {
                path = member(path, name, span, scope)?;
            }
            return Ok((list, Some(path)));
        }
        match &at.node {
            SyntaxNode::Member(of, name) => {
                names.push((name.as_str(), at.span));
                at = of;
            }
            _ => {
                typed(argument, scope)?;
                return fault(argument.span, "an aggregate needs an association to many, or a list");
            }
        }
    }
}
