//! Microflows: signatures, then activities.

use super::super::finding::Severity;
use super::super::source::{self, At, Map, Text};
use super::super::types::*;
use super::checker::{Checker, Context, Here, Sources};
use crate::domain::{ByName, Kind, Name, Number, QName};
use crate::expr::{Aggregate, Typed};
use std::sync::Arc;

impl Checker<'_> {
    /// Parameters and results of flows, parameters of pages: what calls are checked against.
    pub fn signatures(&mut self, sources: &Sources) {
        for (here, name, flow) in &sources.flows {
            let mut parameters = ByName::default();
            for (at, kind) in &flow.parameters.0 {
                let parameter = self.name(here, at, true);
                if let Some(kind) = self.kind(here, kind) {
                    parameters.insert(parameter, kind);
                }
            }
            let returns = flow.returns.as_ref().and_then(|at| self.kind(here, at));
            let any_version = flow.any_version.as_ref().filter(|at| at.value);
            if let Some(at) = any_version {
                let message = format!("{name} acts on objects even if somebody changed them since they were shown");
                let hint = "remove `anyVersion`, unless the flow is right for whatever the object has become";
                let place = Place { file: here.file.clone(), line: at.line, column: at.column };
                self.report(Severity::Warning, "any-version", &place, 4, message, Some(hint.to_owned()));
            }
            let built = Microflow {
                name: name.clone(),
                doc: flow.doc.clone(),
                roles: self.module_roles(here, &flow.roles),
                parameters,
                apply_entity_access: flow.apply_entity_access,
                any_version: any_version.is_some(),
                elevation: ByName::default(),
                returns,
                body: Vec::new(),
                place: Place { file: here.file.clone(), line: 0, column: 0 },
            };
            self.model.microflows.insert(name.clone(), Arc::new(built));
        }
        for (here, name, page) in &sources.pages {
            let mut parameters = ByName::default();
            for (at, entity) in &page.parameters.0 {
                let parameter = self.name(here, at, true);
                if let Some(entity) = self.entity(here, entity) {
                    parameters.insert(parameter, entity.name.clone());
                }
            }
            let built = Page {
                name: name.clone(),
                title: Default::default(),
                layout: page.layout,
                roles: self.module_roles(here, &page.roles),
                parameters,
                content: Vec::new(),
                place: Place { file: here.file.clone(), line: page.title.line, column: page.title.column },
            };
            self.model.pages.insert(name.clone(), Arc::new(built));
        }
    }

    /// Elevations and bodies.
    pub fn flows(&mut self, sources: &Sources) {
        for (here, name, source) in &sources.flows {
            let Some(flow) = self.model.microflows.get(name).cloned() else { continue };
            let elevation = self.elevation(here, source);
            let mut context = Context { this: None, variables: flow.parameters.clone().into_iter().collect() };
            let body = Body { returns: flow.returns.clone() };
            let activities = self.activities(here, &body, &source.body, &mut context);
            if flow.returns.is_some() && !always_ends(&activities) {
                let at = source.returns.clone().unwrap_or_default();
                self.error(here, &at, "no-end", "not every way through this flow ends with a value", None);
            }
            let mut built = (*flow).clone();
            built.elevation = elevation;
            built.body = activities;
            self.model.microflows.insert(name.clone(), Arc::new(built));
        }
    }

    fn elevation(&mut self, here: &Here, source: &source::Microflow) -> ByName<QName, Vec<Arc<AccessRule>>> {
        let mut out: ByName<QName, Vec<Arc<AccessRule>>> = ByName::default();
        for (index, grant) in source.elevation.iter().enumerate() {
            if source.apply_entity_access {
                let hint = Some("set applyEntityAccess: false".to_owned());
                self.error(here, &grant.entity, "elevation", "an elevation needs applyEntityAccess: false", hint);
            }
            let Some(entity) = self.entity(here, &grant.entity) else { continue };
            let read = self.own_members(here, &entity, &grant.read).into_iter().collect();
            let write = self.writable(here, &entity, &grant.write);
            let condition = grant.condition.as_ref().and_then(|at| self.row_condition(here, at, &Context::this(&entity.name)));
            out.entry(entity.name.clone()).or_default().push(Arc::new(AccessRule {
                number: index + 1,
                doc: grant.doc.clone(),
                roles: Default::default(),
                create: grant.create,
                delete: grant.delete,
                read,
                write,
                condition: condition.map(Arc::new),
                condition_text: grant.condition.as_ref().map(|at| Arc::from(at.value.trim_end())),
                place: here.place(&grant.entity),
            }));
        }
        out
    }

    fn activities(&mut self, here: &Here, body: &Body, source: &[At<source::Activity>], context: &mut Context) -> Vec<Activity> {
        let mut out = Vec::new();
        for activity in source {
            if let Some(kind) = self.activity(here, body, &activity.value, context) {
                out.push(Activity { kind, place: here.place(activity) });
            }
        }
        out
    }

    fn activity(&mut self, here: &Here, body: &Body, source: &source::Activity, context: &mut Context) -> Option<ActivityKind> {
        use source::Activity as S;
        Some(match source {
            S::Retrieve(retrieve) => return self.retrieve(here, retrieve, context),
            S::Create(create) => {
                let entity = self.entity(here, &create.entity);
                let output = self.declare(here, &create.output, context, entity.as_ref().map(|e| Kind::Object(e.name.clone())));
                let entity = entity?;
                let set = self.assignments(here, &entity, &create.set, context);
                ActivityKind::Create { output, entity: entity.name.clone(), set }
            }
            S::Change(change) => {
                let (object, entity) = self.object(here, &change.object, context)?;
                let set = self.assignments(here, &entity, &change.set, context);
                ActivityKind::Change { object, entity: entity.name.clone(), set }
            }
            S::Delete(delete) => {
                let (object, entity) = self.object(here, &delete.object, context)?;
                ActivityKind::Delete { object, entity: entity.name.clone() }
            }
            S::Lock(object) => {
                let (name, entity) = self.object(here, object, context)?;
                if !entity.persistable {
                    let message = format!("only a stored object can be locked; {} is not stored", entity.name);
                    self.error(here, object, "kind", message, None);
                }
                ActivityKind::Lock { object: name, entity: entity.name.clone() }
            }
            S::Aggregate(aggregate) => return self.aggregate_list(here, aggregate, context),
            S::Set(set) => {
                let known = context.variables.get(set.variable.value.as_str()).cloned();
                let value = self.typed(here, &set.value, context, known.as_ref());
                let kind = known.or_else(|| value.as_ref().map(|v| v.kind.clone()));
                if kind == Some(Kind::Empty) {
                    self.error(here, &set.value, "variable", "a new variable needs a kind; `empty` has none", None);
                    return None;
                }
                let variable = Name::new(&set.variable.value);
                if !context.variables.contains_key(&variable) {
                    self.declare(here, &set.variable, context, kind);
                }
                ActivityKind::Set { variable, value: value? }
            }
            S::Decide(decide) => {
                let condition = self.condition(here, &decide.condition, context);
                let then = self.activities(here, body, &decide.then, &mut context.clone());
                let otherwise = self.activities(here, body, &decide.otherwise, &mut context.clone());
                ActivityKind::Decide { condition: condition?, then, otherwise }
            }
            S::Loop(source) => {
                let list = self.list(here, &source.over, context);
                let mut inner = context.clone();
                let element =
                    self.declare(here, &source.element, &mut inner, list.as_ref().map(|(_, e)| Kind::Object(e.name.clone())));
                let activities = self.activities(here, body, &source.body, &mut inner);
                ActivityKind::Loop { over: list?.0, element, body: activities }
            }
            S::Call(call) => {
                let flow = self.flow(here, &call.microflow);
                let with = flow.as_ref().map(|flow| self.arguments(here, &call.microflow, &flow.parameters, &call.with, context));
                let output = call.output.as_ref().map(|at| {
                    let kind = flow.as_ref().and_then(|f| f.returns.clone());
                    if flow.is_some() && kind.is_none() {
                        self.error(here, at, "call", "this flow gives nothing back", None);
                    }
                    self.declare(here, at, context, kind)
                });
                let flow = flow?;
                self.used_flows.insert(flow.name.clone());
                ActivityKind::Call { microflow: flow.name.clone(), with: with?, output }
            }
            S::ShowPage(open) => ActivityKind::ShowPage(self.open(here, open, context)?),
            S::ClosePage(_) => ActivityKind::ClosePage,
            S::Message(message) => {
                ActivityKind::Message { text: self.template(here, &message.text, context)?, tone: message.tone }
            }
            S::Feedback(feedback) => {
                let (object, entity) = self.object(here, &feedback.object, context)?;
                let member = self.own_member(here, &entity, &feedback.member)?;
                ActivityKind::Feedback { object, member, message: self.template(here, &feedback.message, context)? }
            }
            S::Log(log) => ActivityKind::Log {
                node: log.node.value.clone(),
                level: log.level,
                text: self.template(here, &log.text, context)?,
            },
            S::SendMail(mail) => {
                let to = self.typed(here, &mail.to, context, Some(&Kind::Text));
                let subject = self.template(here, &mail.subject, context);
                let text = self.template(here, &mail.text, context);
                ActivityKind::SendMail { to: to?, subject: subject?, text: text? }
            }
            S::Publish(publish) => return self.publish(here, publish, context),
            S::Register(register) => {
                let email = self.typed(here, &register.email, context, Some(&Kind::Text));
                let name = self.typed(here, &register.name, context, Some(&Kind::Text));
                let (data, entity) = self.object(here, &register.data, context)?;
                self.registered(here, register, &entity);
                ActivityKind::Register { email: email?, name: name?, data }
            }
            S::End(end) => {
                let value = match (&end.value, &body.returns) {
                    (Some(at), Some(kind)) => Some(self.typed(here, at, context, Some(kind))?),
                    (Some(at), None) => {
                        self.error(here, at, "end", "this flow gives nothing back", Some("declare `returns`".into()));
                        return None;
                    }
                    (None, _) => None,
                };
                ActivityKind::End { value }
            }
            S::Raise(raise) => ActivityKind::Raise { message: self.template(here, &raise.message, context)? },
        })
    }

    /// Declares a variable; an unknown kind still declares nothing, to avoid follow-up faults being wrong.
    fn declare(&mut self, here: &Here, at: &Text, context: &mut Context, kind: Option<Kind>) -> Name {
        let name = self.name(here, at, true);
        if let Some(kind) = kind {
            if context.variables.contains_key(&name) {
                self.error(here, at, "duplicate", format!("there is a variable ${name} already"), None);
            }
            context.variables.insert(name.clone(), kind);
        }
        name
    }

    fn variable(&mut self, here: &Here, at: &Text, context: &Context) -> Option<(Name, Kind)> {
        let bare = at.value.strip_prefix('$').unwrap_or_default();
        if let Some((name, kind)) = context.variables.get_key_value(bare) {
            return Some((name.clone(), kind.clone()));
        }
        let hint =
            crate::domain::did_you_mean(bare, context.variables.keys().map(Name::as_str)).map(|n| format!("did you mean ${n}?"));
        self.error(here, at, "unknown-name", format!("there is no variable `{}`", at.value), hint);
        None
    }

    fn object(&mut self, here: &Here, at: &Text, context: &Context) -> Option<(Name, Arc<Entity>)> {
        let (name, kind) = self.variable(here, at, context)?;
        let Kind::Object(entity) = &kind else {
            self.error(here, at, "kind", format!("an object is needed here, not {}", kind.describe()), None);
            return None;
        };
        Some((name, self.model.entities.get(entity)?.clone()))
    }

    fn list(&mut self, here: &Here, at: &Text, context: &Context) -> Option<(Name, Arc<Entity>)> {
        let (name, kind) = self.variable(here, at, context)?;
        let Kind::List(entity) = &kind else {
            self.error(here, at, "kind", format!("a list is needed here, not {}", kind.describe()), None);
            return None;
        };
        Some((name, self.model.entities.get(entity)?.clone()))
    }

    fn retrieve(&mut self, here: &Here, source: &source::Retrieve, context: &mut Context) -> Option<ActivityKind> {
        if let (Some(from), Some(association)) = (&source.from, &source.association) {
            let found = self.object(here, from, context).and_then(|(from, entity)| {
                let (target, many) = self.along(here, &entity, association)?;
                Some((from, entity, target, many))
            });
            let kind = found
                .as_ref()
                .map(|(_, _, target, many)| if *many { Kind::List(target.clone()) } else { Kind::Object(target.clone()) });
            let output = self.declare(here, &source.output, context, kind);
            let (from, entity, _, many) = found?;
            return Some(ActivityKind::RetrieveAssociation {
                output,
                from,
                entity: entity.name.clone(),
                member: Name::new(&association.value),
                many,
            });
        }
        let Some(at) = &source.entity else {
            self.error(here, &source.output, "retrieve", "a retrieve has either `entity`, or `from` and `association`", None);
            return None;
        };
        let entity = self.entity(here, at);
        let kind = entity.as_ref().map(|e| if source.first { Kind::Object(e.name.clone()) } else { Kind::List(e.name.clone()) });
        let before = context.clone();
        let output = self.declare(here, &source.output, context, kind);
        let entity = entity?;
        let inner = before.with_this(&entity.name);
        let condition = match &source.condition {
            Some(at) => Some(self.row_condition(here, at, &inner)?),
            None => None,
        };
        let sort = self.sort(here, &entity.name, &source.sort);
        Some(ActivityKind::Retrieve {
            output,
            entity: entity.name.clone(),
            condition,
            sort,
            first: source.first,
            limit: source.limit,
            offset: source.offset,
        })
    }

    /// The entity along an association (own or inverse name), and whether it leads to many.
    pub fn along(&mut self, here: &Here, entity: &Entity, at: &Text) -> Option<(QName, bool)> {
        if let Some(own) = entity.associations.get(at.value.as_str()) {
            return Some((own.target.clone(), own.multiplicity == Multiplicity::ManyToMany));
        }
        if let Some(inverse) = entity.inverses.get(at.value.as_str()) {
            return Some((inverse.owner.clone(), inverse.many));
        }
        let names = entity.associations.keys().chain(entity.inverses.keys()).map(Name::as_str);
        self.unknown(here, at, &format!("association of {}", entity.name), names);
        None
    }

    fn aggregate_list(&mut self, here: &Here, source: &source::AggregateList, context: &mut Context) -> Option<ActivityKind> {
        let list = self.list(here, &source.list, context);
        let function = match source.function.value.as_str() {
            "count" => ListFunction::Plain(Aggregate::Count),
            "sum" => ListFunction::Plain(Aggregate::Sum),
            "min" => ListFunction::Plain(Aggregate::Min),
            "max" => ListFunction::Plain(Aggregate::Max),
            "average" => ListFunction::Average,
            _ => {
                self.unknown(here, &source.function, "aggregate", ["count", "sum", "min", "max", "average"]);
                return None;
            }
        };
        let of =
            source.of.as_ref().and_then(|at| list.as_ref().and_then(|(_, entity)| self.own_member(here, &entity.clone(), at)));
        let counts = function == ListFunction::Plain(Aggregate::Count);
        if counts == source.of.is_some() {
            self.error(here, &source.function, "aggregate", "count takes no `of`; the others need one", None);
            return None;
        }
        let member = of.as_ref().and_then(|of| list.as_ref().and_then(|(_, entity)| entity.member_kind(of)));
        let kind = match (function, member) {
            (ListFunction::Plain(Aggregate::Count), _) => Some(Kind::INTEGER),
            (ListFunction::Average, Some(Kind::Number(_))) => Some(Kind::Number(Number { digits: 28, scale: 8 })),
            (ListFunction::Plain(Aggregate::Sum), Some(Kind::Number(n))) => {
                Some(Kind::Number(Number { digits: 28, scale: n.scale }))
            }
            (
                ListFunction::Plain(Aggregate::Min | Aggregate::Max),
                Some(kind @ (Kind::Number(_) | Kind::Date | Kind::DateTime)),
            ) => Some(kind),
            (_, Some(kind)) => {
                self.error(here, &source.function, "aggregate", format!("this does not work on {}", kind.describe()), None);
                None
            }
            _ => None,
        };
        let output = self.declare(here, &source.output, context, kind);
        let (list, entity) = list?;
        Some(ActivityKind::Aggregate { output, list, entity: entity.name.clone(), function, of })
    }

    fn publish(&mut self, here: &Here, source: &source::Publish, context: &Context) -> Option<ActivityKind> {
        let name = here.resolve(&source.snapshot.value);
        let Some(snapshot) = self.model.snapshots.get(&name).cloned() else {
            let names: Vec<String> = self.model.snapshots.keys().map(|n| here.short(n)).collect();
            self.unknown(here, &source.snapshot, "snapshot", names.iter().map(String::as_str));
            return None;
        };
        let (list, entity) = self.list(here, &source.list, context)?;
        if entity.name != snapshot.entity {
            self.error(here, &source.list, "kind", format!("{name} holds {}, not {}", snapshot.entity, entity.name), None);
            return None;
        }
        Some(ActivityKind::Publish { snapshot: name, list })
    }

    fn registered(&mut self, here: &Here, register: &source::Register, entity: &Entity) {
        let Some(registration) = self.model.registration.clone() else {
            let hint = Some("add `registration` to app.yaml".into());
            self.error(here, &register.data, "registration", "the app has no registration", hint);
            return;
        };
        if entity.persistable {
            self.error(here, &register.data, "registration", "only a non-persistable object can be registered", None);
        }
        let after = registration.after.and_then(|name| self.model.microflows.get(&name).cloned());
        let fits = after.is_none_or(|flow| {
            let kinds: Vec<&Kind> = flow.parameters.values().collect();
            kinds == [&Kind::Object(Model::user_entity()), &Kind::Object(entity.name.clone())]
        });
        if !fits {
            let message = format!("the flow after registration takes (User: system.User, …: {})", entity.name);
            self.error(here, &register.data, "registration", message, None);
        }
    }

    /// Member → value.
    pub fn assignments(&mut self, here: &Here, entity: &Entity, set: &Map<Text>, context: &Context) -> Vec<(Name, Typed)> {
        let mut out = Vec::new();
        for (at, value) in &set.0 {
            let Some(member) = self.own_member(here, entity, at) else { continue };
            if entity.server_kept(&member) {
                self.error(here, at, "server-kept", format!("`{member}` is kept by the server and never written"), None);
            }
            let Some(kind) = entity.member_kind(&member) else { continue };
            out.extend(self.assigned(here, value, context, &kind).map(|typed| (member, typed)));
        }
        out
    }

    /// Parameter → value, each exactly once.
    pub fn arguments(
        &mut self,
        here: &Here,
        at: &Text,
        parameters: &ByName<Name, Kind>,
        with: &Map<Text>,
        context: &Context,
    ) -> Vec<(Name, Typed)> {
        let mut out: Vec<(Name, Typed)> = Vec::new();
        for (key, value) in &with.0 {
            let Some((name, kind)) = parameters.get_key_value(key.value.as_str()) else {
                self.unknown(here, key, "parameter", parameters.keys().map(Name::as_str));
                continue;
            };
            out.extend(self.typed(here, value, context, Some(kind)).map(|typed| (name.clone(), typed)));
        }
        for name in parameters.keys() {
            if !with.0.iter().any(|(key, _)| key.value == **name) {
                self.error(
                    here,
                    at,
                    "missing-argument",
                    format!("the parameter `{name}` is not given"),
                    Some(format!("add `with: {{{name}: …}}`")),
                );
            }
        }
        out
    }

    /// A page to open and its parameters.
    pub fn open(&mut self, here: &Here, open: &source::Open, context: &Context) -> Option<Open> {
        let page = self.page(here, &open.page)?;
        let kinds: ByName<Name, Kind> =
            page.parameters.iter().map(|(name, entity)| (name.clone(), Kind::Object(entity.clone()))).collect();
        let with = self.arguments(here, &open.page, &kinds, &open.with, context);
        Some(Open { page: page.name.clone(), with })
    }
}

struct Body {
    returns: Option<Kind>,
}

fn always_ends(body: &[Activity]) -> bool {
    body.iter().any(|activity| match &activity.kind {
        ActivityKind::End { .. } | ActivityKind::Raise { .. } | ActivityKind::Feedback { .. } => true,
        ActivityKind::Decide { then, otherwise, .. } => always_ends(then) && always_ends(otherwise),
        _ => false,
    })
}
