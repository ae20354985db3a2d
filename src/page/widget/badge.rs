//! A badge: an enumeration value takes its tone.

use crate::expr::Typed;
use crate::page::PageError;
use crate::page::view::{BadgeNode, Node};
use crate::page::walk::{Scope, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, value: &Typed, scope: &Scope) -> Result<Node, PageError> {
    Ok(Node::Badge(BadgeNode { cell: walk.value_cell(value, scope)? }))
}
