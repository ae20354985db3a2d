//! Marks of single widgets.

use super::Why;
use crate::access::explain::{Holds, Op, Question, Step, StepKind, Wanted};
use crate::domain::{Name, QName};
use crate::expr::{Part, Template};
use crate::model::{Action, Button, Widget, WidgetKind};
use crate::page::PageError;
use crate::page::told::Told;
use crate::page::view::{AbsentNode, FieldState, InputNode, MarkKind, MarkRef, MarkedNode, Node};
use crate::page::walk::{Life, Scope, This, Walk};

fn note(holds: Holds, text: impl Into<String>) -> Step {
    Step { kind: StepKind::Note, holds, text: text.into(), place: None, values: Vec::new(), parts: Vec::new() }
}

/// The words of a template, with a sign where a value stands.
fn words(template: &Template) -> String {
    template.parts.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "…" }).collect()
}

/// What a widget is called here.
fn named(widget: &Widget) -> (&'static str, String) {
    match &widget.kind {
        WidgetKind::Container { title, .. } => ("container", title.as_ref().map(words).unwrap_or_default()),
        WidgetKind::Heading { text, .. } => ("heading", words(text)),
        WidgetKind::Text { value, .. } => ("text", words(value)),
        WidgetKind::Alert { text, .. } => ("alert", words(text)),
        WidgetKind::DataGrid(grid) => ("list", grid.title.as_ref().map_or_else(|| grid.source.entity.to_string(), words)),
        WidgetKind::ListView(list) => ("list", list.title.as_ref().map_or_else(|| list.source.entity.to_string(), words)),
        WidgetKind::Stat(stat) => ("figure", stat.title.clone()),
        WidgetKind::Button(button) => ("button", words(&button.caption)),
        WidgetKind::Input(input) => ("input", input.member.to_string()),
        WidgetKind::Reference(reference) => ("selector", reference.member.to_string()),
        WidgetKind::DataView(view) => ("data view", view.entity.to_string()),
        WidgetKind::Snippet { name, .. } => ("snippet", name.to_string()),
        WidgetKind::Badge { .. } => ("badge", String::new()),
        WidgetKind::Columns(_) => ("columns", String::new()),
        WidgetKind::Tabs(tabs) => ("tabs", tabs.first().map(|(title, _)| title.clone()).unwrap_or_default()),
    }
}

impl Walk<'_, '_> {
    /// A widget as it is shown, with its mark; or the mark of one that is not.
    pub(in crate::page) fn marked(
        &mut self,
        widget: &Widget,
        scope: &Scope,
        shown: bool,
        node: Option<Node>,
    ) -> Result<Option<Node>, PageError> {
        let Some(node) = node else {
            let mark = self.why_not(widget, scope, shown)?.and_then(|why| self.mark(why));
            let (word, name) = named(widget);
            return Ok(mark.map(|mark| Node::Absent(AbsentNode { mark, caption: format!("{word} {name}").trim().to_owned() })));
        };
        let why = match &node {
            Node::Input(input) | Node::Reference(input) if scope.row.is_none() => self.why_member(widget, input, scope)?,
            Node::Stat(_) => self.why_stat(widget, scope)?,
            // Buttons, lists and data views bear their own marks.
            Node::Button(_) | Node::DataGrid(_) | Node::ListView(_) | Node::DataView(_) => None,
            _ => widget.visible.as_ref().map(|_| visible(widget, Holds::Yes)),
        };
        let mark = why.and_then(|why| self.mark(why));
        Ok(Some(match mark {
            Some(mark) => {
                let inline = matches!(node, Node::Badge(_));
                Node::Marked(MarkedNode { mark, inline, inner: Box::new(node) })
            }
            None => node,
        }))
    }

    /// The mark of a button that is not shown among others.
    pub(in crate::page) fn absent_button(
        &mut self,
        widget: &Widget,
        scope: &Scope,
        shown: bool,
    ) -> Result<Option<AbsentNode>, PageError> {
        let mark = self.why_not(widget, scope, shown)?.and_then(|why| self.mark(why));
        Ok(mark.map(|mark| AbsentNode { mark, caption: named(widget).1 }))
    }

    fn why_not(&mut self, widget: &Widget, scope: &Scope, shown: bool) -> Result<Option<Why>, PageError> {
        if self.xray.is_none() {
            return Ok(None);
        }
        if !shown {
            return Ok(Some(visible(widget, Holds::No)));
        }
        let WidgetKind::Button(button) = &widget.kind else { return Ok(None) };
        let mut why = self.why_button(button, scope)?;
        if why.tone == "yes" {
            why.reasons = why.reasons.map(|mut all| {
                all.push(note(Holds::No, "it stands where there is no object for it, or its object is not yours"));
                all
            });
        }
        Ok(Some(Why { tone: "no", ..why }))
    }

    /// The mark of a button that is shown.
    pub(in crate::page) fn mark_button(&mut self, button: &Button, scope: &Scope) -> Result<Option<MarkRef>, PageError> {
        if self.xray.is_none() {
            return Ok(None);
        }
        let why = self.why_button(button, scope)?;
        Ok(self.mark(Why { tone: "yes", ..why }))
    }

    fn why_button(&mut self, button: &Button, scope: &Scope) -> Result<Why, PageError> {
        let title = words(&button.caption);
        let fixed = |holds, text: &str| Why::fixed(MarkKind::Button, title.clone(), super::tone(holds), vec![note(holds, text)]);
        Ok(match &button.action {
            Action::Run { microflow, .. } => {
                let found = Told::fixed(self.reasoned(&Question::Run(microflow.clone())));
                Why::explained(MarkKind::Button, title, &found)
            }
            Action::Open(open) => {
                let found = Told::fixed(self.reasoned(&Question::Open(open.page.clone())));
                Why::explained(MarkKind::Button, title, &found)
            }
            Action::Save { .. } if scope.saves => fixed(Holds::Yes, "something in this form is yours to write"),
            Action::Save { .. } => fixed(Holds::No, "nothing in this form is yours to write"),
            Action::Cancel => fixed(Holds::Yes, "leaving a form needs no right"),
            Action::Delete => {
                let Some(this) = scope.this.clone() else { return Ok(fixed(Holds::No, "there is no object here")) };
                let found = self.of_object(&this, Op::Delete, None, scope)?;
                Why::explained(MarkKind::Button, title, &found)
            }
        })
    }

    /// A decision about the current object; in rows about the entity, so that a list has one reason and not a hundred.
    fn of_object(
        &mut self,
        this: &This,
        op: Op,
        member: Option<&Name>,
        scope: &Scope,
    ) -> Result<Told<crate::access::explain::Explanation>, PageError> {
        let object = (matches!(this.life, Life::Stored(_)) && scope.row.is_none()).then_some(this.id);
        let question = Question::Data(Wanted { op, entity: this.entity.clone(), object, member: member.cloned() });
        let found = self.explained(&this.entity, vec![question.clone()])?.into_iter().next();
        Ok(found.unwrap_or_else(|| Told::fixed(self.reasoned(&question))))
    }

    fn why_member(&mut self, widget: &Widget, input: &InputNode, scope: &Scope) -> Result<Option<Why>, PageError> {
        let member = match &widget.kind {
            WidgetKind::Input(input) => &input.member,
            WidgetKind::Reference(reference) => &reference.member,
            _ => return Ok(None),
        };
        let Some(this) = scope.this.clone() else { return Ok(None) };
        let title = format!("{}.{member}", this.entity);
        let new = this.life == Life::New;
        let read = self.of_object(&this, Op::Read, Some(member), scope)?;
        let write = self.of_object(&this, if new { Op::Create } else { Op::Write }, Some(member), scope)?;
        let state = input.state;
        let reasons = read.join(write).map(|(read, write)| {
            let (said, why) = match state {
                FieldState::Withheld => ("withheld: no rule of yours that reads it holds here", read.reasons.clone()),
                FieldState::Readonly => ("shown, not to be changed here", read.reasons.clone()),
                FieldState::Editable => ("shown, and yours to change", read.reasons.clone()),
            };
            let holds = if state == FieldState::Withheld { Holds::No } else { Holds::Yes };
            let mut all = vec![Step { parts: why, ..note(holds, said) }];
            if state == FieldState::Editable {
                all.push(Step { parts: write.reasons.clone(), ..note(Holds::Yes, "to write it") });
            }
            let change = if state == FieldState::Withheld { read.would_change } else { write.would_change };
            (all, change)
        });
        let tone = if state == FieldState::Withheld { "no" } else { "yes" };
        let would_change = reasons.derive(|(_, change)| change.clone());
        Ok(Some(Why { kind: MarkKind::Member, title, tone, reasons: reasons.map(|(all, _)| all), would_change, counts: None }))
    }

    /// The mark of the object of a data view.
    pub(in crate::page) fn mark_object(&mut self, this: &This, scope: &Scope) -> Result<Option<MarkRef>, PageError> {
        if self.xray.is_none() || scope.row.is_some() {
            return Ok(None);
        }
        let op = if this.life == Life::New { Op::Create } else { Op::Read };
        let found = self.of_object(this, op, None, scope)?;
        let why = Why::explained(MarkKind::Object, this.entity.to_string(), &found);
        Ok(self.mark(Why { tone: "yes", ..why }))
    }

    /// The mark of a data view or a list that the reader's roles give no access to.
    pub(in crate::page) fn mark_closed(&mut self, entity: &QName) -> Option<MarkRef> {
        self.xray.as_ref()?;
        let question = Question::Data(Wanted { op: Op::Read, entity: entity.clone(), object: None, member: None });
        let found = Told::fixed(self.reasoned(&question));
        let why = Why::explained(MarkKind::List, entity.to_string(), &found);
        self.mark(Why { tone: "no", ..why })
    }
}

/// A widget with a condition of its own.
fn visible(widget: &Widget, holds: Holds) -> Why {
    let (word, name) = named(widget);
    let said = match holds {
        Holds::Yes => "its `visible` holds over what you may see",
        _ => "its `visible` does not hold over what you may see",
    };
    let mut step = note(holds, said);
    step.place = Some(format!("{}:{}", widget.place.file, widget.place.line));
    Why::fixed(MarkKind::Widget, format!("{word} {name}").trim().to_owned(), super::tone(holds), vec![step])
}
