//! Rights on an entity that several sets of roles come to alike, held in memory once.
//!
//! Guarantees: what is shared is equal in all that it gives, where it comes from included; nothing is kept that no set
//! has any more. Deliberately not here: compiling rules.

use super::rights::{EntityRights, Rule};
use crate::domain::QName;
use crate::model::Entity;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The rights on entities of one model that are in use.
#[derive(Default)]
pub struct SharedRights(Mutex<HashMap<QName, Vec<Weak<EntityRights>>>>);

impl SharedRights {
    /// These rules of an entity, compiled.
    pub(super) fn of(&self, entity: &Arc<Entity>, rules: Vec<Arc<Rule>>) -> Arc<EntityRights> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(entity.name.clone()).or_default();
        // SECURITY: the rules themselves are compared, as guardrails left them; two models share nothing
        // (`rights_are_shared_where_every_rule_is_the_same_and_nowhere_else`).
        let same = |found: &Arc<EntityRights>| Arc::ptr_eq(&found.entity, entity) && alike(&found.rules, &rules);
        if let Some(found) = known.iter().filter_map(Weak::upgrade).find(same) {
            return found;
        }
        known.retain(|one| one.strong_count() > 0);
        let made = Arc::new(EntityRights::new(entity.clone(), rules));
        known.push(Arc::downgrade(&made));
        made
    }
}

fn alike(a: &[Arc<Rule>], b: &[Arc<Rule>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// The condition is that of the rule in the model, so it is the same where the rule is.
fn same(a: &Rule, b: &Rule) -> bool {
    let conditions = match (&a.condition, &b.condition) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    let gives = (a.create, a.delete) == (b.create, b.delete) && a.read == b.read && a.write == b.write;
    conditions && gives && a.origin == b.origin
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Authority, Grants};
    use crate::domain::Name;
    use crate::model::{Files, Model, load};

    fn model() -> Arc<Model> {
        let app = "app: x\ntitle: X\nlevel: prototype\nlanguage: en\nmodules: [m]\nuserRoles:\n\
            \x20 A: {moduleRoles: [m.R]}\n  B: {moduleRoles: [m.R]}\n  C: {moduleRoles: [m.R, m.S]}\n  D: {moduleRoles: [m.R]}\n\
            guardrails:\n  - {deny: write, of: [m.Thing.pay], userRoles: [B], doc: B never touches pay}\n";
        let domain = "entities:\n  Thing:\n    attributes:\n      name: {type: string, length: 20}\n      pay: {type: integer}\n\
            \x20   access:\n      - {roles: [R], read: [name, pay], write: [name, pay]}\n      - {roles: [S], read: [name]}\n\
            \x20 Other:\n    attributes:\n      name: {type: string, length: 20}\n    access:\n      - {roles: [R], read: [name]}\n";
        let roles = "roles:\n  R: Reads\n  S: Sees\n";
        let files = [("app.yaml", app), ("m/module.yaml", roles), ("m/domain.yaml", domain)];
        let (model, findings) = load(&Files::of(files));
        Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())))
    }

    #[test]
    fn rights_are_shared_where_every_rule_is_the_same_and_nowhere_else() {
        let (model, again, shared) = (model(), model(), SharedRights::default());
        let on = |model: &Arc<Model>, role: &str, entity: &str| {
            let grants = Grants::compile_sharing(model, &[Name::new(role)].into(), true, &shared);
            grants.rights().entities[&QName::new("m", entity)].clone()
        };
        let [a, b, c, d] = ["A", "B", "C", "D"].map(|role| on(&model, role, "Thing"));
        assert!(Arc::ptr_eq(&a, &d), "of two roles with the same rules");
        assert!(!Arc::ptr_eq(&a, &b) && !b.writable.contains_key("pay"), "a guardrail took something away");
        assert!(!Arc::ptr_eq(&a, &c), "a rule more");
        let other = ["A", "B", "C"].map(|role| on(&model, role, "Other"));
        assert!(other.iter().all(|one| Arc::ptr_eq(one, &other[0])), "on an entity on which they have the same");
        assert!(!Arc::ptr_eq(&a, &on(&again, "A", "Thing")), "of another model");
        let kept = |entity: &str| shared.0.lock().unwrap()[&QName::new("m", entity)].len();
        let counts = (kept("Thing"), kept("Other"));
        assert_eq!(counts, (4, 2), "three and one of this model are in use, and one of each was of the other model");
        drop((a, b, d));
        drop(on(&again, "B", "Thing"));
        assert_eq!(kept("Thing"), 2, "one that is in use, and one that was made just now");
    }
}
