//! Named conditions of entities. They may build on calculated members and on each other, but not in
//! a circle, so they are settled in the same rounds as calculated members.

use super::super::source::Text;
use super::checker::{Checker, Context, Here, Sources};
use crate::domain::{Name, QName};
use crate::expr::{Predicate, is_function};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entity → name → the condition, once it is settled.
pub(super) type Predicates = BTreeMap<QName, BTreeMap<Name, Option<Predicate>>>;

/// A predicate that is not settled yet: where it stands, its entity, its name and its condition.
pub(super) struct OpenPredicate {
    here: Here,
    entity: QName,
    name: Text,
    text: Text,
}

impl Checker<'_> {
    /// Declares every predicate, so that each may be used by any other.
    pub fn declare_predicates(&mut self, sources: &Sources) -> Vec<OpenPredicate> {
        let mut open = Vec::new();
        for (here, domain) in &sources.domains {
            for (key, source) in &domain.entities.0 {
                let entity = QName::new(here.module.clone(), key.value.as_str());
                for (at, text) in &source.predicates.0 {
                    let name = self.name(here, at, false);
                    if is_function(&name) {
                        self.error(here, at, "duplicate", format!("`{name}` is a function already"), None);
                        continue;
                    }
                    self.predicates.entry(entity.clone()).or_default().insert(name, None);
                    open.push(OpenPredicate { here: here.clone(), entity: entity.clone(), name: at.clone(), text: text.clone() });
                }
            }
        }
        open
    }

    /// Whether the predicate is settled (also when it is wrong).
    pub fn settle_predicate(&mut self, open: &OpenPredicate) -> bool {
        let findings = self.findings.len();
        self.waiting.set(false);
        let typed = self.condition(&open.here, &open.text, &Context::this(&open.entity));
        let waits = self.waiting.replace(false) || typed.as_ref().is_some_and(|typed| self.waits(typed));
        if waits {
            self.findings.truncate(findings);
            return false;
        }
        // What is wrong was reported here; its uses are not reported too.
        let body = Arc::new(typed.unwrap_or_else(|| crate::expr::Typed::boolean(false)));
        let predicate = Predicate { body, text: Arc::from(open.text.value.as_str()) };
        if let Some(known) = self.predicates.get_mut(&open.entity).and_then(|all| all.get_mut(open.name.value.as_str())) {
            *known = Some(predicate);
        }
        true
    }

    /// Predicates that can never be settled.
    pub fn circular_predicates(&mut self, open: &[OpenPredicate]) {
        for one in open {
            let message = format!("the predicate `{}` depends on itself", one.name.value);
            self.error(&one.here, &one.text, "circle", message, None);
        }
    }

    /// The predicate for the checker of expressions. One that is not settled yet counts as a condition whose text is
    /// not known, and the expression that asks is tried again.
    pub fn known_predicate(&self, entity: &QName, name: &str) -> Option<Predicate> {
        match self.predicates.get(entity)?.get(name)? {
            Some(settled) => Some(settled.clone()),
            None => {
                self.waiting.set(true);
                Some(Predicate { body: Arc::new(crate::expr::Typed::boolean(false)), text: Arc::from("") })
            }
        }
    }
}
