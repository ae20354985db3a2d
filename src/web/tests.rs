//! HTML of every widget, kept as files and reviewed like code; and that nothing in it is ever unescaped.
//!
//! `UPDATE_GOLDEN=1 cargo test golden` writes the files anew.

use crate::domain::ObjectId;
use crate::model::{WidgetKind, each_widget};
use crate::page::tests::desk::{Desk, grid, name, nodes};
use crate::page::*;
use crate::web::assets::Assets;
use crate::web::render::{Banner, Message, Renderer, Shell, ShellUser};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

const EMMA: [(&str, &str); 1] = [("Employee", "Employee~1")];

/// The word for each widget. A widget that is added must be added here, and then needs a golden file.
fn word(kind: &WidgetKind) -> &'static str {
    match kind {
        WidgetKind::Container { .. } => "container",
        WidgetKind::Columns(_) => "columns",
        WidgetKind::Tabs(_) => "tabs",
        WidgetKind::Snippet { .. } => "snippet",
        WidgetKind::Heading { .. } => "heading",
        WidgetKind::Text { .. } => "text",
        WidgetKind::Badge { .. } => "badge",
        WidgetKind::Alert { .. } => "alert",
        WidgetKind::DataView(_) => "data_view",
        WidgetKind::DataGrid(_) => "data_grid",
        WidgetKind::ListView(_) => "list_view",
        WidgetKind::Input(_) => "input",
        WidgetKind::Reference(_) => "reference",
        WidgetKind::Stat(_) => "stat",
        WidgetKind::Button(_) => "button",
    }
}

const WORDS: [&str; 15] = [
    "alert",
    "badge",
    "button",
    "columns",
    "container",
    "data_grid",
    "data_view",
    "heading",
    "input",
    "list_view",
    "reference",
    "snippet",
    "stat",
    "tabs",
    "text",
];

fn renderer(desk: &Desk) -> Renderer {
    Renderer::new(&Arc::new(Assets::load().unwrap()), &desk.model.texts).unwrap()
}

/// Views that between them show each widget in each of its states.
fn views() -> Vec<(String, View)> {
    let mut views = Vec::new();
    for role in ["Employee", "Manager"] {
        let mut desk = Desk::of(role);
        desk.put("Note", 1, &[("text", "Kind"), ("about", "#1")]);
        let mut add = |what: &str, view: View| views.push((format!("{role}, {what}"), view));
        let all = desk.open("Everything", &[]).unwrap();
        let id = grid(&all).id.clone();
        add("everything", all);
        add(
            "nothing matches",
            desk.open("Everything", &[(&format!("{id}.q"), "nobody"), (&format!("{id}.sort"), "-name")]).unwrap(),
        );
        add("own person", desk.open("Person", &EMMA).unwrap());
        add("other person", desk.open("Person", &[("Employee", "Employee~2")]).unwrap());
        add("new note", desk.open("NewNote", &EMMA).unwrap());
        if role == "Manager" {
            let id = desk.input("Person", "salary");
            let values = BTreeMap::from([(id.clone(), "a lot".into())]);
            let errors = BTreeMap::from([(id, "Enter a number".into())]);
            add("a refused form", desk.again("Person", &EMMA, &Posted { values, errors, ..Posted::default() }));
            add("a new employee", desk.open("ManagerOnly", &[]).unwrap());
        } else {
            desk.memory.rows.retain(|(entity, _), _| entity.name.as_str() != "Department");
            add("departments gone", desk.open("Everything", &[]).unwrap());
            desk.forget_rules("Note");
            desk.forget_rules("Department");
            add("closed entities", desk.open("Person", &EMMA).unwrap());
            add("closed list", desk.open("Everything", &[]).unwrap());
        }
    }
    views
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/widgets")
}

/// HTML over several lines, without the fingerprints of assets.
fn readable(html: &str) -> String {
    let mut out = String::new();
    for (index, part) in html.split("?v=").enumerate() {
        if index > 0 {
            out.push_str("?v=…");
        }
        out.push_str(if index > 0 { part.get(16..).unwrap() } else { part });
    }
    out.trim().replace("><", ">\n<")
}

#[test]
fn the_html_of_every_widget_is_as_reviewed() {
    let renderer = renderer(&Desk::of("Employee"));
    let mut files: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for (from, view) in views() {
        for node in nodes(&view) {
            let html = readable(&renderer.node("en", node).unwrap());
            let known = files.entry(node.kind()).or_default();
            if known.iter().all(|(_, seen)| *seen != html) {
                known.push((from.clone(), html));
            }
        }
    }
    assert!(files.keys().copied().eq(WORDS), "a widget has no example: {:?}", files.keys());
    for (kind, examples) in files {
        let text: String = examples.iter().map(|(from, html)| format!("<!-- {from} -->\n{html}\n\n")).collect();
        let path = folder().join(format!("{kind}.html"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(reviewed == text, "{} is not as reviewed; UPDATE_GOLDEN=1 writes it anew", path.display());
    }
}

#[test]
fn every_widget_of_the_model_has_a_golden_file_and_no_file_is_left_over() {
    let desk = Desk::of("Employee");
    let mut used = BTreeSet::new();
    for page in desk.model.pages.values() {
        each_widget(&page.content, &mut |widget| {
            used.insert(word(&widget.kind));
        });
    }
    assert!(used.iter().copied().eq(WORDS), "the test app uses {used:?}");
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".html").to_owned())
        .collect();
    assert!(files.iter().map(String::as_str).eq(WORDS), "{files:?}");
}

const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "</textarea><svg onload=alert(1)>",
    "</title></head><iframe src=//evil.example>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;script&gt;<!--",
];

fn shell(text: &str) -> Shell {
    Shell {
        lang: "en".into(),
        app_title: text.into(),
        nonce: "n0nce".into(),
        user: Some(ShellUser { name: text.into(), initials: "E".into(), email: text.into(), roles: vec![text.into()] }),
        menu: vec![MenuEntry {
            title: text.into(),
            icon: None,
            href: Some("/p/hr.Everything".into()),
            active: true,
            items: vec![],
        }],
        admin: false,
        csrf: text.into(),
        banner: Some(Banner { tone: "info".into(), text: text.into(), href: None }),
        messages: vec![Message { tone: "success".into(), text: text.into() }],
        theme: "auto".into(),
        path: text.into(),
        back: text.into(),
        request_id: text.into(),
        xray: None,
    }
}

/// A page with one text everywhere that a person's text can get to.
fn infected(role: &str, text: &str) -> Vec<(Desk, View)> {
    let fresh = || {
        let mut desk = Desk::of(role);
        for id in [1, 2, 3] {
            let members = ["name", "email", "notes", "hidden"].map(|member| (member, text));
            desk.put("Employee", id, &members);
        }
        desk.put("Employee", 1, &[("account", "#70")]);
        desk.put("Department", 5, &[("name", text), ("secretPlan", text)]);
        desk.put("Note", 1, &[("text", text), ("about", "#1")]);
        desk.memory.rows.get_mut(&(name("Employee"), ObjectId(1))).unwrap();
        desk
    };
    let mut views = Vec::new();
    let mut desk = fresh();
    let view = desk.open("Everything", &[]).unwrap();
    let id = grid(&view).id.clone();
    views.push((desk, view));
    let mut desk = fresh();
    let (search, filter) = (format!("{id}.q"), format!("{id}.f.name"));
    let view = desk.open("Everything", &[(&search, text), (&filter, text)]).unwrap();
    views.push((desk, view));
    let mut desk = fresh();
    let mut ids = Vec::new();
    each_widget(&desk.model.pages[&name("Person")].content, &mut |widget| ids.push(widget.id.clone()));
    let posted = Posted {
        values: ids.iter().map(|id| (id.clone(), text.to_owned())).collect(),
        errors: ids.iter().map(|id| (id.clone(), text.to_owned())).collect(),
        ..Posted::default()
    };
    let view = desk.again("Person", &EMMA, &posted);
    views.push((desk, view));
    views
}

#[test]
fn hostile_text_is_text_wherever_it_stands() {
    let renderer = renderer(&Desk::of("Employee"));
    let clean: Vec<usize> = ["Employee", "Manager"]
        .iter()
        .flat_map(|role| infected(role, "harmless"))
        .map(|(_, view)| renderer.page(&shell("harmless"), &view).unwrap().matches('<').count())
        .collect();
    for payload in HOSTILE {
        let pages = ["Employee", "Manager"].iter().flat_map(|role| infected(role, payload));
        for ((_, view), tags) in pages.zip(&clean) {
            let html = renderer.page(&shell(payload), &view).unwrap();
            let raw = payload.contains(['<', '"', '\'']) && html.contains(payload);
            assert!(!raw, "{payload} stands unescaped");
            assert_eq!(html.matches('<').count(), *tags, "{payload} made or lost a tag");
            for sign in
                ["<img", "<iframe", "<svg onload", "onerror=alert", "onfocus=\"", "onmouseover='", ">49<", "href=\"javascript:"]
            {
                assert!(!html.contains(sign) || sign == "onerror=alert" && html.contains("&gt;"), "{payload}: {sign}");
            }
            for node in nodes(&view) {
                let html = renderer.node("en", node).unwrap();
                assert!(!(payload.contains(['<', '"', '\'']) && html.contains(payload)), "{payload} in {}", node.kind());
            }
        }
    }
}

#[test]
fn a_withheld_value_is_in_no_byte_of_the_page() {
    let mut desk = Desk::of("Employee");
    desk.put("Employee", 3, &[("hidden", "canary-hidden")]);
    desk.put("Department", 5, &[("secretPlan", "canary-plan")]);
    let renderer = renderer(&desk);
    for (page, query) in [("Everything", vec![]), ("Person", EMMA.to_vec()), ("Person", vec![("Employee", "Employee~3")])] {
        let html = renderer.page(&shell("x"), &desk.open(page, &query).unwrap()).unwrap();
        for canary in ["canary", "5000000", "5,000,000", "mole"] {
            assert!(!html.contains(canary), "{page}: {canary}");
        }
        assert!(html.contains("Withheld"), "{page} says that something is withheld");
    }
}

#[test]
fn a_page_has_no_inline_script_or_style_and_speaks_the_readers_language() {
    let mut desk = Desk::of("Employee");
    let renderer = renderer(&desk);
    let html = renderer.page(&shell("x"), &desk.open("Everything", &[]).unwrap()).unwrap();
    for sign in ["<style", " style=", "onclick=", "<script>"] {
        assert!(!html.contains(sign), "{sign}");
    }
    assert!(html.contains("/static/app.css?v="));
    assert!(html.contains("Search"));
    desk.language = "de".into();
    let view = desk.open("Everything", &[]).unwrap();
    let html = renderer.page(&Shell { lang: "de".into(), ..shell("x") }, &view).unwrap();
    assert!(html.contains("Suchen") && html.contains("Schlichte Worte") && html.contains("Im Dienst"));
}

#[test]
fn every_page_of_the_apps_opens_for_its_roles_and_for_nobody_else() {
    for app in ["apps/people", "tests/apps/library"] {
        let roles: Vec<String> = Desk::over(app, "").model.user_roles.keys().map(ToString::to_string).collect();
        let mut opened = 0;
        for role in roles {
            let mut desk = Desk::over(app, &role);
            let renderer = renderer(&desk);
            let pages: Vec<_> = desk.model.pages.values().cloned().collect();
            for page in pages {
                let handles: Vec<(String, String)> =
                    page.parameters.iter().map(|(name, entity)| (name.to_string(), format!("{}~1", entity.name))).collect();
                let query: Vec<(&str, &str)> = handles.iter().map(|(name, handle)| (name.as_str(), handle.as_str())).collect();
                let may = desk.grants().open(&page.name).is_ok();
                match desk.open(&page.name.to_string(), &query) {
                    Ok(view) => {
                        assert!(may, "{role} opened {}", page.name);
                        renderer.page(&shell("x"), &view).unwrap_or_else(|error| panic!("{}: {error:?}", page.name));
                        opened += 1;
                    }
                    Err(PageError::Gone) => assert!(may && !page.parameters.is_empty(), "{role}: {}", page.name),
                    Err(PageError::Object(_)) => assert!(!may || !page.parameters.is_empty(), "{role}: {}", page.name),
                    Err(other) => panic!("{role}: {}: {other:?}", page.name),
                }
            }
        }
        assert!(opened > 20, "{app}: {opened}");
    }
}
