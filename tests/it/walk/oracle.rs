//! What each role may do with each row, by brute force: every rule of the model, written out, over every row.
//!
//! Deliberately naive, and deliberately not the code that the server asks: no grants, no SQL.

use portcullis::access::{Authority, Elevation, Grants, Objects, Query};
use portcullis::domain::{Member, Name, ObjectId, QName, Value};
use portcullis::expr::{Data, Environment, EvalError, holds};
use portcullis::model::{AccessRule, Deny, Entity, Model};
use portcullis::store::{Caller, Recorder, Store, prepare};
use portcullis::web::Web;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Row = BTreeMap<Name, Value>;

/// All data, and the rules.
pub struct Oracle {
    pub model: Arc<Model>,
    pub rows: BTreeMap<QName, BTreeMap<ObjectId, Row>>,
    /// Association → target → owners.
    back: BTreeMap<(QName, Name), BTreeMap<ObjectId, Vec<ObjectId>>>,
}

/// Somebody of one user role.
pub struct Who {
    pub role: Name,
    pub user: Option<ObjectId>,
}

impl Oracle {
    /// Reads everything.
    pub fn read(web: &Web) -> Self {
        let live = web.app.live();
        let stored = live.model.entities.values().filter(|entity| entity.persistable);
        let rows: BTreeMap<_, _> = stored.map(|entity| (entity.name.clone(), load(web, &entity.name, None))).collect();
        let mut oracle = Self { model: live.model.clone(), rows, back: BTreeMap::new() };
        oracle.index();
        oracle
    }

    /// Takes over one row as it is now.
    pub fn refresh(&mut self, entity: &QName, id: ObjectId, row: Row) {
        self.rows.entry(entity.clone()).or_default().insert(id, row);
        self.index();
    }

    fn index(&mut self) {
        let mut back: BTreeMap<(QName, Name), BTreeMap<ObjectId, Vec<ObjectId>>> = BTreeMap::new();
        for entity in self.model.entities.values().filter(|entity| entity.persistable) {
            for name in entity.associations.keys() {
                let index = back.entry((entity.name.clone(), name.clone())).or_default();
                for (id, row) in &self.rows[&entity.name] {
                    match &row[name] {
                        Value::Object(to) => index.entry(*to).or_default().push(*id),
                        Value::List(all) => all.iter().for_each(|to| index.entry(*to).or_default().push(*id)),
                        _ => {}
                    }
                }
            }
        }
        self.back = back;
    }

    /// One row as it is now.
    pub fn reread(&self, web: &Web, entity: &QName, id: ObjectId) -> Row {
        load(web, entity, Some(id)).remove(&id).unwrap_or_default()
    }
    pub fn exists(&self, web: &Web, entity: &QName, id: ObjectId) -> bool {
        !load(web, entity, Some(id)).is_empty()
    }

    /// Rules without rows.
    pub fn without_data(model: &Model) -> Self {
        Self { model: Arc::new(model.clone()), rows: BTreeMap::new(), back: BTreeMap::new() }
    }

    fn denied(&self, role: &Name, deny: &Deny) -> bool {
        self.model.guardrails.iter().any(|rail| rail.user_roles.contains(role) && rail.denies.contains(deny))
    }

    fn rules<'o>(&'o self, role: &'o Name, entity: &'o Entity) -> impl Iterator<Item = &'o Arc<AccessRule>> + 'o {
        let roles = &self.model.user_roles[role].module_roles;
        entity.rules.iter().filter(move |rule| !rule.roles.is_disjoint(roles))
    }

    /// The rules by which a role reads (or writes) a member.
    pub fn by(&self, role: &Name, entity: &Entity, member: &Name, write: bool) -> Vec<Arc<AccessRule>> {
        let of = Member { entity: entity.name.clone(), name: member.clone() };
        let deny = if write { Deny::Write(of) } else { Deny::Read(of) };
        if self.denied(role, &deny) {
            return Vec::new();
        }
        let gives = |rule: &&Arc<AccessRule>| if write { rule.write.contains(member) } else { rule.read.contains(member) };
        self.rules(role, entity).filter(gives).cloned().collect()
    }

    pub fn readable(&self, role: &Name, entity: &Entity) -> Vec<Name> {
        entity.members().filter(|member| !self.by(role, entity, member, false).is_empty()).cloned().collect()
    }

    pub fn creating(&self, role: &Name, entity: &Entity) -> Vec<Arc<AccessRule>> {
        let denied = self.denied(role, &Deny::Create(entity.name.clone()));
        self.rules(role, entity).filter(|rule| rule.create && !denied).cloned().collect()
    }

    pub fn deleting(&self, role: &Name, entity: &Entity) -> Vec<Arc<AccessRule>> {
        let denied = self.denied(role, &Deny::Delete(entity.name.clone()));
        self.rules(role, entity).filter(|rule| rule.delete && !denied).cloned().collect()
    }

    pub fn opens(&self, role: &Name, page: &QName) -> bool {
        let roles = &self.model.user_roles[role].module_roles;
        !self.model.pages[page].roles.is_disjoint(roles) && !self.denied(role, &Deny::Open(page.clone()))
    }

    pub fn runs(&self, role: &Name, flow: &QName) -> bool {
        let roles = &self.model.user_roles[role].module_roles;
        !self.model.microflows[flow].roles.is_disjoint(roles) && !self.denied(role, &Deny::Run(flow.clone()))
    }

    /// Whether one of the rules holds for a row.
    pub fn any(&self, who: &Who, rules: &[Arc<AccessRule>], id: ObjectId) -> bool {
        let (roles, none) = (BTreeSet::from([who.role.clone()]), BTreeMap::new());
        let now = super::super::support::server::start();
        let environment = Environment { this: Some(id), user: who.user, roles: &roles, now, variables: &none };
        let holds = |rule: &Arc<AccessRule>| match &rule.condition {
            None => true,
            Some(condition) => holds(condition, &environment, &mut Everything(self)).unwrap(),
        };
        rules.iter().any(holds)
    }

    /// Whether a row is there at all for somebody: a rule that reads something holds.
    pub fn sees(&self, who: &Who, entity: &Entity, id: ObjectId) -> bool {
        let reads = |rule: &&Arc<AccessRule>| {
            rule.read
                .iter()
                .any(|name| !self.denied(&who.role, &Deny::Read(Member { entity: entity.name.clone(), name: name.clone() })))
        };
        let rules: Vec<Arc<AccessRule>> = self.rules(&who.role, entity).filter(reads).cloned().collect();
        self.any(who, &rules, id)
    }
}

/// All rows of an entity, or one, through the one flow of the probing app that may read all.
fn load(web: &Web, entity: &QName, only: Option<ObjectId>) -> BTreeMap<ObjectId, Row> {
    let live = web.app.live();
    let flow = live.model.microflows[&QName::parse("probe.Everything").unwrap()].clone();
    let grants = Grants::none(&live.model);
    prepare(&web.app.db, &live.statements, &grants).unwrap();
    let authority = Elevation::of(&flow, &grants);
    let permit = (&authority as &dyn Authority).load(entity).unwrap();
    let (keys, clock) = (web.app.keys.clone(), web.app.clock.clone());
    let recorder = Recorder { keys, node: "probe".into(), clock, who: None, request_id: None };
    let found = web.app.db.read(|conn| {
        let caller = Caller { user: None, now: web.app.clock.now() };
        let mut store = Store::new(conn, &live.statements, caller, &recorder);
        let loaded = store.load(&permit, &Query { limit: 100_000, object: only, ..Query::of(entity, Vec::new()) });
        Ok::<_, portcullis::db::DbError>(loaded.unwrap())
    });
    let row = |object: portcullis::access::LoadedObject| {
        let members = object.members.into_iter().map(|(name, cell)| (name, cell.value().cloned().unwrap()));
        (object.id, members.collect())
    };
    found.unwrap().into_iter().map(row).collect()
}

struct Everything<'o>(&'o Oracle);

impl Data for Everything<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        let of = &self.0.model.entities[entity];
        if let Some(inverse) = of.inverses.get(name) {
            let owners = self.0.back[&(inverse.owner.clone(), inverse.association.clone())].get(&object);
            return Ok(owners.and_then(|all| all.first()).map_or(Value::Empty, |id| Value::Object(*id)));
        }
        Ok(self.0.rows[entity].get(&object).and_then(|row| row.get(name)).cloned().unwrap_or(Value::Empty))
    }
    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        let of = &self.0.model.entities[entity];
        if let Some(inverse) = of.inverses.get(name) {
            let owners = &self.0.back[&(inverse.owner.clone(), inverse.association.clone())];
            return Ok(owners.get(&object).cloned().unwrap_or_default());
        }
        match self.0.rows[entity].get(&object).and_then(|row| row.get(name)) {
            Some(Value::List(all)) => Ok(all.clone()),
            _ => Ok(Vec::new()),
        }
    }
}
