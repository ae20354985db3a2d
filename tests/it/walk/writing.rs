//! Writing: every member of every entity, creating and deleting, for every role.

use super::oracle::{Oracle, Who};
use super::places::refuses;
use super::probe::joined;
use super::reading::cell;
use super::{everybody, probing, who};
use crate::support::actor::{Actor, Page};
use crate::support::html::Control;
use crate::support::server::Server;
use portcullis::access::matrix::{LineKind, Matrix, State};
use portcullis::domain::{Kind, Name, ObjectId, QName, Value};
use portcullis::model::{Entity, WidgetKind, each_widget};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who writes.
struct Writer<'s> {
    server: &'s Server,
    actor: Actor,
    who: Who,
    role: Name,
}

impl Writer<'_> {
    fn page(&self, what: &str, entity: &Entity) -> QName {
        QName::new("probe", format!("{what}{}{}", self.role, joined(&entity.name)).as_str())
    }
    fn edit(&self, entity: &Entity, id: ObjectId) -> Page {
        let handle = self.server.handle(&entity.name.to_string(), id.0);
        self.actor.look(&format!("/p/{}?Object={handle}", self.page("Edit", entity)))
    }
    /// The objects that are this person's own record: often the only ones that a rule takes.
    fn own_records(&self, oracle: &Oracle, kind: &Kind) -> Vec<String> {
        let (Kind::Object(target), Some(user)) = (kind, self.who.user) else { return Vec::new() };
        let account = Name::new("account");
        let rows = oracle.rows.get(target).into_iter().flatten();
        let own = rows.filter(|(_, row)| row.get(&account) == Some(&Value::Object(user)));
        own.map(|(id, _)| self.server.handle(&target.to_string(), id.0)).collect()
    }
}

/// Member → id of the input for it on a page.
fn inputs(oracle: &Oracle, page: &QName) -> BTreeMap<Name, String> {
    let mut all = BTreeMap::new();
    each_widget(&oracle.model.pages[page].content, &mut |widget| match &widget.kind {
        WidgetKind::Input(input) => {
            all.insert(input.member.clone(), widget.id.clone());
        }
        WidgetKind::Reference(reference) => {
            all.insert(reference.member.clone(), widget.id.clone());
        }
        _ => {}
    });
    all
}

/// Other values that a field might take.
fn candidates(control: &Control, kind: &Kind) -> Vec<String> {
    let now = control.value.as_str();
    let others: Vec<String> =
        control.options.iter().map(|(value, _)| value.clone()).filter(|value| value != now && !value.is_empty()).collect();
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).filter(|text| text != now).collect();
    match kind {
        _ if !control.options.is_empty() => others,
        Kind::Boolean => vec![if control.checked { String::new() } else { "true".into() }],
        Kind::Number(_) => texts(&["1", "2", "3", "0.5"]),
        Kind::Date => texts(&["2026-02-27", "2026-03-05", "2020-01-02", "2027-01-01"]),
        Kind::DateTime => texts(&["2026-02-27T10:00"]),
        _ => texts(&["Probe", "+44 1632 960000", "probe@people.example", "GB66ALDM69338695550780", "PROBE-1"]),
    }
}

/// What the rules name, whatever a page says: the server writes these itself.
fn kept(entity: &Entity, member: &Name) -> bool {
    entity.server_kept(member) || entity.attributes.get(member).is_some_and(|attribute| attribute.calculated.is_some())
}

/// Rows that between them have each member writable and not writable, as far as there are such rows.
fn telling_rows(oracle: &Oracle, who: &Who, entity: &Entity) -> Vec<ObjectId> {
    let (mut seen, mut rows) = (BTreeSet::new(), Vec::new());
    for id in oracle.rows[&entity.name].keys().filter(|id| oracle.sees(who, entity, **id)) {
        let writable = |member: &Name| oracle.any(who, &oracle.by(&who.role, entity, member, true), *id);
        // One that is writable and empty is another case than one that holds what a rule pins it to.
        let empty = |member: &Name| oracle.rows[&entity.name][id].get(member) == Some(&Value::Empty);
        let facts: Vec<(Name, bool, bool)> = entity
            .members()
            .map(|member| (member.clone(), writable(member), writable(member) && empty(member)))
            .chain([(Name::new("delete"), oracle.any(who, &oracle.deleting(&who.role, entity), *id), false)])
            .collect();
        let mut new = false;
        facts.into_iter().for_each(|fact| new |= seen.insert(fact));
        // One of each pattern, and a second chance where the first row cannot be changed for reasons of its own.
        if new || rows.len() < 3 {
            rows.push(*id);
        }
    }
    rows
}

#[test]
fn every_member_is_written_by_exactly_the_roles_that_the_rules_name() {
    let server = probing();
    let mut oracle = Oracle::read(server.web());
    let model = oracle.model.clone();
    let matrix = Matrix::of(&model);
    let mut wrong = Vec::new();
    let (mut written, mut could, mut forged, mut refused) = (BTreeSet::new(), BTreeSet::new(), 0, 0);
    for (role, key) in everybody(&server).into_iter().filter_map(|(role, key)| Some((role, key?))) {
        let writer = Writer {
            server: &server,
            actor: server.sign_in(&key),
            who: who(&oracle, &server, &role, Some(&key)),
            role: role.clone(),
        };
        for entity in model.entities.values().filter(|entity| entity.persistable) {
            for member in entity.members() {
                let rules = oracle.by(&role, entity, member, true);
                let said = cell(&matrix, &role, LineKind::Member, &format!("{}.{member}", entity.name), "write");
                if (said == State::No) != rules.is_empty() {
                    wrong.push(format!("the matrix says {said:?}: {role} writes {}.{member}", entity.name));
                }
            }
            let fields = inputs(&oracle, &writer.page("Edit", entity));
            for id in telling_rows(&oracle, &writer.who, entity) {
                let mut page = writer.edit(entity, id);
                assert_eq!(page.status, 200, "{role} {}#{}", entity.name, id.0);
                for (member, field) in &fields {
                    let holds = oracle.any(&writer.who, &oracle.by(&role, entity, member, true), id) && !kept(entity, member);
                    let what = format!("{role} {}#{}.{member}", entity.name, id.0);
                    let control = page.html.controls.iter().find(|control| control.name == *field).cloned();
                    if holds && control.is_none() {
                        wrong.push(format!("{what} may be written and has no field"));
                    }
                    let Some(control) = control else {
                        forged += 1;
                        let status = forge(&page, field, "Probe");
                        if status.is_some_and(|status| !refuses(status)) {
                            wrong.push(format!("{what} has no field, and whoever sends one is answered {status:?}"));
                        }
                        continue;
                    };
                    if holds {
                        could.insert((role.clone(), entity.name.clone(), member.clone()));
                        if written.contains(&(role.clone(), entity.name.clone(), member.clone())) {
                            continue;
                        }
                    }
                    let kind = entity.member_kind(member).unwrap();
                    let own = writer.own_records(&oracle, &kind);
                    let offered = |value: &String| control.options.iter().any(|(option, _)| option == value);
                    let own = own.into_iter().filter(|value| offered(value) && *value != control.value);
                    for value in own.chain(candidates(&control, &kind).into_iter().take(6)) {
                        let status = send(&page, field, &value);
                        let after = oracle.reread(server.web(), &entity.name, id);
                        let before = &oracle.rows[&entity.name][&id];
                        let changed: Vec<&Name> = after
                            .iter()
                            .filter(|(name, value)| before[*name] != **value && !kept(entity, name))
                            .map(|(name, _)| name)
                            .collect();
                        match (holds, status) {
                            (_, 500..) => wrong.push(format!("{what} := {value:?}: {status}")),
                            (true, 303) if changed == [member] => {
                                written.insert((role.clone(), entity.name.clone(), member.clone()));
                            }
                            (false, 303) if !changed.is_empty() => wrong.push(format!("{what} is not writable and was written")),
                            (_, 303) if changed.is_empty() => {}
                            (_, 303) => wrong.push(format!("{what} := {value:?} changed {changed:?}")),
                            _ if !changed.is_empty() => wrong.push(format!("{what}: {status}, and yet {changed:?} changed")),
                            _ => refused += 1,
                        }
                        if !changed.is_empty() {
                            oracle.refresh(&entity.name, id, after);
                            if !oracle.any(&writer.who, &oracle.by(&role, entity, member, true), id) {
                                wrong.push(format!(
                                    "{what} := {value:?}: the changed row satisfies no rule that lets it be written"
                                ));
                            }
                            page = writer.edit(entity, id);
                            break;
                        }
                    }
                    // The change may have put the row out of reach.
                    if page.status != 200 {
                        break;
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences, among them\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    let never: Vec<String> =
        could.difference(&written).map(|(role, entity, member)| format!("{role} {entity}.{member}")).collect();
    assert_eq!(never, NEVER, "what a rule lets be written was never written");
    assert!(written.len() > 30 && forged > 200 && refused > 20, "{} {forged} {refused}", written.len());
}

/// Members that a rule lets be written and that hold the writer's own record or own draft: whatever else they are
/// changed to, the changed row would satisfy no rule, so the old value is the only one.
const NEVER: &[&str] = &[
    "Candidate hiring.Application.candidate",
    "Employee hr.ExpenseClaim.employee",
    "Employee hr.ExpenseLine.claim",
    "Employee hr.LeaveRequest.employee",
    "HrAdministrator hiring.InterviewNote.author",
    "HrAdministrator hr.LeaveRequest.employee",
    "Recruiter hiring.InterviewNote.author",
    "Recruiter hr.ExpenseClaim.employee",
    "Recruiter hr.ExpenseLine.claim",
    "Recruiter hr.LeaveRequest.employee",
];

fn send(page: &Page, field: &str, value: &str) -> u16 {
    let button = page.button("Save");
    let mut pairs = page.payload(button);
    pairs.retain(|(name, _)| name != field);
    if !value.is_empty() {
        pairs.push((field.to_owned(), value.to_owned()));
    }
    page.actor.post(&page.action(button), &pairs).status
}

/// A field too many, with all else as the page has it. `None` when the page has no form at all.
fn forge(page: &Page, field: &str, value: &str) -> Option<u16> {
    if page.has_button("Save") {
        return Some(send(page, field, value));
    }
    let state = page.hidden("_state")?;
    let csrf = page.hidden("_csrf")?;
    Some(page.actor.post(&page.url, &[("_csrf", csrf), ("_state", state), ("_do", "w1"), (field, value)]).status)
}

#[test]
fn objects_are_created_and_deleted_by_exactly_the_roles_that_the_rules_name() {
    let server = probing();
    let mut oracle = Oracle::read(server.web());
    let model = oracle.model.clone();
    let matrix = Matrix::of(&model);
    let (mut wrong, mut created, mut deleted) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (role, key) in everybody(&server) {
        let actor = key.as_deref().map_or_else(|| server.visitor(), |key| server.sign_in(key));
        let writer = Writer { server: &server, actor, who: who(&oracle, &server, &role, key.as_deref()), role: role.clone() };
        for entity in model.entities.values().filter(|entity| !entity.system) {
            for (operation, rules) in [("create", oracle.creating(&role, entity)), ("delete", oracle.deleting(&role, entity))] {
                let said = cell(&matrix, &role, LineKind::Entity, &entity.name.to_string(), operation);
                if (said == State::No) != rules.is_empty() {
                    wrong.push(format!("the matrix says {said:?}: {role} {operation} {}", entity.name));
                }
            }
            if entity.persistable && key.is_none() {
                continue;
            }
            let page = writer.actor.look(&format!("/p/{}", writer.page("New", entity)));
            let may = !oracle.creating(&role, entity).is_empty();
            let offered = page.shows("A new one");
            if offered != may {
                wrong.push(format!("{role} {}: a new one is offered {offered}, granted {may}", entity.name));
            }
            for (member, field) in inputs(&oracle, &writer.page("New", entity)) {
                let writable = may && !oracle.by(&role, entity, &member, true).is_empty() && !kept(entity, &member);
                let there = page.html.controls.iter().any(|control| control.name == field);
                if there && !writable {
                    wrong.push(format!("{role} new {}: {member} has a field", entity.name));
                }
            }
            if !entity.persistable {
                continue;
            }
            if may {
                create(&writer, &mut oracle, entity, &page, &mut created, &mut wrong);
            }
            delete(&writer, &mut oracle, entity, &mut deleted, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{} differences, among them\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    let names = |all: &BTreeSet<(Name, QName)>| all.iter().map(|(role, entity)| format!("{role} {entity}")).collect::<Vec<_>>();
    assert!(created.len() >= 8 && deleted.len() >= 4, "created {:?}, deleted {:?}", names(&created), names(&deleted));
}

fn create(
    writer: &Writer<'_>,
    oracle: &mut Oracle,
    entity: &Entity,
    page: &Page,
    done: &mut BTreeSet<(Name, QName)>,
    wrong: &mut Vec<String>,
) {
    let button = page.button("Save");
    let (role, name) = (&writer.role, &entity.name);
    let own = writer.own(oracle);
    for round in 0..4 {
        let mut pairs = page.payload(button);
        for (member, field) in inputs(oracle, &writer.page("New", entity)) {
            let Some(control) = page.html.controls.iter().find(|control| control.name == field) else { continue };
            let kind = entity.member_kind(&member).unwrap();
            let all = candidates(control, &kind);
            let mine = |value: &&String| match &kind {
                Kind::Object(target) => {
                    writer.server.web().app.keys.object(target, value).is_some_and(|id| own.contains(&(target.clone(), id)))
                }
                _ => false,
            };
            let value = all.iter().find(mine).or_else(|| all.get(round % all.len().max(1))).cloned();
            pairs.retain(|(known, _)| *known != field);
            pairs.extend(value.filter(|value| !value.is_empty()).map(|value| (field, value)));
        }
        let status = page.actor.post(&page.action(button), &pairs).status;
        let after = Oracle::read(writer.server.web());
        let new: Vec<ObjectId> = after.rows[name].keys().filter(|id| !oracle.rows[name].contains_key(id)).copied().collect();
        match (status, new.as_slice()) {
            (500.., _) => wrong.push(format!("{role} new {name}: {status}")),
            (303, [id]) => {
                if !after.any(&writer.who, &after.creating(role, entity), *id) {
                    wrong.push(format!("{role} made a {name} that no rule lets them create"));
                }
                done.insert((role.clone(), name.clone()));
                *oracle = after;
                return;
            }
            (303, _) => wrong.push(format!("{role} new {name}: {} rows", new.len())),
            (_, []) => {}
            (status, _) => wrong.push(format!("{role} new {name}: {status}, and yet there is one")),
        }
    }
}

impl Writer<'_> {
    /// Objects that lead to the writer's own account, one step or two.
    fn own(&self, oracle: &Oracle) -> BTreeSet<(QName, ObjectId)> {
        let mut own: BTreeSet<(QName, ObjectId)> = self.who.user.iter().map(|id| (QName::new("system", "User"), *id)).collect();
        for _ in 0..2 {
            for entity in oracle.model.entities.values().filter(|entity| entity.persistable) {
                for (id, row) in &oracle.rows[&entity.name] {
                    let leads = |(name, of): (&Name, &portcullis::model::Association)| {
                        !of.server && matches!(&row[name], Value::Object(to) if own.contains(&(of.target.clone(), *to)))
                    };
                    if entity.associations.iter().any(leads) && oracle.sees(&self.who, entity, *id) {
                        own.insert((entity.name.clone(), *id));
                    }
                }
            }
        }
        own
    }
}

fn delete(
    writer: &Writer<'_>,
    oracle: &mut Oracle,
    entity: &Entity,
    done: &mut BTreeSet<(Name, QName)>,
    wrong: &mut Vec<String>,
) {
    let (role, name) = (&writer.role, &entity.name);
    for id in telling_rows(oracle, &writer.who, entity) {
        let holds = oracle.any(&writer.who, &oracle.deleting(role, entity), id);
        let page = writer.edit(entity, id);
        let what = format!("{role} deletes {name}#{}", id.0);
        let status = match page.html.buttons.iter().find(|button| button.caption == "Delete") {
            Some(button) => page.actor.post(&page.action(button), &page.payload(button)).status,
            None if holds => {
                wrong.push(format!("{what}: there is no button"));
                continue;
            }
            None => {
                let acts = super::places::senders(&oracle.model, &writer.page("Edit", entity));
                let (button, _) = acts.iter().find(|(_, action)| matches!(action, portcullis::model::Action::Delete)).unwrap();
                let (csrf, state) = (page.hidden("_csrf").unwrap(), page.hidden("_state").unwrap_or("x"));
                page.actor.post(&page.url, &[("_csrf", csrf), ("_state", state), ("_do", button)]).status
            }
        };
        let gone = !oracle.exists(writer.server.web(), name, id);
        match (holds, status, gone) {
            (true, 303, true) => {
                done.insert((role.clone(), name.clone()));
                *oracle = Oracle::read(writer.server.web());
                return;
            }
            (true, 422, false) => {}
            (false, status, false) if refuses(status) => {}
            other => wrong.push(format!("{what}: {other:?}")),
        }
    }
}
