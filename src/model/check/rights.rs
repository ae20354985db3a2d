//! What each microflow needs, against what its rights are for everybody who runs it.
//!
//! A flow has the rights of who runs it and its own elevation, less what guardrails deny; each step is
//! held against that. What depends on the data counts as granted.

use super::super::finding::Severity;
use super::super::types::*;
use super::checker::{Checker, Sources};
use super::runners::{Runner, guarded, runners, writes};
use super::solve::Solver;
use super::steps::{Trouble, Walk};
use crate::domain::{Member, Name, QName};
use crate::expr::Typed;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rights of one flow in one name.
#[derive(Clone, Copy)]
pub(super) struct Granted<'m> {
    pub model: &'m Model,
    pub flow: &'m Microflow,
    pub runner: &'m Runner,
}

impl<'m> Granted<'m> {
    /// The rules about an entity that give something here, and whose condition somebody like this can meet.
    fn rules(&self, entity: &QName, gives: impl Fn(&AccessRule) -> bool) -> Vec<&'m AccessRule> {
        let module_roles: BTreeSet<QName> = match self.runner {
            Runner::Role(role) => self.model.user_roles.get(role).map(|role| role.module_roles.clone()).unwrap_or_default(),
            Runner::Nobody => BTreeSet::new(),
        };
        let own = self.model.entities.get(entity).map(|entity| entity.rules.as_slice()).unwrap_or_default();
        let own = own.iter().filter(|rule| !rule.roles.is_disjoint(&module_roles));
        let extra = if self.flow.apply_entity_access { None } else { self.flow.elevation.get(entity) };
        let all = own.chain(extra.into_iter().flatten()).map(Arc::as_ref);
        all.filter(|rule| gives(rule) && self.can_hold(rule, &[])).collect()
    }

    /// Whether a rule can hold for an object of which these things are known.
    pub fn can_hold(&self, rule: &AccessRule, known: &[&Typed]) -> bool {
        let Some(condition) = &rule.condition else { return true };
        let enumeration = |name: &QName| -> Option<Vec<Name>> {
            self.model.enumerations.get(name).map(|found| found.values.keys().cloned().collect())
        };
        let solver = Solver { enumeration: &enumeration, unfixed: &|_| false, nobody: *self.runner == Runner::Nobody };
        let all: Vec<&Typed> = known.iter().copied().chain([condition.as_ref()]).collect();
        !solver.impossible(&all)
    }

    /// Whether a guardrail is in the way.
    pub fn denied(&self, deny: &Deny) -> bool {
        guarded(self.model, self.runner, deny)
    }
    /// Rules that let a member be read.
    pub fn reading(&self, member: &Member) -> Vec<&'m AccessRule> {
        if self.denied(&Deny::Read(member.clone())) {
            return Vec::new();
        }
        self.rules(&member.entity, |rule| rule.read.contains(&member.name))
    }
    /// Rules that let a member be written.
    pub fn writing(&self, member: &Member) -> Vec<&'m AccessRule> {
        if self.denied(&Deny::Write(member.clone())) {
            return Vec::new();
        }
        self.rules(&member.entity, |rule| rule.write.contains(&member.name))
    }
    /// Rules that let objects be created.
    pub fn creating(&self, entity: &QName) -> Vec<&'m AccessRule> {
        if self.denied(&Deny::Create(entity.clone())) { Vec::new() } else { self.rules(entity, |rule| rule.create) }
    }
    /// Rules that let objects be deleted.
    pub fn deleting(&self, entity: &QName) -> Vec<&'m AccessRule> {
        if self.denied(&Deny::Delete(entity.clone())) { Vec::new() } else { self.rules(entity, |rule| rule.delete) }
    }
    /// Whether any member of the entity may be read.
    pub fn loading(&self, entity: &QName) -> bool {
        let member = |name: &Name| Member { entity: entity.clone(), name: name.clone() };
        let rules = self.rules(entity, |rule| !rule.read.is_empty());
        rules.iter().any(|rule| rule.read.iter().any(|name| !self.denied(&Deny::Read(member(name)))))
    }
    /// Whether the runner may open a page.
    pub fn opening(&self, page: &Page) -> bool {
        let Runner::Role(role) = self.runner else { return true };
        let held = self.model.user_roles.get(role).is_some_and(|role| !role.module_roles.is_disjoint(&page.roles));
        held && !self.denied(&Deny::Open(page.name.clone()))
    }
}

/// A trouble apart from who has it.
type Seen = (Place, &'static str, String);

impl Checker<'_> {
    /// Reports steps of flows that somebody who runs the flow is never granted.
    pub fn flow_rights(&mut self, _: &Sources) {
        // A faulty model has rights that were not understood.
        if self.findings.iter().any(|finding| finding.severity == Severity::Error) {
            return;
        }
        let (runners, writes) = (runners(&self.model), writes(&self.model));
        let mut found = Vec::new();
        for (name, all) in &runners {
            let Some(flow) = self.model.microflows.get(name) else { continue };
            let mut seen: BTreeMap<Seen, Vec<(&Runner, Trouble)>> = BTreeMap::new();
            for (runner, shown) in all {
                let granted = Granted { model: &self.model, flow, runner };
                for trouble in Walk::of(granted, *shown, &writes).troubles() {
                    let key = (trouble.place.clone(), trouble.code, trouble.what.clone());
                    seen.entry(key).or_default().push((runner, trouble));
                }
            }
            found.extend(seen.into_iter().map(|(seen, who)| self.worded(flow, all.len(), seen, &who)));
        }
        for (severity, code, place, message, hint) in found {
            self.report(severity, code, &place, 1, message, Some(hint));
        }
    }

    fn worded(
        &self,
        flow: &Microflow,
        runners: usize,
        (place, code, what): Seen,
        who: &[(&Runner, Trouble)],
    ) -> (Severity, &'static str, Place, String, String) {
        let name = &flow.name;
        let hint = who.first().map(|(_, trouble)| trouble.hint.clone()).unwrap_or_default();
        let nobody = who.iter().find(|(runner, _)| **runner == Runner::Nobody);
        let registers = self.model.registration.as_ref().is_some_and(|registration| registration.after.as_ref() == Some(name));
        if let Some((_, trouble)) = nobody {
            if registers {
                let message = format!("{name} completes each registration in nobody's name, and has no right to {what}");
                let severity = if trouble.certain { Severity::Error } else { Severity::Warning };
                return (severity, "registration", place, message, hint);
            }
            let message = format!("{name} runs in nobody's name, and has no right to {what}");
            return (Severity::Warning, code, place, message, hint);
        }
        let roles: Vec<&str> =
            who.iter().filter_map(|(r, _)| if let Runner::Role(r) = r { Some(r.as_str()) } else { None }).collect();
        let message = match (who.len() == runners, roles.as_slice()) {
            (_, [role]) => format!("{role} may run {name}, but has no right to {what}"),
            (true, _) => format!("nobody who may run {name} has the right to {what}"),
            (false, roles) => format!("{} may run {name}, but have no right to {what}", roles.join(", ")),
        };
        (Severity::Warning, code, place, message, hint)
    }
}
