//! What an app is as a whole: roles, guardrails, navigation, jobs.

use super::entity::{Entity, Enumeration};
use super::microflow::Microflow;
use super::page::Page;
use crate::domain::{ByName, Kind, Member, Name, QName, Value};
use indexmap::IndexSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A place in a model file, for findings and explanations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Path below the app's folder.
    pub file: Arc<str>,
    /// Line, from 1; 0 for the whole file.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is demanded before start; never what is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Runs with gaps, in demo mode on loopback only, under a banner that counts them.
    Prototype,
    /// Complete security in domain model, microflows and pages.
    Production,
}

/// A whole app.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its short name.
    pub name: Name,
    /// Its title.
    pub title: String,
    /// The security level.
    pub level: Level,
    /// The language of the texts in the files.
    pub language: String,
    /// Translations: language → source text → text.
    pub texts: BTreeMap<String, BTreeMap<String, String>>,
    /// Digest of all model files: two models with the same one are the same.
    pub fingerprint: String,
    /// Modules and their roles (with documentation lines).
    pub modules: ByName<Name, Module>,
    /// User roles.
    pub user_roles: ByName<Name, UserRole>,
    /// Denies that no grant beats.
    pub guardrails: Vec<Guardrail>,
    /// Who may use which part of the administration.
    pub administration: Administration,
    /// How visitors become users.
    pub registration: Option<Registration>,
    /// Menus and start pages.
    pub navigation: Vec<Navigation>,
    /// Users of demo mode.
    pub demo_users: Vec<DemoUser>,
    /// Enumerations.
    pub enumerations: ByName<QName, Enumeration>,
    /// Entities, `system.User` among them.
    pub entities: ByName<QName, Arc<Entity>>,
    /// Pages.
    pub pages: ByName<QName, Arc<Page>>,
    /// Microflows.
    pub microflows: ByName<QName, Arc<Microflow>>,
    /// Constants that are not secret.
    pub constants: ByName<QName, (Kind, Value)>,
    /// Names of environment variables that hold secret constants.
    pub secrets: ByName<QName, String>,
    /// Scheduled events.
    pub schedule: Vec<ScheduledEvent>,
    /// Public snapshots.
    pub snapshots: ByName<QName, Snapshot>,
}

/// A module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Its roles, with their documentation lines.
    pub roles: ByName<Name, String>,
}

/// A user role: a set of module roles.
#[derive(Clone, Debug, Default)]
pub struct UserRole {
    /// Documentation line.
    pub doc: String,
    /// The role of visitors.
    pub anonymous: bool,
    /// The module roles it consists of.
    pub module_roles: BTreeSet<QName>,
    /// The user roles that its holders may assign (never to themselves).
    pub may_assign: BTreeSet<Name>,
}

/// What a guardrail denies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Deny {
    /// Reading a member.
    Read(Member),
    /// Writing a member.
    Write(Member),
    /// Creating objects.
    Create(QName),
    /// Deleting objects.
    Delete(QName),
    /// Opening a page.
    Open(QName),
    /// Running a microflow.
    Run(QName),
}

/// A deny that no grant beats.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// What is denied.
    pub denies: Vec<Deny>,
    /// To holders of any of these user roles, whatever else they hold.
    pub user_roles: BTreeSet<Name>,
    /// Why.
    pub doc: String,
    /// Where it is written.
    pub place: Place,
}

/// User roles per part of the administration.
#[derive(Clone, Debug, Default)]
pub struct Administration {
    /// Users and role assignment.
    pub users: BTreeSet<Name>,
    /// The effective rights matrix.
    pub matrix: BTreeSet<Name>,
    /// The record of what happened.
    pub audit: BTreeSet<Name>,
    /// The live log and its levels.
    pub log: BTreeSet<Name>,
    /// The overlay of reasons on every page.
    pub explain: BTreeSet<Name>,
}

/// How visitors become users.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The role a registered person gets.
    pub user_role: Name,
    /// How long the mailed link is good, in seconds.
    pub expires_seconds: i64,
    /// The flow that runs with the new account, as a job.
    pub after: Option<QName>,
}

/// Menu and start page of some user roles.
#[derive(Clone, Debug)]
pub struct Navigation {
    /// For these.
    pub user_roles: BTreeSet<Name>,
    /// Their start page.
    pub home: Option<QName>,
    /// Their menu.
    pub menu: Vec<MenuItem>,
}

/// One entry of a menu.
#[derive(Clone, Debug)]
pub struct MenuItem {
    /// Caption.
    pub title: String,
    /// Icon name.
    pub icon: Option<String>,
    /// The page it opens, or nothing when it is a group.
    pub page: Option<QName>,
    /// Entries of the group.
    pub items: Vec<MenuItem>,
}

/// A user that exists only in demo mode.
#[derive(Clone, Debug)]
pub struct DemoUser {
    /// Short key, also for seed files (`demo:<key>`).
    pub key: Name,
    /// Full name.
    pub name: String,
    /// Address.
    pub email: String,
    /// User roles.
    pub user_roles: BTreeSet<Name>,
}

/// Colour meaning of a badge or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// No meaning.
    #[default]
    Neutral,
    /// Worth knowing.
    Info,
    /// Went well.
    Success,
    /// Needs attention.
    Warning,
    /// Went wrong.
    Danger,
}

impl Tone {
    /// The word used in templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

/// A scheduled event.
#[derive(Clone, Debug)]
pub struct ScheduledEvent {
    /// Name.
    pub name: QName,
    /// When.
    pub timing: Timing,
    /// What.
    pub microflow: QName,
    /// Also once at start.
    pub at_start: bool,
}

/// When a scheduled event runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Every so many seconds.
    Every(u64),
    /// Daily at this minute of the day, UTC.
    Daily(u32),
}

/// A public snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Name.
    pub name: QName,
    /// The non-persistable entity of its objects.
    pub entity: QName,
    /// Who may read it.
    pub roles: BTreeSet<QName>,
}

impl Model {
    /// The entity, if there is one.
    pub fn entity(&self, name: &QName) -> Option<&Arc<Entity>> {
        self.entities.get(name)
    }
    /// The role of visitors.
    pub fn anonymous_role(&self) -> Option<&Name> {
        self.user_roles.iter().find(|(_, role)| role.anonymous).map(|(name, _)| name)
    }
    /// The user roles of administrators: those that may administer users, and of these none that may assign less than
    /// another of them. A system in which nobody who can sign in has one of them cannot be put right from inside.
    pub fn administrators(&self) -> BTreeSet<Name> {
        let gives = |role: &Name| self.user_roles.get(role).map(|found| &found.may_assign);
        let less = |role: &Name, other: &Name| match (gives(role), gives(other)) {
            (Some(mine), Some(theirs)) => mine.len() < theirs.len() && mine.is_subset(theirs),
            _ => false,
        };
        let all = &self.administration.users;
        all.iter().filter(|role| !all.iter().any(|other| less(role, other))).cloned().collect()
    }
    /// The built-in users.
    pub fn user_entity() -> QName {
        QName::new("system", "User")
    }
    /// The text in `language`, or the source text.
    pub fn translate<'a>(&'a self, language: &str, text: &'a str) -> &'a str {
        self.texts.get(language).and_then(|texts| texts.get(text)).map_or(text, String::as_str)
    }
    /// The module roles of some user roles together.
    pub fn module_roles<'a>(&self, user_roles: impl IntoIterator<Item = &'a Name>) -> BTreeSet<QName> {
        let found = user_roles.into_iter().filter_map(|role| self.user_roles.get(role));
        found.flat_map(|role| role.module_roles.iter().cloned()).collect()
    }
    /// Every name in the set that the model has as a user role.
    pub fn known_roles(&self, names: &BTreeSet<Name>) -> IndexSet<Name> {
        names.iter().filter(|name| self.user_roles.contains_key(*name)).cloned().collect()
    }
}
