//! The matrix read from the doors: which user roles come in by each page, and by each microflow.
//!
//! Guarantees: made from the model alone, page by page, and not by asking [`crate::access::Grants`], so that a
//! request can be decided a second time; a test holds it to the matrix.
//! Deliberately not here: data, and what a flow may do once it runs.

use crate::domain::{Name, QName};
use crate::model::{Deny, Model};
use std::collections::{BTreeSet, HashMap};

/// Who may come in where.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    pages: HashMap<QName, Door>,
    microflows: HashMap<QName, Door>,
}

/// The user roles of one door.
#[derive(Clone, Debug)]
struct Door {
    /// Each of them opens it.
    open: BTreeSet<Name>,
    /// Each of them bars it, whatever else is held.
    barred: BTreeSet<Name>,
}

impl Doors {
    /// The doors of a model.
    pub fn of(model: &Model) -> Self {
        let door = |roles: &BTreeSet<QName>, act: Deny| {
            let has = |module_roles: &BTreeSet<QName>| module_roles.iter().any(|role| roles.contains(role));
            let open = model.user_roles.iter().filter(|(_, role)| has(&role.module_roles)).map(|(name, _)| name.clone());
            let rails = model.guardrails.iter().filter(|rail| rail.denies.contains(&act));
            Door { open: open.collect(), barred: rails.flat_map(|rail| rail.user_roles.iter().cloned()).collect() }
        };
        let pages = model.pages.iter().map(|(name, page)| (name.clone(), door(&page.roles, Deny::Open(name.clone()))));
        let flows = model.microflows.iter().map(|(name, flow)| (name.clone(), door(&flow.roles, Deny::Run(name.clone()))));
        Self { pages: pages.collect(), microflows: flows.collect() }
    }

    /// Whether holders of these user roles may open the page.
    pub fn opens(&self, page: &QName, roles: &BTreeSet<Name>) -> bool {
        self.pages.get(page).is_some_and(|door| door.lets_in(roles))
    }
    /// Whether holders of these user roles may run the microflow from a page.
    pub fn runs(&self, microflow: &QName, roles: &BTreeSet<Name>) -> bool {
        self.microflows.get(microflow).is_some_and(|door| door.lets_in(roles))
    }
}

impl Door {
    fn lets_in(&self, roles: &BTreeSet<Name>) -> bool {
        !self.open.is_disjoint(roles) && self.barred.is_disjoint(roles)
    }
}
