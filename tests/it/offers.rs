//! A page offers what the rules allow; what turns out to be refused all the same is said in the form, and is nothing
//! against the person.

use crate::support::actor::Page;
use crate::support::html::Button;
use crate::support::notes::texts;
use crate::support::server::{Kind, Server, Setup, written};
use tempfile::TempDir;

const APP: &str = "\
app: ward
title: Ward
level: production
language: en
languages: [en]
modules: [ward]
userRoles:
  Nurse: {moduleRoles: [ward.Nurse]}
  Boss: {mayAssign: [Nurse]}
administration: {users: [Boss]}
navigation:
  - {userRoles: [Nurse], home: ward.Patients}
demoUsers:
  - {key: nora, name: Nora Falk, email: nora@ward.example, userRoles: [Nurse]}
  - {key: bea, name: Bea Lund, email: bea@ward.example, userRoles: [Boss]}
systemAccess:
  User:
    - {roles: [ward.Nurse], read: [name]}
";
const MODULE: &str = "roles: {Nurse: Cares}\n";
const DOMAIN: &str = "\
enumerations:
  State: {Planned: {}, Running: {}, Done: {}}
entities:
  Ward:
    display: name
    attributes: {name: {type: string, length: 50, label: Name}, open: {type: boolean, label: Open}}
    associations: {parent: {to: Ward, inverse: parts}}
    tree: parent
    access: [{roles: [Nurse], read: [name, open, parent]}]
  Worker:
    attributes: {name: {type: string, length: 50}}
    associations:
      account: {to: system.User, kind: one-to-one, inverse: worker}
      ward: {to: Ward, inverse: workers}
      helps: {to: Ward, kind: many-to-many, inverse: helpers}
    access: [{roles: [Nurse], read: [name, account, ward, helps]}]
  Patient:
    display: name
    attributes:
      name: {type: string, length: 50, required: true, label: Name}
      note: {type: text, label: Note}
      state: {type: enumeration, of: State, default: \"'Planned'\", label: State}
    associations:
      ward: {to: Ward, inverse: patients, label: Ward}
    access:
      - {roles: [Nurse], read: [name, note, state, ward]}
      - {roles: [Nurse], write: [note], read: [note], delete: true, where: \"within(this.ward, user.worker.ward)\"}
      - {roles: [Nurse], write: [name], read: [name], where: \"this.ward in user.worker.helps\"}
      - {roles: [Nurse], create: true, write: [name, note, ward], read: [ward], where: \"exists(this.ward.workers) && this.ward.open\"}
      - {roles: [Nurse], write: [state], read: [state], where: \"this.state != 'Done'\"}
  Visit:
    attributes:
      reason: {type: string, length: 50, label: Reason}
      cost: {type: integer, label: Cost}
    associations:
      ward: {to: Ward, inverse: visits, default: user.worker.ward}
    access:
      - {roles: [Nurse], read: [reason, cost, ward]}
      - {roles: [Nurse], create: true, read: [reason], write: [reason], where: \"this.ward.open\"}
      - {roles: [Nurse], read: [cost], write: [cost], where: \"this.ward.name == 'West'\"}
";
const PATIENTS: &str = "\
title: Patients
roles: [Nurse]
content:
  - dataGrid:
      source: {entity: Patient, sort: [name]}
      columns: [{show: name, title: Name}]
      opens: {page: Patient, with: {Patient: this}}
      rowButtons: [{button: {caption: Remove, delete: {}}}]
";
const PATIENT: &str = "\
title: Patient
roles: [Nurse]
parameters: {Patient: Patient}
content:
  - dataView:
      source: {parameter: Patient}
      content:
        - input: {member: name}
        - input: {member: note}
        - input: {member: state}
        - reference: {member: ward}
        - button: {caption: Keep, save: {then: stay}}
        - button: {caption: Remove, delete: {}}
";
const NEW: &str = "\
title: New
roles: [Nurse]
content:
  - dataView:
      source: {new: Patient}
      content:
        - input: {member: name}
        - input: {member: note}
        - reference: {member: ward}
        - button: {caption: Admit, save: {then: stay}}
";
const VISIT: &str = "\
title: Visit
roles: [Nurse]
content:
  - dataView:
      source: {new: Visit}
      content:
        - input: {member: reason}
        - input: {member: cost}
        - button: {caption: Book, save: {then: stay}}
";

/// Nora works in West, to which West One belongs, and helps in South. East is nobody's.
fn files() -> TempDir {
    written(&[
        ("app.yaml", APP),
        ("ward/module.yaml", MODULE),
        ("ward/domain.yaml", DOMAIN),
        ("ward/pages/Patients.yaml", PATIENTS),
        ("ward/pages/Patient.yaml", PATIENT),
        ("ward/pages/New.yaml", NEW),
        ("ward/pages/Visit.yaml", VISIT),
        ("seed/01-ward.Ward.csv", "key,name,open,parent\nw,West,true,\nw1,West One,true,w\ns,South,true,\ne,East,true,\n"),
        ("seed/02-ward.Worker.csv", "key,name,account,ward,helps\nn,Nora,demo:nora,w,s\n"),
        (
            "seed/03-ward.Patient.csv",
            "key,name,note,state,ward\np1,Ann,n,Planned,w1\np2,Ben,n,Planned,s\np3,Cas,n,Done,e\np4,Dot,n,Running,\n",
        ),
    ])
}

fn each(test: impl Fn(&Server)) {
    let folder = files();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if let Some(server) = Setup::of(folder.path()).on(kind).try_run() {
            test(&server);
        }
    }
}

fn run(server: &Server, sql: &'static str) {
    let mut statement = portcullis::db::sql::Sql::new();
    statement.raw(sql);
    let now = crate::support::server::start();
    let params = portcullis::db::sql::Params::new(None, now, now.date());
    let done = server.web().app.db.write(|conn| portcullis::db::sql::execute(conn, &statement, &params));
    done.unwrap();
}
fn events(server: &Server, sql: &'static str) -> Vec<String> {
    texts(&server.web().app.db, sql)
}
const REFUSED: &str = "SELECT summary FROM audit_record WHERE event = 'offer.refused'";
const DENIED: &str = "SELECT summary FROM audit_record WHERE event = 'denied' OR (event = 'offer.refused' AND severity > 2)";

fn patient(server: &Server, id: i64) -> Page {
    server.sign_in("nora").open(&format!("/p/ward.Patient?Patient={}", server.handle("ward.Patient", id)))
}
fn open(page: &Page) -> Vec<&str> {
    ["Name", "Note", "State", "Ward"].into_iter().filter(|label| page.control(label).is_some()).collect()
}

#[test]
fn a_form_has_the_fields_and_buttons_that_its_rules_allow_for_this_row() {
    each(|server| {
        let what = |id| {
            let page = patient(server, id);
            let fields: Vec<String> = open(&page).into_iter().map(str::to_owned).collect();
            (fields.join(" "), page.has_button("Keep"), page.has_button("Remove"))
        };
        // `within` holds for the first and `in` for the second; for each a ward with workers, or without.
        assert_eq!(what(1), ("Note State".into(), true, true));
        assert_eq!(what(2), ("Name State".into(), true, false));
        // Nothing holds for the third; of the fourth the state alone may be changed.
        assert_eq!(what(3), (String::new(), false, false));
        assert_eq!(what(4), ("State".into(), true, false));
        assert_eq!(events(server, DENIED), Vec::<String>::new());
    });
}

#[test]
fn the_rows_of_a_list_have_the_buttons_that_their_rules_allow() {
    each(|server| {
        let list = server.sign_in("nora").open("/p/ward.Patients");
        let buttons: Vec<Button> = list.html.buttons.iter().filter(|button| button.caption == "Remove").cloned().collect();
        assert_eq!(buttons.len(), 1, "of four");
        assert_eq!(list.press(&buttons[0]).status, 200);
        assert_eq!(texts(&server.web().app.db, "SELECT name FROM ward_patient ORDER BY name"), ["Ben", "Cas", "Dot"]);
    });
}

#[test]
fn a_list_asks_for_all_its_rows_at_once() {
    let count = |rows: usize| {
        let more: String = (0..rows).map(|n| format!("x{n},Name {n},n,Planned,w1\n")).collect();
        let folder = files();
        let seed = folder.path().join("seed/03-ward.Patient.csv");
        std::fs::write(&seed, format!("key,name,note,state,ward\n{more}")).unwrap();
        let server = Setup::of(folder.path()).on(Kind::Sqlite).run();
        let nora = server.sign_in("nora");
        nora.open("/p/ward.Patients");
        let (page, statements) = server.statements(|| nora.open("/p/ward.Patients"));
        assert_eq!(page.html.buttons.iter().filter(|button| button.caption == "Remove").count(), rows);
        statements
    };
    assert_eq!(count(1), count(15));
}

#[test]
fn a_new_object_has_the_fields_that_its_rules_could_allow() {
    each(|server| {
        let nora = server.sign_in("nora");
        // The ward is still to be chosen, so the rule could come true.
        assert_eq!(open(&nora.open("/p/ward.New")), ["Name", "Note", "Ward"]);
        // Here it is set by default: West pays.
        let visit = nora.open("/p/ward.Visit");
        assert!(visit.control("Reason").is_some() && visit.control("Cost").is_some());
        run(server, "UPDATE ward_ward SET name = 'Other' WHERE name = 'West'");
        let visit = nora.open("/p/ward.Visit");
        assert!(visit.control("Reason").is_some() && visit.control("Cost").is_none(), "{}", visit.html.text);
        assert_eq!(visit.fill("Reason", "check").click("Book").status, 200);
        // In a ward that is closed nobody can make one, whatever they type.
        run(server, "UPDATE ward_ward SET \"open\" = (1 = 0)");
        let visit = nora.open("/p/ward.Visit");
        assert!(visit.control("Reason").is_none() && !visit.has_button("Book"), "{}", visit.html.text);
        assert_eq!(events(server, DENIED), Vec::<String>::new());
    });
}

#[test]
fn a_value_that_turns_out_to_be_refused_is_said_at_its_field_and_the_text_stays() {
    each(|server| {
        let nora = server.sign_in("nora");
        let again =
            nora.open("/p/ward.New").fill("Name", "Eva").fill("Note", "typed for long").fill("Ward", "East").click("Admit");
        assert_eq!(again.status, 422, "{}", again.html.text);
        assert!(again.shows("You are not allowed to save this value"), "{}", again.html.text);
        assert_eq!(again.control("Note").unwrap().value, "typed for long");
        assert_eq!(texts(&server.web().app.db, "SELECT name FROM ward_patient WHERE name = 'Eva'"), Vec::<String>::new());
        assert_eq!(again.fill("Ward", "West").click("Admit").status, 200);
        assert_eq!((events(server, REFUSED).len(), events(server, DENIED)), (1, vec![]), "recorded, and against nobody");
    });
}

/// The rule stops holding between the page and the button, without a new version of the row.
#[test]
fn an_offer_that_is_withdrawn_meanwhile_loses_no_text_and_is_no_denial() {
    each(|server| {
        let page = patient(server, 1);
        run(server, "UPDATE ward_ward SET parent_id = NULL");
        let again = page.clone().fill("Note", "typed for long").click("Keep");
        assert_eq!(again.status, 422, "{}", again.html.text);
        assert!(again.shows("typed for long") && again.control("Note").is_none());
        let gone = page.click("Remove");
        assert_eq!(gone.status, 409, "the button is not there any more: {}", gone.html.text);
        assert_eq!(events(server, DENIED), Vec::<String>::new());
        assert_eq!(texts(&server.web().app.db, "SELECT note FROM ward_patient WHERE name = 'Ann'"), ["n"]);
    });
}

#[test]
fn a_selector_offers_the_values_with_which_the_row_stays_within_its_rules() {
    each(|server| {
        let state = patient(server, 4);
        let offered: Vec<&str> = state.control("State").unwrap().options.iter().map(|(value, _)| value.as_str()).collect();
        assert_eq!(offered, ["Planned", "Running"], "Done would put it out of reach");
        assert_eq!(state.fill("State", "Planned").click("Keep").status, 200);
    });
}

/// What was never offered is a forgery as before, and repeated it counts against its sender.
#[test]
fn a_field_that_was_never_offered_is_refused_and_recorded_as_before() {
    each(|server| {
        let page = patient(server, 2);
        let note = patient(server, 1).control("Note").unwrap().name.clone();
        let button = page.button("Keep").clone();
        let mut pairs = page.payload(&button);
        pairs.push((note, "forged".into()));
        assert_eq!(page.actor.post(&page.action(&button), &pairs).status, 400);
        assert_eq!(events(server, DENIED).len(), 1);
        assert_eq!(texts(&server.web().app.db, "SELECT note FROM ward_patient WHERE name = 'Ben'"), ["n"]);
    });
}
