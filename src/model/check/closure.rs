//! Questions about the whole: what a page needs, what a visitor reaches, what production demands.

use super::super::finding::Severity;
use super::super::types::*;
use super::checker::{Checker, Sources};
use crate::domain::{Kind, Member, Name, QName};
use crate::expr::{Node, Typed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Checker<'_> {
    /// All checks that need the finished model.
    pub fn closure(&mut self, sources: &Sources) {
        self.page_members();
        self.ungranted(sources);
        self.visitors();
        self.production_gate();
        self.translations(sources);
    }

    /// A page whose role lacks a member that it uses is an error.
    fn page_members(&mut self) {
        let mut seen = BTreeSet::new();
        for found in std::mem::take(&mut self.uses) {
            for role in self.roles_that_open(&found.page) {
                if found.guards.iter().any(|guard| folded(guard, &role) == Some(false)) || self.may_read(&role, &found.member) {
                    continue;
                }
                if !seen.insert((found.place.clone(), role.clone(), found.member.clone())) {
                    continue;
                }
                let message = format!("{role} may open {} but no rule lets that role read {}", found.page, found.member);
                let hint =
                    format!("grant `{}` to a module role of {role}, or show this with visible: \"role('…')\"", found.member.name);
                self.report(Severity::Error, "page-member-unreadable", &found.place, found.length, message, Some(hint));
            }
        }
    }

    pub(super) fn roles_that_open(&self, page: &QName) -> Vec<Name> {
        let Some(page) = self.model.pages.get(page) else { return Vec::new() };
        let open = Deny::Open(page.name.clone());
        let roles = self.model.user_roles.iter().filter(|(_, role)| !role.module_roles.is_disjoint(&page.roles));
        roles.map(|(name, _)| name.clone()).filter(|name| !self.guarded(name, &open)).collect()
    }

    fn guarded(&self, role: &Name, deny: &Deny) -> bool {
        self.model.guardrails.iter().any(|rail| rail.user_roles.contains(role) && rail.denies.contains(deny))
    }

    fn may_read(&self, role: &Name, member: &Member) -> bool {
        let Some(entity) = self.model.entities.get(&member.entity) else { return true };
        let Some(user_role) = self.model.user_roles.get(role) else { return false };
        let rule = entity.rules.iter().any(|r| !r.roles.is_disjoint(&user_role.module_roles) && r.read.contains(&member.name));
        rule && !self.guarded(role, &Deny::Read(member.clone()))
    }

    /// Members nobody was granted (S1-12).
    fn ungranted(&mut self, sources: &Sources) {
        let files: BTreeMap<Name, Arc<str>> =
            sources.domains.iter().map(|(here, _)| (here.module.clone(), here.file.clone())).collect();
        let entities: Vec<Arc<Entity>> = self.model.entities.values().filter(|e| !e.system).cloned().collect();
        for entity in entities {
            let Some(file) = files.get(&entity.name.module) else { continue };
            for member in entity.members() {
                let granted = entity.rules.iter().any(|rule| rule.read.contains(member) || rule.write.contains(member));
                if granted || entity.rules.is_empty() {
                    continue;
                }
                let own = entity
                    .attributes
                    .get(member)
                    .map(|a| a.place.clone())
                    .or_else(|| entity.associations.get(member).map(|a| a.place.clone()));
                let place = own.filter(|place| place.line > 0).unwrap_or(Place {
                    file: file.clone(),
                    line: entity.place.line,
                    column: entity.place.column,
                });
                let message = format!("{}.{member} is granted to nobody", entity.name);
                self.report(Severity::Warning, "ungranted-member", &place, member.chars().count(), message, None);
            }
        }
    }

    /// Everything a visitor can reach touches no stored data (S1-18 to S1-21).
    fn visitors(&mut self) {
        let Some(role) = self.model.anonymous_role().cloned() else { return };
        let module_roles = self.model.user_roles.get(&role).map(|r| r.module_roles.clone()).unwrap_or_default();
        let entities: Vec<Arc<Entity>> = self.model.entities.values().cloned().collect();
        for entity in entities.iter().filter(|e| e.persistable) {
            for rule in entity.rules.iter().filter(|rule| !rule.roles.is_disjoint(&module_roles)) {
                let message = format!("{role} is anonymous and would reach stored objects of {}", entity.name);
                let hint = "visitors work on non-persistable entities and snapshots only".to_owned();
                self.report(Severity::Error, "anonymous", &rule.place, 1, message, Some(hint));
            }
        }
        for name in self.roles_pages(&module_roles) {
            let Some(page) = self.model.pages.get(&name).cloned() else { continue };
            let stored =
                self.stored_in(&page.content).or_else(|| page.parameters.values().find(|e| self.persistable(e)).cloned());
            if let Some(entity) = stored {
                let message = format!("{role} is anonymous, and this page shows stored objects of {entity}");
                self.report(Severity::Error, "anonymous", &page.place, 1, message, Some("show a snapshot instead".into()));
            }
        }
        self.visitor_flows(&role, &module_roles);
    }

    fn roles_pages(&self, module_roles: &BTreeSet<QName>) -> Vec<QName> {
        self.model.pages.values().filter(|page| !page.roles.is_disjoint(module_roles)).map(|page| page.name.clone()).collect()
    }

    fn persistable(&self, entity: &QName) -> bool {
        self.model.entities.get(entity).is_none_or(|e| e.persistable)
    }

    fn stored_in(&self, widgets: &[Widget]) -> Option<QName> {
        let mut found = None;
        each_widget(widgets, &mut |widget| {
            let entity = match &widget.kind {
                WidgetKind::DataView(view) => Some(&view.entity),
                WidgetKind::DataGrid(grid) => Some(&grid.source.entity),
                WidgetKind::ListView(list) => Some(&list.source.entity),
                WidgetKind::Stat(stat) => Some(&stat.source.entity),
                WidgetKind::Reference(reference) => Some(&reference.target),
                _ => None,
            };
            if let Some(entity) = entity.filter(|entity| self.persistable(entity)) {
                found.get_or_insert_with(|| entity.clone());
            }
        });
        found
    }

    fn visitor_flows(&mut self, role: &Name, module_roles: &BTreeSet<QName>) {
        let start = self.model.microflows.values().filter(|flow| !flow.roles.is_disjoint(module_roles));
        let mut todo: Vec<QName> = start.map(|flow| flow.name.clone()).collect();
        let mut seen: BTreeSet<QName> = todo.iter().cloned().collect();
        while let Some(name) = todo.pop() {
            let Some(flow) = self.model.microflows.get(&name).cloned() else { continue };
            let mut faults = Vec::new();
            let mut calls = Vec::new();
            each_activity(&flow.body, &mut |activity| match &activity.kind {
                ActivityKind::Retrieve { entity, .. }
                | ActivityKind::RetrieveAssociation { entity, .. }
                | ActivityKind::Create { entity, .. }
                | ActivityKind::Change { entity, .. }
                | ActivityKind::Delete { entity, .. }
                | ActivityKind::Lock { entity, .. }
                    if self.persistable(entity) =>
                {
                    faults.push((activity.place.clone(), format!("works on stored objects of {entity}")));
                }
                ActivityKind::SendMail { .. } | ActivityKind::Publish { .. } => {
                    faults.push((activity.place.clone(), "reaches outside".to_owned()))
                }
                ActivityKind::Call { microflow, .. } => calls.push(microflow.clone()),
                _ => {}
            });
            if !flow.apply_entity_access {
                faults.push((flow.place.clone(), "has extra rights".to_owned()));
            }
            if flow.parameters.values().any(|kind| matches!(kind, Kind::Object(e) | Kind::List(e) if self.persistable(e))) {
                faults.push((flow.place.clone(), "takes stored objects".to_owned()));
            }
            for (place, what) in faults {
                let message = format!("{role} is anonymous and reaches {name}, which {what}");
                let hint = "a visitor's flow uses non-persistable objects, messages, log, showPage and register".to_owned();
                self.report(Severity::Error, "anonymous", &place, 1, message, Some(hint));
            }
            todo.extend(calls.into_iter().filter(|call| seen.insert(call.clone())));
        }
    }

    /// What production demands: complete security in domain model, pages and microflows (S1-24).
    fn production_gate(&mut self) {
        let entities: Vec<Arc<Entity>> =
            self.model.entities.values().filter(|e| !e.system && e.rules.is_empty()).cloned().collect();
        for entity in entities {
            let message = format!("domain model: {} has no access rule; it is closed to everybody", entity.name);
            self.gap(
                &entity.place,
                entity.name.name.chars().count(),
                "no-access-rule",
                message,
                Some("add `access:` to the entity"),
            );
        }
        let pages: Vec<Arc<Page>> = self.model.pages.values().filter(|p| p.roles.is_empty()).cloned().collect();
        for page in pages {
            let message = format!("pages: {} names no role; nobody can open it", page.name);
            self.gap(&page.place, 1, "no-page-role", message, Some("add `roles:` to the page"));
        }
        let idle = self.model.microflows.values().filter(|f| f.roles.is_empty());
        let idle: Vec<Arc<Microflow>> = idle.filter(|f| !self.used_flows.contains(&f.name)).cloned().collect();
        for flow in idle {
            let message =
                format!("microflows: {} names no role, and no flow, event or handler calls it; nobody can run it", flow.name);
            self.gap(&flow.place, 1, "no-microflow-role", message, Some("add `roles:`, or remove the flow"));
        }
        if self.model.administration.users.is_empty() {
            let place = Place { file: Arc::from("app.yaml"), line: 1, column: 1 };
            self.gap(
                &place,
                3,
                "no-administrator",
                "nobody may administer users",
                Some("name a user role under administration.users"),
            );
        }
    }

    fn translations(&mut self, sources: &Sources) {
        let here = super::domain::app_file();
        for language in &sources.app.languages {
            if *language != sources.app.language && !self.model.texts.contains_key(language) {
                let at = sources.app.app.clone();
                let message = format!("the app offers `{language}` but texts/{language}.yaml is missing");
                self.error(&here, &at, "missing-file", message, None);
            }
        }
    }
}

/// Visits all widgets, inner ones too.
pub fn each_widget<'w>(widgets: &'w [Widget], see: &mut dyn FnMut(&'w Widget)) {
    for widget in widgets {
        see(widget);
        match &widget.kind {
            WidgetKind::Container { content, .. } | WidgetKind::Snippet { content, .. } => each_widget(content, see),
            WidgetKind::Columns(columns) => columns.iter().for_each(|(_, content)| each_widget(content, see)),
            WidgetKind::Tabs(tabs) => tabs.iter().for_each(|(_, content)| each_widget(content, see)),
            WidgetKind::DataView(view) => each_widget(&view.content, see),
            WidgetKind::DataGrid(grid) => {
                each_widget(&grid.buttons, see);
                each_widget(&grid.row_buttons, see);
            }
            WidgetKind::ListView(list) => each_widget(&list.content, see),
            _ => {}
        }
    }
}

/// Visits all activities, inner ones too.
pub fn each_activity<'a>(body: &'a [Activity], see: &mut dyn FnMut(&'a Activity)) {
    for activity in body {
        see(activity);
        match &activity.kind {
            ActivityKind::Decide { then, otherwise, .. } => {
                each_activity(then, see);
                each_activity(otherwise, see);
            }
            ActivityKind::Loop { body, .. } => each_activity(body, see),
            _ => {}
        }
    }
}

/// What a condition comes to for a caller who holds just this role, where that alone decides.
fn folded(condition: &Typed, role: &Name) -> Option<bool> {
    match &condition.node {
        Node::Literal(value) => Some(value.holds()),
        Node::HasRole(name) => Some(name == role),
        Node::Not(a) => folded(a, role).map(|a| !a),
        Node::And(a, b) => match (folded(a, role), folded(b, role)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Node::Or(a, b) => match (folded(a, role), folded(b, role)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        _ => None,
    }
}
