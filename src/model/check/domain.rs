//! Names and domain model: enumerations, entities, members, rules.

use super::super::source::{self, Map, Text};
use super::super::types::*;
use super::checker::{Checker, Context, Here, Sources};
use crate::domain::{ByName, Kind, Member, Name, Number, QName, Value, parse_value, plain_pattern_fault};
use crate::expr::Typed;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Checker<'_> {
    /// Collects every name that others refer to.
    pub fn names(&mut self, sources: &Sources) {
        for (here, module) in &sources.modules {
            let mut roles = ByName::default();
            for (key, doc) in &module.roles.0 {
                roles.insert(self.name(here, key, true), doc.clone());
            }
            self.model.modules.insert(here.module.clone(), Module { roles });
            for (key, constant) in &module.constants.0 {
                self.constant(here, key, constant);
            }
        }
        for (name, role) in &sources.app.user_roles.0 {
            let here = app_file();
            let name = self.name(&here, name, true);
            self.model
                .user_roles
                .insert(name, UserRole { doc: role.doc.clone(), anonymous: role.anonymous, ..UserRole::default() });
        }
        for (here, domain) in &sources.domains {
            for (key, values) in &domain.enumerations.0 {
                let name = QName::new(here.module.clone(), self.name(here, key, true));
                let values = self.enumeration_values(here, values);
                self.model.enumerations.insert(name, Enumeration { values });
            }
        }
        self.model.entities.insert(Model::user_entity(), Arc::new(user_entity()));
        for (here, domain) in &sources.domains {
            for (key, entity) in &domain.entities.0 {
                let name = QName::new(here.module.clone(), self.name(here, key, true));
                let built = self.entity_skeleton(here, &name, key, entity);
                self.model.entities.insert(name, Arc::new(built));
            }
        }
    }

    fn enumeration_values(
        &mut self,
        here: &Here,
        values: &Map<Option<source::EnumerationValue>>,
    ) -> ByName<Name, EnumerationValue> {
        let mut out = ByName::default();
        for (key, value) in &values.0 {
            let name = self.name(here, key, true);
            let caption = value.as_ref().and_then(|v| v.caption.clone()).unwrap_or_else(|| spoken(&name));
            let tone = value.as_ref().map(|v| v.tone).unwrap_or_default();
            out.insert(name, EnumerationValue { caption, tone });
        }
        out
    }

    fn constant(&mut self, here: &Here, key: &Text, constant: &source::Constant) {
        let name = QName::new(here.module.clone(), self.name(here, key, true));
        match (&constant.value, &constant.secret) {
            (None, Some(variable)) => {
                self.model.secrets.insert(name, variable.value.clone());
            }
            (Some(value), None) => {
                let Some(kind) = self.plain_kind(here, &constant.kind) else { return };
                // A constant has exactly the digits it is written with.
                let kind = match kind {
                    Kind::Number(_) => {
                        let scale = value.value.split_once('.').map_or(0, |(_, tail)| tail.len() as u32);
                        let digits = value.value.bytes().filter(u8::is_ascii_digit).count() as u32;
                        if digits > Number::MOST_DIGITS {
                            self.error(here, value, "value", "a number has at most 18 digits", None);
                            return;
                        }
                        Kind::Number(Number { digits: digits.max(1), scale })
                    }
                    other => other,
                };
                match parse_value(&kind, &value.value) {
                    Some(parsed) => {
                        self.model.constants.insert(name, (kind, parsed));
                    }
                    None => self.error(here, value, "value", format!("this is no {}", kind.describe()), None),
                }
            }
            _ => self.error(here, key, "constant", "a constant has either `value` or `secret`", None),
        }
    }

    /// `string`, `integer`, … as a kind.
    pub fn plain_kind(&mut self, here: &Here, at: &Text) -> Option<Kind> {
        Some(match at.value.as_str() {
            "string" | "text" => Kind::Text,
            "integer" => Kind::INTEGER,
            "decimal" => Kind::Number(Number { digits: 18, scale: 8 }),
            "boolean" => Kind::Boolean,
            "date" => Kind::Date,
            "datetime" => Kind::DateTime,
            _ => {
                self.unknown(here, at, "type", ["string", "text", "integer", "decimal", "boolean", "date", "datetime"]);
                return None;
            }
        })
    }

    fn entity_skeleton(&mut self, here: &Here, name: &QName, key: &Text, entity: &source::Entity) -> Entity {
        let mut attributes = ByName::default();
        for (at, attribute) in &entity.attributes.0 {
            let member = self.name(here, at, false);
            if ["id", "version"].contains(&&*member) {
                self.error(here, at, "bad-name", format!("`{member}` is kept by the server"), None);
            }
            // A type that is none was reported; the member exists all the same, so that its uses are not reported too.
            let kind = self.attribute_kind(here, attribute).unwrap_or(AttributeKind::Text);
            attributes.insert(member.clone(), skeleton_attribute(here, at, member, kind, attribute));
        }
        let mut associations = ByName::default();
        for (at, association) in &entity.associations.0 {
            let member = self.name(here, at, false);
            if attributes.contains_key(&member) {
                self.error(here, at, "duplicate", format!("`{member}` is an attribute already"), None);
            }
            let built = self.association(here, at, association);
            associations.insert(member, built);
        }
        for kept in &entity.store {
            match kept.value.as_str() {
                "created" | "changed" => {
                    attributes.insert(Name::new(&kept.value), kept_attribute(&kept.value));
                }
                "owner" | "changedBy" => {
                    associations.insert(Name::new(&kept.value), kept_association(&kept.value));
                }
                _ => self.unknown(here, kept, "server-kept member", ["created", "changed", "owner", "changedBy"]),
            }
        }
        let label = entity.label.clone().unwrap_or_else(|| spoken(&name.name));
        Entity {
            name: name.clone(),
            doc: entity.doc.clone(),
            label_plural: entity.label_plural.clone().unwrap_or_else(|| format!("{label}s")),
            label,
            persistable: entity.persistable,
            system: false,
            display: None,
            attributes,
            associations,
            inverses: ByName::default(),
            tree: None,
            unique: Vec::new(),
            exclude: Vec::new(),
            indexes: Vec::new(),
            validations: Vec::new(),
            handlers: Vec::new(),
            rules: Vec::new(),
            was: entity.was.as_ref().map(|was| Name::new(&was.value)),
            place: here.place(key),
        }
    }

    fn attribute_kind(&mut self, here: &Here, attribute: &source::Attribute) -> Option<AttributeKind> {
        let word = &attribute.kind;
        let kind = match word.value.as_str() {
            "string" => {
                let length = attribute.length.as_ref().map_or(200, |l| l.value);
                if !(1..=4_000).contains(&length) {
                    self.error(here, word, "range", "a string has 1 to 4000 characters; use `text` for more", None);
                }
                AttributeKind::String(length)
            }
            "text" => AttributeKind::Text,
            "integer" => AttributeKind::Integer,
            "decimal" => {
                let digits = attribute.precision.as_ref().map_or(18, |p| p.value);
                let scale = attribute.scale.as_ref().map_or(2, |s| s.value);
                if digits > Number::MOST_DIGITS || scale > 8 || scale > digits || digits == 0 {
                    self.error(here, word, "range", "a decimal has at most 18 digits, at most 8 of them after the point", None);
                }
                AttributeKind::Decimal(Number { digits: digits.min(18), scale: scale.min(8) })
            }
            "boolean" => AttributeKind::Boolean,
            "date" => AttributeKind::Date,
            "datetime" => AttributeKind::DateTime,
            "autonumber" => AttributeKind::Autonumber,
            "enumeration" => match &attribute.of {
                Some(of) => AttributeKind::Enumeration(self.enumeration(here, of)?),
                None => {
                    self.error(
                        here,
                        word,
                        "missing-key",
                        "an enumeration attribute names its enumeration",
                        Some("add `of: <Name>`".into()),
                    );
                    return None;
                }
            },
            _ => {
                let known = ["string", "text", "integer", "decimal", "boolean", "date", "datetime", "enumeration", "autonumber"];
                self.unknown(here, word, "attribute type", known);
                return None;
            }
        };
        let misplaced = [
            ("length", attribute.length.is_some() && !matches!(kind, AttributeKind::String(_))),
            ("precision", attribute.precision.is_some() && !matches!(kind, AttributeKind::Decimal(_))),
            ("of", attribute.of.is_some() && !matches!(kind, AttributeKind::Enumeration(_))),
            ("pattern", attribute.pattern.is_some() && !matches!(kind, AttributeKind::String(_) | AttributeKind::Text)),
        ];
        for (key, wrong) in misplaced {
            if wrong {
                self.error(here, word, "misplaced-key", format!("`{key}` has no meaning for {}", word.value), None);
            }
        }
        Some(kind)
    }

    fn association(&mut self, here: &Here, at: &Text, association: &source::Association) -> Association {
        let multiplicity = match association.kind.as_ref().map(|k| k.value.as_str()) {
            None | Some("many-to-one") => Multiplicity::ManyToOne,
            Some("one-to-one") => Multiplicity::OneToOne,
            Some("many-to-many") => Multiplicity::ManyToMany,
            Some(_) => {
                let kind = association.kind.clone().unwrap_or_default();
                self.unknown(here, &kind, "association kind", ["many-to-one", "one-to-one", "many-to-many"]);
                Multiplicity::ManyToOne
            }
        };
        let on_delete = match association.on_delete.as_ref().map(|k| k.value.as_str()) {
            None | Some("refuse") => OnDelete::Refuse,
            Some("cascade") => OnDelete::Cascade,
            Some("clear") => OnDelete::Clear,
            Some(_) => {
                let word = association.on_delete.clone().unwrap_or_default();
                self.unknown(here, &word, "behaviour on delete", ["refuse", "cascade", "clear"]);
                OnDelete::Refuse
            }
        };
        if association.required && on_delete == OnDelete::Clear {
            self.error(
                here,
                at,
                "contradiction",
                "a required association cannot be cleared on delete",
                Some("use refuse or cascade".into()),
            );
        }
        if association.required && multiplicity == Multiplicity::ManyToMany {
            self.error(here, at, "contradiction", "a many-to-many association cannot be required", None);
        }
        let name = Name::new(&at.value);
        Association {
            label: association.label.clone().unwrap_or_else(|| spoken(&name)),
            name,
            target: here.resolve(&association.to.value),
            multiplicity,
            required: association.required,
            on_delete,
            inverse: association.inverse.as_ref().map(|inverse| self.name(here, inverse, false)),
            help: association.help.clone().unwrap_or_default(),
            default: None,
            was: association.was.as_ref().map(|was| Name::new(&was.value)),
            server: false,
            place: here.place(at),
        }
    }

    /// Associations between entities, and what needs no expression.
    pub fn domain(&mut self, sources: &Sources) {
        for (here, domain) in &sources.domains {
            for (key, entity) in &domain.entities.0 {
                for (at, association) in &entity.associations.0 {
                    self.connect(here, &QName::new(here.module.clone(), key.value.as_str()), at, association);
                }
            }
        }
        for (here, domain) in &sources.domains {
            for (key, entity) in &domain.entities.0 {
                self.structure(here, &QName::new(here.module.clone(), key.value.as_str()), entity);
            }
        }
    }

    fn connect(&mut self, here: &Here, owner: &QName, at: &Text, association: &source::Association) {
        let Some(target) = self.entity(here, &association.to) else {
            self.change(owner, |entity| {
                entity.associations.shift_remove(at.value.as_str());
            });
            return;
        };
        let Some(entity) = self.model.entities.get(owner).cloned() else { return };
        if entity.persistable && !target.persistable {
            self.error(
                here,
                &association.to,
                "association",
                "a persistable entity cannot own an association to a non-persistable one",
                None,
            );
        }
        let Some(inverse) = &association.inverse else { return };
        if !entity.persistable {
            self.error(here, inverse, "association", "an association of a non-persistable entity has no inverse", None);
            return;
        }
        if target.has_member(&inverse.value) || target.inverses.contains_key(inverse.value.as_str()) {
            self.error(here, inverse, "duplicate", format!("{} has a member `{}` already", target.name, inverse.value), None);
            return;
        }
        let one = entity.associations.get(at.value.as_str()).is_some_and(|a| a.multiplicity == Multiplicity::OneToOne);
        let found = Inverse { owner: owner.clone(), association: Name::new(&at.value), many: !one };
        let target = target.name.clone();
        self.change(&target, |entity| {
            entity.inverses.insert(Name::new(&inverse.value), found);
        });
    }

    fn structure(&mut self, here: &Here, name: &QName, source: &source::Entity) {
        let Some(entity) = self.model.entities.get(name).cloned() else { return };
        let tree = source.tree.as_ref().and_then(|at| {
            let own = entity.associations.get(at.value.as_str());
            if own.is_some_and(|a| a.target == *name && a.multiplicity == Multiplicity::ManyToOne) {
                return Some(Name::new(&at.value));
            }
            self.error(here, at, "tree", "a tree needs a many-to-one association to the entity itself", None);
            None
        });
        let first =
            entity.attributes.values().find(|a| matches!(a.kind, AttributeKind::String(_)) && !a.server).map(|a| a.name.clone());
        let display = match &source.display {
            Some(at) => self.own_member(here, &entity, at).filter(|m| entity.attributes.contains_key(m)),
            None => first,
        };
        let unique = source.unique.iter().map(|set| self.own_members(here, &entity, set)).collect();
        let indexes = source.indexes.iter().map(|set| self.own_members(here, &entity, set)).collect();
        let exclude = source.exclude.0.iter().filter_map(|written| self.exclusion(here, &entity, written)).collect();
        self.change(name, |entity| {
            entity.tree = tree;
            entity.display = display;
            entity.unique = unique;
            entity.exclude = exclude;
            entity.indexes = indexes;
        });
    }

    /// Changes an entity of the model so far.
    pub fn change(&mut self, name: &QName, how: impl FnOnce(&mut Entity)) {
        if let Some(entity) = self.model.entities.get_mut(name) {
            how(Arc::make_mut(entity));
        }
    }

    /// Defaults, calculated members, validations, rules, handlers.
    pub fn domain_expressions(&mut self, sources: &Sources) {
        self.calculated(sources);
        for (here, domain) in &sources.domains {
            for (key, source) in &domain.entities.0 {
                let name = QName::new(here.module.clone(), key.value.as_str());
                let Some(entity) = self.model.entities.get(&name).cloned() else { continue };
                self.attribute_details(here, &entity, source);
                let validations = source.validations.iter().filter_map(|v| self.validation(here, &entity, v)).collect();
                let handlers = source.events.iter().filter_map(|h| self.handler(here, &entity, h)).collect();
                let rules = self.rules(here, &entity, &source.access);
                self.change(&name, |entity| {
                    entity.validations = validations;
                    entity.handlers = handlers;
                    entity.rules = rules;
                });
            }
        }
        for (key, rules) in &sources.app.system_access.0 {
            let here = app_file();
            if key.value != "User" {
                self.unknown(&here, key, "system entity", ["User"]);
                continue;
            }
            let Some(entity) = self.model.entities.get(&Model::user_entity()).cloned() else { continue };
            let rules = self.rules(&here, &entity, rules);
            self.change(&Model::user_entity(), |entity| entity.rules = rules);
        }
    }

    /// Calculated members and predicates may build on each other, but not in a circle.
    fn calculated(&mut self, sources: &Sources) {
        let mut open: Vec<(Here, QName, Text, Text)> = Vec::new();
        for (here, domain) in &sources.domains {
            for (key, entity) in &domain.entities.0 {
                let name = QName::new(here.module.clone(), key.value.as_str());
                for (at, attribute) in &entity.attributes.0 {
                    if let Some(text) = &attribute.calculated {
                        self.pending.insert(Member { entity: name.clone(), name: Name::new(&at.value) });
                        open.push((here.clone(), name.clone(), at.clone(), text.clone()));
                    }
                }
            }
        }
        let mut named = self.declare_predicates(sources);
        while !open.is_empty() || !named.is_empty() {
            let before = open.len() + named.len();
            open.retain(|(here, entity, at, text)| !self.calculate(here, entity, at, text));
            named.retain(|one| !self.settle_predicate(one));
            if open.len() + named.len() == before {
                for (here, _, _, text) in &open {
                    self.error(here, text, "circle", "this calculated member depends on itself", None);
                }
                self.circular_predicates(&named);
                return;
            }
        }
    }

    /// Whether the member is settled (also when it is wrong).
    fn calculate(&mut self, here: &Here, entity: &QName, at: &Text, text: &Text) -> bool {
        let kind = self.model.entities.get(entity).and_then(|e| e.member_kind(&at.value));
        let (Some(kind), context) = (kind, Context::this(entity)) else { return true };
        let findings = self.findings.len();
        self.waiting.set(false);
        let typed = self.calculation(here, text, &context, &kind);
        if self.waiting.replace(false) || typed.as_ref().is_some_and(|typed| self.waits(typed)) {
            self.findings.truncate(findings);
            return false;
        }
        self.pending.remove(&Member { entity: entity.clone(), name: Name::new(&at.value) });
        if let Some(typed) = typed {
            self.change(entity, |entity| {
                if let Some(attribute) = entity.attributes.get_mut(at.value.as_str()) {
                    attribute.calculated = Some(Arc::new(typed));
                }
            });
        }
        true
    }

    pub(super) fn waits(&self, typed: &Typed) -> bool {
        let mut waits = false;
        typed.visit(&mut |node| {
            if let crate::expr::Node::Member { entity, name, .. } = &node.node {
                waits |= self.pending.contains(&Member { entity: entity.clone(), name: name.clone() });
            }
        });
        waits
    }

    fn attribute_details(&mut self, here: &Here, entity: &Entity, source: &source::Entity) {
        for (at, written) in &source.attributes.0 {
            let Some(kind) = entity.member_kind(&at.value) else { continue };
            let default = written.default.as_ref().and_then(|text| self.typed(here, text, &Context::default(), Some(&kind)));
            let min = written.min.as_ref().and_then(|text| self.bound(here, text, &kind));
            let max = written.max.as_ref().and_then(|text| self.bound(here, text, &kind));
            let pattern = written.pattern.as_ref().and_then(|text| self.pattern(here, text));
            if written.calculated.is_some() && (written.required || written.default.is_some()) {
                self.error(here, at, "contradiction", "a calculated member is neither required nor has it a default", None);
            }
            self.change(&entity.name, |entity| {
                if let Some(attribute) = entity.attributes.get_mut(at.value.as_str()) {
                    attribute.default = default;
                    attribute.min = min;
                    attribute.max = max;
                    attribute.pattern = pattern;
                }
            });
        }
        for (at, written) in &source.associations.0 {
            let Some(kind) = entity.member_kind(&at.value) else { continue };
            let Some(text) = &written.default else { continue };
            let default = self.typed(here, text, &Context::default(), Some(&kind));
            self.change(&entity.name, |entity| {
                if let Some(association) = entity.associations.get_mut(at.value.as_str()) {
                    association.default = default;
                }
            });
        }
    }

    fn bound(&mut self, here: &Here, text: &Text, kind: &Kind) -> Option<Value> {
        let bounded = matches!(kind, Kind::Number(_) | Kind::Date);
        match parse_value(kind, &text.value) {
            Some(value) if bounded && !value.is_empty() => Some(value),
            _ => {
                self.error(here, text, "value", format!("this is no bound for {}", kind.describe()), None);
                None
            }
        }
    }

    /// The `regex` crate matches in linear time, so no pattern can be made to hang (ASVS 1.3.12).
    fn pattern(&mut self, here: &Here, text: &Text) -> Option<regex::Regex> {
        match regex::RegexBuilder::new(&format!("^(?:{})$", text.value)).size_limit(1 << 20).build() {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let why = plain_pattern_fault(&error.to_string());
                self.error(here, text, "pattern", format!("this is no regular expression: {why}"), None);
                None
            }
        }
    }

    fn validation(&mut self, here: &Here, entity: &Entity, written: &source::Validation) -> Option<Validation> {
        let member = written.member.as_ref().and_then(|at| self.own_member(here, entity, at));
        let rule = self.condition(here, &written.rule, &Context::this(&entity.name))?;
        Some(Validation { member, rule, message: written.message.clone() })
    }

    fn handler(&mut self, here: &Here, entity: &Entity, written: &source::Handler) -> Option<Handler> {
        let (moment, deed) = match written.on.value.split_once(' ') {
            Some((moment @ ("before" | "after"), deed @ ("create" | "commit" | "delete"))) => {
                let deed = match deed {
                    "create" => Deed::Create,
                    "commit" => Deed::Commit,
                    _ => Deed::Delete,
                };
                (if moment == "before" { Moment::Before } else { Moment::After }, deed)
            }
            _ => {
                let hint = "one of before/after create/commit/delete".to_owned();
                self.error(here, &written.on, "handler", format!("`{}` is no event", written.on.value), Some(hint));
                return None;
            }
        };
        let flow = self.flow(here, &written.run)?;
        let fits = flow.parameters.len() == 1 && flow.parameters.values().all(|kind| *kind == Kind::Object(entity.name.clone()));
        if !fits {
            self.error(here, &written.run, "handler", format!("a handler has one parameter, of {}", entity.name), None);
        }
        if !entity.persistable {
            self.error(here, &written.on, "handler", "a non-persistable entity has no events", None);
        }
        self.used_flows.insert(flow.name.clone());
        Some(Handler { moment, deed, microflow: flow.name.clone() })
    }

    fn rules(&mut self, here: &Here, entity: &Entity, rules: &[source::AccessRule]) -> Vec<Arc<AccessRule>> {
        let mut out = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let roles = self.module_roles(here, &rule.roles);
            if rule.roles.is_empty() {
                let at = rule.read.first().or(rule.write.first()).cloned().unwrap_or_default();
                self.error(here, &at, "rule", "an access rule names its module roles; nobody is meant by saying nothing", None);
            }
            let read: BTreeSet<Name> = self.own_members(here, entity, &rule.read).into_iter().collect();
            let write = self.writable(here, entity, &rule.write);
            let condition = rule.condition.as_ref().and_then(|at| self.row_condition(here, at, &Context::this(&entity.name)));
            if let (Some(at), false) = (&rule.condition, entity.persistable) {
                self.error(here, at, "rule", "a non-persistable object belongs to one person; its rules have no `where`", None);
            }
            if entity.system && (rule.create || rule.delete || !write.is_empty()) {
                let at = rule.write.first().or(rule.roles.first()).cloned().unwrap_or_default();
                self.error(here, &at, "rule", "system.User is never written by a model", None);
            }
            // SECURITY: a condition that did not check closes the rule; the model does not run anyway.
            out.push(Arc::new(AccessRule {
                number: index + 1,
                doc: rule.doc.clone(),
                roles,
                create: rule.create,
                delete: rule.delete,
                read,
                write,
                condition: condition.map(Arc::new),
                condition_text: rule.condition.as_ref().map(|at| Arc::from(at.value.trim_end())),
                place: rule.roles.first().map(|at| here.place(at)).unwrap_or_default(),
            }));
        }
        self.written_is_readable(here, entity, rules, &out);
        out
    }

    pub fn writable(&mut self, here: &Here, entity: &Entity, names: &[Text]) -> BTreeSet<Name> {
        let mut out = BTreeSet::new();
        for at in names {
            let Some(name) = self.own_member(here, entity, at) else { continue };
            if entity.server_kept(&name) {
                self.error(here, at, "server-kept", format!("`{name}` is kept by the server and never written"), None);
            }
            out.insert(name);
        }
        out
    }

    fn written_is_readable(&mut self, here: &Here, entity: &Entity, written: &[source::AccessRule], rules: &[Arc<AccessRule>]) {
        for (rule, source) in rules.iter().zip(written) {
            for at in &source.write {
                let readable = |role: &QName| rules.iter().any(|r| r.roles.contains(role) && r.read.contains(at.value.as_str()));
                if let Some(role) = rule.roles.iter().find(|role| !readable(role))
                    && entity.has_member(&at.value)
                {
                    self.error(
                        here,
                        at,
                        "write-only",
                        format!("{role} may write `{}` but no rule lets it be read", at.value),
                        None,
                    );
                }
            }
        }
    }
}

pub(super) fn app_file() -> Here {
    Here { file: Arc::from("app.yaml"), module: Name::new("system") }
}

/// `firstName` → `First name`.
pub(super) fn spoken(name: &str) -> String {
    let mut out = String::new();
    for (index, c) in name.chars().enumerate() {
        if index == 0 {
            out.extend(c.to_uppercase());
        } else if c.is_uppercase() {
            out.push(' ');
            out.extend(c.to_lowercase());
        } else {
            out.push(if c == '_' { ' ' } else { c });
        }
    }
    out
}

fn skeleton_attribute(here: &Here, at: &Text, name: Name, kind: AttributeKind, written: &source::Attribute) -> Attribute {
    Attribute {
        label: written.label.clone().unwrap_or_else(|| spoken(&name)),
        name,
        kind,
        help: written.help.clone().unwrap_or_default(),
        required: written.required,
        default: None,
        // Until it is checked, a placeholder marks the member as calculated.
        calculated: written.calculated.as_ref().map(|_| Arc::new(Typed::boolean(false))),
        min: None,
        max: None,
        pattern: None,
        email: written.email,
        message: written.message.clone(),
        was: written.was.as_ref().map(|was| Name::new(&was.value)),
        classification: written.classification,
        server: false,
        place: here.place(at),
    }
}

fn plain_attribute(name: &str, kind: AttributeKind, label: &str) -> Attribute {
    Attribute {
        name: Name::new(name),
        kind,
        label: label.to_owned(),
        help: String::new(),
        required: false,
        default: None,
        calculated: None,
        min: None,
        max: None,
        pattern: None,
        email: false,
        message: None,
        was: None,
        classification: Classification::Internal,
        server: true,
        place: Place::default(),
    }
}

fn kept_attribute(name: &str) -> Attribute {
    plain_attribute(name, AttributeKind::DateTime, if name == "created" { "Created" } else { "Changed" })
}

fn kept_association(name: &str) -> Association {
    Association {
        name: Name::new(name),
        target: Model::user_entity(),
        multiplicity: Multiplicity::ManyToOne,
        required: false,
        on_delete: OnDelete::Clear,
        inverse: None,
        label: if name == "owner" { "Owner".into() } else { "Changed by".into() },
        help: String::new(),
        default: None,
        was: None,
        server: true,
        place: Place::default(),
    }
}

/// The built-in users: their table is the account table.
fn user_entity() -> Entity {
    let name = plain_attribute("name", AttributeKind::String(200), "Name");
    let email = plain_attribute("email", AttributeKind::String(254), "E-mail");
    let active = plain_attribute("active", AttributeKind::Boolean, "Active");
    Entity {
        name: Model::user_entity(),
        doc: "The people who can sign in".into(),
        label: "User".into(),
        label_plural: "Users".into(),
        persistable: true,
        system: true,
        attributes: [name, email, active].into_iter().map(|a| (a.name.clone(), a)).collect(),
        associations: ByName::default(),
        inverses: ByName::default(),
        tree: None,
        display: Some(Name::new("name")),
        unique: Vec::new(),
        exclude: Vec::new(),
        indexes: Vec::new(),
        validations: Vec::new(),
        handlers: Vec::new(),
        rules: Vec::new(),
        was: None,
        place: Place::default(),
    }
}
