//! Tags and texts → the page.

use super::tokens::Token;
use super::{Button, Control, Form, Html, Row, Shown};
use std::collections::BTreeMap;

const VOID: [&str; 8] = ["input", "meta", "link", "br", "img", "hr", "use", "path"];

#[derive(Default)]
pub(super) struct Scan {
    page: Html,
    open: Vec<(String, BTreeMap<String, String>)>,
    forms: usize,
    form: Option<String>,
    labels: BTreeMap<String, String>,
    /// Texts being gathered: depth at which they began, and the text so far.
    caption: Option<(usize, String)>,
    button: Option<Button>,
    link: Option<String>,
    option: Option<(String, bool)>,
    select: Option<Control>,
    area: Option<Control>,
    label: Option<String>,
    shown: Option<Shown>,
    row: Option<Row>,
    grid: String,
}

impl Scan {
    pub(super) fn run(mut self, tokens: Vec<Token>) -> Html {
        for token in tokens {
            match token {
                Token::Start(name, attributes) => self.start(&name, attributes),
                Token::End(name) => self.end(&name),
                Token::Text(text) => self.text(&text),
            }
        }
        for control in &mut self.page.controls {
            control.label = self.labels.get(&control.id).cloned().unwrap_or_default();
        }
        self.page
    }

    fn control(&self, attributes: &BTreeMap<String, String>) -> Control {
        let take = |key: &str| attributes.get(key).cloned().unwrap_or_default();
        let kind = take("type");
        let checkbox = kind == "checkbox" || kind == "radio";
        Control {
            form: attributes.get("form").cloned().or(self.form.clone()).unwrap_or_default(),
            name: take("name"),
            id: take("id"),
            label: String::new(),
            value: if checkbox && !attributes.contains_key("value") { "on".into() } else { take("value") },
            options: Vec::new(),
            checkbox,
            checked: attributes.contains_key("checked"),
            hidden: kind == "hidden",
        }
    }

    fn begin(&mut self) {
        self.caption = Some((self.open.len(), String::new()));
    }

    fn start(&mut self, name: &str, attributes: BTreeMap<String, String>) {
        let take = |key: &str| attributes.get(key).cloned().unwrap_or_default();
        let class = take("class");
        match name {
            "form" => {
                self.forms += 1;
                let key = attributes.get("id").cloned().unwrap_or_else(|| format!("#{}", self.forms));
                self.page.forms.push(Form { key: key.clone(), action: take("action") });
                self.form = Some(key);
            }
            "input" => {
                let control = self.control(&attributes);
                self.page.controls.push(control);
            }
            "select" => self.select = Some(self.control(&attributes)),
            "textarea" => {
                self.area = Some(self.control(&attributes));
                self.begin();
            }
            "option" => {
                self.option = Some((take("value"), attributes.contains_key("selected")));
                self.begin();
            }
            "button" => {
                self.button = Some(Button {
                    form: attributes.get("form").cloned().or(self.form.clone()).unwrap_or_default(),
                    name: take("name"),
                    value: take("value"),
                    caption: String::new(),
                });
                self.begin();
            }
            "a" => {
                self.link = Some(take("href"));
                if class.contains("row-link")
                    && let Some(row) = &mut self.row
                {
                    row.href = Some(take("href"));
                }
                if self.caption.is_none() {
                    self.begin();
                }
            }
            "label" => {
                self.label = Some(take("for"));
                self.begin();
            }
            "title" => self.begin(),
            "section" if class.split(' ').any(|word| word == "grid") => self.grid = take("id"),
            "tr" => self.row = Some(Row { cells: Vec::new(), href: None, buttons: Vec::new() }),
            "td" if attributes.contains_key("data-label") => {
                self.shown = Some(Shown { label: take("data-label"), text: String::new(), withheld: false });
            }
            "dl" if class.contains("field-static") => {
                self.shown = Some(Shown { label: String::new(), text: String::new(), withheld: false });
            }
            "span" if class == "withheld" => {
                if let Some(shown) = &mut self.shown {
                    shown.withheld = true;
                }
            }
            _ => {}
        }
        if !VOID.contains(&name) {
            self.open.push((name.to_owned(), attributes));
        }
    }

    fn inside(&self, name: &str) -> bool {
        self.open.iter().any(|(open, _)| open == name)
    }

    /// The id of the field of which what stands here says what is wrong; an empty one where it is said of no field.
    fn noted(&self) -> Option<String> {
        self.open.iter().find_map(|(_, attributes)| match attributes.get("class").map(String::as_str) {
            Some("error") => Some(attributes.get("id")?.strip_suffix("-error")?.to_owned()),
            Some("alert tone-danger") => Some(String::new()),
            _ => None,
        })
    }

    fn text(&mut self, text: &str) {
        if self.inside("script") || self.inside("style") {
            return;
        }
        if let Some((_, caption)) = &mut self.caption {
            caption.push_str(text);
        }
        if let Some(at) = self.noted().filter(|_| !text.trim().is_empty()) {
            self.page.notes.push((at, text.trim().to_owned()));
        }
        let classed = |word: &str| self.open.iter().any(|(_, attributes)| attributes.get("class").is_some_and(|c| c == word));
        let (term, note, said, hidden) = (self.inside("dt"), classed("help"), self.inside("span"), classed("vh"));
        if let Some(shown) = &mut self.shown {
            if term {
                shown.label.push_str(text.trim());
            } else if !note && said && !hidden && text.trim() != "–" {
                shown.text.push_str(text);
            }
        }
        if !self.inside("option") && !self.inside("head") {
            self.page.text.push_str(text);
            self.page.text.push(' ');
        }
    }

    fn end(&mut self, name: &str) {
        let Some(at) = self.open.iter().rposition(|(open, _)| open == name) else { return };
        self.open.truncate(at);
        let caption = match &self.caption {
            Some((depth, _)) if at <= *depth => self.caption.take().map(|(_, text)| match name {
                "textarea" => text.strip_prefix('\n').unwrap_or(&text).to_owned(),
                _ => text.split_whitespace().collect::<Vec<_>>().join(" "),
            }),
            _ => None,
        };
        match name {
            "form" => self.form = None,
            "title" => self.page.title = caption.unwrap_or_default(),
            "option" => self.option(caption.unwrap_or_default()),
            "select" => self.page.controls.extend(self.select.take()),
            "textarea" => {
                if let Some(mut area) = self.area.take() {
                    area.value = caption.unwrap_or_default();
                    self.page.controls.push(area);
                }
            }
            "button" => {
                if let Some(mut button) = self.button.take() {
                    button.caption = caption.unwrap_or_default();
                    if let Some(row) = &mut self.row {
                        row.buttons.push(button.clone());
                    }
                    self.page.buttons.push(button);
                }
            }
            "a" => {
                if let Some(href) = self.link.take() {
                    self.page.links.push((href, caption.unwrap_or_default()));
                }
            }
            "label" => {
                if let Some(id) = self.label.take() {
                    self.labels.insert(id, caption.unwrap_or_default().trim_end_matches('*').trim().to_owned());
                }
            }
            "td" => {
                if let (Some(shown), Some(row)) = (self.shown.take(), &mut self.row) {
                    row.cells.push(Shown { text: shown.text.trim().to_owned(), ..shown });
                }
            }
            "dl" => {
                if let Some(shown) = self.shown.take() {
                    self.page.fields.push(Shown { text: shown.text.trim().to_owned(), ..shown });
                }
            }
            "tr" => {
                if let Some(row) = self.row.take().filter(|row| !row.cells.is_empty()) {
                    self.page.rows.push((self.grid.clone(), row));
                }
            }
            _ => {}
        }
    }

    fn option(&mut self, caption: String) {
        let (Some((value, selected)), Some(select)) = (self.option.take(), &mut self.select) else { return };
        if selected || select.options.is_empty() {
            select.value.clone_from(&value);
        }
        select.options.push((value, caption));
    }
}
