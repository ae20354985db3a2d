//! The attackers: signed in once, with what the oracle says they may know.

use super::AttackError;
use super::canary::Marks;
use super::html::{self, Button, Html};
use super::http::{Answer, Client, Request};
use super::instance::{Instance, Person};
use super::oracle::{Oracle, Readable, Who};
use super::world::World;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::Model;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Somebody with a browser.
pub struct Attacker {
    /// Role and account.
    pub who: Who,
    /// The word for the role in ids of attacks.
    pub role: String,
    /// The browser.
    pub client: Arc<Client>,
    /// The token of this session's forms.
    pub csrf: String,
    /// What they may read.
    pub readable: Readable,
    /// Marks they may meet.
    pub allowed: BTreeSet<usize>,
    /// Objects whose handles they may meet.
    pub known: BTreeSet<(QName, ObjectId)>,
}

/// A page that somebody was given.
pub struct Page {
    /// The page, taken apart.
    pub html: Html,
}

impl Page {
    pub(super) fn read(answer: &Answer) -> Self {
        Self { html: html::read(&answer.body) }
    }

    /// The button whose value begins with a widget's id.
    pub fn button(&self, id: &str) -> Option<&Button> {
        self.html.buttons.iter().find(|button| button.name == "_do" && button.value.split(':').next() == Some(id))
    }

    /// The sealed state of a form, or of any.
    pub fn state(&self, form: Option<&str>) -> Option<&str> {
        let mut states = self.html.controls.iter().filter(|control| control.name == "_state");
        let found = match form {
            Some(form) => states.find(|control| control.form == form),
            None => states.next(),
        };
        found.map(|control| control.value.as_str())
    }

    /// What a browser would send with this form, without a button.
    pub fn payload(&self, form: &str) -> Vec<(String, String)> {
        let fields = self.html.controls.iter().filter(|control| control.form == form && !control.name.is_empty());
        fields
            .filter(|control| !control.checkbox || control.checked)
            .map(|control| (control.name.clone(), control.value.clone()))
            .collect()
    }
}

impl Attacker {
    /// Signs in with the button of the throw-away instance.
    pub fn enter(instance: &Instance, person: &Person, world: &World, marks: &Marks) -> Result<Self, AttackError> {
        let client = sign_in(instance, &person.key)?;
        Self::of(instance, person.who.clone(), client, world, marks)
    }

    /// Nobody.
    pub fn visit(instance: &Instance, world: &World, marks: &Marks) -> Result<Self, AttackError> {
        let role = instance.model.anonymous_role().cloned().unwrap_or_else(|| Name::new("Visitor"));
        Self::of(instance, Who { role, user: None }, Client::new(instance.address()), world, marks)
    }

    fn of(instance: &Instance, who: Who, client: Client, world: &World, marks: &Marks) -> Result<Self, AttackError> {
        let csrf = token(&client).ok_or_else(|| AttackError::Crew(format!("{} is given no page with a form", who.role)))?;
        let mut attacker = Self {
            role: who.role.to_string(),
            who,
            client: Arc::new(client),
            csrf,
            readable: Readable::new(),
            allowed: BTreeSet::new(),
            known: BTreeSet::new(),
        };
        attacker.learn(&instance.model, world, marks, instance.now);
        Ok(attacker)
    }

    /// Asks the oracle what this attacker may know of a world.
    pub fn learn(&mut self, model: &Model, world: &World, marks: &Marks, now: chrono::NaiveDateTime) {
        let oracle = Oracle { model, world, now };
        self.readable = oracle.readable(&self.who);
        self.allowed = marks.allowed(model, &self.readable, now);
        let administers = [&model.administration.users, &model.administration.audit, &model.administration.log];
        if administers.iter().any(|roles| roles.contains(&self.who.role)) {
            // Those parts name accounts; the model says who may use them.
            let user = Model::user_entity();
            let accounts = world.rows.get(&user).into_iter().flatten();
            let cells = accounts.map(|(id, row)| ((user.clone(), *id), row.values.clone())).collect();
            self.allowed.extend(marks.allowed(model, &cells, now));
        }
        self.known = known(model, world, &self.who, &self.readable);
    }

    /// The same attacker, who may know what they could read before and what they can read in another world.
    pub fn knowing(&self, model: &Model, world: &World, marks: &Marks, now: chrono::NaiveDateTime) -> Self {
        let mut then = Self {
            who: self.who.clone(),
            role: self.role.clone(),
            client: self.client.clone(),
            csrf: self.csrf.clone(),
            readable: Readable::new(),
            allowed: BTreeSet::new(),
            known: BTreeSet::new(),
        };
        then.learn(model, world, marks, now);
        then.allowed.extend(&self.allowed);
        then.known.extend(self.known.iter().cloned());
        then
    }

    /// Whether they see a row at all.
    pub fn sees(&self, entity: &QName, id: ObjectId) -> bool {
        self.readable.contains_key(&(entity.clone(), id))
    }
    /// Whether they may read a cell.
    pub fn reads(&self, entity: &QName, id: ObjectId, member: &str) -> bool {
        self.readable.get(&(entity.clone(), id)).is_some_and(|cells| cells.contains_key(member))
    }
}

/// Objects that somebody sees, those that their readable cells name, and those that the account leads to.
pub(super) fn known(model: &Model, world: &World, who: &Who, readable: &Readable) -> BTreeSet<(QName, ObjectId)> {
    let mut known: BTreeSet<(QName, ObjectId)> = readable.keys().cloned().collect();
    for ((entity, _), cells) in readable {
        let Some(entity) = model.entities.get(entity) else { continue };
        for (member, value) in cells {
            let Some(association) = entity.associations.get(member) else { continue };
            match value {
                Value::Object(id) => drop(known.insert((association.target.clone(), *id))),
                Value::List(all) => known.extend(all.iter().map(|id| (association.target.clone(), *id))),
                _ => {}
            }
        }
    }
    let Some(user) = who.user else { return known };
    known.insert((Model::user_entity(), user));
    // `user.employee` needs no right: who somebody is, they know.
    let inverses = model.entities.get(&Model::user_entity()).into_iter().flat_map(|entity| entity.inverses.values());
    for inverse in inverses {
        let leads = |id: &ObjectId| world.value(&inverse.owner, *id, &inverse.association) == Value::Object(user);
        known.extend(world.ids(&inverse.owner).into_iter().filter(leads).map(|id| (inverse.owner.clone(), id)));
    }
    known
}

/// A session of somebody, by the button of the throw-away instance.
pub fn sign_in(instance: &Instance, key: &str) -> Result<Client, AttackError> {
    let client = Client::new(instance.address());
    let csrf = hidden(&client.send(&Request::get("/sign-in")).body).unwrap_or_default();
    let answer = client.send(&Request::post("/sign-in/demo", &[("_csrf", csrf.as_str()), ("key", key)]));
    match answer.status {
        303 => Ok(client),
        other => Err(AttackError::Crew(format!("{key} cannot sign in: {other}"))),
    }
}

/// The token of a browser's forms.
pub fn token(client: &Client) -> Option<String> {
    let mut target = "/".to_owned();
    for _ in 0..5 {
        let answer = client.send(&Request::get(target.as_str()));
        match answer.header("location") {
            Some(to) => target = to.to_owned(),
            None => return hidden(&answer.body),
        }
    }
    None
}

fn hidden(body: &str) -> Option<String> {
    html::read(body).controls.into_iter().find(|control| control.name == "_csrf").map(|control| control.value)
}
