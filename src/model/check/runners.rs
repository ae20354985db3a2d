//! In whose name each microflow runs: roles that start it from a page, roles whose writes it handles,
//! and nobody, for what the server starts by itself. A call passes on who runs.

use super::super::types::*;
use super::closure::{each_activity, each_widget};
use crate::domain::{Name, QName};
use crate::expr::{Node, Typed};
use std::collections::{BTreeMap, BTreeSet};

/// In whose name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Runner {
    /// A person of this user role.
    Role(Name),
    /// The server by itself.
    Nobody,
}

/// Flow → who runs it → whether what it shows is shown.
pub(super) type Runners = BTreeMap<QName, BTreeMap<Runner, bool>>;

/// Whether a guardrail denies something to a role.
pub(super) fn guarded(model: &Model, runner: &Runner, deny: &Deny) -> bool {
    let Runner::Role(role) = runner else { return false };
    model.guardrails.iter().any(|rail| rail.user_roles.contains(role) && rail.denies.contains(deny))
}

/// What a condition comes to for a runner, where that alone decides.
pub(super) fn folded(condition: &Typed, runner: &Runner) -> Option<bool> {
    match (&condition.node, runner) {
        (Node::Literal(value), _) => Some(value.holds()),
        (Node::HasRole(name), Runner::Role(role)) => Some(name == role),
        (Node::HasRole(_) | Node::SignedIn, Runner::Nobody) => Some(false),
        (Node::Not(a), _) => folded(a, runner).map(|a| !a),
        (Node::And(a, b), _) => match (folded(a, runner), folded(b, runner)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        (Node::Or(a, b), _) => match (folded(a, runner), folded(b, runner)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Visits what a runner can come to.
pub(super) fn each_reached<'a>(body: &'a [Activity], runner: &Runner, see: &mut dyn FnMut(&'a Activity)) {
    for activity in body {
        see(activity);
        match &activity.kind {
            ActivityKind::Decide { condition, then, otherwise } => {
                let known = folded(condition, runner);
                if known != Some(false) {
                    each_reached(then, runner, see);
                }
                if known != Some(true) {
                    each_reached(otherwise, runner, see);
                }
            }
            ActivityKind::Loop { body, .. } => each_reached(body, runner, see),
            _ => {}
        }
    }
}

/// The handlers around a write.
pub(super) fn handlers<'m>(model: &'m Model, entity: &QName, deleted: bool) -> impl Iterator<Item = &'m QName> {
    let all = model.entities.get(entity).map(|entity| entity.handlers.as_slice()).unwrap_or_default();
    all.iter().filter(move |handler| (handler.deed == Deed::Delete) == deleted).map(|handler| &handler.microflow)
}

/// Who runs what.
pub(super) fn runners(model: &Model) -> Runners {
    let mut todo: Vec<(QName, Runner, bool)> = Vec::new();
    for flow in model.microflows.values() {
        let roles = model.user_roles.iter().filter(|(_, role)| !role.module_roles.is_disjoint(&flow.roles));
        let may = roles.map(|(name, _)| Runner::Role(name.clone()));
        let may = may.filter(|runner| !guarded(model, runner, &Deny::Run(flow.name.clone())));
        todo.extend(may.map(|runner| (flow.name.clone(), runner, true)));
    }
    let after = model.registration.iter().filter_map(|registration| registration.after.as_ref());
    let jobs = model.schedule.iter().map(|event| &event.microflow).chain(after);
    todo.extend(jobs.map(|name| (name.clone(), Runner::Nobody, false)));
    todo.extend(handled_by_pages(model));
    let mut out = Runners::new();
    while let Some((name, runner, shown)) = todo.pop() {
        let known = out.entry(name.clone()).or_default();
        if known.get(&runner).is_some_and(|before| *before || !shown) {
            continue;
        }
        known.insert(runner.clone(), shown);
        let Some(flow) = model.microflows.get(&name) else { continue };
        each_reached(&flow.body, &runner, &mut |activity| match &activity.kind {
            ActivityKind::Call { microflow, .. } if !guarded(model, &runner, &Deny::Run(microflow.clone())) => {
                todo.push((microflow.clone(), runner.clone(), shown));
            }
            ActivityKind::Create { entity, .. } | ActivityKind::Change { entity, .. } => {
                todo.extend(handlers(model, entity, false).map(|name| (name.clone(), runner.clone(), false)));
            }
            ActivityKind::Delete { entity, .. } => {
                todo.extend(handlers(model, entity, true).map(|name| (name.clone(), runner.clone(), false)));
            }
            _ => {}
        });
    }
    out
}

/// Handlers around what roles write with the forms of their pages.
fn handled_by_pages(model: &Model) -> Vec<(QName, Runner, bool)> {
    let mut out = Vec::new();
    for page in model.pages.values() {
        let roles = model.user_roles.iter().filter(|(_, role)| !role.module_roles.is_disjoint(&page.roles));
        let roles: Vec<(&Name, &UserRole)> = roles.collect();
        each_widget(&page.content, &mut |widget| {
            let WidgetKind::DataView(view) = &widget.kind else { return };
            let Some(entity) = model.entities.get(&view.entity) else { return };
            for (deleted, pressed) in written(&view.content) {
                let grants = |role: &UserRole| {
                    let theirs = entity.rules.iter().filter(|rule| !rule.roles.is_disjoint(&role.module_roles));
                    theirs.into_iter().any(|rule| if deleted { rule.delete } else { rule.create || !rule.write.is_empty() })
                };
                for (name, _) in roles.iter().filter(|(_, role)| pressed && grants(role)) {
                    let runner = Runner::Role((*name).clone());
                    out.extend(handlers(model, &view.entity, deleted).map(|flow| (flow.clone(), runner.clone(), false)));
                }
            }
        });
    }
    out
}

/// Whether a form writes, and whether it deletes.
fn written(content: &[Widget]) -> [(bool, bool); 2] {
    let (mut saves, mut deletes) = (false, false);
    each_widget(content, &mut |widget| {
        if let WidgetKind::Button(button) = &widget.kind {
            saves |= matches!(button.action, Action::Save { .. } | Action::Run { .. });
            deletes |= matches!(button.action, Action::Delete);
        }
    });
    [(false, saves), (true, deletes)]
}

/// Flow → the entities whose objects it may write, by itself, by what it calls, and by handlers.
pub(super) fn writes(model: &Model) -> BTreeMap<QName, BTreeSet<QName>> {
    let mut out: BTreeMap<QName, BTreeSet<QName>> = BTreeMap::new();
    loop {
        let before: usize = out.values().map(BTreeSet::len).sum();
        for flow in model.microflows.values() {
            let mut found = out.get(&flow.name).cloned().unwrap_or_default();
            let of = |name: &QName| out.get(name).cloned().unwrap_or_default();
            each_activity(&flow.body, &mut |activity| match &activity.kind {
                ActivityKind::Create { entity, .. } | ActivityKind::Change { entity, .. } => {
                    found.insert(entity.clone());
                    found.extend(handlers(model, entity, false).flat_map(of));
                }
                // What is deleted may take others with it, or clear what they refer to.
                ActivityKind::Delete { entity, .. } => {
                    found.extend(model.entities.keys().cloned());
                    found.extend(handlers(model, entity, true).flat_map(of));
                }
                ActivityKind::Call { microflow, .. } => found.extend(of(microflow)),
                _ => {}
            });
            out.insert(flow.name.clone(), found);
        }
        if out.values().map(BTreeSet::len).sum::<usize>() == before {
            return out;
        }
    }
}
