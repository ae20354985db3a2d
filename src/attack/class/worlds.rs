//! Other worlds that are the same to one attacker: they differ in what that attacker may not know, and in nothing else.
//!
//! What must be unique stays unique, and no range overlaps another one, so that the other world is as sound as the first.

use super::super::canary::{self, Random};
use super::super::crew::{Attacker, known};
use super::super::guard::{Guard, is_sound};
use super::super::oracle::Oracle;
use super::super::raid::Raid;
use super::super::world::World;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::{AttributeKind, Entity};
use std::collections::{BTreeMap, BTreeSet};

/// Values of chance that are tried for one cell.
const TRIES: usize = 12;
/// By how many days ends of ranges are moved.
const DAYS: [i64; 10] = [1, -1, 3, -3, 40, -40, 400, -400, 4_000, -4_000];
/// How often rows that cannot all be moved at once are halved.
const HALVES: usize = 3;

/// Another world that is the same to this attacker, and how many members have other values in it. Those that they may
/// not read are exchanged among cells, member by member; where two rows may not have the same, each row gets values that
/// no row has. All as long as the oracle says that the attacker's own world does not change by it.
pub(in crate::attack) fn shuffled(raid: &Raid<'_>, attacker: &Attacker) -> (World, usize) {
    let mut world = raid.world.clone();
    let mut moved = 0;
    for entity in &raid.compared(attacker) {
        let parts = guarded(entity);
        let plain = |member: &&Name| is_movable(entity, member) && !parts.iter().any(|part| part.contains(*member));
        for member in entity.members().filter(plain) {
            let turned = turn(&world, &entity.name, member, &hidden(raid, attacker, entity, std::slice::from_ref(member)));
            if turned != world && same_to(raid, attacker, &turned) {
                world = turned;
                moved += 1;
            }
        }
        for part in parts {
            if let Some(other) = elsewhere(raid, attacker, entity, &world, &part) {
                world = other;
                moved += part.len();
            }
        }
    }
    (world, moved)
}

/// A world that is the same to this attacker, in which nobody has what a row has in the members of a guard, as far as the
/// attacker may not read them.
pub(super) fn without(raid: &Raid<'_>, attacker: &Attacker, entity: &Entity, guard: &Guard<'_>, id: ObjectId) -> Option<World> {
    let of = guard.members();
    let mut parts = guarded(entity);
    parts.retain(|part| part.iter().all(|member| of.contains(&member) && !attacker.reads(&entity.name, id, member)));
    parts.iter().find_map(|part| {
        let mut random = Random::about(raid.seed(), &format!("{}#{}", entity.name, id.0));
        let mut other = raid.world.clone();
        let moved = move_row(raid, (entity, part), &mut other, id, true, &mut random);
        (moved && same_to(raid, attacker, &other)).then_some(other)
    })
}

/// What of an entity's members two rows may not have in common, in parts that are moved as one: both ends of a range, and
/// each member.
fn guarded(entity: &Entity) -> Vec<Vec<Name>> {
    let mut parts: Vec<Vec<Name>> = Vec::new();
    for guard in Guard::of(entity) {
        if let Guard::Range(range) = &guard {
            parts.push(vec![range.from.clone(), range.to.clone()]);
        }
        parts.extend(guard.members().into_iter().map(|member| vec![member.clone()]));
    }
    parts.retain(|part| part.iter().all(|member| is_movable(entity, member)));
    let mut seen = BTreeSet::new();
    parts.retain(|part| seen.insert(part.clone()));
    parts
}

/// Whether a member can have other values at all: a stored attribute, or an association to one object that spans no tree.
fn is_movable(entity: &Entity, member: &Name) -> bool {
    if entity.tree.as_ref() == Some(member) {
        return false;
    }
    match entity.attributes.get(member) {
        Some(attribute) => attribute.calculated.is_none(),
        None => matches!(entity.member_kind(member), Some(Kind::Object(_))),
    }
}

/// The rows in which this attacker reads none of these members.
fn hidden(raid: &Raid<'_>, attacker: &Attacker, entity: &Entity, part: &[Name]) -> Vec<ObjectId> {
    let unread = |id: &ObjectId| !part.iter().any(|member| attacker.reads(&entity.name, *id, member));
    raid.world.ids(&entity.name).into_iter().filter(unread).collect()
}

/// The same world with other values in a part of rows that the attacker may not read: values that no row has, or where
/// there are none, each row's with those of the next.
fn elsewhere(raid: &Raid<'_>, attacker: &Attacker, entity: &Entity, world: &World, part: &[Name]) -> Option<World> {
    let ids = hidden(raid, attacker, entity, part);
    if let Some(other) = move_rows(raid, attacker, (entity, part), world, &ids, HALVES) {
        return Some(other);
    }
    let turned = part.iter().fold(world.clone(), |world, member| turn(&world, &entity.name, member, &ids));
    let admitted = ids.iter().all(|id| admits(raid, entity, &turned, *id, part));
    (turned != *world && admitted && same_to(raid, attacker, &turned)).then_some(turned)
}

/// Moves all of these rows that can be moved; if that is told to the attacker, each half of them by itself.
fn move_rows(
    raid: &Raid<'_>,
    attacker: &Attacker,
    (entity, part): (&Entity, &[Name]),
    world: &World,
    ids: &[ObjectId],
    halves: usize,
) -> Option<World> {
    let mut other = world.clone();
    let mut random =
        Random::about(raid.seed(), &format!("{}.{}", entity.name, part.iter().map(Name::as_str).collect::<String>()));
    let moved = ids.iter().filter(|id| move_row(raid, (entity, part), &mut other, **id, false, &mut random)).count();
    if moved == 0 {
        return None;
    }
    if same_to(raid, attacker, &other) {
        return Some(other);
    }
    if halves == 0 || ids.len() < 2 {
        return None;
    }
    let (first, second) = ids.split_at(ids.len() / 2);
    let half = move_rows(raid, attacker, (entity, part), world, first, halves - 1);
    let rest = move_rows(raid, attacker, (entity, part), half.as_ref().unwrap_or(world), second, halves - 1);
    rest.or(half)
}

/// Gives a part of a row values that no other row has, nor had; `frees`: nor it itself, so that what it had is free.
/// Tells whether there are any.
fn move_row(
    raid: &Raid<'_>,
    (entity, part): (&Entity, &[Name]),
    world: &mut World,
    id: ObjectId,
    frees: bool,
    random: &mut Random,
) -> bool {
    let except = (!frees).then_some(id);
    let before: Vec<Value> = part.iter().map(|member| world.value(&entity.name, id, member)).collect();
    let set = |world: &mut World, values: &[Value]| {
        part.iter().zip(values).for_each(|(member, value)| world.set(&entity.name, id, member, value.clone()));
    };
    for values in candidates(raid, entity, part, &before, random) {
        set(world, &values);
        let row = world.row(&entity.name, id).map(|row| row.values.clone()).unwrap_or_default();
        if values != before && is_sound(entity, &raid.world, except, &row, part) && admits(raid, entity, world, id, part) {
            return true;
        }
    }
    set(world, &before);
    false
}

/// Whether a row is sound in a world, and as valid as it was.
fn admits(raid: &Raid<'_>, entity: &Entity, world: &World, id: ObjectId, part: &[Name]) -> bool {
    let Some(row) = world.row(&entity.name, id) else { return false };
    let then = Oracle { world, ..raid.oracle() };
    is_sound(entity, world, Some(id), &row.values, part)
        && (canary::is_valid(&then, entity, id) || !canary::is_valid(&raid.oracle(), entity, id))
}

/// Other values for a part of a row.
fn candidates(raid: &Raid<'_>, entity: &Entity, part: &[Name], before: &[Value], random: &mut Random) -> Vec<Vec<Value>> {
    let mut all: Vec<Vec<Value>> =
        DAYS.iter().filter_map(|days| before.iter().map(|value| later(value, *days)).collect()).collect();
    let [member] = part else { return all };
    match (entity.attributes.get(member), entity.member_kind(member)) {
        (Some(attribute), _) if attribute.kind == AttributeKind::Autonumber => {
            all.extend((0..TRIES).map(|_| vec![Value::Integer(random.between(8_000_000, 8_999_999))]));
        }
        (Some(attribute), _) => {
            all.extend((0..TRIES).map(|_| vec![canary::fresh(random, &raid.model, attribute, raid.instance.now)]));
            all.extend((!attribute.required && attribute.kind() != Kind::Boolean).then(|| vec![Value::Empty]));
        }
        (None, Some(Kind::Object(target))) => {
            let ids = raid.world.ids(&target);
            let from = random.below(ids.len());
            all.extend(ids.iter().cycle().skip(from).take(ids.len()).map(|id| vec![Value::Object(*id)]));
            let required = entity.associations.get(member).is_none_or(|link| link.required);
            all.extend((!required).then(|| vec![Value::Empty]));
        }
        _ => {}
    }
    all
}

/// A date so many days later; what is empty stays so, and anything else is not moved in this way.
fn later(value: &Value, days: i64) -> Option<Value> {
    let by = chrono::TimeDelta::try_days(days)?;
    match value {
        Value::Date(date) => date.checked_add_signed(by).map(Value::Date),
        Value::DateTime(moment) => moment.checked_add_signed(by).map(Value::DateTime),
        Value::Empty => Some(Value::Empty),
        _ => None,
    }
}

/// Each of these cells with the value of the next one.
fn turn(world: &World, entity: &QName, member: &Name, ids: &[ObjectId]) -> World {
    let mut turned = world.clone();
    let values: Vec<Value> = ids.iter().map(|id| world.value(entity, *id, member)).collect();
    for (id, value) in ids.iter().zip(values.iter().cycle().skip(1)) {
        turned.set(entity, *id, member, value.clone());
    }
    turned
}

/// Whether somebody's own part of two worlds is the same: every cell that they may read, the objects that their account
/// leads to, and what they may write.
fn same_to(raid: &Raid<'_>, attacker: &Attacker, other: &World) -> bool {
    let then = Oracle { world: other, ..raid.oracle() };
    if then.readable(&attacker.who) != attacker.readable
        || known(&raid.model, other, &attacker.who, &attacker.readable) != attacker.known
    {
        return false;
    }
    let rights = |oracle: &Oracle<'_>| -> BTreeMap<(QName, ObjectId), Vec<bool>> {
        let cell = |(entity, id): &(QName, ObjectId)| {
            let Some(own) = raid.model.entities.get(entity) else { return ((entity.clone(), *id), Vec::new()) };
            let rules = own.rules.iter().filter(|rule| rule.create || rule.delete || !rule.write.is_empty());
            let holds = rules.map(|rule| oracle.holds(&attacker.who, rule, *id)).collect();
            ((entity.clone(), *id), holds)
        };
        attacker.readable.keys().map(cell).collect()
    };
    let conditions: BTreeSet<bool> = [rights(&raid.oracle()) == rights(&then), inner(raid, attacker, &then)].into();
    conditions == BTreeSet::from([true])
}

/// Rules of elevated reads and of the app's lists may ask for what this person cannot read; the author of the model
/// decided to tell that much. Such lists are recognised by their own constraint: it must hold for the same rows.
fn inner(raid: &Raid<'_>, attacker: &Attacker, then: &Oracle<'_>) -> bool {
    let now = raid.oracle();
    let mut same = true;
    for page in raid.model.pages.values().filter(|page| now.opens(&attacker.who.role, &page.name)) {
        crate::model::each_widget(&page.content, &mut |widget| {
            let source = match &widget.kind {
                crate::model::WidgetKind::DataGrid(grid) => Some((&grid.source.entity, grid.source.condition.as_ref())),
                crate::model::WidgetKind::ListView(list) => Some((&list.source.entity, list.source.condition.as_ref())),
                crate::model::WidgetKind::Stat(stat) => Some((&stat.source.entity, stat.source.condition.as_ref())),
                crate::model::WidgetKind::Reference(reference) => Some((&reference.target, reference.condition.as_ref())),
                _ => None,
            };
            let Some((entity, Some(condition))) = source else { return };
            let rows = |oracle: &Oracle<'_>| -> Vec<bool> {
                let seen = raid.world.ids(entity).into_iter().filter(|id| attacker.sees(entity, *id));
                seen.map(|id| oracle.compute(condition, &attacker.who, Some(id)) == Ok(Value::Boolean(true))).collect()
            };
            same &= rows(&now) == rows(then);
        });
    }
    same
}
