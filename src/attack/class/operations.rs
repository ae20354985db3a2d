//! Operations that no page lists: other methods, other addresses, the administration's forms.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::Request;
use super::super::raid::{Expect, Raid};
use super::{Class, crew, entities, forged, own_pages};
use crate::access::Part;
use std::rc::Rc;

const METHODS: [&str; 6] = ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];

pub(super) fn unlisted(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        methods(raid, &attacker)?;
        names(raid, &attacker)?;
        administration(raid, &attacker)?;
    }
    Ok(())
}

fn methods(raid: &mut Raid<'_>, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    let pages: Vec<String> = own_pages(&raid.model).iter().map(|page| format!("/p/{page}")).collect();
    for (at, target) in pages.iter().map(String::as_str).chain(["/admin/users", "/account", "/sign-in"]).enumerate() {
        let Some(method) = METHODS.get(at % METHODS.len()) else { continue };
        let plain = Request::get(target).by(method);
        let request = if matches!(*method, "PUT" | "PATCH") {
            Request::post(target, &forged(attacker, &raid.page(attacker, target), "w1")).by(method)
        } else {
            plain
        };
        raid.write(Class::UnlistedOperations, attacker, &format!("{method}+{target}"), &request, &Expect::Nothing)?;
    }
    Ok(())
}

/// Names of entities and microflows where the ids of buttons belong, and addresses that could take objects.
fn names(raid: &mut Raid<'_>, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    let Some(home) = own_pages(&raid.model).into_iter().find(|page| raid.oracle().opens(&attacker.who.role, page)) else {
        return Ok(());
    };
    let target = format!("/p/{home}");
    let drawn = raid.page(attacker, &target);
    let flows: Vec<String> = raid.model.microflows.keys().map(ToString::to_string).collect();
    for name in flows.iter().map(String::as_str).chain(["save", "delete", "w0", "w999", "", "w1:x:1", "create", "_do"]) {
        let request = Request::post(target.as_str(), &forged(attacker, &drawn, name));
        raid.write(Class::UnlistedOperations, attacker, &format!("do+{name}"), &request, &Expect::Nothing)?;
    }
    for entity in entities(&raid.model) {
        let body = [("_csrf", attacker.csrf.as_str()), ("name", "attack"), ("id", "1")];
        for target in [format!("/api/{}", entity.name), format!("/p/{}", entity.name), format!("/{}/1", entity.name)] {
            let request = Request::post(target.as_str(), &body);
            raid.write(Class::UnlistedOperations, attacker, &target, &request, &Expect::Nothing)?;
        }
    }
    Ok(())
}

/// Forms of the administration: by those to whom it is closed, about themselves, and about roles beyond what they may give.
fn administration(raid: &mut Raid<'_>, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    let may = raid.oracle().administers(&attacker.who.role, Part::Users);
    let own = attacker.who.user.map_or(0, |id| id.0);
    let assignable = raid.model.user_roles.get(&attacker.who.role).map(|role| role.may_assign.clone()).unwrap_or_default();
    let beyond: Vec<String> =
        raid.model.user_roles.keys().filter(|role| !may || !assignable.contains(*role)).map(ToString::to_string).collect();
    let csrf = ("_csrf", attacker.csrf.as_str());
    for role in &beyond {
        let invite = [csrf, ("name", "Attack"), ("email", "attack@canary.example"), ("role", role)];
        let request = Request::post("/admin/users/invite", &invite);
        raid.write(Class::UnlistedOperations, attacker, &format!("invite+{role}"), &request, &Expect::Nothing)?;
        let request = Request::post(format!("/admin/users/{own}/roles"), &[csrf, ("role", role), ("version", "1")]);
        raid.write(Class::UnlistedOperations, attacker, &format!("own-role+{role}"), &request, &Expect::Nothing)?;
    }
    if may {
        return Ok(());
    }
    let others: Vec<i64> =
        raid.instance.people.iter().filter_map(|person| person.who.user.map(|id| id.0)).filter(|id| *id != own).take(2).collect();
    for other in others {
        for deed in ["roles", "block", "unblock", "reset", "invite", "sessions/end"] {
            let request = Request::post(format!("/admin/users/{other}/{deed}"), &[csrf, ("_confirmed", "yes"), ("version", "1")]);
            raid.write(Class::UnlistedOperations, attacker, &format!("{deed}+{other}"), &request, &Expect::Nothing)?;
        }
    }
    for target in ["/admin/log/level", "/admin/audit/verify"] {
        let request = Request::post(target, &[csrf, ("node", "portcullis"), ("level", "trace")]);
        raid.write(Class::UnlistedOperations, attacker, target, &request, &Expect::Nothing)?;
    }
    Ok(())
}
