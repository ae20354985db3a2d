//! Grids as HTML: their rows without the template engine, and what stands around these kept where it is everybody's.
//!
//! Guarantees: what is kept is the template rendered from its key, with a blank in the place of the rows; nothing that a
//! reader typed, that was derived from rows, or that names an object is ever a key, but how many rows there are.
//! Deliberately not here: what a cell looks like (`cells`).

use super::frame::Own;
use super::render::{RenderError, context};
use super::spoken::Spoken;
use crate::page::{ButtonNode, DataGridNode};
use serde::Serialize;
use std::collections::BTreeMap;

const TEMPLATE: &str = "widgets/data_grid.html";

/// A row with buttons: its cells are HTML already.
#[derive(Serialize)]
struct Row<'a> {
    opens: bool,
    cells: String,
    buttons: &'a [ButtonNode],
}

/// A grid.
pub(super) fn written(node: &DataGridNode, spoken: &Spoken) -> Result<String, RenderError> {
    let cells = |at: usize, row, out: &mut String| {
        spoken.words.row(&node.id, &node.columns, (at + 1, row), &spoken.signs, out);
    };
    if node.has_row_buttons {
        let rows = node.rows.iter().enumerate().map(|(at, row)| {
            let mut html = String::with_capacity(1024);
            cells(at, row, &mut html);
            Row { opens: row.href.is_some(), cells: html, buttons: &row.buttons }
        });
        let mut context = context(node)?;
        context.insert("rows", &rows.collect::<Vec<_>>());
        return Ok(spoken.tera.render(TEMPLATE, &context)?);
    }
    // Nothing of the rows is left to the template.
    let mut body = String::with_capacity(node.rows.len() * 1024);
    for (at, row) in node.rows.iter().enumerate() {
        body.push_str(if row.href.is_some() { "<tr role=\"row\" class=\"opens\">" } else { "<tr role=\"row\">" });
        cells(at, row, &mut body);
        body.push_str("</tr>");
    }
    if is_everybodys(node) {
        let blank = BTreeMap::from([("rows", Own::Body.blank())]);
        let kept = spoken.grids.filled(TEMPLATE, &(node, blank), &[(Own::Body, &body)], |(node, blank)| {
            let mut all = context(node)?;
            all.extend(context(blank)?);
            Ok(spoken.tera.render(TEMPLATE, &all)?)
        })?;
        if let Some(html) = kept {
            return Ok(html);
        }
    }
    let mut context = context(node)?;
    context.insert("rows", &body);
    Ok(spoken.tera.render(TEMPLATE, &context)?)
}

/// Whether nothing around the rows is a person's own: neither data, nor what they typed, nor the object of the page.
// SECURITY: every field is named, so that a new one cannot be left out here
// (`nothing_that_is_a_readers_own_is_kept_with_a_grid`).
fn is_everybodys(node: &DataGridNode) -> bool {
    let DataGridNode {
        id: _,
        title,
        state: _,
        empty: _,
        base: _,
        hidden,
        search,
        filters,
        clear_href,
        columns: _,
        rows: _,
        buttons,
        has_row_buttons: _,
        // Numbers, and addresses that say no more than the headings' do.
        paging: _,
        xray,
    } = node;
    let texts = title.as_ref().is_none_or(|title| !title.is_data()) && hidden.is_empty();
    let typed = search.as_ref().is_some_and(|search| !search.value.is_empty()) || clear_href.is_some();
    let chosen = filters.iter().any(|filter| !filter.value.is_empty() || filter.options.is_data());
    texts && !typed && !chosen && buttons.is_empty() && xray.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{ColumnHead, ListState, Paging, Pair, SortNode, Told};
    use crate::web::assets::Assets;
    use crate::web::spoken::files;
    use std::sync::Arc;

    fn spoken() -> Spoken {
        Spoken::new(&files(), &Arc::new(Assets::load().unwrap()), &Default::default()).unwrap()
    }

    fn node(n: usize) -> DataGridNode {
        let sort = SortNode { href: format!("/p/a.B?g.sort=x{}&amp;", n % 2), state: ["none", "asc", "desc"][n % 3] };
        DataGridNode {
            id: "g".into(),
            title: n.is_multiple_of(2).then(|| Told::for_test("People <b>".to_owned())),
            state: ListState::Rows,
            empty: None,
            base: "/p/a.B".into(),
            hidden: Vec::new(),
            search: None,
            filters: Vec::new(),
            clear_href: None,
            columns: vec![ColumnHead { title: "A & B".into(), align: "left", sort: (n % 4 > 1).then_some(sort) }],
            rows: Vec::new(),
            buttons: Vec::new(),
            has_row_buttons: false,
            paging: Some(Paging {
                from: 1,
                to: Told::for_test(20 + n as u64 % 5),
                total: (!n.is_multiple_of(3)).then(|| Told::for_test(n as u32)),
                capped: Told::for_test(n.is_multiple_of(7)),
                prev: None,
                next: (!n.is_multiple_of(2)).then(|| "/p/a.B?g.p=2".into()),
            }),
            xray: None,
        }
    }

    fn by_template(spoken: &Spoken, node: &DataGridNode) -> String {
        let mut all = context(node).unwrap();
        all.insert("rows", "");
        spoken.tera.render(TEMPLATE, &all).unwrap()
    }

    #[test]
    fn a_kept_grid_is_what_the_template_makes_of_each() {
        let spoken = spoken();
        for n in (0..60).chain(0..60) {
            assert_eq!(written(&node(n), &spoken).unwrap(), by_template(&spoken, &node(n)), "{n}");
        }
        let kept = spoken.grids.count();
        assert!((1..=60).contains(&kept), "{kept}");
    }

    #[test]
    fn nothing_that_is_a_readers_own_is_kept_with_a_grid() {
        let spoken = spoken();
        let pair = |value: &str| Pair { name: "n".into(), value: value.into() };
        let own: [fn(&mut DataGridNode, Pair); 3] = [
            |node, pair| node.hidden.push(pair),
            |node, pair| node.search = Some(pair),
            |node, _| node.clear_href = Some("/p/a.B".into()),
        ];
        for change in own {
            let mut one = node(1);
            change(&mut one, pair("<typed>"));
            assert!(!is_everybodys(&one));
            assert_eq!(written(&one, &spoken).unwrap(), by_template(&spoken, &one));
        }
        assert_eq!(spoken.grids.count(), 0);
        let mut one = node(1);
        one.search = Some(pair(""));
        assert!(is_everybodys(&one), "what nobody typed anything into is everybody's");
    }
}
