//! Widgets side by side.

use crate::model::Widget;
use crate::page::PageError;
use crate::page::view::{ColumnNode, Node};
use crate::page::walk::{Scope, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, columns: &[(u8, Vec<Widget>)], scope: &Scope) -> Result<Node, PageError> {
    let column = |(width, content): &(u8, Vec<Widget>)| Ok(ColumnNode { width: *width, children: walk.widgets(content, scope)? });
    columns.iter().map(column).collect::<Result<_, PageError>>().map(Node::Columns)
}
