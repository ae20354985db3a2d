//! A page as decided for one reader: what a template or a JSON body is made of.
//!
//! Data stands in it as [`Told`] only. Children are not serialized with their node: the renderer
//! turns them into text first and gives the node that text.

use super::show::CellView;
use super::told::Told;
use crate::domain::QName;
use crate::model::Layout;
use serde::Serialize;

/// A page as decided for one reader.
#[derive(Debug)]
pub struct View {
    /// Which page.
    pub page: QName,
    /// Its title.
    pub title: Told<String>,
    /// Its frame.
    pub layout: Layout,
    /// Its forms.
    pub forms: Vec<Form>,
    /// Its widgets.
    pub nodes: Vec<Node>,
    /// Problems of a refused form that stand at no field of it.
    pub problems: Vec<String>,
}

/// A form: inputs and buttons refer to it by id.
#[derive(Debug, Serialize)]
pub struct Form {
    /// Id.
    pub id: String,
    /// Where it is sent to.
    pub action: String,
    /// Sealed state.
    pub state: String,
}

/// One widget.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is the widget of the same name in docs/MODEL.md")]
pub enum Node {
    Container(ContainerNode),
    Columns(Vec<ColumnNode>),
    Tabs(TabsNode),
    Snippet(Vec<Node>),
    Heading(HeadingNode),
    Text(TextNode),
    Badge(BadgeNode),
    Alert(AlertNode),
    DataView(DataViewNode),
    DataGrid(Box<DataGridNode>),
    ListView(ListViewNode),
    Input(Box<InputNode>),
    Reference(Box<InputNode>),
    Stat(StatNode),
    Button(ButtonNode),
}

impl Node {
    /// The word for the widget: the name of its template.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Container(_) => "container",
            Self::Columns(_) => "columns",
            Self::Tabs(_) => "tabs",
            Self::Snippet(_) => "snippet",
            Self::Heading(_) => "heading",
            Self::Text(_) => "text",
            Self::Badge(_) => "badge",
            Self::Alert(_) => "alert",
            Self::DataView(_) => "data_view",
            Self::DataGrid(_) => "data_grid",
            Self::ListView(_) => "list_view",
            Self::Input(_) => "input",
            Self::Reference(_) => "reference",
            Self::Stat(_) => "stat",
            Self::Button(_) => "button",
        }
    }
}

/// A group of widgets.
#[derive(Debug, Serialize)]
pub struct ContainerNode {
    /// Title.
    pub title: Option<Told<String>>,
    /// `plain` or `card`.
    pub style: &'static str,
    /// Widgets.
    #[serde(skip)]
    pub children: Vec<Node>,
}

/// One column.
#[derive(Debug, Serialize)]
pub struct ColumnNode {
    /// Twelfths of the width.
    pub width: u8,
    /// Widgets.
    #[serde(skip)]
    pub children: Vec<Node>,
}

/// Tabs.
#[derive(Debug, Serialize)]
pub struct TabsNode {
    /// Widget id.
    pub id: String,
    /// The tabs.
    #[serde(skip)]
    pub tabs: Vec<TabNode>,
}

/// One tab.
#[derive(Debug, Serialize)]
pub struct TabNode {
    /// Id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Widgets.
    #[serde(skip)]
    pub children: Vec<Node>,
}

/// A heading.
#[derive(Debug, Serialize)]
pub struct HeadingNode {
    /// 2 or 3.
    pub level: u8,
    /// Text.
    pub text: Told<String>,
}

/// A paragraph.
#[derive(Debug, Serialize)]
pub struct TextNode {
    /// `plain`, `muted` or `lead`.
    pub style: &'static str,
    /// Text.
    pub cell: Told<CellView>,
}

/// A badge.
#[derive(Debug, Serialize)]
pub struct BadgeNode {
    /// Text and tone.
    pub cell: Told<CellView>,
}

/// A note.
#[derive(Debug, Serialize)]
pub struct AlertNode {
    /// Tone.
    pub tone: &'static str,
    /// Text.
    pub text: Told<String>,
}

/// Whether a data view shows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataState {
    /// The object.
    Shown,
    /// There is none.
    Nothing,
    /// The reader's roles give no access.
    NotForYou,
}

/// One object.
#[derive(Debug, Serialize)]
pub struct DataViewNode {
    /// Widget id.
    pub id: String,
    /// Whether it shows something.
    pub state: DataState,
    /// No input in it can be edited.
    pub read_only: bool,
    /// Widgets.
    #[serde(skip)]
    pub children: Vec<Node>,
}

/// What a list has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListState {
    /// Rows.
    Rows,
    /// Nothing at all.
    NothingYet,
    /// Nothing that fits search and filters.
    NothingMatches,
    /// The reader's roles give no access.
    NotForYou,
}

/// A pair of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// An offered value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// Whether it is the present one.
    pub selected: bool,
}

/// A filter of a grid.
#[derive(Debug, Serialize)]
pub struct FilterNode {
    /// Field name.
    pub name: String,
    /// Label.
    pub label: String,
    /// `select`, `text`, `date` or `boolean`.
    pub control: &'static str,
    /// Present value.
    pub value: String,
    /// Offered values.
    pub options: Told<Vec<Choice>>,
}

/// How a column is sorted.
#[derive(Debug, Serialize)]
pub struct SortNode {
    /// Sorts otherwise.
    pub href: String,
    /// `none`, `asc` or `desc`.
    pub state: &'static str,
}

/// A heading of a grid.
#[derive(Debug, Serialize)]
pub struct ColumnHead {
    /// Title.
    pub title: String,
    /// `left` or `right`.
    pub align: &'static str,
    /// Sorting, where the reader may.
    pub sort: Option<SortNode>,
}

/// A row of a grid.
#[derive(Debug, Serialize)]
pub struct RowNode {
    /// Handle of its object.
    pub key: String,
    /// What it opens.
    pub href: Option<Told<String>>,
    /// Cells.
    pub cells: Vec<Told<CellView>>,
    /// Buttons.
    pub buttons: Vec<ButtonNode>,
}

/// Which part of a list is shown.
#[derive(Debug, Serialize)]
pub struct Paging {
    /// Number of the first row.
    pub from: u64,
    /// Number of the last.
    pub to: Told<u64>,
    /// How many there are, if counted.
    pub total: Option<Told<u32>>,
    /// That many or more.
    pub capped: Told<bool>,
    /// Address of the page before.
    pub prev: Option<String>,
    /// Address of the page after.
    pub next: Option<String>,
}

/// A grid.
#[derive(Debug, Serialize)]
pub struct DataGridNode {
    /// Widget id.
    pub id: String,
    /// Title.
    pub title: Option<Told<String>>,
    /// What it has to show.
    pub state: ListState,
    /// Text when there is nothing yet.
    pub empty: Option<String>,
    /// Path of the page.
    pub base: String,
    /// What else the address says.
    pub hidden: Vec<Pair>,
    /// Search.
    pub search: Option<Pair>,
    /// Filters.
    pub filters: Vec<FilterNode>,
    /// Address without search and filters.
    pub clear_href: Option<String>,
    /// Headings.
    pub columns: Vec<ColumnHead>,
    /// Rows.
    pub rows: Vec<RowNode>,
    /// Buttons above.
    pub buttons: Vec<ButtonNode>,
    /// Whether rows have buttons.
    pub has_row_buttons: bool,
    /// Which part is shown.
    pub paging: Option<Paging>,
}

/// A list.
#[derive(Debug, Serialize)]
pub struct ListViewNode {
    /// Widget id.
    pub id: String,
    /// Title.
    pub title: Option<Told<String>>,
    /// What it has to show.
    pub state: ListState,
    /// Text when there is nothing yet.
    pub empty: Option<String>,
    /// Items.
    #[serde(skip)]
    pub items: Vec<ItemNode>,
    /// Which part is shown.
    pub paging: Option<Paging>,
}

/// An item of a list.
#[derive(Debug, Serialize)]
pub struct ItemNode {
    /// Handle of its object.
    pub key: String,
    /// Widgets.
    #[serde(skip)]
    pub children: Vec<Node>,
}

/// What a reader can do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldState {
    /// Change it.
    Editable,
    /// Read it.
    Readonly,
    /// Neither.
    Withheld,
}

/// An input or a selector.
#[derive(Debug, Serialize)]
pub struct InputNode {
    /// Widget id.
    pub id: String,
    /// Field name.
    pub name: String,
    /// Form id.
    pub form: String,
    /// Label.
    pub label: String,
    /// Help.
    pub help: Option<String>,
    /// Placeholder.
    pub placeholder: Option<String>,
    /// Must have a value.
    pub required: bool,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Control.
    pub control: &'static str,
    /// What the reader can do.
    pub state: FieldState,
    /// Text in the field.
    pub value: Option<Told<String>>,
    /// The value to read.
    pub cell: Told<CellView>,
    /// Most characters.
    pub max_length: Option<u32>,
    /// Least value.
    pub min: Option<String>,
    /// Greatest value.
    pub max: Option<String>,
    /// Step of a number.
    pub step: Option<String>,
    /// Lines.
    pub rows: Option<u32>,
    /// Offered values.
    pub options: Option<Told<Vec<Choice>>>,
    /// More could be offered.
    pub truncated: bool,
}

/// A figure.
#[derive(Debug, Serialize)]
pub struct StatNode {
    /// Widget id.
    pub id: String,
    /// Title.
    pub title: String,
    /// The figure.
    pub cell: Told<CellView>,
    /// Icon.
    pub icon: Option<String>,
    /// Tone.
    pub tone: &'static str,
    /// What it opens.
    pub href: Option<Told<String>>,
}

/// A button.
#[derive(Debug, Serialize)]
pub struct ButtonNode {
    /// Id in the document.
    pub id: String,
    /// Caption.
    pub caption: Told<String>,
    /// `primary`, `secondary`, `danger` or `link`.
    pub style: &'static str,
    /// Icon.
    pub icon: Option<String>,
    /// Question asked before.
    pub confirm: Option<Told<String>>,
    /// What it opens, when it is a link.
    pub href: Option<Told<String>>,
    /// The form it sends.
    pub form: Option<String>,
    /// What is sent as `_do`.
    pub value: Option<String>,
    /// Sends without looking at the fields.
    pub novalidate: bool,
}
