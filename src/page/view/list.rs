//! Grids and lists.

use super::{Absence, ButtonNode, Choice, MarkRef, Node};
use crate::page::show::CellView;
use crate::page::told::Told;
use serde::Serialize;

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
#[derive(Debug)]
pub struct RowNode {
    /// Handle of its object.
    pub key: String,
    /// What it opens.
    pub href: Option<Told<String>>,
    /// Cells.
    pub cells: Vec<Told<CellView>>,
    /// Buttons.
    pub buttons: Vec<ButtonNode>,
    /// Marks of the overlay of reasons.
    pub marks: Option<RowMarks>,
}

/// Marks of a row and of its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowMarks {
    /// Of the row.
    pub row: MarkRef,
    /// Of each cell that needs one.
    pub cells: Vec<Option<MarkRef>>,
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
    #[serde(skip)]
    pub rows: Vec<RowNode>,
    /// Buttons above.
    pub buttons: Vec<ButtonNode>,
    /// Whether rows have buttons.
    pub has_row_buttons: bool,
    /// Which part is shown.
    pub paging: Option<Paging>,
    /// What the overlay of reasons says of the list.
    pub xray: Option<Absence>,
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
    /// What the overlay of reasons says of the list.
    pub xray: Option<Absence>,
}

/// An item of a list.
#[derive(Debug, Serialize)]
pub struct ItemNode {
    /// Handle of its object.
    pub key: String,
    /// Mark of the overlay of reasons.
    pub mark: Option<MarkRef>,
    /// Widgets.
    #[serde(skip)]
    pub children: Vec<Node>,
}
