//! The reader's table holds exactly what the rules give.

use super::agree::populate;
use super::fixture::{App, Person, dec, hr, model_of, now, path};
use crate::access::{Authority, Cell, Filter, FilterOp, ObjectError, Objects, Query};
use crate::db::Db;
use crate::db::testing::{self, each};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Data, Environment, evaluate, holds};
use crate::store::Store;
use std::collections::BTreeMap;

/// What the rules give of a row, found by asking the evaluator rule by rule; `None` when nothing.
pub fn by_rules(store: &mut Store<'_>, who: &Person, entity: &QName, id: ObjectId, member: &Name) -> Option<Cell> {
    let rights = who.grants.rights();
    let rules = rights.entities.get(entity)?;
    let none = BTreeMap::new();
    let environment = Environment { this: Some(id), user: who.id, roles: &rights.roles, now: now(), variables: &none };
    let mut data = store.system_data();
    let holding: Vec<_> = rules
        .rules
        .iter()
        .filter(|rule| rule.condition.as_ref().is_none_or(|c| holds(c, &environment, &mut data).unwrap()))
        .collect();
    if holding.iter().all(|rule| rule.read.is_empty()) {
        return None;
    }
    if !holding.iter().any(|rule| rule.read.contains(member)) {
        return Some(Cell::Withheld);
    }
    let attribute = rules.entity.attributes.get(member);
    Some(Cell::Shown(match attribute.and_then(|a| a.calculated.clone()) {
        Some(calculated) => evaluate(&calculated, &environment, &mut data).unwrap(),
        None if matches!(rules.entity.member_kind(member), Some(crate::domain::Kind::List(_))) => {
            Value::List(data.many(entity, id, member).unwrap())
        }
        None => data.member(entity, id, member).unwrap(),
    }))
}

fn along(store: &mut Store<'_>, who: &Person, mut entity: QName, mut id: ObjectId, path: &[Name]) -> Option<Cell> {
    for (at, name) in path.iter().enumerate() {
        let cell = match by_rules(store, who, &entity, id, name) {
            None if at == 0 => return None,
            None => Cell::Withheld,
            Some(cell) => cell,
        };
        match cell {
            Cell::Shown(Value::Object(next)) if at + 1 < path.len() => {
                entity = store.statements.model().entities[&entity].associations[name].target.clone();
                id = next;
            }
            other => return Some(other),
        }
    }
    None
}

fn plain(cell: &Cell) -> Cell {
    match cell.value().and_then(Value::as_decimal) {
        Some(number) => Cell::Shown(Value::Decimal(number.normalize())),
        None => cell.clone(),
    }
}

fn check(app: &App<'_>, who: &Person, employees: &[ObjectId]) -> usize {
    let own = who.grants.rights().entities[&hr("Employee")].readable.keys().map(|name| vec![name.clone()]);
    let beyond = [
        "main.name",
        "main.level",
        "department.name",
        "department.budget",
        "department.rate",
        "boss.name",
        "boss.salary",
        "boss.boss.nick",
        "boss.department.head.name",
        "department.parent.name",
    ];
    let paths: Vec<_> = own
        .chain(
            beyond.iter().map(|p| path(p)).filter(|p| who.grants.rights().entities[&hr("Employee")].readable.contains_key(&p[0])),
        )
        .collect();
    let answer = app.view(who, &Query::of(&hr("Employee"), paths.clone())).unwrap();
    let mut withheld = 0;
    app.read(who, |store| {
        for id in employees {
            let row = answer.rows.iter().find(|row| row.id == *id);
            for (at, path) in paths.iter().enumerate() {
                let wanted = along(store, who, hr("Employee"), *id, path);
                let found = row.map(|row| row.cells[at].clone());
                assert_eq!(found.as_ref().map(plain), wanted.as_ref().map(plain), "{path:?} of {id:?}");
                withheld += usize::from(found == Some(Cell::Withheld));
            }
        }
    });
    withheld
}

fn brute_force(db: &Db) {
    let app = App::new(db);
    let mut withheld = 0;
    for seed in 0..12 {
        let (_, employees, user) = populate(&app, seed * 7 + 1);
        for role in ["Employee", "Boss", "Administrator"] {
            withheld += check(&app, &app.person(role, user.id), &employees);
        }
    }
    assert!(withheld > 20, "the data should make the rules bite");
}

#[test]
fn rows_and_cells_are_exactly_those_that_the_rules_give_one_by_one() {
    testing::sqlite(brute_force);
    testing::postgres(brute_force);
}

/// Twenty seeds' worth of questions about a withheld salary: none tells more than the cells do.
#[test]
fn filter_order_search_count_and_sum_see_only_what_is_shown() {
    each(|db| {
        let app = App::new(db);
        for seed in 1..6 {
            let (_, _, who) = populate(&app, seed);
            let mut query = Query::of(&hr("Employee"), vec![path("salary"), path("name"), path("notes")]);
            query.total = Some(100);
            let all = app.view(&who, &query).unwrap();
            let shown = |at: usize| all.rows.iter().filter_map(move |row| row.cells[at].value().cloned());
            assert_eq!(all.total.unwrap().count as usize, all.rows.len());
            for (op, value) in [(FilterOp::From, dec("-999")), (FilterOp::Equal, dec("2.5")), (FilterOp::Empty, Value::Empty)] {
                let mut asked = query.clone();
                asked.filters = vec![Filter { path: path("salary"), op, value: value.clone() }];
                let fits = |v: &Value| match op {
                    FilterOp::Empty => v.is_empty(),
                    FilterOp::Equal => v.as_decimal() == value.as_decimal(),
                    _ => !v.is_empty(),
                };
                assert_eq!(app.view(&who, &asked).unwrap().rows.len(), shown(0).filter(fits).count(), "{op:?}");
            }
            let permit = who.grants.view(&hr("Employee")).unwrap();
            let sum = app.read(&who, |store| store.figure(&permit, &query, Some(&Name::new("salary"))).unwrap().peek().clone());
            let wanted = shown(0).filter_map(|v| v.as_decimal()).sum();
            assert_eq!(sum.value().unwrap().as_decimal(), Some(wanted));
            let mut sought = query.clone();
            sought.search = Some(("A%B".into(), vec![path("name"), path("notes")]));
            let hits = app.view(&who, &sought).unwrap().rows;
            let hit = |cell: &Cell| cell.value().and_then(Value::as_text).is_some_and(|t| t.to_ascii_lowercase().contains("a%b"));
            assert_eq!(hits.len(), all.rows.iter().filter(|r| hit(&r.cells[1]) || hit(&r.cells[2])).count());
            for descending in [false, true] {
                let mut sorted = query.clone();
                sorted.sort = vec![(path("salary"), descending)];
                let rows = app.view(&who, &sorted).unwrap().rows;
                let order: Vec<_> = rows.iter().map(|r| r.cells[0].value().and_then(Value::as_decimal)).collect();
                let there: Vec<_> = order.iter().flatten().collect();
                assert!(order[..there.len()].iter().all(Option::is_some), "withheld and empty values come last");
                assert!(there.windows(2).all(|w| if descending { w[0] >= w[1] } else { w[0] <= w[1] }));
                let mut pages = Vec::new();
                for offset in 0..rows.len() as u32 {
                    let page = Query { limit: 1, offset, ..sorted.clone() };
                    let page = app.view(&who, &page).unwrap();
                    assert_eq!(page.more, (offset as usize) + 1 < rows.len());
                    pages.extend(page.rows);
                }
                assert_eq!(pages, rows);
            }
        }
    });
}

#[test]
fn a_member_that_may_not_be_read_is_refused_exactly_like_one_that_never_existed() {
    each(|db| {
        let app = App::new(db);
        let (_, employees, who) = populate(&app, 3);
        let refusal = |query: Query| match app.view(&who, &query) {
            Err(ObjectError::Denied(denied)) => format!("{denied:?}"),
            other => panic!("{other:?}"),
        };
        let base = || Query::of(&hr("Employee"), vec![path("name")]);
        let asks: Vec<fn(&str) -> Query> = vec![
            |m| Query::of(&hr("Employee"), vec![path(m)]),
            |m| Query { sort: vec![(path(m), false)], ..Query::of(&hr("Employee"), vec![path("name")]) },
            |m| Query { search: Some(("x".into(), vec![path(m)])), ..Query::of(&hr("Employee"), vec![path("name")]) },
            |m| {
                let filters = vec![Filter { path: path(m), op: FilterOp::Empty, value: Value::Empty }];
                Query { filters, ..Query::of(&hr("Employee"), vec![path("name")]) }
            },
        ];
        for ask in asks {
            assert_eq!(refusal(ask("email")).replace("email", "?"), refusal(ask("nowhere")).replace("nowhere", "?"));
        }
        for outside in ["department.budget", "department.rate", "department.nowhere", "account.email"] {
            refusal(Query { sort: vec![(path(outside), false)], ..base() });
        }
        for strange in ["name; DROP TABLE hr_employee", "", "name.x", "\"", "id"] {
            refusal(Query::of(&hr("Employee"), vec![path(strange)]));
        }
        let mut along = Query::of(&hr("Employee"), vec![path("name")]);
        for (entity, name) in [("Skill", "people"), ("Employee", "remarks"), ("Department", "nowhere")] {
            along.along = Some((hr(entity), employees[0], Name::new(name)));
            if entity != "Skill" {
                refusal(along.clone());
            }
        }
        let wrong = vec![Filter { path: path("name"), op: FilterOp::Equal, value: Value::Integer(1) }];
        refusal(Query { filters: wrong, ..base() });
        assert!(who.grants.view(&hr("Note")).is_err());
    });
}

#[test]
fn hostile_text_is_only_ever_a_value() {
    each(|db| {
        let app = App::new(db);
        let admin = app.admin();
        let text = "'); DROP TABLE hr_skill; -- \" $1 ? %s \\";
        let id = app.create(&admin, "Skill", [("name", Value::text(text))]).unwrap();
        let row = app.see(&admin, "Skill", id, &["name"]).unwrap();
        assert_eq!(row.cells, [Cell::Shown(Value::text(text))]);
        for sought in [text, "%", "_", "'", "\\"] {
            let mut query = Query::of(&hr("Skill"), vec![path("name")]);
            query.search = Some((sought.into(), vec![path("name")]));
            assert_eq!(app.view(&admin, &query).unwrap().rows.len(), usize::from(text.contains(sought)), "{sought}");
        }
    });
}

#[test]
fn a_permit_is_good_for_its_entity_only() {
    testing::sqlite(|db| {
        let app = App::new(db);
        let who = app.admin();
        let permit = who.grants.view(&hr("Skill")).unwrap();
        let refused = app.read(&who, |store| store.view(&permit, &Query::of(&hr("Employee"), Vec::new())).map(|_| ()));
        assert!(matches!(refused, Err(ObjectError::Denied(_))));
    });
}

#[test]
fn an_association_is_followed_only_where_its_member_is_shown() {
    each(|db| {
        let app = App::new(db);
        let (mut followed, mut hidden) = (0, 0);
        for seed in 1..8 {
            let (departments, _, user) = populate(&app, seed);
            for role in ["Employee", "Boss"] {
                let who = app.person(role, user.id);
                let all = app.view(&who, &Query::of(&hr("Employee"), vec![path("department")])).unwrap().rows;
                hidden += all.iter().filter(|row| row.cells[0] == Cell::Withheld).count();
                for department in &departments {
                    let mut query = Query::of(&hr("Employee"), Vec::new());
                    query.along = Some((hr("Department"), *department, Name::new("employees")));
                    let found: Vec<_> = app.view(&who, &query).unwrap().rows.iter().map(|row| row.id).collect();
                    let there = Cell::Shown(Value::Object(*department));
                    let wanted: Vec<_> = all.iter().filter(|row| row.cells[0] == there).map(|row| row.id).collect();
                    assert_eq!(found, wanted);
                    followed += found.len();
                }
            }
        }
        assert!(followed > 10 && hidden > 3, "{followed} {hidden}");
    });
}

/// As many associations as `check` lets a list follow, each with a rule of its own.
#[test]
fn a_list_that_follows_as_many_associations_as_are_allowed_is_read() {
    each(|db| {
        let names: Vec<String> = (0..63).map(|n| format!("a{n}")).collect();
        let mut text = String::from(
            "\nentities:\n  Leaf:\n    attributes:\n      name: {type: string}\n      open: {type: boolean}\n    access:\n      - {roles: [Administrator], create: true, read: [name, open], write: [name, open]}\n      - {roles: [User], read: [open]}\n      - {roles: [User], read: [name], where: \"this.open\"}\n  Wide:\n    associations:\n",
        );
        names.iter().for_each(|name| text += &format!("      {name}: {{to: Leaf}}\n"));
        let all = names.join(", ");
        text += &format!(
            "    access:\n      - {{roles: [User], read: [{all}]}}\n      - {{roles: [Administrator], create: true, read: [{all}], write: [{all}]}}\n"
        );
        let app = App::of(db, model_of(&text));
        let admin = app.admin();
        let leaf =
            |name: &str, open| app.create(&admin, "Leaf", [("name", Value::text(name)), ("open", Value::Boolean(open))]).unwrap();
        let (shown, hidden) = (leaf("shown", true), leaf("hidden", false));
        app.create(&admin, "Wide", [("a0", Value::Object(shown)), ("a61", Value::Object(hidden)), ("a62", Value::Object(shown))])
            .unwrap();
        let mut query = Query::of(&hr("Wide"), names.iter().map(|name| path(&format!("{name}.name"))).collect());
        query.sort = vec![(path("a62.name"), true)];
        query.total = Some(10);
        let rows = app.view(&app.person("Employee", None), &query).unwrap();
        let cells = &rows.rows[0].cells;
        assert_eq!((rows.rows.len(), cells.len()), (1, 63));
        assert_eq!([&cells[0], &cells[62]], [&Cell::Shown(Value::text("shown")); 2]);
        assert_eq!((&cells[1], &cells[61]), (&Cell::Shown(Value::Empty), &Cell::Withheld));
    });
}
