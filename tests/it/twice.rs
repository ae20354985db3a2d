//! A form for something new that is sent twice: it makes one object, and whoever sent it again is led where the first led.

use crate::support::actor::{Actor, Page};
use crate::support::http::{Answer, encoded, raw};
use crate::support::notes::{self, Form};
use crate::support::server::{Kind, Server, Setup, written};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use tempfile::TempDir;

const APP: &str = "\
app: desk
title: Desk
level: prototype
language: en
modules: [desk]
userRoles:
  Guest: {anonymous: true, moduleRoles: [desk.Guest]}
  Clerk: {moduleRoles: [desk.Clerk]}
navigation:
  - {userRoles: [Clerk], home: desk.Tickets}
  - {userRoles: [Guest], home: desk.Door}
demoUsers:
  - {key: cleo, name: Cleo Hart, email: cleo@desk.example, userRoles: [Clerk]}
";
const MODULE: &str = "roles: {Clerk: Works, Guest: Visits}\n";
const DOMAIN: &str = "\
entities:
  Ticket:
    attributes: {title: {type: string, length: 100, required: true}}
    access:
      - {roles: [Clerk], create: true, read: [title], write: [title]}
  Wish:
    persistable: false
    attributes: {title: {type: string, length: 100, required: true}}
    access:
      - {roles: [Clerk, Guest], create: true, read: [title], write: [title]}
";
const MAKE: &str = "\
roles: [Clerk]
parameters: {Wish: Wish}
do:
  - create: {as: Ticket, entity: Ticket, set: {title: $Wish.title}}
  - decide:
      if: \"$Wish.title == 'no'\"
      then:
        - raise: {message: Not that one}
  - message: {text: Made, tone: success}
  - showPage: {page: TicketDetail, with: {Ticket: $Ticket}}
";
const RENAME: &str = "\
roles: [Clerk]
parameters: {Wish: Wish, Ticket: Ticket}
do:
  - change: {object: $Ticket, set: {title: $Wish.title}}
  - showPage: {page: TicketDetail, with: {Ticket: $Ticket}}
";
const HEAR: &str = "roles: [Guest]\nparameters: {Wish: Wish}\ndo:\n  - message: {text: Heard, tone: success}\n";
const TICKETS: &str = "title: Tickets\nroles: [Clerk]\ncontent:\n  - dataGrid: {source: {entity: Ticket, sort: [title]}, columns: [{show: title, title: Title}]}\n";
const NEW: &str = "\
title: New ticket
roles: [Clerk]
content:
  - dataView:
      source: {new: Ticket}
      content:
        - input: {member: title}
        - button: {caption: Save, save: {message: Kept}}
        - button: {caption: Save and stay, save: {then: stay}}
        - button: {caption: Cancel, cancel: {}}
";
const WIZARD: &str = "\
title: A wish
roles: [Clerk]
content:
  - dataView:
      source: {new: Wish}
      content:
        - input: {member: title}
        - button: {caption: Make it, run: {microflow: Make, with: {Wish: this}}}
";
const RENAMING: &str = "\
title: Rename
roles: [Clerk]
parameters: {Ticket: Ticket}
content:
  - dataView:
      source: {new: Wish}
      content:
        - input: {member: title}
        - button: {caption: Rename it, run: {microflow: Rename, with: {Wish: this, Ticket: $Ticket}}}
";
const DOOR: &str = "\
title: Door
layout: plain
roles: [Guest]
content:
  - dataView:
      source: {new: Wish}
      content:
        - input: {member: title}
        - button: {caption: Say it, run: {microflow: Hear, with: {Wish: this}}}
";
const DETAIL: &str = "\
title: Ticket
roles: [Clerk]
parameters: {Ticket: Ticket}
content:
  - dataView: {source: {parameter: Ticket}, content: [{input: {member: title}}, {button: {caption: Keep, save: {then: stay}}}]}
";

fn files() -> TempDir {
    written(&[
        ("app.yaml", APP),
        ("desk/module.yaml", MODULE),
        ("desk/domain.yaml", DOMAIN),
        ("desk/microflows/Make.yaml", MAKE),
        ("desk/microflows/Rename.yaml", RENAME),
        ("desk/microflows/Hear.yaml", HEAR),
        ("desk/pages/Tickets.yaml", TICKETS),
        ("desk/pages/TicketNew.yaml", NEW),
        ("desk/pages/Wizard.yaml", WIZARD),
        ("desk/pages/Renaming.yaml", RENAMING),
        ("desk/pages/Door.yaml", DOOR),
        ("desk/pages/TicketDetail.yaml", DETAIL),
    ])
}

/// A server on each database that there is.
fn each(test: impl Fn(&Server)) {
    let folder = files();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if let Some(server) = Setup::of(folder.path()).on(kind).try_run() {
            test(&server);
        }
    }
}

fn tickets(server: &Server) -> Vec<String> {
    notes::texts(&server.web().app.db, "SELECT title FROM desk_ticket ORDER BY title")
}
fn taken(server: &Server) -> usize {
    notes::texts(&server.web().app.db, "SELECT form_hash FROM form_once").len()
}

/// Sends what a page would send with this button, to one address of the server.
fn send(page: &Page, caption: &str, to: SocketAddr) -> Answer {
    let button = page.button(caption);
    page.actor.at(to).post(&page.action(button), &page.payload(button))
}

fn lands(actor: &Actor, answer: &Answer) -> Page {
    assert_eq!(answer.status, 303, "{}", answer.body);
    actor.open(answer.header("location").unwrap())
}

const ALREADY: &str = "This was done already";

#[test]
fn a_new_form_that_is_sent_again_makes_one_object_and_says_so() {
    each(|server| {
        let (cleo, here) = (server.sign_in("cleo"), server.address());
        let form = cleo.open("/p/desk.TicketNew").fill("Title", "one");
        let (first, again) = (send(&form, "Save", here), send(&form, "Save", here));
        assert_eq!(first.header("location"), again.header("location"), "led where the first was led");
        let page = lands(&cleo, &again);
        assert!(page.status == 200 && page.shows(ALREADY), "{}", page.html.text);
        assert_eq!(tickets(server), ["one"]);
        // Neither other words nor another button make the same form a new one; another form is one.
        let other = send(&form.clone().fill("Title", "two"), "Save and stay", here);
        assert!(lands(&cleo, &other).shows(ALREADY));
        assert_eq!(tickets(server), ["one"]);
        assert_eq!(send(&cleo.open("/p/desk.TicketNew").fill("Title", "two"), "Save", here).status, 303);
        assert_eq!(tickets(server), ["one", "two"]);
    });
}

#[test]
fn the_next_form_of_a_page_that_stays_is_a_new_one() {
    each(|server| {
        let mut page = server.sign_in("cleo").open("/p/desk.TicketNew");
        for title in ["a", "b", "c"] {
            page = page.fill("Title", title).click("Save and stay");
            assert!(page.status == 200 && !page.shows(ALREADY), "{}", page.html.text);
        }
        assert_eq!(tickets(server), ["a", "b", "c"]);
    });
}

#[test]
fn what_is_not_acceptable_or_refused_takes_nothing() {
    each(|server| {
        let (cleo, here) = (server.sign_in("cleo"), server.address());
        let form = cleo.open("/p/desk.TicketNew");
        let empty = form.click("Save");
        assert_eq!((empty.status, taken(server)), (422, 0));
        let forged = cleo.at(here).post("/p/desk.TicketNew", &[("_csrf", "x"), ("_state", "y"), ("_do", "w1")]);
        assert!(forged.status >= 400 && taken(server) == 0, "{}", forged.status);
        // Corrected, it is still the form it was: made once, whichever of the two pages is sent again.
        let corrected = empty.fill("Title", "one");
        assert_eq!(send(&corrected, "Save", here).status, 303);
        assert!(lands(&cleo, &send(&form.fill("Title", "two"), "Save", here)).shows(ALREADY));
        assert!(lands(&cleo, &send(&corrected, "Save", here)).shows(ALREADY));
        assert_eq!((tickets(server), taken(server)), (vec!["one".to_owned()], 1));
        // What is stored is guarded by its version, and leaving a form is no deed.
        let detail = cleo.open(&server_page(server));
        assert_eq!(detail.fill("Title", "new name").click("Keep").status, 200);
        assert_eq!(cleo.open("/p/desk.TicketNew").click("Cancel").status, 200);
        assert_eq!(taken(server), 1);
    });
}

fn server_page(server: &Server) -> String {
    format!("/p/desk.TicketDetail?Ticket={}", server.handle("desk.Ticket", 1))
}

#[test]
fn a_microflow_that_a_form_starts_with_something_new_runs_once_and_leads_to_the_same_page() {
    each(|server| {
        let (cleo, here) = (server.sign_in("cleo"), server.address());
        let wizard = cleo.open("/p/desk.Wizard");
        let raised = wizard.clone().fill("Title", "no").click("Make it");
        assert!(raised.status == 422 && raised.shows("Not that one") && tickets(server).is_empty() && taken(server) == 0);
        let form = raised.fill("Title", "yes");
        let (first, again) = (send(&form, "Make it", here), send(&form, "Make it", here));
        assert!(first.header("location").unwrap().contains("TicketDetail"));
        assert_eq!(first.header("location"), again.header("location"));
        assert!(lands(&cleo, &again).shows(ALREADY));
        assert_eq!(tickets(server), ["yes"]);
    });
}

#[test]
fn a_form_whose_answer_was_lost_is_sent_again_without_harm() {
    each(|server| {
        let (cleo, here) = (server.sign_in("cleo"), server.address());
        let form = cleo.open("/p/desk.TicketNew").fill("Title", "one");
        let button = form.button("Save").clone();
        let body = encoded(&form.payload(&button));
        let head = cleo.head("POST", &form.action(&button), &[], body.len());
        let mut lost = TcpStream::connect(here).unwrap();
        lost.write_all(head.as_bytes()).and_then(|()| lost.write_all(body.as_bytes())).unwrap();
        drop(lost);
        let again = raw(here, &head, body.as_bytes()).unwrap();
        assert_eq!(again.status, 303, "{}", again.body);
        // The first may still be under way; then it is the one that changes nothing.
        server.web().app.db.write(|_| Ok::<_, portcullis::db::DbError>(())).unwrap();
        assert_eq!(tickets(server), ["one"]);
    });
}

/// Many forms, each sent by several at the same moment to any of these addresses.
fn at_once(actor: &Actor, addresses: &[SocketAddr]) -> usize {
    let mut forms = 0;
    for round in 0..8 {
        let form = actor.open("/p/desk.TicketNew").fill("Title", &format!("t{round}"));
        let (button, together) = (form.button("Save").clone(), Barrier::new(4));
        let body = encoded(&form.payload(&button));
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let one = |at: usize| {
                let address = addresses[at % addresses.len()];
                let head = actor.at(address).head("POST", &form.action(&button), &[], body.len());
                let (body, together) = (&body, &together);
                scope.spawn(move || {
                    together.wait();
                    raw(address, &head, body.as_bytes()).unwrap()
                })
            };
            let all: Vec<_> = (0..4).map(one).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for answer in &answers {
            assert_eq!(answer.status, 303, "{}", answer.body);
            assert_eq!(answer.header("location"), answers[0].header("location"));
        }
        forms += 1;
    }
    forms
}

#[test]
fn of_two_that_send_the_same_new_form_one_makes_it() {
    each(|server| {
        let forms = at_once(&server.sign_in("cleo"), &[server.address()]);
        assert_eq!(tickets(server), (0..forms).map(|n| format!("t{n}")).collect::<Vec<_>>());
    });
}

#[test]
fn the_same_new_form_at_two_nodes_makes_one_object() {
    let folder = files();
    let Some(one) = Setup::of(folder.path()).on(Kind::Postgres).try_run() else { return };
    let two = Setup::of(folder.path()).beside(&one, "two").unwrap();
    let forms = at_once(&one.sign_in("cleo"), &[one.address(), two.address()]);
    assert_eq!(tickets(&one), (0..forms).map(|n| format!("t{n}")).collect::<Vec<_>>());
    let cleo = one.sign_in("cleo");
    let form = cleo.open("/p/desk.TicketNew").fill("Title", "t9");
    let (here, there) = (send(&form, "Save", one.address()), send(&form, "Save", two.address()));
    assert_eq!(here.header("location"), there.header("location"));
    assert_eq!(tickets(&two).len(), forms + 1);
}

#[test]
fn a_form_is_forgotten_when_its_state_cannot_be_opened_any_more_and_not_before() {
    each(|server| {
        let cleo = server.sign_in("cleo");
        let form = Form::open_at(&cleo, "/p/desk.TicketNew", "Title");
        assert_eq!(form.send_state(server.address(), "one", form.state()).unwrap().status, 303);
        let kept = notes::texts(&server.web().app.db, "SELECT form_hash FROM form_once");
        assert!(kept.len() == 1 && !form.state().contains(&kept[0]), "a hash is kept, and nothing that was sent");
        server.clock.advance(std::time::Duration::from_secs(12 * 3_600 - 60));
        server.web().app.upkeep().unwrap();
        assert_eq!(taken(server), 1);
        server.clock.advance(std::time::Duration::from_secs(120));
        server.web().app.upkeep().unwrap();
        assert_eq!(taken(server), 0);
        let again = form.send_state(server.address(), "two", form.state()).unwrap();
        assert!(again.status != 303 || again.header("location").unwrap().contains("sign-in"), "{}", again.status);
        assert_eq!(tickets(server), ["one"]);
    });
}

#[test]
fn a_visitors_form_costs_no_statement_first_or_again() {
    let folder = files();
    let server = Setup::of(folder.path()).run();
    let visitor = server.visitor();
    let form = visitor.open("/p/desk.Door").fill("Title", "hello");
    for _ in 0..2 {
        let (answer, statements) = server.statements(|| send(&form, "Say it", server.address()));
        assert_eq!((answer.status, statements), (303, 0), "{}", answer.body);
    }
    assert_eq!(taken(&server), 0);
}

/// What the form acts on was changed by the form itself: sent again it is still the form that was carried out.
#[test]
fn a_form_that_changed_what_it_acts_on_is_known_again_when_it_is_sent_twice() {
    each(|server| {
        let (cleo, here) = (server.sign_in("cleo"), server.address());
        assert_eq!(send(&cleo.open("/p/desk.TicketNew").fill("Title", "one"), "Save", here).status, 303);
        let address = format!("/p/desk.Renaming?Ticket={}", server.handle("desk.Ticket", 1));
        let (form, late) = (cleo.open(&address).fill("Title", "two"), cleo.open(&address).fill("Title", "three"));
        let (first, again) = (send(&form, "Rename it", here), send(&form, "Rename it", here));
        assert_eq!(first.header("location"), again.header("location"));
        assert!(lands(&cleo, &again).shows(ALREADY));
        // Another form, drawn before, is not that one: its ticket was changed meanwhile.
        assert_eq!(send(&late, "Rename it", here).status, 409);
        assert_eq!(tickets(server), ["two"]);
    });
}
