//! A group of widgets, plain or as a card.

use crate::expr::Template;
use crate::model::Widget;
use crate::page::PageError;
use crate::page::view::{ContainerNode, Node};
use crate::page::walk::{Scope, Walk};

pub(super) fn node(
    walk: &mut Walk<'_, '_>,
    title: Option<&Template>,
    card: bool,
    content: &[Widget],
    scope: &Scope,
) -> Result<Node, PageError> {
    let title = title.map(|title| walk.plain(title, scope)).transpose()?;
    let style = if card { "card" } else { "plain" };
    Ok(Node::Container(ContainerNode { title, style, children: walk.widgets(content, scope)? }))
}
