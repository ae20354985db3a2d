//! Outside demo mode the overlay is for the user roles that the model names.

use super::{counts, switch_on};
use crate::support::actor::Actor;
use crate::support::project;
use crate::support::server::{Server, Setup, people, start};
use portcullis::clock::Clock;
use portcullis::config::{Overrides, Settings};
use portcullis::crypto::SECRET_FILE;
use portcullis::identity::{Actor as By, NewAccount};
use portcullis::server::Mode;
use tempfile::TempDir;

/// The strict server over the data of the demo, and the folder of its secret.
fn strict() -> (TempDir, Server) {
    let (data, keys) = (people().stop(), TempDir::new().unwrap());
    let secret = keys.path().join(SECRET_FILE);
    std::fs::copy(data.path().join(SECRET_FILE), &secret).unwrap();
    let setup = Setup { mode: Mode::Serve, clock: Clock::fixed(start()), ..Setup::of(project("apps/people")) };
    let setup = setup.with(move |settings| {
        let file = settings.data.join("strict.toml");
        std::fs::write(&file, "pool = 4\n[mail]\ntarget = \"smtp://127.0.0.1:9\"\nfrom = \"app@people.example\"\n").unwrap();
        let safe = Overrides {
            file: Some(file),
            data: Some(settings.data.clone()),
            app: Some(settings.app.clone()),
            ..Overrides::default()
        };
        let safe = Settings::load(&safe).unwrap();
        (settings.mail, settings.argon2) = (safe.mail, safe.argon2);
        settings.secret_file = secret;
    });
    (keys, setup.over(data).unwrap())
}

/// Somebody with a user role, signed in by the link of an invitation.
fn invited(server: &Server, role: &str) -> Actor {
    let app = &server.web().app;
    let (email, roles) = (format!("{}@people.example", role.to_lowercase()), [role.into()].into_iter().collect());
    let new = NewAccount { email: &email, name: role, roles: &roles };
    let (_, token) = app.db.write(|conn| app.identity.invite(conn, &By::system("test"), &new)).unwrap();
    let somebody = Actor::new(server.visitor().address);
    let words = "lantern orchard violet tram";
    let page = somebody.open(&format!("/link/invite/{token}")).fill("New password", words).fill("Once more", words);
    assert_eq!(page.click("Save the password").status, 200);
    somebody
}

#[test]
fn outside_demo_mode_the_overlay_is_for_named_roles_and_nobody_else_gets_a_byte_or_a_statement_of_it() {
    let (_keys, server) = strict();
    let employee = invited(&server, "Employee");
    let wish = ["_csrf", "xray"];
    let page = employee.open("/p/hr.Employees");
    assert!(!page.answer.body.contains("xray"), "no switch and no mark");
    let (_, before) = server.statements(|| employee.open("/p/hr.Employees"));
    let csrf = page.hidden("_csrf").unwrap().to_owned();
    assert_eq!(employee.post("/xray", &[(wish[0], csrf.as_str()), (wish[1], "on")]).status, 303, "a wish is free");
    assert!(employee.cookies().contains("portcullis_xray=on"));
    let (page, after) = server.statements(|| employee.open("/p/hr.Employees"));
    assert!(page.status == 200 && !page.answer.body.contains("xray"), "it is not granted: {}", page.answer.body);
    assert_eq!(before, after, "and costs no statement");

    let visitor = server.visitor();
    let door = visitor.open("/p/hiring.PublicVacancies");
    let csrf = door.hidden("_csrf").unwrap().to_owned();
    visitor.post("/xray", &[(wish[0], csrf.as_str()), (wish[1], "on")]);
    assert!(!visitor.open("/p/hiring.PublicVacancies").answer.body.contains("xray"), "visitors get none");

    let helen = invited(&server, "HrAdministrator");
    let plain = helen.open("/p/hr.Departments");
    assert!(plain.answer.body.contains("action=\"/xray\"") && !plain.answer.body.contains("xray-badge"), "asked for, not forced");
    let (_, quiet) = server.statements(|| helen.open("/p/hr.Departments"));
    let page = switch_on(&helen, "/p/hr.Departments");
    assert!(page.answer.body.contains("xray-badge") && counts(&page)[0].contains("rows exist"), "{}", page.answer.body);
    let (_, told) = server.statements(|| helen.open("/p/hr.Departments"));
    assert!(told > quiet, "reasons are read when they are wanted ({told}), and only then ({quiet})");
    helen.post("/xray", &[(wish[0], page.hidden("_csrf").unwrap()), (wish[1], "off")]);
    assert_eq!(server.statements(|| helen.open("/p/hr.Departments")).1, quiet);
}
