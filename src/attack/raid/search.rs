//! Looking for what the reader of an answer may not know.

use super::Raid;
use crate::access::Part;
use crate::attack::Class;
use crate::attack::crew::Attacker;
use crate::attack::http::{Answer, Request};
use crate::attack::world::World;
use crate::domain::{ObjectId, QName};
use std::collections::BTreeSet;

impl Raid<'_> {
    /// Looks for what the attacker may not know.
    pub(super) fn search(&mut self, class: Class, attacker: &Attacker, id: &str, request: &Request, answer: &Answer) {
        if answer.status >= 500 && answer.status != 503 {
            self.faults.push(format!("{id}: {}", answer.status));
        }
        if let Some(told) = self.tells(attacker, request, answer) {
            self.gain(class, attacker, id, request, told);
        }
    }

    /// The same for an answer to a write that happened: what it made readable may be told, too.
    pub(super) fn search_after(
        &mut self,
        class: Class,
        attacker: &Attacker,
        id: &str,
        request: &Request,
        answer: &Answer,
        after: &World,
    ) {
        let knows = attacker.knowing(&self.model, after, &self.marks, self.instance.now);
        self.search(class, &knows, id, request, answer);
    }

    /// What an answer tells that its reader may not know.
    pub fn tells(&mut self, attacker: &Attacker, request: &Request, answer: &Answer) -> Option<String> {
        let heard = answer.heard();
        let said = request.said();
        let found: Vec<usize> = self.marks.find(&heard).difference(&attacker.allowed).copied().collect();
        if !found.is_empty() {
            let echoed = self.marks.find(&said);
            if let Some(mark) = found.into_iter().find(|mark| !echoed.contains(mark)) {
                return Some(format!("the answer tells {}", self.marks.found(mark).what));
            }
        }
        let met: BTreeSet<&str> = words(&heard).collect();
        for word in met {
            // The record and the log name what was done and asked for; the model says who may read them.
            if self.records(attacker, request) {
                break;
            }
            if let Some((entity, object)) = self.object(word)
                && !attacker.known.contains(&(entity.clone(), object))
                && !said.contains(word)
            {
                return Some(format!("the answer names {entity}#{}, which is out of reach", object.0));
            }
        }
        None
    }

    /// Whether this is the record or the log, and open to the attacker.
    pub(super) fn records(&self, attacker: &Attacker, request: &Request) -> bool {
        let parts = [("/admin/audit", Part::Audit), ("/admin/log", Part::Log)];
        let asked = parts.into_iter().find(|(path, _)| request.target.starts_with(path));
        asked.is_some_and(|(_, part)| self.oracle().administers(&attacker.who.role, part))
    }

    /// The object of a handle, of whatever entity.
    pub(super) fn object(&mut self, word: &str) -> Option<(QName, ObjectId)> {
        if let Some(known) = self.handles.get(word) {
            return known.clone();
        }
        let keys = &self.instance.app().keys;
        let found = self.entities.iter().find_map(|entity| Some((entity.clone(), keys.object(entity, word)?)));
        self.handles.insert(word.to_owned(), found.clone());
        found
    }

    /// Objects of an entity whose handles stand in an answer.
    pub fn objects(&mut self, entity: &QName, answer: &Answer) -> BTreeSet<ObjectId> {
        let met: BTreeSet<&str> = words(&answer.body).collect();
        let found: Vec<Option<(QName, ObjectId)>> = met.into_iter().map(|word| self.object(word)).collect();
        found.into_iter().flatten().filter(|(of, _)| of == entity).map(|(_, id)| id).collect()
    }
}

/// Words of a text that could be handles.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let part = |sign: char| sign.is_ascii_alphanumeric() || sign == '-' || sign == '_';
    text.split(move |sign| !part(sign)).filter(|word| word.len() == 22)
}
