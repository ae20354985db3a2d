//! What the caller could change here, and so what the page offers.
//!
//! Each rule is true, false or unknown for an object. For a stored one the store tells, in one statement for a form and
//! one for a list, as a write would be tested. For a new one, and for values that are still to be chosen, the rule is
//! read in memory over what the reader may see: what depends on a value that they can still give, or may not know, is
//! unknown. What is not false is offered.
//! Deliberately not here: a decision. The store decides when it is done; what it refuses then was an honest try.

use super::{Life, Scope, This, Walk};
use crate::access::Rule;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Node, Root, Typed};
use crate::model::{Action, Widget, WidgetKind};
use crate::page::PageError;
use crate::page::told::Told;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whether a rule holds, as far as can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
    Unknown,
}

impl Truth {
    fn of(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

impl Walk<'_, '_> {
    /// Whether one of the caller's rules about the current object that pass a test could hold for it.
    pub(in crate::page) fn could(&mut self, this: &This, test: impl Fn(&Rule) -> bool, scope: &Scope) -> Result<bool, PageError> {
        let rules = self.rules(&this.entity, test);
        if rules.iter().any(|(_, rule)| rule.condition.is_none()) {
            return Ok(true);
        }
        if matches!(this.life, Life::Stored(_)) {
            if let Some(held) = self.held(this, scope)? {
                return Ok(rules.iter().any(|(number, _)| held.get(*number).copied().unwrap_or(false)));
            }
            // In a row what was not asked for all of them stays unknown: nothing is asked row by row.
            if scope.row.is_some() {
                return Ok(!rules.is_empty());
            }
        }
        let open = self.open.get(&this.id).cloned().unwrap_or_default();
        for (_, rule) in &rules {
            if self.truth(rule, this, &open, scope)? != Truth::No {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The caller's rules about an entity that pass a test, by number.
    fn rules(&self, entity: &QName, test: impl Fn(&Rule) -> bool) -> Vec<(usize, Arc<Rule>)> {
        let rights = self.authority().rights();
        let all = rights.entities.get(entity).map(|rights| rights.rules.as_slice()).unwrap_or_default();
        all.iter().enumerate().filter(|(_, rule)| test(rule)).map(|(number, rule)| (number, rule.clone())).collect()
    }

    /// Which rules hold for a stored object; `None` when that was not asked, or nobody can tell.
    fn held(&mut self, this: &This, scope: &Scope) -> Result<Option<Vec<bool>>, PageError> {
        let key = (this.entity.clone(), this.id);
        if !self.held.contains_key(&key) && scope.row.is_none() {
            self.learn_held(&this.entity, &[this.id])?;
        }
        Ok(self.held.get(&key).cloned())
    }

    fn learn_held(&mut self, entity: &QName, ids: &[ObjectId]) -> Result<(), PageError> {
        let Some(permit) = self.view_permit(entity) else { return Ok(()) };
        let Some(found) = self.context.objects.holding(&permit, ids)? else { return Ok(()) };
        for (id, holds) in found.peek() {
            self.held.insert((entity.clone(), *id), holds.clone());
        }
        Ok(())
    }

    /// Learns which rules hold for all rows of a list, if its buttons depend on that: one statement.
    pub(in crate::page) fn foresee_rules(&mut self, widgets: &[Widget], entity: &QName, rows: &[This]) -> Result<(), PageError> {
        let conditional = self.rules(entity, |rule| rule.delete).iter().all(|(_, rule)| rule.condition.is_some());
        let stored: Vec<ObjectId> = rows.iter().filter(|this| matches!(this.life, Life::Stored(_))).map(|this| this.id).collect();
        if stored.is_empty() || !conditional || !deletes(widgets) {
            return Ok(());
        }
        self.learn_held(entity, &stored)
    }

    /// Settles what the caller can give a value in a new object, of the members that the page has fields for. False when
    /// no such object could be theirs to make, whatever they give.
    pub(in crate::page) fn settle_new(
        &mut self,
        this: &This,
        fields: BTreeSet<Name>,
        set: &BTreeMap<Name, Value>,
        scope: &Scope,
    ) -> Result<bool, PageError> {
        let entity = self.model.entity(&this.entity).cloned();
        let kept = |name: &Name| entity.as_ref().is_none_or(|entity| entity.server_kept(name));
        let mut open: BTreeSet<Name> =
            fields.into_iter().filter(|name| !kept(name) && self.authority().create(&this.entity, [name]).is_ok()).collect();
        loop {
            let mut closed = Vec::new();
            for name in &open {
                if !self.one_holds(this, |rule| rule.write.contains(name), &open, scope)? {
                    closed.push(name.clone());
                }
            }
            if closed.is_empty() {
                break;
            }
            // What cannot be given stays as it is by default, and by that others may become false.
            open.retain(|name| !closed.contains(name));
        }
        let mut could = self.one_holds(this, |rule| rule.create, &open, scope)?;
        for name in set.keys() {
            could = could && self.one_holds(this, |rule| rule.write.contains(name), &open, scope)?;
        }
        self.open.insert(this.id, open);
        Ok(could)
    }

    /// Whether a member of a new object can be given a value here.
    pub(in crate::page) fn is_open(&self, this: &This, member: &Name) -> bool {
        self.open.get(&this.id).is_none_or(|open| open.contains(member))
    }

    fn one_holds(
        &mut self,
        this: &This,
        test: impl Fn(&Rule) -> bool,
        open: &BTreeSet<Name>,
        scope: &Scope,
    ) -> Result<bool, PageError> {
        for (_, rule) in self.rules(&this.entity, test) {
            if self.truth(&rule, this, open, scope)? != Truth::No {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which of some values a member of a stored object could get, so that the changed object still satisfies a rule
    /// that lets it be written.
    pub(in crate::page) fn could_become(
        &mut self,
        this: &This,
        member: &Name,
        present: &Value,
        values: Vec<Value>,
        scope: &Scope,
    ) -> Result<Vec<Value>, PageError> {
        let rules = self.rules(&this.entity, |rule| rule.write.contains(member));
        let about = |rule: &Rule| rule.condition.as_ref().is_some_and(|condition| depends(condition, &[member.clone()].into()));
        // A rule that does not look at the member holds for every value of it, or was false before.
        if !matches!(this.life, Life::Stored(_)) || rules.iter().any(|(_, rule)| !about(rule)) {
            return Ok(values);
        }
        let rights = self.authority().rights().entities.get(&this.entity).cloned();
        let others = rights.map(|rights| rights.writable.keys().filter(|name| *name != member).cloned().collect());
        let open: BTreeSet<Name> = others.unwrap_or_default();
        let mut could = Vec::new();
        for value in values {
            self.assume(&this.entity, this.id, &Told::fixed([(member.clone(), value.clone())].into()));
            let mut holds = false;
            for (_, rule) in &rules {
                holds = holds || self.truth(rule, this, &open, scope)? != Truth::No;
            }
            if holds {
                could.push(value);
            }
        }
        self.assume(&this.entity, this.id, &Told::fixed([(member.clone(), present.clone())].into()));
        Ok(could)
    }

    fn truth(&mut self, rule: &Rule, this: &This, open: &BTreeSet<Name>, scope: &Scope) -> Result<Truth, PageError> {
        let here = Scope { this: Some(this.clone()), ..scope.clone() };
        match rule.condition.clone() {
            Some(condition) => self.part(&condition, this, open, &here),
            None => Ok(Truth::Yes),
        }
    }

    fn part(&mut self, condition: &Typed, this: &This, open: &BTreeSet<Name>, here: &Scope) -> Result<Truth, PageError> {
        Ok(match &condition.node {
            Node::And(a, b) => self.part(a, this, open, here)?.and(self.part(b, this, open, here)?),
            Node::Or(a, b) => {
                let neither = self.part(a, this, open, here)?.not().and(self.part(b, this, open, here)?.not());
                neither.not()
            }
            Node::Not(a) => self.part(a, this, open, here)?.not(),
            _ if self.is_undecided(condition, this, open) => Truth::Unknown,
            _ => self.value(condition, here)?.peek().as_ref().map_or(Truth::Unknown, |value| Truth::of(value.holds())),
        })
    }

    /// Whether a part of a rule depends on something that is not settled before the object is written.
    fn is_undecided(&self, part: &Typed, this: &This, open: &BTreeSet<Name>) -> bool {
        if depends(part, open) {
            return true;
        }
        let Some(entity) = self.model.entity(&this.entity) else { return true };
        let new = this.life == Life::New;
        let mut found = false;
        visit(part, &mut |typed, owner| match &typed.node {
            // The server gives these when it writes.
            Node::Member { name, .. } if owner == Some(&Root::This) => found |= entity.server_kept(name),
            // A new object has no key yet, and nothing points at it.
            Node::Root(Root::This) => found |= new && owner.is_none(),
            Node::Many { .. } => found |= new && owner == Some(&Root::This),
            _ => {}
        });
        found
    }
}

/// Whether a part of a rule reads one of these members of the object itself.
fn depends(part: &Typed, members: &BTreeSet<Name>) -> bool {
    let mut found = false;
    visit(part, &mut |typed, owner| {
        if owner == Some(&Root::This) {
            match &typed.node {
                // What it is computed from may be among them.
                Node::Member { calculated: Some(_), .. } => found |= !members.is_empty(),
                Node::Member { name, .. } | Node::Many { name, .. } => found |= members.contains(name),
                _ => {}
            }
        }
    });
    found
}

/// Visits each node; steps from a root come with that root, and roots that such a step starts at do not come alone.
fn visit<'t>(typed: &'t Typed, see: &mut dyn FnMut(&'t Typed, Option<&'t Root>)) {
    if let Node::Member { of, .. } | Node::Many { of, .. } = &typed.node
        && let Node::Root(root) = &of.node
    {
        return see(typed, Some(root));
    }
    see(typed, None);
    typed.children(&mut |child| visit(child, see));
}

/// Whether a button among these deletes the object at which it stands.
fn deletes(widgets: &[Widget]) -> bool {
    widgets.iter().any(|widget| match &widget.kind {
        WidgetKind::Button(button) => matches!(button.action, Action::Delete),
        WidgetKind::Container { content, .. } | WidgetKind::Snippet { content, .. } => deletes(content),
        WidgetKind::Columns(columns) => columns.iter().any(|(_, content)| deletes(content)),
        WidgetKind::Tabs(tabs) => tabs.iter().any(|(_, content)| deletes(content)),
        _ => false,
    })
}

/// The members that fields among these are for.
pub(in crate::page) fn fields(widgets: &[Widget], out: &mut BTreeSet<Name>) {
    for widget in widgets {
        match &widget.kind {
            WidgetKind::Input(input) => drop(out.insert(input.member.clone())),
            WidgetKind::Reference(reference) => drop(out.insert(reference.member.clone())),
            WidgetKind::Container { content, .. } | WidgetKind::Snippet { content, .. } => fields(content, out),
            WidgetKind::Columns(columns) => columns.iter().for_each(|(_, content)| fields(content, out)),
            WidgetKind::Tabs(tabs) => tabs.iter().for_each(|(_, content)| fields(content, out)),
            _ => {}
        }
    }
}
