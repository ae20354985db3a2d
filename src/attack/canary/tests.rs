//! The data is what it promises to be.

use super::*;
use crate::model::{self, Files};
use crate::store::StoredRow;
use std::path::Path;

fn model(app: &str) -> Model {
    model::load(&Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(app)).unwrap()).0.unwrap()
}

fn now() -> NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(2026, 3, 2).unwrap().and_hms_opt(9, 0, 0).unwrap()
}

/// Two people for each role, and their accounts.
fn people(model: &Model) -> (Vec<Who>, World) {
    let mut world = World::default();
    let mut people = Vec::new();
    for (role, _) in model.user_roles.iter().filter(|(_, role)| !role.anonymous) {
        for _ in 0..2 {
            let id = ObjectId(i64::try_from(people.len()).unwrap() + 1);
            let values = BTreeMap::from([
                (Name::new("name"), Value::text(format!("Zqperson{}", id.0))),
                (Name::new("email"), Value::text(format!("zq{}@canary.example", id.0))),
                (Name::new("active"), Value::Boolean(true)),
            ]);
            world.rows.entry(Model::user_entity()).or_default().insert(id, StoredRow { version: 1, values });
            people.push(Who { role: role.clone(), user: Some(id) });
        }
    }
    (people, world)
}

#[test]
fn the_same_seed_gives_the_same_data_and_another_seed_other_data() {
    let model = model("tests/apps/library");
    let (people, accounts) = people(&model);
    let grown = |seed| grow(&model, accounts.clone(), &people, now(), seed).world;
    assert!(grown(1) == grown(1) && grown(1) != grown(2));
}

#[test]
fn every_rule_holds_for_one_row_and_not_for_another_for_nearly_everybody_it_speaks_of() {
    for app in ["apps/people", "tests/apps/library"] {
        let model = model(app);
        let (people, accounts) = people(&model);
        let canaries = grow(&model, accounts, &people, now(), 1);
        assert!(canaries.covered > 20, "{app}: {}", canaries.covered);
        assert!(canaries.missing.len() * 20 <= canaries.covered, "{app}: {:#?}", canaries.missing);
    }
}

#[test]
fn what_a_rule_reaches_from_an_account_is_there_though_it_may_be_empty() {
    let app = "app: x\ntitle: X\nlevel: prototype\nlanguage: en\nmodules: [m]\nuserRoles:\n  A: {moduleRoles: [m.R]}\nadministration: {}\n";
    let domain = "entities:
  Team:
    attributes: {name: {type: string, length: 40}}
  Person:
    attributes: {name: {type: string, length: 40}}
    associations:
      team: {to: Team, inverse: people, onDelete: clear}
      account: {to: system.User, kind: one-to-one, inverse: person, onDelete: clear}
  Note:
    attributes: {text: {type: string, length: 40}}
    associations:
      writer: {to: Person, inverse: notes, onDelete: clear}
    access:
      - {roles: [R], read: [text], where: \"this.writer.team == user.person.team\"}
";
    let files = [("app.yaml", app), ("m/module.yaml", "roles: {R: Reads}\n"), ("m/domain.yaml", domain)];
    let model = model::load(&Files::of(files)).0.unwrap();
    let (people, accounts) = people(&model);
    let canaries = grow(&model, accounts, &people, now(), 1);
    assert_eq!((canaries.covered, canaries.missing), (4, Vec::new()), "held and not held, for both people");
}

#[test]
fn a_rule_without_a_row_is_told_with_the_name_of_the_person_and_no_number() {
    let mut model = model("tests/apps/library");
    let (people, accounts) = people(&model);
    let loan = std::sync::Arc::make_mut(model.entities.get_mut(&QName::new("lending", "Loan")).unwrap());
    let user = crate::expr::Typed {
        node: crate::expr::Node::Root(crate::expr::Root::User),
        kind: Kind::Object(Model::user_entity()),
        span: Default::default(),
    };
    for rule in &mut loan.rules {
        // Holds for nobody who is signed in: no row can be made for it.
        let nobody =
            crate::expr::Typed { node: crate::expr::Node::IsEmpty(Box::new(user.clone())), ..crate::expr::Typed::boolean(true) };
        std::sync::Arc::make_mut(rule).condition = Some(std::sync::Arc::new(nobody));
    }
    let missing = grow(&model, accounts, &people, now(), 1).missing;
    let first = missing.iter().find(|line| line.contains("lending.Loan")).unwrap_or_else(|| panic!("{missing:?}"));
    assert!(first.contains("holds for no row for ") && first.ends_with(')') && !first.contains("account"), "{first}");
}

#[test]
fn texts_stand_once_fit_their_members_and_are_found_again() {
    let model = model("apps/people");
    let (people, accounts) = people(&model);
    let world = grow(&model, accounts, &people, now(), 1).world;
    let mut seen = BTreeMap::new();
    for (name, rows) in world.rows.iter().filter(|(name, _)| **name != Model::user_entity()) {
        let entity = &model.entities[name];
        for (id, row) in rows {
            for attribute in entity.attributes.values().filter(|a| a.kind() == Kind::Text && a.calculated.is_none()) {
                let Some(text) = row.values[&attribute.name].as_text() else { continue };
                if let AttributeKind::String(most) = attribute.kind {
                    assert!(text.chars().count() <= most as usize, "{name}.{}: {text}", attribute.name);
                }
                if let Some(pattern) = &attribute.pattern {
                    let whole = regex::Regex::new(&format!("^(?:{})$", pattern.as_str())).unwrap();
                    assert!(whole.is_match(text), "{name}.{}: {text}", attribute.name);
                }
                if text.len() >= 5 {
                    assert!(seen.insert(text.to_owned(), id).is_none(), "{text} stands twice");
                }
            }
        }
    }
    assert!(seen.len() > 200, "{}", seen.len());
    let marks = Marks::of(&model, &world, now());
    for text in seen.keys() {
        assert_eq!(marks.find(&format!("<td>{text}</td>")).len(), 1, "{text}");
        assert!(marks.find(&format!("<td>x{text}</td>")).is_empty(), "a part of a longer word is another word");
    }
}

#[test]
fn numbers_and_days_are_found_in_every_dress() {
    let model = model("apps/people");
    let (_, mut world) = people(&model);
    let employee = QName::new("hr", "Employee");
    let values = BTreeMap::from([
        (Name::new("salary"), Value::Decimal(crate::domain::Decimal::new(48_392_017, 2))),
        (Name::new("birthDate"), Value::Date(chrono::NaiveDate::from_ymd_opt(1971, 4, 5).unwrap())),
        (Name::new("joined"), Value::Date(now().date())),
    ]);
    world.rows.entry(employee).or_default().insert(ObjectId(FIRST), StoredRow { version: 1, values });
    let marks = Marks::of(&model, &world, now());
    for told in ["483,920.17", "483920.17", "483.920,17", "483\u{a0}920,17", "5 Apr 1971", "1971-04-05"] {
        assert_eq!(marks.find(&format!(">{told}<")).len(), 1, "{told}");
    }
    for other in ["2 Mar 2026", "1483920.17", "15 Apr 1971", "483920.175"] {
        assert!(marks.find(&format!(">{other}<")).is_empty(), "{other}");
    }
}
