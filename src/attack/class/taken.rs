//! What an object out of sight has where no two objects may have the same, sent as one's own: where members are unique,
//! where an association is one-to-one, where ranges may not overlap. The refusal says
//! that the value cannot be used, as documented; it must say nothing else, not even which kind of hidden object has it.
//!
//! Each write is sent over two sets of data that are the same to its sender: in one a hidden object has the value, in the
//! other none has. Apart from the documented refusal the answers must be the same.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::guard::{Guard, Values, is_sound};
use super::super::http::Request;
use super::super::probe;
use super::super::raid::Raid;
use super::super::world::World;
use super::refusals::{Documented, Reply, beyond, is_too_general, send_in};
use super::worlds::without;
use super::{Class, Page, act_of, crew, entities, fields, form_of, offered, saves, telling};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::{Entity, Moment};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// Hidden objects whose values are sent, each of another kind: seen or not, with these members or with those.
const KINDS: usize = 3;
/// Own objects whose forms are looked at for a field.
const OWN: usize = 3;

/// A form that offers at least one member of a guard.
struct Form {
    kind: &'static str,
    target: String,
    own: Option<ObjectId>,
    drawn: Rc<Page>,
    pairs: Vec<(String, String)>,
    fields: BTreeMap<Name, String>,
}

/// A write with what another object has.
struct Write {
    request: Request,
    /// The texts of the values.
    sent: Vec<String>,
    /// Whether the form has a field for each of them.
    whole: bool,
}

/// Who is offered what: a form that can send members in which objects may not be the same.
struct Case<'a> {
    attacker: &'a Rc<Attacker>,
    entity: &'a Arc<Entity>,
    guard: &'a Guard<'a>,
    form: &'a Form,
}

pub(super) fn unique(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    raid.skip(
        Class::UniqueValues,
        "nobody is offered a member in which objects may not be the same, and of which they do not see every value",
    );
    for attacker in crew(raid) {
        for entity in entities(&raid.model).into_iter().filter(|entity| !entity.system) {
            for guard in Guard::of(&entity) {
                for form in forms(raid, &attacker, &entity, &guard) {
                    let case = Case { attacker: &attacker, entity: &entity, guard: &guard, form: &form };
                    of_hidden(raid, &case)?;
                    in_part(raid, &case)?;
                    of_seen(raid, &case)?;
                }
            }
        }
    }
    Ok(())
}

/// The form for a new object, and that of one in reach, if they offer members of the guard.
fn forms(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, entity: &Arc<Entity>, guard: &Guard<'_>) -> Vec<Form> {
    let own = telling(&raid.oracle(), &attacker.who, entity, true, OWN);
    let own = own.into_iter().map(|id| ("Form", form_of(raid, &entity.name, id), Some(id)));
    let new = [("New", format!("/p/{}", probe::page_of("New", &entity.name)), None)];
    let mut all: Vec<Form> = Vec::new();
    for (kind, target, own) in own.chain(new).collect::<Vec<_>>() {
        if all.iter().any(|form| form.kind == kind) {
            continue;
        }
        let page = probe::page_of(kind, &entity.name);
        let drawn = raid.page(attacker, &target);
        let Some(pairs) = act_of(&raid.model, &page, saves).and_then(|save| offered(&drawn, &save)) else { continue };
        let pairs = match own {
            Some(_) => pairs,
            None => filled(raid, entity, &page, &drawn, pairs),
        };
        let form = Form { kind, target, own, drawn, pairs, fields: fields(&raid.model, &page) };
        if guard.members().iter().any(|member| form.offers(member)) {
            all.push(form);
        }
    }
    all
}

/// A new object's form, filled in. What no two objects may have in common stays empty where it can: what happens to be
/// taken there would hide the refusal that is looked for.
fn filled(
    raid: &mut Raid<'_>,
    entity: &Entity,
    page: &QName,
    drawn: &Page,
    pairs: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let all = fields(&raid.model, page);
    let required = |member: &Name| match entity.attributes.get(member) {
        Some(attribute) => attribute.required,
        None => entity.associations.get(member).is_some_and(|association| association.required),
    };
    let guarded: BTreeSet<&Name> = Guard::of(entity).iter().flat_map(Guard::members).filter(|member| !required(member)).collect();
    let open: BTreeSet<&String> = guarded.into_iter().filter_map(|member| all.get(member)).collect();
    let empty = pairs.iter().filter(|(name, value)| value.is_empty() && open.contains(name)).cloned().collect::<Vec<_>>();
    let mut pairs = super::buttons::fill(raid, entity, page, drawn, pairs);
    for (name, value) in empty {
        pairs.iter_mut().filter(|(known, _)| *known == name).for_each(|pair| pair.1.clone_from(&value));
    }
    pairs
}

impl Form {
    fn offers(&self, member: &Name) -> bool {
        let field = self.fields.get(member);
        field.is_some_and(|field| self.drawn.html.controls.iter().any(|control| control.name == *field && !control.hidden))
    }

    fn subject(&self, entity: &Entity, what: &str, members: &[&Name]) -> String {
        let names: Vec<&str> = members.iter().map(|name| name.as_str()).collect();
        let own = self.own.map(|id| format!("#{}", id.0)).unwrap_or_default();
        format!("{what}+{}+{}{own}.{}", self.kind, entity.name, names.join("+"))
    }

    /// The form with what a row has in these members; `None` when it has a field for none of them.
    fn write(&self, raid: &Raid<'_>, entity: &Entity, values: &Values, members: &[&Name]) -> Option<Write> {
        let (mut pairs, mut sent) = (self.pairs.clone(), Vec::new());
        for member in members.iter().filter(|member| self.offers(member)) {
            let (field, value) = (self.fields.get(*member)?, values.get(*member).cloned().unwrap_or(Value::Empty));
            let text = match (entity.member_kind(member), &value) {
                (Some(Kind::Object(to)), Value::Object(id)) => raid.handle(&to, *id),
                (_, Value::DateTime(moment)) => moment.format("%Y-%m-%dT%H:%M").to_string(),
                _ => value.canonical(),
            };
            pairs.retain(|(name, _)| name != field);
            // A box that is not ticked is not sent.
            pairs.extend((value != Value::Boolean(false)).then(|| (field.clone(), text.clone())));
            sent.push(text);
        }
        let whole = sent.len() == members.len();
        (!sent.is_empty()).then(|| Write { request: Request::post(self.target.as_str(), &pairs), sent, whole })
    }
}

/// Objects of which the attacker does not read all of these members, one of each kind.
fn hidden(raid: &Raid<'_>, attacker: &Attacker, entity: &Entity, guard: &Guard<'_>, form: &Form) -> Vec<(ObjectId, Values)> {
    let mut seen = BTreeSet::new();
    let all = raid.world.rows.get(&entity.name).into_iter().flatten().filter(|(id, row)| {
        let read: Vec<bool> = guard.members().iter().map(|member| attacker.reads(&entity.name, **id, member)).collect();
        form.own != Some(**id)
            && !guard.is_idle(&row.values)
            && !read.iter().all(|read| *read)
            && seen.insert((attacker.sees(&entity.name, **id), read))
    });
    all.map(|(id, row)| (*id, row.values.clone())).take(KINDS).collect()
}

/// All that a hidden object has, of each kind of hidden objects.
fn of_hidden(raid: &mut Raid<'_>, case: &Case<'_>) -> Result<(), AttackError> {
    let Case { attacker, entity, guard, form } = *case;
    let members = guard.members();
    let writes: Vec<(ObjectId, Write)> = hidden(raid, attacker, entity, guard, form)
        .into_iter()
        .filter_map(|(id, values)| Some((id, form.write(raid, entity, &values, &members)?)))
        .collect();
    let Some((_, first)) = writes.first() else { return Ok(()) };
    let (request, subject) = (first.request.clone(), form.subject(entity, "hidden", &members));
    raid.scheme(Class::UniqueValues, attacker, &subject, &request, |raid| {
        let documented = Documented::of(entity, &form.fields, &members);
        let mut known: Option<(Reply, &[String])> = None;
        for (id, write) in &writes {
            let free = without(raid, attacker, entity, guard, *id);
            let (taken, found) = two_answers(raid, attacker, entity, &write.request, free.as_ref(), &documented)?;
            if found.is_some() {
                return Ok(found);
            }
            if !taken.refuses(&documented) {
                continue;
            }
            let names = members.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            raid.remains(format!("{} learns that a value of {}.{names} cannot be used, not why", attacker.role, entity.name));
            if let Some(apart) = known.as_ref().and_then(|(reply, sent)| reply.apart(sent, &taken, &write.sent)) {
                return Ok(Some(apart));
            }
            known.get_or_insert((taken, &write.sent));
        }
        Ok(None)
    })
}

/// A part of what a hidden object has, which does not clash with it: where the model limits uniqueness to what people see,
/// nothing at all may show.
fn in_part(raid: &mut Raid<'_>, case: &Case<'_>) -> Result<(), AttackError> {
    let Case { attacker, entity, guard, form } = *case;
    let Some(own) = form.own.and_then(|own| raid.world.row(&entity.name, own)).map(|row| row.values.clone()) else {
        return Ok(());
    };
    for (id, values) in hidden(raid, attacker, entity, guard, form) {
        for part in parts(guard) {
            let unread = part.iter().any(|member| !attacker.reads(&entity.name, id, member));
            let Some(write) = form.write(raid, entity, &values, &part).filter(|write| write.whole && unread) else { continue };
            let mut then = own.clone();
            then.extend(part.iter().map(|member| ((*member).clone(), values.get(*member).cloned().unwrap_or(Value::Empty))));
            let members: Vec<Name> = part.iter().map(|member| (*member).clone()).collect();
            let sound = |world: &World| is_sound(entity, world, form.own, &then, &members);
            let subject = form.subject(entity, "part", &part);
            raid.scheme(Class::UniqueValues, attacker, &subject, &write.request, |raid| {
                let free = without(raid, attacker, entity, guard, id).filter(|free| sound(free) && sound(&raid.world));
                let Some(free) = free else { return Ok(None) };
                Ok(two_answers(raid, attacker, entity, &write.request, Some(&free), &[])?.1)
            })?;
        }
    }
    Ok(())
}

/// Parts of what a guard compares that by themselves decide nothing.
fn parts<'e>(guard: &Guard<'e>) -> Vec<Vec<&'e Name>> {
    match guard {
        Guard::Unique(members) if members.len() > 1 => members.iter().map(|member| vec![*member]).collect(),
        Guard::Range(range) if !range.same.is_empty() => vec![range.same.iter().collect(), vec![&range.from, &range.to]],
        _ => Vec::new(),
    }
}

/// What an object in sight has: the refusal says so in plain words to a user who sees it.
fn of_seen(raid: &mut Raid<'_>, case: &Case<'_>) -> Result<(), AttackError> {
    let Case { attacker, entity, guard, form } = *case;
    let members = guard.members();
    let reads = |id: &ObjectId| members.iter().all(|member| attacker.reads(&entity.name, *id, member));
    let rows = raid.world.rows.get(&entity.name).into_iter().flatten();
    let seen = rows
        .filter(|(id, row)| form.own != Some(**id) && !guard.is_idle(&row.values) && reads(id))
        .map(|(_, row)| row.values.clone())
        .next();
    let Some(write) = seen.and_then(|values| form.write(raid, entity, &values, &members)).filter(|write| write.whole) else {
        return Ok(());
    };
    let subject = form.subject(entity, "seen", &members);
    raid.scheme(Class::UniqueValues, attacker, &subject, &write.request, |raid| {
        let (answer, after) = send_in(raid, attacker, &write.request, None)?;
        if is_too_general(&Reply::by(raid, &answer)?, entity, guard, &form.fields) {
            raid.fault(format!(
                "{}/{subject}: {} sees the object, but the refusal does not say that it has the value",
                Class::UniqueValues.id(),
                attacker.role
            ));
        }
        Ok(raid.tells(attacker, &write.request, &answer).filter(|_| answer.status != 303).or_else(|| doubled(entity, &after)))
    })
}

/// The same write where a hidden object has the value and where none has: what the first came to, and what the two tell.
fn two_answers(
    raid: &mut Raid<'_>,
    attacker: &Rc<Attacker>,
    entity: &Entity,
    request: &Request,
    free: Option<&World>,
    documented: &[Documented],
) -> Result<(Reply, Option<String>), AttackError> {
    let (answer, after) = send_in(raid, attacker, request, None)?;
    let taken = Reply::by(raid, &answer)?;
    // What came of a write that was accepted may be named to whoever made it.
    let gain = raid.tells(attacker, request, &answer).filter(|_| answer.status != 303).or_else(|| doubled(entity, &after));
    if gain.is_some() {
        return Ok((taken, gain));
    }
    // The app's own flows may say what they like; what they read with rights of their own is their author's to tell.
    let speaks = entity.handlers.iter().any(|handler| handler.moment == Moment::Before);
    let other = match free.filter(|_| !speaks) {
        Some(world) => {
            let (answer, _) = send_in(raid, attacker, request, Some(world))?;
            Some(Reply::by(raid, &answer)?)
        }
        None => None,
    };
    let found = beyond(&taken, other.as_ref(), documented);
    Ok((taken, found))
}

/// Two rows that may not both be there.
fn doubled(entity: &Entity, after: &World) -> Option<String> {
    let all: Vec<Name> = entity.members().cloned().collect();
    let rows = after.rows.get(&entity.name)?;
    let wrong = rows.iter().find(|(id, row)| !is_sound(entity, after, Some(**id), &row.values, &all))?;
    Some(format!("{}#{} was stored although another object has the same", entity.name, wrong.0.0))
}
