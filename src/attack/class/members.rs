//! Members too many in a form that was offered.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::Request;
use super::super::probe;
use super::super::raid::{Expect, Raid};
use super::{Class, Page, act_of, another, crew, entities, fields, forged, form_of, offered, saves, telling};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::Node;
use crate::model::Entity;
use std::rc::Rc;
use std::sync::Arc;

/// Rows in reach that are tried for each entity.
const ROWS: usize = 2;
/// Names that a server keeps for itself.
pub(super) const SYSTEM: [&str; 8] = ["id", "version", "created", "changed", "owner", "changedBy", "_version", "password"];

/// Which forms of an entity are tried.
struct Form {
    target: String,
    page: QName,
    row: Option<ObjectId>,
    drawn: Rc<Page>,
    save: String,
}

fn forms(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, entity: &Arc<Entity>, rows: usize) -> Vec<Form> {
    let mut all = Vec::new();
    let rows = telling(&raid.oracle(), &attacker.who, entity, true, rows);
    let mut add = |raid: &mut Raid<'_>, page: QName, target: String, row: Option<ObjectId>| {
        let drawn = raid.page(attacker, &target);
        if let Some(save) = act_of(&raid.model, &page, saves) {
            all.push(Form { target, page, row, drawn, save });
        }
    };
    for row in rows {
        let target = form_of(raid, &entity.name, row);
        add(raid, probe::page_of("Form", &entity.name), target, Some(row));
    }
    let page = probe::page_of("New", &entity.name);
    let target = format!("/p/{page}");
    add(raid, page, target, None);
    all
}

impl Form {
    /// What a browser would send, or the most truthful thing that can be made up.
    fn payload(&self, raid: &mut Raid<'_>, attacker: &Attacker, entity: &Entity) -> Vec<(String, String)> {
        match offered(&self.drawn, &self.save) {
            Some(pairs) if self.row.is_none() => super::buttons::fill(raid, entity, &self.page, &self.drawn, pairs),
            Some(pairs) => pairs,
            None => forged(attacker, &self.drawn, &self.save),
        }
    }

    fn offers(&self, field: &str) -> bool {
        self.drawn.html.controls.iter().any(|control| control.name == field && !control.hidden)
    }

    fn name(&self, entity: &QName) -> String {
        self.row.map_or_else(|| format!("new+{entity}"), |id| format!("{entity}#{}", id.0))
    }
}

/// What is added, in front or behind; in the place of what the form has by that name.
fn added(mut pairs: Vec<(String, String)>, extra: (String, String), front: bool) -> Vec<(String, String)> {
    pairs.retain(|(name, _)| *name != extra.0);
    let at = if front { 0 } else { pairs.len() };
    pairs.insert(at, extra);
    pairs
}

pub(super) fn hidden(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        for entity in entities(&raid.model) {
            for form in forms(raid, &attacker, &entity, ROWS) {
                not_offered(raid, &attacker, &entity, &form)?;
            }
        }
    }
    Ok(())
}

/// Each member that this attacker may not write here, as a field of the form and by its name.
fn not_offered(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, entity: &Arc<Entity>, form: &Form) -> Result<(), AttackError> {
    for (at, (member, field)) in fields(&raid.model, &form.page).into_iter().enumerate() {
        if form.offers(&field) && may(raid, attacker, entity, form.row, &member) {
            continue;
        }
        let is = form.row.map_or_else(|| first(entity, &member), |id| raid.world.value(&entity.name, id, &member));
        let value = another(raid, entity, &member, &is).into_iter().next().unwrap_or_else(|| "1".into());
        let pairs = added(form.payload(raid, attacker, entity), (field, value.clone()), at % 2 == 0);
        let subject = format!("{}.{member}", form.name(&entity.name));
        let request = Request::post(form.target.as_str(), &pairs);
        raid.write(Class::HiddenMembers, attacker, &subject, &request, &Expect::Nothing)?;
        let pairs = added(form.payload(raid, attacker, entity), (member.to_string(), value), at % 2 == 1);
        let request = Request::post(form.target.as_str(), &pairs);
        raid.write(Class::HiddenMembers, attacker, &format!("{subject}+name"), &request, &Expect::Nothing)?;
    }
    Ok(())
}

/// What a member of a new object is by itself: to send that is to change nothing.
fn first(entity: &Entity, member: &Name) -> Value {
    let default = entity.attributes.get(member).and_then(|attribute| attribute.default.as_ref());
    match default.map(|expression| &expression.node) {
        Some(Node::Literal(value)) => value.clone(),
        _ => Value::Empty,
    }
}

fn may(raid: &Raid<'_>, attacker: &Attacker, entity: &Entity, row: Option<ObjectId>, member: &Name) -> bool {
    let oracle = raid.oracle();
    let Some(own) = oracle.model.entities.get(&entity.name) else { return false };
    match row {
        Some(id) => oracle.writes(&attacker.who, own, id, member),
        None => !own.server_kept(member) && !oracle.giving(&attacker.who.role, own, member, true).is_empty(),
    }
}

/// Names that a form never has.
pub(super) fn unknown_names(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    for entity in entities(&raid.model) {
        for form in forms(raid, attacker, &entity, 1) {
            unknown(raid, class, attacker, &entity, &form)?;
        }
    }
    Ok(())
}

fn unknown(
    raid: &mut Raid<'_>,
    class: Class,
    attacker: &Rc<Attacker>,
    entity: &Arc<Entity>,
    form: &Form,
) -> Result<(), AttackError> {
    for (at, name) in SYSTEM.into_iter().enumerate() {
        let pairs = added(form.payload(raid, attacker, entity), (name.into(), "1".into()), at % 2 == 0);
        let request = Request::post(form.target.as_str(), &pairs);
        raid.write(class, attacker, &format!("{}.{name}", form.name(&entity.name)), &request, &Expect::Nothing)?;
    }
    Ok(())
}

/// A member that may be written comes first and is changed; then each of the others.
pub(super) fn after_the_first(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        for entity in entities(&raid.model) {
            for form in forms(raid, &attacker, &entity, ROWS).into_iter().filter(|form| form.row.is_some()) {
                the_others(raid, &attacker, &entity, &form)?;
            }
        }
    }
    Ok(())
}

fn the_others(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, entity: &Arc<Entity>, form: &Form) -> Result<(), AttackError> {
    let Some(id) = form.row else { return Ok(()) };
    let all = fields(&raid.model, &form.page);
    let writable = |(member, field): &(&Name, &String)| form.offers(field) && may(raid, attacker, entity, form.row, member);
    let Some((allowed, lead)) = all.iter().find(|pair| writable(pair)).map(|(member, field)| (member.clone(), field.clone()))
    else {
        return Ok(());
    };
    let is = raid.world.value(&entity.name, id, &allowed);
    let Some(new) = another(raid, entity, &allowed, &is).into_iter().next() else { return Ok(()) };
    for (member, field) in &all {
        if *member == allowed || may(raid, attacker, entity, form.row, member) {
            continue;
        }
        let mut pairs = form.payload(raid, attacker, entity);
        pairs.retain(|(name, _)| *name != lead && name != field);
        pairs.insert(0, (lead.clone(), new.clone()));
        let is = raid.world.value(&entity.name, id, member);
        let value = another(raid, entity, member, &is).into_iter().next().unwrap_or_else(|| "1".into());
        pairs.push((field.clone(), value));
        let subject = format!("{}.{allowed}+{member}", form.name(&entity.name));
        let request = Request::post(form.target.as_str(), &pairs);
        raid.write(Class::FirstMember, attacker, &subject, &request, &Expect::Nothing)?;
    }
    Ok(())
}
