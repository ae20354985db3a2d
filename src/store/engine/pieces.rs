//! What has been composed for one model and one kind of database, and which sets of rights reach which of it.
//!
//! Guarantees: something is composed when it is first needed, once for all sets whose rights come to the same; a set
//! that was not announced with the questions that the model may ask under it reaches nothing.
//! Deliberately not here: the texts (`super::portion`), and making them in the database (`crate::db`).

use super::inputs::Inputs;
use super::naming::Names;
use super::portion::{Portion, Views, Watches, refusal, watches, witnesses};
use super::writes::{Allowed, writes};
use super::{catalogue, sets};
use crate::access::{EntityRights, Grants, Rights};
use crate::db::sql::Sql;
use crate::db::{Dialect, EVERY, Piece, Reach, TableWrites, Watched};
use crate::domain::{Name, QName};
use crate::expr::{Node, Typed};
use crate::model::Model;
use crate::store::lower::{LowerError, Lowered};
use crate::store::statements::Statements;
use crate::store::tables::{Place, Table, Tables};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Far beyond what a model and its combinations of roles come to; when there is more, all of it is composed again.
const MOST: usize = 20_000;

/// Everything composed for one model.
pub(in crate::store) struct Pieces {
    dialect: Dialect,
    /// The user roles that conditions of the model ask about.
    roles: OnceLock<BTreeSet<Name>>,
    sets: Cache<Arc<Announced>>,
    questions: Cache<Arc<Questions>>,
    portions: Cache<Arc<Portion>>,
    watches: Cache<Arc<Watches>>,
    /// By the digest of their text.
    texts: Cache<Arc<Piece>>,
    /// How many sets were announced.
    serial: AtomicU64,
}

/// A set of rights that work may be done with.
struct Announced {
    /// No two sets have the same, nor has a set that was announced again.
    serial: u64,
    /// What the set is called in names.
    id: Arc<str>,
    questions: Arc<Questions>,
    reach: Arc<Reach>,
    portions: RwLock<HashMap<QName, Arc<Portion>>>,
    /// What stands for the rights on an entity that have been asked for.
    keys: RwLock<HashMap<QName, Arc<str>>>,
    /// The entities of which the reach lists the writes.
    listed: Mutex<HashSet<QName>>,
}

/// What the model asks under any set of rights.
struct Questions {
    inputs: Inputs,
    witnesses: Views,
    names: Names,
}

struct Cache<T>(RwLock<HashMap<Arc<str>, T>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: Clone> Cache<T> {
    fn get(&self, key: &str) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
    fn keep(&self, key: Arc<str>, value: T) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(key, value);
    }
}

impl Pieces {
    pub(in crate::store) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            serial: AtomicU64::new(0),
            roles: OnceLock::new(),
            sets: Cache::default(),
            questions: Cache::default(),
            portions: Cache::default(),
            watches: Cache::default(),
            texts: Cache::default(),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether the sets of these grants may be used.
    pub(in crate::store) fn knows(&self, key: &str) -> bool {
        self.sets.get(key).is_some()
    }

    /// Announces the sets under which work for these grants can run.
    pub(in crate::store) fn announce(&self, statements: &Statements, grants: &Grants) -> Lowered<()> {
        let tables = &statements.tables;
        for wanted in sets::family(grants) {
            if self.knows(&wanted.rights.key) {
                continue;
            }
            let inputs = Inputs::of_questions(tables, &wanted.rights, &wanted.questions);
            let key: Arc<str> = catalogue::digest(&format!("{inputs:?}")).into();
            let questions = match self.questions.get(&key) {
                Some(known) => known,
                None => {
                    let made = Arc::new(Questions::new(self, tables, inputs)?);
                    self.questions.keep(key, made.clone());
                    made
                }
            };
            let announced = Announced {
                serial: self.serial.fetch_add(1, Ordering::Relaxed),
                id: statements.set_id(&wanted.rights.key),
                questions,
                reach: Arc::default(),
                portions: RwLock::default(),
                keys: RwLock::default(),
                listed: Mutex::default(),
            };
            self.sets.keep(wanted.rights.key.clone(), Arc::new(announced));
        }
        Ok(())
    }

    /// What a set is called in names, and what it reaches; nothing when it was not announced.
    pub(in crate::store) fn standing(&self, rights: &Rights) -> Option<(Arc<str>, Arc<Reach>)> {
        self.sets.get(&rights.key).map(|set| (set.id.clone(), set.reach.clone()))
    }

    /// Distinguishes a set from all others, as long as it is announced.
    pub(in crate::store) fn serial(&self, rights: &Rights) -> Option<u64> {
        self.sets.get(&rights.key).map(|set| set.serial)
    }

    /// What a set reads of an entity, and the names of it; from now on the set reaches it.
    pub(in crate::store) fn portion(&self, statements: &Statements, rights: &Rights, entity: &QName) -> Lowered<Arc<Portion>> {
        let set = self.sets.get(&rights.key).ok_or(LowerError::Unprepared)?;
        if let Some(known) = set.portions.read().unwrap_or_else(PoisonError::into_inner).get(entity) {
            return Ok(known.clone());
        }
        let portion = self.composed(statements, rights, entity, &set)?;
        portion.reader.iter().chain(portion.witnesses.values()).for_each(|piece| set.reach.give(piece));
        set.portions.write().unwrap_or_else(PoisonError::into_inner).insert(entity.clone(), portion.clone());
        Ok(portion)
    }

    /// What stands for the rights that an announced set has on an entity: the same key means the same rules, whichever
    /// set they are of.
    pub(in crate::store) fn shared_key(&self, statements: &Statements, rights: &Rights, entity: &QName) -> Option<Arc<str>> {
        let (set, of) = (self.sets.get(&rights.key)?, rights.entities.get(entity)?);
        Some(self.key_in(&set, statements, rights, of))
    }

    fn key_in(&self, set: &Announced, statements: &Statements, rights: &Rights, of: &EntityRights) -> Arc<str> {
        let entity = &of.entity.name;
        if let Some(known) = set.keys.read().unwrap_or_else(PoisonError::into_inner).get(entity) {
            return known.clone();
        }
        let key: Arc<str> = self.key(statements.model(), rights, of, &set.questions.inputs).into();
        set.keys.write().unwrap_or_else(PoisonError::into_inner).insert(entity.clone(), key.clone());
        key
    }

    fn composed(&self, statements: &Statements, rights: &Rights, entity: &QName, set: &Announced) -> Lowered<Arc<Portion>> {
        let Some(of) = rights.entities.get(entity) else { return Ok(Arc::new(Portion::nothing())) };
        let key = self.key_in(set, statements, rights, of);
        if let Some(known) = self.portions.get(&key) {
            return Ok(known);
        }
        let portion = Arc::new(Portion::compose(self, statements, rights, of, &set.questions.inputs, key.clone())?);
        self.portions.keep(key, portion.clone());
        Ok(portion)
    }

    /// What a set reads of an entity, as text.
    #[cfg(test)]
    pub(in crate::store) fn reader_text(&self, statements: &Statements, rights: &Rights, entity: &QName) -> String {
        let reader = self.portion(statements, rights, entity).unwrap().reader.clone().unwrap();
        reader.objects[0].text.clone()
    }

    /// Lets the set read another text in its place, as if it had been composed wrongly.
    #[cfg(test)]
    pub(in crate::store) fn plant(&self, statements: &Statements, rights: &Rights, entity: &QName, text: &str) {
        let reader = self.portion(statements, rights, entity).unwrap().reader.clone().unwrap();
        let object = |(at, object): (usize, &crate::db::Object)| crate::db::Object {
            name: object.name.clone(),
            kind: object.kind,
            text: if at == 0 { text.to_owned() } else { object.text.clone() },
        };
        let objects = reader.objects.iter().enumerate().map(object).collect();
        self.standing(rights).unwrap().1.plant(Arc::new(Piece { id: reader.id.clone(), objects, needs: reader.needs.clone() }));
    }

    /// The names of the views through which the model's questions look at what paths lead to.
    pub(in crate::store) fn asked(&self, rights: &Rights) -> Lowered<Names> {
        let set = self.sets.get(&rights.key).ok_or(LowerError::Unprepared)?;
        Ok(set.questions.names.clone())
    }

    /// Lets a set reach the views that one of its questions names.
    pub(in crate::store) fn give_asked(&self, rights: &Rights, question: &Sql) {
        let Some(set) = self.sets.get(&rights.key) else { return };
        for (table, piece) in &set.questions.witnesses {
            let view = set.questions.names.witness(table);
            if question.idents().any(|ident| ident == view.as_str()) {
                set.reach.give(piece);
            }
        }
    }

    /// Lists what a set may write of an entity, with all that looks at it.
    pub(in crate::store) fn list(&self, statements: &Statements, rights: &Rights, entity: &QName) -> Lowered<()> {
        let set = self.sets.get(&rights.key).ok_or(LowerError::Unprepared)?;
        let mut listed = set.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.contains(entity) {
            return Ok(());
        }
        let tables = &statements.tables;
        let Allowed { tables: allowed, implied } = writes(tables, rights, entity);
        let changing = |writes: &TableWrites| writes.insert || writes.delete || !writes.update.is_empty();
        let follow: Vec<String> =
            allowed.iter().filter(|(_, writes)| changing(writes)).map(|(table, _)| table.to_string()).collect();
        let own = tables.get(entity).map(|table| table.name.clone());
        let refused: BTreeSet<Name> = implied.refuse().into_keys().collect();
        // The entity's own table comes last: before it all is there that may change with it.
        let (first, last): (Vec<_>, Vec<_>) = allowed.into_iter().partition(|(table, _)| Some(table) != own.as_ref());
        for (table, writes) in first.into_iter().chain(last) {
            let mut looking = Vec::new();
            if changing(&writes) {
                looking = self.looking(statements, rights, &table)?;
            }
            if refused.contains(&table) {
                looking.push(refusal(self, tables, rights, &table, &|| implied.refuse().remove(&table).unwrap_or_default())?);
            }
            let follow = if Some(&table) == own.as_ref() { follow.clone() } else { Vec::new() };
            set.reach.allow(&table, Watched { writes, pieces: looking, follow });
        }
        listed.insert(entity.clone());
        Ok(())
    }

    /// What looks at what a set writes of an entity in a table, where there is one role for each (PostgreSQL).
    pub(in crate::store) fn watch(
        &self,
        statements: &Statements,
        rights: &Rights,
        entity: &QName,
        table: &Name,
    ) -> Lowered<Option<Arc<Piece>>> {
        let stored = statements.tables.get(entity).is_some_and(|of| !of.entity.system);
        let Some(of) = rights.entities.get(entity).filter(|_| stored) else { return Ok(None) };
        let all = self.watches(statements, rights, of)?;
        Ok(all.iter().find(|(of, _)| of == table).map(|(_, piece)| piece.clone()))
    }

    /// The pieces through which a set reads these entities, and those through which the model's questions look.
    pub(in crate::store) fn readable(
        &self,
        statements: &Statements,
        rights: &Rights,
        entities: &mut dyn Iterator<Item = &QName>,
    ) -> Lowered<Vec<Arc<Piece>>> {
        let set = self.sets.get(&rights.key).ok_or(LowerError::Unprepared)?;
        let mut all: Vec<Arc<Piece>> = set.questions.witnesses.values().cloned().collect();
        for entity in entities {
            let portion = self.portion(statements, rights, entity)?;
            all.extend(portion.reader.iter().chain(portion.witnesses.values()).cloned());
        }
        Ok(all)
    }

    /// Every piece that a set may ever need; from now on the set reaches those that it reads.
    pub(in crate::store) fn everything(&self, statements: &Statements, rights: &Rights) -> Lowered<Vec<Arc<Piece>>> {
        let set = self.sets.get(&rights.key).ok_or(LowerError::Unprepared)?;
        let mut all: Vec<Arc<Piece>> = set.questions.witnesses.values().cloned().collect();
        all.iter().for_each(|piece| set.reach.give(piece));
        for (entity, of) in &rights.entities {
            let Some(table) = statements.tables.get(entity) else { continue };
            let portion = self.portion(statements, rights, entity)?;
            all.extend(portion.reader.iter().chain(portion.witnesses.values()).cloned());
            let writes = super::Set::deeds(of);
            if !table.entity.system && (writes.create || writes.change || writes.delete) {
                all.extend(self.watches(statements, rights, of)?.iter().map(|(_, piece)| piece.clone()));
            }
        }
        Ok(all)
    }

    /// The pieces that look at what a set writes in a table.
    fn looking(&self, statements: &Statements, rights: &Rights, table: &Name) -> Lowered<Vec<Arc<Piece>>> {
        let owns = |of: &&Arc<Table>| {
            of.name == *table || of.members.values().any(|place| matches!(place, Place::Link(link) if link.table == *table))
        };
        let Some(owner) = statements.tables.all().find(owns).filter(|owner| !owner.entity.system) else { return Ok(Vec::new()) };
        let Some(of) = rights.entities.get(&owner.entity.name) else { return Ok(Vec::new()) };
        let all = self.watches(statements, rights, of)?;
        Ok(all.iter().filter(|(of, _)| of == table).map(|(_, piece)| piece.clone()).collect())
    }

    fn watches(&self, statements: &Statements, rights: &Rights, of: &Arc<EntityRights>) -> Lowered<Arc<Watches>> {
        let portion = self.portion(statements, rights, &of.entity.name)?;
        let (mut targets, mut key) = (Views::new(), portion.key.to_string());
        for association in of.entity.associations.values() {
            let Some(table) = statements.tables.get(&association.target) else { continue };
            if let Some(reader) = &self.portion(statements, rights, &association.target)?.reader {
                let _ = write!(key, "|{}={}", table.name, reader.id);
                targets.insert(table.name.clone(), reader.clone());
            }
        }
        if let Some(known) = self.watches.get(&key) {
            return Ok(known);
        }
        let made = Arc::new(watches(self, statements, rights, of, &portion, &targets)?);
        self.watches.keep(key.into(), made.clone());
        Ok(made)
    }

    /// The names of all objects that have been composed.
    pub(in crate::store) fn names(&self) -> Vec<String> {
        let all = self.texts.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().flat_map(|piece| piece.objects.iter().map(|object| object.name.clone())).collect()
    }

    /// A piece of this text.
    pub(super) fn known(&self, digest: &str) -> Option<Arc<Piece>> {
        self.texts.get(digest)
    }

    pub(super) fn keep(&self, digest: String, piece: &Arc<Piece>) {
        self.texts.keep(digest.into(), piece.clone());
    }

    /// INVARIANT: everything that the text for an entity is composed from is in the key: the rules as guardrails left
    /// them, in their order, what conditions can ask about roles, and what the model asks. What rules say is the model's,
    /// and these pieces live with one model.
    fn key(&self, model: &Model, rights: &Rights, of: &EntityRights, questions: &Inputs) -> String {
        let mut text = of.entity.name.to_string();
        for rule in &of.rules {
            let _ = write!(text, "\n{:?} {} {} {:?} {:?}", rule.origin, rule.create, rule.delete, rule.read, rule.write);
        }
        let asked = self.roles.get_or_init(|| roles_asked_about(model));
        let roles: Vec<&Name> = rights.roles.intersection(asked).collect();
        let _ = write!(text, "\n{roles:?} {}\n{:?}", rights.signed_in, questions.columns.get(&of.entity.name));
        catalogue::digest(&text)
    }
}

impl Questions {
    fn new(pieces: &Pieces, tables: &Tables, inputs: Inputs) -> Lowered<Self> {
        let witnesses = witnesses(pieces, tables, &inputs)?;
        let ids = witnesses.iter().map(|(table, piece)| (table.clone(), piece.id.clone())).collect();
        let names = Names::of_texts(EVERY.into(), Arc::new(ids), Arc::default());
        Ok(Self { inputs, witnesses, names })
    }
}

/// Every user role that a rule, a calculated member or a default of the model asks about.
fn roles_asked_about(model: &Model) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    let mut see = |e: &Typed| {
        e.visit(&mut |node| {
            if let Node::HasRole(role) = &node.node {
                found.insert(role.clone());
            }
        });
    };
    for entity in model.entities.values() {
        entity.rules.iter().filter_map(|rule| rule.condition.as_deref()).for_each(&mut see);
        entity.attributes.values().filter_map(|a| a.calculated.as_deref()).for_each(&mut see);
        entity.attributes.values().filter_map(|a| a.default.as_ref()).for_each(&mut see);
        entity.associations.values().filter_map(|a| a.default.as_ref()).for_each(&mut see);
    }
    let elevations = model.microflows.values().flat_map(|flow| flow.elevation.values().flatten());
    elevations.filter_map(|rule| rule.condition.as_deref()).for_each(&mut see);
    found
}
