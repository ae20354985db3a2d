//! Which sets of rights there are: what somebody's roles add up to, and that again with each elevation they can reach.

use crate::access::{Authority, Elevation, Grants, Rights};
use crate::domain::{Name, QName};
use crate::expr::Typed;
use crate::model::{Microflow, Model};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A set of rights with the constraints of the model that are put under it.
#[derive(Clone, Debug)]
pub(in crate::store) struct Wanted {
    pub rights: Arc<Rights>,
    /// The entity asked for, and the constraint.
    pub questions: Vec<(QName, Arc<Typed>)>,
}

/// All sets under which work for these grants can run: their own first, then one for each elevated
/// microflow that they can start, or that one of those calls, or that handles what is written.
pub(in crate::store) fn family(grants: &Grants) -> Vec<Wanted> {
    let model = grants.model();
    let (mut own, mut elevated) = (Vec::new(), BTreeMap::new());
    for page in model.pages.values().filter(|page| grants.open(&page.name).is_ok()) {
        own.extend(owned(page.constraints()));
    }
    for flow in reachable(grants) {
        let rights = Elevation::of(flow, grants).rights().clone();
        if flow.apply_entity_access {
            own.extend(owned(flow.constraints()));
        } else {
            elevated.insert(flow.name.clone(), Wanted { rights, questions: owned(flow.constraints()).collect() });
        }
    }
    let first = Wanted { rights: grants.rights().clone(), questions: own };
    std::iter::once(first).chain(elevated.into_values()).collect()
}

fn owned<'m>(found: Vec<(&'m QName, &'m Typed)>) -> impl Iterator<Item = (QName, Arc<Typed>)> + use<'m> {
    found.into_iter().map(|(entity, condition)| (entity.clone(), Arc::new(condition.clone())))
}

/// Every microflow that work for these grants can come to.
fn reachable(grants: &Grants) -> Vec<&Microflow> {
    let model = grants.model();
    let jobs = model.schedule.iter().map(|event| &event.microflow);
    let after = model.registration.iter().filter_map(|registration| registration.after.as_ref());
    // Nobody who signed in starts these as a job.
    let jobs = jobs.chain(after).filter(|_| !grants.rights().signed_in);
    let mut todo: Vec<&QName> = model.microflows.keys().filter(|name| grants.run(name).is_ok()).chain(jobs).collect();
    todo.extend(model.entities.values().flat_map(|entity| &entity.handlers).map(|handler| &handler.microflow));
    let mut found = BTreeMap::new();
    while let Some(name) = todo.pop() {
        let Some(flow) = model.microflows.get(name).filter(|_| grants.call(name).is_ok()) else { continue };
        if found.insert(name, &**flow).is_none() {
            todo.extend(flow.calls());
        }
    }
    found.into_values().collect()
}

/// Who is at work with grants that are known beforehand: somebody who is signed in, with these roles; nobody in jobs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::store) struct Foreseen(Option<BTreeSet<Name>>);

impl Foreseen {
    pub(in crate::store) fn grants(&self, model: &Arc<Model>) -> Grants {
        match &self.0 {
            Some(roles) => Grants::compile(model, roles, true),
            None => Grants::none(model),
        }
    }
}

/// Of each user role by itself, of each combination that is held, and of jobs. The grants of all at once are more than a
/// server keeps in memory.
pub(in crate::store) fn foreseen(model: &Model, held: &BTreeSet<BTreeSet<Name>>) -> Vec<Foreseen> {
    let roles = model.user_roles.iter().filter(|(_, role)| !role.anonymous);
    let single = roles.map(|(name, _)| BTreeSet::from([name.clone()]));
    let known = held.iter().map(|roles| model.known_roles(roles).into_iter().collect());
    let all: BTreeSet<BTreeSet<Name>> = single.chain(known).chain([BTreeSet::new()]).collect();
    all.into_iter().map(|roles| Foreseen(Some(roles))).chain([Foreseen(None)]).collect()
}
