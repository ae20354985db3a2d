//! A small app with canaries in everything that is withheld, and constraints that a reader could steer.

use super::{counts, reference, switch_on};
use crate::support::server::{Server, Setup, written};
use portcullis::identity::{self, Actor as By};
use tempfile::TempDir;

const APP: &str = "app: vault
title: Vault
level: prototype
language: en
modules: [m]
userRoles:
  Guest: {anonymous: true, moduleRoles: [m.Guest]}
  Clerk: {moduleRoles: [m.User]}
  Boss: {moduleRoles: [m.User, m.Head]}
  Warden: {moduleRoles: [m.Gate]}
administration: {users: [Boss], audit: [Boss, Warden]}
navigation:
  - {userRoles: [Guest], home: m.Door, menu: [{title: Door, page: m.Door}]}
  - {userRoles: [Clerk, Boss], home: m.People, menu: [{title: People, page: m.People}]}
  - {userRoles: [Boss], menu: [{title: The safe, page: m.Safe}]}
demoUsers:
  - {key: cleo, name: Cleo Hart, email: cleo@vault.example, userRoles: [Clerk]}
  - {key: bob, name: Bob Stone, email: bob@vault.example, userRoles: [Boss]}
  - {key: wim, name: Wim Gate, email: wim@vault.example, userRoles: [Warden]}
";
const MODULE: &str = "roles: {User: Works, Head: Leads, Gate: Watches, Guest: Visits}\n";
const DOMAIN: &str = r#"
entities:
  Team:
    attributes: {name: {type: string, length: 50}, limit: {type: integer, label: Limit}}
    display: name
    access:
      - {roles: [User], read: [name, limit], write: [limit]}
  Person:
    attributes:
      name: {type: string, length: 50}
      code: {type: string, length: 50}
      pay: {type: integer}
      hidden: {type: boolean}
    associations: {team: {to: Team, inverse: people, onDelete: clear}}
    access:
      - {doc: Those who do not hide, roles: [User], read: [name, team], where: "!this.hidden"}
      - {doc: The codes of the badly paid, roles: [User], read: [name, code], where: "this.pay < 100 && !this.hidden"}
      - {doc: The head reads all, roles: [Head], read: [name, code, pay, hidden, team], delete: true}
"#;
const PEOPLE: &str = r#"
title: People
roles: [User]
content:
  - dataGrid:
      title: All
      source: {entity: Person, where: "this.pay > 0", sort: [name]}
      search: [name]
      columns: [{show: name}, {show: code}, {show: team.name, title: Team}]
      opens: {page: PersonDetail, with: {Person: this}}
      buttons: [{button: {caption: Open the safe, open: {page: Safe}}}]
  - dataGrid:
      title: Above the limit
      source: {entity: Person, where: "this.pay > this.team.limit"}
      columns: [{show: name}]
  - stat: {title: Heads, source: {entity: Person}, value: count}
  - text: {value: Never, visible: "role('Boss')"}
"#;
const DETAIL: &str = r#"
title: Somebody
roles: [User]
parameters: {Person: Person}
content:
  - dataView:
      source: {parameter: Person}
      content:
        - input: {member: name}
        - input: {member: code}
        - button: {caption: Remove, style: danger, delete: {}}
"#;
const TEAM: &str = r#"
title: A team
roles: [User]
parameters: {Team: Team}
content:
  - dataView: {source: {parameter: Team}, content: [{input: {member: limit}}, {button: {caption: Save, save: {then: stay}}}]}
  - listView: {title: In it, source: {entity: Person, where: "this.team == $Team"}, content: [{text: {value: "{this.name}"}}]}
  - listView: {title: Of it, source: {entity: Person, where: "this.pay > $Team.limit"}, content: [{text: {value: "{this.name}"}}]}
"#;
const SAFE: &str = "title: Safe\nroles: [Head]\ncontent: []\n";
const DOOR: &str = "title: Door\nlayout: plain\nroles: [Guest]\ncontent:\n  - text: {value: Closed}\n";
const TEAMS: &str = "key,name,limit\nt,North,50\n";
const PERSONS: &str = "key,name,code,pay,hidden,team
a,Anna,CANARY-anna,31337001,false,t
b,Bert,OPEN-bert,12,false,t
c,Cara,OPEN-cara,13,false,t
x,CANARY-xaver,CANARY-x,31337002,true,t
y,CANARY-yvo,CANARY-y,14,true,t
";

fn vault() -> (Server, TempDir) {
    let folder = written(&[
        ("app.yaml", APP),
        ("m/module.yaml", MODULE),
        ("m/domain.yaml", DOMAIN),
        ("m/pages/People.yaml", PEOPLE),
        ("m/pages/PersonDetail.yaml", DETAIL),
        ("m/pages/TeamDetail.yaml", TEAM),
        ("m/pages/Safe.yaml", SAFE),
        ("m/pages/Door.yaml", DOOR),
        ("seed/01-m.Team.csv", TEAMS),
        ("seed/02-m.Person.csv", PERSONS),
    ]);
    (Setup::of(folder.path()).run(), folder)
}

/// What no byte of a page may hold for a clerk.
fn is_clean(body: &str) {
    for canary in ["CANARY", "31337"] {
        assert!(!body.contains(canary), "{canary} in {body}");
    }
}

/// The row of a person, by key, on SQLite in the order of the seed.
fn person(server: &Server, id: i64) -> String {
    format!("/p/m.PersonDetail?Person={}", server.handle("m.Person", id))
}

#[test]
fn the_overlay_marks_what_is_released_and_withheld_and_no_withheld_byte_leaves() {
    let (server, _folder) = vault();
    let cleo = server.sign_in("cleo");
    let plain = cleo.open("/p/m.People");
    assert!(!plain.answer.body.contains("xray-badge") && !plain.answer.body.contains("id=\"xray\""), "not unasked");
    let page = switch_on(&cleo, "/p/m.People");
    let body = &page.answer.body;
    is_clean(body);
    assert_eq!(plain.html.rows.len(), page.html.rows.len(), "the same rows as without it");
    assert!(counts(&page)[0].contains("<b>5</b> rows exist, <b>3</b> released to you; <b>2</b> withheld"), "{:?}", counts(&page));
    for told in [
        "m.Person rule 1 – Those who do not hide",
        "m/domain.yaml:",
        "<code>!this.hidden</code>",
        "m.Person.code",
        "Not shown: Open the safe",
        "Not shown: text Never",
        "The safe",
    ] {
        assert!(body.contains(told), "{told}: {body}");
    }
    // A rule over what is withheld is not told apart row by row.
    assert!(body.contains("withheld from you"));
    let rows: Vec<&str> = body
        .split("<tr role=\"row\"")
        .skip(2)
        .take(3)
        .map(|row| row.split("#xray-").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    assert!(rows.windows(2).all(|pair| pair[0] == pair[1]), "one reason for all rows: {rows:?}");
    let detail = cleo.open(&person(&server, 1));
    is_clean(&detail.answer.body);
    assert!(detail.answer.body.contains("m.Person.code") && detail.answer.body.contains("The codes of the badly paid"));
    assert!(detail.answer.body.contains("Not shown: button Remove"));
    let boss = switch_on(&server.sign_in("bob"), &person(&server, 1));
    assert!(
        boss.answer.body.contains("31337001") && boss.answer.body.contains("CANARY-anna"),
        "the head reads all, so all is told"
    );
    let csrf = page.hidden("_csrf").unwrap();
    assert_eq!(cleo.post("/xray", &[("_csrf", csrf), ("xray", "off")]).status, 303);
    assert!(!cleo.open("/p/m.People").answer.body.contains("xray-badge"));
}

#[test]
fn the_count_of_absent_rows_cannot_be_steered() {
    let (server, _folder) = vault();
    let cleo = server.sign_in("cleo");
    let page = switch_on(&cleo, "/p/m.People");
    let whole = counts(&page);
    assert!(whole[1].contains("is not told here"), "a clerk writes the limit that the rows are compared with: {whole:?}");
    let list = page.html.rows.len();
    for search in ["Anna", "CANARY", "xaver", "nobody", "e"] {
        let found = cleo.open(&format!("/p/m.People?w1.q={search}"));
        assert_eq!(found.status, 200);
        assert_eq!(counts(&found), whole, "a search for {search} changes no count");
        assert!(found.html.rows.len() <= list);
        is_clean(&found.answer.body.replace(&format!("value=\"{search}\""), "").replace(&format!("w1.q={search}"), ""));
    }
    for sorted in ["w1.sort=name", "w1.sort=-name", "w1.p=2"] {
        assert_eq!(counts(&cleo.open(&format!("/p/m.People?{sorted}"))), whole, "{sorted}");
    }
    let team = format!("/p/m.TeamDetail?Team={}", server.handle("m.Team", 1));
    let mut told = Vec::new();
    for limit in ["10", "31337001", "31337002", "99999999"] {
        let saved = cleo.open(&team).fill("Limit", limit);
        let saved = if saved.has_button("Save") { saved.click("Save") } else { panic!("a clerk may write the limit") };
        assert_eq!(saved.status, 200);
        let lists = counts(&cleo.open(&team));
        assert!(lists.iter().all(|one| one.contains("is not told here")), "lists of an object of the page: {lists:?}");
        let all = counts(&cleo.open("/p/m.People"));
        assert!(all[1].contains("is not told here"), "{all:?}");
        told.push((lists, all));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "whatever the reader writes, the counts stay: {told:?}");
}

#[test]
fn a_reference_leads_an_administrator_to_the_reason_as_far_as_they_may_know_it() {
    let (server, _folder) = vault();
    let cleo = server.sign_in("cleo");
    let hidden = cleo.open(&person(&server, 4));
    let nowhere = cleo.open(&person(&server, 99));
    assert_eq!((hidden.status, nowhere.status), (404, 404));
    let blank = |page: &crate::support::actor::Page| {
        page.answer.body.replace(&reference(page), "").split("nonce=").next().unwrap().to_owned()
    };
    assert_eq!(blank(&hidden), blank(&nowhere), "what is hidden looks like what never was");
    let shut = cleo.open("/p/m.Safe");
    assert_eq!(shut.status, 403);
    let why = |who: &str, page: &crate::support::actor::Page| {
        let found = server.sign_in(who).open(&format!("/admin/audit/why?reference={}", reference(page)));
        assert_eq!(found.status, 200);
        found.answer.body
    };
    let told = why("bob", &hidden);
    for words in [
        "read m.Person#4",
        "Cleo Hart",
        "m.Person rule 1 – Those who do not hide",
        "<code>this.hidden</code> = <b>true</b>",
        "5, entity access",
        "Refused",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = why("wim", &hidden);
    assert!(told.contains("withheld from you") && told.contains("Withheld from you"), "the warden reads no person: {told}");
    assert!(!told.contains("<b>true</b>"), "{told}");
    is_clean(&told);
    let told = why("bob", &shut);
    assert!(told.contains("give the user role Boss") && told.contains("3, page access"), "{told}");
    assert!(why("bob", &nowhere).contains("there is no such object"));
    assert!(
        server.sign_in("bob").open("/admin/audit").answer.body.contains(&format!("reference={}", reference(&shut))),
        "the record leads there"
    );

    assert_eq!(server.sign_in("cleo").open("/admin/audit/why?reference=x").status, 403, "only for those who read the record");

    let app = &server.web().app;
    app.db
        .write(|conn| {
            let account = identity::find_by_email(conn, "cleo@vault.example").unwrap().unwrap();
            let roles = ["Clerk".into(), "Boss".into()].into_iter().collect();
            app.identity
                .replace_roles(conn, &By::system("test"), account.id, account.version, &roles, &std::collections::BTreeSet::new())
                .unwrap();
            Ok::<_, portcullis::db::DbError>(())
        })
        .unwrap();
    let told = why("bob", &shut);
    assert!(
        told.contains("As it was decided then") && told.contains("As it would be decided now") && told.contains("Granted"),
        "{told}"
    );
    let unknown = server.sign_in("bob").open("/admin/audit/why?reference=%27%3Cscript%3E");
    assert!(unknown.answer.body.contains("No refusal is recorded") && !unknown.answer.body.contains("'<script>"));
    assert_eq!(server.visitor().look("/admin/audit/why?reference=x").status, 303);
}

#[test]
fn a_visitor_of_the_demo_sees_why_a_page_is_open_and_still_causes_no_statement() {
    let (server, _folder) = vault();
    let visitor = server.visitor();
    let (page, statements) = server.statements(|| switch_on(&visitor, "/p/m.Door"));
    assert!(page.answer.body.contains("id=\"xray\"") && page.answer.body.contains("m.Door"), "{}", page.answer.body);
    assert_eq!(statements, 0);
    is_clean(&page.answer.body);
}
