//! Text functions: letters are A–Z, characters are counted, and no text is empty-but-present.

use super::{Condition, Lower, LowerError, Lowered, Scope};
use crate::db::sql::Sql;
use crate::domain::{Kind, Value};
use crate::expr::{Function, Node, Typed};

/// No stored text is longer; both databases take it as a 32-bit number.
const LONGEST: i64 = 1_000_000_000;

impl Lower<'_> {
    /// Texts joined in one go; empty counts as no text.
    pub(super) fn concat(&self, e: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let mut parts = Vec::new();
        flatten(e, &mut parts);
        let mut out = Sql::new();
        out.raw("NULLIF(");
        for (at, part) in parts.into_iter().enumerate() {
            out.raw(if at == 0 { "" } else { " || " });
            if part.kind == Kind::Empty {
                out.raw("''");
            } else {
                out.raw("COALESCE(").append(&self.value(part, scope)?).raw(", '')");
            }
        }
        out.raw(", '')");
        Ok(out)
    }

    pub(super) fn text_value(&self, function: Function, arguments: &[Typed], scope: Scope<'_>) -> Lowered<Sql> {
        let first = arguments.first().ok_or(LowerError::Beyond("a function of nothing"))?;
        let value = self.value(first, scope)?;
        let whole = |at: usize| match arguments.get(at).map(|a| &a.node) {
            Some(Node::Literal(Value::Integer(n))) => Ok((*n).clamp(0, LONGEST)),
            _ => Err(LowerError::Beyond("a computed position in a text")),
        };
        let mut out = Sql::new();
        match function {
            // SQLite's lower() and upper() know A–Z only; PostgreSQL's do so in the C collation.
            Function::Lower => out.raw("lower(").append(&value).raw_by(")", " COLLATE \"C\")"),
            Function::Upper => out.raw("upper(").append(&value).raw_by(")", " COLLATE \"C\")"),
            Function::Trim => out.raw_by("NULLIF(trim(", "NULLIF(btrim(").append(&value).raw(", ' '), '')"),
            Function::Length => out.raw_by("length(", "length(").append(&value).raw_by(")", ")::bigint"),
            Function::Substring => {
                out.raw("NULLIF(substr(").append(&value).raw(", ").int(whole(1)?).raw(", ").int(whole(2)?).raw("), '')")
            }
            _ => return Err(LowerError::Beyond("this function")),
        };
        Ok(out)
    }

    pub(super) fn text_condition(&self, e: &Typed, scope: Scope<'_>) -> Lowered<Condition> {
        let Node::Call(function, arguments) = &e.node else { return Err(LowerError::Beyond("this condition")) };
        let [text, part] = arguments.as_slice() else { return Err(LowerError::Beyond("this condition")) };
        if [text, part].iter().any(|a| matches!(a.node, Node::Literal(Value::Empty))) {
            return Ok(Condition::Never);
        }
        let sought = self.value(part, scope)?;
        let test = |value: Sql| {
            let mut out = Sql::new();
            match function {
                Function::Contains => out.raw_by("(instr(", "(strpos(").append(&value).raw(", ").append(&sought).raw(") > 0)"),
                Function::StartsWith => {
                    out.raw("(substr(").append(&value).raw(", 1, length(").append(&sought).raw(")) = ").append(&sought).raw(")")
                }
                _ => {
                    out.raw_by("(substr(", "(right(").append(&value).raw_by(", -length(", ", length(").append(&sought);
                    out.raw(")) = ").append(&sought).raw(")")
                }
            };
            Ok(out)
        };
        if part.depends_on_row() {
            return Ok(Condition::When(test(self.value(text, scope)?)?));
        }
        Ok(Condition::When(self.along(text, scope, &test)?))
    }
}

fn flatten<'t>(e: &'t Typed, into: &mut Vec<&'t Typed>) {
    match &e.node {
        Node::Concat(a, b) => {
            flatten(a, into);
            flatten(b, into);
        }
        _ => into.push(e),
    }
}
