//! Widgets that stand in most pages, written without the template engine.
//!
//! Guarantees: the marks are those of their templates; tests hold the two together. Every text goes through
//! [`escape_into`]. Deliberately not here: their rarer forms (a button over reasons, a data view without an object), which
//! stay with the templates.

use super::cells::{Words, escape_into, push};
use crate::page::{ButtonNode, DataState, DataViewNode, Form, Told};

/// Whether a data view is written here.
pub(super) fn is_plain(node: &DataViewNode) -> bool {
    node.state == DataState::Shown && node.mark.is_none()
}

/// A data view around its widgets.
pub(super) fn data_view(node: &DataViewNode, children: &str) -> String {
    let mut out = String::with_capacity(children.len() + 80);
    push(&mut out, &["<div class=\"data-view flow", if node.read_only { " is-read-only" } else { "" }, "\" id=\""]);
    escape_into(&node.id, &mut out);
    push(&mut out, &["\">", children, "</div>"]);
    out
}

/// Whether a button is written here.
pub(super) fn is_plain_button(node: &ButtonNode) -> bool {
    node.mark.is_none() && (node.href.is_some() || node.value.is_some())
}

impl Words {
    /// A button, or a link that looks like one.
    pub(super) fn button(&self, node: &ButtonNode) -> String {
        let mut out = String::with_capacity(256);
        let some = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let href = some(node.href.as_ref().map(|href| href.peek().as_str()));
        push(&mut out, &[if href.is_some() { "<a" } else { "<button" }, " class=\"btn btn-"]);
        escape_into(node.style, &mut out);
        match &href {
            Some(href) => {
                attribute("\" href=\"", href, &mut out);
                attribute("\" id=\"", &node.id, &mut out);
                out.push('"');
            }
            None => self.sends(node, &mut out),
        }
        out.push('>');
        if let Some(icon) = some(node.icon.as_deref()) {
            self.icon(&icon, &mut out);
        }
        out.push_str("<span>");
        escape_into(node.caption.peek(), &mut out);
        push(&mut out, &["</span>", if href.is_some() { "</a>" } else { "</button>" }, "\n"]);
        out
    }

    /// What a button sends.
    fn sends(&self, node: &ButtonNode, out: &mut String) {
        attribute("\" type=\"submit\" id=\"", &node.id, out);
        if let Some(form) = node.form.as_deref().filter(|form| !form.is_empty()) {
            attribute("\" form=\"", form, out);
        }
        attribute("\" name=\"_do\" value=\"", node.value.as_deref().unwrap_or_default(), out);
        push(out, &["\"", if node.novalidate { " formnovalidate" } else { "" }]);
        if let Some(confirm) = node.confirm.as_ref().map(Told::peek).filter(|confirm| !confirm.is_empty()) {
            attribute(" data-confirm=\"", confirm, out);
            out.push('"');
        }
    }
}

/// What leads to a value, and the value.
fn attribute(before: &str, value: &str, out: &mut String) {
    out.push_str(before);
    escape_into(value, out);
}

/// The forms of a page, which hold only their sealed state; fields and buttons anywhere name them.
pub(super) fn forms(forms: &[Form], csrf: &str, back: &str, out: &mut String) {
    for form in forms {
        attribute("<form class=\"page-form\" id=\"", &form.id, out);
        attribute("\" method=\"post\" action=\"", &form.action, out);
        attribute("\" data-live><input type=\"hidden\" name=\"_csrf\" value=\"", csrf, out);
        attribute("\"><input type=\"hidden\" name=\"_back\" value=\"", back, out);
        attribute("\"><input type=\"hidden\" name=\"_state\" value=\"", &form.state, out);
        out.push_str("\"></form>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::assets::Assets;
    use crate::web::spoken::{Spoken, files};
    use std::sync::Arc;
    use tera::Context;

    fn spoken() -> Spoken {
        Spoken::new(&files(), &Arc::new(Assets::load().unwrap()), &Default::default()).unwrap()
    }

    #[test]
    fn a_button_is_what_its_template_makes_of_it() {
        let spoken = spoken();
        let texts = [None, Some(""), Some("<a> & 'b'")];
        for (n, (href, confirm)) in texts.iter().flat_map(|href| texts.iter().map(move |confirm| (href, confirm))).enumerate() {
            for (icon, form) in texts.iter().zip(texts.iter().cycle().skip(n % 3)) {
                for value in texts {
                    let told = |text: &Option<&str>| text.map(|text| Told::for_test(text.to_owned()));
                    let node = ButtonNode {
                        id: "b\"1".into(),
                        caption: Told::for_test("Save <i>".to_owned()),
                        style: "primary",
                        icon: icon.map(str::to_owned),
                        confirm: told(confirm),
                        href: told(href),
                        form: form.map(str::to_owned),
                        value: value.map(str::to_owned),
                        novalidate: n.is_multiple_of(2),
                        mark: None,
                    };
                    if is_plain_button(&node) {
                        let template = spoken.tera.render("widgets/button.html", &Context::from_serialize(&node).unwrap());
                        assert_eq!(spoken.words.button(&node), template.unwrap(), "{node:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_data_view_is_what_its_template_makes_of_it() {
        let spoken = spoken();
        for read_only in [true, false] {
            let node = DataViewNode { id: "d<1".into(), state: DataState::Shown, read_only, mark: None, children: Vec::new() };
            let mut all = Context::from_serialize(&node).unwrap();
            all.insert("children", "<p>x</p>");
            assert!(is_plain(&node));
            assert_eq!(data_view(&node, "<p>x</p>"), spoken.tera.render("widgets/data_view.html", &all).unwrap());
        }
        let other = |state| DataViewNode { id: "d".into(), state, read_only: true, mark: None, children: Vec::new() };
        assert!(!is_plain(&other(DataState::Nothing)) && !is_plain(&other(DataState::NotForYou)));
    }

    #[test]
    fn forms_are_what_their_template_makes_of_them() {
        let spoken = spoken();
        let form = |n: u32| Form { id: format!("f<{n}"), action: format!("/p/a.B?x=\"{n}\"&y"), state: format!("s'{n}") };
        for many in 0..3 {
            let all: Vec<Form> = (0..many).map(form).collect();
            let mut context = Context::new();
            context.insert("forms", &all);
            context.insert("csrf", "<token>");
            context.insert("back", "/p/a.B?'x'");
            let mut out = String::new();
            forms(&all, "<token>", "/p/a.B?'x'", &mut out);
            assert_eq!(out, spoken.tera.render("parts/forms.html", &context).unwrap());
        }
    }
}
