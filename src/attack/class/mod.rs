//! The classes of attack.

mod advisories;
mod buttons;
mod compared;
mod doors;
mod handles;
mod members;
mod operations;
mod questions;
mod refusals;
mod replays;
mod taken;
mod tampered;
mod unseen;
mod visitors;
pub(in crate::attack) mod worlds;
mod writes;

use super::AttackError;
use super::canary::Random;
use super::crew::{Attacker, Page};
use super::http::Answer;
use super::oracle::{Extra, Oracle, Who};
use super::probe::{self, MODULE, OBJECT};
use super::raid::Raid;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::{Action, ActivityKind, Deed, Entity, Model, WidgetKind, each_activity, each_widget};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

macro_rules! classes {
    ($($name:ident, $id:literal, $what:literal;)*) => {
        /// A class of attack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each says what it is in `what`")]
        pub enum Class { $($name),* }

        impl Class {
            /// All of them, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// The word for it, with which ids of attacks begin.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }
            /// What it is.
            pub fn what(self) -> &'static str {
                match self { $(Self::$name => $what),* }
            }
        }
    };
}

classes! {
    ForcedPages, "forced-pages", "every page, part of the administration, fragment and export asked for by its address";
    UnofferedButtons, "unoffered-buttons", "every button that is not offered, and every microflow, sent all the same";
    UnlistedOperations, "unlisted-operations", "methods, addresses and fields that no page names";
    ForeignHandles, "foreign-handles", "objects out of reach named in addresses, rows, selectors and arguments";
    SwappedHandles, "swapped-handles", "handles of one entity in the place of another, damaged ones, plain keys";
    HiddenMembers, "hidden-members", "every member that may not be written, added to a form that was offered, in front and behind";
    OldVersions, "old-versions", "forms drawn before somebody else's change, and forms sent twice";
    UnseenChanges, "unseen-changes", "buttons of pages that were drawn before somebody else changed what they act on";
    ReplayedState, "replayed-state", "sealed forms sent by another session, from another page, after signing out, altered";
    Questions, "questions", "filters, orders, searches, counts and sums about members and rows that are withheld";
    Compared, "compared", "the same questions over two sets of data that differ only in what may not be known";
    UniqueValues, "unique-values", "what a hidden object has where no two may have the same, sent as one's own: the refusal must not tell of the object";
    Tampered, "tampered", "parameters of wrong types, sizes, numbers and encodings";
    DoubleSubmits, "double-submits", "the same form sent twice at once";
    MovedRows, "moved-rows", "writes that would move a row out of or into reach, and new rows out of reach";
    Visitors, "visitors", "everything, asked and sent by somebody who did not sign in";
    GuestReadsUsers, "cve-2026-7891", "a role that holds nothing asks for every entity, the users first, on every channel";
    DeducedByConstraint, "icsa-22-069-13", "a hidden member is asked about and must be answered like one that never was";
    ErrorsWiden, "cve-2023-23835", "questions made to fail, which must not widen the answer";
    SystemMembers, "icsa-21-315-05", "members that the server keeps, asked about and sent";
    FirstMember, "cve-2021-33718", "a permitted first member followed by one that is not";
    CapturedState, "icsa-23-320-04", "the captured state of somebody else's page, with one's own token";
    BurstOfGuesses, "icsa-24-319-12", "a burst of passwords at once";
    CrossSite, "icsa-26-321-05", "requests of another site, for another host";
    LeadingPaths, "icsa-25-168-01", "paths that lead out of the project";
    SingleSignOn, "icsa-26-302-01", "assertions of a single sign-on, replayed";
    BooleanOracle, "strapi-cve-2026-27886", "a hidden text guessed letter by letter through filters and searches";
    RuleWithoutRole, "odoo-access-rights", "entities for which the role has no rule at all";
    LevelZero, "frappe-permission-levels", "members that no rule gives to anybody";
    ActionWithoutScope, "nocobase-actions", "microflows that no role may run";
    WithheldAsEmpty, "directus-fields", "withheld cells, which must be told apart from empty ones";
    MemberRuleBeside, "saltcorn-api", "rows in reach with members that are not, on every channel";
    EndedSessions, "pocketbase-sessions", "sessions after they were ended";
    BlankRows, "mendix-data-source", "rows out of reach must be absent from lists and from counts";
}

impl Class {
    /// The class of this id.
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.id() == id)
    }
}

/// Runs every class that is asked for.
pub(super) fn run(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for class in Class::ALL.iter().copied().filter(|class| *class != Class::BurstOfGuesses) {
        one(raid, class)?;
    }
    // Last: afterwards nobody can sign in from this address for a while.
    one(raid, Class::BurstOfGuesses)
}

fn one(raid: &mut Raid<'_>, class: Class) -> Result<(), AttackError> {
    if !raid.wants(class) {
        return Ok(());
    }
    match class {
        Class::ForcedPages => doors::forced(raid),
        Class::UnofferedButtons => buttons::unoffered(raid),
        Class::UnlistedOperations => operations::unlisted(raid),
        Class::ForeignHandles => handles::foreign(raid),
        Class::SwappedHandles => handles::swapped(raid),
        Class::HiddenMembers => members::hidden(raid),
        Class::OldVersions => replays::old_versions(raid),
        Class::UnseenChanges => unseen::changed(raid),
        Class::ReplayedState => replays::replayed(raid, Class::ReplayedState),
        Class::Questions => questions::about_hidden(raid),
        Class::Compared => compared::two_worlds(raid),
        Class::UniqueValues => taken::unique(raid),
        Class::Tampered => tampered::parameters(raid),
        Class::DoubleSubmits => replays::double(raid),
        Class::MovedRows => writes::moved(raid),
        Class::Visitors => visitors::everything(raid),
        Class::CapturedState => replays::replayed(raid, Class::CapturedState),
        Class::FirstMember => members::after_the_first(raid),
        Class::EndedSessions => replays::ended(raid),
        Class::SingleSignOn => {
            raid.skip(class, "there is one way to sign in, with a password");
            Ok(())
        }
        advisory => advisories::run(raid, advisory),
    }
}

/// A value of a plain kind for an argument.
pub(super) fn plain_value(model: &Model, kind: &Kind) -> Value {
    match kind {
        Kind::Text => Value::text("attack"),
        Kind::Boolean => Value::Boolean(true),
        Kind::Number(_) => Value::Integer(1),
        Kind::Enumeration(name) => {
            let first = model.enumerations.get(name).and_then(|found| found.values.keys().next());
            first.map_or(Value::Empty, |name| Value::text(name.as_str()))
        }
        _ => Value::Empty,
    }
}

/// The body without what it is referred to by: its own id, and on refusals the reference, which is that of another
/// request where several are recorded together.
fn unreferenced(answer: &Answer) -> String {
    const MARK: &str = "<p class=\"reference\">";
    let body = answer.body.replace(answer.header("x-request-id").unwrap_or("\u{0}"), "…");
    let Some((before, rest)) = body.split_once(MARK) else { return body };
    format!("{before}{}", rest.split_once("</p>").map_or("", |(_, after)| after))
}

/// The app's own pages.
fn own_pages(model: &Model) -> Vec<QName> {
    model.pages.keys().filter(|name| &*name.module != MODULE).cloned().collect()
}

/// Stored entities, `system.User` among them.
fn entities(model: &Model) -> Vec<Arc<Entity>> {
    model.entities.values().filter(|entity| entity.persistable).cloned().collect()
}

/// Buttons of a page that send: widget → what it does.
fn senders(model: &Model, page: &QName) -> BTreeMap<String, Action> {
    let mut all = BTreeMap::new();
    let Some(page) = model.pages.get(page) else { return all };
    each_widget(&page.content, &mut |widget| {
        if let WidgetKind::Button(button) = &widget.kind
            && !matches!(button.action, Action::Open(_))
        {
            all.insert(widget.id.clone(), button.action.clone());
        }
    });
    all
}

/// Member → the widget for it, on one of the attack's pages.
fn fields(model: &Model, page: &QName) -> BTreeMap<Name, String> {
    let mut all = BTreeMap::new();
    let Some(page) = model.pages.get(page) else { return all };
    each_widget(&page.content, &mut |widget| match &widget.kind {
        WidgetKind::Input(input) => drop(all.insert(input.member.clone(), widget.id.clone())),
        WidgetKind::Reference(reference) => drop(all.insert(reference.member.clone(), widget.id.clone())),
        _ => {}
    });
    all
}

/// The widget of the button that saves (or deletes, or runs) on one of the attack's pages.
fn act_of(model: &Model, page: &QName, is: impl Fn(&Action) -> bool) -> Option<String> {
    senders(model, page).into_iter().find(|(_, action)| is(action)).map(|(id, _)| id)
}

fn saves(action: &Action) -> bool {
    matches!(action, Action::Save { .. })
}

/// The address of the form for an object.
fn form_of(raid: &Raid<'_>, entity: &QName, id: ObjectId) -> String {
    format!("/p/{}?{OBJECT}={}", probe::page_of("Form", entity), raid.handle(entity, id))
}

/// Rows that between them have every rule of the role hold and not hold, in reach or not.
fn telling(oracle: &Oracle<'_>, who: &Who, entity: &Entity, in_reach: bool, most: usize) -> Vec<ObjectId> {
    let Some(own) = oracle.model.entities.get(&entity.name) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for id in oracle.world.ids(&entity.name).into_iter().filter(|id| oracle.sees(who, own, *id) == in_reach) {
        let pattern: Vec<bool> = oracle.rules(&who.role, own).iter().map(|rule| oracle.holds(who, rule, id)).collect();
        if seen.insert(pattern) && rows.len() < most {
            rows.push(id);
        }
    }
    rows
}

/// What the flows declare that an act may run: those that it names, those that they call, and those that handle events
/// of what they write.
fn declared(model: &Model, first: Option<&QName>, written: Option<&QName>) -> Extra {
    let mut extra = Extra::new();
    let mut open: Vec<QName> = first.into_iter().cloned().collect();
    open.extend(written.into_iter().flat_map(|entity| handlers(model, entity)));
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(flow) = model.microflows.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
        for (entity, rules) in &flow.elevation {
            extra.entry(entity.clone()).or_default().extend(rules.iter().cloned());
        }
        each_activity(&flow.body, &mut |activity| match &activity.kind {
            ActivityKind::Call { microflow, .. } => open.push(microflow.clone()),
            ActivityKind::Create { entity, .. } | ActivityKind::Change { entity, .. } | ActivityKind::Delete { entity, .. } => {
                open.extend(handlers(model, entity));
            }
            _ => {}
        });
    }
    extra
}

fn handlers(model: &Model, entity: &QName) -> Vec<QName> {
    let all = model.entities.get(entity).map(|entity| entity.handlers.clone()).unwrap_or_default();
    all.into_iter()
        .filter(|handler| matches!(handler.deed, Deed::Create | Deed::Commit | Deed::Delete))
        .map(|handler| handler.microflow)
        .collect()
}

/// The fields of a form that was offered, with the button that saves it; `None` when it is not offered.
fn offered(page: &Page, save: &str) -> Option<Vec<(String, String)>> {
    let button = page.button(save)?;
    let mut pairs = page.payload(&button.form);
    pairs.push(("_do".into(), button.value.clone()));
    Some(pairs)
}

/// The most truthful form for sending a button that is not offered.
fn forged(attacker: &Attacker, page: &Page, act: &str) -> Vec<(String, String)> {
    let state = page.state(None).unwrap_or("x").to_owned();
    vec![
        ("_csrf".into(), attacker.csrf.clone()),
        ("_state".into(), state),
        ("_do".into(), act.to_owned()),
        ("_confirmed".into(), "yes".into()),
    ]
}

/// Everybody who signed in.
fn crew(raid: &Raid<'_>) -> Vec<Rc<Attacker>> {
    raid.crew.clone()
}

/// Another value for a field, as a browser sends it.
fn another(raid: &Raid<'_>, entity: &Entity, member: &Name, is: &Value) -> Vec<String> {
    let model = raid.model.clone();
    let Some(kind) = entity.member_kind(member) else { return Vec::new() };
    let now = raid.instance.now.date();
    let all: Vec<String> = match &kind {
        Kind::Text if entity.attributes.get(member).is_some_and(|attribute| attribute.email) => {
            vec!["attack@canary.example".into()]
        }
        Kind::Text => {
            let others = raid.world.rows.get(&entity.name).into_iter().flat_map(|rows| rows.values());
            let shaped = others.filter_map(|row| row.values.get(member)?.as_text().map(str::to_owned)).next();
            let plain = "Attack".to_owned();
            let patterned = entity.attributes.get(member).is_some_and(|attribute| attribute.pattern.is_some());
            vec![if patterned { shaped.unwrap_or(plain) } else { plain }]
        }
        Kind::Number(_) => vec!["1".into(), "2".into()],
        Kind::Boolean => vec![if is.holds() { String::new() } else { "true".into() }],
        Kind::Date => vec![(now - chrono::Days::new(3)).to_string(), (now + chrono::Days::new(40)).to_string()],
        Kind::DateTime => vec![format!("{}T10:00", now - chrono::Days::new(2))],
        Kind::Enumeration(name) => {
            let values = model.enumerations.get(name);
            values.into_iter().flat_map(|found| found.values.keys()).map(ToString::to_string).collect()
        }
        Kind::Object(target) => {
            let ids = raid.world.ids(target);
            // The same ones whatever else is tried: an attack that is run alone again must be the same.
            let mut random = Random::about(raid.seed(), &format!("{}.{member}", entity.name));
            let mut chosen: BTreeSet<ObjectId> = BTreeSet::new();
            (0..4).for_each(|_| chosen.extend(random.pick(&ids)));
            // What it leads to already would change nothing.
            chosen.into_iter().filter(|id| is.as_object() != Some(*id)).map(|id| raid.handle(target, id)).collect()
        }
        _ => Vec::new(),
    };
    all.into_iter().filter(|text| *text != is.canonical()).collect()
}
