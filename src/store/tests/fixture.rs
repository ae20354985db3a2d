//! An app with every kind of member, and ways to act in it.

use crate::access::{Authority, Grants, ObjectError, Objects, Query, Row, Rows, WriteError};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::schema::account;
use crate::db::{Conn, Db, DbError, Dialect, Moment, on};
use crate::domain::{Decimal, Kind, Name, ObjectId, QName, Value};
use crate::expr::{MemberType, Schema};
use crate::model::{Files, Model, Multiplicity, load};
use crate::store::engine::whole;
use crate::store::{Caller, Recorder, Statements, Store, apply, prepare};
use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const APP: &str = "
app: people
title: People
level: prototype
language: en
languages: [en]
modules: [hr]
userRoles:
  Employee: {moduleRoles: [hr.User], doc: Works here}
  Boss: {moduleRoles: [hr.User, hr.Manager], doc: Leads}
  Administrator: {moduleRoles: [hr.Administrator], doc: All}
administration: {}
navigation: []
demoUsers: []
systemAccess:
  User:
    - {roles: [hr.Administrator], read: [name, email, active]}
";

pub const MODULE: &str = "
roles: {User: Works here, Manager: Leads people, Administrator: May do all}
";

pub const DOMAIN: &str = "
enumerations:
  Status: {Active: {}, Leaving: {}, Gone: {}}
entities:
  Department:
    attributes:
      name: {type: string, length: 100, required: true}
      code: {type: string, length: 10}
      budget: {type: decimal, precision: 12, scale: 2}
      rate: {type: decimal, precision: 8, scale: 4}
      open: {type: boolean}
    associations:
      parent: {to: Department, inverse: children, onDelete: refuse}
      head: {to: Employee, inverse: headOf, onDelete: clear}
    tree: parent
    display: name
    access:
      - {roles: [User], read: [name, code, parent]}
      - {roles: [Manager], read: [budget], where: \"within(this, user.employee.headOf)\"}
      - roles: [Administrator]
        create: true
        delete: true
        read: [name, code, budget, rate, open, parent, head]
        write: [name, code, budget, rate, open, parent, head]
  Employee:
    store: [created, changed, owner, changedBy]
    attributes:
      number: {type: autonumber}
      name: {type: string, length: 40, required: true}
      nick: {type: string, length: 40}
      notes: {type: text}
      email: {type: string, length: 100, email: true}
      code: {type: string, length: 10, pattern: '[A-Z]{2}[0-9]+', message: Two capitals and digits}
      age: {type: integer, min: 0, max: 150}
      salary: {type: decimal, precision: 10, scale: 2}
      factor: {type: decimal, precision: 6, scale: 3}
      born: {type: date}
      left: {type: date}
      seen: {type: datetime}
      status: {type: enumeration, of: Status, default: \"'Active'\"}
      active: {type: boolean}
      label: {type: string, calculated: \"this.name + ' ' + this.nick\"}
      yearly: {type: decimal, precision: 14, scale: 2, calculated: \"this.salary * 12\"}
      worked: {type: integer, calculated: \"workdaysBetween(this.born, this.left)\"}
    associations:
      department: {to: Department, inverse: employees, onDelete: refuse}
      boss: {to: Employee, inverse: team, onDelete: clear}
      account: {to: system.User, kind: one-to-one, inverse: employee, onDelete: clear}
      skills: {to: Skill, kind: many-to-many, inverse: people}
      main: {to: Skill, onDelete: clear}
    unique: [[email]]
    validations:
      - {member: left, rule: \"this.left == empty || this.born == empty || this.left >= this.born\", message: The end lies before the beginning}
    access:
      - {roles: [User], read: [name, nick, department, label, main], where: \"this.active\"}
      - {roles: [User], read: [salary, boss], where: \"this.department == user.employee.department\"}
      - roles: [User]
        read: [name, nick, notes, salary, age, account, skills, worked, boss]
        write: [nick, notes, skills, boss]
        where: \"this.account == user\"
      - roles: [Manager]
        create: true
        delete: true
        read: [name, department, salary, status, account]
        write: [name, department, salary, status]
        where: \"within(this.department, user.employee.headOf)\"
      - roles: [Administrator]
        create: true
        delete: true
        read: [number, name, nick, notes, email, code, age, salary, factor, born, left, seen, status, active, label, yearly, worked, department, boss, account, skills, main, created, changed, owner, changedBy]
        write: [name, nick, notes, email, code, age, salary, factor, born, left, seen, status, active, department, boss, account, skills, main]
  Skill:
    attributes:
      name: {type: string, length: 40}
      level: {type: integer}
    access:
      - {roles: [User], read: [name], where: \"this.level == empty || this.level < 10\"}
      - roles: [Administrator]
        create: true
        delete: true
        read: [name, level]
        write: [name, level]
  Note:
    attributes:
      text: {type: string}
    associations:
      about: {to: Employee, inverse: remarks, onDelete: cascade}
    access:
      - roles: [Administrator]
        create: true
        delete: true
        read: [text, about]
        write: [text, about]
";

/// Members of employees whose numbers come close to what a number can be, and go beyond.
pub const NUMBERS: &str = "
      big: {type: integer}
      price: {type: decimal, precision: 18, scale: 8}
      pay: {type: decimal, precision: 8, scale: 2, calculated: \"this.salary * this.factor\"}
      product: {type: decimal, precision: 12, scale: 2, calculated: \"this.price * this.big\"}
      square: {type: integer, calculated: \"this.big * this.big\"}
      tenths: {type: decimal, precision: 12, scale: 4, calculated: \"round(this.salary * this.factor, 1)\"}
      hundreds: {type: integer, calculated: \"round(this.salary, -2)\"}
      chained: {type: decimal, precision: 10, scale: 1, calculated: \"this.pay + this.product\"}
";

/// The same app with those members, which the administrator reads and writes.
pub fn numbers() -> String {
    let worked = "      worked: {type: integer,";
    assert!(DOMAIN.contains(worked) && DOMAIN.matches("[name, nick, notes, email, code, age,").count() == 1);
    DOMAIN
        .replacen(worked, &format!("{}{worked}", &NUMBERS[1..]), 1)
        .replacen(
            "read: [number, name, nick,",
            "read: [number, big, price, pay, product, square, tenths, hundreds, chained, name, nick,",
            1,
        )
        .replacen("write: [name, nick, notes, email,", "write: [big, price, name, nick, notes, email,", 1)
}

pub fn model() -> Arc<Model> {
    model_of(DOMAIN)
}

pub fn model_of(domain: &str) -> Arc<Model> {
    model_with(domain, &[])
}

/// With more files.
pub fn model_with(domain: &str, more: &[(&str, &str)]) -> Arc<Model> {
    let mut files = vec![("app.yaml", APP), ("hr/module.yaml", MODULE), ("hr/domain.yaml", domain)];
    files.extend(more);
    let files = Files::of(files);
    let (model, findings) = load(&files);
    Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())))
}

pub fn hr(name: &str) -> QName {
    QName::new("hr", name)
}
pub fn now() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_milli_opt(12, 30, 0, 5).unwrap()
}
pub fn day(text: &str) -> Value {
    Value::Date(text.parse().unwrap())
}
pub fn dec(text: &str) -> Value {
    Value::Decimal(text.parse::<Decimal>().unwrap())
}
pub fn values<const N: usize>(all: [(&str, Value); N]) -> BTreeMap<Name, Value> {
    all.into_iter().map(|(name, value)| (Name::new(name), value)).collect()
}
pub fn path(text: &str) -> Vec<Name> {
    text.split('.').map(Name::new).collect()
}

/// An app with its tables in a database.
pub struct App<'d> {
    pub db: &'d Db,
    pub model: Arc<Model>,
    pub statements: Statements,
    pub recorder: Recorder,
}

/// Somebody who acts.
#[derive(Clone)]
pub struct Person {
    pub id: Option<ObjectId>,
    pub grants: Arc<Grants>,
}

impl<'d> App<'d> {
    pub fn new(db: &'d Db) -> Self {
        Self::of(db, model())
    }

    /// An app of this model, in a database that is brought to its shape.
    pub fn of(db: &'d Db, model: Arc<Model>) -> Self {
        let app = Self::unprepared(db, model);
        app.prepare();
        app
    }

    /// The same, with the rights of nobody prepared.
    pub fn unprepared(db: &'d Db, model: Arc<Model>) -> Self {
        let statements = Statements::new(&model).unwrap();
        apply(db, &statements, &BTreeSet::new(), now()).unwrap();
        let clock = Clock::fixed(now());
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::load_or_create(dir.path()).unwrap();
        let recorder = Recorder { keys, node: "n1".into(), clock, who: None, request_id: Some("r1".into()) };
        Self { db, statements, model, recorder }
    }

    /// People who are nobody act too in these tests: what their roles add up to is prepared here.
    pub fn prepare(&self) {
        for role in self.model.user_roles.keys() {
            prepare(self.db, &self.statements, &self.person(role, None).grants).unwrap();
        }
    }

    /// The actor was proved before, and so the rights are known where nothing has to be stored for them.
    pub fn proved(&self, who: &Person) {
        self.statements.announce(&who.grants, self.db.dialect()).unwrap();
    }

    pub fn account(&self, email: &str) -> ObjectId {
        let row = |conn: &mut Conn| -> Result<i64, DbError> {
            let at = Moment(now());
            let row = (
                account::name.eq(email),
                account::email.eq(email),
                account::state.eq("active"),
                account::created.eq(at),
                account::changed.eq(at),
            );
            Ok(on!(conn, |c| diesel::insert_into(account::table).values(row).returning(account::id).get_result(c))?)
        };
        ObjectId(self.db.write(row).unwrap())
    }

    pub fn person(&self, role: &str, id: Option<ObjectId>) -> Person {
        let roles = BTreeSet::from([Name::new(role)]);
        Person { id, grants: Arc::new(Grants::compile(&self.model, &roles, id.is_some())) }
    }

    /// Everything that a person may ever need is prepared in PostgreSQL, for work that is not run again when something is missing.
    pub fn tell_all(&self, who: &Person) {
        prepare(self.db, &self.statements, &who.grants).unwrap();
        if self.db.dialect() == Dialect::Postgres {
            self.db.provide(&whole(&self.statements, &who.grants).unwrap()).unwrap();
        }
    }

    pub fn admin(&self) -> Person {
        self.person("Administrator", None)
    }

    /// Acts in one transaction; what is refused is undone.
    pub fn act<T>(
        &self,
        who: &Person,
        mut deed: impl FnMut(&mut Store<'_>, &Grants) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        struct Undone(Result<WriteError, DbError>);
        impl From<DbError> for Undone {
            fn from(error: DbError) -> Self {
                Self(Err(error))
            }
        }
        self.proved(who);
        let done = self.db.write(|conn| {
            let mut store = Store::new(conn, &self.statements, Caller { user: who.id, now: now() }, &self.recorder);
            let value = deed(&mut store, &who.grants).map_err(|error| Undone(Ok(error)))?;
            store.finish().map_err(|error| Undone(Ok(error.into())))?;
            Ok::<T, Undone>(value)
        });
        done.map_err(|Undone(error)| error.unwrap())
    }

    pub fn create<const N: usize>(&self, who: &Person, entity: &str, all: [(&str, Value); N]) -> Result<ObjectId, WriteError> {
        let all = values(all);
        self.act(who, |store, grants| {
            let permit = (grants as &dyn Authority).create(&hr(entity), all.keys())?;
            store.create(&permit, &all)
        })
    }

    pub fn change<const N: usize>(
        &self,
        who: &Person,
        entity: &str,
        id: ObjectId,
        version: Option<i64>,
        all: [(&str, Value); N],
    ) -> Result<(), WriteError> {
        let all = values(all);
        self.act(who, |store, grants| {
            let permit = (grants as &dyn Authority).change(&hr(entity), all.keys())?;
            store.change(&permit, id, version, &all)
        })
    }

    pub fn delete(&self, who: &Person, entity: &str, id: ObjectId, version: Option<i64>) -> Result<(), WriteError> {
        self.act(who, |store, grants| {
            let permit = (grants as &dyn Authority).delete(&hr(entity))?;
            store.delete(&permit, id, version)
        })
    }

    pub fn read<T>(&self, who: &Person, mut ask: impl FnMut(&mut Store<'_>) -> T) -> T {
        self.proved(who);
        let mut answer = None;
        self.db
            .read(|conn| {
                let caller = Caller { user: who.id, now: now() };
                answer = Some(ask(&mut Store::new(conn, &self.statements, caller, &self.recorder)));
                Ok::<_, DbError>(())
            })
            .unwrap();
        answer.unwrap()
    }

    pub fn view(&self, who: &Person, query: &Query) -> Result<Rows, ObjectError> {
        let permit = who.grants.view(&query.entity)?;
        self.read(who, |store| store.view(&permit, query).map(|rows| rows.peek().clone()))
    }

    /// One object as somebody sees it.
    pub fn see(&self, who: &Person, entity: &str, id: ObjectId, paths: &[&str]) -> Option<Row> {
        let mut query = Query::of(&hr(entity), paths.iter().map(|p| path(p)).collect());
        query.object = Some(id);
        self.view(who, &query).unwrap().rows.pop()
    }

    /// How many records the audit trail has.
    pub fn records(&self) -> i64 {
        use crate::db::schema::audit_record;
        self.db.read(|conn| Ok::<_, DbError>(on!(conn, |c| audit_record::table.count().get_result(c))?)).unwrap()
    }
}

/// The model as the checker of expressions asks it.
pub struct Known(pub Arc<Model>);

impl Schema for Known {
    fn member(&self, entity: &QName, name: &str) -> Option<MemberType> {
        let entity = self.0.entities.get(entity)?;
        if let Some(attribute) = entity.attributes.get(name) {
            return Some(MemberType::Attribute(attribute.kind(), attribute.calculated.clone()));
        }
        if let Some(association) = entity.associations.get(name) {
            return Some(match association.multiplicity {
                Multiplicity::ManyToMany => MemberType::ToMany(association.target.clone()),
                _ => MemberType::ToOne(association.target.clone()),
            });
        }
        let inverse = entity.inverses.get(name)?;
        Some(if inverse.many { MemberType::ToMany(inverse.owner.clone()) } else { MemberType::ToOne(inverse.owner.clone()) })
    }
    fn members(&self, entity: &QName) -> Vec<Name> {
        self.0.entities.get(entity).map(|e| e.members().cloned().collect()).unwrap_or_default()
    }
    fn enumeration(&self, name: &QName) -> Option<Vec<Name>> {
        self.0.enumerations.get(name).map(|e| e.values.keys().cloned().collect())
    }
    fn constant(&self, name: &QName) -> Option<(Kind, Value)> {
        self.0.constants.get(name).cloned()
    }
    fn user_roles(&self) -> Vec<Name> {
        self.0.user_roles.keys().cloned().collect()
    }
    fn tree(&self, entity: &QName) -> Option<Name> {
        self.0.entities.get(entity)?.tree.clone()
    }
}
