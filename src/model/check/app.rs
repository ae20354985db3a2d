//! app.yaml and module.yaml: roles, guardrails, navigation, schedule, snapshots.

use super::super::source;
use super::super::types::*;
use super::checker::{Checker, Here, Sources};
use super::domain::app_file;
use crate::domain::{Kind, Member, Name, QName, did_you_mean};
use std::collections::BTreeSet;

/// The icons that ship with the product.
pub(super) const ICONS: [&str; 19] = [
    "home",
    "users",
    "user",
    "calendar",
    "receipt",
    "briefcase",
    "file-text",
    "chart",
    "shield",
    "settings",
    "list",
    "check",
    "mail",
    "building",
    "star",
    "clock",
    "search",
    "inbox",
    "plus",
];

impl Checker<'_> {
    /// User roles and the modules' roles they consist of.
    pub fn roles(&mut self, sources: &Sources) {
        let (here, app) = (app_file(), &sources.app);
        self.model.name = self.name(&here, &app.app, false);
        self.model.title = app.title.clone();
        self.model.language = app.language.clone();
        self.model.level = match app.level {
            source::LevelWord::Prototype => Level::Prototype,
            source::LevelWord::Production => Level::Production,
        };
        let mut anonymous: Option<String> = None;
        for (at, role) in &app.user_roles.0 {
            if role.anonymous {
                if let Some(first) = &anonymous {
                    self.error(
                        &here,
                        at,
                        "anonymous",
                        format!("`{first}` is the anonymous role already; there is at most one"),
                        None,
                    );
                }
                anonymous = Some(at.value.clone());
            }
            let module_roles = self.module_roles(&here, &role.module_roles);
            let may_assign = self.user_role_set(&here, &role.may_assign);
            if role.anonymous && !role.may_assign.is_empty() {
                self.error(&here, at, "anonymous", "visitors cannot assign roles", None);
            }
            if let Some(target) = may_assign.iter().find(|name| self.model.user_roles.get(*name).is_some_and(|r| r.anonymous)) {
                let target = target.clone();
                self.error(&here, at, "anonymous", format!("`{target}` is the role of visitors and cannot be assigned"), None);
            }
            if let Some(built) = self.model.user_roles.get_mut(at.value.as_str()) {
                built.module_roles = module_roles;
                built.may_assign = may_assign;
            }
        }
    }

    /// Everything in app.yaml and module.yaml that refers to pages, flows and entities.
    pub fn app(&mut self, sources: &Sources) {
        let (here, app) = (app_file(), &sources.app);
        for rail in &app.guardrails {
            self.guardrail(&here, rail);
        }
        self.model.administration = Administration {
            users: self.administrators(&here, &app.administration.users),
            matrix: self.administrators(&here, &app.administration.matrix),
            audit: self.administrators(&here, &app.administration.audit),
            log: self.administrators(&here, &app.administration.log),
            explain: self.administrators(&here, &app.administration.explain),
        };
        for navigation in &app.navigation {
            let built = Navigation {
                user_roles: self.user_role_set(&here, &navigation.user_roles),
                home: navigation.home.as_ref().and_then(|at| self.page(&here, at)).map(|page| page.name.clone()),
                menu: navigation.menu.iter().map(|item| self.menu_item(&here, item, 0)).collect(),
            };
            self.model.navigation.push(built);
        }
        self.registration(&here, app.registration.as_ref());
        for user in &app.demo_users {
            self.demo_user(&here, user);
        }
        for (here, module) in &sources.modules {
            for (at, event) in &module.scheduled_events.0 {
                self.scheduled(here, at, event);
            }
            for (at, snapshot) in &module.snapshots.0 {
                let name = QName::new(here.module.clone(), self.name(here, at, true));
                let Some(entity) = self.entity(here, &snapshot.entity) else { continue };
                if entity.persistable {
                    let hint = Some("copy what may be public into a non-persistable entity".into());
                    self.error(here, &snapshot.entity, "snapshot", "a snapshot holds non-persistable objects only", hint);
                }
                let roles = self.module_roles(here, &snapshot.roles);
                self.model.snapshots.insert(name.clone(), Snapshot { name, entity: entity.name.clone(), roles });
            }
        }
    }

    fn administrators(&mut self, here: &Here, roles: &[source::Text]) -> BTreeSet<Name> {
        for at in roles {
            if self.model.user_roles.get(at.value.as_str()).is_some_and(|role| role.anonymous) {
                self.error(here, at, "anonymous", "visitors cannot administer", None);
            }
        }
        self.user_role_set(here, roles)
    }

    fn guardrail(&mut self, here: &Here, rail: &source::Guardrail) {
        let user_roles = self.user_role_set(here, &rail.user_roles);
        let mut denies = Vec::new();
        for at in &rail.of {
            let deny = match rail.deny {
                source::DenyWord::Read | source::DenyWord::Write => self
                    .guarded_member(here, at)
                    .map(|member| if rail.deny == source::DenyWord::Read { Deny::Read(member) } else { Deny::Write(member) }),
                source::DenyWord::Create => self.entity(here, at).map(|e| Deny::Create(e.name.clone())),
                source::DenyWord::Delete => self.entity(here, at).map(|e| Deny::Delete(e.name.clone())),
                source::DenyWord::Open => self.page(here, at).map(|p| Deny::Open(p.name.clone())),
                source::DenyWord::Run => self.flow(here, at).map(|f| Deny::Run(f.name.clone())),
            };
            denies.extend(deny);
        }
        let place = rail.of.first().map(|at| here.place(at)).unwrap_or_default();
        self.model.guardrails.push(Guardrail { denies, user_roles, doc: rail.doc.clone(), place });
    }

    /// `module.Entity.member`
    fn guarded_member(&mut self, here: &Here, at: &source::Text) -> Option<Member> {
        let split = at.value.rsplit_once('.').and_then(|(entity, member)| Some((QName::parse(entity)?, member)));
        let Some((entity, member)) = split else {
            self.error(here, at, "unknown-name", "name the member as module.Entity.member", None);
            return None;
        };
        let found = self.model.entities.get(&entity).cloned();
        match found {
            Some(found) if found.has_member(member) => Some(Member { entity, name: Name::new(member) }),
            Some(found) => {
                let near = did_you_mean(member, found.members().map(Name::as_str))
                    .map(|near| format!("did you mean `{entity}.{near}`?"));
                self.error(here, at, "unknown-name", format!("{entity} has no member `{member}`"), near);
                None
            }
            None if self.broken.contains(&format!("{}/domain.yaml", entity.module)) => None,
            None => {
                self.error(here, at, "unknown-name", format!("there is no entity `{entity}`"), None);
                None
            }
        }
    }

    fn menu_item(&mut self, here: &Here, item: &source::MenuItem, depth: usize) -> MenuItem {
        let page = item.page.as_ref().and_then(|at| {
            let page = self.page(here, at)?;
            if !page.parameters.is_empty() {
                self.error(here, at, "menu", format!("{} needs parameters and cannot stand in a menu", page.name), None);
            }
            Some(page.name.clone())
        });
        if let Some(at) = &item.icon {
            self.icon(here, at);
        }
        if let (true, Some(at)) = (depth > 0 && !item.items.is_empty(), &item.page) {
            self.error(here, at, "menu", "a menu has two levels", None);
        }
        let items = item.items.iter().map(|inner| self.menu_item(here, inner, depth + 1)).collect();
        MenuItem { title: item.title.clone(), icon: item.icon.as_ref().map(|i| i.value.clone()), page, items }
    }

    pub fn icon(&mut self, here: &Here, at: &source::Text) {
        if !ICONS.contains(&at.value.as_str()) {
            self.unknown(here, at, "icon", ICONS);
        }
    }

    fn registration(&mut self, here: &Here, written: Option<&source::Registration>) {
        let Some(written) = written else { return };
        let role = self.user_role(here, &written.user_role);
        if role
            .as_ref()
            .and_then(|role| self.model.user_roles.get(role))
            .is_some_and(|role| role.anonymous || !role.may_assign.is_empty())
        {
            self.error(
                here,
                &written.user_role,
                "registration",
                "a registered person gets a role that neither is anonymous nor assigns roles",
                None,
            );
        }
        let expires = duration(&written.expires.value).filter(|seconds| (300..=604_800).contains(seconds));
        if expires.is_none() {
            self.error(here, &written.expires, "value", "write a time such as 30m or 24h, at most 168h", None);
        }
        let after = written.after.as_ref().and_then(|at| self.flow(here, at)).map(|flow| flow.name.clone());
        self.used_flows.extend(after.clone());
        if let (Some(user_role), Some(expires)) = (role, expires) {
            self.model.registration =
                Some(Registration { user_role, expires_seconds: i64::try_from(expires).unwrap_or(3_600), after });
        }
    }

    fn demo_user(&mut self, here: &Here, user: &source::DemoUser) {
        let key = self.name(here, &user.key, false);
        if self.model.demo_users.iter().any(|other| other.key == key || other.email == user.email.value) {
            self.error(here, &user.key, "duplicate", format!("demo user `{key}` is there already"), None);
        }
        let user_roles = self.user_role_set(here, &user.user_roles);
        for at in &user.user_roles {
            if self.model.user_roles.get(at.value.as_str()).is_some_and(|role| role.anonymous) {
                self.error(here, at, "anonymous", "a demo user signs in; the role of visitors is for those who do not", None);
            }
        }
        self.model.demo_users.push(DemoUser { key, name: user.name.clone(), email: user.email.value.clone(), user_roles });
    }

    fn scheduled(&mut self, here: &Here, at: &source::Text, event: &source::ScheduledEvent) {
        let name = QName::new(here.module.clone(), self.name(here, at, true));
        let timing = match (&event.every, &event.daily) {
            (Some(every), None) => duration(&every.value).filter(|s| *s >= 10).map(Timing::Every).or_else(|| {
                self.error(here, every, "value", "write a time such as 30s, 5m or 2h, at least 10s", None);
                None
            }),
            (None, Some(daily)) => minute_of_day(&daily.value).map(Timing::Daily).or_else(|| {
                self.error(here, daily, "value", "write a time of day such as \"02:30\" (UTC)", None);
                None
            }),
            _ => {
                self.error(here, at, "scheduled-event", "an event has either `every` or `daily`", None);
                None
            }
        };
        let Some(flow) = self.flow(here, &event.run) else { return };
        if !flow.parameters.is_empty() {
            self.error(
                here,
                &event.run,
                "scheduled-event",
                format!("{} needs parameters and cannot be scheduled", flow.name),
                None,
            );
        }
        if flow.apply_entity_access {
            let message = format!("{} runs with nobody's rights; it needs an elevation", flow.name);
            self.warn(
                here,
                &event.run,
                "scheduled-event",
                message,
                Some("set applyEntityAccess: false and list what it needs".into()),
            );
        }
        self.used_flows.insert(flow.name.clone());
        if let Some(timing) = timing {
            self.model.schedule.push(ScheduledEvent { name, timing, microflow: flow.name.clone(), at_start: event.at_start });
        }
    }

    /// A parameter's or result's kind: a plain word, an entity, `list of Entity`, an enumeration.
    pub fn kind(&mut self, here: &Here, at: &source::Text) -> Option<Kind> {
        if let Some(rest) = at.value.strip_prefix("list of ") {
            let inner = source::At { value: rest.trim().to_owned(), line: at.line, column: at.column + 8 };
            return self.entity(here, &inner).map(|e| Kind::List(e.name.clone()));
        }
        if at.value.starts_with(|c: char| c.is_ascii_lowercase()) && !at.value.contains('.') {
            return self.plain_kind(here, at);
        }
        let name = here.resolve(&at.value);
        if self.model.enumerations.contains_key(&name) {
            return Some(Kind::Enumeration(name));
        }
        self.entity(here, at).map(|e| Kind::Object(e.name.clone()))
    }
}

/// `30s`, `5m`, `24h` in seconds.
fn duration(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    number.checked_mul(factor).filter(|n| *n > 0)
}

fn minute_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (text.len() == 5 && hour < 24 && minute < 60).then_some(hour * 60 + minute)
}
