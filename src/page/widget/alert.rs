//! A note.

use crate::expr::Template;
use crate::model::Tone;
use crate::page::PageError;
use crate::page::view::{AlertNode, Node};
use crate::page::walk::{Scope, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, text: &Template, tone: Tone, scope: &Scope) -> Result<Node, PageError> {
    Ok(Node::Alert(AlertNode { tone: tone.as_str(), text: walk.plain(text, scope)? }))
}
