//! A page as a person without script has it: texts, links, forms, fields, buttons, tables.
//!
//! A small scanner, enough for the well-formed HTML that this product writes; nothing in it panics on any other.
//! Deliberately not here: style, script, and what a browser would make of broken nesting.

mod scan;
mod tokens;

use tokens::tokens;

/// What can be typed into or chosen from.
#[derive(Clone, Debug)]
pub struct Control {
    /// The form it belongs to: its `id`, or its number when it has none.
    pub form: String,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its label.
    pub label: String,
    /// Its value.
    pub value: String,
    /// Value and caption of each offered option.
    pub options: Vec<(String, String)>,
    /// A box or one of several choices.
    pub checkbox: bool,
    /// Whether it is ticked.
    pub checked: bool,
    /// Not shown.
    pub hidden: bool,
}

/// What sends a form.
#[derive(Clone, Debug)]
pub struct Button {
    /// The form it belongs to.
    pub form: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What it says.
    pub caption: String,
}

/// Where fields are sent.
#[derive(Clone, Debug)]
pub struct Form {
    /// Its id, or its number.
    pub key: String,
    /// Where it is sent.
    pub action: String,
}

/// A cell of a table, or the value of a field that cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its label.
    pub label: String,
    /// Its text.
    pub text: String,
    /// Whether it is marked as withheld.
    pub withheld: bool,
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its cells.
    pub cells: Vec<Shown>,
    /// What it opens.
    pub href: Option<String>,
    /// Its buttons.
    pub buttons: Vec<Button>,
}

impl Row {
    /// The cell under a heading.
    pub fn cell(&self, label: &str) -> Option<&Shown> {
        self.cells.iter().find(|cell| cell.label == label)
    }
}

/// A page, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Html {
    /// The title.
    pub title: String,
    /// Everything a person reads.
    pub text: String,
    /// All forms.
    pub forms: Vec<Form>,
    /// All fields, hidden ones too.
    pub controls: Vec<Control>,
    /// Its buttons.
    pub buttons: Vec<Button>,
    /// Address and caption.
    pub links: Vec<(String, String)>,
    /// Fields that are only shown.
    pub fields: Vec<Shown>,
    /// Rows with the id of the grid they stand in.
    pub rows: Vec<(String, Row)>,
    /// What is wrong, with the id of the field it stands at; an empty one above them all.
    pub notes: Vec<(String, String)>,
}

/// Reads a page.
pub fn read(html: &str) -> Html {
    scan::Scan::default().run(tokens(html))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scanner_reads_what_this_product_writes() {
        let page = read(
            r#"<head><title>A &amp; B</title></head><form id="f-w1" method="post" action="/p/x"><input type="hidden" name="_csrf" value="t"></form>
            <label class="label" for="w2">Name<span class="req">*</span></label><input id="w2" name="w2" form="f-w1" value="&quot;x&quot;">
            <select id="w3" name="w3" form="f-w1"><option value="">–</option><option value="b" selected>Bee</option></select>
            <button form="f-w1" name="_do" value="w9"><span>Save</span></button><a href="/y?a=1&amp;b=2">Go</a>
            <dl class="field field-static"><dt class="label">Pay</dt><dd class="static"><span class="withheld" title="t"><span class="">Withheld</span></span></dd></dl>
            <section class="card grid" id="w5"><table><tbody><tr class="opens"><td data-label="A"><a class="row-link" href="/z"><span class="value">1</span></a></td></tr></tbody></table></section>
            <div class="alert tone-danger" role="note"><svg><use href="/i"/></svg><p>Not &lt;now&gt;</p></div><div class="alert tone-info"><p>Saved</p></div>
            <p class="error" id="w2-error"><svg><use href="/i"/></svg><span>Too long</span></p><p class="help" id="w2-help">Short</p>"#,
        );
        assert_eq!(page.title, "A & B");
        assert_eq!((page.controls[1].label.as_str(), page.controls[1].value.as_str()), ("Name", "\"x\""));
        assert_eq!((page.controls[2].value.as_str(), page.controls[2].options.len()), ("b", 2));
        assert_eq!((page.buttons[0].caption.as_str(), page.buttons[0].form.as_str()), ("Save", "f-w1"));
        assert_eq!(page.links[0], ("/y?a=1&b=2".to_owned(), "Go".to_owned()));
        assert!(page.fields[0].withheld && page.fields[0].label == "Pay");
        let notes = [("", "Not <now>"), ("w2", "Too long")].map(|(at, said)| (at.to_owned(), said.to_owned()));
        assert_eq!(page.notes, notes);
        let (grid, row) = &page.rows[0];
        assert_eq!((grid.as_str(), row.href.as_deref(), row.cells[0].text.as_str()), ("w5", Some("/z"), "1"));
    }
}
