//! What microflows were refused, told at the reference, at the command line and in the overlay.

use super::{reference, switch_on};
use crate::support::actor::Page;
use crate::support::project;
use crate::support::server::{Kind, Server, Setup, written};
use std::process::Command;
use tempfile::TempDir;

const APP: &str = "app: forge
title: Forge
level: prototype
language: en
modules: [m]
userRoles:
  Guest: {anonymous: true, moduleRoles: [m.Guest]}
  Clerk: {moduleRoles: [m.User]}
  Boss: {moduleRoles: [m.User, m.Head]}
  Warden: {moduleRoles: [m.Gate]}
guardrails:
  - {deny: run, of: [m.Inner], userRoles: [Boss], doc: Bosses do not touch the books}
administration: {users: [Boss], audit: [Boss, Warden]}
navigation:
  - {userRoles: [Clerk, Boss], home: m.People}
demoUsers:
  - {key: cleo, name: Cleo Hart, email: cleo@forge.example, userRoles: [Clerk]}
  - {key: bob, name: Bob Stone, email: bob@forge.example, userRoles: [Boss]}
  - {key: wim, name: Wim Gate, email: wim@forge.example, userRoles: [Warden]}
";
const MODULE: &str = "roles: {User: Works, Head: Leads, Gate: Watches, Guest: Visits}\n";
const DOMAIN: &str = "
entities:
  Book:
    attributes: {title: {type: string, length: 50}, total: {type: integer}}
    access:
      - {roles: [Head], read: [title, total]}
  Person:
    attributes: {name: {type: string, length: 50}, pay: {type: integer}}
    associations: {book: {to: Book, inverse: people, onDelete: clear}}
    access:
      - {roles: [User, Gate], read: [name]}
      - {roles: [Head], read: [name, pay, book]}
";
const RAISE: &str = "roles: [User]
parameters: {Person: Person}
applyEntityAccess: false
elevation:
  - {entity: Person, doc: Only the badly paid, read: [pay], write: [pay], where: \"this.pay < 100\"}
  - {entity: Book, doc: Looks, read: [title]}
do:
  - change: {object: $Person, set: {pay: \"99\"}}
";
const OUTER: &str = "roles: [User]
parameters: {Person: Person}
do:
  - message: {text: Here we go, tone: info}
  - call: {microflow: Inner}
";
const INNER: &str = "roles: []
applyEntityAccess: false
elevation:
  - {entity: Book, doc: Looks, read: [title]}
do:
  - create: {as: Book, entity: Book, set: {title: \"'secret'\"}}
";
const PEEK: &str = "roles: [User]
parameters: {Person: Person}
do:
  - message: {text: \"{$Person.pay}\", tone: info}
";
const FIRE: &str = "roles: [User]
parameters: {Person: Person}
applyEntityAccess: false
elevation:
  - {entity: Person, doc: Loads, read: [name, pay, book]}
do:
  - retrieve: {as: Book, from: $Person, association: book}
  - delete: {object: $Person}
";
const OPEN: &str = "roles: [User]
parameters: {Person: Person}
applyEntityAccess: false
elevation:
  - {entity: Person, doc: Follows, read: [book]}
do:
  - retrieve: {as: Book, from: $Person, association: book}
  - message: {text: \"{$Book.total}\", tone: info}
";
const LIST: &str = "roles: [User]
parameters: {Person: Person}
do:
  - retrieve: {as: Books, entity: Book}
";
const PEOPLE: &str =
    "title: People\nroles: [User]\ncontent:\n  - dataGrid: {source: {entity: Person, sort: [name]}, columns: [{show: name}]}\n";
const DETAIL: &str = "
title: Somebody
roles: [User]
parameters: {Person: Person}
content:
  - dataView:
      source: {parameter: Person}
      content:
        - input: {member: name}
        - button: {caption: Raise it, run: {microflow: Raise, with: {Person: this}}}
        - button: {caption: Outer one, run: {microflow: Outer, with: {Person: this}}}
        - button: {caption: Peek, run: {microflow: Peek, with: {Person: this}}}
        - button: {caption: Fire, run: {microflow: Fire, with: {Person: this}}}
        - button: {caption: Open book, run: {microflow: Open, with: {Person: this}}}
        - button: {caption: List books, run: {microflow: List, with: {Person: this}}}
";
const BOOKS: &str = "key,title,total\nk,CANARY-book,31337009\n";
const PERSONS: &str = "key,name,pay,book\na,Anna,31337001,k\nb,Bert,31337002,k\n";

pub(super) fn files() -> TempDir {
    written(&[
        ("app.yaml", APP),
        ("m/module.yaml", MODULE),
        ("m/domain.yaml", DOMAIN),
        ("m/microflows/Raise.yaml", RAISE),
        ("m/microflows/Outer.yaml", OUTER),
        ("m/microflows/Inner.yaml", INNER),
        ("m/microflows/Peek.yaml", PEEK),
        ("m/microflows/Fire.yaml", FIRE),
        ("m/microflows/Open.yaml", OPEN),
        ("m/microflows/List.yaml", LIST),
        ("m/pages/People.yaml", PEOPLE),
        ("m/pages/PersonDetail.yaml", DETAIL),
        ("seed/01-m.Book.csv", BOOKS),
        ("seed/02-m.Person.csv", PERSONS),
    ])
}

fn anna(server: &Server) -> String {
    format!("/p/m.PersonDetail?Person={}", server.handle("m.Person", 1))
}

/// A refusal, and what an administrator is told of it.
fn refused(server: &Server, who: &str, button: &str) -> Page {
    let page = server.sign_in(who).open(&anna(server)).click(button);
    assert!([403, 404].contains(&page.status), "{button}: {} {}", page.status, page.html.text);
    page
}
fn why(server: &Server, who: &str, page: &Page) -> String {
    let found = server.sign_in(who).open(&format!("/admin/audit/why?reference={}", reference(page)));
    assert_eq!(found.status, 200);
    found.answer.body
}
fn is_clean(body: &str) {
    for canary in ["CANARY", "31337", "secret"] {
        assert!(!body.contains(canary), "{canary} in {body}");
    }
}
fn has(told: &str, all: &[&str]) {
    for words in all {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn what_a_flow_was_refused_is_told_with_its_elevation_at_the_reference() {
    let folder = files();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some(server) = Setup::of(folder.path()).on(kind).try_run() else { continue };
        each_refusal(&server);
    }
}

fn each_refusal(server: &Server) {
    // Its rows are others.
    let raise = refused(server, "cleo", "Raise it");
    let told = why(server, "bob", &raise);
    has(
        &told,
        &[
            "write m.Person#1",
            "in m.Raise",
            "m.Raise m/microflows/Raise.yaml:8",
            "microflow m.Raise runs under the rights of its caller and those that its `elevation:` grants",
            "the caller&#39;s own rights",
            "m.Raise elevation 1 – Only the badly paid",
            "m/microflows/Raise.yaml:5",
            "<code>this.pay</code> = <b>31337001</b>",
            "5, entity access",
        ],
    );
    assert!(!told.contains("elevation 2"), "a grant for another entity is not one of those that were considered: {told}");
    // The warden reads the names of people and nothing else: neither pay nor whether the condition holds.
    let told = why(server, "wim", &raise);
    has(&told, &["m.Raise elevation 1", "<code>this.pay</code> = <i>withheld from you</i>", "Withheld from you"]);
    is_clean(&told);

    // A called flow, with the way that led there; the guardrail of another role is not told as theirs.
    let inner = refused(server, "cleo", "Outer one");
    let told = why(server, "bob", &inner);
    has(
        &told,
        &[
            "create m.Book in m.Inner",
            "m.Inner m/microflows/Inner.yaml:6",
            "m.Outer m/microflows/Outer.yaml:5",
            "it grants read",
            "in m.Inner elevation 1: `create: true`",
        ],
    );
    is_clean(&told);
    let told = why(server, "bob", &refused(server, "bob", "Outer one"));
    has(&told, &["call m.Inner", "Bosses do not touch the books", "guardrail"]);

    // Under the rights of its caller.
    let told = why(server, "bob", &refused(server, "cleo", "Peek"));
    has(&told, &["read m.Person#1.pay in m.Peek", "`applyEntityAccess` is on", "`applyEntityAccess: false` at m.Peek"]);
    let told = why(server, "bob", &refused(server, "cleo", "List books"));
    has(&told, &["read m.Book in m.List", "m.Book rule 1"]);

    let told = why(server, "bob", &refused(server, "cleo", "Fire"));
    has(&told, &["delete m.Person#1 in m.Fire", "in m.Fire elevation 1: `delete: true`"]);

    // What a flow came upon by itself is named to those only who see it.
    let book = refused(server, "cleo", "Open book");
    has(&why(server, "bob", &book), &["read m.Book#1.total in m.Open", "no grant is for m.Book"]);
    let told = why(server, "wim", &book);
    has(&told, &["read m.Book.total in m.Open"]);
    assert!(!told.contains("m.Book#"), "{told}");
    is_clean(&told);
}

#[test]
fn a_reference_of_somebody_else_or_of_nobody_tells_nothing_to_those_who_do_not_read_the_record() {
    let folder = files();
    let server = Setup::of(folder.path()).run();
    let raise = refused(&server, "cleo", "Raise it");
    // Not even to whoever was refused, and the same for a reference that never was.
    let of = |who: &str, reference: &str| {
        let page = server.sign_in(who).open(&format!("/admin/audit/why?reference={reference}"));
        (page.status, page.html.text.replace(&self::reference(&page), ""))
    };
    let (own, none) = (of("cleo", &reference(&raise)), of("cleo", "01HZZZZZZZZZZZZZZZZZZZZZZZ"));
    assert!(own == none && own.0 == 403, "{own:?}");
    assert_eq!(server.visitor().look(&format!("/admin/audit/why?reference={}", reference(&raise))).status, 303);
    // A part of one, a pattern, or a neighbour finds nothing.
    let whole = reference(&raise);
    for guess in [&whole[..whole.len() - 1], "%25", "_", "", &whole.to_lowercase().replace(char::is_alphabetic, "z")] {
        let page = server.sign_in("wim").open(&format!("/admin/audit/why?reference={guess}"));
        assert!(!page.answer.body.contains("m.Raise"), "{guess}: {}", page.answer.body);
    }
}

#[test]
fn a_button_whose_flow_is_elevated_says_so_and_to_what() {
    let folder = files();
    let server = Setup::of(folder.path()).run();
    let page = switch_on(&server.sign_in("cleo"), &anna(&server));
    let body = &page.answer.body;
    has(
        body,
        &[
            "microflow m.Raise is elevated: beyond its caller&#39;s rights it has this, whoever runs it",
            "m.Raise elevation 1 – Only the badly paid",
            "m.Person: it grants read, write",
            "where `this.pay &lt; 100`",
            "m.Raise elevation 2 – Looks",
            "for every object",
        ],
    );
    assert!(!body.contains("microflow m.Peek is elevated"), "it has nothing besides");
    is_clean(body);
}

#[test]
fn the_command_line_explains_what_a_flow_wants_for_a_person_and_for_a_job() {
    let folder = files();
    let server = Setup::of(folder.path()).run();
    let data = server.stop();
    let app = folder.path().to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.arg("explain").args(arguments).args(["--app", &app, "--data", data.path().to_str().unwrap()]);
        let output = command.current_dir(project("")).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let cleo = ["--user", "cleo@forge.example"];
    let raise = ["--microflow", "m.Raise", "--entity", "m.Person", "--id", "1", "--member", "pay", "--op", "write"];
    let (ok, told) = run(&[&cleo[..], &raise].concat());
    assert!(ok, "{told}");
    has(
        &told,
        &[
            "write m.Person#1.pay in m.Raise: refused",
            "- m.Raise elevation 1",
            "this.pay = 31337001",
            "pay is among what it lets be written",
        ],
    );
    let (ok, told) = run(&[&cleo[..], &raise, &["--as", "wim@forge.example"]].concat());
    assert!(ok && told.contains("withheld from you"), "{told}");
    is_clean(&told);
    let (ok, told) = run(&[&["--user", "job"][..], &["--microflow", "m.Inner", "--entity", "m.Book", "--op", "read"]].concat());
    assert!(ok && told.contains("read m.Book in m.Inner: granted") && told.contains("it rests on m.Inner elevation 1"), "{told}");
    let (ok, told) = run(&["--user", "job", "--microflow", "m.Inner"]);
    assert!(ok && told.contains("call m.Inner: granted"), "{told}");
    let (ok, told) = run(&[&cleo[..], &["--microflow", "m.Raise"]].concat());
    assert!(ok && told.contains("run m.Raise: granted") && told.contains("m.Raise is elevated"), "{told}");
    let (ok, told) = run(&[&cleo[..], &["--microflow", "m.Nothing", "--entity", "m.Book"]].concat());
    assert!(!ok && told.contains("no microflow m.Nothing"), "{told}");
    assert!(!run(&cleo).0, "nothing is asked about");
    assert!(!run(&[&cleo[..], &["--microflow", "m.Raise", "--page", "m.People"]].concat()).0);
    // What somebody may not see is told like what never was, whichever number is tried.
    let guess = |id: &str, more: &[&str]| {
        let asked = ["--entity", "m.Book", "--id", id, "--member", "title", "--as", "wim@forge.example"];
        let (ok, told) = run(&[&cleo[..], &asked, more].concat());
        assert!(ok, "{told}");
        is_clean(&told);
        told.replace(&format!("#{id}"), "#")
    };
    for more in [&[][..], &["--microflow", "m.Open"], &["--op", "delete"], &["--op", "write", "--microflow", "m.Raise"]] {
        assert_eq!(guess("1", more), guess("99", more), "{more:?}");
    }
    // For tools.
    let (_, told) = run(&[&cleo[..], &raise, &["--format", "json"]].concat());
    let tree: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((tree["granted"].as_str(), tree["layer"].as_str()), (Some("no"), Some("entity-access")));
    assert!(tree["reasons"][2]["parts"][0]["place"].as_str().unwrap().ends_with("Raise.yaml:5"));
}
