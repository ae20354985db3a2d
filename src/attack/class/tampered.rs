//! Parameters as no page sends them.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::{Request, encoded};
use super::super::probe;
use super::super::raid::{Expect, Raid};
use super::{Class, act_of, crew, declared, entities, fields, form_of, offered, own_pages, saves, telling};
use crate::model::Entity;
use std::rc::Rc;
use std::sync::Arc;

/// Queries that belong to no page, `%` for the id of a list.
pub(super) const QUERIES: [&str; 16] = [
    "%.p=-1",
    "%.p=99999999999999999999",
    "%.p=1%00",
    "%.p=1&%.p=2",
    "%.q=%25%25",
    "%.q=%27%20OR%201=1--",
    "%.q=%00",
    "%.q=%5C",
    "%.sort=id",
    "%.sort=1,2",
    "%.sort=-",
    "%[sort]=id",
    "%.f.id=1",
    "w999.p=1",
    "Object[]=1",
    "%.limit=100000",
];

/// Bodies that are no form of ours, with what they say they are.
const BODIES: [(&str, &str); 5] = [
    ("application/json", "{\"_do\":\"w1\",\"id\":1}"),
    ("text/plain", "_do=w1"),
    ("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"_do\"\r\n\r\nw1\r\n--x--\r\n"),
    ("application/x-www-form-urlencoded; charset=utf-7", "_do=w1"),
    ("application/x-www-form-urlencoded", "%zz=%zz&_do=w1&_do=w2"),
];

/// Texts in the place of any value.
pub(super) const VALUES: [&str; 12] = [
    "-1",
    "1e309",
    "NaN",
    "99999999999999999999999",
    "0.000000000000001",
    "1'",
    "true",
    "2026-13-45",
    "0000-00-00",
    "\u{0}",
    "~x",
    "{user.name}",
];

pub(super) fn parameters(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        for (at, page) in own_pages(&raid.model).into_iter().enumerate() {
            for turn in 0..3 {
                let Some(query) = QUERIES.get((at * 3 + turn) % QUERIES.len()) else { continue };
                let target = format!("/p/{page}?{}", query.replace('%', "w1"));
                raid.look(Class::Tampered, &attacker, &format!("{page}?{query}"), &Request::get(target))?;
            }
            let Some((kind, body)) = BODIES.get(at % BODIES.len()) else { continue };
            let request = Request {
                body: Some((*body).to_owned()),
                ..Request::get(format!("/p/{page}")).by("POST").with("content-type", kind)
            };
            raid.write(Class::Tampered, &attacker, &format!("{page}+{kind}"), &request, &Expect::Nothing)?;
        }
        for entity in entities(&raid.model) {
            values(raid, &attacker, &entity)?;
        }
        let long = "x".repeat(200_000);
        for (word, request) in [
            ("long-field", Request::post("/p/attack.x", &[("_csrf", attacker.csrf.as_str()), ("w1", &long)])),
            (
                "many-fields",
                Request::post("/account/password", &(0..2_000).map(|n| (format!("f{n}"), "1".to_owned())).collect::<Vec<_>>()),
            ),
            ("long-query", Request::get(format!("/account?{}", "a".repeat(20_000)))),
        ] {
            raid.write(Class::Tampered, &attacker, word, &request, &Expect::Nothing)?;
        }
    }
    Ok(())
}

/// A list with every query, whose rows must still be those in reach.
pub(super) fn lists(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>, entity: &Arc<Entity>) -> Result<(), AttackError> {
    let page = probe::page_of("List", &entity.name);
    for query in QUERIES {
        // Only the ids are exchanged; the percent signs of escapes stay.
        let query = query.replace("%.", "w1.").replace("%[", "w1[");
        raid.look(class, attacker, &format!("{page}?{query}"), &Request::get(format!("/p/{page}?{query}")))?;
    }
    Ok(())
}

/// Wrong values in every field that is offered for a row.
fn values(raid: &mut Raid<'_>, attacker: &Rc<Attacker>, entity: &Arc<Entity>) -> Result<(), AttackError> {
    let page = probe::page_of("Form", &entity.name);
    let Some(id) = telling(&raid.oracle(), &attacker.who, entity, true, 1).first().copied() else { return Ok(()) };
    let target = form_of(raid, &entity.name, id);
    let drawn = raid.page(attacker, &target);
    let save = act_of(&raid.model, &page, saves).unwrap_or_default();
    let Some(base) = offered(&drawn, &save) else { return Ok(()) };
    let extra = declared(&raid.model, None, Some(&entity.name));
    for (at, (member, field)) in fields(&raid.model, &page).into_iter().enumerate() {
        for turn in 0..2 {
            let Some(value) = VALUES.get((at * 2 + turn) % VALUES.len()) else { continue };
            let mut pairs = base.clone();
            pairs.retain(|(name, _)| *name != field);
            pairs.push((field.clone(), (*value).to_owned()));
            let subject = format!("{}#{}.{member}={}", entity.name, id.0, value.escape_default());
            let request = Request::post(target.as_str(), &pairs);
            raid.write(Class::Tampered, attacker, &subject, &request, &Expect::Flow(&extra))?;
        }
    }
    let twice = format!("{}&{}", encoded(&base), encoded(&base));
    let request = Request { body: Some(twice), ..Request::post(target, &base) };
    raid.write(Class::Tampered, attacker, &format!("{}#{}+twice", entity.name, id.0), &request, &Expect::Nothing)?;
    Ok(())
}
