//! What a visitor's request runs in. There is no connection in it, and no way to one.

use super::registration::FrontDoor;
use super::visit::{Again, Carried, Visit, again};
use super::{App, Ask, Asker, Live, Refusal};
use crate::access::Feedback;
use crate::domain::QName;
use crate::page::ClientQuery;
use crate::workspace::Closed;
use std::collections::BTreeMap;

/// Grants, memory and the front door: everything a visitor can touch.
///
/// INVARIANT: holds no pool and no connection; the layer test holds this file to it.
pub(super) struct VisitorContext<'a> {
    pub visit: Visit<'a>,
    pub front_door: FrontDoor<'a>,
}

impl VisitorContext<'_> {
    /// Carries out what a form asks for, and hands registrations over at the front door.
    pub fn act(&self, page: &QName, query: &ClientQuery, pairs: &[(String, String)]) -> Result<Carried, Again> {
        let carried = self.visit.act(&mut Closed, page, query, pairs)?;
        for (wish, data) in carried.effects.registrations.iter().zip(&carried.registered) {
            // What was typed is not lost when the mail cannot be sent: the form comes back with the reason.
            self.front_door.register(wish, data.as_ref()).map_err(|refusal| told(refusal, pairs))?;
        }
        Ok(carried)
    }
}

fn told(refusal: Refusal, pairs: &[(String, String)]) -> Again {
    match refusal {
        Refusal::Said(message) => {
            let feedback = vec![Feedback { object: None, member: None, message }];
            Again::Form(Box::new(again(pairs, feedback, &BTreeMap::new(), BTreeMap::new())), Box::default())
        }
        other => Again::Refused(other),
    }
}

impl App {
    pub(super) fn visitor<'a>(&'a self, live: &'a Live, asker: &'a Asker, ask: &'a Ask) -> VisitorContext<'a> {
        VisitorContext { visit: self.visit(live, asker, ask), front_door: self.front_door(live, ask) }
    }
}
