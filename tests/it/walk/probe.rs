//! The probing copy of an app: the same model, and for each user role pages that ask for everything.
//!
//! Written from the model itself, so that a new entity, member, flow or role is asked for without a line here.

use super::oracle::Oracle;
use crate::support::server::copy;
use portcullis::domain::{Kind, Name, QName};
use portcullis::model::{Entity, Microflow, Model};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// `hr.Employee` → `hrEmployee`, for names of pages.
pub fn joined(name: &QName) -> String {
    format!("{}{}", name.module, name.name)
}

/// The flow that may read all is a job's, so that the database is told of its rights; its hour never comes.
const EVENT: &str = "scheduledEvents:\n  Everything: {daily: \"23:59\", run: Everything}\n";

/// Copies an app and adds the module `probe`.
pub fn copy_of(app: &Path, model: &Model, folder: &Path) {
    copy(app, folder);
    let file = folder.join("app.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut out = String::new();
    let mut role = None;
    for line in text.lines() {
        let mut line = line.to_owned();
        if let Some(list) = line.strip_prefix("modules: [") {
            line = format!("modules: [{}, probe]", list.trim_end_matches(']'));
        }
        let named = line.trim_start().split(':').next().unwrap_or_default().to_owned();
        if model.user_roles.contains_key(named.as_str()) {
            role = Some(named);
        }
        if let (Some(at), Some(name)) = (line.find("moduleRoles: ["), &role) {
            let begin = at + "moduleRoles: [".len();
            let comma = if line[begin..].starts_with(']') { "" } else { ", " };
            line.insert_str(begin, &format!("probe.{name}{comma}"));
            role = None;
        }
        out.push_str(&line);
        out.push('\n');
    }
    std::fs::write(&file, out).unwrap();
    let module = folder.join("probe");
    std::fs::create_dir_all(module.join("pages")).unwrap();
    std::fs::create_dir_all(module.join("microflows")).unwrap();
    let roles: Vec<String> = model.user_roles.keys().map(|role| format!("{role}: Probes")).collect();
    std::fs::write(module.join("module.yaml"), format!("roles: {{{}}}\n{EVENT}", roles.join(", "))).unwrap();
    std::fs::write(module.join("domain.yaml"), "entities: {}\n").unwrap();
    std::fs::write(module.join("microflows/Everything.yaml"), everything(model)).unwrap();
    let oracle = Oracle::without_data(model);
    for role in model.user_roles.keys() {
        for (name, text) in pages(&oracle, role) {
            std::fs::write(module.join(format!("pages/{name}.yaml")), text).unwrap();
        }
    }
}

/// A flow that may read all there is; nobody may run it but the clock.
fn everything(model: &Model) -> String {
    let mut text = String::from("roles: []\napplyEntityAccess: false\nelevation:\n");
    for entity in model.entities.values().filter(|entity| entity.persistable) {
        let members: Vec<&str> = entity.members().map(Name::as_str).collect();
        writeln!(text, "  - {{entity: {}, read: [{}], doc: All}}", entity.name, members.join(", ")).unwrap();
    }
    text + "do:\n  - log: {node: probe, level: info, text: Nothing}\n"
}

/// Name → text of the pages of one role.
fn pages(oracle: &Oracle, role: &Name) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let anonymous = oracle.model.user_roles[role].anonymous;
    for entity in oracle.model.entities.values() {
        // A page of the anonymous role that shows stored objects does not pass the check: shown elsewhere.
        if anonymous && entity.persistable {
            continue;
        }
        let short = joined(&entity.name);
        let members = oracle.readable(role, entity);
        if entity.persistable {
            all.insert(format!("List{role}{short}"), list(role, entity, &members));
            all.insert(format!("Edit{role}{short}"), edit(oracle, role, entity, &members));
        }
        if !entity.system {
            all.insert(format!("New{role}{short}"), new(oracle, role, entity, &members));
        }
    }
    all.insert(format!("Flows{role}"), flows(oracle, role, anonymous));
    all.insert(format!("Snapshots{role}"), snapshots(oracle, role));
    all
}

fn head(role: &Name) -> String {
    format!("title: Probe\nlayout: app\nroles: [{role}]\n")
}

fn list(role: &Name, entity: &Entity, members: &[Name]) -> String {
    let mut text = head(role);
    if members.is_empty() {
        write!(
            text,
            "content:\n  - listView:\n      source: {{entity: {}}}\n      content: [{{text: {{value: A row}}}}]\n",
            entity.name
        )
        .unwrap();
        return text;
    }
    write!(text, "content:\n  - dataGrid:\n      source: {{entity: {}}}\n      pageSize: 100\n", entity.name).unwrap();
    let page = format!("Edit{role}{}", joined(&entity.name));
    write!(text, "      opens: {{page: {page}, with: {{Object: this}}}}\n      columns:\n").unwrap();
    for member in members {
        if entity.associations.contains_key(member) {
            let many = matches!(entity.member_kind(member), Some(Kind::List(_)));
            let set = if many { format!("exists(this.{member})") } else { format!("this.{member} != empty") };
            writeln!(text, "        - {{text: \"{{if({set}, 'set', 'none')}}\", title: {member}}}").unwrap();
        } else {
            writeln!(text, "        - {{show: {member}, title: {member}}}").unwrap();
        }
    }
    let attributes: Vec<&str> = members.iter().filter(|m| entity.attributes.contains_key(*m)).map(Name::as_str).collect();
    if !attributes.is_empty() {
        writeln!(text, "      filters: [{}]", attributes.join(", ")).unwrap();
    }
    text
}

/// Inputs for all members that can have one.
fn inputs(oracle: &Oracle, role: &Name, entity: &Entity, members: &[Name], indent: &str) -> String {
    let mut text = String::new();
    for member in members {
        match entity.associations.get(member) {
            None => writeln!(text, "{indent}- input: {{member: {member}, label: {member}}}").unwrap(),
            Some(association) => {
                let target = &oracle.model.entities[&association.target];
                let shown = oracle.readable(role, target).into_iter().find(|name| target.attributes.contains_key(name));
                let many = matches!(entity.member_kind(member), Some(Kind::List(_)));
                if let (Some(shown), false) = (shown, many) {
                    writeln!(text, "{indent}- reference: {{member: {member}, show: {shown}, label: {member}}}").unwrap();
                }
            }
        }
    }
    text
}

fn edit(oracle: &Oracle, role: &Name, entity: &Entity, members: &[Name]) -> String {
    let mut text = head(role);
    write!(
        text,
        "parameters: {{Object: {}}}\ncontent:\n  - dataView:\n      source: {{parameter: Object}}\n      content:\n",
        entity.name
    )
    .unwrap();
    text.push_str(&inputs(oracle, role, entity, members, "        "));
    text.push_str("        - text: {value: An object}\n");
    if entity.system {
        return text;
    }
    text + "        - button: {caption: Save, save: {then: stay}}\n        - button: {caption: Delete, delete: {}}\n"
}

fn new(oracle: &Oracle, role: &Name, entity: &Entity, members: &[Name]) -> String {
    let mut text = head(role);
    write!(text, "content:\n  - dataView:\n      source: {{new: {}, set: {{}}}}\n      content:\n", entity.name).unwrap();
    text.push_str("        - text: {value: A new one}\n");
    text.push_str(&inputs(oracle, role, entity, members, "        "));
    if entity.persistable {
        text.push_str("        - button: {caption: Save, save: {then: stay}}\n");
    }
    text
}

/// A button for every flow that takes at most one object.
fn flows(oracle: &Oracle, role: &Name, anonymous: bool) -> String {
    let mut text = head(role) + "content:\n  - text: {value: Flows}\n";
    for flow in oracle.model.microflows.values() {
        let Some(object) = argument(flow) else { continue };
        let with: Vec<String> = flow
            .parameters
            .iter()
            .map(|(name, kind)| match kind {
                Kind::Object(_) => format!("{name}: this"),
                Kind::Boolean => format!("{name}: \"true\""),
                Kind::Text => format!("{name}: \"'probe'\""),
                other => panic!("{}: a parameter of kind {other:?} needs a value here", flow.name),
            })
            .collect();
        let button = format!(
            "button: {{caption: \"Run {}\", run: {{microflow: {}, with: {{{}}}}}}}",
            flow.name,
            flow.name,
            with.join(", ")
        );
        match object.map(|name| &oracle.model.entities[name]) {
            None => writeln!(text, "  - {button}").unwrap(),
            Some(entity) if entity.persistable && anonymous => {}
            Some(entity) if entity.persistable => {
                write!(
                    text,
                    "  - listView:\n      source: {{entity: {}}}\n      pageSize: 1\n      content: [{{{button}}}]\n",
                    entity.name
                )
                .unwrap();
            }
            Some(entity) => {
                write!(text, "  - dataView:\n      source: {{new: {}, set: {{}}}}\n      content: [{{{button}}}]\n", entity.name)
                    .unwrap();
            }
        }
    }
    text
}

/// A list for every public snapshot.
fn snapshots(oracle: &Oracle, role: &Name) -> String {
    let mut text = head(role) + "content:\n  - text: {value: Snapshots}\n";
    for name in oracle.model.snapshots.keys() {
        write!(
            text,
            "  - listView:\n      source: {{snapshot: {name}}}\n      content: [{{text: {{value: \"One of {name}\"}}}}]\n"
        )
        .unwrap();
    }
    text
}

/// The one object that a flow takes: `None` when it takes several, `Some(None)` when none.
pub fn argument(flow: &Microflow) -> Option<Option<&QName>> {
    let mut objects = flow.parameters.values().filter_map(|kind| match kind {
        Kind::Object(entity) => Some(entity),
        _ => None,
    });
    let first = objects.next();
    objects.next().is_none().then_some(first)
}
