//! What an object out of sight has where it must be unique, sent as one's own. That it cannot be used is told, and
//! documented; that an object has it is not to be told.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::{Answer, Request};
use super::super::probe;
use super::super::raid::Raid;
use super::{Class, act_of, crew, entities, fields, form_of, offered, saves, telling};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::model::Entity;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Hidden objects whose values are sent, for each set of members that is unique.
const VALUES: usize = 2;
/// How a refusal begins to speak of another object.
const TELLING: [&str; 2] = ["already in use", "overlaps with another"];

pub(super) fn unique(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    raid.skip(Class::UniqueValues, "nobody is offered a unique member of which they do not see every value");
    for attacker in crew(raid) {
        for entity in entities(&raid.model) {
            for members in entity.unique.clone() {
                for (hidden, values) in hidden(raid, &attacker, &entity, &members) {
                    send(raid, &attacker, &entity, hidden, &values)?;
                }
            }
        }
    }
    Ok(())
}

/// Objects of which the attacker does not read one of these members, with all of their values.
fn hidden(
    raid: &Raid<'_>,
    attacker: &Attacker,
    entity: &Arc<Entity>,
    members: &[Name],
) -> Vec<(ObjectId, BTreeMap<Name, Value>)> {
    let out_of_sight = |id: &ObjectId| members.iter().any(|member| !attacker.reads(&entity.name, *id, member));
    let values = |id: ObjectId| {
        let all = members.iter().map(|member| (member.clone(), raid.world.value(&entity.name, id, member)));
        (id, all.collect::<BTreeMap<_, _>>())
    };
    let ids = raid.world.ids(&entity.name).into_iter().filter(out_of_sight).map(values);
    ids.filter(|(_, values)| values.values().all(|value| !value.is_empty())).take(VALUES).collect()
}

/// The values in a new object, and in one that the attacker sees.
fn send(
    raid: &mut Raid<'_>,
    attacker: &Rc<Attacker>,
    entity: &Arc<Entity>,
    hidden: ObjectId,
    values: &BTreeMap<Name, Value>,
) -> Result<(), AttackError> {
    let own = telling(&raid.oracle(), &attacker.who, entity, true, 1).into_iter().find(|id| *id != hidden);
    let form = own.map(|id| ("Form", form_of(raid, &entity.name, id)));
    let new = ("New", format!("/p/{}", probe::page_of("New", &entity.name)));
    for (kind, target) in form.into_iter().chain([new]) {
        let page = probe::page_of(kind, &entity.name);
        let drawn = raid.page(attacker, &target);
        let Some(mut pairs) = act_of(&raid.model, &page, saves).and_then(|save| offered(&drawn, &save)) else { continue };
        pairs = super::buttons::fill(raid, entity, &page, &drawn, pairs);
        let fields = fields(&raid.model, &page);
        let mut offered = 0;
        for (member, value) in values {
            let Some(field) = fields.get(member).filter(|field| pairs.iter().any(|(name, _)| name == *field)) else { continue };
            let text = match (entity.member_kind(member), value) {
                (Some(Kind::Object(to)), Value::Object(id)) => raid.handle(&to, *id),
                _ => value.canonical(),
            };
            pairs.retain(|(name, _)| name != field);
            pairs.push((field.clone(), text));
            offered += 1;
        }
        if offered == 0 {
            continue;
        }
        let request = Request::post(target.as_str(), &pairs);
        let names: Vec<&str> = values.keys().map(Name::as_str).collect();
        let subject = format!("{kind}+{}#{}.{}", entity.name, hidden.0, names.join("+"));
        raid.scheme(Class::UniqueValues, attacker, &subject, &request, |raid| {
            let answer = attacker.client.send(&request);
            if answer.status == 422 {
                let (role, names) = (&attacker.role, names.join(", "));
                raid.remains(format!("{role} learns that a value of {}.{names} cannot be used, not why", entity.name));
            }
            Ok(raid.tells(attacker, &request, &answer).or_else(|| betrayed(&answer)))
        })?;
    }
    Ok(())
}

fn betrayed(answer: &Answer) -> Option<String> {
    let said = TELLING.iter().find(|words| answer.body.contains(**words))?;
    Some(format!("the refusal says that an object out of sight has the value: “{said}”"))
}
