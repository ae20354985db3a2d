//! What a page offers is what a write is granted: over random rules and rows, on both databases.

use crate::access::{Authority, Denied, Grants, ObjectError, Objects, WriteError};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::sql::{Params, Sql, execute};
use crate::db::testing::each;
use crate::db::{Conn, Db, DbError};
use crate::domain::{Kind, Name, ObjectId, QName, Value, parse_value};
use crate::model::{Files, Model, load};
use crate::page::tests::desk::{Plain, grid, nodes};
use crate::page::{self, ClientQuery, DataState, FieldState, Handles, Node, PageContext, Reader, View};
use crate::store::{Bulk, Caller, Recorder, Statements, Store, apply, prepare};
use chrono::{NaiveDate, NaiveDateTime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Entities, each with rules of its own.
const ENTITIES: usize = 10;
/// Rows of each.
const ROWS: i64 = 5;
const USER: ObjectId = ObjectId(1);
const MEMBERS: [&str; 4] = ["a", "b", "flag", "state"];

/// Always the same numbers, one after another.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }
    fn yes(&mut self) -> bool {
        self.below(2) == 0
    }
    fn leaf(&mut self, entity: usize) -> String {
        match self.below(9) {
            0 => format!("this.b > {}", self.below(3)),
            1 => "this.flag".into(),
            2 => format!("this.state == '{}'", ["A", "B", "C"][self.below(3)]),
            3 => "this.team == user.staff.team".into(),
            4 => "within(this.team, user.staff.team)".into(),
            5 => "this.team in user.staff.teams".into(),
            6 => format!("exists(this.parts{entity}[item.n > {}])", self.below(3)),
            7 => format!("this.team.size > {}", self.below(3)),
            _ => "user.staff.senior".into(),
        }
    }
    fn condition(&mut self, entity: usize) -> String {
        let (first, second) = (self.leaf(entity), self.leaf(entity));
        match self.below(4) {
            0 => format!("{first} && {second}"),
            1 => format!("{first} || {second}"),
            2 => format!("!({first})"),
            _ => first,
        }
    }
    /// Rules of which the first lets everything be read.
    fn rules(&mut self, entity: usize) -> String {
        let mut all = String::from("      - {roles: [R], read: [a, b, flag, state, team]}\n");
        for _ in 0..=self.below(3) {
            let condition = self.condition(entity);
            let written: Vec<&str> = MEMBERS.into_iter().filter(|_| self.yes()).collect();
            let delete = self.yes();
            all.push_str(&format!(
                "      - {{roles: [R], create: {}, delete: {delete}, read: [a], write: [{}], where: \"{condition}\"}}\n",
                self.yes(),
                written.join(", ")
            ));
        }
        all
    }
}

const APP: &str = "app: x\ntitle: X\nlevel: prototype\nlanguage: en\nlanguages: [en]\nmodules: [m]\nuserRoles:\n  A: {moduleRoles: [m.R]}\nsystemAccess:\n  User:\n    - {roles: [m.R], read: [name]}\n";

fn model(chance: &mut Chance) -> Arc<Model> {
    let mut domain = String::from(
        "enumerations:\n  State: {A: {}, B: {}, C: {}}\nentities:\n  Team:\n    attributes: {size: {type: integer}}\n    associations: {parent: {to: Team, inverse: children}}\n    tree: parent\n    access: [{roles: [R], read: [size, parent]}]\n  Staff:\n    attributes: {senior: {type: boolean}}\n    associations:\n      account: {to: system.User, kind: one-to-one, inverse: staff}\n      team: {to: Team, inverse: staff}\n      teams: {to: Team, kind: many-to-many, inverse: guests}\n    access: [{roles: [R], read: [senior, account, team, teams]}]\n",
    );
    let mut files = vec![("app.yaml".to_owned(), APP.to_owned()), ("m/module.yaml".into(), "roles: {R: Works}\n".into())];
    for n in 0..ENTITIES {
        domain.push_str(&format!(
            "  Thing{n}:\n    attributes:\n      a: {{type: string, length: 20}}\n      b: {{type: integer, default: \"1\"}}\n      flag: {{type: boolean}}\n      state: {{type: enumeration, of: State, default: \"'A'\"}}\n    associations:\n      team: {{to: Team, inverse: things{n}, default: \"user.staff.team\"}}\n    access:\n{}  Part{n}:\n    attributes: {{n: {{type: integer}}}}\n    associations: {{thing: {{to: Thing{n}, inverse: parts{n}, onDelete: clear}}}}\n    access: [{{roles: [R], read: [n, thing]}}]\n",
            chance.rules(n)
        ));
        let fields = "        - input: {member: a}\n        - input: {member: b}\n        - input: {member: flag}\n        - input: {member: state}\n        - button: {caption: Save, save: {}}\n";
        let form = format!(
            "title: F\nroles: [R]\nparameters: {{It: Thing{n}}}\ncontent:\n  - dataView:\n      source: {{parameter: It}}\n      content:\n{fields}        - button: {{caption: Delete, delete: {{}}}}\n"
        );
        let new =
            format!("title: N\nroles: [R]\ncontent:\n  - dataView:\n      source: {{new: Thing{n}}}\n      content:\n{fields}");
        let list = format!(
            "title: L\nroles: [R]\ncontent:\n  - dataGrid:\n      source: {{entity: Thing{n}}}\n      columns: [{{show: b, title: B}}]\n      rowButtons: [{{button: {{caption: Delete, delete: {{}}}}}}]\n"
        );
        for (word, text) in [("Form", form), ("New", new), ("List", list)] {
            files.push((format!("m/pages/{word}{n}.yaml"), text));
        }
    }
    files.push(("m/domain.yaml".into(), domain));
    let files = Files::of(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let (model, findings) = load(&files);
    Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())))
}

fn now() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_opt(12, 0, 0).unwrap()
}
fn name(text: &str) -> QName {
    QName::new("m", text)
}

struct Stage<'d> {
    db: &'d Db,
    statements: Statements,
    grants: Grants,
    recorder: Recorder,
    offered: usize,
    withheld: usize,
}

/// Nothing of it stays.
struct Undone;

impl From<DbError> for Undone {
    fn from(error: DbError) -> Self {
        panic!("{error}")
    }
}

impl<'d> Stage<'d> {
    fn new(db: &'d Db, chance: &mut Chance) -> Self {
        let model = model(chance);
        let statements = Statements::new(&model).unwrap();
        apply(db, &statements, &BTreeSet::new(), now()).unwrap();
        let grants = Grants::compile(&model, &[Name::new("A")].into(), true);
        prepare(db, &statements, &grants).unwrap();
        let recorder =
            Recorder { keys: Keys::ephemeral(), node: "n".into(), clock: Clock::fixed(now()), who: None, request_id: None };
        let stage = Self { db, statements, grants, recorder, offered: 0, withheld: 0 };
        stage.seed(chance);
        stage
    }

    /// One account with its staff, a tree of teams, and things with parts. Keys are given in the order of the rows.
    fn seed(&self, chance: &mut Chance) {
        let mut rows: Vec<(QName, Vec<(&str, String)>)> = Vec::new();
        for parent in ["", "#1", "#2", ""] {
            rows.push((name("Team"), vec![("size", chance.below(4).to_string()), ("parent", parent.into())]));
        }
        let team = format!("#{}", 1 + chance.below(3));
        rows.push((name("Staff"), vec![("senior", chance.yes().to_string()), ("account", "#1".into()), ("team", team)]));
        for n in 0..ENTITIES {
            for id in 1..=ROWS {
                let state = ["A", "B", "C"][chance.below(3)].to_owned();
                let team = ["", "#1", "#2", "#3", "#4"][chance.below(5)].to_owned();
                let (b, flag) = (chance.below(4).to_string(), chance.yes().to_string());
                let thing = vec![("a", "x".into()), ("b", b), ("flag", flag), ("state", state), ("team", team)];
                rows.push((name(&format!("Thing{n}")), thing));
                let thing = if chance.yes() { format!("#{id}") } else { String::new() };
                rows.push((name(&format!("Part{n}")), vec![("n", chance.below(4).to_string()), ("thing", thing)]));
            }
        }
        let model = self.statements.model().clone();
        let done = self.db.write(|conn| {
            account(conn)?;
            let mut bulk = Bulk::new(conn, &model, now()).unwrap();
            for (entity, members) in &rows {
                let known = model.entity(entity).unwrap();
                let value = |(member, text): &(&str, String)| {
                    let kind = known.member_kind(member).unwrap();
                    (Name::new(member), parse_value(&kind, text).unwrap_or(Value::Empty))
                };
                bulk.insert(entity, members.iter().map(value).collect())?;
            }
            bulk.refer(&name("Staff"), ObjectId(1), "teams", &[ObjectId(3), ObjectId(4)])?;
            bulk.finish()
        });
        done.unwrap();
    }

    fn open(&self, page: &str, query: &[(&str, String)]) -> View {
        let page = self.statements.model().pages[&name(page)].clone();
        let permit = self.grants.open(&page.name).unwrap();
        let query = ClientQuery::new(query.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()).unwrap();
        let mut handles = Plain::default();
        let mut view = None;
        let done = self.db.read(|conn| {
            let mut store = Store::new(conn, &self.statements, Caller { user: Some(USER), now: now() }, &self.recorder);
            let arguments = page::arguments(&page, &query, None, &mut handles).unwrap();
            let reader =
                Reader { user: Some(USER), name: "U".into(), email: "u@x.example".into(), now: now(), language: "en".into() };
            let mut context = PageContext {
                grants: &self.grants,
                objects: &mut store,
                arguments,
                query: &query,
                handles: &mut handles,
                form: None,
                reader,
                xray: false,
            };
            view = Some(page::open(&permit, &page, &mut context));
            Ok::<_, DbError>(())
        });
        done.unwrap();
        view.unwrap().unwrap()
    }

    /// Whether the store grants a write; nothing of it stays.
    fn granted(&self, about: &str, write: impl Fn(&mut Store<'_>, &Grants) -> Result<(), WriteError>) -> bool {
        let mut granted = None;
        let done = self.db.write(|conn| {
            let mut store = Store::new(conn, &self.statements, Caller { user: Some(USER), now: now() }, &self.recorder);
            granted = Some(match write(&mut store, &self.grants) {
                Ok(()) => Ok(true),
                Err(WriteError::Object(ObjectError::Denied(Denied { .. }))) => Ok(false),
                // It is run again where something was not generated yet.
                Err(other) => Err(format!("{:?} {about}: {other:?}", self.db.dialect())),
            });
            Err::<(), _>(Undone)
        });
        assert!(done.is_err());
        granted.unwrap().unwrap_or_else(|error| panic!("{error}"))
    }

    fn changes(&self, entity: &QName, id: i64, member: &str, value: &Value) -> bool {
        let values = BTreeMap::from([(Name::new(member), value.clone())]);
        let about = format!("{entity}#{id}.{member} = {value:?}: {}", self.written(entity));
        self.granted(&about, |store, grants| {
            let permit = (grants as &dyn Authority).change(entity, values.keys())?;
            store.change(&permit, ObjectId(id), Some(1), &values)
        })
    }
    fn deletes(&self, entity: &QName, id: i64) -> bool {
        let about = format!("delete {entity}#{id}: {}", self.written(entity));
        self.granted(&about, |store, grants| {
            let permit = (grants as &dyn Authority).delete(entity)?;
            store.delete(&permit, ObjectId(id), Some(1))
        })
    }
    fn creates(&self, entity: &QName, values: &BTreeMap<Name, Value>) -> bool {
        let about = format!("new {entity} {values:?}: {}", self.written(entity));
        self.granted(&about, |store, grants| {
            let permit = (grants as &dyn Authority).create(entity, values.keys())?;
            store.create(&permit, values).map(drop)
        })
    }

    /// The rules of an entity as they are written.
    fn written(&self, entity: &QName) -> String {
        let one = |rule: &Arc<crate::model::AccessRule>| {
            let text = rule.condition_text.as_deref().unwrap_or_default();
            format!("create {} delete {} write {:?} where {text}", rule.create, rule.delete, rule.write)
        };
        self.statements.model().entity(entity).unwrap().rules.iter().map(one).collect::<Vec<_>>().join(" | ")
    }

    /// What could be typed: for `a` something that no rule looks at, for the others every value that a rule tells apart.
    fn candidates(member: &str) -> Vec<Value> {
        match member {
            "a" => vec![Value::text("typed")],
            "b" => (0..=4).map(Value::Integer).collect(),
            "flag" => vec![Value::Boolean(true), Value::Boolean(false)],
            _ => ["A", "B", "C"].into_iter().map(Value::text).collect(),
        }
    }

    fn count(&mut self, offered: bool) {
        if offered { self.offered += 1 } else { self.withheld += 1 }
    }

    fn form(&mut self, n: usize, id: i64) {
        let entity = name(&format!("Thing{n}"));
        let view = self.open(&format!("Form{n}"), &[("It", Plain::default().write(&entity, ObjectId(id)))]);
        let (fields, buttons) = (editable(&view), buttons(&view));
        let about = |what: &str| format!("{entity}#{id}.{what}: {}", self.written(&entity));
        let plain = fields.contains("a");
        assert_eq!(plain, self.changes(&entity, id, "a", &Value::text("typed")), "{}", about("a"));
        for member in MEMBERS.into_iter().filter(|member| !fields.contains(*member)) {
            let stored = Self::candidates(member).into_iter().filter(|value| self.changes(&entity, id, member, value));
            // What is there already changes nothing, so it is no write; a rule may still admit it.
            let stored: Vec<Value> = stored.collect();
            assert!(stored.len() <= 1, "{} could become {stored:?}", about(member));
        }
        assert_eq!(buttons.contains("Save"), !fields.is_empty(), "{}", about("save"));
        let deletes = self.deletes(&entity, id);
        assert_eq!(buttons.contains("Delete"), deletes, "{}", about("delete"));
        self.count(plain);
        self.count(deletes);
    }

    fn list(&mut self, n: usize) {
        let entity = name(&format!("Thing{n}"));
        let view = self.open(&format!("List{n}"), &[]);
        let rows = &grid(&view).rows;
        assert_eq!(rows.len() as i64, ROWS);
        for row in rows {
            let id = Plain::default().read(&entity, &row.key).unwrap().0;
            assert_eq!(!row.buttons.is_empty(), self.deletes(&entity, id), "{entity}#{id} in its list");
        }
    }

    fn new_form(&mut self, n: usize, chance: &mut Chance) {
        let entity = name(&format!("Thing{n}"));
        let view = self.open(&format!("New{n}"), &[]);
        let shown = nodes(&view).iter().any(|node| matches!(node, Node::DataView(view) if view.state == DataState::Shown));
        let fields = editable(&view);
        for _ in 0..6 {
            let mut values = BTreeMap::new();
            for member in MEMBERS {
                let all = Self::candidates(member);
                if chance.yes() {
                    values.insert(Name::new(member), all[chance.below(all.len())].clone());
                }
            }
            if self.creates(&entity, &values) {
                let beyond: Vec<_> = values.keys().filter(|member| !fields.contains(member.as_str())).collect();
                assert!(shown && beyond.is_empty(), "{entity}: {values:?} could be made, and {beyond:?} was not offered");
            }
        }
        self.count(shown);
    }
}

fn account(conn: &mut Conn) -> Result<(), DbError> {
    let mut sql = Sql::new();
    sql.raw("INSERT INTO account (name, email, state, created, changed) VALUES ('U', 'u@x.example', 'active', ");
    sql.bind(&Value::DateTime(now()), &Kind::DateTime).raw(", ").bind(&Value::DateTime(now()), &Kind::DateTime).raw(")");
    execute(conn, &sql, &Params::new(None, now(), now().date())).map(drop)
}

fn editable(view: &View) -> BTreeSet<String> {
    let member = |node: &Node| match node {
        Node::Input(input) if input.state == FieldState::Editable => Some(input.label.to_lowercase()),
        _ => None,
    };
    nodes(view).into_iter().filter_map(member).collect()
}
fn buttons(view: &View) -> BTreeSet<String> {
    let caption = |node: &Node| if let Node::Button(button) = node { Some(button.caption.peek().clone()) } else { None };
    nodes(view).into_iter().filter_map(caption).collect()
}

#[test]
fn what_a_page_offers_is_granted_and_what_it_does_not_offer_is_refused() {
    for seed in [1, 2, 3] {
        each(|db| {
            let mut chance = Chance(seed);
            let mut stage = Stage::new(db, &mut chance);
            for n in 0..ENTITIES {
                (1..=ROWS).for_each(|id| stage.form(n, id));
                stage.list(n);
                stage.new_form(n, &mut chance);
            }
            assert!(stage.offered > 20 && stage.withheld > 20, "{} offered, {} not", stage.offered, stage.withheld);
        });
    }
}
