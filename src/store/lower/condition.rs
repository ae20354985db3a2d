//! Conditions in true mode.

use super::exact::comparable;
use super::{Lower, Lowered, Scope, lists};
use crate::db::sql::Sql;
use crate::domain::{Kind, Value};
use crate::expr::{Aggregate, Comparison, Function, Node, Root, Typed};

/// A condition: known before any row is read, or to be asked of each.
#[derive(Clone, Debug)]
pub(in crate::store) enum Condition {
    Always,
    Never,
    When(Sql),
}

impl Condition {
    pub(in crate::store) fn known(truth: bool) -> Self {
        if truth { Self::Always } else { Self::Never }
    }

    pub(in crate::store) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Always, other) => other,
            (other, Self::Always) => other,
            (Self::When(a), Self::When(b)) => Self::When(joined(&a, " AND ", &b)),
        }
    }

    pub(in crate::store) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Never, other) => other,
            (other, Self::Never) => other,
            (Self::When(a), Self::When(b)) => Self::When(joined(&a, " OR ", &b)),
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::When(sql) => {
                let mut out = Sql::new();
                out.raw("(").append(&sql).raw(" IS NOT TRUE)");
                Self::When(out)
            }
        }
    }

    /// As something that stands after WHERE.
    pub(in crate::store) fn sql(&self) -> Sql {
        let mut out = Sql::new();
        match self {
            Self::Always => out.raw("TRUE"),
            Self::Never => out.raw("FALSE"),
            Self::When(sql) => out.append(sql),
        };
        out
    }

    /// As a value that is true or false, never NULL.
    pub(in crate::store) fn truth(&self) -> Sql {
        let mut out = Sql::new();
        match self {
            Self::When(sql) => out.raw("(").append(sql).raw(" IS TRUE)"),
            known => out.append(&known.sql()),
        };
        out
    }
}

fn joined(a: &Sql, with: &'static str, b: &Sql) -> Sql {
    let mut out = Sql::new();
    out.raw("(").append(a).raw(with).append(b).raw(")");
    out
}

impl Lower<'_> {
    pub(super) fn condition(&self, e: &Typed, scope: Scope<'_>) -> Lowered<Condition> {
        self.step()?;
        Ok(match &e.node {
            Node::Literal(value) => Condition::known(value.holds()),
            Node::HasRole(role) => Condition::known(self.rights.roles.contains(role)),
            Node::SignedIn => Condition::known(self.rights.signed_in),
            Node::And(a, b) => match self.condition(a, scope)? {
                Condition::Never => Condition::Never,
                a => a.and(self.condition(b, scope)?),
            },
            Node::Or(a, b) => match self.condition(a, scope)? {
                Condition::Always => Condition::Always,
                a => a.or(self.condition(b, scope)?),
            },
            Node::Not(a) => match &a.node {
                Node::IsEmpty(of) => Condition::When(self.asked(of, scope, " IS NOT NULL)")?),
                Node::Not(inner) => self.condition(inner, scope)?,
                _ => self.condition(a, scope)?.not(),
            },
            Node::IsEmpty(of) => Condition::When(self.asked(of, scope, " IS NULL)")?),
            Node::Compare(op, a, b) => Condition::When(self.compare(*op, a, b, scope)?),
            Node::InValues(a, values) => Condition::When(self.among(a, values, scope)?),
            Node::InList(a, list) => self.in_list(a, list, scope)?,
            Node::Within { object, roots, entity, parent } => Condition::When(self.within(object, roots, entity, parent, scope)?),
            Node::Aggregate(Aggregate::Exists, list, _) => Condition::When(self.exists(list, scope)?),
            Node::Call(Function::Contains | Function::StartsWith | Function::EndsWith, _) => self.text_condition(e, scope)?,
            Node::If(c, a, b) => self.choice(c, a, b, scope)?,
            Node::Root(Root::Variable(name)) => Condition::known(self.variables.get(name).is_some_and(Value::holds)),
            Node::Member { .. } => Condition::When(self.along(e, scope, &|value| Ok(value))?),
            _ => Condition::When(self.value(e, scope)?),
        })
    }

    fn asked(&self, of: &Typed, scope: Scope<'_>, question: &'static str) -> Lowered<Sql> {
        let mut out = Sql::new();
        out.raw("(").append(&self.value(of, scope)?).raw(question);
        Ok(out)
    }

    fn choice(&self, c: &Typed, a: &Typed, b: &Typed, scope: Scope<'_>) -> Lowered<Condition> {
        let when = match self.condition(c, scope)? {
            Condition::Always => return self.condition(a, scope),
            Condition::Never => return self.condition(b, scope),
            Condition::When(sql) => sql,
        };
        let mut out = Sql::new();
        out.raw("(CASE WHEN ").append(&when).raw(" THEN ").append(&self.condition(a, scope)?.truth());
        out.raw(" ELSE ").append(&self.condition(b, scope)?.truth()).raw(" END)");
        Ok(Condition::When(out))
    }

    fn compare(&self, op: Comparison, a: &Typed, b: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        if a.depends_on_row() && !b.depends_on_row() {
            self.compare_row(op, a, b, scope)
        } else if b.depends_on_row() && !a.depends_on_row() {
            self.compare_row(op.swapped(), b, a, scope)
        } else {
            let scale = common_scale([a, b]);
            Ok(compared(op, &self.side(a, scope, scale)?, &self.side(b, scope, scale)?, &a.kind))
        }
    }

    /// The row's side is compared where its column is, so that the column stands alone.
    fn compare_row(&self, op: Comparison, row: &Typed, fixed: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let scale = common_scale([row, fixed]);
        let (fixed, beyond) = (self.side(fixed, scope, scale)?, self.overflows(row));
        self.along(row, scope, &|value| {
            let value = if beyond { comparable(&value) } else { value };
            Ok(compared(op, &rescaled(value, &row.kind, scale), &fixed, &row.kind))
        })
    }

    /// A side of a comparison: NULL where it cannot be computed, so that the comparison is not true.
    fn side(&self, e: &Typed, scope: Scope<'_>, scale: u32) -> Lowered<Sql> {
        if !self.overflows(e) {
            return self.scaled(e, scope, scale);
        }
        Ok(rescaled(comparable(&self.value(e, scope)?), &e.kind, scale))
    }

    fn among(&self, a: &Typed, values: &[Typed], scope: Scope<'_>) -> Lowered<Sql> {
        let scale = common_scale(std::iter::once(a).chain(values));
        let mut list = Sql::new();
        for (at, value) in values.iter().enumerate() {
            list.raw(if at == 0 { " IN (" } else { ", " }).append(&self.scaled(value, scope, scale)?);
        }
        self.along(a, scope, &|value| {
            let mut out = Sql::new();
            out.raw("(").append(&rescaled(value, &a.kind, scale)).append(&list).raw("))");
            Ok(out)
        })
    }

    fn in_list(&self, a: &Typed, list: &Typed, scope: Scope<'_>) -> Lowered<Condition> {
        if let Node::Root(Root::Variable(name)) = &list.node {
            let Some(Value::List(ids)) = self.variables.get(name) else { return Ok(Condition::Never) };
            if ids.is_empty() {
                return Ok(Condition::Never);
            }
            let ids = lists::ids(ids);
            return Ok(Condition::When(self.along(a, scope, &|value| Ok(is_in(&value, &ids)))?));
        }
        let members = self.members(list, scope)?;
        if list.depends_on_row() {
            return Ok(Condition::When(is_in(&self.value(a, scope)?, &members)));
        }
        Ok(Condition::When(self.along(a, scope, &|value| Ok(is_in(&value, &members)))?))
    }
}

/// `(value IN (inner))`
pub(super) fn is_in(value: &Sql, inner: &Sql) -> Sql {
    let mut out = Sql::new();
    out.raw("(").append(value).raw(" IN (").append(inner).raw("))");
    out
}

fn compared(op: Comparison, a: &Sql, b: &Sql, kind: &Kind) -> Sql {
    let mut out = Sql::new();
    out.raw("(").append(a).raw(match op {
        Comparison::Equal => " = ",
        Comparison::NotEqual => " <> ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
    });
    out.append(b);
    let ordered = !matches!(op, Comparison::Equal | Comparison::NotEqual);
    if ordered && *kind == Kind::Text {
        out.raw_by("", " COLLATE \"C\"");
    }
    out.raw(")");
    out
}

/// The digits after the point that all of them can be written with.
pub(super) fn common_scale<'t>(all: impl IntoIterator<Item = &'t Typed>) -> u32 {
    all.into_iter().map(|e| if let Kind::Number(n) = e.kind { n.scale } else { 0 }).max().unwrap_or(0)
}

/// A number of `kind` written with `scale` digits after the point: on SQLite numbers are scaled integers.
pub(super) fn rescaled(value: Sql, kind: &Kind, scale: u32) -> Sql {
    let Kind::Number(number) = kind else { return value };
    let more = usize::try_from(scale.saturating_sub(number.scale)).unwrap_or(0);
    let factor = match more.checked_sub(1) {
        None => return value,
        Some(at) => FACTORS.get(at).copied().unwrap_or(" * NULL)"),
    };
    let mut out = Sql::new();
    // PostgreSQL would give a whole number where a decimal is expected.
    let exact = if number.scale == 0 { ("(", ")::numeric") } else { ("", "") };
    out.raw_by("(", exact.0).append(&value).raw_by(factor, exact.1);
    out
}

const FACTORS: [&str; 18] = [
    " * 10)",
    " * 100)",
    " * 1000)",
    " * 10000)",
    " * 100000)",
    " * 1000000)",
    " * 10000000)",
    " * 100000000)",
    " * 1000000000)",
    " * 10000000000)",
    " * 100000000000)",
    " * 1000000000000)",
    " * 10000000000000)",
    " * 100000000000000)",
    " * 1000000000000000)",
    " * 10000000000000000)",
    " * 100000000000000000)",
    " * 1000000000000000000)",
];
