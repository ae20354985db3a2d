//! What a caller's roles add up to.

use super::administration::Part;
use super::denied::{Denied, Layer, Reason};
use super::explain::Question;
use super::permit::{Administer, Open, Permit, Run, View, no_rule};
use super::rights::{Authority, Rights, Rule, RuleOrigin};
use super::shared::SharedRights;
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Member, Name, QName};
use crate::model::{AccessRule, Deny, Guardrail, Model};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The sum of a role set's rules, narrowed by guardrails; never widened. Compiled once per role
/// set and model.
#[derive(Clone, Debug)]
pub struct Grants {
    model: Arc<Model>,
    rights: Arc<Rights>,
    module_roles: BTreeSet<QName>,
}

impl Grants {
    /// Compiles the grants of a set of user roles; names the model does not know give nothing.
    pub fn compile(model: &Arc<Model>, user_roles: &BTreeSet<Name>, signed_in: bool) -> Self {
        Self::compile_sharing(model, user_roles, signed_in, &SharedRights::default())
    }

    /// The same, where other sets of roles of this model came to equal rights on some entities before.
    pub fn compile_sharing(model: &Arc<Model>, user_roles: &BTreeSet<Name>, signed_in: bool, shared: &SharedRights) -> Self {
        let roles: BTreeSet<Name> = model.known_roles(user_roles).into_iter().collect();
        let module_roles = model.module_roles(&roles);
        let mut entities = HashMap::new();
        for (name, entity) in &model.entities {
            let theirs = entity.rules.iter().filter(|rule| !rule.roles.is_disjoint(&module_roles));
            let rules: Vec<_> = theirs.filter_map(|rule| narrowed(model, &roles, name, rule, RuleOrigin::Entity)).collect();
            if !rules.is_empty() {
                entities.insert(name.clone(), shared.of(entity, rules));
            }
        }
        let key = format!(
            "{}|{}",
            if signed_in { "user" } else { "visitor" },
            roles.iter().map(|r| r.as_str()).collect::<Vec<_>>().join("+")
        );
        let rights = Rights { key: Arc::from(key), roles: Arc::new(roles), signed_in, entities };
        Self { model: model.clone(), rights: Arc::new(rights), module_roles }
    }

    /// The grants of a job: nothing but what an elevation adds.
    pub fn none(model: &Arc<Model>) -> Self {
        Self::compile(model, &BTreeSet::new(), false)
    }

    /// The model they were compiled from.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }
    /// The caller's user roles that the model knows.
    pub fn roles(&self) -> &Arc<BTreeSet<Name>> {
        &self.rights.roles
    }

    /// To open a page.
    pub fn open(&self, page: &QName) -> Result<Permit<Open>, Denied> {
        let refused = || no_rule("open", &page.to_string(), &self.rights, Layer::PageAccess);
        let found = self.model.pages.get(page).ok_or_else(|| {
            let mut denied = refused();
            denied.conceal = true;
            denied
        })?;
        if stands(Removable::PageAccess) {
            self.guard(&Deny::Open(page.clone()), Layer::PageAccess)?;
            if found.roles.is_disjoint(&self.module_roles) {
                return Err(refused());
            }
        }
        Ok(Permit::place(page.clone(), self.rights.clone()))
    }

    /// To run a microflow from a page.
    pub fn run(&self, microflow: &QName) -> Result<Permit<Run>, Denied> {
        let refused = || no_rule("run", &microflow.to_string(), &self.rights, Layer::ActionAccess);
        let found = self.model.microflows.get(microflow).ok_or_else(refused)?;
        if stands(Removable::ActionAccess) {
            self.guard(&Deny::Run(microflow.clone()), Layer::ActionAccess)?;
            if found.roles.is_disjoint(&self.module_roles) {
                return Err(refused());
            }
        }
        Ok(Permit::place(microflow.clone(), self.rights.clone()))
    }

    /// To run a microflow that another one calls, that handles an event, or that is a job: no role
    /// is asked for, because none of them can be started from outside; guardrails hold.
    pub fn call(&self, microflow: &QName) -> Result<Permit<Run>, Denied> {
        if !self.model.microflows.contains_key(microflow) {
            return Err(no_rule("call", &microflow.to_string(), &self.rights, Layer::ActionAccess));
        }
        let called = |denied: Denied| denied.about(Question::Call(microflow.clone()));
        self.guard(&Deny::Run(microflow.clone()), Layer::ActionAccess).map_err(called)?;
        Ok(Permit::place(microflow.clone(), self.rights.clone()))
    }

    /// To be shown data of an entity.
    pub fn view(&self, entity: &QName) -> Result<Permit<View>, Denied> {
        Permit::entity(entity, &self.rights, |rule| !rule.read.is_empty())
    }

    /// To read a public snapshot: gives the permit to view its entity.
    pub fn snapshot(&self, name: &QName) -> Result<Permit<View>, Denied> {
        let refused = || no_rule("read", &name.to_string(), &self.rights, Layer::EntityAccess);
        let found = self.model.snapshots.get(name).ok_or_else(refused)?;
        if found.roles.is_disjoint(&self.module_roles) {
            return Err(refused());
        }
        self.view(&found.entity).map(|permit| permit.of_snapshot(name))
    }

    /// To use a part of the administration.
    pub fn administer(&self, part: Part) -> Result<Permit<Administer>, Denied> {
        if part.open_to(&self.model.administration).is_disjoint(&self.rights.roles) {
            return Err(no_rule("administer", part.id(), &self.rights, Layer::ActionAccess));
        }
        Ok(Permit::place(QName::new("administration", part.id()), self.rights.clone()))
    }

    /// The user roles that the caller may give to others and take from them; never to themselves.
    pub fn assignable(&self) -> BTreeSet<Name> {
        let held = self.rights.roles.iter().filter_map(|role| self.model.user_roles.get(role));
        held.flat_map(|role| role.may_assign.iter().cloned()).collect()
    }

    fn guard(&self, act: &Deny, layer: Layer) -> Result<(), Denied> {
        match guardrail(&self.model, &self.rights.roles, act) {
            Some(rail) => Err(Denied::new(layer, Reason::Guardrail { doc: rail.doc.clone(), act: act.clone() })),
            None => Ok(()),
        }
    }
}

impl super::rights::sealed::Sealed for Grants {}
impl Authority for Grants {
    fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }
}

/// The guardrail that denies an act to a role set, if any.
pub(super) fn guardrail<'m>(model: &'m Model, roles: &BTreeSet<Name>, act: &Deny) -> Option<&'m Guardrail> {
    model.guardrails.iter().find(|rail| rail.denies.contains(act) && !rail.user_roles.is_disjoint(roles))
}

/// A rule with everything taken away that a guardrail denies; `None` when nothing is left.
pub(super) fn narrowed(
    model: &Model,
    roles: &BTreeSet<Name>,
    entity: &QName,
    rule: &AccessRule,
    origin: impl Fn(QName, usize) -> RuleOrigin,
) -> Option<Arc<Rule>> {
    let denied = |act: Deny| guardrail(model, roles, &act).is_some();
    let member = |name: &Name| Member { entity: entity.clone(), name: name.clone() };
    let rule = Rule {
        origin: origin(entity.clone(), rule.number),
        create: rule.create && !denied(Deny::Create(entity.clone())),
        delete: rule.delete && !denied(Deny::Delete(entity.clone())),
        read: rule.read.iter().filter(|name| !denied(Deny::Read(member(name)))).cloned().collect(),
        write: rule.write.iter().filter(|name| !denied(Deny::Write(member(name)))).cloned().collect(),
        condition: rule.condition.clone(),
        condition_text: rule.condition_text.clone(),
    };
    let useful = rule.create || rule.delete || !rule.read.is_empty() || !rule.write.is_empty();
    useful.then(|| Arc::new(rule))
}
