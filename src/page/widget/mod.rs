//! Widgets: one file each. A widget turns its declaration and its place into a node.

mod alert;
mod badge;
mod button;
mod columns;
mod container;
mod data_grid;
mod data_view;
mod filter;
mod heading;
mod input;
mod list_view;
mod reference;
mod snippet;
mod stat;
mod tabs;
mod text;

pub(super) use data_view::Found;
pub(super) use reference::offered;

use super::PageError;
use super::view::Node;
use super::walk::{Scope, Walk};
use crate::model::{Widget, WidgetKind};

/// The node of a visible widget; `None` when there is nothing for this reader.
pub(super) fn node(walk: &mut Walk<'_, '_>, widget: &Widget, scope: &Scope) -> Result<Option<Node>, PageError> {
    Ok(match &widget.kind {
        WidgetKind::Container { title, card, content } => Some(container::node(walk, title.as_ref(), *card, content, scope)?),
        WidgetKind::Columns(columns) => Some(columns::node(walk, columns, scope)?),
        WidgetKind::Tabs(tabs) => Some(tabs::node(walk, &widget.id, tabs, scope)?),
        WidgetKind::Snippet { content, .. } => Some(snippet::node(walk, content, scope)?),
        WidgetKind::Heading { text, level } => Some(heading::node(walk, text, *level, scope)?),
        WidgetKind::Text { value, style } => Some(text::node(walk, value, *style, scope)?),
        WidgetKind::Badge { value } => Some(badge::node(walk, value, scope)?),
        WidgetKind::Alert { text, tone } => Some(alert::node(walk, text, *tone, scope)?),
        WidgetKind::DataView(view) => Some(data_view::node(walk, &widget.id, view, scope)?),
        WidgetKind::DataGrid(grid) => Some(data_grid::node(walk, &widget.id, grid, scope)?),
        WidgetKind::ListView(list) => Some(list_view::node(walk, &widget.id, list, scope)?),
        WidgetKind::Input(input) => input::node(walk, &widget.id, input, scope)?,
        WidgetKind::Reference(reference) => reference::node(walk, &widget.id, reference, scope)?,
        WidgetKind::Stat(stat) => Some(stat::node(walk, &widget.id, stat, scope)?),
        WidgetKind::Button(button) => button::button(walk, &widget.id, button, scope)?.map(Node::Button),
    })
}
