//! Predicates as each database is given them. Reviewed like code: a predicate must not wrap a column.

use super::fixture::{Known, hr, model};
use crate::access::Grants;
use crate::db::Dialect;
use crate::domain::{Kind, Name, Value};
use crate::expr::{Scope, check_condition};
use crate::store::lower::{Lower, LowerError};
use crate::store::statements::Footing;
use crate::store::tables::Tables;
use std::collections::{BTreeMap, BTreeSet};

fn lowered(text: &str) -> Result<[String; 2], LowerError> {
    let model = model();
    let known = Known(model.clone());
    let mut scope = Scope::new(&known, Name::new("hr")).with_this(&hr("Employee"));
    scope.variables = BTreeMap::from([
        (Name::new("List"), Kind::List(hr("Employee"))),
        (Name::new("None"), Kind::List(hr("Employee"))),
        (Name::new("Place"), Kind::Object(hr("Department"))),
    ]);
    let values = BTreeMap::from([
        (Name::new("List"), Value::List(vec![crate::domain::ObjectId(1), crate::domain::ObjectId(2)])),
        (Name::new("None"), Value::List(Vec::new())),
    ]);
    let typed = check_condition(text, &scope).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    let tables = Tables::of(&model).unwrap();
    let grants = Grants::compile(&model, &BTreeSet::from([Name::new("Employee")]), true);
    let rights = crate::access::Authority::rights(&grants).clone();
    let sql = Lower::new(&tables, &rights, &values).condition_at(&typed, "t")?.sql();
    Ok([sql.text(Dialect::Sqlite), sql.text(Dialect::Postgres)].map(|text| text.replace(['"', '`'], "")))
}

#[test]
fn predicates_read_as_reviewed() {
    let golden = include_str!("golden.txt");
    let mut now = String::new();
    for line in golden.lines().filter_map(|line| line.strip_prefix("== ")) {
        let [sqlite, postgres] = lowered(line).unwrap();
        now += &format!("== {line}\n{sqlite}\n");
        if sqlite != postgres {
            now += &format!("pg {postgres}\n");
        }
    }
    if std::env::var("PORTCULLIS_BLESS").is_ok() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/tests/golden.txt"), &now).unwrap();
    } else {
        assert_eq!(now, golden, "run with PORTCULLIS_BLESS=1 and review the difference");
    }
}

#[test]
fn what_the_database_cannot_compute_exactly_is_refused_not_approximated() {
    for beyond in [
        "this.age / 2 == 1",
        "round(this.salary, this.age) == 1",
        "workdaysBetween(this.born, this.left) == 1",
        "this.worked == 1",
    ] {
        assert!(matches!(lowered(beyond), Err(LowerError::Beyond(_))), "{beyond}");
    }
}

#[test]
fn a_statement_cannot_be_blown_up() {
    let mut text = "this.label == 'x'".to_owned();
    for _ in 0..7 {
        text = format!("({text} || {text})");
        if text.len() > 3_900 {
            break;
        }
    }
    assert!(lowered(&text[..]).is_ok());
    let many = vec!["this.label + this.label + this.label + this.label == this.label"; 40].join(" || ");
    assert!(lowered(&many).is_ok());
}

#[test]
fn a_rule_inside_another_one_neither_widens_the_rows_nor_masks_the_members_of_the_wider_one() {
    let narrow = "this.salary > 10 && this.department == user.employee.department";
    let domain = |rules: &str| {
        let (before, rest) =
            super::fixture::DOMAIN.split_once("      - {roles: [User], read: [name, nick, department, label, main]").unwrap();
        let (_, after) = rest.split_once("  Skill:\n").unwrap();
        super::fixture::model_of(&format!("{before}{rules}  Skill:\n{after}"))
    };
    let compiled = |rules: &str| {
        let model = domain(rules);
        let grants = Grants::compile(&model, &BTreeSet::from([Name::new("Employee")]), true);
        let rights = crate::access::Authority::rights(&grants).clone();
        let statements = crate::store::Statements::new(&model).unwrap();
        let made = statements.compiled_on(&rights, &hr("Employee"), Footing::Reader(Dialect::Postgres)).unwrap().unwrap();
        let text = |condition: &crate::store::lower::Condition| condition.sql().text(Dialect::Sqlite);
        let members = ["name", "salary"].map(|name| made.readable.get(name).map_or("none".into(), |r| text(&r.shown)));
        (text(&made.visible), members)
    };
    let wide = "      - {roles: [User], read: [name], where: \"this.department == user.employee.department\"}\n";
    let inner = format!("      - {{roles: [User], read: [salary], where: \"{narrow}\"}}\n");
    let other = "      - {roles: [User], read: [salary], where: \"this.account == user\"}\n";
    let (alone, _) = compiled(wide);
    let (both, [name, salary]) = compiled(&format!("{wide}{inner}"));
    assert_eq!((both.as_str(), name.as_str()), (alone.as_str(), "TRUE"));
    assert!(salary.contains("salary") && salary.contains(" AND "), "{salary}");
    assert_eq!(compiled(&format!("{inner}{wide}")).0, alone, "in either order");
    assert_eq!(compiled(&format!("{wide}{wide}")).0, alone, "and for the same rule twice");
    let (either, [name, _]) = compiled(&format!("{wide}{other}"));
    assert!(either.contains(" OR ") && name != "TRUE", "rules that do not contain each other stay both: {either}");
}
