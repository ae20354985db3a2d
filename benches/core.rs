//! What single steps of a request cost, over the bench app with 10,000 employees on SQLite.
//!
//! The app is the one of `benches/http`, which compares whole requests.

// A benchmark that cannot go on ends with a message, and nobody depends on it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use diesel::prelude::*;
use portcullis::access::{Grants, Objects, Query};
use portcullis::app::{App, Ask};
use portcullis::clock::Clock;
use portcullis::config::{Overrides, Settings};
use portcullis::crypto::Keys;
use portcullis::db::{Db, DbError, Wire};
use portcullis::domain::{Kind, Name, ObjectId, QName, Value};
use portcullis::expr::{self, Data, Environment, EvalError, MemberType, Schema, Scope};
use portcullis::gate::Client;
use portcullis::identity::Device;
use portcullis::log::Logs;
use portcullis::page::ClientQuery;
use portcullis::server::{self, Mode};
use portcullis::store::{Caller, Recorder, Statements, Store};
use portcullis::web::{Request, Web};
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::net::IpAddr;

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/http/app");
const RULE: &str =
    "this.department == user.employee.department && (this.status in ['Active', 'Leave'] || this.salary * 12 < 60000.00)";
/// 10,000 employees in fifty departments; employee 1 is the reader, and leads one in ten of the department.
const FILL: &str = "
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
    INSERT INTO staff_department (id, name) SELECT i, 'Department ' || i FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
    INSERT INTO staff_employee (id, number, first_name, last_name, email, job_title, status, joined, salary, department_id, manager_id, account_id)
    SELECT i, 10000 + i, 'First' || i % 16, 'Last-' || i * 7919 % 1000, 'p' || i || '@bench.example', 'Fitter', 'Active', '2020-01-' || (10 + i % 20),
        3000000 + i, (i - 1) % 50 + 1, CASE WHEN i / 50 % 10 = 3 THEN 1 ELSE 2 END,
        CASE WHEN i = 1 THEN (SELECT id FROM account WHERE email = 'emma@bench.example') END
    FROM n;";

fn name(text: &str) -> Name {
    Name::new(text)
}
fn staff(text: &str) -> QName {
    QName::new("staff", text)
}

/// One employee, as the checker and the evaluator ask.
struct One;

impl Schema for One {
    fn member(&self, entity: &QName, member: &str) -> Option<MemberType> {
        Some(match (entity.name.as_str(), member) {
            (_, "department") => MemberType::ToOne(staff("Department")),
            ("User", "employee") => MemberType::ToOne(staff("Employee")),
            (_, "status") => MemberType::Attribute(Kind::Enumeration(staff("Status")), None),
            (_, "salary") => MemberType::Attribute(Kind::Number(portcullis::domain::Number { digits: 12, scale: 2 }), None),
            _ => return None,
        })
    }
    fn members(&self, _: &QName) -> Vec<Name> {
        Vec::new()
    }
    fn enumeration(&self, _: &QName) -> Option<Vec<Name>> {
        Some(["Active", "Leave", "Left"].map(Name::new).into())
    }
    fn constant(&self, _: &QName) -> Option<(Kind, Value)> {
        None
    }
    fn user_roles(&self) -> Vec<Name> {
        Vec::new()
    }
    fn tree(&self, _: &QName) -> Option<Name> {
        None
    }
}

impl Data for One {
    fn member(&mut self, _: &QName, _: ObjectId, member: &Name) -> Result<Value, EvalError> {
        Ok(match member.as_str() {
            "salary" => Value::Decimal(portcullis::domain::Decimal::new(450_000, 2)),
            "status" => Value::text("Left"),
            _ => Value::Object(ObjectId(7)),
        })
    }
    fn many(&mut self, _: &QName, _: ObjectId, _: &Name) -> Result<Vec<ObjectId>, EvalError> {
        Ok(Vec::new())
    }
}

fn expressions(c: &mut Criterion) {
    let scope = Scope::new(&One, name("staff")).with_this(&staff("Employee"));
    let typed = expr::check_condition(RULE, &scope).unwrap_or_else(|fault| panic!("{fault:?}"));
    let (roles, variables, now) = (BTreeSet::new(), BTreeMap::new(), Clock::system().now());
    let environment = Environment { this: Some(ObjectId(1)), user: Some(ObjectId(2)), roles: &roles, now, variables: &variables };
    c.bench_function("expression: parse", |b| b.iter(|| expr::parse(black_box(RULE))));
    c.bench_function("expression: parse and check", |b| b.iter(|| expr::check_condition(black_box(RULE), &scope)));
    c.bench_function("expression: evaluate", |b| b.iter(|| expr::evaluate(black_box(&typed), &environment, &mut One)));
}

/// The server without its listening, filled, and a signed-in reader.
struct Desk {
    web: Web,
    session: String,
    account: ObjectId,
    _data: tempfile::TempDir,
}

impl Desk {
    fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let flags = Overrides { data: Some(data.path().into()), app: Some(APP.into()), ..Overrides::default() };
        let settings = Settings::load(&flags).unwrap();
        let web = server::assemble(settings, Mode::Demo, Clock::system(), Logs::detached()).unwrap();
        let app = &web.app;
        app.db.write(|conn| conn.batch(FILL)).unwrap();
        let users = &app.demo.as_ref().unwrap().users;
        let device = Device { address: IpAddr::from([127, 0, 0, 1]), agent: "bench", replaces: None };
        let proof = app.db.write(|conn| app.identity.sign_in_demo(conn, users, "emma", None));
        let session = app.identity.begin_session(&app.db, proof.unwrap_or_else(|error| panic!("{error}")), device);
        let session = session.unwrap_or_else(|error| panic!("{error}")).expose().to_owned();
        let found = app.db.read(|conn| app.identity.prove_session(conn, &session)).unwrap().unwrap();
        Self { account: ObjectId(found.user.id().0), session, web, _data: data }
    }

    fn app(&self) -> &App {
        &self.web.app
    }

    fn request(&self) -> Request {
        let ask = Ask {
            session: Some(self.session.clone()),
            visitor: None,
            address: IpAddr::from([127, 0, 0, 1]),
            agent: "bench".into(),
            request_id: "bench".into(),
            language: "en".into(),
            target: "/p/staff.People".into(),
            xray: false,
        };
        Request {
            ask,
            nonce: "nonce".into(),
            path: "/p/staff.People".into(),
            query: Vec::new(),
            form: Vec::new(),
            theme: "auto".into(),
            flash: None,
            came_from: None,
            packs: false,
            client: Client::network(IpAddr::from([127, 0, 0, 1])),
        }
    }
}

/// What each layer costs: all of them and all but one in turns, so that whatever else the machine
/// does falls on both (`--features knockout`). Tells the medians, and the median of the ratios.
#[cfg(feature = "knockout")]
fn in_turns(what: &str, act: impl Fn()) {
    use portcullis::domain::knockout::{Removable, remove};
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    // The median of twenty, so that an interruption does not count for either side.
    let timed = |without: &[Removable]| {
        remove(without);
        let one = |_| {
            let start = std::time::Instant::now();
            act();
            start.elapsed().as_secs_f64() * 1e6
        };
        let times = (0..20).map(one).collect();
        remove(&[]);
        median(times)
    };
    // As criterion does: an argument without a dash is a part of the name.
    let sought: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for layer in Removable::ALL {
        let named = format!("{what} without {}", layer.id());
        if !sought.iter().all(|part| named.contains(part)) {
            continue;
        }
        // Without entity access the layers differ and nothing is released, so it is compared where release is gone too.
        let (present, absent) = match layer {
            Removable::EntityAccess => (vec![Removable::Release], vec![Removable::Release, layer]),
            _ => (vec![], vec![layer]),
        };
        let pair = |n: usize| {
            // Which goes first changes, too.
            let first = if n.is_multiple_of(2) { None } else { Some(timed(&present)) };
            let without = timed(&absent);
            (first.unwrap_or_else(|| timed(&present)), without)
        };
        let all: Vec<(f64, f64)> = (0..400).map(pair).collect();
        let with = median(all.iter().map(|(with, _)| *with).collect());
        let without = median(all.iter().map(|(_, without)| *without).collect());
        let ratio = median(all.iter().map(|(with, without)| with / without).collect());
        println!("{what}: {with:.1} µs, without {} {without:.1} µs, ratio {ratio:.3}", layer.id());
    }
}

#[cfg(not(feature = "knockout"))]
fn in_turns(_: &str, _: impl Fn()) {}

fn list() -> Query {
    let members = ["number", "firstName", "lastName", "jobTitle", "joined", "salary"];
    let mut query = Query::of(&staff("Employee"), members.map(|member| vec![name(member)]).into());
    query.sort = vec![(vec![name("lastName")], false)];
    query.limit = 20;
    query
}

diesel::table! {
    staff_employee (id) {
        id -> BigInt,
        version -> BigInt,
        number -> Nullable<BigInt>,
        first_name -> Text,
        last_name -> Text,
        job_title -> Nullable<Text>,
        joined -> Nullable<Text>,
        salary -> Nullable<BigInt>,
        department_id -> Nullable<BigInt>,
    }
}

type Found = (i64, i64, Option<i64>, String, String, Option<String>, Option<String>, Option<i64>);

/// The same rows by hand, without any rule.
fn by_hand(db: &Db) -> Result<Vec<Found>, DbError> {
    use staff_employee::dsl;
    db.read(|conn| {
        let Wire::Sqlite(conn, _) = conn.wire() else { panic!("SQLite") };
        let columns =
            (dsl::id, dsl::version, dsl::number, dsl::first_name, dsl::last_name, dsl::job_title, dsl::joined, dsl::salary);
        let asked = staff_employee::table.filter(dsl::department_id.eq(1)).order((dsl::last_name, dsl::id)).limit(21);
        Ok(asked.select(columns).load(conn)?)
    })
}

fn store(c: &mut Criterion) {
    let desk = Desk::open();
    let (app, live) = (desk.app(), desk.app().live());
    let roles = BTreeSet::from([name("Employee")]);
    c.bench_function("grants: compile", |b| b.iter(|| Grants::compile(black_box(&live.model), &roles, true)));
    let grants = Grants::compile(&live.model, &roles, true);
    c.bench_function("grants: open a page", |b| b.iter(|| grants.open(black_box(&staff("People")))));
    c.bench_function("grants: permit to view", |b| b.iter(|| grants.view(black_box(&staff("Employee")))));

    let statements = Statements::new(&live.model).unwrap();
    let recorder = Recorder { keys: app.keys.clone(), node: "n1".into(), clock: app.clock.clone(), who: None, request_id: None };
    let caller = Caller { user: Some(desk.account), now: app.clock.now() };
    let permit = grants.view(&staff("Employee")).unwrap();
    let view = |query: &Query| {
        let rows = app.db.read(|conn| {
            Store::new(conn, &statements, caller, &recorder)
                .view(&permit, query)
                .map_err(|error| DbError::Refused(error.to_string()))
        });
        rows.unwrap().peek().rows.len()
    };
    let (query, mut total, mut one, mut none) = (list(), list(), list(), list());
    total.total = Some(10_000);
    one.object = Some(ObjectId(51));
    none.object = Some(ObjectId(52));
    assert_eq!((view(&query), view(&one), view(&none), by_hand(&app.db).unwrap().len()), (20, 1, 0, 21));
    c.bench_function("store: an empty read transaction", |b| b.iter(|| app.db.read(|_| Ok::<_, DbError>(())).unwrap()));
    c.bench_function("store: 20 rows by hand, typed diesel, no rules", |b| b.iter(|| by_hand(&app.db).unwrap().len()));
    c.bench_function("store: view of 20 rows", |b| b.iter(|| view(&query)));
    c.bench_function("store: view of 20 rows with total of 200", |b| b.iter(|| view(&total)));
    in_turns("store: view of 20 rows", || assert!(black_box(view(&query)) > 0));
    c.bench_function("store: view of one row", |b| b.iter(|| view(&one)));
    c.bench_function("store: view of a row out of reach", |b| b.iter(|| view(&none)));
}

fn page(c: &mut Criterion) {
    let desk = Desk::open();
    let request = desk.request();
    let (page, query) = (staff("People"), ClientQuery::new(Vec::new()).unwrap());
    let app = desk.app();
    c.bench_function("request: prove a session", |b| {
        b.iter(|| app.db.read(|conn| app.identity.prove_session(conn, &desk.session)).unwrap().is_some());
    });
    c.bench_function("page: grid of 20 × 6 as a view", |b| b.iter(|| app.show(&request.ask, &page, &query, None).1.is_ok()));
    let (shell, view) = app.show(&request.ask, &page, &query, None);
    let Ok(view) = view else { panic!("the page does not open") };
    let (renderer, frame) = (desk.web.renderer(), desk.web.shell(&request, &shell));
    c.bench_function("render: grid of 20 × 6 alone", |b| b.iter(|| renderer.nodes("en", &view.nodes).unwrap().len()));
    c.bench_function("render: whole page of the grid", |b| b.iter(|| renderer.page(&frame, &view).unwrap().len()));
    c.bench_function("request: whole page of the grid", |b| b.iter(|| desk.web.show_page(&request, "staff.People").status));
    in_turns("request: whole page of the grid", || assert_eq!(desk.web.show_page(&request, "staff.People").status, 200));
}

fn crypto(c: &mut Criterion) {
    let (keys, entity) = (Keys::ephemeral(), staff("Employee"));
    let handle = keys.handle(&entity, ObjectId(7));
    let sealed = keys.seal("form", b"session", &[7; 200]);
    c.bench_function("handle: write", |b| b.iter(|| keys.handle(&entity, black_box(ObjectId(7)))));
    c.bench_function("handle: read", |b| b.iter(|| keys.object(&entity, black_box(&handle))));
    c.bench_function("seal: 200 bytes", |b| b.iter(|| keys.seal("form", b"session", black_box(&[7; 200]))));
    c.bench_function("seal: open 200 bytes", |b| b.iter(|| keys.open("form", b"session", black_box(&sealed))));
}

criterion_group!(core, expressions, store, page, crypto);
criterion_main!(core);
