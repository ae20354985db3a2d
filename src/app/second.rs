//! Pages and actions, decided a second time.
//!
//! From the doors of the model and the roles that were proved, not from the grants: a question about
//! a page or an action that was forgotten, or answered wrongly, opens nothing.

use super::Refusal;
use super::visit::Visit;
use crate::access::matrix::Doors;
use crate::access::{Disagreement, Layer};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Name, QName};
use std::collections::BTreeSet;

impl Visit<'_> {
    /// Refuses what was granted, but not to any of the caller's user roles.
    // SECURITY: a skipped check is caught here and recorded
    // (`a_page_or_an_action_that_was_granted_by_mistake_is_caught_and_recorded`).
    pub(super) fn decide_again(
        &self,
        asked: Layer,
        verb: &str,
        name: &QName,
        lets: impl Fn(&Doors, &QName, &BTreeSet<Name>) -> bool,
    ) -> Result<(), Refusal> {
        let roles = self.asker.user_roles(&self.live.model);
        if !stands(Removable::Release) || lets(&self.live.doors, name, &roles) {
            return Ok(());
        }
        let second = (Layer::Release, "not for any of the caller's user roles".to_owned());
        let found = Disagreement { about: format!("{verb} {name}"), first: (asked, "granted".into()), second };
        Err(Refusal::Disagreement(Box::new(found)))
    }
}
