//! A microflow's declared extra rights.

use super::grants::{Grants, narrowed};
use super::rights::{Authority, EntityRights, Rights, RuleOrigin};
use crate::model::Microflow;
use std::sync::Arc;

/// The caller's own rights plus exactly those that an elevated microflow names. It can load,
/// create, change and delete inside the flow; it cannot view: there is no way from an elevation to
/// a `Permit<View>`, so nothing it reads reaches a page but through the reader's own grants.
#[derive(Clone, Debug)]
pub struct Elevation {
    rights: Arc<Rights>,
}

impl Elevation {
    /// The authority a microflow runs under: the caller's grants, or those elevated.
    ///
    /// Guardrails are meant for people; an elevated flow is reviewed text, and its grants stand.
    pub fn of(flow: &Microflow, grants: &Grants) -> Self {
        let base = grants.rights();
        if flow.apply_entity_access {
            return Self { rights: base.clone() };
        }
        let mut entities = base.entities.clone();
        for (entity, rules) in &flow.elevation {
            let Some(found) = grants.model().entities.get(entity) else { continue };
            let mut all = entities.get(entity).map(|e| e.rules.clone()).unwrap_or_default();
            let none = Default::default();
            let origin = |_, number| RuleOrigin::Elevation(flow.name.clone(), number);
            all.extend(rules.iter().filter_map(|rule| narrowed(grants.model(), &none, entity, rule, origin)));
            entities.insert(entity.clone(), Arc::new(EntityRights::new(found.clone(), all)));
        }
        let key = Arc::from(format!("{}|{}", base.key, flow.name));
        let rights = Rights { key, roles: base.roles.clone(), signed_in: base.signed_in, entities };
        Self { rights: Arc::new(rights) }
    }
}

impl super::rights::sealed::Sealed for Elevation {}
impl Authority for Elevation {
    fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }
}
