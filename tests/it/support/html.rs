//! A page as a person without script has it: texts, links, forms, fields, buttons, tables.
//!
//! A small scanner, enough for the well-formed HTML that this product writes.

use std::collections::BTreeMap;

/// A piece of HTML.
#[derive(Debug)]
enum Token {
    Start(String, BTreeMap<String, String>),
    End(String),
    Text(String),
}

/// What can be typed into or chosen from.
#[derive(Clone, Debug)]
pub struct Control {
    /// The form it belongs to: its `id`, or its number when it has none.
    pub form: String,
    pub name: String,
    pub id: String,
    pub label: String,
    pub value: String,
    /// Value and caption of each offered option.
    pub options: Vec<(String, String)>,
    pub checkbox: bool,
    pub checked: bool,
    pub hidden: bool,
}

/// What sends a form.
#[derive(Clone, Debug)]
pub struct Button {
    pub form: String,
    pub name: String,
    pub value: String,
    pub caption: String,
}

/// Where fields are sent.
#[derive(Clone, Debug)]
pub struct Form {
    pub key: String,
    pub action: String,
}

/// A cell of a table, or the value of a field that cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub label: String,
    pub text: String,
    pub withheld: bool,
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct Row {
    pub cells: Vec<Shown>,
    pub href: Option<String>,
    pub buttons: Vec<Button>,
}

impl Row {
    pub fn cell(&self, label: &str) -> Option<&Shown> {
        self.cells.iter().find(|cell| cell.label == label)
    }
}

/// A page, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Html {
    pub title: String,
    /// Everything a person reads.
    pub text: String,
    pub forms: Vec<Form>,
    pub controls: Vec<Control>,
    pub buttons: Vec<Button>,
    /// Address and caption.
    pub links: Vec<(String, String)>,
    /// Fields that are only shown.
    pub fields: Vec<Shown>,
    /// Rows with the id of the grid they stand in.
    pub rows: Vec<(String, Row)>,
}

/// `&amp;` and its like.
pub fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find(';').filter(|end| *end < 10) else {
            out.push('&');
            rest = &rest[1..];
            continue;
        };
        let name = &rest[1..end];
        let number = name.strip_prefix("#x").map(|hex| u32::from_str_radix(hex, 16)).or(name.strip_prefix('#').map(str::parse));
        let meant = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some(' '),
            _ => number.and_then(Result::ok).and_then(char::from_u32),
        };
        match meant {
            Some(found) => out.push(found),
            None => out.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    out + rest
}

fn tokens(html: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        if at > 0 {
            out.push(Token::Text(decoded(&rest[..at])));
        }
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = &comment[comment.find("-->").map_or(comment.len(), |end| end + 3)..];
            continue;
        }
        let (token, after) = tag(&rest[1..]);
        out.extend(token);
        rest = after;
    }
    if !rest.is_empty() {
        out.push(Token::Text(decoded(rest)));
    }
    out
}

fn tag(text: &str) -> (Option<Token>, &str) {
    if let Some(name) = text.strip_prefix('/') {
        let end = name.find('>').unwrap_or(name.len());
        return (Some(Token::End(name[..end].trim().to_ascii_lowercase())), &name[(end + 1).min(name.len())..]);
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(text.len());
    let name = text[..end].to_ascii_lowercase();
    let mut rest = &text[end..];
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            break;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').unwrap_or(rest.len());
        let key = rest[..end].to_ascii_lowercase();
        rest = &rest[end..];
        let value = match rest.strip_prefix('=') {
            None => String::new(),
            Some(value) => {
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                let (inner, after) = match quote {
                    Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
                    None => {
                        let end = value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len());
                        value.split_at(end)
                    }
                };
                rest = after;
                decoded(inner)
            }
        };
        attributes.insert(key, value);
    }
    let after = rest.strip_prefix('>').unwrap_or(rest);
    (name.chars().next().is_some_and(char::is_alphabetic).then_some(Token::Start(name, attributes)), after)
}

const VOID: [&str; 8] = ["input", "meta", "link", "br", "img", "hr", "use", "path"];

/// Reads a page.
pub fn read(html: &str) -> Html {
    Scan::default().run(tokens(html))
}

#[derive(Default)]
struct Scan {
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
    fn run(mut self, tokens: Vec<Token>) -> Html {
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

    fn text(&mut self, text: &str) {
        if self.inside("script") || self.inside("style") {
            return;
        }
        if let Some((_, caption)) = &mut self.caption {
            caption.push_str(text);
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

#[test]
fn the_scanner_reads_what_this_product_writes() {
    let page = read(
        r#"<head><title>A &amp; B</title></head><form id="f-w1" method="post" action="/p/x"><input type="hidden" name="_csrf" value="t"></form>
        <label class="label" for="w2">Name<span class="req">*</span></label><input id="w2" name="w2" form="f-w1" value="&quot;x&quot;">
        <select id="w3" name="w3" form="f-w1"><option value="">–</option><option value="b" selected>Bee</option></select>
        <button form="f-w1" name="_do" value="w9"><span>Save</span></button><a href="/y?a=1&amp;b=2">Go</a>
        <dl class="field field-static"><dt class="label">Pay</dt><dd class="static"><span class="withheld" title="t"><span class="">Withheld</span></span></dd></dl>
        <section class="card grid" id="w5"><table><tbody><tr class="opens"><td data-label="A"><a class="row-link" href="/z"><span class="value">1</span></a></td></tr></tbody></table></section>"#,
    );
    assert_eq!(page.title, "A & B");
    assert_eq!((page.controls[1].label.as_str(), page.controls[1].value.as_str()), ("Name", "\"x\""));
    assert_eq!((page.controls[2].value.as_str(), page.controls[2].options.len()), ("b", 2));
    assert_eq!((page.buttons[0].caption.as_str(), page.buttons[0].form.as_str()), ("Save", "f-w1"));
    assert_eq!(page.links[0], ("/y?a=1&b=2".to_owned(), "Go".to_owned()));
    assert!(page.fields[0].withheld && page.fields[0].label == "Pay");
    let (grid, row) = &page.rows[0];
    assert_eq!((grid.as_str(), row.href.as_deref(), row.cells[0].text.as_str()), ("w5", Some("/z"), "1"));
}
