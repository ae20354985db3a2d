//! A snippet: its content, with the objects of the place where it stands.

use crate::model::Widget;
use crate::page::PageError;
use crate::page::view::Node;
use crate::page::walk::{Scope, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, content: &[Widget], scope: &Scope) -> Result<Node, PageError> {
    walk.widgets(content, scope).map(Node::Snippet)
}
