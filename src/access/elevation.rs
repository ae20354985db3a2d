//! A microflow's declared extra rights.

use super::denied::{Disagreement, Layer};
use super::grants::{Grants, guardrail, narrowed};
use super::rights::{Authority, EntityRights, Rights, RuleOrigin};
use crate::domain::QName;
use crate::domain::knockout::{Removable, stands};
use crate::model::{Deny, Microflow, Model};
use std::sync::Arc;

/// The caller's own rights plus exactly those that an elevated microflow names. It can load,
/// create, change and delete inside the flow; it cannot view: there is no way from an elevation to
/// a `Permit<View>`, so nothing it reads reaches a page but through the reader's own grants.
#[derive(Clone, Debug)]
pub struct Elevation {
    rights: Arc<Rights>,
    flow: QName,
}

impl Elevation {
    /// The authority of a microflow that a page starts. Extra rights are given only to a caller whose
    /// module roles are among those of the flow, whatever was decided about running it: a forgotten
    /// question about the action gains no rights.
    pub fn asked(flow: &Microflow, grants: &Grants) -> Result<Self, Box<Disagreement>> {
        let (model, roles) = (grants.model(), grants.roles());
        let theirs = !flow.roles.is_disjoint(&model.module_roles(roles.iter()));
        let denied = guardrail(model, roles, &Deny::Run(flow.name.clone())).is_some();
        if !stands(Removable::EntityAccess) || flow.apply_entity_access || (theirs && !denied) {
            return Ok(Self::of(flow, grants));
        }
        Err(Box::new(Disagreement {
            about: format!("the extra rights of {}", flow.name),
            first: (Layer::ActionAccess, "the flow may be run".into()),
            second: (Layer::EntityAccess, "its rights are not for these roles".into()),
        }))
    }

    /// The authority a microflow runs under: the caller's grants, or those elevated.
    ///
    /// Guardrails hold here too: what no grant beats, no elevation beats. A person who must never touch
    /// something cannot have a flow touch it for them; the flow ends as refused.
    pub fn of(flow: &Microflow, grants: &Grants) -> Self {
        let base = grants.rights();
        let rights = if flow.apply_entity_access { base.clone() } else { Arc::new(elevated(grants.model(), base, flow)) };
        Self { rights, flow: flow.name.clone() }
    }
}

/// A caller's rights, and in addition those that a microflow declares.
pub(super) fn elevated(model: &Model, base: &Rights, flow: &Microflow) -> Rights {
    let mut entities = base.entities.clone();
    for (entity, rules) in &flow.elevation {
        let Some(found) = model.entities.get(entity) else { continue };
        let mut all = entities.get(entity).map(|e| e.rules.clone()).unwrap_or_default();
        let origin = |_, number| RuleOrigin::Elevation(flow.name.clone(), number);
        all.extend(rules.iter().filter_map(|rule| narrowed(model, &base.roles, entity, rule, origin)));
        entities.insert(entity.clone(), Arc::new(EntityRights::new(found.clone(), all)));
    }
    let key = Arc::from(format!("{}|{}", base.key, flow.name));
    Rights { key, roles: base.roles.clone(), signed_in: base.signed_in, entities }
}

impl super::rights::sealed::Sealed for Elevation {}
impl Authority for Elevation {
    fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }
    fn flow(&self) -> Option<&QName> {
        Some(&self.flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Name;
    use crate::model::{Files, load};

    const APP: &str = "app: x\ntitle: X\nlevel: prototype\nlanguage: en\nmodules: [m]\nuserRoles:\n  A: {moduleRoles: [m.R]}\n  B: {moduleRoles: [m.R]}\n\
        guardrails:\n  - {deny: write, of: [m.Thing.pay], userRoles: [B], doc: B never touches pay}\n";
    const DOMAIN: &str = "entities:\n  Thing:\n    attributes: {pay: {type: integer}, note: {type: string}}\n    access:\n      - {roles: [R], read: [note]}\n";
    const FLOW: &str = "roles: [R]\napplyEntityAccess: false\nelevation:\n  - {entity: Thing, create: true, read: [pay, note], write: [pay, note]}\ndo: []\n";

    #[test]
    fn extra_rights_are_for_the_roles_of_the_flow_even_if_somebody_else_may_run_it() {
        let flow = FLOW.replace("roles: [R]", "roles: [S]");
        let files = [
            ("app.yaml", APP),
            ("m/module.yaml", "roles: {R: Works, S: Leads}\n"),
            ("m/domain.yaml", DOMAIN),
            ("m/microflows/F.yaml", FLOW),
            ("m/microflows/G.yaml", &flow),
            ("m/microflows/H.yaml", "roles: [S]\ndo: []\n"),
        ];
        let model = Arc::new(load(&Files::of(files)).0.unwrap());
        let grants = Grants::compile(&model, &[Name::new("A")].into(), true);
        let asked = |name: &str| Elevation::asked(&model.microflows[&QName::new("m", name)], &grants);
        assert!(asked("F").is_ok());
        let found = asked("G").unwrap_err();
        assert_eq!((found.first.0, found.second.0), (Layer::ActionAccess, Layer::EntityAccess));
        assert!(asked("H").is_ok(), "a flow without extra rights gives none");
        // What another flow, an event or a job calls is not asked from outside.
        assert_eq!(Elevation::of(&model.microflows[&QName::new("m", "G")], &grants).rights().entities.len(), 1);
    }

    #[test]
    fn a_guardrail_beats_an_elevation_for_the_roles_it_names_and_for_no_other() {
        let files = [
            ("app.yaml", APP),
            ("m/module.yaml", "roles: {R: Works}\n"),
            ("m/domain.yaml", DOMAIN),
            ("m/microflows/F.yaml", FLOW),
        ];
        let model = Arc::new(load(&Files::of(files)).0.unwrap());
        let flow = &model.microflows[&QName::new("m", "F")];
        let may = |role: &str, member: &str| {
            let elevation = Elevation::of(flow, &Grants::compile(&model, &[Name::new(role)].into(), true));
            let authority: &dyn Authority = &elevation;
            authority.create(&QName::new("m", "Thing"), [&Name::new(member)]).is_ok()
        };
        assert!(may("A", "pay") && may("A", "note"));
        assert!(may("B", "note") && !may("B", "pay"));
    }
}
