//! A paragraph: withheld as a whole when a value in it is.

use crate::expr::Template;
use crate::model::TextStyle;
use crate::page::PageError;
use crate::page::view::{Node, TextNode};
use crate::page::walk::{Scope, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, value: &Template, style: TextStyle, scope: &Scope) -> Result<Node, PageError> {
    let style = match style {
        TextStyle::Plain => "plain",
        TextStyle::Muted => "muted",
        TextStyle::Lead => "lead",
    };
    Ok(Node::Text(TextNode { style, cell: walk.text_cell(value, scope)? }))
}
