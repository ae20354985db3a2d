//! Whatever is added with nothing else said is reachable by nobody, on any channel.

use crate::support::project;
use crate::support::server::{Server, Setup, copy};
use portcullis::access::matrix::{Matrix, State};
use portcullis::domain::QName;
use portcullis::model::{self, Files, Model, Page, Severity, WidgetKind};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const EVERYBODY: [&str; 7] = ["nadia", "tomas", "rosa", "helen", "carlo", "arun", "greta"];

fn change(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} has no {from:?}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// Adds one of each to a running app's files, and says nothing else about it.
fn add(app: &Path) {
    let domain = app.join("hr/domain.yaml");
    change(
        &domain,
        "entities:\n",
        "entities:\n  Added:\n    attributes:\n      canaryword: {type: string, default: \"'canary'\"}\n",
    );
    change(
        &domain,
        "      joined: {type: date",
        "      canarysize: {type: string, default: \"'canary'\", label: Canarysize}\n      joined: {type: date",
    );
    change(
        &domain,
        "      manager: {to: Employee,",
        "      canarymentor: {to: Employee, inverse: canarymentees, onDelete: clear, label: Canarymentor}\n      manager: {to: Employee,",
    );
    let yaml = app.join("app.yaml");
    change(&yaml, "  Administrator:\n", "  Newcomer: {moduleRoles: []}\n  Administrator:\n");
    change(
        &yaml,
        "demoUsers:\n",
        "demoUsers:\n  - {key: newman, name: Newman Canary, email: newman@people.example, userRoles: [Newcomer]}\n",
    );
    let text = std::fs::read_to_string(&yaml).unwrap();
    let menus = text.replace("    menu:\n", "    menu:\n      - {title: Canary menu, page: hr.AddedPage, icon: star}\n");
    std::fs::write(&yaml, menus).unwrap();
    change(&app.join("hr/module.yaml"), "roles:\n", "roles:\n  Extra: Added\n");
    std::fs::write(
        app.join("hr/pages/AddedPage.yaml"),
        "title: Canary page\nlayout: app\nroles: []\ncontent:\n  - text: {value: Canary text}\n  - button: {caption: Canary button, run: {microflow: AddedFlow}}\n",
    )
    .unwrap();
    std::fs::write(app.join("hr/microflows/AddedFlow.yaml"), "roles: []\ndo:\n  - message: {text: Canary message}\n").unwrap();
    // The button for the new flow, on a page that everybody in the company opens.
    let home = app.join("hr/pages/Employees.yaml");
    let text = std::fs::read_to_string(&home).unwrap();
    std::fs::write(home, text + "  - button: {caption: Canary button, run: {microflow: AddedFlow}}\n").unwrap();
}

fn load(app: &Path) -> Arc<Model> {
    let (model, findings) = model::load(&Files::read(app).unwrap());
    Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())))
}

/// The app with the additions, over the data of the app without them.
fn grown() -> (TempDir, Server) {
    let folder = TempDir::new().unwrap();
    copy(&project("apps/people"), folder.path());
    let data = Setup::of(project("apps/people")).run().stop();
    add(folder.path());
    let server = Setup::of(folder.path()).over(data).unwrap();
    (folder, server)
}

#[test]
fn in_the_matrix_an_addition_is_nobodys_and_everything_else_is_as_it_was() {
    let (folder, _server) = grown();
    let (before, after) = (Matrix::of(&load(&project("apps/people"))), Matrix::of(&load(folder.path())));
    let known = |role: &String| before.roles.contains(role);
    let mut added = 0;
    for line in &after.rows {
        let new = before.line(line.kind, &line.object, line.operation);
        for (role, cell) in after.roles.iter().zip(&line.cells) {
            let what = format!("{role} {} {}", line.operation, line.object);
            match new.filter(|_| known(role)) {
                Some(old) => {
                    let at = before.roles.iter().position(|name| name == role).unwrap();
                    assert_eq!(old.cells[at], *cell, "{what} is as it was");
                }
                None => {
                    added += 1;
                    assert_eq!(cell.state, State::No, "{what} was granted by nobody");
                }
            }
        }
    }
    assert!(added > 150, "{added}");
    assert!(before.rows.iter().all(|line| after.line(line.kind, &line.object, line.operation).is_some()));
}

#[test]
fn the_check_names_what_was_added_and_granted_to_nobody() {
    let (folder, _server) = grown();
    let (_, findings) = model::load(&Files::read(folder.path()).unwrap());
    for (name, severity) in [
        ("hr.Added ", Severity::Gap),
        ("hr.AddedPage", Severity::Gap),
        ("canarysize", Severity::Warning),
        ("canarymentor", Severity::Warning),
    ] {
        let named = findings.0.iter().any(|finding| finding.severity == severity && finding.message.contains(name));
        assert!(named, "{name}: {}", findings.human());
    }
    assert_eq!(findings.count(Severity::Error), 0);
}

/// The ids of a page's grids.
fn grids(page: &Page) -> Vec<String> {
    let mut ids = Vec::new();
    model::each_widget(&page.content, &mut |widget| {
        if matches!(widget.kind, WidgetKind::DataGrid(_)) {
            ids.push(widget.id.clone());
        }
    });
    ids
}

#[test]
fn over_http_an_addition_is_reached_by_nobody() {
    let (_folder, server) = grown();
    let model = server.web().app.live().model.clone();
    assert!(model.entities.contains_key(&QName::new("hr", "Added")) && model.user_roles.contains_key("Newcomer"));
    for who in EVERYBODY.into_iter().map(Some).chain([None]) {
        let actor = who.map_or_else(|| server.visitor(), |key| server.sign_in(key));
        let home = actor.open("/");
        assert_eq!(home.status, 200, "{who:?}");
        let csrf = home.hidden("_csrf").unwrap().to_owned();
        let expected = if who.is_some() { 403 } else { 303 };
        assert_eq!(actor.get("/p/hr.AddedPage").status, expected, "{who:?}");
        assert_eq!(
            actor.post("/p/hr.AddedPage", &[("_csrf", csrf.as_str()), ("_do", "w2"), ("_state", "x")]).status,
            expected,
            "{who:?}"
        );
        let mut looked = 0;
        for page in model.pages.values().filter(|page| page.parameters.is_empty()) {
            let answer = actor.get(&format!("/p/{}", page.name));
            if answer.status != 200 {
                continue;
            }
            looked += 1;
            assert!(!answer.body.to_lowercase().contains("canary"), "{who:?} {} shows what was added", page.name);
            // No question reaches the new members: they are refused exactly like members that never were.
            for grid in grids(page) {
                for (new, never) in [
                    ("canarysize", "nosuchthing"),
                    ("canarymentor", "nosuchperson"),
                    ("canarymentor.fullName", "nosuch.fullName"),
                ] {
                    for ask in ["sort=-%", "f.%=canary"] {
                        let of = |member: &str| {
                            let page = actor.look(&format!("/p/{}?{grid}.{}", page.name, ask.replace('%', member)));
                            let id = page.answer.header("x-request-id").unwrap().to_owned();
                            (page.status, page.html.text.replace(&id, "…"))
                        };
                        assert_eq!(of(new), of(never), "{who:?} {} {grid} {ask}", page.name);
                    }
                }
            }
        }
        assert!(looked > 0 || who.is_none(), "{who:?}");
        if let Some("nadia" | "helen") = who {
            let page = actor.open("/p/hr.Employees");
            assert!(!page.has_button("Canary button"), "a flow for nobody is offered to nobody");
            let name = QName::new("hr", "Employees");
            let mut id = None;
            model::each_widget(&model.pages[&name].content, &mut |widget| id = Some(widget.id.clone()));
            for state in [page.hidden("_state").unwrap_or("x"), "x"] {
                let pairs = [("_csrf", csrf.as_str()), ("_do", id.as_deref().unwrap()), ("_state", state)];
                let sent = actor.post("/p/hr.Employees", &pairs);
                assert!(matches!(sent.status, 400 | 403) && !sent.body.contains("Canary message"), "{who:?}: {}", sent.status);
            }
        }
    }
}

#[test]
fn a_new_user_role_opens_nothing() {
    let (_folder, server) = grown();
    let model = server.web().app.live().model.clone();
    let newman = server.sign_in("newman");
    let home = newman.open("/");
    assert_eq!((home.status, home.url.as_str()), (200, "/"));
    assert!(
        home.shows("has no start page") && !home.shows("Canary menu") && home.link("Administration").is_none(),
        "{}",
        home.html.text
    );
    for page in model.pages.keys() {
        assert_eq!(newman.get(&format!("/p/{page}")).status, 403, "{page}");
    }
    for part in ["users", "matrix", "audit", "log"] {
        assert_eq!(newman.get(&format!("/admin/{part}")).status, 403, "{part}");
    }
    // Nobody may hand it out either.
    let greta = server.sign_in("greta");
    let users = greta.open("/admin/users");
    assert_eq!(users.status, 200);
    let offered: Vec<&str> =
        users.html.controls.iter().filter(|control| control.name == "role").map(|control| control.value.as_str()).collect();
    assert!(offered.contains(&"Employee") && !offered.contains(&"Newcomer"), "{offered:?}");
}

#[test]
fn a_running_demo_takes_an_addition_over_and_it_is_nobodys_there_too() {
    let folder = TempDir::new().unwrap();
    copy(&project("apps/people"), folder.path());
    let server = Setup::of(folder.path()).scheduled().run();
    let helen = server.sign_in("helen");
    let before = server.web().app.live().model.fingerprint.clone();
    let old = helen.open("/p/hr.DepartmentNew");
    assert_eq!(old.status, 200);
    add(folder.path());
    // The clockwork looks at the files by itself; requests go on meanwhile.
    let mut tries = 0;
    while server.web().app.live().model.fingerprint == before {
        assert_eq!(helen.get("/p/hr.Employees").status, 200);
        tries += 1;
        assert!(tries < 2_000, "the files were not read: {:?}", server.log());
    }
    assert_eq!(helen.get("/p/hr.AddedPage").status, 403);
    assert!(!helen.open("/p/hr.Employees").answer.body.contains("anary"));
    // A form that was drawn before does not fit any more, and is told so.
    let filled = old.fill("Code", "NEW-1").fill("Name", "New one");
    let sent = filled.send(filled.button("Save"));
    assert!(matches!(sent.status, 400 | 409), "{}", sent.status);
}
