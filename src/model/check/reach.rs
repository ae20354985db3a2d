//! Whether people get to the pages: start pages that open, and pages that something leads to.

use super::super::finding::Severity;
use super::super::types::*;
use super::checker::{Checker, Sources};
use super::closure::{each_activity, each_widget};
use super::domain::app_file;
use crate::domain::{Name, QName};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Checker<'_> {
    /// All questions about ways to pages.
    pub fn reach(&mut self, sources: &Sources) {
        self.homes(sources);
        // In a faulty model, what would lead somewhere may not have been understood.
        if !self.findings.iter().any(|finding| finding.severity == Severity::Error) {
            self.unreached();
        }
    }

    fn homes(&mut self, sources: &Sources) {
        let here = app_file();
        for navigation in &sources.app.navigation {
            let Some(at) = &navigation.home else { continue };
            let Some(page) = self.model.pages.get(&here.resolve(&at.value)).cloned() else { continue };
            if !page.parameters.is_empty() {
                let message = format!("{} needs parameters and cannot be a start page", page.name);
                let hint = "name a page without parameters; a list or a button there can lead on";
                self.error(&here, at, "home", message, Some(hint.into()));
                continue;
            }
            if page.roles.is_empty() {
                // A gap of the page itself.
                continue;
            }
            let open: BTreeSet<Name> = self.roles_that_open(&page.name).into_iter().collect();
            let shut: Vec<&str> = navigation
                .user_roles
                .iter()
                .map(|role| role.value.as_str())
                .filter(|role| self.model.user_roles.contains_key(*role) && !open.contains(*role))
                .collect();
            if !shut.is_empty() {
                let message = format!("{} is the start page of {} but not open to that role", page.name, shut.join(", "));
                let hint = "add a module role of it to the page's `roles`, or name another page".to_owned();
                self.error(&here, at, "home", message, Some(hint));
            }
        }
    }

    fn unreached(&mut self) {
        let mut reached: BTreeSet<QName> = BTreeSet::new();
        let mut todo: Vec<QName> = self.model.navigation.iter().flat_map(entries).collect();
        while let Some(name) = todo.pop() {
            if !reached.insert(name.clone()) {
                continue;
            }
            if let Some(page) = self.model.pages.get(&name) {
                todo.extend(leads_to(&self.model, page));
            }
        }
        // A page that is open to nobody is not in use yet.
        let lost = self.model.pages.values().filter(|page| !reached.contains(&page.name));
        let lost: Vec<Arc<Page>> = lost.filter(|page| !self.roles_that_open(&page.name).is_empty()).cloned().collect();
        for page in lost {
            let message = format!("nothing leads to {}: no menu, no button, no row, no microflow", page.name);
            let hint = "add it to a menu, open it from a page that is reached, or remove it".to_owned();
            self.report(Severity::Warning, "unreached-page", &page.place, 1, message, Some(hint));
        }
    }
}

/// The pages of a menu.
fn entries(navigation: &Navigation) -> Vec<QName> {
    fn of(items: &[MenuItem], out: &mut Vec<QName>) {
        for item in items {
            out.extend(item.page.clone());
            of(&item.items, out);
        }
    }
    let mut out: Vec<QName> = navigation.home.iter().cloned().collect();
    of(&navigation.menu, &mut out);
    out
}

/// The pages that a page leads to by itself.
fn leads_to(model: &Model, page: &Page) -> Vec<QName> {
    let (mut out, mut flows) = (Vec::new(), Vec::new());
    each_widget(&page.content, &mut |widget| match &widget.kind {
        WidgetKind::DataGrid(grid) => out.extend(grid.opens.iter().map(|open| open.page.clone())),
        WidgetKind::Stat(stat) => out.extend(stat.opens.iter().map(|open| open.page.clone())),
        WidgetKind::Button(button) => match &button.action {
            Action::Open(open) => out.push(open.page.clone()),
            Action::Run { microflow, .. } => flows.push(microflow.clone()),
            _ => {}
        },
        _ => {}
    });
    let mut seen = BTreeSet::new();
    while let Some(name) = flows.pop() {
        let Some(flow) = model.microflows.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
        each_activity(&flow.body, &mut |activity| match &activity.kind {
            ActivityKind::ShowPage(open) => out.push(open.page.clone()),
            ActivityKind::Call { microflow, .. } => flows.push(microflow.clone()),
            _ => {}
        });
    }
    out
}
