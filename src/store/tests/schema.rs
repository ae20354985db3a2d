//! Bringing a database to the shape of a model.

use super::fixture::{App, DOMAIN, dec, model, model_of, now};
use crate::access::Cell;
use crate::db::testing::each;
use crate::db::{Db, DbError};
use crate::domain::{ObjectId, Value};
use crate::model::Model;
use crate::store::{Statements, SyncError, apply, plan};
use std::collections::BTreeSet;
use std::sync::Arc;

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn statements(model: &Arc<Model>) -> Statements {
    Statements::new(model).unwrap()
}

/// The model with some text of its domain replaced.
fn changed(replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(DOMAIN.to_owned(), |domain, (from, to)| {
        assert!(domain.contains(from), "{from}");
        domain.replace(from, to)
    })
}

fn sync(db: &Db, domain: &str, accepted: &[&str]) -> Result<Vec<String>, SyncError> {
    apply(db, &statements(&model_of(domain)), &named(accepted), now())
        .map(|plan| plan.steps.into_iter().map(|step| step.what).collect())
}

/// The app as it is after its model became another.
fn again<'d>(app: App<'d>, domain: &str) -> App<'d> {
    let model = model_of(domain);
    let app = App { statements: statements(&model), model, ..app };
    app.prepare();
    app
}

fn filled(db: &Db) -> (App<'_>, ObjectId, ObjectId) {
    let app = App::new(db);
    let admin = app.admin();
    let sales = app.create(&admin, "Department", [("name", Value::text("Sales"))]).unwrap();
    let all = [
        ("name", Value::text("Emma")),
        ("salary", dec("12.34")),
        ("department", Value::Object(sales)),
        ("nick", Value::text("Em")),
    ];
    let emma = app.create(&admin, "Employee", all).unwrap();
    (app, sales, emma)
}

#[test]
fn a_model_is_applied_once_and_then_nothing_is_left_to_do() {
    each(|db| {
        let first =
            db.read(|conn| plan(conn, &statements(&model()), now()).map_err(|e| DbError::Refused(e.to_string()))).unwrap();
        assert!(!first.is_empty() && first.losses.is_empty());
        assert!(
            db.read(|conn| plan(conn, &statements(&model()), now()).map_err(|e| DbError::Refused(e.to_string())))
                .unwrap()
                .steps
                .len()
                == first.steps.len()
        );
        let app = App::new(db);
        let next = apply(db, &app.statements, &BTreeSet::new(), now()).unwrap();
        assert!(next.is_empty(), "{:?}", next.steps);
    });
}

#[test]
fn renames_move_values_and_numbers_along() {
    each(|db| {
        let (app, _, emma) = filled(db);
        let domain = changed(&[
            ("  Employee:\n", "  Worker:\n    was: Employee\n"),
            ("to: Employee", "to: Worker"),
            ("salary", "pay"),
            ("      pay: {type: decimal,", "      pay: {was: salary, type: decimal,"),
            ("      boss: {to: Worker,", "      chief: {was: boss, to: Worker,"),
            ("pay, boss]", "pay, chief]"),
            ("worked, boss]", "worked, chief]"),
            ("skills, boss]", "skills, chief]"),
            ("department, boss,", "department, chief,"),
        ]);
        let steps = sync(db, &domain, &[]).unwrap();
        assert!(steps.iter().any(|s| s == "rename table hr_employee to hr_worker"), "{steps:?}");
        assert!(!steps.iter().any(|s| s.starts_with("drop column") || s.starts_with("drop table")), "{steps:?}");
        let app = again(app, &domain);
        let row = app.see(&app.admin(), "Worker", emma, &["pay", "number", "nick"]).unwrap();
        let shown: Vec<_> = row.cells.iter().map(|c| c.value().unwrap().canonical()).collect();
        assert_eq!(shown, ["12.34", "1", "Em"]);
        let dan = app.create(&app.admin(), "Worker", [("name", Value::text("Dan"))]).unwrap();
        let row = app.see(&app.admin(), "Worker", dan, &["number"]).unwrap();
        assert_eq!(row.cells, [Cell::Shown(Value::Integer(2))]);
        assert!(sync(db, &domain, &[]).unwrap().is_empty());
    });
}

#[test]
fn nothing_stored_is_lost_unless_the_loss_is_named() {
    each(|db| {
        let (app, _, emma) = filled(db);
        let without = DOMAIN
            .replace("      nick: {type: string, length: 40}\n", "")
            .replace("name, nick,", "name,")
            .replace("[nick, notes", "[notes")
            .replace("this.name + ' ' + this.nick", "this.name");
        let refused = sync(db, &without, &["hr.Employee.notes"]).unwrap_err();
        assert!(matches!(&refused, SyncError::Losses(all) if all.len() == 1 && all[0].name == "hr.Employee.nick"), "{refused}");
        assert!(app.see(&app.admin(), "Employee", emma, &["nick"]).is_some(), "nothing was changed");
        sync(db, &without, &["hr.Employee.nick"]).unwrap();
        let shorter = without.replace(
            "name: {type: string, length: 40, required: true}\n      notes",
            "name: {type: string, length: 2, required: true}\n      notes",
        );
        let cut = sync(db, &shorter, &[]).unwrap_err();
        assert!(matches!(&cut, SyncError::Losses(all) if all[0].name == "hr.Employee.name"), "{cut}");
        sync(db, &shorter, &["hr.Employee.name"]).unwrap();
        let app = again(app, &shorter);
        let row = app.see(&app.admin(), "Employee", emma, &["name", "salary"]).unwrap();
        assert_eq!(row.cells[0], Cell::Shown(Value::text("Em")));
    });
}

#[test]
fn an_empty_table_goes_without_a_word_and_a_filled_one_only_when_named() {
    each(|db| {
        let (app, _, emma) = filled(db);
        let note = DOMAIN.find("  Note:\n").unwrap();
        let without = &DOMAIN[..note];
        app.create(&app.admin(), "Note", [("about", Value::Object(emma))]).unwrap();
        assert!(matches!(sync(db, without, &[]), Err(SyncError::Losses(_))));
        let steps = sync(db, without, &["hr.Note"]).unwrap();
        assert!(steps.contains(&"drop table hr_note".to_owned()), "{steps:?}");
        let steps = sync(db, DOMAIN, &[]).unwrap();
        assert!(steps.iter().any(|s| s.starts_with("create table hr_note")), "{steps:?}");
        assert!(sync(db, without, &[]).unwrap().contains(&"drop table hr_note".to_owned()));
        sync(db, DOMAIN, &[]).unwrap();
        let app = again(app, DOMAIN);
        assert!(app.see(&app.admin(), "Employee", emma, &["name"]).is_some());
    });
}

#[test]
fn more_room_is_safe_and_another_rule_for_a_reference_keeps_its_values() {
    each(|db| {
        let (app, sales, emma) = filled(db);
        let wider = changed(&[
            ("salary: {type: decimal, precision: 10, scale: 2}", "salary: {type: decimal, precision: 13, scale: 4}"),
            ("yearly: {type: decimal, precision: 14, scale: 2,", "yearly: {type: decimal, precision: 16, scale: 4,"),
            ("nick: {type: string, length: 40}", "nick: {type: text}"),
            ("inverse: employees, onDelete: refuse", "inverse: employees, onDelete: cascade"),
        ]);
        sync(db, &wider, &[]).unwrap();
        let app = again(app, &wider);
        let admin = app.admin();
        let row = app.see(&admin, "Employee", emma, &["salary", "department", "yearly"]).unwrap();
        assert_eq!(row.cells[0], Cell::Shown(dec("12.3400")));
        assert_eq!(row.cells[1], Cell::Shown(Value::Object(sales)));
        assert_eq!(row.cells[2].value().unwrap().as_decimal(), dec("148.08").as_decimal());
        app.delete(&admin, "Department", sales, None).unwrap();
        assert!(app.see(&admin, "Employee", emma, &["name"]).is_none());
    });
}

#[test]
fn a_required_member_needs_a_default_when_rows_exist() {
    each(|db| {
        let (app, sales, _) = filled(db);
        let strict = changed(&[(
            "      open: {type: boolean}",
            "      open: {type: boolean}\n      floor: {type: integer, required: true}",
        )]);
        let refused = sync(db, &strict, &[]).unwrap_err();
        assert!(matches!(&refused, SyncError::Required(all) if *all == ["hr.Department.floor"]), "{refused}");
        let given = strict
            .replace("floor: {type: integer, required: true}", "floor: {type: integer, required: true, default: \"3\"}")
            .replace("[name, code, budget, rate, open,", "[name, code, budget, rate, open, floor,");
        sync(db, &given, &[]).unwrap();
        let app = again(app, &given);
        let row = app.see(&app.admin(), "Department", sales, &["floor"]).unwrap();
        assert_eq!(row.cells, [Cell::Shown(Value::Integer(3))]);
    });
}

#[test]
fn a_database_changed_by_other_hands_is_left_alone() {
    each(|db| {
        let (app, ..) = filled(db);
        db.owner(|conn| {
            crate::store::engine::strip(conn)?;
            conn.batch("ALTER TABLE hr_department DROP COLUMN code")
        })
        .unwrap();
        let refused = apply(db, &app.statements, &BTreeSet::new(), now()).unwrap_err();
        assert!(matches!(&refused, SyncError::Drift(all) if *all == ["column hr_department.code is gone"]), "{refused}");
    });
    each(|db| {
        db.owner(|conn| conn.batch("CREATE TABLE hr_skill (id INTEGER PRIMARY KEY)")).unwrap();
        assert!(matches!(apply(db, &statements(&model()), &BTreeSet::new(), now()), Err(SyncError::Drift(_))));
    });
}

#[test]
fn two_nodes_that_start_at_once_do_the_work_once() {
    each(|db| {
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..3).map(|_| scope.spawn(|| sync(db, DOMAIN, &[]).unwrap().len())).collect();
            let steps: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
            assert_eq!(steps.iter().filter(|n| **n > 0).count(), 1, "{steps:?}");
        });
    });
}
