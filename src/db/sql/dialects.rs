//! How each database takes and gives values.

use super::bound::{Bound, exact, unscaled};
use crate::db::{Dialect, Moment, MomentType};
use crate::domain::{Kind, ObjectId, Value};
use bigdecimal::BigDecimal;
use chrono::NaiveDate;
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::AstPass;
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{BigInt, Bool, Date, Integer, Nullable, Numeric, SmallInt, Text};
use diesel::sqlite::{Sqlite, SqliteType, SqliteValue};

/// What stands in SQLite for a number that cannot be computed.
const BEYOND: f64 = 9e99;

/// Whether this is PostgreSQL's NUMERIC that is no number: its sign, the third of the 16-bit words, says so.
fn is_nan(numeric: &[u8]) -> bool {
    numeric.get(4..6) == Some(&[0xC0, 0x00])
}

/// A backend that dynamic statements run on.
pub(super) trait DynBackend: Backend {
    const DIALECT: Dialect;
    /// What stands around a name.
    const QUOTE: &'static str;
    fn bind<'b>(out: &mut AstPass<'_, 'b, Self>, value: &'b Bound) -> QueryResult<()>;
    fn read(raw: Self::RawValue<'_>, kind: &Kind) -> deserialize::Result<Value>;
}

/// Binds a value, or a NULL of its type.
macro_rules! bind {
    ($out:expr, $type:ty, $rust:ty, $value:expr) => {
        match $value {
            Some(value) => $out.push_bind_param::<$type, $rust>(value),
            None => $out.push_bind_param::<Nullable<$type>, Option<$rust>>(&None),
        }
    };
}

/// Binds what both databases take alike; `$numeric` binds what they do not.
macro_rules! bind_any {
    ($out:ident, $value:expr, |$number:ident| $numeric:expr) => {
        match $value {
            Bound::Null => {
                $out.push_sql("NULL");
                Ok(())
            }
            Bound::Text(Some(text)) => $out.push_bind_param::<Text, str>(text),
            Bound::Text(None) => $out.push_bind_param::<Nullable<Text>, Option<String>>(&None),
            Bound::BigInt(number) => bind!($out, BigInt, i64, number),
            Bound::Numeric($number) => $numeric,
            Bound::Boolean(truth) => bind!($out, Bool, bool, truth),
            Bound::Date(date) => bind!($out, Date, NaiveDate, date),
            Bound::Moment(at) => bind!($out, MomentType, Moment, at),
            Bound::Misfit(why) => Err(Error::QueryBuilderError((*why).into())),
        }
    };
}

impl DynBackend for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;
    const QUOTE: &'static str = "`";

    fn bind<'b>(out: &mut AstPass<'_, 'b, Self>, value: &'b Bound) -> QueryResult<()> {
        bind_any!(out, value, |number| bind!(out, BigInt, i64, number.as_ref().map(|(scaled, _)| scaled)))
    }

    fn read(mut raw: SqliteValue<'_, '_, '_>, kind: &Kind) -> deserialize::Result<Value> {
        let whole = matches!(raw.value_type(), Some(SqliteType::SmallInt | SqliteType::Integer | SqliteType::Long));
        let text = matches!(raw.value_type(), Some(SqliteType::Text));
        match kind {
            Kind::Text | Kind::Enumeration(_) if text => Ok(Value::text(raw.read_text())),
            Kind::Number(number) if whole => Ok(unscaled(raw.read_long(), number.scale)),
            Kind::Number(_) if matches!(raw.value_type(), Some(SqliteType::Double)) && raw.read_double() == BEYOND => {
                Ok(Value::Uncomputable)
            }
            Kind::Boolean if whole => match raw.read_long() {
                0 => Ok(Value::Boolean(false)),
                1 => Ok(Value::Boolean(true)),
                _ => Err("not a boolean".into()),
            },
            Kind::Date if text => Ok(Value::Date(crate::db::moment::parse_date(raw.read_text())?)),
            Kind::DateTime if text => Ok(Value::DateTime(crate::db::moment::parse(raw.read_text())?)),
            Kind::Object(_) if whole => Ok(Value::Object(ObjectId(raw.read_long()))),
            _ => Err(mismatch(kind)),
        }
    }
}

/// Type ids of PostgreSQL, fixed by its catalogue.
mod oid {
    pub const BOOL: u32 = 16;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const NUMERIC: u32 = 1700;
}

impl DynBackend for Pg {
    const DIALECT: Dialect = Dialect::Postgres;
    const QUOTE: &'static str = "\"";

    fn bind<'b>(out: &mut AstPass<'_, 'b, Self>, value: &'b Bound) -> QueryResult<()> {
        bind_any!(out, value, |number| bind!(out, Numeric, BigDecimal, number.as_ref().map(|(_, exact)| exact)))
    }

    fn read(raw: PgValue<'_>, kind: &Kind) -> deserialize::Result<Value> {
        let of = raw.get_oid().get();
        match kind {
            Kind::Text | Kind::Enumeration(_) if matches!(of, oid::TEXT | oid::VARCHAR) => {
                <String as FromSql<Text, Pg>>::from_sql(raw).map(Value::text)
            }
            Kind::Number(_) if of == oid::NUMERIC && is_nan(raw.as_bytes()) => Ok(Value::Uncomputable),
            Kind::Number(number) if of == oid::NUMERIC => {
                let read = <BigDecimal as FromSql<Numeric, Pg>>::from_sql(raw)?;
                exact(&read, number.scale).ok_or_else(|| "a number has more digits than its kind".into())
            }
            Kind::Number(number) if number.scale == 0 => read_whole(raw, of, kind).map(Value::Integer),
            Kind::Boolean if of == oid::BOOL => <bool as FromSql<Bool, Pg>>::from_sql(raw).map(Value::Boolean),
            Kind::Date if of == oid::DATE => <NaiveDate as FromSql<Date, Pg>>::from_sql(raw).map(Value::Date),
            Kind::DateTime if matches!(of, oid::TIMESTAMP | oid::TIMESTAMPTZ) => {
                <Moment as FromSql<MomentType, Pg>>::from_sql(raw).map(|at| Value::DateTime(at.0))
            }
            Kind::Object(_) => read_whole(raw, of, kind).map(|id| Value::Object(ObjectId(id))),
            _ => Err(mismatch(kind)),
        }
    }
}

fn read_whole(raw: PgValue<'_>, of: u32, kind: &Kind) -> deserialize::Result<i64> {
    match of {
        oid::INT8 => <i64 as FromSql<BigInt, Pg>>::from_sql(raw),
        oid::INT4 => <i32 as FromSql<Integer, Pg>>::from_sql(raw).map(i64::from),
        oid::INT2 => <i16 as FromSql<SmallInt, Pg>>::from_sql(raw).map(i64::from),
        _ => Err(mismatch(kind)),
    }
}

fn mismatch(kind: &Kind) -> Box<dyn std::error::Error + Send + Sync> {
    format!("a column does not hold the {} it should", kind.describe()).into()
}
