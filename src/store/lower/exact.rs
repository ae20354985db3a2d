//! Numbers with no more digits than a number has, in SQL as in memory.
//!
//! Guarantees: a number that needs more than 18 digits, or more than were declared for it, is BEYOND: `9e99` in SQLite,
//! `NaN` in PostgreSQL. It is greater than every number of the model and not NULL; what is computed with it is BEYOND
//! too, and it is made NULL where it would be compared. No operation on the way raises an error or gives an approximate
//! number: SQLite turns a whole number that overflows into a REAL, which is recognised by its type; PostgreSQL computes
//! in NUMERIC, which has room. Rounding is half to even.
//! Deliberately not here: which expressions need it (`Typed::may_overflow`); the others are as plain as can be.

use crate::db::sql::Sql;
use crate::domain::{Decimal, Kind, Number, Value};

/// A number of at most so many digits, or BEYOND.
pub(in crate::store) fn guarded(number: &Sql, within: Number) -> Sql {
    checked(&one(number), within)
}

/// The same for the number `n` of the one row that stands after FROM.
pub(in crate::store) fn checked(from: &Sql, within: Number) -> Sql {
    let most = 10_i64.checked_pow(within.digits.min(Number::MOST_DIGITS)).map_or(i64::MAX, |above| above - 1);
    let kind = Kind::Number(Number { digits: Number::MOST_DIGITS, scale: within.scale });
    let limit = |units: i64| Value::Decimal(Decimal::from_i128_with_scale(i128::from(units), within.scale));
    let mut out = Sql::new();
    out.raw_by("(SELECT CASE WHEN typeof(v.n) = 'real' OR v.n NOT BETWEEN ", "(SELECT CASE WHEN v.n NOT BETWEEN ");
    out.bind(&limit(-most), &kind).raw(" AND ").bind(&limit(most), &kind);
    out.raw_by(" THEN 9e99 ELSE v.n END FROM ", " THEN 'NaN'::numeric ELSE v.n END FROM ").append(from).raw(" AS v)");
    out
}

/// A number that stands for one that cannot be computed.
pub(super) fn beyond() -> Sql {
    let mut out = Sql::new();
    out.raw_by("9e99", "'NaN'::numeric");
    out
}

/// The number, or NULL instead of BEYOND: for whatever compares or orders.
pub(in crate::store) fn comparable(number: &Sql) -> Sql {
    let mut out = Sql::new();
    out.raw("NULLIF(").append(number).raw(", ").append(&beyond()).raw(")");
    out
}

/// A whole number in arithmetic that may exceed it: PostgreSQL computes in NUMERIC.
pub(super) fn roomy(number: &Sql) -> Sql {
    let mut out = Sql::new();
    out.raw_by("", "(").append(number).raw_by("", ")::numeric");
    out
}

/// `COALESCE(sum(…), 0)`. SQLite sums in two parts, so that no sum of whole numbers overflows.
pub(in crate::store) fn sum(number: &Sql, kind: &Kind) -> Sql {
    let mut out = Sql::new();
    if matches!(kind, Kind::Number(number) if number.digits <= 9) {
        out.raw("COALESCE(sum(").append(number).raw("), 0)");
        return out;
    }
    out.raw("(COALESCE(sum(").append(number);
    // PostgreSQL, which has room, is spared the second part: it folds the CASE away.
    out.raw_by(" / 1000000000), 0) * 1000000000 + COALESCE(sum(", "), 0) + COALESCE(sum(CASE WHEN FALSE THEN ");
    out.append(number).raw_by(" % 1000000000), 0))", " END), 0))");
    out
}

/// A number with `from` digits after the point, rounded half to even to `to` of them, or to tens, hundreds, … where
/// `to` is negative. The surplus is between 1 and 18.
pub(super) fn rounded(number: &Sql, from: u32, to: i64) -> Sql {
    let kind = Kind::Number(Number { digits: Number::MOST_DIGITS, scale: from });
    // In units of the last digit: as SQLite has its numbers.
    let unit =
        u32::try_from(i64::from(from).saturating_sub(to)).ok().and_then(|surplus| 10_i64.checked_pow(surplus)).unwrap_or(1);
    let of = |units: i64| Value::Decimal(Decimal::from_i128_with_scale(i128::from(units), from));
    let mut out = Sql::new();
    out.raw("(SELECT (v.n - v.n % ").bind(&of(unit), &kind);
    out.raw(" + CASE WHEN abs(v.n % ").bind(&of(unit), &kind).raw(") > ").bind(&of(unit / 2), &kind);
    out.raw(" OR (abs(v.n % ").bind(&of(unit), &kind).raw(") = ").bind(&of(unit / 2), &kind);
    out.raw(" AND (v.n - v.n % ").bind(&of(unit), &kind).raw(") % ").bind(&of(unit.saturating_mul(2)), &kind);
    out.raw(" <> 0) THEN CASE WHEN v.n < 0 THEN ").bind(&of(-unit), &kind).raw(" ELSE ").bind(&of(unit), &kind);
    out.raw(" END ELSE 0 END)");
    let dropped = usize::try_from(from.saturating_sub(u32::try_from(to).unwrap_or(0))).unwrap_or(0);
    if let Some(divisor) = dropped.checked_sub(1).and_then(|at| DIVISORS.get(at)) {
        out.raw_by(divisor, "");
    }
    out.raw(" FROM ").append(&one(&roomy(number))).raw(" AS v)");
    out
}

/// The number as the one row `(n)`.
fn one(number: &Sql) -> Sql {
    let mut out = Sql::new();
    // INVARIANT: the number is computed once: without the fence PostgreSQL would write it into every place that names it.
    out.raw("(SELECT ").append(number).raw(" AS n").raw_by(")", " OFFSET 0)");
    out
}

const DIVISORS: [&str; 18] = [
    " / 10",
    " / 100",
    " / 1000",
    " / 10000",
    " / 100000",
    " / 1000000",
    " / 10000000",
    " / 100000000",
    " / 1000000000",
    " / 10000000000",
    " / 100000000000",
    " / 1000000000000",
    " / 10000000000000",
    " / 100000000000000",
    " / 1000000000000000",
    " / 10000000000000000",
    " / 100000000000000000",
    " / 1000000000000000000",
];
