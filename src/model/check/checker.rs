//! The state of a check: the model so far, the findings, and the questions everyone asks.

use super::super::files::Files;
use super::super::finding::{Finding, Findings, Severity};
use super::super::source::{self, At, Text};
use super::super::types::*;
use super::predicate::Predicates;
use crate::domain::{ByName, Kind, Member, Name, QName, Value, did_you_mean};
use crate::expr::{Fault, MemberType, Predicate, Schema, Scope, Span, Template, Typed};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Where in the files a pass is.
#[derive(Clone, Debug)]
pub(super) struct Here {
    pub file: Arc<str>,
    pub module: Name,
}

/// All sources of an app.
pub(super) struct Sources {
    pub app: source::App,
    pub modules: Vec<(Here, source::Module)>,
    pub domains: Vec<(Here, source::Domain)>,
    pub pages: Vec<(Here, QName, source::Page)>,
    pub snippets: ByName<QName, (Here, source::Snippet)>,
    pub flows: Vec<(Here, QName, source::Microflow)>,
}

/// One use of a member by a page, with the visibility conditions around it.
pub(super) struct Use {
    pub page: QName,
    pub member: Member,
    pub place: Place,
    pub length: usize,
    pub guards: Vec<Typed>,
}

pub(super) struct Checker<'f> {
    pub files: &'f Files,
    pub findings: Vec<Finding>,
    pub model: Model,
    /// Calculated attributes whose expression is not checked yet.
    pub pending: HashSet<Member>,
    pub uses: Vec<Use>,
    /// Files that could not be read; what they would have declared is not reported as missing.
    pub broken: BTreeSet<String>,
    /// Microflows that something calls, schedules or handles.
    pub used_flows: BTreeSet<QName>,
    /// Named conditions.
    pub predicates: Predicates,
    /// Whether the expression that is checked asked for a predicate that is not settled yet.
    pub waiting: Cell<bool>,
}

impl<'f> Checker<'f> {
    pub fn new(files: &'f Files) -> Self {
        let model = Model {
            name: Name::new("app"),
            title: String::new(),
            level: Level::Production,
            language: "en".into(),
            texts: BTreeMap::new(),
            fingerprint: fingerprint(files),
            modules: ByName::default(),
            user_roles: ByName::default(),
            guardrails: Vec::new(),
            administration: Administration::default(),
            registration: None,
            navigation: Vec::new(),
            demo_users: Vec::new(),
            enumerations: ByName::default(),
            entities: ByName::default(),
            pages: ByName::default(),
            microflows: ByName::default(),
            constants: ByName::default(),
            secrets: ByName::default(),
            schedule: Vec::new(),
            snapshots: ByName::default(),
        };
        Self {
            files,
            findings: Vec::new(),
            model,
            pending: HashSet::new(),
            uses: Vec::new(),
            broken: BTreeSet::new(),
            used_flows: BTreeSet::new(),
            predicates: Predicates::new(),
            waiting: Cell::new(false),
        }
    }

    pub fn findings(self) -> Findings {
        Findings(self.findings).sorted()
    }
    pub fn finish(self) -> (Model, Findings) {
        (self.model, Findings(self.findings).sorted())
    }

    // ---- reporting ----

    pub fn report(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: &Place,
        length: usize,
        message: String,
        hint: Option<String>,
    ) {
        let excerpt = self.files.line(&place.file, place.line).to_owned();
        let room = excerpt.chars().count().saturating_sub(usize::try_from(place.column).unwrap_or(1).saturating_sub(1));
        self.findings.push(Finding {
            severity,
            code,
            file: place.file.to_string(),
            line: place.line,
            column: place.column,
            length: length.clamp(1, room.max(1)),
            excerpt,
            message,
            hint,
        });
    }
    pub fn error(&mut self, here: &Here, at: &Text, code: &'static str, message: impl Into<String>, hint: Option<String>) {
        let place = here.place(at);
        self.report(Severity::Error, code, &place, at.value.chars().count(), message.into(), hint);
    }
    pub fn warn(&mut self, here: &Here, at: &Text, code: &'static str, message: impl Into<String>, hint: Option<String>) {
        let place = here.place(at);
        self.report(Severity::Warning, code, &place, at.value.chars().count(), message.into(), hint);
    }
    pub fn gap(&mut self, place: &Place, length: usize, code: &'static str, message: impl Into<String>, hint: Option<&str>) {
        self.report(Severity::Gap, code, place, length, message.into(), hint.map(str::to_owned));
    }

    /// A fault inside an expression, at its own place in the file.
    pub fn fault(&mut self, here: &Here, at: &Text, fault: Fault) {
        let (place, length) = self.inside(here, at, fault.span);
        self.report(Severity::Error, "expression", &place, length, fault.message, fault.hint);
    }

    /// The place of a part of an expression, and its length.
    pub fn inside(&self, here: &Here, at: &Text, span: Span) -> (Place, usize) {
        let mut place = here.place(at);
        let line = self.files.line(&here.file, at.line).to_owned();
        let column = usize::try_from(at.column).unwrap_or(1);
        let first = line.chars().nth(column.saturating_sub(1));
        let quoted = usize::from(matches!(first, Some('"' | '\'')));
        let before = at.value.get(..span.start).map_or(0, |text| text.chars().count());
        let plain = !matches!(first, Some('|' | '>')) && !at.value.contains('\n');
        if plain {
            place.column = (column + quoted + before) as u64;
        }
        let length = at.value.get(span.start..span.end).map_or(1, |text| text.chars().count());
        (place, length)
    }

    /// An unknown name, with a suggestion.
    pub fn unknown<'n>(&mut self, here: &Here, at: &Text, what: &str, candidates: impl IntoIterator<Item = &'n str>) {
        if self.is_lost(&here.resolve(&at.value), what) {
            return;
        }
        let near = did_you_mean(&at.value, candidates).map(|near| format!("did you mean `{near}`?"));
        self.error(here, at, "unknown-name", format!("there is no {what} `{}`", at.value), near);
    }

    /// Whether the file that would declare a name could not be read: that is the finding, not its echo.
    fn is_lost(&self, name: &QName, what: &str) -> bool {
        let file = match what {
            "page" => format!("{}/pages/{}.yaml", name.module, name.name),
            "microflow" => format!("{}/microflows/{}.yaml", name.module, name.name),
            "snippet" => format!("{}/snippets/{}.yaml", name.module, name.name),
            "entity" | "enumeration" => format!("{}/domain.yaml", name.module),
            "module role" | "snapshot" => format!("{}/module.yaml", name.module),
            _ => return false,
        };
        self.broken.contains(&file)
    }

    // ---- names ----

    /// Checks the shape of a declared name.
    pub fn name(&mut self, here: &Here, at: &Text, upper: bool) -> Name {
        let mut chars = at.value.chars();
        let first = chars.next().unwrap_or(' ');
        let good = first.is_ascii_alphabetic()
            && (first.is_ascii_uppercase() == upper)
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good || at.value.len() > 50 {
            let case = if upper { "an upper-case" } else { "a lower-case" };
            let message = format!("`{}` is not a good name here", at.value);
            self.error(
                here,
                at,
                "bad-name",
                message,
                Some(format!("start with {case} letter; letters, digits and _ only; at most 50")),
            );
        }
        Name::new(&at.value)
    }

    pub fn enumeration(&mut self, here: &Here, at: &Text) -> Option<QName> {
        let name = here.resolve(&at.value);
        if self.model.enumerations.contains_key(&name) {
            return Some(name);
        }
        let names: Vec<String> = self.model.enumerations.keys().map(|n| here.short(n)).collect();
        self.unknown(here, at, "enumeration", names.iter().map(String::as_str));
        None
    }
    pub fn entity(&mut self, here: &Here, at: &Text) -> Option<Arc<Entity>> {
        let name = here.resolve(&at.value);
        if let Some(entity) = self.model.entities.get(&name) {
            return Some(entity.clone());
        }
        let names: Vec<String> = self.model.entities.keys().map(|n| here.short(n)).collect();
        self.unknown(here, at, "entity", names.iter().map(String::as_str));
        None
    }
    pub fn page(&mut self, here: &Here, at: &Text) -> Option<Arc<Page>> {
        let name = here.resolve(&at.value);
        if let Some(page) = self.model.pages.get(&name) {
            return Some(page.clone());
        }
        let names: Vec<String> = self.model.pages.keys().map(|n| here.short(n)).collect();
        self.unknown(here, at, "page", names.iter().map(String::as_str));
        None
    }
    pub fn flow(&mut self, here: &Here, at: &Text) -> Option<Arc<Microflow>> {
        let name = here.resolve(&at.value);
        if let Some(flow) = self.model.microflows.get(&name) {
            return Some(flow.clone());
        }
        let names: Vec<String> = self.model.microflows.keys().map(|n| here.short(n)).collect();
        self.unknown(here, at, "microflow", names.iter().map(String::as_str));
        None
    }
    pub fn user_role(&mut self, here: &Here, at: &Text) -> Option<Name> {
        if let Some((name, _)) = self.model.user_roles.get_key_value(at.value.as_str()) {
            return Some(name.clone());
        }
        let names: Vec<String> = self.model.user_roles.keys().map(ToString::to_string).collect();
        self.unknown(here, at, "user role", names.iter().map(String::as_str));
        None
    }
    pub fn user_role_set(&mut self, here: &Here, roles: &[Text]) -> BTreeSet<Name> {
        roles.iter().filter_map(|role| self.user_role(here, role)).collect()
    }
    pub fn module_role(&mut self, here: &Here, at: &Text) -> Option<QName> {
        let name = here.resolve(&at.value);
        if self.model.modules.get(&name.module).is_some_and(|module| module.roles.contains_key(&name.name)) {
            return Some(name);
        }
        let all = self
            .model
            .modules
            .iter()
            .flat_map(|(module, m)| m.roles.keys().map(|role| here.short(&QName::new(module.clone(), role.clone()))));
        let names: Vec<String> = all.collect();
        self.unknown(here, at, "module role", names.iter().map(String::as_str));
        None
    }
    pub fn module_roles(&mut self, here: &Here, roles: &[Text]) -> BTreeSet<QName> {
        roles.iter().filter_map(|role| self.module_role(here, role)).collect()
    }
    /// An own member of an entity.
    pub fn own_member(&mut self, here: &Here, entity: &Entity, at: &Text) -> Option<Name> {
        if entity.has_member(&at.value) {
            return Some(Name::new(&at.value));
        }
        if at.value == "*" {
            self.error(here, at, "wildcard", "no wildcard exists: each member is named", None);
            return None;
        }
        self.unknown(here, at, &format!("member of {}", entity.name), entity.members().map(Name::as_str));
        None
    }
    pub fn own_members(&mut self, here: &Here, entity: &Entity, names: &[Text]) -> Vec<Name> {
        names.iter().filter_map(|name| self.own_member(here, entity, name)).collect()
    }
    /// `lastName`, `-joined`, `department.name`: a path along to-one associations to a plain member.
    pub fn sort(&mut self, here: &Here, entity: &QName, orders: &[Text]) -> Vec<(Path, bool)> {
        let mut out = Vec::new();
        for order in orders {
            let descending = order.value.starts_with('-');
            let bare = At {
                value: order.value.trim_start_matches('-').to_owned(),
                line: order.line,
                column: order.column + u64::from(descending),
            };
            let Some((path, _)) = self.path(here, entity, &bare) else { continue };
            self.asked_of_database(here, &bare, entity, &path, "sorted by");
            out.push((path, descending));
        }
        out
    }
    /// Only what the database computes can be asked about there.
    pub fn asked_of_database(&mut self, here: &Here, at: &Text, entity: &QName, path: &[Name], how: &str) {
        if let Some(gap) = self.model.memory_only(entity, path) {
            let message = format!("`{}` cannot be {how}: the database does not compute it ({gap})", at.value);
            let hint = "store the value, or calculate it from what the database computes".to_owned();
            self.error(here, at, "not-queryable", message, Some(hint));
        }
    }
    /// A path along to-one associations; gives the path and the kind of its end.
    pub fn path(&mut self, here: &Here, entity: &QName, at: &Text) -> Option<(Path, Kind)> {
        let scope = self.scope(here).with_this(entity);
        let typed = crate::expr::check(&format!("this.{}", at.value), &scope, None);
        match typed {
            Ok(typed) if !matches!(typed.kind, Kind::List(_)) => Some((at.value.split('.').map(Name::new).collect(), typed.kind)),
            Ok(_) => {
                self.error(here, at, "path", format!("`{}` leads to several objects", at.value), None);
                None
            }
            Err(mut fault) => {
                fault.span.start = fault.span.start.saturating_sub(5);
                fault.span.end = fault.span.end.saturating_sub(5);
                self.fault(here, at, fault);
                None
            }
        }
    }

    // ---- expressions ----

    pub fn scope(&self, here: &Here) -> Scope<'_> {
        Scope::new(self, here.module.clone())
    }
    /// Runs an expression check and reports its fault.
    pub fn typed(&mut self, here: &Here, at: &Text, scope: &Context, expected: Option<&Kind>) -> Option<Typed> {
        let result = crate::expr::check(&at.value, &scope.scope(self, here), expected);
        self.checked(here, at, result)
    }
    /// What a calculated member of this kind computes.
    pub fn calculation(&mut self, here: &Here, at: &Text, scope: &Context, kind: &Kind) -> Option<Typed> {
        let result = crate::expr::check_calculated(&at.value, &scope.scope(self, here), kind);
        self.checked(here, at, result)
    }
    /// A value for a member of this kind.
    pub fn assigned(&mut self, here: &Here, at: &Text, scope: &Context, kind: &Kind) -> Option<Typed> {
        let result = crate::expr::check_assigned(&at.value, &scope.scope(self, here), kind);
        self.checked(here, at, result)
    }
    pub fn condition(&mut self, here: &Here, at: &Text, scope: &Context) -> Option<Typed> {
        let typed = self.typed(here, at, scope, Some(&Kind::Boolean))?;
        self.constant_condition(here, at, &typed);
        Some(typed)
    }
    /// A condition that the database must be able to decide.
    pub fn row_condition(&mut self, here: &Here, at: &Text, scope: &Context) -> Option<Typed> {
        let typed = self.condition(here, at, scope)?;
        if let Some(gap) = crate::expr::sql_gap(&typed) {
            self.fault(here, at, gap);
            return None;
        }
        Some(typed)
    }
    pub fn template(&mut self, here: &Here, at: &Text, scope: &Context) -> Option<Template> {
        let result = crate::expr::check_template(&at.value, &scope.scope(self, here));
        self.checked(here, at, result)
    }
    fn checked<T>(&mut self, here: &Here, at: &Text, result: Result<T, Fault>) -> Option<T> {
        match result {
            Ok(found) => Some(found),
            Err(fault) => {
                self.fault(here, at, fault);
                None
            }
        }
    }
}

/// What is in reach of an expression, without borrowing the checker.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    pub this: Option<QName>,
    pub variables: BTreeMap<Name, Kind>,
}

impl Context {
    pub fn this(entity: &QName) -> Self {
        Self { this: Some(entity.clone()), variables: BTreeMap::new() }
    }
    pub fn with_this(&self, entity: &QName) -> Self {
        Self { this: Some(entity.clone()), variables: self.variables.clone() }
    }
    fn scope<'a>(&self, schema: &'a Checker<'_>, here: &Here) -> Scope<'a> {
        Scope { this: self.this.clone(), variables: self.variables.clone(), ..Scope::new(schema, here.module.clone()) }
    }
}

impl Here {
    pub fn place<T>(&self, at: &At<T>) -> Place {
        Place { file: self.file.clone(), line: at.line, column: at.column }
    }
    /// A name with or without its module.
    pub fn resolve(&self, text: &str) -> QName {
        QName::parse(text).unwrap_or_else(|| QName::new(self.module.clone(), text))
    }
    /// A name as it would be written here.
    pub fn short(&self, name: &QName) -> String {
        if name.module == self.module { name.name.to_string() } else { name.to_string() }
    }
}

impl Schema for Checker<'_> {
    fn member(&self, entity: &QName, name: &str) -> Option<MemberType> {
        let entity = self.model.entities.get(entity)?;
        if let Some(attribute) = entity.attributes.get(name) {
            return Some(MemberType::Attribute(attribute.kind(), attribute.calculated.clone()));
        }
        if let Some(association) = entity.associations.get(name) {
            return Some(match association.multiplicity {
                Multiplicity::ManyToMany => MemberType::ToMany(association.target.clone()),
                _ => MemberType::ToOne(association.target.clone()),
            });
        }
        let inverse = entity.inverses.get(name)?;
        Some(if inverse.many { MemberType::ToMany(inverse.owner.clone()) } else { MemberType::ToOne(inverse.owner.clone()) })
    }
    fn members(&self, entity: &QName) -> Vec<Name> {
        let found = self.model.entities.get(entity);
        found.map(|e| e.members().chain(e.inverses.keys()).cloned().collect()).unwrap_or_default()
    }
    fn enumeration(&self, name: &QName) -> Option<Vec<Name>> {
        self.model.enumerations.get(name).map(|e| e.values.keys().cloned().collect())
    }
    fn constant(&self, name: &QName) -> Option<(Kind, Value)> {
        self.model.constants.get(name).cloned()
    }
    fn user_roles(&self) -> Vec<Name> {
        self.model.user_roles.keys().cloned().collect()
    }
    fn tree(&self, entity: &QName) -> Option<Name> {
        self.model.entities.get(entity)?.tree.clone()
    }
    fn predicate(&self, entity: &QName, name: &str) -> Option<Predicate> {
        self.known_predicate(entity, name)
    }
    fn predicates(&self, entity: &QName) -> Vec<Name> {
        self.predicates.get(entity).map(|all| all.keys().cloned().collect()).unwrap_or_default()
    }
}

/// A digest of all files: equal models have equal ones.
fn fingerprint(files: &Files) -> String {
    use std::hash::{Hash, Hasher};
    // Not a security digest: it tells one model version from another within one server.
    let mut hasher = std::hash::DefaultHasher::new();
    files.0.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
