//! Holes that other low-code servers had, as attacks on any model. Each class has the id under which the hole is known.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::html;
use super::super::http::{Answer, Client, Request, escaped};
use super::super::probe::{self, NOBODY, OBJECT};
use super::super::raid::Raid;
use super::questions::{counts, hidden_cells, list};
use super::{Class, crew, entities, own_pages, telling};
use crate::domain::{Kind, Name};
use crate::model::Entity;
use std::rc::Rc;
use std::sync::Arc;

pub(super) fn run(raid: &mut Raid<'_>, class: Class) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        match class {
            Class::GuestReadsUsers if attacker.role == NOBODY => everything(raid, class, &attacker)?,
            Class::DeducedByConstraint => like_unknown(raid, class, &attacker)?,
            Class::ErrorsWiden => made_to_fail(raid, class, &attacker)?,
            Class::SystemMembers => system_members(raid, class, &attacker)?,
            Class::CrossSite => cross_site(raid, class, &attacker)?,
            Class::LeadingPaths => paths(raid, class, &attacker)?,
            Class::BooleanOracle => letters(raid, class, &attacker)?,
            Class::RuleWithoutRole => without_rule(raid, class, &attacker)?,
            Class::LevelZero => granted_to_nobody(raid, class, &attacker)?,
            Class::ActionWithoutScope => without_scope(raid, class, &attacker)?,
            Class::WithheldAsEmpty => marked(raid, class, &attacker)?,
            Class::MemberRuleBeside => every_channel(raid, class, &attacker)?,
            Class::BlankRows => each_entity(raid, class, &attacker, counts)?,
            _ => {}
        }
    }
    if class == Class::GuestReadsUsers {
        let visitor = raid.visitor.clone();
        everything(raid, class, &visitor)?;
    }
    if class == Class::BurstOfGuesses { burst(raid) } else { Ok(()) }
}

fn each_entity(
    raid: &mut Raid<'_>,
    class: Class,
    attacker: &Rc<Attacker>,
    mut act: impl FnMut(&mut Raid<'_>, Class, &Rc<Attacker>, &Arc<Entity>) -> Result<(), AttackError>,
) -> Result<(), AttackError> {
    entities(&raid.model).iter().try_for_each(|entity| act(raid, class, attacker, entity))
}

/// Every channel about an entity and one of its rows.
fn channels(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>, entity: &Arc<Entity>) -> Result<(), AttackError> {
    let handle = raid.world.ids(&entity.name).first().map(|id| raid.handle(&entity.name, *id)).unwrap_or_default();
    for kind in ["List", "New", "Figures", "Form", "Along"] {
        let page = probe::page_of(kind, &entity.name);
        let query = if matches!(kind, "Form" | "Along") { format!("?{OBJECT}={handle}") } else { String::new() };
        raid.look(class, attacker, &page.to_string(), &Request::get(format!("/p/{page}{query}")))?;
    }
    counts(raid, class, attacker, entity)
}

fn everything(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    each_entity(raid, class, attacker, channels)
}

fn without_rule(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    each_entity(raid, class, attacker, |raid, class, attacker, entity| {
        let oracle = raid.oracle();
        let none = oracle.model.entities.get(&entity.name).is_some_and(|own| oracle.rules(&attacker.who.role, own).is_empty());
        if none { channels(raid, class, attacker, entity) } else { Ok(()) }
    })
}

/// Rows in reach whose members are not all in reach, on every page that shows them.
fn every_channel(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    each_entity(raid, class, attacker, |raid, class, attacker, entity| {
        let rows = telling(&raid.oracle(), &attacker.who, entity, true, 4);
        for id in rows.into_iter().filter(|id| entity.members().any(|member| !attacker.reads(&entity.name, *id, member))) {
            for kind in ["Form", "Along"] {
                let target = format!("/p/{}?{OBJECT}={}", probe::page_of(kind, &entity.name), raid.handle(&entity.name, id));
                raid.look(class, attacker, &format!("{kind}+{}#{}", entity.name, id.0), &Request::get(target))?;
            }
            for query in ["w1.q=z", "w1.p=1"] {
                raid.look(class, attacker, &format!("{}#{}?{query}", entity.name, id.0), &Request::get(list(entity, query)))?;
            }
        }
        Ok(())
    })
}

/// A member that no rule of the role shows is refused exactly like one that does not exist.
fn like_unknown(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    each_entity(raid, class, attacker, |raid, class, attacker, entity| {
        let closed = |member: &&Name| {
            let oracle = raid.oracle();
            let own = oracle.model.entities.get(&entity.name);
            own.is_some_and(|own| !own.system && oracle.giving(&attacker.who.role, own, member, false).is_empty())
        };
        let hidden: Vec<Name> = entity.members().filter(closed).cloned().collect();
        for member in hidden {
            for ask in ["w1.sort=%", "w1.sort=-%", "w1.f.%=1", "w1.f.%=", "w1.g.%=1", "w1.sum=%"] {
                let request = Request::get(list(entity, &ask.replace('%', &member)));
                let never = Request::get(list(entity, &ask.replace('%', "nosuchmember")));
                raid.scheme(class, attacker, &format!("{}?{}", entity.name, ask.replace('%', &member)), &request, |raid| {
                    let (found, unknown) = (attacker.client.send(&request), attacker.client.send(&never));
                    let told = raid.tells(attacker, &request, &found);
                    // Asked once more before it counts: a server that was busy for a moment told nothing.
                    Ok(told.or_else(|| unlike(&member, &found, &unknown)).and_then(|first| {
                        let (found, unknown) = (attacker.client.send(&request), attacker.client.send(&never));
                        let again = raid.tells(attacker, &request, &found).or_else(|| unlike(&member, &found, &unknown));
                        again.map(|_| first)
                    }))
                })?;
            }
        }
        Ok(())
    })
}

/// How an answer about a hidden member differs from one about a member that never was.
fn unlike(member: &Name, found: &Answer, unknown: &Answer) -> Option<String> {
    let text = |answer: &Answer| html::read(&super::unreferenced(answer)).text;
    let same = found.status == unknown.status && text(found) == text(unknown);
    (!same).then(|| format!("{member} is answered unlike one that never was: {} and {}", found.status, unknown.status))
}

fn made_to_fail(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    each_entity(raid, class, attacker, |raid, class, attacker, entity| {
        super::tampered::lists(raid, class, attacker, entity)?;
        for (at, member) in entity.members().enumerate() {
            let Some(value) = super::tampered::VALUES.get(at % super::tampered::VALUES.len()) else { continue };
            let request = Request::get(list(entity, &format!("w1.f.{member}={}", escaped(value))));
            let subject = format!("{}.{member}={}", entity.name, value.escape_default());
            raid.look(class, attacker, &subject, &request)?;
        }
        Ok(())
    })
}

fn system_members(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    each_entity(raid, class, attacker, |raid, class, attacker, entity| {
        for name in super::members::SYSTEM {
            for ask in [format!("w1.sort={name}"), format!("w1.f.{name}=1")] {
                raid.look(class, attacker, &format!("{}?{ask}", entity.name), &Request::get(list(entity, &ask)))?;
            }
        }
        Ok(())
    })?;
    super::members::unknown_names(raid, class, attacker)
}

/// A hidden text guessed from its beginning: a search may find a row only by what is readable in it.
fn letters(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    each_entity(raid, class, attacker, |raid, class, attacker, entity| {
        let texts: Vec<Name> = entity.attributes.values().filter(|a| a.kind() == Kind::Text).map(|a| a.name.clone()).collect();
        texts.iter().try_for_each(|member| hidden_cells(raid, class, attacker, entity, member, 1))
    })
}

/// Members that no rule gives to anybody: in the list, in orders, in filters.
fn granted_to_nobody(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    let mut any = false;
    for entity in entities(&raid.model) {
        let unread = |member: &&Name| !entity.rules.iter().any(|rule| rule.read.contains(*member));
        for member in entity.members().filter(unread).cloned().collect::<Vec<_>>() {
            any = true;
            hidden_cells(raid, class, attacker, &entity, &member, 1)?;
            let request = Request::get(list(&entity, &format!("w1.sort={member}")));
            raid.look(class, attacker, &format!("{}.{member}", entity.name), &request)?;
        }
    }
    if !any {
        raid.skip(class, "every member is given to some role");
    }
    Ok(())
}

fn without_scope(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    let flows: Vec<_> = raid.model.microflows.values().filter(|flow| flow.roles.is_empty()).cloned().collect();
    if flows.is_empty() {
        raid.skip(class, "every microflow is given to some role");
    }
    flows.iter().try_for_each(|flow| super::buttons::run(raid, class, attacker, flow))
}

/// In a list a withheld cell is marked as such, and an empty one is not: else one stands for the other.
fn marked(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    each_entity(raid, class, attacker, |raid, class, attacker, entity| {
        let request = Request::get(format!("/p/{}", probe::page_of("List", &entity.name)));
        raid.scheme(class, attacker, &entity.name.to_string(), &request, |raid| {
            let page = html::read(&attacker.client.send(&request).body);
            for (_, row) in &page.rows {
                let handle = row.href.as_deref().and_then(|href| href.split(&format!("{OBJECT}=")).nth(1)).unwrap_or_default();
                let Some(id) = raid.instance.app().keys.object(&entity.name, handle) else { continue };
                for cell in row.cells.iter().filter(|cell| entity.attributes.contains_key(cell.label.as_str())) {
                    let readable = attacker.reads(&entity.name, id, &cell.label);
                    let hidden = !raid.world.value(&entity.name, id, &cell.label).is_empty();
                    if !readable && hidden && !cell.withheld {
                        return Ok(Some(format!("{}#{}.{} is withheld and looks empty", entity.name, id.0, cell.label)));
                    }
                }
            }
            Ok(None)
        })
    })
}

fn cross_site(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    let pages: Vec<String> = own_pages(&raid.model)
        .into_iter()
        .filter(|page| raid.oracle().opens(&attacker.who.role, page))
        .take(2)
        .map(|page| format!("/p/{page}"))
        .chain(["/account".to_owned()])
        .collect();
    for target in &pages {
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "0.0.0.0"] {
            let request = Request::get(target.as_str()).with("host", host);
            raid.scheme(class, attacker, &format!("{target}+{host}"), &request, |_| {
                let answer = attacker.client.send(&request);
                Ok((answer.status == 200).then(|| format!("{target} is answered for the host {host}")))
            })?;
        }
    }
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = Request::post("/theme", &[("_csrf", attacker.csrf.as_str()), ("theme", "dark")]).with(name, value);
        raid.scheme(class, attacker, &format!("{name}={value}"), &request, |_| {
            let answer = attacker.client.twin().send(&request);
            Ok((answer.status < 400).then(|| format!("a form with {name}: {value} is taken")))
        })?;
    }
    Ok(())
}

fn paths(raid: &mut Raid<'_>, class: Class, attacker: &Rc<Attacker>) -> Result<(), AttackError> {
    let climbs = [
        "../secret.key",
        "..%2fsecret.key",
        "%2e%2e%2fsecret.key",
        "..%5csecret.key",
        "....//secret.key",
        "%252e%252e/secret.key",
        "/etc/passwd",
        "%00",
        "~",
    ];
    for climb in climbs {
        for place in ["/static/", "/link/register/", "/p/", "/admin/users/"] {
            let request = Request::get(format!("{place}{climb}"));
            raid.scheme(class, attacker, &request.target.clone(), &request, |raid| {
                let answer = attacker.client.send(&request);
                let told = raid.tells(attacker, &request, &answer);
                Ok(told.or_else(|| (answer.status == 200).then(|| format!("{} leads somewhere", request.target))))
            })?;
        }
    }
    Ok(())
}

/// More guesses at once than are borne in a window: all but those must be turned away uncompared.
fn burst(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    const GUESSES: usize = 60;
    let (Some(person), class) = (raid.instance.people.iter().find(|person| person.twin).cloned(), Class::BurstOfGuesses) else {
        return Ok(());
    };
    let Some(attacker) = raid.crew.first().cloned() else { return Ok(()) };
    let allowed = raid.instance.app().settings.throttle.account_failures;
    let visitor = Client::new(raid.instance.address());
    let page = html::read(&visitor.send(&Request::get("/sign-in")).body);
    let csrf = page.controls.into_iter().find(|control| control.name == "_csrf").map(|control| control.value).unwrap_or_default();
    let guess = |n: usize| {
        let password = format!("wrong guess number {n}");
        Request::post("/sign-in", &[("_csrf", csrf.as_str()), ("email", &person.email), ("password", &password)])
    };
    raid.scheme(class, &attacker, &person.who.role.to_string(), &guess(0), |_| {
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..GUESSES)
                .map(|n| {
                    let (client, request) = (visitor.twin(), guess(n));
                    scope.spawn(move || client.send(&request).status)
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap_or_default()).collect()
        });
        let compared = statuses.iter().filter(|status| **status == 422).count();
        let most = usize::try_from(allowed).unwrap_or(0);
        Ok((compared > most).then(|| format!("{compared} of {GUESSES} guesses were compared; {most} are borne")))
    })
}
