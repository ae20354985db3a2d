//! A list of objects, each with its own widgets.

use super::super::paths::Wanted;
use super::super::source::{Source, page_of_rows};
use crate::expr::Root;
use crate::model::ListView;
use crate::page::PageError;
use crate::page::view::{Absence, ItemNode, ListState, ListViewNode, Node};
use crate::page::walk::{Scope, This, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, id: &str, list: &ListView, scope: &Scope) -> Result<Node, PageError> {
    let title = list.title.as_ref().map(|title| walk.plain(title, scope)).transpose()?;
    let empty = walk.say_some(list.empty.as_deref());
    let mut node = ListViewNode {
        id: id.to_owned(),
        title,
        state: ListState::NotForYou,
        empty,
        items: Vec::new(),
        paging: None,
        xray: None,
    };
    if walk.skips(&list.content) {
        return Ok(Node::ListView(node));
    }
    refuse_other_keys(walk, id)?;
    let Some(mut source) = Source::open(walk, &list.source, scope)? else {
        let closed = |mark| Absence { mark, counts: None, uncounted: false, columns: Vec::new(), buttons: Vec::new() };
        node.xray = walk.mark_closed(&list.source.entity).map(closed);
        return Ok(Node::ListView(node));
    };
    source.query.object = walk.acted_row(&list.source.entity)?;
    let mut wanted = Wanted::from(Root::This);
    wanted.widgets(&list.content);
    source.ask(walk, &[], wanted.paths);
    let (rows, paging) = page_of_rows(walk, &mut source, id, list.page_size)?;
    source.learn(&mut walk.facts, &rows);
    let title = node.title.as_ref().filter(|title| !title.is_data()).map(|title| title.peek().clone());
    let title = title.unwrap_or_else(|| list.source.entity.to_string());
    let marks = walk.mark_list(title, &list.source, &source, Some(&rows), &[])?;
    let all = walk.all_of(&list.source.entity, &rows);
    walk.foresee(&list.content, &all, scope)?;
    walk.foresee_rules(&list.content, &list.source.entity, &all)?;
    for (number, row) in rows.peek().rows.iter().enumerate() {
        let entity = &list.source.entity;
        let key = walk.context.handles.write(entity, row.id);
        let this = This { entity: entity.clone(), id: row.id, life: walk.life(entity, row.version) };
        let inner = scope.row(this, number + 1, key.clone());
        let mark = marks.as_ref().and_then(|marks| walk.mark_row(marks, number));
        node.items.push(ItemNode { key, mark, children: walk.widgets(&list.content, &inner)? });
    }
    node.xray = marks.map(|marks| marks.absence);
    node.state = if node.items.is_empty() { ListState::NothingYet } else { ListState::Rows };
    node.paging = (!node.items.is_empty() && (paging.prev.is_some() || paging.next.is_some())).then_some(paging);
    Ok(Node::ListView(node))
}

/// A list has pages and nothing else that an address could ask for.
fn refuse_other_keys(walk: &Walk<'_, '_>, id: &str) -> Result<(), PageError> {
    let other = |key: &str| key.strip_prefix(id).is_some_and(|rest| rest.starts_with('.') && rest != ".p");
    match walk.context.query.pairs().any(|(key, _)| other(key)) {
        true => Err(PageError::BadRequest("a key that the list does not have")),
        false => Ok(()),
    }
}
