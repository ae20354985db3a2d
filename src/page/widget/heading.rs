//! A heading.

use crate::expr::Template;
use crate::page::PageError;
use crate::page::view::{HeadingNode, Node};
use crate::page::walk::{Scope, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, text: &Template, level: u8, scope: &Scope) -> Result<Node, PageError> {
    Ok(Node::Heading(HeadingNode { level, text: walk.plain(text, scope)? }))
}
