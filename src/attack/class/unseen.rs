//! Buttons that act on what somebody else changed since their page was drawn.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::Request;
use super::super::probe;
use super::super::raid::Raid;
use super::super::world::World;
use super::doors::addresses;
use super::{Class, act_of, crew, entities, offered, own_pages, senders};
use crate::domain::{Kind, ObjectId, QName, Value};
use crate::model::{Action, Microflow};
use std::rc::Rc;
use std::sync::Arc;

const CLASS: Class = Class::UnseenChanges;
/// Rows of one list whose button is tried.
const ROWS: usize = 2;

type Object = (QName, ObjectId);

/// The rows of lists, and the pages that are about an object.
pub(super) fn changed(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        let lists = entities(&raid.model).into_iter().map(|entity| probe::page_of("List", &entity.name));
        for page in own_pages(&raid.model).into_iter().chain(lists.collect::<Vec<_>>()) {
            for (_, target) in addresses(raid, &attacker, &page).into_iter().take(2) {
                rows(raid, &attacker, &page, &target)?;
            }
        }
        for flow in raid.model.microflows.values().cloned().collect::<Vec<_>>() {
            argument(raid, &attacker, &flow)?;
        }
    }
    Ok(())
}

/// The buttons of a page's rows: each is drawn, its row is changed, and then it is used.
fn rows(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, page: &QName, target: &str) -> Result<(), AttackError> {
    let drawn = raid.page(attacker, target);
    for (id, action) in senders(&raid.model, page) {
        if !counts(raid, &action) {
            continue;
        }
        let own = drawn.html.buttons.iter().filter(|button| button.value.starts_with(&format!("{id}:"))).take(ROWS);
        for button in own.cloned().collect::<Vec<_>>() {
            let Some(object) = button.value.split(':').nth(1).and_then(|handle| named(raid, handle)) else { continue };
            let mut pairs = drawn.payload(&button.form);
            pairs.push(("_do".into(), button.value.clone()));
            let subject = format!("{page}.{id}+{}#{}", object.0, object.1.0);
            press(raid, attacker, &subject, target, pairs, &[object])?;
        }
    }
    Ok(())
}

/// A microflow by the button of a page about what it takes.
fn argument(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, flow: &Arc<Microflow>) -> Result<(), AttackError> {
    let page = probe::page_of("Run", &flow.name);
    let taken = flow.parameters.values().any(|kind| matches!(kind, Kind::Object(_)));
    if flow.any_version || !taken || !raid.oracle().runs(&attacker.who.role, &flow.name) {
        return Ok(());
    }
    let Some(id) = act_of(&raid.model, &page, |action| matches!(action, Action::Run { .. })) else { return Ok(()) };
    let Some((_, target)) = addresses(raid, attacker, &page).into_iter().nth(1) else { return Ok(()) };
    let objects: Vec<Object> = target.split(['?', '&']).skip(1).filter_map(|pair| named(raid, pair.split_once('=')?.1)).collect();
    let drawn = raid.page(attacker, &target);
    let Some(pairs) = offered(&drawn, &id).filter(|_| !objects.is_empty()) else { return Ok(()) };
    let pairs = super::buttons::filled(raid, flow, &drawn, pairs);
    press(raid, attacker, &format!("run+{}", flow.name), &target, pairs, &objects)
}

/// Whether a button acts on stored objects as they were shown.
fn counts(raid: &Raid<'_>, action: &Action) -> bool {
    match action {
        Action::Delete => true,
        Action::Run { microflow, .. } => raid.model.microflows.get(microflow).is_some_and(|flow| !flow.any_version),
        _ => false,
    }
}

/// The object of a handle, of whatever entity it is.
fn named(raid: &Raid<'_>, handle: &str) -> Option<Object> {
    let keys = &raid.instance.app().keys;
    entities(&raid.model).into_iter().find_map(|entity| Some((entity.name.clone(), keys.object(&entity.name, handle)?)))
}

/// Uses a button after somebody else changed each of these objects: whatever it does then, it does to what its page
/// never showed.
fn press(
    raid: &mut Raid<'_>,
    attacker: &Rc<Attacker>,
    subject: &str,
    target: &str,
    mut pairs: Vec<(String, String)>,
    objects: &[Object],
) -> Result<(), AttackError> {
    pairs.push(("_confirmed".into(), "yes".into()));
    let request = Request::post(target, &pairs);
    raid.scheme(CLASS, attacker, subject, &request, |raid| {
        let mut other = raid.world.clone();
        objects.iter().for_each(|object| touch(raid, &mut other, object));
        raid.make(&other, &raid.world.clone())?;
        attacker.client.send(&request);
        let after = raid.world_now()?;
        Ok((after != other).then(|| "a button acted on something that was changed since its page was drawn".to_owned()))
    })
}

/// Somebody else's change of an object: its version grows, and a text is another one.
fn touch(raid: &Raid<'_>, world: &mut World, (name, id): &Object) {
    let Some(entity) = raid.model.entities.get(name) else { return };
    if let Some(row) = world.rows.get_mut(name).and_then(|rows| rows.get_mut(id)) {
        row.version += 1;
    }
    let text = entity.attributes.values().find(|attribute| {
        attribute.kind() == Kind::Text
            && attribute.pattern.is_none()
            && !attribute.email
            && attribute.calculated.is_none()
            && !entity.system
    });
    if let Some(text) = text {
        world.set(name, *id, &text.name, Value::text("Other"));
    }
}
