//! Proof that one act was decided and granted.

use super::denied::{Denied, Layer, Reason};
use super::rights::{Authority, EntityRights, Rights, Rule};
use crate::domain::{Name, QName};
use std::marker::PhantomData;
use std::sync::Arc;

/// An act that a permit is for.
pub trait Act {
    /// The verb, for reasons.
    const VERB: &'static str;
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident = $verb:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        impl Act for $name { const VERB: &'static str = $verb; }
    )*};
}
acts! {
    /// Opening a page.
    Open = "open";
    /// Running a microflow.
    Run = "run";
    /// Showing data to the caller: only the caller's own grants give it.
    View = "view";
    /// Reading data inside a microflow.
    Load = "load";
    /// Creating an object.
    Create = "create";
    /// Changing an object.
    Change = "change";
    /// Deleting an object.
    Delete = "delete";
    /// Using a part of the administration.
    Administer = "administer";
}

/// A decided and granted act. It has no public constructor.
#[derive(Debug)]
pub struct Permit<A: Act> {
    target: QName,
    rights: Arc<Rights>,
    entity: Option<Arc<EntityRights>>,
    rules: Vec<usize>,
    snapshot: Option<QName>,
    act: PhantomData<A>,
}

impl<A: Act> Permit<A> {
    pub(super) fn place(target: QName, rights: Arc<Rights>) -> Self {
        Self { target, rights, entity: None, rules: Vec::new(), snapshot: None, act: PhantomData }
    }

    pub(super) fn entity(entity: &QName, rights: &Arc<Rights>, grants: impl Fn(&Rule) -> bool) -> Result<Self, Denied> {
        let found = rights.entities.get(entity);
        let rules = found.map(|e| e.rules_where(grants)).unwrap_or_default();
        match found {
            Some(found) if !rules.is_empty() => {
                let (target, rights, entity) = (entity.clone(), rights.clone(), Some(found.clone()));
                Ok(Self { target, rights, entity, rules, snapshot: None, act: PhantomData })
            }
            _ => Err(no_rule(A::VERB, &entity.to_string(), rights, Layer::EntityAccess)),
        }
    }

    /// The page, microflow or entity.
    pub fn target(&self) -> &QName {
        &self.target
    }
    /// The rights behind it: statements are cached under their key.
    pub fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }
    /// Indexes of the rules that granted it.
    pub fn rules(&self) -> &[usize] {
        &self.rules
    }
    /// All rules about the entity (of an entity permit).
    pub fn entity_rights(&self) -> Option<&Arc<EntityRights>> {
        self.entity.as_ref()
    }
    /// Whether the caller may read the member in some row.
    pub fn may_read(&self, member: &str) -> bool {
        self.entity.as_ref().is_some_and(|e| e.readable.contains_key(member))
    }
    /// Whether the caller may write the member in some row.
    pub fn may_write(&self, member: &str) -> bool {
        self.entity.as_ref().is_some_and(|e| e.writable.contains_key(member))
    }
}

impl Permit<View> {
    /// Whether the caller may read the member in every object there is: by a rule without a condition.
    pub fn reads_everywhere(&self, member: &str) -> bool {
        let Some(rights) = &self.entity else { return false };
        rights.readable.get(member).is_some_and(|rules| rights.at(rules).any(|rule| rule.condition.is_none()))
    }
    /// The same permit, for the objects of a public snapshot.
    pub(super) fn of_snapshot(self, name: &QName) -> Self {
        Self { snapshot: Some(name.clone()), ..self }
    }
    /// The public snapshot it is for, when it is for one: then its objects are those of the public
    /// copy, and no others.
    pub fn snapshot(&self) -> Option<&QName> {
        self.snapshot.as_ref()
    }
    /// The permit to view another entity with the same rights, for a path along an association.
    pub fn onward(&self, entity: &QName) -> Result<Self, Denied> {
        Permit::entity(entity, &self.rights, |rule| !rule.read.is_empty())
    }
}

pub(super) fn no_rule(verb: &str, what: &str, rights: &Rights, layer: Layer) -> Denied {
    let roles = rights.roles.iter().cloned().collect();
    Denied::new(layer, Reason::NoRule { wanted: format!("{verb} {what}"), roles })
}

/// Permits that the caller's own grants and an elevation both can give.
impl dyn Authority + '_ {
    /// To read inside a microflow.
    pub fn load(&self, entity: &QName) -> Result<Permit<Load>, Denied> {
        Permit::entity(entity, self.rights(), |rule| !rule.read.is_empty())
    }
    /// To create, with values for these members.
    pub fn create<'a>(&self, entity: &QName, members: impl IntoIterator<Item = &'a Name>) -> Result<Permit<Create>, Denied> {
        let permit: Permit<Create> = Permit::entity(entity, self.rights(), |rule| rule.create)?;
        permit.writable(members)
    }
    /// To change these members.
    pub fn change<'a>(&self, entity: &QName, members: impl IntoIterator<Item = &'a Name>) -> Result<Permit<Change>, Denied> {
        let permit: Permit<Change> = Permit::entity(entity, self.rights(), |rule| !rule.write.is_empty())?;
        permit.writable(members)
    }
    /// To delete.
    pub fn delete(&self, entity: &QName) -> Result<Permit<Delete>, Denied> {
        Permit::entity(entity, self.rights(), |rule| rule.delete)
    }
}

impl<A: Act> Permit<A> {
    // SECURITY: every member of the payload is looked at, not only the first (CVE-2021-33718).
    fn writable<'a>(self, members: impl IntoIterator<Item = &'a Name>) -> Result<Self, Denied> {
        for member in members {
            if !self.may_write(member) {
                return Err(Denied::new(Layer::EntityAccess, Reason::Member(self.target.clone(), member.clone())));
            }
        }
        Ok(self)
    }
}
