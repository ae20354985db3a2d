//! The oracle says what the rules say, and agrees with nobody by accident.

use super::*;
use crate::model::{self, Files};
use crate::store::StoredRow;
use std::path::Path;

fn people() -> Model {
    model::load(&Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/people")).unwrap()).0.unwrap()
}

fn now() -> NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(2026, 3, 2).unwrap().and_hms_opt(9, 0, 0).unwrap()
}

fn q(name: &str) -> QName {
    QName::parse(name).unwrap()
}

/// Two departments, one below the other; the head of the upper one, and one person in each.
fn world() -> World {
    let mut world = World::default();
    let mut put = |entity: &str, id: i64, values: &[(&str, Value)]| {
        let values = values.iter().map(|(name, value)| (Name::new(name), value.clone())).collect();
        world.rows.entry(q(entity)).or_default().insert(ObjectId(id), StoredRow { version: 1, values });
    };
    let to = |id| Value::Object(ObjectId(id));
    (1..=3).for_each(|id| put("system.User", id, &[("name", Value::text("x"))]));
    put("hr.Department", 10, &[("head", to(21)), ("parent", Value::Empty)]);
    put("hr.Department", 11, &[("head", Value::Empty), ("parent", to(10))]);
    for (id, account, department, status) in [(21, 1, 10, "Active"), (22, 2, 11, "Active"), (23, 3, 11, "Left")] {
        let pay = Value::Decimal(crate::domain::Decimal::new(id, 0));
        put(
            "hr.Employee",
            id,
            &[("account", to(account)), ("department", to(department)), ("status", Value::text(status)), ("salary", pay)],
        );
    }
    world
}

fn who(role: &str, user: i64) -> Who {
    Who { role: Name::new(role), user: Some(ObjectId(user)) }
}

#[test]
fn a_head_reads_the_pay_below_and_nobody_elses_reads_more_than_the_rules_give() {
    let (model, world) = (people(), world());
    let oracle = Oracle { model: &model, world: &world, now: now() };
    let employee = &model.entities[&q("hr.Employee")];
    let pay = |who: &Who, id: i64| oracle.reads(who, employee, ObjectId(id), &Name::new("salary"));
    let read = |who: Who| [pay(&who, 21), pay(&who, 22), pay(&who, 23)];
    assert_eq!(read(who("Manager", 1)), [true, true, true], "their own department and those below");
    assert_eq!(read(who("Employee", 2)), [false, true, false], "their own, and who left is not shown to colleagues");
    assert_eq!(read(who("Recruiter", 2)), [false, false, false], "a guardrail beats every rule");
    assert_eq!(read(who("Auditor", 1)), [false, false, false]);
    assert_eq!(read(Who { role: Name::new("Visitor"), user: None }), [false, false, false]);
}

#[test]
fn a_change_is_forbidden_unless_a_rule_gives_it_before_and_after() {
    let (model, world) = (people(), world());
    let oracle = Oracle { model: &model, world: &world, now: now() };
    let changed = |id: i64, member: &str, value: Value| {
        let mut after = world.clone();
        after.set(&q("hr.Employee"), ObjectId(id), &Name::new(member), value);
        after
    };
    let verdict = |who: Who, after: World| oracle.forbids(&after, &world.differences(&after), &who, None);
    assert_eq!(verdict(who("Employee", 2), changed(22, "phone", Value::text("+44 1632 960000"))), None);
    assert!(verdict(who("Employee", 2), changed(21, "phone", Value::text("+44 1632 960000"))).is_some());
    assert!(verdict(who("HrAdministrator", 1), changed(22, "salary", Value::Integer(1))).unwrap().contains("salary"));
    assert!(verdict(who("Employee", 2), changed(22, "account", Value::Empty)).is_some());
    let mut gone = world.clone();
    gone.rows.get_mut(&q("hr.Employee")).unwrap().remove(&ObjectId(23));
    assert!(verdict(who("HrAdministrator", 1), gone).unwrap().contains("deleted"));
}

#[test]
fn what_a_flow_declares_is_allowed_to_the_flow_and_to_nothing_else() {
    let (model, world) = (people(), world());
    let oracle = Oracle { model: &model, world: &world, now: now() };
    let mut after = world.clone();
    after.set(&q("hr.Employee"), ObjectId(22), &Name::new("salary"), Value::Integer(1));
    let all = world.differences(&after);
    let declared: Extra =
        model.microflows[&q("hr.ChangeSalary")].elevation.iter().map(|(name, rules)| (name.clone(), rules.clone())).collect();
    let helen = who("HrAdministrator", 1);
    assert!(oracle.forbids(&after, &all, &helen, None).is_some());
    assert_eq!(oracle.forbids(&after, &all, &helen, Some(&declared)), None);
    after.set(&q("hr.Employee"), ObjectId(22), &Name::new("account"), Value::Empty);
    assert!(oracle.forbids(&after, &world.differences(&after), &helen, Some(&declared)).is_some());
}

/// The same expressions, the same rows, two interpreters that share nothing.
#[test]
fn the_oracle_and_the_evaluator_come_to_the_same_for_every_rule_over_every_canary_row() {
    use crate::expr::{Data, Environment, EvalError, evaluate};
    struct Rows<'w>(&'w Model, &'w World);
    impl Data for Rows<'_> {
        fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
            if self.0.entities[entity].inverses.contains_key(name) {
                return Ok(self.many(entity, object, name)?.first().map_or(Value::Empty, |id| Value::Object(*id)));
            }
            Ok(self.1.value(entity, object, name))
        }
        fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
            let Some(inverse) = self.0.entities[entity].inverses.get(name) else {
                return Ok(if let Value::List(all) = self.1.value(entity, object, name) { all } else { Vec::new() });
            };
            let leads = |id: &ObjectId| match self.1.value(&inverse.owner, *id, &inverse.association) {
                Value::Object(to) => to == object,
                Value::List(all) => all.contains(&object),
                _ => false,
            };
            Ok(self.1.ids(&inverse.owner).into_iter().filter(leads).collect())
        }
    }
    let (mut compared, mut held) = (0, 0);
    for app in ["apps/people", "tests/apps/library"] {
        let model = model::load(&Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(app)).unwrap()).0.unwrap();
        let mut accounts = World::default();
        let mut people = Vec::new();
        for (at, role) in model.user_roles.keys().enumerate() {
            let id = ObjectId(i64::try_from(at).unwrap() + 1);
            let row = StoredRow { version: 1, values: BTreeMap::from([(Name::new("active"), Value::Boolean(true))]) };
            accounts.rows.entry(Model::user_entity()).or_default().insert(id, row);
            people.push(Who { role: role.clone(), user: Some(id) });
        }
        let world = crate::attack::canary::grow(&model, accounts, &people, now(), 7).world;
        let oracle = Oracle { model: &model, world: &world, now: now() };
        for entity in model.entities.values().filter(|entity| entity.persistable) {
            let rules = entity.rules.iter().filter_map(|rule| rule.condition.as_deref());
            let computed = entity.attributes.values().filter_map(|attribute| attribute.calculated.as_deref());
            for expression in rules.chain(computed).chain(entity.validations.iter().map(|validation| &validation.rule)) {
                for (who, id) in people.iter().flat_map(|who| world.ids(&entity.name).into_iter().map(move |id| (who, id))) {
                    let (roles, none) = (BTreeSet::from([who.role.clone()]), BTreeMap::new());
                    let environment = Environment { this: Some(id), user: who.user, roles: &roles, now: now(), variables: &none };
                    let theirs = evaluate(expression, &environment, &mut Rows(&model, &world)).map_err(|_| Fault);
                    assert_eq!(oracle.compute(expression, who, Some(id)), theirs, "{} {}#{}", who.role, entity.name, id.0);
                    compared += 1;
                    held += usize::from(theirs == Ok(Value::Boolean(true)));
                }
            }
        }
    }
    assert!(compared > 3_000 && held > 300, "{compared} {held}");
}
