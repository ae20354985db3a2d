//! Dynamic statements, on both databases.

use super::*;
use crate::db::testing::{each, postgres};
use crate::db::{Conn, Db, DbError};
use crate::domain::{Decimal, Number, QName, parse_value};
use proptest::test_runner::{Config, TestRunner};

const MONEY: Kind = Kind::Number(Number { digits: 18, scale: 2 });
const FINE: Kind = Kind::Number(Number { digits: 18, scale: 9 });

fn kinds() -> Vec<Kind> {
    let name = |text| QName::parse(text).unwrap();
    vec![
        Kind::Text,
        Kind::INTEGER,
        MONEY,
        FINE,
        Kind::Boolean,
        Kind::Date,
        Kind::DateTime,
        Kind::Enumeration(name("a.Colour")),
        Kind::Object(name("a.Thing")),
    ]
}

fn params() -> Params {
    let now = chrono::DateTime::from_timestamp_millis(1_772_366_400_007).unwrap().naive_utc();
    Params::new(Some(ObjectId(7)), now, now.date())
}

fn create(conn: &mut Conn) -> Result<(), DbError> {
    let mut sql = Sql::new();
    sql.raw("CREATE TABLE ").ident("odd \"name; DROP TABLE x").raw_by(
        "(id INTEGER PRIMARY KEY, c0 TEXT, c1 INTEGER, c2 INTEGER, c3 INTEGER, c4 INTEGER, c5 TEXT, c6 TEXT, c7 TEXT, c8 INTEGER) STRICT",
        "(id BIGINT PRIMARY KEY, c0 TEXT COLLATE \"C\", c1 BIGINT, c2 NUMERIC(18,2), c3 NUMERIC(18,9), c4 BOOLEAN, c5 DATE, \
         c6 TIMESTAMP(3), c7 TEXT COLLATE \"C\", c8 BIGINT)",
    );
    execute(conn, &sql, &params()).map(drop)
}

fn insert(id: i64, values: &[Value]) -> Sql {
    let mut sql = Sql::new();
    sql.raw("INSERT INTO ").ident("odd \"name; DROP TABLE x").raw(" VALUES (").bind(&Value::Integer(id), &Kind::INTEGER);
    for (value, kind) in values.iter().zip(kinds()) {
        sql.raw(", ").bind(value, &kind);
    }
    sql.raw(")");
    sql
}

fn select_where(condition: &Sql) -> Sql {
    let mut sql = Sql::new();
    sql.raw("SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8 FROM ").ident("odd \"name; DROP TABLE x").raw(" WHERE ");
    sql.append(condition).raw(" ORDER BY id LIMIT ").int(50);
    sql
}

fn everything() -> Sql {
    let mut all = Sql::new();
    all.raw("1 = 1");
    all
}

fn example() -> Vec<Value> {
    [
        "it's \"quoted\" ✓",
        "-999999999999999",
        "1234567890123456.78",
        "-0.000000001",
        "true",
        "0001-01-01",
        "9999-12-31T23:59:59.999Z",
        "red",
        "#9223372036854775807",
    ]
    .iter()
    .zip(kinds())
    .map(|(text, kind)| parse_value(&kind, text).unwrap())
    .collect()
}

fn with_table(test: impl Fn(&Db)) {
    each(|db| {
        db.owner(create).unwrap();
        test(db);
    });
}

#[test]
fn every_kind_of_value_comes_back_exactly_and_so_does_none() {
    with_table(|db| {
        let empty = vec![Value::Empty; kinds().len()];
        db.write(|conn| {
            assert_eq!(execute(conn, &insert(1, &example()), &params())?, 1);
            execute(conn, &insert(2, &empty), &params())
        })
        .unwrap();
        let rows = db.read(|conn| fetch(conn, &select_where(&everything()), &params(), &kinds())).unwrap();
        assert_eq!(rows, [example(), empty]);
    });
}

#[test]
fn each_value_is_found_by_itself_and_by_no_other() {
    with_table(|db| {
        db.write(|conn| execute(conn, &insert(1, &example()), &params())).unwrap();
        let columns = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];
        for ((column, value), kind) in columns.into_iter().zip(example()).zip(kinds()) {
            for (operator, count) in [(" = ", 1), (" <> ", 0), (" IS NOT DISTINCT FROM ", 1)] {
                let mut condition = Sql::new();
                condition.ident(column).raw(operator).bind(&value, &kind);
                let found = db.read(|conn| fetch(conn, &select_where(&condition), &params(), &kinds())).unwrap();
                assert_eq!(found.len(), count, "{column}{operator}");
            }
        }
    });
}

#[test]
fn hostile_text_stays_a_value() {
    with_table(|db| {
        for (id, text) in ["'; DROP TABLE account; --", "\\", "$1", "?", "%_", "\u{202e}abc", "🦀"].into_iter().enumerate() {
            let mut row = example();
            row[0] = Value::text(text);
            let mut condition = Sql::new();
            condition.raw("c0 = ").bind(&Value::text(text), &Kind::Text);
            db.write(|conn| execute(conn, &insert(id as i64, &row), &params())).unwrap();
            let found = db.read(|conn| fetch(conn, &select_where(&condition), &params(), &kinds())).unwrap();
            assert_eq!(found, [row]);
        }
    });
}

#[test]
fn params_are_filled_in_when_the_statement_runs() {
    each(|db| {
        let mut sql = Sql::new();
        let by = |sql: &mut Sql, param, cast| sql.raw("CAST(").param(param).raw_by(" AS ANY)", cast).is_empty();
        let (user, now, today) = (" AS BIGINT)", " AS TIMESTAMP)", " AS DATE)");
        sql.raw("SELECT ");
        for (at, (param, cast)) in [(Param::User, user), (Param::Now, now), (Param::Today, today)].into_iter().enumerate() {
            if at > 0 {
                sql.raw(", ");
            }
            if db.dialect() == Dialect::Sqlite {
                sql.param(param);
            } else {
                by(&mut sql, param, cast);
            }
        }
        let kinds = [Kind::INTEGER, Kind::DateTime, Kind::Date];
        let row = db.read(|conn| fetch(conn, &sql, &params(), &kinds)).unwrap().pop().unwrap();
        let texts: Vec<String> = row.iter().map(Value::canonical).collect();
        assert_eq!(texts, ["7", "2026-03-01T12:00:00.007Z", "2026-03-01"]);
        let visitor = Params { user: Bound::BigInt(None), ..params() };
        let row = db.read(|conn| fetch(conn, &sql, &visitor, &kinds)).unwrap().pop().unwrap();
        assert_eq!(row[0], Value::Empty);
    });
}

#[test]
fn a_statement_is_prepared_once_whatever_its_values_are() {
    with_table(|db| {
        let ask = |conn: &mut Conn, text: &str, list: bool| {
            let mut condition = Sql::new();
            condition.raw("c0 = ").bind(&Value::text(text), &Kind::Text);
            if list {
                condition.uncacheable();
            }
            fetch(conn, &select_where(&condition), &params(), &kinds()).map(drop)
        };
        // One connection: another of the pool would prepare its own.
        let asked = db.read(|conn| {
            ask(conn, "first", false)?;
            let prepared = db.prepared();
            (0..20).try_for_each(|n| ask(conn, &n.to_string(), false))?;
            assert_eq!(db.prepared(), prepared);
            (0..3).try_for_each(|_| ask(conn, "x", true))?;
            assert_eq!(db.prepared(), prepared, "an uncacheable statement is not kept");
            Ok::<_, DbError>(())
        });
        asked.unwrap();
        let prepared = db.prepared();
        db.bump_generation();
        db.read(|conn| ask(conn, "again", false)).unwrap();
        assert!(db.prepared() > prepared, "connections of before a schema change are not used again");
    });
}

#[test]
fn a_column_that_changed_its_type_is_an_error_until_the_generation_changes_and_then_works() {
    postgres(|db| {
        db.owner(create).unwrap();
        db.write(|conn| execute(conn, &insert(1, &example()), &params())).unwrap();
        let read = || db.read(|conn| fetch(conn, &select_where(&everything()), &params(), &kinds()));
        read().unwrap();
        db.owner(|conn| conn.batch("ALTER TABLE \"odd \"\"name; DROP TABLE x\" ALTER c0 TYPE VARCHAR(300)")).unwrap();
        db.bump_generation();
        assert_eq!(read().unwrap(), [example()]);
    });
}

#[test]
fn a_value_that_does_not_fit_its_kind_runs_nothing() {
    with_table(|db| {
        let number = |text: &str| Value::Decimal(text.parse::<Decimal>().unwrap());
        let wrong = [
            (Value::text("x"), Kind::INTEGER),
            (Value::Integer(1), Kind::Text),
            (number("0.001"), MONEY),
            (number("0.5"), Kind::INTEGER),
            (Value::Integer(i64::MAX), MONEY),
            (number("92233720368547758.08"), MONEY),
            (Value::List(vec![ObjectId(1)]), Kind::Object(QName::parse("a.B").unwrap())),
            (Value::Boolean(true), Kind::Date),
        ];
        for (value, kind) in wrong {
            let mut sql = Sql::new();
            sql.raw("SELECT ").bind(&value, &kind);
            let before = db.statements();
            let result = db.write(|conn| execute(conn, &sql, &params()));
            assert!(result.is_err(), "{value:?} as {kind:?}");
            assert!(db.statements() - before <= 3);
        }
        assert!(matches!(
            Bound::new(&number("2.50"), &Kind::Number(Number { digits: 5, scale: 1 })),
            Bound::Numeric(Some((25, _)))
        ));
    });
}

#[test]
fn a_column_that_holds_something_else_than_its_kind_is_an_error_and_never_a_guess() {
    each(|db| {
        for (text, kind) in
            [("1.5", &MONEY), ("'x'", &Kind::INTEGER), ("1", &Kind::Text), ("'2026-13-01'", &Kind::Date), ("1", &Kind::DateTime)]
        {
            let mut sql = Sql::new();
            let literal: &'static str = Box::leak(format!("SELECT {text}").into_boxed_str());
            sql.raw(literal);
            let read = db.read(|conn| fetch(conn, &sql, &params(), std::slice::from_ref(kind)));
            match (text, &read) {
                ("1.5", Ok(rows)) => assert_eq!(rows[0][0].canonical(), "1.50", "PostgreSQL's literal is exact"),
                _ => assert!(read.is_err(), "{text} as {kind:?}: {read:?}"),
            }
        }
    });
}

#[test]
fn a_row_of_another_width_is_an_error() {
    each(|db| {
        let mut sql = Sql::new();
        sql.raw("SELECT 1, 2");
        for kinds in [&[Kind::INTEGER][..], &[Kind::INTEGER, Kind::INTEGER, Kind::INTEGER][..]] {
            assert!(db.read(|conn| fetch(conn, &sql, &params(), kinds)).is_err());
        }
    });
}

#[test]
fn the_text_of_a_statement_is_the_dialects_own() {
    let mut condition = Sql::new();
    condition
        .ident("salary")
        .raw(" < ")
        .bind(&Value::Integer(5), &MONEY)
        .raw(" AND ")
        .ident("owner")
        .raw(" = ")
        .param(Param::User);
    let mut sql = Sql::new();
    sql.raw("SELECT ").ident("we\"ird").raw(" FROM ").ident("t").raw(" WHERE ").append(&condition).raw(" LIMIT ").int(20);
    assert_eq!(sql.text(Dialect::Sqlite), "SELECT `we\"ird` FROM `t` WHERE `salary` < ? AND `owner` = ? LIMIT 20");
    assert_eq!(sql.text(Dialect::Postgres), "SELECT \"we\"\"ird\" FROM \"t\" WHERE \"salary\" < $1 AND \"owner\" = $2 LIMIT 20");
}

/// Order and sums of decimals are exact in the database, as they are in memory.
#[test]
fn decimals_sort_and_add_up_exactly() {
    let most = 10_i64.pow(18) / 40;
    each(|db| {
        let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
        let cents = proptest::collection::vec(-most..most, 1..30);
        let exact = runner.run(&cents, |cents| {
            decimals(db, &cents);
            Ok(())
        });
        exact.unwrap();
    });
}

fn decimals(db: &Db, cents: &[i64]) {
    let mut values: Vec<Value> = cents.iter().map(|cent| Value::Decimal(Decimal::new(*cent, 2))).collect();
    let mut drop_table = Sql::new();
    drop_table.raw("DROP TABLE IF EXISTS ").ident("odd \"name; DROP TABLE x");
    db.owner(|conn| {
        execute(conn, &drop_table, &params())?;
        create(conn)?;
        for (id, value) in values.iter().enumerate() {
            let mut row = vec![Value::Empty; kinds().len()];
            row[2] = value.clone();
            execute(conn, &insert(id as i64, &row), &params())?;
        }
        Ok::<_, DbError>(())
    })
    .unwrap();
    let mut sorted = Sql::new();
    sorted.raw("SELECT c2 FROM ").ident("odd \"name; DROP TABLE x").raw(" ORDER BY c2, id");
    let mut sum = Sql::new();
    sum.raw("SELECT SUM(c2) FROM ").ident("odd \"name; DROP TABLE x");
    let read = |sql: &Sql| db.read(|conn| fetch(conn, sql, &params(), &[MONEY])).unwrap();
    values.sort_by_key(|value| value.as_decimal());
    assert_eq!(read(&sorted).into_iter().flatten().collect::<Vec<_>>(), values);
    let total: Decimal = values.iter().filter_map(Value::as_decimal).sum();
    assert_eq!(read(&sum)[0][0].as_decimal(), Some(total));
}
