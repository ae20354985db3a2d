//! What `migrate --plan` says of a few changes: short, in the words of the model, losses first.

use super::fixture::{App, DOMAIN, dec, model_of, now};
use crate::db::testing::each;
use crate::db::{Db, DbError, Dialect};
use crate::domain::Value;
use crate::store::{Plan, Statements, apply, plan, prepare_all};
use std::collections::BTreeSet;

const GOLDEN: &str = include_str!("planned.txt");

/// Changes by name: what is replaced in the domain, one after the other, with what.
const CHANGES: [(&str, &[(&str, &str)]); 5] = [
    ("nothing", &[]),
    (
        "a new attribute that a role reads",
        &[
            (
                "      nick: {type: string, length: 40}\n",
                "      nick: {type: string, length: 40}\n      phone: {type: string, length: 20}\n",
            ),
            ("[name, nick, department", "[name, phone, nick, department"),
        ],
    ),
    ("another rule", &[(", where: \"this.level == empty || this.level < 10\"", "")]),
    (
        "an attribute less, a shorter one, and one with a default",
        &[
            ("      nick: {type: string, length: 40}\n", ""),
            ("name, nick,", "name,"),
            ("[nick, notes", "[notes"),
            ("this.name + ' ' + this.nick", "this.name"),
            (
                "      name: {type: string, length: 40, required: true}\n      notes",
                "      name: {type: string, length: 2, required: true}\n      notes",
            ),
            (
                "      open: {type: boolean}",
                "      open: {type: boolean}\n      floor: {type: integer, required: true, default: \"3\"}",
            ),
        ],
    ),
    (
        "an entity and a reference by other names",
        &[
            ("  Employee:\n", "  Worker:\n    was: Employee\n"),
            ("to: Employee", "to: Worker"),
            ("      boss: {to: Worker,", "      chief: {was: boss, to: Worker,"),
            ("salary, boss]", "salary, chief]"),
            ("worked, boss]", "worked, chief]"),
            ("skills, boss]", "skills, chief]"),
            ("department, boss,", "department, chief,"),
        ],
    ),
];

fn planned(db: &Db, statements: &Statements) -> Plan {
    db.read(|conn| plan(conn, statements, now()).map_err(|error| DbError::Refused(error.to_string()))).unwrap()
}

fn told(dialect: Dialect, of: &str, plan: &Plan) -> String {
    let losses = plan.losses.iter().map(|loss| format!("LOSES {}: {}", loss.name, loss.what));
    let lines: Vec<String> = losses.chain(plan.summary(dialect)).collect();
    format!("== {dialect:?}: {of}\n{}\n", lines.join("\n"))
}

#[test]
fn a_plan_is_told_in_the_words_of_the_model_with_counts() {
    let all = std::cell::RefCell::new(String::new());
    let tell = |db: &Db, of: &str, plan: &Plan| all.borrow_mut().push_str(&told(db.dialect(), of, plan));
    each(|db| {
        tell(db, "an empty database", &planned(db, &Statements::new(&model_of(DOMAIN)).unwrap()));
        let app = App::new(db);
        let values = [("name", Value::text("Emma")), ("salary", dec("12.34")), ("nick", Value::text("Em"))];
        app.create(&app.admin(), "Employee", values).unwrap();
        app.create(&app.admin(), "Department", [("name", Value::text("Sales"))]).unwrap();
        prepare_all(db, &app.statements, now()).unwrap();
        for (of, replacements) in CHANGES {
            let domain = replacements.iter().fold(DOMAIN.to_owned(), |domain, (from, to)| {
                assert!(domain.contains(from), "{from}");
                domain.replace(from, to)
            });
            let plan = planned(db, &Statements::new(&model_of(&domain)).unwrap());
            tell(db, of, &plan);
            assert!(plan.summary(db.dialect()).len() + plan.losses.len() < 20, "it fits on a screen");
            assert_eq!(plan.is_empty(), replacements.is_empty(), "{of}");
        }
    });
    let now = all.into_inner();
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/tests/planned.txt"), &now).unwrap();
    } else if now.contains("== Postgres") {
        assert_eq!(now, GOLDEN, "run with UPDATE_GOLDEN=1 and read the difference");
    }
}

/// What is shown first and what is done agree.
#[test]
fn a_plan_that_was_carried_out_has_nothing_left_to_say() {
    each(|db| {
        let statements = Statements::new(&model_of(DOMAIN)).unwrap();
        assert!(!planned(db, &statements).summary(db.dialect()).is_empty());
        apply(db, &statements, &BTreeSet::new(), now()).unwrap();
        prepare_all(db, &statements, now()).unwrap();
        assert_eq!(planned(db, &statements).summary(db.dialect()), [""; 0]);
    });
}
