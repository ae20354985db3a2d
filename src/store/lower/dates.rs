//! Date functions. SQLite keeps dates and moments as text of fixed width, PostgreSQL has types.

use super::exact::comparable;
use super::{Lower, LowerError, Lowered, Scope};
use crate::db::sql::Sql;
use crate::domain::Kind;
use crate::expr::{Function, Typed};

impl Lower<'_> {
    pub(super) fn date_value(&self, function: Function, arguments: &[Typed], scope: Scope<'_>) -> Lowered<Sql> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let value = self.value(argument, scope)?;
            // A day so far away lies outside the years 1 to 9999.
            values.push(if self.overflows(argument) { comparable(&value) } else { value });
        }
        match (function, values.as_slice()) {
            (Function::AddDays, [from, days]) => {
                let moment = arguments.first().is_some_and(|a| a.kind == Kind::DateTime);
                Ok(if moment { later_moment(from, days) } else { later_date(from, days) })
            }
            (Function::DaysBetween, [from, to]) => {
                let mut out = Sql::new();
                out.raw_by("CAST(julianday(", "(").append(to).raw_by(") - julianday(", " - ").append(from);
                out.raw_by(") AS INTEGER)", ")::bigint");
                Ok(out)
            }
            (function, [of]) => part(function, of),
            _ => Err(LowerError::Beyond("this function")),
        }
    }
}

fn part(function: Function, of: &Sql) -> Lowered<Sql> {
    let (before, after) = match function {
        Function::Date => (("substr(", "("), (", 1, 10)", ")::date")),
        Function::Year => (("CAST(strftime('%Y', ", "EXTRACT(YEAR FROM "), (") AS INTEGER)", ")::bigint")),
        Function::Month => (("CAST(strftime('%m', ", "EXTRACT(MONTH FROM "), (") AS INTEGER)", ")::bigint")),
        Function::Day => (("CAST(strftime('%d', ", "EXTRACT(DAY FROM "), (") AS INTEGER)", ")::bigint")),
        Function::Weekday => (("((strftime('%w', ", "EXTRACT(ISODOW FROM "), (") + 6) % 7 + 1)", ")::bigint")),
        Function::StartOfMonth => (("date(", "date_trunc('month', ("), (", 'start of month')", ")::timestamp)::date")),
        Function::StartOfYear => (("date(", "date_trunc('year', ("), (", 'start of year')", ")::timestamp)::date")),
        _ => return Err(LowerError::Beyond("this function")),
    };
    let mut out = Sql::new();
    out.raw_by(before.0, before.1).append(of).raw_by(after.0, after.1);
    Ok(out)
}

/// A day so many days later; empty outside the years 1 to 9999.
fn later_date(from: &Sql, days: &Sql) -> Sql {
    let mut out = Sql::new();
    out.raw_by(
        "(SELECT v.r FROM (SELECT date(",
        "(SELECT CASE WHEN v.t BETWEEN 0 AND 3652058 THEN DATE '0001-01-01' + v.t::int END FROM (SELECT (",
    );
    out.append(from).raw_by(", (", " - DATE '0001-01-01') + ").append(days);
    out.raw_by(") || ' days') AS r) AS v WHERE v.r BETWEEN '0001-01-01' AND '9999-12-31')", " AS t) AS v)");
    out
}

/// The same time of day so many days later; empty outside the years 1 to 9999.
fn later_moment(from: &Sql, days: &Sql) -> Sql {
    let mut out = Sql::new();
    out.raw_by(
        "(SELECT date(v.d, v.n || ' days') || substr(v.d, 11) FROM (SELECT ",
        "(SELECT CASE WHEN (v.d::date - DATE '0001-01-01') + v.n BETWEEN 0 AND 3652058 \
         THEN v.d + v.n::int * INTERVAL '1 day' END FROM (SELECT ",
    );
    out.append(from)
        .raw(" AS d, ")
        .append(days)
        .raw_by(" AS n) AS v WHERE date(v.d, v.n || ' days') BETWEEN '0001-01-01' AND '9999-12-31')", " AS n) AS v)");
    out
}
