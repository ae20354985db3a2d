//! Grants are compiled from the model and are not taken apart.
use portcullis::access::{Elevation, EntityRights, Grants, Rights, Rule};
use std::sync::Arc;

pub fn swapped(grants: &mut Grants, rights: Arc<Rights>) {
    grants.rights = rights; //~ E0616
}
pub fn widened(elevation: &mut Elevation, rights: Arc<Rights>) {
    elevation.rights = rights; //~ E0616
}
pub fn opened(rights: &mut Rights) {
    rights.signed_in = true; //~ E0616
    rights.entities.clear(); //~ E0616
}
pub fn loosened(rule: &mut Rule, entity: &mut EntityRights) {
    rule.condition = None; //~ E0616
    rule.create = true; //~ E0616
    entity.rules.clear(); //~ E0616
}
pub fn from_rules(entity: Arc<portcullis::model::Entity>, rules: Vec<Arc<Rule>>) -> EntityRights {
    EntityRights::new(entity, rules) //~ E0624
}
