//! Why something was refused, found by the reference that the refused person was given.
//!
//! Told are the decision of then, with the roles and the model of then as far as they are still there, and what would
//! be decided now. Values are told to the administrator by the administrator's own rights; what a decision is made of
//! and is withheld from them is withheld here too.

use super::Administrator;
use super::trail::{ToldRecord, told};
use crate::access::explain::{Case, Explanation, Person, Question, grounded};
use crate::access::{Authority, Ground, Layer};
use crate::app::Refusal;
use crate::app::recording::{GROUND, LAYER, LAYERS, MODEL, ROLES, WANTED, WAY};
use crate::audit::{self, EventKind, Record};
use crate::db::Conn;
use crate::domain::{Name, ObjectId};
use crate::identity::{self, AccountId};
use crate::store;
use std::collections::BTreeSet;

/// Records of one reference that are looked at.
const MOST: u32 = 10;

/// Something that was wanted, with its reasons.
pub struct Decided {
    /// What was wanted, as far as the administrator may know it.
    pub question: String,
    /// With the user roles of then, where they are others now; the data is that of now.
    pub then: Option<Explanation>,
    /// With the user roles of now; `None` when there is nothing to explain by rules.
    pub now: Option<Explanation>,
}

/// A refusal with its reasons.
pub struct Reasoned {
    /// The record.
    pub record: ToldRecord,
    /// The user roles of then.
    pub roles_then: Vec<String>,
    /// The user roles of now.
    pub roles_now: Vec<String>,
    /// Whether the app was changed since.
    pub model_changed: bool,
    /// What was wanted.
    pub wanted: Vec<Decided>,
    /// The microflows that wanted it with file and line, innermost first.
    pub way: Vec<String>,
    /// What kept the door shut beside the rules of the model.
    pub ground: Option<Explanation>,
}

impl Administrator<'_> {
    /// The refusals under a reference, with their reasons.
    pub fn reasons(&self, conn: &mut Conn, reference: &str) -> Result<Vec<Reasoned>, Refusal> {
        let filter = audit::Filter { request: Some(reference.to_owned()), ..audit::Filter::default() };
        let found = audit::search(conn, &filter, &audit::Page::latest(MOST))?;
        let kinds = [EventKind::Denied.id(), EventKind::OfferRefused.id(), EventKind::Incident.id()];
        let refusals = found.records.into_iter().filter(|record| kinds.contains(&record.event.as_str()));
        refusals.map(|record| self.reasoned(conn, record)).collect()
    }

    fn reasoned(&self, conn: &mut Conn, record: Record) -> Result<Reasoned, Refusal> {
        let noted =
            |name: &str| record.details.iter().filter(|d| d.name == name).filter_map(|d| d.new.clone()).collect::<Vec<_>>();
        let account = record.caller.as_ref().and_then(|who| who.account);
        let then: BTreeSet<Name> =
            noted(ROLES).iter().flat_map(|all| all.split(", ")).filter(|role| !role.is_empty()).map(Name::new).collect();
        let now = match account {
            Some(id) => identity::roles(conn, AccountId(id.0))?,
            None => self.live.visitor_grants().roles().as_ref().clone(),
        };
        let model_changed = noted(MODEL).iter().any(|model| *model != self.live.model.fingerprint);
        let mut wanted = Vec::new();
        for text in noted(WANTED) {
            let question = Question::parse(&text);
            let mut explained = |roles| question.as_ref().map(|question| self.explained(conn, question, roles, account));
            let (before, after) = ((then != now).then(|| explained(&then)).flatten(), explained(&now));
            // What is written in the record may name an object that a microflow came upon by itself.
            let question = after.as_ref().map_or(text, |told| told.question.clone());
            wanted.push(Decided { question, then: before, now: after });
        }
        let ground = noted(GROUND).first().and_then(|id| Ground::parse(id)).map(|ground| {
            let layer = noted(LAYER).first().and_then(|title| Layer::parse(title));
            let decisions = record.details.iter().filter(|detail| detail.name == LAYERS);
            let decisions: Vec<String> =
                decisions.flat_map(|detail| [detail.old.clone(), detail.new.clone()]).flatten().collect();
            // Of an incident the layer that let it through is not the one that refused.
            grounded(ground, layer.unwrap_or(Layer::Release), &decisions)
        });
        let way = noted(WAY);
        let words = |roles: &BTreeSet<Name>| roles.iter().map(ToString::to_string).collect();
        let (roles_then, roles_now) = (words(&then), words(&now));
        Ok(Reasoned { record: told(&self.asker.grants, record), roles_then, roles_now, model_changed, wanted, way, ground })
    }

    fn explained(&self, conn: &mut Conn, question: &Question, roles: &BTreeSet<Name>, account: Option<ObjectId>) -> Explanation {
        let grants = if account.is_some() { self.live.grants_of(roles) } else { self.live.visitor_grants() };
        let case = Case {
            model: &self.live.model,
            subject: Person { rights: grants.rights(), user: account },
            asker: Some(Person { rights: self.asker.grants.rights(), user: self.asker.account() }),
            now: self.app.clock.now(),
        };
        store::explain(conn, &self.live.statements, &case, question)
    }
}
