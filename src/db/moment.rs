//! A moment as the databases keep it.
//!
//! SQLite: text of fixed width ([`DATETIME_FORMAT`](crate::domain::DATETIME_FORMAT)), so that text order is time order and
//! dynamic statements compare with it. PostgreSQL: `timestamp` without zone, holding UTC.

use crate::domain::{datetime_text, read_datetime};
use chrono::{NaiveDate, NaiveDateTime};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{SqlType, Timestamp};
use diesel::sqlite::{Sqlite, SqliteValue};

/// The column type of a moment.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(sqlite_type(name = "Text"))]
#[diesel(postgres_type(oid = 1114, array_oid = 1115))]
pub struct MomentType;

/// A moment in UTC, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = MomentType)]
pub struct Moment(pub NaiveDateTime);

impl From<NaiveDateTime> for Moment {
    fn from(at: NaiveDateTime) -> Self {
        Self(at)
    }
}

/// Reads the fixed-width text; anything else is not a moment of ours.
pub(super) fn parse(text: &str) -> Result<NaiveDateTime, String> {
    read_datetime(text).ok_or_else(|| format!("not a moment: {} characters", text.len()))
}

/// Reads a date of exactly ten characters, `2026-03-01`. By hand, because a list reads many.
pub(super) fn parse_date(text: &str) -> Result<NaiveDate, String> {
    let number =
        |part: Option<&str>| -> Option<u32> { part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok() };
    let dashes = text.len() == 10 && [4, 7].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    let date =
        || NaiveDate::from_ymd_opt(i32::try_from(number(text.get(..4))?).ok()?, number(text.get(5..7))?, number(text.get(8..))?);
    dashes.then(date).flatten().ok_or_else(|| format!("not a date: {} characters", text.len()))
}

impl ToSql<MomentType, Sqlite> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(datetime_text(self.0));
        Ok(IsNull::No)
    }
}
impl ToSql<MomentType, Pg> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <NaiveDateTime as ToSql<Timestamp, Pg>>::to_sql(&self.0, out)
    }
}
impl FromSql<MomentType, Sqlite> for Moment {
    fn from_sql(mut raw: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(parse(raw.read_text())?))
    }
}
impl FromSql<MomentType, Pg> for Moment {
    fn from_sql(raw: PgValue<'_>) -> deserialize::Result<Self> {
        <NaiveDateTime as FromSql<Timestamp, Pg>>::from_sql(raw).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::parse_date;
    use chrono::NaiveDate;

    #[test]
    fn only_a_date_of_ten_characters_that_there_was_is_a_date() {
        for (text, date) in [("2026-03-01", (2026, 3, 1)), ("0001-01-01", (1, 1, 1)), ("9999-12-31", (9999, 12, 31))] {
            assert_eq!(parse_date(text), Ok(NaiveDate::from_ymd_opt(date.0, date.1, date.2).unwrap()));
        }
        for wrong in
            ["", "2026-3-1", "2026-13-01", "2026-02-30", "+026-01-01", "2026/01/01", "2026-01-011", "２０２６-01", "2026-01-0é"]
        {
            assert!(parse_date(wrong).is_err(), "{wrong}");
        }
    }
}
