//! Values as literals in what the owner writes into the schema.

use super::standing::params;
use crate::db::sql::{Param, Sql, fetch};
use crate::db::testing::each;
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Number, QName, Value, parse_value};

const MONEY: Kind = Kind::Number(Number { digits: 18, scale: 2 });

/// The statement as text, run as it is.
fn written(conn: &mut Conn, sql: &Sql, kinds: &[Kind]) -> Result<Vec<Vec<Value>>, DbError> {
    let mut text = Sql::new();
    text.raw(Box::leak(sql.ddl(conn.dialect()).into_boxed_str()));
    fetch(conn, &text, &params(), kinds)
}

fn examples() -> Vec<(Value, Kind)> {
    let name = |text| QName::parse(text).unwrap();
    let kinds = [
        (Kind::INTEGER, &["0", "-7", "999999999999999", "-999999999999999"][..]),
        (MONEY, &["0.01", "-0.01", "9999999999999999.99", "-9999999999999999.99", "12.00"]),
        (Kind::Boolean, &["true", "false"]),
        (Kind::Date, &["0001-01-01", "9999-12-31", "2026-03-01"]),
        (Kind::DateTime, &["0001-01-01T00:00:00.000Z", "2026-03-01T12:00:00.007Z", "9999-12-31T23:59:59.999Z"]),
        (Kind::Enumeration(name("a.Colour")), &["red"]),
        (Kind::Object(name("a.Thing")), &["#1", "#9223372036854775807"]),
    ];
    let mut all: Vec<(Value, Kind)> = kinds
        .iter()
        .flat_map(|(kind, texts)| texts.iter().map(move |text| (parse_value(kind, text).unwrap(), kind.clone())))
        .collect();
    let hostile = [
        "it's",
        "''",
        "'",
        "\\",
        "\\'",
        "\\\\''",
        "'; DROP TABLE setting; --",
        "x' OR '1'='1",
        "$$ $1 ?1 :a @b",
        "E'x'",
        "/* */ --",
        "\n\t\r",
        "é✓\u{202e}",
        "`\"[]",
        "%_",
        "]this value cannot be written[",
    ];
    all.extend(hostile.map(|text| (Value::text(text), Kind::Text)));
    let empty = [Kind::Text, Kind::INTEGER, MONEY, Kind::Boolean, Kind::Date, Kind::DateTime];
    all.extend(empty.map(|kind| (Value::Empty, kind)));
    all
}

#[test]
fn a_literal_is_exactly_the_value_that_would_be_bound() {
    each(|db| {
        for (value, kind) in examples() {
            let mut sql = Sql::new();
            sql.raw("SELECT ").bind(&value, &kind);
            let read = db.read(|conn| written(conn, &sql, std::slice::from_ref(&kind)));
            assert_eq!(read.unwrap(), [[value.clone()]], "{value:?} as {kind:?}");
            let bound = |conn: &mut Conn| {
                // The same on both sides of a comparison, one bound and one written.
                let mut same = Sql::new();
                same.raw("SELECT CASE WHEN ").bind(&value, &kind).raw(" = ");
                same.raw(Box::leak({
                    let mut literal = Sql::new();
                    literal.bind(&value, &kind);
                    literal.ddl(conn.dialect()).into_boxed_str()
                }));
                same.raw(" THEN 'same' ELSE 'other' END");
                fetch(conn, &same, &params(), &[Kind::Text])
            };
            let expected = if value == Value::Empty { "other" } else { "same" };
            assert_eq!(db.read(bound).unwrap(), [[Value::text(expected)]], "{value:?} as {kind:?}");
        }
    });
}

#[test]
fn a_value_that_cannot_be_written_makes_a_statement_that_cannot_be_read() {
    each(|db| {
        for (value, kind) in [
            (Value::text("a\0b"), Kind::Text),
            (Value::text("x"), Kind::INTEGER),
            (Value::Integer(i64::MAX), MONEY),
            (Value::Boolean(true), Kind::Date),
        ] {
            let mut sql = Sql::new();
            sql.raw("SELECT ").bind(&value, &kind);
            assert!(db.read(|conn| written(conn, &sql, std::slice::from_ref(&kind))).is_err(), "{value:?} as {kind:?}");
        }
    });
}

#[test]
fn the_runs_values_are_what_the_connection_says_and_empty_when_it_says_nothing() {
    each(|db| {
        let mut sql = Sql::new();
        sql.raw("SELECT ").param(Param::User).raw(", ").param(Param::Now).raw(", ").param(Param::Today);
        let kinds = [Kind::Object(QName::parse("a.B").unwrap()), Kind::DateTime, Kind::Date];
        assert_eq!(db.read(|conn| written(conn, &sql, &kinds)).unwrap(), [vec![Value::Empty; 3]]);
        let mut quoted = Sql::new();
        quoted.raw("SELECT 1 AS ").ident("we\"ird`name'").raw(" LIMIT ").int(1);
        assert_eq!(db.read(|conn| written(conn, &quoted, &[Kind::INTEGER])).unwrap(), [[Value::Integer(1)]]);
    });
}
