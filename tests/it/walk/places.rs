//! Pages and microflows: what opens, what is offered, and what happens to whoever sends what was not offered.

use super::oracle::{Oracle, Who};
use super::probe::argument;
use super::reading::cell;
use super::{everybody, probing, who};
use crate::support::actor::{Actor, Page};
use crate::support::server::Server;
use portcullis::access::matrix::{LineKind, Matrix, State};
use portcullis::domain::{Name, ObjectId, QName};
use portcullis::model::{Action, Model, WidgetKind, each_widget};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody of a role, with a browser.
struct Visitor {
    actor: Actor,
    who: Who,
    csrf: String,
}

fn enter(server: &Server, oracle: &Oracle, role: &Name, key: Option<&str>) -> Visitor {
    let actor = key.map_or_else(|| server.visitor(), |key| server.sign_in(key));
    let home = actor.open("/");
    assert_eq!(home.status, 200, "{role}: {}", home.html.text);
    let csrf = home.hidden("_csrf").unwrap().to_owned();
    Visitor { actor, who: who(oracle, server, role, key), csrf }
}

/// Addresses of a page, each with whether its objects are there for somebody.
fn addresses(server: &Server, oracle: &Oracle, who: &Who, page: &QName) -> Vec<(String, bool)> {
    let found = &oracle.model.pages[page];
    let mut all = vec![(Vec::<String>::new(), true)];
    for (name, entity) in &found.parameters {
        let of = &oracle.model.entities[entity];
        let mut choices: Vec<(String, bool)> = Vec::new();
        if of.persistable {
            let rows = &oracle.rows[entity];
            let mut add = |wanted: bool, most: usize| {
                let ids = rows.keys().filter(|id| oracle.sees(who, of, **id) == wanted).take(most);
                choices.extend(ids.map(|id| (server.handle(&entity.to_string(), id.0), wanted)));
            };
            add(true, 2);
            add(false, 1);
            choices.push((server.handle(&entity.to_string(), 999_999), false));
            choices.push((server.handle("hr.Nothing", 1), false));
        } else {
            choices.push(("~x".into(), false));
        }
        all = all
            .into_iter()
            .flat_map(|(pairs, there)| {
                choices.iter().map(move |(handle, seen)| {
                    let mut pairs = pairs.clone();
                    pairs.push(format!("{name}={handle}"));
                    (pairs, there && *seen)
                })
            })
            .collect();
    }
    all.into_iter()
        .map(|(pairs, there)| (format!("/p/{page}{}{}", if pairs.is_empty() { "" } else { "?" }, pairs.join("&")), there))
        .collect()
}

/// The page that a link of ours leads to.
fn target(href: &str) -> Option<QName> {
    QName::parse(href.strip_prefix("/p/")?.split('?').next()?)
}

#[test]
fn every_page_opens_for_exactly_the_roles_of_the_matrix() {
    let server = probing();
    let oracle = Oracle::read(server.web());
    let matrix = Matrix::of(&oracle.model);
    let (mut wrong, mut opened, mut met) = (Vec::new(), 0, BTreeSet::new());
    for (role, key) in everybody(&server) {
        let visitor = enter(&server, &oracle, &role, key.as_deref());
        for page in oracle.model.pages.keys() {
            let may = oracle.opens(&role, page);
            let said = cell(&matrix, &role, LineKind::Page, &page.to_string(), "open");
            if (said == State::Yes) != may || said == State::Conditional {
                wrong.push(format!("the matrix says {said:?}, the model {may}: {role} {page}"));
            }
            // A shut door is shut whatever stands behind it: one address is enough.
            let most = if may { usize::MAX } else { 1 };
            for (url, there) in addresses(&server, &oracle, &visitor.who, page).into_iter().take(most) {
                let expected = match (may, key.is_some()) {
                    (true, _) if there => 200,
                    (true, _) => 404,
                    (false, true) => 403,
                    (false, false) => 303,
                };
                let got = visitor.actor.look(&url);
                // Where a role reads nothing of a parameter's entity, the door is shut, not empty.
                let shut = may && !there && got.status == 403 && closed(&oracle, &role, page);
                if got.status != expected && !shut {
                    wrong.push(format!("{role} {url}: {} in place of {expected}", got.status));
                }
                if !may {
                    let sent = visitor.actor.post(&url, &[("_csrf", visitor.csrf.as_str()), ("_do", "w1"), ("_state", "x")]);
                    if sent.status != expected {
                        wrong.push(format!("{role} sends to {url}: {} in place of {expected}", sent.status));
                    }
                }
                if got.status == 200 {
                    opened += 1;
                    kinds(&oracle.model, page, &mut met);
                    let doors = got.html.links.iter().filter_map(|(href, _)| target(href));
                    wrong.extend(doors.filter(|to| !oracle.opens(&role, to)).map(|to| format!("{role} {url} leads to {to}")));
                }
            }
        }
        for unknown in ["/p/hr.Nowhere", "/p/nothing", "/p/hr.Employees.x", "/p/"] {
            let status = visitor.actor.get(unknown).status;
            if !matches!(status, 404 | 303) || status == 303 && key.is_some() {
                wrong.push(format!("{role} {unknown}: {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences, among them\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    assert!(opened > 150, "{opened}");
    assert_eq!(met, BTreeSet::from(KINDS), "a kind of widget was not walked");
}

fn closed(oracle: &Oracle, role: &Name, page: &QName) -> bool {
    let entities = oracle.model.pages[page].parameters.values();
    entities.map(|name| &oracle.model.entities[name]).any(|entity| oracle.readable(role, entity).is_empty())
}

const KINDS: [&str; 15] = [
    "alert",
    "badge",
    "button",
    "columns",
    "container",
    "data grid",
    "data view",
    "heading",
    "input",
    "list view",
    "reference",
    "snippet",
    "stat",
    "tabs",
    "text",
];

/// The kinds of widget on a page. A kind that is added to the language must be added here, and then be walked.
fn kinds(model: &Model, page: &QName, into: &mut BTreeSet<&'static str>) {
    each_widget(&model.pages[page].content, &mut |widget| {
        into.insert(match &widget.kind {
            WidgetKind::Container { .. } => "container",
            WidgetKind::Columns(_) => "columns",
            WidgetKind::Tabs(_) => "tabs",
            WidgetKind::Snippet { .. } => "snippet",
            WidgetKind::Heading { .. } => "heading",
            WidgetKind::Text { .. } => "text",
            WidgetKind::Badge { .. } => "badge",
            WidgetKind::Alert { .. } => "alert",
            WidgetKind::DataView(_) => "data view",
            WidgetKind::DataGrid(_) => "data grid",
            WidgetKind::ListView(_) => "list view",
            WidgetKind::Input(_) => "input",
            WidgetKind::Reference(_) => "reference",
            WidgetKind::Stat(_) => "stat",
            WidgetKind::Button(_) => "button",
        });
    });
}

/// Buttons of a page that send: widget id → what it does.
pub fn senders(model: &Model, page: &QName) -> BTreeMap<String, Action> {
    let mut all = BTreeMap::new();
    each_widget(&model.pages[page].content, &mut |widget| {
        if let WidgetKind::Button(button) = &widget.kind
            && !matches!(button.action, Action::Open(_))
        {
            all.insert(widget.id.clone(), button.action.clone());
        }
    });
    all
}

/// Whether an answer refuses: nothing was done, and the client is told that it is at fault.
pub fn refuses(status: u16) -> bool {
    matches!(status, 400 | 403 | 404 | 409)
}

/// Sends a button that is not offered, with the most truthful state the page gives.
fn forge(visitor: &Visitor, page: &Page, act: &str) -> u16 {
    let mut last = 0;
    let states: Vec<String> =
        page.html.controls.iter().filter(|c| c.name == "_state").map(|c| c.value.clone()).chain(["x".to_owned()]).collect();
    for state in states {
        let pairs = [("_csrf", visitor.csrf.as_str()), ("_state", &state), ("_do", act), ("_confirmed", "yes")];
        last = visitor.actor.post(&page.url, &pairs).status;
        if !refuses(last) {
            return last;
        }
    }
    last
}

#[test]
fn a_microflow_is_offered_to_exactly_the_roles_of_the_matrix_and_runs_for_nobody_else() {
    let server = probing();
    let oracle = Oracle::read(server.web());
    let model = oracle.model.clone();
    let matrix = Matrix::of(&model);
    let (mut wrong, mut offered_at_all, mut forged) = (Vec::new(), BTreeSet::new(), 0);
    for (role, key) in everybody(&server) {
        let visitor = enter(&server, &oracle, &role, key.as_deref());
        let name = QName::new("probe", format!("Flows{role}").as_str());
        let page = visitor.actor.look(&format!("/p/{name}"));
        let acts = senders(&model, &name);
        for flow in model.microflows.values() {
            let may = oracle.runs(&role, &flow.name);
            let said = cell(&matrix, &role, LineKind::Microflow, &flow.name.to_string(), "run");
            if (said == State::Yes) != may {
                wrong.push(format!("the matrix says {said:?}, the model {may}: {role} {}", flow.name));
            }
            let Some(object) = argument(flow) else {
                assert!(!may, "{role} may run {} and no page of this test has a button for it", flow.name);
                continue;
            };
            let reachable = match object.map(|name| &model.entities[name]) {
                None => true,
                Some(of) if of.persistable => oracle.rows[&of.name].keys().any(|id| oracle.sees(&visitor.who, of, *id)),
                Some(of) => !oracle.creating(&role, of).is_empty(),
            };
            let offered = page.has_button(&format!("Run {}", flow.name));
            if offered != (may && reachable) {
                wrong.push(format!("{role} {}: offered {offered}, granted {may}, an object in reach {reachable}", flow.name));
            }
            if offered {
                offered_at_all.insert(flow.name.clone());
                continue;
            }
            let ids =
                acts.iter().filter(|(_, action)| matches!(action, Action::Run { microflow, .. } if *microflow == flow.name));
            for (id, _) in ids {
                let entity = object.map_or("hr.Employee".to_owned(), ToString::to_string);
                let object = object
                    .and_then(|name| oracle.rows.get(name))
                    .and_then(|rows| rows.keys().next())
                    .copied()
                    .unwrap_or(ObjectId(1));
                for act in [id.clone(), format!("{id}:{}:1", server.handle(&entity, object.0))] {
                    let status = forge(&visitor, &page, &act);
                    forged += 1;
                    if !refuses(status) {
                        wrong.push(format!("{role} forges {} and is answered {status}", flow.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences, among them\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    let never: Vec<_> =
        model.microflows.values().filter(|flow| !flow.roles.is_empty() && !offered_at_all.contains(&flow.name)).collect();
    assert!(never.is_empty(), "never offered: {:?}", never.iter().map(|flow| &flow.name).collect::<Vec<_>>());
    assert!(forged > 200, "{forged}");
    assert!(!server.log().iter().any(|line| line.contains("Fault") || line.contains("panic")), "{:?}", server.log());
}

/// On the app's own pages: every button that is there may be used, every other is refused.
#[test]
fn on_every_page_the_buttons_are_the_callers_and_forged_ones_are_refused() {
    let server = probing();
    let oracle = Oracle::read(server.web());
    let model = oracle.model.clone();
    let (mut wrong, mut offered, mut forged) = (Vec::new(), 0, 0);
    for (role, key) in everybody(&server) {
        let visitor = enter(&server, &oracle, &role, key.as_deref());
        for name in model.pages.keys().filter(|name| &*name.module != "probe" && oracle.opens(&role, name)) {
            for (url, _) in addresses(&server, &oracle, &visitor.who, name).into_iter().filter(|(_, there)| *there) {
                let page = visitor.actor.look(&url);
                let there: BTreeSet<String> =
                    page.html.buttons.iter().map(|b| b.value.split(':').next().unwrap().to_owned()).collect();
                for (id, action) in senders(&model, name) {
                    let granted = match &action {
                        Action::Run { microflow, .. } => oracle.runs(&role, microflow),
                        Action::Save { .. } | Action::Cancel | Action::Delete => true,
                        Action::Open(_) => unreachable!("a link is no button that sends"),
                    };
                    if there.contains(&id) {
                        offered += 1;
                        if !granted {
                            wrong.push(format!("{role} {url}: {id} is offered and not granted"));
                        }
                        continue;
                    }
                    forged += 1;
                    let status = forge(&visitor, &page, &id);
                    // To leave a page needs no right and changes nothing.
                    if !refuses(status) && !matches!(action, Action::Cancel) {
                        wrong.push(format!("{role} {url}: {id} is not offered, and whoever sends it is answered {status}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences, among them\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    assert!(offered > 60 && forged > 20, "{offered} {forged}");
}
