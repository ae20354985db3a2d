//! Marks of the overlay of reasons, and its legend.

use super::Node;
use crate::access::explain::Step;
use crate::page::told::Told;
use serde::Serialize;

/// A number that stands at something, and in the legend beside its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MarkRef {
    /// The number.
    pub number: u32,
    /// `yes` (released), `no` (withheld), `partly`.
    pub tone: &'static str,
}

/// What a mark stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// The page.
    Page,
    /// A list, or the place of one that is closed.
    List,
    /// A row of a list.
    Row,
    /// A member: a field, a column, a cell.
    Member,
    /// A button.
    Button,
    /// The object of a data view.
    Object,
    /// A figure.
    Figure,
    /// A widget with a condition of its own.
    Widget,
}

impl MarkKind {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Page, Self::List, Self::Row, Self::Member, Self::Button, Self::Object, Self::Figure, Self::Widget];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::List => "list",
            Self::Row => "row",
            Self::Member => "member",
            Self::Button => "button",
            Self::Object => "object",
            Self::Figure => "figure",
            Self::Widget => "widget",
        }
    }
}

/// How many rows there are, and how many of them are the reader's: over the model's own constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Counts {
    /// So many exist,
    pub existing: u32,
    /// or more.
    pub capped: bool,
    /// So many are released.
    pub released: u32,
    /// The others.
    pub withheld: u32,
}

/// One entry of the legend.
#[derive(Debug, Serialize)]
pub struct MarkNode {
    /// The number, and whether it is released.
    #[serde(flatten)]
    pub mark: MarkRef,
    /// What it is about.
    pub kind: MarkKind,
    /// Its name.
    pub title: String,
    /// The reasons.
    pub reasons: Told<Vec<Step>>,
    /// What would change it.
    pub would_change: Told<Vec<String>>,
    /// How many rows, of a list where that is told.
    pub counts: Option<Told<Counts>>,
}

/// An entry of the app's menus that the reader does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MenuMark {
    /// Its title.
    pub title: String,
    /// The page it would open.
    pub page: String,
    /// Why not.
    pub why: String,
}

/// All reasons of a page.
#[derive(Debug, Default, Serialize)]
pub struct Legend {
    /// By number.
    pub entries: Vec<MarkNode>,
    /// What is not in the menu.
    pub menu: Vec<MenuMark>,
    /// There was more than is explained at once.
    pub truncated: bool,
}

/// A widget with a mark.
#[derive(Debug, Serialize)]
pub struct MarkedNode {
    /// The mark.
    pub mark: MarkRef,
    /// It stands in a line with others.
    pub inline: bool,
    /// The widget.
    #[serde(skip)]
    pub inner: Box<Node>,
}

/// The place of something that is not shown.
#[derive(Debug, Serialize)]
pub struct AbsentNode {
    /// The mark.
    pub mark: MarkRef,
    /// What would stand here, in the words of the model.
    pub caption: String,
}

/// Rows of a list that are not there, and its buttons that are not shown.
#[derive(Debug, Serialize)]
pub struct Absence {
    /// The mark of the list.
    pub mark: MarkRef,
    /// How many rows.
    pub counts: Option<Told<Counts>>,
    /// Why there is no count.
    pub uncounted: bool,
    /// Marks of the columns, in their order.
    pub columns: Vec<Option<MarkRef>>,
    /// Buttons that are not shown.
    pub buttons: Vec<AbsentNode>,
}
