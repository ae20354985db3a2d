//! Pages and their widgets.

use super::app::{Place, Tone};
use crate::domain::{ByName, Name, QName};
use crate::expr::{Template, Typed};
use std::collections::BTreeSet;

/// A path of members from an object: all but the last are to-one associations.
pub type Path = Vec<Name>;

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Name.
    pub name: QName,
    /// Title.
    pub title: Template,
    /// With menu, or plain.
    pub layout: Layout,
    /// Module roles that may open it.
    pub roles: BTreeSet<QName>,
    /// Parameters: name → entity.
    pub parameters: ByName<Name, QName>,
    /// Widgets.
    pub content: Vec<Widget>,
    /// Where it is declared.
    pub place: Place,
}

/// The frame of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// With the menu.
    #[default]
    App,
    /// Without.
    Plain,
}

/// A widget of a page; ids are unique within the page and stable for one model.
#[derive(Clone, Debug)]
pub struct Widget {
    /// `w1`, `w2`, … in document order.
    pub id: String,
    /// Shown only when this holds.
    pub visible: Option<Typed>,
    /// What it is.
    pub kind: WidgetKind,
    /// Where it is declared.
    pub place: Place,
}

/// What a widget is.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each widget and its keys are documented in docs/MODEL.md")]
pub enum WidgetKind {
    Container { title: Option<Template>, card: bool, content: Vec<Widget> },
    Columns(Vec<(u8, Vec<Widget>)>),
    Tabs(Vec<(String, Vec<Widget>)>),
    Snippet { name: QName, content: Vec<Widget> },
    Heading { text: Template, level: u8 },
    Text { value: Template, style: TextStyle },
    Badge { value: Typed },
    Alert { text: Template, tone: Tone },
    DataView(DataView),
    DataGrid(DataGrid),
    ListView(ListView),
    Input(Input),
    Reference(Reference),
    Stat(Stat),
    Button(Button),
}

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TextStyle {
    /// As it is.
    #[default]
    Plain,
    /// Less prominent.
    Muted,
    /// An introduction.
    Lead,
}

/// Shows one object; inside, `this` is it.
#[derive(Clone, Debug)]
pub struct DataView {
    /// Which object.
    pub source: ViewSource,
    /// Its entity.
    pub entity: QName,
    /// No input in it can be edited.
    pub read_only: bool,
    /// Widgets.
    pub content: Vec<Widget>,
}

/// Where a data view's object comes from.
#[derive(Clone, Debug)]
pub enum ViewSource {
    /// A page parameter.
    Parameter(Name),
    /// A fresh object, stored when saved, with these first values.
    New(Vec<(Name, Typed)>),
    /// The object along a to-one association of the surrounding one.
    Association(Name),
}

/// Where a list comes from.
#[derive(Clone, Debug)]
pub struct ListSource {
    /// What kind of source.
    pub from: ListFrom,
    /// The entity of its objects.
    pub entity: QName,
    /// Constraint by the model, over `this` (an object of the list), parameters and `user`.
    pub condition: Option<Typed>,
    /// Order: path, descending.
    pub sort: Vec<(Path, bool)>,
}

/// The kinds of list sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListFrom {
    /// All objects of the entity (that the reader may see).
    Entity,
    /// Those along a to-many association (own or inverse name) of the surrounding object.
    Association(Name),
    /// A public snapshot.
    Snapshot(QName),
}

/// A column of a grid.
#[derive(Clone, Debug)]
pub struct Column {
    /// Heading.
    pub title: String,
    /// Content.
    pub show: ColumnShow,
    /// Numbers to the right.
    pub right: bool,
}

/// What a column shows.
#[derive(Clone, Debug)]
pub enum ColumnShow {
    /// A member along to-one associations; can be sorted by the reader.
    Path(Path),
    /// A text.
    Text(Template),
    /// A badge.
    Badge(Typed),
}

/// A page to open, with objects for its parameters.
#[derive(Clone, Debug)]
pub struct Open {
    /// The page.
    pub page: QName,
    /// Parameter → expression that gives an object.
    pub with: Vec<(Name, Typed)>,
}

/// A data grid.
#[derive(Clone, Debug)]
pub struct DataGrid {
    /// Title.
    pub title: Option<Template>,
    /// Data.
    pub source: ListSource,
    /// Columns.
    pub columns: Vec<Column>,
    /// Members searched by the reader's text.
    pub search: Vec<Path>,
    /// Members the reader may filter by.
    pub filters: Vec<Path>,
    /// Rows a page.
    pub page_size: u32,
    /// Whether a total is counted (capped).
    pub total: bool,
    /// What a row opens.
    pub opens: Option<Open>,
    /// Buttons above.
    pub buttons: Vec<Widget>,
    /// Buttons in each row; inside, `this` is the row's object.
    pub row_buttons: Vec<Widget>,
    /// What to say when there is nothing yet.
    pub empty: Option<String>,
}

/// A list view.
#[derive(Clone, Debug)]
pub struct ListView {
    /// Title.
    pub title: Option<Template>,
    /// Data.
    pub source: ListSource,
    /// Widgets per object.
    pub content: Vec<Widget>,
    /// Objects a page.
    pub page_size: u32,
    /// What to say when there is nothing yet.
    pub empty: Option<String>,
}

/// An input for an attribute of `this`.
#[derive(Clone, Debug)]
pub struct Input {
    /// The attribute.
    pub member: Name,
    /// Label, when not the attribute's.
    pub label: Option<String>,
    /// Help, when not the attribute's.
    pub help: Option<String>,
    /// Placeholder.
    pub placeholder: Option<String>,
    /// Read-only when this holds.
    pub read_only: Option<Typed>,
    /// Lines of a text area.
    pub rows: u32,
}

/// A selector for a to-one association of `this`.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The association.
    pub member: Name,
    /// Its target.
    pub target: QName,
    /// The member of the target that is shown.
    pub show: Name,
    /// Constraint on the offered objects, over `this` (one of them) and `user`.
    pub condition: Option<Typed>,
    /// Label, when not the association's.
    pub label: Option<String>,
    /// Help.
    pub help: Option<String>,
    /// Read-only when this holds.
    pub read_only: Option<Typed>,
}

/// A figure.
#[derive(Clone, Debug)]
pub struct Stat {
    /// Title.
    pub title: String,
    /// Data.
    pub source: ListSource,
    /// `None` counts; else the sum of a member.
    pub sum: Option<Name>,
    /// What a click opens.
    pub opens: Option<Open>,
    /// Icon.
    pub icon: Option<String>,
    /// Tone.
    pub tone: Tone,
}

/// How a button looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ButtonStyle {
    /// The main act.
    Primary,
    /// Another act.
    #[default]
    Secondary,
    /// An act that destroys.
    Danger,
    /// Like a link.
    Link,
}

/// A button.
#[derive(Clone, Debug)]
pub struct Button {
    /// Caption.
    pub caption: Template,
    /// Look.
    pub style: ButtonStyle,
    /// Icon.
    pub icon: Option<String>,
    /// Question asked before.
    pub confirm: Option<Template>,
    /// What it does.
    pub action: Action,
}

/// What a button does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Opens a page.
    Open(Open),
    /// Runs a microflow: parameter → expression.
    Run {
        /// The flow.
        microflow: QName,
        /// Its arguments.
        with: Vec<(Name, Typed)>,
    },
    /// Saves the surrounding data view.
    Save {
        /// Closes the page afterwards.
        close: bool,
        /// What to say.
        message: Option<Template>,
    },
    /// Leaves without saving.
    Cancel,
    /// Deletes the surrounding object.
    Delete,
}
