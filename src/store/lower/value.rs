//! Values.

use super::condition::rescaled;
use super::exact::{beyond, guarded, roomy, rounded};
use super::{Condition, Lower, LowerError, Lowered, Scope};
use crate::db::sql::{Param, Sql};
use crate::domain::{Kind, Number, Value};
use crate::expr::{Aggregate, Arithmetic, Function, Node, Root, Typed, rounding};

impl Lower<'_> {
    /// The value; a number is written with the digits after the point that its kind has.
    pub(super) fn value(&self, e: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        self.step()?;
        let mut out = Sql::new();
        match &e.node {
            Node::Literal(value) => out.bind(value, &e.kind),
            Node::Now => out.param(Param::Now),
            Node::Today => out.param(Param::Today),
            Node::Root(root) => return self.root(root, e, scope),
            Node::Member { of, entity, name, calculated } => {
                return self.member(of, entity, name, calculated.as_deref(), scope);
            }
            Node::Many { .. } | Node::Filter(..) => return Err(LowerError::Beyond("a list as a value")),
            Node::Aggregate(Aggregate::Exists, ..) => return Ok(self.condition(e, scope)?.truth()),
            Node::Aggregate(aggregate, list, of) => return self.aggregate(*aggregate, list, of.as_deref(), scope),
            Node::Not(_)
            | Node::And(..)
            | Node::Or(..)
            | Node::Compare(..)
            | Node::IsEmpty(_)
            | Node::InValues(..)
            | Node::InList(..)
            | Node::Within { .. }
            | Node::HasRole(_)
            | Node::SignedIn => return Ok(self.condition(e, scope)?.truth()),
            Node::If(c, a, b) => return Ok(self.within_digits(e, self.chosen(c, a, b, &e.kind, scope)?)),
            Node::Arithmetic(op, a, b) => return Ok(self.within_digits(e, self.arithmetic(*op, a, b, e, scope)?)),
            Node::Declared(of) => return self.declared(of, e, scope),
            Node::Concat(..) => return self.concat(e, scope),
            Node::Call(function, arguments) => return self.call(*function, arguments, e, scope),
        };
        Ok(out)
    }

    /// Whether the value can be one that cannot be computed; a variable can bring one along.
    pub(super) fn overflows(&self, e: &Typed) -> bool {
        matches!(e.kind, Kind::Number(_))
            && (e.may_overflow() || self.variables.values().any(|value| *value == Value::Uncomputable))
    }

    /// The number, with the digits that a number has.
    fn within_digits(&self, e: &Typed, number: Sql) -> Sql {
        match &e.kind {
            Kind::Number(of) if self.overflows(e) => guarded(&number, Number { digits: Number::MOST_DIGITS, ..*of }),
            _ => number,
        }
    }

    /// A number with the digits that were declared for it.
    fn declared(&self, of: &Typed, e: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let (Kind::Number(from), Kind::Number(to)) = (&of.kind, &e.kind) else { return self.value(of, scope) };
        let value = if from.scale > to.scale {
            rounded(&self.value(of, scope)?, from.scale, i64::from(to.scale))
        } else {
            self.scaled(of, scope, to.scale)?
        };
        Ok(if self.overflows(e) { guarded(&value, *to) } else { value })
    }

    fn round(&self, arguments: &[Typed], scope: Scope<'_>) -> Lowered<Sql> {
        let (Some(of), Some((from, to))) = (arguments.first(), rounding(arguments)) else {
            return Err(LowerError::Beyond("a computed number of digits"));
        };
        let value = self.value(of, scope)?;
        Ok(if to < i64::from(from) { rounded(&value, from, to) } else { value })
    }

    /// The value as a column of `kind` keeps it, over the row with this alias.
    pub(in crate::store) fn value_as(&self, e: &Typed, kind: &Kind, this: &str) -> Lowered<Sql> {
        if let (Kind::Number(of), Kind::Number(column)) = (&e.kind, kind)
            && of.scale > column.scale
        {
            return Err(LowerError::Beyond("more digits than a column keeps"));
        }
        self.value_of(e, kind, Scope { this, item: None })
    }

    /// The value as one of `kind`: an `empty` literal gets that kind.
    fn value_of(&self, e: &Typed, kind: &Kind, scope: Scope<'_>) -> Lowered<Sql> {
        match (&e.kind, kind) {
            (Kind::Empty, _) => {
                let mut out = Sql::new();
                out.bind(&Value::Empty, kind);
                Ok(out)
            }
            (_, Kind::Number(number)) => self.scaled(e, scope, number.scale),
            _ => self.value(e, scope),
        }
    }

    /// The value; a number is written with at least `scale` digits after the point.
    pub(super) fn scaled(&self, e: &Typed, scope: Scope<'_>, scale: u32) -> Lowered<Sql> {
        match (&e.node, &e.kind) {
            (Node::Literal(value), Kind::Number(number)) if number.scale < scale => {
                let mut out = Sql::new();
                out.bind(value, &Kind::Number(Number { digits: Number::MOST_DIGITS, scale }));
                Ok(out)
            }
            (_, kind) => Ok(rescaled(self.value(e, scope)?, kind, scale)),
        }
    }

    fn root(&self, root: &Root, e: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let mut out = Sql::new();
        match root {
            Root::This => out.ident(scope.this).raw(".").ident("id"),
            Root::Item => match scope.item {
                Some(alias) => out.ident(alias).raw(".").ident("id"),
                None => return Err(LowerError::Beyond("`item` here")),
            },
            Root::User => out.param(Param::User),
            Root::Variable(name) => match self.variables.get(name).unwrap_or(&Value::Empty) {
                Value::Uncomputable => out.append(&beyond()),
                value => out.bind(value, &e.kind),
            },
        };
        Ok(out)
    }

    fn chosen(&self, c: &Typed, a: &Typed, b: &Typed, kind: &Kind, scope: Scope<'_>) -> Lowered<Sql> {
        let when = match self.condition(c, scope)? {
            Condition::Always => return self.value_of(a, kind, scope),
            Condition::Never => return self.value_of(b, kind, scope),
            Condition::When(sql) => sql,
        };
        let mut out = Sql::new();
        out.raw("CASE WHEN ").append(&when).raw(" THEN ").append(&self.value_of(a, kind, scope)?);
        out.raw(" ELSE ").append(&self.value_of(b, kind, scope)?).raw(" END");
        let mut closed = Sql::new();
        closed.raw("(").append(&out).raw(")");
        Ok(closed)
    }

    fn arithmetic(&self, op: Arithmetic, a: &Typed, b: &Typed, e: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let Kind::Number(number) = &e.kind else { return Err(LowerError::Beyond("arithmetic on this")) };
        let (a, b) = match op {
            Arithmetic::Divide => return Err(LowerError::Beyond("division")),
            // Scaled integers multiply to the sum of their scales, which is the product's.
            Arithmetic::Multiply => (self.value(a, scope)?, self.value(b, scope)?),
            _ => (self.scaled(a, scope, number.scale)?, self.scaled(b, scope, number.scale)?),
        };
        let a = if number.scale == 0 && self.overflows(e) { roomy(&a) } else { a };
        let mut out = Sql::new();
        out.raw("(").append(&a).raw(match op {
            Arithmetic::Add => " + ",
            Arithmetic::Subtract => " - ",
            _ => " * ",
        });
        out.append(&b).raw(")");
        Ok(out)
    }

    fn call(&self, function: Function, arguments: &[Typed], e: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let condition = matches!(function, Function::Contains | Function::StartsWith | Function::EndsWith);
        if condition {
            return Ok(self.condition(e, scope)?.truth());
        }
        if arguments.iter().any(|a| matches!(a.node, Node::Literal(Value::Empty))) {
            let mut out = Sql::new();
            out.bind(&Value::Empty, &e.kind);
            return Ok(out);
        }
        match (function, arguments) {
            (Function::Lower | Function::Upper | Function::Trim | Function::Length | Function::Substring, _) => {
                self.text_value(function, arguments, scope)
            }
            (Function::Abs, [a]) => {
                let mut out = Sql::new();
                out.raw("abs(").append(&self.value(a, scope)?).raw(")");
                Ok(out)
            }
            (Function::Min | Function::Max, [a, b]) => {
                Ok(self.within_digits(e, self.lesser(function == Function::Min, a, b, e, scope)?))
            }
            (Function::Round, arguments) => Ok(self.within_digits(e, self.round(arguments, scope)?)),
            (Function::Text | Function::WorkdaysBetween, _) => Err(LowerError::Beyond("this function")),
            _ => self.date_value(function, arguments, scope),
        }
    }

    fn lesser(&self, least: bool, a: &Typed, b: &Typed, e: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let beyond = least && (self.overflows(a) || self.overflows(b));
        let (a, b) = (self.value_of(a, &e.kind, scope)?, self.value_of(b, &e.kind, scope)?);
        if beyond {
            return Ok(lesser_known(&a, &b));
        }
        let mut out = Sql::new();
        // SQLite's two-sided min is empty when a side is; PostgreSQL's LEAST is not.
        out.raw_by(if least { "min(" } else { "max(" }, "(SELECT ");
        if least {
            out.raw_by("", "LEAST(");
        } else {
            out.raw_by("", "GREATEST(");
        }
        out.raw_by("", "v.a, v.b) FROM (SELECT ").append(&a).raw_by(", ", " AS a, ").append(&b);
        out.raw_by(")", " AS b) AS v WHERE v.a IS NOT NULL AND v.b IS NOT NULL)");
        Ok(out)
    }
}

/// The lesser of two numbers of which one may be BEYOND, which is the greatest: then so is what is asked for.
fn lesser_known(a: &Sql, b: &Sql) -> Sql {
    let (mut out, beyond) = (Sql::new(), beyond());
    out.raw("(SELECT CASE WHEN v.a >= ").append(&beyond).raw(" OR v.b >= ").append(&beyond).raw(" THEN ").append(&beyond);
    out.raw_by(" ELSE min(v.a, v.b) END FROM (SELECT ", " ELSE LEAST(v.a, v.b) END FROM (SELECT ").append(a).raw(" AS a, ");
    out.append(b).raw_by(" AS b)", " AS b OFFSET 0)").raw(" AS v WHERE v.a IS NOT NULL AND v.b IS NOT NULL)");
    out
}
