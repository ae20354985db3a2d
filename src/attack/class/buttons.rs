//! Buttons that are not offered, and microflows.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::Request;
use super::super::probe;
use super::super::raid::{Expect, Raid};
use super::doors::addresses;
use super::{Class, act_of, crew, declared, forged, offered, own_pages, senders};
use crate::domain::{Kind, QName};
use crate::model::{Action, Microflow};
use std::rc::Rc;
use std::sync::Arc;

/// On the app's pages every button that is not offered; on the attack's own every microflow.
pub(super) fn unoffered(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        for page in own_pages(&raid.model) {
            for (subject, target) in addresses(raid, &attacker, &page).into_iter().take(2) {
                missing(raid, &attacker, &page, &subject, &target)?;
            }
        }
        for flow in raid.model.microflows.values().cloned().collect::<Vec<_>>() {
            run(raid, Class::UnofferedButtons, &attacker, &flow)?;
        }
    }
    Ok(())
}

fn missing(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, page: &QName, subject: &str, target: &str) -> Result<(), AttackError> {
    let drawn = raid.page(attacker, target);
    for (id, action) in senders(&raid.model, page) {
        if drawn.button(&id).is_some() || matches!(action, Action::Cancel) {
            continue;
        }
        let pairs = forged(attacker, &drawn, &id);
        let request = Request::post(target, &pairs);
        raid.write(Class::UnofferedButtons, attacker, &format!("{subject}.{id}"), &request, &Expect::Nothing)?;
    }
    Ok(())
}

/// A microflow by the attack's own button, with objects in reach: refused to whom it is not given; for the others it
/// does no more than it declares.
pub(super) fn run(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>, flow: &Arc<Microflow>) -> Result<(), AttackError> {
    let page = probe::page_of("Run", &flow.name);
    if !raid.model.pages.contains_key(&page) {
        return Ok(());
    }
    let target = addresses(raid, attacker, &page).into_iter().nth(usize::from(takes_stored(raid, flow)));
    let Some((_, target)) = target else { return Ok(()) };
    let Some(id) = act_of(&raid.model, &page, |action| matches!(action, Action::Run { .. })) else { return Ok(()) };
    let drawn = raid.page(attacker, &target);
    let may = raid.oracle().runs(&attacker.who.role, &flow.name);
    let subject = format!("run+{}", flow.name);
    let pairs = match offered(&drawn, &id) {
        Some(pairs) if may => filled(raid, flow, &drawn, pairs),
        _ => forged(attacker, &drawn, &id),
    };
    let request = Request::post(target, &pairs);
    match may {
        true => {
            let extra = declared(&raid.model, Some(&flow.name), None);
            raid.write(class, attacker, &subject, &request, &Expect::Flow(&extra))?;
        }
        false => drop(raid.write(class, attacker, &subject, &request, &Expect::Nothing)?),
    }
    Ok(())
}

fn takes_stored(raid: &Raid<'_>, flow: &Microflow) -> bool {
    let stored =
        |kind: &Kind| matches!(kind, Kind::Object(entity) if raid.model.entities.get(entity).is_some_and(|e| e.persistable));
    flow.parameters.values().any(stored)
}

/// The fields of the object in memory that a flow takes, filled in as a person would.
pub(super) fn filled(
    raid: &mut Raid<'_>,
    flow: &Microflow,
    drawn: &super::Page,
    pairs: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let page = probe::page_of("Run", &flow.name);
    let memory = flow.parameters.values().find_map(|kind| match kind {
        Kind::Object(entity) => raid.model.entities.get(entity).filter(|entity| !entity.persistable).cloned(),
        _ => None,
    });
    let Some(entity) = memory else { return pairs };
    fill(raid, &entity, &page, drawn, pairs)
}

/// Fills in every field that is empty.
pub(super) fn fill(
    raid: &mut Raid<'_>,
    entity: &crate::model::Entity,
    page: &QName,
    drawn: &super::Page,
    mut pairs: Vec<(String, String)>,
) -> Vec<(String, String)> {
    for (member, field) in super::fields(&raid.model, page) {
        let Some(control) = drawn.html.controls.iter().find(|control| control.name == field).cloned() else { continue };
        let choice = control.options.iter().map(|(value, _)| value.clone()).find(|value| !value.is_empty());
        let typed = super::another(raid, entity, &member, &crate::domain::Value::Empty).into_iter().next();
        let value = if control.options.is_empty() { typed } else { choice };
        if let (Some(pair), Some(value)) = (pairs.iter_mut().find(|(name, old)| *name == field && old.is_empty()), value) {
            pair.1 = value;
        }
    }
    pairs
}
