//! The evaluator, SQLite and PostgreSQL read every expression alike.

use super::fixture::{App, Known, Person, hr, model_of, now, numbers, values};
use crate::access::{Authority, Objects};
use crate::db::sql::{Sql, fetch};
use crate::db::{Db, DbError, testing};
use crate::domain::{Kind, Name, ObjectId, Value, parse_value};
use crate::expr::{Environment, Scope, Typed, check, evaluate, sql_gap};
use crate::store::lower::Lower;
use crate::store::{Caller, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A small generator of expressions and data: the same seed gives the same.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len() as u64) as usize]
    }

    fn employee(&mut self, deep: u32) -> String {
        match self.roll(if deep == 0 { 1 } else { 6 }) {
            0..=2 => "this".into(),
            3 => format!("{}.boss", self.employee(deep - 1)),
            4 => format!("{}.head", self.department(deep - 1)),
            _ => "user.employee".into(),
        }
    }
    fn department(&mut self, deep: u32) -> String {
        match self.roll(if deep == 0 { 1 } else { 4 }) {
            0..=1 => "this.department".into(),
            2 => format!("{}.parent", self.department(deep - 1)),
            _ => format!("{}.department", self.employee(deep - 1)),
        }
    }
    fn text(&mut self, deep: u32) -> String {
        if deep == 0 {
            return self
                .pick(&["this.name", "this.nick", "this.notes", "'ab'", "'Ä b'", "' '", "'%'", "'a_'", "this.department.name"])
                .into();
        }
        let d = deep - 1;
        match self.roll(11) {
            0 => format!("lower({})", self.text(d)),
            1 => format!("upper({})", self.text(d)),
            2 => format!("trim({})", self.text(d)),
            3 => format!("substring({}, {}, {})", self.text(d), 1 + self.roll(3), self.roll(4)),
            4 => format!("({} + {})", self.text(d), self.text(d)),
            5 => format!("if({}, {}, {})", self.condition(d), self.text(d), self.text(d)),
            6 => format!("{}.{}", self.employee(d), self.pick(&["name", "nick", "label"])),
            7 => format!("{}.name", self.department(d)),
            8 => format!("({} + this.status)", self.text(d)),
            9 => format!("if({}, {}, empty)", self.condition(d), self.text(d)),
            _ => self.text(0),
        }
    }
    fn number(&mut self, deep: u32) -> String {
        if deep == 0 {
            let all = [
                "this.age",
                "this.salary",
                "this.factor",
                "3",
                "2.50",
                "-0.125",
                "0",
                "1.0000",
                "this.department.budget",
                "this.big",
                "this.price",
                "this.pay",
                "this.product",
                "this.square",
                "this.tenths",
                "this.hundreds",
                "this.chained",
            ];
            return self.pick(&all).into();
        }
        let d = deep - 1;
        match self.roll(18) {
            14 => format!("({} * {})", self.number(d), self.number(d)),
            15 | 16 => format!("round({}, {})", self.number(d), self.pick(&["0", "1", "2", "5", "-1", "-3"])),
            17 => format!("({} * {} - {})", self.number(0), self.number(0), self.number(0)),
            0 => format!("({} + {})", self.number(d), self.number(d)),
            1 => format!("({} - {})", self.number(d), self.number(d)),
            2 => format!("({} * {})", self.number(0), self.pick(&["2", "1.5", "this.factor", "-3"])),
            3 => format!("abs({})", self.number(d)),
            4 => format!("min({}, {})", self.number(d), self.number(d)),
            5 => format!("max({}, {})", self.number(d), self.number(d)),
            6 => format!("length({})", self.text(d)),
            7 => format!("daysBetween({}, {})", self.date(d), self.date(d)),
            8 => format!("{}({})", self.pick(&["year", "month", "day", "weekday"]), self.date(d)),
            9 => format!("count({})", self.list(d)),
            10 => {
                let (how, list) = (self.pick(&["sum", "min", "max"]), self.list(d));
                let of = self.pick(if list.contains("skills") {
                    &["level"]
                } else {
                    &["salary", "age", "factor", "yearly", "big", "price", "pay", "product", "square", "tenths", "chained"]
                });
                format!("{how}({list}.{of})")
            }
            11 => format!("if({}, {}, {})", self.condition(d), self.number(d), self.number(d)),
            12 => format!("{}.{}", self.employee(d), self.pick(&["age", "salary", "factor", "yearly", "product", "hundreds"])),
            _ => format!("{}.{}", self.department(d), self.pick(&["budget", "rate"])),
        }
    }
    fn date(&mut self, deep: u32) -> String {
        if deep == 0 {
            return self.pick(&["this.born", "this.left", "today()", "date('2024-02-29')", "date('0001-01-01')"]).into();
        }
        let d = deep - 1;
        match self.roll(7) {
            0 => format!(
                "addDays({}, {})",
                self.date(d),
                self.pick(&["1", "-40", "this.age", "9000000", "-9000000", "400000000000", "this.square", "this.hundreds"])
            ),
            1 => format!("startOfMonth({})", self.date(d)),
            2 => format!("startOfYear({})", self.date(d)),
            3 => format!("date({})", self.moment(d)),
            4 => format!("if({}, {}, {})", self.condition(d), self.date(d), self.date(d)),
            5 => format!("{}({}.born)", self.pick(&["min", "max"]), self.people(d)),
            _ => format!("{}.born", self.employee(d)),
        }
    }
    fn moment(&mut self, deep: u32) -> String {
        match self.roll(if deep == 0 { 2 } else { 4 }) {
            0 => "this.seen".into(),
            1 => "now()".into(),
            2 => format!("addDays({}, {})", self.moment(deep - 1), self.pick(&["1", "-400", "this.age", "-9000000"])),
            _ => format!("{}.seen", self.employee(deep - 1)),
        }
    }
    fn people(&mut self, deep: u32) -> String {
        let list = match self.roll(3) {
            0 => format!("{}.employees", self.department(deep.min(1))),
            1 => format!("{}.team", self.employee(deep.min(1))),
            _ => "this.department.children[item.open].parent.employees".into(),
        };
        let list = if list.contains("children") { "this.team".to_owned() } else { list };
        match self.roll(3) {
            0 => format!("{list}[item.age > 20]"),
            1 => format!("{list}[item.department == this.department && item.name != 'ab']"),
            _ => list,
        }
    }
    fn list(&mut self, deep: u32) -> String {
        match self.roll(3) {
            0 => format!("{}.skills", self.employee(deep.min(1))),
            1 => format!("{}.skills[item.level >= this.age]", self.employee(deep.min(1))),
            _ => self.people(deep),
        }
    }
    pub fn condition(&mut self, deep: u32) -> String {
        if deep == 0 {
            return self
                .pick(&["this.active", "true", "this.age > 20", "this.department.open", "this.nick == empty", "role('Boss')"])
                .into();
        }
        let d = deep - 1;
        let op = self.pick(&["==", "!=", "<", "<=", ">", ">="]);
        let same = self.pick(&["==", "!="]);
        match self.roll(22) {
            0 => format!("!({})", self.condition(d)),
            1 => format!("({} && {})", self.condition(d), self.condition(d)),
            2 => format!("({} || {})", self.condition(d), self.condition(d)),
            3 | 4 => format!("{} {op} {}", self.number(d), self.number(d)),
            5 => format!("{} {op} {}", self.text(d), self.text(d)),
            6 => format!("{} {op} {}", self.date(d), self.date(d)),
            7 => format!("{} {op} {}", self.moment(d), self.moment(d)),
            8 => format!("({}) {same} ({})", self.condition(d), self.condition(d)),
            9 => format!("{} {same} {}", self.department(d), self.department(d)),
            10 => format!("{} {same} {}", self.employee(d), self.employee(d)),
            11 => format!("{}.status {same} 'Active'", self.employee(d)),
            12 => {
                let of = match self.roll(5) {
                    0 => self.text(d),
                    1 => self.number(d),
                    2 => self.date(d),
                    3 => self.department(d),
                    _ => self.employee(d),
                };
                format!("{of} {same} empty")
            }
            13 => format!("{} in ['ab', 'Ä b', 'x']", self.text(d)),
            14 => format!("{} in [1, 2.5, 30]", self.number(d)),
            15 => format!("{} in {}", self.employee(d), self.people(d)),
            16 => format!(
                "within({}, {})",
                self.department(d),
                self.pick(&["user.employee.headOf", "this.department", "user.employee.department", "this.boss.headOf"])
            ),
            17 => format!("exists({})", self.list(d)),
            18 => format!("{}({}, {})", self.pick(&["contains", "startsWith", "endsWith"]), self.text(d), self.text(d)),
            19 => format!("if({}, {}, {})", self.condition(d), self.condition(d), self.condition(d)),
            20 => format!("{}.{}", self.employee(d), self.pick(&["active", "department.open"])),
            _ => self
                .pick(&[
                    "role('Employee')",
                    "signedIn()",
                    "this.account == user",
                    "user.name == 'u1@x.example'",
                    "$Limit < this.age",
                    "this.department == $Place",
                ])
                .into(),
        }
    }
}

fn expect<T, E: std::fmt::Debug>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error:?}"))
}

/// Fills the tables; the objects come in the same order on both databases.
pub fn populate(app: &App<'_>, seed: u64) -> (Vec<ObjectId>, Vec<ObjectId>, Person) {
    app.db
        .write(|conn| {
            conn.batch(
                "DELETE FROM hr_note; DELETE FROM hr_employee__skills; DELETE FROM hr_skill; \
                 UPDATE hr_department SET head_id = NULL, parent_id = NULL; UPDATE hr_employee SET boss_id = NULL; \
                 DELETE FROM hr_employee; DELETE FROM hr_department; DELETE FROM account;",
            )
        })
        .unwrap();
    let dice = &mut Dice(seed);
    let accounts = [app.account("u1@x.example"), app.account("u2@x.example")];
    let admin = app.admin();
    let maybe = |dice: &mut Dice, kind: &Kind, all: &[&str]| parse_value(kind, dice.pick(all)).unwrap();
    let texts = ["", "ab", "AB", "Ä b", "äß", " a ", "a%b_", "x", "日本"];
    let mut made = (Vec::new(), Vec::new(), Vec::new());
    let whole = |scale| Kind::Number(crate::domain::Number { digits: 18, scale });
    let written = app.act(&admin, |store, grants| {
        let grants: &dyn Authority = grants;
        // What is missing in PostgreSQL is made, and then all of this runs again.
        (*dice, made) = (Dice(seed), Default::default());
        for level in ["", "1", "40"] {
            let all = values([("name", Value::text("s")), ("level", maybe(dice, &whole(0), &[level]))]);
            made.2.push(store.create(&grants.create(&hr("Skill"), all.keys())?, &all)?);
        }
        for n in 0..4 {
            let all = values([
                ("name", maybe(dice, &Kind::Text, &texts[1..])),
                ("budget", maybe(dice, &whole(2), &["", "0", "2.5", "100.01", "-7"])),
                ("rate", maybe(dice, &whole(4), &["", "0.0001", "2.5", "1"])),
                ("open", Value::Boolean(dice.roll(2) == 0)),
                ("parent", if n > 0 && dice.roll(3) > 0 { Value::Object(made.0[dice.roll(n) as usize]) } else { Value::Empty }),
            ]);
            made.0.push(store.create(&grants.create(&hr("Department"), all.keys())?, &all)?);
        }
        for n in 0..7 {
            let pick = |dice: &mut Dice, of: &[ObjectId]| match dice.roll(of.len() as u64 + 1) {
                0 => Value::Empty,
                at => Value::Object(of[at as usize - 1]),
            };
            let numbers = app.model.entity(&hr("Employee")).unwrap().has_member("big").then(|| {
                let bigs = ["", "0", "-7", "1000000000", "999999999999999", "-999999999999999"];
                let prices = ["", "0.00000001", "2.5", "-0.005", "9999999999.99999999", "-9999999999.99999999"];
                [("big", maybe(dice, &whole(0), &bigs)), ("price", maybe(dice, &whole(8), &prices))]
            });
            let skills = made.2.iter().filter(|_| dice.roll(2) == 0).copied().collect();
            let mut all = values([
                ("name", maybe(dice, &Kind::Text, &texts[1..])),
                ("nick", maybe(dice, &Kind::Text, &texts)),
                ("notes", maybe(dice, &Kind::Text, &texts)),
                ("age", maybe(dice, &whole(0), &["", "0", "1", "20", "30", "150"])),
                ("salary", maybe(dice, &whole(2), &["", "0", "2.5", "-3.25", "99999999.99"])),
                ("factor", maybe(dice, &whole(3), &["", "0.001", "2.5", "-1.5"])),
                ("born", maybe(dice, &Kind::Date, &["", "0001-01-01", "1999-12-31", "2024-02-29", "2026-03-01"])),
                ("left", maybe(dice, &Kind::Date, &["", "9999-12-31", "2026-03-02"])),
                (
                    "seen",
                    maybe(
                        dice,
                        &Kind::DateTime,
                        &["", "2026-03-01T12:30:00.005Z", "1970-01-01T00:00:00.999Z", "0001-01-01T23:59:59.999Z"],
                    ),
                ),
                ("status", maybe(dice, &Kind::Text, &["", "Active", "Gone"])),
                ("active", Value::Boolean(dice.roll(2) == 0)),
                ("department", pick(dice, &made.0)),
                ("boss", pick(dice, &made.1)),
                ("account", accounts.get(n).map_or(Value::Empty, |id| Value::Object(*id))),
                ("main", pick(dice, &made.2)),
                ("skills", Value::List(skills)),
            ]);
            all.extend(numbers.map(values).unwrap_or_default());
            made.1.push(store.create(&grants.create(&hr("Employee"), all.keys())?, &all)?);
        }
        for department in &made.0 {
            if dice.roll(3) > 0 {
                let all = values([("head", Value::Object(made.1[dice.roll(3) as usize]))]);
                store.change(&grants.change(&hr("Department"), all.keys())?, *department, None, &all)?;
            }
        }
        Ok(())
    });
    expect(written, "the data");
    // A circle in the tree must hang neither reading. No write closes one, so it comes from elsewhere.
    if dice.roll(4) == 0 {
        let sql = format!("UPDATE hr_department SET parent_id = {} WHERE id = {}", made.0[3].0, made.0[0].0);
        app.db.owner(|conn| conn.batch(&sql)).unwrap();
    }
    (made.0, made.1, app.person("Employee", Some(accounts[0])))
}

/// What the evaluator and the database say of each employee.
fn readings(app: &App<'_>, who: &Person, e: &Typed, places: &[ObjectId], text: &str) -> Vec<(Value, Value)> {
    let variables = BTreeMap::from([(Name::new("Limit"), Value::Integer(19)), (Name::new("Place"), Value::Object(places[1]))]);
    let rights = who.grants.rights().clone();
    let lower = Lower::new(&app.statements.tables, &rights, &variables);
    let mut sql = Sql::new();
    sql.raw("SELECT t.id, ").append(&expect(lower.value_at(e, "t"), text)).raw(" FROM hr_employee AS t ORDER BY t.id");
    let admitted = (e.kind == Kind::Boolean).then(|| {
        let mut sql = Sql::new();
        sql.raw("SELECT t.id FROM hr_employee AS t WHERE ").append(&lower.condition_at(e, "t").unwrap().sql());
        sql
    });
    let read = app.db.read(|conn| {
        let mut store = Store::new(conn, &app.statements, Caller { user: who.id, now: now() }, &app.recorder);
        let params = store.params.clone();
        let kinds = [Kind::Object(hr("Employee")), e.kind.clone()];
        let told = format!("{text}\n{}", sql.text(store.conn().dialect()));
        let rows = expect(fetch(store.conn(), &sql, &params, &kinds), &told);
        let rows_where = admitted.as_ref().map(|sql| expect(fetch(store.conn(), sql, &params, &kinds[..1]), text));
        let mut out = Vec::new();
        for row in rows {
            let this = row[0].as_object();
            let environment = Environment { this, user: who.id, roles: &rights.roles, now: now(), variables: &variables };
            let evaluated = expect(evaluate(e, &environment, &mut store.system_data()), text);
            if let Some(admitted) = &rows_where {
                let there = admitted.iter().any(|r| r[0] == row[0]);
                assert_eq!(there, evaluated.holds(), "{told}\nadmits row {:?}", row[0]);
            }
            out.push((evaluated, row[1].clone()));
        }
        Ok::<_, DbError>(out)
    });
    read.unwrap()
}

fn plain(value: &Value) -> Value {
    match value.as_decimal() {
        Some(number) => Value::Decimal(number.normalize()),
        None => value.clone(),
    }
}

/// Expressions of one seed over data of the same seed, on one database.
fn agree_on(app: &App<'_>, seed: u64) -> Vec<Vec<Value>> {
    let (departments, _, who) = populate(app, seed);
    let known = Known(app.model.clone());
    let mut scope = Scope::new(&known, Name::new("hr")).with_this(&hr("Employee"));
    scope.variables.insert(Name::new("Limit"), Kind::INTEGER);
    scope.variables.insert(Name::new("Place"), Kind::Object(hr("Department")));
    let mut dice = Dice(seed ^ 0x5555);
    let mut all = Vec::new();
    for _ in 0..60 {
        let deep = 1 + dice.roll(3) as u32;
        let text = match dice.roll(8) {
            0 => dice.text(deep),
            1 => dice.number(deep),
            2 => dice.date(deep),
            3 => dice.moment(deep),
            _ => dice.condition(deep),
        };
        let Ok(typed) = check(&text, &scope, None) else { continue };
        if typed.kind == Kind::Empty || sql_gap(&typed).is_some() {
            continue;
        }
        let read = readings(app, &who, &typed, &departments, &text);
        for (at, (evaluated, stored)) in read.iter().enumerate() {
            assert_eq!(plain(evaluated), plain(stored), "{text}\nrow {at} (evaluator, database)");
        }
        all.push(read.iter().map(|(value, _)| plain(value)).collect());
    }
    all
}

fn property(db: &Db, cases: u32, results: &mut BTreeMap<u64, Vec<Vec<Value>>>) {
    let app = App::of(db, model_of(&numbers()));
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let (results, beyond) = (std::cell::RefCell::new(results), std::cell::Cell::new(0));
    runner
        .run(&any::<u64>(), |seed| {
            let read = agree_on(&app, seed);
            prop_assert!(read.len() > 10, "too few expressions were sound");
            beyond.set(beyond.get() + read.iter().flatten().filter(|value| **value == Value::Uncomputable).count());
            let mut results = results.borrow_mut();
            if let Some(other) = results.get(&seed) {
                prop_assert_eq!(other, &read);
            }
            results.insert(seed, read);
            Ok(())
        })
        .unwrap();
    assert!(beyond.get() > cases as usize, "some numbers should be beyond what can be computed: {}", beyond.get());
}

#[test]
fn the_evaluator_and_both_databases_agree_on_every_expression() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24);
    let mut results = BTreeMap::new();
    testing::sqlite(|db| property(db, cases, &mut results));
    testing::postgres(|db| property(db, cases, &mut results));
}

#[test]
fn a_long_product_is_computed_once_at_each_step() {
    testing::each(|db| {
        let app = App::of(db, model_of(&numbers()));
        let (departments, _, who) = populate(&app, 3);
        let known = Known(app.model.clone());
        let scope = Scope::new(&known, Name::new("hr")).with_this(&hr("Employee"));
        // Written out in full at each place that names it, it would have some 3^24 parts.
        let text = vec!["this.age"; 24].join(" * ");
        let typed = check(&text, &scope, None).unwrap();
        let read = readings(&app, &who, &typed, &departments, &text);
        assert!(read.iter().any(|(value, _)| *value == Value::Uncomputable), "{read:?}");
        read.iter().for_each(|(evaluated, stored)| assert_eq!(plain(evaluated), plain(stored)));
    });
}
