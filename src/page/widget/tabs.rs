//! Tabs; all are part of the page, so a form can stretch over them.

use crate::model::Widget;
use crate::page::PageError;
use crate::page::view::{Node, TabNode, TabsNode};
use crate::page::walk::{Scope, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, id: &str, tabs: &[(String, Vec<Widget>)], scope: &Scope) -> Result<Node, PageError> {
    let mut nodes = Vec::with_capacity(tabs.len());
    for (number, (title, content)) in tabs.iter().enumerate() {
        let children = walk.widgets(content, scope)?;
        nodes.push(TabNode { id: format!("{id}-{}", number + 1), title: walk.say(title), children });
    }
    Ok(Node::Tabs(TabsNode { id: id.to_owned(), tabs: nodes }))
}
