//! A button acts on what its page showed: when somebody changed that meanwhile, nothing is done, the page comes afresh,
//! and nobody is taken for a forger.

use crate::support::actor::{Actor, Page};
use crate::support::html::Button;
use crate::support::http::Answer;
use crate::support::notes::texts;
use crate::support::server::{Kind, Server, Setup, written};
use tempfile::TempDir;

const APP: &str = "\
app: desk
title: Desk
level: production
language: en
languages: [en]
modules: [desk]
userRoles:
  Owner: {moduleRoles: [desk.Owner]}
  Manager: {moduleRoles: [desk.Manager]}
  Boss: {mayAssign: [Owner, Manager]}
administration: {users: [Boss]}
navigation:
  - {userRoles: [Owner], home: desk.Mine}
  - {userRoles: [Manager], home: desk.Open}
demoUsers:
  - {key: ola, name: Ola Berg, email: ola@desk.example, userRoles: [Owner]}
  - {key: max, name: Max Moor, email: max@desk.example, userRoles: [Manager]}
  - {key: bea, name: Bea Lund, email: bea@desk.example, userRoles: [Boss]}
";
const MODULE: &str = "roles: {Owner: Asks, Manager: Decides}\n";
const DOMAIN: &str = "\
enumerations:
  State: {Submitted: {}, Approved: {}, Closed: {}}
entities:
  Account:
    display: name
    attributes:
      name: {type: string, length: 50, required: true, label: Name}
      limit: {type: integer, label: Limit}
    access:
      - {roles: [Owner, Manager], read: [name, limit]}
      - {roles: [Owner], write: [name]}
      - {roles: [Manager], write: [limit]}
  Request:
    display: title
    attributes:
      title: {type: string, length: 50, required: true, label: Title}
      amount: {type: integer, label: Amount}
      note: {type: text, label: Note}
      urgent: {type: boolean, label: Urgent}
      state: {type: enumeration, of: State, default: \"'Submitted'\", label: State}
    associations:
      account: {to: Account, inverse: requests, required: true, label: Account}
    access:
      - {roles: [Owner], create: true, delete: true, read: [title, amount, note, urgent, state, account], write: [title, amount, state, account]}
      - {roles: [Manager], delete: true, read: [title, amount, note, urgent, state, account], write: [state]}
      - {roles: [Manager], read: [title], write: [note, urgent], where: \"this.account.limit > 0\"}
";
const APPROVE: &str = "\
roles: [Manager]
parameters: {Request: Request}
do:
  - change: {object: $Request, set: {state: \"'Approved'\"}}
  - message: {text: Approved, tone: success}
";
const RAISE: &str = "\
roles: [Manager]
parameters: {Account: Account}
do:
  - change: {object: $Account, set: {limit: \"1000\"}}
  - message: {text: Raised, tone: success}
";
const OPEN: &str = "\
title: Open requests
roles: [Manager]
content:
  - dataGrid:
      source: {entity: Request, where: \"this.state != 'Closed'\", sort: [title]}
      columns: [{show: title, title: Title}, {show: amount, title: Amount}]
      rowButtons:
        - {button: {caption: Approve, run: {microflow: Approve, with: {Request: this}}}}
        - {button: {caption: Approve with care, confirm: Really?, run: {microflow: Approve, with: {Request: this}}}}
        - {button: {caption: Approve anyhow, run: {microflow: ApproveAnyhow, with: {Request: this}}}}
        - {button: {caption: Raise the limit, run: {microflow: Raise, with: {Account: this.account}}}}
        - {button: {caption: Drop, delete: {}}}
";
const CARDS: &str = "\
title: Cards
roles: [Manager]
content:
  - listView:
      source: {entity: Request, sort: [title]}
      content:
        - text: {value: \"{this.title}\"}
        - button: {caption: Approve, run: {microflow: Approve, with: {Request: this}}}
        - dataView:
            source: {association: account}
            content:
              - text: {value: \"{this.name}\"}
              - button: {caption: Raise, run: {microflow: Raise, with: {Account: this}}}
";
const BARE: &str = "\
title: \"Request {$Request.title}\"
roles: [Manager]
parameters: {Request: Request}
content:
  - text: {value: \"{$Request.amount}\"}
  - button: {caption: Approve, run: {microflow: Approve, with: {Request: $Request}}}
  - button: {caption: Raise, run: {microflow: Raise, with: {Account: $Request.account}}}
  - button: {caption: Approve anyhow, run: {microflow: ApproveAnyhow, with: {Request: $Request}}}
";
const DETAIL: &str = "\
title: Detail
roles: [Manager]
parameters: {Request: Request}
content:
  - dataView:
      source: {parameter: Request}
      content:
        - input: {member: title}
        - input: {member: note}
        - input: {member: urgent}
        - input: {member: state}
        - button: {caption: Keep, save: {then: stay}}
        - button: {caption: Approve, run: {microflow: Approve, with: {Request: this}}}
        - button: {caption: Drop, delete: {}}
";
const MINE: &str = "\
title: Mine
roles: [Owner]
content:
  - dataGrid:
      source: {entity: Request, sort: [title]}
      columns: [{show: title, title: Title}]
      opens: {page: Edit, with: {Request: this}}
      rowButtons: [{button: {caption: Withdraw, delete: {}}}]
";
const EDIT: &str = "\
title: Edit
roles: [Owner]
parameters: {Request: Request}
content:
  - dataView:
      source: {parameter: Request}
      content:
        - input: {member: title}
        - input: {member: amount}
        - input: {member: state}
        - reference: {member: account}
        - button: {caption: Submit, save: {then: stay}}
        - dataView:
            source: {association: account}
            content:
              - input: {member: name}
";

fn files() -> TempDir {
    written(&[
        ("app.yaml", APP),
        ("desk/module.yaml", MODULE),
        ("desk/domain.yaml", DOMAIN),
        ("desk/microflows/Approve.yaml", APPROVE),
        ("desk/microflows/ApproveAnyhow.yaml", &APPROVE.replace("do:", "anyVersion: true\ndo:")),
        ("desk/microflows/Raise.yaml", RAISE),
        ("desk/pages/Open.yaml", OPEN),
        ("desk/pages/Cards.yaml", CARDS),
        ("desk/pages/Bare.yaml", BARE),
        ("desk/pages/Detail.yaml", DETAIL),
        ("desk/pages/Mine.yaml", MINE),
        ("desk/pages/Edit.yaml", EDIT),
        ("seed/01-desk.Account.csv", "key,name,limit\na1,North,100\na2,South,100\n"),
        ("seed/02-desk.Request.csv", "key,title,amount,account,note\nr1,Chairs,120,a1,old\nr2,Desks,80,a2,old\n"),
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

fn states(server: &Server) -> Vec<String> {
    texts(&server.web().app.db, "SELECT title || ' ' || state FROM desk_request ORDER BY id")
}
fn limits(server: &Server) -> Vec<String> {
    texts(&server.web().app.db, "SELECT name || ' ' || CAST(\"limit\" AS TEXT) FROM desk_account ORDER BY id")
}
fn denials(server: &Server) -> Vec<String> {
    texts(&server.web().app.db, "SELECT summary FROM audit_record WHERE event = 'denied'")
}

fn at(server: &Server, page: &str, id: i64) -> String {
    format!("/p/desk.{page}?Request={}", server.handle("desk.Request", id))
}

/// The owner changes the first request: what the manager saw of it is not true any more.
fn resubmit(server: &Server, amount: &str) {
    let page = server.sign_in("ola").open(&at(server, "Edit", 1)).fill("Amount", amount).click("Submit");
    assert_eq!(page.status, 200, "{}", page.html.text);
}
/// The owner renames the account of the first request.
fn rename(server: &Server, name: &str) {
    let page = server.sign_in("ola").open(&at(server, "Edit", 1)).fill("Name", name).click("Submit");
    assert_eq!(page.status, 200, "{}", page.html.text);
}

/// The buttons with a caption, from the first row to the last.
fn buttons(page: &Page, caption: &str) -> Vec<Button> {
    page.html.buttons.iter().filter(|button| button.caption == caption).cloned().collect()
}

const CHANGED: &str = "Somebody changed this since you opened it";

/// The answer to a button that came too late: the page afresh, in plain words, and nothing in anybody's name.
fn late(server: &Server, page: &Page) {
    assert_eq!((page.status, page.shows(CHANGED)), (409, true), "{}", page.html.text);
    assert_eq!(denials(server), Vec::<String>::new());
}

#[test]
fn a_row_button_acts_on_what_was_shown_and_on_nothing_later() {
    each(|server| {
        let list = server.sign_in("max").open("/p/desk.Open");
        resubmit(server, "999999");
        let after = list.press(&buttons(&list, "Approve")[0]);
        late(server, &after);
        assert!(after.shows("999") && !after.shows("120"), "the present state is shown: {}", after.html.text);
        assert_eq!(states(server), ["Chairs Submitted", "Desks Submitted"]);
        // The other row is as it was; and whoever saw the new amount may approve it.
        assert_eq!(list.press(&buttons(&list, "Approve")[1]).status, 200);
        assert_eq!(after.press(&buttons(&after, "Approve")[0]).status, 200);
        assert_eq!(states(server), ["Chairs Approved", "Desks Approved"]);
    });
}

#[test]
fn what_was_shown_outlasts_a_question_that_is_asked_first() {
    each(|server| {
        let max = server.sign_in("max");
        let list = max.open("/p/desk.Open");
        let button = buttons(&list, "Approve with care")[0].clone();
        let asked = max.post(&list.action(&button), &list.payload(&button));
        assert_eq!(asked.status, 200);
        resubmit(server, "999999");
        let mut pairs = list.payload(&button);
        pairs.push(("_confirmed".into(), "yes".into()));
        assert_eq!(max.post(&list.action(&button), &pairs).status, 409);
        late(server, &list.press(&button));
        assert_eq!(states(server)[0], "Chairs Submitted");
        let fresh = max.open("/p/desk.Open");
        assert_eq!(fresh.press(&buttons(&fresh, "Approve with care")[0]).status, 200);
        assert_eq!(states(server)[0], "Chairs Approved");
    });
}

#[test]
fn objects_that_a_row_leads_to_count_like_the_row() {
    each(|server| {
        let list = server.sign_in("max").open("/p/desk.Open");
        let cards = server.sign_in("max").open("/p/desk.Cards");
        let bare = server.sign_in("max").open(&at(server, "Bare", 1));
        rename(server, "Northern");
        late(server, &list.press(&buttons(&list, "Raise the limit")[0]));
        late(server, &cards.press(&buttons(&cards, "Raise")[0]));
        late(server, &bare.click("Raise"));
        assert_eq!(limits(server), ["Northern 100", "South 100"]);
        // The request itself was not changed.
        assert_eq!(cards.press(&buttons(&cards, "Raise")[1]).status, 200);
        assert_eq!(list.press(&buttons(&list, "Approve")[0]).status, 200);
        assert_eq!((limits(server)[1].as_str(), states(server)[0].as_str()), ("South 1000", "Chairs Approved"));
    });
}

#[test]
fn another_object_in_the_place_of_the_one_shown_is_not_acted_on() {
    each(|server| {
        let bare = server.sign_in("max").open(&at(server, "Bare", 1));
        let cards = server.sign_in("max").open("/p/desk.Cards");
        let moved = server.sign_in("ola").open(&at(server, "Edit", 1)).fill("Account", "South").click("Submit");
        assert_eq!(moved.status, 200, "{}", moved.html.text);
        late(server, &bare.click("Raise"));
        late(server, &cards.press(&buttons(&cards, "Raise")[0]));
        assert_eq!(limits(server), ["North 100", "South 100"]);
    });
}

#[test]
fn buttons_of_a_page_a_list_and_a_form_act_on_what_was_shown() {
    each(|server| {
        let max = server.sign_in("max");
        let (bare, cards) = (max.open(&at(server, "Bare", 1)), max.open("/p/desk.Cards"));
        let (detail, list) = (max.open(&at(server, "Detail", 1)), max.open("/p/desk.Open"));
        resubmit(server, "999999");
        late(server, &bare.click("Approve"));
        late(server, &cards.press(&buttons(&cards, "Approve")[0]));
        late(server, &detail.click("Approve"));
        late(server, &detail.click("Drop"));
        late(server, &list.press(&buttons(&list, "Drop")[0]));
        assert_eq!(states(server), ["Chairs Submitted", "Desks Submitted"]);
        assert_eq!(bare.click("Approve").click("Approve").status, 200, "the page that was shown afresh has the new state");
        assert_eq!(states(server)[0], "Chairs Approved");
    });
}

#[test]
fn a_flow_for_any_version_runs_all_the_same() {
    each(|server| {
        let max = server.sign_in("max");
        let (list, bare) = (max.open("/p/desk.Open"), max.open(&at(server, "Bare", 1)));
        resubmit(server, "7");
        assert_eq!(list.press(&buttons(&list, "Approve anyhow")[0]).status, 200);
        assert_eq!(states(server)[0], "Chairs Approved");
        resubmit(server, "8");
        assert_eq!(bare.click("Approve anyhow").status, 200);
    });
}

#[test]
fn a_page_that_stays_carries_what_it_shows_now() {
    each(|server| {
        let page = server.sign_in("max").open(&at(server, "Detail", 1));
        let page = page.fill("Note", "one").click("Keep").fill("Note", "two").click("Keep");
        assert_eq!(page.status, 200, "{}", page.html.text);
        // Back in the browser, to what was shown before the last save.
        let old = page.clone();
        assert_eq!(page.fill("Note", "three").click("Keep").status, 200);
        late(server, &old.click("Approve"));
    });
}

#[test]
fn what_a_button_was_drawn_over_cannot_be_made_up_or_moved() {
    each(|server| {
        let max = server.sign_in("max");
        let list = max.open("/p/desk.Open");
        let (first, second) = (buttons(&list, "Approve")[0].clone(), buttons(&list, "Approve")[1].clone());
        let part = |button: &Button, n: usize| button.value.split(':').nth(n).unwrap().to_owned();
        let drop = buttons(&list, "Drop")[0].clone();
        let send = |act: String| -> Answer {
            let mut pairs = list.payload(&first);
            pairs.retain(|(name, _)| name != "_do");
            pairs.push(("_do".into(), act));
            max.post(&list.action(&first), &pairs)
        };
        let (id, handle) = (part(&first, 0), part(&first, 1));
        for shown in ["1", "", "x", &part(&second, 2), &part(&drop, 2)] {
            assert_eq!(send(format!("{id}:{handle}:{shown}")).status, 400, "{shown}");
        }
        let foreign = server.sign_in("max").open("/p/desk.Open");
        assert_eq!(send(buttons(&foreign, "Approve")[0].value.clone()).status, 400, "of another session");
        assert_eq!(states(server), ["Chairs Submitted", "Desks Submitted"]);
        assert_eq!(denials(server).len(), 6, "a forgery is recorded as one");
        assert_eq!(send(first.value.clone()).status, 303);
    });
}

#[test]
fn a_row_that_left_the_list_or_was_deleted_is_a_change_like_any_other() {
    each(|server| {
        let max = server.sign_in("max");
        let (list, bare) = (max.open("/p/desk.Open"), max.open(&at(server, "Bare", 2)));
        let closed = server.sign_in("ola").open(&at(server, "Edit", 1)).fill("State", "Closed").click("Submit");
        assert_eq!(closed.status, 200, "{}", closed.html.text);
        late(server, &list.press(&buttons(&list, "Approve")[0]));
        let mine = server.sign_in("ola").open("/p/desk.Mine");
        assert_eq!(mine.press(&buttons(&mine, "Withdraw")[1]).status, 200);
        late(server, &list.press(&buttons(&list, "Approve")[1]));
        // The whole page was about it: there is nothing left to show.
        let gone = bare.click("Approve");
        assert_eq!((gone.status, denials(server)), (409, vec![]), "{}", gone.html.text);
        // Whoever looks for it without having been shown it is still recorded.
        assert_eq!(max.get(&at(server, "Bare", 2)).status, 404);
        assert_eq!(denials(server).len(), 1);
    });
}

fn typed(page: &Page, label: &str) -> String {
    page.control(label).map(|control| control.value.clone()).unwrap_or_default()
}

#[test]
fn text_that_was_typed_over_a_changed_object_is_kept_and_nothing_else_is_overwritten() {
    each(|server| {
        let (max, zoe) = (server.sign_in("max"), server.sign_in("max"));
        let form = max.open(&at(server, "Detail", 1)).fill("Note", "typed for twenty minutes");
        let other = zoe.open(&at(server, "Detail", 1)).fill("State", "Approved").fill("Urgent", "true");
        assert_eq!(other.click("Keep").status, 200);
        let again = form.click("Keep");
        late(server, &again);
        assert_eq!(typed(&again, "Note"), "typed for twenty minutes");
        assert!(!again.shows("Somebody changed this meanwhile"), "the note itself was not changed");
        let urgent = again.control("Urgent").unwrap();
        assert!(urgent.checked, "what was only sent along is as it is now");
        assert_eq!(again.click("Keep").status, 200);
        let all = texts(&server.web().app.db, "SELECT state || ' ' || note FROM desk_request ORDER BY id");
        assert_eq!(all[0], "Approved typed for twenty minutes", "the other's change stays");
        // Where both changed the same field, both are shown.
        let form = max.open(&at(server, "Detail", 1)).fill("Note", "mine").fill("Urgent", "");
        assert_eq!(zoe.open(&at(server, "Detail", 1)).fill("Note", "theirs").click("Keep").status, 200);
        let again = form.click("Keep");
        late(server, &again);
        assert!(typed(&again, "Note") == "mine" && again.shows("Somebody changed this meanwhile. It is now: theirs"));
        assert!(!again.control("Urgent").unwrap().checked, "an unticked box stays unticked");
    });
}

fn limit(server: &Server, limit: i64) {
    let sql = if limit > 0 { "UPDATE desk_account SET \"limit\" = 100" } else { "UPDATE desk_account SET \"limit\" = 0" };
    let mut statement = portcullis::db::sql::Sql::new();
    statement.raw(sql);
    let now = crate::support::server::start();
    let params = portcullis::db::sql::Params::new(None, now, now.date());
    let done = server.web().app.db.write(|conn| portcullis::db::sql::execute(conn, &statement, &params));
    done.unwrap();
}

/// Another object decides whether a field is open, so the version of the form's own object says nothing.
#[test]
fn a_field_that_closed_while_somebody_typed_is_no_forgery_and_its_text_is_not_lost() {
    each(|server| {
        let max = server.sign_in("max");
        let form = max.open(&at(server, "Detail", 1));
        limit(server, 0);
        let again = form.clone().fill("Note", "typed for twenty minutes").click("Keep");
        assert_eq!(again.status, 422, "{}", again.html.text);
        assert!(again.shows("typed for twenty minutes") && again.shows("A field was closed while you were typing"));
        assert_eq!(denials(server), Vec::<String>::new());
        // What was only sent along hinders nobody.
        assert_eq!(form.fill("State", "Approved").click("Keep").status, 200);
        assert_eq!(states(server)[0], "Chairs Approved");
    });
}

#[test]
fn a_box_that_was_not_in_the_form_is_not_taken_as_unticked() {
    each(|server| {
        let max: Actor = server.sign_in("max");
        assert_eq!(max.open(&at(server, "Detail", 1)).fill("Urgent", "true").click("Keep").status, 200);
        limit(server, 0);
        let form = max.open(&at(server, "Detail", 1)).fill("State", "Approved");
        assert!(form.control("Urgent").is_none());
        limit(server, 100);
        assert_eq!(form.click("Keep").status, 200);
        let urgent = texts(&server.web().app.db, "SELECT title FROM desk_request WHERE urgent ORDER BY id");
        assert_eq!(urgent, ["Chairs"], "the box was never unticked");
    });
}
