//! The same app over SQLite and over PostgreSQL shows every reader the same.

use crate::support::actor::Page;
use crate::support::project;
use crate::support::server::{Kind, Server, Setup};
use std::collections::BTreeMap;

const PEOPLE: [&str; 7] = ["nadia", "tomas", "rosa", "helen", "carlo", "arun", "greta"];

/// What stands on a page for its reader, without markup.
fn text(page: &Page) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in page.answer.body.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every page of the menu, for everybody, and one object behind each grid.
fn walk(server: &Server) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for who in PEOPLE {
        let actor = server.sign_in(who);
        let home = actor.open("/");
        let mut todo: Vec<String> = links(&home);
        let mut deeper = Vec::new();
        while let Some(href) = todo.pop() {
            let name = href.split('?').next().unwrap().to_owned();
            let key = format!("{who} {name}");
            if seen.contains_key(&key) {
                continue;
            }
            let page = actor.open(&href);
            assert_eq!(page.status, 200, "{key}");
            seen.insert(key, text(&page));
            deeper.extend(links(&page).into_iter().find(|link| link.contains('?')));
            if todo.is_empty() {
                todo.append(&mut deeper);
            }
        }
    }
    seen
}

fn links(page: &Page) -> Vec<String> {
    let body = &page.answer.body;
    let found = body.split("href=\"/p/").skip(1).filter_map(|rest| rest.split('"').next());
    let mut all: Vec<String> = found
        .map(|rest| format!("/p/{}", rest.replace("&amp;", "&")))
        .filter(|href| !href.contains("?w") && !href.contains("&w"))
        .collect();
    all.dedup();
    all
}

#[test]
fn every_reader_sees_the_same_on_sqlite_and_on_postgresql() {
    let app = || Setup::of(project("apps/people"));
    let Some(postgres) = app().on(Kind::Postgres).try_run() else { return };
    let sqlite = app().run();
    let (one, other) = (walk(&sqlite), walk(&postgres));
    assert!(one.len() > 60, "{} pages", one.len());
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    let different: Vec<_> = one.iter().filter(|(page, text)| other.get(*page) != Some(text)).map(|(page, _)| page).collect();
    for page in &different {
        eprintln!("{page}\n  SQLite:     {}\n  PostgreSQL: {}", one[*page], other[*page]);
    }
    assert!(different.is_empty(), "these pages differ: {different:?}");
}
