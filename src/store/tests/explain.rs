//! Explanations agree with what is decided, and tell nothing more.

use super::agree::{Dice, populate};
use super::fixture::{App, DOMAIN, Known, hr, model_with, now};
use crate::access::explain::{Case, Holds, Inspection, Op, Person, Question, Wanted};
use crate::access::{Authority, Elevation, Inside, Objects, Query};
use crate::db::{Db, DbError, testing};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::expr::{Environment, Scope, check, holds, trace};
use crate::store::{Caller, Store, explain, prepare};
use std::collections::BTreeMap;

/// Conditions of one seed over data of the same seed: the whole comes to what the evaluator says, and so does each part.
fn traced(app: &App<'_>, seed: u64) -> usize {
    let (departments, employees, who) = populate(app, seed);
    let known = Known(app.model.clone());
    let mut scope = Scope::new(&known, Name::new("hr")).with_this(&hr("Employee"));
    scope.variables.insert(Name::new("Limit"), Kind::INTEGER);
    scope.variables.insert(Name::new("Place"), Kind::Object(hr("Department")));
    let variables =
        BTreeMap::from([(Name::new("Limit"), Value::Integer(19)), (Name::new("Place"), Value::Object(departments[1]))]);
    let rights = who.grants.rights().clone();
    let mut dice = Dice(seed ^ 0xAAAA);
    let mut sound = 0;
    for _ in 0..80 {
        let deep = 2 + dice.roll(2) as u32;
        let text = dice.condition(deep);
        let Ok(typed) = check(&text, &scope, None) else { continue };
        if typed.kind != Kind::Boolean {
            continue;
        }
        sound += 1;
        app.db
            .read(|conn| {
                let mut store = Store::new(conn, &app.statements, Caller { user: who.id, now: now() }, &app.recorder);
                for this in &employees {
                    let environment =
                        Environment { this: Some(*this), user: who.id, roles: &rights.roles, now: now(), variables: &variables };
                    let mut data = store.system_data();
                    let expected = holds(&typed, &environment, &mut data);
                    let found = trace(&typed, &environment, &mut data);
                    assert_eq!(found.outcome, expected, "{text}");
                    for part in &found.parts {
                        assert_eq!(part.outcome, holds(part.part, &environment, &mut data), "a part of {text}");
                    }
                }
                Ok::<_, DbError>(())
            })
            .unwrap();
    }
    sound
}

#[test]
fn a_traced_condition_comes_to_what_the_evaluator_says() {
    testing::sqlite(|db| {
        let app = App::new(db);
        let sound: usize = (1..=8).map(|seed| traced(&app, seed * 7_919)).sum();
        assert!(sound > 200, "too few conditions were sound: {sound}");
    });
}

/// For every employee and member: the decision with its reasons is what the reader's table shows.
fn decided(db: &Db) {
    let app = App::new(db);
    let (_, employees, who) = populate(&app, 4_242);
    let model = app.model.clone();
    let entity = hr("Employee");
    let members: Vec<Name> = model.entity(&entity).unwrap().members().cloned().collect();
    let me = Person { rights: who.grants.rights(), user: who.id };
    let case = Case { model: &model, subject: me, asker: None, now: now() };
    let mut seen = [0, 0];
    app.proved(&who);
    app.db
        .read(|conn| {
            for id in &employees {
                for member in &members {
                    let wanted = Wanted { op: Op::Read, entity: entity.clone(), object: Some(*id), member: Some(member.clone()) };
                    let told = explain(conn, &app.statements, &case, &Question::Data(wanted));
                    let mut store = Store::new(conn, &app.statements, Caller { user: who.id, now: now() }, &app.recorder);
                    let shown = who.grants.view(&entity).ok().filter(|permit| permit.may_read(member)).is_some_and(|permit| {
                        let query = Query { object: Some(*id), ..Query::of(&entity, vec![vec![member.clone()]]) };
                        let rows = store.view(&permit, &query).unwrap();
                        rows.peek().rows.first().is_some_and(|row| row.cells[0].value().is_some())
                    });
                    seen[usize::from(shown)] += 1;
                    let granted = if shown { Holds::Yes } else { Holds::No };
                    assert_eq!(told.granted, granted, "{}\n{}", told.question, told.text());
                }
            }
            Ok::<_, DbError>(())
        })
        .unwrap();
    assert!(seen[0] > 5 && seen[1] > 5, "both happen: {seen:?}");
}

#[test]
fn an_explained_decision_is_the_one_that_the_store_makes() {
    testing::each(decided);
}

const FLOW: &str = "roles: [User]
applyEntityAccess: false
elevation:
  - {entity: Employee, doc: Pay of the young, read: [name, salary, age], where: \"this.age < 25 || this.age == empty\"}
  - {entity: Employee, doc: Notes of those who left, read: [notes, left], write: [notes], where: \"!this.active\"}
  - {entity: Employee, doc: All who have a boss, delete: true, where: \"this.boss != empty\"}
do: []
";

/// For every employee and member: what a flow is told to have is what it is given.
fn decided_within(db: &Db) {
    let app = App::of(db, model_with(DOMAIN, &[("hr/microflows/Flow.yaml", FLOW)]));
    let (_, employees, who) = populate(&app, 977);
    prepare(app.db, &app.statements, &who.grants, now()).unwrap();
    let (model, entity) = (app.model.clone(), hr("Employee"));
    let elevation = Elevation::of(&model.microflows[&hr("Flow")], &who.grants);
    let authority: &dyn Authority = &elevation;
    let me = Person { rights: who.grants.rights(), user: who.id };
    let case = Case { model: &model, subject: me, asker: None, now: now() };
    let mut seen = [0, 0, 0];
    let looked = app.db.read(|conn| {
        for id in &employees {
            let query = Query { object: Some(*id), ..Query::of(&entity, Vec::new()) };
            let mut store = Store::new(conn, &app.statements, Caller { user: who.id, now: now() }, &app.recorder);
            let found = store.load(&authority.load(&entity).unwrap(), &query).unwrap();
            let mut told = |op, member: Option<&Name>| {
                let wanted = Wanted { op, entity: entity.clone(), object: Some(*id), member: member.cloned() };
                explain(conn, &app.statements, &case, &Question::Within(hr("Flow"), wanted))
            };
            let declared = model.entity(&entity).unwrap();
            // Lists of objects are not loaded with an object, but asked for along it.
            let plain = |name: &&Name| !matches!(declared.member_kind(name), Some(Kind::List(_)));
            for member in declared.members().filter(plain) {
                let given = found.first().and_then(|object| object.members.get(member));
                let given = given.is_some_and(|cell| cell.value().is_some());
                let own = told(Op::Read, Some(member)).reasons[1].holds == Holds::Yes;
                seen[usize::from(given) + usize::from(given && !own)] += 1;
                let told = told(Op::Read, Some(member));
                assert_eq!(told.granted, if given { Holds::Yes } else { Holds::No }, "{}\n{}", told.question, told.text());
            }
            let deleted = told(Op::Delete, None);
            assert_eq!(deleted.reasons[2].parts.len(), 3, "each grant about the entity is considered");
        }
        Ok::<_, DbError>(())
    });
    looked.unwrap();
    assert!(seen.iter().all(|count| *count > 3), "refused, one's own, and only by elevation: {seen:?}");
}

#[test]
fn an_explained_flow_is_told_to_have_what_the_store_gives_it() {
    testing::each(decided_within);
}

#[test]
fn the_number_of_rows_that_exist_is_counted_over_the_models_constraint_and_never_over_what_a_reader_chose() {
    testing::each(|db| {
        let app = App::new(db);
        let (departments, employees, who) = populate(&app, 77);
        let known = Known(app.model.clone());
        let mut scope = Scope::new(&known, Name::new("hr")).with_this(&hr("Employee"));
        scope.variables.insert(Name::new("Place"), Kind::Object(hr("Department")));
        let constraint = |text: &str| {
            let variables = BTreeMap::from([(Name::new("Place"), Value::Object(departments[0]))]);
            Some(Inside { condition: check(text, &scope, None).unwrap(), variables })
        };
        let existing = |inside: Option<Inside>| {
            let asked = Inspection { existing: Some(inside), ..Inspection::default() };
            let told = app.db.read(|conn| {
                let mut store = Store::new(conn, &app.statements, Caller { user: who.id, now: now() }, &app.recorder);
                let permit = who.grants.view(&hr("Employee")).unwrap();
                Ok::<_, DbError>(store.inspect(&permit, &asked).unwrap().unwrap().peek().existing)
            });
            told.unwrap().map(|total| total.count)
        };
        assert_eq!(existing(None), Some(employees.len() as u32));
        let active = existing(constraint("this.active")).unwrap();
        assert_eq!(Some(employees.len() as u32 - active), existing(constraint("!this.active")));
        assert_eq!(existing(constraint("this.department == $Place")), None, "an object of the page is the reader's choice");
        let nobody = Inspection { objects: vec![ObjectId(999_999)], ..Inspection::default() };
        let told = app.db.read(|conn| {
            let mut store = Store::new(conn, &app.statements, Caller { user: who.id, now: now() }, &app.recorder);
            let permit = who.grants.view(&hr("Employee")).unwrap();
            Ok::<_, DbError>(store.inspect(&permit, &nobody).unwrap().unwrap().peek().objects.len())
        });
        assert_eq!(told.unwrap(), 1, "an object that is not there has its answer too");
    });
}
