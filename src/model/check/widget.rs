//! Widgets, one by one.

use super::super::source::{self, At, Text, Widget as W};
use super::super::types::*;
use super::checker::{Checker, Here, Sources};
use super::page::{Form, Spot};
use crate::domain::{ByName, Kind, Member, Name, QName};
use crate::expr::Typed;

const DEEPEST: usize = 8;

impl Checker<'_> {
    pub fn widgets(&mut self, spot: &Spot, number: &mut usize, source: &[At<W>], sources: &Sources) -> Vec<Widget> {
        source.iter().filter_map(|widget| self.widget(spot, number, widget, sources)).collect()
    }

    fn widget(&mut self, spot: &Spot, number: &mut usize, source: &At<W>, sources: &Sources) -> Option<Widget> {
        *number += 1;
        let id = format!("w{number}");
        let visible = visibility(&source.value).and_then(|at| {
            let typed = self.page_expression(spot, at, Some(&Kind::Boolean))?;
            self.constant_condition(&spot.here, at, &typed);
            Some(typed)
        });
        let inner = spot.guarded(visible.as_ref());
        let kind = self.widget_kind(&inner, number, source, sources)?;
        Some(Widget { id, visible, kind, place: spot.here.place(source) })
    }

    fn widget_kind(&mut self, spot: &Spot, number: &mut usize, source: &At<W>, sources: &Sources) -> Option<WidgetKind> {
        Some(match &source.value {
            W::Container(container) => {
                let card = match container.style.as_ref().map(|s| s.value.as_str()) {
                    None | Some("card") => container.style.is_some(),
                    Some("plain") => false,
                    Some(_) => {
                        self.unknown(&spot.here, &container.style.clone().unwrap_or_default(), "style", ["plain", "card"]);
                        false
                    }
                };
                let title = self.page_texts(spot, container.title.as_ref());
                WidgetKind::Container { title, card, content: self.widgets(spot, number, &container.content, sources) }
            }
            W::Columns(columns) => {
                let mut out = Vec::new();
                for column in columns {
                    let width =
                        column.width.as_ref().map_or(12 / u8::try_from(columns.len().clamp(1, 12)).unwrap_or(1), |w| w.value);
                    if !(1..=12).contains(&width) {
                        let at = At { value: "columns".into(), line: source.line, column: source.column };
                        self.error(&spot.here, &at, "range", "a column is 1 to 12 wide", None);
                    }
                    out.push((width, self.widgets(spot, number, &column.content, sources)));
                }
                WidgetKind::Columns(out)
            }
            W::Tabs(tabs) => WidgetKind::Tabs(
                tabs.iter().map(|tab| (tab.title.clone(), self.widgets(spot, number, &tab.content, sources))).collect(),
            ),
            W::Snippet(call) => return self.snippet(spot, number, call, sources),
            W::Heading(heading) => {
                let level = heading.level.as_ref().map_or(2, |l| l.value).clamp(2, 3);
                WidgetKind::Heading { text: self.page_template(spot, &heading.text)?, level }
            }
            W::Text(text) => WidgetKind::Text { value: self.page_template(spot, &text.value)?, style: text.style },
            W::Badge(badge) => WidgetKind::Badge { value: self.shown(spot, &badge.value)? },
            W::Alert(alert) => WidgetKind::Alert { text: self.page_template(spot, &alert.text)?, tone: alert.tone },
            W::DataView(view) => return self.data_view(spot, number, view, sources),
            W::DataGrid(grid) => WidgetKind::DataGrid(self.data_grid(spot, number, grid, sources)?),
            W::ListView(list) => {
                let title = self.page_texts(spot, list.title.as_ref());
                let from = self.list_source(spot, &list.source)?;
                let mut inner = spot.inside(&from.entity);
                inner.form = None;
                let content = self.widgets(&inner, number, &list.content, sources);
                WidgetKind::ListView(ListView {
                    title,
                    source: from,
                    content,
                    page_size: list.page_size.clamp(1, 100),
                    empty: list.empty.clone(),
                })
            }
            W::Input(input) => WidgetKind::Input(self.input(spot, input)?),
            W::Reference(reference) => WidgetKind::Reference(self.reference(spot, reference)?),
            W::Stat(stat) => WidgetKind::Stat(self.stat(spot, stat)?),
            W::Button(button) => WidgetKind::Button(self.button(spot, button)?),
        })
    }

    fn shown(&mut self, spot: &Spot, at: &Text) -> Option<Typed> {
        let typed = self.page_expression(spot, at, None)?;
        if !typed.kind.is_plain() {
            self.error(
                &spot.here,
                at,
                "kind",
                format!("{} cannot be shown", typed.kind.describe()),
                Some("name one of its members".into()),
            );
            return None;
        }
        Some(typed)
    }

    fn snippet(&mut self, spot: &Spot, number: &mut usize, call: &source::SnippetCall, sources: &Sources) -> Option<WidgetKind> {
        let name = spot.here.resolve(&call.name.value);
        let Some((here, snippet)) = sources.snippets.get(&name) else {
            let names: Vec<String> = sources.snippets.keys().map(|n| spot.here.short(n)).collect();
            self.unknown(&spot.here, &call.name, "snippet", names.iter().map(String::as_str));
            return None;
        };
        if spot.depth >= DEEPEST {
            self.error(&spot.here, &call.name, "circle", "snippets are nested too deeply, or in a circle", None);
            return None;
        }
        let mut inner = Spot { here: here.clone(), depth: spot.depth + 1, ..spot.clone() };
        match &snippet.entity {
            Some(at) => {
                let entity = self.entity(here, at)?;
                if spot.context.this.as_ref() != Some(&entity.name) {
                    self.error(
                        &spot.here,
                        &call.name,
                        "snippet",
                        format!("this snippet needs an object of {} around it", entity.name),
                        None,
                    );
                    return None;
                }
            }
            None => inner.context.this = None,
        }
        Some(WidgetKind::Snippet { name, content: self.widgets(&inner, number, &snippet.content, sources) })
    }

    fn data_view(&mut self, spot: &Spot, number: &mut usize, view: &source::DataView, sources: &Sources) -> Option<WidgetKind> {
        let here = &spot.here;
        let written = &view.source.value;
        let (source, entity, form) = match (&written.parameter, &written.new, &written.association) {
            (Some(at), None, None) => {
                let Some(Kind::Object(entity)) = spot.context.variables.get(at.value.as_str()).cloned() else {
                    self.unknown(here, at, "page parameter", spot.context.variables.keys().map(Name::as_str).collect::<Vec<_>>());
                    return None;
                };
                (ViewSource::Parameter(Name::new(&at.value)), entity, Form::Existing)
            }
            (None, Some(at), None) => {
                let entity = self.entity(here, at)?;
                let set = self.assignments(here, &entity, &written.set, &spot.context);
                (ViewSource::New(set), entity.name.clone(), Form::New)
            }
            (None, None, Some(at)) => {
                let around = spot.context.this.as_ref().and_then(|name| self.model.entities.get(name).cloned());
                let Some(around) = around else {
                    self.error(here, at, "source", "an association needs an object around it", None);
                    return None;
                };
                let (entity, many) = self.along(here, &around, at)?;
                if many {
                    self.error(
                        here,
                        at,
                        "source",
                        format!("`{}` leads to several objects; use a list or a grid", at.value),
                        None,
                    );
                    return None;
                }
                let path = vec![Name::new(&at.value)];
                self.path_use(spot, at, &around.name, &path);
                (ViewSource::Association(Name::new(&at.value)), entity, Form::Existing)
            }
            _ => {
                let at = At { value: "source".into(), line: view.source.line, column: view.source.column };
                self.error(here, &at, "source", "a data view's source is one of `parameter`, `new`, `association`", None);
                return None;
            }
        };
        let mut inner = spot.inside(&entity);
        inner.form = (!view.read_only).then_some(form);
        let content = self.widgets(&inner, number, &view.content, sources);
        Some(WidgetKind::DataView(DataView { source, entity, read_only: view.read_only, content }))
    }

    fn data_grid(&mut self, spot: &Spot, number: &mut usize, grid: &source::DataGrid, sources: &Sources) -> Option<DataGrid> {
        let title = self.page_texts(spot, grid.title.as_ref());
        let from = self.list_source(spot, &grid.source)?;
        let mut row = spot.inside(&from.entity);
        row.form = None;
        let columns: Vec<Column> = grid.columns.iter().filter_map(|column| self.column(&row, &from.entity, column)).collect();
        if grid.columns.is_empty() {
            let at = At { value: "grid".into(), line: grid.source.line, column: grid.source.column };
            self.error(&spot.here, &at, "missing-key", "a grid shows at least one column", None);
        }
        let search = self.asked_paths(&row, &from.entity, &grid.search, true);
        let filters = self.asked_paths(&row, &from.entity, &grid.filters, false);
        let opens = grid.opens.as_ref().and_then(|open| self.page_open(&row, open));
        let buttons = self.widgets(&Spot { form: None, ..spot.clone() }, number, &grid.buttons, sources);
        let row_buttons = self.widgets(&row, number, &grid.row_buttons, sources);
        for button in grid.buttons.iter().chain(&grid.row_buttons) {
            if !matches!(button.value, W::Button(_)) {
                let at = At { value: "button".into(), line: button.line, column: button.column };
                self.error(&spot.here, &at, "widget", "only buttons stand here", None);
            }
        }
        let empty = grid.empty.clone();
        let page_size = grid.page_size.clamp(1, 100);
        Some(DataGrid {
            title,
            source: from,
            columns,
            search,
            filters,
            page_size,
            total: grid.total,
            opens,
            buttons,
            row_buttons,
            empty,
        })
    }

    fn column(&mut self, row: &Spot, entity: &QName, column: &At<source::Column>) -> Option<Column> {
        let written = &column.value;
        let (show, title, right) = match (&written.show, &written.text, &written.badge) {
            (Some(at), None, None) => {
                let (path, kind) = self.path(&row.here, entity, at)?;
                if !kind.is_plain() {
                    let hint = Some(format!("name a member of it, as in `{}.name`", at.value));
                    self.error(&row.here, at, "kind", format!("{} cannot be shown", kind.describe()), hint);
                    return None;
                }
                self.path_use(row, at, entity, &path);
                let label = self.path_label(entity, &path);
                (ColumnShow::Path(path), label, matches!(kind, Kind::Number(_)))
            }
            (None, Some(at), None) => (ColumnShow::Text(self.page_template(row, at)?), String::new(), false),
            (None, None, Some(at)) => {
                let typed = self.shown(row, at)?;
                let label = badge_path(&typed).map(|path| self.path_label(entity, &path)).unwrap_or_default();
                (ColumnShow::Badge(typed), label, false)
            }
            _ => {
                let at = At { value: "column".into(), line: column.line, column: column.column };
                self.error(&row.here, &at, "column", "a column has one of `show`, `text`, `badge`", None);
                return None;
            }
        };
        let right = match written.align.as_ref().map(|a| a.value.as_str()) {
            None => right,
            Some("right") => true,
            Some("left") => false,
            Some(_) => {
                self.unknown(&row.here, &written.align.clone().unwrap_or_default(), "alignment", ["left", "right"]);
                right
            }
        };
        Some(Column { title: written.title.clone().unwrap_or(title), show, right })
    }

    fn path_label(&self, entity: &QName, path: &Path) -> String {
        let mut at = self.model.entities.get(entity);
        let mut label = String::new();
        for (index, name) in path.iter().enumerate() {
            let Some(found) = at else { break };
            let own = found.member_label(name).map(str::to_owned).unwrap_or_else(|| super::domain::spoken(name));
            // `department.name` is headed "Department", `department.head.phone` "Phone".
            if index == 0 || found.display.as_ref() != Some(name) {
                label = own;
            }
            let next = found.associations.get(name).map(|a| &a.target).or_else(|| found.inverses.get(name).map(|i| &i.owner));
            at = next.and_then(|next| self.model.entities.get(next));
        }
        label
    }

    /// What readers search in, or filter by.
    fn asked_paths(&mut self, row: &Spot, entity: &QName, names: &[Text], text_only: bool) -> Vec<Path> {
        let mut out = Vec::new();
        for at in names {
            let Some((path, kind)) = self.path(&row.here, entity, at) else { continue };
            if text_only && kind != Kind::Text {
                self.error(&row.here, at, "kind", format!("only texts can be searched, not {}", kind.describe()), None);
                continue;
            }
            self.asked_of_database(&row.here, at, entity, &path, if text_only { "searched" } else { "filtered by" });
            if let Kind::Object(target) = &kind {
                self.offered_by(&row.here, at, target, None);
            }
            self.path_use(row, at, entity, &path);
            out.push(path);
        }
        out
    }

    /// Objects to choose from are offered in the order of what is shown of them: a member of theirs, or their `display`.
    fn offered_by(&mut self, here: &Here, at: &Text, target: &QName, show: Option<&Name>) {
        let display = self.model.entities.get(target).and_then(|entity| entity.display.clone());
        if let Some(shown) = show.cloned().or(display) {
            self.asked_of_database(here, at, target, &[shown], "sorted by");
        }
    }

    /// The entity around an input.
    fn around(&mut self, spot: &Spot, at: &Text) -> Option<std::sync::Arc<Entity>> {
        let found = spot.context.this.as_ref().and_then(|name| self.model.entities.get(name).cloned());
        if found.is_none() {
            self.error(&spot.here, at, "widget", "an input stands in a data view", None);
        }
        found
    }

    /// Reports a member that no field of a form can edit: it leads to several objects, or belongs to the other side.
    fn leads_to_many(&mut self, spot: &Spot, entity: &Entity, at: &Text) -> bool {
        let name = at.value.as_str();
        let many = entity.associations.get(name).filter(|own| own.multiplicity == Multiplicity::ManyToMany);
        let (message, hint) = match (many, entity.inverses.get(name)) {
            (Some(own), _) => (
                format!("`{name}` leads to several objects of {}, and no field edits several", own.target),
                format!(
                    "show them with a dataGrid: {{source: {{association: {name}}}, …}}, and change them in a microflow that a button runs: change: {{object: …, set: {{{name}: $List}}}}"
                ),
            ),
            (None, Some(back)) if !entity.has_member(name) => (
                format!("`{name}` is the other side of {}.{}, and is edited there", back.owner, back.association),
                if back.many {
                    format!(
                        "show the objects with a dataGrid: {{source: {{association: {name}}}, …}} whose rows open a page with a reference: {{member: {}}}",
                        back.association
                    )
                } else {
                    format!(
                        "show it with a dataView: {{source: {{association: {name}}}, …}} and a reference: {{member: {}}} in it",
                        back.association
                    )
                },
            ),
            _ => return false,
        };
        self.error(&spot.here, at, "widget", message, Some(hint));
        true
    }

    fn input(&mut self, spot: &Spot, input: &source::Input) -> Option<Input> {
        let entity = self.around(spot, &input.member)?;
        if self.leads_to_many(spot, &entity, &input.member) {
            return None;
        }
        let member = self.own_member(&spot.here, &entity, &input.member)?;
        if !entity.attributes.contains_key(&member) {
            self.error(
                &spot.here,
                &input.member,
                "widget",
                format!("`{member}` is an association to one object"),
                Some(format!("use a reference: {{member: {member}}}")),
            );
            return None;
        }
        self.member_use(spot, &input.member, Member { entity: entity.name.clone(), name: member.clone() });
        let read_only = input.read_only.as_ref().and_then(|at| self.page_expression(spot, at, Some(&Kind::Boolean)));
        Some(Input {
            member,
            label: input.label.clone(),
            help: input.help.clone(),
            placeholder: input.placeholder.clone(),
            read_only,
            rows: input.rows.unwrap_or(4).clamp(1, 30),
        })
    }

    fn reference(&mut self, spot: &Spot, reference: &source::Reference) -> Option<Reference> {
        let entity = self.around(spot, &reference.member)?;
        if self.leads_to_many(spot, &entity, &reference.member) {
            return None;
        }
        let member = self.own_member(&spot.here, &entity, &reference.member)?;
        let Some(association) = entity.associations.get(&member) else {
            self.error(
                &spot.here,
                &reference.member,
                "widget",
                format!("`{member}` is an attribute"),
                Some(format!("use an input: {{member: {member}}}")),
            );
            return None;
        };
        let target = self.model.entities.get(&association.target).cloned()?;
        let show = match &reference.show {
            Some(at) => self.own_member(&spot.here, &target, at)?,
            None => target.display.clone()?,
        };
        self.member_use(spot, &reference.member, Member { entity: entity.name.clone(), name: member.clone() });
        self.member_use(spot, &reference.member, Member { entity: target.name.clone(), name: show.clone() });
        self.offered_by(&spot.here, reference.show.as_ref().unwrap_or(&reference.member), &target.name, Some(&show));
        let inner = spot.context.with_this(&target.name);
        let condition = match &reference.condition {
            Some(at) => Some(self.row_condition(&spot.here, at, &inner)?),
            None => None,
        };
        let read_only = reference.read_only.as_ref().and_then(|at| self.page_expression(spot, at, Some(&Kind::Boolean)));
        let target = target.name.clone();
        Some(Reference {
            member,
            target,
            show,
            condition,
            label: reference.label.clone(),
            help: reference.help.clone(),
            read_only,
        })
    }

    fn stat(&mut self, spot: &Spot, stat: &source::Stat) -> Option<Stat> {
        let from = self.list_source(spot, &stat.source)?;
        let sum = match &stat.value {
            Some(source::StatValue::Sum(at)) => {
                let entity = self.model.entities.get(&from.entity).cloned()?;
                let member = self.own_member(&spot.here, &entity, at)?;
                if !matches!(entity.member_kind(&member), Some(Kind::Number(_))) {
                    self.error(&spot.here, at, "kind", "only numbers can be summed", None);
                }
                self.asked_of_database(&spot.here, at, &from.entity, std::slice::from_ref(&member), "summed");
                self.member_use(spot, at, Member { entity: from.entity.clone(), name: member.clone() });
                Some(member)
            }
            _ => None,
        };
        if let Some(icon) = &stat.icon {
            self.icon(&spot.here, icon);
        }
        let opens = stat.opens.as_ref().and_then(|open| self.page_open(spot, open));
        let icon = stat.icon.as_ref().map(|i| i.value.clone());
        Some(Stat { title: stat.title.clone(), source: from, sum, opens, icon, tone: stat.tone })
    }

    fn button(&mut self, spot: &Spot, button: &source::Button) -> Option<Button> {
        let caption = self.page_template(spot, &button.caption)?;
        if let Some(icon) = &button.icon {
            self.icon(&spot.here, icon);
        }
        let confirm = self.page_texts(spot, button.confirm.as_ref());
        let given = [
            button.open.is_some(),
            button.run.is_some(),
            button.save.is_some(),
            button.cancel.is_some(),
            button.delete.is_some(),
        ];
        if given.iter().filter(|g| **g).count() != 1 {
            self.error(
                &spot.here,
                &button.caption,
                "button",
                "a button does exactly one of open, run, save, cancel, delete",
                None,
            );
            return None;
        }
        let action = self.action(spot, button)?;
        Some(Button { caption, style: button.style, icon: button.icon.as_ref().map(|i| i.value.clone()), confirm, action })
    }

    fn action(&mut self, spot: &Spot, button: &source::Button) -> Option<Action> {
        if let Some(open) = &button.open {
            return Some(Action::Open(self.page_open(spot, open)?));
        }
        if let Some(run) = &button.run {
            let flow = self.flow(&spot.here, &run.microflow)?;
            let parameters: ByName<Name, Kind> = flow.parameters.clone();
            let with = self.arguments(&spot.here, &run.microflow, &parameters, &run.with, &spot.context);
            return Some(Action::Run { microflow: flow.name.clone(), with });
        }
        if let Some(save) = &button.save {
            let close = match save.then.as_ref().map(|t| t.value.as_str()) {
                None | Some("close") => true,
                Some("stay") => false,
                Some(_) => {
                    self.unknown(&spot.here, &save.then.clone().unwrap_or_default(), "word", ["close", "stay"]);
                    true
                }
            };
            let persistable = spot.context.this.as_ref().and_then(|e| self.model.entities.get(e)).is_some_and(|e| e.persistable);
            if spot.form.is_none() || !persistable {
                self.error(
                    &spot.here,
                    &button.caption,
                    "button",
                    "save needs an editable data view of a persistable entity around it",
                    None,
                );
                return None;
            }
            return Some(Action::Save { close, message: self.page_texts(spot, save.message.as_ref()) });
        }
        if button.delete.is_some() {
            let persistable =
                spot.context.this.as_ref().and_then(|e| self.model.entities.get(e)).is_some_and(|e| e.persistable && !e.system);
            if !persistable || spot.form == Some(Form::New) {
                self.error(&spot.here, &button.caption, "button", "delete needs a stored object around it", None);
                return None;
            }
            return Some(Action::Delete);
        }
        Some(Action::Cancel)
    }
}

/// `visible:` of a widget.
fn visibility(widget: &W) -> Option<&Text> {
    match widget {
        W::Container(w) => w.visible.as_ref(),
        W::Columns(_) | W::Tabs(_) => None,
        W::Snippet(w) => w.visible.as_ref(),
        W::Heading(w) => w.visible.as_ref(),
        W::Text(w) => w.visible.as_ref(),
        W::Badge(w) => w.visible.as_ref(),
        W::Alert(w) => w.visible.as_ref(),
        W::DataView(w) => w.visible.as_ref(),
        W::DataGrid(w) => w.visible.as_ref(),
        W::ListView(w) => w.visible.as_ref(),
        W::Input(w) => w.visible.as_ref(),
        W::Reference(w) => w.visible.as_ref(),
        W::Stat(w) => w.visible.as_ref(),
        W::Button(w) => w.visible.as_ref(),
    }
}

/// The path of a badge that is just a member.
fn badge_path(typed: &Typed) -> Option<Path> {
    use crate::expr::{Node, Root};
    let mut out = Vec::new();
    let mut at = typed;
    loop {
        match &at.node {
            Node::Member { of, name, .. } => {
                out.push(name.clone());
                at = of;
            }
            Node::Root(Root::This) => {
                out.reverse();
                return Some(out);
            }
            _ => return None,
        }
    }
}
