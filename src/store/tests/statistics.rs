//! What the database knows of the sizes of tables, and how it plans without it.

use super::fixture::{App, Person, hr, now, path, values};
use crate::access::{Authority, Query};
use crate::db::Db;
use crate::db::sql::{Params, Sql, fetch};
use crate::db::testing::{self, each};
use crate::domain::{Kind, ObjectId, Value};
use crate::store::read;
use crate::store::{Bulk, Sizes, gather, gather_outgrown, outgrown};

/// Rows that came by themselves: people in a tree of departments, of whom the last is the reader.
fn crowd(app: &App<'_>, people: usize) -> Person {
    let account = app.account("reader@x.example");
    let every = |n: usize| ObjectId(i64::try_from(n).unwrap());
    app.db
        .write(|conn| {
            let mut bulk = Bulk::new(conn, &app.model, now()).unwrap();
            for n in 0..people / 7 + 1 {
                let parent = if n == 0 { Value::Empty } else { Value::Object(every(n / 3 + 1)) };
                let all = values([("name", Value::text(format!("d{n}"))), ("open", Value::Boolean(false)), ("parent", parent)]);
                bulk.insert(&hr("Department"), all)?;
            }
            for n in 0..people {
                let mine = if n + 1 == people { Value::Object(account) } else { Value::Empty };
                let place = Value::Object(every(n / 7 + 1));
                let all = values([
                    ("name", Value::text(format!("p{n}"))),
                    ("active", Value::Boolean(n % 2 == 0)),
                    ("department", place),
                    ("account", mine),
                ]);
                bulk.insert(&hr("Employee"), all)?;
            }
            bulk.refer(&hr("Department"), ObjectId(2), "head", &[every(people)])?;
            bulk.finish()
        })
        .unwrap();
    app.person("Boss", Some(account))
}

fn grown(db: &Db, app: &App<'_>, before: &Sizes) -> Vec<String> {
    let found = db.read(|conn| outgrown(conn, &app.statements, before)).unwrap();
    found.keys().map(ToString::to_string).collect()
}

#[test]
fn statistics_are_gathered_when_rows_came_by_themselves_and_again_when_tables_have_doubled() {
    each(|db| {
        let app = App::new(db);
        assert!(gather_outgrown(db, &app.statements).unwrap().is_empty(), "empty tables need none");
        crowd(&app, 600);
        assert_eq!(grown(db, &app, &Sizes::new()), ["hr_department", "hr_employee"]);
        let gathered = gather_outgrown(db, &app.statements).unwrap();
        assert_eq!(gathered.len(), 2);
        assert!(grown(db, &app, &Sizes::new()).is_empty(), "the database knows now");
        let rows = |text: &'static str| {
            let mut sql = Sql::new();
            sql.raw(text);
            let params = Params::new(None, now(), now().date());
            db.read(|conn| fetch(conn, &sql, &params, &[Kind::INTEGER])).unwrap()[0][0].clone()
        };
        let known = match db.dialect() {
            crate::db::Dialect::Sqlite => rows("SELECT max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = 'hr_employee'"),
            crate::db::Dialect::Postgres => rows("SELECT reltuples::bigint FROM pg_class WHERE relname = 'hr_employee'"),
        };
        assert!(matches!(known, Value::Integer(500..=700)), "{known:?}");
        // What was gathered here counts too, whatever the database believes.
        let far = Sizes::from([("hr_employee".into(), 1_000_000)]);
        assert!(grown(db, &app, &far).is_empty());
        gather(db, &app.statements, &Sizes::new()).unwrap();
    });
}

#[test]
fn rows_that_a_migration_made_known_need_no_second_look() {
    each(|db| {
        let app = App::new(db);
        crowd(&app, 300);
        let other = super::fixture::model_of(
            &super::fixture::DOMAIN
                .replace("nick: {type: string, length: 40}", "nick: {type: string, length: 60}\n      more: {type: date}"),
        );
        let statements = crate::store::Statements::new(&other).unwrap();
        crate::store::apply(db, &statements, &Default::default(), now()).unwrap();
        assert!(grown(db, &app, &Sizes::new()).is_empty(), "they were gathered with the change");
    });
}

/// How many rows PostgreSQL had in hand for a statement, those that it threw away among them.
fn work(plan: &[String]) -> f64 {
    let number = |line: &str, mark: &str| -> Option<f64> {
        let (_, rest) = line.split_once(mark)?;
        rest.chars().take_while(|sign| sign.is_ascii_digit() || *sign == '.').collect::<String>().parse().ok()
    };
    let (mut all, mut loops) = (0.0, 1.0);
    for line in plan {
        if let Some((_, actual)) = line.split_once("(actual ") {
            loops = number(actual, "loops=").unwrap_or(1.0);
            all += number(actual, "rows=").unwrap_or(0.0) * loops;
        }
        for mark in ["Rows Removed by Filter: ", "Rows Removed by Join Filter: "] {
            all += number(line, mark).unwrap_or(0.0) * loops;
        }
    }
    all
}

fn explained(app: &App<'_>, who: &Person, query: &Query) -> Vec<String> {
    app.view(who, query).unwrap();
    app.read(who, |store| {
        let rights = who.grants.rights().clone();
        let question = read::compose(store, &rights, query, &query.paths).unwrap();
        let mut sql = Sql::new();
        sql.raw("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) ").append(&question.sql);
        let rows = store.asked(&rights, &sql, &[Kind::Text]).unwrap();
        rows.into_iter().map(|row| row[0].canonical()).collect()
    })
}

#[test]
fn a_list_over_rows_that_the_database_knows_nothing_of_is_no_walk_over_every_pair() {
    testing::postgres(|db| {
        let app = App::new(db);
        let who = crowd(&app, 280);
        let mut query =
            Query::of(&hr("Employee"), ["name", "salary", "department.name", "boss.name", "account"].map(path).into());
        query.sort = vec![(path("name"), false)];
        let cold = explained(&app, &who, &query);
        gather_outgrown(db, &app.statements).unwrap();
        let warm = explained(&app, &who, &query);
        let (before, after) = (work(&cold), work(&warm));
        assert!(after > 100.0, "{warm:#?}");
        if std::env::var("PORTCULLIS_MEASURE").is_ok() {
            eprintln!("rows in hand: {before} without statistics, {after} with\n{cold:#?}\n{warm:#?}");
        }
        // Machine code for a deep statement takes longer than the statement, and a guess at its cost asks for it.
        assert!(!cold.iter().chain(&warm).any(|line| line.contains("JIT")), "{cold:#?}");
        let mut jit = Sql::new();
        jit.raw("SELECT current_setting('jit')");
        let params = Params::new(None, now(), now().date());
        let set = db.read(|conn| fetch(conn, &jit, &params, &[Kind::Text])).unwrap();
        assert_eq!(set[0][0], Value::text("off"));
        assert!(before < 280.0 * 280.0, "{before} rows in hand: {cold:#?}");
        assert!(after < 280.0 * 100.0, "{after} rows in hand: {warm:#?}");
    });
}
