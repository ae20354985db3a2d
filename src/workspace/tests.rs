//! Objects in memory: what is held, shown, changed, sent away and taken back.

use super::*;
use crate::access::*;
use crate::domain::Kind;
use crate::expr::{EvalError, Scope, check_condition};
use crate::model::{Files, Severity, load};
use chrono::NaiveDate;

const APP: &str = "
app: desk
title: Desk
level: prototype
language: en
languages: [en]
modules: [d]
userRoles:
  Visitor: {anonymous: true, moduleRoles: [d.Visitor]}
  Clerk: {moduleRoles: [d.Clerk], doc: Works at the desk}
  Boss: {moduleRoles: [d.Clerk, d.Boss], doc: Leads the desk}
guardrails: []
";
const MODULE: &str = "
roles: {Visitor: Anyone, Clerk: Works here, Boss: Leads}
snapshots:
  Offers: {entity: Offer, roles: [Visitor]}
  Hidden: {entity: Offer, roles: [Boss]}
";
const DOMAIN: &str = "
enumerations:
  Size: {Small: {}, Large: {}}
entities:
  Person:
    attributes:
      name: {type: string, required: true}
    associations:
      account: {to: system.User, kind: one-to-one, inverse: person, onDelete: clear}
    access:
      - {roles: [Clerk], read: [name]}
  Form:
    persistable: false
    attributes:
      title: {type: string, length: 10, required: true}
      email: {type: string, email: true}
      code: {type: string, pattern: '[A-Z]{2}[0-9]+', message: Two letters and a number}
      count: {type: integer, min: '1', max: '10', default: '2'}
      price: {type: decimal, precision: 5, scale: 2}
      size: {type: enumeration, of: Size}
      agreed: {type: boolean}
      from: {type: date}
      until: {type: date}
      remark: {type: string}
      double: {type: decimal, precision: 6, scale: 2, calculated: 'this.price * 2'}
    associations:
      person: {to: Person, default: user.person}
      lines: {to: Line, kind: many-to-many, onDelete: clear}
    validations:
      - {member: until, rule: 'this.until == empty || this.until >= this.from', message: It ends before it begins}
    access:
      - roles: [Clerk]
        create: true
        delete: true
        read: [title, email, code, count, price, size, agreed, from, until, double, person, lines]
        write: [title, email, code, count, price, size, agreed, from, until, person, lines]
      - {roles: [Boss], read: [remark], write: [remark]}
  Line:
    persistable: false
    attributes:
      text: {type: text}
    associations:
      form: {to: Form, onDelete: cascade}
    access:
      - {roles: [Clerk], create: true, delete: true, read: [text, form], write: [text, form]}
  Offer:
    persistable: false
    attributes:
      title: {type: string}
      price: {type: decimal}
      place: {type: string}
    access:
      - {roles: [Visitor], read: [title, price]}
      - {roles: [Boss], read: [title, price, place]}
";

fn q(name: &str) -> QName {
    QName::new("d", name)
}

fn values<'a>(all: impl IntoIterator<Item = (&'a str, Value)>) -> BTreeMap<Name, Value> {
    all.into_iter().map(|(name, value)| (Name::new(name), value)).collect()
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn model() -> Arc<Model> {
    let files = Files::of([("app.yaml", APP), ("d/module.yaml", MODULE), ("d/domain.yaml", DOMAIN)]);
    let (model, findings) = load(&files);
    let told: Vec<_> = findings.0.iter().filter(|f| f.severity == Severity::Error).map(|f| f.human()).collect();
    Arc::new(model.unwrap_or_else(|| panic!("{}", told.join("\n"))))
}

/// A store that knows one person and who the caller is, and nothing else.
struct One;

impl Objects for One {
    fn view(&mut self, permit: &Permit<View>, query: &Query) -> Result<Released<Rows>, ObjectError> {
        assert_eq!(*permit.target(), q("Person"));
        let cells = query.paths.iter().map(|_| Cell::Shown(text("Emma"))).collect();
        let row = Row { id: ObjectId(1), version: 1, cells };
        let rows = if query.object == Some(ObjectId(1)) { vec![row] } else { Vec::new() };
        Ok(permit.release(Rows { rows, ..Rows::default() }))
    }
    fn figure(&mut self, permit: &Permit<View>, _: &Query, _: Option<&Name>) -> Result<Released<Cell>, ObjectError> {
        Ok(permit.release(Cell::Withheld))
    }
    fn load(&mut self, _: &Permit<Load>, _: &Query) -> Result<Vec<LoadedObject>, ObjectError> {
        Ok(Vec::new())
    }
    fn create(&mut self, _: &Permit<Create>, _: &BTreeMap<Name, Value>) -> Result<ObjectId, WriteError> {
        Ok(ObjectId(2))
    }
    fn change(&mut self, _: &Permit<Change>, _: ObjectId, _: Option<i64>, _: &BTreeMap<Name, Value>) -> Result<(), WriteError> {
        Ok(())
    }
    fn delete(&mut self, _: &Permit<Delete>, _: ObjectId, _: Option<i64>) -> Result<(), WriteError> {
        Ok(())
    }
    fn identity(&mut self, name: &Name) -> Result<Value, EvalError> {
        Ok(if &**name == "person" { Value::Object(ObjectId(1)) } else { Value::Empty })
    }
}

struct Caller {
    grants: Grants,
    workspace: Workspace,
}

fn caller(role: &str) -> Caller {
    let model = model();
    let signed_in = role != "Visitor";
    let grants = Grants::compile(&model, &[Name::new(role)].into(), signed_in);
    let now = NaiveDate::from_ymd_opt(2026, 3, 2).unwrap().and_hms_opt(14, 5, 0).unwrap();
    let user = signed_in.then_some(ObjectId(7));
    Caller { workspace: Workspace::new(model, user, grants.roles().clone(), now), grants }
}

impl Caller {
    fn objects<T>(&mut self, act: impl FnOnce(&mut dyn Objects, &Grants) -> T) -> T {
        act(&mut Both { workspace: &mut self.workspace, store: &mut One }, &self.grants)
    }
    fn create(&mut self, entity: &str, set: BTreeMap<Name, Value>) -> Result<ObjectId, WriteError> {
        self.objects(|objects, grants| {
            let permit = (grants as &dyn Authority).create(&q(entity), set.keys())?;
            objects.create(&permit, &set)
        })
    }
    fn change(&mut self, id: ObjectId, version: Option<i64>, set: BTreeMap<Name, Value>) -> Result<(), WriteError> {
        self.objects(|objects, grants| {
            let permit = (grants as &dyn Authority).change(&q("Form"), set.keys())?;
            objects.change(&permit, id, version, &set)
        })
    }
    fn view(&mut self, query: &Query) -> Result<Rows, ObjectError> {
        self.objects(|objects, grants| objects.view(&grants.view(&query.entity)?, query).map(|rows| rows.peek().clone()))
    }
    fn shown(&mut self, id: ObjectId, path: &str) -> Result<Cell, ObjectError> {
        let path = path.split('.').map(Name::new).collect();
        let rows = self.view(&Query { object: Some(id), ..Query::of(&q("Form"), vec![path]) })?;
        Ok(rows.rows[0].cells[0].clone())
    }
    fn offers(&mut self, snapshot: &str, query: &Query) -> Result<Rows, ObjectError> {
        self.objects(|objects, grants| objects.view(&grants.snapshot(&q(snapshot))?, query).map(|rows| rows.peek().clone()))
    }
}

fn complaints<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Vec<String> {
    match result {
        Err(WriteError::Invalid(all)) => {
            all.into_iter().map(|f| format!("{}: {}", f.member.map(|m| m.to_string()).unwrap_or_default(), f.message)).collect()
        }
        other => panic!("this should have been complained about: {other:?}"),
    }
}

#[test]
fn a_fresh_object_has_its_defaults_and_shows_what_the_reader_may_see() {
    let mut clerk = caller("Clerk");
    let id = clerk.create("Form", values([("title", text("Lamp")), ("price", Value::Integer(12))])).unwrap();
    assert!(id.0 < 0);
    let mut shows = |path: &str| clerk.shown(id, path).map(|cell| cell.value().cloned());
    assert_eq!(shows("title").unwrap(), Some(text("Lamp")));
    assert_eq!(shows("count").unwrap(), Some(Value::Integer(2)));
    assert_eq!(shows("agreed").unwrap(), Some(Value::Boolean(false)));
    assert_eq!(shows("price").unwrap().unwrap().canonical(), "12.00");
    assert_eq!(shows("double").unwrap().unwrap().canonical(), "24.00");
    assert_eq!(shows("person").unwrap(), Some(Value::Object(ObjectId(1))), "the default follows the caller's own account");
    assert_eq!(shows("person.name").unwrap(), Some(text("Emma")), "and a path goes on into the store");
    assert!(shows("remark").is_err(), "a member of the boss is refused");
    assert_eq!(shows("remark").unwrap_err().to_string().replace("remark", "nothing"), shows("nothing").unwrap_err().to_string());
    assert!(shows("person.account").is_ok(), "the store answers for what lies there");
}

#[test]
fn values_that_do_not_fit_are_all_told_at_once() {
    let mut clerk = caller("Clerk");
    let wrong = clerk.create(
        "Form",
        values([
            ("title", text("longer than ten")),
            ("email", text("a@b.example\nBcc: c@d.example")),
            ("code", text("AB12x")),
            ("count", Value::Integer(11)),
            ("price", Value::Decimal("1.234".parse().unwrap())),
            ("size", text("Huge")),
            ("from", text("soon")),
            ("agreed", Value::Empty),
        ]),
    );
    assert_eq!(
        complaints(wrong),
        [
            "code: Two letters and a number",
            "count: This must be at most 10",
            "email: This is not a valid e-mail address",
            "from: This is not a valid date",
            "price: This has more than 2 digits after the point",
            "size: This is not one of the choices",
            "title: This is longer than 10 characters",
        ]
    );
    for (name, value) in [
        ("price", Value::Decimal("1000.00".parse().unwrap())),
        ("count", Value::Integer(0)),
        ("count", Value::Boolean(true)),
        ("title", text("a\0b")),
        ("agreed", text("true")),
        ("person", text("#1")),
    ] {
        assert_eq!(complaints(clerk.create("Form", values([(name, value)]))).len(), 1, "{name}");
    }
    assert_eq!(clerk.view(&Query::of(&q("Form"), vec![])).unwrap().rows, [], "and nothing was made");
}

#[test]
fn required_members_and_validations_are_asked_for_when_the_form_is_run() {
    let mut clerk = caller("Clerk");
    let day = |day| Value::Date(NaiveDate::from_ymd_opt(2026, 3, day).unwrap());
    let id = clerk.create("Form", values([("from", day(5)), ("until", day(4))])).unwrap();
    let check = |clerk: &mut Caller| {
        let found = clerk.objects(|objects, grants| objects.validate(&grants.view(&q("Form")).unwrap(), id)).unwrap();
        found.into_iter().map(|f| (f.member.unwrap().to_string(), f.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        check(&mut clerk),
        [("title".to_owned(), "This is required".to_owned()), ("until".to_owned(), "It ends before it begins".to_owned())]
    );
    clerk.change(id, None, values([("title", text("x")), ("until", Value::Empty)])).unwrap();
    assert_eq!(check(&mut clerk), []);
    let other = clerk.objects(|objects, grants| objects.validate(&grants.view(&q("Line")).unwrap(), id));
    assert!(other.is_err(), "an object is not of another entity");
}

#[test]
fn writing_is_decided_member_by_member_and_by_version() {
    let mut clerk = caller("Clerk");
    let id = clerk.create("Form", values([("title", text("a"))])).unwrap();
    assert!(matches!(clerk.change(id, None, values([("title", text("b")), ("remark", text("x"))])), Err(WriteError::Object(_))));
    assert!(matches!(clerk.change(id, Some(9), values([("title", text("b"))])), Err(WriteError::Stale)));
    assert_eq!(clerk.shown(id, "title").unwrap(), Cell::Shown(text("a")));
    clerk.change(id, Some(1), values([("title", text("b"))])).unwrap();
    clerk.change(id, Some(2), values([("title", text("c"))])).unwrap();
    assert!(clerk.change(ObjectId(-99), None, values([("title", text("b"))])).is_err());
    let mut visitor = caller("Visitor");
    assert!(matches!(visitor.create("Form", BTreeMap::new()), Err(WriteError::Object(ObjectError::Denied(_)))));
}

#[test]
fn deleting_follows_the_associations() {
    let mut clerk = caller("Clerk");
    let form = clerk.create("Form", values([("title", text("a"))])).unwrap();
    let line = clerk.create("Line", values([("text", text("one")), ("form", Value::Object(form))])).unwrap();
    let other = clerk.create("Line", values([("text", text("two"))])).unwrap();
    clerk.change(form, None, values([("lines", Value::List(vec![line]))])).unwrap();
    let lines =
        Query { along: Some((q("Form"), form, Name::new("lines"))), ..Query::of(&q("Line"), vec![vec![Name::new("text")]]) };
    assert_eq!(clerk.view(&lines).unwrap().rows.iter().map(|row| row.id).collect::<Vec<_>>(), [line]);
    clerk.objects(|objects, grants| objects.delete(&(grants as &dyn Authority).delete(&q("Form")).unwrap(), form, None)).unwrap();
    assert_eq!((clerk.workspace.entity_of(form), clerk.workspace.entity_of(line)), (None, None));
    assert_eq!(clerk.workspace.entity_of(other), Some(&q("Line")));
    clerk
        .objects(|objects, grants| objects.delete(&(grants as &dyn Authority).delete(&q("Line")).unwrap(), other, None))
        .unwrap();
    assert_eq!(clerk.workspace.bytes, 0);
}

#[test]
fn two_hundred_objects_and_a_quarter_mebibyte_are_the_most() {
    let mut clerk = caller("Clerk");
    for _ in 0..MOST_OBJECTS {
        clerk.create("Line", BTreeMap::new()).unwrap();
    }
    assert_eq!(complaints(clerk.create("Line", BTreeMap::new())), [": There is too much here to be kept at once"]);
    clerk.workspace = clerk.workspace.for_job();
    clerk.create("Line", BTreeMap::new()).unwrap();
    let mut clerk = caller("Clerk");
    let large = values([("text", text(&"x".repeat(90_000)))]);
    clerk.create("Line", large.clone()).unwrap();
    clerk.create("Line", large.clone()).unwrap();
    assert_eq!(complaints(clerk.create("Line", large)), [": There is too much here to be kept at once"]);
}

#[test]
fn what_travels_comes_back_as_it_was() {
    let mut clerk = caller("Clerk");
    let form = clerk.create("Form", values([("title", text("Ünï\n{x}")), ("size", text("Large"))])).unwrap();
    let line = clerk.create("Line", values([("text", text("one")), ("form", Value::Object(form))])).unwrap();
    let sent = serde_json::to_string(&clerk.workspace.export(line).unwrap()).unwrap();
    assert!(!sent.contains("Kind") && sent.contains("#1"), "{sent}");
    let mut later = caller("Clerk");
    let back: Exported = serde_json::from_str(&sent).unwrap();
    assert_eq!(later.workspace.import(&back).unwrap(), line);
    assert_eq!(later.workspace.objects, clerk.workspace.objects);
    assert_eq!(later.workspace.import(&back).unwrap(), line, "twice the same is the same");
    let fresh = later.create("Line", BTreeMap::new()).unwrap();
    assert!(fresh != line && fresh != form);
    assert_eq!(clerk.workspace.export(ObjectId(-77)), None);
}

#[test]
fn what_comes_back_wrong_is_refused_as_a_whole() {
    let mut clerk = caller("Clerk");
    let one =
        |id: &str, entity: &str, members: &str| format!(r#"{{"id":{id},"entity":"{entity}","version":1,"members":{members}}}"#);
    let good = one("-1", "d.Form", r#"{"title":"a"}"#);
    for wrong in [
        one("-2", "d.Form", r#"{"titel":"a"}"#),
        one("-2", "d.Form", r#"{"double":"1"}"#),
        one("-2", "d.Form", r#"{"count":"abc"}"#),
        one("-2", "d.Form", r#"{"size":"Huge"}"#),
        one("-2", "d.Form", r#"{"title":"a\u0000b"}"#),
        one("-2", "d.Person", r#"{"name":"a"}"#),
        one("-2", "d.Nothing", "{}"),
        one("-2", "Form", "{}"),
        one("5", "d.Form", "{}"),
        one("-1", "d.Form", r#"{"title":"b"}"#),
        one("-9223372036854775808", "d.Form", "{}"),
        one("-1000000000", "d.Offer", "{}"),
    ] {
        let exported: Exported = serde_json::from_str(&format!(r#"{{"objects":[{good},{wrong}]}}"#)).unwrap();
        assert!(matches!(clerk.workspace.import(&exported), Err(WorkspaceError::Misfit(_))), "{wrong}");
        assert!(clerk.workspace.objects.is_empty() && clerk.workspace.bytes == 0, "{wrong}");
    }
    assert!(serde_json::from_str::<Exported>(r#"{"objects":[],"more":1}"#).is_err());
    let many: Vec<String> = (1..=201).map(|at| one(&format!("-{at}"), "d.Line", "{}")).collect();
    let exported: Exported = serde_json::from_str(&format!(r#"{{"objects":[{}]}}"#, many.join(","))).unwrap();
    assert_eq!(clerk.workspace.import(&exported), Err(WorkspaceError::Full));
}

#[test]
fn lists_in_memory_are_filtered_sorted_and_paged() {
    let mut clerk = caller("Clerk");
    for (title, count) in [("Lamp", 3), ("Desk", 1), ("chair", 2), ("Lamp", 5)] {
        clerk.create("Form", values([("title", text(title)), ("count", Value::Integer(count))])).unwrap();
    }
    let path = |name: &str| vec![Name::new(name)];
    let base = Query { sort: vec![(path("title"), false), (path("count"), true)], ..Query::of(&q("Form"), vec![path("count")]) };
    let mut counts = |query: &Query| {
        let rows = clerk.view(query).unwrap();
        (rows.rows.iter().map(|r| r.cells[0].value().unwrap().canonical()).collect::<Vec<_>>().join(" "), rows.more, rows.total)
    };
    assert_eq!(counts(&base).0, "1 5 3 2", "by bytes, then by count descending");
    let paged = Query { limit: 2, offset: 1, total: Some(3), ..base.clone() };
    assert_eq!(counts(&paged), ("5 3".into(), true, Some(Total { count: 3, capped: true })));
    let filter = |op, value| Query { filters: vec![Filter { path: path("count"), op, value }], ..base.clone() };
    assert_eq!(counts(&filter(FilterOp::From, Value::Integer(3))).0, "5 3");
    assert_eq!(counts(&filter(FilterOp::Equal, Value::Integer(1))).0, "1");
    assert_eq!(counts(&filter(FilterOp::Empty, Value::Empty)).0, "");
    let search = Query { search: Some(("CHA".into(), vec![path("title")])), ..base.clone() };
    assert_eq!(counts(&search).0, "2");
    let hidden =
        Query { filters: vec![Filter { path: path("remark"), op: FilterOp::Empty, value: Value::Empty }], ..base.clone() };
    assert!(clerk.view(&hidden).is_err(), "what the reader may not see cannot be asked about");
    let sum = |clerk: &mut Caller, query: &Query, sum: Option<&str>| {
        let sum = sum.map(Name::new);
        clerk.objects(|o, g| o.figure(&g.view(&query.entity).unwrap(), query, sum.as_ref())).unwrap().peek().clone()
    };
    assert_eq!(sum(&mut clerk, &base, None), Cell::Shown(Value::Integer(4)));
    assert_eq!(sum(&mut clerk, &base, Some("count")).value().unwrap().canonical(), "11");
}

#[test]
fn a_constraint_of_the_model_is_evaluated_in_memory() {
    let mut clerk = caller("Clerk");
    let small = clerk.create("Form", values([("count", Value::Integer(1))])).unwrap();
    clerk.create("Form", values([("count", Value::Integer(9))])).unwrap();
    let condition = Condition(clerk.grants.model().clone()).check("this.count < $Most && this.person.name == 'Emma'");
    let inside = Some(Inside { condition, variables: values([("Most", Value::Integer(5))]) });
    let query = Query { inside, ..Query::of(&q("Form"), vec![]) };
    assert_eq!(clerk.view(&query).unwrap().rows.iter().map(|r| r.id).collect::<Vec<_>>(), [small]);
    let loaded = clerk.objects(|o, g| o.load(&(g as &dyn Authority).load(&q("Form")).unwrap(), &query));
    assert!(matches!(loaded, Err(ObjectError::Denied(_))), "without a reader's permit nothing is read in the store");
}

/// Checks a condition over `Form`.
struct Condition(Arc<Model>);

impl Condition {
    fn check(&self, text: &str) -> crate::expr::Typed {
        let schema = self;
        let mut scope = Scope::new(schema, Name::new("d")).with_this(&q("Form"));
        scope.variables.insert(Name::new("Most"), Kind::INTEGER);
        check_condition(text, &scope).unwrap()
    }
}

impl crate::expr::Schema for Condition {
    fn member(&self, entity: &QName, name: &str) -> Option<crate::expr::MemberType> {
        let found = self.0.entity(entity)?;
        let own = found.attributes.get(name).map(|a| crate::expr::MemberType::Attribute(a.kind(), a.calculated.clone()));
        own.or_else(|| found.associations.get(name).map(|a| crate::expr::MemberType::ToOne(a.target.clone())))
    }
    fn members(&self, _: &QName) -> Vec<Name> {
        Vec::new()
    }
    fn enumeration(&self, _: &QName) -> Option<Vec<Name>> {
        None
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

fn offer(title: &str, place: &str) -> BTreeMap<Name, Value> {
    values([("title", text(title)), ("place", text(place)), ("price", Value::Decimal("7.50".parse().unwrap()))])
}

#[test]
fn a_snapshot_shows_what_was_published_to_those_who_may_read_it() {
    let mut visitor = caller("Visitor");
    let model = visitor.grants.model().clone();
    let snapshots = Arc::new(Snapshots::new(model));
    let copy = snapshots.copy_of(&q("Offers"), &[offer("Vase", "cellar"), offer("Lamp", "attic")]).unwrap();
    snapshots.take(&q("Offers"), 1, copy.text()).unwrap();
    visitor.workspace = visitor.workspace.with_snapshots(snapshots.clone());
    let query = Query { sort: vec![(vec![Name::new("title")], false)], ..Query::of(&q("Offer"), vec![vec![Name::new("title")]]) };
    let rows = visitor.offers("Offers", &query).unwrap();
    let titles: Vec<_> = rows.rows.iter().map(|r| r.cells[0].value().unwrap().canonical()).collect();
    assert_eq!(titles, ["Lamp", "Vase"]);
    assert!(visitor.offers("Hidden", &query).is_err(), "a snapshot of other roles is closed");
    let hidden = Query::of(&q("Offer"), vec![vec![Name::new("place")]]);
    assert!(visitor.offers("Offers", &hidden).is_err(), "a member that is not granted stays hidden");
    assert_eq!(visitor.view(&query).unwrap().rows, [], "the snapshot's objects are not the visitor's own");

    let lamp = rows.rows[0].id;
    let exported = visitor.workspace.export(lamp).unwrap();
    let mut later = caller("Visitor");
    assert_eq!(later.workspace.export(lamp), None, "a number alone opens nothing");
    let id = later.workspace.import(&exported).unwrap();
    let shown = later.view(&Query { object: Some(id), ..query.clone() }).unwrap();
    assert_eq!(shown.rows[0].cells[0], Cell::Shown(text("Lamp")));

    let copy = snapshots.copy_of(&q("Offers"), &[]).unwrap();
    snapshots.take(&q("Offers"), 2, copy.text()).unwrap();
    assert_eq!(visitor.offers("Offers", &query).unwrap().rows.len(), 2, "one request sees one list");
}

#[test]
fn a_newer_publication_replaces_an_older_one_and_a_spoilt_one_shows_nothing() {
    let snapshots = Snapshots::new(model());
    let whole = snapshots.copy_of(&q("Offers"), &[offer("Vase", "cellar")]).unwrap().text().to_owned();
    snapshots.take(&q("Offers"), 7, &whole).unwrap();
    assert!(snapshots.is_newer(&q("Offers"), 8) && !snapshots.is_newer(&q("Offers"), 7) && !snapshots.is_newer(&q("Nothing"), 1));
    let empty = snapshots.copy_of(&q("Offers"), &[]).unwrap();
    snapshots.take(&q("Offers"), 6, empty.text()).unwrap();
    assert_eq!(snapshots.list(&q("Offers")).len(), 1, "what another node published later stands");
    let spoilt = [
        whole.replace("title", "titel"),
        whole.replace("d.Offer", "d.Form"),
        whole.get(..20).unwrap().to_owned(),
        whole.replace("7.50", "much"),
        "x".repeat(2 << 20),
    ];
    for (number, text) in (8..).zip(spoilt) {
        assert!(snapshots.take(&q("Offers"), number, &text).is_err());
        assert!(snapshots.list(&q("Offers")).is_empty() && !snapshots.is_newer(&q("Offers"), number), "it is told once");
    }
}

#[test]
fn a_publication_is_bounded_and_fits_the_entity() {
    let snapshots = Snapshots::new(model());
    let publish = |name: &str, objects: &[BTreeMap<Name, Value>]| snapshots.copy_of(&q(name), objects);
    publish("Offers", &[offer("Vase", "")]).unwrap();
    assert!(matches!(publish("Nothing", &[]), Err(SnapshotError::Unknown(_))));
    assert!(matches!(publish("Offers", &vec![BTreeMap::new(); 2_001]), Err(SnapshotError::TooLarge(_))));
    let long = offer(&"x".repeat(2_000), "");
    assert!(matches!(publish("Offers", &vec![long; 1_000]), Err(SnapshotError::TooLarge(_))));
    assert!(matches!(publish("Offers", &[values([("salary", text("1"))])]), Err(SnapshotError::Misfit(..))));
}

#[test]
fn a_visitors_store_is_closed() {
    let mut clerk = caller("Clerk");
    let grants = clerk.grants.clone();
    let mut both = Both { workspace: &mut clerk.workspace, store: &mut Closed };
    let person = grants.view(&q("Person")).unwrap();
    assert!(both.view(&person, &Query::of(&q("Person"), vec![])).is_err());
    assert!(both.figure(&person, &Query::of(&q("Person"), vec![]), None).is_err());
    assert!(both.load(&(&grants as &dyn Authority).load(&q("Person")).unwrap(), &Query::of(&q("Person"), vec![])).is_err());
    assert!(both.identity(&Name::new("person")).is_err());
    let form = (&grants as &dyn Authority).create(&q("Form"), []).unwrap();
    assert!(both.create(&form, &BTreeMap::new()).is_err(), "a default that needs the store cannot be had");
}
