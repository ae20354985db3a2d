//! Everything, by somebody who did not sign in.

use super::super::AttackError;
use super::super::http::Request;
use super::super::probe::{self, OBJECT};
use super::super::raid::{Expect, Raid};
use super::doors::{ADMIN, addresses};
use super::{Class, entities, forged, senders};

pub(super) fn everything(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    let visitor = raid.visitor.clone();
    for page in raid.model.pages.keys().cloned().collect::<Vec<_>>() {
        for (subject, target) in addresses(raid, &visitor, &page).into_iter().take(2) {
            raid.look(Class::Visitors, &visitor, &subject, &Request::get(target.as_str()))?;
            let drawn = raid.page(&visitor, &target);
            for id in senders(&raid.model, &page).keys() {
                let request = Request::post(target.as_str(), &forged(&visitor, &drawn, id));
                raid.write(Class::Visitors, &visitor, &format!("{subject}.{id}"), &request, &Expect::Nothing)?;
            }
        }
    }
    for target in
        ADMIN.iter().flat_map(|(_, targets)| *targets).copied().chain(["/account", "/dev/findings", "/admin/log/stream"])
    {
        raid.look(Class::Visitors, &visitor, target, &Request::get(target))?;
    }
    for target in ["/admin/users/invite", "/admin/users/1/roles", "/admin/users/1/block", "/account/password", "/admin/log/level"]
    {
        let request = Request::post(target, &[("_csrf", visitor.csrf.as_str()), ("_confirmed", "yes")]);
        raid.write(Class::Visitors, &visitor, &format!("post+{target}"), &request, &Expect::Nothing)?;
    }
    // With the sealed state of somebody's own page, and with their handles.
    let Some(lead) = raid.crew.first().cloned() else { return Ok(()) };
    for entity in entities(&raid.model) {
        let Some(id) = raid.world.ids(&entity.name).into_iter().find(|id| lead.sees(&entity.name, *id)) else { continue };
        let target = format!("/p/{}?{OBJECT}={}", probe::page_of("Form", &entity.name), raid.handle(&entity.name, id));
        let drawn = raid.page(&lead, &target);
        let request = Request::post(target.as_str(), &forged(&visitor, &drawn, "w1"));
        raid.write(Class::Visitors, &visitor, &format!("stolen+{}", entity.name), &request, &Expect::Nothing)?;
    }
    Ok(())
}
