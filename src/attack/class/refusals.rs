//! What a refused write says, and whether it is exactly what is documented.
//!
//! The texts are written here once more: an attack that asked the server for them could not tell that they are wrong.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::guard::Guard;
use super::super::html::{self, Html};
use super::super::http::{Answer, Request};
use super::super::raid::Raid;
use super::compared::stable;
use crate::audit::{self, Filter};
use crate::domain::Name;
use crate::model::Entity;
use std::collections::BTreeMap;

/// What is said of a value that clashes with an object out of sight.
const GENERAL: &str = "This value can't be used here";
/// How a refusal speaks of another object.
const TELLING: [&str; 2] = ["already in use", "overlaps with another"];

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub status: u16,
    /// What is wrong, with the field it stands at; an empty one above them all.
    pub notes: Vec<(String, String)>,
    /// The kinds of what was recorded of a form that came back.
    pub events: Vec<String>,
    /// The fields that the page has.
    fields: Vec<String>,
    /// The page, without what differs from request to request.
    plain: String,
}

/// A refusal that is documented: the field at which it stands, and its words.
pub(super) struct Documented {
    member: Name,
    field: Option<String>,
    text: String,
}

impl Reply {
    pub(super) fn by(raid: &Raid<'_>, answer: &Answer) -> Result<Self, AttackError> {
        let page = html::read(&answer.body);
        let fields = page.controls.iter().filter(|control| !control.hidden).map(|control| control.name.clone()).collect();
        let events = if answer.status == 422 { events(raid, answer)? } else { Vec::new() };
        let notes = if answer.status == 422 { notes(&page) } else { Vec::new() };
        Ok(Self { status: answer.status, notes, events, fields, plain: stable(answer) })
    }

    /// The notes without what is documented, and whether there was any of that.
    fn rest(&self, documented: &[Documented]) -> (Vec<(String, String)>, bool) {
        let mut met = false;
        let mut rest = Vec::new();
        for (at, said) in &self.notes {
            let mut said = said.clone();
            for one in documented.iter().filter(|one| one.place(&self.fields) == at) {
                met |= said.contains(&one.text);
                said = said.replace(&one.text, "");
            }
            if !said.trim().is_empty() {
                rest.push((at.clone(), said.trim().to_owned()));
            }
        }
        (rest, met)
    }

    /// Whether it says that the value cannot be used, and where that is documented.
    pub(super) fn refuses(&self, documented: &[Documented]) -> bool {
        self.status == 422 && self.rest(documented).1
    }

    /// The page without what was sent.
    fn unsaid(&self, sent: &[String]) -> String {
        let plain = self.plain.replace(" selected", "").replace(" checked", "");
        sent.iter().filter(|text| !text.is_empty()).fold(plain, |plain, text| {
            plain.replace(&format!("value=\"{text}\""), "value=\"\"").replace(&format!("\n{text}</textarea>"), "\n</textarea>")
        })
    }

    /// What tells a refusal about one hidden object apart from that about another.
    pub(super) fn apart(&self, sent: &[String], other: &Self, other_sent: &[String]) -> Option<String> {
        let same = (self.status, &self.notes, &self.events) == (other.status, &other.notes, &other.events);
        (!same || self.unsaid(sent) != other.unsaid(other_sent))
            .then(|| format!("the refusal tells one hidden object from another: {} and {}", self.said(), other.said()))
    }

    /// For people: the status and what was said.
    fn said(&self) -> String {
        let notes = self.notes.iter().map(|(at, said)| format!("“{said}” at “{at}”"));
        let events = self.events.iter().map(|event| format!("recorded as {event}"));
        std::iter::once(self.status.to_string()).chain(notes).chain(events).collect::<Vec<_>>().join(", ")
    }
}

impl Documented {
    /// What is documented of writes that concern these members.
    pub(super) fn of(entity: &Entity, fields: &BTreeMap<Name, String>, sent: &[&Name]) -> Vec<Self> {
        let concerned = Guard::of(entity).into_iter().filter(|guard| guard.members().iter().any(|member| sent.contains(member)));
        let one = |guard: Guard<'_>| {
            let member = guard.place()?.clone();
            let own = if let Guard::Range(range) = &guard { range.message.clone() } else { None };
            Some(Self { field: fields.get(&member).cloned(), member, text: own.unwrap_or_else(|| GENERAL.to_owned()) })
        };
        concerned.filter_map(one).collect()
    }

    /// Where it stands on a page with these fields.
    fn place(&self, fields: &[String]) -> &str {
        self.field.as_deref().filter(|field| fields.iter().any(|known| known == field)).unwrap_or_default()
    }
}

/// What a refusal tells beyond what is documented. `free` is what came of the same write where no hidden object has the
/// value: the first may differ from it by the documented refusal and by nothing else; not even by that when `documented`
/// is empty.
pub(super) fn beyond(taken: &Reply, free: Option<&Reply>, documented: &[Documented]) -> Option<String> {
    let (rest, refused) = taken.rest(documented);
    // What is said either way is said of an object in sight.
    let either = free.map(|free| free.rest(documented).0).unwrap_or_default();
    let telling = |note: &&(String, String)| TELLING.iter().any(|words| note.1.contains(words)) && !either.contains(note);
    if let Some((_, said)) = rest.iter().find(telling) {
        return Some(format!("the refusal says that an object out of sight has the value: “{said}”"));
    }
    let free = free?;
    let alike = (taken.status, &taken.notes, &taken.events) == (free.status, &free.notes, &free.events);
    if alike {
        let differs = taken.status != 303 && taken.plain != free.plain;
        return differs.then(|| "the page tells whether a hidden object has the value".to_owned());
    }
    let as_documented = refused && taken.status == 422 && taken.events.is_empty() && (rest.is_empty() || rest == either);
    (!as_documented)
        .then(|| format!("the answer tells whether a hidden object has the value: {}, else {}", taken.said(), free.said()))
}

/// Whether a refusal is said in general words to somebody who sees the object that has the value.
pub(super) fn is_too_general(reply: &Reply, entity: &Entity, guard: &Guard<'_>, fields: &BTreeMap<Name, String>) -> bool {
    let Some(place) = guard.place() else { return false };
    let specific = match guard {
        Guard::Unique(members) => {
            let labels: Vec<&str> = members.iter().map(|name| entity.member_label(name).unwrap_or(name)).collect();
            format!("{} is already in use", labels.join(" with "))
        }
        Guard::Range(range) => range.message.clone().unwrap_or_else(|| format!("This overlaps with another {}", entity.label)),
    };
    let documented = Documented::of(entity, fields, &guard.members());
    let at = documented.iter().find(|one| one.member == *place).map(|one| one.place(&reply.fields)).unwrap_or_default();
    let said = reply.notes.iter().find(|(known, _)| known == at).map(|(_, said)| said.as_str()).unwrap_or_default();
    said.contains(GENERAL) && !said.contains(&specific)
}

fn notes(page: &Html) -> Vec<(String, String)> {
    let name = |id: &String| {
        page.controls.iter().find(|control| control.id == *id && !id.is_empty()).map(|control| control.name.clone())
    };
    page.notes.iter().map(|(id, said)| (name(id).unwrap_or_default(), said.clone())).collect()
}

/// The kinds of what was recorded in the request.
fn events(raid: &Raid<'_>, answer: &Answer) -> Result<Vec<String>, AttackError> {
    let Some(id) = answer.header("x-request-id") else { return Ok(Vec::new()) };
    let filter = Filter { request: Some(id.to_owned()), ..Filter::default() };
    let found = raid.instance.app().db.read(|conn| audit::search(conn, &filter, &audit::Page::latest(20)));
    Ok(found?.records.into_iter().map(|record| record.event).collect())
}

/// Sends a write in a world that is the same to the attacker, and puts everything back.
pub(super) fn send_in(
    raid: &mut Raid<'_>,
    attacker: &Attacker,
    request: &Request,
    world: Option<&super::super::world::World>,
) -> Result<(Answer, super::super::world::World), AttackError> {
    let here = raid.world.clone();
    if let Some(world) = world {
        raid.make(world, &here)?;
    }
    let answer = attacker.client.send(request);
    let after = raid.world_now()?;
    raid.put_back(&after)?;
    raid.restore()?;
    Ok((answer, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Files, Model, load};
    use std::path::Path;

    fn library() -> Model {
        load(&Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/library")).unwrap()).0.unwrap()
    }

    fn reply(status: u16, notes: &[(&str, &str)]) -> Reply {
        let notes = notes.iter().map(|(at, said)| ((*at).to_owned(), (*said).to_owned())).collect();
        Reply { status, notes, events: Vec::new(), fields: vec!["w5".into()], plain: "page".into() }
    }

    #[test]
    fn only_the_documented_refusal_may_tell_that_a_value_is_taken() {
        let model = library();
        let entity = model.entities.values().find(|entity| entity.name.to_string() == "lending.Reader").unwrap();
        let (email, other) = (Name::new("email"), Name::new("street"));
        let fields = BTreeMap::from([(email.clone(), "w5".to_owned()), (other.clone(), "w6".to_owned())]);
        let documented = Documented::of(entity, &fields, &[&email]);
        assert_eq!((documented.len(), Documented::of(entity, &fields, &[&other]).len()), (1, 0));
        let (general, done) = (reply(422, &[("w5", GENERAL)]), reply(303, &[]));
        let is_gain = |taken: &Reply, free: &Reply| beyond(taken, Some(free), &documented).is_some();
        assert!(general.refuses(&documented) && !is_gain(&general, &done) && beyond(&general, None, &documented).is_none());
        assert!(!is_gain(&general, &reply(422, &[("", "Not for you")])), "what comes later is not reached");
        // In other words, elsewhere, with another status, with a record, with more, or on another page.
        for wrong in [
            reply(422, &[("w5", "Ask the desk")]),
            reply(422, &[("w6", GENERAL)]),
            reply(403, &[]),
            Reply { events: vec!["denied".into()], ..general.clone() },
            reply(422, &[("w5", &format!("{GENERAL} Ask the desk"))]),
            reply(422, &[("w5", GENERAL), ("w6", "Ask the desk")]),
        ] {
            assert!(is_gain(&wrong, &done), "{wrong:?}");
        }
        assert!(is_gain(&Reply { plain: "other".into(), ..general.clone() }, &general));
        assert!(beyond(&general, Some(&done), &[]).is_some(), "a part that decides nothing tells nothing");
        let plainly = reply(422, &[("w5", "E-mail is already in use")]);
        assert!(is_gain(&plainly, &done) && beyond(&plainly, None, &documented).is_some() && !is_gain(&plainly, &plainly));
        // A page without the field has it above all others.
        let above = Reply { fields: Vec::new(), ..reply(422, &[("", GENERAL)]) };
        assert!(!is_gain(&above, &done) && is_gain(&reply(422, &[("", GENERAL)]), &done));
        // A user who sees the object gets the plain words.
        let unique = Guard::of(entity).into_iter().find(|guard| guard.members() == [&email]).unwrap();
        assert!(is_too_general(&general, entity, &unique, &fields) && !is_too_general(&plainly, entity, &unique, &fields));
    }

    #[test]
    fn refusals_about_two_hidden_objects_differ_in_what_was_sent_and_in_nothing_else() {
        let page = |text: &str, more: &str| Reply {
            plain: format!("<input value=\"{text}\"><option value=\"h\"{more}>"),
            ..reply(422, &[("w5", GENERAL)])
        };
        let apart = |one: &Reply, other: &Reply| one.apart(&["zq1".to_owned()], other, &["zq2".to_owned()]);
        assert_eq!(apart(&page("zq1", ""), &page("zq2", " selected")), None);
        assert!(apart(&page("zq1", ""), &page("zq3", "")).is_some());
        assert!(apart(&page("zq1", ""), &Reply { status: 403, ..page("zq2", "") }).is_some());
        assert!(apart(&page("zq1", ""), &Reply { events: vec!["denied".into()], ..page("zq2", "") }).is_some());
    }
}
