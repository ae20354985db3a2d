//! Objects named by those who have no business with them.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::Request;
use super::super::probe::{self, OBJECT};
use super::super::raid::{Expect, Raid};
use super::doors::addresses;
use super::{Class, act_of, crew, entities, fields, forged, form_of, offered, own_pages, saves, telling};
use crate::domain::{Kind, ObjectId};
use crate::model::{Action, Entity};
use std::rc::Rc;
use std::sync::Arc;

/// Rows out of reach that are tried for each entity.
const ROWS: usize = 3;

pub(super) fn foreign(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        for entity in entities(&raid.model) {
            let rows = telling(&raid.oracle(), &attacker.who, &entity, false, ROWS);
            for id in &rows {
                one_row(raid, &attacker, &entity, *id)?;
            }
            if let Some(id) = rows.first() {
                referred(raid, &attacker, &entity, *id)?;
            }
        }
        arguments(raid, &attacker)?;
    }
    Ok(())
}

/// A row out of reach: looked at, saved with the form of one in reach, deleted.
fn one_row(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, entity: &Arc<Entity>, id: ObjectId) -> Result<(), AttackError> {
    let (class, name, handle) = (Class::ForeignHandles, &entity.name, raid.handle(&entity.name, id));
    for kind in ["Form", "Along"] {
        let page = probe::page_of(kind, name);
        raid.look(class, attacker, &format!("{kind}+{name}#{}", id.0), &Request::get(format!("/p/{page}?{OBJECT}={handle}")))?;
    }
    let form = probe::page_of("Form", name);
    let target = form_of(raid, name, id);
    let own = telling(&raid.oracle(), &attacker.who, entity, true, 1).first().copied();
    let drawn = raid.page(attacker, &own.map_or_else(|| target.clone(), |own| form_of(raid, name, own)));
    for (word, is) in [("save", saves as fn(&Action) -> bool), ("delete", |action: &Action| matches!(action, Action::Delete))] {
        let Some(act) = act_of(&raid.model, &form, is) else { continue };
        let pairs = offered(&drawn, &act).unwrap_or_else(|| forged(attacker, &drawn, &act));
        let request = Request::post(target.as_str(), &pairs);
        raid.write(class, attacker, &format!("{word}+{name}#{}", id.0), &request, &Expect::Nothing)?;
    }
    let list = probe::page_of("List", name);
    let Some(act) = act_of(&raid.model, &list, |action| matches!(action, Action::Delete)) else { return Ok(()) };
    let target = format!("/p/{list}");
    let drawn = raid.page(attacker, &target);
    let version = raid.world.row(name, id).map_or(1, |row| row.version);
    let request = Request::post(target, &forged(attacker, &drawn, &format!("{act}:{handle}:{version}")));
    raid.write(class, attacker, &format!("row+{name}#{}", id.0), &request, &Expect::Nothing)?;
    Ok(())
}

/// A reference to a row out of reach, in every selector that is offered for it.
fn referred(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, target: &Arc<Entity>, id: ObjectId) -> Result<(), AttackError> {
    let handle = raid.handle(&target.name, id);
    for entity in entities(&raid.model) {
        let form = probe::page_of("Form", &entity.name);
        let Some(save) = act_of(&raid.model, &form, saves) else { continue };
        let links =
            entity.associations.values().filter(|link| link.target == target.name && matches!(link.kind(), Kind::Object(_)));
        for link in links {
            let mine = raid.world.ids(&entity.name).into_iter().find(|row| {
                let who = &attacker.who;
                raid.model.entities.get(&entity.name).is_some_and(|own| raid.oracle().writes(who, own, *row, &link.name))
            });
            let (Some(mine), Some(field)) = (mine, fields(&raid.model, &form).get(&link.name).cloned()) else { continue };
            let address = form_of(raid, &entity.name, mine);
            let drawn = raid.page(attacker, &address);
            let Some(mut pairs) = offered(&drawn, &save) else { continue };
            pairs.retain(|(name, _)| *name != field);
            pairs.push((field, handle.clone()));
            let request = Request::post(address, &pairs);
            let subject = format!("refer+{}.{}+{}#{}", entity.name, link.name, target.name, id.0);
            raid.write(Class::ForeignHandles, attacker, &subject, &request, &Expect::Nothing)?;
        }
    }
    Ok(())
}

/// Objects out of reach as arguments of every microflow, those included that the role may run.
fn arguments(raid: &mut Raid<'_>, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    for flow in raid.model.microflows.values().cloned().collect::<Vec<_>>() {
        let page = probe::page_of("Run", &flow.name);
        if !raid.model.pages.contains_key(&page) {
            continue;
        }
        let Some(act) = act_of(&raid.model, &page, |action| matches!(action, Action::Run { .. })) else { continue };
        let all = addresses(raid, attacker, &page);
        let own = all.get(1).map(|(_, target)| target.clone());
        let objects: Vec<_> =
            raid.model.pages.get(&page).map(|page| page.parameters.values().cloned().collect()).unwrap_or_default();
        for (at, (subject, target)) in all.iter().skip(2).enumerate() {
            // Where every row is in reach there is no foreign one.
            let out = objects.get(at).is_some_and(|entity| raid.world.ids(entity).iter().any(|id| !attacker.sees(entity, *id)));
            let Some(own) = own.as_ref().filter(|_| out) else { continue };
            let drawn = raid.page(attacker, own);
            let pairs = match offered(&drawn, &act) {
                Some(pairs) => super::buttons::filled(raid, &flow, &drawn, pairs),
                None => forged(attacker, &drawn, &act),
            };
            raid.write(
                Class::ForeignHandles,
                attacker,
                &format!("argument+{subject}"),
                &Request::post(target.as_str(), &pairs),
                &Expect::Nothing,
            )?;
        }
    }
    Ok(())
}

/// Handles of other entities, damaged ones and plain keys.
pub(super) fn swapped(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        let all = entities(&raid.model);
        for page in own_pages(&raid.model) {
            let Some(found) = raid.model.pages.get(&page).filter(|page| !page.parameters.is_empty()).cloned() else { continue };
            for (subject, value) in wrong(raid, found.parameters.values().next(), &all) {
                let pairs: Vec<String> = found.parameters.keys().map(|name| format!("{name}={value}")).collect();
                let target = format!("/p/{page}?{}", pairs.join("&"));
                let subject = format!("{page}+{subject}");
                raid.look(Class::SwappedHandles, &attacker, &subject, &Request::get(target.as_str()))?;
            }
        }
        for entity in &all {
            rows(raid, &attacker, entity, &all)?;
        }
    }
    Ok(())
}

fn wrong(raid: &Raid<'_>, is: Option<&crate::domain::QName>, all: &[Arc<Entity>]) -> Vec<(String, String)> {
    let others = all.iter().filter(|entity| Some(&entity.name) != is);
    let mut values: Vec<(String, String)> = others
        .filter_map(|entity| Some((entity.name.to_string(), raid.handle(&entity.name, *raid.world.ids(&entity.name).first()?))))
        .collect();
    let key = is.and_then(|entity| raid.world.ids(entity).first().copied()).unwrap_or(ObjectId(1));
    values.push(("key".into(), key.0.to_string()));
    values.push(("hash".into(), format!("%23{}", key.0)));
    if let Some(entity) = is {
        let handle = raid.handle(entity, key);
        let first = if handle.starts_with('A') { "B" } else { "A" };
        values.push(("damaged".into(), format!("{first}{}", handle.get(1..).unwrap_or_default())));
        values.push(("sealed".into(), format!("~{handle}")));
        values.push(("doubled".into(), format!("{handle}{handle}")));
    }
    values
}

/// Rows of lists, by handles of other entities.
fn rows(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, entity: &Arc<Entity>, all: &[Arc<Entity>]) -> Result<(), AttackError> {
    let list = probe::page_of("List", &entity.name);
    let target = format!("/p/{list}");
    let Some(act) = act_of(&raid.model, &list, |action| matches!(action, Action::Delete)) else { return Ok(()) };
    let drawn = raid.page(attacker, &target);
    for (subject, value) in wrong(raid, Some(&entity.name), all) {
        let request = Request::post(target.as_str(), &forged(attacker, &drawn, &format!("{act}:{value}:1")));
        raid.write(Class::SwappedHandles, attacker, &format!("{list}+{subject}"), &request, &Expect::Nothing)?;
    }
    Ok(())
}
