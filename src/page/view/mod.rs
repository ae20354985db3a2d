//! A page as decided for one reader: what a template or a JSON body is made of.
//!
//! Data stands in it as [`Told`] only. Children are not serialized with their node: the renderer
//! turns them into text first and gives the node that text.

mod field;
mod list;
mod xray;

pub use field::{ButtonNode, Choice, FieldState, InputNode};
pub use list::{
    ColumnHead, DataGridNode, FilterNode, ItemNode, ListState, ListViewNode, Paging, Pair, RowMarks, RowNode, SortNode,
};

pub use xray::{Absence, AbsentNode, Counts, Legend, MarkKind, MarkNode, MarkRef, MarkedNode, MenuMark};

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
    /// The reasons behind the marks, when the reader asked for them and may have them.
    pub legend: Option<Legend>,
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
#[expect(missing_docs, reason = "each is the widget of the same name in docs/MODEL.md, or a mark of the overlay of reasons")]
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
    Marked(MarkedNode),
    Absent(AbsentNode),
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
            Self::Marked(_) => "marked",
            Self::Absent(_) => "absent",
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
    /// Mark of the overlay of reasons.
    pub mark: Option<MarkRef>,
    /// Widgets.
    #[serde(skip)]
    pub children: Vec<Node>,
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
