//! Forms at the wrong time, from the wrong session, or twice.

use super::super::AttackError;
use super::super::crew::{Attacker, sign_in, token};
use super::super::http::Request;
use super::super::probe;
use super::super::raid::{Expect, Raid};
use super::super::world::World;
use super::{Class, act_of, another, crew, entities, fields, form_of, offered, own_pages, saves};
use crate::domain::{Name, ObjectId, Value};
use crate::model::Entity;
use std::rc::Rc;
use std::sync::Arc;

/// A change that the attacker may make.
struct Legit {
    entity: Arc<Entity>,
    id: ObjectId,
    member: Name,
    request: Request,
    pairs: Vec<(String, String)>,
    target: String,
}

/// For each entity a change that this attacker may make, if there is one.
fn legit(raid: &mut Raid<'_>, attacker: &Rc<Attacker>) -> Vec<Legit> {
    let mut all = Vec::new();
    for entity in raid.prepared(attacker) {
        let page = probe::page_of("Form", &entity.name);
        let Some(save) = act_of(&raid.model, &page, saves) else { continue };
        let (known, ids) = (fields(&raid.model, &page), raid.world.ids(&entity.name));
        let writable = |id: &ObjectId| {
            let oracle = raid.oracle();
            let own = oracle.model.entities.get(&entity.name)?;
            let mut members = known.iter().filter(|(member, _)| oracle.writes(&attacker.who, own, *id, member));
            let plain = members.find(|(member, _)| entity.attributes.contains_key(*member));
            plain.map(|(member, field)| (*id, member.clone(), field.clone()))
        };
        let found: Vec<_> = ids.iter().filter_map(writable).take(4).collect();
        for (id, member, field) in found {
            let target = form_of(raid, &entity.name, id);
            let drawn = raid.page(attacker, &target);
            let is = raid.world.value(&entity.name, id, &member);
            let Some(value) = another(raid, &entity, &member, &is).into_iter().next() else { continue };
            let Some(mut pairs) = offered(&drawn, &save) else { continue };
            pairs.retain(|(name, _)| *name != field);
            pairs.push((field, value));
            let request = Request::post(target.as_str(), &pairs);
            all.push(Legit { entity: entity.clone(), id, member, request, pairs, target });
            break;
        }
    }
    all
}

/// A form for a new object, filled in so that it makes one; `None` where this attacker makes none.
fn fresh(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, entity: &Arc<Entity>) -> Result<Option<Request>, AttackError> {
    let page = probe::page_of("New", &entity.name);
    let target = format!("/p/{page}");
    let drawn = raid.page(attacker, &target);
    let Some(save) = act_of(&raid.model, &page, saves) else { return Ok(None) };
    let Some(pairs) = offered(&drawn, &save) else { return Ok(None) };
    let pairs = super::buttons::fill(raid, entity, &page, &drawn, pairs);
    let request = Request::post(target.as_str(), &pairs);
    attacker.client.send(&request);
    let made = raid.changed()?.is_some_and(|after| made(raid, entity, &after) == 1);
    raid.restore()?;
    Ok(made.then_some(request))
}

/// How many objects of an entity there are that were not there in the beginning.
fn made(raid: &Raid<'_>, entity: &Entity, after: &World) -> usize {
    let before = raid.world.ids(&entity.name);
    after.ids(&entity.name).iter().filter(|id| !before.contains(id)).count()
}

/// A form for something new, sent again after it was accepted: it makes one object.
fn new_again(raid: &mut Raid<'_>, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    for entity in raid.prepared(attacker) {
        let Some(request) = fresh(raid, attacker, &entity)? else { continue };
        raid.scheme(Class::OldVersions, attacker, &format!("again+new+{}", entity.name), &request, |raid| {
            attacker.client.send(&request);
            attacker.client.send(&request);
            let made = made(raid, &entity, &raid.world_now()?);
            Ok((made > 1).then(|| format!("a form that was sent twice made {made} objects of {}", entity.name)))
        })?;
    }
    Ok(())
}

/// The same by two threads at once.
fn new_at_once(raid: &mut Raid<'_>, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    for entity in raid.prepared(attacker) {
        let Some(request) = fresh(raid, attacker, &entity)? else { continue };
        raid.scheme(Class::DoubleSubmits, attacker, &format!("new+{}", entity.name), &request, |raid| {
            let twin = attacker.client.twin();
            std::thread::scope(|scope| {
                let other = scope.spawn(|| twin.send(&request).status);
                attacker.client.send(&request);
                other.join().unwrap_or_default()
            });
            let made = made(raid, &entity, &raid.world_now()?);
            Ok((made > 1).then(|| format!("one form made {made} objects of {}", entity.name)))
        })?;
    }
    Ok(())
}

/// Forms drawn before somebody else changed the row, and forms sent again after they were accepted.
pub(super) fn old_versions(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        new_again(raid, &attacker)?;
        for legit in legit(raid, &attacker) {
            let name = format!("{}#{}", legit.entity.name, legit.id.0);
            raid.scheme(Class::OldVersions, &attacker, &format!("lost+{name}"), &legit.request, |raid| {
                let mut other = raid.world.clone();
                touch(&mut other, &legit);
                raid.make(&other, &raid.world.clone())?;
                attacker.client.send(&legit.request);
                let after = raid.world_now()?;
                Ok((after != other).then(|| format!("a form of version 1 overwrote a later version of {name}")))
            })?;
            raid.scheme(Class::OldVersions, &attacker, &format!("again+{name}"), &legit.request, |raid| {
                attacker.client.send(&legit.request);
                let once = raid.world_now()?;
                attacker.client.send(&legit.request);
                let twice = raid.world_now()?;
                Ok((once != twice).then(|| format!("a form that was sent twice was accepted twice for {name}")))
            })?;
        }
    }
    Ok(())
}

/// Somebody else's change: the version grows, and the member has another value.
fn touch(world: &mut World, legit: &Legit) {
    if let Some(row) = world.rows.get_mut(&legit.entity.name).and_then(|rows| rows.get_mut(&legit.id)) {
        row.version += 1;
    }
    if legit.entity.member_kind(&legit.member) == Some(crate::domain::Kind::Text)
        && legit.entity.attributes.get(&legit.member).is_some_and(|attribute| attribute.pattern.is_none() && !attribute.email)
    {
        world.set(&legit.entity.name, legit.id, &legit.member, Value::text("Other"));
    }
}

/// The same form by two threads at once: its version guards it, or its being new, so it counts once.
pub(super) fn double(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        new_at_once(raid, &attacker)?;
        for legit in legit(raid, &attacker) {
            let name = format!("{}#{}", legit.entity.name, legit.id.0);
            raid.scheme(Class::DoubleSubmits, &attacker, &name, &legit.request, |raid| {
                let twin = attacker.client.twin();
                let statuses = std::thread::scope(|scope| {
                    let other = scope.spawn(|| twin.send(&legit.request).status);
                    let first = attacker.client.send(&legit.request).status;
                    [first, other.join().unwrap_or_default()]
                });
                let after = raid.world_now()?;
                let version = after.row(&legit.entity.name, legit.id).map_or(0, |row| row.version);
                let before = raid.world.row(&legit.entity.name, legit.id).map_or(0, |row| row.version);
                let twice = statuses.iter().filter(|status| **status == 303).count() > 1 || version > before + 1;
                let forbidden = raid.forbidden(&attacker, &raid.world, &after).filter(|_| legit.entity.handlers.is_empty());
                Ok(forbidden.or_else(|| twice.then(|| format!("{name} was changed twice by one form"))))
            })?;
        }
    }
    Ok(())
}

/// The sealed state of a form where it does not belong.
pub(super) fn replayed(raid: &mut Raid<'_>, class: Class) -> Result<(), AttackError> {
    for (at, attacker) in crew(raid).into_iter().enumerate() {
        let Some(twin) = raid.twins.get(at).cloned() else { continue };
        for legit in legit(raid, &attacker) {
            if class == Class::CapturedState {
                send_by(raid, class, &twin, &legit, "twin", |pairs| with_token(pairs, &twin.csrf))?;
                let visitor = raid.visitor.clone();
                send_by(raid, class, &visitor, &legit, "visitor", |pairs| with_token(pairs, &visitor.csrf))?;
                continue;
            }
            send_by(raid, class, &twin, &legit, "without-token", |pairs| pairs)?;
            for place in [1, 20, 60] {
                send_by(raid, class, &attacker, &legit, &format!("altered{place}"), |pairs| altered(pairs, place))?;
            }
            send_by(raid, class, &attacker, &legit, "no-token", |pairs| {
                pairs.into_iter().filter(|(name, _)| name != "_csrf").collect()
            })?;
            elsewhere(raid, class, &attacker, &legit)?;
        }
        second_session(raid, class, &attacker)?;
    }
    Ok(())
}

fn send_by(
    raid: &mut Raid<'_>,
    class: Class,
    by: &Rc<Attacker>,
    legit: &Legit,
    word: &str,
    change: impl FnOnce(Vec<(String, String)>) -> Vec<(String, String)>,
) -> Result<(), AttackError> {
    let request = Request::post(legit.target.as_str(), &change(legit.pairs.clone()));
    let subject = format!("{}#{}+{word}", legit.entity.name, legit.id.0);
    raid.write(class, by, &subject, &request, &Expect::Nothing).map(drop)
}

fn with_token(mut pairs: Vec<(String, String)>, csrf: &str) -> Vec<(String, String)> {
    pairs.retain(|(name, _)| name != "_csrf");
    pairs.push(("_csrf".into(), csrf.to_owned()));
    pairs
}

/// One sign of the seal is another.
fn altered(mut pairs: Vec<(String, String)>, place: usize) -> Vec<(String, String)> {
    for (_, value) in pairs.iter_mut().filter(|(name, _)| name == "_state") {
        *value = value
            .chars()
            .enumerate()
            .map(|(at, sign)| {
                if at != place {
                    sign
                } else if sign == 'A' {
                    'B'
                } else {
                    'A'
                }
            })
            .collect();
    }
    pairs
}

/// The state of one page sent to others.
fn elsewhere(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>, legit: &Legit) -> Result<(), AttackError> {
    let others = entities(&raid.model).into_iter().map(|entity| probe::page_of("New", &entity.name));
    let pages: Vec<_> =
        others.chain(own_pages(&raid.model)).filter(|page| raid.oracle().opens(&attacker.who.role, page)).take(6).collect();
    for page in pages {
        let request = Request::post(format!("/p/{page}"), &legit.pairs);
        let subject = format!("{}#{}+{page}", legit.entity.name, legit.id.0);
        raid.write(class, attacker, &subject, &request, &Expect::Nothing)?;
    }
    Ok(())
}

/// The state of one session in another of the same person.
fn second_session(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    let Some(legit) = legit(raid, attacker).into_iter().next().filter(|_| class == Class::ReplayedState) else { return Ok(()) };
    let Some(person) = raid.instance.people.iter().find(|person| person.who == attacker.who).cloned() else { return Ok(()) };
    let client = sign_in(raid.instance, &person.key)?;
    let csrf = token(&client).unwrap_or_default();
    let request = Request::post(legit.target.as_str(), &with_token(legit.pairs.clone(), &csrf));
    raid.scheme(class, attacker, &format!("{}#{}+second-session", legit.entity.name, legit.id.0), &request, |raid| {
        client.send(&request);
        Ok(raid.changed()?.map(|_| "a state of one session served another".to_owned()))
    })
}

/// What was given to a session, after the session was ended by its owner.
pub(super) fn ended(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    let class = Class::EndedSessions;
    for attacker in crew(raid) {
        let Some(person) = raid.instance.people.iter().find(|person| person.who == attacker.who).cloned() else { continue };
        let legit = legit(raid, &attacker).into_iter().next();
        let client = sign_in(raid.instance, &person.key)?;
        let csrf = token(&client).unwrap_or_default();
        // The cookies as they were: whoever stole them has them still.
        let stolen = client.twin();
        let target = legit.as_ref().map_or_else(|| "/account".to_owned(), |legit| legit.target.clone());
        let drawn = super::Page::read(&client.send(&Request::get(target.as_str())));
        client.send(&Request::post("/sign-out", &[("_csrf", csrf.as_str())]));
        let look = Request::get(target.as_str());
        raid.scheme(class, &attacker, "look", &look, |raid| {
            let answer = stolen.send(&look);
            let visitor = raid.visitor.clone();
            Ok(raid
                .tells(&visitor, &look, &answer)
                .or_else(|| (answer.status == 200).then(|| "an ended session opens pages".to_owned())))
        })?;
        let Some(legit) = legit else { continue };
        let save = act_of(&raid.model, &probe::page_of("Form", &legit.entity.name), saves).unwrap_or_default();
        let request = Request::post(target, &offered(&drawn, &save).unwrap_or_default());
        raid.scheme(class, &attacker, "send", &request, |raid| {
            stolen.send(&request);
            Ok(raid.changed()?.map(|_| "an ended session changed something".to_owned()))
        })?;
    }
    Ok(())
}
