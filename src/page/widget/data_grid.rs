//! A grid: one question for a page of rows.

use super::super::paths::{Wanted, kind_at};
use super::super::source::{MOST_COUNTED, Source, base, list_href, page_of_rows};
use super::button::button;
use super::filter::{Asked, effective, searchable, sortable_as};
use crate::access::Rows;
use crate::domain::Kind;
use crate::expr::Root;
use crate::model::{Column, ColumnShow, DataGrid, Path, Widget, WidgetKind};
use crate::page::PageError;
use crate::page::show::{CellView, align};
use crate::page::told::Told;
use crate::page::view::{Absence, ButtonNode, ColumnHead, DataGridNode, ListState, Node, Pair, RowNode, SortNode};
use crate::page::walk::{Scope, This, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, id: &str, grid: &DataGrid, scope: &Scope) -> Result<Node, PageError> {
    let title = grid.title.as_ref().map(|title| walk.plain(title, scope)).transpose()?;
    let mut node = DataGridNode {
        id: id.to_owned(),
        title,
        state: ListState::NotForYou,
        empty: walk.say_some(grid.empty.as_deref()),
        base: base(walk),
        hidden: Vec::new(),
        search: None,
        filters: Vec::new(),
        clear_href: None,
        columns: Vec::new(),
        rows: Vec::new(),
        buttons: buttons(walk, &grid.buttons, scope)?,
        has_row_buttons: !grid.row_buttons.is_empty(),
        paging: None,
        xray: None,
    };
    if !walk.skips(&grid.row_buttons)
        && let Some(source) = Source::open(walk, &grid.source, scope)?
    {
        fill(walk, id, grid, source, scope, &mut node)?;
    }
    explain_closed(walk, grid, scope, &mut node)?;
    Ok(Node::DataGrid(Box::new(node)))
}

fn fill(
    walk: &mut Walk<'_, '_>,
    id: &str,
    grid: &DataGrid,
    mut source: Source,
    scope: &Scope,
    node: &mut DataGridNode,
) -> Result<(), PageError> {
    let acted = walk.acted_row(&grid.source.entity)?;
    let asked = Asked::read(walk, id, grid)?;
    if acted.is_some() {
        source.query.object = acted;
    } else {
        asked.apply(walk, grid, &mut source)?;
        source.query.total = grid.total.then_some(MOST_COUNTED);
    }
    let paths: Vec<Option<Path>> = grid.columns.iter().map(|column| shown_path(walk, grid, column)).collect();
    let kind = |path: &Option<Path>| path.as_ref().and_then(|path| kind_at(&walk.model, &grid.source.entity, path));
    let kinds: Vec<Kind> = paths.iter().map(|path| kind(path).unwrap_or(Kind::Text)).collect();
    let mut wanted = Wanted::from(Root::This);
    wanted.grid_rows(grid);
    let expressions = !wanted.paths.is_empty();
    let places = source.ask(walk, &paths, wanted.paths);
    let (rows, paging) = page_of_rows(walk, &mut source, id, grid.page_size)?;
    if expressions {
        source.learn(&mut walk.facts, &rows);
    }
    node.rows = grid_rows(walk, grid, &kinds, &places, &rows, scope)?;
    if let Some(marks) = walk.mark_list(called(walk, grid, node), &grid.source, &source, Some(&rows), &paths)? {
        walk.mark_rows(&marks, &paths, &mut node.rows);
        node.xray = Some(marks.absence);
    }
    node.state = match (node.rows.is_empty(), asked.narrows()) {
        (false, _) => ListState::Rows,
        (true, true) => ListState::NothingMatches,
        (true, false) => ListState::NothingYet,
    };
    node.has_row_buttons = node.rows.iter().any(|row| !row.buttons.is_empty());
    node.paging = (!node.rows.is_empty()).then_some(paging);
    node.columns = heads(walk, id, grid, &asked, &paths, &kinds);
    tools(walk, id, grid, &asked, node)
}

/// What the grid is called among the reasons: text of the model.
fn called(walk: &Walk<'_, '_>, grid: &DataGrid, node: &DataGridNode) -> String {
    let title = node.title.as_ref().filter(|title| !title.is_data()).map(|title| title.peek().clone());
    title.unwrap_or_else(|| walk.model.entity(&grid.source.entity).map_or_else(String::new, |entity| entity.label_plural.clone()))
}

/// For the overlay of reasons: a grid that is not for the reader, and buttons that are not shown.
fn explain_closed(walk: &mut Walk<'_, '_>, grid: &DataGrid, scope: &Scope, node: &mut DataGridNode) -> Result<(), PageError> {
    if node.xray.is_none() {
        let Some(mark) = walk.mark_closed(&grid.source.entity) else { return Ok(()) };
        node.xray = Some(Absence { mark, counts: None, uncounted: false, columns: Vec::new(), buttons: Vec::new() });
    }
    let mut absent = Vec::new();
    for widget in &grid.buttons {
        let WidgetKind::Button(declared) = &widget.kind else { continue };
        let visible = walk.visible(widget, scope)?;
        if !visible || button(walk, &widget.id, declared, scope)?.is_none() {
            absent.extend(walk.absent_button(widget, scope, visible)?);
        }
    }
    // The buttons of rows are told of once, not in each row.
    for widget in &grid.row_buttons {
        let shown = |row: &RowNode| row.buttons.iter().any(|one| one.id.rsplit_once('-').is_some_and(|(id, _)| id == widget.id));
        if !node.rows.iter().any(shown) && !node.rows.is_empty() {
            let this =
                This { entity: grid.source.entity.clone(), id: crate::domain::ObjectId(0), life: crate::page::walk::Life::Fresh };
            let row = scope.row(this, 0, String::new());
            absent.extend(walk.absent_button(widget, &row, widget.visible.is_none())?);
        }
    }
    if let Some(xray) = &mut node.xray {
        xray.buttons = absent;
    }
    Ok(())
}

/// The member path of a column, when it shows one.
fn shown_path(walk: &Walk<'_, '_>, grid: &DataGrid, column: &Column) -> Option<Path> {
    match &column.show {
        ColumnShow::Path(path) => Some(effective(walk, &grid.source.entity, path)),
        _ => None,
    }
}

fn grid_rows(
    walk: &mut Walk<'_, '_>,
    grid: &DataGrid,
    kinds: &[Kind],
    places: &[Option<usize>],
    rows: &Told<Rows>,
    scope: &Scope,
) -> Result<Vec<RowNode>, PageError> {
    let entity = &grid.source.entity;
    let mut nodes = Vec::with_capacity(rows.peek().rows.len());
    let all = walk.all_of(entity, rows);
    walk.foresee(&grid.row_buttons, &all, scope)?;
    walk.foresee_rules(&grid.row_buttons, entity, &all)?;
    let opens = grid.opens.as_ref().and_then(|open| Some((walk.opening(&open.page)?, open)));
    for (number, row) in rows.peek().rows.iter().enumerate() {
        let key = walk.context.handles.write(entity, row.id);
        let this = This { entity: entity.clone(), id: row.id, life: walk.life(entity, row.version) };
        let inner = scope.row(this, number + 1, key.clone());
        let mut cells = Vec::with_capacity(grid.columns.len());
        for ((column, kind), place) in grid.columns.iter().zip(kinds).zip(places) {
            let cell = match (&column.show, place) {
                (ColumnShow::Path(_), Some(place)) => walk.rows_cell(rows, number, *place, kind),
                (ColumnShow::Path(_), None) => Told::fixed(walk.speak(|speech| speech.withheld(kind))),
                (ColumnShow::Text(text), _) => walk.text_cell(text, &inner)?,
                (ColumnShow::Badge(typed), _) => walk.value_cell(typed, &inner)?,
            };
            cells.push(cell.map(|cell| CellView { align: side(column, kind), ..cell }));
        }
        let href = opens.as_ref().map(|(page, open)| walk.href_to(page, open, &inner)).transpose()?.flatten();
        nodes.push(RowNode { key, href, cells, buttons: buttons(walk, &grid.row_buttons, &inner)?, marks: None });
    }
    Ok(nodes)
}

fn side(column: &Column, kind: &Kind) -> &'static str {
    if column.right { "right" } else { align(kind) }
}

/// The visible buttons among widgets, for this caller.
fn buttons(walk: &mut Walk<'_, '_>, widgets: &[Widget], scope: &Scope) -> Result<Vec<ButtonNode>, PageError> {
    let mut nodes = Vec::new();
    for widget in widgets {
        let WidgetKind::Button(declared) = &widget.kind else { continue };
        if walk.visible(widget, scope)? {
            nodes.extend(button(walk, &widget.id, declared, scope)?);
        }
    }
    Ok(nodes)
}

fn heads(
    walk: &mut Walk<'_, '_>,
    id: &str,
    grid: &DataGrid,
    asked: &Asked,
    paths: &[Option<Path>],
    kinds: &[Kind],
) -> Vec<ColumnHead> {
    let key = format!("{id}.sort");
    let page = format!("{id}.p");
    let head = |((column, shown), kind): ((&Column, &Option<Path>), &Kind)| {
        let written = match (&column.show, shown) {
            (ColumnShow::Path(path), Some(shown)) if sortable_as(walk, grid, shown, Some(kind)) => Some(path.join(".")),
            _ => None,
        };
        let sort = written.map(|written| {
            let state = match &asked.sort {
                Some((path, down)) if *path == written => {
                    if *down {
                        "desc"
                    } else {
                        "asc"
                    }
                }
                _ => "none",
            };
            let next = if state == "asc" { format!("-{written}") } else { written };
            SortNode { href: list_href(walk, |known| known == key || known == page, &[(&key, &next)]), state }
        });
        ColumnHead { title: walk.say(&column.title), align: side(column, kind), sort }
    };
    grid.columns.iter().zip(paths).zip(kinds).map(head).collect()
}

/// Search, filters, and what else stands in the address.
fn tools(walk: &mut Walk<'_, '_>, id: &str, grid: &DataGrid, asked: &Asked, node: &mut DataGridNode) -> Result<(), PageError> {
    let searches = !searchable(walk, grid).is_empty();
    node.search = searches.then(|| Pair { name: format!("{id}.q"), value: asked.search.clone() });
    if walk.act.is_none() {
        node.filters = asked.nodes(walk, id, grid)?;
    }
    let own = |key: &str| key.strip_prefix(id).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| rest != "sort");
    if asked.narrows() {
        node.clear_href = Some(list_href(walk, own, &[]));
    }
    let kept = walk.context.query.changed(|key| !key.contains('.') || own(key), &[]);
    node.hidden = walk.stored_arguments().into_iter().map(|(name, value)| Pair { name, value }).collect();
    node.hidden.extend(kept.pairs().map(|(name, value)| Pair { name: name.to_owned(), value: value.to_owned() }));
    Ok(())
}
