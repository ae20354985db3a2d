//! Forced browsing: addresses that nobody was given.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::{Client, Request};
use super::super::probe;
use super::super::raid::Raid;
use super::{Class, crew, entities, own_pages};
use crate::access::Part;
use crate::domain::{ObjectId, QName};
use std::time::Duration;

/// Parts of the administration, each with those addresses that only read.
pub(super) const ADMIN: [(Part, &[&str]); 4] = [
    (Part::Users, &["/admin/users", "/admin/users?q=a", "/admin/users/1"]),
    (Part::Matrix, &["/admin/matrix"]),
    (Part::Audit, &["/admin/audit", "/admin/audit?q=a"]),
    (Part::Log, &["/admin/log"]),
];

/// Addresses of exports and fragments as other servers have them, about a page and an entity.
const OTHERS: [&str; 8] =
    ["/p/%.json", "/p/%.csv", "/p/%?format=csv", "/p/%?_fragment=w1", "/p/%/w1", "/export/%", "/api/%", "/xas/%"];

/// Every page by its address, with objects in reach and out of it; the administration; what other servers would answer.
pub(super) fn forced(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        for (at, page) in own_pages(&raid.model).into_iter().enumerate() {
            for (subject, target) in addresses(raid, &attacker, &page) {
                raid.look(Class::ForcedPages, &attacker, &subject, &Request::get(target))?;
            }
            explained(raid, &attacker, &page)?;
            // Each page in two of the ways, each way with several pages.
            for other in OTHERS.iter().cycle().skip(at * 2 % OTHERS.len()).take(2) {
                let target = other.replace('%', &page.to_string());
                raid.look(
                    Class::ForcedPages,
                    &attacker,
                    &target,
                    &Request::get(target.as_str()).with("accept", "application/json"),
                )?;
            }
        }
        for entity in entities(&raid.model) {
            for kind in ["List", "New", "Figures"] {
                let page = probe::page_of(kind, &entity.name);
                raid.look(Class::ForcedPages, &attacker, &page.to_string(), &Request::get(format!("/p/{page}")))?;
            }
            let target = format!("/api/{}", entity.name);
            raid.look(Class::ForcedPages, &attacker, &target, &Request::get(target.as_str()))?;
        }
        administration(raid, &attacker)?;
        for target in ["/dev/findings", "/account", "/admin", "/health/ready", "/link/bootstrap/x", "/static/../secret.key"] {
            raid.look(Class::ForcedPages, &attacker, target, &Request::get(target))?;
        }
    }
    Ok(())
}

/// The overlay of reasons, which this instance shows to everybody as a demo does: it tells no value and no object.
fn explained(raid: &mut Raid<'_>, attacker: &Attacker, page: &QName) -> Result<(), AttackError> {
    let all = addresses(raid, attacker, page);
    let Some((subject, target)) = all.get(1).or(all.first()).cloned() else { return Ok(()) };
    let cookies = format!("{}; portcullis_xray=on", attacker.client.cookies());
    let request = Request::get(target).with("cookie", &cookies);
    raid.look(Class::ForcedPages, attacker, &format!("{subject}+reasons"), &request).map(drop)
}

fn administration(raid: &mut Raid<'_>, attacker: &Attacker) -> Result<(), AttackError> {
    for (part, targets) in ADMIN {
        let may = raid.oracle().administers(&attacker.who.role, part);
        for target in targets {
            let request = Request::get(*target);
            opened(raid, attacker, target, &request, may)?;
        }
        if part == Part::Log && !may {
            // A stream that is open never ends: this one is listened to for a moment only.
            let brief = Client::brief(raid.instance.address(), &attacker.client, Duration::from_secs(2));
            let request = Request::get("/admin/log/stream");
            raid.scheme(Class::ForcedPages, attacker, "/admin/log/stream", &request, |_| {
                let status = brief.send(&request).status;
                Ok(matches!(status, 0 | 200).then(|| "the live log opened".to_owned()))
            })?;
        }
    }
    Ok(())
}

/// A part of the administration that opens to whom it is not open is a gain by itself: it shows more than rules speak of.
fn opened(raid: &mut Raid<'_>, attacker: &Attacker, target: &str, request: &Request, may: bool) -> Result<(), AttackError> {
    if may {
        return raid.look(Class::ForcedPages, attacker, target, request).map(drop);
    }
    raid.scheme(Class::ForcedPages, attacker, target, request, |raid| {
        let answer = attacker.client.send(request);
        let told = raid.tells(attacker, request, &answer);
        Ok(told.or_else(|| (answer.status == 200).then(|| format!("{target} opened"))))
    })
}

/// The addresses of a page: without its parameters, with objects in reach, and with each of them out of reach.
pub(super) fn addresses(raid: &Raid<'_>, attacker: &Attacker, page: &QName) -> Vec<(String, String)> {
    let Some(found) = raid.model.pages.get(page).cloned() else { return Vec::new() };
    let path = format!("/p/{page}");
    if found.parameters.is_empty() {
        return vec![(page.to_string(), path)];
    }
    let pick = |entity: &QName, seen: bool| raid.world.ids(entity).into_iter().find(|id| attacker.sees(entity, *id) == seen);
    let text = |entity: &QName, id: Option<ObjectId>| id.map_or_else(|| "~x".to_owned(), |id| raid.handle(entity, id));
    let address = |out: Option<usize>| {
        let pairs = found.parameters.iter().enumerate().map(|(at, (name, entity))| {
            let id = if out == Some(at) { pick(entity, false) } else { pick(entity, true).or_else(|| pick(entity, false)) };
            format!("{name}={}", text(entity, id))
        });
        format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
    };
    let mut all = vec![(page.to_string(), path.clone()), (format!("{page}+in"), address(None))];
    all.extend((0..found.parameters.len()).map(|at| (format!("{page}+out{at}"), address(Some(at)))));
    all
}
