//! The cells of grids as HTML: a page may have thousands, and a template takes microseconds for each.
//!
//! The marks are those of the `cell` component in `templates/parts/components.html`; a test holds
//! the two together. Every text goes through [`escape`].

use super::assets::Assets;
use super::reasons::Signs;
use crate::page::{CellState, CellView, ColumnHead, InputNode, RowNode};
use std::io::Write;

/// What stands where there is nothing to show, in one language.
pub(super) struct Words {
    withheld: String,
    /// The same with its word in sight.
    withheld_wordy: String,
    empty: String,
    /// Up to the text, which says that the value cannot be computed.
    uncomputable: String,
    /// Up to the name of an icon.
    icon: String,
}

impl Words {
    /// With the fixed texts translated by `say`.
    pub(super) fn new(assets: &Assets, say: impl Fn(&str) -> String) -> Self {
        let text = |text: &str| escaped(&say(text));
        let icon = escaped(&assets.url("icons.svg"));
        let withheld = |class: &str| {
            format!(
                "<span class=\"withheld\" title=\"{}\"><svg class=\"icon\" aria-hidden=\"true\" focusable=\"false\">\
                 <use href=\"{icon}#lock\"></use></svg><span class=\"{class}\">{}</span></span>",
                text("You may not see this value"),
                text("Withheld")
            )
        };
        let empty =
            format!("<span class=\"nil\"><span aria-hidden=\"true\">–</span><span class=\"vh\">{}</span></span>", text("empty"));
        let uncomputable = format!(
            "<span class=\"uncomputable\" title=\"{}\"><svg class=\"icon\" aria-hidden=\"true\" focusable=\"false\">\
             <use href=\"{icon}#alert\"></use></svg><span>",
            text("It needs more digits than a number has")
        );
        let icon = format!("<svg class=\"icon\" aria-hidden=\"true\" focusable=\"false\"><use href=\"{icon}#");
        Self { withheld: withheld("vh"), withheld_wordy: withheld(""), empty, uncomputable, icon }
    }

    /// An icon.
    pub(super) fn icon(&self, name: &str, out: &mut String) {
        out.push_str(&self.icon);
        escape_into(name, out);
        out.push_str("\"></use></svg>");
    }

    /// Adds the cells of the row with this number (from 1) of a grid.
    pub(super) fn row(
        &self,
        grid: &str,
        columns: &[ColumnHead],
        (number, row): (usize, &RowNode),
        signs: &Signs,
        out: &mut String,
    ) {
        let href = row.href.as_ref().map(|href| href.peek().as_str()).filter(|href| !href.is_empty());
        for (at, cell) in row.cells.iter().enumerate() {
            let cell = cell.peek();
            let title = columns.get(at).map_or("", |column| column.title.as_str());
            push(out, &["<td role=\"cell\" class=\"align-", cell.align, " kind-", cell.kind, "\" data-label=\""]);
            escape_into(title, out);
            if at == 0 {
                out.push_str("\" id=\"");
                escape_into(grid, out);
                push(out, &["-row-", &number.to_string()]);
            }
            out.push_str("\">");
            if let Some(marks) = row.marks.as_ref().filter(|_| at == 0) {
                signs.badge(marks.row, out);
            }
            match href.filter(|_| at == 0) {
                Some(href) => {
                    out.push_str("<a class=\"row-link\" href=\"");
                    escape_into(href, out);
                    out.push_str("\">");
                    self.cell(cell, true, out);
                    out.push_str("</a>");
                }
                None => self.cell(cell, false, out),
            }
            if let Some(mark) = row.marks.as_ref().and_then(|marks| marks.cells.get(at).copied().flatten()) {
                signs.badge(mark, out);
            }
            out.push_str("</td>");
        }
    }

    /// A field that the reader cannot change.
    pub(super) fn field(&self, field: &InputNode) -> String {
        let mut out = String::with_capacity(256);
        out.push_str("<dl class=\"field field-static\"><dt class=\"label\">");
        escape_into(&field.label, &mut out);
        out.push_str("</dt><dd class=\"static\">");
        match field.cell.peek() {
            cell if cell.state == CellState::Withheld => out.push_str(&self.withheld_wordy),
            cell => self.cell(cell, true, &mut out),
        }
        out.push_str("</dd>");
        if let Some(help) = field.help.as_deref().filter(|help| !help.is_empty()) {
            out.push_str("<dd class=\"help\">");
            escape_into(help, &mut out);
            out.push_str("</dd>");
        }
        out.push_str("</dl>");
        out
    }

    fn cell(&self, cell: &CellView, with_kind: bool, out: &mut String) {
        match (cell.state, cell.tone) {
            (CellState::Withheld, _) => return out.push_str(&self.withheld),
            (CellState::Empty, _) => return out.push_str(&self.empty),
            (CellState::Uncomputable, _) => {
                out.push_str(&self.uncomputable);
                escape_into(&cell.text, out);
                return out.push_str("</span></span>");
            }
            (CellState::Plain, Some(tone)) => push(out, &["<span class=\"badge tone-", tone, "\">"]),
            (CellState::Plain, None) if with_kind => push(out, &["<span class=\"value kind-", cell.kind, "\">"]),
            (CellState::Plain, None) => out.push_str("<span class=\"value\">"),
        }
        escape_into(&cell.text, out);
        out.push_str("</span>");
    }
}

/// Adds texts that are HTML already.
pub(super) fn push(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}

/// What stands for a character that means something in HTML.
fn entity(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'&' => "&amp;",
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'"' => "&quot;",
        b'\'' => "&#39;",
        _ => return None,
    })
}

/// Whether something else stands for a character: asked of every byte of a page.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'')
}

/// Calls `put` with the pieces of the escaped text: long stretches as they are, and entities.
fn pieces<E>(text: &str, mut put: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        put(plain)?;
        put(from.bytes().next().and_then(entity).unwrap_or_default())?;
        rest = from.get(1..).unwrap_or_default();
    }
    put(rest)
}

/// Escapes for the template engine: text and quoted attributes.
// SECURITY: stored script (ASVS 1.2.1); `hostile_text_is_text_wherever_it_stands`.
pub(super) fn escape(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    pieces(text, |piece| out.write_all(piece.as_bytes()))
}

pub(super) fn escape_into(text: &str, out: &mut String) {
    let Ok(()) = pieces(text, |piece| {
        out.push_str(piece);
        Ok::<_, std::convert::Infallible>(())
    });
}

/// A text as it may stand in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::FieldState;
    use std::sync::Arc;

    #[test]
    fn everything_that_means_something_in_html_is_escaped_and_nothing_else_changes() {
        assert_eq!(escaped("<a href=\"x\" id='y'>&amp;</a>"), "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
        for plain in ["", "é – 🦀", "a/b?c={{ 7 }}", "\u{202e}x\u{0}"] {
            assert_eq!(escaped(plain), plain);
        }
        for byte in 0..=u8::MAX {
            assert_eq!(is_special(byte), entity(byte).is_some(), "{byte}");
        }
        let mut written = Vec::new();
        escape("'é<'", &mut written).unwrap();
        assert_eq!(written, "&#39;é&lt;&#39;".as_bytes());
    }

    /// A cell as the component of the templates writes it.
    fn by_template(assets: &Arc<Assets>, cell: &CellView) -> String {
        let mut tera = tera::Tera::new();
        tera.set_escape_fn(escape);
        let of = assets.clone();
        tera.register_function("asset", move |given: tera::Kwargs, _: &tera::State<'_>| -> tera::TeraResult<String> {
            Ok(of.url(given.must_get::<&str>("path")?))
        });
        tera.register_function("t", |given: tera::Kwargs, _: &tera::State<'_>| -> tera::TeraResult<String> {
            Ok(given.must_get::<&str>("text")?.to_owned())
        });
        let components = include_str!("../../templates/parts/components.html");
        tera.add_raw_templates([("parts.html", components), ("one.html", "{{ <cell c={c} /> }}")]).unwrap();
        let mut context = tera::Context::new();
        context.insert("c", cell);
        tera.render("one.html", &context).unwrap()
    }

    /// A field as the template of its widget writes it.
    fn field_by_template(assets: &Arc<Assets>, field: &InputNode) -> String {
        let spoken = crate::web::spoken::Spoken::new(&crate::web::spoken::files(), assets, &Default::default()).unwrap();
        spoken.tera.render("widgets/input.html", &tera::Context::from_serialize(field).unwrap()).unwrap()
    }

    #[test]
    fn a_field_to_read_is_what_the_template_of_its_widget_makes_of_it() {
        let assets = Arc::new(Assets::load().unwrap());
        let words = Words::new(&assets, str::to_owned);
        for cell_state in [CellState::Plain, CellState::Empty, CellState::Withheld, CellState::Uncomputable] {
            for (tone, help) in [(None, None), (Some("danger"), Some("<i>help</i>")), (None, Some(""))] {
                let cell = CellView { state: cell_state, text: "<b>'x'</b>".into(), tone, align: "left", kind: "text" };
                for state in [FieldState::Readonly, FieldState::Withheld] {
                    let field = InputNode::for_test(state, "A & B", help, cell.clone());
                    assert_eq!(words.field(&field), field_by_template(&assets, &field), "{field:?}");
                }
            }
        }
    }

    #[test]
    fn a_cell_is_what_the_component_of_the_templates_makes_of_it() {
        let assets = Arc::new(Assets::load().unwrap());
        let words = Words::new(&assets, str::to_owned);
        for state in [CellState::Plain, CellState::Empty, CellState::Withheld, CellState::Uncomputable] {
            for tone in [None, Some("danger")] {
                let cell = CellView { state, text: "<b>'x'</b>".into(), tone, align: "right", kind: "number" };
                let mut out = String::new();
                words.cell(&cell, true, &mut out);
                assert_eq!(out, by_template(&assets, &cell));
            }
        }
    }
}
