//! Writes that are offered, with values that move a row out of or into reach; the rules hold before and after.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::Request;
use super::super::probe;
use super::super::raid::{Expect, Raid};
use super::{Class, act_of, another, crew, declared, entities, fields, form_of, offered, saves, telling};
use crate::domain::Kind;
use crate::model::Entity;
use std::rc::Rc;
use std::sync::Arc;

/// Rows in reach that are tried for each entity.
const ROWS: usize = 3;
/// Values that are tried for each member.
const VALUES: usize = 4;

pub(super) fn moved(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        for entity in entities(&raid.model) {
            for id in telling(&raid.oracle(), &attacker.who, &entity, true, ROWS) {
                let target = form_of(raid, &entity.name, id);
                each_value(raid, &attacker, &entity, "Form", &target, Some(id))?;
            }
            let target = format!("/p/{}", probe::page_of("New", &entity.name));
            each_value(raid, &attacker, &entity, "New", &target, None)?;
        }
    }
    Ok(())
}

/// One field after the other with other values; whatever comes of it, the rules must have given it.
fn each_value(
    raid: &mut Raid<'_>,
    attacker: &Rc<Attacker>,
    entity: &Arc<Entity>,
    kind: &str,
    target: &str,
    row: Option<crate::domain::ObjectId>,
) -> Result<(), AttackError> {
    let page = probe::page_of(kind, &entity.name);
    let drawn = raid.page(attacker, target);
    let Some(save) = act_of(&raid.model, &page, saves) else { return Ok(()) };
    let Some(mut base) = offered(&drawn, &save) else { return Ok(()) };
    if row.is_none() {
        base = super::buttons::fill(raid, entity, &page, &drawn, base);
    }
    let extra = declared(&raid.model, None, Some(&entity.name));
    for (member, field) in fields(&raid.model, &page) {
        let Some(control) = drawn.html.controls.iter().find(|control| control.name == field).cloned() else { continue };
        let is = row.map_or(crate::domain::Value::Empty, |id| raid.world.value(&entity.name, id, &member));
        let mut values = another(raid, entity, &member, &is);
        if matches!(entity.member_kind(&member), Some(Kind::Object(_))) {
            values.extend(control.options.iter().map(|(value, _)| value.clone()).filter(|value| !value.is_empty()).take(2));
        }
        for value in values.into_iter().take(VALUES) {
            let mut pairs = base.clone();
            pairs.retain(|(name, _)| *name != field);
            pairs.extend((!value.is_empty()).then(|| (field.clone(), value.clone())));
            let what = row.map_or_else(|| format!("new+{}", entity.name), |id| format!("{}#{}", entity.name, id.0));
            let told = match entity.member_kind(&member) {
                Some(Kind::Object(target)) => raid.named(&target, &value),
                _ => value,
            };
            let subject = format!("{what}.{member}={told}");
            let request = Request::post(target, &pairs);
            let expect = if extra.is_empty() { Expect::Rules } else { Expect::Flow(&extra) };
            raid.write(Class::MovedRows, attacker, &subject, &request, &expect)?;
        }
    }
    Ok(())
}
